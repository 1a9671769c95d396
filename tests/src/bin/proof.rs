//! The long runs of `docs/proof.md`: `proof kills --count 1000`, `proof power --count 2000`, `proof scale --cases 100000 --phones 5000`,
//! `proof hostile --seconds 240`, `proof soak --seconds 3600`.
//!
//! Ends with code 0 only if everything held.

use std::process::ExitCode;
use std::sync::atomic::Ordering;

use clap::{Parser, Subcommand};
use patrol_tests::bench::Figure;
use patrol_tests::fuzzing::{LET_IN, TARGETS, Target};
use patrol_tests::proof::scale::Size;
use patrol_tests::proof::{growth, hostile, kills, power, scale, soak, walk};
use patrol_tests::proxy::TWO_G;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    what: What,
    /// From which everything random follows.
    #[arg(long, global = true, default_value_t = 7)]
    seed: u64,
}

#[derive(Subcommand)]
enum What {
    /// Kills (−9) the server under phones that push, and a phone that reports and syncs.
    Kills {
        /// How often each.
        #[arg(long, default_value_t = 1_000)]
        count: u32,
    },
    /// Copies both databases as they lie on the disk after writes, and opens the copies.
    Power {
        /// Rounds of work.
        #[arg(long, default_value_t = 1_000)]
        count: usize,
    },
    /// Disks and clocks gone wrong on either end. As root, for a disk that is truly full.
    Walk,
    /// Runs the fuzzers' targets on random inputs, at full speed and without their guidance.
    Inputs {
        /// Which target; all, if none is named.
        #[arg(long)]
        target: Option<String>,
        /// Inputs of each.
        #[arg(long, default_value_t = 10_000_000)]
        count: u64,
    },
    /// A large city: cases, and phones of one morning.
    Scale {
        /// Cases.
        #[arg(long, default_value_t = 100_000)]
        cases: usize,
        /// Phones.
        #[arg(long, default_value_t = 5_000)]
        phones: usize,
        /// Seconds over which they come; 0: as fast as the server answers.
        #[arg(long, default_value_t = 600)]
        seconds: u64,
    },
    /// Whether a server's work costs more where more exists: with 100 cases, 10,000, 100,000, 1,000,000.
    Growth {
        /// Up to how many.
        #[arg(long, default_value_t = 1_000_000)]
        cases: usize,
    },
    /// Phones on the line of an old network for a long time.
    Soak {
        /// Seconds on it.
        #[arg(long, default_value_t = 3_600)]
        seconds: u64,
    },
    /// The hostile device beside honest phones.
    Hostile {
        /// Seconds, half of them with the attack.
        #[arg(long, default_value_t = 240)]
        seconds: u64,
    },
}

impl What {
    /// Runs it.
    fn run(self, seed: u64) -> Held {
        match self {
            Self::Kills { count } => killed(count, seed),
            Self::Power { count } => powerless(count, seed),
            Self::Walk => walked(),
            Self::Inputs { target, count } => Ok(fed(target.as_deref(), count, seed)),
            Self::Scale {
                cases,
                phones,
                seconds,
            } => {
                let size = Size {
                    cases,
                    phones,
                    seconds,
                };
                Ok(figured(&scale::measure(size, seed)?))
            }
            Self::Growth { cases } => Ok(figured(&growth::measure(cases, seed)?)),
            Self::Soak { seconds } => {
                let size = soak::Size { seconds, ..SOAK };
                let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
                Ok(figured(&runtime.block_on(soak::run(size, seed))?))
            }
            Self::Hostile { seconds } => {
                let size = hostile::Size {
                    windows: (
                        HOSTILE_WINDOWS,
                        seconds.div_ceil(2 * u64::from(HOSTILE_WINDOWS)),
                    ),
                    ..HOSTILE
                };
                Ok(figured(&hostile::measure(size, seed)?))
            }
        }
    }
}

/// The long walk, but for its length.
const SOAK: soak::Size = soak::Size {
    seconds: 0,
    phones: 6,
    cases: 3_000,
    outbox: 3_000,
    weather: TWO_G,
    pause_ms: 20_000,
};
/// Pairs of windows into which a long attack is cut.
const HOSTILE_WINDOWS: u32 = 6;
/// The long attack, but for its length.
const HOSTILE: hostile::Size = hostile::Size {
    cases: 1_000,
    phones: 4,
    pace_ms: 200,
    slow: 64,
    stall_ms: 3_000,
    junk: 100_000,
    rounds: 0,
    windows: (0, 0),
};

#[expect(clippy::print_stdout, reason = "a command's output")]
fn main() -> ExitCode {
    let options = Options::parse();
    let seed = options.seed;
    match options.what.run(seed) {
        Ok((lines, is_held)) => {
            println!("seed {seed}\n{}", lines.join("\n"));
            if is_held {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(fault) => {
            println!("seed {seed}: {fault}");
            ExitCode::FAILURE
        }
    }
}

/// What is to be printed, and whether everything held.
type Held = Result<(Vec<String>, bool), String>;

fn figured(figures: &[Figure]) -> (Vec<String>, bool) {
    let is_held = figures.iter().all(|figure| figure.is_ok() != Some(false));
    (figures.iter().map(Figure::row).collect(), is_held)
}

/// A broken promise panics, and the input is in the panic's seed.
fn fed(target: Option<&str>, count: u64, seed: u64) -> (Vec<String>, bool) {
    let wanted = TARGETS
        .into_iter()
        .filter(|(name, _)| target.is_none_or(|wanted| wanted == *name));
    let run = |(name, run): Target| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut data = Vec::new();
        for _ in 0..count {
            data.clear();
            data.extend((0..rng.random_range(0..96)).map(|_| rng.random::<u8>()));
            run(&data);
        }
        format!("{name}: {count} inputs, no promise broken")
    };
    let mut lines: Vec<String> = wanted.map(run).collect();
    let is_held = !lines.is_empty();
    let let_in = LET_IN.load(Ordering::Relaxed);
    lines.push(format!(
        "{let_in} changes let in, applied, saved and loaded again"
    ));
    (lines, is_held)
}

fn powerless(count: usize, seed: u64) -> Held {
    let losses = power::losses(count, seed)?;
    let (copies, told) = (losses.copies, losses.told);
    let line = format!("{copies} copies opened, {told} entries, nothing lost");
    Ok((vec![line], true))
}

fn walked() -> Held {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    let steps = runtime.block_on(walk::all());
    let is_held = steps.iter().all(|(_, step)| step.is_ok());
    let line = |(fault, step): (&str, walk::Step)| match step {
        Ok(ended) => format!(
            "{fault}: {}, {} entries told before are there",
            ended.state, ended.told
        ),
        Err(why) => format!("{fault}: FAILED: {why}"),
    };
    Ok((steps.into_iter().map(line).collect(), is_held))
}

fn killed(count: u32, seed: u64) -> Held {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let victim = own.with_file_name("victim");
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    let server = runtime.block_on(kills::of_a_server(count, seed))?;
    let phone = runtime.block_on(kills::of_a_phone(&victim, count, seed))?;
    let told = |what: &str, killed: kills::Killed| {
        let (kills, told) = (killed.kills, killed.told);
        format!("{what} killed {kills} times: {told} entries told before, none lost, none doubled")
    };
    Ok((vec![told("server", server), told("phone", phone)], true))
}
