//! Runs the benchmarks: `bench`, or `bench bytes` for a part. Prints a table and writes `target/bench.json`.

use std::process::ExitCode;

use clap::Parser;
use patrol_tests::bench::{Figure, bytes, server};

/// The server's own choice, so that what is measured is what runs.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
struct Options {
    /// Only this part: bytes, server, device, growth.
    part: Option<String>,
    /// All content follows from it.
    #[arg(long, default_value_t = 7)]
    seed: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let is_due = |part: &str| options.part.as_deref().is_none_or(|only| only == part);
    if is_due("bytes") {
        print(&bytes::measure(options.seed).await);
    }
    if is_due("server") {
        print(&server::measure(options.seed).await);
    }
    ExitCode::SUCCESS
}

#[expect(clippy::print_stdout, reason = "a command's output")]
fn print(figures: &[Figure]) {
    for figure in figures {
        println!("{}", figure.row());
    }
}
