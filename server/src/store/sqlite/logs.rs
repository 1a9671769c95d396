//! Tables `fates`, `batches`, `notices` and `notice_heads`.
//!
//! It does not look for holes in the log.

use patrol_core::cbor::{Reader, Writer};
use patrol_core::domain::id::{DeviceId, EntryId};
use patrol_core::domain::time::Timestamp;
use patrol_core::sync::wire::Notice;
use rusqlite::{Connection, Savepoint, params};

use super::columns::{bound, strange, uint};
use crate::store::{BatchRow, FateRow, Result};

pub(super) fn put_fate(tx: &Savepoint<'_>, row: &FateRow) -> Result<()> {
    let mut upsert = tx.prepare_cached(
        "INSERT INTO fates (device, n, entry, fate) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (device, n, entry) DO UPDATE SET fate = excluded.fate",
    )?;
    upsert.execute(params![
        row.device.0,
        row.n.cast_signed(),
        row.entry.0,
        row.fate
    ])?;
    Ok(())
}

pub(super) fn fates(
    connection: &Connection,
    device: DeviceId,
    first: u64,
    limit: usize,
) -> Result<Vec<FateRow>> {
    let mut select = connection.prepare_cached(
        "SELECT device, n, entry, fate FROM fates WHERE device = ?1 AND n >= ?2 ORDER BY n, entry LIMIT ?3",
    )?;
    let rows = select.query_map(params![device.0, bound(first), bound(limit)], |row| {
        Ok(FateRow {
            device: DeviceId(row.get(0)?),
            n: uint(row, 1)?,
            entry: EntryId(row.get(2)?),
            fate: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The highest `n` in a device's log.
pub(super) fn n_max(connection: &Connection, device: DeviceId) -> Result<u64> {
    let mut select =
        connection.prepare_cached("SELECT coalesce(max(n), 0) FROM fates WHERE device = ?1")?;
    Ok(select.query_row([device.0], |row| uint(row, 0))?)
}

pub(super) fn put_batch(tx: &Savepoint<'_>, row: &BatchRow) -> Result<()> {
    let mut insert = tx.prepare_cached(
        "INSERT INTO batches (device, first_n, last_n, leaves, signature, received_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    let (first, last) = row.n;
    insert.execute(params![
        row.device.0,
        first.cast_signed(),
        last.cast_signed(),
        row.leaves,
        row.signature,
        row.received_at.0,
    ])?;
    Ok(())
}

pub(super) fn proofs_since(
    connection: &Connection,
    device: DeviceId,
    since: Timestamp,
) -> Result<u64> {
    let mut select = connection.prepare_cached(
        "SELECT coalesce(sum(length(leaves)), 0) FROM batches WHERE device = ?1 AND received_at >= ?2",
    )?;
    Ok(select.query_row(params![device.0, since.0], |row| uint(row, 0))?)
}

pub(super) fn batches(connection: &Connection, device: DeviceId) -> Result<Vec<BatchRow>> {
    let mut select = connection.prepare_cached(
        "SELECT device, first_n, last_n, leaves, signature, received_at FROM batches WHERE device = ?1 ORDER BY no",
    )?;
    let rows = select.query_map([device.0], |row| {
        Ok(BatchRow {
            device: DeviceId(row.get(0)?),
            n: (uint(row, 1)?, uint(row, 2)?),
            leaves: row.get(3)?,
            signature: row.get(4)?,
            received_at: Timestamp(row.get(5)?),
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn put_notice(tx: &Savepoint<'_>, device: DeviceId, notice: &Notice) -> Result<()> {
    let mut draw = tx.prepare_cached(
        "INSERT INTO notice_heads (device, last) VALUES (?1, 1)
         ON CONFLICT (device) DO UPDATE SET last = last + 1 RETURNING last",
    )?;
    let number = draw.query_row([device.0], |row| row.get::<_, i64>(0))?;
    let mut w = Writer::default();
    notice.write(&mut w);
    tx.prepare_cached("INSERT INTO notices (device, number, notice) VALUES (?1, ?2, ?3)")?
        .execute(params![device.0, number, w.finish()])?;
    Ok(())
}

pub(super) fn notices(
    connection: &Connection,
    device: DeviceId,
    after: u64,
) -> Result<Vec<(u64, Notice)>> {
    let mut select = connection.prepare_cached(
        "SELECT number, notice FROM notices WHERE device = ?1 AND number > ?2 ORDER BY number",
    )?;
    let rows = select.query_map(params![device.0, bound(after)], |row| {
        let notice = Notice::read(&mut Reader::new(row.get_ref(1)?.as_blob()?));
        Ok((
            uint(row, 0)?,
            notice.map_err(|_| strange(1, "not a notice"))?,
        ))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn forget_notices(tx: &Savepoint<'_>, device: DeviceId, up_to: u64) -> Result<()> {
    tx.prepare_cached("DELETE FROM notices WHERE device = ?1 AND number <= ?2")?
        .execute(params![device.0, bound(up_to)])?;
    Ok(())
}
