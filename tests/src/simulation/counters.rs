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
    /// Every counter that a phone has used has a fate, or its entry lies in the outbox or the refused box; and no phone was asked to send anything again. Not so
    /// of a phone that has forgotten work, or whose counters another copy uses too; nor of what it had made before a server was lost, which
    /// the one after it rightly asks for.
    pub(super) fn no_number_is_missing(&self) -> Result<(), String> {
        for (number, phone) in self.phones.iter().enumerate() {
            if self.forgetful.contains(&number) || self.copied.contains(&number) {
                continue;
            }
            let before = self.last_n.get(&phone.device()).copied().unwrap_or(0);
            let kept_back = phone.replica.store().read(numbers_kept);
            let kept_back = kept_back.map_err(|error| error.to_string())?;
            let mut rows = Vec::new();
            let read = self.world.app.store.read(&mut |snapshot| {
                rows = snapshot.fates(phone.device(), before + 1, usize::MAX >> 8)?;
                Ok(())
            });
            read.map_err(|error| error.to_string())?;
            let missing = holes::missing(before, &rows, &kept_back);
            if !missing.is_empty() {
                return Err(format!("phone {number}: {missing:?} have no fate"));
            }
            let notices = phone.replica.notices().map_err(|error| error.to_string())?;
            let asked = notices.iter().find_map(|(_, notice)| match notice {
                Notice::Resend(ranges) if ranges.iter().any(|(_, last)| *last > before) => {
                    Some(ranges)
                }
                _ => None,
            });
            if let Some(ranges) = asked {
                return Err(format!("phone {number} was asked for {ranges:?}"));
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
