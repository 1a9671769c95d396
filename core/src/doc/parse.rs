//! A change's bytes as plain data, and back.
//!
//! `Automerge` does the encoding; nothing outside `doc` sees its types. What a change means for a document is the
//! ledger's business.

use automerge::legacy::{Key as LegacyKey, ObjectId, Op, OpId, OpType};
use sha2::{Digest as _, Sha256};

use automerge::{ActorId, Change, ExpandedChange, ScalarValue};

use super::chunk;
use super::decode;
use super::key::Key;
use crate::domain::id::{Actor, ChangeHash};
use crate::domain::refusal::Refusal;

/// One put into the root map.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Put {
    /// Which key.
    pub key: Key,
    /// The value: canonical CBOR.
    pub value: Vec<u8>,
    /// The operations it overwrites: counter and actor, ascending.
    pub preds: Vec<(u64, Actor)>,
}

/// A change as plain data.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parsed {
    /// The uncompressed chunk.
    pub bytes: Vec<u8>,
    /// Its hash.
    pub hash: ChangeHash,
    /// Its author.
    pub actor: Actor,
    /// The actor's counter over its changes of the document, from 1.
    pub seq: u64,
    /// The counter of its first operation.
    pub start_op: u64,
    /// The changes it builds on, ascending.
    pub deps: Vec<ChangeHash>,
    /// Its operations.
    pub puts: Vec<Put>,
}

impl Parsed {
    /// The counter of its last operation; one less than the first where there is none.
    pub fn max_op(&self) -> u64 {
        self.start_op + self.puts.len() as u64 - 1
    }
}

/// Reads a change that comes from outside: bounded work, canonical form, and nothing but what the grammar knows.
pub fn parse(bytes: &[u8]) -> Result<Parsed, Refusal> {
    chunk::scan(bytes)?;
    let change = Change::from_bytes(bytes.to_vec()).map_err(|_| Refusal::Malformed)?;
    let expanded = change.decode();
    // `decode` panics on actor numbers that nobody has, which the scan keeps out; an author footer is in the extra bytes.
    if expanded.author.is_some()
        || !expanded.extra_bytes.is_empty()
        || expanded.time != 0
        || expanded.message.is_some()
    {
        return Err(Refusal::Grammar);
    }
    if Change::from(expanded.clone()).raw_bytes() != bytes {
        return Err(Refusal::NotCanonical);
    }
    // Automerge takes a dependency that is named twice; one change would then have two encodings.
    if !expanded.deps.is_sorted_by(|one, next| one < next) {
        return Err(Refusal::NotCanonical);
    }
    plain(&change, expanded)
}

/// The hash that bytes have as a change, whether they are one or not: SHA-256 of what follows magic and checksum.
pub fn chunk_hash(bytes: &[u8]) -> ChangeHash {
    ChangeHash(Sha256::digest(bytes.get(8..).unwrap_or_default()).into())
}

/// Reads a change that was admitted before, skipping what admission checked.
pub fn parse_admitted(bytes: &[u8]) -> Result<Parsed, Refusal> {
    match decode::decode(bytes) {
        Some(parsed) => Ok(parsed),
        None => {
            // A file may be damaged: no more work, and no panic, than for what comes from outside.
            chunk::scan(bytes)?;
            parse_by_automerge(bytes)
        }
    }
}

/// The same by Automerge: what the direct way is held against, and what reads changes of other forms.
pub fn parse_by_automerge(bytes: &[u8]) -> Result<Parsed, Refusal> {
    let change = Change::from_bytes(bytes.to_vec()).map_err(|_| Refusal::Malformed)?;
    plain(&change, change.decode())
}

fn plain(change: &Change, expanded: ExpandedChange) -> Result<Parsed, Refusal> {
    let actor = Actor::from_slice(expanded.actor_id.to_bytes()).ok_or(Refusal::ForeignActor)?;
    let puts = expanded
        .operations
        .into_iter()
        .map(put)
        .collect::<Option<Vec<Put>>>()
        .ok_or(Refusal::Grammar)?;
    Ok(Parsed {
        bytes: change.raw_bytes().to_vec(),
        hash: ChangeHash(change.hash().0),
        actor,
        seq: expanded.seq,
        start_op: expanded.start_op.get(),
        deps: expanded
            .deps
            .into_iter()
            .map(|dep| ChangeHash(dep.0))
            .collect(),
        puts,
    })
}

fn put(op: Op) -> Option<Put> {
    let (OpType::Put(ScalarValue::Bytes(value)), ObjectId::Root, LegacyKey::Map(key), false) =
        (op.action, op.obj, op.key, op.insert)
    else {
        return None;
    };
    let preds = op
        .pred
        .iter()
        .map(|pred| Some((pred.counter(), Actor::from_slice(pred.actor().to_bytes())?)));
    Some(Put {
        key: Key::parse(&key),
        value,
        preds: preds.collect::<Option<_>>()?,
    })
}

/// Encodes a change. `deps`, which may name one twice, and each put's predecessors in any order.
pub fn encode(
    actor: Actor,
    seq: u64,
    start_op: u64,
    deps: &[ChangeHash],
    puts: Vec<Put>,
) -> Option<Parsed> {
    let mut deps = deps.to_vec();
    deps.sort_unstable();
    deps.dedup();
    let start = std::num::NonZeroU64::new(start_op)?;
    let operations = puts.iter().map(|put| Op {
        action: OpType::Put(ScalarValue::Bytes(put.value.clone())),
        obj: ObjectId::Root,
        key: LegacyKey::Map(put.key.text().into()),
        pred: put
            .preds
            .iter()
            .map(|(counter, actor)| OpId(*counter, ActorId::from(actor.0)))
            .collect(),
        insert: false,
    });
    let change = Change::from(ExpandedChange {
        operations: operations.collect(),
        actor_id: ActorId::from(actor.0),
        hash: None,
        seq,
        start_op: start,
        time: 0,
        message: None,
        deps: deps
            .iter()
            .map(|dep| automerge::ChangeHash(dep.0))
            .collect(),
        extra_bytes: Vec::new(),
        author: None,
    });
    Some(Parsed {
        bytes: change.raw_bytes().to_vec(),
        hash: ChangeHash(change.hash().0),
        actor,
        seq,
        start_op,
        deps,
        puts,
    })
}
