//! The sheets of a workbook of Excel's. Only values are read: no formulas, styles or pictures.
//!
//! A workbook is a packed folder, and may unpack to anything; so it is measured before it is read, by unpacking it into nothing.

mod parts;

use std::io::{Cursor, Read as _};
use std::sync::Arc;

use calamine::{DataRef, ExcelDateTime, ExcelDateTimeType, Reader as _, SheetVisible, Xlsx};
use patrol_core::domain::limits;
use zip::ZipArchive;

use super::spoilt::{LOST_DIGITS, NO_VALUE};
use super::{ImportFault, Reason, Record, Rows};
use parts::{Archive, Odd, Parts};

/// From here on a number of Excel's is no longer the one that was typed.
const ROUNDED: f64 = 1e15;

/// 1900-03-01: before it, Excel counts a day that there was not, and a formula that was never computed stands as 0.
const FIRST_DAY: f64 = 61.0;

/// A sheet of a workbook.
pub(crate) struct Named {
    pub(crate) name: String,
    /// Its rows, if it has any.
    pub(crate) rows: Option<Rows>,
    /// Whether who opens the workbook does not see it.
    pub(crate) is_hidden: bool,
}

/// The sheets of a workbook. The faults of a sheet name it.
pub(crate) fn sheets(file: &Arc<str>, bytes: &[u8]) -> Result<Vec<Named>, ImportFault> {
    let fault = |reason| ImportFault::of_file(file, reason);
    let mut parts = Parts::new(measured(bytes).map_err(fault)?).map_err(fault)?;
    let broken = |_| fault(Reason::NotAWorkbook);
    let mut workbook = Xlsx::new(Cursor::new(bytes)).map_err(broken)?;
    let (mut sheets, mut room) = (Vec::new(), Room::default());
    let known: Vec<(String, bool)> = workbook
        .sheets_metadata()
        .iter()
        .map(|sheet| (sheet.name.clone(), sheet.visible != SheetVisible::Visible))
        .collect();
    for (name, is_hidden) in known {
        let Some(odd) = parts.odd(&name).map_err(fault)? else {
            continue;
        };
        let rows = rows(&mut workbook, &name, &odd, &mut room).map_err(fault)?;
        let rows = (!rows.is_empty()).then(|| {
            let file = place(file, &name);
            let merged = odd.merged.into_iter().map(move |(row, cells)| {
                Err(ImportFault {
                    line: Some(row),
                    column: Some(cells),
                    ..ImportFault::of_file(&file, Reason::MergedCells)
                })
            });
            let rows: Rows = Box::new(merged.chain(rows.into_iter().map(Ok)));
            rows
        });
        sheets.push(Named {
            name,
            rows,
            is_hidden,
        });
    }
    Ok(sheets)
}

/// What a sheet of a file is called in faults.
pub(crate) fn place(file: &str, sheet: &str) -> Arc<str> {
    format!("{file} [{sheet}]").into()
}

/// The archive, if everything that is packed inside is as small as a workbook may be. What it says of itself is not believed.
fn measured(bytes: &[u8]) -> Result<Archive<'_>, Reason> {
    let broken = |_| Reason::NotAWorkbook;
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(broken)?;
    if archive.len() > limits::WORKBOOK_FILES_MAX {
        return Err(Reason::TooLarge);
    }
    let mut left = limits::WORKBOOK_BYTES_MAX;
    for index in 0..archive.len() {
        let part = archive.by_index(index).map_err(broken)?;
        let unpacked = std::io::copy(&mut part.take(left + 1), &mut std::io::sink());
        let unpacked = unpacked.map_err(|_| Reason::NotAWorkbook)?;
        left = left.checked_sub(unpacked).ok_or(Reason::TooLarge)?;
    }
    Ok(archive)
}

/// What the sheets of a workbook take so far, all together.
#[derive(Default)]
struct Room {
    cells: usize,
    bytes: usize,
}

impl Room {
    fn take(&mut self, cells: usize, bytes: usize) -> Result<(), Reason> {
        self.cells = self.cells.saturating_add(cells);
        self.bytes = self.bytes.saturating_add(bytes);
        let is_full = self.cells > limits::SHEET_CELLS_MAX || self.bytes > limits::IMPORT_BYTES_MAX;
        if is_full {
            Err(Reason::TooLarge)
        } else {
            Ok(())
        }
    }
}

/// The rows of a sheet, each as long as the first. The cells are read one by one: a sheet that has two, far apart, takes the room of two.
fn rows(
    workbook: &mut Xlsx<Cursor<&[u8]>>,
    name: &str,
    odd: &Odd,
    room: &mut Room,
) -> Result<Vec<Record>, Reason> {
    let broken = |_| Reason::NotAWorkbook;
    let mut cells = workbook.worksheet_cells_reader(name).map_err(broken)?;
    let mut records: Vec<Record> = Vec::new();
    let mut number = 0;
    while let Some(cell) = cells.next_cell().map_err(broken)? {
        let text = if odd.without_value.contains(&number) {
            NO_VALUE.to_owned()
        } else {
            match cell.get_value() {
                DataRef::Float(days) if odd.days.contains(&number) => {
                    let day = ExcelDateTimeType::DateTime;
                    text(&DataRef::DateTime(ExcelDateTime::new(
                        *days,
                        day,
                        odd.is_1904,
                    )))
                }
                value => text(value),
            }
        };
        number += 1;
        if text.is_empty() {
            continue;
        }
        let (row, column) = cell.get_position();
        let (line, column) = (row as usize + 1, column as usize);
        if column >= limits::SHEET_COLUMNS_MAX {
            return Err(Reason::TooLarge);
        }
        if records.last().is_none_or(|record| record.line != line) {
            records.push(Record::new(line, Vec::new()));
        }
        if let Some(record) = records.last_mut() {
            // Those that are passed over take room too.
            let passed = (column + 1).saturating_sub(record.fields.len());
            room.take(passed, text.len())?;
            if record.fields.len() <= column {
                record.fields.resize(column + 1, String::new());
            }
            if let Some(field) = record.fields.get_mut(column) {
                *field = text;
            }
        }
    }
    let width = records.first().map_or(0, |head| head.fields.len());
    for record in &mut records {
        // Empty cells at the end are not there; a value beyond the last column is a fault that the count shows.
        if record.fields.len() < width {
            room.take(width - record.fields.len(), 0)?;
            record.fields.resize(width, String::new());
        }
    }
    Ok(records)
}

fn text(value: &DataRef<'_>) -> String {
    match value {
        DataRef::String(text) => text.clone(),
        DataRef::SharedString(text) => (*text).to_owned(),
        DataRef::Int(number) => number.to_string(),
        DataRef::Float(number) if number.is_nan() => NO_VALUE.to_owned(),
        DataRef::Float(number) if number.abs() >= ROUNDED => LOST_DIGITS.to_owned(),
        DataRef::Float(number) => number.to_string(),
        DataRef::Bool(true) => "true".to_owned(),
        DataRef::Bool(false) => "false".to_owned(),
        DataRef::DateTime(date) if date.as_f64().is_nan() || date.as_f64() < FIRST_DAY => {
            NO_VALUE.to_owned()
        }
        DataRef::DateTime(date) => match date.as_datetime() {
            Some(time) => time.format("%Y-%m-%d").to_string(),
            None => date.as_f64().to_string(),
        },
        DataRef::DateTimeIso(text) => text.split('T').next().unwrap_or_default().to_owned(),
        DataRef::DurationIso(text) => text.clone(),
        DataRef::Error(error) => error.to_string(),
        DataRef::Empty => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use zip::write::{SimpleFileOptions, ZipWriter};

    use super::*;

    /// A workbook of one sheet, with the rows as XML.
    fn workbook(rows: &str) -> Vec<u8> {
        of_sheets(&["人员"], rows, "")
    }

    /// A workbook whose sheets are all one part, with what follows its rows.
    fn of_sheets(names: &[&str], rows: &str, more: &str) -> Vec<u8> {
        packed(&parts_of(names, rows, more))
    }

    fn parts_of(names: &[&str], rows: &str, more: &str) -> Vec<(&'static str, String)> {
        let sheets: String = names
            .iter()
            .map(|name| format!("<sheet name=\"{name}\" sheetId=\"1\" r:id=\"r1\"/>"))
            .collect();
        let ns = "http://schemas.openxmlformats.org";
        let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
        vec![
            (
                "[Content_Types].xml",
                format!("{head}<Types xmlns=\"{ns}/package/2006/content-types\"/>"),
            ),
            (
                "xl/workbook.xml",
                format!(
                    "{head}<workbook xmlns=\"{ns}/spreadsheetml/2006/main\" xmlns:r=\"{ns}/officeDocument/2006/relationships\"><sheets>{sheets}</sheets></workbook>"
                ),
            ),
            (
                "xl/_rels/workbook.xml.rels",
                format!(
                    "{head}<Relationships xmlns=\"{ns}/package/2006/relationships\"><Relationship Id=\"r1\" Type=\"{ns}/officeDocument/2006/relationships/worksheet\" Target=\"worksheets/sheet1.xml\"/></Relationships>"
                ),
            ),
            (
                "xl/styles.xml",
                format!(
                    "{head}<styleSheet xmlns=\"{ns}/spreadsheetml/2006/main\"><numFmts count=\"1\"><numFmt numFmtId=\"58\" formatCode=\"0.00\"/></numFmts>\
                     <cellStyleXfs count=\"1\"><xf numFmtId=\"31\"/></cellStyleXfs>\
                     <cellXfs count=\"5\"><xf numFmtId=\"0\"/><xf numFmtId=\"14\"/><xf numFmtId=\"31\"/><xf numFmtId=\"58\"/><xf numFmtId=\"57\"/></cellXfs>\
                     <dxfs count=\"2\"><dxf><numFmt numFmtId=\"57\" formatCode=\"0.00\"/></dxf><dxf><numFmt formatCode=\"0\"/></dxf></dxfs></styleSheet>"
                ),
            ),
            (
                "xl/worksheets/sheet1.xml",
                format!(
                    "{head}<worksheet xmlns=\"{ns}/spreadsheetml/2006/main\"><sheetData>{rows}</sheetData>{more}</worksheet>"
                ),
            ),
        ]
    }

    fn packed(parts: &[(&str, String)]) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, text) in parts {
            let options = SimpleFileOptions::default();
            writer.start_file(*name, options).expect("a part");
            writer.write_all(text.as_bytes()).expect("a part");
        }
        writer.finish().expect("an archive").into_inner()
    }

    fn read(bytes: &[u8]) -> Result<Vec<(String, Vec<Record>)>, Reason> {
        let sheets = sheets(&"x.xlsx".into(), bytes).map_err(|fault| fault.reason)?;
        let records = |rows: Rows| rows.map(|row| row.expect("a row")).collect();
        Ok(sheets
            .into_iter()
            .filter_map(|sheet| Some((sheet.name, records(sheet.rows?))))
            .collect())
    }

    #[test]
    fn numbers_texts_and_dates_are_read_as_they_are_shown() {
        let rows = "<row r=\"2\"><c r=\"A2\" t=\"inlineStr\"><is><t>姓名</t></is></c><c r=\"C2\"><v>440403100201</v></c></row>\
            <row r=\"9\"><c r=\"A9\" s=\"1\"><v>46022</v></c><c r=\"B9\"><v>44040301003000001</v></c></row>";
        let sheets = read(&workbook(rows)).expect("a workbook");
        let record =
            |line, fields: [&str; 3]| Record::new(line, fields.map(str::to_owned).to_vec());
        let rows = vec![
            record(2, ["姓名", "", "440403100201"]),
            record(9, ["2025-12-31", LOST_DIGITS, ""]),
        ];
        assert_eq!(sheets, [("人员".to_owned(), rows)]);
    }

    #[test]
    fn days_in_chinese_are_days_though_the_workbook_does_not_say_how_they_are_written() {
        let rows = "<row r=\"1\"><c r=\"A1\" s=\"2\"><v>46022</v></c><c r=\"B1\" s=\"4\"><v>46022</v></c><c r=\"C1\" s=\"3\"><v>46022</v></c>\
            <c r=\"D1\" s=\"2\"><v>0</v></c><c r=\"E1\" s=\"2\" t=\"str\"><v>46022</v></c><c r=\"F1\" s=\"0\"><v>46022</v></c></row>";
        let fields = [
            "2025-12-31",
            "2025-12-31",
            "46022",
            NO_VALUE,
            "46022",
            "46022",
        ];
        assert_eq!(
            told(&workbook(rows)),
            [Ok(fields.map(str::to_owned).to_vec())]
        );
    }

    /// The rows of a workbook, and the faults between them.
    fn told(bytes: &[u8]) -> Vec<Result<Vec<String>, String>> {
        let sheets = sheets(&"x.xlsx".into(), bytes).expect("a workbook");
        let rows = sheets.into_iter().filter_map(|sheet| sheet.rows).flatten();
        rows.map(|row| row.map(|row| row.fields).map_err(|fault| fault.to_string()))
            .collect()
    }

    #[test]
    fn a_formula_without_its_result_is_no_empty_cell() {
        let rows = "<row r=\"1\"><c r=\"A1\"><f>TODAY()</f></c><c r=\"B1\" s=\"1\"><f t=\"shared\" si=\"4294967295\"/><v></v></c>\
            <c r=\"C1\" t=\"str\"><f>IF(A1=1,1,\"\")</f><v></v></c><c r=\"D1\" s=\"1\"/><c r=\"E1\" s=\"1\"><f>B1+1</f><v>0</v></c>\
            <c r=\"F1\" s=\"1\"><f>B1+2</f><v>46022</v></c><c r=\"G1\" t=\"e\"><f>A0</f><v>#REF!</v></c></row>";
        let fields = [NO_VALUE, NO_VALUE, "", "", NO_VALUE, "2025-12-31", "#REF!"];
        assert_eq!(
            told(&workbook(rows)),
            [Ok(fields.map(str::to_owned).to_vec())]
        );
    }

    #[test]
    fn text_that_the_reader_of_values_passes_over_is_no_empty_cell() {
        let rows = "<row r=\"1\"><c r=\"A1\" t=\"inlineStr\"><is><t>甲<![CDATA[乙]]></t></is></c><c r=\"B1\" t=\"str\"><v><![CDATA[乙]]></v></c>\
            <c r=\"C1\"><v>1</v></c></row>";
        let fields = [NO_VALUE, NO_VALUE, "1"];
        assert_eq!(
            told(&workbook(rows)),
            [Ok(fields.map(str::to_owned).to_vec())]
        );
        let shared = "<sst><si><t><![CDATA[乙]]></t></si></sst>".to_owned();
        let mut parts = parts_of(&["人员"], "", "");
        parts.push(("xl/sharedStrings.xml", shared));
        assert_eq!(read(&packed(&parts)), Err(Reason::NotAWorkbook));
    }

    #[test]
    fn what_is_no_number_or_before_the_first_day_is_no_value() {
        let rows = "<row r=\"1\"><c r=\"A1\"><v>NaN</v></c><c r=\"B1\" s=\"1\"><v>NaN</v></c><c r=\"C1\" s=\"1\"><v>-9</v></c>\
            <c r=\"D1\" s=\"1\"><v>60.5</v></c><c r=\"E1\" s=\"1\"><v>61</v></c></row>";
        let fields = [NO_VALUE, NO_VALUE, NO_VALUE, NO_VALUE, "1900-03-01"];
        assert_eq!(
            told(&workbook(rows)),
            [Ok(fields.map(str::to_owned).to_vec())]
        );
    }

    #[test]
    fn a_cell_or_row_that_stands_twice_or_where_no_sheet_has_one_is_no_workbook() {
        let cell = |name: &str| format!("<c r=\"{name}\"><v>1</v></c>");
        let row = |number: &str, cells: String| format!("<row r=\"{number}\">{cells}</row>");
        let nameless = "<row><c><v>1</v></c><c><v>2</v></c></row>";
        let sound = row("1", cell("A1") + &cell("C1")) + nameless;
        assert_eq!(told(&workbook(&sound)).len(), 2);
        for wrong in [
            row("1", cell("A1") + &cell("A1")),
            row("1", cell("B1") + "<c r=\"A1\"><v>1</v></c>"),
            row("1", cell("A1")) + &row("1", cell("B1")),
            row("2", cell("A2")) + &row("1", cell("A1")),
            row("1", cell("A2")),
            row("4294967295", cell("A4294967295")),
            row("1", cell("A4294967295")),
            row("1048577", cell("A1048577")),
            row("1", cell("A00000000000001")),
            row("1", cell("XFE1")),
            row("1", cell("ZZZZZZZZ1")),
            row("0", cell("A0")),
            row("", cell("1")),
        ] {
            assert_eq!(
                read(&workbook(&wrong)),
                Err(Reason::NotAWorkbook),
                "{wrong}"
            );
        }
        for range in ["A9:A1", "B1:A9", "A1:A4294967295", "A1:B2:C3", ""] {
            let range = format!("<dimension ref=\"{range}\"/>");
            let book = of_sheets(&["人员"], &sound, &range);
            assert_eq!(read(&book), Err(Reason::NotAWorkbook), "{range}");
        }
    }

    #[test]
    fn merged_cells_are_a_fault_that_names_them() {
        let rows = "<row r=\"1\"><c r=\"A1\"><v>1</v></c></row><row r=\"2\"><c r=\"A2\"><v>2</v></c></row>";
        let merged = "<mergeCells count=\"1\"><mergeCell ref=\"A2:A4\"/></mergeCells>";
        assert_eq!(
            told(&of_sheets(&["人员"], rows, merged)),
            [
                Err("x.xlsx [人员]:2: A2:A4: merged_cells".to_owned()),
                Ok(vec!["1".to_owned()]),
                Ok(vec!["2".to_owned()]),
            ]
        );
    }

    #[test]
    fn two_sheets_are_not_one_part_and_a_text_that_is_not_there_is_no_value() {
        let rows = "<row r=\"1\"><c r=\"A1\"><v>1</v></c></row>";
        let twice = of_sheets(&["人员", "单位"], rows, "");
        assert_eq!(read(&twice), Err(Reason::NotAWorkbook));
        let names: Vec<String> = (0..=limits::WORKBOOK_SHEETS_MAX)
            .map(|number| number.to_string())
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert!(read(&of_sheets(&names, rows, "")).is_err());
        let lost = "<row r=\"1\"><c r=\"A1\" t=\"s\"><v>7</v></c></row>";
        assert_eq!(read(&workbook(lost)), Err(Reason::NotAWorkbook));
    }

    #[test]
    fn what_unpacks_to_too_much_or_stands_too_far_out_is_refused() {
        let most = usize::try_from(limits::WORKBOOK_BYTES_MAX).expect("a size");
        let bomb = packed(&[("xl/sharedStrings.xml", "0".repeat(most + 1))]);
        assert!(bomb.len() < most / 100, "{} bytes", bomb.len());
        assert_eq!(read(&bomb), Err(Reason::TooLarge));
        let many: Vec<String> = (0..=limits::WORKBOOK_FILES_MAX)
            .map(|n| n.to_string())
            .collect();
        let many: Vec<(&str, String)> = many
            .iter()
            .map(|name| (name.as_str(), String::new()))
            .collect();
        assert_eq!(read(&packed(&many)), Err(Reason::TooLarge));
        let far = "<row r=\"1\"><c r=\"XFD1\"><v>1</v></c></row>";
        assert_eq!(read(&workbook(far)), Err(Reason::TooLarge));
        let row =
            |number: usize| format!("<row r=\"{number}\"><c r=\"IU{number}\"><v>1</v></c></row>");
        let wide: String = (1..=limits::SHEET_CELLS_MAX / 255 + 1).map(row).collect();
        assert_eq!(read(&workbook(&wide)), Err(Reason::TooLarge));
        let low = "<row r=\"1\"><c r=\"A1\"><v>1</v></c></row><row r=\"1048576\"><c r=\"B1048576\"><v>1</v></c></row>";
        let sheets = read(&workbook(low)).expect("a workbook");
        assert_eq!(sheets[0].1.len(), 2);
        assert_eq!(read(b"PK\x03\x04 no archive"), Err(Reason::NotAWorkbook));
        assert_eq!(
            read(&packed(&[("a", String::new())])),
            Err(Reason::NotAWorkbook)
        );
    }
}
