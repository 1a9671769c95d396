//! A program made to be killed: it records in a loop on a file, and prints each entry's id after it was told that it is durable.
//!
//! `victim phone <file> <seed>`: a phone that acts offline. `victim liar …`: one whose disk now and then has not written what
//! it says it has. `victim server …`: a server to which a phone pushes. `victim device <file> <seed> <url> <code>`: a phone that reports and
//! syncs with a server, writes a draft before each deed, and says each of its steps (`proof::kills::said`). They end by themselves after some thousand deeds, should nobody kill them.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use patrol_core::domain::id::{DocumentId, DraftId, EntryId};
use patrol_core::replica::{Cancel, Replica};
use patrol_core::store::{Faults, Store, enrolment};
use patrol_core::sync::http::Http;
use patrol_server::app::{App, draw_identity};
use patrol_server::store::sqlite::SqliteStore;
use patrol_tests::clock::{Clock, Machine};
use patrol_tests::link::Link;
use patrol_tests::proof::kills;
use patrol_tests::proof::kills::said::{self, Said};
use patrol_tests::simulation::faults;
use patrol_tests::world::{Phone, World, city, enrol_into};

const INSPECTOR: &str = "巡查员01";
const DEEDS_MAX: usize = 5_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (role, file, seed) = match arguments.as_slice() {
        [role, file, seed] => (role, file, seed),
        [role, file, seed, url, code] if role == "device" => {
            device(Path::new(file), seed.parse().unwrap_or(0), url, code);
            return ExitCode::SUCCESS;
        }
        _ => return ExitCode::FAILURE,
    };
    let seed: u64 = seed.parse().unwrap_or(0);
    match role.as_str() {
        "phone" => phone(Path::new(file), seed, None),
        "liar" => phone(Path::new(file), seed, Some(faults::lies(seed))),
        "server" => server(Path::new(file), seed),
        _ => return ExitCode::FAILURE,
    }
    ExitCode::SUCCESS
}

/// Tells whoever watches that these entries are durable.
fn tell(entries: &[EntryId]) {
    let mut out = std::io::stdout().lock();
    for entry in entries {
        writeln!(out, "{}", entry.hex()).expect("somebody listens");
    }
    out.flush().expect("somebody listens");
}

/// The next deed of a phone: every third opens a case, the others go on with the last one, if it is there.
fn deed(phone: &Phone, world: &World, number: usize, last: &mut Option<DocumentId>) -> EntryId {
    let noted = last
        .filter(|_| !number.is_multiple_of(3))
        .and_then(|case| phone.note(case, &format!("第{number}次")).ok());
    noted.unwrap_or_else(|| {
        let village = world.villages(INSPECTOR)[0];
        let (case, entry) = phone.report(village, &format!("第{number}件"));
        *last = Some(case);
        entry
    })
}

fn phone(file: &Path, seed: u64, faults: Option<Faults>) {
    let world = World::new(1);
    let machine = Arc::new(Machine::new(&world.clock, seed));
    let (replica, rescued) = Replica::open(file, machine.clone()).expect("the file opens");
    assert_eq!(rescued, None);
    let person = world.person(INSPECTOR);
    let is_new = replica
        .store()
        .read(enrolment::enrolment)
        .expect("a look")
        .is_none();
    if is_new {
        enrol_into(&world.app, replica.store(), &machine, person, INSPECTOR);
    }
    replica.store().set_faults(faults);
    let link = Link::new(Arc::clone(&world.app), seed);
    let phone = Phone {
        replica,
        machine,
        link,
        person,
    };
    let mut last = None;
    for number in 0..DEEDS_MAX {
        tell(&[deed(&phone, &world, number, &mut last)]);
    }
}

fn server(file: &Path, seed: u64) {
    let world = World::new(1);
    let machine = Arc::new(Machine::new(&Clock::default(), seed));
    let store =
        SqliteStore::open(file, || draw_identity(machine.as_ref())).expect("the file opens");
    let app = Arc::new(App::open(Arc::new(store), machine).expect("the server opens"));
    if app.known().directory.people.is_empty() {
        app.put_directory(city()).expect("the directory is kept");
    }
    let machine = Arc::new(Machine::new(&Clock::default(), seed + 1_000_000));
    let store = Store::in_memory().expect("a store in memory opens");
    let person = world.person(INSPECTOR);
    enrol_into(&app, &store, &machine, person, INSPECTOR);
    let phone = Phone {
        replica: Replica::on(store, machine.clone()),
        machine,
        link: Link::new(Arc::clone(&app), seed),
        person,
    };
    let mut last = None;
    for number in 0..DEEDS_MAX / 4 {
        let entries: Vec<EntryId> = (0..4)
            .map(|step| deed(&phone, &world, number * 4 + step, &mut last))
            .collect();
        phone.sync().expect("the server answers");
        assert_eq!(phone.replica.status().expect("a look").outbox, 0);
        tell(&entries);
    }
}

fn device(file: &Path, seed: u64, url: &str, code: &str) {
    let machine = Arc::new(Machine::new(&Clock::default(), seed));
    let (replica, rescued) = Replica::open(file, machine).expect("the file opens");
    assert_eq!(rescued, None);
    let http = Http::new().expect("a client");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let is_enrolled = replica.store().read(enrolment::enrolment).expect("a look");
    if is_enrolled.is_none() {
        let enrolled = runtime.block_on(replica.enrol(&http, url, code));
        enrolled.expect("the code is good");
    }
    let line = said::aloud().expect("a client");
    let mut found = kills::phone::drafts(&replica).expect("its own drafts");
    for (draft, change) in &found {
        Said::Found(*draft, *change).tell();
    }
    let mut last = None;
    for number in 0..DEEDS_MAX {
        let draft = written(&replica, found.pop());
        Said::Recording.tell();
        let deed = kills::deed(&replica, number, &mut last, Some(draft));
        let entry = deed.expect("it is recorded");
        Said::Recorded(entry).tell();
        Said::Syncing.tell();
        let cancel = Cancel::default();
        let synced = runtime.block_on(replica.sync(&line, &cancel, &|_| ()));
        let is_done = synced.is_ok() && replica.status().expect("a look").outbox == 0;
        if is_done {
            Said::Synced
        } else {
            Said::Unsynced
        }
        .tell();
    }
}

/// Changes a draft twice, or begins one; it says each change when it is durable.
fn written(replica: &Replica, begun: Option<(DraftId, u32)>) -> DraftId {
    let (mut draft, before) = begun.map_or((None, 0), |(draft, change)| (Some(draft), change));
    let mut keep = |change: u32| {
        let kept = replica.keep_draft(draft, None, &change.to_be_bytes());
        let kept = kept.expect("it is kept");
        Said::Drafted(kept, change).tell();
        draft = Some(kept);
        kept
    };
    keep(before + 1);
    keep(before + 2)
}
