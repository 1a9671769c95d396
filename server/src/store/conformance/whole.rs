//! The examination of what is shown row by row to who looks whether it agrees: it is what the other questions answer.

use patrol_core::domain::id::{ChangeHash, DeviceId, EntryId, PersonId};
use patrol_core::domain::place::Scope;
use patrol_core::domain::time::Timestamp;
use patrol_core::sync::seal::Digest;
use patrol_core::sync::wire::Notice;

use super::{document, kept, look, part, village};
use crate::store::whole::{Counters, DocumentRow, Had, Member, NumberRow, Row, Visit, WholeScope};
use crate::store::{
    BatchRow, BoxedAs, BoxedChange, Commit, FateRow, Result, Snapshot, Store, Summary,
};

/// All rows of one kind, each of which can be read.
fn all<T>(store: &dyn Store, ask: impl Fn(&dyn Snapshot, Visit<'_, T>) -> Result<()>) -> Vec<T> {
    look(store, |snapshot| {
        let mut rows: Vec<Row<T>> = Vec::new();
        ask(snapshot, &mut |row| {
            rows.push(row);
            Ok(())
        })?;
        let rows: Row<Vec<T>> = rows.into_iter().collect();
        Ok(rows.expect("each can be read"))
    })
}

fn device() -> DeviceId {
    DeviceId([4; 8])
}

fn boxed() -> BoxedChange {
    BoxedChange {
        device: device(),
        document: document(1),
        hash: ChangeHash([1; 32]),
        body: vec![1],
        person: Some(PersonId([2; 8])),
        state: BoxedAs::Held,
        boxed_at: Timestamp(5),
        settled: None,
    }
}

fn batch() -> BatchRow {
    BatchRow {
        device: device(),
        n: (1, 2),
        leaves: vec![7; 64],
        signature: [8; 64],
        received_at: Timestamp(6),
    }
}

fn fate() -> FateRow {
    FateRow {
        device: device(),
        n: 1,
        entry: EntryId([9; 16]),
        fate: "ok".to_owned(),
    }
}

/// Two documents in one scope, one of which ended and has left by age; and a row in each log.
fn fill(store: &dyn Store, scope: Scope) {
    let ended = |ended_at| Summary {
        kind: "case".to_owned(),
        number: Some("2026-000001".to_owned()),
        numbers: vec!["2026-000001".to_owned(), "2026-000009".to_owned()],
        ended_at,
        ..Summary::default()
    };
    for (id, ended_at) in [(1, Some(Timestamp(3))), (2, None)] {
        let mut document = part(id, 0, &[id, id + 10], &[scope], u128::from(id));
        document.summary = ended(ended_at);
        let commit = Commit {
            documents: vec![document],
            ..Commit::default()
        };
        store.commit(&commit).expect("a document is kept");
    }
    let logs = Commit {
        batch: Some(batch()),
        fates: vec![fate()],
        boxed: vec![boxed()],
        notices: vec![(device(), Notice::ReEnrol)],
        ..Commit::default()
    };
    store.commit(&logs).expect("logs are kept");
    store
        .put_directory(&kept(&[1]), Timestamp(1))
        .expect("a directory is kept");
    let retired = store.retire(Timestamp(9), 9).expect("one has ended");
    assert_eq!(retired, 1);
}

pub(super) fn everything_is_shown_as_it_is_kept(store: &dyn Store) {
    let scope = village(0);
    let one_device = store
        .put_enrol_code([1; 32], PersonId([1; 8]), Timestamp(9))
        .and_then(|()| store.enrol([1; 32], [2; 32], [3; 32], Timestamp(5)))
        .expect("the store answers");
    fill(store, scope);
    let counters = look(store, |snapshot| snapshot.counters());
    let expected = Counters {
        commit: 3,
        device: 1,
    };
    assert_eq!(counters, Ok(expected));
    let ids = look(store, |snapshot| {
        let mut ids = Vec::new();
        snapshot.document_ids(&mut |id| {
            ids.push(id);
            Ok(())
        })?;
        Ok(ids)
    });
    assert_eq!(ids, [1, 2].map(|id| Ok(document(id))));
    let whole = |id| look(store, |snapshot| snapshot.whole_document(document(id)));
    for (id, joined) in [(1, 0), (2, 2)] {
        let (whole, known) = (
            whole(id),
            look(store, |snapshot| snapshot.document(document(id))),
        );
        let summary = look(store, |snapshot| snapshot.summary(document(id)));
        let summary = summary.expect("it is there");
        let row = DocumentRow {
            len: 2,
            digest: Digest(u128::from(id)),
            opened_by: Some(DeviceId([id; 8])),
            is_retired: joined == 0,
            found_by: summary.numbers.clone(),
            summary,
        };
        assert_eq!(whole.row, Ok(row));
        let numbered = known.map(|known| (0..).zip(known.changes).collect());
        assert_eq!(whole.changes.ok(), numbered);
        assert_eq!(whole.members, [(1, joined)]);
    }
    feeds(store, scope);
    assert_eq!(all(store, |at, visit| at.all_fates(visit)), [fate()]);
    let known = |n| look(store, |at| at.fate(device(), n, EntryId([9; 16])));
    assert_eq!((known(1).as_deref(), known(2)), (Some("ok"), None));
    assert_eq!(all(store, |at, visit| at.all_boxed(visit)), [(1, boxed())]);
    let batches = all(store, |at, visit| at.all_batches(visit));
    assert_eq!(batches, [(1, batch())]);
    let notices = all(store, |at, visit| at.all_notices(visit));
    assert_eq!(notices, [(device(), 1)]);
    let devices = all(store, |at, visit| at.all_devices(visit));
    assert_eq!(devices, Vec::from_iter(one_device));
    let directories = all(store, |at, visit| at.all_directories(visit));
    assert_eq!(directories, [(1, kept(&[1]))]);
}

fn feeds(store: &dyn Store, scope: Scope) {
    let row = look(store, |snapshot| snapshot.scope(scope)).expect("a scope that was joined");
    let whole = WholeScope {
        number: row.number,
        scope,
        head: row.head,
        digest: row.digest,
    };
    assert_eq!(all(store, |at, visit| at.all_scopes(visit)), [whole]);
    let feed = look(store, |snapshot| snapshot.feed(row.number, 0, 99));
    let whole = all(store, |at, visit| at.whole_feed(row.number, visit));
    assert_eq!((whole.len(), whole), (3, feed));
    let mut members = all(store, |at, visit| at.all_members(row.number, visit));
    members.sort_by_key(|member| member.document);
    let member = |id, joined| Member {
        document: document(id),
        joined,
        digest: Digest(u128::from(id)),
    };
    assert_eq!(members, [member(1, 0), member(2, 2)]);
    let number = |number: &str, id, had| NumberRow {
        number: number.to_owned(),
        document: document(id),
        had: Some(had),
    };
    let numbers = [
        number("2026-000001", 1, Had::Shown),
        number("2026-000001", 2, Had::Shown),
        number("2026-000009", 1, Had::Other),
        number("2026-000009", 2, Had::Other),
    ];
    assert_eq!(all(store, |at, visit| at.all_numbers(visit)), numbers);
}
