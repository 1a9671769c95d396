//! Who the server is, for as long as its record lives and within an epoch.

use patrol_core::domain::id::{Actor, DeviceId, Epoch, ServerId};
use patrol_core::domain::time::Timestamp;

/// Who the server is. Drawn once, when the database is made.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// For as long as the record lives.
    pub server: ServerId,
    /// Since the last jump back.
    pub epoch: Epoch,
    /// The server's own device of this epoch.
    pub device: DeviceId,
    /// The actor of its ordinary commits in this epoch.
    pub actor: Actor,
    /// Marks the case numbers of this epoch; empty in the first.
    pub number_block: String,
    /// Key of page tags and certificates. Kept beside the database and in backups.
    pub page_key: [u8; 32],
    /// Secret key to which rescue bundles are encrypted (X25519).
    pub rescue_key: [u8; 32],
}

/// Who the server is in a new epoch, drawn anew.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewEpoch {
    /// The epoch.
    pub epoch: Epoch,
    /// The rest of the server's usual actor.
    pub suffix: [u8; 8],
    /// Marks the case numbers.
    pub number_block: String,
    /// When it begins, in milliseconds since 1970: the notices of each device are numbered on from there, so that none has the number of one
    /// that a phone has heard from a lost epoch.
    pub since: Timestamp,
}

impl Identity {
    /// The same server in a new epoch.
    #[must_use]
    pub fn renewed(&self, new: &NewEpoch) -> Self {
        let device = DeviceId::new(new.epoch, 0);
        Self {
            epoch: new.epoch,
            device,
            actor: Actor::new(device, new.suffix),
            number_block: new.number_block.clone(),
            ..self.clone()
        }
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity")
            .field("server", &self.server)
            .field("epoch", &self.epoch)
            .finish_non_exhaustive()
    }
}
