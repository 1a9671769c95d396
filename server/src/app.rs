//! What every part of the server shares: the store, who the server is, the directory, clocks and counters.
//!
//! Nothing here is async; the sockets are `api`'s.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use patrol_core::doc::document::{self, Unloadable};
use patrol_core::doc::ledger::Ledger;
use patrol_core::domain::capability::Holding;
use patrol_core::domain::directory::{Directory, Person};
use patrol_core::domain::id::{Actor, DeviceId, Epoch, PersonId, ServerId};
use patrol_core::domain::limits;
use patrol_core::domain::time::Timestamp;
use patrol_core::sync::directory as codec;

use crate::directory::leaves::{self, Basis};
use crate::holes::ReadUpTo;
use crate::import::Waiting;
use crate::metrics::Metrics;
use crate::store::reference::{KeptBasis, KeptDirectory, MadeBy};
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
    /// From what it follows which people are in it.
    pub(crate) basis: Basis,
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

/// A directory as it is kept, with the people that follow.
fn pack(directory: &Directory, basis: &Basis) -> KeptDirectory {
    let with = |people: Vec<Person>, directory: Directory| {
        codec::encode(&Directory {
            people,
            ..directory
        })
    };
    KeptDirectory {
        bytes: with(basis.in_force(), directory.clone()),
        basis: Some(KeptBasis {
            said: with(basis.said.clone(), Directory::default()),
            leaves: leaves::text::write(&basis.leaves),
        }),
    }
}

/// A directory that is kept, and from what it follows which people are in it; which column cannot be read, otherwise. In one from before that
/// was kept, people are as files say.
pub(crate) fn unpack(
    kept: &KeptDirectory,
) -> std::result::Result<(Directory, Basis), &'static str> {
    let directory = codec::decode(&kept.bytes).map_err(|_| "bytes")?;
    let basis = match &kept.basis {
        None => Basis {
            said: directory.people.clone(),
            leaves: Vec::new(),
        },
        Some(basis) => Basis {
            said: codec::decode(&basis.said).map_err(|_| "said")?.people,
            leaves: leaves::text::read(&basis.leaves).ok_or("leaves")?,
        },
    };
    Ok((directory, basis))
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

    /// Puts a directory in force exactly as it is, as if no leave had been entered before: for one who begins. It has been checked. One that is
    /// in force already is not kept twice.
    pub fn put_directory(&self, directory: &Directory) -> Result<()> {
        if codec::encode(directory) == self.known().bytes {
            return Ok(());
        }
        let basis = Basis {
            said: directory.people.clone(),
            leaves: Vec::new(),
        };
        let kept = pack(directory, &basis);
        self.store.put_directory(&kept, self.environment.now())?;
        self.refresh_directory()
    }

    /// Changes from what it follows which people are in force, also what another program has put in force meanwhile; one change at a time.
    /// Where another program comes first, `change` is asked once more. Where it fails, nothing is changed.
    pub(crate) fn change_people<T, E: From<StoreError>>(
        &self,
        made_by: MadeBy,
        change: impl Fn(&Directory, &mut Basis) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        let _turn = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut tries = limits::DIRECTORY_TRIES;
        loop {
            self.refresh_directory()?;
            let known = self.known();
            let mut basis = known.basis.clone();
            let value = change(&known.directory, &mut basis)?;
            if basis == known.basis {
                return Ok(value);
            }
            tries -= 1;
            let base = (known.no, None);
            match self.replace_directory(base, (&known.directory, &basis), made_by) {
                Err(StoreError::Stale) if tries > 0 => {}
                replaced => return Ok(replaced.map(|_| value)?),
            }
        }
    }

    /// Puts a directory in force after the one of a number and, where one is said, an import of components; says its number. Its people are
    /// those that follow. `Stale` where there is another by now. It has been checked.
    pub(crate) fn replace_directory(
        &self,
        base: (u64, Option<u64>),
        (directory, basis): (&Directory, &Basis),
        made_by: MadeBy,
    ) -> Result<u64> {
        let kept = (self.environment.now(), made_by);
        let packed = pack(directory, basis);
        let no = self.store.replace_directory(base, &packed, kept)?;
        self.refresh_directory()?;
        Ok(no)
    }

    /// Takes up the directory that the store holds, which another program may have put there.
    pub(crate) fn refresh_directory(&self) -> Result<()> {
        let Some((no, kept)) = self.store.directory()? else {
            return Ok(());
        };
        if no == self.known().no {
            return Ok(());
        }
        let (directory, basis) = unpack(&kept).map_err(|column| {
            StoreError::Broken(format!("`{column}` of directory {no} cannot be read"))
        })?;
        let holdings = directory.holdings();
        let known = Known {
            no,
            tag: codec::tag(&kept.bytes),
            bytes: kept.bytes,
            directory,
            basis,
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::host::SystemEnvironment;
    use crate::store::memory::MemoryStore;

    fn named(no: u8) -> Person {
        Person {
            id: PersonId([no; 8]),
            name: no.to_string(),
            posts: Vec::new(),
        }
    }

    fn add_to(basis: &mut Basis, no: u8) {
        basis.said.push(named(no));
        basis.said.sort_by_key(|person| person.id);
    }

    #[test]
    fn a_change_of_people_is_tried_again_where_another_program_comes_first() {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new(draw_identity(&SystemEnvironment)));
        let [app, other] = [(); 2].map(|()| {
            let app = App::open(Arc::clone(&store), Arc::new(SystemEnvironment));
            app.expect("a model opens")
        });
        let (asked, in_the_way) = (Cell::new(0), Cell::new(1));
        let add = || {
            app.change_people(MadeBy::Other, |_, basis| {
                asked.set(asked.get() + 1);
                if asked.get() <= in_the_way.get() {
                    other.change_people::<_, StoreError>(MadeBy::Other, |_, basis| {
                        add_to(basis, asked.get());
                        Ok(())
                    })?;
                }
                add_to(basis, 100 + asked.get());
                Ok::<_, StoreError>(asked.get())
            })
        };
        assert_eq!(add().expect("it is there in the end"), 2);
        let people = app.known().directory.people.clone();
        assert_eq!(people, [named(1), named(102)]);
        // Not for ever.
        in_the_way.set(u8::MAX);
        assert!(matches!(add(), Err(StoreError::Stale)));
        assert_eq!(usize::from(asked.get()), 2 + limits::DIRECTORY_TRIES);
    }
}
