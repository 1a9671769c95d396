//! Where in the files of a directory something has its line that is wrong with the whole.
//!
//! What may be wrong with a file alone is `sheet`'s.

use std::collections::BTreeMap;

use patrol_core::domain::directory::{
    BeatId, BeatVillage, Directory, DirectoryFault, Post, PostAt, Row,
};
use patrol_core::domain::id::PersonId;
use patrol_core::domain::place::VillageCode;
use patrol_core::domain::time::Timestamp;

use super::kept::{Ends, Held, post_key};
use super::told::{Told, day_since};
use super::{Ending, Today};
use crate::calendar;
use crate::sheet::{ImportFault, Place, Reason};

/// A row of the directory; for a beat, with the village, since it has a line for each.
pub(super) type Key = (Row, Option<VillageCode>);

/// On which line of which file each row stands; of several, the first.
#[derive(Default)]
pub(super) struct Lines {
    rows: BTreeMap<Key, Place>,
    /// The first row that puts a village in a beat.
    in_beats: BTreeMap<VillageCode, Place>,
}

impl Lines {
    /// Notes where a row stands.
    pub(super) fn note(&mut self, key: Key, place: &Place) {
        self.rows.entry(key).or_insert_with(|| place.clone());
        if let (Row::Beat(_), Some(village)) = key {
            let in_beats = self.in_beats.entry(village);
            in_beats.or_insert_with(|| place.clone());
        }
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Place> {
        self.rows.get(key)
    }
}

/// On which line each post of a person stands, in the order of the file.
pub(super) type Posts = BTreeMap<PersonId, Vec<(Post, Place)>>;

/// Stands for the files where a row is in none of them: it is in force already.
const IN_FORCE: &str = "in force";

/// On which line each row of a beat's stands that has a village, in the order of the file.
pub(super) type Beats = BTreeMap<(BeatId, VillageCode), Vec<(BeatVillage, Place)>>;

/// The fault of a beat, on the row of a village that has it. None where no row has.
pub(super) fn of_beat(fault: DirectoryFault, beats: &Beats) -> Option<ImportFault> {
    use DirectoryFault as F;
    let find = |beat: BeatId, village, is_it: &dyn Fn(&BeatVillage) -> bool| {
        // The last: of two that are alike, the first is right.
        let mut rows = beats.get(&(beat, village))?.iter();
        rows.rfind(|(row, _)| is_it(row)).map(|(_, place)| place)
    };
    let (place, column) = match fault {
        F::EndsBeforeItBegins {
            row: Row::Beat(beat),
            village: Some(village),
            from,
            until,
        } => {
            let is_it = |row: &BeatVillage| (row.from, row.until) == (from, Some(until));
            let place = find(beat, village, &is_it)?;
            (place, end_of(place))
        }
        F::TwoBeats {
            village,
            first,
            second,
            from,
        } => {
            // One of the two rows may be in force already.
            let is_it = |row: &BeatVillage| row.is_in_force_at(from);
            let second = find(second, village, &is_it);
            (
                second.or_else(|| find(first, village, &is_it))?,
                "village_code",
            )
        }
        _ => return None,
    };
    Some(place.fault(Some(column), Reason::unsound(&fault)))
}

/// Where in the files a fault of the whole has its line, if it has one there.
pub(super) fn place(fault: DirectoryFault, lines: &Lines) -> Option<ImportFault> {
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
        F::NoBeat { village } => return no_beat(village, lines, Reason::unsound(&fault)),
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
    line.map(|place| place.fault(column, Reason::unsound(&fault)))
}

/// Of a village without a beat: at its own row, or at the first that puts it in a beat.
pub(super) fn no_beat(village: VillageCode, lines: &Lines, reason: Reason) -> Option<ImportFault> {
    let own = lines.get(&(Row::Village(village), None));
    let place = own.or_else(|| lines.in_beats.get(&village))?;
    Some(place.fault(None, reason))
}

/// A fault of what is in none of the files.
pub(super) fn in_force(reason: Reason) -> ImportFault {
    ImportFault::of_file(&IN_FORCE.into(), reason)
}

/// With codes, names and days in place of a row.
pub(super) fn in_words(fault: DirectoryFault, (directory, today): (&Directory, Today)) -> String {
    use DirectoryFault as F;
    let told = Told(directory);
    match fault {
        F::Duplicate { row } | F::OutOfOrder { row } | F::EmptyName { row } => told.row(row),
        F::UnknownDistrict { row, district } => format!("{}, {district}", told.row(row)),
        F::UnknownTown { village, town } => format!("{}, {town}", told.village(village)),
        F::UnknownVillage { beat, village } | F::CrossesDistricts { beat, village } => {
            format!("{}, {}", told.beat(beat), told.village(village))
        }
        F::NoBeat { village } => {
            let since = day_since(directory, village, today);
            format!("{}, {since}", told.village(village))
        }
        F::TwoBeats {
            village,
            first,
            second,
            from,
        } => {
            let (first, second) = (first.0, second.0);
            let (village, day) = (told.village(village), calendar::day(from));
            format!("{village}, beat:{first}, beat:{second}, {day}")
        }
        F::UnitOutOfRange { unit, kind } => format!("{} {}", kind.word(), told.unit(unit)),
        F::UnitWithoutPlace { unit } => told.unit(unit),
        F::UnknownUnit { person, unit } => {
            format!("{}, {}", told.person(person), told.unit(unit))
        }
        F::UnknownBeat { person, beat } => {
            format!("{}, {}", told.person(person), told.beat(beat))
        }
        F::MisplacedPost { person, role, at } => {
            format!("{}, {}", told.person(person), told.post(role, at))
        }
        F::EndsBeforeItBegins {
            row,
            village,
            from,
            until,
        } => {
            let of = village.map(|village| format!(", {}", told.village(village)));
            let (row, of) = (told.row(row), of.unwrap_or_default());
            let [from, until] = [from, until].map(calendar::day);
            format!("{row}{of}, {from}, {until}")
        }
        F::UnknownCategoryKind { key } => key.name(),
    }
}

/// The fault of a post, on the row that has it: the one of that number, counted from 0, of those that have it. None where no row has.
pub(super) fn of_post(fault: DirectoryFault, number: usize, posts: &Posts) -> Option<ImportFault> {
    use DirectoryFault as F;
    let find = |person: PersonId, is_it: &dyn Fn(&Post) -> bool| {
        let mut rows = posts.get(&person)?.iter().filter(|(post, _)| is_it(post));
        rows.nth(number).map(|(_, place)| place)
    };
    let (place, column, reason) = match fault {
        F::UnknownUnit { person, unit } => {
            let place = find(person, &|post| post.at == PostAt::Unit(unit))?;
            (place, "at", Reason::UnknownPlace)
        }
        F::UnknownBeat { person, beat } => {
            let place = find(person, &|post| post.at == PostAt::Beat(beat))?;
            (place, "at", Reason::UnknownPlace)
        }
        F::MisplacedPost { person, role, at } => {
            let place = find(person, &|post| (post.role, post.at) == (role, at))?;
            (place, "at", Reason::MisplacedPost)
        }
        F::EndsBeforeItBegins {
            row: Row::Person(person),
            from,
            until,
            ..
        } => {
            let is_it = |post: &Post| (post.from, post.until) == (from, Some(until));
            let place = find(person, &is_it)?;
            (place, end_of(place), Reason::EndsBeforeItBegins)
        }
        _ => return None,
    };
    Some(place.fault(Some(column), reason))
}

/// The column in which a file has ends.
pub(super) fn end_of(place: &Place) -> &'static str {
    if place.has("last_day") && !place.has("until") {
        "last_day"
    } else {
        "until"
    }
}

/// A warning at the end of a person's post, on the row that has it.
pub(super) fn at_end((person, post): Held, posts: &Posts, reason: Reason) -> ImportFault {
    let mut rows = posts.get(&person).into_iter().flatten();
    let row = rows.find(|(other, _)| post_key(other) == post);
    row.map_or_else(
        || in_force(reason),
        |(_, place)| place.fault(Some(end_of(place)), reason),
    )
}

/// That a village has ended, on the first row of a beat or of a person that goes on in it. None where no row does.
pub(super) fn goes_on(
    ending: &Ending,
    (beats, posts, ends): (&Beats, &Posts, &Ends),
) -> Option<ImportFault> {
    let goes_on = |until: Option<Timestamp>| until.is_none_or(|until| ending.end < until);
    let mut in_beats: Vec<&Place> = Vec::new();
    for ((_, village), rows) in beats {
        let rows = rows.iter().filter(|(row, _)| goes_on(row.until));
        let rows = rows.filter(|_| *village == ending.village);
        in_beats.extend(rows.map(|(_, place)| place));
    }
    let at = PostAt::Unit(ending.village.unit());
    let mut held: Vec<&Place> = Vec::new();
    for (person, rows) in posts {
        let rows = rows.iter().filter(|(post, _)| post.at == at);
        let rows = rows.filter(|(post, _)| {
            let held = ends.held(*person, post);
            held.is_some_and(|(_, until)| goes_on(until))
        });
        held.extend(rows.map(|(_, place)| place));
    }
    let first = |places: Vec<&Place>, column| {
        let first = places.into_iter().min_by_key(|place| place.number())?;
        Some(first.fault(Some(column), Reason::VillageInUse))
    };
    first(in_beats, "village_code").or_else(|| first(held, "at"))
}
