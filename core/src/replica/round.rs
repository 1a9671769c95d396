//! The two sides of a round within the store: what to send, and what each frame of the response does. Each is one short transaction.
//!
//! It waits for nothing; `sync` moves the bytes.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, Transaction};

use super::Replica;
use super::load;
use super::remake::{self, Blow};
use crate::cbor::{Fault, Reader, Writer};
use crate::doc::ledger::Ledger;
use crate::doc::parse::{self, Parsed};
use crate::domain::id::{ChangeHash, DocumentId};
use crate::domain::limits;
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::error::{Error, Result};
use crate::store::boxes::{self, BoxState};
use crate::store::changes::{self, ChangeState, Unsent};
use crate::store::enrolment::{self, Anchor, Enrolment, RoundState};
use crate::store::{documents, feed};
use crate::sync::seal::{Batch, PageList, leaf};
use crate::sync::strip::{HasReceipt, Rebuilder, Rebuilt, Stripper};
use crate::sync::wire::{
    self, Done, Fate, Form, Hello, Notice, PageTail, PushHead, Scopes, Status, Welcome,
};

/// What a push frame holds.
pub(super) type Pushed = Vec<(DocumentId, ChangeHash)>;

/// A request ready to be sent.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) hello: Hello,
    pub(super) frames: Vec<Vec<u8>>,
    pub(super) pushed: Vec<Pushed>,
    /// The outbox holds more than these frames.
    pub(super) has_more: bool,
    pub(super) enrolment: Enrolment,
}

/// How a round pushes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct PushPlan {
    /// Stripped as a rule; raw after the server could not rebuild a frame.
    pub(super) form: Form,
    /// Only changes after this place of the outbox: the ones before have no fate yet but have been sent in this call.
    pub(super) after: i64,
}

impl Replica {
    /// Prepares a request: hello, and as much of the outbox as one request carries.
    pub(super) fn prepare(&self, plan: PushPlan) -> Result<(Prepared, i64)> {
        let status = Status {
            free_bytes: self.environment.free_bytes(),
            ..Status::default()
        };
        self.store.read(|connection| {
            let enrolment = enrolment::enrolled(connection)?;
            let state = enrolment::round_state(connection)?;
            let (frames, pushed, last, has_more) =
                push_frames(connection, &enrolment, state.frame_bytes, plan)?;
            let hello = Hello {
                protocol: wire::PROTOCOL,
                epoch: enrolment.epoch,
                scopes_tag: state.scopes_tag,
                cursors: feed::cursors(connection)?,
                directory_tag: feed::directory_tag(connection)?.unwrap_or_default(),
                raw_pages: state.raw_pages,
                outbox_empty: changes::outbox_len(connection)? == 0,
                notice: state.notice_last,
                status: status_to_tell(connection, &state, status)?,
            };
            Ok((
                Prepared {
                    hello,
                    frames,
                    pushed,
                    has_more,
                    enrolment,
                },
                last,
            ))
        })
    }

    /// Applies the beginning of a response. Returns whether pages may follow: not in another epoch.
    pub(super) fn apply_welcome(&self, welcome: &Welcome, round_trip_ms: u64) -> Result<()> {
        let (boot, monotonic_ms) = (self.environment.boot(), self.environment.monotonic_ms());
        let suffixes = |_: DocumentId| self.random();
        let now = self.environment.now();
        self.store.write(|transaction| {
            let enrolment = enrolment::enrolled(transaction)?;
            let mut state = enrolment::round_state(transaction)?;
            state.anchor = Some(Anchor {
                server: welcome.server_time,
                monotonic_ms,
                boot,
                error_ms: round_trip_ms / 2,
            });
            if welcome.epoch != enrolment.epoch {
                begin_epoch(transaction, &enrolment, welcome.epoch)?;
                state.scopes_tag = [0; 4];
            }
            for (number, notice) in welcome
                .notices
                .iter()
                .filter(|(number, _)| *number > state.notice_last)
            {
                apply_notice(transaction, notice, &suffixes, now)?;
                feed::put_notice(transaction, *number, notice)?;
            }
            state.notice_last = welcome
                .notices
                .iter()
                .map(|(number, _)| *number)
                .max()
                .unwrap_or(0)
                .max(state.notice_last);
            enrolment::put_round_state(transaction, &state)
        })
    }

    /// Applies the fates of a push frame. Returns how many changes have left the outbox for good.
    pub(super) fn apply_fates(&self, fates: &[Fate], pushed: &Pushed) -> Result<usize> {
        let now = self.environment.now();
        let mut settled = 0;
        let touched: BTreeSet<DocumentId> = pushed.iter().map(|(document, _)| *document).collect();
        let suffixes: BTreeMap<DocumentId, [u8; 8]> = touched
            .iter()
            .map(|document| (*document, self.random()))
            .collect();
        self.store.write(|transaction| {
            settled = 0;
            for (document, suffix) in &suffixes {
                let own = pushed
                    .iter()
                    .zip(fates)
                    .filter(|((of, _), _)| of == document)
                    .map(|((_, hash), fate)| (*hash, fate));
                settled += apply_document_fates(transaction, *document, own, *suffix, now)?;
            }
            Ok(())
        })?;
        self.notify(&touched.into_iter().collect::<Vec<_>>());
        Ok(settled)
    }

    /// Applies the device's set of scopes.
    pub(super) fn apply_scopes(&self, scopes: &Scopes) -> Result<()> {
        self.store.write(|transaction| {
            feed::set_scopes(transaction, &scopes.scopes)?;
            let mut state = enrolment::round_state(transaction)?;
            state.scopes_tag = scopes.tag;
            enrolment::put_round_state(transaction, &state)
        })
    }

    /// Applies a page. `Err(Disagreement("page"))`: its check failed; the next pages are asked for raw.
    pub(super) fn apply_page(&self, payload: &[u8], pushed: &[Pushed]) -> Result<usize> {
        let now = self.environment.now();
        let suffixes = |_: DocumentId| self.random();
        let applied = self
            .store
            .write(|transaction| apply_page(transaction, payload, pushed, &suffixes, now));
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

    /// Applies the end of a response. Returns whether a digest differed, so that another round will repair it.
    pub(super) fn apply_done(&self, done: &Done, server_time: Timestamp) -> Result<bool> {
        self.store.write(|transaction| {
            let mut differs = false;
            for scope in feed::scopes(transaction)? {
                let Some((_, digest)) = done
                    .digests
                    .iter()
                    .find(|(number, _)| *number == scope.number)
                else {
                    continue;
                };
                if *digest == scope.digest {
                    if scope.mismatches > 0 {
                        feed::set_mismatches(transaction, scope.number, 0)?;
                    }
                    continue;
                }
                feed::set_mismatches(transaction, scope.number, scope.mismatches + 1)?;
                if scope.mismatches == 0 {
                    feed::relist(transaction, scope.number)?;
                    differs = true;
                }
            }
            if !done.has_more && !differs && !done.digests.is_empty() {
                documents::evict(transaction)?;
            }
            let mut state = enrolment::round_state(transaction)?;
            state.synced_at = Some(server_time);
            state.failures = 0;
            state.raw_pages = false;
            state.frame_bytes = (state.frame_bytes * 2).min(limits::PUSH_FRAME_BYTES_MAX);
            state.last_error = differs.then(|| "digest".to_owned());
            enrolment::put_round_state(transaction, &state)?;
            Ok(differs)
        })
    }

    /// Sets every cursor back to the beginning of a listing; data stays.
    pub(super) fn list_anew(&self) -> Result<()> {
        self.store.write(|transaction| {
            for scope in feed::scopes(transaction)? {
                feed::relist(transaction, scope.number)?;
            }
            Ok(())
        })
    }

    /// Notes that a round failed: smaller frames next time.
    pub(super) fn note_failure(&self, error: &Error) -> Result<()> {
        let code = error.to_string();
        self.store.write(|transaction| {
            let mut state = enrolment::round_state(transaction)?;
            state.failures = state.failures.saturating_add(1);
            state.frame_bytes = (state.frame_bytes / 2).max(limits::PUSH_FRAME_BYTES_MIN);
            state.last_error = Some(code);
            enrolment::put_round_state(transaction, &state)
        })
    }
}

fn status_to_tell(
    connection: &Connection,
    state: &RoundState,
    mut status: Status,
) -> Result<Status> {
    // Only what says that something is wrong travels in every round; the rest when it is not as usual.
    status.free_bytes = status.free_bytes.filter(|free| *free < 256 * 1024 * 1024);
    let outbox = changes::outbox_len(connection)?;
    status.outbox = (outbox > 0).then_some(outbox);
    let kept_back = boxes::kept_back(connection)?;
    status.kept_back = (!kept_back.is_empty()).then_some(kept_back);
    status.last_error = state.last_error.clone();
    Ok(status)
}

type Frames = (Vec<Vec<u8>>, Vec<Pushed>, i64, bool);

/// Cuts the outbox into signed frames, at most one request's worth.
fn push_frames(
    connection: &Connection,
    enrolment: &Enrolment,
    frame_bytes: usize,
    plan: PushPlan,
) -> Result<Frames> {
    let unsent = changes::outbox(connection, plan.after, limits::PUSH_FRAME_CHANGES_MAX)?;
    let mut ledgers: BTreeMap<DocumentId, (Ledger, usize)> = BTreeMap::new();
    let (mut frames, mut pushed, mut last, mut total, mut size) =
        (Vec::new(), Vec::new(), plan.after, 0, frame_bytes);
    let mut rest = unsent.as_slice();
    while !rest.is_empty() && total < limits::REQUEST_BYTES_AIM {
        let (now, later) = rest.split_at(fitting(rest, size));
        let form = if now
            .iter()
            .any(|change| change.state == ChangeState::Following)
        {
            Form::Raw
        } else {
            plan.form
        };
        let (frame, list) = push_frame(connection, enrolment, now, form, &mut ledgers)?;
        total += frame.len();
        last = now.last().map_or(last, |change| change.place);
        frames.push(frame);
        pushed.push(list);
        rest = later;
        size = (size * 2).min(limits::PUSH_FRAME_BYTES_MAX);
    }
    Ok((
        frames,
        pushed,
        last,
        !rest.is_empty() || unsent.len() == limits::PUSH_FRAME_CHANGES_MAX,
    ))
}

/// How many changes fit a frame of that size; at least one.
fn fitting(changes: &[Unsent], size: usize) -> usize {
    let mut bytes = 0;
    let fits = |change: &&Unsent| {
        bytes += change.bytes;
        bytes <= size
    };
    changes.iter().take_while(fits).count().max(1)
}

fn push_frame(
    connection: &Connection,
    enrolment: &Enrolment,
    changes: &[Unsent],
    form: Form,
    ledgers: &mut BTreeMap<DocumentId, (Ledger, usize)>,
) -> Result<(Vec<u8>, Pushed)> {
    let mut items = Writer::default();
    let mut stripper = Stripper::default();
    let mut list = Pushed::new();
    let mut leaves = Vec::new();
    let mut n = (u64::MAX, 0);
    for change in changes {
        let (ledger, placed) = match ledgers.entry(change.document) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(whole_ledger(connection, change.document)?),
        };
        let Some(place) = ledger.place(&change.hash) else {
            return Err(Error::Disagreement("outbox"));
        };
        let Some(link) = ledger.link(place) else {
            return Err(Error::Disagreement("outbox"));
        };
        match form {
            Form::Stripped => stripper.change(&mut items, ledger, place, *placed, None),
            Form::Raw => wire::write_raw(&mut items, change.document, &link.change.bytes),
        }
        if let Some((_, entry)) = &link.entry {
            n = (n.0.min(entry.n), n.1.max(entry.n));
        }
        leaves.push(leaf(change.document, change.hash));
        list.push((change.document, change.hash));
    }
    let n = if n.1 == 0 { (0, 0) } else { n };
    let batch = Batch {
        server: enrolment.server,
        device: enrolment.device,
        n,
        leaves,
    };
    let head = PushHead {
        signer: enrolment.device,
        n,
        signature: batch.sign(&enrolment.seed),
        form,
    };
    Ok((head.encode(list.len(), &items.finish()), list))
}

/// A document's ledger for pushing: placed changes first, then all local ones, those that follow held ones too.
fn whole_ledger(connection: &Connection, id: DocumentId) -> Result<(Ledger, usize)> {
    let Some(state) = documents::state(connection, id)? else {
        return Err(Error::Disagreement("outbox"));
    };
    let rows = changes::of_document(connection, state.number)?;
    let held = boxes::of_document(connection, id)?;
    let mut ledger = Ledger::new(id);
    let mut waiting: Vec<Parsed> = Vec::new();
    let bodies = rows
        .iter()
        .map(|row| &row.body)
        .chain(held.iter().map(|change| &change.body));
    for body in bodies {
        waiting.push(parse::parse_admitted(body).map_err(|_| Error::Disagreement("unloadable"))?);
    }
    // Held changes have no place among the others: put each where its dependencies allow.
    while let Some(ready) = waiting
        .iter()
        .position(|change| ledger.places_of(&change.deps).is_ok())
    {
        ledger
            .push(waiting.remove(ready))
            .map_err(|_| Error::Disagreement("unloadable"))?;
    }
    let placed = rows
        .iter()
        .filter(|row| row.state == ChangeState::Placed)
        .count();
    Ok((ledger, placed))
}

/// The fates of one document's changes. Returns how many have left the outbox for good.
fn apply_document_fates<'f>(
    transaction: &Transaction<'_>,
    document: DocumentId,
    fates: impl Iterator<Item = (ChangeHash, &'f Fate)>,
    suffix: [u8; 8],
    now: Timestamp,
) -> Result<usize> {
    if documents::state(transaction, document)?.is_none() {
        return Ok(0);
    }
    let (mut refused, mut forked, mut held) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
    let mut settled = 0;
    for (hash, fate) in fates {
        match fate {
            Fate::Ok | Fate::Dup => {
                remake::acknowledge(transaction, document, hash, now)?;
                settled += 1;
            }
            Fate::Review => drop(held.insert(hash)),
            Fate::Refused(Refusal::Forked) => drop(forked.insert(hash)),
            Fate::Refused(refusal) => drop(refused.insert(hash, *refusal)),
            Fate::Missing(_) | Fate::Later(_) => {}
        }
    }
    settled += refused.len() + forked.len() + held.len();
    if !held.is_empty() {
        remake::hold(transaction, document, &held, suffix, now)?;
    }
    if !refused.is_empty() {
        remake::take_up(transaction, document, &Blow::Refused(refused), suffix, now)?;
    }
    if !forked.is_empty() {
        remake::take_up(transaction, document, &Blow::Forked(forked), suffix, now)?;
    }
    if settled > 0 {
        load::refresh(transaction, document)?;
    }
    Ok(settled)
}

fn apply_notice(
    transaction: &Transaction<'_>,
    notice: &Notice,
    suffix: &dyn Fn(DocumentId) -> [u8; 8],
    now: Timestamp,
) -> Result<()> {
    let Notice::Outcome {
        document,
        change,
        refusal,
    } = notice
    else {
        return Ok(());
    };
    let boxed = boxes::of_document(transaction, *document)?
        .into_iter()
        .find(|boxed| boxed.hash == *change);
    let Some(mut boxed) = boxed.filter(|boxed| boxed.state == BoxState::Held) else {
        return Ok(());
    };
    match refusal {
        None => {
            boxed.state = BoxState::Released;
            boxes::put(transaction, &boxed)
        }
        Some(refusal) => {
            let refused = BTreeMap::from([(*change, *refusal)]);
            remake::take_up(
                transaction,
                *document,
                &Blow::Refused(refused),
                suffix(*document),
                now,
            )
        }
    }
}

/// The server has jumped back: nothing is placed any more, own work goes back into the outbox, listing begins anew.
fn begin_epoch(
    transaction: &Transaction<'_>,
    enrolment: &Enrolment,
    epoch: crate::domain::id::Epoch,
) -> Result<()> {
    for id in documents::all(transaction)? {
        let Some(state) = documents::state(transaction, id)? else {
            continue;
        };
        let is_own = |body: &[u8]| {
            parse::parse_admitted(body)
                .is_ok_and(|change| change.actor.device() == enrolment.device)
        };
        changes::unplace(transaction, state.number, |row| match row.state {
            ChangeState::Following => ChangeState::Following,
            _ if is_own(&row.body) => ChangeState::Unsent,
            _ => ChangeState::Acknowledged,
        })?;
        documents::set_confirmed(transaction, state.number, false)?;
        load::refresh(transaction, id)?;
    }
    feed::set_scopes(transaction, &[])?;
    enrolment::put_epoch(transaction, epoch)
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
    let mut rebuilder = Rebuilder::new(ledger_of);
    let mut arrivals: BTreeMap<DocumentId, Arrivals> = BTreeMap::new();
    let mut list = PageList::default();
    let read_items =
        |rebuilder: &mut Rebuilder<_>, r: &mut Reader<'_>, form: Form, count: usize| {
            for _ in 0..count {
                let (document, place, hash, body, received_at) = match form {
                    Form::Raw => raw_item(r)?,
                    Form::Stripped => stripped_item(transaction, rebuilder, r, pushed)?,
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
        feed::put_frame(
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
    rebuilder: &mut Rebuilder<L>,
    r: &mut Reader<'_>,
    pushed: &[Pushed],
) -> crate::cbor::Result<Item> {
    match rebuilder.item(r, HasReceipt::Yes)? {
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
            origin,
            received_at,
        } => {
            let frame = usize::try_from(origin.0)
                .ok()
                .and_then(|frame| pushed.get(frame));
            let named = frame
                .zip(usize::try_from(origin.1).ok())
                .and_then(|(frame, index)| frame.get(index));
            let (of, hash) = named.copied().ok_or(Fault::Unexpected)?;
            if of != document {
                return Err(Fault::Unexpected);
            }
            rebuilder.resolve(document, hash);
            let body = changes::body(transaction, document, hash)
                .ok()
                .flatten()
                .ok_or(Fault::Unexpected)?;
            Ok((document, place, hash, body, received_at))
        }
    }
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
    let forked = forked_by(transaction, id, arrivals)?;
    let mut placed = usize::try_from(state.placed).map_err(|_| Error::Disagreement("ordinal"))?;
    for (ordinal, hash, body, received_at) in &arrivals.changes {
        if *ordinal < placed {
            if !changes::is_placed_at(transaction, state.number, *ordinal as u64, *hash)? {
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
    if !state.is_confirmed {
        documents::set_confirmed(transaction, state.number, true)?;
    }
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
        let change =
            parse::parse_admitted(&row.body).map_err(|_| Error::Disagreement("unloadable"))?;
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
            let state = documents::state_or_new(transaction, *document)?;
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
