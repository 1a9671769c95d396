//! Posts of an older version that have ended since, though no leave has ended them: who held one holds it again from today on.
//!
//! The time between stays a gap: what was judged in it stays judged.

use std::collections::{BTreeMap, BTreeSet};

use patrol_core::domain::directory::{Person, Post};
use patrol_core::domain::id::PersonId;
use patrol_core::domain::time::Timestamp;

use super::Today;
use super::back::Stays;
use super::kept::{PostKey, post_key};

/// Ends the posts of an older version that have ended, and has them begin anew; the ends of leaves that are still to come stand in the
/// directory in force. Returns what begins today.
pub(super) fn give_back(
    old: &mut [Person],
    (force, stays): (&mut [Person], &Stays),
    today: Today,
) -> Vec<(PersonId, Post)> {
    let mut again = Vec::new();
    let mut known: BTreeMap<PersonId, &mut Person> =
        force.iter_mut().map(|person| (person.id, person)).collect();
    for person in old {
        let Some(now) = known.get_mut(&person.id) else {
            continue;
        };
        let asked = Asked {
            person: person.id,
            named: person.posts.iter().map(post_key).collect(),
            stays,
            today,
        };
        let mut back = Vec::new();
        for post in &mut person.posts {
            let Some((end, from)) = asked.next(post, &now.posts) else {
                continue;
            };
            let begun = Post { from, ..*post };
            let mut known = now.posts.iter();
            if !known.any(|known| post_key(known) == post_key(&begun)) {
                again.push((person.id, begun));
                // As if it had been set in what begins now.
                let leave = stays.ends.get(&(person.id, post_key(post)));
                now.posts.extend(leave.map(|end| Post {
                    until: Some(*end),
                    ..begun
                }));
            }
            back.push(begun);
            post.until = Some(end);
        }
        person.posts.extend(back);
    }
    again
}

/// Whose posts are asked for, and what is known besides.
struct Asked<'s> {
    person: PersonId,
    /// What the older version has of him.
    named: BTreeSet<PostKey>,
    stays: &'s Stays,
    today: Today,
}

impl Asked<'_> {
    /// When a post has ended that is to be held again, and from when on it is.
    fn next(&self, post: &Post, force: &[Post]) -> Option<(Timestamp, Timestamp)> {
        let now = self.today.now;
        let passed = |post: &Post| post.until.filter(|until| *until <= now);
        let mut same = force.iter();
        let same = same.find(|other| post_key(other) == post_key(post))?;
        let end = passed(same).filter(|_| passed(post).is_none())?;
        // He may have got it back since, and lost it again.
        let later = force.iter().filter(|other| {
            let is_like = (other.role, other.at) == (post.role, post.at);
            let is_later = end <= other.from && other.from <= now;
            is_like && is_later && !self.named.contains(&post_key(other))
        });
        let last = later.max_by_key(|other| other.from).unwrap_or(same);
        let has_left = [same, last].iter().any(|post| {
            let leave = self.stays.ends.get(&(self.person, post_key(post)));
            leave.is_some_and(|end| *end <= now)
        });
        if has_left {
            return None;
        }
        let from = passed(last).map(|end| end.max(self.today.begins()));
        Some((end, from.unwrap_or(last.from)))
    }
}
