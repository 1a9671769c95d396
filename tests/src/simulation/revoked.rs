//! What is still on a phone that is revoked: it says no more for itself, so it must have a way in by somebody else.
//!
//! It hands in, so it is asked last of all.

use std::collections::BTreeSet;

use patrol_core::domain::id::ChangeHash;
use patrol_core::sync::rescue::Bundle;
use patrol_server::bundle;
use patrol_server::grow::Growing;
use patrol_server::store::Store as _;

use super::Simulation;
use super::drowned::{Saved, opened};
use crate::world::Phone;

impl Simulation {
    /// The bundle of each revoked phone, handed in at the office, is taken: nothing in it is turned away unread, and nothing waits without
    /// a reason.
    pub(super) fn revoked_phones_hand_in(&mut self) -> Result<(), String> {
        for (number, phone) in self.phones.iter().enumerate() {
            if phone.is_revoked(&self.world.app) {
                let brought = self.hands_in(phone);
                let brought = brought.map_err(|what| format!("phone {number}, revoked: {what}"))?;
                self.coverage
                    .add_many("handed in for a revoked phone", brought);
            }
        }
        Ok(())
    }

    /// Returns of how many changes the server has heard by it for the first time.
    fn hands_in(&self, phone: &Phone) -> Result<usize, String> {
        let file = phone.replica.rescue_bundle();
        let file = file.map_err(|error| format!("no bundle: {error}"))?;
        let pieces = Bundle::decode(&file).expect("a phone's own file").pieces;
        let saved: Vec<Saved> = pieces
            .iter()
            .flat_map(|piece| opened(&self.world.app, piece))
            .collect();
        let before = self.unheard(&saved);
        // A piece may build on one that stands behind it.
        for _ in 0..2 {
            let told = bundle::hand_in(&self.world.app, &file).expect("the model answers");
            let handed = told.expect("its own server's");
            if handed.unread > 0 {
                return Err(format!("{handed:?} of {saved:?}"));
            }
        }
        let after = self.unheard(&saved);
        let may_wait = self.rightly_waiting(&saved);
        match after.difference(&may_wait).next() {
            Some(waits) => Err(format!("change {waits} waits: {saved:?}")),
            None => Ok(before.len() - after.len()),
        }
    }

    /// Those of these changes that the server has in no place and no box, and whose entry it has not either.
    fn unheard(&self, saved: &[Saved]) -> BTreeSet<ChangeHash> {
        let mut unheard = BTreeSet::new();
        let look = self.world.store.inner().fork().read(&mut |snapshot| {
            for saved in saved {
                let ledger = Growing::load(snapshot, saved.document)?.ledger;
                let is_in = ledger.place(&saved.hash).is_some()
                    || ledger.links().iter().any(|link| {
                        let entry = link.entry.as_ref();
                        entry.is_some_and(|(id, _)| *id == saved.entry)
                    });
                if !is_in && snapshot.boxed(saved.device, saved.hash)?.is_none() {
                    unheard.insert(saved.hash);
                }
            }
            Ok(())
        });
        look.expect("the model answers");
        unheard
    }
}
