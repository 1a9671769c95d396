//! A phone whose file is damaged while it holds work that nobody else has: what can be read of it is handed in, and what cannot is said.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use patrol_core::domain::id::EntryId;
use patrol_core::error::Error;
use patrol_core::replica::{Replica, Salvaged};
use patrol_core::store::Store;
use patrol_server::check;
use patrol_tests::clock::{Machine, START};
use patrol_tests::link::Link;
use patrol_tests::proof::walk::free_pages;
use patrol_tests::served::Folder;
use patrol_tests::simulation::audit;
use patrol_tests::world::{Phone, World, enrol_into};

use super::followers::forge;

const INSPECTOR: &str = "巡查员01";
const PAGE: u64 = 4_096;

fn phone_on(store: Store, world: &World, seed: u64) -> Phone {
    let machine = Arc::new(Machine::new(&world.clock, seed));
    Phone {
        replica: Replica::on(store, machine.clone()),
        machine,
        link: Link::new(Arc::clone(&world.app), seed),
        person: world.person(INSPECTOR),
    }
}

/// Enrols somebody into a new file, by a machine of its own.
fn enrolled(world: &World, store: &Store, seed: u64, name: &str) -> Machine {
    let machine = Machine::new(&world.clock, seed);
    enrol_into(&world.app, store, &machine, world.person(name), name);
    machine
}

/// A phone's file, closed, and the entries in it that no page has placed: notes, a case, and one in the refused box.
fn unsent(folder: &Folder, world: &World) -> (PathBuf, Vec<EntryId>) {
    let file = folder.file("phone.db");
    let store = Store::open(&file, START).expect("a new file opens").store;
    enrolled(world, &store, 7, INSPECTOR);
    let phone = phone_on(store, world, 8);
    let village = world.villages(INSPECTOR)[0];
    let (case, _) = phone.report(village, "桥头垃圾");
    for number in 0..40 {
        phone.report(village, &format!("第{number}件{}", "长".repeat(100)));
    }
    phone.sync().expect("the server answers");
    forge(&phone, world, case);
    phone.sync().expect("the server answers");
    assert_eq!(phone.replica.status().expect("a look").refused, 1);
    let mut own: Vec<_> = (0..40)
        .map(|number| {
            phone
                .note(case, &format!("第{number}条"))
                .expect("recorded")
        })
        .collect();
    own.push(phone.report(village, "路灯不亮").1);
    let kept = phone
        .replica
        .keep_draft(None, Some(case), "写到一半".as_bytes());
    kept.expect("kept");
    drop(phone);
    assert!(!folder.file("phone.db-wal").exists(), "it was closed");
    (file, own)
}

/// A copy of the file with a damaged page, opened: nothing when it opens as it is.
fn opened(
    folder: &Folder,
    world: &World,
    file: &Path,
    page: u64,
) -> Option<Result<Salvaged, Error>> {
    let copy = folder.file("copy.db");
    fs::copy(file, &copy).expect("a copy");
    let bytes = fs::File::options().write(true).open(&copy);
    let bytes = bytes.expect("it opens");
    bytes
        .write_all_at(&[0xa5; PAGE as usize], page * PAGE)
        .expect("it is damaged");
    let opened = Store::open(&copy, START).expect("a new one in its place");
    let aside = opened.rescued?;
    let spoilt = fs::read(&aside).expect("it is kept");
    let machine = enrolled(world, &opened.store, 1_000 + page, INSPECTOR);
    let replica = Replica::on(opened.store, Arc::new(machine));
    let salvaged = replica.salvage(&aside);
    assert!(fs::read(&aside).expect("it is kept") == spoilt, "as it was");
    let drafts = replica.drafts().expect("a look").len() as u64;
    assert_eq!(
        salvaged.as_ref().map_or(0, |salvaged| salvaged.drafts),
        drafts
    );
    replica.put_away(&aside).expect("it is there");
    assert!(!aside.exists(), "under another name");
    Some(salvaged)
}

#[test]
fn whatever_page_is_damaged_work_that_was_not_sent_is_found_or_is_said_to_be_missing() {
    let folder = Folder::new("salvaged").expect("a folder");
    let world = World::new(621);
    let (file, own) = unsent(&folder, &world);
    let pages = fs::metadata(&file).expect("a file").len() / PAGE;
    // The forged one besides.
    let all = own.len() as u64 + 1;
    let (mut whole, mut parts, mut nothing, mut in_parts) = (0, 0, 0, 0);
    let free = free_pages(&fs::read(&file).expect("a file"));
    for page in 0..pages {
        match opened(&folder, &world, &file, page) {
            // It holds nothing; damage of any other must be noticed.
            None => assert!(free.contains(&(page as usize + 1)), "page {page}"),
            Some(Ok(found)) if found.is_whole => {
                assert_eq!((found.changes, found.drafts), (all, 1), "page {page}");
                whole += 1;
            }
            Some(Ok(found)) => {
                assert!(found.changes <= all, "page {page}");
                (parts, in_parts) = (parts + 1, in_parts + found.changes);
            }
            Some(Err(Error::Damaged)) => nothing += 1,
            Some(Err(error)) => panic!("page {page}: {error}"),
        }
    }
    println!("{pages} pages: {whole} whole, {parts} in part ({in_parts}), {nothing} nothing");
    // Most of a file is what came from the server, its indexes, and the search.
    assert!(whole * 2 > pages, "{whole} of {pages}");
    assert!(in_parts * 2 > parts * all, "{in_parts} in {parts}");
    // Those of the schema and of the enrolment.
    assert!((1..=6).contains(&nothing), "{nothing}");
}

#[test]
fn what_was_found_in_a_damaged_file_is_handed_in_by_the_phone_that_began_anew() {
    let folder = Folder::new("salvaged-in").expect("a folder");
    let world = World::new(622);
    let (file, own) = unsent(&folder, &world);
    let root = {
        let connection = rusqlite::Connection::open(&file).expect("it opens");
        let sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'documents_changed'";
        connection.query_row(sql, [], |row| row.get::<_, u32>(0))
    };
    let bytes = fs::File::options()
        .write(true)
        .open(&file)
        .expect("it opens");
    let at = (u64::from(root.expect("an index")) - 1) * PAGE;
    bytes.write_all_at(&[0xa5; 512], at).expect("it is damaged");
    let opened = Store::open(&file, START).expect("a new one in its place");
    let aside = opened.rescued.expect("it is damaged");
    enrolled(&world, &opened.store, 10, INSPECTOR);
    let phone = phone_on(opened.store, &world, 11);
    for new_drafts in [1, 0] {
        let found = phone.replica.salvage(&aside).expect("it can be read");
        assert!(found.is_whole);
        assert_eq!(found.drafts, new_drafts);
        // What has been done, or is not wanted, does not come back.
        for draft in phone.replica.drafts().expect("a look") {
            phone.replica.discard_draft(draft.id).expect("it is there");
        }
        phone.replica.carry(&found.bundle).expect("it is carried");
        phone.sync().expect("the server answers");
        let entries = audit::entries_of_sound(&world.app).expect("sound");
        assert!(own.iter().all(|entry| entries.contains(entry)));
        assert_eq!(audit::entries_twice(&world.app).expect("sound"), []);
    }
    let report = check::check(world.app.store.as_ref()).expect("a look");
    assert_eq!(report.findings, [] as [String; 0]);
    phone.sync().expect("the server answers");
    assert_eq!(phone.replica.drafts().expect("a look").len(), 0);
}

#[test]
fn what_cannot_be_read_in_a_file_whose_pages_are_whole_is_said_to_be_missing() {
    let folder = Folder::new("salvaged-spoilt").expect("a folder");
    let world = World::new(624);
    let (file, own) = unsent(&folder, &world);
    let connection = rusqlite::Connection::open(&file).expect("it opens");
    let spoil = "UPDATE changes SET body = zeroblob(length(body)) WHERE place = (SELECT max(place) FROM changes)";
    assert_eq!(connection.execute(spoil, []), Ok(1));
    drop(connection);
    let store = Store::in_memory().expect("a store");
    let machine = enrolled(&world, &store, 10, INSPECTOR);
    let replica = Replica::on(store, Arc::new(machine));
    let found = replica.salvage(&file).expect("it can be read");
    // With the forged one.
    assert_eq!((found.changes, found.is_whole), (own.len() as u64, false));
}

#[test]
fn what_one_had_begun_to_write_is_not_put_before_another() {
    let folder = Folder::new("salvaged-of-two").expect("a folder");
    let world = World::new(623);
    let (file, _) = unsent(&folder, &world);
    let drafts_of = |name: Option<&str>| {
        let store = Store::in_memory().expect("a store");
        let machine = Machine::new(&world.clock, 10);
        if let Some(name) = name {
            enrol_into(&world.app, &store, &machine, world.person(name), name);
        }
        let replica = Replica::on(store, Arc::new(machine));
        let found = replica.salvage(&file).expect("it can be read");
        assert!(found.is_whole && found.changes > 0);
        (found.drafts, replica.drafts().expect("a look").len())
    };
    // Nor before nobody: who enrols here next may be another.
    assert_eq!(drafts_of(None), (0, 0));
    assert_eq!(drafts_of(Some("巡查员02")), (0, 0));
    assert_eq!(drafts_of(Some(INSPECTOR)), (1, 1));
}
