//! Changes without what the receiver can compute, and back, byte for byte.
//!
//! The layout is that of `protocol.md`, *Stripped changes*: [`Stripper`] writes it and never fails, [`Rebuilder`] reads it and
//! never panics. Whether what was rebuilt is what was sent is proved by the frame's signature or check, not here.

mod read;
mod write;

pub use read::{Rebuilder, Rebuilt};
pub use write::Stripper;

use crate::doc::ledger::Ledger;
use crate::domain::id::{Actor, ChangeHash, DeviceId, DocumentId, PersonId, UnitId};

/// Which way a frame goes: both ends know it beforehand, so what follows from it does not travel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// A push of this enrolment. Its items carry no time of receipt.
    Up {
        /// The device that signs.
        signer: DeviceId,
        /// Its person.
        person: PersonId,
        /// The lowest `n` inside, as the frame's head says.
        first_n: u64,
    },
    /// A page. Its items carry the time of receipt.
    Down,
}

/// What both ends remember from item to item of one frame.
#[derive(Debug)]
struct Memory {
    way: Way,
    documents: Vec<DocumentId>,
    /// For each document: the length of its list before the frame, and the changes of the frame so far.
    lists: Vec<(usize, Vec<ChangeHash>)>,
    authors: Vec<Author>,
    rights: Vec<(u64, UnitId)>,
    wall: i64,
    received: i64,
}

/// An actor, his person, and where his counters stood at his last item.
#[derive(Clone, Copy, Debug)]
struct Author {
    actor: Actor,
    person: PersonId,
    n: u64,
    boot: u64,
}

impl Memory {
    fn new(way: Way) -> Self {
        Self {
            way,
            documents: Vec::new(),
            lists: Vec::new(),
            authors: Vec::new(),
            rights: Vec::new(),
            wall: 0,
            received: 0,
        }
    }

    /// An author at his first mention. Of the signer's own enrolment the counter begins where the frame's head says.
    fn author(&self, actor: Actor, person: PersonId) -> Author {
        let n = match self.way {
            Way::Up { first_n, .. } if self.is_own(actor, person) => first_n,
            _ => 0,
        };
        Author {
            actor,
            person,
            n,
            boot: 0,
        }
    }

    /// Whether an author is the enrolment that signs the frame.
    fn is_own(&self, actor: Actor, person: PersonId) -> bool {
        matches!(self.way, Way::Up { signer, person: own, .. } if signer == actor.device() && own == person)
    }

    /// The change that stands so many places before the next one in the list of a document.
    fn back<'l>(
        &'l self,
        document: usize,
        ledger: &'l Ledger,
        distance: u64,
    ) -> Option<ChangeHash> {
        let (base, items) = self.lists.get(document)?;
        let distance = usize::try_from(distance).ok()?;
        let place = (base + items.len()).checked_sub(distance)?;
        if place < *base {
            ledger.hash(place)
        } else {
            items.get(place - base).copied()
        }
    }

    /// How many places before the next one a change stands in the list of a document.
    fn distance(&self, document: usize, ledger: &Ledger, hash: ChangeHash) -> Option<u64> {
        let (base, items) = self.lists.get(document)?;
        let place = match items.iter().rposition(|item| *item == hash) {
            Some(place) => base + place,
            None => ledger.place(&hash).filter(|place| place < base)?,
        };
        Some((base + items.len() - place) as u64)
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
