//! Pushes of one change while backups are taken, until the log that grew behind them has been copied, and as many without: how long
//! somebody waits because of a backup.
//!
//! A pause is what the longest of these pushes took, from its sending to its whole answer. Between an answer and the next push lies only what
//! composing that takes, so no longer pause hides there. Whether a backup is good is not asked here.

use std::io::Read as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use patrol_core::domain::id::DocumentId;
use patrol_core::domain::place::Scope;
use patrol_server::app::App;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use super::super::Program;
use super::super::town::{Caller, Town};
use super::most;
use crate::bench::bytes::villages_of;
use crate::bench::client::{Connection, admitted};
use crate::bench::{Figure, Watch, micros, percentile};

/// Pushes that must fall into backups. Where one is over before, another is taken.
const BESIDE_LEAST: usize = 200;
/// No backup of a run, with what follows it, takes longer.
const BACKUP: Duration = Duration::from_secs(300);
/// By turns, so that none of them has had so much work in a row that it must rest.
const PHONES: usize = 4;
/// Cases of a village that a phone chooses among.
const NEAR: usize = 1_000;
/// Where a log says how often it has begun anew.
const BEGUN_ANEW: std::ops::Range<usize> = 12..16;

/// By how much a backup may make somebody wait.
const PAUSE_MS: f64 = 50.0;
/// Where the longest without a backup takes more, the machine is too noisy to tell.
const QUIET_MS: f64 = 100.0;

/// How long each push of a phase took, in milliseconds.
type Times = Vec<f64>;

/// Pushes of one change, by phones that have caught up, one behind the other on one connection.
pub(super) struct Singles<'a> {
    /// Each with the cases among which it chooses.
    phones: Vec<(Town, &'a mut Caller)>,
    connection: Connection,
    count: usize,
}

impl<'a> Singles<'a> {
    /// Of these phones by turns.
    pub(super) fn new(
        app: &Arc<App>,
        callers: &'a mut [Caller],
        server: SocketAddr,
        seed: u64,
    ) -> Self {
        let phones = callers.iter_mut().map(|caller| {
            let town = Town {
                app: Arc::clone(app),
                cases: near(app, caller),
                rng: ChaCha8Rng::seed_from_u64(seed),
            };
            (town, caller)
        });
        Singles {
            phones: phones.collect(),
            connection: Connection::open(server),
            count: 0,
        }
    }

    /// The next one.
    pub(super) fn push(&mut self) -> f64 {
        let turn = self.count % self.phones.len();
        self.count += 1;
        let (town, caller) = &mut self.phones[turn];
        let call = town.call(caller, 1);
        let started = Watch::start();
        let answer = self.connection.exchange(&call.request);
        let took = micros(started.elapsed()) / 1e3;
        assert_eq!(admitted(&answer), 1, "the change is admitted");
        took
    }

    /// So many.
    fn pushes(&mut self, count: usize) -> Times {
        (0..count).map(|_| self.push()).collect()
    }
}

/// Cases of a phone's own villages: to look for one among all takes longer than to push it.
fn near(app: &App, caller: &Caller) -> Vec<DocumentId> {
    let mut near = Vec::new();
    let read = app.store.read(&mut |snapshot| {
        for village in villages_of(app, caller.hand.person) {
            if let Some(row) = snapshot.scope(Scope::Village(village))? {
                let members = snapshot.members_before(row.number, row.head + 1, NEAR)?;
                near.extend(members.into_iter().map(|(_, id)| id));
            }
        }
        Ok(())
    });
    read.expect("the store answers");
    near
}

/// What was seen beside the backups of a run.
struct Beside {
    /// Of the pushes that began while one was taken.
    during: Times,
    /// Of those behind, until the log had begun anew.
    behind: Times,
    backups: usize,
    /// How long the backups took.
    seconds: f64,
}

/// Measures them. The server has the file open, and nobody else pushes.
///
/// A push now and then copies the log also where no backup is taken, and the machine has its noise; so what is asked is how much longer the
/// longest beside a backup takes than the longest of as many without. To ask it of the p99 without would blame the backup for both. But a
/// noise that only the pushes without a backup met must not forgive a pause: there are two phases without it, the one whose longest is
/// shorter counts, and a run in which even that is long fails. What slows many pushes without being the longest is asked of the p99.
///
/// # Errors
/// That a backup failed, or lasted longer than it was pushed beside it.
pub(super) fn measure(
    (app, seed): (&Arc<App>, u64),
    callers: &mut [Caller],
    server: SocketAddr,
    (file, folder): (&Path, &Path),
) -> Result<Vec<Figure>, String> {
    let callers = callers.split_at_mut(callers.len().min(PHONES)).0;
    let mut singles = Singles::new(app, callers, server, seed);
    let beside = beside(&mut singles, (file, folder))?;
    let count = beside.during.len() + beside.behind.len();
    let quiet = [singles.pushes(count), singles.pushes(count)];
    Ok(figures(beside, quiet))
}

fn figures(mut beside: Beside, mut quiet: [Times; 2]) -> Vec<Figure> {
    let (count, behind) = (beside.during.len() as f64, beside.behind.len() as f64);
    let longest = [most(&beside.during), most(&beside.behind)];
    let p99 = percentile(&mut beside.during, 99);
    let [mut quiet_p50, mut quiet_p99, mut quiet_longest] = [f64::INFINITY; 3];
    for times in &mut quiet {
        quiet_p50 = quiet_p50.min(percentile(times, 50));
        quiet_p99 = quiet_p99.min(percentile(times, 99));
        quiet_longest = quiet_longest.min(most(times));
    }
    let told = |name: &str, value, unit| Figure::told(name, value, unit);
    let ms = |name: &str, value| Figure::told(name, value, "ms");
    vec![
        told("backups taken", beside.backups as f64, ""),
        told("the same: all together", beside.seconds, "s"),
        Figure::at_least(
            "one-change pushes that began while a backup was taken",
            count,
            "",
            BESIDE_LEAST as f64,
        ),
        told(
            "the same behind it, until the log had begun anew",
            behind,
            "",
        ),
        ms(
            "one-change push without a backup, twice as many, the better: p50",
            quiet_p50,
        ),
        ms("the same: p99", quiet_p99),
        Figure::at_most("the same: longest", quiet_longest, "ms", QUIET_MS),
        ms(
            "one-change push beside a backup: p50",
            percentile(&mut beside.during, 50),
        ),
        ms("the same: p99", p99),
        ms("the same: longest", longest[0]),
        ms("the same: longest behind it", longest[1]),
        Figure::at_most(
            "p99 beside a backup, beyond the p99 without",
            p99 - quiet_p99,
            "ms",
            PAUSE_MS,
        ),
        Figure::at_most(
            "pause: the longest beside and behind it, beyond the longest without",
            longest[0].max(longest[1]) - quiet_longest,
            "ms",
            PAUSE_MS,
        ),
    ]
}

/// Pushes for as long as the program's own errand takes backups, and until the log behind them has begun anew.
fn beside(singles: &mut Singles<'_>, (file, folder): (&Path, &Path)) -> Result<Beside, String> {
    let pushed = AtomicUsize::new(0);
    let watch = Watch::start();
    std::thread::scope(|scope| {
        let backups = scope.spawn(|| {
            let mut taken = 0;
            let is_due = || {
                // Who pushes may have failed: then nobody waits for ever.
                pushed.load(Ordering::Relaxed) < BESIDE_LEAST && watch.elapsed() < BACKUP
            };
            while taken == 0 || is_due() {
                taken += 1;
                back_up(file, &folder.join(format!("backup-{taken}.db")))?;
            }
            Ok::<_, String>((taken, watch.elapsed().as_secs_f64()))
        });
        let mut during = Times::new();
        while !backups.is_finished() && watch.elapsed() < BACKUP {
            during.push(singles.push());
            pushed.fetch_add(1, Ordering::Relaxed);
        }
        if !backups.is_finished() {
            return Err("the backup lasted longer than it was pushed beside it".to_owned());
        }
        let (backups, seconds) = backups.join().map_err(|_| "the backup panicked")??;
        let before = begun_anew(file)?;
        let mut behind = Times::new();
        while begun_anew(file)? == before {
            if watch.elapsed() > 2 * BACKUP {
                return Err("the log behind the backup is never copied".to_owned());
            }
            behind.push(singles.push());
        }
        Ok(Beside {
            during,
            behind,
            backups,
            seconds,
        })
    })
}

fn back_up(file: &Path, to: &Path) -> Result<(), String> {
    let (from, name) = (file.to_str().ok_or("UTF-8")?, to.to_str().ok_or("UTF-8")?);
    Program::errand(&["backup", "--database", from, "--to", name])?;
    std::fs::remove_file(to).map_err(|error| error.to_string())
}

/// How often the log of a database has begun anew.
fn begun_anew(file: &Path) -> Result<Vec<u8>, String> {
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    let log = std::fs::File::open(PathBuf::from(log)).map_err(|error| error.to_string())?;
    let mut head = Vec::new();
    log.take(BEGUN_ANEW.end as u64)
        .read_to_end(&mut head)
        .map_err(|error| error.to_string())?;
    Ok(head.get(BEGUN_ANEW).unwrap_or_default().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a run holds with phases of so many pushes that take a millisecond but for the longest.
    fn is_held(count: usize, beside: [f64; 2], quiet: [f64; 2]) -> bool {
        let times = |longest: f64| [vec![longest], vec![1.0; count - 1]].concat();
        let beside = Beside {
            during: times(beside[0]),
            behind: times(beside[1]),
            backups: 1,
            seconds: 1.0,
        };
        let figures = figures(beside, quiet.map(times));
        figures.iter().all(|figure| figure.is_ok() != Some(false))
    }

    #[test]
    fn a_pause_is_found_while_a_backup_is_taken_and_behind_it_whatever_noise_the_quiet_met() {
        assert!(is_held(1_000, [60.0, 5.0], [12.0, 15.0]));
        assert!(!is_held(1_000, [70.0, 5.0], [12.0, 900.0]));
        assert!(!is_held(1_000, [5.0, 70.0], [900.0, 12.0]));
        assert!(!is_held(1_000, [500.0, 5.0], [900.0, 900.0]));
    }

    #[test]
    fn backups_with_few_pushes_beside_them_prove_nothing() {
        assert!(is_held(BESIDE_LEAST, [1.0, 1.0], [1.0, 1.0]));
        assert!(!is_held(BESIDE_LEAST - 1, [1.0, 1.0], [1.0, 1.0]));
    }
}
