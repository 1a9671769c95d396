//! Sets of millions of things, eight bytes each: what they are named by is hashed. Two that have one hash are taken for the same, which
//! happens once in 10¹⁹ questions.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use patrol_core::domain::id::{DeviceId, EntryId};
use patrol_core::domain::time::Timestamp;

/// What the log says of an entry.
pub(super) fn fate(device: DeviceId, n: u64, entry: EntryId, word: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (device.0, n, entry.0, word).hash(&mut hasher);
    hasher.finish()
}

/// A leaf of a push frame of a device, and when it came.
pub(super) fn leaf(device: DeviceId, leaf: &[u8], at: Timestamp) -> u64 {
    let mut hasher = DefaultHasher::new();
    (device.0, leaf, at.0).hash(&mut hasher);
    hasher.finish()
}

/// Filled, then sealed, then asked.
#[derive(Default)]
pub(super) struct Keys {
    keys: Vec<u64>,
    /// Which of them have been met since.
    met: Vec<bool>,
}

impl Keys {
    pub(super) fn add(&mut self, key: u64) {
        self.keys.push(key);
    }

    pub(super) fn seal(&mut self) {
        self.keys.sort_unstable();
        self.keys.dedup();
        self.met = vec![false; self.keys.len()];
    }

    pub(super) fn contains(&self, key: u64) -> bool {
        self.keys.binary_search(&key).is_ok()
    }

    pub(super) fn meet(&mut self, key: u64) {
        let place = self.keys.binary_search(&key).ok();
        if let Some(met) = place.and_then(|place| self.met.get_mut(place)) {
            *met = true;
        }
    }

    /// Whether it is one of them and has not been met.
    pub(super) fn is_unmet(&self, key: u64) -> bool {
        let place = self.keys.binary_search(&key).ok();
        place.and_then(|place| self.met.get(place)) == Some(&false)
    }

    pub(super) fn has_unmet(&self) -> bool {
        self.met.contains(&false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVICE: DeviceId = DeviceId([7; 8]);
    const AT: Timestamp = Timestamp(5);

    #[test]
    fn what_was_not_met_is_known() {
        let mut keys = Keys::default();
        let [one, other, third] =
            [&[1u8; 32], &[2; 32], &[3; 32]].map(|bytes| leaf(DEVICE, bytes, AT));
        [one, other, one].into_iter().for_each(|key| keys.add(key));
        keys.seal();
        assert!(keys.contains(one) && !keys.contains(third));
        keys.meet(one);
        keys.meet(third);
        assert!(keys.has_unmet() && keys.is_unmet(other));
        assert!(!keys.is_unmet(one) && !keys.is_unmet(third));
        keys.meet(other);
        assert!(!keys.has_unmet());
    }

    #[test]
    fn a_leaf_is_of_one_device_and_of_one_time() {
        let bytes = [1u8; 32];
        let own = leaf(DEVICE, &bytes, AT);
        assert_ne!(own, leaf(DeviceId([8; 8]), &bytes, AT));
        assert_ne!(own, leaf(DEVICE, &bytes, Timestamp(6)));
        assert_eq!(own, leaf(DEVICE, &bytes, AT));
    }
}
