//! One case, from a phone without a signal to the office, to the village that fixes, to the check, to the closing, and back.

use patrol_core::domain::action::Action;
use patrol_core::domain::entry::{Body, Part, Verdict};
use patrol_core::replica::SyncState;
use patrol_tests::link::Mishap;
use patrol_tests::world::World;

const INSPECTOR: &str = "巡查员01";
const DISPATCHER: &str = "受理派遣员01";

#[test]
fn a_case_travels_from_a_phone_to_the_office_and_back() {
    let mut world = World::new(1);
    let village = world.villages(INSPECTOR)[0];
    let cadre = world.cadre_of(village);
    let (case, _) = world
        .phone(INSPECTOR)
        .report(village, "桥头东侧路边堆放垃圾，影响通行");
    assert_eq!(
        world
            .phone(INSPECTOR)
            .replica
            .case(case)
            .unwrap()
            .sync
            .state,
        SyncState::SavedHere
    );

    let summary = world.phone(INSPECTOR).sync().unwrap();
    assert_eq!((summary.rounds, summary.pushed), (1, 1));
    let view = world.phone(INSPECTOR).replica.case(case).unwrap();
    assert_eq!(view.sync.state, SyncState::Applied);
    assert_eq!(view.row.number.as_deref(), Some("2026-000001"));

    world.dispatch(DISPATCHER, case, &[(village.unit(), Part::Main)]);
    world.phone(&cadre).sync().unwrap();
    assert_eq!(world.phone(&cadre).stage(case), "dispatched");
    world.phone(&cadre).resolve(case).unwrap();
    world.phone(&cadre).sync().unwrap();
    assert_eq!(world.stage(case), "resolved");

    world.phone(INSPECTOR).sync().unwrap();
    let phone = world.phone(INSPECTOR);
    phone.check(case, Verdict::Passed).unwrap();
    world.phone(INSPECTOR).sync().unwrap();
    assert_eq!(world.stage(case), "awaiting_close");
    world
        .office(DISPATCHER, case, Action::Close, Body::default())
        .unwrap();
    for name in [INSPECTOR, &cadre] {
        world.phone(name).sync().unwrap();
        assert_eq!(world.phone(name).stage(case), "closed");
    }
}

#[test]
fn the_office_sees_what_is_amiss_on_a_phone_and_that_it_is_over() {
    let mut world = World::new(2);
    let device = world.phone(INSPECTOR).device();
    let told = |world: &World| {
        let mut told = None;
        let look = world.app.store.read(&mut |snapshot| {
            told = snapshot
                .device(device)?
                .and_then(|device| device.status.last_error);
            Ok(())
        });
        look.map(|()| told).unwrap()
    };
    world.phone(INSPECTOR).link.expect(Mishap::Unreachable);
    world.phone(INSPECTOR).sync().unwrap_err();
    world.phone(INSPECTOR).sync().unwrap();
    assert_eq!(told(&world).as_deref(), Some("offline"));
    world.phone(INSPECTOR).sync().unwrap();
    assert_eq!(told(&world), None);
}
