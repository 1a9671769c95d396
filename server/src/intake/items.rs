//! The changes of a push frame, read or rebuilt. Nothing is judged here.

use std::collections::{BTreeMap, BTreeSet};

use patrol_core::cbor::Reader;
use patrol_core::doc::ledger::Ledger;
use patrol_core::doc::parse::{self, Parsed};
use patrol_core::domain::id::{ChangeHash, DocumentId};
use patrol_core::domain::limits;
use patrol_core::domain::place::Scope;
use patrol_core::domain::refusal::Refusal;
use patrol_core::sync::seal;
use patrol_core::sync::strip::{Rebuilder, Rebuilt, Way};
use patrol_core::sync::wire::{Form, PushHead, Unread, read_raw};
use sha2::{Digest as _, Sha256};

use crate::grow::Growing;
use crate::store::{Device, Snapshot};

/// One change of a frame, as it came.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) document: DocumentId,
    pub(super) hash: ChangeHash,
    pub(super) body: Vec<u8>,
    /// The change, or why it cannot be one.
    pub(super) change: Result<Parsed, Refusal>,
}

impl Item {
    /// Under which hash it lies in a box. Bytes that are no change do not get the place of the change whose hash they claim.
    pub(super) fn box_key(&self) -> ChangeHash {
        if self.change.is_ok() {
            self.hash
        } else {
            ChangeHash(Sha256::digest(&self.body).into())
        }
    }

    pub(super) fn leaf(&self) -> [u8; 32] {
        seal::leaf(self.document, self.hash)
    }
}

/// The documents that were loaded to rebuild a frame, as they are stored.
pub(super) type Loaded = BTreeMap<DocumentId, Growing>;

/// Reads the items of a frame. An error of the store is reported as `Rebuild`: the frame comes again.
pub(super) fn read(
    snapshot: &dyn Snapshot,
    device: &Device,
    scopes: &BTreeSet<Scope>,
    (head, count, reader): (&PushHead, usize, Reader<'_>),
) -> Result<(Vec<Item>, Loaded), Unread> {
    match head.form {
        Form::Raw => {
            let items = read_raw_items(count, reader).ok_or(Unread::Malformed)?;
            Ok((items, Loaded::new()))
        }
        Form::Stripped => {
            let way = Way::Up {
                signer: device.id,
                person: device.person,
                first_n: head.n.0,
            };
            rebuild(snapshot, way, scopes, count, reader).ok_or(Unread::Rebuild)
        }
    }
}

fn read_raw_items(count: usize, mut reader: Reader<'_>) -> Option<Vec<Item>> {
    let mut items = Vec::new();
    for _ in 0..count {
        let (document, body) = read_raw(&mut reader).ok()?;
        items.push(Item {
            document,
            hash: parse::chunk_hash(body),
            body: body.to_vec(),
            change: parse::parse(body),
        });
    }
    Some(items)
}

fn rebuild(
    snapshot: &dyn Snapshot,
    way: Way,
    scopes: &BTreeSet<Scope>,
    count: usize,
    mut reader: Reader<'_>,
) -> Option<(Vec<Item>, Loaded)> {
    let (mut lent, mut bytes) = (Vec::new(), 0);
    let ledger_of = |id: DocumentId| -> Ledger {
        // A few bytes name a document; what they make us load is bounded. Beyond that nothing is found to build on.
        let growing = (bytes < limits::FRAME_LOADS_BYTES_MAX).then(|| Growing::load(snapshot, id));
        let (ledger, rest) = match growing {
            // How long a document is that somebody may not know of is nothing to tell him by what can be rebuilt.
            Some(Ok(growing)) if growing.is_hidden_from(scopes) => {
                bytes += growing.bytes();
                (Ledger::new(id), None)
            }
            Some(Ok(growing)) => {
                bytes += growing.bytes();
                let (ledger, rest) = growing.lend();
                (ledger, Some(rest))
            }
            Some(Err(_)) | None => (Ledger::new(id), None),
        };
        lent.push(rest);
        ledger
    };
    let mut rebuilder = Rebuilder::new(way, &[], ledger_of);
    let mut items = Vec::new();
    for _ in 0..count {
        let Rebuilt::Change {
            document, change, ..
        } = rebuilder.item(&mut reader).ok()?
        else {
            return None;
        };
        let is_within = change.bytes.len() <= limits::CHANGE_BYTES_MAX
            && change.puts.len() <= limits::CHANGE_OPS_MAX;
        let (hash, body) = (change.hash, change.bytes.clone());
        items.push(Item {
            document,
            hash,
            body,
            change: if is_within {
                Ok(change)
            } else {
                Err(Refusal::Malformed)
            },
        });
    }
    let ledgers = rebuilder.into_ledgers();
    let loaded = ledgers
        .into_iter()
        .zip(lent)
        .filter_map(|(ledger, lent)| Some((ledger.document(), Growing::give_back(ledger, lent?))));
    Some((items, loaded.collect()))
}
