//! Losses that only a counter shows: at rest every `n` of a phone has a fate, or lies where the server has been told.

use std::collections::BTreeSet;

use patrol_core::doc::compose::Content;
use patrol_core::doc::entry;
use patrol_core::doc::parse::parse_admitted;
use patrol_core::store::{boxes, changes};
use patrol_core::sync::wire::Notice;
use patrol_server::holes;

use super::Simulation;

impl Simulation {
    /// Every counter that a phone has used has a fate, or its entry lies in the outbox or the refused box; and no phone was asked for what it had handed in. Not so
    /// of a phone that has forgotten work, or whose counters another copy uses too.
    pub(super) fn no_number_is_missing(&self) -> Result<(), String> {
        for (number, phone) in self.phones.iter().enumerate() {
            if self.forgetful.contains(&number) || self.copied.contains(&number) {
                continue;
            }
            let kept_back = phone.replica.store().read(numbers_kept);
            let kept_back = kept_back.map_err(|error| error.to_string())?;
            let mut rows = Vec::new();
            let read = self.world.app.store.read(&mut |snapshot| {
                rows = snapshot.fates(phone.device(), 1, usize::MAX >> 8)?;
                Ok(())
            });
            read.map_err(|error| error.to_string())?;
            let missing = holes::missing(0, &rows, &kept_back);
            if !missing.is_empty() {
                return Err(format!("phone {number}: {missing:?} have no fate"));
            }
            // A request that was held up on its way says what was true when it was sent: that nothing was left to push. What waited when
            // it arrived is asked for then, and is told `dup` once more: harmless, but not to be told from a mistake here.
            let was_held_up = |(mishap, count): &(&str, usize)| {
                mishap.ends_with("behind a later request") && *count > 0
            };
            if phone.link.mishap_counts().iter().any(was_held_up) {
                continue;
            }
            let notices = phone.replica.notices().map_err(|error| error.to_string())?;
            let is_handed_in =
                |(first, last): &&(u64, u64)| (*first..=*last).any(|n| !kept_back.contains(&n));
            let asked = notices.iter().filter_map(|(_, notice)| match notice {
                Notice::Resend(ranges) => ranges.iter().find(is_handed_in),
                _ => None,
            });
            if let Some(range) = asked.into_iter().next() {
                return Err(format!("phone {number} was asked for {range:?}"));
            }
        }
        Ok(())
    }

    pub(super) fn count_resends(&mut self) -> Result<(), String> {
        for phone in &self.phones {
            let notices = phone.replica.notices().map_err(|error| error.to_string())?;
            let is_resend = |(_, notice): &&(u64, Notice)| matches!(notice, Notice::Resend(_));
            let count = notices.iter().filter(is_resend).count();
            self.coverage.add_many("asked to send again", count);
        }
        Ok(())
    }
}

/// The counters of entries that a phone has not handed in: refused ones, and those for which the server has no answer yet.
fn numbers_kept(connection: &rusqlite::Connection) -> patrol_core::error::Result<BTreeSet<u64>> {
    let mut kept: BTreeSet<u64> = boxes::kept_back(connection)?.into_iter().collect();
    for change in changes::outbox(connection, 0, usize::MAX >> 8)? {
        let body = changes::body(connection, change.document, change.hash)?.unwrap_or_default();
        let content = parse_admitted(&body)
            .ok()
            .and_then(|change| Content::of(&change));
        if let Some(Content::Person { entry: bytes, .. }) = content {
            kept.extend(entry::decode(&bytes).ok().map(|entry| entry.n));
        }
    }
    Ok(kept)
}
