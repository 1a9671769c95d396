//! How the first account comes to be, whence the people are, and how all of it is counted.

use patrol_core::domain::id::{ChangeHash, DocumentId, PersonId};
use patrol_core::domain::refusal::Refusal;
use patrol_core::domain::time::Timestamp;

use crate::store::{Account, BoxedAs, BoxedChange, BrowserSession, Commit, Figures, Folder, Store};

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

pub(super) fn what_was_begun_under_another_password_is_not_kept(store: &dyn Store) {
    let own = account(1);
    let begin = |token: u8, hash: &str| {
        let session = BrowserSession {
            person: own.person,
            until: Timestamp(9),
        };
        let put = store.put_session([token; 32], &session, hash);
        let is_there = store.session([token; 32]).expect("the store answers");
        assert_eq!(put.as_ref().ok(), Some(&is_there.is_some()));
        is_there.is_some()
    };
    assert!(!begin(1, "$argon2id$"), "he has no account");
    store.put_account(&own).expect("an account is kept");
    store.put_account(&account(2)).expect("another's too");
    assert!(begin(2, "$argon2id$") && !begin(3, "another"));
    let replaced = |account: &Account, hash: &str| {
        let replaced = store.replace_account(account, hash);
        replaced.expect("the store answers")
    };
    let mut new = account(1);
    "new".clone_into(&mut new.password_hash);
    let of = || store.account_of(new.person).expect("the store answers");
    let has_session = || store.session([2; 32]).expect("the store answers").is_some();
    assert!(!replaced(&new, "another"));
    assert!(of() == Some(own.clone()) && has_session());
    assert!(replaced(&new, "$argon2id$"));
    assert!(of() == Some(new.clone()) && !has_session());
    assert!(!begin(4, "$argon2id$") && begin(4, "new"));
    assert!(!replaced(&account(3), "$argon2id$"), "he has none");
}

pub(super) fn what_came_from_a_file_is_noted(store: &dyn Store) {
    let noted = || store.folder().expect("the store answers");
    assert_eq!(noted(), None);
    for people in [Some([1; 32]), None] {
        let places = [2; 32];
        let folder = Folder { places, people };
        store.put_folder(folder).expect("it is noted");
        assert_eq!(noted(), Some(folder));
    }
}

pub(super) fn an_account_made_in_another_way_ends_the_setup_code(store: &dyn Store) {
    let put = store.put_setup_code([1; 32], Timestamp(9));
    assert!(put.expect("the store answers"));
    store.put_account(&account(2)).expect("an account is kept");
    let is_code = store.is_setup_code([1; 32], Timestamp(9));
    assert!(!is_code.expect("the store answers"));
}

pub(super) fn figures_count_what_is_there(store: &dyn Store) {
    let figures = || store.figures().expect("the store answers");
    let counted = |figures: Figures| (figures.held, figures.devices, figures.devices_revoked);
    assert_eq!((counted(figures()), figures().backup_at), ((0, 0, 0), None));
    for number in [1, 2, 3] {
        let person = PersonId([number; 8]);
        let until = Timestamp(9);
        store
            .put_enrol_code([number; 32], person, until)
            .expect("a code is kept");
        let enrolled = store.enrol([number; 32], [7; 32], [number; 32], until);
        let device = enrolled.expect("the store answers").expect("a device");
        if number == 1 {
            store.revoke(device.id, until).expect("it is revoked");
        }
        let boxed = |hash: u8, state| BoxedChange {
            device: device.id,
            document: DocumentId([number; 16]),
            hash: ChangeHash([hash; 32]),
            body: vec![number],
            person: None,
            state,
            boxed_at: until,
            settled: None,
        };
        let commit = Commit {
            boxed: vec![
                boxed(1, BoxedAs::Held),
                boxed(2, BoxedAs::Refused(Refusal::Malformed.number())),
            ],
            ..Commit::default()
        };
        store.commit(&commit).expect("boxes are kept");
    }
    for at in [5, 6] {
        store.note_backup(Timestamp(at)).expect("it is noted");
    }
    assert_eq!(counted(figures()), (3, 2, 1));
    assert_eq!(figures().backup_at, Some(Timestamp(6)));
}
