//! What is still on a phone that is revoked: it says no more for itself, so it must have a way in by somebody else.
//!
//! It hands in, so it is asked last of all.

use patrol_core::sync::rescue::Bundle;
use patrol_server::bundle::{self, Handed};

use super::Simulation;
use super::drowned::opened;

impl Simulation {
    /// The bundle of each revoked phone, handed in at the office, is taken: nothing in it is turned away unread, and nothing waits without
    /// a reason.
    pub(super) fn revoked_phones_hand_in(&mut self) -> Result<(), String> {
        for (number, phone) in self.phones.iter().enumerate() {
            if !phone.is_revoked(&self.world.app) {
                continue;
            }
            let file = phone.replica.rescue_bundle();
            let file = file.map_err(|error| format!("phone {number}: no bundle: {error}"))?;
            let pieces = Bundle::decode(&file).expect("a phone's own file").pieces;
            let saved: Vec<_> = pieces
                .iter()
                .flat_map(|piece| opened(&self.world.app, piece))
                .collect();
            let mut handed = Handed::default();
            // A piece may build on one that stands behind it.
            for _ in 0..2 {
                let told = bundle::hand_in(&self.world.app, &file);
                handed = told.expect("the model answers").expect("its own server's");
            }
            let waiting = self.rightly_waiting(&saved);
            let may_wait = saved.iter().filter(|saved| waiting.contains(&saved.hash));
            if handed.unread > 0 || handed.waiting > may_wait.count() as u64 {
                return Err(format!("phone {number}, revoked: {handed:?} of {saved:?}"));
            }
            let brought = handed.taken + handed.held;
            self.coverage
                .add_many("handed in for a revoked phone", brought as usize);
        }
        Ok(())
    }
}
