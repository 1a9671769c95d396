//! Where a damaged file is put, how it is found again, and that it is put away once somebody has what was in it.
//!
//! It moves files and reads none; nothing is ever deleted.

use std::collections::BTreeSet;
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

/// A name that nothing has: an earlier rescue is never written over. A move that was cut is gone on with: what lies there is the log of
/// this file.
pub(super) fn place(path: &Path, now: Timestamp) -> PathBuf {
    let is_cut = |aside: &PathBuf| !is_there(aside) && !has_both(path, aside);
    if let Some(cut) = moved(path).into_iter().rev().find(is_cut) {
        return cut;
    }
    let name = |mark: &str, end: &str| beside(path, &format!("{mark}{end}"));
    let is_free = |end: &str| {
        let names = [BROKEN, KEPT].map(|mark| name(mark, end));
        names
            .iter()
            .all(|name| parts_of(name).all(|part| !is_there(&part)))
    };
    let mut end = now.0.to_string();
    let mut number = 1u64;
    while !is_free(&end) {
        number += 1;
        end = format!("{}-{number}", now.0);
    }
    name(BROKEN, &end)
}

/// The companions go first: a program that dies in between finds the damaged file again, and never a new file beside an old log. Where
/// there was nothing but them an empty file is left, by which the move is known to have come to its end.
pub(super) fn move_to(path: &Path, aside: &Path) -> Result<()> {
    let failed = |error: std::io::Error| {
        Error::Storage(format!("a damaged file could not be moved aside: {error}"))
    };
    for (from, to) in parts_of(path).zip(parts_of(aside)) {
        if is_there(&from) {
            std::fs::rename(from, to).map_err(failed)?;
        }
    }
    if !is_there(aside) {
        std::fs::File::create_new(aside).map_err(failed)?;
    }
    Ok(())
}

/// The damaged file of this name that was moved aside last and has not been put away.
pub(super) fn waiting(path: &Path) -> Option<PathBuf> {
    moved(path).pop()
}

/// Whoever wanted what was in a damaged file has it: it stays under another name, and is told of no more.
///
/// # Errors
/// `NotFound`: no damaged file of that name is there.
pub fn put_away(file: &Path) -> Result<()> {
    let name = file.file_name().and_then(|name| name.to_str());
    let (before, end) = name
        .and_then(|name| name.rsplit_once(BROKEN))
        .ok_or(Error::NotFound)?;
    if !parts_of(file).any(|part| is_there(&part)) {
        return Err(Error::NotFound);
    }
    move_to(file, &file.with_file_name(format!("{before}{KEPT}{end}")))
}

fn is_there(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok()
}

/// A file's companions, and the file.
fn parts_of(path: &Path) -> impl Iterator<Item = PathBuf> {
    let ends = COMPANIONS.iter().chain(&[""]);
    ends.map(|end| beside(path, end))
}

/// Whether some part of one lies beside both.
fn has_both(path: &Path, aside: &Path) -> bool {
    let mut parts = parts_of(path).zip(parts_of(aside));
    parts.any(|(here, there)| is_there(&here) && is_there(&there))
}

/// Damaged files of this name that were moved aside, in part at least, the last one last.
fn moved(path: &Path) -> Vec<PathBuf> {
    let name = path.file_name().and_then(|name| name.to_str());
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    // The name alone is of a file in the folder where one is.
    let found = std::fs::read_dir(folder.unwrap_or(Path::new(".")));
    let (Some(name), Ok(found)) = (name, found) else {
        return Vec::new();
    };
    let names = found.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let names: BTreeSet<String> = names
        .filter(|found| {
            found
                .strip_prefix(name)
                .is_some_and(|end| end.starts_with(BROKEN))
        })
        .map(|found| {
            let mut mains = COMPANIONS.iter().filter_map(|end| found.strip_suffix(end));
            mains.next().unwrap_or(&found).to_owned()
        })
        .collect();
    names
        .into_iter()
        .map(|name| path.with_file_name(name))
        .collect()
}
