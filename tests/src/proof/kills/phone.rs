//! A phone's program killed (−9) again and again while it reports and syncs with a server's, and the counter-proof: one that shows as saved
//! what it has not saved yet.
//!
//! Where a kill fell is told by what the program said last: it says each step before it begins it. By turns it is killed on each of these
//! words, at once or some turns of the scheduler later, so that kills fall into all of a step and not into its beginning alone.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use patrol_core::domain::id::{DraftId, EntryId};
use patrol_core::replica::{Cancel, Replica};
use patrol_core::sync::http::Http;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::super::{Program, all_are_in, entries_in};
use super::drafts::Drafts;
use super::said::Said;
use super::{Acknowledges, copy, early, is_enough, is_looked_into};
use crate::clock::{Clock, Machine};
use crate::served::Folder;
use crate::simulation::audit;

/// How a run ended.
#[derive(Clone, Copy, Debug, Default)]
pub struct Killed {
    /// How often it was killed.
    pub kills: u32,
    /// How many of the kills fell on a draft that was being written.
    pub drafting: usize,
    /// How many fell between the beginning of a record and the word that it is durable.
    pub recording: usize,
    /// How many fell between the sending of a request and the end of its answer.
    pub asking: usize,
    /// How many fell into the rest of a sync.
    pub syncing: usize,
    /// Entries that were recorded, and cut before the word that they were.
    pub untold: usize,
    /// Changes that the server had committed when the phone was killed over the answer: pushed again, and known.
    pub unanswered: usize,
    /// Entries that had been shown as saved before.
    pub told: usize,
}

impl Killed {
    fn proved(self) -> Result<Self, String> {
        if is_enough(self.recording, self.kills) && is_enough(self.asking, self.kills) {
            Ok(self)
        } else {
            Err(format!("too few records or requests were cut: {self:?}"))
        }
    }

    /// Counts a kill after which nothing more was said than this.
    fn count(&mut self, last: Option<Said>) {
        self.kills += 1;
        match last {
            Some(Said::Found(..) | Said::Drafted(..)) => self.drafting += 1,
            Some(Said::Recording) => self.recording += 1,
            Some(Said::Asking | Said::Known(_)) => self.asking += 1,
            Some(Said::Syncing | Said::Answered) => self.syncing += 1,
            Some(Said::Recorded(_) | Said::Synced | Said::Unsynced) | None => {}
        }
    }
}

/// On which word it is killed, by turns.
const WORDS: [fn(Said) -> bool; 7] = [
    |said| matches!(said, Said::Drafted(..)),
    |said| said == Said::Recording,
    |said| said == Said::Asking,
    |said| matches!(said, Said::Recorded(_)),
    |said| said == Said::Syncing,
    |said| said == Said::Answered,
    |said| matches!(said, Said::Synced | Said::Unsynced),
];
/// Turns of the scheduler that the killer then leaves to others, fewer than these; every other time none.
const TURNS: u32 = 500;
/// With which deed at the latest.
const DEEDS: u32 = 12;

/// A phone that is killed, and what it has told.
struct Victim<'a> {
    /// How it is started.
    program: &'a Path,
    url: &'a str,
    code: &'a str,
    file: &'a Path,
    recorded: BTreeSet<EntryId>,
    synced: BTreeSet<EntryId>,
    drafts: Drafts,
}

impl Victim<'_> {
    /// Starts it and kills it. Everything that it said.
    fn kill(
        &self,
        (kill, seed): (u32, u64),
        (deeds, turns): (u32, u32),
    ) -> Result<Vec<Said>, String> {
        let mut child = Command::new(self.program)
            .arg("device")
            .arg(self.file)
            .arg((seed + u64::from(kill)).to_string())
            .args([self.url, self.code])
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let output = BufReader::new(child.stdout.take().ok_or("its output")?);
        let is_word = WORDS[kill as usize % WORDS.len()];
        let (mut all, mut begun, mut is_killed) = (Vec::new(), 0, false);
        for line in output.lines().map_while(Result::ok) {
            let Some(said) = Said::of(&line) else {
                continue;
            };
            all.push(said);
            begun += u32::from(said == Said::Recording);
            if !is_killed && begun >= deeds && is_word(said) {
                (0..turns).for_each(|_| std::thread::yield_now());
                child.kill().map_err(|error| error.to_string())?;
                is_killed = true;
            }
        }
        child.wait().map_err(|error| error.to_string())?;
        if is_killed {
            Ok(all)
        } else {
            Err(format!("kill {kill}: it ended by itself after {all:?}"))
        }
    }

    /// Whether it has recorded anything since it was started, and whether it had before without a word.
    fn hear(&mut self, all: &[Said]) -> Result<(bool, bool), String> {
        let had_untold = self.drafts.hear(all)?;
        let mut here = BTreeSet::new();
        for said in all {
            match said {
                Said::Recorded(entry) => drop(here.insert(*entry)),
                Said::Synced => self.synced.extend(&here),
                _ => {}
            }
        }
        self.recorded.extend(&here);
        Ok((!here.is_empty(), had_untold))
    }

    /// Whether a copy of its file is sound and holds all that it has told.
    fn look(&self) -> Result<(), String> {
        let folder = Folder::new("phone-look").map_err(|error| error.to_string())?;
        let file = folder.file("phone.db");
        copy(self.file, &file)?;
        let replica = opened(&file, 0)?;
        all_are_in(&self.recorded, &audit::entries_on_phone(replica.store()))
    }
}

/// The drafts of a phone, each with how often it was changed.
///
/// # Errors
/// One that is no number.
pub fn drafts(replica: &Replica) -> Result<Vec<(DraftId, u32)>, String> {
    let drafts = replica.drafts().map_err(|error| error.to_string())?;
    let changed = drafts.into_iter().map(|draft| {
        let form = <[u8; 4]>::try_from(draft.form).map_err(|form| format!("a draft: {form:?}"))?;
        Ok((draft.id, u32::from_be_bytes(form)))
    });
    changed.collect()
}

fn opened(file: &Path, seed: u64) -> Result<Replica, String> {
    let machine = Arc::new(Machine::new(&Clock::default(), seed));
    let (replica, rescued) = Replica::open(file, machine).map_err(|error| error.to_string())?;
    let verdict = replica.store().read(|connection| {
        Ok(connection.query_row("PRAGMA integrity_check", [], |row| row.get(0))?)
    });
    let verdict: String = verdict.map_err(|error| error.to_string())?;
    if rescued.is_some() || verdict != "ok" {
        return Err(format!("the phone's file was damaged: {verdict}"));
    }
    Ok(replica)
}

/// Kills a phone's program so often while it reports and syncs with a server.
///
/// # Errors
/// What was lost or doubled, or is not sound.
pub async fn of_a_phone(
    program: &Path,
    kills: u32,
    when: Acknowledges,
    seed: u64,
) -> Result<Killed, String> {
    let folder = Folder::new("phone-kills").map_err(|error| error.to_string())?;
    let (database, file) = (folder.file("server.db"), folder.file("phone.db"));
    let server = Program::start(&database, 0, &[])?;
    let code = Program::code(&database, "巡查员01")?;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut victim = Victim {
        program,
        url: &server.url,
        code: &code,
        file: &file,
        recorded: BTreeSet::new(),
        synced: BTreeSet::new(),
        drafts: Drafts::default(),
    };
    let mut killed = Killed::default();
    for kill in 0..kills {
        let turns = rng.random_range(0..TURNS) * u32::from(rng.random_bool(0.5));
        let moment = (rng.random_range(1..=DEEDS), turns);
        let all = victim.kill((kill, seed), moment)?;
        killed.count(all.last().copied());
        killed.unanswered += known(&all);
        let (has_recorded, had_untold) = victim.hear(&all)?;
        killed.untold += usize::from(had_untold);
        if when == Acknowledges::Early && has_recorded {
            early::undo_commits(&file, 1).map_err(|error| error.to_string())?;
        }
        if is_looked_into(kill) {
            victim.look()?;
        }
    }
    let replica = opened(&file, seed)?;
    killed.untold += usize::from(victim.drafts.find(&drafts(&replica)?)?);
    let (recorded, synced) = (victim.recorded, victim.synced);
    let http = Http::new().map_err(|_| "no client")?;
    let done = replica.sync(&http, &Cancel::default(), &|_| ()).await;
    done.map_err(|error| error.to_string())?;
    server.kill();
    let found = entries_in(&database)?;
    all_are_in(&recorded, &found)?;
    all_are_in(&synced, &found)?;
    let untold = found.difference(&recorded).count();
    if killed.untold != untold {
        return Err(format!("{untold} entries without a word: {killed:?}"));
    }
    killed.told = recorded.len();
    killed.proved()
}

fn known(all: &[Said]) -> usize {
    let counts = all.iter().map(|said| match said {
        Said::Known(count) => *count,
        _ => 0,
    });
    counts.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_whose_kills_fall_between_records_and_requests_proves_nothing() {
        let proved = |recording: usize, asking: usize| {
            let lasts = [
                vec![Said::Recording; recording],
                vec![Said::Asking; asking],
                vec![Said::Synced; 100 - recording - asking],
            ];
            let mut killed = Killed {
                told: 500,
                ..Killed::default()
            };
            let all = lasts.into_iter().flatten();
            all.for_each(|last| killed.count(Some(last)));
            killed.proved().is_ok()
        };
        assert!(proved(10, 10));
        assert!(!proved(9, 90));
        assert!(!proved(90, 9));
        assert!(!proved(0, 0));
    }
}
