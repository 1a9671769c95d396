//! What a phone would never record by itself: an app with a bug, and an app of next year.

use patrol_core::doc::compose::{Content, compose};
use patrol_core::doc::document;
use patrol_core::domain::action::Action;
use patrol_core::domain::capability::Capability;
use patrol_core::domain::entry::{Body, Entry};
use patrol_core::domain::id::{DocumentId, EntryId, UnitId};
use patrol_core::domain::time::At;
use patrol_core::error::Result;
use patrol_core::store::{changes, documents, enrolment};
use rand::Rng as _;
use rusqlite::Transaction;

use super::Simulation;

/// An action that no program knows yet.
const OF_NEXT_YEAR: u64 = 4_000;

impl Simulation {
    /// An app records past all self-checks: what nobody allowed (a closing, to be refused), what does not fit (taking back a
    /// report that was accepted, to be kept as an anomaly), or what only a newer server will know (to wait).
    pub(super) fn inject(&mut self) {
        let phone = self.some_phone();
        let Some(document) = self.some_document() else {
            return;
        };
        let (kind, capability) = match self.rng.random_range(0..7) {
            0..3 => (Action::Close.code(), Capability::Close),
            3..6 => (Action::Withdraw.code(), Capability::Report),
            _ => (OF_NEXT_YEAR, Capability::Inspect),
        };
        if kind == OF_NEXT_YEAR {
            // Whatever becomes of this write: a program may die right after it.
            self.of_next_year.insert(document);
        }
        let at = At::wall(self.world.clock.now());
        let store = self.phones[phone].replica.store();
        let injected =
            store.write(|transaction| record(transaction, document, kind, capability, at));
        if let Ok(Some(entry)) = injected {
            self.log(entry, document, Some(phone));
        }
    }
}

fn record(
    transaction: &Transaction<'_>,
    document: DocumentId,
    kind: u64,
    capability: Capability,
    at: At,
) -> Result<Option<EntryId>> {
    let enrolment = enrolment::enrolled(transaction)?;
    let Some(state) = documents::state(transaction, document)? else {
        return Ok(None);
    };
    let rows = changes::of_document(transaction, state.number)?;
    let part = rows
        .iter()
        .filter(|row| row.state != changes::ChangeState::Following);
    let Ok(ledger) = document::load(document, part.map(|row| row.body.as_slice())) else {
        return Ok(None);
    };
    if ledger.is_empty() {
        return Ok(None);
    }
    let entry = Entry {
        kind,
        person: enrolment.person,
        device: enrolment.device,
        capability: capability.code(),
        unit: UnitId::CITY,
        n: enrolment::next_n(transaction)?,
        on: document::read(&ledger, |_| None).case.workflow.heads,
        at,
        key: None,
        body: Body::default(),
    };
    let content = Content::person(&entry, Vec::new());
    let actor = state.actor.unwrap_or(enrolment.actor);
    let Ok(change) = compose(&ledger, actor, &ledger.head_hashes(), &content) else {
        return Ok(None);
    };
    changes::put_local(transaction, state.number, change.hash, &change.bytes)?;
    Ok(content.entry_id(document))
}
