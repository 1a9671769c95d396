//! A server's file with many cases, and phones that are keys and counters: what they say next is composed from what the file holds.
//!
//! It makes requests; who sends them, and when, is decided elsewhere.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use patrol_core::cbor::Writer;
use patrol_core::doc::document;
use patrol_core::doc::ledger::Ledger;
use patrol_core::domain::action::Action;
use patrol_core::domain::entry::Body;
use patrol_core::domain::id::DocumentId;
use patrol_core::domain::place::{Scope, VillageCode};
use patrol_core::sync::seal::{Batch, leaf};
use patrol_core::sync::session;
use patrol_core::sync::wire::{CONTENT_TYPE, Cursor, Form, Hello, PushHead, write_raw};
use patrol_server::app::{App, draw_identity};
use patrol_server::grow::Growing;
use patrol_server::page::scopes_tag;
use patrol_server::store::sqlite::SqliteStore;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::bench::bytes::villages_of;
use crate::bench::city::{City, Hand, inspectors};
use crate::clock::{Clock, Machine, START};
use crate::world::city;

/// The request with which a phone comes.
pub(super) struct Call {
    pub(super) request: Vec<u8>,
    /// Changes in it.
    pub(super) changes: usize,
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
        let people = inspectors(&app);
        let callers = (0..phones).map(|number| Caller {
            hand: city.enrol(people[number % people.len()]),
            touched: BTreeMap::new(),
        });
        let callers = callers.collect();
        let rng = ChaCha8Rng::seed_from_u64(seed);
        (Self { app, cases, rng }, callers)
    }

    /// The hello of a phone that had caught up.
    pub(super) fn hello(&self, hand: &Hand) -> Hello {
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
        Hello {
            scopes_tag: scopes_tag(&scopes),
            cursors,
            directory_tag: app.known().tag,
            last_n: hand.n,
            ..Hello::first(app.identity.epoch)
        }
    }

    /// A push frame with so many notes, each on a case of the phone's own villages.
    pub(super) fn frame(&mut self, caller: &mut Caller, deeds: usize) -> Vec<u8> {
        let app = Arc::clone(&self.app);
        let hand = &mut caller.hand;
        let villages = villages_of(&app, hand.person);
        let first_n = hand.n + 1;
        let (mut items, mut leaves) = (Writer::default(), Vec::new());
        while leaves.len() < deeds {
            let id = *self.cases.choose(&mut self.rng).expect("there are cases");
            let touched = caller.touched.remove(&id);
            let mut ledger = touched.unwrap_or_else(|| ledger_of(&app, id));
            let case = document::read(&ledger, |_| Some(START)).case;
            let place = case
                .places
                .first()
                .expect("a case has a place")
                .value
                .village;
            if !villages.contains(&place) {
                continue;
            }
            let body = Body {
                words: Some(format!("第{}次查看", self.rng.random_range(1..99))),
                ..Body::default()
            };
            let right = hand.right(&app, &case, Action::Note);
            let entry = hand.entry(&case, (Action::Note, right), body, START);
            let change = hand.change(&ledger, &entry, Vec::new());
            leaves.push(leaf(id, change.hash));
            write_raw(&mut items, id, &change.bytes);
            ledger.push(change).expect("made at its heads");
            caller.touched.insert(id, ledger);
        }
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
        head.encode(count, &items.finish())
    }

    /// A phone that has so much to say. Its cursors are those of the time when this is called.
    pub(super) fn call(&mut self, caller: &mut Caller, deeds: usize) -> Call {
        let frames: Vec<Vec<u8>> = (deeds > 0)
            .then(|| self.frame(caller, deeds))
            .into_iter()
            .collect();
        let body = session::request(&self.hello(&caller.hand), &frames);
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
