//! Programs killed (−9) again and again while they work with each other over sockets: the server under phones that push, and a phone that
//! reports and syncs (`phone`). The moment is a number of entries, never a time; how many of the kills cut something is counted, and asked.
//!
//! What a kill leaves unsynced is still in the machine's memory: losing that is the business of `power`.

mod cut;
mod drafts;
pub(super) mod early;
pub mod phone;
pub mod said;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use patrol_core::domain::action::Action;
use patrol_core::domain::entry::Body;
use patrol_core::domain::id::{DocumentId, DraftId, EntryId};
use patrol_core::error::Error;
use patrol_core::replica::{Cancel, Deed, Replica};
use patrol_core::store::Store;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tokio::sync::{Notify, watch};

use self::cut::{Cuts, Line};
use super::{Program, all_are_in, entries_in};
use crate::clock::{Clock, Machine};
use crate::served::Folder;
use crate::world::matter;

/// How a run with a server ended.
#[derive(Clone, Copy, Debug)]
pub struct Killed {
    /// How often it was killed.
    pub kills: u32,
    /// How many of the kills cut a request.
    pub cut: usize,
    /// Changes that it had committed when the answer was cut: pushed again, and known.
    pub unanswered: usize,
    /// Entries that had been acknowledged before.
    pub told: usize,
}

/// When a program says that it has kept something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledges {
    /// When it is committed, as it does.
    Committed,
    /// Before: at each kill its last commit is not in the file.
    Early,
}

/// The file of a killed program is looked into after each of so many kills, and then after every so manieth.
const LOOKS: u32 = 20;
/// Rounds in a row after which a phone must have handed in everything once.
const ROUNDS: u32 = 500;
/// A run proves little unless this share of its kills cut what they should cut.
const CUT_SHARE: f64 = 0.1;

/// Whether so many of the kills are enough.
fn is_enough(cut: usize, kills: u32) -> bool {
    cut as f64 >= f64::from(kills) * CUT_SHARE
}

fn is_looked_into(kill: u32) -> bool {
    kill < LOOKS || kill.is_multiple_of(LOOKS)
}

/// Copies a database of a killed program, with its log.
fn copy(database: &Path, to: &Path) -> Result<(), String> {
    for end in ["", "-wal"] {
        let beside = |path: &Path| format!("{}{end}", path.display());
        std::fs::copy(beside(database), beside(to)).map_err(|error| error.to_string())?;
    }
    Ok(())
}

impl Killed {
    fn proved(self) -> Result<Self, String> {
        if is_enough(self.cut, self.kills) {
            Ok(self)
        } else {
            Err(format!("too few requests were cut: {self:?}"))
        }
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
    /// A worker has ended, whyever.
    has_ended: AtomicBool,
}

/// Tells when its worker ends, also by a fault: nobody waits for what will not come.
struct Leaves(Arc<Shared>);

impl Drop for Leaves {
    fn drop(&mut self) {
        self.0.has_ended.store(true, Ordering::Relaxed);
        self.0.more.notify_waiters();
    }
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
        let file = folder.file("server.db");
        copy(database, &file)?;
        all_are_in(&acknowledged, &entries_in(&file)?)
    }
}

/// Records one deed, of a draft or not: a report, or a note on the last case.
///
/// # Errors
/// Why the phone could not.
pub fn deed(
    replica: &Replica,
    number: usize,
    last: &mut Option<DocumentId>,
    draft: Option<DraftId>,
) -> Result<EntryId, Error> {
    let noted = last.filter(|_| !number.is_multiple_of(3)).map(|case| {
        let body = Body {
            words: Some(format!("第{number}次")),
            ..Body::default()
        };
        let deed = Deed {
            draft,
            ..Deed::new(Action::Note, body)
        };
        replica.act(case, &deed)
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
        draft,
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
            line: Line::new(cuts).ok_or("no client")?,
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
        let _leaves = Leaves(Arc::clone(&shared));
        let mut waiting = BTreeSet::new();
        let mut number = 0;
        let mut barren = 0;
        while !shared.is_over.load(Ordering::Relaxed) {
            let entry = deed(&self.replica, number, &mut self.last, None);
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
        has_ended: AtomicBool::new(false),
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
            if shared.has_ended.load(Ordering::Relaxed) {
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
        if is_looked_into(kill) {
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
        unanswered,
        told: acknowledged.len(),
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
            unanswered: 0,
            told: 500,
        };
        assert!(killed(9).proved().is_err());
        assert!(killed(10).proved().is_ok());
    }
}
