//! What is left of a database when a write was cut, or when its file or its log was taken away: it is kept, a start says so, and nothing new
//! is made in its place.

use std::fs;
use std::path::Path;

use rusqlite::Connection;

use crate::program::{Folder, Running, Said, errand, errand_within};

const WORD: &str = "eight signs";

fn set_password(database: &str) -> Said {
    let words = ["--name", "管理员01", "--login", "admin"];
    let words = [&["person", "password", "--database", database], &words[..]].concat();
    errand(&words, WORD)
}

/// A database with made-up people that a server has used, whose log holds what was written last.
fn used(folder: &Folder) -> String {
    let database = folder.database();
    let people = [
        "--synthetic-people",
        "--directory",
        concat!(env!("CARGO_MANIFEST_DIR"), "/data/zhuhai"),
    ];
    let server = Running::start(&[&["--database", &database], &people[..]].concat());
    let set = set_password(&database);
    assert!(set.ok, "{}", set.log);
    drop(server);
    database
}

fn has_log(database: &str) -> bool {
    fs::metadata(format!("{database}-wal")).is_ok_and(|log| log.len() > 0)
}

fn refused(database: &str) -> String {
    Running::refused(&["--database", database])
}

#[test]
fn a_write_that_was_cut_in_the_file_itself_is_taken_back_at_the_next_start() {
    let folder = Folder::new("hot_journal");
    let (database, cut) = (used(&folder), folder.file("cut.db"));
    let copy = "VACUUM INTO ?1";
    let whole = Connection::open(&database).expect("it opens");
    let copied = whole.execute(copy, [cut.display().to_string()]);
    copied.expect("it is copied");
    drop(whole);
    // Half of a write is in the file, and what was there before in its journal.
    let connection = Connection::open(&cut).expect("it opens");
    let many = "PRAGMA journal_mode = DELETE; BEGIN; DELETE FROM accounts; DELETE FROM directories";
    connection.execute_batch(many).expect("it is written");
    connection.cache_flush().expect("it is in the file");
    let left = folder.file("left.db").display().to_string();
    for suffix in ["", "-journal"] {
        let from = format!("{}{suffix}", cut.display());
        fs::copy(from, format!("{left}{suffix}")).expect("it is copied");
    }
    drop(connection);
    let journal = fs::read(format!("{left}-journal")).expect("it is there");
    assert_eq!(journal.first(), Some(&0xd9), "it has a journal's head");
    drop(Running::start(&["--database", &left]));
    let checked = errand(&["check", "--database", &left], "");
    assert!(checked.ok, "{}", checked.log);
    let set = set_password(&left);
    assert!(set.ok, "{}", set.log);
}

#[test]
fn a_backup_in_the_databases_place_is_refused_until_it_is_restored() {
    let folder = Folder::new("backup_in_place");
    let database = used(&folder);
    let backup = folder.file("backup.db").display().to_string();
    let words = ["backup", "--database", &database, "--to", &backup];
    assert!(errand(&words, "").ok);
    fs::remove_file(&database).expect("it is lost");
    fs::copy(&backup, &database).expect("it is copied");
    let log = refused(&database);
    assert!(log.contains("restore --from"), "{log}");
    let checked = errand(&["check", "--database", &database], "");
    assert!(checked.ok, "{}", checked.log);
    let words = [
        "restore",
        "--database",
        &database,
        "--from",
        &backup,
        "--replace",
    ];
    let restored = errand(&words, "");
    assert!(restored.ok, "{}", restored.log);
    drop(Running::start(&["--database", &database]));
}

#[test]
fn a_log_whose_database_is_gone_or_empty_is_left_alone_by_everybody() {
    let folder = Folder::new("log_alone");
    let database = used(&folder);
    let kept = format!("{database}.kept");
    fs::rename(&database, &kept).expect("it is moved");
    for is_empty in [false, true] {
        if is_empty {
            fs::write(&database, "").expect("it is written");
        }
        let at = ["--database", database.as_str()];
        for errand_words in [
            &["check"][..],
            &["upgrade"],
            &["person", "list"],
            &["backup", "--to", "x"],
        ] {
            let said = errand(&[errand_words, &at].concat(), "");
            assert!(!said.ok, "{errand_words:?}");
        }
        let log = refused(&database);
        assert!(log.contains("log") && has_log(&database), "{log}");
    }
    // Put back, it is whole.
    fs::rename(&kept, &database).expect("it is moved back");
    drop(Running::start(&["--database", &database]));
    // A restore moves it aside with the rest.
    let backup = folder.file("backup.db").display().to_string();
    let taken = errand(&["backup", "--to", &backup, "--database", &database], "");
    assert!(taken.ok, "{}", taken.log);
    let (log, whole) = (format!("{database}-wal"), set_password(&database));
    assert!(whole.ok, "{}", whole.log);
    fs::write(&log, "a log").expect("it is written");
    fs::write(&database, "").expect("it is written");
    let words = [
        "restore",
        "--replace",
        "--from",
        &backup,
        "--database",
        &database,
    ];
    let restored = errand(&words, "");
    assert!(restored.ok, "{}", restored.log);
    let aside = restored.lines[0]["moved_aside"].as_str().expect("a name");
    let moved = fs::read_to_string(format!("{aside}-wal"));
    assert_eq!(moved.expect("it is there"), "a log");
}

#[test]
fn where_a_server_has_used_a_database_none_is_made_anew_in_its_place() {
    let folder = Folder::new("gone");
    let database = used(&folder);
    // Stopped cleanly: no log is left.
    let checked = errand(&["check", "--database", &database], "");
    assert!(checked.ok, "{}", checked.log);
    for suffix in ["", "-wal", "-shm"] {
        drop(fs::rename(
            format!("{database}{suffix}"),
            format!("{database}.away{suffix}"),
        ));
    }
    let log = refused(&database);
    let lock = format!("{database}.lock");
    assert!(log.contains(&lock), "{log}");
    assert!(!Path::new(&database).exists());
    // Whoever wants a new one says so.
    fs::remove_file(lock).expect("it is there");
    drop(Running::start(&["--database", &database]));
}

#[test]
fn what_cannot_be_copied_is_named_with_the_reason() {
    let folder = Folder::new("not_to_be_read");
    let new = folder.database();
    let of = |from: &str| errand(&["restore", "--from", from, "--database", &new], "");
    let missing = of(&folder.file("nosuch.db").display().to_string());
    assert!(
        !missing.ok && missing.log.contains("nosuch.db: it is not there"),
        "{}",
        missing.log
    );
    let a_folder = of(env!("CARGO_MANIFEST_DIR"));
    assert!(
        !a_folder.ok && a_folder.log.contains("it is no file"),
        "{}",
        a_folder.log
    );
}

#[test]
fn a_restored_database_knows_when_its_backup_was_taken() {
    let folder = Folder::new("first_backup");
    let (database, copy) = (used(&folder), folder.file("copy.db"));
    let copy = copy.display().to_string();
    let words = ["backup", "--database", &database, "--to", &copy];
    assert!(errand(&words, "").ok);
    let new = folder.file("new.db").display().to_string();
    let words = ["restore", "--from", &copy, "--database", &new];
    let said = errand(&words, "");
    assert!(said.ok, "{}", said.log);
    let taken = [&database, &new].map(|file| -> i64 {
        let connection = Connection::open(file).expect("it opens");
        let taken = connection.query_row("SELECT taken_at FROM last_backup", [], |row| row.get(0));
        taken.expect("one was taken")
    });
    assert_eq!(taken[0], taken[1]);
}

#[test]
fn nothing_is_changed_in_a_backup() {
    let folder = Folder::new("backup_untouched");
    let (database, copy) = (used(&folder), folder.file("copy.db"));
    let copy = copy.display().to_string();
    let words = ["backup", "--database", &database, "--to", &copy];
    assert!(errand(&words, "").ok);
    let before = fs::read(&copy).expect("it is there");
    let again = folder.file("again.db").display().to_string();
    let who = ["--name", "管理员01"];
    let administrator = [&["person", "administrator", "--login", "new"][..], &who].concat();
    let errands: [&[&str]; 6] = [
        &["backup", "--to", &again],
        &["upgrade"],
        &[&["person", "password", "--login", "new"][..], &who].concat(),
        &administrator,
        &[&["person", "leave", "--from", "2026-12-01"][..], &who].concat(),
        &[&["device", "code"][..], &who].concat(),
    ];
    for words in errands {
        let said = errand(&[words, &["--database", &copy]].concat(), WORD);
        let is_told = said.log.contains("is a backup, and stays as it was taken");
        assert!(!said.ok && is_told, "{words:?}: {}", said.log);
    }
    assert!(fs::read(&copy).expect("it is there") == before);
    assert!(!Path::new(&again).exists());
    for words in [
        ["check"].as_slice(),
        &["person", "list"],
        &["device", "list"],
    ] {
        let said = errand(&[words, &["--database", &copy]].concat(), "");
        assert!(said.ok, "{words:?}: {}", said.log);
    }
}

#[test]
fn there_must_be_something_to_replace() {
    let folder = Folder::new("nothing_to_replace");
    let (database, copy) = (used(&folder), folder.file("copy.db"));
    let copy = copy.display().to_string();
    let words = ["backup", "--database", &database, "--to", &copy];
    let copied = errand(&words, "");
    assert!(copied.ok, "{}", copied.log);
    let elsewhere = folder.file("elsewhere.db").display().to_string();
    let words = ["restore", "--from", &copy, "--database", &elsewhere];
    let said = errand(&[&words[..], &["--replace"]].concat(), "");
    let names = said.log.contains(&format!("{elsewhere} is not there"));
    assert!(!said.ok && names, "{}", said.log);
    assert!(!Path::new(&elsewhere).exists());
    let said = errand(&words, "");
    assert!(said.ok, "{}", said.log);
}

#[test]
fn a_restore_onto_a_disk_that_fills_is_whole_or_is_none() {
    let folder = Folder::new("restore_full");
    let (database, copy) = (used(&folder), folder.file("copy.db"));
    let path = copy.display().to_string();
    let words = ["backup", "--database", &database, "--to", &path];
    let copied = errand(&words, "");
    assert!(copied.ok, "{}", copied.log);
    // A new epoch writes a row for each phone: the file grows.
    let connection = Connection::open(&copy).expect("it opens");
    let phones = "INSERT INTO devices (id, person, public_key, token, enrolled_at)
        WITH RECURSIVE n (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM n WHERE n < 3000)
        SELECT randomblob(8), zeroblob(8), zeroblob(32), randomblob(32), 1 FROM n;
        PRAGMA journal_mode = DELETE";
    connection.execute_batch(phones).expect("it is written");
    drop(connection);
    let len = fs::metadata(&copy).expect("it is there").len();
    let mut outcomes = [0, 0];
    for more in (0..200).step_by(20) {
        let to = folder.file(&format!("restored{more}.db"));
        let target = to.display().to_string();
        let words = ["restore", "--from", &path, "--database", &target];
        // Made-up phones have no keys that anybody could check.
        let words = [&words[..], &["--unchecked"]].concat();
        let said = errand_within(len / 512 + more, &words);
        outcomes[usize::from(said.ok)] += 1;
        if !said.ok {
            assert!(!to.exists(), "{more}: {}", said.log);
            continue;
        }
        let connection = Connection::open(&to).expect("it opens");
        let ask = |sql: &str| -> String {
            let asked = connection.query_row(sql, [], |row| row.get(0));
            asked.expect(sql)
        };
        assert_eq!(ask("PRAGMA integrity_check"), "ok", "{more}");
        let epoch = ask("SELECT lower(hex(epoch)) FROM identity");
        assert_eq!(said.lines[0]["epoch"], epoch, "{more}");
    }
    assert!(outcomes.iter().all(|count| *count > 0), "{outcomes:?}");
}

/// A database that was backed up, and its backup.
fn backed_up(folder: &Folder) -> (String, String) {
    let database = used(folder);
    let backup = folder.file("backup.db").display().to_string();
    let words = ["backup", "--database", &database, "--to", &backup];
    let taken = errand(&words, "");
    assert!(taken.ok, "{}", taken.log);
    (database, backup)
}

#[test]
fn a_backup_with_which_check_finds_fault_is_restored_only_where_that_is_said() {
    let folder = Folder::new("restore_unsound");
    let (_, backup) = backed_up(&folder);
    let connection = Connection::open(&backup).expect("it opens");
    let spoilt = "UPDATE counters SET device_no = device_no + 1; UPDATE accounts SET login = ''";
    connection.execute_batch(spoilt).expect("it is written");
    drop(connection);
    let checked = errand(&["check", "--database", &backup], "");
    assert!(!checked.ok, "{:?}", checked.lines);
    let new = folder.file("new.db").display().to_string();
    let words = ["restore", "--from", &backup, "--database", &new];
    let refused = errand(&words, "");
    assert!(
        !refused.ok && refused.log.contains("--unchecked"),
        "{}",
        refused.log
    );
    assert!(!Path::new(&new).exists());
    let taken = errand(&[&words[..], &["--unchecked"]].concat(), "");
    assert!(taken.ok && Path::new(&new).exists(), "{}", taken.log);
}

#[test]
fn a_restored_database_that_is_gone_before_its_first_start_is_not_begun_anew() {
    let folder = Folder::new("restored_and_gone");
    let (_, backup) = backed_up(&folder);
    let new = folder.file("new.db").display().to_string();
    let words = ["restore", "--from", &backup, "--database", &new];
    let restored = errand(&words, "");
    assert!(restored.ok, "{}", restored.log);
    fs::remove_file(&new).expect("it goes");
    let log = refused(&new);
    assert!(log.contains("is missing or empty"), "{log}");
    assert!(!Path::new(&new).exists());
}

#[test]
fn a_restore_from_nothing_leaves_nothing() {
    let folder = Folder::new("restore_nothing");
    let [nowhere, new] =
        ["nowhere.db", "new.db"].map(|name| folder.file(name).display().to_string());
    let said = errand(&["restore", "--from", &nowhere, "--database", &new], "");
    assert!(
        !said.ok && said.log.contains("is not there"),
        "{}",
        said.log
    );
    assert_eq!(fs::read_dir(folder.file("")).expect("a folder").count(), 0);
}
