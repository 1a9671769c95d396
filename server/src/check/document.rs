//! One document: that its changes are what their hashes say and load, and that its row, its numbers and its scopes are what they say.
//!
//! Rows of feeds are not looked at here.

use std::collections::BTreeSet;

use patrol_core::doc::document;
use patrol_core::domain::id::{DeviceId, DocumentId, EntryId};
use patrol_core::domain::place::Scope;
use patrol_core::sync::seal::{self, Digest};

use super::{Checking, keys, number_of};
use crate::grow::Growing;
use crate::store::whole::DocumentRow;
use crate::store::{Result, StoredChange, StoredDocument, Summary};

impl Checking<'_> {
    /// Looks at a document and returns in which write each of its changes came; none where it cannot be read.
    pub(super) fn document(&mut self, id: DocumentId) -> Result<Option<Vec<u64>>> {
        self.report.documents += 1;
        let whole = self.snapshot.whole_document(id)?;
        let numbered = match whole.changes {
            Ok(numbered) => numbered,
            Err(unread) => {
                self.unreadable += 1;
                self.find(format!("changes: document {id}: {unread}"));
                return Ok(None);
            }
        };
        if numbered
            .iter()
            .zip(0..)
            .any(|((ordinal, _), due)| *ordinal != due)
        {
            self.find(format!(
                "changes: `ordinal` of document {id} is not 0, 1, 2 …"
            ));
        }
        let changes = numbered.into_iter().map(|(_, change)| change).collect();
        let stored = StoredDocument { id, changes };
        let growing = match Growing::of(&stored) {
            Ok(growing) => growing,
            Err(error) => {
                self.find(format!("document {id} cannot be read: {error}"));
                self.unreadable += 1;
                return Ok(None);
            }
        };
        self.report.changes += growing.len();
        if growing.is_empty() {
            self.find(format!("document {id} is empty"));
            return Ok(None);
        }
        if document::verify(&growing.ledger).is_err() {
            self.find(format!("document {id} does not load again after saving"));
        }
        let reading = growing.read();
        match &whole.row {
            Ok(row) => {
                self.row(id, row, &growing, &growing.summary(&reading));
                self.membership(id, row, &reading.case.scopes, &whole.members);
            }
            Err(unread) => self.find(format!("documents: {unread}")),
        }
        self.hashes(id, &stored.changes, &growing);
        self.entries_of(&growing)?;
        let commits = stored.changes.iter().map(|change| change.commit);
        Ok(Some(commits.collect()))
    }

    fn row(&mut self, id: DocumentId, row: &DocumentRow, growing: &Growing, derived: &Summary) {
        let mut differing = differing(&row.summary, derived);
        if row.len != growing.len() as u64 {
            differing.push("len");
        }
        if row.digest != Digest::of(id, &growing.ledger.head_hashes()) {
            differing.push("digest");
        }
        let opener = growing.ledger.links().first();
        if row.opened_by != opener.map(|link| link.change.actor.device()) {
            differing.push("opened_by");
        }
        for column in differing {
            self.find(format!(
                "documents: `{column}` of document {id} is not what its changes say"
            ));
        }
        let found_by: BTreeSet<&String> = row.found_by.iter().collect();
        for number in &derived.numbers {
            if !found_by.contains(number) {
                self.find(format!("numbers: document {id} is not found by {number}"));
            }
        }
    }

    /// A document is in the feed of each of its scopes, or, having left by age, in none.
    fn membership(
        &mut self,
        id: DocumentId,
        row: &DocumentRow,
        scopes: &[Scope],
        members: &[(u64, u64)],
    ) {
        let mut due = BTreeSet::new();
        for scope in scopes {
            match self.numbers.get(scope) {
                Some(number) => drop(due.insert(*number)),
                None => self.find(format!("scopes: {scope:?} of document {id} is not there")),
            }
        }
        let known: BTreeSet<u64> = members.iter().map(|(number, _)| *number).collect();
        if known != due {
            self.find(format!(
                "members: document {id} is in scopes {known:?} and should be in {due:?}"
            ));
        }
        let left = members.iter().filter(|(_, joined)| *joined == 0).count();
        if left != 0 && left != members.len() {
            self.find(format!(
                "members: document {id} has left some of its feeds by age"
            ));
        }
        let is_out = left > 0 && left == members.len();
        if row.is_retired != is_out && !members.is_empty() {
            self.find(format!(
                "documents: `retired` of document {id} is not what `members` says"
            ));
        }
    }

    /// Each change has the hash of its bytes, came after those before it, and is proved by a frame of its device that came when it did (or by
    /// its release).
    fn hashes(&mut self, id: DocumentId, changes: &[StoredChange], growing: &Growing) {
        let mut last = 0;
        for (ordinal, (change, link)) in changes.iter().zip(growing.ledger.links()).enumerate() {
            if change.hash != link.change.hash {
                self.find(format!(
                    "changes: `hash` of change {ordinal} of document {id} is not its body's"
                ));
            }
            if change.commit < last {
                self.find(format!("changes: `commit_no` of change {ordinal} of document {id} is below the one before"));
            }
            last = change.commit;
            let device = link.change.actor.device();
            if number_of(device) == 0 || self.is_restored() {
                continue;
            }
            if self.devices.contains_key(&device) {
                let leaf = seal::leaf(id, link.change.hash);
                self.leaves
                    .add(keys::leaf(device, &leaf), change.received_at);
            } else if self.told.insert(device) {
                self.find(format!(
                    "devices: device {device} has made changes and is not there"
                ));
            }
        }
    }

    /// The log knows every entry that was let in; by it losses are found. Who has made it is whose device it was made on.
    fn entries_of(&mut self, growing: &Growing) -> Result<()> {
        for link in growing.ledger.links() {
            let Some((id, entry)) = &link.entry else {
                continue;
            };
            let (device, n) = (entry.device, entry.n);
            self.entries.add(keys::fate(device, n, *id, "ok"));
            self.is_logged(device, n, *id)?;
            let owner = self.devices.get(&device).map(|device| device.person);
            if owner.is_some_and(|owner| owner != entry.person) && self.told.insert(device) {
                self.find(format!(
                    "devices: `person` of device {device} is not who made its entries"
                ));
            }
        }
        Ok(())
    }

    pub(super) fn is_logged(&mut self, device: DeviceId, n: u64, entry: EntryId) -> Result<()> {
        if self.snapshot.fate(device, n, entry)?.is_none() {
            self.find(format!("fates: entry {entry} (number {n} of device {device}) came, and the log does not know it"));
        }
        Ok(())
    }
}

/// The columns of which the row says something else.
fn differing(row: &Summary, derived: &Summary) -> Vec<&'static str> {
    let columns = [
        ("kind", row.kind == derived.kind),
        ("number", row.number == derived.number),
        ("numbers", row.numbers == derived.numbers),
        ("stage", row.stage == derived.stage),
        ("rework", row.rework == derived.rework),
        ("village", row.village == derived.village),
        ("category", row.category == derived.category),
        ("words", row.words == derived.words),
        ("units", row.units == derived.units),
        ("reporter", row.reporter == derived.reporter),
        ("conflicts", row.conflicts == derived.conflicts),
        ("anomalies", row.anomalies == derived.anomalies),
        ("opened_at", row.opened_at == derived.opened_at),
        ("changed_at", row.changed_at == derived.changed_at),
        ("ended_at", row.ended_at == derived.ended_at),
    ];
    let differing = columns.into_iter().filter(|(_, is_same)| !is_same);
    differing.map(|(column, _)| column).collect()
}
