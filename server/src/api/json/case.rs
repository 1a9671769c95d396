//! Cases as JSON: a row of a list, and one whole. Only ever written.

use patrol_core::domain::case::{Case, Conflict, Track, Written};
use patrol_core::domain::entry::{AssignmentId, Part};
use patrol_core::domain::id::{DocumentId, EntryId};
use serde::Serialize;
use utoipa::ToSchema;

use super::entry::{AssignmentJson, EntryJson, entry};
use super::fields::{CategoryJson, PlaceJson, category_json, place_json};
use crate::calendar::rfc3339;
use crate::office::View;
use crate::store::Summary;

/// A register's value and who wrote it.
#[derive(Serialize, ToSchema, Debug)]
pub(in crate::api) struct WrittenJson<T> {
    value: T,
    entry: Option<String>,
    person: Option<String>,
}

fn written<T, J>(values: &[Written<T>], of: impl Fn(&T) -> J) -> Vec<WrittenJson<J>> {
    let one = |written: &Written<T>| WrittenJson {
        value: of(&written.value),
        entry: written.entry.map(|id| id.hex()),
        person: written.person.map(|id| id.hex()),
    };
    values.iter().map(one).collect()
}

/// One unit's share.
#[derive(Serialize, ToSchema, Debug)]
pub(in crate::api) struct AssignmentStandingJson {
    dispatch: String,
    unit: u64,
    part: &'static str,
    stage: &'static str,
    rework: bool,
    results: Vec<String>,
}

/// Entries that await a `reconcile`.
#[derive(Serialize, ToSchema, Debug)]
pub(in crate::api) struct ConflictJson {
    assignment: Option<AssignmentJson>,
    entries: Vec<String>,
    candidates: Vec<String>,
}

/// An entry that does not fit.
#[derive(Serialize, ToSchema, Debug)]
pub(in crate::api) struct AnomalyJson {
    entry: String,
    reason: &'static str,
}

/// Something that the person may do next.
#[derive(Serialize, ToSchema, Debug)]
pub(in crate::api) struct OfferJson {
    action: &'static str,
    assignment: Option<AssignmentJson>,
}

/// A row of a list.
#[derive(Serialize, ToSchema, Debug)]
pub(in crate::api) struct CaseRowJson {
    document: String,
    number: Option<String>,
    stage: String,
    rework: bool,
    village: Option<u64>,
    words: String,
    units: Vec<u64>,
    conflicts: u32,
    anomalies: u32,
    opened_at: String,
    changed_at: String,
}

/// A row of a list.
pub(in crate::api) fn case_row(document: DocumentId, summary: &Summary) -> CaseRowJson {
    CaseRowJson {
        document: document.hex(),
        number: summary.number.clone(),
        stage: summary.stage.clone(),
        rework: summary.rework,
        village: summary.village,
        words: summary.words.clone(),
        units: summary.units.clone(),
        conflicts: summary.conflicts,
        anomalies: summary.anomalies,
        opened_at: rfc3339(summary.opened_at),
        changed_at: rfc3339(summary.changed_at),
    }
}

/// A case, whole.
#[derive(Serialize, ToSchema, Debug)]
pub(in crate::api) struct CaseJson {
    #[serde(flatten)]
    row: CaseRowJson,
    numbers: Vec<String>,
    places: Vec<WrittenJson<PlaceJson>>,
    categories: Vec<WrittenJson<CategoryJson>>,
    descriptions: Vec<WrittenJson<String>>,
    assignments: Vec<AssignmentStandingJson>,
    on: Vec<String>,
    seen: Vec<String>,
    conflicts_open: Vec<ConflictJson>,
    anomalies_kept: Vec<AnomalyJson>,
    timeline: Vec<EntryJson>,
    offers: Vec<OfferJson>,
}

/// A case, whole.
pub(in crate::api) fn case(document: DocumentId, view: &View) -> CaseJson {
    let case: &Case = &view.reading.case;
    let name = |id: AssignmentId| AssignmentJson {
        dispatch: id.dispatch.hex(),
        unit: id.unit.0,
    };
    let conflict = |conflict: &Conflict| ConflictJson {
        assignment: if let Track::Assignment(id) = conflict.track {
            Some(name(id))
        } else {
            None
        },
        entries: conflict.entries.iter().map(EntryId::hex).collect(),
        candidates: conflict.candidates.iter().map(EntryId::hex).collect(),
    };
    let assignments = case
        .workflow
        .assignments
        .iter()
        .map(|assignment| AssignmentStandingJson {
            dispatch: assignment.id.dispatch.hex(),
            unit: assignment.id.unit.0,
            part: if assignment.part == Part::Main {
                "main"
            } else {
                "assisting"
            },
            stage: assignment.standing.stage.word(),
            rework: assignment.standing.rework,
            results: assignment.results.iter().map(EntryId::hex).collect(),
        });
    CaseJson {
        row: case_row(document, &view.summary),
        numbers: case.numbers.clone(),
        places: written(&case.places, place_json),
        categories: written(&case.categories, category_json),
        descriptions: written(&case.words, String::clone),
        assignments: assignments.collect(),
        on: case.workflow.heads.iter().map(EntryId::hex).collect(),
        seen: view.heads.iter().map(|head| head.hex()).collect(),
        conflicts_open: case.workflow.conflicts.iter().map(conflict).collect(),
        anomalies_kept: view
            .reading
            .anomalies
            .iter()
            .map(|anomaly| AnomalyJson {
                entry: anomaly.entry.hex(),
                reason: anomaly.reason.code(),
            })
            .collect(),
        timeline: view
            .reading
            .lines
            .iter()
            .map(|line| entry(line.id, &line.entry, line.received_at))
            .collect(),
        offers: view
            .offers
            .iter()
            .map(|offer| OfferJson {
                action: offer.action.word(),
                assignment: offer.assignment.map(name),
            })
            .collect(),
    }
}
