//! Work that the server has and no page will bring: its deed stands in the document in another change, which a copy of its phone has made.
//! It is waited for no more.
//!
//! What something here builds on stays: it comes with that.

use std::collections::BTreeSet;

use rusqlite::Transaction;

use super::load;
use super::locals::{Local, local, unpack};
use crate::domain::id::{ChangeHash, DocumentId, EntryId};
use crate::error::{Error, Result};
use crate::store::boxes::{self, BoxState};
use crate::store::changes::{self, ChangeState};
use crate::store::{documents, enrolment};

/// Forgets it in every document. To be asked once pages have brought everything.
pub(in crate::replica) fn forget_what_stands(transaction: &Transaction<'_>) -> Result<()> {
    for id in documents::awaiting(transaction)? {
        match forget_in(transaction, id) {
            // Whoever reads it next mends it.
            Err(Error::Spoilt) => {}
            forgotten => forgotten?,
        }
    }
    Ok(())
}

fn forget_in(transaction: &Transaction<'_>, id: DocumentId) -> Result<()> {
    let number = documents::state_or_new(transaction, id)?.number;
    let mut is_any = false;
    while let Some(hash) = one_that_stands(transaction, id)? {
        boxes::remove(transaction, hash)?;
        changes::remove(transaction, number, hash)?;
        is_any = true;
    }
    if is_any {
        load::refresh(transaction, id)?;
    }
    Ok(())
}

fn one_that_stands(transaction: &Transaction<'_>, id: DocumentId) -> Result<Option<ChangeHash>> {
    let Some(loaded) = load::load(transaction, id)? else {
        return Ok(None);
    };
    let own = enrolment::enrolled(transaction)?.device;
    let (mut standing, mut awaited, mut followed) = (BTreeSet::new(), Vec::new(), BTreeSet::new());
    for row in &loaded.rows {
        let local = local(id, unpack(&row.body)?, own);
        followed.extend(local.change.deps.iter().copied());
        match row.state {
            ChangeState::Placed => standing.extend(entry_of(&local)),
            ChangeState::Acknowledged => awaited.push(local),
            ChangeState::Unsent | ChangeState::Following => {}
        }
    }
    for boxed in boxes::of_document(transaction, id)? {
        // One that is spoilt in this file keeps nothing.
        let Ok(change) = unpack(&boxed.body) else {
            continue;
        };
        let local = local(id, change, own);
        if boxed.state != BoxState::Refused || local.is_foreign {
            followed.extend(local.change.deps.iter().copied());
        }
        if boxed.state == BoxState::Released && boxed.hash == local.change.hash {
            awaited.push(local);
        }
    }
    let stands = |local: &&Local| {
        let is_last = !followed.contains(&local.change.hash);
        is_last && entry_of(local).is_some_and(|entry| standing.contains(&entry))
    };
    Ok(awaited.iter().find(stands).map(|local| local.change.hash))
}

fn entry_of(local: &Local) -> Option<EntryId> {
    local.entry.as_ref().map(|(id, ..)| *id)
}
