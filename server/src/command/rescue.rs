//! The errand of handing in a rescue bundle from a file. A server that runs is asked itself (`POST /v1/bundles`).

use std::path::PathBuf;

use clap::Args;
use patrol_core::domain::limits;
use serde_json::{Value, json};

use super::{Database, Faults, one};
use crate::bundle;

/// What is handed in.
#[derive(Args, Clone, PartialEq, Eq, Debug)]
pub struct RescueErrand {
    /// Where.
    #[command(flatten)]
    database: Database,
    /// The bundle.
    file: PathBuf,
}

pub(super) fn run(errand: &RescueErrand) -> Result<Vec<Value>, Faults> {
    let named = |error: &dyn std::fmt::Display| one(format!("{}: {error}", errand.file.display()));
    let len = std::fs::metadata(&errand.file)
        .map_err(|error| named(&error))?
        .len();
    if len > limits::BUNDLE_BYTES_MAX as u64 {
        return Err(named(&"too large for a rescue bundle"));
    }
    let file = std::fs::read(&errand.file).map_err(|error| named(&error))?;
    let _sole = errand.database.alone()?;
    let app = errand.database.open()?;
    let handed = bundle::hand_in(&app, &file).map_err(one)?;
    let handed = handed.map_err(|_| named(&"not a rescue bundle for this server"))?;
    Ok(vec![json!(handed)])
}
