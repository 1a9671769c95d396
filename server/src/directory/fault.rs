//! Where in the files of a directory something has its line that is wrong with the whole.
//!
//! What may be wrong with a file alone is `sheet`'s.

use std::collections::BTreeMap;
use std::sync::Arc;

use patrol_core::domain::directory::{DirectoryFault, Row};
use patrol_core::domain::id::PersonId;
use patrol_core::domain::place::VillageCode;

use crate::sheet::{ImportFault, Reason};

/// A row of the directory; for a beat, with the village, since it has a line for each.
pub(super) type Key = (Row, Option<VillageCode>);

/// On which line of which file each row stands.
pub(super) type Lines = BTreeMap<Key, (Arc<str>, usize)>;

/// Stands for the files where a row is in none of them: it is in force already.
const IN_FORCE: &str = "in force";

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
    // Where two rows do not go together, one of them may be in force already.
    let other = match fault {
        F::TwoBeats { village, first, .. } => Some((Row::Beat(first), Some(village))),
        _ => None,
    };
    // A derived unit has the line of its town or village.
    let derived = match key.0 {
        Row::Unit(unit) => Some(VillageCode::new(unit.0).map_or(Row::Town(unit.0), Row::Village)),
        _ => None,
    };
    let line = lines
        .get(&key)
        .or_else(|| lines.get(&other?))
        .or_else(|| lines.get(&(derived?, None)));
    ImportFault {
        file: line.map_or_else(|| IN_FORCE.into(), |(file, _)| Arc::clone(file)),
        line: line.map(|(_, number)| *number),
        column: column.map(str::to_owned),
        reason: Reason::Unsound(fault),
    }
}

/// The warning that a person's post ends earlier than his lines say.
pub(super) fn earlier_end(person: PersonId, lines: &Lines) -> ImportFault {
    let line = lines.get(&(Row::Person(person), None));
    ImportFault {
        file: line.map_or_else(|| IN_FORCE.into(), |(file, _)| Arc::clone(file)),
        line: line.map(|(_, number)| *number),
        column: Some("until".to_owned()),
        reason: Reason::EarlierEnd,
    }
}
