//! An inspector walks another beat from today: what the server took before is never asked of him again.

use patrol_core::domain::directory::{BeatId, PostAt};
use patrol_tests::link::Mishap;
use patrol_tests::world::World;

const INSPECTOR: &str = "巡查员01";

#[test]
fn what_was_taken_before_the_scope_was_lost_is_told_to_be_there_when_it_is_pushed_again() {
    let world = World::new(41);
    let village = world.villages(INSPECTOR)[0];
    let hall = world.enrol_as(&world.cadre_of(village), 1);
    let (case, _) = hall.report(village, "桥边垃圾");
    hall.sync().unwrap();
    let walker = world.enrol_as(INSPECTOR, 2);
    walker.sync().unwrap();
    walker.note(case, "已到现场").unwrap();
    walker.link.expect(Mishap::ResponseLost);
    assert!(walker.sync().is_err());

    // As if he had never walked the old beat: the case is now hidden from him.
    let mut directory = world.app.known().directory.clone();
    for person in &mut directory.people {
        if person.id == walker.person {
            person.posts[0].at = PostAt::Beat(BeatId(2));
        }
    }
    world.app.put_directory(&directory).unwrap();
    walker.sync().unwrap();
    let status = walker.replica.status().unwrap();
    assert_eq!((status.outbox, status.refused, status.held), (0, 0, 0));
    assert!(walker.replica.case(case).is_err());
    hall.sync().unwrap();
    let view = hall.replica.case(case).unwrap();
    let words = view.reading.lines.last().unwrap().entry.body.words.clone();
    assert_eq!(words.as_deref(), Some("已到现场"));
}
