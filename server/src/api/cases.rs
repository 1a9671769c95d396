//! Cases for people in a browser: list, one, report, act.

use axum::Json;
use axum::extract::State;
use patrol_core::domain::action::{Action, DocumentKind};
use patrol_core::domain::id::{ChangeHash, DocumentId, EntryId, PersonId};
use patrol_core::domain::limits;
use patrol_core::domain::stage::Stage;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use super::Host;
use super::extract::{Asked, Body, Named, rows_of};
use super::json::{self, BodyJson, CaseJson, CaseRowJson, FieldsJson};
use super::openapi::ForPeople;
use crate::app::App;
use crate::auth::Caller;
use crate::calendar::parse_rfc3339;
use crate::error::ApiError;
use crate::office::{self, Deed};
use crate::store::CaseQuery;

#[derive(Deserialize, utoipa::IntoParams, Debug, Default)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    kind: String,
    /// Stages, separated by commas.
    stage: String,
    number: Option<String>,
    /// Only those with an unsettled conflict.
    conflicts: bool,
    after: Option<String>,
    limit: Option<usize>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct CasesAnswer {
    cases: Vec<CaseRowJson>,
    /// Give it back as `after` for the next page.
    next: Option<String>,
}

/// `GET /v1/cases`: a page of a list, the last changed first, of what the person may see.
#[utoipa::path(get, path = "/v1/cases", operation_id = "list_cases",
    security(("session" = [])), params(ListQuery), responses((status = 200, body = CasesAnswer), ForPeople)
)]
pub(super) async fn list(
    State(host): State<Host>,
    Caller(caller): Caller,
    Asked(query): Asked<ListQuery>,
) -> Result<Json<CasesAnswer>, ApiError> {
    let after = query
        .after
        .as_deref()
        .map(|text| read_after(text).ok_or(ApiError::BadRequest("after")))
        .transpose()?;
    let limit = rows_of(query.limit)?;
    if !query.kind.is_empty() && DocumentKind::from_word(&query.kind).is_none() {
        return Err(ApiError::BadRequest("kind"));
    }
    let stages = query.stage.split(',').filter(|stage| !stage.is_empty());
    let stages = stages.map(|stage| Stage::from_word(stage).map(|_| stage.to_owned()));
    let query = CaseQuery {
        kind: query.kind,
        stages: stages
            .collect::<Option<_>>()
            .ok_or(ApiError::BadRequest("stage"))?,
        scopes: None,
        number: query.number,
        conflicts_only: query.conflicts,
        after,
        limit,
    };
    let rows = host.blocking(move |app| {
        let scopes = office::visible_scopes(app, caller).map(|scopes| scopes.into_iter().collect());
        let query = CaseQuery { scopes, ..query };
        let mut rows = Vec::new();
        app.store.read(&mut |snapshot| {
            rows = snapshot.cases(&query)?;
            Ok(())
        })?;
        Ok::<_, ApiError>(rows)
    });
    let rows = rows.await??;
    let next = rows
        .last()
        .filter(|_| rows.len() == limit)
        .map(|(id, summary)| format!("{}-{}", summary.changed_at.0, id.hex()));
    Ok(Json(CasesAnswer {
        cases: rows
            .iter()
            .map(|(id, summary)| json::case_row(*id, summary))
            .collect(),
        next,
    }))
}

fn read_after(text: &str) -> Option<(patrol_core::domain::time::Timestamp, DocumentId)> {
    let (time, id) = text.split_once('-')?;
    Some((
        patrol_core::domain::time::Timestamp(time.parse().ok()?),
        DocumentId::from_hex(id)?,
    ))
}

/// `GET /v1/cases/{document}`: one case, with everything that the person may do next.
#[utoipa::path(get, path = "/v1/cases/{document}", operation_id = "show_case",
    security(("session" = [])), params(("document" = String, Path)), responses((status = 200, body = CaseJson), ForPeople)
)]
pub(super) async fn show(
    State(host): State<Host>,
    Caller(caller): Caller,
    Named(document): Named<String>,
) -> Result<Json<CaseJson>, ApiError> {
    let document = DocumentId::from_hex(&document).ok_or(ApiError::NotFound)?;
    let view = host
        .blocking(move |app| office::view(app, caller, document))
        .await??;
    Ok(Json(json::case(document, &view)))
}

#[derive(Deserialize, ToSchema, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct ActRequest {
    action: String,
    #[serde(default)]
    body: BodyJson,
    #[serde(default)]
    fields: FieldsJson,
    #[serde(default)]
    on: Vec<String>,
    #[serde(default)]
    seen: Vec<String>,
    /// Hexadecimal digits of at most 32 bytes: the same request sent again does the same once.
    key: String,
    acted_at: String,
}

#[derive(Serialize, ToSchema)]
pub(super) struct ActAnswer {
    document: String,
    entry: String,
}

impl ActRequest {
    fn into_deed(self) -> Result<Deed, ApiError> {
        let ids = |texts: Vec<String>| {
            texts
                .iter()
                .map(|text| EntryId::from_hex(text))
                .collect::<Option<Vec<_>>>()
        };
        let mut on = ids(self.on).ok_or(ApiError::BadRequest("on"))?;
        on.sort_unstable();
        on.dedup();
        let seen = self
            .seen
            .iter()
            .map(|text| ChangeHash::from_hex(text))
            .collect::<Option<Vec<_>>>();
        let key = json::unhex_all(&self.key)
            .filter(|key| (1..=limits::KEY_BYTES_MAX).contains(&key.len()));
        Ok(Deed {
            action: Action::from_word(&self.action).ok_or(ApiError::BadRequest("action"))?,
            body: self.body.into_body()?,
            fields: self.fields.into_fields()?,
            on,
            seen: seen.ok_or(ApiError::BadRequest("seen"))?,
            key: key.ok_or(ApiError::BadRequest("key"))?,
            acted_at: parse_rfc3339(&self.acted_at).ok_or(ApiError::BadRequest("acted_at"))?,
        })
    }
}

/// `POST /v1/cases`: opens a document; its id follows from person, key and time, so the same request opens it once.
#[utoipa::path(post, path = "/v1/cases", operation_id = "begin_case",
    security(("session" = [])), request_body = ActRequest, responses((status = 200, body = ActAnswer), ForPeople)
)]
pub(super) async fn begin(
    State(host): State<Host>,
    Caller(caller): Caller,
    Body(request): Body<ActRequest>,
) -> Result<Json<ActAnswer>, ApiError> {
    let deed = request.into_deed()?;
    let document = document_of(caller, &deed);
    let work = move |app: &App| office::begin(app, caller, document, &deed);
    answer(host, document, work).await
}

fn document_of(person: PersonId, deed: &Deed) -> DocumentId {
    let mut hash = Sha256::new();
    hash.update(person.0);
    hash.update(&deed.key);
    let mut random = [0; 10];
    random
        .iter_mut()
        .zip(hash.finalize())
        .for_each(|(byte, digest)| *byte = digest);
    DocumentId::new(deed.acted_at, random)
}

/// `POST /v1/cases/{document}/actions`: does something to a case.
#[utoipa::path(post, path = "/v1/cases/{document}/actions", operation_id = "act",
    security(("session" = [])), params(("document" = String, Path)), request_body = ActRequest, responses((status = 200, body = ActAnswer), ForPeople)
)]
pub(super) async fn act(
    State(host): State<Host>,
    Caller(caller): Caller,
    Named(document): Named<String>,
    Body(request): Body<ActRequest>,
) -> Result<Json<ActAnswer>, ApiError> {
    let document = DocumentId::from_hex(&document).ok_or(ApiError::NotFound)?;
    let deed = request.into_deed()?;
    let work = move |app: &App| office::act(app, caller, document, &deed);
    answer(host, document, work).await
}

async fn answer(
    host: Host,
    document: DocumentId,
    work: impl FnOnce(&App) -> office::Result<EntryId> + Send + 'static,
) -> Result<Json<ActAnswer>, ApiError> {
    let entry = host.blocking(work).await??;
    Ok(Json(ActAnswer {
        document: document.hex(),
        entry: entry.hex(),
    }))
}
