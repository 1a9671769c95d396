//! Whether everything that is derived is what its sources say: documents, list rows, feeds, sums, the log of entries.
//!
//! It reads one snapshot, changes nothing and repairs nothing. Whether the file itself is whole is the backend's to say.

use std::collections::{BTreeMap, BTreeSet};

use patrol_core::domain::id::{DeviceId, DocumentId, EntryId};
use patrol_core::domain::place::Scope;
use patrol_core::sync::seal::Digest;
use serde::Serialize;

use crate::grow::Growing;
use crate::store::{FeedEvent, Result, Snapshot, Store};

/// What was looked at, and what is not as it should be.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Report {
    /// Documents looked at.
    pub documents: usize,
    /// Their changes.
    pub changes: usize,
    /// Scopes with a feed.
    pub scopes: usize,
    /// What differs, in words.
    pub findings: Vec<String>,
}

/// Looks at everything.
pub fn check(store: &dyn Store) -> Result<Report> {
    let mut report = Report::default();
    store.read(&mut |snapshot| {
        let mut checking = Checking {
            snapshot,
            report: Report::default(),
            members: BTreeMap::new(),
            unreadable: 0,
            shown: BTreeMap::new(),
        };
        for id in snapshot.all_documents()? {
            checking.document(id)?;
        }
        for (scope, members) in std::mem::take(&mut checking.members) {
            checking.scope(scope, &members)?;
        }
        report = checking.report;
        Ok(())
    })?;
    Ok(report)
}

/// What a scope's feed should hold: of each document in it how many changes, and what it adds to the sum.
type Members = BTreeMap<DocumentId, (u64, Digest)>;

struct Checking<'s> {
    snapshot: &'s dyn Snapshot,
    report: Report,
    members: BTreeMap<Scope, Members>,
    /// Documents that cannot be read: sums and feeds over them cannot be told.
    unreadable: usize,
    /// Which document shows a number.
    shown: BTreeMap<String, DocumentId>,
}

impl Checking<'_> {
    fn find(&mut self, finding: String) {
        self.report.findings.push(finding);
    }

    fn document(&mut self, id: DocumentId) -> Result<()> {
        self.report.documents += 1;
        let growing = match Growing::load(self.snapshot, id) {
            Ok(growing) => growing,
            Err(error) => {
                self.find(format!("document {id} cannot be read: {error}"));
                self.unreadable += 1;
                return Ok(());
            }
        };
        self.report.changes += growing.len();
        if growing.is_empty() {
            self.find(format!("document {id} is empty"));
            return Ok(());
        }
        if growing.verify().is_err() {
            self.find(format!("document {id} does not load again after saving"));
        }
        let reading = growing.read();
        let derived = growing.summary(&reading);
        if self.snapshot.summary(id)?.as_ref() != Some(&derived) {
            self.find(format!(
                "document {id}: its row is not what its changes say"
            ));
        }
        if let Some(number) = derived.number
            && let Some(other) = self.shown.insert(number.clone(), id)
        {
            self.find(format!(
                "number {number} is shown by documents {other} and {id}"
            ));
        }
        let digest = Digest::of(id, &growing.ledger.head_hashes());
        self.memberships(id, &reading.case.scopes, (growing.len() as u64, digest))?;
        let entries: Vec<(DeviceId, u64, EntryId)> = growing
            .ledger
            .links()
            .iter()
            .filter_map(|link| link.entry.as_ref())
            .map(|(id, entry)| (entry.device, entry.n, *id))
            .collect();
        for (device, n, entry) in entries {
            self.logged(device, n, entry)?;
        }
        Ok(())
    }

    /// A document is in the feed of each of its scopes, or, having left by age, in none.
    fn memberships(
        &mut self,
        id: DocumentId,
        scopes: &[Scope],
        state: (u64, Digest),
    ) -> Result<()> {
        let joined = self.snapshot.memberships(id)?;
        let is_in_feeds = !joined.is_empty();
        let mut due = BTreeSet::new();
        for scope in scopes {
            let members = self.members.entry(*scope).or_default();
            if is_in_feeds {
                members.insert(id, state);
            }
            due.extend(self.snapshot.scope(*scope)?.map(|row| row.number));
        }
        let known: BTreeSet<u64> = joined.into_iter().map(|(number, _)| number).collect();
        if is_in_feeds && known != due {
            self.find(format!(
                "document {id} is in the feeds of scopes {known:?} and should be in those of {due:?}"
            ));
        }
        Ok(())
    }

    /// The log knows every entry that was let in; by it losses are found.
    fn logged(&mut self, device: DeviceId, n: u64, entry: EntryId) -> Result<()> {
        let mut rows = self.snapshot.fates(device, n, 16)?;
        rows.retain(|row| row.n == n && row.entry == entry);
        if rows.is_empty() {
            self.find(format!(
                "entry {entry} (number {n} of device {device}) is let in, and the log does not know it"
            ));
        }
        Ok(())
    }

    fn scope(&mut self, scope: Scope, members: &Members) -> Result<()> {
        self.report.scopes += 1;
        let Some(row) = self.snapshot.scope(scope)? else {
            self.find(format!("{scope:?} has no feed"));
            return Ok(());
        };
        if self.unreadable > 0 {
            return Ok(());
        }
        let sum = members
            .values()
            .fold(Digest::default(), |sum, (_, digest)| sum.with(*digest));
        if row.digest != sum {
            self.find(format!(
                "{scope:?}: the digest is not the sum over its members"
            ));
        }
        let told = self.feed(scope, row.number, row.head)?;
        let due = members.iter().map(|(id, (len, _))| (*id, *len)).collect();
        if told.is_some_and(|told| told != due) {
            self.find(format!(
                "{scope:?}: its feed does not tell what its documents hold"
            ));
        }
        Ok(())
    }

    /// Plays a feed: of each document that is in it at the end, how many changes it has told. None where it cannot be played.
    fn feed(
        &mut self,
        scope: Scope,
        number: u64,
        head: u64,
    ) -> Result<Option<BTreeMap<DocumentId, u64>>> {
        let rows = self.snapshot.feed(number, 0, usize::MAX >> 8)?;
        let mut told: BTreeMap<DocumentId, u64> = BTreeMap::new();
        let mut last = (0, 0);
        for row in &rows {
            let follows = match row.event {
                FeedEvent::Join(ordinal) => told.insert(row.document, ordinal + 1).is_none(),
                FeedEvent::Change(ordinal) => {
                    told.insert(row.document, ordinal + 1) == Some(ordinal)
                }
                FeedEvent::Leave => told.remove(&row.document).is_some(),
            };
            if !follows || row.seq != last.0 + 1 || row.commit < last.1 {
                self.find(format!("{scope:?}: row {} does not follow", row.seq));
                return Ok(None);
            }
            last = (row.seq, row.commit);
        }
        if last.0 != head {
            self.find(format!(
                "{scope:?}: the feed ends at {}, not at {head}",
                last.0
            ));
            return Ok(None);
        }
        Ok(Some(told))
    }
}
