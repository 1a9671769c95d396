//! Enrolling, listing and revoking phones; the directory; health.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use patrol_core::domain::capability::Capability;
use patrol_core::domain::id::{DeviceId, PersonId};
use patrol_core::domain::limits;
use patrol_core::sync::seal;
use serde::{Deserialize, Serialize};

use super::{Host, json};
use crate::app::App;
use crate::auth::{self, Caller, CallingDevice};
use crate::calendar::rfc3339;
use crate::error::ApiError;

/// `GET /healthz`: whether the database answers.
pub(super) async fn health(State(host): State<Host>) -> Result<&'static str, ApiError> {
    host.blocking(|app| app.store.identity()).await??;
    Ok("ok")
}

/// `GET /v1/directory`: as phones keep it.
pub(super) async fn directory(
    State(host): State<Host>,
    CallingDevice(device): CallingDevice,
) -> Result<Response, ApiError> {
    if device.revoked_at.is_some() {
        return Err(ApiError::Unauthorized);
    }
    let bytes = host.blocking(|app| app.known().bytes.clone()).await?;
    Ok(([(header::CONTENT_TYPE, "application/cbor")], bytes).into_response())
}

fn need(app: &App, person: PersonId, capability: Capability) -> Result<(), ApiError> {
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

#[derive(Deserialize)]
pub(super) struct CodeRequest {
    person: String,
}

#[derive(Serialize)]
pub(super) struct CodeAnswer {
    code: String,
    /// What a QR code holds: server address and code.
    qr: String,
    until: String,
}

/// `POST /v1/devices/codes`: a one-time code for a person's phone, for a day.
pub(super) async fn issue_code(
    State(host): State<Host>,
    Caller(caller): Caller,
    headers: HeaderMap,
    Json(request): Json<CodeRequest>,
) -> Result<Json<CodeAnswer>, ApiError> {
    let person = PersonId::from_hex(&request.person).ok_or(ApiError::BadRequest("person"))?;
    let address = headers
        .get(header::ORIGIN)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let answer = host.blocking(move |app| {
        need(app, caller, Capability::Administer)?;
        app.known()
            .directory
            .person(person)
            .ok_or(ApiError::NotFound)?;
        let code = auth::draw_code(app);
        let until = app.environment.now().plus_ms(limits::ENROL_CODE_MS);
        app.store
            .put_enrol_code(auth::hash_of(&code), person, until)?;
        let qr = format!("xuncun:1?server={address}&code={code}");
        Ok::<_, ApiError>(CodeAnswer {
            code,
            qr,
            until: rfc3339(until),
        })
    });
    Ok(Json(answer.await??))
}

#[derive(Deserialize)]
pub(super) struct EnrolRequest {
    code: String,
    public_key: String,
}

#[derive(Serialize)]
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
pub(super) async fn enrol(
    State(host): State<Host>,
    Json(request): Json<EnrolRequest>,
) -> Result<Json<EnrolAnswer>, ApiError> {
    let public_key: [u8; 32] =
        json::unhex(&request.public_key).ok_or(ApiError::BadRequest("public_key"))?;
    let code = request.code.trim().to_ascii_uppercase();
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
        let rescue_key =
            x25519_dalek::PublicKey::from(&x25519_dalek::StaticSecret::from(identity.rescue_key));
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
            rescue_key: json::hex(rescue_key.as_bytes()),
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

#[derive(Serialize)]
pub(super) struct DeviceAnswer {
    device: String,
    person: String,
    enrolled_at: String,
    revoked_at: Option<String>,
    seen_at: Option<String>,
    n_max: u64,
    outbox: Option<u64>,
    last_error: Option<String>,
}

/// `GET /v1/devices`: every phone with what the server knows of it.
pub(super) async fn list(
    State(host): State<Host>,
    Caller(caller): Caller,
) -> Result<Json<Vec<DeviceAnswer>>, ApiError> {
    let devices = host.blocking(move |app| {
        need(app, caller, Capability::Administer)?;
        let mut devices = Vec::new();
        app.store.read(&mut |snapshot| {
            devices = snapshot.devices()?;
            Ok(())
        })?;
        Ok::<_, ApiError>(devices)
    });
    let answer = devices.await??.into_iter().map(|device| DeviceAnswer {
        device: device.id.hex(),
        person: device.person.hex(),
        enrolled_at: rfc3339(device.enrolled_at),
        revoked_at: device.revoked_at.map(rfc3339),
        seen_at: device.seen_at.map(rfc3339),
        n_max: device.n_max,
        outbox: device.status.outbox,
        last_error: device.status.last_error,
    });
    Ok(Json(answer.collect()))
}

/// `POST /v1/devices/{device}/revoke`: stops its feed; what it wrote is still collected, for review.
pub(super) async fn revoke(
    State(host): State<Host>,
    Caller(caller): Caller,
    Path(device): Path<String>,
) -> Result<Json<()>, ApiError> {
    let device = DeviceId::from_hex(&device).ok_or(ApiError::NotFound)?;
    let done = host.blocking(move |app| {
        need(app, caller, Capability::Administer)?;
        app.store.revoke(device, app.environment.now())?;
        Ok::<_, ApiError>(())
    });
    done.await??;
    Ok(Json(()))
}
