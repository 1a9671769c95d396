//! What a directory leaves to be wished for: villages that will be in no beat, posts that nobody holds any more, villages that end while
//! something goes on in them.
//!
//! All of it is told, and none of it repaired.

use std::collections::{BTreeMap, BTreeSet};

use patrol_core::domain::capability::Role;
use patrol_core::domain::directory::{BeatVillage, Directory, PostAt, Village};
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

type Rows<'d> = BTreeMap<VillageCode, Vec<&'d BeatVillage>>;

fn rows_of(directory: &Directory) -> Rows<'_> {
    let mut rows = Rows::new();
    for row in directory.beats.iter().flat_map(|beat| &beat.villages) {
        rows.entry(row.village).or_default().push(row);
    }
    rows
}

/// Villages that will be in no beat from a time after this day on, each with the first such time.
pub(super) fn gaps(directory: &Directory, today: Today) -> Vec<(VillageCode, Timestamp)> {
    let rows = rows_of(directory);
    let gap = |village: &Village| {
        let rows = rows.get(&village.code)?.iter();
        let cover = Cover::of(rows.map(|row| (row.from, row.until)).collect());
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
    let rows = rows_of(after);
    let mut vacant = Vec::new();
    for (post, held) in &were {
        let ends = are.get(post).into_iter().flat_map(Cover::ends);
        let times = held.begins().chain(ends).filter(|time| *time > now);
        let times: BTreeSet<Timestamp> = times.chain([now]).collect();
        let is_vacant = |at: &&Timestamp| {
            is_held(&were, *post, **at)
                && !is_held(&are, *post, **at)
                && exists(after, post.1, **at)
        };
        if let Some(at) = times.iter().find(is_vacant) {
            vacant.push((*post, *at));
        }
    }
    let told: BTreeSet<(Role, PostAt)> = vacant.iter().map(|(post, _)| *post).collect();
    vacant.extend(
        unwalked((before, &were), (after, &are), (&rows, now))
            .filter(|(post, _)| !told.contains(post)),
    );
    vacant
}

/// Inspectors' posts on beats that have come into villages which another beat's inspector walked.
fn unwalked<'d>(
    (before, were): (&'d Directory, &'d Posts),
    (after, are): (&'d Directory, &'d Posts),
    (rows, now): (&'d Rows<'d>, Timestamp),
) -> impl Iterator<Item = ((Role, PostAt), Timestamp)> + 'd {
    let post_on = |directory: &Directory, village, at| {
        let beat = directory.beat_of(village, at)?;
        Some((Role::Inspector, PostAt::Beat(beat.id)))
    };
    let mut found = BTreeMap::new();
    for (village, rows) in rows {
        let begins = rows.iter().map(|row| row.from.max(now));
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

/// Whether there is at some later time, too, what a post is held at.
fn exists(directory: &Directory, at: PostAt, time: Timestamp) -> bool {
    match at {
        PostAt::City => true,
        PostAt::Unit(unit) => match VillageCode::new(unit.0) {
            Some(code) => directory
                .village(code)
                .is_some_and(|village| village.is_in_force_at(time)),
            None => directory.unit(unit).is_some(),
        },
        PostAt::Beat(beat) => directory.beat(beat).is_some_and(|beat| {
            let mut rows = beat.villages.iter();
            rows.any(|row| row.until.is_none_or(|until| time < until))
        }),
    }
}

/// A village that ends, and what goes on in it.
pub(crate) struct Ending {
    pub(crate) village: VillageCode,
    /// Rows of beats that have it longer.
    pub(crate) beats: usize,
    /// Posts that are held there longer.
    pub(crate) posts: usize,
    /// Whether it ends otherwise than in the directory before.
    pub(crate) is_new: bool,
}

/// The villages that have an end.
pub(super) fn endings(before: &Directory, after: &Directory) -> Vec<Ending> {
    let rows = rows_of(after);
    let mut endings = Vec::new();
    for village in &after.villages {
        let Some(end) = village.until else {
            continue;
        };
        let goes_on = |until: Option<Timestamp>| until.is_none_or(|until| end < until);
        let was = before.village(village.code).and_then(|was| was.until);
        let at = PostAt::Unit(village.code.unit());
        let posts = after.people.iter().flat_map(|person| &person.posts);
        let there = posts.filter(|post| post.at == at);
        let rows = rows.get(&village.code).into_iter().flatten();
        endings.push(Ending {
            village: village.code,
            beats: rows.filter(|row| goes_on(row.until)).count(),
            posts: there.filter(|post| goes_on(post.until)).count(),
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
