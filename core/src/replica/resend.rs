//! What the server said it had and has not goes back into the outbox: by its counter, when the server misses it in its log
//! (`protocol.md`, *Counters*); by its hash, when something that builds on it was pushed and found it missing.
//!
//! What a page has placed is in the server's list and stays where it is. Bytes never change here.

use std::collections::BTreeSet;

use rusqlite::Transaction;

use crate::doc::ledger::entry_of;
use crate::doc::parse::parse_admitted;
use crate::domain::id::{ChangeHash, DeviceId, DocumentId};
use crate::error::Result;
use crate::store::boxes::{self, BoxState, BoxedChange};
use crate::store::changes::{self, ChangeState};
use crate::store::{documents, enrolment};
use crate::sync::wire;

/// Puts own work with these counters back into the outbox (both ends of a range included). Returns whether there was any.
pub(super) fn numbered(transaction: &Transaction<'_>, ranges: &[(u64, u64)]) -> Result<bool> {
    let device = enrolment::enrolled(transaction)?.device;
    let is_missed = |n: u64| {
        ranges
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&n))
    };
    let mut again = false;
    for (document, hash, body) in changes::acknowledged(transaction)? {
        if own_n(&body, device).is_some_and(is_missed) {
            let number = documents::state_or_new(transaction, document)?.number;
            changes::set_state(transaction, number, hash, ChangeState::Unsent)?;
            again = true;
        }
    }
    for boxed in boxes::all(transaction)?.into_iter().rev() {
        if boxed.n.is_some_and(is_missed) {
            again |= unbox(transaction, &boxed)?;
        }
    }
    Ok(again)
}

/// Puts everything that is held, or was released and has not come, back into the outbox, the oldest first. What cannot be read any more only a
/// page can bring.
pub(super) fn held(transaction: &Transaction<'_>) -> Result<()> {
    for boxed in boxes::all(transaction)?.into_iter().rev() {
        if !unbox(transaction, &boxed)? && boxed.state != BoxState::Refused {
            boxes::refuse(transaction, boxed.hash, wire::SPOILT)?;
        }
    }
    Ok(())
}

/// Puts a held change back into the outbox: it is no part of the document for now, and is pushed as what follows a held change is.
/// Returns whether it is one.
fn unbox(transaction: &Transaction<'_>, boxed: &BoxedChange) -> Result<bool> {
    // One that is spoilt in this file stays where it is.
    if boxed.state == BoxState::Refused || parse_admitted(&boxed.body).is_err() {
        return Ok(false);
    }
    let number = documents::state_or_new(transaction, boxed.document)?.number;
    changes::put_local(transaction, number, boxed.hash, &boxed.body)?;
    changes::set_state(transaction, number, boxed.hash, ChangeState::Following)?;
    boxes::remove(transaction, boxed.hash)?;
    Ok(true)
}

/// Puts own changes of a document that the server has taken, and now misses, back into the outbox. Returns whether there was any.
pub(super) fn depended_on(
    transaction: &Transaction<'_>,
    document: DocumentId,
    missing: &BTreeSet<ChangeHash>,
) -> Result<bool> {
    let device = enrolment::enrolled(transaction)?.device;
    let Some(state) = documents::state(transaction, document)? else {
        return Ok(false);
    };
    let mut again = false;
    for row in changes::of_document(transaction, state.number)? {
        let is_missed = row.state == ChangeState::Acknowledged && missing.contains(&row.hash);
        if is_missed && own_n(&row.body, device).is_some() {
            changes::set_state(transaction, state.number, row.hash, ChangeState::Unsent)?;
            again = true;
        }
    }
    for boxed in boxes::of_document(transaction, document)? {
        if missing.contains(&boxed.hash) {
            again |= unbox(transaction, &boxed)?;
        }
    }
    Ok(again)
}

/// The counter of a change's entry, where this device made it.
fn own_n(body: &[u8], device: DeviceId) -> Option<u64> {
    let change = parse_admitted(body)
        .ok()
        .filter(|change| change.actor.device() == device)?;
    entry_of(&change).map(|(_, entry)| entry.n)
}
