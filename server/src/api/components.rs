//! Components: a phone's own villages, and what the office looks up.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use patrol_core::domain::component::Position;
use patrol_core::domain::place::VillageCode;
use patrol_core::sync::components::{CONTENT_TYPE, encode_tags};
use serde::Deserialize;
use serde_json::{Value, json};

use super::extract::{Asked, Named, rows_of};
use super::openapi::{Binary, Failure, ForPeople, ForPhones};
use super::{Host, json as shapes};
use crate::auth::{Caller, CallingDevice};
use crate::components;
use crate::error::ApiError;
use crate::store::Device;

/// A revoked phone gets nothing.
fn in_use(device: &Device) -> Result<(), ApiError> {
    match device.revoked_at {
        None => Ok(()),
        Some(_) => Err(ApiError::Unauthorized),
    }
}

fn packed(bytes: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], bytes).into_response()
}

/// The villages of a phone that have components, with their tags.
#[utoipa::path(get, path = "/v1/components", operation_id = "list_component_tags",
    security(("device" = [])), responses((status = 200, content_type = CONTENT_TYPE, body = inline(Binary)), ForPhones)
)]
pub(super) async fn tags(
    State(host): State<Host>,
    CallingDevice { device, place }: CallingDevice,
) -> Result<Response, ApiError> {
    in_use(&device)?;
    let tags = host.in_turn(&place, move |app| components::tags_for(app, device.person));
    Ok(packed(encode_tags(&tags.await??)))
}

/// What stands in one of a phone's villages.
#[utoipa::path(get, path = "/v1/components/{village}", operation_id = "show_components_of_village",
    security(("device" = [])), params(("village" = u64, Path)), responses((status = 200, content_type = CONTENT_TYPE, body = inline(Binary)),
        (status = 404, description = "not_found", body = Failure), ForPhones)
)]
pub(super) async fn of_village(
    State(host): State<Host>,
    CallingDevice { device, place }: CallingDevice,
    Named(village): Named<u64>,
) -> Result<Response, ApiError> {
    in_use(&device)?;
    let village = VillageCode::new(village).ok_or(ApiError::NotFound)?;
    let found = host.in_turn(&place, move |app| {
        components::packed_for(app, device.person, village)
    });
    Ok(packed(found.await??.ok_or(ApiError::NotFound)?))
}

/// One of them, for who is signed in.
#[utoipa::path(get, path = "/v1/components/codes/{code}", operation_id = "show_component",
    security(("session" = [])), params(("code" = u64, Path)), responses((status = 200, body = Value), ForPeople)
)]
pub(super) async fn of_code(
    State(host): State<Host>,
    Caller(_): Caller,
    Named(code): Named<u64>,
) -> Result<Json<Value>, ApiError> {
    let found = host.blocking(move |app| components::by_code(app, code));
    let found = found.await??.ok_or(ApiError::NotFound)?;
    Ok(Json(shapes::component(&found)))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct NearQuery {
    lon_e7: i64,
    lat_e7: i64,
    limit: Option<usize>,
}

/// Those nearest to a place, with their distances, for who is signed in.
#[utoipa::path(get, path = "/v1/components/near", operation_id = "list_nearest_components",
    security(("session" = [])), params(NearQuery), responses((status = 200, body = Vec<Value>), ForPeople)
)]
pub(super) async fn near(
    State(host): State<Host>,
    Caller(_): Caller,
    Asked(query): Asked<NearQuery>,
) -> Result<Json<Vec<Value>>, ApiError> {
    let limit = rows_of(query.limit)?;
    let place = Position {
        lon_e7: query.lon_e7,
        lat_e7: query.lat_e7,
    };
    let found = host.blocking(move |app| components::nearest(app, place, limit));
    let found = found.await??.into_iter();
    Ok(Json(
        found
            .map(|(row, metres)| json!({ "component": shapes::component(&row), "metres": metres }))
            .collect(),
    ))
}
