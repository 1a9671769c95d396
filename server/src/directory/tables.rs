//! The rows of each file, read one by one; what cannot be read is reported and left out.
//!
//! Whether the rows fit together is the directory's own check.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use patrol_core::domain::capability::Role;
use patrol_core::domain::directory::{
    Beat, BeatId, BeatVillage, CategoryKey, CategoryRow, District, Person, Post, PostAt, Row, Town,
    Unit, Village,
};
use patrol_core::domain::id::{PersonId, UnitId};
use patrol_core::domain::limits;
use patrol_core::domain::place::VillageCode;
use patrol_core::domain::time::Timestamp;

use super::Table;
use super::fault::{Beats, Key, Lines, Posts};
use super::fields::{
    self, END, VILLAGE, category_kind, code, day, number, post_at, role, unit_kind,
};
use super::names::Names;
use crate::sheet::{Columns, Faults, ImportFault, Line, Reason, Rows, Sheet};

/// An import under way: on which line each row stands, and the faults so far.
#[derive(Default)]
pub(super) struct Import {
    pub(super) lines: Lines,
    pub(super) posts: Posts,
    pub(super) beats: Beats,
    pub(super) faults: Faults,
    pub(super) warnings: Faults,
    pub(super) names: Names,
    /// A table could not be read, or not to its end: what then is missing everywhere says nothing.
    pub(super) is_table_unread: bool,
    /// Tables of which a row could not be read: that one of theirs is missing says nothing.
    pub(super) unread: BTreeSet<Table>,
    /// A row of the table that is being read could not.
    pub(super) is_row_unread: bool,
}

/// A file to be read: what it is called in faults, and its rows.
pub(super) type File = (Arc<str>, Rows);

impl Import {
    /// Notes whether all rows of a table were read, now that it has been gone through.
    pub(super) fn end(&mut self, table: Table) {
        if std::mem::take(&mut self.is_row_unread) {
            self.unread.insert(table);
        }
    }

    /// Opens a file, whose rows are then asked for one by one.
    fn open(&mut self, (file, rows): File, known: &Columns) -> Sheet {
        let sheet = Sheet::new(file, rows, known, &mut self.faults);
        self.is_table_unread |= !sheet.is_read();
        self.is_row_unread |= !sheet.is_read();
        sheet
    }

    /// The next row that can be read. Of a table with too many rows those are read that it may have.
    fn next(&mut self, sheet: &mut Sheet) -> Option<Line> {
        loop {
            match sheet.next() {
                Some(Ok(line)) if sheet.given() > limits::IMPORT_ROWS_MAX => {
                    self.is_table_unread = true;
                    self.is_row_unread = true;
                    self.faults.push(ImportFault {
                        line: Some(line.number),
                        ..ImportFault::of_file(&line.file, Reason::TooLarge)
                    });
                    return None;
                }
                Some(Ok(line)) => return Some(line),
                Some(Err(fault)) => {
                    // What is wrong with a field stands in its column, and the row follows.
                    self.is_row_unread |= fault.column.is_none();
                    self.faults.push(fault);
                }
                None => {
                    if let Some(fault) = sheet.without_rows() {
                        self.is_table_unread = true;
                        self.is_row_unread = true;
                        self.faults.push(fault);
                    }
                    return None;
                }
            }
        }
    }

    /// Notes where a row stands; says whether it is the first of its id.
    pub(super) fn is_new(&mut self, line: &Line, column: &str, key: Key) -> bool {
        match self.lines.entry(key) {
            Entry::Vacant(entry) => {
                entry.insert(line.place());
                true
            }
            Entry::Occupied(_) => {
                self.faults.push(line.fault(column, Reason::Duplicate));
                false
            }
        }
    }

    pub(super) fn districts(&mut self, file: File) -> Vec<District> {
        let mut sheet = self.open(
            file,
            &Columns {
                required: &["code", "name"],
                optional: &[],
            },
        );
        let mut rows = Vec::new();
        while let Some(line) = self.next(&mut sheet) {
            let name = fields::name(&line, "name", &mut self.faults);
            let Some(code) = line.read(
                "code",
                Reason::NotACode,
                |text| code(text, 6),
                &mut self.faults,
            ) else {
                self.is_row_unread = true;
                continue;
            };
            if self.is_new(&line, "code", (Row::District(code), None)) {
                rows.push(District { code, name });
            }
        }
        rows
    }

    pub(super) fn towns(&mut self, file: File) -> Vec<Town> {
        let mut sheet = self.open(
            file,
            &Columns {
                required: &["code", "name", "district_code"],
                optional: &[],
            },
        );
        let mut rows = Vec::new();
        while let Some(line) = self.next(&mut sheet) {
            let name = fields::name(&line, "name", &mut self.faults);
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
                self.is_row_unread = true;
                continue;
            };
            let row = Town { code, name };
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
        let mut sheet = self.open(
            file,
            &Columns {
                required: &["code", "name", "town_code"],
                optional: VILLAGE,
            },
        );
        let mut rows = Vec::new();
        while let Some(line) = self.next(&mut sheet) {
            let name = fields::name(&line, "name", &mut self.faults);
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
            let until = fields::end(&line, &mut self.faults);
            let (Some(code), Some(town), Ok(until)) = (village, town, until) else {
                self.is_row_unread = true;
                continue;
            };
            if code.town() != town {
                self.faults
                    .push(line.fault("town_code", Reason::Contradiction));
            }
            if self.is_new(&line, "code", (Row::Village(code), None)) {
                rows.push(Village {
                    code,
                    name,
                    point,
                    until,
                });
            }
        }
        rows
    }

    pub(super) fn beats(&mut self, file: File) -> Vec<Beat> {
        let mut sheet = self.open(
            file,
            &Columns {
                required: &["beat_id", "beat_name", "village_code", "from"],
                optional: END,
            },
        );
        let mut beats: BTreeMap<BeatId, Beat> = BTreeMap::new();
        while let Some(line) = self.next(&mut sheet) {
            let name = fields::name(&line, "beat_name", &mut self.faults);
            let faults = &mut self.faults;
            let id = line.read(
                "beat_id",
                Reason::NotANumber,
                |text| number(text)?.try_into().ok().map(BeatId),
                faults,
            );
            let village = line.read("village_code", Reason::NotACode, VillageCode::parse, faults);
            let from = line.read("from", Reason::NotADay, day, faults);
            let until = fields::end(&line, faults);
            let (Some(id), Some(village), Some(from), Ok(until)) = (id, village, from, until)
            else {
                self.is_row_unread = true;
                continue;
            };
            // The same village may return to a beat; for what is wrong with all of its lines, the first stands.
            self.lines
                .entry((Row::Beat(id), Some(village)))
                .or_insert_with(|| line.place());
            self.lines
                .entry((Row::Beat(id), None))
                .or_insert_with(|| line.place());
            let beat = beats.entry(id).or_insert_with(|| Beat {
                id,
                name: name.clone(),
                villages: Vec::new(),
            });
            if fields::is_other_name(&mut beat.name, &name) {
                self.faults
                    .push(line.fault("beat_name", Reason::Contradiction));
            }
            let row = BeatVillage {
                village,
                from,
                until,
            };
            beat.villages.push(row);
            let rows = self.beats.entry((id, village)).or_default();
            rows.push((row, line.place()));
        }
        for beat in beats.values_mut() {
            beat.villages.sort_by_key(|row| (row.village, row.from));
        }
        beats.into_values().collect()
    }

    pub(super) fn units(&mut self, file: File) -> Vec<Unit> {
        let mut sheet = self.open(
            file,
            &Columns {
                required: &["id", "kind", "name"],
                optional: &[],
            },
        );
        let mut rows = Vec::new();
        while let Some(line) = self.next(&mut sheet) {
            let name = fields::name(&line, "name", &mut self.faults);
            let id = line.read(
                "id",
                Reason::NotANumber,
                |text| number(text).map(UnitId),
                &mut self.faults,
            );
            let kind = line.read("kind", Reason::UnknownWord, unit_kind, &mut self.faults);
            let (Some(id), Some(kind)) = (id, kind) else {
                self.is_row_unread = true;
                continue;
            };
            if self.is_new(&line, "id", (Row::Unit(id), None)) {
                rows.push(Unit { id, kind, name });
            }
        }
        rows
    }

    pub(super) fn categories(&mut self, file: File) -> Vec<CategoryRow> {
        let mut sheet = self.open(
            file,
            &Columns {
                required: &["scheme", "kind", "code", "name"],
                optional: &[],
            },
        );
        let mut rows = Vec::new();
        while let Some(line) = self.next(&mut sheet) {
            let name = fields::name(&line, "name", &mut self.faults);
            let scheme = line.read("scheme", Reason::NotANumber, number, &mut self.faults);
            let kind = line.read("kind", Reason::UnknownWord, category_kind, &mut self.faults);
            let code = line.read("code", Reason::NotANumber, number, &mut self.faults);
            let (Some(scheme), Some(kind), Some(code)) = (scheme, kind, code) else {
                self.is_row_unread = true;
                continue;
            };
            let key = CategoryKey { scheme, kind, code };
            if self.is_new(&line, "code", (Row::Category(key), None)) {
                rows.push(CategoryRow { key, name });
            }
        }
        rows
    }

    /// A row per post. Who stands there is there, also when all his posts are over.
    pub(super) fn people(&mut self, file: File) -> Vec<Person> {
        let mut sheet = self.open(
            file,
            &Columns {
                required: &["person", "name", "role", "at", "from"],
                optional: END,
            },
        );
        let mut people: BTreeMap<PersonId, Person> = BTreeMap::new();
        let mut held: BTreeMap<(PersonId, Role, PostAt), Stretches> = BTreeMap::new();
        while let Some(line) = self.next(&mut sheet) {
            let name = fields::name(&line, "name", &mut self.faults);
            let Some((id, post)) = self.post(&line) else {
                self.is_row_unread = true;
                continue;
            };
            let stretches = held.entry((id, post.role, post.at)).or_default();
            if overlaps(stretches, &post) {
                self.faults.push(line.fault("from", Reason::Overlap));
            } else {
                stretches.insert(post.from, post.until);
            }
            // For what is wrong with the person, the first of the lines stands.
            self.lines
                .entry((Row::Person(id), None))
                .or_insert_with(|| line.place());
            let rows = self.posts.entry(id).or_default();
            rows.push((post, line.place()));
            let person = people.entry(id).or_insert_with(|| Person {
                id,
                name: name.clone(),
                posts: Vec::new(),
            });
            if fields::is_other_name(&mut person.name, &name) {
                self.faults.push(line.fault("name", Reason::Contradiction));
            }
            person.posts.push(post);
        }
        self.names.finish(&mut self.faults);
        people.into_values().collect()
    }

    /// A row's person and post.
    fn post(&mut self, line: &Line) -> Option<(PersonId, Post)> {
        let faults = &mut self.faults;
        let id = self.names.person(line, faults);
        let role = line.read("role", Reason::UnknownWord, role, faults);
        let at = line.read("at", Reason::NotAPlace, post_at, faults);
        let from = line.read("from", Reason::NotADay, day, faults);
        let until = fields::end(line, faults);
        let (id, (role, must_end), at, from, until) = (id?, role?, at?, from?, until.ok()?);
        if must_end && until.is_none() {
            let is_last = line.has("last_day");
            let column = if is_last { "last_day" } else { "until" };
            faults.push(line.fault(column, Reason::MissingEnd));
        }
        let post = Post {
            role,
            at,
            from,
            until,
        };
        if line.field("person").is_empty() && self.names.is_other(id, &post) {
            let person = id;
            self.warnings
                .push(line.fault("name", Reason::TakenFor { person }));
        }
        Some((id, post))
    }
}

/// When a post is held: from when, and until when. No two of them overlap.
type Stretches = BTreeMap<Timestamp, Option<Timestamp>>;

/// Whether a post is held for some of its time already.
fn overlaps(stretches: &Stretches, post: &Post) -> bool {
    let before = stretches.range(..=post.from).next_back();
    let after = stretches.range(post.from..).next();
    before.is_some_and(|(_, end)| end.is_none_or(|end| post.from < end))
        || after.is_some_and(|(start, _)| post.until.is_none_or(|until| *start < until))
}
