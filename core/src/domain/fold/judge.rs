//! Where a document stands for a set of entries that is closed under "had been seen by".
//!
//! A *track* is what stands somewhere: the case (track 0) or one assignment. Each fitting entry gives a standing to the
//! tracks it moves; a track's heads are the entries that no later mover of that track had seen. One head: its standing.
//! Several: the safest, and a conflict if they differ.

use std::collections::BTreeSet;

use super::super::action::Action;
use super::super::entry::{AssignmentId, CheckBy, Part, Verdict};
use super::super::stage::{Stage, Standing};
use super::fits::Effects;
use super::{Fold, Outcome};
use crate::bits::Bits;

/// The track of the case as a whole.
pub(super) const CASE: usize = 0;

/// An assignment that a fitting dispatch opened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opened {
    pub(super) id: AssignmentId,
    pub(super) part: Part,
    pub(super) check_by: CheckBy,
    /// The dispatch.
    pub(super) by: usize,
}

/// Entries of one track that contradict each other.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct RawConflict {
    pub(super) track: usize,
    /// Ascending.
    pub(super) members: Vec<usize>,
}

/// Where a document stands.
#[derive(Debug)]
pub(super) struct View {
    /// What is shown; none without an opening entry.
    pub(super) standing: Option<Standing>,
    /// Transition entries that no other names.
    pub(super) heads: Vec<usize>,
    /// The heads of the case's track, contested endings included.
    pub(super) case_heads: Vec<usize>,
    /// The assignments that are not over: track and standing.
    pub(super) live: Vec<(usize, Standing)>,
    /// What contradicts itself right now.
    pub(super) conflicts: Vec<RawConflict>,
}

impl View {
    pub(super) fn live(&self, track: usize) -> Option<Standing> {
        self.live
            .iter()
            .find(|(live, _)| *live == track)
            .map(|(_, standing)| *standing)
    }
}

impl Fold<'_> {
    pub(super) fn effects(&self, node: usize) -> Option<&Effects> {
        match self.outcomes.get(node) {
            Some(Outcome::Fits(effects)) => Some(effects),
            _ => None,
        }
    }

    pub(super) fn opened_at(&self, track: usize) -> Option<&Opened> {
        self.opened.get(track.checked_sub(1)?)
    }

    /// The first fitting opening entry.
    pub(super) fn opening(&self) -> Option<usize> {
        (0..self.outcomes.len()).find(|node| {
            self.effects(*node)
                .is_some_and(|effects| effects.is_opening)
        })
    }

    /// What an entry gives to a track, if it moves it. `Some(None)`: the assignment is over.
    fn gives(&self, node: usize, track: usize) -> Option<Option<Standing>> {
        self.effects(node)?
            .moves
            .iter()
            .find(|(moved, _)| *moved == track)
            .map(|(_, to)| *to)
    }

    /// Entries of the set that move the track.
    fn movers(&self, set: &Bits, track: usize) -> Vec<usize> {
        set.iter()
            .filter(|node| self.gives(*node, track).is_some() && !self.is_outrun(*node, set))
            .collect()
    }

    /// The heads of a track within the set.
    pub(super) fn track_heads(&self, set: &Bits, track: usize) -> Vec<usize> {
        self.graph.maximal(&self.movers(set, track))
    }

    /// A check that judged a result which, unseen by it, was followed by another: an anomaly, though it fitted.
    pub(super) fn is_outrun(&self, node: usize, set: &Bits) -> bool {
        let entry = &self.graph.line(node).entry;
        let (Some(assignment), Some(judged)) = (
            entry.body.assignment,
            entry.body.judged.and_then(|id| self.graph.node(id)),
        ) else {
            return false;
        };
        self.effects(node).is_some()
            && set.iter().any(|later| {
                self.is_result(later, assignment)
                    && self.graph.above(later).contains(judged)
                    && self.graph.are_concurrent(later, node)
            })
    }

    fn is_result(&self, node: usize, assignment: AssignmentId) -> bool {
        let entry = &self.graph.line(node).entry;
        entry.action() == Some(Action::Resolve)
            && entry.body.assignment == Some(assignment)
            && self.effects(node).is_some()
    }

    /// The latest results of an assignment within the set.
    pub(super) fn latest_results(&self, set: &Bits, assignment: AssignmentId) -> Vec<usize> {
        let results: Vec<usize> = set
            .iter()
            .filter(|node| self.is_result(*node, assignment))
            .collect();
        self.graph.maximal(&results)
    }

    /// Where the document stands for the set.
    pub(super) fn view(&self, set: &Bits) -> View {
        let (case_heads, contested) = self.case_heads(set);
        let live: Vec<(usize, Standing)> = (1..=self.opened.len())
            .filter(|track| {
                self.opened_at(*track)
                    .is_some_and(|opened| set.contains(opened.by))
            })
            .filter_map(|track| {
                self.track_standing(set, track)
                    .map(|standing| (track, standing))
            })
            .collect();
        let shared = self.shared_standing(&live);
        let shown = |node: usize| match self.gives(node, CASE).flatten() {
            Some(Standing {
                stage: Stage::Dispatched,
                ..
            }) => shared,
            Some(standing) => standing,
            None => Standing::at(Stage::Reported),
        };
        let ended: Vec<usize> = case_heads
            .iter()
            .copied()
            .filter(|node| shown(*node).stage.is_ended_by_office())
            .collect();
        let decisive = if ended.is_empty() {
            &case_heads
        } else {
            &ended
        };
        let standing = decisive
            .iter()
            .map(|node| shown(*node))
            .min_by_key(|standing| standing.rank());

        let mut conflicts = Vec::new();
        if ended.is_empty() && contested.is_empty() {
            if differ(case_heads.iter().map(|node| shown(*node))) {
                conflicts.push(RawConflict {
                    track: CASE,
                    members: case_heads.clone(),
                });
            }
        } else {
            conflicts.extend(self.conflict_of_endings(set, &ended, &contested));
        }
        if ended.is_empty() {
            conflicts.extend(
                live.iter()
                    .filter_map(|(track, _)| self.conflict_of_assignment(set, *track)),
            );
        }
        let moving: Vec<usize> = set
            .iter()
            .filter(|node| self.moves_anything(*node) && !self.is_outrun(*node, set))
            .collect();
        let heads = self.graph.maximal(&moving);
        let case_heads = case_heads.into_iter().chain(contested).collect();
        View {
            standing,
            heads,
            case_heads,
            live,
            conflicts,
        }
    }

    fn moves_anything(&self, node: usize) -> bool {
        self.effects(node)
            .is_some_and(|effects| !effects.moves.is_empty())
    }

    /// The heads of the case's track, and apart from them the endings that a failed check contests: those are taken
    /// out, and what they ended is looked at again.
    fn case_heads(&self, set: &Bits) -> (Vec<usize>, Vec<usize>) {
        let mut movers = self.movers(set, CASE);
        let mut contested = Vec::new();
        loop {
            let heads = self.graph.maximal(&movers);
            let out: Vec<usize> = heads
                .iter()
                .copied()
                .filter(|node| self.is_contested(*node, set))
                .collect();
            if out.is_empty() {
                return (heads, contested);
            }
            movers.retain(|node| !out.contains(node));
            contested.extend(out);
        }
    }

    /// Whether the office ended the case here while somebody, unseen, found the result on which that rests not to be so.
    fn is_contested(&self, ending: usize, set: &Bits) -> bool {
        if !self
            .gives(ending, CASE)
            .flatten()
            .is_some_and(|standing| standing.stage.is_ended_by_office())
        {
            return false;
        }
        set.iter().any(|check| {
            let body = &self.graph.line(check).entry.body;
            self.effects(check).is_some()
                && self.graph.line(check).entry.action() == Some(Action::PostCheck)
                && body.verdict == Some(Verdict::Failed)
                && self.graph.are_concurrent(check, ending)
                && self.rests_on_judged(ending, check)
        })
    }

    /// Whether the result that the check judged is the latest that the ending's author had seen.
    fn rests_on_judged(&self, ending: usize, check: usize) -> bool {
        let body = &self.graph.line(check).entry.body;
        let (Some(assignment), Some(judged)) = (
            body.assignment,
            body.judged.and_then(|id| self.graph.node(id)),
        ) else {
            return false;
        };
        self.latest_results(self.graph.above(ending), assignment)
            .contains(&judged)
    }

    /// Endings that contradict each other, or that somebody had not seen who did something else. A passed check of the
    /// result on which a closing rests says the same as the closing.
    fn conflict_of_endings(
        &self,
        set: &Bits,
        ended: &[usize],
        contested: &[usize],
    ) -> Option<RawConflict> {
        let endings: Vec<usize> = ended.iter().chain(contested).copied().collect();
        let unseen: Vec<usize> = set
            .iter()
            .filter(|node| {
                self.moves_anything(*node) && !endings.contains(node) && !self.is_outrun(*node, set)
            })
            .filter(|node| {
                endings.iter().any(|ending| {
                    self.graph.are_concurrent(*node, *ending) && !self.agrees(*node, *ending)
                })
            })
            .collect();
        let others = self.graph.maximal(&unseen);
        let stages = ended
            .iter()
            .filter_map(|node| self.gives(*node, CASE).flatten());
        if others.is_empty() && contested.is_empty() && !differ(stages) {
            return None;
        }
        let members: BTreeSet<usize> = endings.into_iter().chain(others).collect();
        Some(RawConflict {
            track: CASE,
            members: members.into_iter().collect(),
        })
    }

    fn agrees(&self, check: usize, ending: usize) -> bool {
        let entry = &self.graph.line(check).entry;
        entry.action() == Some(Action::PostCheck)
            && entry.body.verdict == Some(Verdict::Passed)
            && self
                .gives(ending, CASE)
                .flatten()
                .is_some_and(|standing| standing.stage == Stage::Closed)
            && self.rests_on_judged(ending, check)
    }

    /// That somebody ended the assignment is an answer like any other.
    fn conflict_of_assignment(&self, set: &Bits, track: usize) -> Option<RawConflict> {
        let members = self.track_heads(set, track);
        differ(members.iter().filter_map(|node| self.gives(*node, track)))
            .then_some(RawConflict { track, members })
    }

    fn track_standing(&self, set: &Bits, track: usize) -> Option<Standing> {
        let heads = self.track_heads(set, track);
        heads
            .iter()
            .filter_map(|node| self.gives(*node, track).flatten())
            .min_by_key(|standing| standing.rank())
    }

    /// What a dispatched case shows: the safest of its assignments; it awaits closing when all that lead do.
    fn shared_standing(&self, live: &[(usize, Standing)]) -> Standing {
        let awaiting = Standing::at(Stage::AwaitingClose);
        let mut leading = live
            .iter()
            .filter(|(track, _)| {
                self.opened_at(*track)
                    .is_some_and(|opened| opened.part == Part::Main)
            })
            .peekable();
        if leading.peek().is_some() && leading.all(|(_, standing)| *standing == awaiting) {
            return awaiting;
        }
        live.iter()
            .map(|(_, standing)| *standing)
            .min_by_key(|standing| standing.rank())
            .unwrap_or(Standing::at(Stage::Registered))
    }

    /// Conflicts of the set that no `reconcile` of the set has settled: those of now, and those that an ordinary
    /// entry passed over.
    pub(super) fn flagged(&self, set: &Bits) -> Vec<RawConflict> {
        let mut all: BTreeSet<RawConflict> = self.view(set).conflicts.into_iter().collect();
        all.extend(
            set.iter()
                .filter_map(|node| self.effects(node))
                .flat_map(|effects| effects.passed_over.iter().cloned()),
        );
        all.retain(|conflict| !set.iter().any(|node| self.settles(node, conflict)));
        all.into_iter().collect()
    }

    fn settles(&self, node: usize, conflict: &RawConflict) -> bool {
        let names_all = || {
            conflict
                .members
                .iter()
                .all(|member| self.graph.above(node).contains(*member))
        };
        self.effects(node)
            .is_some_and(|effects| effects.settles.contains(&conflict.track))
            && names_all()
    }

    /// What may be chosen to settle a conflict, the one that is shown first.
    pub(super) fn candidates(&self, conflict: &RawConflict, set: &Bits) -> Vec<usize> {
        let view = self.view(set);
        let heads = if conflict.track == CASE {
            view.case_heads.clone()
        } else {
            self.track_heads(set, conflict.track)
        };
        let now = view
            .conflicts
            .contains(conflict)
            .then_some(&conflict.members);
        let nodes: BTreeSet<usize> = heads
            .into_iter()
            .chain(now.into_iter().flatten().copied())
            .collect();
        let mut nodes: Vec<usize> = nodes.into_iter().collect();
        nodes.sort_by_key(|node| (self.rank(*node, conflict.track), self.graph.line(*node).id));
        nodes
    }

    /// How safe an entry's claim is: what it gives to the assignment, for the case the safest of all that it gives.
    fn rank(&self, node: usize, track: usize) -> u8 {
        if track != CASE
            && let Some(given) = self.gives(node, track)
        {
            return given.map_or(u8::MAX, Standing::rank);
        }
        let moves = self
            .effects(node)
            .map(|effects| effects.moves.as_slice())
            .unwrap_or_default();
        moves
            .iter()
            .filter_map(|(_, to)| to.map(Standing::rank))
            .min()
            .unwrap_or(u8::MAX)
    }
}

/// Whether not all of them are the same.
fn differ<T: PartialEq>(mut standings: impl Iterator<Item = T>) -> bool {
    standings
        .next()
        .is_some_and(|first| standings.any(|other| other != first))
}
