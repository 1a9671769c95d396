//! A document's local changes as a graph: which of them build or rest on which, and how one is made again.
//!
//! It knows no store, and decides the fate of none.

use std::collections::{BTreeMap, BTreeSet};

use super::Blow;
use crate::doc::compose::{Content, compose};
use crate::doc::entry;
use crate::doc::ledger::Ledger;
use crate::doc::parse::{Parsed, parse_admitted};
use crate::domain::id::{Actor, ChangeHash, DeviceId, DocumentId, EntryId};
use crate::domain::refusal::Refusal;
use crate::error::{Error, Result};

/// A change that no page of this epoch has placed.
pub(super) struct Local {
    pub(super) change: Parsed,
    /// Its entry, with counter and what it rests on.
    pub(super) entry: Option<(EntryId, u64, Vec<EntryId>)>,
    /// Another's, or the server's: it came from a server that has been lost. Only its author can make it again.
    pub(super) is_foreign: bool,
}

/// The affected ones, each after those that it builds on: a held change lies in another table than what follows it.
pub(super) fn in_causal_order(locals: Vec<Local>, affected: &BTreeSet<ChangeHash>) -> Vec<Local> {
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

pub(super) fn unpack(body: &[u8]) -> Result<Parsed> {
    parse_admitted(body).map_err(|_| Error::Spoilt)
}

pub(super) fn local(id: DocumentId, change: Parsed, own: DeviceId) -> Local {
    let entry = Content::of(&change).and_then(|content| {
        let entry_id = content.entry_id(id)?;
        let Content::Person { entry, .. } = content else {
            return None;
        };
        let entry = entry::decode(&entry).ok()?;
        Some((entry_id, entry.n, entry.on))
    });
    Local {
        is_foreign: change.actor.device() != own,
        change,
        entry,
    }
}

/// The entries of changes that pages have placed: a copy of this phone may have made one of them.
pub(super) fn standing_beside(ledger: &Ledger, locals: &[Local]) -> BTreeSet<EntryId> {
    let local: BTreeSet<ChangeHash> = locals.iter().map(|local| local.change.hash).collect();
    let placed = ledger.links().iter();
    let placed = placed.filter(|link| !local.contains(&link.change.hash));
    placed
        .filter_map(|link| Some(link.entry.as_ref()?.0))
        .collect()
}

/// Changes whose entry's `on` names a refused entry that does not stand otherwise, directly or through another.
pub(super) fn resting_on(
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
pub(super) fn built_on(
    locals: &[Local],
    blow: &Blow,
    resting: &BTreeSet<ChangeHash>,
) -> BTreeSet<ChangeHash> {
    let is_root = |hash: &ChangeHash| blow.strikes(hash) || resting.contains(hash);
    let mut affected: BTreeSet<ChangeHash> = locals
        .iter()
        .map(|local| local.change.hash)
        .filter(is_root)
        .collect();
    // Also what is struck and cannot be read here any more.
    affected.extend(blow.struck());
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
pub(super) fn without(ledger: &Ledger, out: &BTreeSet<ChangeHash>) -> Ledger {
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
pub(super) fn instead(
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
pub(super) fn make_again(
    kept: &mut Ledger,
    actor: Actor,
    local: &Local,
    moved: &BTreeMap<ChangeHash, Vec<ChangeHash>>,
    beside: &BTreeSet<ChangeHash>,
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
    if deps.is_empty() {
        // What it built on was spoilt. What waits beside the document it need not wait for.
        deps = kept.head_hashes_among(|hash| !beside.contains(hash));
    }
    if deps.is_empty() {
        deps = kept.head_hashes();
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
