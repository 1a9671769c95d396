//! A server's file with many cases, and phones that are keys and counters: what they say next is composed from what the file holds.
//!
//! It makes requests; who sends them, and when, is decided elsewhere.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use patrol_core::cbor::Writer;
use patrol_core::doc::document;
use patrol_core::doc::ledger::Ledger;
use patrol_core::doc::parse::Parsed;
use patrol_core::domain::action::Action;
use patrol_core::domain::case::Case;
use patrol_core::domain::entry::Body;
use patrol_core::domain::id::DocumentId;
use patrol_core::domain::place::{Scope, VillageCode};
use patrol_core::sync::components::tag_with;
use patrol_core::sync::seal::{Batch, leaf};
use patrol_core::sync::session;
use patrol_core::sync::wire::{CONTENT_TYPE, Cursor, Form, Hello, PushHead, write_raw};
use patrol_server::app::{App, draw_identity};
use patrol_server::components::tags_for;
use patrol_server::grow::Growing;
use patrol_server::page::scopes_tag;
use patrol_server::store::sqlite::SqliteStore;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::bench::bytes::villages_of;
use crate::bench::city::{City, Hand, inspectors, report};
use crate::bench::components;
use crate::clock::{Clock, Machine, START};
use crate::world::city;

/// Of a day's deeds each third is a report of a new case.
const REPORTED_EACH: usize = 3;

/// Components of each village.
const LAMPS: usize = 40;

/// The request with which a phone comes.
pub(super) struct Call {
    pub(super) request: Vec<u8>,
    /// Changes in it.
    pub(super) changes: usize,
    /// The cases that it reports.
    pub(super) reported: Vec<DocumentId>,
}

/// A phone, and how the cases that it has worked on will stand then.
pub(super) struct Caller {
    pub(super) hand: Hand,
    pub(super) touched: BTreeMap<DocumentId, Ledger>,
}

/// A server's file with its cases, seen from this program while nobody else writes, or beside the server's own.
pub(super) struct Town {
    pub(super) app: Arc<App>,
    pub(super) cases: Vec<DocumentId>,
    pub(super) rng: ChaCha8Rng,
}

pub(super) fn open(file: &Path, seed: u64) -> Arc<App> {
    let machine = Arc::new(Machine::new(&Clock::default(), seed));
    let store = SqliteStore::open(file, || draw_identity(machine.as_ref()));
    let app = App::open(Arc::new(store.expect("the server's file")), machine);
    Arc::new(app.expect("it opens"))
}

impl Town {
    /// Makes a file with so many cases in these villages, and enrols phones of so many people, by turns.
    pub(super) fn make(
        file: &Path,
        (cases, villages): (usize, &[VillageCode]),
        phones: usize,
        seed: u64,
    ) -> (Self, Vec<Caller>) {
        let app = open(file, seed);
        app.put_directory(city()).expect("it is kept");
        let mut city = City::new(Arc::clone(&app), seed);
        let cases = city.fill(villages, cases);
        let lamps = villages.iter().cycle().take(LAMPS * villages.len());
        components::put(&app, lamps.copied(), &file.with_extension("csv"), seed);
        let people = inspectors(&app);
        let callers = (0..phones).map(|number| Caller {
            hand: city.enrol(people[number % people.len()]),
            touched: BTreeMap::new(),
        });
        let callers = callers.collect();
        let rng = ChaCha8Rng::seed_from_u64(seed);
        (Self { app, cases, rng }, callers)
    }

    /// The hello of a phone that had caught up, and keeps components.
    fn hello(&self, hand: &Hand) -> Hello {
        let app = &self.app;
        let mut scopes = Vec::new();
        let mut cursors = Vec::new();
        let villages = villages_of(app, hand.person)
            .into_iter()
            .map(Scope::Village);
        app.store
            .read(&mut |snapshot| {
                for scope in villages.clone().chain([Scope::Person(hand.person)]) {
                    if let Some(row) = snapshot.scope(scope)? {
                        scopes.push((row.number, scope));
                        cursors.push((row.number, Cursor::Tail(row.head)));
                    }
                }
                Ok(())
            })
            .expect("the store answers");
        scopes.sort_unstable();
        let tags = tags_for(app, hand.person).expect("the store answers");
        Hello {
            scopes_tag: scopes_tag(&scopes),
            cursors,
            directory_tag: tag_with(app.known().tag, &tags),
            with_components: true,
            last_n: hand.n,
            ..Hello::first(app.identity.epoch)
        }
    }

    /// A push frame with so many deeds of the phone's own villages, and the cases that they report: two notes on cases that are there, one
    /// report of a new one, and so on.
    fn frame(&mut self, caller: &mut Caller, deeds: usize) -> (Vec<u8>, Vec<DocumentId>) {
        let app = Arc::clone(&self.app);
        let villages = villages_of(&app, caller.hand.person);
        let first_n = caller.hand.n + 1;
        let (mut items, mut leaves, mut reported) = (Writer::default(), Vec::new(), Vec::new());
        while leaves.len() < deeds {
            let is_report = (leaves.len() + 1).is_multiple_of(REPORTED_EACH);
            let (mut ledger, change) = if is_report {
                let village = villages.choose(&mut self.rng).expect("a beat has villages");
                self.report(caller, *village)
            } else {
                self.note(caller, &villages)
            };
            let id = ledger.document();
            leaves.push(leaf(id, change.hash));
            write_raw(&mut items, id, &change.bytes);
            if is_report {
                // The server writes its number and scopes behind it: whoever works on it next must read them.
                reported.push(id);
            } else {
                ledger.push(change).expect("made at its heads");
                caller.touched.insert(id, ledger);
            }
        }
        let hand = &caller.hand;
        let n = (first_n, hand.n);
        let count = leaves.len();
        let batch = Batch {
            server: app.identity.server,
            device: hand.device,
            n,
            leaves,
        };
        let head = PushHead {
            signer: hand.device,
            n,
            signature: batch.sign(&hand.seed),
            form: Form::Raw,
        };
        (head.encode(count, &items.finish()), reported)
    }

    /// A note on a case of these villages.
    fn note(&mut self, caller: &mut Caller, villages: &[VillageCode]) -> (Ledger, Parsed) {
        loop {
            let id = *self.cases.choose(&mut self.rng).expect("there are cases");
            let touched = caller.touched.remove(&id);
            let ledger = touched.unwrap_or_else(|| ledger_of(&self.app, id));
            let case = document::read(&ledger, |_| Some(START)).case;
            let place = case.places.first().expect("a case has a place");
            if !villages.contains(&place.value.village) {
                continue;
            }
            let body = Body {
                words: Some(format!("第{}次查看", self.rng.random_range(1..99))),
                ..Body::default()
            };
            let hand = &mut caller.hand;
            let right = hand.right(&self.app, &case, Action::Note);
            let entry = hand.entry(&case, (Action::Note, right), body, START);
            let change = hand.change(&ledger, &entry, Vec::new());
            return (ledger, change);
        }
    }

    /// A new case, as yet empty, and its report, as those were made that are there.
    fn report(&mut self, caller: &mut Caller, village: VillageCode) -> (Ledger, Parsed) {
        let ledger = Ledger::new(DocumentId::new(START, self.rng.random()));
        let case = Case {
            scopes: vec![Scope::Village(village)],
            ..document::read(&ledger, |_| None).case
        };
        let (action, body, fields) = report(&mut self.rng, village);
        let hand = &mut caller.hand;
        let right = hand.right(&self.app, &case, action);
        let entry = hand.entry(&case, (action, right), body, START);
        let change = hand.change(&ledger, &entry, fields);
        (ledger, change)
    }

    /// That the server has taken in these new cases: each has its number and its scopes.
    ///
    /// # Errors
    /// How many have not.
    pub(super) fn has_filed<'c>(
        app: &App,
        reported: impl Iterator<Item = &'c DocumentId>,
    ) -> Result<(), String> {
        let is_filed = |id: &DocumentId| {
            let case = document::read(&ledger_of(app, *id), |_| Some(START)).case;
            !case.numbers.is_empty() && !case.scopes.is_empty()
        };
        match reported.filter(|id| !is_filed(id)).count() {
            0 => Ok(()),
            count => Err(format!("{count} reported cases have no number or scopes")),
        }
    }

    /// A phone that has so much to say. Its cursors are those of the time when this is called.
    pub(super) fn call(&mut self, caller: &mut Caller, deeds: usize) -> Call {
        let (frames, reported) = if deeds > 0 {
            let (frame, reported) = self.frame(caller, deeds);
            (vec![frame], reported)
        } else {
            (Vec::new(), Vec::new())
        };
        let hello = Hello {
            outbox_empty: deeds == 0,
            ..self.hello(&caller.hand)
        };
        let body = session::request(&hello, &frames);
        let mut request = format!(
            "POST /v1/sync HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\ncontent-type: {CONTENT_TYPE}\r\ncontent-length: {}\r\n\r\n",
            caller.hand.token,
            body.len()
        )
        .into_bytes();
        request.extend(body);
        Call {
            request,
            changes: deeds,
            reported,
        }
    }
}

pub(super) fn ledger_of(app: &App, id: DocumentId) -> Ledger {
    let mut ledger = Ledger::new(id);
    let read = app.store.read(&mut |snapshot| {
        ledger = Growing::load(snapshot, id)?.ledger;
        Ok(())
    });
    read.expect("the store answers");
    ledger
}
