//! Refused and held changes, kept until a person has dealt with them.

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use super::bytes;
use super::changes::{ChangeState, DocumentNumber, Unsent};
use crate::domain::id::{ChangeHash, DocumentId, EntryId};
use crate::domain::time::{DAY_MS, Timestamp};
use crate::error::Result;
use crate::sync::wire::SPOILT;

/// A change in a box.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BoxedChange {
    /// Names the row.
    pub id: i64,
    /// Its document.
    pub document: DocumentId,
    /// The change.
    pub hash: ChangeHash,
    /// Its entry.
    pub entry: Option<EntryId>,
    /// The entry's counter.
    pub n: Option<u64>,
    /// Where it stands.
    pub state: BoxState,
    /// Why: a refusal's code, `review`, or `spoilt`.
    pub code: String,
    /// The change's bytes.
    pub body: Vec<u8>,
    /// Since when.
    pub boxed_at: Timestamp,
}

/// Where a boxed change stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BoxState {
    /// A person in the office will look.
    Held,
    /// The office has released it; it comes with the feed, unless its deed stands in the document in another change.
    Released,
    /// It will never be admitted.
    Refused,
}

impl BoxState {
    /// The word in the table and on screens.
    pub fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Released => "released",
            Self::Refused => "refused",
        }
    }

    fn from_word(word: &str) -> Self {
        match word {
            "held" => Self::Held,
            "released" => Self::Released,
            _ => Self::Refused,
        }
    }
}

const COLUMNS: &str = "id, document, hash, entry, n, state, code, body, boxed_at";

fn boxed(row: &Row<'_>) -> rusqlite::Result<BoxedChange> {
    let entry: Option<Vec<u8>> = row.get(3)?;
    Ok(BoxedChange {
        id: row.get(0)?,
        document: DocumentId(bytes(row, 1)?),
        hash: ChangeHash(bytes(row, 2)?),
        entry: entry.and_then(|entry| EntryId::from_slice(&entry)),
        n: row.get::<_, Option<i64>>(4)?.map(i64::cast_unsigned),
        state: BoxState::from_word(&row.get::<_, String>(5)?),
        code: row.get(6)?,
        body: row.get(7)?,
        boxed_at: Timestamp(row.get(8)?),
    })
}

/// Puts a change into the box, or changes its row there.
pub fn put(transaction: &Transaction<'_>, change: &BoxedChange) -> Result<()> {
    transaction.execute(
        "INSERT INTO boxed (document, hash, entry, n, state, code, body, boxed_at, asked_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)
         ON CONFLICT (hash) DO UPDATE SET state = excluded.state, code = excluded.code",
        params![
            change.document.0,
            change.hash.0,
            change.entry.map(|entry| entry.0),
            change.n.map(u64::cast_signed),
            change.state.word(),
            change.code,
            change.body,
            change.boxed_at.0,
        ],
    )?;
    Ok(())
}

/// Takes a change out: it is in the document, or its deed is.
pub fn remove(transaction: &Transaction<'_>, hash: ChangeHash) -> Result<()> {
    transaction
        .prepare_cached("DELETE FROM boxed WHERE hash = ?1")?
        .execute([hash.0])?;
    Ok(())
}

/// The server has a change that lies in the box: it comes with the feed.
pub fn release(transaction: &Transaction<'_>, hash: ChangeHash) -> Result<()> {
    let sql = "UPDATE boxed SET state = ?2, code = ?2 WHERE hash = ?1 AND dismissed = 0";
    transaction
        .prepare_cached(sql)?
        .execute(params![hash.0, BoxState::Released.word()])?;
    Ok(())
}

/// A change that lies in the box stays there for good, for that reason.
pub fn refuse(transaction: &Transaction<'_>, hash: ChangeHash, code: &str) -> Result<()> {
    let sql = "UPDATE boxed SET state = ?2, code = ?3 WHERE hash = ?1";
    transaction
        .prepare_cached(sql)?
        .execute(params![hash.0, BoxState::Refused.word(), code])?;
    Ok(())
}

/// What is held of which the server has said nothing for a day, oldest first: its word may have gone to a copy of this phone. A time more than
/// a day ahead was noted by a clock that was wrong.
pub fn to_ask(connection: &Connection, now: Timestamp) -> Result<Vec<Unsent>> {
    let sql = "SELECT document, hash, length(body) FROM boxed
               WHERE state = 'held' AND dismissed = 0 AND abs(asked_at - ?1) >= ?2 ORDER BY id";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([now.0, DAY_MS], |row| {
        Ok(Unsent {
            place: 0,
            document: DocumentId(bytes(row, 0)?),
            hash: ChangeHash(bytes(row, 1)?),
            bytes: usize::try_from(row.get::<_, i64>(2)?).unwrap_or(0),
            state: ChangeState::Following,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Whether work that was never sent lies here because it was spoilt in this file.
pub fn is_any_spoilt(connection: &Connection) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM boxed WHERE code = ?1 AND state = 'refused' AND dismissed = 0)";
    let mut statement = connection.prepare_cached(sql)?;
    Ok(statement.query_row([SPOILT], |row| row.get(0))?)
}

/// The row of a change gets this hash; another of that hash goes.
pub fn rename(transaction: &Transaction<'_>, id: i64, hash: ChangeHash) -> Result<()> {
    transaction.execute(
        "UPDATE OR REPLACE boxed SET hash = ?2 WHERE id = ?1",
        params![id, hash.0],
    )?;
    Ok(())
}

/// Whether a change is held.
pub fn is_held(connection: &Connection, hash: ChangeHash) -> Result<bool> {
    let sql =
        "SELECT EXISTS (SELECT 1 FROM boxed WHERE hash = ?1 AND state = 'held' AND dismissed = 0)";
    let mut statement = connection.prepare_cached(sql)?;
    Ok(statement.query_row([hash.0], |row| row.get(0))?)
}

/// The server has said what is with a held change.
pub fn asked(transaction: &Transaction<'_>, hash: ChangeHash, now: Timestamp) -> Result<()> {
    transaction
        .prepare_cached("UPDATE boxed SET asked_at = ?2 WHERE hash = ?1")?
        .execute(params![hash.0, now.0])?;
    Ok(())
}

/// What was released of a document that is in no scope any more comes in no page.
pub(super) fn forget_released(
    transaction: &Transaction<'_>,
    document: DocumentNumber,
) -> Result<()> {
    let sql = "DELETE FROM boxed WHERE state = 'released' AND document = (SELECT id FROM documents WHERE no = ?1)";
    transaction.prepare_cached(sql)?.execute([document])?;
    Ok(())
}

/// Everything in the boxes that a person has not dismissed, newest first.
pub fn all(connection: &Connection) -> Result<Vec<BoxedChange>> {
    let sql = format!("SELECT {COLUMNS} FROM boxed WHERE dismissed = 0 ORDER BY id DESC");
    let rows = connection
        .prepare_cached(&sql)?
        .query_map([], boxed)?
        .collect::<rusqlite::Result<_>>()?;
    Ok(rows)
}

/// A change in the boxes, whether or not a person has dismissed it.
pub fn find(connection: &Connection, hash: ChangeHash) -> Result<Option<BoxedChange>> {
    let sql = format!("SELECT {COLUMNS} FROM boxed WHERE hash = ?1");
    let mut statement = connection.prepare_cached(&sql)?;
    Ok(statement.query_row([hash.0], boxed).optional()?)
}

/// What of a document lies in the boxes.
pub fn of_document(connection: &Connection, document: DocumentId) -> Result<Vec<BoxedChange>> {
    let sql =
        format!("SELECT {COLUMNS} FROM boxed WHERE document = ?1 AND dismissed = 0 ORDER BY id");
    let rows = connection
        .prepare_cached(&sql)?
        .query_map([document.0], boxed)?
        .collect::<rusqlite::Result<_>>()?;
    Ok(rows)
}

/// The `n` of refused entries, dismissed or not: what `status` names.
pub fn kept_back(connection: &Connection) -> Result<Vec<u64>> {
    let sql = "SELECT n FROM boxed WHERE state = 'refused' AND n IS NOT NULL ORDER BY n";
    let rows: Vec<i64> = connection
        .prepare_cached(sql)?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(rows.into_iter().map(i64::cast_unsigned).collect())
}

/// A person has dealt with a refused change. The row stays. What is held is for the office to settle: later work may build on it.
pub fn dismiss(transaction: &Transaction<'_>, id: i64) -> Result<bool> {
    let sql = "UPDATE boxed SET dismissed = 1 WHERE id = ?1 AND state = 'refused'";
    Ok(transaction.execute(sql, [id])? > 0)
}
