//! Villages and their beats: gaps that are still to come, faults that nobody's file has made, and a village that goes.

use patrol_core::domain::directory::{Directory, PostAt};
use patrol_core::domain::place::VillageCode;
use patrol_core::domain::time::DAY_MS;
use patrol_server::store::StoreError;
use serde_json::{Value, json};

use super::people::everybody;
use super::{Desk, counts, faults, file};

const BEATS: &str = include_str!("../../data/zhuhai/beats.csv");
const VILLAGES: &str = include_str!("../../data/zhuhai/villages.csv");

/// 桂海村.
const GOES: u64 = 440_402_105_200;

/// The beats, of which some end, each on the day on which it holds no more.
fn beats(ends: &[(&str, &str)]) -> String {
    let (head, rows) = BEATS.split_once('\n').expect("a head");
    let mut text = format!("{head},until\n");
    for row in rows.lines() {
        let end = ends.iter().find(|(village, _)| row.contains(village));
        text += &format!("{row},{}\n", end.map_or("", |(_, end)| end));
    }
    text
}

fn warnings(shown: &Value) -> Vec<String> {
    let warnings = shown["warnings"].as_array().expect("warnings").iter();
    warnings
        .map(|warning| {
            let [file, reason, detail] =
                ["file", "reason", "detail"].map(|field| warning[field].as_str().unwrap_or("-"));
            format!("{file}:{} {reason} {detail}", warning["line"])
        })
        .collect()
}

#[test]
fn a_gap_that_is_still_to_come_is_told_with_village_and_day_and_blocks_nothing() {
    let desk = Desk::new();
    let text = beats(&[("440402105200", "2026-12-01")]);
    let shown = desk.import("beats.csv", &text);
    let gap = "no_beat_then 440402105200 桂海村, 2026-12-01";
    assert_eq!(warnings(&shown), [format!("beats.csv:2 {gap}")]);
    // It is told with any import.
    let people = everybody(&desk);
    let shown = desk.import("people.csv", &people);
    assert_eq!(warnings(&shown), [format!("in force:null {gap}")]);
    // On its day too, and what has nothing to do with it is adopted.
    desk.office.machine.advance_ms(8 * DAY_MS);
    let shown = desk.import("people.csv", &people.replace("评价员01", "甲"));
    let fault = "in force:null no_beat 440402105200 桂海村, 2026-12-01";
    assert_eq!(warnings(&shown), [fault]);
    // The file whose business it is is not adopted without mending it.
    assert_eq!(
        desk.faults("beats.csv", text.as_bytes()),
        ["beats.csv:2: no_beat (440402105200 桂海村, 2026-12-01)"]
    );
}

#[test]
fn rows_that_do_not_fit_are_told_in_words_with_codes_names_and_days() {
    let desk = Desk::new();
    let more = "61,红旗镇02号网格（演示划分）,440402105201,2026-12-01,\n";
    let text = beats(&[]) + more;
    let told = desk.faults("beats.csv", text.as_bytes());
    assert!(
        told.iter().any(|fault| fault.ends_with(
            "village_code: two_beats (440402105201 桂山村, beat:1, beat:61, 2026-12-01)"
        )),
        "{told:#?}"
    );
    assert!(
        told.iter().any(|fault| fault.contains(
            "village_code: crosses_districts (beat:61 红旗镇02号网格（演示划分）, 440404103202 "
        )),
        "{told:#?}"
    );
    let preview = desk.preview(&[file("beats.csv", text.as_bytes())]);
    let shown = preview.json(None);
    let reasons = shown["faults"].as_array().expect("faults").iter();
    assert!(
        reasons
            .map(|fault| &fault["reason"])
            .any(|reason| reason == "two_beats")
    );
}

/// The villages without one.
fn without(village: &str) -> String {
    let rows = VILLAGES.lines().filter(|line| !line.starts_with(village));
    rows.map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_village_that_nothing_needs_any_more_ends_with_the_day_and_lacks_nothing() {
    let desk = Desk::new();
    let people: String = everybody(&desk)
        .lines()
        .filter(|line| !line.contains("unit:440402105200"))
        .map(|line| format!("{line}\n"))
        .collect();
    let villages = without("440402105200");
    // With its beat and its cadre it does not go.
    assert_eq!(
        desk.faults("villages.csv", villages.as_bytes()),
        [
            "villages.csv: village_in_use (440402105200 桂海村, beats 1, posts 1, components 0, cases 0)"
        ]
    );
    let all = [
        file("villages.csv", villages.as_bytes()),
        file(
            "beats.csv",
            beats(&[("440402105200", "2026-11-24")]).as_bytes(),
        ),
        file("people.csv", people.as_bytes()),
    ];
    let preview = desk.preview(&all);
    assert_eq!(faults(&preview), [] as [&str; 0]);
    let shown = preview.json(None);
    assert_eq!(counts(&shown, "villages"), [0, 0, 1, 0, 121]);
    assert_eq!(
        shown["tables"][2]["rows"][0]["is"]["last_day"],
        "2026-11-23"
    );
    assert_eq!(warnings(&shown), [] as [&str; 0]);
    desk.adopt(&preview).expect("it is adopted");
    let lacks = |desk: &Desk| {
        let lacking = patrol_server::villages::lacking(&desk.office.app);
        let mut lacking = lacking.expect("the store answers").into_iter();
        lacking.any(|lacking| lacking.village == GOES)
    };
    assert!(lacks(&desk));
    desk.office.machine.advance_ms(DAY_MS);
    assert!(!lacks(&desk));
    // Nothing new is said to stand in it, and other imports go on.
    let head = super::components::HEAD;
    let lamp = super::components::lamps(GOES, 1..2);
    assert_eq!(
        desk.faults("components.csv", format!("{head}{lamp}").as_bytes()),
        ["components.csv:2: 所在单元网格标识码: unknown_village"]
    );
    let shown = desk.import(
        "villages.csv",
        &villages.replace("桂山村委会", "新桂山村委会"),
    );
    assert_eq!(counts(&shown, "villages"), [0, 1, 0, 0, 121]);
    assert_eq!(warnings(&shown), [] as [&str; 0]);
    let code = VillageCode::new(GOES).expect("twelve digits");
    let known = desk.office.app.known();
    let name = known.directory.village(code).map(|row| row.name.as_str());
    assert_eq!(name, Some("桂海村"));
}

#[test]
fn a_village_with_components_or_open_cases_does_not_go() {
    let desk = Desk::new();
    let head = super::components::HEAD;
    let lamps = super::components::lamps(GOES, 1..3);
    desk.import("components.csv", &format!("{head}{lamps}"));
    desk.office.report("巡查员01", GOES);
    let row = "440402105200,桂海村委会,440402105,,";
    assert!(VILLAGES.contains(row));
    let villages = VILLAGES.replace("lat_gcj02\n", "lat_gcj02,last_day\n");
    let villages: String = villages
        .lines()
        .map(|line| match line {
            line if line.ends_with("last_day") => format!("{line}\n"),
            line if line == row => format!("{line},2026-11-30\n"),
            line => format!("{line},\n"),
        })
        .collect();
    let people = everybody(&desk).replace(
        "unit:440402105200,2020-01-01,",
        "unit:440402105200,2020-01-01,2026-11-30",
    );
    let all = |desk: &Desk| {
        desk.preview(&[
            file("villages.csv", villages.as_bytes()),
            file(
                "beats.csv",
                beats(&[("440402105200", "2026-12-01")]).as_bytes(),
            ),
            file("people.csv", people.as_bytes()),
        ])
    };
    assert_eq!(
        faults(&all(&desk)),
        [
            "villages.csv:2: last_day: village_in_use (440402105200 桂海村, beats 0, posts 0, components 2, cases 1)"
        ]
    );
    let desk = Desk::new();
    let preview = all(&desk);
    assert_eq!(faults(&preview), [] as [&str; 0]);
    let row = &preview.json(None)["tables"][2]["rows"][0];
    assert_eq!(
        (&row["what"], &row["is"]["last_day"]),
        (&json!("ended"), &json!("2026-11-30"))
    );
}

/// The files by which 桂海村 ends with the day, with its beat and its cadre.
fn ending(desk: &Desk) -> [patrol_server::import::Upload; 3] {
    let people: String = everybody(desk)
        .lines()
        .filter(|line| !line.contains("unit:440402105200"))
        .map(|line| format!("{line}\n"))
        .collect();
    let beats = beats(&[("440402105200", "2026-11-24")]);
    [
        file("villages.csv", without("440402105200").as_bytes()),
        file("beats.csv", beats.as_bytes()),
        file("people.csv", people.as_bytes()),
    ]
}

#[test]
fn a_village_in_which_something_stands_since_a_preview_does_not_end_by_it() {
    let desk = Desk::new();
    let ends = desk.preview(&ending(&desk));
    assert_eq!(faults(&ends), [] as [&str; 0]);
    let units = include_str!("../../data/zhuhai/units.csv").replace("水务局", "水利局");
    let other = desk.preview(&[file("units.csv", units.as_bytes())]);
    let (head, lamp) = (
        super::components::HEAD,
        super::components::lamps(GOES, 1..2),
    );
    let lamps = format!("{head}{lamp}");
    desk.import("components.csv", &lamps);
    assert!(matches!(desk.adopt(&ends), Err(StoreError::Stale)));
    // What ends no village has nothing to do with components.
    assert!(matches!(desk.adopt(&other), Ok(Some(_))));
    let told = "village_in_use (440402105200 桂海村, beats 0, posts 0, components 1, cases 0)";
    let again = faults(&desk.preview(&ending(&desk)));
    assert_eq!(again, [format!("villages.csv: {told}")]);
}

#[test]
fn components_that_come_into_a_village_on_its_last_day_are_told() {
    let desk = Desk::new();
    let ends = desk.preview(&ending(&desk));
    desk.adopt(&ends).expect("it is adopted");
    let (head, lamps) = (
        super::components::HEAD,
        super::components::lamps(GOES, 1..3),
    );
    let shown = desk.import("components.csv", &format!("{head}{lamps}"));
    let told = "components.csv:2 village_ends 440402105200 桂海村, 2026-11-23";
    assert_eq!(warnings(&shown), [told]);
    let gone = lamps.replace("完好", "废弃");
    let shown = desk.import("components.csv", &format!("{head}{gone}"));
    assert_eq!(warnings(&shown), [] as [&str; 0]);
}

#[test]
fn a_village_that_has_ended_by_mistake_comes_back_with_its_beat_and_its_cadre() {
    let desk = Desk::new();
    let before = desk.office.app.known().directory.clone();
    let ends = desk.preview(&ending(&desk));
    desk.adopt(&ends).expect("it is adopted");
    desk.office.machine.advance_ms(DAY_MS);
    let administrator = "管理员01";
    let restore = || {
        let path = "/v1/imports/directories/1/restore";
        desk.office.post(administrator, path, &json!({})).json()
    };
    let shown = restore();
    assert_eq!(shown["faults"], json!([]), "{shown}");
    let path = format!(
        "/v1/imports/{}/adopt",
        shown["id"].as_str().expect("a name")
    );
    let adopted = desk.office.post(administrator, &path, &json!({}));
    assert_eq!(adopted.status, 200, "{}", adopted.body);
    let after = desk.office.app.known().directory.clone();
    let now = desk.office.app.environment.now();
    assert_eq!(after.check(now), []);
    let code = VillageCode::new(GOES).expect("twelve digits");
    let beat = |directory: &Directory| directory.beat_of(code, now).map(|beat| beat.id);
    assert_eq!(beat(&after), beat(&before));
    let at = PostAt::Unit(code.unit());
    let posts = after.people.iter().flat_map(|person| &person.posts);
    assert!(
        posts
            .clone()
            .any(|post| post.at == at && post.is_in_force_at(now))
    );
    assert_eq!(restore()["notes"], json!(["nothing_changes"]));
}

#[test]
fn what_is_wrong_with_one_of_a_villages_rows_stands_on_that_row_in_the_files_own_column() {
    let desk = Desk::new();
    let ends = beats(&[("440402105200", "2026-12-01")]).replacen(",until", ",last_day", 1);
    let row = "1,桂山镇01号网格（演示划分）,440402105200,";
    assert!(ends.contains(row), "{ends}");
    let line = ends.lines().count() + 1;
    // It returns to the beat, and leaves it before.
    let wrong = format!("{ends}{row}2027-01-01,2026-12-30\n");
    assert_eq!(
        desk.faults("beats.csv", wrong.as_bytes()),
        [format!(
            "beats.csv:{line}: last_day: ends_before_it_begins (beat:1 桂山镇01号网格（演示划分）, 440402105200 桂海村, 2027-01-01, 2026-12-31)"
        )]
    );
    // It returns while another beat has it.
    let other = "3,担杆镇01号网格（演示划分）,440402105200,";
    let wrong = format!("{ends}{other}2026-12-02,2027-06-30\n{row}2027-01-01,\n");
    let told = desk.faults("beats.csv", wrong.as_bytes());
    assert_eq!(told.len(), 1, "{told:?}");
    let lines = [line, line + 1].map(|line| format!("beats.csv:{line}: village_code: two_beats "));
    assert!(
        lines.iter().any(|line| told[0].starts_with(line)),
        "{told:?}"
    );
}

#[test]
fn a_row_that_goes_on_in_a_village_that_has_ended_is_told_at_its_own_place() {
    let desk = Desk::new();
    let ends = desk.preview(&ending(&desk));
    desk.adopt(&ends).expect("it is adopted");
    desk.office.machine.advance_ms(DAY_MS);
    let told = |beats: u8, posts: u8| {
        format!(
            "village_in_use (440402105200 桂海村, beats {beats}, posts {posts}, components 0, cases 0)"
        )
    };
    let people = everybody(&desk);
    let line = people.lines().count() + 1;
    let people = format!("{people}00000000000000b2,乙,cadre,unit:440402105200,2026-12-01,\n");
    assert_eq!(
        desk.faults("people.csv", people.as_bytes()),
        [format!("people.csv:{line}: 所在: {}", told(0, 1))]
    );
    let beats = beats(&[("440402105200", "2026-11-24")]);
    let line = beats.lines().count() + 1;
    let row = "1,桂山镇01号网格（演示划分）,440402105200,2026-12-01,\n";
    assert_eq!(
        desk.faults("beats.csv", format!("{beats}{row}").as_bytes()),
        [format!("beats.csv:{line}: village_code: {}", told(1, 0))]
    );
}
