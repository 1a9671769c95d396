//! What can still be read of a damaged file that was moved aside: a person's work that no page has placed, and his drafts. Past what is
//! damaged, row by row.
//!
//! It writes nothing and mends nothing: the file stays as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rusqlite::{Connection, Params, Row, params};

use super::changes::LOCAL_PLACE;
use super::drafts::{self, Draft};
use super::enrolment::{self, Enrolment};
use super::{bytes, schema};
use crate::domain::id::{ChangeHash, DocumentId};
use crate::error::Result;

/// What was found.
#[derive(Debug)]
pub struct Remains {
    /// Whose file it was.
    pub enrolment: Enrolment,
    /// Changes that no page has placed, those in the boxes too. What is in them is not looked at.
    pub changes: Vec<(DocumentId, ChangeHash, Vec<u8>)>,
    /// Drafts.
    pub drafts: Vec<Draft>,
    /// Whether everything that was looked for could be read: then nothing is missing.
    pub is_whole: bool,
}

/// Reads a damaged file.
///
/// # Errors
/// `Damaged`: not even whose it was can be read, and nothing of it could be handed in. `NotEnrolled`: it was nobody's.
pub fn read(path: &Path) -> Result<Remains> {
    let connection = schema::open_reader(path)?;
    let enrolment = enrolment::enrolled(&connection)?;
    let mut look = Look {
        connection: &connection,
        is_whole: true,
    };
    let changes = look.changes();
    let drafts = look.both_ways(drafts::ALL, "id", [], drafts::draft);
    let drafts: BTreeMap<_, _> = drafts.into_iter().map(|draft| (draft.id, draft)).collect();
    Ok(Remains {
        enrolment,
        changes,
        drafts: drafts.into_values().collect(),
        is_whole: look.is_whole,
    })
}

struct Look<'a> {
    connection: &'a Connection,
    is_whole: bool,
}

impl Look<'_> {
    /// The rows of a query up to the first that cannot be read.
    fn rows<T>(
        &mut self,
        sql: &str,
        values: impl Params,
        row: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Vec<T> {
        let mut found = Vec::new();
        let read = self.connection.prepare(sql).and_then(|mut statement| {
            for row in statement.query_map(values, row)? {
                found.push(row?);
            }
            Ok(())
        });
        self.is_whole &= read.is_ok();
        found
    }

    /// The rows from the first on, and where that stops before the end, from the last on.
    fn both_ways<T>(
        &mut self,
        sql: &str,
        order: &str,
        values: impl Params + Clone,
        row: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Vec<T> {
        let was_whole = std::mem::replace(&mut self.is_whole, true);
        let forwards = format!("{sql} ORDER BY {order}");
        let mut found = self.rows(&forwards, values.clone(), &row);
        if !self.is_whole {
            found.extend(self.rows(&format!("{sql} ORDER BY {order} DESC"), values, &row));
        }
        self.is_whole &= was_whole;
        found
    }

    fn changes(&mut self) -> Vec<(DocumentId, ChangeHash, Vec<u8>)> {
        let number = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, DocumentId(bytes(row, 1)?)));
        let table = "SELECT no, id FROM documents NOT INDEXED";
        let mut documents: BTreeMap<_, _> = self
            .both_ways(table, "no", [], number)
            .into_iter()
            .collect();
        if !self.is_whole {
            // The index by which a document is found by its id has both.
            let index = "SELECT no, id FROM documents INDEXED BY sqlite_autoindex_documents_1";
            documents.extend(self.both_ways(index, "id", [], number));
        }
        let mut changes = Vec::new();
        for (number, id) in documents {
            let local = "SELECT hash, body FROM changes WHERE document = ?1 AND place > ?2";
            let change = |row: &Row<'_>| Ok((id, ChangeHash(bytes(row, 0)?), row.get(1)?));
            changes.extend(self.both_ways(local, "place", params![number, LOCAL_PLACE], change));
        }
        let boxed = "SELECT document, hash, body FROM boxed WHERE dismissed = 0";
        let change = |row: &Row<'_>| {
            let document = DocumentId(bytes(row, 0)?);
            Ok((document, ChangeHash(bytes(row, 1)?), row.get(2)?))
        };
        changes.extend(self.both_ways(boxed, "id", [], change));
        let mut known = BTreeSet::new();
        changes.retain(|(_, hash, _): &(_, ChangeHash, Vec<u8>)| known.insert(*hash));
        changes
    }
}
