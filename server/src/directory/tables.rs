//! The rows of each file, read one by one; what cannot be read is reported and left out.
//!
//! Whether the rows fit together is the directory's own check.

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
use super::fault::{Beats, Lines, Posts, end_of};
use super::fields::{
    self, END, VILLAGE, category_kind, code, day, number, post_at, role, unit_kind,
};
use super::halves::Halves;
use super::kept::Ends;
use super::names::Names;
use super::over::Tables;
use super::stretches::Stretches;
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
    /// Ids that stand in a row, also in one of which another field could not be read.
    pub(super) seen: BTreeSet<Row>,
    /// What of such rows can be held against the directory all the same.
    pub(super) halves: Halves,
    /// The ends of posts that stay, whatever the rows say.
    pub(super) ends: Ends,
}

/// A file to be read: what it is called in faults, and its rows.
pub(super) type File = (Arc<str>, Rows);

/// The end of a row, as far as it could be read.
type Until = Result<Option<Timestamp>, ()>;

impl Import {
    /// Notes whether all rows of a table were read, now that it has been gone through.
    pub(super) fn end(&mut self, table: Table) {
        if std::mem::take(&mut self.is_row_unread) {
            self.unread.insert(table);
        }
    }

    /// Looks through tables that another file has brought already. What is wrong with a row is told; what it brings is left out, so that
    /// what is missing may stand in it.
    pub(super) fn look_through(&mut self, others: Vec<(Table, File)>) {
        for (table, file) in others {
            let fault = ImportFault::of_file(&file.0, Reason::SecondOfTable);
            self.faults.push(fault);
            let mut alone = Self {
                names: std::mem::take(&mut self.names),
                ends: std::mem::take(&mut self.ends),
                ..Self::default()
            };
            Tables::default().read(table, file, &mut alone);
            self.unread.insert(table);
            self.faults.append(alone.faults);
            self.warnings.append(alone.warnings);
            (self.names, self.ends) = (alone.names, alone.ends);
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

    /// Notes that an id stands in a row; says whether it is the first of its id.
    fn is_new(&mut self, line: &Line, column: &str, row: Row) -> bool {
        let is_new = self.seen.insert(row);
        if !is_new {
            self.faults.push(line.fault(column, Reason::Duplicate));
        }
        is_new
    }

    /// Notes where a row stands that is kept.
    fn stands(&mut self, line: &Line, row: Row) {
        self.lines.note((row, None), &line.place());
    }

    /// Leaves a row out of which a field could not be read. What is wrong with its name is told here: the directory's own check sees what is
    /// kept.
    fn leave_out(&mut self, line: &Line, column: &str, name: &str) {
        self.is_row_unread = true;
        if name.is_empty() {
            self.faults.push(line.fault(column, Reason::Empty));
        }
    }

    /// Compares what a row calls a thing of several rows with what the others do.
    fn examine_name<K: Ord>(
        &mut self,
        called: &mut BTreeMap<K, String>,
        id: Option<K>,
        (line, column, name): (&Line, &str, &str),
    ) {
        let Some(id) = id else { return };
        let kept = called.entry(id).or_insert_with(|| name.to_owned());
        if fields::is_other_name(kept, name) {
            self.faults.push(line.fault(column, Reason::Contradiction));
        }
    }

    /// Tells what is wrong with the dates of a row that is left out.
    fn examine_dates(&mut self, line: &Line, from: Option<Timestamp>, until: Until) {
        let ends = until.ok().flatten().zip(from);
        if ends.is_some_and(|(until, from)| until <= from) {
            let place = line.place();
            let fault = place.fault(Some(end_of(&place)), Reason::EndsBeforeItBegins);
            self.faults.push(fault);
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
                self.leave_out(&line, "name", &name);
                continue;
            };
            if self.is_new(&line, "code", Row::District(code)) {
                self.stands(&line, Row::District(code));
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
            let is_new = town.is_some_and(|code| self.is_new(&line, "code", Row::Town(code)));
            let (Some(code), Some(district)) = (town, district) else {
                self.leave_out(&line, "name", &name);
                self.halves.town(town, &line);
                continue;
            };
            let row = Town { code, name };
            if row.district() != district {
                self.faults
                    .push(line.fault("district_code", Reason::Contradiction));
            }
            if is_new {
                self.stands(&line, Row::Town(code));
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
            let is_new = village.is_some_and(|code| self.is_new(&line, "code", Row::Village(code)));
            let towns = village.zip(town);
            if towns.is_some_and(|(code, town)| code.town() != town) {
                self.faults
                    .push(line.fault("town_code", Reason::Contradiction));
            }
            let (Some(code), Some(_), Ok(until)) = (village, town, until) else {
                self.leave_out(&line, "name", &name);
                self.halves.village(village, &line);
                continue;
            };
            if is_new {
                self.stands(&line, Row::Village(code));
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
        let mut called = BTreeMap::new();
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
                self.leave_out(&line, "beat_name", &name);
                let named = id.filter(|_| !name.is_empty());
                self.examine_name(&mut called, named, (&line, "beat_name", &name));
                self.examine_dates(&line, from, until);
                self.halves.beat(id.zip(village), &line);
                continue;
            };
            self.examine_name(&mut called, Some(id), (&line, "beat_name", &name));
            // The same village may return to a beat; for what is wrong with all of its lines, the first stands.
            let place = line.place();
            self.lines.note((Row::Beat(id), Some(village)), &place);
            self.lines.note((Row::Beat(id), None), &place);
            let beat = beats.entry(id).or_insert_with(|| Beat {
                id,
                name: String::new(),
                villages: Vec::new(),
            });
            let row = BeatVillage {
                village,
                from,
                until,
            };
            beat.villages.push(row);
            let rows = self.beats.entry((id, village)).or_default();
            rows.push((row, place));
        }
        for beat in beats.values_mut() {
            beat.name = called.remove(&beat.id).unwrap_or_default();
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
            let is_new = id.is_some_and(|id| self.is_new(&line, "id", Row::Unit(id)));
            let (Some(id), Some(kind)) = (id, kind) else {
                self.leave_out(&line, "name", &name);
                continue;
            };
            if is_new {
                self.stands(&line, Row::Unit(id));
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
                self.leave_out(&line, "name", &name);
                continue;
            };
            let key = CategoryKey { scheme, kind, code };
            if self.is_new(&line, "code", Row::Category(key)) {
                self.stands(&line, Row::Category(key));
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
        let mut called = BTreeMap::new();
        let mut held: BTreeMap<(PersonId, Role, PostAt), Stretches> = BTreeMap::new();
        while let Some(line) = self.next(&mut sheet) {
            let name = fields::name(&line, "name", &mut self.faults);
            let id = self.names.person(&line, &mut self.faults);
            let told = self.post_fields(&line);
            let (Some(id), Some(post)) = (id, told.post()) else {
                self.leave_out(&line, "name", &name);
                let named = id.filter(|_| !name.is_empty());
                self.examine_name(&mut called, named, (&line, "name", &name));
                self.examine_dates(&line, told.from, told.until);
                self.halves.post(told.role.zip(told.at), &line);
                continue;
            };
            self.examine_name(&mut called, Some(id), (&line, "name", &name));
            if line.field("person").is_empty() && self.names.is_other(id, &post) {
                let person = id;
                self.warnings
                    .push(line.fault("name", Reason::TakenFor { person }));
            }
            let stretches = held.entry((id, post.role, post.at)).or_default();
            let held = self.ends.held(id, &post);
            if held.is_some_and(|held| stretches.overlap(held)) {
                self.faults.push(line.fault("from", Reason::Overlap));
            }
            // For what is wrong with the person, the first of the lines stands.
            self.lines.note((Row::Person(id), None), &line.place());
            let rows = self.posts.entry(id).or_default();
            rows.push((post, line.place()));
            let person = people.entry(id).or_insert_with(|| Person {
                id,
                name: String::new(),
                posts: Vec::new(),
            });
            person.posts.push(post);
        }
        for person in people.values_mut() {
            person.name = called.remove(&person.id).unwrap_or_default();
        }
        self.names.finish(&mut self.faults);
        people.into_values().collect()
    }

    /// What a row says of a post.
    fn post_fields(&mut self, line: &Line) -> PostFields {
        let faults = &mut self.faults;
        let role = line.read("role", Reason::UnknownWord, role, faults);
        let at = line.read("at", Reason::NotAPlace, post_at, faults);
        let from = line.read("from", Reason::NotADay, day, faults);
        let until = fields::end(line, faults);
        let must_end = role.is_some_and(|(_, must_end)| must_end);
        if must_end && until == Ok(None) {
            let is_last = line.has("last_day");
            let column = if is_last { "last_day" } else { "until" };
            faults.push(line.fault(column, Reason::MissingEnd));
        }
        PostFields {
            role: role.map(|(role, _)| role),
            at,
            from,
            until,
        }
    }
}

/// What a row says of a post, as far as it could be read.
struct PostFields {
    role: Option<Role>,
    at: Option<PostAt>,
    from: Option<Timestamp>,
    until: Until,
}

impl PostFields {
    fn post(&self) -> Option<Post> {
        Some(Post {
            role: self.role?,
            at: self.at?,
            from: self.from?,
            until: self.until.ok()?,
        })
    }
}
