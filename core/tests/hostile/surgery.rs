//! A valid change with one thing altered.

use automerge::legacy::{Key as LegacyKey, Op, OpType};
use automerge::{Change, ExpandedChange, ScalarValue};
use patrol_core::doc::entry::{decode, encode, entry_id};
use patrol_core::doc::key::Key;
use patrol_core::doc::parse::Parsed;
use patrol_core::domain::entry::Entry;
use patrol_core::domain::id::DocumentId;

use super::chunk::Parts;

/// The valid change with something altered, encoded by Automerge itself.
pub(crate) fn altered(valid: &Parsed, alter: impl FnOnce(&mut ExpandedChange)) -> Vec<u8> {
    let change = Change::from_bytes(valid.bytes.clone()).expect("a valid change");
    let mut expanded = change.decode();
    expanded.hash = None;
    alter(&mut expanded);
    Change::from(expanded).raw_bytes().to_vec()
}

/// The valid change with other operations.
pub(crate) fn ops_of(valid: &Parsed, alter: impl FnOnce(&mut Vec<Op>)) -> Vec<u8> {
    altered(valid, |change| alter(&mut change.operations))
}

/// The valid change with another entry under the id that belongs to it.
pub(crate) fn reworded(
    valid: &Parsed,
    document: DocumentId,
    alter: impl FnOnce(&mut Entry),
    alter_ops: impl FnOnce(&mut Vec<Op>),
) -> Vec<u8> {
    let mut entry = decode(&valid.puts[0].value).expect("a valid entry");
    alter(&mut entry);
    let bytes = encode(&entry);
    ops_of(valid, |ops| {
        ops[0].key = LegacyKey::Map(Key::Entry(entry_id(document, &bytes)).text().into());
        ops[0].action = OpType::Put(ScalarValue::Bytes(bytes));
        alter_ops(ops);
    })
}

pub(crate) fn by_hand(valid: &Parsed, alter: impl FnOnce(&mut Parts)) -> Vec<u8> {
    let mut parts = Parts::of(&valid.bytes);
    assert_eq!(parts.bytes(), valid.bytes, "taken apart and put together");
    alter(&mut parts);
    parts.bytes()
}

pub(crate) fn counter(value: u64) -> std::num::NonZeroU64 {
    std::num::NonZeroU64::new(value).expect("from 1")
}
