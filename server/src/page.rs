//! One page: everything that a device lacks after its cursors, out of one short read, up to a size.
//!
//! The rules are those of `protocol.md`, *Pages*. It decides what to send, not who may have it: the scopes are given.

use std::collections::{BTreeMap, BTreeSet};

use patrol_core::cbor::Writer;
use patrol_core::doc::ledger::Ledger;
use patrol_core::domain::id::{ChangeHash, DocumentId};
use patrol_core::domain::limits;
use patrol_core::domain::place::Scope;
use patrol_core::sync::seal::{Digest, PageList};
use patrol_core::sync::strip::{Stripper, Way};
use patrol_core::sync::wire::{Cursor, Form, PageTail, ScopeNumber, write_raw_of_page};

use crate::grow::Growing;
use crate::store::{FeedEvent, FeedRow, Identity, Result, Snapshot, StoredChange, StoredDocument};

/// A scope of the device, and how far the device has caught up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    /// The scope's handle.
    pub number: ScopeNumber,
    /// The scope.
    pub scope: Scope,
    /// How far.
    pub cursor: Cursor,
}

/// A cursor that has seen nothing.
pub const FRESH: Cursor = Cursor::Boot {
    as_of: 0,
    before: u64::MAX >> 1,
};

/// What one read yields.
#[derive(Debug)]
pub struct Page {
    /// The payload of the page frame; none when nothing moved.
    pub payload: Option<Vec<u8>>,
    /// The standings after it.
    pub standings: Vec<Standing>,
    /// The digests, when the read reached the head of every scope.
    pub digests: Option<Vec<(ScopeNumber, Digest)>>,
}

/// What pages of one response have in common.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// Who the server is: its epoch and page key.
    pub identity: &'a Identity,
    /// Stripped, or raw where the device asked for it.
    pub form: Form,
    /// Changes that the device pushed in this request: push frame and place.
    pub echoes: &'a BTreeMap<ChangeHash, (u64, u64)>,
    /// The size at which a page is full.
    pub page_bytes: usize,
}

/// Builds the next page.
pub fn build(snapshot: &dyn Snapshot, standings: &[Standing], terms: Terms<'_>) -> Result<Page> {
    let mut told = Vec::with_capacity(standings.len());
    for standing in standings {
        told.push(Told::read(snapshot, standing)?);
    }
    let mut builder = Builder {
        snapshot,
        before: standings.to_vec(),
        told,
        after: standings.to_vec(),
        documents: BTreeMap::new(),
        damaged: BTreeSet::new(),
        stripper: Stripper::new(Way::Down),
        items: Writer::default(),
        count: 0,
        list: PageList::default(),
        joined: BTreeMap::new(),
        left: BTreeMap::new(),
        terms,
    };
    let is_at_head = builder.rows()? && builder.members()?;
    builder.finish(is_at_head)
}

/// What a scope's feed has told up to a cursor.
struct Told {
    /// The last write that it has told whole.
    through: Option<u64>,
    /// Of the next one, whose rows filled a page: how many changes of each document there are up to the last row.
    in_part: BTreeMap<DocumentId, usize>,
}

impl Told {
    fn read(snapshot: &dyn Snapshot, standing: &Standing) -> Result<Self> {
        let seq = position(standing.cursor);
        let mut in_part: BTreeMap<DocumentId, usize> = BTreeMap::new();
        for row in snapshot.told_in_part(standing.number, seq)? {
            if let FeedEvent::Change(ordinal) | FeedEvent::Join(ordinal) = row.event {
                let count = usize::try_from(ordinal).map_or(usize::MAX, |ordinal| ordinal + 1);
                let known = in_part.entry(row.document).or_default();
                *known = count.max(*known);
            }
        }
        Ok(Self {
            through: snapshot.commit_through(standing.number, seq)?,
            in_part,
        })
    }

    /// How many changes of a document a device holds that has been told all this of it.
    fn held(&self, stored: &StoredDocument) -> usize {
        let came = |change: &&StoredChange| Some(change.commit) <= self.through;
        let whole = stored.changes.iter().take_while(came).count();
        let in_part = self.in_part.get(&stored.id).copied().unwrap_or_default();
        whole.max(in_part).min(stored.changes.len())
    }
}

/// A document that a page touches.
struct Touched {
    /// Read only when a change is sent that is no echo.
    ledger: Option<Ledger>,
    stored: StoredDocument,
    /// Changes that the device has, with those of this page.
    held: usize,
}

struct Builder<'a> {
    snapshot: &'a dyn Snapshot,
    /// As the request gave them: what the device holds follows from these.
    before: Vec<Standing>,
    /// For each of them what its scope's feed has told.
    told: Vec<Told>,
    after: Vec<Standing>,
    documents: BTreeMap<DocumentId, Touched>,
    /// Documents whose bytes are damaged.
    damaged: BTreeSet<DocumentId>,
    stripper: Stripper,
    items: Writer,
    count: usize,
    list: PageList,
    joined: BTreeMap<ScopeNumber, Vec<DocumentId>>,
    left: BTreeMap<ScopeNumber, Vec<DocumentId>>,
    terms: Terms<'a>,
}

impl Builder<'_> {
    fn is_full(&self) -> bool {
        // Echoes are short, and a page frame must fit into a relic with the bytes of all its changes.
        self.items.len() >= self.terms.page_bytes || self.count >= limits::PAGE_CHANGES
    }

    /// Rows of the feeds after the cursors, in the order of commits. Returns whether all were taken.
    fn rows(&mut self) -> Result<bool> {
        let mut rows: Vec<(usize, FeedRow)> = Vec::new();
        let mut is_whole = true;
        for (index, standing) in self.before.iter().enumerate() {
            let seq = position(standing.cursor);
            let head = self
                .snapshot
                .scope(standing.scope)?
                .map_or(0, |row| row.head);
            if head > seq {
                let found = self
                    .snapshot
                    .feed(standing.number, seq, limits::PAGE_ROWS_MAX)?;
                is_whole &= found.len() < limits::PAGE_ROWS_MAX;
                rows.extend(found.into_iter().map(|row| (index, row)));
            }
        }
        rows.sort_by_key(|(index, row)| (row.commit, *index, row.seq));
        if !is_whole {
            // Beyond the shortest of the fetched stretches the order over scopes is not known.
            self.cut_to_known(&mut rows);
        }
        for (index, row) in rows {
            if self.is_full() {
                return Ok(false);
            }
            self.row(index, row)?;
            if let Some(standing) = self.after.get_mut(index) {
                standing.cursor = advanced(standing.cursor, row.seq);
            }
        }
        Ok(is_whole)
    }

    /// Keeps the rows up to the last commit that is known for every scope.
    fn cut_to_known(&self, rows: &mut Vec<(usize, FeedRow)>) {
        let mut bound = u64::MAX;
        for index in 0..self.before.len() {
            let own: Vec<u64> = rows
                .iter()
                .filter(|(of, _)| *of == index)
                .map(|(_, row)| row.commit)
                .collect();
            if own.len() >= limits::PAGE_ROWS_MAX {
                bound = bound.min(own.last().copied().unwrap_or(bound));
            }
        }
        rows.retain(|(_, row)| row.commit <= bound);
    }

    fn row(&mut self, index: usize, row: FeedRow) -> Result<()> {
        let Some(standing) = self.before.get(index).copied() else {
            return Ok(());
        };
        match row.event {
            FeedEvent::Leave => {
                if let Some(joined) = self.joined.get_mut(&standing.number) {
                    joined.retain(|document| *document != row.document);
                }
                self.left
                    .entry(standing.number)
                    .or_default()
                    .push(row.document);
                Ok(())
            }
            FeedEvent::Join(ordinal) => {
                if let Some(left) = self.left.get_mut(&standing.number) {
                    left.retain(|document| *document != row.document);
                }
                self.joined
                    .entry(standing.number)
                    .or_default()
                    .push(row.document);
                self.send(row.document, ordinal)
            }
            FeedEvent::Change(ordinal) => {
                if self.is_unlisted(standing, row.document)? {
                    Ok(())
                } else {
                    self.send(row.document, ordinal)
                }
            }
        }
    }

    /// Whether a scope is being listed and has not come to this member: it will come whole.
    fn is_unlisted(&self, standing: Standing, document: DocumentId) -> Result<bool> {
        let Cursor::Boot { before, .. } = standing.cursor else {
            return Ok(false);
        };
        let joined = self
            .snapshot
            .memberships(document)?
            .into_iter()
            .find(|(number, _)| *number == standing.number);
        Ok(joined.is_none_or(|(_, joined)| joined < before))
    }

    /// Members of scopes that are being listed, newest first. Returns whether all lists ended.
    fn members(&mut self) -> Result<bool> {
        for index in 0..self.after.len() {
            let Some(Standing {
                number,
                cursor: Cursor::Boot { as_of, mut before },
                ..
            }) = self.after.get(index).copied()
            else {
                continue;
            };
            loop {
                let members =
                    self.snapshot
                        .members_before(number, before, limits::PAGE_ROWS_MAX)?;
                let is_last = members.len() < limits::PAGE_ROWS_MAX;
                for (joined, document) in members {
                    if self.is_full() {
                        self.set_cursor(index, Cursor::Boot { as_of, before });
                        return Ok(false);
                    }
                    let stands = self.joined.entry(number).or_default();
                    if !stands.contains(&document) {
                        stands.push(document);
                    }
                    self.send(document, u64::MAX)?;
                    before = joined;
                }
                if is_last {
                    self.set_cursor(index, Cursor::Tail(as_of));
                    break;
                }
            }
        }
        Ok(true)
    }

    fn set_cursor(&mut self, index: usize, cursor: Cursor) {
        if let Some(standing) = self.after.get_mut(index) {
            standing.cursor = cursor;
        }
    }

    /// Sends what the device lacks of a document, up to an ordinal.
    fn send(&mut self, id: DocumentId, ordinal: u64) -> Result<()> {
        if !self.documents.contains_key(&id) {
            let Some(stored) = self.snapshot.document(id)? else {
                return Ok(());
            };
            let held = self.held(&stored)?;
            self.documents.insert(
                id,
                Touched {
                    ledger: None,
                    stored,
                    held,
                },
            );
        }
        if !self.is_sound(id, ordinal) {
            for joined in self.joined.values_mut() {
                joined.retain(|document| *document != id);
            }
            return Ok(());
        }
        let Some(touched) = self.documents.get_mut(&id) else {
            return Ok(());
        };
        while touched.held < touched.stored.changes.len() && touched.held as u64 <= ordinal {
            let place = touched.held;
            let Some(change) = touched.stored.changes.get(place) else {
                break;
            };
            match (self.terms.form, self.terms.echoes.get(&change.hash)) {
                (Form::Raw, _) => write_raw_of_page(
                    &mut self.items,
                    id,
                    place as u64,
                    change.received_at,
                    &change.body,
                ),
                (Form::Stripped, Some(origin)) => self.stripper.echo(
                    &mut self.items,
                    (id, change.hash),
                    place,
                    *origin,
                    change.received_at,
                ),
                (Form::Stripped, None) => {
                    let Some(ledger) = &touched.ledger else {
                        break;
                    };
                    let received_at = Some(change.received_at);
                    self.stripper
                        .change(&mut self.items, ledger, place, place, received_at);
                }
            }
            self.list.add(id, change.hash, change.received_at);
            self.count += 1;
            touched.held += 1;
        }
        Ok(())
    }

    /// Reads the ledger of a document of which more than echoes is due. False where what is stored of it is damaged: then it is passed
    /// over, so that the others go on; that scope's sums differ until a person has mended it and the scope has been listed again.
    fn is_sound(&mut self, id: DocumentId, ordinal: u64) -> bool {
        let Some(touched) = self.documents.get_mut(&id) else {
            return false;
        };
        if self.damaged.contains(&id) {
            return false;
        }
        let due = touched.stored.changes.iter().enumerate().skip(touched.held);
        let mut due = due.take_while(|(place, _)| *place as u64 <= ordinal);
        let is_echo = |change: &StoredChange| {
            self.terms.form == Form::Stripped && self.terms.echoes.contains_key(&change.hash)
        };
        if touched.ledger.is_some() || due.all(|(_, change)| is_echo(change)) {
            return true;
        }
        match Growing::of(&touched.stored) {
            Ok(growing) => {
                touched.ledger = Some(growing.ledger);
                true
            }
            Err(error) => {
                tracing::error!(document = %id, "document {id} is damaged and passed over: {error}");
                self.damaged.insert(id);
                false
            }
        }
    }

    /// How many changes of a document the device holds, as its cursors say: those that were told by the feed of a scope in which it has
    /// been since.
    fn held(&self, stored: &StoredDocument) -> Result<usize> {
        let memberships = self.snapshot.memberships(stored.id)?;
        let mut held = 0;
        for (standing, told) in self.before.iter().zip(&self.told) {
            let has_come = memberships.iter().any(|(number, joined)| {
                *number == standing.number
                    && match standing.cursor {
                        Cursor::Tail(seq) => *joined <= seq,
                        Cursor::Boot { as_of, before } => *joined <= as_of && *joined >= before,
                    }
            });
            if has_come {
                held = held.max(told.held(stored));
            }
        }
        Ok(held)
    }

    fn finish(self, is_at_head: bool) -> Result<Page> {
        let moved: Vec<(ScopeNumber, Cursor)> = self
            .before
            .iter()
            .zip(&self.after)
            .filter(|(before, after)| before.cursor != after.cursor)
            .map(|(_, after)| (after.number, after.cursor))
            .collect();
        let mut digests = Vec::new();
        for standing in &self.after {
            digests.extend(
                self.snapshot
                    .scope(standing.scope)?
                    .map(|row| (standing.number, row.digest)),
            );
        }
        let memberships = |of: BTreeMap<ScopeNumber, Vec<DocumentId>>| {
            of.into_iter()
                .filter(|(_, documents)| !documents.is_empty())
                .collect()
        };
        let payload = (self.count > 0 || !moved.is_empty()).then(|| {
            let tail = PageTail {
                joined: memberships(self.joined),
                left: memberships(self.left),
                cursors: moved,
                check: self.list.check(),
                tag: self
                    .list
                    .tag(&self.terms.identity.page_key, self.terms.identity.epoch),
            };
            tail.encode(
                self.terms.form,
                self.count,
                &self.items.finish(),
                |w, document| self.stripper.name(w, document),
            )
        });
        Ok(Page {
            payload,
            standings: self.after,
            digests: is_at_head.then_some(digests),
        })
    }
}

fn position(cursor: Cursor) -> u64 {
    match cursor {
        Cursor::Tail(seq) => seq,
        Cursor::Boot { as_of, .. } => as_of,
    }
}

fn advanced(cursor: Cursor, seq: u64) -> Cursor {
    match cursor {
        Cursor::Tail(_) => Cursor::Tail(seq),
        Cursor::Boot { before, .. } => Cursor::Boot { as_of: seq, before },
    }
}

/// Handles of scopes, to name a set of them.
pub fn scopes_tag(scopes: &[(ScopeNumber, Scope)]) -> [u8; 4] {
    use sha2::{Digest as _, Sha256};
    let mut hash = Sha256::new();
    for (number, scope) in scopes.iter().collect::<BTreeSet<_>>() {
        let (kind, id) = scope.parts();
        hash.update(number.to_be_bytes());
        hash.update(kind.to_be_bytes());
        hash.update(id.to_be_bytes());
    }
    let mut tag = [0; 4];
    tag.iter_mut()
        .zip(hash.finalize())
        .for_each(|(byte, digest)| *byte = digest);
    tag
}
