//! What becomes of local work when one change of it is refused, held, or was made twice: set aside what rests on it,
//! make the rest again (`protocol.md`, *Re-making*).
//!
//! Always within one transaction. Entry bytes stay the same, so ids, `on` and `n` stay true; nothing is ever lost.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Transaction;

use super::load;
use crate::doc::compose::{Content, compose};
use crate::doc::ledger::Ledger;
use crate::doc::parse::{Parsed, parse_admitted};
use crate::domain::id::{Actor, ChangeHash, DeviceId, DocumentId, EntryId};
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::error::{Error, Result};
use crate::store::boxes::{self, BoxState, BoxedChange};
use crate::store::changes::{self, ChangeState};
use crate::store::{documents, enrolment};

/// Why local changes of a document are taken up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Blow {
    /// These will never be admitted, for these reasons.
    Refused(BTreeMap<ChangeHash, Refusal>),
    /// The copy is to blame, not the deed: these are made again themselves.
    Forked(BTreeSet<ChangeHash>),
}

impl Blow {
    fn strikes(&self, hash: &ChangeHash) -> bool {
        match self {
            Self::Refused(refused) => refused.contains_key(hash),
            Self::Forked(forked) => forked.contains(hash),
        }
    }
}

/// A change that no page of this epoch has placed.
struct Local {
    change: Parsed,
    entry: Option<(EntryId, u64, Vec<EntryId>)>,
    /// Another's, or the server's: it came from a server that has been lost. Only its author can make it again.
    is_foreign: bool,
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
    let refused = match blow {
        Blow::Refused(refused) => refused,
        Blow::Forked(_) => &none,
    };
    let standing = standing_beside(&loaded.ledger, &locals);
    let quarantined = resting_on(&locals, refused, &standing);
    let affected = built_on(&locals, blow, &quarantined);

    let number = loaded.state.number;
    let mut kept = without(&loaded.ledger, &affected);
    let mut beside = stand_beside(transaction, id, &mut kept, &locals, &affected)?;
    let mut moved: BTreeMap<ChangeHash, Vec<ChangeHash>> = BTreeMap::new();
    let actor = if affected.is_empty() {
        None
    } else {
        Some(take_new_actor(transaction, id, suffix)?)
    };
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
        let code = code.or(is_lost.then_some(Refusal::Quarantined));
        let code = code.or(local.is_foreign.then_some(Refusal::Quarantined));
        if let Some(code) = code {
            boxes::put(
                transaction,
                &boxed(id, &local, BoxState::Refused, code.code(), now),
            )?;
            moved.insert(hash, instead(&kept, &local, &moved));
            continue;
        }
        boxes::remove(transaction, hash)?;
        let successor = make_again(
            &mut kept,
            actor.ok_or(Error::Disagreement("actor"))?,
            &local,
            &moved,
        )?;
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

/// The affected ones, each after those that it builds on: a held change lies in another table than what follows it.
fn in_causal_order(locals: Vec<Local>, affected: &BTreeSet<ChangeHash>) -> Vec<Local> {
    let mut rest = locals;
    rest.retain(|local| affected.contains(&local.change.hash));
    let mut left: BTreeSet<ChangeHash> = rest.iter().map(|local| local.change.hash).collect();
    let mut ordered = Vec::with_capacity(rest.len());
    while let Some(ready) = rest
        .iter()
        .position(|local| !local.change.deps.iter().any(|dep| left.contains(dep)))
    {
        let local = rest.remove(ready);
        left.remove(&local.change.hash);
        ordered.push(local);
    }
    ordered
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
    // One that is spoilt in this file stays where it is: nothing can be made of it, and it keeps nothing else.
    let readable = held.iter().filter_map(|change| unpack(&change.body).ok());
    locals.extend(readable.map(|change| local(id, change, own)));
    let reached = built_on(&locals, blow, &BTreeSet::new());
    let held: BTreeSet<ChangeHash> = held.iter().map(|change| change.hash).collect();
    let stays = |hash: &ChangeHash| held.contains(hash) && !reached.contains(hash);
    locals.retain(|local| !stays(&local.change.hash));
    Ok(locals)
}

fn unpack(body: &[u8]) -> Result<Parsed> {
    parse_admitted(body).map_err(|_| Error::Disagreement("unloadable"))
}

fn local(id: DocumentId, change: Parsed, own: DeviceId) -> Local {
    let entry = Content::of(&change).and_then(|content| {
        let entry_id = content.entry_id(id)?;
        let Content::Person { entry, .. } = content else {
            return None;
        };
        let entry = crate::doc::entry::decode(&entry).ok()?;
        Some((entry_id, entry.n, entry.on))
    });
    Local {
        is_foreign: change.actor.device() != own,
        change,
        entry,
    }
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

/// The entries of changes that pages have placed: a copy of this phone may have made one of them.
fn standing_beside(ledger: &Ledger, locals: &[Local]) -> BTreeSet<EntryId> {
    let local: BTreeSet<ChangeHash> = locals.iter().map(|local| local.change.hash).collect();
    let placed = ledger.links().iter();
    let placed = placed.filter(|link| !local.contains(&link.change.hash));
    placed
        .filter_map(|link| Some(link.entry.as_ref()?.0))
        .collect()
}

/// Changes whose entry's `on` names a refused entry that does not stand otherwise, directly or through another.
fn resting_on(
    locals: &[Local],
    refused: &BTreeMap<ChangeHash, Refusal>,
    standing: &BTreeSet<EntryId>,
) -> BTreeSet<ChangeHash> {
    let mut entries: BTreeSet<EntryId> = locals
        .iter()
        .filter(|local| refused.contains_key(&local.change.hash))
        .filter_map(|local| local.entry.as_ref().map(|(id, _, _)| *id))
        .filter(|id| !standing.contains(id))
        .collect();
    let mut resting = BTreeSet::new();
    loop {
        let found = locals.iter().find(|local| {
            let names = local
                .entry
                .as_ref()
                .is_some_and(|(_, _, on)| on.iter().any(|id| entries.contains(id)));
            names
                && !refused.contains_key(&local.change.hash)
                && !resting.contains(&local.change.hash)
        });
        let Some(local) = found else { return resting };
        resting.insert(local.change.hash);
        entries.extend(local.entry.as_ref().map(|(id, _, _)| *id));
    }
}

/// The changes to take up: the roots, and every local change that builds on one of them.
fn built_on(locals: &[Local], blow: &Blow, resting: &BTreeSet<ChangeHash>) -> BTreeSet<ChangeHash> {
    let is_root = |hash: &ChangeHash| blow.strikes(hash) || resting.contains(hash);
    let mut affected: BTreeSet<ChangeHash> = locals
        .iter()
        .map(|local| local.change.hash)
        .filter(is_root)
        .collect();
    loop {
        let builds = |local: &&Local| {
            !affected.contains(&local.change.hash)
                && local.change.deps.iter().any(|dep| affected.contains(dep))
        };
        let Some(found) = locals.iter().find(builds).map(|local| local.change.hash) else {
            return affected;
        };
        affected.insert(found);
    }
}

/// The document without these changes.
fn without(ledger: &Ledger, out: &BTreeSet<ChangeHash>) -> Ledger {
    let mut kept = Ledger::new(ledger.document());
    for link in ledger
        .links()
        .iter()
        .filter(|link| !out.contains(&link.change.hash))
    {
        drop(kept.push(link.change.clone()));
    }
    kept
}

/// Where dependencies lead now: a boxed one to its own dependencies, a re-made one to its successor.
fn follow(deps: &[ChangeHash], moved: &BTreeMap<ChangeHash, Vec<ChangeHash>>) -> Vec<ChangeHash> {
    let mut followed: Vec<ChangeHash> = deps
        .iter()
        .flat_map(|dep| moved.get(dep).cloned().unwrap_or_else(|| vec![*dep]))
        .collect();
    followed.sort_unstable();
    followed.dedup();
    followed
}

/// What takes a boxed change's place for those that build on it: what a copy of this phone has made of the same deed, else what it built on itself.
fn instead(
    kept: &Ledger,
    local: &Local,
    moved: &BTreeMap<ChangeHash, Vec<ChangeHash>>,
) -> Vec<ChangeHash> {
    match carrier(kept, local) {
        Some(carrier) => vec![carrier],
        None => follow(&local.change.deps, moved),
    }
}

/// The change of a document that holds a local one's entry.
fn carrier(kept: &Ledger, local: &Local) -> Option<ChangeHash> {
    let (entry, _, _) = local.entry.as_ref()?;
    let holds = |id: &EntryId| id == entry;
    let mut links = kept.links().iter();
    let link = links.find(|link| link.entry.as_ref().is_some_and(|(id, _)| holds(id)));
    link.map(|link| link.change.hash)
}

/// Makes a change again. Its entry may already be in the document (a copied phone): then that change takes its place.
fn make_again(
    kept: &mut Ledger,
    actor: Actor,
    local: &Local,
    moved: &BTreeMap<ChangeHash, Vec<ChangeHash>>,
) -> Result<(ChangeHash, Option<Parsed>)> {
    if let Some(carrier) = carrier(kept, local) {
        return Ok((carrier, None));
    }
    let mut deps: Vec<ChangeHash> = follow(&local.change.deps, moved)
        .into_iter()
        .filter(|dep| kept.place(dep).is_some())
        .collect();
    if let Some((last, _)) = kept.last_of(actor) {
        deps.extend(kept.hash(last));
    }
    let deps = only_heads(kept, &deps);
    let content = Content::of(&local.change).ok_or(Error::Disagreement("content"))?;
    let change =
        compose(kept, actor, &deps, &content).map_err(|_| Error::Disagreement("remake"))?;
    kept.push(change.clone())
        .map_err(|_| Error::Disagreement("remake"))?;
    Ok((change.hash, Some(change)))
}

/// Those of the changes on which no other of them builds.
fn only_heads(ledger: &Ledger, hashes: &[ChangeHash]) -> Vec<ChangeHash> {
    let places: BTreeSet<usize> = hashes
        .iter()
        .filter_map(|hash| ledger.place(hash))
        .collect();
    let is_head = |place: &&usize| {
        !places
            .iter()
            .any(|other| ledger.is_ancestor(**place, *other))
    };
    places
        .iter()
        .filter(is_head)
        .filter_map(|place| ledger.hash(*place))
        .collect()
}

/// Another suffix, for a second actor of the same occasion.
pub(super) fn next_suffix(suffix: [u8; 8]) -> [u8; 8] {
    u64::from_be_bytes(suffix).wrapping_add(1).to_be_bytes()
}

fn take_new_actor(transaction: &Transaction<'_>, id: DocumentId, suffix: [u8; 8]) -> Result<Actor> {
    let device = enrolment::enrolled(transaction)?.device;
    let actor = Actor::new(device, suffix);
    documents::set_actor(transaction, id, actor)?;
    Ok(actor)
}
