//! What must hold in the end, against the log and nothing else: nothing lost, nothing doubled, every phone equal to the server.
//!
//! *Lost*: logged, but neither on the server, nor held there, nor in an outbox or box of a phone. *Doubled*: a logged entry that is more
//! than once on the server, or one deed (author and key) as two entries. *Equal*: heads, folded case and receipt times of every
//! document in the phone's scopes, read from the phone's file as it lies on the disk.

mod phones;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};

use patrol_core::domain::action::{Action, DocumentKind};
use patrol_core::domain::id::{DocumentId, EntryId};
use patrol_server::app::App;
use patrol_server::grow::Growing;
use patrol_server::store::{Snapshot, StoreError};

use super::city::City;
use super::log::Logged;
use super::phone::PhoneFile;
use crate::simulation::audit::entry_of;
use phones::OnPhones;
pub use verdict::{Audit, Demands};

/// What the server holds.
#[derive(Debug, Default)]
pub(super) struct OnServer {
    /// Documents that it has admitted something of.
    pub(super) documents: BTreeMap<DocumentId, Growing>,
    /// Entries in changes that are held for review.
    held: BTreeSet<EntryId>,
    held_changes: usize,
}

impl OnServer {
    fn read(app: &App) -> Result<Self, StoreError> {
        let mut server = Self::default();
        app.store.read(&mut |snapshot| {
            server = Self::of(snapshot)?;
            Ok(())
        })?;
        Ok(server)
    }

    fn of(snapshot: &dyn Snapshot) -> Result<Self, StoreError> {
        let mut server = Self::default();
        for id in snapshot.all_documents()? {
            let growing = Growing::load(snapshot, id)?;
            if !growing.is_empty() {
                server.documents.insert(id, growing);
            }
        }
        for (_, change) in snapshot.held(0, 1_000_000)? {
            server.held_changes += 1;
            server.held.extend(entry_of(change.document, &change.body));
        }
        Ok(server)
    }

    /// How many changes carry each entry.
    fn carriers(&self) -> BTreeMap<EntryId, usize> {
        let mut carriers = BTreeMap::new();
        for growing in self.documents.values() {
            for link in growing.ledger.links() {
                if let Some((id, _)) = &link.entry {
                    *carriers.entry(*id).or_default() += 1;
                }
            }
        }
        carriers
    }

    /// Deeds, by author and key, that are more than one entry: how many entries too many.
    fn repeated_deeds(&self) -> usize {
        let mut deeds: BTreeMap<_, BTreeSet<EntryId>> = BTreeMap::new();
        for growing in self.documents.values() {
            for (id, entry) in growing
                .ledger
                .links()
                .iter()
                .filter_map(|link| link.entry.as_ref())
            {
                if let Some(key) = &entry.key {
                    deeds
                        .entry((entry.person, key.clone()))
                        .or_default()
                        .insert(*id);
                }
            }
        }
        deeds.values().map(|entries| entries.len() - 1).sum()
    }

    fn count(&self, kind: DocumentKind) -> usize {
        let of_kind = |growing: &&Growing| growing.ledger.kind() == Some(kind);
        self.documents.values().filter(of_kind).count()
    }

    /// Cases by stage, conflicts that are open, and conflicts that somebody has settled.
    fn standings(&self) -> (BTreeMap<&'static str, usize>, usize, usize) {
        let (mut stages, mut open, mut settled) = (BTreeMap::new(), 0, 0);
        for growing in self.documents.values() {
            let reading = growing.read();
            let case = &reading.case;
            if let Some(standing) = case.workflow.standing {
                *stages.entry(standing.stage.word()).or_default() += 1;
            }
            open += case.workflow.conflicts.len() + case.contested_fields().len();
            let misfits: BTreeSet<EntryId> = reading
                .anomalies
                .iter()
                .map(|anomaly| anomaly.entry)
                .collect();
            let settles = reading.lines.iter().filter(|line| {
                line.entry.action() == Some(Action::Reconcile) && !misfits.contains(&line.id)
            });
            settled += settles.count();
        }
        (stages, open, settled)
    }
}

/// Where a logged entry is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Whereabouts {
    Server,
    HeldThere,
    Outbox,
    Box,
    Nowhere,
}

/// Audits a run whose phones are closed.
pub(super) fn audit(city: &City, files: &[PhoneFile]) -> Audit {
    let mut audit = Audit::new(city);
    let server = match OnServer::read(&city.served.app) {
        Ok(server) => server,
        Err(error) => {
            audit
                .faults
                .push(format!("the server's store cannot be read: {error}"));
            return audit;
        }
    };
    let known = city.served.app.known();
    let now = city.clock.now();
    let mut on_phones = OnPhones::default();
    for file in files {
        let scopes = known.directory.scopes_of(file.person, now);
        on_phones.look_into(file, &server, &scopes);
    }
    let carriers = server.carriers();
    let log = city.log.all();
    account_for(&mut audit, &log, &server, &carriers, &on_phones);
    let logged: BTreeSet<EntryId> = log.iter().map(|logged| logged.entry).collect();
    let twice: usize = logged
        .iter()
        .filter_map(|entry| carriers.get(entry))
        .map(|times| times - 1)
        .sum();
    audit.doubled = twice + server.repeated_deeds();
    audit.cases = server.count(DocumentKind::Case);
    audit.tallies = server.count(DocumentKind::Tally);
    let (stages, open, settled) = server.standings();
    audit.stages = stages;
    audit.conflicts_open = open;
    audit.conflicts_settled = settled;
    audit.conflicts = open + settled;
    audit.reviews_open = server.held_changes;
    audit.reviews = audit.reviews_open as u64 + audit.reviews_released + audit.reviews_refused;
    audit.phones = files.len();
    audit.take_in(on_phones);
    audit
}

/// Finds every logged entry.
fn account_for(
    audit: &mut Audit,
    log: &[Logged],
    server: &OnServer,
    carriers: &BTreeMap<EntryId, usize>,
    on_phones: &OnPhones,
) {
    for logged in log {
        let entry = &logged.entry;
        let whereabouts = if carriers.contains_key(entry) {
            Whereabouts::Server
        } else if server.held.contains(entry) {
            Whereabouts::HeldThere
        } else if on_phones.outbox.contains(entry) {
            Whereabouts::Outbox
        } else if on_phones.boxed.contains(entry) {
            Whereabouts::Box
        } else {
            Whereabouts::Nowhere
        };
        match whereabouts {
            Whereabouts::Server => audit.received += 1,
            Whereabouts::HeldThere => audit.held += 1,
            Whereabouts::Outbox => audit.in_outbox += 1,
            Whereabouts::Box => audit.in_box += 1,
            Whereabouts::Nowhere => {
                audit.lost += 1;
                audit.faults.push(format!("lost: {logged:?}"));
            }
        }
    }
}
