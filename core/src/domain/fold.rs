//! What the entries of a document say: a total, deterministic fold over entries alone.
//!
//! The order in which entries arrive does not matter, nor how often; receipt times do not matter either (they only sort
//! the timeline). Merging never fails: what does not fit is kept as an anomaly and moves nothing.
//!
//! * `graph` puts the entries in order and knows who had seen what;
//! * `judge` reads off where a case stands for any set of them;
//! * `fits` judges an entry on the state that its own author had seen.
//!
//! A change of meaning is a new [`FOLD_VERSION`].

mod fits;
mod graph;
mod judge;

use std::collections::BTreeSet;

use super::action::DocumentKind;
use super::case::{Anomaly, Assignment, Conflict, Track, Workflow};
use super::entry::{Entry, Line};
use super::id::EntryId;
use super::refusal::Refusal;
use crate::bits::Bits;
use graph::Graph;
use judge::Opened;

/// The version of the fold, written by the server into each document (`s/fold`).
///
/// * 1: the first.
pub const FOLD_VERSION: u64 = 1;

/// The entries of one document, in order and judged.
#[derive(Debug)]
pub struct Fold<'a> {
    kind: DocumentKind,
    graph: Graph<'a>,
    /// For each entry, in the graph's order, what became of it.
    outcomes: Vec<Outcome>,
    /// The assignments that fitting dispatches opened; track 0 is the case, track `i + 1` the `i`-th of these.
    opened: Vec<Opened>,
}

/// What became of one entry.
#[derive(Debug)]
enum Outcome {
    /// It fits, and this is what it does.
    Fits(fits::Effects),
    /// It is kept as an anomaly.
    Misfit(Refusal),
}

impl<'a> Fold<'a> {
    /// Judges the entries of a document of that kind, given in any order, each once.
    pub fn of(kind: DocumentKind, lines: &'a [Line]) -> Self {
        let graph = Graph::of(kind, lines);
        let len = graph.len();
        let mut fold = Self {
            kind,
            graph,
            outcomes: Vec::with_capacity(len),
            opened: Vec::new(),
        };
        for node in 0..len {
            let outcome = match fold.judge_line(node) {
                Ok(effects) => {
                    fold.opened.extend(effects.opens.iter().copied());
                    Outcome::Fits(effects)
                }
                Err(refusal) => Outcome::Misfit(refusal),
            };
            fold.outcomes.push(outcome);
        }
        fold
    }

    /// Whether an entry that is not yet recorded would fit, judged on what its author has seen.
    pub fn fits(&self, entry: &Entry) -> Result<(), Refusal> {
        if let Some(key) = &entry.key
            && self.graph.lines().any(|line| {
                line.entry.person == entry.person && line.entry.key.as_ref() == Some(key)
            })
        {
            return Err(Refusal::Repeated);
        }
        self.effects_of(entry, &self.graph.seen_by(entry), self.outcomes.len())
            .map(drop)
    }

    /// Where the document stands when all entries are taken together.
    pub fn workflow(&self) -> Workflow {
        let all = self.graph.all();
        let view = self.view(&all);
        let assignments = view
            .live
            .iter()
            .map(|(track, standing)| self.assignment(*track, *standing, &all))
            .collect();
        Workflow {
            standing: view.standing,
            reporter: self
                .opening()
                .map(|node| self.graph.line(node).entry.person),
            heads: self.ids(&view.heads),
            assignments,
            conflicts: self.conflicts(&all),
            reworks: self.count_moves(|standing| standing.rework),
            returns: self.count_actions(super::action::Action::SendBack),
        }
    }

    /// Entries that are kept but do not fit, in the order of the fold.
    pub fn anomalies(&self) -> Vec<Anomaly> {
        let all = self.graph.all();
        let misfits =
            self.outcomes
                .iter()
                .enumerate()
                .filter_map(|(node, outcome)| match outcome {
                    Outcome::Misfit(reason) => Some(Anomaly {
                        entry: self.graph.line(node).id,
                        reason: *reason,
                    }),
                    Outcome::Fits(_) if self.is_outrun(node, &all) => Some(Anomaly {
                        entry: self.graph.line(node).id,
                        reason: Refusal::OldResult,
                    }),
                    Outcome::Fits(_) => None,
                });
        misfits.collect()
    }

    /// The ids of all entries for reading: by causality, then by receipt, unsent ones last.
    pub fn timeline(&self) -> Vec<EntryId> {
        self.graph.timeline()
    }

    fn assignment(&self, track: usize, standing: super::stage::Standing, set: &Bits) -> Assignment {
        let opened = self
            .opened_at(track)
            .expect("a live track is an assignment");
        let results = self.ids(&self.latest_results(set, opened.id));
        Assignment {
            id: opened.id,
            part: opened.part,
            check_by: opened.check_by,
            standing,
            results,
        }
    }

    fn conflicts(&self, set: &Bits) -> Vec<Conflict> {
        let flagged = self.flagged(set);
        let mut conflicts: Vec<Conflict> = flagged
            .iter()
            .map(|raw| Conflict {
                track: self
                    .opened_at(raw.track)
                    .map_or(Track::Case, |opened| Track::Assignment(opened.id)),
                entries: self.ids(&raw.members),
                candidates: self
                    .candidates(raw, set)
                    .into_iter()
                    .map(|node| self.graph.line(node).id)
                    .collect(),
            })
            .collect();
        conflicts.sort();
        conflicts
    }

    fn ids(&self, nodes: &[usize]) -> Vec<EntryId> {
        nodes
            .iter()
            .map(|node| self.graph.line(*node).id)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect()
    }

    fn count_moves(&self, counts: impl Fn(super::stage::Standing) -> bool) -> u32 {
        let moved =
            |effects: &fits::Effects| effects.moves.iter().any(|(_, to)| to.is_some_and(&counts));
        let all = self.graph.all();
        let reconcile = super::action::Action::Reconcile;
        let counted = (0..self.outcomes.len())
            .filter(|node| {
                self.graph.line(*node).entry.action() != Some(reconcile)
                    && !self.is_outrun(*node, &all)
            })
            .filter(|node| self.effects(*node).is_some_and(moved));
        u32::try_from(counted.count()).unwrap_or(u32::MAX)
    }

    fn count_actions(&self, action: super::action::Action) -> u32 {
        let counted = (0..self.outcomes.len()).filter(|node| {
            self.effects(*node).is_some() && self.graph.line(*node).entry.action() == Some(action)
        });
        u32::try_from(counted.count()).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests;
