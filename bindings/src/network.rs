//! The calls that wait for a network: `enrol`, `sync` and `refresh_components`. They run on the runtime's own thread, never on the caller's,
//! and end at once when they are cancelled, dropped or the object is shut down.

use std::future::Future;
use std::sync::Arc;

use patrol_core::replica::{Cancel, Summary};
use patrol_core::sync::http::Http;
use tokio::task::JoinHandle;

use crate::components::ComponentsRefreshed;
use crate::error::{CallbackError, PatrolError};
use crate::{Live, Patrol};

/// What a call of `sync` has done so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, uniffi::Record)]
pub struct SyncSummary {
    /// Requests made.
    pub rounds: u32,
    /// Changes that the server has taken, for good or into review.
    pub pushed: u64,
    /// Documents that have changed here.
    pub pulled: u64,
    /// Bytes of bodies sent.
    pub bytes_up: u64,
    /// Bytes of bodies received.
    pub bytes_down: u64,
    /// A server with much to do asks not to be called again sooner; once everything had been pushed, the call has ended for that.
    pub retry_after_ms: Option<u64>,
}

impl From<Summary> for SyncSummary {
    fn from(summary: Summary) -> Self {
        Self {
            rounds: summary.rounds,
            pushed: summary.pushed as u64,
            pulled: summary.pulled as u64,
            bytes_up: summary.bytes_up as u64,
            bytes_down: summary.bytes_down as u64,
            retry_after_ms: summary.retry_after_ms,
        }
    }
}

/// Is told how a call of `sync` goes on, on the thread on which it runs. What it throws is passed over.
#[uniffi::export(foreign)]
pub trait Progress: Send + Sync {
    /// So much has been done.
    fn progressed(&self, so_far: SyncSummary) -> Result<(), CallbackError>;
}

/// Stops a call of `sync` from another thread. One that was cancelled stays so: make a new one for the next call.
#[derive(Debug, Default, uniffi::Object)]
pub struct SyncCancel(Cancel);

#[uniffi::export]
impl SyncCancel {
    /// For one call of `sync`.
    #[uniffi::constructor]
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops the call at once; it ends with `Cancelled`.
    pub fn cancel(&self) {
        self.0.cancel();
    }
}

#[uniffi::export(async_runtime = "tokio")]
impl Patrol {
    /// Enrols this phone: the server's address and the one-time code as the office's QR code carries them. If the line dies
    /// after the server's answer the phone is enrolled (`status` says so) and `sync` fetches the rest.
    pub async fn enrol(&self, server_url: String, code: String) -> Result<(), PatrolError> {
        let live = self.live()?;
        run(async move {
            let http = live.http()?;
            let enrol = live.replica.enrol(http, &server_url, &code);
            unless_shut(&live, enrol).await
        })
        .await
    }

    /// Catches up: pushes the outbox, pulls what is new, until both ends agree, and fetches the directory and components that have changed. Safe to cancel or kill at any moment and to call
    /// again; a second call at the same time waits for the first.
    #[uniffi::method(default(progress), default(cancel))]
    pub async fn sync(
        &self,
        progress: Option<Arc<dyn Progress>>,
        cancel: Option<Arc<SyncCancel>>,
    ) -> Result<SyncSummary, PatrolError> {
        let live = self.live()?;
        run(async move {
            let http = live.http()?;
            let cancel = cancel.map(|cancel| cancel.0.clone()).unwrap_or_default();
            let told = move |so_far: Summary| {
                if let Some(progress) = &progress {
                    // A screen that cannot show it is no reason to stop.
                    drop(progress.progressed(so_far.into()));
                }
            };
            let sync = live.replica.sync(http, &cancel, &told);
            unless_shut(&live, sync).await.map(SyncSummary::from)
        })
        .await
    }

    /// Fetches what stands in one's villages where that has changed, for a person who does not want to wait for the next `sync`, which
    /// does the same at its end. `UpdateNeeded` where components have a newer form: those that are here stay. A village that cannot be had
    /// keeps no other away: its error comes when the others have been fetched.
    pub async fn refresh_components(&self) -> Result<ComponentsRefreshed, PatrolError> {
        let live = self.live()?;
        run(async move {
            let http = live.http()?;
            let refresh = live.replica.refresh_components(http);
            unless_shut(&live, refresh)
                .await
                .map(ComponentsRefreshed::from)
        })
        .await
    }
}

impl Live {
    /// The way to the server, made when it is first needed: it reads the platform's certificates.
    fn http(&self) -> Result<&Http, PatrolError> {
        if let Some(http) = self.http.get() {
            return Ok(http);
        }
        let http = Http::new().map_err(|_| PatrolError::Broken {
            reason: "no TLS roots".to_owned(),
        })?;
        Ok(self.http.get_or_init(|| http))
    }
}

/// Runs a call that ends at once when the object is shut down.
async fn unless_shut<T>(
    live: &Live,
    call: impl Future<Output = patrol_core::error::Result<T>>,
) -> Result<T, PatrolError> {
    tokio::select! {
        biased;
        () = live.shut.cancelled() => Err(PatrolError::ShutDown),
        result = call => result.map_err(PatrolError::from),
    }
}

/// Stops a task whose caller has gone.
struct Ends<T>(JoinHandle<T>);

impl<T> Drop for Ends<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Runs a call on the runtime's thread: whoever polls (an app's main thread, perhaps) neither writes files nor unpacks pages.
async fn run<T: Send + 'static>(
    call: impl Future<Output = Result<T, PatrolError>> + Send + 'static,
) -> Result<T, PatrolError> {
    let mut task = Ends(tokio::spawn(call));
    match (&mut task.0).await {
        Ok(result) => result,
        // uniffi makes an exception of it, as it does of any panic in a call.
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(PatrolError::Cancelled),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_reaches_the_caller_who_makes_an_exception_of_it() {
        let broken = tokio::spawn(run::<()>(async { panic!("on purpose") }));
        assert!(broken.await.expect_err("it panics").is_panic());
        let sound = run(async { Ok(7) });
        assert_eq!(sound.await, Ok(7));
    }

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_ends() {
        let (alive, gone) = tokio::sync::oneshot::channel::<()>();
        let mut call = Box::pin(run::<()>(async move {
            let _alive = alive;
            std::future::pending().await
        }));
        assert!(poll_once(&mut call).await.is_none());
        drop(call);
        assert!(gone.await.is_err());
    }

    async fn poll_once<T>(call: &mut (impl Future<Output = T> + Unpin)) -> Option<T> {
        tokio::select! {
            biased;
            done = call => Some(done),
            () = std::future::ready(()) => None,
        }
    }
}
