//! An inspector walks another beat from today: what the server took before is never asked of him again.

use std::sync::{Arc, Mutex};

use patrol_core::domain::directory::{BeatId, PostAt};
use patrol_core::domain::id::{DocumentId, PersonId};
use patrol_core::domain::limits;
use patrol_core::sync::wire::{Fate, Unread};
use patrol_server::app::App;
use patrol_tests::link::{Mishap, Moment};
use patrol_tests::pushing::{ledger_of, push};
use patrol_tests::world::{Phone, World};

use super::bounds::stripped;
use super::hostile_phone::note;

const INSPECTOR: &str = "巡查员01";

/// Puts somebody on another beat, as if he had never walked the old one.
fn move_away(app: &App, person: PersonId) {
    let mut directory = app.known().directory.clone();
    let mut people = directory.people.iter_mut();
    let mover = people.find(|known| known.id == person).unwrap();
    mover.posts[0].at = PostAt::Beat(BeatId(2));
    app.put_directory(&directory).unwrap();
}

/// A village hall, an inspector whose phone has a case of the hall's, and that case.
fn told_of_a_case(world: &World) -> (Phone, Phone, DocumentId) {
    let village = world.villages(INSPECTOR)[0];
    let hall = world.enrol_as(&world.cadre_of(village), 1);
    let (case, _) = hall.report(village, "桥边垃圾");
    hall.sync().unwrap();
    let walker = world.enrol_as(INSPECTOR, 2);
    walker.sync().unwrap();
    (hall, walker, case)
}

#[test]
fn what_was_taken_before_the_scope_was_lost_is_told_to_be_there_when_it_is_pushed_again() {
    let world = World::new(41);
    let (hall, walker, case) = told_of_a_case(&world);
    walker.note(case, "已到现场").unwrap();
    walker.link.expect(Mishap::ResponseLost);
    assert!(walker.sync().is_err());

    // The case is now hidden from him.
    move_away(&world.app, walker.person);
    walker.sync().unwrap();
    let status = walker.replica.status().unwrap();
    assert_eq!((status.outbox, status.refused, status.held), (0, 0, 0));
    assert!(walker.replica.case(case).is_err());
    hall.sync().unwrap();
    let view = hall.replica.case(case).unwrap();
    let words = view.reading.lines.last().unwrap().entry.body.words.clone();
    assert_eq!(words.as_deref(), Some("已到现场"));
}

#[test]
fn who_loses_a_beat_between_two_pages_gets_nothing_more_of_it_and_the_new_one_in_the_same_call() {
    let world = World::new(42);
    let village = world.villages(INSPECTOR)[0];
    let hall = world.enrol_as(&world.cadre_of(village), 1);
    let elsewhere = world.villages("巡查员02")[0];
    let other = world.enrol_as(&world.cadre_of(elsewhere), 2);
    for number in 0..3 {
        hall.report(village, &format!("第{number}件"));
    }
    let (case, _) = other.report(elsewhere, "新片区的");
    hall.sync().unwrap();
    other.sync().unwrap();

    let walker = world.enrol_as(INSPECTOR, 3);
    walker.link.set_page_bytes(1);
    let (app, person, reporter) = (Arc::clone(&world.app), walker.person, hall);
    let moves = move || {
        move_away(&app, person);
        reporter.report(village, "他走以后的");
        reporter.sync().unwrap();
    };
    drop(walker.link.listen());
    let meanwhile = (Moment::Paged, Box::new(moves) as _);
    walker.link.meanwhile(Some(meanwhile));
    walker.sync().unwrap();
    let heard = walker.link.listen();
    let tells = |words: &str| {
        let words = words.as_bytes();
        let mut windows = heard.iter().flat_map(|frame| frame.windows(words.len()));
        windows.any(|window| window == words)
    };
    let first = (0..3).filter(|number| tells(&format!("第{number}件")));
    assert_eq!((first.count(), tells("他走以后的")), (1, false));
    let cases = walker.replica.list("case", 0, 9).unwrap();
    assert_eq!(cases.iter().map(|row| row.id).collect::<Vec<_>>(), [case]);
}

#[test]
fn who_loses_a_beat_between_two_pages_of_a_busy_server_comes_again_when_it_says() {
    let world = World::new(43);
    let village = world.villages(INSPECTOR)[0];
    let hall = world.enrol_as(&world.cadre_of(village), 1);
    for number in 0..3 {
        hall.report(village, &format!("第{number}件"));
    }
    hall.sync().unwrap();

    let walker = world.enrol_as(INSPECTOR, 2);
    walker.link.set_page_bytes(1);
    let works = Arc::new(Mutex::new(Vec::new()));
    let (app, person, begun) = (Arc::clone(&world.app), walker.person, Arc::clone(&works));
    let moves = move || {
        move_away(&app, person);
        let many = (0..=limits::WORKS_BUSY).map(|_| app.begin_work());
        begun.lock().unwrap().extend(many);
    };
    let meanwhile = (Moment::Paged, Box::new(moves) as _);
    walker.link.meanwhile(Some(meanwhile));
    let summary = walker.sync().unwrap();
    let asked = summary.retry_after_ms.expect("the server is busy");
    assert!(asked >= limits::BUSY_RETRY_MS, "{asked} ms");
    assert_eq!(
        (summary.rounds, works.lock().unwrap().len()),
        (1, limits::WORKS_BUSY + 1)
    );
}

#[test]
fn how_long_a_document_is_that_one_may_not_know_of_is_not_told_by_what_can_be_rebuilt() {
    let world = World::new(44);
    let (_, walker, case) = told_of_a_case(&world);
    let mut ledger = ledger_of(&walker, case);
    let note = note(&walker, &mut ledger, 2);
    move_away(&world.app, walker.person);
    // All that the server would need is there; where a document is not, it is the same answer.
    assert_eq!(stripped(&world, &walker, &ledger, 0), Err(Unread::Rebuild));
    let fates = push(&world.app, &walker, &[(case, note)]);
    assert!(matches!(fates.unwrap()[..], [Fate::Missing(_)]));
}
