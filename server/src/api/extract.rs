//! What handlers take from a request. Whatever cannot be taken is answered as every other error is: by a status and a code.
//!
//! Nothing here knows what the values mean.

use std::time::Duration;

use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, Multipart, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use patrol_core::domain::limits;
use serde::de::DeserializeOwned;

use crate::error::ApiError;

/// A body of JSON.
pub(super) struct Body<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        match Json::from_request(request, state).await {
            Ok(Json(value)) => Ok(Self(value)),
            Err(rejection) => Err(match rejection.status() {
                StatusCode::UNSUPPORTED_MEDIA_TYPE => ApiError::ContentType,
                StatusCode::PAYLOAD_TOO_LARGE => ApiError::TooLarge,
                _ => ApiError::BadRequest("malformed"),
            }),
        }
    }
}

/// A form of files.
pub(super) struct Form(pub(super) Multipart);

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let form = Multipart::from_request(request, state).await;
        form.map(Self).map_err(|_| ApiError::ContentType)
    }
}

/// What stands in the URL behind the question mark.
pub(super) struct Asked<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let query = Query::from_request_parts(parts, state).await;
        query
            .map(|Query(value)| Self(value))
            .map_err(|_| ApiError::BadRequest("query"))
    }
}

/// The names in the URL. One that cannot be read is nothing's name.
pub(super) struct Named<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Named<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = Path::from_request_parts(parts, state).await;
        path.map(|Path(value)| Self(value))
            .map_err(|_| ApiError::NotFound)
    }
}

/// The next piece of a body, if it comes before its time is over. The whole may take longer.
pub(super) async fn in_time<T>(
    stall: Duration,
    piece: impl Future<Output = T>,
) -> Result<T, ApiError> {
    let piece = tokio::time::timeout(stall, piece).await;
    piece.map_err(|_| ApiError::Stalled)
}

/// How many rows of a list are asked for.
pub(super) fn rows_of(limit: Option<usize>) -> Result<usize, ApiError> {
    match limit.unwrap_or(limits::LIST_ROWS) {
        limit @ 1..=limits::LIST_ROWS_MAX => Ok(limit),
        _ => Err(ApiError::BadRequest("limit")),
    }
}
