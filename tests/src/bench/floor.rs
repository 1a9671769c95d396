//! The floor: the same content as one JSON object for each change, in one zstd stream, without anything that makes it
//! mergeable. What our own form is held against.
//!
//! Each object holds the document (at its first mention), person, device, n, time, kind, `on`, body and registers, and the time of
//! receipt where it travels; binary values are base64url. Hashes, dependencies and sequence numbers are left out.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use patrol_core::doc::key::Key;
use patrol_core::doc::parse::Parsed;
use patrol_core::doc::register::FieldValue;
use patrol_core::doc::{entry, register};
use patrol_core::domain::entry::{Body, Entry};
use patrol_core::domain::id::DocumentId;
use patrol_core::domain::time::Timestamp;
use serde_json::{Map, Value, json};

/// Compression of the floor: what a server would use.
const LEVEL: i32 = 3;

/// Writes the floor of some changes.
#[derive(Debug, Default)]
pub struct Floor {
    plain: String,
    mentioned: BTreeSet<DocumentId>,
    changes: usize,
}

impl Floor {
    /// Adds a change; `received_at` where it travels.
    pub fn add(&mut self, document: DocumentId, change: &Parsed, received_at: Option<Timestamp>) {
        let mut object = Map::new();
        if self.mentioned.insert(document) {
            object.insert("document".to_owned(), binary(&document.0));
        }
        let mut registers = Map::new();
        for put in &change.puts {
            match &put.key {
                Key::Entry(_) => {
                    if let Ok(entry) = entry::decode(&put.value) {
                        object.extend(entry_object(&entry));
                    }
                }
                Key::Field(field) => {
                    let value = FieldValue::decode(*field, &put.value).map(field_value);
                    registers.insert(field.word().to_owned(), value.unwrap_or_default());
                }
                Key::Server(_) => {
                    registers.insert(put.key.text().to_string(), server_value(&put.value));
                }
                Key::Other(_) => {}
            }
        }
        if !registers.is_empty() {
            object.insert("registers".to_owned(), Value::Object(registers));
        }
        if let Some(received_at) = received_at {
            object.insert("received_at".to_owned(), received_at.0.into());
        }
        self.plain.push_str(&Value::Object(object).to_string());
        self.plain.push('\n');
        self.changes += 1;
    }

    /// How many changes were added.
    pub fn changes(&self) -> usize {
        self.changes
    }

    /// Bytes before compression.
    pub fn plain_bytes(&self) -> usize {
        self.plain.len()
    }

    /// Bytes of the compressed stream.
    pub fn bytes(&self) -> usize {
        zstd::encode_all(self.plain.as_bytes(), LEVEL)
            .expect("zstd compresses into memory")
            .len()
    }
}

fn binary(bytes: &[u8]) -> Value {
    URL_SAFE_NO_PAD.encode(bytes).into()
}

fn entry_object(entry: &Entry) -> Map<String, Value> {
    let mut at = json!({ "wall_ms": entry.at.wall.0 });
    if let Some(map) = at.as_object_mut() {
        let parts = [
            ("anchored_ms", entry.at.anchored.map(|time| time.0.into())),
            ("error_ms", entry.at.error_ms.map(Value::from)),
            ("boot", entry.at.boot.map(Value::from)),
        ];
        map.extend(
            parts
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value?))),
        );
    }
    let on: Vec<Value> = entry.on.iter().map(|id| binary(&id.0)).collect();
    let mut object = Map::new();
    object.insert("person".to_owned(), binary(&entry.person.0));
    object.insert("device".to_owned(), binary(&entry.device.0));
    object.insert("n".to_owned(), entry.n.into());
    object.insert("at".to_owned(), at);
    object.insert("kind".to_owned(), entry.kind.into());
    object.insert("on".to_owned(), on.into());
    object.insert("body".to_owned(), body_object(&entry.body));
    object
}

fn body_object(body: &Body) -> Value {
    let mut object = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        object.extend(value.map(|value| (name.to_owned(), value)));
    };
    put("words", body.words.clone().map(Value::from));
    let photos: Vec<Value> = body
        .photos
        .iter()
        .map(|photo| json!({ "sha256": binary(&photo.sha256), "bytes": photo.bytes, "media": photo.media, "kind": photo.kind }))
        .collect();
    put("photos", (!photos.is_empty()).then(|| photos.into()));
    put("verdict", body.verdict.map(|verdict| verdict.word().into()));
    let assign: Vec<Value> = body
        .assign
        .iter()
        .map(|(unit, part)| json!([unit.0, part.code()]))
        .collect();
    put("assign", (!assign.is_empty()).then(|| assign.into()));
    put(
        "assignment",
        body.assignment
            .map(|at| json!([binary(&at.dispatch.0), at.unit.0])),
    );
    put("judged", body.judged.map(|id| binary(&id.0)));
    put("mode", body.mode.map(Value::from));
    put("count", body.count.map(|(what, many)| json!([what, many])));
    Value::Object(object)
}

fn field_value(value: FieldValue) -> Value {
    match value {
        FieldValue::Words(words) => words.into(),
        FieldValue::Category(category) => {
            json!([category.scheme, category.kind.code(), category.code])
        }
        FieldValue::Place(place) => {
            let mut object = json!({ "village": place.village.number() });
            if let (Some(map), Some(point)) = (object.as_object_mut(), place.point) {
                let degrees = |e7: i64| Value::from(e7 as f64 / 1e7);
                map.insert("lon".to_owned(), degrees(point.lon_e7));
                map.insert("lat".to_owned(), degrees(point.lat_e7));
                map.insert("datum".to_owned(), point.datum.code().into());
                map.extend(
                    point
                        .accuracy_m
                        .map(|metres| ("accuracy_m".to_owned(), metres.into())),
                );
            }
            object
        }
    }
}

fn server_value(bytes: &[u8]) -> Value {
    if let Ok(text) = register::decode_text(bytes) {
        return text.into();
    }
    if let Ok(number) = register::decode_uint(bytes) {
        return number.into();
    }
    let scopes = register::decode_scopes(bytes).unwrap_or_default();
    let pairs = scopes.iter().map(|scope| {
        let (kind, id) = scope.parts();
        json!([kind, id])
    });
    pairs.collect::<Vec<_>>().into()
}
