//! Signing in and out of a browser.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use patrol_core::domain::id::PersonId;
use patrol_core::domain::limits;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::extract::Body;
use super::openapi::{ForPeople, ForSigningIn};
use super::{CookieKind, Host};
use crate::app::App;
use crate::auth::{self, Caller};
use crate::error::ApiError;
use crate::store::{Account, BrowserSession, StoreError};
use crate::tries::Of;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SignIn {
    login: String,
    password: String,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Person {
    person: String,
    name: String,
}

impl Person {
    pub(super) fn of(app: &App, person: PersonId) -> Self {
        let known = app.known();
        let found = known.directory.person(person);
        Self {
            person: person.hex(),
            name: found.map(|person| person.name.clone()).unwrap_or_default(),
        }
    }
}

/// `POST /v1/session`: signs in; the answer sets the cookie.
#[utoipa::path(post, path = "/v1/session", operation_id = "sign_in",
    request_body = SignIn, responses((status = 200, body = Person), ForSigningIn)
)]
pub(super) async fn sign_in(
    State(host): State<Host>,
    parts: Parts,
    Body(request): Body<SignIn>,
) -> Result<Response, ApiError> {
    if !auth::is_same_origin(&parts) {
        return Err(ApiError::Forbidden("foreign_origin"));
    }
    let cookies = host.settings.cookies;
    let login = request.login.clone();
    let known = host.blocking(move |app| app.store.account(&login));
    let known = known.await??;
    let kept = known
        .map(|account| account.password_hash)
        .unwrap_or_default();
    let (tried, turn) = host.turn_to_try(Of::Login(&request.login, &kept)).await?;
    let signed_in = host.blocking(move |app| {
        // Held by the work, not by the request: a client that hangs up frees no place.
        let _turn = turn;
        let checked = auth::check_password(app, &request.login, &request.password);
        tried.settle(&checked);
        let account = checked?.ok_or(ApiError::Unauthorized)?;
        let token = begin(app, &account)?.ok_or(ApiError::Unauthorized)?;
        Ok::<_, ApiError>((token, Person::of(app, account.person)))
    });
    let (token, person) = signed_in.await??;
    let cookie = cookie(&token, limits::SIGN_IN_MS / 1_000, cookies);
    Ok(([(header::SET_COOKIE, cookie)], Json(person)).into_response())
}

/// Begins a session of an account. Returns its token; none where the account has another password by now.
fn begin(app: &App, account: &Account) -> Result<Option<String>, StoreError> {
    let token = auth::draw_secret(app);
    let session = BrowserSession {
        person: account.person,
        until: app.environment.now().plus_ms(limits::SIGN_IN_MS),
    };
    let hash = auth::hash_of(&token);
    let is_kept = app
        .store
        .put_session(hash, &session, &account.password_hash)?;
    Ok(is_kept.then_some(token))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPassword {
    old: String,
    new: String,
}

/// `POST /v1/session/password`: one's own; it ends all sessions but this one, whose cookie is a new one.
#[utoipa::path(post, path = "/v1/session/password", operation_id = "change_password",
    security(("session" = [])), request_body = NewPassword, responses((status = 200), ForPeople)
)]
pub(super) async fn change_password(
    State(host): State<Host>,
    Caller(person): Caller,
    Body(NewPassword { old, new }): Body<NewPassword>,
) -> Result<Response, ApiError> {
    auth::check_new_password(&new)?;
    let account = host.blocking(move |app| app.store.account_of(person));
    let account = account.await??.ok_or(ApiError::NotFound)?;
    // Apart from signing in: a stranger who tries his login does not keep him from a new password.
    let (tried, turn) = host
        .turn_to_try(Of::Own(person, &account.password_hash))
        .await?;
    let cookies = host.settings.cookies;
    let token = host.blocking(move |app| {
        let _turn = turn;
        let checked = auth::check_password(app, &account.login, &old);
        tried.settle(&checked);
        let old = checked?.filter(|old| old.person == person);
        let old = old.ok_or(ApiError::Forbidden("wrong_password"))?;
        let new = auth::make_account(app, person, &old.login, &new)?;
        let is_replaced = app.store.replace_account(&new, &old.password_hash)?;
        let token = if is_replaced { begin(app, &new)? } else { None };
        token.ok_or(ApiError::Refused("stale"))
    });
    let cookie = cookie(&token.await??, limits::SIGN_IN_MS / 1_000, cookies);
    Ok(([(header::SET_COOKIE, cookie)], Json(())).into_response())
}

/// The cookie that holds a session's token for so many seconds: no script reads it, no other page sends it.
fn cookie(token: &str, seconds: i64, kind: CookieKind) -> String {
    let secure = match kind {
        CookieKind::Secure => "; Secure",
        CookieKind::Plain => "",
    };
    let name = kind.name();
    format!("{name}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}")
}

/// `GET /v1/session`: who is signed in.
#[utoipa::path(get, path = "/v1/session", operation_id = "show_session",
    security(("session" = [])), responses((status = 200, body = Person), ForPeople)
)]
pub(super) async fn show(
    State(host): State<Host>,
    Caller(person): Caller,
) -> Result<Json<Person>, ApiError> {
    Ok(Json(
        host.blocking(move |app| Person::of(app, person)).await?,
    ))
}

/// `DELETE /v1/session`: signs out, and takes the cookie back.
#[utoipa::path(delete, path = "/v1/session", operation_id = "sign_out",
    security(("session" = [])), responses((status = 200), ForPeople)
)]
pub(super) async fn sign_out(
    State(host): State<Host>,
    Caller(_): Caller,
    parts: Parts,
) -> Result<Response, ApiError> {
    let gone = cookie("", 0, host.settings.cookies);
    if let Some(token) = auth::session_token(&parts, host.cookies()) {
        host.blocking(move |app| app.store.end_session(auth::hash_of(&token)))
            .await??;
    }
    Ok(([(header::SET_COOKIE, gone)], Json(())).into_response())
}
