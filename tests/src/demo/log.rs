//! What people were told is recorded: every entry id that a phone or the API returned, kept outside all stores. The audit's only witness.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use patrol_core::domain::id::{DocumentId, EntryId, PersonId};
use patrol_core::error::Error;

/// Where and how something was recorded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum By {
    /// On a phone that had no line.
    PhoneWithoutLine,
    /// On a phone that had a line.
    PhoneWithLine,
    /// In a browser.
    Desk,
}

/// One entry that somebody was told is recorded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Logged {
    /// The entry.
    pub entry: EntryId,
    /// Its document.
    pub document: DocumentId,
    /// Its author.
    pub person: PersonId,
    /// Where and how.
    pub by: By,
    /// The author's key of the deed.
    pub key: Vec<u8>,
}

/// The log.
#[derive(Debug, Default)]
pub struct Log(Mutex<Vec<Logged>>);

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Log {
    /// Adds an entry.
    pub fn add(&self, logged: Logged) {
        locked(&self.0).push(logged);
    }

    /// All of it, in the order in which it was told.
    pub fn all(&self) -> Vec<Logged> {
        locked(&self.0).clone()
    }

    /// How many entries, and how many of them were made without a line.
    pub fn count(&self) -> (usize, usize) {
        let log = locked(&self.0);
        let offline = log
            .iter()
            .filter(|logged| logged.by == By::PhoneWithoutLine);
        (log.len(), offline.count())
    }
}

/// What happened besides, as far as clients see it.
#[derive(Debug, Default)]
pub struct Counters {
    /// Calls of sync that came to their end.
    pub syncs: AtomicU64,
    /// Calls of sync that the network broke off.
    pub broken_syncs: AtomicU64,
    /// Reviews released.
    pub released: AtomicU64,
    /// Reviews refused.
    pub dismissed: AtomicU64,
    /// What the API refused, by code.
    desk_refusals: Mutex<BTreeMap<String, u64>>,
    /// Where the two ends disagreed, which nothing but a fault of ours explains.
    disagreements: Mutex<Vec<String>>,
}

impl Counters {
    /// Counts one.
    pub fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that the API refused something. A case that has left somebody's sight in the meantime counts too.
    pub fn note_desk_refusal(&self, status: u16, code: &str) {
        let code = if code.is_empty() {
            status.to_string()
        } else {
            code.to_owned()
        };
        *locked(&self.desk_refusals).entry(code).or_default() += 1;
    }

    /// What the API refused, by code.
    pub fn desk_refusals(&self) -> BTreeMap<String, u64> {
        locked(&self.desk_refusals).clone()
    }

    /// Notes how a call of sync failed: a bad network may break it off, nothing else may.
    pub fn note_failure(&self, name: &str, error: &Error) {
        match error {
            Error::Offline { .. } => Self::add(&self.broken_syncs),
            error => self.note_disagreement(format!("{name}: {error}")),
        }
    }

    /// Notes something that should not be.
    pub fn note_disagreement(&self, what: String) {
        locked(&self.disagreements).push(what);
    }

    /// What should not have been.
    pub fn disagreements(&self) -> Vec<String> {
        locked(&self.disagreements).clone()
    }
}
