//! The rows of each file, read one by one; what cannot be read is reported and left out.
//!
//! Whether the rows fit together is the directory's own check.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use patrol_core::domain::directory::{
    Beat, BeatId, BeatVillage, CategoryKey, CategoryRow, District, Person, Post, Row, Town, Unit,
    Village,
};
use patrol_core::domain::id::{PersonId, UnitId};
use patrol_core::domain::place::VillageCode;

use super::fault::{Key, Lines};
use super::fields::{self, POINT, category_kind, code, day, number, post_at, role, unit_kind};
use super::names::Names;
use crate::sheet::{Columns, Faults, Line, Reason, Rows, Sheet};

/// An import under way: on which line each row stands, and the faults so far.
#[derive(Default)]
pub(super) struct Import {
    pub(super) lines: Lines,
    pub(super) faults: Faults,
    pub(super) names: Names,
    /// A table lacks a column, so that none of its rows could be read: what then is missing everywhere says nothing.
    pub(super) is_table_unread: bool,
}

/// A file to be read: what it is called in faults, and its rows.
pub(super) type File = (Arc<str>, Rows);

impl Import {
    /// The rows of a file that could be read.
    fn lines(&mut self, (file, rows): File, known: &Columns) -> Vec<Line> {
        let sheet = Sheet::new(file, rows, known, &mut self.faults);
        self.is_table_unread |= !known.required.iter().all(|column| sheet.has(column));
        let mut lines = Vec::new();
        for line in sheet {
            match line {
                Ok(line) => lines.push(line),
                Err(fault) => self.faults.push(fault),
            }
        }
        lines
    }

    /// Notes where a row stands; says whether it is the first of its id.
    pub(super) fn is_new(&mut self, line: &Line, column: &str, key: Key) -> bool {
        match self.lines.entry(key) {
            Entry::Vacant(entry) => {
                entry.insert((Arc::clone(&line.file), line.number));
                true
            }
            Entry::Occupied(_) => {
                self.faults.push(line.fault(column, Reason::Duplicate));
                false
            }
        }
    }

    pub(super) fn districts(&mut self, file: File) -> Vec<District> {
        let lines = self.lines(
            file,
            &Columns {
                required: &["code", "name"],
                optional: &[],
            },
        );
        let mut rows = Vec::new();
        for line in lines {
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

    pub(super) fn towns(&mut self, file: File) -> Vec<Town> {
        let lines = self.lines(
            file,
            &Columns {
                required: &["code", "name", "district_code"],
                optional: &[],
            },
        );
        let mut rows = Vec::new();
        for line in lines {
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

    pub(super) fn villages(&mut self, file: File) -> Vec<Village> {
        let lines = self.lines(
            file,
            &Columns {
                required: &["code", "name", "town_code"],
                optional: POINT,
            },
        );
        let mut rows = Vec::new();
        for line in lines {
            let point = fields::point(&line, &mut self.faults);
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

    pub(super) fn beats(&mut self, file: File) -> Vec<Beat> {
        let lines = self.lines(
            file,
            &Columns {
                required: &["beat_id", "beat_name", "village_code", "from"],
                optional: &["until"],
            },
        );
        let mut beats: BTreeMap<BeatId, Beat> = BTreeMap::new();
        for line in lines {
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
                .or_insert_with(|| (Arc::clone(&line.file), line.number));
            self.lines
                .entry((Row::Beat(id), None))
                .or_insert_with(|| (Arc::clone(&line.file), line.number));
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

    pub(super) fn units(&mut self, file: File) -> Vec<Unit> {
        let lines = self.lines(
            file,
            &Columns {
                required: &["id", "kind", "name"],
                optional: &[],
            },
        );
        let mut rows = Vec::new();
        for line in lines {
            let id = line.read(
                "id",
                Reason::NotANumber,
                |text| number(text).map(UnitId),
                &mut self.faults,
            );
            let kind = line.read("kind", Reason::UnknownWord, unit_kind, &mut self.faults);
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

    pub(super) fn categories(&mut self, file: File) -> Vec<CategoryRow> {
        let lines = self.lines(
            file,
            &Columns {
                required: &["scheme", "kind", "code", "name"],
                optional: &[],
            },
        );
        let mut rows = Vec::new();
        for line in lines {
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
    pub(super) fn people(&mut self, file: File) -> Vec<Person> {
        let lines = self.lines(
            file,
            &Columns {
                required: &["person", "name", "role", "at", "from"],
                optional: &["until"],
            },
        );
        let mut people: BTreeMap<PersonId, Person> = BTreeMap::new();
        for line in lines {
            let faults = &mut self.faults;
            let id = self.names.person(&line, faults);
            let role = line.read("role", Reason::UnknownWord, role, faults);
            let at = line.read("at", Reason::NotAPlace, post_at, faults);
            let from = line.read("from", Reason::NotADay, day, faults);
            let until = line.read_optional("until", Reason::NotADay, day, faults);
            let (Some(id), Some(role), Some(at), Some(from), Ok(until)) =
                (id, role, at, from, until)
            else {
                continue;
            };
            let (role, must_end) = role;
            if must_end && until.is_none() {
                faults.push(line.fault("until", Reason::MissingEnd));
            }
            // The first of a person's lines stands for all in faults.
            self.lines
                .entry((Row::Person(id), None))
                .or_insert_with(|| (Arc::clone(&line.file), line.number));
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
}
