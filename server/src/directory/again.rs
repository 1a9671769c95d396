//! Posts of an older version that files have ended since: who held one holds it again from today on, unless he has left; then who takes over
//! does.
//!
//! The time between stays a gap: what was judged in it stays judged.

use std::collections::{BTreeMap, BTreeSet};

use patrol_core::domain::directory::{Person, Post};
use patrol_core::domain::id::PersonId;
use patrol_core::domain::time::Timestamp;

use super::Today;
use super::kept::{PostKey, post_key};
use super::leaves::{Basis, Leave};

/// Ends the posts of an older version that have ended, and has them begin anew; leaves go for the one as for the other. Returns what begins
/// today.
pub(super) fn give_back(
    old: &mut [Person],
    force: &mut Basis,
    today: Today,
) -> Vec<(PersonId, Post)> {
    let Basis { said, leaves } = force;
    let mut again = Vec::new();
    let known: BTreeMap<PersonId, &Person> =
        said.iter().map(|person| (person.id, person)).collect();
    for person in old {
        let Some(now) = known.get(&person.id) else {
            continue;
        };
        let id = person.id;
        let mut leaves: Vec<&mut Leave> = leaves
            .iter_mut()
            .filter(|leave| leave.person == id)
            .collect();
        let asked = Asked {
            named: person.posts.iter().map(post_key).collect(),
            today,
        };
        let (mut stay, mut left) = (Vec::new(), Vec::new());
        for post in &mut person.posts {
            post.until = asked.end(post, &now.posts);
            let Some((end, from)) = asked.next(post, &now.posts) else {
                continue;
            };
            let was = *post;
            post.until = Some(end);
            let begun = Post { from, ..was };
            let has_left =
                |leave: &&mut Leave| leave.from <= today.now && leave.goes_for(&was, None);
            match leaves.iter().any(has_left) {
                true => left.push((was, begun)),
                false => stay.push((was, begun)),
            }
        }
        let is_known = |key| now.posts.iter().any(|known| post_key(known) == key);
        // Who has come back has his own row.
        let returns = |key, leaves: &[&mut Leave], begun: &Post| {
            is_known(key) && !leaves.iter().any(|leave| leave.goes_for(begun, None))
        };
        let mut begins = BTreeSet::new();
        let all = stay.iter().map(|pair| (pair, false));
        for ((was, begun), has_left) in all.chain(left.iter().map(|pair| (pair, true))) {
            let key = post_key(begun);
            if (has_left && returns(key, &leaves, begun)) || !begins.insert(key) {
                continue;
            }
            if !is_known(key) {
                again.push((id, *begun));
            }
            for leave in leaves.iter_mut().filter(|leave| leave.goes_for(was, None)) {
                if !leave.goes_for(begun, None) {
                    leave.known.push(key);
                }
            }
            person.posts.push(*begun);
        }
    }
    again
}

/// Of whose posts it is asked.
struct Asked {
    /// What the older version has of him.
    named: BTreeSet<PostKey>,
    today: Today,
}

impl Asked {
    /// When a post of the older version ends: what had passed then and has not is over with the day, and what has passed since stays as it was.
    fn end(&self, post: &Post, said: &[Post]) -> Option<Timestamp> {
        let Today { now, ends } = self.today;
        let mut same = said.iter();
        let same = same.find(|other| post_key(other) == post_key(post));
        match (post.until.filter(|until| *until <= now), same) {
            (Some(_), Some(same)) => same.until.filter(|until| *until <= now).or(Some(ends)),
            _ => post.until,
        }
    }

    /// When a post has ended that is to be held again, and from when on it is.
    fn next(&self, post: &Post, said: &[Post]) -> Option<(Timestamp, Timestamp)> {
        let now = self.today.now;
        let passed = |post: &Post| post.until.filter(|until| *until <= now);
        let mut same = said.iter();
        let same = same.find(|other| post_key(other) == post_key(post))?;
        let end = passed(same).filter(|_| passed(post).is_none())?;
        // He may have got it back since, and lost it again.
        let later = said.iter().filter(|other| {
            let is_like = (other.role, other.at) == (post.role, post.at);
            let is_later = end <= other.from && other.from <= now;
            is_like && is_later && !self.named.contains(&post_key(other))
        });
        let last = later.max_by_key(|other| other.from).unwrap_or(same);
        let from = passed(last).map(|end| end.max(self.today.begins()));
        // One with another begin that the older version does not have is over with the day.
        let is_replaced = said.iter().any(|other| {
            let is_like = (other.role, other.at) == (post.role, post.at);
            let is_held = other.from < end && passed(other).is_none();
            is_like && is_held && !self.named.contains(&post_key(other))
        });
        let from = from.map(|from| match is_replaced {
            true => self.today.ends,
            false => from,
        });
        Some((end, from.unwrap_or(last.from)))
    }
}
