//! What a round sends: the hello, and the outbox cut into signed frames.
//!
//! It changes nothing in the store; what the server makes of it is `round`'s.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use rusqlite::Connection;

use super::relics::Returned;
use super::{Replica, mend};
use crate::cbor::Writer;
use crate::doc::ledger::{Ledger, entry_of};
use crate::doc::parse::{self, Parsed};
use crate::domain::id::{ChangeHash, DocumentId};
use crate::domain::limits;
use crate::domain::time::Timestamp;
use crate::error::{Error, Result};
use crate::store::boxes::{self, BoxedChange};
use crate::store::changes::{self, ChangeRow, ChangeState, Unsent};
use crate::store::enrolment::{self, Enrolment, RoundState};
use crate::store::{components, documents, feed, frames, pieces};
use crate::sync::components as codec;
use crate::sync::seal::{Batch, leaf};
use crate::sync::strip::{Stripper, Way};
use crate::sync::wire::{self, Form, Hello, PushHead, Status};

/// What a push frame holds.
pub(super) type Pushed = Vec<(DocumentId, ChangeHash)>;

/// A request ready to be sent.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) hello: Hello,
    pub(super) frames: Vec<Vec<u8>>,
    pub(super) pushed: Vec<Pushed>,
    /// The rows of the page frames that go back; then nothing else is pushed.
    pub(super) relics: Vec<i64>,
    /// The rows of the pieces of others' bundles; likewise.
    pub(super) pieces: Vec<i64>,
    /// There is more to push than these frames.
    pub(super) has_more: bool,
    /// What was spoilt here is still to be listed.
    pub(super) mends: bool,
    /// They are pushed again only to hear what has become of them.
    pub(super) asks: bool,
    pub(super) enrolment: Enrolment,
    /// How many parts of answers had been applied.
    pub(super) heard: u64,
    /// The size of frames by which it was cut.
    pub(super) frame_bytes: usize,
}

impl Prepared {
    /// Of which kind its frames are.
    pub(super) fn kind(&self) -> u8 {
        match (self.relics.is_empty(), self.pieces.is_empty()) {
            (false, _) => wire::kind::RELIC,
            (true, false) => wire::kind::BUNDLE,
            (true, true) => wire::kind::PUSH,
        }
    }

    /// The size by which the next request is cut once all of this one has gone up: larger where it was full, for only that says anything of the
    /// line.
    pub(super) fn larger(&self) -> usize {
        let bytes: usize = self.frames.iter().map(Vec::len).sum();
        if bytes >= enrolment::request_bytes(self.frame_bytes) / 2 {
            (self.frame_bytes * 2).min(limits::PUSH_FRAME_BYTES_MAX)
        } else {
            self.frame_bytes
        }
    }

    /// The size to keep once all of this one has gone up; none where that says nothing.
    pub(super) fn grown(&self) -> Option<usize> {
        self.smaller().map(|_| self.larger())
    }

    /// The size by which the next request is cut unless all of this one is known to have gone up; none where smaller frames would carry no less.
    pub(super) fn smaller(&self) -> Option<usize> {
        let bytes: usize = self.frames.iter().map(Vec::len).sum();
        let is_larger = bytes > limits::PUSH_FRAME_BYTES_MIN;
        is_larger.then(|| (self.frame_bytes / 2).max(limits::PUSH_FRAME_BYTES_MIN))
    }

    /// How many fates each frame gets.
    pub(super) fn awaited(&self) -> Vec<usize> {
        if self.pieces.is_empty() {
            self.pushed.iter().map(Vec::len).collect()
        } else {
            vec![1; self.pieces.len()]
        }
    }
}

/// How a round pushes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct PushPlan {
    /// Stripped as a rule; raw after the server could not rebuild a frame.
    pub(super) form: Form,
    /// Only changes after this place of the outbox: the ones before have no fate yet but have been sent in this call.
    pub(super) after: i64,
    /// Nothing: what the server has is heard first, so that it is known what it has lost.
    pub(super) listens: bool,
    /// Of page frames that go back, only those behind this row; none behind the highest there is.
    pub(super) relics_after: i64,
    /// What is spoilt here cannot be mended, for there is no room: the rest goes.
    pub(super) passes_over: bool,
    /// Everything of one's own is done: pieces of others' bundles are handed in.
    pub(super) carries: bool,
}

/// What is pushed in one request.
struct Load {
    frames: Vec<Vec<u8>>,
    pushed: Vec<Pushed>,
    relics: Vec<i64>,
    pieces: Vec<i64>,
    /// The last place of the outbox, and whether there is more.
    last: i64,
    has_more: bool,
    /// It is pushed again only to hear what has become of it.
    asks: bool,
}

impl Load {
    /// Nothing, and the outbox behind that place is for a later round.
    fn empty(after: i64) -> Self {
        Self {
            frames: Vec::new(),
            pushed: Vec::new(),
            relics: Vec::new(),
            pieces: Vec::new(),
            last: after,
            asks: false,
            has_more: true,
        }
    }

    /// What goes back, and nothing of the outbox.
    fn of_relics(returned: Vec<Returned>, after: i64) -> Self {
        let mut load = Self::empty(after);
        for relic in returned {
            load.frames.push(relic.payload);
            load.pushed.push(relic.pushed);
            load.relics.push(relic.id);
        }
        load
    }

    /// The outbox; when nothing of it is left, what was held long ago; and when all else is done, pieces of others' bundles.
    fn of_outbox(
        connection: &Connection,
        enrolment: &Enrolment,
        frame_bytes: usize,
        plan: PushPlan,
        now: Timestamp,
    ) -> Result<Self> {
        let mut unsent = changes::outbox(connection, plan.after, limits::PUSH_FRAME_CHANGES_MAX)?;
        let is_part = unsent.len() == limits::PUSH_FRAME_CHANGES_MAX;
        let mut load = Self::empty(unsent.last().map_or(plan.after, |change| change.place));
        // What a page frame proves would lose its time by going as new before that frame has been heard. Where these frames have had their turn
        // and the phone has heard of no scopes in this epoch, all is looked at anyway: it is revoked.
        let state = enrolment::round_state(connection)?;
        if state.relics_due && (state.scopes_tag != [0; 4] || plan.relics_after == i64::MAX) {
            let waiting = frames::waiting(connection, enrolment.epoch)?;
            unsent.retain(|change| !waiting.contains(&change.document));
        }
        load.has_more = load.cut(connection, enrolment, &unsent, frame_bytes, plan)? || is_part;
        if load.has_more || !load.frames.is_empty() {
            // What the server makes wait may wait for ever; what is held is asked about behind it.
            load.has_more |= !plan.carries && !boxes::to_ask(connection, now)?.is_empty();
            return Ok(load);
        }
        if plan.carries {
            let due = pieces::due(connection, enrolment::request_bytes(frame_bytes), now)?;
            (load.pieces, load.frames) = due.into_iter().unzip();
        } else {
            load.ask(connection, enrolment, frame_bytes, plan, now)?;
        }
        Ok(load)
    }

    /// Asks what became of what was held long ago, by pushing it as it is. Its outcome is told once, and a copy of this phone may have heard it.
    fn ask(
        &mut self,
        connection: &Connection,
        enrolment: &Enrolment,
        frame_bytes: usize,
        plan: PushPlan,
        now: Timestamp,
    ) -> Result<()> {
        let (held, last) = (boxes::to_ask(connection, now)?, self.last);
        let raw = PushPlan {
            form: Form::Raw,
            ..plan
        };
        let is_any_left = self.cut(connection, enrolment, &held, frame_bytes, raw)?;
        // They have no place in the outbox: what of that was sent in this call is not sent again.
        self.last = last;
        self.asks = !self.frames.is_empty();
        self.has_more = self.asks && is_any_left;
        Ok(())
    }

    /// Cuts changes into signed frames, at most one request's worth. Returns whether any are left.
    fn cut(
        &mut self,
        connection: &Connection,
        enrolment: &Enrolment,
        changes: &[Unsent],
        frame_bytes: usize,
        plan: PushPlan,
    ) -> Result<bool> {
        let mut ledgers = Ledgers {
            passes_over: plan.passes_over,
            known: BTreeMap::new(),
        };
        let (mut total, mut size) = (0, frame_bytes);
        let (mut rest, most) = (changes, enrolment::request_bytes(frame_bytes));
        // The rest of a full request is for the next one, not for ever smaller frames.
        let is_full = |total| total + limits::PUSH_FRAME_BYTES_MIN > most;
        while !rest.is_empty() && (self.frames.is_empty() || !is_full(total)) {
            let (now, later) = rest.split_at(fitting(rest, size.min(most - total)));
            let follows = |change: &Unsent| change.state == ChangeState::Following;
            let form = if now.iter().any(follows) {
                Form::Raw
            } else {
                plan.form
            };
            let (frame, list) = push_frame(connection, enrolment, now, form, &mut ledgers)?;
            self.last = now.last().map_or(self.last, |change| change.place);
            if !list.is_empty() {
                total += frame.len();
                self.frames.push(frame);
                self.pushed.push(list);
            }
            rest = later;
            size = (size * 2).min(limits::PUSH_FRAME_BYTES_MAX);
        }
        Ok(!rest.is_empty())
    }
}

/// A document of which something is pushed.
struct Whole {
    ledger: Ledger,
    /// How much of it is placed.
    placed: usize,
    /// Changes that build on what has yet to come back here: they go as they are.
    apart: BTreeMap<ChangeHash, Parsed>,
}

impl Whole {
    fn change(&self, hash: &ChangeHash) -> Option<&Parsed> {
        let place = self.ledger.place(hash);
        let linked = place.and_then(|place| self.ledger.link(place));
        linked
            .map(|link| &link.change)
            .or_else(|| self.apart.get(hash))
    }
}

/// The documents of a request.
struct Ledgers {
    /// What is spoilt is passed over.
    passes_over: bool,
    known: BTreeMap<DocumentId, Whole>,
}

impl Ledgers {
    /// A document of the request; none where it is spoilt and passed over.
    fn whole(&mut self, connection: &Connection, id: DocumentId) -> Result<Option<&Whole>> {
        match self.known.entry(id) {
            Entry::Occupied(known) => Ok(Some(known.into_mut())),
            Entry::Vacant(new) => match whole(connection, id) {
                Err(Error::Spoilt) if self.passes_over => Ok(None),
                Ok((_, is_misnamed)) if is_misnamed && !self.passes_over => Err(Error::Spoilt),
                whole => Ok(Some(new.insert(whole?.0))),
            },
        }
    }
}

impl Replica {
    /// Prepares a request: hello, and as much as one request carries of what goes back to a server that has lost it, else of the outbox. The
    /// plan is moved on.
    pub(super) fn prepare(&self, plan: &mut PushPlan) -> Result<Prepared> {
        // Before all that the request is made of.
        let (heard, is_mending) = self.store.read(|connection| {
            let state = enrolment::round_state(connection)?;
            Ok((enrolment::heard(connection)?, state.is_mending))
        })?;
        let relics = if plan.listens || is_mending {
            Some(Load::empty(plan.after))
        } else {
            let returned = self.relics(plan.relics_after)?;
            (!returned.is_empty()).then(|| Load::of_relics(returned, plan.after))
        };
        let free_bytes = self.environment.free_bytes();
        let now = self.environment.now();
        self.store.read(|connection| {
            let enrolment = enrolment::enrolled(connection)?;
            let state = enrolment::round_state(connection)?;
            let load = match relics {
                Some(load) => load,
                None => Load::of_outbox(connection, &enrolment, state.frame_bytes, *plan, now)?,
            };
            let status = Status {
                free_bytes,
                last_error: boxes::is_any_spoilt(connection)?.then(|| wire::SPOILT.to_owned()),
                ..Status::default()
            };
            let hello = Hello {
                protocol: wire::PROTOCOL,
                epoch: enrolment.epoch,
                scopes_tag: state.scopes_tag,
                cursors: feed::cursors(connection)?,
                directory_tag: codec::tag_with(
                    feed::directory_tag(connection)?.unwrap_or_default(),
                    &components::tags(connection)?,
                ),
                with_components: true,
                raw_pages: state.raw_pages,
                outbox_empty: !state.relics_due
                    && load.pushed.is_empty()
                    && changes::outbox_len(connection)? == 0,
                notice: state.notice_last,
                status: status_to_tell(connection, &state, status)?,
                last_n: enrolment::last_n(connection)?,
            };
            (plan.after, plan.listens) = (load.last, false);
            plan.relics_after = load.relics.last().copied().unwrap_or(plan.relics_after);
            Ok(Prepared {
                hello,
                frames: load.frames,
                pushed: load.pushed,
                relics: load.relics,
                pieces: load.pieces,
                has_more: load.has_more,
                mends: is_mending,
                asks: load.asks,
                enrolment,
                heard,
                frame_bytes: state.frame_bytes,
            })
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
    let mut kept_back = boxes::kept_back(connection)?;
    // Holes are looked for from below: what is above has not been explained yet.
    kept_back.drain(..kept_back.len().saturating_sub(limits::KEPT_BACK_MAX));
    status.kept_back = (!kept_back.is_empty()).then_some(kept_back);
    status.last_error = status.last_error.or_else(|| state.last_error.clone());
    Ok(status)
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
    ledgers: &mut Ledgers,
) -> Result<(Vec<u8>, Pushed)> {
    let mut list = Pushed::new();
    let mut n: Option<(u64, u64)> = None;
    for change in changes {
        let Some(whole) = ledgers.whole(connection, change.document)? else {
            continue;
        };
        let Some(sound) = whole.change(&change.hash) else {
            // It lies in the box, and was spoilt there.
            continue;
        };
        if let Some((_, entry)) = entry_of(sound) {
            let (first, last) = n.unwrap_or((entry.n, entry.n));
            n = Some((first.min(entry.n), last.max(entry.n)));
        }
        list.push((change.document, change.hash));
    }
    let n = n.unwrap_or_default();
    let is_apart = |(document, hash): &(DocumentId, ChangeHash)| {
        let whole = ledgers.known.get(document);
        whole.is_some_and(|whole| whole.apart.contains_key(hash))
    };
    let form = if list.iter().any(is_apart) {
        Form::Raw
    } else {
        form
    };
    let mut items = Writer::default();
    let mut stripper = Stripper::new(Way::Up {
        signer: enrolment.device,
        person: enrolment.person,
        first_n: n.0,
    });
    for (document, hash) in &list {
        let Some(whole) = ledgers.known.get(document) else {
            continue;
        };
        let place = whole.ledger.place(hash);
        match (form, place) {
            (Form::Stripped, Some(place)) => {
                stripper.change(&mut items, &whole.ledger, place, whole.placed, None);
            }
            _ => {
                if let Some(change) = whole.change(hash) {
                    wire::write_raw(&mut items, *document, &change.bytes);
                }
            }
        }
    }
    let frame = signed_frame(enrolment, n, &list, form, &items.finish());
    Ok((frame, list))
}

/// A push frame of these changes, signed by this phone.
pub(super) fn signed_frame(
    enrolment: &Enrolment,
    n: (u64, u64),
    list: &Pushed,
    form: Form,
    items: &[u8],
) -> Vec<u8> {
    let batch = Batch {
        server: enrolment.server,
        device: enrolment.device,
        n,
        leaves: list
            .iter()
            .map(|(document, hash)| leaf(*document, *hash))
            .collect(),
    };
    let head = PushHead {
        signer: enrolment.device,
        n,
        signature: batch.sign(&enrolment.seed),
        form,
    };
    head.encode(list.len(), items)
}

/// A document for pushing: placed changes first, then all local ones, those that follow held ones too. And whether something of it lies in
/// the box under a hash that is not its own: that is left out.
fn whole(connection: &Connection, id: DocumentId) -> Result<(Whole, bool)> {
    let Some(state) = documents::state(connection, id)? else {
        return Err(Error::Disagreement("outbox"));
    };
    let rows = changes::of_document(connection, state.number)?;
    let mut all: Vec<Parsed> = rows.iter().map(mend::sound).collect::<Result<_>>()?;
    // Held changes have no place among the others. One that cannot be read stays where it is.
    let held = boxes::of_document(connection, id)?;
    let read = |boxed: &BoxedChange| Some((boxed.hash, parse::parse_admitted(&boxed.body).ok()?));
    let (named, misnamed): (Vec<_>, Vec<_>) = held
        .iter()
        .filter_map(read)
        .partition(|(hash, change)| change.hash == *hash);
    all.extend(named.into_iter().map(|(_, change)| change));
    let mut ledger = Ledger::new(id);
    let apart = ledger.grow(all).into_iter();
    let is_placed = |row: &&ChangeRow| row.state == ChangeState::Placed;
    let whole = Whole {
        ledger,
        placed: rows.iter().filter(is_placed).count(),
        apart: apart.map(|change| (change.hash, change)).collect(),
    };
    Ok((whole, !misnamed.is_empty()))
}
