//! Lays the tables that were read over the directory in force. A table that was not read stays.
//!
//! What is dated is never deleted: who or what a new file does not name any more ends with the day. What only lay in the
//! future goes.

use std::collections::{BTreeMap, BTreeSet};

use patrol_core::domain::directory::{
    Beat, BeatVillage, CategoryRow, Directory, District, Person, Post, Town, Unit, UnitKind,
    Village,
};
use patrol_core::domain::id::UnitId;
use patrol_core::domain::place::VillageCode;
use patrol_core::domain::time::{DAY_MS, Timestamp};

use super::Table;
use super::kept::{Ends, Kept, post_key};
use super::leaves::{Basis, Decided};
use super::tables::{File, Import};

/// What is in force, and from what it follows which people are.
pub(crate) type Force<'d> = (&'d Directory, &'d Basis);

/// What comes of tables over what is in force.
pub(super) struct Over {
    pub(super) directory: Directory,
    pub(super) basis: Basis,
    pub(super) decided: Decided,
    /// The rows of people, as the file has them.
    pub(super) rows: Vec<Person>,
    /// What stays against the files.
    pub(super) kept: Kept,
}

/// The tables that were read; none where there was no file.
#[derive(Default)]
pub(super) struct Tables {
    pub(super) districts: Option<Vec<District>>,
    pub(super) towns: Option<Vec<Town>>,
    /// With the names of committees.
    pub(super) villages: Option<Vec<Village>>,
    pub(super) beats: Option<Vec<Beat>>,
    /// Departments and enterprises.
    pub(super) units: Option<Vec<Unit>>,
    pub(super) people: Option<Vec<Person>>,
    pub(super) categories: Option<Vec<CategoryRow>>,
}

/// The present, and the end of its day, at which ends what a file does not name any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Today {
    pub(crate) now: Timestamp,
    pub(crate) ends: Timestamp,
}

impl Today {
    /// When the day has begun.
    pub(super) fn begins(self) -> Timestamp {
        self.ends.plus_ms(-DAY_MS)
    }
}

impl Tables {
    /// Reads one of them.
    pub(super) fn read(&mut self, table: Table, file: File, import: &mut Import) {
        match table {
            Table::Districts => self.districts = Some(import.districts(file)),
            Table::Towns => self.towns = Some(import.towns(file)),
            Table::Villages => self.villages = Some(import.villages(file)),
            Table::Beats => self.beats = Some(import.beats(file)),
            Table::Units => self.units = Some(import.units(file)),
            Table::People => self.people = Some(import.people(file)),
            Table::Categories => self.categories = Some(import.categories(file)),
        }
        import.end(table);
    }

    /// What is then in force. The ends are those that stay against the files.
    pub(super) fn over(self, (force, basis): Force<'_>, ends: &Ends, today: Today) -> Over {
        let Self {
            districts,
            towns,
            villages,
            beats,
            units,
            people,
            categories,
        } = self;
        let mut basis = basis.clone();
        if let Some(rows) = &people {
            basis.said = people_over(rows.clone(), &basis.said, ends, today);
        }
        let decided = basis.decided();
        let kept = people.as_ref();
        let kept = kept.map_or_else(Kept::default, |rows| {
            Kept::of(rows, ends, (&force.people, &decided), today.now)
        });
        let mut directory = Directory {
            districts: districts.unwrap_or_else(|| force.districts.clone()),
            towns: towns.unwrap_or_else(|| force.towns.clone()),
            villages: Vec::new(),
            beats: beats.map_or_else(|| force.beats.clone(), |new| beats_over(new, force, today)),
            units: units.unwrap_or_else(|| listed(&force.units)),
            people: decided.people.clone(),
            categories: categories.unwrap_or_else(|| force.categories.clone()),
        };
        match villages {
            Some(committees) => place_villages(&mut directory, committees, force, today),
            None => {
                directory.villages.clone_from(&force.villages);
                directory.units.extend(committees_of(force).cloned());
            }
        }
        derive_towns(&mut directory);
        directory.districts.sort_by_key(|row| row.code);
        directory.towns.sort_by_key(|row| row.code);
        directory.villages.sort_by_key(|row| row.code);
        directory.units.sort_by_key(|row| row.id);
        directory.categories.sort_by_key(|row| row.key);
        Over {
            directory,
            basis,
            decided,
            rows: people.unwrap_or_default(),
            kept,
        }
    }
}

fn committees_of(directory: &Directory) -> impl Iterator<Item = &Unit> {
    let of_village = |unit: &&Unit| unit.kind == UnitKind::Village;
    directory.units.iter().filter(of_village)
}

fn listed(units: &[Unit]) -> Vec<Unit> {
    let is_listed = |unit: &&Unit| matches!(unit.kind, UnitKind::Department | UnitKind::Enterprise);
    units.iter().filter(is_listed).cloned().collect()
}

/// A village row carries the committee's name; the unit keeps it, and the village takes the place's. What is not named any more ends
/// with the day, unless it has.
fn place_villages(
    directory: &mut Directory,
    committees: Vec<Village>,
    force: &Directory,
    today: Today,
) {
    let named: BTreeSet<VillageCode> = committees.iter().map(|village| village.code).collect();
    for committee in committees {
        directory.villages.push(Village {
            name: place_name(&committee.name).to_owned(),
            ..committee
        });
        directory.units.push(Unit {
            id: committee.code.unit(),
            kind: UnitKind::Village,
            name: committee.name,
        });
    }
    let units: BTreeMap<UnitId, &Unit> = committees_of(force).map(|unit| (unit.id, unit)).collect();
    for old in force
        .villages
        .iter()
        .filter(|old| !named.contains(&old.code))
    {
        let until = old.until.map_or(today.ends, |until| until.min(today.ends));
        directory.villages.push(Village {
            until: Some(until),
            ..old.clone()
        });
        let committee = units.get(&old.code.unit()).copied();
        directory.units.extend(committee.cloned());
    }
}

/// Towns that have villages are units by their codes.
fn derive_towns(directory: &mut Directory) {
    let with_villages: BTreeSet<u64> = directory
        .villages
        .iter()
        .map(|village| village.code.town())
        .collect();
    for town in &directory.towns {
        if with_villages.contains(&town.code) {
            directory.units.push(Unit {
                id: UnitId(town.code),
                kind: UnitKind::Town,
                name: town.name.clone(),
            });
        }
    }
}

/// The village of a committee: 耕管村 of 耕管村委会, 鱼月村 of 鱼月村民委员会.
pub(super) fn place_name(committee: &str) -> &str {
    committee
        .strip_suffix("民委员会")
        .or_else(|| committee.strip_suffix("委会"))
        .unwrap_or(committee)
}

/// What stays of a dated row that is not named any more: its dates, or nothing where it has not begun.
fn ended(
    from: Timestamp,
    until: Option<Timestamp>,
    today: Today,
) -> Option<(Timestamp, Option<Timestamp>)> {
    match until {
        Some(until) if until <= today.now => Some((from, Some(until))),
        _ if from > today.now => None,
        _ => Some((
            from,
            Some(until.map_or(today.ends, |until| until.min(today.ends))),
        )),
    }
}

fn beats_over(new: Vec<Beat>, force: &Directory, today: Today) -> Vec<Beat> {
    let mut beats: BTreeMap<_, Beat> = new.into_iter().map(|beat| (beat.id, beat)).collect();
    for old in &force.beats {
        let beat = beats.entry(old.id).or_insert_with(|| Beat {
            villages: Vec::new(),
            ..old.clone()
        });
        let key = |row: &BeatVillage| (row.village, row.from);
        let named: BTreeSet<_> = beat.villages.iter().map(key).collect();
        for row in &old.villages {
            if !named.contains(&key(row))
                && let Some((from, until)) = ended(row.from, row.until, today)
            {
                let village = row.village;
                beat.villages.push(BeatVillage {
                    village,
                    from,
                    until,
                });
            }
        }
        beat.villages.sort_by_key(|row| (row.village, row.from));
    }
    beats.into_values().collect()
}

/// What files say of people then. What leaves make of it is asked after that.
fn people_over(mut new: Vec<Person>, said: &[Person], ends: &Ends, today: Today) -> Vec<Person> {
    ends.set_in(&mut new);
    let mut people: BTreeMap<_, Person> =
        new.into_iter().map(|person| (person.id, person)).collect();
    for old in said {
        let person = people.entry(old.id).or_insert_with(|| Person {
            posts: Vec::new(),
            ..old.clone()
        });
        // In the order that is known, so that another order of a file's rows changes nothing.
        let mut named = std::mem::take(&mut person.posts);
        for post in &old.posts {
            let at = named.iter().position(|new| post_key(new) == post_key(post));
            if let Some(at) = at {
                person.posts.push(named.remove(at));
            } else if let Some((from, until)) = ended(post.from, post.until, today) {
                person.posts.push(Post {
                    from,
                    until,
                    ..*post
                });
            }
        }
        person.posts.append(&mut named);
    }
    people.into_values().collect()
}
