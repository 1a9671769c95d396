//! Phones as the office manages them: one-time codes, the list, revocation. Shared by the API and the commands.
//!
//! Who may do this is asked by its callers, and nothing here prints or answers anybody.

use patrol_core::domain::id::{DeviceId, PersonId};
use patrol_core::domain::limits;
use patrol_core::sync::rescue::Card;
use patrol_core::sync::seal;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::auth;
use crate::calendar::rfc3339;
use crate::store::{Device, Result};

/// A one-time code, as it is handed to a person. The server keeps only its hash.
#[derive(Serialize, ToSchema, Debug)]
pub struct Code {
    /// To be typed.
    pub code: String,
    /// What a QR code holds: server address and code.
    pub qr: String,
    /// Until when it is good.
    pub until: String,
    /// Whether the person holds a post today: if not, the phone gets nothing, and what it hands in goes to review.
    pub has_post: bool,
}

/// A one-time code for a phone of a person, for a day. None: nobody of that id.
pub fn issue_code(app: &App, person: PersonId, server_url: &str) -> Result<Option<Code>> {
    if app.known().directory.person(person).is_none() {
        return Ok(None);
    }
    let code = auth::draw_code(app);
    let until = app.environment.now().plus_ms(limits::ENROL_CODE_MS);
    app.store
        .put_enrol_code(auth::hash_of(&code), person, until)?;
    Ok(Some(Code {
        qr: format!("xuncun:1?server={server_url}&code={code}"),
        code,
        until: rfc3339(until),
        has_post: auth::has_post(app, person),
    }))
}

/// Takes a phone back that a lost database had enrolled, as its certificate proves. As revoked, because it may have been: its work goes to
/// review, and its person enrols anew. False: nothing proves it, or it is known.
pub fn take_back(app: &App, card: &Card) -> Result<bool> {
    let Card {
        device,
        person,
        public_key,
        certificate,
        token_hash,
    } = card;
    if seal::certificate(&app.identity.page_key, *device, *person, public_key) != *certificate {
        return Ok(false);
    }
    // Another phone's token: whoever says so is not what he says.
    if app.store.device_of_token(*token_hash)?.is_some() {
        return Ok(false);
    }
    let now = app.environment.now();
    let back = Device {
        revoked_at: Some(now),
        ..Device::new(*device, *person, *public_key, now)
    };
    let is_back = app.store.take_back(&back, *token_hash)?;
    if is_back {
        tracing::warn!(%device, %person, "phone {device} of {person} was taken back as revoked: it needs a new code");
    }
    Ok(is_back)
}

/// A phone with what the server knows of it.
#[derive(Serialize, ToSchema, Debug)]
pub struct DeviceRow {
    device: String,
    person: String,
    /// Whether the person holds a post today: if not, the phone may be revoked once it has handed in everything.
    has_post: bool,
    enrolled_at: String,
    revoked_at: Option<String>,
    seen_at: Option<String>,
    n_max: u64,
    /// How much it had to push when it called last, less what it has handed in since; null before its first call.
    outbox: Option<u64>,
    last_error: Option<String>,
}

impl DeviceRow {
    fn of(app: &App, device: Device) -> Self {
        Self {
            device: device.id.hex(),
            person: device.person.hex(),
            has_post: auth::has_post(app, device.person),
            enrolled_at: rfc3339(device.enrolled_at),
            revoked_at: device.revoked_at.map(rfc3339),
            seen_at: device.seen_at.map(rfc3339),
            n_max: device.n_max,
            outbox: device.seen_at.map(|_| device.status.outbox.unwrap_or(0)),
            last_error: device.status.last_error,
        }
    }
}

/// Every phone.
pub fn list(app: &App) -> Result<Vec<DeviceRow>> {
    let mut devices = Vec::new();
    app.store.read(&mut |snapshot| {
        devices = snapshot.devices()?;
        Ok(())
    })?;
    let rows = devices.into_iter();
    Ok(rows.map(|device| DeviceRow::of(app, device)).collect())
}

/// Stops a phone's feed; what it wrote is still collected, for review. Returns whether there is such a phone.
pub fn revoke(app: &App, device: DeviceId) -> Result<bool> {
    let mut exists = false;
    app.store.read(&mut |snapshot| {
        exists = snapshot.device(device)?.is_some();
        Ok(())
    })?;
    if exists {
        app.store.revoke(device, app.environment.now())?;
    }
    Ok(exists)
}
