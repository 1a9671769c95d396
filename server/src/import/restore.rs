//! A version of the directory that was in force comes back, as a preview like any other.
//!
//! Versions do not say what made them. What a leave has decided since is told from what an import has by its form: one person has no post
//! any more, at most one other has got some, and nothing else differs.

use std::collections::BTreeSet;

use patrol_core::domain::directory::{Directory, Person, Post};
use patrol_core::domain::id::PersonId;
use patrol_core::domain::time::Timestamp;
use patrol_core::sync::directory as codec;

use super::{Preview, begun, take_in, today};
use crate::app::App;
use crate::directory::{self, Held, Stays, post_key};
use crate::store::{Result, StoreError};

/// What would be with the version of a number in force again. None: there was none of that number.
pub fn preview(app: &App, no: u64) -> Result<Option<Preview>> {
    let mut preview = begun(app)?;
    let (base, _) = preview.base;
    let Some(old) = read(app, no)?.filter(|_| no <= base) else {
        return Ok(None);
    };
    let known = app.known();
    let stays = decided_since(app, (no, &old), base)?;
    let today = today(app.environment.now());
    let laid = directory::back_over((no, old), &known.directory, &stays, today);
    take_in(
        app,
        laid,
        (today, &format!("directory {no}").into()),
        &mut preview,
    )?;
    Ok(Some(preview))
}

pub(super) fn read(app: &App, no: u64) -> Result<Option<Directory>> {
    let Some(bytes) = app.store.directory_of(no)? else {
        return Ok(None);
    };
    let directory = codec::decode(&bytes);
    let directory = directory
        .map_err(|fault| StoreError::Broken(format!("directory {no} cannot be read: {fault:?}")))?;
    Ok(Some(directory))
}

/// What leaves have decided since a version, up to another.
fn decided_since(app: &App, (no, old): (u64, &Directory), last: u64) -> Result<Stays> {
    let mut stays = Stays::default();
    let mut was = old.clone();
    for (is_no, kept_at) in app.store.directories()? {
        if !(no + 1..=last).contains(&is_no) {
            continue;
        }
        let Some(is) = read(app, is_no)? else {
            continue;
        };
        if let Some((ends, posts)) = leave_between(&was, &is, today(kept_at).ends) {
            stays.ends.extend(ends);
            stays.posts.extend(posts);
        }
        was = is;
    }
    Ok(stays)
}

/// The ends that a leave has set and the posts that it has given.
type Leave = (Vec<(Held, Timestamp)>, Vec<(PersonId, Post)>);

/// What a leave has decided, if it was one that made the one directory of the other. One that nobody takes over from and that begins with the
/// next day might as well be an import that lacked a person, and counts as that.
fn leave_between(was: &Directory, is: &Directory, day_ends: Timestamp) -> Option<Leave> {
    let people = Vec::new();
    let others = |of: &Directory| Directory {
        people: people.clone(),
        ..of.clone()
    };
    if others(was) != others(is) || was.people.len() != is.people.len() {
        return None;
    }
    let pairs = was.people.iter().zip(&is.people);
    let differing: Vec<(&Person, &Person)> = pairs.filter(|(was, is)| was != is).collect();
    let ends = |(was, is): &(&Person, &Person)| -> Vec<(Held, Timestamp)> {
        let before: BTreeSet<_> = was
            .posts
            .iter()
            .map(|post| (post_key(post), post.until))
            .collect();
        let posts = is.posts.iter();
        let new = posts.filter(|post| !before.contains(&(post_key(post), post.until)));
        new.filter_map(|post| Some(((is.id, post_key(post)), post.until?)))
            .collect()
    };
    let is_given = |(was, is): &(&Person, &Person)| is.posts.starts_with(&was.posts);
    let (given, left): (Vec<_>, Vec<_>) = differing.into_iter().partition(is_given);
    let ([left], [] | [_]) = (left.as_slice(), given.as_slice()) else {
        return None;
    };
    let ends = ends(left);
    let (_, end) = ends.first()?;
    let has_left = |post: &Post| post.until.is_some_and(|until| until <= *end);
    let is_leave = ends.iter().all(|(_, other)| other == end) && left.1.posts.iter().all(has_left);
    let is_told_apart = !given.is_empty() || *end != day_ends;
    let posts = given.iter().flat_map(|(was, is)| {
        let posts = is.posts.iter().skip(was.posts.len());
        posts.map(|post| (is.id, *post))
    });
    let posts: Vec<(PersonId, Post)> = posts.collect();
    let follows = posts.iter().all(|(_, post)| *end <= post.from);
    (is_leave && is_told_apart && follows).then_some((ends, posts))
}
