//! Whether a phone had work unsent on a document that went out of its scopes, because it moved, a right ended, the server went back, or by
//! age: what a course is asked to have seen.
//!
//! Looks into the phone's file and changes nothing.

use patrol_core::domain::id::DocumentId;
use patrol_core::store::Store;

/// Documents in one of this phone's scopes on which it has work in its outbox, or that follows what is held.
pub(super) fn unsent_in_scope(store: &Store) -> Vec<DocumentId> {
    let sql = "SELECT id FROM documents
        WHERE EXISTS (SELECT 1 FROM members WHERE members.document = documents.no)
          AND EXISTS (SELECT 1 FROM changes WHERE changes.document = documents.no AND changes.state >= 2)";
    let read = store.read(|connection| {
        let mut statement = connection.prepare_cached(sql)?;
        let ids = statement.query_map([], |row| row.get(0).map(DocumentId))?;
        Ok(ids.collect::<rusqlite::Result<_>>()?)
    });
    read.expect("a look")
}

/// How many of these are in none of its scopes any more, after a whole sync.
pub(super) fn out_of_scope(store: &Store, documents: &[DocumentId]) -> usize {
    let sql =
        "SELECT EXISTS (SELECT 1 FROM documents JOIN members ON members.document = documents.no
                              WHERE documents.id = ?1)";
    let read = store.read(|connection| {
        let mut statement = connection.prepare_cached(sql)?;
        let mut lost = 0;
        for document in documents {
            let is_member: bool = statement.query_row([document.0], |row| row.get(0))?;
            lost += usize::from(!is_member);
        }
        Ok(lost)
    });
    read.expect("a look")
}
