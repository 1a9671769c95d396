//! When somebody holds a post by the rows of a file, so that it is told where two of them say the same time.
//!
//! What of a row does not come into force takes no time.

use std::collections::BTreeMap;

use patrol_core::domain::directory::Post;
use patrol_core::domain::time::Timestamp;

use super::kept::Fate;

/// From when a post is held, and until when. No two of them overlap.
#[derive(Default)]
pub(super) struct Stretches(BTreeMap<Timestamp, Option<Timestamp>>);

impl Stretches {
    /// Adds a row, with what becomes of it. Says whether it is left out since it overlaps with one before.
    pub(super) fn overlap(&mut self, post: &Post, fate: Fate) -> bool {
        let until = match fate {
            Fate::Never(_) => return false,
            Fate::EndsAt(_, end) => Some(end),
            Fate::AsSaid => post.until,
        };
        let before = self.0.range(..=post.from).next_back();
        let after = self.0.range(post.from..).next();
        let overlaps = before.is_some_and(|(_, end)| end.is_none_or(|end| post.from < end))
            || after.is_some_and(|(start, _)| until.is_none_or(|until| *start < until));
        if !overlaps {
            self.0.insert(post.from, until);
        }
        overlaps
    }
}
