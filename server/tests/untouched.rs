//! Files that are refused, and beside which nothing is left.

use std::path::Path;

use crate::program::{Folder, Running, errand};

const ZHUHAI: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/zhuhai");

/// A database whose server has been stopped.
fn made(folder: &Folder) -> String {
    let database = folder.database();
    let server = Running::start(&["serve", "--database", &database]);
    server.signal("TERM");
    assert!(server.ended().0.success());
    assert_eq!(beside(&database), [] as [&str; 0]);
    database
}

/// What of a log lies beside a file.
fn beside(file: &str) -> Vec<&'static str> {
    let there = |suffix: &&str| Path::new(&format!("{file}{suffix}")).exists();
    let suffixes = ["-wal", "-shm", "-journal"].into_iter();
    suffixes.filter(there).collect()
}

#[test]
fn a_newer_database_is_refused_and_left_as_it_is() {
    let database = made(&Folder::new("newer_database"));
    let connection = rusqlite::Connection::open(&database).expect("it opens");
    let newer = connection.pragma_update(None, "user_version", 99);
    newer.expect("it is written");
    drop(connection);
    let bytes = std::fs::read(&database).expect("it is read");
    let restored = format!("{database}.restored");
    for words in [
        &["check", "--database", &database][..],
        &["upgrade", "--database", &database],
        &["person", "list", "--database", &database],
        &["serve", "--listen", "127.0.0.1:0", "--database", &database],
        &["restore", "--from", &database, "--database", &restored],
        &["backup", "--to", &restored, "--database", &database],
    ] {
        let refused = errand(words, "");
        let is_named = refused.log.contains("newer program");
        assert!(!refused.ok && is_named, "{words:?}: {}", refused.log);
        assert_eq!(beside(&database), [] as [&str; 0], "{words:?}");
    }
    assert!(std::fs::read(&database).expect("it is read") == bytes);
}

/// Lets SQLite write nothing that it needs beside a file, as on a disk that may only be read: there it fails in the same way, and root with it.
fn hinder(database: &str) {
    let shared = format!("{database}-shm");
    std::os::unix::fs::symlink("nowhere/at/all", shared).expect("a link");
}

#[test]
fn a_database_is_restored_from_where_nothing_can_be_written_beside_it() {
    let folder = Folder::new("restored_from_a_closed_disk");
    let database = made(&folder);
    let bytes = std::fs::read(&database).expect("it is read");
    // Kept with a log, though there is none: the format says so.
    assert_eq!(bytes.get(18..20), Some(&[2, 2][..]));
    hinder(&database);
    let restored = format!("{database}.restored");
    let said = errand(
        &["restore", "--from", &database, "--database", &restored],
        "",
    );
    assert!(said.ok, "{}", said.log);
    assert!(std::fs::read(&database).expect("it is read") == bytes);
    assert!(errand(&["check", "--database", &restored], "").ok);
}

#[test]
fn where_nothing_can_be_written_beside_a_log_it_is_said_what_to_do() {
    let folder = Folder::new("log_on_a_closed_disk");
    let database = folder.database();
    // Killed: its log is left.
    drop(Running::start(&["serve", "--database", &database]));
    assert!(beside(&database).contains(&"-wal"));
    drop(std::fs::remove_file(format!("{database}-shm")));
    hinder(&database);
    let restored = format!("{database}.restored");
    let said = errand(
        &["restore", "--from", &database, "--database", &restored],
        "",
    );
    let told = format!("{database}: nothing can be written beside it");
    assert!(!said.ok && said.log.contains(&told), "{}", said.log);
    assert!(said.log.contains("to another folder first"), "{}", said.log);
    assert!(!Path::new(&restored).exists());
    for words in [&["check"][..], &["person", "list"], &["import", "list"]] {
        let said = errand(&[words, &["--database", &database]].concat(), "");
        let is_told = said.log.contains(&told);
        assert!(!said.ok && is_told, "{words:?}: {}", said.log);
    }
}

#[test]
fn a_backup_that_is_cut_is_refused_and_left_as_it_is() {
    let folder = Folder::new("cut_backup");
    let database = made(&folder);
    // With ?, # and %, which mean something in an address.
    let cut = folder.file("cut 50%23?#.db").display().to_string();
    let bytes = std::fs::read(&database).expect("it is read");
    let kept = bytes.get(..bytes.len() / 2).expect("half of it");
    std::fs::write(&cut, kept).expect("it is written");
    let restored = format!("{database}.restored");
    for words in [
        &["restore", "--from", &cut, "--database", &restored][..],
        &["check", "--database", &cut],
    ] {
        let refused = errand(words, "");
        let is_named = refused.log.contains("damaged");
        assert!(!refused.ok && is_named, "{words:?}: {}", refused.log);
        assert_eq!(beside(&cut), [] as [&str; 0], "{words:?}");
    }
    assert!(std::fs::read(&cut).expect("it is read") == kept);
}

#[test]
fn what_only_looks_changes_no_byte_and_needs_to_write_none() {
    let folder = Folder::new("looked_at");
    let database = made(&folder);
    let backup = format!("{database}.backup");
    let words = ["backup", "--to", &backup, "--database", &database];
    let taken = errand(&words, "");
    assert!(taken.ok, "{}", taken.log);
    for file in [&database, &backup] {
        // As on a disk that may only be read.
        hinder(file);
        let bytes = std::fs::read(file).expect("it is read");
        for words in [
            &["check"][..],
            &["person", "list"],
            &["device", "list"],
            &["import", "list"],
        ] {
            let said = errand(&[words, &["--database", file]].concat(), "");
            assert!(said.ok, "{words:?}: {}", said.log);
            let is_as_before = std::fs::read(file).expect("it is read") == bytes;
            assert!(is_as_before, "{words:?} has changed {file}");
            assert_eq!(beside(file), [] as [&str; 0], "{words:?}");
        }
    }
}

#[test]
fn what_only_looks_sees_a_killed_servers_log_and_leaves_it() {
    let folder = Folder::new("looked_at_with_its_log");
    let database = folder.database();
    let people = ["--synthetic-people", "--directory", ZHUHAI];
    drop(Running::start(
        &[&["--database", &database], &people[..]].concat(),
    ));
    let read = || [&*database, &format!("{database}-wal")].map(|file| std::fs::read(file).ok());
    let before = read();
    assert!(before[1].as_ref().is_some_and(|log| !log.is_empty()));
    for (words, lines) in [(&["check"][..], 123), (&["person", "list"], 201)] {
        let said = errand(&[words, &["--database", &database]].concat(), "");
        assert!(said.ok && said.lines.len() >= lines, "{}", said.log);
        assert!(read() == before, "{words:?}");
    }
}
