//! After a restore: which page frames go back to the server, and what its answers mean (`protocol.md`, *Healing*).
//!
//! It moves no change: what a relic has brought comes back with pages, like everything else.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use rusqlite::{Connection, Transaction};

use super::Replica;
use super::push::Pushed;
use super::remake::{self, Blow};
use crate::doc::parse::parse_admitted;
use crate::domain::id::{ChangeHash, DeviceId, DocumentId};
use crate::domain::limits;
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::error::{Error, Result};
use crate::store::changes::{self, ChangeState};
use crate::store::frames::{self, Answer, Frame};
use crate::store::{boxes, documents, enrolment};
use crate::sync::wire::{Fate, Relic, Unread};

/// A frame that goes back.
#[derive(Debug)]
pub(super) struct Returned {
    /// Its row.
    pub(super) id: i64,
    pub(super) payload: Vec<u8>,
    /// The changes that go with it.
    pub(super) pushed: Pushed,
}

/// Whether a phone pushes back what its server has lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Heals {
    /// There is nothing.
    Nothing,
    /// Before all else.
    First,
    /// When it can keep what it hears: until then it hands in what the server never had.
    Later,
}

impl Replica {
    /// Frames to push back, those behind a row, as many as one request carries. Those of which nothing is missed are forgotten.
    pub(super) fn relics(&self, after: i64) -> Result<Vec<Returned>> {
        // A round as usual writes nothing for this.
        if after == i64::MAX || !self.store.read(enrolment::round_state)?.relics_due {
            return Ok(Vec::new());
        }
        let now = self.environment.now();
        self.store
            .write(|transaction| next(transaction, now, after))
    }

    /// How a call begins: where there are frames to go back, or one that had to wait is due, it listens first, to learn what the server has.
    pub(super) fn heals(&self) -> Result<Heals> {
        let now = self.environment.now();
        let (is_due, has_waited) = self.store.read(|connection| {
            let state = enrolment::round_state(connection)?;
            Ok((state.relics_due, frames::has_waited(connection, now)?))
        })?;
        if !is_due && !has_waited {
            return Ok(Heals::Nothing);
        }
        // Noted also where it is known, to see whether this phone can keep anything of what it would hear.
        let noted = self.store.write(|transaction| {
            let mut state = enrolment::round_state(transaction)?;
            state.relics_due = true;
            enrolment::put_round_state(transaction, &state)
        });
        match noted {
            Err(Error::Full | Error::Unwritable) => Ok(Heals::Later),
            noted => noted.map(|()| Heals::First),
        }
    }

    /// What became of a relic.
    pub(super) fn apply_relic(
        &self,
        heard: &mut u64,
        id: i64,
        pushed: &Pushed,
        outcome: &std::result::Result<Vec<Fate>, Unread>,
    ) -> Result<()> {
        let now = self.environment.now();
        self.hear(heard, |transaction| {
            let fates = match outcome {
                Ok(fates) => fates,
                // Asked again after the next round at the earliest.
                Err(Unread::Epoch) => return Ok(()),
                Err(Unread::TooMuch) => return Err(Error::SignedOut),
                // An older server: a newer one will come.
                Err(Unread::Newer) => return frames::put_off(transaction, id, now),
                Err(_) => return frames::answer(transaction, id, Answer::Unread),
            };
            let own = enrolment::enrolled(transaction)?.device;
            let mut refused: BTreeMap<DocumentId, BTreeMap<ChangeHash, Refusal>> = BTreeMap::new();
            for ((document, hash), fate) in pushed.iter().zip(fates) {
                match fate {
                    Fate::Ok | Fate::Dup => {
                        remake::acknowledge(transaction, *document, *hash, now)?;
                        boxes::release(transaction, *hash)?;
                    }
                    // Own work is judged when it is pushed.
                    Fate::Refused(refusal) if !is_by(transaction, *document, *hash, own)? => {
                        let of_document = refused.entry(*document).or_default();
                        of_document.insert(*hash, *refusal);
                    }
                    _ => {}
                }
            }
            for (document, refused) in refused {
                let suffix = self.random();
                remake::take_up(transaction, document, &Blow::Refused(refused), suffix, now)?;
            }
            let mut answer = Some(Answer::There);
            for ((document, hash), fate) in pushed.iter().zip(fates) {
                let is_refused = match fate {
                    Fate::Refused(_) => true,
                    // What it builds on was refused, and it lies in the box with that.
                    Fate::Missing(_) => changes::body(transaction, *document, *hash)?.is_none(),
                    _ => false,
                };
                if is_refused {
                    answer = answer.map(|_| Answer::Refused);
                } else if matches!(fate, Fate::Missing(_) | Fate::Later(_)) {
                    answer = None;
                }
            }
            match answer {
                Some(answer) => frames::answer(transaction, id, answer),
                None => frames::put_off(transaction, id, now),
            }
        })
    }
}

/// Whether a change that is here, perhaps in a box, was made by that device.
fn is_by(
    connection: &Connection,
    document: DocumentId,
    hash: ChangeHash,
    device: DeviceId,
) -> Result<bool> {
    let mut body = changes::body(connection, document, hash)?;
    if body.is_none() {
        let mut boxed = boxes::of_document(connection, document)?.into_iter();
        body = boxed
            .find(|boxed| boxed.hash == hash)
            .map(|boxed| boxed.body);
    }
    let change = body.and_then(|body| parse_admitted(&body).ok());
    Ok(change.is_some_and(|change| change.actor.device() == device))
}

/// Whether healing goes on after a whole round.
pub(super) fn are_due(connection: &Connection, now: Timestamp) -> Result<bool> {
    let epoch = enrolment::enrolled(connection)?.epoch;
    Ok(frames::next_relic(connection, epoch, now, 0)?.is_some())
}

/// A whole round has told, in frames of this epoch, what of the answered frames is this phone's business: those of which nothing is left are
/// forgotten.
pub(super) fn forget_told(transaction: &Transaction<'_>) -> Result<()> {
    let (mut known, mut last) = (BTreeMap::new(), 0);
    while let Some(frame) = frames::next_answered(transaction, last)? {
        last = frame.id;
        if missed(transaction, &frame, &mut known)?.is_empty() {
            frames::forget(transaction, frame.id)?;
        }
    }
    Ok(())
}

fn next(transaction: &Transaction<'_>, now: Timestamp, after: i64) -> Result<Vec<Returned>> {
    let epoch = enrolment::enrolled(transaction)?.epoch;
    let (mut returned, mut total, mut last) = (Vec::new(), 0, after);
    let mut known = BTreeMap::new();
    let bytes = enrolment::request_bytes(enrolment::round_state(transaction)?.frame_bytes);
    while total < bytes && returned.len() < limits::REQUEST_RELICS_MAX {
        let Some(frame) = frames::next_relic(transaction, epoch, now, last)? else {
            break;
        };
        last = frame.id;
        let bodies = missed(transaction, &frame, &mut known)?;
        if bodies.is_empty() {
            frames::forget(transaction, frame.id)?;
            continue;
        }
        let relic = returned_of(frame, bodies);
        total += relic.payload.len();
        returned.push(relic);
    }
    Ok(returned)
}

/// The changes of a document that no page of this epoch has placed, those in the box too: this server may let in what the last one refused.
type Rows = BTreeMap<ChangeHash, Vec<u8>>;

type Bodies = Vec<(usize, (DocumentId, ChangeHash), Vec<u8>)>;

/// The changes of a frame that are here and that no page of this epoch has placed.
fn missed(
    connection: &Connection,
    frame: &Frame,
    known: &mut BTreeMap<DocumentId, Rows>,
) -> Result<Bodies> {
    let mut bodies = Bodies::new();
    for (place, (document, hash, _)) in frame.list.rows().enumerate() {
        let rows = match known.entry(document) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(rows(connection, document)?),
        };
        bodies.extend(
            rows.get(&hash)
                .map(|body| (place, (document, hash), body.clone())),
        );
    }
    Ok(bodies)
}

fn rows(connection: &Connection, id: DocumentId) -> Result<Rows> {
    let boxed = boxes::of_document(connection, id)?.into_iter();
    let mut rows: Rows = boxed.map(|boxed| (boxed.hash, boxed.body)).collect();
    if let Some(state) = documents::state(connection, id)? {
        let here = changes::of_document(connection, state.number)?.into_iter();
        let unplaced = here.filter(|row| row.state != ChangeState::Placed);
        rows.extend(unplaced.map(|row| (row.hash, row.body)));
    }
    Ok(rows)
}

fn returned_of(frame: Frame, bodies: Bodies) -> Returned {
    let pushed = bodies.iter().map(|(_, change, _)| *change).collect();
    let relic = Relic {
        epoch: frame.epoch,
        tag: frame.tag,
        list: frame.list,
        bodies: bodies
            .into_iter()
            .map(|(place, _, body)| (place, body))
            .collect(),
    };
    Returned {
        id: frame.id,
        payload: relic.encode(),
        pushed,
    }
}
