//! Stripped items come back byte for byte, and have these bytes for ever.

use super::*;
use crate::cbor::{Reader, Writer};
use crate::doc::compose::{Content, compose};
use crate::doc::key::ServerName;
use crate::doc::register::{FieldValue, encode_text};
use crate::domain::action::Action;
use crate::domain::entry::{Body, Entry};
use crate::domain::time::{At, Timestamp};

const DOCUMENT: DocumentId = DocumentId([0xd0; 16]);
const LI: PersonId = PersonId([0x11; 8]);
const PHONE: DeviceId = DeviceId([0xaa; 8]);
const SERVER: DeviceId = DeviceId([0xee; 8]);

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn entry(action: Action, n: u64, wall: i64, on: Vec<crate::domain::id::EntryId>) -> Entry {
    Entry {
        kind: action.code(),
        person: LI,
        device: PHONE,
        capability: 1,
        unit: UnitId::CITY,
        n,
        on,
        at: At {
            wall: Timestamp(wall),
            anchored: Some(Timestamp(wall + 5)),
            error_ms: Some(60),
            boot: Some(9),
        },
        key: None,
        body: Body {
            words: Some("好".to_owned()),
            ..Body::default()
        },
    }
}

/// Li's report, the server's number, Li's note on the report.
fn history() -> Ledger {
    let mut ledger = Ledger::new(DOCUMENT);
    let mut put = |actor: Actor, content: Content| {
        let change = compose(&ledger, actor, &ledger.head_hashes(), &content).expect("its heads");
        ledger.push(change).expect("its heads");
        ledger
            .links()
            .last()
            .and_then(|link| link.entry.as_ref().map(|(id, _)| *id))
    };
    let li = Actor::new(PHONE, [1; 8]);
    let words = vec![FieldValue::Words("坑".to_owned())];
    let report = put(
        li,
        Content::person(&entry(Action::Report, 7, 1_000_000, vec![]), words),
    );
    let number = vec![(ServerName::Number, encode_text("2026-000001"))];
    put(Actor::new(SERVER, [2; 8]), Content::server(number));
    let on = report.into_iter().collect();
    put(
        li,
        Content::person(&entry(Action::Note, 8, 1_060_000, on), Vec::new()),
    );
    ledger
}

const UP: Way = Way::Up {
    signer: PHONE,
    person: LI,
    first_n: 7,
};

fn rebuilt(
    way: Way,
    bytes: &[u8],
    count: usize,
    known: &Ledger,
    pushed: &[Vec<(DocumentId, ChangeHash)>],
) -> Vec<Rebuilt> {
    let mut rebuilder = Rebuilder::new(way, pushed, |_| known.clone());
    let mut r = Reader::new(bytes);
    (0..count)
        .map(|_| rebuilder.item(&mut r).expect("what was written"))
        .collect()
}

/// The first changes of a history.
fn beginning(ledger: &Ledger, len: usize) -> Ledger {
    let mut beginning = ledger.clone();
    beginning.truncate(len);
    beginning
}

#[test]
fn a_push_of_two_changes_has_these_bytes() {
    let ledger = history();
    let mut stripper = Stripper::new(UP);
    let mut w = Writer::default();
    stripper.change(&mut w, &beginning(&ledger, 1), 0, 0, None);
    let first = w.len();
    stripper.change(&mut w, &ledger, 2, 2, None);
    let bytes = w.finish();
    let report = format!(
        "848250{}00 480101010101010101 80 8901820100 00 00 1a000f4240 8305183c09 a10063{} 0363e59d91",
        "d0".repeat(16),
        "e5a5bd"
    );
    assert_eq!(hex(&bytes[..first]), report.replace(' ', ""));
    let items = rebuilt(UP, &bytes[..first], 1, &Ledger::new(DOCUMENT), &[]);
    let Some(Rebuilt::Change {
        place,
        change,
        received_at,
        ..
    }) = items.first()
    else {
        panic!("a change");
    };
    assert_eq!((*place, received_at), (0, &None));
    assert_eq!(Some(change), ledger.link(0).map(|link| &link.change));
}

#[test]
fn a_page_with_the_servers_own_change_and_an_echo_comes_back() {
    let ledger = history();
    let hash = |place| ledger.hash(place).expect("a change");
    let mut stripper = Stripper::new(Way::Down);
    let mut w = Writer::default();
    stripper.echo(&mut w, (DOCUMENT, hash(0)), 0, (0, 1), Timestamp(50));
    let echo = w.len();
    stripper.change(&mut w, &ledger, 1, 1, Some(Timestamp(60)));
    let own = w.len();
    stripper.change(&mut w, &ledger, 2, 2, Some(Timestamp(70)));
    let bytes = w.finish();
    assert_eq!(hex(&bytes[..echo]), "838100011832");
    let expected = format!(
        "850082 50{}0202020202020202 48{} 00 a1016b{} 0a",
        "ee".repeat(8),
        "00".repeat(8),
        hex(b"2026-000001")
    );
    assert_eq!(hex(&bytes[echo..own]), expected.replace(' ', ""));
    let pushed = vec![vec![(DocumentId([1; 16]), hash(2)), (DOCUMENT, hash(0))]];
    let items = rebuilt(Way::Down, &bytes, 3, &beginning(&ledger, 1), &pushed);
    let hashes: Vec<ChangeHash> = items
        .iter()
        .map(|item| match item {
            Rebuilt::Change { change, .. } => change.hash,
            Rebuilt::Echo { hash, .. } => *hash,
        })
        .collect();
    assert_eq!(hashes, [hash(0), hash(1), hash(2)]);
}

#[test]
fn an_echo_of_what_was_never_pushed_is_refused() {
    let ledger = history();
    let hash = ledger.hash(0).expect("a change");
    let mut w = Writer::default();
    Stripper::new(Way::Down).echo(&mut w, (DOCUMENT, hash), 0, (0, 1), Timestamp(50));
    let bytes = w.finish();
    for pushed in [vec![], vec![vec![(DOCUMENT, hash)]]] {
        let mut rebuilder = Rebuilder::new(Way::Down, &pushed, |_| ledger.clone());
        assert!(rebuilder.item(&mut Reader::new(&bytes)).is_err());
    }
}

#[test]
fn a_document_is_named_once_so_that_few_bytes_do_not_load_it_many_times() {
    let ledger = history();
    let mut w = Writer::default();
    Stripper::new(UP).change(&mut w, &ledger, 0, 0, None);
    Stripper::new(UP).change(&mut w, &ledger, 1, 1, None);
    let bytes = w.finish();
    let mut loads = 0;
    let mut rebuilder = Rebuilder::new(UP, &[], |_| {
        loads += 1;
        ledger.clone()
    });
    let mut r = Reader::new(&bytes);
    assert!(rebuilder.item(&mut r).is_ok());
    assert!(rebuilder.item(&mut r).is_err());
    assert_eq!(loads, 1);
}

#[test]
fn a_page_cannot_use_the_short_form_of_an_author_and_no_bytes_make_the_reader_panic() {
    let ledger = history();
    let mut stripper = Stripper::new(UP);
    let mut w = Writer::default();
    stripper.change(&mut w, &ledger, 0, 0, None);
    let bytes = w.finish();
    let mut page = Rebuilder::new(Way::Down, &[], |_| Ledger::new(DOCUMENT));
    assert!(page.item(&mut Reader::new(&bytes)).is_err());
    for place in 0..bytes.len() {
        for value in 0..=255 {
            let mut altered = bytes.clone();
            altered[place] = value;
            for way in [UP, Way::Down] {
                let mut rebuilder = Rebuilder::new(way, &[], |_| Ledger::new(DOCUMENT));
                drop(rebuilder.item(&mut Reader::new(&altered)));
            }
        }
        let mut rebuilder = Rebuilder::new(UP, &[], |_| Ledger::new(DOCUMENT));
        assert!(rebuilder.item(&mut Reader::new(&bytes[..place])).is_err());
    }
}
