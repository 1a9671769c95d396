//! What rests on refused work and on held work at once. What rests on one of them alone is tried in `followers`, `hostile_phone` and `made_again`.

use patrol_core::doc::parse::{chunk_hash, parse};
use patrol_core::domain::action::Action;
use patrol_core::domain::refusal::Refusal;
use patrol_core::sync::wire::Fate;
use patrol_server::intake::{self, Carriage};
use patrol_tests::pushing::{change_of, entry_of, frame, push, push_as};
use patrol_tests::world::{World, matter};

use super::bounds::of_another_device;
use super::hostile_phone::{begun, note, revoke, village_of};
use super::made_again::beside;
use super::outcomes::kept;
use super::standing::let_in_again;

const INSPECTOR: &str = "巡查员01";

#[test]
fn in_a_bundle_what_does_not_rest_on_what_is_refused_beside_it_is_not_refused_with_it() {
    let mut world = World::new(516);
    let (case, mut ledger) = begun(&mut world);
    let phone = &world.phones[INSPECTOR];
    let forged = of_another_device(phone, &ledger, 2);
    let unseen = chunk_hash(&note(phone, &mut ledger, 3));
    let after = note(phone, &mut ledger, 4);
    let payload = frame(phone, &[(case, forged), (case, after)], (2, 4));
    let outcome =
        intake::take_in_by(&world.app, phone.device(), &payload, Carriage::Carried).unwrap();
    let refused = Fate::Refused(Refusal::ForeignPerson);
    let missing = Fate::Missing(vec![unseen]);
    assert_eq!(outcome.fates, Ok(vec![refused, missing]));
}

#[test]
fn in_a_bundle_what_rests_on_refused_work_is_refused_though_it_follows_held_work_too() {
    // Nor does it wait for what nobody has, in vain.
    for misses_more in [false, true] {
        let mut world = World::new(520);
        let (case, mut ledger) = begun(&mut world);
        let phone = &world.phones[INSPECTOR];
        let forged = of_another_device(phone, &ledger, 2);
        let unseen = beside(phone, &ledger, 5, "旁");
        let held = note(phone, &mut ledger, 3);
        if misses_more {
            ledger.push(unseen).unwrap();
        }
        ledger.push(parse(&forged).unwrap()).unwrap();
        let after = note(phone, &mut ledger, 4);
        revoke(&world, phone);
        let items = [forged, held, after].map(|body| (case, body));
        let payload = frame(phone, &items, (2, 4));
        let outcome =
            intake::take_in_by(&world.app, phone.device(), &payload, Carriage::Carried).unwrap();
        let [forged, after] = [Refusal::ForeignPerson, Refusal::Quarantined].map(Fate::Refused);
        assert_eq!(outcome.fates, Ok(vec![forged, Fate::Review, after]));
    }
}

#[test]
fn in_a_bundle_what_rests_on_refused_work_by_a_deed_that_stands_is_refused() {
    let mut world = World::new(521);
    let (case, mut ledger) = begun(&mut world);
    let mut there = ledger.clone();
    let phone = &world.phones[INSPECTOR];
    let forged = of_another_device(phone, &ledger, 2);
    let held = note(phone, &mut ledger, 3);
    ledger.push(parse(&forged).unwrap()).unwrap();
    let stands = note(phone, &mut ledger, 4);
    let_in_again(&world, phone, &mut there, [&stands]);
    let after = note(phone, &mut ledger, 5);
    revoke(&world, phone);
    let items = [forged, held, stands, after].map(|body| (case, body));
    let payload = frame(phone, &items, (2, 5));
    let outcome =
        intake::take_in_by(&world.app, phone.device(), &payload, Carriage::Carried).unwrap();
    let [forged, after] = [Refusal::ForeignPerson, Refusal::Quarantined].map(Fate::Refused);
    let fates = vec![forged, Fate::Review, Fate::Dup, after];
    assert_eq!(outcome.fates, Ok(fates));
    assert_eq!(world.held().len(), 1);
}

#[test]
fn what_follows_held_work_is_held_though_it_builds_on_what_nobody_has_too() {
    let mut world = World::new(522);
    let (case, mut ledger) = begun(&mut world);
    let phone = &world.phones[INSPECTOR];
    let unseen = beside(phone, &ledger, 2, "旁");
    let held = note(phone, &mut ledger, 3);
    ledger.push(unseen).unwrap();
    let after = note(phone, &mut ledger, 4);
    revoke(&world, phone);
    let fates = push(&world.app, phone, &[(case, held), (case, after)]);
    assert_eq!(fates, Ok(vec![Fate::Review; 2]));
}

#[test]
fn what_follows_held_work_is_held_with_all_that_it_writes() {
    let mut world = World::new(523);
    let (case, mut ledger) = begun(&mut world);
    let phone = &world.phones[INSPECTOR];
    let held = note(phone, &mut ledger, 2);
    let entry = entry_of(phone, &ledger, Action::Amend.code(), village_of(&ledger), 3);
    let fields = matter(world.villages(INSPECTOR)[0], "桥头");
    let amended = change_of(phone, &ledger, &entry, &fields).bytes;
    revoke(&world, phone);
    let fates = push(&world.app, phone, &[(case, held), (case, amended)]);
    assert_eq!(fates, Ok(vec![Fate::Review; 2]));
}

#[test]
fn what_lies_in_the_box_is_no_reason_to_keep_the_proof_of_a_frame_that_is_refused() {
    let mut world = World::new(524);
    let (case, mut ledger) = begun(&mut world);
    let phone = &world.phones[INSPECTOR];
    let forged = of_another_device(phone, &ledger, 2);
    let held = note(phone, &mut ledger, 3);
    revoke(&world, phone);
    let first = push(&world.app, phone, &[(case, held.clone())]);
    assert_eq!(first, Ok(vec![Fate::Review]));
    let before = kept(&world);
    let fates = push_as(&world.app, phone, &[(case, held), (case, forged)], (3, 3));
    let refused = Fate::Refused(Refusal::ForeignPerson);
    assert_eq!(fates, Ok(vec![Fate::Review, refused]));
    assert_eq!(kept(&world), before);
}
