//! What an app shows: lists, a case, what of one's work is safe, and how the phone stands. Computed only from what is stored.

use super::{Known, Replica, load, safety};
use crate::doc::compose::Content;
use crate::doc::document::{self, Reading};
use crate::doc::parse::parse_admitted;
use crate::domain::action::Where;
use crate::domain::id::{DocumentId, EntryId, PersonId};
use crate::domain::offers::{self, Asker, Offer};
use crate::domain::tally;
use crate::domain::time::Timestamp;
use crate::error::{Error, Result};
use crate::store::boxes::{self, BoxState, BoxedChange};
use crate::store::changes::{self, ChangeRow, ChangeState};
use crate::store::documents::{self, ListRow};
use crate::store::{enrolment, feed};
use crate::sync::wire::Notice;

/// How safe something is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum SyncState {
    /// Durable on this phone.
    SavedHere,
    /// The server has it.
    Received,
    /// The server has it, and a person there will look.
    Held,
    /// It is part of the record.
    Applied,
    /// The server will not take it; it is kept here with the reason.
    Refused,
}

impl SyncState {
    /// How much there is still to lose or to do: a document shows the highest of its entries.
    pub(super) fn risk(self) -> u8 {
        match self {
            Self::Applied => 0,
            Self::Received => 1,
            Self::Held => 2,
            Self::SavedHere => 3,
            Self::Refused => 4,
        }
    }
}

/// How safe one document's work is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CaseSync {
    /// Each entry made on this phone that is not yet part of the record, and its state.
    pub entries: Vec<(EntryId, SyncState)>,
    /// What lies in the boxes, with reasons.
    pub boxed: Vec<BoxedChange>,
    /// The least safe of all; `Applied` when nothing is pending.
    pub state: SyncState,
}

/// One document, whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CaseView {
    /// The document.
    pub id: DocumentId,
    /// What lists show of it.
    pub row: ListRow,
    /// What it says.
    pub reading: Reading,
    /// What the person of this enrolment may do next.
    pub offers: Vec<Offer>,
    /// How safe its work is.
    pub sync: CaseSync,
}

/// How this phone stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeviceStatus {
    /// Whose enrolment it is.
    pub person: PersonId,
    /// The person's name.
    pub person_name: String,
    /// Changes without a fate.
    pub outbox: u64,
    /// Changes held for review.
    pub held: usize,
    /// Changes refused and not dismissed.
    pub refused: usize,
    /// End of the last complete round, by the server's clock.
    pub synced_at: Option<Timestamp>,
    /// Failed rounds in a row.
    pub failures: u32,
    /// Code of the last error.
    pub last_error: Option<String>,
    /// The highest entry counter allotted.
    pub n: u64,
}

impl Replica {
    /// Documents of a kind, the last changed first.
    pub fn list(&self, kind: &str, skip: usize, limit: usize) -> Result<Vec<ListRow>> {
        self.store
            .read(|connection| documents::list(connection, kind, skip, limit))
    }

    /// One document, whole.
    pub fn case(&self, id: DocumentId) -> Result<CaseView> {
        let known = self.known()?;
        self.mending(|| self.look_at(id, &known))
    }

    fn look_at(&self, id: DocumentId, known: &Known) -> Result<CaseView> {
        self.store.read(|connection| {
            let now = self.present(connection)?;
            let loaded = load::load(connection, id)?.ok_or(Error::NotFound)?;
            let row = documents::row(connection, id)?.ok_or(Error::NotFound)?;
            let reading = load::read(&loaded.ledger, &loaded.rows);
            let person = enrolment::enrolled(connection)?.person;
            let asker = Asker {
                person,
                holdings: &known.holdings,
                now,
                place: Where::Anywhere,
            };
            let scopes = document::scopes(&loaded.ledger).0;
            let offers = loaded
                .ledger
                .kind()
                .map(|kind| offers::offers(kind, &reading.lines, &scopes, asker));
            let sync = case_sync(connection, id, &loaded)?;
            Ok(CaseView {
                id,
                row,
                reading,
                offers: offers.unwrap_or_default(),
                sync,
            })
        })
    }

    /// The sums of a tally, by what was counted.
    pub fn tally(&self, id: DocumentId) -> Result<std::collections::BTreeMap<u64, i64>> {
        let look = || self.store.read(|connection| load::load(connection, id));
        let loaded = self.mending(look)?.ok_or(Error::NotFound)?;
        Ok(tally::sums(&load::read(&loaded.ledger, &loaded.rows).lines))
    }

    /// How this phone stands.
    pub fn status(&self) -> Result<DeviceStatus> {
        self.store.read(|connection| {
            let enrolment = enrolment::enrolled(connection)?;
            let state = enrolment::round_state(connection)?;
            let boxed = boxes::all(connection)?;
            let count =
                |state: BoxState| boxed.iter().filter(|change| change.state == state).count();
            Ok(DeviceStatus {
                person: enrolment.person,
                person_name: enrolment.person_name,
                outbox: changes::outbox_len(connection)?,
                held: count(BoxState::Held),
                refused: count(BoxState::Refused),
                synced_at: state.synced_at,
                failures: state.failures,
                last_error: state.last_error,
                n: enrolment::last_n(connection)?,
            })
        })
    }

    /// Everything in the boxes, newest first.
    pub fn boxed(&self) -> Result<Vec<BoxedChange>> {
        self.store.read(boxes::all)
    }

    /// The person has dealt with a refused change. It stays in the file. What is held waits for the office: `NotFound`.
    pub fn dismiss(&self, id: i64) -> Result<()> {
        if self
            .store
            .write(|transaction| boxes::dismiss(transaction, id))?
        {
            Ok(())
        } else {
            Err(Error::NotFound)
        }
    }

    /// Notices that the person has not seen.
    pub fn notices(&self) -> Result<Vec<(u64, Notice)>> {
        self.store.read(feed::notices)
    }

    /// The person has seen a notice.
    pub fn mark_notice_seen(&self, number: u64) -> Result<()> {
        self.store
            .write(|transaction| feed::mark_notice_seen(transaction, number))
    }

    /// Milliseconds to wait before the next round, after what happened in the last ones.
    pub fn next_round_in_ms(&self, retry_after_ms: Option<u64>) -> Result<u64> {
        let failures = self.store.read(enrolment::round_state)?.failures;
        Ok(crate::sync::backoff::delay_ms(
            failures,
            u64::from_be_bytes(self.random()),
            retry_after_ms,
        ))
    }
}

fn case_sync(
    connection: &rusqlite::Connection,
    id: DocumentId,
    loaded: &load::Loaded,
) -> Result<CaseSync> {
    // What follows a held change is not in the ledger.
    let entry_of = |row: &ChangeRow| {
        let change = parse_admitted(&row.body).ok()?;
        Content::of(&change)?.entry_id(id)
    };
    let rows = loaded.rows.iter();
    let waiting = rows
        .filter(|row| row.state != ChangeState::Placed)
        .map(|row| (entry_of(row), safety::of_change(row.state)));
    let boxed = boxes::of_document(connection, id)?;
    let in_boxes = boxed
        .iter()
        .map(|change| (change.entry, safety::of_box(change.state)));
    let all: Vec<_> = waiting.chain(in_boxes).collect();
    // Of what nobody can read any more the entry is not known.
    let entries = all
        .iter()
        .filter_map(|(entry, state)| Some(((*entry)?, *state)));
    let state = safety::least(all.iter().map(|(_, state)| *state));
    Ok(CaseSync {
        entries: entries.collect(),
        boxed,
        state,
    })
}
