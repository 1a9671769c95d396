//! Everything that goes wrong in a simulation besides the network.

use std::collections::BTreeSet;
use std::sync::Arc;

use patrol_core::domain::id::EntryId;
use patrol_core::replica::Replica;
use patrol_core::store::{Fault, Store, boxes, changes};
use patrol_server::store::faulty::CommitFault;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::{Mutation, Simulation};

impl Simulation {
    pub(super) fn fault(&mut self) {
        let phone = self.some_phone();
        self.faults += 1;
        match self.rng.random_range(0..17) {
            0..2 => self.break_phone(phone),
            14 | 15 => self.back_up(phone),
            2..4 => self.restore(phone),
            4 | 5 => self.copy(phone),
            6 => {
                let days = self.rng.random_range(-800..800);
                self.phones[phone].machine.set_skew_ms(days * 86_400_000);
                self.coverage.add("phone clock jump");
            }
            7 => {
                self.phones[phone].machine.reboot();
                self.coverage.add("phone reboot");
            }
            8..10 => {
                self.world.store.fail_next_commit(CommitFault::BeforeCommit);
                self.coverage.add("server crash before commit");
            }
            10..12 => {
                self.world.store.fail_next_commit(CommitFault::AfterCommit);
                self.coverage.add("server crash after commit");
            }
            12 => self.end_or_return_rights(),
            16 => self.retire(),
            _ => self.revoke(phone),
        }
        if self.mutation == Mutation::AckBeforeCommit {
            self.world.store.fail_next_commit(CommitFault::Lie);
        }
    }

    /// One of the next writes of a phone fails.
    fn break_phone(&mut self, phone: usize) {
        if self.mutation == Mutation::ReuseSeq {
            return;
        }
        let mut left = self.rng.random_range(0..6);
        let (fault, name) = match self.rng.random_range(0..3) {
            0 => (Fault::CrashBefore, "phone crash before commit"),
            1 => (Fault::CrashAfter, "phone crash after commit"),
            _ => (Fault::Full, "phone disk full"),
        };
        self.coverage.add(name);
        let faults = move || {
            left -= 1;
            (left == -1).then_some(fault)
        };
        self.phones[phone]
            .replica
            .store()
            .set_faults(Some(Box::new(faults)));
    }

    fn back_up(&mut self, phone: usize) {
        if let Ok(copy) = self.phones[phone].replica.store().copy() {
            self.backups[phone] = Some((copy, BTreeSet::new()));
        }
    }

    /// A phone goes back to an older copy of itself: what it had not handed in since is gone with it.
    fn restore(&mut self, phone: usize) {
        let Some((copy, since)) = self.backups[phone].take() else {
            return;
        };
        let unsent = unsent(self.phones[phone].replica.store());
        let before = self.gone.len();
        self.gone
            .extend(since.into_iter().filter(|entry| unsent.contains(entry)));
        if self.gone.len() > before {
            self.forgetful.insert(phone);
        }
        let machine = Arc::clone(&self.phones[phone].machine);
        self.phones[phone].replica = Replica::on(copy, machine);
        self.coverage.add("phone restored from an older copy");
    }

    /// A second phone lives on a copy of the first, for the rest of the course.
    fn copy(&mut self, phone: usize) {
        if self.phones.len() > 7 || self.copied.contains(&phone) {
            return;
        }
        let Ok(copy) = self.phones[phone].replica.store().copy() else {
            return;
        };
        let twin = self
            .world
            .twin(&self.phones[phone], copy, self.phones.len() as u64 + 1);
        twin.link.set_weather(crate::link::Weather {
            mishaps_percent: 30,
        });
        twin.link.mutate(self.mutation);
        self.copied.extend([phone, self.phones.len()]);
        self.phones.push(twin);
        self.names.push(self.names[phone].clone());
        self.backups.push(None);
        self.coverage.add("phone copied");
    }

    /// An inspector loses his beat, or gets it back: work done in between goes to review.
    fn end_or_return_rights(&mut self) {
        let now = self.world.clock.now();
        let mut directory = self.world.app.known().directory.clone();
        let name = &self.names[self.rng.random_range(0..4)];
        let Some(person) = directory
            .people
            .iter_mut()
            .find(|person| person.name == *name)
        else {
            return;
        };
        let is_over = person.posts.iter().all(|post| post.until.is_some());
        if is_over {
            let mut again = person.posts[0];
            (again.from, again.until) = (now, None);
            person.posts.push(again);
            self.coverage.add("right returned");
        } else {
            person
                .posts
                .iter_mut()
                .filter(|post| post.until.is_none())
                .for_each(|post| post.until = Some(now));
            self.coverage.add("right ended");
        }
        drop(self.world.app.put_directory(&directory));
    }

    /// Some cases that have ended leave their feeds, as if long ago.
    fn retire(&mut self) {
        let retired = self.world.app.store.retire(self.world.clock.now(), 3);
        self.coverage
            .add_many("case left its feeds by age", retired.unwrap_or(0));
    }

    /// A phone is reported lost: its feed stops, what it wrote is still collected. The person gets a new one.
    fn revoke(&mut self, phone: usize) {
        if phone >= 5 || self.copied.contains(&phone) || self.rng.random_bool(0.5) {
            return;
        }
        let device = self.phones[phone].device();
        drop(self.world.app.store.revoke(device, self.world.clock.now()));
        let name = self.names[phone].clone();
        let new = self.world.enrol_as(&name, self.phones.len() as u64 + 1);
        new.link.set_weather(crate::link::Weather {
            mishaps_percent: 30,
        });
        new.link.mutate(self.mutation);
        self.phones.push(new);
        self.names.push(name);
        self.backups.push(None);
        self.copied.insert(phone);
        self.coverage.add("device revoked");
    }
}

/// A phone's disk that now and then says it has written what it has not.
pub fn lies(seed: u64) -> patrol_core::store::Faults {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    Box::new(move || rng.random_bool(0.05).then_some(Fault::Lie))
}

/// The entries that a phone has not handed in.
pub(super) fn unsent(store: &Store) -> BTreeSet<EntryId> {
    let kept = store.read(|connection| {
        let mut entries = BTreeSet::new();
        for change in changes::outbox(connection, 0, 10_000)? {
            let body = changes::body(connection, change.document, change.hash)?.unwrap_or_default();
            entries.extend(super::audit::entry_of(change.document, &body));
        }
        entries.extend(
            boxes::all(connection)?
                .into_iter()
                .filter_map(|change| change.entry),
        );
        Ok(entries)
    });
    kept.unwrap_or_default()
}
