//! What fuzzers run: one function a target, which takes any bytes and fails only by a broken promise.
//!
//! `tests/fuzz` calls them under libFuzzer; `make test` runs its corpora through them. Nothing here knows about fuzzers.

mod admission;
mod feed;
mod imports;
mod pieces;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use patrol_core::cbor::Reader;
use patrol_core::doc::{entry, parse};
use patrol_core::domain::id::DocumentId;
use patrol_core::domain::limits;
use patrol_core::sync::frame::FrameReader;
use patrol_core::sync::strip::{Rebuilder, Way};
use patrol_core::sync::wire::{
    Done, Fates, Hello, Notice, PageTail, PushHead, Relic, Scopes, Welcome, read_raw,
    read_raw_of_page,
};
use patrol_server::directory;

pub use admission::admission;
pub use feed::{Feed, WITHIN_SHARE, feed};
pub use imports::imports;
pub use pieces::bundle;

use crate::clock::START;

/// How far into the program an input got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// It was refused at the first step.
    Nothing,
    /// Something in it was read, or let in.
    Within,
}

impl Reached {
    fn if_any(readings: &[bool]) -> Self {
        if readings.contains(&true) {
            Self::Within
        } else {
            Self::Nothing
        }
    }
}

/// How often something happened in all inputs so far.
#[derive(Debug)]
pub struct Tally(AtomicU64);

impl Tally {
    const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// So often.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What the targets have seen, for whoever asks whether they did anything.
#[derive(Debug)]
pub struct Seen {
    /// Changes of people let in, applied, saved and loaded again.
    pub let_in: Tally,
    /// Changes that were rebuilt from a stripped form, altered or not.
    pub rebuilt: Tally,
    /// Changes judged, and refused, by which a device says what only the server says.
    pub forged: Tally,
    /// Pieces that were sealed, opened and unpacked.
    pub opened: Tally,
    /// Sealed pieces whose inside could not be unpacked, or not within bounds, or was no piece.
    pub not_unpacked: Tally,
    /// Changes in opened pieces that were judged.
    pub judged: Tally,
    /// Imports without a fault, adopted and looked at once more.
    pub adopted: Tally,
}

/// In this program.
pub static SEEN: Seen = Seen {
    let_in: Tally::new(),
    rebuilt: Tally::new(),
    forged: Tally::new(),
    opened: Tally::new(),
    not_unpacked: Tally::new(),
    judged: Tally::new(),
    adopted: Tally::new(),
};

/// A target's name and what it runs.
pub type Target = (&'static str, fn(&[u8]) -> Reached);

/// All targets.
pub const TARGETS: [Target; 6] = [
    ("admission", admission),
    ("frame", frame),
    ("entry", entry_or_change),
    ("bundle", bundle),
    ("directory", tables),
    ("import", imports),
];

/// Where the corpora lie: a folder for each target.
pub fn corpora() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")
}

/// A message that was read is written again as bytes that say the same.
macro_rules! comes_back {
    ($payload:expr, $($message:ty),+) => {
        [$(match <$message>::decode($payload) {
            Ok(message) => {
                let again = message.encode();
                let read = <$message>::decode(&again).expect("its own bytes");
                assert_eq!(read, message);
                assert_eq!(read.encode(), again);
                true
            }
            Err(_) => false,
        }),+]
    };
}

/// A stream of a request or a response, and every kind of payload.
pub fn frame(data: &[u8]) -> Reached {
    let (pieces, payload) = data.split_at(data.len() / 2);
    let mut reader = FrameReader::new(limits::FRAME_BYTES_MAX);
    let mut frames = 0;
    for piece in [pieces, payload] {
        if reader.push(piece).is_err() {
            break;
        }
        while let Ok(Some(frame)) = reader.next_frame() {
            assert!(frame.payload.len() <= limits::FRAME_BYTES_MAX);
            frames += 1;
        }
    }
    let messages = comes_back!(data, Hello, Welcome, Scopes, Done, Relic);
    let fates = Fates::decode(data, 64);
    let is_fates = fates.is_ok();
    if let Ok(fates) = fates {
        let again = Fates::decode(&fates.encode(), 64);
        assert_eq!(again, Ok(fates));
    }
    let is_notice = Notice::read(&mut Reader::new(data)).is_ok();
    let pass_over = |_: &mut (), r: &mut Reader<'_>, _, count: usize| {
        (0..count).try_for_each(|_| r.item().map(drop))
    };
    let named = |_: &(), r: &mut Reader<'_>| r.array_of().map(DocumentId);
    let is_tail = PageTail::decode(data, &mut (), pass_over, named).is_ok();
    let others = [frames > 0, is_fates, is_notice, is_tail, items(data)];
    Reached::if_any(&[messages.as_slice(), &others].concat())
}

/// The items of push and page frames, in both forms. Whether one was read.
fn items(data: &[u8]) -> bool {
    let (head, count, reader) = match PushHead::decode(data) {
        Ok((head, count, reader)) => (Some(head), count, reader),
        Err(_) => (None, 16, Reader::new(data)),
    };
    let mut raw = reader.clone();
    let mut read = 0;
    for _ in 0..count.min(16) {
        if read_raw(&mut raw).is_err() {
            break;
        }
        read += 1;
    }
    let of_page = read_raw_of_page(&mut reader.clone());
    assert!(of_page.is_ok_and(|(_, _, _, change)| change.len() <= data.len()) || of_page.is_err());
    let up = |head: PushHead| Way::Up {
        signer: head.signer,
        person: admission::author(),
        first_n: head.n.0,
    };
    let way = head.map_or(Way::Down, up);
    let base = admission::base();
    let ledger_of = |document: DocumentId| {
        let mut ledger = base.clone();
        if document != ledger.document() {
            ledger.truncate(0);
        }
        ledger
    };
    let mut stripped = reader;
    let mut rebuilder = Rebuilder::new(way, &[], ledger_of);
    for _ in 0..count.min(16) {
        if rebuilder.item(&mut stripped).is_err() {
            break;
        }
        read += 1;
    }
    read > 0
}

/// An entry, a register, a change. Behind `BODY`: what is in a change, its checksum made here.
pub fn entry_or_change(data: &[u8]) -> Reached {
    let made = data.strip_prefix(b"BODY").map(admission::sealed);
    let data = made.as_deref().unwrap_or(data);
    let (entry, change) = (entry::decode(data), parse::parse(data));
    let reached = Reached::if_any(&[entry.is_ok(), change.is_ok()]);
    if let Ok(read) = entry {
        let again = entry::decode(&entry::encode(&read));
        assert_eq!(again.as_ref(), Ok(&read));
        let entry_id = entry::entry_id(DocumentId([1; 16]), data);
        assert_eq!(entry_id.0.len(), 16);
    }
    if let Ok(change) = change {
        assert_eq!(change.bytes, data, "one form for one change");
        let again = parse::parse_admitted(data).expect("what was parsed is read again");
        assert_eq!(again, change);
    }
    reached
}

/// The files of a directory, one behind the other with NUL between them.
pub fn tables(data: &[u8]) -> Reached {
    let Ok(text) = std::str::from_utf8(data) else {
        return Reached::Nothing;
    };
    let mut parts = text.split('\0');
    let mut next = || parts.next().unwrap_or_default();
    let files = directory::Files {
        districts: next(),
        towns: next(),
        villages: next(),
        beats: next(),
        units: next(),
        categories: next(),
        people: next(),
    };
    match directory::parse(&files, START) {
        Ok(read) => {
            let bytes = patrol_core::sync::directory::encode(&read);
            let again = patrol_core::sync::directory::decode(&bytes);
            assert_eq!(again.as_ref(), Ok(&read));
            Reached::Within
        }
        Err(faults) => {
            assert!(!faults.is_empty(), "a reason for every refusal");
            Reached::Nothing
        }
    }
}
