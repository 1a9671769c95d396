//! The changes of every document here, and the outbox among them.

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::{bytes, enrolment};
use crate::domain::id::{ChangeHash, DocumentId};
use crate::domain::time::Timestamp;
use crate::error::Result;

/// Local changes have places from here on; below are ordinals.
pub(super) const LOCAL_PLACE: i64 = 1 << 40;

/// Where a change stands in syncing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ChangeState {
    /// Its ordinal is known.
    Placed,
    /// The server has it; no page has told its ordinal yet.
    Acknowledged,
    /// Waits in the outbox.
    Unsent,
    /// Waits in the outbox, but builds on a held change: it is not part of the document for now.
    Following,
}

impl ChangeState {
    fn code(self) -> i64 {
        self as i64
    }

    fn from_code(code: i64) -> Self {
        match code {
            0 => Self::Placed,
            1 => Self::Acknowledged,
            2 => Self::Unsent,
            _ => Self::Following,
        }
    }
}

/// A change as it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChangeRow {
    /// Its hash.
    pub hash: ChangeHash,
    /// Where it stands.
    pub state: ChangeState,
    /// When the server received it.
    pub received_at: Option<Timestamp>,
    /// The uncompressed chunk.
    pub body: Vec<u8>,
}

/// The number by which a document is known in this file.
pub type DocumentNumber = i64;

/// The changes of a document, ordinals first, then local ones in the order in which they were made.
pub fn of_document(connection: &Connection, document: DocumentNumber) -> Result<Vec<ChangeRow>> {
    let sql =
        "SELECT hash, state, received_at, body FROM changes WHERE document = ?1 ORDER BY place";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([document], |row| {
        Ok(ChangeRow {
            hash: ChangeHash(bytes(row, 0)?),
            state: ChangeState::from_code(row.get(1)?),
            received_at: row.get::<_, Option<i64>>(2)?.map(Timestamp),
            body: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Puts a change made here into the outbox.
pub fn put_local(
    transaction: &Transaction<'_>,
    document: DocumentNumber,
    hash: ChangeHash,
    body: &[u8],
) -> Result<()> {
    let place = enrolment::next_place(transaction)?;
    let sql = "INSERT INTO changes (document, place, hash, state, received_at, body) VALUES (?1, ?2, ?3, ?4, NULL, ?5)";
    transaction.prepare_cached(sql)?.execute(params![
        document,
        place,
        hash.0,
        ChangeState::Unsent.code(),
        body
    ])?;
    Ok(())
}

/// Puts a change at its ordinal; a local row of the same change goes.
pub fn place(
    transaction: &Transaction<'_>,
    document: DocumentNumber,
    ordinal: u64,
    hash: ChangeHash,
    received_at: Timestamp,
    body: &[u8],
) -> Result<()> {
    remove(transaction, document, hash)?;
    let sql = "INSERT INTO changes (document, place, hash, state, received_at, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    transaction.prepare_cached(sql)?.execute(params![
        document,
        ordinal.cast_signed(),
        hash.0,
        ChangeState::Placed.code(),
        received_at.0,
        body
    ])?;
    Ok(())
}

/// The bytes of a change that is here.
pub fn body(
    connection: &Connection,
    document: DocumentId,
    hash: ChangeHash,
) -> Result<Option<Vec<u8>>> {
    let sql = "SELECT changes.body FROM changes JOIN documents ON documents.no = changes.document
               WHERE documents.id = ?1 AND changes.hash = ?2";
    Ok(connection
        .prepare_cached(sql)?
        .query_row(params![document.0, hash.0], |row| row.get(0))
        .optional()?)
}

/// Whether that change stands at that ordinal.
pub fn is_placed_at(
    connection: &Connection,
    document: DocumentNumber,
    ordinal: u64,
    hash: ChangeHash,
) -> Result<bool> {
    let sql = "SELECT 1 FROM changes WHERE document = ?1 AND place = ?2 AND hash = ?3";
    let found = connection
        .prepare_cached(sql)?
        .query_row(params![document, ordinal.cast_signed(), hash.0], |_| Ok(()));
    Ok(found.optional()?.is_some())
}

/// Takes a local change away, because it is placed, boxed or made again.
pub fn remove(
    transaction: &Transaction<'_>,
    document: DocumentNumber,
    hash: ChangeHash,
) -> Result<()> {
    let sql = "DELETE FROM changes WHERE document = ?1 AND place > ?2 AND hash = ?3";
    transaction
        .prepare_cached(sql)?
        .execute(params![document, LOCAL_PLACE, hash.0])?;
    Ok(())
}

/// The bytes of a local change that follows a held one; none where it does not, or is not here.
pub fn following(
    connection: &Connection,
    document: DocumentNumber,
    hash: ChangeHash,
) -> Result<Option<Vec<u8>>> {
    let sql =
        "SELECT body FROM changes WHERE document = ?1 AND place > ?2 AND hash = ?3 AND state = ?4";
    let values = params![document, LOCAL_PLACE, hash.0, ChangeState::Following.code()];
    let mut statement = connection.prepare_cached(sql)?;
    Ok(statement.query_row(values, |row| row.get(0)).optional()?)
}

/// Sets where a local change stands.
pub fn set_state(
    transaction: &Transaction<'_>,
    document: DocumentNumber,
    hash: ChangeHash,
    state: ChangeState,
) -> Result<()> {
    let sql = "UPDATE changes SET state = ?4 WHERE document = ?1 AND place > ?2 AND hash = ?3";
    transaction.prepare_cached(sql)?.execute(params![
        document,
        LOCAL_PLACE,
        hash.0,
        state.code()
    ])?;
    Ok(())
}

/// The changes that the server has taken and no page has placed: document, hash, bytes, in the order in which they were made.
pub fn acknowledged(connection: &Connection) -> Result<Vec<(DocumentId, ChangeHash, Vec<u8>)>> {
    not_placed(connection, "changes.place > ?1 AND changes.state = 1")
}

/// The changes that no page has placed: document, hash, bytes, in the order in which they came into this file.
pub fn unplaced(connection: &Connection) -> Result<Vec<(DocumentId, ChangeHash, Vec<u8>)>> {
    not_placed(connection, "changes.place > ?1")
}

fn not_placed(
    connection: &Connection,
    which: &str,
) -> Result<Vec<(DocumentId, ChangeHash, Vec<u8>)>> {
    let sql = format!(
        "SELECT documents.id, changes.hash, changes.body FROM changes JOIN documents ON documents.no = changes.document
         WHERE {which} ORDER BY changes.place"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([LOCAL_PLACE], |row| {
        Ok((
            DocumentId(bytes(row, 0)?),
            ChangeHash(bytes(row, 1)?),
            row.get(2)?,
        ))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// A change in the outbox.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unsent {
    /// Where it stands in the outbox.
    pub place: i64,
    /// Its document.
    pub document: DocumentId,
    /// The change.
    pub hash: ChangeHash,
    /// Its size in bytes.
    pub bytes: usize,
    /// Whether it follows a held change.
    pub state: ChangeState,
}

/// The outbox after a place, oldest first, at most `limit` changes.
pub fn outbox(connection: &Connection, after: i64, limit: usize) -> Result<Vec<Unsent>> {
    let sql =
        "SELECT changes.place, documents.id, changes.hash, length(changes.body), changes.state
               FROM changes JOIN documents ON documents.no = changes.document
               WHERE changes.state >= 2 AND changes.place > ?1 ORDER BY changes.place LIMIT ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params![after, limit as i64], |row| {
        Ok(Unsent {
            place: row.get(0)?,
            document: DocumentId(bytes(row, 1)?),
            hash: ChangeHash(bytes(row, 2)?),
            bytes: usize::try_from(row.get::<_, i64>(3)?).unwrap_or(0),
            state: ChangeState::from_code(row.get(4)?),
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Where those changes of a document stand whose ordinals are not known.
pub fn states_of(connection: &Connection, document: DocumentId) -> Result<Vec<ChangeState>> {
    let sql = "SELECT changes.state FROM changes JOIN documents ON documents.no = changes.document
               WHERE documents.id = ?1 AND changes.place > ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params![document.0, LOCAL_PLACE], |row| {
        row.get(0).map(ChangeState::from_code)
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// How many changes wait in the outbox.
pub fn outbox_len(connection: &Connection) -> Result<u64> {
    let count: i64 = connection
        .prepare_cached("SELECT count(*) FROM changes WHERE state >= 2")?
        .query_row([], |row| row.get(0))?;
    Ok(count.cast_unsigned())
}

/// The oldest change in the outbox.
pub fn outbox_oldest(connection: &Connection) -> Result<Option<Vec<u8>>> {
    let sql = "SELECT body FROM changes WHERE state >= 2 ORDER BY place LIMIT 1";
    Ok(connection
        .prepare_cached(sql)?
        .query_row([], |row| row.get(0))
        .optional()?)
}

/// How many changes stand at ordinals, one at each from the first on; none where they do not.
pub fn placed(connection: &Connection, document: DocumentNumber) -> Result<Option<u64>> {
    let sql = "SELECT count(*), ifnull(max(place), -1) FROM changes WHERE document = ?1 AND place < ?2 AND state = 0";
    let mut statement = connection.prepare_cached(sql)?;
    let (count, last): (i64, i64) = statement.query_row([document, LOCAL_PLACE], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?;
    Ok((count == last + 1).then_some(count.cast_unsigned()))
}

/// Puts these rows in the place of all that a document has. Places in the server's list mean nothing any more: they keep their order,
/// behind local places.
pub fn rewrite(
    transaction: &Transaction<'_>,
    document: DocumentNumber,
    rows: &[ChangeRow],
) -> Result<()> {
    transaction.execute("DELETE FROM changes WHERE document = ?1", [document])?;
    let sql = "INSERT INTO changes (document, place, hash, state, received_at, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    for row in rows {
        let place = enrolment::next_place(transaction)?;
        let received_at = row.received_at.map(|time| time.0);
        transaction.prepare_cached(sql)?.execute(params![
            document,
            place,
            row.hash.0,
            row.state.code(),
            received_at,
            row.body
        ])?;
    }
    Ok(())
}
