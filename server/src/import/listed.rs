//! Which components a preview lists: what goes before what changes and what comes, bounded as rows of the other tables are.

use std::collections::BTreeMap;

use patrol_core::domain::component::ComponentCode;
use patrol_core::domain::limits;
use serde_json::{Value, json};

use crate::store::reference::Differs;

/// The first of each sort, and how many there are in all.
#[derive(Default)]
pub(super) struct Listed {
    first: BTreeMap<Differs, Vec<u64>>,
    total: usize,
}

impl Listed {
    pub(super) fn take(&mut self, differs: Differs, code: u64) {
        self.total += 1;
        let first = self.first.entry(differs).or_default();
        if first.len() < limits::IMPORT_ROWS_SHOWN {
            first.push(code);
        }
    }

    /// The rows that are listed, and how many are not.
    pub(super) fn json(&self) -> [(&'static str, Value); 2] {
        let rows = self.first.iter().flat_map(|(differs, codes)| {
            let what = match differs {
                Differs::Removed => "removed",
                Differs::Changed => "changed",
                Differs::Added => "added",
            };
            codes.iter().map(move |code| row(*code, what))
        });
        let rows: Vec<Value> = rows.take(limits::IMPORT_ROWS_SHOWN).collect();
        let not_shown = self.total - rows.len();
        [("rows", json!(rows)), ("rows_not_shown", json!(not_shown))]
    }
}

fn row(code: u64, what: &str) -> Value {
    let class = ComponentCode::new(code).map(ComponentCode::class_text);
    json!({ "row": code.to_string(), "class": class, "what": what })
}
