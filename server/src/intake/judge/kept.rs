//! What is kept of changes beyond their documents: the boxes of those that are not let in, and the log. It also answers out of the boxes.

use patrol_core::domain::limits;
use patrol_core::domain::refusal::Refusal;
use patrol_core::domain::time::DAY_MS;
use patrol_core::sync::wire::{Fate, Later, Notice};

use super::standing::Base;
use super::{Held, Judge, entry_of};
use crate::intake::items::Item;
use crate::store::{BoxedAs, BoxedChange, FateRow, Result};

impl Judge<'_> {
    /// What a change was told that lies in a box, unless it may be judged anew.
    pub(super) fn told(&mut self, item: &Item) -> Result<Option<Fate>> {
        let boxed = self.snapshot.boxed(self.device.id, item.box_key())?;
        if let Some(row) = &boxed {
            self.lying.insert(item.box_key(), row.state);
        }
        let told = match boxed
            .map(|boxed| (boxed.state, boxed.settled.map(|settled| settled.released)))
        {
            Some((BoxedAs::Held, None | Some(false))) => Some(Fate::Review),
            // Kept from a bundle, in case its phone never called again: it may call now, or what was missing may have come. Or it followed what a
            // review refused: its phone is to make it again, and hears that of what it followed.
            Some((BoxedAs::Refused(number), _)) if number == Refusal::Quarantined.number() => None,
            // A copy of its phone may have made it again by now.
            Some((BoxedAs::Refused(number), None))
                if number == Refusal::Forked.number() && self.carriage.is_bundle() =>
            {
                None
            }
            Some((BoxedAs::Refused(number), _)) => Some(Fate::Refused(
                Refusal::from_number(number).unwrap_or(Refusal::UpdateNeeded),
            )),
            Some((BoxedAs::Held, Some(true))) => {
                self.released.insert(item.hash);
                None
            }
            None => None,
        };
        Ok(told)
    }

    /// Whether more of this device lies in boxes since a day than one device may put there.
    fn has_boxed_too_much(&mut self) -> Result<bool> {
        let since = self.now.plus_ms(-DAY_MS);
        let before = match self.boxed_before {
            Some(before) => before,
            None => self.snapshot.boxed_since(self.device.id, since)?,
        };
        self.boxed_before = Some(before);
        let now = self.commit.boxed.iter().map(|row| row.body.len() as u64);
        let bytes = before.bytes + now.sum::<u64>();
        let rows = before.rows + self.commit.boxed.len() as u64;
        Ok(bytes >= limits::BOXED_BYTES_A_DAY_MAX || rows >= limits::BOXED_A_DAY_MAX)
    }

    /// Whether more proofs of this device's frames were kept since a day than one device may have. Asked where this one's is not small.
    pub(super) fn has_proved_too_much(&self, changes: usize) -> Result<bool> {
        let since = self.now.plus_ms(-DAY_MS);
        Ok(changes > limits::PROOF_CHANGES_SMALL
            && self.snapshot.proofs_since(self.device.id, since)? >= limits::PROOF_BYTES_A_DAY_MAX)
    }

    pub(super) fn hold(&mut self, item: &Item) -> Result<Fate> {
        if self.has_boxed_too_much()? {
            return Ok(Fate::Later(Later::Slow));
        }
        self.held
            .entry(item.document)
            .or_default()
            .insert(item.hash, Held::Now);
        self.keep(item, BoxedAs::Held);
        Ok(Fate::Review)
    }

    pub(super) fn refuse(&mut self, item: &Item, refusal: Refusal) -> Result<Fate> {
        let state = BoxedAs::Refused(refusal.number());
        // What lies there as it would be kept leaves nothing more, and costs its device nothing: anybody may carry a bundle again and again.
        if self.lying.get(&item.box_key()) != Some(&state) {
            if self.has_boxed_too_much()? {
                return Ok(Fate::Later(Later::Slow));
            }
            self.keep(item, state);
        }
        let place = (item.document, item.box_key());
        self.bases.insert(place, Base::Never);
        Ok(Fate::Refused(refusal))
    }

    fn keep(&mut self, item: &Item, state: BoxedAs) {
        let person = item
            .change
            .as_ref()
            .ok()
            .and_then(|change| entry_of(item.document, change))
            .map(|(_, entry)| entry.person);
        self.commit.boxed.push(BoxedChange {
            device: self.device.id,
            document: item.document,
            hash: item.box_key(),
            // What is too large to be a change is known by its hash alone; the phone keeps it.
            body: if item.body.len() > limits::CHANGE_BYTES_MAX {
                Vec::new()
            } else {
                item.body.clone()
            },
            person,
            state,
            boxed_at: self.now,
            settled: None,
        });
    }

    /// Whether that waits for the device already: it may never name it.
    fn is_told_to_enrol_anew(&mut self) -> Result<bool> {
        if let Some(is_told) = self.is_told_anew {
            return Ok(is_told);
        }
        let waiting = self.snapshot.notices(self.device.id, 0)?;
        let is_told = waiting.iter().any(|(_, notice)| *notice == Notice::ReEnrol);
        self.is_told_anew = Some(is_told);
        Ok(is_told)
    }

    /// Notes what became of an entry, and whether its counter was used before for another.
    pub(super) fn log(&mut self, item: &Item, fate: &Fate) -> Result<()> {
        let word = match fate {
            Fate::Ok => "ok".to_owned(),
            Fate::Review => "review".to_owned(),
            Fate::Refused(refusal) => refusal.code().to_owned(),
            Fate::Dup | Fate::Missing(_) | Fate::Later(_) => return Ok(()),
        };
        let Some((id, entry)) = item
            .change
            .as_ref()
            .ok()
            .and_then(|change| entry_of(item.document, change))
        else {
            return Ok(());
        };
        if entry.device != self.device.id {
            return Ok(());
        }
        let is_other = |row: &FateRow| row.n == entry.n && row.entry != id;
        let logged = if entry.n <= self.device.n_max {
            self.snapshot.fates(self.device.id, entry.n, 1)?
        } else {
            Vec::new()
        };
        let is_twice = logged.iter().chain(&self.commit.fates).any(is_other);
        if is_twice && self.commit.notices.is_empty() && !self.is_told_to_enrol_anew()? {
            self.commit.notices.push((self.device.id, Notice::ReEnrol));
        }
        self.commit.fates.push(FateRow {
            device: self.device.id,
            n: entry.n,
            entry: id,
            fate: word,
        });
        Ok(())
    }
}
