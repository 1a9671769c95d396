//! Table `boxed`: changes that were not admitted.
//!
//! Nothing leaves a box; a row tells how it was settled.

use patrol_core::domain::id::{ChangeHash, DeviceId, DocumentId, PersonId};
use patrol_core::domain::refusal::Refusal;
use patrol_core::domain::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, Savepoint, params};

use super::columns::{bound, strange, uint, uint_option};
use super::whole;
use crate::store::whole::Visit;
use crate::store::{BoxedAs, BoxedChange, BoxedSince, Result, Settled};

/// The columns of a row, in the order in which [`from_row`] reads them.
macro_rules! select_boxed {
    ($rest:literal) => {
        concat!(
            "SELECT device, document, hash, body, person, refusal, boxed_at,
             settled_by, settled_at, settled_words, released, no FROM boxed ",
            $rest
        )
    };
}

pub(super) fn put_boxed(tx: &Savepoint<'_>, row: &BoxedChange) -> Result<()> {
    let mut upsert = tx.prepare_cached(
        "INSERT INTO boxed (device, document, hash, body, person, refusal, boxed_at,
           settled_by, settled_at, settled_words, released)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
         ON CONFLICT (device, hash) DO UPDATE SET document = excluded.document, body = excluded.body,
           person = excluded.person, refusal = excluded.refusal, boxed_at = excluded.boxed_at,
           settled_by = excluded.settled_by, settled_at = excluded.settled_at,
           settled_words = excluded.settled_words, released = excluded.released
         WHERE boxed.settled_at IS NULL OR boxed.refusal = ?12",
    )?;
    let refusal = match row.state {
        BoxedAs::Held => None,
        BoxedAs::Refused(number) => Some(number.cast_signed()),
    };
    let settled = row.settled.as_ref();
    upsert.execute(params![
        row.device.0,
        row.document.0,
        row.hash.0,
        row.body,
        row.person.map(|person| person.0),
        refusal,
        row.boxed_at.0,
        settled.map(|settled| settled.person.0),
        settled.map(|settled| settled.at.0),
        settled.map(|settled| &settled.words),
        settled.map(|settled| settled.released),
        Refusal::Quarantined.number().cast_signed(),
    ])?;
    Ok(())
}

pub(super) fn boxed(
    connection: &Connection,
    device: DeviceId,
    hash: ChangeHash,
) -> Result<Option<BoxedChange>> {
    let mut select = connection.prepare_cached(select_boxed!("WHERE device = ?1 AND hash = ?2"))?;
    Ok(select
        .query_row(params![device.0, hash.0], from_row)
        .optional()?)
}

pub(super) fn is_held(tx: &Savepoint<'_>, device: DeviceId, hash: ChangeHash) -> Result<bool> {
    let mut select = tx.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM boxed WHERE device = ?1 AND hash = ?2 AND refusal IS NULL AND settled_at IS NULL)",
    )?;
    Ok(select.query_row(params![device.0, hash.0], |row| row.get(0))?)
}

pub(super) fn held_of(connection: &Connection, document: DocumentId) -> Result<Vec<BoxedChange>> {
    let mut select = connection.prepare_cached(select_boxed!(
        "WHERE document = ?1 AND refusal IS NULL AND settled_at IS NULL ORDER BY no"
    ))?;
    let rows = select.query_map([document.0], from_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// What [`held_of`] finds, by device and hash.
pub(super) fn held_keys(
    connection: &Connection,
    document: DocumentId,
) -> Result<Vec<(DeviceId, ChangeHash)>> {
    let mut select = connection.prepare_cached(
        "SELECT device, hash FROM boxed WHERE document = ?1 AND refusal IS NULL AND settled_at IS NULL ORDER BY no",
    )?;
    let rows = select.query_map([document.0], |row| {
        Ok((DeviceId(row.get(0)?), ChangeHash(row.get(1)?)))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn boxed_since(
    connection: &Connection,
    device: DeviceId,
    since: Timestamp,
) -> Result<BoxedSince> {
    let mut select = connection.prepare_cached(
        "SELECT count(*), coalesce(sum(length(body)), 0) FROM boxed WHERE device = ?1 AND boxed_at >= ?2",
    )?;
    Ok(select.query_row(params![device.0, since.0], |row| {
        Ok(BoxedSince {
            rows: uint(row, 0)?,
            bytes: uint(row, 1)?,
        })
    })?)
}

pub(super) fn held(
    connection: &Connection,
    after: u64,
    limit: usize,
) -> Result<Vec<(u64, BoxedChange)>> {
    // The sign keeps the planner to the index of what is held: the table keeps every refused change too.
    let mut select = connection.prepare_cached(select_boxed!(
        "WHERE refusal IS NULL AND settled_at IS NULL AND +no > ?1 ORDER BY no LIMIT ?2"
    ))?;
    let rows = select.query_map(params![after.cast_signed(), bound(limit)], |row| {
        Ok((row.get::<_, i64>(11)?.cast_unsigned(), from_row(row)?))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// All rows, for who looks whether they agree.
pub(super) fn all(connection: &Connection, visit: Visit<'_, (u64, BoxedChange)>) -> Result<()> {
    let read = |row: &Row<'_>| Ok((row.get::<_, i64>(11)?.cast_unsigned(), from_row(row)?));
    whole::each(connection, select_boxed!("ORDER BY no"), [], read, visit)
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<BoxedChange> {
    let settled = match row.get::<_, Option<[u8; 8]>>(7)? {
        None => None,
        Some(person) => Some(Settled {
            person: PersonId(person),
            at: Timestamp(row.get(8)?),
            words: row.get(9)?,
            released: row
                .get::<_, Option<bool>>(10)?
                .ok_or_else(|| strange(10, "settled, but how?"))?,
        }),
    };
    Ok(BoxedChange {
        device: DeviceId(row.get(0)?),
        document: DocumentId(row.get(1)?),
        hash: ChangeHash(row.get(2)?),
        body: row.get(3)?,
        person: row.get::<_, Option<_>>(4)?.map(PersonId),
        state: uint_option(row, 5)?.map_or(BoxedAs::Held, BoxedAs::Refused),
        boxed_at: Timestamp(row.get(6)?),
        settled,
    })
}
