//! A phone's sum over a scope is not the server's: a listing mends it once, and what that does not mend is told and asked about.

use patrol_core::sync::wire::{DIGEST, Notice};
use patrol_tests::world::{Phone, World};

const INSPECTOR: &str = "巡查员01";
const LISTED_IN_VAIN: &str = "UPDATE cursors SET digest = zeroblob(16), mismatches = 1";

fn damage(phone: &Phone, sql: &str) {
    let rows = phone.replica.store().write(|transaction| {
        let rows = transaction.execute(sql, [])?;
        Ok(rows)
    });
    assert!(rows.unwrap() > 0, "{sql} damages something");
}

fn is_asked(phone: &Phone) -> usize {
    let notices = phone.replica.notices().unwrap();
    let asks = |(_, notice): &&(u64, Notice)| *notice == Notice::SendLogs;
    notices.iter().filter(asks).count()
}

/// What the server knows of a phone's last error.
fn told(world: &World, phone: &Phone) -> Option<String> {
    let mut error = None;
    world
        .app
        .store
        .read(&mut |snapshot| {
            let device = snapshot.device(phone.device())?.unwrap();
            error = device.status.last_error;
            Ok(())
        })
        .unwrap();
    error
}

#[test]
fn a_sum_that_went_wrong_is_mended_by_one_listing_that_keeps_everything() {
    let mut world = World::new(71);
    let village = world.villages(INSPECTOR)[0];
    let phone = world.phone(INSPECTOR);
    let (case, _) = phone.report(village, "桥头垃圾");
    phone.sync().unwrap();
    damage(phone, "UPDATE cursors SET digest = zeroblob(16)");
    let summary = phone.sync().unwrap();
    assert!(summary.rounds > 1, "it was listed anew: {summary:?}");
    let phone = &world.phones[INSPECTOR];
    assert_eq!(phone.sync().unwrap().rounds, 1, "and is right since");
    assert_eq!(phone.stage(case), "reported");
    assert_eq!((told(&world, phone), is_asked(phone)), (None, 0));
}

#[test]
fn a_sum_that_stays_wrong_is_told_once_evicts_nothing_and_the_server_asks_for_logs() {
    let mut world = World::new(72);
    let village = world.villages(INSPECTOR)[0];
    let phone = world.phone(INSPECTOR);
    let (case, _) = phone.report(village, "桥头垃圾");
    phone.sync().unwrap();
    // It was listed anew already, in vain; and the phone takes the case for one that has left.
    damage(phone, LISTED_IN_VAIN);
    damage(phone, "DELETE FROM members");
    phone.sync().unwrap();
    let phone = &world.phones[INSPECTOR];
    assert_eq!((told(&world, phone), is_asked(phone)), (None, 0));
    for _ in 0..3 {
        let summary = phone.sync().unwrap();
        assert_eq!(summary.rounds, 1, "it is not listed again");
        assert_eq!(told(&world, phone).as_deref(), Some(DIGEST));
        assert_eq!(is_asked(phone), 1);
    }
    assert_eq!(phone.stage(case), "reported");
    // A listing that helps after all is told too, and a later mistake is asked about anew.
    damage(phone, "UPDATE cursors SET mismatches = 0");
    phone.sync().unwrap();
    phone.sync().unwrap();
    assert_eq!((told(&world, phone), is_asked(phone)), (None, 1));
    damage(phone, LISTED_IN_VAIN);
    phone.sync().unwrap();
    phone.sync().unwrap();
    assert_eq!(is_asked(phone), 2);
}

#[test]
fn a_sum_that_stayed_wrong_is_listed_again_after_a_while() {
    let mut world = World::new(73);
    let village = world.villages(INSPECTOR)[0];
    let phone = world.phone(INSPECTOR);
    phone.report(village, "桥头垃圾");
    phone.sync().unwrap();
    damage(phone, LISTED_IN_VAIN);
    let rounds: Vec<u32> = (0..8).map(|_| phone.sync().unwrap().rounds).collect();
    assert_eq!(rounds, [1, 1, 1, 1, 1, 1, 2, 1]);
    phone.sync().unwrap();
    let phone = &world.phones[INSPECTOR];
    assert_eq!((told(&world, phone), is_asked(phone)), (None, 1));
}
