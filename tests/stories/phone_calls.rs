//! What an app may do wrong or at a bad moment: cancel, call twice, enrol twice, keep a dead handle, live on a broken clock.

use std::future::Future as _;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use futures_util::FutureExt as _;
use patrol_core::domain::action::Action;
use patrol_core::domain::capability::Role;
use patrol_core::domain::directory::{Post, PostAt};
use patrol_core::domain::entry::{Body, Part};
use patrol_core::domain::id::{DocumentId, UnitId};
use patrol_core::domain::time::Timestamp;
use patrol_core::error::Error;
use patrol_core::replica::{BoxedDeed, Cancel, Deed, Environment, Observer, Replica, SyncState};
use patrol_core::sync::transport::{Request, Response, Transport, Unreachable, Waiting};
use patrol_server::office;
use patrol_tests::link::Moment;
use patrol_tests::world::{World, matter};

const INSPECTOR: &str = "巡查员01";
const DISPATCHER: &str = "受理派遣员01";

/// A server that takes a connection and then says nothing.
#[derive(Default)]
struct Silent {
    asked: AtomicUsize,
}

impl Transport for Silent {
    fn send(&self, _: Request) -> Waiting<'_, Result<Box<dyn Response>, Unreachable>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Box::pin(std::future::pending())
    }
}

/// Counts how often it was told.
#[derive(Default)]
pub(super) struct Ear(pub(super) AtomicUsize);

impl Observer for Ear {
    fn changed(&self, _: &[DocumentId]) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_cancelled_sync_ends_at_once_though_the_server_is_silent() {
    let mut world = World::new(11);
    let phone = world.phone(INSPECTOR);
    let (silent, cancel) = (Silent::default(), Cancel::default());
    let mut sync = pin!(phone.replica.sync(&silent, &cancel, &|_| ()));
    let mut context = Context::from_waker(Waker::noop());
    assert!(sync.as_mut().poll(&mut context).is_pending());
    cancel.cancel();
    assert!(matches!(
        sync.as_mut().poll(&mut context),
        Poll::Ready(Err(Error::Cancelled))
    ));
    // It is nobody's failure: the next round is neither later nor smaller for it.
    assert_eq!(phone.replica.status().unwrap().failures, 0);
}

#[test]
fn two_syncs_of_one_phone_take_turns() {
    let mut world = World::new(12);
    let phone = world.phone(INSPECTOR);
    let (silent, cancel) = (Silent::default(), Cancel::default());
    let mut context = Context::from_waker(Waker::noop());
    let mut second = pin!(phone.replica.sync(&silent, &cancel, &|_| ()));
    {
        let mut first = pin!(phone.replica.sync(&silent, &cancel, &|_| ()));
        assert!(first.as_mut().poll(&mut context).is_pending());
        assert!(second.as_mut().poll(&mut context).is_pending());
        assert_eq!(silent.asked.load(Ordering::Relaxed), 1);
    }
    assert!(second.as_mut().poll(&mut context).is_pending());
    assert_eq!(silent.asked.load(Ordering::Relaxed), 2);
}

#[test]
fn of_two_programs_that_sync_on_one_file_the_one_that_was_overtaken_applies_nothing_more() {
    for moment in [Moment::Leaving, Moment::Answered, Moment::Halfway] {
        let mut world = World::new(15);
        let village = world.villages(INSPECTOR)[0];
        world.phone(INSPECTOR);
        let first = &world.phones[INSPECTOR];
        let second = world.beside(first, 2);
        first.report(village, "路灯不亮");
        let doing = move || {
            second.report(village, "井盖破损");
            second.sync().unwrap();
        };
        first.link.meanwhile(Some((moment, Box::new(doing))));
        assert!(matches!(first.sync(), Err(Error::Overtaken)), "{moment:?}");
        // The second has handed in the work of both, and nobody has failed.
        let status = first.replica.status().unwrap();
        assert_eq!((status.outbox, status.failures), (0, 0), "{moment:?}");
        assert_eq!(first.sync().unwrap().pushed, 0, "{moment:?}");
    }
}

#[test]
fn a_second_program_that_hears_a_welcome_alone_overtakes_nobody() {
    let mut world = World::new(16);
    world.phone(INSPECTOR);
    let first = &world.phones[INSPECTOR];
    let second = world.beside(first, 2);
    second.link.cut_after(1);
    let doing = move || assert!(second.sync().is_err());
    first
        .link
        .meanwhile(Some((Moment::Answered, Box::new(doing))));
    assert!(first.sync().is_ok());
}

#[test]
fn a_file_that_is_enrolled_uses_up_no_second_code() {
    let mut world = World::new(13);
    let phone = world.phone(INSPECTOR);
    let silent = Silent::default();
    let enrolled = phone
        .replica
        .enrol(&silent, "http://server", "ABCDE-FGHJK")
        .now_or_never();
    assert!(matches!(enrolled, Some(Err(Error::AlreadyEnrolled))));
    assert_eq!(silent.asked.load(Ordering::Relaxed), 0);
}

#[test]
fn the_handle_of_an_observer_that_is_gone_never_silences_another() {
    let mut world = World::new(14);
    let village = world.villages(INSPECTOR)[0];
    let phone = world.phone(INSPECTOR);
    let (gone, here) = (Arc::new(Ear::default()), Arc::new(Ear::default()));
    let handle = phone.replica.watch(gone.clone());
    phone.replica.unwatch(handle);
    phone.replica.watch(here.clone());
    phone.replica.unwatch(handle);
    phone.report(village, "路灯不亮");
    assert_eq!(
        (
            gone.0.load(Ordering::Relaxed),
            here.0.load(Ordering::Relaxed)
        ),
        (0, 1)
    );
}

#[test]
fn a_person_with_two_posts_acts_by_the_one_that_fits() {
    let mut world = World::new(15);
    let village = world.villages(INSPECTOR)[0];
    let cadre = world.cadre_of(village);
    // The cadre of the village also works for a department.
    let department = UnitId(101);
    let mut directory = world.app.known().directory.clone();
    let person = directory
        .people
        .iter_mut()
        .find(|person| person.name == cadre)
        .unwrap();
    person.posts.push(Post {
        role: Role::UnitOperator,
        at: PostAt::Unit(department),
        ..person.posts[0]
    });
    world.app.put_directory(&directory).unwrap();
    let (case, _) = world.phone(INSPECTOR).report(village, "占道堆放");
    world.phone(INSPECTOR).sync().unwrap();
    world.dispatch(DISPATCHER, case, &[(department, Part::Main)]);
    world.phone(&cadre).sync().unwrap();
    let view = world.phone(&cadre).replica.case(case).unwrap();
    assert!(
        view.offers
            .iter()
            .any(|offer| offer.action == Action::Resolve)
    );
    world.phone(&cadre).resolve(case).unwrap();
    world.phone(&cadre).sync().unwrap();
    assert_eq!(world.stage(case), "resolved");
    let person = world.person(DISPATCHER);
    let view = office::view(&world.app, person, case).unwrap();
    let resolve = view
        .reading
        .lines
        .iter()
        .find(|line| line.entry.action() == Some(Action::Resolve))
        .unwrap();
    assert_eq!(resolve.entry.unit, department);
}

/// Clocks beyond all bounds.
struct Broken;

impl Environment for Broken {
    fn now(&self) -> Timestamp {
        Timestamp(i64::MAX)
    }
    fn monotonic_ms(&self) -> u64 {
        u64::MAX
    }
    fn boot(&self) -> u64 {
        u64::MAX
    }
    fn fill_random(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

#[test]
fn clocks_beyond_all_bounds_lose_no_report() {
    let mut world = World::new(16);
    let village = world.villages(INSPECTOR)[0];
    world.phone(INSPECTOR).sync().unwrap();
    let phone = world.phone(INSPECTOR);
    let store = phone.replica.store().copy().unwrap();
    let twin = world.twin(world.phones.get(INSPECTOR).unwrap(), store, 2);
    let replica = Replica::on(
        twin.replica.store().copy().unwrap(),
        Arc::new(Broken) as Arc<dyn Environment>,
    );
    let deed = Deed {
        fields: matter(village, "桥面破损"),
        ..Deed::new(Action::Report, Body::default())
    };
    // The same boot as the last contact's, so that the estimate of the time is stretched too.
    let synced = replica
        .sync(&twin.link, &Cancel::default(), &|_| ())
        .now_or_never();
    assert!(matches!(synced, Some(Ok(_))));
    let (case, _) = replica.begin(&deed).unwrap();
    replica
        .sync(&twin.link, &Cancel::default(), &|_| ())
        .now_or_never()
        .unwrap()
        .unwrap();
    assert_eq!(world.stage(case), "reported");
}

#[test]
fn lists_and_boxes_say_what_is_safe_without_loading_a_document() {
    let mut world = World::new(17);
    let own = world.villages(INSPECTOR);
    let phone = world.phone(INSPECTOR);
    assert_eq!(phone.replica.villages().unwrap(), own);
    let (sent, _) = phone.report(own[0], "水沟堵塞");
    phone.sync().unwrap();
    let (saved, _) = phone.report(own[0], "树枝断落");
    let states = phone.replica.safety(&[sent, saved]).unwrap();
    assert_eq!(states, [SyncState::Applied, SyncState::SavedHere]);
    for (case, state) in [sent, saved].into_iter().zip(states) {
        assert_eq!(phone.replica.case(case).unwrap().sync.state, state);
    }
    // He leaves his post for good: what was not sent is held, and the box shows what it says.
    let mut directory = world.app.known().directory.clone();
    let now = world.clock.now();
    let person = directory
        .people
        .iter_mut()
        .find(|person| person.name == INSPECTOR)
        .unwrap();
    person.posts[0].until = Some(now);
    world.app.put_directory(&directory).unwrap();
    world.clock.advance_ms(1);
    let phone = world.phone(INSPECTOR);
    phone.sync().unwrap();
    assert_eq!(phone.replica.safety(&[saved]).unwrap(), [SyncState::Held]);
    let boxed = phone.replica.boxed().unwrap();
    let deed = BoxedDeed::of(&boxed[0]).unwrap();
    assert_eq!(deed.entry.action(), Some(Action::Report));
    assert_eq!(deed.fields, matter(own[0], "树枝断落"));
}
