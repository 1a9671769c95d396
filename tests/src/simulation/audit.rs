//! What must hold when everybody has caught up: nothing lost, nothing doubled, all replicas equal, every feed sound.

use std::collections::{BTreeMap, BTreeSet};

use patrol_core::doc::compose::Content;
use patrol_core::doc::document;
use patrol_core::doc::parse::parse_admitted;
use patrol_core::domain::id::{Actor, ChangeHash, DocumentId, EntryId};
use patrol_core::store::{Store, boxes, changes, documents};
use patrol_server::app::App;
use patrol_server::check;
use patrol_server::grow::Growing;

use super::Simulation;
use super::faults::unsent;

/// The entry of a change's bytes.
pub fn entry_of(document: DocumentId, body: &[u8]) -> Option<EntryId> {
    parse_admitted(body)
        .ok()
        .and_then(|change| Content::of(&change))
        .and_then(|content| content.entry_id(document))
}

/// Entries on a phone, in whatever state: in documents, waiting, or in a box.
pub fn entries_on_phone(store: &Store) -> BTreeSet<EntryId> {
    let read = store.read(|connection| {
        let mut entries = BTreeSet::new();
        for id in documents::all(connection)? {
            let Some(state) = documents::state(connection, id)? else {
                continue;
            };
            for row in changes::of_document(connection, state.number)? {
                entries.extend(entry_of(id, &row.body));
            }
        }
        let boxed = boxes::all(connection)?.into_iter();
        entries.extend(boxed.filter_map(|change| change.entry));
        Ok(entries)
    });
    read.expect("a look")
}

/// What the server holds of a document.
pub(super) struct OnServer {
    pub(super) growing: Growing,
    /// It has not left its feeds by age.
    pub(super) is_in_feeds: bool,
    held: BTreeSet<EntryId>,
}

/// The entries that a server holds, admitted or for review, once every feed and document of it is found to be sound.
pub fn entries_of_sound(app: &App) -> Result<BTreeSet<EntryId>, String> {
    let server = on_server(app)?;
    is_sound(app, &server)?;
    let mut entries = BTreeSet::new();
    for of in server.values() {
        entries.extend(&of.held);
        let links = of.growing.ledger.links();
        entries.extend(links.iter().filter_map(|link| Some(link.entry.as_ref()?.0)));
    }
    Ok(entries)
}

/// The entries that stand in more than one change, and in how many.
pub fn entries_twice(app: &App) -> Result<Vec<(EntryId, usize)>, String> {
    let carriers = carriers(&on_server(app)?).into_iter();
    let times = carriers.map(|(entry, changes)| (entry, changes.len()));
    Ok(times.filter(|(_, times)| *times > 1).collect())
}

fn on_server(app: &App) -> Result<BTreeMap<DocumentId, OnServer>, String> {
    let mut server = BTreeMap::new();
    let read = app.store.read(&mut |snapshot| {
        let mut ids: BTreeSet<DocumentId> = snapshot.all_documents()?.into_iter().collect();
        let held = snapshot.held(0, usize::MAX >> 8)?;
        ids.extend(held.iter().map(|(_, change)| change.document));
        for id in ids {
            let held = snapshot.held_of(id)?;
            let held = held.iter().filter_map(|change| entry_of(id, &change.body));
            let of = OnServer {
                held: held.collect(),
                is_in_feeds: !snapshot.memberships(id)?.is_empty(),
                growing: Growing::load(snapshot, id)?,
            };
            server.insert(id, of);
        }
        Ok(())
    });
    read.map_err(|error| error.to_string())?;
    Ok(server)
}

/// Everything derived beside its sources, and every document by Automerge.
fn is_sound(app: &App, server: &BTreeMap<DocumentId, OnServer>) -> Result<(), String> {
    let report = check::check(app.store.as_ref()).map_err(|error| error.to_string())?;
    if let Some(finding) = report.findings.first() {
        return Err(finding.clone());
    }
    for (id, of) in server {
        match document::agrees_with_automerge(&of.growing.ledger) {
            Ok(true) => {}
            _ => return Err(format!("document {id} reads otherwise by Automerge")),
        }
    }
    Ok(())
}

impl Simulation {
    pub(super) fn audit(&mut self) -> Result<(), String> {
        if let Some(first) = self.coverage.disagreements().first() {
            return Err(format!("the two ends disagreed: {first}"));
        }
        if let Some(first) = &self.broken {
            return Err(first.clone());
        }
        let server = on_server(&self.world.app)?;
        self.nothing_is_carried_for_nothing()?;
        self.nothing_is_lost(&server)?;
        self.nothing_is_doubled(&server)?;
        self.replicas_are_equal(&server)?;
        self.no_number_is_missing()?;
        self.count_resends()?;
        self.phones_are_settled(&server)?;
        is_sound(&self.world.app, &server)?;
        self.revoked_phones_hand_in()?;
        let after = on_server(&self.world.app)?;
        self.nothing_is_lost(&after)?;
        self.nothing_is_doubled(&after)?;
        is_sound(&self.world.app, &after)?;
        for held in server.values() {
            let reading = held.growing.read();
            self.coverage.add_many(
                "conflict",
                reading.case.workflow.conflicts.len() + reading.case.contested_fields().len(),
            );
            self.coverage.add_many("anomaly", reading.anomalies.len());
        }
        Ok(())
    }

    fn nothing_is_lost(&self, server: &BTreeMap<DocumentId, OnServer>) -> Result<(), String> {
        let mut kept: BTreeSet<EntryId> = BTreeSet::new();
        for phone in &self.phones {
            kept.extend(unsent(phone.replica.store()));
        }
        kept.extend(self.saved_by_others());
        kept.extend(&self.turned_down);
        let places = carriers(server);
        for (entry, logged) in &self.logged {
            let is_held = server
                .get(&logged.document)
                .is_some_and(|held| held.held.contains(entry));
            if !places.contains_key(entry)
                && !is_held
                && !kept.contains(entry)
                && !self.gone.contains(entry)
            {
                return Err(format!(
                    "lost: entry {entry} of document {} (phone {:?})",
                    logged.document, logged.phone
                ));
            }
        }
        Ok(())
    }

    /// An entry stands in one change, unless a phone had a twin, or an older self, that handed it in too, or a phone made it again as
    /// another installation because the server had lost it, and a relic or a piece of a bundle has brought the first one back, or a review has
    /// released both because others build on them: then reading counts it once.
    fn nothing_is_doubled(&self, server: &BTreeMap<DocumentId, OnServer>) -> Result<(), String> {
        for (entry, carriers) in carriers(server) {
            let changes = carriers.len();
            let author = self.logged.get(&entry).and_then(|logged| logged.phone);
            let has_twin = author.is_some_and(|phone| self.twins.contains(&phone));
            let from_the_past = self.epochs > 0 && self.past.contains(&entry);
            let actors: BTreeSet<Actor> = carriers.iter().map(|(actor, _)| *actor).collect();
            let is_known = has_twin || from_the_past || self.twice.contains(&entry);
            if changes < 2 || is_known {
                continue;
            }
            let mut pushed = 0;
            for (actor, change) in &carriers {
                let is_pushed =
                    !self.brought.contains(change) && !self.is_released(*actor, *change)?;
                pushed += usize::from(is_pushed);
            }
            let brought_back = self.epochs > 0 && actors.len() == changes && pushed < 2;
            if !brought_back {
                return Err(format!(
                    "doubled: entry {entry} of phone {author:?}, {changes} times, epoch {}",
                    self.epochs
                ));
            }
        }
        Ok(())
    }

    /// Whether a review has released a change.
    fn is_released(&self, actor: Actor, change: ChangeHash) -> Result<bool, String> {
        let mut is_released = false;
        let look = self.world.app.store.read(&mut |snapshot| {
            let boxed = snapshot.boxed(actor.device(), change)?;
            let settled = boxed.and_then(|boxed| boxed.settled);
            is_released = settled.is_some_and(|settled| settled.released);
            Ok(())
        });
        look.map_err(|error| error.to_string())?;
        Ok(is_released)
    }

    fn replicas_are_equal(&self, server: &BTreeMap<DocumentId, OnServer>) -> Result<(), String> {
        for (number, phone) in self.phones.iter().enumerate() {
            if phone.is_revoked(&self.world.app) {
                continue;
            }
            let scopes = self
                .world
                .app
                .known()
                .directory
                .scopes_of(phone.person, self.world.clock.now());
            for (id, held) in server.iter().filter(|(_, held)| held.is_in_feeds) {
                let reading = held.growing.read();
                let is_due = reading
                    .case
                    .scopes
                    .iter()
                    .any(|scope| scopes.contains(scope));
                let view = phone.replica.case(*id);
                match (is_due, view) {
                    (true, Err(error)) => {
                        return Err(format!("phone {number} lacks document {id}: {error}"));
                    }
                    (true, Ok(view)) if view.sync.entries.is_empty() && view.reading != reading => {
                        return Err(format!("phone {number} reads document {id} otherwise"));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

/// The changes in which each entry stands, and their actors.
fn carriers(
    server: &BTreeMap<DocumentId, OnServer>,
) -> BTreeMap<EntryId, Vec<(Actor, ChangeHash)>> {
    let mut carriers = BTreeMap::<_, Vec<_>>::new();
    for held in server.values() {
        for link in held.growing.ledger.links() {
            if let Some((id, _)) = &link.entry {
                let carrier = (link.change.actor, link.change.hash);
                carriers.entry(*id).or_default().push(carrier);
            }
        }
    }
    carriers
}
