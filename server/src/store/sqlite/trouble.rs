//! What keeps the file from being written, remembered from whoever met it: a disk that takes nothing until a write succeeds again, damage
//! for as long as the program runs.
//!
//! It mends nothing and tries nothing by itself.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::store::{Result, StoreError};

/// How the file of a database stands.
pub(super) struct Trouble {
    /// Where it was opened, and which file that was.
    place: (PathBuf, Option<File>),
    is_failing: AtomicBool,
    is_damaged: AtomicBool,
}

/// Which file it is: device and number.
type File = (u64, u64);

#[cfg(unix)]
fn file_at(path: &Path) -> Option<File> {
    use std::os::unix::fs::MetadataExt as _;
    let found = std::fs::metadata(path).ok()?;
    Some((found.dev(), found.ino()))
}

#[cfg(not(unix))]
fn file_at(path: &Path) -> Option<File> {
    path.exists().then_some((0, 0))
}

impl Trouble {
    /// Nothing amiss yet with the file that is open at this path.
    pub(super) fn none(path: &Path) -> Self {
        Self {
            place: (path.to_owned(), file_at(path)),
            is_failing: AtomicBool::new(false),
            is_damaged: AtomicBool::new(false),
        }
    }

    /// Whether the disk took nothing when last asked.
    pub(super) fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::Relaxed)
    }

    /// Whether it may be written: what is acknowledged after damage might have to be given up with the file.
    pub(super) fn may_write(&self) -> Result<()> {
        if self.is_damaged.load(Ordering::Relaxed) {
            return Err(StoreError::Damaged("a page of it was found so".to_owned()));
        }
        Ok(())
    }

    /// Whether what was written can be found again under its name.
    pub(super) fn is_in_place(&self) -> Result<()> {
        let (path, file) = &self.place;
        if file_at(path) == *file {
            Ok(())
        } else {
            Err(StoreError::Moved)
        }
    }

    /// Notes how a look or a write ended.
    pub(super) fn note<T>(&self, ended: Result<T>) -> Result<T> {
        if let Err(error @ StoreError::Damaged(_)) = &ended
            && !self.is_damaged.swap(true, Ordering::Relaxed)
        {
            tracing::error!(%error, "{error}; nothing more is written into it: see the handbook, A damaged database");
        }
        ended
    }

    /// Notes how a write ended.
    pub(super) fn note_write<T>(&self, ended: Result<T>) -> Result<T> {
        match &ended {
            Ok(_) => self.is_failing.store(false, Ordering::Relaxed),
            Err(StoreError::Full | StoreError::Unwritable(_)) => {
                self.is_failing.store(true, Ordering::Relaxed);
            }
            Err(_) => {}
        }
        self.note(ended)
    }
}
