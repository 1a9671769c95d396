//! One fate for each change of a frame, and the commit that follows from all of them together.

mod kept;
mod standing;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use patrol_core::doc::admit::{Objection, RightCheck, Signer};
use patrol_core::doc::compose::Content;
use patrol_core::doc::entry;
use patrol_core::doc::parse::Parsed;
use patrol_core::domain::action::Where;
use patrol_core::domain::entry::Entry;
use patrol_core::domain::id::{ChangeHash, DeviceId, DocumentId, EntryId};
use patrol_core::domain::limits;
use patrol_core::domain::place::Scope;
use patrol_core::domain::refusal::Refusal;
use patrol_core::domain::time::{DAY_MS, Timestamp};
use patrol_core::sync::wire::{Fate, Later, Unread};

use self::standing::Base;
use super::items::{Item, Loaded};
use super::{Carriage, Pushed};
use crate::app::{App, Known};
use crate::grow::Growing;
use crate::store::{
    BatchRow, BoxedAs, BoxedSince, Commit, Device, FateRow, Result, Snapshot, StoredDocument,
};

/// Judges one frame against one snapshot.
pub(super) struct Judge<'a> {
    app: &'a App,
    known: Arc<Known>,
    device: &'a Device,
    snapshot: &'a dyn Snapshot,
    now: Timestamp,
    scopes: BTreeSet<Scope>,
    carriage: Carriage,
    documents: BTreeMap<DocumentId, Growing>,
    /// Held changes of the documents looked at, those of this frame too.
    held: BTreeMap<DocumentId, BTreeMap<ChangeHash, Held>>,
    /// What of this frame lies in a box, and as what.
    lying: BTreeMap<ChangeHash, BoxedAs>,
    /// Changes of this frame that a review has released: what they did stands, though perhaps in another change.
    released: BTreeSet<ChangeHash>,
    /// Changes of this frame whose deed stands in another change.
    standing: BTreeMap<(DocumentId, ChangeHash), Parsed>,
    /// One of those was let in or held all the same: this frame is its proof.
    has_brought: bool,
    /// What is known of changes that others build on.
    bases: BTreeMap<(DocumentId, ChangeHash), Base>,
    /// Changes of this frame that wait.
    waiting: BTreeMap<ChangeHash, Later>,
    opened: u64,
    /// Bytes of the documents loaded for this frame, beyond those that rebuilding it took.
    loaded_bytes: usize,
    /// What of this device was boxed in the last day before this frame.
    boxed_before: Option<BoxedSince>,
    /// Whether the device is asked already to enrol anew, once that was looked for.
    is_told_anew: Option<bool>,
    commit: Commit,
}

impl<'a> Judge<'a> {
    pub(super) fn new(
        app: &'a App,
        device: &'a Device,
        snapshot: &'a dyn Snapshot,
        loaded: Loaded,
        carriage: Carriage,
        (now, scopes): (Timestamp, BTreeSet<Scope>),
    ) -> Self {
        let known = app.known();
        Self {
            app,
            known,
            device,
            snapshot,
            now,
            scopes,
            carriage,
            documents: loaded,
            held: BTreeMap::new(),
            lying: BTreeMap::new(),
            released: BTreeSet::new(),
            standing: BTreeMap::new(),
            has_brought: false,
            bases: BTreeMap::new(),
            waiting: BTreeMap::new(),
            opened: 0,
            loaded_bytes: 0,
            boxed_before: None,
            is_told_anew: None,
            commit: Commit::default(),
        }
    }

    /// Judges all changes of a frame in order.
    pub(super) fn frame(
        mut self,
        items: &[Item],
        batch: BatchRow,
    ) -> Result<std::result::Result<(Vec<Fate>, Pushed, Commit), Unread>> {
        let mut fates = Vec::with_capacity(items.len());
        // What lies in a box was logged and proved when it came: it may come for ever, and leaves nothing more here.
        let mut is_known = Vec::with_capacity(items.len());
        let is_too_much = self.has_proved_too_much(items.len())?;
        for item in items {
            let told = self.told(item)?;
            is_known.push(told.is_some());
            let fate = match told {
                Some(fate) => fate,
                None if is_too_much => Fate::Later(Later::Slow),
                None => self.fate(item)?,
            };
            if let Fate::Later(later) = fate {
                self.waiting.insert(item.hash, later);
            }
            fates.push(fate);
        }
        self.finish_documents(items, &mut fates)?;
        let mut has_kept = self.has_brought;
        for ((item, fate), _) in items
            .iter()
            .zip(&fates)
            .zip(&is_known)
            .filter(|(_, is_known)| !**is_known)
        {
            has_kept |= matches!(fate, Fate::Ok | Fate::Review);
            self.log(item, fate)?;
        }
        // The frame's proof is kept under the range that it names.
        let is_within = |row: &FateRow| (batch.n.0..=batch.n.1).contains(&row.n);
        if !self.commit.fates.iter().all(is_within) {
            return Ok(Err(Unread::Malformed));
        }
        self.commit.batch = has_kept.then_some(batch);
        if !self.carriage.is_bundle() {
            let for_good = |fate: &&Fate| !matches!(fate, Fate::Missing(_) | Fate::Later(_));
            let settled = fates.iter().filter(for_good).count() as u64;
            self.commit.handed_in = Some((self.device.id, settled));
        }
        let pushed = items
            .iter()
            .map(|item| (item.document, item.hash))
            .collect();
        Ok(Ok((fates, pushed, self.commit)))
    }

    fn fate(&mut self, item: &Item) -> Result<Fate> {
        let change = match &item.change {
            Ok(change) => change,
            Err(refusal) => return self.refuse(item, *refusal),
        };
        if !self.open(item.document)? {
            return match self.may_know_of(item.document)? {
                true => Ok(Fate::Later(Later::Storage)),
                false if change.deps.is_empty() => self.refuse(item, Refusal::NotFirst),
                false => Ok(Fate::Missing(change.deps.clone())),
            };
        }
        if self.loaded_bytes > limits::FRAME_LOADS_BYTES_MAX || self.is_too_much(item.document)? {
            return Ok(Fate::Later(Later::Slow));
        }
        // Its phone has made it again, and that has come. What builds on it brings it in.
        let may_stand = self.released.contains(&item.hash) || self.carriage.is_bundle();
        if may_stand && self.is_own(item, change) && self.has_deed_of(item.document, change) {
            let place = (item.document, item.hash);
            self.bases.remove(&place);
            drop(self.standing.insert(place, change.clone()));
            return Ok(Fate::Dup);
        }
        match self.add(item.document, change, RightCheck::Judge, self.now) {
            Ok(()) if self.device.revoked_at.is_some() => {
                let before = self.len(item.document).saturating_sub(1);
                self.truncate(item.document, before);
                self.hold(item)
            }
            Ok(()) => Ok(Fate::Ok),
            Err(Objection::Review) => self.hold(item),
            // What the device itself has put there, it knows of.
            Err(Objection::Dup) if change.actor.device() == self.device.id => Ok(Fate::Dup),
            Err(_) if self.is_hidden(item.document) => self.as_nowhere(item, change),
            Err(Objection::Newer) => Ok(Fate::Later(Later::Newer)),
            Err(Objection::Dup) => Ok(Fate::Dup),
            Err(Objection::Missing(missing)) => self.missing(item, missing),
            Err(Objection::Refused(refusal)) => self.refuse(item, refusal),
        }
    }

    /// What is said of a change in a document that does not exist; but for one that would open it, whose place is taken.
    fn as_nowhere(&mut self, item: &Item, change: &Parsed) -> Result<Fate> {
        let signer = signer(self.device, &self.known, RightCheck::Judge, self.now);
        let mut nowhere = Growing::of(&StoredDocument {
            id: item.document,
            changes: Vec::new(),
        })?;
        match nowhere.add(change, &signer, self.now) {
            Err(Objection::Missing(missing)) => Ok(Fate::Missing(missing)),
            Err(Objection::Newer) => Ok(Fate::Later(Later::Newer)),
            Err(Objection::Refused(refusal)) => self.refuse(item, refusal),
            Ok(_) | Err(Objection::Review | Objection::Dup) => self.refuse(item, Refusal::NotFirst),
        }
    }

    fn is_own(&self, item: &Item, change: &Parsed) -> bool {
        change.actor.device() == self.device.id && self.own(item).is_ok()
    }

    fn has_deed_of(&self, id: DocumentId, change: &Parsed) -> bool {
        let growing = self.documents.get(&id);
        growing.is_some_and(|growing| growing.has_deed_of(change))
    }

    /// Loads a document. False where what is stored of it is damaged: it waits for a person, and the others go on.
    fn open(&mut self, id: DocumentId) -> Result<bool> {
        if !self.documents.contains_key(&id) {
            let stored = self.snapshot.document(id)?.unwrap_or(StoredDocument {
                id,
                changes: Vec::new(),
            });
            match Growing::of(&stored) {
                Ok(growing) => {
                    self.loaded_bytes += growing.bytes();
                    drop(self.documents.insert(id, growing));
                }
                Err(error) => {
                    tracing::error!(document = %id, "document {id} is damaged: {error}");
                    return Ok(false);
                }
            }
        }
        if !self.held.contains_key(&id) {
            let held = self
                .snapshot
                .held_keys(id)?
                .into_iter()
                .map(|(device, hash)| (hash, Held::Before(device)))
                .collect();
            self.held.insert(id, held);
        }
        Ok(true)
    }

    fn add(
        &mut self,
        id: DocumentId,
        change: &Parsed,
        right: RightCheck,
        at: Timestamp,
    ) -> std::result::Result<(), Objection> {
        let signer = signer(self.device, &self.known, right, at);
        let Some(growing) = self.documents.get_mut(&id) else {
            return Err(Objection::Missing(change.deps.clone()));
        };
        let is_new = growing.is_empty();
        growing.add(change, &signer, at)?;
        self.opened += u64::from(is_new);
        Ok(())
    }

    /// How many changes a document that was loaded has.
    fn len(&self, id: DocumentId) -> usize {
        self.documents.get(&id).map_or(0, Growing::len)
    }

    fn truncate(&mut self, id: DocumentId, len: usize) {
        if let Some(growing) = self.documents.get_mut(&id) {
            growing.truncate(len);
        }
    }

    /// Whether a first change would exceed what one device may open in a day.
    fn is_too_much(&mut self, id: DocumentId) -> Result<bool> {
        if self
            .documents
            .get(&id)
            .is_some_and(|growing| !growing.is_empty())
        {
            return Ok(false);
        }
        let since = self.now.plus_ms(-DAY_MS);
        let opened = self.snapshot.opened_since(self.device.id, since)?;
        Ok(opened + self.opened >= limits::DEVICE_DOCUMENTS_A_DAY_MAX)
    }

    /// Whether the person may know of a document that cannot be read.
    fn may_know_of(&self, id: DocumentId) -> Result<bool> {
        Ok(!self.snapshot.scopes_of(id)?.is_disjoint(&self.scopes))
    }

    /// Whether the document exists beyond everything that the person may know of.
    fn is_hidden(&self, id: DocumentId) -> bool {
        let growing = self.documents.get(&id);
        growing.is_some_and(|growing| growing.is_hidden_from(&self.scopes))
    }

    fn missing(&mut self, item: &Item, missing: Vec<ChangeHash>) -> Result<Fate> {
        let (best, worst) = self.bases(item.document, &missing)?;
        if best == Base::There {
            return self.fate(item);
        }
        // Though it may follow something held too, nobody could release it. Its phone makes it again, if there still is one.
        if worst == Base::Never {
            return match self.carriage.is_bundle() {
                true => self.refuse(item, Refusal::Quarantined),
                false => Ok(Fate::Missing(missing)),
            };
        }
        let held = self.held.get(&item.document);
        if held.is_some_and(|held| missing.iter().any(|hash| held.contains_key(hash))) {
            // What follows a held change is judged when that is settled; whose work it is must be sure now.
            return match self.own(item) {
                Ok(()) => self.hold(item),
                Err(Objection::Refused(refusal)) => self.refuse(item, refusal),
                Err(_) => Ok(Fate::Later(Later::Newer)),
            };
        }
        if let Some(later) = missing.iter().find_map(|hash| self.waiting.get(hash)) {
            return Ok(Fate::Later(*later));
        }
        Ok(Fate::Missing(missing))
    }

    /// Whether a change of this device's actor is its own work, as far as that can be told from the change alone.
    fn own(&self, item: &Item) -> std::result::Result<(), Objection> {
        let change = item.change.as_ref().map_err(|refusal| *refusal)?;
        let put = change.puts.first().ok_or(Refusal::Grammar)?;
        let entry = entry::decode(&put.value)?;
        if (entry.device, entry.person) != (self.device.id, self.device.person) {
            return Err(Refusal::ForeignPerson.into());
        }
        Ok(())
    }

    /// Adds the server's own changes to documents that have grown, with the last check of each.
    fn finish_documents(&mut self, items: &[Item], fates: &mut [Fate]) -> Result<()> {
        for (id, mut growing) in std::mem::take(&mut self.documents) {
            if !growing.has_grown() {
                continue;
            }
            let mut reading = growing.add_own(self.app, self.now);
            if growing.verify(self.app).is_err() {
                growing = self.one_by_one(id, growing, items, fates)?;
                if !growing.has_grown() {
                    continue;
                }
                reading = growing.add_own(self.app, self.now);
            }
            self.commit.documents.push(growing.into_commit(&reading));
        }
        Ok(())
    }

    /// The document does not load with all that was added: finds the guilty change, so that only that one is refused.
    fn one_by_one(
        &mut self,
        id: DocumentId,
        mut growing: Growing,
        items: &[Item],
        fates: &mut [Fate],
    ) -> Result<Growing> {
        growing.truncate(0);
        let is_damaged = growing.exists() && growing.verify(self.app).is_err();
        self.documents.insert(id, growing);
        for (item, fate) in items
            .iter()
            .zip(fates.iter_mut())
            .filter(|(item, fate)| item.document == id && **fate == Fate::Ok)
        {
            let Ok(change) = &item.change else { continue };
            *fate = match is_damaged {
                true => Fate::Later(Later::Storage),
                false => self.anew(item, change)?,
            };
        }
        if !is_damaged {
            self.below_held(id)?;
        }
        match self.documents.remove(&id) {
            Some(growing) => Ok(growing),
            None => Growing::load(self.snapshot, id),
        }
    }

    fn anew(&mut self, item: &Item, change: &Parsed) -> Result<Fate> {
        let before = self.len(item.document);
        let added = self.add_anew(item.document, change)?;
        if added.is_ok() && self.loads(item.document) {
            return Ok(Fate::Ok);
        }
        self.truncate(item.document, before);
        match added {
            Err(Objection::Missing(missing)) => Ok(Fate::Missing(missing)),
            Ok(()) | Err(_) => self.refuse(item, Refusal::Poison),
        }
    }

    fn loads(&self, id: DocumentId) -> bool {
        let growing = self.documents.get(&id);
        growing.is_some_and(|growing| growing.verify(self.app).is_ok())
    }
}

/// Since when a change is held.
#[derive(Clone, Copy)]
enum Held {
    /// Of this device, before this frame.
    Before(DeviceId),
    /// It came in this frame.
    Now,
}

/// A device as it pushes its own person's work.
fn signer<'k>(device: &Device, known: &'k Known, right: RightCheck, now: Timestamp) -> Signer<'k> {
    Signer {
        device: device.id,
        person: Some(device.person),
        place: Where::Anywhere,
        right,
        holdings: &known.holdings,
        now,
    }
}

/// The entry of a change, where it can be read.
pub(crate) fn entry_of(document: DocumentId, change: &Parsed) -> Option<(EntryId, Entry)> {
    let content = Content::of(change)?;
    let id = content.entry_id(document)?;
    let Content::Person { entry: bytes, .. } = content else {
        return None;
    };
    entry::decode(&bytes).ok().map(|entry| (id, entry))
}
