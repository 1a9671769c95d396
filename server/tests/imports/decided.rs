//! What a leave has decided: what goes to who takes over, named later or for another day, and which rows of files it goes for.

use patrol_core::domain::directory::Post;
use patrol_core::domain::time::DAY_MS;
use patrol_server::calendar::rfc3339;
use serde_json::{Value, json};

use super::Desk;
use super::leaves::{leave, posts, warnings};
use super::people::those;

/// What two people are called who take over, and their ids.
pub(super) fn substitutes(desk: &Desk) -> [String; 2] {
    ["巡查员08", "巡查员09"].map(|name| desk.office.person(name).hex())
}

/// A post as `posts` shows it, by its days.
pub(super) fn post(at: &str, from: &str, until: &str) -> String {
    let midnight = |day: &str| match day {
        "" => String::new(),
        day => format!("{day}T00:00:00.000+08:00"),
    };
    format!("{at} {} {}", midnight(from), midnight(until))
}

/// Everybody, and instead of the row of 巡查员07 at his beat some rows of his: where, since when, and the last day.
pub(super) fn with_rows(desk: &Desk, rows: &[[&str; 3]]) -> String {
    let left = desk.office.person("巡查员07").hex();
    let row =
        |[at, from, last]: &[&str; 3]| format!("{left},巡查员07,inspector,{at},{from},{last}\n");
    let others = everybody_but(desk, "巡查员07");
    others + &rows.iter().map(row).collect::<String>()
}

/// The same without one person, and without what others have taken over.
pub(super) fn everybody_but(desk: &Desk, name: &str) -> String {
    let since = |post: &Post| rfc3339(post.from).starts_with("2020-01-01");
    those(desk, |person, post| person.name != name && since(post))
}

#[test]
fn only_what_a_leave_has_ended_goes_to_who_is_named_later() {
    let desk = Desk::new();
    let [substitute, next] = substitutes(&desk);
    // A file has ended the first post, and ends the second.
    let rows = [
        ["beat:7", "2020-01-01", "2026-11-23"],
        ["beat:20", "2026-11-24", "2026-12-31"],
    ];
    let row = format!("{next},巡查员09,inspector,beat:7,2026-11-24,\n");
    desk.import("people.csv", &(with_rows(&desk, &rows) + &row));
    let before = desk.office.app.known().no;
    for substitute in [json!(null), json!(substitute)] {
        let body = json!({ "from": "2027-01-01", "substitute": substitute });
        let (status, said) = leave(&desk, "巡查员07", &body);
        assert_eq!(
            (status, &said["error"]["code"]),
            (409, &json!("leaves_already"))
        );
    }
    assert_eq!(desk.office.app.known().no, before);
    // An earlier leave takes the second alone, until the file's end.
    let body = json!({ "from": "2026-12-10", "substitute": substitute });
    let (status, said) = leave(&desk, "巡查员07", &body);
    assert_eq!(
        (status, said["ended"].as_array().map(Vec::len)),
        (200, Some(1))
    );
    assert_eq!(
        posts(&desk, "巡查员08").last(),
        Some(&post("beat:20", "2026-12-10", "2027-01-01"))
    );
}

#[test]
fn an_earlier_leave_leaves_no_gap_before_the_later_one() {
    let on =
        |day: &str, substitute: Option<&String>| json!({ "from": day, "substitute": substitute });
    for is_named_at_once in [false, true] {
        let desk = Desk::new();
        let [substitute, later] = substitutes(&desk);
        let left = |body: &Value| leave(&desk, "巡查员07", body);
        assert_eq!(left(&on("2026-12-20", None)).0, 200);
        if !is_named_at_once {
            let (status, said) = left(&on("2026-12-05", None));
            assert_eq!((status, &said["vacant"][0]["at"]), (200, &json!("beat:7")));
        }
        let named = on("2026-12-05", Some(&substitute));
        let (status, said) = left(&named);
        assert_eq!((status, &said["vacant"]), (200, &json!([])));
        let taken = post("beat:7", "2026-12-05", "");
        assert_eq!(posts(&desk, "巡查员08")[1..], [taken]);
        // The answer was lost.
        assert_eq!(left(&named), (200, said));
        // For the later day another one may be named by saying it once more.
        let (status, said) = left(&on("2026-12-20", Some(&later)));
        assert_eq!((status, &said["vacant"]), (200, &json!([])));
        let taken = post("beat:7", "2026-12-05", "2026-12-20");
        assert_eq!(posts(&desk, "巡查员08")[1..], [taken]);
        assert_eq!(left(&on("2026-12-20", None)).0, 409);
    }
    // Who was named for the later day has it from then on.
    let desk = Desk::new();
    let [substitute, next] = substitutes(&desk);
    for (day, substitute) in [("2026-12-20", next), ("2026-12-05", substitute)] {
        let (status, said) = leave(&desk, "巡查员07", &on(day, Some(&substitute)));
        assert_eq!((status, &said["vacant"]), (200, &json!([])));
    }
    let taken = ["巡查员08", "巡查员09"].map(|name| posts(&desk, name)[1].clone());
    assert_eq!(
        taken,
        [
            post("beat:7", "2026-12-05", "2026-12-20"),
            post("beat:7", "2026-12-20", "")
        ]
    );
}

#[test]
fn a_leave_from_today_is_said_once_more_with_who_takes_over() {
    let desk = Desk::new();
    let [substitute, _] = substitutes(&desk);
    let body = json!({ "from": "2026-11-23" });
    let (status, left) = leave(&desk, "巡查员07", &body);
    assert_eq!((status, &left["vacant"][0]["at"]), (200, &json!("beat:7")));
    desk.office.machine.advance_ms(60_000);
    let named = json!({ "from": "2026-11-23", "substitute": substitute });
    let (status, said) = leave(&desk, "巡查员07", &named);
    assert_eq!((status, &said["vacant"]), (200, &json!([])), "{said}");
    assert_eq!(
        (&said["ended"], &said["from"]),
        (&left["ended"], &left["from"])
    );
    let taken = posts(&desk, "巡查员08")[1].clone();
    let now = rfc3339(desk.office.app.environment.now());
    assert_eq!(taken, format!("beat:7 {now} "));
    let no = desk.office.app.known().no;
    for ms in [60_000, DAY_MS] {
        desk.office.machine.advance_ms(ms);
        assert_eq!(leave(&desk, "巡查员07", &named), (200, said.clone()));
    }
    assert_eq!(desk.office.app.known().no, no);
    // Of another day he had no post that he might leave.
    for body in [
        body,
        json!({ "from": "2026-11-22", "substitute": substitute }),
    ] {
        let (status, said) = leave(&desk, "巡查员07", &body);
        assert_eq!((status, &said["error"]["code"]), (409, &json!("no_post")));
    }
}

#[test]
fn a_post_that_never_begins_is_not_held_for_longer_by_an_earlier_day() {
    let desk = Desk::new();
    let [substitute, _] = substitutes(&desk);
    let rows = |from| {
        with_rows(
            &desk,
            &[["beat:7", "2020-01-01", ""], ["beat:20", from, ""]],
        )
    };
    desk.import("people.csv", &rows("2027-01-01"));
    let body = json!({ "from": "2026-12-10", "substitute": substitute });
    assert_eq!(leave(&desk, "巡查员07", &body).0, 200);
    let shown = desk.import("people.csv", &rows("2026-12-05"));
    let told = warnings(&shown);
    let ends = told
        .iter()
        .filter(|told| told.contains("earlier_end"))
        .count();
    assert_eq!(ends, 2, "{told:?}");
    assert_eq!(
        posts(&desk, "巡查员07"),
        [
            post("beat:7", "2020-01-01", "2026-12-10"),
            post("beat:20", "2026-12-05", "2026-12-10")
        ]
    );
    // Then his substitute has it from the leave on.
    let taken = posts(&desk, "巡查员08");
    assert!(
        taken.contains(&post("beat:20", "2026-12-10", "")),
        "{taken:?}"
    );
    // From the day of leaving on it is a return.
    desk.import("people.csv", &rows("2026-12-10"));
    let back = posts(&desk, "巡查员07");
    assert!(
        back.contains(&post("beat:20", "2026-12-10", "")),
        "{back:?}"
    );
}

#[test]
fn a_leave_goes_for_a_post_that_a_file_has_ended_before() {
    let decided = |files: &[&[[&str; 3]]]| {
        let desk = Desk::new();
        assert_eq!(
            leave(&desk, "巡查员07", &json!({ "from": "2026-12-10" })).0,
            200
        );
        for rows in files {
            desk.import("people.csv", &with_rows(&desk, rows));
        }
        posts(&desk, "巡查员07")
    };
    assert_eq!(
        decided(&[&[], &[["beat:7", "2026-12-01", ""]]]),
        [
            post("beat:7", "2020-01-01", "2026-11-24"),
            post("beat:7", "2026-12-01", "2026-12-10")
        ]
    );
    assert_eq!(
        decided(&[
            &[
                ["beat:7", "2020-01-01", "2026-12-02"],
                ["beat:7", "2026-12-03", ""]
            ],
            &[
                ["beat:7", "2020-01-01", "2026-12-03"],
                ["beat:7", "2026-12-04", ""]
            ],
        ]),
        [
            post("beat:7", "2020-01-01", "2026-12-03"),
            post("beat:7", "2026-12-04", "2026-12-10")
        ]
    );
}

#[test]
fn who_left_today_comes_back_today() {
    for last in ["2026-11-22", ""] {
        let desk = Desk::new();
        let now = rfc3339(desk.office.app.environment.now());
        assert_eq!(
            leave(&desk, "巡查员07", &json!({ "from": "2026-11-23" })).0,
            200
        );
        let rows = [["beat:7", "2020-01-01", last], ["beat:7", "2026-11-23", ""]];
        let shown = desk.import("people.csv", &with_rows(&desk, &rows));
        let old = match last {
            "" => post("beat:7", "2020-01-01", "").trim_end().to_owned() + " " + &now,
            _ => post("beat:7", "2020-01-01", "2026-11-23"),
        };
        let back = post("beat:7", "2026-11-23", "");
        assert_eq!(posts(&desk, "巡查员07"), [old, back], "{last}");
        let kept = usize::from(last.is_empty());
        assert_eq!(warnings(&shown).len(), kept, "{shown}");
        let again = desk.import("people.csv", &with_rows(&desk, &rows));
        assert_eq!(warnings(&again).len(), kept, "{again}");
    }
}

#[test]
fn no_row_takes_the_day_on_which_another_one_holds() {
    let desk = Desk::new();
    assert_eq!(
        leave(&desk, "巡查员07", &json!({ "from": "2026-12-01" })).0,
        200
    );
    let rows = [
        ["beat:7", "2019-12-31", "2020-06-30"],
        ["beat:7", "2020-07-01", ""],
    ];
    desk.import("people.csv", &with_rows(&desk, &rows));
    let held = posts(&desk, "巡查员07");
    assert!(
        held.contains(&post("beat:7", "2020-07-01", "2026-12-01")),
        "{held:?}"
    );
    assert!(
        held.contains(&post("beat:7", "2019-12-31", "2020-07-01")),
        "{held:?}"
    );
}
