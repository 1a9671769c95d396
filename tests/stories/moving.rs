//! Cases that move and people who move: what a phone lets go of, when, and what it never lets go of.

use patrol_core::doc::register::FieldValue;
use patrol_core::domain::action::Action;
use patrol_core::domain::directory::Post;
use patrol_core::domain::entry::Body;
use patrol_core::domain::id::{DocumentId, Epoch};
use patrol_core::domain::place::{Place, VillageCode};
use patrol_core::domain::refusal::Refusal;
use patrol_core::domain::time::Timestamp;
use patrol_core::error::Error;
use patrol_core::replica::{Deed, SyncState};
use patrol_core::store::{changes, documents};
use patrol_core::sync::wire::Fate;
use patrol_server::review::Decision;
use patrol_tests::pushing::{change_of, entry_of, ledger_of, push};
use patrol_tests::settling::settle_all;
use patrol_tests::world::World;

use super::outcomes::settle_first;
use super::spoilt_on_a_phone::restore;

const INSPECTOR: &str = "巡查员01";
const COLLEAGUE: &str = "巡查员31";
const DISPATCHER: &str = "受理派遣员01";

/// The office corrects where a case is.
pub(super) fn put_at(world: &mut World, case: DocumentId, village: VillageCode) {
    let person = world.person(DISPATCHER);
    let view = patrol_server::office::view(&world.app, person, case).unwrap();
    let deed = patrol_server::office::Deed {
        action: Action::Amend,
        body: Body::default(),
        fields: vec![FieldValue::Place(Place::village(village))],
        on: view.reading.case.workflow.heads.clone(),
        seen: view.heads,
        key: world.key(),
        acted_at: world.clock.now(),
    };
    patrol_server::office::act(&world.app, person, case, &deed).unwrap();
}

/// Changes what posts a person has.
fn change_posts(world: &World, name: &str, change: impl Fn(&mut Vec<Post>, Timestamp)) {
    let mut directory = world.app.known().directory.clone();
    let now = world.clock.now();
    let found = directory
        .people
        .iter_mut()
        .find(|person| person.name == name);
    change(&mut found.unwrap().posts, now);
    world.app.put_directory(&directory).unwrap();
}

fn end_posts(world: &World, name: &str) {
    change_posts(world, name, |posts, now| {
        posts.iter_mut().for_each(|post| post.until = Some(now));
    });
}

/// The first post once more, from now on.
fn begin_anew(world: &World, name: &str) {
    change_posts(world, name, |posts, now| {
        let again = Post {
            from: now,
            until: None,
            ..posts[0]
        };
        posts.push(again);
    });
}

/// A case in the inspector's beat that he has, though another reported it; his village, and that one's.
fn known(world: &mut World) -> (VillageCode, VillageCode, DocumentId) {
    let (own, far) = (world.villages(INSPECTOR)[0], world.villages(COLLEAGUE)[0]);
    let cadre = world.cadre_of(far);
    let (case, _) = world.phone(&cadre).report(own, "桥头垃圾");
    world.phone(&cadre).sync().unwrap();
    world.phone(INSPECTOR).sync().unwrap();
    (own, far, case)
}

fn has(world: &World, name: &str, case: DocumentId) -> bool {
    world.phones[name].replica.case(case).is_ok()
}

#[test]
fn a_case_that_moves_within_ones_beat_stays_and_one_that_leaves_it_goes_after_the_round() {
    let mut world = World::new(21);
    let (own, far) = (world.villages(INSPECTOR), world.villages(COLLEAGUE)[0]);
    assert!(own.len() > 1, "a beat of several villages");
    // Reported by the cadre of the other beat, so that only the village binds the inspector to it.
    let cadre = world.cadre_of(far);
    let (case, _) = world.phone(&cadre).report(own[0], "桥头垃圾");
    world.phone(&cadre).sync().unwrap();
    world.phone(INSPECTOR).sync().unwrap();
    assert!(has(&world, INSPECTOR, case));
    put_at(&mut world, case, own[1]);
    world.phone(INSPECTOR).sync().unwrap();
    assert!(
        has(&world, INSPECTOR, case),
        "it left one village of the beat for another"
    );
    put_at(&mut world, case, far);
    assert!(
        has(&world, INSPECTOR, case),
        "nothing goes before the feed says so"
    );
    world.phone(INSPECTOR).sync().unwrap();
    assert!(!has(&world, INSPECTOR, case));
    // Whom it now concerns has it, and so has he who reported it.
    world.phone(COLLEAGUE).sync().unwrap();
    assert!(has(&world, COLLEAGUE, case) && has(&world, &cadre, case));
}

#[test]
fn a_case_that_left_with_work_on_it_stays_until_that_work_has_its_fate() {
    let mut world = World::new(22);
    let (_, far, case) = known(&mut world);
    world.phone(INSPECTOR).note(case, "已到现场").unwrap();
    put_at(&mut world, case, far);
    // The response is lost: the leave has not been heard, the note has no fate yet.
    world
        .phone(INSPECTOR)
        .link
        .expect(patrol_tests::link::Mishap::ResponseLost);
    assert!(world.phone(INSPECTOR).sync().is_err());
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
    // It comes after the case has moved: for review, for he could reach it once. What is held keeps the case here.
    world.phone(INSPECTOR).sync().unwrap();
    let status = world.phone(INSPECTOR).replica.status().unwrap();
    assert_eq!((status.outbox, status.held + status.refused), (0, 1));
    assert_eq!(
        world.phone(INSPECTOR).replica.boxed().unwrap()[0].document,
        case
    );
}

#[test]
fn a_case_that_left_stays_while_somebody_writes_on_it_and_what_he_does_then_is_looked_at() {
    let mut world = World::new(29);
    let (_, far, case) = known(&mut world);
    let phone = world.phone(INSPECTOR);
    let begun = |words: &str| phone.replica.keep_draft(None, Some(case), words.as_bytes());
    let (draft, other) = (begun("写到一半").unwrap(), begun("另一个").unwrap());
    put_at(&mut world, case, far);
    world.phone(INSPECTOR).sync().unwrap();
    let body = Body {
        words: Some("已到现场".to_owned()),
        ..Body::default()
    };
    let deed = Deed {
        draft: Some(draft),
        ..Deed::new(Action::Note, body)
    };
    world.phone(INSPECTOR).replica.act(case, &deed).unwrap();
    world.phone(INSPECTOR).sync().unwrap();
    let [held] = world.held().try_into().unwrap();
    assert_eq!(held.document, case);
    // Once nobody writes on it and nothing of it is held, it goes.
    settle_first(&world, case, Decision::Release);
    world.phone(INSPECTOR).sync().unwrap();
    assert!(has(&world, INSPECTOR, case));
    let phone = world.phone(INSPECTOR);
    phone.replica.discard_draft(other).unwrap();
    phone.sync().unwrap();
    assert!(!has(&world, INSPECTOR, case));
}

#[test]
fn a_case_that_left_stays_while_somebody_writes_on_it_also_where_the_server_goes_back() {
    let mut world = World::new(30);
    let (_, far, case) = known(&mut world);
    let phone = world.phone(INSPECTOR);
    let begun = phone.replica.keep_draft(None, Some(case), b"x");
    begun.unwrap();
    put_at(&mut world, case, far);
    world.phone(INSPECTOR).sync().unwrap();
    let backup = world.store.inner().fork();
    restore(&mut world, backup, Epoch([9; 4]));
    for _ in 0..3 {
        world.phone(INSPECTOR).sync().unwrap();
    }
    assert!(has(&world, INSPECTOR, case));
}

#[test]
fn a_case_that_left_stays_while_work_on_it_is_told_to_wait() {
    let mut world = World::new(27);
    let (own, far, case) = known(&mut world);
    // An app of next year has recorded what this server does not know yet.
    let phone = &world.phones[INSPECTOR];
    let ledger = ledger_of(phone, case);
    let entry = entry_of(phone, &ledger, 4_000, own.unit(), 9);
    let change = change_of(phone, &ledger, &entry, &[]);
    let put = phone.replica.store().write(|transaction| {
        let state = documents::state(transaction, case)?.unwrap();
        changes::put_local(transaction, state.number, change.hash, &change.bytes)
    });
    put.unwrap();
    put_at(&mut world, case, far);
    world.phone(INSPECTOR).sync().unwrap();
    assert_eq!(world.phone(INSPECTOR).replica.status().unwrap().outbox, 1);
    assert!(has(&world, INSPECTOR, case), "its work is nowhere else");
}

#[test]
fn who_knew_of_a_case_before_it_left_is_told_what_became_of_his_work_on_it() {
    let mut world = World::new(28);
    let (own, far, case) = known(&mut world);
    // Two copies of his phone go on at the same place.
    let phone = &world.phones[INSPECTOR];
    let ledger = ledger_of(phone, case);
    let [one, other] = ["在原机上", "在副本上"].map(|words| {
        let mut entry = entry_of(phone, &ledger, Action::Note.code(), own.unit(), 1);
        entry.body.words = Some(words.to_owned());
        (case, change_of(phone, &ledger, &entry, &[]).bytes)
    });
    assert_eq!(push(&world.app, phone, &[one]), Ok(vec![Fate::Ok]));
    put_at(&mut world, case, far);
    let fates = push(&world.app, &world.phones[INSPECTOR], &[other]);
    assert_eq!(fates, Ok(vec![Fate::Refused(Refusal::Forked)]));
}

#[test]
fn a_document_that_left_and_came_back_is_gone_on_with() {
    let mut world = World::new(23);
    let (own, far, case) = known(&mut world);
    world.phone(INSPECTOR).note(case, "第一次").unwrap();
    world.phone(INSPECTOR).sync().unwrap();
    put_at(&mut world, case, far);
    world.phone(INSPECTOR).sync().unwrap();
    assert!(!has(&world, INSPECTOR, case));
    put_at(&mut world, case, own);
    world.phone(INSPECTOR).sync().unwrap();
    world.phone(INSPECTOR).note(case, "第二次").unwrap();
    // The actor goes on where it stood, not from its first change again.
    let phone = &world.phones[INSPECTOR];
    let actor = patrol_tests::pushing::enrolment_of(phone).actor;
    let ledger = ledger_of(phone, case);
    let places: Vec<u64> = ledger
        .links()
        .iter()
        .filter(|link| link.change.actor == actor)
        .map(|link| link.change.seq)
        .collect();
    assert_eq!(places, [1, 2]);
    let summary = world.phone(INSPECTOR).sync().unwrap();
    assert_eq!(summary.pushed, 1);
    let view = world.phone(INSPECTOR).replica.case(case).unwrap();
    assert_eq!(view.sync.state, SyncState::Applied);
    assert!(view.sync.boxed.is_empty());
}

#[test]
fn who_loses_every_scope_lets_go_of_all_but_his_own_work_and_gets_it_back_with_them() {
    let mut world = World::new(24);
    let village = world.villages(INSPECTOR)[0];
    let cadre = world.cadre_of(village);
    let (case, _) = world.phone(INSPECTOR).report(village, "井盖破损");
    world.phone(INSPECTOR).sync().unwrap();
    world.phone(&cadre).sync().unwrap();
    assert!(has(&world, &cadre, case));
    world.clock.advance_ms(1_000);
    end_posts(&world, &cadre);
    world.phone(&cadre).sync().unwrap();
    assert!(
        !has(&world, &cadre, case),
        "it stayed with somebody who may no longer see it"
    );
    assert!(matches!(
        world.phone(&cadre).note(case, "晚了"),
        Err(Error::NotFound)
    ));
    // The inspector's own report stays his when he has left his beat.
    world.clock.advance_ms(1_000);
    end_posts(&world, INSPECTOR);
    world.phone(INSPECTOR).sync().unwrap();
    assert!(has(&world, INSPECTOR, case));
    world.clock.advance_ms(1_000);
    begin_anew(&world, &cadre);
    world.phone(&cadre).sync().unwrap();
    assert!(has(&world, &cadre, case));
}

#[test]
fn a_report_that_is_refused_goes_into_the_box_with_all_that_was_done_to_it() {
    use patrol_server::review::Decision;
    let mut world = World::new(25);
    let village = world.villages(INSPECTOR)[0];
    let (case, _) = world.phone(INSPECTOR).report(village, "井盖破损");
    world.phone(INSPECTOR).note(case, "又看了一次").unwrap();
    let device = world.phone(INSPECTOR).device();
    world.app.store.revoke(device, world.clock.now()).unwrap();
    world.phone(INSPECTOR).sync_revoked();
    // Held as a whole: no new work on what may never be.
    assert!(matches!(
        world.phone(INSPECTOR).note(case, "再看"),
        Err(Error::Refused(Refusal::HeldDocument))
    ));
    let held = world.held();
    assert_eq!(held.len(), 2);
    let person = world.person(DISPATCHER);
    settle_all(
        &world.app,
        person,
        case,
        held[0].hash,
        Decision::Refuse,
        "假的",
    )
    .unwrap();
    world.phone(INSPECTOR).sync_revoked();
    let boxed = world.phone(INSPECTOR).replica.boxed().unwrap();
    let mut codes: Vec<&str> = boxed.iter().map(|change| change.code.as_str()).collect();
    codes.sort_unstable();
    assert_eq!(codes, ["quarantined", "reviewed_away"]);
    assert_eq!(world.phone(INSPECTOR).replica.status().unwrap().outbox, 0);
    assert_eq!(world.stage(case), "");
}
