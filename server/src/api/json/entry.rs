//! Entries as JSON: what was done, in detail, both ways.

use patrol_core::domain::entry::{
    AssignmentId, Body, CheckBy, Entry, Field, Part, PhotoRef, Proposal, Proposed, Verdict,
};
use patrol_core::domain::id::{DocumentId, EntryId, UnitId};
use patrol_core::domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{bad, hex, unhex};
use crate::calendar::rfc3339;
use crate::error::ApiError;

/// An assignment's name.
#[derive(Serialize, Deserialize, ToSchema, Debug)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct AssignmentJson {
    pub(super) dispatch: String,
    pub(super) unit: u64,
}

/// A unit of a dispatch.
#[derive(Serialize, Deserialize, ToSchema, Debug)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct AssignJson {
    unit: u64,
    part: String,
}

/// A photo named by its content.
#[derive(Serialize, Deserialize, ToSchema, Debug)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct PhotoJson {
    sha256: String,
    bytes: u64,
    media: u64,
    kind: u64,
}

/// A proposal; the code as text, for its digits are too many for a browser's numbers.
#[derive(Serialize, Deserialize, ToSchema, Debug)]
#[serde(deny_unknown_fields)]
struct ProposalJson {
    proposed: String,
    #[serde(default)]
    component: Option<String>,
}

/// What was done, in detail.
#[derive(Serialize, Deserialize, ToSchema, Debug, Default)]
#[serde(default, deny_unknown_fields)]
pub(in crate::api) struct BodyJson {
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    photos: Vec<PhotoJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    assign: Vec<AssignJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    assignment: Option<AssignmentJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    judged: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chosen: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<(u64, i64)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    withdraws: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    check_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proposal: Option<ProposalJson>,
}

/// One line of the log.
#[derive(Serialize, ToSchema, Debug)]
pub(in crate::api) struct EntryJson {
    id: String,
    action: String,
    person: String,
    device: String,
    n: u64,
    on: Vec<String>,
    made_at: String,
    received_at: Option<String>,
    body: BodyJson,
}

fn ids(text: Option<String>, code: &'static str) -> Result<Option<EntryId>, ApiError> {
    text.map(|text| EntryId::from_hex(&text).ok_or_else(bad(code)))
        .transpose()
}

fn proposal(said: ProposalJson) -> Result<Proposal, ApiError> {
    let proposed = Proposed::from_word(&said.proposed).ok_or_else(bad("proposal"))?;
    let component = said.component.map(|code| code.parse()).transpose();
    let proposal = Proposal {
        proposed,
        component: component.map_err(|_| bad("proposal")())?,
    };
    if proposal.is_whole() {
        Ok(proposal)
    } else {
        Err(bad("proposal")())
    }
}

impl BodyJson {
    /// As a domain value; a code names what is wrong.
    pub(in crate::api) fn into_body(self) -> Result<Body, ApiError> {
        let photo = |photo: PhotoJson| {
            let sha256 = unhex(&photo.sha256).ok_or_else(bad("photos"))?;
            Ok(PhotoRef {
                sha256,
                bytes: photo.bytes,
                media: photo.media,
                kind: photo.kind,
            })
        };
        let assign = |assign: AssignJson| match assign.part.as_str() {
            "main" => Ok((UnitId(assign.unit), Part::Main)),
            "assisting" => Ok((UnitId(assign.unit), Part::Assisting)),
            _ => Err(ApiError::BadRequest("assign")),
        };
        let assignment = |name: AssignmentJson| {
            let dispatch = EntryId::from_hex(&name.dispatch).ok_or_else(bad("assignment"))?;
            Ok::<_, ApiError>(AssignmentId {
                dispatch,
                unit: UnitId(name.unit),
            })
        };
        let check_by = |text: String| match text.as_str() {
            "either" => Ok(CheckBy::Either),
            "inspector" => Ok(CheckBy::Inspector),
            "cadre" => Ok(CheckBy::Cadre),
            _ => Err(ApiError::BadRequest("check_by")),
        };
        Ok(Body {
            words: self.words,
            photos: self
                .photos
                .into_iter()
                .map(photo)
                .collect::<Result<_, ApiError>>()?,
            verdict: self
                .verdict
                .map(|word| Verdict::from_word(&word).ok_or_else(bad("verdict")))
                .transpose()?,
            assign: self
                .assign
                .into_iter()
                .map(assign)
                .collect::<Result<_, _>>()?,
            assignment: self.assignment.map(assignment).transpose()?,
            judged: ids(self.judged, "judged")?,
            mode: self.mode,
            reason: self.reason,
            chosen: ids(self.chosen, "chosen")?,
            field: self
                .field
                .map(|word| Field::from_word(&word).ok_or_else(bad("field")))
                .transpose()?,
            source: self.source,
            target: self
                .target
                .map(|text| DocumentId::from_hex(&text).ok_or_else(bad("target")))
                .transpose()?,
            count: self.count,
            withdraws: ids(self.withdraws, "withdraws")?,
            check_by: self.check_by.map(check_by).transpose()?,
            proposal: self.proposal.map(proposal).transpose()?,
        })
    }
}

fn body(body: &Body) -> BodyJson {
    let part = |part: Part| {
        if part == Part::Main {
            "main"
        } else {
            "assisting"
        }
    };
    let check_by = |by: CheckBy| match by {
        CheckBy::Either => "either",
        CheckBy::Inspector => "inspector",
        CheckBy::Cadre => "cadre",
    };
    BodyJson {
        words: body.words.clone(),
        photos: body
            .photos
            .iter()
            .map(|photo| PhotoJson {
                sha256: hex(&photo.sha256),
                bytes: photo.bytes,
                media: photo.media,
                kind: photo.kind,
            })
            .collect(),
        verdict: body.verdict.map(|verdict| verdict.word().to_owned()),
        assign: body
            .assign
            .iter()
            .map(|(unit, of)| AssignJson {
                unit: unit.0,
                part: part(*of).to_owned(),
            })
            .collect(),
        assignment: body.assignment.map(|name| AssignmentJson {
            dispatch: name.dispatch.hex(),
            unit: name.unit.0,
        }),
        judged: body.judged.map(|id| id.hex()),
        mode: body.mode,
        reason: body.reason,
        chosen: body.chosen.map(|id| id.hex()),
        field: body.field.map(|field| field.word().to_owned()),
        source: body.source,
        target: body.target.map(|id| id.hex()),
        count: body.count,
        withdraws: body.withdraws.map(|id| id.hex()),
        check_by: body.check_by.map(|by| check_by(by).to_owned()),
        proposal: body.proposal.map(|proposal| ProposalJson {
            proposed: proposal.proposed.word().to_owned(),
            component: proposal.component.map(|code| code.to_string()),
        }),
    }
}

/// An entry as JSON.
pub(in crate::api) fn entry(
    id: EntryId,
    entry: &Entry,
    received_at: Option<Timestamp>,
) -> EntryJson {
    EntryJson {
        id: id.hex(),
        action: entry.word(),
        person: entry.person.hex(),
        device: entry.device.hex(),
        n: entry.n,
        on: entry.on.iter().map(EntryId::hex).collect(),
        made_at: rfc3339(entry.at.best()),
        received_at: received_at.map(rfc3339),
        body: body(&entry.body),
    }
}
