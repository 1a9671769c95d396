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
}
