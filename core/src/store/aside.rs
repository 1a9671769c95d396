//! Where a damaged file is put, how it is found again, and that it is put away once somebody has what was in it.
//!
//! It moves files and reads none; nothing is ever deleted.

use std::path::{Path, PathBuf};

use super::schema::beside;
use crate::domain::time::Timestamp;
use crate::error::{Error, Result};

/// What may lie beside a file of SQLite's, and belongs to it.
pub(super) const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Begins the end of the name of a damaged file.
const BROKEN: &str = ".broken-";
/// The same of one that was put away.
const KEPT: &str = ".kept-";

/// A name that nothing has: an earlier rescue is never written over.
pub(super) fn place(path: &Path, now: Timestamp) -> PathBuf {
    let is_free = |aside: &Path| {
        let companions = COMPANIONS.iter().map(|suffix| beside(aside, suffix));
        std::iter::once(aside.to_owned())
            .chain(companions)
            .all(|path| std::fs::symlink_metadata(path).is_err())
    };
    let mut aside = beside(path, &format!("{BROKEN}{}", now.0));
    let mut number = 1u64;
    while !is_free(&aside) {
        number += 1;
        aside = beside(path, &format!("{BROKEN}{}-{number}", now.0));
    }
    aside
}

/// The companions go first: a program that dies in between finds the damaged file again, and never a new file beside an old log.
pub(super) fn move_to(path: &Path, aside: &Path) -> Result<()> {
    let failed = |error: std::io::Error| {
        Error::Storage(format!("a damaged file could not be moved aside: {error}"))
    };
    for suffix in COMPANIONS.iter().chain(&[""]) {
        let from = beside(path, suffix);
        if std::fs::symlink_metadata(&from).is_ok() {
            std::fs::rename(from, beside(aside, suffix)).map_err(failed)?;
        }
    }
    Ok(())
}

/// The damaged file of this name that was moved aside last and has not been put away.
pub(super) fn waiting(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let folder = path.parent()?;
    // The name alone of a file in the folder where one is.
    let here = Path::new(".");
    let folder = if folder.as_os_str().is_empty() {
        here
    } else {
        folder
    };
    let is_it = |found: &str| {
        let end = found
            .strip_prefix(name)
            .and_then(|end| end.strip_prefix(BROKEN));
        end.is_some_and(|end| !COMPANIONS.iter().any(|suffix| end.ends_with(suffix)))
    };
    let names = std::fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let last = names.filter(|found| is_it(found)).max()?;
    Some(path.with_file_name(last))
}

/// Whoever wanted what was in a damaged file has it: it stays under another name, and is told of no more.
///
/// # Errors
/// `NotFound`: no damaged file of that name is there.
pub fn put_away(file: &Path) -> Result<()> {
    let name = file.file_name().and_then(|name| name.to_str());
    let (before, number) = name
        .and_then(|name| name.rsplit_once(BROKEN))
        .ok_or(Error::NotFound)?;
    if std::fs::symlink_metadata(file).is_err() {
        return Err(Error::NotFound);
    }
    move_to(
        file,
        &file.with_file_name(format!("{before}{KEPT}{number}")),
    )
}
