//! What is noted of every request, answered or not: its id, one line of a log, a count. Never a path, a query, a name or an address.
//!
//! It answers nothing itself, but for the metrics, which have a port of their own.

use std::sync::Arc;

use axum::Router;
use axum::body::HttpBody as _;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
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

/// Stands in for the status where the client hung up before there was one.
const CUT: &str = "cut";

/// A request that is noted when it is answered or, at the latest, when it is dropped.
struct Noted {
    app: Arc<App>,
    id: HeaderValue,
    method: &'static str,
    route: Option<MatchedPath>,
    begun: Instant,
    answer: Option<(StatusCode, Option<u64>)>,
}

impl Drop for Noted {
    fn drop(&mut self) {
        let route = self.route.as_ref().map_or(NO_ROUTE, MatchedPath::as_str);
        let (status, bytes) = self.answer.unzip();
        let status = status.as_ref().map_or(CUT, StatusCode::as_str);
        let (method, took) = (self.method, self.begun.elapsed());
        self.app
            .metrics
            .count_request(method, route, status, took.as_secs_f64());
        tracing::info!(
            target: "access",
            method,
            route,
            %status,
            ms = took.as_millis(),
            bytes = bytes.flatten(),
            request = self.id.to_str().unwrap_or_default(),
        );
    }
}

/// Notes a request and its answer.
pub(super) async fn note(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let id = request_id(&app, request.headers());
    let mut noted = Noted {
        app,
        id: id.clone(),
        method: method_word(request.method()),
        route: request.extensions().get::<MatchedPath>().cloned(),
        // A clock that nobody sets measures what the wall clock cannot.
        begun: Instant::now(),
        answer: None,
    };
    let span = tracing::info_span!("request", id = %id.to_str().unwrap_or_default());
    let mut response = next.run(request).instrument(span).await;
    noted.answer = Some((response.status(), response.body().size_hint().exact()));
    if let Some(Code(code)) = response.extensions().get() {
        noted.app.metrics.count_error(code);
    }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::Body;
    use axum::middleware::from_fn_with_state;
    use hyper::service::Service as _;
    use hyper_util::service::TowerToHyperService;

    use super::*;
    use crate::app::draw_identity;
    use crate::host::SystemEnvironment;
    use crate::store::memory::MemoryStore;

    #[test]
    fn who_hangs_up_is_counted_too() {
        let store = MemoryStore::new(draw_identity(&SystemEnvironment));
        let app = App::open(Arc::new(store), Arc::new(SystemEnvironment));
        let app = Arc::new(app.expect("a new model opens"));
        let never = get(std::future::pending::<()>);
        let router = Router::new()
            .route("/never", never)
            .layer(from_fn_with_state(Arc::clone(&app), note));
        let request = Request::get("/never").body(Body::empty());
        let asked = TowerToHyperService::new(router).call(request.expect("a request"));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime");
        let answered =
            runtime.block_on(async { tokio::time::timeout(Duration::ZERO, asked).await });
        assert!(answered.is_err());
        let text = metrics::scrape(&app).expect("text");
        let counted = "xuncun_requests_total{method=\"GET\",route=\"/never\",status=\"cut\"} 1";
        assert!(text.contains(counted), "{text}");
    }
}
