//! What a person has begun to write. What is in it is the app's business.

use rusqlite::{Connection, Row, Transaction, params};

use super::bytes;
use crate::domain::id::{DocumentId, DraftId};
use crate::domain::time::Timestamp;
use crate::error::Result;

/// A draft.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Draft {
    /// Names it.
    pub id: DraftId,
    /// The document that it is about; none: a new one.
    pub document: Option<DocumentId>,
    /// What the app kept.
    pub form: Vec<u8>,
    /// When it was last changed, by the phone's clock.
    pub changed_at: Timestamp,
}

/// Keeps a new draft.
pub fn put(transaction: &Transaction<'_>, draft: &Draft) -> Result<()> {
    let sql = "INSERT INTO drafts (id, document, form, changed_at) VALUES (?1, ?2, ?3, ?4)";
    write(transaction, sql, draft).map(drop)
}

/// Keeps a draft in place of what was kept under its id. Returns whether there was any.
pub fn change(transaction: &Transaction<'_>, draft: &Draft) -> Result<bool> {
    let sql = "UPDATE drafts SET document = ?2, form = ?3, changed_at = ?4 WHERE id = ?1";
    write(transaction, sql, draft)
}

fn write(transaction: &Transaction<'_>, sql: &str, draft: &Draft) -> Result<bool> {
    let document = draft.document.map(|document| document.0);
    let values = params![draft.id.0, document, draft.form, draft.changed_at.0];
    Ok(transaction.prepare_cached(sql)?.execute(values)? > 0)
}

/// Keeps a draft that was found in a damaged file, once: a second look at that file does not bring back what has become a deed. Nor where one
/// is kept under its id. Returns whether it is kept now by this.
pub fn put_found(transaction: &Transaction<'_>, draft: &Draft) -> Result<bool> {
    let found = "INSERT OR IGNORE INTO found_drafts (id) VALUES (?1)";
    if transaction.execute(found, [draft.id.0])? == 0 {
        return Ok(false);
    }
    let sql =
        "INSERT OR IGNORE INTO drafts (id, document, form, changed_at) VALUES (?1, ?2, ?3, ?4)";
    write(transaction, sql, draft)
}

/// What reads drafts, see [`draft`].
pub(super) const ALL: &str = "SELECT id, document, form, changed_at FROM drafts";

pub(super) fn draft(row: &Row<'_>) -> rusqlite::Result<Draft> {
    let document: Option<Vec<u8>> = row.get(1)?;
    Ok(Draft {
        id: DraftId(bytes(row, 0)?),
        document: document.and_then(|id| id.try_into().ok().map(DocumentId)),
        form: row.get(2)?,
        changed_at: Timestamp(row.get(3)?),
    })
}

/// All drafts, the last changed first.
pub fn all(connection: &Connection) -> Result<Vec<Draft>> {
    let sql = format!("{ALL} ORDER BY changed_at DESC, id");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([], draft)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// A draft has become a deed, or is not wanted. Returns whether it was there.
pub fn remove(transaction: &Transaction<'_>, id: DraftId) -> Result<bool> {
    let sql = "DELETE FROM drafts WHERE id = ?1";
    Ok(transaction.prepare_cached(sql)?.execute([id.0])? > 0)
}
