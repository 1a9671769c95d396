//! Everything a person can do, as one table: in which kind of document, by which right, from which stages to which,
//! with which details and registers.
//!
//! Completing the set of actions adds rows here, not branches elsewhere. Conditions that a row cannot say in data are
//! named in [`Demand`] and judged in one place, `rules`.

use super::capability::Capability;
use super::entry::{Detail, Field, Verdict};
use super::stage::{Stage, Standing};

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $code:literal $word:literal),* $(,)?) => {
        /// What a person does.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Action { $($(#[$doc])* $name),* }

        impl Action {
            /// All of them, in the order of their codes.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The code in an entry.
            pub fn code(self) -> u64 {
                match self { $(Self::$name => $code),* }
            }

            /// The word in JSON, SQL and the translation layer.
            pub fn word(self) -> &'static str {
                match self { $(Self::$name => $word),* }
            }
        }
    };
}

actions! {
    /// 上报: a matter is reported; opens a case.
    Report = 1 "report",
    /// A comment.
    Note = 2 "note",
    /// A register is corrected.
    Amend = 3 "amend",
    /// 受理.
    Accept = 4 "accept",
    /// 立案.
    Register = 5 "register",
    /// 不予受理, 不予立案.
    Decline = 6 "decline",
    /// 派遣 to one or several units.
    Dispatch = 7 "dispatch",
    /// 回退: not ours.
    SendBack = 8 "send_back",
    /// 处置: solved.
    Resolve = 9 "resolve",
    /// A check on the spot is asked for.
    AskPostCheck = 10 "ask_post_check",
    /// 核查: whether it is solved.
    PostCheck = 11 "post_check",
    /// A unit takes back its own worker's result.
    Reject = 12 "reject",
    /// 结案.
    Close = 13 "close",
    /// 作废.
    Cancel = 14 "cancel",
    /// The author takes back what he reported or counted.
    Withdraw = 15 "withdraw",
    /// A conflict is settled.
    Reconcile = 16 "reconcile",
    /// A case that was ended is taken up again.
    Reopen = 17 "reopen",
    /// 督办.
    Urge = 18 "urge",
    /// A check on the spot before acceptance is asked for.
    AskPreCheck = 19 "ask_pre_check",
    /// 核实: whether it is so.
    PreCheck = 20 "pre_check",
    /// The same matter as another case.
    MarkDuplicate = 21 "mark_duplicate",
    /// Counts what needs no case; opens a tally.
    Count = 64 "count",
}

impl Action {
    /// The action of a code.
    pub fn from_code(code: u64) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|action| action.code() == code)
    }

    /// The action of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|action| action.word() == word)
    }

    /// The action's row for a kind of document; none where the kind does not know it.
    pub fn row(self, kind: DocumentKind) -> Option<&'static Row> {
        TABLE
            .iter()
            .find(|row| row.action == self && row.kinds.contains(&kind))
    }

    /// Whether the action moves a document of that kind: only such entries are named in `on`.
    pub fn is_transition(self, kind: DocumentKind) -> bool {
        self.row(kind).is_some_and(|row| row.level != Level::Aside)
    }
}

/// What a document is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum DocumentKind {
    /// 案件.
    Case,
    /// Counts of what needs no case.
    Tally,
}

impl DocumentKind {
    /// All kinds.
    pub const ALL: &'static [Self] = &[Self::Case, Self::Tally];

    /// The word in JSON, SQL and the translation layer.
    pub fn word(self) -> &'static str {
        match self {
            Self::Case => "case",
            Self::Tally => "tally",
        }
    }

    /// The kind of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.word() == word)
    }

    /// The kind that an action opens when it comes first.
    pub fn opened_by(action: Action) -> Option<Self> {
        match action {
            Action::Report => Some(Self::Case),
            Action::Count => Some(Self::Tally),
            _ => None,
        }
    }
}

/// Where an action may be recorded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Where {
    /// Only the office can grant it.
    Office,
    /// On any device, also without a line.
    Anywhere,
}

/// What an action moves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    /// It is the first entry of its document.
    Opening,
    /// The case as a whole.
    Case,
    /// One assignment.
    Assignment,
    /// Nothing: it stands beside.
    Aside,
}

/// How a capability must be related to the document.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    /// Not at all: reporting is allowed anywhere in the city.
    Anywhere,
    /// Held for the city, or for the village or a unit of the document's scopes.
    Unit,
    /// The document was reported by the person.
    Own,
}

/// A condition that the table names and `rules` judges.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Demand {
    /// The author reported the case.
    Reporter,
    /// The assignment is of the unit for which the right is held.
    OwnAssignment,
    /// The check judges the latest result.
    LatestResult,
    /// The result is not of the checker's own body, nor his own.
    NotOwnResult,
    /// The checker is whom the dispatch asked for.
    AskedChecker,
    /// No unit that is dispatched to has an open assignment.
    NewUnits,
    /// A conflict is there, the chosen entry is a head of it, and the author may settle it.
    Settles,
    /// What is withdrawn is the author's own and still counts.
    OwnEntry,
}

/// One step that an action makes possible.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    /// For checks: with which verdict.
    pub verdict: Option<Verdict>,
    /// From which stages.
    pub from: &'static [Stage],
    /// To where.
    pub to: Standing,
}

/// One action's row.
#[derive(Debug)]
pub struct Row {
    /// The action.
    pub action: Action,
    /// The kinds of document that know it.
    pub kinds: &'static [DocumentKind],
    /// Where it may be recorded.
    pub place: Where,
    /// By which capabilities, each with its relation to the document.
    pub by: &'static [(Capability, Reach)],
    /// What it moves.
    pub level: Level,
    /// Its steps. An action that stands beside has at most the stages from which it fits.
    pub steps: &'static [Step],
    /// Details that must be there.
    pub needs: &'static [Detail],
    /// Details that may be there besides.
    pub allows: &'static [Detail],
    /// Registers that must be written with it.
    pub writes: &'static [Field],
    /// Registers that may be written with it.
    pub may_write: &'static [Field],
    /// Further conditions.
    pub demands: &'static [Demand],
}

use Capability as C;
use Detail as D;
use Reach as R;
use Stage as S;

const CASE: &[DocumentKind] = &[DocumentKind::Case];
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
        kinds: CASE,
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
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_has_one_row_in_each_kind_that_knows_it() {
        for action in Action::ALL {
            assert!(TABLE.iter().any(|row| row.action == *action), "{action:?}");
            for kind in DocumentKind::ALL {
                let rows = TABLE
                    .iter()
                    .filter(|row| row.action == *action && row.kinds.contains(kind))
                    .count();
                assert!(rows <= 1, "{action:?} in {kind:?}");
            }
        }
    }

    #[test]
    fn what_only_one_place_can_grant_is_the_offices() {
        let office: Vec<&str> = TABLE
            .iter()
            .filter(|row| row.place == Where::Office)
            .map(|row| row.action.word())
            .collect();
        assert_eq!(
            office.join(" "),
            "accept register decline dispatch ask_post_check close cancel reopen ask_pre_check mark_duplicate"
        );
    }

    #[test]
    fn every_row_names_a_right_and_every_step_a_stage() {
        for row in TABLE {
            assert!(!row.by.is_empty(), "{:?}", row.action);
            assert!(
                !row.steps.is_empty() || row.demands.contains(&Demand::Settles),
                "{:?}",
                row.action
            );
            assert!(
                row.steps
                    .iter()
                    .all(|step| row.level == Level::Opening || !step.from.is_empty()),
                "{:?}",
                row.action
            );
            assert!(
                row.needs
                    .iter()
                    .all(|detail| !(row.allows.contains(detail) && *detail != Detail::Words)),
                "{:?}",
                row.action
            );
        }
    }
}
