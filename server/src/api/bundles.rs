//! Handing in a rescue bundle at a browser. What is in it proves itself, so whoever is signed in may.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use futures_util::StreamExt as _;
use patrol_core::domain::limits;
use patrol_core::sync::rescue::CONTENT_TYPE;

use super::Host;
use super::extract::in_time;
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
    body: Body,
) -> Result<Json<Handed>, ApiError> {
    if headers
        .get(header::CONTENT_TYPE)
        .is_none_or(|kind| kind != CONTENT_TYPE)
    {
        return Err(ApiError::ContentType);
    }
    let (mut file, mut pieces) = (Vec::new(), body.into_data_stream());
    while let Some(piece) = in_time(host.settings.stall, pieces.next()).await? {
        file.extend(piece.map_err(|_| ApiError::BadRequest("malformed"))?);
        if file.len() > limits::BUNDLE_BYTES_MAX {
            return Err(ApiError::TooLarge);
        }
    }
    let handed = host.blocking(move |app| bundle::hand_in(app, &file));
    let handed = handed.await??.map_err(|_| ApiError::BadRequest("bundle"))?;
    tracing::info!(%caller, "a rescue bundle was handed in by {caller}");
    Ok(Json(handed))
}
