//! What leaves have decided, told from one version of the directory to the next.
//!
//! A version says whether a leave made it. Those that were kept before that was noted do not: of them a leave is told by its form, so one
//! that nobody takes over from and that begins with the next day is taken for an import that lacked the person.

use patrol_core::domain::directory::{Directory, Person, Post};
use patrol_core::domain::id::PersonId;
use patrol_core::domain::time::Timestamp;

use super::restore::read;
use super::today;
use crate::app::App;
use crate::directory::{Held, Stays, post_key};
use crate::store::reference::MadeBy;
use crate::store::{Result, StoreError};

/// What leaves have decided after the version of a number, up to that of another.
pub(crate) fn decided_since(app: &App, no: u64, last: u64) -> Result<Stays> {
    let mut stays = Stays::default();
    each(app, (no, last), read, |leave, kept_at| {
        let left_at = leave.left_at(kept_at);
        let dropped = leave.dropped.into_iter().map(|held| (held, left_at));
        stays.dropped.extend(dropped);
        stays.ends.extend(leave.ends);
        stays.posts.extend(leave.given);
    })?;
    Ok(stays)
}

/// A leave of somebody.
pub(crate) struct Leaving {
    /// From when on he holds nothing by it.
    pub(crate) from: Timestamp,
    /// What it took from him, as it was before.
    pub(crate) took: Vec<Post>,
}

/// The leaves of a person in the order in which they were entered, and the posts that leaves have given to anybody.
pub(crate) fn leaves_of(
    app: &App,
    person: PersonId,
) -> Result<(Vec<Leaving>, Vec<(PersonId, Post)>)> {
    // A version that cannot be read says nothing: somebody must be able to leave all the same.
    let read = |app: &App, no| match read(app, no) {
        Err(StoreError::Broken(_)) => Ok(None),
        read => read,
    };
    let (mut leaves, mut given) = (Vec::new(), Vec::new());
    each(app, (0, app.known().no), read, |leave, kept_at| {
        let from = leave.left_at(kept_at);
        if let Some((was, _)) = leave.left.iter().find(|(was, _)| was.id == person) {
            let goes_on = |post: &&Post| post.until.is_none_or(|until| from < until);
            let took = was.posts.iter().filter(goes_on).copied().collect();
            leaves.push(Leaving { from, took });
        }
        given.extend(leave.given);
    })?;
    Ok((leaves, given))
}

/// Goes through the leaves after the version of a number, up to that of another, each with when it was entered.
fn each(
    app: &App,
    (no, last): (u64, u64),
    read: impl Fn(&App, u64) -> Result<Option<Directory>>,
    mut found: impl FnMut(Leave<'_>, Timestamp),
) -> Result<()> {
    let mut before: Option<(u64, Directory)> = None;
    for version in app.store.directories()? {
        let is_other = version.made_by == Some(MadeBy::Other);
        if is_other || !(no + 1..=last).contains(&version.no) {
            continue;
        }
        let was = match before.take() {
            Some((number, was)) if number + 1 == version.no => Some(was),
            _ => read(app, version.no - 1)?,
        };
        let (Some(was), Some(is)) = (was, read(app, version.no)?) else {
            continue;
        };
        let leave = Leave::between(&was, &is);
        let day_ends = today(version.kept_at).ends;
        if version.made_by.is_some() || leave.has_its_form((&was, &is), day_ends) {
            found(leave, version.kept_at);
        }
        before = Some((version.no, is));
    }
    Ok(())
}

/// What has become of people from one version to the next, if it was a leave that made it.
struct Leave<'d> {
    /// Who has left: as he was, and as he is.
    left: Vec<(&'d Person, &'d Person)>,
    /// The ends that it has set.
    ends: Vec<(Held, Timestamp)>,
    /// The posts that never begin by it.
    dropped: Vec<Held>,
    /// The posts that it has given.
    given: Vec<(PersonId, Post)>,
}

impl<'d> Leave<'d> {
    fn between(was: &'d Directory, is: &'d Directory) -> Self {
        let pairs = was.people.iter().zip(&is.people);
        let differing = pairs.filter(|(was, is)| was != is);
        let is_given = |(was, is): &(&Person, &Person)| is.posts.starts_with(&was.posts);
        let (given, left): (Vec<_>, Vec<_>) = differing.partition(is_given);
        let ends = left.iter().flat_map(|(was, is)| {
            let new = is.posts.iter().filter(|post| !was.posts.contains(post));
            new.filter_map(|post| Some(((is.id, post_key(post)), post.until?)))
        });
        let dropped = left.iter().flat_map(|(was, is)| {
            let has = |post: &&Post| {
                let mut posts = is.posts.iter();
                posts.any(|other| post_key(other) == post_key(post))
            };
            let gone = was.posts.iter().filter(move |post| !has(post));
            gone.map(|post| (was.id, post_key(post)))
        });
        let posts = given.iter().flat_map(|(was, is)| {
            let posts = is.posts.iter().skip(was.posts.len());
            posts.map(|post| (is.id, *post))
        });
        Self {
            ends: ends.collect(),
            dropped: dropped.collect(),
            given: posts.collect(),
            left,
        }
    }

    /// From when on who has left holds nothing; where none of it had begun, the time is not known, and is that at which it was entered.
    fn left_at(&self, kept_at: Timestamp) -> Timestamp {
        self.ends.first().map_or(kept_at, |(_, end)| *end)
    }

    /// Whether one person has no post any more, at most one other has got some, and nothing else differs. One that nobody takes over from
    /// and that begins with the next day might as well be an import that lacked a person, and counts as that.
    fn has_its_form(&self, (was, is): (&Directory, &Directory), day_ends: Timestamp) -> bool {
        let others = |of: &Directory| Directory {
            people: Vec::new(),
            ..of.clone()
        };
        let ([(_, left)], Some((_, end))) = (self.left.as_slice(), self.ends.first()) else {
            return false;
        };
        let has_left = |post: &Post| post.until.is_some_and(|until| until <= *end);
        let pairs = was.people.iter().zip(&is.people);
        let differing = pairs.filter(|(was, is)| was != is).count();
        let is_told_apart = !self.given.is_empty() || *end != day_ends;
        was.people.len() == is.people.len()
            && others(was) == others(is)
            && differing <= 2
            && is_told_apart
            && self.ends.iter().all(|(_, other)| other == end)
            && left.posts.iter().all(has_left)
            && self.given.iter().all(|(_, post)| *end <= post.from)
    }
}
