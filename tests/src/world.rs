//! A city in one process: the real server without its sockets, people of the real directory, phones that are real replicas.
//!
//! Named roles: `world.phone("巡查员01")` is that person's phone, `world.office("受理派遣员01")` that person at a desk. It sets time; it never waits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use futures_util::FutureExt as _;
use patrol_core::doc::register::FieldValue;
use patrol_core::domain::action::Action;
use patrol_core::domain::case::{Category, CategoryKind};
use patrol_core::domain::directory::{Directory, PostAt};
use patrol_core::domain::entry::{AssignmentId, Body, Part, Verdict};
use patrol_core::domain::id::{Actor, DeviceId, DocumentId, EntryId, PersonId, UnitId};
use patrol_core::domain::place::{Place, VillageCode};
use patrol_core::error::{Error, Result};
use patrol_core::replica::{Cancel, Deed, Environment as _, Replica, Summary};
use patrol_core::store::Store;
use patrol_core::store::enrolment::{self, Enrolment};
use patrol_core::store::feed;
use patrol_core::sync::{rescue, seal};
use patrol_server::app::{App, draw_identity};
use patrol_server::auth;
use patrol_server::directory::{synthetic_people, zhuhai};
use patrol_server::office;
use patrol_server::review;
use patrol_server::store::faulty::FaultyStore;
use patrol_server::store::memory::MemoryStore;
use patrol_server::store::{BoxedChange, Device, NewEpoch};

use crate::clock::{Clock, Machine, START};
use crate::link::Link;

/// Everything.
pub struct World {
    /// The true time.
    pub clock: Clock,
    /// The server.
    pub app: Arc<App>,
    /// Its store, for making it break.
    pub store: Arc<FaultyStore<MemoryStore>>,
    /// The phones by their person's name.
    pub phones: BTreeMap<String, Phone>,
    seed: u64,
    keys: u64,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World")
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

/// A person's phone.
#[derive(Debug)]
pub struct Phone {
    /// Its replica.
    pub replica: Replica,
    /// Its clock and randomness.
    pub machine: Arc<Machine>,
    /// Its way to the server.
    pub link: Link,
    /// Whose it is.
    pub person: PersonId,
}

/// The directory of Zhuhai with made-up people, in force since long before the tests' time.
pub fn city() -> &'static Directory {
    static CITY: OnceLock<Directory> = OnceLock::new();
    CITY.get_or_init(|| {
        let mut directory = zhuhai();
        directory.people = synthetic_people(&directory, START.plus_ms(-1_000_000_000));
        directory
    })
}

impl World {
    /// A server with Zhuhai's directory, and nobody connected.
    pub fn new(seed: u64) -> Self {
        let clock = Clock::default();
        let machine = Arc::new(Machine::new(&clock, seed));
        let store = Arc::new(FaultyStore::new(MemoryStore::new(draw_identity(
            machine.as_ref(),
        ))));
        let app = Arc::new(App::open(store.clone(), machine).expect("a new model opens"));
        app.put_directory(city()).expect("the directory is kept");
        Self {
            clock,
            app,
            store,
            phones: BTreeMap::new(),
            seed,
            keys: 0,
        }
    }

    /// A person of the directory by name.
    pub fn person(&self, name: &str) -> PersonId {
        let known = self.app.known();
        known
            .directory
            .people
            .iter()
            .find(|person| person.name == name)
            .map(|person| person.id)
            .expect("a person of the directory")
    }

    /// The villages of a person's beats or hall.
    pub fn villages(&self, name: &str) -> Vec<VillageCode> {
        let known = self.app.known();
        let person = known
            .directory
            .people
            .iter()
            .find(|person| person.name == name)
            .expect("a person of the directory");
        let mut villages = BTreeSet::new();
        for post in &person.posts {
            match post.at {
                PostAt::Beat(beat) => {
                    let beat = known
                        .directory
                        .beats
                        .iter()
                        .find(|row| row.id == beat)
                        .expect("a beat of the directory");
                    villages.extend(beat.villages.iter().map(|row| row.village));
                }
                PostAt::Unit(unit) => villages.extend(VillageCode::new(unit.0)),
                PostAt::City => {}
            }
        }
        villages.into_iter().collect()
    }

    /// The name of the cadre of a village.
    pub fn cadre_of(&self, village: VillageCode) -> String {
        let known = self.app.known();
        let works_there = |person: &&patrol_core::domain::directory::Person| {
            person
                .posts
                .iter()
                .any(|post| post.at == PostAt::Unit(village.unit()))
        };
        known
            .directory
            .people
            .iter()
            .find(works_there)
            .map(|person| person.name.clone())
            .expect("a cadre for each village")
    }

    /// A person's phone, enrolled on first mention.
    pub fn phone(&mut self, name: &str) -> &Phone {
        if !self.phones.contains_key(name) {
            let phone = self.enrol(name);
            self.phones.insert(name.to_owned(), phone);
        }
        self.phones.get(name).expect("just put there")
    }

    /// A new enrolment of a person.
    pub fn enrol(&self, name: &str) -> Phone {
        self.enrol_as(name, self.phones.len() as u64 + 1)
    }

    /// A second program on a phone's own store, such as an app's background task.
    pub fn beside(&self, phone: &Phone, number: u64) -> Phone {
        let seed = self.seed.wrapping_mul(1_000_003).wrapping_add(number);
        Phone {
            replica: Replica::on(Arc::clone(phone.replica.store()), phone.machine.clone()),
            machine: Arc::clone(&phone.machine),
            link: Link::new(Arc::clone(&self.app), seed),
            person: phone.person,
        }
    }

    /// A second phone on a copy of another's store.
    pub fn twin(&self, phone: &Phone, store: Store, number: u64) -> Phone {
        let seed = self.seed.wrapping_mul(1_000_003).wrapping_add(number);
        let machine = Arc::new(Machine::new(&self.clock, seed));
        let replica = Replica::on(store, machine.clone());
        Phone {
            replica,
            machine,
            link: Link::new(Arc::clone(&self.app), seed),
            person: phone.person,
        }
    }

    /// A new enrolment of a person, whose randomness follows from a number.
    pub fn enrol_as(&self, name: &str, number: u64) -> Phone {
        let seed = self.seed.wrapping_mul(1_000_003).wrapping_add(number);
        let machine = Arc::new(Machine::new(&self.clock, seed));
        let store = Store::in_memory().expect("a store in memory opens");
        let person = self.person(name);
        enrol_into(&self.app, &store, &machine, person, name);
        let replica = Replica::on(store, machine.clone());
        Phone {
            replica,
            machine,
            link: Link::new(Arc::clone(&self.app), seed),
            person,
        }
    }

    /// The server's program dies and starts again on its database.
    pub fn restart(&mut self) {
        let environment = Arc::clone(&self.app.environment);
        let app = App::open(self.store.clone(), environment).expect("the model opens again");
        self.app = Arc::new(app);
        for phone in self.phones.values() {
            phone.link.lead_to(Arc::clone(&self.app));
        }
    }

    /// The server is lost, and made out of an older copy of its database under a new epoch.
    pub fn restore(&mut self, copy: MemoryStore, new: &NewEpoch) {
        copy.begin_epoch(new);
        self.store = Arc::new(FaultyStore::new(copy));
        self.restart();
    }

    /// What is held for review, in the order in which it came.
    pub fn held(&self) -> Vec<BoxedChange> {
        let held = review::held(&self.app, 0, usize::MAX >> 8).expect("a read of the model");
        held.into_iter().map(|(_, change)| change).collect()
    }

    /// A fresh idempotency key.
    pub fn key(&mut self) -> Vec<u8> {
        self.keys += 1;
        self.keys.to_be_bytes().to_vec()
    }

    /// Somebody at the office acts on what a page made just now shows.
    pub fn office(
        &mut self,
        name: &str,
        document: DocumentId,
        action: Action,
        body: Body,
    ) -> office::Result<EntryId> {
        let person = self.person(name);
        let view = office::view(&self.app, person, document)?;
        let deed = office::Deed {
            action,
            body,
            fields: Vec::new(),
            on: view.reading.case.workflow.heads.clone(),
            seen: view.heads,
            key: self.key(),
            acted_at: self.clock.now(),
        };
        office::act(&self.app, person, document, &deed)
    }

    /// Accepts, files and dispatches a case to units.
    pub fn dispatch(
        &mut self,
        name: &str,
        document: DocumentId,
        units: &[(UnitId, Part)],
    ) -> EntryId {
        for action in [Action::Accept, Action::Register] {
            self.office(name, document, action, Body::default())
                .expect("the office files it");
        }
        let body = Body {
            assign: units.to_vec(),
            ..Body::default()
        };
        self.office(name, document, Action::Dispatch, body)
            .expect("the office dispatches it")
    }

    /// The stage that the server shows.
    pub fn stage(&self, document: DocumentId) -> String {
        let mut stage = String::new();
        self.app
            .store
            .read(&mut |snapshot| {
                stage = snapshot
                    .summary(document)?
                    .map(|summary| summary.stage)
                    .unwrap_or_default();
                Ok(())
            })
            .expect("the store answers");
        stage
    }
}

/// Enrols a person's key at a server directly: the device, and the token with which it calls.
pub fn enrol_key(app: &App, person: PersonId, public_key: [u8; 32]) -> (DeviceId, String) {
    let token = auth::draw_secret(app);
    let code = auth::hash_of(&auth::draw_code(app));
    let now = app.environment.now();
    app.store
        .put_enrol_code(code, person, now.plus_ms(1))
        .expect("the code is kept");
    let device = app
        .store
        .enrol(code, public_key, auth::hash_of(&token), now)
        .expect("the store answers")
        .expect("the code is good");
    (device.id, token)
}

/// Enrols a store at a server directly, with the directory.
pub fn enrol_into(app: &App, store: &Store, machine: &Machine, person: PersonId, name: &str) {
    let mut random = [0u8; 48];
    machine.fill_random(&mut random);
    let (seed, rest) = random.split_at(32);
    let seed: [u8; 32] = seed.try_into().expect("32 bytes");
    let (device, token) = enrol_key(app, person, seal::public_key(&seed));
    let enrolment = Enrolment {
        server_url: "http://server".to_owned(),
        server: app.identity.server,
        epoch: app.identity.epoch,
        device,
        person,
        person_name: name.to_owned(),
        token,
        seed,
        rescue_key: rescue::public_key(&app.identity.rescue_key),
        certificate: seal::certificate(
            &app.identity.page_key,
            device,
            person,
            &seal::public_key(&seed),
        ),
        actor: Actor::new(
            device,
            rest.get(..8)
                .and_then(|suffix| suffix.try_into().ok())
                .expect("8 bytes"),
        ),
    };
    let known = app.known();
    store
        .write(|transaction| {
            enrolment::put(transaction, &enrolment)?;
            feed::put_directory(transaction, known.tag, &known.bytes)
        })
        .expect("the enrolment is kept");
}

/// The registers of a report.
pub fn matter(village: VillageCode, words: &str) -> Vec<FieldValue> {
    vec![
        FieldValue::Place(Place::village(village)),
        FieldValue::Category(Category {
            scheme: 476_785,
            kind: CategoryKind::Matter,
            code: 6_010,
            condition: None,
        }),
        FieldValue::Words(words.to_owned()),
    ]
}

impl Phone {
    /// Reports a matter in a village.
    pub fn report(&self, village: VillageCode, words: &str) -> (DocumentId, EntryId) {
        let deed = Deed {
            fields: matter(village, words),
            ..Deed::new(Action::Report, Body::default())
        };
        self.replica
            .begin(&deed)
            .expect("reporting is allowed anywhere")
    }

    /// Its device id.
    pub fn device(&self) -> DeviceId {
        self.replica
            .store()
            .read(enrolment::enrolled)
            .expect("an enrolled phone")
            .device
    }

    /// Whether the server has revoked it.
    pub fn is_revoked(&self, app: &App) -> bool {
        let found = self.found(app);
        found.is_some_and(|device| device.revoked_at.is_some())
    }

    /// Whether the server knows it, and has not revoked it.
    pub fn is_in_force(&self, app: &App) -> bool {
        let found = self.found(app);
        found.is_some_and(|device| device.revoked_at.is_none())
    }

    fn found(&self, app: &App) -> Option<Device> {
        let (device, mut found) = (self.device(), None);
        let read = app.store.read(&mut |snapshot| {
            found = snapshot.device(device)?;
            Ok(())
        });
        read.ok().and(found)
    }

    /// One call of sync by a phone that is revoked: it goes through, and its person is told.
    pub fn sync_revoked(&self) {
        let told = self.sync();
        assert!(matches!(told, Err(Error::SignedOut)), "{told:?}");
        let status = self.replica.status().expect("a look");
        assert_eq!(status.last_error.as_deref(), Some("signed out"));
    }

    /// Does something.
    pub fn act(&self, document: DocumentId, action: Action, body: Body) -> Result<EntryId> {
        self.replica.act(document, &Deed::new(action, body))
    }

    /// Notes something.
    pub fn note(&self, document: DocumentId, words: &str) -> Result<EntryId> {
        self.act(
            document,
            Action::Note,
            Body {
                words: Some(words.to_owned()),
                ..Body::default()
            },
        )
    }

    /// Says that the only open assignment of a case is fixed.
    pub fn resolve(&self, document: DocumentId) -> Result<EntryId> {
        let body = Body {
            assignment: Some(self.assignment(document).0),
            words: Some("已清理".to_owned()),
            mode: Some(1),
            ..Body::default()
        };
        self.act(document, Action::Resolve, body)
    }

    /// Judges what the unit says of the only open assignment of a case.
    pub fn check(&self, document: DocumentId, verdict: Verdict) -> Result<EntryId> {
        let (assignment, result) = self.assignment(document);
        let body = Body {
            assignment: Some(assignment),
            judged: result,
            verdict: Some(verdict),
            ..Body::default()
        };
        self.act(document, Action::PostCheck, body)
    }

    /// The only open assignment of a case as this phone sees it.
    pub fn assignment(&self, document: DocumentId) -> (AssignmentId, Option<EntryId>) {
        let view = self.replica.case(document).expect("the case is here");
        let assignment = view
            .reading
            .case
            .workflow
            .assignments
            .first()
            .expect("an open assignment");
        (assignment.id, assignment.results.first().copied())
    }

    /// The stage that this phone shows.
    pub fn stage(&self, document: DocumentId) -> String {
        self.replica
            .case(document)
            .map(|view| view.row.stage)
            .unwrap_or_default()
    }

    /// One call of sync over this phone's link.
    pub fn sync(&self) -> Result<Summary> {
        let cancel = Cancel::default();
        let waiting = self.replica.sync(&self.link, &cancel, &|_| ());
        // Nothing in memory ever waits.
        waiting.now_or_never().unwrap_or(Err(Error::Cancelled))
    }
}
