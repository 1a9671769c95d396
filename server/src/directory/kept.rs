//! What a file of people does not change: an end that has been set, and what leaves have decided.
//!
//! It is told from the rows of the file, from those that files have said before, and from the leaves; where a row stands, others know.

use std::collections::{BTreeMap, BTreeSet};

use patrol_core::domain::capability::Role;
use patrol_core::domain::directory::{Person, Post, PostAt};
use patrol_core::domain::id::PersonId;
use patrol_core::domain::time::Timestamp;

use super::leaves::{Basis, Decided, Leave, end_of};
use crate::calendar::day_begins;

/// What makes a post the same post; what may differ is its end.
pub(crate) type PostKey = (Role, PostAt, Timestamp);

/// What makes a post the same post.
pub(crate) fn post_key(post: &Post) -> PostKey {
    (post.role, post.at, post.from)
}

/// A post, and whose it is.
pub(crate) type Held = (PersonId, PostKey);

/// What stays against a file.
#[derive(Default)]
pub(crate) struct Kept {
    /// Posts that end earlier than the file says, with their ends; among them those that never begin.
    pub(crate) ends: Vec<(Held, Timestamp)>,
    /// Posts that the file lacks and leaves have given, each with the one that it was before, where they go on and the file does not end them sooner.
    pub(crate) given: Vec<(Held, Held)>,
}

impl Kept {
    /// What stays against the rows of a file at a time, of what was in force before and of what is decided then.
    pub(crate) fn of(
        rows: &[Person],
        ends: &Ends,
        (before, decided): (&[Person], &Decided),
        now: Timestamp,
    ) -> Self {
        let earlier = rows.iter().flat_map(|person| {
            let ends = person.posts.iter().map(move |post| {
                let end = ends.earlier(person.id, post)?;
                Some(((person.id, post_key(post)), end))
            });
            ends.flatten()
        });
        let (were, are) = (ends_of(before), ends_of(&decided.people));
        let goes_on = |held: &Held| {
            let Some(is) = are.get(held).copied().flatten() else {
                return true;
            };
            let was = were.get(held);
            now < is && was.is_none_or(|was| was.is_some_and(|was| was <= is))
        };
        let given = decided.given.iter();
        Self {
            ends: earlier.collect(),
            given: given.filter(|(held, _)| goes_on(held)).copied().collect(),
        }
    }
}

/// The end of every post, by whose it is.
fn ends_of(people: &[Person]) -> BTreeMap<Held, Option<Timestamp>> {
    let ends = people.iter().flat_map(|person| {
        let posts = person.posts.iter();
        posts.map(|post| ((person.id, post_key(post)), post.until))
    });
    ends.collect()
}

/// The ends that have been set.
#[derive(Default)]
pub(crate) struct Ends {
    /// By files.
    set: BTreeMap<Held, Timestamp>,
    /// The leaves, which set the others.
    leaves: Vec<Leave>,
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
    /// Those that files and leaves have set.
    pub(crate) fn of(basis: &Basis) -> Self {
        let mut set: BTreeMap<Held, Timestamp> = BTreeMap::new();
        for person in &basis.said {
            for post in &person.posts {
                if let Some(until) = post.until {
                    let end = set.entry((person.id, post_key(post))).or_insert(until);
                    *end = until.min(*end);
                }
            }
        }
        Self {
            set,
            leaves: basis.leaves.clone(),
        }
    }

    /// A person's post of a file with the end that a file has set before.
    fn said(&self, person: PersonId, post: &Post) -> Post {
        let set = self.set.get(&(person, post_key(post))).copied();
        Post {
            until: [post.until, set].into_iter().flatten().min(),
            ..*post
        }
    }

    /// When a person's post of a file ends that ends earlier than the file says.
    fn earlier(&self, person: PersonId, post: &Post) -> Option<Timestamp> {
        let said = self.said(person, post);
        let end = end_of(&self.leaves, person, &said).or(said.until);
        end.filter(|end| post.until.is_none_or(|until| *end < until))
    }

    /// From when on and until when a person holds a post of a file; none where it never begins. A day of which he held a part is not counted,
    /// where he may come back on it.
    pub(super) fn held(
        &self,
        person: PersonId,
        post: &Post,
    ) -> Option<(Timestamp, Option<Timestamp>)> {
        let Some(end) = self.earlier(person, post) else {
            return Some((post.from, post.until));
        };
        (post.from < end).then(|| (post.from, Some(back_from(post.from, end))))
    }

    /// Sets the ends that files have set before in what one says now.
    pub(crate) fn set_in(&self, rows: &mut [Person]) {
        for person in rows {
            for post in &mut person.posts {
                *post = self.said(person.id, post);
            }
        }
    }
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
