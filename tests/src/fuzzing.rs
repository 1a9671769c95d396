//! What fuzzers run: one function a target, which takes any bytes and fails only by a broken promise.
//!
//! `tests/fuzz` calls them under libFuzzer; `make test` runs its corpora through them. Nothing here knows about fuzzers.

mod admission;

use std::path::{Path, PathBuf};

use patrol_core::cbor::Reader;
use patrol_core::doc::{entry, parse};
use patrol_core::domain::id::{DocumentId, ServerId};
use patrol_core::domain::limits;
use patrol_core::sync::frame::FrameReader;
use patrol_core::sync::rescue::{Bundle, Piece};
use patrol_core::sync::strip::{Rebuilder, Way};
use patrol_core::sync::wire::{
    Done, Fates, Hello, Notice, PageTail, PushHead, Relic, Scopes, Welcome, read_raw,
    read_raw_of_page,
};
use patrol_server::directory;

pub use admission::{LET_IN, admission};

use crate::clock::START;

/// A target's name and what it runs.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 5] = [
    ("admission", admission),
    ("frame", frame),
    ("entry", entry_or_change),
    ("bundle", bundle),
    ("directory", tables),
];

/// Where the corpora lie: a folder for each target.
pub fn corpora() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")
}

/// A message that was read is written again as bytes that say the same.
macro_rules! comes_back {
    ($payload:expr, $($message:ty),+) => {
        $(if let Ok(message) = <$message>::decode($payload) {
            let again = message.encode();
            let read = <$message>::decode(&again).expect("its own bytes");
            assert_eq!(read, message);
            assert_eq!(read.encode(), again);
        })+
    };
}

/// A stream of a request or a response, and every kind of payload.
pub fn frame(data: &[u8]) {
    let (pieces, payload) = data.split_at(data.len() / 2);
    let mut reader = FrameReader::new(limits::FRAME_BYTES_MAX);
    for piece in [pieces, payload] {
        if reader.push(piece).is_err() {
            break;
        }
        while let Ok(Some(frame)) = reader.next_frame() {
            assert!(frame.payload.len() <= limits::FRAME_BYTES_MAX);
        }
    }
    comes_back!(data, Hello, Welcome, Scopes, Done, Relic);
    if let Ok(fates) = Fates::decode(data, 64) {
        let again = Fates::decode(&fates.encode(), 64);
        assert_eq!(again, Ok(fates));
    }
    drop(Notice::read(&mut Reader::new(data)));
    let pass_over = |_: &mut (), r: &mut Reader<'_>, _, count: usize| {
        (0..count).try_for_each(|_| r.item().map(drop))
    };
    let named = |_: &(), r: &mut Reader<'_>| r.array_of().map(DocumentId);
    drop(PageTail::decode(data, &mut (), pass_over, named));
    items(data);
}

/// The items of push and page frames, in both forms.
fn items(data: &[u8]) {
    let (head, count, reader) = match PushHead::decode(data) {
        Ok((head, count, reader)) => (Some(head), count, reader),
        Err(_) => (None, 16, Reader::new(data)),
    };
    let mut raw = reader.clone();
    for _ in 0..count.min(16) {
        if read_raw(&mut raw).is_err() {
            break;
        }
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
    }
}

/// An entry, a register, a change.
pub fn entry_or_change(data: &[u8]) {
    if let Ok(read) = entry::decode(data) {
        let again = entry::decode(&entry::encode(&read));
        assert_eq!(again.as_ref(), Ok(&read));
        let entry_id = entry::entry_id(DocumentId([1; 16]), data);
        assert_eq!(entry_id.0.len(), 16);
    }
    if let Ok(change) = parse::parse(data) {
        assert_eq!(change.bytes, data, "one form for one change");
        let again = parse::parse_admitted(data).expect("what was parsed is read again");
        assert_eq!(again, change);
    }
}

/// A rescue bundle as a file, a sealed piece, an opened one.
pub fn bundle(data: &[u8]) {
    if let Ok(bundle) = Bundle::decode(data)
        && bundle.damaged == 0
    {
        assert_eq!(Bundle::decode(&bundle.encode()), Ok(bundle));
    }
    let opened = Piece::open(data, ServerId([1; 16]), &[2; 32]);
    assert!(opened.is_err(), "nobody guesses a seal");
    if let Ok(piece) = Piece::decode(data) {
        assert_eq!(Piece::decode(&piece.encode()), Ok(piece));
    }
}

/// The files of a directory, one behind the other with NUL between them.
pub fn tables(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
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
        }
        Err(faults) => assert!(!faults.is_empty(), "a reason for every refusal"),
    }
}
