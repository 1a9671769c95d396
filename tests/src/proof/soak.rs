//! Phones on a poor line for a long time: they report and sync all the while, some with much to fetch or much to push, and every connection
//! that lives long enough for one frame brings them on.
//!
//! What "on" means is `recorder`'s: whole frames move a cursor or the outbox, and what they held never travels again. At the end the
//! phones come home to a good line, and nothing may be lost, doubled or different.

mod recorder;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use patrol_core::domain::action::Action;
use patrol_core::domain::entry::Body;
use patrol_core::domain::id::EntryId;
use patrol_core::domain::place::VillageCode;
use patrol_core::error::Error;
use patrol_core::replica::{Cancel, Deed, Replica};
use patrol_core::store::changes::{ChangeRow, ChangeState};
use patrol_core::store::{Store, changes, documents};
use patrol_core::sync::http::Http;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tokio::sync::watch;

use super::town::{Town, open};
use super::{Program, all_are_in, entries_in};
use crate::bench::bytes::villages_of;
use crate::bench::city::inspectors;
use crate::bench::{Figure, Watch, content, percentile};
use crate::clock::{Clock, Machine};
use crate::proxy::{FAIR, Proxy, Weather};
use crate::served::Folder;
use crate::simulation::audit;
use crate::world::{city, matter};
use recorder::{Recorder, Seen};

/// Requests in a row that bring no whole frame: as often as the size of frames can be halved, and twice more.
const BARREN_MAX: f64 = 8.0;

/// How long and how much.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Seconds on the poor line.
    pub seconds: u64,
    /// Phones; two walk each beat.
    pub phones: usize,
    /// Cases that the server has in the beats.
    pub cases: usize,
    /// Deeds of every third phone before its first round.
    pub outbox: usize,
    /// The poor line.
    pub weather: Weather,
    /// Milliseconds between two rounds at most.
    pub pause_ms: u64,
}

/// A phone at work.
struct Walker {
    replica: Arc<Replica>,
    recorder: Recorder,
    rng: ChaCha8Rng,
    /// Seconds until its first round came to its end.
    whole_after: Option<f64>,
}

/// What a phone has come to.
struct Walked {
    seen: Seen,
    whole_after: Option<f64>,
    recorded: BTreeSet<EntryId>,
    /// Changes whose place the server has told.
    placed: usize,
}

impl Walker {
    /// Enrols while the line is good, as it is at the office.
    async fn enrol(url: &str, code: &str, seed: u64) -> Result<Self, String> {
        let machine = Arc::new(Machine::new(&Clock::default(), seed));
        let store = Store::in_memory().map_err(|error| error.to_string())?;
        let replica = Arc::new(Replica::on(store, machine));
        let http = Http::new().map_err(|_| "no client")?;
        let enrolled = replica.enrol(&http, url, code).await;
        enrolled.map_err(|error| error.to_string())?;
        Ok(Self {
            recorder: Recorder::new(Arc::clone(&replica)).map_err(|_| "no client")?,
            replica,
            rng: ChaCha8Rng::seed_from_u64(seed),
            whole_after: None,
        })
    }

    /// Reports, in as many words as people use: what hardly compresses takes its time.
    fn work(&mut self, deeds: usize) -> Result<(), String> {
        let villages = self.replica.villages().map_err(|error| error.to_string())?;
        for _ in 0..deeds {
            let village = *villages.choose(&mut self.rng).ok_or("a beat")?;
            let words = content::words(&mut self.rng, 60);
            let deed = Deed {
                fields: matter(village, &words),
                ..Deed::new(Action::Report, Body::default())
            };
            let begun = self.replica.begin(&deed);
            begun.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Everything until both ends agree, or until the line dies.
    async fn sync(&self) -> Result<bool, String> {
        let cancel = Cancel::default();
        match self.replica.sync(&self.recorder, &cancel, &|_| ()).await {
            Ok(_) => Ok(true),
            Err(Error::Offline { .. }) => Ok(false),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Reports and syncs until it is time to go home.
    async fn walk(mut self, size: Size, mut home: watch::Receiver<bool>) -> Result<Self, String> {
        let started = Watch::start();
        while !*home.borrow() {
            let deeds = self.rng.random_range(0..4);
            self.work(deeds)?;
            if self.sync().await? {
                let seconds = started.elapsed().as_secs_f64();
                self.whole_after.get_or_insert(seconds);
            }
            let pause = Duration::from_millis(self.rng.random_range(0..=size.pause_ms));
            drop(tokio::time::timeout(pause, home.changed()).await);
        }
        Ok(self)
    }

    fn walked(&self) -> Walked {
        let placed = self.replica.store().read(|connection| {
            let mut placed = 0;
            for id in documents::all(connection)? {
                let Some(state) = documents::state(connection, id)? else {
                    continue;
                };
                let rows = changes::of_document(connection, state.number)?;
                let is_placed = |row: &&ChangeRow| row.state == ChangeState::Placed;
                placed += rows.iter().filter(is_placed).count();
            }
            Ok(placed)
        });
        Walked {
            seen: self.recorder.seen(),
            whole_after: self.whole_after,
            recorded: audit::entries_on_phone(self.replica.store()),
            placed: placed.expect("a look"),
        }
    }
}

/// Runs it.
///
/// # Errors
/// What was lost, doubled, told twice or did not move on.
pub async fn run(size: Size, seed: u64) -> Result<Vec<Figure>, String> {
    let folder = Folder::new("soak").map_err(|error| error.to_string())?;
    let file = folder.file("server.db");
    let names = made(&file, size, seed);
    let server = Program::start(&file, 0, &[])?;
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let proxy = Proxy::start(anywhere, server.address(), seed, FAIR).await;
    let proxy = proxy.map_err(|error| error.to_string())?;
    let mut walkers = Vec::new();
    for (number, name) in names.iter().enumerate() {
        let code = Program::code(&file, name)?;
        let mut walker = Walker::enrol(&proxy.url(), &code, seed + number as u64).await?;
        if number.is_multiple_of(3) {
            walker.work(size.outbox)?;
        }
        walkers.push(walker);
    }
    proxy.set_weather(size.weather);
    let before = proxy.counts();
    let (go, home) = watch::channel(false);
    let walks = walkers
        .into_iter()
        .map(|walker| tokio::spawn(walker.walk(size, home.clone())));
    let walks: Vec<_> = walks.collect();
    let day = Duration::from_secs(size.seconds);
    drop(tokio::time::timeout(day, go.closed()).await);
    let counts = proxy.counts();
    go.send_replace(true);
    proxy.set_weather(FAIR);
    let mut walkers = Vec::new();
    for walk in walks {
        let mut walker = walk.await.map_err(|error| error.to_string())??;
        walker.recorder.move_on().map_err(|_| "no client")?;
        walkers.push(walker);
    }
    let on_the_way: Vec<Seen> = walkers
        .iter()
        .map(|walker| walker.recorder.seen())
        .collect();
    // Twice, so that each hears what the others brought home.
    for walker in walkers.iter().chain(&walkers) {
        if !walker.sync().await? {
            return Err("no line at home".to_owned());
        }
    }
    let walked: Vec<Walked> = walkers.iter().map(Walker::walked).collect();
    server.kill();
    let found = entries_in(&file)?;
    for (walker, walked) in walkers.iter().zip(&walked) {
        all_are_in(&walked.recorded, &found)?;
        is_settled(walker, walked)?;
    }
    let mut figures = told(&on_the_way, &walked);
    let died = (counts.died - before.died) as f64;
    figures.extend([
        Figure::told(
            "connections",
            (counts.connections - before.connections) as f64,
            "",
        ),
        Figure::at_least("the same: whose line died", died, "", 1.0),
        Figure::told("bytes up", (counts.bytes_up - before.bytes_up) as f64, "B"),
        Figure::told(
            "bytes down",
            (counts.bytes_down - before.bytes_down) as f64,
            "B",
        ),
        Figure::told(
            "entries on the server, none lost, none doubled",
            found.len() as f64,
            "",
        ),
    ]);
    Ok(figures)
}

/// A file with cases in the villages of the first beats; the names of who walks them, two each.
fn made(file: &Path, size: Size, seed: u64) -> Vec<String> {
    let beats = size.phones.div_ceil(2);
    let app = open(file, seed);
    app.put_directory(city()).expect("it is kept");
    let people = inspectors(&app).into_iter().take(beats);
    let villages = people.clone().flat_map(|person| villages_of(&app, person));
    let villages: Vec<VillageCode> = villages.collect();
    drop(Town::make(file, (size.cases, &villages), 0, seed));
    let name = |number: usize| format!("巡查员{:02}", number / 2 + 1);
    (0..size.phones).map(name).collect()
}

/// At home: nothing is left to push, nothing is amiss, and each change has been told once.
fn is_settled(walker: &Walker, walked: &Walked) -> Result<(), String> {
    let status = walker.replica.status().map_err(|error| error.to_string())?;
    if (status.outbox, status.held, status.refused) != (0, 0, 0) || status.last_error.is_some() {
        return Err(format!("a phone is not settled: {status:?}"));
    }
    if let Some(fault) = walked.seen.faults.first() {
        return Err(fault.clone());
    }
    if walked.seen.told != walked.placed {
        let (told, placed) = (walked.seen.told, walked.placed);
        return Err(format!(
            "{told} changes came in whole pages, and {placed} are there"
        ));
    }
    Ok(())
}

fn told(on_the_way: &[Seen], walked: &[Walked]) -> Vec<Figure> {
    let sum = |of: fn(&Seen) -> usize| on_the_way.iter().map(of).sum::<usize>() as f64;
    let most = on_the_way.iter().map(|seen| seen.barren_row).max();
    let whole = walked.iter().filter_map(|walked| walked.whole_after);
    let mut whole: Vec<f64> = whole.collect();
    let placed: usize = walked.iter().map(|walked| walked.placed).sum();
    vec![
        Figure::told("requests", sum(|seen| seen.requests), ""),
        Figure::told("the same: answered to the end", sum(|seen| seen.whole), ""),
        Figure::told(
            "the same: with a whole frame, each moved something",
            sum(|seen| seen.fruitful),
            "",
        ),
        Figure::at_most(
            "longest row of requests without one",
            most.unwrap_or_default() as f64,
            "",
            BARREN_MAX,
        ),
        Figure::told(
            "changes pushed again for want of an answer",
            sum(|seen| seen.dups),
            "",
        ),
        Figure::told("bodies up", sum(|seen| seen.bytes_up), "B"),
        Figure::told("bodies down", sum(|seen| seen.bytes_down), "B"),
        Figure::told("changes told by whole pages, each once", placed as f64, ""),
        Figure::told("phones that were whole on the way", whole.len() as f64, ""),
        Figure::told(
            "the same: seconds until then, median",
            percentile(&mut whole, 50),
            "s",
        ),
        Figure::told("the same: longest", percentile(&mut whole, 99), "s"),
    ]
}
