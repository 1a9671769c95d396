//! What a phone records while earlier work of its own is held: it follows, it is made again, and it comes back once.

use patrol_core::doc::parse::{self};
use patrol_core::domain::action::Action;
use patrol_core::domain::id::{ChangeHash, DocumentId};
use patrol_core::domain::refusal::Refusal;
use patrol_core::replica::SyncState;
use patrol_core::store::changes::ChangeState;
use patrol_core::store::{changes, documents, enrolment};
use patrol_core::sync::wire::{Fate, Notice};
use patrol_server::office::Rejection;
use patrol_server::review::{self, Decision};
use patrol_server::store::faulty::{Break, Call};
use patrol_server::store::{BoxedAs, Commit, Settled};
use patrol_tests::pushing::{change_of, entry_of, ledger_of, push};
use patrol_tests::settling::settle_all;
use patrol_tests::world::{Phone, World, city};

use super::hostile_phone::note;
use super::late_work::end_posts;
use super::outcomes::settle_first;
use super::settled_late::boxed;

const INSPECTOR: &str = "巡查员01";
const DISPATCHER: &str = "受理派遣员01";

/// A note under somebody else's name, recorded past every check.
pub(super) fn forge(phone: &Phone, world: &World, case: DocumentId) {
    let ledger = ledger_of(phone, case);
    let store = phone.replica.store();
    let n = store.write(enrolment::next_n).unwrap();
    let village = world.villages(INSPECTOR)[0].unit();
    let mut entry = entry_of(phone, &ledger, Action::Note.code(), village, n);
    entry.person = world.person(DISPATCHER);
    let change = change_of(phone, &ledger, &entry, &[]);
    let written = store.write(|transaction| {
        let number = documents::state(transaction, case)?.unwrap().number;
        changes::put_local(transaction, number, change.hash, &change.bytes)
    });
    written.unwrap();
}

/// A case that the server has.
pub(super) fn begun(world: &mut World) -> DocumentId {
    let village = world.villages(INSPECTOR)[0];
    let (case, _) = world.phone(INSPECTOR).report(village, "桥头垃圾");
    world.phone(INSPECTOR).sync().unwrap();
    case
}

/// A case with two notes that are still on the phone, each to go in a frame of its own, when their author loses his posts.
fn two_notes_of_one_who_left(world: &mut World) -> DocumentId {
    let case = begun(world);
    let phone = &world.phones[INSPECTOR];
    phone.note(case, "一").unwrap();
    phone.note(case, "二").unwrap();
    let small = phone.replica.store().write(|transaction| {
        let mut state = enrolment::round_state(transaction)?;
        state.frame_bytes = 1;
        enrolment::put_round_state(transaction, &state)
    });
    small.unwrap();
    end_posts(world, INSPECTOR);
    case
}

#[test]
fn what_is_recorded_before_the_next_round_is_no_fork_of_what_was_made_again_behind_a_held_deed() {
    let mut world = World::new(91);
    let case = begun(&mut world);
    let phone = &world.phones[INSPECTOR];
    phone.note(case, "一").unwrap();
    forge(phone, &world, case);
    let second = phone.note(case, "二").unwrap();
    let now = world.clock.now();
    world.app.store.revoke(phone.device(), now).unwrap();

    // The answer is cut behind the fates: what was made again has not been sent.
    phone.link.cut_after(2);
    phone.sync().unwrap_err();
    assert_eq!(phone.replica.status().unwrap().held, 1);
    let states = phone
        .replica
        .store()
        .read(|connection| changes::states_of(connection, case));
    assert_eq!(states.unwrap().last(), Some(&ChangeState::Following));
    let shown = phone.replica.case(case).unwrap().sync.entries;
    assert!(shown.contains(&(second, SyncState::Held)), "{shown:?}");
    phone.note(case, "三").unwrap();
    phone.sync_revoked();
    let status = phone.replica.status().unwrap();
    assert_eq!((status.held, status.outbox), (3, 0));

    let person = world.person(DISPATCHER);
    while let Some(held) = world.held().first() {
        let released = Decision::Release;
        settle_all(&world.app, person, case, held.hash, released, "看过").unwrap();
    }
    let view = patrol_server::office::view(&world.app, person, case).unwrap();
    assert_eq!(view.reading.lines.len(), 4);
}

#[test]
fn a_follower_that_was_let_in_comes_back_as_an_echo_though_it_waits_in_the_box() {
    let mut world = World::new(92);
    let case = two_notes_of_one_who_left(&mut world);
    let phone = &world.phones[INSPECTOR];
    // The first is held, and the phone knows; that the second is held behind it gets lost on the way.
    for frames in [2, 1] {
        phone.link.cut_after(frames);
        phone.sync().unwrap_err();
    }
    assert_eq!(phone.replica.status().unwrap().held, 1);
    assert_eq!(world.held().len(), 2);

    world.app.put_directory(city()).unwrap();
    settle_first(&world, case, Decision::Release);
    let summary = phone.sync().unwrap();
    assert_eq!(summary.rounds, 1, "no page had to come again");
    let status = phone.replica.status().unwrap();
    assert_eq!((status.held, status.outbox), (0, 0));
    let view = phone.replica.case(case).unwrap();
    assert_eq!(view.sync.state, SyncState::Applied);
    assert_eq!(view.reading.lines.len(), 3);
}

#[test]
fn a_held_deed_that_the_server_has_lost_goes_back_when_what_follows_it_finds_it_missing() {
    let mut world = World::new(93);
    two_notes_of_one_who_left(&mut world);
    let phone = &world.phones[INSPECTOR];
    world.store.break_next(Call::Commit, Break::Lie);
    phone.link.cut_after(2);
    phone.sync().unwrap_err();
    assert_eq!(phone.replica.status().unwrap().held, 1);
    assert_eq!(world.held(), []);
    // Nobody can put away what is still to be settled.
    let held = phone.replica.boxed().unwrap();
    assert!(phone.replica.dismiss(held[0].id).is_err());

    for _ in 0..2 {
        phone.sync().unwrap();
    }
    let status = phone.replica.status().unwrap();
    assert_eq!((status.held, status.outbox), (2, 0));
    assert_eq!(world.held().len(), 2);
}

#[test]
fn what_nobody_has_looked_at_stays_held_unless_it_needs_no_look() {
    let revoked = |world: &World| {
        let now = world.clock.now();
        let phone = world.phones[INSPECTOR].device();
        world.app.store.revoke(phone, now).unwrap();
    };
    let left = |world: &World| end_posts(world, INSPECTOR);
    let back = |world: &World| {
        left(world);
        world.phones[INSPECTOR].sync().unwrap();
        world.app.put_directory(city()).unwrap();
    };
    let cases: [(&dyn Fn(&World), usize); 3] = [(&revoked, 1), (&left, 1), (&back, 0)];
    for (number, (loses_his_right, stays)) in cases.into_iter().enumerate() {
        let mut world = World::new(118 + number as u64);
        let case = begun(&mut world);
        let phone = &world.phones[INSPECTOR];
        for words in ["一", "二"] {
            phone.note(case, words).unwrap();
        }
        loses_his_right(&world);
        drop(phone.sync());
        let held = world.held();
        assert_eq!(held.len(), 2);

        let person = world.person(DISPATCHER);
        let release = |hash| {
            let released = Decision::Release;
            review::settle(&world.app, person, case, &[hash], released, "看过").unwrap();
        };
        release(held[0].hash);
        assert_eq!(world.held(), held[2 - stays..]);
        let view = patrol_server::office::view(&world.app, person, case).unwrap();
        assert_eq!(view.reading.lines.len(), 3 - stays);
        world.held().iter().for_each(|held| release(held.hash));
        let view = patrol_server::office::view(&world.app, person, case).unwrap();
        assert_eq!((view.reading.lines.len(), world.held().len()), (3, 0));
        drop(phone.sync());
        let status = phone.replica.status().unwrap();
        assert_eq!((status.held, status.outbox), (0, 0));
    }
}

/// A case with two notes of one who lost his posts, of which the first has come and is held.
fn first_of_two_held(world: &mut World) -> (DocumentId, ChangeHash) {
    let case = begun(world);
    let phone = &world.phones[INSPECTOR];
    let before = ledger_of(phone, case).len();
    phone.note(case, "一").unwrap();
    phone.note(case, "二").unwrap();
    end_posts(world, INSPECTOR);
    let first = ledger_of(phone, case).links()[before].change.clone();
    let fates = push(&world.app, phone, &[(case, first.bytes)]);
    assert_eq!(fates, Ok(vec![Fate::Review]));
    (case, first.hash)
}

#[test]
fn what_follows_a_change_that_is_settled_in_the_same_moment_is_not_held_behind_it() {
    let mut world = World::new(98);
    let (case, first) = first_of_two_held(&mut world);
    let phone = &world.phones[INSPECTOR];
    let (app, person) = (world.app.clone(), world.person(DISPATCHER));
    let refuse = move || {
        let refused = Decision::Refuse;
        settle_all(&app, person, case, first, refused, "看过").unwrap();
    };
    world.store.before_commit(Box::new(refuse));
    for _ in 0..2 {
        phone.sync().unwrap();
    }
    // It was made again without the first, and nobody waits for what nobody could release.
    assert_eq!(world.held().len(), 1);
    settle_first(&world, case, Decision::Release);
    let view = patrol_server::office::view(&world.app, person, case).unwrap();
    assert_eq!(view.reading.lines.len(), 2);
}

#[test]
fn what_comes_while_what_it_follows_is_settled_is_settled_by_itself() {
    for (decision, lines) in [(Decision::Refuse, 2), (Decision::Release, 3)] {
        let mut world = World::new(93);
        let (case, _) = first_of_two_held(&mut world);
        let phone = &world.phones[INSPECTOR];
        let copy = phone.replica.store().copy().unwrap();
        let second = world.twin(phone, copy, 9);
        let comes = move || {
            second.sync().unwrap();
            assert_eq!(second.replica.status().unwrap().held, 2);
        };
        world.store.before_commit(Box::new(comes));
        settle_first(&world, case, decision);
        for _ in 0..2 {
            phone.sync().unwrap();
        }
        // Refused, the first leaves the second to be made again, and that is held; released, it leaves it held as it is.
        assert_eq!(world.held().len(), 1);
        while !world.held().is_empty() {
            settle_first(&world, case, Decision::Release);
        }
        let view = patrol_server::office::view(&world.app, world.person(DISPATCHER), case).unwrap();
        assert_eq!(view.reading.lines.len(), lines);
    }
}

/// A case with two notes that are held: their author has lost his posts.
fn two_held(world: &mut World) -> DocumentId {
    let case = begun(world);
    let phone = &world.phones[INSPECTOR];
    for words in ["一", "二"] {
        phone.note(case, words).unwrap();
    }
    end_posts(world, INSPECTOR);
    phone.sync().unwrap();
    assert_eq!(world.held().len(), 2);
    case
}

#[test]
fn of_two_who_settle_a_review_at_once_the_second_changes_nothing() {
    let (release, refuse) = (Decision::Release, Decision::Refuse);
    for (first, second) in [(refuse, release), (release, refuse)] {
        let mut world = World::new(111);
        let case = begun(&mut world);
        let phone = &world.phones[INSPECTOR];
        phone.note(case, "一").unwrap();
        end_posts(&world, INSPECTOR);
        phone.sync().unwrap();
        world.clock.advance_ms(60_000);
        let (device, n) = (phone.device(), phone.replica.status().unwrap().n);
        let (app, hash) = (world.app.clone(), world.held()[0].hash);
        let [person, other] = [DISPATCHER, "受理派遣员02"].map(|name| world.person(name));
        let meanwhile = move || {
            settle_all(&app, person, case, hash, first, "看过").unwrap();
        };
        world.store.before_commit(Box::new(meanwhile));
        let late = settle_all(&world.app, other, case, hash, second, "也看过");
        assert!(matches!(late, Err(Rejection::NotFound)), "{late:?}");

        let (mut stands, mut told, mut log, mut settled) = (false, Vec::new(), Vec::new(), None);
        let read = world.app.store.read(&mut |snapshot| {
            let stored = snapshot.document(case)?.unwrap();
            stands = stored.changes.iter().any(|change| change.hash == hash);
            told = snapshot.notices(device, 0)?;
            log = snapshot.fates(device, n, 1)?;
            settled = snapshot.boxed(device, hash)?.unwrap().settled;
            Ok(())
        });
        read.unwrap();
        let released = first == release;
        assert_eq!(stands, released);
        let outcome = Notice::Outcome {
            document: case,
            change: hash,
            refusal: (!released).then_some(Refusal::ReviewedAway),
        };
        let told: Vec<Notice> = told.into_iter().map(|(_, notice)| notice).collect();
        assert_eq!(told, [outcome]);
        assert_eq!(log[0].fate, if released { "ok" } else { "review" });
        let by_the_first = Settled {
            person,
            at: world.clock.now(),
            words: "看过".to_owned(),
            released,
        };
        assert_eq!(settled, Some(by_the_first));
    }
}

#[test]
fn what_follows_a_held_deed_is_not_released_before_it() {
    let mut world = World::new(112);
    let case = two_held(&mut world);
    let (person, held) = (world.person(DISPATCHER), world.held());
    let released = Decision::Release;
    let settled = settle_all(&world.app, person, case, held[1].hash, released, "看过");
    let refused = matches!(settled, Err(Rejection::Refused(Refusal::HeldDocument)));
    assert!(refused, "{settled:?}");
    assert_eq!(world.held(), held);
}

#[test]
fn a_held_change_whose_place_another_has_taken_is_left_to_its_phone_when_it_is_released() {
    let mut world = World::new(113);
    let case = begun(&mut world);
    let phone = &world.phones[INSPECTOR];
    let ledger = ledger_of(phone, case);
    let village = world.villages(INSPECTOR)[0].unit();
    let [first, second] = [2, 3].map(|n| {
        let entry = entry_of(phone, &ledger, Action::Note.code(), village, n);
        (case, change_of(phone, &ledger, &entry, &[]).bytes)
    });
    end_posts(&world, INSPECTOR);
    let fates = push(&world.app, phone, &[first]);
    assert_eq!(fates, Ok(vec![Fate::Review]));
    world.app.put_directory(city()).unwrap();
    let fates = push(&world.app, phone, &[second]);
    assert_eq!(fates, Ok(vec![Fate::Ok]));
    let (person, held) = (world.person(DISPATCHER), world.held());
    let released = Decision::Release;
    let settled = settle_all(&world.app, person, case, held[0].hash, released, "看过");
    assert_eq!(settled.unwrap(), Some(Refusal::Forked));
    assert_eq!(world.held(), []);
    let row = boxed(&world, phone, &held[0].body);
    assert_eq!(row.state, BoxedAs::Refused(Refusal::Forked.number()));
    assert!(!row.settled.unwrap().released);
}

#[test]
fn what_follows_a_deed_that_a_review_refused_does_not_bring_it_in() {
    let mut world = World::new(116);
    let case = begun(&mut world);
    let phone = &world.phones[INSPECTOR];
    let mut ledger = ledger_of(phone, case);
    let [first, second] = [2, 3].map(|n| note(phone, &mut ledger, n));
    let of_first = parse::chunk_hash(&first);
    end_posts(&world, INSPECTOR);
    let fates = push(&world.app, phone, &[(case, first)]);
    assert_eq!(fates, Ok(vec![Fate::Review]));
    settle_first(&world, case, Decision::Refuse);
    world.app.put_directory(city()).unwrap();
    let fates = push(&world.app, phone, &[(case, second)]);
    assert_eq!(fates, Ok(vec![Fate::Missing(vec![of_first])]));
}

#[test]
fn what_is_released_was_received_when_it_was_released() {
    let mut world = World::new(114);
    let case = two_held(&mut world);
    world.clock.advance_ms(60_000);
    let held = world.held();
    settle_first(&world, case, Decision::Release);
    let hashes: Vec<_> = held.iter().map(|row| row.hash).collect();
    let mut received = Vec::new();
    let read = world.app.store.read(&mut |snapshot| {
        let changes = snapshot.document(case)?.unwrap().changes;
        let let_in = changes.iter().filter(|row| hashes.contains(&row.hash));
        received = let_in.map(|row| row.received_at).collect();
        Ok(())
    });
    read.unwrap();
    assert_eq!(received, [world.clock.now(); 2]);
}

#[test]
fn a_held_change_that_cannot_be_read_can_be_refused_and_keeps_no_other_from_being_settled() {
    let mut world = World::new(117);
    let case = two_held(&mut world);
    let mut spoilt = world.held()[0].clone();
    (spoilt.hash, spoilt.body) = (ChangeHash([9; 32]), b"no change".to_vec());
    let commit = Commit {
        boxed: vec![spoilt.clone()],
        ..Commit::default()
    };
    world.app.store.commit(&commit).unwrap();
    settle_first(&world, case, Decision::Release);
    assert_eq!(world.held(), [spoilt.clone()]);
    let person = world.person(DISPATCHER);
    let settle = |decision| settle_all(&world.app, person, case, spoilt.hash, decision, "看过");
    assert!(matches!(
        settle(Decision::Release),
        Err(Rejection::Store(_))
    ));
    settle(Decision::Refuse).unwrap();
    assert_eq!(world.held(), []);
}
