//! What is noted of every request: its id, one line of a log, a count. Never a path, a query, a name or an address.
//!
//! It answers nothing itself, but for the metrics, which have a port of their own.

use std::sync::Arc;

use axum::Router;
use axum::body::HttpBody as _;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use patrol_core::domain::limits;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::json;
use crate::app::App;
use crate::error::{ApiError, Code};
use crate::metrics;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Stands in for the route where there is none.
const NO_ROUTE: &str = "unknown";

/// Notes a request and its answer.
pub(super) async fn note(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let id = request_id(&app, request.headers());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or(NO_ROUTE, MatchedPath::as_str);
    let method = method_word(request.method());
    // A clock that nobody sets measures what the wall clock cannot.
    let begun = Instant::now();
    let span = tracing::info_span!("request", id = %id.to_str().unwrap_or_default());
    let mut response = next.run(request).instrument(span).await;
    let took = begun.elapsed();
    let status = response.status().as_u16();
    app.metrics
        .count_request(method, route, status, took.as_secs_f64());
    if let Some(Code(code)) = response.extensions().get() {
        app.metrics.count_error(code);
    }
    tracing::info!(
        target: "access",
        method,
        route,
        status,
        ms = took.as_millis(),
        bytes = response.body().size_hint().exact(),
        request = id.to_str().unwrap_or_default(),
    );
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

/// The id that the request brings, if it is one, or else a new one.
fn request_id(app: &App, headers: &HeaderMap) -> HeaderValue {
    let is_id = |value: &&HeaderValue| {
        let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
        (1..=limits::REQUEST_ID_BYTES_MAX).contains(&value.len())
            && value.as_bytes().iter().all(is_letter)
    };
    let brought = headers.get(REQUEST_ID).filter(is_id).cloned();
    brought.unwrap_or_else(|| {
        let drawn = json::hex(&app.random::<8>());
        HeaderValue::from_str(&drawn).unwrap_or(HeaderValue::from_static("0"))
    })
}

fn method_word(method: &Method) -> &'static str {
    const WORDS: [&str; 7] = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"];
    let mut words = WORDS.into_iter();
    words
        .find(|word| *word == method.as_str())
        .unwrap_or("other")
}

/// The one route of the metrics' own port.
pub fn metrics_router(app: Arc<App>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .fallback(async || ApiError::NotFound)
        .with_state(app)
}

async fn metrics(State(app): State<Arc<App>>) -> Result<Response, ApiError> {
    const KIND: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let scraped = tokio::task::spawn_blocking(move || metrics::scrape(&app)).await;
    let text = scraped.map_err(|_| ApiError::Unavailable)??;
    Ok(([(header::CONTENT_TYPE, KIND)], text).into_response())
}
