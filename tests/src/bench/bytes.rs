//! Bytes and requests of a phone's rounds, counted on the wire of a real server, beside the floor of the same content.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use patrol_core::doc::parse::parse_admitted;
use patrol_core::doc::register::FieldValue;
use patrol_core::domain::action::Action;
use patrol_core::domain::entry::Body;
use patrol_core::domain::id::{DocumentId, EntryId, PersonId};
use patrol_core::domain::place::{Place, Scope, VillageCode};
use patrol_core::replica::{Cancel, Deed, Replica, Summary};
use patrol_core::sync::http::Http;
use patrol_server::app::App;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::Figure;
use super::city::{City, inspectors};
use super::content;
use super::floor::Floor;
use super::tap::Tap;
use crate::clock::{Clock, Machine};
use crate::served::{Folder, Served};
use crate::world::city;

/// Cases of the bootstrap.
pub(super) const CASES: usize = 2_000;
/// Rounds of each small kind, of which the largest counts.
pub(super) const TIMES: usize = 20;

/// A phone on a counted wire.
pub(super) struct Phone {
    pub(super) replica: Replica,
    pub(super) http: Http,
    tap: Tap,
    clock: Clock,
}

/// What one call of `sync` cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    pub(super) summary: Summary,
    pub(super) wire_up: u64,
    pub(super) wire_down: u64,
}

impl Phone {
    /// Closes the phone's file; its line to the server stays open for who opens the file next.
    pub(super) fn close(self) -> Tap {
        self.tap
    }

    /// One call of `sync` on a good line.
    pub(super) async fn sync(&self) -> Cost {
        let before = self.tap.bytes();
        let summary = self
            .replica
            .sync(&self.http, &Cancel::default(), &|_| ())
            .await
            .expect("a good line");
        let after = self.tap.bytes();
        self.clock.advance_ms(30_000);
        Cost {
            summary,
            wire_up: after.0 - before.0,
            wire_down: after.1 - before.1,
        }
    }
}

/// Runs the measurements of this file.
pub async fn measure(seed: u64) -> Vec<Figure> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let clock = Clock::default();
    let machine = Arc::new(Machine::new(&clock, seed));
    let served = Served::start(city(), machine).await.expect("a free port");
    let villages = villages(&served);
    let mut filled = City::new(Arc::clone(&served.app), seed);
    filled.fill(&villages, CASES);
    let mut figures = Vec::new();
    let folder = Folder::new("bench").expect("a folder for temporary files");
    let file = folder.file("phone.db");
    let phone = enrolled(&served, served.address, &clock, seed, &file).await;
    bootstrap(&served, &phone, &mut figures).await;
    let cases: Vec<DocumentId> = phone
        .replica
        .list("case", 0, CASES)
        .expect("a list")
        .into_iter()
        .map(|row| row.id)
        .collect();
    one_case(&phone, &mut rng, &villages, &mut figures).await;
    idle(&phone, CASES, &mut figures).await;
    one_event(&phone, &mut rng, &cases, &mut figures).await;
    day_offline(&phone, &mut rng, (&cases, &villages), &mut figures).await;
    figures
}

/// The villages of the inspector whose phone is measured.
pub(super) fn villages(served: &Served) -> Vec<VillageCode> {
    villages_of(&served.app, inspectors(&served.app)[0])
}

/// The villages of a person's scopes.
pub(crate) fn villages_of(app: &App, person: PersonId) -> Vec<VillageCode> {
    let scopes = app
        .known()
        .directory
        .scopes_of(person, app.environment.now());
    scopes
        .into_iter()
        .filter_map(|scope| match scope {
            Scope::Village(village) => Some(village),
            _ => None,
        })
        .collect()
}

/// The first inspector's phone on a counted wire to an address that leads to the server.
pub(super) async fn enrolled(
    served: &Served,
    address: SocketAddr,
    clock: &Clock,
    seed: u64,
    file: &Path,
) -> Phone {
    let tap = Tap::before(address).await.expect("a free port");
    let machine = Arc::new(Machine::new(clock, seed + 1));
    let (replica, _) = Replica::open(file, machine).expect("a new file");
    let http = Http::new().expect("a client");
    let code = served.enrol_code(inspectors(&served.app)[0]);
    replica
        .enrol(&http, &tap.url, &code)
        .await
        .expect("the code is good");
    Phone {
        replica,
        http,
        tap,
        clock: clock.clone(),
    }
}

/// Everything that the phone holds, as the server sends it.
fn floor_of_all(served: &Served, phone: &Phone) -> Floor {
    let mut floor = Floor::default();
    let rows = phone.replica.list("case", 0, CASES).expect("a list");
    served
        .app
        .store
        .read(&mut |snapshot| {
            for row in &rows {
                let stored = snapshot.document(row.id)?.expect("a case of the server");
                for change in &stored.changes {
                    let parsed = parse_admitted(&change.body).expect("an admitted change");
                    floor.add(row.id, &parsed, Some(change.received_at));
                }
            }
            Ok(())
        })
        .expect("the store answers");
    floor
}

async fn bootstrap(served: &Served, phone: &Phone, figures: &mut Vec<Figure>) {
    let first: Mutex<Option<Summary>> = Mutex::new(None);
    let note = |summary: Summary| {
        let mut first = first.lock().expect("no panic while held");
        if first.is_none() && summary.pulled > 0 {
            *first = Some(summary);
        }
    };
    let summary = phone
        .replica
        .sync(&phone.http, &Cancel::default(), &note)
        .await
        .expect("a good line");
    let first = first
        .into_inner()
        .expect("no panic while held")
        .unwrap_or_default();
    let floor = floor_of_all(served, phone);
    let bytes = summary.bytes_down as f64;
    figures.extend([
        Figure::told("bootstrap: changes", floor.changes() as f64, "changes"),
        Figure::told("bootstrap: down", bytes, "B"),
        Figure::told("bootstrap: floor", floor.bytes() as f64, "B"),
        Figure::at_most(
            "bootstrap of 2,000 cases × 8 changes: down / floor",
            bytes / floor.bytes() as f64,
            "×",
            1.22,
        ),
        Figure::at_most(
            "bootstrap: requests",
            f64::from(summary.rounds),
            "requests",
            1.0,
        ),
        Figure::at_most(
            "bootstrap: share of the bytes after which the first cases are on the phone",
            first.bytes_down as f64 / bytes,
            "",
            0.1,
        ),
    ]);
}

fn largest(costs: &[Cost], of: impl Fn(&Cost) -> u64) -> f64 {
    costs.iter().map(of).max().unwrap_or(0) as f64
}

/// Rounds of a phone with so many cases when nothing has happened.
pub(super) async fn idle(phone: &Phone, cases: usize, figures: &mut Vec<Figure>) {
    phone.sync().await;
    let mut costs = Vec::new();
    for _ in 0..TIMES {
        costs.push(phone.sync().await);
    }
    figures.extend([
        Figure::at_most(
            format!("idle round with {cases} cases: requests"),
            largest(&costs, |cost| u64::from(cost.summary.rounds)),
            "requests",
            1.0,
        ),
        Figure::at_most(
            format!("idle round with {cases} cases: body up"),
            largest(&costs, |cost| cost.summary.bytes_up as u64),
            "B",
            150.0,
        ),
        Figure::at_most(
            format!("idle round with {cases} cases: body down"),
            largest(&costs, |cost| cost.summary.bytes_down as u64),
            "B",
            150.0,
        ),
        Figure::at_most(
            format!("idle round with {cases} cases: on the wire, both ways, with headers"),
            largest(&costs, |cost| cost.wire_up + cost.wire_down),
            "B",
            900.0,
        ),
    ]);
}

async fn one_event(
    phone: &Phone,
    rng: &mut ChaCha8Rng,
    cases: &[DocumentId],
    figures: &mut Vec<Figure>,
) {
    let mut costs = Vec::new();
    for case in cases.iter().take(TIMES) {
        note(phone, *case, content::words(rng, 10));
        costs.push(phone.sync().await);
    }
    figures.extend([
        Figure::at_most(
            "one note of 10 characters: requests",
            largest(&costs, |cost| u64::from(cost.summary.rounds)),
            "requests",
            1.0,
        ),
        Figure::at_most(
            "one note of 10 characters: bodies, both ways",
            largest(&costs, |cost| {
                (cost.summary.bytes_up + cost.summary.bytes_down) as u64
            }),
            "B",
            450.0,
        ),
        Figure::told(
            "one note of 10 characters: body up",
            largest(&costs, |cost| cost.summary.bytes_up as u64),
            "B",
        ),
    ]);
}

async fn one_case(
    phone: &Phone,
    rng: &mut ChaCha8Rng,
    villages: &[VillageCode],
    figures: &mut Vec<Figure>,
) {
    let mut costs = Vec::new();
    for _ in 0..TIMES {
        let case = report(phone, rng, villages);
        costs.push(phone.sync().await);
        let view = phone.replica.case(case).expect("its own case");
        assert!(!view.reading.case.numbers.is_empty(), "with its number");
    }
    figures.extend([
        Figure::at_most(
            "one new case of 60 characters: bodies, both ways",
            largest(&costs, |cost| {
                (cost.summary.bytes_up + cost.summary.bytes_down) as u64
            }),
            "B",
            1_000.0,
        ),
        Figure::told(
            "one new case of 60 characters: body up",
            largest(&costs, |cost| cost.summary.bytes_up as u64),
            "B",
        ),
    ]);
}

/// Reports a case of 60 characters without photos.
pub(super) fn report(phone: &Phone, rng: &mut ChaCha8Rng, villages: &[VillageCode]) -> DocumentId {
    let words = content::words(rng, 60);
    let category = content::category(rng);
    let fields = vec![
        FieldValue::Place(content::place(rng, villages[0])),
        FieldValue::Category(category),
        FieldValue::Words(words),
    ];
    begin(phone, Body::default(), fields).0
}

fn begin(phone: &Phone, body: Body, fields: Vec<FieldValue>) -> (DocumentId, EntryId) {
    let deed = Deed {
        fields,
        ..Deed::new(Action::Report, body)
    };
    let begun = phone.replica.begin(&deed).expect("reporting is allowed");
    phone.clock.advance_ms(60_000);
    begun
}

pub(super) fn note(phone: &Phone, case: DocumentId, words: String) {
    let body = Body {
        words: (!words.is_empty()).then_some(words),
        ..Body::default()
    };
    phone
        .replica
        .act(case, &Deed::new(Action::Note, body))
        .expect("noting is allowed");
    phone.clock.advance_ms(60_000);
}

fn amend(phone: &Phone, case: DocumentId, place: Place) {
    let deed = Deed {
        fields: vec![FieldValue::Place(place)],
        ..Deed::new(Action::Amend, Body::default())
    };
    // A case that has been closed takes no correction; a note takes its place.
    if phone.replica.act(case, &deed).is_err() {
        note(phone, case, String::new());
    }
    phone.clock.advance_ms(60_000);
}

/// Records 500 changes over 350 cases: 200 new cases, 150 known ones; 300 notes and corrections among them.
pub(super) fn spend_day(
    phone: &Phone,
    rng: &mut ChaCha8Rng,
    (known, villages): (&[DocumentId], &[VillageCode]),
) {
    let mut known = known.to_vec();
    known.shuffle(rng);
    let mut touched: Vec<DocumentId> = known.into_iter().take(150).collect();
    for _ in 0..200 {
        let length = rng.random_range(50..=70);
        let village = villages[rng.random_range(0..villages.len())];
        let fields = vec![
            FieldValue::Place(content::place(rng, village)),
            FieldValue::Category(content::category(rng)),
            FieldValue::Words(content::words(rng, length)),
        ];
        let body = Body {
            photos: content::photos(rng),
            ..Body::default()
        };
        touched.push(begin(phone, body, fields).0);
    }
    let mut further: Vec<DocumentId> = touched.iter().copied().take(150).collect();
    further.extend((0..150).map(|_| touched[rng.random_range(0..touched.len())]));
    further.shuffle(rng);
    for case in further {
        if rng.random_bool(0.8) {
            let length = rng.random_range(0..=14);
            note(phone, case, content::words(rng, length));
        } else {
            let place = content::place(rng, villages[0]);
            amend(phone, case, place);
        }
    }
}

async fn day_offline(
    phone: &Phone,
    rng: &mut ChaCha8Rng,
    places: (&[DocumentId], &[VillageCode]),
    figures: &mut Vec<Figure>,
) {
    spend_day(phone, rng, places);
    let floor = floor_of_outbox(phone);
    let cost = phone.sync().await;
    let (up, down) = (cost.summary.bytes_up as f64, cost.summary.bytes_down as f64);
    let device = phone.replica.status().expect("an enrolled phone");
    assert_eq!(device.outbox, 0, "everything was pushed");
    figures.extend([
        Figure::told(
            "500 changes over 350 cases: changes",
            floor.changes() as f64,
            "changes",
        ),
        Figure::told("500 changes over 350 cases: up", up, "B"),
        Figure::told(
            "500 changes over 350 cases: floor",
            floor.bytes() as f64,
            "B",
        ),
        Figure::at_most(
            "500 changes over 350 cases: up / floor",
            up / floor.bytes() as f64,
            "×",
            1.17,
        ),
        Figure::told("500 changes over 350 cases: down", down, "B"),
        Figure::told(
            "500 changes over 350 cases: requests",
            f64::from(cost.summary.rounds),
            "requests",
        ),
    ]);
}

/// What lies in the outbox, in the order in which it was made.
fn floor_of_outbox(phone: &Phone) -> Floor {
    use patrol_core::store::changes;
    let mut floor = Floor::default();
    phone
        .replica
        .store()
        .read(|connection| {
            let mut bodies = BTreeMap::new();
            for unsent in changes::outbox(connection, 0, usize::MAX >> 1)? {
                let body = changes::body(connection, unsent.document, unsent.hash)?;
                bodies.insert(unsent.place, (unsent.document, body.unwrap_or_default()));
            }
            for (document, body) in bodies.values() {
                let parsed = parse_admitted(body).expect("a change made here");
                floor.add(*document, &parsed, None);
            }
            Ok(())
        })
        .expect("the store answers");
    floor
}
