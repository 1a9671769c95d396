//! The directory as the office maintains it: CSV files of a folder, one per table, and the files for Zhuhai that come
//! with the program.
//!
//! It neither publishes nor stores a directory. The program comes without people: [`synthetic_people`] makes some up, for
//! trials and demonstrations.

mod csv;
mod fault;
mod fields;
mod synthetic;
mod tables;

use std::io::ErrorKind;
use std::path::Path;

use patrol_core::domain::directory::Directory;
use patrol_core::domain::time::Timestamp;

use tables::Import;

pub use fault::{ImportFault, Reason};
pub(crate) use fields::post_at_text;
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
    /// `people.csv`, a row per post: person (16 hexadecimal digits), name, role, at (city, unit:101 or beat:1), from, and
    /// optionally until. Empty where there is no such file.
    pub people: &'t str,
}

/// The file that a folder may lack: the people in force then stay.
const PEOPLE: &str = "people.csv";

/// The other files of a folder, in the order in which they are read.
const NAMES: [&str; 6] = [
    "districts.csv",
    "towns.csv",
    "villages.csv",
    "beats.csv",
    "units.csv",
    "categories.csv",
];

/// Reads the directory of a folder, and asks that it is sound at the time `now`.
///
/// # Errors
/// Everything that is wrong, in the order of files and lines; at first what cannot be read, then what does not fit.
pub fn load(folder: &Path, now: Timestamp) -> Result<Directory, Vec<ImportFault>> {
    let mut faults = Vec::new();
    let mut text = |file| match std::fs::read_to_string(folder.join(file)) {
        Ok(text) => text,
        Err(error) if file == PEOPLE && error.kind() == ErrorKind::NotFound => String::new(),
        Err(error) => {
            faults.push(ImportFault {
                file,
                line: None,
                column: None,
                reason: Reason::Unreadable(error.kind()),
            });
            String::new()
        }
    };
    let (texts, people) = (NAMES.map(&mut text), text(PEOPLE));
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
            people: &people,
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
    people: "",
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
        people: import.people(files.people),
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
    faults.extend(
        unsound
            .into_iter()
            .map(|fault| fault::place(fault, &import.lines)),
    );
    (directory, faults)
}

#[cfg(test)]
mod tests;
