//! When somebody holds a post by the rows of a file, so that it is told where two of them say the same time.
//!
//! How long a row holds that does not come into force as it says, is not asked here.

use std::collections::BTreeMap;

use patrol_core::domain::time::Timestamp;

/// From when a post is held, and until when. No two of them overlap.
#[derive(Default)]
pub(super) struct Stretches(BTreeMap<Timestamp, Option<Timestamp>>);

impl Stretches {
    /// Adds a time; says whether it is left out since it overlaps with one before.
    pub(super) fn overlap(&mut self, (from, until): (Timestamp, Option<Timestamp>)) -> bool {
        let before = self.0.range(..=from).next_back();
        let after = self.0.range(from..).next();
        let overlaps = before.is_some_and(|(_, end)| end.is_none_or(|end| from < end))
            || after.is_some_and(|(start, _)| until.is_none_or(|until| *start < until));
        if !overlaps {
            self.0.insert(from, until);
        }
        overlaps
    }
}
