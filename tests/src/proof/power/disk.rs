//! A disk that knows which writes were synced: what is left of each file when the power goes, with any part of the others lost.
//!
//! It sees only what it is told of, which `shim` does for SQLite's files; it touches no disk itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// How a disk fails to sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// Nothing is synced: to the files, what `synchronous = OFF` is.
    NoSync,
    /// A log is synced only when something is written to its database: to the files, what `synchronous = NORMAL` is.
    LogsLate,
}

/// A write since the last sync, or a new length.
#[derive(Clone, Debug)]
enum Write {
    Bytes(usize, Vec<u8>),
    Length(usize),
}

/// What a file holds.
#[derive(Clone, Debug, Default)]
struct Content {
    durable: Arc<Vec<u8>>,
    /// In their order.
    unsynced: Vec<Write>,
    /// How many of them a late sync will make durable.
    late: usize,
}

impl Content {
    fn sync(&mut self, count: usize) {
        let durable = Arc::make_mut(&mut self.durable);
        for write in self.unsynced.drain(..count) {
            match write {
                Write::Bytes(place, bytes) => put(durable, place, &bytes),
                Write::Length(len) => durable.resize(len, 0),
            }
        }
        self.late = 0;
    }
}

fn put(file: &mut Vec<u8>, place: usize, bytes: &[u8]) {
    let end = place + bytes.len();
    if file.len() < end {
        file.resize(end, 0);
    }
    file[place..end].copy_from_slice(bytes);
}

/// Which content a name leads to.
type Names = BTreeMap<PathBuf, usize>;

/// All files at one moment.
#[derive(Clone, Debug, Default)]
struct Files {
    contents: BTreeMap<usize, Content>,
    names: Names,
    /// As the folder was when it was last synced.
    durable_names: Names,
}

/// A moment at which the power goes.
#[derive(Debug)]
pub(super) struct Cut {
    files: Files,
    /// How much had been told by then.
    pub(super) told: usize,
    /// Writes and names that no sync has made durable.
    pub(super) unsynced: usize,
}

/// What a power loss did to what was not synced.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Damage {
    /// Sectors of writes that were lost.
    pub(super) lost: usize,
    /// Sectors that hold neither what was there nor what was written.
    pub(super) garbled: usize,
}

/// The disk, which takes down at random moments how all files are.
#[derive(Debug)]
pub(super) struct Disk {
    /// Of files whose names begin so.
    lie: Option<(Lie, &'static str)>,
    files: Files,
    made: usize,
    told: usize,
    rng: ChaCha8Rng,
    /// Events until the next cut; none before it is armed.
    until: Option<u32>,
    cuts: Vec<Cut>,
    /// Syncs of a database since it was armed: each ends a copy of its log.
    pub(super) copied: usize,
}

/// Events between cuts at most.
const GAP: u32 = 40;

impl Disk {
    pub(super) fn new(lie: Option<(Lie, &'static str)>, seed: u64) -> Self {
        Self {
            lie,
            files: Files::default(),
            made: 0,
            told: 0,
            rng: ChaCha8Rng::seed_from_u64(seed),
            until: None,
            cuts: Vec::new(),
            copied: 0,
        }
    }

    /// From now on the power may go.
    pub(super) fn arm(&mut self) {
        self.until = Some(1);
    }

    /// Something else was told to be durable; the power goes right then.
    pub(super) fn told(&mut self, told: usize) {
        self.told = told;
        self.cut();
    }

    /// The moments taken down since this was last asked.
    pub(super) fn take(&mut self) -> Vec<Cut> {
        std::mem::take(&mut self.cuts)
    }

    fn cut(&mut self) {
        let files = self.files.clone();
        let writes = files
            .contents
            .values()
            .map(|content| content.unsynced.len());
        let names = files
            .names
            .iter()
            .filter(|(path, content)| files.durable_names.get(*path) != Some(*content));
        self.cuts.push(Cut {
            told: self.told,
            unsynced: writes.sum::<usize>() + names.count(),
            files,
        });
    }

    /// Something is about to happen: the power may go before it is done.
    fn event(&mut self) {
        match &mut self.until {
            Some(1) => {
                self.cut();
                self.until = Some(self.rng.random_range(1..=GAP));
            }
            Some(until) => *until -= 1,
            None => {}
        }
    }

    fn content(&mut self, path: &Path) -> &mut Content {
        let number = self.files.names.get(path).copied();
        let number = number.expect("a file is written that was opened");
        self.files.contents.get_mut(&number).expect("it was made")
    }

    /// A file is opened. One that is not known yet and is not empty was there before.
    pub(super) fn open(&mut self, path: &Path, found: Vec<u8>) {
        if self.files.names.contains_key(path) {
            return;
        }
        self.event();
        self.made += 1;
        self.files.names.insert(path.to_owned(), self.made);
        if !found.is_empty() {
            self.files.durable_names.insert(path.to_owned(), self.made);
        }
        let content = Content {
            durable: Arc::new(found),
            ..Content::default()
        };
        self.files.contents.insert(self.made, content);
    }

    pub(super) fn write(&mut self, path: &Path, place: usize, bytes: &[u8]) {
        self.event();
        self.sync_late(path);
        let write = Write::Bytes(place, bytes.to_owned());
        self.content(path).unsynced.push(write);
    }

    pub(super) fn truncate(&mut self, path: &Path, len: usize) {
        self.event();
        self.sync_late(path);
        self.content(path).unsynced.push(Write::Length(len));
    }

    pub(super) fn sync(&mut self, path: &Path) {
        self.event();
        self.copied += usize::from(self.until.is_some() && !is_log(path));
        let lie = self.lie_about(path);
        let content = self.content(path);
        let count = content.unsynced.len();
        match lie {
            Some(Lie::NoSync) => {}
            Some(Lie::LogsLate) if is_log(path) => content.late = count,
            _ => content.sync(count),
        }
    }

    /// Names of a folder become as durable as they are now.
    pub(super) fn sync_folder(&mut self, path: &Path) {
        if self.lie_about(path) != Some(Lie::NoSync) {
            let folder = path.parent();
            let Files {
                names,
                durable_names,
                ..
            } = &mut self.files;
            durable_names.retain(|name, _| name.parent() != folder);
            let here = names.iter().filter(|(name, _)| name.parent() == folder);
            durable_names.extend(here.map(|(name, content)| (name.clone(), *content)));
        }
    }

    pub(super) fn delete(&mut self, path: &Path) {
        self.event();
        self.files.names.remove(path);
    }

    /// Before its database is written to, a log's late sync is made up for.
    fn sync_late(&mut self, path: &Path) {
        if self.lie_about(path) == Some(Lie::LogsLate) && !is_log(path) {
            for content in self.files.contents.values_mut() {
                content.sync(content.late);
            }
        }
    }

    /// What it fails to do with a file; before it is armed, nothing.
    fn lie_about(&self, path: &Path) -> Option<Lie> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let lie = self.lie.filter(|(_, prefix)| name.starts_with(prefix));
        lie.filter(|_| self.until.is_some()).map(|(lie, _)| lie)
    }
}

fn is_log(path: &Path) -> bool {
    path.as_os_str().to_string_lossy().ends_with("-wal")
}

/// How likely it is that a sector of a write is there, in percent: one of these in each power loss.
const KEPT: [u32; 5] = [0, 10, 50, 90, 100];
/// Bytes that a disk writes at once, or not.
const SECTORS: [usize; 2] = [512, 4096];

impl Cut {
    /// What is found when the power is back: of each write that was not synced any sectors, of each name the old or the new.
    pub(super) fn outcome(&self, rng: &mut ChaCha8Rng) -> (BTreeMap<PathBuf, Vec<u8>>, Damage) {
        let mut damage = Damage::default();
        let kept = KEPT[rng.random_range(0..KEPT.len())];
        let sector = SECTORS[rng.random_range(0..SECTORS.len())];
        let Files {
            contents,
            names,
            durable_names,
        } = &self.files;
        let mut found = BTreeMap::new();
        let paths: std::collections::BTreeSet<_> =
            names.keys().chain(durable_names.keys()).collect();
        for path in paths {
            let is_new = rng.random_range(0..100) < kept;
            let led = if is_new { names } else { durable_names };
            let Some(content) = led.get(path).and_then(|number| contents.get(number)) else {
                continue;
            };
            let mut file = content.durable.to_vec();
            for write in &content.unsynced {
                match write {
                    Write::Length(len) if rng.random_range(0..100) < kept => file.resize(*len, 0),
                    Write::Length(_) => {}
                    Write::Bytes(place, bytes) => {
                        sectors(&mut file, (*place, bytes), (kept, sector), rng, &mut damage);
                    }
                }
            }
            found.insert(path.clone(), file);
        }
        (found, damage)
    }
}

/// Puts those sectors of a write into a file that happened to be written.
fn sectors(
    file: &mut Vec<u8>,
    (place, bytes): (usize, &[u8]),
    (kept, sector): (u32, usize),
    rng: &mut ChaCha8Rng,
    damage: &mut Damage,
) {
    let mut from = 0;
    while from < bytes.len() {
        let to = bytes.len().min(from + sector - (place + from) % sector);
        let piece = &bytes[from..to];
        if rng.random_range(0..100) < kept {
            put(file, place + from, piece);
        } else if rng.random_range(0..8) == 0 {
            let noise: Vec<u8> = piece.iter().map(|_| rng.random()).collect();
            put(file, place + from, &noise);
            damage.garbled += 1;
        } else {
            damage.lost += 1;
        }
        from = to;
    }
}
