//! How the first account comes to be, and whence the people are.

use patrol_core::domain::id::PersonId;
use patrol_core::domain::time::Timestamp;

use crate::store::{Account, Store};

fn account(person: u8) -> Account {
    Account {
        person: PersonId([person; 8]),
        login: format!("login{person}"),
        password_hash: "$argon2id$".to_owned(),
    }
}

pub(super) fn a_setup_code_makes_the_first_account_once(store: &dyn Store) {
    let put = |code: u8, until| {
        let put = store.put_setup_code([code; 32], Timestamp(until));
        put.expect("the store answers")
    };
    let is_code = |code: u8, now| {
        let is_code = store.is_setup_code([code; 32], Timestamp(now));
        is_code.expect("the store answers")
    };
    let set_up = |code: u8, now| {
        let set_up = store.set_up([code; 32], &account(1), Timestamp(now));
        set_up.expect("the store answers")
    };
    let of = |person| store.account_of(PersonId([person; 8]));
    assert!(!is_code(1, 0) && !set_up(1, 0));
    assert!(
        put(1, 9) && put(2, 9),
        "the later takes the earlier's place"
    );
    assert_eq!(
        [is_code(1, 9), is_code(2, 9), is_code(2, 10)],
        [false, true, false]
    );
    assert!(!set_up(1, 9) && !set_up(2, 10));
    assert_eq!(of(1).expect("the store answers"), None);
    store.tidy(Timestamp(9)).expect("tidying succeeds");
    assert!(is_code(2, 9));
    store.tidy(Timestamp(10)).expect("tidying succeeds");
    assert!(!is_code(2, 9));
    assert!(put(3, 9) && set_up(3, 9));
    assert_eq!(of(1).expect("the store answers"), Some(account(1)));
    assert_eq!(of(2).expect("the store answers"), None);
    assert!(!set_up(3, 9) && !put(4, 9));
}

pub(super) fn what_came_from_a_file_is_noted(store: &dyn Store) {
    let noted = || store.people_file().expect("the store answers");
    assert_eq!(noted(), None);
    for hash in [[1; 32], [2; 32]] {
        store.put_people_file(hash).expect("it is noted");
        assert_eq!(noted(), Some(hash));
    }
}

pub(super) fn an_account_made_in_another_way_ends_the_setup_code(store: &dyn Store) {
    let put = store.put_setup_code([1; 32], Timestamp(9));
    assert!(put.expect("the store answers"));
    store.put_account(&account(2)).expect("an account is kept");
    let is_code = store.is_setup_code([1; 32], Timestamp(9));
    assert!(!is_code.expect("the store answers"));
}
