//! One line of a case's log: who did what, where, by which right, seeing which state.
//!
//! Plain data. How it becomes bytes is `doc::entry`'s business.

use super::action::Action;
use super::capability::{Capability, Right};
use super::id::{DeviceId, DocumentId, EntryId, PersonId, UnitId};
use super::time::{At, Timestamp};

/// One line of a document's log. Immutable; its id is the hash of its bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The action's code; one that this program does not know is kept and shown.
    pub kind: u64,
    /// Who did it.
    pub person: PersonId,
    /// On which device.
    pub device: DeviceId,
    /// The code of the capability used.
    pub capability: u64,
    /// The unit for which that capability is held.
    pub unit: UnitId,
    /// The device's counter over its entries.
    pub n: u64,
    /// The transition heads that the author's screen showed, ascending.
    pub on: Vec<EntryId>,
    /// When, by the device's reckoning.
    pub at: At,
    /// Idempotency key.
    pub key: Option<Vec<u8>>,
    /// What was done, in detail.
    pub body: Body,
}

impl Entry {
    /// The action, when this program knows it.
    pub fn action(&self) -> Option<Action> {
        Action::from_code(self.kind)
    }

    /// The action's word; `unknown_<code>` where this program does not know it.
    pub fn word(&self) -> String {
        self.action().map_or_else(
            || format!("unknown_{}", self.kind),
            |action| action.word().to_owned(),
        )
    }

    /// The right used, when this program knows the capability.
    pub fn right(&self) -> Option<Right> {
        Capability::from_code(self.capability).map(|capability| Right {
            capability,
            unit: self.unit,
        })
    }
}

/// An entry with its id and, where it has been received, the time of receipt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// The entry's id.
    pub id: EntryId,
    /// The entry.
    pub entry: Entry,
    /// When the server received it; absent while unsent.
    pub received_at: Option<Timestamp>,
}

/// The result of a check on the spot.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Verdict {
    /// It is so.
    Passed,
    /// It is not so.
    Failed,
    /// It could not be checked.
    Unchecked,
}

impl Verdict {
    /// The code in an entry.
    pub fn code(self) -> u64 {
        self as u64 + 1
    }

    /// The verdict of a code.
    pub fn from_code(code: u64) -> Option<Self> {
        [Self::Passed, Self::Failed, Self::Unchecked]
            .into_iter()
            .find(|verdict| verdict.code() == code)
    }

    /// The word in JSON and the translation layer.
    pub fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Unchecked => "unchecked",
        }
    }

    /// The verdict of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Passed, Self::Failed, Self::Unchecked]
            .into_iter()
            .find(|verdict| verdict.word() == word)
    }
}

/// Whether a unit leads (主办) or assists (协办).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Part {
    /// Leads; the case awaits closing when all that lead are done.
    Main,
    /// Assists.
    Assisting,
}

impl Part {
    /// The code in an entry.
    pub fn code(self) -> u64 {
        self as u64 + 1
    }

    /// The part of a code.
    pub fn from_code(code: u64) -> Option<Self> {
        [Self::Main, Self::Assisting]
            .into_iter()
            .find(|part| part.code() == code)
    }
}

/// Whose check a dispatch asks for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum CheckBy {
    /// The inspector or the cadre.
    Either,
    /// The inspector.
    Inspector,
    /// The cadre.
    Cadre,
}

impl CheckBy {
    /// The code in an entry.
    pub fn code(self) -> u64 {
        self as u64 + 1
    }

    /// The choice of a code.
    pub fn from_code(code: u64) -> Option<Self> {
        [Self::Either, Self::Inspector, Self::Cadre]
            .into_iter()
            .find(|by| by.code() == code)
    }
}

/// What a proposal says of a component.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Proposed {
    /// It is there and not in the register.
    New,
    /// It is somewhere else.
    Moved,
    /// It is broken.
    Broken,
    /// It is gone.
    Gone,
}

impl Proposed {
    /// The code in an entry.
    pub fn code(self) -> u64 {
        self as u64 + 1
    }

    /// What a code says.
    pub fn from_code(code: u64) -> Option<Self> {
        [Self::New, Self::Moved, Self::Broken, Self::Gone]
            .into_iter()
            .find(|proposed| proposed.code() == code)
    }

    /// The word in JSON and the translation layer.
    pub fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Moved => "moved",
            Self::Broken => "broken",
            Self::Gone => "gone",
        }
    }

    /// What a word says.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::New, Self::Moved, Self::Broken, Self::Gone]
            .into_iter()
            .find(|proposed| proposed.word() == word)
    }
}

/// A proposal to change the register of components.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Proposal {
    /// What is so.
    pub proposed: Proposed,
    /// The component's code (部件标识码), of 16 or 17 digits; none for one that is new.
    pub component: Option<u64>,
}

impl Proposal {
    /// Whether it says all that it must: a component that is in the register is named by its code.
    pub fn is_whole(&self) -> bool {
        let is_code = |code: u64| (10_u64.pow(15)..10_u64.pow(17)).contains(&code);
        match self.component {
            Some(code) => is_code(code),
            None => self.proposed == Proposed::New,
        }
    }
}

/// One unit's share of a dispatched case: the dispatch that opened it, and the unit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AssignmentId {
    /// The dispatch.
    pub dispatch: EntryId,
    /// The unit.
    pub unit: UnitId,
}

/// A photo named by its content. Its bytes travel apart from the case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PhotoRef {
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
    /// Size in bytes.
    pub bytes: u64,
    /// Media type: 1 JPEG, 2 PNG, 3 WebP, 4 HEIC.
    pub media: u64,
    /// 1 near, 2 far, 3 reference, 4 before, 5 after.
    pub kind: u64,
}

/// A register of a document.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Field {
    /// Where it is: village, position, words.
    Place,
    /// What it is: scheme, kind, code, condition.
    Category,
    /// The matter in words.
    Words,
}

impl Field {
    /// All registers, in the order of their codes.
    pub const ALL: &'static [Self] = &[Self::Place, Self::Category, Self::Words];

    /// The code on the wire and in entries.
    pub fn code(self) -> u64 {
        self as u64 + 1
    }

    /// The register of a code.
    pub fn from_code(code: u64) -> Option<Self> {
        Self::ALL.iter().copied().find(|field| field.code() == code)
    }

    /// The word in document keys, JSON and the translation layer.
    pub fn word(self) -> &'static str {
        match self {
            Self::Place => "place",
            Self::Category => "category",
            Self::Words => "words",
        }
    }

    /// The register of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|field| field.word() == word)
    }
}

/// What was done, in detail. Which parts an action needs or allows is a row of the action table.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Body {
    /// A note, an opinion, a reason in words.
    pub words: Option<String>,
    /// Photos.
    pub photos: Vec<PhotoRef>,
    /// The result of a check.
    pub verdict: Option<Verdict>,
    /// The units of a dispatch.
    pub assign: Vec<(UnitId, Part)>,
    /// The assignment that is acted upon.
    pub assignment: Option<AssignmentId>,
    /// The `resolve` that a check judges.
    pub judged: Option<EntryId>,
    /// How it was solved: 1 service, 2 management, 3 enforcement.
    pub mode: Option<u64>,
    /// A reason from the catalogue.
    pub reason: Option<u64>,
    /// The head whose stage a `reconcile` chooses.
    pub chosen: Option<EntryId>,
    /// The register that is settled.
    pub field: Option<Field>,
    /// Where a report came from.
    pub source: Option<u64>,
    /// Another document.
    pub target: Option<DocumentId>,
    /// What was counted, and how many.
    pub count: Option<(u64, i64)>,
    /// The entry of one's own that is taken back.
    pub withdraws: Option<EntryId>,
    /// Whose check a dispatch asks for.
    pub check_by: Option<CheckBy>,
    /// What is proposed for the register of components.
    pub proposal: Option<Proposal>,
}

/// The parts of a body, in the order of their keys in an entry. Each is the field of [`Body`] of that name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[expect(missing_docs, reason = "each is the field of `Body` of that name")]
pub enum Detail {
    Words,
    Photos,
    Verdict,
    Assign,
    Assignment,
    Judged,
    Mode,
    Reason,
    Chosen,
    Field,
    Source,
    Target,
    Count,
    Withdraws,
    CheckBy,
    Proposal,
}

impl Body {
    /// Which parts are there, in the order of their keys.
    pub fn details(&self) -> Vec<Detail> {
        use Detail as D;
        [
            (D::Words, self.words.is_some()),
            (D::Photos, !self.photos.is_empty()),
            (D::Verdict, self.verdict.is_some()),
            (D::Assign, !self.assign.is_empty()),
            (D::Assignment, self.assignment.is_some()),
            (D::Judged, self.judged.is_some()),
            (D::Mode, self.mode.is_some()),
            (D::Reason, self.reason.is_some()),
            (D::Chosen, self.chosen.is_some()),
            (D::Field, self.field.is_some()),
            (D::Source, self.source.is_some()),
            (D::Target, self.target.is_some()),
            (D::Count, self.count.is_some()),
            (D::Withdraws, self.withdraws.is_some()),
            (D::CheckBy, self.check_by.is_some()),
            (D::Proposal, self.proposal.is_some()),
        ]
        .into_iter()
        .filter_map(|(detail, there)| there.then_some(detail))
        .collect()
    }
}
