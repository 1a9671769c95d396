//! Page frames as evidence: what the server said it had, and when. They are pushed back when it has gone back in time.

use rusqlite::{Connection, OptionalExtension as _, Params, Transaction, params};

use super::bytes;
use crate::domain::id::Epoch;
use crate::domain::limits;
use crate::error::{Error, Result};
use crate::sync::seal::PageList;

/// A page frame's list and tag.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    /// Names the row; later frames have higher ones.
    pub id: i64,
    /// Of which epoch.
    pub epoch: Epoch,
    /// Its tag.
    pub tag: [u8; 16],
    /// Its list.
    pub list: PageList,
}

/// Keeps a page's list and tag.
pub fn put(transaction: &Transaction<'_>, epoch: Epoch, tag: [u8; 16], list: &[u8]) -> Result<()> {
    transaction
        .prepare_cached("INSERT INTO frames (epoch, tag, list) VALUES (?1, ?2, ?3)")?
        .execute(params![epoch.0, tag, list])?;
    Ok(())
}

/// The first frame behind a row that is of another epoch and has not been pushed back too often.
pub fn next_relic(connection: &Connection, now: Epoch, after: i64) -> Result<Option<Frame>> {
    let sql = "SELECT id, epoch, tag, list FROM frames WHERE id > ?1 AND epoch != ?2 AND tries < ?3 AND answered = 0 ORDER BY id LIMIT 1";
    first(
        connection,
        sql,
        params![after, now.0, limits::RELIC_TRIES_MAX],
    )
}

fn first(connection: &Connection, sql: &str, values: impl Params) -> Result<Option<Frame>> {
    let found = connection.prepare_cached(sql)?.query_row(values, |row| {
        let list: Vec<u8> = row.get(3)?;
        let (epoch, tag) = (Epoch(bytes(row, 1)?), bytes(row, 2)?);
        Ok((row.get(0)?, epoch, tag, list))
    });
    let Some((id, epoch, tag, list)) = found.optional()? else {
        return Ok(None);
    };
    let list = PageList::from_bytes(&list).ok_or(Error::Disagreement("frames"))?;
    Ok(Some(Frame {
        id,
        epoch,
        tag,
        list,
    }))
}

/// What a server made of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// All of it is there.
    There,
    /// Something of it was refused: another epoch may see that otherwise.
    Refused,
}

/// Notes what a server made of a frame.
pub fn answer(transaction: &Transaction<'_>, id: i64, answer: Answer) -> Result<()> {
    let sql = "UPDATE frames SET answered = ?2 WHERE id = ?1";
    transaction.execute(sql, params![id, answer as i64 + 1])?;
    Ok(())
}

/// The first frame behind a row of which all is there.
pub fn next_answered(connection: &Connection, after: i64) -> Result<Option<Frame>> {
    let sql = "SELECT id, epoch, tag, list FROM frames WHERE id > ?1 AND answered = 1 ORDER BY id LIMIT 1";
    first(connection, sql, [after])
}

/// Of a frame nothing is missed.
pub fn forget(transaction: &Transaction<'_>, id: i64) -> Result<()> {
    transaction.execute("DELETE FROM frames WHERE id = ?1", [id])?;
    Ok(())
}

/// A frame was pushed back, and something was missing.
pub fn tried(transaction: &Transaction<'_>, id: i64) -> Result<()> {
    let sql = "UPDATE frames SET tries = tries + 1 WHERE id = ?1";
    transaction.execute(sql, [id])?;
    Ok(())
}

/// A frame is not pushed back again in this epoch, and nothing was made of it.
pub fn give_up(transaction: &Transaction<'_>, id: i64) -> Result<()> {
    let sql = "UPDATE frames SET tries = ?2 WHERE id = ?1";
    transaction.execute(sql, params![id, limits::RELIC_TRIES_MAX])?;
    Ok(())
}

/// A new epoch: every frame may be asked for.
pub fn try_anew(transaction: &Transaction<'_>) -> Result<()> {
    transaction.execute("UPDATE frames SET tries = 0, answered = 0", [])?;
    Ok(())
}
