//! The hostile device beside honest phones: every blow is answered by its code and counted, honest rounds go on, and nothing of his stays.
//!
//! How long honest rounds take is measured in short windows with the attack and without it, by turns, so that whatever else the machine does
//! falls into both; a bare fsync of the same disk, timed beside them, tells how much of it is the disk's. The foe computes at the lowest
//! priority: his own machine would not take anything from the server's.

mod gate;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use patrol_core::doc::document;
use patrol_core::domain::id::{DeviceId, DocumentId};
use patrol_core::domain::place::VillageCode;
use patrol_server::app::App;
use patrol_server::grow::Growing;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use super::Program;
use super::scale::{TRIES, answered};
use super::town::{Caller, Town, ledger_of, open};
use crate::bench::bytes::villages_of;
use crate::bench::client::{Connection, admitted};
use crate::bench::{Figure, Watch, memory_of, micros, percentile};
use crate::clock::START;
use crate::hostile::{Blow, Foe, Junk, Kind, Scrape, Slow, Tally, Unfinished, streams};
use crate::served::Folder;
use crate::world::city;
use gate::{Gate, Phase, Times};

/// How much of it.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Cases that the server has.
    pub cases: usize,
    /// Honest phones.
    pub phones: usize,
    /// Milliseconds between the rounds of each.
    pub pace_ms: u64,
    /// Connections that keep the server waiting, all the time.
    pub slow: usize,
    /// How long the server waits for a client that keeps still, in milliseconds.
    pub stall_ms: u64,
    /// Changes of junk, at least.
    pub junk: u64,
    /// Honest rounds beside the attack, at least.
    pub rounds: usize,
    /// Pairs of windows, one without the attack and one with it; and the seconds of each.
    pub windows: (u32, u64),
}

/// Of the junk that is asked for, this part at least of each kind.
const JUNK_PART: u64 = 10;
/// What the server may take of the machine's memory while it is attacked.
const MEMORY_MB: f64 = 300.0;
/// Between two bare fsyncs.
const SYNC_PACE: Duration = Duration::from_millis(100);
/// Threads that strike one blow after the other.
const STRIKERS: usize = 2;

/// What strikes, and what it was told.
struct Attack<'a> {
    server: SocketAddr,
    foe: Foe<'a>,
    /// The token of a second enrolment, for what keeps the server waiting: it would keep the first one's blows waiting too.
    second: String,
    blows: Vec<Blow>,
    streams: Vec<Blow>,
    /// Of a third, which with them has all that one device may have at once.
    unfinished: Unfinished,
    tally: Tally,
    junk: Mutex<Junk>,
    struck: AtomicU64,
    /// Streams that were left unfinished.
    left: AtomicU64,
    /// Connections given up, by what they owed.
    slow: Mutex<BTreeMap<Slow, u64>>,
}

impl Attack<'_> {
    fn strike(&self, blows: &[Blow], number: usize) -> Result<(), String> {
        let blow = &blows[number % blows.len()];
        self.tally.note(&blow.strike(self.server)?);
        self.struck.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// A frame of junk: one change, or hundreds, or thousands.
    fn junk(&self, number: usize) -> Result<(), String> {
        let kind = Kind::ALL[number / 4 % Kind::ALL.len()];
        let count = kind.counts()[number % 4];
        let mut junk = self.junk.lock().unwrap_or_else(PoisonError::into_inner);
        self.tally
            .note(&self.foe.junk(&mut junk, self.server, (kind, count))?);
        Ok(())
    }

    fn leave_unfinished(&self) -> Result<(), String> {
        let told = self.unfinished.strike(self.server)?;
        told.iter().for_each(|answer| self.tally.note(answer));
        self.left.fetch_add(told.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    fn keep_waiting(&self, slow: Slow) -> Result<(), String> {
        let told = slow.strike(self.server, &self.second)?;
        told.iter().for_each(|answer| self.tally.note(answer));
        let mut all = self.slow.lock().unwrap_or_else(PoisonError::into_inner);
        *all.entry(slow).or_default() += 1;
        Ok(())
    }

    fn slow_of(&self, slow: Slow) -> u64 {
        let all = self.slow.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(&slow).copied().unwrap_or_default()
    }

    fn pushed_junk(&self) -> (u64, [u64; 4]) {
        let junk = self.junk.lock().unwrap_or_else(PoisonError::into_inner);
        (junk.pushed(), Kind::ALL.map(|kind| junk.of(kind)))
    }

    fn told_why(&self) -> u64 {
        let junk = self.junk.lock().unwrap_or_else(PoisonError::into_inner);
        junk.told_why()
    }

    /// Whether each kind of strike has been struck, and junk enough.
    fn is_enough(&self, junk: u64) -> bool {
        let blows = (self.blows.len() + self.streams.len()) as u64;
        let (pushed, kinds) = self.pushed_junk();
        self.struck.load(Ordering::Relaxed) >= 3 * blows
            && pushed >= junk
            && kinds.iter().all(|pushed| *pushed >= junk / JUNK_PART)
            && self.left.load(Ordering::Relaxed) > 0
            && Slow::ALL.iter().all(|slow| self.slow_of(*slow) > 0)
    }

    /// Holds what was told against what the server has counted.
    fn is_counted(&self, scrape: &Scrape) -> Result<(), String> {
        self.tally.agrees_with(scrape)?;
        for (slow, owed) in [(Slow::Head, "head"), (Slow::Taking, "taking")] {
            let line = format!("xuncun_stalled_total{{owed=\"{owed}\"}}");
            let (counted, times) = (scrape.value(&line), self.slow_of(slow));
            if counted < times {
                return Err(format!("{line} is {counted}, and {times} were given up"));
            }
        }
        Ok(())
    }
}

/// An honest phone: its rounds, each with one deed.
struct Honest<'a> {
    town: Town,
    caller: &'a mut Caller,
    server: SocketAddr,
    /// Tries that came to nothing.
    failed: &'a AtomicU64,
}

impl Honest<'_> {
    /// One round, tried again where it came to nothing, as a phone does. Returns how long it took in all, in milliseconds.
    fn round(&mut self) -> f64 {
        let call = self.town.call(self.caller, 1);
        let started = Watch::start();
        let failed = (0..TRIES).find(|_| answered(self.server, &call).is_some());
        let failed = failed.expect("an honest phone is turned away");
        self.failed.fetch_add(failed.into(), Ordering::Relaxed);
        micros(started.elapsed()) / 1e3
    }
}

/// Runs it. What is left must be sound, and hold nothing of the hostile device.
///
/// # Errors
/// What was not answered, not counted, not clean.
pub fn measure(size: Size, seed: u64) -> Result<Vec<Figure>, String> {
    let folder = Folder::new("hostile").map_err(|error| error.to_string())?;
    let file = folder.file("server.db");
    let (app, cases, mut callers) = made(&file, size, seed);
    let stall = size.stall_ms.to_string();
    let options = ["--metrics", "127.0.0.1:0", "--stall-ms", &stall];
    let server = Program::start(&file, 0, &options)?;
    let address = server.address();
    let town = |seed| Town {
        app: std::sync::Arc::clone(&app),
        cases: cases.clone(),
        rng: ChaCha8Rng::seed_from_u64(seed),
    };
    let [own, second, third, victim, honest @ ..] = callers.as_mut_slice() else {
        return Err("four phones at least".to_owned());
    };
    let seen = town(seed).call(victim, 1);
    if admitted(&Connection::open(address).exchange(&seen.request)) != 1 {
        return Err("the victim's own round was not admitted".to_owned());
    }
    let mut foe = foe(&app, &cases, own, victim);
    let mut blows = foe.callers();
    blows.extend(foe.forgeries());
    blows.extend(foe.carried());
    blows.push(Foe::replay(&seen.request));
    let attack = Attack {
        server: address,
        second: second.hand.token.clone(),
        streams: streams(&foe.own.token, app.identity.epoch),
        unfinished: Unfinished::new(&third.hand.token, app.identity.epoch),
        foe,
        blows,
        tally: Tally::default(),
        junk: Mutex::default(),
        struck: AtomicU64::new(0),
        left: AtomicU64::new(0),
        slow: Mutex::default(),
    };
    // Each once, while there is room in the boxes of the day.
    for number in 0..attack.blows.len() {
        attack.strike(&attack.blows, number)?;
    }
    attack.foe.reads_as_the_victim(address)?;
    let failed = AtomicU64::new(0);
    let phones = honest.iter_mut().zip(seed..).map(|(caller, seed)| Honest {
        town: town(seed),
        caller,
        server: address,
        failed: &failed,
    });
    let gate = Gate::default();
    let bare = File::create(folder.file("bare")).map_err(|error| error.to_string())?;
    beside(&gate, &attack, (phones.collect(), &bare), size)?;
    let metrics = server.metrics.ok_or("the server shows no metrics")?;
    attack.is_counted(&Scrape::of(metrics))?;
    let memory = memory_of(server.id(), "VmHWM").unwrap_or_default() as f64 / 1e6;
    server.kill();
    let times = gate.times();
    let (foe, victim) = (attack.foe.own.device, attack.foe.victim.device);
    let mut figures = told(&attack, times, memory);
    let sent = honest
        .iter()
        .map(|caller| (caller.hand.device, caller.hand.n));
    let sent: Vec<_> = sent
        .chain([second, third].map(|caller| (caller.hand.device, 0)))
        .chain([(foe, 0), (victim, 1)])
        .collect();
    drop(app);
    super::entries_in(&file)?;
    is_all_and_no_more(&open(&file, seed), &sent)?;
    let honest: u64 = sent.iter().map(|(_, n)| n).sum();
    let failed = failed.into_inner() as f64;
    figures.extend([
        Figure::told("honest changes, all of them there", honest as f64, ""),
        Figure::at_most("honest tries that came to nothing", failed, "", 0.0),
    ]);
    Ok(figures)
}

/// A file with cases in the villages of as many beats as there are phones, and the phones: the foe's three, the victim's, honest ones.
fn made(file: &Path, size: Size, seed: u64) -> (std::sync::Arc<App>, Vec<DocumentId>, Vec<Caller>) {
    let beats = city().beats.iter().take(size.phones + 4);
    let villages = beats.flat_map(|beat| beat.villages.iter().map(|row| row.village));
    let villages: Vec<VillageCode> = villages.collect();
    let (town, callers) = Town::make(file, (size.cases, &villages), size.phones + 4, seed);
    (town.app, town.cases, callers)
}

fn foe<'a>(app: &'a App, cases: &[DocumentId], own: &Caller, victim: &Caller) -> Foe<'a> {
    let villages = villages_of(app, own.hand.person);
    let is_near = |id: &DocumentId| {
        let case = document::read(&ledger_of(app, *id), |_| Some(START)).case;
        let place = case.places.first().expect("a case has a place");
        villages.contains(&place.value.village)
    };
    let near = cases.iter().find(|id| is_near(id));
    let far = cases.iter().find(|id| !is_near(id));
    let ledger = |id: Option<&DocumentId>| ledger_of(app, *id.expect("cases in both beats"));
    Foe {
        app,
        own: own.hand.clone(),
        victim: victim.hand.clone(),
        near: ledger(near),
        far: ledger(far),
    }
}

/// Lets honest phones and the attack run beside each other, until all windows are over and everything has been struck.
fn beside(
    gate: &Gate,
    attack: &Attack<'_>,
    (phones, bare): (Vec<Honest<'_>>, &File),
    size: Size,
) -> Result<(), String> {
    let pace = Duration::from_millis(size.pace_ms);
    std::thread::scope(|scope| {
        for mut phone in phones {
            scope.spawn(move || {
                gate.repeat(pace, || {
                    gate.timed(|times| &mut times.rounds, || phone.round());
                });
            });
        }
        scope.spawn(move || {
            gate.repeat(SYNC_PACE, || {
                gate.timed(|times| &mut times.syncs, || synced(bare));
            });
        });
        for first in 0..STRIKERS {
            let strike = move |number| attack.strike(&attack.blows, first + number);
            scope.spawn(move || gate.repeat_meekly(strike));
        }
        scope.spawn(|| gate.repeat_meekly(|number| attack.strike(&attack.streams, number)));
        scope.spawn(|| gate.repeat_meekly(|number| attack.junk(number)));
        scope.spawn(|| gate.repeat_meekly(|_| attack.leave_unfinished()));
        for first in 0..size.slow {
            let slow = Slow::ALL[first % Slow::ALL.len()];
            scope.spawn(move || gate.repeat_meekly(|_| attack.keep_waiting(slow)));
        }
        let (pairs, seconds) = size.windows;
        for _ in 0..pairs {
            gate.open(Phase::Quiet, Duration::from_secs(seconds));
            gate.open(Phase::Attacked, Duration::from_secs(seconds));
        }
        gate.open_until(Phase::Attacked, |rounds| {
            rounds >= size.rounds && attack.is_enough(size.junk)
        });
        gate.close()
    })
}

/// How long a bare fsync takes, in milliseconds.
fn synced(mut file: &File) -> f64 {
    let started = Watch::start();
    file.write_all(&[7; 4_096]).expect("room on the disk");
    file.sync_data().expect("the disk answers");
    micros(started.elapsed()) / 1e3
}

/// That of each device so many changes are admitted, and no more.
fn is_all_and_no_more(app: &App, sent: &[(DeviceId, u64)]) -> Result<(), String> {
    let mut found: BTreeMap<DeviceId, u64> = BTreeMap::new();
    let read = app.store.read(&mut |snapshot| {
        for id in snapshot.all_documents()? {
            for link in Growing::load(snapshot, id)?.ledger.links() {
                *found.entry(link.change.actor.device()).or_default() += 1;
            }
        }
        Ok(())
    });
    read.map_err(|error| error.to_string())?;
    for (device, count) in sent {
        let there = found.get(device).copied().unwrap_or_default();
        if there != *count {
            return Err(format!("device {device:?}: {there} changes, not {count}"));
        }
    }
    Ok(())
}

fn told(attack: &Attack<'_>, times: [Times; 2], memory: f64) -> Vec<Figure> {
    let struck = attack.struck.load(Ordering::Relaxed) as f64;
    let (pushed, kinds) = attack.pushed_junk();
    let mut figures = vec![
        Figure::told("blows struck, each answered as it must be", struck, ""),
        Figure::told("junk changes", pushed as f64, ""),
        Figure::told(
            "the same: told why; the others, that it is too much for a day",
            attack.told_why() as f64,
            "",
        ),
    ];
    for (kind, pushed) in Kind::ALL.into_iter().zip(kinds) {
        let name = format!("the same: {kind:?}");
        figures.push(Figure::told(name, pushed as f64, ""));
    }
    let left = attack.left.load(Ordering::Relaxed) as f64;
    let name = "streams left within one of the largest frames";
    figures.push(Figure::told(name, left, ""));
    for slow in Slow::ALL {
        let name = format!("connections given up that owed: {slow:?}");
        figures.push(Figure::told(name, attack.slow_of(slow) as f64, ""));
    }
    for (line, times) in attack.tally.lines() {
        figures.push(Figure::told(line, times as f64, ""));
    }
    let name = "the server's highest memory";
    figures.push(Figure::at_most(name, memory, "MB", MEMORY_MB));
    figures.extend(taken(times));
    figures
}

fn taken(times: [Times; 2]) -> Vec<Figure> {
    let mut figures = Vec::new();
    let mut p99 = Vec::new();
    for (mut times, when) in times.into_iter().zip(["without the attack", "beside it"]) {
        p99.push(percentile(&mut times.rounds, 99));
        let name = format!("honest rounds {when}");
        figures.push(Figure::told(name, times.rounds.len() as f64, ""));
        let of = [
            ("the same", &mut times.rounds),
            ("a bare fsync meanwhile", &mut times.syncs),
        ];
        for (name, times) in of {
            for percent in [50, 99] {
                let name = format!("{name}: p{percent}");
                figures.push(Figure::told(name, percentile(times, percent), "ms"));
            }
        }
    }
    let name = "p99 beside the attack / without";
    figures.push(Figure::at_most(name, p99[1] / p99[0], "×", 2.0));
    figures
}
