//! Hostile changes that Automerge would take: out of sequence, or with entries that are not what they say.

use automerge::legacy::{Key as LegacyKey, OpType};
use automerge::{ActorId, ExpandedChange, ScalarValue};
use patrol_core::doc::entry::entry_id;
use patrol_core::doc::key::Key;
use patrol_core::doc::ledger::Ledger;
use patrol_core::doc::parse::Parsed;
use patrol_core::domain::action::Action;
use patrol_core::domain::capability::Capability;
use patrol_core::domain::entry::{Entry, Verdict};
use patrol_core::domain::id::{DeviceId, EntryId, PersonId};
use patrol_core::domain::refusal::Refusal;

use super::Hostile;
use super::surgery::{altered, counter, ops_of, reworded};

/// Changes that do not follow from their dependencies.
pub(crate) fn out_of_sequence(ledger: &Ledger, valid: &Parsed) -> Vec<Hostile> {
    let first = &ledger.links()[0].change;
    let start_op = valid.start_op;
    let at_first = |change: &mut ExpandedChange| {
        change.deps = vec![automerge::ChangeHash(first.hash.0)];
        change.start_op = counter(first.max_op() + 1);
    };
    vec![
        (
            "another device's actor",
            altered(valid, |change| {
                change.actor_id = ActorId::from(first.actor.0);
            }),
            Refusal::ForeignActor,
        ),
        (
            "an actor that is too short",
            altered(valid, |change| {
                change.actor_id = ActorId::from(&[1u8, 2][..]);
            }),
            Refusal::ForeignActor,
        ),
        (
            "a first change for a document that exists",
            altered(valid, |change| {
                change.deps = Vec::new();
                change.seq = 1;
                change.start_op = counter(1);
            }),
            Refusal::NotFirst,
        ),
        (
            "a number of the actor's that another change has, beside it",
            altered(valid, |change| {
                at_first(change);
                change.seq = valid.seq - 1;
            }),
            Refusal::Forked,
        ),
        (
            "a number of the actor's that another change has, on top of it",
            altered(valid, |change| change.seq = valid.seq - 1),
            Refusal::Forked,
        ),
        (
            "a number of the actor's left out",
            altered(valid, |change| change.seq = valid.seq + 1),
            Refusal::Gap,
        ),
        (
            "operations that begin too late",
            altered(valid, |change| change.start_op = counter(start_op + 1)),
            Refusal::BadOps,
        ),
        (
            "a register that overwrites nothing",
            altered(valid, |change| {
                change.operations[1].pred = Vec::new().into();
            }),
            Refusal::BadOps,
        ),
        (
            "an entry that overwrites",
            altered(valid, |change| {
                let pred = change.operations[1].pred.clone();
                change.operations[0].pred = pred;
            }),
            Refusal::BadOps,
        ),
    ]
}

/// Entries that are not what they say, or that a device may not make.
pub(crate) fn of_bad_entries(ledger: &Ledger, valid: &Parsed) -> Vec<Hostile> {
    let document = ledger.document();
    let with = |change: &dyn Fn(&mut Entry)| reworded(valid, document, change, |_| ());
    let bare =
        |change: &dyn Fn(&mut Entry)| reworded(valid, document, change, |ops| ops.truncate(1));
    let raw = |bytes: Vec<u8>| {
        ops_of(valid, |ops| {
            ops[0].key = LegacyKey::Map(Key::Entry(entry_id(document, &bytes)).text().into());
            ops[0].action = OpType::Put(ScalarValue::Bytes(bytes));
        })
    };
    let entry_bytes = valid.puts[0].value.clone();
    let own = ledger
        .links()
        .iter()
        .rev()
        .find(|link| link.change.actor == valid.actor);
    let own_before = own.expect("an earlier change of the actor").change.puts[0].clone();
    let aside = own_before.key.clone();
    let aside = if let Key::Entry(id) = aside {
        id
    } else {
        EntryId([0; 16])
    };
    vec![
        (
            "an entry with a byte more",
            raw([entry_bytes.clone(), vec![0]].concat()),
            Refusal::EntryForm,
        ),
        (
            "an entry that is no map",
            raw(vec![0x80]),
            Refusal::EntryForm,
        ),
        (
            "an entry nested without end",
            raw(vec![0x81; 4_000]),
            Refusal::EntryForm,
        ),
        (
            "an entry of announced length only",
            raw(vec![0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
            Refusal::EntryForm,
        ),
        (
            "an entry that is too long",
            raw(vec![0; 4_097]),
            Refusal::EntryForm,
        ),
        (
            "an entry under another id",
            altered(valid, |change| {
                change.operations[0].key =
                    LegacyKey::Map(Key::Entry(EntryId([7; 16])).text().into());
            }),
            Refusal::EntryId,
        ),
        (
            "an entry that is there already",
            ops_of(valid, |ops| {
                ops[0].key = LegacyKey::Map(own_before.key.text().into());
                ops[0].action = OpType::Put(ScalarValue::Bytes(own_before.value.clone()));
            }),
            Refusal::EntryId,
        ),
        (
            "another's name",
            with(&|entry| entry.person = PersonId([1; 8])),
            Refusal::ForeignPerson,
        ),
        (
            "another's device",
            with(&|entry| entry.device = DeviceId([1; 8])),
            Refusal::ForeignPerson,
        ),
        (
            "on an entry that nobody knows",
            with(&|entry| entry.on = vec![EntryId([1; 16])]),
            Refusal::UnknownOn,
        ),
        (
            "on an entry that is no transition",
            with(&|entry| entry.on = vec![aside]),
            Refusal::UnknownOn,
        ),
        (
            "a second opening",
            with(&|entry| entry.kind = Action::Report.code()),
            Refusal::NotFirst,
        ),
        (
            "an action of another kind of document",
            bare(&|entry| entry.kind = Action::Count.code()),
            Refusal::UnknownAction,
        ),
        (
            "an office action from a device",
            bare(&|entry| entry.kind = Action::Accept.code()),
            Refusal::OfficeOnly,
        ),
        (
            "a closing from a device",
            bare(&|entry| entry.kind = Action::Close.code()),
            Refusal::OfficeOnly,
        ),
        (
            "a detail that the action has no room for",
            with(&|entry| entry.body.verdict = Some(Verdict::Passed)),
            Refusal::EntryForm,
        ),
        (
            "without a detail that the action needs",
            bare(&|entry| entry.kind = Action::Resolve.code()),
            Refusal::EntryForm,
        ),
        (
            "registers that the action does not write",
            with(&|entry| entry.kind = Action::Note.code()),
            Refusal::WrongFields,
        ),
        (
            "a register's value of another form",
            altered(valid, |change| {
                change.operations[3].action = OpType::Put(ScalarValue::Bytes(vec![0x01]));
            }),
            Refusal::WrongFields,
        ),
        (
            "a register's value that is not canonical",
            altered(valid, |change| {
                change.operations[3].action = OpType::Put(ScalarValue::Bytes(vec![0x78, 1, b'a']));
            }),
            Refusal::WrongFields,
        ),
        (
            "a right that does not go with the action",
            with(&|entry| entry.capability = Capability::Fix.code()),
            Refusal::NotPermitted,
        ),
        (
            "a right for another village",
            with(&|entry| entry.unit.0 += 1),
            Refusal::NotPermitted,
        ),
        (
            "a right for the city that is held for a village",
            with(&|entry| entry.unit.0 = 0),
            Refusal::NotPermitted,
        ),
    ]
}
