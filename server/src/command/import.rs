//! Errands about what is imported: a preview of files, putting it in force, and what was in force before.
//!
//! A running server takes up what was put in force within seconds.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::Value;

use super::{Database, Faults, one};
use crate::import::{self, Content, Upload};
use crate::store::StoreError;

/// Imports people, villages, beats, units, categories or components, or says what was imported.
#[derive(Args, Clone, PartialEq, Eq, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ImportErrand {
    /// What was imported, if that is asked.
    #[command(subcommand)]
    past: Option<PastErrand>,
    /// Where.
    #[command(flatten)]
    database: Database,
    /// Puts the files in force, if nothing is wrong with them. Without this, what they would change is only shown.
    #[arg(long)]
    adopt: bool,
    /// CSV, XLSX or GeoJSON, named by what they hold (people.csv, 人员.xlsx); of a folder, all of these.
    files: Vec<PathBuf>,
}

/// What was in force before.
#[derive(Subcommand, Clone, PartialEq, Eq, Debug)]
pub enum PastErrand {
    /// Lists every version of the directory and every import of components.
    List {
        /// Where.
        #[command(flatten)]
        database: Database,
    },
    /// Shows a version of the directory, a JSON line a table.
    Show {
        /// Where.
        #[command(flatten)]
        database: Database,
        /// Its number.
        no: u64,
    },
}

pub(super) fn run(errand: &ImportErrand) -> Result<Vec<Value>, Faults> {
    match &errand.past {
        Some(PastErrand::List { database }) => {
            Ok(vec![import::list(&database.open()?).map_err(one)?])
        }
        Some(PastErrand::Show { database, no }) => {
            let tables = import::show(&database.open()?, *no).map_err(one)?;
            tables.ok_or_else(|| one(format!("there was no directory {no}")))
        }
        None => import_files(errand),
    }
}

fn import_files(errand: &ImportErrand) -> Result<Vec<Value>, Faults> {
    let mut uploads = Vec::new();
    for path in &errand.files {
        uploads.extend(files(path)?);
    }
    if uploads.is_empty() {
        return Err(one("no file is named, or the folder has none"));
    }
    let app = errand.database.open()?;
    let preview = import::preview(&app, &uploads).map_err(one)?;
    if !preview.faults.is_empty() {
        let mut faults: Faults = preview
            .faults
            .shown
            .iter()
            .map(ToString::to_string)
            .collect();
        faults.push(format!(
            "{} faults in all; nothing has changed",
            preview.faults.total
        ));
        return Err(faults);
    }
    let mut said = vec![preview.json(None)];
    if errand.adopt {
        let adopted = import::adopt(&app, &preview).map_err(|error| match error {
            StoreError::Stale => one("something else was put in force meanwhile: look again"),
            error => one(error),
        })?;
        tracing::info!("an import was adopted by command");
        said.extend(adopted.map(|adopted| adopted.json()));
    }
    Ok(said)
}

/// A file, or the files of a folder that may be imported, by name.
fn files(path: &Path) -> Result<Vec<Upload>, Faults> {
    let upload = |path: PathBuf| Upload {
        name: path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default(),
        content: Content::File(path),
    };
    if !path.is_dir() {
        return Ok(vec![upload(path.to_owned())]);
    }
    let named = |error: std::io::Error| one(format!("{}: {error}", path.display()));
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(named)? {
        let file = entry.map_err(named)?.path();
        let ending = file.extension().map(|ending| ending.to_ascii_lowercase());
        let may_import = ["csv", "xlsx", "geojson", "json"]
            .iter()
            .any(|known| ending.as_deref() == Some(known.as_ref()));
        if may_import {
            files.push(upload(file));
        }
    }
    files.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(files)
}
