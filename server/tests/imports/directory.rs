//! Tables of the directory, laid over the one in force.

use patrol_core::domain::capability::Role;
use patrol_core::domain::directory::{Person, PostAt};
use patrol_core::domain::place::{Datum, VillageCode};
use patrol_core::domain::time::{DAY_MS, Timestamp};
use patrol_server::import;
use patrol_server::store::StoreError;

use super::{Desk, counts, faults, file};

const BEATS: &str = include_str!("../../data/zhuhai/beats.csv");
const VILLAGES: &str = include_str!("../../data/zhuhai/villages.csv");

/// 2026-11-24 in Zhuhai: the day after the office's.
const TOMORROW: Timestamp = Timestamp(1_795_392_000_000 + 16 * 60 * 60 * 1_000);

/// The people in force, as a file has them.
fn people_file(desk: &Desk) -> String {
    let mut text = String::from("人员编号,姓名,角色,所在,开始日期,结束日期\n");
    for person in &desk.office.app.known().directory.people {
        for post in &person.posts {
            let at = match post.at {
                PostAt::City => "全市".to_owned(),
                PostAt::Unit(unit) => format!("单位:{unit}"),
                PostAt::Beat(beat) => format!("网格：{}", beat.0),
            };
            let (id, name, role) = (person.id.hex(), &person.name, post.role.word());
            text += &format!("{id},{name},{role},{at},2020/1/1,\n");
        }
    }
    text
}

fn person(desk: &Desk, name: &str) -> Option<Person> {
    let known = desk.office.app.known();
    let mut people = known.directory.people.iter();
    people.find(|person| person.name == name).cloned()
}

#[test]
fn people_who_are_not_named_any_more_end_with_the_day_and_stay_in_the_directory() {
    let desk = Desk::new();
    let text = people_file(&desk);
    assert_eq!(
        counts(&desk.import("people.csv", &text), "people"),
        [0, 0, 0, 0, 222]
    );
    assert_eq!(desk.office.app.known().no, 1);
    let without: String = text
        .lines()
        .filter(|line| !line.contains("巡查员07"))
        .map(|line| format!("{line}\n"))
        .collect();
    let shown = desk.import("people.csv", &without);
    assert_eq!(counts(&shown, "people"), [0, 0, 1, 0, 221]);
    assert_eq!(counts(&shown, "villages"), [0, 0, 0, 0, 122]);
    let posts = person(&desk, "巡查员07").expect("never deleted").posts;
    let dates: Vec<_> = posts.iter().map(|post| post.until).collect();
    assert_eq!(dates, [Some(TOMORROW)]);
    // Once he has ended, a file without him changes nothing more.
    desk.office.machine.advance_ms(DAY_MS);
    assert_eq!(
        counts(&desk.import("people.csv", &without), "people"),
        [0, 0, 0, 0, 222]
    );
    assert_eq!(desk.office.app.known().no, 2);
}

#[test]
fn no_file_takes_the_last_administrator_away() {
    let desk = Desk::new();
    let text = people_file(&desk);
    let whose = |end: &str| -> String {
        let lines = text.lines().map(|line| match line.contains("管理员") {
            true => format!("{line}{end}\n"),
            false => format!("{line}\n"),
        });
        lines.collect()
    };
    let fault = |day: &str| format!("people.csv: no_administrator ({day}T00:00:00.000+08:00)");
    let without: String = text
        .lines()
        .filter(|line| !line.contains("管理员"))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(
        desk.faults("people.csv", without.as_bytes()),
        [fault("2026-11-24")]
    );
    // The 25th is his last day.
    assert_eq!(
        desk.faults("people.csv", whose("2026-11-25").as_bytes()),
        [fault("2026-11-26")]
    );
    assert_eq!(
        desk.faults("people.csv", whose("").as_bytes()),
        [] as [&str; 0]
    );
}

#[test]
fn a_substitute_holds_a_beat_for_a_time_and_who_is_new_gets_an_id() {
    let desk = Desk::new();
    let mut text = people_file(&desk);
    text += ",林小雨,替班巡查员,网格:7,2026-12-01,2026-12-08\n,林小雨,替班,网格:9,2026-12-10,2026-12-11\n";
    let shown = desk.import("人员_2026-11.csv", &text);
    assert_eq!(counts(&shown, "people"), [2, 0, 0, 0, 222]);
    let lin = person(&desk, "林小雨").expect("a new person");
    assert!(lin.posts.iter().all(|post| post.role == Role::Inspector));
    let known = desk.office.app.known();
    let beat = &known.directory.beats[6];
    let during = Timestamp(TOMORROW.0 + 10 * DAY_MS);
    let scopes = |now| known.directory.scopes_of(lin.id, now).len();
    assert_eq!(
        (scopes(during), scopes(TOMORROW)),
        (1 + beat.villages.len(), 1)
    );
    // The same file again means the same person.
    assert_eq!(
        counts(&desk.import("people.csv", &text), "people"),
        [0, 0, 0, 0, 224]
    );

    let endless = text.clone() + ",林小雨,替班,网格:11,2026-12-01,\n";
    assert_eq!(
        desk.faults("people.csv", endless.as_bytes()),
        ["people.csv:226: 结束日期: missing_end"]
    );
    let twins =
        text + "00000000000000aa,林小雨,评价员,全市,2020-01-01,\n,林小雨,评价员,全市,2021-01-01,\n";
    assert_eq!(
        desk.faults("people.csv", twins.as_bytes()),
        [224, 225, 227].map(|line| format!("people.csv:{line}: 人员编号: ambiguous_name"))
    );
}

#[test]
fn a_beat_hands_a_village_on_and_what_was_stays() {
    let desk = Desk::new();
    let (head, rows) = BEATS.split_once('\n').expect("a head");
    let row = "1,桂山镇01号网格（演示划分）,440402105200,2020-01-01";
    let ended = |line: &str| if line == row { "2026-12-01" } else { "" };
    let all: String = rows
        .lines()
        .map(|line| format!("{line},{}\n", ended(line)))
        .collect();
    let moved =
        format!("{head},until\n{all}3,担杆镇01号网格（演示划分）,440402105200,2026-12-01,\n");
    assert_eq!(
        counts(&desk.import("beats.csv", &moved), "beats"),
        [1, 0, 1, 0, 121]
    );
    // A village that a file leaves out would be without a beat from tomorrow.
    let short: String = format!("{head}\n")
        + &rows
            .lines()
            .filter(|line| !line.contains("440402105201"))
            .map(|line| format!("{line}\n"))
            .collect::<String>();
    let faults = desk.faults("beats.csv", short.as_bytes());
    let fault = "beats.csv: no_beat (440402105201 桂山村, 2026-11-24)";
    assert_eq!(faults, [fault]);
}

#[test]
fn every_fault_is_told_at_once_with_its_file_line_and_column() {
    let desk = Desk::new();
    let people = "人员编号,姓名,角色,所在,开始日期\n1,甲,村长,某处,昨天\n00000000000000b2,乙,巡查员,网格:999,2020-01-01\n";
    let beats = "网格编号,村代码,起始日期\n1,440402105200,2020-01-01\n";
    let uploads = [
        file("人员.csv", people.as_bytes()),
        file("beats.csv", beats.as_bytes()),
        file("什么.csv", b"a\n"),
    ];
    let preview = desk.preview(&uploads);
    let shown = preview.json(None);
    assert_eq!(shown["faults_total"], 6);
    assert_eq!(shown["faults"][1]["column"], "beat_name");
    assert_eq!(
        faults(&preview),
        [
            "什么.csv: unknown_table",
            "beats.csv:1: beat_name: missing_column",
            "人员.csv:2: 人员编号: not_an_id",
            "人员.csv:2: 角色: unknown_word",
            "人员.csv:2: 所在: not_a_place",
            "人员.csv:2: 开始日期: not_a_day",
        ]
    );
    let alone = desk.faults("人员.csv", people.as_bytes());
    assert_eq!(alone.len(), 5);
    assert_eq!(alone[4], "人员.csv:3: 所在: unknown_place");
    let twice = [
        file("people.csv", people.as_bytes()),
        file("人员.csv", people.as_bytes()),
    ];
    let told = faults(&desk.preview(&twice));
    assert!(
        told.contains(&"人员.csv: second_of_table".to_owned()),
        "{told:#?}"
    );
}

#[test]
fn gb18030_means_the_same_as_utf8() {
    let desk = Desk::new();
    let text = people_file(&desk).replace("评价员01", "欧阳评价");
    let (gb18030, _, _) = encoding_rs::GB18030.encode(&text);
    let preview = desk.preview(&[file("people.csv", &gb18030)]);
    assert_eq!(counts(&preview.json(None), "people"), [0, 1, 0, 0, 221]);
    desk.adopt(&preview).expect("it is adopted");
    assert!(person(&desk, "欧阳评价").is_some());
}

#[test]
fn villages_come_as_geojson_and_of_an_outline_a_point_is_kept() {
    let desk = Desk::new();
    let features: Vec<String> = VILLAGES.lines().skip(1).zip(0..).map(|(line, number)| {
        let fields: Vec<&str> = line.split(',').collect();
        let geometry = if number == 0 {
            "{\"type\":\"Polygon\",\"coordinates\":[[[113,22],[113.5,22],[113.5,22.5],[113,22.5],[113,22]]]}"
        } else {
            "{\"type\":\"Point\",\"coordinates\":[113.123456789,22.5]}"
        };
        format!("{{\"properties\":{{\"村代码\":{},\"村名\":\"{}\",\"镇街代码\":\"{}\"}},\"geometry\":{geometry}}}", fields[0], fields[1], fields[2])
    }).collect();
    let text = format!(
        "{{\"type\":\"FeatureCollection\",\"features\":[{}]}}",
        features.join(",")
    );
    let shown = desk.import("villages.geojson", &text);
    assert_eq!(counts(&shown, "villages"), [0, 122, 0, 0, 0]);
    assert_eq!(shown["notes"][0], "outlines_become_points");
    let known = desk.office.app.known();
    let point = |code| {
        let code = VillageCode::new(code).expect("twelve digits");
        let point = known
            .directory
            .village(code)
            .and_then(|village| village.point);
        let point = point.expect("a point");
        (point.lon_e7, point.lat_e7, point.datum)
    };
    assert_eq!(
        point(440_402_105_200),
        (1_132_500_000, 222_500_000, Datum::Wgs84)
    );
    assert_eq!(
        point(440_402_105_201),
        (1_131_234_568, 225_000_000, Datum::Wgs84)
    );
}

#[test]
fn a_preview_is_refused_when_something_else_was_put_in_force_or_its_day_is_over() {
    let desk = Desk::new();
    let text = people_file(&desk);
    let renamed = |name: &str| text.replace("评价员01", name);
    let first = desk.preview(&[file("people.csv", renamed("甲").as_bytes())]);
    let second = desk.preview(&[file("people.csv", renamed("乙").as_bytes())]);
    desk.adopt(&first).expect("it is adopted");
    assert!(matches!(desk.adopt(&second), Err(StoreError::Stale)));
    assert!(person(&desk, "甲").is_some());
    let third = desk.preview(&[file("people.csv", renamed("丙").as_bytes())]);
    desk.office.machine.advance_ms(DAY_MS);
    assert!(matches!(desk.adopt(&third), Err(StoreError::Stale)));

    // What was in force can be read.
    let old = import::show(&desk.office.app, 1)
        .expect("the store answers")
        .expect("the first");
    let new = import::show(&desk.office.app, 2)
        .expect("the store answers")
        .expect("the second");
    let has = |tables: &[serde_json::Value], name: &str| {
        tables.iter().any(|table| table.to_string().contains(name))
    };
    assert_eq!(
        [
            has(&old, "评价员01"),
            has(&new, "评价员01"),
            has(&new, "\"甲\"")
        ],
        [true, false, true]
    );
    assert_eq!(
        import::show(&desk.office.app, 3).expect("the store answers"),
        None
    );
    let list = import::list(&desk.office.app).expect("the store answers");
    assert_eq!(list["directories"][1]["in_force"], true);
}

#[test]
fn a_unit_that_goes_with_open_cases_is_told() {
    let desk = Desk::new();
    let units = include_str!("../../data/zhuhai/units.csv");
    desk.import("units.csv", &format!("{units}150,department,园林局\n"));
    let case = desk.office.report("巡查员01", 440_402_105_200);
    let dispatch = serde_json::json!({ "assign": [{ "unit": 150, "part": "main" }] });
    let none = serde_json::json!({});
    for (action, body) in [
        ("accept", &none),
        ("register", &none),
        ("dispatch", &dispatch),
    ] {
        let reply = desk.office.act("受理派遣员01", &case, action, body);
        assert_eq!(reply.status, 200, "{}", reply.body);
    }
    let shown = desk.import("units.csv", units);
    assert_eq!(counts(&shown, "units"), [0, 0, 0, 1, 30]);
    assert_eq!(
        (
            &shown["warnings"][0]["reason"],
            &shown["warnings"][0]["detail"]
        ),
        (&"open_cases".into(), &"unit:150 园林局, cases 1".into())
    );
}

#[test]
fn what_an_unread_row_might_be_is_not_told_as_missing() {
    let desk = Desk::new();
    let faults = |name: &str, text: &str| desk.faults(name, text.as_bytes());
    let (villages, beats) = (VILLAGES, BEATS);
    assert_eq!(
        faults(
            "villages.csv",
            &villages.replacen("town_code", "town_cod", 1)
        ),
        [
            "villages.csv:1: town_cod: unknown_column",
            "villages.csv:1: town_code: missing_column"
        ]
    );
    assert_eq!(
        faults(
            "villages.csv",
            &villages.replacen("440402105200", "4404021052OO", 1)
        ),
        ["villages.csv:2: code: not_a_code"]
    );
    assert_eq!(
        faults(
            "villages.csv",
            &villages.replacen("440402105200,", "440402105200,,", 1)
        ),
        ["villages.csv:2: wrong_field_count (6/5)"]
    );
    assert_eq!(
        faults("beats.csv", &beats.replacen("2020-01-01", "2020-02-30", 1)),
        ["beats.csv:2: from: not_a_day"]
    );
    let units = include_str!("../../data/zhuhai/units.csv");
    let units = units.replacen("\n101,", "\nl01,", 1);
    assert_eq!(
        faults("units.csv", &units),
        ["units.csv:2: id: not_a_number"]
    );
    let preview = desk.preview(&[file("units.csv", units.as_bytes())]);
    assert_eq!(preview.json(None)["warnings_total"], 0);
}

#[test]
fn one_wrong_column_or_file_hides_nothing_else() {
    let desk = Desk::new();
    let text = "人员编号,姓名,角色,所在,开始日期,备注\n1,甲,村长,某处,昨天,无\n";
    let rows = [
        "人员编号: not_an_id",
        "角色: unknown_word",
        "所在: not_a_place",
    ];
    let rows = rows.map(|fault| format!("人员.csv:2: {fault}"));
    let of = |faults: &[&str]| -> Vec<String> {
        let faults = faults.iter().map(|fault| format!("人员.csv:1: {fault}"));
        faults.chain(rows.clone()).collect()
    };
    let mut expected = of(&["备注: unknown_column"]);
    expected.push("人员.csv:2: 开始日期: not_a_day".to_owned());
    assert_eq!(desk.faults("人员.csv", text.as_bytes()), expected);
    // Of a column that is missing, or stands there twice, no field is told.
    let misspelt = text.replace("开始日期", "开始");
    let expected = of(&[
        "开始: unknown_column",
        "备注: unknown_column",
        "from: missing_column",
    ]);
    assert_eq!(desk.faults("人员.csv", misspelt.as_bytes()), expected);
    let twice = text.replace("备注", "from");
    let expected = of(&["from: unknown_column"]);
    assert_eq!(desk.faults("人员.csv", twice.as_bytes()), expected);
    // So it is with features.
    let feature = |code: &str, more: &str| {
        format!(
            "{{\"properties\":{{{more}\"OBJECTID\":7,\"code\":\"{code}\",\"name\":\"村\",\"town_code\":\"440402105\"}},\"geometry\":{{\"type\":\"Point\",\"coordinates\":[113,22]}}}}"
        )
    };
    let features = format!(
        "{{\"features\":[{},{}]}}",
        feature("440402105200", ""),
        feature("44040210520", "\"面积\":3,")
    );
    assert_eq!(
        desk.faults("villages.geojson", features.as_bytes()),
        [
            "villages.geojson [features]:1: OBJECTID: unknown_column",
            "villages.geojson [features]:2: 面积: unknown_column",
            "villages.geojson [features]:2: code: not_a_code"
        ]
    );
}

#[test]
fn columns_without_a_name_are_passed_over_while_nothing_stands_in_them() {
    let desk = Desk::new();
    let units = include_str!("../../data/zhuhai/units.csv");
    let wide: String = units.lines().map(|line| format!("{line},,\n")).collect();
    let shown = desk.import("units.csv", &wide);
    assert_eq!(shown["notes"], serde_json::json!(["nothing_changes"]));
    let noted = wide.replacen("name,,", "name, ,", 1);
    let noted = noted.replacen(",,\n1", ",,见附件\n1", 2);
    let (at, _) = (1..)
        .zip(noted.lines())
        .find(|(_, line)| line.ends_with("见附件"))
        .expect("it is noted");
    assert_eq!(
        desk.faults("units.csv", noted.as_bytes()),
        [format!("units.csv:{at}: E: unknown_column")]
    );
}

#[test]
fn an_administrator_is_asked_for_and_a_second_table_looked_through_whatever_else_is_wrong() {
    let desk = Desk::new();
    let people = "人员编号,姓名,角色,所在,开始日期\n00000000000000b2,乙,巡查员,网格:1,2020-01-01\n";
    let units = "id,kind,name\nx,department,园林局\n";
    let uploads = [
        file("人员.csv", people.as_bytes()),
        file("units.csv", units.as_bytes()),
    ];
    let told = faults(&desk.preview(&uploads));
    assert_eq!(
        told,
        [
            "units.csv:2: id: not_a_number",
            "人员.csv: no_administrator (2026-11-24T00:00:00.000+08:00)"
        ]
    );
    let more = people.replace("巡查员", "村长");
    let twice = [
        file("people_1.csv", people.as_bytes()),
        file("people_2.csv", more.as_bytes()),
    ];
    // The administrator may be in the second.
    assert_eq!(
        faults(&desk.preview(&twice)),
        [
            "people_2.csv: second_of_table",
            "people_2.csv:2: 角色: unknown_word"
        ]
    );
}
