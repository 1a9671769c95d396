//! Components: their 18 fields, what is wrong with them, and how many.

use patrol_core::domain::component::Position;
use patrol_core::domain::limits;
use patrol_core::sync::components::decode;
use patrol_server::components::{by_code, nearest};
use patrol_server::import::{Content, Preview, Upload};
use patrol_server::store::StoreError;
use serde_json::json;

use super::{Desk, counts, faults, file};
use crate::program::Folder;

pub(crate) const HEAD: &str = "管理部件标识码,管理部件名称,主管部门代码,主管部门名称,权属单位代码,权属单位名称,养护单位代码,养护单位名称,所在单元网格标识码,管理部件状态,初始日期,变更日期,数据来源,备注,所在街道代码,所在街道名称,所在社区（村）代码,所在社区（村）名称,经度,纬度\n";

/// A lamp of a village.
fn lamp(village: u64, serial: u64) -> String {
    let district = village / 1_000_000;
    let (lon, lat) = (serial % 1_000, serial / 1_000);
    format!(
        "{district}01037{serial:06},路灯,91350100M000100Y43,城市管理局,,,91350100M000100Y43,路灯所,{village}001,完好,20260101,,实测,,{},,{village},,113.{:07},22.{:07}\n",
        village / 1_000,
        2_000_000 + lon * 1_000,
        2_000_000 + lat * 1_000
    )
}

pub(crate) const YUYUE: u64 = 440_404_100_201;
pub(crate) const OTHER: u64 = 440_404_100_202;

pub(crate) fn lamps(village: u64, serials: std::ops::Range<u64>) -> String {
    serials.map(|serial| lamp(village, serial)).collect()
}

#[test]
fn components_are_read_with_all_their_fields_and_found_by_code_and_place() {
    let desk = Desk::new();
    let text = format!("{HEAD}{}", lamps(YUYUE, 1..31));
    let shown = desk.import("部件.csv", &text);
    assert_eq!(counts(&shown, "components"), [30, 0, 0, 0, 0]);
    let app = &desk.office.app;
    let third = by_code(app, 44_040_401_037_000_003)
        .expect("the store answers")
        .expect("it is there");
    assert_eq!(
        (third.name.as_str(), third.keeper.name.as_str()),
        ("路灯", "路灯所")
    );
    assert_eq!((third.first_on, third.changed_on), (20_260_101, None));
    assert_eq!(
        by_code(app, 44_040_401_037_000_099).expect("the store answers"),
        None
    );
    let near = || -> Vec<u64> {
        let near = nearest(app, third.position, 3).expect("the store answers");
        let serials = near.iter().map(|(row, _)| row.code.number() % 1_000_000);
        serials.collect()
    };
    assert_eq!(near(), [3, 2, 4]);
    // What stands nowhere any more is in no other's place.
    let gone = text.replacen("完好", "移除", 4);
    desk.import("部件.csv", &gone);
    assert_eq!(near(), [5, 6, 7]);
    let far = Position {
        lon_e7: 0,
        lat_e7: 0,
    };
    assert_eq!(nearest(app, far, 3).expect("the store answers"), []);
}

#[test]
fn a_file_replaces_the_villages_that_it_names_and_what_it_replaced_is_kept() {
    let desk = Desk::new();
    let both = format!("{HEAD}{}{}", lamps(YUYUE, 1..11), lamps(OTHER, 101..111));
    desk.import("components.csv", &both);
    let broken = lamps(YUYUE, 1..9).replacen("完好", "破损", 1);
    let first = desk.preview(&[file("components.csv", format!("{HEAD}{broken}").as_bytes())]);
    let second = desk.preview(&[file("components.csv", both.as_bytes())]);
    assert_eq!(counts(&first.json(None), "components"), [0, 1, 0, 2, 7]);
    let not_named =
        |preview: &Preview| preview.json(None)["tables"][0]["villages_not_named"].clone();
    assert_eq!([&first, &second].map(not_named), [1, 0]);
    desk.adopt(&first).expect("it is adopted");
    assert!(matches!(desk.adopt(&second), Err(StoreError::Stale)));
    let app = &desk.office.app;
    let replaced = app
        .store
        .replaced_components(2, 0, 9)
        .expect("the store answers");
    let states: Vec<String> = replaced
        .iter()
        .map(|(_, bytes)| decode(bytes).expect("as it was").state)
        .collect();
    assert_eq!(states, ["完好"; 3]);
    let gone = by_code(app, 44_040_401_037_000_009).expect("the store answers");
    let other = by_code(app, 44_040_401_037_000_109).expect("the store answers");
    assert!(gone.is_none() && other.is_some());
}

#[test]
fn what_is_wrong_with_components_is_told_row_by_row_and_counted_to_the_last() {
    let desk = Desk::new();
    let good = lamp(YUYUE, 1);
    let rows = [
        ("440404010370", "440404060370", "管理部件标识码: not_a_code"),
        (
            "440404010370",
            "440402010370",
            "管理部件标识码: contradiction",
        ),
        (",路灯,", ",,", "管理部件名称: empty"),
        (
            ",路灯,",
            &format!(",{},", "灯".repeat(31)),
            "管理部件名称: too_long (30)",
        ),
        ("20260101", "20260230", "初始日期: not_a_day"),
        ("20260101,", "20260101,20251231", "变更日期: contradiction"),
        (
            "440404100201001",
            "440404100201000",
            "所在单元网格标识码: not_a_code",
        ),
        (
            ",440404100201,",
            ",440404100202,",
            "所在社区（村）代码: contradiction",
        ),
        (",440404100,", ",440404101,", "所在街道代码: contradiction"),
        (
            "440404100201",
            "440404999201",
            "所在单元网格标识码: unknown_village",
        ),
        ("113.", "213.", "经度: not_a_coordinate"),
        (",路灯,", ",#N/A,", "管理部件名称: error_cell"),
        (",实测,", ",\u{fffd}-,", "数据来源: control_character"),
        (
            ",,,91350100M000100Y43",
            ",O,,91350100M000100Y43",
            "权属单位代码: not_a_code",
        ),
    ];
    let (mut text, mut expected) = (HEAD.to_owned(), Vec::new());
    for ((from, to, fault), line) in rows.iter().zip(2..) {
        let row = lamp(YUYUE, line);
        assert!(row.contains(from), "{from}");
        text += &row.replacen(from, to, 1);
        if fault.ends_with("unknown_village") {
            // Its village's own column says another one then, and that of its town another town.
            expected.push(format!(
                "部件.csv:{line}: 所在社区（村）代码: contradiction"
            ));
            expected.push(format!("部件.csv:{line}: {fault}"));
            expected.push(format!("部件.csv:{line}: 所在街道代码: contradiction"));
            continue;
        }
        expected.push(format!("部件.csv:{line}: {fault}"));
    }
    text += &good;
    text += &good;
    let last = rows.len() + 3;
    expected.push(format!("部件.csv:{last}: 管理部件标识码: duplicate"));
    assert_eq!(desk.faults("部件.csv", text.as_bytes()), expected);

    let many = format!(
        "{HEAD}{}",
        good.replace("路灯,", ",")
            .repeat(limits::IMPORT_FAULTS_SHOWN + 5)
    );
    let preview = desk.preview(&[file("components.csv", many.as_bytes())]);
    assert_eq!(faults(&preview).len(), limits::IMPORT_FAULTS_SHOWN);
    assert!(preview.faults.total > limits::IMPORT_FAULTS_SHOWN + 5);
}

#[test]
fn everything_that_is_wrong_with_one_row_of_components_is_told_at_once() {
    let desk = Desk::new();
    let told = |edits: &[(&str, &str)]| {
        let mut row = lamp(YUYUE, 1);
        for (from, to) in edits {
            assert!(row.contains(from), "{from}");
            row = row.replacen(from, to, 1);
        }
        let text = format!("{HEAD}{row}{}", lamp(YUYUE, 1));
        let faults = desk.faults("部件.csv", text.as_bytes());
        faults
            .iter()
            .map(|fault| fault.trim_start_matches("部件.csv:").to_owned())
            .collect::<Vec<_>>()
    };
    // The code is none, the grid is none: what they would be compared with is told alone.
    assert_eq!(
        told(&[
            ("440404010370", "440404060370"),
            (",路灯,", ",,"),
            ("440404100201001", "440404100201000"),
            (",440404100201,", ",44040410020,"),
            ("20260101,", "20260230,20251231"),
            ("113.", "213."),
        ]),
        [
            "2: 经度: not_a_coordinate",
            "2: 管理部件标识码: not_a_code",
            "2: 初始日期: not_a_day",
            "2: 所在单元网格标识码: not_a_code",
            "2: 所在社区（村）代码: not_a_code",
            "2: 管理部件名称: empty",
        ]
    );
    // Each field can be read, and none goes with the others; the next row has the same code.
    assert_eq!(
        told(&[
            ("440404100201001", "440402999201001"),
            (",440404100,", ",440404101,"),
            ("20260101,", "20260101,20251231"),
            (",实测,", &format!(",{},", "测".repeat(31))),
        ]),
        [
            "2: 所在社区（村）代码: contradiction",
            "2: 所在单元网格标识码: unknown_village",
            "2: 数据来源: too_long (30)",
            "2: 管理部件标识码: contradiction",
            "2: 变更日期: contradiction",
            "2: 所在街道代码: contradiction",
            "3: 管理部件标识码: duplicate",
        ]
    );
    // A day that is none hides no other contradiction.
    assert_eq!(
        told(&[
            ("20260101,", "2026,20251231"),
            (",440404100,", ",440404101,"),
            (",440404100201,", ",440404100202,"),
        ]),
        [
            "2: 初始日期: not_a_day",
            "2: 所在社区（村）代码: contradiction",
            "2: 所在街道代码: contradiction",
            "3: 管理部件标识码: duplicate",
        ]
    );
}

#[test]
fn a_wrong_check_character_is_a_warning_and_a_mixed_import_a_fault() {
    let desk = Desk::new();
    let text = format!("{HEAD}{}", lamp(YUYUE, 1).replacen("100Y43", "100Y44", 1));
    let upload = file("components.csv", text.as_bytes());
    let preview = desk.preview(std::slice::from_ref(&upload));
    let shown = preview.json(None);
    assert_eq!(
        (&shown["faults_total"], &shown["warnings_total"]),
        (&json!(0), &json!(1))
    );
    assert_eq!(shown["warnings"][0]["reason"], "check_character");
    assert!(matches!(desk.adopt(&preview), Ok(Some(_))));
    // Everything that is wrong is told all the same, in both.
    let text = format!("{HEAD}{}", lamp(YUYUE, 1).replace("20260101", "20260230"));
    let mixed = desk.preview(&[
        file("components.csv", text.as_bytes()),
        file("units.csv", b"id,kind,name\n"),
    ]);
    assert_eq!(
        faults(&mixed),
        [
            "units.csv: no_rows",
            "components.csv: not_alone",
            "components.csv:2: 初始日期: not_a_day",
        ]
    );
    assert!(matches!(desk.adopt(&mixed), Ok(None)));
}

#[test]
fn a_second_position_says_the_same_or_is_a_fault() {
    let desk = Desk::new();
    let two = |second: &str| {
        let head = HEAD.replace('\n', ",lon_wgs84,lat_wgs84\n");
        let row = lamp(YUYUE, 1).replace('\n', &format!(",{second}\n"));
        desk.faults("部件.csv", (head + &row).as_bytes())
    };
    let none: [&str; 0] = [];
    assert_eq!(two(","), none);
    assert_eq!(two("113.200101,22.2"), none);
    assert_eq!(two("113.3,22.2"), ["部件.csv:2: lon_wgs84: contradiction"]);
    assert_eq!(
        two("rubbish,22.2"),
        ["部件.csv:2: lon_wgs84: not_a_coordinate"]
    );
}

#[test]
fn a_day_of_a_component_is_eight_digits_or_as_in_other_tables() {
    let desk = Desk::new();
    let of_day = |day: &str| {
        let row = lamp(YUYUE, 1).replacen("20260101", day, 1);
        desk.faults("部件.csv", format!("{HEAD}{row}").as_bytes())
    };
    for day in ["20260101", "2026-01-01", "2026/1/1"] {
        assert_eq!(of_day(day), [] as [&str; 0], "{day}");
    }
    for day in [
        "2-0260-101",
        "2026-0101",
        "-20260101",
        "20260229",
        "202601",
        "２０２６",
    ] {
        assert_eq!(of_day(day), ["部件.csv:2: 初始日期: not_a_day"], "{day}");
    }
}

#[test]
fn what_was_shown_is_adopted_and_nothing_else() {
    let desk = Desk::new();
    let folder = Folder::new("import_of_a_file_that_changes");
    let path = folder.file("部件.csv");
    let write = |rows: &str| std::fs::write(&path, format!("{HEAD}{rows}")).expect("it is written");
    let (shown, other) = (lamps(YUYUE, 1..4), lamps(YUYUE, 1..5));
    write(&shown);
    let upload = Upload {
        name: "部件.csv".to_owned(),
        content: Content::File(path.clone()),
    };
    let preview = desk.preview(&[upload]);
    assert_eq!(counts(&preview.json(None), "components"), [3, 0, 0, 0, 0]);
    let imports = || desk.office.app.store.component_imports();
    for rows in [other, shown.replace("完好", "破损")] {
        write(&rows);
        assert!(matches!(desk.adopt(&preview), Err(StoreError::Stale)));
        assert_eq!(imports().expect("the store answers").len(), 0);
    }
    write(&shown);
    assert!(matches!(desk.adopt(&preview), Ok(Some(_))));
}

#[test]
fn components_without_the_columns_of_a_position_are_told_once() {
    let desk = Desk::new();
    let text = format!("{HEAD}{}", lamps(YUYUE, 1..31));
    let without: String = text
        .lines()
        .filter_map(|line| line.rsplitn(3, ',').last())
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(
        desk.faults("部件.csv", without.as_bytes()),
        ["lon_cgcs2000", "lat_cgcs2000"]
            .map(|column| format!("部件.csv:1: {column}: missing_column"))
    );
    // What else is wrong with a row is told too.
    let wrong = without.replacen("完好", "", 1);
    let told = desk.faults("部件.csv", wrong.as_bytes());
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(
        told[2].starts_with("部件.csv:2: ") && told[2].ends_with(": empty"),
        "{told:?}"
    );
}
