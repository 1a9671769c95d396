//! What a directory leaves to be wished for: villages that will be in no beat, posts that nobody holds any more, villages that end while
//! something goes on in them.
//!
//! All of it is told, and none of it repaired.

use std::collections::{BTreeMap, BTreeSet};

use patrol_core::domain::capability::Role;
use patrol_core::domain::directory::{BeatVillage, Directory, Post, PostAt, Village};
use patrol_core::domain::place::VillageCode;
use patrol_core::domain::time::Timestamp;

use super::Today;

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
        let rows = rows.get(&village.code)?;
        let is_gap = |at: &Timestamp| {
            *at > today.ends
                && village.is_in_force_at(*at)
                && !rows.iter().any(|row| row.is_in_force_at(*at))
        };
        let ends = rows.iter().filter_map(|row| row.until);
        Some((village.code, ends.filter(is_gap).min()?))
    };
    directory.villages.iter().filter_map(gap).collect()
}

/// The posts of a kind, wherever they are held.
type Posts<'d> = BTreeMap<(Role, PostAt), Vec<&'d Post>>;

fn posts_of(directory: &Directory) -> Posts<'_> {
    let mut posts = Posts::new();
    for post in directory.people.iter().flat_map(|person| &person.posts) {
        posts.entry((post.role, post.at)).or_default().push(post);
    }
    posts
}

fn is_held(posts: &Posts<'_>, post: (Role, PostAt), at: Timestamp) -> bool {
    let mut held = posts.get(&post).into_iter().flatten();
    held.any(|post| post.is_in_force_at(at))
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
        let begins = held.iter().map(|post| post.from);
        let ends = are.get(post).into_iter().flatten();
        let ends = ends.filter_map(|post| post.until);
        let times = begins.chain(ends).filter(|time| *time > now);
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
    (before, were): (&'d Directory, &'d Posts<'d>),
    (after, are): (&'d Directory, &'d Posts<'d>),
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
    let (rows, posts) = (rows_of(after), posts_of(after));
    let mut endings = Vec::new();
    for village in &after.villages {
        let Some(end) = village.until else {
            continue;
        };
        let goes_on = |until: Option<Timestamp>| until.is_none_or(|until| end < until);
        let was = before.village(village.code).and_then(|was| was.until);
        let at = PostAt::Unit(village.code.unit());
        let there = posts.iter().filter(|((_, other), _)| *other == at);
        let there = there.flat_map(|(_, posts)| posts);
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
