//! Power lost: the database and its log as they lie on the disk after each write, copied and opened, with and without a torn end.
//!
//! What a copy must hold is what had been told to be durable when it was made.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use patrol_core::domain::id::EntryId;
use patrol_core::replica::Replica;
use patrol_core::store::Store;
use patrol_server::app::{App, draw_identity};
use patrol_server::store::sqlite::SqliteStore;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::{all_are_in, entries_in};
use crate::clock::{Clock, Machine};
use crate::link::Link;
use crate::served::Folder;
use crate::simulation::audit;
use crate::world::{Phone, city, enrol_into};

const INSPECTOR: &str = "巡查员01";

/// How a run ended.
#[derive(Clone, Copy, Debug, Default)]
pub struct Losses {
    /// Copies that were opened.
    pub copies: usize,
    /// Entries that the last of them had to hold.
    pub told: usize,
}

/// How the log's end looks after the power came back.
#[derive(Clone, Copy, Debug)]
enum End {
    /// As it was written.
    Whole,
    /// Bytes of a write that was under way lie behind it.
    Torn,
}

/// Copies a file and its log, as a disk would hold them.
fn copy(from: &Path, to: &Path, end: End, rng: &mut ChaCha8Rng) -> Result<(), String> {
    let beside = |path: &Path| {
        let mut name = path.as_os_str().to_owned();
        name.push("-wal");
        PathBuf::from(name)
    };
    let said = |error: std::io::Error| error.to_string();
    std::fs::copy(from, to).map_err(said)?;
    let mut log = std::fs::read(beside(from)).unwrap_or_default();
    if matches!(end, End::Torn) {
        let bytes: Vec<u8> = (0..rng.random_range(1..9_000))
            .map(|_| rng.random())
            .collect();
        log.extend(bytes);
    }
    std::fs::write(beside(to), log).map_err(said)
}

/// A server and a phone on files, the phone working, with a copy of both after every write.
struct Town {
    app: Arc<App>,
    phone: Phone,
    server_file: PathBuf,
    phone_file: PathBuf,
    /// Recorded on the phone.
    recorded: BTreeSet<EntryId>,
    /// Acknowledged by the server.
    acknowledged: BTreeSet<EntryId>,
}

impl Town {
    fn new(folder: &Folder, seed: u64) -> Result<Self, String> {
        let clock = Clock::default();
        let machine = Arc::new(Machine::new(&clock, seed));
        let (server_file, phone_file) = (folder.file("server.db"), folder.file("phone.db"));
        let store = SqliteStore::open(&server_file, || draw_identity(machine.as_ref()));
        let store = store.map_err(|error| error.to_string())?;
        let app = App::open(Arc::new(store), machine).map_err(|error| error.to_string())?;
        app.put_directory(city())
            .map_err(|error| error.to_string())?;
        let app = Arc::new(app);
        let machine = Arc::new(Machine::new(&clock, seed + 1));
        let opened = Replica::open(&phone_file, machine.clone());
        let (replica, _) = opened.map_err(|error| error.to_string())?;
        let people = &city().people;
        let person = people.iter().find(|person| person.name == INSPECTOR);
        let person = person.ok_or("a person of the directory")?.id;
        enrol_into(&app, replica.store(), &machine, person, INSPECTOR);
        let link = Link::new(Arc::clone(&app), seed);
        Ok(Self {
            app,
            phone: Phone {
                replica,
                machine,
                link,
                person,
            },
            server_file,
            phone_file,
            recorded: BTreeSet::new(),
            acknowledged: BTreeSet::new(),
        })
    }

    fn work(&mut self, number: usize) -> Result<(), String> {
        let villages = self.phone.replica.villages();
        let village = villages.map_err(|error| error.to_string())?[0];
        let (case, reported) = self.phone.report(village, &format!("第{number}件"));
        self.recorded.insert(reported);
        let noted = self
            .phone
            .note(case, "已看")
            .map_err(|error| error.to_string())?;
        self.recorded.insert(noted);
        if number.is_multiple_of(2) {
            self.phone.sync().map_err(|error| error.to_string())?;
            self.acknowledged = self.recorded.clone();
        }
        Ok(())
    }

    /// Whether copies of both files, as they lie there now, hold what was told.
    fn survives(&self, folder: &Folder, end: End, rng: &mut ChaCha8Rng) -> Result<(), String> {
        let (server, phone) = (folder.file("server-copy.db"), folder.file("phone-copy.db"));
        copy(&self.server_file, &server, end, rng)?;
        copy(&self.phone_file, &phone, end, rng)?;
        let found = entries_in(&server)?;
        all_are_in(&self.acknowledged, &found).map_err(|lost| format!("server {end:?}: {lost}"))?;
        let opened = Store::open(&phone, crate::clock::START).map_err(|error| error.to_string())?;
        if opened.rescued.is_some() {
            return Err(format!("phone {end:?}: its file was taken for damaged"));
        }
        let found = audit::entries_on_phone(&opened.store);
        all_are_in(&self.recorded, &found).map_err(|lost| format!("phone {end:?}: {lost}"))
    }
}

/// Works so many rounds, with copies opened after each.
///
/// # Errors
/// What a copy lacks, or why it cannot be opened.
pub fn losses(rounds: usize, seed: u64) -> Result<Losses, String> {
    let folder = Folder::new("power").map_err(|error| error.to_string())?;
    let mut town = Town::new(&folder, seed)?;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut losses = Losses::default();
    for number in 0..rounds {
        town.work(number)?;
        for end in [End::Whole, End::Torn] {
            let there = Folder::new("power-copy").map_err(|error| error.to_string())?;
            town.survives(&there, end, &mut rng)?;
            losses.copies += 2;
        }
    }
    losses.told = town.recorded.len();
    drop(town.app);
    Ok(losses)
}
