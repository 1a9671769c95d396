//! A case as everyone reads it: the registers, and what the fold makes of the entries.

use super::directory::CategoryKey;
use super::entry::{AssignmentId, CheckBy, Field, Part};
use super::id::{ChangeHash, EntryId, PersonId};
use super::place::{Place, Scope};
use super::refusal::Refusal;
use super::stage::Standing;

/// What a matter is, as one register.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Category {
    /// Which edition of which standard, such as 476785.
    pub scheme: u64,
    /// Component (部件) or matter (事项).
    pub kind: CategoryKind,
    /// The five-digit code within the scheme.
    pub code: u64,
    /// The filing condition.
    pub condition: Option<u64>,
}

impl Category {
    /// How lists and apps name it, whatever its condition.
    pub fn name(&self) -> String {
        let (scheme, kind, code) = (self.scheme, self.kind.code(), self.code);
        CategoryKey { scheme, kind, code }.name()
    }
}

/// Component (部件) or matter (事项, 事件).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CategoryKind {
    /// 部件.
    Component,
    /// 事项.
    Matter,
}

impl CategoryKind {
    /// The code in a document.
    pub fn code(self) -> u64 {
        self as u64 + 1
    }

    /// The kind of a code.
    pub fn from_code(code: u64) -> Option<Self> {
        [Self::Component, Self::Matter]
            .into_iter()
            .find(|kind| kind.code() == code)
    }
}

/// One value of a register, and who wrote it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Written<T> {
    /// The value.
    pub value: T,
    /// The change that wrote it.
    pub change: ChangeHash,
    /// The entry beside which it was written; none for the server's own registers.
    pub entry: Option<EntryId>,
    /// Its author.
    pub person: Option<PersonId>,
}

/// A case, or a document of another kind, as everyone reads it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Case {
    /// Its numbers; two after two servers gave one each, the smaller first and shown.
    pub numbers: Vec<String>,
    /// The scopes that the server has written; empty until then.
    pub scopes: Vec<Scope>,
    /// The fold version that the server has written.
    pub fold: u64,
    /// Where it is. More than one value: written concurrently, the shown one first.
    pub places: Vec<Written<Place>>,
    /// What it is.
    pub categories: Vec<Written<Category>>,
    /// In words.
    pub words: Vec<Written<String>>,
    /// What the entries say.
    pub workflow: Workflow,
}

impl Case {
    /// The registers that hold more than one value.
    pub fn contested_fields(&self) -> Vec<Field> {
        [
            (Field::Place, self.places.len()),
            (Field::Category, self.categories.len()),
            (Field::Words, self.words.len()),
        ]
        .into_iter()
        .filter_map(|(field, values)| (values > 1).then_some(field))
        .collect()
    }

    /// The scopes for judging a right: the server's, or until it has written them the village of the first place and
    /// the reporter's person.
    pub fn scopes_for_rights(&self) -> Vec<Scope> {
        if !self.scopes.is_empty() {
            return self.scopes.clone();
        }
        let village = self
            .places
            .first()
            .map(|place| Scope::Village(place.value.village));
        let person = self.workflow.reporter.map(Scope::Person);
        village.into_iter().chain(person).collect()
    }
}

/// What the entries of a document say, folded.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Workflow {
    /// Where the case stands; none without an opening entry.
    pub standing: Option<Standing>,
    /// Who opened it.
    pub reporter: Option<PersonId>,
    /// Transition entries that no other names: what the next entry's `on` will be. Ascending.
    pub heads: Vec<EntryId>,
    /// The assignments that are not over, in the order of their dispatch.
    pub assignments: Vec<Assignment>,
    /// Concurrent entries that await a `reconcile`.
    pub conflicts: Vec<Conflict>,
    /// How often a check failed.
    pub reworks: u32,
    /// How often a unit sent it back.
    pub returns: u32,
}

impl Workflow {
    /// The open assignment of that name.
    pub fn assignment(&self, id: AssignmentId) -> Option<&Assignment> {
        self.assignments
            .iter()
            .find(|assignment| assignment.id == id)
    }
}

/// One unit's share of a dispatched case.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Assignment {
    /// The dispatch that opened it, and the unit.
    pub id: AssignmentId,
    /// Whether the unit leads or assists.
    pub part: Part,
    /// Whose check is asked for.
    pub check_by: CheckBy,
    /// Where it stands.
    pub standing: Standing,
    /// The latest results; two when two people of the unit gave one each at once.
    pub results: Vec<EntryId>,
}

/// What a conflict is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Track {
    /// The case as a whole.
    Case,
    /// One assignment.
    Assignment(AssignmentId),
}

/// Concurrent entries that give different answers, until a `reconcile` chooses.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Conflict {
    /// What it is about.
    pub track: Track,
    /// The entries that were concurrent, ascending.
    pub entries: Vec<EntryId>,
    /// Of which of them, or of their successors, one may be chosen; the one whose stage is shown comes first.
    pub candidates: Vec<EntryId>,
}

/// An entry that is kept but does not fit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Anomaly {
    /// The entry.
    pub entry: EntryId,
    /// Why it does not fit.
    pub reason: Refusal,
}
