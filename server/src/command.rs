//! What the program does: serve, or one errand on the database file. Those on people, accounts and phones run beside a server; those that
//! may give a case its number do not.
//!
//! An errand returns what it found as JSON, one value a line; only `main` prints. Rules and SQL are elsewhere.

mod backup;
mod check;
mod device;
mod folder;
mod import;
mod person;
mod rescue;
mod serve;
mod sole;
mod watch;

use std::collections::BTreeSet;
use std::io::{BufRead, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Arg, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use patrol_core::domain::id::PersonId;
use serde_json::Value;

use crate::app::{App, draw_identity};
use crate::config::Config;
use crate::host::SystemEnvironment;
use crate::store::StoreError;
use crate::store::sqlite::SqliteStore;
use crate::store::sqlite::backup::Stamp;
use crate::store::sqlite::links::resolved;

pub use backup::{BackupErrand, RestoreErrand, UpgradeErrand};
pub use check::CheckErrand;
pub use device::DeviceErrand;
pub use import::{ImportErrand, PastErrand, ProposalsErrand};
pub use person::PersonErrand;
pub use rescue::RescueErrand;
pub use serve::serve;
pub use sole::Sole;

/// 巡村 Xuncun's server.
#[derive(Parser, Clone, PartialEq, Eq, Debug)]
#[command(
    version,
    about = "巡村 Xuncun: the office's server",
    args_conflicts_with_subcommands = true
)]
pub struct CommandLine {
    /// What to do; to serve, if nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How to serve, if nothing else is to be done.
    #[command(flatten)]
    pub config: Config,
}

impl CommandLine {
    /// Reads the program's own command line and settings; one that is blank counts as unset, and an errand looks at no setting but its own. On
    /// a fault, or where help is asked for, the program ends.
    pub fn read() -> Self {
        let command = without_blanks(Self::command());
        let of_errand = command.clone().mut_args(|arg| arg.env(None::<&str>));
        let matches = match of_errand.try_get_matches() {
            Ok(matches) if matches.subcommand_name().is_some() => matches,
            _ => command.get_matches(),
        };
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }
}

/// Settings of the environment that are called like this program's and are none of them: misspelt, most likely.
pub fn unknown_settings(names: impl IntoIterator<Item = String>) -> Vec<String> {
    fn known(command: &clap::Command) -> BTreeSet<String> {
        let own = command.get_arguments().filter_map(Arg::get_env);
        let own = own.map(|name| name.to_string_lossy().into_owned());
        own.chain(command.get_subcommands().flat_map(known))
            .collect()
    }
    let known = known(&CommandLine::command());
    let names = names.into_iter();
    let mut unknown: Vec<String> = names
        .filter(|name| name.starts_with("XUNCUN_") && !known.contains(name))
        .collect();
    unknown.sort_unstable();
    unknown
}

/// A command that does not look at settings of the environment that are blank.
fn without_blanks(command: clap::Command) -> clap::Command {
    let is_blank = |arg: &Arg| {
        let value = arg.get_env().and_then(std::env::var_os);
        value.is_some_and(|value| value.as_encoded_bytes().trim_ascii().is_empty())
    };
    command
        .mut_args(|arg| {
            if is_blank(&arg) {
                arg.env(None::<&'static str>)
            } else {
                arg
            }
        })
        .mut_subcommands(without_blanks)
}

/// What to do.
#[derive(Subcommand, Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Serves phones and browsers.
    Serve(Config),
    /// People of the directory and their accounts.
    #[command(subcommand)]
    Person(PersonErrand),
    /// Phones.
    #[command(subcommand)]
    Device(DeviceErrand),
    /// Takes in what a phone could not hand in itself: a rescue bundle. The same file again is no harm. No server may run.
    Rescue(RescueErrand),
    /// What is imported: people, places, units, components.
    Import(ImportErrand),
    /// Copies the database into a new file, also while a server runs on it. Keys and passwords' hashes are inside: keep it as safe as the
    /// database.
    Backup(BackupErrand),
    /// Makes the database out of a backup and begins a new epoch, so that phones bring back what came after it. No server may run.
    Restore(RestoreErrand),
    /// Brings the database of an older program up to date, with a copy of it beside. No server may run. Serving does the same.
    Upgrade(UpgradeErrand),
    /// Looks whether everything that is derived is what its sources say, and what proves itself does, also while a server runs; and lists, a
    /// line each, the villages that lack a terminal, a cadre in post or an inspector on their beat, and the proposals that have waited for an
    /// answer for two weeks. Changes nothing.
    Check(CheckErrand),
}

/// What is wrong, in words; all of it.
pub type Faults = Vec<String>;

/// On which database an errand is run.
#[derive(Args, Clone, PartialEq, Eq, Debug)]
pub struct Database {
    /// The database file.
    #[arg(long, env = "XUNCUN_DATABASE", default_value = "xuncun.db")]
    database: PathBuf,
}

/// One person, by id or by name.
#[derive(Args, Clone, PartialEq, Eq, Debug)]
#[group(required = true, multiple = false)]
pub struct Who {
    /// The person's id, 16 hexadecimal digits.
    #[arg(long, value_parser = person_id)]
    person: Option<PersonId>,
    /// The person's name in the directory.
    #[arg(long)]
    name: Option<String>,
}

fn person_id(text: &str) -> Result<PersonId, String> {
    PersonId::from_hex(text).ok_or_else(|| "not 16 hexadecimal digits".to_owned())
}

/// Runs an errand. Returns what it says, one value a line.
///
/// # Errors
/// What is wrong, in words; then nothing has changed.
pub fn run(errand: &Command, input: &mut dyn BufRead) -> Result<Vec<Value>, Faults> {
    match errand {
        Command::Person(errand) => person::run(errand, input),
        Command::Device(errand) => device::run(errand),
        Command::Rescue(errand) => rescue::run(errand),
        Command::Import(errand) => import::run(errand),
        Command::Backup(errand) => backup::backup(errand),
        Command::Restore(errand) => backup::restore(errand),
        Command::Upgrade(errand) => backup::upgrade(errand),
        Command::Check(errand) => check::run(errand),
        Command::Serve(_) => Ok(Vec::new()),
    }
}

impl Database {
    /// The file, whatever links lead to it.
    fn file(&self) -> Result<PathBuf, Faults> {
        resolved(&self.database).map_err(one)
    }

    /// The file, which must be there.
    fn there(&self) -> Result<PathBuf, Faults> {
        let file = self.file()?;
        let path = file.display();
        match std::fs::metadata(&file) {
            Ok(found) if found.is_dir() => Err(one(format!(
                "{path} is a folder: say --database with the file"
            ))),
            Ok(found) if found.len() == 0 => Err(one(format!("{path} is empty"))),
            Ok(_) => Ok(file),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(one(format!(
                "{path} is not there: say --database, or start the server once"
            ))),
            Err(error) => Err(one(format!("{path}: {error}"))),
        }
    }

    /// The file, which must be there and no backup: something is changed in it.
    fn served(&self) -> Result<PathBuf, Faults> {
        let file = self.there()?;
        backup::refuse_backup(&file)?;
        Ok(file)
    }

    /// Holds a database that is there for this errand alone, which may draw a case number.
    fn alone(&self) -> Result<Sole, Faults> {
        Sole::on(&self.served()?)
    }

    /// Opens the server's parts on a database that is there.
    fn open(&self) -> Result<App, Faults> {
        open(&self.served()?).map_err(one)
    }

    /// Reads what is there: nothing is changed by it, and nothing can be.
    fn read<T>(&self, read: impl Fn(&App) -> Result<T, Faults>) -> Result<T, Faults> {
        let path = self.there()?;
        let named = |error| one(format!("{}: {error}", path.display()));
        of_one_time(&path, || read(&open_to_read(&path).map_err(named)?))
    }
}

/// One thing that is wrong.
fn one(fault: impl std::fmt::Display) -> Faults {
    vec![fault.to_string()]
}

/// Opens the server's parts on a database file, or makes it.
fn open(database: &Path) -> Result<App, StoreError> {
    let store = SqliteStore::open(database, || draw_identity(&SystemEnvironment))?;
    App::open(Arc::new(store), Arc::new(SystemEnvironment))
}

/// Reads a file; once more where a server has begun to write meanwhile, for then what was read may be of two times.
fn of_one_time<T>(path: &Path, read: impl Fn() -> Result<T, Faults>) -> Result<T, Faults> {
    let before = Stamp::of(path);
    let said = read();
    match before.is_over(path) {
        true => read(),
        false => said,
    }
}

/// Opens the server's parts on a database file that is only read.
fn open_to_read(database: &Path) -> Result<App, StoreError> {
    let store = SqliteStore::open_to_read(database)?;
    App::open(Arc::new(store), Arc::new(SystemEnvironment))
}

impl Who {
    /// The only person who is meant.
    fn find(&self, app: &App) -> Result<PersonId, Faults> {
        let known = app.known();
        let is_meant = |id: PersonId, name: &str| match (&self.person, &self.name) {
            (Some(person), _) => *person == id,
            (None, wanted) => wanted.as_deref() == Some(name),
        };
        let people = &known.directory.people;
        let meant = people
            .iter()
            .filter(|person| is_meant(person.id, &person.name));
        match meant.map(|person| person.id).collect::<Vec<_>>().as_slice() {
            [one] => Ok(*one),
            [] => Err(vec![
                "nobody of that id or name is in the directory".to_owned(),
            ]),
            several => {
                let ids: Vec<String> = several.iter().map(PersonId::hex).collect();
                Err(vec![format!(
                    "several people have that name, so say --person: {}",
                    ids.join(", ")
                )])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn what_is_written_while_it_is_read_is_read_once_more() {
        let name = format!("xuncun_read_meanwhile_{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, "one").expect("a file");
        let reads = Cell::new(0);
        let read = || {
            reads.set(reads.get() + 1);
            if reads.get() == 1 {
                std::fs::write(&path, "another").expect("it is written");
                return Err(one("of two times"));
            }
            std::fs::read_to_string(&path).map_err(one)
        };
        assert_eq!(of_one_time(&path, read), Ok("another".to_owned()));
        assert_eq!(of_one_time(&path, read), Ok("another".to_owned()));
        assert_eq!(reads.get(), 3);
        std::fs::remove_file(&path).expect("it goes");
    }
}
