//! What the contract says of feeds, digests and commits.

use patrol_core::domain::id::DeviceId;
use patrol_core::domain::limits;
use patrol_core::domain::time::Timestamp;
use patrol_core::sync::seal::Digest;

use super::super::{
    BatchRow, CaseQuery, Commit, FeedEvent, Result, Snapshot, Store, StoreError, StoredChange,
};
use super::{change, commit, document, events, look, part, village};

pub(super) fn a_scope_feed_has_no_gap_and_says_what_happened(store: &dyn Store) {
    let (a, b) = (village(0), village(1));
    assert_eq!(
        commit(store, vec![part(1, 0, &[1, 2], &[a], 5)]).expect("a first commit"),
        [0]
    );
    assert_eq!(
        commit(store, vec![part(1, 2, &[3], &[a, b], 6)]).expect("a second"),
        [2]
    );
    commit(store, vec![part(1, 3, &[4], &[b], 7)]).expect("a third");
    let one = document(1);
    let expected = [
        (1, one, FeedEvent::Join(1)),
        (2, one, FeedEvent::Change(2)),
        (3, one, FeedEvent::Leave),
    ];
    assert_eq!(events(store, a), expected);
    assert_eq!(
        events(store, b),
        [(1, one, FeedEvent::Join(2)), (2, one, FeedEvent::Change(3))]
    );
    let stored = look(store, |snapshot| snapshot.document(one)).expect("the document is there");
    let came = |number, commit| StoredChange {
        commit,
        ..change(number)
    };
    assert_eq!(
        stored.changes,
        [came(1, 1), came(2, 1), came(3, 2), came(4, 3)]
    );
}

pub(super) fn a_feed_says_which_write_it_has_told_whole(store: &dyn Store) {
    let a = village(0);
    commit(store, vec![part(1, 0, &[1], &[a], 5)]).expect("a first commit");
    commit(
        store,
        vec![part(1, 1, &[2, 3], &[a], 6), part(2, 0, &[4], &[a], 1)],
    )
    .expect("three rows in one write");
    let number = look(store, |snapshot| snapshot.scope(a)).map_or(0, |row| row.number);
    let through = |seq| look(store, |snapshot| snapshot.commit_through(number, seq));
    assert_eq!(
        [0, 1, 2, 3, 4, 5].map(through),
        [None, Some(1), Some(1), Some(1), Some(2), None]
    );
    assert_eq!(look(store, |snapshot| snapshot.commit_through(99, 1)), None);
    let in_part = |seq| {
        let rows = look(store, |snapshot| snapshot.told_in_part(number, seq));
        rows.iter().map(|row| row.seq).collect::<Vec<_>>()
    };
    let expected: [&[u64]; 6] = [&[], &[], &[2], &[3, 2], &[], &[]];
    assert_eq!([0, 1, 2, 3, 4, 5].map(in_part), expected);
    assert_eq!(look(store, |snapshot| snapshot.told_in_part(99, 1)), []);
}

pub(super) fn digests_are_sums_over_members(store: &dyn Store) {
    let (a, b) = (village(0), village(1));
    let digest = |scope| {
        look(store, |snapshot| {
            Ok(snapshot.scope(scope)?.map(|row| row.digest))
        })
    };
    assert_eq!(digest(a), None);
    commit(
        store,
        vec![part(1, 0, &[1], &[a], 5), part(2, 0, &[2], &[a, b], 9)],
    )
    .expect("two documents");
    assert_eq!((digest(a), digest(b)), (Some(Digest(14)), Some(Digest(9))));
    commit(store, vec![part(2, 1, &[3], &[b], 4)]).expect("one moves");
    assert_eq!((digest(a), digest(b)), (Some(Digest(5)), Some(Digest(4))));
}

pub(super) fn a_commit_is_all_or_nothing(store: &dyn Store) {
    let a = village(0);
    commit(store, vec![part(1, 0, &[1], &[a], 5)]).expect("a first commit");
    let stale = commit(
        store,
        vec![part(2, 0, &[2], &[a], 5), part(1, 0, &[3], &[a], 5)],
    );
    assert!(matches!(stale, Err(StoreError::Stale)), "{stale:?}");
    assert_eq!(look(store, |snapshot| snapshot.document(document(2))), None);
    assert_eq!(events(store, a).len(), 1);
}

pub(super) fn the_age_moves_on_by_steps_and_never_back(store: &dyn Store) {
    let moved = |asked| {
        let moved = store.retire_up_to(Timestamp(asked), 10);
        moved.expect("the store answers").0
    };
    let asked = [100, 105, 900, 900, 50, 900, 120];
    assert_eq!(asked.map(moved), [100, 105, 115, 125, 50, 135, 120]);
}

pub(super) fn the_newest_receipt_is_the_latest_of_the_last_ones(store: &dyn Store) {
    let newest = || store.newest_receipt().expect("the store answers");
    assert_eq!(newest(), None);
    let receive = |at| {
        let batch = BatchRow {
            device: DeviceId([1; 8]),
            n: (1, 1),
            leaves: Vec::new(),
            signature: [0; 64],
            received_at: Timestamp(at),
        };
        let commit = Commit {
            batch: Some(batch),
            ..Commit::default()
        };
        store.commit(&commit).expect("it is kept");
    };
    receive(9);
    receive(5);
    assert_eq!(newest(), Some(Timestamp(9)));
    for _ in 1..limits::RECEIPTS_LOOKED_AT {
        receive(6);
    }
    assert_eq!(newest(), Some(Timestamp(6)), "who was ahead is right again");
}

pub(super) fn a_document_that_ended_long_ago_leaves_its_feeds_and_joins_again(store: &dyn Store) {
    let a = village(0);
    let ended = |id, expected_len, changes: &[u8], at: Option<i64>| {
        let mut part = part(id, expected_len, changes, &[a], 5);
        part.summary.ended_at = at.map(Timestamp);
        part
    };
    let parts = vec![
        ended(1, 0, &[1], Some(10)),
        ended(2, 0, &[2], Some(9)),
        ended(3, 0, &[3], None),
        ended(4, 0, &[4], Some(20)),
    ];
    commit(store, parts).expect("a first commit");
    let retire = |before, limit| {
        store
            .retire(Timestamp(before), limit)
            .expect("retiring succeeds")
    };
    assert_eq!([retire(9, 10), retire(20, 1), retire(20, 5)], [0, 1, 1]);
    assert_eq!(retire(20, 5), 0, "what has left does not leave again");
    let is_member = |id| {
        let memberships = look(store, |snapshot| snapshot.memberships(document(id)));
        !memberships.is_empty()
    };
    assert_eq!([1, 2, 3, 4].map(is_member), [false, false, true, true]);
    let scopes = |id| look(store, |snapshot| snapshot.scopes_of(document(id)));
    assert_eq!([1, 3, 9].map(scopes), [[a].into(), [a].into(), [].into()]);
    // Lists by scope still show it.
    let query = CaseQuery {
        scopes: Some(vec![a]),
        limit: 10,
        ..CaseQuery::default()
    };
    assert_eq!(look(store, |snapshot| snapshot.cases(&query)).len(), 4);
    commit(store, vec![ended(2, 1, &[5], Some(30))]).expect("it goes on");
    let rows = events(store, a);
    let expected = [
        (5, document(2), FeedEvent::Leave),
        (6, document(1), FeedEvent::Leave),
        (7, document(2), FeedEvent::Join(1)),
    ];
    assert_eq!(rows.get(4..), Some(&expected[..]));
    let digest = look(store, |snapshot| {
        Ok(snapshot.scope(a)?.map(|row| row.digest))
    });
    assert_eq!(digest, Some(Digest(15)));
    assert_eq!(retire(31, 10), 2);
}

pub(super) fn writers_at_once_leave_gapless_feeds(store: &dyn Store) {
    let a = village(0);
    std::thread::scope(|scope| {
        for writer in 0..4u8 {
            scope.spawn(move || {
                for number in 0..10u8 {
                    let id = 1 + writer * 10 + number;
                    commit(store, vec![part(id, 0, &[id], &[a], 1)])
                        .expect("documents of one's own are never stale");
                }
            });
        }
    });
    let sequence: Vec<u64> = events(store, a)
        .into_iter()
        .map(|(seq, _, _)| seq)
        .collect();
    assert_eq!(sequence, (1..=40).collect::<Vec<_>>());
}

pub(super) fn a_read_shows_one_snapshot_while_others_write(store: &dyn Store) {
    let a = village(0);
    commit(store, vec![part(1, 0, &[1], &[a], 1)]).expect("a first commit");
    let torn = |snapshot: &dyn Snapshot| -> Result<bool> {
        let row = snapshot.scope(a)?.expect("a scope that was joined");
        let feed = snapshot.feed(row.number, 0, 1_000)?;
        let members = snapshot.members_before(row.number, u64::MAX >> 1, 1_000)?;
        let documents = snapshot.all_documents()?;
        // Every document joined once and adds 1: head, rows, members, documents and sum are one number.
        let head = usize::try_from(row.head).expect("few");
        let sum = usize::try_from(row.digest.0).expect("small");
        Ok([feed.len(), members.len(), documents.len(), sum] != [head; 4])
    };
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for id in 2..=60 {
                commit(store, vec![part(id, 0, &[id], &[a], 1)]).expect("a commit");
            }
        });
        let mut looks = 0;
        while !writer.is_finished() || looks < 20 {
            assert!(!look(store, torn), "a look saw two states at once");
            looks += 1;
        }
    });
    assert!(!look(store, torn));
}
