//! What one phone, or a revoked one, may leave at the server, and what is counted of it. What is beyond its right is tried in `hostile_phone`.

use patrol_core::cbor::Writer;
use patrol_core::doc::compose::{Content, compose};
use patrol_core::doc::ledger::Ledger;
use patrol_core::domain::action::Action;
use patrol_core::domain::capability::Capability;
use patrol_core::domain::id::{Actor, ChangeHash, DeviceId, DocumentId, UnitId};
use patrol_core::domain::limits;
use patrol_core::domain::refusal::Refusal;
use patrol_core::domain::time::DAY_MS;
use patrol_core::sync::seal::Digest;
use patrol_core::sync::strip::{Stripper, Way};
use patrol_core::sync::wire::{Fate, Form, Later, Notice, PushHead, Status, Unread};
use patrol_server::bundle;
use patrol_server::intake::{self, Carriage};
use patrol_server::review::{self, Decision};
use patrol_server::store::{BoxedAs, BoxedChange, Commit, DocumentCommit, StoredChange, Summary};
use patrol_tests::pushing::{change_of, entry_of, frame, push, push_as};
use patrol_tests::settling::looked_at;
use patrol_tests::world::{Phone, World, matter};
use sha2::{Digest as _, Sha256};

use super::hostile_phone::{begun, device_of, note, revoke, village_of};
use super::late_work::end_posts;
use super::outcomes::{kept, settle_first};
use super::settled_late::boxed;

const INSPECTOR: &str = "巡查员01";
const DISPATCHER: &str = "受理派遣员01";
const OF_NEXT_YEAR: u64 = 4_000;
pub(super) const SLOW: Fate = Fate::Later(Later::Slow);

/// Bytes that differ from number to number.
fn bytes_of<const N: usize>(number: u64) -> [u8; N] {
    let mut bytes = [1; N];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    bytes
}

/// As many documents as that, which the phone opened just now.
fn opened_today(world: &World, phone: &Phone, count: u64) {
    let now = world.clock.now();
    let document = |number| DocumentCommit {
        id: DocumentId(bytes_of(number)),
        expected_len: 0,
        changes: vec![StoredChange {
            hash: ChangeHash(bytes_of(number)),
            body: b"no change at all".to_vec(),
            received_at: now,
            commit: 0,
        }],
        scopes: Vec::new(),
        digest: Digest::default(),
        summary: Summary {
            opened_at: now,
            ..Summary::default()
        },
        opened_by: Some(phone.device()),
    };
    let commit = Commit {
        documents: (0..count).map(document).collect(),
        ..Commit::default()
    };
    world.app.store.commit(&commit).unwrap();
}

/// As much of the phone in boxes as that, since just now.
pub(super) fn boxed_today(world: &World, phone: &Phone, case: DocumentId, count: u64) {
    let row = |number| BoxedChange {
        device: phone.device(),
        document: case,
        hash: ChangeHash(bytes_of(number)),
        body: Vec::new(),
        person: None,
        state: BoxedAs::Refused(Refusal::Malformed.number()),
        boxed_at: world.clock.now(),
        settled: None,
    };
    let commit = Commit {
        boxed: (0..count).map(row).collect(),
        ..Commit::default()
    };
    world.app.store.commit(&commit).unwrap();
}

/// A report of the phone's that the server has not seen, in a document of its own.
pub(super) fn opening(world: &World, phone: &Phone, number: u8, n: u64) -> Ledger {
    let mut ledger = Ledger::new(DocumentId([number; 16]));
    let mut report = entry_of(phone, &ledger, Action::Report.code(), UnitId::CITY, n);
    report.capability = Capability::Report.code();
    let fields = matter(world.villages(INSPECTOR)[0], "另一件");
    let change = change_of(phone, &ledger, &report, &fields);
    ledger.push(change).unwrap();
    ledger
}

/// The document of a ledger and its last change.
pub(super) fn last_of(ledger: &Ledger) -> (DocumentId, Vec<u8>) {
    let last = ledger.links().last().unwrap();
    (ledger.document(), last.change.bytes.clone())
}

#[test]
fn one_phone_opens_so_many_documents_in_a_day_and_goes_on_in_those_that_there_are() {
    let mut world = World::new(501);
    let (case, mut ledger) = begun(&mut world);
    let phone = &world.phones[INSPECTOR];
    // The case is one of them, and one more may come.
    opened_today(&world, phone, limits::DEVICE_DOCUMENTS_A_DAY_MAX - 2);
    let old = (case, note(phone, &mut ledger, 2));
    let mut first = opening(&world, phone, 9, 3);
    let opened = last_of(&first);
    let noted = (first.document(), note(phone, &mut first, 4));
    let second = last_of(&opening(&world, phone, 8, 5));
    let fates = push(&world.app, phone, &[old, opened, noted, second.clone()]);
    assert_eq!(fates, Ok(vec![Fate::Ok, Fate::Ok, Fate::Ok, SLOW]));
    let old = (case, note(phone, &mut ledger, 6));
    assert_eq!(push(&world.app, phone, &[old]), Ok(vec![Fate::Ok]));
    world.clock.advance_ms(DAY_MS);
    let told = push(&world.app, phone, std::slice::from_ref(&second));
    assert_eq!(told, Ok(vec![SLOW]), "a day is not over yet");
    world.clock.advance_ms(1);
    assert_eq!(push(&world.app, phone, &[second]), Ok(vec![Fate::Ok]));
}

#[test]
fn what_a_revoked_phone_leaves_is_counted_once_and_is_so_much_and_no_more() {
    let mut world = World::new(502);
    let (case, mut ledger) = begun(&mut world);
    let phone = &world.phones[INSPECTOR];
    let first = [(case, note(phone, &mut ledger, 2))];
    let next = [(case, note(phone, &mut ledger, 3))];
    revoke(&world, phone);
    let spend = |bytes: u64| {
        let commit = Commit {
            revoked_bytes: Some((phone.device(), bytes)),
            ..Commit::default()
        };
        world.app.store.commit(&commit).unwrap();
    };
    let len = frame(phone, &first, (2, 2)).len() as u64;
    spend(limits::REVOKED_BYTES_MAX - 2 * len);
    for _ in 0..2 {
        let fates = push(&world.app, phone, &first);
        assert_eq!(fates, Ok(vec![Fate::Review]));
        let spent = device_of(&world, phone).revoked_bytes;
        assert_eq!(spent, limits::REVOKED_BYTES_MAX - len);
    }
    spend(len);
    let refused = push(&world.app, phone, &next);
    assert_eq!(refused, Err(Unread::TooMuch));
    assert_eq!(world.held().len(), 1);
}

#[test]
fn what_anybody_carries_again_and_again_costs_its_author_nothing_more() {
    let mut world = World::new(518);
    let (case, mut ledger) = begun(&mut world);
    let phone = &world.phones[INSPECTOR];
    let first = note(phone, &mut ledger, 2);
    let next = [(case, note(phone, &mut ledger, 3))];
    revoke(&world, phone);
    let fates = push(&world.app, phone, &[(case, first)]);
    assert_eq!(fates, Ok(vec![Fate::Review]));
    settle_first(&world, case, Decision::Refuse);
    let carried = frame(phone, &next, (3, 3));
    let mut spent = Vec::new();
    for _ in 0..3 {
        let outcome =
            intake::take_in_by(&world.app, phone.device(), &carried, Carriage::Carried).unwrap();
        let refused = Fate::Refused(Refusal::Quarantined);
        assert_eq!(outcome.fates, Ok(vec![refused]));
        spent.push(device_of(&world, phone).revoked_bytes);
    }
    assert!(spent.iter().all(|bytes| *bytes == spent[0]), "{spent:?}");
}

#[test]
fn a_revoked_phone_of_whose_two_changes_in_one_place_a_review_takes_one_may_make_the_other_again() {
    // All at once, or each by itself.
    for count in [4, 1] {
        let mut world = World::new(519);
        let (case, mut ledger) = begun(&mut world);
        let phone = &world.phones[INSPECTOR];
        let first = note(phone, &mut ledger, 2);
        // It has gone back to an older copy of itself between these two.
        let twice = [3, 4].map(|n| (case, note(phone, &mut ledger.clone(), n)));
        revoke(&world, phone);
        let items = [&[(case, first)], &twice[..]].concat();
        assert_eq!(push(&world.app, phone, &items), Ok(vec![Fate::Review; 3]));
        world.app.store.note_emptied(phone.device()).unwrap();
        let release = |looked_at: &[ChangeHash]| {
            let (person, released) = (world.person(DISPATCHER), Decision::Release);
            review::settle(&world.app, person, case, looked_at, released, "看过").unwrap();
        };
        let mut seen = looked_at(&world.app, case, world.held()[0].hash);
        seen.truncate(count);
        release(&seen);
        while let Some(held) = world.held().first() {
            release(&[held.hash]);
        }
        let refused = twice.map(|(_, body)| boxed(&world, phone, &body).state);
        assert!(refused.contains(&BoxedAs::Refused(Refusal::Forked.number())));
        assert!(!device_of(&world, phone).revoked_empty);
    }
}

#[test]
fn what_follows_what_found_no_room_in_the_boxes_waits_with_it() {
    let mut world = World::new(503);
    let (case, mut ledger) = begun(&mut world);
    let phone = &world.phones[INSPECTOR];
    boxed_today(&world, phone, case, limits::BOXED_A_DAY_MAX - 1);
    let notes = [2, 3, 4].map(|n| (case, note(phone, &mut ledger, n)));
    end_posts(&world, INSPECTOR);
    let fates = push(&world.app, phone, &notes);
    assert_eq!(fates, Ok(vec![Fate::Review, SLOW, SLOW]));
    assert_eq!(world.held().len(), 1);
}

/// What becomes of the last change of a ledger that is pushed stripped, with some of its signature's bits flipped.
pub(super) fn stripped(
    world: &World,
    phone: &Phone,
    ledger: &Ledger,
    flip: u8,
) -> Result<Vec<Fate>, Unread> {
    let raw = frame(phone, &[last_of(ledger)], (2, 2));
    let (mut head, ..) = PushHead::decode(&raw).unwrap();
    let way = Way::Up {
        signer: head.signer,
        person: phone.person,
        first_n: head.n.0,
    };
    let (mut items, place) = (Writer::default(), ledger.len() - 1);
    Stripper::new(way).change(&mut items, ledger, place, place, None);
    head.form = Form::Stripped;
    head.signature[0] ^= flip;
    let payload = head.encode(1, &items.finish());
    let outcome = intake::take_in(&world.app, phone.device(), &payload);
    outcome.unwrap().fates
}

#[test]
fn a_stripped_frame_with_a_wrong_signature_is_asked_for_once_more() {
    let mut world = World::new(504);
    let (_, mut ledger) = begun(&mut world);
    let phone = &world.phones[INSPECTOR];
    note(phone, &mut ledger, 2);
    let stripped = |flip| stripped(&world, phone, &ledger, flip);
    // What was rebuilt may be another change than its phone made: it is to come again, raw.
    assert_eq!(stripped(1), Err(Unread::Rebuild));
    assert_eq!(stripped(0), Ok(vec![Fate::Ok]));
}

#[test]
fn a_frame_whose_entries_lie_beyond_its_range_in_part_is_not_read() {
    let mut world = World::new(505);
    let (case, mut ledger) = begun(&mut world);
    let phone = &world.phones[INSPECTOR];
    let notes = [2, 3].map(|n| (case, note(phone, &mut ledger, n)));
    for range in [(2, 2), (3, 3)] {
        let outcome = push_as(&world.app, phone, &notes, range);
        assert_eq!(outcome, Err(Unread::Malformed));
    }
    let fates = push_as(&world.app, phone, &notes, (2, 3));
    assert_eq!(fates, Ok(vec![Fate::Ok; 2]));
}

/// A note of the phone's own person that names a device that is not the phone.
pub(super) fn of_another_device(phone: &Phone, ledger: &Ledger, n: u64) -> Vec<u8> {
    let mut entry = entry_of(phone, ledger, Action::Note.code(), village_of(ledger), n);
    entry.device = DeviceId([9; 8]);
    change_of(phone, ledger, &entry, &[]).bytes
}

#[test]
fn an_entry_that_names_another_device_of_the_same_person_is_not_held_behind_another() {
    let mut world = World::new(506);
    let (case, mut ledger) = begun(&mut world);
    let phone = &world.phones[INSPECTOR];
    revoke(&world, phone);
    let first = note(phone, &mut ledger, 2);
    let forged = of_another_device(phone, &ledger, 3);
    let fates = push(&world.app, phone, &[(case, first), (case, forged)]);
    let refused = Fate::Refused(Refusal::ForeignPerson);
    assert_eq!(fates, Ok(vec![Fate::Review, refused]));
    assert_eq!(world.held().len(), 1);
}

#[test]
fn a_change_by_another_devices_actor_is_not_held_behind_ones_own() {
    let mut world = World::new(515);
    let (case, mut ledger) = begun(&mut world);
    let phone = &world.phones[INSPECTOR];
    revoke(&world, phone);
    let first = note(phone, &mut ledger, 2);
    let entry = entry_of(phone, &ledger, Action::Note.code(), village_of(&ledger), 3);
    let content = Content::person(&entry, Vec::new());
    let actor = Actor::new(DeviceId([9; 8]), [1; 8]);
    let foreign = compose(&ledger, actor, &ledger.head_hashes(), &content).unwrap();
    let fates = push(&world.app, phone, &[(case, first), (case, foreign.bytes)]);
    let refused = Fate::Refused(Refusal::ForeignActor);
    assert_eq!(fates, Ok(vec![Fate::Review, refused]));
    assert_eq!(world.held().len(), 1);
}

#[test]
fn an_entry_that_names_another_device_is_in_nobodys_log() {
    let mut world = World::new(507);
    let (case, mut ledger) = begun(&mut world);
    let phone = &world.phones[INSPECTOR];
    let [_, rows, _] = kept(&world);
    let forged = of_another_device(phone, &ledger, 99);
    let good = note(phone, &mut ledger, 2);
    let items = [(case, forged), (case, good)];
    let fates = push_as(&world.app, phone, &items, (2, 2));
    let refused = Fate::Refused(Refusal::ForeignPerson);
    assert_eq!(fates, Ok(vec![refused, Fate::Ok]));
    assert_eq!(kept(&world)[1], rows + 1);
}

#[test]
fn what_a_phone_says_that_it_has_to_push_is_less_by_what_has_a_fate_for_good() {
    let mut world = World::new(508);
    let (case, mut ledger) = begun(&mut world);
    let phone = &world.phones[INSPECTOR];
    let known = note(phone, &mut ledger, 2);
    let newer = entry_of(phone, &ledger, OF_NEXT_YEAR, village_of(&ledger), 3);
    let newer = change_of(phone, &ledger, &newer, &[]).bytes;
    let mut unseen = ledger.clone();
    note(phone, &mut unseen, 4);
    let orphan = note(phone, &mut unseen, 5);
    says_that_three_wait(&world, phone);
    let items = [(case, known), (case, newer), (case, orphan)];
    // Without a hello, which would say it anew.
    let payload = frame(phone, &items, (2, 5));
    let outcome = intake::take_in(&world.app, phone.device(), &payload);
    let fates = outcome.unwrap().fates.unwrap();
    assert!(
        matches!(
            fates[..],
            [Fate::Ok, Fate::Later(Later::Newer), Fate::Missing(_)]
        ),
        "{fates:?}"
    );
    assert_eq!(device_of(&world, phone).status.outbox, Some(2));
}

#[test]
fn what_others_hand_in_of_a_phone_does_not_change_what_it_says_that_it_has_to_push() {
    let mut world = World::new(509);
    let (case, _) = begun(&mut world);
    let phone = &world.phones[INSPECTOR];
    phone.note(case, "还在").unwrap();
    let file = phone.replica.rescue_bundle().unwrap();
    says_that_three_wait(&world, phone);
    let handed = bundle::hand_in(&world.app, &file).unwrap().unwrap();
    assert_eq!(handed.taken, 1, "{handed:?}");
    assert_eq!(device_of(&world, phone).status.outbox, Some(3));
}

fn says_that_three_wait(world: &World, phone: &Phone) {
    let status = Status {
        outbox: Some(3),
        ..Status::default()
    };
    let now = world.clock.now();
    let noted = world.app.store.note_contact(phone.device(), now, &status);
    noted.unwrap();
}

#[test]
fn three_entries_of_one_frame_under_one_number_bring_one_notice_whatever_waits_besides() {
    let mut world = World::new(510);
    let (case, mut ledger) = begun(&mut world);
    let phone = &world.phones[INSPECTOR];
    let outcome = Notice::Outcome {
        document: case,
        change: ChangeHash([1; 32]),
        refusal: None,
    };
    let commit = Commit {
        notices: vec![(phone.device(), outcome)],
        ..Commit::default()
    };
    world.app.store.commit(&commit).unwrap();
    let [_, rows, notices] = kept(&world);
    let said = |words: &str| {
        let village = village_of(&ledger);
        let mut entry = entry_of(phone, &ledger, Action::Note.code(), village, 2);
        entry.body.words = Some(words.to_owned());
        let change = change_of(phone, &ledger, &entry, &[]);
        let bytes = change.bytes.clone();
        ledger.push(change).unwrap();
        (case, bytes)
    };
    let items = ["一", "二", "三"].map(said);
    let fates = push(&world.app, phone, &items);
    assert_eq!(fates, Ok(vec![Fate::Ok; 3]));
    assert_eq!(kept(&world)[1..], [rows + 3, notices + 1]);
}

#[test]
fn what_is_too_large_to_be_a_change_is_kept_without_its_bytes() {
    let mut world = World::new(511);
    let (case, _) = begun(&mut world);
    let phone = &world.phones[INSPECTOR];
    let most = limits::CHANGE_BYTES_MAX;
    for (len, left) in [(most, most), (most + 1, 0)] {
        let junk = vec![7u8; len];
        let hash = ChangeHash(Sha256::digest(&junk).into());
        let fates = push(&world.app, phone, &[(case, junk)]);
        assert_eq!(fates, Ok(vec![Fate::Refused(Refusal::Malformed)]));
        let mut found = None;
        let read = world.app.store.read(&mut |snapshot| {
            found = snapshot.boxed(phone.device(), hash)?;
            Ok(())
        });
        read.unwrap();
        assert_eq!(found.unwrap().body.len(), left);
    }
}

#[test]
fn a_frame_of_which_all_is_refused_leaves_a_row_and_no_proof() {
    let mut world = World::new(512);
    let (case, ledger) = begun(&mut world);
    let phone = &world.phones[INSPECTOR];
    let [proofs, rows, _] = kept(&world);
    let entry = entry_of(phone, &ledger, Action::Close.code(), village_of(&ledger), 2);
    let close = change_of(phone, &ledger, &entry, &[]).bytes;
    let fates = push(&world.app, phone, &[(case, close)]).unwrap();
    assert!(matches!(fates[..], [Fate::Refused(_)]), "{fates:?}");
    assert_eq!(kept(&world)[..2], [proofs, rows + 1]);
}
