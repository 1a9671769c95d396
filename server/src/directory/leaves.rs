//! Who holds which posts: what files say of people, and what leaves make of it. Both are kept as they came, so that neither undoes the other,
//! and whatever comes later changes nothing of what was entered.
//!
//! It enters no leave and stores none. Nothing here has a clock: the same always gives the same.

pub(crate) mod text;

use std::collections::{BTreeMap, BTreeSet};

use patrol_core::domain::capability::Role;
use patrol_core::domain::directory::{Person, Post, PostAt};
use patrol_core::domain::id::PersonId;
use patrol_core::domain::time::Timestamp;

use super::kept::{Held, PostKey, post_key};
use crate::calendar::day_begins;

/// A leave, as it was entered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Leave {
    /// Its place among everything that was entered: 1, 2, 3 …
    pub(crate) no: u64,
    /// Who leaves.
    pub(crate) person: PersonId,
    /// The time that was said; it may have been over.
    pub(crate) asked: Timestamp,
    /// From when on he holds nothing by it.
    pub(crate) from: Timestamp,
    /// His posts of files that went on then, as far as they were known, whether they had begun or not; and what restores bring back of those
    /// that had been taken away before.
    pub(crate) known: Vec<PostKey>,
    /// Who takes over, in the order in which they were named.
    pub(crate) substitutes: Vec<Named>,
}

/// Who takes over, from a time on in place of who was named before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Named {
    /// Its place among everything that was entered.
    pub(crate) no: u64,
    /// Who.
    pub(crate) person: PersonId,
    /// Since when.
    pub(crate) since: Timestamp,
}

/// From what it follows which people are in force.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Basis {
    /// People as files say.
    pub(crate) said: Vec<Person>,
    /// All leaves, in the order in which they were entered.
    pub(crate) leaves: Vec<Leave>,
}

/// What follows from a basis.
#[derive(Default)]
pub(crate) struct Decided {
    /// The people in force.
    pub(crate) people: Vec<Person>,
    /// Those of their posts that leaves have given to them, each with the post of a file that it was.
    pub(crate) given: Vec<(Held, Held)>,
    /// What each leave has ended, by its number, as it would have been held.
    pub(crate) ended: Vec<(u64, Post)>,
}

/// A post that somebody has but for his leaves.
#[derive(Clone)]
struct Claim {
    person: PersonId,
    post: Post,
    /// By what he was named for it; none where files say it.
    given_by: Option<Named>,
    /// The post of a file that it comes from.
    first: Held,
    /// The numbers of the leaves by which it was passed on.
    passed: Vec<u64>,
}

/// The leaves of each person, in the order in which they were entered.
type Leaves<'l> = BTreeMap<PersonId, Vec<&'l Leave>>;

impl Leave {
    /// Whether it goes for a post: one of a file that begins before it, or that was known when it was entered. Files have days, and leaves a
    /// time of the day: who left today may come back today. Of what he is given, for all but what he was named for after he came back.
    pub(crate) fn goes_for(&self, post: &Post, given_by: Option<Named>) -> bool {
        match given_by {
            None => post.from < day_begins(self.from) || self.known.contains(&post_key(post)),
            Some(named) => named.since < self.from || named.no < self.no,
        }
    }
}

/// The leaves of its holder that end a post, each earlier than the one before.
fn ending<'l>(leaves: &[&'l Leave], post: &Post, given_by: Option<Named>) -> Vec<&'l Leave> {
    // That a row of a file never begins by itself is a fault of the file, and told as that.
    if post.until.is_some_and(|until| until <= post.from) {
        return Vec::new();
    }
    let mut end = post.until;
    let mut ending = Vec::new();
    for leave in leaves {
        if end.is_none_or(|end| leave.from < end) && leave.goes_for(post, given_by) {
            end = Some(leave.from);
            ending.push(*leave);
        }
    }
    ending
}

/// What a post is for its holder, who leaves; none where it then never begins.
fn cut(post: &Post, ending: &[&Leave]) -> Option<Post> {
    let Some(last) = ending.last() else {
        return Some(*post);
    };
    (post.from < last.from).then_some(Post {
        until: Some(last.from),
        ..*post
    })
}

/// What those have who are named by the leaves that end a post: each leave's until the next one that names anybody. What comes back to a leave
/// by which it was passed on is nobody's: of those who leave and name each other, none is there.
fn passed_on(claim: &Claim, ending: &[&Leave], claims: &mut Vec<Claim>) {
    let mut end = claim.post.until;
    // From the last day to the first.
    for leave in ending.iter().filter(|leave| !leave.substitutes.is_empty()) {
        let begin = claim.post.from.max(leave.from);
        let mut until = end;
        let is_passed = claim.passed.contains(&leave.no);
        for named in leave.substitutes.iter().rev() {
            let from = begin.max(named.since);
            if !is_passed && until.is_none_or(|until| from < until) {
                let post = Post {
                    from,
                    until,
                    ..claim.post
                };
                let mut passed = claim.passed.clone();
                passed.push(leave.no);
                claims.push(Claim {
                    person: named.person,
                    post,
                    given_by: Some(*named),
                    first: claim.first,
                    passed,
                });
            }
            until = Some(until.map_or(named.since, |until| until.min(named.since)));
        }
        end = Some(end.map_or(leave.from, |end| end.min(leave.from)));
    }
}

/// When the leaves of a person end a post that a file says, if they do. It may be before the post begins.
pub(crate) fn end_of(leaves: &[Leave], person: PersonId, post: &Post) -> Option<Timestamp> {
    let own = leaves.iter().filter(|leave| leave.person == person);
    let ending = ending(&own.collect::<Vec<_>>(), post, None);
    ending.last().map(|leave| leave.from)
}

impl Basis {
    /// Has leaves that an older version did not have yet know the posts which files said then: whoever has left since has left those too. What
    /// files say now has been decided.
    pub(crate) fn know(&mut self, old: &Self) {
        let Self { said, leaves } = self;
        let were: BTreeSet<u64> = old.leaves.iter().map(|leave| leave.no).collect();
        let posts = |people: &[Person], id| {
            let people = people.iter().filter(|person| person.id == id);
            let posts = people.flat_map(|person| &person.posts).copied();
            posts.collect::<Vec<Post>>()
        };
        for leave in leaves.iter_mut().filter(|leave| !were.contains(&leave.no)) {
            let is = posts(said, leave.person);
            let is: BTreeSet<PostKey> = is.iter().map(post_key).collect();
            for post in posts(&old.said, leave.person) {
                let goes_on = post.until.is_none_or(|until| leave.from < until);
                let key = post_key(&post);
                if goes_on && !is.contains(&key) && !leave.goes_for(&post, None) {
                    leave.known.push(key);
                }
            }
        }
    }

    /// The number of what is entered next.
    pub(crate) fn next_no(&self) -> u64 {
        let named = self.leaves.iter().flat_map(|leave| &leave.substitutes);
        let numbers = self.leaves.iter().map(|leave| leave.no);
        numbers
            .chain(named.map(|named| named.no))
            .max()
            .unwrap_or(0)
            + 1
    }

    /// The people in force.
    pub(crate) fn in_force(&self) -> Vec<Person> {
        self.decided().people
    }

    /// Everybody with all that rows of files name, whether it is in force or not.
    pub(crate) fn with_said(&self) -> Vec<Person> {
        self.decided().with_said(&self.said)
    }

    /// The people in force, and how they come about.
    pub(crate) fn decided(&self) -> Decided {
        let mut leaves = Leaves::new();
        for leave in &self.leaves {
            leaves.entry(leave.person).or_default().push(leave);
        }
        let of = |person| leaves.get(&person).map_or(&[][..], Vec::as_slice);
        let mut decided = Decided::default();
        let mut claims = Vec::new();
        for person in &self.said {
            let mut posts = Vec::new();
            for post in &person.posts {
                let claim = Claim {
                    person: person.id,
                    post: *post,
                    given_by: None,
                    first: (person.id, post_key(post)),
                    passed: Vec::new(),
                };
                posts.extend(decided.leave(&claim, of(person.id), &mut claims));
            }
            decided.people.push(Person {
                posts,
                ..person.clone()
            });
        }
        // Who takes over leaves as well. No leave passes on what it has passed on before, so that it comes to an end.
        let said = self.said.iter().map(|said| (said.id, &said.posts));
        let said: BTreeMap<PersonId, &Vec<Post>> = said.collect();
        let mut given: BTreeMap<PersonId, Vec<Claim>> = BTreeMap::new();
        while let Some(mut claim) = claims.pop() {
            // He passes on no more than he would hold if he stayed: what he had left before he was named is not his.
            let own = said.get(&claim.person).into_iter().copied().flatten();
            let before = of(claim.person).iter().copied();
            let before = before.filter(|leave| !leave.goes_for(&claim.post, claim.given_by));
            let before: Vec<&Leave> = before.collect();
            let own = own.filter_map(|post| cut(post, &ending(&before, post, None)));
            let own: Vec<Post> = own.collect();
            claim.post = until(claim.post, first_gap(own.iter(), claim.post.from));
            if claim.post.until == Some(claim.post.from) {
                continue;
            }
            if let Some(post) = decided.leave(&claim, of(claim.person), &mut claims) {
                let given = given.entry(claim.person).or_default();
                given.push(Claim { post, ..claim });
            }
        }
        for person in &mut decided.people {
            let taken = taken_over(&person.posts, given.remove(&person.id).unwrap_or_default());
            let held = |post: &Post| (person.id, post_key(post));
            let given = taken.iter().map(|(post, first)| (held(post), *first));
            decided.given.extend(given);
            person.posts.extend(taken.iter().map(|(post, _)| *post));
        }
        decided
    }
}

impl Decided {
    /// Has somebody leave a post, and says for how long he holds it.
    fn leave(&mut self, claim: &Claim, leaves: &[&Leave], claims: &mut Vec<Claim>) -> Option<Post> {
        let ending = ending(leaves, &claim.post, claim.given_by);
        let ended = ending.iter().map(|leave| (leave.no, claim.post));
        self.ended.extend(ended);
        passed_on(claim, &ending, claims);
        cut(&claim.post, &ending)
    }

    /// Everybody with the rows that files say of him, and what he has been given: what any of it names must be there.
    pub(crate) fn with_said(&self, said: &[Person]) -> Vec<Person> {
        let given: BTreeSet<Held> = self.given.iter().map(|(held, _)| *held).collect();
        let mut people = said.to_vec();
        for (person, is) in people.iter_mut().zip(&self.people) {
            let is_given = |post: &&Post| given.contains(&(is.id, post_key(post)));
            person.posts.extend(is.posts.iter().filter(is_given));
        }
        people
    }
}

/// What somebody holds of posts that he is given: for as long as he has had any of his own, and what he does not hold anyway. In the order
/// of roles, places and days.
fn taken_over(own: &[Post], given: Vec<Claim>) -> Vec<(Post, Held)> {
    let mut pieces: BTreeMap<(Role, PostAt), Vec<(Post, Held)>> = BTreeMap::new();
    for Claim { post, first, .. } in given {
        let post = until(post, first_gap(own.iter(), post.from));
        let is_like = |other: &&Post| (other.role, other.at) == (post.role, post.at);
        let like = own.iter().filter(is_like);
        let pieces = pieces.entry((post.role, post.at)).or_default();
        for piece in without(post, like.collect()) {
            pieces.push((piece, first));
        }
    }
    let mut taken: Vec<(Post, Held)> = Vec::new();
    for mut pieces in pieces.into_values() {
        pieces.sort_by_key(|(post, _)| (post.from, post.until));
        for (post, first) in pieces {
            let is_like = |last: &Post| (last.role, last.at) == (post.role, post.at);
            match taken.last_mut() {
                Some((last, _))
                    if is_like(last) && last.until.is_none_or(|end| post.from <= end) =>
                {
                    let until = last.until.zip(post.until);
                    last.until = until.map(|(one, other)| one.max(other));
                }
                _ => taken.push((post, first)),
            }
        }
    }
    taken
}

/// A post that ends with a gap, if that comes first.
fn until(post: Post, gap: Option<Timestamp>) -> Post {
    let ends = [post.until, gap].into_iter().flatten();
    Post {
        until: ends.min(),
        ..post
    }
}

/// What is left of a post where others like it are held.
fn without(post: Post, mut others: Vec<&Post>) -> Vec<Post> {
    others.sort_by_key(|other| other.from);
    let goes_on = |from: Timestamp| post.until.is_none_or(|until| from < until);
    let mut left = Vec::new();
    let mut from = post.from;
    for other in others {
        if other.until.is_some_and(|until| until <= from) {
            continue;
        }
        if from < other.from && goes_on(from) {
            let until = Some(post.until.map_or(other.from, |end| end.min(other.from)));
            left.push(Post {
                from,
                until,
                ..post
            });
        }
        let Some(until) = other.until else {
            return left;
        };
        from = from.max(until);
    }
    if goes_on(from) {
        left.push(Post { from, ..post });
    }
    left
}

/// The first time, from one on, at which nobody holds any of some posts.
pub(crate) fn first_gap<'p>(
    posts: impl Iterator<Item = &'p Post>,
    from: Timestamp,
) -> Option<Timestamp> {
    let mut posts: Vec<&Post> = posts.collect();
    posts.sort_by_key(|post| post.from);
    let mut at = from;
    for post in posts {
        if post.from > at {
            break;
        }
        at = at.max(post.until?);
    }
    Some(at)
}

#[cfg(test)]
mod tests;
