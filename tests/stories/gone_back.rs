//! A server restored from a backup: under its new epoch the phones bring everything back that any of them had seen, whoever made it.

use std::path::Path;
use std::sync::Arc;

use patrol_core::doc::compose::{Content, compose};
use patrol_core::doc::document::Reading;
use patrol_core::doc::entry;
use patrol_core::domain::action::Action;
use patrol_core::domain::entry::{Body, Part, Verdict};
use patrol_core::domain::id::{ChangeHash, DeviceId, DocumentId, EntryId, Epoch};
use patrol_core::domain::refusal::Refusal;
use patrol_core::domain::time::Timestamp;
use patrol_core::error::Error;
use patrol_core::replica::Replica;
use patrol_core::store::Store;
use patrol_core::sync::rescue::Card;
use patrol_core::sync::seal::{self, PageList};
use patrol_core::sync::wire::{Fate, Later, Notice, Relic, Unread};
use patrol_server::app::{App, draw_identity};
use patrol_server::review::Decision;
use patrol_server::store::sqlite::SqliteStore;
use patrol_server::store::sqlite::backup;
use patrol_server::store::{Commit, NewEpoch};
use patrol_server::{check, devices, office, relic};
use patrol_tests::clock::{Machine, START};
use patrol_tests::link::Link;
use patrol_tests::pushing::{enrolment_of, entry_of, ledger_of};
use patrol_tests::served::Folder;
use patrol_tests::settling::settle_all;
use patrol_tests::simulation::audit;
use patrol_tests::world::{Phone, World, city, enrol_into};

use super::bounds::{last_of, opening};
use super::late_work::end_posts;

const DISPATCHER: &str = "受理派遣员01";
const INSPECTOR: &str = "巡查员01";

pub(super) fn open(file: &Path, world: &World, seed: u64) -> Arc<App> {
    let machine = Arc::new(Machine::new(&world.clock, seed));
    let store =
        SqliteStore::open(file, || draw_identity(machine.as_ref())).expect("the file opens");
    let app = App::open(Arc::new(store), machine).expect("the server opens");
    if app.known().directory.people.is_empty() {
        app.put_directory(city()).expect("the directory is kept");
    }
    Arc::new(app)
}

/// What an administrator's command does after a restore.
pub(super) fn begin_epoch(file: &Path) {
    backup::begin_epoch(file, &new_epoch()).expect("a new epoch begins");
}

fn new_epoch() -> NewEpoch {
    NewEpoch {
        epoch: Epoch([9; 4]),
        suffix: [7; 8],
        number_block: "B".to_owned(),
        since: START.plus_ms(10_000_000),
    }
}

/// A phone of that server.
pub(super) fn phone_of(world: &World, app: &Arc<App>, name: &str, seed: u64) -> Phone {
    let machine = Arc::new(Machine::new(&world.clock, seed));
    let store = Store::in_memory().expect("a store in memory opens");
    let person = world.person(name);
    enrol_into(app, &store, &machine, person, name);
    Phone {
        replica: Replica::on(store, machine.clone()),
        machine,
        link: Link::new(Arc::clone(app), seed),
        person,
    }
}

/// A server on a file of the folder with one case, a phone that has it, and a backup beside the running server.
fn backed_up(folder: &Folder, world: &mut World) -> (Phone, DocumentId) {
    let file = folder.file("server.db");
    let village = world.villages(INSPECTOR)[0];
    world.app = open(&file, world, 2);
    let phone = phone_of(world, &world.app, INSPECTOR, 3);
    let (case, _) = phone.report(village, "桥头垃圾");
    phone.sync().expect("the server answers");
    backup::copy(&file, &folder.file("backup.db")).expect("a backup");
    (phone, case)
}

fn entries(app: &App) -> std::collections::BTreeSet<EntryId> {
    audit::entries_of_sound(app).expect("feeds and documents are sound")
}

#[test]
fn a_database_is_not_restored_twice_in_one_second() {
    let (folder, mut world) = (
        Folder::new("same-second").expect("a folder"),
        World::new(52),
    );
    backed_up(&folder, &mut world);
    let backup = folder.file("backup.db");
    begin_epoch(&backup);
    let other = NewEpoch {
        epoch: Epoch([8; 4]),
        ..new_epoch()
    };
    let again = backup::begin_epoch(&backup, &other);
    let told = again
        .expect_err("its numbers would be given twice")
        .to_string();
    assert!(told.contains("within this second"), "{told}");
}

#[test]
fn a_server_that_has_gone_back_in_time_gets_the_phones_own_work_again() {
    let folder = Folder::new("gone-back").expect("a folder");
    let (file, backup) = (folder.file("server.db"), folder.file("backup.db"));
    let world = World::new(51);
    let village = world.villages(INSPECTOR)[0];

    let app = open(&file, &world, 2);
    let phone = phone_of(&world, &app, INSPECTOR, 1);
    let (old, reported) = phone.report(village, "备份之前");
    phone.sync().expect("the server answers");
    // Nobody holds the file any more, so that it is whole.
    phone.link.lead_to(Arc::clone(&world.app));
    drop(app);
    std::fs::copy(&file, &backup).expect("a backup is made");

    // The server goes on, and all of that is lost.
    let app = open(&file, &world, 4);
    phone.link.lead_to(Arc::clone(&app));
    let noted = phone.note(old, "备份之后").expect("a note is recorded");
    let (new, opened) = phone.report(village, "备份之后另报");
    phone.sync().expect("the server answers");
    let resting = phone
        .note(new, "在丢失的编号之后")
        .expect("a note is recorded");
    phone.sync().expect("the server answers");
    assert_eq!(phone.replica.status().expect("a look").outbox, 0);

    let actor = enrolment_of(&phone).actor;
    begin_epoch(&backup);
    let app = open(&backup, &world, 5);
    assert_eq!(entries(&app), [reported].into());
    phone.link.lead_to(Arc::clone(&app));
    phone.sync().expect("the server answers");
    // The lost server may have let in work of the old actor that is nowhere any more.
    assert_ne!(enrolment_of(&phone).actor, actor);
    // Also the note that rests on the number which the lost server had given.
    assert_eq!(entries(&app), [reported, noted, opened, resting].into());
    let report = check::check(app.store.as_ref()).expect("a look");
    assert_eq!(report.findings, [] as [String; 0]);
    let status = phone.replica.status().expect("a look");
    assert_eq!((status.outbox, status.last_error), (0, None));
    let count = |sql| {
        let read = phone
            .replica
            .store()
            .read(|connection| Ok(connection.query_row(sql, [], |row| row.get::<_, i64>(0))?));
        read.expect("a look")
    };
    assert_eq!(
        count("SELECT count(*) FROM frames WHERE epoch != x'09090909'"),
        0
    );
    assert_eq!(count("SELECT count(*) FROM changes WHERE state != 0"), 0);
    assert_eq!(
        phone.sync().expect("the server answers").rounds,
        1,
        "all is as ever"
    );
}

/// What the office's page shows of a case, with the times of receipt.
fn shown(world: &World, case: DocumentId) -> Reading {
    let view = office::view(&world.app, world.person(DISPATCHER), case);
    view.expect("the case is there").reading
}

#[test]
fn one_phone_brings_back_what_others_and_the_office_did_and_when() {
    let folder = Folder::new("brought-back").expect("a folder");
    let (file, backup) = (folder.file("server.db"), folder.file("backup.db"));
    let mut world = World::new(52);
    let village = world.villages(INSPECTOR)[0];
    let cadre = world.cadre_of(village);
    world.app = open(&file, &world, 2);
    let walker = phone_of(&world, &world.app, INSPECTOR, 3);
    let hall = phone_of(&world, &world.app, &cadre, 4);
    let sync = |phone: &Phone| _ = phone.sync().expect("the server answers");
    sync(&walker);
    sync(&hall);
    backup::copy(&file, &backup).expect("a backup beside the running server");

    // A whole life of a case, all of it after the backup.
    let (case, _) = walker.report(village, "井盖破损");
    sync(&walker);
    world.clock.advance_ms(60_000);
    world.dispatch(DISPATCHER, case, &[(village.unit(), Part::Main)]);
    sync(&hall);
    hall.resolve(case).expect("it is fixed");
    sync(&hall);
    sync(&walker);
    world.clock.advance_ms(60_000);
    walker
        .check(case, Verdict::Passed)
        .expect("it is looked at");
    sync(&walker);
    let closed = world.office(DISPATCHER, case, Action::Close, Body::default());
    closed.expect("it is closed");
    sync(&hall);
    let before = shown(&world, case);

    begin_epoch(&backup);
    world.app = open(&backup, &world, 5);
    assert_eq!(entries(&world.app), [].into());
    hall.link.lead_to(Arc::clone(&world.app));
    world.clock.advance_ms(3_600_000);
    sync(&hall);
    assert_eq!(shown(&world, case), before);
    assert_eq!(world.stage(case), "closed");
    let report = check::check(world.app.store.as_ref()).expect("a look");
    assert_eq!(report.findings, [] as [String; 0]);

    // The reporter's phone comes later, had not seen the closing, and has nothing left to bring.
    walker.link.lead_to(Arc::clone(&world.app));
    let summary = walker.sync().expect("the server answers");
    assert_eq!((summary.rounds, summary.pushed), (3, 0));
    for phone in [&walker, &hall] {
        assert_eq!(phone.replica.status().expect("a look").outbox, 0);
        assert_eq!(
            phone.replica.case(case).expect("it is here").reading,
            before
        );
    }
    assert_eq!(shown(&world, case), before);
    // New work gets a number that no lost one can have had.
    let (next, _) = walker.report(village, "恢复之后");
    sync(&walker);
    let number = walker.replica.case(next).expect("it is here").row.number;
    assert!(number.is_some_and(|number| number.contains("-B-")));
}

#[test]
fn what_was_held_when_the_server_was_lost_is_held_again() {
    let folder = Folder::new("held-again").expect("a folder");
    let backup = folder.file("backup.db");
    let mut world = World::new(53);
    let (phone, case) = backed_up(&folder, &mut world);

    for words in ["一", "二"] {
        phone.note(case, words).expect("a note is recorded");
    }
    end_posts(&world, INSPECTOR);
    phone.sync().expect("the server answers");
    assert_eq!(
        (
            world.held().len(),
            phone.replica.status().expect("a look").held
        ),
        (2, 2)
    );

    begin_epoch(&backup);
    world.app = open(&backup, &world, 5);
    end_posts(&world, INSPECTOR);
    phone.link.lead_to(Arc::clone(&world.app));
    for _ in 0..2 {
        phone.sync().expect("the server answers");
    }
    assert_eq!(
        (
            world.held().len(),
            phone.replica.status().expect("a look").held
        ),
        (2, 2)
    );
}

#[test]
fn a_relic_that_nobody_sent_is_not_let_in() {
    let mut world = World::new(54);
    let village = world.villages(INSPECTOR)[0];
    let lost = world.store.inner().fork();
    world.restore(lost, &new_epoch());
    let phone = world.phone(INSPECTOR);
    let (case, _) = phone.report(village, "未送出");
    let mut list = PageList::default();
    let bodies: Vec<_> = ledger_of(phone, case)
        .links()
        .iter()
        .map(|link| link.change.bytes.clone())
        .enumerate()
        .collect();
    let now = world.clock.now();
    for link in ledger_of(&world.phones[INSPECTOR], case).links() {
        list.add(case, link.change.hash, now);
    }
    let mut relic = Relic {
        epoch: Epoch([3; 4]),
        tag: [0; 16],
        list,
        bodies,
    };
    let app = &world.app;
    let answer = |relic: &Relic| {
        let phone = &world.phones[INSPECTOR];
        let outcome = relic::take_in(app, phone.device(), &relic.encode());
        outcome.expect("the store answers").fates
    };
    assert_eq!(answer(&relic), Err(Unread::Signature));
    // The tag of another epoch, or of another list, does not help.
    relic.tag = relic.list.tag(&app.identity.page_key, Epoch([4; 4]));
    assert_eq!(answer(&relic), Err(Unread::Signature));
    relic.tag = relic.list.tag(&app.identity.page_key, relic.epoch);
    let mut forged = relic.clone();
    forged.list.add(case, ChangeHash([1; 32]), now);
    assert_eq!(answer(&forged), Err(Unread::Signature));
    // Other bytes under a name of the list are refused.
    let phone = &world.phones[INSPECTOR];
    let damaged = [&relic.bodies[0].1[..], &[0]].concat();
    let of_another = last_of(&opening(&world, phone, 9, 5)).1;
    for bytes in [damaged, of_another] {
        let mut other = relic.clone();
        other.bodies[0].1 = bytes;
        let refused = Fate::Refused(Refusal::Malformed);
        assert_eq!(answer(&other), Ok(vec![refused]));
    }
    assert_eq!(entries(app), [].into());
    assert_eq!(answer(&relic), Ok(vec![Fate::Ok]));
    assert_eq!(answer(&relic), Ok(vec![Fate::Dup]));
    assert_eq!(entries(app).len(), 1);
    // What a newer program has let in waits for one.
    let phone = &world.phones[INSPECTOR];
    let ledger = ledger_of(phone, case);
    let note = entry_of(phone, &ledger, Action::Note.code(), village.unit(), 2);
    let mut newer = entry::encode(&note);
    assert_eq!(newer[1..3], [0, 1], "the version of the envelope");
    newer[2] = 2;
    let content = Content::Person {
        entry: newer,
        fields: Vec::new(),
    };
    let actor = enrolment_of(phone).actor;
    let change = compose(&ledger, actor, &ledger.head_hashes(), &content).expect("known heads");
    relic.list.add(case, change.hash, now);
    relic.tag = relic.list.tag(&app.identity.page_key, relic.epoch);
    relic.bodies = vec![(relic.list.rows().count() - 1, change.bytes)];
    let later = Fate::Later(Later::Newer);
    assert_eq!(answer(&relic), Ok(vec![later]));
}

#[test]
fn a_phone_that_was_enrolled_after_the_backup_hands_in_its_work_for_review() {
    let folder = Folder::new("taken-back").expect("a folder");
    let (file, backup) = (folder.file("server.db"), folder.file("backup.db"));
    let mut world = World::new(55);
    let village = world.villages(INSPECTOR)[0];
    world.app = open(&file, &world, 2);
    backup::copy(&file, &backup).expect("a backup beside the running server");
    let phone = phone_of(&world, &world.app, INSPECTOR, 3);
    let (seen, _) = phone.report(village, "服务器见过");
    phone.sync().expect("the server answers");
    let (unsent, _) = phone.report(village, "还没有发");

    begin_epoch(&backup);
    world.app = open(&backup, &world, 5);
    phone.link.lead_to(Arc::clone(&world.app));
    phone.sync_revoked();
    assert!(phone.is_revoked(&world.app));
    // What the lost server had let in is let in; what it had not seen is looked at.
    assert_eq!(world.stage(seen), "reported");
    assert_eq!(world.stage(unsent), "");
    assert_eq!(world.held().len(), 1);
    assert_eq!(phone.replica.status().expect("a look").outbox, 0);
    phone.sync_revoked();
    // What it records until its person has enrolled anew, and hands in by his new phone.
    phone.report(village, "还在用旧的");
    assert!(matches!(phone.sync(), Err(Error::SignedOut)));
    let anew = phone_of(&world, &world.app, INSPECTOR, 4);
    let file = phone.replica.rescue_bundle().expect("a bundle");
    anew.replica.carry(&file).expect("it is whole");
    anew.sync().expect("the server answers");
    assert_eq!(world.held().len(), 2);
    // Nobody comes back who cannot prove that he was there.
    let enrolment = enrolment_of(&phone);
    let card = Card {
        device: DeviceId::new(Epoch([9; 4]), 99),
        person: enrolment.person,
        public_key: seal::public_key(&enrolment.seed),
        certificate: enrolment.certificate,
        token_hash: [9; 32],
    };
    assert!(matches!(devices::take_back(&world.app, &card), Ok(false)));
}

#[test]
fn what_is_restored_twice_from_one_backup_still_tells_its_phones_everything() {
    let folder = Folder::new("twice").expect("a folder");
    let backup = folder.file("backup.db");
    let mut world = World::new(56);
    let (phone, case) = backed_up(&folder, &mut world);

    for round in 1..=2 {
        let copy = folder.file(&format!("restored-{round}.db"));
        backup::copy(&backup, &copy).expect("a copy of the backup");
        let new = NewEpoch {
            epoch: Epoch([round; 4]),
            suffix: [round; 8],
            number_block: round.to_string(),
            since: world.clock.now(),
        };
        backup::begin_epoch(&copy, &new).expect("a new epoch begins");
        world.app = open(&copy, &world, 5);
        phone.link.lead_to(Arc::clone(&world.app));
        phone.sync().expect("the server answers");
        phone.note(case, "一").expect("a note is recorded");
        end_posts(&world, INSPECTOR);
        phone.sync().expect("the server answers");
        // Each time somebody looks at the note, and the phone hears of it.
        let held = world.held();
        assert_eq!(held.len(), 1, "round {round}");
        let person = world.person(DISPATCHER);
        let refused = Decision::Refuse;
        settle_all(&world.app, person, case, held[0].hash, refused, "重复").expect("settled");
        world.clock.advance_ms(60_000);
        phone.sync().expect("the server answers");
        let status = phone.replica.status().expect("a look");
        assert_eq!(
            (status.held, status.refused),
            (0, usize::from(round)),
            "round {round}"
        );
    }
}

#[test]
fn notices_are_numbered_behind_those_of_the_lost_server_whatever_its_clock_says() {
    let folder = Folder::new("notices").expect("a folder");
    let world = World::new(57);
    let file = folder.file("server.db");
    let device = phone_of(&world, &open(&file, &world, 2), INSPECTOR, 3).device();
    let next = |since: i64, epoch: u8| -> u64 {
        let new = NewEpoch {
            epoch: Epoch([epoch; 4]),
            suffix: [epoch; 8],
            number_block: epoch.to_string(),
            since: Timestamp(since),
        };
        backup::begin_epoch(&file, &new).expect("a new epoch begins");
        let app = open(&file, &world, 2);
        let told = Commit {
            notices: vec![(device, Notice::SendLogs)],
            ..Commit::default()
        };
        app.store.commit(&told).expect("it is told");
        let mut number = 0;
        let read = app.store.read(&mut |snapshot| {
            let notices = snapshot.notices(device, 0)?;
            number = notices.last().expect("a notice").0;
            Ok(())
        });
        read.expect("the store answers");
        number
    };
    let now = START.0.cast_unsigned();
    assert_eq!(next(START.0, 1), now + 1);
    // A clock that goes on says how far; one that was set back does not.
    assert_eq!(next(START.0 + 9_000, 2), now + 9_001);
    assert!(next(START.0 - 9_000, 3) > now + 1_000_000);
}
