//! What people may do: capabilities, held for a unit between two dates. Roles are bundles of them.
//!
//! Rows are dated and never deleted: who held a right when decides between review and refusal of late work.

use super::id::{PersonId, UnitId};
use super::time::Timestamp;

macro_rules! capabilities {
    ($($(#[$doc:meta])* $name:ident = $code:literal $word:literal),* $(,)?) => {
        /// One thing that a person may do.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Capability { $($(#[$doc])* $name),* }

        impl Capability {
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

capabilities! {
    /// Reports matters, and notes, amends or withdraws what one reported oneself.
    Report = 1 "report",
    /// Checks on the spot, before and after, as an inspector.
    Inspect = 2 "inspect",
    /// Confirms other bodies' fixes in one's village, as a cadre.
    Confirm = 3 "confirm",
    /// Fixes what is assigned to one's unit, or sends it back.
    Fix = 4 "fix",
    /// Accepts reports and sends out checks.
    Accept = 5 "accept",
    /// Files accepted reports.
    Register = 6 "register",
    /// Declines reports.
    Decline = 7 "decline",
    /// Dispatches filed cases to units.
    Dispatch = 8 "dispatch",
    /// Closes cases.
    Close = 9 "close",
    /// Cancels cases.
    Cancel = 10 "cancel",
    /// Grants or denies requests.
    Grant = 11 "grant",
    /// Settles conflicts among others.
    Reconcile = 12 "reconcile",
    /// Settles changes held for review.
    Review = 13 "review",
    /// Urges.
    Urge = 14 "urge",
    /// Comments.
    Note = 15 "note",
    /// Manages people, devices and the directory.
    Administer = 16 "administer",
    /// Computes results.
    Evaluate = 17 "evaluate",
    /// Counts what needs no case.
    Count = 18 "count",
    /// Reopens what was closed.
    Reopen = 19 "reopen",
}

impl Capability {
    /// The capability of a code.
    pub fn from_code(code: u64) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|capability| capability.code() == code)
    }

    /// The capability of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|capability| capability.word() == word)
    }
}

/// A capability and the unit it is held for: what an entry names as the right it was made by.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Right {
    /// Which capability.
    pub capability: Capability,
    /// For which unit.
    pub unit: UnitId,
}

/// A right held by a person between two dates. Never deleted; an end is set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Holding {
    /// Who holds it.
    pub person: PersonId,
    /// What is held.
    pub right: Right,
    /// From when.
    pub from: Timestamp,
    /// Until when; open when absent.
    pub until: Option<Timestamp>,
}

impl Holding {
    /// Whether the right is held at that time.
    pub fn is_held_at(&self, now: Timestamp) -> bool {
        self.from <= now && self.until.is_none_or(|until| now < until)
    }
}

/// Bundles of capabilities under the names that people use.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Role {
    /// Walks a beat.
    Inspector,
    /// Runs the terminal of a village hall.
    Cadre,
    /// Accepts, files, dispatches and closes.
    Dispatcher,
    /// Fixes for a unit.
    UnitOperator,
    /// Urges and comments.
    Leader,
    /// Computes results.
    Evaluator,
    /// Manages people, devices and the directory.
    Administrator,
    /// Cancels: a bundle of one, for whoever is trusted with it beside his other posts.
    Canceller,
    /// Grants and denies requests: likewise.
    Granter,
}

impl Role {
    /// All roles.
    pub const ALL: &'static [Self] = &[
        Self::Inspector,
        Self::Cadre,
        Self::Dispatcher,
        Self::UnitOperator,
        Self::Leader,
        Self::Evaluator,
        Self::Administrator,
        Self::Canceller,
        Self::Granter,
    ];

    /// The word in JSON, SQL and the translation layer.
    pub fn word(self) -> &'static str {
        match self {
            Self::Inspector => "inspector",
            Self::Cadre => "cadre",
            Self::Dispatcher => "dispatcher",
            Self::UnitOperator => "unit_operator",
            Self::Leader => "leader",
            Self::Evaluator => "evaluator",
            Self::Administrator => "administrator",
            Self::Canceller => "canceller",
            Self::Granter => "granter",
        }
    }

    /// The role of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|role| role.word() == word)
    }

    /// The rights of this role where it is held for `unit`.
    pub fn rights(self, unit: UnitId) -> Vec<Right> {
        use Capability as C;
        let city = |capability| Right {
            capability,
            unit: UnitId::CITY,
        };
        let here = |capability| Right { capability, unit };
        match self {
            Self::Inspector => vec![city(C::Report), here(C::Inspect), here(C::Count)],
            Self::Cadre => vec![
                city(C::Report),
                here(C::Confirm),
                here(C::Fix),
                here(C::Count),
            ],
            Self::Dispatcher => [
                C::Report,
                C::Accept,
                C::Register,
                C::Decline,
                C::Dispatch,
                C::Close,
                C::Reconcile,
                C::Review,
                C::Reopen,
                C::Note,
            ]
            .map(city)
            .to_vec(),
            Self::UnitOperator => vec![city(C::Report), here(C::Fix)],
            Self::Leader => vec![city(C::Urge), city(C::Note)],
            Self::Evaluator => vec![city(C::Evaluate)],
            Self::Administrator => vec![city(C::Administer)],
            Self::Canceller => vec![city(C::Cancel)],
            Self::Granter => vec![city(C::Grant)],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holding_begins_and_ends() {
        let holding = Holding {
            person: PersonId([1; 8]),
            right: Right {
                capability: Capability::Inspect,
                unit: UnitId(5),
            },
            from: Timestamp(10),
            until: Some(Timestamp(20)),
        };
        assert_eq!(
            [9, 10, 19, 20].map(|ms| holding.is_held_at(Timestamp(ms))),
            [false, true, true, false]
        );
    }

    #[test]
    fn every_capability_is_held_through_some_role() {
        for capability in Capability::ALL {
            let gives = |role: &Role| {
                let rights = role.rights(UnitId(5));
                rights.iter().any(|right| right.capability == *capability)
            };
            assert!(Role::ALL.iter().any(gives), "{capability:?}");
        }
    }

    #[test]
    fn codes_and_words_are_unique() {
        for capability in Capability::ALL {
            assert_eq!(Capability::from_code(capability.code()), Some(*capability));
            assert_eq!(Capability::from_word(capability.word()), Some(*capability));
        }
        for role in Role::ALL {
            assert_eq!(Role::from_word(role.word()), Some(*role));
        }
    }
}
