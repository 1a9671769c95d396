//! Opening: a new file, a newer one, and damaged ones, each kept byte for byte and reported.

use std::path::Path;

use patrol_core::error::Error;
use patrol_core::store::{Opened, Store, aside};
use rusqlite::Connection;

use super::phone::*;

/// A phone's file with a few cases in it, closed.
fn filled(folder: &Folder) {
    let replica = phone(&folder.file(), 1);
    for number in 0..40 {
        let words = format!("{number}{}", "字".repeat(200));
        replica.begin(&report(&words)).expect("it is recorded");
    }
}

fn open_as_it_is(path: &Path) -> Opened {
    Store::open(path, NOW).expect("a file opens in any case")
}

#[test]
fn a_new_file_has_the_schema_of_the_page_and_its_version() {
    let folder = Folder::new();
    let store = open_as_it_is(&folder.file()).store;
    let page = Connection::open_in_memory().expect("a database in memory");
    page.execute_batch(include_str!("../../sql/schema.sql"))
        .expect("the page is SQL");
    let tables = |connection: &Connection| {
        let sql =
            "SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_schema ORDER BY 1";
        column(connection, sql)
    };
    let found = store
        .read(|connection| Ok(tables(connection)))
        .expect("a look");
    assert_eq!(found, tables(&page));
    assert!(found.len() > 10);
    let version = store.read(|connection| {
        Ok(column(
            connection,
            "SELECT '' || user_version FROM pragma_user_version",
        ))
    });
    assert_eq!(version.expect("a look"), ["2"]);
}

#[test]
fn every_write_is_logged_ahead_synced_and_checked() {
    let folder = Folder::new();
    let store = open_as_it_is(&folder.file()).store;
    let ask = |connection: &Connection, pragma: &str| {
        column(
            connection,
            &format!("SELECT '' || {pragma} FROM pragma_{pragma}"),
        )[0]
        .clone()
    };
    let found = store
        .write(|transaction| {
            Ok(
                ["journal_mode", "synchronous", "foreign_keys", "temp_store"]
                    .map(|pragma| ask(transaction, pragma)),
            )
        })
        .expect("a write");
    // 2: FULL, 1: on, 2: memory.
    assert_eq!(found, ["wal", "2", "1", "2"]);
    let refused = store.write(|transaction| {
        Ok(transaction.execute(
            "INSERT INTO members (scope, document, generation) VALUES (1, 1, 1)",
            [],
        )?)
    });
    assert!(matches!(refused, Err(Error::Storage(_))), "{refused:?}");
}

#[test]
fn a_newer_file_is_refused_with_words_and_left_as_it_is() {
    let folder = Folder::new();
    filled(&folder);
    Connection::open(folder.file())
        .expect("the file opens")
        .pragma_update(None, "user_version", 3)
        .expect("the version is set");
    let before = folder.files();
    let refused = Store::open(&folder.file(), NOW).map(drop);
    assert!(matches!(refused, Err(Error::UpdateNeeded)), "{refused:?}");
    assert_eq!(Error::UpdateNeeded.to_string(), "update needed");
    assert!(folder.files() == before, "it was touched");
}

#[test]
fn a_file_that_may_not_be_written_is_refused_and_left_as_it_is() {
    let folder = Folder::new();
    filled(&folder);
    let allow = |is_readonly: bool| {
        let mut permissions = std::fs::metadata(folder.file())
            .expect("the file is there")
            .permissions();
        permissions.set_readonly(is_readonly);
        std::fs::set_permissions(folder.file(), permissions).expect("it is ours");
    };
    allow(true);
    let before = folder.files();
    let refused = Store::open(&folder.file(), NOW).map(drop);
    assert!(matches!(refused, Err(Error::Unwritable)), "{refused:?}");
    assert!(folder.files() == before, "it was touched");
    allow(false);
    assert_eq!(open_as_it_is(&folder.file()).rescued, None);
}

/// Opens what lies there, and sees it moved aside byte for byte and a new file in its place.
fn is_rescued(folder: &Folder, what: &str) {
    let before = folder.files();
    let opened = open_as_it_is(&folder.file());
    let aside = opened
        .rescued
        .unwrap_or_else(|| panic!("{what}: not reported"));
    let name = aside
        .file_name()
        .expect("a name")
        .to_string_lossy()
        .into_owned();
    assert!(name.starts_with("phone.db.broken-1795392000000"), "{name}");
    let kept: Vec<(String, Vec<u8>)> = folder
        .files()
        .into_iter()
        .filter_map(|(file, bytes)| Some((file.strip_prefix(&name)?.to_owned(), bytes)))
        .map(|(suffix, bytes)| (format!("phone.db{suffix}"), bytes))
        .collect();
    let damaged: Vec<(String, Vec<u8>)> = before
        .into_iter()
        .filter(|(file, _)| !file.contains("broken"))
        .collect();
    assert!(kept == damaged, "{what}: not kept as it was");
    // What is there now is a new file, sound and empty.
    let enrolled = opened
        .store
        .read(patrol_core::store::enrolment::enrolment)
        .expect("a look");
    assert_eq!(enrolled.map(|row| row.person), None, "{what}");
    enrol(&opened.store);
    drop(opened.store);
    // Whoever opened first may have died before anybody heard of it.
    let again = open_as_it_is(&folder.file());
    assert_eq!(again.rescued.as_ref(), Some(&aside), "{what}: told once");
    drop(again.store);
    let before = folder.files();
    aside::put_away(&aside).expect("it is there");
    let stays = |files: Vec<(String, Vec<u8>)>| -> Vec<(String, Vec<u8>)> {
        let name = |file: String| file.replace(".kept-", ".broken-");
        files
            .into_iter()
            .map(|(file, bytes)| (name(file), bytes))
            .collect()
    };
    assert!(
        stays(folder.files()) == before,
        "{what}: not put away as it was"
    );
    let again = aside::put_away(&aside);
    assert!(matches!(again, Err(Error::NotFound)), "{again:?}");
    let replica = open(&folder.file(), Machine::new(2));
    replica
        .begin(&report("再来"))
        .expect("the new file is of use");
}

#[test]
fn a_damaged_file_is_moved_aside_kept_and_reported() {
    type Damage = fn(&mut Vec<u8>);
    let damages: [(&str, Damage); 6] = [
        ("cut in the middle", |bytes| {
            bytes.truncate(bytes.len() / 2 + 100);
        }),
        ("cut within the first page", |bytes| bytes.truncate(500)),
        ("not a database", |bytes| {
            bytes[..16].copy_from_slice(b"<html><body>oops");
        }),
        ("all zeros", |bytes| bytes.fill(0)),
        ("a page in the middle is garbage", |bytes| {
            let pages = bytes.len() / 4096;
            bytes[pages / 2 * 4096..(pages / 2 + 1) * 4096].fill(0xa5);
        }),
        ("a page in the middle is empty", |bytes| {
            let pages = bytes.len() / 4096;
            bytes[pages / 2 * 4096..(pages / 2 + 1) * 4096].fill(0);
        }),
    ];
    for (what, damage) in damages {
        let folder = Folder::new();
        filled(&folder);
        let mut bytes = std::fs::read(folder.file()).expect("the file is there");
        assert!(bytes.len() > 20 * 4096, "{}", bytes.len());
        damage(&mut bytes);
        std::fs::write(folder.file(), bytes).expect("it is damaged");
        is_rescued(&folder, what);
    }
}

#[test]
fn a_move_that_was_cut_is_gone_on_with_and_nothing_that_was_kept_is_written_over() {
    let folder = Folder::new();
    let damaged = |number: u8| {
        std::fs::write(folder.file(), [number; 9_000]).expect("it is written");
        let log = folder.file().with_file_name("phone.db-wal");
        std::fs::write(&log, [number; 5_000]).expect("it is written");
        log
    };
    // The program died when only the log had been moved.
    let log = damaged(1);
    let cut = folder.file().with_file_name("phone.db.broken-5-wal");
    std::fs::rename(log, &cut).expect("it is moved");
    let opened = open_as_it_is(&folder.file());
    let first = opened.rescued.expect("it is told");
    assert_eq!(first, folder.file().with_file_name("phone.db.broken-5"));
    drop(opened.store);
    aside::put_away(&first).expect("it is there");
    // Twice at one moment of a clock that stands.
    for number in [2, 3] {
        damaged(number);
        let opened = open_as_it_is(&folder.file());
        let moved = opened.rescued.expect("it is told");
        drop(opened.store);
        aside::put_away(&moved).expect("it is there");
    }
    let kept = folder.files().into_iter();
    let mut kept: Vec<_> = kept.filter(|(file, _)| file.contains(".kept-")).collect();
    kept.sort_unstable_by_key(|(file, _)| (file.replace("-wal", ""), file.len()));
    let kept: Vec<(bool, u8)> = kept
        .iter()
        .map(|(file, bytes)| (file.ends_with("-wal"), bytes[0]))
        .collect();
    let all = [2, 3, 1].map(|number| [(false, number), (true, number)]);
    assert_eq!(kept, all.concat());
}

#[test]
fn another_programs_database_is_moved_aside_as_it_is() {
    let folder = Folder::new();
    Connection::open(folder.file())
        .expect("a new file opens")
        .execute_batch("CREATE TABLE photos (id INTEGER); INSERT INTO photos (id) VALUES (1);")
        .expect("it is made");
    is_rescued(&folder, "another program's");
}

#[test]
fn a_folder_in_its_place_is_moved_aside_with_all_that_is_in_it() {
    let folder = Folder::new();
    std::fs::create_dir(folder.file()).expect("a folder is made");
    std::fs::write(folder.file().join("inside"), b"kept").expect("a file is written");
    let opened = open_as_it_is(&folder.file());
    let aside = opened.rescued.expect("it is reported");
    assert_eq!(
        std::fs::read(aside.join("inside")).expect("it is kept"),
        b"kept"
    );
}

#[test]
fn a_log_that_was_not_yet_written_into_its_damaged_file_is_kept_beside_it() {
    let folder = Folder::new();
    let elsewhere = Folder::new();
    let replica = phone(&elsewhere.file(), 1);
    for number in 0..10 {
        replica
            .begin(&report(&format!("第{number}号")))
            .expect("it is recorded");
    }
    // The phone is switched off now: file and log as they are.
    for (name, bytes) in elsewhere.files() {
        std::fs::write(folder.path().join(name), bytes).expect("it is copied");
    }
    let log = folder.path().join("phone.db-wal");
    assert!(std::fs::metadata(&log).expect("there is a log").len() > 0);
    // The log holds every page, so damage of the file alone is mended by it; here the log is cut off from a lost file.
    std::fs::write(folder.file(), b"").expect("the file is emptied");
    is_rescued(&folder, "an emptied file with a log");

    let alone = Folder::new();
    let bytes = elsewhere
        .files()
        .into_iter()
        .find(|(name, _)| name.ends_with("-wal"))
        .expect("a log")
        .1;
    std::fs::write(alone.path().join("phone.db-wal"), &bytes).expect("it is copied");
    let opened = open_as_it_is(&alone.file());
    assert!(opened.rescued.is_some());
    assert!(
        alone
            .files()
            .iter()
            .any(|(name, kept)| name.contains("broken") && *kept == bytes)
    );
}

#[test]
fn a_garbage_file_with_a_log_is_kept_with_it() {
    let folder = Folder::new();
    filled(&folder);
    let bytes = std::fs::read(folder.file()).expect("the file is there");
    std::fs::write(folder.file(), &bytes[..bytes.len() / 3]).expect("it is cut");
    std::fs::write(folder.path().join("phone.db-wal"), vec![0x37; 9_000])
        .expect("a log is written");
    is_rescued(&folder, "cut, with a log");
}

#[test]
fn a_second_rescue_at_the_same_time_writes_over_nothing() {
    let folder = Folder::new();
    let mut asides = Vec::new();
    for number in 0..3u8 {
        std::fs::write(folder.file(), vec![number + 1; 8_000]).expect("garbage is written");
        asides.push(
            open_as_it_is(&folder.file())
                .rescued
                .expect("it is reported"),
        );
    }
    for (number, aside) in (1u8..).zip(&asides) {
        assert_eq!(
            std::fs::read(aside).expect("it is kept"),
            vec![number; 8_000]
        );
    }
}

#[test]
fn a_file_goes_on_where_it_was_closed() {
    let folder = Folder::new();
    let replica = phone(&folder.file(), 1);
    let (case, _) = replica.begin(&report("桥头垃圾")).expect("it is recorded");
    let before = replica
        .store()
        .read(|connection| Ok(contents(connection)))
        .expect("a look");
    drop(replica);
    let replica = open(&folder.file(), Machine::new(2));
    let after = replica
        .store()
        .read(|connection| Ok(contents(connection)))
        .expect("a look");
    assert_eq!(after, before);
    note(&replica, case, "又去了一次").expect("it goes on");
    assert_eq!(replica.status().expect("a look").n, 2);
}
