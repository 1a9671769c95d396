//! Looking again, every few seconds and on a hangup signal, at what may be changed beside a running server: the directory in its database,
//! its certificate.
//!
//! What cannot be read is logged, and what was in force stays.

use std::sync::Arc;
use std::time::Duration;

use patrol_core::domain::limits;

use super::Faults;
use crate::app::App;
use crate::tls::{Certificates, Look};

/// Hears hangups, from the moment it is made.
pub(super) struct Watch {
    #[cfg(unix)]
    hangups: tokio::signal::unix::Signal,
}

impl Watch {
    #[cfg(unix)]
    pub(super) fn begin() -> Result<Self, Faults> {
        use tokio::signal::unix::{SignalKind, signal};
        let hangups = signal(SignalKind::hangup()).map_err(super::one)?;
        Ok(Self { hangups })
    }

    #[cfg(unix)]
    async fn heard(&mut self) {
        if self.hangups.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }

    #[cfg(not(unix))]
    pub(super) fn begin() -> Result<Self, Faults> {
        Ok(Self {})
    }

    #[cfg(not(unix))]
    async fn heard(&mut self) {
        std::future::pending::<()>().await;
    }

    /// Looks again and again.
    pub(super) async fn watch(mut self, app: Arc<App>, certificates: Option<Arc<Certificates>>) {
        let mut times = tokio::time::interval(Duration::from_millis(limits::LOOK_AGAIN_MS));
        loop {
            let how = tokio::select! {
                _ = times.tick() => Look::IfChanged,
                () = self.heard() => Look::Anyway,
            };
            let (app, certificates) = (Arc::clone(&app), certificates.clone());
            let looked =
                tokio::task::spawn_blocking(move || look(&app, certificates.as_deref(), how));
            if let Err(error) = looked.await {
                tracing::error!(%error, "looking again panicked: {error}");
            }
            if how == Look::Anyway {
                tracing::info!("looked again, as told");
            }
        }
    }
}

fn look(app: &App, certificates: Option<&Certificates>, how: Look) {
    if let Err(error) = app.refresh_directory() {
        tracing::error!(%error, "the directory was not taken up: {error}");
    }
    let Some(certificates) = certificates else {
        return;
    };
    match certificates.look_again(how, app.environment.now()) {
        Ok(false) => {}
        Ok(true) => tracing::info!("the certificate was read again and is in force"),
        Err(fault) => {
            tracing::error!("the new certificate is not used, the old one stays: {fault}");
        }
    }
    app.metrics.note_certificate(certificates.until());
    if let Some(warning) = certificates.warning(app.environment.now()) {
        tracing::warn!("{warning}");
    }
}
