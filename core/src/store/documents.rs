//! One row a document: what lists show, and where it stands in syncing. A list never loads a document.

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use super::changes::DocumentNumber;
use super::{boxes, bytes, search};
use crate::domain::fold::FOLD_VERSION;
use crate::domain::id::{Actor, DocumentId};
use crate::domain::time::Timestamp;
use crate::error::Result;
use crate::sync::seal::Digest;

/// What lists show of a document.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListRow {
    /// The document.
    pub id: DocumentId,
    /// Its kind's word; empty when this program does not know it.
    pub kind: String,
    /// The number shown.
    pub number: Option<String>,
    /// The stage's word; empty for kinds without stages.
    pub stage: String,
    /// Put back to work by a failed check.
    pub rework: bool,
    /// The village.
    pub village: Option<u64>,
    /// Scheme, kind and code, with hyphens.
    pub category: Option<String>,
    /// The matter in words.
    pub words: String,
    /// Conflicts that await settling.
    pub conflicts: u32,
    /// The fold version that the document asks for.
    pub fold: u64,
    /// When the latest entry was received, else made.
    pub changed_at: Timestamp,
}

impl ListRow {
    /// Whether a newer program wrote what this one cannot fold: then only report and note are open.
    pub fn needs_update(&self) -> bool {
        self.fold > FOLD_VERSION
    }
}

/// Where a document stands in syncing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DocumentState {
    /// Its number in this file.
    pub number: DocumentNumber,
    /// How many changes are placed.
    pub placed: u64,
    /// What they add to a scope's digest.
    pub digest: Digest,
    /// The actor for new work, if not the install's.
    pub actor: Option<Actor>,
    /// Whether the server has named it in this epoch.
    pub is_confirmed: bool,
}

const LIST_COLUMNS: &str =
    "id, kind, number, stage, rework, village, category, words, conflicts, fold, changed_at";

fn list_row(row: &Row<'_>) -> rusqlite::Result<ListRow> {
    Ok(ListRow {
        id: DocumentId(bytes(row, 0)?),
        kind: row.get(1)?,
        number: row.get(2)?,
        stage: row.get(3)?,
        rework: row.get(4)?,
        village: row.get::<_, Option<i64>>(5)?.map(i64::cast_unsigned),
        category: row.get(6)?,
        words: row.get(7)?,
        conflicts: row.get(8)?,
        fold: row.get::<_, i64>(9)?.cast_unsigned(),
        changed_at: Timestamp(row.get(10)?),
    })
}

/// Documents of a kind, the last changed first: at most `limit`, after `skip` others.
pub fn list(
    connection: &Connection,
    kind: &str,
    skip: usize,
    limit: usize,
) -> Result<Vec<ListRow>> {
    let sql = format!(
        "SELECT {LIST_COLUMNS} FROM documents WHERE kind = ?1 ORDER BY changed_at DESC LIMIT ?2 OFFSET ?3"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params![kind, limit as i64, skip as i64], list_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// What matches a part of what a person looks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Match {
    /// A question to the index.
    pub question: String,
    /// Or it is in one of these villages.
    pub villages: Vec<u64>,
    /// Or in one of these categories.
    pub categories: Vec<String>,
}

/// Documents of a kind that match all of this, the last changed first: at most `limit`, after `skip` others.
pub fn find(
    connection: &Connection,
    kind: &str,
    wanted: &[Match],
    skip: usize,
    limit: usize,
) -> Result<Vec<ListRow>> {
    let mut sql = format!("SELECT {LIST_COLUMNS} FROM documents WHERE kind = ?1");
    let mut values: Vec<rusqlite::types::Value> = vec![kind.to_owned().into()];
    for part in wanted {
        values.push(part.question.clone().into());
        sql += &format!(
            " AND no IN (SELECT rowid FROM search WHERE search MATCH ?{}",
            values.len()
        );
        // Looking at every document's village and category takes time, so it is done only where it can find any.
        if !part.villages.is_empty() || !part.categories.is_empty() {
            let villages = part.villages.iter().map(u64::to_string);
            values.push(villages.collect::<Vec<_>>().join(",").into());
            values.push(part.categories.join(",").into());
            sql += &format!(
                " UNION SELECT no FROM documents WHERE village IN (SELECT value FROM json_each('[' || ?{} || ']'))
                  OR instr(',' || ?{} || ',', ',' || category || ',') > 0",
                values.len() - 1,
                values.len()
            );
        }
        sql += ")";
    }
    values.push((limit as i64).into());
    values.push((skip as i64).into());
    sql += &format!(
        " ORDER BY changed_at DESC LIMIT ?{} OFFSET ?{}",
        values.len() - 1,
        values.len()
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(rusqlite::params_from_iter(values), list_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// What lists show of one document.
pub fn row(connection: &Connection, id: DocumentId) -> Result<Option<ListRow>> {
    let sql = format!("SELECT {LIST_COLUMNS} FROM documents WHERE id = ?1");
    Ok(connection
        .prepare_cached(&sql)?
        .query_row([id.0], list_row)
        .optional()?)
}

/// Where a document stands; none if it is not here.
pub fn state(connection: &Connection, id: DocumentId) -> Result<Option<DocumentState>> {
    let sql = "SELECT no, placed, digest, actor, confirmed FROM documents WHERE id = ?1";
    let found = connection.prepare_cached(sql)?.query_row([id.0], |row| {
        let actor: Option<Vec<u8>> = row.get(3)?;
        Ok(DocumentState {
            number: row.get(0)?,
            placed: row.get::<_, i64>(1)?.cast_unsigned(),
            digest: Digest(u128::from_be_bytes(bytes(row, 2)?)),
            actor: actor.and_then(|actor| Actor::from_slice(&actor)),
            is_confirmed: row.get(4)?,
        })
    });
    Ok(found.optional()?)
}

/// Where a document stands, making its row if it is not here.
pub fn state_or_new(transaction: &Transaction<'_>, id: DocumentId) -> Result<DocumentState> {
    if let Some(state) = state(transaction, id)? {
        return Ok(state);
    }
    transaction.prepare_cached(
        "INSERT INTO documents (id, kind, number, stage, rework, village, category, words, conflicts, fold, changed_at, placed, digest, actor)
         VALUES (?1, '', NULL, '', 0, NULL, NULL, '', 0, 0, 0, 0, ?2, NULL)",
    )?
    .execute(params![id.0, [0u8; 16]])?;
    Ok(DocumentState {
        number: transaction.last_insert_rowid(),
        placed: 0,
        digest: Digest::default(),
        actor: None,
        is_confirmed: true,
    })
}

/// Keeps what lists show, and where the document stands.
pub fn put(transaction: &Transaction<'_>, row: &ListRow, state: &DocumentState) -> Result<()> {
    transaction.prepare_cached(
        "UPDATE documents SET kind = ?2, number = ?3, stage = ?4, rework = ?5, village = ?6, category = ?7, words = ?8, conflicts = ?9, fold = ?10,
                changed_at = ?11, placed = ?12, digest = ?13, actor = ?14, confirmed = ?15 WHERE no = ?1",
    )?
    .execute(params![
        state.number,
        row.kind,
        row.number,
        row.stage,
        row.rework,
        row.village.map(u64::cast_signed),
        row.category,
        row.words,
        row.conflicts,
        row.fold.cast_signed(),
        row.changed_at.0,
        state.placed.cast_signed(),
        state.digest.0.to_be_bytes(),
        state.actor.map(|actor| actor.0),
        state.is_confirmed,
    ])?;
    Ok(())
}

/// Sets the actor for new work in a document.
pub fn set_actor(transaction: &Transaction<'_>, id: DocumentId, actor: Actor) -> Result<()> {
    transaction.execute(
        "UPDATE documents SET actor = ?2 WHERE id = ?1",
        params![id.0, actor.0],
    )?;
    Ok(())
}

/// The server has named a document in this epoch, and so many of its changes are placed.
pub fn put_placed(
    transaction: &Transaction<'_>,
    number: DocumentNumber,
    placed: u64,
) -> Result<()> {
    transaction
        .prepare_cached("UPDATE documents SET confirmed = 1, placed = ?2 WHERE no = ?1")?
        .execute([number, placed.cast_signed()])?;
    Ok(())
}

/// A new epoch has begun: of no document is anything placed in it, and the server has named none. What lists show of them stays.
pub fn unplace(transaction: &Transaction<'_>) -> Result<()> {
    let sql = "UPDATE documents SET placed = 0, digest = ?1, confirmed = 0";
    transaction.execute(sql, [Digest::default().0.to_be_bytes()])?;
    Ok(())
}

/// Of this document nothing is placed any more, and the server is to name it again. What lists show of it stays.
pub fn unplace_one(transaction: &Transaction<'_>, number: DocumentNumber) -> Result<()> {
    let sql = "UPDATE documents SET placed = 0, digest = ?2, confirmed = 0 WHERE no = ?1";
    let nothing = Digest::default().0.to_be_bytes();
    transaction.execute(sql, params![number, nothing])?;
    Ok(())
}

/// The documents that pages bring here, and of which something is with the server that none has brought.
pub fn awaiting(connection: &Connection) -> Result<Vec<DocumentId>> {
    let sql = "SELECT id FROM documents
        WHERE (no IN (SELECT document FROM changes WHERE state = 1)
               OR id IN (SELECT document FROM boxed WHERE state = 'released' AND dismissed = 0))
        AND EXISTS (SELECT 1 FROM members WHERE members.document = documents.no)";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| bytes(row, 0).map(DocumentId))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The ids of all documents here.
pub fn all(connection: &Connection) -> Result<Vec<DocumentId>> {
    let mut statement = connection.prepare_cached("SELECT id FROM documents ORDER BY no")?;
    let rows = statement.query_map([], |row| bytes(row, 0).map(DocumentId))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The id of a document by its number.
pub fn id(connection: &Connection, number: DocumentNumber) -> Result<DocumentId> {
    Ok(connection
        .prepare_cached("SELECT id FROM documents WHERE no = ?1")?
        .query_row([number], |row| bytes(row, 0).map(DocumentId))?)
}

/// Takes away documents that are in no scope any more, unless something of them is unsent, boxed or unconfirmed, or somebody is writing on
/// them: what a draft will say there is work too. One that was opened
/// here is in its person's scope for ever: as long as no page has placed it, the server may have lost it, and it stays. Returns how many.
pub fn evict(transaction: &Transaction<'_>) -> Result<usize> {
    let staying = "DELETE FROM leaving
        WHERE EXISTS (SELECT 1 FROM members WHERE members.document = leaving.document)";
    transaction.prepare_cached(staying)?.execute([])?;
    let leaving = "SELECT documents.no FROM leaving CROSS JOIN documents ON documents.no = leaving.document
        WHERE documents.confirmed = 1
        AND NOT EXISTS (SELECT 1 FROM drafts WHERE drafts.document = documents.id)
        AND NOT EXISTS (SELECT 1 FROM changes WHERE changes.document = documents.no
                          AND (changes.state >= 2 OR documents.placed = 0))
        AND NOT EXISTS (SELECT 1 FROM boxed WHERE boxed.document = documents.id AND boxed.dismissed = 0 AND boxed.state != 'released')
        AND NOT (EXISTS (SELECT 1 FROM changes WHERE changes.document = documents.no AND changes.state = 1)
                 AND EXISTS (SELECT 1 FROM frames WHERE frames.answered IN (0, 3) AND frames.epoch != (SELECT epoch FROM enrolment)))";
    let leaving: Vec<DocumentNumber> = transaction
        .prepare_cached(leaving)?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    drop_all(transaction, &leaving)
}

/// New work in every document is done by the install's actor.
pub fn forget_actors(transaction: &Transaction<'_>) -> Result<()> {
    transaction.execute("UPDATE documents SET actor = NULL", [])?;
    Ok(())
}

/// Lets go of documents that came from the server, that it has not named since it jumped back, and of which nothing is left to do or to
/// write here. Not
/// while page frames of another epoch have no answer: the server may lack them.
pub fn drop_doubted(transaction: &Transaction<'_>) -> Result<usize> {
    let doubted = "SELECT no FROM documents WHERE confirmed = 0
        AND NOT EXISTS (SELECT 1 FROM frames WHERE frames.answered IN (0, 3) AND frames.epoch != (SELECT epoch FROM enrolment))
        AND NOT EXISTS (SELECT 1 FROM members WHERE members.document = documents.no)
        AND NOT EXISTS (SELECT 1 FROM drafts WHERE drafts.document = documents.id)
        AND EXISTS (SELECT 1 FROM changes WHERE changes.document = documents.no AND changes.received_at IS NOT NULL)
        AND NOT EXISTS (SELECT 1 FROM changes WHERE changes.document = documents.no AND changes.state >= 2)
        AND NOT EXISTS (SELECT 1 FROM boxed WHERE boxed.document = documents.id AND boxed.dismissed = 0 AND boxed.state != 'released')";
    let doubted: Vec<DocumentNumber> = transaction
        .prepare_cached(doubted)?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    drop_all(transaction, &doubted)
}

fn drop_all(transaction: &Transaction<'_>, numbers: &[DocumentNumber]) -> Result<usize> {
    for number in numbers {
        transaction.execute("DELETE FROM changes WHERE document = ?1", [number])?;
        search::remove(transaction, *number)?;
        boxes::forget_released(transaction, *number)?;
        transaction.execute("DELETE FROM documents WHERE no = ?1", [number])?;
    }
    Ok(numbers.len())
}
