//! How the model grows: one commit, and leaving feeds by age.
//!
//! Everything that may fail is asked before anything is changed.

use std::collections::BTreeSet;

use patrol_core::domain::id::{ChangeHash, DeviceId};
use patrol_core::domain::limits;
use patrol_core::domain::refusal::Refusal;

use super::{
    Commit, Digest, Document, DocumentId, Feed, FeedRow, Result, Scope, ScopeRow, State,
    StoreError, StoredChange, Timestamp,
};
use crate::store::{BoxedAs, DocumentCommit, FeedEvent};

impl State {
    pub(super) fn commit(&mut self, commit: &Commit) -> Result<Vec<u64>> {
        self.examine(commit)?;
        let scopes: BTreeSet<Scope> = commit
            .documents
            .iter()
            .flat_map(|part| part.scopes.iter().copied())
            .collect();
        for scope in scopes {
            let number = self.scopes.len() as u64 + 1;
            self.scopes.entry(scope).or_insert(ScopeRow {
                number,
                head: 0,
                digest: Digest::default(),
            });
        }
        let number = self.commits + 1;
        let ordinals = commit
            .documents
            .iter()
            .map(|part| self.grow(part, number))
            .collect();
        self.note(commit);
        Ok(ordinals)
    }

    /// Whether the commit can be done.
    fn examine(&self, commit: &Commit) -> Result<()> {
        let is_held = |held: &(DeviceId, ChangeHash)| {
            let row = self.boxed.get(held).map(|(_, row)| row);
            row.is_some_and(|row| row.state == BoxedAs::Held && row.settled.is_none())
        };
        if !commit.held.iter().all(is_held) {
            return Err(StoreError::Stale);
        }
        if let Some((document, seen)) = &commit.seen_held {
            let held = self.held_rows().into_iter().map(|(_, row)| row);
            let of_it = held.filter(|row| row.document == *document);
            if !of_it
                .map(|row| (row.device, row.hash))
                .eq(seen.iter().copied())
            {
                return Err(StoreError::Stale);
            }
        }
        if let Some((device, bytes)) = commit.revoked_bytes {
            let before = self.devices.get(&device).map(|device| device.revoked_bytes);
            if before.unwrap_or_default() + bytes > limits::REVOKED_BYTES_MAX {
                return Err(StoreError::Stale);
            }
        }
        let mut seen = BTreeSet::new();
        for part in &commit.documents {
            if !seen.insert(part.id) {
                return Err(StoreError::Broken("a document is named twice".to_owned()));
            }
            let len = self
                .documents
                .get(&part.id)
                .map_or(0, |document| document.changes.len());
            if len != part.expected_len {
                return Err(StoreError::Stale);
            }
            if len + part.changes.len() == 0 {
                return Err(StoreError::Broken(
                    "a document begins with a change".to_owned(),
                ));
            }
        }
        Ok(())
    }

    /// Adds a document's changes and tells the feeds. Returns the ordinal of the first.
    fn grow(&mut self, part: &DocumentCommit, commit: u64) -> u64 {
        let mut document = self.documents.remove(&part.id).unwrap_or_default();
        let first = document.changes.len() as u64;
        if first == 0 {
            document.opened_by = part.opened_by;
        }
        let is_told = !document.joined.is_empty() || !part.scopes.is_empty();
        let commit_of_change = if is_told { commit } else { 0 };
        document
            .changes
            .extend(part.changes.iter().map(|change| StoredChange {
                commit: commit_of_change,
                ..change.clone()
            }));
        let old = std::mem::replace(&mut document.digest, part.digest);
        document.scopes = part.scopes.iter().copied().collect();
        document.summary = part.summary.clone();
        let end = document.changes.len() as u64;
        for scope in document.joined.keys().copied().collect::<Vec<_>>() {
            if document.scopes.contains(&scope) {
                for ordinal in first..end {
                    self.add_row(scope, commit, part.id, FeedEvent::Change(ordinal));
                }
                self.change_digest(scope, |sum| sum.without(old).with(part.digest));
            } else {
                self.leave(&mut document, scope, commit, part.id);
                self.change_digest(scope, |sum| sum.without(old));
            }
        }
        for scope in document.scopes.clone() {
            if !document.joined.contains_key(&scope) {
                self.join(&mut document, scope, commit, part.id);
                self.change_digest(scope, |sum| sum.with(part.digest));
            }
        }
        self.documents.insert(part.id, document);
        first
    }

    /// Keeps everything of a commit that is not a document's.
    fn note(&mut self, commit: &Commit) {
        if let Some(batch) = &commit.batch {
            self.batches
                .entry(batch.device)
                .or_default()
                .push(batch.clone());
            self.receipts.push_back(batch.received_at);
            if self.receipts.len() > limits::RECEIPTS_LOOKED_AT {
                self.receipts.pop_front();
            }
        }
        for row in &commit.fates {
            self.fates
                .insert((row.device, row.n, row.entry), row.fate.clone());
        }
        for row in &commit.boxed {
            let next = self.boxed.len() as u64 + 1;
            let (_, kept) = self
                .boxed
                .entry((row.device, row.hash))
                .or_insert_with(|| (next, row.clone()));
            let is_unread = kept.state == BoxedAs::Refused(Refusal::Quarantined.number());
            if kept.settled.is_none() || is_unread {
                kept.clone_from(row);
            }
        }
        for device in &commit.reopened {
            let device = self.devices.entry(*device);
            device.and_modify(|device| device.revoked_empty = false);
        }
        for (device, notice) in &commit.notices {
            let notices = self.notices.entry(*device).or_default();
            notices.last += 1;
            notices.waiting.insert(notices.last, notice.clone());
        }
        if let Some((device, bytes)) = commit.revoked_bytes {
            self.devices.entry(device).and_modify(|device| {
                device.revoked_bytes = device.revoked_bytes.saturating_add(bytes);
            });
        }
        if let Some((device, changes)) = commit.handed_in {
            self.devices.entry(device).and_modify(|device| {
                let outbox = device
                    .status
                    .outbox
                    .map(|left| left.saturating_sub(changes));
                device.status.outbox = outbox.filter(|left| *left > 0);
            });
        }
        if let Some((device, n)) = commit.told {
            self.devices
                .entry(device)
                .and_modify(|device| device.n_told = n);
        }
    }

    pub(super) fn retire(&mut self, ended_before: Timestamp, limit: usize) -> usize {
        let commit = self.commits + 1;
        let due = |(id, document): (&DocumentId, &Document)| {
            let ended_at = document.summary.ended_at?;
            let is_due = ended_at < ended_before && !document.joined.is_empty();
            is_due.then_some((ended_at, *id))
        };
        let mut ended: Vec<_> = self.documents.iter().filter_map(due).collect();
        ended.sort_unstable();
        ended.truncate(limit);
        for (_, id) in &ended {
            let Some(mut document) = self.documents.remove(id) else {
                continue;
            };
            for scope in document.joined.keys().copied().collect::<Vec<_>>() {
                self.leave(&mut document, scope, commit, *id);
                self.change_digest(scope, |sum| sum.without(document.digest));
            }
            self.documents.insert(*id, document);
        }
        ended.len()
    }

    /// Adds a row to a feed and returns its number.
    fn add_row(
        &mut self,
        scope: Scope,
        commit: u64,
        document: DocumentId,
        event: FeedEvent,
    ) -> u64 {
        let Some(row) = self.scopes.get_mut(&scope) else {
            return 0;
        };
        row.head += 1;
        self.commits = commit;
        let feed = self.feeds.entry(row.number).or_default();
        feed.rows.push(FeedRow {
            seq: row.head,
            commit,
            document,
            event,
        });
        row.head
    }

    fn change_digest(&mut self, scope: Scope, change: impl FnOnce(Digest) -> Digest) {
        if let Some(row) = self.scopes.get_mut(&scope) {
            row.digest = change(row.digest);
        }
    }

    fn join(&mut self, document: &mut Document, scope: Scope, commit: u64, id: DocumentId) {
        let last = document.changes.len() as u64 - 1;
        let seq = self.add_row(scope, commit, id, FeedEvent::Join(last));
        document.joined.insert(scope, seq);
        if let Some(feed) = self.feed_of(scope) {
            feed.members.insert(seq, id);
        }
    }

    fn leave(&mut self, document: &mut Document, scope: Scope, commit: u64, id: DocumentId) {
        self.add_row(scope, commit, id, FeedEvent::Leave);
        let joined = document.joined.remove(&scope);
        if let (Some(seq), Some(feed)) = (joined, self.feed_of(scope)) {
            feed.members.remove(&seq);
        }
    }

    fn feed_of(&mut self, scope: Scope) -> Option<&mut Feed> {
        self.feeds.get_mut(&self.scopes.get(&scope)?.number)
    }
}
