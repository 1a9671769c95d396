//! What is held for review is settled once, by who has seen all of it.

use patrol_core::domain::id::{ChangeHash, DeviceId, DocumentId, PersonId};
use patrol_core::domain::refusal::Refusal;
use patrol_core::domain::time::Timestamp;

use super::{document, look};
use crate::store::{BoxedAs, BoxedChange, Commit, Settled, Store, StoreError};

pub(super) fn what_is_held_is_settled_once(store: &dyn Store) {
    let (device, hash) = (DeviceId([4; 8]), ChangeHash([1; 32]));
    let boxed = |refusal: Refusal, words: Option<&str>| BoxedChange {
        device,
        document: document(1),
        hash,
        body: vec![1],
        person: Some(PersonId([2; 8])),
        state: words.map_or(BoxedAs::Held, |_| BoxedAs::Refused(refusal.number())),
        boxed_at: Timestamp(5),
        settled: words.map(|words| Settled {
            person: PersonId([3; 8]),
            at: Timestamp(8),
            words: words.to_owned(),
            released: false,
        }),
    };
    let settled = |words: &str| Commit {
        held: vec![(device, hash)],
        boxed: vec![boxed(Refusal::ReviewedAway, Some(words))],
        ..Commit::default()
    };
    let held = || Commit {
        boxed: vec![boxed(Refusal::ReviewedAway, None)],
        ..Commit::default()
    };
    let nothing_held = store.commit(&settled("太早"));
    assert!(matches!(nothing_held, Err(StoreError::Stale)));
    store.commit(&held()).expect("it is held");
    store.commit(&settled("看过")).expect("it is settled");
    let twice = store.commit(&settled("再看"));
    assert!(matches!(twice, Err(StoreError::Stale)));
    store.commit(&held()).expect("what is settled stays");
    let row = look(store, |snapshot| snapshot.boxed(device, hash));
    assert_eq!(row, Some(boxed(Refusal::ReviewedAway, Some("看过"))));
    let since = |time| {
        look(store, |snapshot| {
            snapshot.boxed_since(device, Timestamp(time))
        })
    };
    assert_eq!((since(5).rows, since(5).bytes, since(6).rows), (1, 1, 0));
}

pub(super) fn who_settles_has_seen_all_that_is_held(store: &dyn Store) {
    let key = |number: u8| (DeviceId([4; 8]), ChangeHash([number; 32]));
    let hold = |number, of: DocumentId, state| {
        let (device, hash) = key(number);
        let row = BoxedChange {
            device,
            document: of,
            hash,
            body: vec![1],
            person: None,
            state,
            boxed_at: Timestamp(5),
            settled: None,
        };
        let commit = Commit {
            boxed: vec![row],
            ..Commit::default()
        };
        store.commit(&commit).expect("it is held");
    };
    let seen = |numbers: &[u8]| {
        let keys = numbers.iter().copied().map(key);
        let commit = Commit {
            seen_held: Some((document(1), keys.collect())),
            ..Commit::default()
        };
        store.commit(&commit).map(drop)
    };
    let stale = |outcome| matches!(outcome, Err(StoreError::Stale));
    seen(&[]).expect("nothing is held");
    hold(2, document(1), BoxedAs::Held);
    hold(3, document(2), BoxedAs::Held);
    hold(4, document(1), BoxedAs::Refused(1));
    assert!(stale(seen(&[])));
    seen(&[2]).expect("that is all");
    hold(1, document(1), BoxedAs::Held);
    assert!(stale(seen(&[2])) && stale(seen(&[1])));
    seen(&[2, 1]).expect("as they came");
}
