//! Runs the benchmarks: `bench`, or `bench bytes` for a part. Prints a table and writes `bench.json` into
//! the folder of what was built.
//!
//! Ends with code 0 whatever the figures are, since machines differ and budgets are read by people; unless `--slack` says how bad they may be.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use patrol_tests::bench::{Figure, bytes, components, device, growth, line, machine, server};

/// The server's own choice, so that what is measured is what runs.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
struct Options {
    /// Only this part: bytes, line, server, device, components, growth. (`phone` and `serve` are the processes that those start.)
    part: Option<String>,
    /// All content follows from it.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Fails where a budget is missed: sizes and counts at all, times by more than so many times.
    #[arg(long)]
    slack: Option<f64>,
    /// Where the figures go as JSON; `bench.json` in the folder of what was built for a run of all parts, nowhere for one of them.
    #[arg(long)]
    json: Option<PathBuf>,
    /// The file of a started process.
    #[arg(long)]
    file: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    match (options.part.as_deref(), &options.file) {
        (Some("phone"), Some(file)) => tell(&device::phone(file, options.seed).await.to_string()),
        (Some("serve"), Some(file)) => growth::serve(file, options.seed).await,
        _ => return all(&options).await,
    }
    ExitCode::SUCCESS
}

async fn all(options: &Options) -> ExitCode {
    let is_due = |part: &str| options.part.as_deref().is_none_or(|only| only == part);
    tell(&format!("{} · seed {}", machine(), options.seed));
    let mut figures: Vec<Figure> = Vec::new();
    if is_due("bytes") {
        show(&mut figures, bytes::measure(options.seed).await);
    }
    if is_due("line") {
        show(&mut figures, line::measure(options.seed).await);
    }
    if is_due("server") {
        show(&mut figures, server::measure(options.seed).await);
    }
    if is_due("device") {
        show(&mut figures, device::measure(options.seed).await);
    }
    if is_due("components") {
        show(&mut figures, components::measure(options.seed).await);
    }
    if is_due("growth") {
        show(&mut figures, growth::measure(options.seed).await);
    }
    let missed = figures
        .iter()
        .filter(|figure| figure.is_ok() == Some(false));
    tell(&format!(
        "{} of {} budgets missed",
        missed.count(),
        figures.iter().filter_map(Figure::is_ok).count()
    ));
    if let Some(slack) = options.slack
        && let Some(missed) = figures.iter().find(|figure| !figure.is_within(slack))
    {
        tell(&format!(
            "missed by more than {slack} times: {}",
            missed.name
        ));
        return ExitCode::FAILURE;
    }
    match (options.json.clone(), &options.part) {
        (None, Some(_)) => ExitCode::SUCCESS,
        (Some(path), _) => kept(&figures, Ok(path)),
        (None, None) => kept(&figures, usual()),
    }
}

fn kept(figures: &[Figure], path: std::io::Result<PathBuf>) -> ExitCode {
    let json: Vec<_> = figures.iter().map(Figure::json).collect();
    let json = serde_json::Value::from(json).to_string();
    match path.and_then(|path| std::fs::write(path, json)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&format!("the figures were not written: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn show(all: &mut Vec<Figure>, figures: Vec<Figure>) {
    figures.iter().for_each(|figure| tell(&figure.row()));
    all.extend(figures);
}

/// Where the figures of a whole run go: beside the profile's folder in which this program was built, wherever that is.
fn usual() -> std::io::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let target = own
        .ancestors()
        .nth(2)
        .map(|target| target.join("bench.json"));
    target.ok_or_else(|| std::io::Error::other("a program lies in a folder"))
}

#[expect(clippy::print_stdout, reason = "a command's output")]
fn tell(line: &str) {
    println!("{line}");
}
