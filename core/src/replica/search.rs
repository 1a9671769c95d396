//! Finding documents by a part of their words, numbers, places, villages or categories. What stands in the index is made when a row is (`load`).

use std::collections::BTreeSet;

use super::{Replica, load};
use crate::doc::document::Reading;
use crate::domain::directory::Directory;
use crate::domain::grams::{self, Asked, Grams};
use crate::error::{Error, Result};
use crate::store::documents::{self, ListRow, Match};
use crate::store::search;

/// How many documents get into the index in one transaction when an older file is opened.
const AT_ONCE: usize = 100;

impl Replica {
    /// Documents of a kind that contain every run of letters that was typed, the last changed first. Nothing typed, nothing found.
    pub fn search(
        &self,
        kind: &str,
        typed: &str,
        skip: usize,
        limit: usize,
    ) -> Result<Vec<ListRow>> {
        let known = self.known()?;
        let wanted: Vec<Match> = grams::asked(typed)
            .iter()
            .map(|asked| matched(asked, &known.directory))
            .collect();
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        self.store
            .read(|connection| documents::find(connection, kind, &wanted, skip, limit))
    }

    /// Puts into the index what came here before there was one.
    pub(super) fn index_rest(&self) -> Result<()> {
        loop {
            let rest = self
                .store
                .read(|connection| search::unindexed(connection, AT_ONCE))?;
            if rest.is_empty() {
                return Ok(());
            }
            self.store.write(|transaction| {
                for number in rest {
                    match load::refresh(transaction, documents::id(transaction, number)?) {
                        // Spoilt: it stays as it is, and the others go on.
                        Ok(()) | Err(Error::Spoilt) => {}
                        Err(error) => return Err(error),
                    }
                    search::note_indexed(transaction, number)?;
                }
                Ok(())
            })?;
        }
    }
}

/// What matches one run: in the index, or by the name of its village or category.
fn matched(asked: &Asked, directory: &Directory) -> Match {
    let villages = directory.villages.iter();
    let categories = directory.categories.iter();
    Match {
        question: asked.question(),
        villages: villages
            .filter(|village| asked.is_in(&village.name))
            .map(|village| village.code.number())
            .collect(),
        categories: categories
            .filter(|row| asked.is_in(&row.name))
            .map(|row| row.key.name())
            .collect(),
    }
}

/// What can be found of a document.
pub(super) fn findable(reading: &Reading) -> Grams {
    let case = &reading.case;
    let places = case
        .places
        .iter()
        .filter_map(|place| place.value.words.as_deref());
    let words = case.words.iter().map(|words| words.value.as_str());
    // The newest first: there is a bound.
    let said = reading.lines.iter().rev();
    let said = said.filter_map(|line| line.entry.body.words.as_deref());
    let numbers = case.numbers.iter().map(String::as_str);
    let mut seen = BTreeSet::new();
    let all: Vec<&str> = numbers
        .chain(words)
        .chain(places)
        .chain(said)
        .filter(|text| seen.insert(*text))
        .collect();
    grams::index(&all.join("\n"))
}
