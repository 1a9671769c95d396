//! A phone that lives twice, or goes back in time: both copies' work arrives, and the phone is told to enrol anew.

use patrol_core::domain::action::Action;
use patrol_core::domain::capability::Capability;
use patrol_core::domain::id::{DocumentId, EntryId, UnitId};
use patrol_core::replica::Replica;
use patrol_core::store::{changes, documents};
use patrol_core::sync::wire::Notice;
use patrol_tests::pushing::{change_of, entry_of, ledger_of};
use patrol_tests::simulation::audit;
use patrol_tests::world::{Phone, World};

const INSPECTOR: &str = "巡查员01";

fn entries(world: &World) -> std::collections::BTreeSet<EntryId> {
    audit::entries_of_sound(&world.app).expect("feeds and documents are sound")
}

fn is_told_to_enrol_anew(phone: &Phone) -> bool {
    let notices = phone.replica.notices().unwrap();
    notices.iter().any(|(_, notice)| *notice == Notice::ReEnrol)
}

#[test]
fn both_copies_of_a_phone_hand_in_all_their_work() {
    let mut world = World::new(31);
    let village = world.villages(INSPECTOR)[0];
    let (case, first) = world.phone(INSPECTOR).report(village, "桥头垃圾");
    world.phone(INSPECTOR).sync().unwrap();
    let copy = world.phone(INSPECTOR).replica.store().copy().unwrap();
    let twin = world.twin(&world.phones[INSPECTOR], copy, 9);
    // The same counters and the same places in the actor's chain, with other deeds.
    let mut done = vec![first];
    for (number, phone) in [&world.phones[INSPECTOR], &twin].into_iter().enumerate() {
        for turn in 0..3 {
            done.push(phone.note(case, &format!("第{number}部之{turn}")).unwrap());
        }
        done.push(phone.report(village, &format!("第{number}部另报")).1);
    }
    for _ in 0..3 {
        world.phones[INSPECTOR].sync().unwrap();
        twin.sync().unwrap();
    }
    let found = entries(&world);
    assert!(done.iter().all(|entry| found.contains(entry)));
    for phone in [&world.phones[INSPECTOR], &twin] {
        let status = phone.replica.status().unwrap();
        assert_eq!((status.outbox, status.refused, status.held), (0, 0, 0));
        assert_eq!(phone.replica.case(case).unwrap().reading.lines.len(), 7);
        assert!(is_told_to_enrol_anew(phone));
    }
}

#[test]
fn a_phone_restored_from_an_older_copy_goes_on_and_is_found_out() {
    let mut world = World::new(32);
    let village = world.villages(INSPECTOR)[0];
    let (case, _) = world.phone(INSPECTOR).report(village, "桥头垃圾");
    let old = world.phone(INSPECTOR).replica.store().copy().unwrap();
    let handed_in = world.phone(INSPECTOR).note(case, "已经交了").unwrap();
    world.phone(INSPECTOR).sync().unwrap();
    let machine = world.phones[INSPECTOR].machine.clone();
    world.phones.get_mut(INSPECTOR).unwrap().replica = Replica::on(old, machine);
    let again = world.phone(INSPECTOR).note(case, "恢复之后").unwrap();
    for _ in 0..3 {
        world.phone(INSPECTOR).sync().unwrap();
    }
    let found = entries(&world);
    assert!(found.contains(&handed_in) && found.contains(&again));
    assert!(is_told_to_enrol_anew(&world.phones[INSPECTOR]));
    assert_eq!(
        world.phones[INSPECTOR]
            .replica
            .case(case)
            .unwrap()
            .reading
            .lines
            .len(),
        3
    );
}

#[test]
fn a_phone_whose_clock_is_years_wrong_works_like_any_other() {
    let mut world = World::new(33);
    let village = world.villages(INSPECTOR)[0];
    let cadre = world.cadre_of(village);
    world.phone(INSPECTOR).sync().unwrap();
    for days in [-9_000, 9_000, 4_000_000, -9_000] {
        let machine = world.phone(INSPECTOR).machine.clone();
        machine.set_skew_ms(days * 86_400_000);
        if days < 0 {
            // Its battery was empty, and it knows no other time than its own.
            machine.reboot();
        }
        let (case, _) = world.phone(INSPECTOR).report(village, "钟不准");
        world.phone(INSPECTOR).sync().unwrap();
        world.phone(&cadre).sync().unwrap();
        // Who answers later stands later, whatever either clock says.
        let answer = world.phone(&cadre).note(case, "收到").unwrap();
        world.phone(&cadre).sync().unwrap();
        world.phone(INSPECTOR).sync().unwrap();
        for name in [INSPECTOR, cadre.as_str()] {
            let view = world.phones[name].replica.case(case).unwrap();
            assert_eq!(
                view.reading.lines.last().map(|line| line.id),
                Some(answer),
                "{days} days"
            );
            assert!(view.reading.anomalies.is_empty());
        }
    }
}

/// A buggy app records what only the office may.
fn recorded_unchecked(phone: &Phone, case: DocumentId, action: Action, capability: Capability) {
    let ledger = ledger_of(phone, case);
    let mut entry = entry_of(phone, &ledger, action.code(), UnitId::CITY, 50);
    entry.capability = capability.code();
    let bad = change_of(phone, &ledger, &entry, &[]);
    let put = phone.replica.store().write(|transaction| {
        let state = documents::state(transaction, case)?.expect("a document");
        changes::put_local(transaction, state.number, bad.hash, &bad.bytes)
    });
    put.expect("the store takes it");
}

#[test]
fn work_after_a_refused_deed_is_made_again_without_it() {
    let mut world = World::new(34);
    let village = world.villages(INSPECTOR)[0];
    let (case, _) = world.phone(INSPECTOR).report(village, "桥头垃圾");
    world.phone(INSPECTOR).sync().unwrap();
    let phone = &world.phones[INSPECTOR];
    // Closing does not fit a case that was only reported: the note after it does not rest on it.
    recorded_unchecked(phone, case, Action::Close, Capability::Close);
    let note = phone.note(case, "照常巡查").unwrap();
    let further = phone.note(case, "还是照常").unwrap();
    phone.sync().unwrap();
    let status = phone.replica.status().unwrap();
    assert_eq!((status.outbox, status.refused), (0, 1));
    let found = entries(&world);
    assert!(found.contains(&note) && found.contains(&further));
    assert_eq!(phone.replica.case(case).unwrap().reading.lines.len(), 3);
}

#[test]
fn what_rests_on_a_refused_deed_is_set_aside_with_it_and_new_work_goes_on() {
    let mut world = World::new(35);
    let village = world.villages(INSPECTOR)[0];
    let (case, _) = world.phone(INSPECTOR).report(village, "桥头垃圾");
    world.phone(INSPECTOR).sync().unwrap();
    let phone = &world.phones[INSPECTOR];
    // Accepting fits: the screen showed the case as accepted, and what was done then rests on that.
    recorded_unchecked(phone, case, Action::Accept, Capability::Accept);
    let resting = phone.note(case, "已受理，去看过").unwrap();
    phone.sync().unwrap();
    let boxed = phone.replica.boxed().unwrap();
    let codes: std::collections::BTreeSet<&str> =
        boxed.iter().map(|change| change.code.as_str()).collect();
    assert_eq!(
        codes.into_iter().collect::<Vec<_>>(),
        ["office_only", "quarantined"]
    );
    assert!(boxed.iter().any(|change| change.entry == Some(resting)));
    assert_eq!(phone.stage(case), "reported");
    let after = phone.note(case, "重新来过").unwrap();
    phone.sync().unwrap();
    let found = entries(&world);
    assert!(found.contains(&after) && !found.contains(&resting));
    assert_eq!(phone.replica.status().unwrap().outbox, 0);
}
