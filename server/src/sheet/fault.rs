//! What may be wrong with files that are imported, and where. All of it is collected, and the first of it shown.
//!
//! It words nothing: a fault names its file, line, column and reason.

mod unsound;

use std::sync::Arc;

use patrol_core::domain::directory::DirectoryFault;
use patrol_core::domain::id::PersonId;
use patrol_core::domain::limits;
use patrol_core::domain::time::Timestamp;
use serde_json::{Value, json};

use crate::calendar::rfc3339;

/// One thing that is wrong with the files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ImportFault {
    /// Which file, and which sheet of a workbook, or that it is a feature of GeoJSON.
    pub file: Arc<str>,
    /// The line, the row of a sheet or the number of a feature, counted from 1; absent where it is the file as a whole.
    pub line: Option<usize>,
    /// The column as the file calls it, where it is one.
    pub column: Option<String>,
    /// What is wrong.
    pub reason: Reason,
    /// What it is wrong with, where that is not what stands there: codes, names, days.
    pub detail: Option<String>,
}

/// What may be wrong with a file, a row or a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// The file cannot be read.
    Unreadable(std::io::ErrorKind),
    /// Neither UTF-8 nor GB18030: this line is the first that is neither.
    NotText,
    /// Some lines are UTF-8, this one is not: an encoding that would make nonsense of the others.
    MixedText,
    /// UTF-8 and GB18030 alike, from this line on, and of different characters: the file must be saved as UTF-8 with a byte order mark.
    AmbiguousText,
    /// Not a workbook of Excel's (.xlsx), or a damaged one.
    NotAWorkbook,
    /// A sheet of a workbook that who opens it does not see: it must be shown, or taken out.
    HiddenSheet,
    /// Not JSON: it breaks off or goes wrong at this line and column, counted in bytes.
    NotJson,
    /// Not GeoJSON: a collection of features, each with a point or an outline.
    NotGeoJson,
    /// Positions of another system than WGS-84 or CGCS2000, as `crs` says: the file must be exported in degrees of one of these.
    OtherDatum,
    /// A feature without a geometry.
    NoGeometry,
    /// An outline with a hole: a point inside it might lie in the hole.
    OutlineWithHoles,
    /// An outline that does not end where it begins, or has fewer than four positions.
    OpenOutline,
    /// A list or a nested object where a value should stand.
    NotAValue,
    /// The feature has this property twice: which of them is meant, nobody here knows.
    StandsTwice,
    /// Too large: the file, what is packed inside it, its rows, or the rows of one village.
    TooLarge,
    /// Neither the name of the file nor that of the sheet says which table it is.
    UnknownTable,
    /// The table stands in another of the files already.
    SecondOfTable,
    /// Components are imported by themselves.
    NotAlone,
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
    /// Column names and no row: perhaps an empty form. A table that is to stay as it is has no file.
    NoRows,
    /// A quoted field does not end, or something follows its end.
    BadQuotes,
    /// A number of more than 15 digits, or one written as 4.4E+11, which a spreadsheet has rounded: the cells must be text.
    LostDigits,
    /// A formula whose result the workbook does not hold, or a date before 1900-03-01: the cells must hold values.
    NoValue,
    /// A lock that a spreadsheet program leaves beside an open file, or what a Mac does beside every file: it holds no table.
    NotATable,
    /// Cells that are one, named by the first and the last: which rows the value is for, nobody here knows.
    MergedCells,
    /// An error of a spreadsheet's, such as #N/A, or the ##### of a column that is too narrow.
    ErrorCell,
    /// A character that is not written, such as a line's end within a name.
    ControlCharacter,
    /// Not a number.
    NotANumber,
    /// Not a code of as many digits as it should have.
    NotACode,
    /// Not a person's id, which is 16 hexadecimal digits.
    NotAnId,
    /// Without an id, and several people have the name, or another row has it with an id that is new.
    AmbiguousName,
    /// Not where a post is held: city, unit:101 or beat:1.
    NotAPlace,
    /// No unit or beat of the directory.
    UnknownPlace,
    /// Not where this role is held.
    MisplacedPost,
    /// Ends when it begins, or before.
    EndsBeforeItBegins,
    /// Not a day such as 2020-01-31.
    NotADay,
    /// A substitute's post has no end.
    MissingEnd,
    /// Not a longitude or latitude in degrees with at most 7 decimals, or one without the other.
    NotACoordinate,
    /// Not one of the words that may stand here.
    UnknownWord,
    /// Nothing stands where something must.
    Empty,
    /// More characters than the standard allows.
    TooLong {
        /// So many are allowed.
        most: usize,
    },
    /// Not one of the directory's villages.
    UnknownVillage,
    /// There is no such proposal, or it is answered already.
    NotWaiting,
    /// The person may not answer it.
    NotPermitted,
    /// There is no such component any more.
    UnknownComponent,
    /// The check character is not what the others make it: a warning.
    CheckCharacter,
    /// Contradicts another field of the row, or an earlier row of the same beat or person.
    Contradiction,
    /// A row with this id stands there already.
    Duplicate,
    /// The person holds the same post by an earlier row for some of the same time.
    Overlap,
    /// Without an id, and taken by the name for somebody who is in the directory already and did not hold this post, or whom an earlier
    /// row without an id has at another place: a warning.
    TakenFor {
        /// For whom.
        person: PersonId,
    },
    /// A post has ended earlier in force, and the earlier end stays: a warning.
    EarlierEnd,
    /// Who holds a post after such an end is not in the file, and holds it all the same: a warning.
    TakeoverKept,
    /// An end that has been set since and has not come yet is none any more: a warning.
    EndLifted,
    /// A post that has ended since, by no leave, is held again from then on: a warning.
    HeldAgain,
    /// Nobody holds a post any more that somebody holds: a warning.
    Vacant,
    /// A village belongs to no beat from a later day on: a warning.
    NoBeatThen,
    /// A village cannot end: beats, posts, components or open cases go on in it.
    VillageInUse,
    /// The village of a component ends with a day that is still to come: a warning.
    VillageEnds,
    /// Open cases are with a unit that the file lacks: a warning.
    OpenCases,
    /// The register has changed since the proposal was received: a warning.
    OlderThanRegister,
    /// Another component of the class stands as near as one and the same: a warning.
    NearAnother,
    /// Farther from its village than it can be: a warning.
    FarAway,
    /// Nobody who can sign in would be administrator from then on, and somebody is; or nobody at all.
    NoAdministrator {
        /// Since when.
        from: Timestamp,
    },
    /// The rows can be read, but do not fit together, as this word says.
    Unsound(&'static str),
}

impl Reason {
    /// How rows do not fit together.
    pub(crate) fn unsound(fault: &DirectoryFault) -> Self {
        Self::Unsound(unsound::word(fault))
    }

    /// Whether it is said of where a feature lies, which no column of its file holds.
    pub(super) fn is_of_geometry(self) -> bool {
        matches!(
            self,
            Self::NotGeoJson | Self::NoGeometry | Self::OutlineWithHoles | Self::OpenOutline
        )
    }

    /// What more there is to say of it.
    fn detail(self) -> Option<String> {
        match self {
            Self::Unreadable(kind) => Some(kind.to_string()),
            Self::WrongFieldCount { expected, found } => Some(format!("{found}/{expected}")),
            Self::TooLong { most } => Some(most.to_string()),
            Self::TakenFor { person } => Some(person.hex()),
            Self::NoAdministrator { from } => Some(rfc3339(from)),
            _ => None,
        }
    }

    /// The word in JSON, for the translation layer.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "unreadable",
            Self::NotText => "not_text",
            Self::MixedText => "mixed_text",
            Self::AmbiguousText => "ambiguous_text",
            Self::NotAWorkbook => "not_a_workbook",
            Self::HiddenSheet => "hidden_sheet",
            Self::NotJson => "not_json",
            Self::NotGeoJson => "not_geojson",
            Self::OtherDatum => "other_datum",
            Self::NoGeometry => "no_geometry",
            Self::OutlineWithHoles => "outline_with_holes",
            Self::OpenOutline => "open_outline",
            Self::NotAValue => "not_a_value",
            Self::StandsTwice => "stands_twice",
            Self::TooLarge => "too_large",
            Self::UnknownTable => "unknown_table",
            Self::SecondOfTable => "second_of_table",
            Self::NotAlone => "not_alone",
            Self::MissingColumn => "missing_column",
            Self::UnknownColumn => "unknown_column",
            Self::WrongFieldCount { .. } => "wrong_field_count",
            Self::NoRows => "no_rows",
            Self::BadQuotes => "bad_quotes",
            Self::LostDigits => "lost_digits",
            Self::NoValue => "no_value",
            Self::NotATable => "not_a_table",
            Self::MergedCells => "merged_cells",
            Self::ErrorCell => "error_cell",
            Self::ControlCharacter => "control_character",
            Self::NotANumber => "not_a_number",
            Self::NotACode => "not_a_code",
            Self::NotAnId => "not_an_id",
            Self::AmbiguousName => "ambiguous_name",
            Self::NotAPlace => "not_a_place",
            Self::UnknownPlace => "unknown_place",
            Self::MisplacedPost => "misplaced_post",
            Self::EndsBeforeItBegins => "ends_before_it_begins",
            Self::NotADay => "not_a_day",
            Self::MissingEnd => "missing_end",
            Self::NotACoordinate => "not_a_coordinate",
            Self::UnknownWord => "unknown_word",
            Self::Empty => "empty",
            Self::TooLong { .. } => "too_long",
            Self::UnknownVillage => "unknown_village",
            Self::NotWaiting => "not_waiting",
            Self::NotPermitted => "not_permitted",
            Self::UnknownComponent => "unknown_component",
            Self::CheckCharacter => "check_character",
            Self::Contradiction => "contradiction",
            Self::Duplicate => "duplicate",
            Self::Overlap => "overlap",
            Self::TakenFor { .. } => "taken_for",
            Self::EarlierEnd => "earlier_end",
            Self::TakeoverKept => "takeover_kept",
            Self::EndLifted => "end_lifted",
            Self::HeldAgain => "held_again",
            Self::Vacant => "vacant",
            Self::NoBeatThen => "no_beat_then",
            Self::VillageInUse => "village_in_use",
            Self::VillageEnds => "village_ends",
            Self::OpenCases => "open_cases",
            Self::OlderThanRegister => "older_than_register",
            Self::NearAnother => "near_another",
            Self::FarAway => "far_away",
            Self::NoAdministrator { .. } => "no_administrator",
            Self::Unsound(word) => word,
        }
    }
}

impl ImportFault {
    /// A fault of a file as a whole.
    pub(crate) fn of_file(file: &Arc<str>, reason: Reason) -> Self {
        Self {
            file: Arc::clone(file),
            line: None,
            column: None,
            reason,
            detail: None,
        }
    }

    /// With what it is wrong.
    pub(crate) fn with(self, detail: String) -> Self {
        Self {
            detail: Some(detail),
            ..self
        }
    }

    /// What more there is to say of it.
    pub(crate) fn told(&self) -> Option<String> {
        self.detail.clone().or_else(|| self.reason.detail())
    }

    /// As JSON; what does not fit together is told in detail.
    pub fn json(&self) -> Value {
        json!({
            "file": &*self.file,
            "line": self.line,
            "column": self.column,
            "reason": self.reason.code(),
            "detail": self.told(),
        })
    }
}

/// On a line, with the words of the JSON.
impl std::fmt::Display for ImportFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(column) = &self.column {
            write!(f, ": {column}")?;
        }
        write!(f, ": {}", self.reason.code())?;
        self.told()
            .map_or(Ok(()), |detail| write!(f, " ({detail})"))
    }
}

/// Everything that is wrong: how much, and the first of it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Faults {
    /// The first, at most [`limits::IMPORT_FAULTS_SHOWN`].
    pub shown: Vec<ImportFault>,
    /// How many there are.
    pub total: usize,
}

impl Faults {
    /// Counts a fault, and keeps it while there is room.
    pub fn push(&mut self, fault: ImportFault) {
        self.total += 1;
        if self.has_room() {
            self.shown.push(fault);
        }
    }

    /// Whether another one would be shown; what would not is only counted, and needs no words.
    pub(crate) fn has_room(&self) -> bool {
        self.shown.len() < limits::IMPORT_FAULTS_SHOWN
    }

    /// Counts those of another reading too.
    pub(crate) fn append(&mut self, others: Self) {
        self.total += others.total - others.shown.len();
        for fault in others.shown {
            self.push(fault);
        }
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// As JSON.
    pub fn json(&self) -> Vec<Value> {
        self.shown.iter().map(ImportFault::json).collect()
    }
}
