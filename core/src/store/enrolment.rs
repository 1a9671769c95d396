//! The one row of this file: who is enrolled where, and what a round remembers.

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::bytes;
use crate::domain::id::{Actor, DeviceId, Epoch, PersonId, ServerId};
use crate::domain::limits;
use crate::domain::time::Timestamp;
use crate::error::{Error, Result};

/// Who is enrolled where.
#[derive(Clone, PartialEq, Eq)]
pub struct Enrolment {
    /// Where the server is.
    pub server_url: String,
    /// Which server.
    pub server: ServerId,
    /// Of which epoch the cursors are.
    pub epoch: Epoch,
    /// This enrolment's device id.
    pub device: DeviceId,
    /// Whose it is.
    pub person: PersonId,
    /// The person's name.
    pub person_name: String,
    /// Proves to the server who calls.
    pub token: String,
    /// Ed25519 seed.
    pub seed: [u8; 32],
    /// The server's X25519 public key for rescue bundles.
    pub rescue_key: [u8; 32],
    /// Takes this phone back after a restore.
    pub certificate: [u8; 16],
    /// The actor of this install.
    pub actor: Actor,
}

impl std::fmt::Debug for Enrolment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Enrolment")
            .field("device", &self.device)
            .field("person", &self.person)
            .finish_non_exhaustive()
    }
}

/// What rounds remember from one to the next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RoundState {
    /// Tag of the set of scopes.
    pub scopes_tag: [u8; 4],
    /// Bytes of the next push frame.
    pub frame_bytes: usize,
    /// The next pages are asked for raw.
    pub raw_pages: bool,
    /// The last notice received.
    pub notice_last: u64,
    /// End of the last complete round, by the server's clock.
    pub synced_at: Option<Timestamp>,
    /// Failed rounds in a row.
    pub failures: u32,
    /// Code of the last error.
    pub last_error: Option<String>,
    /// Page frames of another epoch may have to be pushed back.
    pub relics_due: bool,
    /// What was spoilt here is still to be listed: until then nothing is pushed and nothing settled.
    pub is_mending: bool,
    /// The last contact.
    pub anchor: Option<Anchor>,
}

/// How much one request carries up, by the size of its first frame. What has become of it is told when all has gone up, so a line that
/// dies before must carry less next time, not only smaller frames.
pub fn request_bytes(frame_bytes: usize) -> usize {
    frame_bytes * limits::REQUEST_FRAMES_AIM
}

/// The server's time at the last contact, beside the device's monotonic clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Anchor {
    /// The server's clock.
    pub server: Timestamp,
    /// The monotonic clock, in milliseconds.
    pub monotonic_ms: u64,
    /// The boot in which it ran.
    pub boot: u64,
    /// Half the round trip, in milliseconds.
    pub error_ms: u64,
}

/// Who is enrolled here; none in a new file.
pub fn enrolment(connection: &Connection) -> Result<Option<Enrolment>> {
    let sql = "SELECT server_url, server, epoch, device, person, person_name, token, seed, rescue_key, certificate, actor FROM enrolment WHERE id = 1";
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement.query_row([], |row| {
        Ok(Enrolment {
            server_url: row.get(0)?,
            server: ServerId(bytes(row, 1)?),
            epoch: Epoch(bytes(row, 2)?),
            device: DeviceId(bytes(row, 3)?),
            person: PersonId(bytes(row, 4)?),
            person_name: row.get(5)?,
            token: row.get(6)?,
            seed: bytes(row, 7)?,
            rescue_key: bytes(row, 8)?,
            certificate: bytes(row, 9)?,
            actor: Actor(bytes(row, 10)?),
        })
    });
    Ok(found.optional()?)
}

/// Who is enrolled here, where somebody must be.
pub fn enrolled(connection: &Connection) -> Result<Enrolment> {
    enrolment(connection)?.ok_or(Error::NotEnrolled)
}

/// Keeps the enrolment. A file holds one; a second is refused.
pub fn put(transaction: &Transaction<'_>, enrolment: &Enrolment) -> Result<()> {
    transaction.execute(
        "INSERT INTO enrolment (id, server_url, server, epoch, device, person, person_name, token, seed, rescue_key, certificate, actor, scopes_tag, frame_bytes)
         VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        params![
            enrolment.server_url,
            enrolment.server.0,
            enrolment.epoch.0,
            enrolment.device.0,
            enrolment.person.0,
            enrolment.person_name,
            enrolment.token,
            enrolment.seed,
            enrolment.rescue_key,
            enrolment.certificate,
            enrolment.actor.0,
            [0u8; 4],
            limits::PUSH_FRAME_BYTES_FIRST as i64,
        ],
    )?;
    Ok(())
}

/// What rounds remember.
pub fn round_state(connection: &Connection) -> Result<RoundState> {
    let sql = "SELECT scopes_tag, frame_bytes, raw_pages, notice_last, synced_at, failures, last_error,
                      anchor_server_ms, anchor_monotonic_ms, anchor_boot, anchor_error_ms, relics_due, is_mending FROM enrolment WHERE id = 1";
    let mut statement = connection.prepare_cached(sql)?;
    let state = statement.query_row([], |row| {
        let anchor = match (
            row.get(7)?,
            row.get::<_, Option<i64>>(8)?,
            row.get::<_, Option<i64>>(9)?,
            row.get::<_, Option<i64>>(10)?,
        ) {
            (Some(server), Some(monotonic), Some(boot), Some(error)) => Some(Anchor {
                server: Timestamp(server),
                monotonic_ms: monotonic.cast_unsigned(),
                boot: boot.cast_unsigned(),
                error_ms: error.cast_unsigned(),
            }),
            _ => None,
        };
        Ok(RoundState {
            scopes_tag: bytes(row, 0)?,
            frame_bytes: usize::try_from(row.get::<_, i64>(1)?)
                .unwrap_or(limits::PUSH_FRAME_BYTES_FIRST),
            raw_pages: row.get(2)?,
            notice_last: row.get::<_, i64>(3)?.cast_unsigned(),
            synced_at: row.get::<_, Option<i64>>(4)?.map(Timestamp),
            failures: row.get(5)?,
            last_error: row.get(6)?,
            relics_due: row.get(11)?,
            is_mending: row.get(12)?,
            anchor,
        })
    });
    state.optional()?.ok_or(Error::NotEnrolled)
}

/// Keeps what rounds remember.
pub fn put_round_state(transaction: &Transaction<'_>, state: &RoundState) -> Result<()> {
    let anchor = state.anchor;
    transaction.prepare_cached(
        "UPDATE enrolment SET scopes_tag = ?1, frame_bytes = ?2, raw_pages = ?3, notice_last = ?4, synced_at = ?5, failures = ?6, last_error = ?7,
                anchor_server_ms = ?8, anchor_monotonic_ms = ?9, anchor_boot = ?10, anchor_error_ms = ?11, relics_due = ?12, is_mending = ?13 WHERE id = 1",
    )?
    .execute(params![
        state.scopes_tag,
        state.frame_bytes as i64,
        state.raw_pages,
        state.notice_last.cast_signed(),
        state.synced_at.map(|time| time.0),
        state.failures,
        state.last_error,
        anchor.map(|anchor| anchor.server.0),
        anchor.map(|anchor| anchor.monotonic_ms.cast_signed()),
        anchor.map(|anchor| anchor.boot.cast_signed()),
        anchor.map(|anchor| anchor.error_ms.cast_signed()),
        state.relics_due,
        state.is_mending,
    ])?;
    Ok(())
}

/// Keeps the epoch that cursors are of from now on, and the actor of this install in it.
pub fn put_epoch(transaction: &Transaction<'_>, epoch: Epoch, actor: Actor) -> Result<()> {
    transaction.execute(
        "UPDATE enrolment SET epoch = ?1, actor = ?2 WHERE id = 1",
        params![epoch.0, actor.0],
    )?;
    Ok(())
}

/// How many parts of answers have been applied here.
pub fn heard(connection: &Connection) -> Result<u64> {
    let sql = "SELECT heard FROM enrolment WHERE id = 1";
    let mut statement = connection.prepare_cached(sql)?;
    let heard: Option<i64> = statement.query_row([], |row| row.get(0)).optional()?;
    heard.map(i64::cast_unsigned).ok_or(Error::NotEnrolled)
}

/// Counts one more, of an answer that goes on where `heard` had been applied.
///
/// # Errors
/// [`Error::Overtaken`]: another program on this file has applied something since. What this answer says is not about what is here now.
pub fn hear(transaction: &Transaction<'_>, heard: u64) -> Result<()> {
    let sql = "UPDATE enrolment SET heard = heard + 1 WHERE id = 1 AND heard = ?1";
    let mut statement = transaction.prepare_cached(sql)?;
    match statement.execute([heard.cast_signed()])? {
        0 => Err(Error::Overtaken),
        _ => Ok(()),
    }
}

/// Allots the next `n`.
pub fn next_n(transaction: &Transaction<'_>) -> Result<u64> {
    let sql = "UPDATE enrolment SET n_last = n_last + 1 WHERE id = 1 RETURNING n_last";
    let n: i64 = transaction
        .prepare_cached(sql)?
        .query_row([], |row| row.get(0))
        .optional()?
        .ok_or(Error::NotEnrolled)?;
    Ok(n.cast_unsigned())
}

/// The highest `n` allotted.
pub fn last_n(connection: &Connection) -> Result<u64> {
    let n: Option<i64> = connection
        .query_row("SELECT n_last FROM enrolment WHERE id = 1", [], |row| {
            row.get(0)
        })
        .optional()?;
    Ok(n.unwrap_or(0).cast_unsigned())
}

/// Allots the place of the next local change.
pub(super) fn next_place(transaction: &Transaction<'_>) -> Result<i64> {
    let sql = "UPDATE enrolment SET place_last = place_last + 1 WHERE id = 1 RETURNING place_last";
    let place: i64 = transaction
        .prepare_cached(sql)?
        .query_row([], |row| row.get(0))
        .optional()?
        .ok_or(Error::NotEnrolled)?;
    Ok(super::changes::LOCAL_PLACE + place)
}
