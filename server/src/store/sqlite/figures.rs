//! Tables `last_backup` and `retiring`, and figures of all others: counted on small tables and indexes alone.

use std::path::Path;

use patrol_core::domain::limits;
use patrol_core::domain::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _};

use super::columns::bound;
use crate::store::{Figures, Result, StoreError};

pub(super) fn figures(connection: &Connection) -> Result<Figures> {
    let count = |sql| -> Result<u64> {
        let mut select = connection.prepare_cached(sql)?;
        let count: i64 = select.query_row([], |row| row.get(0))?;
        Ok(count.cast_unsigned())
    };
    let mut backup = connection.prepare_cached("SELECT taken_at FROM last_backup")?;
    let backup_at = backup.query_row([], |row| row.get(0).map(Timestamp));
    let bytes = |suffix: &str| {
        let path = connection.path().filter(|path| !path.is_empty());
        let file = path.map(|path| std::fs::metadata(Path::new(&format!("{path}{suffix}"))));
        file.and_then(std::result::Result::ok)
            .map_or(0, |file| file.len())
    };
    Ok(Figures {
        held: count("SELECT count(*) FROM boxed WHERE refusal IS NULL AND settled_at IS NULL")?,
        devices: count("SELECT count(*) FROM devices WHERE revoked_at IS NULL")?,
        devices_revoked: count("SELECT count(*) FROM devices WHERE revoked_at IS NOT NULL")?,
        database_bytes: bytes(""),
        log_bytes: bytes("-wal"),
        backup_at: backup_at.optional()?,
    })
}

pub(super) fn note_backup(connection: &Connection, now: Timestamp) -> Result<()> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO last_backup (one, taken_at) VALUES (1, ?1)")?
        .execute([now.0])?;
    Ok(())
}

pub(super) fn look_through(connection: &Connection) -> Result<()> {
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    match verdict.as_str() {
        "ok" => Ok(()),
        _ => Err(StoreError::Damaged(verdict)),
    }
}

pub(super) fn newest_receipt(connection: &Connection) -> Result<Option<Timestamp>> {
    let mut select = connection.prepare_cached(
        "SELECT max(received_at) FROM (SELECT received_at FROM batches ORDER BY no DESC LIMIT ?1)",
    )?;
    let newest: Option<i64> =
        select.query_row([bound(limits::RECEIPTS_LOOKED_AT)], |row| row.get(0))?;
    Ok(newest.map(Timestamp))
}

pub(super) fn retire_up_to(
    connection: &Connection,
    asked: Timestamp,
    step_ms: i64,
) -> Result<Timestamp> {
    let mut put = connection.prepare_cached(
        "INSERT INTO retiring (one, up_to) VALUES (1, ?1)
         ON CONFLICT (one) DO UPDATE SET up_to = max(up_to, min(?1, up_to + ?2))
         RETURNING min(up_to, ?1)",
    )?;
    Ok(Timestamp(
        put.query_row([asked.0, step_ms], |row| row.get(0))?,
    ))
}
