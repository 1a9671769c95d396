//! Creating, upgrading and opening the file: its version, its pragmas, and what happens to a damaged one.
//!
//! Nothing is ever deleted to recover, and nothing is written to a file before it is known to be sound.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use super::aside;
use crate::domain::time::Timestamp;
use crate::error::{Error, Result};

/// The version of the schema.
///
/// * 1: the first.
/// * 2: drafts, search, pieces of others' rescue bundles.
pub(super) const SCHEMA_VERSION: u32 = 2;

/// What brings a file from the version before to this one. Append only; what has been released stays as it is.
const UPGRADES: &[(u32, &str)] = &[(2, include_str!("../../sql/upgrades/2.sql"))];

/// How long a connection waits for another one's write.
const BUSY: Duration = Duration::from_secs(10);

/// Statements that a connection keeps prepared: all that there are.
const STATEMENTS: usize = 128;

/// The schema as it is today.
const SCHEMA: &str = include_str!("../../sql/schema.sql");

pub(super) fn open_or_rescue(path: &Path, now: Timestamp) -> Result<(Connection, Option<PathBuf>)> {
    match open(path, now) {
        // Told until it was put away: who opened first may have died before anybody heard of it.
        Ok(connection) => Ok((connection, aside::waiting(path))),
        Err(fault) if is_damage(&fault) => {
            let aside = aside::place(path, now);
            aside::move_to(path, &aside)?;
            Ok((open(path, now).map_err(Error::from)?, Some(aside)))
        }
        Err(fault) => Err(fault.into()),
    }
}

/// Why a file could not be opened.
enum OpenFault {
    Sqlite(rusqlite::Error),
    Damaged,
    Newer,
    /// Not damaged: whoever made it so may make it writable again.
    ReadOnly,
    /// A copy could not be kept.
    Copy(std::io::Error),
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
            OpenFault::Damaged => Self::Damaged,
            OpenFault::Newer => Self::UpdateNeeded,
            OpenFault::ReadOnly => Self::Unwritable,
            OpenFault::Copy(error) => {
                Self::Storage(format!("no copy could be kept before the upgrade: {error}"))
            }
        }
    }
}

fn is_damage(fault: &OpenFault) -> bool {
    match fault {
        OpenFault::Damaged => true,
        OpenFault::Newer | OpenFault::ReadOnly | OpenFault::Copy(_) => false,
        OpenFault::Sqlite(error) => matches!(
            error.sqlite_error_code(),
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt)
        ),
    }
}

fn open(path: &Path, now: Timestamp) -> std::result::Result<Connection, OpenFault> {
    look_at(path)?;
    let connection = Connection::open(path)?;
    // A file that is given up must stay as it is: closing it would write its log into it and delete the log.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    let connection = prepare(connection, Some((path, now)))?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    Ok(connection)
}

/// What can be seen before SQLite touches anything.
fn look_at(path: &Path) -> std::result::Result<(), OpenFault> {
    let found = std::fs::metadata(path).ok();
    let is_empty = match &found {
        Some(found) if found.is_dir() => return Err(OpenFault::Damaged),
        Some(found) if found.permissions().readonly() => return Err(OpenFault::ReadOnly),
        Some(found) => found.len() == 0,
        None => true,
    };
    // SQLite takes an empty file for a new one, and deletes a log that lies beside it: that log is all that is left.
    let has_log = std::fs::metadata(beside(path, "-wal")).is_ok_and(|log| log.len() > 0);
    if is_empty && has_log {
        return Err(OpenFault::Damaged);
    }
    Ok(())
}

pub(super) fn open_reader(path: &Path) -> Result<Connection> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    keep_plans(&connection)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

/// Plans that depend on bound values are made anew at each binding, which costs more than most statements here.
fn keep_plans(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

pub(super) fn open_in_memory() -> Result<Connection> {
    Ok(prepare(Connection::open_in_memory()?, None)?)
}

pub(super) fn open_empty() -> Result<Connection> {
    Ok(Connection::open_in_memory()?)
}

/// Makes a connection ready. Of a file it is known where it lies; it is looked through, and an older one is upgraded.
fn prepare(
    mut connection: Connection,
    file: Option<(&Path, Timestamp)>,
) -> std::result::Result<Connection, OpenFault> {
    connection.busy_timeout(BUSY)?;
    known_version(&connection.transaction()?)?;
    if file.is_some() {
        // The cheap check: every page is reachable and well-formed; the indexes are not compared with their tables.
        let verdict: String =
            connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if verdict != "ok" {
            return Err(OpenFault::Damaged);
        }
    }
    set_pragmas(&connection)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Within the transaction: another handle may have made or upgraded the tables in the meantime, and none may copy at the same time.
    let mut copy = None;
    let made = match (known_version(&transaction)?, file) {
        (0, _) => make_tables(&transaction),
        (SCHEMA_VERSION, _) => Ok(()),
        (found, file) => {
            if let Some((path, now)) = file {
                copy = Some(keep_copy(path, found, now)?);
            }
            upgrade(&transaction, found)
        }
    };
    let made = made.and_then(|()| transaction.commit());
    if made.is_err() {
        // The file is as it was, and would be copied anew at each try until the disk is full.
        drop(copy.map(std::fs::remove_file));
    }
    made?;
    Ok(connection)
}

fn make_tables(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute_batch(SCHEMA)?;
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)
}

fn upgrade(transaction: &Transaction<'_>, found: u32) -> rusqlite::Result<()> {
    for (version, sql) in UPGRADES.iter().filter(|(version, _)| *version > found) {
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "user_version", version)?;
    }
    Ok(())
}

/// Keeps a file as it is before it is upgraded, as `<name>.version-<version>-<now_ms>`. Without such a copy nothing is upgraded. Returns
/// where it lies.
fn keep_copy(path: &Path, version: u32, now: Timestamp) -> std::result::Result<PathBuf, OpenFault> {
    // A connection that is about to write copies nothing.
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let unfinished = beside(path, ".unfinished");
    if std::fs::symlink_metadata(&unfinished).is_ok() {
        std::fs::remove_file(&unfinished).map_err(OpenFault::Copy)?;
    }
    let copied = connection.backup("main", &unfinished, None::<fn(rusqlite::backup::Progress)>);
    if copied.is_err() {
        // It would take the room that is lacking.
        drop(std::fs::remove_file(&unfinished));
    }
    copied?;
    let kept = beside(path, &format!(".version-{version}-{}", now.0));
    std::fs::rename(unfinished, &kept).map_err(OpenFault::Copy)?;
    Ok(kept)
}

/// The version of a file that this program may open, as one snapshot shows it; 0: it is empty.
fn known_version(transaction: &Transaction<'_>) -> std::result::Result<u32, OpenFault> {
    let count = "SELECT count(*) FROM sqlite_schema";
    match version(transaction)? {
        0 if transaction.query_row(count, [], |row| row.get::<_, u32>(0))? > 0 => {
            Err(OpenFault::Damaged)
        }
        found if found <= SCHEMA_VERSION => Ok(found),
        _ => Err(OpenFault::Newer),
    }
}

fn version(connection: &Connection) -> rusqlite::Result<u32> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

pub(super) fn set_pragmas(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    keep_plans(connection)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // A dead battery must not take back what was shown as saved.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    // Android has no folder for temporary files.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(())
}

pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
