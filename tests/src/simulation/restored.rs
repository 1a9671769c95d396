//! The server goes back to an older copy of its database, or a copy that lags behind takes over, under a new epoch; the phones heal it.
//!
//! What then is nowhere any more is lost by the disaster, not by the protocol; everything else must come back.

use std::collections::BTreeSet;
use std::sync::Arc;

use patrol_core::domain::id::{ChangeHash, EntryId, Epoch};
use patrol_core::store::enrolment;
use patrol_server::app::App;
use patrol_server::grow::Growing;
use patrol_server::store::faulty::FaultyStore;
use patrol_server::store::memory::MemoryStore;
use patrol_server::store::{NewEpoch, Store as _};
use rand::Rng as _;

use super::Simulation;
use super::audit::{entries_on_phone, entry_of};
use crate::world::Phone;

impl Simulation {
    pub(super) fn back_up_server(&mut self) {
        self.server_backup = Some(self.world.store.inner().fork());
    }

    /// The server is lost, and made out of its older copy.
    pub(super) fn restore_server(&mut self) {
        let Some(copy) = &self.server_backup else {
            return;
        };
        let copy = copy.fork();
        if self.go_on_with(copy) {
            self.suffer("server restored from a backup");
        }
    }

    /// A copy of the database begins to lag behind, and will take over.
    pub(super) fn let_a_copy_lag(&mut self) {
        if self.standby.is_none() {
            let steps = self.rng.random_range(1..8);
            self.standby = Some((self.world.store.inner().fork(), steps));
        }
    }

    /// What happens to servers as steps go by: the copy takes over from the server, which is given up; for a while one phone may still
    /// reach that one.
    pub(super) fn take_over(&mut self) {
        match &mut self.given_up {
            Some((_, 0)) => self.bring_back(),
            Some((_, left)) => *left -= 1,
            None => {}
        }
        match self.standby.take() {
            Some((copy, 0)) => {
                let (app, store) = (Arc::clone(&self.world.app), Arc::clone(&self.world.store));
                if self.go_on_with(copy) {
                    self.suffer("a copy that lagged behind took over");
                    self.lead_astray(app, store);
                }
            }
            Some((copy, left)) => self.standby = Some((copy, left - 1)),
            None => {}
        }
    }

    fn lead_astray(&mut self, app: Arc<App>, store: Arc<FaultyStore<MemoryStore>>) {
        if self.rng.random_bool(0.5) {
            let phone = self.some_phone();
            self.phones[phone].link.lead_to(app);
            self.given_up = Some((store, self.rng.random_range(1..30)));
            self.suffer("phone still led to the server given up");
        }
    }

    /// Everybody reaches the server. What only one that was given up had taken in, and nobody holds any more, goes with it.
    pub(super) fn bring_back(&mut self) {
        for phone in &self.phones {
            phone.link.lead_to(Arc::clone(&self.world.app));
        }
        if let Some((store, _)) = &self.given_up {
            let lost = changes_at(store);
            let before = self.somewhere();
            self.given_up = None;
            self.lose_what_is_nowhere(Some(before));
            self.lose_server_with(&lost);
        }
    }

    /// Another database takes the place of the server's, under a new epoch; a few times at most.
    fn go_on_with(&mut self, copy: MemoryStore) -> bool {
        if self.epochs == 3 {
            return false;
        }
        let (before, lost) = (self.somewhere(), changes_at(&self.world.store));
        self.epochs += 1;
        let new = NewEpoch {
            epoch: Epoch([self.epochs; 4]),
            suffix: self.rng.random(),
            number_block: char::from(b'A' + self.epochs).to_string(),
            since: self.world.clock.now(),
        };
        self.world.restore(copy, &new);
        self.bring_back();
        self.lose_what_is_nowhere(Some(before));
        self.lose_server_with(&lost);
        true
    }

    /// Takes down what the server has not that a lost one had, and how far each phone had counted.
    fn lose_server_with(&mut self, lost: &BTreeSet<ChangeHash>) {
        let now = changes_at(&self.world.store);
        self.taken.extend(lost.difference(&now));
        for phone in &self.phones {
            let former = self.former_n.get(&phone.device()).copied();
            let last = last_n(phone).max(former.unwrap_or(0));
            self.last_n.insert(phone.device(), last);
        }
    }

    /// Entries that somebody holds: the server, or one given up that is still reached, or a phone in whatever state.
    pub(super) fn somewhere(&self) -> BTreeSet<EntryId> {
        let mut entries = entries_at(&self.world.store);
        entries.extend(
            self.given_up
                .iter()
                .flat_map(|(store, _)| entries_at(store)),
        );
        for phone in &self.phones {
            entries.extend(entries_on_phone(phone.replica.store()));
        }
        entries.extend(self.saved_by_others());
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

/// How far a phone has counted.
pub(super) fn last_n(phone: &Phone) -> u64 {
    let last = phone.replica.store().read(enrolment::last_n);
    last.expect("a look")
}

/// The changes in a server's database, admitted or held.
fn changes_at(store: &FaultyStore<MemoryStore>) -> BTreeSet<ChangeHash> {
    let mut changes = BTreeSet::new();
    let looked = store.inner().fork().read(&mut |snapshot| {
        for id in snapshot.all_documents()? {
            let growing = Growing::load(snapshot, id)?;
            let links = growing.ledger.links().iter();
            changes.extend(links.map(|link| link.change.hash));
        }
        let held = snapshot.held(0, usize::MAX >> 8)?;
        changes.extend(held.iter().map(|(_, row)| row.hash));
        Ok(())
    });
    looked.expect("the model answers");
    changes
}

/// The entries in a server's database, admitted or held.
fn entries_at(store: &FaultyStore<MemoryStore>) -> BTreeSet<EntryId> {
    let mut entries = BTreeSet::new();
    let looked = store.inner().fork().read(&mut |snapshot| {
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
    entries
}
