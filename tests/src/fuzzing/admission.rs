//! Admission, structure-aware: bytes are read as what to do to valid changes of a small case, with checksums made right again.
//!
//! Some come stripped, and are altered in that form. What is let in must be what its bytes say, must load, be saved and load again, must read without a fault, and
//! must come back from its stripped form.

use std::sync::OnceLock;

use patrol_core::cbor::{Reader, Writer};
use patrol_core::doc::admit::{RightCheck, Signer, admit};
use patrol_core::doc::compose::{Content, compose};
use patrol_core::doc::document;
use patrol_core::doc::key::{Key, ServerName};
use patrol_core::doc::ledger::Ledger;
use patrol_core::doc::parse::{Parsed, Put, parse};
use patrol_core::doc::register::{FieldValue, encode_uint};
use patrol_core::domain::action::{Action, Where};
use patrol_core::domain::capability::{Capability, Holding};
use patrol_core::domain::directory::{Person, PostAt};
use patrol_core::domain::entry::{Body, Entry};
use patrol_core::domain::id::{Actor, ChangeHash, DeviceId, DocumentId, PersonId};
use patrol_core::domain::place::VillageCode;
use patrol_core::domain::time::At;
use patrol_core::sync::strip::{Rebuilder, Rebuilt, Stripper, Way};
use sha2::{Digest as _, Sha256};

use super::{Reached, SEEN};
use crate::clock::START;
use crate::world::{city, matter};

pub(super) const DOCUMENT: DocumentId = DocumentId([0xd0; 16]);
pub(super) const DEVICE: DeviceId = DeviceId(*b"\x01\x01\x01\x01\0\0\0\x07");
const SERVER: DeviceId = DeviceId(*b"\x01\x01\x01\x01\0\0\0\0");

fn inspector() -> &'static Person {
    let people = &city().people;
    let found = people.iter().find(|person| person.name == "巡查员01");
    found.expect("a person of the directory")
}

/// Whose phone it is.
pub(super) fn author() -> PersonId {
    inspector().id
}

fn village() -> VillageCode {
    let PostAt::Beat(beat) = inspector().posts[0].at else {
        panic!("an inspector has a beat");
    };
    city().beat(beat).expect("a beat").villages[0].village
}

fn holdings() -> &'static [Holding] {
    static HOLDINGS: OnceLock<Vec<Holding>> = OnceLock::new();
    HOLDINGS.get_or_init(|| city().holdings())
}

fn entry_by(action: Action, n: u64, words: &str) -> Entry {
    Entry {
        kind: action.code(),
        person: author(),
        device: DEVICE,
        capability: Capability::Inspect.code(),
        unit: village().unit(),
        n,
        on: Vec::new(),
        at: At::wall(START),
        key: None,
        body: Body {
            words: (!words.is_empty()).then(|| words.to_owned()),
            ..Body::default()
        },
    }
}

/// A case that was reported, numbered and noted upon twice at once.
pub(super) fn base() -> &'static Ledger {
    static BASE: OnceLock<Ledger> = OnceLock::new();
    BASE.get_or_init(|| {
        let mut ledger = Ledger::new(DOCUMENT);
        let mut add = |actor: Actor, on_first: bool, content: &Content| {
            let heads = ledger.head_hashes();
            let first = ledger.hash(0).filter(|_| on_first);
            let deps = first.map_or(heads, |first| vec![first]);
            let change = compose(&ledger, actor, &deps, content).expect("known heads");
            ledger.push(change).expect("known heads");
        };
        let report = Entry {
            capability: Capability::Report.code(),
            unit: patrol_core::domain::id::UnitId::CITY,
            ..entry_by(Action::Report, 1, "")
        };
        let (phone, server) = (Actor::new(DEVICE, [1; 8]), Actor::new(SERVER, [2; 8]));
        add(
            phone,
            false,
            &Content::person(&report, matter(village(), "桥头垃圾")),
        );
        let fold = vec![(ServerName::Fold, encode_uint(1))];
        add(server, false, &Content::server(fold));
        let note = |n, words| Content::person(&entry_by(Action::Note, n, words), Vec::new());
        add(phone, true, &note(2, "一"));
        add(phone, false, &note(3, "二"));
        ledger
    })
}

/// Takes what there is; nothing is left is zeros.
pub(super) struct Dice<'d>(&'d [u8]);

impl<'d> Dice<'d> {
    pub(super) fn new(data: &'d [u8]) -> Self {
        Self(data)
    }

    pub(super) fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                *first
            }
            None => 0,
        }
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::from(self.byte()) % bound.max(1)
    }

    /// A place in so many bytes, with two bytes where one is not enough.
    pub(super) fn place(&mut self, len: usize) -> usize {
        let high = if len > 256 {
            usize::from(self.byte()) << 8
        } else {
            0
        };
        (high | usize::from(self.byte())) % len.max(1)
    }

    /// Alters bytes at a place: one replaced, one put in, some taken out.
    pub(super) fn alter(&mut self, bytes: &mut Vec<u8>) {
        let place = self.place(bytes.len() + 1);
        match self.byte() % 4 {
            0 | 1 => {
                let byte = self.byte();
                if let Some(there) = bytes.get_mut(place) {
                    *there ^= byte;
                }
            }
            2 => bytes.insert(place, self.byte()),
            _ => {
                let end = bytes.len().min(place + 1 + self.below(8));
                bytes.drain(place..end);
            }
        }
    }
}

/// Runs one input. It gets beyond the first step where a change is let in.
///
/// # Panics
/// If a promise is broken.
pub fn admission(data: &[u8]) -> Reached {
    let mut dice = Dice(data);
    let mut ledger = base().clone();
    ledger.truncate(dice.below(5));
    let mut reached = Reached::Nothing;
    for _ in 0..=dice.below(3) {
        let Some((kind, change)) = composed(&mut dice, &ledger) else {
            continue;
        };
        let read = if kind >> 5 & 3 == 3 {
            rebuilt(&mut dice, &ledger, change)
        } else {
            parse(&altered(&mut dice, change.bytes)).ok()
        };
        if let Some(change) = read
            && judge(&mut dice, &mut ledger, change)
        {
            reached = Reached::Within;
        }
    }
    reached
}

/// The bytes of a change that once was valid.
pub(super) fn next(dice: &mut Dice<'_>, ledger: &Ledger) -> Option<Vec<u8>> {
    let (_, change) = composed(dice, ledger)?;
    Some(altered(dice, change.bytes))
}

/// A change, and of which kind. A quarter of them say what only the server says: its own, and what a device forges.
fn composed(dice: &mut Dice<'_>, ledger: &Ledger) -> Option<(u8, Parsed)> {
    let deps: Vec<ChangeHash> = match dice.byte() % 4 {
        0..=2 => ledger.head_hashes(),
        _ => {
            let mask = dice.byte();
            let chosen = (0..ledger.len()).filter(|place| mask >> (place % 8) & 1 == 1);
            chosen.filter_map(|place| ledger.hash(place)).collect()
        }
    };
    let kind = dice.byte();
    let actor = match kind % 8 {
        0..=5 => Actor::new(DEVICE, [1; 8]),
        6 => Actor::new(DEVICE, [dice.byte(); 8]),
        _ => Actor::new(SERVER, [2; 8]),
    };
    let content = if kind >> 3 & 3 == 3 {
        servers(dice)
    } else {
        content(dice, ledger)
    };
    let change = compose(ledger, actor, &deps, &content).ok()?;
    Some((kind, change))
}

fn altered(dice: &mut Dice<'_>, mut bytes: Vec<u8>) -> Vec<u8> {
    for _ in 0..dice.below(4) {
        // Behind magic, checksum, type and length.
        let start = body_start(&bytes);
        let mut body = bytes.split_off(start);
        dice.alter(&mut body);
        bytes = sealed(&body);
    }
    bytes
}

/// What a server makes of a change that comes stripped, as phones send them, and altered on its way.
fn rebuilt(dice: &mut Dice<'_>, ledger: &Ledger, change: Parsed) -> Option<Parsed> {
    let up = Way::Up {
        signer: DEVICE,
        person: author(),
        first_n: u64::from(dice.byte()),
    };
    let (mut whole, mut w) = (ledger.clone(), Writer::default());
    let place = whole.push(change).ok()?;
    Stripper::new(up).change(&mut w, &whole, place, place, None);
    let mut bytes = w.finish();
    for _ in 0..dice.below(4) {
        dice.alter(&mut bytes);
    }
    let receiver = |_| ledger.clone();
    let read = Rebuilder::new(up, &[], receiver).item(&mut Reader::new(&bytes));
    let Ok(Rebuilt::Change { change, .. }) = read else {
        return None;
    };
    SEEN.rebuilt.add(1);
    if change.actor.device() == SERVER {
        let forged = admit(ledger, &change, &signer(DEVICE));
        assert!(forged.is_err(), "the server's own changes are not pushed");
        return None;
    }
    Some(change)
}

/// What the server says of a case: any of its names, or a merge of heads, which has none.
fn servers(dice: &mut Dice<'_>) -> Content {
    let mask = dice.byte();
    let names = ServerName::ALL.iter().copied();
    let chosen = names.filter(|name| mask >> name.code() & 1 == 1);
    let values = chosen.map(|name| (name, encode_uint(u64::from(dice.byte()))));
    Content::server(values.collect())
}

fn content(dice: &mut Dice<'_>, ledger: &Ledger) -> Content {
    let first = ledger.is_empty();
    let action = match dice.below(4) {
        0 if first => Action::Report,
        1 => Action::ALL[dice.below(Action::ALL.len())],
        2 => Action::Amend,
        _ if first => Action::Report,
        _ => Action::Note,
    };
    let mut entry = entry_by(action, 4 + u64::from(dice.byte()), "字");
    if action == Action::Report {
        entry.capability = Capability::Report.code();
        entry.unit = patrol_core::domain::id::UnitId::CITY;
        entry.body.words = None;
    }
    if dice.byte().is_multiple_of(2) {
        entry.on = document::read(ledger, |_| None).case.workflow.heads;
    }
    let mut fields = matter(village(), "井盖");
    let mask = if action == Action::Report {
        7
    } else {
        dice.byte()
    };
    fields.retain(|field: &FieldValue| mask >> (field.field().code() - 1) & 1 == 1);
    let mut content = Content::person(&entry, fields);
    if let Content::Person { entry, fields } = &mut content {
        for _ in 0..dice.below(3) {
            dice.alter(entry);
        }
        if let Some((_, value)) = fields.last_mut() {
            for _ in 0..dice.below(3) {
                dice.alter(value);
            }
        }
    }
    content
}

/// Where the body of a chunk begins: behind the length in groups of seven bits.
fn body_start(bytes: &[u8]) -> usize {
    let length = bytes.iter().skip(9).take_while(|byte| **byte & 0x80 != 0);
    10 + length.count()
}

/// A chunk of a change with this body, its checksum right.
pub(super) fn sealed(body: &[u8]) -> Vec<u8> {
    let mut checked = vec![1];
    let mut len = body.len();
    while len >= 0x80 {
        checked.push(0x80 | (len & 0x7f) as u8);
        len >>= 7;
    }
    checked.push(len as u8);
    checked.extend(body);
    let sum = Sha256::digest(&checked);
    [&[0x85, 0x6f, 0x4a, 0x83], &sum[..4], &checked].concat()
}

/// Lets a change in, or not, and holds what was let in to its promises. Each is judged as pushed by the phone; what names the
/// server as its actor also as the server's own.
pub(super) fn judge(dice: &mut Dice<'_>, ledger: &mut Ledger, change: Parsed) -> bool {
    let is_servers = change.actor.device() == SERVER;
    let says_servers = change
        .puts
        .iter()
        .all(|put| matches!(put.key, Key::Server(_)));
    if is_servers || says_servers {
        SEEN.forged.add(1);
        let forged = admit(ledger, &change, &signer(DEVICE));
        assert!(forged.is_err(), "a device says what only the server may");
    }
    let by = if is_servers { SERVER } else { DEVICE };
    let Ok(admitted) = admit(ledger, &change, &signer(by)) else {
        return false;
    };
    match admitted {
        Some(admitted) => {
            assert_eq!(
                (admitted.entry.person, admitted.entry.device),
                (author(), DEVICE)
            );
            let is_servers = |put: &Put| matches!(put.key, Key::Server(_));
            assert!(!change.puts.iter().any(is_servers), "nor beside an entry");
            assert_eq!(
                parse(&change.bytes).as_ref(),
                Ok(&change),
                "however it came"
            );
            SEEN.let_in.add(1);
        }
        None => {
            assert!(is_servers && says_servers, "the server writes no entries");
            // Nobody checks the server's own values, for it writes them itself: each one item.
            let is_item = |put: &Put| {
                let mut reader = Reader::new(&put.value);
                reader.item().is_ok() && reader.end().is_ok()
            };
            if !change.puts.iter().all(is_item) {
                return false;
            }
        }
    }
    let place = ledger
        .push(change.clone())
        .expect("its dependencies are here");
    document::verify(ledger).expect("what is let in loads, is saved and loads again");
    let reading = document::read(ledger, |_| None);
    assert!(reading.lines.len() <= ledger.len());
    comes_back_stripped(ledger, place, &change);
    if dice.byte().is_multiple_of(16) {
        assert_eq!(document::agrees_with_automerge(ledger), Ok(true));
    }
    true
}

/// Whose word it is: the server's own, or a person's phone.
fn signer(device: DeviceId) -> Signer<'static> {
    Signer {
        device,
        person: (device != SERVER).then(author),
        place: Where::Anywhere,
        right: RightCheck::Judge,
        holdings: holdings(),
        now: START,
    }
}

fn comes_back_stripped(ledger: &Ledger, place: usize, change: &Parsed) {
    let mut w = Writer::default();
    Stripper::new(Way::Down).change(&mut w, ledger, place, place, Some(START));
    let bytes = w.finish();
    let receiver = |_| {
        let mut before = ledger.clone();
        before.truncate(place);
        before
    };
    let rebuilt = Rebuilder::new(Way::Down, &[], receiver).item(&mut Reader::new(&bytes));
    let Ok(Rebuilt::Change { change: again, .. }) = rebuilt else {
        panic!("what was written is read: {rebuilt:?}");
    };
    assert_eq!(&again, change);
}
