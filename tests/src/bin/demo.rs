//! The demo: `demo` until Ctrl-C, `demo --days 2 --seed 7` for a fixed span. Ends with one line of JSON; code 0 only if the audit holds.
//!
//! The story is `patrol_tests::demo`'s; this reads options and signals.

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use patrol_tests::demo::Demo;
use patrol_tests::demo::audit::Demands;
use patrol_tests::demo::plan::Plan;
use patrol_tests::demo::screen::Screen;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tracing_subscriber::EnvFilter;

#[derive(Parser)]
struct Options {
    /// So many days, each in a minute; until Ctrl-C if not given.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=7))]
    days: Option<u64>,
    /// All choices follow from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A very short day of four inspectors, without demands: for a quick look at many seeds.
    #[arg(long, conflicts_with = "days")]
    small: bool,
}

// Files are written durably from these threads: there must be more of them than cores.
#[tokio::main(flavor = "multi_thread", worker_threads = 8)]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("error"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let options = Options::parse();
    let (stop, mut stopped) = oneshot::channel();
    tokio::spawn(watch_signals(stop));
    let mut screen = Screen::new(Box::new(std::io::stdout()));
    match play(&options, &mut stopped, &mut screen).await {
        Ok(code) => code,
        Err(error) => {
            screen.line(&format!("the demo cannot run: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// The first signal ends the story, the second the program.
async fn watch_signals(stop: oneshot::Sender<()>) {
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        // Without signals the sender must live on, or the story would end at once.
        return std::future::pending().await;
    };
    tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
    _ = stop.send(());
    tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
    std::process::exit(130);
}

#[expect(
    clippy::disallowed_methods,
    reason = "a command may say how long it took"
)]
async fn play(
    options: &Options,
    stopped: &mut oneshot::Receiver<()>,
    screen: &mut Screen,
) -> std::io::Result<ExitCode> {
    let began = Instant::now();
    let (plan, demands) = match options.days {
        Some(days) => (Plan::days(days, options.seed), Demands::Full),
        None if options.small => (Plan::small(options.seed), Demands::None),
        None => (Plan::live(options.seed), Demands::None),
    };
    let mut demo = Demo::start(plan).await?;
    screen.head(&demo.city);
    demo.run(stopped, screen).await;
    let told = began.elapsed();
    screen.line("天气放晴，手机全部同步，随后逐一核对 · fair weather: every phone catches up, then the audit");
    demo.settle().await;
    screen.second(&demo.city);
    let audit = demo.close().audit();
    screen.line(&format!(
        "{:.1} s of story, {:.1} s in all{}",
        told.as_secs_f64(),
        began.elapsed().as_secs_f64(),
        cpu_seconds().map_or_else(String::new, |cpu| format!(", {cpu:.1} s of processor time"))
    ));
    screen.line(&audit.json(demands));
    Ok(if audit.failures(demands).is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Processor time of this process, where the system tells it in hundredths of a second.
fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks: Vec<u64> = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse().ok())
        .collect();
    Some(ticks.iter().sum::<u64>() as f64 / 100.0)
}
