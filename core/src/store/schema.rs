//! Creating and opening the file: its version, its pragmas, and what happens to a damaged one.
//!
//! Nothing is ever deleted to recover.

use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::domain::time::Timestamp;
use crate::error::{Error, Result};

/// The version of the schema.
///
/// * 1: the first.
pub(super) const SCHEMA_VERSION: u32 = 1;

/// The schema as it is today.
const SCHEMA: &str = include_str!("../../sql/schema.sql");

pub(super) fn open_or_rescue(path: &Path, now: Timestamp) -> Result<(Connection, Option<PathBuf>)> {
    match open(path) {
        Ok(connection) => Ok((connection, None)),
        Err(fault) if is_damage(&fault) => {
            let aside = PathBuf::from(format!("{}.broken-{}", path.display(), now.0));
            move_aside(path, &aside)?;
            Ok((open(path).map_err(Error::from)?, Some(aside)))
        }
        Err(fault) => Err(fault.into()),
    }
}

/// Why a file could not be opened.
enum OpenFault {
    Sqlite(rusqlite::Error),
    Damaged,
    Newer,
}

impl From<rusqlite::Error> for OpenFault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<OpenFault> for Error {
    fn from(fault: OpenFault) -> Self {
        match fault {
            OpenFault::Sqlite(error) => error.into(),
            OpenFault::Damaged => Self::Storage("the file is damaged".into()),
            OpenFault::Newer => Self::UpdateNeeded,
        }
    }
}

fn is_damage(fault: &OpenFault) -> bool {
    match fault {
        OpenFault::Damaged => true,
        OpenFault::Newer => false,
        OpenFault::Sqlite(error) => matches!(
            error.sqlite_error_code(),
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt)
        ),
    }
}

fn open(path: &Path) -> std::result::Result<Connection, OpenFault> {
    let connection = Connection::open(path)?;
    prepare(connection, Check::Whole)
}

pub(super) fn open_reader(path: &Path) -> Result<Connection> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    keep_plans(&connection)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Plans that depend on bound values are made anew at each binding, which costs more than most statements here.
fn keep_plans(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

pub(super) fn open_in_memory() -> Result<Connection> {
    Ok(prepare(Connection::open_in_memory()?, Check::None)?)
}

pub(super) fn open_empty() -> Result<Connection> {
    Ok(Connection::open_in_memory()?)
}

/// How thoroughly a file is looked at when it is opened.
#[derive(PartialEq, Eq)]
enum Check {
    Whole,
    None,
}

fn prepare(mut connection: Connection, check: Check) -> std::result::Result<Connection, OpenFault> {
    set_pragmas(&connection)?;
    let version: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    match version {
        0 => {
            let transaction = connection.transaction()?;
            let tables: u32 =
                transaction
                    .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
            if tables > 0 {
                return Err(OpenFault::Damaged);
            }
            transaction.execute_batch(SCHEMA)?;
            transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
            transaction.commit()?;
        }
        SCHEMA_VERSION => {}
        _ => return Err(OpenFault::Newer),
    }
    if check == Check::Whole {
        // The cheap check: every page is reachable and well-formed; the indexes are not compared with their tables.
        let verdict: String =
            connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if verdict != "ok" {
            return Err(OpenFault::Damaged);
        }
    }
    Ok(connection)
}

pub(super) fn set_pragmas(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    keep_plans(connection)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // A dead battery must not take back what was shown as saved.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    // Android has no folder for temporary files.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

fn move_aside(path: &Path, aside: &Path) -> Result<()> {
    let failed = |error: std::io::Error| {
        Error::Storage(format!("a damaged file could not be moved aside: {error}"))
    };
    std::fs::rename(path, aside).map_err(failed)?;
    for suffix in ["-wal", "-shm"] {
        let with = |path: &Path| PathBuf::from(format!("{}{suffix}", path.display()));
        if with(path).exists() {
            std::fs::rename(with(path), with(aside)).map_err(failed)?;
        }
    }
    Ok(())
}
