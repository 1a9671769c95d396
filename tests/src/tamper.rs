//! A forged or broken app: it records past every check of the phone, as honest programs never do.
//!
//! What becomes of such an entry is the server's to say; here it is only made.

use patrol_core::doc::compose::{Content, compose};
use patrol_core::doc::document;
use patrol_core::domain::capability::Capability;
use patrol_core::domain::entry::{Body, Entry};
use patrol_core::domain::id::{DocumentId, EntryId, UnitId};
use patrol_core::domain::time::At;
use patrol_core::error::Result;
use patrol_core::replica::Replica;
use patrol_core::store::{changes, documents, enrolment};

/// Records a bare action, by its code, on a document by a capability that nobody has asked for. None: the document is not here, or
/// nothing can be built on it.
pub fn record(
    replica: &Replica,
    document: DocumentId,
    (kind, capability): (u64, Capability),
    at: At,
) -> Result<Option<EntryId>> {
    replica.store().write(|transaction| {
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
    })
}
