//! Every URL on one page.
//!
//! Handlers decode, call one function of the server, and encode. They hold no rule and no SQL.

mod cases;
mod components;
mod devices;
mod extract;
mod imports;
mod json;
mod reviews;
mod session;
mod sync;
mod villages;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use patrol_core::domain::limits;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::app::App;
use crate::error::ApiError;

/// What handlers share: the server, and the one bridge from async to the database.
#[derive(Clone, Debug)]
pub struct Host {
    app: Arc<App>,
    settings: Settings,
    /// Places for passwords that are being hashed or wait for it: each takes memory and time on purpose.
    sign_ins: Arc<Semaphore>,
    hashing: Arc<Semaphore>,
}

/// How the server meets its clients.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Whether browsers reach this server by https: then cookies are marked so.
    pub cookies: CookieKind,
    /// How long a client may keep still within a request, and how long a request of JSON may take in all.
    pub stall: Duration,
}

impl Settings {
    /// The usual patience.
    pub fn new(cookies: CookieKind) -> Self {
        Self {
            cookies,
            stall: Duration::from_millis(limits::STALL_MS),
        }
    }
}

/// How the session cookie is marked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CookieKind {
    /// Only over TLS.
    Secure,
    /// Also in the clear: for tests and closed networks.
    Plain,
}

impl Host {
    /// A turn for hashing a password; none where too many wait already. It ends when it is dropped.
    pub(crate) async fn turn_to_hash(&self) -> Result<[OwnedSemaphorePermit; 2], ApiError> {
        let place = Arc::clone(&self.sign_ins)
            .try_acquire_owned()
            .map_err(|_| ApiError::Unavailable)?;
        let turn = Arc::clone(&self.hashing)
            .acquire_owned()
            .await
            .map_err(|_| ApiError::Unavailable)?;
        Ok([place, turn])
    }

    /// The only place where async code reaches the database: work runs on a thread that may wait.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&App) -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let app = Arc::clone(&self.app);
        let counted = app.begin_work();
        let joined = tokio::task::spawn_blocking(move || {
            let value = work(&app);
            drop(counted);
            value
        });
        let joined = joined.await;
        joined.map_err(|error| {
            tracing::error!(%error, "a request's work panicked: {error}");
            ApiError::Unavailable
        })
    }
}

/// The server's routes.
pub fn router(app: Arc<App>, settings: Settings) -> Router {
    let sync = Router::new()
        .route("/v1/sync", post(sync::round))
        .layer(DefaultBodyLimit::disable());
    let uploads = Router::new()
        .route("/v1/imports", post(imports::preview))
        .layer(DefaultBodyLimit::max(limits::IMPORT_BYTES_MAX));
    let json = Router::new()
        .route("/healthz", get(devices::health))
        .route("/v1/directory", get(devices::directory))
        .route("/v1/components", get(components::tags))
        .route("/v1/components/near", get(components::near))
        .route("/v1/components/codes/{code}", get(components::of_code))
        .route("/v1/components/{village}", get(components::of_village))
        .route("/v1/devices", get(devices::list))
        .route("/v1/devices/codes", post(devices::issue_code))
        .route("/v1/devices/enrol", post(devices::enrol))
        .route("/v1/devices/return", post(devices::take_back))
        .route("/v1/devices/{device}/revoke", post(devices::revoke))
        .route(
            "/v1/session",
            get(session::show)
                .post(session::sign_in)
                .delete(session::sign_out),
        )
        .route("/v1/cases", get(cases::list).post(cases::begin))
        .route("/v1/cases/{document}", get(cases::show))
        .route("/v1/cases/{document}/actions", post(cases::act))
        .route("/v1/imports", get(imports::list))
        .route("/v1/imports/{id}/adopt", post(imports::adopt))
        .route("/v1/imports/directories/{no}", get(imports::directory))
        .route("/v1/imports/components/{no}", get(imports::replaced))
        .route("/v1/reviews", get(reviews::list))
        .route("/v1/reviews/{document}/{change}", post(reviews::settle))
        .route("/v1/villages/lacking", get(villages::lacking))
        .route(
            "/v1/villages/{village}/terminal",
            post(villages::register).delete(villages::end),
        )
        .layer(DefaultBodyLimit::max(limits::JSON_BYTES_MAX))
        .layer(middleware::from_fn_with_state(settings.stall, in_time));
    sync.merge(uploads)
        .merge(json)
        .fallback(async || ApiError::NotFound)
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
        .with_state(Host {
            app,
            settings,
            sign_ins: Arc::new(Semaphore::new(limits::SIGN_INS_WAITING)),
            hashing: Arc::new(Semaphore::new(limits::SIGN_INS_AT_ONCE)),
        })
}

/// Ends a request whose body trickles in, or that waits too long for a turn.
async fn in_time(State(stall): State<Duration>, request: Request, next: Next) -> Response {
    let answered = tokio::time::timeout(stall, next.run(request)).await;
    answered.unwrap_or_else(|_| ApiError::Stalled.into_response())
}
