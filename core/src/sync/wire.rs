//! The messages of a round, used by both ends: their fields and their bytes.
//!
//! Items of push and page frames are `strip`'s business; the stream around frames is `frame`'s.

mod done;
mod fate;
mod hello;
mod notice;
mod page;
mod push;
mod relic;
mod status;
mod welcome;

pub use done::Done;
pub use fate::{Fate, Fates, Later, Unread};
pub use hello::Hello;
pub use notice::Notice;
pub use page::PageTail;
pub use push::{PushHead, read_raw, read_raw_of_page, write_raw, write_raw_of_page};
pub use relic::Relic;
pub use status::{DIGEST, SPOILT, Status};
pub use welcome::{Scopes, Welcome};

use crate::cbor::{Fault, Reader, Result, Writer};

/// The protocol that this program speaks.
///
/// * 1: the first.
pub const PROTOCOL: u64 = 1;
/// The lowest protocol that this program's server accepts.
pub const PROTOCOL_LOWEST: u64 = 1;
/// What a request and a response are, for HTTP.
pub const CONTENT_TYPE: &str = "application/vnd.xuncun.sync";

/// Numbers of frame types.
pub mod kind {
    /// Begins a request.
    pub const HELLO: u8 = 1;
    /// Changes from a device.
    pub const PUSH: u8 = 2;
    /// A page frame pushed back after a restore.
    pub const RELIC: u8 = 3;
    /// A small blob (reserved).
    pub const BLOB: u8 = 4;
    /// A sealed piece of another device's rescue bundle.
    pub const BUNDLE: u8 = 5;
    /// Begins a response.
    pub const WELCOME: u8 = 16;
    /// What became of a push frame.
    pub const FATES: u8 = 17;
    /// The device's scopes.
    pub const SCOPES: u8 = 18;
    /// Changes from the server.
    pub const PAGE: u8 = 19;
    /// Ends a response.
    pub const DONE: u8 = 20;
    /// From here on an unknown type may be skipped.
    pub const SKIPPABLE: u8 = 128;
}

/// How far a device has caught up in a scope.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Cursor {
    /// Everything up to this row of the feed.
    Tail(u64),
    /// Members that joined at `before` or later, and rows up to `as_of`.
    Boot {
        /// Rows accounted for.
        as_of: u64,
        /// Members listed.
        before: u64,
    },
}

/// A scope's handle within an epoch.
pub type ScopeNumber = u64;

/// Cursors by scope.
pub type Cursors = Vec<(ScopeNumber, Cursor)>;

fn write_cursors(w: &mut Writer, cursors: &Cursors) {
    w.array(2 * cursors.len());
    for (scope, cursor) in cursors {
        w.uint(*scope);
        match cursor {
            Cursor::Tail(seq) => w.uint(*seq),
            Cursor::Boot { as_of, before } => w.array(2).uint(*as_of).uint(*before),
        };
    }
}

fn read_cursors(r: &mut Reader<'_>) -> Result<Cursors> {
    let mut cursors = Cursors::new();
    for _ in 0..r.array()? / 2 {
        let scope = r.uint()?;
        let cursor = if r.is_array() {
            r.array()?;
            Cursor::Boot {
                as_of: r.uint()?,
                before: r.uint()?,
            }
        } else {
            Cursor::Tail(r.uint()?)
        };
        cursors.push((scope, cursor));
    }
    Ok(cursors)
}

/// The fixed positions of a payload: reads the known ones, passes over later ones.
fn positions<T>(
    payload: &[u8],
    known: usize,
    read: impl FnOnce(&mut Reader<'_>) -> Result<T>,
) -> Result<T> {
    let mut r = Reader::new(payload);
    let len = r.array()?;
    if len < known {
        return Err(Fault::Truncated);
    }
    let value = read(&mut r)?;
    for _ in known..len {
        r.item()?;
    }
    r.end()?;
    Ok(value)
}

/// How the changes of a push frame are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// Without what the receiver can compute.
    Stripped,
    /// As they are: document, change.
    Raw,
}

#[cfg(test)]
mod tests;
