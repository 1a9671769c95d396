//! Handing in a rescue bundle at a browser. What is in it proves itself, so whoever is signed in may.
//!
//! A file is held in memory, so one person hands in one at a time, and few do at once.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use futures_util::StreamExt as _;
use patrol_core::domain::id::PersonId;
use patrol_core::domain::limits;
use patrol_core::sync::rescue::CONTENT_TYPE;

use super::Host;
use super::extract::in_time;
use super::openapi::{Binary, ForPeople};
use crate::auth::Caller;
use crate::bundle::{self, Handed};
use crate::error::ApiError;

/// Who hands in a bundle now.
#[derive(Clone, Debug, Default)]
pub(super) struct Desk(Arc<Mutex<BTreeSet<PersonId>>>);

/// A person's turn at it, until it is dropped.
#[derive(Debug)]
struct AtDesk {
    desk: Desk,
    person: PersonId,
}

impl Desk {
    fn enter(&self, person: PersonId) -> Result<AtDesk, ApiError> {
        let mut here = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if here.len() >= limits::BUNDLES_AT_ONCE || !here.insert(person) {
            return Err(ApiError::Busy);
        }
        let desk = self.clone();
        Ok(AtDesk { desk, person })
    }
}

impl Drop for AtDesk {
    fn drop(&mut self) {
        let mut here = self.desk.0.lock().unwrap_or_else(PoisonError::into_inner);
        here.remove(&self.person);
    }
}

/// Takes in a rescue bundle, a file as it is. What became of the changes in it, counted.
#[utoipa::path(post, path = "/v1/bundles", operation_id = "hand_in_bundle",
    security(("session" = [])),
    request_body(content = inline(Binary), content_type = CONTENT_TYPE, description = "binary: a rescue bundle as in core/src/sync/protocol.md"),
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
    let _turn = host.bundles.enter(caller)?;
    let file = upload(&host, body);
    let most = Duration::from_millis(limits::UPLOAD_MS_MAX);
    let file = tokio::time::timeout(most, file).await;
    let file = file.map_err(|_| ApiError::Stalled)??;
    let bundle = host.blocking(move |app| bundle::read(app, &file)).await?;
    let mut bundle = bundle.map_err(|_| ApiError::BadRequest("bundle"))?;
    let mut handed = Handed::of(&bundle);
    // Piece by piece, so that other work comes in between.
    for sealed in std::mem::take(&mut bundle.pieces) {
        handed = host
            .blocking(move |app| handed.take(app, &sealed).map(|()| handed))
            .await??;
    }
    handed.note(&bundle);
    tracing::info!(%caller, "a rescue bundle was handed in by {caller}");
    Ok(Json(handed))
}

/// The file in a body.
async fn upload(host: &Host, body: Body) -> Result<Vec<u8>, ApiError> {
    let (mut file, mut pieces) = (Vec::new(), body.into_data_stream());
    while let Some(piece) = in_time(host.settings.stall, pieces.next()).await? {
        file.extend(piece.map_err(|_| ApiError::BadRequest("malformed"))?);
        if file.len() > limits::BUNDLE_BYTES_MAX {
            return Err(ApiError::TooLarge);
        }
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_hands_in_one_file_at_a_time_and_few_people_do_at_once() {
        let desk = Desk::default();
        let enter = |person: usize| desk.enter(PersonId([person.to_le_bytes()[0]; 8]));
        let mut here: Vec<_> = (0..limits::BUNDLES_AT_ONCE).map(enter).collect();
        assert!(here.iter().all(Result::is_ok));
        assert!(matches!(enter(99), Err(ApiError::Busy)));
        drop(here.pop());
        assert!(matches!(enter(0), Err(ApiError::Busy)), "he is there");
        assert!(enter(99).is_ok());
    }
}
