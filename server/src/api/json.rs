//! The shapes of the JSON API, and how domain values become them and back. RFC 3339 for times, hexadecimal digits for ids.

use patrol_core::doc::register::FieldValue;
use patrol_core::domain::case::{Case, Category, CategoryKind, Conflict, Track, Written};
use patrol_core::domain::entry::{
    AssignmentId, Body, CheckBy, Entry, Field, Part, PhotoRef, Verdict,
};
use patrol_core::domain::id::{DocumentId, EntryId, UnitId};
use patrol_core::domain::place::{Datum, Place, Point, VillageCode};
use patrol_core::domain::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::calendar::rfc3339;
use crate::error::ApiError;
use crate::office::View;
use crate::store::Summary;

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// Hexadecimal digits as so many bytes.
pub(super) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

/// A position.
#[derive(Serialize, Deserialize, Debug)]
pub(super) struct PointJson {
    lon_e7: i64,
    lat_e7: i64,
    datum: String,
    accuracy_m: Option<u64>,
}

/// Where a matter is.
#[derive(Serialize, Deserialize, Debug)]
pub(super) struct PlaceJson {
    village: u64,
    point: Option<PointJson>,
    words: Option<String>,
}

/// What a matter is.
#[derive(Serialize, Deserialize, Debug)]
pub(super) struct CategoryJson {
    scheme: u64,
    kind: String,
    code: u64,
    condition: Option<u64>,
}

/// An assignment's name.
#[derive(Serialize, Deserialize, Debug)]
pub(super) struct AssignmentJson {
    dispatch: String,
    unit: u64,
}

/// A unit of a dispatch.
#[derive(Serialize, Deserialize, Debug)]
pub(super) struct AssignJson {
    unit: u64,
    part: String,
}

/// A photo named by its content.
#[derive(Serialize, Deserialize, Debug)]
pub(super) struct PhotoJson {
    sha256: String,
    bytes: u64,
    media: u64,
    kind: u64,
}

/// What was done, in detail.
#[derive(Serialize, Deserialize, Debug, Default)]
#[serde(default, deny_unknown_fields)]
pub(super) struct BodyJson {
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    photos: Vec<PhotoJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    assign: Vec<AssignJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    assignment: Option<AssignmentJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    judged: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chosen: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<(u64, i64)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    withdraws: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    check_by: Option<String>,
}

/// Registers to write.
#[derive(Serialize, Deserialize, Debug, Default)]
#[serde(default, deny_unknown_fields)]
pub(super) struct FieldsJson {
    place: Option<PlaceJson>,
    category: Option<CategoryJson>,
    words: Option<String>,
}

/// One line of the log.
#[derive(Serialize, Debug)]
pub(super) struct EntryJson {
    id: String,
    action: String,
    person: String,
    device: String,
    n: u64,
    on: Vec<String>,
    made_at: String,
    received_at: Option<String>,
    body: BodyJson,
}

fn bad(code: &'static str) -> impl Fn() -> ApiError {
    move || ApiError::BadRequest(code)
}

fn ids(text: Option<String>, code: &'static str) -> Result<Option<EntryId>, ApiError> {
    text.map(|text| EntryId::from_hex(&text).ok_or_else(bad(code)))
        .transpose()
}

impl BodyJson {
    /// As a domain value; a code names what is wrong.
    pub(super) fn into_body(self) -> Result<Body, ApiError> {
        let photo = |photo: PhotoJson| {
            let sha256 = unhex(&photo.sha256).ok_or_else(bad("photos"))?;
            Ok(PhotoRef {
                sha256,
                bytes: photo.bytes,
                media: photo.media,
                kind: photo.kind,
            })
        };
        let assign = |assign: AssignJson| match assign.part.as_str() {
            "main" => Ok((UnitId(assign.unit), Part::Main)),
            "assisting" => Ok((UnitId(assign.unit), Part::Assisting)),
            _ => Err(ApiError::BadRequest("assign")),
        };
        let assignment = |name: AssignmentJson| {
            let dispatch = EntryId::from_hex(&name.dispatch).ok_or_else(bad("assignment"))?;
            Ok::<_, ApiError>(AssignmentId {
                dispatch,
                unit: UnitId(name.unit),
            })
        };
        let check_by = |text: String| match text.as_str() {
            "either" => Ok(CheckBy::Either),
            "inspector" => Ok(CheckBy::Inspector),
            "cadre" => Ok(CheckBy::Cadre),
            _ => Err(ApiError::BadRequest("check_by")),
        };
        Ok(Body {
            words: self.words,
            photos: self
                .photos
                .into_iter()
                .map(photo)
                .collect::<Result<_, ApiError>>()?,
            verdict: self
                .verdict
                .map(|word| Verdict::from_word(&word).ok_or_else(bad("verdict")))
                .transpose()?,
            assign: self
                .assign
                .into_iter()
                .map(assign)
                .collect::<Result<_, _>>()?,
            assignment: self.assignment.map(assignment).transpose()?,
            judged: ids(self.judged, "judged")?,
            mode: self.mode,
            reason: self.reason,
            chosen: ids(self.chosen, "chosen")?,
            field: self
                .field
                .map(|word| Field::from_word(&word).ok_or_else(bad("field")))
                .transpose()?,
            source: self.source,
            target: self
                .target
                .map(|text| DocumentId::from_hex(&text).ok_or_else(bad("target")))
                .transpose()?,
            count: self.count,
            withdraws: ids(self.withdraws, "withdraws")?,
            check_by: self.check_by.map(check_by).transpose()?,
        })
    }
}

fn body(body: &Body) -> BodyJson {
    let part = |part: Part| {
        if part == Part::Main {
            "main"
        } else {
            "assisting"
        }
    };
    let check_by = |by: CheckBy| match by {
        CheckBy::Either => "either",
        CheckBy::Inspector => "inspector",
        CheckBy::Cadre => "cadre",
    };
    BodyJson {
        words: body.words.clone(),
        photos: body
            .photos
            .iter()
            .map(|photo| PhotoJson {
                sha256: hex(&photo.sha256),
                bytes: photo.bytes,
                media: photo.media,
                kind: photo.kind,
            })
            .collect(),
        verdict: body.verdict.map(|verdict| verdict.word().to_owned()),
        assign: body
            .assign
            .iter()
            .map(|(unit, of)| AssignJson {
                unit: unit.0,
                part: part(*of).to_owned(),
            })
            .collect(),
        assignment: body.assignment.map(|name| AssignmentJson {
            dispatch: name.dispatch.hex(),
            unit: name.unit.0,
        }),
        judged: body.judged.map(|id| id.hex()),
        mode: body.mode,
        reason: body.reason,
        chosen: body.chosen.map(|id| id.hex()),
        field: body.field.map(|field| field.word().to_owned()),
        source: body.source,
        target: body.target.map(|id| id.hex()),
        count: body.count,
        withdraws: body.withdraws.map(|id| id.hex()),
        check_by: body.check_by.map(|by| check_by(by).to_owned()),
    }
}

/// An entry as JSON.
pub(super) fn entry(id: EntryId, entry: &Entry, received_at: Option<Timestamp>) -> EntryJson {
    EntryJson {
        id: id.hex(),
        action: entry.word(),
        person: entry.person.hex(),
        device: entry.device.hex(),
        n: entry.n,
        on: entry.on.iter().map(EntryId::hex).collect(),
        made_at: rfc3339(entry.at.best()),
        received_at: received_at.map(rfc3339),
        body: body(&entry.body),
    }
}

impl FieldsJson {
    /// As domain values; a code names what is wrong.
    pub(super) fn into_fields(self) -> Result<Vec<FieldValue>, ApiError> {
        let place = |place: PlaceJson| {
            let village = VillageCode::new(place.village).ok_or_else(bad("village"))?;
            let point = place.point.map(point).transpose()?;
            Ok::<_, ApiError>(FieldValue::Place(Place {
                village,
                point,
                words: place.words,
            }))
        };
        let category = |category: CategoryJson| {
            let kind = match category.kind.as_str() {
                "component" => CategoryKind::Component,
                "matter" => CategoryKind::Matter,
                _ => return Err(ApiError::BadRequest("category")),
            };
            let CategoryJson {
                scheme,
                code,
                condition,
                ..
            } = category;
            Ok(FieldValue::Category(Category {
                scheme,
                kind,
                code,
                condition,
            }))
        };
        let place = self.place.map(place).transpose()?;
        let category = self.category.map(category).transpose()?;
        Ok(place
            .into_iter()
            .chain(category)
            .chain(self.words.map(FieldValue::Words))
            .collect())
    }
}

fn point(point: PointJson) -> Result<Point, ApiError> {
    let datum = match point.datum.as_str() {
        "wgs84" => Datum::Wgs84,
        "cgcs2000" => Datum::Cgcs2000,
        "gcj02" => Datum::Gcj02,
        _ => return Err(ApiError::BadRequest("datum")),
    };
    Ok(Point {
        lon_e7: point.lon_e7,
        lat_e7: point.lat_e7,
        datum,
        accuracy_m: point.accuracy_m,
    })
}

fn place_json(place: &Place) -> PlaceJson {
    let datum = |datum: Datum| match datum {
        Datum::Wgs84 => "wgs84",
        Datum::Cgcs2000 => "cgcs2000",
        Datum::Gcj02 => "gcj02",
    };
    let point = place.point.map(|point| PointJson {
        lon_e7: point.lon_e7,
        lat_e7: point.lat_e7,
        datum: datum(point.datum).to_owned(),
        accuracy_m: point.accuracy_m,
    });
    PlaceJson {
        village: place.village.number(),
        point,
        words: place.words.clone(),
    }
}

fn category_json(category: &Category) -> CategoryJson {
    let kind = if category.kind == CategoryKind::Component {
        "component"
    } else {
        "matter"
    };
    CategoryJson {
        scheme: category.scheme,
        kind: kind.to_owned(),
        code: category.code,
        condition: category.condition,
    }
}

/// A register's value and who wrote it.
#[derive(Serialize, Debug)]
pub(super) struct WrittenJson<T> {
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
#[derive(Serialize, Debug)]
pub(super) struct AssignmentStandingJson {
    dispatch: String,
    unit: u64,
    part: &'static str,
    stage: &'static str,
    rework: bool,
    results: Vec<String>,
}

/// Entries that await a `reconcile`.
#[derive(Serialize, Debug)]
pub(super) struct ConflictJson {
    assignment: Option<AssignmentJson>,
    entries: Vec<String>,
    candidates: Vec<String>,
}

/// An entry that does not fit.
#[derive(Serialize, Debug)]
pub(super) struct AnomalyJson {
    entry: String,
    reason: &'static str,
}

/// Something that the person may do next.
#[derive(Serialize, Debug)]
pub(super) struct OfferJson {
    action: &'static str,
    assignment: Option<AssignmentJson>,
}

/// A row of a list.
#[derive(Serialize, Debug)]
pub(super) struct CaseRowJson {
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
pub(super) fn case_row(document: DocumentId, summary: &Summary) -> CaseRowJson {
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
#[derive(Serialize, Debug)]
pub(super) struct CaseJson {
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
pub(super) fn case(document: DocumentId, view: &View) -> CaseJson {
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
