//! Rebuilds the items of one frame, byte for byte.

use std::collections::BTreeSet;

use super::{Memory, Way, signed};
use crate::cbor::{Fault, Reader, Result};
use crate::doc::compose::{Content, compose};
use crate::doc::entry;
use crate::doc::key::{Key, ServerName};
use crate::doc::ledger::Ledger;
use crate::doc::parse::{Parsed, parse};
use crate::domain::entry::{Entry, Field};
use crate::domain::id::{Actor, ChangeHash, DocumentId, EntryId, PersonId, UnitId};
use crate::domain::limits;
use crate::domain::time::{At, Timestamp};

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
    /// The receiver has the change: it pushed it in the request that is answered.
    Echo {
        /// Of which document.
        document: DocumentId,
        /// Its place in the document's list: the ordinal.
        place: usize,
        /// Which change.
        hash: ChangeHash,
        /// When the server received it.
        received_at: Timestamp,
    },
}

/// Rebuilds the items of one frame. `L` gives the receiver's ledger of a document, its list first.
#[derive(Debug)]
pub struct Rebuilder<'p, L> {
    memory: Memory,
    ledgers: Vec<Ledger>,
    ledger_of: L,
    /// The push frames of the request that is answered: what echoes name.
    pushed: &'p [Vec<(DocumentId, ChangeHash)>],
    /// Each is named once: naming it loads it.
    mentioned: BTreeSet<DocumentId>,
}

impl<'p, L: FnMut(DocumentId) -> Ledger> Rebuilder<'p, L> {
    /// Begins a frame. `pushed` are the push frames of the request that a page answers.
    pub fn new(way: Way, pushed: &'p [Vec<(DocumentId, ChangeHash)>], ledger_of: L) -> Self {
        Self {
            memory: Memory::new(way),
            ledgers: Vec::new(),
            ledger_of,
            pushed,
            mentioned: BTreeSet::new(),
        }
    }

    /// Rebuilds the next item.
    pub fn item(&mut self, r: &mut Reader<'_>) -> Result<Rebuilt> {
        if r.array()? == 3 {
            return self.echo(r);
        }
        let document = self.document(r)?;
        let id = self.id(document)?;
        let author = self.author(r)?;
        let deps = self.deps(r, document)?;
        let change = if r.is_bytes() {
            parse(r.bytes()?).map_err(|_| Fault::Unexpected)?
        } else {
            self.composed(r, document, author, &deps)?
        };
        let received_at = match self.memory.way {
            Way::Down => Some(self.received(r)?),
            Way::Up { .. } => None,
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

    /// A change that the receiver pushed itself.
    fn echo(&mut self, r: &mut Reader<'_>) -> Result<Rebuilt> {
        let mention = if r.is_array() {
            if r.array()? != 1 {
                return Err(Fault::Unexpected);
            }
            Err(r.size()?)
        } else {
            Ok(r.size()?)
        };
        let origin = r.uint()?;
        let frame = usize::try_from(origin >> 16).map_err(|_| Fault::Unexpected)?;
        let index = usize::try_from(origin & 0xffff).map_err(|_| Fault::Unexpected)?;
        let named = self.pushed.get(frame).and_then(|frame| frame.get(index));
        let (id, hash) = *named.ok_or(Fault::Unexpected)?;
        let document = match mention {
            Ok(known) => known,
            Err(base) => self.mention(id, base)?,
        };
        if self.id(document)? != id {
            return Err(Fault::Unexpected);
        }
        let received_at = self.received(r)?;
        let place = self.next_place(document);
        if let Some((_, items)) = self.memory.lists.get_mut(document) {
            items.push(hash);
        }
        Ok(Rebuilt::Echo {
            document: id,
            place,
            hash,
            received_at,
        })
    }

    fn id(&self, document: usize) -> Result<DocumentId> {
        self.memory
            .documents
            .get(document)
            .copied()
            .ok_or(Fault::Unexpected)
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

    /// The document of a name written by [`super::Stripper::name`].
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
        self.mention(id, base)
    }

    fn mention(&mut self, id: DocumentId, base: usize) -> Result<usize> {
        if !self.mentioned.insert(id) {
            return Err(Fault::Unexpected);
        }
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
        let (actor, person) = if r.is_bytes() {
            let Way::Up { signer, person, .. } = self.memory.way else {
                return Err(Fault::Unexpected);
            };
            (Actor::new(signer, r.array_of()?), person)
        } else if r.is_array() {
            if r.array()? != 2 {
                return Err(Fault::Unexpected);
            }
            (Actor(r.array_of()?), PersonId(r.array_of()?))
        } else {
            return r.size();
        };
        let author = self.memory.author(actor, person);
        self.memory.authors.push(author);
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
