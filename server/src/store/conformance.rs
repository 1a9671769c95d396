//! One examination for every backend of the store: what the contract says, as plain assertions.
//!
//! A backend's tests call [`examine`] with a way to make an empty store.

use patrol_core::domain::id::{ChangeHash, DeviceId, DocumentId, EntryId, PersonId};
use patrol_core::domain::place::{Scope, VillageCode};
use patrol_core::domain::refusal::Refusal;
use patrol_core::domain::time::Timestamp;
use patrol_core::sync::seal::Digest;
use patrol_core::sync::wire::{Notice, Status};

use super::{
    Account, BoxedAs, BoxedChange, BrowserSession, CaseQuery, Commit, DocumentCommit, FateRow,
    FeedEvent, Settled, Snapshot, Store, StoreError, StoredChange, Summary,
};

/// Examines a backend. `make` gives an empty store each time.
pub fn examine(make: &dyn Fn() -> Box<dyn Store>) {
    a_scope_feed_has_no_gap_and_says_what_happened(make().as_ref());
    a_feed_says_which_write_it_has_told_whole(make().as_ref());
    digests_are_sums_over_members(make().as_ref());
    a_commit_is_all_or_nothing(make().as_ref());
    a_document_that_ended_long_ago_leaves_its_feeds_and_joins_again(make().as_ref());
    writers_at_once_leave_gapless_feeds(make().as_ref());
    a_read_shows_one_snapshot_while_others_write(make().as_ref());
    codes_enrol_once(make().as_ref());
    boxes_fates_and_notices_are_kept(make().as_ref());
    lists_are_filtered_and_paged(make().as_ref());
    accounts_sessions_and_directories_are_kept(make().as_ref());
}

fn document(number: u8) -> DocumentId {
    DocumentId([number; 16])
}

fn village(number: u64) -> Scope {
    Scope::Village(VillageCode::new(440_403_100_200 + number).expect("twelve digits"))
}

fn change(number: u8) -> StoredChange {
    StoredChange {
        hash: ChangeHash([number; 32]),
        body: vec![number; 5],
        received_at: Timestamp(i64::from(number)),
        commit: 0,
    }
}

fn part(
    id: u8,
    expected_len: usize,
    changes: &[u8],
    scopes: &[Scope],
    digest: u128,
) -> DocumentCommit {
    let summary = Summary {
        kind: "case".to_owned(),
        changed_at: Timestamp(i64::from(id)),
        ..Summary::default()
    };
    DocumentCommit {
        id: document(id),
        expected_len,
        changes: changes.iter().map(|number| change(*number)).collect(),
        scopes: scopes.to_vec(),
        digest: Digest(digest),
        summary,
        opened_by: Some(DeviceId([id; 8])),
    }
}

fn commit(store: &dyn Store, parts: Vec<DocumentCommit>) -> Result<Vec<u64>, StoreError> {
    store.commit(&Commit {
        documents: parts,
        ..Commit::default()
    })
}

fn look<T>(store: &dyn Store, ask: impl Fn(&dyn Snapshot) -> super::Result<T>) -> T {
    let mut answer = None;
    let read = store.read(&mut |snapshot| {
        answer = Some(ask(snapshot)?);
        Ok(())
    });
    read.expect("a read succeeds");
    answer.expect("a read looks")
}

fn events(store: &dyn Store, scope: Scope) -> Vec<(u64, DocumentId, FeedEvent)> {
    look(store, |snapshot| {
        let row = snapshot.scope(scope)?.expect("a scope that was joined");
        let rows = snapshot.feed(row.number, 0, 1_000)?;
        assert_eq!(
            rows.last().map(|row| row.seq),
            Some(row.head),
            "the head is the last row"
        );
        Ok(rows
            .into_iter()
            .map(|row| (row.seq, row.document, row.event))
            .collect())
    })
}

fn a_scope_feed_has_no_gap_and_says_what_happened(store: &dyn Store) {
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

fn a_feed_says_which_write_it_has_told_whole(store: &dyn Store) {
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
}

fn digests_are_sums_over_members(store: &dyn Store) {
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

fn a_commit_is_all_or_nothing(store: &dyn Store) {
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

fn a_document_that_ended_long_ago_leaves_its_feeds_and_joins_again(store: &dyn Store) {
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

fn writers_at_once_leave_gapless_feeds(store: &dyn Store) {
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

fn a_read_shows_one_snapshot_while_others_write(store: &dyn Store) {
    let a = village(0);
    commit(store, vec![part(1, 0, &[1], &[a], 1)]).expect("a first commit");
    let torn = |snapshot: &dyn Snapshot| -> super::Result<bool> {
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

fn codes_enrol_once(store: &dyn Store) {
    let (person, now) = (PersonId([1; 8]), Timestamp(100));
    store
        .put_enrol_code([1; 32], person, Timestamp(200))
        .expect("a code is kept");
    let enrol = |code, token, now| {
        store
            .enrol(code, [7; 32], token, now)
            .expect("the store answers")
    };
    assert_eq!(enrol([1; 32], [8; 32], Timestamp(201)), None, "too late");
    let device = enrol([1; 32], [8; 32], now).expect("in time");
    assert_eq!((device.person, device.public_key), (person, [7; 32]));
    assert_eq!(enrol([1; 32], [9; 32], now), None, "used");
    let by_token = store.device_of_token([8; 32]).expect("the store answers");
    assert_eq!(by_token.map(|device| device.id), Some(device.id));
    store
        .revoke(device.id, Timestamp(150))
        .expect("revoking succeeds");
    let status = Status {
        outbox: Some(3),
        ..Status::default()
    };
    store
        .note_contact(device.id, Timestamp(160), &status, true)
        .expect("a contact is noted");
    let told = Commit {
        told: Some((device.id, 4)),
        ..Commit::default()
    };
    store.commit(&told).expect("what it was told is kept");
    let device = look(store, |snapshot| snapshot.device(device.id)).expect("the device is there");
    assert_eq!((device.n_max, device.n_told), (0, 4));
    assert_eq!(
        (device.revoked_at, device.seen_at),
        (Some(Timestamp(150)), Some(Timestamp(160)))
    );
    assert_eq!(
        (device.status.outbox, device.revoked_empty),
        (Some(3), true)
    );
}

fn boxes_fates_and_notices_are_kept(store: &dyn Store) {
    let device = DeviceId([4; 8]);
    let boxed = |number: u8, state| BoxedChange {
        device,
        document: document(1),
        hash: ChangeHash([number; 32]),
        body: vec![number],
        person: Some(PersonId([2; 8])),
        state,
        boxed_at: Timestamp(5),
        settled: None,
    };
    let fate = |n, fate: &str| FateRow {
        device,
        n,
        entry: EntryId([9; 16]),
        fate: fate.to_owned(),
    };
    let first = Commit {
        boxed: vec![
            boxed(1, BoxedAs::Held),
            boxed(2, BoxedAs::Refused(Refusal::Grammar.number())),
        ],
        fates: vec![fate(1, "review"), fate(2, "grammar")],
        notices: vec![(device, Notice::ReEnrol), (device, Notice::SendLogs)],
        ..Commit::default()
    };
    store.commit(&first).expect("boxes are kept");
    assert_eq!(
        look(store, |snapshot| snapshot.held_of(document(1))),
        [boxed(1, BoxedAs::Held)]
    );
    let settled = Settled {
        person: PersonId([3; 8]),
        at: Timestamp(8),
        words: "看过".to_owned(),
        released: true,
    };
    let release = BoxedChange {
        settled: Some(settled),
        ..boxed(1, BoxedAs::Held)
    };
    let second = Commit {
        boxed: vec![release.clone()],
        fates: vec![fate(1, "ok")],
        ..Commit::default()
    };
    store.commit(&second).expect("a review is settled");
    assert_eq!(look(store, |snapshot| snapshot.held_of(document(1))), []);
    assert_eq!(
        look(store, |snapshot| snapshot
            .boxed(device, ChangeHash([1; 32]))),
        Some(release)
    );
    assert_eq!(
        look(store, |snapshot| snapshot.fates(device, 1, 10)),
        [fate(1, "ok"), fate(2, "grammar")]
    );
    let notices = |after| look(store, |snapshot| snapshot.notices(device, after));
    assert_eq!(notices(0), [(1, Notice::ReEnrol), (2, Notice::SendLogs)]);
    store
        .forget_notices(device, 1)
        .expect("forgetting succeeds");
    let third = Commit {
        notices: vec![(device, Notice::ReEnrol)],
        ..Commit::default()
    };
    store.commit(&third).expect("numbers go on");
    assert_eq!(notices(0), [(2, Notice::SendLogs), (3, Notice::ReEnrol)]);
}

fn lists_are_filtered_and_paged(store: &dyn Store) {
    for id in 1..=5u8 {
        let mut part = part(id, 0, &[id], &[village(u64::from(id % 2))], 1);
        part.summary.stage = if id < 3 {
            "reported".to_owned()
        } else {
            "closed".to_owned()
        };
        part.summary.numbers = vec![format!("2026-00000{id}")];
        commit(store, vec![part]).expect("a document is kept");
    }
    let list = |query: CaseQuery| -> Vec<DocumentId> {
        look(store, |snapshot| snapshot.cases(&query))
            .into_iter()
            .map(|(id, _)| id)
            .collect()
    };
    let all = CaseQuery {
        limit: 10,
        ..CaseQuery::default()
    };
    assert_eq!(list(all.clone()), [5, 4, 3, 2, 1].map(document));
    assert_eq!(
        list(CaseQuery {
            stages: vec!["reported".to_owned()],
            ..all.clone()
        }),
        [2, 1].map(document)
    );
    assert_eq!(
        list(CaseQuery {
            scopes: Some(vec![village(0)]),
            ..all.clone()
        }),
        [4, 2].map(document)
    );
    assert_eq!(
        list(CaseQuery {
            number: Some("2026-000003".to_owned()),
            ..all.clone()
        }),
        [document(3)]
    );
    let second_page = CaseQuery {
        after: Some((Timestamp(4), document(4))),
        limit: 2,
        ..all
    };
    assert_eq!(list(second_page), [3, 2].map(document));
}

fn sessions_end_with_a_new_password_and_by_time(store: &dyn Store, account: &Account) {
    let put = |token: u8, person: u8, until| {
        let session = BrowserSession {
            person: PersonId([person; 8]),
            until: Timestamp(until),
        };
        store
            .put_session([token; 32], &session)
            .expect("a session is kept");
    };
    let is_there = |token: u8| {
        let session = store.session([token; 32]);
        session.expect("the store answers").is_some()
    };
    for (token, person, until) in [(1, 1, 9), (2, 2, 9), (3, 2, 10)] {
        put(token, person, until);
    }
    store.put_account(account).expect("an account is replaced");
    assert_eq!([1, 2, 3].map(is_there), [false, true, true]);
    store
        .put_enrol_code([5; 32], account.person, Timestamp(9))
        .expect("a code is kept");
    store.tidy(Timestamp(9)).expect("tidying succeeds");
    assert_eq!([1, 2, 3].map(is_there), [false, false, true]);
    let enrolled = store.enrol([5; 32], [7; 32], [8; 32], Timestamp(9));
    assert!(enrolled.expect("the store answers").is_some());
}

fn accounts_sessions_and_directories_are_kept(store: &dyn Store) {
    let account = Account {
        person: PersonId([1; 8]),
        login: "zhang".to_owned(),
        password_hash: "$argon2id$".to_owned(),
    };
    assert!(!store.has_account().expect("the store answers"));
    store.put_account(&account).expect("an account is kept");
    assert!(store.has_account().expect("the store answers"));
    assert_eq!(
        store.account("zhang").expect("the store answers"),
        Some(account.clone())
    );
    assert_eq!(store.account("li").expect("the store answers"), None);
    let session = BrowserSession {
        person: PersonId([1; 8]),
        until: Timestamp(9),
    };
    store
        .put_session([1; 32], &session)
        .expect("a session is kept");
    assert_eq!(
        store.session([1; 32]).expect("the store answers"),
        Some(session)
    );
    store.end_session([1; 32]).expect("ending succeeds");
    assert_eq!(store.session([1; 32]).expect("the store answers"), None);
    sessions_end_with_a_new_password_and_by_time(store, &account);
    assert_eq!(store.directory().expect("the store answers"), None);
    store
        .put_directory(b"old", Timestamp(1))
        .expect("a directory is kept");
    store
        .put_directory(b"new", Timestamp(2))
        .expect("a newer one too");
    assert_eq!(
        store.directory().expect("the store answers"),
        Some(b"new".to_vec())
    );
}
