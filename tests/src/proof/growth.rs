//! Whether what a server does costs more where more exists: servers with 100 cases and with ever more, asked the same by turns.
//!
//! What must grow is told beside it: the file, the time for a backup, the time for looking at everything.

use std::path::{Path, PathBuf};

use patrol_server::store::CaseQuery;

use super::Program;
use super::town::{Caller, Town};
use crate::bench::client::{Connection, admitted};
use crate::bench::{Figure, Watch, memory_of, micros, percentile};
use crate::served::Folder;
use crate::world::city;

/// Rounds of each kind at each server, and pages of the office's list.
const TIMES: usize = 300;
/// Rows of a page.
const PAGE: usize = 50;
/// How much more a round may cost at the largest server than at the smallest.
const GROWTH_MAX: f64 = 1.5;

/// A server with so many cases, and what it was seen to take.
struct Stage {
    cases: usize,
    file: PathBuf,
    town: Town,
    caller: Caller,
    /// Milliseconds.
    notes: Vec<f64>,
    idle: Vec<f64>,
    lists: Vec<f64>,
    /// Bytes of bodies of an idle round: up, down.
    idle_bytes: (usize, usize),
}

impl Stage {
    /// Fills a file; the smallest number in the villages of one beat, so that a phone has as many.
    fn fill(folder: &Folder, cases: usize, seed: u64) -> (Self, f64) {
        let file = folder.file(&format!("server-{cases}.db"));
        let beat = city().beats[0].villages.iter().map(|row| row.village);
        let villages: Vec<_> = if cases <= 100 {
            beat.collect()
        } else {
            city().villages.iter().map(|village| village.code).collect()
        };
        let started = Watch::start();
        let (town, mut callers) = Town::make(&file, (cases, &villages), 1, seed);
        let stage = Self {
            cases,
            file,
            town,
            caller: callers.remove(0),
            notes: Vec::new(),
            idle: Vec::new(),
            lists: Vec::new(),
            idle_bytes: (0, 0),
        };
        (stage, started.elapsed().as_secs_f64())
    }

    /// A round with one note, a round with nothing, a page of the office's list.
    fn step(&mut self, connection: &mut Connection) {
        let call = self.town.call(&mut self.caller, 1);
        let started = Watch::start();
        let answer = connection.exchange(&call.request);
        self.notes.push(micros(started.elapsed()) / 1e3);
        assert_eq!(admitted(&answer), 1, "the note is admitted");

        let call = self.town.call(&mut self.caller, 0);
        let started = Watch::start();
        let answer = connection.exchange(&call.request);
        self.idle.push(micros(started.elapsed()) / 1e3);
        let head = call.request.windows(4).position(|four| four == b"\r\n\r\n");
        let body = call.request.len() - head.map_or(0, |head| head + 4);
        self.idle_bytes = (body, answer.len());

        let query = CaseQuery {
            kind: "case".to_owned(),
            limit: PAGE,
            ..CaseQuery::default()
        };
        let (started, mut rows) = (Watch::start(), 0);
        let read = self.town.app.store.read(&mut |snapshot| {
            rows = snapshot.cases(&query)?.len();
            Ok(())
        });
        read.expect("the store answers");
        self.lists.push(micros(started.elapsed()) / 1e3);
        assert_eq!(rows, PAGE, "a full page");
    }

    fn figures(&mut self, program: &Program) -> Vec<Figure> {
        let cases = self.cases;
        let memory = memory_of(program.id(), "VmHWM").unwrap_or_default() as f64 / 1e6;
        let len = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len()) as f64;
        // What has not come from the log into the file is there too.
        let disk = len(&self.file) + len(&self.file.with_extension("db-wal"));
        let (up, down) = self.idle_bytes;
        let mut figures = vec![
            Figure::told(format!("{cases} cases: the file"), disk / 1e6, "MB"),
            Figure::told("of that a case", disk / 1e3 / cases as f64, "KB"),
            Figure::told("highest memory of the server", memory, "MB"),
            Figure::told("idle round: bodies, up", up as f64, "B"),
            Figure::told("idle round: bodies, down", down as f64, "B"),
        ];
        for (name, times) in [
            ("round with one note", &mut self.notes),
            ("idle round", &mut self.idle),
            ("first page of the office's list", &mut self.lists),
        ] {
            let (p50, p99) = (percentile(times, 50), percentile(times, 99));
            figures.push(Figure::told(format!("{name}: p50"), p50, "ms"));
            figures.push(Figure::told(format!("{name}: p99"), p99, "ms"));
        }
        figures
    }
}

/// Seconds that an errand of the program takes.
fn errand(words: &[&str]) -> Result<f64, String> {
    let started = Watch::start();
    Program::errand(words)?;
    Ok(started.elapsed().as_secs_f64())
}

fn text(path: &Path) -> Result<&str, String> {
    path.to_str().ok_or_else(|| "a name in UTF-8".to_owned())
}

/// Runs everything of this file, with ever more cases up to `most`. Each file must be sound in the end.
///
/// # Errors
/// What was not as it must be.
pub fn measure(most: usize, seed: u64) -> Result<Vec<Figure>, String> {
    let folder = Folder::new("growth").map_err(|error| error.to_string())?;
    let mut figures = Vec::new();
    let mut stages = Vec::new();
    for cases in [100, 10_000, 100_000, 1_000_000] {
        if cases <= most {
            let (stage, seconds) = Stage::fill(&folder, cases, seed);
            figures.push(Figure::told(
                format!("{cases} cases: filling"),
                seconds,
                "s",
            ));
            stages.push(stage);
        }
    }
    let mut programs = Vec::new();
    for stage in &stages {
        let started = Watch::start();
        programs.push(Program::start(&stage.file, 0, &[])?);
        let name = format!("{} cases: from the start until it listens", stage.cases);
        let ms = micros(started.elapsed()) / 1e3;
        figures.push(if stage.cases <= 100_000 {
            Figure::at_most(name, ms, "ms", 1_000.0)
        } else {
            Figure::told(name, ms, "ms")
        });
    }
    let open = |program: &Program| Connection::open(program.address());
    let mut connections: Vec<_> = programs.iter().map(open).collect();
    for _ in 0..TIMES {
        for (stage, connection) in stages.iter_mut().zip(&mut connections) {
            stage.step(connection);
        }
    }
    drop(connections);
    for (stage, program) in stages.iter_mut().zip(&programs) {
        figures.extend(stage.figures(program));
        let (file, copy) = (text(&stage.file)?, folder.file("backup.db"));
        let backup = errand(&["backup", "--database", file, "--to", text(&copy)?])?;
        figures.push(Figure::told("a backup beside the server", backup, "s"));
        std::fs::remove_file(&copy).map_err(|error| error.to_string())?;
    }
    figures.extend(grown(&mut stages));
    programs.into_iter().for_each(Program::kill);
    for stage in stages {
        let (file, cases) = (stage.file.clone(), stage.cases);
        drop(stage);
        let seconds = errand(&["check", "--database", text(&file)?])?;
        figures.push(Figure::told(
            format!("{cases} cases: check, clean"),
            seconds,
            "s",
        ));
    }
    Ok(figures)
}

/// Medians at the largest over those at the smallest.
fn grown(stages: &mut [Stage]) -> Vec<Figure> {
    let [first, .., last] = stages else {
        return Vec::new();
    };
    let at = format!("at {} cases / at {}, medians", last.cases, first.cases);
    let ratio = |few: &mut [f64], many: &mut [f64]| percentile(many, 50) / percentile(few, 50);
    let notes = ratio(&mut first.notes, &mut last.notes);
    let idle = ratio(&mut first.idle, &mut last.idle);
    let lists = ratio(&mut first.lists, &mut last.lists);
    vec![
        Figure::at_most(format!("round with one note: {at}"), notes, "×", GROWTH_MAX).strict(),
        Figure::at_most(format!("idle round: {at}"), idle, "×", GROWTH_MAX).strict(),
        Figure::told(format!("first page of the office's list: {at}"), lists, "×"),
    ]
}
