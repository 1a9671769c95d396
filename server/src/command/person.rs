//! Errands about people: who is in the directory, and what signs a person in.
//!
//! Other posts than those of who leaves and of the first administrator come from tables of people: by `import`, or in the folder of the settings.

use std::io::BufRead;

use clap::Subcommand;
use patrol_core::domain::directory::Post;
use patrol_core::domain::id::PersonId;
use patrol_core::domain::limits;
use patrol_core::domain::time::{DAY_MS, Timestamp};
use serde_json::{Value, json};

use super::{Database, Faults, Who, one, person_id};
use crate::app::App;
use crate::auth;
use crate::calendar::{parse_day, rfc3339};
use crate::directory;
use crate::people::{self, LeaveFault, Leaving};
use crate::setup::{self, SetupFault};

/// An errand about people.
#[derive(Subcommand, Clone, PartialEq, Eq, Debug)]
pub enum PersonErrand {
    /// Says who is in the directory, and by which name he signs in, one JSON line a person.
    List {
        /// Where.
        #[command(flatten)]
        database: Database,
    },
    /// Makes or replaces a person's account; the password is the first line of the input.
    Password {
        /// Where.
        #[command(flatten)]
        database: Database,
        /// Whose.
        #[command(flatten)]
        who: Who,
        /// The name under which the person signs in.
        #[arg(long)]
        login: String,
    },
    /// Ends all posts of a person; his phones are not revoked.
    Leave {
        /// Where.
        #[command(flatten)]
        database: Database,
        /// Who.
        #[command(flatten)]
        who: Who,
        /// From which day on, such as 2026-12-01; what is over means now.
        #[arg(long, value_parser = day)]
        from: Timestamp,
        /// The id of who has his posts from then on.
        #[arg(long, value_parser = person_id)]
        substitute: Option<PersonId>,
    },
    /// Makes or replaces the account of the administrator of that name, and makes him administrator where the directory has none; the
    /// password is the first line of the input.
    Administrator {
        /// Where.
        #[command(flatten)]
        database: Database,
        /// His name.
        #[arg(long)]
        name: String,
        /// The name under which he signs in.
        #[arg(long)]
        login: String,
    },
}

pub(super) fn run(errand: &PersonErrand, input: &mut dyn BufRead) -> Result<Vec<Value>, Faults> {
    match errand {
        PersonErrand::List { database } => list(database),
        PersonErrand::Password {
            database,
            who,
            login,
        } => password(database, login, input, |app| who.find(app)),
        PersonErrand::Leave {
            database,
            who,
            from,
            substitute,
        } => leave(database, who, *from, *substitute),
        PersonErrand::Administrator {
            database,
            name,
            login,
        } => password(database, login, input, |app| appoint(app, name, login)),
    }
}

fn list(database: &Database) -> Result<Vec<Value>, Faults> {
    database.read(|app| {
        let known = app.known();
        let people = known.directory.people.iter();
        let rows = people.map(|person| {
            let account = app.store.account_of(person.id).map_err(one)?;
            let posts: Vec<Value> = person.posts.iter().map(post).collect();
            Ok(json!({
                "person": person.id.hex(),
                "name": person.name,
                "login": account.map(|account| account.login),
                "posts": posts,
            }))
        });
        rows.collect()
    })
}

fn post(post: &Post) -> Value {
    json!({
        "role": post.role.word(),
        "at": directory::post_at_text(post.at),
        "from": rfc3339(post.from),
        "until": post.until.map(rfc3339),
    })
}

fn day(text: &str) -> Result<Timestamp, String> {
    parse_day(text).ok_or_else(|| "not a day such as 2026-12-01".to_owned())
}

fn leave(
    database: &Database,
    who: &Who,
    from: Timestamp,
    substitute: Option<PersonId>,
) -> Result<Vec<Value>, Faults> {
    let app = database.open()?;
    let person = who.find(&app)?;
    let leaving = Leaving {
        person,
        from,
        substitute,
    };
    let left = people::leave(&app, leaving).map_err(|fault| {
        one(match fault {
            LeaveFault::Unknown => "nobody of that id is in the directory".to_owned(),
            LeaveFault::NoPost => "no post of that person is in force then".to_owned(),
            LeaveFault::LeavesAlready => {
                "that person leaves earlier: an end that has been set is put no later, but who comes back gets a row of his own in people.csv"
                    .to_owned()
            }
            LeaveFault::LeavesThen => {
                "that person leaves that day already: say --substitute to add who takes over".to_owned()
            }
            LeaveFault::EndsThen => {
                "that person's posts end that day by a file: write who has them next into people.csv".to_owned()
            }
            LeaveFault::Substitute => {
                "--substitute is another person of the directory, who holds a post then".to_owned()
            }
            LeaveFault::LastAdministrator => {
                "nobody who can sign in would be administrator at some time from then on".to_owned()
            }
            LeaveFault::Store(error) => error.to_string(),
        })
    })?;
    tracing::info!(%person, "{person} leaves, by command");
    let now = app.environment.now();
    if left.is_new() && now.0 - from.0 >= DAY_MS {
        tracing::warn!(
            "that day is past: the posts have ended now; where another one was meant, a table of people gives them again"
        );
    }
    Ok(vec![json!(left)])
}

/// The administrator of that name; nobody is made one whose login is another's, also of one whom the directory does not know any more.
fn appoint(app: &App, name: &str, login: &str) -> Result<PersonId, Faults> {
    let known = app.known();
    let holder = app.store.account(login).map_err(one)?;
    let is_another = holder.is_some_and(|account| {
        let holder = known.directory.person(account.person);
        holder.is_none_or(|holder| holder.name != name)
    });
    if is_another {
        return Err(one(format!("the login {login} is another person's")));
    }
    setup::appoint(app, Some(name)).map_err(|fault| one(in_words(&fault)))
}

fn in_words(fault: &SetupFault) -> String {
    match fault {
        SetupFault::BadCode => "the code is wrong".to_owned(),
        SetupFault::Unnamed => format!(
            "--name has 1 to {} characters",
            limits::PERSON_NAME_CHARS_MAX
        ),
        SetupFault::NotAdministrator => {
            "there are administrators, and none of that name: see person list".to_owned()
        }
        SetupFault::Several => {
            "several people have that name: person password takes --person".to_owned()
        }
        SetupFault::Leaves => {
            "that person leaves on a day that has been entered: name somebody who stays".to_owned()
        }
        SetupFault::Store(error) => error.to_string(),
    }
}

fn password(
    database: &Database,
    login: &str,
    input: &mut dyn BufRead,
    find: impl FnOnce(&App) -> Result<PersonId, Faults>,
) -> Result<Vec<Value>, Faults> {
    let password = first_line(input)?;
    let mut faults = Vec::new();
    if !auth::is_login(login) {
        faults.push(format!(
            "--login has 1 to {} characters, none of them blank",
            limits::LOGIN_CHARS_MAX
        ));
    }
    if !auth::is_password(&password) {
        faults.push(format!(
            "the password has at least {} characters and at most {} bytes",
            limits::PASSWORD_CHARS_MIN,
            limits::PASSWORD_BYTES_MAX
        ));
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let app = database.open()?;
    let failed = |error: crate::store::StoreError| vec![error.to_string()];
    let holder = app.store.account(login).map_err(failed)?;
    let person = find(&app)?;
    if holder.is_some_and(|account| account.person != person) {
        return Err(vec![format!("the login {login} is another person's")]);
    }
    let replaced = auth::put_account(&app, person, login, &password).map_err(failed)?;
    tracing::info!(%person, "the account of {person} was set by command");
    Ok(vec![
        json!({ "person": person.hex(), "login": login, "replaced_login": replaced }),
    ])
}

/// The first line, of which no more is read than a password may have.
fn first_line(input: &mut dyn BufRead) -> Result<String, Faults> {
    use std::io::Read as _;
    let mut line = Vec::new();
    let mut bounded = input.take(limits::PASSWORD_BYTES_MAX as u64 + 3);
    bounded
        .read_until(b'\n', &mut line)
        .map_err(|error| vec![format!("the password cannot be read: {error}")])?;
    let end = line.strip_suffix(b"\n");
    let line = end.map_or(&*line, |line| line.strip_suffix(b"\r").unwrap_or(line));
    if line.len() > limits::PASSWORD_BYTES_MAX {
        // Too long whatever it says; where it was cut, within a character perhaps.
        return Ok(String::from_utf8_lossy(line).into_owned());
    }
    // With other signs in place of those it would be a password that nobody can type.
    let text = std::str::from_utf8(line).map_err(|_| one("the password is not UTF-8"))?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::app::draw_identity;
    use crate::host::SystemEnvironment;
    use crate::store::Account;
    use crate::store::memory::MemoryStore;

    #[test]
    fn a_password_is_a_line_of_utf8_whatever_ends_it() {
        let read = |mut bytes: &[u8]| first_line(&mut bytes);
        let is = |text: &str| Ok(text.to_owned());
        for line in ["eight signs", "eight signs\n", "eight signs\r\nmore"] {
            assert_eq!(read(line.as_bytes()), is("eight signs"), "{line:?}");
        }
        assert_eq!(read(b"eight signs\r\r\n"), is("eight signs\r"));
        let (gbk, _, _) = encoding_rs::GBK.encode("八个汉字的密码");
        let refused = read(&gbk);
        assert!(refused.is_err_and(|faults| faults[0].contains("not UTF-8")));
        let long = "九".repeat(limits::PASSWORD_BYTES_MAX);
        let cut = read(long.as_bytes()).expect("it is refused for its length");
        assert!(!auth::is_password(&cut));
    }

    #[test]
    fn nobody_is_appointed_with_the_login_of_one_who_is_gone() {
        let store = MemoryStore::new(draw_identity(&SystemEnvironment));
        let app = App::open(Arc::new(store), Arc::new(SystemEnvironment));
        let app = app.expect("a new model opens");
        let gone = Account {
            person: PersonId([1; 8]),
            login: "first".to_owned(),
            password_hash: String::new(),
        };
        app.store.put_account(&gone).expect("an account is kept");
        let refused = appoint(&app, "李强", "first");
        assert!(refused.is_err_and(|faults| faults[0].contains("another person's")));
        assert_eq!(app.known().directory.people, []);
        assert!(appoint(&app, "李强", "second").is_ok());
    }
}
