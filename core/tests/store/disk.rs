//! A disk that is full, or breaks, at any statement of a write: the store stays as it was, and says so.

use patrol_core::domain::id::DocumentId;
use patrol_core::error::Error;
use patrol_core::replica::Replica;
use patrol_core::store::Store;

use super::phone::*;

/// The tables that a deed writes, and how.
const STATEMENTS: &[(&str, &str)] = &[
    ("enrolment", "UPDATE"),
    ("documents", "INSERT"),
    ("documents", "UPDATE"),
    ("changes", "INSERT"),
];

fn run(store: &Store, sql: &str) {
    store
        .write(|transaction| Ok(transaction.execute_batch(sql)?))
        .expect("the statements are sound");
}

fn dump(store: &Store) -> Vec<String> {
    store
        .read(|connection| Ok(contents(connection)))
        .expect("a look")
}

/// A deed of the phone, as one of several that are tried.
type Attempt = fn(&Replica, DocumentId) -> Result<(), Error>;

const ATTEMPTS: &[(&str, Attempt)] = &[
    ("a report", |replica, _| {
        replica.begin(&report("新的一件")).map(drop)
    }),
    ("a note", |replica, case| {
        note(replica, case, "又去了一次").map(drop)
    }),
];

fn prepared(folder: &Folder) -> (Replica, DocumentId) {
    let replica = phone(&folder.file(), 1);
    let (case, _) = replica.begin(&report("桥头垃圾")).expect("it is recorded");
    (replica, case)
}

#[test]
fn a_full_disk_at_any_statement_leaves_the_store_as_it_was() {
    let folder = Folder::new();
    let (replica, case) = prepared(&folder);
    let store = replica.store();
    run(store, "CREATE TABLE hoard (bytes BLOB NOT NULL) STRICT;");
    let mut hits = 0;
    for (name, attempt) in ATTEMPTS {
        for (table, verb) in STATEMENTS {
            // Right before the statement, something else takes all the room that is left.
            run(
                store,
                &format!(
                    "CREATE TRIGGER greed BEFORE {verb} ON {table} BEGIN
                       INSERT INTO hoard (bytes) VALUES (zeroblob(10000000));
                     END;
                     PRAGMA max_page_count = 200;"
                ),
            );
            let before = dump(store);
            let result = attempt(&replica, case);
            match result {
                Err(Error::Full) => hits += 1,
                // A note of a case makes no document.
                Ok(()) => assert_eq!((*name, *table, *verb), ("a note", "documents", "INSERT")),
                Err(other) => panic!("{name}, {verb} of {table}: {other:?}"),
            }
            if result.is_err() {
                assert_eq!(dump(store), before, "{name}, {verb} of {table}");
            }
            run(
                store,
                "PRAGMA max_page_count = 1000000; DROP TRIGGER greed;",
            );
            assert!(
                attempt(&replica, case).is_ok(),
                "{name}: it goes on when there is room"
            );
        }
    }
    assert_eq!(hits, 7);
}

#[test]
fn a_disk_that_fills_up_by_itself_leaves_the_store_as_it_was() {
    let folder = Folder::new();
    let (replica, _) = prepared(&folder);
    let store = replica.store();
    run(store, "PRAGMA max_page_count = 60;");
    let mut recorded = 1;
    let words = "字".repeat(1_000);
    let full = loop {
        let before = dump(store);
        match replica.begin(&report(&words)) {
            Ok(_) => recorded += 1,
            Err(error) => {
                assert_eq!(dump(store), before);
                break error;
            }
        }
        assert!(recorded < 1_000, "the disk is never full");
    };
    assert!(matches!(full, Error::Full), "{full:?}");
    let status = replica.status().expect("a look");
    assert_eq!((status.outbox, status.n), (recorded, recorded));
    run(store, "PRAGMA max_page_count = 1000000;");
    replica
        .begin(&report(&words))
        .expect("it goes on when there is room");
}

#[test]
fn a_failure_at_any_statement_leaves_the_store_as_it_was() {
    let folder = Folder::new();
    let (replica, case) = prepared(&folder);
    let store = replica.store();
    for (name, attempt) in ATTEMPTS {
        for (table, verb) in STATEMENTS {
            run(
                store,
                &format!(
                    "CREATE TRIGGER fault AFTER {verb} ON {table} BEGIN SELECT RAISE(FAIL, 'broken'); END;"
                ),
            );
            let before = dump(store);
            if let Err(error) = attempt(&replica, case) {
                assert!(matches!(error, Error::Storage(_)), "{error:?}");
                assert_eq!(dump(store), before, "{name}, {verb} of {table}");
            }
            run(store, "DROP TRIGGER fault;");
        }
    }
}
