//! The directory as the office maintains it: tables of a folder or of an import laid over those in force, who holds what by files and by leaves,
//! and the files for Zhuhai that come with the program.
//!
//! It neither publishes nor stores a directory. The program comes without people: [`synthetic_people`] makes some up, for
//! trials and demonstrations.

mod again;
pub(crate) mod back;
mod examine;
mod fault;
pub(crate) mod fields;
mod halves;
mod kept;
mod later;
pub(crate) mod leaves;
mod names;
mod over;
mod stretches;
mod synthetic;
mod tables;
mod told;

use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};
use std::io::{Cursor, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use patrol_core::domain::directory::{Directory, DirectoryFault, Person};
use patrol_core::domain::time::Timestamp;

use crate::sheet::{self, Rows};
use leaves::Basis;
use over::Tables;
use tables::Import;

pub use crate::sheet::{Faults, ImportFault, Reason};
pub(crate) use back::back_over;
pub(crate) use examine::in_use;
pub use fields::post_at_text;
pub(crate) use kept::{Ends, Kept, in_order_of, post_key, posts_of};
pub(crate) use later::Ending;
pub(crate) use names::Names;
pub(crate) use over::{Force, Today};
pub use synthetic::{SYNTHETIC_SINCE, synthetic_people};
pub(crate) use told::Told;

/// A table of the directory that files bring.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Table {
    Districts,
    Towns,
    Villages,
    Beats,
    Units,
    People,
    Categories,
}

impl Table {
    /// In the order in which they are read.
    pub(crate) const ALL: [Self; 7] = [
        Self::Districts,
        Self::Towns,
        Self::Villages,
        Self::Beats,
        Self::Units,
        Self::People,
        Self::Categories,
    ];

    /// The word of a table, as files and JSON have it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Districts => "districts",
            Self::Towns => "towns",
            Self::Villages => "villages",
            Self::Beats => "beats",
            Self::Units => "units",
            Self::People => "people",
            Self::Categories => "categories",
        }
    }
}

/// The text of each file of a folder.
#[derive(Clone, Debug, Default)]
pub struct Files<'t> {
    /// `districts.csv`: code, name.
    pub districts: &'t str,
    /// `towns.csv`: code (9 digits), name, district_code.
    pub towns: &'t str,
    /// `villages.csv`: code (12 digits), name, town_code, lon_gcj02, lat_gcj02 (both or none), and for one that has become part of another
    /// until or last_day.
    pub villages: &'t str,
    /// `beats.csv`, a row per village: beat_id, beat_name, village_code, from, and optionally until (days in +08:00; the first on
    /// which it holds no more) or last_day (the last on which it holds).
    pub beats: &'t str,
    /// `units.csv`: id, kind (department or enterprise), name. Towns and villages are derived.
    pub units: &'t str,
    /// `categories.csv`: scheme, kind (component or matter), code, name.
    pub categories: &'t str,
    /// `people.csv`, a row per post: person (16 hexadecimal digits), name, role, at (city, unit:101 or beat:1), from, and
    /// optionally until or last_day. Empty where there is no such file.
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

/// Reads the directory of a folder, and asks that it is sound at the time `now`, with what is decided of its people already. They are as its rows say.
///
/// # Errors
/// Everything that is wrong, in the order of files and lines; at first what cannot be read, then what does not fit.
pub(crate) fn load(
    folder: &Path,
    now: Timestamp,
    basis: &Basis,
) -> Result<Directory, Vec<ImportFault>> {
    let mut faults = Vec::new();
    let mut text = |file: &str| match std::fs::read_to_string(folder.join(file)) {
        Ok(text) => text,
        Err(error) if file == PEOPLE && error.kind() == ErrorKind::NotFound => String::new(),
        Err(error) => {
            let reason = Reason::Unreadable(error.kind());
            faults.push(ImportFault::of_file(&file.into(), reason));
            String::new()
        }
    };
    let (texts, people) = (NAMES.map(&mut text), text(PEOPLE));
    if !faults.is_empty() {
        return Err(faults);
    }
    let [districts, towns, villages, beats, units, categories] = &texts;
    let files = Files {
        districts,
        towns,
        villages,
        beats,
        units,
        categories,
        people: &people,
    };
    sound(read(&files, now, basis))
}

/// The tables that lie in a folder under other names than it is read by.
pub(crate) fn unread(folder: &Path) -> Vec<String> {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = files.map(|file| file.file_name().to_string_lossy().into_owned());
    let is_table = |name: &String| {
        let ending = Path::new(name)
            .extension()
            .and_then(|ending| ending.to_str());
        let ending = ending.map(str::to_lowercase);
        let is_sheet = matches!(ending.as_deref(), Some("csv" | "xlsx" | "geojson"));
        is_sheet && name != PEOPLE && !NAMES.contains(&name.as_str())
    };
    let mut unread: Vec<String> = names.filter(is_table).collect();
    unread.sort();
    unread
}

/// Reads the directory of files whose text is given, and asks that it is sound at the time `now`.
///
/// # Errors
/// As [`load`], but for files that cannot be read.
pub fn parse(files: &Files<'_>, now: Timestamp) -> Result<Directory, Vec<ImportFault>> {
    sound(read(files, now, &Basis::default()))
}

fn sound((directory, faults): (Directory, Faults)) -> Result<Directory, Vec<ImportFault>> {
    if faults.is_empty() {
        Ok(directory)
    } else {
        Err(faults.shown)
    }
}

/// The directory of Zhuhai without people, from the files that come with the program.
pub fn zhuhai() -> Directory {
    // That there are no faults, a test says.
    read(&ZHUHAI, Timestamp(0), &Basis::default()).0
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

/// Reads the files of a whole directory. Its people are as their rows say, and what is decided of them counts where it is asked what is wrong.
fn read(files: &Files<'_>, now: Timestamp, basis: &Basis) -> (Directory, Faults) {
    let texts = [
        files.districts,
        files.towns,
        files.villages,
        files.beats,
        files.units,
        files.people,
        files.categories,
    ];
    let mut faults = Faults::default();
    let mut given = Vec::new();
    for (table, text) in Table::ALL.into_iter().zip(texts) {
        // A folder whose people.csv is an empty form leaves people as they are.
        if table == Table::People && text.trim().lines().count() < 2 {
            continue;
        }
        let file: Arc<str> = format!("{}.csv", table.word()).into();
        let bytes = text.as_bytes().to_vec();
        match sheet::csv::rows(&file, &move || Ok(Box::new(Cursor::new(bytes.clone())))) {
            Ok(rows) => given.push((table, file, rows)),
            Err(fault) => faults.push(fault),
        }
    }
    let today = Today { now, ends: now };
    let leaves = Basis {
        said: Vec::new(),
        leaves: basis.leaves.clone(),
    };
    let nothing = (&Directory::default(), &leaves);
    let (ends, names) = (Ends::of(basis), Names::default());
    let laid = read_over(given, nothing, (ends, names), (today, faults));
    let mut faults = laid.faults;
    for (ending, fault) in laid.endings {
        if let Some(fault) = in_use((&ending, fault), &laid.directory, (0, 0)) {
            faults.push(fault);
        }
    }
    let directory = Directory {
        people: laid.rows,
        ..laid.directory
    };
    (directory, faults)
}

/// A directory with tables laid over it.
pub(crate) struct Laid {
    pub(crate) directory: Directory,
    /// From what it follows which people it has.
    pub(crate) basis: Basis,
    /// The rows of people, as the file has them.
    pub(crate) rows: Vec<Person>,
    pub(crate) faults: Faults,
    pub(crate) warnings: Faults,
    /// Tables of which a row could not be read, so that what is missing in them may be there.
    pub(crate) unread: BTreeSet<Table>,
    /// The file of people, where all of its rows could be read.
    pub(crate) people: Option<Arc<str>>,
    /// Villages that would end, each with a fault where it may not.
    pub(crate) endings: Vec<(Ending, ImportFault)>,
}

/// A fault of a directory as that of a file is said.
pub(crate) fn in_words(fault: DirectoryFault, directory: &Directory, now: Timestamp) -> String {
    let today = Today { now, ends: now };
    let words = fault::in_words(fault, (directory, today));
    format!("{} ({words})", Reason::unsound(&fault).code())
}

/// Reads the tables that are given, lays them over what is in force but for the ends that stay, and says what is wrong with what then would
/// be, after the faults that are known already. A table that is given once more is a fault, and is only looked through.
pub(crate) fn read_over(
    mut given: Vec<(Table, Arc<str>, Rows)>,
    force: Force<'_>,
    (ends, names): (Ends, Names),
    (today, faults): (Today, Faults),
) -> Laid {
    let mut import = Import {
        names,
        faults,
        ends,
        ..Import::default()
    };
    let (mut tables, mut files) = (Tables::default(), BTreeMap::new());
    given.sort_by_key(|(table, _, _)| *table);
    let mut others = Vec::new();
    for (table, file, rows) in given {
        match files.entry(table) {
            Entry::Occupied(_) => others.push((table, (file, rows))),
            Entry::Vacant(first) => {
                first.insert(Arc::clone(&file));
                tables.read(table, (file, rows), &mut import);
            }
        }
    }
    import.look_through(others);
    let over = tables.over(force, &import.ends, today);
    examine::laid(import, force, over, (&files, today))
}

#[cfg(test)]
mod tests;
