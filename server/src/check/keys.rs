//! Sets of millions of things, eight bytes each: what they are named by is hashed. Two that have one hash are taken for the same, which
//! happens once in 10¹⁹ questions.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use patrol_core::domain::id::{DeviceId, EntryId};
use patrol_core::domain::limits;
use patrol_core::domain::time::Timestamp;

/// What the log says of an entry.
pub(super) fn fate(device: DeviceId, n: u64, entry: EntryId, word: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (device.0, n, entry.0, word).hash(&mut hasher);
    hasher.finish()
}

/// A leaf of a push frame of a device.
pub(super) fn leaf(device: DeviceId, leaf: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (device.0, leaf).hash(&mut hasher);
    hasher.finish()
}

/// Filled, then sealed, then asked.
#[derive(Default)]
pub(super) struct Keys(Vec<u64>);

impl Keys {
    pub(super) fn add(&mut self, key: u64) {
        self.0.push(key);
    }

    pub(super) fn seal(&mut self) {
        self.0.sort_unstable();
    }

    pub(super) fn contains(&self, key: u64) -> bool {
        self.0.binary_search(&key).is_ok()
    }
}

/// Changes by their leaves, and when they came. Filled, then sealed, then met by frames.
#[derive(Default)]
pub(super) struct Leaves {
    /// Sixteen bytes each: the key, and the time.
    came: Vec<(u64, i64)>,
    is_met: Vec<bool>,
}

impl Leaves {
    pub(super) fn add(&mut self, key: u64, at: Timestamp) {
        self.came.push((key, at.0));
    }

    pub(super) fn seal(&mut self) {
        self.came.sort_unstable();
        self.came.dedup();
        self.is_met = vec![false; self.came.len()];
    }

    /// A frame has it that came at that time.
    pub(super) fn meet(&mut self, key: u64, at: Timestamp) {
        let first = self.came.partition_point(|came| *came < (key, at.0));
        let last = (key, at.0.saturating_add(limits::BEHIND_FRAME_MS));
        for (came, is_met) in self.came.iter().zip(&mut self.is_met).skip(first) {
            if *came > last {
                return;
            }
            *is_met = true;
        }
    }

    /// Whether a change that came at that time has not been met.
    pub(super) fn is_unmet(&self, key: u64, at: Timestamp) -> bool {
        let place = self.came.binary_search(&(key, at.0)).ok();
        place.and_then(|place| self.is_met.get(place)) == Some(&false)
    }

    pub(super) fn has_unmet(&self) -> bool {
        self.is_met.contains(&false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVICE: DeviceId = DeviceId([7; 8]);
    const AT: Timestamp = Timestamp(5);

    #[test]
    fn what_was_not_met_is_known() {
        let mut leaves = Leaves::default();
        let [one, other, third] = [&[1u8; 32], &[2; 32], &[3; 32]].map(|bytes| leaf(DEVICE, bytes));
        [one, other, one]
            .into_iter()
            .for_each(|key| leaves.add(key, AT));
        leaves.seal();
        leaves.meet(one, AT);
        leaves.meet(third, AT);
        assert!(leaves.has_unmet() && leaves.is_unmet(other, AT));
        assert!(!leaves.is_unmet(one, AT) && !leaves.is_unmet(third, AT));
        leaves.meet(other, AT);
        assert!(!leaves.has_unmet());
    }

    #[test]
    fn a_change_came_with_its_frame_or_hardly_later() {
        let one = leaf(DEVICE, &[1; 32]);
        for (later, is_met) in [
            (-1, false),
            (0, true),
            (limits::BEHIND_FRAME_MS, true),
            (limits::BEHIND_FRAME_MS + 1, false),
        ] {
            let mut leaves = Leaves::default();
            leaves.add(one, AT.plus_ms(later));
            leaves.seal();
            leaves.meet(one, AT);
            assert_eq!(leaves.has_unmet(), !is_met, "{later}");
        }
    }

    #[test]
    fn a_leaf_is_of_one_device() {
        let own = leaf(DEVICE, &[1; 32]);
        assert_ne!(own, leaf(DeviceId([8; 8]), &[1; 32]));
        assert_eq!(own, leaf(DEVICE, &[1; 32]));
    }
}
