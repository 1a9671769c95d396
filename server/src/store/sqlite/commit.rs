//! One commit: documents grow, feeds are told, and what goes with them is kept.
//!
//! It trusts what it is given; admission is over when it is called.

use std::collections::{BTreeMap, BTreeSet};

use patrol_core::domain::place::Scope;
use patrol_core::domain::time::Timestamp;
use patrol_core::sync::seal::Digest;
use rusqlite::Savepoint;

use super::feeds::{Additions, DocumentNo, ScopeNo};
use super::{boxes, devices, documents, feeds, logs};
use crate::store::{Commit, DocumentCommit, FeedEvent, Result, StoreError};

pub(super) fn commit(tx: &Savepoint<'_>, commit: &Commit) -> Result<Vec<u64>> {
    let mut seen = BTreeSet::new();
    let scopes = commit
        .documents
        .iter()
        .flat_map(|part| part.scopes.iter().copied())
        .collect();
    let numbers = feeds::name_scopes(tx, scopes)?;
    let mut additions = Additions::default();
    let mut ordinals = Vec::with_capacity(commit.documents.len());
    for part in &commit.documents {
        if !seen.insert(part.id) {
            return Err(StoreError::Broken("a document is named twice".to_owned()));
        }
        ordinals.push(grow(tx, &mut additions, &numbers, part)?);
    }
    if let Some(batch) = &commit.batch {
        logs::put_batch(tx, batch)?;
    }
    for row in &commit.fates {
        logs::put_fate(tx, row)?;
    }
    for (device, hash) in &commit.held {
        if !boxes::is_held(tx, *device, *hash)? {
            return Err(StoreError::Stale);
        }
    }
    if let Some((document, seen)) = &commit.seen_held
        && boxes::held_keys(tx, *document)? != *seen
    {
        return Err(StoreError::Stale);
    }
    for row in &commit.boxed {
        boxes::put_boxed(tx, row)?;
    }
    for device in &commit.reopened {
        devices::reopen(tx, *device)?;
    }
    for (device, notice) in &commit.notices {
        logs::put_notice(tx, *device, notice)?;
    }
    if let Some((device, bytes)) = commit.revoked_bytes {
        devices::add_revoked_bytes(tx, device, bytes)?;
    }
    if let Some((device, changes)) = commit.handed_in {
        devices::lessen_outbox(tx, device, changes)?;
    }
    if let Some((device, n)) = commit.told {
        devices::put_told(tx, device, n)?;
    }
    additions.write(tx)?;
    Ok(ordinals)
}

/// Takes documents that ended before a time out of the feeds of their scopes. Returns how many.
pub(super) fn retire(tx: &Savepoint<'_>, ended_before: Timestamp, limit: usize) -> Result<usize> {
    let mut additions = Additions::default();
    let ended = documents::ended(tx, ended_before, limit)?;
    for (no, digest) in &ended {
        let members = feeds::members_of(tx, *no)?;
        for (scope, _) in members.into_iter().filter(|(_, joined)| *joined > 0) {
            additions.row(scope, *no, FeedEvent::Leave);
            additions.digest(scope, *digest, Digest::default());
        }
        feeds::retire_member(tx, *no)?;
        documents::set_retired(tx, *no)?;
    }
    additions.write(tx)?;
    Ok(ended.len())
}

/// Adds a document's changes and gathers its rows. Returns the ordinal of the first change added.
fn grow<'c>(
    tx: &Savepoint<'_>,
    additions: &mut Additions<'c>,
    numbers: &BTreeMap<Scope, ScopeNo>,
    part: &'c DocumentCommit,
) -> Result<u64> {
    let known = documents::known(tx, part.id)?;
    if known.as_ref().map_or(0, |known| known.len) != part.expected_len as u64 {
        return Err(StoreError::Stale);
    }
    let first = part.expected_len as u64;
    let end = first + part.changes.len() as u64;
    let Some(last) = end.checked_sub(1) else {
        return Err(StoreError::Broken(
            "a document begins with a change".to_owned(),
        ));
    };
    let (no, old_digest) = match &known {
        Some(known) => {
            documents::update(tx, known, part, end)?;
            (known.no, known.digest)
        }
        None => (documents::insert(tx, part, end)?, Digest::default()),
    };
    for (ordinal, change) in (first..end).zip(&part.changes) {
        additions.change(no, ordinal, change);
    }
    let scopes: BTreeSet<ScopeNo> = part
        .scopes
        .iter()
        .filter_map(|scope| numbers.get(scope).copied())
        .collect();
    let members = if known.is_some() {
        feeds::members_of(tx, no)?
    } else {
        BTreeMap::new()
    };
    leave_others(tx, additions, no, &scopes, &members, old_digest)?;
    for scope in scopes {
        if members.get(&scope).is_some_and(|joined| *joined > 0) {
            (first..end).for_each(|ordinal| additions.row(scope, no, FeedEvent::Change(ordinal)));
            additions.digest(scope, old_digest, part.digest);
        } else {
            additions.row(scope, no, FeedEvent::Join(last));
            additions.digest(scope, Digest::default(), part.digest);
        }
    }
    Ok(first)
}

/// Takes a document out of the scopes that it is no longer in.
fn leave_others(
    tx: &Savepoint<'_>,
    additions: &mut Additions<'_>,
    document: DocumentNo,
    scopes: &BTreeSet<ScopeNo>,
    members: &BTreeMap<ScopeNo, i64>,
    digest: Digest,
) -> Result<()> {
    for (scope, joined) in members.iter().filter(|(scope, _)| !scopes.contains(scope)) {
        feeds::delete_member(tx, document, *scope)?;
        if *joined > 0 {
            additions.row(*scope, document, FeedEvent::Leave);
            additions.digest(*scope, digest, Digest::default());
        }
    }
    Ok(())
}
