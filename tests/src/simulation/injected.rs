//! What a phone would never record by itself: an app with a bug, and an app of next year.

use patrol_core::domain::action::Action;
use patrol_core::domain::capability::Capability;
use patrol_core::domain::time::At;
use rand::Rng as _;

use super::Simulation;
use crate::tamper;

/// An action that no program knows yet.
const OF_NEXT_YEAR: u64 = 4_000;

impl Simulation {
    /// An app records past all self-checks: what nobody allowed (a closing, to be refused), what does not fit (taking back a
    /// report that was accepted, to be kept as an anomaly), or what only a newer server will know (to wait).
    pub(super) fn inject(&mut self) {
        let phone = self.some_phone();
        let Some(document) = self.some_document() else {
            return;
        };
        let (kind, capability) = match self.rng.random_range(0..7) {
            0..3 => (Action::Close.code(), Capability::Close),
            3..6 => (Action::Withdraw.code(), Capability::Report),
            _ => (OF_NEXT_YEAR, Capability::Inspect),
        };
        if kind == OF_NEXT_YEAR {
            // Whatever becomes of this write: a program may die right after it.
            self.of_next_year.insert(document);
        }
        let at = At::wall(self.world.clock.now());
        let replica = &self.phones[phone].replica;
        let injected = tamper::record(replica, document, (kind, capability), at);
        if let Ok(Some(entry)) = injected {
            self.log(entry, document, Some(phone));
        }
    }
}
