//! Copies of a database: a backup beside a running server, and a database out of a backup, which begins a new epoch.
//!
//! Where files lie and what is moved aside is the errand's business.

use std::fs::File;
use std::path::Path;
use std::time::SystemTime;

use patrol_core::domain::limits;
use patrol_core::domain::time::Timestamp;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior, params};

use super::figures;
use super::links::beside;
use super::schema::{self, Mark};
use crate::store::{Identity, NewEpoch, Result, StoreError};

/// Writes a whole copy of a database, its log included, into a file that is not there or empty. Readers and the writer go on.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    let before = Stamp::of(from);
    match look_at(from).and_then(|()| open_shared(from)) {
        Ok(connection) => copy_by(connection, to),
        Err(StoreError::Unwritable(_)) if before.has_log => {
            Err(StoreError::Broken(LOG_UNREAD.to_owned()))
        }
        // Nobody has it open, and nothing can be written beside it: it is read as a file that stands still.
        Err(error @ StoreError::Unwritable(_)) => {
            copy_by(still(from)?.ok_or(error)?, to)?;
            if !before.is_written_over(from) {
                return Ok(());
            }
            let why = "it was written while it was copied: copy it again";
            Err(StoreError::Broken(why.to_owned()))
        }
        Err(error) => Err(error),
    }
}

/// Why a copy of a server that was killed cannot be read on a disk that may only be read.
const LOG_UNREAD: &str = "nothing can be written beside it, which is needed to read its log: copy it to another folder first, with what lies beside it";

/// Opens a database that others may use meanwhile. SQLite must be able to write beside one that is kept with a log, though there be none
/// just now.
fn open_shared(path: &Path) -> Result<Connection> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(schema::BUSY)?;
    schema::version(&connection)?;
    Ok(connection)
}

/// By what it is known whether a file has been written.
#[derive(PartialEq, Eq, Debug)]
pub struct Stamp {
    written: Option<(SystemTime, u64)>,
    has_log: bool,
}

impl Stamp {
    /// Of a file as it is now.
    pub fn of(path: &Path) -> Self {
        let file = std::fs::metadata(path);
        let written = file.and_then(|file| Ok((file.modified()?, file.len())));
        Self {
            written: written.ok(),
            has_log: has_log(path),
        }
    }

    /// Whether the file was read as one that stands still, and has not stood still since.
    pub fn is_over(&self, path: &Path) -> bool {
        !self.has_log && *self != Self::of(path)
    }

    /// Whether the file itself has been written since. What lies beside it may be what a look has left that did not succeed.
    fn is_written_over(&self, path: &Path) -> bool {
        self.written != Self::of(path).written
    }
}

fn copy_by(mut connection: Connection, to: &Path) -> Result<()> {
    let name = to
        .to_str()
        .ok_or_else(|| StoreError::Broken("the name of a file is not UTF-8".to_owned()))?;
    connection.progress_handler(limits::BACKUP_STEPS, Some(written_out(to)))?;
    connection.execute("VACUUM INTO ?1", [name])?;
    Ok(())
}

/// Has a growing file written to the disk piece by piece, and who copies wait for each: what the server must have written meanwhile waits
/// behind one piece at most.
fn written_out(file: &Path) -> impl FnMut() -> bool + Send + 'static {
    let (file, mut written) = (file.to_owned(), 0);
    move || {
        let long = std::fs::metadata(&file).map_or(0, |file| file.len());
        if long >= written + limits::BACKUP_PIECE {
            // What does not succeed here is tried, and told, when the copy is done.
            drop(File::open(&file).and_then(|file| file.sync_data()));
            written = long;
        }
        false
    }
}

/// Whether a file is a sound database of ours that this program can read. Changes nothing.
pub fn look_at(path: &Path) -> Result<()> {
    match examine(&alone(path)?) {
        // A server has begun to write meanwhile: what was read may be of two times.
        Err(_) if beside(path, "-wal").exists() => examine(&alone(path)?),
        looked => looked,
    }
}

/// A connection that leaves nothing beside a file which nobody has open: SQLite makes a log for any other that reads. What a write that was
/// cut has left in the file is taken back, as its journal says.
fn alone(path: &Path) -> Result<Connection> {
    schema::is_more_than_a_log(path)?;
    if !has_log(path)
        && let Some(connection) = still(path)?
    {
        return Ok(connection);
    }
    let flags = if beside(path, "-journal").exists() {
        OpenFlags::SQLITE_OPEN_READ_WRITE
    } else {
        OpenFlags::SQLITE_OPEN_READ_ONLY
    };
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(schema::BUSY)?;
    Ok(connection)
}

/// A connection that reads what is there already, and who the server is. Changes nothing; where no log lies beside the file, nothing need be
/// writable.
pub(super) fn open_to_read(path: &Path) -> Result<(Connection, Identity)> {
    let read = || {
        let connection = alone(path)?;
        let identity = schema::prepare_to_read(&connection)?;
        Ok((connection, identity))
    };
    read().map_err(|error| of_look(path, error))
}

/// Why a look at a file has not succeeded: nobody wants to write who looks.
pub fn of_look(path: &Path, error: StoreError) -> StoreError {
    match error {
        StoreError::Unwritable(_) if has_log(path) => StoreError::Broken(LOG_UNREAD.to_owned()),
        error => error,
    }
}

/// Whether something lies beside a database that belongs to what it holds.
fn has_log(path: &Path) -> bool {
    let mut logs = ["-wal", "-journal"].iter();
    logs.any(|suffix| beside(path, suffix).exists())
}

/// A connection that reads a file as one that nobody writes; none where its name cannot be said.
fn still(path: &Path) -> Result<Option<Connection>> {
    let Some(name) = path.to_str() else {
        return Ok(None);
    };
    let name = name.replace('%', "%25");
    let name = name.replace('?', "%3f").replace('#', "%23");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(format!("file:{name}?immutable=1"), flags)?;
    Ok(Some(connection))
}

fn examine(connection: &Connection) -> Result<()> {
    if schema::version(connection)? == 0 {
        return Err(StoreError::Broken("it is empty".to_owned()));
    }
    let verdict: String =
        connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    match verdict.as_str() {
        "ok" => Ok(()),
        _ => Err(StoreError::Broken(format!("it is damaged: {verdict}"))),
    }
}

/// Whether another program has a database open. If none has, its log is written into it and taken away. One that cannot be read, or of which
/// there is nothing but a log, can be used by nobody.
pub fn is_in_use(path: &Path) -> bool {
    if schema::is_more_than_a_log(path).is_err() {
        return false;
    }
    let mode = || -> rusqlite::Result<String> {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get(0))
    };
    match mode() {
        Ok(mode) => mode != "delete",
        Err(error) => matches!(
            error.sqlite_error_code(),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
        ),
    }
}

/// Brings what was written last out of a database's log into the database. SQLite does that when the last connection closes, and says nothing where
/// the disk does not take it.
pub fn fold_log(path: &Path) -> Result<()> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let mode: String =
        connection.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get(0))?;
    match mode.as_str() {
        "delete" => Ok(()),
        _ => Err(StoreError::Broken("its log is in use".to_owned())),
    }
}

/// The version of an older database; none where there is nothing to upgrade. Changes nothing.
pub fn older(path: &Path) -> Result<Option<u32>> {
    let found = schema::version(&alone(path)?)?;
    Ok(Some(found).filter(|found| (1..schema::VERSION).contains(found)))
}

/// Brings an older database that nobody else uses up to date. Who calls has made a copy of it.
pub fn upgrade(path: &Path) -> Result<()> {
    schema::upgrade(path)
}

/// Marks a copy as a backup: to serve it as it is would give numbers out twice, and phones would not bring back what came after it.
pub fn mark_backup(path: &Path) -> Result<()> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    Ok(schema::mark(&connection, Mark::Backup)?)
}

/// Whether a file is marked as a backup. Changes nothing.
pub fn is_backup(path: &Path) -> Result<bool> {
    Ok(schema::is_backup(&alone(path)?)?)
}

/// Notes in a database that a backup of it was taken; one of an older version is left as it is.
pub fn note_taken(path: &Path, now: Timestamp) -> Result<()> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(schema::BUSY)?;
    if schema::version(&connection)? < schema::VERSION {
        return Ok(());
    }
    figures::note_backup(&connection, now)
}

/// Begins a new epoch in a database that nobody else uses. What could be used twice or by the wrong person ends: one-time codes and sessions.
pub fn begin_epoch(path: &Path, new: &NewEpoch) -> Result<()> {
    let (mut connection, identity) = schema::open_known(path)?;
    if identity.number_block == new.number_block || identity.epoch == new.epoch {
        return Err(StoreError::Broken(
            "it was restored within this second, by which case numbers are told apart: restore it once more".to_owned(),
        ));
    }
    let Identity {
        epoch,
        device,
        actor,
        number_block,
        ..
    } = identity.renewed(new);
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.execute(
        "UPDATE identity SET epoch = ?1, device = ?2, actor = ?3, number_block = ?4",
        params![epoch.0, device.0, actor.0, number_block],
    )?;
    tx.execute("UPDATE counters SET device_no = 0", [])?;
    tx.execute("DELETE FROM enrol_codes", [])?;
    tx.execute("DELETE FROM sessions", [])?;
    tx.execute("DELETE FROM setup_code", [])?;
    tx.execute(
        "INSERT INTO notice_heads (device, last) SELECT id, 0 FROM devices WHERE true
         ON CONFLICT (device) DO NOTHING",
        [],
    )?;
    tx.execute(
        "UPDATE notice_heads SET last = iif(?1 > last, ?1, last + ?2)",
        params![new.since.0, limits::NOTICE_LEAP.cast_signed()],
    )?;
    // What a revoked one had handed in may be lost, or comes again.
    tx.execute("UPDATE devices SET revoked_empty = 0", [])?;
    tx.commit()?;
    schema::mark(&connection, Mark::Served)?;
    Ok(())
}
