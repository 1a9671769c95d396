//! What a page of the server does here: one short transaction, after its check has held.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Transaction;

use super::push::Pushed;
use super::remake::{self, Blow};
use super::{Replica, load, mend};
use crate::cbor::{Fault, Reader};
use crate::doc::ledger::Ledger;
use crate::doc::parse;
use crate::domain::id::{ChangeHash, DocumentId};
use crate::domain::time::Timestamp;
use crate::error::{Error, Result};
use crate::store::changes::{self, ChangeState};
use crate::store::{boxes, documents, enrolment, feed, frames};
use crate::sync::seal::PageList;
use crate::sync::strip::{Rebuilder, Rebuilt, Way};
use crate::sync::wire::{self, Form, PageTail};

impl Replica {
    /// Applies a page. `Err(Disagreement("page"))`: its check failed; the next pages are asked for raw.
    pub(super) fn apply_page(
        &self,
        heard: &mut u64,
        payload: &[u8],
        pushed: &[Pushed],
    ) -> Result<usize> {
        let now = self.environment.now();
        let suffixes = |_: DocumentId| self.random();
        let applied = self.hear(heard, |transaction| {
            apply_page(transaction, payload, pushed, &suffixes, now)
        });
        match applied {
            Ok(touched) => {
                self.notify(&touched.iter().copied().collect::<Vec<_>>());
                Ok(touched.len())
            }
            Err(Error::Disagreement(check)) => {
                self.store.write(|transaction| {
                    let mut state = enrolment::round_state(transaction)?;
                    state.raw_pages = true;
                    state.last_error = Some(check.to_owned());
                    enrolment::put_round_state(transaction, &state)
                })?;
                Err(Error::Disagreement(check))
            }
            Err(error) => Err(error),
        }
    }
}

/// What a page brings for one document.
#[derive(Debug, Default)]
struct Arrivals {
    changes: Vec<(usize, ChangeHash, Vec<u8>, Timestamp)>,
}

fn apply_page(
    transaction: &Transaction<'_>,
    payload: &[u8],
    pushed: &[Pushed],
    suffix: &dyn Fn(DocumentId) -> [u8; 8],
    now: Timestamp,
) -> Result<BTreeSet<DocumentId>> {
    let failure: std::cell::RefCell<Option<Error>> = std::cell::RefCell::new(None);
    let ledger_of = |id: DocumentId| match load::load(transaction, id) {
        Ok(loaded) => loaded.map_or_else(|| Ledger::new(id), |loaded| loaded.ledger),
        Err(error) => {
            *failure.borrow_mut() = Some(error);
            Ledger::new(id)
        }
    };
    let mut rebuilder = Rebuilder::new(Way::Down, pushed, ledger_of);
    let mut arrivals: BTreeMap<DocumentId, Arrivals> = BTreeMap::new();
    let mut list = PageList::default();
    let read_items =
        |rebuilder: &mut Rebuilder<'_, _>, r: &mut Reader<'_>, form: Form, count: usize| {
            for _ in 0..count {
                let (document, place, hash, body, received_at) = match form {
                    Form::Raw => raw_item(r)?,
                    Form::Stripped => stripped_item(transaction, rebuilder, r)?,
                };
                list.add(document, hash, received_at);
                arrivals.entry(document).or_default().changes.push((
                    place,
                    hash,
                    body,
                    received_at,
                ));
            }
            Ok(())
        };
    let tail = PageTail::decode(payload, &mut rebuilder, read_items, |rebuilder, r| {
        rebuilder.named(r)
    });
    if let Some(error) = failure.into_inner() {
        return Err(error);
    }
    let tail = tail.map_err(|_| Error::Disagreement("page"))?;
    if list.check() != tail.check {
        return Err(Error::Disagreement("page_check"));
    }
    for (document, arrivals) in &arrivals {
        place_arrivals(transaction, *document, arrivals, suffix, now)?;
    }
    apply_memberships(transaction, &tail)?;
    if !list.is_empty() {
        frames::put(
            transaction,
            enrolment::enrolled(transaction)?.epoch,
            tail.tag,
            list.bytes(),
        )?;
    }
    Ok(arrivals.into_keys().collect())
}

type Item = (DocumentId, usize, ChangeHash, Vec<u8>, Timestamp);

fn raw_item(r: &mut Reader<'_>) -> crate::cbor::Result<Item> {
    let (document, ordinal, received_at, body) = wire::read_raw_of_page(r)?;
    let change = parse::parse(body).map_err(|_| Fault::Unexpected)?;
    Ok((
        document,
        usize::try_from(ordinal).map_err(|_| Fault::Unexpected)?,
        change.hash,
        change.bytes,
        received_at,
    ))
}

fn stripped_item<L: FnMut(DocumentId) -> Ledger>(
    transaction: &Transaction<'_>,
    rebuilder: &mut Rebuilder<'_, L>,
    r: &mut Reader<'_>,
) -> crate::cbor::Result<Item> {
    match rebuilder.item(r)? {
        Rebuilt::Change {
            document,
            place,
            change,
            received_at,
        } => Ok((
            document,
            place,
            change.hash,
            change.bytes,
            received_at.ok_or(Fault::Unexpected)?,
        )),
        Rebuilt::Echo {
            document,
            place,
            hash,
            received_at,
        } => {
            let body = body_here(transaction, document, hash).map_err(|_| Fault::Unexpected)?;
            Ok((document, place, hash, body, received_at))
        }
    }
}

/// The bytes of a change that this phone has pushed: its fate may have put it into the box.
fn body_here(
    transaction: &Transaction<'_>,
    document: DocumentId,
    hash: ChangeHash,
) -> Result<Vec<u8>> {
    if let Some(body) = changes::body(transaction, document, hash)? {
        return Ok(body);
    }
    let boxed = boxes::of_document(transaction, document)?;
    let boxed = boxed.into_iter().find(|boxed| boxed.hash == hash);
    Ok(boxed.ok_or(Error::Disagreement("echo"))?.body)
}

/// Puts what arrived at its ordinals. A local change whose place in its actor's chain turns out to be taken is made again.
fn place_arrivals(
    transaction: &Transaction<'_>,
    id: DocumentId,
    arrivals: &Arrivals,
    suffix: &dyn Fn(DocumentId) -> [u8; 8],
    now: Timestamp,
) -> Result<()> {
    let state = documents::state_or_new(transaction, id)?;
    if changes::placed(transaction, state.number)? != Some(state.placed) {
        return Err(Error::Spoilt);
    }
    let forked = forked_by(transaction, id, arrivals)?;
    let mut placed = usize::try_from(state.placed).map_err(|_| Error::Disagreement("ordinal"))?;
    for (ordinal, hash, body, received_at) in &arrivals.changes {
        if *ordinal < placed {
            if !changes::is_placed_at(transaction, state.number, *ordinal as u64, *hash)? {
                // Spoilt here, or two histories of one server.
                let rows = changes::of_document(transaction, state.number)?;
                rows.iter().try_for_each(|row| mend::sound(row).map(drop))?;
                return Err(Error::Disagreement("ordinal"));
            }
            continue;
        }
        if *ordinal > placed {
            return Err(Error::Disagreement("gap"));
        }
        changes::place(
            transaction,
            state.number,
            *ordinal as u64,
            *hash,
            *received_at,
            body,
        )?;
        boxes::remove(transaction, *hash)?;
        placed += 1;
    }
    documents::put_placed(transaction, state.number, placed as u64)?;
    if forked.is_empty() {
        return load::refresh(transaction, id);
    }
    remake::take_up(transaction, id, &Blow::Forked(forked), suffix(id), now)
}

/// Local changes whose (actor, seq) an arriving change of another hash has.
fn forked_by(
    transaction: &Transaction<'_>,
    id: DocumentId,
    arrivals: &Arrivals,
) -> Result<BTreeSet<ChangeHash>> {
    let Some(state) = documents::state(transaction, id)? else {
        return Ok(BTreeSet::new());
    };
    let mut taken = BTreeMap::new();
    for (_, hash, body, _) in &arrivals.changes {
        let change = parse::parse_admitted(body).map_err(|_| Error::Disagreement("page"))?;
        taken.insert((change.actor, change.seq), *hash);
    }
    let mut forked = BTreeSet::new();
    for row in changes::of_document(transaction, state.number)?
        .iter()
        .filter(|row| row.state >= ChangeState::Unsent)
    {
        let change = mend::sound(row)?;
        if taken
            .get(&(change.actor, change.seq))
            .is_some_and(|hash| *hash != row.hash)
        {
            forked.insert(row.hash);
        }
    }
    Ok(forked)
}

fn apply_memberships(transaction: &Transaction<'_>, tail: &PageTail) -> Result<()> {
    for (scope, joined) in &tail.joined {
        for document in joined {
            // What the server passed over, because it is damaged there, joins without a change: nothing of it is here to show.
            let Some(state) = documents::state(transaction, *document)? else {
                continue;
            };
            feed::join(transaction, *scope, state.number, state.digest)?;
        }
    }
    for (scope, left) in &tail.left {
        for document in left {
            if let Some(state) = documents::state(transaction, *document)? {
                feed::leave(transaction, *scope, state.number, state.digest)?;
            }
        }
    }
    for (scope, cursor) in &tail.cursors {
        let was_listing = feed::scopes(transaction)?.iter().any(|state| {
            state.number == *scope && matches!(state.cursor, wire::Cursor::Boot { .. })
        });
        feed::set_cursor(transaction, *scope, *cursor)?;
        if was_listing && matches!(cursor, wire::Cursor::Tail(_)) {
            feed::end_listing(transaction, *scope)?;
        }
    }
    Ok(())
}
