//! Enrolling, listing and revoking phones; the directory; health.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use patrol_core::domain::capability::Capability;
use patrol_core::domain::id::{DeviceId, PersonId};
use patrol_core::sync::rescue::Card;
use patrol_core::sync::{rescue, seal};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::extract::{Body, Named};
use super::openapi::{Binary, ForNewPhones, ForPeople, ForPhones, ForWatching};
use super::{Host, json};
use crate::app::App;
use crate::auth::{self, Caller, CallingDevice};
use crate::clock;
use crate::devices::{self, Code, DeviceRow};
use crate::error::ApiError;

/// `GET /healthz`: `ok`, or `clock` where what was received lies ahead of the clock; 503 with a word for what keeps the server from its work.
#[utoipa::path(get, path = "/healthz", operation_id = "health",
    responses((status = 200, body = str), ForWatching)
)]
pub(super) async fn health(State(host): State<Host>) -> Result<&'static str, ApiError> {
    let looked = host.blocking(|app| {
        app.store.stands()?;
        clock::received_ahead(app)
    });
    match looked.await? {
        Ok(None) => Ok("ok"),
        Ok(Some(_)) => Ok("clock"),
        Err(error) => Err(error.into()),
    }
}

/// `GET /v1/directory`: as phones keep it.
#[utoipa::path(get, path = "/v1/directory", operation_id = "directory",
    security(("device" = [])), responses((status = 200, content_type = "application/cbor", body = inline(Binary)), ForPhones)
)]
pub(super) async fn directory(
    State(host): State<Host>,
    CallingDevice { device, place }: CallingDevice,
) -> Result<Response, ApiError> {
    if device.revoked_at.is_some() {
        return Err(ApiError::Unauthorized);
    }
    let bytes = host
        .in_turn(&place, |app| app.known().bytes.clone())
        .await?;
    Ok(([(header::CONTENT_TYPE, "application/cbor")], bytes).into_response())
}

/// Asks that a person holds a right for the whole city today.
pub(super) fn need(app: &App, person: PersonId, capability: Capability) -> Result<(), ApiError> {
    let now = app.environment.now();
    let known = app.known();
    let mut own = known
        .holdings
        .iter()
        .filter(|holding| holding.person == person && holding.is_held_at(now));
    if own.any(|holding| holding.right.capability == capability) {
        Ok(())
    } else {
        Err(ApiError::Forbidden("not_permitted"))
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CodeRequest {
    person: String,
}

/// `POST /v1/devices/codes`: a one-time code for a person's phone, for a day.
#[utoipa::path(post, path = "/v1/devices/codes", operation_id = "issue_device_code",
    security(("session" = [])), request_body = CodeRequest, responses((status = 200, body = Code), ForPeople)
)]
pub(super) async fn issue_code(
    State(host): State<Host>,
    Caller(caller): Caller,
    headers: HeaderMap,
    Body(request): Body<CodeRequest>,
) -> Result<Json<Code>, ApiError> {
    let person = PersonId::from_hex(&request.person).ok_or(ApiError::BadRequest("person"))?;
    let origin = || headers.get(header::ORIGIN)?.to_str().ok();
    let address = host.url().or_else(origin).unwrap_or_default().to_owned();
    let answer = host.blocking(move |app| {
        need(app, caller, Capability::Administer)?;
        let code = devices::issue_code(app, person, &address)?.ok_or(ApiError::NotFound)?;
        tracing::info!(%person, %caller, "a one-time code for {person} was drawn by {caller}");
        Ok::<_, ApiError>(code)
    });
    Ok(Json(answer.await??))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EnrolRequest {
    code: String,
    public_key: String,
}

#[derive(Serialize, ToSchema)]
pub(super) struct EnrolAnswer {
    server: String,
    epoch: String,
    device: String,
    person: String,
    person_name: String,
    token: String,
    rescue_key: String,
    certificate: String,
}

/// `POST /v1/devices/enrol`: uses a code; the phone has made its own key.
#[utoipa::path(post, path = "/v1/devices/enrol", operation_id = "enrol_device",
    request_body = EnrolRequest, responses((status = 200, body = EnrolAnswer), ForNewPhones)
)]
pub(super) async fn enrol(
    State(host): State<Host>,
    Body(request): Body<EnrolRequest>,
) -> Result<Json<EnrolAnswer>, ApiError> {
    let public_key: [u8; 32] = json::unhex(&request.public_key)
        .filter(seal::is_public_key)
        .ok_or(ApiError::BadRequest("public_key"))?;
    let code = auth::typed_code(&request.code);
    let answer = host.blocking(move |app| {
        let token = auth::draw_secret(app);
        let enrolled = app.store.enrol(
            auth::hash_of(&code),
            public_key,
            auth::hash_of(&token),
            app.environment.now(),
        )?;
        let device = enrolled.ok_or(ApiError::Forbidden("bad_code"))?;
        let identity = &app.identity;
        let rescue_key = rescue::public_key(&identity.rescue_key);
        let name = app
            .known()
            .directory
            .person(device.person)
            .map(|person| person.name.clone());
        Ok::<_, ApiError>(EnrolAnswer {
            server: identity.server.hex(),
            epoch: identity.epoch.hex(),
            device: device.id.hex(),
            person: device.person.hex(),
            person_name: name.unwrap_or_default(),
            token,
            rescue_key: json::hex(&rescue_key),
            certificate: json::hex(&seal::certificate(
                &identity.page_key,
                device.id,
                device.person,
                &public_key,
            )),
        })
    });
    Ok(Json(answer.await??))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReturnRequest {
    device: String,
    person: String,
    public_key: String,
    certificate: String,
    token: String,
}

/// `POST /v1/devices/return`: a phone that this database does not know, and a lost one did, is taken back as revoked.
#[utoipa::path(post, path = "/v1/devices/return", operation_id = "take_device_back",
    request_body = ReturnRequest, responses((status = 200), ForNewPhones)
)]
pub(super) async fn take_back(
    State(host): State<Host>,
    Body(request): Body<ReturnRequest>,
) -> Result<Json<()>, ApiError> {
    let bad = ApiError::BadRequest;
    let public_key = json::unhex(&request.public_key).filter(seal::is_public_key);
    let card = Card {
        device: DeviceId::from_hex(&request.device).ok_or(bad("device"))?,
        person: PersonId::from_hex(&request.person).ok_or(bad("person"))?,
        public_key: public_key.ok_or(bad("public_key"))?,
        certificate: json::unhex(&request.certificate).ok_or(bad("certificate"))?,
        token_hash: auth::hash_of(&request.token),
    };
    let is_back = host.blocking(move |app| devices::take_back(app, &card));
    match is_back.await?? {
        true => Ok(Json(())),
        false => Err(ApiError::Forbidden("not_ours")),
    }
}

/// `GET /v1/devices`: every phone with what the server knows of it.
#[utoipa::path(get, path = "/v1/devices", operation_id = "list_devices",
    security(("session" = [])), responses((status = 200, body = [DeviceRow]), ForPeople)
)]
pub(super) async fn list(
    State(host): State<Host>,
    Caller(caller): Caller,
) -> Result<Json<Vec<DeviceRow>>, ApiError> {
    let rows = host.blocking(move |app| {
        need(app, caller, Capability::Administer)?;
        Ok::<_, ApiError>(devices::list(app)?)
    });
    Ok(Json(rows.await??))
}

/// `POST /v1/devices/{device}/revoke`: stops its feed; what it wrote is still collected, for review.
#[utoipa::path(post, path = "/v1/devices/{device}/revoke", operation_id = "revoke_device",
    security(("session" = [])), params(("device" = String, Path)), responses((status = 200), ForPeople)
)]
pub(super) async fn revoke(
    State(host): State<Host>,
    Caller(caller): Caller,
    Named(device): Named<String>,
) -> Result<Json<()>, ApiError> {
    let device = DeviceId::from_hex(&device).ok_or(ApiError::NotFound)?;
    let done = host.blocking(move |app| {
        need(app, caller, Capability::Administer)?;
        if !devices::revoke(app, device)? {
            return Err(ApiError::NotFound);
        }
        tracing::info!(%device, %caller, "device {device} was revoked by {caller}");
        Ok(())
    });
    done.await??;
    Ok(Json(()))
}
