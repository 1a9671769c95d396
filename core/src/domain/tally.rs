//! The sum of a tally: offline counts are entries, a correction withdraws one, the sum is a fold.
//!
//! It asks no rights and no order: counting is the same however the entries arrived.

use std::collections::{BTreeMap, BTreeSet};

use super::action::{Action, DocumentKind};
use super::entry::Line;
use super::fold::Fold;
use super::id::EntryId;

/// The sums of a tally by what was counted (1 persuaded (劝导), 2 banners taken down (横幅)).
pub fn sums(lines: &[Line]) -> BTreeMap<u64, i64> {
    let fold = Fold::of(DocumentKind::Tally, lines);
    let misfits: BTreeSet<EntryId> = fold
        .anomalies()
        .into_iter()
        .map(|anomaly| anomaly.entry)
        .collect();
    let counting = |line: &&Line| !misfits.contains(&line.id);
    let withdrawn: BTreeSet<EntryId> = lines
        .iter()
        .filter(counting)
        .filter(|line| line.entry.action() == Some(Action::Withdraw))
        .filter_map(|line| line.entry.body.withdraws)
        .collect();
    let mut seen = BTreeSet::new();
    let mut sums = BTreeMap::new();
    for line in lines
        .iter()
        .filter(counting)
        .filter(|line| line.entry.action() == Some(Action::Count))
    {
        if withdrawn.contains(&line.id) || !seen.insert(line.id) {
            continue;
        }
        if let Some((what, how_many)) = line.entry.body.count {
            let sum = sums.entry(what).or_insert(0i64);
            *sum = sum.saturating_add(how_many);
        }
    }
    sums
}

#[cfg(test)]
mod tests;
