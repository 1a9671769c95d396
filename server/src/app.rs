//! What every part of the server shares: the store, who the server is, the directory, clocks and counters.
//!
//! Nothing here is async; the sockets are `api`'s.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use patrol_core::doc::document::{self, Unloadable};
use patrol_core::doc::ledger::Ledger;
use patrol_core::domain::capability::Holding;
use patrol_core::domain::directory::Directory;
use patrol_core::domain::id::{Actor, DeviceId, Epoch, PersonId, ServerId};
use patrol_core::domain::limits;
use patrol_core::domain::time::Timestamp;
use patrol_core::sync::directory as codec;

use crate::holes::ReadUpTo;
use crate::import::Waiting;
use crate::metrics::Metrics;
use crate::store::reference::MadeBy;
use crate::store::{Identity, Result, Store, StoreError};
use crate::tries::Tries;

/// What the host of a server provides: a clock and randomness.
pub trait Environment: Send + Sync {
    /// The wall clock.
    fn now(&self) -> Timestamp;
    /// Fills with random bytes fit for keys.
    fn fill_random(&self, bytes: &mut [u8]);
}

/// The last look at a document that has grown, before it is kept.
pub type LastCheck = fn(&Ledger) -> std::result::Result<(), Unloadable>;

/// The directory, unpacked once.
#[derive(Debug, Default)]
pub struct Known {
    /// Its number among all that have been in force; 0 before the first.
    pub no: u64,
    /// Its tag.
    pub tag: [u8; 8],
    /// As phones fetch it.
    pub bytes: Vec<u8>,
    /// Unpacked.
    pub directory: Directory,
    /// Everybody's dated rights.
    pub holdings: Vec<Holding>,
}

/// The server without its sockets.
pub struct App {
    /// The database.
    pub store: Arc<dyn Store>,
    /// Who the server is.
    pub identity: Identity,
    /// Clock and randomness.
    pub environment: Arc<dyn Environment>,
    /// [`document::verify`]. A test puts one in its place that finds something: nothing is known that only this check would find.
    pub last_check: LastCheck,
    /// How far each device's log has been read for losses.
    pub(crate) read_up_to: ReadUpTo,
    /// Wrong passwords and codes of late.
    pub(crate) tries: Tries,
    /// What is counted.
    pub(crate) metrics: Metrics,
    /// Imports that wait to be adopted.
    pub(crate) imports: Waiting,
    directory: RwLock<Arc<Known>>,
    /// Held by who changes the directory.
    changing: Mutex<()>,
    number: AtomicU64,
    n: AtomicU64,
    works: AtomicUsize,
}

/// A piece of a request's work that is done or waits for its turn, until it is dropped.
#[derive(Debug)]
pub struct Work(Arc<App>);

impl Drop for Work {
    fn drop(&mut self) {
        self.0.works.fetch_sub(1, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App")
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

/// Draws who a new server is.
pub fn draw_identity(environment: &dyn Environment) -> Identity {
    let epoch = Epoch(random(environment));
    let device = DeviceId::new(epoch, 0);
    Identity {
        server: ServerId(random(environment)),
        epoch,
        device,
        actor: Actor::new(device, random(environment)),
        number_block: String::new(),
        page_key: random(environment),
        rescue_key: random(environment),
    }
}

fn random<const N: usize>(environment: &dyn Environment) -> [u8; N] {
    let mut bytes = [0; N];
    environment.fill_random(&mut bytes);
    bytes
}

impl App {
    /// Opens the server on its database.
    pub fn open(store: Arc<dyn Store>, environment: Arc<dyn Environment>) -> Result<Self> {
        let identity = store.identity()?;
        let mut marks = crate::store::HighMarks::default();
        store.read(&mut |snapshot| {
            marks = snapshot.high_marks()?;
            Ok(())
        })?;
        let app = Self {
            store,
            identity,
            environment,
            last_check: document::verify,
            read_up_to: ReadUpTo::default(),
            tries: Tries::default(),
            metrics: Metrics::default(),
            imports: Waiting::default(),
            directory: RwLock::new(Arc::new(Known::default())),
            changing: Mutex::default(),
            number: AtomicU64::new(marks.number),
            n: AtomicU64::new(marks.n),
            works: AtomicUsize::new(0),
        };
        app.refresh_directory()?;
        Ok(app)
    }

    /// The directory in force.
    pub fn known(&self) -> Arc<Known> {
        Arc::clone(
            &self
                .directory
                .read()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    /// Puts a directory in force. It has been checked. One that is in force already is not kept twice.
    pub fn put_directory(&self, directory: &Directory) -> Result<()> {
        let bytes = codec::encode(directory);
        if bytes == self.known().bytes {
            return Ok(());
        }
        self.store.put_directory(&bytes, self.environment.now())?;
        self.refresh_directory()
    }

    /// Changes the directory in force, also what another program has put in force meanwhile; one change at a time. Where `change` fails,
    /// nothing is changed.
    pub fn change_directory<T, E: From<StoreError>>(
        &self,
        made_by: MadeBy,
        change: impl FnOnce(&mut Directory) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        let _turn = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.refresh_directory()?;
        let known = self.known();
        let mut directory = known.directory.clone();
        let value = change(&mut directory)?;
        if directory != known.directory {
            self.replace_directory((known.no, None), &directory, made_by)?;
        }
        Ok(value)
    }

    /// Puts a directory in force after the one of a number and, where one is said, an import of components; says its number. `Stale` where there
    /// is another by now. It has been checked.
    pub(crate) fn replace_directory(
        &self,
        base: (u64, Option<u64>),
        directory: &Directory,
        made_by: MadeBy,
    ) -> Result<u64> {
        let bytes = codec::encode(directory);
        let kept = (self.environment.now(), made_by);
        let no = self.store.replace_directory(base, &bytes, kept)?;
        self.refresh_directory()?;
        Ok(no)
    }

    /// Takes up the directory that the store holds, which another program may have put there.
    pub(crate) fn refresh_directory(&self) -> Result<()> {
        let Some((no, bytes)) = self.store.directory()? else {
            return Ok(());
        };
        if no == self.known().no {
            return Ok(());
        }
        let directory = codec::decode(&bytes).map_err(|fault| {
            StoreError::Broken(format!("the stored directory cannot be read: {fault:?}"))
        })?;
        let holdings = directory.holdings();
        let known = Known {
            no,
            tag: codec::tag(&bytes),
            bytes,
            directory,
            holdings,
        };
        let mut in_force = self
            .directory
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        // Another thread may have taken up a later one.
        if in_force.no < known.no {
            *in_force = Arc::new(known);
        }
        Ok(())
    }

    /// The next case number: the year, this epoch's block, a serial. A number that is drawn and not used is a gap, not a loss.
    pub(crate) fn next_number(&self, now: Timestamp) -> String {
        let serial = self.number.fetch_add(1, Ordering::Relaxed) + 1;
        let year = crate::calendar::year(now);
        match self.identity.number_block.as_str() {
            "" => format!("{year}-{serial:06}"),
            block => format!("{year}-{block}-{serial:06}"),
        }
    }

    /// The next `n` of the server's own device.
    pub(crate) fn next_n(&self) -> u64 {
        self.n.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Counts a piece of work until it is dropped.
    pub fn begin_work(self: &Arc<Self>) -> Work {
        self.works.fetch_add(1, Ordering::Relaxed);
        Work(Arc::clone(self))
    }

    /// How many pieces of work are done or wait.
    pub(crate) fn works(&self) -> usize {
        self.works.load(Ordering::Relaxed)
    }

    /// In how many milliseconds a phone should come again, where so much work waits that more would only wait too. Spread, so that
    /// they do not all come back at once.
    pub(crate) fn retry_after_ms(&self) -> Option<u64> {
        let is_busy = self.works() > limits::WORKS_BUSY;
        let spread =
            || (u64::from(u16::from_be_bytes(self.random())) * limits::BUSY_RETRY_MS) >> 16;
        is_busy.then(|| limits::BUSY_RETRY_MS + spread())
    }

    /// A source of ids for people who are new.
    pub(crate) fn person_ids(&self) -> Box<dyn FnMut() -> PersonId> {
        let environment = Arc::clone(&self.environment);
        Box::new(move || PersonId(random(environment.as_ref())))
    }

    /// Random bytes.
    pub fn random<const N: usize>(&self) -> [u8; N] {
        random(self.environment.as_ref())
    }
}
