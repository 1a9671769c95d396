//! What a replica knows about the changes of one document: their order, who had which before him, who wrote what.
//!
//! Rebuilt from the changes themselves, never stored. It answers everything that admission, composing and the wire ask
//! about a document without loading Automerge; that the two agree is a property test.

use std::collections::BTreeMap;

use super::entry;
use super::key::{Key, ServerName};
use super::parse::Parsed;
use crate::bits::Bits;
use crate::domain::action::{Action, DocumentKind};
use crate::domain::entry::{Entry, Field};
use crate::domain::id::{Actor, ChangeHash, DeviceId, DocumentId, EntryId};

/// One change in its place.
#[derive(Clone, Debug)]
pub struct Link {
    /// The change.
    pub change: Parsed,
    /// Places of the changes it builds on directly.
    pub deps: Vec<usize>,
    /// Places of all changes it builds on.
    above: Bits,
    /// Its entry, when it is a person's commit that this program can read.
    pub entry: Option<(EntryId, Entry)>,
}

/// The changes of one document, in the order in which they were put there.
#[derive(Clone, Debug)]
pub struct Ledger {
    document: DocumentId,
    links: Vec<Link>,
    places: BTreeMap<ChangeHash, usize>,
}

/// A dependency that is not here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MissingDeps(pub Vec<ChangeHash>);

impl Ledger {
    /// A document without changes.
    pub fn new(document: DocumentId) -> Self {
        Self {
            document,
            links: Vec::new(),
            places: BTreeMap::new(),
        }
    }

    /// The document.
    pub fn document(&self) -> DocumentId {
        self.document
    }

    /// How many changes there are.
    pub fn len(&self) -> usize {
        self.links.len()
    }

    /// Whether there is no change.
    pub fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    /// The change at a place.
    pub fn link(&self, place: usize) -> Option<&Link> {
        self.links.get(place)
    }

    /// All changes in order.
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// The place of a change.
    pub fn place(&self, hash: &ChangeHash) -> Option<usize> {
        self.places.get(hash).copied()
    }

    /// Puts a change behind the others. Its dependencies must be here.
    pub fn push(&mut self, change: Parsed) -> Result<usize, MissingDeps> {
        let place = self.links.len();
        let deps = self.places_of(&change.deps)?;
        let above = self.closure(&deps);
        let entry = entry_of(&change);
        self.places.insert(change.hash, place);
        self.links.push(Link {
            change,
            deps,
            above,
            entry,
        });
        Ok(place)
    }

    /// Puts each change where its dependencies allow. Returns those of which some are not here.
    pub fn grow(&mut self, changes: Vec<Parsed>) -> Vec<Parsed> {
        let mut waiting = changes;
        loop {
            let before = waiting.len();
            waiting.retain(|change| {
                self.places_of(&change.deps).is_err() || self.push(change.clone()).is_err()
            });
            if waiting.len() == before {
                return waiting;
            }
        }
    }

    /// Takes the changes from a place on away again.
    pub fn truncate(&mut self, len: usize) {
        for link in self.links.drain(len.min(self.links.len())..) {
            self.places.remove(&link.change.hash);
        }
    }

    /// The places of changes, or those that are not here.
    pub fn places_of(&self, hashes: &[ChangeHash]) -> Result<Vec<usize>, MissingDeps> {
        let missing: Vec<ChangeHash> = hashes
            .iter()
            .filter(|hash| self.place(hash).is_none())
            .copied()
            .collect();
        if missing.is_empty() {
            Ok(hashes.iter().filter_map(|hash| self.place(hash)).collect())
        } else {
            Err(MissingDeps(missing))
        }
    }

    /// The changes at these places and all that they build on.
    pub(super) fn closure(&self, places: &[usize]) -> Bits {
        let mut closure = Bits::default();
        for place in places {
            closure.insert(*place);
            if let Some(link) = self.links.get(*place) {
                closure.union(&link.above);
            }
        }
        closure
    }

    /// Whether the change at `above` is among the ancestors of the change at `below`.
    pub fn is_ancestor(&self, above: usize, below: usize) -> bool {
        self.links
            .get(below)
            .is_some_and(|link| link.above.contains(above))
    }

    /// The changes on which no other builds.
    pub fn heads(&self) -> Vec<usize> {
        let mut built_upon = Bits::default();
        self.links
            .iter()
            .flat_map(|link| &link.deps)
            .for_each(|dep| built_upon.insert(*dep));
        (0..self.links.len())
            .filter(|place| !built_upon.contains(*place))
            .collect()
    }

    /// The hashes of the heads, ascending.
    pub fn head_hashes(&self) -> Vec<ChangeHash> {
        let mut hashes: Vec<ChangeHash> = self
            .heads()
            .into_iter()
            .filter_map(|place| self.hash(place))
            .collect();
        hashes.sort_unstable();
        hashes
    }

    /// The hashes, ascending, of the heads of that part of the document which these changes are; the part holds the dependencies of each.
    pub fn head_hashes_among(&self, is_part: impl Fn(&ChangeHash) -> bool) -> Vec<ChangeHash> {
        let part: Vec<usize> = (0..self.links.len())
            .filter(|place| self.hash(*place).is_some_and(|hash| is_part(&hash)))
            .collect();
        let mut built_upon = Bits::default();
        for dep in part
            .iter()
            .filter_map(|place| self.links.get(*place))
            .flat_map(|link| &link.deps)
        {
            built_upon.insert(*dep);
        }
        let heads = part
            .into_iter()
            .filter(|place| !built_upon.contains(*place));
        let mut hashes: Vec<ChangeHash> = heads.filter_map(|place| self.hash(place)).collect();
        hashes.sort_unstable();
        hashes
    }

    /// The hash of the change at a place.
    pub fn hash(&self, place: usize) -> Option<ChangeHash> {
        self.links.get(place).map(|link| link.change.hash)
    }

    /// What the document is: the kind that its first change opens.
    pub fn kind(&self) -> Option<DocumentKind> {
        self.links
            .first()
            .and_then(|link| link.entry.as_ref())
            .and_then(|(_, entry)| entry.action())
            .and_then(DocumentKind::opened_by)
    }

    /// The operation counter from which a change at these dependencies starts.
    pub(super) fn start_op(&self, deps: &[usize]) -> u64 {
        1 + deps
            .iter()
            .filter_map(|place| self.links.get(*place))
            .map(|link| link.change.max_op())
            .max()
            .unwrap_or(0)
    }

    /// The sequence number that follows for an actor within a closure.
    pub(super) fn next_seq(&self, actor: Actor, closure: &Bits) -> u64 {
        1 + closure
            .iter()
            .filter_map(|place| self.links.get(place))
            .filter(|link| link.change.actor == actor)
            .map(|link| link.change.seq)
            .max()
            .unwrap_or(0)
    }

    /// The last change of an actor, and its sequence number.
    pub fn last_of(&self, actor: Actor) -> Option<(usize, u64)> {
        self.links
            .iter()
            .enumerate()
            .filter(|(_, link)| link.change.actor == actor)
            .map(|(place, link)| (place, link.change.seq))
            .max_by_key(|(_, seq)| *seq)
    }

    /// The actors of a device, each once.
    pub fn actors_of(&self, device: DeviceId) -> Vec<Actor> {
        let mut actors: Vec<Actor> = self
            .links
            .iter()
            .map(|link| link.change.actor)
            .filter(|actor| actor.device() == device)
            .collect();
        actors.sort_unstable();
        actors.dedup();
        actors
    }

    /// The operations that wrote the values of a key visible in a closure: place, counter, actor. None for entries, which are never overwritten.
    pub(super) fn visible(&self, key: &Key, closure: &Bits) -> Vec<(usize, u64, Actor)> {
        if matches!(key, Key::Entry(_)) {
            return Vec::new();
        }
        let mut writers: Vec<(usize, u64, Actor)> = Vec::new();
        for place in closure.iter() {
            let Some(link) = self.links.get(place) else {
                continue;
            };
            let counters = (link.change.start_op..).zip(&link.change.puts);
            if let Some((counter, _)) = counters.into_iter().find(|(_, put)| put.key == *key) {
                writers.retain(|(earlier, _, _)| !link.above.contains(*earlier));
                let is_below_another = writers
                    .iter()
                    .any(|(other, _, _)| self.is_ancestor(place, *other));
                if !is_below_another {
                    writers.push((place, counter, link.change.actor));
                }
            }
        }
        writers
    }

    /// The values of a key that are visible at the heads: the place of the change that wrote each, and the value.
    pub fn values(&self, key: &Key) -> Vec<(usize, &[u8])> {
        let all = self.closure(&self.heads());
        let value = |place: usize| {
            self.links
                .get(place)
                .and_then(|link| link.change.puts.iter().find(|put| put.key == *key))
                .map(|put| put.value.as_slice())
        };
        self.visible(key, &all)
            .into_iter()
            .filter_map(|(place, _, _)| value(place).map(|value| (place, value)))
            .collect()
    }

    /// Whether another change that carries the same entry had its value of that register overwritten.
    pub fn is_overwritten_elsewhere(&self, place: usize, field: Field) -> bool {
        let Some((id, _)) = self.links.get(place).and_then(|link| link.entry.as_ref()) else {
            return false;
        };
        let key = Key::Field(field);
        let carriers = self.links.iter().enumerate().filter(|(other, link)| {
            *other != place
                && link
                    .entry
                    .as_ref()
                    .is_some_and(|(other_id, _)| other_id == id)
                && link.change.puts.iter().any(|put| put.key == key)
        });
        let visible: Vec<usize> = self
            .values(&key)
            .into_iter()
            .map(|(place, _)| place)
            .collect();
        carriers
            .into_iter()
            .any(|(carrier, _)| !visible.contains(&carrier))
    }

    /// Whether an entry is a transition of this document.
    pub(super) fn is_transition(&self, entry: &Entry) -> bool {
        self.kind().is_some_and(|kind| {
            entry
                .action()
                .is_some_and(|action: Action| action.is_transition(kind))
        })
    }

    /// The server's value of a name that was written first, for fields of which one is shown.
    pub fn server_values(&self, name: ServerName) -> Vec<&[u8]> {
        self.values(&Key::Server(name))
            .into_iter()
            .map(|(_, value)| value)
            .collect()
    }
}

/// A change's entry, when it is a person's commit that this program can read.
pub fn entry_of(change: &Parsed) -> Option<(EntryId, Entry)> {
    let put = change.puts.first()?;
    match &put.key {
        Key::Entry(id) => entry::decode(&put.value).ok().map(|entry| (*id, entry)),
        _ => None,
    }
}
