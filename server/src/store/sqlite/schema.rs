//! Opening a database: looking at it before touching it, making it, bringing it up to date.
//!
//! It never repairs and never deletes.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use patrol_core::domain::id::{Actor, DeviceId, Epoch, ServerId};
use rusqlite::config::DbConfig;
use rusqlite::{
    Connection, ErrorCode, OpenFlags, OptionalExtension as _, Transaction, TransactionBehavior,
    params,
};

use super::links::beside;
use crate::store::{Identity, Result, StoreError};

/// The whole schema of a new database.
const SCHEMA: &str = include_str!("../../../sql/sqlite.sql");

/// The version that this program writes.
///
/// * 1: the first.
/// * 2: the code of the first administrator, which people came from a file, the last backup; components, terminals of village halls, how far
///   cases have retired, whether a leave made a version.
pub(super) const VERSION: u32 = 2;

/// What brings a database from the version before to this one. Append only; what has been released stays as it is.
const UPGRADES: &[(u32, &str)] = &[(2, include_str!("../../../sql/upgrades/2.sql"))];

/// Says in a file's header that it is ours.
const APPLICATION_ID: i32 = 0x5843_4e31;

/// The same of a backup, which nobody serves.
const BACKUP_ID: i32 = 0x5843_4e42;

/// How long a connection waits for another process.
pub(super) const BUSY: Duration = Duration::from_secs(10);

/// Memory for pages of the connection that writes.
const WRITE_CACHE_KIB: i64 = 16_384;

/// Memory for pages of each connection that reads: little, for every write empties it.
const READ_CACHE_KIB: i64 = 1_024;

/// Statements that a connection keeps prepared.
const STATEMENTS: usize = 128;

/// Refuses a database of which nothing is there but its log. SQLite takes an empty file for a new one, and deletes the log that lies beside
/// it: that log may be all that is left.
pub(super) fn is_more_than_a_log(path: &Path) -> Result<()> {
    let len = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
    let log = beside(path, "-wal");
    if len(path) > 0 || len(&log) == 0 {
        return Ok(());
    }
    let (path, log) = (path.display(), log.display());
    Err(StoreError::Broken(format!(
        "{path} is missing or empty, and its log {log} is there: put the database back beside it, or take the log away"
    )))
}

/// Opens the connection that writes, makes the database if it is new, and returns who the server is.
pub(super) fn open_writer(
    path: &Path,
    make_identity: impl FnOnce() -> Identity,
) -> Result<(Connection, Identity)> {
    is_more_than_a_log(path)?;
    match make_file(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(refused(path, &StoreError::Broken(error.to_string())));
        }
        _ => {}
    }
    let connection = Connection::open(path).map_err(|error| refused(path, &error.into()))?;
    // SQLite opens what may only be read all the same, and says so at the first write.
    if connection.is_readonly(rusqlite::MAIN_DB)? {
        let why = left(path, &"it may only be read");
        return Err(StoreError::Unwritable(why));
    }
    let opened = prepare(connection, || Ok(make_identity()));
    opened.map_err(|error| match error {
        StoreError::Broken(_) => refused(path, &error),
        StoreError::Damaged(what) => StoreError::Damaged(left(path, &what)),
        StoreError::Unwritable(what) => StoreError::Unwritable(left(path, &what)),
        _ => error,
    })
}

/// Opens a database that must be there, and not empty.
pub(super) fn open_known(path: &Path) -> Result<(Connection, Identity)> {
    is_more_than_a_log(path)?;
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    prepare(connection, || {
        Err(StoreError::Broken("it is empty".to_owned()))
    })
}

/// Makes a database that lives as long as its only connection.
pub(super) fn open_in_memory(identity: Identity) -> Result<(Connection, Identity)> {
    prepare(Connection::open_in_memory()?, || Ok(identity))
}

/// A database with nothing in it, to compare with.
pub(super) fn empty() -> Result<Connection> {
    let connection = Connection::open_in_memory()?;
    connection.execute_batch(SCHEMA)?;
    Ok(connection)
}

/// Opens a connection that only reads.
pub(super) fn open_reader(path: &Path) -> Result<Connection> {
    let connection = Connection::open(path)?;
    configure(&connection)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "cache_size", -READ_CACHE_KIB)?;
    Ok(connection)
}

/// Makes an empty file, which is to be a database, that nobody else may read: keys and passwords' hashes come into it.
pub(crate) fn make_file(path: &Path) -> std::io::Result<()> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

fn refused(path: &Path, error: &StoreError) -> StoreError {
    StoreError::Broken(left(path, error))
}

fn left(path: &Path, why: &dyn std::fmt::Display) -> String {
    let path = path.display();
    format!("{path} was not opened and is left as it is: {why}")
}

fn prepare(
    mut connection: Connection,
    make_identity: impl FnOnce() -> Result<Identity>,
) -> Result<(Connection, Identity)> {
    connection.busy_timeout(BUSY)?;
    version(&connection)?;
    configure(&connection)?;
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    match version(&tx)? {
        0 => {
            tx.execute_batch(SCHEMA)?;
            put_identity(&tx, &make_identity()?)?;
        }
        VERSION => {}
        found => return Err(StoreError::Older { found }),
    }
    let identity = identity(&tx)?;
    tx.commit()?;
    Ok((connection, identity))
}

/// Sets up a connection that changes nothing, and says who the server is.
pub(super) fn prepare_to_read(connection: &Connection) -> Result<Identity> {
    connection.busy_timeout(BUSY)?;
    match version(connection)? {
        0 => return Err(StoreError::Broken("it is empty".to_owned())),
        VERSION => {}
        found => return Err(StoreError::Older { found }),
    }
    keep_plans(connection)?;
    connection.pragma_update(None, "cache_size", -READ_CACHE_KIB)?;
    identity(connection)
}

/// What every connection to a database that is served is set to.
fn configure(connection: &Connection) -> Result<()> {
    connection.busy_timeout(BUSY)?;
    keep_plans(connection)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cache_size", -WRITE_CACHE_KIB)?;
    Ok(())
}

fn keep_plans(connection: &Connection) -> Result<()> {
    // Plans that depend on bound values are made anew at each binding, which costs more than most statements here.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(())
}

/// The version of a database that this program may open; 0: it is empty. Reads only.
pub(super) fn version(connection: &Connection) -> Result<u32> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let found = pragma("user_version").map_err(|error| match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => StoreError::Broken("it is not a database".to_owned()),
        _ => error.into(),
    })?;
    let tables = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| {
        row.get::<_, i64>(0)
    })?;
    let is_ours = [APPLICATION_ID, BACKUP_ID].contains(&pragma("application_id")?);
    if (found != 0 || tables != 0) && !is_ours {
        return Err(StoreError::Broken(
            "it is another program's database".to_owned(),
        ));
    }
    let found =
        u32::try_from(found).map_err(|_| StoreError::Broken(format!("it has version {found}")))?;
    if found > VERSION {
        return Err(StoreError::Newer { found });
    }
    Ok(found)
}

/// Whether it is a backup, which only a restore makes into a database that is served.
pub(super) fn is_backup(connection: &Connection) -> rusqlite::Result<bool> {
    let id: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    Ok(id == BACKUP_ID)
}

/// Marks a copy as a backup, or one that is restored as none.
pub(super) fn mark(connection: &Connection, how: Mark) -> rusqlite::Result<()> {
    let id = match how {
        Mark::Served => APPLICATION_ID,
        Mark::Backup => BACKUP_ID,
    };
    connection.pragma_update(None, "application_id", id)
}

/// What a database is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mark {
    Served,
    Backup,
}

/// Brings an older database that nobody else uses up to date: all of it, or nothing. What is up to date stays as it is.
pub(super) fn upgrade(path: &Path) -> Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    version(&connection)?;
    configure(&connection)?;
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = version(&tx)?;
    for (version, sql) in UPGRADES.iter().filter(|(version, _)| *version > found) {
        tx.execute_batch(sql).map_err(without_sql)?;
        tx.pragma_update(None, "user_version", version)?;
    }
    tx.commit()?;
    Ok(())
}

/// Why an upgrade fails, without the whole of its SQL.
fn without_sql(error: rusqlite::Error) -> rusqlite::Error {
    match error {
        rusqlite::Error::SqlInputError { error, msg, .. } => {
            rusqlite::Error::SqliteFailure(error, Some(format!("it cannot be upgraded: {msg}")))
        }
        error => error,
    }
}

/// Writes what is there already: the least that a disk can be asked to take.
pub(super) fn write_again(connection: &Connection) -> Result<()> {
    Ok(connection.pragma_update(None, "user_version", VERSION)?)
}

fn put_identity(tx: &Transaction<'_>, identity: &Identity) -> Result<()> {
    tx.execute(
        "INSERT INTO identity (one, server, epoch, device, actor, number_block, page_key, rescue_key)
         VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            identity.server.0,
            identity.epoch.0,
            identity.device.0,
            identity.actor.0,
            identity.number_block,
            identity.page_key,
            identity.rescue_key,
        ],
    )?;
    let [.., a, b, c, d] = identity.device.0;
    tx.execute(
        "INSERT INTO counters (one, commit_no, device_no) VALUES (1, 0, ?1)",
        [u32::from_be_bytes([a, b, c, d])],
    )?;
    Ok(())
}

fn identity(connection: &Connection) -> Result<Identity> {
    let found = connection
        .query_row(
            "SELECT server, epoch, device, actor, number_block, page_key, rescue_key FROM identity",
            [],
            |row| {
                Ok(Identity {
                    server: ServerId(row.get(0)?),
                    epoch: Epoch(row.get(1)?),
                    device: DeviceId(row.get(2)?),
                    actor: Actor(row.get(3)?),
                    number_block: row.get(4)?,
                    page_key: row.get(5)?,
                    rescue_key: row.get(6)?,
                })
            },
        )
        .optional()?;
    found.ok_or_else(|| StoreError::Broken("it does not say which server's it is".to_owned()))
}
