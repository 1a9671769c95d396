//! Programs killed (−9) again and again while they work with each other over sockets: the server under phones that push, and a phone that
//! reports and syncs. The moment is a number of entries, never a time; how many of the kills cut a request is counted, and asked.
//!
//! What a kill leaves unsynced is still in the machine's memory: losing that is the business of `power`.

mod cut;
pub(super) mod early;

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use patrol_core::domain::action::Action;
use patrol_core::domain::entry::Body;
use patrol_core::domain::id::{DocumentId, EntryId};
use patrol_core::error::Error;
use patrol_core::replica::{Cancel, Deed, Replica};
use patrol_core::store::Store;
use patrol_core::sync::http::Http;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tokio::sync::{Notify, watch};

use self::cut::{Cuts, Line};
use super::{Program, all_are_in, entries_in};
use crate::clock::{Clock, Machine};
use crate::served::Folder;
use crate::world::matter;

/// How a run ended.
#[derive(Clone, Copy, Debug)]
pub struct Killed {
    /// How often something was killed.
    pub kills: u32,
    /// How many of the kills cut a request; of a phone's, how many came between what it recorded and the end of its round.
    pub cut: usize,
    /// Changes that a killed server had committed when the answer was cut: pushed again, and known.
    pub unanswered: Option<usize>,
    /// Entries that had been acknowledged, or shown as saved, before.
    pub told: usize,
}

/// When the server says that it has kept something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledges {
    /// When it is committed, as it does.
    Committed,
    /// Before: at each kill its last commit is not in the file.
    Early,
}

/// The file of a killed server is looked into after each of so many kills, and then after every so manieth.
const LOOKS: u32 = 20;
/// Rounds in a row after which a phone must have handed in everything once.
const ROUNDS: u32 = 500;
/// A run proves little unless this share of its kills cut a request.
const CUT_SHARE: f64 = 0.1;

impl Killed {
    fn proved(self) -> Result<Self, String> {
        if (self.cut as f64) < f64::from(self.kills) * CUT_SHARE {
            return Err(format!("too few requests were cut: {self:?}"));
        }
        Ok(self)
    }
}

const PHONES: usize = 4;

/// A phone in this program that reports and syncs for as long as it may.
struct Worker {
    replica: Replica,
    line: Line,
    last: Option<DocumentId>,
}

/// What workers and the killer share.
struct Shared {
    acknowledged: Mutex<BTreeSet<EntryId>>,
    count: AtomicUsize,
    more: Notify,
    is_over: AtomicBool,
}

impl Shared {
    /// Whether a copy of the file, with its log, holds what had been acknowledged when this was asked.
    fn are_all_in(&self, database: &Path) -> Result<(), String> {
        let acknowledged = self
            .acknowledged
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let folder = Folder::new("kills-look").map_err(|error| error.to_string())?;
        let copy = folder.file("server.db");
        for end in ["", "-wal"] {
            let beside = |path: &Path| format!("{}{end}", path.display());
            std::fs::copy(beside(database), beside(&copy)).map_err(|error| error.to_string())?;
        }
        all_are_in(&acknowledged, &entries_in(&copy)?)
    }
}

/// Records one deed: a report, or a note on the last case.
///
/// # Errors
/// Why the phone could not.
pub fn deed(
    replica: &Replica,
    number: usize,
    last: &mut Option<DocumentId>,
) -> Result<EntryId, Error> {
    let noted = last.filter(|_| !number.is_multiple_of(3)).map(|case| {
        let body = Body {
            words: Some(format!("第{number}次")),
            ..Body::default()
        };
        replica.act(case, &Deed::new(Action::Note, body))
    });
    if let Some(Ok(entry)) = noted {
        return Ok(entry);
    }
    let village = replica
        .villages()?
        .first()
        .copied()
        .ok_or(Error::NotFound)?;
    let deed = Deed {
        fields: matter(village, &format!("第{number}件")),
        ..Deed::new(Action::Report, Body::default())
    };
    let (case, entry) = replica.begin(&deed)?;
    *last = Some(case);
    Ok(entry)
}

impl Worker {
    async fn enrol(url: &str, code: &str, cuts: Arc<Cuts>, number: u64) -> Result<Self, String> {
        let machine = Arc::new(Machine::new(&Clock::default(), number));
        let store = Store::in_memory().map_err(|error| error.to_string())?;
        let worker = Self {
            replica: Replica::on(store, machine),
            line: Line {
                http: Http::new().map_err(|_| "no client")?,
                cuts,
            },
            last: None,
        };
        let enrolled = worker.replica.enrol(&worker.line, url, code).await;
        enrolled.map_err(|error| error.to_string())?;
        Ok(worker)
    }

    /// Works until it is over; where the server is down it waits for the next one.
    async fn work(
        mut self,
        shared: Arc<Shared>,
        mut is_up: watch::Receiver<bool>,
    ) -> Result<Self, String> {
        let mut waiting = BTreeSet::new();
        let mut number = 0;
        let mut barren = 0;
        while !shared.is_over.load(Ordering::Relaxed) {
            let entry = deed(&self.replica, number, &mut self.last);
            waiting.insert(entry.map_err(|error| error.to_string())?);
            number += 1;
            if is_up.wait_for(|is_up| *is_up).await.is_err() {
                break;
            }
            self.sync(&shared, &mut waiting).await?;
            barren = if waiting.is_empty() { 0 } else { barren + 1 };
            if barren > ROUNDS {
                return Err(format!("{} entries are never handed in", waiting.len()));
            }
        }
        Ok(self)
    }

    async fn sync(&self, shared: &Shared, waiting: &mut BTreeSet<EntryId>) -> Result<(), String> {
        let cancel = Cancel::default();
        match self.replica.sync(&self.line, &cancel, &|_| ()).await {
            Ok(_) | Err(Error::Offline { .. }) => {}
            Err(error) => return Err(error.to_string()),
        }
        let outbox = self
            .replica
            .status()
            .map_err(|error| error.to_string())?
            .outbox;
        if outbox == 0 && !waiting.is_empty() {
            shared.count.fetch_add(waiting.len(), Ordering::Relaxed);
            let mut acknowledged = shared
                .acknowledged
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            acknowledged.append(waiting);
            shared.more.notify_waiters();
        }
        Ok(())
    }
}

/// Kills a server so often while phones push to it.
///
/// # Errors
/// What was lost or doubled, or is not sound.
pub async fn of_a_server(kills: u32, when: Acknowledges, seed: u64) -> Result<Killed, String> {
    let folder = Folder::new("kills").map_err(|error| error.to_string())?;
    let database = folder.file("server.db");
    let mut server = Program::start(&database, 0, &[])?;
    let port = server.port();
    let shared = Arc::new(Shared {
        acknowledged: Mutex::default(),
        count: AtomicUsize::new(0),
        more: Notify::new(),
        is_over: AtomicBool::new(false),
    });
    let cuts = Arc::new(Cuts::default());
    let (up, is_up) = watch::channel(true);
    let mut workers = Vec::new();
    for number in 1..=PHONES {
        let code = Program::code(&database, &format!("巡查员{number:02}"))?;
        let seed = seed + number as u64;
        let worker = Worker::enrol(&server.url, &code, Arc::clone(&cuts), seed).await?;
        workers.push(tokio::spawn(
            worker.work(Arc::clone(&shared), is_up.clone()),
        ));
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for kill in 0..kills {
        let due = shared.count.load(Ordering::Relaxed) + rng.random_range(1..24);
        while shared.count.load(Ordering::Relaxed) < due {
            let more = shared.more.notified();
            if workers.iter().any(tokio::task::JoinHandle::is_finished) {
                break;
            }
            if shared.count.load(Ordering::Relaxed) < due {
                more.await;
            }
        }
        up.send_replace(false);
        cuts.kill();
        server.kill();
        if when == Acknowledges::Early {
            early::undo_commits(&database, 1).map_err(|error| error.to_string())?;
        }
        if kill < LOOKS || kill.is_multiple_of(LOOKS) {
            shared.are_all_in(&database)?;
        }
        server = Program::start(&database, port, &[])?;
        up.send_replace(true);
    }
    shared.is_over.store(true, Ordering::Relaxed);
    let mut recorded = BTreeSet::new();
    for worker in workers {
        let worker = worker.await.map_err(|error| error.to_string())??;
        let cancel = Cancel::default();
        let synced = worker.replica.sync(&worker.line, &cancel, &|_| ()).await;
        synced.map_err(|error| error.to_string())?;
        recorded.append(&mut crate::simulation::audit::entries_on_phone(
            worker.replica.store(),
        ));
    }
    server.kill();
    let found = entries_in(&database)?;
    let acknowledged = shared
        .acknowledged
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    all_are_in(&acknowledged, &found)?;
    all_are_in(&recorded, &found)?;
    let (cut, unanswered) = cuts.seen();
    let killed = Killed {
        kills,
        cut,
        unanswered: Some(unanswered),
        told: acknowledged.len(),
    };
    killed.proved()
}

/// What a phone's program prints.
enum Said {
    Recorded(EntryId),
    Synced,
}

fn said(line: &str) -> Option<Said> {
    match line.split_once(' ') {
        None if line == "synced" => Some(Said::Synced),
        None => EntryId::from_hex(line).map(Said::Recorded),
        Some(_) => None,
    }
}

/// Kills a phone's program so often while it reports and syncs with a server.
///
/// # Errors
/// What was lost or doubled, or is not sound.
pub async fn of_a_phone(victim: &Path, kills: u32, seed: u64) -> Result<Killed, String> {
    let folder = Folder::new("phone-kills").map_err(|error| error.to_string())?;
    let (database, file) = (folder.file("server.db"), folder.file("phone.db"));
    let server = Program::start(&database, 0, &[])?;
    let code = Program::code(&database, "巡查员01")?;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut recorded, mut synced) = (BTreeSet::new(), BTreeSet::new());
    let mut cut = 0;
    for kill in 0..kills {
        let lines = rng.random_range(1..30);
        let mut child = Command::new(victim)
            .arg("device")
            .arg(&file)
            .arg((seed + u64::from(kill)).to_string())
            .args([&server.url, &code])
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let output = BufReader::new(child.stdout.take().ok_or("its output")?);
        let mut heard = 0;
        let mut here = BTreeSet::new();
        let mut is_open = false;
        for line in output.lines().map_while(Result::ok) {
            let Some(said) = said(&line) else {
                continue;
            };
            match said {
                Said::Recorded(entry) => drop(here.insert(entry)),
                Said::Synced => synced.extend(here.iter().copied()),
            }
            is_open = !matches!(said, Said::Synced);
            heard += 1;
            if heard == lines {
                child.kill().map_err(|error| error.to_string())?;
            }
        }
        child.wait().map_err(|error| error.to_string())?;
        if heard < lines {
            return Err(format!(
                "kill {kill}: it ended by itself after {heard} lines"
            ));
        }
        cut += usize::from(is_open);
        recorded.append(&mut here);
    }
    let machine = Arc::new(Machine::new(&Clock::default(), seed));
    let (replica, rescued) = Replica::open(&file, machine).map_err(|error| error.to_string())?;
    if rescued.is_some() {
        return Err("the phone's file was damaged".to_owned());
    }
    let http = Http::new().map_err(|_| "no client")?;
    let done = replica.sync(&http, &Cancel::default(), &|_| ()).await;
    done.map_err(|error| error.to_string())?;
    server.kill();
    let found = entries_in(&database)?;
    all_are_in(&recorded, &found)?;
    all_are_in(&synced, &found)?;
    let killed = Killed {
        kills,
        cut,
        unanswered: None,
        told: recorded.len(),
    };
    killed.proved()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kills_that_fall_between_requests_prove_nothing() {
        let killed = |cut| Killed {
            kills: 100,
            cut,
            unanswered: None,
            told: 500,
        };
        assert!(killed(9).proved().is_err());
        assert!(killed(10).proved().is_ok());
    }
}
