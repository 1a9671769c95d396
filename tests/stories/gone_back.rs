//! A server restored from a backup: under its new epoch it gets the phones' own work again. What only the lost server had (numbers, the
//! office's words, other people's work) is kept on the phones for the exchange of relics, which is not built yet.

use std::path::Path;
use std::sync::Arc;

use patrol_core::domain::id::{DeviceId, EntryId, Epoch};
use patrol_core::replica::Replica;
use patrol_core::store::{Store, feed};
use patrol_server::app::{App, draw_identity};
use patrol_server::store::sqlite::SqliteStore;
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

/// What an administrator's command will do after a restore: a new epoch, a device of the server's own in it, a block of numbers.
fn begin_epoch(file: &Path) {
    let epoch = Epoch([9; 4]);
    let device = DeviceId::new(epoch, 0);
    let actor: Vec<u8> = device.0.into_iter().chain([7; 8]).collect();
    let connection = rusqlite::Connection::open(file).expect("the file opens");
    let changed = connection.execute(
        "UPDATE identity SET epoch = ?1, device = ?2, actor = ?3, number_block = 'B'",
        rusqlite::params![epoch.0, device.0, actor],
    );
    assert_eq!(changed.expect("it is ours"), 1);
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
    for _ in 0..3 {
        phone.sync().expect("the server answers");
    }
    let found = entries(&app);
    assert!(
        [reported, noted, opened]
            .iter()
            .all(|entry| found.contains(entry)),
        "own work came back"
    );
    // This one rests on the number that the lost server gave: it waits for the relic exchange, and is not lost.
    assert!(!found.contains(&resting));
    assert_eq!(phone.replica.status().expect("a look").outbox, 1);
    let relics: i64 = phone
        .replica
        .store()
        .read(|connection| {
            Ok(connection.query_row("SELECT count(*) FROM frames", [], |row| row.get(0))?)
        })
        .expect("a look");
    assert!(relics >= 2, "the lists and tags of the old pages are kept");
    // Its cursors are of the new epoch.
    let cursors = phone.replica.store().read(feed::cursors).expect("a look");
    assert!(!cursors.is_empty());
}
