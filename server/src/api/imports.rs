//! What an administrator imports in a browser: files or phones' proposals become a preview with a name, and by that name it is adopted.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::extract::{Multipart, State};
use patrol_core::domain::capability::Capability;
use patrol_core::domain::id::{DocumentId, PersonId};
use patrol_core::sync::components;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::devices::need;
use super::extract::{self, Body, Form, Named, in_time, rows_of};
use super::openapi::{Binary, ForPeople};
use super::{Host, json as shapes};
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::import::proposals::{self, Asked};
use crate::import::{self, Content, Preview, Upload};
use crate::store::StoreError;

/// The form of a preview.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is described; a form is read as it comes")]
struct Files {
    /// CSV, XLSX or GeoJSON, each under its own name.
    #[schema(inline)]
    files: Vec<Binary>,
}

/// What these files would change. Nothing is changed by this; what is wrong stands in the answer. One preview is made at a time.
#[utoipa::path(post, path = "/v1/imports", operation_id = "preview_import",
    security(("session" = [])), request_body(content = inline(Files), content_type = "multipart/form-data"),
    responses((status = 200, body = Value), ForPeople)
)]
pub(super) async fn preview(
    State(host): State<Host>,
    Caller(caller): Caller,
    Form(form): Form,
) -> Result<Json<Value>, ApiError> {
    host.blocking(move |app| need(app, caller, Capability::Administer))
        .await??;
    let turn = host.app.imports.begin();
    let turn = turn.ok_or(ApiError::Refused("busy"))?;
    let uploads = uploads(form, host.settings.stall).await?;
    let shown = host.blocking(move |app| {
        let _turn = turn;
        let preview = import::preview(app, &uploads)?;
        Ok::<_, ApiError>(waits(app, caller, preview))
    });
    Ok(Json(shown.await??))
}

/// The files of a form, each under its own name or that of its field.
async fn uploads(mut form: Multipart, stall: Duration) -> Result<Vec<Upload>, ApiError> {
    let mut uploads = Vec::new();
    while let Some(mut field) = in_time(stall, form.next_field()).await?.map_err(unread)? {
        let name = field.file_name().or(field.name()).unwrap_or_default();
        let name = name
            .rsplit(['/', '\\'])
            .next()
            .unwrap_or_default()
            .to_owned();
        let mut bytes = Vec::new();
        while let Some(piece) = in_time(stall, field.chunk()).await?.map_err(unread)? {
            bytes.extend(piece);
        }
        let content = Content::Bytes(bytes.into());
        uploads.push(Upload { name, content });
    }
    if uploads.is_empty() {
        return Err(ApiError::BadRequest("files"));
    }
    Ok(uploads)
}

fn unread(error: axum::extract::multipart::MultipartError) -> ApiError {
    if error.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE {
        ApiError::TooLarge
    } else {
        ApiError::BadRequest("malformed")
    }
}

/// Proposals of phones, and what the administrator says of them.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProposalsRequest {
    /// Which; those that have waited longest, where none is named.
    surveys: Vec<String>,
    /// Fields by their columns: they stand in every new row that comes of them, and in the others where nothing stands.
    #[serde(default)]
    fields: BTreeMap<String, String>,
}

/// What components would be with proposals of phones; adopting it accepts them. Nothing is changed by this.
#[utoipa::path(post, path = "/v1/imports/proposals", operation_id = "preview_proposals",
    security(("session" = [])), request_body = ProposalsRequest, responses((status = 200, body = Value), ForPeople)
)]
pub(super) async fn preview_proposals(
    State(host): State<Host>,
    Caller(caller): Caller,
    Body(request): Body<ProposalsRequest>,
) -> Result<Json<Value>, ApiError> {
    let surveys = request.surveys.iter().map(|id| DocumentId::from_hex(id));
    let asked = Asked {
        surveys: surveys
            .collect::<Option<_>>()
            .ok_or(ApiError::BadRequest("surveys"))?,
        fields: request.fields,
    };
    let shown = host.blocking(move |app| {
        need(app, caller, Capability::Administer)?;
        let preview = proposals::preview(app, caller, &asked)?;
        Ok::<_, ApiError>(waits(app, caller, preview))
    });
    Ok(Json(shown.await??))
}

/// Says what a preview says; one without faults waits to be adopted.
fn waits(app: &App, caller: PersonId, preview: Preview) -> Value {
    let id = app.random();
    let shown = preview.json(Some(shapes::hex(&id)));
    if preview.faults.is_empty() {
        app.imports.put(id, caller, preview);
    }
    shown
}

/// Puts a preview of one's own in force, unless something else was meanwhile.
#[utoipa::path(post, path = "/v1/imports/{id}/adopt", operation_id = "adopt_import",
    security(("session" = [])), params(("id" = String, Path)), responses((status = 200, body = Value), ForPeople)
)]
pub(super) async fn adopt(
    State(host): State<Host>,
    Caller(caller): Caller,
    Named(id): Named<String>,
) -> Result<Json<Value>, ApiError> {
    let id = shapes::unhex(&id).ok_or(ApiError::NotFound)?;
    let adopted = host.blocking(move |app| {
        need(app, caller, Capability::Administer)?;
        let preview = app.imports.find(id, caller).ok_or(ApiError::NotFound)?;
        let adopted = import::adopt(app, &preview).map_err(|error| match error {
            StoreError::Stale => ApiError::Refused("stale"),
            error => error.into(),
        })?;
        app.imports.forget(id);
        tracing::info!(%caller, "an import was adopted by {caller}");
        Ok::<_, ApiError>(adopted.map(|adopted| adopted.json()))
    });
    Ok(Json(adopted.await??.unwrap_or_default()))
}

/// Every version of the directory and every import of components.
#[utoipa::path(get, path = "/v1/imports", operation_id = "list_imports",
    security(("session" = [])), responses((status = 200, body = Value), ForPeople)
)]
pub(super) async fn list(
    State(host): State<Host>,
    Caller(caller): Caller,
) -> Result<Json<Value>, ApiError> {
    let listed = host.blocking(move |app| {
        need(app, caller, Capability::Administer)?;
        Ok::<_, ApiError>(import::list(app)?)
    });
    Ok(Json(listed.await??))
}

/// A version of the directory, table by table.
#[utoipa::path(get, path = "/v1/imports/directories/{no}", operation_id = "show_directory",
    security(("session" = [])), params(("no" = u64, Path)), responses((status = 200, body = Vec<Value>), ForPeople)
)]
pub(super) async fn directory(
    State(host): State<Host>,
    Caller(caller): Caller,
    Named(no): Named<u64>,
) -> Result<Json<Vec<Value>>, ApiError> {
    let tables = host.blocking(move |app| {
        need(app, caller, Capability::Administer)?;
        import::show(app, no)?.ok_or(ApiError::NotFound)
    });
    Ok(Json(tables.await??))
}

/// What would be with a version of the directory in force again; it is adopted as any preview. Nothing is changed by this.
#[utoipa::path(post, path = "/v1/imports/directories/{no}/restore", operation_id = "preview_restore",
    security(("session" = [])), params(("no" = u64, Path)), responses((status = 200, body = Value), ForPeople)
)]
pub(super) async fn restore(
    State(host): State<Host>,
    Caller(caller): Caller,
    Named(no): Named<u64>,
) -> Result<Json<Value>, ApiError> {
    let shown = host.blocking(move |app| {
        need(app, caller, Capability::Administer)?;
        let preview = import::restore::preview(app, no)?.ok_or(ApiError::NotFound)?;
        Ok::<_, ApiError>(waits(app, caller, preview))
    });
    Ok(Json(shown.await??))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ReplacedQuery {
    after: Option<u64>,
    limit: Option<usize>,
}

/// The components that an import changed or removed, as they had been, by their codes; `after` is one of these.
#[utoipa::path(get, path = "/v1/imports/components/{no}", operation_id = "list_replaced_components",
    security(("session" = [])), params(("no" = u64, Path), ReplacedQuery), responses((status = 200, body = Vec<Value>), ForPeople)
)]
pub(super) async fn replaced(
    State(host): State<Host>,
    Caller(caller): Caller,
    Named(no): Named<u64>,
    extract::Asked(query): extract::Asked<ReplacedQuery>,
) -> Result<Json<Vec<Value>>, ApiError> {
    let limit = rows_of(query.limit)?;
    let rows = host.blocking(move |app| {
        need(app, caller, Capability::Administer)?;
        let after = query.after.unwrap_or_default();
        let rows = app.store.replaced_components(no, after, limit)?;
        Ok::<_, ApiError>(rows)
    });
    let rows = rows.await??.into_iter().map(|(code, bytes)| {
        let was = components::decode(&bytes).ok();
        json!({ "code": code.to_string(), "was": was.as_ref().map(shapes::component) })
    });
    Ok(Json(rows.collect()))
}
