//! What rows are called where people are told of them: their codes, as files have them, with their names.
//!
//! It looks nothing up but names.

use patrol_core::domain::capability::Role;
use patrol_core::domain::directory::{BeatId, Directory, PostAt, Row};
use patrol_core::domain::id::{PersonId, UnitId};
use patrol_core::domain::place::VillageCode;
use patrol_core::domain::time::Timestamp;

use super::Today;
use super::fields::post_at_text;
use crate::calendar::day;

/// Names from a directory.
pub(crate) struct Told<'d>(pub(crate) &'d Directory);

impl Told<'_> {
    pub(crate) fn village(&self, code: VillageCode) -> String {
        let name = self.0.village(code).map(|row| row.name.as_str());
        named(code, name)
    }

    pub(crate) fn beat(&self, id: BeatId) -> String {
        let name = self.0.beat(id).map(|row| row.name.as_str());
        named(format!("beat:{}", id.0), name)
    }

    pub(crate) fn unit(&self, id: UnitId) -> String {
        let name = self.0.unit(id).map(|row| row.name.as_str());
        named(format!("unit:{id}"), name)
    }

    pub(crate) fn person(&self, id: PersonId) -> String {
        let name = self.0.person(id).map(|row| row.name.as_str());
        named(id.hex(), name)
    }

    /// A post with the name of its place.
    pub(crate) fn post(&self, role: Role, at: PostAt) -> String {
        let place = match at {
            PostAt::City => post_at_text(at),
            PostAt::Unit(unit) => self.unit(unit),
            PostAt::Beat(beat) => self.beat(beat),
        };
        format!("{} {place}", role.word())
    }

    pub(super) fn row(&self, row: Row) -> String {
        match row {
            Row::District(code) | Row::Town(code) => code.to_string(),
            Row::Village(code) => self.village(code),
            Row::Beat(id) => self.beat(id),
            Row::Unit(id) => self.unit(id),
            Row::Person(id) => self.person(id),
            Row::Category(key) => key.name(),
        }
    }
}

fn named(code: impl std::fmt::Display, name: Option<&str>) -> String {
    let name = name.unwrap_or_default();
    format!("{code} {name}").trim_end().to_owned()
}

/// The day since which a village is in no beat today; today, where it never was in one.
pub(super) fn day_since(directory: &Directory, village: VillageCode, today: Today) -> String {
    let rows = directory.beats.iter().flat_map(|beat| &beat.villages);
    let ends = rows.filter(|row| row.village == village);
    let ends = ends.filter_map(|row| row.until);
    let last: Option<Timestamp> = ends.filter(|until| *until <= today.ends).max();
    day(last.unwrap_or(today.now))
}
