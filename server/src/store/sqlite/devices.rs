//! Tables `devices` and `enrol_codes`.
//!
//! What a device may do is decided elsewhere.

use patrol_core::domain::id::{DeviceId, Epoch, PersonId};
use patrol_core::domain::limits;
use patrol_core::domain::time::Timestamp;
use patrol_core::sync::wire::Status;
use rusqlite::{Connection, OptionalExtension as _, Row, Savepoint, params};

use super::columns::{bound, json_option, to_json, uint, uint_option};
use super::whole;
use crate::store::whole::Visit;
use crate::store::{Device, Result, StoreError};

/// The columns of a device, in the order in which [`from_row`] reads them.
macro_rules! select_devices {
    ($rest:literal) => {
        concat!(
            "SELECT d.id, d.person, d.public_key, d.enrolled_at, d.revoked_at, d.revoked_bytes, d.revoked_empty,
             d.seen_at, d.free_bytes, d.version, d.clock_offset_ms, d.outbox, d.outbox_age_ms, d.kept_back,
             d.photo_bytes_due, d.last_error, (SELECT coalesce(max(f.n), 0) FROM fates f WHERE f.device = d.id),
             d.n_told
             FROM devices d ",
            $rest
        )
    };
}

pub(super) fn put_enrol_code(
    tx: &Savepoint<'_>,
    code: [u8; 32],
    person: PersonId,
    until: Timestamp,
) -> Result<()> {
    let mut upsert = tx.prepare_cached(
        "INSERT INTO enrol_codes (code, person, until) VALUES (?1, ?2, ?3)
         ON CONFLICT (code) DO UPDATE SET person = excluded.person, until = excluded.until",
    )?;
    upsert.execute(params![code, person.0, until.0])?;
    Ok(())
}

pub(super) fn enrol(
    tx: &Savepoint<'_>,
    epoch: Epoch,
    code: [u8; 32],
    public_key: [u8; 32],
    token: [u8; 32],
    now: Timestamp,
) -> Result<Option<Device>> {
    let mut take = tx.prepare_cached(
        "DELETE FROM enrol_codes WHERE code = ?1 AND until >= ?2 RETURNING person",
    )?;
    let Some(person) = take
        .query_row(params![code, now.0], |row| row.get(0).map(PersonId))
        .optional()?
    else {
        return Ok(None);
    };
    let number = tx
        .prepare_cached("UPDATE counters SET device_no = device_no + 1 RETURNING device_no")?
        .query_row([], |row| row.get::<_, u32>(0))?;
    let id = DeviceId::new(epoch, number);
    tx.prepare_cached("INSERT INTO devices (id, person, public_key, token, enrolled_at) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![id.0, person.0, public_key, token, now.0])?;
    device(tx, id)
}

/// What a contact tells comes with the next one.
pub(super) fn take_back(tx: &Savepoint<'_>, back: &Device, token: [u8; 32]) -> Result<bool> {
    if device(tx, back.id)?.is_some() {
        return Ok(false);
    }
    let sql = "INSERT INTO devices (id, person, public_key, token, enrolled_at, revoked_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let revoked_at = back.revoked_at.map(|at| at.0);
    let values = params![
        back.id.0,
        back.person.0,
        back.public_key,
        token,
        back.enrolled_at.0,
        revoked_at
    ];
    tx.prepare_cached(sql)?.execute(values)?;
    tx.prepare_cached("INSERT INTO notice_heads (device, last) VALUES (?1, ?2)")?
        .execute(params![back.id.0, back.enrolled_at.0])?;
    Ok(true)
}

pub(super) fn forget_codes(tx: &Savepoint<'_>, now: Timestamp) -> Result<()> {
    tx.prepare_cached("DELETE FROM enrol_codes WHERE until < ?1")?
        .execute([now.0])?;
    Ok(())
}

pub(super) fn revoke(tx: &Savepoint<'_>, device: DeviceId, now: Timestamp) -> Result<()> {
    tx.prepare_cached("UPDATE devices SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL")?
        .execute(params![device.0, now.0])?;
    Ok(())
}

pub(super) fn add_revoked_bytes(tx: &Savepoint<'_>, device: DeviceId, bytes: u64) -> Result<()> {
    let grown = tx
        .prepare_cached(
            "UPDATE devices SET revoked_bytes = revoked_bytes + ?2 WHERE id = ?1 AND revoked_bytes + ?2 <= ?3",
        )?
        .execute(params![device.0, bytes.cast_signed(), bound(limits::REVOKED_BYTES_MAX)])?;
    // Another request of the device was quicker: judged again, this one is too much.
    if grown == 0 {
        Err(StoreError::Stale)
    } else {
        Ok(())
    }
}

pub(super) fn put_told(tx: &Savepoint<'_>, device: DeviceId, n: u64) -> Result<()> {
    tx.prepare_cached("UPDATE devices SET n_told = ?2 WHERE id = ?1")?
        .execute(params![device.0, n.cast_signed()])?;
    Ok(())
}

pub(super) fn lessen_outbox(tx: &Savepoint<'_>, device: DeviceId, changes: u64) -> Result<()> {
    let sql = "UPDATE devices SET outbox = nullif(max(outbox - ?2, 0), 0) WHERE id = ?1 AND outbox IS NOT NULL";
    tx.prepare_cached(sql)?
        .execute(params![device.0, changes.cast_signed()])?;
    Ok(())
}

pub(super) fn note_contact(
    tx: &Savepoint<'_>,
    device: DeviceId,
    now: Timestamp,
    status: &Status,
) -> Result<()> {
    let mut update = tx.prepare_cached(
        "UPDATE devices SET
           seen_at = ?2,
           free_bytes = ?3,
           version = coalesce(?4, version),
           clock_offset_ms = coalesce(?5, clock_offset_ms),
           outbox = ?6,
           outbox_age_ms = ?7,
           kept_back = coalesce(?8, kept_back),
           photo_bytes_due = coalesce(?9, photo_bytes_due),
           last_error = ?10
         WHERE id = ?1",
    )?;
    update.execute(params![
        device.0,
        now.0,
        status.free_bytes.map(u64::cast_signed),
        status.version,
        status.clock_offset_ms,
        status.outbox.map(u64::cast_signed),
        status.outbox_age_ms.map(u64::cast_signed),
        status.kept_back.as_ref().map(to_json).transpose()?,
        status.photo_bytes_due.map(u64::cast_signed),
        status.last_error,
    ])?;
    Ok(())
}

pub(super) fn note_emptied(tx: &Savepoint<'_>, device: DeviceId) -> Result<()> {
    let sql = "UPDATE devices SET revoked_empty = 1 WHERE id = ?1 AND revoked_at IS NOT NULL";
    tx.prepare_cached(sql)?.execute([device.0])?;
    Ok(())
}

/// It has something to hand in again.
pub(super) fn reopen(tx: &Savepoint<'_>, device: DeviceId) -> Result<()> {
    let sql = "UPDATE devices SET revoked_empty = 0 WHERE id = ?1";
    tx.prepare_cached(sql)?.execute([device.0])?;
    Ok(())
}

pub(super) fn device(connection: &Connection, id: DeviceId) -> Result<Option<Device>> {
    let mut select = connection.prepare_cached(select_devices!("WHERE d.id = ?1"))?;
    Ok(select.query_row([id.0], from_row).optional()?)
}

pub(super) fn device_of_token(connection: &Connection, token: [u8; 32]) -> Result<Option<Device>> {
    let mut select = connection.prepare_cached(select_devices!("WHERE d.token = ?1"))?;
    Ok(select.query_row([token], from_row).optional()?)
}

pub(super) fn devices(connection: &Connection) -> Result<Vec<Device>> {
    let mut select = connection.prepare_cached(select_devices!("ORDER BY d.id"))?;
    let rows = select.query_map([], from_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// All devices, for who looks whether they agree.
pub(super) fn all(connection: &Connection, visit: Visit<'_, Device>) -> Result<()> {
    whole::each(
        connection,
        select_devices!("ORDER BY d.id"),
        [],
        from_row,
        visit,
    )
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Device> {
    Ok(Device {
        id: DeviceId(row.get(0)?),
        person: PersonId(row.get(1)?),
        public_key: row.get(2)?,
        enrolled_at: Timestamp(row.get(3)?),
        revoked_at: row.get::<_, Option<i64>>(4)?.map(Timestamp),
        revoked_bytes: uint(row, 5)?,
        revoked_empty: row.get(6)?,
        seen_at: row.get::<_, Option<i64>>(7)?.map(Timestamp),
        status: Status {
            free_bytes: uint_option(row, 8)?,
            version: row.get(9)?,
            clock_offset_ms: row.get(10)?,
            outbox: uint_option(row, 11)?,
            outbox_age_ms: uint_option(row, 12)?,
            kept_back: json_option(row, 13)?,
            photo_bytes_due: uint_option(row, 14)?,
            last_error: row.get(15)?,
        },
        n_max: uint(row, 16)?,
        n_told: uint(row, 17)?,
    })
}
