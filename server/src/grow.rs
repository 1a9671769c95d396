//! A document that grows: changes are admitted one by one, then the server adds what is its own (number, scopes, fold
//! version, a merge of too many heads), and the result becomes one part of a commit.
//!
//! Shared by everything that writes: push frames, relics, the office, reviews. It stores nothing itself.

use std::collections::BTreeSet;

use patrol_core::doc::admit::{Admitted, Objection, Signer, admit};
use patrol_core::doc::compose::{Content, compose};
use patrol_core::doc::document::{self, Reading, Unloadable};
use patrol_core::doc::key::ServerName;
use patrol_core::doc::ledger::Ledger;
use patrol_core::doc::parse::Parsed;
use patrol_core::doc::register;
use patrol_core::domain::action::DocumentKind;
use patrol_core::domain::fold::FOLD_VERSION;
use patrol_core::domain::id::{Actor, ChangeHash, DeviceId, DocumentId};
use patrol_core::domain::limits;
use patrol_core::domain::place::Scope;
use patrol_core::domain::time::Timestamp;
use patrol_core::sync::seal::Digest;

use crate::app::App;
use crate::store::{DocumentCommit, Snapshot, StoreError, StoredChange, StoredDocument, Summary};

/// A document with what is being added to it.
#[derive(Debug)]
pub struct Growing {
    /// The changes so far, stored ones first.
    pub ledger: Ledger,
    stored: usize,
    /// When each change was received, by its place.
    received: Vec<Timestamp>,
}

/// A stored document without its ledger, while that is lent to somebody who builds on it.
#[derive(Debug)]
pub struct Lent {
    stored: usize,
    received: Vec<Timestamp>,
}

impl Growing {
    /// The document as it is stored; empty when it is not.
    pub fn load(snapshot: &dyn Snapshot, id: DocumentId) -> crate::store::Result<Self> {
        match snapshot.document(id)? {
            Some(stored) => Self::of(&stored),
            None => Self::of(&StoredDocument {
                id,
                changes: Vec::new(),
            }),
        }
    }

    /// A stored document.
    pub fn of(document: &StoredDocument) -> crate::store::Result<Self> {
        let StoredDocument { id, changes } = document;
        let loaded = document::load(*id, changes.iter().map(|change| change.body.as_slice()));
        let ledger = loaded
            .map_err(|Unloadable| StoreError::Broken(format!("document {id} does not load")))?;
        let received = changes.iter().map(|change| change.received_at).collect();
        Ok(Self {
            stored: ledger.len(),
            ledger,
            received,
        })
    }

    /// Lends the ledger of a document to which nothing has been added.
    pub fn lend(self) -> (Ledger, Lent) {
        let Self {
            ledger,
            stored,
            received,
        } = self;
        (ledger, Lent { stored, received })
    }

    /// Takes a lent ledger back, without what was built on it.
    pub fn give_back(mut ledger: Ledger, lent: Lent) -> Self {
        let Lent { stored, received } = lent;
        ledger.truncate(stored);
        Self {
            ledger,
            stored,
            received,
        }
    }

    /// Whether the document is stored.
    pub fn exists(&self) -> bool {
        self.stored > 0
    }

    /// Whether the document is stored, and beyond everything that who has these scopes may know of.
    pub(crate) fn is_hidden_from(&self, scopes: &BTreeSet<Scope>) -> bool {
        let (current, former) = document::scopes(&self.ledger);
        let mut all = current.iter().chain(&former);
        self.exists() && !all.any(|scope| scopes.contains(scope))
    }

    /// Whether something has been added.
    pub fn has_grown(&self) -> bool {
        self.ledger.len() > self.stored
    }

    /// How many changes there are, with those added.
    pub fn len(&self) -> usize {
        self.ledger.len()
    }

    /// Bytes of its changes.
    pub fn bytes(&self) -> usize {
        let links = self.ledger.links().iter();
        links.map(|link| link.change.bytes.len()).sum()
    }

    /// Whether there is no change at all.
    pub fn is_empty(&self) -> bool {
        self.ledger.is_empty()
    }

    /// Takes away what was added beyond that many changes.
    pub fn truncate(&mut self, len: usize) {
        self.ledger.truncate(len.max(self.stored));
        self.received.truncate(self.ledger.len());
    }

    /// Whether what a change says stands in the document, in whichever change: its entry, and all that it writes beside that. The same entry
    /// may come with other words that nobody has judged.
    pub fn has_deed_of(&self, change: &Parsed) -> bool {
        let document = self.ledger.document();
        let Some(content) = Content::of(change) else {
            return false;
        };
        let Some(entry) = content.entry_id(document) else {
            return false;
        };
        let mut links = self.ledger.links().iter();
        links.any(|link| {
            let is_same = link.entry.as_ref().is_some_and(|(id, _)| *id == entry);
            is_same && Content::of(&link.change).as_ref() == Some(&content)
        })
    }

    /// Admits a change and adds it.
    pub fn add(
        &mut self,
        change: &Parsed,
        signer: &Signer<'_>,
        now: Timestamp,
    ) -> Result<Option<Admitted>, Objection> {
        let admitted = admit(&self.ledger, change, signer)?;
        self.push(change.clone(), now);
        Ok(admitted)
    }

    fn push(&mut self, change: Parsed, now: Timestamp) {
        // `admit` and `compose` have found all its dependencies here.
        if self.ledger.push(change).is_ok() {
            self.received.push(now);
        }
    }

    /// The last check: with what was added, the document loads, saves and loads again.
    pub fn verify(&self, app: &App) -> Result<(), Unloadable> {
        (app.last_check)(&self.ledger)
    }

    /// What the document says.
    pub fn read(&self) -> Reading {
        document::read(&self.ledger, |place| self.received.get(place).copied())
    }

    /// Adds what is the server's own, after persons' commits have been added. Returns what the document says then.
    pub fn add_own(&mut self, app: &App, now: Timestamp) -> Reading {
        let reading = self.read();
        let case = &reading.case;
        let mut values = Vec::new();
        let is_case = self.ledger.kind() == Some(DocumentKind::Case);
        if is_case && case.numbers.is_empty() {
            values.push((
                ServerName::Number,
                register::encode_text(&app.next_number(now)),
            ));
        }
        let due = document::scopes_due(case);
        if case.scopes != due || self.ledger.server_values(ServerName::Scopes).len() > 1 {
            values.push((ServerName::Scopes, register::encode_scopes(&due)));
        }
        if self.ledger.server_values(ServerName::Fold).is_empty() {
            values.push((ServerName::Fold, register::encode_uint(FOLD_VERSION)));
        }
        let heads = self.ledger.head_hashes();
        if values.is_empty() && heads.len() <= limits::HEADS_MAX {
            return reading;
        }
        let (deps, rest) = heads.split_at(heads.len().min(limits::CHANGE_DEPS_MAX));
        let content = Content::server(values);
        let actor = self.server_actor(app.identity.device, app.identity.actor, deps, || {
            app.random()
        });
        if let Ok(change) = compose(&self.ledger, actor, deps, &content) {
            self.push(change, now);
        }
        if rest.is_empty() {
            self.read()
        } else {
            self.add_own(app, now)
        }
    }

    /// An actor of the server that may write on top of these changes: one whose last change is among them, else a fresh one.
    pub fn server_actor(
        &self,
        device: DeviceId,
        usual: Actor,
        deps: &[ChangeHash],
        fresh: impl Fn() -> [u8; 8],
    ) -> Actor {
        let places: Vec<usize> = deps
            .iter()
            .filter_map(|dep| self.ledger.place(dep))
            .collect();
        let is_seen = |place: usize| {
            places
                .iter()
                .any(|dep| *dep == place || self.ledger.is_ancestor(place, *dep))
        };
        let is_free = |actor: &Actor| {
            self.ledger
                .last_of(*actor)
                .is_none_or(|(place, _)| is_seen(place))
        };
        if is_free(&usual) {
            return usual;
        }
        let known = self.ledger.actors_of(device);
        known
            .into_iter()
            .find(is_free)
            .unwrap_or_else(|| Actor::new(device, fresh()))
    }

    /// This document's part of a commit.
    pub fn into_commit(self, reading: &Reading) -> DocumentCommit {
        let id = self.ledger.document();
        let added = self.ledger.links().iter().zip(&self.received);
        let changes = added
            .skip(self.stored)
            .map(|(link, received_at)| StoredChange {
                hash: link.change.hash,
                body: link.change.bytes.clone(),
                received_at: *received_at,
                commit: 0,
            });
        let first = self.ledger.links().first();
        let opened_by = first
            .filter(|_| self.stored == 0)
            .map(|link| link.change.actor.device());
        DocumentCommit {
            id,
            expected_len: self.stored,
            changes: changes.collect(),
            scopes: reading.case.scopes.clone(),
            digest: Digest::of(id, &self.ledger.head_hashes()),
            summary: self.summary(reading),
            opened_by,
        }
    }

    /// What lists show of it, given what it says.
    pub fn summary(&self, reading: &Reading) -> Summary {
        let case = &reading.case;
        let standing = case.workflow.standing;
        let changed_at = self.received.iter().max().copied().unwrap_or_default();
        let opened_at = self.received.iter().min().copied().unwrap_or_default();
        let mut units: Vec<u64> = case
            .workflow
            .assignments
            .iter()
            .map(|assignment| assignment.id.unit.0)
            .collect();
        units.sort_unstable();
        units.dedup();
        let count = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        Summary {
            kind: self
                .ledger
                .kind()
                .map(|kind| kind.word().to_owned())
                .unwrap_or_default(),
            number: case.numbers.first().cloned(),
            numbers: case.numbers.clone(),
            stage: standing
                .map(|standing| standing.stage.word().to_owned())
                .unwrap_or_default(),
            rework: standing.is_some_and(|standing| standing.rework),
            village: case
                .places
                .first()
                .map(|place| place.value.village.number()),
            category: case.categories.first().map(|category| {
                (
                    category.value.scheme,
                    category.value.kind.code(),
                    category.value.code,
                )
            }),
            words: case
                .words
                .first()
                .map(|words| words.value.clone())
                .unwrap_or_default(),
            units,
            reporter: case.workflow.reporter,
            conflicts: count(case.workflow.conflicts.len() + case.contested_fields().len()),
            anomalies: count(reading.anomalies.len()),
            opened_at,
            changed_at,
            ended_at: standing
                .filter(|standing| !standing.stage.is_open())
                .map(|_| changed_at),
        }
    }
}
