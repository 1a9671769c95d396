//! Serving: opens the store, has a directory put in force, listens, stops cleanly.
//!
//! What is served is `api`'s; nothing is decided here.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::folder::put_directory;
use super::sole::Sole;
use super::watch::Watch;
use super::{Faults, one};
use crate::api::{self, CookieKind, Settings};
use crate::app::App;
use crate::calendar::rfc3339;
use crate::config::Config;
use crate::listen::Port;
use crate::tls::Certificates;
use crate::{clock, listen, retire, setup};

/// Serves until it is told to stop, on a database that is held for it.
///
/// # Errors
/// What is wrong, in words.
pub async fn serve(config: &Config, sole: &Sole) -> Result<(), Faults> {
    // A signal that comes before it is listened for ends the program, also in the middle of an upgrade.
    let signals = StopSignals::listen().map_err(one)?;
    let watch = Watch::begin()?;
    let certificates = read_certificates(config)?;
    let database = sole.database();
    sole.may_open()?;
    super::backup::refuse_backup(database)?;
    if database.is_file()
        && let Some(upgraded) = super::backup::bring_up_to_date(database)?
    {
        let (from, backup) = (upgraded.from, upgraded.backup.display());
        tracing::warn!(from, %backup, "the database was of version {from} and has been upgraded; as it was it lies in {backup}");
    }
    // By its name, so that it is seen if that comes to mean another file.
    let app = Arc::new(super::open(&config.database).map_err(one)?);
    sole.note_used();
    warn_of_readers(database);
    put_directory(&app, config)?;
    say_if_behind(&app)?;
    let listener = bound("--listen", config.listen).await?;
    let address = listener.local_addr().map_err(one)?;
    let metrics = show_metrics(&app, config).await?;
    // Once the port is ours: a start that fails takes no code away from a server that runs.
    say_how_to_begin(&app, database)?;
    // Scripts and tests wait for this line, and read the port from it.
    tracing::info!(listen = %address, "listening on {address}");
    let settings = Settings {
        cookies: if config.plain_cookies {
            CookieKind::Plain
        } else {
            CookieKind::Secure
        },
        stall: Duration::from_millis(config.stall_ms),
        url: config.url.clone(),
    };
    let daily = tokio::spawn(daily(Arc::clone(&app)));
    let watch = tokio::spawn(watch.watch(Arc::clone(&app), certificates.clone()));
    let stopping = Arc::new(Notify::new());
    let stop = Arc::clone(&stopping);
    let port = Port {
        listener,
        certificates,
    };
    let served = listen::serve(port, app, settings, async move {
        stop.notified().await;
    });
    let mut served = std::pin::pin!(served);
    tokio::select! {
        () = &mut served => {}
        () = signals.heard() => {}
    }
    tracing::info!("stopping: open requests may finish");
    daily.abort();
    watch.abort();
    if let Some(metrics) = metrics {
        metrics.abort();
    }
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

/// A socket at the address of a setting.
async fn bound(setting: &str, address: SocketAddr) -> Result<TcpListener, Faults> {
    let listener = TcpListener::bind(address).await;
    listener.map_err(|error| one(format!("{setting} {address}: {error}")))
}

fn read_certificates(config: &Config) -> Result<Option<Arc<Certificates>>, Faults> {
    let files = config.tls_certificate.as_ref().zip(config.tls_key.as_ref());
    let read = files.map(|(certificate, key)| Certificates::open(certificate, key));
    Ok(read.transpose().map_err(one)?.map(Arc::new))
}

/// Shows metrics on a port of their own, if there is to be one.
async fn show_metrics(app: &Arc<App>, config: &Config) -> Result<Option<JoinHandle<()>>, Faults> {
    let Some(address) = config.metrics else {
        return Ok(None);
    };
    let listener = bound("--metrics", address).await?;
    let address = listener.local_addr().map_err(one)?;
    tracing::info!(metrics = %address, "metrics on {address}");
    let (app, router) = (Arc::clone(app), api::metrics_router(Arc::clone(app)));
    let stall = Duration::from_millis(config.stall_ms);
    let shown = listen::serve_routes(listener, app, router, stall, std::future::pending());
    Ok(Some(tokio::spawn(shown)))
}

/// Says it where others can read the database: keys and passwords' hashes are inside.
#[cfg(unix)]
fn warn_of_readers(database: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let file = std::fs::metadata(database);
    let mode = file.map_or(0, |file| file.permissions().mode() & 0o777);
    if mode & 0o044 != 0 {
        let path = database.display();
        tracing::warn!(
            "others can read {path} (its mode is {mode:o}), and keys are inside: chmod 600"
        );
    }
}

#[cfg(not(unix))]
fn warn_of_readers(_: &Path) {}

/// Where nobody can sign in: says, this once, the code that changes it, and how it is changed without.
fn say_how_to_begin(app: &App, database: &Path) -> Result<(), Faults> {
    if let Some((code, until)) = setup::draw_code(app).map_err(one)? {
        let (database, until) = (database.display(), rfc3339(until));
        tracing::info!(
            "nobody can sign in yet; the first administrator: POST /v1/setup with the setup code {code}, good until {until} or the next \
             start, or here: patrol-server person administrator --database {database} --name NAME --login LOGIN, with the password as input"
        );
    }
    Ok(())
}

/// Says it where the clock is before what was received.
fn say_if_behind(app: &App) -> Result<(), Faults> {
    if let Some(at) = clock::received_ahead(app).map_err(one)? {
        let (now, at) = (rfc3339(app.environment.now()), rfc3339(at));
        tracing::error!(
            "the clock says {now}, and something was received at {at}: set the clock right; see the handbook, A wrong clock"
        );
    }
    Ok(())
}

/// Does at the start, and then once a day, what time brings.
async fn daily(app: Arc<App>) {
    let mut days = tokio::time::interval(Duration::from_hours(24));
    loop {
        days.tick().await;
        let app = Arc::clone(&app);
        let work = move || {
            let now = app.environment.now();
            app.store.look_through()?;
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
