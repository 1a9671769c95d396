//! Runs the simulation: `sim --seeds 2000`, `sim --seed 17` to replay one.
//!
//! Ends with code 0 only if everything held and every fault and fate occurred.

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::Parser;
use patrol_tests::simulation::coverage::Coverage;
use patrol_tests::simulation::{Mutation, run};

/// As the server's: the days are short and allocate much.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
struct Options {
    /// How many seeds, from `first` on.
    #[arg(long, default_value_t = 2_000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// Breaks the protocol on purpose, by a word of `Mutation`: such as skip-page.
    #[arg(long, default_value = "none")]
    mutation: String,
    /// Replays this seed alone.
    #[arg(long)]
    seed: Option<u64>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let Some(mutation) = Mutation::from_word(&options.mutation) else {
        return ExitCode::FAILURE;
    };
    let (first, count) = options
        .seed
        .map_or((options.first, options.seeds), |seed| (seed, 1));
    let next = AtomicU64::new(first);
    let found = Mutex::new((Coverage::default(), Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count {
                        return;
                    }
                    let (coverage, held) = run(seed, mutation);
                    let mut found = found.lock().expect("no thread panics while holding it");
                    found.0.merge(&coverage);
                    found.1.extend(held.err());
                }
            });
        }
    });
    let (coverage, failures) = found
        .into_inner()
        .expect("no thread panics while holding it");
    report(&coverage, &failures, count)
}

#[expect(clippy::print_stdout, reason = "a command's output")]
fn report(coverage: &Coverage, failures: &[String], count: u64) -> ExitCode {
    for (what, times) in coverage.counts() {
        println!("{times:>9}  {what}");
    }
    for failure in failures.iter().take(20) {
        println!("FAILED {failure}");
    }
    let missing = if count >= 100 {
        coverage.missing()
    } else {
        Vec::new()
    };
    println!(
        "{count} seeds, {} failed, never occurred: {missing:?}",
        failures.len()
    );
    if failures.is_empty() && missing.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
