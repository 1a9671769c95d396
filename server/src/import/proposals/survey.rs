//! One proposal as its document says it, and which proposals wait.
//!
//! Nothing is answered here.

use patrol_core::domain::action::{Action, DocumentKind};
use patrol_core::domain::case::Category;
use patrol_core::domain::entry::{Body, Proposal};
use patrol_core::domain::id::{ChangeHash, DocumentId, EntryId, PersonId};
use patrol_core::domain::limits;
use patrol_core::domain::place::Place;
use patrol_core::domain::rules;
use patrol_core::domain::stage::Stage;
use patrol_core::domain::time::Timestamp;
use serde_json::{Value, json};

use crate::app::App;
use crate::calendar::{day_number, rfc3339};
use crate::grow::Growing;
use crate::office::Deed;
use crate::sheet::Reason;
use crate::store::{CaseQuery, Result};

/// A proposal that waits.
pub(super) struct Survey {
    pub(super) id: DocumentId,
    pub(super) proposal: Proposal,
    /// How many photos it names.
    pub(super) photos: usize,
    pub(super) place: Option<Place>,
    pub(super) category: Option<Category>,
    pub(super) received_at: Timestamp,
    /// The day on which it was received: no phone's clock decides it, and it is the same however often it is asked.
    pub(super) day: u32,
    on: Vec<EntryId>,
    seen: Vec<ChangeHash>,
}

impl Survey {
    /// What answers it, as it stands.
    pub(super) fn answer(
        self,
        (action, body): (Action, Body),
        key: [u8; 8],
        now: Timestamp,
    ) -> (DocumentId, Deed) {
        let deed = Deed {
            action,
            body,
            fields: Vec::new(),
            on: self.on,
            seen: self.seen,
            key: key.to_vec(),
            acted_at: now,
        };
        (self.id, deed)
    }
}

/// A proposal that this person may accept now, or why not.
pub(super) fn look_up(
    app: &App,
    person: PersonId,
    id: DocumentId,
) -> Result<std::result::Result<Survey, Reason>> {
    let mut loaded = None;
    app.store.read(&mut |snapshot| {
        loaded = Some(Growing::load(snapshot, id)?);
        Ok(())
    })?;
    let Some(growing) =
        loaded.filter(|growing| growing.ledger.kind() == Some(DocumentKind::Survey))
    else {
        return Ok(Err(Reason::NotWaiting));
    };
    let (reading, known) = (growing.read(), app.known());
    let case = reading.case;
    let is_waiting = case
        .workflow
        .standing
        .is_some_and(|standing| standing.stage == Stage::Reported);
    let opening = reading
        .lines
        .into_iter()
        .find(|line| line.entry.body.proposal.is_some());
    let Some((line, proposal)) = opening
        .filter(|_| is_waiting)
        .and_then(|line| line.entry.body.proposal.map(|proposal| (line, proposal)))
    else {
        return Ok(Err(Reason::NotWaiting));
    };
    let now = app.environment.now();
    let kind = DocumentKind::Survey;
    let rights = rules::rights_for(
        &known.holdings,
        now,
        person,
        Action::Accept,
        kind,
        &case.scopes,
    );
    if rights.is_empty() {
        return Ok(Err(Reason::NotPermitted));
    }
    let received_at = line.received_at.unwrap_or(now);
    Ok(Ok(Survey {
        id,
        proposal,
        photos: line.entry.body.photos.len(),
        place: case.places.into_iter().next().map(|place| place.value),
        category: case
            .categories
            .into_iter()
            .next()
            .map(|category| category.value),
        received_at,
        day: day_number(received_at),
        on: case.workflow.heads,
        seen: growing.ledger.head_hashes(),
    }))
}

/// A proposal that nobody has answered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Waiting {
    /// Since when.
    pub since: Timestamp,
    /// Which.
    pub survey: DocumentId,
    /// The village that it names.
    pub village: Option<u64>,
}

impl Waiting {
    /// Whether it has waited longer than it should.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.since.plus_ms(limits::PROPOSAL_WAIT_MS) < now
    }

    /// As JSON.
    pub fn json(&self) -> Value {
        let since = rfc3339(self.since);
        json!({ "proposal": self.survey.hex(), "village": self.village, "waiting_since": since })
    }
}

/// Proposals that wait, the one that has waited longest first.
pub fn waiting(app: &App) -> Result<Vec<Waiting>> {
    let mut waiting = Vec::new();
    app.store.read(&mut |snapshot| {
        let mut query = CaseQuery {
            kind: DocumentKind::Survey.word().to_owned(),
            stages: vec![Stage::Reported.word().to_owned()],
            limit: limits::LIST_ROWS_MAX,
            ..CaseQuery::default()
        };
        loop {
            let rows = snapshot.cases(&query)?;
            let Some((last, summary)) = rows.last() else {
                return Ok(());
            };
            query.after = Some((summary.changed_at, *last));
            waiting.extend(rows.iter().map(|(survey, summary)| Waiting {
                since: summary.opened_at,
                survey: *survey,
                village: summary.village,
            }));
        }
    })?;
    waiting.sort_unstable();
    Ok(waiting)
}
