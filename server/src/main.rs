//! Reads the settings, opens the store, serves, stops cleanly.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser as _;
use patrol_server::api::{self, CookieKind};
use patrol_server::app::{App, draw_identity};
use patrol_server::config::Config;
use patrol_server::host::SystemEnvironment;
use patrol_server::store::sqlite::SqliteStore;
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    match serve(&Config::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(faults) => {
            faults.iter().for_each(|fault| tracing::error!("{fault}"));
            ExitCode::FAILURE
        }
    }
}

async fn serve(config: &Config) -> Result<(), Vec<String>> {
    let faults = config.faults();
    if !faults.is_empty() {
        return Err(faults);
    }
    let one = |fault: &dyn std::fmt::Display| vec![fault.to_string()];
    let environment = Arc::new(SystemEnvironment);
    let store = SqliteStore::open(&config.database, || draw_identity(&SystemEnvironment))
        .map_err(|error| one(&error))?;
    let app = Arc::new(App::open(Arc::new(store), environment).map_err(|error| one(&error))?);
    if let Some(folder) = &config.directory {
        let now = app.environment.now();
        let directory = patrol_server::directory::load(folder, now)
            .map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        app.put_directory(&directory).map_err(|error| one(&error))?;
    }
    let listener = tokio::net::TcpListener::bind(config.listen)
        .await
        .map_err(|error| one(&error))?;
    tracing::info!(listen = %config.listen, "listening on {}", config.listen);
    let cookies = if config.plain_cookies {
        CookieKind::Plain
    } else {
        CookieKind::Secure
    };
    let stop = async { drop(tokio::signal::ctrl_c().await) };
    axum::serve(listener, api::router(app, cookies))
        .with_graceful_shutdown(stop)
        .await
        .map_err(|error| one(&error))
}
