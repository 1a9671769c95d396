//! A case that was closed long ago leaves the phones, comes back with its next entry, and is never out of anybody's right.

use patrol_core::domain::action::Action;
use patrol_core::domain::entry::{Body, Part, Verdict};
use patrol_core::domain::id::{ChangeHash, DocumentId};
use patrol_core::domain::limits;
use patrol_core::domain::place::Scope;
use patrol_core::domain::time::{DAY_MS, Timestamp};
use patrol_core::error::Error;
use patrol_core::sync::seal::Digest;
use patrol_core::sync::wire::Fate;
use patrol_server::directory::{SYNTHETIC_SINCE, synthetic_people};
use patrol_server::office;
use patrol_server::retire::retire_ended;
use patrol_server::review::Decision;
use patrol_server::store::{CaseQuery, Commit, DocumentCommit, StoredChange, Summary};
use patrol_tests::proof::Program;
use patrol_tests::pushing::{change_of, entry_of, ledger_of, push};
use patrol_tests::served::Folder;
use patrol_tests::world::{World, city};
use rusqlite::Connection;

use super::gone_back::open;
use super::late_work::end_posts;
use super::outcomes::settle_first;
use super::settled_late::{relic_of, take_in};
use super::standing::made_again_elsewhere;

const INSPECTOR: &str = "巡查员01";
const DISPATCHER: &str = "受理派遣员01";

/// A case that was fixed, checked and closed, and that both phones have seen so.
fn closed(world: &mut World) -> (DocumentId, String) {
    let village = world.villages(INSPECTOR)[0];
    let cadre = world.cadre_of(village);
    let (case, _) = world.phone(INSPECTOR).report(village, "桥边垃圾");
    world.phone(INSPECTOR).sync().unwrap();
    world.dispatch(DISPATCHER, case, &[(village.unit(), Part::Main)]);
    world.phone(&cadre).sync().unwrap();
    world.phone(&cadre).resolve(case).unwrap();
    world.phone(&cadre).sync().unwrap();
    world.phone(INSPECTOR).sync().unwrap();
    let phone = world.phone(INSPECTOR);
    phone.check(case, Verdict::Passed).unwrap();
    world.phone(INSPECTOR).sync().unwrap();
    world
        .office(DISPATCHER, case, Action::Close, Body::default())
        .unwrap();
    for name in [INSPECTOR, &cadre] {
        world.phone(name).sync().unwrap();
        assert_eq!(world.phone(name).stage(case), "closed");
    }
    (case, cadre)
}

fn words(words: &str) -> Body {
    Body {
        words: Some(words.to_owned()),
        ..Body::default()
    }
}

/// A document as it is put into the store past every check: of one change, which nobody can read.
pub(super) fn put_in(
    id: DocumentId,
    scopes: Vec<Scope>,
    ended_at: Option<Timestamp>,
) -> DocumentCommit {
    let unreadable = StoredChange {
        hash: ChangeHash([8; 32]),
        body: vec![8; 40],
        received_at: Timestamp(1),
        commit: 0,
    };
    DocumentCommit {
        id,
        expected_len: 0,
        changes: vec![unreadable],
        scopes,
        digest: Digest::default(),
        summary: Summary {
            ended_at,
            ..Summary::default()
        },
        opened_by: None,
    }
}

#[test]
fn a_case_leaves_the_phones_ninety_days_after_it_was_closed_and_returns_with_its_next_entry() {
    let mut world = World::new(31);
    let (case, cadre) = closed(&mut world);
    let village = world.villages(INSPECTOR)[0];
    let (open, _) = world.phone(INSPECTOR).report(village, "路灯不亮");
    world.phone(INSPECTOR).sync().unwrap();
    world
        .clock
        .advance_ms(limits::CLOSED_FEED_DAYS * DAY_MS - 1_000);
    assert_eq!(retire_ended(&world.app, world.clock.now()).unwrap(), 0);
    world.clock.advance_ms(2_000);
    assert_eq!(retire_ended(&world.app, world.clock.now()).unwrap(), 1);
    assert_eq!(retire_ended(&world.app, world.clock.now()).unwrap(), 0);
    for name in [INSPECTOR, &cadre] {
        world.phone(name).sync().unwrap();
        let gone = world.phone(name).replica.case(case);
        assert!(matches!(gone, Err(Error::NotFound)), "{name}: {gone:?}");
    }
    assert_eq!(world.phone(INSPECTOR).stage(open), "reported");

    // Whoever might see it still may, and finds it in lists by scope.
    let person = world.person(&cadre);
    assert!(office::view(&world.app, person, case).is_ok());
    let scopes =
        office::visible_scopes(&world.app, person).map(|scopes| scopes.into_iter().collect());
    let query = CaseQuery {
        scopes,
        limit: 10,
        ..CaseQuery::default()
    };
    let mut listed = false;
    world
        .app
        .store
        .read(&mut |snapshot| {
            listed = snapshot.cases(&query)?.iter().any(|(id, _)| *id == case);
            Ok(())
        })
        .unwrap();
    assert!(listed);

    world
        .office(DISPATCHER, case, Action::Note, words("回访过"))
        .unwrap();
    for name in [INSPECTOR, &cadre] {
        world.phone(name).sync().unwrap();
        assert_eq!(world.phone(name).stage(case), "closed");
    }
}

#[test]
fn a_server_does_by_itself_what_is_due_each_day() {
    let folder = Folder::new("retired-by-day").unwrap();
    let file = folder.file("server.db");
    let mut world = World::new(38);
    // Long before the clock of the program that is started.
    world.clock.advance_ms(-200 * DAY_MS);
    world.app = open(&file, &world, 2);
    let mut directory = city().clone();
    directory.people = synthetic_people(&directory, SYNTHETIC_SINCE);
    world.app.put_directory(&directory).unwrap();
    closed(&mut world);
    drop(world);
    let over = "INSERT INTO sessions (token, person, until) VALUES (zeroblob(32), zeroblob(8), 1)";
    let database = || Connection::open(&file).unwrap();
    assert_eq!(database().execute(over, []).unwrap(), 1);
    let left = "1 cases that ended long ago left their feeds";
    Program::start_until(&file, left).unwrap().kill();
    let sessions = "SELECT count(*) FROM sessions";
    let left: i64 = database()
        .query_row(sessions, [], |row| row.get(0))
        .unwrap();
    assert_eq!(left, 0);
}

#[test]
fn work_on_a_case_that_has_left_is_handed_in_first_and_brings_it_back() {
    let mut world = World::new(32);
    let (case, cadre) = closed(&mut world);
    world.phone(&cadre).note(case, "又有人倒垃圾").unwrap();
    world.clock.advance_ms(100 * DAY_MS);
    assert_eq!(retire_ended(&world.app, world.clock.now()).unwrap(), 1);
    world.phone(INSPECTOR).sync().unwrap();
    assert!(world.phone(INSPECTOR).replica.case(case).is_err());
    for name in [&cadre, INSPECTOR] {
        world.phone(name).sync().unwrap();
        let view = world.phone(name).replica.case(case).unwrap();
        let last = view.reading.lines.last().unwrap();
        assert_eq!(
            last.entry.body.words.as_deref(),
            Some("又有人倒垃圾"),
            "{name}"
        );
    }
}

#[test]
fn a_clock_that_jumps_two_years_takes_no_more_than_a_step_out_of_the_feeds() {
    let mut world = World::new(33);
    let (case, _) = closed(&mut world);
    let now = world.clock.now();
    assert_eq!(retire_ended(&world.app, now).unwrap(), 0);
    let wrong = now.plus_ms(730 * DAY_MS);
    for _ in 0..3 {
        assert_eq!(retire_ended(&world.app, wrong).unwrap(), 0);
    }
    world.phone(INSPECTOR).sync().unwrap();
    assert_eq!(world.phone(INSPECTOR).stage(case), "closed");
    // Were it right, the age would be caught up with, a step a day.
    let runs = (0..).find(|_| retire_ended(&world.app, wrong).unwrap() > 0);
    let behind = limits::CLOSED_FEED_DAYS * DAY_MS / limits::RETIRE_STEP_MS;
    assert_eq!(runs, Some(behind - 3));
}

#[test]
fn more_cases_than_leave_in_one_write_leave_in_one_run() {
    let world = World::new(34);
    let scope = Scope::Village(world.villages(INSPECTOR)[0]);
    let ended = |number: usize| {
        let id = DocumentId((number as u128).to_be_bytes());
        put_in(id, vec![scope], Some(Timestamp(1)))
    };
    let commit = Commit {
        documents: (0..=limits::RETIRE_ROWS).map(ended).collect(),
        ..Commit::default()
    };
    world.app.store.commit(&commit).unwrap();
    let retired = retire_ended(&world.app, world.clock.now()).unwrap();
    assert_eq!(retired, limits::RETIRE_ROWS + 1);
}

#[test]
fn neither_a_review_nor_a_relic_of_what_stands_already_brings_a_case_back() {
    let mut world = World::new(35);
    let (case, _) = closed(&mut world);
    let phone = &world.phones[INSPECTOR];
    let ledger = ledger_of(phone, case);
    let village = world.villages(INSPECTOR)[0].unit();
    let entry = entry_of(phone, &ledger, Action::Note.code(), village, 9);
    let first = change_of(phone, &ledger, &entry, &[]);
    let again = made_again_elsewhere(phone, &ledger, &first);
    end_posts(&world, INSPECTOR);
    let fates = push(&world.app, phone, &[(case, first.bytes)]);
    assert_eq!(fates, Ok(vec![Fate::Review]));
    world.app.put_directory(city()).unwrap();
    let fates = push(&world.app, phone, &[(case, again)]);
    assert_eq!(fates, Ok(vec![Fate::Ok]));
    world.clock.advance_ms(100 * DAY_MS);
    assert_eq!(retire_ended(&world.app, world.clock.now()).unwrap(), 1);

    let feeds = || {
        let mut feeds = Vec::new();
        let read = world.app.store.read(&mut |snapshot| {
            feeds = snapshot.memberships(case)?;
            Ok(())
        });
        read.unwrap();
        feeds
    };
    assert_eq!(feeds(), []);
    let report = ledger.links()[0].change.bytes.clone();
    let relic = relic_of(&world, &[(case, report)], world.clock.now());
    assert_eq!(take_in(&world, &relic), Ok(vec![Fate::Dup]));
    assert_eq!(feeds(), []);
    settle_first(&world, case, Decision::Release);
    assert_eq!(world.held(), []);
    assert_eq!(feeds(), []);
}
