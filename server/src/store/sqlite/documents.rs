//! Tables `documents`, `changes` and `numbers`.
//!
//! It never decodes a change.

use std::collections::BTreeSet;

use patrol_core::domain::id::{ChangeHash, DeviceId, DocumentId, PersonId};
use patrol_core::domain::time::Timestamp;
use patrol_core::sync::seal::Digest;
use rusqlite::types::Value;
use rusqlite::{
    Connection, OptionalExtension as _, Row, Savepoint, ToSql, params, params_from_iter,
};

use super::columns::{bound, json, json_option, to_json, uint, uint_option};
use super::feeds::{self, DocumentNo};
use crate::store::{
    CaseQuery, DocumentCommit, Result, StoredChange, StoredDocument, Summary, serial,
};

/// The columns of a summary, in the order in which [`summary_from_row`] reads them from position 1 on.
pub(super) const SUMMARY: &str =
    "d.kind, d.number, d.numbers, d.stage, d.rework, d.village, d.category, d.words, d.units,
    d.reporter, d.conflicts, d.anomalies, d.opened_at, d.changed_at, d.ended_at";

/// What a commit has to know of a document that is there.
pub(super) struct Known {
    pub(super) no: DocumentNo,
    pub(super) len: u64,
    pub(super) digest: Digest,
    number: Option<String>,
    numbers: Vec<String>,
    opened_at: Timestamp,
}

pub(super) fn known(connection: &Connection, id: DocumentId) -> Result<Option<Known>> {
    let mut select = connection.prepare_cached(
        "SELECT no, len, digest, number, numbers, opened_at FROM documents WHERE id = ?1",
    )?;
    let known = select.query_row([id.0], |row| {
        Ok(Known {
            no: row.get(0)?,
            len: uint(row, 1)?,
            digest: feeds::digest(row, 2)?,
            number: row.get(3)?,
            numbers: json(row, 4)?,
            opened_at: Timestamp(row.get(5)?),
        })
    });
    Ok(known.optional()?)
}

pub(super) fn insert(tx: &Savepoint<'_>, part: &DocumentCommit, len: u64) -> Result<DocumentNo> {
    let mut insert = tx.prepare_cached(
        "INSERT INTO documents (len, digest, kind, number, numbers, stage, rework, village, category, words, units,
           reporter, conflicts, anomalies, changed_at, ended_at, id, opened_by, opened_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)",
    )?;
    let opened_by = part.opened_by.map(|device| device.0);
    let more: [&dyn ToSql; 3] = [&part.id.0, &opened_by, &part.summary.opened_at.0];
    let no = with_changing(part, len, |values| {
        insert.insert([values, &more].concat().as_slice())
    })?;
    put_numbers(
        tx,
        no,
        &BTreeSet::new(),
        &all_numbers(&part.summary.number, &part.summary.numbers),
    )?;
    Ok(no)
}

pub(super) fn update(
    tx: &Savepoint<'_>,
    known: &Known,
    part: &DocumentCommit,
    len: u64,
) -> Result<()> {
    let mut update = tx.prepare_cached(
        "UPDATE documents SET len = ?1, digest = ?2, kind = ?3, number = ?4, numbers = ?5, stage = ?6, rework = ?7,
           village = ?8, category = ?9, words = ?10, units = ?11, reporter = ?12, conflicts = ?13, anomalies = ?14,
           changed_at = ?15, ended_at = ?16, retired = 0
         WHERE no = ?17",
    )?;
    with_changing(part, len, |values| {
        update.execute([values, &[&known.no]].concat().as_slice())
    })?;
    if known.opened_at != part.summary.opened_at {
        // Apart, because it hardly ever happens and would rewrite an index each time.
        tx.prepare_cached("UPDATE documents SET opened_at = ?2 WHERE no = ?1")?
            .execute(params![known.no, part.summary.opened_at.0])?;
    }
    let old = all_numbers(&known.number, &known.numbers);
    put_numbers(
        tx,
        known.no,
        &old,
        &all_numbers(&part.summary.number, &part.summary.numbers),
    )
}

/// Documents that ended before that time and are in their feeds, the longest ended first.
pub(super) fn ended(
    tx: &Savepoint<'_>,
    before: Timestamp,
    limit: usize,
) -> Result<Vec<(DocumentNo, Digest)>> {
    let mut select = tx.prepare_cached(
        "SELECT no, digest FROM documents WHERE ended_at IS NOT NULL AND retired = 0 AND ended_at < ?1
         ORDER BY ended_at LIMIT ?2",
    )?;
    let rows = select.query_map(params![before.0, bound(limit)], |row| {
        Ok((row.get(0)?, feeds::digest(row, 1)?))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Notes that a document has left its feeds by age.
pub(super) fn set_retired(tx: &Savepoint<'_>, no: DocumentNo) -> Result<()> {
    tx.prepare_cached("UPDATE documents SET retired = 1 WHERE no = ?1")?
        .execute([no])?;
    Ok(())
}

/// Hands over the values of the columns that every commit writes.
fn with_changing<T>(
    part: &DocumentCommit,
    len: u64,
    write: impl FnOnce(&[&dyn ToSql]) -> rusqlite::Result<T>,
) -> Result<T> {
    let summary = &part.summary;
    Ok(write(params![
        len.cast_signed(),
        part.digest.0.to_be_bytes(),
        summary.kind,
        summary.number,
        to_json(&summary.numbers)?,
        summary.stage,
        summary.rework,
        summary.village.map(u64::cast_signed),
        summary.category.as_ref().map(to_json).transpose()?,
        summary.words,
        to_json(&summary.units)?,
        summary.reporter.map(|person| person.0),
        summary.conflicts,
        summary.anomalies,
        summary.changed_at.0,
        summary.ended_at.map(|at| at.0),
    ])?)
}

fn all_numbers<'n>(number: &'n Option<String>, numbers: &'n [String]) -> BTreeSet<&'n str> {
    numbers.iter().chain(number).map(String::as_str).collect()
}

/// Keeps the numbers under which a document is found.
fn put_numbers(
    tx: &Savepoint<'_>,
    no: DocumentNo,
    old: &BTreeSet<&str>,
    new: &BTreeSet<&str>,
) -> Result<()> {
    for number in new.difference(old) {
        tx.prepare_cached("INSERT INTO numbers (number, document) VALUES (?1, ?2)")?
            .execute(params![number, no])?;
    }
    for number in old.difference(new) {
        tx.prepare_cached("DELETE FROM numbers WHERE number = ?1 AND document = ?2")?
            .execute(params![number, no])?;
    }
    Ok(())
}

pub(super) fn put_change(
    tx: &Savepoint<'_>,
    no: DocumentNo,
    ordinal: u64,
    change: &StoredChange,
    commit: i64,
) -> Result<()> {
    let mut insert = tx.prepare_cached(
        "INSERT INTO changes (document, ordinal, hash, body, received_at, commit_no) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    insert.execute(params![
        no,
        ordinal.cast_signed(),
        change.hash.0,
        change.body,
        change.received_at.0,
        commit
    ])?;
    Ok(())
}

pub(super) fn document(connection: &Connection, id: DocumentId) -> Result<Option<StoredDocument>> {
    let mut select = connection.prepare_cached(
        "SELECT c.hash, c.body, c.received_at, c.commit_no FROM documents d JOIN changes c ON c.document = d.no
         WHERE d.id = ?1 ORDER BY c.ordinal",
    )?;
    let rows = select.query_map([id.0], |row| {
        Ok(StoredChange {
            hash: ChangeHash(row.get(0)?),
            body: row.get(1)?,
            received_at: Timestamp(row.get(2)?),
            commit: uint(row, 3)?,
        })
    })?;
    let changes: Vec<_> = rows.collect::<rusqlite::Result<_>>()?;
    Ok((!changes.is_empty()).then_some(StoredDocument { id, changes }))
}

pub(super) fn summary(connection: &Connection, id: DocumentId) -> Result<Option<Summary>> {
    let mut select = connection.prepare_cached(&format!(
        "SELECT d.id, {SUMMARY} FROM documents d WHERE d.id = ?1"
    ))?;
    Ok(select.query_row([id.0], summary_from_row).optional()?)
}

pub(super) fn cases(
    connection: &Connection,
    query: &CaseQuery,
) -> Result<Vec<(DocumentId, Summary)>> {
    let mut from = "documents d";
    let mut conditions = vec!["d.kind = ?"];
    let kind = if query.kind.is_empty() {
        "case"
    } else {
        &query.kind
    };
    let mut values = vec![Value::from(kind.to_owned())];
    if let Some(number) = &query.number {
        from = "numbers n CROSS JOIN documents d ON d.no = n.document";
        conditions.push("n.number = ?");
        values.push(number.clone().into());
    }
    if let Some((changed_at, id)) = query.after {
        conditions.push("(d.changed_at, d.id) < (?, ?)");
        values.extend([changed_at.0.into(), id.0.to_vec().into()]);
    }
    if !query.stages.is_empty() {
        conditions.push("d.stage IN (SELECT value FROM json_each(?))");
        values.push(to_json(&query.stages)?.into());
    }
    if query.conflicts_only {
        conditions.push("d.conflicts > 0");
    }
    if let Some(scopes) = &query.scopes {
        let numbers = scopes
            .iter()
            .map(|scope| feeds::scope_no(connection, *scope))
            .collect::<Result<Vec<_>>>()?;
        conditions.push(
            "EXISTS (SELECT 1 FROM members m
               WHERE m.document = d.no AND m.scope IN (SELECT value FROM json_each(?)))",
        );
        values.push(to_json(&numbers.into_iter().flatten().collect::<Vec<_>>())?.into());
    }
    values.push(bound(query.limit).into());
    let mut select = connection.prepare_cached(&format!(
        "SELECT d.id, {SUMMARY} FROM {from} WHERE {} ORDER BY d.changed_at DESC, d.id DESC LIMIT ?",
        conditions.join(" AND ")
    ))?;
    let rows = select.query_map(params_from_iter(values), |row| {
        Ok((DocumentId(row.get(0)?), summary_from_row(row)?))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn opened_since(
    connection: &Connection,
    device: DeviceId,
    since: Timestamp,
) -> Result<u64> {
    let mut select = connection.prepare_cached(
        "SELECT count(*) FROM documents WHERE opened_by = ?1 AND opened_at >= ?2",
    )?;
    Ok(select.query_row(params![device.0, since.0], |row| uint(row, 0))?)
}

/// The highest serial of a number with this block. Goes through all numbers; asked at the start.
pub(super) fn highest_serial(connection: &Connection, block: &str) -> Result<u64> {
    let mut select = connection.prepare_cached("SELECT number FROM numbers")?;
    let mut rows = select.query([])?;
    let mut highest = 0;
    while let Some(row) = rows.next()? {
        highest = serial(
            row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?,
            block,
        )
        .unwrap_or(0)
        .max(highest);
    }
    Ok(highest)
}

pub(super) fn all_documents(connection: &Connection) -> Result<Vec<DocumentId>> {
    let mut select = connection.prepare_cached("SELECT id FROM documents ORDER BY id")?;
    let rows = select.query_map([], |row| row.get(0).map(DocumentId))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn summary_from_row(row: &Row<'_>) -> rusqlite::Result<Summary> {
    Ok(Summary {
        kind: row.get(1)?,
        number: row.get(2)?,
        numbers: json(row, 3)?,
        stage: row.get(4)?,
        rework: row.get(5)?,
        village: uint_option(row, 6)?,
        category: json_option(row, 7)?,
        words: row.get(8)?,
        units: json(row, 9)?,
        reporter: row.get::<_, Option<_>>(10)?.map(PersonId),
        conflicts: row.get(11)?,
        anomalies: row.get(12)?,
        opened_at: Timestamp(row.get(13)?),
        changed_at: Timestamp(row.get(14)?),
        ended_at: row.get::<_, Option<_>>(15)?.map(Timestamp),
    })
}
