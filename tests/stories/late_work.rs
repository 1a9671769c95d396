//! Late work: what a person did before losing the right goes to review; a refused deed takes nothing with it but what rests on it.

use patrol_core::doc::register::FieldValue;
use patrol_core::domain::action::Action;
use patrol_core::domain::entry::{Body, Part};
use patrol_core::domain::id::{DocumentId, EntryId};
use patrol_core::domain::place::Place;
use patrol_core::domain::refusal::Refusal;
use patrol_core::error::Error;
use patrol_core::replica::{Deed, SyncState};
use patrol_core::sync::wire::Notice;
use patrol_server::office::Rejection;
use patrol_server::people::{self, Leaving};
use patrol_server::review::Decision;
use patrol_server::store::faulty::{Break, Call};
use patrol_tests::settling::settle_all;
use patrol_tests::simulation::audit::entry_of;
use patrol_tests::world::World;

const INSPECTOR: &str = "巡查员01";
const DISPATCHER: &str = "受理派遣员01";

/// A person leaves, as of now: he has no post any more.
pub(super) fn end_posts(world: &World, name: &str) {
    let leave = Leaving {
        person: world.person(name),
        from: world.clock.now(),
        substitute: None,
    };
    people::leave(&world.app, leave).expect("he holds a post");
}

#[test]
fn a_fix_made_before_the_cadre_left_is_held_and_then_released() {
    let mut world = World::new(5);
    let village = world.villages(INSPECTOR)[0];
    let cadre = world.cadre_of(village);
    let (case, _) = world.phone(INSPECTOR).report(village, "井盖破损");
    world.phone(INSPECTOR).sync().unwrap();
    world.dispatch(DISPATCHER, case, &[(village.unit(), Part::Main)]);
    world.phone(&cadre).sync().unwrap();
    world.phone(&cadre).resolve(case).unwrap();
    world.clock.advance_ms(60_000);
    end_posts(&world, &cadre);

    world.phone(&cadre).sync().unwrap();
    assert_eq!(world.stage(case), "dispatched");
    assert_eq!(world.phone(&cadre).replica.status().unwrap().held, 1);
    let held = world.held();
    let person = world.person(DISPATCHER);
    settle_all(
        &world.app,
        person,
        case,
        held[0].hash,
        Decision::Release,
        "离任前已修好",
    )
    .unwrap();
    assert_eq!(world.stage(case), "resolved");
    world.phone(INSPECTOR).sync().unwrap();
    assert_eq!(world.phone(INSPECTOR).stage(case), "resolved");
    world.phone(&cadre).sync().unwrap();
    let notices = world.phone(&cadre).replica.notices().unwrap();
    assert!(
        matches!(notices[0].1, Notice::Outcome { refusal: None, .. }),
        "{notices:?}"
    );
    // It will not come in a page: nothing of it is his any more.
    world.phone(&cadre).sync().unwrap();
    let phone = world.phone(&cadre);
    assert_eq!(phone.replica.status().unwrap().held, 0);
    assert_eq!(phone.replica.boxed().unwrap(), []);
    assert!(phone.replica.case(case).is_err());
}

#[test]
fn a_report_refused_on_the_spot_records_nothing() {
    let mut world = World::new(6);
    let village = world.villages(INSPECTOR)[0];
    let (case, _) = world.phone(INSPECTOR).report(village, "占道堆物");
    let refused = world
        .phone(INSPECTOR)
        .act(case, Action::Close, Body::default());
    assert!(
        matches!(refused, Err(Error::Refused(Refusal::NotPermitted))),
        "{refused:?}"
    );
    let status = world.phone(INSPECTOR).replica.status().unwrap();
    assert_eq!((status.outbox, status.n), (1, 1));
    let elsewhere = world.phone(INSPECTOR).replica.case(case).unwrap();
    assert_eq!(elsewhere.sync.state, SyncState::SavedHere);
}

#[test]
fn a_phone_reported_lost_gets_nothing_more_and_its_work_is_collected_for_review() {
    let mut world = World::new(7);
    let village = world.villages(INSPECTOR)[0];
    let (case, _) = world.phone(INSPECTOR).report(village, "路灯不亮");
    world.phone(INSPECTOR).sync().unwrap();
    world.phone(INSPECTOR).note(case, "夜间巡查时发现").unwrap();
    let device = world.phone(INSPECTOR).device();
    world.app.store.revoke(device, world.clock.now()).unwrap();
    world.dispatch(DISPATCHER, case, &[(village.unit(), Part::Main)]);

    world.phone(INSPECTOR).sync_revoked();
    assert_eq!(world.phone(INSPECTOR).stage(case), "reported");
    assert_eq!(world.held().len(), 1);
}

#[test]
fn two_values_written_at_once_are_both_kept_and_named() {
    let mut world = World::new(8);
    let village = world.villages(INSPECTOR)[0];
    let cadre = world.cadre_of(village);
    let (case, _) = world.phone(INSPECTOR).report(village, "桥边垃圾");
    world.phone(INSPECTOR).sync().unwrap();
    let words = |text: &str| Deed {
        fields: vec![FieldValue::Words(text.to_owned())],
        ..Deed::new(Action::Amend, Body::default())
    };
    world
        .phone(INSPECTOR)
        .replica
        .act(case, &words("桥东垃圾"))
        .unwrap();
    let view = patrol_server::office::view(&world.app, world.person(DISPATCHER), case).unwrap();
    let deed = patrol_server::office::Deed {
        action: Action::Amend,
        body: Body::default(),
        fields: words("桥西垃圾").fields,
        on: view.reading.case.workflow.heads.clone(),
        seen: view.heads,
        key: vec![1],
        acted_at: world.clock.now(),
    };
    patrol_server::office::act(&world.app, world.person(DISPATCHER), case, &deed).unwrap();
    world.phone(INSPECTOR).sync().unwrap();
    world.phone(&cadre).sync().unwrap();
    for name in [INSPECTOR, &cadre] {
        let view = world.phone(name).replica.case(case).unwrap();
        let mut texts: Vec<String> = view
            .reading
            .case
            .words
            .iter()
            .map(|words| words.value.clone())
            .collect();
        texts.sort();
        assert_eq!(texts, ["桥东垃圾", "桥西垃圾"], "{name}");
        assert!(
            view.reading
                .case
                .words
                .iter()
                .all(|words| words.person.is_some())
        );
    }
}

/// Settles the held change of an entry.
fn settle(world: &World, case: DocumentId, entry: EntryId, decision: Decision) {
    let held = world.held();
    let change = held
        .iter()
        .find(|change| entry_of(case, &change.body) == Some(entry))
        .unwrap();
    let person = world.person(DISPATCHER);
    settle_all(&world.app, person, case, change.hash, decision, "看过").unwrap();
}

/// The codes in a phone's boxes, sorted.
fn codes(world: &mut World, name: &str) -> Vec<String> {
    let boxed = world.phone(name).replica.boxed().unwrap();
    let mut codes: Vec<String> = boxed.into_iter().map(|change| change.code).collect();
    codes.sort_unstable();
    codes
}

#[test]
fn a_first_count_that_a_review_refuses_takes_the_whole_tally_along() {
    let mut world = World::new(9);
    let village = world.villages(INSPECTOR)[0];
    let count = |fields| Deed {
        fields,
        ..Deed::new(
            Action::Count,
            Body {
                count: Some((1, 1)),
                ..Body::default()
            },
        )
    };
    let place = vec![FieldValue::Place(Place::village(village))];
    let (tally, first) = world.phone(INSPECTOR).replica.begin(&count(place)).unwrap();
    let again = count(Vec::new());
    world.phone(INSPECTOR).replica.act(tally, &again).unwrap();
    end_posts(&world, INSPECTOR);
    world.phone(INSPECTOR).sync().unwrap();
    settle(&world, tally, first, Decision::Refuse);
    for _ in 0..2 {
        world.phone(INSPECTOR).sync().unwrap();
    }
    assert_eq!(
        codes(&mut world, INSPECTOR),
        ["quarantined", "reviewed_away"]
    );
    assert_eq!(world.phone(INSPECTOR).replica.status().unwrap().outbox, 0);
}

#[test]
fn what_stands_on_a_held_deed_goes_on_when_a_deed_between_them_is_refused() {
    let mut world = World::new(10);
    let village = world.villages(INSPECTOR)[0];
    let (case, _) = world.phone(INSPECTOR).report(village, "渠水发黑");
    world.phone(INSPECTOR).sync().unwrap();
    let inspector = world.phone(INSPECTOR);
    let [first, second, third] =
        ["一", "二", "三"].map(|words| inspector.note(case, words).unwrap());
    end_posts(&world, INSPECTOR);
    world.phone(INSPECTOR).sync().unwrap();
    settle(&world, case, second, Decision::Refuse);
    settle(&world, case, first, Decision::Release);
    for _ in 0..2 {
        world.phone(INSPECTOR).sync().unwrap();
    }
    assert_eq!(codes(&mut world, INSPECTOR), ["review", "reviewed_away"]);
    settle(&world, case, third, Decision::Release);
    world.phone(INSPECTOR).sync().unwrap();
    assert_eq!(codes(&mut world, INSPECTOR), ["reviewed_away"]);
    let view = world.phone(INSPECTOR).replica.case(case).unwrap();
    let notes = view.reading.lines.iter().map(|line| line.id);
    let notes: Vec<EntryId> = notes
        .filter(|id| [first, second, third].contains(id))
        .collect();
    assert_eq!(notes, [first, third]);
}

#[test]
fn late_work_of_several_frames_is_held_whole() {
    let mut world = World::new(11);
    let village = world.villages(INSPECTOR)[0];
    let (case, _) = world.phone(INSPECTOR).report(village, "渠水发黑");
    let words = "很长的一段说明".repeat(100);
    for _ in 0..30 {
        world.phone(INSPECTOR).note(case, &words).unwrap();
    }
    end_posts(&world, INSPECTOR);
    world.phone(INSPECTOR).sync().unwrap();
    assert_eq!(world.held().len(), 31);
    let status = world.phone(INSPECTOR).replica.status().unwrap();
    assert_eq!((status.outbox, status.held), (0, 31));
}

#[test]
fn a_review_is_settled_although_the_case_grows_meanwhile() {
    let mut world = World::new(12);
    let village = world.villages(INSPECTOR)[0];
    let (case, report) = world.phone(INSPECTOR).report(village, "路灯不亮");
    end_posts(&world, INSPECTOR);
    world.phone(INSPECTOR).sync().unwrap();
    world.store.break_next(Call::Commit, Break::Stale);
    settle(&world, case, report, Decision::Release);
    assert_eq!(world.stage(case), "reported");
}

#[test]
fn the_office_sees_that_a_phone_has_handed_in_everything_by_its_one_round() {
    let mut world = World::new(161);
    let village = world.villages(INSPECTOR)[0];
    world.phone(INSPECTOR);
    let left = |world: &World| {
        let rows = serde_json::to_value(patrol_server::devices::list(&world.app).unwrap());
        rows.unwrap()[0]["outbox"].clone()
    };
    assert_eq!(
        left(&world),
        serde_json::Value::Null,
        "it has not called yet"
    );
    let phone = &world.phones[INSPECTOR];
    phone.sync().unwrap();
    for words in ["一", "二"] {
        phone.report(village, words);
    }
    assert_eq!(phone.sync().unwrap().rounds, 1);
    assert_eq!(left(&world), 0);
}

#[test]
fn who_reviews_no_more_or_never_did_settles_nothing() {
    let mut world = World::new(13);
    let village = world.villages(INSPECTOR)[0];
    let (case, _) = world.phone(INSPECTOR).report(village, "路灯不亮");
    end_posts(&world, INSPECTOR);
    world.phone(INSPECTOR).sync().unwrap();
    end_posts(&world, DISPATCHER);
    let held = world.held();
    assert_eq!(held.len(), 1);
    for name in [DISPATCHER, INSPECTOR, "巡查员02"] {
        let (person, released) = (world.person(name), Decision::Release);
        let settled = settle_all(&world.app, person, case, held[0].hash, released, "看过");
        let refused = matches!(settled, Err(Rejection::Refused(Refusal::NotPermitted)));
        assert!(refused, "{name}: {settled:?}");
        assert_eq!(world.held(), held);
    }
}

#[test]
fn what_was_looked_at_is_released_though_its_author_has_no_right_by_the_directory_of_today() {
    let mut world = World::new(14);
    let village = world.villages(INSPECTOR)[0];
    let (case, report) = world.phone(INSPECTOR).report(village, "路灯不亮");
    end_posts(&world, INSPECTOR);
    world.phone(INSPECTOR).sync().unwrap();
    let author = world.person(INSPECTOR);
    let mut directory = world.app.known().directory.clone();
    let mut people = directory.people.iter_mut();
    let person = people.find(|person| person.id == author).unwrap();
    person.posts.clear();
    world.app.put_directory(&directory).unwrap();
    settle(&world, case, report, Decision::Release);
    assert_eq!(world.stage(case), "reported");
}
