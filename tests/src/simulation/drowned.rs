//! A phone that is lost for good: all that is left of its work is the bundle that another phone carries.

use std::collections::{BTreeMap, BTreeSet};

use patrol_core::cbor::Reader;
use patrol_core::doc::parse::parse_admitted;
use patrol_core::domain::id::{ChangeHash, DeviceId, DocumentId, EntryId};
use patrol_core::store::{Store, boxes, changes, documents};
use patrol_core::sync::rescue::{Bundle, Piece};
use patrol_core::sync::wire::{Fate, PushHead, read_raw};
use patrol_server::app::App;
use patrol_server::bundle;
use patrol_server::grow::Growing;
use patrol_server::store::{Device, Store as _};
use rand::Rng as _;

use super::audit::entry_of;
use super::faults::Hits;
use super::rescued::unplaced;
use super::{STORMY, Simulation};
use crate::world::Phone;

/// A change in a bundle.
#[derive(Clone, Debug)]
pub(crate) struct Saved {
    pub(super) device: DeviceId,
    pub(super) document: DocumentId,
    pub(super) hash: ChangeHash,
    deps: Vec<ChangeHash>,
    pub(super) entry: EntryId,
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
        self.look_what_went_down(&old, &before);
        self.lose_what_is_nowhere(Some(before));
        self.suffer("phone lost, its bundle carried");
    }

    /// With the lost phone went nothing but what a lost server had once had: its own work lies in its bundle, and all else on the server.
    fn look_what_went_down(&mut self, old: &Phone, before: &BTreeSet<EntryId>) {
        let mut after = self.somewhere();
        // A carrier that is lost takes with it what it carried.
        after.extend(self.carried_by(old).iter().map(|saved| saved.entry));
        let (store, device) = (old.replica.store(), old.device());
        let own = unplaced(store, device).into_iter();
        let left_out = own
            .filter_map(|(_, own)| own.entry)
            .find(|entry| before.contains(entry) && !after.contains(entry));
        if let Some(entry) = left_out {
            self.does_not_hold(format!(
                "entry {entry} of phone {device} is carried by nobody"
            ));
        }
        let changes = changes_on_phone(store);
        for entry in before.difference(&after) {
            let hashes = changes.get(entry).into_iter().flatten();
            if !hashes.into_iter().any(|hash| self.taken.contains(hash)) {
                let what =
                    format!("entry {entry} went down with phone {device}, from no lost server");
                self.broken.get_or_insert(what);
            }
        }
    }

    /// Entries of lost phones that lie in pieces on other phones, or that the server, or one given up that is still reached, has refused
    /// and keeps.
    pub(super) fn saved_by_others(&self) -> BTreeSet<EntryId> {
        let mut entries = self.boxed_of_the_drowned();
        let carried = self.phones.iter().flat_map(|phone| self.carried_by(phone));
        entries.extend(carried.map(|saved| saved.entry));
        entries
    }

    fn boxed_of_the_drowned(&self) -> BTreeSet<EntryId> {
        let mut entries = BTreeSet::new();
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
        pieces(phone.replica.store())
            .iter()
            .flat_map(|piece| opened(&self.world.app, &piece.body))
            .collect()
    }

    /// A piece that waits at rest, on whatever phone, holds what only a newer server will take, or what rests on a change that a lost server
    /// has taken with it. One that was refused is of a revoked phone that has no more to say, or had not before a
    /// review asked it to make something again, and is carried by itself or by another that is revoked.
    pub(super) fn nothing_is_carried_for_nothing(&self) -> Result<(), String> {
        let carried: Vec<Saved> = self
            .phones
            .iter()
            .flat_map(|phone| self.carried_by(phone))
            .collect();
        let waiting = self.rightly_waiting(&carried);
        for (number, phone) in self.phones.iter().enumerate() {
            for piece in pieces(phone.replica.store()) {
                let saved = opened(&self.world.app, &piece.body);
                let is_right = match (&piece.code, piece.is_taken) {
                    (_, true) => self.has_taken(phone, &piece, &saved),
                    (Some(code), false) => self.is_rightly_refused(phone, &saved, code),
                    (None, false) => saved.iter().any(|saved| waiting.contains(&saved.hash)),
                };
                if !is_right {
                    let (code, is_taken) = (piece.code, piece.is_taken);
                    let fate =
                        bundle::take_in_carried(&self.world.app, phone.device(), &piece.body);
                    return Err(format!(
                        "phone {number}: a piece (taken: {is_taken}, refused: {code:?}) gets {fate:?}: {saved:?}"
                    ));
                }
            }
        }
        Ok(())
    }

    /// What the server knows of a device.
    fn device_of(&self, id: DeviceId) -> Option<Device> {
        let mut device = None;
        let look = self.world.store.inner().fork().read(&mut |snapshot| {
            device = snapshot.device(id)?;
            Ok(())
        });
        look.expect("the model answers");
        device
    }

    /// What is called taken is there: handed in once more, everything in it has a fate for good.
    fn has_taken(&self, carrier: &Phone, piece: &Sealed, saved: &[Saved]) -> bool {
        let again = bundle::take_in_carried(&self.world.app, carrier.device(), &piece.body);
        match again.expect("the model answers") {
            Ok(fate) => fate == Fate::Ok,
            Err(_) => self.is_rightly_refused(carrier, saved, "too_much"),
        }
    }

    fn is_rightly_refused(&self, carrier: &Phone, saved: &[Saved], code: &str) -> bool {
        let author = saved.first().and_then(|saved| self.device_of(saved.device));
        let has_said_its_last = |device: &Device| {
            let may_speak_again = self.reopened.contains(&device.id);
            device.revoked_at.is_some() && (device.revoked_empty || may_speak_again)
        };
        let speaks_for_nobody =
            |author: &Device| author.id == carrier.device() || carrier.is_revoked(&self.world.app);
        author.is_some_and(|author| has_said_its_last(&author) && speaks_for_nobody(&author))
            && code == "too_much"
    }

    /// The carried changes that must wait: for a newer server, or for one that a lost server has taken with it, or for one of these. And
    /// what the office of a lost server had refused: what that built on may have been made again by its phone and be nowhere as it was
    /// (seed 12370).
    pub(super) fn rightly_waiting(&self, carried: &[Saved]) -> BTreeSet<ChangeHash> {
        let absent = self.absent(carried);
        let mut waiting = BTreeSet::new();
        loop {
            let must_wait = |saved: &&Saved| {
                let was_refused = self.epochs > 0 && self.turned_away.contains(&saved.hash);
                let misses = |dep: &ChangeHash| {
                    let is_taken = self.taken.contains(dep) || waiting.contains(dep);
                    (is_taken || was_refused) && absent.contains(&(saved.device, *dep))
                };
                !waiting.contains(&saved.hash)
                    && (self.of_next_year.contains(&saved.document)
                        || saved.deps.iter().any(misses))
            };
            let Some(found) = carried.iter().find(must_wait) else {
                return waiting;
            };
            waiting.insert(found.hash);
        }
    }

    /// What these changes build on that the server has neither in its place nor in a box.
    fn absent(&self, carried: &[Saved]) -> BTreeSet<(DeviceId, ChangeHash)> {
        let mut absent = BTreeSet::new();
        let look = self.world.store.inner().fork().read(&mut |snapshot| {
            for saved in carried {
                let growing = Growing::load(snapshot, saved.document)?;
                for dep in &saved.deps {
                    if growing.ledger.place(dep).is_none()
                        && snapshot.boxed(saved.device, *dep)?.is_none()
                    {
                        absent.insert((saved.device, *dep));
                    }
                }
            }
            Ok(())
        });
        look.expect("the model answers");
        absent
    }
}

/// The changes on a phone in which each entry stands.
fn changes_on_phone(store: &Store) -> BTreeMap<EntryId, Vec<ChangeHash>> {
    let read = store.read(|connection| {
        let mut found = BTreeMap::<EntryId, Vec<ChangeHash>>::new();
        for id in documents::all(connection)? {
            let Some(state) = documents::state(connection, id)? else {
                continue;
            };
            for row in changes::of_document(connection, state.number)? {
                if let Some(entry) = entry_of(id, &row.body) {
                    found.entry(entry).or_default().push(row.hash);
                }
            }
        }
        for boxed in boxes::all(connection)? {
            if let Some(entry) = boxed.entry {
                found.entry(entry).or_default().push(boxed.hash);
            }
        }
        Ok(found)
    });
    read.expect("a look")
}

/// A sealed piece that a phone carries.
struct Sealed {
    body: Vec<u8>,
    /// Why it was refused.
    code: Option<String>,
    /// The server has taken it.
    is_taken: bool,
}

fn pieces(store: &Store) -> Vec<Sealed> {
    let read = store.read(|connection| {
        let sql = "SELECT body, code, handed_in_at IS NOT NULL FROM pieces ORDER BY id";
        let mut statement = connection.prepare(sql)?;
        let rows = statement.query_map([], |row| {
            Ok(Sealed {
                body: row.get(0)?,
                code: row.get(1)?,
                is_taken: row.get(2)?,
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    });
    read.expect("a look")
}

/// What is in a piece, as its server can see.
pub(super) fn opened(app: &App, sealed: &[u8]) -> Vec<Saved> {
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
