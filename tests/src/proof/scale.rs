//! A large city on this machine: a server with many cases, thousands of phones in one morning, a kill, a backup beside the work.
//!
//! Phones are keys and counters that speak the protocol; they come one after the other over a few connections, at the pace of a morning
//! or as fast as the server answers.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::Program;
use super::town::{Call, Caller, Town, open};
use crate::bench::client::{Connection, admitted};
use crate::bench::{Figure, Watch, memory_of, micros, percentile};
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

impl Town {
    /// The first call of each in the morning; every fourth was a day without a network.
    fn morning(&mut self, callers: &mut [Caller]) -> Vec<Call> {
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

/// Lets everybody call, each on a connection of his own, spread over so many seconds. Returns the time of each call in milliseconds.
#[expect(clippy::disallowed_methods, reason = "a morning has its pace")]
fn wave(server: &Program, calls: &[Call], seconds: u64) -> Vec<f64> {
    let address = server.address();
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
    let (address, caller) = (server.address(), &mut callers[0]);
    let mut quiet = town.singles(address, caller, |_| false);
    let mut beside = beside_a_backup(
        &mut town,
        caller,
        address,
        (&file, &folder.file("backup.db")),
    )?;
    let small_server = Program::start(&small, 0, &[])?;
    let mut at_few = few.singles(small_server.address(), &mut few_callers[0], |_| false);
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
