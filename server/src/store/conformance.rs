//! One examination for every backend of the store: what the contract says, as plain assertions.
//!
//! A backend's tests call [`examine`] with a way to make an empty store.

mod devices;
mod feeds;
mod held;
mod reference;
mod setup;
mod whole;

use patrol_core::domain::id::{ChangeHash, DeviceId, DocumentId, EntryId, Epoch, PersonId};
use patrol_core::domain::limits;
use patrol_core::domain::place::{Scope, VillageCode};
use patrol_core::domain::refusal::Refusal;
use patrol_core::domain::time::Timestamp;
use patrol_core::sync::seal::Digest;
use patrol_core::sync::wire::{Notice, Status};

use self::reference::kept;
use super::{
    Account, BoxedAs, BoxedChange, BrowserSession, CaseQuery, Commit, Device, DocumentCommit,
    FateRow, FeedEvent, Settled, Snapshot, Store, StoreError, StoredChange, Summary,
};

/// Examines a backend. `make` gives an empty store each time.
pub fn examine(make: &dyn Fn() -> Box<dyn Store>) {
    feeds::a_scope_feed_has_no_gap_and_says_what_happened(make().as_ref());
    feeds::a_feed_says_which_write_it_has_told_whole(make().as_ref());
    feeds::digests_are_sums_over_members(make().as_ref());
    feeds::a_commit_is_all_or_nothing(make().as_ref());
    feeds::a_document_that_ended_long_ago_leaves_its_feeds_and_joins_again(make().as_ref());
    feeds::the_age_moves_on_by_steps_and_never_back(make().as_ref());
    feeds::the_newest_receipt_is_the_latest_of_the_last_ones(make().as_ref());
    feeds::writers_at_once_leave_gapless_feeds(make().as_ref());
    feeds::a_read_shows_one_snapshot_while_others_write(make().as_ref());
    codes_enrol_once(make().as_ref());
    devices::what_a_device_hands_in_it_has_no_longer(make().as_ref());
    boxes_and_fates_are_kept(make().as_ref());
    held::what_is_held_is_settled_once(make().as_ref());
    held::who_settles_has_seen_all_that_is_held(make().as_ref());
    what_a_revoked_device_pushes_is_bounded_by_the_commit(make().as_ref());
    notices_are_numbered_and_forgotten(make().as_ref());
    lists_are_filtered_and_paged(make().as_ref());
    accounts_sessions_and_directories_are_kept(make().as_ref());
    setup::a_setup_code_makes_the_first_account_once(make().as_ref());
    setup::an_account_made_in_another_way_ends_the_setup_code(make().as_ref());
    setup::what_was_begun_under_another_password_is_not_kept(make().as_ref());
    setup::figures_count_what_is_there(make().as_ref());
    setup::what_came_from_a_file_is_noted(make().as_ref());
    reference::directories_are_replaced_one_after_the_other(make().as_ref());
    reference::components_of_the_villages_named_are_replaced(make().as_ref());
    reference::components_and_a_commit_go_into_force_together(make().as_ref());
    reference::other_writes_go_on_while_components_come(make().as_ref());
    reference::an_error_among_components_changes_nothing(make().as_ref());
    reference::components_and_a_directory_do_not_cross(make().as_ref());
    reference::components_are_found_by_their_cells(make().as_ref());
    reference::a_village_has_one_terminal(make().as_ref());
    whole::everything_is_shown_as_it_is_kept(make().as_ref());
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

fn a_device_of_another_database_is_taken_back_once(store: &dyn Store, known: &Device) {
    let back = Device {
        id: DeviceId::new(Epoch([9; 4]), 7),
        revoked_at: Some(Timestamp(140)),
        ..known.clone()
    };
    let take_back = |device, token| store.take_back(device, token);
    assert!(
        matches!(take_back(known, [21; 32]), Ok(false)),
        "it is known"
    );
    assert!(take_back(&back, [8; 32]).is_err(), "the token is in use");
    assert!(matches!(take_back(&back, [20; 32]), Ok(true)));
    assert!(matches!(take_back(&back, [22; 32]), Ok(false)), "once");
    let by_token = store.device_of_token([20; 32]).expect("the store answers");
    let back_id = back.id;
    assert_eq!(by_token, Some(back));
    let by_token = store.device_of_token([22; 32]).expect("the store answers");
    assert_eq!(by_token, None);
    let commit = Commit {
        notices: vec![(back_id, Notice::ReEnrol)],
        ..Commit::default()
    };
    store.commit(&commit).expect("a notice is kept");
    let told = look(store, |snapshot| snapshot.notices(back_id, 100));
    assert_eq!(told.len(), 1, "beyond what it had heard");
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
    a_device_of_another_database_is_taken_back_once(store, &device);
    store
        .note_emptied(device.id)
        .expect("of a device that is not revoked it is passed over");
    let before = look(store, |snapshot| snapshot.device(device.id)).expect("the device is there");
    assert!(!before.revoked_empty);
    store
        .revoke(device.id, Timestamp(150))
        .expect("revoking succeeds");
    store.note_emptied(device.id).expect("it is noted");
    let status = Status {
        outbox: Some(3),
        ..Status::default()
    };
    store
        .note_contact(device.id, Timestamp(160), &status)
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
    let version = Status {
        version: Some("2".to_owned()),
        ..Status::default()
    };
    for (at, told) in [(170, &version), (180, &Status::default())] {
        store
            .note_contact(device.id, Timestamp(at), told)
            .expect("a contact is noted");
    }
    let device = look(store, |snapshot| snapshot.device(device.id)).expect("the device is there");
    assert_eq!(
        device.status, version,
        "what was amiss is over, what it is stays"
    );
}

fn boxes_and_fates_are_kept(store: &dyn Store) {
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
            boxed(3, BoxedAs::Held),
        ],
        fates: vec![fate(1, "review"), fate(2, "grammar")],
        ..Commit::default()
    };
    store.commit(&first).expect("boxes are kept");
    let held_of = || look(store, |snapshot| snapshot.held_of(document(1)));
    assert_eq!(
        held_of(),
        [boxed(1, BoxedAs::Held), boxed(3, BoxedAs::Held)]
    );
    let keys = look(store, |snapshot| snapshot.held_keys(document(1)));
    assert_eq!(keys, [1, 3].map(|n| (device, ChangeHash([n; 32]))));
    let held = |after, limit| look(store, |snapshot| snapshot.held(after, limit));
    let (first_no, first_held) = held(0, 1).swap_remove(0);
    assert_eq!(first_held, boxed(1, BoxedAs::Held));
    let (second_no, second_held) = held(first_no, 9).swap_remove(0);
    assert_eq!(second_held, boxed(3, BoxedAs::Held));
    assert_eq!((held(0, 9).len(), held(second_no, 9).len()), (2, 0));
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
    assert_eq!(held_of(), [boxed(3, BoxedAs::Held)]);
    assert_eq!(held(0, 9), [(second_no, boxed(3, BoxedAs::Held))]);
    assert_eq!(
        look(store, |snapshot| snapshot
            .boxed(device, ChangeHash([1; 32]))),
        Some(release)
    );
    assert_eq!(
        look(store, |snapshot| snapshot.fates(device, 1, 10)),
        [fate(1, "ok"), fate(2, "grammar")]
    );
}

fn what_a_revoked_device_pushes_is_bounded_by_the_commit(store: &dyn Store) {
    let (code, token) = ([1; 32], [3; 32]);
    let person = PersonId([1; 8]);
    store
        .put_enrol_code(code, person, Timestamp(9))
        .expect("a code is kept");
    let device = store.enrol(code, [2; 32], token, Timestamp(5));
    let device = device.expect("the store answers").expect("a good code").id;
    let pushed = |bytes| Commit {
        revoked_bytes: Some((device, bytes)),
        ..Commit::default()
    };
    let most = limits::REVOKED_BYTES_MAX;
    store.commit(&pushed(most - 1)).expect("it is within");
    let beyond = store.commit(&pushed(2));
    assert!(matches!(beyond, Err(StoreError::Stale)), "{beyond:?}");
    store.commit(&pushed(1)).expect("it is just within");
    let known = look(store, |snapshot| snapshot.device(device)).expect("it is there");
    assert_eq!(known.revoked_bytes, most);
}

fn notices_are_numbered_and_forgotten(store: &dyn Store) {
    let device = DeviceId([4; 8]);
    let first = Commit {
        notices: vec![(device, Notice::ReEnrol), (device, Notice::SendLogs)],
        ..Commit::default()
    };
    store.commit(&first).expect("notices are kept");
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
    let other = Account {
        person: PersonId([2; 8]),
        login: "li".to_owned(),
        ..account.clone()
    };
    store.put_account(&other).expect("an account is kept");
    let put = |token: u8, person: u8, until| {
        let session = BrowserSession {
            person: PersonId([person; 8]),
            until: Timestamp(until),
        };
        let put = store.put_session([token; 32], &session, &account.password_hash);
        assert!(put.expect("a session is kept"));
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
    let put = store.put_session([1; 32], &session, &account.password_hash);
    assert!(put.expect("a session is kept"));
    assert_eq!(
        store.session([1; 32]).expect("the store answers"),
        Some(session)
    );
    store.end_session([1; 32]).expect("ending succeeds");
    assert_eq!(store.session([1; 32]).expect("the store answers"), None);
    sessions_end_with_a_new_password_and_by_time(store, &account);
    assert_eq!(store.directory().expect("the store answers"), None);
    store
        .put_directory(&kept(b"old"), Timestamp(1))
        .expect("a directory is kept");
    store
        .put_directory(&kept(b"new"), Timestamp(2))
        .expect("a newer one too");
    assert_eq!(
        store.directory().expect("the store answers"),
        Some((2, kept(b"new")))
    );
}
