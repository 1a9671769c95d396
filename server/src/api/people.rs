//! People as an administrator manages them: a new password, and leaving.

use axum::Json;
use axum::extract::State;
use patrol_core::domain::capability::Capability;
use patrol_core::domain::id::PersonId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Host;
use super::devices::need;
use super::extract::{Body, Named};
use super::openapi::ForPeople;
use crate::app::App;
use crate::auth::{self, Caller};
use crate::calendar::parse_day;
use crate::error::ApiError;
use crate::people::{self, Leaving, Left};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PasswordRequest {
    /// As it is, if nothing is said.
    login: Option<String>,
    password: String,
}

#[derive(Serialize, ToSchema)]
pub(super) struct PasswordSet {
    /// The login that he had, if another has taken its place.
    replaced_login: Option<String>,
}

/// `POST /v1/people/{person}/password`: makes or replaces a person's account and signs him out everywhere. It gives him no right: who holds
/// no post cannot sign in.
#[utoipa::path(post, path = "/v1/people/{person}/password", operation_id = "put_password",
    security(("session" = [])), params(("person" = String, Path)), request_body = PasswordRequest, responses((status = 200, body = PasswordSet), ForPeople)
)]
pub(super) async fn put_password(
    State(host): State<Host>,
    Caller(caller): Caller,
    Named(person): Named<String>,
    Body(request): Body<PasswordRequest>,
) -> Result<Json<PasswordSet>, ApiError> {
    let person = PersonId::from_hex(&person).ok_or(ApiError::NotFound)?;
    request.login.as_deref().map_or(Ok(()), auth::check_login)?;
    auth::check_new_password(&request.password)?;
    let turn = host.turn_to_hash().await?;
    let done = host.blocking(move |app| {
        let _turn = turn;
        need(app, caller, Capability::Administer)?;
        let replaced_login = replace_password(app, person, &request)?;
        tracing::info!(%person, %caller, "the account of {person} was set by {caller}");
        Ok::<_, ApiError>(PasswordSet { replaced_login })
    });
    Ok(Json(done.await??))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LeaveRequest {
    /// A day in the city, or RFC 3339; what is over means now.
    from: String,
    /// Who has the posts from then on.
    substitute: Option<String>,
}

/// `POST /v1/people/{person}/leave`: ends all posts of a person. It revokes no phone: what he did before is still collected, for review.
#[utoipa::path(post, path = "/v1/people/{person}/leave", operation_id = "leave",
    security(("session" = [])), params(("person" = String, Path)), request_body = LeaveRequest, responses((status = 200, body = Left), ForPeople)
)]
pub(super) async fn leave(
    State(host): State<Host>,
    Caller(caller): Caller,
    Named(person): Named<String>,
    Body(request): Body<LeaveRequest>,
) -> Result<Json<Left>, ApiError> {
    let substitute = request
        .substitute
        .map(|text| PersonId::from_hex(&text).ok_or(ApiError::BadRequest("substitute")));
    let leaving = Leaving {
        person: PersonId::from_hex(&person).ok_or(ApiError::NotFound)?,
        from: parse_day(&request.from).ok_or(ApiError::BadRequest("from"))?,
        substitute: substitute.transpose()?,
    };
    let left = host.blocking(move |app| {
        need(app, caller, Capability::Administer)?;
        let left = people::leave(app, leaving)?;
        let person = leaving.person;
        tracing::info!(%person, %caller, "{person} leaves, says {caller}");
        Ok::<_, ApiError>(left)
    });
    Ok(Json(left.await??))
}

fn replace_password(
    app: &App,
    person: PersonId,
    request: &PasswordRequest,
) -> Result<Option<String>, ApiError> {
    if app.known().directory.person(person).is_none() {
        return Err(ApiError::NotFound);
    }
    let login = match &request.login {
        Some(login) => login.clone(),
        None => {
            let account = app.store.account_of(person)?;
            account.ok_or(ApiError::BadRequest("login"))?.login
        }
    };
    let holder = app.store.account(&login)?;
    if holder.is_some_and(|account| account.person != person) {
        return Err(ApiError::Refused("login_taken"));
    }
    Ok(auth::put_account(app, person, &login, &request.password)?)
}
