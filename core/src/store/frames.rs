//! Page frames as evidence: what the server said it had, and when. They are pushed back when it has gone back in time.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension as _, Params, Transaction, params};

use super::bytes;
use crate::domain::id::{DocumentId, Epoch};
use crate::domain::limits;
use crate::domain::time::{DAY_MS, Timestamp};
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

/// The first frame behind a row that is of another epoch, has no answer and is due. One that is said to be due in more than a day was
/// noted by a clock that was wrong.
pub fn next_relic(
    connection: &Connection,
    epoch: Epoch,
    now: Timestamp,
    after: i64,
) -> Result<Option<Frame>> {
    let sql =
        "SELECT id, epoch, tag, list FROM frames WHERE id > ?1 AND epoch != ?2 AND answered = 0
               AND (due_at <= ?3 OR due_at > ?3 + ?4) ORDER BY id LIMIT 1";
    first(connection, sql, params![after, epoch.0, now.0, DAY_MS])
}

/// The documents of frames that have yet to go, or had to wait and go again in the next calls.
pub fn waiting(connection: &Connection, epoch: Epoch) -> Result<BTreeSet<DocumentId>> {
    let sql =
        "SELECT id, epoch, tag, list FROM frames WHERE id > ?1 AND epoch != ?2 AND answered = 0
               AND tries <= ?3 ORDER BY id LIMIT 1";
    let (mut documents, mut last) = (BTreeSet::new(), 0);
    let tries = limits::RELIC_TRIES_IN_A_ROW - 1;
    while let Some(frame) = first(connection, sql, params![last, epoch.0, tries])? {
        last = frame.id;
        documents.extend(frame.list.rows().map(|(document, ..)| document));
    }
    Ok(documents)
}

/// Whether a frame that had to wait is due.
pub fn has_waited(connection: &Connection, now: Timestamp) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM frames WHERE due_at > 0 AND (due_at <= ?1 OR due_at > ?1 + ?2))";
    let mut statement = connection.prepare_cached(sql)?;
    Ok(statement.query_row(params![now.0, DAY_MS], |row| row.get(0))?)
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
    /// It was not read, and will not be in this epoch.
    Unread,
}

/// Notes what a server made of a frame.
pub fn answer(transaction: &Transaction<'_>, id: i64, answer: Answer) -> Result<()> {
    let sql = "UPDATE frames SET answered = ?2, due_at = 0 WHERE id = ?1";
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

/// A frame was pushed back, and something of it must wait: it is due in the next calls, and later ever more seldom.
pub fn put_off(transaction: &Transaction<'_>, id: i64, now: Timestamp) -> Result<()> {
    let sql = "UPDATE frames SET tries = tries + 1,
                      due_at = iif(tries + 1 < ?2, 0, ?3 + min(?4 << min(tries + 1 - ?2, 20), ?5)) WHERE id = ?1";
    let values = params![
        id,
        limits::RELIC_TRIES_IN_A_ROW,
        now.0,
        limits::RETRY_FIRST_MS,
        DAY_MS
    ];
    transaction.execute(sql, values)?;
    Ok(())
}

/// A new epoch: every frame may be asked for.
pub fn try_anew(transaction: &Transaction<'_>) -> Result<()> {
    transaction.execute("UPDATE frames SET tries = 0, answered = 0, due_at = 0", [])?;
    Ok(())
}
