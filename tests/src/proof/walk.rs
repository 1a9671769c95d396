//! The walk through what disks and clocks do to both ends: no room, a file that may only be read, a page that is not as it was written, a
//! database that is moved away, a clock that is years wrong. Each fault ends in a state with a name, and after what the handbook says
//! everything goes on.
//!
//! What is about the server is done to its own program. It needs no rights of its own; only disks that are truly full or that fail must be
//! mounted.

mod clocks;
mod database;
mod disk;
mod mounts;
mod phones;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use patrol_core::domain::id::{DocumentId, EntryId};
use patrol_core::replica::{Cancel, Replica, Summary};
use patrol_core::store::Store;
use patrol_core::sync::http::Http;

use super::kills::deed;
use super::{Program, all_are_in, entries_in};
use crate::clock::{Clock, Machine};
use crate::served::Folder;

pub use clocks::{
    Wrong, before_the_posts, of_a_phone as wrong_clock_of_a_phone,
    of_the_program as wrong_clock_of_the_program, of_the_server as wrong_clock_of_the_server,
};
pub use database::{
    damaged_at_rest, damaged_while_it_runs, every_page_damaged, free_pages, moved_away,
};
pub use disk::{failing, full, read_only, takes_no_more};
pub use phones::{
    damaged_phone, full_phone, phone_on_failing_disk, phone_on_full_disk, read_only_phone,
};

/// How a fault ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ended {
    /// The state's name, as the office or the app reads it.
    pub state: String,
    /// Entries that had been told to be safe, and are all there.
    pub told: usize,
}

/// How a step of the walk ended, or what did not hold.
pub type Step = Result<Ended, String>;

/// The whole walk: fault and end, and how each ended. None: not had, for who is not root can mount no disk.
///
/// # Errors
/// That nobody knows who this is.
pub async fn all() -> Result<Vec<(&'static str, Option<Step>)>, String> {
    let mounted = if mounts::is_root()? {
        [
            Some(full().await),
            Some(failing().await),
            Some(phone_on_full_disk().await),
            Some(phone_on_failing_disk().await),
        ]
    } else {
        [const { None }; MOUNTED.len()]
    };
    let unmounted = unmounted().await.into_iter();
    let unmounted = unmounted.map(|(fault, step)| (fault, Some(step)));
    Ok(MOUNTED.into_iter().zip(mounted).chain(unmounted).collect())
}

/// What needs a disk that is mounted for it.
const MOUNTED: [&str; 4] = [
    "full disk, server",
    "failing disk, server",
    "full disk, phone",
    "failing disk, phone",
];

async fn unmounted() -> Vec<(&'static str, Step)> {
    vec![
        ("disk takes no more, server", takes_no_more().await),
        ("read-only database, server", read_only().await),
        ("page damaged at rest, server", damaged_at_rest().await),
        (
            "page damaged, running server",
            damaged_while_it_runs().await,
        ),
        ("every page in turn, server", every_page_damaged().await),
        ("database moved away, server", moved_away().await),
        (
            "clock ahead, server",
            wrong_clock_of_the_server(Wrong::Ahead),
        ),
        (
            "clock behind, server",
            wrong_clock_of_the_server(Wrong::Behind),
        ),
        ("clock before all posts, server", before_the_posts()),
        ("received ahead, server", wrong_clock_of_the_program().await),
        ("file that may not grow, phone", full_phone().await),
        ("read-only file, phone", read_only_phone().await),
        ("page damaged, phone", damaged_phone().await),
        ("clock ahead, phone", wrong_clock_of_a_phone(Wrong::Ahead)),
        ("clock behind, phone", wrong_clock_of_a_phone(Wrong::Behind)),
    ]
}

const INSPECTOR: &str = "巡查员01";

/// Whatever went wrong, in words.
fn said(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// A server's program on a database of its own.
struct Office {
    folder: Folder,
    database: PathBuf,
}

impl Office {
    fn new(name: &str) -> Result<Self, String> {
        let folder = Folder::new(name).map_err(said)?;
        let database = folder.file("server.db");
        Ok(Self { folder, database })
    }

    fn start(&self) -> Result<Program, String> {
        Program::start(&self.database, 0, &[])
    }

    /// An errand on the database.
    fn errand(&self, words: &[&str]) -> Result<String, String> {
        let database = self.database.to_str().ok_or("a name in UTF-8")?;
        Program::errand(&[words, &["--database", database]].concat())
    }

    /// That the database is sound and holds all of these.
    fn holds(&self, told: &BTreeSet<EntryId>) -> Result<usize, String> {
        self.errand(&["check"])?;
        all_are_in(told, &entries_in(&self.database)?)?;
        Ok(told.len())
    }
}

/// What a server says of itself: the status and the word.
async fn health(server: &Program) -> Result<(u16, String), String> {
    let response = reqwest::get(format!("{}/healthz", server.url))
        .await
        .map_err(said)?;
    let status = response.status().as_u16();
    let text = response.text().await.map_err(said)?;
    let json: Option<serde_json::Value> = serde_json::from_str(&text).ok();
    let word = json.and_then(|json| Some(json["error"]["code"].as_str()?.to_owned()));
    Ok((status, word.unwrap_or(text)))
}

/// Asks that a server says so of itself.
async fn is_said(server: &Program, status: u16, word: &str) -> Result<(), String> {
    let found = health(server).await?;
    (found == (status, word.to_owned()))
        .then_some(())
        .ok_or_else(|| format!("/healthz says {found:?}, not {status} {word}"))
}

/// A phone in this program, and what was recorded on it.
struct Phone {
    replica: Replica,
    http: Http,
    last: Option<DocumentId>,
    recorded: BTreeSet<EntryId>,
}

impl Phone {
    async fn enrol(server: &Program, database: &Path, seed: u64) -> Result<Self, String> {
        let store = Store::in_memory().map_err(said)?;
        let machine = Arc::new(Machine::new(&Clock::default(), seed));
        Self::enrol_on(Replica::on(store, machine), server, database).await
    }

    async fn enrol_on(replica: Replica, server: &Program, database: &Path) -> Result<Self, String> {
        let code = Program::code(database, INSPECTOR)?;
        let phone = Self {
            replica,
            http: Http::new().map_err(|_| "no client")?,
            last: None,
            recorded: BTreeSet::new(),
        };
        let enrolled = phone.replica.enrol(&phone.http, &server.url, &code).await;
        enrolled.map_err(said)?;
        Ok(phone)
    }

    fn work(&mut self, deeds: usize) -> Result<(), String> {
        for number in 0..deeds {
            let entry = deed(&self.replica, number, &mut self.last, None).map_err(said)?;
            self.recorded.insert(entry);
        }
        Ok(())
    }

    async fn sync(&self) -> Result<Summary, String> {
        let cancel = Cancel::default();
        let synced = self.replica.sync(&self.http, &cancel, &|_| ()).await;
        synced.map_err(said)
    }

    fn outbox(&self) -> Result<u64, String> {
        Ok(self.replica.status().map_err(said)?.outbox)
    }

    /// Works and hands everything in.
    async fn hand_in(&mut self, deeds: usize) -> Result<(), String> {
        self.work(deeds)?;
        self.sync().await?;
        self.is_through()
    }

    fn is_through(&self) -> Result<(), String> {
        let outbox = self.outbox()?;
        (outbox == 0)
            .then_some(())
            .ok_or_else(|| format!("{outbox} changes were not taken"))
    }

    /// Works where the server can write nothing: it keeps its work and is told to come again.
    async fn must_wait(&mut self, deeds: usize) -> Result<(), String> {
        self.work(deeds)?;
        let summary = self.sync().await?;
        let outbox = self.outbox()?;
        let waits = summary.retry_after_ms.is_some() && outbox == deeds as u64;
        waits
            .then_some(())
            .ok_or_else(|| format!("{deeds} deeds, {outbox} wait, {summary:?}"))
    }

    /// How many cases it shows.
    fn cases(&self) -> Result<usize, String> {
        Ok(self.replica.list("case", 0, 1_000).map_err(said)?.len())
    }
}
