//! What a lost server had let in and sent to a phone comes back from there: a page frame, proved by its tag (`protocol.md`, *Healing*).
//!
//! It asks for no right and no signature: both were asked by the lost server. Structure, chain and grammar are checked as ever.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use patrol_core::doc::admit::{Objection, RightCheck, Signer};
use patrol_core::doc::entry::{self, EntryFault};
use patrol_core::doc::key::Key;
use patrol_core::doc::parse::{self, Parsed};
use patrol_core::domain::action::Where;
use patrol_core::domain::id::{ChangeHash, DeviceId, DocumentId, PersonId};
use patrol_core::domain::limits;
use patrol_core::domain::refusal::Refusal;
use patrol_core::domain::time::Timestamp;
use patrol_core::sync::wire::{Fate, Later, Relic, Unread};

use crate::app::App;
use crate::grow::Growing;
use crate::intake::{self, Outcome, Pushed};
use crate::store::{BoxedAs, BoxedChange, Commit, FateRow, Settled, Snapshot, StoreError};

/// Who settled a review of which the lost server alone knew.
const NOBODY: PersonId = PersonId([0; 8]);

/// Takes in a relic that a device carries. An error means "not now": nothing was stored.
pub fn take_in(app: &App, carrier: DeviceId, payload: &[u8]) -> Result<Outcome, StoreError> {
    let unread = |unread| Outcome {
        fates: Err(unread),
        pushed: Pushed::new(),
    };
    let Ok(relic) = Relic::decode(payload) else {
        return Ok(unread(Unread::Malformed));
    };
    if relic.list.tag(&app.identity.page_key, relic.epoch) != relic.tag {
        return Ok(unread(Unread::Signature));
    }
    let rows: Vec<_> = relic.list.rows().collect();
    for _ in 0..limits::COMMIT_TRIES {
        let (mut is_too_much, mut is_revoked) = (false, false);
        let mut heals = Healing::default();
        app.store.read(&mut |snapshot| {
            let device = snapshot.device(carrier)?;
            is_revoked = device
                .as_ref()
                .is_some_and(|device| device.revoked_at.is_some());
            // What was let in before may come from a revoked phone, also after that has said that it has nothing of its own left.
            is_too_much = device.is_none_or(|device| intake::is_too_much(&device, payload.len()));
            if !is_too_much {
                heals = Healing::default();
                heals.frame(snapshot, &rows, &relic.bodies)?;
            }
            Ok(())
        })?;
        if is_too_much {
            return Ok(unread(Unread::TooMuch));
        }
        let (fates, mut commit) = heals.finish(app);
        let has_news = !commit.documents.is_empty() || !commit.boxed.is_empty();
        if is_revoked && has_news {
            commit.revoked_bytes = Some((carrier, payload.len() as u64));
        }
        let committed = if has_news {
            app.store.commit(&commit).map(drop)
        } else {
            Ok(())
        };
        match committed {
            Err(StoreError::Stale) => {}
            Err(error) => return Err(error),
            Ok(()) => {
                let places = relic
                    .bodies
                    .iter()
                    .filter_map(|(place, _)| rows.get(*place));
                return Ok(Outcome {
                    fates: Ok(fates),
                    pushed: places.map(|(id, hash, _)| (*id, *hash)).collect(),
                });
            }
        }
    }
    Err(StoreError::Broken(
        "a document grew faster than a relic could be taken in".into(),
    ))
}

type Row = (DocumentId, ChangeHash, Timestamp);

/// What one relic does.
#[derive(Default)]
struct Healing {
    /// None: what is stored of it is damaged.
    documents: BTreeMap<DocumentId, Option<Healed>>,
    loaded_bytes: usize,
    fates: Vec<Fate>,
    /// The document of each fate.
    of: Vec<DocumentId>,
}

/// What it does to one document.
struct Healed {
    growing: Growing,
    log: Vec<FateRow>,
    /// Reviews that the lost server had settled, and this one has not.
    released: Vec<BoxedChange>,
}

impl Healing {
    fn frame(
        &mut self,
        snapshot: &dyn Snapshot,
        rows: &[Row],
        bodies: &[(usize, Vec<u8>)],
    ) -> Result<(), StoreError> {
        for (place, body) in bodies {
            let Some(row) = rows.get(*place) else {
                continue;
            };
            let fate = self.change(snapshot, row, body)?;
            self.fates.push(fate);
            self.of.push(row.0);
        }
        Ok(())
    }

    fn change(
        &mut self,
        snapshot: &dyn Snapshot,
        (id, hash, received_at): &Row,
        body: &[u8],
    ) -> Result<Fate, StoreError> {
        let change = match parse::parse(body) {
            Ok(change) if change.hash == *hash => change,
            Ok(_) | Err(_) => return Ok(Fate::Refused(Refusal::Malformed)),
        };
        if self.loaded_bytes > limits::FRAME_LOADS_BYTES_MAX {
            return Ok(Fate::Later(Later::Slow));
        }
        let Some(healed) = self.document(snapshot, *id) else {
            return Ok(Fate::Later(Later::Storage));
        };
        let person = match author(&change) {
            Ok(person) => person,
            Err(EntryFault::Newer) => return Ok(Fate::Later(Later::Newer)),
            Err(EntryFault::Form) => return Ok(Fate::Refused(Refusal::EntryForm)),
        };
        let device = change.actor.device();
        let signer = Signer {
            device,
            person,
            place: Where::Office,
            right: RightCheck::Waive,
            holdings: &[],
            now: *received_at,
        };
        let fate = match healed.growing.add(&change, &signer, *received_at) {
            Ok(admitted) => {
                healed.log.extend(admitted.map(|admitted| FateRow {
                    device,
                    n: admitted.entry.n,
                    entry: admitted.id,
                    fate: "ok".to_owned(),
                }));
                Fate::Ok
            }
            Err(Objection::Dup) => Fate::Dup,
            Err(Objection::Missing(missing)) => Fate::Missing(missing),
            Err(Objection::Newer | Objection::Review) => Fate::Later(Later::Newer),
            Err(Objection::Refused(refusal)) => Fate::Refused(refusal),
        };
        if matches!(fate, Fate::Ok | Fate::Dup) {
            let is_held =
                |boxed: &BoxedChange| boxed.state == BoxedAs::Held && boxed.settled.is_none();
            let held = snapshot.boxed(device, *hash)?.filter(is_held);
            healed.released.extend(held.map(|boxed| BoxedChange {
                settled: Some(Settled {
                    person: NOBODY,
                    at: *received_at,
                    words: "relic".to_owned(),
                    released: true,
                }),
                ..boxed
            }));
        }
        Ok(fate)
    }

    /// A document with what the relic has brought so far; none if it is damaged.
    fn document(&mut self, snapshot: &dyn Snapshot, id: DocumentId) -> Option<&mut Healed> {
        let healed = match self.documents.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let loaded = Growing::load(snapshot, id)
                    .inspect_err(|error| tracing::error!(document = %id, "{error}"));
                self.loaded_bytes += loaded.as_ref().map_or(0, Growing::bytes);
                new.insert(loaded.ok().map(|growing| Healed {
                    growing,
                    log: Vec::new(),
                    released: Vec::new(),
                }))
            }
        };
        healed.as_mut()
    }

    /// Adds what is the server's own, and looks at each document once more.
    fn finish(mut self, app: &App) -> (Vec<Fate>, Commit) {
        let (now, mut commit) = (app.environment.now(), Commit::default());
        for (id, healed) in self.documents {
            let Some(mut healed) = healed else { continue };
            let has_grown = healed.growing.has_grown();
            let reading = has_grown.then(|| healed.growing.add_own(app, now));
            if !has_grown || healed.growing.verify(app).is_ok() {
                let grown = reading.map(|reading| healed.growing.into_commit(&reading));
                commit.documents.extend(grown);
                commit.fates.extend(healed.log);
                let held = healed.released.iter().map(|row| (row.device, row.hash));
                commit.held.extend(held);
                commit.boxed.extend(healed.released);
                continue;
            }
            tracing::error!(document = %id, "what a relic brings for document {id} does not load");
            let own = self.of.iter().zip(&mut self.fates);
            own.filter(|(of, fate)| **of == id && **fate == Fate::Ok)
                .for_each(|(_, fate)| *fate = Fate::Refused(Refusal::Poison));
        }
        (self.fates, commit)
    }
}

/// Whose commit it is; none for one of the server's own.
fn author(change: &Parsed) -> Result<Option<PersonId>, EntryFault> {
    match change.puts.first() {
        Some(first) if matches!(first.key, Key::Entry(_)) => {
            entry::decode(&first.value).map(|entry| Some(entry.person))
        }
        _ => Ok(None),
    }
}
