//! Leaves in whatever order they are entered, before and after files: none of them is undone, and nobody holds anything twice or after he has left.

use patrol_core::domain::time::DAY_MS;
use serde_json::{Value, json};

use super::Desk;
use super::decided::{everybody_but, post, substitutes, with_rows};
use super::leaves::{leave, posts, warnings};

/// Enters leaves an hour after each other: who leaves, from which day on, and who takes over.
fn entered(desk: &Desk, leaves: &[(&str, &str, Option<&str>)]) -> Vec<Value> {
    let mut told = Vec::new();
    for (who, day, substitute) in leaves {
        let substitute = substitute.map(|name| desk.office.person(name).hex());
        let body = json!({ "from": day, "substitute": substitute });
        let (status, said) = leave(desk, who, &body);
        assert_eq!(status, 200, "{who} {day}: {said}");
        told.push(said);
        desk.office.machine.advance_ms(DAY_MS / 24);
    }
    told
}

/// What would be with a version in force again.
fn restored(desk: &Desk, no: u64) -> Value {
    let path = format!("/v1/imports/directories/{no}/restore");
    let shown = desk.office.post("管理员01", &path, &json!({})).json();
    assert_eq!(shown["faults"], json!([]), "{shown}");
    shown
}

/// What would be with the first version in force again, put in force.
fn restore(desk: &Desk) -> Value {
    let shown = restored(desk, 1);
    let id = shown["id"].as_str().expect("a name");
    let path = format!("/v1/imports/{id}/adopt");
    assert_eq!(desk.office.post("管理员01", &path, &json!({})).status, 200);
    shown
}

#[test]
fn whatever_leaves_have_decided_the_same_file_and_a_restore_change_nothing() {
    let (left, one, other) = ("巡查员07", "巡查员08", "巡查员09");
    let cases: [&[(&str, &str, Option<&str>)]; 6] = [
        // Who takes over has left himself, and lets nobody in again.
        &[(left, "2026-12-08", Some(one)), (one, "2026-11-30", None)],
        &[(left, "2026-11-23", None), (left, "2026-11-23", Some(one))],
        &[
            (left, "2026-12-20", Some(one)),
            (left, "2026-12-05", Some(one)),
        ],
        &[
            (left, "2026-12-20", Some(other)),
            (left, "2026-12-05", None),
        ],
        &[
            (left, "2026-12-20", Some(other)),
            (left, "2026-12-05", Some(one)),
        ],
        &[
            (left, "2026-12-01", Some(one)),
            (one, "2026-12-10", Some(other)),
            (left, "2026-11-30", Some(one)),
        ],
    ];
    for leaves in cases {
        let desk = Desk::new();
        let text = everybody_but(&desk, "nobody");
        entered(&desk, leaves);
        let decided = desk.office.app.known().directory.clone();
        assert_eq!(
            restored(&desk, 1)["notes"],
            json!(["nothing_changes"]),
            "{leaves:?}"
        );
        for _ in 0..2 {
            desk.import("people.csv", &text);
            assert!(desk.office.app.known().directory == decided, "{leaves:?}");
        }
    }
}

#[test]
fn a_leave_goes_by_its_day_though_nothing_of_what_it_ends_had_begun() {
    let desk = Desk::new();
    let rows = |from| {
        let rows = [["beat:7", from, "2026-12-04"], ["beat:7", "2026-12-05", ""]];
        with_rows(&desk, &rows)
    };
    desk.import("people.csv", &rows("2020-01-01"));
    let told = entered(
        &desk,
        &[
            ("巡查员07", "2026-12-05", None),
            ("巡查员07", "2026-12-05", Some("巡查员08")),
            ("巡查员07", "2026-12-05", Some("巡查员08")),
        ],
    );
    assert_eq!(told[1], told[2]);
    let held = || posts(&desk, "巡查员07").pop();
    let ended = |from: &str| Some(post("beat:7", from, "2026-12-05"));
    desk.import("people.csv", &rows("2020-01-02"));
    assert_eq!(held(), ended("2020-01-02"));
    restore(&desk);
    assert!(posts(&desk, "巡查员07").contains(&ended("2020-01-01").expect("a post")));
    let taken = post("beat:7", "2026-12-05", "");
    assert_eq!(posts(&desk, "巡查员08").last(), Some(&taken));
}

#[test]
fn who_leaves_before_his_only_post_begins_has_left() {
    let desk = Desk::new();
    let rows = |from| with_rows(&desk, &[["beat:7", from, ""]]);
    desk.import("people.csv", &rows("2027-01-01"));
    desk.office.machine.advance_ms(2 * DAY_MS);
    entered(
        &desk,
        &[
            ("巡查员07", "2026-12-15", None),
            ("巡查员07", "2026-12-15", Some("巡查员08")),
        ],
    );
    let shown = desk.import("people.csv", &rows("2026-12-10"));
    let told = warnings(&shown);
    assert!(
        told.iter().any(|told| told.contains("earlier_end")),
        "{told:?}"
    );
    let held = posts(&desk, "巡查员07");
    assert_eq!(
        held.last(),
        Some(&post("beat:7", "2026-12-10", "2026-12-15"))
    );
}

#[test]
fn a_post_is_named_once_and_held_once() {
    // A file says another begin on the day of the leave: two rows are the same post.
    let desk = Desk::new();
    desk.import(
        "people.csv",
        &with_rows(&desk, &[["beat:7", "2020-01-02", ""]]),
    );
    let told = entered(&desk, &[("巡查员07", "2026-11-23", Some("巡查员08"))]);
    assert_eq!(
        told[0]["ended"].as_array().map(Vec::len),
        Some(1),
        "{told:?}"
    );
    assert_eq!(posts(&desk, "巡查员08").len(), 2);
    // Whoever has it for some of the time has the rest besides.
    let desk = Desk::new();
    let [substitute, _] = substitutes(&desk);
    let row = format!("{substitute},巡查员08,inspector,beat:7,2020-01-01,2026-12-09\n");
    let text = everybody_but(&desk, "nobody") + &row;
    desk.import("people.csv", &text);
    let told = entered(&desk, &[("巡查员07", "2026-12-01", Some("巡查员08"))]);
    assert_eq!(told[0]["vacant"], json!([]));
    desk.import("people.csv", &text);
    let held = posts(&desk, "巡查员08");
    assert_eq!(held.last(), Some(&post("beat:7", "2026-12-10", "")));
    assert_eq!(held.len(), 3, "{held:?}");
}

#[test]
fn who_takes_over_for_a_while_goes_on_with_a_new_row_of_his_own() {
    let desk = Desk::new();
    let [substitute, _] = substitutes(&desk);
    let row = |from, last| format!("{substitute},巡查员08,inspector,beat:8,{from},{last}\n");
    let ends = everybody_but(&desk, "巡查员08") + &row("2020-01-01", "2026-12-09");
    desk.import("people.csv", &ends);
    let leaves = [("巡查员07", "2026-12-05", Some("巡查员08"))];
    entered(&desk, &leaves);
    let until = post("beat:7", "2026-12-05", "2026-12-10");
    assert_eq!(posts(&desk, "巡查员08").last(), Some(&until));
    let goes_on = ends + &row("2026-12-10", "");
    for _ in 0..2 {
        desk.import("people.csv", &goes_on);
        let held = posts(&desk, "巡查员08");
        assert_eq!(held.len(), 3, "{held:?}");
        assert_eq!(held.last(), Some(&post("beat:7", "2026-12-05", "")));
        entered(&desk, &leaves);
    }
}

#[test]
fn who_comes_back_holds_nothing_between() {
    let desk = Desk::new();
    entered(&desk, &[("巡查员08", "2026-12-10", None)]);
    let [substitute, _] = substitutes(&desk);
    let row = format!("{substitute},巡查员08,inspector,beat:8,2026-12-20,\n");
    desk.import("people.csv", &(everybody_but(&desk, "nobody") + &row));
    entered(&desk, &[("巡查员07", "2026-12-01", Some("巡查员08"))]);
    let taken = post("beat:7", "2026-12-01", "2026-12-10");
    assert_eq!(posts(&desk, "巡查员08").last(), Some(&taken));
}

#[test]
fn what_begins_after_the_later_of_two_leaves_is_its_substitutes_alone() {
    let desk = Desk::new();
    let rows = [["beat:7", "2020-01-01", ""], ["beat:20", "2027-01-01", ""]];
    desk.import("people.csv", &with_rows(&desk, &rows));
    let (left, one, other) = ("巡查员07", "巡查员08", "巡查员09");
    entered(
        &desk,
        &[
            (left, "2026-12-20", Some(other)),
            (left, "2026-12-05", Some(one)),
        ],
    );
    let later = post("beat:20", "2027-01-01", "");
    assert!(posts(&desk, other).contains(&later));
    assert!(!posts(&desk, one).contains(&later));
}

#[test]
fn a_leave_that_was_dated_back_is_known_by_that_day() {
    let desk = Desk::new();
    entered(&desk, &[("巡查员07", "2026-11-10", None)]);
    desk.office.machine.advance_ms(DAY_MS);
    let leaves = [("巡查员07", "2026-11-10", Some("巡查员08"))];
    assert_eq!(entered(&desk, &leaves), entered(&desk, &leaves));
    assert_eq!(posts(&desk, "巡查员08").len(), 2);
}

#[test]
fn who_takes_over_may_be_written_into_the_file() {
    let desk = Desk::new();
    let text = everybody_but(&desk, "nobody");
    entered(&desk, &[("巡查员07", "2026-12-01", Some("巡查员08"))]);
    let decided = desk.office.app.known().directory.clone();
    let [substitute, _] = substitutes(&desk);
    let row = format!("{substitute},巡查员08,inspector,beat:7,2026-12-01,\n");
    let shown = desk.import("people.csv", &format!("{text}{row}"));
    assert!(desk.office.app.known().directory == decided);
    let told = warnings(&shown);
    assert!(
        told.len() == 1 && told[0].contains("earlier_end"),
        "{told:?}"
    );
    // From now on it is the file's: who is not in it any more ends with the day.
    let shown = desk.import("people.csv", &text);
    assert!(desk.office.app.known().directory == decided);
    assert_eq!(warnings(&shown).len(), 2, "{shown}");
}

#[test]
fn a_unit_stays_for_as_long_as_a_row_of_who_has_left_names_it() {
    let desk = Desk::new();
    let units = include_str!("../../data/zhuhai/units.csv");
    let more = format!("{units}777,enterprise,巡检公司\n");
    desk.import("units.csv", &more);
    let left = desk.office.person("巡查员07").hex();
    let row = format!("{left},巡查员07,unit_operator,unit:777,2027-01-01,\n");
    desk.import("people.csv", &(everybody_but(&desk, "nobody") + &row));
    entered(&desk, &[("巡查员07", "2026-12-05", None)]);
    let faults = desk.faults("units.csv", units.as_bytes());
    assert!(
        faults.len() == 1 && faults[0].contains("unknown_place"),
        "{faults:?}"
    );
    entered(&desk, &[("巡查员07", "2026-12-05", Some("巡查员08"))]);
    desk.import("units.csv", &more);
}
