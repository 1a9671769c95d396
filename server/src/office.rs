//! What people do at the office or in a browser: the same `may`, `fits` and composing as on a phone, through the same store.
//!
//! It knows no HTTP. Reviews are `review`'s.

use std::collections::BTreeSet;

use patrol_core::doc::admit::{Objection, RightCheck, Signer};
use patrol_core::doc::compose::{Content, compose};
use patrol_core::doc::document::{self, Reading};
use patrol_core::doc::register::FieldValue;
use patrol_core::domain::action::{Action, DocumentKind, Where};
use patrol_core::domain::capability::Right;
use patrol_core::domain::directory::Directory;
use patrol_core::domain::entry::{Body, Entry};
use patrol_core::domain::fold::Fold;
use patrol_core::domain::id::{ChangeHash, DocumentId, EntryId, PersonId};
use patrol_core::domain::limits;
use patrol_core::domain::offers::{self, Asker, Offer};
use patrol_core::domain::place::{Scope, VillageCode};
use patrol_core::domain::refusal::Refusal;
use patrol_core::domain::rules;
use patrol_core::domain::time::{At, Timestamp};

use crate::app::App;
use crate::grow::Growing;
use crate::store::{Commit, FateRow, Snapshot, StoreError, Summary};

/// What a person wants to do, and what his page showed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Deed {
    /// What.
    pub action: Action,
    /// In detail.
    pub body: Body,
    /// Registers to write with it.
    pub fields: Vec<FieldValue>,
    /// The transition heads that the page showed.
    pub on: Vec<EntryId>,
    /// The heads of the document that the page was made from; the present ones if empty.
    pub seen: Vec<ChangeHash>,
    /// Idempotency key: the same request sent again does the same once.
    pub key: Vec<u8>,
    /// When the person acted, by his clock.
    pub acted_at: Timestamp,
}

/// Why it was not done.
#[derive(Debug)]
pub enum Rejection {
    /// The rules say no.
    Refused(Refusal),
    /// There is no such document, or not for this person.
    NotFound,
    /// Not now.
    Store(StoreError),
}

impl From<StoreError> for Rejection {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Result of an action.
pub type Result<T> = std::result::Result<T, Rejection>;

/// Opens a document of that id. Durable when it returns.
pub fn begin(app: &App, person: PersonId, id: DocumentId, deed: &Deed) -> Result<EntryId> {
    record(app, person, id, Target::New, deed)
}

/// Does something to a document that is there. Durable when it returns.
pub fn act(app: &App, person: PersonId, id: DocumentId, deed: &Deed) -> Result<EntryId> {
    record(app, person, id, Target::Known, deed)
}

/// What a deed is done to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Target {
    /// A document that it opens.
    New,
    /// A document that is there.
    Known,
    /// One that is there, in the transaction of an import.
    Imported,
}

fn record(
    app: &App,
    person: PersonId,
    id: DocumentId,
    target: Target,
    deed: &Deed,
) -> Result<EntryId> {
    for _ in 0..limits::COMMIT_TRIES {
        match try_record(app, person, id, target, deed) {
            Err(Rejection::Store(StoreError::Stale)) => {}
            result => return result,
        }
    }
    Err(Rejection::Store(StoreError::Stale))
}

fn try_record(
    app: &App,
    person: PersonId,
    id: DocumentId,
    target: Target,
    deed: &Deed,
) -> Result<EntryId> {
    let mut prepared = Err(Rejection::NotFound);
    app.store.read(&mut |snapshot| {
        prepared = prepare(app, snapshot, person, id, target, deed);
        Ok(())
    })?;
    match prepared? {
        Prepared::Done(entry) => Ok(entry),
        Prepared::Write(entry, commit) => {
            app.store.commit(&commit)?;
            Ok(entry)
        }
    }
}

/// One write in which a person does something to each of several documents that are there, for an import that puts in force what it says.
/// What was done before by the same request is not done again.
pub(crate) fn prepare_all(
    app: &App,
    person: PersonId,
    deeds: &[(DocumentId, Deed)],
) -> Result<Commit> {
    let mut whole = Ok(Commit::default());
    app.store.read(&mut |snapshot| {
        whole = deeds
            .iter()
            .try_fold(Commit::default(), |mut whole, (id, deed)| {
                let prepared = prepare(app, snapshot, person, *id, Target::Imported, deed)?;
                if let Prepared::Write(_, commit) = prepared {
                    whole.documents.extend(commit.documents);
                    whole.fates.extend(commit.fates);
                }
                Ok(whole)
            });
        Ok(())
    })?;
    whole
}

enum Prepared {
    /// The same request was answered before.
    Done(EntryId),
    Write(EntryId, Box<Commit>),
}

fn prepare(
    app: &App,
    snapshot: &dyn Snapshot,
    person: PersonId,
    id: DocumentId,
    target: Target,
    deed: &Deed,
) -> Result<Prepared> {
    let (known, now) = (app.known(), app.environment.now());
    let mut growing = Growing::load(snapshot, id)?;
    let reading = growing.read();
    if let Some(entry) = answered_before(&reading, person, deed)? {
        return Ok(Prepared::Done(entry));
    }
    let (scopes, former) = match target {
        _ if growing.exists() => document::scopes(&growing.ledger),
        Target::New => (document::opening_scopes(&deed.fields, person), Vec::new()),
        Target::Known | Target::Imported => return Err(Rejection::NotFound),
    };
    if growing.exists() && !may_see(app, person, scopes.iter().chain(&former)) {
        return Err(Rejection::NotFound);
    }
    let kind = match growing.ledger.kind() {
        Some(kind) => kind,
        None if growing.exists() => return Err(Refusal::UpdateNeeded.into()),
        None => DocumentKind::opened_by(deed.action).ok_or(Refusal::NotFirst)?,
    };
    let row = deed.action.row(kind).ok_or(Refusal::UnknownAction)?;
    if row.place == Where::Import && target != Target::Imported {
        return Err(Refusal::NotPermitted.into());
    }
    if row.place != Where::Anywhere && deed.on != reading.case.workflow.heads {
        return Err(Refusal::Stale.into());
    }
    let rights = rules::rights_for(&known.holdings, now, person, deed.action, kind, &scopes);
    if rights.is_empty() {
        return Err(Refusal::NotPermitted.into());
    }
    check_target(snapshot, id, deed)?;
    check_names(&known.directory, deed)?;
    let entry = fitting(app, &reading, kind, person, deed, &rights)?;
    let seen = if deed.seen.is_empty() {
        growing.ledger.head_hashes()
    } else {
        deed.seen.clone()
    };
    let actor = growing.server_actor(app.identity.device, app.identity.actor, &seen, || {
        app.random()
    });
    let content = Content::person(&entry, deed.fields.clone());
    let change =
        compose(&growing.ledger, actor, &seen, &content).map_err(|_| Refusal::UnknownOn)?;
    let signer = Signer {
        device: app.identity.device,
        person: Some(person),
        place: Where::Office,
        right: RightCheck::Judge,
        holdings: &known.holdings,
        now,
    };
    let admitted = growing
        .add(&change, &signer, now)
        .map_err(objected)?
        .ok_or(Refusal::Grammar)?;
    let reading = growing.add_own(app, now);
    growing.verify(app).map_err(|_| Refusal::Poison)?;
    let fate = FateRow {
        device: app.identity.device,
        n: entry.n,
        entry: admitted.id,
        fate: "ok".to_owned(),
    };
    let commit = Commit {
        documents: vec![growing.into_commit(&reading)],
        fates: vec![fate],
        ..Commit::default()
    };
    Ok(Prepared::Write(admitted.id, Box::new(commit)))
}

/// The entry that the same request has made before. The same key for another deed is a mistake of the client: told "done", nobody
/// would do it again.
fn answered_before(reading: &Reading, person: PersonId, deed: &Deed) -> Result<Option<EntryId>> {
    let has_key =
        |entry: &Entry| entry.person == person && entry.key.as_deref() == Some(deed.key.as_slice());
    let Some(line) = reading.lines.iter().find(|line| has_key(&line.entry)) else {
        return Ok(None);
    };
    if line.entry.kind == deed.action.code() && line.entry.body == deed.body {
        Ok(Some(line.id))
    } else {
        Err(Refusal::Repeated.into())
    }
}

/// Whether the directory knows the units and the village that a deed names. Asked of the office alone: a phone may have an
/// older directory, and its work is welcome all the same.
fn check_names(directory: &Directory, deed: &Deed) -> Result<()> {
    for (unit, _) in &deed.body.assign {
        let is_village =
            VillageCode::new(unit.0).is_some_and(|code| directory.village(code).is_some());
        if !is_village && directory.unit(*unit).is_none() {
            return Err(Refusal::UnknownUnit.into());
        }
    }
    for field in &deed.fields {
        if let FieldValue::Place(place) = field
            && directory.village(place.village).is_none()
        {
            return Err(Refusal::UnknownVillage.into());
        }
    }
    Ok(())
}

/// The entry by the first right with which it fits, judged on what the page showed.
fn fitting(
    app: &App,
    reading: &Reading,
    kind: DocumentKind,
    person: PersonId,
    deed: &Deed,
    rights: &[Right],
) -> Result<Entry> {
    let fold = Fold::of(kind, &reading.lines);
    let mut refusal = Refusal::NotPermitted;
    for right in rights {
        let mut entry = Entry {
            kind: deed.action.code(),
            person,
            device: app.identity.device,
            capability: right.capability.code(),
            unit: right.unit,
            n: 1,
            on: deed.on.clone(),
            at: At::wall(deed.acted_at),
            key: Some(deed.key.clone()),
            body: deed.body.clone(),
        };
        match fold.fits(&entry) {
            Ok(()) => {
                entry.n = app.next_n();
                return Ok(entry);
            }
            Err(reason) => refusal = reason,
        }
    }
    Err(refusal.into())
}

/// The target of a duplicate must be open, and itself no duplicate.
fn check_target(snapshot: &dyn Snapshot, id: DocumentId, deed: &Deed) -> Result<()> {
    if deed.action != Action::MarkDuplicate {
        return Ok(());
    }
    let target = deed
        .body
        .target
        .filter(|target| *target != id)
        .ok_or(Refusal::BadTarget)?;
    let is_open = snapshot
        .summary(target)?
        .is_some_and(|summary| summary.kind == "case" && summary.ended_at.is_none());
    if is_open {
        Ok(())
    } else {
        Err(Refusal::BadTarget.into())
    }
}

fn objected(objection: Objection) -> Rejection {
    match objection {
        Objection::Refused(refusal) => Rejection::Refused(refusal),
        Objection::Review => Rejection::Refused(Refusal::NotPermitted),
        Objection::Newer => Rejection::Refused(Refusal::UpdateNeeded),
        Objection::Dup | Objection::Missing(_) => Rejection::Refused(Refusal::Stale),
    }
}

/// Whether a person may see a document: he holds something for the whole city beyond reporting, or shares a scope.
pub fn may_see<'s>(
    app: &App,
    person: PersonId,
    mut scopes: impl Iterator<Item = &'s Scope>,
) -> bool {
    if sees_everything(app, person) {
        return true;
    }
    let own = app
        .known()
        .directory
        .scopes_of(person, app.environment.now());
    scopes.any(|scope| own.contains(scope))
}

/// Whether a person works for the whole city.
pub fn sees_everything(app: &App, person: PersonId) -> bool {
    use patrol_core::domain::capability::Capability;
    use patrol_core::domain::id::UnitId;
    let now = app.environment.now();
    let known = app.known();
    let mut own = known
        .holdings
        .iter()
        .filter(|holding| holding.person == person && holding.is_held_at(now));
    own.any(|holding| {
        holding.right.unit == UnitId::CITY && holding.right.capability != Capability::Report
    })
}

/// The scopes to which a person's lists are confined; none: everything.
pub fn visible_scopes(app: &App, person: PersonId) -> Option<BTreeSet<Scope>> {
    (!sees_everything(app, person)).then(|| {
        app.known()
            .directory
            .scopes_of(person, app.environment.now())
    })
}

/// One document as a page shows it.
#[derive(Debug)]
pub struct View {
    /// What it says.
    pub reading: Reading,
    /// What lists show.
    pub summary: Summary,
    /// Its heads: what an action's `seen` will be.
    pub heads: Vec<ChangeHash>,
    /// What the person may do next.
    pub offers: Vec<Offer>,
}

/// Opens a document for a person.
pub fn view(app: &App, person: PersonId, id: DocumentId) -> Result<View> {
    let mut loaded = None;
    app.store.read(&mut |snapshot| {
        let growing = Growing::load(snapshot, id)?;
        loaded = snapshot.summary(id)?.map(|summary| (growing, summary));
        Ok(())
    })?;
    let (growing, summary) = loaded.ok_or(Rejection::NotFound)?;
    let scopes = document::scopes(&growing.ledger).0;
    if !may_see(app, person, scopes.iter()) {
        return Err(Rejection::NotFound);
    }
    let (reading, known) = (growing.read(), app.known());
    let asker = Asker {
        person,
        holdings: &known.holdings,
        now: app.environment.now(),
        place: Where::Office,
    };
    let kind = growing.ledger.kind();
    let offers = kind
        .map(|kind| offers::offers(kind, &reading.lines, &scopes, asker))
        .unwrap_or_default();
    Ok(View {
        reading,
        summary,
        heads: growing.ledger.head_hashes(),
        offers,
    })
}
