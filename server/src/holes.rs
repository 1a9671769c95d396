//! Losses: a counter `n` that a device has used and that its log does not name (`protocol.md`, *Counters*).
//!
//! It is asked when a device says that nothing is left to push, so that nothing is on the way; what it finds is told once, by the notice
//! `resend`. It repairs nothing itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use patrol_core::domain::id::DeviceId;
use patrol_core::domain::limits;
use patrol_core::sync::wire::{Hello, Notice};

use crate::app::App;
use crate::store::{Commit, Device, FateRow, Result};

/// Ranges of `n`, both ends included.
pub type Ranges = Vec<(u64, u64)>;

/// Up to which `n` each device's log has been read: what is missing below has been explained or told. After a start it is read again,
/// from where something was last told.
#[derive(Debug, Default)]
pub struct ReadUpTo(Mutex<BTreeMap<DeviceId, u64>>);

impl ReadUpTo {
    fn of(&self, device: DeviceId) -> u64 {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&device).copied().unwrap_or(0)
    }

    fn put(&self, device: DeviceId, n: u64) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(device, n);
    }
}

/// Looks for holes in the log of a device that has nothing left to push, and leaves it a notice of them. Costs nothing where the log has
/// not grown since.
pub fn look(app: &App, device: &Device, hello: &Hello) -> Result<()> {
    let from = device.n_told.max(app.read_up_to.of(device.id));
    // A hello that was held up on its way speaks of its own time only: what was made since may be on the way.
    if device.n_max.min(hello.last_n) <= from {
        return Ok(());
    }
    let mut rows = Vec::new();
    app.store.read(&mut |snapshot| {
        rows = snapshot.fates(device.id, from + 1, limits::LOG_ROWS)?;
        Ok(())
    })?;
    rows.retain(|row| row.n <= hello.last_n);
    let told = hello.status.kept_back.as_ref();
    let kept_back = told.or(device.status.kept_back.as_ref());
    let kept_back = kept_back.into_iter().flatten().copied().collect();
    let mut missing = missing(from, &rows, &kept_back);
    missing.truncate(limits::RESEND_RANGES_MAX);
    // Where there are too many to be told at once, the rest is looked for after those that are.
    let read = match missing.get(limits::RESEND_RANGES_MAX - 1) {
        Some((_, last)) => *last,
        None => rows.last().map_or(from, |row| row.n),
    };
    if !missing.is_empty() {
        tracing::warn!(device = %device.id, ?missing, "device {}: entries are missing", device.id);
        app.store.commit(&Commit {
            notices: vec![(device.id, Notice::Resend(missing))],
            told: Some((device.id, read)),
            ..Commit::default()
        })?;
    }
    app.read_up_to.put(device.id, read);
    Ok(())
}

/// The numbers after `from` and below the last row's that neither a row (ascending) nor the device's refused box names.
pub fn missing(from: u64, rows: &[FateRow], kept_back: &BTreeSet<u64>) -> Ranges {
    let mut missing = Ranges::new();
    let mut next = from + 1;
    for row in rows {
        while next < row.n {
            let kept = kept_back.range(next..row.n).next().copied();
            if kept != Some(next) {
                missing.push((next, kept.unwrap_or(row.n) - 1));
            }
            next = kept.map_or(row.n, |kept| kept + 1);
        }
        next = next.max(row.n + 1);
    }
    missing
}

#[cfg(test)]
mod tests {
    use patrol_core::domain::id::EntryId;

    use super::*;

    fn missing_of(from: u64, logged: &[u64], kept_back: &[u64]) -> Ranges {
        let row = |n: &u64| FateRow {
            device: DeviceId([1; 8]),
            n: *n,
            entry: EntryId([2; 16]),
            fate: "ok".to_owned(),
        };
        let rows: Vec<FateRow> = logged.iter().map(row).collect();
        missing(from, &rows, &kept_back.iter().copied().collect())
    }

    #[test]
    fn what_is_neither_logged_nor_kept_back_is_missing_below_the_highest() {
        assert_eq!(missing_of(0, &[], &[]), []);
        assert_eq!(missing_of(0, &[1, 2, 2, 3], &[]), []);
        assert_eq!(missing_of(0, &[3, 7], &[]), [(1, 2), (4, 6)]);
        assert_eq!(missing_of(3, &[7], &[]), [(4, 6)]);
        assert_eq!(missing_of(0, &[8], &[1, 2, 5, 7, 9]), [(3, 4), (6, 6)]);
        assert_eq!(missing_of(0, &[1, 4], &[2, 3]), []);
        let last = u64::from(u32::MAX);
        assert_eq!(missing_of(0, &[last], &[]), [(1, last - 1)]);
    }
}
