//! Serving: opens the store, puts a directory in force, listens, stops cleanly.
//!
//! What is served is `api`'s; nothing is decided here.

use std::sync::Arc;
use std::time::Duration;

use patrol_core::domain::limits;
use tokio::sync::Notify;

use super::{Faults, one};
use crate::api::{CookieKind, Settings};
use crate::app::App;
use crate::config::Config;
use crate::{directory, listen, retire};

/// Serves until it is told to stop.
///
/// # Errors
/// What is wrong, in words.
pub async fn serve(config: &Config) -> Result<(), Faults> {
    let faults = config.faults();
    if !faults.is_empty() {
        return Err(faults);
    }
    let app = Arc::new(super::open(&config.database).map_err(one)?);
    put_directory(&app, config)?;
    if !app.store.has_account().map_err(one)? {
        let database = config.database.display();
        tracing::info!(
            "nobody can sign in yet; the first administrator: patrol-server person list --database {database}, then \
             patrol-server person password --database {database} --person HEX --login NAME, with the password as input"
        );
    }
    let signals = StopSignals::listen().map_err(one)?;
    let listener = tokio::net::TcpListener::bind(config.listen)
        .await
        .map_err(one)?;
    let address = listener.local_addr().map_err(one)?;
    // Scripts and tests wait for this line, and read the port from it.
    tracing::info!(listen = %address, "listening on {address}");
    let settings = Settings {
        cookies: if config.plain_cookies {
            CookieKind::Plain
        } else {
            CookieKind::Secure
        },
        stall: Duration::from_millis(config.stall_ms),
    };
    let daily = tokio::spawn(daily(Arc::clone(&app)));
    let looking = tokio::spawn(look_for_directory(Arc::clone(&app)));
    let stopping = Arc::new(Notify::new());
    let stop = Arc::clone(&stopping);
    let served = listen::serve(listener, app, settings, async move {
        stop.notified().await;
    });
    let mut served = std::pin::pin!(served);
    tokio::select! {
        () = &mut served => {}
        () = signals.heard() => {}
    }
    tracing::info!("stopping: open requests may finish");
    daily.abort();
    looking.abort();
    stopping.notify_one();
    match tokio::time::timeout(Duration::from_millis(config.stop_ms), served).await {
        Ok(()) => Ok(()),
        Err(_) => {
            // Whatever they had not committed, their senders will send again.
            tracing::warn!("open requests were cut after {} ms", config.stop_ms);
            Ok(())
        }
    }
}

/// Does at the start, and then once a day, what time brings.
async fn daily(app: Arc<App>) {
    let mut days = tokio::time::interval(Duration::from_hours(24));
    loop {
        days.tick().await;
        let app = Arc::clone(&app);
        let work = move || {
            let now = app.environment.now();
            app.store.tidy(now)?;
            retire::retire_ended(&app, now)
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(Ok(0)) => {}
            Ok(Ok(retired)) => {
                tracing::info!(
                    retired,
                    "{retired} cases that ended long ago left their feeds"
                );
            }
            Ok(Err(error)) => tracing::error!(%error, "the daily work failed: {error}"),
            Err(error) => tracing::error!(%error, "the daily work panicked: {error}"),
        }
    }
}

/// Takes up, every few seconds, a directory that a command has put in force.
async fn look_for_directory(app: Arc<App>) {
    let mut looks = tokio::time::interval(Duration::from_millis(limits::DIRECTORY_LOOK_MS));
    loop {
        looks.tick().await;
        let app = Arc::clone(&app);
        match tokio::task::spawn_blocking(move || app.refresh_directory()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the directory was not looked at: {error}"),
            Err(error) => tracing::error!(%error, "the look at the directory panicked: {error}"),
        }
    }
}

/// What tells a server to stop: Ctrl-C, or what a supervisor sends. Heard from the moment it is made.
struct StopSignals {
    #[cfg(unix)]
    signals: [tokio::signal::unix::Signal; 2],
}

impl StopSignals {
    #[cfg(unix)]
    fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let signals = [
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
        ];
        Ok(Self { signals })
    }

    #[cfg(unix)]
    async fn heard(mut self) {
        let [interrupt, terminate] = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }

    #[cfg(not(unix))]
    fn listen() -> std::io::Result<Self> {
        Ok(Self {})
    }

    #[cfg(not(unix))]
    async fn heard(self) {
        drop(tokio::signal::ctrl_c().await);
    }
}

/// Puts the directory of the settings in force, if they name one.
fn put_directory(app: &App, config: &Config) -> Result<(), Faults> {
    let Some(folder) = &config.directory else {
        return Ok(());
    };
    let now = app.environment.now();
    let words = |fault: &dyn std::fmt::Debug| format!("{}: {fault:?}", folder.display());
    let mut loaded = directory::load(folder, now)
        .map_err(|faults| faults.iter().map(ToString::to_string).collect::<Faults>())?;
    match (config.synthetic_people, loaded.people.is_empty()) {
        (true, true) => {
            tracing::warn!("made-up people are in the directory: for trials, never for work");
            loaded.people = directory::synthetic_people(&loaded, directory::SYNTHETIC_SINCE);
        }
        (true, false) => {
            let folder = folder.display();
            return Err(vec![format!(
                "--synthetic-people: {folder} has people of its own"
            )]);
        }
        // Without a file of people, those in force stay.
        (false, true) => loaded.people.clone_from(&app.known().directory.people),
        (false, false) => {}
    }
    let unsound = loaded.check(now);
    if !unsound.is_empty() {
        return Err(unsound.iter().map(|fault| words(fault)).collect());
    }
    app.put_directory(&loaded).map_err(one)
}
