//! What is kept of a device that calls.

use patrol_core::domain::id::PersonId;
use patrol_core::domain::time::Timestamp;
use patrol_core::sync::wire::Status;

use super::super::{Commit, Store};
use super::look;

pub(super) fn what_a_device_hands_in_it_has_no_longer(store: &dyn Store) {
    let (person, until) = (PersonId([1; 8]), Timestamp(9));
    let code = store.put_enrol_code([1; 32], person, until);
    code.expect("a code is kept");
    let device = store.enrol([1; 32], [2; 32], [3; 32], Timestamp(1));
    let device = device.expect("the store answers").expect("a device").id;
    let outbox = || {
        let device = look(store, |snapshot| snapshot.device(device));
        device.expect("it is there").status.outbox
    };
    let hand_in = |changes| {
        let commit = Commit {
            handed_in: Some((device, changes)),
            ..Commit::default()
        };
        store.commit(&commit).expect("it is kept");
    };
    // Of one that has said nothing there is nothing to take off.
    hand_in(2);
    assert_eq!(outbox(), None);
    let status = Status {
        outbox: Some(3),
        ..Status::default()
    };
    let noted = store.note_contact(device, Timestamp(2), &status);
    noted.expect("a contact is noted");
    for left in [Some(1), None, None] {
        hand_in(2);
        assert_eq!(outbox(), left);
    }
}
