//! Whether a round's cost grows with what exists: two servers in processes of their own, one with 100 cases and one with 10,000,
//! and a phone of each, in turn.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use patrol_core::domain::action::Action;
use patrol_core::domain::entry::Body;
use patrol_core::domain::id::DocumentId;
use patrol_core::replica::{Cancel, Deed, Replica};
use patrol_core::sync::http::Http;
use patrol_server::api::{CookieKind, Settings};
use patrol_server::app::{App, draw_identity};
use patrol_server::auth;
use patrol_server::listen;
use patrol_server::store::sqlite::SqliteStore;

use super::bytes::villages_of;
use super::city::{City, inspectors};
use super::{Figure, Watch, memory_of, micros, percentile};
use crate::clock::{Clock, Machine};
use crate::served::Folder;
use crate::world::city;

const FEW: usize = 100;
const MANY: usize = 10_000;
/// Rounds of each phone.
const ROUNDS: usize = 60;

/// A server's process. It ends with this value.
struct Process {
    child: Child,
    url: String,
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A server with so many cases, and a phone that has them all.
struct Pair {
    server: Process,
    replica: Replica,
    cases: Vec<DocumentId>,
    times: Vec<f64>,
}

/// Runs the measurements of this file.
pub async fn measure(seed: u64) -> Vec<Figure> {
    let folder = Folder::new("bench-growth").expect("a folder for temporary files");
    let http = Http::new().expect("a client");
    let mut few = pair(&folder, &http, FEW, seed).await;
    let mut many = pair(&folder, &http, MANY, seed).await;
    for round in 0..ROUNDS {
        few.round(&http, round).await;
        many.round(&http, round).await;
    }
    let (at_few, at_many) = (
        percentile(&mut few.times, 50),
        percentile(&mut many.times, 50),
    );
    let memory =
        |pair: &Pair| memory_of(pair.server.child.id(), "VmRSS").unwrap_or_default() as f64 / 1e6;
    vec![
        Figure::told("a note and its round with 100 cases, median", at_few, "ms"),
        Figure::told(
            "a note and its round with 10,000 cases, median",
            at_many,
            "ms",
        ),
        Figure::at_most("round at 10,000 cases / at 100", at_many / at_few, "×", 1.5).strict(),
        Figure::told("server memory with 100 cases", memory(&few), "MB"),
        Figure::at_most(
            "server memory with 10,000 cases, beyond that",
            memory(&many) - memory(&few),
            "MB",
            20.0,
        ),
    ]
}

async fn pair(folder: &Folder, http: &Http, cases: usize, seed: u64) -> Pair {
    let file = folder.file(&format!("server-{cases}.db"));
    let code = fill(&file, cases, seed);
    let server = Process::start(&file);
    let clock = Clock::default();
    let machine = Arc::new(Machine::new(&clock, seed + 1));
    let (replica, _) =
        Replica::open(&folder.file(&format!("phone-{cases}.db")), machine).expect("a new file");
    replica
        .enrol(http, &server.url, &code)
        .await
        .expect("the code is good");
    replica
        .sync(http, &Cancel::default(), &|_| ())
        .await
        .expect("a good line");
    let rows = replica.list("case", 0, cases).expect("a list");
    assert_eq!(rows.len(), cases, "everything is here");
    Pair {
        server,
        replica,
        cases: rows.into_iter().map(|row| row.id).collect(),
        times: Vec::new(),
    }
}

/// Makes a server's file with so many cases, and a code for the phone.
fn fill(file: &Path, cases: usize, seed: u64) -> String {
    let clock = Clock::default();
    let machine = Arc::new(Machine::new(&clock, seed));
    let app = Arc::new(open(file, machine));
    let person = inspectors(&app)[0];
    let villages = villages_of(&app, person);
    City::new(Arc::clone(&app), seed).fill(&villages, cases);
    let code = auth::draw_code(&app);
    let until = app.environment.now().plus_ms(60 * 60_000);
    app.store
        .put_enrol_code(auth::hash_of(&code), person, until)
        .expect("the code is kept");
    code
}

pub(super) fn open(file: &Path, machine: Arc<Machine>) -> App {
    let store =
        SqliteStore::open(file, || draw_identity(machine.as_ref())).expect("the server's file");
    let app = App::open(Arc::new(store), machine).expect("the server opens");
    app.put_directory(city()).expect("the directory is kept");
    app
}

impl Process {
    fn start(file: &Path) -> Self {
        let program = std::env::current_exe().expect("this program has a file");
        let mut child = Command::new(program)
            .arg("serve")
            .arg("--file")
            .arg(file)
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program starts");
        let mut line = String::new();
        let out = child.stdout.take().expect("its output is piped");
        BufReader::new(out)
            .read_line(&mut line)
            .expect("it tells its address");
        Self {
            child,
            url: line.trim().to_owned(),
        }
    }
}

impl Pair {
    async fn round(&mut self, http: &Http, number: usize) {
        let case = self.cases[number * 7 % self.cases.len()];
        let body = Body {
            words: Some("已到现场查看".to_owned()),
            ..Body::default()
        };
        let started = Watch::start();
        self.replica
            .act(case, &Deed::new(Action::Note, body))
            .expect("noting is allowed");
        self.replica
            .sync(http, &Cancel::default(), &|_| ())
            .await
            .expect("a good line");
        self.times.push(micros(started.elapsed()) / 1e3);
    }
}

/// The process whose memory is measured: serves a file and prints its address.
#[expect(clippy::print_stdout, reason = "the parent reads the address")]
pub async fn serve(file: &Path, seed: u64) {
    let clock = Clock::default();
    let app = Arc::new(open(file, Arc::new(Machine::new(&clock, seed + 2))));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a free port");
    println!("http://{}", listener.local_addr().expect("an address"));
    let settings = Settings::new(CookieKind::Plain);
    listen::serve(listener, app, settings, std::future::pending()).await;
}
