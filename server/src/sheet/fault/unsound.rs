//! The words for rows that can be read and do not fit together.
//!
//! What they are said of is the directory's to tell.

use patrol_core::domain::directory::DirectoryFault as F;

/// The word in JSON, for the translation layer.
pub(super) fn word(fault: &F) -> &'static str {
    match fault {
        F::Duplicate { .. } => "duplicate",
        F::OutOfOrder { .. } => "out_of_order",
        F::EmptyName { .. } => "empty",
        F::UnknownDistrict { .. } => "unknown_district",
        F::UnknownTown { .. } => "unknown_town",
        F::UnknownVillage { .. } => "unknown_village",
        F::CrossesDistricts { .. } => "crosses_districts",
        F::NoBeat { .. } => "no_beat",
        F::TwoBeats { .. } => "two_beats",
        F::UnitOutOfRange { .. } => "unit_out_of_range",
        F::UnitWithoutPlace { .. } => "unit_without_place",
        F::UnknownUnit { .. } | F::UnknownBeat { .. } => "unknown_place",
        F::MisplacedPost { .. } => "misplaced_post",
        F::EndsBeforeItBegins { .. } => "ends_before_it_begins",
        F::UnknownCategoryKind { .. } => "unknown_word",
    }
}
