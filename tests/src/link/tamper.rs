//! What passes through a link: counted, and broken where the link is told to break it.

use std::sync::atomic::Ordering;

use patrol_core::cbor::{Reader, Writer};
use patrol_core::domain::limits;
use patrol_core::domain::refusal::Refusal;
use patrol_core::sync::seal::PageList;
use patrol_core::sync::wire::{Fate, Fates, kind};
use rand::Rng as _;

use super::{Frames, Link, locked};
use crate::simulation::Mutation;

impl Link {
    /// Counts what passes, and breaks it where the link is told to.
    pub(super) fn pass_on(&self, frames: Frames) -> Frames {
        let mutation = *locked(&self.mutation);
        frames
            .into_iter()
            .map(|(kind, payload)| (kind, self.pass_on_frame(kind, payload, mutation)))
            .collect()
    }

    fn is_to_be_spoilt(&self) -> bool {
        let left = &self.spoilt_pages;
        let fewer = |left: usize| left.checked_sub(1);
        left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer)
            .is_ok()
    }

    fn pass_on_frame(&self, kind: u8, payload: Vec<u8>, mutation: Mutation) -> Vec<u8> {
        match (kind, mutation) {
            (kind::FATES, _) => {
                let Ok(mut fates) = Fates::decode(&payload, limits::PUSH_FRAME_CHANGES_MAX) else {
                    return payload;
                };
                for fate in fates.outcome.iter_mut().flatten() {
                    *locked(&self.fates).entry(fate_name(fate)).or_default() += 1;
                    if mutation == Mutation::DropFate && locked(&self.rng).random_bool(0.3) {
                        *fate = Fate::Ok;
                    }
                    let is_taken = *fate == Fate::Ok && mutation == Mutation::MakeTwice;
                    if is_taken && locked(&self.rng).random_bool(0.1) {
                        *fate = Fate::Refused(Refusal::Forked);
                    }
                }
                fates.encode()
            }
            (kind::PAGE, _) if self.is_to_be_spoilt() => spoilt(payload),
            (kind::PAGE, Mutation::SkipPage) if locked(&self.rng).random_bool(0.1) => {
                emptied(&payload).unwrap_or(payload)
            }
            _ => payload,
        }
    }
}

/// A page whose checksum, before the 17 bytes of its tag, is another.
fn spoilt(mut payload: Vec<u8>) -> Vec<u8> {
    let place = payload.len().checked_sub(18);
    if let Some(byte) = place.and_then(|place| payload.get_mut(place)) {
        *byte ^= 1;
    }
    payload
}

fn fate_name(fate: &Fate) -> &'static str {
    match fate {
        Fate::Ok => "fate ok",
        Fate::Dup => "fate dup",
        Fate::Missing(_) => "fate missing",
        Fate::Later(_) => "fate later",
        Fate::Review => "fate review",
        Fate::Refused(Refusal::Forked) => "fate forked",
        Fate::Refused(_) => "fate refused",
    }
}

/// A page with the same cursors and nothing in it.
fn emptied(payload: &[u8]) -> Option<Vec<u8>> {
    let mut r = Reader::new(payload);
    r.array().ok()?;
    r.uint().ok()?;
    for _ in 0..3 {
        r.item().ok()?;
    }
    let cursors = r.item().ok()?;
    let mut w = Writer::default();
    w.array(7).uint(0).array(0).array(0).array(0).raw(cursors);
    w.bytes(&PageList::default().check()).bytes(&[0; 16]);
    Some(w.finish())
}
