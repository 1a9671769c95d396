//! An inspector's phone on a file of its own, enrolled without a server.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use patrol_core::doc::register::FieldValue;
use patrol_core::domain::action::Action;
use patrol_core::domain::capability::Role;
use patrol_core::domain::case::{Category, CategoryKind};
use patrol_core::domain::directory::{
    Beat, BeatId, BeatVillage, Directory, Person, Post, PostAt, Village,
};
use patrol_core::domain::entry::Body;
use patrol_core::domain::id::{Actor, DeviceId, DocumentId, EntryId, Epoch, PersonId, ServerId};
use patrol_core::domain::place::{Place, VillageCode};
use patrol_core::domain::time::Timestamp;
use patrol_core::error::Result;
use patrol_core::replica::{Deed, Environment, Replica};
use patrol_core::store::enrolment::{self, Enrolment};
use patrol_core::store::{Store, feed};
use patrol_core::sync::directory;
use rusqlite::Connection;

/// The time on the phone.
pub(crate) const NOW: Timestamp = Timestamp(1_795_392_000_000);

/// The inspector.
pub(crate) const LI: PersonId = PersonId(*b"li------");

/// His village.
pub(crate) fn village() -> VillageCode {
    VillageCode::new(440_403_100_200).expect("twelve digits")
}

/// A folder that goes when it is dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("xuncun-store-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        drop(std::fs::remove_dir_all(&path));
        std::fs::create_dir_all(&path).expect("a folder for temporary files");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.0.join("phone.db")
    }

    /// Every file here with its bytes, but for empty logs and indexes of logs, which are made anew at every opening.
    pub(crate) fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.0).expect("the folder is there") {
            let entry = entry.expect("an entry of the folder");
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.ends_with("-shm") {
                files.push((name, std::fs::read(entry.path()).unwrap_or_default()));
            }
        }
        files.retain(|(name, bytes)| !(name.ends_with("-wal") && bytes.is_empty()));
        files.sort();
        files
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// A machine whose clock stands still and whose randomness counts.
pub(crate) struct Machine(AtomicU64);

impl Machine {
    pub(crate) fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(seed << 32)))
    }
}

impl Environment for Machine {
    fn now(&self) -> Timestamp {
        NOW
    }

    fn monotonic_ms(&self) -> u64 {
        0
    }

    fn boot(&self) -> u64 {
        1
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        let drawn = self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        for (byte, drawn) in bytes.iter_mut().rev().zip(drawn.iter().rev().cycle()) {
            *byte = *drawn;
        }
    }
}

fn city() -> Directory {
    let post = Post {
        role: Role::Inspector,
        at: PostAt::Beat(BeatId(1)),
        from: Timestamp(0),
        until: None,
    };
    Directory {
        villages: vec![Village {
            code: village(),
            name: "耕管村".to_owned(),
            point: None,
            until: None,
        }],
        beats: vec![Beat {
            id: BeatId(1),
            name: "一号".to_owned(),
            villages: vec![BeatVillage {
                village: village(),
                from: Timestamp(0),
                until: None,
            }],
        }],
        people: vec![Person {
            id: LI,
            name: "李".to_owned(),
            posts: vec![post],
        }],
        ..Directory::default()
    }
}

/// Enrols a store as the inspector's.
pub(crate) fn enrol(store: &Store) {
    let device = DeviceId(*b"\x01\x01\x01\x01\0\0\0\x07");
    let row = Enrolment {
        server_url: "http://127.0.0.1:0".to_owned(),
        server: ServerId([1; 16]),
        epoch: Epoch([1; 4]),
        device,
        person: LI,
        person_name: "李".to_owned(),
        token: "token".to_owned(),
        seed: [7; 32],
        rescue_key: [0; 32],
        certificate: [0; 16],
        actor: Actor::new(device, [9; 8]),
    };
    let bytes = directory::encode(&city());
    store
        .write(|transaction| {
            enrolment::put(transaction, &row)?;
            feed::put_directory(transaction, directory::tag(&bytes), &bytes)
        })
        .expect("the enrolment is kept");
}

/// Opens a file that is sound.
pub(crate) fn open(path: &Path, machine: Arc<Machine>) -> Replica {
    let (replica, rescued) = Replica::open(path, machine).expect("the file opens");
    assert_eq!(rescued, None);
    replica
}

/// A new phone on a file.
pub(crate) fn phone(path: &Path, seed: u64) -> Replica {
    let replica = open(path, Machine::new(seed));
    enrol(replica.store());
    replica
}

/// A report as it is made.
pub(crate) fn report(words: &str) -> Deed {
    Deed {
        fields: vec![
            FieldValue::Place(Place::village(village())),
            FieldValue::Category(Category {
                scheme: 476_785,
                kind: CategoryKind::Matter,
                code: 6_010,
                condition: None,
            }),
            FieldValue::Words(words.to_owned()),
        ],
        ..Deed::new(Action::Report, Body::default())
    }
}

/// A comment.
pub(crate) fn note(replica: &Replica, case: DocumentId, words: &str) -> Result<EntryId> {
    let body = Body {
        words: Some(words.to_owned()),
        ..Body::default()
    };
    replica.act(case, &Deed::new(Action::Note, body))
}

/// Every row of every table, as text.
pub(crate) fn contents(connection: &Connection) -> Vec<String> {
    let tables = column(
        connection,
        "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name",
    );
    let mut rows = Vec::new();
    for table in tables {
        let columns = column(
            connection,
            &format!("SELECT name FROM pragma_table_info('{table}')"),
        );
        let quoted: Vec<String> = columns
            .iter()
            .map(|name| format!("quote({name})"))
            .collect();
        let sql = format!(
            "SELECT {} FROM {table} ORDER BY 1",
            quoted.join(" || ',' || ")
        );
        rows.extend(
            column(connection, &sql)
                .into_iter()
                .map(|row| format!("{table}: {row}")),
        );
    }
    rows
}

/// The first column of a query, as text.
pub(crate) fn column(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(sql).expect("a statement");
    let rows = statement.query_map([], |row| row.get(0)).expect("rows");
    rows.collect::<rusqlite::Result<_>>().expect("text")
}
