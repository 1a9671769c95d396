//! Changes held for review: listing and settling them.

use axum::Json;
use axum::extract::State;
use patrol_core::doc::entry;
use patrol_core::doc::key::Key;
use patrol_core::doc::parse;
use patrol_core::doc::register::FieldValue;
use patrol_core::domain::id::{ChangeHash, DocumentId};
use patrol_core::domain::limits;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::extract::{Asked, Body, Named, rows_of};
use super::openapi::ForPeople;
use super::{Host, json};
use crate::auth::Caller;
use crate::calendar::rfc3339;
use crate::error::ApiError;
use crate::review::{self, Decision};
use crate::store::BoxedChange;

#[derive(Serialize, ToSchema)]
pub(super) struct HeldAnswer {
    document: String,
    change: String,
    device: String,
    person: Option<String>,
    held_at: String,
    /// The changes on which it builds, as in `change`.
    builds_on: Vec<String>,
    entry: Option<json::EntryJson>,
    /// What it writes besides: the words, the place, the category … that are to be judged.
    fields: json::FieldsJson,
}

#[derive(Deserialize, utoipa::IntoParams, Debug, Default)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    after: Option<u64>,
    limit: Option<usize>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct ReviewsAnswer {
    reviews: Vec<HeldAnswer>,
    /// Give it back as `after` for the next page.
    next: Option<u64>,
}

/// `GET /v1/reviews`: a page of what is held, in the order in which it came.
#[utoipa::path(get, path = "/v1/reviews", operation_id = "list_reviews",
    security(("session" = [])), params(ListQuery), responses((status = 200, body = ReviewsAnswer), ForPeople)
)]
pub(super) async fn list(
    State(host): State<Host>,
    Caller(caller): Caller,
    Asked(query): Asked<ListQuery>,
) -> Result<Json<ReviewsAnswer>, ApiError> {
    let (after, limit) = (query.after.unwrap_or(0), rows_of(query.limit)?);
    // A number that no row can have is after all of them.
    let after = after.min(i64::MAX.cast_unsigned());
    let held = host.blocking(move |app| {
        if !review::may_settle(app, caller) {
            return Err(ApiError::Forbidden("not_permitted"));
        }
        Ok(review::held(app, after, limit)?)
    });
    let held = held.await??;
    let next = held.last().filter(|_| held.len() == limit);
    Ok(Json(ReviewsAnswer {
        next: next.map(|(no, _)| *no),
        reviews: held.iter().map(|(_, held)| held_json(held)).collect(),
    }))
}

fn held_json(held: &BoxedChange) -> HeldAnswer {
    let change = parse::parse_admitted(&held.body).ok();
    let put = change.as_ref().and_then(|change| change.puts.first());
    let entry = put.and_then(|put| {
        entry::decode(&put.value)
            .ok()
            .map(|entry| (entry::entry_id(held.document, &put.value), entry))
    });
    let deps = change.iter().flat_map(|change| &change.deps);
    let puts = change.iter().flat_map(|change| &change.puts);
    let fields = puts.filter_map(|put| match put.key {
        Key::Field(field) => FieldValue::decode(field, &put.value).ok(),
        _ => None,
    });
    HeldAnswer {
        document: held.document.hex(),
        change: held.hash.hex(),
        device: held.device.hex(),
        person: held.person.map(|person| person.hex()),
        held_at: rfc3339(held.boxed_at),
        builds_on: deps.map(|dep| dep.hex()).collect(),
        entry: entry.map(|(id, entry)| json::entry(id, &entry, None)),
        fields: json::FieldsJson::of(fields),
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SettleRequest {
    /// `release` or `refuse`.
    decision: String,
    words: String,
    /// Others of the same document, as in `change`, that were looked at too. Of what follows the one that is released, these are settled with it,
    /// and what needs nobody's look; the others stay held, and are listed again. What does not follow it is passed over.
    #[serde(default)]
    seen: Vec<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct SettledAnswer {
    /// For what it was refused, also where it was to be released and can never come in (`forked`: its phone makes it again).
    refused: Option<&'static str>,
}

/// `POST /v1/reviews/{document}/{change}`: releases or refuses, with a reason.
#[utoipa::path(post, path = "/v1/reviews/{document}/{change}", operation_id = "settle_review",
    security(("session" = [])), params(("document" = String, Path), ("change" = String, Path)), request_body = SettleRequest, responses((status = 200, body = SettledAnswer), ForPeople)
)]
pub(super) async fn settle(
    State(host): State<Host>,
    Caller(caller): Caller,
    Named((document, change)): Named<(String, String)>,
    Body(request): Body<SettleRequest>,
) -> Result<Json<SettledAnswer>, ApiError> {
    let document = DocumentId::from_hex(&document).ok_or(ApiError::NotFound)?;
    let change = ChangeHash::from_hex(&change).ok_or(ApiError::NotFound)?;
    let others = request.seen.iter().map(|hash| ChangeHash::from_hex(hash));
    let looked_at = std::iter::once(Some(change)).chain(others);
    let looked_at: Option<Vec<_>> = looked_at.collect();
    let looked_at = looked_at.ok_or(ApiError::BadRequest("seen"))?;
    let decision = match request.decision.as_str() {
        "release" => Decision::Release,
        "refuse" => Decision::Refuse,
        _ => return Err(ApiError::BadRequest("decision")),
    };
    if request.words.trim().is_empty() || request.words.chars().count() > limits::ENTRY_WORDS_MAX {
        return Err(ApiError::BadRequest("words"));
    }
    let refused = host.blocking(move |app| {
        if !review::may_settle(app, caller) {
            return Err(ApiError::Forbidden("not_permitted"));
        }
        Ok(review::settle(
            app,
            caller,
            document,
            &looked_at,
            decision,
            &request.words,
        )?)
    });
    Ok(Json(SettledAnswer {
        refused: refused.await??.map(|refusal| refusal.code()),
    }))
}
