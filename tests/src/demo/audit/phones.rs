//! What the phones' files hold, opened again from the disk, and whether it is what the server holds.

use std::collections::{BTreeMap, BTreeSet};

use patrol_core::doc::document;
use patrol_core::domain::id::{ChangeHash, DocumentId, EntryId};
use patrol_core::domain::place::Scope;
use patrol_core::error::Result;
use patrol_core::replica::Replica;
use patrol_core::store::boxes::{self, BoxState};
use patrol_core::store::{Store, changes, documents};
use patrol_core::sync::wire::Notice;
use patrol_server::grow::Growing;

use super::super::phone::PhoneFile;
use super::OnServer;
use crate::simulation::audit::entry_of;

/// Changes of an outbox that are looked at.
const OUTBOX_MAX: usize = 1_000_000;
/// Why the story's changes may be refused: a forged app, what rested on its deed, a review that ended so. Anything else was allowed
/// by the phone's own checks, and the two ends disagree.
const EXPECTED: [&str; 3] = ["office_only", "quarantined", "reviewed_away"];

/// What the files hold.
#[derive(Debug, Default)]
pub(in super::super) struct OnPhones {
    /// Entries that wait in an outbox.
    pub(super) outbox: BTreeSet<EntryId>,
    /// Entries in a box.
    pub(super) boxed: BTreeSet<EntryId>,
    /// Changes that the server refused, by code; those of a copied phone once.
    pub(super) refusals: BTreeMap<String, usize>,
    /// Phones that were told that they live twice.
    pub(super) told_to_enrol: usize,
    /// Documents compared, over all phones.
    pub(super) compared: usize,
    /// What differs, in words.
    pub(super) differences: Vec<String>,
    /// Files that cannot be read.
    pub(super) faults: Vec<String>,
    counted: BTreeSet<ChangeHash>,
}

impl OnPhones {
    /// Opens one phone's file.
    pub(super) fn look_into(
        &mut self,
        file: &PhoneFile,
        server: &OnServer,
        scopes: &BTreeSet<Scope>,
    ) {
        let opened = Replica::open(&file.path, file.machine.clone());
        let replica = match opened {
            Ok((replica, None)) => replica,
            Ok((_, Some(_))) => return self.faults.push(format!("{}: damaged", file.name)),
            Err(error) => return self.faults.push(format!("{}: {error}", file.name)),
        };
        if let Err(error) = self.collect(&replica) {
            self.faults.push(format!("{}: {error}", file.name));
        }
        if file.is_revoked {
            return;
        }
        for (id, growing) in &server.documents {
            let reading = growing.read();
            if !reading
                .case
                .scopes
                .iter()
                .any(|scope| scopes.contains(scope))
            {
                continue;
            }
            self.compared += 1;
            if let Some(difference) = difference(&replica, *id, growing) {
                let difference = format!("{}, document {id}: {difference}", file.name);
                self.differences.push(difference);
            }
        }
    }

    fn collect(&mut self, replica: &Replica) -> Result<()> {
        let (waiting, boxed) = replica.store().read(|connection| {
            let mut waiting = Vec::new();
            for change in changes::outbox(connection, 0, OUTBOX_MAX)? {
                let body = changes::body(connection, change.document, change.hash)?;
                waiting.extend(entry_of(change.document, &body.unwrap_or_default()));
            }
            Ok((waiting, boxes::all(connection)?))
        })?;
        self.outbox.extend(waiting);
        for change in boxed {
            self.boxed.extend(change.entry);
            if change.state != BoxState::Refused || !self.counted.insert(change.hash) {
                continue;
            }
            if !EXPECTED.contains(&change.code.as_str()) {
                let (id, code, n) = (change.document, &change.code, change.n);
                let fault = format!("document {id}: n {n:?} of an honest phone is {code}");
                self.faults.push(fault);
            }
            *self.refusals.entry(change.code).or_default() += 1;
        }
        let notices = replica.notices()?;
        let is_told = notices.iter().any(|(_, notice)| *notice == Notice::ReEnrol);
        self.told_to_enrol += usize::from(is_told);
        Ok(())
    }
}

/// How a phone's document differs from the server's; none if it does not.
fn difference(replica: &Replica, id: DocumentId, growing: &Growing) -> Option<&'static str> {
    match heads(replica.store(), id) {
        Ok(Some(heads)) if heads == growing.ledger.head_hashes() => {}
        Ok(Some(_)) => return Some("other heads"),
        Ok(None) => return Some("not here"),
        Err(_) => return Some("unreadable"),
    }
    let Ok(view) = replica.case(id) else {
        return Some("unreadable");
    };
    let reading = growing.read();
    let times = |lines: &[patrol_core::domain::entry::Line]| {
        let mut times: Vec<_> = lines
            .iter()
            .map(|line| (line.id, line.received_at))
            .collect();
        times.sort_unstable();
        times
    };
    if times(&view.reading.lines) != times(&reading.lines) {
        return Some("other receipt times");
    }
    (view.reading != reading).then_some("reads otherwise")
}

/// The heads of a document as the file holds it; none if it is not there.
fn heads(store: &Store, id: DocumentId) -> Result<Option<Vec<ChangeHash>>> {
    store.read(|connection| {
        let Some(state) = documents::state(connection, id)? else {
            return Ok(None);
        };
        let rows = changes::of_document(connection, state.number)?;
        let part = rows
            .iter()
            .filter(|row| row.state != changes::ChangeState::Following)
            .map(|row| row.body.as_slice());
        let ledger = document::load(id, part);
        Ok(ledger.ok().map(|ledger| ledger.head_hashes()))
    })
}
