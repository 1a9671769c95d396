//! A table as people keep it in a file: CSV, a sheet of a workbook, the features of GeoJSON. All become rows of named columns.
//!
//! What the columns mean is for the readers of each table. Nothing is guessed: what cannot be read is a fault with its place.

mod columns;
pub(crate) mod csv;
mod fault;
pub(crate) mod geojson;
mod spoilt;
pub(crate) mod text;
pub(crate) mod xlsx;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use patrol_core::domain::limits;

pub use fault::{Faults, ImportFault, Reason};

/// A row as it stands there: the number of its line, of its row in a sheet, or of its feature, from 1; and its fields.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Record {
    pub(crate) line: usize,
    pub(crate) fields: Vec<String>,
    /// Of column names that share no line, where each stands first.
    pub(crate) first: Vec<usize>,
}

impl Record {
    pub(crate) fn new(line: usize, fields: Vec<String>) -> Self {
        Self {
            line,
            fields,
            first: Vec::new(),
        }
    }
}

/// The rows of a file, the column names first; what cannot be split into fields is a fault in its place.
pub(crate) type Rows = Box<dyn Iterator<Item = Result<Record, ImportFault>>>;

/// A file whose column names have been read. It gives its rows one by one.
pub(crate) struct Sheet {
    file: Arc<str>,
    head: Arc<Head>,
    rows: Rows,
    /// Whether every column that must be there is.
    is_read: bool,
    /// Columns of which no field is read: they are missing or stand there twice, which has been reported.
    unread: Vec<&'static str>,
    /// Where columns stand without a name, in which no row has had anything so far.
    nameless: Vec<usize>,
    /// How many rows have been given, good or bad.
    given: usize,
    /// What else there is to say of the last row, and the row itself where it has been split into its fields.
    pending: VecDeque<Result<Line, ImportFault>>,
}

/// Where each column stands, and what the file calls it.
struct Head {
    columns: BTreeMap<&'static str, (usize, String)>,
    width: usize,
    line: usize,
}

/// A row of a file.
pub(crate) struct Line {
    pub(crate) file: Arc<str>,
    pub(crate) number: usize,
    head: Arc<Head>,
    fields: Vec<String>,
    /// The columns whose fields cannot be what was meant, which has been reported.
    spoilt: Vec<&'static str>,
}

/// Where a row stands.
#[derive(Clone)]
pub(crate) struct Place {
    file: Arc<str>,
    number: usize,
    head: Arc<Head>,
}

/// The columns of a table: those that must be there, and those that may.
pub(crate) struct Columns {
    pub(crate) required: &'static [&'static str],
    pub(crate) optional: &'static [&'static str],
}

impl Sheet {
    /// Reads the column names. What is wrong with them is reported; the columns that are as they should be are read all the same.
    pub(crate) fn new(
        file: Arc<str>,
        mut rows: Rows,
        known: &Columns,
        faults: &mut Faults,
    ) -> Self {
        let head = loop {
            match rows.next() {
                Some(Ok(head)) => break head,
                Some(Err(fault)) => faults.push(fault),
                None => {
                    break Record::new(1, Vec::new());
                }
            }
        };
        let fault = |column: &str, reason| ImportFault {
            file: Arc::clone(&file),
            line: Some(head.line),
            column: Some(column.to_owned()),
            reason,
            detail: None,
        };
        let is_narrow = head.fields.len() <= limits::SHEET_COLUMNS_MAX;
        if !is_narrow {
            faults.push(ImportFault::of_file(&file, Reason::TooLarge));
        }
        let (mut columns, mut nameless) = (BTreeMap::new(), Vec::new());
        // What is wrong with a column is told once, and the others are read all the same.
        let mut unread = Vec::new();
        for (at, name) in head.fields.iter().enumerate() {
            if name.trim().is_empty() {
                nameless.push(at);
                continue;
            }
            let Some(column) = columns::column(name, known) else {
                faults.push(ImportFault {
                    line: Some(head.first.get(at).copied().unwrap_or(head.line)),
                    ..fault(name, Reason::UnknownColumn)
                });
                continue;
            };
            let first = columns.insert(column, (at, name.trim().to_owned()));
            if first.is_some() {
                // Which of them is meant, nobody here knows.
                unread.push(column);
                faults.push(fault(name, Reason::UnknownColumn));
            }
        }
        for column in known.required {
            if !columns.contains_key(column) {
                unread.push(*column);
                faults.push(fault(column, Reason::MissingColumn));
            }
        }
        // A table whose columns are all others is perhaps none, and its first row a title.
        let has_rows = is_narrow
            && known
                .required
                .iter()
                .any(|column| columns.contains_key(column));
        let head = Arc::new(Head {
            columns,
            width: head.fields.len(),
            line: head.line,
        });
        Self {
            file,
            head,
            rows: if has_rows {
                rows
            } else {
                Box::new(std::iter::empty())
            },
            is_read: has_rows && known.required.iter().all(|column| !unread.contains(column)),
            unread,
            nameless,
            given: 0,
            pending: VecDeque::new(),
        }
    }

    /// Whether the file has a column.
    pub(crate) fn has(&self, column: &str) -> bool {
        self.head.columns.contains_key(column)
    }

    /// Reports a column that is missing.
    pub(crate) fn must_have(&mut self, column: &'static str, faults: &mut Faults) {
        if !self.has(column) {
            faults.push(self.fault(column, Reason::MissingColumn));
            self.is_read = false;
            self.unread.push(column);
        }
    }

    /// Whether every column that must be there is.
    pub(crate) fn is_read(&self) -> bool {
        self.is_read
    }

    /// How many rows have been given so far.
    pub(crate) fn given(&self) -> usize {
        self.given
    }

    /// The fault of a table, after its last row, that has had none: it may be an empty form, and would end everything.
    pub(crate) fn without_rows(&self) -> Option<ImportFault> {
        let fault = ImportFault::of_file(&self.file, Reason::NoRows);
        (self.is_read && self.given == 0).then_some(fault)
    }

    /// Reports each column without a name that has something in this row, by its letter; once.
    fn examine_nameless(&mut self, line: &Line) {
        let has = |at: &usize| {
            line.fields
                .get(*at)
                .is_some_and(|text| !text.trim().is_empty())
        };
        let (filled, empty) = std::mem::take(&mut self.nameless)
            .into_iter()
            .partition(has);
        self.nameless = empty;
        let filled: Vec<usize> = filled;
        for at in filled {
            let fault = ImportFault {
                column: Some(columns::letters(at)),
                ..line.place().fault(None, Reason::UnknownColumn)
            };
            self.pending.push_back(Err(fault));
        }
    }

    /// A fault of the column names.
    fn fault(&self, column: &str, reason: Reason) -> ImportFault {
        ImportFault {
            file: Arc::clone(&self.file),
            line: Some(self.head.line),
            column: Some(column.to_owned()),
            reason,
            detail: None,
        }
    }
}

impl Iterator for Sheet {
    type Item = Result<Line, ImportFault>;

    /// The next row that is not blank. One that has not as many fields as there are columns is a fault. So is each field that was spoilt
    /// before anybody read it; its row follows, for its other fields.
    fn next(&mut self) -> Option<Self::Item> {
        if let Some(next) = self.pending.pop_front() {
            return Some(next);
        }
        let record = loop {
            match self.rows.next()? {
                Ok(record) if record.fields.iter().all(|field| field.trim().is_empty()) => {}
                Ok(record) => break record,
                Err(fault) => {
                    self.given += 1;
                    return Some(Err(fault));
                }
            }
        };
        self.given += 1;
        let (expected, found) = (self.head.width, record.fields.len());
        if expected != found {
            return Some(Err(ImportFault {
                file: Arc::clone(&self.file),
                line: Some(record.line),
                column: None,
                reason: Reason::WrongFieldCount { expected, found },
                detail: None,
            }));
        }
        let mut line = Line {
            file: Arc::clone(&self.file),
            number: record.line,
            head: Arc::clone(&self.head),
            fields: record.fields,
            spoilt: Vec::new(),
        };
        self.examine_nameless(&line);
        let mut spoilt = self.unread.clone();
        for column in self.head.columns.keys() {
            if self.unread.contains(column) {
                continue;
            }
            let Some(reason) = spoilt::reason(column, line.field(column)) else {
                continue;
            };
            spoilt.push(*column);
            let is_geometry = reason.is_of_geometry();
            let fault = line
                .place()
                .fault((!is_geometry).then_some(*column), reason);
            // A geometry stands in two fields, and is told once.
            let is_told =
                |told: &Result<Line, ImportFault>| matches!(told, Err(told) if *told == fault);
            if !is_geometry || !self.pending.iter().any(is_told) {
                self.pending.push_back(Err(fault));
            }
        }
        line.spoilt = spoilt;
        self.pending.push_back(Ok(line));
        self.pending.pop_front()
    }
}

impl Place {
    /// The number of the row.
    pub(crate) fn number(&self) -> usize {
        self.number
    }

    /// Whether its file has a column.
    pub(crate) fn has(&self, column: &str) -> bool {
        self.head.columns.contains_key(column)
    }

    /// A fault of this row; if in a column, as the file calls it.
    pub(crate) fn fault(&self, column: Option<&str>, reason: Reason) -> ImportFault {
        let named = |column| {
            let known = self.head.columns.get(column);
            known.map_or(column, |(_, name)| name.as_str()).to_owned()
        };
        ImportFault {
            file: Arc::clone(&self.file),
            line: Some(self.number),
            column: column.map(named),
            reason,
            detail: None,
        }
    }
}

impl Line {
    /// Whether its file has a column.
    pub(crate) fn has(&self, column: &str) -> bool {
        self.head.columns.contains_key(column)
    }

    /// Whether what stands in a field cannot be what was meant. That has been reported.
    pub(crate) fn is_spoilt(&self, column: &str) -> bool {
        self.spoilt.contains(&column)
    }

    /// A field without the blanks around it; empty where there is no such column, and where it is spoilt.
    pub(crate) fn field(&self, column: &str) -> &str {
        if self.is_spoilt(column) {
            return "";
        }
        let column = self.head.columns.get(column);
        column
            .and_then(|(at, _)| self.fields.get(*at))
            .map(|text| text.trim())
            .unwrap_or_default()
    }

    /// A field as text.
    pub(crate) fn text(&self, column: &str) -> String {
        self.field(column).to_owned()
    }

    /// Where it stands, for what is found out later.
    pub(crate) fn place(&self) -> Place {
        Place {
            file: Arc::clone(&self.file),
            number: self.number,
            head: Arc::clone(&self.head),
        }
    }

    /// A fault of this row, in a column as the file calls it.
    pub(crate) fn fault(&self, column: &str, reason: Reason) -> ImportFault {
        self.place().fault(Some(column), reason)
    }

    /// Reads a field, or reports it for `reason` unless it has been.
    pub(crate) fn read<T>(
        &self,
        column: &str,
        reason: Reason,
        read: impl FnOnce(&str) -> Option<T>,
        faults: &mut Faults,
    ) -> Option<T> {
        if self.is_spoilt(column) {
            return None;
        }
        let value = read(self.field(column));
        if value.is_none() {
            faults.push(self.fault(column, reason));
        }
        value
    }

    /// Reads a field that may be empty; the error has been reported.
    pub(crate) fn read_optional<T>(
        &self,
        column: &str,
        reason: Reason,
        read: impl FnOnce(&str) -> Option<T>,
        faults: &mut Faults,
    ) -> Result<Option<T>, ()> {
        if self.field(column).is_empty() && !self.is_spoilt(column) {
            return Ok(None);
        }
        self.read(column, reason, read, faults).map(Some).ok_or(())
    }
}
