//! Held changes that come to their end late, by a relic or in part, and what relics do and cost beside that.
//!
//! How a review is settled in the common way stands in `late_work` and `followers`.

use patrol_core::doc::ledger::Ledger;
use patrol_core::doc::parse::{chunk_hash, parse};
use patrol_core::domain::action::Action;
use patrol_core::domain::capability::Capability;
use patrol_core::domain::id::{DocumentId, Epoch, PersonId, UnitId};
use patrol_core::domain::limits;
use patrol_core::domain::refusal::Refusal;
use patrol_core::domain::time::Timestamp;
use patrol_core::sync::seal::PageList;
use patrol_core::sync::wire::{Fate, Later, Relic, Unread};
use patrol_server::intake::{Carriage, take_in_by};
use patrol_server::relic;
use patrol_server::review::Decision;
use patrol_server::store::faulty::{Break, Call};
use patrol_server::store::{BoxedAs, BoxedChange, Commit, Settled};
use patrol_tests::pushing::{Item, change_of, entry_of, frame, ledger_of, push, range_of};
use patrol_tests::settling::settle_all;
use patrol_tests::world::{Phone, World};

use super::hostile_phone::{begun, device_of, note, revoke, village_of};
use super::late_work::end_posts;
use super::outcomes::settle_first;
use super::retired::put_in;
use super::standing::made_again_elsewhere;

const INSPECTOR: &str = "巡查员01";
const DISPATCHER: &str = "受理派遣员01";

/// A page of changes that a lost server had let in at a time.
pub(super) fn relic_of(world: &World, items: &[Item], at: Timestamp) -> Relic {
    let mut list = PageList::default();
    for (document, bytes) in items {
        list.add(*document, chunk_hash(bytes), at);
    }
    let bodies = items.iter().map(|(_, bytes)| bytes.clone());
    let epoch = Epoch([3; 4]);
    Relic {
        epoch,
        tag: list.tag(&world.app.identity.page_key, epoch),
        list,
        bodies: bodies.enumerate().collect(),
    }
}

/// What becomes of a relic that the inspector's phone carries.
pub(super) fn take_in(world: &World, relic: &Relic) -> Result<Vec<Fate>, Unread> {
    let carrier = world.phones[INSPECTOR].device();
    let outcome = relic::take_in(&world.app, carrier, &relic.encode());
    outcome.expect("the store answers").fates
}

/// Notes of one who has lost his posts, each on top of the one before: all are held.
fn held_notes(world: &mut World, count: u64) -> Vec<Item> {
    let (case, mut ledger) = begun(world);
    let phone = &world.phones[INSPECTOR];
    let notes = (0..count).map(|place| (case, note(phone, &mut ledger, 2 + place)));
    let notes: Vec<Item> = notes.collect();
    end_posts(world, INSPECTOR);
    let fates = push(&world.app, phone, &notes);
    assert_eq!(fates, Ok(vec![Fate::Review; notes.len()]));
    notes
}

/// Such notes, the first of which a review has settled a minute ago, and the row of the last.
fn settled_notes(world: &mut World, count: u64, decision: Decision) -> (Vec<Item>, BoxedChange) {
    let notes = held_notes(world, count);
    settle_first(world, notes[0].0, decision);
    let last = &notes[notes.len() - 1].1;
    let row = boxed(world, &world.phones[INSPECTOR], last);
    world.clock.advance_ms(60_000);
    (notes, row)
}

/// An entry of a kind that only a newer program knows, on top of the ledger, which then holds it.
fn newer(phone: &Phone, ledger: &mut Ledger, n: u64) -> Vec<u8> {
    let entry = entry_of(phone, ledger, 4_000, village_of(ledger), n);
    let change = change_of(phone, ledger, &entry, &[]);
    let bytes = change.bytes.clone();
    ledger.push(change).unwrap();
    bytes
}

/// The row of a change of a phone's in its box.
pub(super) fn boxed(world: &World, phone: &Phone, bytes: &[u8]) -> BoxedChange {
    let (device, hash) = (phone.device(), chunk_hash(bytes));
    let mut found = None;
    let read = world.app.store.read(&mut |snapshot| {
        found = snapshot.boxed(device, hash)?;
        Ok(())
    });
    read.unwrap();
    found.unwrap()
}

/// Who settles what a lost server had let in: nobody who is known here.
fn by_the_lost_server(at: Timestamp) -> Option<Settled> {
    Some(Settled {
        person: PersonId([0; 8]),
        at,
        words: "relic".to_owned(),
        released: true,
    })
}

#[test]
fn a_held_change_that_a_lost_server_had_let_in_is_settled_by_a_relic() {
    let mut world = World::new(141);
    let notes = held_notes(&mut world, 1);
    let phone = &world.phones[INSPECTOR];
    let before = boxed(&world, phone, &notes[0].1);
    let at = world.clock.now().plus_ms(-5_000);
    let relic = relic_of(&world, &notes, at);
    // Its case has grown since it was looked at.
    world.store.break_next(Call::Commit, Break::Stale);
    assert_eq!(take_in(&world, &relic), Ok(vec![Fate::Ok]));
    assert!(!world.store.mend(), "it was tried twice");
    assert_eq!(world.held(), []);
    let after = BoxedChange {
        settled: by_the_lost_server(at),
        ..before
    };
    assert_eq!(boxed(&world, phone, &notes[0].1), after);
    assert_eq!(take_in(&world, &relic), Ok(vec![Fate::Dup]));
}

#[test]
fn what_is_held_stays_so_when_a_relic_of_it_cannot_be_let_in() {
    let mut world = World::new(160);
    let notes = held_notes(&mut world, 2);
    let held = world.held();
    let relic = relic_of(&world, &notes[1..], world.clock.now());
    let missing = Fate::Missing(vec![chunk_hash(&notes[0].1)]);
    assert_eq!(take_in(&world, &relic), Ok(vec![missing]));
    assert_eq!(world.held(), held);
}

#[test]
fn a_change_that_stands_and_is_held_all_the_same_is_settled_by_a_relic() {
    let mut world = World::new(142);
    let (case, ledger) = begun(&mut world);
    let phone = &world.phones[INSPECTOR];
    let first = ledger.links()[0].change.clone();
    let held = BoxedChange {
        device: phone.device(),
        document: case,
        hash: first.hash,
        body: first.bytes.clone(),
        person: Some(phone.person),
        state: BoxedAs::Held,
        boxed_at: world.clock.now(),
        settled: None,
    };
    let commit = Commit {
        boxed: vec![held.clone()],
        ..Commit::default()
    };
    world.app.store.commit(&commit).unwrap();
    assert_eq!(world.held().len(), 1);
    let at = world.clock.now().plus_ms(-5_000);
    let relic = relic_of(&world, &[(case, first.bytes.clone())], at);
    assert_eq!(take_in(&world, &relic), Ok(vec![Fate::Dup]));
    assert_eq!(world.held(), []);
    let after = BoxedChange {
        settled: by_the_lost_server(at),
        ..held
    };
    assert_eq!(boxed(&world, phone, &first.bytes), after);
}

#[test]
fn a_relic_of_what_a_review_has_released_leaves_the_review_as_it_is() {
    let mut world = World::new(143);
    let (notes, before) = settled_notes(&mut world, 1, Decision::Release);
    let relic = relic_of(&world, &notes, world.clock.now());
    assert_eq!(take_in(&world, &relic), Ok(vec![Fate::Dup]));
    assert_eq!(boxed(&world, &world.phones[INSPECTOR], &notes[0].1), before);
}

#[test]
fn what_a_review_refuses_while_a_relic_of_it_comes_is_not_marked_as_released() {
    let mut world = World::new(144);
    let notes = held_notes(&mut world, 2);
    let (app, person) = (world.app.clone(), world.person(DISPATCHER));
    let (case, first) = (notes[0].0, chunk_hash(&notes[0].1));
    let refuse = move || {
        let refused = Decision::Refuse;
        settle_all(&app, person, case, first, refused, "看过").unwrap();
    };
    world.store.before_commit(Box::new(refuse));
    let relic = relic_of(&world, &notes, world.clock.now());
    assert_eq!(take_in(&world, &relic), Ok(vec![Fate::Ok; 2]));
    let phone = &world.phones[INSPECTOR];
    let refusals = [Refusal::ReviewedAway, Refusal::Quarantined];
    for ((_, bytes), refusal) in notes.iter().zip(refusals) {
        let row = boxed(&world, phone, bytes);
        assert_eq!(row.state, BoxedAs::Refused(refusal.number()));
        let settled = row.settled.unwrap();
        assert_eq!((settled.person, settled.released), (person, false));
    }
}

#[test]
fn what_followed_a_refused_deed_stays_settled_when_a_bundle_brings_it_once_more() {
    let mut world = World::new(150);
    let (notes, before) = settled_notes(&mut world, 2, Decision::Refuse);
    assert!(before.settled.is_some());
    let phone = &world.phones[INSPECTOR];
    let again = frame(phone, &notes, range_of(&notes));
    let outcome = take_in_by(&world.app, phone.device(), &again, Carriage::Carried);
    let refusals = [Refusal::ReviewedAway, Refusal::Quarantined];
    let fates = refusals.map(Fate::Refused).to_vec();
    assert_eq!(outcome.unwrap().fates, Ok(fates));
    assert_eq!(boxed(&world, phone, &notes[1].1), before);
}

#[test]
fn what_builds_on_a_released_deed_and_on_another_comes_with_it() {
    let mut world = World::new(151);
    let (case, mut ledger) = begun(&mut world);
    let cadre = world.cadre_of(world.villages(INSPECTOR)[0]);
    let other = world.phone(&cadre);
    other.sync().unwrap();
    other.note(case, "已派人").unwrap();
    let beside = ledger_of(other, case)
        .links()
        .last()
        .unwrap()
        .change
        .clone();
    other.sync().unwrap();
    let phone = &world.phones[INSPECTOR];
    let first = (case, note(phone, &mut ledger, 2));
    ledger.push(beside).unwrap();
    assert_eq!(ledger.head_hashes().len(), 2);
    let second = (case, note(phone, &mut ledger, 3));
    end_posts(&world, INSPECTOR);
    let fates = push(&world.app, phone, &[first, second]);
    assert_eq!(fates, Ok(vec![Fate::Review; 2]));
    settle_first(&world, case, Decision::Release);
    assert_eq!(world.held(), []);
}

#[test]
fn what_follows_a_released_deed_and_is_done_at_the_office_alone_is_refused() {
    let mut world = World::new(145);
    let village = world.villages(INSPECTOR)[0];
    let phone = world.phone(DISPATCHER);
    let (case, _) = phone.report(village, "桥头垃圾");
    phone.sync().unwrap();
    let phone = &world.phones[DISPATCHER];
    revoke(&world, phone);
    let mut ledger = ledger_of(phone, case);
    let mut items = Vec::new();
    let deeds = [
        (Action::Note, Capability::Report),
        (Action::Accept, Capability::Accept),
    ];
    for ((action, capability), n) in deeds.into_iter().zip(2..) {
        let mut entry = entry_of(phone, &ledger, action.code(), UnitId::CITY, n);
        entry.capability = capability.code();
        let change = change_of(phone, &ledger, &entry, &[]);
        items.push((case, change.bytes.clone()));
        ledger.push(change).unwrap();
    }
    let fates = push(&world.app, phone, &items);
    assert_eq!(fates, Ok(vec![Fate::Review; 2]));
    settle_first(&world, case, Decision::Release);
    assert_eq!(world.held(), []);
    let [first, second] = [0, 1].map(|place: usize| boxed(&world, phone, &items[place].1).state);
    assert_eq!(first, BoxedAs::Held, "it is part of the case");
    assert_eq!(second, BoxedAs::Refused(Refusal::OfficeOnly.number()));
    assert_eq!(world.stage(case), "reported");
}

#[test]
fn what_only_a_newer_server_can_judge_stays_held_with_all_that_follows_it() {
    let mut world = World::new(146);
    let (case, mut ledger) = begun(&mut world);
    let phone = &world.phones[INSPECTOR];
    revoke(&world, phone);
    let items = [
        (case, note(phone, &mut ledger, 2)),
        (case, newer(phone, &mut ledger, 3)),
        (case, note(phone, &mut ledger, 4)),
    ];
    let fates = push(&world.app, phone, &items);
    assert_eq!(fates, Ok(vec![Fate::Review; 3]));
    let held = world.held();
    settle_first(&world, case, Decision::Release);
    assert_eq!(world.held(), held[1..]);
    let (device, mut told) = (phone.device(), 0);
    let read = world.app.store.read(&mut |snapshot| {
        told = snapshot.notices(device, 0)?.len();
        Ok(())
    });
    read.unwrap();
    assert_eq!(told, 1, "of the first alone");
    // Nor is it let in by a relic before there is one.
    let relic = relic_of(&world, &items[1..2], world.clock.now());
    assert_eq!(take_in(&world, &relic), Ok(vec![Fate::Later(Later::Newer)]));
}

#[test]
fn what_follows_what_only_a_newer_server_can_judge_stays_held_though_it_stands_in_another_change() {
    let mut world = World::new(152);
    let (case, mut ledger) = begun(&mut world);
    let before = ledger.clone();
    let phone = &world.phones[INSPECTOR];
    revoke(&world, phone);
    let items = [
        (case, note(phone, &mut ledger, 2)),
        (case, newer(phone, &mut ledger, 3)),
        (case, note(phone, &mut ledger, 4)),
    ];
    let last = parse(&items[2].1).unwrap();
    let again = (case, made_again_elsewhere(phone, &before, &last));
    for item in std::iter::once(&again).chain(&items) {
        let fates = push(&world.app, phone, std::slice::from_ref(item));
        assert_eq!(fates, Ok(vec![Fate::Review]));
    }
    settle_first(&world, case, Decision::Release);
    let held = world.held();
    settle_first(&world, case, Decision::Release);
    assert_eq!(world.held(), held[1..]);
}

#[test]
fn a_relic_waits_for_a_damaged_document_and_is_taken_in_for_a_sound_one() {
    let mut world = World::new(147);
    let (case, mut ledger) = begun(&mut world);
    let phone = &world.phones[INSPECTOR];
    let damaged = DocumentId([8; 16]);
    let commit = Commit {
        documents: vec![put_in(damaged, Vec::new(), None)],
        ..Commit::default()
    };
    world.app.store.commit(&commit).unwrap();
    let bytes = note(phone, &mut ledger, 2);
    let items = [(damaged, bytes.clone()), (case, bytes)];
    let relic = relic_of(&world, &items, world.clock.now());
    let fates = vec![Fate::Later(Later::Storage), Fate::Ok];
    assert_eq!(take_in(&world, &relic), Ok(fates));
}

#[test]
fn relics_of_a_revoked_phone_count_as_far_as_they_bring_something_and_no_more_is_taken() {
    let mut world = World::new(148);
    let (case, mut ledger) = begun(&mut world);
    let phone = &world.phones[INSPECTOR];
    revoke(&world, phone);
    let stands = ledger.links()[0].change.bytes.clone();
    let items = [(case, stands), (case, note(phone, &mut ledger, 2))];
    let known = relic_of(&world, &items[..1], world.clock.now());
    let news = relic_of(&world, &items, world.clock.now());
    let most = limits::REVOKED_BYTES_MAX;
    let before = most - news.encode().len() as u64;
    let commit = Commit {
        revoked_bytes: Some((phone.device(), before)),
        ..Commit::default()
    };
    world.app.store.commit(&commit).unwrap();
    let bytes = || device_of(&world, phone).revoked_bytes;
    assert_eq!(take_in(&world, &known), Ok(vec![Fate::Dup]));
    assert_eq!(bytes(), before);
    assert_eq!(take_in(&world, &news), Ok(vec![Fate::Dup, Fate::Ok]));
    assert_eq!(bytes(), most);
    assert_eq!(take_in(&world, &news), Err(Unread::TooMuch));
}

#[test]
fn a_revoked_phone_whose_one_held_change_is_refused_has_nothing_to_hand_in_again() {
    let mut world = World::new(149);
    let (case, _) = begun(&mut world);
    let phone = &world.phones[INSPECTOR];
    phone.note(case, "一").unwrap();
    revoke(&world, phone);
    for _ in 0..2 {
        phone.sync_revoked();
    }
    assert!(device_of(&world, phone).revoked_empty);
    settle_first(&world, case, Decision::Refuse);
    assert!(device_of(&world, phone).revoked_empty);
}
