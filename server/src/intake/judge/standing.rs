//! Changes whose deed stands in their document in another change, since their phone or its copy has made it again: they are let in as they
//! are only where something builds on them. What cannot come in by that is told apart from what may yet.

use std::collections::BTreeSet;

use patrol_core::doc::admit::{Objection, RightCheck};
use patrol_core::doc::parse::{self, Parsed};
use patrol_core::domain::id::{ChangeHash, DocumentId};
use patrol_core::domain::time::Timestamp;

use super::Judge;
use crate::store::{BoxedAs, BoxedChange, Result};

impl Judge<'_> {
    /// Lets in those of these changes whose deed stands in another, with what they build on that is like them. Returns whether there was any.
    pub(super) fn let_in_standing(
        &mut self,
        id: DocumentId,
        missing: &[ChangeHash],
    ) -> Result<bool> {
        let (mut is_any, mut seen) = (false, BTreeSet::new());
        let mut open = missing.to_vec();
        while let Some(hash) = open.last().copied() {
            let is_first = seen.insert(hash);
            let added = match self.standing_elsewhere(id, hash)? {
                Some((change, at)) => self.add(id, &change, RightCheck::Waive, at),
                None => Err(Objection::Dup),
            };
            match added {
                Err(Objection::Missing(below)) if is_first => {
                    open.extend(below.into_iter().filter(|hash| !seen.contains(hash)));
                }
                added => {
                    is_any |= added.is_ok();
                    open.pop();
                }
            }
        }
        Ok(is_any)
    }

    /// A change of this device whose deed stands in another, and since when: a review has released it, or it is of this frame.
    fn standing_elsewhere(
        &self,
        id: DocumentId,
        hash: ChangeHash,
    ) -> Result<Option<(Parsed, Timestamp)>> {
        let boxed = self.snapshot.boxed(self.device.id, hash)?;
        if let Some(boxed) = boxed.filter(|row| row.document == id)
            && let Some(settled) = boxed.settled.filter(|settled| settled.released)
        {
            let change = parse::parse(&boxed.body).ok();
            return Ok(change.map(|change| (change, settled.at)));
        }
        let standing = self.standing.get(&hash);
        Ok(standing.map(|change| (change.clone(), self.now)))
    }

    /// Whether none of these changes will ever come in: each of this device's that was refused, before or in this frame, or whose deed stands in
    /// another change while itself cannot, for the same reason.
    pub(super) fn rests_on_refused(&self, id: DocumentId, missing: &[ChangeHash]) -> Result<bool> {
        let mut open = missing.to_vec();
        while let Some(hash) = open.pop() {
            if self.is_refused(hash)? {
                continue;
            }
            let Some(change) = self.standing.get(&hash) else {
                return Ok(false);
            };
            let is_absent = |dep: &&ChangeHash| {
                let growing = self.documents.get(&id);
                growing.is_none_or(|growing| growing.ledger.place(dep).is_none())
            };
            // Where nothing is absent its place was taken.
            open.extend(change.deps.iter().filter(is_absent));
        }
        Ok(true)
    }

    fn is_refused(&self, hash: ChangeHash) -> Result<bool> {
        let is_refused = |row: &BoxedChange| matches!(row.state, BoxedAs::Refused(_));
        match self.commit.boxed.iter().find(|row| row.hash == hash) {
            Some(row) => Ok(is_refused(row)),
            None => {
                let before = self.snapshot.boxed(self.device.id, hash)?;
                Ok(before.as_ref().is_some_and(is_refused))
            }
        }
    }
}
