//! What may be wrong with the files of a directory, and where.
//!
//! It words nothing: a fault names its file, line, column and reason.

use std::collections::BTreeMap;

use patrol_core::domain::directory::{DirectoryFault, Row};
use patrol_core::domain::place::VillageCode;

/// A row of the directory; for a beat, with the village, since it has a line for each.
pub(super) type Key = (Row, Option<VillageCode>);

/// On which line of which file each row stands.
pub(super) type Lines = BTreeMap<Key, (&'static str, usize)>;

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
    /// Not a person's id, which is 16 hexadecimal digits.
    NotAnId,
    /// Not where a post is held: city, unit:101 or beat:1.
    NotAPlace,
    /// Not a day such as 2020-01-31.
    NotADay,
    /// Not a longitude or latitude in degrees with at most 7 decimals, or one without the other.
    NotACoordinate,
    /// Not one of the words that may stand here.
    UnknownWord,
    /// Contradicts another field of the row, or an earlier row of the same beat or person.
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

/// Where in the files a fault of the whole has its line.
pub(super) fn place(fault: DirectoryFault, lines: &Lines) -> ImportFault {
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
