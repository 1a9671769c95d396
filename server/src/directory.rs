//! The directory as the office maintains it: CSV files of a folder, one per table, and the files for Zhuhai that come
//! with the program.
//!
//! It neither publishes nor stores a directory, and it reads no people: those are managed through the API. Only
//! [`synthetic_people`] makes some up, for demonstrations.

mod csv;
mod fields;
mod synthetic;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;

use patrol_core::domain::directory::{
    Beat, BeatId, BeatVillage, CategoryKey, CategoryRow, Directory, DirectoryFault, District, Row,
    Town, Unit, UnitKind, Village,
};
use patrol_core::domain::id::UnitId;
use patrol_core::domain::place::VillageCode;
use patrol_core::domain::time::Timestamp;

use csv::{Line, Sheet};
use fields::{category_kind, code, day, number, point};
pub use synthetic::{SYNTHETIC_SINCE, synthetic_people};

/// The text of each file of a folder.
#[derive(Clone, Debug, Default)]
pub struct Files<'t> {
    /// `districts.csv`: code, name.
    pub districts: &'t str,
    /// `towns.csv`: code (9 digits), name, district_code.
    pub towns: &'t str,
    /// `villages.csv`: code (12 digits), name, town_code, lon_gcj02, lat_gcj02 (both or none).
    pub villages: &'t str,
    /// `beats.csv`, a row per village: beat_id, beat_name, village_code, from, and optionally until (days in +08:00).
    pub beats: &'t str,
    /// `units.csv`: id, kind (department or enterprise), name. Towns and villages are derived.
    pub units: &'t str,
    /// `categories.csv`: scheme, kind (component or matter), code, name.
    pub categories: &'t str,
}

/// The files of a folder, in the order in which they are read.
const NAMES: [&str; 6] = [
    "districts.csv",
    "towns.csv",
    "villages.csv",
    "beats.csv",
    "units.csv",
    "categories.csv",
];

/// One thing that is wrong with the files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ImportFault {
    /// Which file.
    pub file: &'static str,
    /// The line, counted from 1; absent where it is the file as a whole.
    pub line: Option<usize>,
    /// The column's name, where it is one.
    pub column: Option<String>,
    /// What is wrong.
    pub reason: Reason,
}

/// What may be wrong with a file, a row or a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// The file cannot be read.
    Unreadable(std::io::ErrorKind),
    /// A column is missing.
    MissingColumn,
    /// A column is not one of this file, or stands there twice.
    UnknownColumn,
    /// A row has not as many fields as there are columns.
    WrongFieldCount {
        /// How many columns there are.
        expected: usize,
        /// How many fields there are.
        found: usize,
    },
    /// A quoted field does not end, or something follows its end.
    BadQuotes,
    /// Not a number.
    NotANumber,
    /// Not a code of as many digits as it should have.
    NotACode,
    /// Not a day such as 2020-01-31.
    NotADay,
    /// Not a longitude or latitude in degrees with at most 7 decimals, or one without the other.
    NotACoordinate,
    /// Not one of the words that may stand here.
    UnknownWord,
    /// Contradicts another field of the row, or an earlier row of the same beat.
    Contradiction,
    /// A row with this id stands there already.
    Duplicate,
    /// The rows can be read, but do not fit together.
    Unsound(DirectoryFault),
}

impl std::fmt::Display for ImportFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(column) = &self.column {
            write!(f, ": {column}")?;
        }
        write!(f, ": {:?}", self.reason)
    }
}

/// Reads the directory of a folder, and asks that it is sound at the time `now`.
///
/// # Errors
/// Everything that is wrong, in the order of files and lines; at first what cannot be read, then what does not fit.
pub fn load(folder: &Path, now: Timestamp) -> Result<Directory, Vec<ImportFault>> {
    let mut faults = Vec::new();
    let texts = NAMES.map(|file| {
        std::fs::read_to_string(folder.join(file)).unwrap_or_else(|error| {
            faults.push(ImportFault {
                file,
                line: None,
                column: None,
                reason: Reason::Unreadable(error.kind()),
            });
            String::new()
        })
    });
    if !faults.is_empty() {
        return Err(faults);
    }
    let [districts, towns, villages, beats, units, categories] = &texts;
    parse(
        &Files {
            districts,
            towns,
            villages,
            beats,
            units,
            categories,
        },
        now,
    )
}

/// Reads the directory of files whose text is given, and asks that it is sound at the time `now`.
///
/// # Errors
/// As [`load`], but for files that cannot be read.
pub fn parse(files: &Files<'_>, now: Timestamp) -> Result<Directory, Vec<ImportFault>> {
    let (directory, faults) = read(files, now);
    if faults.is_empty() {
        Ok(directory)
    } else {
        Err(faults)
    }
}

/// The directory of Zhuhai without people, from the files that come with the program.
pub fn zhuhai() -> Directory {
    // That there are no faults, a test says.
    read(&ZHUHAI, Timestamp(0)).0
}

const ZHUHAI: Files<'static> = Files {
    districts: include_str!("../data/zhuhai/districts.csv"),
    towns: include_str!("../data/zhuhai/towns.csv"),
    villages: include_str!("../data/zhuhai/villages.csv"),
    beats: include_str!("../data/zhuhai/beats.csv"),
    units: include_str!("../data/zhuhai/units.csv"),
    categories: include_str!("../data/zhuhai/categories.csv"),
};

/// Reads what can be read, sorted, and says what is wrong.
fn read(files: &Files<'_>, now: Timestamp) -> (Directory, Vec<ImportFault>) {
    let mut import = Import::default();
    let mut directory = Directory {
        districts: import.districts(files.districts),
        towns: import.towns(files.towns),
        villages: import.villages(files.villages),
        beats: import.beats(files.beats),
        units: import.units(files.units),
        people: Vec::new(),
        categories: import.categories(files.categories),
    };
    import.derive_units(&mut directory);
    directory.districts.sort_by_key(|row| row.code);
    directory.towns.sort_by_key(|row| row.code);
    directory.villages.sort_by_key(|row| row.code);
    directory.units.sort_by_key(|row| row.id);
    directory.categories.sort_by_key(|row| row.key);
    let unsound = directory.check(now);
    let mut faults = import.faults;
    faults.extend(unsound.into_iter().map(|fault| place(fault, &import.lines)));
    (directory, faults)
}

/// A row of the directory; for a beat, with the village, since it has a line for each.
type Key = (Row, Option<VillageCode>);

/// An import under way: on which line each row stands, and the faults so far.
#[derive(Default)]
struct Import {
    lines: BTreeMap<Key, (&'static str, usize)>,
    faults: Vec<ImportFault>,
}

impl Import {
    /// Notes where a row stands; says whether it is the first of its id.
    fn is_new(&mut self, line: &Line<'_>, column: &str, key: Key) -> bool {
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

    fn districts(&mut self, text: &str) -> Vec<District> {
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

    fn towns(&mut self, text: &str) -> Vec<Town> {
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

    fn villages(&mut self, text: &str) -> Vec<Village> {
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

    fn beats(&mut self, text: &str) -> Vec<Beat> {
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

    fn units(&mut self, text: &str) -> Vec<Unit> {
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

    fn categories(&mut self, text: &str) -> Vec<CategoryRow> {
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

    /// Adds what is a unit by its code: towns that have villages, and villages. A village row carries the committee's
    /// name; the unit keeps it, and the village takes the place's.
    fn derive_units(&mut self, directory: &mut Directory) {
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
fn place_name(committee: &str) -> &str {
    committee
        .strip_suffix("民委员会")
        .or_else(|| committee.strip_suffix("委会"))
        .unwrap_or(committee)
}

/// Where in the files a fault of the whole has its line.
fn place(fault: DirectoryFault, lines: &BTreeMap<Key, (&'static str, usize)>) -> ImportFault {
    use DirectoryFault as F;
    let (key, column) = match fault {
        F::Duplicate { row } | F::OutOfOrder { row } => ((row, None), None),
        F::EmptyName {
            row: Row::Beat(beat),
        } => ((Row::Beat(beat), None), Some("beat_name")),
        F::EmptyName { row } => ((row, None), Some("name")),
        F::UnknownDistrict {
            row: Row::Town(town),
            ..
        } => ((Row::Town(town), None), Some("district_code")),
        F::UnknownDistrict { row, .. } => ((row, None), Some("code")),
        F::UnknownTown { village, .. } => ((Row::Village(village), None), Some("town_code")),
        F::NoBeat { village } => ((Row::Village(village), None), None),
        F::UnknownVillage { beat, village } | F::CrossesDistricts { beat, village } => {
            ((Row::Beat(beat), Some(village)), Some("village_code"))
        }
        F::TwoBeats {
            village, second, ..
        } => ((Row::Beat(second), Some(village)), Some("village_code")),
        F::EndsBeforeItBegins { row, village, .. } => ((row, village), Some("until")),
        F::UnitOutOfRange { unit, .. } | F::UnitWithoutPlace { unit } => {
            ((Row::Unit(unit), None), Some("id"))
        }
        F::UnknownUnit { person, .. }
        | F::UnknownBeat { person, .. }
        | F::MisplacedPost { person, .. } => ((Row::Person(person), None), None),
        F::UnknownCategoryKind { key } => ((Row::Category(key), None), Some("kind")),
    };
    // A derived unit has the line of its town or village.
    let derived = match key.0 {
        Row::Unit(unit) => Some(VillageCode::new(unit.0).map_or(Row::Town(unit.0), Row::Village)),
        _ => None,
    };
    let line = lines.get(&key).or_else(|| lines.get(&(derived?, None)));
    ImportFault {
        file: line.map_or("", |(file, _)| file),
        line: line.map(|(_, number)| *number),
        column: column.map(str::to_owned),
        reason: Reason::Unsound(fault),
    }
}

#[cfg(test)]
mod tests;
