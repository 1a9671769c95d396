//! Files and messages of earlier releases meet the program of today: what was written then is there, and both ends of different age understand each other.

mod exchange;

use std::path::Path;
use std::sync::Arc;

use clap::Parser as _;
use futures_util::FutureExt as _;
use patrol_core::error::Error;
use patrol_core::replica::{Cancel, Replica};
use patrol_core::store::{Store, enrolment};
use patrol_core::sync::transport::{Request, Response, Transport, Unreachable, Waiting};
use patrol_core::sync::wire::{self, CONTENT_TYPE, Fate, Hello, PROTOCOL, Welcome, kind};
use patrol_server::app::App;
use patrol_server::command::{self, CommandLine};
use patrol_server::store::StoreError;
use patrol_server::store::sqlite::backup;
use patrol_server::store::sqlite::{SqliteStore, shape};
use patrol_server::{auth, check};
use patrol_tests::clock::{Clock, Machine, START};
use patrol_tests::fixture::{self, NEW_WORDS, OLD_WORDS, PHONE, REQUEST, SERVER};
use patrol_tests::link::{Link, Reply};
use patrol_tests::proof::Program;
use patrol_tests::served::Folder;
use patrol_tests::world::{Phone, World};
use rusqlite::Connection;

use exchange::{fates_of, frames, post, written};

/// Every version that has been released and can be upgraded.
const RELEASED: [&str; 1] = ["v1"];

fn unpack(folder: &Folder, version: &str, name: &str) -> std::path::PathBuf {
    let file = folder.file(name);
    std::fs::write(&file, fixture::read(version, name)).unwrap();
    file
}

fn errand(words: &[&str], file: &Path) -> Result<Vec<serde_json::Value>, Vec<String>> {
    let file = file.to_str().unwrap();
    let words = [&["patrol-server"], words, &["--database", file]].concat();
    let line = CommandLine::parse_from(words);
    command::run(&line.command.unwrap(), &mut std::io::empty())
}

fn open(file: &Path) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(file, || unreachable!("it is there"))
}

fn app_on(file: &Path) -> Arc<App> {
    // The seed of the office that is recorded in the fixture.
    let machine = Arc::new(Machine::new(&Clock::default(), 4));
    Arc::new(App::open(Arc::new(open(file).unwrap()), machine).unwrap())
}

#[test]
fn two_programs_that_open_an_older_file_at_once_both_go_on_and_leave_one_copy() {
    for version in RELEASED {
        let folder = Folder::new("upgraded-by-two").unwrap();
        let file = unpack(&folder, version, PHONE);
        std::thread::scope(|scope| {
            let opening = || scope.spawn(|| Store::open(&file, START).map(|opened| opened.rescued));
            for opened in [opening(), opening(), opening()] {
                assert_eq!(opened.join().unwrap().unwrap(), None);
            }
        });
        let is_copy = |name: &String| name.contains(".version-") || name.contains(".unfinished");
        let names = std::fs::read_dir(file.parent().unwrap()).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let copies: Vec<String> = names.filter(is_copy).collect();
        assert_eq!(copies, [format!("{PHONE}.version-1-{}", START.0)]);
        let copy = Connection::open(folder.file(&copies[0])).unwrap();
        let verdict: String = copy
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(verdict, "ok");
    }
}

#[test]
fn a_backup_of_an_older_database_is_good_and_only_a_restore_upgrades_it() {
    for version in RELEASED {
        let folder = Folder::new("upgraded-backup").unwrap();
        let file = unpack(&folder, version, SERVER);
        let before = std::fs::read(&file).unwrap();
        let copy = folder.file("copy.db");
        errand(&["backup", "--to", copy.to_str().unwrap()], &file).unwrap();
        backup::note_taken(&file, START).expect("it has no place for that");
        assert!(std::fs::read(&file).unwrap() == before, "it was touched");
        let looked = errand(&["check"], &copy).unwrap_err();
        assert!(looked[0].contains("a backup of version 1"), "{looked:?}");
        let upgraded = errand(&["upgrade"], &copy).unwrap_err();
        assert!(upgraded[0].contains("restore --from"), "{upgraded:?}");
        let restored = folder.file("restored.db");
        errand(&["restore", "--from", copy.to_str().unwrap()], &restored).unwrap();
        assert!(errand(&["check"], &restored).is_ok());
    }
}

#[test]
fn an_older_server_is_upgraded_with_a_copy_beside_it_and_has_everything() {
    for version in RELEASED {
        let folder = Folder::new("upgraded-server").unwrap();
        let file = unpack(&folder, version, SERVER);
        let before = std::fs::read(&file).unwrap();
        // No errand upgrades in passing.
        assert!(matches!(open(&file), Err(StoreError::Older { .. })));
        let refused = errand(&["person", "list"], &file).unwrap_err();
        assert!(refused[0].contains("upgrade"), "{refused:?}");
        assert!(std::fs::read(&file).unwrap() == before, "it was touched");

        let said = errand(&["upgrade"], &file).unwrap();
        assert_eq!(said[0]["from_version"], 1);
        let copy = Path::new(said[0]["backup"].as_str().unwrap()).to_owned();
        let fresh = folder.file("fresh.db");
        let identity = open(&file).unwrap();
        drop(identity);
        drop(
            SqliteStore::open(&fresh, || {
                patrol_server::app::draw_identity(&Machine::new(&Clock::default(), 1))
            })
            .unwrap(),
        );
        let shape_of = |path: &Path| shape(&Connection::open(path).unwrap()).unwrap();
        assert_eq!(shape_of(&file), shape_of(&fresh));
        assert_ne!(shape_of(&copy), shape_of(&fresh), "the copy is as it was");
        let said = errand(&["upgrade"], &file).unwrap();
        assert!(said[0]["from_version"].is_null(), "there is nothing to do");

        let app = app_on(&file);
        let report = check::check(app.store.as_ref()).unwrap();
        assert_eq!(report.findings, [] as [String; 0]);
        assert_eq!(report.documents, 1);
        let person = auth::check_password(&app, "dispatcher", fixture::PASSWORD).unwrap();
        assert!(person.is_some());
        assert_eq!(patrol_server::review::held(&app, 0, 9).unwrap().len(), 1);
        // The copy can be restored from, by this program.
        drop(app);
        let restored = folder.file("restored.db");
        let from = copy.to_str().unwrap();
        errand(&["restore", "--from", from], &restored).unwrap();
        assert_eq!(shape_of(&restored), shape_of(&fresh));
    }
}

#[test]
fn an_older_server_is_upgraded_at_its_start_with_a_copy_beside_it() {
    for version in RELEASED {
        let folder = Folder::new("upgraded-at-start").unwrap();
        let file = unpack(&folder, version, SERVER);
        Program::start(&file, 0, &[]).unwrap().kill();
        let names = std::fs::read_dir(file.parent().unwrap()).unwrap();
        let mut paths = names.map(|entry| entry.unwrap().path());
        let copy = paths.find(|path| path.to_str().unwrap().contains(".version-1-"));
        assert_eq!(backup::older(&copy.unwrap()).unwrap(), Some(1));
        assert!(errand(&["check"], &file).is_ok());
    }
}

#[test]
fn an_upgrade_that_fails_leaves_no_copy_however_often_it_is_tried() {
    let folder = Folder::new("upgrade-fails").unwrap();
    let file = unpack(&folder, "v1", SERVER);
    let connection = Connection::open(&file).unwrap();
    connection
        .execute_batch("CREATE TABLE setup_code (one)")
        .unwrap();
    drop(connection);
    for _ in 0..2 {
        let refused = errand(&["upgrade"], &file).unwrap_err();
        let words = &refused[0];
        assert!(words.contains("setup_code already exists"), "{words}");
        assert!(!words.contains("CREATE TABLE"), "{words}");
        let names = std::fs::read_dir(file.parent().unwrap()).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let copies: Vec<String> = names.filter(|name| name.contains(".version-")).collect();
        assert_eq!(copies, [] as [&str; 0]);
    }
    let connection = Connection::open(&file).unwrap();
    let version: i64 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    assert_eq!(version, 1);
}

#[cfg(unix)]
#[test]
fn the_copy_that_an_upgrade_leaves_is_whose_the_database_is() {
    use std::os::unix::fs::{MetadataExt as _, chown};
    let folder = Folder::new("upgrade-owner").unwrap();
    let file = unpack(&folder, "v1", SERVER);
    // Only root can give it away; everybody else upgrades his own.
    let is_given = chown(&file, Some(65_534), Some(65_534)).is_ok();
    let said = errand(&["upgrade"], &file).unwrap();
    let copy = Path::new(said[0]["backup"].as_str().unwrap());
    let owner = |file: &Path| {
        let file = std::fs::metadata(file).unwrap();
        (file.uid(), file.gid())
    };
    assert_eq!(owner(copy), owner(&file));
    assert_eq!(is_given, owner(copy) == (65_534, 65_534));
}

#[test]
fn what_was_refused_behind_a_released_change_is_no_longer_noted_as_released() {
    let folder = Folder::new("upgraded-boxed").unwrap();
    let file = unpack(&folder, "v1", SERVER);
    let connection = Connection::open(&file).unwrap();
    // As version 1 left them: settled, one admitted and one refused, and both noted as released.
    let settled = "INSERT INTO boxed (device, hash, document, body, person, refusal, boxed_at, settled_by, settled_at, settled_words, released) \
         SELECT device, ?1, document, body, person, ?2, boxed_at, person, boxed_at, '', 1 FROM boxed WHERE no = 1";
    for (hash, refusal) in [([1_u8; 32], None), ([2; 32], Some(1))] {
        connection.execute(settled, (hash, refusal)).unwrap();
    }
    drop(connection);
    errand(&["upgrade"], &file).unwrap();
    let connection = Connection::open(&file).unwrap();
    let released = |hash: [u8; 32]| -> i64 {
        let told = "SELECT released FROM boxed WHERE hash = ?1";
        connection
            .query_row(told, [hash], |row| row.get(0))
            .unwrap()
    };
    assert_eq!([released([1; 32]), released([2; 32])], [1, 0]);
}

#[test]
fn a_newer_server_is_refused_with_words_by_every_errand_and_left_as_it_is() {
    let folder = Folder::new("newer-server").unwrap();
    let file = unpack(&folder, "v1", SERVER);
    errand(&["upgrade"], &file).unwrap();
    let connection = Connection::open(&file).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let before = std::fs::read(&file).unwrap();
    for words in [&["upgrade"][..], &["check"], &["person", "list"]] {
        let refused = errand(words, &file).unwrap_err();
        assert!(refused[0].contains("newer program"), "{refused:?}");
    }
    assert!(std::fs::read(&file).unwrap() == before, "it was touched");
}

/// An older phone's file, opened by this program.
fn upgraded_phone(folder: &Folder, version: &str) -> Phone {
    let file = unpack(folder, version, PHONE);
    let before = std::fs::read(&file).unwrap();
    let machine = Arc::new(Machine::new(&Clock::default(), 2));
    let (replica, rescued) = Replica::open(&file, machine.clone()).unwrap();
    assert_eq!(rescued, None);
    let copy = folder.file(&format!("{PHONE}.version-1-{}", START.0));
    let kept = Connection::open(copy).unwrap();
    let enrolled: i64 = kept
        .query_row("SELECT count(*) FROM enrolment", [], |row| row.get(0))
        .unwrap();
    assert_eq!(enrolled, 1);
    let as_it_was = folder.file("as-it-was.db");
    std::fs::write(&as_it_was, before).unwrap();
    let as_it_was = Connection::open(as_it_was).unwrap();
    assert_eq!(shape(&kept).unwrap(), shape(&as_it_was).unwrap());
    let person = replica.store().read(enrolment::enrolled).unwrap().person;
    let link = Link::new(World::new(1).app, 1);
    Phone {
        replica,
        machine,
        link,
        person,
    }
}

fn found(phone: &Phone, typed: &str) -> Vec<String> {
    let rows = phone.replica.search("case", typed, 0, 9).unwrap();
    rows.into_iter().map(|row| row.words).collect()
}

#[test]
fn an_older_phone_is_upgraded_with_a_copy_beside_it_and_has_everything() {
    for version in RELEASED {
        let folder = Folder::new("upgraded-phone").unwrap();
        let phone = upgraded_phone(&folder, version);
        let fresh = Store::in_memory().unwrap();
        let shape_of = |store: &Store| store.read(|connection| Ok(shape(connection)?)).unwrap();
        assert_eq!(shape_of(phone.replica.store()), shape_of(&fresh));
        assert_eq!(phone.replica.status().unwrap().outbox, 2);
        assert_eq!(found(&phone, "桥头"), [OLD_WORDS]);
        assert_eq!(found(&phone, "路灯"), [NEW_WORDS]);
        assert_eq!(found(&phone, "还在"), [OLD_WORDS], "by what was noted");
        // And goes on, with a server of today on the database of then.
        let server = unpack(&folder, version, SERVER);
        errand(&["upgrade"], &server).unwrap();
        let app = app_on(&server);
        phone.link.lead_to(Arc::clone(&app));
        let summary = phone.sync().unwrap();
        assert_eq!((summary.rounds, summary.pushed), (1, 2));
        let report = check::check(app.store.as_ref()).unwrap();
        assert_eq!((report.documents, report.findings), (2, Vec::new()));
    }
}

#[test]
fn a_phone_too_old_for_pages_still_hands_in_its_work() {
    let folder = Folder::new("too-old").unwrap();
    let server = unpack(&folder, "v1", SERVER);
    errand(&["upgrade"], &server).unwrap();
    let app = app_on(&server);
    let token = upgraded_phone(&folder, "v1")
        .replica
        .store()
        .read(enrolment::enrolled)
        .unwrap()
        .token;
    let request = frames(&fixture::read("v1", REQUEST))
        .into_iter()
        .map(|frame| match frame.kind {
            kind::HELLO => {
                let hello = Hello {
                    protocol: wire::PROTOCOL_LOWEST - 1,
                    ..Hello::decode(&frame.payload).unwrap()
                };
                (frame.kind, hello.encode())
            }
            _ => (frame.kind, frame.payload),
        });
    let answer = post(&app, &token, written(&request.collect::<Vec<_>>()));
    let kinds: Vec<u8> = frames(&answer).iter().map(|frame| frame.kind).collect();
    assert_eq!(kinds, [kind::WELCOME, kind::FATES, kind::DONE]);
    assert_eq!(fates_of(&answer)[0].outcome, Ok(vec![Fate::Ok; 2]));
}

/// A server that serves pages to newer phones only.
struct Ahead(Link);

impl Transport for Ahead {
    fn send(&self, request: Request) -> Waiting<'_, Result<Box<dyn Response>, Unreachable>> {
        let mut sent = self.0.send(request).now_or_never().unwrap().unwrap();
        let mut body = Vec::new();
        while let Some(piece) = sent.piece().now_or_never().unwrap().unwrap() {
            body.extend(piece);
        }
        let kept = frames(&body)
            .into_iter()
            .filter(|frame| frame.kind != kind::PAGE && frame.kind != kind::SCOPES);
        let raised = kept.map(|frame| match frame.kind {
            kind::WELCOME => {
                let welcome = Welcome {
                    lowest: PROTOCOL + 1,
                    ..Welcome::decode(&frame.payload).unwrap()
                };
                (frame.kind, welcome.encode())
            }
            kind::DONE => (frame.kind, wire::Done::default().encode()),
            _ => (frame.kind, frame.payload),
        });
        let body = written(&raised.collect::<Vec<_>>());
        let reply: Box<dyn Response> = Box::new(Reply::ok(CONTENT_TYPE, body));
        Box::pin(std::future::ready(Ok(reply)))
    }
}

#[test]
fn a_phone_that_must_be_updated_says_so_once_everything_is_handed_in() {
    let mut world = World::new(320);
    let village = world.villages(fixture::INSPECTOR)[0];
    let phone = world.phone(fixture::INSPECTOR);
    let (case, _) = phone.report(village, NEW_WORDS);
    let ahead = Ahead(Link::new(Arc::clone(&world.app), 1));
    let cancel = Cancel::default();
    let phone = &world.phones[fixture::INSPECTOR];
    let sync = || {
        phone
            .replica
            .sync(&ahead, &cancel, &|_| ())
            .now_or_never()
            .unwrap()
    };
    assert_eq!(sync().unwrap().pushed, 1);
    assert!(matches!(sync(), Err(Error::UpdateNeeded)));
    assert_eq!(world.stage(case), "reported");
    assert_eq!(phone.replica.status().unwrap().outbox, 0);
}
