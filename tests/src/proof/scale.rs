//! A large city on this machine: a server with many cases, a kill under phones that push, thousands of phones in one morning, a backup
//! beside the work.
//!
//! Phones are keys and counters that speak the protocol; they come at the pace of a morning or as fast as the server answers, and are
//! not more than a few at once.

mod pauses;
mod waves;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use patrol_core::domain::place::VillageCode;
use patrol_server::app::App;

use self::pauses::Singles;
pub(super) use self::waves::{TRIES, answered};
use self::waves::{Wave, pause, rush, wave};
use super::Program;
use super::kills::Acknowledges;
use super::kills::early::undo_commits;
use super::town::{Call, Caller, Town, open};
use crate::bench::{Figure, Watch, memory_of, micros, percentile};
use crate::served::Folder;
use crate::world::city;

/// Of the phones of a morning, this part pushes beforehand while the server is killed.
const RUSH_PART: usize = 10;
/// Until a server that was started again answers a round, at the very most.
const SERVING: Duration = Duration::from_secs(30);
/// Deeds of a phone that was a day without a network.
const DEEDS: usize = 20;
/// Pushes of one change, with all cases and with few.
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
    /// How many are answered at the same time at most.
    pub at_once: usize,
}

/// How a server fared that was killed while phones pushed to it.
#[derive(Clone, Copy, Debug)]
pub struct Killed {
    /// Requests that were under way then.
    pub open: usize,
    /// Tries of phones that failed.
    pub errors: usize,
    /// Phones that had been answered before, each of whose changes was still there.
    pub before: usize,
    /// From starting it again until it listened, in milliseconds.
    pub until_listening: f64,
    /// The same, until it had answered a phone's round.
    pub until_serving: f64,
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
}

/// Starts a server, kills it while all these push, starts it again, and asks whether it kept what it had acknowledged.
fn killed_under(
    file: &Path,
    calls: &[Call],
    at_once: usize,
    when: Acknowledges,
) -> Result<(Program, Killed), String> {
    let first = Program::start(file, 0, &[])?;
    let (address, port) = (first.address(), first.port());
    let after = (calls.len() / 2, at_once);
    let (rush, again) = rush(address, calls, after, || {
        first.kill();
        if when == Acknowledges::Early {
            // More than can be without an answer.
            undo_commits(file, at_once + 2).map_err(|error| error.to_string())?;
        }
        let started = Watch::start();
        let server = Program::start(file, port, &[])?;
        let until_listening = micros(started.elapsed()) / 1e3;
        // It is asked by many others at this moment.
        let call = calls.last().ok_or("nobody pushes")?;
        while answered(address, call).is_none() {
            if started.elapsed() > SERVING {
                return Err("it listens, and does not answer a round".to_owned());
            }
            pause(Duration::from_millis(1));
        }
        Ok::<_, String>((server, until_listening, micros(started.elapsed()) / 1e3))
    });
    let (server, until_listening, until_serving) = again?;
    for number in &rush.before {
        let call = &calls[*number];
        let known = answered(address, call).map(|told| told.known);
        if known != Some(call.changes) {
            return Err(format!(
                "lost: of phone {number} {known:?} of {} changes are known",
                call.changes
            ));
        }
    }
    if rush.open == 0 || rush.errors == 0 {
        return Err(format!("it was killed at rest: {rush:?}"));
    }
    let killed = Killed {
        open: rush.open,
        errors: rush.errors,
        before: rush.before.len(),
        until_listening,
        until_serving,
    };
    Ok((server, killed))
}

/// The same in a small town of its own.
///
/// # Errors
/// What was lost, or that nothing was under way.
pub fn killed_in_a_small_town(
    phones: usize,
    when: Acknowledges,
    seed: u64,
) -> Result<Killed, String> {
    let folder = Folder::new("scale-kill").map_err(|error| error.to_string())?;
    let file = folder.file("server.db");
    // Everybody finds cases in his own villages.
    let villages: Vec<_> = city().villages.iter().map(|village| village.code).collect();
    let cases = villages.len();
    let (mut town, mut callers) = Town::make(&file, (cases, &villages), phones, seed);
    let calls: Vec<Call> = callers
        .iter_mut()
        .map(|caller| town.call(caller, DEEDS))
        .collect();
    drop(town);
    let (server, killed) = killed_under(&file, &calls, 4, when)?;
    server.kill();
    super::entries_in(&file)?;
    Ok(killed)
}

fn one_beat() -> Vec<VillageCode> {
    let beat = &city().beats[0];
    beat.villages.iter().map(|row| row.village).collect()
}

/// Megabytes of a database and its log.
fn disk_of(file: &Path) -> f64 {
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    let len = |path: &Path| std::fs::metadata(path).map_or(0, |found| found.len());
    (len(file) + len(Path::new(&log))) as f64 / 1e6
}

/// Runs everything of this file. What is left must be sound.
///
/// # Errors
/// What was not as it must be.
pub fn measure(size: Size, seed: u64) -> Result<Vec<Figure>, String> {
    let folder = Folder::new("scale").map_err(|error| error.to_string())?;
    let (file, small) = (folder.file("server.db"), folder.file("small.db"));
    let (few, mut few_callers) = Town::make(&small, (100, &one_beat()), 1, seed);
    let started = Watch::start();
    let villages: Vec<_> = city().villages.iter().map(|village| village.code).collect();
    // One of each beat at least, so that every phone has news in the morning.
    let rushing = city().beats.len().max(size.phones / RUSH_PART);
    let phones = size.phones + rushing;
    let (mut town, mut callers) = Town::make(&file, (size.cases, &villages), phones, seed);
    let filled = started.elapsed().as_secs_f64();
    let mut rushers = callers.split_off(size.phones);
    let calls = town.morning(&mut callers);
    let rushes: Vec<Call> = rushers
        .iter_mut()
        .map(|caller| town.call(caller, DEEDS))
        .collect();
    drop(town);
    let disk = disk_of(&file);

    let (server, killed) = killed_under(&file, &rushes, size.at_once, Acknowledges::Committed)?;
    let started = Watch::start();
    let over = Duration::from_secs(size.seconds);
    let wave = wave(server.address(), &calls, over, size.at_once);
    let seconds = started.elapsed().as_secs_f64();
    let memory = memory_of(server.id(), "VmHWM").unwrap_or_default() as f64 / 1e6;
    let disks = (disk, disk_of(&file));

    let app = open(&file, seed);
    if wave.failed == 0 {
        let all = rushes.iter().chain(&calls);
        Town::has_filed(&app, all.flat_map(|call| &call.reported))?;
    }
    let singles = singles_of(
        (app, seed),
        &mut callers,
        server,
        (&file, folder.path()),
        (few.app, &mut few_callers, &small),
    )?;
    super::entries_in(&file)?;
    let mut figures = vec![
        Figure::told(
            format!("filling the server with {} cases", size.cases),
            filled,
            "s",
        ),
        Figure::told("the database with them, and its log", disks.0, "MB"),
        Figure::told("the same after the morning", disks.1, "MB"),
    ];
    figures.extend(killed.figures());
    let changes = calls.iter().map(|call| call.changes).sum();
    let reports = calls.iter().map(|call| call.reported.len()).sum();
    figures.extend(of_the_morning(size, wave, seconds, (changes, reports)));
    figures.push(Figure::at_most(
        "the server's highest memory",
        memory,
        "MB",
        300.0,
    ));
    figures.extend(singles);
    Ok(figures)
}

impl Killed {
    fn figures(self) -> Vec<Figure> {
        let told = |name: &str, count: usize| Figure::told(name, count as f64, "");
        vec![
            Figure::at_least(
                "killed while phones pushed: requests under way",
                self.open as f64,
                "",
                1.0,
            ),
            told("the same: tries that failed", self.errors),
            told("the same: phones answered before, all kept", self.before),
            Figure::at_most(
                "the same: started again, until it listened",
                self.until_listening,
                "ms",
                1_000.0,
            ),
            Figure::at_most(
                "the same: until it had answered a round",
                self.until_serving,
                "ms",
                1_000.0,
            ),
        ]
    }
}

fn most(times: &[f64]) -> f64 {
    times.iter().copied().fold(0.0, f64::max)
}

fn of_the_morning(
    size: Size,
    mut wave: Wave,
    seconds: f64,
    (changes, reports): (usize, usize),
) -> Vec<Figure> {
    let told = |name: &str, count: usize| Figure::told(name, count as f64, "");
    let none = |name: &str, count: usize| Figure::at_most(name, count as f64, "", 0.0);
    let Size {
        phones, at_once, ..
    } = size;
    let pace = size.seconds;
    let mut figures = vec![
        Figure::at_most(
            format!("{phones} phones in {pace} s, a quarter with {DEEDS} deeds, {at_once} at once"),
            seconds,
            "s",
            (pace + 5).max(600) as f64,
        ),
        Figure::told("the same", phones as f64 / seconds, "rounds/s"),
        told("the same: changes pushed and admitted", changes),
        told("the same: of them reports, each numbered", reports),
        none("the same: phones turned away", wave.failed),
        none("the same: tries that failed", wave.errors),
        none("the same: phones told nothing new", wave.without_news),
    ];
    // Where all come as fast as they can, nobody is due.
    let mut kinds = vec![("from setting out", &mut wave.from_start)];
    if pace > 0 {
        kinds.push(("from when it was due", &mut wave.from_due));
    }
    for (from, times) in kinds {
        let name = |what: &str| format!("the same: {what} of a round {from}");
        figures.push(Figure::told(name("p50"), percentile(times, 50), "ms"));
        let p99 = percentile(times, 99);
        figures.push(Figure::at_most(name("p99"), p99, "ms", 1_000.0));
        figures.push(Figure::told(name("longest"), most(times), "ms"));
    }
    figures
}

/// Pushes of one change: beside a backup and without one, and on a server with few cases. Ends the server.
fn singles_of(
    (app, seed): (Arc<App>, u64),
    callers: &mut [Caller],
    server: Program,
    (file, folder): (&Path, &Path),
    (few, few_callers, small): (Arc<App>, &mut [Caller], &Path),
) -> Result<Vec<Figure>, String> {
    let address = server.address();
    let mut figures = pauses::measure((&app, seed), callers, address, (file, folder))?;
    let small_server = Program::start(small, 0, &[])?;
    let one = callers.split_at_mut(1).0;
    let mut few = Singles::new(&few, few_callers, small_server.address(), seed);
    let mut many = Singles::new(&app, one, address, seed);
    let (mut at_few, mut at_many) = by_turns(SINGLES, || few.push(), || many.push());
    drop((few, many));
    small_server.kill();
    server.kill();
    figures.push(growth(&mut at_few, &mut at_many));
    Ok(figures)
}

/// How long each of so many pushes took, here and there by turns: whatever else the machine does falls into both.
fn by_turns(
    count: usize,
    mut here: impl FnMut() -> f64,
    mut there: impl FnMut() -> f64,
) -> (Vec<f64>, Vec<f64>) {
    (0..count).map(|_| (here(), there())).unzip()
}

fn growth(at_few: &mut [f64], at_many: &mut [f64]) -> Figure {
    let growth = percentile(at_many, 50) / percentile(at_few, 50);
    Figure::at_most(
        "one-change round with all cases / with 100, medians",
        growth,
        "×",
        1.5,
    )
    .strict()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn growth_is_measured_by_turns_and_no_busy_machine_excuses_it() {
        let order = RefCell::new(String::new());
        let push = |name, took| {
            order.borrow_mut().push(name);
            took
        };
        let (mut few, mut many) = by_turns(3, || push('f', 2.0), || push('m', 3.1));
        assert_eq!(order.into_inner(), "fmfmfm");
        assert!(!growth(&mut few, &mut many).is_within(4.0));
        many = vec![2.9; 3];
        assert!(growth(&mut few, &mut many).is_within(1.0));
    }
}
