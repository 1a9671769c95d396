//! One program alone on a database, where numbers of cases and of the server's own entries are drawn: two would draw the same ones, for
//! each counts in its own memory.
//!
//! The lock is a file of its own beside the database. On the database itself it would not do: closing any handle of that lets go of the
//! locks that SQLite holds on it. The system lets go of it with the program, however that ends; the empty file stays.

use std::fs::{File, TryLockError};
use std::path::Path;

use super::{Faults, backup, one};

/// Holds a database for this program until dropped.
#[derive(Debug)]
pub(super) struct Sole {
    _lock: Option<File>,
}

impl Sole {
    /// Holds a database.
    ///
    /// # Errors
    /// Another program does.
    pub(super) fn on(database: &Path) -> Result<Self, Faults> {
        let path = backup::beside(database, ".lock");
        let mut options = File::options();
        options.create(true).truncate(false).write(true);
        match options.open(&path) {
            Ok(file) => Self::with(file, database),
            // Where nothing can be made, no second program writes either.
            Err(error) => {
                tracing::warn!(
                    "{}: {error}: nothing keeps a second server away",
                    path.display()
                );
                Ok(Self { _lock: None })
            }
        }
    }

    fn with(file: File, database: &Path) -> Result<Self, Faults> {
        match file.try_lock() {
            Ok(()) => Ok(Self { _lock: Some(file) }),
            Err(TryLockError::WouldBlock) => Err(one(format!(
                "a server runs on {}: stop it first, or ask it to do this",
                database.display()
            ))),
            Err(TryLockError::Error(error)) => {
                tracing::warn!(
                    "{}: {error}: nothing keeps a second server away",
                    database.display()
                );
                Ok(Self { _lock: None })
            }
        }
    }
}
