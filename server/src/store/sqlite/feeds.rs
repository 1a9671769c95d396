//! Tables `scopes`, `feed` and `members`: the feeds, read and written.
//!
//! Rows are gathered during a transaction and numbered at its end, so a scope's counter is touched last.

use std::collections::{BTreeMap, BTreeSet};

use patrol_core::domain::id::DocumentId;
use patrol_core::domain::place::Scope;
use patrol_core::sync::seal::Digest;
use rusqlite::{Connection, OptionalExtension as _, Row, Savepoint, params};

use super::columns::{bound, strange, uint};
use super::documents;
use crate::store::{FeedEvent, FeedRow, Result, ScopeRow, StoredChange};

/// A scope's handle, as it stands in columns.
pub(super) type ScopeNo = i64;
/// A document's number, as it stands in columns.
pub(super) type DocumentNo = i64;

/// What a transaction is going to add to feeds.
#[derive(Default)]
pub(super) struct Additions<'c> {
    scopes: BTreeMap<ScopeNo, Addition>,
    changes: Vec<(DocumentNo, u64, &'c StoredChange)>,
}

#[derive(Default)]
struct Addition {
    rows: Vec<(DocumentNo, FeedEvent)>,
    gained: Digest,
}

impl<'c> Additions<'c> {
    /// Adds a change at an ordinal of a document.
    pub(super) fn change(&mut self, document: DocumentNo, ordinal: u64, change: &'c StoredChange) {
        self.changes.push((document, ordinal, change));
    }

    /// Adds a row.
    pub(super) fn row(&mut self, scope: ScopeNo, document: DocumentNo, event: FeedEvent) {
        self.scopes
            .entry(scope)
            .or_default()
            .rows
            .push((document, event));
    }

    /// Replaces what a document adds to a scope's digest.
    pub(super) fn digest(&mut self, scope: ScopeNo, old: Digest, new: Digest) {
        let addition = self.scopes.entry(scope).or_default();
        addition.gained = addition.gained.without(old).with(new);
    }

    /// Draws the numbers, scope by scope in ascending order, and writes everything.
    pub(super) fn write(self, tx: &Savepoint<'_>) -> Result<()> {
        let has_rows = self
            .scopes
            .values()
            .any(|addition| !addition.rows.is_empty());
        let commit = if has_rows {
            tx.prepare_cached("UPDATE counters SET commit_no = commit_no + 1 RETURNING commit_no")?
                .query_row([], |row| row.get::<_, i64>(0))?
        } else {
            0
        };
        for (document, ordinal, change) in self.changes {
            documents::put_change(tx, document, ordinal, change, commit)?;
        }
        for (scope, addition) in self.scopes {
            addition.write(tx, scope, commit)?;
        }
        Ok(())
    }
}

impl Addition {
    fn write(self, tx: &Savepoint<'_>, scope: ScopeNo, commit: i64) -> Result<()> {
        if self.rows.is_empty() && self.gained == Digest::default() {
            return Ok(());
        }
        let (mut seq, digest) = tx
            .prepare_cached("SELECT head, digest FROM scopes WHERE number = ?1")?
            .query_row([scope], |row| Ok((row.get::<_, i64>(0)?, digest(row, 1)?)))?;
        let mut insert = tx.prepare_cached(
            "INSERT INTO feed (scope, seq, commit_no, document, event, ordinal) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        for (document, event) in self.rows {
            seq += 1;
            let (event, ordinal) = match event {
                FeedEvent::Change(ordinal) => (0, ordinal),
                FeedEvent::Join(ordinal) => (1, ordinal),
                FeedEvent::Leave => (2, 0),
            };
            insert.execute(params![
                scope,
                seq,
                commit,
                document,
                event,
                ordinal.cast_signed()
            ])?;
            if event == 1 {
                put_member(tx, document, scope, seq)?;
            }
        }
        tx.prepare_cached("UPDATE scopes SET head = ?2, digest = ?3 WHERE number = ?1")?
            .execute(params![
                scope,
                seq,
                digest.with(self.gained).0.to_be_bytes()
            ])?;
        Ok(())
    }
}

fn put_member(tx: &Savepoint<'_>, document: DocumentNo, scope: ScopeNo, joined: i64) -> Result<()> {
    let mut upsert = tx.prepare_cached(
        "INSERT INTO members (document, scope, joined) VALUES (?1, ?2, ?3)
         ON CONFLICT (document, scope) DO UPDATE SET joined = excluded.joined",
    )?;
    upsert.execute(params![document, scope, joined])?;
    Ok(())
}

/// The handles of scopes; those that have none yet get one, in ascending order.
pub(super) fn name_scopes(
    tx: &Savepoint<'_>,
    scopes: BTreeSet<Scope>,
) -> Result<BTreeMap<Scope, ScopeNo>> {
    let mut numbers = BTreeMap::new();
    for scope in scopes {
        let number = match scope_no(tx, scope)? {
            Some(number) => number,
            None => {
                let (kind, id) = scope.parts();
                tx.prepare_cached(
                    "INSERT INTO scopes (kind, id, head, digest) VALUES (?1, ?2, 0, ?3)",
                )?
                .insert(params![
                    kind.cast_signed(),
                    id.cast_signed(),
                    [0u8; 16]
                ])?
            }
        };
        numbers.insert(scope, number);
    }
    Ok(numbers)
}

/// The handle of a scope that has one.
pub(super) fn scope_no(connection: &Connection, scope: Scope) -> Result<Option<ScopeNo>> {
    let (kind, id) = scope.parts();
    let mut select =
        connection.prepare_cached("SELECT number FROM scopes WHERE kind = ?1 AND id = ?2")?;
    Ok(select
        .query_row([kind.cast_signed(), id.cast_signed()], |row| row.get(0))
        .optional()?)
}

/// The scopes of a document, each with its row of joining (0: it has left the feed by age).
pub(super) fn members_of(
    connection: &Connection,
    document: DocumentNo,
) -> Result<BTreeMap<ScopeNo, i64>> {
    let mut select =
        connection.prepare_cached("SELECT scope, joined FROM members WHERE document = ?1")?;
    let rows = select.query_map([document], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Ends a membership.
pub(super) fn delete_member(
    tx: &Savepoint<'_>,
    document: DocumentNo,
    scope: ScopeNo,
) -> Result<()> {
    tx.prepare_cached("DELETE FROM members WHERE document = ?1 AND scope = ?2")?
        .execute([document, scope])?;
    Ok(())
}

/// Takes a document out of its feeds, but not out of its scopes.
pub(super) fn retire_member(tx: &Savepoint<'_>, document: DocumentNo) -> Result<()> {
    tx.prepare_cached("UPDATE members SET joined = 0 WHERE document = ?1 AND joined > 0")?
        .execute([document])?;
    Ok(())
}

pub(super) fn scope(connection: &Connection, scope: Scope) -> Result<Option<ScopeRow>> {
    let (kind, id) = scope.parts();
    let mut select = connection
        .prepare_cached("SELECT number, head, digest FROM scopes WHERE kind = ?1 AND id = ?2")?;
    let row = select.query_row([kind.cast_signed(), id.cast_signed()], |row| {
        Ok(ScopeRow {
            number: uint(row, 0)?,
            head: uint(row, 1)?,
            digest: digest(row, 2)?,
        })
    });
    Ok(row.optional()?)
}

pub(super) fn feed(
    connection: &Connection,
    number: u64,
    seq: u64,
    limit: usize,
) -> Result<Vec<FeedRow>> {
    let mut select = connection.prepare_cached(
        "SELECT f.seq, f.commit_no, d.id, f.event, f.ordinal FROM feed f JOIN documents d ON d.no = f.document
         WHERE f.scope = ?1 AND f.seq > ?2 ORDER BY f.seq LIMIT ?3",
    )?;
    let rows = select.query_map([bound(number), bound(seq), bound(limit)], feed_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn commit_through(
    connection: &Connection,
    number: u64,
    seq: u64,
) -> Result<Option<u64>> {
    let mut select = connection.prepare_cached(
        "SELECT f.commit_no - (SELECT count(*) FROM feed n
           WHERE n.scope = f.scope AND n.seq = f.seq + 1 AND n.commit_no = f.commit_no)
         FROM feed f WHERE f.scope = ?1 AND f.seq = ?2",
    )?;
    Ok(select
        .query_row([bound(number), bound(seq)], |row| uint(row, 0))
        .optional()?)
}

pub(super) fn told_in_part(connection: &Connection, number: u64, seq: u64) -> Result<Vec<FeedRow>> {
    let Some(next) = feed(connection, number, seq, 1)?.pop() else {
        return Ok(Vec::new());
    };
    // Backwards, and no further than that write goes.
    let mut select = connection.prepare_cached(
        "SELECT f.seq, f.commit_no, d.id, f.event, f.ordinal FROM feed f JOIN documents d ON d.no = f.document
         WHERE f.scope = ?1 AND f.seq <= ?2 ORDER BY f.seq DESC",
    )?;
    let rows = select.query_map([bound(number), bound(seq)], feed_row)?;
    let is_of_it =
        |row: &rusqlite::Result<FeedRow>| !matches!(row, Ok(row) if row.commit != next.commit);
    Ok(rows.take_while(is_of_it).collect::<rusqlite::Result<_>>()?)
}

pub(super) fn members_before(
    connection: &Connection,
    number: u64,
    before: u64,
    limit: usize,
) -> Result<Vec<(u64, DocumentId)>> {
    let mut select = connection.prepare_cached(
        "SELECT m.joined, d.id FROM members m JOIN documents d ON d.no = m.document
         WHERE m.scope = ?1 AND m.joined > 0 AND m.joined < ?2 ORDER BY m.joined DESC LIMIT ?3",
    )?;
    let rows = select.query_map([bound(number), bound(before), bound(limit)], |row| {
        Ok((uint(row, 0)?, DocumentId(row.get(1)?)))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn memberships(
    connection: &Connection,
    document: DocumentId,
) -> Result<Vec<(u64, u64)>> {
    let mut select = connection.prepare_cached(
        "SELECT m.scope, m.joined FROM documents d JOIN members m ON m.document = d.no
         WHERE d.id = ?1 AND m.joined > 0 ORDER BY m.scope",
    )?;
    let rows = select.query_map([document.0], |row| Ok((uint(row, 0)?, uint(row, 1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn scopes_of(connection: &Connection, document: DocumentId) -> Result<BTreeSet<Scope>> {
    let mut select = connection.prepare_cached(
        "SELECT s.kind, s.id FROM documents d JOIN members m ON m.document = d.no
         JOIN scopes s ON s.number = m.scope WHERE d.id = ?1",
    )?;
    let scopes = select.query_map([document.0], |row| {
        let scope = Scope::from_parts(uint(row, 0)?, uint(row, 1)?);
        scope.ok_or_else(|| strange(0, "an unknown scope"))
    })?;
    Ok(scopes.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn feed_row(row: &Row<'_>) -> rusqlite::Result<FeedRow> {
    let event = match (row.get::<_, i64>(3)?, uint(row, 4)?) {
        (0, ordinal) => FeedEvent::Change(ordinal),
        (1, ordinal) => FeedEvent::Join(ordinal),
        (2, _) => FeedEvent::Leave,
        _ => return Err(strange(3, "an unknown event")),
    };
    Ok(FeedRow {
        seq: uint(row, 0)?,
        commit: uint(row, 1)?,
        document: DocumentId(row.get(2)?),
        event,
    })
}

/// A digest from its column.
pub(super) fn digest(row: &Row<'_>, column: usize) -> rusqlite::Result<Digest> {
    Ok(Digest(u128::from_be_bytes(row.get(column)?)))
}
