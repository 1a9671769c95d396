//! Imports: files become a preview, and a preview, once it is adopted, what is in force. On any fault nothing changes; what is replaced
//! is kept.
//!
//! A preview is bound to what was in force when it was made, and is refused where that has been replaced since. Who may import is
//! asked by the callers.

pub mod components;
mod listed;
mod needed;
mod places;
mod preview;
pub mod proposals;
pub mod restore;
mod upload;
mod waiting;

use std::collections::BTreeSet;
use std::sync::Arc;

use patrol_core::domain::directory::Directory;
use patrol_core::domain::id::{DocumentId, PersonId};
use patrol_core::domain::place::VillageCode;
use patrol_core::domain::time::{DAY_MS, Timestamp};
use serde_json::{Value, json};

use crate::app::App;
use crate::calendar::{day_begins, rfc3339};
use crate::directory::leaves::Basis;
use crate::directory::{self, Ends, Laid, Names, Table, Today};
use crate::office::Deed;
use crate::sheet::{Faults, ImportFault, Reason};
use crate::store::reference::{ComponentRow, MadeBy, Replacing, Rest, Version, Weighed};
use crate::store::{Commit, Result, StoreError};

pub(crate) use needed::villages_in_use;
pub(crate) use preview::lost;
pub use preview::tables;
pub use upload::{Content, Upload, is_left_behind, is_named};
pub(crate) use waiting::Waiting;

use components::{Digest, OnFault, Reading};
use listed::Listed;
use places::Places;
use upload::{Of, Part};

/// What files would change.
pub struct Preview {
    /// What was in force when it was made: the numbers of the directory and of the last import of components.
    base: (u64, u64),
    /// Per table, what changes and how much.
    tables: Vec<Value>,
    /// What a reader of the files should know: codes.
    notes: Vec<&'static str>,
    /// Everything that is wrong: with a fault, nothing can be adopted.
    pub faults: Faults,
    /// What is strange, and adopted all the same.
    warnings: Faults,
    plan: Plan,
}

/// What would be done.
enum Plan {
    /// Puts a directory in force. What is not named any more ends with the day, so it is good for the day.
    Directory(Box<(Directory, Basis)>, Today),
    /// Reads the components once more, and keeps them if they are still those of this digest.
    Components(Upload, Digest),
    /// Keeps rows that have been read, and accepts the proposals that they come from.
    Proposals(Box<Answers>),
    Nothing,
}

/// What is answered to proposals.
struct Answers {
    rows: Vec<ComponentRow>,
    /// In whose name they are accepted, and how.
    person: PersonId,
    deeds: Vec<(DocumentId, Deed)>,
}

impl Preview {
    /// As JSON, beside the name under which it can be adopted.
    pub fn json(&self, id: Option<String>) -> Value {
        let (directory, components) = self.base;
        json!({
            "id": id.filter(|_| self.faults.is_empty()),
            "base": { "directory": directory, "components": components },
            "tables": self.tables,
            "notes": self.notes,
            "faults": self.faults.json(),
            "faults_total": self.faults.total,
            "warnings": self.warnings.json(),
            "warnings_total": self.warnings.total,
        })
    }
}

/// What has been put in force.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Adopted {
    /// A directory, and its number.
    Directory(u64),
    /// The directory of that number stays as it is: the files say nothing else.
    Unchanged(u64),
    /// Components.
    Components(Weighed),
    /// Components, and so many proposals that were accepted.
    Proposals(Weighed, usize),
}

impl Adopted {
    /// As JSON.
    pub fn json(&self) -> Value {
        match self {
            Self::Directory(no) => json!({ "adopted": { "directory": no } }),
            Self::Unchanged(no) => {
                json!({ "adopted": { "directory": no, "nothing_changed": true } })
            }
            Self::Components(weighed) if weighed.is_nothing() => {
                json!({ "adopted": { "components": counts([], weighed), "nothing_changed": true } })
            }
            Self::Components(weighed) => {
                json!({ "adopted": { "components": counts([], weighed) } })
            }
            Self::Proposals(weighed, accepted) => {
                json!({ "adopted": { "components": counts([], weighed), "proposals": accepted } })
            }
        }
    }
}

/// Counts, beside what they are counts of.
fn counts<const N: usize>(of: [(&str, Value); N], weighed: &Weighed) -> Value {
    let counted = [
        ("added", weighed.added),
        ("changed", weighed.changed),
        ("removed", weighed.removed),
        ("unchanged", weighed.unchanged),
    ];
    let counted = counted.map(|(name, count)| (name, json!(count)));
    let pairs = of.into_iter().chain(counted);
    Value::Object(
        pairs
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    )
}

/// What the files would change. Nothing is changed by this.
pub fn preview(app: &App, uploads: &[Upload]) -> Result<Preview> {
    let mut preview = begun(app)?;
    let mut parts = Vec::new();
    for upload in uploads {
        parts.extend(upload::parts(upload, &mut preview.faults));
    }
    if parts.iter().any(|part| part.has_outlines) {
        preview.notes.push("outlines_become_points");
    }
    let is_one = parts.len() == 1 && uploads.len() == 1;
    let (components, tables): (Vec<Part>, Vec<Part>) = parts
        .into_iter()
        .partition(|part| part.of == Of::Components);
    let mut villages = villages(&app.known().directory, app.environment.now());
    if components.is_empty() || !tables.is_empty() {
        villages.extend(preview_directory(app, tables, &mut preview)?);
    }
    for part in components {
        if !is_one {
            // All the same it is read, so that everything is told that is wrong with it.
            preview.plan = Plan::Nothing;
            let fault = ImportFault::of_file(&part.file, Reason::NotAlone);
            preview.faults.push(fault);
        }
        preview_components(app, uploads.first(), (part, &villages), &mut preview)?;
    }
    Ok(preview)
}

/// A preview of nothing, against what is in force.
fn begun(app: &App) -> Result<Preview> {
    Ok(Preview {
        base: (app.known().no, last_import(app)?),
        tables: Vec::new(),
        notes: Vec::new(),
        faults: Faults::default(),
        warnings: Faults::default(),
        plan: Plan::Nothing,
    })
}

/// Returns the villages that there would be.
fn preview_directory(
    app: &App,
    parts: Vec<Part>,
    preview: &mut Preview,
) -> Result<BTreeSet<VillageCode>> {
    let known = app.known();
    let mut given = Vec::new();
    for part in parts {
        if let Of::Directory(table) = part.of {
            given.push((table, part.file, part.rows));
        }
    }
    let today = today(app.environment.now());
    let faults = std::mem::take(&mut preview.faults);
    let people = known.directory.people.iter().chain(&known.basis.said);
    let names = Names::new(people, app.person_ids());
    let of = |wanted| given.iter().find(|(table, _, _)| *table == wanted);
    let units = of(Table::Units).map_or_else(|| "units".into(), |(_, file, _)| Arc::clone(file));
    let force = (&known.directory, &known.basis);
    let ends = Ends::of(&known.basis);
    let laid = directory::read_over(given, force, (ends, names), (today, faults));
    let villages = villages(&laid.directory, today.now);
    take_in(app, laid, (today, &units), preview)?;
    Ok(villages)
}

/// Takes what has been laid over the directory in force into a preview; of what comes of the file of units, it says which that is.
fn take_in(
    app: &App,
    mut laid: Laid,
    (today, units): (Today, &Arc<str>),
    preview: &mut Preview,
) -> Result<()> {
    let known = app.known();
    preview.faults = std::mem::take(&mut laid.faults);
    preview.warnings = std::mem::take(&mut laid.warnings);
    let endings = std::mem::take(&mut laid.endings);
    let pair = (&known.directory, &laid);
    needed::examine(app, pair, endings, units, preview)?;
    if preview.faults.is_empty() {
        preview.tables = preview::changes(&known.directory, &laid.directory);
        let is_known = laid.directory == known.directory && laid.basis == known.basis;
        if is_known {
            preview.notes.push("nothing_changes");
        }
        let Laid {
            directory, basis, ..
        } = laid;
        preview.plan = Plan::Directory(Box::new((directory, basis)), today);
    }
    Ok(())
}

/// Days begin and end in +08:00.
fn today(now: Timestamp) -> Today {
    Today {
        now,
        ends: day_begins(now).plus_ms(DAY_MS),
    }
}

/// What a part's components would change; from which file it comes matters where nothing else is wrong.
fn preview_components(
    app: &App,
    upload: Option<&Upload>,
    (part, villages): (Part, &BTreeSet<VillageCode>),
    preview: &mut Preview,
) -> Result<()> {
    let mut reading = Reading::new(part.file, part.rows, villages, OnFault::Pass);
    reading.places = Some(Places::new(app));
    let mut listed = Listed::default();
    let weighed =
        app.store
            .weigh_components(&mut reading, Rest::Removed, &mut |differs, code| {
                listed.take(differs, code);
            })?;
    let digest = reading.digest();
    if let Some(fault) = reading.without_rows() {
        reading.faults.push(fault);
    }
    // What stands in these stays, though perhaps none of it is there any more.
    let tags = app.store.component_tags(villages)?.into_iter();
    let not_named: Vec<VillageCode> = tags.map(|(village, _)| village).collect();
    let not_named = not_named.iter().filter(|village| !reading.names(**village));
    let not_named = ("villages_not_named", json!(not_named.count()));
    preview.faults.append(reading.faults);
    preview.warnings.append(reading.warnings);
    if let Some(upload) = upload
        && preview.faults.is_empty()
    {
        let table = ("table", json!("components"));
        let [rows, not_shown] = listed.json();
        let of = [table, not_named, rows, not_shown];
        preview.tables.push(counts(of, &weighed));
        if weighed.is_nothing() {
            preview.notes.push("nothing_changes");
        }
        preview.plan = Plan::Components(upload.clone(), digest);
    }
    Ok(())
}

/// The villages in which something may stand.
fn villages(directory: &Directory, now: Timestamp) -> BTreeSet<VillageCode> {
    let villages = directory.villages.iter();
    let in_force = villages.filter(|village| village.is_in_force_at(now));
    in_force.map(|village| village.code).collect()
}

/// Whether a village ends by a directory that does not end, or ends later, in the one before.
fn ends_a_village(before: &Directory, after: &Directory) -> bool {
    let mut ends = after
        .villages
        .iter()
        .filter(|village| village.until.is_some());
    ends.any(|village| {
        let was = before.village(village.code).and_then(|was| was.until);
        was.is_none_or(|was| village.until.is_some_and(|until| until < was))
    })
}

fn last_import(app: &App) -> Result<u64> {
    let imports = app.store.component_imports()?;
    Ok(imports.last().map_or(0, |import| import.no))
}

/// Puts in force what a preview shows. `Stale` where that is not what would happen now; none where there is nothing to adopt.
pub fn adopt(app: &App, preview: &Preview) -> Result<Option<Adopted>> {
    let known = app.known();
    let (directory_no, components_no) = preview.base;
    if known.no != directory_no {
        return Err(StoreError::Stale);
    }
    match &preview.plan {
        Plan::Nothing => Ok(None),
        Plan::Directory(_, today) if app.environment.now() >= today.ends => Err(StoreError::Stale),
        Plan::Directory(plan, _) if plan.0 == known.directory && plan.1 == known.basis => {
            Ok(Some(Adopted::Unchanged(directory_no)))
        }
        Plan::Directory(plan, _) => {
            let (directory, basis) = plan.as_ref();
            // Something may stand by now in a village that nothing stood in.
            let ends = ends_a_village(&known.directory, directory);
            let base = (directory_no, ends.then_some(components_no));
            let no = app.replace_directory(base, (directory, basis), MadeBy::Other)?;
            Ok(Some(Adopted::Directory(no)))
        }
        Plan::Components(upload, digest) => {
            let mut faults = Faults::default();
            let mut parts = upload::parts(upload, &mut faults);
            let Some(part) = parts.pop().filter(|_| faults.is_empty()) else {
                return Err(StoreError::Stale);
            };
            let villages = villages(&known.directory, app.environment.now());
            let mut reading = Reading::new(part.file, part.rows, &villages, OnFault::Stop(*digest));
            let replacing = Replacing {
                base: components_no,
                directory: directory_no,
                rest: Rest::Removed,
                now: app.environment.now(),
                with: &Commit::default(),
            };
            let weighed = app.store.replace_components(&mut reading, &replacing)?;
            Ok(Some(Adopted::Components(weighed)))
        }
        Plan::Proposals(answers) => proposals::adopt(app, preview.base, answers).map(Some),
    }
}

/// Everything that was adopted and when: versions of the directory, imports of components.
pub fn list(app: &App) -> Result<Value> {
    let in_force = app.known().no;
    let directories = app.store.directories()?.into_iter().map(
        |Version { no, kept_at, made_by }| {
            // Null of versions from before this was noted.
            let is_leave = made_by.map(|made_by| made_by == MadeBy::Leave);
            json!({ "no": no, "kept_at": rfc3339(kept_at), "in_force": no == in_force, "is_leave": is_leave })
        },
    );
    let components = app.store.component_imports()?.into_iter().map(|import| {
        let kept_at = json!(rfc3339(import.kept_at));
        let of = [("no", json!(import.no)), ("kept_at", kept_at)];
        counts(of, &import.weighed)
    });
    Ok(json!({
        "directories": directories.collect::<Vec<_>>(),
        "components": components.collect::<Vec<_>>(),
    }))
}

/// A directory that is or was in force, table by table; none of that number.
pub fn show(app: &App, no: u64) -> Result<Option<Vec<Value>>> {
    Ok(restore::read(app, no)?.map(|(directory, _)| tables(&directory)))
}
