//! Errands about what is imported: a preview of files or of phones' proposals, putting it in force, and what was in force before.
//!
//! A running server takes up what was put in force within seconds.

use std::path::{Path, PathBuf};

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};
use patrol_core::domain::id::DocumentId;
use serde_json::{Value, json};

use super::{Database, Faults, Who, one};
use crate::app::App;
use crate::import::proposals::{self, Asked};
use crate::import::{self, Content, Preview, Upload, is_left_behind, is_named};
use crate::office::Rejection;
use crate::store::StoreError;

/// Imports people, villages, beats, units, categories or components, or says what was imported.
#[derive(Args, Clone, PartialEq, Eq, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ImportErrand {
    /// What was imported, or proposals, if that is asked.
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

/// What was in force before, and what comes from no file.
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
    /// Shows what would be with a version of the directory in force again, and puts it in force when told to.
    Restore {
        /// Where.
        #[command(flatten)]
        database: Database,
        /// Puts it in force, if nothing is wrong with it. Without this, what it would change is only shown.
        #[arg(long)]
        adopt: bool,
        /// Its number.
        no: u64,
    },
    /// Shows what components would be with proposals of phones, and adopts or declines them when told to, if no server runs.
    Proposals(ProposalsErrand),
}

/// Proposals for the register of components.
#[derive(Args, Clone, PartialEq, Eq, Debug)]
pub struct ProposalsErrand {
    /// Where.
    #[command(flatten)]
    database: Database,
    /// The administrator in whose name they are accepted.
    #[command(flatten)]
    who: Who,
    /// Puts the components in force and accepts the proposals, if nothing is wrong with them.
    #[arg(long)]
    adopt: bool,
    /// A field that the proposals do not say, by the name of its column: authority_name=城市管理局. It goes for all of them.
    #[arg(long = "set", value_name = "COLUMN=VALUE", value_parser = field)]
    fields: Vec<(String, String)>,
    /// Declines those that are named, for this reason, which their phones are told.
    #[arg(long, value_name = "WORDS", value_parser = NonEmptyStringValueParser::new(), conflicts_with_all = ["adopt", "fields"], requires = "surveys")]
    decline: Option<String>,
    /// Their ids, 32 hexadecimal digits; those that have waited longest, if none is named.
    #[arg(value_parser = survey)]
    surveys: Vec<DocumentId>,
}

fn field(text: &str) -> Result<(String, String), String> {
    let (column, value) = text.split_once('=').ok_or("not COLUMN=VALUE")?;
    Ok((column.to_owned(), value.to_owned()))
}

fn survey(text: &str) -> Result<DocumentId, String> {
    DocumentId::from_hex(text).ok_or_else(|| "not 32 hexadecimal digits".to_owned())
}

pub(super) fn run(errand: &ImportErrand) -> Result<Vec<Value>, Faults> {
    match &errand.past {
        Some(PastErrand::List { database }) => {
            Ok(vec![database.read(|app| import::list(app).map_err(one))?])
        }
        Some(PastErrand::Show { database, no }) => {
            let tables = database.read(|app| import::show(app, *no).map_err(one))?;
            tables.ok_or_else(|| one(format!("there was no directory {no}")))
        }
        Some(PastErrand::Restore {
            database,
            adopt,
            no,
        }) => {
            let app = database.open()?;
            let preview = import::restore::preview(&app, *no).map_err(one)?;
            let preview = preview.ok_or_else(|| one(format!("there was no directory {no}")))?;
            shown_and_adopted(&app, &preview, adopt.then_some(Adopt))
        }
        Some(PastErrand::Proposals(errand)) => import_proposals(errand),
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
    shown_and_adopted(&app, &preview, errand.adopt.then_some(Adopt))
}

fn import_proposals(errand: &ProposalsErrand) -> Result<Vec<Value>, Faults> {
    let is_answer = errand.adopt || errand.decline.is_some();
    let _sole = is_answer.then(|| errand.database.alone()).transpose()?;
    let app = errand.database.open()?;
    if let Some(words) = &errand.decline {
        return declined(&app, errand, words);
    }
    let asked = Asked {
        surveys: errand.surveys.clone(),
        fields: errand.fields.iter().cloned().collect(),
    };
    let person = errand.who.find(&app)?;
    let preview = proposals::preview(&app, person, &asked).map_err(one)?;
    shown_and_adopted(&app, &preview, errand.adopt.then_some(Adopt))
}

fn declined(app: &App, errand: &ProposalsErrand, words: &str) -> Result<Vec<Value>, Faults> {
    let (person, surveys) = (errand.who.find(app)?, errand.surveys.iter().copied());
    match proposals::decline(app, person, &surveys.collect(), words) {
        Ok(Ok(count)) => {
            tracing::info!(%person, "{count} proposals were declined by command");
            Ok(vec![json!({ "declined": count })])
        }
        Ok(Err(faults)) => Err(in_words(&faults)),
        Err(Rejection::Refused(refusal)) => Err(one(refusal)),
        Err(Rejection::NotFound) => Err(one("a proposal is gone")),
        Err(Rejection::Store(error)) => Err(one(error)),
    }
}

/// Told to adopt what is shown.
struct Adopt;

fn shown_and_adopted(
    app: &App,
    preview: &Preview,
    told: Option<Adopt>,
) -> Result<Vec<Value>, Faults> {
    let mut said = shown(preview)?;
    if told.is_some() {
        said.extend(adopted(app, preview)?);
    }
    Ok(said)
}

/// What a preview says, if nothing is wrong.
fn shown(preview: &Preview) -> Result<Vec<Value>, Faults> {
    if preview.faults.is_empty() {
        return Ok(vec![preview.json(None)]);
    }
    Err(in_words(&preview.faults))
}

fn in_words(faults: &crate::sheet::Faults) -> Faults {
    let mut said: Faults = faults.shown.iter().map(ToString::to_string).collect();
    let (total, noun) = match faults.total {
        1 => (1, "fault"),
        total => (total, "faults"),
    };
    said.push(format!("{total} {noun} in all; nothing has changed"));
    said
}

/// Puts in force what was shown, and says that.
fn adopted(app: &App, preview: &Preview) -> Result<Option<Value>, Faults> {
    let adopted = import::adopt(app, preview).map_err(|error| match error {
        StoreError::Stale => one("something else was put in force, or a file was changed, since this was shown: look again"),
        error => one(error),
    })?;
    tracing::info!("an import was adopted by command");
    Ok(adopted.map(|adopted| adopted.json()))
}

/// A file, or the files of a folder that may be imported, by name. Under a table's name any file may, and says what it is.
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
        let is_sheet = ["csv", "xlsx", "geojson", "json"]
            .iter()
            .any(|known| ending.as_deref() == Some(known.as_ref()));
        let is_file = file.is_file();
        let file = upload(file);
        let may_import = is_sheet || (is_file && is_named(&file.name));
        if may_import && !is_left_behind(&file.name) {
            files.push(file);
        }
    }
    files.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(files)
}
