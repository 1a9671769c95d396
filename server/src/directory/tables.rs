//! The rows of each file, read one by one; what cannot be read is reported and left out.
//!
//! Whether the rows fit together is the directory's own check.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use patrol_core::domain::capability::Role;
use patrol_core::domain::directory::{
    Beat, BeatId, BeatVillage, CategoryKey, CategoryRow, Directory, District, Person, Post, Row,
    Town, Unit, UnitKind, Village,
};
use patrol_core::domain::id::{PersonId, UnitId};
use patrol_core::domain::place::VillageCode;

use super::csv::{Line, Sheet};
use super::fault::{ImportFault, Key, Lines, Reason};
use super::fields::{category_kind, code, day, number, point, post_at};

/// An import under way: on which line each row stands, and the faults so far.
#[derive(Default)]
pub(super) struct Import {
    pub(super) lines: Lines,
    pub(super) faults: Vec<ImportFault>,
}

impl Import {
    /// Notes where a row stands; says whether it is the first of its id.
    pub(super) fn is_new(&mut self, line: &Line<'_>, column: &str, key: Key) -> bool {
        match self.lines.entry(key) {
            Entry::Vacant(entry) => {
                entry.insert((line.file, line.number));
                true
            }
            Entry::Occupied(_) => {
                self.faults.push(line.fault(column, Reason::Duplicate));
                false
            }
        }
    }

    pub(super) fn districts(&mut self, text: &str) -> Vec<District> {
        let sheet = Sheet::new(
            "districts.csv",
            text,
            &["code", "name"],
            &[],
            &mut self.faults,
        );
        let mut rows = Vec::new();
        for line in sheet.lines() {
            let Some(code) = line.read(
                "code",
                Reason::NotACode,
                |text| code(text, 6),
                &mut self.faults,
            ) else {
                continue;
            };
            if self.is_new(&line, "code", (Row::District(code), None)) {
                rows.push(District {
                    code,
                    name: line.text("name"),
                });
            }
        }
        rows
    }

    pub(super) fn towns(&mut self, text: &str) -> Vec<Town> {
        let sheet = Sheet::new(
            "towns.csv",
            text,
            &["code", "name", "district_code"],
            &[],
            &mut self.faults,
        );
        let mut rows = Vec::new();
        for line in sheet.lines() {
            let town = line.read(
                "code",
                Reason::NotACode,
                |text| code(text, 9),
                &mut self.faults,
            );
            let district = line.read(
                "district_code",
                Reason::NotACode,
                |text| code(text, 6),
                &mut self.faults,
            );
            let (Some(code), Some(district)) = (town, district) else {
                continue;
            };
            let row = Town {
                code,
                name: line.text("name"),
            };
            if row.district() != district {
                self.faults
                    .push(line.fault("district_code", Reason::Contradiction));
            }
            if self.is_new(&line, "code", (Row::Town(code), None)) {
                rows.push(row);
            }
        }
        rows
    }

    pub(super) fn villages(&mut self, text: &str) -> Vec<Village> {
        let columns = ["code", "name", "town_code", "lon_gcj02", "lat_gcj02"];
        let sheet = Sheet::new("villages.csv", text, &columns, &[], &mut self.faults);
        let mut rows = Vec::new();
        for line in sheet.lines() {
            let point = point(&line, &mut self.faults);
            let village = line.read(
                "code",
                Reason::NotACode,
                VillageCode::parse,
                &mut self.faults,
            );
            let town = line.read(
                "town_code",
                Reason::NotACode,
                |text| code(text, 9),
                &mut self.faults,
            );
            let (Some(code), Some(town)) = (village, town) else {
                continue;
            };
            if code.town() != town {
                self.faults
                    .push(line.fault("town_code", Reason::Contradiction));
            }
            if self.is_new(&line, "code", (Row::Village(code), None)) {
                rows.push(Village {
                    code,
                    name: line.text("name"),
                    point,
                });
            }
        }
        rows
    }

    pub(super) fn beats(&mut self, text: &str) -> Vec<Beat> {
        let columns = ["beat_id", "beat_name", "village_code", "from"];
        let sheet = Sheet::new("beats.csv", text, &columns, &["until"], &mut self.faults);
        let mut beats: BTreeMap<BeatId, Beat> = BTreeMap::new();
        for line in sheet.lines() {
            let faults = &mut self.faults;
            let id = line.read(
                "beat_id",
                Reason::NotANumber,
                |text| number(text)?.try_into().ok().map(BeatId),
                faults,
            );
            let village = line.read("village_code", Reason::NotACode, VillageCode::parse, faults);
            let from = line.read("from", Reason::NotADay, day, faults);
            let until = line.read_optional("until", Reason::NotADay, day, faults);
            let (Some(id), Some(village), Some(from), Ok(until)) = (id, village, from, until)
            else {
                continue;
            };
            // The same village may return to a beat; the first of its lines stands for all in faults.
            self.lines
                .entry((Row::Beat(id), Some(village)))
                .or_insert((line.file, line.number));
            self.lines
                .entry((Row::Beat(id), None))
                .or_insert((line.file, line.number));
            let name = line.text("beat_name");
            let beat = beats.entry(id).or_insert_with(|| Beat {
                id,
                name: name.clone(),
                villages: Vec::new(),
            });
            if beat.name != name {
                self.faults
                    .push(line.fault("beat_name", Reason::Contradiction));
            }
            beat.villages.push(BeatVillage {
                village,
                from,
                until,
            });
        }
        for beat in beats.values_mut() {
            beat.villages.sort_by_key(|row| (row.village, row.from));
        }
        beats.into_values().collect()
    }

    pub(super) fn units(&mut self, text: &str) -> Vec<Unit> {
        let sheet = Sheet::new(
            "units.csv",
            text,
            &["id", "kind", "name"],
            &[],
            &mut self.faults,
        );
        let listed = |text: &str| {
            UnitKind::from_word(text)
                .filter(|kind| !matches!(kind, UnitKind::Town | UnitKind::Village))
        };
        let mut rows = Vec::new();
        for line in sheet.lines() {
            let id = line.read(
                "id",
                Reason::NotANumber,
                |text| number(text).map(UnitId),
                &mut self.faults,
            );
            let kind = line.read("kind", Reason::UnknownWord, listed, &mut self.faults);
            let (Some(id), Some(kind)) = (id, kind) else {
                continue;
            };
            if self.is_new(&line, "id", (Row::Unit(id), None)) {
                rows.push(Unit {
                    id,
                    kind,
                    name: line.text("name"),
                });
            }
        }
        rows
    }

    pub(super) fn categories(&mut self, text: &str) -> Vec<CategoryRow> {
        let columns = ["scheme", "kind", "code", "name"];
        let sheet = Sheet::new("categories.csv", text, &columns, &[], &mut self.faults);
        let mut rows = Vec::new();
        for line in sheet.lines() {
            let scheme = line.read("scheme", Reason::NotANumber, number, &mut self.faults);
            let kind = line.read("kind", Reason::UnknownWord, category_kind, &mut self.faults);
            let code = line.read("code", Reason::NotANumber, number, &mut self.faults);
            let (Some(scheme), Some(kind), Some(code)) = (scheme, kind, code) else {
                continue;
            };
            let key = CategoryKey { scheme, kind, code };
            if self.is_new(&line, "code", (Row::Category(key), None)) {
                rows.push(CategoryRow {
                    key,
                    name: line.text("name"),
                });
            }
        }
        rows
    }

    /// A row per post. Who stands there is there, also when all his posts are over.
    pub(super) fn people(&mut self, text: &str) -> Vec<Person> {
        if text.is_empty() {
            return Vec::new();
        }
        let columns = ["person", "name", "role", "at", "from"];
        let sheet = Sheet::new("people.csv", text, &columns, &["until"], &mut self.faults);
        let mut people: BTreeMap<PersonId, Person> = BTreeMap::new();
        for line in sheet.lines() {
            let faults = &mut self.faults;
            let id = line.read("person", Reason::NotAnId, PersonId::from_hex, faults);
            let role = line.read("role", Reason::UnknownWord, Role::from_word, faults);
            let at = line.read("at", Reason::NotAPlace, post_at, faults);
            let from = line.read("from", Reason::NotADay, day, faults);
            let until = line.read_optional("until", Reason::NotADay, day, faults);
            let (Some(id), Some(role), Some(at), Some(from), Ok(until)) =
                (id, role, at, from, until)
            else {
                continue;
            };
            // The first of a person's lines stands for all in faults.
            self.lines
                .entry((Row::Person(id), None))
                .or_insert((line.file, line.number));
            let name = line.text("name");
            let person = people.entry(id).or_insert_with(|| Person {
                id,
                name: name.clone(),
                posts: Vec::new(),
            });
            if person.name != name {
                self.faults.push(line.fault("name", Reason::Contradiction));
            }
            person.posts.push(Post {
                role,
                at,
                from,
                until,
            });
        }
        people.into_values().collect()
    }

    /// Adds what is a unit by its code: towns that have villages, and villages. A village row carries the committee's
    /// name; the unit keeps it, and the village takes the place's.
    pub(super) fn derive_units(&mut self, directory: &mut Directory) {
        for town in &directory.towns {
            if directory
                .villages
                .iter()
                .any(|village| village.code.town() == town.code)
            {
                directory.units.push(Unit {
                    id: UnitId(town.code),
                    kind: UnitKind::Town,
                    name: town.name.clone(),
                });
            }
        }
        for village in &mut directory.villages {
            let committee = village.name.clone();
            village.name = place_name(&committee).to_owned();
            directory.units.push(Unit {
                id: village.code.unit(),
                kind: UnitKind::Village,
                name: committee,
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
