//! Files that are refused, and beside which nothing is left.

use std::path::Path;

use crate::program::{Folder, Running, errand};

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
