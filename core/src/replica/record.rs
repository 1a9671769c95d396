//! A deed recorded: judged by `may` and `fits`, composed as one change, checked as the server will check it, and saved
//! in one transaction with its list row and its place in the outbox.

use rusqlite::{Connection, Transaction};

use super::load::{self, Loaded};
use super::{Known, Replica};
use crate::doc::admit::{self, Objection, RightCheck, Signer};
use crate::doc::compose::{Content, compose};
use crate::doc::document;
use crate::doc::ledger::Ledger;
use crate::doc::register::FieldValue;
use crate::domain::action::{Action, DocumentKind, Where};
use crate::domain::capability::Right;
use crate::domain::entry::{Body, Entry};
use crate::domain::fold::{FOLD_VERSION, Fold};
use crate::domain::id::{DocumentId, DraftId, EntryId};
use crate::domain::limits;
use crate::domain::refusal::Refusal;
use crate::domain::rules;
use crate::domain::time::{At, Timestamp};
use crate::error::{Error, Result};
use crate::store::changes;
use crate::store::documents;
use crate::store::drafts;
use crate::store::enrolment::{self, Enrolment};

/// What a person wants to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Deed {
    /// What.
    pub action: Action,
    /// In detail.
    pub body: Body,
    /// Registers to write with it.
    pub fields: Vec<FieldValue>,
    /// By which right; the first that fits, if none is named.
    pub right: Option<Right>,
    /// Idempotency key.
    pub key: Option<Vec<u8>>,
    /// The draft that it was: gone with the deed recorded, so that none is done twice.
    pub draft: Option<DraftId>,
}

impl Deed {
    /// A deed without registers, by whatever right fits.
    pub fn new(action: Action, body: Body) -> Self {
        Self {
            action,
            body,
            fields: Vec::new(),
            right: None,
            key: None,
            draft: None,
        }
    }
}

impl Replica {
    /// Opens a document with its first deed: `report` opens a case, `count` a tally, `propose` a survey. Durable when it returns. `NotFound`:
    /// the draft that it is said to be has become a deed already.
    pub fn begin(&self, deed: &Deed) -> Result<(DocumentId, EntryId)> {
        let document = DocumentId::new(self.environment.now(), self.random());
        Ok((document, self.record(document, deed)?))
    }

    /// Does something to a document that is here. Durable when it returns.
    pub fn act(&self, document: DocumentId, deed: &Deed) -> Result<EntryId> {
        if self
            .store
            .read(|connection| documents::state(connection, document))?
            .is_none()
        {
            return Err(Error::NotFound);
        }
        self.record(document, deed)
    }

    fn record(&self, id: DocumentId, deed: &Deed) -> Result<EntryId> {
        let known = self.known()?;
        let entry = self.mending(|| self.write_entry(id, deed, &known))?;
        self.notify(&[id]);
        Ok(entry)
    }

    fn write_entry(&self, id: DocumentId, deed: &Deed, known: &Known) -> Result<EntryId> {
        self.store.write(|transaction| {
            let enrolment = enrolment::enrolled(transaction)?;
            let loaded = load::load(transaction, id)?;
            if loaded
                .as_ref()
                .is_some_and(|loaded| loaded.ledger.is_empty())
            {
                return Err(Refusal::HeldDocument.into());
            }
            let ledger = loaded
                .as_ref()
                .map_or_else(|| Ledger::new(id), |loaded| loaded.ledger.clone());
            let entry = self.entry(transaction, known, &enrolment, loaded.as_ref(), deed)?;
            let actor = loaded
                .as_ref()
                .and_then(|loaded| loaded.state.actor)
                .unwrap_or(enrolment.actor);
            let content = Content::person(&entry, deed.fields.clone());
            let change = compose(&ledger, actor, &ledger.head_hashes(), &content)
                .map_err(|_| Error::Disagreement("compose"))?;
            let signer = Signer {
                device: enrolment.device,
                person: Some(enrolment.person),
                place: Where::Anywhere,
                right: RightCheck::Judge,
                holdings: &known.holdings,
                now: self.present(transaction)?,
            };
            let admitted = admit::admit(&ledger, &change, &signer).map_err(objected)?;
            let mut grown = ledger;
            grown
                .push(change.clone())
                .map_err(|_| Error::Disagreement("push"))?;
            document::verify(&grown).map_err(|_| Error::Disagreement("verify"))?;
            let state = documents::state_or_new(transaction, id)?;
            changes::put_local(transaction, state.number, change.hash, &change.bytes)?;
            load::refresh(transaction, id)?;
            // A draft that is gone has been a deed already.
            if let Some(draft) = deed.draft
                && !drafts::remove(transaction, draft)?
            {
                return Err(Error::NotFound);
            }
            admitted
                .map(|admitted| admitted.id)
                .ok_or(Error::Disagreement("entry"))
        })
    }

    /// The entry for a deed, judged by `may` and `fits` on what is here.
    fn entry(
        &self,
        transaction: &Transaction<'_>,
        known: &Known,
        enrolment: &Enrolment,
        loaded: Option<&Loaded>,
        deed: &Deed,
    ) -> Result<Entry> {
        let now = self.present(transaction)?;
        let (kind, scopes) = match loaded {
            Some(loaded) => (
                loaded.ledger.kind().ok_or(Refusal::UpdateNeeded)?,
                document::scopes(&loaded.ledger).0,
            ),
            None => (
                DocumentKind::opened_by(deed.action).ok_or(Refusal::NotFirst)?,
                document::opening_scopes(&deed.fields, enrolment.person),
            ),
        };
        let reading = loaded.map(|loaded| load::read(&loaded.ledger, &loaded.rows));
        let is_newer = reading
            .as_ref()
            .is_some_and(|reading| reading.case.fold > FOLD_VERSION);
        if is_newer && deed.action != Action::Note {
            return Err(Refusal::UpdateNeeded.into());
        }
        let rights = match deed.right {
            Some(right) => vec![right],
            None => rules::rights_for(
                &known.holdings,
                now,
                enrolment.person,
                deed.action,
                kind,
                &scopes,
            ),
        };
        let first = rights.first().ok_or(Refusal::NotPermitted)?;
        let reading = reading.filter(|_| !is_newer);
        let on = reading
            .as_ref()
            .map(|reading| reading.case.workflow.heads.clone())
            .unwrap_or_default();
        let mut entry = Entry {
            kind: deed.action.code(),
            person: enrolment.person,
            device: enrolment.device,
            capability: first.capability.code(),
            unit: first.unit,
            n: 1,
            on,
            at: self.at(transaction)?,
            key: deed.key.clone(),
            body: deed.body.clone(),
        };
        if let Some(reading) = reading {
            fit(&mut entry, &rights, &Fold::of(kind, &reading.lines))?;
        }
        entry.n = enrolment::next_n(transaction)?;
        Ok(entry)
    }

    /// The device's reckoning of the time.
    fn at(&self, transaction: &Transaction<'_>) -> Result<At> {
        let (boot, now) = (self.environment.boot(), self.environment.now());
        // A clock beyond all bounds is a broken clock; its entry must not be lost for that.
        let wall = Timestamp(now.0.clamp(0, limits::TIME_MS_MAX));
        let mut at = At {
            wall,
            boot: Some(boot % limits::BOOT_MAX),
            ..At::default()
        };
        if let Some(anchor) = enrolment::round_state(transaction)?
            .anchor
            .filter(|anchor| anchor.boot == boot)
        {
            let elapsed = self
                .environment
                .monotonic_ms()
                .saturating_sub(anchor.monotonic_ms);
            let estimate = anchor
                .server
                .plus_ms(i64::try_from(elapsed).unwrap_or(i64::MAX));
            at.anchored = Some(Timestamp(estimate.0.clamp(0, limits::TIME_MS_MAX)));
            // Quartz drifts by less than 100 millionths.
            let error_ms = anchor.error_ms.saturating_add(elapsed / 10_000);
            at.error_ms = Some(error_ms.min(limits::TIME_ERROR_MS_MAX - 1));
        }
        Ok(at)
    }
}

/// Gives the entry the first of these rights by which it fits: who holds several posts acts by the one that is meant.
fn fit(entry: &mut Entry, rights: &[Right], fold: &Fold) -> std::result::Result<(), Refusal> {
    let mut objection = None;
    for right in rights {
        (entry.capability, entry.unit) = (right.capability.code(), right.unit);
        match fold.fits(entry) {
            Ok(()) => return Ok(()),
            Err(refusal) => _ = objection.get_or_insert(refusal),
        }
    }
    Err(objection.unwrap_or(Refusal::NotPermitted))
}

impl Replica {
    /// The time by which rights are judged here. A wall clock that is years wrong must not keep its owner from recording: since the
    /// last contact in this boot the server's time goes on by the monotonic clock, and it is never earlier than that contact.
    pub(super) fn present(&self, connection: &Connection) -> Result<Timestamp> {
        let wall = self.environment.now();
        let Some(anchor) = enrolment::round_state(connection)?.anchor else {
            return Ok(wall);
        };
        if anchor.boot != self.environment.boot() {
            return Ok(wall.max(anchor.server));
        }
        let elapsed = self
            .environment
            .monotonic_ms()
            .saturating_sub(anchor.monotonic_ms);
        Ok(anchor
            .server
            .plus_ms(i64::try_from(elapsed).unwrap_or(i64::MAX)))
    }
}

fn objected(objection: Objection) -> Error {
    match objection {
        Objection::Refused(refusal) => Error::Refused(refusal),
        Objection::Review => Error::Refused(Refusal::NotPermitted),
        Objection::Newer => Error::UpdateNeeded,
        Objection::Dup | Objection::Missing(_) => Error::Disagreement("admit"),
    }
}
