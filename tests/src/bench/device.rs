//! What a phone with 10,000 cases costs: the list, one case, memory. Measured in a process that does nothing else.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use patrol_core::domain::action::Action;
use patrol_core::domain::entry::Body;
use patrol_core::replica::{Cancel, Deed, Replica};
use patrol_core::sync::http::Http;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::bytes::{enrolled, idle, villages};
use super::city::City;
use super::{Figure, Watch, memory_of, micros, percentile};
use crate::clock::{Clock, Machine};
use crate::served::{Folder, Served};
use crate::world::{city, matter};

/// Cases on the phone.
const CASES: usize = 10_000;
/// Rows of a screen.
const SCREEN: usize = 30;
/// Notes of the measured process, each with a round.
const ROUNDS: usize = 10;

/// Runs the measurements of this file.
pub async fn measure(seed: u64) -> Vec<Figure> {
    let clock = Clock::default();
    let folder = Folder::new("bench-device").expect("a folder for temporary files");
    let file = folder.file("phone.db");
    let mut figures = Vec::new();
    let machine = Arc::new(Machine::new(&clock, seed));
    let served = Served::start(city(), machine).await.expect("a free port");
    City::new(Arc::clone(&served.app), seed).fill(&villages(&served), CASES);
    let phone = enrolled(&served, served.address, &clock, seed, &file).await;
    let started = Watch::start();
    phone.sync().await;
    figures.push(Figure::told(
        "phone: first sync of 10,000 cases, server on the same cores",
        started.elapsed().as_secs_f64(),
        "s",
    ));
    idle(&phone, CASES, &mut figures).await;
    let _line = phone.close();
    let child = tokio::task::spawn_blocking(move || by_child(&file));
    figures.extend(child.await.expect("the phone tells its figures"));
    figures
}

fn by_child(file: &Path) -> Vec<Figure> {
    let program = std::env::current_exe().expect("this program has a file");
    let output = Command::new(program)
        .arg("phone")
        .arg("--file")
        .arg(file)
        .stderr(std::process::Stdio::inherit())
        .output()
        .expect("this program starts");
    let told: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("the phone tells its figures");
    let figure = |name: &str| {
        told.get(name)
            .and_then(serde_json::Value::as_f64)
            .unwrap_or(f64::NAN)
    };
    vec![
        Figure::at_most(
            "phone with 10,000 cases: first screen of the list",
            figure("list_ms"),
            "ms",
            5.0,
        ),
        Figure::at_most(
            "phone with 10,000 cases: opening a case, median",
            figure("open_ms"),
            "ms",
            5.0,
        ),
        Figure::told(
            "phone with 10,000 cases: opening a case, slowest of 200",
            figure("open_max_ms"),
            "ms",
        ),
        Figure::at_most(
            "phone with 10,000 cases: search, slowest of the words asked",
            figure("search_ms"),
            "ms",
            10.0,
        ),
        Figure::at_most(
            "phone: rescue bundle of 200 new cases",
            figure("bundle_s"),
            "s",
            1.0,
        ),
        Figure::told(
            "phone with 10,000 cases: opening the file",
            figure("file_ms"),
            "ms",
        ),
        Figure::at_most(
            "phone with 10,000 cases: resident memory at most, through list, cases, notes and rounds",
            figure("resident_mb"),
            "MB",
            40.0,
        ),
    ]
}

/// The process that is measured: opens the file, shows a list and 200 cases, notes and syncs, and returns its figures as JSON.
pub async fn phone(file: &Path, seed: u64) -> serde_json::Value {
    let clock = Clock::default();
    let machine = Arc::new(Machine::new(&clock, seed));
    let started = Watch::start();
    let (replica, _) = Replica::open(file, machine).expect("the phone's file");
    let file_ms = micros(started.elapsed()) / 1e3;
    let started = Watch::start();
    let rows = replica.list("case", 0, SCREEN).expect("a list");
    let list_ms = micros(started.elapsed()) / 1e3;
    assert_eq!(rows.len(), SCREEN, "a full screen");
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut times = Vec::new();
    for _ in 0..200 {
        let row = replica
            .list("case", rng.random_range(0..CASES), 1)
            .expect("a list");
        let started = Watch::start();
        let view = replica.case(row[0].id).expect("a case of the list");
        times.push(micros(started.elapsed()) / 1e3);
        assert!(!view.reading.lines.is_empty(), "a case with its log");
    }
    let search_ms = slowest_search(&replica);
    let http = Http::new().expect("a client");
    for row in rows.iter().take(ROUNDS) {
        let body = Body {
            words: Some("已到现场查看".to_owned()),
            ..Body::default()
        };
        let noted = replica.act(row.id, &Deed::new(Action::Note, body));
        noted.expect("noting is allowed");
        let synced = replica.sync(&http, &Cancel::default(), &|_| ()).await;
        assert_eq!(synced.expect("a good line").pushed, 1, "the note is taken");
    }
    let resident = memory_of(std::process::id(), "VmHWM").unwrap_or_default();
    let bundle_s = bundle_of_two_hundred(&replica);
    serde_json::json!({
        "file_ms": file_ms,
        "list_ms": list_ms,
        "open_ms": percentile(&mut times, 50),
        "open_max_ms": percentile(&mut times, 100),
        "search_ms": search_ms,
        "bundle_s": bundle_s,
        "resident_mb": resident as f64 / 1e6,
    })
}

/// The slowest of some searches: each of two characters and more that stand in many cases, or in none.
fn slowest_search(replica: &Replica) -> f64 {
    let row = &replica.list("case", 0, 1).expect("a list")[0];
    let first: String = row.words.chars().take(2).collect();
    let longer: String = row.words.chars().take(6).collect();
    let one: String = row.words.chars().take(1).collect();
    let mut slowest: f64 = 0.0;
    for typed in [first.as_str(), &longer, &one, "龘龘", "2026", "村委"] {
        let started = Watch::start();
        let found = replica.search("case", typed, 0, SCREEN).expect("a search");
        slowest = slowest.max(micros(started.elapsed()) / 1e3);
        assert!(found.len() <= SCREEN, "a screen");
    }
    let found = replica.search("case", &longer, 0, SCREEN);
    assert!(
        !found.expect("a search").is_empty(),
        "it is found by its own words"
    );
    slowest
}

/// Seconds that a rescue bundle takes, with 200 cases reported offline.
fn bundle_of_two_hundred(replica: &Replica) -> f64 {
    let village = replica.villages().expect("it knows them")[0];
    for number in 0..200 {
        let deed = Deed {
            fields: matter(village, &format!("第{number}件")),
            ..Deed::new(Action::Report, Body::default())
        };
        replica.begin(&deed).expect("reporting is allowed");
    }
    let started = Watch::start();
    let file = replica.rescue_bundle().expect("a bundle");
    let seconds = started.elapsed().as_secs_f64();
    // A signature, an entry id and a position of each do not shrink.
    assert!(
        file.len() > 200 * 32,
        "two hundred cases in {} bytes",
        file.len()
    );
    seconds
}
