//! The entries in an order that everyone derives alike, and who had seen what.
//!
//! The order is topological by `on`, ties broken by the entry's hash. It knows nothing of stages.

use std::collections::{BTreeMap, BTreeSet};

use super::super::action::DocumentKind;
use super::super::entry::{Entry, Line};
use super::super::id::EntryId;
use crate::bits::Bits;

/// The entries in order.
#[derive(Debug)]
pub(super) struct Graph<'a> {
    lines: Vec<&'a Line>,
    /// For each entry, the transition entries that its author had seen.
    above: Vec<Bits>,
    places: BTreeMap<EntryId, usize>,
    transitions: Bits,
    repeated: Bits,
}

impl<'a> Graph<'a> {
    pub(super) fn of(kind: DocumentKind, lines: &'a [Line]) -> Self {
        let ordered = sort(lines.iter(), |line| line.id);
        let places: BTreeMap<EntryId, usize> = ordered
            .iter()
            .enumerate()
            .map(|(place, line)| (line.id, place))
            .collect();
        let mut graph = Self {
            lines: ordered,
            above: Vec::new(),
            places,
            transitions: Bits::default(),
            repeated: Bits::default(),
        };
        let mut keys = BTreeSet::new();
        for node in 0..graph.lines.len() {
            let entry = &graph.line(node).entry;
            graph.above.push(graph.seen_by(entry));
            if entry
                .action()
                .is_some_and(|action| action.is_transition(kind))
            {
                graph.transitions.insert(node);
            }
            if let Some(key) = &entry.key
                && !keys.insert((entry.person, key))
            {
                graph.repeated.insert(node);
            }
        }
        graph
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = &'a Line> + '_ {
        self.lines.iter().copied()
    }

    pub(super) fn line(&self, node: usize) -> &'a Line {
        self.lines
            .get(node)
            .expect("a node is a place in the order")
    }

    pub(super) fn node(&self, id: EntryId) -> Option<usize> {
        self.places.get(&id).copied()
    }

    /// All transition entries.
    pub(super) fn all(&self) -> Bits {
        self.transitions.clone()
    }

    /// The transition entries that the author of this one had seen.
    pub(super) fn above(&self, node: usize) -> &Bits {
        self.above
            .get(node)
            .expect("a node is a place in the order")
    }

    /// Whether neither author had seen the other's entry.
    pub(super) fn are_concurrent(&self, one: usize, other: usize) -> bool {
        one != other && !self.above(one).contains(other) && !self.above(other).contains(one)
    }

    /// Whether an earlier entry of the same person has the same idempotency key.
    pub(super) fn is_repeated(&self, node: usize) -> bool {
        self.repeated.contains(node)
    }

    /// The transition entries that an author had seen who names these heads. Names that are not here, or not before, count for nothing.
    pub(super) fn seen_by(&self, entry: &Entry) -> Bits {
        let mut seen = Bits::default();
        for node in entry.on.iter().filter_map(|id| self.node(*id)) {
            if let Some(above) = self.above.get(node) {
                seen.union(above);
                if self.transitions.contains(node) {
                    seen.insert(node);
                }
            }
        }
        seen
    }

    /// Those of the nodes that no other of them had been seen by.
    pub(super) fn maximal(&self, nodes: &[usize]) -> Vec<usize> {
        let mut seen = Bits::default();
        for node in nodes {
            seen.union(self.above(*node));
        }
        nodes
            .iter()
            .copied()
            .filter(|node| !seen.contains(*node))
            .collect()
    }

    pub(super) fn timeline(&self) -> Vec<EntryId> {
        let received = |line: &Line| {
            (
                line.received_at.map_or(i64::MAX, |time| time.0),
                line.entry.n,
                line.id,
            )
        };
        sort(self.lines.iter().copied(), received)
            .into_iter()
            .map(|line| line.id)
            .collect()
    }
}

/// Sorts topologically by `on`; among those that are free, the smallest key first. Entries in a cycle, which hashes
/// make impossible, come last.
fn sort<'a, K: Ord>(
    lines: impl Iterator<Item = &'a Line>,
    key: impl Fn(&Line) -> K,
) -> Vec<&'a Line> {
    let mut lines: Vec<&Line> = lines.collect();
    lines.sort_by_key(|line| line.id);
    lines.dedup_by_key(|line| line.id);
    let place = |id: &EntryId| lines.binary_search_by_key(id, |line| line.id).ok();
    let mut waits = vec![0usize; lines.len()];
    let mut followers: Vec<Vec<usize>> = vec![Vec::new(); lines.len()];
    for (at, line) in lines.iter().enumerate() {
        let names: BTreeSet<usize> = line.entry.on.iter().filter_map(place).collect();
        if let Some(wait) = waits.get_mut(at) {
            *wait = names.len();
        }
        for name in names {
            if let Some(followers) = followers.get_mut(name) {
                followers.push(at);
            }
        }
    }
    let mut free: BTreeSet<(K, usize)> = BTreeSet::new();
    for (at, line) in lines.iter().enumerate() {
        if waits.get(at) == Some(&0) {
            free.insert((key(line), at));
        }
    }
    let mut sorted: Vec<&Line> = Vec::with_capacity(lines.len());
    let mut is_done = vec![false; lines.len()];
    while let Some((_, at)) = free.pop_first() {
        if let (Some(line), Some(done)) = (lines.get(at), is_done.get_mut(at)) {
            sorted.push(line);
            *done = true;
        }
        for follower in followers.get(at).into_iter().flatten() {
            if let (Some(left), Some(line)) = (waits.get_mut(*follower), lines.get(*follower)) {
                *left -= 1;
                if *left == 0 {
                    free.insert((key(line), *follower));
                }
            }
        }
    }
    let left_over = lines.iter().zip(is_done).filter(|(_, done)| !done);
    sorted.extend(left_over.map(|(line, _)| *line));
    sorted
}
