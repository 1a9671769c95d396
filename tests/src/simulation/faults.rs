//! Everything that goes wrong in a simulation besides the network.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use patrol_core::domain::id::EntryId;
use patrol_core::replica::Replica;
use patrol_core::store::{Fault, Faults, Store, boxes, changes};
use patrol_server::store::faulty::{Break, Call};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::restored::last_n;
use super::{Mutation, Simulation};

/// What a phone's disk has done since somebody last looked.
#[derive(Clone, Debug, Default)]
pub struct Hits(Arc<Mutex<Vec<Fault>>>);

impl Hits {
    fn note(&self, fault: Fault) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(fault);
    }

    fn take(&self) -> Vec<Fault> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Simulation {
    /// Something goes wrong, now or at one of the next calls of a store.
    pub(super) fn fault(&mut self) {
        let phone = self.some_phone();
        match self.rng.random_range(0..26) {
            0..4 => self.break_phone(phone),
            4 | 5 => self.back_up(phone),
            6 | 7 => self.restore(phone),
            8 | 9 => self.copy(phone),
            10 => {
                let days = self.rng.random_range(-800..800);
                self.phones[phone].machine.set_skew_ms(days * 86_400_000);
                self.suffer("phone clock jump");
            }
            11 => {
                self.phones[phone].machine.reboot();
                self.suffer("phone reboot");
            }
            12..16 => self.break_server(),
            16 => self.end_or_return_rights(),
            17 => self.retire(),
            18 => self.back_up_server(),
            19 | 20 => self.restore_server(),
            21..24 => self.rescue(phone),
            24 => self.let_a_copy_lag(),
            _ => self.revoke(phone),
        }
        if self.mutation == Mutation::AckBeforeCommit {
            self.world.store.break_next(Call::Commit, Break::Lie);
        }
    }

    pub(super) fn suffer(&mut self, what: &str) {
        self.faults += 1;
        self.coverage.add(what);
    }

    /// One of the next writes of a phone fails.
    fn break_phone(&mut self, phone: usize) {
        if self.mutation == Mutation::ReuseSeq {
            return;
        }
        let mut left = self.rng.random_range(0..6);
        let fault = match self.rng.random_range(0..3) {
            0 => Fault::CrashBefore,
            1 => Fault::CrashAfter,
            _ => Fault::Full,
        };
        let hits = self.hits[phone].clone();
        let faults: Faults = Box::new(move || {
            left -= 1;
            (left == -1).then(|| {
                hits.note(fault);
                fault
            })
        });
        self.phones[phone].replica.store().set_faults(Some(faults));
    }

    /// One of the next calls of the server's store breaks.
    fn break_server(&mut self) {
        let how = if self.rng.random_bool(0.5) {
            Break::Before
        } else {
            Break::After
        };
        let call = match self.rng.random_range(0..10) {
            0..3 => Call::Commit,
            3 => Call::Contact,
            4 | 5 => Call::Notices,
            _ => {
                let after = self.rng.random_range(0..12);
                return self.world.store.break_call(after, how);
            }
        };
        self.world.store.break_next(call, how);
    }

    /// Programs that died start again, on what their disks hold.
    pub(super) fn restart_the_dead(&mut self) {
        for (call, how) in self.world.store.take_broken() {
            match (call, how) {
                (_, Break::Lie | Break::Stale | Break::Full) => continue,
                (Call::Commit, Break::Before) => self.suffer("server crash before a commit"),
                (Call::Commit, Break::After) => self.suffer("server crash after a commit"),
                (Call::Read, _) => self.suffer("server crash at a look"),
                (Call::Token, _) => self.suffer("server crash at a token"),
                (Call::Contact, _) => self.suffer("server crash at a contact"),
                (Call::Notices, _) => self.suffer("server crash at notices"),
            }
            self.world.restart();
            self.bring_back();
        }
        for phone in 0..self.phones.len() {
            for fault in self.hits[phone].take() {
                match fault {
                    Fault::CrashBefore => self.suffer("phone crash before a commit"),
                    Fault::CrashAfter => self.suffer("phone crash after a commit"),
                    Fault::Full => self.suffer("phone disk full"),
                    // The simulation's disks take everything or are full.
                    Fault::Lie | Fault::Unwritable => {}
                }
                if fault != Fault::Full {
                    self.restart_phone(phone);
                }
            }
        }
    }

    fn restart_phone(&mut self, phone: usize) {
        let phone = &mut self.phones[phone];
        let copy = phone.replica.store().copy();
        let store = copy.expect("a store in memory is copied");
        phone.replica = Replica::on(store, phone.machine.clone());
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
        let is_alone = self.epochs > 0 || !self.drowned.is_empty();
        let before_it = is_alone.then(|| self.somewhere());
        // What the older copy has yet to hand in, and had made again meanwhile, comes a second time from its own past.
        self.twice.extend(unsent(&copy));
        let is_own = |entry: &EntryId| {
            let logged = self.logged.get(entry);
            logged.is_some_and(|logged| logged.phone == Some(phone))
        };
        let past = super::audit::entries_on_phone(&copy).into_iter();
        self.past.extend(past.filter(is_own));
        let unsent = unsent(self.phones[phone].replica.store());
        let before = self.gone.len();
        self.gone
            .extend(since.into_iter().filter(|entry| unsent.contains(entry)));
        if self.gone.len() > before {
            self.forgetful.insert(phone);
        }
        let (device, last) = (self.phones[phone].device(), last_n(&self.phones[phone]));
        let former = self.former_n.entry(device).or_default();
        *former = last.max(*former);
        let machine = Arc::clone(&self.phones[phone].machine);
        self.phones[phone].replica = Replica::on(copy, machine);
        self.lose_what_is_nowhere(before_it);
        self.suffer("phone restored from an older copy");
    }

    /// A second phone lives on a copy of the first, for the rest of the course.
    fn copy(&mut self, phone: usize) {
        if self.phones.len() > 7 || self.copied.contains(&phone) {
            return;
        }
        let Ok(copy) = self.phones[phone].replica.store().copy() else {
            return;
        };
        let number = self.next_number();
        let twin = self.world.twin(&self.phones[phone], copy, number);
        self.copied.extend([phone, self.phones.len()]);
        self.twins.extend([phone, self.phones.len()]);
        self.join(twin, self.names[phone].clone());
        self.suffer("phone copied");
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
            self.suffer("right returned");
        } else {
            person
                .posts
                .iter_mut()
                .filter(|post| post.until.is_none())
                .for_each(|post| post.until = Some(now));
            self.suffer("right ended");
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
        let new = self.world.enrol_as(&name, self.next_number());
        self.join(new, name);
        self.copied.insert(phone);
        self.suffer("device revoked");
    }
}

/// A phone's disk that now and then says it has written what it has not.
pub fn lies(seed: u64) -> Faults {
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
