//! Workbooks whose sheets are empty: they say what an empty file says, and not that nothing changes.

use std::io::{Cursor, Write as _};

use zip::write::{SimpleFileOptions, ZipWriter};

use super::Desk;

/// A workbook of sheets, each with its rows as XML.
fn workbook(sheets: &[(&str, &str)]) -> Vec<u8> {
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
    for (no, (name, rows)) in (1..).zip(sheets) {
        names += &format!("<sheet name=\"{name}\" sheetId=\"{no}\" r:id=\"r{no}\"/>");
        links += &format!(
            "<Relationship Id=\"r{no}\" Type=\"{ns}/officeDocument/2006/relationships/worksheet\" Target=\"worksheets/sheet{no}.xml\"/>"
        );
        put(
            &format!("xl/worksheets/sheet{no}.xml"),
            format!(
                "{head}<worksheet xmlns=\"{ns}/spreadsheetml/2006/main\"><sheetData>{rows}</sheetData></worksheet>"
            ),
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
    let cell = |name: &str, text: &str| {
        format!("<c r=\"{name}\" t=\"inlineStr\"><is><t>{text}</t></is></c>")
    };
    let rows = format!(
        "<row r=\"1\">{}{}{}</row>",
        cell("A1", "id"),
        cell("B1", "kind"),
        cell("C1", "name")
    );
    let told = |sheets: &[(&str, &str)]| desk.faults("x.xlsx", &workbook(sheets));
    let beside = told(&[("单位", &rows), ("Sheet2", "")]);
    assert_eq!(beside, ["x.xlsx [单位]: no_rows"]);
    assert!(told(&[("单位", &rows), ("类别", "")]).len() > 1);
}
