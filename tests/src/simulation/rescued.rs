//! Rescue bundles that others carry, and what one must hold: all of the phone's own work that no page has placed.

use std::collections::{BTreeMap, BTreeSet};

use patrol_core::doc::parse::parse_admitted;
use patrol_core::domain::id::{ChangeHash, DeviceId, DocumentId, EntryId};
use patrol_core::store::changes::ChangeState;
use patrol_core::store::{Store, boxes, changes, documents};
use patrol_core::sync::rescue::Bundle;
use rand::Rng as _;

use super::Simulation;
use super::audit::entry_of;
use super::drowned::opened;

/// A change that a bundle must hold.
pub(super) struct Own {
    /// None: it lies in a box.
    pub(super) state: Option<ChangeState>,
    pub(super) entry: Option<EntryId>,
}

impl Simulation {
    /// Another phone takes along what this one has not handed in.
    pub(super) fn rescue(&mut self, phone: usize) {
        let carrier = self.some_phone();
        if self.has_long_days && self.rng.random_bool(0.5) {
            self.long_day(phone);
        }
        let Ok(file) = self.phones[phone].replica.rescue_bundle() else {
            return;
        };
        let file = self.spoilt_bundle(phone, file);
        self.look_into_bundle(phone, &file);
        if carrier != phone && self.phones[carrier].replica.carry(&file).is_ok() {
            self.suffer("rescue bundle carried");
            if self.rng.random_bool(0.3) {
                self.drown(phone, &file);
            }
        }
    }

    /// It holds all of the phone's own work that is on no page: waiting, acknowledged, following, held, released or refused.
    fn look_into_bundle(&mut self, phone: usize, file: &[u8]) {
        let bundle = Bundle::decode(file).expect("a phone's own bundle");
        if bundle.pieces.len() > 1 {
            self.coverage.add("rescue bundle of several pieces");
        }
        let pieces = bundle.pieces.iter();
        let saved: BTreeSet<_> = pieces
            .flat_map(|piece| opened(&self.world.app, piece))
            .map(|saved| (saved.document, saved.hash))
            .collect();
        let store = self.phones[phone].replica.store();
        let own = unplaced(store, self.phones[phone].device());
        let mut left = own.iter().filter(|(change, _)| !saved.contains(change));
        let left = left.next().map(|((document, hash), own)| {
            let (state, entry) = (own.state, own.entry);
            format!("change {hash} ({state:?}, entry {entry:?}) of document {document}")
        });
        if let Some(left) = left {
            self.does_not_hold(format!("a bundle of phone {phone} leaves out {left}"));
        }
    }

    /// The first thing that did not hold is what is told in the end.
    pub(super) fn does_not_hold(&mut self, what: String) {
        self.broken.get_or_insert(what);
    }
}

/// A device's own changes on its phone that no page has placed. Looked for by other ways than the bundle is made.
pub(super) fn unplaced(store: &Store, device: DeviceId) -> BTreeMap<(DocumentId, ChangeHash), Own> {
    let is_own =
        |body: &[u8]| parse_admitted(body).is_ok_and(|change| change.actor.device() == device);
    let read = store.read(|connection| {
        let mut own = BTreeMap::new();
        for id in documents::all(connection)? {
            let Some(state) = documents::state(connection, id)? else {
                continue;
            };
            for row in changes::of_document(connection, state.number)? {
                if row.state != ChangeState::Placed && is_own(&row.body) {
                    let (state, entry) = (Some(row.state), entry_of(id, &row.body));
                    own.insert((id, row.hash), Own { state, entry });
                }
            }
        }
        for boxed in boxes::all(connection)? {
            if is_own(&boxed.body) {
                let entry = entry_of(boxed.document, &boxed.body);
                let key = (boxed.document, boxed.hash);
                own.insert(key, Own { state: None, entry });
            }
        }
        Ok(own)
    });
    read.expect("a look")
}
