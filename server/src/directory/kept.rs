//! What a file of people does not undo: an end that has been set, and who takes over from then on.
//!
//! Whether a leave has set it or a file is not asked: who comes back gets a row of his own.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use patrol_core::domain::capability::Role;
use patrol_core::domain::directory::{Person, Post, PostAt};
use patrol_core::domain::id::PersonId;
use patrol_core::domain::time::Timestamp;

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
pub(crate) fn keep_leaves(new: &mut Vec<Person>, force: &[Person], dropped: &Dropped) -> Kept {
    let ends = keep_ends(new, force, dropped);
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

/// Returns each post whose earlier end stays, with that end, and each that never begins.
fn keep_ends(new: &mut [Person], force: &[Person], dropped: &Dropped) -> Vec<(Held, Timestamp)> {
    let known: BTreeMap<PersonId, &Person> =
        force.iter().map(|person| (person.id, person)).collect();
    let mut kept = Vec::new();
    for person in new {
        let mut ends: BTreeMap<PostKey, Timestamp> = BTreeMap::new();
        let now = known.get(&person.id);
        for old in now.into_iter().flat_map(|old| &old.posts) {
            if let Some(until) = old.until {
                let end = ends.entry(post_key(old)).or_insert(until);
                *end = until.min(*end);
            }
        }
        for post in &mut person.posts {
            let end = ends.get(&post_key(post)).copied();
            if let Some(end) = end.filter(|end| post.until.is_none_or(|named| *end < named)) {
                post.until = Some(end);
                kept.push(((person.id, post_key(post)), end));
            }
        }
        let id = person.id;
        person.posts.retain(|post| {
            let held = (id, post_key(post));
            let mut now = now.iter().flat_map(|now| &now.posts);
            // Who has got it all the same has it.
            let is_had = now.any(|other| post_key(other) == post_key(post));
            let left = dropped.get(&held).filter(|_| !is_had);
            kept.extend(left.map(|left| (held, *left)));
            left.is_none()
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
