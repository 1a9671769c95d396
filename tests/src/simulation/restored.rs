//! The server goes back to an older copy of its database, under a new epoch, and the phones heal it.
//!
//! What then is nowhere any more is lost by the disaster, not by the protocol; everything else must come back.

use std::collections::BTreeSet;

use patrol_core::domain::id::{EntryId, Epoch};
use patrol_server::grow::Growing;
use patrol_server::store::NewEpoch;
use rand::Rng as _;

use super::Simulation;
use super::audit::{entries_on_phone, entry_of};

impl Simulation {
    pub(super) fn back_up_server(&mut self) {
        self.server_backup = Some(self.world.store.inner().fork());
    }

    /// The server is lost, and made out of its older copy.
    pub(super) fn restore_server(&mut self) {
        if self.epochs == 3 {
            return;
        }
        let Some(copy) = &self.server_backup else {
            return;
        };
        let copy = copy.fork();
        let before = self.somewhere();
        self.epochs += 1;
        let new = NewEpoch {
            epoch: Epoch([self.epochs; 4]),
            suffix: self.rng.random(),
            number_block: char::from(b'A' + self.epochs).to_string(),
            since: self.world.clock.now(),
        };
        self.world.restore(copy, &new);
        for phone in &self.phones {
            phone.link.lead_to(std::sync::Arc::clone(&self.world.app));
        }
        self.lose_what_is_nowhere(Some(before));
        self.suffer("server restored from a backup");
    }

    /// Entries that somebody holds: the server, or a phone in whatever state.
    pub(super) fn somewhere(&self) -> BTreeSet<EntryId> {
        let mut entries = BTreeSet::new();
        let read = self.world.store.inner().fork();
        let looked = patrol_server::store::Store::read(&read, &mut |snapshot| {
            for id in snapshot.all_documents()? {
                let growing = Growing::load(snapshot, id)?;
                let links = growing.ledger.links().iter();
                entries.extend(links.filter_map(|link| Some(link.entry.as_ref()?.0)));
            }
            let held = snapshot.held(0, usize::MAX >> 8)?;
            let held = held.iter();
            entries.extend(held.filter_map(|(_, row)| entry_of(row.document, &row.body)));
            Ok(())
        });
        looked.expect("the model answers");
        for phone in &self.phones {
            entries.extend(entries_on_phone(phone.replica.store()));
        }
        entries
    }

    /// A disaster has happened: what was somewhere before, and is nowhere now, is gone.
    pub(super) fn lose_what_is_nowhere(&mut self, before: Option<BTreeSet<EntryId>>) {
        if let Some(before) = before {
            let after = self.somewhere();
            self.gone.extend(before.difference(&after));
        }
    }
}
