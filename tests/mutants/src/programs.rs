//! The tests of the copy: what they are, how long each takes, and which mutants it reaches.
//!
//! Each is run by itself, with the mutants in the program and none of them chosen. What reads the sources is left out: it would find the mutants.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Fault;

/// A test.
pub struct Test {
    /// The program that has it.
    program: PathBuf,
    /// Where Cargo runs it.
    folder: PathBuf,
    /// As the harness names it.
    pub name: String,
}

/// What a test does without any mutant.
pub struct Reach {
    /// How long it takes.
    pub time: Duration,
    /// Which mutants it reaches, by number.
    pub mutants: Vec<bool>,
}

/// What became of a test.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It passed.
    Passed,
    /// It failed, or did not come to its end in time.
    Failed,
}

/// Tests that read the sources, or let a program with other sources be built.
const READERS: &[&str] = &["tidy::"];

/// More numbers than there are mutants.
const NUMBERS: usize = 20_000;

/// Builds the copy's tests.
pub fn tests(copy: &Path, build: &Path) -> Result<Vec<Test>, Fault> {
    let output = Command::new("cargo")
        .args(["test", "--workspace", "--no-run", "--message-format=json"])
        .env("CARGO_TARGET_DIR", build)
        .env("CARGO_INCREMENTAL", "0")
        .current_dir(copy)
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err("the tests could not be built".into());
    }
    let mut tests = Vec::new();
    for line in String::from_utf8(output.stdout)?.lines() {
        let message: Value = serde_json::from_str(line)?;
        let program = message["executable"].as_str();
        let manifest = message["manifest_path"].as_str().map(Path::new);
        let (Some(program), Some(folder)) = (program, manifest.and_then(Path::parent)) else {
            continue;
        };
        if message["profile"]["test"] != true {
            continue;
        }
        let list = Command::new(program)
            .args(["--list", "--format", "terse"])
            .current_dir(folder)
            .output()?;
        for line in String::from_utf8(list.stdout)?.lines() {
            let name = line.strip_suffix(": test");
            let reads = |name: &&str| READERS.iter().any(|start| name.starts_with(start));
            if let Some(name) = name.filter(|name| !reads(name)) {
                tests.push(Test {
                    program: program.into(),
                    folder: folder.to_owned(),
                    name: name.to_owned(),
                });
            }
        }
    }
    Ok(tests)
}

/// Runs each test without any mutant. One that fails says nothing of mutants: it is named, and left out.
pub fn reached(tests: &[Test], folder: &Path) -> Result<BTreeMap<usize, Reach>, Fault> {
    let found = Mutex::new(BTreeMap::new());
    in_turns(tests.len(), |place| {
        let test = &tests[place];
        let marks = folder.join(format!("seen-{place}"));
        std::fs::write(&marks, vec![0; NUMBERS])?;
        let seen = ("MUTANTS_SEEN", marks.as_os_str());
        let (end, time) = test.run(seen, Duration::from_secs(900))?;
        let seen = std::fs::read(&marks)?;
        std::fs::remove_file(&marks)?;
        if end != End::Passed {
            println!("left out, for it fails without any mutant: {}", test.name);
            return Ok(());
        }
        let mutants = seen.iter().map(|mark| *mark == 1).collect();
        let mut found = found.lock().map_err(|_| "a test's thread ended")?;
        found.insert(place, Reach { time, mutants });
        Ok(())
    })?;
    let found = found.into_inner().map_err(|_| "a test's thread ended")?;
    let time: Duration = found.values().map(|reach| reach.time).sum();
    println!("{} tests, {} s one by one", found.len(), time.as_secs());
    Ok(found)
}

/// Does something with each number below one, on twice as many threads as there are processors: much of a test waits for the disk.
pub fn in_turns(
    count: usize,
    work: impl Fn(usize) -> Result<(), Fault> + Sync,
) -> Result<(), Fault> {
    let next = AtomicUsize::new(0);
    let fault = Mutex::new(None);
    let threads = 2 * std::thread::available_parallelism()?.get();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    if place >= count {
                        break;
                    }
                    if let Err(error) = work(place) {
                        next.store(count, Ordering::Relaxed);
                        if let Ok(mut fault) = fault.lock() {
                            *fault = Some(error.to_string());
                        }
                    }
                }
            });
        }
    });
    match fault.into_inner() {
        Ok(None) => Ok(()),
        Ok(Some(fault)) => Err(fault.into()),
        Err(_) => Err("a thread ended".into()),
    }
}

impl Test {
    /// Runs it with a variable set, for so long at most; what it has started ends with it. Also says how long it took.
    #[expect(clippy::disallowed_methods, reason = "how long tests take is measured")]
    pub fn run(
        &self,
        (name, value): (&str, &std::ffi::OsStr),
        limit: Duration,
    ) -> Result<(End, Duration), Fault> {
        let begun = Instant::now();
        let status = Command::new("timeout")
            .arg("--signal=KILL")
            .arg(limit.as_secs().to_string())
            .arg(&self.program)
            .args(["--exact", &self.name, "--test-threads=1"])
            .env(name, value)
            .env("CARGO_MANIFEST_DIR", &self.folder)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        let end = match status.code() {
            Some(0) => End::Passed,
            _ => End::Failed,
        };
        Ok((end, begun.elapsed()))
    }
}
