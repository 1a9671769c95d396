//! Where the file of a database lies, whatever links lead to it, and what lies beside it.
//!
//! SQLite keeps its log beside the file itself, not beside a link; so does everything of ours. Nothing is made or changed here.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::store::{Result, StoreError};

/// The file that a name means, which need not be there yet. Links are followed, those of folders too; one that leads nowhere is refused: by
/// it a second file would be made where the first one is away.
pub fn resolved(name: &Path) -> Result<PathBuf> {
    let error = match name.canonicalize() {
        Ok(file) => return Ok(file),
        Err(error) => error,
    };
    if let Some(end) = end_of_links(name) {
        let why = match error.kind() {
            ErrorKind::NotFound => "is not there".to_owned(),
            _ => format!("cannot be reached: {error}"),
        };
        let (name, end) = (name.display(), end.display());
        return Err(StoreError::Broken(format!(
            "{name} is a link to {end}, which {why}"
        )));
    }
    let of_folder = || Some(folder(name).canonicalize().ok()?.join(name.file_name()?));
    Ok(of_folder().unwrap_or_else(|| name.to_owned()))
}

/// Where a link leads, over others where it leads to one; none: it is no link.
fn end_of_links(name: &Path) -> Option<PathBuf> {
    let next = |link: &Path| Some(folder(link).join(std::fs::read_link(link).ok()?));
    let mut end = next(name)?;
    // Of a ring some one of it.
    for _ in 0..LINKS {
        match next(&end) {
            Some(further) => end = further,
            None => break,
        }
    }
    Some(end)
}

/// As many links as systems follow.
const LINKS: usize = 40;

/// What lies beside a database, by the end of its name.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Where a file lies.
pub(crate) fn folder(name: &Path) -> &Path {
    let folder = name.parent();
    let folder = folder.filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}
