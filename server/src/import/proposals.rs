//! Proposals of phones for the register of components: what it would be with them is previewed as a file is, by the same checks, and
//! adopting that accepts them. Declining is an ordinary action of the office, of several at once here.
//!
//! Components and acceptances are one transaction, so that no crash and no second adoption leaves one without the other. What the
//! preview of a new component does not know is taken from its neighbours or said by the administrator; it is a fault otherwise.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use patrol_core::domain::action::Action;
use patrol_core::domain::component::{Component, Position};
use patrol_core::domain::entry::Body;
use patrol_core::domain::id::{DocumentId, PersonId};
use patrol_core::domain::limits;
use patrol_core::domain::place::VillageCode;
use patrol_core::sync::components as codec;
use serde_json::{Value, json};

use super::components::{COLUMNS, OnFault, Reading};
use super::places::Places;
use super::{Adopted, Answers, Plan, Preview, begun, counts, villages};
use crate::app::App;
use crate::components;
use crate::office::{self, Rejection};
use crate::sheet::{Faults, ImportFault, Reason, Record, Rows};
use crate::store::reference::{ComponentRow, Replacing, Rest};
use crate::store::{Result, StoreError};

mod doubles;
mod draft;
mod survey;

pub(super) use draft::degrees;
use draft::{Draft, Drafting};
use survey::{Survey, look_up};
pub use survey::{Waiting, waiting};

/// Which proposals, and what is said of them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Asked {
    /// Which; those that have waited longest, where none is named.
    pub surveys: Vec<DocumentId>,
    /// What the administrator says himself, by the names of a file's columns: it stands in every new row that comes of these proposals, and
    /// in the others where nothing stands.
    pub fields: BTreeMap<String, String>,
}

/// What faults name as the file.
const FILE: &str = "proposals";

/// What the components' table would be with these proposals. Nothing is changed by this.
pub fn preview(app: &App, person: PersonId, asked: &Asked) -> Result<Preview> {
    let mut preview = begun(app)?;
    let mut surveys = asked.surveys.clone();
    if surveys.is_empty() {
        let waiting = waiting(app)?.into_iter().map(|waiting| waiting.survey);
        surveys = waiting.take(limits::PROPOSALS_AT_ONCE).collect();
    }
    if surveys.len() > limits::PROPOSALS_AT_ONCE {
        let fault = ImportFault::of_file(&FILE.into(), Reason::TooLarge);
        preview.faults.push(fault);
        return Ok(preview);
    }
    for name in asked.fields.keys().filter(|name| column(name).is_none()) {
        preview
            .faults
            .push(fault(None, name, Reason::UnknownColumn));
    }
    let mut found = Vec::new();
    for (line, survey) in (1..).zip(&surveys) {
        match look_up(app, person, *survey)? {
            Ok(survey) => found.push((line, survey)),
            Err(reason) => preview.faults.push(fault(Some(line), "survey", reason)),
        }
    }
    // What came later is said later; a proposal named twice is one.
    found.sort_by_key(|(_, survey)| (survey.received_at, survey.id));
    found.dedup_by_key(|(_, survey)| survey.id);
    let mut drafting = Drafting {
        app,
        preview: &mut preview,
        drafts: Vec::new(),
        handed_out: BTreeMap::new(),
    };
    for (line, survey) in &found {
        drafting.take_in(*line, survey)?;
    }
    let drafts = drafting.drafts;
    let rows = weigh(app, &asked.fields, drafts, &mut preview)?;
    name(&surveys, &mut preview.faults);
    if preview.faults.is_empty() && !found.is_empty() {
        let key: [u8; 8] = app.random();
        let now = app.environment.now();
        let accepted = |(_, survey): (usize, Survey)| {
            survey.answer((Action::Accept, Body::default()), key, now)
        };
        let deeds = found.into_iter().map(accepted).collect();
        preview.plan = Plan::Proposals(Box::new(Answers {
            rows,
            person,
            deeds,
        }));
    }
    Ok(preview)
}

/// Declines proposals one after the other, for a reason that those who made them are told, and says how many; none where one does not wait
/// for this person's answer.
pub fn decline(
    app: &App,
    person: PersonId,
    surveys: &BTreeSet<DocumentId>,
    words: &str,
) -> office::Result<std::result::Result<usize, Faults>> {
    let (key, now) = (app.random::<8>(), app.environment.now());
    let body = Body {
        words: Some(words.to_owned()),
        ..Body::default()
    };
    let (mut faults, mut deeds) = (Faults::default(), Vec::new());
    for (line, survey) in (1..).zip(surveys) {
        match look_up(app, person, *survey)? {
            Ok(survey) => deeds.push(survey.answer((Action::Decline, body.clone()), key, now)),
            Err(reason) => faults.push(fault(Some(line), "survey", reason)),
        }
    }
    if !faults.is_empty() {
        name(&surveys.iter().copied().collect::<Vec<_>>(), &mut faults);
        return Ok(Err(faults));
    }
    for (survey, deed) in &deeds {
        office::act(app, person, *survey, deed)?;
    }
    Ok(Ok(deeds.len()))
}

/// Adds to each fault of a proposal whose it is: there is no file in which somebody could count.
fn name(surveys: &[DocumentId], faults: &mut Faults) {
    for fault in &mut faults.shown {
        let at = fault.line.and_then(|line| line.checked_sub(1));
        if let Some(survey) = at.and_then(|at| surveys.get(at)) {
            let survey = format!("survey {}", survey.hex());
            let told = fault.told();
            fault.detail = Some(told.map_or(survey.clone(), |told| format!("{told}, {survey}")));
        }
    }
}

/// Reads the drafts as rows of a file are read, and says what they change.
fn weigh(
    app: &App,
    fields: &BTreeMap<String, String>,
    drafts: Vec<Draft>,
    preview: &mut Preview,
) -> Result<Vec<ComponentRow>> {
    let known = villages(&app.known().directory, app.environment.now());
    let columns = COLUMNS.required.iter().chain(COLUMNS.optional);
    let columns: Vec<&str> = columns
        .copied()
        .filter(|name| !name.ends_with("wgs84"))
        .collect();
    let head = Record::new(0, columns.iter().map(|name| (*name).to_owned()).collect());
    let record = |draft: &Draft| {
        let cell = |name: &&str| draft.cell(name, fields.get(*name));
        Record::new(draft.line, columns.iter().map(cell).collect())
    };
    let records: Vec<Record> = std::iter::once(head)
        .chain(drafts.iter().map(record))
        .collect();
    let records: Rows = Box::new(records.into_iter().map(Ok));
    let mut reading = Reading::new(FILE.into(), records, &known, OnFault::Pass);
    reading.places = Some(Places::new(app));
    for (village, bytes) in kept(app, &drafts)? {
        reading.count_kept(village, bytes);
    }
    let rows: Vec<ComponentRow> = reading.by_ref().collect::<Result<_>>()?;
    preview.faults.append(reading.faults);
    preview.warnings.append(reading.warnings);
    if preview.faults.is_empty() {
        examine_codes(app, drafts.iter().zip(&rows), preview)?;
        doubles::warn(app, drafts.iter().zip(&rows), &mut preview.warnings)?;
    }
    if preview.faults.is_empty() {
        let mut given = rows.iter().cloned().map(Ok);
        let weighed = app
            .store
            .weigh_components(&mut given, Rest::Kept, &mut |_, _| {})?;
        let changes = drafts.iter().zip(&rows);
        let changes: Vec<Value> = changes
            .map(|pair| change(pair, fields))
            .collect::<Result<_>>()?;
        let of = [("table", json!("components")), ("rows", json!(changes))];
        preview.tables.push(counts(of, &weighed));
    }
    Ok(rows)
}

/// A component keeps its code, and a new one takes no other's.
fn examine_codes<'d>(
    app: &App,
    rows: impl Iterator<Item = (&'d Draft, &'d ComponentRow)>,
    preview: &mut Preview,
) -> Result<()> {
    for (draft, row) in rows {
        let is_its_own = match &draft.was {
            Some(was) => was.code.number() == row.code,
            None => app.store.component(row.code)?.is_none(),
        };
        if !is_its_own {
            let duplicate = fault(Some(draft.line), "code", Reason::Duplicate);
            preview.faults.push(duplicate);
        }
    }
    Ok(())
}

/// Bytes of what stays in the villages that drafts name.
fn kept(app: &App, drafts: &[Draft]) -> Result<BTreeMap<VillageCode, usize>> {
    let named = drafts.iter().filter_map(|draft| {
        let said = draft.said.get("unit_grid").or(draft.cells.get("unit_grid"));
        VillageCode::parse(said?.get(..12)?)
    });
    let mut kept = BTreeMap::new();
    for village in named.collect::<BTreeSet<_>>() {
        kept.insert(village, app.store.components_of(village)?.len());
    }
    for was in drafts.iter().filter_map(|draft| draft.was.as_ref()) {
        if let Some(bytes) = kept.get_mut(&was.village) {
            *bytes = bytes.saturating_sub(codec::encode(was).len());
        }
    }
    Ok(kept)
}

/// A row of the preview: the component as it is and as it would be.
fn change(
    (draft, row): (&Draft, &ComponentRow),
    fields: &BTreeMap<String, String>,
) -> Result<Value> {
    let told = |component: &Component| {
        let Position { lon_e7, lat_e7 } = component.position;
        let (lon, lat) = (degrees(lon_e7), degrees(lat_e7));
        json!({ "text": format!("{} {} {lon} {lat} {}", component.name, component.state, component.unit_grid) })
    };
    let is = components::read(&row.bytes)?;
    let what = match &draft.was {
        None => "added",
        Some(was) if *was == is => "unchanged",
        Some(_) => "changed",
    };
    let surveys: Vec<String> = draft.surveys.iter().map(DocumentId::hex).collect();
    let was = draft.was.as_ref().map(told);
    // What stands there only because the administrator says so.
    let said = fields.iter().filter(|(column, says)| {
        !says.is_empty() && draft.cell(column, None) != draft.cell(column, Some(says))
    });
    let said: BTreeMap<_, _> = said.collect();
    Ok(
        json!({ "row": row.code.to_string(), "what": what, "was": was, "is": told(&is), "said": said, "surveys": surveys, "photos": draft.photos }),
    )
}

fn fault(line: Option<usize>, column: &str, reason: Reason) -> ImportFault {
    ImportFault {
        file: Arc::from(FILE),
        line,
        column: Some(column.to_owned()),
        reason,
        detail: None,
    }
}

/// The column of that very name.
fn column(name: &str) -> Option<&'static str> {
    let mut known = COLUMNS.required.iter().chain(COLUMNS.optional);
    let found = known.find(|known| **known == name && !known.ends_with("wgs84"));
    found.copied()
}

/// Puts in force what a preview of proposals shows. `Stale` where something else was put in force, or one of them is answered by now.
pub(super) fn adopt(
    app: &App,
    (directory, base): (u64, u64),
    answers: &Answers,
) -> Result<Adopted> {
    let accepted = office::prepare_all(app, answers.person, &answers.deeds);
    let with = accepted.map_err(|rejection| match rejection {
        Rejection::Store(error) => error,
        // When it was previewed he might, and it waited.
        Rejection::Refused(_) | Rejection::NotFound => StoreError::Stale,
    })?;
    let replacing = Replacing {
        base,
        directory,
        rest: Rest::Kept,
        now: app.environment.now(),
        with: &with,
    };
    let mut rows = answers.rows.iter().cloned().map(Ok);
    let weighed = app.store.replace_components(&mut rows, &replacing)?;
    Ok(Adopted::Proposals(weighed, with.documents.len()))
}
