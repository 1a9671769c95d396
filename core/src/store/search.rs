//! What can be found of each document. The words of the index are made by `domain::grams`; nothing is read from it but which documents match.

use rusqlite::{Connection, Transaction, params};

use super::changes::DocumentNumber;
use crate::domain::grams::Grams;
use crate::error::Result;

/// Sets what can be found of a document.
pub fn put(transaction: &Transaction<'_>, document: DocumentNumber, grams: &Grams) -> Result<()> {
    transaction
        .prepare_cached("INSERT OR REPLACE INTO search (rowid, ones, pairs) VALUES (?1, ?2, ?3)")?
        .execute(params![document, grams.ones, grams.pairs])?;
    Ok(())
}

/// Forgets a document.
pub(super) fn remove(transaction: &Transaction<'_>, document: DocumentNumber) -> Result<()> {
    transaction
        .prepare_cached("DELETE FROM search WHERE rowid = ?1")?
        .execute([document])?;
    Ok(())
}

/// Some of the documents that came here before there was a search.
pub fn unindexed(connection: &Connection, limit: usize) -> Result<Vec<DocumentNumber>> {
    let mut statement =
        connection.prepare_cached("SELECT document FROM unindexed ORDER BY document LIMIT ?1")?;
    let rows = statement.query_map([limit as i64], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// A document stands in the index now.
pub fn note_indexed(transaction: &Transaction<'_>, document: DocumentNumber) -> Result<()> {
    transaction.execute("DELETE FROM unindexed WHERE document = ?1", [document])?;
    Ok(())
}
