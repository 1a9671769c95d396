//! Reads CSV as spreadsheets write it: a line of column names, fields in double quotes where need be, a byte order
//! mark, either line ending.
//!
//! It knows nothing of what the columns mean, and gives no other separators or quotes.

use std::collections::BTreeMap;

use super::fault::{ImportFault, Reason};

/// A file: its columns and rows.
pub(super) struct Sheet {
    file: &'static str,
    columns: BTreeMap<String, usize>,
    records: Vec<Record>,
}

/// A row of a file.
pub(super) struct Line<'s> {
    pub(super) file: &'static str,
    /// Counted from 1, which is that of the column names.
    pub(super) number: usize,
    columns: &'s BTreeMap<String, usize>,
    fields: &'s [String],
}

/// A row as it stands there: the number of its first line, and its fields.
struct Record {
    line: usize,
    fields: Vec<String>,
}

impl Sheet {
    /// Splits a text into rows. Rows that have not as many fields as there are columns are reported and left out; so
    /// are all rows where a column is missing.
    pub(super) fn new(
        file: &'static str,
        text: &str,
        required: &[&str],
        optional: &[&str],
        faults: &mut Vec<ImportFault>,
    ) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut all = records(file, text, faults).into_iter();
        let head = all.next().unwrap_or(Record {
            line: 1,
            fields: Vec::new(),
        });
        let mut columns = BTreeMap::new();
        for (at, column) in head.fields.iter().enumerate() {
            let is_known =
                required.contains(&column.as_str()) || optional.contains(&column.as_str());
            if !is_known || columns.insert(column.clone(), at).is_some() {
                faults.push(fault(file, head.line, column, Reason::UnknownColumn));
            }
        }
        let missing: Vec<_> = required
            .iter()
            .filter(|column| !columns.contains_key(**column))
            .collect();
        faults.extend(
            missing
                .iter()
                .map(|column| fault(file, head.line, column, Reason::MissingColumn)),
        );
        let mut rows = Vec::new();
        for record in all {
            let (expected, found) = (head.fields.len(), record.fields.len());
            if expected == found {
                rows.push(record);
            } else {
                let reason = Reason::WrongFieldCount { expected, found };
                faults.push(ImportFault {
                    file,
                    line: Some(record.line),
                    column: None,
                    reason,
                });
            }
        }
        let records = if missing.is_empty() { rows } else { Vec::new() };
        Self {
            file,
            columns,
            records,
        }
    }

    /// The rows, without the column names.
    pub(super) fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        let Self {
            file,
            columns,
            records,
        } = self;
        records.iter().map(|Record { line, fields }| Line {
            file,
            number: *line,
            columns,
            fields,
        })
    }
}

impl Line<'_> {
    /// A field without the blanks around it; empty where there is no such column.
    fn field(&self, column: &str) -> &str {
        self.columns
            .get(column)
            .and_then(|at| self.fields.get(*at))
            .map(|text| text.trim())
            .unwrap_or_default()
    }

    /// A field as text.
    pub(super) fn text(&self, column: &str) -> String {
        self.field(column).to_owned()
    }

    /// A fault of this row.
    pub(super) fn fault(&self, column: &str, reason: Reason) -> ImportFault {
        fault(self.file, self.number, column, reason)
    }

    /// Reads a field, or reports it for `reason`.
    pub(super) fn read<T>(
        &self,
        column: &str,
        reason: Reason,
        read: impl FnOnce(&str) -> Option<T>,
        faults: &mut Vec<ImportFault>,
    ) -> Option<T> {
        let value = read(self.field(column));
        if value.is_none() {
            faults.push(self.fault(column, reason));
        }
        value
    }

    /// Reads a field that may be empty; the error has been reported.
    pub(super) fn read_optional<T>(
        &self,
        column: &str,
        reason: Reason,
        read: impl FnOnce(&str) -> Option<T>,
        faults: &mut Vec<ImportFault>,
    ) -> Result<Option<T>, ()> {
        if self.field(column).is_empty() {
            return Ok(None);
        }
        self.read(column, reason, read, faults).map(Some).ok_or(())
    }
}

fn fault(file: &'static str, line: usize, column: &str, reason: Reason) -> ImportFault {
    ImportFault {
        file,
        line: Some(line),
        column: Some(column.to_owned()),
        reason,
    }
}

/// Where the reader stands within a field.
#[derive(Clone, Copy, PartialEq)]
enum State {
    /// At its beginning.
    Start,
    /// In a field without quotes.
    Plain,
    /// Between quotes.
    Quoted,
    /// Behind a quote that may be the end, or the first of two that mean one.
    Quote,
}

/// Splits a text into rows; blank lines are none.
fn records(file: &'static str, text: &str, faults: &mut Vec<ImportFault>) -> Vec<Record> {
    let mut rows = Vec::new();
    let mut row = Record {
        line: 1,
        fields: Vec::new(),
    };
    let (mut field, mut state, mut line) = (String::new(), State::Start, 1);
    let bad_quotes = |line| ImportFault {
        file,
        line: Some(line),
        column: None,
        reason: Reason::BadQuotes,
    };
    let text = text.replace("\r\n", "\n");
    for char in text.chars().chain((!text.ends_with('\n')).then_some('\n')) {
        line += usize::from(char == '\n');
        state = match (state, char) {
            (State::Start, '"') => State::Quoted,
            (State::Quoted, '"') => State::Quote,
            (State::Quoted, _) | (State::Quote, '"') => {
                field.push(char);
                State::Quoted
            }
            (_, ',') => {
                row.fields.push(std::mem::take(&mut field));
                State::Start
            }
            (_, '\n') => {
                row.fields.push(std::mem::take(&mut field));
                let done = std::mem::replace(
                    &mut row,
                    Record {
                        line,
                        fields: Vec::new(),
                    },
                );
                let is_blank = state == State::Start && done.fields.len() == 1;
                rows.extend((!is_blank).then_some(done));
                State::Start
            }
            (State::Quote, _) | (State::Plain, '"') => {
                faults.push(bad_quotes(line));
                State::Plain
            }
            (State::Start | State::Plain, _) => {
                field.push(char);
                State::Plain
            }
        };
    }
    if state == State::Quoted {
        faults.push(bad_quotes(row.line));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<(usize, String, String)>, Vec<String>) {
        let mut faults = Vec::new();
        let sheet = Sheet::new("x.csv", text, &["a", "b"], &["c"], &mut faults);
        let rows = sheet
            .lines()
            .map(|line| (line.number, line.text("a"), line.text("b")))
            .collect();
        (rows, faults.iter().map(ToString::to_string).collect())
    }

    fn row(number: usize, a: &str, b: &str) -> (usize, String, String) {
        (number, a.to_owned(), b.to_owned())
    }

    #[test]
    fn quotes_line_endings_marks_and_blank_lines_are_as_spreadsheets_write_them() {
        let (rows, faults) = read("\u{feff}b,a\r\n\"二,\"\"三\"\"\n四\", 一 \r\n\r\n,\"\"\n5,6");
        assert_eq!(
            rows,
            [
                row(2, "一", "二,\"三\"\n四"),
                row(5, "", ""),
                row(6, "6", "5")
            ]
        );
        assert_eq!(faults, [] as [&str; 0]);
    }

    #[test]
    fn columns_are_missing_unknown_or_there_twice() {
        let (rows, faults) = read("a,a,d\n1,2,3\n");
        assert_eq!(rows, []);
        assert_eq!(
            faults,
            [
                "x.csv:1: a: UnknownColumn",
                "x.csv:1: d: UnknownColumn",
                "x.csv:1: b: MissingColumn"
            ]
        );
        assert_eq!(
            read("").1,
            ["x.csv:1: a: MissingColumn", "x.csv:1: b: MissingColumn"]
        );
    }

    #[test]
    fn rows_of_another_length_and_bad_quotes_are_reported() {
        let (rows, faults) = read("a,b\n1\n2,3\n4,5,6\n7,\"8\"9\n1\"0,11\n12,\"13");
        assert_eq!(rows.len(), 3);
        assert_eq!(
            faults,
            [
                "x.csv:5: BadQuotes",
                "x.csv:6: BadQuotes",
                "x.csv:7: BadQuotes",
                "x.csv:2: WrongFieldCount { expected: 2, found: 1 }",
                "x.csv:4: WrongFieldCount { expected: 2, found: 3 }",
            ]
        );
    }
}
