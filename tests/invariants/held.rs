//! What is on a phone, as plain text for comparing, and what a server says should be.

use std::collections::{BTreeMap, BTreeSet};

use patrol_core::domain::id::{DeviceId, DocumentId, EntryId};
use patrol_core::store::{Store, boxes, changes, documents, feed};
use patrol_core::sync::wire::Cursor;
use patrol_server::app::App;
use patrol_server::grow::Growing;
use patrol_server::store::{FeedEvent, Snapshot, Store as ServerStore};
use patrol_tests::simulation::audit;
use patrol_tests::world::Phone;
use rusqlite::Connection;

fn column(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(sql).expect("a statement");
    let rows = statement.query_map([], |row| row.get(0)).expect("rows");
    rows.collect::<rusqlite::Result<_>>().expect("text")
}

/// Everything that came from the server, byte for byte: changes at their places, memberships, cursors, sums, list rows.
pub(super) fn dump(store: &Store) -> Vec<String> {
    const QUERIES: [&str; 4] = [
        "SELECT 'change ' || hex(id) || ' ' || place || ' ' || hex(hash) || ' ' || state || ' ' || coalesce(received_at, '')
           FROM changes JOIN documents ON no = document ORDER BY 1",
        "SELECT 'member ' || scope || ' ' || hex(id) FROM members JOIN documents ON no = document ORDER BY 1",
        "SELECT 'cursor ' || scope || ' ' || kind || ' ' || id || ' ' || position || ' ' || coalesce(before, 'tail') || ' ' || hex(digest)
           FROM cursors ORDER BY 1",
        "SELECT 'row ' || hex(id) || stage || ' ' || coalesce(number, '') || words || conflicts || ' ' || changed_at || ' ' || placed || ' ' || hex(digest)
           FROM documents ORDER BY 1",
    ];
    let read = store.read(|connection| {
        Ok(QUERIES
            .iter()
            .flat_map(|sql| column(connection, sql))
            .collect())
    });
    read.expect("a look")
}

/// What a person would see: of each document its lines, stage and words; what lies in boxes; what waits.
pub(super) fn shown(phone: &Phone) -> Vec<String> {
    let store = phone.replica.store();
    let mut shown = Vec::new();
    for id in store.read(documents::all).expect("a look") {
        let Ok(view) = phone.replica.case(id) else {
            shown.push(format!("{id} cannot be opened"));
            continue;
        };
        let lines: BTreeSet<String> = view
            .reading
            .lines
            .iter()
            .map(|line| format!("{} {:?}", line.id, line.received_at))
            .collect();
        let words: BTreeSet<&String> = view
            .reading
            .case
            .words
            .iter()
            .map(|written| &written.value)
            .collect();
        shown.push(format!("{id} {} {words:?} {lines:?}", view.row.stage));
    }
    let boxed = store.read(boxes::all).expect("a look");
    shown.extend(
        boxed
            .iter()
            .map(|change| format!("box {:?} {:?} {}", change.entry, change.state, change.code)),
    );
    shown.extend(waiting(store).iter().map(|entry| format!("waits {entry}")));
    shown.sort();
    shown
}

/// Entries in the outbox.
fn waiting(store: &Store) -> BTreeSet<EntryId> {
    let read = store.read(|connection| {
        let mut entries = BTreeSet::new();
        for change in changes::outbox(connection, 0, 10_000)? {
            let body = changes::body(connection, change.document, change.hash)?.unwrap_or_default();
            entries.extend(audit::entry_of(change.document, &body));
        }
        Ok(entries)
    });
    read.expect("a look")
}

/// Documents of which a phone's cursors say that more of them is here than is.
pub(super) fn promised_and_not_here(store: &Store, app: &App) -> Vec<String> {
    let scopes = store.read(feed::scopes).expect("a look");
    let mut missing = Vec::new();
    app.store
        .read(&mut |snapshot| {
            for scope in &scopes {
                let (position, before) = match scope.cursor {
                    Cursor::Tail(seq) => (seq, None),
                    Cursor::Boot { as_of, before } => (as_of, Some(before)),
                };
                for (id, len) in promised(snapshot, scope.number, position, before)? {
                    let state = store.read(|connection| documents::state(connection, id));
                    let here = state.expect("a look").map_or(0, |state| state.placed);
                    if here < len {
                        missing.push(format!(
                            "{:?} promises {len} changes of {id}; {here} are here",
                            scope.scope
                        ));
                    }
                }
            }
            Ok(())
        })
        .expect("the store answers");
    missing
}

/// How much of each member a cursor says is here.
fn promised(
    snapshot: &dyn Snapshot,
    number: u64,
    position: u64,
    before: Option<u64>,
) -> patrol_server::store::Result<BTreeMap<DocumentId, u64>> {
    let mut members: BTreeMap<DocumentId, u64> = BTreeMap::new();
    for row in snapshot.feed(number, 0, usize::MAX >> 8)? {
        if row.seq > position {
            break;
        }
        match row.event {
            FeedEvent::Join(ordinal) | FeedEvent::Change(ordinal) => {
                members.insert(row.document, ordinal + 1);
            }
            FeedEvent::Leave => drop(members.remove(&row.document)),
        }
    }
    if let Some(before) = before {
        let mut listed = BTreeMap::new();
        for (id, len) in members {
            let joined = snapshot.memberships(id)?;
            if joined
                .iter()
                .any(|(of, row)| *of == number && *row >= before)
            {
                listed.insert(id, len);
            }
        }
        return Ok(listed);
    }
    Ok(members)
}

/// Where an entry is on a phone, for messages.
pub(super) fn whereabouts(store: &Store, entry: EntryId) -> String {
    let read = store.read(|connection| {
        for id in documents::all(connection)? {
            let Some(state) = documents::state(connection, id)? else {
                continue;
            };
            for row in changes::of_document(connection, state.number)? {
                if audit::entry_of(id, &row.body) == Some(entry) {
                    return Ok(format!("{:?} in document {id}", row.state));
                }
            }
        }
        let boxed = boxes::all(connection)?
            .into_iter()
            .find(|boxed| boxed.entry == Some(entry));
        Ok(boxed.map_or("nowhere".to_owned(), |boxed| {
            format!(
                "boxed {:?} {} of document {}",
                boxed.state, boxed.code, boxed.document
            )
        }))
    });
    read.expect("a look")
}

/// The entries of a device's that a server holds, admitted or for review.
pub(super) fn of_device(server: &dyn ServerStore, device: DeviceId) -> BTreeSet<EntryId> {
    let mut found = BTreeSet::new();
    server
        .read(&mut |snapshot| {
            for id in snapshot.all_documents()? {
                let growing = Growing::load(snapshot, id)?;
                let entries = growing
                    .ledger
                    .links()
                    .iter()
                    .filter_map(|link| link.entry.as_ref());
                found.extend(
                    entries
                        .filter(|(_, entry)| entry.device == device)
                        .map(|(id, _)| *id),
                );
            }
            Ok(())
        })
        .expect("the store answers");
    found
}
