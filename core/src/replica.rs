//! The phone's whole API: enrol, report, act, list, open, sync, watch.
//!
//! Everything but [`Replica::sync`], [`Replica::enrol`] and [`Replica::refresh_components`] works without a network and is done in milliseconds. It has no rules of its own:
//! `domain` decides, `doc` composes, `store` keeps. Blocking calls belong off an app's main thread.

mod components;
mod drafts;
mod enrol;
mod load;
mod mend;
mod page;
mod push;
mod record;
mod reference;
mod relics;
mod remake;
mod rescue;
mod resend;
mod round;
mod safety;
mod search;
mod sync;
mod views;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use crate::domain::capability::Holding;
use crate::domain::directory::Directory;
use crate::domain::place::{Scope, VillageCode};
use crate::domain::time::Timestamp;
use crate::error::{Error, Result};
use crate::store::{self, Store};

pub use crate::domain::offers::Offer;
pub use components::Refreshed;
pub use record::Deed;
pub use rescue::Salvaged;
pub use safety::BoxedDeed;
pub use sync::{Cancel, Progress, Summary};
pub use views::{CaseSync, CaseView, DeviceStatus, SyncState};

/// What the host of a replica provides: clocks and randomness.
pub trait Environment: Send + Sync {
    /// The wall clock.
    fn now(&self) -> Timestamp;
    /// A clock that never jumps within one boot, in milliseconds.
    fn monotonic_ms(&self) -> u64;
    /// Names the boot: another number after each restart of the device.
    fn boot(&self) -> u64;
    /// Fills with random bytes fit for keys.
    fn fill_random(&self, bytes: &mut [u8]);
    /// Free space in bytes, where it is known.
    fn free_bytes(&self) -> Option<u64> {
        None
    }
    /// The app's version, for the office.
    fn app_version(&self) -> String {
        env!("CARGO_PKG_VERSION").to_owned()
    }
}

/// Is told which documents have changed. Called on the thread that changed them, after the commit.
pub trait Observer: Send + Sync {
    /// These documents have changed.
    fn changed(&self, documents: &[crate::domain::id::DocumentId]);
}

/// One enrolment's copy of what it may see, and all that it has done.
pub struct Replica {
    store: Arc<Store>,
    environment: Arc<dyn Environment>,
    directory: Mutex<Option<Arc<Known>>>,
    observers: Mutex<Observers>,
    /// Calls of `enrol` and `sync` take turns: two rounds at once would tell each other's fates. No lock on data: nothing else waits for it.
    turn: Semaphore,
}

/// Who is told, each under a number that is never given again.
#[derive(Default)]
struct Observers {
    last: u64,
    all: Vec<(u64, Arc<dyn Observer>)>,
}

impl std::fmt::Debug for Replica {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replica").finish_non_exhaustive()
    }
}

/// The directory, unpacked once.
#[derive(Debug)]
pub(crate) struct Known {
    tag: [u8; 8],
    pub(crate) directory: Arc<Directory>,
    pub(crate) holdings: Vec<Holding>,
}

impl Replica {
    /// Opens a file, or makes it. Returns also where a damaged file was moved, now or earlier, until it is put away.
    pub fn open(
        path: &Path,
        environment: Arc<dyn Environment>,
    ) -> Result<(Self, Option<std::path::PathBuf>)> {
        let opened = Store::open(path, environment.now())?;
        let replica = Self::on(opened.store, environment);
        // What could not be put into the index is not found yet; that must keep nobody from his work.
        drop(replica.index_rest());
        Ok((replica, opened.rescued))
    }

    /// A replica on an open store. Two on one store are to each other what two programs on one file are.
    pub fn on(store: impl Into<Arc<Store>>, environment: Arc<dyn Environment>) -> Self {
        Self {
            store: store.into(),
            environment,
            directory: Mutex::new(None),
            observers: Mutex::default(),
            turn: Semaphore::new(1),
        }
    }

    /// The store, for simulations and exports.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// The directory as the server last sent it.
    pub fn directory(&self) -> Result<Arc<Directory>> {
        Ok(Arc::clone(&self.known()?.directory))
    }

    /// The villages in which the person of this enrolment works today, ascending.
    pub fn villages(&self) -> Result<Vec<VillageCode>> {
        let (person, now) = self.store.read(|connection| {
            let person = store::enrolment::enrolled(connection)?.person;
            Ok((person, self.present(connection)?))
        })?;
        let scopes = self.known()?.directory.scopes_of(person, now);
        let village = |scope| match scope {
            Scope::Village(village) => Some(village),
            Scope::Unit(_) | Scope::Person(_) => None,
        };
        Ok(scopes.into_iter().filter_map(village).collect())
    }

    /// Registers an observer; it hears nothing more after [`Self::unwatch`].
    pub fn watch(&self, observer: Arc<dyn Observer>) -> u64 {
        let mut observers = self
            .observers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        observers.last += 1;
        let handle = observers.last;
        observers.all.push((handle, observer));
        handle
    }

    /// Forgets an observer.
    pub fn unwatch(&self, handle: u64) {
        self.observers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .all
            .retain(|(known, _)| *known != handle);
    }

    /// Forgets all observers.
    pub fn unwatch_all(&self) {
        self.observers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .all
            .clear();
    }

    fn notify(&self, documents: &[crate::domain::id::DocumentId]) {
        if documents.is_empty() {
            return;
        }
        let observers: Vec<Arc<dyn Observer>> = self
            .observers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .all
            .iter()
            .map(|(_, observer)| Arc::clone(observer))
            .collect();
        observers
            .iter()
            .for_each(|observer| observer.changed(documents));
    }

    fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.environment.fill_random(&mut bytes);
        bytes
    }

    /// The directory that the store holds, unpacked once.
    pub(crate) fn known(&self) -> Result<Arc<Known>> {
        let tag = self
            .store
            .read(store::feed::directory_tag)?
            .ok_or(Error::NotEnrolled)?;
        let mut cached = self
            .directory
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = cached.as_ref().filter(|known| known.tag == tag) {
            return Ok(Arc::clone(known));
        }
        let (tag, bytes) = self
            .store
            .read(store::feed::directory)?
            .ok_or(Error::NotEnrolled)?;
        let directory = crate::sync::directory::decode(&bytes).map_err(|_| Error::UpdateNeeded)?;
        let holdings = directory.holdings();
        let known = Arc::new(Known {
            tag,
            directory: Arc::new(directory),
            holdings,
        });
        *cached = Some(Arc::clone(&known));
        Ok(known)
    }
}
