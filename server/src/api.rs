//! Every URL on one page.
//!
//! Handlers decode, call one function of the server, and encode. They hold no rule and no SQL.

mod access;
mod bundles;
mod cases;
mod components;
mod devices;
mod extract;
mod imports;
mod json;
mod openapi;
mod people;
mod reviews;
mod session;
mod setup;
mod sync;
mod villages;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use patrol_core::domain::limits;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use access::metrics_router;

use crate::app::App;
use crate::error::ApiError;
use crate::share::{Place, Shares};
use crate::tries::{Of, Try};

/// What handlers share: the server, and the one bridge from async to the database.
#[derive(Clone, Debug)]
pub struct Host {
    app: Arc<App>,
    settings: Settings,
    /// What describes all routes.
    openapi: Bytes,
    /// Places for passwords that are being hashed or wait for it: each takes memory and time on purpose.
    sign_ins: Arc<Semaphore>,
    hashing: Arc<Semaphore>,
    bundles: bundles::Desk,
    /// What each device has a right to.
    pub(crate) shares: Arc<Shares>,
}

/// How the server meets its clients.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether browsers reach this server by https: then cookies are marked so.
    pub cookies: CookieKind,
    /// How long a client may keep still within a request, and how long a request of JSON may take in all.
    pub stall: Duration,
    /// The address that the codes of new phones carry; if none is said, the one under which the browser reaches this server.
    pub url: Option<String>,
}

impl Settings {
    /// The usual patience.
    pub fn new(cookies: CookieKind) -> Self {
        Self {
            cookies,
            stall: Duration::from_millis(limits::STALL_MS),
            url: None,
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

impl CookieKind {
    /// What the session cookie is called. By the prefix browsers take it from this very host alone, and by TLS.
    pub fn name(self) -> &'static str {
        match self {
            Self::Secure => "__Host-xuncun_session",
            Self::Plain => "xuncun_session",
        }
    }
}

impl Host {
    /// How the session cookie is marked.
    pub(crate) fn cookies(&self) -> CookieKind {
        self.settings.cookies
    }

    /// The address that the codes of new phones carry, if one is set.
    pub(crate) fn url(&self) -> Option<&str> {
        self.settings.url.as_deref()
    }

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

    /// A try of a secret, and a turn for hashing. Of one that has to wait, nothing is hashed; who hangs up meanwhile has not tried.
    pub(crate) async fn turn_to_try(
        &self,
        of: Of<'_>,
    ) -> Result<(Try, [OwnedSemaphorePermit; 2]), ApiError> {
        let tried = self.app.tries.begin(of, self.app.environment.now())?;
        Ok((tried, self.turn_to_hash().await?))
    }

    /// How handlers reach the database: work runs on a thread that may wait.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&App) -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let app = Arc::clone(&self.app);
        let counted = app.begin_work();
        let span = tracing::Span::current();
        let joined = tokio::task::spawn_blocking(move || {
            let value = span.in_scope(|| work(&app));
            drop(counted);
            value
        });
        let joined = joined.await;
        joined.map_err(|error| {
            tracing::error!(%error, "a request's work panicked: {error}");
            ApiError::Unavailable
        })
    }

    /// The same for a device, in its turn.
    pub(crate) async fn in_turn<T: Send + 'static>(
        &self,
        place: &Place,
        work: impl FnOnce(&App) -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let turn = place.turn().await?;
        self.blocking(move |app| {
            let _working = turn.begin();
            work(app)
        })
        .await
    }
}

/// The server's routes.
pub fn router(app: Arc<App>, settings: Settings) -> Router {
    // How large a body gets, and how long a piece of one may take, these see to themselves; uploads to the latter.
    let streams = OpenApiRouter::new()
        .routes(routes!(sync::round))
        .routes(routes!(bundles::hand_in))
        .layer(DefaultBodyLimit::disable());
    let uploads = OpenApiRouter::new()
        .routes(routes!(imports::preview))
        .layer(DefaultBodyLimit::max(limits::IMPORT_BYTES_MAX));
    let json = OpenApiRouter::with_openapi(openapi::frame(settings.cookies))
        .routes(routes!(openapi::describe))
        .routes(routes!(devices::health))
        .routes(routes!(devices::directory))
        .routes(routes!(components::tags))
        .routes(routes!(components::near))
        .routes(routes!(components::of_code))
        .routes(routes!(components::of_village))
        .routes(routes!(devices::list))
        .routes(routes!(devices::issue_code))
        .routes(routes!(devices::enrol))
        .routes(routes!(devices::take_back))
        .routes(routes!(devices::revoke))
        .routes(routes!(session::show, session::sign_in, session::sign_out))
        .routes(routes!(session::change_password))
        .routes(routes!(people::put_password))
        .routes(routes!(people::leave))
        .routes(routes!(setup::set_up))
        .routes(routes!(cases::list, cases::begin))
        .routes(routes!(cases::show))
        .routes(routes!(cases::act))
        .routes(routes!(imports::list))
        .routes(routes!(imports::preview_proposals))
        .routes(routes!(imports::adopt))
        .routes(routes!(imports::directory))
        .routes(routes!(imports::restore))
        .routes(routes!(imports::replaced))
        .routes(routes!(villages::lacking))
        .routes(routes!(villages::register, villages::end))
        .routes(routes!(reviews::list))
        .routes(routes!(reviews::settle))
        .layer(DefaultBodyLimit::max(limits::JSON_BYTES_MAX))
        .layer(middleware::from_fn_with_state(settings.stall, in_time));
    let (routes, openapi) = json.merge(streams).merge(uploads).split_for_parts();
    routes
        .fallback(async || ApiError::NotFound)
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
        .layer(middleware::map_response(unkept))
        .layer(middleware::from_fn_with_state(
            Arc::clone(&app),
            access::note,
        ))
        .with_state(Host {
            app,
            settings,
            openapi: openapi::written(openapi),
            sign_ins: Arc::new(Semaphore::new(limits::SIGN_INS_WAITING)),
            hashing: Arc::new(Semaphore::new(limits::SIGN_INS_AT_ONCE)),
            bundles: bundles::Desk::default(),
            shares: Arc::default(),
        })
}

/// Nobody on the way keeps an answer, nor does a browser once its person is gone: people and cases are in them.
async fn unkept(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Ends a request whose body trickles in, or that waits too long for a turn.
async fn in_time(State(stall): State<Duration>, request: Request, next: Next) -> Response {
    let answered = tokio::time::timeout(stall, next.run(request)).await;
    answered.unwrap_or_else(|_| ApiError::Stalled.into_response())
}
