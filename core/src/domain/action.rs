//! Everything a person can do, as one table: in which kind of document, by which right, from which stages to which,
//! with which details and registers.
//!
//! Completing the set of actions adds rows here, not branches elsewhere. Conditions that a row cannot say in data are
//! named in [`Demand`] and judged in one place, `rules`.

mod table;

use super::capability::Capability;
use super::entry::{Detail, Field, Verdict};
use super::stage::{Stage, Standing};

pub use table::TABLE;

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
    /// A component is new, moved, broken or gone; opens a survey.
    Propose = 65 "propose",
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
    /// A proposal to change the register of components.
    Survey,
}

impl DocumentKind {
    /// All kinds.
    pub const ALL: &'static [Self] = &[Self::Case, Self::Tally, Self::Survey];

    /// The word in JSON, SQL and the translation layer.
    pub fn word(self) -> &'static str {
        match self {
            Self::Case => "case",
            Self::Tally => "tally",
            Self::Survey => "survey",
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
            Action::Propose => Some(Self::Survey),
            _ => None,
        }
    }
}

/// Where an action may be recorded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Where {
    /// Only the office can grant it.
    Office,
    /// Only an import does it, in the transaction that puts in force what it says.
    Import,
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

#[cfg(test)]
mod tests;
