//! How much one request carries up: what has become of the one before decides, and nothing else.

use patrol_core::domain::limits;
use patrol_core::store::enrolment;
use patrol_tests::world::{Phone, World};

const INSPECTOR: &str = "巡查员01";

fn frame_bytes(phone: &Phone) -> usize {
    let state = phone.replica.store().read(enrolment::round_state);
    state.unwrap().frame_bytes
}

fn set_frame_bytes(phone: &Phone, bytes: usize) {
    let set = phone.replica.store().write(|transaction| {
        let mut state = enrolment::round_state(transaction)?;
        state.frame_bytes = bytes;
        enrolment::put_round_state(transaction, &state)
    });
    set.unwrap();
}

#[test]
fn only_rounds_that_push_say_what_a_line_carries_up() {
    let mut world = World::new(31);
    let village = world.villages(INSPECTOR)[0];
    let phone = world.phone(INSPECTOR);
    let first = limits::PUSH_FRAME_BYTES_FIRST;
    phone.sync().unwrap();
    assert_eq!(frame_bytes(phone), first, "nothing went up");
    phone.report(village, "路灯不亮");
    phone.sync().unwrap();
    assert_eq!(frame_bytes(phone), 2 * first);
    // Cut behind the fates: what went up has arrived.
    phone.report(village, "井盖破损");
    phone.link.cut_after(2);
    assert!(phone.sync().is_err());
    assert_eq!(phone.replica.status().unwrap().outbox, 0);
    assert_eq!(frame_bytes(phone), 2 * first);
    // Cut before them: whether it has is not known.
    phone.report(village, "积水");
    phone.link.cut_after(1);
    assert!(phone.sync().is_err());
    assert_eq!(phone.replica.status().unwrap().outbox, 1);
    assert_eq!(frame_bytes(phone), first);
}

#[test]
fn a_request_carries_sixteen_times_its_first_frame_and_no_more() {
    let mut world = World::new(32);
    let village = world.villages(INSPECTOR)[0];
    let phone = world.phone(INSPECTOR);
    phone.sync().unwrap();
    // Nearly twice what the smallest frames let one request carry.
    let words = "积".repeat(300);
    for _ in 0..50 {
        phone.report(village, &words);
    }
    set_frame_bytes(phone, limits::PUSH_FRAME_BYTES_MIN);
    let summary = phone.sync().unwrap();
    assert_eq!((summary.pushed, summary.rounds), (50, 2));
}
