//! One program alone on a database, where numbers of cases and of the server's own entries are drawn: two would draw the same ones, for
//! each counts in its own memory.
//!
//! The lock is a file of its own beside the database. On the database itself it would not do: closing any handle of that lets go of the
//! locks that SQLite holds on it. The system lets go of it with the program, however that ends; the file stays, and says that a server has
//! used a database here.

use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use super::{Faults, backup, one};
use crate::config::Config;
use crate::store::sqlite::links::{beside, resolved};

/// Holds a database for this program until dropped.
#[derive(Debug)]
pub struct Sole {
    lock: Option<File>,
    path: PathBuf,
    database: PathBuf,
    /// The link by which it was named, if it was one.
    link: Option<PathBuf>,
}

/// What the lock says of a database that a server has used.
const USED: &[u8] = b"a server has used the database beside this file\n";

impl Sole {
    /// Holds the database of a server that is to start, if nothing is wrong with how.
    ///
    /// # Errors
    /// What is wrong, in words, or that another program holds it.
    pub fn server(config: &Config) -> Result<Self, Faults> {
        let faults = config.faults();
        if faults.is_empty() {
            Self::on(&config.database)
        } else {
            Err(faults)
        }
    }

    /// Holds a database.
    ///
    /// # Errors
    /// Another program does, or the lock is somebody else's.
    pub(super) fn on(database: &Path) -> Result<Self, Faults> {
        let link = database.is_symlink().then(|| database.to_owned());
        let database = resolved(database).map_err(one)?;
        let path = beside(&database, ".lock");
        let named = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let file = match open(&path, &database) {
            Ok(file) => file,
            // Where nothing can be made, no second program writes either.
            Err(error) if cannot_be_made(&error, &path) => {
                tracing::warn!("{}: nothing keeps a second server away", named(&error));
                return Ok(Self {
                    lock: None,
                    path,
                    database,
                    link,
                });
            }
            Err(error) => {
                let path = named(&error);
                return Err(one(format!("the database cannot be written: {path}")));
            }
        };
        match file.try_lock() {
            Ok(()) => Ok(Self {
                lock: Some(file),
                path,
                database,
                link,
            }),
            Err(TryLockError::WouldBlock) => Err(one(format!(
                "a server or an errand runs on {}: stop it first, or ask the server to do this",
                database.display()
            ))),
            Err(TryLockError::Error(error)) => Err(one(named(&error))),
        }
    }

    /// The file that is held, whatever links led to it.
    pub(super) fn database(&self) -> &Path {
        &self.database
    }

    /// Whether the database may be opened, or made. One that was there before is not made anew in its place: phones would be strangers to it.
    ///
    /// # Errors
    /// It was there before, in words.
    pub(super) fn may_open(&self) -> Result<(), Faults> {
        let len = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
        if len(&self.database) > 0 || len(&self.path) == 0 {
            return Ok(());
        }
        let (database, lock) = (self.database.display(), self.path.display());
        Err(one(format!(
            "{database} is missing or empty, and a server has used it: put it back, or restore a backup; to begin with a new one, take {lock} away"
        )))
    }

    /// Notes that a server uses the database; beside a link to it too, for a start that does not find the link any more.
    pub(super) fn note_used(&self) {
        // Where it does not succeed the next start does not know it.
        let warn = |path: &Path, error| tracing::warn!("{}: {error}", path.display());
        if let Some(lock) = &self.lock
            && let Err(error) = note(lock)
        {
            warn(&self.path, error);
        }
        let Some(link) = &self.link else {
            return;
        };
        let mark = beside(link, ".lock");
        match open(&mark, &self.database).and_then(|mark| note(&mark)) {
            Ok(()) => {}
            // Nor can a new database be made there.
            Err(error) if cannot_be_made(&error, &mark) => {}
            Err(error) => warn(&mark, error),
        }
    }
}

fn note(mut mark: &File) -> std::io::Result<()> {
    match mark.metadata()?.len() {
        0 => mark.write_all(USED),
        _ => Ok(()),
    }
}

fn cannot_be_made(error: &std::io::Error, path: &Path) -> bool {
    let is_closed = matches!(
        error.kind(),
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
    );
    is_closed && !path.exists()
}

/// The lock of a database, made where there is none: for its owner alone, so that nobody else can hold it.
fn open(path: &Path, database: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.write(true);
    let mut new = options.clone();
    new.create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut new, 0o600);
    match new.open(path) {
        Ok(file) => {
            backup::hand_over(&file, database)?;
            Ok(file)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            // What may only be read locks as well.
            options.open(path).or_else(|_| File::open(path))
        }
        Err(error) => Err(error),
    }
}
