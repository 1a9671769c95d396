//! Writes the items of one frame, leaving out what the receiver can compute.

use std::collections::BTreeMap;

use super::{Author, Memory, Way, signed};
use crate::cbor::Writer;
use crate::doc::compose::Content;
use crate::doc::entry;
use crate::doc::key::Key;
use crate::doc::ledger::{Ledger, Link};
use crate::domain::entry::Entry;
use crate::domain::id::{Actor, ChangeHash, DocumentId, EntryId, PersonId};
use crate::domain::time::{At, Timestamp};

/// Writes the items of one frame.
#[derive(Debug)]
pub struct Stripper {
    memory: Memory,
    known: BTreeMap<DocumentId, usize>,
}

impl Stripper {
    /// Begins a frame.
    pub fn new(way: Way) -> Self {
        Self {
            memory: Memory::new(way),
            known: BTreeMap::new(),
        }
    }

    /// Writes the change at a place of the ledger. `base` is the length of the document's list at the receiver before this frame
    /// and counts at its first mention only; `received_at` goes with pages.
    pub fn change(
        &mut self,
        w: &mut Writer,
        ledger: &Ledger,
        place: usize,
        base: usize,
        received_at: Option<Timestamp>,
    ) {
        let Some(link) = ledger.link(place) else {
            return;
        };
        let change = &link.change;
        w.array(if received_at.is_some() { 5 } else { 4 });
        let document = self.document(w, ledger.document(), base);
        let person = link.entry.as_ref().map(|(_, entry)| entry.person);
        let author = self.author(w, change.actor, person.unwrap_or(PersonId([0; 8])));
        self.deps(w, ledger, document, &change.deps);
        match Content::of(change) {
            Some(Content::Person { entry, fields }) => {
                self.commit(w, ledger, (document, author), &entry, &fields);
            }
            Some(Content::Server(values)) => {
                w.map(values.len());
                for (key, value) in &values {
                    if let Key::Server(name) = key {
                        w.uint(name.code()).raw(value);
                    }
                }
            }
            None => {
                w.bytes(&change.bytes);
            }
        }
        self.end(w, document, change.hash, received_at);
    }

    /// Writes an echo: the receiver has the change, as the `change`-th of the `frame`-th push frame of its request.
    pub fn echo(
        &mut self,
        w: &mut Writer,
        (id, hash): (DocumentId, ChangeHash),
        base: usize,
        origin: (u64, u64),
        received_at: Timestamp,
    ) {
        w.array(3);
        // The origin names the document, so at its first mention only the length of its list is said.
        let document = match self.known.get(&id) {
            Some(number) => {
                w.uint(*number as u64);
                *number
            }
            None => {
                w.array(1).uint(base as u64);
                self.mention(id, base)
            }
        };
        w.uint(origin.0 << 16 | origin.1);
        self.end(w, document, hash, Some(received_at));
    }

    /// Names a document: by its number in the frame, or in full where it has not been mentioned.
    pub fn name(&self, w: &mut Writer, document: DocumentId) {
        match self.known.get(&document) {
            Some(number) => w.uint(*number as u64),
            None => w.bytes(&document.0),
        };
    }

    fn end(
        &mut self,
        w: &mut Writer,
        document: usize,
        hash: ChangeHash,
        received_at: Option<Timestamp>,
    ) {
        if let Some(received_at) = received_at {
            w.int(received_at.0.wrapping_sub(self.memory.received));
            self.memory.received = received_at.0;
        }
        if let Some((_, items)) = self.memory.lists.get_mut(document) {
            items.push(hash);
        }
    }

    fn document(&mut self, w: &mut Writer, id: DocumentId, base: usize) -> usize {
        if let Some(number) = self.known.get(&id) {
            w.uint(*number as u64);
            return *number;
        }
        w.array(2).bytes(&id.0).uint(base as u64);
        self.mention(id, base)
    }

    fn mention(&mut self, id: DocumentId, base: usize) -> usize {
        let number = self.memory.documents.len();
        self.known.insert(id, number);
        self.memory.documents.push(id);
        self.memory.lists.push((base, Vec::new()));
        number
    }

    fn author(&mut self, w: &mut Writer, actor: Actor, person: PersonId) -> usize {
        let is_same = |author: &Author| author.actor == actor && author.person == person;
        if let Some(number) = self.memory.authors.iter().position(is_same) {
            w.uint(number as u64);
            return number;
        }
        if self.memory.is_own(actor, person) {
            w.bytes(&actor.suffix());
        } else {
            w.array(2).bytes(&actor.0).bytes(&person.0);
        }
        let author = self.memory.author(actor, person);
        self.memory.authors.push(author);
        self.memory.authors.len() - 1
    }

    fn deps(&self, w: &mut Writer, ledger: &Ledger, document: usize, deps: &[ChangeHash]) {
        let distances: Vec<Option<u64>> = deps
            .iter()
            .map(|dep| self.memory.distance(document, ledger, *dep))
            .collect();
        if distances == [Some(1)] {
            w.uint(0);
            return;
        }
        w.array(deps.len());
        for (dep, distance) in deps.iter().zip(distances) {
            match distance {
                Some(distance) => w.uint(distance),
                None => w.bytes(&dep.0),
            };
        }
    }

    fn commit(
        &mut self,
        w: &mut Writer,
        ledger: &Ledger,
        at: (usize, usize),
        bytes: &[u8],
        fields: &[(Key, Vec<u8>)],
    ) {
        let fields: Vec<(u64, &[u8])> = fields
            .iter()
            .filter_map(|(key, value)| {
                if let Key::Field(field) = key {
                    Some((field.code(), value.as_slice()))
                } else {
                    None
                }
            })
            .collect();
        let split = entry::decode(bytes).ok().filter(|entry| {
            entry::encode(entry) == bytes
                && Some(entry.person) == self.memory.authors.get(at.1).map(|a| a.person)
        });
        match split {
            None => {
                w.array(1 + 2 * fields.len()).bytes(bytes);
            }
            Some(entry) => self.entry(w, ledger, at, &entry, fields.len()),
        }
        for (code, value) in fields {
            w.uint(code).raw(value);
        }
    }

    /// An entry's envelope, split: kind, right, n, on, wall, the rest of the time, key?, body.
    fn entry(
        &mut self,
        w: &mut Writer,
        ledger: &Ledger,
        (document, author): (usize, usize),
        entry: &Entry,
        fields: usize,
    ) {
        w.array(7 + usize::from(entry.key.is_some()) + 2 * fields);
        w.uint(entry.kind);
        let right = (entry.capability, entry.unit);
        match self.memory.rights.iter().position(|known| *known == right) {
            Some(number) => {
                w.uint(number as u64);
            }
            None => {
                w.array(2).uint(right.0).uint(right.1.0);
                self.memory.rights.push(right);
            }
        }
        let Some(state) = self.memory.authors.get(author).copied() else {
            return;
        };
        w.int(signed(entry.n).wrapping_sub(signed(state.n)));
        self.on(w, ledger, document, &entry.on);
        w.int(entry.at.wall.0.wrapping_sub(self.memory.wall));
        let boot = self.rest_of_time(w, &entry.at, state.boot);
        if let Some(key) = &entry.key {
            w.bytes(key);
        }
        entry::encode_body(w, &entry.body);
        self.memory.wall = entry.at.wall.0;
        if let Some(state) = self.memory.authors.get_mut(author) {
            (state.n, state.boot) = (entry.n, boot);
        }
    }

    fn rest_of_time(&self, w: &mut Writer, at: &At, boot: u64) -> u64 {
        if at.anchored.is_none() && at.error_ms.is_none() && at.boot.is_none() {
            w.uint(0);
            return boot;
        }
        w.array(3);
        let parts = [
            at.anchored.map(|time| time.0.wrapping_sub(at.wall.0)),
            at.error_ms.map(signed),
            at.boot.map(|name| signed(name).wrapping_sub(signed(boot))),
        ];
        for part in parts {
            match part {
                Some(part) => w.int(part),
                None => w.null(),
            };
        }
        at.boot.unwrap_or(boot)
    }

    fn on(&self, w: &mut Writer, ledger: &Ledger, document: usize, on: &[EntryId]) {
        let distances: Vec<Option<u64>> = on
            .iter()
            .map(|id| self.carrier(ledger, document, *id))
            .collect();
        match distances.as_slice() {
            [] => {
                w.uint(0);
            }
            [Some(distance)] => {
                w.uint(*distance);
            }
            _ => {
                w.array(on.len());
                for (id, distance) in on.iter().zip(distances) {
                    match distance {
                        Some(distance) => w.uint(distance),
                        None => w.bytes(&id.0),
                    };
                }
            }
        }
    }

    fn carrier(&self, ledger: &Ledger, document: usize, id: EntryId) -> Option<u64> {
        let carries = |link: &&Link| link.entry.as_ref().is_some_and(|(other, _)| *other == id);
        ledger
            .links()
            .iter()
            .filter(carries)
            .find_map(|link| self.memory.distance(document, ledger, link.change.hash))
    }
}
