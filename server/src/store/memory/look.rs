//! What can be asked of the model.
//!
//! Lists are made by going through everything; nothing here is fast.

use std::collections::BTreeSet;

use super::{
    BatchRow, BoxedChange, ChangeHash, Device, DeviceId, DocumentId, EntryId, FeedRow, Notice,
    Result, Scope, ScopeRow, Snapshot, State, Summary, Timestamp,
};
use crate::store::{BoxedAs, BoxedSince, CaseQuery, FateRow, HighMarks, StoredDocument, serial};

impl Snapshot for State {
    fn scope(&self, scope: Scope) -> Result<Option<ScopeRow>> {
        Ok(self.scopes.get(&scope).copied())
    }

    fn feed(&self, number: u64, seq: u64, limit: usize) -> Result<Vec<FeedRow>> {
        let rows = self.feeds.get(&number).map_or(&[][..], |feed| &feed.rows);
        Ok(rows
            .iter()
            .filter(|row| row.seq > seq)
            .take(limit)
            .copied()
            .collect())
    }

    fn members_before(
        &self,
        number: u64,
        before: u64,
        limit: usize,
    ) -> Result<Vec<(u64, DocumentId)>> {
        let Some(feed) = self.feeds.get(&number) else {
            return Ok(Vec::new());
        };
        Ok(feed
            .members
            .range(..before)
            .rev()
            .take(limit)
            .map(|(seq, id)| (*seq, *id))
            .collect())
    }

    fn memberships(&self, document: DocumentId) -> Result<Vec<(u64, u64)>> {
        let joined = self
            .documents
            .get(&document)
            .map(|document| &document.joined);
        let mut memberships: Vec<(u64, u64)> = joined
            .into_iter()
            .flatten()
            .filter_map(|(scope, seq)| Some((self.scopes.get(scope)?.number, *seq)))
            .collect();
        memberships.sort_unstable();
        Ok(memberships)
    }

    fn scopes_of(&self, document: DocumentId) -> Result<BTreeSet<Scope>> {
        let document = self.documents.get(&document);
        let scopes = document.map(|document| document.scopes.iter().copied());
        Ok(scopes.into_iter().flatten().collect())
    }

    fn commit_through(&self, number: u64, seq: u64) -> Result<Option<u64>> {
        let rows = self.feeds.get(&number).map_or(&[][..], |feed| &feed.rows);
        let at = |seq: u64| rows.iter().find(|row| row.seq == seq).map(|row| row.commit);
        Ok(at(seq).map(|commit| commit - u64::from(at(seq + 1) == Some(commit))))
    }

    fn told_in_part(&self, number: u64, seq: u64) -> Result<Vec<FeedRow>> {
        let rows = self.feeds.get(&number).map_or(&[][..], |feed| &feed.rows);
        let Some(next) = rows.iter().find(|row| row.seq == seq + 1) else {
            return Ok(Vec::new());
        };
        let told = rows.iter().rev().filter(|row| row.seq <= seq);
        let of_it = told.take_while(|row| row.commit == next.commit);
        Ok(of_it.copied().collect())
    }

    fn document(&self, id: DocumentId) -> Result<Option<StoredDocument>> {
        let document = self.documents.get(&id);
        Ok(document.map(|document| StoredDocument {
            id,
            changes: document.changes.clone(),
        }))
    }

    fn summary(&self, id: DocumentId) -> Result<Option<Summary>> {
        Ok(self
            .documents
            .get(&id)
            .map(|document| document.summary.clone()))
    }

    fn cases(&self, query: &CaseQuery) -> Result<Vec<(DocumentId, Summary)>> {
        let kind = if query.kind.is_empty() {
            "case"
        } else {
            &query.kind
        };
        let mut found: Vec<(Timestamp, DocumentId)> = self
            .documents
            .iter()
            .filter(|(_, document)| {
                let summary = &document.summary;
                summary.kind == kind
                    && (query.stages.is_empty() || query.stages.contains(&summary.stage))
                    && query.scopes.as_ref().is_none_or(|scopes| {
                        scopes.iter().any(|scope| document.scopes.contains(scope))
                    })
                    && query.number.as_ref().is_none_or(|number| {
                        summary.numbers.contains(number) || summary.number.as_ref() == Some(number)
                    })
                    && (!query.conflicts_only || summary.conflicts > 0)
            })
            .map(|(id, document)| (document.summary.changed_at, *id))
            .filter(|place| query.after.is_none_or(|after| *place < after))
            .collect();
        found.sort_unstable();
        let rows = found.into_iter().rev().take(query.limit);
        Ok(rows
            .filter_map(|(_, id)| Some((id, self.documents.get(&id)?.summary.clone())))
            .collect())
    }

    fn boxed(&self, device: DeviceId, hash: ChangeHash) -> Result<Option<BoxedChange>> {
        Ok(self.boxed.get(&(device, hash)).map(|(_, row)| row.clone()))
    }

    fn held_of(&self, document: DocumentId) -> Result<Vec<BoxedChange>> {
        let rows = self
            .held_rows()
            .into_iter()
            .filter(|(_, row)| row.document == document);
        Ok(rows.map(|(_, row)| row.clone()).collect())
    }

    fn held_keys(&self, document: DocumentId) -> Result<Vec<(DeviceId, ChangeHash)>> {
        let rows = self.held_of(document)?;
        Ok(rows.iter().map(|row| (row.device, row.hash)).collect())
    }

    fn boxed_since(&self, device: DeviceId, since: Timestamp) -> Result<BoxedSince> {
        let rows = self.boxed.values().map(|(_, row)| row);
        let own = rows.filter(|row| row.device == device && row.boxed_at >= since);
        Ok(own.fold(BoxedSince::default(), |sum, row| BoxedSince {
            rows: sum.rows + 1,
            bytes: sum.bytes + row.body.len() as u64,
        }))
    }

    fn proofs_since(&self, device: DeviceId, since: Timestamp) -> Result<u64> {
        let batches = self.batches.get(&device).into_iter().flatten();
        let late = batches.filter(|batch| batch.received_at >= since);
        Ok(late.map(|batch| batch.leaves.len() as u64).sum())
    }

    fn held(&self, after: u64, limit: usize) -> Result<Vec<(u64, BoxedChange)>> {
        let rows = self.held_rows().into_iter().filter(|(no, _)| *no > after);
        Ok(rows
            .take(limit)
            .map(|(no, row)| (no, row.clone()))
            .collect())
    }

    fn notices(&self, device: DeviceId, after: u64) -> Result<Vec<(u64, Notice)>> {
        let waiting = self.notices.get(&device).map(|notices| &notices.waiting);
        let waiting = waiting
            .into_iter()
            .flatten()
            .filter(|(number, _)| **number > after);
        Ok(waiting
            .map(|(number, notice)| (*number, notice.clone()))
            .collect())
    }

    fn fates(&self, device: DeviceId, first: u64, limit: usize) -> Result<Vec<FateRow>> {
        let log = (device, first, EntryId([0; 16]))..=(device, u64::MAX, EntryId([0xff; 16]));
        let rows = self.fates.range(log).take(limit);
        Ok(rows
            .map(|((device, n, entry), fate)| FateRow {
                device: *device,
                n: *n,
                entry: *entry,
                fate: fate.clone(),
            })
            .collect())
    }

    fn batches(&self, device: DeviceId) -> Result<Vec<BatchRow>> {
        Ok(self.batches.get(&device).cloned().unwrap_or_default())
    }

    fn device(&self, id: DeviceId) -> Result<Option<Device>> {
        Ok(Self::device(self, id))
    }

    fn devices(&self) -> Result<Vec<Device>> {
        Ok(self
            .devices
            .keys()
            .filter_map(|id| Self::device(self, *id))
            .collect())
    }

    fn opened_since(&self, device: DeviceId, since: Timestamp) -> Result<u64> {
        let documents = self.documents.values();
        let opened = documents.filter(|document| document.opened_by == Some(device));
        Ok(opened
            .filter(|document| document.summary.opened_at >= since)
            .count() as u64)
    }

    fn high_marks(&self) -> Result<HighMarks> {
        let block = &self.identity.number_block;
        let summaries = self.documents.values().map(|document| &document.summary);
        let numbers = summaries.flat_map(|summary| summary.numbers.iter().chain(&summary.number));
        let number = numbers
            .filter_map(|number| serial(number, block))
            .max()
            .unwrap_or(0);
        Ok(HighMarks {
            number,
            n: self.n_max(self.identity.device),
        })
    }

    fn all_documents(&self) -> Result<Vec<DocumentId>> {
        Ok(self.documents.keys().copied().collect())
    }
}

impl State {
    /// Held changes that are not settled, numbered in the order in which they came.
    pub(super) fn held_rows(&self) -> Vec<(u64, &BoxedChange)> {
        let held = |row: &BoxedChange| row.state == BoxedAs::Held && row.settled.is_none();
        let rows = self.boxed.values().filter(|(_, row)| held(row));
        let mut rows: Vec<_> = rows.map(|(no, row)| (*no, row)).collect();
        rows.sort_unstable_by_key(|(no, _)| *no);
        rows
    }
}
