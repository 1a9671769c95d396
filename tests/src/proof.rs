//! Long runs against the real programs, each bounded by a count, so that `make test` runs a share of what `make proof` runs.
//!
//! They decide nothing about the system; what must hold is asked of the same audit as everywhere.

pub mod growth;
pub mod hostile;
pub mod kills;
pub mod power;
mod program;
pub mod scale;
pub mod soak;
mod town;
pub mod walk;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use patrol_core::domain::id::EntryId;
use patrol_server::app::App;
use patrol_server::check;
use patrol_server::store::sqlite::SqliteStore;

use crate::clock::{Clock, Machine};
use crate::simulation::audit;

pub use program::Program;

/// What a server's file holds, once it is found to be sound: every entry, none of them twice.
///
/// # Errors
/// What is wrong with it.
pub fn entries_in(file: &Path) -> Result<BTreeSet<EntryId>, String> {
    let said = |error: patrol_server::store::StoreError| error.to_string();
    let store = SqliteStore::open(file, || unreachable!("it knows who it is")).map_err(said)?;
    let machine = Arc::new(Machine::new(&Clock::default(), 2));
    let app = App::open(Arc::new(store), machine).map_err(said)?;
    let report = check::check(app.store.as_ref()).map_err(said)?;
    if let Some(finding) = report.findings.first() {
        return Err(format!("check: {finding}"));
    }
    if let Some((entry, times)) = audit::entries_twice(&app)?.first() {
        return Err(format!("doubled: entry {entry}, {times} times"));
    }
    audit::entries_of_sound(&app)
}

/// Whether all of these are among those.
///
/// # Errors
/// Which are not.
pub fn all_are_in(told: &BTreeSet<EntryId>, found: &BTreeSet<EntryId>) -> Result<(), String> {
    let lost: Vec<String> = told.difference(found).take(5).map(EntryId::hex).collect();
    if lost.is_empty() {
        Ok(())
    } else {
        Err(format!("lost: {}", lost.join(", ")))
    }
}
