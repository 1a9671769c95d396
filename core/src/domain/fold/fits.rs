//! Whether an entry suits the state that its own author had seen, and what it does if so.
//!
//! Never asked at admission: a person did act. What does not fit is kept as an anomaly.

use super::super::action::{Action, Demand, DocumentKind, Level, Row, Step};
use super::super::capability::Capability;
use super::super::entry::{CheckBy, Entry};
use super::super::id::EntryId;
use super::super::refusal::Refusal;
use super::super::stage::{Stage, Standing};
use super::Fold;
use super::judge::{CASE, Opened, RawConflict, View};
use crate::bits::Bits;

/// What a fitting entry does.
#[derive(Debug, Default)]
pub(super) struct Effects {
    /// It opens the document.
    pub(super) is_opening: bool,
    /// The tracks it moves, and to where; an assignment that is over goes nowhere.
    pub(super) moves: Vec<(usize, Option<Standing>)>,
    /// The assignments it opens.
    pub(super) opens: Vec<Opened>,
    /// The tracks whose conflicts it settles.
    pub(super) settles: Vec<usize>,
    /// Conflicts among the heads it names, which it leaves as they are.
    pub(super) passed_over: Vec<RawConflict>,
}

impl Fold<'_> {
    /// Judges the entry at a place of the order.
    pub(super) fn judge_line(&self, node: usize) -> Result<Effects, Refusal> {
        if self.graph.is_repeated(node) {
            return Err(Refusal::Repeated);
        }
        self.effects_of(&self.graph.line(node).entry, self.graph.above(node), node)
    }

    /// Judges an entry whose author had seen the set, and that will stand at the place `node`.
    pub(super) fn effects_of(
        &self,
        entry: &Entry,
        seen: &Bits,
        node: usize,
    ) -> Result<Effects, Refusal> {
        let action = entry.action().ok_or(Refusal::UnknownAction)?;
        let row = action.row(self.kind).ok_or(Refusal::UnknownAction)?;
        let lacks = |detail| !entry.body.details().contains(detail);
        if row.needs.iter().any(lacks) {
            return Err(Refusal::EntryForm);
        }
        match row.level {
            Level::Opening if self.opening().is_some() => Err(Refusal::WrongStage),
            Level::Opening => {
                let moves = row.steps.iter().map(|step| (CASE, Some(step.to))).collect();
                Ok(Effects {
                    is_opening: true,
                    moves,
                    ..Effects::default()
                })
            }
            Level::Aside => self.effects_aside(entry, row, seen),
            Level::Case | Level::Assignment => {
                let view = self.view(seen);
                let mut effects = if action == Action::Reconcile {
                    self.effects_of_reconcile(entry, &view, seen)?
                } else {
                    self.effects_of_step(entry, row, &view, seen, node)?
                };
                if action != Action::Reconcile {
                    effects.passed_over = view.conflicts;
                }
                Ok(effects)
            }
        }
    }

    fn effects_aside(&self, entry: &Entry, row: &Row, seen: &Bits) -> Result<Effects, Refusal> {
        if row.demands.contains(&Demand::OwnEntry) {
            let target = entry.body.withdraws.and_then(|id| self.graph.node(id));
            let own = target.is_some_and(|node| self.graph.line(node).entry.person == entry.person);
            return if own {
                Ok(Effects::default())
            } else {
                Err(Refusal::NothingToWithdraw)
            };
        }
        let suits = |stage: Stage| row.steps.iter().any(|step| step.from.contains(&stage));
        let is_always_welcome = row
            .steps
            .iter()
            .any(|step| step.from.len() == Stage::ALL.len());
        if is_always_welcome
            || self.kind != DocumentKind::Case
            || self
                .view(seen)
                .standing
                .is_some_and(|standing| suits(standing.stage))
        {
            Ok(Effects::default())
        } else {
            Err(Refusal::WrongStage)
        }
    }

    fn effects_of_step(
        &self,
        entry: &Entry,
        row: &Row,
        view: &View,
        seen: &Bits,
        node: usize,
    ) -> Result<Effects, Refusal> {
        let standing = view.standing.ok_or(Refusal::NotOpened)?;
        let (track, stage) = if row.level == Level::Assignment {
            if !standing.stage.is_open() {
                return Err(Refusal::WrongStage);
            }
            let (track, at) = self
                .named_assignment(entry, view)
                .ok_or(Refusal::NoAssignment)?;
            (track, at.stage)
        } else {
            (CASE, standing.stage)
        };
        let is_possible = |step: &&Step| {
            step.from.contains(&stage)
                && (step.verdict.is_none() || step.verdict == entry.body.verdict)
        };
        let step = row
            .steps
            .iter()
            .find(is_possible)
            .ok_or(Refusal::WrongStage)?;
        for demand in row.demands {
            self.meets(*demand, entry, view, seen)?;
        }
        let mut effects = Effects {
            moves: vec![(track, Some(step.to))],
            ..Effects::default()
        };
        if row.action == Action::Dispatch {
            self.add_dispatch(&mut effects, entry, view, node);
        }
        if stage.is_ended_by_office() {
            effects
                .moves
                .extend(view.live.iter().map(|(track, _)| (*track, None)));
        }
        Ok(effects)
    }

    /// A dispatch opens an assignment for each unit and ends those that were sent back.
    fn add_dispatch(&self, effects: &mut Effects, entry: &Entry, view: &View, node: usize) {
        let sent_back = view
            .live
            .iter()
            .filter(|(_, standing)| standing.stage == Stage::Registered);
        effects
            .moves
            .extend(sent_back.map(|(track, _)| (*track, None)));
        // An entry that is only asked about has no id yet; its assignments are then named by nothing.
        let dispatch = if node < self.graph.len() {
            self.graph.line(node).id
        } else {
            EntryId([0; 16])
        };
        for (place, (unit, part)) in entry.body.assign.iter().enumerate() {
            let id = super::super::entry::AssignmentId {
                dispatch,
                unit: *unit,
            };
            let check_by = entry.body.check_by.unwrap_or(CheckBy::Either);
            effects.opens.push(Opened {
                id,
                part: *part,
                check_by,
                by: node,
            });
            effects.moves.push((
                self.opened.len() + place + 1,
                Some(Standing::at(Stage::Dispatched)),
            ));
        }
    }

    fn named_assignment(&self, entry: &Entry, view: &View) -> Option<(usize, Standing)> {
        let named = entry.body.assignment?;
        view.live.iter().copied().find(|(track, _)| {
            self.opened_at(*track)
                .is_some_and(|opened| opened.id == named)
        })
    }

    fn meets(
        &self,
        demand: Demand,
        entry: &Entry,
        view: &View,
        seen: &Bits,
    ) -> Result<(), Refusal> {
        let need = |is_met: bool, refusal| if is_met { Ok(()) } else { Err(refusal) };
        let body = &entry.body;
        let judged = || body.judged.and_then(|id| self.graph.node(id));
        match demand {
            Demand::Reporter => {
                let reporter = self
                    .opening()
                    .map(|node| self.graph.line(node).entry.person);
                need(reporter == Some(entry.person), Refusal::NotReporter)
            }
            Demand::OwnAssignment => need(
                body.assignment.is_some_and(|a| a.unit == entry.unit),
                Refusal::ForeignAssignment,
            ),
            Demand::LatestResult => {
                let latest = body
                    .assignment
                    .map(|assignment| self.latest_results(seen, assignment))
                    .unwrap_or_default();
                need(
                    judged().is_some_and(|node| latest.contains(&node)),
                    Refusal::OldResult,
                )
            }
            Demand::NotOwnResult => {
                let own_body = entry.capability == Capability::Confirm.code()
                    && body.assignment.is_some_and(|a| a.unit == entry.unit);
                let own_work =
                    judged().is_some_and(|node| self.graph.line(node).entry.person == entry.person);
                need(!own_body && !own_work, Refusal::OwnResult)
            }
            Demand::AskedChecker => {
                let asked = self
                    .named_assignment(entry, view)
                    .and_then(|(track, _)| self.opened_at(track))
                    .map(|opened| opened.check_by);
                let is_asked = match asked {
                    Some(CheckBy::Inspector) => entry.capability == Capability::Inspect.code(),
                    Some(CheckBy::Cadre) => entry.capability == Capability::Confirm.code(),
                    Some(CheckBy::Either) | None => true,
                };
                need(is_asked, Refusal::WrongChecker)
            }
            Demand::NewUnits => {
                let is_busy = |unit| {
                    view.live.iter().any(|(track, standing)| {
                        standing.stage != Stage::Registered
                            && self
                                .opened_at(*track)
                                .is_some_and(|opened| opened.id.unit == unit)
                    })
                };
                need(
                    !body.assign.iter().any(|(unit, _)| is_busy(*unit)),
                    Refusal::AlreadyAssigned,
                )
            }
            Demand::Settles | Demand::OwnEntry => Ok(()),
        }
    }

    /// A `reconcile` names all heads of a conflict and gives again what the chosen one gave. The holder of the capability settles any;
    /// others may only concede: the author of the entry that is shown chooses another's.
    fn effects_of_reconcile(
        &self,
        entry: &Entry,
        view: &View,
        seen: &Bits,
    ) -> Result<Effects, Refusal> {
        if entry.body.field.is_some() {
            return Ok(Effects::default());
        }
        let chosen = entry
            .body
            .chosen
            .and_then(|id| self.graph.node(id))
            .ok_or(Refusal::NotAHead)?;
        let flagged = self.flagged(seen);
        if flagged.is_empty() {
            return Err(Refusal::NoConflict);
        }
        let mut effects = Effects::default();
        let mut concedes = true;
        let mut ends_are_candidates = false;
        for conflict in &flagged {
            let candidates = self.candidates(conflict, seen);
            if !candidates.contains(&chosen) {
                continue;
            }
            let shown = candidates.first().copied();
            concedes &= shown != Some(chosen)
                && shown.is_some_and(|node| self.graph.line(node).entry.person == entry.person);
            ends_are_candidates |= candidates.iter().any(|node| self.ends_case(*node));
            effects.settles.push(conflict.track);
        }
        if effects.settles.is_empty() {
            return Err(Refusal::NotAHead);
        }
        if entry.capability != Capability::Reconcile.code() && !concedes {
            return Err(Refusal::NotYoursToSettle);
        }
        effects.moves = self.moves_again(chosen, view);
        let moves_case = effects.moves.iter().any(|(track, _)| *track == CASE);
        if ends_are_candidates && !moves_case {
            effects
                .moves
                .push((CASE, Some(Standing::at(Stage::Dispatched))));
        }
        Ok(effects)
    }

    fn ends_case(&self, node: usize) -> bool {
        let gives = |(track, to): &(usize, Option<Standing>)| {
            *track == CASE && to.is_some_and(|standing| standing.stage.is_ended_by_office())
        };
        self.effects(node)
            .is_some_and(|effects| effects.moves.iter().any(gives))
    }

    /// What the chosen entry gave, as far as it still applies: a dispatch gives the case and ends again what it had ended,
    /// but gives its units no fresh start.
    fn moves_again(&self, chosen: usize, view: &View) -> Vec<(usize, Option<Standing>)> {
        let Some(effects) = self.effects(chosen) else {
            return Vec::new();
        };
        let applies = |(track, to): &&(usize, Option<Standing>)| {
            *track == CASE
                || (view.live(*track).is_some() && (to.is_none() || effects.opens.is_empty()))
        };
        effects.moves.iter().filter(applies).copied().collect()
    }
}
