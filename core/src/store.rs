//! The phone's file: one SQLite database per enrolment, one writer, one reader.
//!
//! Every write is one short transaction taken as a closure, so none can live across a wait. It decides nothing about
//! rights, workflow or syncing.

mod schema;

pub mod aside;
pub mod boxes;
pub mod changes;
pub mod components;
pub mod documents;
pub mod drafts;
pub mod enrolment;
pub mod feed;
pub mod frames;
pub mod pieces;
pub mod salvage;
pub mod search;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::error::{Error, Result};

/// The open file.
pub struct Store {
    /// None for a store in memory, which has only the writer. Closed before the writer, which then, as the last one, writes the
    /// log into the file.
    reader: Option<Mutex<Connection>>,
    writer: Mutex<Connection>,
    faults: Mutex<Option<Faults>>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

/// Decides, before each write, whether it fails. For simulations; a real store has none.
pub type Faults = Box<dyn FnMut() -> Option<Fault> + Send>;

/// How a write fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The program dies before the commit: nothing is written.
    CrashBefore,
    /// The program dies after the commit: all is written, the caller never learns it.
    CrashAfter,
    /// The disk is full.
    Full,
    /// The disk may only be read.
    Unwritable,
    /// The disk says that all is written, and has written nothing: to see whether tests notice.
    Lie,
}

/// An opened store, and where a damaged file was put if there is one.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: Store,
    /// A damaged file, moved aside and kept, now or at an earlier opening, until it is put away ([`aside::put_away`]): see `salvage`.
    pub rescued: Option<PathBuf>,
}

impl Store {
    /// Opens the file, or makes it. A damaged one is moved aside (`<name>.broken-<now_ms>`), never deleted.
    pub fn open(path: &Path, now: crate::domain::time::Timestamp) -> Result<Opened> {
        let (writer, rescued) = schema::open_or_rescue(path, now)?;
        let reader = schema::open_reader(path)?;
        let store = Self {
            writer: Mutex::new(writer),
            reader: Some(Mutex::new(reader)),
            faults: Mutex::new(None),
        };
        Ok(Opened { store, rescued })
    }

    /// A store in memory, for simulations.
    pub fn in_memory() -> Result<Self> {
        let writer = schema::open_in_memory()?;
        Ok(Self {
            writer: Mutex::new(writer),
            reader: None,
            faults: Mutex::new(None),
        })
    }

    /// A copy of everything as it stands, in memory: a phone restored from a backup, or copied.
    pub fn copy(&self) -> Result<Self> {
        let from = lock(&self.writer);
        let mut to = schema::open_empty()?;
        let backup = rusqlite::backup::Backup::new(&from, &mut to)?;
        backup.step(-1)?;
        drop(backup);
        schema::set_pragmas(&to)?;
        Ok(Self {
            writer: Mutex::new(to),
            reader: None,
            faults: Mutex::new(None),
        })
    }

    /// Lets writes fail, for simulations.
    pub fn set_faults(&self, faults: Option<Faults>) {
        *lock(&self.faults) = faults;
    }

    /// Looks into the file, seeing one snapshot.
    pub fn read<T>(&self, look: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let mut connection = lock(self.reader.as_ref().unwrap_or(&self.writer));
        let transaction = connection.transaction()?;
        look(&transaction)
    }

    /// Writes in one durable transaction: all of it, or nothing when `work` fails.
    pub fn write<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        let fault = lock(&self.faults).as_mut().and_then(|faults| faults());
        let mut connection = lock(&self.writer);
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let value = work(&transaction)?;
        match fault {
            Some(Fault::CrashBefore) => {
                return Err(Error::Storage("simulated crash before the commit".into()));
            }
            Some(Fault::Full) => return Err(Error::Full),
            Some(Fault::Unwritable) => return Err(Error::Unwritable),
            Some(Fault::Lie) => transaction.rollback()?,
            Some(Fault::CrashAfter) | None => transaction.commit()?,
        }
        match fault {
            Some(Fault::CrashAfter) => {
                Err(Error::Storage("simulated crash after the commit".into()))
            }
            _ => Ok(value),
        }
    }
}

/// A panic while holding the lock leaves at worst an open transaction, which SQLite rolls back.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads a fixed number of bytes from a column.
pub(crate) fn bytes<const N: usize>(
    row: &rusqlite::Row<'_>,
    column: usize,
) -> rusqlite::Result<[u8; N]> {
    let blob: Vec<u8> = row.get(column)?;
    let len = blob.len();
    blob.try_into().map_err(|_| {
        rusqlite::Error::FromSqlConversionFailure(
            len,
            rusqlite::types::Type::Blob,
            "unexpected length".into(),
        )
    })
}
