//! Changes held for review, settled by a person: released as they stand, or refused with a reason. Who and why are kept.
//!
//! Nothing is decided here about rights beyond who may settle.

use std::collections::{BTreeMap, BTreeSet};

use patrol_core::doc::admit::{Admitted, Objection, RightCheck, Signer};
use patrol_core::doc::parse::{self, Parsed};
use patrol_core::domain::action::Where;
use patrol_core::domain::capability::{Capability, Holding};
use patrol_core::domain::id::{ChangeHash, DeviceId, DocumentId, PersonId};
use patrol_core::domain::limits;
use patrol_core::domain::refusal::Refusal;
use patrol_core::sync::wire::Notice;

use crate::app::App;
use crate::grow::Growing;
use crate::office::{Rejection, Result};
use crate::store::{BoxedAs, BoxedChange, Commit, FateRow, Settled, Snapshot, StoreError};

/// How a review ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decision {
    /// It is admitted as it stands. With it go those that follow it and were looked at too, or need nobody's look; the others stay held.
    Release,
    /// It is refused; those that follow it are made again by their phone.
    Refuse,
}

/// Whether a person may settle reviews.
pub fn may_settle(app: &App, person: PersonId) -> bool {
    let now = app.environment.now();
    let known = app.known();
    known.holdings.iter().any(|holding| {
        holding.person == person
            && holding.right.capability == Capability::Review
            && holding.is_held_at(now)
    })
}

/// Changes that are held, numbered in the order in which they came: those after a number.
pub fn held(app: &App, after: u64, limit: usize) -> Result<Vec<(u64, BoxedChange)>> {
    let mut held = Vec::new();
    app.store.read(&mut |snapshot| {
        held = snapshot.held(after, limit)?;
        Ok(())
    })?;
    Ok(held)
}

/// Settles a held change of a document, the first of those that were looked at, with those that follow it. For what it was refused, also where
/// it was to be released and can never come in.
pub fn settle(
    app: &App,
    person: PersonId,
    id: DocumentId,
    looked_at: &[ChangeHash],
    decision: Decision,
    words: &str,
) -> Result<Option<Refusal>> {
    if !may_settle(app, person) {
        return Err(Refusal::NotPermitted.into());
    }
    for _ in 0..limits::COMMIT_TRIES {
        let mut prepared = Err(Rejection::NotFound);
        app.store.read(&mut |snapshot| {
            prepared = prepare(app, snapshot, person, id, looked_at, decision, words);
            Ok(())
        })?;
        let (commit, refused) = prepared?;
        match app.store.commit(&commit) {
            Err(StoreError::Stale) => {}
            result => return Ok(result.map(|_| refused)?),
        }
    }
    Err(Rejection::Store(StoreError::Stale))
}

fn prepare(
    app: &App,
    snapshot: &dyn Snapshot,
    person: PersonId,
    id: DocumentId,
    looked_at: &[ChangeHash],
    decision: Decision,
    words: &str,
) -> Result<(Commit, Option<Refusal>)> {
    let held = snapshot.held_of(id)?;
    let first = looked_at.first().copied().ok_or(Rejection::NotFound)?;
    if !held.iter().any(|change| change.hash == first) {
        return Err(Rejection::NotFound);
    }
    let settled = Settled {
        person,
        at: app.environment.now(),
        words: words.to_owned(),
        released: decision == Decision::Release,
    };
    let chain = following(&held, first);
    let (mut commit, refused) = match decision {
        Decision::Release => release(app, snapshot, id, &chain, looked_at, &settled)?,
        Decision::Refuse => (refuse(&chain, &settled), Some(Refusal::ReviewedAway)),
    };
    // What comes meanwhile and follows one of these would be held behind what nobody can settle any more.
    let seen = held.iter().map(|change| (change.device, change.hash));
    commit.seen_held = Some((id, seen.collect()));
    Ok((commit, refused))
}

/// A held change and the held ones that build on it, each after those that it builds on. Which came first says nothing: one that was refused
/// and is held after all keeps its place in the box. One that cannot be read any more can still be refused.
fn following(held: &[BoxedChange], first: ChangeHash) -> Vec<&BoxedChange> {
    let mut rows = BTreeMap::new();
    let mut builders: BTreeMap<ChangeHash, Vec<ChangeHash>> = BTreeMap::new();
    for boxed in held {
        let change = parse::parse_admitted(&boxed.body);
        for dep in change.iter().flat_map(|change| &change.deps) {
            builders.entry(*dep).or_default().push(boxed.hash);
        }
        rows.insert(boxed.hash, boxed);
    }
    // The last ones first: each is taken when all that builds on it has been.
    let (mut chain, mut seen) = (Vec::new(), BTreeSet::new());
    let mut open = vec![(first, false)];
    while let Some((hash, is_last)) = open.pop() {
        if is_last {
            chain.extend(rows.remove(&hash));
        } else if seen.insert(hash) {
            open.push((hash, true));
            let builders = builders.get(&hash).into_iter().flatten();
            open.extend(builders.map(|builder| (*builder, false)));
        }
    }
    chain.reverse();
    chain
}

fn unreadable(refusal: Refusal) -> Rejection {
    Rejection::Store(StoreError::Broken(format!(
        "a held change cannot be read: {refusal}"
    )))
}

fn release(
    app: &App,
    snapshot: &dyn Snapshot,
    id: DocumentId,
    chain: &[&BoxedChange],
    looked_at: &[ChangeHash],
    settled: &Settled,
) -> Result<(Commit, Option<Refusal>)> {
    let known = app.known();
    let mut release = Release {
        growing: Growing::load(snapshot, id)?,
        commit: Commit::default(),
        unfit: BTreeSet::new(),
        refused: None,
        settled,
        holdings: &known.holdings,
    };
    let read = |boxed: &&BoxedChange| parse::parse_admitted(&boxed.body).map_err(unreadable);
    let changes = chain.iter().map(read).collect::<Result<Vec<Parsed>>>()?;
    let followed: BTreeSet<ChangeHash> = changes
        .iter()
        .flat_map(|change| change.deps.iter().copied())
        .collect();
    for (place, (boxed, change)) in chain.iter().zip(&changes).enumerate() {
        let look = Look {
            is_first: place == 0,
            has_looked: looked_at.contains(&boxed.hash),
            is_revoked: is_revoked(snapshot, boxed.device)?,
            is_followed: followed.contains(&boxed.hash),
        };
        release.one(boxed, change, look)?;
    }
    let Release {
        mut growing,
        mut commit,
        refused,
        ..
    } = release;
    // Where all of it stands already, nothing happens to the case: one that has left its feeds stays out of them.
    if growing.has_grown() {
        let reading = growing.add_own(app, settled.at);
        growing.verify(app).map_err(|_| Refusal::Poison)?;
        commit.documents.push(growing.into_commit(&reading));
    }
    Ok((commit, refused))
}

/// How a change comes to be released.
#[derive(Clone, Copy)]
struct Look {
    /// It is the one that is settled; that one was looked at.
    is_first: bool,
    /// A person has looked at it.
    has_looked: bool,
    /// Whatever comes from its device is looked at by a person.
    is_revoked: bool,
    /// Something held builds on it.
    is_followed: bool,
}

/// Whether whatever comes from that device is looked at by a person.
fn is_revoked(snapshot: &dyn Snapshot, device: DeviceId) -> Result<bool> {
    let device = snapshot.device(device)?;
    Ok(device.is_none_or(|device| device.revoked_at.is_some()))
}

/// A review that releases.
struct Release<'a> {
    growing: Growing,
    commit: Commit,
    /// Of the chain, what was refused.
    unfit: BTreeSet<ChangeHash>,
    /// Why the one that is settled was refused all the same.
    refused: Option<Refusal>,
    settled: &'a Settled,
    holdings: &'a [Holding],
}

impl Release<'_> {
    fn one(&mut self, boxed: &BoxedChange, change: &Parsed, look: Look) -> Result<()> {
        // A copy of its phone has made it again, and that was let in: the deed stands. It is let in once more only for what builds on it.
        let stands = self.growing.has_deed_of(change)
            && self.growing.ledger.places_of(&change.deps).is_ok()
            && !look.is_followed;
        let before = self.growing.len();
        let judged = if stands && look.has_looked {
            Ok(None)
        } else if change.deps.iter().any(|dep| self.unfit.contains(dep)) {
            Err(Refusal::Quarantined.into())
        } else {
            self.add(boxed, change, look)
        };
        if stands {
            self.growing.truncate(before);
        }
        match judged {
            Ok(admitted) => {
                if let Some(admitted) = admitted {
                    self.commit.fates.push(FateRow {
                        device: boxed.device,
                        n: admitted.entry.n,
                        entry: admitted.id,
                        fate: "ok".to_owned(),
                    });
                }
                settle_one(&mut self.commit, boxed, self.settled);
            }
            // Also the one that is settled: what can never come in is not held for ever. Where its place was taken, its phone makes it again.
            Err(Objection::Refused(refusal)) if !stands => {
                self.unfit.insert(boxed.hash);
                self.refused = self.refused.or(look.is_first.then_some(refusal));
                refuse_one(&mut self.commit, boxed, refusal, self.settled);
            }
            Err(_) if look.is_first => return Err(Refusal::HeldDocument.into()),
            // What only a newer server can judge stays held, what nobody has looked at, and what misses those.
            Err(_) => {}
        }
        Ok(())
    }

    /// Adds a change. What follows the one that is settled is judged by its own right: it comes with it only as far as its author held that at
    /// some time, and what a person has to look at only if he has.
    fn add(
        &mut self,
        boxed: &BoxedChange,
        change: &Parsed,
        look: Look,
    ) -> std::result::Result<Option<Admitted>, Objection> {
        let signer = |right| Signer {
            device: boxed.device,
            person: boxed.person,
            place: Where::Anywhere,
            right,
            holdings: self.holdings,
            now: self.settled.at,
        };
        let (before, at) = (self.growing.len(), self.settled.at);
        let right = if look.is_first {
            RightCheck::Waive
        } else {
            RightCheck::Judge
        };
        match self.growing.add(change, &signer(right), at) {
            Ok(_) if look.is_revoked && !look.has_looked => {
                self.growing.truncate(before);
                Err(Objection::Review)
            }
            Err(Objection::Review) if look.has_looked => {
                self.growing.add(change, &signer(RightCheck::Waive), at)
            }
            judged => judged,
        }
    }
}

/// Notes that a held change is part of the record now, and tells its phone.
fn settle_one(commit: &mut Commit, boxed: &BoxedChange, settled: &Settled) {
    commit.boxed.push(BoxedChange {
        settled: Some(settled.clone()),
        ..boxed.clone()
    });
    commit.notices.push((boxed.device, outcome(boxed, None)));
}

fn refuse(chain: &[&BoxedChange], settled: &Settled) -> Commit {
    let mut commit = Commit::default();
    for (place, boxed) in chain.iter().enumerate() {
        // Only the first is judged; the phone hears of it and makes again what does not rest on it.
        let refusal = if place == 0 {
            Refusal::ReviewedAway
        } else {
            Refusal::Quarantined
        };
        refuse_one(&mut commit, boxed, refusal, settled);
    }
    commit
}

/// Refuses a held change. Its phone is told, unless that follows from what it is told of another.
fn refuse_one(commit: &mut Commit, boxed: &BoxedChange, refusal: Refusal, settled: &Settled) {
    if matches!(refusal, Refusal::Quarantined | Refusal::Forked) {
        // Its phone makes it again: one that is revoked and has handed in everything has something to hand in again.
        commit.reopened.push(boxed.device);
    }
    commit.boxed.push(BoxedChange {
        state: BoxedAs::Refused(refusal.number()),
        // Also what followed one that was released.
        settled: Some(Settled {
            released: false,
            ..settled.clone()
        }),
        ..boxed.clone()
    });
    if refusal != Refusal::Quarantined {
        let told = outcome(boxed, Some(refusal));
        commit.notices.push((boxed.device, told));
    }
}

fn outcome(boxed: &BoxedChange, refusal: Option<Refusal>) -> Notice {
    Notice::Outcome {
        document: boxed.document,
        change: boxed.hash,
        refusal,
    }
}
