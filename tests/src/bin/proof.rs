//! The long runs of `docs/proof.md`: `proof kills --count 1000`, `proof power --count 200`, `proof scale --cases 100000 --phones 5000`,
//! `proof hostile --seconds 240`, `proof soak --seconds 3600`.
//!
//! Ends with code 0 only if everything held.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use patrol_tests::bench::{Figure, machine};
use patrol_tests::fuzzing::{Feed, SEEN, TARGETS, Target, feed};
use patrol_tests::proof::kills::Acknowledges;
use patrol_tests::proof::kills::phone::of_a_phone;
use patrol_tests::proof::scale::Size;
use patrol_tests::proof::{growth, hostile, kills, power, scale, soak, walk};
use patrol_tests::proxy::TWO_G;

#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    what: What,
    /// From which everything random follows.
    #[arg(long, global = true, default_value_t = 7)]
    seed: u64,
    /// How many times as bad a figure of time may be, where the machine does other things.
    #[arg(long, global = true, default_value_t = 1.0)]
    slack: f64,
}

#[derive(Subcommand)]
enum What {
    /// Kills (−9) the server under phones that push, and a phone that reports and syncs.
    Kills {
        /// How often each.
        #[arg(long, default_value_t = 1_000)]
        count: u32,
    },
    /// Lets the power go at random writes of both databases: what was not synced is lost in part, what was told is there.
    Power {
        /// Rounds of work.
        #[arg(long, default_value_t = 200)]
        count: usize,
    },
    /// Disks and clocks gone wrong on either end. As root, for disks that are truly full or that fail.
    Walk,
    /// Runs the fuzzers' targets on altered inputs of their corpora, at full speed and without their guidance.
    Inputs {
        /// Which target; all, if none is named.
        #[arg(long)]
        target: Option<String>,
        /// Inputs of each.
        #[arg(long, default_value_t = 1_000_000)]
        count: usize,
    },
    /// A large city: cases, a kill while phones push, and the phones of one morning.
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
        /// Of them answered at the same time at most.
        #[arg(long, default_value_t = 32)]
        at_once: usize,
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
        /// After how long its server gives up a connection that keeps still: a tenth of what a city's does, so that it happens often.
        #[arg(long, default_value_t = 3_000)]
        stall_ms: u64,
    },
}

impl What {
    /// Runs it.
    fn run(self, seed: u64, slack: f64) -> Held {
        match self {
            Self::Kills { count } => killed(count, seed),
            Self::Power { count } => powerless(count, seed),
            Self::Walk => walked(),
            Self::Inputs { target, count } => fed(target.as_deref(), count, seed),
            Self::Scale {
                cases,
                phones,
                seconds,
                at_once,
            } => {
                let size = Size {
                    cases,
                    phones,
                    seconds,
                    at_once,
                };
                Ok(figured(&scale::measure(size, seed)?, slack))
            }
            Self::Growth { cases } => Ok(figured(&growth::measure(cases, seed)?, slack)),
            Self::Soak { seconds } => {
                let size = soak::Size { seconds, ..SOAK };
                let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
                Ok(figured(&runtime.block_on(soak::run(size, seed))?, slack))
            }
            Self::Hostile { seconds, stall_ms } => {
                let pairs = u32::try_from(seconds.div_ceil(2 * HOSTILE_WINDOW));
                let size = hostile::Size {
                    windows: (pairs.unwrap_or(u32::MAX), HOSTILE_WINDOW),
                    stall_ms,
                    ..HOSTILE
                };
                Ok(figured(&hostile::measure(size, seed)?, slack))
            }
        }
    }
}

/// Kills of a program that acknowledges early, which must be found out.
const EARLY_KILLS: u32 = 40;
/// The long walk, but for its length.
const SOAK: soak::Size = soak::Size {
    seconds: 0,
    phones: 6,
    cases: 3_000,
    outbox: 3_000,
    weather: TWO_G,
    pause_ms: 20_000,
};
/// Seconds of each window into which a long attack is cut: disks of shared machines have slow spells of ten seconds and more.
const HOSTILE_WINDOW: u64 = 4;
/// The long attack, but for its length.
const HOSTILE: hostile::Size = hostile::Size {
    cases: 1_000,
    phones: 4,
    pace_ms: 200,
    slow: 64,
    stall_ms: 0,
    junk: 100_000,
    rounds: 0,
    windows: (0, 0),
};

#[expect(clippy::print_stdout, reason = "a command's output")]
fn main() -> ExitCode {
    let options = Options::parse();
    let seed = options.seed;
    println!("{}", machine());
    match options.what.run(seed, options.slack) {
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

fn figured(figures: &[Figure], slack: f64) -> (Vec<String>, bool) {
    let is_held = figures.iter().all(|figure| figure.is_within(slack));
    (figures.iter().map(Figure::row).collect(), is_held)
}

/// A broken promise panics, and the seed replays it.
fn fed(target: Option<&str>, count: usize, seed: u64) -> Held {
    let wanted = TARGETS
        .into_iter()
        .filter(|(name, _)| target.is_none_or(|wanted| wanted == *name));
    let run = |(name, run): Target| {
        let inputs = Feed::of((name, run), seed).map_err(|error| error.to_string())?;
        let share = feed((name, run), inputs.take(count))? * 100.0;
        Ok(format!(
            "{name}: {count} inputs, {share:.1} % of them beyond the first step, no promise broken"
        ))
    };
    let mut lines = wanted.map(run).collect::<Result<Vec<_>, String>>()?;
    let of = |name: &str| target.is_none_or(|wanted| wanted == name);
    let mut is_held = !lines.is_empty();
    for (name, what, tally) in [
        (
            "admission",
            "changes of people let in, applied, saved and loaded again",
            &SEEN.let_in,
        ),
        (
            "admission",
            "changes rebuilt from a stripped form",
            &SEEN.rebuilt,
        ),
        (
            "admission",
            "changes forged as the server's own, refused",
            &SEEN.forged,
        ),
        ("bundle", "pieces sealed, opened and unpacked", &SEEN.opened),
        (
            "bundle",
            "pieces that could not be unpacked",
            &SEEN.not_unpacked,
        ),
        ("bundle", "changes judged that came in pieces", &SEEN.judged),
        (
            "import",
            "imports adopted that change nothing when they come again",
            &SEEN.adopted,
        ),
    ] {
        if of(name) {
            is_held &= tally.count() > 0;
            lines.push(format!("{name}: {} {what}", tally.count()));
        }
    }
    Ok((lines, is_held))
}

fn powerless(count: usize, seed: u64) -> Held {
    let losses = power::losses(count, None, seed)?;
    let share = losses.unsynced as f64 / losses.cuts.max(1) as f64;
    let (phone, server) = losses.told;
    let mut lines = vec![format!(
        "{} power losses, {} of them with writes that were not synced; {} outcomes opened, {} sectors lost and {} garbled in them; \
         logs copied {} times; {phone} entries recorded, {server} acknowledged, none lost",
        losses.cuts, losses.unsynced, losses.outcomes, losses.lost, losses.garbled, losses.copied,
    )];
    for lie in power::LIES {
        match power::losses(count, Some(lie), seed) {
            Ok(_) => return Err(format!("a disk with {lie:?}: nothing was found lost")),
            Err(found) => lines.push(format!("a disk with {lie:?}, as it must be: {found}")),
        }
    }
    Ok((lines, share >= power::UNSYNCED_SHARE))
}

fn walked() -> Held {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    let steps = runtime.block_on(walk::all())?;
    let has_failed = |step: &Option<walk::Step>| matches!(step, Some(Err(_)));
    let is_held = !steps.iter().any(|(_, step)| has_failed(step));
    let line = |(fault, step): (&str, Option<walk::Step>)| match step {
        Some(Ok(ended)) => format!(
            "{fault}: {}, {} entries told before are there",
            ended.state, ended.told
        ),
        Some(Err(why)) => format!("{fault}: FAILED: {why}"),
        None => format!("{fault}: NOT HAD: a disk must be mounted for it, run this as root"),
    };
    Ok((steps.into_iter().map(line).collect(), is_held))
}

fn killed(count: u32, seed: u64) -> Held {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let victim = own.with_file_name("victim");
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    let server = runtime.block_on(kills::of_a_server(count, Acknowledges::Committed, seed))?;
    let phone = |count, when| runtime.block_on(of_a_phone(&victim, count, when, seed));
    let held = phone(count, Acknowledges::Committed)?;
    let mut lines = vec![
        format!(
            "server killed {} times, {} of them with a round open, {} changes committed without an answer: {} entries told before, \
             none lost, none doubled",
            server.kills, server.cut, server.unanswered, server.told
        ),
        format!(
            "phone killed {} times, {} of them over a draft, {} in a record, {} with a request open, {} in the rest of a sync, {} entries recorded without \
             a word, {} changes committed without an answer: {} entries told before, none lost, none doubled",
            held.kills,
            held.drafting,
            held.recording,
            held.asking,
            held.syncing,
            held.untold,
            held.unanswered,
            held.told
        ),
    ];
    let early = runtime.block_on(kills::of_a_server(EARLY_KILLS, Acknowledges::Early, seed));
    for (what, early) in [
        ("a server that acknowledges early", early.map(|_| ())),
        (
            "a phone that shows early as saved",
            phone(EARLY_KILLS, Acknowledges::Early).map(|_| ()),
        ),
    ] {
        match early {
            Err(found) if found.starts_with("lost") => {
                lines.push(format!("{what}, as it must be: {found}"));
            }
            other => return Err(format!("{what} was not found out: {other:?}")),
        }
    }
    Ok((lines, true))
}
