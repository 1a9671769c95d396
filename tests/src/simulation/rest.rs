//! What must hold on a phone at rest: its sums are the server's, nothing waits without a reason, and it holds nothing that it has no
//! business with.

use std::collections::{BTreeMap, BTreeSet};

use patrol_core::doc::document;
use patrol_core::doc::parse::parse_admitted;
use patrol_core::domain::id::{ChangeHash, DeviceId, DocumentId};
use patrol_core::store::boxes::{self, BoxState};
use patrol_core::store::{changes, documents, feed};
use patrol_core::sync::wire::Fate;
use rusqlite::OptionalExtension as _;

use super::Simulation;
use super::audit::OnServer;
use crate::pushing::push;
use crate::world::Phone;

/// Every document here stands in the index of the search, and nothing else.
fn finds_what_is_here(phone: &Phone) -> Option<String> {
    let sql = "SELECT (SELECT count(*) FROM documents), (SELECT count(*) FROM search),
                      (SELECT count(*) FROM documents WHERE no IN (SELECT rowid FROM search))";
    let count = |connection: &rusqlite::Connection| {
        let row = connection.query_row(sql, [], |row| {
            Ok([row.get::<_, u32>(0)?, row.get(1)?, row.get(2)?])
        });
        Ok(row?)
    };
    let [here, indexed, both] = phone.replica.store().read(count).expect("a look");
    (here != indexed || here != both).then(|| format!("{here} documents, {indexed} in the index"))
}

/// What is held here is held at the server: whatever has become of the rest has been heard.
fn holds_what_was_settled(phone: &Phone, held: &BTreeSet<ChangeHash>) -> Option<String> {
    let boxed = phone.replica.store().read(boxes::all).expect("a look");
    let mut here = boxed.iter().filter(|row| row.state == BoxState::Held);
    let settled = here.find(|row| !held.contains(&row.hash))?;
    let (hash, document) = (settled.hash, settled.document);
    Some(format!(
        "change {hash} of document {document} is held here alone"
    ))
}

/// Of a document that pages bring here, everything that is with the server has come.
fn waits_for_what_will_not_come(phone: &Phone) -> Option<String> {
    let sql = "SELECT hex(hash), hex(documents.id) FROM (
                   SELECT hash, document FROM boxed WHERE state = 'released' AND dismissed = 0
                   UNION SELECT hash, (SELECT id FROM documents WHERE no = document) FROM changes WHERE state = 1
               ) AS waiting JOIN documents ON documents.id = waiting.document
               WHERE EXISTS (SELECT 1 FROM members WHERE members.document = documents.no)";
    let first = |connection: &rusqlite::Connection| {
        let row = connection.query_row(sql, [], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
        });
        Ok(row.optional()?)
    };
    let (hash, document) = phone.replica.store().read(first).expect("a look")?;
    Some(format!(
        "change {hash} of document {document} is with the server, and has not come"
    ))
}

impl Simulation {
    fn held_at_the_server(&self) -> BTreeSet<ChangeHash> {
        let mut hashes = BTreeSet::new();
        let read = self.world.app.store.read(&mut |snapshot| {
            let held = snapshot.held(0, usize::MAX >> 8)?;
            hashes = held.into_iter().map(|(_, row)| row.hash).collect();
            Ok(())
        });
        read.expect("the server answers");
        hashes
    }

    pub(super) fn phones_are_settled(
        &self,
        server: &BTreeMap<DocumentId, OnServer>,
    ) -> Result<(), String> {
        let held = self.held_at_the_server();
        for (number, phone) in self.phones.iter().enumerate() {
            if phone.is_revoked(&self.world.app) {
                continue;
            }
            let what = self
                .sums_differ(phone)
                .or_else(|| self.waits_for_nothing(phone, server))
                .or_else(|| finds_what_is_here(phone))
                .or_else(|| holds_what_was_settled(phone, &held))
                .or_else(|| waits_for_what_will_not_come(phone))
                .or_else(|| self.holds_what_is_not_his(phone, server));
            if let Some(what) = what {
                return Err(format!("phone {number}: {what}"));
            }
        }
        Ok(())
    }

    /// I7: the digest of each scope, kept incrementally here, is the server's.
    fn sums_differ(&self, phone: &Phone) -> Option<String> {
        let own = phone.replica.store().read(feed::scopes).ok()?;
        let mut differs = None;
        let read = self.world.app.store.read(&mut |snapshot| {
            for state in &own {
                let theirs = snapshot.scope(state.scope)?.map(|row| row.digest);
                if theirs != Some(state.digest) || state.mismatches > 0 {
                    differs = Some(format!("the sums of {:?} differ", state.scope));
                }
            }
            Ok(())
        });
        read.ok()?;
        differs
    }

    /// I9: what is still in the outbox was told to wait.
    fn waits_for_nothing(
        &self,
        phone: &Phone,
        server: &BTreeMap<DocumentId, OnServer>,
    ) -> Option<String> {
        let unsent = phone
            .replica
            .store()
            .read(|connection| changes::outbox(connection, 0, 10_000));
        unsent.expect("a look").into_iter().find_map(|idle| {
            if self.of_next_year.contains(&idle.document) {
                return None;
            }
            let body = phone
                .replica
                .store()
                .read(|connection| changes::body(connection, idle.document, idle.hash));
            let item = (idle.document, body.ok()??);
            let fate = push(&self.world.app, phone, &[item]);
            let is_unseen = matches!(fate.as_deref(), Ok([Fate::Missing(_)]));
            if is_unseen && self.is_not_his_any_more(phone, idle.document, server) {
                return None;
            }
            Some(format!(
                "change {} ({:?}) of document {} still waits: {fate:?}",
                idle.hash, idle.state, idle.document,
            ))
        })
    }

    /// A new epoch has another history of the document, in which it was never in a scope of the person's: the one that had brought it here
    /// has lost its place to that of a copied phone. Work on it waits until the document is his again (`protocol.md`, *No leak*).
    fn is_not_his_any_more(
        &self,
        phone: &Phone,
        id: DocumentId,
        server: &BTreeMap<DocumentId, OnServer>,
    ) -> bool {
        let Some(of) = server.get(&id) else {
            return false;
        };
        let (now, known) = (self.world.clock.now(), self.world.app.known());
        let ever_his = known.directory.scopes_until(phone.person, now);
        let (current, former) = document::scopes(&of.growing.ledger);
        let is_hidden = !current
            .iter()
            .chain(&former)
            .any(|scope| ever_his.contains(scope));
        let boxed = phone
            .replica
            .store()
            .read(|connection| boxes::of_document(connection, id));
        let twins: BTreeSet<DeviceId> = self
            .twins
            .iter()
            .map(|twin| self.phones[*twin].device())
            .collect();
        let has_lost_its_place = boxed.expect("a look").iter().any(|change| {
            let is_twins = parse_admitted(&change.body)
                .is_ok_and(|change| twins.contains(&change.actor.device()));
            is_twins && of.growing.ledger.places_of(&[change.hash]).is_err()
        });
        self.epochs > 0 && is_hidden && has_lost_its_place
    }

    /// I10, and eviction: every document here is in a scope of the person's, or holds work that is not settled.
    fn holds_what_is_not_his(
        &self,
        phone: &Phone,
        server: &BTreeMap<DocumentId, OnServer>,
    ) -> Option<String> {
        let now = self.world.clock.now();
        let known = self.world.app.known();
        let scopes = known.directory.scopes_of(phone.person, now);
        let store = phone.replica.store();
        let here = store.read(documents::all).ok()?;
        let busy: BTreeSet<DocumentId> = store
            .read(|connection| {
                let mut busy: BTreeSet<DocumentId> = BTreeSet::new();
                let unsent = changes::outbox(connection, 0, 10_000)?;
                busy.extend(unsent.into_iter().map(|change| change.document));
                busy.extend(
                    boxes::all(connection)?
                        .into_iter()
                        .map(|boxed| boxed.document),
                );
                Ok(busy)
            })
            .ok()?;
        let is_his = |id: &DocumentId| {
            let scopes_now = server.get(id).map(|of| of.growing.read().case.scopes);
            scopes_now
                .unwrap_or_default()
                .iter()
                .any(|scope| scopes.contains(scope))
        };
        let foreign = here
            .into_iter()
            .find(|id| !busy.contains(id) && !is_his(id))?;
        Some(format!("it holds document {foreign}, which is not his"))
    }
}
