//! Making the first administrator's account by the code that the server logged.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Host;
use super::extract::Body;
use super::openapi::ForSetup;
use super::session::Person;
use crate::auth;
use crate::error::ApiError;
use crate::setup::{self, Beginning, SetupFault};
use crate::store::StoreError;
use crate::tries::Of;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SetupRequest {
    code: String,
    /// Whose the account is, where the directory has not exactly one administrator. Where it has none he is made one.
    name: Option<String>,
    login: String,
    password: String,
}

/// `POST /v1/setup`: uses the setup code; whose account it made.
#[utoipa::path(post, path = "/v1/setup", operation_id = "set_up",
    request_body = SetupRequest, responses((status = 200, body = Person), ForSetup)
)]
pub(super) async fn set_up(
    State(host): State<Host>,
    Body(request): Body<SetupRequest>,
) -> Result<Json<Person>, ApiError> {
    auth::check_login(&request.login)?;
    auth::check_new_password(&request.password)?;
    let code = auth::typed_code(&request.code);
    let (tried, turn) = host.turn_to_try(Of::SetupCode).await?;
    let made = host.blocking(move |app| {
        let _turn = turn;
        let made = setup::set_up(
            app,
            &Beginning {
                code: &code,
                name: request.name.as_deref(),
                login: &request.login,
                password: &request.password,
            },
        );
        // Only a wrong code counts, not what else may be wrong.
        if matches!(made, Err(SetupFault::BadCode)) {
            tried.settle(&Ok::<_, StoreError>(None::<()>));
        }
        Ok::<_, ApiError>(Person::of(app, made?))
    });
    Ok(Json(made.await??))
}
