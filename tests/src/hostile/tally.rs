//! What the hostile device was told, beside what the server says in its metrics that it told.
//!
//! It counts; it does not ask.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use patrol_core::sync::wire::Fate;

use super::Answer;
use crate::bench::client::Connection;

/// How often each line of the metrics must have been counted.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<BTreeMap<String, u64>>);

impl Tally {
    /// Counts an answer.
    pub(crate) fn note(&self, answer: &Answer) {
        match answer {
            Answer::Error(_, code) => self.add("errors", "code", code),
            Answer::Unread(unread) => self.add("unread", "code", unread.word()),
            Answer::Fates(fates) => fates.iter().for_each(|fate| match fate {
                Fate::Refused(refusal) => self.add("refusals", "code", refusal.code()),
                Fate::Dup => self.add("fates", "fate", "dup"),
                Fate::Missing(_) => self.add("fates", "fate", "missing"),
                Fate::Later(_) => self.add("fates", "fate", "later"),
                Fate::Review => self.add("fates", "fate", "review"),
                Fate::Ok => self.add("fates", "fate", "ok"),
            }),
            Answer::Round => {}
        }
    }

    fn add(&self, name: &str, label: &str, word: &str) {
        let line = format!("xuncun_{name}_total{{{label}=\"{word}\"}}");
        *self.lock().entry(line).or_default() += 1;
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Each line that was expected, with its count.
    pub(crate) fn lines(&self) -> BTreeMap<String, u64> {
        self.lock().clone()
    }

    /// Holds it against a scrape: everything was counted, and nothing twice.
    ///
    /// # Errors
    /// What was counted otherwise.
    pub(crate) fn agrees_with(&self, scrape: &Scrape) -> Result<(), String> {
        for (line, times) in self.lines() {
            let counted = scrape.value(&line);
            if counted != times {
                return Err(format!("{line} is {counted}, and {times} were told"));
            }
        }
        Ok(())
    }
}

/// What a server shows of itself.
#[derive(Debug)]
pub(crate) struct Scrape(String);

impl Scrape {
    /// Asks for it.
    pub(crate) fn of(metrics: SocketAddr) -> Self {
        let asked = b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n";
        let text = Connection::open(metrics).exchange(asked);
        Self(String::from_utf8_lossy(&text).into_owned())
    }

    /// The value of a line; 0 where there is none.
    pub(crate) fn value(&self, name: &str) -> u64 {
        let mut lines = self.0.lines().filter_map(|line| line.rsplit_once(' '));
        let found = lines.find(|(known, _)| *known == name);
        found
            .and_then(|(_, value)| value.parse().ok())
            .unwrap_or_default()
    }
}
