//! What came from devices: boxes by their hashes and entries, the log of fates against documents and boxes, push frames by their signatures.

use patrol_core::doc::parse;
use patrol_core::domain::id::ChangeHash;
use patrol_core::domain::refusal::Refusal;
use patrol_core::sync::seal::{self, Batch};
use sha2::{Digest as _, Sha256};

use super::{Checking, keys};
use crate::intake::entry_of;
use crate::store::{BatchRow, BoxedAs, BoxedChange, FateRow, Result};

impl Checking<'_> {
    pub(super) fn boxed(&mut self) -> Result<()> {
        let snapshot = self.snapshot;
        snapshot.all_boxed(&mut |row| match row {
            Ok((_, row)) => self.boxed_change(&row),
            Err(unread) => {
                self.find(format!("boxed: {unread}"));
                Ok(())
            }
        })
    }

    fn boxed_change(&mut self, row: &BoxedChange) -> Result<()> {
        let (device, hash) = (row.device, row.hash);
        let mut find = |what: &str| {
            self.find(format!("boxed: change {hash} of device {device}: {what}"));
        };
        let change = parse::parse(&row.body).ok();
        let was_held = row.state == BoxedAs::Held || row.settled.is_some();
        // What is no change is named by all of its bytes; what is too large to be one is kept without them.
        let of_bytes = ChangeHash(Sha256::digest(&row.body).into());
        let is_its_own = hash == of_bytes || change.as_ref().is_some_and(|it| it.hash == hash);
        let is_too_large = row.body.is_empty()
            && row.person.is_none()
            && row.state == BoxedAs::Refused(Refusal::Malformed.number());
        if !is_its_own && !is_too_large {
            find("`hash` is not that of `body`");
        }
        if was_held && change.is_none() {
            find("`body` was held and is no change");
        }
        let entry = change.as_ref().and_then(|it| entry_of(row.document, it));
        if row.person != entry.as_ref().map(|(_, entry)| entry.person) {
            find("`person` is not who made its entry");
        }
        let word = match row.state {
            BoxedAs::Held => "review",
            BoxedAs::Refused(number) => match Refusal::from_number(number) {
                Some(refusal) => refusal.code(),
                None => {
                    find("`refusal` is no reason's number");
                    Refusal::UpdateNeeded.code()
                }
            },
        };
        let released = row.settled.as_ref().map(|settled| settled.released);
        if released.is_some_and(|released| released != (row.state == BoxedAs::Held)) {
            find("`released` and `refusal` say different things");
        }
        if was_held {
            self.is_of_its_person(row);
            let leaf = seal::leaf(row.document, hash);
            self.leaves.add(keys::leaf(device, &leaf), row.boxed_at);
            let settled = row.settled.as_ref().filter(|settled| settled.released);
            // In the moment in which it came it is its frame that proves it.
            if let Some(settled) = settled.filter(|settled| settled.at != row.boxed_at) {
                self.released.push((keys::leaf(device, &leaf), settled.at));
            }
        }
        let Some((entry, n)) = entry
            .filter(|(_, entry)| entry.device == device)
            .map(|(id, entry)| (id, entry.n))
        else {
            return Ok(());
        };
        self.boxes.add(keys::fate(device, n, entry, word));
        if was_held {
            self.boxes.add(keys::fate(device, n, entry, "review"));
        }
        let is_let_in = self.entries.contains(keys::fate(device, n, entry, "ok"));
        if released == Some(true) && !is_let_in && self.unreadable == 0 {
            self.find(format!(
                "boxed: change {hash} of device {device} is released and in no document"
            ));
        }
        self.is_logged(device, n, entry)
    }

    /// Held for review is only what a device's own person has made.
    fn is_of_its_person(&mut self, row: &BoxedChange) {
        let device = row.device;
        let owner = self.devices.get(&device).map(|device| device.person);
        if owner.is_some() && row.person != owner && self.told.insert(device) {
            self.find(format!(
                "devices: `person` of device {device} is not who made what was held of it"
            ));
        }
    }

    /// What the log says of an entry is borne out by a document or a box.
    pub(super) fn fates(&mut self) -> Result<()> {
        let snapshot = self.snapshot;
        snapshot.all_fates(&mut |row| {
            match row {
                Ok(row) => self.fate(&row),
                Err(unread) => self.find(format!("fates: {unread}")),
            }
            Ok(())
        })
    }

    fn fate(&mut self, row: &FateRow) {
        let FateRow {
            device,
            n,
            entry,
            fate,
        } = row;
        let key = keys::fate(*device, *n, *entry, fate);
        let is_borne_out = if fate == "ok" {
            self.unreadable > 0 || self.entries.contains(key)
        } else {
            self.boxes.contains(key)
        };
        if !is_borne_out {
            self.find(format!("fates: number {n} of device {device}: what `fate` says of entry {entry}, no document and no box bears out"));
        }
    }

    pub(super) fn batches(&mut self) -> Result<()> {
        let snapshot = self.snapshot;
        // What a review released came when it was released; that it was sent is asked of its box.
        for (key, at) in std::mem::take(&mut self.released) {
            self.leaves.meet(key, at);
        }
        snapshot.all_batches(&mut |row| {
            match row {
                Ok((no, row)) => self.batch(no, &row),
                Err(unread) => self.find(format!("batches: {unread}")),
            }
            Ok(())
        })?;
        if self.leaves.has_unmet() {
            self.unproved()?;
        }
        Ok(())
    }

    fn batch(&mut self, no: u64, row: &BatchRow) {
        let (leaves, rest) = row.leaves.as_chunks::<32>();
        let batch = Batch {
            server: self.identity.server,
            device: row.device,
            n: row.n,
            leaves: leaves.to_vec(),
        };
        let device = self.devices.get(&row.device);
        let is_signed = device.map(|it| batch.is_signed_by(&it.public_key, &row.signature));
        match is_signed {
            None => self.find(format!("batches: frame {no}: `device` is not there")),
            Some(true) if rest.is_empty() => {
                for leaf in leaves {
                    let key = keys::leaf(row.device, leaf);
                    self.leaves.meet(key, row.received_at);
                }
            }
            Some(_) => self.find(format!(
                "batches: frame {no}: `signature` is not its device's over what it says"
            )),
        }
    }

    /// Names the changes that no frame proves with their time, of documents and in boxes.
    fn unproved(&mut self) -> Result<()> {
        let snapshot = self.snapshot;
        for id in self.writes.documents().to_vec() {
            let Ok(changes) = snapshot.whole_document(id)?.changes else {
                continue;
            };
            for (ordinal, stored) in changes {
                let Ok(change) = parse::parse(&stored.body) else {
                    continue;
                };
                let leaf = seal::leaf(id, change.hash);
                let key = keys::leaf(change.actor.device(), &leaf);
                if self.leaves.is_unmet(key, stored.received_at) {
                    self.find(format!(
                        "batches: no frame proves who sent change {ordinal} of document {id} and when"
                    ));
                }
            }
        }
        snapshot.all_boxed(&mut |row| {
            let Ok((_, row)) = row else { return Ok(()) };
            let leaf = seal::leaf(row.document, row.hash);
            let key = keys::leaf(row.device, &leaf);
            if self.leaves.is_unmet(key, row.boxed_at) {
                self.find(format!(
                    "batches: no frame proves who sent the boxed change {} of device {} and when",
                    row.hash, row.device
                ));
            }
            Ok(())
        })
    }
}
