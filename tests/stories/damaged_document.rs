//! One document's rows in the server's database are damaged: its work waits, and everybody else's goes on.

use std::sync::Arc;

use patrol_core::doc::ledger::Ledger;
use patrol_core::domain::action::Action;
use patrol_core::domain::capability::Capability;
use patrol_core::domain::id::{DocumentId, UnitId};
use patrol_core::domain::refusal::Refusal;
use patrol_core::domain::time::DAY_MS;
use patrol_core::store::{Store, documents, enrolment};
use patrol_core::sync::wire::{Fate, Later};
use patrol_server::app::{App, draw_identity};
use patrol_server::people::{self, Leaving};
use patrol_server::store::sqlite::SqliteStore;
use patrol_tests::clock::Machine;
use patrol_tests::link::Link;
use patrol_tests::pushing::{change_of, entry_of, ledger_of, push};
use patrol_tests::served::Folder;
use patrol_tests::world::{Phone, World, city, enrol_into, matter};

use super::hostile_over_http::corpus;

const INSPECTOR: &str = "巡查员01";
const STRANGER: &str = "巡查员31";

#[test]
fn a_document_that_was_damaged_in_the_database_waits_and_the_others_go_on() {
    let folder = Folder::new("damaged").expect("a folder");
    let file = folder.file("server.db");
    let world = World::new(61);
    let village = world.villages(INSPECTOR)[0];
    let (app, phone) = on_disk(&world, &file);
    let (damaged, _) = phone.report(village, "要坏的");
    let (sound, _) = phone.report(village, "好的");
    phone.sync().expect("the server answers");

    poison(&file, &phone, damaged);
    for case in [damaged, sound] {
        phone.note(case, "照常").expect("a note is recorded");
    }
    phone.sync().expect("the server answers");
    assert_eq!(
        phone.replica.status().expect("a look").outbox,
        1,
        "the sound document's note was taken"
    );
    let ledger = ledger_of(&phone, damaged);
    let waiting = ledger
        .links()
        .last()
        .expect("the note")
        .change
        .bytes
        .clone();
    let fates = push(&app, &phone, &[(damaged, waiting)]);
    assert_eq!(fates, Ok(vec![Fate::Later(Later::Storage)]));
}

#[test]
fn what_is_held_is_asked_about_beside_what_waits_and_sends_none_of_that_again() {
    let folder = Folder::new("asked").expect("a folder");
    let file = folder.file("server.db");
    let world = World::new(64);
    let village = world.villages(INSPECTOR)[0];
    let (app, phone) = on_disk(&world, &file);
    let (damaged, _) = phone.report(village, "要坏的");
    let (sound, _) = phone.report(village, "好的");
    phone.sync().expect("the server answers");
    for words in ["晚到的", "更晚的"] {
        phone.note(sound, words).expect("a note is recorded");
    }
    let leave = Leaving {
        person: phone.person,
        from: world.clock.now(),
        substitute: None,
    };
    people::leave(&app, leave).expect("he holds a post");
    phone.sync().expect("the server answers");
    app.put_directory(city()).expect("it is kept");
    phone.sync().expect("the server answers");
    world.clock.advance_ms(DAY_MS);
    poison(&file, &phone, damaged);
    phone.note(damaged, "照常").expect("a note is recorded");
    // Each request carries one change, so that it asks twice.
    let small = phone.replica.store().write(|transaction| {
        let mut state = enrolment::round_state(transaction)?;
        state.frame_bytes = 1;
        enrolment::put_round_state(transaction, &state)
    });
    small.expect("it is written");
    phone.link.take_fates();
    phone.sync().expect("the server answers");
    let status = phone.replica.status().expect("a look");
    assert_eq!((status.outbox, status.held), (1, 2));
    // The note has the place of what was put into the database, and is made again.
    let told = [("fate forked", 1), ("fate later", 1), ("fate review", 2)];
    assert_eq!(phone.link.take_fates(), told.into());
}

#[test]
fn a_document_of_which_a_bit_was_flipped_is_passed_over_and_the_others_go_on() {
    let folder = Folder::new("flipped").expect("a folder");
    let file = folder.file("server.db");
    let world = World::new(62);
    let village = world.villages(INSPECTOR)[0];
    let (app, phone) = on_disk(&world, &file);
    let (older, _) = phone.report(village, "先前的");
    let (damaged, _) = phone.report(village, "要坏的");
    let (sound, _) = phone.report(village, "好的");
    phone.sync().expect("the server answers");
    let connection = rusqlite::Connection::open(&file).expect("the file opens");
    flip(&connection, damaged);

    for case in [damaged, sound] {
        phone.note(case, "照常").expect("a note is recorded");
    }
    phone.sync().expect("the server answers");
    assert_eq!(phone.replica.status().expect("a look").outbox, 1);
    let newest = |case| {
        let ledger = ledger_of(&phone, case);
        ledger
            .links()
            .last()
            .expect("the note")
            .change
            .bytes
            .clone()
    };
    let fates = push(
        &app,
        &phone,
        &[(damaged, newest(damaged)), (sound, newest(sound))],
    );
    assert_eq!(fates, Ok(vec![Fate::Later(Later::Storage), Fate::Dup]));

    // Another phone of the village gets the sound one, and says that its sums stay wrong.
    let other = phone_of(&app, &world, INSPECTOR, 5);
    // The second of its scopes is listed by a later page, which knows nothing of the first one's.
    other.link.set_page_bytes(1);
    other.sync().expect("the server answers");
    let here = other.replica.store().read(documents::all).expect("a look");
    assert_eq!(here, [older, sound]);
    let listed = other.replica.list("case", 0, 10).expect("a list");
    let listed: Vec<DocumentId> = listed.into_iter().map(|row| row.id).collect();
    assert_eq!(listed, [sound, older]);
    let last_error = || other.replica.status().expect("a look").last_error;
    assert_eq!(last_error().as_deref(), Some("digest"));

    // Once the bytes are mended, it gets what it lacks.
    let sql = "UPDATE changes SET body = ?2 WHERE ordinal = 0 AND document = (SELECT no FROM documents WHERE id = ?1)";
    let first = ledger_of(&phone, damaged).links()[0].change.bytes.clone();
    let mended = connection.execute(sql, rusqlite::params![damaged.0, first]);
    assert_eq!(mended, Ok(1));
    // Its scopes do not count in step: one was given to it later.
    let out_of_step = other.replica.store().write(|transaction| {
        let sql =
            "UPDATE cursors SET mismatches = 3 WHERE scope = (SELECT min(scope) FROM cursors)";
        Ok(transaction.execute(sql, [])?)
    });
    assert_eq!(out_of_step.expect("it is written"), 1);
    for _ in 0..8 {
        other.sync().expect("the server answers");
    }
    assert_eq!(other.stage(damaged), "reported");
    assert_eq!(last_error(), None);
}

#[test]
fn a_stranger_is_not_told_that_a_damaged_document_is_there() {
    let folder = Folder::new("unknown").expect("a folder");
    let file = folder.file("server.db");
    let world = World::new(65);
    let village = world.villages(INSPECTOR)[0];
    let (app, phone) = on_disk(&world, &file);
    let (damaged, _) = phone.report(village, "要坏的");
    phone.sync().expect("the server answers");
    let ledger = ledger_of(&phone, damaged);
    let connection = rusqlite::Connection::open(&file).expect("the file opens");
    flip(&connection, damaged);

    let stranger = phone_of(&app, &world, STRANGER, 6);
    let far = world.villages(STRANGER)[0];
    let entry = entry_of(&stranger, &ledger, Action::Note.code(), far.unit(), 1);
    let note = change_of(&stranger, &ledger, &entry, &[]);
    let empty = Ledger::new(damaged);
    let mut report = entry_of(&stranger, &empty, Action::Report.code(), UnitId::CITY, 2);
    report.capability = Capability::Report.code();
    let opening = change_of(&stranger, &empty, &report, &matter(far, "另一件"));
    let items = [(damaged, note.bytes), (damaged, opening.bytes)];
    let fates = push(&app, &stranger, &items);
    let refused = Fate::Refused(Refusal::NotFirst);
    assert_eq!(fates, Ok(vec![Fate::Missing(note.deps), refused]));
    // Who may know of it hears that it waits.
    let entry = entry_of(&phone, &ledger, Action::Note.code(), village.unit(), 2);
    let own = change_of(&phone, &ledger, &entry, &[]);
    let items = [(damaged, own.bytes)];
    let waits = Ok(vec![Fate::Later(Later::Storage)]);
    assert_eq!(push(&app, &phone, &items), waits);
    // Also once it has left its feeds by age.
    let left = connection.execute("UPDATE members SET joined = 0", []);
    assert!(left.expect("it is written") > 0);
    assert_eq!(push(&app, &phone, &items), waits);
}

/// A server on a file, and a phone of it.
fn on_disk(world: &World, file: &std::path::Path) -> (Arc<App>, Phone) {
    let machine = Arc::new(Machine::new(&world.clock, 1));
    let store =
        SqliteStore::open(file, || draw_identity(machine.as_ref())).expect("a new file opens");
    let app = Arc::new(App::open(Arc::new(store), machine.clone()).expect("the server opens"));
    app.put_directory(city()).expect("the directory is kept");
    let phone = phone_of(&app, world, INSPECTOR, 2);
    (app, phone)
}

/// A new phone of a person's.
fn phone_of(app: &Arc<App>, world: &World, name: &str, seed: u64) -> Phone {
    let machine = Arc::new(Machine::new(&world.clock, seed));
    let store = Store::in_memory().expect("a store in memory opens");
    let person = world.person(name);
    enrol_into(app, &store, &machine, person, name);
    Phone {
        replica: patrol_core::replica::Replica::on(store, machine.clone()),
        machine,
        link: Link::new(Arc::clone(app), seed),
        person,
    }
}

/// Flips bits of a document's first change in the database.
fn flip(connection: &rusqlite::Connection, case: DocumentId) {
    let sql =
        "UPDATE changes SET body = CAST(substr(body, 1, 40) || x'ff' || substr(body, 42) AS BLOB)
               WHERE ordinal = 0 AND document = (SELECT no FROM documents WHERE id = ?1)";
    assert_eq!(connection.execute(sql, [case.0]), Ok(1));
}

/// Puts a change that no admission would let in, and that Automerge cannot load, right into the database.
fn poison(file: &std::path::Path, phone: &Phone, case: DocumentId) {
    let ledger = ledger_of(phone, case);
    let village = patrol_core::doc::document::scopes(&ledger)
        .0
        .iter()
        .find_map(|scope| scope.unit())
        .expect("a village");
    let mut entry = entry_of(phone, &ledger, Action::Amend.code(), village, 80);
    entry.body.words = Some("x".to_owned());
    let place = patrol_core::domain::place::VillageCode::new(village.0).expect("a village");
    let valid = change_of(phone, &ledger, &entry, &matter(place, "改"));
    let hostile = corpus::that_harm_automerge(&ledger, &valid);
    let (_, bytes, _) = hostile
        .iter()
        .find(|(name, _, _)| name.starts_with("H5 "))
        .expect("H5");
    let hash = patrol_core::doc::parse::chunk_hash(bytes);
    let connection = rusqlite::Connection::open(file).expect("the file opens");
    let number: i64 = connection
        .query_row("SELECT no FROM documents WHERE id = ?1", [case.0], |row| {
            row.get(0)
        })
        .expect("the document");
    connection
        .execute(
            "INSERT INTO changes (document, ordinal, hash, body, received_at, commit_no) SELECT ?1, len, ?2, ?3, 1, 0 FROM documents WHERE no = ?1",
            rusqlite::params![number, hash.0, bytes],
        )
        .expect("it is written");
    connection
        .execute("UPDATE documents SET len = len + 1 WHERE no = ?1", [number])
        .expect("it is counted");
}
