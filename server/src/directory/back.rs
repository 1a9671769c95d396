//! A version of the directory that was in force laid over the one that is, so that an import that was a mistake is undone.
//!
//! What has passed stays as it was, and so do leaves: it is what files have said of people that comes back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use patrol_core::domain::directory::{
    Beat, BeatVillage, Directory, Person, Post, PostAt, Unit, UnitKind, Village,
};
use patrol_core::domain::id::{PersonId, UnitId};
use patrol_core::domain::place::VillageCode;
use patrol_core::domain::time::Timestamp;

use super::kept::{Ends, Held, post_key, posts_of};
use super::leaves::Basis;
use super::over::{Force, Over, Tables};
use super::tables::Import;
use super::told::Told;
use super::{Laid, Table, Today, again, examine, fault};
use crate::calendar::day;
use crate::sheet::Reason;

/// Lays an older version, known by its number, over what is in force. Its people are those that files had said.
pub(crate) fn back_over(
    (no, mut old): (u64, Directory),
    (force, basis): Force<'_>,
    today: Today,
) -> Laid {
    let mut standing = Basis {
        said: standing(&basis.said, today),
        leaves: basis.leaves.clone(),
    };
    let again = again::give_back(&mut old.people, &mut standing, today);
    let tables = Tables {
        districts: Some(with(&old.districts, &force.districts, |row| row.code)),
        towns: Some(with(&old.towns, &force.towns, |row| row.code)),
        villages: Some(committees(&old)),
        beats: Some(beats(&old.beats, force, today)),
        units: Some(units(&old, (force, basis))),
        people: Some(old.people),
        categories: Some(old.categories),
    };
    let ends = Ends::of(&standing);
    let over = tables.over((force, &standing), &ends, today);
    let lifted = lifted(force, &over.directory, today.now);
    // Who has left does not come back, whatever files say; but his row is what another has it by.
    let held = posts_of(&over.directory.people);
    let given = given(&over);
    let is_held = |(person, post): &(PersonId, Post)| {
        let is_given = |(first, given): &(PersonId, Post)| {
            let is_like = (given.role, given.at) == (post.role, post.at);
            first == person && is_like && given.until.is_none_or(|until| post.from < until)
        };
        held.contains(&(*person, post_key(post))) || given.iter().any(is_given)
    };
    let again: Vec<(PersonId, Post)> = again.into_iter().filter(is_held).collect();
    let file: Arc<str> = format!("directory {no}").into();
    let files = Table::ALL.map(|table| (table, Arc::clone(&file))).into();
    let import = Import {
        ends,
        ..Import::default()
    };
    let mut laid = examine::laid(import, (force, basis), over, (&files, today));
    for ((person, (role, at, _)), end) in lifted {
        let mut warning = fault::in_force(Reason::EndLifted);
        if laid.warnings.has_room() {
            let told = Told(&laid.directory);
            let (person, post) = (told.person(person), told.post(role, at));
            warning = warning.with(format!("{person}, {post}, {}", day(end)));
        }
        laid.warnings.push(warning);
    }
    for (person, post) in again {
        let mut warning = fault::in_force(Reason::HeldAgain);
        if laid.warnings.has_room() {
            let told = Told(&laid.directory);
            let (person, held) = (told.person(person), told.post(post.role, post.at));
            warning = warning.with(format!("{person}, {held}, {}", day(post.from)));
        }
        laid.warnings.push(warning);
    }
    laid
}

/// The posts that leaves have given, each with whose it was.
fn given(over: &Over) -> Vec<(PersonId, Post)> {
    let given: BTreeMap<Held, Held> = over.decided.given.iter().copied().collect();
    let posts = over.directory.people.iter().flat_map(|person| {
        let posts = person.posts.iter();
        posts.map(|post| ((person.id, post_key(post)), *post))
    });
    let posts = posts.filter_map(|(held, post)| given.get(&held).map(|(first, _)| (*first, post)));
    posts.collect()
}

/// What files have said of people, without the ends that have not come yet.
fn standing(said: &[Person], today: Today) -> Vec<Person> {
    let mut people = said.to_vec();
    for post in people.iter_mut().flat_map(|person| &mut person.posts) {
        post.until = post.until.filter(|until| *until <= today.now);
    }
    people
}

/// Rows, and those that have come since: what stays may name them.
fn with<T: Clone>(old: &[T], force: &[T], code: impl Fn(&T) -> u64) -> Vec<T> {
    let known: BTreeSet<u64> = old.iter().map(&code).collect();
    let since = force.iter().filter(|row| !known.contains(&code(row)));
    old.iter().chain(since).cloned().collect()
}

/// Villages by the names of their committees, as files have them.
pub(crate) fn committees(old: &Directory) -> Vec<Village> {
    let name = |village: &Village| {
        let unit = old.unit(village.code.unit());
        unit.map_or(&village.name, |unit| &unit.name).clone()
    };
    let rows = old.villages.iter().map(|village| Village {
        name: name(village),
        ..village.clone()
    });
    rows.collect()
}

/// Beats as they were. A village that has left one since comes back to it: today, or with the next day where another one has it now.
fn beats(old: &[Beat], force: &Directory, today: Today) -> Vec<Beat> {
    let mut beats = old.to_vec();
    for beat in &mut beats {
        let now = force.beat(beat.id);
        let now: Vec<BeatVillage> = now.map(|beat| beat.villages.clone()).unwrap_or_default();
        let mut back = Vec::new();
        for row in &mut beat.villages {
            let mut same = now.iter();
            let same = same.find(|other| (other.village, other.from) == (row.village, row.from));
            let end = same
                .and_then(|row| row.until)
                .filter(|end| *end <= today.now);
            if let Some(end) = end
                && row.until.is_none_or(|until| today.ends < until)
            {
                let mut now = now.iter();
                let is_back = now.find(|other| {
                    other.village == row.village
                        && end <= other.from
                        && other.is_in_force_at(today.now)
                });
                let from = is_back.map_or_else(|| free(force, row.village, today), |row| row.from);
                back.push(BeatVillage { from, ..*row });
            }
            row.until = end.or(row.until);
        }
        beat.villages.extend(back);
        beat.villages.sort_by_key(|row| (row.village, row.from));
    }
    beats
}

/// From when on a village may be in another beat than that which has it.
fn free(force: &Directory, village: VillageCode, today: Today) -> Timestamp {
    if force.beat_of(village, today.now).is_some() {
        return today.ends;
    }
    let rows = force.beats.iter().flat_map(|beat| &beat.villages);
    let ends = rows.filter(|row| row.village == village);
    let passed = ends.filter_map(|row| row.until.filter(|until| *until <= today.now));
    passed.fold(today.begins(), Timestamp::max)
}

/// Units that are listed, and those that have come since and that a post names.
fn units(old: &Directory, (force, basis): Force<'_>) -> Vec<Unit> {
    let is_listed = |unit: &&Unit| matches!(unit.kind, UnitKind::Department | UnitKind::Enterprise);
    let people = force.people.iter().chain(&basis.said);
    let posts = people.flat_map(|person| &person.posts);
    let named: BTreeSet<UnitId> = posts
        .filter_map(|post| match post.at {
            PostAt::Unit(unit) => Some(unit),
            PostAt::City | PostAt::Beat(_) => None,
        })
        .collect();
    let since = force.units.iter().filter(is_listed);
    let since = since.filter(|unit| named.contains(&unit.id) && old.unit(unit.id).is_none());
    let before = old.units.iter().filter(is_listed);
    before.chain(since).cloned().collect()
}

/// The ends that are set and have not come yet, and that are none any more, or later ones.
fn lifted(force: &Directory, after: &Directory, now: Timestamp) -> Vec<(Held, Timestamp)> {
    let mut lifted = Vec::new();
    let mut ends: BTreeMap<Held, Timestamp> = BTreeMap::new();
    for person in &force.people {
        let set = person.posts.iter();
        let set = set.filter_map(|post| Some(((person.id, post_key(post)), post.until?)));
        ends.extend(set.filter(|(_, end)| now < *end));
    }
    for person in &after.people {
        for post in &person.posts {
            let held = (person.id, post_key(post));
            let end = ends.get(&held);
            let end = end.filter(|end| post.until.is_none_or(|until| **end < until));
            lifted.extend(end.map(|end| (held, *end)));
        }
    }
    lifted
}
