//! A document out of the store and its row back into it.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, Transaction};

use super::mend;
use super::search::findable;
use crate::doc::document::{self, Reading};
use crate::doc::ledger::Ledger;
use crate::domain::id::{ChangeHash, DocumentId};
use crate::domain::place::Scope;
use crate::domain::time::Timestamp;
use crate::error::{Error, Result};
use crate::store::changes::{self, ChangeRow, ChangeState};
use crate::store::documents::{self, DocumentState, ListRow};
use crate::store::{feed, search};
use crate::sync::seal::Digest;

/// A document as the store holds it.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) state: DocumentState,
    pub(super) rows: Vec<ChangeRow>,
    /// The changes that are part of the document: all but those that follow a held one, or build on what has yet to come back.
    pub(super) ledger: Ledger,
}

/// Loads a document; none if it is not here. `Spoilt`: something of it is not what was written.
pub(super) fn load(connection: &Connection, id: DocumentId) -> Result<Option<Loaded>> {
    let Some(state) = documents::state(connection, id)? else {
        return Ok(None);
    };
    let rows = changes::of_document(connection, state.number)?;
    let (mut ledger, mut local) = (Ledger::new(id), Vec::new());
    for row in &rows {
        let change = mend::sound(row)?;
        match row.state {
            ChangeState::Placed => drop(ledger.push(change).map_err(|_| Error::Spoilt)?),
            ChangeState::Acknowledged | ChangeState::Unsent => local.push(change),
            ChangeState::Following => {}
        }
    }
    if ledger.len() as u64 != state.placed {
        return Err(Error::Spoilt);
    }
    ledger.grow(local);
    Ok(Some(Loaded {
        state,
        rows,
        ledger,
    }))
}

/// Reads a loaded document.
pub(super) fn read(ledger: &Ledger, rows: &[ChangeRow]) -> Reading {
    let received: BTreeMap<ChangeHash, Timestamp> = rows
        .iter()
        .filter_map(|row| row.received_at.map(|time| (row.hash, time)))
        .collect();
    document::read(ledger, |place| {
        ledger
            .hash(place)
            .and_then(|hash| received.get(&hash).copied())
    })
}

/// Derives a document's row anew: what lists show, and what its placed changes add to digests.
pub(super) fn refresh(transaction: &Transaction<'_>, id: DocumentId) -> Result<()> {
    let Some(mut loaded) = load(transaction, id)? else {
        return Ok(());
    };
    let placed: BTreeSet<ChangeHash> = loaded
        .rows
        .iter()
        .filter(|row| row.state == ChangeState::Placed)
        .map(|row| row.hash)
        .collect();
    let digest = if placed.is_empty() {
        Digest::default()
    } else {
        Digest::of(
            id,
            &loaded
                .ledger
                .head_hashes_among(|hash| placed.contains(hash)),
        )
    };
    feed::redigest(
        transaction,
        loaded.state.number,
        loaded.state.digest,
        digest,
    )?;
    loaded.state.digest = digest;
    let reading = read(&loaded.ledger, &loaded.rows);
    let row = list_row(id, &loaded.ledger, &reading);
    documents::put(transaction, &row, &loaded.state)?;
    search::put(transaction, loaded.state.number, &findable(&reading))
}

fn list_row(id: DocumentId, ledger: &Ledger, reading: &Reading) -> ListRow {
    let case = &reading.case;
    let latest = reading
        .lines
        .iter()
        .map(|line| line.received_at.unwrap_or(line.entry.at.best()))
        .max();
    let category = case.categories.first().map(|written| written.value);
    let conflicts = case.workflow.conflicts.len() + case.contested_fields().len();
    let place = case.places.first().map(|place| place.value.village);
    let scope_village = case.scopes.iter().find_map(|scope| {
        if let Scope::Village(village) = scope {
            Some(*village)
        } else {
            None
        }
    });
    ListRow {
        id,
        kind: ledger
            .kind()
            .map(|kind| kind.word().to_owned())
            .unwrap_or_default(),
        number: case.numbers.first().cloned(),
        stage: case
            .workflow
            .standing
            .map(|standing| standing.stage.word().to_owned())
            .unwrap_or_default(),
        rework: case
            .workflow
            .standing
            .is_some_and(|standing| standing.rework),
        village: place
            .or(scope_village)
            .map(crate::domain::place::VillageCode::number),
        category: category.map(|category| category.name()),
        words: case
            .words
            .first()
            .map(|words| words.value.clone())
            .unwrap_or_default(),
        conflicts: u32::try_from(conflicts).unwrap_or(u32::MAX),
        fold: case.fold,
        changed_at: latest.unwrap_or_default(),
    }
}
