//! What of one's work is safe, for lists and for the boxes. It loads no document and decides nothing.

use super::Replica;
use super::views::SyncState;
use crate::doc::key::Key;
use crate::doc::register::FieldValue;
use crate::doc::{entry, parse};
use crate::domain::entry::Entry;
use crate::domain::id::DocumentId;
use crate::error::Result;
use crate::store::boxes::{self, BoxState, BoxedChange};
use crate::store::changes::{self, ChangeState};

/// What a boxed change would have said, so that a person can do it again another way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BoxedDeed {
    /// The entry.
    pub entry: Entry,
    /// The registers beside it.
    pub fields: Vec<FieldValue>,
}

impl BoxedDeed {
    /// Reads a boxed change; none where this program cannot.
    pub fn of(change: &BoxedChange) -> Option<Self> {
        let parsed = parse::parse_admitted(&change.body).ok()?;
        let mut deed = None;
        let mut fields = Vec::new();
        for put in &parsed.puts {
            match put.key {
                Key::Entry(_) => deed = entry::decode(&put.value).ok(),
                Key::Field(field) => fields.extend(FieldValue::decode(field, &put.value)),
                Key::Server(_) | Key::Other(_) => {}
            }
        }
        deed.map(|entry| Self { entry, fields })
    }
}

impl Replica {
    /// How safe the work in each of these documents is: the least safe of its entries.
    pub fn safety(&self, documents: &[DocumentId]) -> Result<Vec<SyncState>> {
        self.store.read(|connection| {
            documents
                .iter()
                .map(|document| {
                    let states = changes::states_of(connection, *document)?;
                    let boxed = boxes::of_document(connection, *document)?;
                    let all = states
                        .into_iter()
                        .map(of_change)
                        .chain(boxed.iter().map(|change| of_box(change.state)));
                    Ok(least(all))
                })
                .collect()
        })
    }
}

/// The least safe of all; `Applied` when nothing is pending.
pub(super) fn least(all: impl Iterator<Item = SyncState>) -> SyncState {
    all.max_by_key(|state| state.risk())
        .unwrap_or(SyncState::Applied)
}

/// How safe a change of the document is.
pub(super) fn of_change(state: ChangeState) -> SyncState {
    match state {
        ChangeState::Placed => SyncState::Applied,
        ChangeState::Acknowledged => SyncState::Received,
        ChangeState::Unsent => SyncState::SavedHere,
        ChangeState::Following => SyncState::Held,
    }
}

/// How safe a change in a box is.
pub(super) fn of_box(state: BoxState) -> SyncState {
    match state {
        BoxState::Refused => SyncState::Refused,
        BoxState::Held => SyncState::Held,
        BoxState::Released => SyncState::Received,
    }
}
