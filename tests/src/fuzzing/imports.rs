//! Files as an administrator uploads them, laid over a small town that is in force: text, workbooks, GeoJSON, several at once.
//!
//! A workbook is made here of what would stand in its sheet, for altered bytes of an archive are none; archives as they are come too.

use std::io::{Cursor, Write as _};
use std::sync::{Arc, OnceLock};

use patrol_core::domain::directory::Directory;
use patrol_server::app::{App, draw_identity};
use patrol_server::directory::{Files, parse};
use patrol_server::import::{Content, Upload, adopt, preview};
use patrol_server::store::memory::MemoryStore;
use serde_json::Value;
use zip::write::{SimpleFileOptions, ZipWriter};

use super::{Reached, SEEN};
use crate::clock::{Clock, Machine, START};

/// Between the files of an input.
const BETWEEN: u8 = 0x1e;
/// Files of one input.
const FILES: usize = 4;
/// What the first byte of a file says it is.
const NAMES: [&str; 13] = [
    "districts.csv",
    "towns.csv",
    "villages.csv",
    "beats.csv",
    "units.csv",
    "people.csv",
    "categories.csv",
    "components.csv",
    "villages.geojson",
    "components.geojson",
    // Of a text whose first line names the sheet.
    "book.xlsx",
    // Of what stands in a sheet of people.
    "people.xlsx",
    // The archive itself.
    "units.xlsx",
];

/// Files that are imported.
///
/// # Panics
/// Where a promise is broken: a refusal without a reason, or an import that changes something when it comes again.
pub fn imports(data: &[u8]) -> Reached {
    static TOWN: OnceLock<App> = OnceLock::new();
    let uploads: Vec<Upload> = data
        .split(|byte| *byte == BETWEEN)
        .take(FILES)
        .filter_map(upload)
        .collect();
    let shown = preview(TOWN.get_or_init(town), &uploads).expect("the store answers");
    let faults = &shown.faults;
    assert!(faults.shown.len() <= faults.total);
    let told = shown.json(Some("x".to_owned()));
    assert_eq!(told["id"].is_null(), !faults.is_empty());
    if !faults.is_empty() {
        // Behind the names of the columns.
        let is_of_a_row = |fault: &Value| fault["line"].as_u64().is_some_and(|line| line > 1);
        let rows = told["faults"].as_array().expect("faults");
        return Reached::if_any(&[rows.iter().any(is_of_a_row)]);
    }
    if uploads.is_empty() {
        return Reached::Nothing;
    }
    SEEN.adopted.add(1);
    comes_again(&uploads);
    Reached::Within
}

/// What has been adopted once changes nothing when it is imported once more.
fn comes_again(uploads: &[Upload]) {
    let app = town();
    let first = preview(&app, uploads).expect("the store answers");
    assert!(adopt(&app, &first).expect("nobody else is there").is_some());
    let again = preview(&app, uploads)
        .expect("the store answers")
        .json(None);
    for table in again["tables"].as_array().expect("tables") {
        for count in ["added", "changed", "ended", "removed"] {
            let changed = table[count].as_u64().unwrap_or_default();
            assert_eq!(changed, 0, "{count} of {table}: {again}");
        }
    }
}

fn upload(file: &[u8]) -> Option<Upload> {
    let (kind, content) = file.split_first()?;
    let name = NAMES[usize::from(*kind) % NAMES.len()];
    let bytes = match name {
        "book.xlsx" => book_of(content),
        "people.xlsx" => book("people", &String::from_utf8_lossy(content)),
        _ => content.to_vec(),
    };
    Some(Upload {
        name: name.to_owned(),
        content: Content::Bytes(bytes.into()),
    })
}

/// A workbook of a text: the sheet's name, then its rows.
fn book_of(text: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(text);
    let escaped = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;");
    let mut lines = escaped.lines();
    let name = lines.next().unwrap_or_default().to_owned();
    let cell = |field: &str| format!("<c t=\"inlineStr\"><is><t>{field}</t></is></c>");
    let row = |line: &str| {
        let cells: String = line.split(',').map(cell).collect();
        format!("<row>{cells}</row>")
    };
    let rows: String = lines.map(row).collect();
    book(&name, &rows)
}

fn book(name: &str, rows: &str) -> Vec<u8> {
    let ns = "http://schemas.openxmlformats.org";
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let mut put = |part: &str, text: String| {
        let begun = writer.start_file(part, SimpleFileOptions::default());
        begun.expect("a part");
        writer.write_all(text.as_bytes()).expect("a part");
    };
    put(
        "[Content_Types].xml",
        format!("<Types xmlns=\"{ns}/package/2006/content-types\"/>"),
    );
    put(
        "xl/worksheets/sheet1.xml",
        format!(
            "<worksheet xmlns=\"{ns}/spreadsheetml/2006/main\"><sheetData>{rows}</sheetData></worksheet>"
        ),
    );
    put(
        "xl/workbook.xml",
        format!(
            "<workbook xmlns=\"{ns}/spreadsheetml/2006/main\" xmlns:r=\"{ns}/officeDocument/2006/relationships\"><sheets><sheet name=\"{name}\" sheetId=\"1\" r:id=\"r1\"/></sheets></workbook>"
        ),
    );
    put(
        "xl/_rels/workbook.xml.rels",
        format!(
            "<Relationships xmlns=\"{ns}/package/2006/relationships\"><Relationship Id=\"r1\" Type=\"{ns}/officeDocument/2006/relationships/worksheet\" Target=\"worksheets/sheet1.xml\"/></Relationships>"
        ),
    );
    writer.finish().expect("an archive").into_inner()
}

/// A server in memory with a directory of a few rows in each table.
fn town() -> App {
    let machine = Arc::new(Machine::new(&Clock::default(), 1));
    let store = MemoryStore::new(draw_identity(machine.as_ref()));
    let app = App::open(Arc::new(store), machine).expect("a new model opens");
    app.put_directory(in_force()).expect("it is kept");
    app
}

fn in_force() -> &'static Directory {
    static DIRECTORY: OnceLock<Directory> = OnceLock::new();
    let files = Files {
        districts: "code,name\n440402,香洲区\n",
        towns: "code,name,district_code\n440402105,桂山镇,440402\n",
        villages: "code,name,town_code\n440402105200,桂海村委会,440402105\n440402105201,桂山村委会,440402105\n",
        beats: "beat_id,beat_name,village_code,from\n1,一格,440402105200,2020-01-01\n1,一格,440402105201,2020-01-01\n",
        units: "id,kind,name\n101,department,城市管理局\n301,enterprise,供水公司\n",
        categories: "scheme,kind,code,name\n476785,component,01037,路灯\n",
        people: "person,name,role,at,from,until\n0000000000000001,李强,administrator,city,2020-01-01,\n\
                 0000000000000002,王芳,inspector,beat:1,2020-01-01,\n0000000000000003,张伟,cadre,村:440402105200,2020-01-01,2027-01-01\n",
    };
    DIRECTORY.get_or_init(|| parse(&files, START).expect("a directory"))
}
