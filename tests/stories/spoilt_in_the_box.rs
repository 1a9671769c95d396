//! What lies in a phone's box was spoilt in its file: what others say of it is heard, what follows it goes on, and what is lost is said.
//!
//! What is spoilt of documents themselves is in `spoilt_on_a_phone.rs`.

use patrol_core::domain::time::DAY_MS;
use patrol_core::store::Fault;
use patrol_core::sync::wire::SPOILT;
use patrol_server::review::Decision;
use patrol_tests::simulation::audit;
use patrol_tests::world::{Phone, World, city};

use super::late_work::end_posts;
use super::outcomes::{codes, heard_by_a_copy, settle_first, stands, two_notes};
use super::spoilt_on_a_phone::{Flip, flip, go_back, is_whole, note, restore, scene, states, sync};

const INSPECTOR: &str = "巡查员01";

/// Changes the oldest row of the box.
fn spoil_first(phone: &Phone, set: &str) {
    let sql = format!("UPDATE boxed SET {set} WHERE id = (SELECT min(id) FROM boxed)");
    let store = phone.replica.store();
    let spoilt = store.write(|transaction| Ok(transaction.execute(&sql, [])?));
    assert_eq!(spoilt.unwrap(), 1);
}

const BODY: &str = "body = zeroblob(length(body))";
const HASH: &str = "hash = CAST(substr(hash, 1, 31) || x'ff' AS BLOB)";

#[test]
fn what_follows_a_held_deed_goes_on_when_that_is_refused_though_it_cannot_be_read() {
    let mut world = World::new(112);
    let (case, [first, second]) = two_notes(&mut world);
    end_posts(&world, INSPECTOR);
    let phone = &world.phones[INSPECTOR];
    phone.sync().unwrap();
    spoil_first(phone, BODY);
    settle_first(&world, case, Decision::Refuse);
    world.app.put_directory(city()).unwrap();
    for _ in 0..2 {
        phone.sync().unwrap();
    }
    assert_eq!(codes(phone), ["reviewed_away"]);
    assert!(stands(&world, case, second) && !stands(&world, case, first));
    let row = &phone.replica.boxed().unwrap()[0];
    phone.replica.dismiss(row.id).unwrap();
    assert_eq!(
        codes(phone),
        [] as [String; 0],
        "a person can be done with it"
    );
}

#[test]
fn what_cannot_be_read_in_the_box_and_a_copy_has_heard_of_is_said_to_be_lost() {
    let mut world = World::new(113);
    let (case, [_, second]) = two_notes(&mut world);
    let _twin = heard_by_a_copy(&world, case);
    let phone = &world.phones[INSPECTOR];
    spoil_first(phone, BODY);
    world.app.put_directory(city()).unwrap();
    for _ in 0..3 {
        world.clock.advance_ms(DAY_MS);
        phone.sync().unwrap();
    }
    assert_eq!(codes(phone), [SPOILT]);
    assert!(stands(&world, case, second));
    assert_eq!(phone.replica.status().unwrap().outbox, 0);
}

#[test]
fn what_lies_in_the_box_under_a_wrong_name_is_heard_of_when_it_is_asked_after() {
    for decision in [Decision::Release, Decision::Refuse] {
        let mut world = World::new(114);
        let (case, [first, second]) = two_notes(&mut world);
        end_posts(&world, INSPECTOR);
        let phone = &world.phones[INSPECTOR];
        phone.sync().unwrap();
        spoil_first(phone, HASH);
        settle_first(&world, case, decision);
        world.app.put_directory(city()).unwrap();
        for _ in 0..4 {
            phone.sync().unwrap();
            world.clock.advance_ms(DAY_MS);
        }
        let is_released = decision == Decision::Release;
        assert_eq!(stands(&world, case, first), is_released);
        assert!(stands(&world, case, second), "{decision:?}");
        let left: &[&str] = if is_released { &[] } else { &["reviewed_away"] };
        assert_eq!(codes(phone), left);
    }
}

#[test]
fn what_only_a_lost_server_had_besides_what_cannot_be_read_is_said_to_be_lost() {
    let mut scene = scene();
    let phone = &scene.world.phones[INSPECTOR];
    phone.link.cut_after(2);
    phone.sync().expect_err("the page did not come");
    assert_eq!(states(phone, scene.case), [0, 0, 0, 0, 1, 1, 1]);
    flip(phone, scene.case, Flip::Body(6));
    go_back(&mut scene);
    for _ in 0..3 {
        sync(&scene.world, INSPECTOR);
        sync(&scene.world, &scene.cadre.clone());
    }
    is_whole(&scene, &[scene.own[4]], "the last of three");
}

#[test]
fn what_a_server_has_not_after_all_and_cannot_be_read_here_is_said_to_be_lost() {
    let mut world = World::new(117);
    let village = world.villages(INSPECTOR)[0];
    let (case, _) = world.phone(INSPECTOR).report(village, "渠水发黑");
    sync(&world, INSPECTOR);
    let before = world.store.inner().fork();
    let acknowledged = note(&world, INSPECTOR, case, "一");
    let phone = &world.phones[INSPECTOR];
    phone.link.cut_after(2);
    phone.sync().expect_err("the page did not come");
    let last = note(&world, INSPECTOR, case, "二");
    let of_acknowledged = states(phone, case).len() - 2;
    flip(phone, case, Flip::Body(of_acknowledged));
    // It has gone back, and nobody has told it so.
    let epoch = world.app.identity.epoch;
    restore(&mut world, before, epoch);
    for _ in 0..3 {
        sync(&world, INSPECTOR);
    }
    let phone = &world.phones[INSPECTOR];
    assert_eq!(codes(phone), [SPOILT]);
    assert_eq!(phone.replica.status().unwrap().refused, 1);
    assert!(stands(&world, case, last) && !stands(&world, case, acknowledged));
}

#[test]
fn a_phone_without_room_hands_in_what_stands_beside_what_lies_in_the_box_under_a_wrong_name() {
    for fault in [Fault::Full, Fault::Unwritable] {
        let mut world = World::new(116);
        let (case, _) = two_notes(&mut world);
        end_posts(&world, INSPECTOR);
        let phone = &world.phones[INSPECTOR];
        phone.sync().unwrap();
        world.app.put_directory(city()).unwrap();
        phone.sync().unwrap();
        let last = note(&world, INSPECTOR, case, "三");
        spoil_first(phone, HASH);
        let store = phone.replica.store();
        store.set_faults(Some(Box::new(move || Some(fault))));
        phone.sync().expect_err("nothing can be noted");
        assert!(stands(&world, case, last));
    }
}

#[test]
fn a_phone_without_room_makes_a_bundle_of_what_can_be_read() {
    for fault in [Fault::Full, Fault::Unwritable] {
        let mut scene = scene();
        let phone = &scene.world.phones[INSPECTOR];
        flip(phone, scene.case, Flip::Body(5));
        let store = phone.replica.store();
        store.set_faults(Some(Box::new(move || Some(fault))));
        let bundle = phone.replica.rescue_bundle().expect("it needs no room");
        let carrier = scene.world.phone("巡查员02");
        carrier.replica.carry(&bundle).expect("it is whole");
        carrier.sync().expect("the server answers");
        let there = audit::entries_of_sound(&scene.world.app).expect("they are sound");
        assert!(there.contains(&scene.own[2]));
    }
}

#[test]
fn what_goes_on_without_what_is_lost_does_not_wait_for_what_is_held() {
    let mut world = World::new(115);
    let village = world.villages(INSPECTOR)[0];
    let case = {
        let phone = world.phone(INSPECTOR);
        let (case, _) = phone.report(village, "路灯不亮");
        phone.sync().unwrap();
        case
    };
    let held = note(&world, INSPECTOR, case, "一");
    end_posts(&world, INSPECTOR);
    sync(&world, INSPECTOR);
    world.app.put_directory(city()).unwrap();
    sync(&world, INSPECTOR);
    let lost = note(&world, INSPECTOR, case, "二");
    let last = note(&world, INSPECTOR, case, "三");
    let phone = &world.phones[INSPECTOR];
    let of_lost = states(phone, case).len() - 2;
    flip(phone, case, Flip::Body(of_lost));
    phone.replica.case(case).unwrap();
    for _ in 0..2 {
        phone.sync().unwrap();
    }
    assert_eq!(world.held().len(), 1, "nobody has settled it");
    assert!(stands(&world, case, last));
    assert!(!stands(&world, case, held) && !stands(&world, case, lost));
}
