//! Whether a change may enter a document: the check of `doc/format.md`, steps 3 to 8, against the document's ledger.
//!
//! Pure, and the same on both ends: the server asks it about what devices push, a device about its own change before
//! saving. It never asks whether a deed suits the stage, and it never loads Automerge (that is step 9, [`super::document`]).

use super::document;
use super::entry::{self, EntryFault};
use super::key::Key;
use super::ledger::{Ledger, MissingDeps};
use super::parse::{Parsed, Put};
use super::register::FieldValue;
use crate::bits::Bits;
use crate::domain::action::{Action, DocumentKind, Row, Where};
use crate::domain::capability::Holding;
use crate::domain::entry::{Entry, Field};
use crate::domain::id::{ChangeHash, DeviceId, EntryId, PersonId};
use crate::domain::limits;
use crate::domain::refusal::Refusal;
use crate::domain::rules::{self, Question, Standing};
use crate::domain::time::Timestamp;

/// Whether the right is judged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RightCheck {
    /// By today's rows.
    Judge,
    /// A person has looked and released it.
    Waive,
}

/// Who signed the change, and what he may.
#[derive(Clone, Copy, Debug)]
pub struct Signer<'a> {
    /// The device whose key signed.
    pub device: DeviceId,
    /// The person of that enrolment; none for the server's own commits.
    pub person: Option<PersonId>,
    /// Whether the change is recorded by the office.
    pub place: Where,
    /// Whether the right is judged.
    pub right: RightCheck,
    /// Dated rows of rights, at least the person's.
    pub holdings: &'a [Holding],
    /// By the judging end's clock.
    pub now: Timestamp,
}

/// The answer to a change that may not enter, or not now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Objection {
    /// It is in the document.
    Dup,
    /// It builds on changes that are not.
    Missing(Vec<ChangeHash>),
    /// A newer program made it; a newer server will take it.
    Newer,
    /// The person held the right once: a person must look.
    Review,
    /// Never.
    Refused(Refusal),
}

impl From<Refusal> for Objection {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<EntryFault> for Objection {
    fn from(fault: EntryFault) -> Self {
        match fault {
            EntryFault::Form => Self::Refused(Refusal::EntryForm),
            EntryFault::Newer => Self::Newer,
        }
    }
}

/// What is known of an admitted person's commit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Admitted {
    /// The entry's id.
    pub id: EntryId,
    /// The entry.
    pub entry: Entry,
}

/// Checks a parsed change (steps 3 to 8). `Ok(None)`: a commit of the server.
pub fn admit(
    ledger: &Ledger,
    change: &Parsed,
    signer: &Signer<'_>,
) -> Result<Option<Admitted>, Objection> {
    if ledger.place(&change.hash).is_some() {
        return Err(Objection::Dup);
    }
    if change.actor.device() != signer.device {
        return Err(Refusal::ForeignActor.into());
    }
    if change.deps.len() > limits::CHANGE_DEPS_MAX || change.puts.len() > limits::CHANGE_OPS_MAX {
        return Err(Refusal::Malformed.into());
    }
    // However it came: a change has one encoding, and what is let in must be let in again after a restore.
    if !change.deps.is_sorted_by(|one, next| one < next) {
        return Err(Refusal::NotCanonical.into());
    }
    check_shape(change, signer)?;
    if change.deps.is_empty() != ledger.is_empty() {
        return Err(if ledger.is_empty() {
            Objection::Missing(change.deps.clone())
        } else {
            Refusal::NotFirst.into()
        });
    }
    let deps = ledger
        .places_of(&change.deps)
        .map_err(|MissingDeps(missing)| Objection::Missing(missing))?;
    let closure = ledger.closure(&deps);
    check_chain(ledger, change, &deps, &closure)?;
    match signer.person {
        Some(person) => check_commit(ledger, change, &closure, signer, person).map(Some),
        None => Ok(None),
    }
}

/// The grammar of keys: a person's commit is one entry and then registers, the server's its own names; both ascending.
fn check_shape(change: &Parsed, signer: &Signer<'_>) -> Result<(), Objection> {
    let mut keys = change.puts.iter().map(|put| &put.key);
    if signer.person.is_some() && !matches!(keys.next(), Some(Key::Entry(_))) {
        return Err(Refusal::Grammar.into());
    }
    let mut last = 0;
    for key in keys {
        let code = match (key, signer.person) {
            (Key::Field(field), Some(_)) => field.code(),
            (Key::Server(name), None) => name.code(),
            (Key::Other(text), Some(_)) if text.starts_with("f/") => return Err(Objection::Newer),
            _ => return Err(Refusal::Grammar.into()),
        };
        if code <= last {
            return Err(Refusal::Grammar.into());
        }
        last = code;
    }
    Ok(())
}

/// The actor's chain, the counters and the predecessors: everything that follows from the dependencies.
fn check_chain(
    ledger: &Ledger,
    change: &Parsed,
    deps: &[usize],
    closure: &Bits,
) -> Result<(), Objection> {
    let follows_last = ledger
        .last_of(change.actor)
        .is_none_or(|(last, _)| closure.contains(last));
    if !follows_last || change.seq != ledger.next_seq(change.actor, closure) {
        let is_taken = ledger
            .links()
            .iter()
            .any(|link| link.change.actor == change.actor && link.change.seq == change.seq);
        return Err(if is_taken {
            Refusal::Forked
        } else {
            Refusal::Gap
        }
        .into());
    }
    if change.start_op != ledger.start_op(deps) || change.max_op() > limits::OP_COUNTER_MAX {
        return Err(Refusal::BadOps.into());
    }
    let is_exact = |put: &Put| {
        let mut visible: Vec<_> = ledger
            .visible(&put.key, closure)
            .into_iter()
            .map(|(_, counter, actor)| (counter, actor))
            .collect();
        visible.sort_unstable();
        put.preds == visible
    };
    if change.puts.iter().all(is_exact) {
        Ok(())
    } else {
        Err(Refusal::BadOps.into())
    }
}

fn check_commit(
    ledger: &Ledger,
    change: &Parsed,
    closure: &Bits,
    signer: &Signer<'_>,
    person: PersonId,
) -> Result<Admitted, Objection> {
    let Some((
        Put {
            key: Key::Entry(id),
            value,
            ..
        },
        fields,
    )) = change.puts.split_first()
    else {
        return Err(Refusal::Grammar.into());
    };
    let fields = check_fields(fields)?;
    if signer.place == Where::Anywhere {
        check_volume(ledger, change)?;
    }
    let entry = entry::decode(value)?;
    let is_among_ancestors = closure
        .iter()
        .filter_map(|place| ledger.link(place))
        .any(|link| link.entry.as_ref().is_some_and(|(other, _)| other == id));
    if *id != entry::entry_id(ledger.document(), value) || is_among_ancestors {
        return Err(Refusal::EntryId.into());
    }
    if entry.person != person || entry.device != signer.device {
        return Err(Refusal::ForeignPerson.into());
    }
    check_on(ledger, &entry, closure)?;
    let (action, kind) = known_action(ledger, &entry)?;
    let row = action.row(kind).ok_or(Refusal::UnknownAction)?;
    check_details(ledger, row, &entry, &fields)?;
    if signer.place == Where::Anywhere {
        if row.place != Where::Anywhere {
            return Err(Refusal::OfficeOnly.into());
        }
        if action.is_transition(kind) {
            check_heads(ledger, &entry)?;
        }
    }
    check_right(ledger, change, &entry, kind, signer)?;
    Ok(Admitted { id: *id, entry })
}

/// The registers after the entry, each of its form.
fn check_fields(puts: &[Put]) -> Result<Vec<Field>, Objection> {
    let mut fields = Vec::new();
    for put in puts {
        let Key::Field(field) = put.key else {
            return Err(Refusal::Grammar.into());
        };
        FieldValue::decode(field, &put.value).map_err(|fault| match fault {
            EntryFault::Form => Objection::Refused(Refusal::WrongFields),
            EntryFault::Newer => Objection::Newer,
        })?;
        fields.push(field);
    }
    Ok(fields)
}

/// What one device may put into one document.
fn check_volume(ledger: &Ledger, change: &Parsed) -> Result<(), Objection> {
    let device = change.actor.device();
    let (mut changes, mut bytes, mut document_bytes) = (1, change.bytes.len(), change.bytes.len());
    for link in ledger.links() {
        document_bytes += link.change.bytes.len();
        if link.change.actor.device() == device {
            changes += 1;
            bytes += link.change.bytes.len();
        }
    }
    let mut actors = ledger.actors_of(device);
    if !actors.contains(&change.actor) {
        actors.push(change.actor);
    }
    let is_within = changes <= limits::DEVICE_CHANGES_MAX
        && bytes <= limits::DEVICE_BYTES_MAX
        && document_bytes <= limits::DOCUMENT_BYTES_MAX
        && actors.len() <= limits::DEVICE_ACTORS_MAX;
    if is_within {
        Ok(())
    } else {
        Err(Refusal::TooMany.into())
    }
}

/// A device does not pile up transitions that nobody, not even itself, has seen.
fn check_heads(ledger: &Ledger, entry: &Entry) -> Result<(), Objection> {
    let transitions = || {
        ledger
            .links()
            .iter()
            .filter_map(|link| link.entry.as_ref())
            .filter(|(_, entry)| ledger.is_transition(entry))
    };
    let is_named = |id: &EntryId| {
        entry.on.contains(id) || transitions().any(|(_, other)| other.on.contains(id))
    };
    let open = transitions()
        .filter(|(id, other)| other.device == entry.device && !is_named(id))
        .count();
    if open < limits::DEVICE_HEADS_MAX {
        Ok(())
    } else {
        Err(Refusal::TooMany.into())
    }
}

/// `on` names transition entries among the ancestors only.
fn check_on(ledger: &Ledger, entry: &Entry, closure: &Bits) -> Result<(), Objection> {
    let is_known = |id: &EntryId| {
        closure
            .iter()
            .filter_map(|place| ledger.link(place)?.entry.as_ref())
            .any(|(other, entry)| other == id && ledger.is_transition(entry))
    };
    if entry.on.iter().all(is_known) {
        Ok(())
    } else {
        Err(Refusal::UnknownOn.into())
    }
}

fn known_action(ledger: &Ledger, entry: &Entry) -> Result<(Action, DocumentKind), Objection> {
    let action = entry.action().ok_or(Objection::Newer)?;
    let kind = if ledger.is_empty() {
        DocumentKind::opened_by(action).ok_or(Refusal::NotFirst)?
    } else {
        ledger.kind().ok_or(Objection::Newer)?
    };
    Ok((action, kind))
}

/// The details and registers that the action needs and allows. A first change says where.
fn check_details(
    ledger: &Ledger,
    row: &Row,
    entry: &Entry,
    fields: &[Field],
) -> Result<(), Objection> {
    let is_first = ledger.is_empty();
    if row.level == crate::domain::action::Level::Opening && !is_first {
        return Err(Refusal::NotFirst.into());
    }
    let details = entry.body.details();
    let has_needed = row.needs.iter().all(|need| details.contains(need));
    let has_only = details
        .iter()
        .all(|detail| row.needs.contains(detail) || row.allows.contains(detail));
    if !has_needed || !has_only {
        return Err(Refusal::EntryForm.into());
    }
    let writes_needed = row.writes.iter().all(|field| fields.contains(field))
        && (!is_first || fields.contains(&Field::Place));
    let writes_only = fields
        .iter()
        .all(|field| row.writes.contains(field) || row.may_write.contains(field));
    if writes_needed && writes_only {
        Ok(())
    } else {
        Err(Refusal::WrongFields.into())
    }
}

/// Judged on the scopes before the change; for a document's first change, on those that it will have.
fn check_right(
    ledger: &Ledger,
    change: &Parsed,
    entry: &Entry,
    kind: DocumentKind,
    signer: &Signer<'_>,
) -> Result<(), Objection> {
    if signer.right == RightCheck::Waive {
        return Ok(());
    }
    let (action, right) = entry.action().zip(entry.right()).ok_or(Objection::Newer)?;
    let (scopes, former) = if ledger.is_empty() {
        (document::first_scopes(change, entry.person), Vec::new())
    } else {
        document::scopes(ledger)
    };
    let question = Question {
        person: entry.person,
        action,
        kind,
        right,
        scopes: &scopes,
        former: &former,
    };
    match rules::may(signer.holdings, signer.now, question) {
        Standing::Held => Ok(()),
        Standing::HeldOnce => Err(Objection::Review),
        Standing::Never => Err(Refusal::NotPermitted.into()),
    }
}
