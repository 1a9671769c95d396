//! Reads the command line, does what it says, prints what an errand found.

use std::io::{ErrorKind, Write as _};
use std::process::ExitCode;

use patrol_core::domain::limits;
use patrol_server::command::{self, Command, CommandLine, Faults, Sole};
use tracing_subscriber::EnvFilter;

/// Loading a document is thousands of small allocations; this one takes a fifth off the time of a push.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // Whoever reads the log slowly, or not at all, holds up no request: then lines are lost.
    let (log, _written) = tracing_appender::non_blocking(std::io::stderr());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(log)
        .init();
    heed_limits();
    let line = CommandLine::read();
    let settings = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    for name in command::unknown_settings(settings) {
        tracing::warn!("{name} is no setting of this program, and does nothing");
    }
    let done = match line.command.unwrap_or(Command::Serve(line.config)) {
        Command::Serve(config) => {
            let served = serve(&config);
            // The runtime is gone by now, and with it every hold on the database.
            served.inspect(|()| tracing::info!("the database is closed"))
        }
        errand => command::run(&errand, &mut std::io::stdin().lock()).and_then(|found| {
            let mut output = std::io::stdout().lock();
            let written = found
                .iter()
                .try_for_each(|value| writeln!(output, "{value}"));
            match written {
                // Who reads has enough, as `head` does.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
                written => written.map_err(|error| vec![error.to_string()]),
            }
        }),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(faults) => {
            faults.iter().for_each(|fault| tracing::error!("{fault}"));
            ExitCode::FAILURE
        }
    }
}

/// Where a file may not grow beyond a limit of the system, a write fails and says so; by itself the system would end the program.
fn heed_limits() {
    #[cfg(unix)]
    {
        let heard = std::sync::Arc::default();
        let heeded = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, heard);
        if let Err(error) = heeded {
            tracing::warn!(%error, "limits of files end the program: {error}");
        }
    }
}

fn serve(config: &patrol_server::config::Config) -> Result<(), Faults> {
    // Until the runtime is gone, and with it the last work on the database.
    let sole = Sole::server(config)?;
    // Work on the database waits for its turn here: more threads would only hold more memory while they wait for the same disk and cores.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(limits::WORKS_AT_ONCE)
        .build()
        .map_err(|error| vec![error.to_string()])?;
    runtime.block_on(command::serve(config, &sole))
}
