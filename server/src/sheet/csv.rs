//! Splits CSV into rows as spreadsheets write it: fields in double quotes where need be, either line ending.
//!
//! It knows nothing of what the columns mean, and gives no other separators or quotes.

use std::sync::Arc;

use patrol_core::domain::limits;

use super::text::{self, Lines, Source};
use super::{ImportFault, Reason, Record, Rows};

/// The rows of a file. What the file is written in is found out first.
pub(crate) fn rows(file: &Arc<str>, source: Source<'_>) -> Result<Rows, ImportFault> {
    let whole =
        |error: std::io::Error| ImportFault::of_file(file, Reason::Unreadable(error.kind()));
    let encoding =
        text::encoding(source().map_err(whole)?.as_mut()).map_err(|(line, reason)| {
            ImportFault {
                line,
                ..ImportFault::of_file(file, reason)
            }
        })?;
    let lines = Lines::new(source().map_err(whole)?, encoding);
    Ok(Box::new(Records {
        file: Arc::clone(file),
        lines,
        is_over: false,
    }))
}

struct Records {
    file: Arc<str>,
    lines: Lines,
    is_over: bool,
}

impl Records {
    fn fault(&mut self, line: usize, reason: Reason) -> ImportFault {
        ImportFault {
            line: Some(line),
            ..ImportFault::of_file(&self.file, reason)
        }
    }

    /// Nothing more can be told of the file.
    fn end(&mut self, line: usize, reason: Reason) -> ImportFault {
        self.is_over = true;
        self.fault(line, reason)
    }

    /// A row some of whose fields stand in quotes, and so perhaps on several lines.
    fn quoted(&mut self, line: usize, mut text: String) -> Result<Record, ImportFault> {
        let (mut row, mut bytes) = (Splitter::default(), 0);
        loop {
            bytes += text.len();
            match row.line(&text) {
                Progress::Ended => break,
                Progress::Bad => return Err(self.fault(self.lines.number(), Reason::BadQuotes)),
                Progress::Open if bytes > limits::IMPORT_ROW_BYTES_MAX => {
                    return Err(self.end(line, Reason::BadQuotes));
                }
                Progress::Open => {}
            }
            text = match self.lines.next() {
                Some(Ok(text)) => text,
                Some(Err(reason)) => return Err(self.end(line, reason)),
                None => return Err(self.end(line, Reason::BadQuotes)),
            };
        }
        Ok(Record::new(line, row.fields))
    }
}

impl Iterator for Records {
    type Item = Result<Record, ImportFault>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.is_over {
            let text = self.lines.next()?;
            let line = self.lines.number();
            match text {
                Ok(text) if text.is_empty() => {}
                Ok(text) if text.contains('"') => return Some(self.quoted(line, text)),
                Ok(text) => {
                    let fields = text.split(',').map(str::to_owned).collect();
                    return Some(Ok(Record::new(line, fields)));
                }
                Err(reason) => return Some(Err(self.end(line + 1, reason))),
            }
        }
        None
    }
}

/// Where the reader stands within a field.
#[derive(Clone, Copy, PartialEq, Default)]
enum State {
    /// At its beginning.
    #[default]
    Start,
    /// In a field without quotes.
    Plain,
    /// Between quotes.
    Quoted,
    /// Behind a quote that may be the end, or the first of two that mean one.
    Quote,
}

/// How a row stands after a line.
enum Progress {
    Ended,
    /// The next line belongs to it.
    Open,
    /// Its quotes are not as they should be.
    Bad,
}

#[derive(Default)]
struct Splitter {
    fields: Vec<String>,
    field: String,
    state: State,
}

impl Splitter {
    fn line(&mut self, text: &str) -> Progress {
        for char in text.chars() {
            self.state = match (self.state, char) {
                (State::Start, '"') => State::Quoted,
                (State::Quoted, '"') => State::Quote,
                (State::Quoted, _) | (State::Quote, '"') => {
                    self.field.push(char);
                    State::Quoted
                }
                (_, ',') => {
                    self.fields.push(std::mem::take(&mut self.field));
                    State::Start
                }
                (State::Quote, _) | (State::Plain, '"') => return Progress::Bad,
                (State::Start | State::Plain, _) => {
                    self.field.push(char);
                    State::Plain
                }
            };
        }
        if self.state == State::Quoted {
            self.field.push('\n');
            return Progress::Open;
        }
        self.fields.push(std::mem::take(&mut self.field));
        Progress::Ended
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Columns, Faults, Sheet};
    use super::*;

    fn read(text: &str) -> (Vec<(usize, String, String)>, Vec<String>) {
        let file: Arc<str> = "x.csv".into();
        let bytes = text.as_bytes().to_vec();
        let rows = rows(&file, &move || {
            Ok(Box::new(std::io::Cursor::new(bytes.clone())))
        });
        let known = Columns {
            required: &["a", "b"],
            optional: &["c"],
        };
        let mut faults = Faults::default();
        let mut found = Vec::new();
        for line in Sheet::new(file, rows.expect("a text"), &known, &mut faults) {
            match line {
                Ok(line) => found.push((line.number, line.text("a"), line.text("b"))),
                Err(fault) => faults.push(fault),
            }
        }
        let faults = faults.shown.iter().map(ToString::to_string).collect();
        (found, faults)
    }

    fn row(number: usize, a: &str, b: &str) -> (usize, String, String) {
        (number, a.to_owned(), b.to_owned())
    }

    #[test]
    fn quotes_line_endings_marks_and_blank_lines_are_as_spreadsheets_write_them() {
        let (rows, faults) =
            read("\u{feff}b,a\r\n\"二,\"\"三\"\"\n四\", 一 \r\n\r\n,\"\"\n5,6\n,\n");
        assert_eq!(rows, [row(2, "一", "二,\"三\"\n四"), row(6, "6", "5")]);
        assert_eq!(faults, [] as [&str; 0]);
    }

    #[test]
    fn columns_are_missing_unknown_or_there_twice() {
        // A row is read as far as it can be; of such columns it has nothing.
        let (rows, faults) = read("a,a,d\n1,2,3\n");
        assert_eq!(rows, [row(2, "", "")]);
        // Where no column is known, the first row is none of names.
        assert_eq!(read("d,e\n1,2\n").0, []);
        assert_eq!(
            faults,
            [
                "x.csv:1: a: unknown_column",
                "x.csv:1: d: unknown_column",
                "x.csv:1: b: missing_column"
            ]
        );
        assert_eq!(
            read("").1,
            ["x.csv:1: a: missing_column", "x.csv:1: b: missing_column"]
        );
    }

    #[test]
    fn rows_of_another_length_and_bad_quotes_are_reported_in_their_order() {
        let (rows, faults) = read("a,b\n1\n2,3\n4,5,6\n7,\"8\"9\n1\"0,11\n12,\"13");
        assert_eq!(rows, [row(3, "2", "3")]);
        assert_eq!(
            faults,
            [
                "x.csv:2: wrong_field_count (1/2)",
                "x.csv:4: wrong_field_count (3/2)",
                "x.csv:5: bad_quotes",
                "x.csv:6: bad_quotes",
                "x.csv:7: bad_quotes",
            ]
        );
    }
}
