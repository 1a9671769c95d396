//! What a directory leaves to be wished for: villages that will be in no beat, posts that nobody holds any more, villages that end while
//! something goes on in them.
//!
//! All of it is told, and none of it repaired.

use std::collections::{BTreeMap, BTreeSet};

use patrol_core::domain::capability::Role;
use patrol_core::domain::directory::{BeatId, BeatVillage, Directory, PostAt, Village};
use patrol_core::domain::id::UnitId;
use patrol_core::domain::place::VillageCode;
use patrol_core::domain::time::Timestamp;

use super::Today;

/// When something holds: stretches that do not touch, ascending.
#[derive(Default)]
struct Cover(Vec<(Timestamp, Option<Timestamp>)>);

impl Cover {
    fn of(mut stretches: Vec<(Timestamp, Option<Timestamp>)>) -> Self {
        stretches.sort_unstable_by_key(|(from, _)| *from);
        let mut cover: Vec<(Timestamp, Option<Timestamp>)> = Vec::new();
        for (from, until) in stretches {
            match cover.last_mut() {
                Some((_, end)) if end.is_none_or(|end| from <= end) => {
                    *end = end.and_then(|end| until.map(|until| until.max(end)));
                }
                _ => cover.push((from, until)),
            }
        }
        Self(cover)
    }

    fn holds_at(&self, at: Timestamp) -> bool {
        let next = self.0.partition_point(|(from, _)| *from <= at);
        let last = next.checked_sub(1).and_then(|last| self.0.get(last));
        last.is_some_and(|(_, until)| until.is_none_or(|until| at < until))
    }

    fn begins(&self) -> impl Iterator<Item = Timestamp> {
        self.0.iter().map(|(from, _)| *from)
    }

    fn ends(&self) -> impl Iterator<Item = Timestamp> {
        self.0.iter().filter_map(|(_, until)| *until)
    }
}

/// The rows of beats by their villages: whoever asks for many villages looks through the beats once.
type Rows<'d> = BTreeMap<VillageCode, Vec<(BeatId, &'d BeatVillage)>>;

fn rows_of(directory: &Directory) -> Rows<'_> {
    let mut rows = Rows::new();
    for beat in &directory.beats {
        for row in &beat.villages {
            rows.entry(row.village).or_default().push((beat.id, row));
        }
    }
    rows
}

fn villages_of(directory: &Directory) -> BTreeMap<VillageCode, &Village> {
    let villages = directory.villages.iter();
    villages.map(|village| (village.code, village)).collect()
}

/// Villages that will be in no beat from a time after this day on, each with the first such time.
pub(super) fn gaps(directory: &Directory, today: Today) -> Vec<(VillageCode, Timestamp)> {
    let rows = rows_of(directory);
    let gap = |village: &Village| {
        let rows = rows.get(&village.code)?.iter();
        let cover = Cover::of(rows.map(|(_, row)| (row.from, row.until)).collect());
        let is_gap = |at: &Timestamp| *at > today.ends && village.is_in_force_at(*at);
        Some((village.code, cover.ends().find(is_gap)?))
    };
    directory.villages.iter().filter_map(gap).collect()
}

/// When posts of a kind are held, wherever that is.
type Posts = BTreeMap<(Role, PostAt), Cover>;

fn posts_of(directory: &Directory) -> Posts {
    let mut posts: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for post in directory.people.iter().flat_map(|person| &person.posts) {
        let held = posts.entry((post.role, post.at)).or_default();
        held.push((post.from, post.until));
    }
    let posts = posts.into_iter();
    posts.map(|(post, held)| (post, Cover::of(held))).collect()
}

fn is_held(posts: &Posts, post: (Role, PostAt), at: Timestamp) -> bool {
    posts.get(&post).is_some_and(|cover| cover.holds_at(at))
}

/// Posts that nobody holds from a time on, though somebody holds them in the other directory, each with the first such time. Where there is
/// no beat, unit or village any more, there is no post.
pub(super) fn vacant(
    before: &Directory,
    after: &Directory,
    now: Timestamp,
) -> Vec<((Role, PostAt), Timestamp)> {
    let (were, are) = (posts_of(before), posts_of(after));
    let places = Places::of(after);
    let mut vacant = Vec::new();
    for (post, held) in &were {
        let ends = are.get(post).into_iter().flat_map(Cover::ends);
        let times = held.begins().chain(ends).filter(|time| *time > now);
        let times: BTreeSet<Timestamp> = times.chain([now]).collect();
        let is_vacant = |at: &&Timestamp| {
            is_held(&were, *post, **at) && !is_held(&are, *post, **at) && places.has(post.1, **at)
        };
        if let Some(at) = times.iter().find(is_vacant) {
            vacant.push((*post, *at));
        }
    }
    let told: BTreeSet<(Role, PostAt)> = vacant.iter().map(|(post, _)| *post).collect();
    let unwalked = unwalked((&rows_of(before), &were), (&rows_of(after), &are), now);
    vacant.extend(unwalked.filter(|(post, _)| !told.contains(post)));
    vacant
}

/// Inspectors' posts on beats that have come into villages which another beat's inspector walked.
fn unwalked(
    (before, were): (&Rows<'_>, &Posts),
    (after, are): (&Rows<'_>, &Posts),
    now: Timestamp,
) -> impl Iterator<Item = ((Role, PostAt), Timestamp)> + use<> {
    let post_on = |rows: &Rows<'_>, village, at| {
        let mut rows = rows.get(&village)?.iter();
        let (beat, _) = rows.find(|(_, row)| row.is_in_force_at(at))?;
        Some((Role::Inspector, PostAt::Beat(*beat)))
    };
    let mut found = BTreeMap::new();
    for (village, rows) in after {
        let begins = rows.iter().map(|(_, row)| row.from.max(now));
        for at in begins.collect::<BTreeSet<_>>() {
            let walked = post_on(before, *village, at).is_some_and(|post| is_held(were, post, at));
            if let Some(post) = post_on(after, *village, at)
                && walked
                && !is_held(are, post, at)
            {
                found.entry(post).or_insert(at);
            }
        }
    }
    found.into_iter()
}

/// At what a post may be held.
struct Places<'d> {
    villages: BTreeMap<VillageCode, &'d Village>,
    units: BTreeSet<UnitId>,
    /// When each beat has no village any more; none where it has some for good.
    beats: BTreeMap<BeatId, Option<Timestamp>>,
}

impl<'d> Places<'d> {
    fn of(directory: &'d Directory) -> Self {
        let mut beats: BTreeMap<BeatId, Option<Timestamp>> = BTreeMap::new();
        for beat in &directory.beats {
            for row in &beat.villages {
                let end = beats.entry(beat.id).or_insert(row.until);
                *end = end.and_then(|end| row.until.map(|until| until.max(end)));
            }
        }
        Self {
            villages: villages_of(directory),
            units: directory.units.iter().map(|unit| unit.id).collect(),
            beats,
        }
    }

    /// Whether there is at some later time, too, what a post is held at.
    fn has(&self, at: PostAt, time: Timestamp) -> bool {
        match at {
            PostAt::City => true,
            PostAt::Unit(unit) => match VillageCode::new(unit.0) {
                Some(code) => {
                    let village = self.villages.get(&code);
                    village.is_some_and(|village| village.is_in_force_at(time))
                }
                None => self.units.contains(&unit),
            },
            PostAt::Beat(beat) => {
                let end = self.beats.get(&beat);
                end.is_some_and(|end| end.is_none_or(|end| time < end))
            }
        }
    }
}

/// A village that ends, and what goes on in it.
pub(crate) struct Ending {
    pub(crate) village: VillageCode,
    /// When it ends.
    pub(crate) end: Timestamp,
    /// Rows of beats that have it longer.
    pub(crate) beats: usize,
    /// Posts that are held there longer.
    pub(crate) posts: usize,
    /// Whether it ends otherwise than in the directory before.
    pub(crate) is_new: bool,
}

/// The villages that have an end.
pub(super) fn endings(before: &Directory, after: &Directory) -> Vec<Ending> {
    let (rows, were) = (rows_of(after), villages_of(before));
    // When the posts of each unit end.
    let mut posts: BTreeMap<UnitId, Vec<Option<Timestamp>>> = BTreeMap::new();
    for post in after.people.iter().flat_map(|person| &person.posts) {
        if let PostAt::Unit(unit) = post.at {
            posts.entry(unit).or_default().push(post.until);
        }
    }
    let mut endings = Vec::new();
    for village in &after.villages {
        let Some(end) = village.until else {
            continue;
        };
        let goes_on = |until: Option<Timestamp>| until.is_none_or(|until| end < until);
        let was = were.get(&village.code).and_then(|was| was.until);
        let posts = posts.get(&village.code.unit()).into_iter().flatten();
        let rows = rows.get(&village.code).into_iter().flatten();
        endings.push(Ending {
            village: village.code,
            end,
            beats: rows.filter(|(_, row)| goes_on(row.until)).count(),
            posts: posts.filter(|until| goes_on(**until)).count(),
            is_new: was != village.until,
        });
    }
    endings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_that_touch_are_one() {
        let time = Timestamp;
        let cover = Cover::of(vec![
            (time(50), None),
            (time(0), Some(time(10))),
            (time(10), Some(time(20))),
            (time(5), Some(time(7))),
            (time(30), Some(time(40))),
        ]);
        let holds = [0, 10, 19, 20, 30, 40, 49, 50, 99].map(|at| cover.holds_at(time(at)));
        assert_eq!(
            holds,
            [true, true, true, false, true, false, false, true, true]
        );
        let ends: Vec<Timestamp> = cover.ends().collect();
        assert_eq!(ends, [time(20), time(40)]);
        assert!(!Cover::default().holds_at(time(0)));
    }
}
