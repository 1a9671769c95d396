//! What a file of people does not undo: an end that has been set, and who takes over from then on.
//!
//! Whether a leave has set it or a file is not asked of a row that begins on the same day: who comes back gets a row of his own. Of a row
//! that begins on another day it is: before the end that a leave has set, it is the post that was left.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use patrol_core::domain::capability::Role;
use patrol_core::domain::directory::{Person, Post, PostAt};
use patrol_core::domain::id::PersonId;
use patrol_core::domain::time::Timestamp;

use super::back::Stays;

/// What makes a post the same post; what may differ is its end.
pub(crate) type PostKey = (Role, PostAt, Timestamp);

/// What makes a post the same post.
pub(crate) fn post_key(post: &Post) -> PostKey {
    (post.role, post.at, post.from)
}

/// A post, and whose it is.
pub(crate) type Held = (PersonId, PostKey);

/// Posts that had not begun when their holders left and that never begin, each with the time of leaving.
pub(crate) type Dropped = BTreeMap<Held, Timestamp>;

/// What stays against a file.
#[derive(Default)]
pub(crate) struct Kept {
    /// Posts that end earlier than the file says, with their ends; among them those that never begin.
    pub(crate) ends: Vec<(Held, Timestamp)>,
    /// Posts that the file lacks, each with the one after whose end it is held.
    pub(crate) takeovers: Vec<(Held, Held)>,
}

/// An end that has been set stays, where people of files hold the same post for longer; and so do the posts of the same kind that follow
/// on it, of people whom the file does not say anything of there.
pub(crate) fn keep_leaves(new: &mut Vec<Person>, force: &[Person], stays: &Stays) -> Kept {
    let ends = keep_ends(new, &Ends::of(force, stays));
    let mut begins: BTreeMap<PostKey, Vec<(&Person, Post)>> = BTreeMap::new();
    for old in force {
        for post in &old.posts {
            begins.entry(post_key(post)).or_default().push((old, *post));
        }
    }
    let mut places: BTreeMap<PersonId, usize> = new
        .iter()
        .zip(0..)
        .map(|(person, at)| (person.id, at))
        .collect();
    let mut kept = Kept::default();
    let mut followed: VecDeque<_> = ends
        .iter()
        .map(|(held, end)| {
            let (_, (_, _, from)) = held;
            (*held, *end.max(from), *held)
        })
        .collect();
    kept.ends = ends;
    while let Some(((leaver, (role, at, _)), end, first)) = followed.pop_front() {
        let next = begins.get(&(role, at, end)).into_iter().flatten();
        for (old, post) in next.filter(|(old, _)| old.id != leaver) {
            let place = *places.entry(old.id).or_insert_with(|| {
                new.push(Person {
                    posts: Vec::new(),
                    ..(*old).clone()
                });
                new.len() - 1
            });
            let Some(person) = new.get_mut(place) else {
                continue;
            };
            if person.posts.iter().any(|other| overlaps(other, post)) {
                continue;
            }
            person.posts.push(*post);
            let held = (old.id, post_key(post));
            kept.takeovers.push((held, first));
            // He may have left since, and another have taken over.
            followed.extend(post.until.map(|until| (held, until, first)));
        }
    }
    kept
}

/// Whether two posts are of a kind, and held at the same time for some of it.
fn overlaps(one: &Post, other: &Post) -> bool {
    (one.role, one.at) == (other.role, other.at)
        && one.until.is_none_or(|until| other.from < until)
        && other.until.is_none_or(|until| one.from < until)
}

/// The ends that are set in force.
#[derive(Default)]
pub(super) struct Ends {
    /// The end of each post that has one.
    set: BTreeMap<Held, Timestamp>,
    /// Where posts begin that leaves have ended, and where they end.
    left: BTreeMap<(PersonId, Role, PostAt), Vec<(Timestamp, Timestamp)>>,
    /// Posts that never begin, each with the time of leaving.
    dropped: Dropped,
}

/// What becomes of a row of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    /// It is as it says.
    AsSaid,
    /// It is the post that begins and ends in force at these times.
    EndsAt(Timestamp, Timestamp),
    /// It never begins, since its holder left at that time.
    Never(Timestamp),
}

impl Ends {
    /// Those of people in force, and what leaves have decided of them.
    pub(super) fn of(force: &[Person], stays: &Stays) -> Self {
        let mut ends = Self {
            dropped: stays.dropped.clone(),
            ..Self::default()
        };
        for person in force {
            for post in &person.posts {
                let held = (person.id, post_key(post));
                // Who has got it all the same has it.
                ends.dropped.remove(&held);
                let Some(until) = post.until else {
                    continue;
                };
                let end = ends.set.entry(held).or_insert(until);
                *end = until.min(*end);
                if stays.ends.contains_key(&held) {
                    let left = ends.left.entry((person.id, post.role, post.at));
                    left.or_default().push((post.from, until));
                }
            }
        }
        ends
    }

    /// From when on and until when a person holds a post of a file; none where it never begins.
    pub(super) fn held(
        &self,
        person: PersonId,
        post: &Post,
    ) -> Option<(Timestamp, Option<Timestamp>)> {
        match self.fate(person, post) {
            Fate::AsSaid => Some((post.from, post.until)),
            Fate::EndsAt(_, end) => Some((post.from, Some(end))),
            Fate::Never(_) => None,
        }
    }

    /// What becomes of a person's post.
    fn fate(&self, person: PersonId, post: &Post) -> Fate {
        let held = (person, post_key(post));
        if let Some(left) = self.dropped.get(&held) {
            return Fate::Never(*left);
        }
        let goes_on = |end: &Timestamp| post.until.is_none_or(|named| *end < named);
        if let Some(end) = self.set.get(&held) {
            return match goes_on(end) {
                true => Fate::EndsAt(post.from, *end),
                false => Fate::AsSaid,
            };
        }
        let left = self.left.get(&(person, post.role, post.at));
        // One that begins with the end, or later, is a return.
        let left = left.into_iter().flatten();
        let left = left.filter(|(_, end)| post.from < *end && goes_on(end));
        let first = left.min_by_key(|(_, end)| *end);
        first.map_or(Fate::AsSaid, |(from, end)| Fate::EndsAt(*from, *end))
    }
}

/// Returns each post whose earlier end stays, with that end, and each that never begins.
fn keep_ends(new: &mut [Person], ends: &Ends) -> Vec<(Held, Timestamp)> {
    let mut kept = Vec::new();
    for person in new {
        let id = person.id;
        let mut named: BTreeSet<PostKey> = person.posts.iter().map(post_key).collect();
        person.posts.retain_mut(|post| {
            let held = (id, post_key(post));
            match ends.fate(id, post) {
                Fate::AsSaid => true,
                Fate::EndsAt(from, end) => {
                    // Unless another row is the one that begins then, the day on which it begins stays too.
                    if named.insert((post.role, post.at, from)) {
                        post.from = from;
                    }
                    post.until = Some(end);
                    kept.push((held, end));
                    true
                }
                Fate::Never(left) => {
                    kept.push((held, left));
                    false
                }
            }
        });
    }
    kept
}

/// Brings the posts of people into the order in which those in force have them, so that another order of a file's rows changes nothing.
pub(crate) fn in_order_of(new: &mut [Person], force: &[Person]) {
    let known: BTreeMap<PersonId, &Person> =
        force.iter().map(|person| (person.id, person)).collect();
    for person in new {
        let posts = known.get(&person.id).into_iter().flat_map(|old| &old.posts);
        let places: BTreeMap<PostKey, usize> = posts.map(post_key).zip(0..).collect();
        // What is new follows, as it stands.
        let place = |post: &Post| places.get(&post_key(post)).copied();
        person
            .posts
            .sort_by_key(|post| place(post).unwrap_or(usize::MAX));
    }
}

/// Every post, by whose it is.
pub(crate) fn posts_of(people: &[Person]) -> BTreeSet<Held> {
    let posts = people.iter().flat_map(|person| {
        let posts = person.posts.iter();
        posts.map(|post| (person.id, post_key(post)))
    });
    posts.collect()
}
