//! Changes whose deed stands in their document in another change, since their phone or its copy has made it again: they are let in beside that,
//! or held, only where something builds on them. What can never come in by that is told apart from what may yet.
//!
//! Each change is looked at once for a frame, however many build on it.

use patrol_core::doc::admit::{Objection, RightCheck};
use patrol_core::doc::parse::{self, Parsed};
use patrol_core::domain::id::{ChangeHash, DocumentId};
use patrol_core::domain::time::Timestamp;
use patrol_core::sync::wire::Fate;

use super::{Held, Judge};
use crate::intake::items::Item;
use crate::store::{BoxedAs, BoxedChange, Result};

/// What is known of a change on which something builds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Base {
    /// It is in its document.
    There,
    /// It is held for review.
    Held,
    /// It may come.
    Unknown,
    /// It will never be: it was refused, its place was taken, or it rests on such a one. So nothing that builds on it will.
    Never,
}

/// A change of this device that is not in its document.
enum Found {
    /// A review has released it, since when; its deed stood in another.
    Released(Parsed, Timestamp),
    /// It is of this frame, and its deed stands in another.
    Standing(Parsed),
    /// It is held, since before this frame or in it.
    Held,
    /// It was refused before this frame.
    Refused,
    Nothing,
}

impl Judge<'_> {
    /// What becomes of changes that something misses: those whose deed stands in another are let in, and what they build on that is like them.
    /// The best and the worst of all.
    pub(super) fn bases(&mut self, id: DocumentId, missing: &[ChangeHash]) -> Result<(Base, Base)> {
        let (mut best, mut worst) = (Base::Never, Base::There);
        for hash in missing {
            let base = self.base(id, *hash)?;
            (best, worst) = (best.min(base), worst.max(base));
        }
        Ok((best, worst))
    }

    /// Adds a change to a document that begins anew, with what it builds on that was let in before.
    pub(super) fn add_anew(
        &mut self,
        id: DocumentId,
        change: &Parsed,
    ) -> Result<std::result::Result<(), Objection>> {
        let added = self.add(id, change, RightCheck::Judge, self.now);
        let Err(Objection::Missing(missing)) = &added else {
            return Ok(added);
        };
        self.bases.retain(|_, base| *base != Base::There);
        let (best, _) = self.bases(id, missing)?;
        if best == Base::There {
            return Ok(self.add(id, change, RightCheck::Judge, self.now));
        }
        Ok(added)
    }

    /// Lets in what this frame's held changes build on, in a document that has begun anew: none could be released without that.
    pub(super) fn below_held(&mut self, id: DocumentId) -> Result<()> {
        let is_held = |row: &&BoxedChange| row.document == id && row.state == BoxedAs::Held;
        let held = self.commit.boxed.iter().filter(is_held);
        let held: Vec<Parsed> = held
            .filter_map(|row| parse::parse(&row.body).ok())
            .collect();
        for change in held {
            let before = self.len(id);
            self.bases.retain(|_, base| *base != Base::There);
            let absent = self.absent(id, &change.deps);
            self.bases(id, &absent)?;
            if self.len(id) > before && !self.loads(id) {
                self.truncate(id, before);
            }
        }
        Ok(())
    }

    fn base(&mut self, id: DocumentId, hash: ChangeHash) -> Result<Base> {
        let mut open = vec![hash];
        while let Some(hash) = open.last().copied() {
            if self.known(id, hash).is_some() {
                open.pop();
                continue;
            }
            let (change, released) = match self.found(id, hash)? {
                Found::Released(change, at) => (change, Some(at)),
                Found::Standing(change) => (change, None),
                Found::Held => {
                    self.bases.insert((id, hash), Base::Held);
                    continue;
                }
                Found::Refused => {
                    self.bases.insert((id, hash), Base::Never);
                    continue;
                }
                Found::Nothing => {
                    self.bases.insert((id, hash), Base::Unknown);
                    continue;
                }
            };
            let absent = self.absent(id, &change.deps);
            let unknown = absent.iter().find(|dep| self.known(id, **dep).is_none());
            if let Some(dep) = unknown {
                open.push(*dep);
                continue;
            }
            if let Some(later) = absent.iter().find_map(|dep| self.waiting.get(dep)) {
                self.waiting.insert(hash, *later);
            }
            let below = absent.iter().filter_map(|dep| self.known(id, *dep)).max();
            let base = match below {
                None => self.let_in(id, change, released)?,
                Some(Base::Held) => self.hold_base(id, change)?,
                Some(below) => below,
            };
            self.bases.insert((id, hash), base);
        }
        Ok(self.known(id, hash).unwrap_or(Base::Unknown))
    }

    fn known(&self, id: DocumentId, hash: ChangeHash) -> Option<Base> {
        self.bases.get(&(id, hash)).copied()
    }

    fn absent(&self, id: DocumentId, deps: &[ChangeHash]) -> Vec<ChangeHash> {
        let growing = self.documents.get(&id);
        let is_absent =
            |dep: &ChangeHash| growing.is_none_or(|growing| growing.ledger.place(dep).is_none());
        deps.iter().copied().filter(is_absent).collect()
    }

    /// What a review has released was judged there. Any other is judged as if it had come alone: its deed stands, but in another place, and its
    /// author's right was asked when that came.
    fn let_in(
        &mut self,
        id: DocumentId,
        change: Parsed,
        released: Option<Timestamp>,
    ) -> Result<Base> {
        let len = self.len(id);
        let (right, at) =
            released.map_or((RightCheck::Judge, self.now), |at| (RightCheck::Waive, at));
        Ok(match self.add(id, &change, right, at) {
            Ok(()) if released.is_none() && self.device.revoked_at.is_some() => {
                self.truncate(id, len);
                self.hold_base(id, change)?
            }
            Ok(()) => {
                self.has_brought |= released.is_none();
                Base::There
            }
            Err(Objection::Review) => self.hold_base(id, change)?,
            Err(Objection::Dup) => Base::There,
            Err(Objection::Refused(_)) => Base::Never,
            Err(Objection::Missing(_) | Objection::Newer) => Base::Unknown,
        })
    }

    /// Holds a change of this frame with what builds on it.
    fn hold_base(&mut self, document: DocumentId, change: Parsed) -> Result<Base> {
        let item = Item {
            document,
            hash: change.hash,
            body: change.bytes.clone(),
            change: Ok(change),
        };
        match self.hold(&item)? {
            Fate::Later(later) => {
                self.waiting.insert(item.hash, later);
                Ok(Base::Unknown)
            }
            _ => {
                self.has_brought = true;
                Ok(Base::Held)
            }
        }
    }

    fn found(&mut self, id: DocumentId, hash: ChangeHash) -> Result<Found> {
        let held = self.held.get(&id).and_then(|held| held.get(&hash));
        if let Some(held) = held {
            // What builds on it must not be held behind one that is settled meanwhile.
            if let Held::Before(device) = held {
                self.commit.held.push((*device, hash));
            }
            return Ok(Found::Held);
        }
        let boxed = self.snapshot.boxed(self.device.id, hash)?;
        let boxed = boxed.filter(|row| row.document == id);
        let (settled, is_refused) = boxed.as_ref().map_or((None, false), |row| {
            let settled = row.settled.as_ref().filter(|settled| settled.released);
            (settled, matches!(row.state, BoxedAs::Refused(_)))
        });
        if let (Some(row), Some(settled)) = (&boxed, settled)
            && let Ok(change) = parse::parse(&row.body)
        {
            return Ok(Found::Released(change, settled.at));
        }
        Ok(match self.standing.get(&(id, hash)) {
            // It may have been refused once for what has come since.
            Some(change) => Found::Standing(change.clone()),
            None if is_refused => Found::Refused,
            None => Found::Nothing,
        })
    }
}
