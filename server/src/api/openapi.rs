//! The description of the API for programs, made of the handlers themselves, and what every answer that is none has in common.
//!
//! What a route takes and gives stands beside its handler.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use patrol_core::domain::refusal::Refusal;
use serde::Serialize;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, PathItem, Ref, RefOr, Response,
    ResponseBuilder,
};
use utoipa::{IntoResponses, PartialSchema as _, ToSchema};

use super::{CookieKind, Host};

/// Bytes as they are, not a list of numbers.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
pub(super) struct Binary(#[expect(dead_code, reason = "it is described and never made")] Vec<u8>);

/// Every code of an error by status, but for those of the rules, which come with 409 too.
const CODES: &[(u16, &[&str])] = &[
    (
        400,
        &[
            "acted_at",
            "action",
            "after",
            "assign",
            "assignment",
            "bundle",
            "category",
            "certificate",
            "check_by",
            "cut",
            "datum",
            "decision",
            "device",
            "field",
            "files",
            "from",
            "key",
            "kind",
            "limit",
            "login",
            "malformed",
            "name",
            "on",
            "password",
            "person",
            "photos",
            "proposal",
            "public_key",
            "query",
            "seen",
            "stage",
            "substitute",
            "surveys",
            "target",
            "verdict",
            "village",
            "words",
        ],
    ),
    (401, &["signed_out"]),
    (
        403,
        &[
            "bad_code",
            "foreign_origin",
            "not_ours",
            "not_permitted",
            "wrong_password",
        ],
    ),
    (404, &["not_found"]),
    (408, &["stalled"]),
    (
        409,
        &[
            "busy",
            "last_administrator",
            "leaves_already",
            "login_taken",
            "no_post",
            "not_administrator",
            "several_of_that_name",
        ],
    ),
    (413, &["too_large"]),
    (415, &["content_type"]),
    (429, &["too_many_tries"]),
    (
        503,
        &[
            "busy",
            "damaged",
            "full",
            "moved",
            "unavailable",
            "unwritable",
        ],
    ),
];

/// What every answer holds that is not the one asked for.
#[derive(Serialize, ToSchema)]
pub(super) struct Failure {
    error: FailureCode,
}

/// Why, as a word that the translation layer puts into words.
#[derive(Serialize, ToSchema)]
pub(super) struct FailureCode {
    code: String,
}

/// Failures of a route for people who are signed in.
pub(super) struct ForPeople;

/// Failures of who watches over the server.
pub(super) struct ForWatching;

/// Failures of what phones fetch.
pub(super) struct ForPhones;

/// Failures of a phone's round.
pub(super) struct ForRounds;

/// Failures of a route for phones that are not known yet.
pub(super) struct ForNewPhones;

/// Failures of signing in.
pub(super) struct ForSigningIn;

/// Failures of making the first account.
pub(super) struct ForSetup;

impl IntoResponses for ForPeople {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        failures(&[400, 401, 403, 404, 408, 409, 413, 415, 429, 503])
    }
}

impl IntoResponses for ForWatching {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        failures(&[503])
    }
}

impl IntoResponses for ForPhones {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        failures(&[401, 408, 503])
    }
}

impl IntoResponses for ForRounds {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        failures(&[400, 401, 408, 413, 415, 503])
    }
}

impl IntoResponses for ForNewPhones {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        failures(&[400, 403, 408, 413, 415, 503])
    }
}

impl IntoResponses for ForSigningIn {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        failures(&[400, 401, 403, 408, 413, 415, 429, 503])
    }
}

impl IntoResponses for ForSetup {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        failures(&[400, 403, 408, 409, 413, 415, 429, 503])
    }
}

fn failures(statuses: &[u16]) -> BTreeMap<String, RefOr<Response>> {
    let asked = CODES.iter().filter(|(status, _)| statuses.contains(status));
    asked
        .map(|(status, codes)| {
            let rules = Refusal::ALL.iter().filter(|_| *status == 409);
            let codes: Vec<&str> = codes
                .iter()
                .copied()
                .chain(rules.map(|refusal| refusal.code()))
                .collect();
            let content = ContentBuilder::new()
                .schema(Some(Ref::from_schema_name("Failure")))
                .build();
            let response = ResponseBuilder::new()
                .description(codes.join(", "))
                .content("application/json", content)
                .build();
            (status.to_string(), response.into())
        })
        .collect()
}

/// What the description holds beside the routes.
pub(super) fn frame(cookies: CookieKind) -> OpenApi {
    let cookie = SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(cookies.name())));
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    let mut api = OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("巡村 Xuncun")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(
                    "Whatever is not answered as asked is a Failure. Beside each status stand all codes that come with it, of whichever route; a \
                     method that a path does not have is answered 405, method_not_allowed. Anything but reading needs an Origin that is the \
                     server's own where a session is asked for.",
                ))
                .build(),
        )
        .build();
    let components = api.components.get_or_insert_default();
    components.add_security_scheme("session", cookie);
    components.add_security_scheme("device", SecurityScheme::Http(bearer));
    components.schemas.extend(
        [
            ("Failure", Failure::schema()),
            ("FailureCode", FailureCode::schema()),
        ]
        .map(|(name, schema)| (name.to_owned(), schema)),
    );
    api
}

fn operations(path: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem {
        get,
        put,
        post,
        delete,
        ..
    } = path;
    [get, put, post, delete].into_iter().flatten()
}

/// `GET /v1/openapi.json`: this description.
#[utoipa::path(get, path = "/v1/openapi.json", operation_id = "describe",
    responses((status = 200, body = Object))
)]
pub(super) async fn describe(State(host): State<Host>) -> impl IntoResponse {
    // Written once: whoever asks for nothing else all day costs no more than a file.
    ([(header::CONTENT_TYPE, "application/json")], host.openapi)
}

/// The description as it is shown. Each answer says something: the format wants it so.
pub(super) fn written(mut api: OpenApi) -> Bytes {
    let paths = api.paths.paths.values_mut();
    for operation in paths.flat_map(operations) {
        for response in operation.responses.responses.values_mut() {
            if let RefOr::T(response) = response
                && response.description.is_empty()
            {
                response.description = "as asked".to_owned();
            }
        }
    }
    let json = api.to_json();
    json.expect("shapes of this program are JSON").into()
}
