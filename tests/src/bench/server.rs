//! What the server does in a second: admission, pushes over HTTP with durable commits and everything checked, the time of an
//! idle round.
//!
//! Requests are made beforehand; the clients share the cores with the server.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use patrol_core::cbor::Writer;
use patrol_core::doc::admit::{RightCheck, Signer, admit};
use patrol_core::doc::document;
use patrol_core::doc::ledger::Ledger;
use patrol_core::doc::parse::{Parsed, parse};
use patrol_core::doc::register::FieldValue;
use patrol_core::domain::action::{Action, Where};
use patrol_core::domain::entry::Body;
use patrol_core::domain::id::DocumentId;
use patrol_core::domain::place::{Scope, VillageCode};
use patrol_core::sync::frame::FrameReader;
use patrol_core::sync::seal::{Batch, leaf};
use patrol_core::sync::session;
use patrol_core::sync::strip::{Stripper, Way};
use patrol_core::sync::wire::{CONTENT_TYPE, Cursor, Form, Hello, PushHead};
use patrol_server::grow::Growing;
use patrol_server::page::scopes_tag;
use patrol_server::round::Round;
use rand::seq::index::sample;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::bytes::villages_of;
use super::city::{City, Hand, inspectors};
use super::client::{Connection, admitted};
use super::{Figure, Watch, content, cpu_seconds, micros, percentile};
use crate::clock::{Clock, Machine, START};
use crate::served::{Folder, Served};
use crate::world::city;

/// Cases in the store before anything is pushed.
const CASES: usize = 20_000;
/// Clients, each with a beat of its own.
const CLIENTS: usize = 8;
/// Cases that one push touches, each with two changes.
const PUSH_CASES: usize = 25;
/// Pushes of each client.
const PUSHES: usize = 150;
/// Pushes of one change, one after the other.
const SINGLES: usize = 600;

/// Runs the measurements of this file.
pub async fn measure(seed: u64) -> Vec<Figure> {
    let clock = Clock::default();
    let machine = Arc::new(Machine::new(&clock, seed));
    let served = Served::start(city(), machine).await.expect("a free port");
    let bench = Bench::new(&served, seed);
    let address = served.address;
    tokio::task::spawn_blocking(move || bench.run(address))
        .await
        .expect("the benchmark does not panic")
}

/// A client with everything that it needs to make pushes.
struct Client {
    hand: Hand,
    cases: Vec<DocumentId>,
    villages: Vec<VillageCode>,
    scopes: Vec<(u64, Scope)>,
    heads: Vec<(u64, Cursor)>,
    /// Cases that it has changed, as they will stand once everything prepared so far has been pushed.
    touched: BTreeMap<DocumentId, Ledger>,
}

struct Bench {
    city: City,
    clients: Vec<Client>,
    rng: ChaCha8Rng,
}

impl Bench {
    fn new(served: &Served, seed: u64) -> Self {
        let mut city = City::new(Arc::clone(&served.app), seed);
        let people: Vec<_> = inspectors(&city.app).into_iter().take(CLIENTS).collect();
        let mut clients = Vec::new();
        for person in people {
            let villages = villages_of(&city.app, person);
            let cases = city.fill(&villages, CASES / CLIENTS);
            let hand = city.enrol(person);
            clients.push(Client {
                hand,
                cases,
                villages,
                scopes: Vec::new(),
                heads: Vec::new(),
                touched: BTreeMap::new(),
            });
        }
        let rng = ChaCha8Rng::seed_from_u64(seed);
        let mut bench = Self { city, clients, rng };
        bench.catch_up();
        bench
    }

    /// Clients stand at the head of their feeds.
    fn catch_up(&mut self) {
        let app = &self.city.app;
        for client in &mut self.clients {
            client.scopes.clear();
            client.heads.clear();
            let wanted = client
                .villages
                .iter()
                .map(|village| Scope::Village(*village));
            for scope in wanted.chain([Scope::Person(client.hand.person)]) {
                app.store
                    .read(&mut |snapshot| {
                        if let Some(row) = snapshot.scope(scope)? {
                            client.scopes.push((row.number, scope));
                            client.heads.push((row.number, Cursor::Tail(row.head)));
                        }
                        Ok(())
                    })
                    .expect("the store answers");
            }
            client.scopes.sort_unstable();
        }
    }

    fn run(mut self, address: SocketAddr) -> Vec<Figure> {
        let mut figures = self.admission();
        figures.extend(self.idle());
        figures.extend(self.pushes(address));
        assert!(
            self.stands_as_expected(),
            "the pushes did what they were made for"
        );
        figures.extend(self.singles(address));
        figures
    }

    fn ledger(&self, id: DocumentId) -> Ledger {
        let mut ledger = Ledger::new(id);
        self.city
            .app
            .store
            .read(&mut |snapshot| {
                ledger = Growing::load(snapshot, id)?.ledger;
                Ok(())
            })
            .expect("the store answers");
        ledger
    }

    /// A change of a client on a case: a note, or a correction of the place.
    fn change(&mut self, client: usize, ledger: &Ledger) -> Parsed {
        let case = document::read(ledger, |_| Some(START)).case;
        let client = &mut self.clients[client];
        let is_open = case
            .workflow
            .standing
            .is_some_and(|standing| standing.stage.is_open());
        let (action, body, fields) = if is_open && self.rng.random_bool(0.5) {
            let village = case
                .places
                .first()
                .expect("a case has a place")
                .value
                .village;
            let place = content::place(&mut self.rng, village);
            (
                Action::Amend,
                Body::default(),
                vec![FieldValue::Place(place)],
            )
        } else {
            let length = self.rng.random_range(4..=14);
            let words = Some(content::words(&mut self.rng, length));
            let body = Body {
                words,
                ..Body::default()
            };
            (Action::Note, body, Vec::new())
        };
        let right = client.hand.right(&self.city.app, &case, action);
        let entry = client.hand.entry(&case, (action, right), body, START);
        client.hand.change(ledger, &entry, fields)
    }

    /// A request of one push frame.
    fn request(
        &mut self,
        client_number: usize,
        cases: usize,
        changes_each: usize,
    ) -> (Vec<u8>, usize) {
        let client = client_number;
        let chosen = sample(&mut self.rng, self.clients[client].cases.len(), cases).into_vec();
        let ids: Vec<DocumentId> = chosen
            .iter()
            .map(|place| self.clients[client].cases[*place])
            .collect();
        let first_n = self.clients[client].hand.n + 1;
        let hand = &self.clients[client].hand;
        let mut stripper = Stripper::new(Way::Up {
            signer: hand.device,
            person: hand.person,
            first_n,
        });
        let (mut items, mut leaves) = (Writer::default(), Vec::new());
        for id in ids {
            let touched = self.clients[client].touched.remove(&id);
            let mut ledger = touched.unwrap_or_else(|| self.ledger(id));
            let base = ledger.len();
            for _ in 0..changes_each {
                let change = self.change(client, &ledger);
                leaves.push(leaf(id, change.hash));
                let place = ledger.push(change).expect("made at its heads");
                stripper.change(&mut items, &ledger, place, base, None);
            }
            self.clients[client].touched.insert(id, ledger);
        }
        let client = &self.clients[client];
        let n = (first_n, client.hand.n);
        let batch = Batch {
            server: self.city.app.identity.server,
            device: client.hand.device,
            n,
            leaves,
        };
        let head = PushHead {
            signer: client.hand.device,
            n,
            signature: batch.sign(&client.hand.seed),
            form: Form::Stripped,
        };
        let count = batch.leaves.len();
        let frame = head.encode(count, &items.finish());
        let request = client.http(&self.hello(client), &[frame]);
        for place in &chosen {
            self.advance(client_number, *place, changes_each);
        }
        (request, count)
    }

    /// Where the client's cursors will stand: nobody else writes in its villages, and each change is one row of the village's
    /// feed. Cases are dealt to the villages by turns.
    fn advance(&mut self, client: usize, case: usize, changes: usize) {
        let client = &mut self.clients[client];
        let village = Scope::Village(client.villages[case % client.villages.len()]);
        let number = client
            .scopes
            .iter()
            .find(|(_, scope)| *scope == village)
            .map(|(number, _)| *number);
        for (scope, cursor) in &mut client.heads {
            if let (true, Cursor::Tail(seq)) = (Some(*scope) == number, cursor) {
                *seq += changes as u64;
            }
        }
    }

    /// Whether the clients' cursors stand where they were expected to.
    fn stands_as_expected(&mut self) -> bool {
        let expected: Vec<_> = self
            .clients
            .iter()
            .map(|client| client.heads.clone())
            .collect();
        self.catch_up();
        self.clients
            .iter()
            .zip(expected)
            .all(|(client, expected)| client.heads == expected)
    }

    fn hello(&self, client: &Client) -> Hello {
        Hello {
            scopes_tag: scopes_tag(&client.scopes),
            cursors: client.heads.clone(),
            directory_tag: self.city.app.known().tag,
            ..Hello::first(self.city.app.identity.epoch)
        }
    }

    /// Time of the parts of admission, one change at a time, without a store.
    fn admission(&mut self) -> Vec<Figure> {
        let (mut parsing, mut admitting, mut verifying) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..500 {
            let client = round % CLIENTS;
            let place = self.rng.random_range(0..self.clients[client].cases.len());
            let ledger = self.ledger(self.clients[client].cases[place]);
            let change = self.change(client, &ledger);
            let started = Watch::start();
            let parsed = parse(&change.bytes).expect("a change");
            parsing.push(micros(started.elapsed()));
            let known = self.city.app.known();
            let signer = Signer {
                device: self.clients[client].hand.device,
                person: Some(self.clients[client].hand.person),
                place: Where::Anywhere,
                right: RightCheck::Judge,
                holdings: &known.holdings,
                now: START,
            };
            let started = Watch::start();
            admit(&ledger, &parsed, &signer).expect("admitted");
            admitting.push(micros(started.elapsed()));
            let mut grown = ledger;
            grown.push(parsed).expect("at its heads");
            let started = Watch::start();
            document::verify(&grown).expect("loads again");
            verifying.push(micros(started.elapsed()));
        }
        vec![
            Figure::told(
                "admission of a change: parse and canonical form, median",
                percentile(&mut parsing, 50),
                "µs",
            ),
            Figure::told(
                "admission of a change: rules, median",
                percentile(&mut admitting, 50),
                "µs",
            ),
            Figure::told(
                "admission, once a document: load, save, load, median",
                percentile(&mut verifying, 50),
                "µs",
            ),
        ]
    }

    /// The server's time for an idle round, from the request's bytes to the response's.
    fn idle(&self) -> Vec<Figure> {
        let client = &self.clients[0];
        let body = session::request(&self.hello(client), &[]);
        let mut device = None;
        let app = &self.city.app;
        app.store
            .read(&mut |snapshot| {
                device = snapshot.device(client.hand.device)?;
                Ok(())
            })
            .expect("the store answers");
        let mut device = device.expect("an enrolled device");
        device.seen_at = Some(app.environment.now());
        let mut times = Vec::new();
        for _ in 0..1_000 {
            let started = Watch::start();
            let mut reader = FrameReader::new(1 << 20);
            reader.push(&body).expect("a request");
            let mut round = Round::new(Arc::clone(app), device.clone());
            while let Some(frame) = reader.next_frame().expect("a request") {
                round.receive(&frame).expect("a hello");
            }
            let mut writer = patrol_core::sync::frame::FrameWriter::new(
                patrol_core::sync::frame::Volume::Little,
            );
            while let Some((kind, payload)) = round.next_frame().expect("an answer") {
                writer.write(kind, &payload);
            }
            let bytes = writer.take().len() + writer.finish().len();
            times.push(micros(started.elapsed()));
            assert!(bytes < 200, "nothing new, yet {bytes} bytes");
        }
        vec![Figure::at_most(
            "idle round: server time, median",
            percentile(&mut times, 50) / 1_000.0,
            "ms",
            0.2,
        )]
    }

    fn pushes(&mut self, address: SocketAddr) -> Vec<Figure> {
        let mut prepared: Vec<Vec<(Vec<u8>, usize)>> = Vec::new();
        for client in 0..CLIENTS {
            prepared.push(
                (0..PUSHES)
                    .map(|_| self.request(client, PUSH_CASES, 2))
                    .collect(),
            );
        }
        let (started, cpu) = (Watch::start(), cpu_seconds().unwrap_or_default());
        let outcomes: Vec<(usize, Vec<f64>)> = std::thread::scope(|scope| {
            let running: Vec<_> = prepared
                .iter()
                .map(|requests| scope.spawn(|| push_all(address, requests)))
                .collect();
            running
                .into_iter()
                .map(|client| client.join().expect("a client does not panic"))
                .collect()
        });
        let seconds = started.elapsed().as_secs_f64();
        let cpu = cpu_seconds().unwrap_or_default() - cpu;
        let changes: usize = outcomes.iter().map(|(changes, _)| changes).sum();
        let mut times: Vec<f64> = outcomes.into_iter().flat_map(|(_, times)| times).collect();
        vec![
            Figure::at_least(
                "pushes of 50 changes over 25 of 20,000 cases, 8 clients",
                changes as f64 / seconds,
                "changes/s",
                8_000.0,
            ),
            Figure::told(
                "the same: processor time of server and clients",
                cpu * 1e6 / changes as f64,
                "µs/change",
            ),
            Figure::told("the same: p50 of a push", percentile(&mut times, 50), "ms"),
            Figure::told("the same: p99 of a push", percentile(&mut times, 99), "ms"),
        ]
    }

    /// One change a push, beside a bare fsync of the same disk in turn.
    fn singles(&mut self, address: SocketAddr) -> Vec<Figure> {
        let folder = Folder::new("fsync").expect("a folder for temporary files");
        let mut file = std::fs::File::create(folder.file("bare")).expect("a new file");
        let prepared: Vec<_> = (0..SINGLES).map(|_| self.request(0, 1, 1)).collect();
        let mut connection = Connection::open(address);
        let (mut pushes, mut syncs) = (Vec::new(), Vec::new());
        for (request, count) in &prepared {
            let started = Watch::start();
            let answer = connection.exchange(request);
            pushes.push(micros(started.elapsed()) / 1_000.0);
            assert_eq!(admitted(&answer), *count, "every change is admitted");
            let started = Watch::start();
            file.write_all(&[7; 4_096]).expect("room on the disk");
            file.sync_data().expect("the disk answers");
            syncs.push(micros(started.elapsed()) / 1_000.0);
        }
        let bare = percentile(&mut syncs, 99);
        vec![
            Figure::told("bare fsync of 4 KB: p50", percentile(&mut syncs, 50), "ms"),
            Figure::told("bare fsync of 4 KB: p99", bare, "ms"),
            Figure::told("push of one change: p50", percentile(&mut pushes, 50), "ms"),
            Figure::at_most(
                "push of one change: p99 beyond that of a bare fsync",
                percentile(&mut pushes, 99) - bare,
                "ms",
                5.0,
            ),
        ]
    }
}

impl Client {
    /// A whole HTTP request.
    fn http(&self, hello: &Hello, frames: &[Vec<u8>]) -> Vec<u8> {
        let body = session::request(hello, frames);
        let mut request = format!(
            "POST /v1/sync HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\ncontent-type: {CONTENT_TYPE}\r\ncontent-length: {}\r\n\r\n",
            self.hand.token,
            body.len()
        )
        .into_bytes();
        request.extend(body);
        request
    }
}

fn push_all(address: SocketAddr, requests: &[(Vec<u8>, usize)]) -> (usize, Vec<f64>) {
    let mut connection = Connection::open(address);
    let (mut changes, mut times) = (0, Vec::new());
    for (request, count) in requests {
        let started = Watch::start();
        let answer = connection.exchange(request);
        times.push(micros(started.elapsed()) / 1_000.0);
        assert_eq!(admitted(&answer), *count, "every change is admitted");
        changes += count;
    }
    (changes, times)
}
