//! What a flipped bit has spoilt of documents in this phone's file, where no look at the file's structure sees it: what the server has is
//! listed anew and comes back; what nobody else has can be read by nobody, and goes into the box as it is; everything else stays.
//!
//! It is run when something spoilt is met. A damaged page that SQLite sees is the business of `store` and `salvage`.

use std::collections::BTreeSet;

use rusqlite::Transaction;

use super::remake::{self, Blow};
use super::{Replica, load};
use crate::doc::parse::{self, Parsed};
use crate::domain::id::{ChangeHash, DocumentId};
use crate::domain::time::Timestamp;
use crate::error::{Error, Result};
use crate::store::boxes::{self, BoxState, BoxedChange};
use crate::store::changes::{self, ChangeRow, ChangeState};
use crate::store::{documents, enrolment, feed};
use crate::sync::seal::Digest;
use crate::sync::wire;

impl Replica {
    /// Does what reads documents, again where something spoilt was met and mended.
    pub(super) fn mending<T>(&self, work: impl Fn() -> Result<T>) -> Result<T> {
        match work() {
            Err(Error::Spoilt) => {
                // Another program on this file may have done it meanwhile.
                self.mend()?;
                work()
            }
            done => done,
        }
    }

    /// Mends in the middle of a call. Returns whether nothing can be written: then what is spoilt is passed over, and the rest goes.
    pub(super) fn mend_or_pass_over(&self) -> Result<bool> {
        match self.mend() {
            Ok(()) => Ok(false),
            Err(Error::Full | Error::Unwritable) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Looks through every document here, and mends.
    pub(super) fn mend(&self) -> Result<()> {
        let now = self.environment.now();
        let mended = self.store.write(|transaction| {
            rename(transaction)?;
            let mut mended = Vec::new();
            for id in documents::all(transaction)? {
                if is_spoilt(transaction, id)? {
                    mend(transaction, id, self.random(), now)?;
                    mended.push(id);
                }
            }
            if !mended.is_empty() {
                list_all(transaction)?;
            }
            Ok(mended)
        })?;
        self.notify(&mended);
        Ok(())
    }
}

/// What lies in the box under a hash that is not its own gets that, or goes where the document has it by now.
fn rename(transaction: &Transaction<'_>) -> Result<()> {
    for boxed in boxes::all(transaction)? {
        let Some(hash) = misnamed(&boxed) else {
            continue;
        };
        boxes::rename(transaction, boxed.id, hash)?;
        let state = documents::state_or_new(transaction, boxed.document)?;
        let rows = changes::of_document(transaction, state.number)?;
        let is_it = |row: &ChangeRow| sound(row).is_ok_and(|change| change.hash == hash);
        if rows.iter().any(is_it) {
            boxes::remove(transaction, hash)?;
        }
    }
    Ok(())
}

/// The hash of what lies in the box under another.
fn misnamed(boxed: &BoxedChange) -> Option<ChangeHash> {
    let change = parse::parse_admitted(&boxed.body).ok()?;
    (change.hash != boxed.hash).then_some(change.hash)
}

/// Of these changes, which the server has not, those that lie in the box and cannot be read: they are lost.
pub(super) fn lose(
    transaction: &Transaction<'_>,
    document: DocumentId,
    missing: &BTreeSet<ChangeHash>,
) -> Result<BTreeSet<ChangeHash>> {
    let mut lost = BTreeSet::new();
    for hash in missing {
        let boxed = boxes::find(transaction, *hash)?;
        let boxed = boxed.filter(|boxed| boxed.document == document);
        if boxed.is_some_and(|boxed| parse::parse_admitted(&boxed.body).is_err()) {
            // A page that brings it takes it out again.
            boxes::refuse(transaction, *hash, wire::SPOILT)?;
            lost.insert(*hash);
        }
    }
    Ok(lost)
}

/// The next rounds list every scope, and do nothing else before that is done.
fn list_all(transaction: &Transaction<'_>) -> Result<()> {
    for scope in feed::scopes(transaction)? {
        feed::relist(transaction, scope.number)?;
    }
    let mut state = enrolment::round_state(transaction)?;
    state.is_mending = true;
    enrolment::put_round_state(transaction, &state)?;
    // An answer that is under way knows nothing of this.
    enrolment::hear(transaction, enrolment::heard(transaction)?)
}

/// What a row holds, if it is as it was written: the bytes prove themselves by the checksum within them.
pub(super) fn sound(row: &ChangeRow) -> Result<Parsed> {
    let change = parse::parse_admitted(&row.body).ok();
    let change = change.filter(|change| change.hash == row.hash);
    change.ok_or(Error::Spoilt)
}

fn is_spoilt(transaction: &Transaction<'_>, id: DocumentId) -> Result<bool> {
    match load::load(transaction, id) {
        Ok(None) => Ok(false),
        Ok(Some(loaded)) => {
            let placed = changes::placed(transaction, loaded.state.number)?;
            Ok(placed != Some(loaded.state.placed))
        }
        Err(Error::Spoilt) => Ok(true),
        Err(error) => Err(error),
    }
}

/// Nothing of the document is placed any more, so that a listing brings it whole. Later work is done by a new actor: what of the last
/// one's chain is not here must not be counted on.
fn mend(
    transaction: &Transaction<'_>,
    id: DocumentId,
    suffix: [u8; 8],
    now: Timestamp,
) -> Result<()> {
    let state = documents::state_or_new(transaction, id)?;
    let (mut kept, mut lost, mut is_gapped) = (Vec::new(), BTreeSet::new(), false);
    for mut row in changes::of_document(transaction, state.number)? {
        if row.state == ChangeState::Placed {
            // From no page: it was never placed.
            row.state = match row.received_at.is_none() {
                true => ChangeState::Unsent,
                false => ChangeState::Acknowledged,
            };
        }
        if let Ok(change) = parse::parse_admitted(&row.body) {
            row.hash = change.hash;
            kept.push(row);
            continue;
        }
        boxes::put(transaction, &unreadable(id, &row, now))?;
        lost.insert(row.hash);
        is_gapped |= row.state < ChangeState::Unsent;
    }
    changes::rewrite(transaction, state.number, &kept)?;
    feed::redigest(transaction, state.number, state.digest, Digest::default())?;
    documents::unplace_one(transaction, state.number)?;
    remake::take_new_actor(transaction, id, suffix)?;
    // Where more is to come, the server says `missing` when it has.
    if lost.is_empty() || is_gapped {
        return Ok(());
    }
    let suffix = remake::next_suffix(suffix);
    remake::take_up(transaction, id, &Blow::Lost(lost), suffix, now)
}

/// What nobody can read. What the server has taken a page takes out of the box again, unless the server has lost it too.
fn unreadable(id: DocumentId, row: &ChangeRow, now: Timestamp) -> BoxedChange {
    let state = match row.state {
        ChangeState::Placed | ChangeState::Acknowledged => BoxState::Released,
        ChangeState::Unsent | ChangeState::Following => BoxState::Refused,
    };
    BoxedChange {
        id: 0,
        document: id,
        hash: row.hash,
        entry: None,
        n: None,
        state,
        code: wire::SPOILT.to_owned(),
        body: row.body.clone(),
        boxed_at: now,
    }
}
