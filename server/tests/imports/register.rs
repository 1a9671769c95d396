//! What a preview says of components, so that nothing newer is lost and nothing stands twice or nowhere by an oversight.

use patrol_core::doc::register::FieldValue;
use patrol_core::domain::action::Action;
use patrol_core::domain::case::{Category, CategoryKind};
use patrol_core::domain::entry::{Body, Proposal, Proposed};
use patrol_core::domain::id::DocumentId;
use patrol_core::domain::limits;
use patrol_core::domain::place::{Datum, Place, Point, VillageCode};
use patrol_core::domain::time::DAY_MS;
use patrol_server::import::proposals::{self, Asked};
use patrol_server::office;
use serde_json::{Value, json};

use super::components::{HEAD, YUYUE, lamps};
use super::{Desk, counts, file};

const LAMP: u64 = 44_040_401_037_000_001;

/// Somebody proposes something of a lamp, seen at a longitude and latitude.
fn propose(desk: &Desk, id: u8, proposed: Proposed, lon_lat_e7: Option<(i64, i64)>) -> DocumentId {
    let app = &desk.office.app;
    let village = VillageCode::new(YUYUE).expect("twelve digits");
    let point = lon_lat_e7.map(|(lon_e7, lat_e7)| Point {
        lon_e7,
        lat_e7,
        datum: Datum::Wgs84,
        accuracy_m: None,
    });
    let proposal = Proposal {
        proposed,
        component: (proposed != Proposed::New).then_some(LAMP),
    };
    let deed = office::Deed {
        action: Action::Propose,
        body: Body {
            proposal: Some(proposal),
            ..Body::default()
        },
        fields: vec![
            FieldValue::Place(Place {
                point,
                ..Place::village(village)
            }),
            FieldValue::Category(Category {
                scheme: 476_785,
                kind: CategoryKind::Component,
                code: 1_037,
                condition: None,
            }),
        ],
        on: Vec::new(),
        seen: Vec::new(),
        key: vec![id; 16],
        acted_at: app.environment.now(),
    };
    let id = DocumentId([id; 16]);
    office::begin(app, desk.office.person("巡查员01"), id, &deed).expect("it is proposed");
    id
}

/// Reason and detail of each warning of a preview of proposals that has no fault.
fn warnings(desk: &Desk, surveys: &[DocumentId]) -> Vec<String> {
    let asked = Asked {
        surveys: surveys.to_vec(),
        ..Asked::default()
    };
    let admin = desk.office.person("管理员01");
    let preview = proposals::preview(&desk.office.app, admin, &asked);
    let shown = preview.expect("the store answers").json(None);
    assert_eq!(shown["faults"], json!([]), "{shown}");
    told(&shown)
}

fn told(shown: &Value) -> Vec<String> {
    let warnings = shown["warnings"].as_array().expect("warnings").iter();
    let told = warnings.map(|warning| {
        let text = |field: &str| warning[field].as_str().unwrap_or_default().to_owned();
        format!("{} {} {}", warning["line"], text("reason"), text("detail"))
    });
    told.collect()
}

#[test]
fn a_proposal_that_is_older_than_the_register_is_told_with_both_days() {
    let desk = Desk::new();
    let text = format!("{HEAD}{}", lamps(YUYUE, 1..4));
    desk.import("components.csv", &text);
    let survey = propose(&desk, 9, Proposed::Broken, None);
    assert_eq!(warnings(&desk, &[survey]), [] as [&str; 0]);
    desk.office.machine.advance_ms(2 * DAY_MS);
    let mended = text.replacen("20260101,,实测", "20260101,20261124,实测", 1);
    desk.import("components.csv", &mended);
    assert_eq!(
        warnings(&desk, &[survey]),
        [format!(
            "1 older_than_register {LAMP}, 2026-11-23, 2026-11-24"
        )]
    );
}

#[test]
fn a_new_component_where_one_of_its_class_stands_or_is_proposed_is_told() {
    let desk = Desk::new();
    desk.import("components.csv", &format!("{HEAD}{}", lamps(YUYUE, 1..4)));
    // The third lamp stands at 113.2003, 22.2; a metre is some 97 of the last digits of a longitude here.
    let there = propose(&desk, 7, Proposed::New, Some((1_132_003_200, 222_000_000)));
    let first = propose(&desk, 8, Proposed::New, Some((1_132_100_000, 222_000_000)));
    let second = propose(&desk, 9, Proposed::New, Some((1_132_100_200, 222_000_000)));
    assert_eq!(warnings(&desk, &[first]), [] as [&str; 0]);
    assert_eq!(
        warnings(&desk, &[there, first, second]),
        [
            "1 near_another 44040401037000003, 2.1 m",
            "3 near_another 44040401037000005, 2.1 m",
        ]
    );
    // What is given up stands nowhere.
    let text = format!("{HEAD}{}", lamps(YUYUE, 1..4));
    let (before, after) = text.rsplit_once("完好").expect("the last lamp's state");
    desk.import("components.csv", &format!("{before}移除{after}"));
    assert_eq!(warnings(&desk, &[there]), [] as [&str; 0]);
}

#[test]
fn what_stands_implausibly_far_from_its_village_is_told() {
    let desk = Desk::new();
    let text = format!("{HEAD}{}", lamps(YUYUE, 1..4));
    let (before, after) = text.rsplit_once(",22.").expect("the last latitude");
    let far = format!("{before},39.{after}");
    let upload = file("components.csv", far.as_bytes());
    let shown = desk.preview(&[upload]).json(None);
    let warning = "4 far_away 440404100201 鱼月村, 1892 km";
    assert_eq!(told(&shown), [warning]);
    assert_eq!(shown["warnings"][0]["column"], "经度");
    desk.import("components.csv", &text);
    let survey = propose(
        &desk,
        9,
        Proposed::Moved,
        Some((1_132_001_000, 392_000_000)),
    );
    assert_eq!(
        warnings(&desk, &[survey]),
        ["1 far_away 440404100201 鱼月村, 1892 km"]
    );
    let near = propose(
        &desk,
        8,
        Proposed::Moved,
        Some((1_132_001_000, 222_100_000)),
    );
    assert_eq!(warnings(&desk, &[near]), [] as [&str; 0]);
}

#[test]
fn a_preview_of_components_lists_what_goes_before_what_changes_and_comes() {
    let desk = Desk::new();
    let all = lamps(YUYUE, 1..31);
    desk.import("components.csv", &format!("{HEAD}{all}"));
    let few = lamps(YUYUE, 1..3).replacen("完好", "破损", 1) + &lamps(YUYUE, 31..32);
    let upload = file("components.csv", format!("{HEAD}{few}").as_bytes());
    let shown = desk.preview(&[upload]).json(None);
    assert_eq!(counts(&shown, "components"), [1, 1, 0, 28, 1]);
    let table = &shown["tables"][0];
    let rows = table["rows"].as_array().expect("rows");
    assert_eq!((rows.len(), &table["rows_not_shown"]), (30, &json!(0)));
    let row = |serial: u64, what: &str| json!({ "row": (LAMP - 1 + serial).to_string(), "class": "01037", "what": what });
    assert_eq!(rows[0], row(3, "removed"));
    assert_eq!(rows[28..], [row(1, "changed"), row(31, "added")]);
    let many = limits::IMPORT_ROWS_SHOWN as u64 + 61;
    let upload = file(
        "components.csv",
        format!("{HEAD}{}", lamps(YUYUE, 1..many)).as_bytes(),
    );
    let table = desk.preview(&[upload]).json(None)["tables"][0].clone();
    let shown = table["rows"].as_array().map(Vec::len);
    assert_eq!(shown, Some(limits::IMPORT_ROWS_SHOWN));
    assert_eq!(table["rows_not_shown"], 30);
}
