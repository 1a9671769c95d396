//! One test per rule of the fold, told as stories: people with names act on what they had seen.
//!
//! A [`Story`] checks at every step what must hold always: that the order of arrival does not matter, and that asking
//! `fits` before recording gives the answer that the fold gives afterwards.

mod assignments;
mod conflicts;
mod endings;
mod life;
mod misfits;

use super::super::action::{Action, DocumentKind};
use super::super::capability::Capability;
use super::super::case::{Assignment, Conflict, Track, Workflow};
use super::super::entry::{AssignmentId, Body, CheckBy, Entry, Line, Part, Verdict};
use super::super::id::{DeviceId, DocumentId, EntryId, PersonId, UnitId};
use super::super::refusal::Refusal;
use super::super::stage::{Stage, Standing};
use super::super::time::{At, Timestamp};
use super::Fold;
use crate::doc::entry::{encode, entry_id};

/// An inspector, who reported the case.
const LI: PersonId = PersonId(*b"inspectr");
/// Another inspector of the same village.
const WANG: PersonId = PersonId(*b"inspect2");
/// The cadre of the village.
const CHEN: PersonId = PersonId(*b"cadre---");
/// The dispatcher.
const ZHAO: PersonId = PersonId(*b"dispatch");
/// A worker of the water unit, and his colleague.
const GUO: PersonId = PersonId(*b"worker-1");
const HE: PersonId = PersonId(*b"worker-2");

const VILLAGE: UnitId = UnitId(440_403_100_200);
const WATER: UnitId = UnitId(101);
const ROADS: UnitId = UnitId(102);

/// One thing that somebody does, before it is recorded.
#[derive(Clone)]
struct Deed {
    entry: Entry,
    /// The heads that its author had seen; all of the story's when not set.
    on: Option<Vec<EntryId>>,
}

impl Deed {
    fn by(mut self, person: PersonId) -> Self {
        self.entry.person = person;
        self
    }

    fn with(mut self, capability: Capability, unit: UnitId) -> Self {
        self.entry.capability = capability.code();
        self.entry.unit = unit;
        self
    }

    fn on(mut self, on: &[EntryId]) -> Self {
        let mut on = on.to_vec();
        on.sort_unstable();
        self.on = Some(on);
        self
    }

    fn key(mut self, key: &[u8]) -> Self {
        self.entry.key = Some(key.to_vec());
        self
    }

    fn body(mut self, change: impl FnOnce(&mut Body)) -> Self {
        change(&mut self.entry.body);
        self
    }
}

/// A deed of an action by the person who usually does it, with the words that some actions need.
fn deed(action: Action) -> Deed {
    let (person, capability, unit) = match action {
        Action::Report | Action::Withdraw => (LI, Capability::Report, UnitId::CITY),
        Action::PreCheck | Action::PostCheck | Action::Note | Action::Amend => {
            (LI, Capability::Inspect, VILLAGE)
        }
        Action::Resolve | Action::SendBack | Action::Reject => (GUO, Capability::Fix, WATER),
        Action::Reconcile => (ZHAO, Capability::Reconcile, UnitId::CITY),
        _ => (ZHAO, Capability::Dispatch, UnitId::CITY),
    };
    let entry = Entry {
        kind: action.code(),
        person,
        device: DeviceId([7; 8]),
        capability: capability.code(),
        unit,
        n: 1,
        on: Vec::new(),
        at: At::wall(Timestamp(1_700_000_000_000)),
        key: None,
        body: Body {
            words: Some(action.word().to_owned()),
            ..Body::default()
        },
    };
    Deed { entry, on: None }
}

fn report() -> Deed {
    deed(Action::Report)
}

/// A dispatch to these units, all leading.
fn dispatch(units: &[UnitId]) -> Deed {
    let assign = units.iter().map(|unit| (*unit, Part::Main)).collect();
    deed(Action::Dispatch).body(|body| body.assign = assign)
}

/// A deed of a unit on its assignment.
fn unit_deed(action: Action, dispatch: EntryId, unit: UnitId) -> Deed {
    deed(action)
        .with(Capability::Fix, unit)
        .body(|body| body.assignment = Some(AssignmentId { dispatch, unit }))
}

fn resolve(dispatch: EntryId, unit: UnitId) -> Deed {
    unit_deed(Action::Resolve, dispatch, unit)
}

/// A check by an inspector of what a unit says it solved.
fn check(verdict: Verdict, dispatch: EntryId, unit: UnitId, judged: EntryId) -> Deed {
    deed(Action::PostCheck).body(|body| {
        body.assignment = Some(AssignmentId { dispatch, unit });
        body.judged = Some(judged);
        body.verdict = Some(verdict);
    })
}

fn reconcile(chosen: EntryId) -> Deed {
    deed(Action::Reconcile).body(|body| body.chosen = Some(chosen))
}

/// The entries of one case so far.
#[derive(Default)]
struct Story {
    lines: Vec<Line>,
}

impl Story {
    /// A case that was reported, accepted, filed, and dispatched to the water unit; and the dispatch.
    fn dispatched() -> (Self, EntryId) {
        let mut story = Self::default();
        story.add(report());
        story.add(deed(Action::Accept));
        story.add(deed(Action::Register));
        let sent = story.add(dispatch(&[WATER]));
        (story, sent)
    }

    /// The same, and the water unit says that it is solved; the dispatch and the result.
    fn resolved() -> (Self, EntryId, EntryId) {
        let (mut story, sent) = Self::dispatched();
        let result = story.add(resolve(sent, WATER));
        (story, sent, result)
    }

    /// Two checks of one result at once: it passed, and it failed.
    fn contradicted() -> (Self, EntryId, EntryId, EntryId) {
        let (mut story, sent, result) = Self::resolved();
        let passed = story.add(check(Verdict::Passed, sent, WATER, result).on(&[result]));
        let failed = story.add(
            check(Verdict::Failed, sent, WATER, result)
                .by(WANG)
                .on(&[result]),
        );
        (story, sent, passed, failed)
    }

    fn entry(&self, deed: &Deed) -> Entry {
        let mut entry = deed.entry.clone();
        entry.n = self.lines.len() as u64 + 1;
        entry.on = deed.on.clone().unwrap_or_else(|| self.workflow().heads);
        entry
    }

    /// Whether the deed would fit.
    fn fits(&self, deed: &Deed) -> Result<(), Refusal> {
        Fold::of(DocumentKind::Case, &self.lines).fits(&self.entry(deed))
    }

    /// Records a deed, whether it fits or not.
    fn add(&mut self, deed: Deed) -> EntryId {
        let expected = self.fits(&deed).err();
        let entry = self.entry(&deed);
        let id = entry_id(DocumentId([1; 16]), &encode(&entry));
        assert!(self.lines.iter().all(|line| line.id != id), "a new entry");
        self.lines.push(Line {
            id,
            entry,
            received_at: None,
        });
        let found = self.reason(id);
        let is_outrun = expected.is_none() && found == Some(Refusal::OldResult);
        assert!(found == expected || is_outrun, "{expected:?}, {found:?}");
        id
    }

    fn workflow(&self) -> Workflow {
        let workflow = Fold::of(DocumentKind::Case, &self.lines).workflow();
        let backwards: Vec<Line> = self.lines.iter().rev().cloned().collect();
        assert_eq!(
            workflow,
            Fold::of(DocumentKind::Case, &backwards).workflow()
        );
        workflow
    }

    /// Why the entry is an anomaly, if it is one.
    fn reason(&self, id: EntryId) -> Option<Refusal> {
        let anomalies = Fold::of(DocumentKind::Case, &self.lines).anomalies();
        let found = anomalies.into_iter().find(|anomaly| anomaly.entry == id);
        found.map(|anomaly| anomaly.reason)
    }

    fn anomalies(&self) -> usize {
        Fold::of(DocumentKind::Case, &self.lines).anomalies().len()
    }

    fn standing(&self) -> Standing {
        self.workflow().standing.expect("an opened case")
    }

    fn stage(&self) -> Stage {
        self.standing().stage
    }

    fn conflicts(&self) -> Vec<Conflict> {
        self.workflow().conflicts
    }

    fn is_flagged(&self) -> bool {
        !self.conflicts().is_empty()
    }

    fn assignment(&self, unit: UnitId) -> Option<Assignment> {
        let assignments = self.workflow().assignments;
        assignments.into_iter().find(|open| open.id.unit == unit)
    }
}
