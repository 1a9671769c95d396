//! Tables `setup_code` and `people_file`: how a database comes by its first account and its people.

use patrol_core::domain::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Savepoint, params};

use super::accounts;
use crate::store::Result;

pub(super) fn put_code(tx: &Savepoint<'_>, code: [u8; 32], until: Timestamp) -> Result<bool> {
    if accounts::has_account(tx)? {
        return Ok(false);
    }
    tx.prepare_cached("INSERT OR REPLACE INTO setup_code (one, code, until) VALUES (1, ?1, ?2)")?
        .execute(params![code, until.0])?;
    Ok(true)
}

pub(super) fn is_code(connection: &Connection, code: [u8; 32], now: Timestamp) -> Result<bool> {
    let mut select = connection.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM setup_code WHERE code = ?1 AND until >= ?2)",
    )?;
    Ok(select.query_row(params![code, now.0], |row| row.get(0))?)
}

pub(super) fn forget_code(tx: &Savepoint<'_>, now: Timestamp) -> Result<()> {
    tx.prepare_cached("DELETE FROM setup_code WHERE until < ?1")?
        .execute([now.0])?;
    Ok(())
}

pub(super) fn put_people_file(tx: &Savepoint<'_>, hash: [u8; 32]) -> Result<()> {
    tx.prepare_cached("INSERT OR REPLACE INTO people_file (one, hash) VALUES (1, ?1)")?
        .execute([hash])?;
    Ok(())
}

pub(super) fn people_file(connection: &Connection) -> Result<Option<[u8; 32]>> {
    let mut select = connection.prepare_cached("SELECT hash FROM people_file")?;
    Ok(select.query_row([], |row| row.get(0)).optional()?)
}
