//! What a file of people does not undo: an end that has been set, and who takes over from then on.
//!
//! Whether a leave has set it or a file is not asked of a row that begins on the same day: who comes back gets a row of his own. Of a row
//! that begins on another day it is: since a leave its person holds nothing that began before it, whatever files have said meanwhile.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use patrol_core::domain::capability::Role;
use patrol_core::domain::directory::{Person, Post, PostAt};
use patrol_core::domain::id::PersonId;
use patrol_core::domain::time::Timestamp;

use super::back::Stays;
use crate::calendar::day_begins;

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
        .map(|(held, _, next)| (*held, *next, *held))
        .collect();
    let ends = ends.into_iter().map(|(held, end, _)| (held, end));
    kept.ends = ends.collect();
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

/// The ends that are set in force, and what leaves have decided.
#[derive(Default)]
pub(super) struct Ends {
    /// The end of each post in force that has one.
    set: BTreeMap<Held, Timestamp>,
    /// Posts that leaves have taken: when each begins, and the end that the leave has set, though a file has set an earlier one since.
    left: BTreeMap<(PersonId, Role, PostAt), Vec<(Timestamp, Timestamp)>>,
    /// Those of them that never begin, each with the time of leaving.
    dropped: Dropped,
}

/// What becomes of a row of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    /// It is as it says.
    AsSaid,
    /// It ends.
    Ends {
        /// When the post in force begins that it is; its own day, if it is none of those.
        from: Timestamp,
        end: Timestamp,
        /// When who takes over begins.
        next: Timestamp,
    },
    /// It never begins, since its holder left at that time.
    Never(Timestamp),
}

/// From when on a row is a return to a post that was left. Files have days, and leaves a time of the day: who left today may come back today.
fn back_from(from: Timestamp, end: Timestamp) -> Timestamp {
    let day = day_begins(end);
    match (day..end).contains(&from) {
        true => end,
        false => day,
    }
}

impl Ends {
    /// Those of people in force, and what leaves have decided of them.
    pub(super) fn of(force: &[Person], stays: &Stays) -> Self {
        let mut ends = Self {
            dropped: stays.dropped.clone(),
            ..Self::default()
        };
        let mut lifted = BTreeSet::new();
        for person in force {
            for post in &person.posts {
                let held = (person.id, post_key(post));
                // Who has got it all the same has it.
                ends.dropped.remove(&held);
                let left = stays.ends.get(&held);
                if left.is_some_and(|end| post.until.is_none_or(|until| *end < until)) {
                    lifted.insert(held);
                }
                if let Some(until) = post.until {
                    let end = ends.set.entry(held).or_insert(until);
                    *end = until.min(*end);
                }
            }
        }
        let left = stays.ends.iter().filter(|(held, _)| !lifted.contains(held));
        for (&(person, (role, at, from)), end) in left.chain(&ends.dropped) {
            let left = ends.left.entry((person, role, at));
            left.or_default().push((from, *end));
        }
        ends
    }

    /// From when on and until when a person holds a post of a file; none where it never begins. A day of which he held a part is not counted,
    /// where he may come back on it.
    pub(super) fn held(
        &self,
        person: PersonId,
        post: &Post,
    ) -> Option<(Timestamp, Option<Timestamp>)> {
        match self.fate(person, post) {
            Fate::AsSaid => Some((post.from, post.until)),
            Fate::Ends { end, .. } => Some((post.from, Some(back_from(post.from, end)))),
            Fate::Never(_) => None,
        }
    }

    /// What becomes of a person's post.
    fn fate(&self, person: PersonId, post: &Post) -> Fate {
        let held = (person, post_key(post));
        if let Some(left) = self.dropped.get(&held) {
            return Fate::Never(*left);
        }
        let goes_on = |end: Timestamp| post.until.is_none_or(|named| end < named);
        if let Some(&end) = self.set.get(&held) {
            return match goes_on(end) {
                true => Fate::Ends {
                    from: post.from,
                    end,
                    next: end,
                },
                false => Fate::AsSaid,
            };
        }
        let left = self.left.get(&(person, post.role, post.at));
        let left = left.into_iter().flatten();
        let left = left.filter(|(from, end)| post.from < back_from(*from, *end) && goes_on(*end));
        let Some(&(from, end)) = left.min_by_key(|(_, end)| *end) else {
            return Fate::AsSaid;
        };
        let key = (person, (post.role, post.at, from));
        match self.set.get(&key).filter(|set| post.from < **set) {
            Some(&set) => Fate::Ends {
                from,
                end: set,
                next: end,
            },
            // What was left is over by then, or never began.
            None => Fate::Ends {
                from: post.from,
                end,
                next: from.max(end),
            },
        }
    }
}

/// Returns each post whose earlier end stays, with that end, and each that never begins; and when who takes over begins.
fn keep_ends(new: &mut [Person], ends: &Ends) -> Vec<(Held, Timestamp, Timestamp)> {
    let mut kept = Vec::new();
    for person in new {
        let id = person.id;
        let rows = person.posts.clone();
        let mut named: BTreeSet<PostKey> = rows.iter().map(post_key).collect();
        person.posts.retain_mut(|post| {
            let own = post_key(post);
            let held = (id, own);
            match ends.fate(id, post) {
                Fate::AsSaid => true,
                Fate::Ends { from, end, next } => {
                    // Unless another row is the one that holds then, the day on which it begins stays too.
                    let then = Post {
                        from,
                        until: Some(from.plus_ms(1)),
                        ..*post
                    };
                    let mut others = rows.iter().filter(|row| post_key(row) != own);
                    let is_held = others.any(|other| overlaps(other, &then));
                    if !is_held && named.insert(post_key(&then)) {
                        post.from = from;
                    }
                    post.until = Some(end);
                    kept.push((held, end, next));
                    true
                }
                Fate::Never(left) => {
                    let (_, (_, _, from)) = held;
                    kept.push((held, left, from.max(left)));
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
