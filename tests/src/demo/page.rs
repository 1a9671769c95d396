//! A case as somebody has it before him, on a phone or in a browser, and what he chooses to do with it: so that people decide alike,
//! whichever way they work.
//!
//! It decides nothing; JSON goes in and out as the API's contract says.

use patrol_core::doc::register::FieldValue;
use patrol_core::domain::action::Action;
use patrol_core::domain::case::{Category, CategoryKind};
use patrol_core::domain::entry::{AssignmentId, Body, CheckBy, Field, Part, Verdict};
use patrol_core::domain::id::{DocumentId, EntryId, UnitId};
use patrol_core::replica::CaseView;
use serde_json::{Value, json};

/// One unit's share as the page shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Share {
    /// Its name.
    pub id: AssignmentId,
    /// Where it stands.
    pub stage: String,
    /// The result that a check would judge.
    pub result: Option<EntryId>,
}

/// A case as the page shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page {
    /// Which.
    pub document: DocumentId,
    /// Where it stands.
    pub stage: String,
    /// The village shown.
    pub village: u64,
    /// What the person may do.
    pub offers: Vec<(Action, Option<AssignmentId>)>,
    /// Shares that are not over.
    pub shares: Vec<Share>,
    /// The first conflict's candidates, the one that is shown first.
    pub candidates: Vec<EntryId>,
    /// All descriptions that were written at once.
    pub descriptions: Vec<String>,
    /// All categories that were written at once.
    pub categories: Vec<Category>,
    /// Transition heads, for the request.
    on: Vec<String>,
    /// Document heads, for the request.
    seen: Vec<String>,
}

/// What somebody decides to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Choice {
    /// What.
    pub action: Action,
    /// In detail.
    pub body: Body,
    /// Registers to write with it.
    pub fields: Vec<FieldValue>,
}

impl Choice {
    /// A deed without registers.
    pub fn new(action: Action, body: Body) -> Self {
        Self {
            action,
            body,
            fields: Vec::new(),
        }
    }

    /// A deed of words alone.
    pub fn saying(action: Action, words: String) -> Self {
        let body = Body {
            words: Some(words),
            ..Body::default()
        };
        Self::new(action, body)
    }
}

impl Page {
    /// As a phone shows it.
    pub fn of_view(view: &CaseView) -> Self {
        let case = &view.reading.case;
        let shares = case.workflow.assignments.iter().map(|assignment| Share {
            id: assignment.id,
            stage: assignment.standing.stage.word().to_owned(),
            result: assignment.results.first().copied(),
        });
        let conflict = case.workflow.conflicts.first();
        Self {
            document: view.id,
            stage: view.row.stage.clone(),
            village: view.row.village.unwrap_or_default(),
            offers: view
                .offers
                .iter()
                .map(|offer| (offer.action, offer.assignment))
                .collect(),
            shares: shares.collect(),
            candidates: conflict
                .map(|conflict| conflict.candidates.clone())
                .unwrap_or_default(),
            descriptions: case.words.iter().map(|words| words.value.clone()).collect(),
            categories: case.categories.iter().map(|one| one.value).collect(),
            on: Vec::new(),
            seen: Vec::new(),
        }
    }

    /// As the API tells it; none where it is not of the API's form.
    pub fn of_json(value: &Value) -> Option<Self> {
        let shares = list(value, "assignments").iter().map(|share| {
            Some(Share {
                id: assignment(share)?,
                stage: text(share, "stage"),
                result: list(share, "results").first().and_then(entry_id),
            })
        });
        let offers = list(value, "offers").iter().filter_map(|offer| {
            let action = Action::from_word(&text(offer, "action"))?;
            Some((action, offer.get("assignment").and_then(assignment)))
        });
        let conflict = list(value, "conflicts_open").first();
        let candidates = conflict.map(|conflict| list(conflict, "candidates"));
        let value_of = |written: &Value| written.get("value").cloned().unwrap_or_default();
        let words = list(value, "descriptions").iter().map(value_of);
        Some(Self {
            document: DocumentId::from_hex(&text(value, "document"))?,
            stage: text(value, "stage"),
            village: value
                .get("village")
                .and_then(Value::as_u64)
                .unwrap_or_default(),
            offers: offers.collect(),
            shares: shares.collect::<Option<_>>()?,
            candidates: candidates
                .unwrap_or_default()
                .iter()
                .filter_map(entry_id)
                .collect(),
            descriptions: words
                .filter_map(|words| words.as_str().map(str::to_owned))
                .collect(),
            categories: list(value, "categories")
                .iter()
                .map(value_of)
                .filter_map(|one| category(&one))
                .collect(),
            on: texts(value, "on"),
            seen: texts(value, "seen"),
        })
    }

    /// Whether the person may do that, and on which share.
    pub fn offer(&self, action: Action) -> Option<Option<AssignmentId>> {
        let mut offers = self.offers.iter();
        offers
            .find(|(offered, _)| *offered == action)
            .map(|(_, assignment)| *assignment)
    }

    /// The request for a deed on this page.
    pub fn request(&self, choice: &Choice, key: &str, acted_at: &str) -> Value {
        json!({
            "action": choice.action.word(),
            "body": body_json(&choice.body),
            "fields": fields_json(&choice.fields),
            "on": self.on,
            "seen": self.seen,
            "key": key,
            "acted_at": acted_at,
        })
    }
}

/// The request that opens a case.
pub fn opening(choice: &Choice, key: &str, acted_at: &str) -> Value {
    json!({
        "action": choice.action.word(),
        "body": body_json(&choice.body),
        "fields": fields_json(&choice.fields),
        "key": key,
        "acted_at": acted_at,
    })
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    let items = value.get(name).and_then(Value::as_array);
    items.map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value, name: &str) -> String {
    let text = value.get(name).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

fn texts(value: &Value, name: &str) -> Vec<String> {
    let items = list(value, name).iter().filter_map(Value::as_str);
    items.map(str::to_owned).collect()
}

fn entry_id(value: &Value) -> Option<EntryId> {
    value.as_str().and_then(EntryId::from_hex)
}

fn assignment(value: &Value) -> Option<AssignmentId> {
    Some(AssignmentId {
        dispatch: entry_id(value.get("dispatch")?)?,
        unit: UnitId(value.get("unit")?.as_u64()?),
    })
}

fn category(value: &Value) -> Option<Category> {
    let kind = match text(value, "kind").as_str() {
        "component" => CategoryKind::Component,
        "matter" => CategoryKind::Matter,
        _ => return None,
    };
    Some(Category {
        scheme: value.get("scheme")?.as_u64()?,
        kind,
        code: value.get("code")?.as_u64()?,
        condition: value.get("condition").and_then(Value::as_u64),
    })
}

fn body_json(body: &Body) -> Value {
    let mut json = serde_json::Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            json.insert(name.to_owned(), value);
        }
    };
    put("words", body.words.clone().map(Value::from));
    put("verdict", body.verdict.map(Verdict::word).map(Value::from));
    let part = |part: Part| {
        if part == Part::Main {
            "main"
        } else {
            "assisting"
        }
    };
    let units = body.assign.iter();
    let units: Vec<Value> = units
        .map(|(unit, of)| json!({ "unit": unit.0, "part": part(*of) }))
        .collect();
    put("assign", (!units.is_empty()).then_some(Value::from(units)));
    put(
        "assignment",
        body.assignment
            .map(|id| json!({ "dispatch": id.dispatch.hex(), "unit": id.unit.0 })),
    );
    put("judged", body.judged.map(|id| Value::from(id.hex())));
    put("mode", body.mode.map(Value::from));
    put("chosen", body.chosen.map(|id| Value::from(id.hex())));
    put("field", body.field.map(Field::word).map(Value::from));
    put("target", body.target.map(|id| Value::from(id.hex())));
    let check_by = |by: CheckBy| match by {
        CheckBy::Either => "either",
        CheckBy::Inspector => "inspector",
        CheckBy::Cadre => "cadre",
    };
    put("check_by", body.check_by.map(check_by).map(Value::from));
    Value::Object(json)
}

fn fields_json(fields: &[FieldValue]) -> Value {
    let mut json = serde_json::Map::new();
    for field in fields {
        let value = match field {
            FieldValue::Words(words) => Value::from(words.as_str()),
            FieldValue::Category(category) => json!({
                "scheme": category.scheme,
                "kind": if category.kind == CategoryKind::Component { "component" } else { "matter" },
                "code": category.code,
                "condition": category.condition,
            }),
            FieldValue::Place(place) => json!({
                "village": place.village.number(),
                "point": null,
                "words": place.words,
            }),
        };
        json.insert(field.field().word().to_owned(), value);
    }
    Value::Object(json)
}
