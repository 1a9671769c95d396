//! What a file must do that memory cannot: survive, refuse what it does not know, and leave what is not its own alone.

use std::path::PathBuf;

use patrol_core::domain::id::{Actor, DeviceId, Epoch, PersonId, ServerId};
use patrol_core::domain::time::Timestamp;

use super::super::{Identity, Measured as _, Store as _, StoreError, conformance};
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
            .put_directory(&large(number), Timestamp(9))
            .expect("it is kept");
    }
    let log = folder.0.join("server.db-wal");
    let megabytes = std::fs::metadata(log).expect("a log").len() >> 20;
    assert!((32..48).contains(&megabytes), "{megabytes} MB");
    let read = store.directory().expect("the store answers");
    assert!(read == Some((30, large(29))));
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
    let put = || store.put_directory(&[7; 100_000], Timestamp(1));
    assert!(matches!(put(), Err(StoreError::Full)));
    assert!(!store.has_account().expect("a look"));
    pages(1_000_000);
    put().expect("there is room again");
    store.stands().expect("it stands");
    store.look_through().expect("it is whole");
}
