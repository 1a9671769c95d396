//! Why the rules say no: one code for each reason, the same on phone, wire, API and screen.
//!
//! Codes, not sentences: the translation layer of each surface words them.

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident = $number:literal $code:literal),* $(,)?) => {
        /// A reason for which a deed or a change is refused, or an entry is kept as an anomaly.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Refusal { $($(#[$doc])* $name),* }

        impl Refusal {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The number on the wire.
            pub fn number(self) -> u64 {
                match self { $(Self::$name => $number),* }
            }

            /// The code in the API, in tables and for the translation layer.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code),* }
            }
        }
    };
}

refusals! {
    /// Not a change chunk, too large, damaged, or more operations than allowed.
    Malformed = 1 "malformed",
    /// Another encoding of the same change.
    NotCanonical = 2 "not_canonical",
    /// The actor is not the signer's.
    ForeignActor = 3 "foreign_actor",
    /// An operation outside the grammar of documents.
    Grammar = 4 "grammar",
    /// A first change for an id that is taken, or a later change without dependencies.
    NotFirst = 5 "not_first",
    /// The actor already used this sequence number for another change.
    Forked = 6 "forked",
    /// The actor's changes do not follow each other.
    Gap = 7 "gap",
    /// Operation ids or predecessors that do not follow from the dependencies.
    BadOps = 8 "bad_ops",
    /// More changes, bytes or actors than one device may put into one document.
    TooMany = 9 "too_many",
    /// The entry is not canonical, not complete, or a value is out of bounds.
    EntryForm = 10 "entry_form",
    /// The entry's key is not its id.
    EntryId = 11 "entry_id",
    /// The entry names another person or device.
    ForeignPerson = 12 "foreign_person",
    /// The entry names a transition that is not among its ancestors.
    UnknownOn = 13 "unknown_on",
    /// An action that this kind of document does not know.
    UnknownAction = 14 "unknown_action",
    /// A register that the action does not write, or lacks, or a value of the wrong form.
    WrongFields = 15 "wrong_fields",
    /// The person does not hold the right.
    NotPermitted = 16 "not_permitted",
    /// Only the office can do this.
    OfficeOnly = 17 "office_only",
    /// The document would not load again.
    Poison = 18 "poison",
    /// Carried for another device.
    Carried = 19 "carried",
    /// Rests on a refused entry.
    Quarantined = 20 "quarantined",
    /// A person settled the review with a no.
    ReviewedAway = 21 "reviewed_away",

    /// The stage does not allow it.
    WrongStage = 40 "wrong_stage",
    /// Names an assignment that does not exist or has ended.
    NoAssignment = 41 "no_assignment",
    /// Names an assignment of another unit.
    ForeignAssignment = 42 "foreign_assignment",
    /// Nobody checks a result of his own body.
    OwnResult = 43 "own_result",
    /// A check of a result that is not the latest.
    OldResult = 44 "old_result",
    /// Only who reported it may.
    NotReporter = 45 "not_reporter",
    /// The unit already has an open assignment.
    AlreadyAssigned = 46 "already_assigned",
    /// There is no conflict to reconcile.
    NoConflict = 47 "no_conflict",
    /// The chosen entry is no head of the conflict.
    NotAHead = 48 "not_a_head",
    /// One may concede one's own claim, not decide against another's.
    NotYoursToSettle = 49 "not_yours_to_settle",
    /// The class asks for another checker.
    WrongChecker = 50 "wrong_checker",
    /// The entry's idempotency key was used before.
    Repeated = 51 "repeated",
    /// What is to be taken back is not there, not one's own, or already taken back.
    NothingToWithdraw = 52 "nothing_to_withdraw",
    /// The target of a duplicate is not open, or is itself a duplicate.
    BadTarget = 53 "bad_target",
    /// The document has no opening entry.
    NotOpened = 54 "not_opened",
    /// The document is of a newer form than this program knows.
    UpdateNeeded = 55 "update_needed",
    /// The page was made from an older state of the case.
    Stale = 56 "stale",
    /// The document's first change is held for review.
    HeldDocument = 57 "held_document",
    /// No such document here.
    UnknownDocument = 58 "unknown_document",
    /// The directory knows no such unit.
    UnknownUnit = 59 "unknown_unit",
    /// The directory knows no such village.
    UnknownVillage = 60 "unknown_village",
}

impl Refusal {
    /// The refusal of a number.
    pub fn from_number(number: u64) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|refusal| refusal.number() == number)
    }

    /// The refusal of a code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|refusal| refusal.code() == code)
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code())
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_codes_are_unique() {
        let numbers: std::collections::BTreeSet<_> =
            Refusal::ALL.iter().map(|r| r.number()).collect();
        let codes: std::collections::BTreeSet<_> = Refusal::ALL.iter().map(|r| r.code()).collect();
        assert_eq!(
            (numbers.len(), codes.len()),
            (Refusal::ALL.len(), Refusal::ALL.len())
        );
        assert_eq!(Refusal::from_number(6), Some(Refusal::Forked));
    }
}
