//! Files that are imported: what a preview says, what is in force after it was adopted, and that nothing is before.

mod api;
mod beats;
mod command;
pub(crate) mod components;
mod decided;
mod directory;
mod entered;
mod leaves;
mod people;
mod phone;
mod proposals;
mod register;
mod restore;
mod workbook;

use std::sync::Arc;

use patrol_server::api::CookieKind;
use patrol_server::import::{self, Adopted, Content, Upload};
use patrol_server::store::StoreError;
use serde_json::Value;

use crate::office::Office;

/// An office, and what is uploaded to it.
struct Desk {
    office: Office,
}

fn file(name: &str, bytes: &[u8]) -> Upload {
    Upload {
        name: name.to_owned(),
        content: Content::Bytes(Arc::from(bytes)),
    }
}

impl Desk {
    fn new() -> Self {
        Self {
            office: Office::open(CookieKind::Plain),
        }
    }

    fn preview(&self, files: &[Upload]) -> import::Preview {
        import::preview(&self.office.app, files).expect("the store answers")
    }

    fn adopt(&self, preview: &import::Preview) -> Result<Option<Adopted>, StoreError> {
        import::adopt(&self.office.app, preview)
    }

    /// Imports what has no fault.
    fn import(&self, name: &str, text: &str) -> Value {
        let preview = self.preview(&[file(name, text.as_bytes())]);
        assert_eq!(faults(&preview), [] as [&str; 0]);
        self.adopt(&preview).expect("it is adopted");
        preview.json(None)
    }

    /// The faults of one file; with them nothing can be adopted.
    fn faults(&self, name: &str, bytes: &[u8]) -> Vec<String> {
        let before = self.office.app.known().no;
        let preview = self.preview(&[file(name, bytes)]);
        let faults = faults(&preview);
        if !faults.is_empty() {
            assert!(matches!(self.adopt(&preview), Ok(None)));
        }
        assert_eq!(self.office.app.known().no, before);
        faults
    }
}

fn faults(preview: &import::Preview) -> Vec<String> {
    let shown = preview.faults.shown.iter();
    shown.map(ToString::to_string).collect()
}

/// The counts of a table: added, changed, ended, removed, unchanged.
fn counts(preview: &Value, table: &str) -> [u64; 5] {
    let tables = preview["tables"].as_array().expect("tables");
    let found = tables.iter().find(|found| found["table"] == table);
    let found = found.expect("the table");
    ["added", "changed", "ended", "removed", "unchanged"]
        .map(|count| found[count].as_u64().unwrap_or_default())
}
