//! How long a phone's rounds take over a slow line: 300 ms there and back, 256 kbit/s each way, a server with 2,000 cases of the phone.
//!
//! The line is the proxy's. It delays no handshakes: each new connection costs one of these round trips more, two with TLS.

use std::sync::{Arc, Mutex};

use patrol_core::domain::id::DocumentId;
use patrol_core::replica::{Cancel, Summary};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use super::bytes::{CASES, Cost, Phone, TIMES, enrolled, note, report, spend_day, villages};
use super::city::City;
use super::{Figure, Watch, content};
use crate::clock::{Clock, Machine};
use crate::proxy::{FAIR, Line, Proxy, Weather};
use crate::served::{Folder, Served};
use crate::world::city;

/// Milliseconds there and back.
const ROUND_TRIP_MS: u64 = 300;
/// 256 kbit/s.
const BYTES_A_SECOND: u64 = 32_000;
/// The line.
const SLOW: Weather = Weather {
    line: Some(Line {
        delay_ms: ROUND_TRIP_MS / 2,
        loss: 0,
        bytes_a_second: BYTES_A_SECOND,
        // As long as anybody measures.
        life_ms: (3_600_000, 3_600_000),
    }),
    ..FAIR
};

/// Seconds that a call took, and what it cost.
struct Timed {
    seconds: f64,
    cost: Cost,
}

impl Timed {
    /// What the line alone takes for it: its bytes each way, and one round trip.
    fn floor(&self) -> f64 {
        let bytes = (self.cost.wire_up + self.cost.wire_down) as f64;
        bytes / BYTES_A_SECOND as f64 + ROUND_TRIP_MS as f64 / 1e3
    }
}

async fn timed(phone: &Phone) -> Timed {
    let started = Watch::start();
    let cost = phone.sync().await;
    Timed {
        seconds: started.elapsed().as_secs_f64(),
        cost,
    }
}

/// The longest of several calls, which a prototype of this protocol made in so many seconds (source: the project's measurements).
fn figures(name: &str, timed: &[Timed], most: f64) -> [Figure; 3] {
    let longest = timed.iter().max_by(|a, b| a.seconds.total_cmp(&b.seconds));
    let (seconds, floor) = longest.map_or((f64::NAN, f64::NAN), |it| (it.seconds, it.floor()));
    let requests = timed.iter().map(|it| it.cost.summary.rounds).max();
    [
        Figure::at_most(format!("slow line, {name}"), seconds, "s", most),
        Figure::told("the same / what the line alone takes", seconds / floor, "×"),
        Figure::at_most(
            "the same: requests",
            f64::from(requests.unwrap_or_default()),
            "requests",
            1.0,
        ),
    ]
}

/// Runs the measurements of this file.
pub async fn measure(seed: u64) -> Vec<Figure> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let clock = Clock::default();
    let machine = Arc::new(Machine::new(&clock, seed));
    let served = Served::start(city(), machine).await.expect("a free port");
    let villages = villages(&served);
    City::new(Arc::clone(&served.app), seed).fill(&villages, CASES);
    let here = ([127, 0, 0, 1], 0).into();
    let proxy = Proxy::start(here, served.address, seed, FAIR).await;
    let proxy = proxy.expect("a free port");
    let folder = Folder::new("bench-line").expect("a folder for temporary files");
    let file = folder.file("phone.db");
    let phone = enrolled(&served, proxy.address, &clock, seed, &file).await;
    proxy.set_weather(SLOW);

    let mut all = bootstrap(&phone).await;
    let rows = phone.replica.list("case", 0, CASES).expect("a list");
    let cases: Vec<DocumentId> = rows.into_iter().map(|row| row.id).collect();
    phone.sync().await;
    let (mut idle, mut notes, mut reports) = (Vec::new(), Vec::new(), Vec::new());
    for case in cases.iter().take(TIMES) {
        idle.push(timed(&phone).await);
        note(&phone, *case, content::words(&mut rng, 10));
        notes.push(timed(&phone).await);
        let case = report(&phone, &mut rng, &villages);
        reports.push(timed(&phone).await);
        let view = phone.replica.case(case).expect("its own case");
        assert!(!view.reading.case.numbers.is_empty(), "with its number");
    }
    all.extend(figures("idle round", &idle, 0.6));
    all.extend(figures("a note of 10 characters", &notes, 0.6));
    all.extend(figures(
        "a new case, until its number is there",
        &reports,
        0.6,
    ));
    spend_day(&phone, &mut rng, (&cases, &villages));
    let day = timed(&phone).await;
    assert_eq!(phone.replica.status().expect("a status").outbox, 0);
    all.extend(figures("500 changes over 350 cases", &[day], 3.1));
    all
}

/// The first sync, with the time when the first cases can be read.
async fn bootstrap(phone: &Phone) -> Vec<Figure> {
    let started = Watch::start();
    let first = Mutex::new(None);
    let note = |summary: Summary| {
        let mut first = first.lock().expect("no panic while held");
        if summary.pulled > 0 {
            first.get_or_insert(started.elapsed().as_secs_f64());
        }
    };
    let summary = phone
        .replica
        .sync(&phone.http, &Cancel::default(), &note)
        .await
        .expect("a good line");
    let cost = Cost {
        summary,
        wire_up: summary.bytes_up as u64,
        wire_down: summary.bytes_down as u64,
    };
    let first = first.into_inner().expect("no panic while held");
    let seconds = started.elapsed().as_secs_f64();
    let mut all = Vec::from(figures(
        "bootstrap of 2,000 cases",
        &[Timed { seconds, cost }],
        39.0,
    ));
    all.push(Figure::told(
        "the same: until the first cases can be read",
        first.unwrap_or(f64::NAN),
        "s",
    ));
    all
}
