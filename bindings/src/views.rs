//! What screens show of cases: rows of lists, one case whole, the boxes. Copies of what the replica says.

use std::collections::{BTreeMap, HashMap};

use patrol_core::doc::register::FieldValue;
use patrol_core::domain::action::Action;
use patrol_core::domain::case::{Anomaly, Assignment, Conflict, Written};
use patrol_core::domain::directory::Directory;
use patrol_core::domain::entry::{AssignmentId, Field, Line};
use patrol_core::domain::id::{DocumentId, EntryId, PersonId, UnitId};
use patrol_core::domain::offers;
use patrol_core::domain::time::Timestamp;
use patrol_core::replica::{self, BoxedDeed, SyncState};
use patrol_core::store::boxes::{BoxState, BoxedChange};
use patrol_core::store::documents::ListRow;

use crate::deed::Body;

/// A document that was opened, and its first entry.
#[derive(Clone, PartialEq, Eq, Debug, uniffi::Record)]
pub struct Recorded {
    /// The document: a case, or a tally.
    pub id: DocumentId,
    /// Its first entry.
    pub entry: EntryId,
}

/// A row of a list.
#[derive(Clone, PartialEq, Eq, Debug, uniffi::Record)]
pub struct CaseRow {
    /// The case.
    pub id: DocumentId,
    /// The number that the office gave it.
    pub number: Option<String>,
    /// The stage's word, such as `dispatched`.
    pub stage: String,
    /// Put back to work by a failed check (返工).
    pub rework: bool,
    /// The village's code.
    pub village: Option<u64>,
    /// The category by the name that `CategoryRow.id` gives, such as `476785-2-06010`.
    pub category: Option<String>,
    /// The matter in words.
    pub words: String,
    /// Conflicts that await settling.
    pub conflicts: u32,
    /// A newer program wrote what this one cannot judge: only report and note are open until the app is updated.
    pub needs_update: bool,
    /// When the latest entry was received, else made.
    pub changed_at: Timestamp,
    /// How safe the work in it is.
    pub sync: SyncState,
}

/// One line of a case's log.
#[derive(Clone, PartialEq, Eq, Debug, uniffi::Record)]
pub struct TimelineEntry {
    /// The entry.
    pub id: EntryId,
    /// The action's word, such as `resolve`; `unknown_<code>` for one of a newer program.
    pub action: String,
    /// Who did it.
    pub person: PersonId,
    /// The unit for which the right was held.
    pub unit: UnitId,
    /// When it was made, by the device's reckoning.
    pub made_at: Timestamp,
    /// When the server received it; none while unsent.
    pub received_at: Option<Timestamp>,
    /// In detail.
    pub body: Body,
    /// How safe it is.
    pub sync: SyncState,
}

/// Something refused or held, kept until the person has dealt with it.
#[derive(Clone, PartialEq, Eq, Debug, uniffi::Record)]
pub struct BoxedEntry {
    /// Names it, for `dismiss`.
    pub id: i64,
    /// Its document.
    pub case_id: DocumentId,
    /// Where it stands.
    pub state: BoxState,
    /// Why: a refusal's code, `review`, or `spoilt`: nobody can read it any more.
    pub code: String,
    /// Since when.
    pub boxed_at: Timestamp,
    /// The action's word, where this program can read it.
    pub action: Option<String>,
    /// What it said in detail.
    pub body: Body,
    /// The registers it wrote.
    pub fields: Vec<FieldValue>,
}

/// A value of a register, and who wrote it.
#[derive(Clone, PartialEq, Eq, Debug, uniffi::Record)]
pub struct Register {
    /// The value.
    pub value: FieldValue,
    /// The entry beside which it was written.
    pub entry: Option<EntryId>,
    /// Its author.
    pub person: Option<PersonId>,
}

/// Something that the person may do now: a button.
#[derive(Clone, PartialEq, Eq, Debug, uniffi::Record)]
pub struct Offer {
    /// What.
    pub action: Action,
    /// On which assignment.
    pub assignment: Option<AssignmentId>,
}

/// One case, whole.
#[derive(Clone, PartialEq, Eq, Debug, uniffi::Record)]
pub struct CaseView {
    /// What lists show of it.
    pub row: CaseRow,
    /// All its numbers; two after two servers gave one each.
    pub numbers: Vec<String>,
    /// What it says of itself: place, category, words. Where one has several values, they were written at once, and the first is
    /// shown.
    pub registers: Vec<Register>,
    /// The registers that hold more than one value.
    pub contested: Vec<Field>,
    /// The assignments that are not over.
    pub assignments: Vec<Assignment>,
    /// What awaits a `reconcile`.
    pub conflicts: Vec<Conflict>,
    /// Entries of the log that do not count, and why.
    pub anomalies: Vec<Anomaly>,
    /// The log, in the order for reading.
    pub timeline: Vec<TimelineEntry>,
    /// What the person may do now.
    pub offers: Vec<Offer>,
    /// What of it is refused or held.
    pub boxed: Vec<BoxedEntry>,
    /// The names of the people in the log, as far as the directory has them.
    pub names: HashMap<PersonId, String>,
}

pub(crate) fn row(row: ListRow, sync: SyncState) -> CaseRow {
    CaseRow {
        needs_update: row.needs_update(),
        id: row.id,
        number: row.number,
        stage: row.stage,
        rework: row.rework,
        village: row.village,
        category: row.category,
        words: row.words,
        conflicts: row.conflicts,
        changed_at: row.changed_at,
        sync,
    }
}

pub(crate) fn case(view: replica::CaseView, directory: &Directory) -> CaseView {
    let replica::CaseView {
        row: list_row,
        reading,
        offers,
        sync,
        ..
    } = view;
    let states: BTreeMap<EntryId, SyncState> = sync.entries.into_iter().collect();
    let name = |line: &Line| {
        let person = directory.person(line.entry.person)?;
        Some((person.id, person.name.clone()))
    };
    let names = reading.lines.iter().filter_map(name).collect();
    let line = |line: Line| TimelineEntry {
        id: line.id,
        action: line.entry.word(),
        person: line.entry.person,
        unit: line.entry.unit,
        made_at: line.entry.at.best(),
        received_at: line.received_at,
        body: line.entry.body.into(),
        sync: states.get(&line.id).copied().unwrap_or(SyncState::Applied),
    };
    CaseView {
        row: row(list_row, sync.state),
        contested: reading.case.contested_fields(),
        numbers: reading.case.numbers,
        registers: registers(reading.case.places, FieldValue::Place)
            .chain(registers(reading.case.categories, FieldValue::Category))
            .chain(registers(reading.case.words, FieldValue::Words))
            .collect(),
        assignments: reading.case.workflow.assignments,
        conflicts: reading.case.workflow.conflicts,
        anomalies: reading.anomalies,
        timeline: reading.lines.into_iter().map(line).collect(),
        offers: offers.into_iter().map(offer).collect(),
        boxed: sync.boxed.into_iter().map(boxed).collect(),
        names,
    }
}

fn registers<T>(
    values: Vec<Written<T>>,
    wrap: fn(T) -> FieldValue,
) -> impl Iterator<Item = Register> {
    values.into_iter().map(move |written| Register {
        value: wrap(written.value),
        entry: written.entry,
        person: written.person,
    })
}

pub(crate) fn offer(offer: offers::Offer) -> Offer {
    Offer {
        action: offer.action,
        assignment: offer.assignment,
    }
}

pub(crate) fn boxed(change: BoxedChange) -> BoxedEntry {
    let deed = BoxedDeed::of(&change);
    let action = deed.as_ref().map(|deed| deed.entry.word());
    let (body, fields) = deed
        .map(|deed| (deed.entry.body.into(), deed.fields))
        .unwrap_or_default();
    BoxedEntry {
        id: change.id,
        case_id: change.document,
        state: change.state,
        code: change.code,
        boxed_at: change.boxed_at,
        action,
        body,
        fields,
    }
}
