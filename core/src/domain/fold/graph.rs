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
        let ordered = sort(lines, |line| line.id);
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
        let lines: Vec<Line> = self.lines.iter().map(|line| (*line).clone()).collect();
        sort(&lines, received)
            .into_iter()
            .map(|line| line.id)
            .collect()
    }
}

/// Sorts topologically by `on`; among those that are free, the smallest key first. Entries in a cycle, which hashes
/// make impossible, come last.
fn sort<K: Ord>(lines: &[Line], key: impl Fn(&Line) -> K) -> Vec<&Line> {
    let mut by_id: BTreeMap<EntryId, &Line> = BTreeMap::new();
    for line in lines {
        by_id.entry(line.id).or_insert(line);
    }
    let mut waits: BTreeMap<EntryId, usize> = BTreeMap::new();
    let mut followers: BTreeMap<EntryId, Vec<&Line>> = BTreeMap::new();
    let mut free: BTreeMap<(K, EntryId), &Line> = BTreeMap::new();
    for line in by_id.values().copied() {
        let names: BTreeSet<EntryId> = line
            .entry
            .on
            .iter()
            .copied()
            .filter(|id| by_id.contains_key(id))
            .collect();
        if names.is_empty() {
            free.insert((key(line), line.id), line);
        }
        waits.insert(line.id, names.len());
        for id in names {
            followers.entry(id).or_default().push(line);
        }
    }
    let mut sorted: Vec<&Line> = Vec::with_capacity(by_id.len());
    while let Some((_, line)) = free.pop_first() {
        sorted.push(line);
        for follower in followers.remove(&line.id).unwrap_or_default() {
            let Some(left) = waits.get_mut(&follower.id) else {
                continue;
            };
            *left -= 1;
            if *left == 0 {
                free.insert((key(follower), follower.id), follower);
            }
        }
    }
    if sorted.len() < by_id.len() {
        let done: BTreeSet<EntryId> = sorted.iter().map(|line| line.id).collect();
        sorted.extend(by_id.into_values().filter(|line| !done.contains(&line.id)));
    }
    sorted
}
