//! Deeds that stand in their document in another change, because a copy of their phone has made them again: what becomes of the first, and of what
//! builds on it.

use patrol_core::doc::compose::{Content, compose};
use patrol_core::doc::ledger::Ledger;
use patrol_core::doc::parse::{self, Parsed};
use patrol_core::domain::action::Action;
use patrol_core::domain::id::{Actor, ChangeHash, DocumentId};
use patrol_core::domain::refusal::Refusal;
use patrol_core::store::changes;
use patrol_core::sync::wire::{Fate, Notice};
use patrol_server::office::Rejection;
use patrol_server::review::{self, Decision};
use patrol_server::store::{BoxedAs, BoxedChange, Commit};
use patrol_tests::link::{Meanwhile, Moment};
use patrol_tests::pushing::{change_of, entry_of, ledger_of, push};
use patrol_tests::settling::{looked_at, settle_all};
use patrol_tests::world::{Phone, World, city};
use rusqlite::Transaction;

use super::followers::begun;
use super::hostile_phone::note;
use super::late_work::end_posts;
use super::made_again::beside;
use super::outcomes::{codes, settle_first};

const INSPECTOR: &str = "巡查员01";
const DISPATCHER: &str = "受理派遣员01";

/// A change as a copy of its phone would make it again: the same entry, by another actor.
pub(super) fn made_again_elsewhere(phone: &Phone, ledger: &Ledger, change: &Parsed) -> Vec<u8> {
    let content = Content::of(change).unwrap();
    let actor = Actor::new(phone.device(), [9; 8]);
    let again = compose(ledger, actor, &ledger.head_hashes(), &content);
    again.unwrap().bytes
}

/// Lets changes in as a copy of their phone would make them again, one on top of the other on the ledger, which then holds them.
pub(super) fn let_in_again<const N: usize>(
    world: &World,
    phone: &Phone,
    there: &mut Ledger,
    changes: [&Vec<u8>; N],
) {
    for bytes in changes {
        let change = parse::parse(bytes).unwrap();
        let again = made_again_elsewhere(phone, there, &change);
        there.push(parse::parse(&again).unwrap()).unwrap();
        let fates = push(&world.app, phone, &[(there.document(), again)]);
        assert_eq!(fates, Ok(vec![Fate::Ok]));
    }
}

/// What no page has placed on a phone.
fn unplaced(phone: &Phone) -> Vec<(DocumentId, ChangeHash, Vec<u8>)> {
    phone.replica.store().read(changes::unplaced).unwrap()
}

/// The changes that a document has at the server.
pub(super) fn changes_of(world: &World, document: DocumentId) -> Vec<ChangeHash> {
    let mut hashes = Vec::new();
    let read = world.app.store.read(&mut |snapshot| {
        let changes = snapshot.document(document)?.map(|stored| stored.changes);
        hashes.extend(changes.into_iter().flatten().map(|change| change.hash));
        Ok(())
    });
    read.unwrap();
    hashes
}

/// A note that its author handed in when his posts had ended, and a review has released: it stands already, in a change that a copy of his phone
/// has made. He has heard that it was held, or the answer was cut after so many frames.
fn released_and_standing(world: &mut World, cut: Option<usize>) -> (DocumentId, ChangeHash) {
    let case = begun(world);
    let phone = &world.phones[INSPECTOR];
    let before = ledger_of(phone, case);
    phone.note(case, "一").unwrap();
    end_posts(world, INSPECTOR);
    if let Some(frames) = cut {
        phone.link.cut_after(frames);
    }
    assert_eq!(phone.sync().is_err(), cut.is_some());
    let first = parse::parse(&world.held()[0].body).unwrap();
    let again = made_again_elsewhere(phone, &before, &first);
    let_in(world, case, again);
    settle_first(world, case, Decision::Release);
    (case, first.hash)
}

/// Hands in a change of the inspector's who has his posts again.
fn let_in(world: &World, case: DocumentId, change: Vec<u8>) {
    world.app.put_directory(city()).unwrap();
    let fates = push(&world.app, &world.phones[INSPECTOR], &[(case, change)]);
    assert_eq!(fates, Ok(vec![Fate::Ok]));
}

#[test]
fn a_held_deed_that_was_let_in_otherwise_is_settled_and_not_let_in_twice() {
    let mut world = World::new(96);
    let case = begun(&mut world);
    let phone = &world.phones[INSPECTOR];
    let ledger = ledger_of(phone, case);
    let village = world.villages(INSPECTOR)[0].unit();
    let entry = entry_of(phone, &ledger, Action::Note.code(), village, 2);
    let first = change_of(phone, &ledger, &entry, &[]);
    // Made again by the same phone, as after a refusal in another history of the server.
    let content = Content::person(&entry, Vec::new());
    let actor = Actor::new(phone.device(), [9; 8]);
    let again = compose(&ledger, actor, &ledger.head_hashes(), &content).unwrap();
    end_posts(&world, INSPECTOR);
    let fates = push(&world.app, phone, &[(case, first.bytes)]);
    assert_eq!(fates, Ok(vec![Fate::Review]));
    let_in(&world, case, again.bytes);

    let changes = || changes_of(&world, case).len();
    let before = changes();
    settle_first(&world, case, Decision::Release);
    assert_eq!((changes(), world.held().len()), (before, 0));
}

#[test]
fn what_follows_a_held_deed_that_was_let_in_otherwise_comes_with_it() {
    let mut world = World::new(97);
    let case = begun(&mut world);
    let phone = &world.phones[INSPECTOR];
    phone.note(case, "一").unwrap();
    phone.note(case, "二").unwrap();
    end_posts(&world, INSPECTOR);
    phone.sync().unwrap();
    assert_eq!(phone.replica.status().unwrap().held, 2);
    let (person, held) = (world.person(DISPATCHER), world.held());
    assert_eq!(held.len(), 2);
    // A copy of the phone has made the first again.
    let first = parse::parse(&held[0].body).unwrap();
    let again = made_again_elsewhere(phone, &ledger_of(phone, case), &first);
    let_in(&world, case, again);

    settle_first(&world, case, Decision::Release);
    assert_eq!(world.held(), []);
    for _ in 0..2 {
        phone.sync().unwrap();
    }
    let status = phone.replica.status().unwrap();
    assert_eq!((status.held, status.refused, status.outbox), (0, 0, 0));
    for view in [
        phone.replica.case(case).unwrap().reading,
        patrol_server::office::view(&world.app, person, case)
            .unwrap()
            .reading,
    ] {
        assert_eq!(view.lines.len(), 3);
        assert!(view.anomalies.is_empty());
    }
}

#[test]
fn what_follows_a_released_deed_that_stands_in_another_change_is_let_in_when_it_comes() {
    // Its author may do it again, may do it no more, or his phone is revoked: what he did first was released.
    for (may, is_revoked) in [(true, false), (false, false), (true, true)] {
        let mut world = World::new(99);
        let case = begun(&mut world);
        let phone = &world.phones[INSPECTOR];
        phone.note(case, "一").unwrap();
        end_posts(&world, INSPECTOR);
        phone.sync().unwrap();
        let (person, held) = (world.person(DISPATCHER), world.held());
        let first = parse::parse(&held[0].body).unwrap();
        let again = made_again_elsewhere(phone, &ledger_of(phone, case), &first);
        let mut ledger = ledger_of(phone, case);
        ledger.push(first.clone()).unwrap();
        let village = world.villages(INSPECTOR)[0].unit();
        let entry = entry_of(phone, &ledger, Action::Note.code(), village, 9);
        let follower = change_of(phone, &ledger, &entry, &[]);
        let_in(&world, case, again);
        let released = Decision::Release;
        settle_all(&world.app, person, case, first.hash, released, "看过").unwrap();
        world.clock.advance_ms(60_000);
        if !may {
            end_posts(&world, INSPECTOR);
        }
        if is_revoked {
            let now = world.clock.now();
            world.app.store.revoke(phone.device(), now).unwrap();
        }

        // Asked about, it is not looked at once more, nor let in for nothing.
        let fates = push(&world.app, phone, &[(case, first.bytes.clone())]);
        assert_eq!(fates, Ok(vec![Fate::Dup]));
        let fates = push(&world.app, phone, &[(case, follower.bytes)]);
        let fate = if may && !is_revoked {
            Fate::Ok
        } else {
            Fate::Review
        };
        assert_eq!(fates, Ok(vec![fate]));
        let fates = push(&world.app, phone, &[(case, first.bytes)]);
        assert_eq!(fates, Ok(vec![Fate::Dup]));
        while let Some(held) = world.held().first() {
            settle_all(&world.app, person, case, held.hash, released, "看过").unwrap();
        }
        let view = patrol_server::office::view(&world.app, person, case).unwrap();
        assert_eq!(view.reading.lines.len(), 3);
        assert!(view.reading.anomalies.is_empty());
        let report = patrol_server::check::check(world.app.store.as_ref()).unwrap();
        assert_eq!(report.findings, [] as [String; 0]);
    }
}

#[test]
fn a_released_deed_that_stands_in_another_change_is_settled_for_its_phone_too() {
    // It had heard that it was held, or had not.
    for cut in [None, Some(1)] {
        let mut world = World::new(117);
        released_and_standing(&mut world, cut);
        let phone = &world.phones[INSPECTOR];
        for _ in 0..2 {
            phone.sync().unwrap();
        }
        assert_eq!(codes(phone), [] as [String; 0]);
        assert_eq!(unplaced(phone), [], "{cut:?}");
        let told = phone.replica.notices().unwrap();
        assert!(told.iter().all(|(_, told)| *told != Notice::ReEnrol));
    }
}

#[test]
fn a_released_deed_whose_name_is_spoilt_in_the_box_keeps_nobody_waiting() {
    let mut world = World::new(120);
    released_and_standing(&mut world, None);
    let phone = &world.phones[INSPECTOR];
    let spoilt =
        "UPDATE boxed SET state = 'released', hash = CAST(substr(hash, 1, 31) || x'ff' AS BLOB)";
    let write = |transaction: &Transaction<'_>| Ok(transaction.execute(spoilt, [])?);
    assert_eq!(phone.replica.store().write(write).unwrap(), 1);
    for _ in 0..2 {
        phone.sync().unwrap();
    }
    assert_eq!(phone.replica.boxed().unwrap().len(), 1, "a person looks");
}

#[test]
fn a_released_deed_that_stands_in_another_change_stays_on_its_phone_for_what_builds_on_it() {
    let mut world = World::new(119);
    let (case, first) = released_and_standing(&mut world, Some(1));
    let phone = &world.phones[INSPECTOR];

    // Noted while the phone is told that the server has the first, and gets the other change.
    let beside = world.beside(phone, 2);
    let notes = move || assert!(beside.note(case, "二").is_ok());
    let meanwhile = (Moment::Answered, Box::new(notes) as Meanwhile);
    phone.link.meanwhile(Some(meanwhile));
    phone.sync().unwrap();
    let lines = || phone.replica.case(case).unwrap().reading.lines.len();
    assert_eq!((lines(), unplaced(phone).len()), (3, 2));
    phone.sync().unwrap();
    assert_eq!(codes(phone), [] as [String; 0]);
    assert_eq!((lines(), unplaced(phone)), (3, Vec::new()));
    let there = changes_of(&world, case);
    assert!(there.contains(&first), "nothing came that builds on it");
}

#[test]
fn what_follows_a_held_deed_and_stands_in_another_change_is_not_released_before_it() {
    let mut world = World::new(118);
    let case = begun(&mut world);
    let phone = &world.phones[INSPECTOR];
    let mut here = ledger_of(phone, case);
    let mut there = here.clone();
    let first = note(phone, &mut here, 2);
    let second = note(phone, &mut here, 3);
    end_posts(&world, INSPECTOR);
    let fates = push(
        &world.app,
        phone,
        &[(case, first.clone()), (case, second.clone())],
    );
    assert_eq!(fates, Ok(vec![Fate::Review; 2]));
    world.app.put_directory(city()).unwrap();
    let_in_again(&world, phone, &mut there, [&first, &second]);
    let (person, held) = (world.person(DISPATCHER), world.held());
    let settle = |hash| settle_all(&world.app, person, case, hash, Decision::Release, "看过");
    let early = settle(held[1].hash);
    let refused = matches!(early, Err(Rejection::Refused(Refusal::HeldDocument)));
    assert!(refused, "{early:?}");
    assert_eq!(world.held(), held);
    settle(held[0].hash).unwrap();
    assert_eq!(world.held(), []);
}

/// Puts changes of a phone's into the box in that order, as held.
fn lie_held<const N: usize>(world: &World, phone: &Phone, case: DocumentId, held: [&Vec<u8>; N]) {
    let row = |bytes: &Vec<u8>| BoxedChange {
        device: phone.device(),
        document: case,
        hash: parse::chunk_hash(bytes),
        body: bytes.clone(),
        person: Some(phone.person),
        state: BoxedAs::Held,
        boxed_at: world.clock.now(),
        settled: None,
    };
    let commit = Commit {
        boxed: held.map(row).to_vec(),
        ..Commit::default()
    };
    world.app.store.commit(&commit).unwrap();
}

#[test]
fn a_deed_that_stands_is_settled_unseen_only_where_it_needs_no_look() {
    let revoked = |world: &World| {
        let now = world.clock.now();
        let phone = world.phones[INSPECTOR].device();
        world.app.store.revoke(phone, now).unwrap();
    };
    let left = |world: &World| end_posts(world, INSPECTOR);
    let cases: [(&dyn Fn(&World), usize); 3] = [(&revoked, 1), (&left, 1), (&|_| (), 0)];
    for (loses_his_right, stays) in cases {
        let mut world = World::new(123);
        let case = begun(&mut world);
        let phone = &world.phones[INSPECTOR];
        let mut here = ledger_of(phone, case);
        let mut there = here.clone();
        let [first, second] = [2, 3].map(|n| note(phone, &mut here, n));
        let_in_again(&world, phone, &mut there, [&first, &second]);
        loses_his_right(&world);
        lie_held(&world, phone, case, [&first, &second]);
        let [one, other] = [&first, &second].map(|bytes| parse::chunk_hash(bytes));
        let person = world.person(DISPATCHER);
        let release = |hash| {
            let released = Decision::Release;
            review::settle(&world.app, person, case, &[hash], released, "看过").unwrap();
        };
        release(one);
        assert_eq!(world.held().len(), stays);
        world.held().iter().for_each(|held| release(held.hash));
        assert_eq!(world.held(), []);
        let there = changes_of(&world, case);
        assert_eq!(
            [one, other].map(|hash| there.contains(&hash)),
            [true, false]
        );
    }
}

#[test]
fn a_deed_that_stands_is_settled_once_it_is_looked_at_though_its_place_is_taken() {
    let mut world = World::new(124);
    let case = begun(&mut world);
    let phone = &world.phones[INSPECTOR];
    let before = ledger_of(phone, case);
    let mut ledger = before.clone();
    let base = beside(phone, &before, 2, "前");
    ledger.push(base.clone()).unwrap();
    let last = note(phone, &mut ledger, 3);
    let_in_again(&world, phone, &mut before.clone(), [&last]);
    let taken = note(phone, &mut before.clone(), 4);
    assert_eq!(
        push(&world.app, phone, &[(case, taken)]),
        Ok(vec![Fate::Ok])
    );
    lie_held(&world, phone, case, [&base.bytes, &last]);
    let person = world.person(DISPATCHER);
    for left in [1, 0] {
        let (first, released) = (world.held()[0].hash, Decision::Release);
        let settled = review::settle(&world.app, person, case, &[first], released, "看过");
        assert_eq!((settled.unwrap(), world.held().len()), (None, left));
    }
    let there = changes_of(&world, case);
    let places = [base.hash, parse::chunk_hash(&last)].map(|hash| there.contains(&hash));
    assert_eq!(places, [true, false]);
}

#[test]
fn what_builds_on_two_branches_of_held_work_comes_after_the_longer_one() {
    let mut world = World::new(122);
    let case = begun(&mut world);
    let phone = &world.phones[INSPECTOR];
    let mut ledger = ledger_of(phone, case);
    let first = note(phone, &mut ledger, 2);
    let short = beside(phone, &ledger, 3, "旁");
    let [second, third] = [4, 5].map(|n| note(phone, &mut ledger, n));
    ledger.push(short.clone()).unwrap();
    let last = note(phone, &mut ledger, 6);
    end_posts(&world, INSPECTOR);
    lie_held(
        &world,
        phone,
        case,
        [&short.bytes, &last, &second, &third, &first],
    );
    let hash = parse::chunk_hash(&first);
    let (person, seen) = (world.person(DISPATCHER), looked_at(&world.app, case, hash));
    review::settle(&world.app, person, case, &seen, Decision::Release, "看过").unwrap();
    assert_eq!(world.held(), []);
    let view = patrol_server::office::view(&world.app, person, case).unwrap();
    assert_eq!(view.reading.lines.len(), 6);
}

#[test]
fn what_builds_on_held_work_comes_with_it_though_it_lay_in_the_box_before() {
    // What it builds on is held in its own right, or stands in other changes too.
    for stands in [false, true] {
        let mut world = World::new(121);
        let case = begun(&mut world);
        let phone = &world.phones[INSPECTOR];
        let mut here = ledger_of(phone, case);
        let mut there = here.clone();
        let [first, second, third] = [2, 3, 4].map(|n| note(phone, &mut here, n));
        if stands {
            let_in_again(&world, phone, &mut there, [&first, &second]);
        }
        end_posts(&world, INSPECTOR);
        // A row keeps its place when it is held after it was refused: the last lay there first.
        lie_held(&world, phone, case, [&third, &first, &second]);
        let (person, hash) = (world.person(DISPATCHER), parse::chunk_hash(&first));
        settle_all(&world.app, person, case, hash, Decision::Release, "看过").unwrap();
        assert_eq!(world.held(), [], "{stands}");
        let view = patrol_server::office::view(&world.app, person, case).unwrap();
        assert_eq!(view.reading.lines.len(), 4);
        let there = changes_of(&world, case);
        assert!(there.contains(&parse::chunk_hash(&third)));
    }
}
