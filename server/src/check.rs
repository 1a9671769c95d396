//! Whether everything that is kept agrees: what is derived is derived again, what proves itself is asked for its proof (a hash, a
//! signature, a shape). Which column is which stands in `tests/stories/checked/columns.txt`.
//!
//! It reads one snapshot, changes nothing and repairs nothing. Whether the file itself is whole is the backend's to say. It goes through each
//! table once; of that it remembers 32 bytes a change and the documents of one feed.

mod document;
mod feeds;
mod keys;
mod log;
mod reference;

use std::collections::{BTreeMap, BTreeSet};

use patrol_core::domain::id::{DeviceId, DocumentId};
use patrol_core::domain::limits;
use patrol_core::domain::place::Scope;
use patrol_core::domain::time::Timestamp;
use patrol_core::sync::seal;
use serde::Serialize;

use self::feeds::Writes;
use self::keys::{Keys, Leaves};
use crate::store::whole::{Counters, Had, WholeScope};
use crate::store::{Device, Identity, Result, Snapshot, Store};

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
    let identity = store.identity()?;
    let mut report = Report::default();
    store.read(&mut |snapshot| {
        let mut checking = Checking::new(snapshot, &identity)?;
        checking.everything()?;
        report = checking.report;
        if checking.untold > 0 {
            let untold = checking.untold;
            report
                .findings
                .push(format!("{untold} more that differ are not told"));
        }
        Ok(())
    })?;
    Ok(report)
}

struct Checking<'s> {
    snapshot: &'s dyn Snapshot,
    identity: &'s Identity,
    report: Report,
    /// What differs beyond what is told.
    untold: usize,
    devices: BTreeMap<DeviceId, Device>,
    scopes: Vec<WholeScope>,
    numbers: BTreeMap<Scope, u64>,
    /// Documents that cannot be read: whether an entry stands in one of them cannot be told.
    unreadable: usize,
    writes: Writes,
    /// Entries that documents hold.
    entries: Keys,
    /// Entries in boxes, with what the log may say of them.
    boxes: Keys,
    /// Changes that a signed frame must prove.
    leaves: Leaves,
    /// Those of them that a review let in.
    released: Vec<(u64, Timestamp)>,
    /// Devices of which something has been told that would be told for each of their changes.
    told: BTreeSet<DeviceId>,
}

impl<'s> Checking<'s> {
    fn new(snapshot: &'s dyn Snapshot, identity: &'s Identity) -> Result<Self> {
        Ok(Self {
            snapshot,
            identity,
            report: Report::default(),
            untold: 0,
            devices: BTreeMap::new(),
            scopes: Vec::new(),
            numbers: BTreeMap::new(),
            unreadable: 0,
            writes: Writes::default(),
            entries: Keys::default(),
            boxes: Keys::default(),
            leaves: Leaves::default(),
            released: Vec::new(),
            told: BTreeSet::new(),
        })
    }

    fn find(&mut self, finding: String) {
        if self.report.findings.len() < limits::CHECK_FINDINGS_MAX {
            self.report.findings.push(finding);
        } else {
            self.untold += 1;
        }
    }

    /// In an order in which each has what it needs.
    fn everything(&mut self) -> Result<()> {
        let snapshot = self.snapshot;
        self.identity();
        snapshot.disagreements(&mut |finding| self.find(finding))?;
        let last_device = self.all_devices()?;
        self.directories()?;
        self.components()?;
        self.all_scopes()?;
        for id in self.documents()? {
            let commits = self.document(id)?;
            self.writes.add(id, commits);
        }
        self.entries.seal();
        self.all_numbers()?;
        let last_commit = self.feeds()?;
        self.counters(last_device, last_commit)?;
        self.boxed()?;
        self.boxes.seal();
        self.fates()?;
        self.leaves.seal();
        self.batches()?;
        self.notices()
    }

    fn identity(&mut self) {
        let Identity {
            epoch,
            device,
            actor,
            ..
        } = self.identity;
        if *device != DeviceId::new(*epoch, 0) {
            self.find("identity: `device` is not the first of `epoch`".to_owned());
        }
        if actor.device() != *device {
            self.find("identity: `actor` is not one of `device`".to_owned());
        }
    }

    /// After a restore phones bring changes back whose frames are lost.
    fn is_restored(&self) -> bool {
        !self.identity.number_block.is_empty()
    }

    /// Returns the number of the last one of this epoch.
    fn all_devices(&mut self) -> Result<u32> {
        let snapshot = self.snapshot;
        let mut last = 0;
        snapshot.all_devices(&mut |row| {
            match row {
                Err(unread) => self.find(format!("devices: {unread}")),
                Ok(device) => {
                    if DeviceId::new(self.identity.epoch, number_of(device.id)) == device.id {
                        last = last.max(number_of(device.id));
                    }
                    self.device(device);
                }
            }
            Ok(())
        })?;
        Ok(last)
    }

    fn counters(&mut self, last_device: u32, last_commit: u64) -> Result<()> {
        match self.snapshot.counters()? {
            Err(unread) => self.find(format!("counters: {unread}")),
            Ok(Counters { device, commit }) => {
                if device != last_device {
                    self.find(format!(
                        "counters: `device_no` is {device} and the last device of this epoch is {last_device}"
                    ));
                }
                if commit != last_commit {
                    self.find(format!(
                        "counters: `commit_no` is {commit} and the last write of the feeds is {last_commit}"
                    ));
                }
            }
        }
        Ok(())
    }

    /// The ids of those that have one.
    fn documents(&mut self) -> Result<Vec<DocumentId>> {
        let snapshot = self.snapshot;
        let mut all = Vec::new();
        snapshot.document_ids(&mut |row| {
            match row {
                Ok(id) => all.push(id),
                Err(unread) => {
                    self.unreadable += 1;
                    self.find(format!("documents: {unread}"));
                }
            }
            Ok(())
        })?;
        Ok(all)
    }

    fn device(&mut self, device: Device) {
        let id = device.id;
        if device.n_told > device.n_max {
            self.find(format!(
                "devices: `n_told` of device {id} is beyond its log"
            ));
        }
        if !seal::is_public_key(&device.public_key) {
            self.find(format!("devices: `public_key` of device {id} is no key"));
        }
        self.devices.insert(id, device);
    }

    fn all_scopes(&mut self) -> Result<()> {
        let snapshot = self.snapshot;
        snapshot.all_scopes(&mut |row| {
            match row {
                Err(unread) => self.find(format!("scopes: {unread}")),
                Ok(scope) => {
                    self.numbers.insert(scope.scope, scope.number);
                    self.scopes.push(scope);
                }
            }
            Ok(())
        })
    }

    /// A document has each number by which it is found, and no two show the same one. That each is found by its numbers was asked with the
    /// document.
    fn all_numbers(&mut self) -> Result<()> {
        let snapshot = self.snapshot;
        let mut last: Option<(String, DocumentId)> = None;
        snapshot.all_numbers(&mut |row| {
            let row = match row {
                Ok(row) => row,
                Err(unread) => {
                    self.find(format!("numbers: {unread}"));
                    return Ok(());
                }
            };
            let (number, id) = (row.number, row.document);
            match row.had {
                None => self.find(format!("numbers: document {id} does not have {number}")),
                Some(Had::Other) => {}
                Some(Had::Shown) => {
                    if let Some((shown, other)) = &last
                        && *shown == number
                    {
                        let both = format!("{other} and {id}");
                        self.find(format!("number {number} is shown by documents {both}"));
                    }
                    last = Some((number, id));
                }
            }
            Ok(())
        })
    }

    fn notices(&mut self) -> Result<()> {
        let snapshot = self.snapshot;
        snapshot.all_notices(&mut |row| {
            if let Err(unread) = row {
                self.find(format!("notices: {unread}"));
            }
            Ok(())
        })
    }
}

/// The number of a device within its epoch; the server's own is 0.
fn number_of(device: DeviceId) -> u32 {
    let [.., a, b, c, d] = device.0;
    u32::from_be_bytes([a, b, c, d])
}
