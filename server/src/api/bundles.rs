//! Handing in a rescue bundle at a browser. What is in it proves itself, so whoever is signed in may.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode, header};
use patrol_core::sync::rescue::CONTENT_TYPE;

use super::Host;
use super::openapi::ForPeople;
use crate::auth::Caller;
use crate::bundle::{self, Handed};
use crate::error::ApiError;

/// Takes in a rescue bundle, a file as it is. What became of the changes in it, counted.
#[utoipa::path(post, path = "/v1/bundles", operation_id = "hand_in_bundle",
    security(("session" = [])),
    request_body(content = [u8], content_type = CONTENT_TYPE, description = "binary: a rescue bundle as in core/src/sync/protocol.md"),
    responses((status = 200, body = Handed), ForPeople)
)]
pub(super) async fn hand_in(
    State(host): State<Host>,
    Caller(caller): Caller,
    headers: HeaderMap,
    file: Result<Bytes, BytesRejection>,
) -> Result<Json<Handed>, ApiError> {
    if headers
        .get(header::CONTENT_TYPE)
        .is_none_or(|kind| kind != CONTENT_TYPE)
    {
        return Err(ApiError::ContentType);
    }
    let file = file.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::TooLarge,
        _ => ApiError::BadRequest("malformed"),
    })?;
    let handed = host.blocking(move |app| bundle::hand_in(app, &file));
    let handed = handed.await??.map_err(|_| ApiError::BadRequest("bundle"))?;
    tracing::info!(%caller, "a rescue bundle was handed in by {caller}");
    Ok(Json(handed))
}
