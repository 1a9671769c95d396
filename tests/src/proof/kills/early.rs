//! The counter-proof of the kills: a server that acknowledges before it commits, as its file shows it when it is killed in between.
//!
//! It knows SQLite's log as far as finding commits in it, and nothing else of the database.

use std::fs::File;
use std::io;
use std::path::Path;

/// Of a log: its head, and of each page in it.
const HEAD: usize = 32;
const FRAME_HEAD: usize = 24;

/// Takes the last commits out of a database's log; the first stays.
pub(in crate::proof) fn undo_commits(database: &Path, count: usize) -> io::Result<()> {
    let mut path = database.as_os_str().to_owned();
    path.push("-wal");
    let ends = ends_of_commits(&std::fs::read(&path)?);
    let place = ends.len().saturating_sub(count + 1);
    match ends.get(place) {
        Some(end) => File::options()
            .write(true)
            .open(&path)?
            .set_len(*end as u64),
        None => Ok(()),
    }
}

fn number(log: &[u8], place: usize) -> usize {
    let bytes = log.get(place..place + 4).unwrap_or_default();
    bytes
        .iter()
        .fold(0, |sum, byte| sum << 8 | usize::from(*byte))
}

/// Where each commit of the log as it began last ends. A page that ends one tells the size of the database.
fn ends_of_commits(log: &[u8]) -> Vec<usize> {
    let frame = FRAME_HEAD + number(log, 8);
    let salt = log.get(16..24);
    let mut ends = Vec::new();
    let mut place = HEAD;
    while place + frame <= log.len() && log.get(place + 8..place + 16) == salt {
        if number(log, place + 4) > 0 {
            ends.push(place + frame);
        }
        place += frame;
    }
    ends
}
