//! The first administrator of a database in which nobody can sign in: by a one-time code, or by who has the file.
//!
//! Once anybody has an account there is no code, and this does nothing any more.

use patrol_core::domain::capability::Role;
use patrol_core::domain::directory::{Person, Post, PostAt};
use patrol_core::domain::id::PersonId;
use patrol_core::domain::limits;
use patrol_core::domain::time::Timestamp;

use crate::app::App;
use crate::auth;
use crate::directory::leaves::{Basis, end_of};
use crate::store::reference::MadeBy;
use crate::store::{Result, StoreError};

/// Why nobody was made the first administrator.
#[derive(Debug)]
pub enum SetupFault {
    /// It is not the code, or its time is over, or somebody has an account.
    BadCode,
    /// It must be said who: the name is missing, or it is none.
    Unnamed,
    /// There are administrators, and none of that name.
    NotAdministrator,
    /// Several people have that name.
    Several,
    /// Who has that name leaves on a day ahead, and whoever takes over would be administrator then.
    Leaves,
    /// Not now.
    Store(StoreError),
}

impl From<StoreError> for SetupFault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// What the first administrator signs in with.
#[derive(Debug)]
pub struct Beginning<'t> {
    /// The code.
    pub code: &'t str,
    /// His name, where there is not exactly one administrator.
    pub name: Option<&'t str>,
    /// A login.
    pub login: &'t str,
    /// A password.
    pub password: &'t str,
}

/// A code that makes the first administrator, in place of any earlier one, and until when it does. None: somebody has an account.
pub fn draw_code(app: &App) -> Result<Option<(String, Timestamp)>> {
    let code = auth::draw_code(app);
    let until = app.environment.now().plus_ms(limits::SETUP_CODE_MS);
    let is_kept = app.store.put_setup_code(auth::hash_of(&code), until)?;
    Ok(is_kept.then_some((code, until)))
}

/// Makes the first administrator's account. Who is cut off after he came into the directory begins again: he is there then.
pub fn set_up(app: &App, beginning: &Beginning<'_>) -> std::result::Result<PersonId, SetupFault> {
    let (code, now) = (auth::hash_of(beginning.code), app.environment.now());
    if !app.store.is_setup_code(code, now)? {
        return Err(SetupFault::BadCode);
    }
    let person = appoint(app, beginning.name)?;
    let account = auth::make_account(app, person, beginning.login, beginning.password)?;
    if !app.store.set_up(code, &account, now)? {
        return Err(SetupFault::BadCode);
    }
    tracing::warn!(%person, "{person} is the first administrator");
    Ok(person)
}

/// The administrator of that name, or the only one. Where the directory has none he is made one, from now on.
pub fn appoint(app: &App, name: Option<&str>) -> std::result::Result<PersonId, SetupFault> {
    let now = app.environment.now();
    app.change_people(MadeBy::Other, |directory, basis| {
        let administrators: Vec<&Person> = administrators(&directory.people, now).collect();
        if administrators.is_empty() {
            return make_administrator(app, basis, name, now);
        }
        let meant = administrators
            .iter()
            .filter(|person| name.is_none_or(|name| person.name == name));
        match (meant.collect::<Vec<_>>().as_slice(), name) {
            ([one], _) => Ok(one.id),
            (_, None) => Err(SetupFault::Unnamed),
            ([], _) => Err(SetupFault::NotAdministrator),
            _ => Err(SetupFault::Several),
        }
    })
}

/// Those who are administrators at a time.
pub(crate) fn administrators(people: &[Person], now: Timestamp) -> impl Iterator<Item = &Person> {
    people.iter().filter(move |person| {
        let mut posts = person.posts.iter();
        posts.any(|post| post.role == Role::Administrator && post.is_in_force_at(now))
    })
}

/// Gives the post to who has that name, or to a new person.
fn make_administrator(
    app: &App,
    basis: &mut Basis,
    name: Option<&str>,
    now: Timestamp,
) -> std::result::Result<PersonId, SetupFault> {
    let is_name = |name: &&str| {
        let chars = name.chars().count();
        (1..=limits::PERSON_NAME_CHARS_MAX).contains(&chars) && !name.chars().any(char::is_control)
    };
    let name = name.map(str::trim).filter(is_name);
    let name = name.ok_or(SetupFault::Unnamed)?;
    let post = Post {
        role: Role::Administrator,
        at: PostAt::City,
        from: now,
        until: None,
    };
    let Basis {
        said: people,
        leaves,
    } = basis;
    let mut named: Vec<&mut Person> = people
        .iter_mut()
        .filter(|person| person.name == name)
        .collect();
    match named.as_mut_slice() {
        [] => {}
        [one] => {
            if end_of(leaves, one.id, &post).is_some() {
                return Err(SetupFault::Leaves);
            }
            one.posts.push(post);
            return Ok(one.id);
        }
        _ => return Err(SetupFault::Several),
    }
    let id = PersonId(app.random());
    people.push(Person {
        id,
        name: name.to_owned(),
        posts: vec![post],
    });
    people.sort_by_key(|person| person.id);
    Ok(id)
}
