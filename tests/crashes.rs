//! Programs killed at random moments (−9), again and again on one file: what they had told to be durable is there, and the file
//! is sound. Nothing sleeps: the moment is a number of lines read.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use patrol_core::doc::document;
use patrol_core::replica::Replica;
use patrol_core::store::{changes, documents};
use patrol_server::app::App;
use patrol_server::store::sqlite::SqliteStore;
use patrol_tests::clock::{Clock, Machine};
use patrol_tests::proof::kills::phone::of_a_phone;
use patrol_tests::proof::kills::{self, Acknowledges};
use patrol_tests::proof::power::{self, LIES};
use patrol_tests::proof::scale;
use patrol_tests::served::Folder;
use patrol_tests::simulation::audit;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

const KILLS: u64 = 25;
const SEED: u64 = 20;

/// Runs the victim on a file, kills it after so many lines, and returns all that it had printed.
fn killed(role: &str, file: &Path, seed: u64, lines: usize) -> Vec<String> {
    let mut victim = Command::new(env!("CARGO_BIN_EXE_victim"))
        .arg(role)
        .arg(file)
        .arg(seed.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut said = BufReader::new(victim.stdout.take().expect("its output")).lines();
    let mut told: Vec<String> = Vec::new();
    told.extend(said.by_ref().take(lines).map(|line| line.expect("a line")));
    victim.kill().expect("it is killed");
    victim.wait().expect("it is dead");
    // What it printed before it died counts too; the last line may be cut.
    told.extend(said.map_while(Result::ok).filter(|line| line.len() == 32));
    assert!(told.len() >= lines, "seed {seed}: it died by itself");
    told
}

/// The same for each of the kills; `found` opens the file and returns the entries that are in it.
fn lost_of_told(role: &str, found: impl Fn(&Path) -> BTreeSet<String>) -> Result<usize, String> {
    let folder = Folder::new("crashes").expect("a folder");
    let file = folder.file("store.db");
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let mut told: BTreeSet<String> = BTreeSet::new();
    for kill in 0..KILLS {
        let lines = rng.random_range(1..40);
        told.extend(killed(role, &file, SEED + kill, lines));
        let found = found(&file);
        let lost: Vec<&String> = told.difference(&found).collect();
        if !lost.is_empty() {
            return Err(format!(
                "seed {SEED}, kill {kill} after {lines} lines: lost {lost:?}"
            ));
        }
    }
    Ok(told.len())
}

/// The entries of a phone's file, each found sound and with a counter of its own.
fn entries_on_phone(file: &Path) -> BTreeSet<String> {
    let machine = Arc::new(Machine::new(&Clock::default(), 1));
    let (replica, rescued) = Replica::open(file, machine).expect("the file opens");
    assert_eq!(rescued, None);
    let mut found = BTreeSet::new();
    let mut counters = BTreeSet::new();
    let bodies = replica.store().read(|connection| {
        let verdict: String =
            connection.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
        assert_eq!(verdict, "ok");
        let mut bodies = Vec::new();
        for id in documents::all(connection)? {
            let number = documents::state(connection, id)?
                .expect("a document")
                .number;
            bodies.push((id, changes::of_document(connection, number)?));
        }
        Ok(bodies)
    });
    for (id, rows) in bodies.expect("a look") {
        let ledger =
            document::load(id, rows.iter().map(|row| row.body.as_slice())).expect("it loads");
        assert_eq!(document::verify(&ledger), Ok(()));
        for link in ledger.links() {
            let (id, entry) = link.entry.as_ref().expect("an entry");
            assert!(counters.insert(entry.n), "n {} twice", entry.n);
            found.insert(id.hex());
        }
    }
    // Every counter that was allotted is in the file: none went with a deed.
    assert_eq!(counters.len() as u64, replica.status().expect("a look").n);
    found
}

#[test]
fn a_phone_killed_at_any_moment_keeps_every_deed_that_it_showed_as_saved() {
    let told = lost_of_told("phone", entries_on_phone);
    assert!(told.as_ref().is_ok_and(|told| *told > 300), "{told:?}");
}

#[test]
fn a_phone_that_shows_as_saved_what_it_has_not_saved_is_found_out() {
    assert!(lost_of_told("liar", entries_on_phone).is_err());
}

#[test]
fn a_server_killed_at_any_moment_keeps_every_change_that_it_acknowledged() {
    let told = lost_of_told("server", |file| {
        let nobody = || unreachable!("it knows who it is");
        let store = SqliteStore::open(file, nobody).expect("the file opens");
        let machine = Arc::new(Machine::new(&Clock::default(), 2));
        let app = App::open(Arc::new(store), machine).expect("the server opens");
        let entries = audit::entries_of_sound(&app).expect("every feed and document is sound");
        entries.into_iter().map(|entry| entry.hex()).collect()
    });
    assert!(told.as_ref().is_ok_and(|told| *told > 300), "{told:?}");
}

#[test]
fn the_servers_program_killed_under_load_loses_and_doubles_nothing() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let killed = runtime.block_on(kills::of_a_server(8, Acknowledges::Committed, SEED));
    assert!(
        killed.as_ref().is_ok_and(|killed| killed.told > 40),
        "{killed:?}"
    );
}

#[test]
fn a_servers_program_that_acknowledges_before_it_commits_is_found_out() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    // It ends with the first kill that shows it.
    let killed = runtime.block_on(kills::of_a_server(40, Acknowledges::Early, SEED));
    assert!(
        killed
            .as_ref()
            .is_err_and(|fault| fault.starts_with("lost")),
        "{killed:?}"
    );
}

#[test]
fn a_server_killed_while_many_push_serves_again_and_knows_what_it_had_acknowledged() {
    let killed = scale::killed_in_a_small_town(24, Acknowledges::Committed, SEED);
    assert!(
        killed.as_ref().is_ok_and(|killed| killed.before >= 12),
        "{killed:?}"
    );
    let early = scale::killed_in_a_small_town(24, Acknowledges::Early, SEED);
    assert!(
        early.as_ref().is_err_and(|fault| fault.starts_with("lost")),
        "{early:?}"
    );
}

#[test]
fn a_phones_program_killed_while_it_reports_and_syncs_loses_and_doubles_nothing() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let victim = Path::new(env!("CARGO_BIN_EXE_victim"));
    let killed = runtime.block_on(of_a_phone(victim, 24, Acknowledges::Committed, SEED));
    assert!(
        killed.as_ref().is_ok_and(|killed| killed.told > 40),
        "{killed:?}"
    );
}

#[test]
fn a_phones_program_that_shows_as_saved_before_it_commits_is_found_out() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let victim = Path::new(env!("CARGO_BIN_EXE_victim"));
    // It ends with the first kill that shows it.
    let killed = runtime.block_on(of_a_phone(victim, 40, Acknowledges::Early, SEED));
    assert!(
        killed
            .as_ref()
            .is_err_and(|fault| fault.starts_with("lost")),
        "{killed:?}"
    );
}

#[test]
fn both_files_hold_what_was_told_when_the_power_fails_and_takes_what_was_not_synced() {
    let losses = power::losses(25, None, SEED).expect("nothing told is lost");
    assert_eq!(losses.told, (50, 50), "{losses:?}");
    let share = losses.unsynced as f64 / losses.cuts as f64;
    assert!(share >= power::UNSYNCED_SHARE, "{losses:?}");
    assert!(losses.copied >= 10, "{losses:?}");
    assert!(losses.lost > 100 && losses.garbled > 10, "{losses:?}");
}

#[test]
fn a_disk_that_does_not_sync_what_it_was_asked_to_is_found_out_when_the_power_fails() {
    for lie in LIES {
        let losses = power::losses(25, Some(lie), SEED);
        assert!(losses.is_err(), "{lie:?}: {losses:?}");
    }
}
