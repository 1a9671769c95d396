//! Power lost while a server and a phone write: at a random write or sync, or just after something was told to be durable. Of
//! what was not synced by then any sectors are lost or garbled; what had been told must be there all the same.
//!
//! It proves what the programs ask of a disk, not what a disk does; one that does not sync what it was asked to is the counter-proof.

mod disk;
mod shim;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

use patrol_core::domain::id::EntryId;
use patrol_core::replica::Replica;
use patrol_core::store::Store;
use patrol_server::app::{App, draw_identity};
use patrol_server::store::sqlite::SqliteStore;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use rusqlite::{Connection, OpenFlags};

use self::disk::{Cut, Disk};
use self::shim::{Watch, Watched, lock};
use super::{all_are_in, entries_in};
use crate::clock::{Clock, Machine};
use crate::link::Link;
use crate::served::Folder;
use crate::simulation::audit;
use crate::world::{Phone, city, enrol_into};

pub use disk::Lie;

const INSPECTOR: &str = "巡查员01";
/// Outcomes of each power loss that are opened.
const OUTCOMES: usize = 2;

/// Rounds after which both logs are copied.
const LOG_ROUNDS: usize = 5;
/// A run proves little unless at this share of its power losses something was not synced.
pub const UNSYNCED_SHARE: f64 = 0.3;

/// The disks of the counter-proof: on each of them a run must find a loss.
pub const LIES: [(Lie, Teller); 4] = [
    (Lie::NoSync, Teller::Phone),
    (Lie::LogsLate, Teller::Phone),
    (Lie::NoSync, Teller::Server),
    (Lie::LogsLate, Teller::Server),
];

/// How a run ended.
#[derive(Clone, Copy, Debug, Default)]
pub struct Losses {
    /// Moments at which the power went.
    pub cuts: usize,
    /// Of them, those at which something written was not synced.
    pub unsynced: usize,
    /// Outcomes of them that were opened, each of a server and a phone.
    pub outcomes: usize,
    /// Sectors that were lost in them.
    pub lost: usize,
    /// Sectors that were garbled in them.
    pub garbled: usize,
    /// How often a log was copied into its database meanwhile.
    pub copied: usize,
    /// Entries that had been told in the end, by the phone and by the server.
    pub told: (usize, usize),
}

/// Who told that something is durable, and on whose file it then is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Teller {
    /// The phone: it was recorded.
    Phone,
    /// The server: its fate has come.
    Server,
}

impl Teller {
    fn file(self) -> &'static str {
        match self {
            Self::Phone => "phone.db",
            Self::Server => "server.db",
        }
    }
}

/// A server and a phone on files of one watched folder, the phone working.
struct Town {
    phone: Phone,
    disk: Watched,
    told: Vec<(Teller, EntryId)>,
    waiting: Vec<EntryId>,
}

impl Town {
    fn new(folder: &Folder, disk: Watched, seed: u64) -> Result<Self, String> {
        let clock = Clock::default();
        let machine = Arc::new(Machine::new(&clock, seed));
        let store = SqliteStore::open(folder.file(Teller::Server.file()), || {
            draw_identity(machine.as_ref())
        });
        let store = store.map_err(|error| error.to_string())?;
        let app = App::open(Arc::new(store), machine).map_err(|error| error.to_string())?;
        app.put_directory(city())
            .map_err(|error| error.to_string())?;
        let app = Arc::new(app);
        let machine = Arc::new(Machine::new(&clock, seed + 1));
        let opened = Replica::open(&folder.file(Teller::Phone.file()), machine.clone());
        let (replica, _) = opened.map_err(|error| error.to_string())?;
        let people = &city().people;
        let person = people.iter().find(|person| person.name == INSPECTOR);
        let person = person.ok_or("a person of the directory")?.id;
        enrol_into(&app, replica.store(), &machine, person, INSPECTOR);
        let link = Link::new(Arc::clone(&app), seed);
        Ok(Self {
            phone: Phone {
                replica,
                machine,
                link,
                person,
            },
            disk,
            told: Vec::new(),
            waiting: Vec::new(),
        })
    }

    fn tell(&mut self, teller: Teller, entries: &[EntryId]) {
        self.told
            .extend(entries.iter().map(|entry| (teller, *entry)));
        lock(&self.disk).told(self.told.len());
    }

    fn work(&mut self, number: usize) -> Result<(), String> {
        let villages = self.phone.replica.villages();
        let village = villages.map_err(|error| error.to_string())?[0];
        let (case, reported) = self.phone.report(village, &format!("第{number}件"));
        self.tell(Teller::Phone, &[reported]);
        let noted = self.phone.note(case, "已看");
        let noted = noted.map_err(|error| error.to_string())?;
        self.tell(Teller::Phone, &[noted]);
        self.waiting.extend([reported, noted]);
        if number.is_multiple_of(2) {
            self.phone.sync().map_err(|error| error.to_string())?;
            let waiting = std::mem::take(&mut self.waiting);
            self.tell(Teller::Server, &waiting);
        }
        Ok(())
    }

    fn told_by(&self, teller: Teller, count: usize) -> BTreeSet<EntryId> {
        let told = self.told[..count].iter();
        told.filter(|(by, _)| *by == teller)
            .map(|(_, entry)| *entry)
            .collect()
    }

    /// Whether an outcome of a power loss, opened again, holds what had been told.
    fn survives(
        &self,
        cut: &Cut,
        folder: &Folder,
        rng: &mut ChaCha8Rng,
    ) -> Result<disk::Damage, String> {
        let (files, damage) = cut.outcome(rng);
        for (path, bytes) in files {
            let name = path.file_name().ok_or("a file has a name")?;
            let path = folder.file(&name.to_string_lossy());
            std::fs::write(path, bytes).map_err(|error| error.to_string())?;
        }
        let (server, phone) = (
            folder.file(Teller::Server.file()),
            folder.file(Teller::Phone.file()),
        );
        is_whole(&server).map_err(|fault| format!("server: {fault}"))?;
        let found = entries_in(&server).map_err(|fault| format!("server: {fault}"))?;
        all_are_in(&self.told_by(Teller::Server, cut.told), &found)
            .map_err(|lost| format!("server: {lost}"))?;
        is_whole(&phone).map_err(|fault| format!("phone: {fault}"))?;
        let opened = Store::open(&phone, crate::clock::START).map_err(|error| error.to_string())?;
        if opened.rescued.is_some() {
            return Err("phone: its file was taken for damaged".to_owned());
        }
        let found = audit::entries_on_phone(&opened.store);
        all_are_in(&self.told_by(Teller::Phone, cut.told), &found)
            .map_err(|lost| format!("phone: {lost}"))?;
        Ok(damage)
    }
}

/// Whether SQLite finds nothing wrong with a file, its log read with it.
fn is_whole(file: &Path) -> Result<(), String> {
    if std::fs::metadata(file).map_or(0, |found| found.len()) == 0 {
        return Err("its file is gone or empty".to_owned());
    }
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE);
    let verdict = connection.and_then(|connection| {
        connection.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0))
    });
    match verdict {
        Ok(verdict) if verdict == "ok" => Ok(()),
        Ok(verdict) => Err(verdict),
        Err(error) => Err(error.to_string()),
    }
}

/// Copies a log into its database, as either end does by itself when it has become long.
fn copy_log(file: &Path) -> Result<(), String> {
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE);
    let copied = connection.and_then(|connection| {
        connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
    });
    copied.map_err(|error| error.to_string())
}

/// Works so many rounds, and opens what each power loss leaves: on a good disk, or on one that lies about one end's file.
///
/// # Errors
/// What is lost, or why it cannot be opened.
pub fn losses(rounds: usize, lie: Option<(Lie, Teller)>, seed: u64) -> Result<Losses, String> {
    let folder = Folder::new("power").map_err(|error| error.to_string())?;
    let disk = Arc::new(Mutex::new(Disk::new(
        lie.map(|(lie, of)| (lie, of.file())),
        seed,
    )));
    let _watch = Watch::over(folder.path(), &disk)?;
    let mut town = Town::new(&folder, Arc::clone(&disk), seed)?;
    lock(&disk).arm();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut losses = Losses::default();
    for number in 0..rounds {
        town.work(number)?;
        if number % LOG_ROUNDS == LOG_ROUNDS - 1 {
            copy_log(&folder.file(Teller::Server.file()))?;
            copy_log(&folder.file(Teller::Phone.file()))?;
        }
        let cuts = lock(&disk).take();
        for cut in cuts {
            losses.cuts += 1;
            losses.unsynced += usize::from(cut.unsynced > 0);
            for _ in 0..OUTCOMES {
                let there = Folder::new("power-after").map_err(|error| error.to_string())?;
                let damage = town.survives(&cut, &there, &mut rng);
                let damage = damage.map_err(|fault| format!("round {number}: {fault}"))?;
                losses.outcomes += 1;
                losses.lost += damage.lost;
                losses.garbled += damage.garbled;
            }
        }
    }
    losses.copied = lock(&disk).copied;
    let of = |teller| town.told_by(teller, town.told.len()).len();
    losses.told = (of(Teller::Phone), of(Teller::Server));
    drop(town);
    Ok(losses)
}
