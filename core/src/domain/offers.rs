//! What a person may do next with a document: every allowed action and nothing else, for buttons.
//!
//! It asks `may` and `fits` about a plausible entry of each action; it decides nothing itself.

use super::action::{Action, Demand, DocumentKind, Level, Row, Where};
use super::capability::{Holding, Right};
use super::case::Workflow;
use super::entry::{AssignmentId, Body, Detail, Entry, Line, Part, Verdict};
use super::fold::Fold;
use super::id::{DeviceId, DocumentId, EntryId, PersonId, UnitId};
use super::place::Scope;
use super::rules;
use super::time::{At, Timestamp};

/// Something that may be done.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Offer {
    /// What.
    pub action: Action,
    /// On which assignment.
    pub assignment: Option<AssignmentId>,
    /// By which right.
    pub right: Right,
}

/// Who asks, where and when.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// The person.
    pub person: PersonId,
    /// Dated rows of rights.
    pub holdings: &'a [Holding],
    /// By the asking end's clock.
    pub now: Timestamp,
    /// At the office, or anywhere.
    pub place: Where,
}

/// Everything that the person may do next.
pub fn offers(
    kind: DocumentKind,
    lines: &[Line],
    scopes: &[Scope],
    asker: Asker<'_>,
) -> Vec<Offer> {
    let fold = Fold::of(kind, lines);
    let workflow = fold.workflow();
    let mut offers = Vec::new();
    for action in Action::ALL {
        let Some(row) = action.row(kind).filter(|row| row.level != Level::Opening) else {
            continue;
        };
        if row.place != Where::Anywhere && row.place != asker.place {
            continue;
        }
        let rights = rules::rights_for(
            asker.holdings,
            asker.now,
            asker.person,
            *action,
            kind,
            scopes,
        );
        for (assignment, body) in plausible(row, &workflow, lines, asker.person) {
            let fitting = rights.iter().copied().find(|right| {
                fold.fits(&entry(*action, *right, asker, &workflow, body.clone()))
                    .is_ok()
            });
            if let Some(right) = fitting {
                offers.push(Offer {
                    action: *action,
                    assignment,
                    right,
                });
            }
        }
    }
    offers.dedup_by(|a, b| (a.action, a.assignment) == (b.action, b.assignment));
    offers
}

fn entry(action: Action, right: Right, asker: Asker<'_>, workflow: &Workflow, body: Body) -> Entry {
    Entry {
        kind: action.code(),
        person: asker.person,
        device: DeviceId([0; 8]),
        capability: right.capability.code(),
        unit: right.unit,
        n: 1,
        on: workflow.heads.clone(),
        at: At::wall(asker.now),
        key: None,
        body,
    }
}

/// Bodies with what the row needs: one for each assignment, verdict or choice that could be meant.
fn plausible(
    row: &Row,
    workflow: &Workflow,
    lines: &[Line],
    person: PersonId,
) -> Vec<(Option<AssignmentId>, Body)> {
    let needs = |detail| row.needs.contains(&detail);
    let mut body = Body {
        words: needs(Detail::Words).then(|| "-".to_owned()),
        verdict: needs(Detail::Verdict).then_some(Verdict::Passed),
        target: needs(Detail::Target).then_some(DocumentId([0; 16])),
        count: needs(Detail::Count).then_some((0, 1)),
        ..Body::default()
    };
    if needs(Detail::Assign) {
        // A unit that nobody is: whether a real one is free depends on which is chosen.
        body.assign = vec![(UnitId(u64::MAX), Part::Main)];
    }
    if needs(Detail::Withdraws) {
        let own = lines
            .iter()
            .find(|line| line.entry.person == person && line.entry.action() == Some(Action::Count));
        body.withdraws = own.map(|line| line.id);
    }
    if row.demands.contains(&Demand::Settles) {
        let choices = workflow
            .conflicts
            .iter()
            .flat_map(|conflict| &conflict.candidates);
        return choices
            .map(|chosen| {
                (
                    None,
                    Body {
                        chosen: Some(*chosen),
                        ..body.clone()
                    },
                )
            })
            .collect();
    }
    if !needs(Detail::Assignment) {
        return vec![(None, body)];
    }
    let judged = |results: &[EntryId]| {
        needs(Detail::Judged)
            .then(|| results.first().copied())
            .flatten()
    };
    let on_assignment = workflow.assignments.iter().map(|assignment| {
        let judged = judged(&assignment.results);
        (
            Some(assignment.id),
            Body {
                assignment: Some(assignment.id),
                judged,
                ..body.clone()
            },
        )
    });
    on_assignment.collect()
}
