//! One phone of the run: a replica on a file of its own, its own clock, its own HTTP client through the bad network.
//!
//! It records what it is told and logs what the replica returned. When it has a line is its owner's business.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use patrol_core::domain::action::Action;
use patrol_core::domain::capability::Capability;
use patrol_core::domain::id::{DeviceId, DocumentId, EntryId, PersonId};
use patrol_core::domain::time::At;
use patrol_core::error::{Error, Result};
use patrol_core::replica::{Cancel, Deed, Environment as _, Replica};
use patrol_core::store::enrolment;
use patrol_core::sync::http::Http;
use patrol_core::sync::wire::Notice;

use super::city::City;
use super::log::{By, Counters, Logged};
use super::page::{Choice, Page};
use crate::clock::Machine;
use crate::tamper;

/// Times that an enrolment is tried: each with a code of its own.
const ENROL_TRIES: usize = 20;

/// Whether a phone has a line right now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Line {
    /// It has.
    There,
    /// It has none.
    None,
}

/// What a file is to the audit, when the phone itself is closed.
#[derive(Clone, Debug)]
pub struct PhoneFile {
    /// Whose, and which.
    pub name: String,
    /// Its owner.
    pub person: PersonId,
    /// Where.
    pub path: PathBuf,
    /// Its clock.
    pub machine: Arc<Machine>,
    /// Whether the server has stopped it: then nothing is due to it.
    pub is_revoked: bool,
}

/// A phone.
#[derive(Debug)]
pub struct Phone {
    /// Whose, and which.
    pub name: String,
    /// Its owner.
    pub person: PersonId,
    /// Its replica.
    pub replica: Replica,
    http: Http,
    machine: Arc<Machine>,
    path: PathBuf,
    is_revoked: AtomicBool,
}

impl Phone {
    /// A new phone of a person, enrolled with a code from the administrator. None: the network did not allow it yet.
    pub async fn enrol(city: &City, person: PersonId, label: &str, skew_ms: i64) -> Option<Self> {
        for _ in 0..ENROL_TRIES {
            let (number, path) = city.new_file();
            let phone = Self::open(city, (number, path), person, label)?;
            phone.machine.set_skew_ms(skew_ms);
            let code = city.code_for(person).await?;
            let url = city.proxy.url();
            match phone.replica.enrol(&phone.http, &url, &code).await {
                Ok(()) => return Some(phone),
                // Enrolled, but the directory did not come: a round fetches it.
                Err(Error::Offline { .. }) if phone.replica.status().is_ok() => {
                    if phone.has_directory(city).await {
                        return Some(phone);
                    }
                }
                // The code may have been used although no answer came: there are more codes.
                Err(Error::Offline { .. } | Error::BadCode) => {}
                Err(error) => {
                    city.counters.note_failure(&phone.name, &error);
                    return None;
                }
            }
        }
        None
    }

    async fn has_directory(&self, city: &City) -> bool {
        for _ in 0..ENROL_TRIES {
            if self.replica.directory().is_ok() {
                return true;
            }
            self.sync(city).await;
        }
        false
    }

    fn open(
        city: &City,
        (number, path): (u64, PathBuf),
        person: PersonId,
        label: &str,
    ) -> Option<Self> {
        let machine = Arc::new(Machine::new(&city.clock, city.seed_for(number)));
        let opened = Replica::open(&path, machine.clone());
        let name = format!("{label}/{number}");
        let fault = |what: String| city.counters.note_disagreement(format!("{name}: {what}"));
        let (replica, rescued) = opened.map_err(|error| fault(error.to_string())).ok()?;
        if rescued.is_some() {
            fault("a phone's file was damaged".to_owned());
        }
        let http = Http::new()
            .map_err(|_| fault("no HTTP client".to_owned()))
            .ok()?;
        Some(Self {
            name,
            person,
            replica,
            http,
            machine,
            path,
            is_revoked: AtomicBool::new(false),
        })
    }

    /// A second phone on a copy of this one's file, as a shop makes it when it "moves everything over".
    pub fn copy(&self, city: &City, label: &str) -> Option<Self> {
        let (number, path) = city.new_file();
        copy_file(&self.path, &path)
            .map_err(|error| city.counters.note_disagreement(format!("copy: {error}")))
            .ok()?;
        Self::open(city, (number, path), self.person, label)
    }

    /// What the audit needs of it. Drop the phone before the file is opened again.
    pub fn file(&self) -> PhoneFile {
        PhoneFile {
            name: self.name.clone(),
            person: self.person,
            path: self.path.clone(),
            machine: Arc::clone(&self.machine),
            is_revoked: self.is_revoked.load(Ordering::Relaxed),
        }
    }

    /// The server has stopped it.
    pub fn note_revoked(&self) {
        self.is_revoked.store(true, Ordering::Relaxed);
    }

    /// Its device id.
    pub fn device(&self) -> Option<DeviceId> {
        let enrolment = self.replica.store().read(enrolment::enrolled);
        enrolment.ok().map(|enrolment| enrolment.device)
    }

    /// Opens a document with a deed.
    pub fn begin(&self, city: &City, line: Line, choice: &Choice) -> Option<(DocumentId, EntryId)> {
        let deed = self.deed(choice);
        let result = self.replica.begin(&deed);
        let (document, entry) = self.told(city, result)?;
        self.log(city, line, document, entry, deed.key);
        Some((document, entry))
    }

    /// Does something to a document. None: the rules say no, as this phone knows them.
    pub fn act(
        &self,
        city: &City,
        line: Line,
        document: DocumentId,
        choice: &Choice,
    ) -> Option<EntryId> {
        let deed = self.deed(choice);
        let result = self.replica.act(document, &deed);
        let entry = self.told(city, result)?;
        self.log(city, line, document, entry, deed.key);
        Some(entry)
    }

    /// A forged app closes a case by itself, past everything that the phone would check.
    pub fn forge(&self, city: &City, line: Line, document: DocumentId) -> Option<EntryId> {
        let closing = (Action::Close.code(), Capability::Close);
        let at = At::wall(self.machine.now());
        let result = tamper::record(&self.replica, document, closing, at);
        let entry = self.told(city, result)??;
        self.log(city, line, document, entry, None);
        Some(entry)
    }

    fn deed(&self, choice: &Choice) -> Deed {
        let mut key = vec![0; 8];
        patrol_core::replica::Environment::fill_random(self.machine.as_ref(), &mut key);
        Deed {
            fields: choice.fields.clone(),
            key: Some(key),
            ..Deed::new(choice.action, choice.body.clone())
        }
    }

    /// What a replica answered: the rules may say no, nothing else may go wrong.
    fn told<T>(&self, city: &City, result: Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(Error::Refused(_) | Error::NotFound) => None,
            Err(error) => {
                city.counters
                    .note_disagreement(format!("{}: {error}", self.name));
                None
            }
        }
    }

    fn log(
        &self,
        city: &City,
        line: Line,
        document: DocumentId,
        entry: EntryId,
        key: Option<Vec<u8>>,
    ) {
        city.log.add(Logged {
            entry,
            document,
            person: self.person,
            by: if line == Line::None {
                By::PhoneWithoutLine
            } else {
                By::PhoneWithLine
            },
            key: key.unwrap_or_default(),
        });
    }

    /// One call of sync. True: it came to its end.
    pub async fn sync(&self, city: &City) -> bool {
        self.sync_moved(city).await.is_some()
    }

    /// One call of sync. True: nothing moved, and nothing waits. A stopped phone keeps what the office will not hear of.
    pub async fn comes_to_rest(&self, city: &City) -> bool {
        let has_moved = self.sync_moved(city).await != Some(0);
        let is_stopped = self.is_revoked.load(Ordering::Relaxed);
        !has_moved && (is_stopped || self.has_handed_in())
    }

    /// One call of sync: how many changes it moved, either way; none when it was broken off.
    async fn sync_moved(&self, city: &City) -> Option<usize> {
        let cancel = Cancel::default();
        match self.replica.sync(&self.http, &cancel, &|_| ()).await {
            Ok(summary) => {
                Counters::add(&city.counters.syncs);
                Some(summary.pushed + summary.pulled)
            }
            // A stopped phone is told so when it has handed in what it had.
            Err(Error::SignedOut) if self.is_revoked.load(Ordering::Relaxed) => Some(0),
            Err(error) => {
                city.counters.note_failure(&self.name, &error);
                None
            }
        }
    }

    /// Whether its outbox is empty.
    pub fn has_handed_in(&self) -> bool {
        self.replica.status().is_ok_and(|status| status.outbox == 0)
    }

    /// Minutes to wait after a broken round, by the replica's own reckoning.
    pub fn retry_in_minutes(&self) -> u64 {
        let ms = self.replica.next_round_in_ms(None).unwrap_or(60_000);
        ms.div_ceil(60_000).clamp(1, 5)
    }

    /// Whether the server has told this phone that it lives twice.
    pub fn is_told_to_enrol_anew(&self) -> bool {
        let notices = self.replica.notices().unwrap_or_default();
        notices.iter().any(|(_, notice)| *notice == Notice::ReEnrol)
    }

    /// A case as this phone shows it.
    pub fn open_case(&self, document: DocumentId) -> Option<Page> {
        let view = self.replica.case(document).ok()?;
        Some(Page::of_view(&view))
    }

    /// Cases on this phone in one of these stages; all if none is named.
    pub fn cases(&self, stages: &[&str]) -> Vec<(DocumentId, String)> {
        let rows = self.replica.list("case", 0, 10_000).unwrap_or_default();
        let rows = rows
            .into_iter()
            .filter(|row| stages.is_empty() || stages.contains(&row.stage.as_str()));
        rows.map(|row| (row.id, row.stage)).collect()
    }
}

/// Copies a phone's file as it stands.
fn copy_file(from: &Path, to: &Path) -> rusqlite::Result<()> {
    let connection = rusqlite::Connection::open(from)?;
    connection.execute("VACUUM INTO ?1", [to.to_string_lossy()])?;
    Ok(())
}
