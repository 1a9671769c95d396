//! A document loaded: its ledger and Automerge beside each other, how it reads, and the last check before it is stored.
//!
//! Reading never fails: what cannot be read is left out of the registers or kept as an anomaly.

use std::collections::BTreeSet;

use automerge::{ActorId, Automerge, ROOT, ReadDoc as _, ScalarValue, Value};

use super::key::{Key, ServerName};
use super::ledger::Ledger;
use super::parse::{self, Parsed};
use super::register::{self, FieldValue};
use crate::domain::case::{Anomaly, Case, Category, Written};
use crate::domain::entry::{Field, Line};
use crate::domain::fold::{FOLD_VERSION, Fold};
use crate::domain::id::{ChangeHash, DocumentId, PersonId};
use crate::domain::place::{Place, Scope};
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;

/// The actor of a document that is only read. Nothing is ever written under it.
const READER: [u8; 16] = [0; 16];

/// What a document says: the case, and what does not fit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reading {
    /// The case.
    pub case: Case,
    /// Entries that are kept but do not fit.
    pub anomalies: Vec<Anomaly>,
    /// All entries that can be read, in the order for reading.
    pub lines: Vec<Line>,
}

/// A document could not be loaded from its changes: a bug, or a damaged file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unloadable;

/// Loads changes that were admitted before, in an order in which each follows its dependencies.
pub fn load<'b>(
    document: DocumentId,
    changes: impl IntoIterator<Item = &'b [u8]>,
) -> Result<Ledger, Unloadable> {
    let mut ledger = Ledger::new(document);
    for bytes in changes {
        let change = parse::parse_admitted(bytes).map_err(|_| Unloadable)?;
        ledger.push(change).map_err(|_| Unloadable)?;
    }
    Ok(ledger)
}

/// Loads the ledger's changes into Automerge.
fn automerge(ledger: &Ledger) -> Result<Automerge, Unloadable> {
    let chunks: Vec<u8> = ledger
        .links()
        .iter()
        .flat_map(|link| link.change.bytes.iter().copied())
        .collect();
    let mut loaded = Automerge::load(&chunks).map_err(|_| Unloadable)?;
    loaded.set_actor(ActorId::from(READER));
    Ok(loaded)
}

/// Step 9 of admission: the document loads from its changes, saves, and loads again with the heads that the ledger
/// predicts. Panics inside Automerge count as a failure.
pub fn verify(ledger: &Ledger) -> Result<(), Unloadable> {
    let check = || {
        let first = automerge(ledger)?;
        let mut second = Automerge::load(&first.save_nocompress()).map_err(|_| Unloadable)?;
        second.set_actor(ActorId::from(READER));
        let heads: Vec<ChangeHash> = second
            .get_heads()
            .into_iter()
            .map(|hash| ChangeHash(hash.0))
            .collect();
        let is_whole = second.get_missing_deps(&[]).is_empty();
        let mut heads = heads;
        heads.sort_unstable();
        if is_whole && heads == ledger.head_hashes() {
            Ok(())
        } else {
            Err(Unloadable)
        }
    };
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(check)).unwrap_or(Err(Unloadable))
}

/// Reads a document from its ledger. `received_at` gives the time of receipt of the change at a place, for changes
/// that have been received.
pub fn read(ledger: &Ledger, received_at: impl Fn(usize) -> Option<Timestamp>) -> Reading {
    let mut unreadable = BTreeSet::new();
    let mut lines: Vec<Line> = Vec::new();
    for (place, link) in ledger.links().iter().enumerate() {
        match (&link.entry, link.change.puts.first().map(|put| &put.key)) {
            (Some((id, entry)), _) if lines.iter().all(|line| line.id != *id) => {
                lines.push(Line {
                    id: *id,
                    entry: entry.clone(),
                    received_at: received_at(place),
                });
            }
            (None, Some(Key::Entry(id))) => drop(unreadable.insert(*id)),
            _ => {}
        }
    }
    let kind = ledger
        .kind()
        .unwrap_or(crate::domain::action::DocumentKind::Case);
    let fold = Fold::of(kind, &lines);
    let mut anomalies = fold.anomalies();
    anomalies.extend(unreadable.into_iter().map(|entry| Anomaly {
        entry,
        reason: Refusal::UpdateNeeded,
    }));
    let mut workflow = fold.workflow();
    // No entry of a tally opens it for the fold; its first change does.
    workflow.reporter = workflow.reporter.or_else(|| opener(ledger));
    let order = fold.timeline();
    let case = Case {
        numbers: server_numbers(ledger),
        scopes: server_scopes(ledger),
        fold: ledger
            .server_values(ServerName::Fold)
            .into_iter()
            .filter_map(|value| register::decode_uint(value).ok())
            .max()
            .unwrap_or(FOLD_VERSION),
        places: written(ledger, Field::Place, place_of),
        categories: written(ledger, Field::Category, category_of),
        words: written(ledger, Field::Words, words_of),
        workflow,
    };
    drop(fold);
    lines.sort_by_key(|line| order.iter().position(|id| *id == line.id));
    Reading {
        case,
        anomalies,
        lines,
    }
}

/// The document's scopes for judging rights, and those that it had at some time: what the server wrote, or until it has
/// written them the village of the first place and the reporter's person.
pub fn scopes(ledger: &Ledger) -> (Vec<Scope>, Vec<Scope>) {
    let current = server_scopes(ledger);
    if current.is_empty() {
        let first = ledger.links().first().map(|link| &link.change);
        let first = first.zip(opener(ledger));
        let scopes = first.map(|(change, person)| first_scopes(change, person));
        return (scopes.unwrap_or_default(), Vec::new());
    }
    let key = Key::Server(ServerName::Scopes);
    let ever = ledger
        .links()
        .iter()
        .flat_map(|link| &link.change.puts)
        .filter(|put| put.key == key);
    let former = ever
        .filter_map(|put| register::decode_scopes(&put.value).ok())
        .flatten()
        .collect();
    (current, former)
}

/// The scopes of a document until the server has written them: the village of its first change's place, and its author.
pub fn first_scopes(change: &Parsed, author: PersonId) -> Vec<Scope> {
    let key = Key::Field(Field::Place);
    let put = change.puts.iter().find(|put| put.key == key);
    let place = put
        .and_then(|put| FieldValue::decode(Field::Place, &put.value).ok())
        .and_then(place_of);
    let village = place.map(|place| Scope::Village(place.village));
    village.into_iter().chain([Scope::Person(author)]).collect()
}

/// The scopes that a document will have until the server has written them, when its author opens it with these registers.
pub fn opening_scopes(fields: &[FieldValue], author: PersonId) -> Vec<Scope> {
    let village = fields.iter().find_map(|field| {
        if let FieldValue::Place(place) = field {
            Some(Scope::Village(place.village))
        } else {
            None
        }
    });
    village.into_iter().chain([Scope::Person(author)]).collect()
}

/// Who opened the document.
fn opener(ledger: &Ledger) -> Option<PersonId> {
    let opening = ledger.links().first()?.entry.as_ref();
    opening.map(|(_, entry)| entry.person)
}

/// The scopes that follow from what the document says: its villages, the units at work, and the reporter.
pub fn scopes_due(case: &Case) -> Vec<Scope> {
    let villages = case
        .places
        .iter()
        .map(|place| Scope::Village(place.value.village));
    let mut scopes: Vec<Scope> = villages
        .chain(case.workflow.reporter.map(Scope::Person))
        .collect();
    for assignment in &case.workflow.assignments {
        if scopes
            .iter()
            .all(|scope| scope.unit() != Some(assignment.id.unit))
        {
            scopes.push(Scope::Unit(assignment.id.unit));
        }
    }
    scopes.sort();
    scopes.dedup();
    scopes
}

fn server_numbers(ledger: &Ledger) -> Vec<String> {
    let mut numbers: Vec<String> = ledger
        .server_values(ServerName::Number)
        .into_iter()
        .filter_map(|value| register::decode_text(value).ok())
        .collect();
    numbers.sort();
    numbers.dedup();
    numbers
}

fn server_scopes(ledger: &Ledger) -> Vec<Scope> {
    let mut scopes: Vec<Scope> = ledger
        .server_values(ServerName::Scopes)
        .into_iter()
        .filter_map(|value| register::decode_scopes(value).ok())
        .flatten()
        .collect();
    scopes.sort();
    scopes.dedup();
    scopes
}

/// The visible values of a register, one of each, the shown one first. Which is shown depends on nothing but the changes: the smallest hash.
fn written<T: PartialEq>(
    ledger: &Ledger,
    field: Field,
    of: impl Fn(FieldValue) -> Option<T>,
) -> Vec<Written<T>> {
    let mut values: Vec<Written<T>> = Vec::new();
    for (place, bytes) in ledger.values(&Key::Field(field)) {
        let Some(link) = ledger.link(place) else {
            continue;
        };
        let value = FieldValue::decode(field, bytes).ok().and_then(&of);
        let Some(value) = value.filter(|_| !ledger.is_overwritten_elsewhere(place, field)) else {
            continue;
        };
        let (entry, person) = link
            .entry
            .as_ref()
            .map(|(id, entry)| (*id, entry.person))
            .unzip();
        values.push(Written {
            value,
            change: link.change.hash,
            entry,
            person,
        });
    }
    values.sort_by_key(|written| written.change);
    let mut distinct: Vec<Written<T>> = Vec::new();
    for written in values {
        if distinct.iter().all(|other| other.value != written.value) {
            distinct.push(written);
        }
    }
    distinct
}

fn place_of(value: FieldValue) -> Option<Place> {
    if let FieldValue::Place(place) = value {
        Some(place)
    } else {
        None
    }
}

fn category_of(value: FieldValue) -> Option<Category> {
    if let FieldValue::Category(category) = value {
        Some(category)
    } else {
        None
    }
}

fn words_of(value: FieldValue) -> Option<String> {
    if let FieldValue::Words(words) = value {
        Some(words)
    } else {
        None
    }
}

/// Whether Automerge and the ledger see the same document: entries, and for each register the same values.
pub fn agrees_with_automerge(ledger: &Ledger) -> Result<bool, Unloadable> {
    let loaded = automerge(ledger)?;
    let mut keys: Vec<Key> = ledger
        .links()
        .iter()
        .flat_map(|link| link.change.puts.iter().map(|put| put.key.clone()))
        .collect();
    keys.sort();
    keys.dedup();
    if loaded.keys(ROOT).count() != keys.len() {
        return Ok(false);
    }
    for key in keys {
        let mut theirs: Vec<Vec<u8>> = Vec::new();
        for (value, _) in loaded.get_all(ROOT, key.text()).map_err(|_| Unloadable)? {
            if let Value::Scalar(scalar) = value
                && let ScalarValue::Bytes(bytes) = scalar.as_ref()
            {
                theirs.push(bytes.clone());
            }
        }
        let mut ours: Vec<Vec<u8>> = if let Key::Entry(_) = key {
            let carriers = ledger
                .links()
                .iter()
                .flat_map(|link| &link.change.puts)
                .filter(|put| put.key == key);
            carriers.map(|put| put.value.clone()).collect()
        } else {
            ledger
                .values(&key)
                .into_iter()
                .map(|(_, value)| value.to_vec())
                .collect()
        };
        theirs.sort();
        ours.sort();
        if theirs != ours {
            return Ok(false);
        }
    }
    Ok(true)
}
