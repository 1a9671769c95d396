//! A large city on this machine: a server with many cases, thousands of phones in one morning, a kill, a backup beside the work.
//!
//! Phones are keys and counters that speak the protocol; they come one after the other over a few connections, at the pace of a morning
//! or as fast as the server answers.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

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

use super::Program;
use crate::bench::bytes::villages_of;
use crate::bench::city::{City, Hand, inspectors};
use crate::bench::client::{Connection, admitted};
use crate::bench::{Figure, Watch, memory_of, micros, percentile};
use crate::clock::{Clock, Machine, START};
use crate::served::Folder;
use crate::world::city;

/// Phones that are answered at the same time.
const AT_ONCE: usize = 32;
/// Deeds of a phone that was a day without a network.
const DEEDS: usize = 20;
/// Pushes of one change, beside a backup and without one.
const SINGLES: usize = 200;

/// How large.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Cases, of eight changes each on average.
    pub cases: usize,
    /// Phones of the morning.
    pub phones: usize,
    /// Over how many seconds they come; 0: as fast as the server answers.
    pub seconds: u64,
}

/// A phone, and the request with which it comes.
struct Morning {
    request: Vec<u8>,
    /// Changes in it.
    changes: usize,
}

/// A phone, and how the cases that it has worked on will stand then.
struct Caller {
    hand: Hand,
    touched: BTreeMap<DocumentId, Ledger>,
}

/// A server's file with its cases, seen from this program while nobody else writes, or beside the server's own.
struct Town {
    app: Arc<App>,
    cases: Vec<DocumentId>,
    rng: ChaCha8Rng,
}

fn open(file: &Path, seed: u64) -> Arc<App> {
    let machine = Arc::new(Machine::new(&Clock::default(), seed));
    let store = SqliteStore::open(file, || draw_identity(machine.as_ref()));
    let app = App::open(Arc::new(store.expect("the server's file")), machine);
    Arc::new(app.expect("it opens"))
}

impl Town {
    /// Makes a file with so many cases in these villages, and enrols phones of so many people, by turns.
    fn make(
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
        Hello {
            scopes_tag: scopes_tag(&scopes),
            cursors,
            directory_tag: app.known().tag,
            last_n: hand.n,
            ..Hello::first(app.identity.epoch)
        }
    }

    /// A push frame with so many notes, each on a case of the phone's own villages.
    fn frame(&mut self, caller: &mut Caller, deeds: usize) -> Vec<u8> {
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
    fn call(&mut self, caller: &mut Caller, deeds: usize) -> Morning {
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
        Morning {
            request,
            changes: deeds,
        }
    }

    /// The first call of each in the morning; every fourth was a day without a network.
    fn morning(&mut self, callers: &mut [Caller]) -> Vec<Morning> {
        let mut calls = Vec::new();
        for (number, caller) in callers.iter_mut().enumerate() {
            let deeds = if number.is_multiple_of(4) { DEEDS } else { 0 };
            calls.push(self.call(caller, deeds));
        }
        calls
    }

    /// Pushes of one change, one after the other on one connection, each by a phone that has caught up.
    fn singles(
        &mut self,
        address: SocketAddr,
        caller: &mut Caller,
        is_enough: impl Fn(usize) -> bool,
    ) -> Vec<f64> {
        let mut connection = Connection::open(address);
        let mut times = Vec::new();
        while times.len() < SINGLES && !is_enough(times.len()) {
            let call = self.call(caller, 1);
            let started = Watch::start();
            let answer = connection.exchange(&call.request);
            times.push(micros(started.elapsed()) / 1e3);
            assert_eq!(admitted(&answer), 1, "the change is admitted");
        }
        times
    }
}

fn ledger_of(app: &App, id: DocumentId) -> Ledger {
    let mut ledger = Ledger::new(id);
    let read = app.store.read(&mut |snapshot| {
        ledger = Growing::load(snapshot, id)?.ledger;
        Ok(())
    });
    read.expect("the store answers");
    ledger
}

fn address_of(server: &Program) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], server.port()))
}

/// Lets everybody call, each on a connection of his own, spread over so many seconds. Returns the time of each call in milliseconds.
#[expect(clippy::disallowed_methods, reason = "a morning has its pace")]
fn wave(server: &Program, calls: &[Morning], seconds: u64) -> Vec<f64> {
    let address = address_of(server);
    let (next, times) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let begun = Watch::start();
    let wait_for = |number: usize| {
        let due = Duration::from_secs(seconds) * number as u32 / calls.len().max(1) as u32;
        std::thread::sleep(due.saturating_sub(begun.elapsed()));
    };
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(call) = calls.get(number) else {
                        break;
                    };
                    wait_for(number);
                    let started = Watch::start();
                    let answer = Connection::open(address).exchange(&call.request);
                    let took = micros(started.elapsed()) / 1e3;
                    assert_eq!(admitted(&answer), call.changes, "every change is admitted");
                    times
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(took);
                }
            });
        }
    });
    times.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Starts a server that was killed. Returns how long it took until it listened, in milliseconds.
fn restarted(file: &Path) -> Result<(Program, f64), String> {
    let first = Program::start(file, 0, &[])?;
    first.kill();
    let started = Watch::start();
    let server = Program::start(file, 0, &[])?;
    Ok((server, micros(started.elapsed()) / 1e3))
}

/// Runs everything of this file. What is left must be sound.
///
/// # Errors
/// What was not as it must be.
pub fn measure(size: Size, seed: u64) -> Result<Vec<Figure>, String> {
    let folder = Folder::new("scale").map_err(|error| error.to_string())?;
    let (file, small) = (folder.file("server.db"), folder.file("small.db"));
    let first_beat = city().beats[0].villages.iter().map(|row| row.village);
    let (mut few, mut few_callers) =
        Town::make(&small, (100, &first_beat.collect::<Vec<_>>()), 1, seed);
    let started = Watch::start();
    let villages: Vec<_> = city().villages.iter().map(|village| village.code).collect();
    let (mut town, mut callers) = Town::make(&file, (size.cases, &villages), size.phones, seed);
    let filled = started.elapsed().as_secs_f64();
    let calls = town.morning(&mut callers);
    let Town { cases, rng, .. } = town;
    let disk = std::fs::metadata(&file)
        .map_err(|error| error.to_string())?
        .len() as f64
        / 1e6;

    let (server, restart) = restarted(&file)?;
    let started = Watch::start();
    let mut times = wave(&server, &calls, size.seconds);
    let seconds = started.elapsed().as_secs_f64();
    let memory = memory_of(server.id(), "VmHWM").unwrap_or_default() as f64 / 1e6;

    let app = open(&file, seed);
    let mut town = Town { app, cases, rng };
    let (address, caller) = (address_of(&server), &mut callers[0]);
    let mut quiet = town.singles(address, caller, |_| false);
    let mut beside = beside_a_backup(
        &mut town,
        caller,
        address,
        (&file, &folder.file("backup.db")),
    )?;
    let small_server = Program::start(&small, 0, &[])?;
    let mut at_few = few.singles(address_of(&small_server), &mut few_callers[0], |_| false);
    let mut at_many = town.singles(address, caller, |_| false);
    small_server.kill();
    server.kill();
    drop(town);
    super::entries_in(&file)?;
    let changes: usize = calls.iter().map(|call| call.changes).sum();
    let most = |times: &[f64]| times.iter().copied().fold(0.0, f64::max);
    let growth = percentile(&mut at_many, 50) / percentile(&mut at_few, 50);
    let (cases, phones, pace) = (size.cases, size.phones, size.seconds);
    Ok(vec![
        Figure::told(
            format!("filling the server with {cases} cases"),
            filled,
            "s",
        ),
        Figure::told("the database with them", disk, "MB"),
        Figure::at_most(
            "killed and started again: until it listens",
            restart,
            "ms",
            1_000.0,
        ),
        Figure::at_most(
            format!("{phones} phones in {pace} s, a quarter with {DEEDS} deeds, {AT_ONCE} at once"),
            seconds,
            "s",
            (pace + 5).max(600) as f64,
        ),
        Figure::told("the same", phones as f64 / seconds, "rounds/s"),
        Figure::told("the same: changes pushed and admitted", changes as f64, ""),
        Figure::told("the same: p50 of a round", percentile(&mut times, 50), "ms"),
        Figure::at_most(
            "the same: p99 of a round",
            percentile(&mut times, 99),
            "ms",
            1_000.0,
        ),
        Figure::at_most("the server's highest memory", memory, "MB", 300.0),
        Figure::told(
            "one-change push, nothing beside it: p50",
            percentile(&mut quiet, 50),
            "ms",
        ),
        Figure::told("the same: longest", most(&quiet), "ms"),
        Figure::told(
            "one-change push while a backup is taken: p50",
            percentile(&mut beside, 50),
            "ms",
        ),
        Figure::at_most(
            "the same: longest, beyond the longest without",
            most(&beside) - most(&quiet),
            "ms",
            50.0,
        ),
        Figure::at_most(
            format!("one-change round at {cases} cases / at 100"),
            growth,
            "×",
            1.5,
        ),
    ])
}

/// Pushes while the program's own errand takes a backup, for as long as that runs.
fn beside_a_backup(
    town: &mut Town,
    caller: &mut Caller,
    address: SocketAddr,
    (file, to): (&Path, &Path),
) -> Result<Vec<f64>, String> {
    let (file, to) = (file.to_str().ok_or("UTF-8")?, to.to_str().ok_or("UTF-8")?);
    std::thread::scope(|scope| {
        let backup = scope.spawn(|| Program::errand(&["backup", "--database", file, "--to", to]));
        let times = town.singles(address, caller, |count| backup.is_finished() && count > 20);
        backup.join().map_err(|_| "the backup panicked")??;
        Ok(times)
    })
}
