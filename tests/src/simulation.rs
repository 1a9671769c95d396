//! Random days with every fault, replayable by seed, against an oracle outside all stores: every entry that a phone or the office said
//! it had recorded.
//!
//! Nothing sleeps, nothing is concurrent: one seed, one course of events. What must hold at the end is [`audit`]'s.

pub mod audit;
mod beside;
mod breaks;
mod counters;
pub mod coverage;
mod deeds;
mod drowned;
pub mod faults;
mod injected;
mod rescued;
mod rest;
mod restored;
mod revoked;
mod scopes;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use patrol_core::domain::id::{ChangeHash, DeviceId, DocumentId, EntryId};
use patrol_core::domain::place::VillageCode;
use patrol_core::domain::time::DAY_MS;
use patrol_core::error::Error;
use patrol_core::replica::Summary;
use patrol_core::store::Store;
use patrol_server::app::App;
use patrol_server::store::faulty::FaultyStore;
use patrol_server::store::memory::MemoryStore;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::link::{FAIR, Weather};
use crate::world::{Phone, World};
pub use breaks::Mutation;
use coverage::Coverage;
use faults::Hits;

/// An entry that somebody was told is recorded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Logged {
    pub(crate) document: DocumentId,
    /// The phone's number, none for the office.
    pub(crate) phone: Option<usize>,
}

/// One course of events.
pub struct Simulation {
    pub(crate) world: World,
    pub(crate) rng: ChaCha8Rng,
    pub(crate) phones: Vec<Phone>,
    pub(crate) names: Vec<String>,
    /// What each phone's disk did.
    pub(crate) hits: Vec<Hits>,
    /// Where things happen.
    pub(crate) villages: Vec<VillageCode>,
    /// An older copy of each phone's store, and what was logged since.
    pub(crate) backups: Vec<Option<(Store, BTreeSet<EntryId>)>>,
    /// An older copy of the server's database.
    pub(crate) server_backup: Option<MemoryStore>,
    /// A copy of the server's database that takes over in so many steps, and lags behind by what is done until then.
    pub(crate) standby: Option<(MemoryStore, u32)>,
    /// The server that was given up, which one phone still reaches for so many steps.
    pub(crate) given_up: Option<(Arc<FaultyStore<MemoryStore>>, u32)>,
    /// How often the server was restored, or another took over.
    pub(crate) epochs: u8,
    /// Changes that a lost server had and the one after it had not.
    pub(crate) taken: BTreeSet<ChangeHash>,
    /// Changes that came to a server in a relic or in a piece of a bundle.
    pub(crate) brought: BTreeSet<ChangeHash>,
    /// The last `n` that each phone had used when a server was last lost.
    pub(crate) last_n: BTreeMap<DeviceId, u64>,
    /// The last `n` of phones that have gone back to an older copy and count on from there.
    pub(crate) former_n: BTreeMap<DeviceId, u64>,
    /// What did not hold on the way.
    pub(crate) broken: Option<String>,
    /// Some days are long: then a bundle has several pieces.
    pub(crate) has_long_days: bool,
    /// Entries that the office has refused after a look: the server keeps them, whether or not their phone still does.
    pub(crate) turned_down: BTreeSet<EntryId>,
    /// The same, by their changes.
    pub(crate) turned_away: BTreeSet<ChangeHash>,
    /// Devices of which the office has refused something: a revoked one that had said its last may speak again.
    pub(crate) reopened: BTreeSet<DeviceId>,
    /// What lay in the bundles of phones that are lost.
    pub(crate) drowned: Vec<drowned::Saved>,
    pub(crate) logged: BTreeMap<EntryId, Logged>,
    /// Entries that went with a phone's newer state when it was restored from an older copy.
    pub(crate) gone: BTreeSet<EntryId>,
    /// Phones that have lost work in that way.
    pub(crate) forgetful: BTreeSet<usize>,
    /// Entries that an older copy of their phone, to which it went back, had not handed in.
    pub(crate) twice: BTreeSet<EntryId>,
    /// A phone's own entries on older copies to which it went back. When the server goes back too, what was handed in from there is handed in again.
    pub(crate) past: BTreeSet<EntryId>,
    /// Phones of which two copies live, and revoked ones.
    pub(crate) copied: BTreeSet<usize>,
    /// Of these, the copies.
    pub(crate) twins: BTreeSet<usize>,
    pub(crate) documents: Vec<DocumentId>,
    /// Documents with a change that only a newer server will take.
    pub(crate) of_next_year: BTreeSet<DocumentId>,
    pub(crate) coverage: Coverage,
    pub(crate) mutation: Mutation,
    pub(crate) faults: usize,
}

/// What a course has at least: phones, villages, deeds recorded, faults suffered.
const PHONES_MIN: usize = 4;
const VILLAGES_MIN: usize = 3;
const DEEDS_MIN: usize = 100;
const FAULTS_MIN: usize = 10;
/// Steps after which a course is given up.
const STEPS_MAX: usize = 5_000;
/// Of so many courses one has long days.
const LONG_DAYS: u64 = 8;
/// How bad everybody's network is.
pub(crate) const STORMY: Weather = Weather {
    mishaps_percent: 30,
};
/// Office people who act.
pub(crate) const DESK: [&str; 2] = ["受理派遣员01", "受理派遣员02"];

/// Runs one seed. `Err`: what did not hold.
pub fn run(seed: u64, mutation: Mutation) -> (Coverage, Result<(), String>) {
    let mut simulation = Simulation::new(seed, mutation);
    for _ in 0..STEPS_MAX {
        if simulation.logged.len() >= DEEDS_MIN && simulation.faults >= FAULTS_MIN {
            break;
        }
        simulation.step();
    }
    let held = simulation.is_rich().and_then(|()| {
        simulation.heal();
        simulation.audit()
    });
    simulation.count_mishaps();
    (
        simulation.coverage,
        held.map_err(|what| format!("seed {seed}: {what}")),
    )
}

/// Two inspectors and the villages of their beats, together enough of them.
fn inspectors(world: &World) -> (Vec<String>, Vec<VillageCode>) {
    let first = "巡查员01".to_owned();
    let mut villages = world.villages(&first);
    for number in 2.. {
        let second = format!("巡查员{number:02}");
        let others = world.villages(&second);
        if villages.len() + others.len() >= VILLAGES_MIN {
            villages.extend(others);
            return (vec![first, second], villages);
        }
    }
    unreachable!("beats have two villages on average")
}

impl std::fmt::Debug for Simulation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Simulation").finish_non_exhaustive()
    }
}

impl Simulation {
    /// The city in which it happens.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The phones that take part.
    pub fn phones(&self) -> &[Phone] {
        &self.phones
    }

    /// Mends what was to break and clears the sky; nobody has caught up.
    pub fn calm(&mut self) {
        self.world.store.mend();
        self.bring_back();
        for phone in &self.phones {
            phone.link.set_weather(FAIR);
            phone.replica.store().set_faults(None);
        }
    }

    /// A course that has not begun.
    pub fn new(seed: u64, mutation: Mutation) -> Self {
        let world = World::new(seed);
        let (mut names, villages) = inspectors(&world);
        let own = world.villages(&names[0]);
        names.extend(own.iter().map(|village| world.cadre_of(*village)));
        names.push("单位操作员101".to_owned());
        let mut simulation = Self {
            world,
            rng: ChaCha8Rng::seed_from_u64(seed ^ 0x5eed),
            phones: Vec::new(),
            backups: Vec::new(),
            server_backup: None,
            standby: None,
            given_up: None,
            epochs: 0,
            taken: BTreeSet::new(),
            brought: BTreeSet::new(),
            last_n: BTreeMap::new(),
            former_n: BTreeMap::new(),
            broken: None,
            has_long_days: seed.is_multiple_of(LONG_DAYS),
            turned_down: BTreeSet::new(),
            turned_away: BTreeSet::new(),
            reopened: BTreeSet::new(),
            drowned: Vec::new(),
            logged: BTreeMap::new(),
            gone: BTreeSet::new(),
            forgetful: BTreeSet::new(),
            twice: BTreeSet::new(),
            past: BTreeSet::new(),
            copied: BTreeSet::new(),
            twins: BTreeSet::new(),
            documents: Vec::new(),
            of_next_year: BTreeSet::new(),
            coverage: Coverage::default(),
            names: Vec::new(),
            hits: Vec::new(),
            villages,
            mutation,
            faults: 0,
        };
        for name in &names {
            let phone = simulation.world.enrol_as(name, simulation.next_number());
            if mutation == Mutation::ReuseSeq {
                let lies = faults::lies(simulation.next_number());
                phone.replica.store().set_faults(Some(lies));
            }
            simulation.join(phone, name.clone());
        }
        simulation
    }

    /// From which number the randomness of the next phone follows.
    pub(crate) fn next_number(&self) -> u64 {
        self.phones.len() as u64 + 1
    }

    /// One more phone takes part.
    pub(crate) fn join(&mut self, phone: Phone, name: String) {
        phone.link.set_weather(STORMY);
        phone.link.mutate(self.mutation);
        self.phones.push(phone);
        self.names.push(name);
        self.backups.push(None);
        self.hits.push(Hits::default());
    }

    /// Whether enough has happened for the course to prove anything.
    fn is_rich(&self) -> Result<(), String> {
        let found = [
            ("phones", self.phones.len(), PHONES_MIN),
            ("villages", self.villages.len(), VILLAGES_MIN),
            ("deeds", self.logged.len(), DEEDS_MIN),
            ("faults", self.faults, FAULTS_MIN),
        ];
        match found.iter().find(|(_, found, least)| found < least) {
            Some((what, found, least)) => Err(format!("only {found} {what}, not {least}")),
            None => Ok(()),
        }
    }

    /// Something happens.
    pub fn step(&mut self) {
        self.world
            .clock
            .advance_ms(self.rng.random_range(1_000..600_000));
        match self.rng.random_range(0..100) {
            0..5 => self.report(),
            5..9 => self.count(),
            9..36 => self.act(),
            36..62 => self.sync_some(),
            62..64 => self.sync_beside(),
            64..86 => self.desk(),
            86..90 => self.settle_some(),
            90..92 => self.inject(),
            _ => self.fault(),
        }
        self.restart_the_dead();
        self.take_over();
    }

    pub(crate) fn some_phone(&mut self) -> usize {
        self.rng.random_range(0..self.phones.len())
    }

    pub(crate) fn some_document(&mut self) -> Option<DocumentId> {
        self.documents.choose(&mut self.rng).copied()
    }

    fn sync_some(&mut self) {
        let phone = self.some_phone();
        self.sync(phone);
    }

    /// One call of sync; the network may fail it, nothing else may.
    pub(crate) fn sync(&mut self, phone: usize) {
        let dropped = self.forget_before_sync(phone);
        if let Some(acting) = self.phones.get(phone) {
            let unsent = scopes::unsent_in_scope(acting.replica.store());
            let result = acting.sync();
            if result.is_ok() {
                let lost = scopes::out_of_scope(acting.replica.store(), &unsent);
                self.coverage.add_many("scope lost with work unsent", lost);
            }
            let reached = acting.link.app();
            self.count_sync(phone, &reached, &result);
        }
        self.forget_after_sync(phone, &dropped);
        self.count_fates(phone);
    }

    /// Counts how a call ended of a phone that reached this server, which may be one that was given up.
    fn count_sync(&mut self, phone: usize, reached: &App, result: &Result<Summary, Error>) {
        let is_in_force = self.phones[phone].is_in_force(reached);
        match result {
            Ok(_) => self.coverage.add("sync whole"),
            Err(Error::Offline { .. }) => self.coverage.add("sync cut"),
            Err(Error::Storage(_) | Error::Full) => self.coverage.add("sync stopped by storage"),
            Err(Error::SignedOut) if !is_in_force => self.coverage.add("sync of a revoked phone"),
            // A disk that lies has lost the part of the answer that is missed; what matters more that it has lost is to be found.
            Err(Error::Overtaken) if self.mutation == Mutation::ReuseSeq => {}
            Err(error) => self.coverage.disagreement(error),
        }
    }

    fn count_fates(&mut self, phone: usize) {
        let Some(link) = self.phones.get(phone).map(|phone| &phone.link) else {
            return;
        };
        self.brought.extend(link.take_brought());
        for (fate, count) in link.take_fates() {
            self.coverage.add_many(fate, count);
        }
    }

    /// Ends all faults and lets everybody catch up.
    fn heal(&mut self) {
        self.calm();
        for pass in 0..12 {
            // Pieces of others' bundles are tried again after a while.
            if pass % 3 == 2 {
                self.world.clock.advance_ms(DAY_MS);
            }
            for phone in 0..self.phones.len() {
                self.sync(phone);
            }
            if pass == 4 || pass == 7 {
                self.settle_all();
            }
        }
    }

    fn count_mishaps(&mut self) {
        for phone in &self.phones {
            for (kind, count) in phone.link.mishap_counts() {
                self.coverage.add_many(kind, count);
            }
        }
    }
}
