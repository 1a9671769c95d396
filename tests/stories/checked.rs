//! `check` on a database with something in every table: it is clean, and after any change of any column that follows from others or proves itself it
//! says what differs. `checked/columns.txt` lists the columns; it cannot fall behind the schema.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use patrol_core::domain::action::Action;
use patrol_core::domain::entry::{Body, Part, Verdict};
use patrol_core::domain::limits;
use patrol_core::domain::time::DAY_MS;
use patrol_core::sync::wire::Fate;
use patrol_server::retire::retire_ended;
use patrol_server::review::Decision;
use patrol_server::store::reference::Terminal;
use patrol_server::store::sqlite::{SqliteStore, backup};
use patrol_server::store::{BrowserSession, Folder as From};
use patrol_server::{auth, check};
use patrol_tests::pushing::{change_of, entry_of, ledger_of, push};
use patrol_tests::served::Folder;
use patrol_tests::settling::settle_all;
use patrol_tests::world::{Phone, World, city};
use rusqlite::Connection;

use super::components::{import, lamps};
use super::gone_back::{begin_epoch, open, phone_of};
use super::late_work::end_posts;

const DISPATCHER: &str = "受理派遣员01";
const INSPECTOR: &str = "巡查员01";
const SCHEMA: &str = include_str!("../../server/sql/sqlite.sql");
const COLUMNS: &str = include_str!("checked/columns.txt");

/// A database with a whole city's life in small: something in every table but that of the setup code.
fn lived(folder: &Folder) -> PathBuf {
    let (file, copy) = (folder.file("server.db"), folder.file("lived.db"));
    let mut world = World::new(91);
    let village = world.villages(INSPECTOR)[0];
    let cadre = world.cadre_of(village);
    world.app = open(&file, &world, 2);
    let walker = phone_of(&world, &world.app, INSPECTOR, 3);
    let hall = phone_of(&world, &world.app, &cadre, 4);
    let lost = phone_of(&world, &world.app, "巡查员02", 5);
    let sync = |phone: &Phone| _ = phone.sync().expect("the server answers");
    let (closed, _) = walker.report(village, "井盖破损");
    sync(&walker);
    world.dispatch(DISPATCHER, closed, &[(village.unit(), Part::Main)]);
    sync(&hall);
    hall.resolve(closed).expect("it is fixed");
    sync(&hall);
    sync(&walker);
    walker.check(closed, Verdict::Passed).expect("looked at");
    sync(&walker);
    let close = world.office(DISPATCHER, closed, Action::Close, Body::default());
    close.expect("it is closed");
    let (going_on, _) = walker.report(village, "路灯不亮");
    walker.report(village, "占道堆物");
    sync(&walker);
    sync(&lost);
    world.dispatch(DISPATCHER, going_on, &[(village.unit(), Part::Main)]);
    world
        .clock
        .advance_ms((limits::CLOSED_FEED_DAYS + 1) * DAY_MS);
    assert_eq!(retire_ended(&world.app, world.clock.now()).unwrap(), 1);
    // What the inspector may not do is refused.
    let ledger = ledger_of(&walker, going_on);
    let entry = entry_of(&walker, &ledger, Action::Close.code(), village.unit(), 80);
    let change = change_of(&walker, &ledger, &entry, &[]).bytes;
    let fates = push(&world.app, &walker, &[(going_on, change)]).expect("it is read");
    assert!(matches!(fates[..], [Fate::Refused(_)]), "{fates:?}");
    reviews(&world, &lost);
    kept_beside(&mut world, &cadre);
    backup::copy(&file, &copy).expect("a copy");
    copy
}

/// Work of a lost phone: one is released, one refused, one waits.
fn reviews(world: &World, lost: &Phone) {
    let app = &world.app;
    let now = world.clock.now();
    app.store.revoke(lost.device(), now).expect("it is known");
    let elsewhere = world.villages("巡查员02")[0];
    for words in ["一", "二", "三"] {
        lost.report(elsewhere, words);
    }
    lost.sync_revoked();
    let held = world.held();
    assert_eq!(held.len(), 3);
    world.clock.advance_ms(60_000);
    let person = world.person(DISPATCHER);
    for (change, decision) in held.iter().zip([Decision::Release, Decision::Refuse]) {
        let (id, hash) = (change.document, change.hash);
        settle_all(app, person, id, hash, decision, "看过").expect("settled");
    }
}

/// Everything that is not work: accounts, codes, components, another directory.
fn kept_beside(world: &mut World, cadre: &str) {
    let (app, now) = (&world.app, world.clock.now());
    let person = world.person(DISPATCHER);
    auth::put_account(app, person, "dispatcher", "八个字的一句话").expect("an account");
    let account = app.store.account("dispatcher").expect("it answers");
    let hash = account.expect("it is there").password_hash;
    let until = now.plus_ms(DAY_MS);
    let session = BrowserSession { person, until };
    assert!(app.store.put_session([8; 32], &session, &hash).unwrap());
    app.store.put_enrol_code([9; 32], person, until).unwrap();
    let folder = From {
        places: [1; 32],
        people: Some([2; 32]),
    };
    app.store.put_folder(folder).unwrap();
    app.store.note_backup(now).unwrap();
    let [one, two, three] = [0, 1, 2].map(|at| city().villages[at].code);
    assert_eq!(one.district(), three.district());
    let terminal = Terminal {
        village: one,
        registered_at: now,
        registered_by: person,
    };
    app.store.put_terminal(&terminal).unwrap();
    // Added; moved to other villages; one removed; that one there again.
    for villages in [
        &[one, two, three][..],
        &[one, one, two],
        &[one],
        &[one, one],
    ] {
        import(app, &lamps(villages));
    }
    end_posts(world, cadre);
}

fn findings(file: &Path) -> Vec<String> {
    let store = SqliteStore::open(file, || unreachable!("it is there")).expect("it opens");
    check::check(&store).expect("a look").findings
}

/// A copy of a database, open, that nothing keeps whole.
fn copied(folder: &Folder, of: &Path) -> (PathBuf, Connection) {
    let file = folder.file("altered.db");
    for suffix in ["", "-wal", "-shm"] {
        drop(std::fs::remove_file(
            folder.file(&format!("altered.db{suffix}")),
        ));
    }
    std::fs::copy(of, &file).expect("a copy");
    let connection = Connection::open(&file).expect("it opens");
    connection
        .pragma_update(None, "foreign_keys", false)
        .unwrap();
    (file, connection)
}

/// Does something to the rows of a copy.
fn altered(folder: &Folder, of: &Path, sql: &str) -> PathBuf {
    let (file, connection) = copied(folder, of);
    let rows = connection
        .execute(sql, [])
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
    assert!(rows > 0, "{sql} changes nothing");
    file
}

/// What the list says of each column.
fn listed() -> Vec<Vec<&'static str>> {
    let lines = COLUMNS.lines().filter(|line| line.contains(" | "));
    lines.map(|line| line.split(" | ").collect()).collect()
}

#[test]
fn a_look_finds_what_is_not_as_its_sources_say() {
    let folder = Folder::new("checked").expect("a folder");
    let lived = lived(&folder);
    assert_eq!(findings(&lived), [] as [String; 0]);
    let mut missed = Vec::new();
    for line in listed() {
        let ([_, "derived" | "proves", sql, says] | [_, "remembered", _, sql, says]) = line[..]
        else {
            continue;
        };
        let found = findings(&altered(&folder, &lived, sql));
        if !found.iter().any(|found| found.contains(says)) {
            missed.push(format!("{sql}\n  should say: {says}\n  said: {found:#?}"));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn a_look_finds_what_of_the_schema_is_not_the_programs() {
    let folder = Folder::new("checked-schema").expect("a folder");
    let lived = lived(&folder);
    for (sql, says) in [
        ("DROP INDEX boxed_held", "schema: index boxed_held"),
        (
            "CREATE TRIGGER eats AFTER INSERT ON fates BEGIN DELETE FROM fates; END",
            "schema: trigger eats",
        ),
        (
            "ALTER TABLE accounts ADD COLUMN more INTEGER",
            "schema: column accounts 3 more is there",
        ),
        (
            "DROP TABLE terminals; CREATE TABLE terminals (village INTEGER PRIMARY KEY, registered_at INTEGER,
             registered_by BLOB)",
            "schema: column terminals 1 registered_at is not there, or not so",
        ),
    ] {
        let (file, connection) = copied(&folder, &lived);
        connection.execute_batch(sql).expect(sql);
        drop(connection);
        let found = findings(&file);
        let is_said = found.iter().any(|found| found.starts_with(says));
        assert!(is_said, "{sql}: {found:#?}");
    }
}

#[test]
fn a_devices_person_is_held_against_what_was_held_of_it() {
    let folder = Folder::new("checked-held").expect("a folder");
    let file = folder.file("server.db");
    let mut world = World::new(92);
    world.app = open(&file, &world, 2);
    let lost = phone_of(&world, &world.app, "巡查员02", 3);
    let now = world.clock.now();
    let revoked = world.app.store.revoke(lost.device(), now);
    revoked.expect("it is known");
    lost.report(world.villages("巡查员02")[0], "井盖破损");
    lost.sync_revoked();
    assert_eq!(world.held().len(), 1);
    let copy = folder.file("held.db");
    backup::copy(&file, &copy).expect("a copy");
    assert_eq!(findings(&copy), [] as [String; 0]);
    let sql = "UPDATE devices SET person = zeroblob(8)";
    let found = findings(&altered(&folder, &copy, sql));
    let [found] = &found[..] else {
        panic!("{found:#?}");
    };
    assert!(
        found.contains("is not who made what was held of it"),
        "{found}"
    );
}

#[test]
fn what_was_restored_is_as_its_sources_say() {
    let folder = Folder::new("checked-restored").expect("a folder");
    let lived = lived(&folder);
    begin_epoch(&lived);
    assert_eq!(findings(&lived), [] as [String; 0]);
    // Its held changes were proved when they came; of what was let in, phones may have brought some back.
    let found = findings(&altered(&folder, &lived, "DELETE FROM batches"));
    let of_boxes = |found: &String| found.contains("the boxed change");
    assert!(found.len() == 3 && found.iter().all(of_boxes), "{found:?}");
}

#[test]
fn a_look_that_finds_too_much_says_how_much_it_does_not_tell() {
    let folder = Folder::new("checked-much").expect("a folder");
    let lived = lived(&folder);
    let sql = "INSERT INTO fates (device, n, entry, fate)
         WITH RECURSIVE n (n) AS (VALUES (7000) UNION ALL SELECT n + 1 FROM n WHERE n < 8499)
         SELECT (SELECT max(id) FROM devices), n, zeroblob(16), 'ok' FROM n";
    let found = findings(&altered(&folder, &lived, sql));
    assert_eq!(found.len(), limits::CHECK_FINDINGS_MAX + 1);
    assert_eq!(found.last().unwrap(), "500 more that differ are not told");
}

/// The columns of every table of the schema.
fn columns(schema: &str) -> BTreeSet<String> {
    let mut columns = BTreeSet::new();
    for table in schema.split("CREATE TABLE ").skip(1) {
        let (name, rest) = table.split_once(" (").unwrap();
        let end = rest.find("\n)").unwrap();
        let words = rest[..end]
            .lines()
            .filter_map(|line| line.split_whitespace().next());
        let is_name = |word: &&str| {
            word.bytes()
                .all(|at| matches!(at, b'a'..=b'z' | b'0'..=b'9' | b'_'))
        };
        columns.extend(words.filter(is_name).map(|word| format!("{name}.{word}")));
    }
    columns
}

/// Columns that the list lacks, names twice in two ways, or does not know what to do with.
fn unlisted(schema: &str, listed: &[Vec<&str>]) -> Vec<String> {
    let there = columns(schema);
    let mut wrong: Vec<String> = Vec::new();
    for column in &there {
        let named = listed.iter().filter(|line| line[0] == column);
        let ways: BTreeSet<&str> = named.map(|line| line[1]).collect();
        if ways.len() != 1 {
            wrong.push(format!("{column} is listed in {} ways", ways.len()));
        }
    }
    for line in listed {
        let is_known = there.contains(line[0]) || line[0].ends_with(".*");
        let is_whole = matches!(
            line[..],
            [_, "derived" | "proves", _, _] | [_, "remembered", _] | [_, "remembered", _, _, _]
        );
        if !is_known || !is_whole {
            wrong.push(format!("{line:?} is no line of a column"));
        }
    }
    wrong
}

#[test]
fn every_column_of_the_database_is_derived_proves_itself_or_says_why_not() {
    let listed = listed();
    assert_eq!(unlisted(SCHEMA, &listed), [] as [String; 0]);
    assert!(columns(SCHEMA).len() > 140);
    // A new column, and one that is gone.
    let new = SCHEMA.replace(
        "  len           INTEGER",
        "  length INTEGER NOT NULL,\n  leng INTEGER",
    );
    assert_eq!(
        unlisted(&new, &listed),
        [
            "documents.leng is listed in 0 ways".to_owned(),
            "documents.length is listed in 0 ways".to_owned(),
            format!(
                "{:?} is no line of a column",
                listed
                    .iter()
                    .find(|line| line[0] == "documents.len")
                    .unwrap()
            ),
        ]
    );
}
