//! What the contract tells of the database as a whole, for whoever watches over it.

use patrol_core::domain::time::Timestamp;

use super::Result;

/// How a database stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Figures {
    /// Changes held and not settled.
    pub held: u64,
    /// Devices that are not revoked.
    pub devices: u64,
    /// Devices that are.
    pub devices_revoked: u64,
    /// Bytes of its file; 0 where there is none.
    pub database_bytes: u64,
    /// Bytes of its log; likewise.
    pub log_bytes: u64,
    /// When a backup was last taken, as far as was noted.
    pub backup_at: Option<Timestamp>,
}

/// What can be told of a [`Store`](super::Store) without reading much of it.
pub trait Measured {
    /// How it stands.
    fn figures(&self) -> Result<Figures>;
    /// Notes that a backup was taken.
    fn note_backup(&self, now: Timestamp) -> Result<()>;
    /// Whether it can be read and written; where the last write met a disk that took nothing, one is tried.
    fn stands(&self) -> Result<()>;
    /// Looks through all of it: `Damaged` where a page is not as it must be.
    fn look_through(&self) -> Result<()>;
    /// The latest time among the last frames that were received (`limits::RECEIPTS_LOOKED_AT`).
    fn newest_receipt(&self) -> Result<Option<Timestamp>>;
    /// Moves the time up to which ended cases leave the feeds on to the one asked for, but by one step at most where it was moved before,
    /// and never back. Returns the one that holds: none later than asked for.
    fn retire_up_to(&self, asked: Timestamp, step_ms: i64) -> Result<Timestamp>;
}
