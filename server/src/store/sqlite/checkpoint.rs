//! Copies the write-ahead log into the database, beside the writer instead of in its way.
//!
//! Whoever has committed does it, when enough has come together, after the writer is free again. It keeps nothing from
//! being committed or read, and a copy that fails is tried again after the next commit.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, TryLockError};

use patrol_core::domain::limits;
use rusqlite::Connection;
use rusqlite::hooks::Wal;

use crate::store::Result;

/// The log of a database, and the connection that copies it.
pub(super) struct Checkpoints {
    connection: Mutex<Connection>,
    /// Pages in the log after the last commit.
    logged: Arc<AtomicU32>,
    /// How many of them were copied by the last checkpoint.
    copied: Arc<AtomicU32>,
}

impl Checkpoints {
    /// Watches the commits of the writer, instead of its own checkpoints.
    pub(super) fn of(writer: &mut Connection, connection: Connection) -> Result<Self> {
        let (logged, copied) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let (note, anew) = (Arc::clone(&logged), Arc::clone(&copied));
        writer.wal_hook(Some(move |log: &mut Wal, pages| {
            let pages = u32::try_from(pages).unwrap_or(u32::MAX);
            if pages < note.swap(pages, Ordering::Relaxed) {
                // The log has begun anew.
                anew.store(0, Ordering::Relaxed);
            }
            if pages >= limits::LOG_PAGES_MAX {
                // The commit stands whatever becomes of this.
                drop(log.checkpoint());
            }
            Ok(())
        }))?;
        Ok(Self {
            connection: Mutex::new(connection),
            logged,
            copied,
        })
    }

    /// Copies the log if that is due and nobody does it already.
    pub(super) fn make(&self) {
        let (logged, copied) = (
            self.logged.load(Ordering::Relaxed),
            self.copied.load(Ordering::Relaxed),
        );
        if logged.saturating_sub(copied) < limits::LOG_PAGES {
            return;
        }
        let connection = match self.connection.try_lock() {
            Ok(connection) => connection,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        let copied = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(2));
        match copied {
            Ok(copied) => self.copied.store(copied, Ordering::Relaxed),
            Err(error) => tracing::warn!(%error, "the log could not be copied: {error}"),
        }
    }
}
