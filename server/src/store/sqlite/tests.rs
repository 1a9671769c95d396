//! What a file must do that memory cannot: survive, refuse what it does not know, and leave what is not its own alone.

use std::path::PathBuf;

use patrol_core::domain::component::Position;
use patrol_core::domain::id::{Actor, DeviceId, Epoch, PersonId, ServerId};
use patrol_core::domain::limits;
use patrol_core::domain::place::VillageCode;
use patrol_core::domain::time::Timestamp;

use super::super::reference::{
    ComponentRow, KeptDirectory, Reference as _, Replacing, Rest, Weighed,
};
use super::super::{Commit, Identity, Measured as _, Result, Store as _, StoreError, conformance};
use super::SqliteStore;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("xuncun-sqlite-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder for temporary files");
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("server.db")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn kept(bytes: Vec<u8>) -> KeptDirectory {
    KeptDirectory { bytes, basis: None }
}

fn identity(first: u8) -> Identity {
    let epoch = Epoch([first; 4]);
    let device = DeviceId::new(epoch, 0);
    Identity {
        server: ServerId([first; 16]),
        epoch,
        device,
        actor: Actor::new(device, [3; 8]),
        number_block: String::new(),
        page_key: [4; 32],
        rescue_key: [5; 32],
    }
}

#[test]
fn what_was_written_is_there_after_reopening_under_the_first_identity() {
    let folder = Folder::new("reopen");
    let store = SqliteStore::open(folder.file(), || identity(1)).expect("a new file opens");
    store
        .put_enrol_code([1; 32], PersonId([1; 8]), Timestamp(9))
        .expect("a code is kept");
    drop(store);
    let store = SqliteStore::open(folder.file(), || identity(2)).expect("the file opens again");
    assert_eq!(store.identity().expect("the store answers"), identity(1));
    let device = store
        .enrol([1; 32], [2; 32], [3; 32], Timestamp(5))
        .expect("the store answers");
    assert!(device.is_some());
}

#[test]
fn it_passes_the_examination_on_a_disk() {
    let folder = Folder::new("examined");
    let number = std::cell::Cell::new(0);
    conformance::examine(&|| {
        number.set(number.get() + 1);
        let file = folder.0.join(format!("{}.db", number.get()));
        Box::new(SqliteStore::open(file, || identity(1)).expect("a new file opens"))
    });
    assert!(number.get() > 5);
}

#[test]
fn a_newer_file_is_refused_by_its_version() {
    let folder = Folder::new("newer");
    drop(SqliteStore::open(folder.file(), || identity(1)).expect("a new file opens"));
    let connection = rusqlite::Connection::open(folder.file()).expect("the file opens");
    connection
        .pragma_update(None, "user_version", 999)
        .expect("the version is set");
    drop(connection);
    let refused = SqliteStore::open(folder.file(), || identity(1)).map(drop);
    assert!(
        matches!(refused, Err(StoreError::Newer { found: 999 })),
        "{refused:?}"
    );
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_as_it_is() {
    let folder = Folder::new("garbage");
    let garbage = vec![0x42; 10_000];
    std::fs::write(folder.file(), &garbage).expect("a file is written");
    assert!(matches!(
        SqliteStore::open(folder.file(), || identity(1)).map(drop),
        Err(StoreError::Broken(_))
    ));
    assert_eq!(
        std::fs::read(folder.file()).expect("the file is there"),
        garbage
    );
}

#[test]
fn the_log_is_copied_and_begins_anew_before_it_grows_without_end() {
    let folder = Folder::new("log");
    let store = SqliteStore::open(folder.file(), || identity(1)).expect("a new file opens");
    let large = |number: u8| vec![number; 4 << 20];
    for number in 0..30 {
        store
            .put_directory(&kept(large(number)), Timestamp(9))
            .expect("it is kept");
    }
    let log = folder.0.join("server.db-wal");
    let megabytes = std::fs::metadata(log).expect("a log").len() >> 20;
    assert!((32..48).contains(&megabytes), "{megabytes} MB");
    let read = store.directory().expect("the store answers");
    assert!(read == Some((30, kept(large(29)))));
}

fn component(code: u64, village: u64, byte: u8) -> ComponentRow {
    ComponentRow {
        code,
        village: VillageCode::new(village).expect("twelve digits"),
        position: Position {
            lon_e7: 1_132_500_000,
            lat_e7: 221_250_000,
        },
        bytes: vec![byte],
    }
}

fn import(
    store: &SqliteStore,
    base: u64,
    rows: &mut dyn Iterator<Item = Result<ComponentRow>>,
) -> Result<Weighed> {
    let replacing = Replacing {
        base,
        directory: 0,
        rest: Rest::Removed,
        now: Timestamp(9),
        with: &Commit::default(),
    };
    store.replace_components(rows, &replacing)
}

const HERE: u64 = 440_403_100_201;
const THERE: u64 = 440_403_100_202;
const MANY: u64 = limits::COMPONENTS_A_WRITE as u64 + 1;

#[test]
fn what_an_import_has_left_that_died_half_way_does_not_count_and_goes_with_the_next() {
    let folder = Folder::new("half_way");
    let open = || SqliteStore::open(folder.file(), || identity(1)).expect("the file opens");
    let store = open();
    let first = [component(1, HERE, 1), component(2, HERE, 1)];
    import(&store, 0, &mut first.into_iter().map(Ok)).expect("the first");
    // It dies while rows come: after a batch that replaces 1, and before it has removed 2.
    let died = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let codes = std::iter::once(1).chain(3..=MANY + 1);
        let mut rows = codes.map(|code| Ok(component(code, HERE, 2)));
        let dies = std::iter::once_with(|| panic!("a test's panic"));
        drop(import(&store, 1, &mut rows.by_ref().chain(dies)));
    }));
    assert!(died.is_err());
    drop(store);
    let store = open();
    let left = || -> (i64, i64) {
        let connection = rusqlite::Connection::open(folder.file()).expect("it opens");
        let sql = "SELECT count(*) FILTER (WHERE since > n), count(*) FILTER (WHERE until > n)
                   FROM components, (SELECT max(no) AS n FROM component_imports)";
        let row = connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)));
        row.expect("a look")
    };
    let known = |code| store.component(code).expect("the store answers");
    assert_eq!(left(), (limits::COMPONENTS_A_WRITE as i64, 1));
    assert_eq!([1, 2, 3].map(known), [Some(vec![1]), Some(vec![1]), None]);

    let next = [component(9, THERE, 3)];
    import(&store, 1, &mut next.into_iter().map(Ok)).expect("the second");
    assert_eq!(left(), (0, 0));
    let there = [1, 2, 3, 9].map(known);
    assert_eq!(there, [Some(vec![1]), Some(vec![1]), None, Some(vec![3])]);
    assert_eq!(
        store
            .replaced_components(2, 0, 9)
            .expect("the store answers"),
        []
    );
}

#[test]
fn of_two_programs_that_import_at_once_the_later_one_wins_whole() {
    let folder = Folder::new("two_imports");
    let open = || SqliteStore::open(folder.file(), || identity(1)).expect("the file opens");
    let (one, other) = (open(), open());
    let mut rows = (1..=MANY).map(|code| {
        if code == MANY {
            let others = [component(1, HERE, 7)];
            import(&other, 0, &mut others.into_iter().map(Ok))?;
        }
        Ok(component(code, HERE, 1))
    });
    assert!(matches!(import(&one, 0, &mut rows), Err(StoreError::Stale)));
    let known = |code| one.component(code).expect("the store answers");
    assert_eq!([1, 2].map(known), [Some(vec![7]), None]);
    let imports = one.component_imports().expect("the store answers");
    assert_eq!(imports.len(), 1);
}

#[test]
fn a_full_disk_is_named_until_there_is_room_and_what_is_there_can_be_read() {
    let folder = Folder::new("full");
    let store = SqliteStore::open(folder.file(), || identity(1)).expect("a new file opens");
    let pages = |most: u32| {
        let set = store
            .writer
            .look(|connection| Ok(connection.pragma_update(None, "max_page_count", most)?));
        set.expect("it is set");
    };
    store.stands().expect("it stands");
    // As much as is there already.
    pages(1);
    let put = || store.put_directory(&kept(vec![7; 100_000]), Timestamp(1));
    assert!(matches!(put(), Err(StoreError::Full)));
    assert!(!store.has_account().expect("a look"));
    pages(1_000_000);
    put().expect("there is room again");
    store.stands().expect("it stands");
    store.look_through().expect("it is whole");
}

#[test]
fn what_is_opened_to_be_read_takes_no_write_and_needs_to_be_there() {
    let folder = Folder::new("to_read");
    let open = || SqliteStore::open_to_read(folder.file());
    assert!(open().is_err());
    assert!(!folder.file().exists());
    drop(SqliteStore::open(folder.file(), || identity(1)).expect("a new file opens"));
    let store = open().expect("it is there");
    assert_eq!(store.identity().expect("the store answers"), identity(1));
    let written = store.put_enrol_code([1; 32], PersonId([1; 8]), Timestamp(9));
    assert!(
        matches!(written, Err(StoreError::Unwritable(_))),
        "{written:?}"
    );
}
