//! Table `last_backup`, and figures of all others: counted on small tables and indexes alone.

use std::path::Path;

use patrol_core::domain::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _};

use crate::store::{Figures, Result};

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
