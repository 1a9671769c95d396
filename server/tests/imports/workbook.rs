//! Workbooks whose sheets are empty, are no tables, or are not seen: nothing is passed over that means something.

use std::io::{Cursor, Write as _};

use zip::write::{SimpleFileOptions, ZipWriter};

use super::Desk;

/// What a sheet is.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Shown,
    /// By this word of its state.
    Unseen(&'static str),
    Chart,
}

/// A workbook of sheets, each with its rows as XML.
fn workbook(sheets: &[(&str, &str)]) -> Vec<u8> {
    let sheets = sheets
        .iter()
        .map(|(name, rows)| (*name, *rows, Kind::Shown));
    of_kinds(&sheets.collect::<Vec<_>>())
}

/// The same, of sheets of several kinds.
fn of_kinds(sheets: &[(&str, &str, Kind)]) -> Vec<u8> {
    let ns = "http://schemas.openxmlformats.org";
    let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
    let (mut names, mut links) = (String::new(), String::new());
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let mut put = |name: &str, text: String| {
        writer
            .start_file(name, SimpleFileOptions::default())
            .expect("a part");
        writer.write_all(text.as_bytes()).expect("a part");
    };
    put(
        "[Content_Types].xml",
        format!("{head}<Types xmlns=\"{ns}/package/2006/content-types\"/>"),
    );
    for (no, (name, rows, kind)) in (1..).zip(sheets) {
        let state = match kind {
            Kind::Unseen(state) => format!(" state=\"{state}\""),
            Kind::Shown | Kind::Chart => String::new(),
        };
        names += &format!("<sheet name=\"{name}\" sheetId=\"{no}\"{state} r:id=\"r{no}\"/>");
        let (of, inside) = match kind {
            Kind::Chart => ("chartsheet", "<sheetViews/>".to_owned()),
            _ => ("worksheet", format!("<sheetData>{rows}</sheetData>")),
        };
        links += &format!(
            "<Relationship Id=\"r{no}\" Type=\"{ns}/officeDocument/2006/relationships/{of}\" Target=\"{of}s/sheet{no}.xml\"/>"
        );
        put(
            &format!("xl/{of}s/sheet{no}.xml"),
            format!("{head}<{of} xmlns=\"{ns}/spreadsheetml/2006/main\">{inside}</{of}>"),
        );
    }
    put(
        "xl/workbook.xml",
        format!(
            "{head}<workbook xmlns=\"{ns}/spreadsheetml/2006/main\" xmlns:r=\"{ns}/officeDocument/2006/relationships\"><sheets>{names}</sheets></workbook>"
        ),
    );
    put(
        "xl/_rels/workbook.xml.rels",
        format!(
            "{head}<Relationships xmlns=\"{ns}/package/2006/relationships\">{links}</Relationships>"
        ),
    );
    writer.finish().expect("an archive").into_inner()
}

#[test]
fn an_empty_sheet_says_what_an_empty_file_says() {
    let desk = Desk::new();
    let of_file = desk.faults("单位.csv", b"");
    assert_eq!(of_file.len(), 3, "{of_file:?}");
    for sheets in [
        &[("单位", "")][..],
        &[("Sheet1", ""), ("Sheet2", "")],
        &[("Sheet1", ""), ("单位", "")],
    ] {
        let told = desk.faults("单位.xlsx", &workbook(sheets));
        assert!(!told.is_empty(), "{sheets:?}");
        let told = told.iter().map(|fault| fault.ends_with("missing_column"));
        assert!(told.into_iter().all(|is_it| is_it), "{sheets:?}");
    }
    // Beside what is filled an empty sheet says nothing, unless it is called like a table.
    let rows = head_of_units();
    let told = |sheets: &[(&str, &str)]| desk.faults("x.xlsx", &workbook(sheets));
    let beside = told(&[("单位", &rows), ("Sheet2", "")]);
    assert_eq!(beside, ["x.xlsx [单位]: no_rows"]);
    assert!(told(&[("单位", &rows), ("类别", "")]).len() > 1);
}

/// A row with the names of the columns of units.
fn head_of_units() -> String {
    let cell = |name: &str, text: &str| {
        format!("<c r=\"{name}\" t=\"inlineStr\"><is><t>{text}</t></is></c>")
    };
    format!(
        "<row r=\"1\">{}{}{}</row>",
        cell("A1", "id"),
        cell("B1", "kind"),
        cell("C1", "name")
    )
}

#[test]
fn a_chart_is_no_table_and_a_sheet_that_is_not_seen_is_a_fault_that_names_it() {
    let desk = Desk::new();
    let rows = head_of_units();
    let told = |sheets: &[(&str, &str, Kind)]| desk.faults("单位.xlsx", &of_kinds(sheets));
    let beside_chart = told(&[("Sheet1", &rows, Kind::Shown), ("图表", "", Kind::Chart)]);
    assert_eq!(beside_chart, ["单位.xlsx [Sheet1]: no_rows"]);
    for nothing in [&[("图表", "", Kind::Chart)][..], &[]] {
        assert_eq!(told(nothing), ["单位.xlsx: not_a_workbook"]);
    }
    for state in ["hidden", "veryHidden"] {
        let unseen = Kind::Unseen(state);
        // The other one is a single sheet, whatever stands in those that are not seen.
        assert_eq!(
            told(&[("人员", &rows, unseen), ("Sheet1", &rows, Kind::Shown)]),
            [
                "单位.xlsx [人员]: hidden_sheet",
                "单位.xlsx [Sheet1]: no_rows"
            ]
        );
        // What is empty and called like nothing says nothing.
        assert_eq!(
            told(&[("Sheet2", "", unseen), ("Sheet1", &rows, Kind::Shown)]),
            ["单位.xlsx [Sheet1]: no_rows"]
        );
    }
}
