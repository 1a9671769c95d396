//! What becomes of local work when one change of it is refused, held, or was made twice: set aside what rests on it,
//! make the rest again (`protocol.md`, *Re-making*).
//!
//! Always within one transaction. Entry bytes stay the same, so ids, `on` and `n` stay true; nothing is ever lost.

mod locals;
mod standing;

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Transaction;

use self::locals::{
    Local, built_on, in_causal_order, instead, local, make_again, resting_on, standing_beside,
    unpack, without,
};
pub(super) use self::standing::forget_what_stands;
use super::load;
use crate::doc::ledger::Ledger;
use crate::doc::parse::Parsed;
use crate::domain::id::{Actor, ChangeHash, DeviceId, DocumentId};
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::error::Result;
use crate::store::boxes::{self, BoxState, BoxedChange};
use crate::store::changes::{self, ChangeState};
use crate::store::{documents, enrolment};
use crate::sync::wire;

/// Why local changes of a document are taken up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Blow {
    /// These will never be admitted, for these reasons.
    Refused(BTreeMap<ChangeHash, Refusal>),
    /// The copy is to blame, not the deed: these are made again themselves.
    Forked(BTreeSet<ChangeHash>),
    /// These are not here any more, because they were spoilt: what builds on them goes on without them.
    Lost(BTreeSet<ChangeHash>),
}

impl Blow {
    fn strikes(&self, hash: &ChangeHash) -> bool {
        match self {
            Self::Refused(refused) => refused.contains_key(hash),
            Self::Forked(hashes) | Self::Lost(hashes) => hashes.contains(hash),
        }
    }

    fn refused(&self) -> Option<&BTreeMap<ChangeHash, Refusal>> {
        match self {
            Self::Refused(refused) => Some(refused),
            Self::Forked(_) | Self::Lost(_) => None,
        }
    }

    fn struck(&self) -> BTreeSet<ChangeHash> {
        match self {
            Self::Refused(refused) => refused.keys().copied().collect(),
            Self::Forked(hashes) | Self::Lost(hashes) => hashes.clone(),
        }
    }

    /// What is said of one that is struck and cannot be read here.
    fn code(&self, hash: &ChangeHash) -> &'static str {
        let refusal = self.refused().and_then(|refused| refused.get(hash));
        refusal.map_or(wire::SPOILT, |refusal| refusal.code())
    }
}

/// Sets aside changes that are held for review. What builds on them is pushed as it is, but is not part of the document for
/// now; later work goes on without them under a new actor.
pub(super) fn hold(
    transaction: &Transaction<'_>,
    id: DocumentId,
    held: &BTreeSet<ChangeHash>,
    suffix: [u8; 8],
    now: Timestamp,
) -> Result<()> {
    let Some(loaded) = load::load(transaction, id)? else {
        return Ok(());
    };
    let own = enrolment::enrolled(transaction)?.device;
    let mut aside = held.clone();
    for row in &loaded.rows {
        if row.state == ChangeState::Following || row.state == ChangeState::Placed {
            continue;
        }
        let local = local(id, unpack(&row.body)?, own);
        if held.contains(&row.hash) {
            boxes::put(
                transaction,
                &boxed(id, &local, BoxState::Held, "review", now),
            )?;
            changes::remove(transaction, loaded.state.number, row.hash)?;
        } else if local.change.deps.iter().any(|dep| aside.contains(dep)) {
            aside.insert(row.hash);
            if local.is_foreign {
                quarantine(transaction, id, &local, now)?;
                changes::remove(transaction, loaded.state.number, row.hash)?;
                continue;
            }
            changes::set_state(
                transaction,
                loaded.state.number,
                row.hash,
                ChangeState::Following,
            )?;
        }
    }
    for row in loaded
        .rows
        .iter()
        .filter(|row| row.state == ChangeState::Following && held.contains(&row.hash))
    {
        let local = local(id, unpack(&row.body)?, own);
        boxes::put(
            transaction,
            &boxed(id, &local, BoxState::Held, "review", now),
        )?;
        changes::remove(transaction, loaded.state.number, row.hash)?;
    }
    take_new_actor(transaction, id, suffix)?;
    load::refresh(transaction, id)
}

/// The server has this change. One that follows a held change cannot stand in the document before that one has come: it
/// waits in the box, released.
pub(super) fn acknowledge(
    transaction: &Transaction<'_>,
    id: DocumentId,
    hash: ChangeHash,
    now: Timestamp,
) -> Result<()> {
    let Some(state) = documents::state(transaction, id)? else {
        return Ok(());
    };
    let Some(body) = changes::following(transaction, state.number, hash)? else {
        return changes::set_state(transaction, state.number, hash, ChangeState::Acknowledged);
    };
    let own = enrolment::enrolled(transaction)?.device;
    let local = local(id, unpack(&body)?, own);
    boxes::put(
        transaction,
        &boxed(id, &local, BoxState::Released, "released", now),
    )?;
    changes::remove(transaction, state.number, hash)
}

/// Takes up what a blow leaves of a document's local changes.
pub(super) fn take_up(
    transaction: &Transaction<'_>,
    id: DocumentId,
    blow: &Blow,
    suffix: [u8; 8],
    now: Timestamp,
) -> Result<()> {
    let Some(loaded) = load::load(transaction, id)? else {
        return Ok(());
    };
    let own = enrolment::enrolled(transaction)?.device;
    let mut locals: Vec<Local> = Vec::new();
    for row in loaded
        .rows
        .iter()
        .filter(|row| row.state != ChangeState::Placed)
    {
        locals.push(local(id, unpack(&row.body)?, own));
    }
    let locals = with_held(transaction, id, blow, own, locals)?;
    let none = BTreeMap::new();
    let refused = blow.refused().unwrap_or(&none);
    let standing = standing_beside(&loaded.ledger, &locals);
    let quarantined = resting_on(&locals, refused, &standing);
    let affected = built_on(&locals, blow, &quarantined);
    let is_met = |local: &Local| affected.contains(&local.change.hash);
    if !locals.iter().any(is_met) {
        return load::refresh(transaction, id);
    }

    let number = loaded.state.number;
    let mut kept = without(&loaded.ledger, &affected);
    let mut beside = stand_beside(transaction, id, &mut kept, &locals, &affected)?;
    let mut moved: BTreeMap<ChangeHash, Vec<ChangeHash>> = BTreeMap::new();
    let actor = take_new_actor(transaction, id, suffix)?;
    let mut has_followers = false;
    for local in in_causal_order(locals, &affected) {
        let hash = local.change.hash;
        changes::remove(transaction, number, hash)?;
        let code = refused
            .get(&hash)
            .copied()
            .or_else(|| quarantined.contains(&hash).then_some(Refusal::Quarantined));
        // Without its first change a document cannot be gone on with: everything goes into the box.
        let is_lost = kept.is_empty() && !blow.strikes(&hash);
        let is_aside = is_lost || local.is_foreign;
        let code = code.or(is_aside.then_some(Refusal::Quarantined));
        if let Some(code) = code {
            boxes::put(
                transaction,
                &boxed(id, &local, BoxState::Refused, code.code(), now),
            )?;
            moved.insert(hash, instead(&kept, &local, &moved));
            continue;
        }
        boxes::remove(transaction, hash)?;
        let successor = make_again(&mut kept, actor, &local, &moved, &beside)?;
        if let Some(change) = successor.1 {
            changes::put_local(transaction, number, change.hash, &change.bytes)?;
            if change.deps.iter().any(|dep| beside.contains(dep)) {
                changes::set_state(transaction, number, change.hash, ChangeState::Following)?;
                beside.insert(change.hash);
                has_followers = true;
            }
        }
        moved.insert(hash, vec![successor.0]);
    }
    if has_followers {
        // The document does not show what stands beside it: later work must not count on in the same chain.
        take_new_actor(transaction, id, next_suffix(suffix))?;
    }
    load::refresh(transaction, id)
}

/// Puts beside the document what is not part of it and stays as it is: changes that are held, released and not yet come, or follow
/// one of these. What is made again may build on them, and follows them then. Returns which they are.
fn stand_beside(
    transaction: &Transaction<'_>,
    id: DocumentId,
    kept: &mut Ledger,
    locals: &[Local],
    affected: &BTreeSet<ChangeHash>,
) -> Result<BTreeSet<ChangeHash>> {
    let mut waiting: Vec<Parsed> = locals.iter().map(|local| local.change.clone()).collect();
    for boxed in boxes::of_document(transaction, id)? {
        if boxed.state != BoxState::Refused {
            // One that is spoilt in this file stays as it is, and nothing builds on it any more.
            waiting.extend(unpack(&boxed.body));
        }
    }
    waiting.retain(|change| !affected.contains(&change.hash));
    let mut beside = BTreeSet::new();
    while let Some(ready) = waiting
        .iter()
        .position(|change| kept.places_of(&change.deps).is_ok())
    {
        let change = waiting.remove(ready);
        if kept.place(&change.hash).is_none() {
            beside.insert(change.hash);
            drop(kept.push(change));
        }
    }
    Ok(beside)
}

/// Local changes, and with them those in the held box that are struck or build on what is: they are not held any more.
fn with_held(
    transaction: &Transaction<'_>,
    id: DocumentId,
    blow: &Blow,
    own: DeviceId,
    mut locals: Vec<Local>,
) -> Result<Vec<Local>> {
    let held = boxes::of_document(transaction, id)?.into_iter();
    let held: Vec<_> = held
        .filter(|change| change.state == BoxState::Held)
        .collect();
    for boxed in &held {
        match unpack(&boxed.body) {
            Ok(change) => locals.push(local(id, change, own)),
            // One that is spoilt in this file stays in the box: nothing can be made of it. It keeps nothing else.
            Err(_) if blow.strikes(&boxed.hash) => {
                boxes::refuse(transaction, boxed.hash, blow.code(&boxed.hash))?;
            }
            Err(_) => {}
        }
    }
    let reached = built_on(&locals, blow, &BTreeSet::new());
    let held: BTreeSet<ChangeHash> = held.iter().map(|change| change.hash).collect();
    let stays = |hash: &ChangeHash| held.contains(hash) && !reached.contains(hash);
    locals.retain(|local| !stays(&local.change.hash));
    Ok(locals)
}

/// Keeps another's change in the box that cannot stand in the document any more.
fn quarantine(
    transaction: &Transaction<'_>,
    id: DocumentId,
    local: &Local,
    now: Timestamp,
) -> Result<()> {
    let code = Refusal::Quarantined.code();
    boxes::put(transaction, &boxed(id, local, BoxState::Refused, code, now))
}

fn boxed(
    document: DocumentId,
    local: &Local,
    state: BoxState,
    code: &str,
    now: Timestamp,
) -> BoxedChange {
    BoxedChange {
        id: 0,
        document,
        hash: local.change.hash,
        entry: local.entry.as_ref().map(|(id, _, _)| *id),
        // Of another's counter this phone has nothing to say.
        n: local
            .entry
            .as_ref()
            .filter(|_| !local.is_foreign)
            .map(|(_, n, _)| *n),
        state,
        code: code.to_owned(),
        body: local.change.bytes.clone(),
        boxed_at: now,
    }
}

/// Another suffix, for a second actor of the same occasion.
pub(super) fn next_suffix(suffix: [u8; 8]) -> [u8; 8] {
    u64::from_be_bytes(suffix).wrapping_add(1).to_be_bytes()
}

pub(super) fn take_new_actor(
    transaction: &Transaction<'_>,
    id: DocumentId,
    suffix: [u8; 8],
) -> Result<Actor> {
    let device = enrolment::enrolled(transaction)?.device;
    let actor = Actor::new(device, suffix);
    documents::set_actor(transaction, id, actor)?;
    Ok(actor)
}
