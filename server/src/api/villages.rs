//! What villages lack, and the browsers that serve as their terminals.

use axum::Json;
use axum::extract::State;
use patrol_core::domain::capability::Capability;
use patrol_core::domain::id::PersonId;
use patrol_core::domain::place::VillageCode;

use super::Host;
use super::devices::need;
use super::extract::Named;
use super::openapi::ForPeople;
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::villages::{self, Lacking};

/// Every village without a terminal, a cadre in post or an inspector on its beat.
#[utoipa::path(get, path = "/v1/villages/lacking", operation_id = "list_lacking_villages",
    security(("session" = [])), responses((status = 200, body = Vec<Lacking>), ForPeople)
)]
pub(super) async fn lacking(
    State(host): State<Host>,
    Caller(caller): Caller,
) -> Result<Json<Vec<Lacking>>, ApiError> {
    let found = host.blocking(move |app| {
        need(app, caller, Capability::Administer)?;
        Ok::<_, ApiError>(villages::lacking(app)?)
    });
    Ok(Json(found.await??))
}

/// An administrator, or a cadre of the village.
fn may_register(app: &App, caller: PersonId, village: VillageCode) -> Result<(), ApiError> {
    if villages::is_cadre_of(app, caller, village) {
        return Ok(());
    }
    need(app, caller, Capability::Administer)
}

/// The browser of the village's hall is its terminal from now on.
#[utoipa::path(post, path = "/v1/villages/{village}/terminal", operation_id = "register_terminal",
    security(("session" = [])), params(("village" = u64, Path)), responses((status = 200), ForPeople)
)]
pub(super) async fn register(
    State(host): State<Host>,
    Caller(caller): Caller,
    Named(village): Named<u64>,
) -> Result<Json<()>, ApiError> {
    let village = VillageCode::new(village).ok_or(ApiError::NotFound)?;
    let done = host.blocking(move |app| {
        may_register(app, caller, village)?;
        if !villages::register(app, village, caller)? {
            return Err(ApiError::NotFound);
        }
        tracing::info!(%village, %caller, "a browser was registered for {village} by {caller}");
        Ok(())
    });
    done.await??;
    Ok(Json(()))
}

/// It is no longer.
#[utoipa::path(delete, path = "/v1/villages/{village}/terminal", operation_id = "end_terminal",
    security(("session" = [])), params(("village" = u64, Path)), responses((status = 200), ForPeople)
)]
pub(super) async fn end(
    State(host): State<Host>,
    Caller(caller): Caller,
    Named(village): Named<u64>,
) -> Result<Json<()>, ApiError> {
    let village = VillageCode::new(village).ok_or(ApiError::NotFound)?;
    let done = host.blocking(move |app| {
        may_register(app, caller, village)?;
        if !app.store.end_terminal(village)? {
            return Err(ApiError::NotFound);
        }
        tracing::info!(%village, %caller, "the browser of {village} was taken off by {caller}");
        Ok(())
    });
    done.await??;
    Ok(Json(()))
}
