//! A server restored from a backup: under its new epoch the phones bring everything back that any of them had seen, whoever made it.

use std::path::Path;
use std::sync::Arc;

use patrol_core::domain::id::{EntryId, Epoch};
use patrol_core::replica::Replica;
use patrol_core::store::Store;
use patrol_server::app::{App, draw_identity};
use patrol_server::check;
use patrol_server::store::sqlite::SqliteStore;
use patrol_server::store::sqlite::backup::{self, NewEpoch};
use patrol_tests::clock::Machine;
use patrol_tests::link::Link;
use patrol_tests::served::Folder;
use patrol_tests::simulation::audit;
use patrol_tests::world::{Phone, World, city, enrol_into};

const INSPECTOR: &str = "巡查员01";

fn open(file: &Path, world: &World, seed: u64) -> Arc<App> {
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
fn begin_epoch(file: &Path) {
    let new = NewEpoch {
        epoch: Epoch([9; 4]),
        suffix: [7; 8],
        number_block: "B".to_owned(),
    };
    backup::begin_epoch(file, &new).expect("a new epoch begins");
}

fn entries(app: &App) -> std::collections::BTreeSet<EntryId> {
    audit::entries_of_sound(app).expect("feeds and documents are sound")
}

#[test]
fn a_server_that_has_gone_back_in_time_gets_the_phones_own_work_again() {
    let folder = Folder::new("gone-back").expect("a folder");
    let (file, backup) = (folder.file("server.db"), folder.file("backup.db"));
    let world = World::new(51);
    let village = world.villages(INSPECTOR)[0];
    let person = world.person(INSPECTOR);
    let machine = Arc::new(Machine::new(&world.clock, 1));

    let app = open(&file, &world, 2);
    let store = Store::in_memory().expect("a store in memory opens");
    enrol_into(&app, &store, &machine, person, INSPECTOR);
    let phone = Phone {
        replica: Replica::on(store, machine.clone()),
        machine,
        link: Link::new(Arc::clone(&app), 3),
        person,
    };
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

    begin_epoch(&backup);
    let app = open(&backup, &world, 5);
    assert_eq!(entries(&app), [reported].into());
    phone.link.lead_to(Arc::clone(&app));
    phone.sync().expect("the server answers");
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
