//! Posts as the office changes them: who leaves and who takes over, and what a file of people may not undo.
//!
//! It revokes nothing and gives nobody an account; who may ask for it is asked by its callers. What leaves make of posts, the directory says.

mod entry;

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
use crate::calendar::rfc3339;
use crate::directory::leaves::{Basis, first_gap};
use crate::directory::{self, Ends, Kept, post_key, posts_of};
use crate::store::StoreError;
use crate::store::reference::MadeBy;
use entry::Said;

/// Who leaves, as it is said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Leaving {
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
    #[serde(skip)]
    said: Said,
}

impl Left {
    /// Whether posts have ended by this, and not when it was said before.
    pub(crate) fn is_new(&self) -> bool {
        self.said == Said::First
    }
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
pub fn leave(app: &App, leaving: Leaving) -> Result<Left, LeaveFault> {
    let now = app.environment.now();
    app.change_people(MadeBy::Leave, |directory, basis| {
        let entered = entry::enter(basis, leaving, now)?;
        let after = basis.decided();
        let ended = after.ended.iter().filter(|(no, _)| *no == entered.no);
        let ended: Vec<&Post> = ended.map(|(_, post)| post).collect();
        let from = entered.from.max(now);
        let people = (&directory.people[..], &after.people[..]);
        if ended.iter().any(|post| is_administrator(post))
            && administrators_end(app, people, from)?.is_some()
        {
            return Err(LeaveFault::LastAdministrator);
        }
        let is_vacant = |post: &&&Post| {
            let is_like = |other: &&Post| (other.role, other.at) == (post.role, post.at);
            let posts = after.people.iter().flat_map(|person| &person.posts);
            let gap = first_gap(posts.filter(is_like), post.from.max(from));
            gap.is_some_and(|gap| post.until.is_none_or(|until| gap < until))
        };
        let vacant: Vec<&Post> = ended.iter().filter(is_vacant).copied().collect();
        Ok(Left {
            person: leaving.person.hex(),
            from: rfc3339(entered.from),
            ended: rows(directory, &ended),
            vacant: rows(directory, &vacant),
            said: entered.said,
        })
    })
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

/// When nobody is administrator any more, or nobody who can sign in, where people come in place of others of whom somebody was, for longer;
/// from a time on.
pub(crate) fn administrators_end(
    app: &App,
    (before, after): (&[Person], &[Person]),
    from: Timestamp,
) -> crate::store::Result<Option<AdministratorsEnd>> {
    let signing = signing_in(app, &[before, after])?;
    let end = |of| {
        let [before, after] = [before, after].map(|people| administrators_gap(people, of, from));
        after.filter(|after| before.is_none_or(|before| *after < before))
    };
    let signing = end(Some(&signing));
    let first = [end(None), signing].into_iter().flatten().min();
    Ok(first.map(|first| AdministratorsEnd {
        from: first,
        is_lock_out: signing.is_some_and(|end| end <= from),
    }))
}

/// Posts, each once.
fn rows(directory: &Directory, posts: &[&Post]) -> Vec<PostRow> {
    let mut rows: Vec<PostRow> = Vec::new();
    for post in posts {
        let row = row(directory, post);
        if !rows.contains(&row) {
            rows.push(row);
        }
    }
    rows
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
/// those in force now, with all that was changed since. Returns from what they follow, and what somebody should look at, in words.
pub(crate) fn merge(app: &App, loaded: &mut Directory) -> Result<(Basis, Vec<String>), MergeFault> {
    let known = app.known();
    let people = &known.directory.people;
    let noted = app.store.folder()?.and_then(|folder| folder.people);
    // An older program noted them in the order of the file's rows.
    let is_known = [hash_of(&loaded.people), hash_in_order(&loaded.people)]
        .iter()
        .any(|hash| noted.as_ref() == Some(hash));
    if loaded.people.is_empty() || is_known {
        loaded.people.clone_from(people);
        return Ok((known.basis.clone(), Vec::new()));
    }
    let ends = Ends::of(&known.basis);
    let mut basis = Basis {
        said: loaded.people.clone(),
        leaves: known.basis.leaves.clone(),
    };
    ends.set_in(&mut basis.said);
    basis.said.sort_by_key(|person| person.id);
    directory::in_order_of(&mut basis.said, &known.basis.said);
    let decided = basis.decided();
    let now = app.environment.now();
    let kept = Kept::of(&loaded.people, &ends, (people, &decided), now);
    loaded.people = decided.people;
    let end = administrators_end(app, (people, &loaded.people), now)?;
    if end.as_ref().is_some_and(|end| end.is_lock_out) {
        return Err(MergeFault::LocksOut);
    }
    let gone = posts_of(people);
    let gone = gone.difference(&posts_of(&loaded.people)).count();
    Ok((basis, words(end, &kept, gone)))
}

/// What somebody should look at: when administrators end, what stays against the file, and how many posts are gone.
fn words(end: Option<AdministratorsEnd>, kept: &Kept, gone: usize) -> Vec<String> {
    let (ends, given) = (kept.ends.len(), kept.given.len());
    let mut words = Vec::new();
    if let Some(end) = end {
        words.push(format!(
            "people.csv has no administrator who can sign in from {} on, so nobody manages people and phones then: give one who stays an account before",
            rfc3339(end.from)
        ));
    }
    if ends > 0 {
        words.push(format!(
            "{ends} posts have ended earlier than people.csv says: the earlier end stays, and who comes back needs a row of his own"
        ));
    }
    if given > 0 {
        words.push(format!(
            "{given} posts follow on such an end and are not in people.csv: they stay, until it has the end itself"
        ));
    }
    if gone > 0 {
        words.push(format!(
            "{gone} posts were in the directory and are not in people.csv: late work of their people will be refused; give a post an end instead"
        ));
    }
    words
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
