//! Where a case stands, and which of several claims is shown: the one that leaves most work open.

/// Where a case or one of its assignments stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Stage {
    /// Reported, awaiting acceptance.
    Reported,
    /// A check on the spot before acceptance is under way.
    PreChecking,
    /// Accepted, awaiting filing.
    Accepted,
    /// Filed, awaiting dispatch.
    Registered,
    /// With a unit.
    Dispatched,
    /// With a unit, clock stopped.
    Suspended,
    /// The unit says it is solved.
    Resolved,
    /// A check on the spot after solving is under way.
    PostChecking,
    /// Checked, awaiting the closing.
    AwaitingClose,
    /// Closed.
    Closed,
    /// Not taken up.
    Declined,
    /// Cancelled by the office.
    Cancelled,
    /// Taken back by its reporter.
    Withdrawn,
}

impl Stage {
    /// All stages, in the order of the loop.
    pub const ALL: &'static [Self] = &[
        Self::Reported,
        Self::PreChecking,
        Self::Accepted,
        Self::Registered,
        Self::Dispatched,
        Self::Suspended,
        Self::Resolved,
        Self::PostChecking,
        Self::AwaitingClose,
        Self::Closed,
        Self::Declined,
        Self::Cancelled,
        Self::Withdrawn,
    ];

    /// The word in JSON, SQL and the translation layer.
    pub fn word(self) -> &'static str {
        match self {
            Self::Reported => "reported",
            Self::PreChecking => "pre_checking",
            Self::Accepted => "accepted",
            Self::Registered => "registered",
            Self::Dispatched => "dispatched",
            Self::Suspended => "suspended",
            Self::Resolved => "resolved",
            Self::PostChecking => "post_checking",
            Self::AwaitingClose => "awaiting_close",
            Self::Closed => "closed",
            Self::Declined => "declined",
            Self::Cancelled => "cancelled",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// The stage of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|stage| stage.word() == word)
    }

    /// Whether the office ended the case: against these only a failed check counts.
    pub fn is_ended_by_office(self) -> bool {
        matches!(self, Self::Closed | Self::Declined | Self::Cancelled)
    }

    /// Whether work is still due.
    pub fn is_open(self) -> bool {
        !self.is_ended_by_office() && self != Self::Withdrawn
    }
}

/// A stage, and whether it was reached by a failed check: what an entry gives to a case or an assignment.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Standing {
    /// The stage.
    pub stage: Stage,
    /// Set when a failed check put it there (返工).
    pub rework: bool,
}

impl Standing {
    /// A stage reached in the ordinary way.
    pub const fn at(stage: Stage) -> Self {
        Self {
            stage,
            rework: false,
        }
    }

    /// With the unit again after a failed check.
    pub const REWORK: Self = Self {
        stage: Stage::Dispatched,
        rework: true,
    };

    /// The declared order of safety: the lower leaves more work open and is shown.
    pub fn rank(self) -> u8 {
        if self.rework { 0 } else { self.stage as u8 + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_declared_order_of_safety() {
        let order: Vec<&str> = Stage::ALL.iter().map(|stage| stage.word()).collect();
        assert_eq!(
            order.join(" "),
            "reported pre_checking accepted registered dispatched suspended resolved post_checking awaiting_close closed declined cancelled withdrawn"
        );
        let ranks: Vec<u8> = std::iter::once(Standing::REWORK)
            .chain(Stage::ALL.iter().map(|s| Standing::at(*s)))
            .map(Standing::rank)
            .collect();
        assert_eq!(ranks, (0..14).collect::<Vec<u8>>());
    }
}
