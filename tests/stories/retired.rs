//! A case that was closed long ago leaves the phones, comes back with its next entry, and is never out of anybody's right.

use patrol_core::domain::action::Action;
use patrol_core::domain::entry::{Body, Part, Verdict};
use patrol_core::domain::id::DocumentId;
use patrol_core::domain::limits;
use patrol_core::domain::time::DAY_MS;
use patrol_core::error::Error;
use patrol_server::office;
use patrol_server::retire::retire_ended;
use patrol_server::store::CaseQuery;
use patrol_tests::world::World;

const INSPECTOR: &str = "巡查员01";
const DISPATCHER: &str = "受理派遣员01";

/// A case that was fixed, checked and closed, and that both phones have seen so.
fn closed(world: &mut World) -> (DocumentId, String) {
    let village = world.villages(INSPECTOR)[0];
    let cadre = world.cadre_of(village);
    let (case, _) = world.phone(INSPECTOR).report(village, "桥边垃圾");
    world.phone(INSPECTOR).sync().unwrap();
    world.dispatch(DISPATCHER, case, &[(village.unit(), Part::Main)]);
    world.phone(&cadre).sync().unwrap();
    world.phone(&cadre).resolve(case).unwrap();
    world.phone(&cadre).sync().unwrap();
    world.phone(INSPECTOR).sync().unwrap();
    let phone = world.phone(INSPECTOR);
    phone.check(case, Verdict::Passed).unwrap();
    world.phone(INSPECTOR).sync().unwrap();
    world
        .office(DISPATCHER, case, Action::Close, Body::default())
        .unwrap();
    for name in [INSPECTOR, &cadre] {
        world.phone(name).sync().unwrap();
        assert_eq!(world.phone(name).stage(case), "closed");
    }
    (case, cadre)
}

fn words(words: &str) -> Body {
    Body {
        words: Some(words.to_owned()),
        ..Body::default()
    }
}

#[test]
fn a_case_leaves_the_phones_ninety_days_after_it_was_closed_and_returns_with_its_next_entry() {
    let mut world = World::new(31);
    let (case, cadre) = closed(&mut world);
    let village = world.villages(INSPECTOR)[0];
    let (open, _) = world.phone(INSPECTOR).report(village, "路灯不亮");
    world.phone(INSPECTOR).sync().unwrap();
    world
        .clock
        .advance_ms(limits::CLOSED_FEED_DAYS * DAY_MS - 1_000);
    assert_eq!(retire_ended(&world.app, world.clock.now()).unwrap(), 0);
    world.clock.advance_ms(2_000);
    assert_eq!(retire_ended(&world.app, world.clock.now()).unwrap(), 1);
    assert_eq!(retire_ended(&world.app, world.clock.now()).unwrap(), 0);
    for name in [INSPECTOR, &cadre] {
        world.phone(name).sync().unwrap();
        let gone = world.phone(name).replica.case(case);
        assert!(matches!(gone, Err(Error::NotFound)), "{name}: {gone:?}");
    }
    assert_eq!(world.phone(INSPECTOR).stage(open), "reported");

    // Whoever might see it still may, and finds it in lists by scope.
    let person = world.person(&cadre);
    assert!(office::view(&world.app, person, case).is_ok());
    let scopes =
        office::visible_scopes(&world.app, person).map(|scopes| scopes.into_iter().collect());
    let query = CaseQuery {
        scopes,
        limit: 10,
        ..CaseQuery::default()
    };
    let mut listed = false;
    world
        .app
        .store
        .read(&mut |snapshot| {
            listed = snapshot.cases(&query)?.iter().any(|(id, _)| *id == case);
            Ok(())
        })
        .unwrap();
    assert!(listed);

    world
        .office(DISPATCHER, case, Action::Note, words("回访过"))
        .unwrap();
    for name in [INSPECTOR, &cadre] {
        world.phone(name).sync().unwrap();
        assert_eq!(world.phone(name).stage(case), "closed");
    }
}

#[test]
fn work_on_a_case_that_has_left_is_handed_in_first_and_brings_it_back() {
    let mut world = World::new(32);
    let (case, cadre) = closed(&mut world);
    world.phone(&cadre).note(case, "又有人倒垃圾").unwrap();
    world.clock.advance_ms(100 * DAY_MS);
    assert_eq!(retire_ended(&world.app, world.clock.now()).unwrap(), 1);
    world.phone(INSPECTOR).sync().unwrap();
    assert!(world.phone(INSPECTOR).replica.case(case).is_err());
    for name in [&cadre, INSPECTOR] {
        world.phone(name).sync().unwrap();
        let view = world.phone(name).replica.case(case).unwrap();
        let last = view.reading.lines.last().unwrap();
        assert_eq!(
            last.entry.body.words.as_deref(),
            Some("又有人倒垃圾"),
            "{name}"
        );
    }
}

#[test]
fn a_clock_that_jumps_two_years_takes_no_more_than_a_step_out_of_the_feeds() {
    let mut world = World::new(33);
    let (case, _) = closed(&mut world);
    let now = world.clock.now();
    assert_eq!(retire_ended(&world.app, now).unwrap(), 0);
    let wrong = now.plus_ms(730 * DAY_MS);
    for _ in 0..3 {
        assert_eq!(retire_ended(&world.app, wrong).unwrap(), 0);
    }
    world.phone(INSPECTOR).sync().unwrap();
    assert_eq!(world.phone(INSPECTOR).stage(case), "closed");
    // Were it right, the age would be caught up with, a step a day.
    let runs = (0..).find(|_| retire_ended(&world.app, wrong).unwrap() > 0);
    let behind = limits::CLOSED_FEED_DAYS * DAY_MS / limits::RETIRE_STEP_MS;
    assert_eq!(runs, Some(behind - 3));
}
