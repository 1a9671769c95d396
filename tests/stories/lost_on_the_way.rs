//! What the server said it had and has not comes again: a hole in the log of a phone's counters, or a missing dependency.

use std::sync::Arc;

use patrol_core::domain::action::Action;
use patrol_core::domain::capability::Role;
use patrol_core::domain::directory::{BeatId, Post, PostAt};
use patrol_core::domain::entry::{Body, Part};
use patrol_core::domain::id::{DeviceId, DocumentId, EntryId};
use patrol_core::domain::limits;
use patrol_core::store::{boxes, changes, documents};
use patrol_core::sync::wire::{Hello, Notice, Status};
use patrol_server::app::App;
use patrol_server::holes::{self, Ranges};
use patrol_server::store::faulty::{Break, Call};
use patrol_server::store::{Commit, FateRow};
use patrol_tests::world::{Phone, World};

const INSPECTOR: &str = "巡查员01";

/// How many changes of a document the server has.
fn len(world: &World, document: DocumentId) -> usize {
    let mut len = 0;
    world
        .app
        .store
        .read(&mut |snapshot| {
            len = snapshot
                .document(document)?
                .map_or(0, |stored| stored.changes.len());
            Ok(())
        })
        .unwrap();
    len
}

fn resends(phone: &Phone) -> Vec<Ranges> {
    asked_for(phone.replica.notices().unwrap())
}

/// What notices ask for again, a list for each.
fn asked_for(notices: Vec<(u64, Notice)>) -> Vec<Ranges> {
    let ranges = notices.into_iter().filter_map(|(_, notice)| match notice {
        Notice::Resend(ranges) => Some(ranges),
        _ => None,
    });
    ranges.collect()
}

/// A phone whose log at the server names these numbers.
fn logged(world: &World, numbers: impl Iterator<Item = u64>) -> DeviceId {
    let device = world.enrol_as(INSPECTOR, 1).device();
    let row = |n| FateRow {
        device,
        n,
        entry: EntryId([1; 16]),
        fate: "ok".to_owned(),
    };
    let commit = Commit {
        fates: numbers.map(row).collect(),
        ..Commit::default()
    };
    world.app.store.commit(&commit).unwrap();
    device
}

/// Looks once more at the log of a phone that has nothing left up to a number. Returns all that it has been told.
fn looked(world: &World, device: DeviceId, last_n: u64) -> Vec<Ranges> {
    let (mut known, mut told) = (None, Vec::new());
    let read = world.app.store.read(&mut |snapshot| {
        known = snapshot.device(device)?;
        Ok(())
    });
    read.unwrap();
    let hello = Hello {
        last_n,
        ..Hello::first(world.app.identity.epoch)
    };
    holes::look(&world.app, &known.unwrap(), &hello).unwrap();
    let read = world.app.store.read(&mut |snapshot| {
        told = snapshot.notices(device, 0)?;
        Ok(())
    });
    read.unwrap();
    asked_for(told)
}

#[test]
fn what_the_server_said_it_had_is_missed_by_its_number_and_comes_again_once() {
    let world = World::new(21);
    let village = world.villages(INSPECTOR)[0];
    let phone = world.enrol_as(INSPECTOR, 1);
    world.store.break_next(Call::Commit, Break::Lie);
    let (lost, _) = phone.report(village, "桥边垃圾");
    phone.sync().unwrap();
    // Nothing has been logged beyond it, so nobody can know.
    assert_eq!((len(&world, lost), resends(&phone)), (0, vec![]));
    let (kept, _) = phone.report(village, "路灯不亮");
    phone.sync().unwrap();
    assert!(len(&world, kept) > 0);

    // The next round says that nothing is left to push; that call of sync pushes what is missed.
    phone.sync().unwrap();
    assert_eq!(resends(&phone), [[(1, 1)]]);
    assert_eq!(phone.replica.status().unwrap().outbox, 0);
    assert!(len(&world, lost) > 0);
    phone.sync().unwrap();
    assert_eq!(phone.stage(lost), "reported");
    assert_eq!(resends(&phone).len(), 1);
}

#[test]
fn what_the_phone_no_longer_has_is_asked_for_once() {
    let world = World::new(22);
    let village = world.villages(INSPECTOR)[0];
    let phone = world.enrol_as(INSPECTOR, 1);
    for _ in 0..3 {
        phone.report(village, "桥边垃圾");
    }
    // A broken phone has lost the second of three.
    let forget = |transaction: &rusqlite::Transaction<'_>| {
        let second = changes::outbox(transaction, 0, 10)?.remove(1);
        let state = documents::state(transaction, second.document)?.unwrap();
        changes::remove(transaction, state.number, second.hash)
    };
    phone.replica.store().write(forget).unwrap();
    for _ in 0..4 {
        phone.sync().unwrap();
    }
    assert_eq!(resends(&phone), [[(2, 2)]]);
    // It is not asked for again after the server's start either.
    let app = App::open(world.store.clone(), world.app.environment.clone());
    phone.link.lead_to(Arc::new(app.unwrap()));
    phone.sync().unwrap();
    assert_eq!(resends(&phone).len(), 1);
    phone.report(village, "路灯不亮");
    phone.sync().unwrap();
    phone.sync().unwrap();
    assert_eq!(resends(&phone).len(), 1);
}

/// A case that a cadre has to fix, and his phone.
fn at_the_hall(world: &mut World) -> (DocumentId, Phone) {
    let village = world.villages(INSPECTOR)[0];
    let walker = world.enrol_as(INSPECTOR, 1);
    let (case, _) = walker.report(village, "井盖破损");
    walker.sync().unwrap();
    world.dispatch("受理派遣员01", case, &[(village.unit(), Part::Main)]);
    let hall = world.enrol_as(&world.cadre_of(village), 2);
    hall.sync().unwrap();
    (case, hall)
}

/// From now on the cadre walks a beat; of his old posts that is kept which `keep` leaves.
fn walks_a_beat(world: &World, phone: &Phone, keep: impl Fn(&mut Vec<Post>)) {
    let now = world.clock.now();
    let mut directory = world.app.known().directory.clone();
    let person = directory
        .people
        .iter_mut()
        .find(|person| person.id == phone.person)
        .unwrap();
    keep(&mut person.posts);
    person.posts.push(Post {
        role: Role::Inspector,
        at: PostAt::Beat(BeatId(1)),
        from: now,
        until: None,
    });
    world.app.put_directory(&directory).unwrap();
}

#[test]
fn a_held_change_that_the_server_has_lost_is_pushed_and_held_again() {
    let mut world = World::new(23);
    let (case, hall) = at_the_hall(&mut world);
    hall.resolve(case).unwrap();
    world.clock.advance_ms(60_000);
    let now = world.clock.now();
    walks_a_beat(&world, &hall, |posts| posts[0].until = Some(now));
    world.store.break_next(Call::Commit, Break::Lie);
    hall.sync().unwrap();
    assert_eq!(hall.replica.status().unwrap().held, 1);
    assert_eq!(world.held().len(), 0);
    // What comes later is logged, and shows that it is missing.
    hall.report(world.villages(INSPECTOR)[0], "路灯不亮");
    hall.sync().unwrap();
    hall.sync().unwrap();
    assert_eq!(resends(&hall), [[(1, 1)]]);
    assert_eq!(world.held().len(), 1);
    let status = hall.replica.status().unwrap();
    assert_eq!((status.outbox, status.held), (0, 1));
    assert_eq!(hall.stage(case), "dispatched");
}

#[test]
fn what_is_kept_back_in_the_refused_box_is_no_loss() {
    let mut world = World::new(25);
    let (case, hall) = at_the_hall(&mut world);
    hall.resolve(case).unwrap();
    let (assignment, _) = hall.assignment(case);
    let reject = Body {
        assignment: Some(assignment),
        words: Some("没有修好".into()),
        ..Body::default()
    };
    hall.act(case, Action::Reject, reject).unwrap();
    hall.report(world.villages(INSPECTOR)[0], "路灯不亮");
    // By a directory in which he never was a cadre, the first is refused; the second rests on it and is never pushed as it is.
    walks_a_beat(&world, &hall, Vec::clear);
    for _ in 0..3 {
        hall.sync().unwrap();
    }
    let kept_back = hall.replica.store().read(boxes::kept_back).unwrap();
    assert_eq!(kept_back, [1, 2]);
    assert_eq!(resends(&hall), [] as [Vec<(u64, u64)>; 0]);
}

#[test]
fn a_change_whose_own_dependency_the_server_has_lost_brings_it_along() {
    let world = World::new(24);
    let village = world.villages(INSPECTOR)[0];
    let phone = world.enrol_as(INSPECTOR, 1);
    world.store.break_next(Call::Commit, Break::Lie);
    let (case, _) = phone.report(village, "桥边垃圾");
    phone.sync().unwrap();
    phone.note(case, "已到现场").unwrap();
    phone.sync().unwrap();
    assert_eq!(phone.replica.status().unwrap().outbox, 0);
    assert!(len(&world, case) >= 2);
    assert_eq!(resends(&phone), [] as [Vec<(u64, u64)>; 0]);
}

#[test]
fn more_holes_than_one_notice_names_are_told_by_one_after_another() {
    let world = World::new(26);
    let device = logged(&world, (1..=200).map(|half| 2 * half));
    let told = [(); 5].map(|()| looked(&world, device, 400));
    assert_eq!(told.each_ref().map(Vec::len), [1, 2, 3, 4, 4]);
    let [.., told] = told;
    let lens: Vec<usize> = told.iter().map(Vec::len).collect();
    let most = limits::RESEND_RANGES_MAX;
    assert_eq!(lens, [most, most, most, 200 - 3 * most]);
    let odd: Ranges = (1..400).step_by(2).map(|n| (n, n)).collect();
    assert_eq!(told.concat(), odd);
}

#[test]
fn a_log_that_is_read_in_parts_is_read_to_its_end() {
    let world = World::new(27);
    let part = limits::LOG_ROWS as u64;
    let (lost, last) = (part + 200, part + 500);
    let device = logged(&world, (1..=last).filter(|n| *n != lost));
    let told = [(); 3].map(|()| looked(&world, device, last));
    let hole = vec![vec![(lost, lost)]];
    assert_eq!(told, [Vec::new(), hole.clone(), hole]);
}

#[test]
fn a_hello_speaks_of_the_numbers_up_to_its_own_last_alone() {
    let world = World::new(28);
    let device = logged(&world, [2, 5].into_iter());
    assert_eq!(looked(&world, device, 3), [[(1, 1)]]);
    // What is not said to be on the way any more is missed then.
    assert_eq!(looked(&world, device, 5), [[(1, 1)], [(3, 4)]]);
}

#[test]
fn what_a_phone_has_once_said_to_keep_back_is_missed_by_no_later_look() {
    let world = World::new(29);
    let device = logged(&world, [2].into_iter());
    let status = Status {
        kept_back: Some(vec![1]),
        ..Status::default()
    };
    let now = world.clock.now();
    world.app.store.note_contact(device, now, &status).unwrap();
    assert_eq!(looked(&world, device, 2), [] as [Ranges; 0]);
}
