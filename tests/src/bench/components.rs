//! Components as many as a city has: a million on a server's file, put there by an import, and five thousand of them on a phone, each asked
//! for the ten that are nearest to places all over it.
//!
//! That what is found is nearest is proved elsewhere.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use patrol_core::domain::component::Position;
use patrol_core::domain::place::VillageCode;
use patrol_core::replica::{Cancel, Replica};
use patrol_core::sync::http::Http;
use patrol_server::api::{CookieKind, Settings};
use patrol_server::app::App;
use patrol_server::components::nearest;
use patrol_server::import::{Content, Upload, adopt, preview};
use patrol_server::{auth, listen};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::bytes::villages_of;
use super::city::inspectors;
use super::growth::open;
use super::{Figure, Watch, micros, percentile};
use crate::clock::{Clock, Machine};
use crate::served::Folder;

const ON_SERVER: usize = 1_000_000;
const ON_PHONE: usize = 5_000;
/// Places asked for.
const PLACES: usize = 2_000;
/// Where the city lies, in 10⁻⁷ degrees: Zhuhai's mainland.
const WEST: i64 = 1_130_500_000;
const SOUTH: i64 = 219_500_000;
const WIDE: i64 = 5_000_000;
const HIGH: i64 = 4_500_000;

/// Runs the measurements of this file.
pub async fn measure(seed: u64) -> Vec<Figure> {
    let folder = Folder::new("bench-components").expect("a folder for temporary files");
    let file = folder.file("server");
    let table = folder.file("components.csv");
    let filled = tokio::task::spawn_blocking(move || fill(&file, &table, seed));
    let (app, mut figures) = filled.await.expect("the server is filled");
    figures.push(on_phone(&folder, &app, seed).await);
    figures
}

/// A server with a million components, and how long it took and takes.
fn fill(file: &Path, table: &Path, seed: u64) -> (Arc<App>, Vec<Figure>) {
    let app = Arc::new(open(file, Arc::new(Machine::new(&Clock::default(), seed))));
    write(table, of_the_city(&app), seed);
    let started = Watch::start();
    put_in_force(&app, table.to_owned());
    let import_s = started.elapsed().as_secs_f64();
    let mut rng = ChaCha8Rng::seed_from_u64(seed + 1);
    let (median, worst) = asked(&mut rng, |place| {
        let found = nearest(&app, place, 10);
        found.expect("the store answers").len()
    });
    let figures = vec![
        Figure::told("1,000,000 components: preview and adoption", import_s, "s"),
        Figure::told(
            "nearest ten of 1,000,000 on the server, median",
            median,
            "ms",
        ),
        Figure::at_most(
            "nearest ten of 1,000,000 on the server, p99",
            worst,
            "ms",
            2.0,
        ),
    ];
    (app, figures)
}

/// A phone with its own beat's, and how long it takes.
async fn on_phone(folder: &Folder, app: &Arc<App>, seed: u64) -> Figure {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let code = auth::draw_code(app);
    let until = app.environment.now().plus_ms(60 * 60_000);
    let kept = app
        .store
        .put_enrol_code(auth::hash_of(&code), inspectors(app)[0], until);
    kept.expect("the code is kept");
    let settings = Settings::new(CookieKind::Plain);
    let serving = listen::serve(listener, Arc::clone(app), settings, std::future::pending());
    let serving = tokio::spawn(serving);
    let machine = Arc::new(Machine::new(&Clock::default(), seed + 2));
    let (replica, _) = Replica::open(&folder.file("phone"), machine).expect("the phone's file");
    let http = Http::new().expect("a client");
    let enrolled = replica.enrol(&http, &url, &code).await;
    enrolled.expect("the code is good");
    let synced = replica.sync(&http, &Cancel::default(), &|_| ()).await;
    synced.expect("a good line");
    serving.abort();
    let count = replica.store().read(|connection| {
        let count = "SELECT count(*) FROM components";
        Ok(connection.query_row(count, [], |row| row.get::<_, u32>(0))?)
    });
    assert_eq!(count.expect("the file answers") as usize, ON_PHONE);
    let mut rng = ChaCha8Rng::seed_from_u64(seed + 3);
    let (_, worst) = asked(&mut rng, |place| {
        let found = replica.nearest_components(place, 10);
        found.expect("the file answers").len()
    });
    Figure::at_most("nearest ten of 5,000 on a phone, p99", worst, "ms", 2.0)
}

/// The median and p99 of as many questions, in milliseconds.
fn asked(rng: &mut ChaCha8Rng, mut ask: impl FnMut(Position) -> usize) -> (f64, f64) {
    let mut times = Vec::with_capacity(PLACES);
    for _ in 0..PLACES {
        let place = somewhere(rng);
        let started = Watch::start();
        let found = ask(place);
        times.push(micros(started.elapsed()) / 1e3);
        assert_eq!(found, 10, "the city is full of them");
    }
    (percentile(&mut times, 50), percentile(&mut times, 99))
}

fn somewhere(rng: &mut ChaCha8Rng) -> Position {
    Position {
        lon_e7: WEST + rng.random_range(0..WIDE),
        lat_e7: SOUTH + rng.random_range(0..HIGH),
    }
}

/// The village of each: as many in the first beat's as a phone is to have, the rest in the others.
fn of_the_city(app: &App) -> impl Iterator<Item = VillageCode> {
    let own = villages_of(app, inspectors(app)[0]);
    let known = app.known();
    let all = known.directory.villages.iter().map(|village| village.code);
    let others: Vec<VillageCode> = all.filter(|code| !own.contains(code)).collect();
    let own = own.into_iter().cycle().take(ON_PHONE);
    let others = others.into_iter().cycle().take(ON_SERVER - ON_PHONE);
    own.chain(others)
}

/// Puts a lamp into each of these villages, one that is named again another one.
pub fn put(app: &App, villages: impl Iterator<Item = VillageCode>, table: &Path, seed: u64) {
    write(table, villages, seed);
    put_in_force(app, table.to_owned());
}

/// A table of lamps all over the city, one for each village that is named.
fn write(table: &Path, villages: impl Iterator<Item = VillageCode>, seed: u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut out = BufWriter::new(File::create(table).expect("a file"));
    let head =
        "code,name,authority_code,authority_name,unit_grid,state,first_on,lon_wgs84,lat_wgs84\n";
    out.write_all(head.as_bytes()).expect("it is written");
    let mut line = String::new();
    for (number, village) in villages.enumerate() {
        let (class, serial) = (1_037 + number / 900_000, number % 900_000 + 1);
        let Position { lon_e7, lat_e7 } = somewhere(&mut rng);
        line.clear();
        writeln!(
            line,
            "{}{class:05}{serial:06},路灯,91350100M000100Y43,城市管理局,{village}001,完好,20260101,{}.{:07},{}.{:07}",
            village.district(),
            lon_e7 / 10_000_000,
            lon_e7 % 10_000_000,
            lat_e7 / 10_000_000,
            lat_e7 % 10_000_000,
        )
        .expect("text grows");
        out.write_all(line.as_bytes()).expect("it is written");
    }
    out.flush().expect("it is written");
}

fn put_in_force(app: &App, table: PathBuf) {
    let upload = Upload {
        name: "components.csv".to_owned(),
        content: Content::File(table),
    };
    let preview = preview(app, &[upload]).expect("the store answers");
    assert_eq!(preview.faults.shown, [], "nothing is wrong with them");
    adopt(app, &preview).expect("they are put in force");
}
