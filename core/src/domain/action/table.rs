//! The table of all actions: the rows of [`super::Row`], as differences to a plain one.
//!
//! Data only; what a column means stands in `action`.

use super::{Action, Demand, DocumentKind, Level, Reach, Row, Step, Where};
use crate::domain::capability::Capability;
use crate::domain::entry::{Detail, Field, Verdict};
use crate::domain::stage::{Stage, Standing};

use Capability as C;
use Detail as D;
use Reach as R;
use Stage as S;

const CASE: &[DocumentKind] = &[DocumentKind::Case];
const SURVEY: &[DocumentKind] = &[DocumentKind::Survey];
const OPEN: &[Stage] = &[
    S::Reported,
    S::PreChecking,
    S::Accepted,
    S::Registered,
    S::Dispatched,
    S::Suspended,
    S::Resolved,
    S::PostChecking,
    S::AwaitingClose,
];
const ANY: &[Stage] = Stage::ALL;
const ALL_FIELDS: &[Field] = Field::ALL;
/// Whoever works on a case.
const INVOLVED: &[(Capability, Reach)] = &[
    (C::Report, R::Own),
    (C::Inspect, R::Unit),
    (C::Confirm, R::Unit),
    (C::Fix, R::Unit),
    (C::Accept, R::Unit),
    (C::Note, R::Unit),
];
const UNIT: &[(Capability, Reach)] = &[(C::Fix, R::Unit)];
const CHECKERS: &[(Capability, Reach)] = &[(C::Inspect, R::Unit), (C::Confirm, R::Unit)];

const fn step(from: &'static [Stage], to: Stage) -> Step {
    Step {
        verdict: None,
        from,
        to: Standing::at(to),
    }
}

const fn verdict(verdict: Verdict, from: &'static [Stage], to: Standing) -> Step {
    Step {
        verdict: Some(verdict),
        from,
        to,
    }
}

/// A row with nothing but its action; the others are written as differences to it.
const PLAIN: Row = Row {
    action: Action::Note,
    kinds: CASE,
    place: Where::Anywhere,
    by: &[],
    level: Level::Case,
    steps: &[],
    needs: &[],
    allows: &[D::Words, D::Photos, D::Reason],
    writes: &[],
    may_write: &[],
    demands: &[],
};

/// The table of all actions.
pub const TABLE: &[Row] = &[
    Row {
        action: Action::Report,
        by: &[(C::Report, R::Anywhere)],
        level: Level::Opening,
        steps: &[step(&[], S::Reported)],
        allows: &[D::Words, D::Photos, D::Source],
        writes: &[Field::Place, Field::Category, Field::Words],
        ..PLAIN
    },
    Row {
        action: Action::Note,
        kinds: DocumentKind::ALL,
        by: INVOLVED,
        level: Level::Aside,
        steps: &[step(ANY, S::Reported)],
        ..PLAIN
    },
    Row {
        action: Action::Amend,
        by: &[
            (C::Report, R::Own),
            (C::Inspect, R::Unit),
            (C::Accept, R::Unit),
        ],
        level: Level::Aside,
        steps: &[step(OPEN, S::Reported)],
        may_write: ALL_FIELDS,
        ..PLAIN
    },
    Row {
        action: Action::Accept,
        place: Where::Office,
        by: &[(C::Accept, R::Unit)],
        steps: &[step(&[S::Reported], S::Accepted)],
        ..PLAIN
    },
    Row {
        action: Action::Register,
        place: Where::Office,
        by: &[(C::Register, R::Unit)],
        steps: &[step(&[S::Accepted], S::Registered)],
        may_write: &[Field::Category],
        ..PLAIN
    },
    Row {
        action: Action::Decline,
        place: Where::Office,
        by: &[(C::Decline, R::Unit)],
        steps: &[step(&[S::Reported, S::Accepted], S::Declined)],
        needs: &[D::Words],
        ..PLAIN
    },
    Row {
        action: Action::Dispatch,
        place: Where::Office,
        by: &[(C::Dispatch, R::Unit)],
        steps: &[step(
            &[
                S::Registered,
                S::Dispatched,
                S::Suspended,
                S::Resolved,
                S::PostChecking,
            ],
            S::Dispatched,
        )],
        needs: &[D::Assign],
        allows: &[D::Words, D::Reason, D::CheckBy],
        demands: &[Demand::NewUnits],
        ..PLAIN
    },
    Row {
        action: Action::SendBack,
        by: UNIT,
        level: Level::Assignment,
        steps: &[step(&[S::Dispatched], S::Registered)],
        needs: &[D::Assignment, D::Words],
        demands: &[Demand::OwnAssignment],
        ..PLAIN
    },
    Row {
        action: Action::Resolve,
        by: UNIT,
        level: Level::Assignment,
        steps: &[step(&[S::Dispatched], S::Resolved)],
        needs: &[D::Assignment],
        allows: &[D::Words, D::Photos, D::Mode],
        demands: &[Demand::OwnAssignment],
        ..PLAIN
    },
    Row {
        action: Action::AskPostCheck,
        place: Where::Office,
        by: &[(C::Accept, R::Unit)],
        level: Level::Assignment,
        steps: &[step(&[S::Resolved], S::PostChecking)],
        needs: &[D::Assignment],
        ..PLAIN
    },
    Row {
        action: Action::PostCheck,
        by: CHECKERS,
        level: Level::Assignment,
        steps: &[
            verdict(
                Verdict::Passed,
                &[S::Resolved, S::PostChecking],
                Standing::at(S::AwaitingClose),
            ),
            verdict(
                Verdict::Failed,
                &[S::Resolved, S::PostChecking],
                Standing::REWORK,
            ),
            verdict(
                Verdict::Unchecked,
                &[S::Resolved, S::PostChecking],
                Standing::at(S::Resolved),
            ),
        ],
        needs: &[D::Assignment, D::Judged, D::Verdict],
        demands: &[
            Demand::LatestResult,
            Demand::NotOwnResult,
            Demand::AskedChecker,
        ],
        ..PLAIN
    },
    Row {
        action: Action::Reject,
        by: UNIT,
        level: Level::Assignment,
        steps: &[step(&[S::Resolved], S::Dispatched)],
        needs: &[D::Assignment, D::Words],
        demands: &[Demand::OwnAssignment],
        ..PLAIN
    },
    Row {
        action: Action::Close,
        place: Where::Office,
        by: &[(C::Close, R::Unit)],
        steps: &[step(&[S::AwaitingClose], S::Closed)],
        ..PLAIN
    },
    Row {
        action: Action::Cancel,
        place: Where::Office,
        by: &[(C::Cancel, R::Unit)],
        steps: &[step(OPEN, S::Cancelled)],
        needs: &[D::Words],
        ..PLAIN
    },
    Row {
        action: Action::Withdraw,
        kinds: &[DocumentKind::Case, DocumentKind::Survey],
        by: &[(C::Report, R::Own)],
        steps: &[step(&[S::Reported, S::PreChecking], S::Withdrawn)],
        demands: &[Demand::Reporter],
        ..PLAIN
    },
    Row {
        action: Action::Withdraw,
        kinds: &[DocumentKind::Tally],
        by: &[(C::Count, R::Unit), (C::Report, R::Own)],
        level: Level::Aside,
        steps: &[step(ANY, S::Reported)],
        needs: &[D::Withdraws],
        demands: &[Demand::OwnEntry],
        ..PLAIN
    },
    Row {
        action: Action::Reconcile,
        by: &[
            (C::Reconcile, R::Unit),
            (C::Report, R::Own),
            (C::Inspect, R::Unit),
            (C::Confirm, R::Unit),
            (C::Fix, R::Unit),
        ],
        allows: &[D::Words, D::Chosen, D::Field],
        may_write: ALL_FIELDS,
        demands: &[Demand::Settles],
        ..PLAIN
    },
    Row {
        action: Action::Reopen,
        place: Where::Office,
        by: &[(C::Reopen, R::Unit)],
        steps: &[
            step(&[S::Closed], S::Registered),
            step(&[S::Declined, S::Cancelled], S::Accepted),
        ],
        needs: &[D::Words],
        ..PLAIN
    },
    Row {
        action: Action::Urge,
        by: &[(C::Urge, R::Unit)],
        level: Level::Aside,
        steps: &[step(OPEN, S::Reported)],
        ..PLAIN
    },
    Row {
        action: Action::AskPreCheck,
        place: Where::Office,
        by: &[(C::Accept, R::Unit)],
        steps: &[step(&[S::Reported], S::PreChecking)],
        ..PLAIN
    },
    Row {
        action: Action::PreCheck,
        by: CHECKERS,
        steps: &[
            verdict(
                Verdict::Passed,
                &[S::PreChecking],
                Standing::at(S::Reported),
            ),
            verdict(
                Verdict::Failed,
                &[S::PreChecking],
                Standing::at(S::Reported),
            ),
            verdict(
                Verdict::Unchecked,
                &[S::PreChecking],
                Standing::at(S::Reported),
            ),
        ],
        needs: &[D::Verdict],
        ..PLAIN
    },
    Row {
        action: Action::MarkDuplicate,
        place: Where::Office,
        by: &[(C::Decline, R::Unit)],
        steps: &[step(&[S::Reported, S::Accepted], S::Declined)],
        needs: &[D::Target],
        ..PLAIN
    },
    Row {
        action: Action::Count,
        kinds: &[DocumentKind::Tally],
        by: &[(C::Count, R::Unit), (C::Report, R::Own)],
        level: Level::Aside,
        steps: &[step(ANY, S::Reported)],
        needs: &[D::Count],
        allows: &[D::Words, D::Photos],
        may_write: &[Field::Place, Field::Words],
        ..PLAIN
    },
    Row {
        action: Action::Propose,
        kinds: SURVEY,
        by: &[(C::Report, R::Anywhere)],
        level: Level::Opening,
        steps: &[step(&[], S::Reported)],
        needs: &[D::Proposal],
        allows: &[D::Words, D::Photos],
        writes: &[Field::Place, Field::Category],
        may_write: &[Field::Words],
        ..PLAIN
    },
    // Adopted: the register of components says so now.
    Row {
        action: Action::Accept,
        kinds: SURVEY,
        place: Where::Import,
        by: &[(C::Administer, R::Unit)],
        steps: &[step(&[S::Reported], S::Closed)],
        ..PLAIN
    },
    Row {
        action: Action::Decline,
        kinds: SURVEY,
        place: Where::Office,
        by: &[(C::Administer, R::Unit)],
        steps: &[step(&[S::Reported], S::Declined)],
        needs: &[D::Words],
        ..PLAIN
    },
];
