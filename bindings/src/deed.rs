//! What a person does in detail, as it crosses the border in both directions.
//!
//! Values are copied; whether a deed is allowed is core's to say.

use patrol_core::domain::entry::{self, AssignmentId, CheckBy, Field, Part, Proposal, Verdict};
use patrol_core::domain::id::{DocumentId, EntryId, UnitId};

/// One unit of a dispatch.
#[derive(Clone, PartialEq, Eq, Debug, uniffi::Record)]
pub struct Assignee {
    /// The unit.
    pub unit: UnitId,
    /// Whether it leads or assists.
    pub part: Part,
}

/// A count of a tally.
#[derive(Clone, PartialEq, Eq, Debug, uniffi::Record)]
pub struct Count {
    /// What was counted: 1 persuaded (劝导), 2 banners taken down (横幅).
    pub what: u64,
    /// How many; less than none corrects.
    pub how_many: i64,
}

/// What was done, in detail. Which parts an action needs is a matter of the rules; a part too many or too few is refused.
#[derive(Clone, PartialEq, Eq, Debug, Default, uniffi::Record)]
pub struct Body {
    /// A note, an opinion, a reason in words.
    #[uniffi(default)]
    pub words: Option<String>,
    /// The result of a check.
    #[uniffi(default)]
    pub verdict: Option<Verdict>,
    /// The units of a dispatch.
    #[uniffi(default)]
    pub assign: Vec<Assignee>,
    /// The assignment that is acted upon.
    #[uniffi(default)]
    pub assignment: Option<AssignmentId>,
    /// The result that a check judges.
    #[uniffi(default)]
    pub judged: Option<EntryId>,
    /// How it was solved: 1 service, 2 management, 3 enforcement.
    #[uniffi(default)]
    pub mode: Option<u64>,
    /// A reason from the catalogue.
    #[uniffi(default)]
    pub reason: Option<u64>,
    /// The entry whose stage a `reconcile` chooses.
    #[uniffi(default)]
    pub chosen: Option<EntryId>,
    /// The register that is settled.
    #[uniffi(default)]
    pub field: Option<Field>,
    /// Where a report came from.
    #[uniffi(default)]
    pub source: Option<u64>,
    /// Another case.
    #[uniffi(default)]
    pub target: Option<DocumentId>,
    /// What was counted.
    #[uniffi(default)]
    pub count: Option<Count>,
    /// The entry of one's own that is taken back.
    #[uniffi(default)]
    pub withdraws: Option<EntryId>,
    /// Whose check a dispatch asks for.
    #[uniffi(default)]
    pub check_by: Option<CheckBy>,
    /// What is proposed for the register of components.
    #[uniffi(default)]
    pub proposal: Option<Proposal>,
}

impl From<Body> for entry::Body {
    fn from(body: Body) -> Self {
        let assign = body.assign.into_iter();
        Self {
            words: body.words,
            photos: Vec::new(),
            verdict: body.verdict,
            assign: assign.map(|to| (to.unit, to.part)).collect(),
            assignment: body.assignment,
            judged: body.judged,
            mode: body.mode,
            reason: body.reason,
            chosen: body.chosen,
            field: body.field,
            source: body.source,
            target: body.target,
            count: body.count.map(|count| (count.what, count.how_many)),
            withdraws: body.withdraws,
            check_by: body.check_by,
            proposal: body.proposal,
        }
    }
}

impl From<entry::Body> for Body {
    fn from(body: entry::Body) -> Self {
        let assign = body.assign.into_iter();
        Self {
            words: body.words,
            verdict: body.verdict,
            assign: assign.map(|(unit, part)| Assignee { unit, part }).collect(),
            assignment: body.assignment,
            judged: body.judged,
            mode: body.mode,
            reason: body.reason,
            chosen: body.chosen,
            field: body.field,
            source: body.source,
            target: body.target,
            count: body.count.map(|(what, how_many)| Count { what, how_many }),
            withdraws: body.withdraws,
            check_by: body.check_by,
            proposal: body.proposal,
        }
    }
}

#[cfg(test)]
mod tests {
    use patrol_core::domain::entry::Proposed;

    use super::*;

    #[test]
    fn a_body_comes_back_as_it_went() {
        let body = Body {
            words: Some("已清理".to_owned()),
            verdict: Some(Verdict::Failed),
            assign: vec![Assignee {
                unit: UnitId(101),
                part: Part::Assisting,
            }],
            assignment: Some(AssignmentId {
                dispatch: EntryId([10; 16]),
                unit: UnitId(440_403_100_200),
            }),
            judged: Some(EntryId([11; 16])),
            mode: Some(1),
            reason: Some(2),
            chosen: Some(EntryId([12; 16])),
            field: Some(Field::Category),
            source: Some(3),
            target: Some(DocumentId([13; 16])),
            count: Some(Count {
                what: 1,
                how_many: -2,
            }),
            withdraws: Some(EntryId([14; 16])),
            check_by: Some(CheckBy::Cadre),
            proposal: Some(Proposal {
                proposed: Proposed::New,
                component: None,
            }),
        };
        assert_eq!(Body::from(entry::Body::from(body.clone())), body);
    }
}
