//! One snapshot of the database: which question is answered by which table. It holds no SQL of its own.

use std::collections::BTreeSet;

use patrol_core::domain::id::{ChangeHash, DeviceId, DocumentId};
use patrol_core::domain::place::Scope;
use patrol_core::domain::time::Timestamp;
use patrol_core::sync::wire::Notice;
use rusqlite::Connection;

use super::{boxes, devices, documents, feeds, logs};
use crate::store::{
    BatchRow, BoxedChange, BoxedSince, CaseQuery, Device, FateRow, FeedRow, HighMarks, Identity,
    Result, ScopeRow, Snapshot, StoredDocument, Summary,
};

/// A connection within a transaction that reads.
pub(super) struct Look<'c> {
    pub(super) connection: &'c Connection,
    pub(super) identity: &'c Identity,
}

impl Snapshot for Look<'_> {
    fn scope(&self, scope: Scope) -> Result<Option<ScopeRow>> {
        feeds::scope(self.connection, scope)
    }

    fn feed(&self, number: u64, seq: u64, limit: usize) -> Result<Vec<FeedRow>> {
        feeds::feed(self.connection, number, seq, limit)
    }

    fn members_before(
        &self,
        number: u64,
        before: u64,
        limit: usize,
    ) -> Result<Vec<(u64, DocumentId)>> {
        feeds::members_before(self.connection, number, before, limit)
    }

    fn memberships(&self, document: DocumentId) -> Result<Vec<(u64, u64)>> {
        feeds::memberships(self.connection, document)
    }

    fn scopes_of(&self, document: DocumentId) -> Result<BTreeSet<Scope>> {
        feeds::scopes_of(self.connection, document)
    }

    fn commit_through(&self, number: u64, seq: u64) -> Result<Option<u64>> {
        feeds::commit_through(self.connection, number, seq)
    }

    fn told_in_part(&self, number: u64, seq: u64) -> Result<Vec<FeedRow>> {
        feeds::told_in_part(self.connection, number, seq)
    }

    fn document(&self, id: DocumentId) -> Result<Option<StoredDocument>> {
        documents::document(self.connection, id)
    }

    fn summary(&self, id: DocumentId) -> Result<Option<Summary>> {
        documents::summary(self.connection, id)
    }

    fn cases(&self, query: &CaseQuery) -> Result<Vec<(DocumentId, Summary)>> {
        documents::cases(self.connection, query)
    }

    fn boxed(&self, device: DeviceId, hash: ChangeHash) -> Result<Option<BoxedChange>> {
        boxes::boxed(self.connection, device, hash)
    }

    fn held_of(&self, document: DocumentId) -> Result<Vec<BoxedChange>> {
        boxes::held_of(self.connection, document)
    }

    fn held_keys(&self, document: DocumentId) -> Result<Vec<(DeviceId, ChangeHash)>> {
        boxes::held_keys(self.connection, document)
    }

    fn boxed_since(&self, device: DeviceId, since: Timestamp) -> Result<BoxedSince> {
        boxes::boxed_since(self.connection, device, since)
    }

    fn proofs_since(&self, device: DeviceId, since: Timestamp) -> Result<u64> {
        logs::proofs_since(self.connection, device, since)
    }

    fn held(&self, after: u64, limit: usize) -> Result<Vec<(u64, BoxedChange)>> {
        boxes::held(self.connection, after, limit)
    }

    fn notices(&self, device: DeviceId, after: u64) -> Result<Vec<(u64, Notice)>> {
        logs::notices(self.connection, device, after)
    }

    fn fates(&self, device: DeviceId, first: u64, limit: usize) -> Result<Vec<FateRow>> {
        logs::fates(self.connection, device, first, limit)
    }

    fn batches(&self, device: DeviceId) -> Result<Vec<BatchRow>> {
        logs::batches(self.connection, device)
    }

    fn device(&self, id: DeviceId) -> Result<Option<Device>> {
        devices::device(self.connection, id)
    }

    fn devices(&self) -> Result<Vec<Device>> {
        devices::devices(self.connection)
    }

    fn opened_since(&self, device: DeviceId, since: Timestamp) -> Result<u64> {
        documents::opened_since(self.connection, device, since)
    }

    fn high_marks(&self) -> Result<HighMarks> {
        Ok(HighMarks {
            number: documents::highest_serial(self.connection, &self.identity.number_block)?,
            n: logs::n_max(self.connection, self.identity.device)?,
        })
    }

    fn all_documents(&self) -> Result<Vec<DocumentId>> {
        documents::all_documents(self.connection)
    }
}
