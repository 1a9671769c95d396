//! Workbooks whose sheets are empty, are no tables, or are not seen: nothing is passed over that means something.

use std::io::{Cursor, Write as _};

use patrol_core::domain::component::Position;
use patrol_server::components::{by_code, nearest};
use serde_json::{Value, json};
use zip::write::{SimpleFileOptions, ZipWriter};

use super::components::{HEAD, YUYUE, lamps};
use super::{Desk, counts, faults, file};

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

const UNITS: &str = include_str!("../../data/zhuhai/units.csv");
const BEATS: &str = include_str!("../../data/zhuhai/beats.csv");

/// The rows of a CSV text as those of a sheet, all of them text.
fn rows_of(text: &str) -> String {
    let cell = |(at, field): (u8, &str)| {
        let column = char::from(b'A' + at);
        format!("<c r=\"{column}LINE\" t=\"inlineStr\"><is><t>{field}</t></is></c>")
    };
    let row = |(line, text): (usize, &str)| {
        let cells: String = (0..).zip(text.split(',')).map(cell).collect();
        let cells = cells.replace("LINE", &line.to_string());
        format!("<row r=\"{line}\">{cells}</row>")
    };
    (1..).zip(text.lines()).map(row).collect()
}

#[test]
fn the_sheets_of_a_workbook_are_imported_together_and_a_wrong_cell_is_told_where_it_stands() {
    let desk = Desk::new();
    let units = format!("{UNITS}777,enterprise,巡检公司\n");
    let preview_of = |units: &str, beats: &str| {
        let sheets = [("责任单位", rows_of(units)), ("网格", rows_of(beats))];
        let sheets = sheets.each_ref().map(|(name, rows)| (*name, rows.as_str()));
        desk.preview(&[file("珠海.xlsx", &workbook(&sheets))])
    };
    let wrong = preview_of(
        &units.replace("enterprise,巡", "company,巡"),
        &BEATS.replacen("\n1,", "\n一,", 1),
    );
    let line = units.lines().count();
    assert_eq!(
        faults(&wrong),
        [
            "珠海.xlsx [网格]:2: beat_id: not_a_number".to_owned(),
            format!("珠海.xlsx [责任单位]:{line}: kind: unknown_word"),
        ]
    );
    assert!(matches!(desk.adopt(&wrong), Ok(None)));
    let right = preview_of(
        &units,
        &BEATS.replacen("桂山镇01号网格（演示划分）", "桂山一格", 2),
    );
    assert_eq!(faults(&right), [] as [&str; 0]);
    let shown = right.json(None);
    assert_eq!(counts(&shown, "units"), [1, 0, 0, 0, 30]);
    assert_eq!(counts(&shown, "beats"), [0, 2, 0, 0, 120]);
    desk.adopt(&right).expect("it is adopted");
    let known = desk.office.app.known();
    assert!(
        known
            .directory
            .units
            .iter()
            .any(|unit| unit.name == "巡检公司")
    );
}

/// The lamps of a text as features, whose points are where it says.
fn features_of(text: &str) -> String {
    let names: Vec<&str> = text.lines().next().expect("a head").split(',').collect();
    let feature = |line: &str| {
        let mut properties: serde_json::Map<String, Value> = names
            .iter()
            .zip(line.split(','))
            .map(|(name, field)| ((*name).to_owned(), json!(field)))
            .collect();
        let mut degrees = |name| {
            let field = properties.remove(name).expect("a column");
            field.as_str().and_then(|text| text.parse::<f64>().ok())
        };
        let at = [degrees("经度"), degrees("纬度")];
        json!({ "properties": properties, "geometry": { "type": "Point", "coordinates": at } })
    };
    let features: Vec<Value> = text.lines().skip(1).map(feature).collect();
    let crs = json!({ "properties": { "name": "urn:ogc:def:crs:EPSG::4490" } });
    json!({ "type": "FeatureCollection", "crs": crs, "features": features }).to_string()
}

#[test]
fn components_come_as_a_workbook_and_as_geojson_as_they_come_as_text() {
    let text = format!("{HEAD}{}", lamps(YUYUE, 1..31));
    let sheet = rows_of(&text);
    let files = [
        ("部件.csv", text.clone().into_bytes()),
        ("部件.xlsx", workbook(&[("部件", &sheet)])),
        ("部件.geojson", features_of(&text).into_bytes()),
    ];
    let of = |(name, bytes): &(&str, Vec<u8>)| {
        let desk = Desk::new();
        let preview = desk.preview(&[file(name, bytes)]);
        assert_eq!(faults(&preview), [] as [&str; 0], "{name}");
        assert_eq!(counts(&preview.json(None), "components"), [30, 0, 0, 0, 0]);
        desk.adopt(&preview).expect("it is adopted");
        let app = &desk.office.app;
        let third = by_code(app, 44_040_401_037_000_003).expect("the store answers");
        let at: Position = third.as_ref().expect("it is there").position;
        let near = nearest(app, at, 1).expect("the store answers");
        assert_eq!(near.first().map(|(row, _)| row), third.as_ref(), "{name}");
        third
    };
    let [first, others @ ..] = files.each_ref().map(of);
    assert_eq!(others, [first.clone(), first]);
}
