//! What comes back after a restore only later: because something it builds on has not come yet, because one history refused it, or because
//! nobody but its carrier still has it.

use patrol_core::domain::id::{DocumentId, EntryId, Epoch};
use patrol_core::domain::limits;
use patrol_core::domain::time::DAY_MS;
use patrol_core::store::Fault;
use patrol_server::store::NewEpoch;
use patrol_server::store::faulty::{Break, Call};
use patrol_server::store::memory::MemoryStore;
use patrol_server::{check, office};
use patrol_tests::simulation::audit;
use patrol_tests::world::{Phone, World};

use super::hostile_phone::device_of;
use super::late_work::end_posts;
use super::moving::put_at;

const INSPECTOR: &str = "巡查员01";
const CARRIER: &str = "巡查员02";
const DISPATCHER: &str = "受理派遣员01";

fn restore(world: &mut World, copy: MemoryStore, epoch: u8) {
    let new = NewEpoch {
        epoch: Epoch([epoch; 4]),
        suffix: [epoch; 8],
        number_block: epoch.to_string(),
        since: world.clock.now(),
    };
    world.restore(copy, &new);
}

fn has(world: &World, entry: EntryId) -> bool {
    let report = check::check(world.app.store.as_ref()).expect("a look");
    assert_eq!(report.findings, [] as [String; 0]);
    let entries = audit::entries_of_sound(&world.app).expect("feeds and documents are sound");
    entries.contains(&entry)
}

fn sync(phone: &Phone) {
    phone.sync().expect("the server answers");
}

fn count(phone: &Phone, sql: &str) -> i64 {
    let read = phone
        .replica
        .store()
        .read(|connection| Ok(connection.query_row(sql, [], |row| row.get(0))?));
    read.expect("a look")
}

/// An inspector's phone that has synced a case of its own.
fn reported(world: &mut World) -> DocumentId {
    let village = world.villages(INSPECTOR)[0];
    let phone = world.phone(INSPECTOR);
    let (case, _) = phone.report(village, "桥头垃圾");
    sync(phone);
    case
}

#[test]
fn what_builds_on_work_that_comes_late_waits_for_it_however_often_it_was_pushed_back() {
    let mut world = World::new(601);
    let village = world.villages(INSPECTOR)[0];
    let cadre = world.cadre_of(village);
    let (early, late) = (world.enrol_as(&cadre, 20), world.enrol_as(&cadre, 21));
    let (case, _) = early.report(village, "桥头垃圾");
    sync(&early);
    sync(&late);
    sync(world.phone(INSPECTOR));
    let before = world.store.inner().fork();
    // One phone's note, another's on it; the inspector's phone has both, each by a page of its own.
    early.note(case, "一").expect("recorded");
    sync(&early);
    sync(&world.phones[INSPECTOR]);
    sync(&late);
    let resting = late.note(case, "二").expect("recorded");
    sync(&late);
    let walker = &world.phones[INSPECTOR];
    sync(walker);
    // Of the first it has no proof any more, and the second's phone is lost.
    let store = walker.replica.store();
    let forget = "DELETE FROM frames WHERE id = (SELECT max(id) - 1 FROM frames)";
    let forgotten = store.write(|transaction| Ok(transaction.execute(forget, [])?));
    assert_eq!(forgotten.expect("written"), 1);

    restore(&mut world, before, 9);
    early.link.lead_to(world.app.clone());
    for _ in 0..=limits::RELIC_TRIES_IN_A_ROW {
        sync(&world.phones[INSPECTOR]);
    }
    let tries = "SELECT max(tries) FROM frames";
    let in_a_row = i64::from(limits::RELIC_TRIES_IN_A_ROW);
    assert_eq!(count(&world.phones[INSPECTOR], tries), in_a_row);
    // The case leaves the phone's villages. What the server may lack stays.
    let elsewhere = world.villages(CARRIER)[0];
    put_at(&mut world, case, elsewhere);
    sync(&world.phones[INSPECTOR]);
    sync(&early);
    assert!(!has(&world, resting));
    sync(&world.phones[INSPECTOR]);
    assert!(!has(&world, resting), "it is not due yet");
    world.clock.advance_ms(limits::RETRY_FIRST_MS);
    let walker = &world.phones[INSPECTOR];
    sync(walker);
    assert!(has(&world, resting));
    sync(walker);
    assert!(walker.replica.case(case).is_err(), "it has left");
}

#[test]
fn what_one_history_refused_comes_back_in_another() {
    let mut world = World::new(602);
    let case = reported(&mut world);
    let cadre = world.cadre_of(world.villages(INSPECTOR)[0]);
    let hall = world.enrol_as(&cadre, 20);
    sync(&hall);
    let before = world.store.inner().fork();
    let copy = hall.replica.store().copy().expect("a copy");
    let twin = world.twin(&hall, copy, 21);
    let lost = hall.note(case, "一").expect("recorded");
    sync(&hall);
    sync(&world.phones[INSPECTOR]);
    // Its copy has made something else at the same place, and is the first to call the restored server. The phone itself is lost.
    let other = twin.note(case, "二").expect("recorded");
    let again = before.fork();
    restore(&mut world, before, 8);
    twin.link.lead_to(world.app.clone());
    sync(&twin);
    let walker = &world.phones[INSPECTOR];
    for _ in 0..3 {
        sync(walker);
    }
    assert!(has(&world, other) && !has(&world, lost));
    let boxed = "SELECT count(*) FROM boxed";
    assert_eq!(count(walker, boxed), 1);
    let waiting =
        "SELECT count(*) FROM frames WHERE answered = 0 AND epoch != (SELECT epoch FROM enrolment)";
    assert_eq!(count(walker, waiting), 0, "it has its answer");

    restore(&mut world, again, 9);
    let walker = &world.phones[INSPECTOR];
    for _ in 0..3 {
        sync(walker);
    }
    assert!(has(&world, lost) && !has(&world, other));
    assert_eq!(count(walker, boxed), 1, "now it is the other's turn");
}

#[test]
fn what_a_carrier_has_handed_in_is_handed_in_again_to_a_server_that_has_lost_it() {
    let mut world = World::new(603);
    let case = reported(&mut world);
    let phone = &world.phones[INSPECTOR];
    phone.note(case, "还在").expect("recorded");
    sync(world.phone(CARRIER));
    let phone = &world.phones[INSPECTOR];
    let file = phone.replica.rescue_bundle().expect("a bundle");
    // The phone is lost and revoked, so its work is looked at first, and no page tells of it.
    let (device, now) = (phone.device(), world.clock.now());
    world.app.store.revoke(device, now).expect("revoked");
    let before = world.store.inner().fork();
    let carrier = world.phone(CARRIER);
    carrier.replica.carry(&file).expect("it is carried");
    sync(carrier);
    assert_eq!(world.held().len(), 1);

    restore(&mut world, before, 9);
    assert_eq!(world.held().len(), 0);
    sync(&world.phones[CARRIER]);
    assert_eq!(world.held().len(), 1);
    let carrier = &world.phones[CARRIER];
    assert_eq!(carrier.replica.carried().expect("a look")[0].waiting, 0);
    assert_eq!(carrier.sync().expect("the server answers").rounds, 1);
    // No backup is that old.
    let pieces = "SELECT count(*) FROM pieces";
    assert_eq!(count(carrier, pieces), 1);
    world.clock.advance_ms(limits::PIECE_KEPT_MS + 1);
    let carrier = &world.phones[CARRIER];
    sync(carrier);
    assert_eq!(count(carrier, pieces), 0);
}

#[test]
fn how_long_a_carrier_keeps_a_piece_is_no_matter_of_its_clock() {
    for (then, later) in [(-730 * DAY_MS, 0), (0, 31 * DAY_MS)] {
        let mut world = World::new(608);
        let case = reported(&mut world);
        let phone = &world.phones[INSPECTOR];
        phone.note(case, "还在").expect("recorded");
        let file = phone.replica.rescue_bundle().expect("a bundle");
        let carrier = world.phone(CARRIER);
        carrier.machine.set_skew_ms(then);
        carrier.replica.carry(&file).expect("it is carried");
        for _ in 0..2 {
            sync(carrier);
        }
        carrier.machine.set_skew_ms(later);
        sync(carrier);
        assert_eq!(count(carrier, "SELECT count(*) FROM pieces"), 1);
    }
}

#[test]
fn what_a_full_disk_does_not_take_back_keeps_no_page_away_and_is_brought_again() {
    let mut world = World::new(606);
    let case = reported(&mut world);
    let before = world.store.inner().fork();
    let phone = &world.phones[INSPECTOR];
    let lost = phone.note(case, "一").expect("recorded");
    sync(phone);
    let received = world.clock.now();
    restore(&mut world, before, 66);
    // By then its author may not do that any more: what comes as new would have to be looked at.
    world.clock.advance_ms(DAY_MS);
    end_posts(&world, INSPECTOR);
    world.store.break_next(Call::Commit, Break::Full);
    let phone = &world.phones[INSPECTOR];
    sync(phone);
    assert_eq!(world.store.take_broken(), [(Call::Commit, Break::Full)]);
    assert!(!has(&world, lost) && world.held().is_empty());
    world.clock.advance_ms(DAY_MS);
    sync(phone);
    assert!(has(&world, lost) && world.held().is_empty());
    let person = world.person(DISPATCHER);
    let view = office::view(&world.app, person, case).expect("it is there");
    let line = view.reading.lines.iter().find(|line| line.id == lost);
    assert_eq!(line.and_then(|line| line.received_at), Some(received));
}

#[test]
fn what_waits_too_long_to_be_taken_back_goes_as_new() {
    let mut world = World::new(607);
    let case = reported(&mut world);
    let before = world.store.inner().fork();
    let lost = world.phones[INSPECTOR].note(case, "一").expect("recorded");
    sync(&world.phones[INSPECTOR]);
    restore(&mut world, before, 67);
    for call in 1..=limits::RELIC_TRIES_IN_A_ROW {
        world.store.break_next(Call::Commit, Break::Full);
        sync(&world.phones[INSPECTOR]);
        assert_eq!(world.store.take_broken().len(), 1);
        let has_gone = call == limits::RELIC_TRIES_IN_A_ROW;
        assert_eq!(has(&world, lost), has_gone, "call {call}");
    }
}

#[test]
fn a_phone_that_is_revoked_while_something_must_wait_hands_in_all_and_comes_to_rest() {
    // Before the server went back, or in the middle of healing.
    for is_early in [true, false] {
        let mut world = World::new(609);
        let case = reported(&mut world);
        let before = world.store.inner().fork();
        let phone = &world.phones[INSPECTOR];
        phone.note(case, "一").expect("recorded");
        sync(phone);
        let device = phone.device();
        let revoke = |world: &World| {
            let now = world.clock.now();
            world.app.store.revoke(device, now).expect("it is known");
        };
        restore(&mut world, before, 68);
        if is_early {
            revoke(&world);
        }
        world.store.break_next(Call::Commit, Break::Full);
        drop(world.phones[INSPECTOR].sync());
        assert_eq!(world.store.take_broken().len(), 1);
        if is_early {
            // It is looked at in any case: it need not wait for its time.
            assert_eq!(world.held().len(), 1);
        } else {
            revoke(&world);
        }
        for _ in 0..3 {
            world.phones[INSPECTOR].sync_revoked();
        }
        assert!(device_of(&world, &world.phones[INSPECTOR]).revoked_empty);
    }
}

#[test]
fn a_full_phone_hands_in_what_is_new_first_and_what_a_lost_server_had_once_it_has_room() {
    // The disk takes nothing; or it takes a write that changes nothing.
    for taken in [0, 2] {
        let mut world = World::new(604);
        let case = reported(&mut world);
        let before = world.store.inner().fork();
        let phone = &world.phones[INSPECTOR];
        let noted = phone.note(case, "一").expect("recorded");
        sync(phone);
        sync(phone);
        let received = |world: &World| {
            let view = office::view(&world.app, world.person(DISPATCHER), case);
            let lines = view.expect("it is there").reading.lines;
            let line = lines.iter().find(|line| line.id == noted);
            line.and_then(|line| line.received_at)
        };
        let at = received(&world);
        assert!(at.is_some());

        restore(&mut world, before, 9);
        world.clock.advance_ms(60_000);
        let phone = &world.phones[INSPECTOR];
        phone.link.lead_to(world.app.clone());
        // It hears that the server went back, and no more.
        phone.link.cut_after(1);
        phone.sync().expect_err("the answer is cut");
        let village = world.villages(INSPECTOR)[0];
        let (_, new) = phone.report(village, "还没有交");
        let mut writes = 0;
        let fails = move || {
            writes += 1;
            (writes != taken).then_some(Fault::Full)
        };
        phone.replica.store().set_faults(Some(Box::new(fails)));
        phone.sync().expect_err("it keeps nothing of the answer");
        assert_eq!(
            (has(&world, new), received(&world)),
            (true, None),
            "{taken}"
        );

        phone.replica.store().set_faults(None);
        for _ in 0..2 {
            sync(&world.phones[INSPECTOR]);
        }
        assert_eq!(received(&world), at, "when it was received first");
    }
}
