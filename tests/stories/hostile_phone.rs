//! What an enrolled phone may try beyond its right, past its own checks: under another's name, beyond its share, after it was revoked.

use std::sync::Arc;

use patrol_core::doc::ledger::Ledger;
use patrol_core::doc::register::FieldValue;
use patrol_core::domain::action::Action;
use patrol_core::domain::capability::Capability;
use patrol_core::domain::id::{DocumentId, UnitId};
use patrol_core::domain::limits;
use patrol_core::domain::refusal::Refusal;
use patrol_core::domain::time::DAY_MS;
use patrol_core::store::enrolment;
use patrol_core::sync::frame::Frame;
use patrol_core::sync::wire::{Fate, Fates, Later, Unread, kind};
use patrol_server::review::{self, Decision};
use patrol_server::round::Round;
use patrol_server::store::{BatchRow, BoxedAs, Commit, Device};
use patrol_tests::pushing::{
    change_of, enrolment_of, entry_of, frame, hello_of, ledger_of, push, push_as, push_stripped,
};
use patrol_tests::settling::looked_at;
use patrol_tests::world::{Phone, World};

use super::outcomes::kept;
use super::settled_late::{relic_of, take_in};

const INSPECTOR: &str = "巡查员01";
const DISPATCHER: &str = "受理派遣员01";

/// An inspector's case that the server has, and the ledger of it.
pub(super) fn begun(world: &mut World) -> (DocumentId, Ledger) {
    let village = world.villages(INSPECTOR)[0];
    let phone = world.phone(INSPECTOR);
    let (case, _) = phone.report(village, "桥头垃圾");
    phone.sync().unwrap();
    (case, ledger_of(phone, case))
}

pub(super) fn revoke(world: &World, phone: &Phone) {
    let now = world.clock.now();
    world.app.store.revoke(phone.device(), now).unwrap();
}

/// A note by the phone's person, on top of the ledger, which then holds it.
pub(super) fn note(phone: &Phone, ledger: &mut Ledger, n: u64) -> Vec<u8> {
    let mut entry = entry_of(phone, ledger, Action::Note.code(), UnitId::CITY, n);
    entry.unit = village_of(ledger);
    let change = change_of(phone, ledger, &entry, &[]);
    let bytes = change.bytes.clone();
    ledger.push(change).unwrap();
    bytes
}

/// The village of a case.
pub(super) fn village_of(ledger: &Ledger) -> UnitId {
    let (scopes, _) = patrol_core::doc::document::scopes(ledger);
    scopes.iter().find_map(|scope| scope.unit()).unwrap()
}

#[test]
fn what_follows_a_held_change_is_held_under_its_authors_name_alone() {
    let mut world = World::new(81);
    let (case, mut ledger) = begun(&mut world);
    let phone = &world.phones[INSPECTOR];
    revoke(&world, phone);
    let first = note(phone, &mut ledger, 2);
    let mut forged = entry_of(phone, &ledger, Action::Note.code(), village_of(&ledger), 3);
    forged.person = world.person("督办领导01");
    let forged = change_of(phone, &ledger, &forged, &[]).bytes;
    let fates = push(&world.app, phone, &[(case, first), (case, forged)]);
    let refused = Fate::Refused(Refusal::ForeignPerson);
    assert_eq!(fates, Ok(vec![Fate::Review, refused]));
    assert_eq!(world.held().len(), 1);
}

#[test]
fn a_follower_that_has_not_the_right_is_refused_when_the_first_is_released() {
    // Whether or not anybody has looked at it.
    for count in [1, 4] {
        let mut world = World::new(82);
        let (case, mut ledger) = begun(&mut world);
        let phone = &world.phones[INSPECTOR];
        revoke(&world, phone);
        let first = note(phone, &mut ledger, 2);
        let mut urged = entry_of(phone, &ledger, Action::Urge.code(), UnitId::CITY, 3);
        urged.capability = Capability::Urge.code();
        let urged = change_of(phone, &ledger, &urged, &[]);
        ledger.push(urged.clone()).unwrap();
        let last = note(phone, &mut ledger, 4);
        let items = [(case, first), (case, urged.bytes), (case, last)];
        let fates = push(&world.app, phone, &items);
        assert_eq!(fates, Ok(vec![Fate::Review; 3]));
        let held = world.held();
        let person = world.person(DISPATCHER);
        let released = Decision::Release;
        let seen = looked_at(&world.app, case, held[0].hash);
        review::settle(&world.app, person, case, &seen[..count], released, "看过").unwrap();
        assert_eq!(world.held(), []);
        let boxed = |place: usize| {
            let mut found = None;
            let read = world.app.store.read(&mut |snapshot| {
                found = snapshot.boxed(phone.device(), held[place].hash)?;
                Ok(())
            });
            read.unwrap();
            let found = found.unwrap();
            (found.state, found.settled.unwrap().released)
        };
        let refused = |refusal: Refusal| (BoxedAs::Refused(refusal.number()), false);
        assert_eq!(
            [boxed(0), boxed(1), boxed(2)],
            [
                (BoxedAs::Held, true),
                refused(Refusal::NotPermitted),
                refused(Refusal::Quarantined)
            ]
        );
        let mut stored = None;
        let read = world.app.store.read(&mut |snapshot| {
            stored = snapshot.document(case)?;
            Ok(())
        });
        read.unwrap();
        let hashes: Vec<_> = stored
            .unwrap()
            .changes
            .iter()
            .map(|change| change.hash)
            .collect();
        let is_there = |place: usize| hashes.contains(&held[place].hash);
        assert_eq!(
            [is_there(0), is_there(1), is_there(2)],
            [true, false, false]
        );
    }
}

#[test]
fn what_lies_in_a_box_may_come_for_ever_and_leaves_nothing_more() {
    let mut world = World::new(93);
    let (case, mut ledger) = begun(&mut world);
    let phone = &world.phones[INSPECTOR];
    let village = world.villages(INSPECTOR)[0].unit();
    // Held, and refused under a number that another entry has.
    let entry = entry_of(phone, &ledger, Action::Close.code(), village, 2);
    let refused = change_of(phone, &ledger, &entry, &[]).bytes;
    let held = note(phone, &mut ledger, 2);
    super::late_work::end_posts(&world, INSPECTOR);
    let items = [(case, held), (case, refused.clone())];
    let fates = push(&world.app, phone, &items).unwrap();
    assert!(
        matches!(fates[..], [Fate::Review, Fate::Refused(_)]),
        "{fates:?}"
    );
    let rows = kept(&world);
    for _ in 0..3 {
        assert_eq!(push(&world.app, phone, &items), Ok(fates.clone()));
    }
    // Nor for a document that it was not made for.
    let other = DocumentId([7; 16]);
    let told = push(&world.app, phone, &[(other, refused)]);
    assert_eq!(told.as_deref(), Ok(&fates[1..]));
    assert_eq!(kept(&world), rows);
}

#[test]
fn a_phone_that_says_nothing_of_it_is_told_once_to_enrol_anew() {
    let mut world = World::new(94);
    let (case, ledger) = begun(&mut world);
    let phone = &world.phones[INSPECTOR];
    let village = world.villages(INSPECTOR)[0].unit();
    let mut notices = Vec::new();
    for words in ["一", "二", "三"] {
        let mut entry = entry_of(phone, &ledger, Action::Note.code(), village, 1);
        entry.body.words = Some(words.to_owned());
        let change = change_of(phone, &ledger, &entry, &[]);
        let fates = push(&world.app, phone, &[(case, change.bytes)]).unwrap();
        assert_eq!(fates.len(), 1);
        notices.push(kept(&world)[2]);
    }
    assert_eq!(notices, [1, 1, 1]);
}

#[test]
fn so_many_proofs_are_kept_of_one_phone_in_a_day_and_large_ones_wait() {
    let mut world = World::new(95);
    let (case, mut ledger) = begun(&mut world);
    let phone = &world.phones[INSPECTOR];
    let proof = BatchRow {
        device: phone.device(),
        n: (0, 0),
        leaves: vec![0; usize::try_from(limits::PROOF_BYTES_A_DAY_MAX).unwrap()],
        signature: [0; 64],
        received_at: world.clock.now(),
    };
    let commit = Commit {
        batch: Some(proof),
        ..Commit::default()
    };
    world.app.store.commit(&commit).unwrap();
    let mut many = |first: u64| -> Vec<_> {
        let notes = 0..=limits::PROOF_CHANGES_SMALL as u64;
        notes
            .map(|n| (case, note(phone, &mut ledger, first + n)))
            .collect()
    };
    let many = many(2);
    let fates = push(&world.app, phone, &many).unwrap();
    let later = Fate::Later(Later::Slow);
    assert!(fates.iter().all(|fate| *fate == later), "{fates:?}");
    let fates = push(&world.app, phone, &many[1..]).unwrap();
    assert!(fates.iter().all(|fate| *fate != later), "{fates:?}");
    world.clock.advance_ms(DAY_MS + 1);
    let fates = push(&world.app, phone, &many).unwrap();
    assert!(fates.iter().all(|fate| *fate == Fate::Ok), "{fates:?}");
}

#[test]
fn a_frame_holds_so_many_changes_and_no_more() {
    let mut world = World::new(89);
    let (case, _) = begun(&mut world);
    let phone = &world.phones[INSPECTOR];
    let most = limits::PUSH_FRAME_CHANGES_MAX as u64;
    let junk = |count: u64| -> Vec<_> {
        let junk = (0..count).map(|number| (case, number.to_be_bytes().to_vec()));
        junk.collect()
    };
    assert_eq!(
        push(&world.app, phone, &junk(most + 1)),
        Err(Unread::Malformed)
    );
    let fates = push(&world.app, phone, &junk(most)).unwrap();
    assert_eq!(fates.len() as u64, most);
}

#[test]
fn a_revoked_phone_that_has_handed_in_everything_hands_in_nothing_more() {
    let mut world = World::new(90);
    let (case, mut ledger) = begun(&mut world);
    let phone = &world.phones[INSPECTOR];
    let n = phone.replica.store().write(enrolment::next_n).unwrap();
    let last = note(phone, &mut ledger, n);
    let later = note(phone, &mut ledger, n + 1);
    revoke(&world, phone);
    let held = push(&world.app, phone, &[(case, last)]);
    assert_eq!(held, Ok(vec![Fate::Review]));
    // Its hello says that its outbox is empty.
    phone.sync_revoked();
    let refused = push(&world.app, phone, &[(case, later)]);
    assert_eq!(refused, Err(Unread::TooMuch));
}

#[test]
fn one_phone_fills_the_boxes_of_its_day_and_no_more() {
    let mut world = World::new(83);
    let (case, _) = begun(&mut world);
    let phone = &world.phones[INSPECTOR];
    let mut last = Fate::Ok;
    let mut number = 0u64;
    while number < limits::BOXED_A_DAY_MAX + 10 {
        let junk: Vec<_> = (0..4_000)
            .map(|place| (case, (number + place).to_be_bytes().to_vec()))
            .collect();
        number += 4_000;
        last = push(&world.app, phone, &junk).unwrap().pop().unwrap();
    }
    assert_eq!(last, Fate::Later(Later::Slow));
    world.clock.advance_ms(25 * 60 * 60 * 1_000);
    let large = vec![7; limits::CHANGE_BYTES_MAX + 1];
    let fates = push(&world.app, phone, &[(case, large.clone())]);
    let refused = Fate::Refused(Refusal::Malformed);
    assert_eq!(fates, Ok(vec![refused.clone()]));
    // Its bytes were not kept, and still it is known again.
    assert_eq!(push(&world.app, phone, &[(case, large)]), Ok(vec![refused]));
}

#[test]
fn one_phone_fills_the_boxes_of_its_day_with_so_many_bytes_and_no_more() {
    let mut world = World::new(87);
    let (case, _) = begun(&mut world);
    let phone = &world.phones[INSPECTOR];
    let mut fates = Vec::new();
    for frame in 0..15u64 {
        let junk = |place: u64| {
            let mut junk = vec![7; limits::CHANGE_BYTES_MAX];
            junk[..8].copy_from_slice(&(300 * frame + place).to_be_bytes());
            (case, junk)
        };
        let junk: Vec<_> = (0..300).map(junk).collect();
        fates.extend(push(&world.app, phone, &junk).unwrap());
    }
    let kept = limits::BOXED_BYTES_A_DAY_MAX as usize / limits::CHANGE_BYTES_MAX;
    let refused = Fate::Refused(Refusal::Malformed);
    assert_eq!(fates.iter().position(|fate| *fate != refused), Some(kept));
    assert_eq!(fates[kept], Fate::Later(Later::Slow));
}

#[test]
fn a_frame_makes_the_server_load_so_much_and_no_more() {
    let mut world = World::new(88);
    let village = world.villages(INSPECTOR)[0];
    begun(&mut world);
    let phone = &world.phones[INSPECTOR];
    // As much in one document as one phone may put there, many times over.
    let (mut n, mut bytes, mut ledgers) = (1, 0, Vec::new());
    while bytes < limits::FRAME_LOADS_BYTES_MAX + limits::DEVICE_BYTES_MAX {
        let (case, _) = phone.report(village, "大");
        phone.sync().unwrap();
        n = phone.replica.status().unwrap().n;
        let mut ledger = ledger_of(phone, case);
        let mut items = Vec::new();
        for _ in 0..24 {
            n = phone.replica.store().write(enrolment::next_n).unwrap();
            let mut entry = entry_of(phone, &ledger, Action::Amend.code(), village.unit(), n);
            entry.body.words = Some("字".repeat(limits::ENTRY_WORDS_MAX));
            let words = "字".repeat(limits::CASE_WORDS_MAX);
            let change = change_of(phone, &ledger, &entry, &[FieldValue::Words(words)]);
            bytes += change.bytes.len();
            items.push((case, change.bytes.clone()));
            ledger.push(change).unwrap();
        }
        let fates = push(&world.app, phone, &items).unwrap();
        assert!(fates.iter().all(|fate| *fate == Fate::Ok), "{fates:?}");
        ledgers.push((case, ledger));
    }
    let notes: Vec<_> = (1..)
        .zip(&mut ledgers)
        .map(|(place, (case, ledger))| (*case, note(phone, ledger, n + place)))
        .collect();
    // Beyond so much nothing is found to build on.
    let noted: Vec<&Ledger> = ledgers.iter().map(|(_, ledger)| ledger).collect();
    let stripped = push_stripped(&world.app, phone, &noted);
    assert_eq!(stripped, Err(Unread::Rebuild));
    let fates = push(&world.app, phone, &notes).unwrap();
    assert_eq!(fates.first(), Some(&Fate::Ok));
    assert_eq!(fates.last(), Some(&Fate::Later(Later::Slow)));
    // A relic loads no more either.
    let relic = relic_of(&world, &notes, world.clock.now());
    let fates = take_in(&world, &relic).unwrap();
    assert_eq!(fates.first(), Some(&Fate::Dup));
    assert_eq!(fates.last(), Some(&Fate::Later(Later::Slow)));
    // What was let wait is taken another time.
    let fates = push_stripped(&world.app, phone, &noted[noted.len() - 1..]);
    assert_eq!(fates, Ok(vec![Fate::Ok]));
}

#[test]
fn a_stripped_change_is_as_large_as_a_change_may_be_and_no_larger() {
    let mut world = World::new(90);
    let (_, ledger) = begun(&mut world);
    let phone = &world.phones[INSPECTOR];
    let sized = |words: usize| {
        let entry = entry_of(phone, &ledger, Action::Note.code(), village_of(&ledger), 2);
        let words = FieldValue::Words("x".repeat(words));
        change_of(phone, &ledger, &entry, &[words])
    };
    let near = limits::CHANGE_BYTES_MAX - 1_024;
    let most = near + limits::CHANGE_BYTES_MAX - sized(near).bytes.len();
    for (words, refusal) in [(most, Refusal::WrongFields), (most + 1, Refusal::Malformed)] {
        let (change, mut ledger) = (sized(words), ledger.clone());
        let over = change.bytes.len() - limits::CHANGE_BYTES_MAX;
        assert_eq!(over, words - most);
        ledger.push(change).unwrap();
        let fates = push_stripped(&world.app, phone, &[&ledger]);
        assert_eq!(fates, Ok(vec![Fate::Refused(refusal)]));
    }
}

#[test]
fn a_phone_that_is_revoked_while_its_request_is_under_way_gets_nothing_more() {
    let mut world = World::new(84);
    let (case, mut ledger) = begun(&mut world);
    let phone = &world.phones[INSPECTOR];
    let mut hello = hello_of(phone, &enrolment_of(phone));
    hello.cursors.clear();
    let mut round = Round::new(Arc::clone(&world.app), device_of(&world, phone));
    let receive = |round: &mut Round, kind, payload| {
        round.receive(&Frame { kind, payload }).unwrap();
    };
    receive(&mut round, kind::HELLO, hello.encode());
    let items = |n: u64, ledger: &mut Ledger| [(case, note(phone, ledger, n))];
    let before = items(2, &mut ledger);
    receive(&mut round, kind::PUSH, frame(phone, &before, (2, 2)));
    revoke(&world, phone);
    let after = items(3, &mut ledger);
    receive(&mut round, kind::PUSH, frame(phone, &after, (3, 3)));
    let (mut kinds, mut fates) = (Vec::new(), Vec::new());
    while let Some((kind, payload)) = round.next_frame().unwrap() {
        kinds.push(kind);
        if kind == kind::FATES {
            fates.push(Fates::decode(&payload, 9).unwrap().outcome.unwrap());
        }
    }
    assert_eq!(kinds, [kind::WELCOME, kind::FATES, kind::FATES, kind::DONE]);
    assert_eq!(fates, [[Fate::Ok], [Fate::Review]]);
}

#[test]
fn a_phone_that_is_revoked_between_two_pages_gets_the_first_alone() {
    let mut world = World::new(86);
    begun(&mut world);
    begun(&mut world);
    let phone = &world.phones[INSPECTOR];
    let mut hello = hello_of(phone, &enrolment_of(phone));
    hello.cursors.clear();
    let round = Round::new(Arc::clone(&world.app), device_of(&world, phone));
    let mut round = round.with_pages_of(1);
    let hello = Frame {
        kind: kind::HELLO,
        payload: hello.encode(),
    };
    round.receive(&hello).unwrap();
    let mut kinds = Vec::new();
    while let Some((kind, _)) = round.next_frame().unwrap() {
        kinds.push(kind);
        if kind == kind::PAGE {
            revoke(&world, phone);
        }
    }
    assert_eq!(kinds, [kind::WELCOME, kind::SCOPES, kind::PAGE, kind::DONE]);
}

/// What the server knows of a phone.
pub(super) fn device_of(world: &World, phone: &Phone) -> Device {
    let mut device = None;
    let read = world.app.store.read(&mut |snapshot| {
        device = snapshot.device(phone.device())?;
        Ok(())
    });
    read.unwrap();
    device.unwrap()
}

#[test]
fn a_frame_whose_range_is_not_that_of_its_entries_is_not_read() {
    let mut world = World::new(85);
    let (case, mut ledger) = begun(&mut world);
    let phone = &world.phones[INSPECTOR];
    let change = note(phone, &mut ledger, 2);
    let outcome = push_as(&world.app, phone, &[(case, change.clone())], (3, 9));
    assert_eq!(outcome, Err(Unread::Malformed));
    assert_eq!(
        push(&world.app, phone, &[(case, change)]),
        Ok(vec![Fate::Ok])
    );
}
