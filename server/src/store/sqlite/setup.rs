//! Tables `setup_code` and `folder`: how a database comes by its first account and its directory.

use patrol_core::domain::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Savepoint, params};

use super::accounts;
use crate::store::{Folder, Result};

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

pub(super) fn put_folder(tx: &Savepoint<'_>, folder: Folder) -> Result<()> {
    tx.prepare_cached("INSERT OR REPLACE INTO folder (one, places, people) VALUES (1, ?1, ?2)")?
        .execute(params![folder.places, folder.people])?;
    Ok(())
}

pub(super) fn folder(connection: &Connection) -> Result<Option<Folder>> {
    let mut select = connection.prepare_cached("SELECT places, people FROM folder")?;
    let folder = select.query_row([], |row| {
        Ok(Folder {
            places: row.get(0)?,
            people: row.get(1)?,
        })
    });
    Ok(folder.optional()?)
}
