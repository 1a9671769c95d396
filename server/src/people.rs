//! Posts as the office changes them: who leaves and who takes over, and what a file of people may not undo.
//!
//! It revokes nothing and gives nobody an account; who may ask for it is asked by its callers. What was held is never deleted.

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
use crate::directory;
use crate::setup;
use crate::store::StoreError;

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
    /// The substitute is not in the directory, or is the same person.
    Substitute,
    /// Nobody would be administrator then.
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
    /// Those of them that nobody holds then: their work stays with the office.
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
    let from = leave.from.max(app.environment.now());
    app.change_directory(|directory| {
        let ended = end_posts(directory, leave.person, from)?;
        if let Some(substitute) = leave.substitute {
            take_over(directory, leave, substitute, &ended, from)?;
        }
        let is_held = |post: &Post| {
            let from = post.from.max(from);
            let posts = directory.people.iter().flat_map(|person| &person.posts);
            let mut same = posts.filter(|other| (other.role, other.at) == (post.role, post.at));
            same.any(|other| other.is_in_force_at(from))
        };
        let vacant: Vec<&Post> = ended.iter().filter(|post| !is_held(post)).collect();
        if vacant.iter().any(|post| post.role == Role::Administrator) {
            return Err(LeaveFault::LastAdministrator);
        }
        Ok(Left {
            person: leave.person.hex(),
            from: rfc3339(from),
            vacant: vacant
                .into_iter()
                .map(|post| row(directory, post))
                .collect(),
            ended: ended.iter().map(|post| row(directory, post)).collect(),
        })
    })
}

/// Ends a person's posts; what had not begun by then never begins. Returns them as they were.
fn end_posts(
    directory: &mut Directory,
    person: PersonId,
    from: Timestamp,
) -> Result<Vec<Post>, LeaveFault> {
    let mut people = directory.people.iter_mut();
    let found = people.find(|known| known.id == person);
    let posts = &mut found.ok_or(LeaveFault::Unknown)?.posts;
    let goes_on = |post: &Post| post.until.is_none_or(|until| from < until);
    let ended: Vec<Post> = posts.iter().copied().filter(goes_on).collect();
    if ended.is_empty() {
        return Err(LeaveFault::NoPost);
    }
    posts.retain(|post| post.from < from);
    for post in posts.iter_mut().filter(|post| goes_on(post)) {
        post.until = Some(from);
    }
    Ok(ended)
}

/// Gives posts to a substitute from then on, but for those that he has anyway.
fn take_over(
    directory: &mut Directory,
    leave: Leave,
    substitute: PersonId,
    ended: &[Post],
    from: Timestamp,
) -> Result<(), LeaveFault> {
    let mut people = directory.people.iter_mut();
    let found = people.find(|known| known.id == substitute && substitute != leave.person);
    let posts = &mut found.ok_or(LeaveFault::Substitute)?.posts;
    for post in ended {
        let next = Post {
            from: post.from.max(from),
            ..*post
        };
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

/// Decides which people a directory from a file has. Where the file has none, or those that were put in force from a file last, it is
/// those in force now, with all that was changed since. Returns what somebody should look at, in words.
pub fn merge(app: &App, loaded: &mut Directory) -> Result<Vec<String>, StoreError> {
    let known = app.known();
    let people = &known.directory.people;
    let noted = app.store.folder()?.and_then(|folder| folder.people);
    let is_known = noted == Some(hash_of(&loaded.people));
    if loaded.people.is_empty() || is_known {
        loaded.people.clone_from(people);
        return Ok(Vec::new());
    }
    let (mut kept, mut gone) = (0_usize, 0_usize);
    for person in people {
        for post in &person.posts {
            match same_post(&mut loaded.people, person.id, post) {
                // An end that has been set stays.
                Some(found)
                    if post.until.is_some()
                        && found.until.is_none_or(|until| post.until < Some(until)) =>
                {
                    found.until = post.until;
                    kept += 1;
                }
                Some(_) => {}
                None => gone += 1,
            }
        }
    }
    let mut words = Vec::new();
    let now = app.environment.now();
    if setup::administrators(people, now).next().is_some()
        && setup::administrators(&loaded.people, now).next().is_none()
    {
        words.push(
            "people.csv has no administrator, so nobody manages people and phones: person administrator makes one".to_owned(),
        );
    }
    if kept > 0 {
        words.push(format!(
            "{kept} posts have ended earlier than people.csv says: the earlier end stays, and who comes back needs a row of his own"
        ));
    }
    if gone > 0 {
        words.push(format!(
            "{gone} posts were in the directory and are not in people.csv: late work of their people will be refused; give a post an end instead"
        ));
    }
    Ok(words)
}

/// The same post in another list of people.
fn same_post<'p>(people: &'p mut [Person], id: PersonId, post: &Post) -> Option<&'p mut Post> {
    let person = people.iter_mut().find(|person| person.id == id)?;
    let key = |post: &Post| (post.role, post.at, post.from);
    person
        .posts
        .iter_mut()
        .find(|other| key(other) == key(post))
}

/// Names the people of a file.
pub fn hash_of(people: &[Person]) -> [u8; 32] {
    let alone = Directory {
        people: people.to_vec(),
        ..Directory::default()
    };
    Sha256::digest(codec::encode(&alone)).into()
}
