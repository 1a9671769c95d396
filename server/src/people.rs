//! Posts as the office changes them: who leaves and who takes over, and what a file of people may not undo.
//!
//! It revokes nothing and gives nobody an account; who may ask for it is asked by its callers. What was held is never deleted.

use std::collections::BTreeSet;

use patrol_core::domain::capability::Role;
use patrol_core::domain::directory::{Directory, Person, Post, PostAt};
use patrol_core::domain::id::PersonId;
use patrol_core::domain::time::Timestamp;
use patrol_core::sync::directory as codec;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use crate::app::App;
use crate::calendar::{day_begins, rfc3339};
use crate::directory::{self, post_key, posts_of};
use crate::import::{self, Leaving};
use crate::store::StoreError;
use crate::store::reference::MadeBy;

/// Who leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Leave {
    /// Whose posts end.
    pub person: PersonId,
    /// When; at once, where that is over.
    pub from: Timestamp,
    /// Who has them from then on.
    pub substitute: Option<PersonId>,
}

/// Why nobody leaves.
#[derive(Debug)]
pub enum LeaveFault {
    /// The directory does not know the person.
    Unknown,
    /// He holds no post then.
    NoPost,
    /// He leaves earlier: an end that has been set is put no later.
    LeavesAlready,
    /// He leaves at that very time already, and no substitute is named who might be added.
    LeavesThen,
    /// A file has his posts end then, not a leave: it says who has them next.
    EndsThen,
    /// The substitute is not in the directory, holds no post then, or is the same person.
    Substitute,
    /// Nobody would be administrator, or nobody who can sign in, at some time from then on.
    LastAdministrator,
    /// Not now.
    Store(StoreError),
}

impl From<StoreError> for LeaveFault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// What a leave did.
#[derive(Serialize, ToSchema, PartialEq, Eq, Debug)]
pub struct Left {
    person: String,
    /// Since when he holds no post.
    from: String,
    /// The posts that ended.
    ended: Vec<PostRow>,
    /// Those of them that nobody holds for some of their time: their work stays with the office.
    vacant: Vec<PostRow>,
}

/// A post.
#[derive(Serialize, ToSchema, Clone, PartialEq, Eq, Debug)]
pub struct PostRow {
    /// The role's word.
    role: &'static str,
    /// `city`, `unit:101` or `beat:1`.
    at: String,
    /// The name of the unit or beat; empty for the city.
    name: String,
}

/// Ends all posts of a person.
pub fn leave(app: &App, leave: Leave) -> Result<Left, LeaveFault> {
    let now = app.environment.now();
    let from = leave.from.max(now);
    app.change_directory(MadeBy::Leave, |directory| {
        let past = Past::of(app, directory, leave.person)?;
        let (left_at, ended) = end_posts(directory, leave, &past, now)?;
        if let Some(substitute) = leave.substitute {
            take_over(directory, leave, substitute, (&ended, &past), from)?;
        }
        if ended.iter().any(is_administrator) {
            let signing = signing_in(app, &[&directory.people])?;
            let is_signing = signing.contains(&leave.person);
            let is_gap = |signing| administrators_gap(&directory.people, signing, from).is_some();
            if is_gap(None) || (is_signing && is_gap(Some(&signing))) {
                return Err(LeaveFault::LastAdministrator);
            }
        }
        let is_vacant = |post: &Post| {
            let is_like = |other: &Post| (other.role, other.at) == (post.role, post.at);
            let posts = directory.people.iter().flat_map(|person| &person.posts);
            let gap = first_gap(posts.filter(|other| is_like(other)), post.from.max(from));
            gap.is_some_and(|gap| post.until.is_none_or(|until| gap < until))
        };
        let vacant: Vec<&Post> = ended.iter().filter(|post| is_vacant(post)).collect();
        Ok(Left {
            person: leave.person.hex(),
            from: rfc3339(left_at),
            vacant: vacant
                .into_iter()
                .map(|post| row(directory, post))
                .collect(),
            ended: ended.iter().map(|post| row(directory, post)).collect(),
        })
    })
}

/// The first time, from one on, at which nobody holds any of some posts.
fn first_gap<'p>(posts: impl Iterator<Item = &'p Post>, from: Timestamp) -> Option<Timestamp> {
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

fn is_administrator(post: &Post) -> bool {
    post.role == Role::Administrator
}

/// The first time, from one on, at which nobody is administrator: nobody of these, if some are named.
fn administrators_gap(
    people: &[Person],
    of: Option<&BTreeSet<PersonId>>,
    from: Timestamp,
) -> Option<Timestamp> {
    let people = people
        .iter()
        .filter(|person| of.is_none_or(|of| of.contains(&person.id)));
    let posts = people.flat_map(|person| &person.posts);
    first_gap(posts.filter(|post| is_administrator(post)), from)
}

/// Those who are, were or will be administrators and have an account.
fn signing_in(app: &App, people: &[&[Person]]) -> crate::store::Result<BTreeSet<PersonId>> {
    let mut signing = BTreeSet::new();
    for person in people.iter().copied().flatten() {
        if person.posts.iter().any(is_administrator) && app.store.account_of(person.id)?.is_some() {
            signing.insert(person.id);
        }
    }
    Ok(signing)
}

/// When administrators end, where people come in place of others.
pub(crate) struct AdministratorsEnd {
    /// When nobody is one any more, or nobody who can sign in.
    pub(crate) from: Timestamp,
    /// Whether somebody could sign in as one, and nobody can at once.
    pub(crate) is_lock_out: bool,
}

/// When nobody is administrator any more, or nobody who can sign in, where people come in place of others of whom somebody was, for longer.
pub(crate) fn administrators_end(
    app: &App,
    before: &[Person],
    after: &[Person],
) -> crate::store::Result<Option<AdministratorsEnd>> {
    let now = app.environment.now();
    let signing = signing_in(app, &[before, after])?;
    let end = |of| {
        let [before, after] = [before, after].map(|people| administrators_gap(people, of, now));
        after.filter(|after| before.is_none_or(|before| *after < before))
    };
    let signing = end(Some(&signing));
    let from = [end(None), signing].into_iter().flatten().min();
    Ok(from.map(|from| AdministratorsEnd {
        from,
        is_lock_out: signing.is_some_and(|end| end <= now),
    }))
}

/// What leaves have decided before.
#[derive(Default)]
struct Past {
    /// The leaves of who leaves, in the order in which they were entered.
    leaves: Vec<Leaving>,
    /// The posts that leaves have given to anybody, and that are held.
    given: Vec<Post>,
}

impl Past {
    fn of(app: &App, directory: &Directory, person: PersonId) -> crate::store::Result<Self> {
        let known = directory.person(person);
        // Who has posts without an end alone has not left.
        if known.is_none_or(|known| known.posts.iter().all(|post| post.until.is_none())) {
            return Ok(Self::default());
        }
        let (leaves, given) = import::leaves_of(app, person)?;
        let is_held = |(person, post): &(PersonId, Post)| {
            let holder = directory.person(*person);
            let posts = holder.into_iter().flat_map(|holder| &holder.posts);
            posts
                .into_iter()
                .any(|held| post_key(held) == post_key(post))
        };
        let given = given.into_iter().filter(is_held);
        Ok(Self {
            leaves,
            given: given.map(|(_, post)| post).collect(),
        })
    }

    /// When he left, if the last of his leaves is the one that is said once more. One that has come is known by its day alone: it may have
    /// begun with the minute in which it was entered.
    fn said_again(&self, said: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let last = self.leaves.last()?.from;
        let is_of_day = |day| day_begins(last) == day_begins(day);
        let is_it = match last <= now {
            true => is_of_day(said) || (said <= now && is_of_day(now)),
            false => last == said,
        };
        is_it.then_some(last)
    }

    /// What somebody with such posts would hold from a time on, had he not left then or later; the ends that files have set stay.
    fn without_leaves(&self, posts: &[Post], from: Timestamp) -> Vec<Post> {
        let goes_on = |post: &&Post| post.until.is_none_or(|until| from <= until);
        let mut held: Vec<Post> = posts.iter().filter(goes_on).copied().collect();
        for leave in self.leaves.iter().rev().filter(|leave| from <= leave.from) {
            for took in &leave.took {
                let is_it = |post: &&mut Post| post_key(post) == post_key(took);
                match held.iter_mut().find(is_it) {
                    Some(post) if post.until == Some(leave.from) => post.until = took.until,
                    Some(_) => {}
                    // It never began.
                    None if leave.from <= took.from => held.push(*took),
                    None => {}
                }
            }
        }
        held.sort_by_key(|post| post.from);
        held
    }

    /// When a post that is taken over goes to who has been named for it from one of his later leaves on.
    fn next_holder(&self, post: &Post) -> Option<Timestamp> {
        let of_leaves = |from| self.leaves.iter().any(|leave| leave.from == from);
        let given = self.given.iter().filter(|given| {
            (given.role, given.at) == (post.role, post.at) && post.from < given.from
        });
        let begins = given.map(|given| given.from);
        begins.filter(|from| of_leaves(*from)).min()
    }
}

/// Ends a person's posts; what had not begun by then never begins. Returns since when he holds none, and what he would have held from then on
/// if he had never left.
fn end_posts(
    directory: &mut Directory,
    leave: Leave,
    past: &Past,
    now: Timestamp,
) -> Result<(Timestamp, Vec<Post>), LeaveFault> {
    let from = leave.from.max(now);
    let mut people = directory.people.iter_mut();
    let found = people.find(|known| known.id == leave.person);
    let posts = &mut found.ok_or(LeaveFault::Unknown)?.posts;
    let goes_on_at = |post: &Post, time| post.until.is_none_or(|until| time < until);
    let held = |posts: &[Post], at| {
        let mut held = past.without_leaves(posts, at);
        held.retain(|post| goes_on_at(post, from));
        held
    };
    if posts.iter().any(|post| goes_on_at(post, from)) {
        let ended = held(posts, from);
        posts.retain(|post| post.from < from);
        for post in posts.iter_mut().filter(|post| goes_on_at(post, from)) {
            post.until = Some(from);
        }
        return Ok((from, ended));
    }
    // Who takes over may be named later, or once more where the answer was lost.
    let said_again = past.said_again(leave.from, now);
    if let Some(left_at) = said_again.filter(|_| leave.substitute.is_some()) {
        let ended = held(posts, left_at);
        if !ended.is_empty() {
            return Ok((left_at, ended));
        }
    }
    let ends_then = posts.iter().any(|post| post.until == Some(from));
    let is_ahead = posts.iter().any(|post| goes_on_at(post, now));
    Err(match said_again {
        Some(at) if now < at => LeaveFault::LeavesThen,
        _ if ends_then && now < from => LeaveFault::EndsThen,
        _ if is_ahead => LeaveFault::LeavesAlready,
        _ => LeaveFault::NoPost,
    })
}

/// Gives posts to a substitute from then on, but for those that he has anyway, and for no longer than he has any of his own: who leaves
/// himself takes over until then, whichever leave was entered first. So does who comes before one who was named for a later day.
fn take_over(
    directory: &mut Directory,
    leave: Leave,
    substitute: PersonId,
    (ended, past): (&[Post], &Past),
    from: Timestamp,
) -> Result<(), LeaveFault> {
    let mut people = directory.people.iter_mut();
    let found = people.find(|known| known.id == substitute && substitute != leave.person);
    let posts = &mut found.ok_or(LeaveFault::Substitute)?.posts;
    // Who has left is not let in again by another's leave.
    if !posts.iter().any(|post| post.is_in_force_at(from)) {
        return Err(LeaveFault::Substitute);
    }
    let last = posts.iter().map(|post| post.until);
    // None where one has no end: it goes for all time.
    let last = last.reduce(|one, other| Some(one?.max(other?))).flatten();
    for post in ended {
        let mut next = Post {
            from: post.from.max(from),
            ..*post
        };
        let ends = [post.until, last, past.next_holder(&next)];
        next.until = ends.into_iter().flatten().min();
        if next.until.is_some_and(|until| until <= next.from) {
            continue;
        }
        let is_had = posts.iter().any(|own| {
            let lasts = own
                .until
                .is_none_or(|own| next.until.is_some_and(|until| until <= own));
            (own.role, own.at) == (next.role, next.at) && own.from <= next.from && lasts
        });
        if !is_had {
            posts.push(next);
        }
    }
    Ok(())
}

fn row(directory: &Directory, post: &Post) -> PostRow {
    let name = match post.at {
        PostAt::City => None,
        PostAt::Unit(unit) => directory.unit(unit).map(|unit| unit.name.clone()),
        PostAt::Beat(beat) => directory.beat(beat).map(|beat| beat.name.clone()),
    };
    PostRow {
        role: post.role.word(),
        at: directory::post_at_text(post.at),
        name: name.unwrap_or_default(),
    }
}

/// Why people of a file do not come in place of those in force.
#[derive(Debug)]
pub enum MergeFault {
    /// An administrator can sign in, and none could.
    LocksOut,
    /// Not now.
    Store(StoreError),
}

impl From<StoreError> for MergeFault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Decides which people a directory from a file has. Where the file has none, or those that were put in force from a file last, it is
/// those in force now, with all that was changed since. Returns what somebody should look at, in words.
pub fn merge(app: &App, loaded: &mut Directory) -> Result<Vec<String>, MergeFault> {
    let known = app.known();
    let people = &known.directory.people;
    let noted = app.store.folder()?.and_then(|folder| folder.people);
    // An older program noted them in the order of the file's rows.
    let is_known = [hash_of(&loaded.people), hash_in_order(&loaded.people)]
        .iter()
        .any(|hash| noted.as_ref() == Some(hash));
    if loaded.people.is_empty() || is_known {
        loaded.people.clone_from(people);
        return Ok(Vec::new());
    }
    let stays = import::decided_since(app, 0, known.no)?;
    let kept = directory::keep_leaves(&mut loaded.people, people, &stays);
    loaded.people.sort_by_key(|person| person.id);
    directory::in_order_of(&mut loaded.people, people);
    let gone = posts_of(people)
        .difference(&posts_of(&loaded.people))
        .count();
    let (kept, takeovers) = (kept.ends.len(), kept.takeovers.len());
    let mut words = Vec::new();
    if let Some(end) = administrators_end(app, people, &loaded.people)? {
        if end.is_lock_out {
            return Err(MergeFault::LocksOut);
        }
        words.push(format!(
            "people.csv has no administrator who can sign in from {} on, so nobody manages people and phones then: give one who stays an account before",
            rfc3339(end.from)
        ));
    }
    if kept > 0 {
        words.push(format!(
            "{kept} posts have ended earlier than people.csv says: the earlier end stays, and who comes back needs a row of his own"
        ));
    }
    if takeovers > 0 {
        words.push(format!(
            "{takeovers} posts follow on such an end and are not in people.csv: they stay, until it has the end itself"
        ));
    }
    if gone > 0 {
        words.push(format!(
            "{gone} posts were in the directory and are not in people.csv: late work of their people will be refused; give a post an end instead"
        ));
    }
    Ok(words)
}

/// Names the people of a file, in whatever order its rows stand.
pub(crate) fn hash_of(people: &[Person]) -> [u8; 32] {
    let mut people = people.to_vec();
    people.sort_by_key(|person| person.id);
    for person in &mut people {
        let posts = &mut person.posts;
        posts.sort_by_key(|post| (post_key(post), post.until));
    }
    hash_in_order(&people)
}

fn hash_in_order(people: &[Person]) -> [u8; 32] {
    let alone = Directory {
        people: people.to_vec(),
        ..Directory::default()
    };
    Sha256::digest(codec::encode(&alone)).into()
}
