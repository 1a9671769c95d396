//! Says what is wrong and what is strange with the directory that tables make of the one in force.
//!
//! What needs the database, such as who can sign in, is asked by whoever has it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use patrol_core::domain::directory::{Directory, DirectoryFault, Row, UnitKind};
use patrol_core::domain::limits;
use patrol_core::sync::directory as codec;

use super::kept::Kept;
use super::over::{Force, Over};
use super::tables::Import;
use super::told::Told;
use super::{Ending, Laid, Table, Today, fault, later};
use crate::calendar::day;
use crate::sheet::{ImportFault, Reason};

/// The file of each table that was given.
pub(super) type Files = BTreeMap<Table, Arc<str>>;

/// Everything that is to be told of the directory that then would be in force.
pub(super) fn laid(
    import: Import,
    force: Force<'_>,
    over: Over,
    (files, today): (&Files, Today),
) -> Laid {
    // A row that cannot be read may be an administrator's.
    let people = files
        .get(&Table::People)
        .filter(|_| !import.unread.contains(&Table::People));
    let mut examining = Examining {
        people: people.cloned(),
        import,
        force,
        directory: &over.directory,
        files,
        today,
    };
    examining.kept(&over.kept);
    if !examining.import.is_table_unread {
        examining.unsound(&over);
        examining.halves();
        examining.gaps();
        examining.vacant();
    }
    let endings = examining.endings();
    let Examining { import, people, .. } = examining;
    let Import {
        mut faults,
        warnings,
        unread,
        ..
    } = import;
    let Over {
        directory,
        basis,
        rows,
        ..
    } = over;
    let said = Directory {
        people: basis.said.clone(),
        ..Directory::default()
    };
    let is_too_large =
        |directory: &Directory| codec::encode(directory).len() > limits::DIRECTORY_BYTES_MAX;
    if is_too_large(&directory) || is_too_large(&said) {
        faults.push(fault::in_force(Reason::TooLarge));
    }
    Laid {
        directory,
        basis,
        rows,
        faults,
        warnings,
        unread,
        people,
        endings,
    }
}

struct Examining<'d> {
    import: Import,
    people: Option<Arc<str>>,
    force: Force<'d>,
    directory: &'d Directory,
    files: &'d Files,
    today: Today,
}

impl Examining<'_> {
    /// Counts a warning, and puts it into words where it is shown.
    fn warn(&mut self, warning: impl FnOnce(&Import, &Told<'_>) -> ImportFault) {
        let warning = if self.import.warnings.has_room() {
            warning(&self.import, &Told(self.directory))
        } else {
            fault::in_force(Reason::Vacant)
        };
        self.import.warnings.push(warning);
    }

    /// What of leaves stays against the file.
    fn kept(&mut self, kept: &Kept) {
        for (held, end) in &kept.ends {
            self.warn(|import, told| {
                let (person, (role, at, _)) = held;
                let (person, post) = (told.person(*person), told.post(*role, *at));
                let place = fault::at_end(*held, &import.posts, Reason::EarlierEnd);
                place.with(format!("{person}, {post}, {}", day(*end)))
            });
        }
        for ((person, (role, at, from)), first) in &kept.given {
            self.warn(|import, told| {
                let (person, post) = (told.person(*person), told.post(*role, *at));
                let place = fault::at_end(*first, &import.posts, Reason::TakeoverKept);
                place.with(format!("{person}, {post}, {}", day(*from)))
            });
        }
    }

    /// What does not fit together: a warning, where it is so already and no file has to do with it.
    fn unsound(&mut self, over: &Over) {
        let Today { now, ends } = self.today;
        // What a row names must be there, though it never begins: who takes over may be named later.
        let checked = Directory {
            people: over.decided.with_said(&over.basis.said),
            ..self.directory.clone()
        };
        let mut unsound = checked.check(now);
        // What ends with the day may leave a village without a beat from then on.
        let told: BTreeSet<DirectoryFault> = unsound.iter().copied().collect();
        let later = checked.check(ends).into_iter();
        unsound.extend(later.filter(|fault| !told.contains(fault)));
        unsound.retain(|fault| !self.is_unread(misses(fault)));
        if unsound.is_empty() {
            return;
        }
        let (force, basis) = self.force;
        let said = Directory {
            people: basis.said.clone(),
            ..force.clone()
        };
        let were = [force, &said].map(|were| [now, ends].map(|at| were.check(at)));
        let were = were.into_iter().flatten();
        let were: BTreeSet<DirectoryFault> = were.into_iter().flatten().collect();
        let mut before: BTreeMap<DirectoryFault, usize> = BTreeMap::new();
        for fault in unsound {
            let number = before.entry(fault).or_default();
            // What is not shown needs no place, but for what may be no fault of the files.
            if !self.import.faults.has_room() && !were.contains(&fault) {
                let fault = fault::in_force(Reason::unsound(&fault));
                self.import.faults.push(fault);
                continue;
            }
            let placed = fault::of_post(fault, *number, &self.import.posts)
                .or_else(|| fault::of_beat(fault, &self.import.beats))
                .or_else(|| fault::place(fault, &self.import.lines));
            *number += 1;
            let is_placed = placed.is_some();
            let placed = placed.unwrap_or_else(|| self.nowhere(fault));
            let is_beats = matches!(fault, DirectoryFault::NoBeat { .. })
                && self.files.contains_key(&Table::Beats);
            let is_warning = were.contains(&fault) && !is_placed && !is_beats;
            let told = if is_warning {
                &mut self.import.warnings
            } else {
                &mut self.import.faults
            };
            told.push(match placed.reason {
                Reason::Unsound(_) if told.has_room() => {
                    placed.with(fault::in_words(fault, (self.directory, self.today)))
                }
                _ => placed,
            });
        }
    }

    /// What rows name that could not be read to their end.
    fn halves(&mut self) {
        let halves = std::mem::take(&mut self.import.halves);
        for (fault, placed) in halves.unsound(self.directory, self.today.now) {
            if self.is_unread(misses(&fault)) {
                continue;
            }
            let has_room = self.import.faults.has_room();
            let placed = match placed.reason {
                Reason::Unsound(_) if has_room => self.worded(fault, placed),
                _ => placed,
            };
            self.import.faults.push(placed);
        }
    }

    /// A fault of a row that stands in none of the files: of the file that lacks what it needs, if there is one.
    fn nowhere(&self, fault: DirectoryFault) -> ImportFault {
        let reason = Reason::unsound(&fault);
        let file = misses(&fault).iter().find_map(|of| self.files.get(of));
        file.map_or_else(
            || fault::in_force(reason),
            |file| ImportFault::of_file(file, reason),
        )
    }

    /// A fault with codes, names and days.
    fn worded(&self, fault: DirectoryFault, placed: ImportFault) -> ImportFault {
        placed.with(fault::in_words(fault, (self.directory, self.today)))
    }

    /// Whether a row of one of these tables could not be read.
    fn is_unread(&self, tables: &[Table]) -> bool {
        let mut tables = tables.iter();
        tables.any(|table| self.import.unread.contains(table))
    }

    fn gaps(&mut self) {
        if self.is_unread(&[Table::Beats]) {
            return;
        }
        for (village, from) in later::gaps(self.directory, self.today) {
            self.warn(|import, told| {
                let reason = Reason::NoBeatThen;
                let placed = fault::no_beat(village, &import.lines, reason);
                let placed = placed.unwrap_or_else(|| fault::in_force(reason));
                placed.with(format!("{}, {}", told.village(village), day(from)))
            });
        }
    }

    fn vacant(&mut self) {
        if self.is_unread(&[Table::People]) {
            return;
        }
        let of = [Table::People, Table::Beats, Table::Villages, Table::Units];
        let Some(file) = of.iter().find_map(|table| self.files.get(table)) else {
            return;
        };
        for ((role, at), from) in later::vacant(self.force.0, self.directory, self.today.now) {
            self.warn(|_, told| {
                let warning = ImportFault::of_file(file, Reason::Vacant);
                warning.with(format!("{}, {}", told.post(role, at), day(from)))
            });
        }
    }

    /// Villages that end, where rows of these files would let them or go on in them.
    fn endings(&self) -> Vec<(Ending, ImportFault)> {
        let endings = later::endings(self.force.0, self.directory).into_iter();
        let told = endings.filter(|ending| ending.is_new || ending.beats + ending.posts > 0);
        // One that the file seems not to name may be in the row that could not be read.
        let is_unread = self.is_unread(&[Table::Villages]);
        let line = |ending: &Ending| self.import.lines.get(&(Row::Village(ending.village), None));
        let told = told.filter(|ending| !is_unread || line(ending).is_some());
        told.map(|ending| {
            let file = self.files.get(&Table::Villages);
            let reason = Reason::VillageInUse;
            // Where its end is in force already, what is wrong is the row that goes on.
            let rows = (&self.import.beats, &self.import.posts, &self.import.ends);
            let goes_on = || fault::goes_on(&ending, rows);
            let goes_on = (!ending.is_new).then(goes_on).flatten();
            let fault = match (goes_on, line(&ending), file) {
                (Some(fault), _, _) => fault,
                (None, Some(place), _) => place.fault(Some(fault::end_of(place)), reason),
                (None, None, Some(file)) => ImportFault::of_file(file, reason),
                (None, None, None) => fault::in_force(reason),
            };
            (ending, fault)
        })
        .collect()
    }
}

/// The tables of which a row is missing, by a fault.
fn misses(fault: &DirectoryFault) -> &'static [Table] {
    use DirectoryFault as F;
    match fault {
        F::UnknownDistrict { .. } => &[Table::Districts],
        F::UnknownTown { .. } => &[Table::Towns],
        F::UnknownVillage { .. } => &[Table::Villages],
        F::NoBeat { .. } | F::UnknownBeat { .. } => &[Table::Beats],
        F::UnknownUnit { unit, .. } if UnitKind::Department.allows(*unit) => &[Table::Units],
        // Towns and villages are units by their codes.
        F::UnknownUnit { .. } => &[Table::Villages, Table::Towns],
        F::UnitWithoutPlace { .. } => &[Table::Villages, Table::Towns],
        _ => &[],
    }
}

/// What keeps a village from ending, in numbers.
pub(crate) fn in_use(
    (ending, fault): (&Ending, ImportFault),
    directory: &Directory,
    (components, cases): (usize, usize),
) -> Option<ImportFault> {
    let Ending { beats, posts, .. } = ending;
    if beats + posts + components + cases == 0 {
        return None;
    }
    let village = Told(directory).village(ending.village);
    Some(fault.with(format!(
        "{village}, beats {beats}, posts {posts}, components {components}, cases {cases}"
    )))
}
