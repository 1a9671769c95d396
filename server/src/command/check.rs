//! The errand of a look at everything in a database, also while a server runs on it, and also at one that may only be read. It changes nothing.

use std::path::Path;

use clap::Args;
use serde_json::{Value, json};

use super::{Database, Faults, of_one_time, one, open_to_read};
use crate::calendar;
use crate::check::{self, Report};
use crate::clock;
use crate::import::proposals;
use crate::store::StoreError;
use crate::store::sqlite::backup as copies;
use crate::villages;

/// What is looked through.
#[derive(Args, Clone, PartialEq, Eq, Debug)]
pub struct CheckErrand {
    /// Where.
    #[command(flatten)]
    database: Database,
}

pub(super) fn run(errand: &CheckErrand) -> Result<Vec<Value>, Faults> {
    let path = errand.database.there()?;
    of_one_time(&path, || look_through(&path))
}

fn look_through(path: &Path) -> Result<Vec<Value>, Faults> {
    let named = |error: &dyn std::fmt::Display| one(format!("{}: {error}", path.display()));
    copies::look_at(path).map_err(|error| named(&copies::of_look(path, error)))?;
    let app = open_to_read(path).map_err(|error| match error {
        StoreError::Older { found } if copies::is_backup(path).unwrap_or(false) => named(&format!(
            "it is a backup of version {found}, which only a program of that version can look through: look at what `restore --from` makes of it"
        )),
        error => named(&error),
    })?;
    let report = check::check(app.store.as_ref()).map_err(one)?;
    let Report {
        documents,
        changes,
        scopes,
        findings,
    } = report;
    if !findings.is_empty() {
        return Err(findings);
    }
    let mut looked = json!({ "documents": documents, "changes": changes, "scopes": scopes });
    // Nothing in the database can be mended by it.
    if let Some(at) = clock::received_ahead(&app).map_err(one)?
        && let Some(looked) = looked.as_object_mut()
    {
        let at = json!(calendar::rfc3339(at));
        looked.insert("received_ahead_of_the_clock".to_owned(), at);
    }
    // What villages lack is for people to mend: it is told, and is no fault.
    let lacking = villages::lacking(&app).map_err(one)?;
    let lacking = lacking.iter().map(|lacking| json!(lacking));
    // So are proposals that wait for an answer.
    let now = app.environment.now();
    let waiting = proposals::waiting(&app).map_err(one)?.into_iter();
    let waiting = waiting.filter(|waiting| waiting.is_overdue(now));
    let waiting = waiting.map(|waiting| waiting.json());
    Ok(std::iter::once(looked)
        .chain(lacking)
        .chain(waiting)
        .collect())
}
