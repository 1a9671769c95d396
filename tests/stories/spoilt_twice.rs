//! A phone's mending in courses of their own: twice at the same place, by the first deed after it, beside another program, while nobody listens.
//!
//! Each kind of flip in every usual course is in `spoilt_on_a_phone.rs`.

use patrol_core::error::Error;
use patrol_core::store::boxes::BoxState;
use patrol_core::store::{changes as stored, feed};
use patrol_core::sync::wire::SPOILT;
use patrol_tests::link::Moment;
use patrol_tests::simulation::audit;

use super::spoilt_on_a_phone::{Flip, changes, codes, flip, is_whole, note, scene, sync};

const INSPECTOR: &str = "巡查员01";

#[test]
fn nothing_is_pushed_before_what_was_spoilt_has_been_listed() {
    let scene = scene();
    let phone = &scene.world.phones[INSPECTOR];
    // A copy makes another change at the same place: this phone's will be forked, and made again on what is here by then.
    let twin = scene
        .world
        .twin(phone, phone.replica.store().copy().unwrap(), 9);
    twin.note(scene.case, "副本").unwrap();
    let hers = note(&scene.world, INSPECTOR, scene.case, "三");
    twin.sync().unwrap();
    flip(phone, scene.case, Flip::Body(0));
    phone.replica.case(scene.case).unwrap();
    for _ in 0..2 {
        sync(&scene.world, INSPECTOR);
    }
    assert_eq!(codes(phone), [] as [String; 0]);
    let there = audit::entries_of_sound(&scene.world.app).unwrap();
    assert!(there.contains(&hers));
}

#[test]
fn what_is_spoilt_twice_goes_up_in_one_call_but_for_what_is_lost() {
    let scene = scene();
    let phone = &scene.world.phones[INSPECTOR];
    flip(phone, scene.case, Flip::Body(0));
    flip(phone, scene.case, Flip::Body(5));
    sync(&scene.world, INSPECTOR);
    assert_eq!(phone.replica.status().unwrap().outbox, 0);
    for name in [INSPECTOR, &scene.cadre] {
        sync(&scene.world, name);
    }
    is_whole(&scene, &[scene.own[3]], "twice");
}

#[test]
fn what_follows_a_lost_deed_is_there_before_any_call() {
    let scene = scene();
    let phone = &scene.world.phones[INSPECTOR];
    flip(phone, scene.case, Flip::Body(5));
    let view = phone.replica.case(scene.case).unwrap();
    let has = |entry| view.reading.lines.iter().any(|line| line.id == entry);
    assert!(has(scene.own[4]) && !has(scene.own[3]));
    assert_eq!(phone.replica.status().unwrap().outbox, 1);
    assert_eq!(codes(phone), [SPOILT]);
}

#[test]
fn the_first_deed_after_a_flip_mends_what_it_meets() {
    let scene = scene();
    flip(&scene.world.phones[INSPECTOR], scene.case, Flip::Body(2));
    let more = note(&scene.world, INSPECTOR, scene.case, "三");
    for name in [INSPECTOR, INSPECTOR, &scene.cadre] {
        sync(&scene.world, name);
    }
    is_whole(&scene, &[], "by a deed");
    let there = audit::entries_of_sound(&scene.world.app).unwrap();
    assert!(there.contains(&more));
}

#[test]
fn a_listing_as_it_is_meets_what_is_here_under_a_wrong_name() {
    let scene = scene();
    for name in [INSPECTOR, &scene.cadre] {
        sync(&scene.world, name);
    }
    let phone = &scene.world.phones[&scene.cadre];
    flip(phone, scene.case, Flip::Hash(2));
    let write = phone.replica.store().write(|transaction| {
        for scope in feed::scopes(transaction)? {
            feed::relist(transaction, scope.number)?;
        }
        Ok(transaction.execute("UPDATE enrolment SET raw_pages = 1", [])?)
    });
    assert_eq!(write.unwrap(), 1);
    for name in [&scene.cadre, &scene.cadre, INSPECTOR] {
        sync(&scene.world, name);
    }
    let other = &scene.world.phones[INSPECTOR];
    assert_eq!(changes(phone, scene.case), changes(other, scene.case));
}

#[test]
fn a_deed_after_the_mending_counts_on_under_a_name_of_its_own() {
    let scene = scene();
    let phone = &scene.world.phones[INSPECTOR];
    flip(phone, scene.case, Flip::Body(4));
    phone.replica.case(scene.case).unwrap();
    note(&scene.world, INSPECTOR, scene.case, "三");
    let unplaced = phone.replica.store().read(stored::unplaced).unwrap();
    let (_, _, made) = unplaced.into_iter().next_back().unwrap();
    for _ in 0..2 {
        sync(&scene.world, INSPECTOR);
    }
    assert!(
        changes(phone, scene.case).contains(&made),
        "nobody made it again"
    );
}

#[test]
fn an_answer_under_way_when_another_program_mends_is_not_taken_in() {
    let scene = scene();
    let phone = &scene.world.phones[INSPECTOR];
    let (beside, case) = (scene.world.beside(phone, 2), scene.case);
    let mends = move || {
        flip(&beside, case, Flip::Body(0));
        beside.replica.case(case).unwrap();
    };
    phone
        .link
        .meanwhile(Some((Moment::Answered, Box::new(mends))));
    let overtaken = phone.sync();
    assert!(matches!(overtaken, Err(Error::Overtaken)), "{overtaken:?}");
    for name in [INSPECTOR, INSPECTOR, &scene.cadre] {
        sync(&scene.world, name);
    }
    is_whole(&scene, &[], "beside another program");
}

#[test]
fn a_lost_deed_that_a_person_has_dealt_with_is_told_no_more_and_keeps_nothing() {
    let scene = scene();
    let phone = &scene.world.phones[INSPECTOR];
    flip(phone, scene.case, Flip::Body(0));
    flip(phone, scene.case, Flip::Body(5));
    phone.replica.case(scene.case).unwrap();
    let boxed = phone.replica.boxed().unwrap();
    let lost = boxed.iter().find(|row| row.state == BoxState::Refused);
    phone.replica.dismiss(lost.unwrap().id).unwrap();
    for _ in 0..2 {
        sync(&scene.world, INSPECTOR);
    }
    let there = audit::entries_of_sound(&scene.world.app).unwrap();
    assert!(
        there.contains(&scene.own[4]),
        "it does not wait for what is lost"
    );
    let told = patrol_server::devices::list(&scene.world.app).unwrap();
    let told = serde_json::to_value(&told).unwrap();
    let mut devices = told.as_array().unwrap().iter();
    assert!(devices.all(|device| device["last_error"] != SPOILT));
}
