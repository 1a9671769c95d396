//! A phone that is lost for good: all that is left of its work is the bundle that another phone carries.

use std::collections::BTreeSet;

use patrol_core::cbor::Reader;
use patrol_core::doc::parse::parse_admitted;
use patrol_core::domain::id::{ChangeHash, DeviceId, DocumentId, EntryId};
use patrol_core::store::Store;
use patrol_core::sync::rescue::{Bundle, Piece};
use patrol_core::sync::wire::{PushHead, read_raw};
use patrol_server::app::App;
use patrol_server::grow::Growing;
use patrol_server::store::Store as _;
use rand::Rng as _;

use super::audit::entry_of;
use super::faults::Hits;
use super::{STORMY, Simulation};
use crate::world::Phone;

/// A change in a bundle.
#[derive(Clone, Debug)]
pub(crate) struct Saved {
    device: DeviceId,
    document: DocumentId,
    hash: ChangeHash,
    deps: Vec<ChangeHash>,
    entry: EntryId,
}

impl Simulation {
    /// A phone is lost after its bundle was taken along. Its person gets a new one; the office may revoke the old one, or not.
    pub(super) fn drown(&mut self, phone: usize, file: &[u8]) {
        if phone >= 5 || self.copied.contains(&phone) {
            return;
        }
        let before = self.somewhere();
        let bundle = Bundle::decode(file).expect("a phone's own bundle");
        let saved = bundle
            .pieces
            .iter()
            .flat_map(|piece| opened(&self.world.app, piece));
        self.drowned.extend(saved);
        if self.rng.random_bool(0.5) {
            let device = self.phones[phone].device();
            drop(self.world.app.store.revoke(device, self.world.clock.now()));
        }
        let name = self.names[phone].clone();
        let new = self.world.enrol_as(&name, 10_000 + self.faults as u64);
        new.link.set_weather(STORMY);
        new.link.mutate(self.mutation);
        let old = std::mem::replace(&mut self.phones[phone], new);
        for (kind, count) in old.link.mishap_counts() {
            self.coverage.add_many(kind, count);
        }
        self.backups[phone] = None;
        self.hits[phone] = Hits::default();
        self.forgetful.remove(&phone);
        self.lose_what_is_nowhere(Some(before));
        self.suffer("phone lost, its bundle carried");
    }

    /// Entries of lost phones that lie in pieces on other phones, or that the server, or one given up that is still reached, has refused
    /// and keeps.
    pub(super) fn saved_by_others(&self) -> BTreeSet<EntryId> {
        let carried = self.phones.iter().flat_map(|phone| self.carried_by(phone));
        let mut entries: BTreeSet<EntryId> = carried.map(|saved| saved.entry).collect();
        let given_up = self.given_up.iter().map(|(store, _)| store);
        for store in given_up.chain([&self.world.store]) {
            let look = store.inner().fork().read(&mut |snapshot| {
                for saved in &self.drowned {
                    if snapshot.boxed(saved.device, saved.hash)?.is_some() {
                        entries.insert(saved.entry);
                    }
                }
                Ok(())
            });
            look.expect("the model answers");
        }
        entries
    }

    fn carried_by(&self, phone: &Phone) -> Vec<Saved> {
        let pieces = pieces(phone.replica.store(), "SELECT body FROM pieces");
        pieces
            .iter()
            .flat_map(|piece| opened(&self.world.app, piece))
            .collect()
    }

    /// A piece that waits at rest holds what only a newer server will take, or what rests on a change that a disaster has taken from
    /// everybody.
    pub(super) fn carries_for_nothing(&self, phone: &Phone) -> Option<String> {
        let waiting = "SELECT body FROM pieces WHERE code IS NULL AND handed_in_at IS NULL";
        let pieces = pieces(phone.replica.store(), waiting);
        let mut all = pieces.iter().map(|piece| opened(&self.world.app, piece));
        let idle = all.find(|saved| !saved.iter().any(|saved| self.must_wait(saved)))?;
        Some(format!("a piece still waits: {idle:?}"))
    }

    fn must_wait(&self, saved: &Saved) -> bool {
        let mut is_orphan = false;
        let look = self.world.store.inner().fork().read(&mut |snapshot| {
            let growing = Growing::load(snapshot, saved.document)?;
            for dep in &saved.deps {
                is_orphan |= growing.ledger.place(dep).is_none()
                    && snapshot.boxed(saved.device, *dep)?.is_none();
            }
            Ok(())
        });
        look.expect("the model answers");
        is_orphan || self.of_next_year.contains(&saved.document)
    }
}

/// Sealed pieces that a phone carries.
fn pieces(store: &Store, sql: &str) -> Vec<Vec<u8>> {
    let read = store.read(|connection| {
        let mut statement = connection.prepare(sql)?;
        let rows = statement.query_map([], |row| row.get(0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    });
    read.expect("a look")
}

/// What is in a piece, as its server can see.
fn opened(app: &App, sealed: &[u8]) -> Vec<Saved> {
    let identity = &app.identity;
    let Ok(piece) = Piece::open(sealed, identity.server, &identity.rescue_key) else {
        return Vec::new();
    };
    let (_, count, mut reader) = PushHead::decode(&piece.frame).expect("a phone's own frame");
    let mut saved = Vec::with_capacity(count);
    for _ in 0..count {
        saved.extend(change(piece.card.device, &mut reader));
    }
    saved
}

fn change(device: DeviceId, reader: &mut Reader<'_>) -> Option<Saved> {
    let (document, body) = read_raw(reader).expect("a phone's own frame");
    let parsed = parse_admitted(body).expect("a phone's own change");
    let entry = entry_of(document, body)?;
    Some(Saved {
        device,
        document,
        hash: parsed.hash,
        deps: parsed.deps,
        entry,
    })
}
