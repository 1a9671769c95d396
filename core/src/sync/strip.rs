//! Changes without what the receiver can compute, and back, byte for byte.
//!
//! The layout is that of `protocol.md`, *Stripped changes*. The writer never fails; the reader never panics. Whether what
//! was rebuilt is what was sent is proved by the frame's signature or check, not here.

use std::collections::BTreeMap;

use crate::cbor::{Fault, Reader, Result, Writer};
use crate::doc::compose::{Content, compose};
use crate::doc::entry;
use crate::doc::key::{Key, ServerName};
use crate::doc::ledger::Ledger;
use crate::doc::parse::{Parsed, parse};
use crate::domain::entry::{Entry, Field};
use crate::domain::id::{Actor, ChangeHash, DocumentId, EntryId, PersonId, UnitId};
use crate::domain::limits;
use crate::domain::time::{At, Timestamp};

/// What both ends remember from item to item of one frame.
#[derive(Debug, Default)]
struct Memory {
    documents: Vec<DocumentId>,
    /// For each document: the length of its list before the frame, and the changes of the frame so far.
    lists: Vec<(usize, Vec<ChangeHash>)>,
    authors: Vec<Author>,
    rights: Vec<(u64, UnitId)>,
    wall: i64,
    received: i64,
}

/// An actor, his person, and where his counters stood at his last item.
#[derive(Clone, Copy, Debug)]
struct Author {
    actor: Actor,
    person: PersonId,
    n: u64,
    boot: u64,
}

impl Memory {
    /// The change that stands so many places before the next one in the list of a document.
    fn back<'l>(
        &'l self,
        document: usize,
        ledger: &'l Ledger,
        distance: u64,
    ) -> Option<ChangeHash> {
        let (base, items) = self.lists.get(document)?;
        let distance = usize::try_from(distance).ok()?;
        let place = (base + items.len()).checked_sub(distance)?;
        if place < *base {
            ledger.hash(place)
        } else {
            items.get(place - base).copied()
        }
    }

    /// How many places before the next one a change stands in the list of a document.
    fn distance(&self, document: usize, ledger: &Ledger, hash: ChangeHash) -> Option<u64> {
        let (base, items) = self.lists.get(document)?;
        let place = match items.iter().rposition(|item| *item == hash) {
            Some(place) => base + place,
            None => ledger.place(&hash).filter(|place| place < base)?,
        };
        Some((base + items.len() - place) as u64)
    }
}

/// Writes the items of one frame.
#[derive(Debug, Default)]
pub struct Stripper {
    memory: Memory,
    known: BTreeMap<DocumentId, usize>,
}

impl Stripper {
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
        ledger: &Ledger,
        place: usize,
        base: usize,
        origin: (u64, u64),
        received_at: Timestamp,
    ) {
        let Some(link) = ledger.link(place) else {
            return;
        };
        w.array(3);
        let document = self.document(w, ledger.document(), base);
        w.uint(origin.0 << 16 | origin.1);
        self.end(w, document, link.change.hash, Some(received_at));
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
        w.array(2).bytes(&actor.0).bytes(&person.0);
        self.memory.authors.push(Author {
            actor,
            person,
            n: 0,
            boot: 0,
        });
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
        let carries = |link: &&crate::doc::ledger::Link| {
            link.entry.as_ref().is_some_and(|(other, _)| *other == id)
        };
        ledger
            .links()
            .iter()
            .filter(carries)
            .find_map(|link| self.memory.distance(document, ledger, link.change.hash))
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// One item of a frame, rebuilt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Rebuilt {
    /// A change.
    Change {
        /// Of which document.
        document: DocumentId,
        /// Its place in the document's list: for pages, the ordinal.
        place: usize,
        /// The change.
        change: Parsed,
        /// When the server received it (pages).
        received_at: Option<Timestamp>,
    },
    /// The receiver has the change: push frame, and place within.
    Echo {
        /// Of which document.
        document: DocumentId,
        /// Its place in the document's list: the ordinal.
        place: usize,
        /// Push frame of the request, and place within it.
        origin: (u64, u64),
        /// When the server received it.
        received_at: Timestamp,
    },
}

/// Rebuilds the items of one frame. `L` gives the receiver's ledger of a document, its list first.
#[derive(Debug)]
pub struct Rebuilder<L> {
    memory: Memory,
    ledgers: Vec<Ledger>,
    ledger_of: L,
}

impl<L: FnMut(DocumentId) -> Ledger> Rebuilder<L> {
    /// Begins a frame.
    pub fn new(ledger_of: L) -> Self {
        Self {
            memory: Memory::default(),
            ledgers: Vec::new(),
            ledger_of,
        }
    }

    /// Rebuilds the next item. After an echo, [`Self::resolve`] must be told which change it was.
    pub fn item(&mut self, r: &mut Reader<'_>, has_receipt: HasReceipt) -> Result<Rebuilt> {
        let parts = r.array()?;
        let document = self.document(r)?;
        let id = *self
            .memory
            .documents
            .get(document)
            .ok_or(Fault::Unexpected)?;
        if parts == 3 {
            let origin = r.uint()?;
            let received_at = self.received(r)?;
            let place = self.next_place(document);
            return Ok(Rebuilt::Echo {
                document: id,
                place,
                origin: (origin >> 16, origin & 0xffff),
                received_at,
            });
        }
        let author = self.author(r)?;
        let deps = self.deps(r, document)?;
        let change = if r.is_bytes() {
            parse(r.bytes()?).map_err(|_| Fault::Unexpected)?
        } else {
            self.composed(r, document, author, &deps)?
        };
        let received_at = match has_receipt {
            HasReceipt::Yes => Some(self.received(r)?),
            HasReceipt::No => None,
        };
        let place = self.next_place(document);
        self.remember(document, &change)?;
        Ok(Rebuilt::Change {
            document: id,
            place,
            change,
            received_at,
        })
    }

    fn next_place(&self, document: usize) -> usize {
        self.memory
            .lists
            .get(document)
            .map_or(0, |(base, items)| base + items.len())
    }

    /// The receiver's ledgers, with what was rebuilt.
    pub fn into_ledgers(self) -> Vec<Ledger> {
        self.ledgers
    }

    /// The document of a name written by [`Stripper::name`].
    pub fn named(&self, r: &mut Reader<'_>) -> Result<DocumentId> {
        if r.is_bytes() {
            return Ok(DocumentId(r.array_of()?));
        }
        self.memory
            .documents
            .get(r.size()?)
            .copied()
            .ok_or(Fault::Unexpected)
    }

    /// Puts the change of an echo into its document's list.
    pub fn resolve(&mut self, document: DocumentId, change: ChangeHash) {
        let number = self
            .memory
            .documents
            .iter()
            .position(|known| *known == document);
        if let Some((_, items)) = number.and_then(|number| self.memory.lists.get_mut(number)) {
            items.push(change);
        }
    }

    fn remember(&mut self, document: usize, change: &Parsed) -> Result<()> {
        let (Some((_, items)), Some(ledger)) = (
            self.memory.lists.get_mut(document),
            self.ledgers.get_mut(document),
        ) else {
            return Err(Fault::Unexpected);
        };
        items.push(change.hash);
        // A change that builds on something unknown cannot be built upon by distance; it may still be named by hash.
        if ledger.place(&change.hash).is_none() {
            drop(ledger.push(change.clone()));
        }
        Ok(())
    }

    fn document(&mut self, r: &mut Reader<'_>) -> Result<usize> {
        if !r.is_array() {
            return r.size();
        }
        if r.array()? != 2 {
            return Err(Fault::Unexpected);
        }
        let id = DocumentId(r.array_of()?);
        let base = r.size()?;
        let ledger = (self.ledger_of)(id);
        if base > ledger.len() {
            return Err(Fault::Unexpected);
        }
        self.memory.documents.push(id);
        self.memory.lists.push((base, Vec::new()));
        self.ledgers.push(ledger);
        Ok(self.memory.documents.len() - 1)
    }

    fn author(&mut self, r: &mut Reader<'_>) -> Result<usize> {
        if !r.is_array() {
            return r.size();
        }
        if r.array()? != 2 {
            return Err(Fault::Unexpected);
        }
        self.memory.authors.push(Author {
            actor: Actor(r.array_of()?),
            person: PersonId(r.array_of()?),
            n: 0,
            boot: 0,
        });
        Ok(self.memory.authors.len() - 1)
    }

    fn deps(&self, r: &mut Reader<'_>, document: usize) -> Result<Vec<ChangeHash>> {
        let ledger = self.ledgers.get(document).ok_or(Fault::Unexpected)?;
        let back = |distance| {
            self.memory
                .back(document, ledger, distance)
                .ok_or(Fault::Unexpected)
        };
        if !r.is_array() {
            return if r.uint()? == 0 {
                Ok(vec![back(1)?])
            } else {
                Err(Fault::Unexpected)
            };
        }
        let len = r.array()?;
        if len > limits::CHANGE_DEPS_MAX {
            return Err(Fault::Unexpected);
        }
        (0..len)
            .map(|_| {
                if r.is_bytes() {
                    Ok(ChangeHash(r.array_of()?))
                } else {
                    back(r.uint()?)
                }
            })
            .collect()
    }

    fn composed(
        &mut self,
        r: &mut Reader<'_>,
        document: usize,
        author: usize,
        deps: &[ChangeHash],
    ) -> Result<Parsed> {
        let actor = self
            .memory
            .authors
            .get(author)
            .ok_or(Fault::Unexpected)?
            .actor;
        let content = if r.is_array() {
            self.commit(r, document, author)?
        } else {
            server_commit(r)?
        };
        let ledger = self.ledgers.get(document).ok_or(Fault::Unexpected)?;
        compose(ledger, actor, deps, &content).map_err(|_| Fault::Unexpected)
    }

    fn commit(&mut self, r: &mut Reader<'_>, document: usize, author: usize) -> Result<Content> {
        let parts = r.array()?;
        let (entry, used) = if r.is_bytes() {
            (r.bytes()?.to_vec(), 1)
        } else {
            self.entry(r, document, author)?
        };
        if parts < used || entry.len() > limits::ENTRY_BYTES_MAX {
            return Err(Fault::Unexpected);
        }
        let mut fields = Vec::new();
        for _ in 0..(parts - used) / 2 {
            let field = Field::from_code(r.uint()?).ok_or(Fault::Unexpected)?;
            fields.push((Key::Field(field), r.item()?.to_vec()));
        }
        Ok(Content::Person { entry, fields })
    }

    fn entry(
        &mut self,
        r: &mut Reader<'_>,
        document: usize,
        author: usize,
    ) -> Result<(Vec<u8>, usize)> {
        let kind = r.uint()?;
        let (capability, unit) = self.right(r)?;
        let state = *self.memory.authors.get(author).ok_or(Fault::Unexpected)?;
        let n =
            u64::try_from(signed(state.n).wrapping_add(r.int()?)).map_err(|_| Fault::Unexpected)?;
        let on = self.on(r, document)?;
        let wall = self.memory.wall.wrapping_add(r.int()?);
        let at = rest_of_time(r, wall, state.boot)?;
        let key = if r.is_bytes() {
            Some(r.bytes()?.to_vec())
        } else {
            None
        };
        let body = r.item()?;
        self.memory.wall = wall;
        if let Some(state) = self.memory.authors.get_mut(author) {
            (state.n, state.boot) = (n, at.boot.unwrap_or(state.boot));
        }
        let used = 7 + usize::from(key.is_some());
        let entry = Entry {
            kind,
            person: state.person,
            device: state.actor.device(),
            capability,
            unit,
            n,
            on,
            at,
            key,
            body: Default::default(),
        };
        Ok((entry::encode_with_body(&entry, body), used))
    }

    fn right(&mut self, r: &mut Reader<'_>) -> Result<(u64, UnitId)> {
        if !r.is_array() {
            return self
                .memory
                .rights
                .get(r.size()?)
                .copied()
                .ok_or(Fault::Unexpected);
        }
        if r.array()? != 2 {
            return Err(Fault::Unexpected);
        }
        let right = (r.uint()?, UnitId(r.uint()?));
        self.memory.rights.push(right);
        Ok(right)
    }

    fn on(&self, r: &mut Reader<'_>, document: usize) -> Result<Vec<EntryId>> {
        let ledger = self.ledgers.get(document).ok_or(Fault::Unexpected)?;
        let back = |distance| {
            let hash = self.memory.back(document, ledger, distance)?;
            ledger
                .link(ledger.place(&hash)?)?
                .entry
                .as_ref()
                .map(|(id, _)| *id)
        };
        if !r.is_array() {
            let distance = r.uint()?;
            return if distance == 0 {
                Ok(Vec::new())
            } else {
                Ok(vec![back(distance).ok_or(Fault::Unexpected)?])
            };
        }
        let len = r.array()?;
        if len > limits::ON_MAX {
            return Err(Fault::Unexpected);
        }
        (0..len)
            .map(|_| {
                if r.is_bytes() {
                    Ok(EntryId(r.array_of()?))
                } else {
                    back(r.uint()?).ok_or(Fault::Unexpected)
                }
            })
            .collect()
    }

    fn received(&mut self, r: &mut Reader<'_>) -> Result<Timestamp> {
        self.memory.received = self.memory.received.wrapping_add(r.int()?);
        Ok(Timestamp(self.memory.received))
    }
}

/// Whether the items of a frame carry the time of receipt: those of pages do, those of pushes do not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HasReceipt {
    /// A page.
    Yes,
    /// A push.
    No,
}

fn server_commit(r: &mut Reader<'_>) -> Result<Content> {
    let mut values = Vec::new();
    for _ in 0..r.map()? {
        let name = ServerName::from_code(r.uint()?).ok_or(Fault::Unexpected)?;
        values.push((Key::Server(name), r.item()?.to_vec()));
    }
    Ok(Content::Server(values))
}

fn rest_of_time(r: &mut Reader<'_>, wall: i64, boot: u64) -> Result<At> {
    let mut at = At::wall(Timestamp(wall));
    if !r.is_array() {
        return if r.uint()? == 0 {
            Ok(at)
        } else {
            Err(Fault::Unexpected)
        };
    }
    if r.array()? != 3 {
        return Err(Fault::Unexpected);
    }
    let mut part = || {
        if r.null()? {
            Ok(None)
        } else {
            r.int().map(Some)
        }
    };
    at.anchored = part()?.map(|delta| Timestamp(wall.wrapping_add(delta)));
    at.error_ms = part()?
        .map(|value| u64::try_from(value).map_err(|_| Fault::Unexpected))
        .transpose()?;
    at.boot = part()?
        .map(|delta| u64::try_from(signed(boot).wrapping_add(delta)).map_err(|_| Fault::Unexpected))
        .transpose()?;
    Ok(at)
}
