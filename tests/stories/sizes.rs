//! How much one request carries up: what has become of the one before decides, and nothing else.

use std::future::Future as _;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use patrol_core::domain::limits;
use patrol_core::error::Error;
use patrol_core::replica::Cancel;
use patrol_core::store::{Fault, Faults, enrolment, feed};
use patrol_core::sync::transport::{Request, Response, Transport, Unreachable, Waiting};
use patrol_server::check;
use patrol_server::store::sqlite::backup;
use patrol_tests::link::Mishap;
use patrol_tests::served::Folder;
use patrol_tests::world::{Phone, World};

use super::gone_back::{begin_epoch, open, phone_of};

const INSPECTOR: &str = "巡查员01";

/// A server that takes a connection and then says nothing.
struct Silent;

impl Transport for Silent {
    fn send(&self, _: Request) -> Waiting<'_, Result<Box<dyn Response>, Unreachable>> {
        Box::pin(std::future::pending())
    }
}

fn frame_bytes(phone: &Phone) -> usize {
    let state = phone.replica.store().read(enrolment::round_state);
    state.unwrap().frame_bytes
}

fn set_frame_bytes(phone: &Phone, bytes: usize) {
    let set = phone.replica.store().write(|transaction| {
        let mut state = enrolment::round_state(transaction)?;
        state.frame_bytes = bytes;
        enrolment::put_round_state(transaction, &state)
    });
    set.unwrap();
}

/// A phone that has much to push, for a request that is not full.
fn with_much_to_say(world: &mut World) -> &Phone {
    let village = world.villages(INSPECTOR)[0];
    let phone = world.phone(INSPECTOR);
    phone.sync().unwrap();
    let words = "积".repeat(300);
    for _ in 0..30 {
        phone.report(village, &words);
    }
    phone
}

#[test]
fn a_little_that_goes_up_or_does_not_says_nothing_of_a_line() {
    let mut world = World::new(31);
    let village = world.villages(INSPECTOR)[0];
    let phone = world.phone(INSPECTOR);
    let first = limits::PUSH_FRAME_BYTES_FIRST;
    phone.sync().unwrap();
    assert_eq!(frame_bytes(phone), first, "nothing went up");
    phone.report(village, "路灯不亮");
    phone.link.expect(Mishap::ResponseLost);
    assert!(phone.sync().is_err());
    assert_eq!(frame_bytes(phone), first);
    phone.sync().unwrap();
    assert_eq!(frame_bytes(phone), first);
}

#[test]
fn what_did_not_go_up_whole_is_tried_with_less() {
    let first = limits::PUSH_FRAME_BYTES_FIRST;
    let mut world = World::new(33);
    let phone = with_much_to_say(&mut world);
    phone.link.expect(Mishap::Portal);
    assert!(phone.sync().is_err());
    assert_eq!(frame_bytes(phone), first, "nothing of the line");
    phone.link.expect(Mishap::ResponseLost);
    assert!(phone.sync().is_err());
    assert_eq!(frame_bytes(phone), first / 2, "nothing was heard");
    phone.link.cut_after(2);
    assert!(phone.sync().is_err());
    assert_eq!(frame_bytes(phone), first / 4, "not all was heard");
    phone.sync().unwrap();
    assert_eq!(frame_bytes(phone), first / 4);
    assert_eq!(phone.replica.status().unwrap().outbox, 0);
}

#[test]
fn what_went_up_whole_has_gone_up_though_the_answer_is_cut_behind_its_fates() {
    let mut world = World::new(34);
    let phone = with_much_to_say(&mut world);
    phone.link.cut_after(3);
    assert!(phone.sync().is_err());
    assert_eq!(phone.replica.status().unwrap().outbox, 0);
    assert_eq!(frame_bytes(phone), limits::PUSH_FRAME_BYTES_FIRST);
}

#[test]
fn a_call_that_is_cancelled_or_killed_on_its_way_is_tried_with_less() {
    let mut world = World::new(35);
    let phone = with_much_to_say(&mut world);
    let cancel = Cancel::default();
    let mut context = Context::from_waker(Waker::noop());
    {
        let mut sync = pin!(phone.replica.sync(&Silent, &cancel, &|_| ()));
        assert!(sync.as_mut().poll(&mut context).is_pending());
        cancel.cancel();
        assert!(sync.as_mut().poll(&mut context).is_ready());
    }
    let first = limits::PUSH_FRAME_BYTES_FIRST;
    assert_eq!(frame_bytes(phone), first / 2);
    let cancel = Cancel::default();
    {
        let mut killed = pin!(phone.replica.sync(&Silent, &cancel, &|_| ()));
        assert!(killed.as_mut().poll(&mut context).is_pending());
    }
    assert_eq!(frame_bytes(phone), first / 4);
}

#[test]
fn a_request_carries_sixteen_times_its_first_frame_and_no_more() {
    let mut world = World::new(32);
    let village = world.villages(INSPECTOR)[0];
    let phone = world.phone(INSPECTOR);
    phone.sync().unwrap();
    // Nearly twice what the smallest frames let one request carry.
    let words = "积".repeat(300);
    for _ in 0..50 {
        phone.report(village, &words);
    }
    set_frame_bytes(phone, limits::PUSH_FRAME_BYTES_MIN);
    let summary = phone.sync().unwrap();
    assert_eq!((summary.pushed, summary.rounds), (50, 2));
    // Full the first time, and far from it the second.
    assert_eq!(frame_bytes(phone), 2 * limits::PUSH_FRAME_BYTES_MIN);
}

#[test]
fn a_page_that_cannot_be_applied_says_nothing_of_what_went_up() {
    let mut world = World::new(37);
    let phone = with_much_to_say(&mut world);
    phone.link.spoil_pages(1);
    let summary = phone.sync().unwrap();
    // The next one came raw.
    assert_eq!(summary.rounds, 2);
    assert_eq!(frame_bytes(phone), limits::PUSH_FRAME_BYTES_FIRST);
    assert_eq!(phone.replica.status().unwrap().last_error, None);
}

#[test]
fn after_a_raw_page_that_cannot_be_applied_everything_is_listed_anew() {
    let mut world = World::new(38);
    let phone = with_much_to_say(&mut world);
    phone.sync().unwrap();
    let is_fresh = || {
        let scopes = phone.replica.store().read(feed::scopes).unwrap();
        scopes.iter().all(|scope| scope.cursor == feed::FRESH)
    };
    assert!(!is_fresh());
    phone.report(phone.replica.villages().unwrap()[0], "另一件");
    phone.link.spoil_pages(2);
    assert!(matches!(phone.sync(), Err(Error::Disagreement(_))));
    assert!(is_fresh());
    assert_eq!(phone.replica.status().unwrap().outbox, 0);
    phone.sync().unwrap();
    let status = phone.replica.status().unwrap();
    assert_eq!((status.held, status.last_error), (0, None));
    assert_eq!(frame_bytes(phone), limits::PUSH_FRAME_BYTES_FIRST);
}

#[test]
fn a_phone_that_is_asked_back_pushes_as_much_as_before() {
    let folder = Folder::new("asked-back").unwrap();
    let (file, copy) = (folder.file("server.db"), folder.file("backup.db"));
    let mut world = World::new(39);
    world.app = open(&file, &world, 2);
    backup::copy(&file, &copy).unwrap();
    let phone = phone_of(&world, &world.app, INSPECTOR, 3);
    phone.sync().unwrap();
    let words = "积".repeat(300);
    for _ in 0..30 {
        phone.report(world.villages(INSPECTOR)[0], &words);
    }
    begin_epoch(&copy);
    let restored = open(&copy, &world, 4);
    phone.link.lead_to(Arc::clone(&restored));
    // It does not know the phone, and takes it back for what it can prove.
    drop(phone.sync());
    assert_eq!(phone.replica.status().unwrap().outbox, 0);
    assert_eq!(frame_bytes(&phone), limits::PUSH_FRAME_BYTES_FIRST);
}

#[test]
fn page_frames_go_back_in_requests_that_a_server_takes() {
    let folder = Folder::new("relics").unwrap();
    let (file, copy) = (folder.file("server.db"), folder.file("backup.db"));
    let mut world = World::new(40);
    world.app = open(&file, &world, 2);
    let author = phone_of(&world, &world.app, INSPECTOR, 3);
    let reader = phone_of(&world, &world.app, INSPECTOR, 4);
    reader.sync().unwrap();
    backup::copy(&file, &copy).unwrap();
    // More page frames than one request may have, each of its own.
    for _ in 0..=limits::REQUEST_FRAMES_MAX {
        author.report(world.villages(INSPECTOR)[0], "路灯不亮");
    }
    author.sync().unwrap();
    reader.link.set_page_bytes(1);
    reader.sync().unwrap();
    begin_epoch(&copy);
    let restored = open(&copy, &world, 5);
    reader.link.lead_to(Arc::clone(&restored));
    // By their bytes alone all of them would go at once.
    set_frame_bytes(&reader, limits::PUSH_FRAME_BYTES_MAX);
    let summary = reader.sync().unwrap();
    // It hears of the new epoch, listens, brings everything back, and hears what became of it.
    assert_eq!(summary.rounds, 5);
    let report = check::check(restored.store.as_ref()).unwrap();
    let expected = limits::REQUEST_FRAMES_MAX + 1;
    assert_eq!((report.documents, report.findings.len()), (expected, 0));
}

#[test]
fn a_full_phone_hands_in_what_it_has_all_the_same() {
    // Also where it has learned that its server went back, or something of what it told then is due again.
    let healing = [
        "SELECT 1",
        "UPDATE enrolment SET relics_due = 1",
        "UPDATE frames SET due_at = 1",
    ];
    let faults = [Fault::Full, Fault::Unwritable].into_iter();
    for (fault, heals) in faults.flat_map(|fault| healing.map(|heals| (fault, heals))) {
        let mut world = World::new(36);
        let village = world.villages(INSPECTOR)[0];
        world.phone(INSPECTOR).report(village, "桥头垃圾");
        let phone = with_much_to_say(&mut world);
        let put = phone
            .replica
            .store()
            .write(|transaction| Ok(transaction.execute_batch(heals)?));
        put.unwrap();
        let fails: Faults = Box::new(move || Some(fault));
        phone.replica.store().set_faults(Some(fails));
        let told = phone.sync();
        assert!(
            matches!(told, Err(Error::Full | Error::Unwritable)),
            "{told:?}"
        );
        let other = world.enrol_as(INSPECTOR, 2);
        other.sync().unwrap();
        let there = other.replica.list("case", 0, 99).unwrap().len();
        assert_eq!(there, 31, "{heals}");
    }
}
