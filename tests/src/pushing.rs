//! A phone's hands without its head: changes composed and pushed as a test wants them, past all self-checks.

use std::sync::Arc;

use patrol_core::cbor::Writer;
use patrol_core::doc::compose::{Content, compose};
use patrol_core::doc::ledger::Ledger;
use patrol_core::doc::parse::{Parsed, chunk_hash, parse};
use patrol_core::doc::register::FieldValue;
use patrol_core::doc::{document, entry};
use patrol_core::domain::capability::Capability;
use patrol_core::domain::entry::{Body, Entry};
use patrol_core::domain::id::{DocumentId, UnitId};
use patrol_core::domain::time::At;
use patrol_core::store::changes::ChangeState;
use patrol_core::store::enrolment::{self, Enrolment};
use patrol_core::store::{changes, documents, feed};
use patrol_core::sync::frame::Frame;
use patrol_core::sync::seal::{Batch, leaf};
use patrol_core::sync::strip::{Stripper, Way};
use patrol_core::sync::wire::{self, Fate, Fates, Form, Hello, PushHead, Unread, kind};
use patrol_server::app::App;
use patrol_server::round::Round;

use crate::world::Phone;

/// A change and its document.
pub type Item = (DocumentId, Vec<u8>);

/// Who the phone is enrolled as.
pub fn enrolment_of(phone: &Phone) -> Enrolment {
    phone
        .replica
        .store()
        .read(enrolment::enrolled)
        .expect("an enrolled phone")
}

/// A document as the phone has it, with all local work.
pub fn ledger_of(phone: &Phone, id: DocumentId) -> Ledger {
    let rows = phone.replica.store().read(|connection| {
        let state = documents::state(connection, id)?;
        state.map_or(Ok(Vec::new()), |state| {
            changes::of_document(connection, state.number)
        })
    });
    let rows = rows.expect("a look");
    let part = rows
        .iter()
        .filter(|row| row.state != ChangeState::Following);
    document::load(id, part.map(|row| row.body.as_slice())).expect("it loads")
}

/// An entry that the phone's person could make on the heads of a document.
pub fn entry_of(phone: &Phone, ledger: &Ledger, kind: u64, unit: UnitId, n: u64) -> Entry {
    let enrolment = enrolment_of(phone);
    Entry {
        kind,
        person: enrolment.person,
        device: enrolment.device,
        capability: Capability::Inspect.code(),
        unit,
        n,
        on: document::read(ledger, |_| None).case.workflow.heads,
        at: At::wall(crate::clock::START),
        key: None,
        body: Body::default(),
    }
}

/// The change that makes an entry, by the phone's actor, on the heads of a document.
pub fn change_of(phone: &Phone, ledger: &Ledger, entry: &Entry, fields: &[FieldValue]) -> Parsed {
    let content = Content::person(entry, fields.to_vec());
    let actor = enrolment_of(phone).actor;
    compose(ledger, actor, &ledger.head_hashes(), &content).expect("known heads")
}

/// Pushes changes in one frame, raw and signed, and returns what became of them. Nothing of it is noted on the phone.
pub fn push(app: &Arc<App>, phone: &Phone, items: &[Item]) -> Result<Vec<Fate>, Unread> {
    push_as(app, phone, items, range_of(items))
}

/// The same under a range that the test chooses.
pub fn push_as(
    app: &Arc<App>,
    phone: &Phone,
    items: &[Item],
    n: (u64, u64),
) -> Result<Vec<Fate>, Unread> {
    told(
        &respond_with(app, phone, frame(phone, items, n)),
        items.len(),
    )
}

fn told(frames: &[(u8, Vec<u8>)], count: usize) -> Result<Vec<Fate>, Unread> {
    let fates = frames
        .iter()
        .find(|(frame, _)| *frame == kind::FATES)
        .expect("fates follow a push");
    Fates::decode(&fates.1, count).expect("fates").outcome
}

/// The lowest and the highest `n` of the entries that can be read in these changes.
pub fn range_of(items: &[Item]) -> (u64, u64) {
    let entries = items.iter().filter_map(|(_, bytes)| {
        let change = parse(bytes).ok()?;
        let put = change.puts.first()?;
        entry::decode(&put.value).ok()
    });
    entries.fold((u64::MAX, 0), |(first, last), entry| {
        (first.min(entry.n), last.max(entry.n))
    })
}

/// Pushes the last change of each of these documents in one frame, stripped; all before it the server has. Likewise.
pub fn push_stripped(
    app: &Arc<App>,
    phone: &Phone,
    ledgers: &[&Ledger],
) -> Result<Vec<Fate>, Unread> {
    let enrolment = enrolment_of(phone);
    let last = |ledger: &&Ledger| {
        let link = ledger.links().last().expect("a change");
        (ledger.document(), link.change.bytes.clone())
    };
    let items: Vec<Item> = ledgers.iter().map(last).collect();
    let n = range_of(&items);
    let mut stripper = Stripper::new(Way::Up {
        signer: enrolment.device,
        person: enrolment.person,
        first_n: n.0,
    });
    let mut writer = Writer::default();
    for ledger in ledgers {
        let place = ledger.len() - 1;
        stripper.change(&mut writer, ledger, place, place, None);
    }
    let head = head_of(phone, &items, n, Form::Stripped);
    let push = head.encode(items.len(), &writer.finish());
    told(&respond_with(app, phone, push), items.len())
}

/// All frames that answer such a push.
pub fn respond(app: &Arc<App>, phone: &Phone, items: &[Item]) -> Vec<(u8, Vec<u8>)> {
    respond_with(app, phone, frame(phone, items, range_of(items)))
}

fn respond_with(app: &Arc<App>, phone: &Phone, push: Vec<u8>) -> Vec<(u8, Vec<u8>)> {
    let hello = hello_of(phone, &enrolment_of(phone));
    answers(
        app,
        phone,
        &[(kind::HELLO, hello.encode()), (kind::PUSH, push)],
    )
}

/// The payload of a push frame with these changes, raw and signed.
pub fn frame(phone: &Phone, items: &[Item], n: (u64, u64)) -> Vec<u8> {
    let mut writer = Writer::default();
    for (document, bytes) in items {
        wire::write_raw(&mut writer, *document, bytes);
    }
    head_of(phone, items, n, Form::Raw).encode(items.len(), &writer.finish())
}

fn head_of(phone: &Phone, items: &[Item], n: (u64, u64), form: Form) -> PushHead {
    let enrolment = enrolment_of(phone);
    let leaves = items
        .iter()
        .map(|(document, bytes)| leaf(*document, chunk_hash(bytes)));
    let batch = Batch {
        server: enrolment.server,
        device: enrolment.device,
        n,
        leaves: leaves.collect(),
    };
    PushHead {
        signer: enrolment.device,
        n,
        signature: batch.sign(&enrolment.seed),
        form,
    }
}

/// What the phone would say of itself.
pub fn hello_of(phone: &Phone, enrolment: &Enrolment) -> Hello {
    Hello {
        cursors: phone.replica.store().read(feed::cursors).expect("a look"),
        ..Hello::first(enrolment.epoch)
    }
}

/// The frames with which a server answers those of a request.
pub fn answers(app: &Arc<App>, phone: &Phone, frames: &[(u8, Vec<u8>)]) -> Vec<(u8, Vec<u8>)> {
    let mut found = None;
    app.store
        .read(&mut |snapshot| {
            found = snapshot.device(phone.device())?;
            Ok(())
        })
        .expect("the store answers");
    let mut round = Round::new(Arc::clone(app), found.expect("a device of this server"));
    for (kind, payload) in frames {
        let frame = Frame {
            kind: *kind,
            payload: payload.clone(),
        };
        round.receive(&frame).expect("a frame of this protocol");
    }
    let mut answers = Vec::new();
    while let Some(frame) = round.next_frame().expect("the store answers") {
        answers.push(frame);
    }
    answers
}
