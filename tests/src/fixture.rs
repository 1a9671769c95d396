//! What a release leaves behind for those after it: a server's database, a phone's, and one exchange between the two, as that
//! release wrote them. `bin/fixture` records them into `tests/fixtures/<version>`, once, when a version is released.
//!
//! It judges nothing: what later programs make of them is told in `stories/upgraded.rs`.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt as _;
use patrol_core::domain::action::Action;
use patrol_core::domain::entry::{Body, Part};
use patrol_core::domain::id::DocumentId;
use patrol_core::domain::place::VillageCode;
use patrol_core::replica::{Cancel, Replica};
use patrol_core::sync::transport::{Method, Request, Response, Transport, Unreachable, Waiting};
use patrol_server::app::{App, draw_identity};
use patrol_server::auth;
use patrol_server::store::sqlite::SqliteStore;

use crate::clock::{Clock, Machine};
use crate::link::{Link, Reply};
use crate::world::{Phone, city, enrol_into};

/// The names of what is recorded, each compressed.
pub const SERVER: &str = "server.db";
/// The phone's database.
pub const PHONE: &str = "phone.db";
/// The body of the request that it sent.
pub const REQUEST: &str = "request.bin";
/// The body of the response to it.
pub const RESPONSE: &str = "response.bin";

/// Whose phone it is.
pub const INSPECTOR: &str = "巡查员01";
/// Who sits at the office.
pub const DISPATCHER: &str = "受理派遣员01";
/// With what he signs in.
pub const PASSWORD: &str = "八个字的一句话";
/// Words of the case that the server had known before the exchange.
pub const OLD_WORDS: &str = "桥头垃圾";
/// Words of the case that goes up in the exchange.
pub const NEW_WORDS: &str = "路灯不亮";

/// A recorded file of a version, as it was.
///
/// # Panics
/// If it is not there.
pub fn read(version: &str, name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let path = folder.join(version).join(format!("{name}.zst"));
    let bytes = std::fs::read(path).expect("a recorded file");
    zstd::decode_all(bytes.as_slice()).expect("a whole file")
}

/// Hands on, and keeps what went either way of rounds.
struct Recorder {
    link: Link,
    rounds: Mutex<Vec<(Vec<u8>, Vec<u8>)>>,
}

impl Transport for Recorder {
    fn send(&self, request: Request) -> Waiting<'_, Result<Box<dyn Response>, Unreachable>> {
        let asked = request.clone();
        let sent = self.link.send(request).now_or_never().expect("in memory");
        let replied = sent.map(|mut response| -> Box<dyn Response> {
            let mut body = Vec::new();
            while let Ok(Some(piece)) = response.piece().now_or_never().expect("in memory") {
                body.extend(piece);
            }
            if asked.method == Method::Post {
                let mut rounds = self.rounds.lock().unwrap_or_else(PoisonError::into_inner);
                rounds.push((asked.body, body.clone()));
            }
            Box::new(Reply::ok(patrol_core::sync::wire::CONTENT_TYPE, body))
        });
        Box::pin(std::future::ready(replied))
    }
}

/// Records into a folder, which must be new.
///
/// # Panics
/// If anything does not go as it should.
pub fn record(folder: &Path) {
    std::fs::create_dir(folder).expect("a new folder");
    let file = |name: &str| folder.join(name);
    let clock = Clock::default();
    let machine = Arc::new(Machine::new(&clock, 1));
    let store = SqliteStore::open(file(SERVER), || draw_identity(machine.as_ref()));
    let app = App::open(Arc::new(store.expect("a new file")), machine).expect("it opens");
    let app = Arc::new(app);
    app.put_directory(city()).expect("it is kept");
    let phone = |name: &str, number: u64, path: PathBuf| {
        let machine = Arc::new(Machine::new(&clock, number));
        let (replica, _) = Replica::open(&path, machine.clone()).expect("a new file");
        let people = &city().people;
        let found = people.iter().find(|person| person.name == name);
        let person = found.expect("a person of the directory").id;
        enrol_into(&app, replica.store(), &machine, person, name);
        let link = Link::new(Arc::clone(&app), number);
        Phone {
            replica,
            machine,
            link,
            person,
        }
    };
    let inspector = phone(INSPECTOR, 2, file(PHONE));
    let other = phone("巡查员02", 3, file("other.db"));
    live(&app, &inspector, &other);
    drop((app, other));
    keep(folder, &clock, inspector);
    drop(std::fs::remove_file(file("other.db")));
}

/// What happens before the exchange: a case that goes to a unit, a held deed, an account; then two deeds without a network.
fn live(app: &App, inspector: &Phone, other: &Phone) {
    let village = inspector.replica.villages().expect("it knows them")[0];
    let (old, _) = inspector.report(village, OLD_WORDS);
    inspector.sync().expect("a fair network");
    let people = &city().people;
    let dispatcher = people.iter().find(|person| person.name == DISPATCHER);
    let dispatcher = dispatcher.expect("a person of the directory").id;
    auth::put_account(app, dispatcher, "dispatcher", PASSWORD).expect("an account");
    for action in [Action::Accept, Action::Register, Action::Dispatch] {
        at_the_desk(app, dispatcher, old, village, action);
    }
    let elsewhere = other.replica.villages().expect("it knows them")[0];
    other.report(elsewhere, "井盖松动");
    let now = app.environment.now();
    app.store.revoke(other.device(), now).expect("it is known");
    other.sync().expect("a fair network");
    inspector.sync().expect("a fair network");
    inspector.note(old, "还在").expect("it is here");
    inspector.report(village, NEW_WORDS);
}

fn at_the_desk(
    app: &App,
    person: patrol_core::domain::id::PersonId,
    case: DocumentId,
    village: VillageCode,
    action: Action,
) {
    let view = patrol_server::office::view(app, person, case).expect("it is there");
    let mut body = Body::default();
    if action == Action::Dispatch {
        body.assign = vec![(village.unit(), Part::Main)];
    }
    let deed = patrol_server::office::Deed {
        action,
        body,
        fields: Vec::new(),
        on: view.reading.case.workflow.heads.clone(),
        seen: view.heads,
        key: vec![action.code() as u8],
        acted_at: app.environment.now(),
    };
    patrol_server::office::act(app, person, case, &deed).expect("the office does it");
}

/// Keeps both files as they stand, then the exchange, made on copies of them.
fn keep(folder: &Path, clock: &Clock, inspector: Phone) {
    let machine = Arc::clone(&inspector.machine);
    drop(inspector);
    for name in [SERVER, PHONE] {
        pack(
            folder,
            name,
            &std::fs::read(folder.join(name)).expect("closed"),
        );
    }
    let store = SqliteStore::open(folder.join(SERVER), || unreachable!("it is there"));
    let office = Arc::new(Machine::new(clock, 4));
    let app = App::open(Arc::new(store.expect("ours")), office).expect("it opens");
    let (replica, _) = Replica::open(&folder.join(PHONE), machine).expect("ours");
    let recorder = Recorder {
        link: Link::new(Arc::new(app), 5),
        rounds: Mutex::default(),
    };
    let cancel = Cancel::default();
    let synced = replica.sync(&recorder, &cancel, &|_| ()).now_or_never();
    let summary = synced.expect("in memory").expect("fair");
    assert_eq!((summary.rounds, summary.pushed), (1, 2));
    drop(replica);
    let rounds = recorder
        .rounds
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    pack(folder, REQUEST, &rounds[0].0);
    pack(folder, RESPONSE, &rounds[0].1);
    drop(recorder.link);
    for name in [SERVER, PHONE] {
        std::fs::remove_file(folder.join(name)).expect("ours");
    }
}

fn pack(folder: &Path, name: &str, bytes: &[u8]) {
    let packed = zstd::encode_all(bytes, 19).expect("zstd compresses into memory");
    std::fs::write(folder.join(format!("{name}.zst")), packed).expect("a new file");
}
