//! What a file of people leaves of leaves, and that somebody who can sign in stays administrator.

use patrol_core::domain::capability::Role;
use patrol_core::domain::directory::{Post, PostAt};
use patrol_core::domain::time::DAY_MS;
use patrol_server::calendar::rfc3339;
use serde_json::{Value, json};

use super::people::everybody;
use super::{Desk, faults, file};

const ADMIN: &str = "管理员01";

pub(super) fn leave(desk: &Desk, who: &str, body: &Value) -> (u16, Value) {
    let person = desk.office.person(who).hex();
    let path = format!("/v1/people/{person}/leave");
    let left = desk.office.post(ADMIN, &path, body);
    (left.status, left.json())
}

/// The posts of a person as role, place, from and until.
pub(super) fn posts(desk: &Desk, name: &str) -> Vec<String> {
    let known = desk.office.app.known();
    let person = known.directory.person(desk.office.person(name));
    let posts = person.expect("he is there").posts.iter();
    posts
        .map(|post| {
            let at = patrol_server::directory::post_at_text(post.at);
            let until = post.until.map(rfc3339).unwrap_or_default();
            format!("{at} {} {until}", rfc3339(post.from))
        })
        .collect()
}

/// Reason and detail of each warning.
pub(super) fn warnings(shown: &Value) -> Vec<String> {
    let warnings = shown["warnings"].as_array().expect("warnings").iter();
    warnings
        .map(|warning| {
            let [reason, detail] =
                ["reason", "detail"].map(|field| warning[field].as_str().unwrap_or_default());
            format!("{} {reason} {detail}", warning["line"])
                .trim_end()
                .to_owned()
        })
        .collect()
}

fn line_of(text: &str, name: &str) -> usize {
    let line = text.lines().position(|line| line.contains(name));
    line.expect("he is there") + 1
}

#[test]
fn who_takes_over_stays_as_the_end_stays_that_he_follows() {
    let desk = Desk::new();
    let text = everybody(&desk);
    let substitute = desk.office.person("巡查员08").hex();
    let later = desk.office.person("巡查员09").hex();
    let body = json!({ "from": "2026-12-01", "substitute": substitute });
    assert_eq!(leave(&desk, "巡查员07", &body).0, 200);
    // He takes it over for a while, and then another has all that was his.
    let body = json!({ "from": "2026-12-10", "substitute": later });
    assert_eq!(leave(&desk, "巡查员08", &body).0, 200);
    let before = ["巡查员07", "巡查员08", "巡查员09"].map(|name| posts(&desk, name));
    let shown = desk.import("people.csv", &text);
    let after = ["巡查员07", "巡查员08", "巡查员09"].map(|name| posts(&desk, name));
    assert_eq!(after, before);
    let (seven, eight) = (line_of(&text, "巡查员07"), line_of(&text, "巡查员08"));
    let known = desk.office.app.known();
    let post = |beat: usize| {
        let name = &known.directory.beats[beat - 1].name;
        format!("inspector beat:{beat} {name}")
    };
    let [first, second] = [7, 8].map(post);
    let left = desk.office.person("巡查员07").hex();
    let mut expected = [
        format!("{seven} earlier_end {left} 巡查员07, {first}, 2026-12-01"),
        format!("{eight} earlier_end {substitute} 巡查员08, {second}, 2026-12-10"),
        format!("{seven} takeover_kept {substitute} 巡查员08, {first}, 2026-12-01"),
        format!("{seven} takeover_kept {later} 巡查员09, {first}, 2026-12-10"),
        format!("{eight} takeover_kept {later} 巡查员09, {second}, 2026-12-10"),
    ];
    let mut told = warnings(&shown);
    told.sort();
    expected.sort();
    assert_eq!(told, expected);
}

#[test]
fn a_file_that_says_the_end_itself_says_who_takes_over_too() {
    let desk = Desk::new();
    let text = everybody(&desk);
    let body = json!({ "from": "2026-12-01", "substitute": desk.office.person("巡查员08").hex() });
    assert_eq!(leave(&desk, "巡查员07", &body).0, 200);
    let (before, after) = text.split_once("巡查员07,").expect("he is there");
    let text = format!(
        "{before}巡查员07,{}",
        after.replacen(",\n", ",2026-11-30\n", 1)
    );
    let shown = desk.import("people.csv", &text);
    let name = &desk.office.app.known().directory.beats[6].name.clone();
    assert_eq!(
        warnings(&shown),
        [format!("null vacant inspector beat:7 {name}, 2026-12-01")]
    );
    assert_eq!(posts(&desk, "巡查员08").len(), 1);
}

#[test]
fn an_import_says_what_nobody_holds_any_more() {
    let desk = Desk::new();
    let whole = everybody(&desk);
    let text: String = whole
        .lines()
        .filter(|line| !line.contains("巡查员07") && !line.contains("村干部100"))
        .map(|line| format!("{line}\n"))
        .collect();
    let known = desk.office.app.known();
    let cadre = known.directory.person(desk.office.person("村干部100"));
    let at = cadre.expect("he is there").posts[0].at;
    let PostAt::Unit(unit) = at else {
        panic!("a cadre's post is at a village");
    };
    let village = known.directory.unit(unit).expect("his village");
    let shown = desk.import("people.csv", &text);
    let beat = &known.directory.beats[6].name;
    assert_eq!(
        warnings(&shown),
        [
            format!("null vacant inspector beat:7 {beat}, 2026-11-24"),
            format!("null vacant cadre unit:{unit} {}, 2026-11-24", village.name),
        ]
    );
    // What is nobody's already is not told again.
    assert_eq!(warnings(&desk.import("people.csv", &text)), [] as [&str; 0]);
}

fn administrator(desk: &Desk) -> Post {
    Post {
        role: Role::Administrator,
        at: PostAt::City,
        from: desk.office.app.environment.now(),
        until: None,
    }
}

#[test]
fn an_administrator_who_cannot_sign_in_lets_no_other_leave() {
    let desk = Desk::new();
    let post = administrator(&desk);
    desk.office.change("评价员01", |posts| posts.push(post));
    let refused = leave(&desk, ADMIN, &json!({ "from": "2026-12-01" }));
    assert_eq!(
        (refused.0, &refused.1["error"]["code"]),
        (409, &json!("last_administrator"))
    );
    desk.office.account("评价员01", "second", "eight signs");
    let left = leave(&desk, ADMIN, &json!({ "from": "2026-12-01" }));
    assert_eq!(left.0, 200, "{}", left.1);
}

#[test]
fn where_the_posts_of_all_administrators_end_one_may_leave_before() {
    let desk = Desk::new();
    let end = desk.office.app.environment.now().plus_ms(90 * DAY_MS);
    let post = Post {
        until: Some(end),
        ..administrator(&desk)
    };
    desk.office.change("评价员01", |posts| posts.push(post));
    desk.office
        .change(ADMIN, |posts| posts[0].until = Some(end));
    for (name, login) in [(ADMIN, "first"), ("评价员01", "second")] {
        desk.office.account(name, login, "eight signs");
    }
    let from = json!({ "from": "2026-12-01" });
    assert_eq!(leave(&desk, "评价员01", &from).0, 200);
    let refused = leave(&desk, ADMIN, &from);
    assert_eq!(refused.1["error"]["code"], "last_administrator");
}

#[test]
fn a_file_must_leave_an_administrator_who_can_sign_in() {
    let desk = Desk::new();
    desk.office.account(ADMIN, "first", "eight signs");
    let text = everybody(&desk);
    let id = desk.office.person(ADMIN).hex();
    let misspelt = text.replace(&format!("{id},{ADMIN}"), ",管理 员01");
    assert_eq!(
        desk.faults("people.csv", misspelt.as_bytes()),
        ["people.csv: no_administrator (2026-11-24T00:00:00.000+08:00)"]
    );
    // One who has an account, though his post ends, and one without an end, though he has no account, are not enough together.
    let day = rfc3339(desk.office.app.environment.now().plus_ms(2 * DAY_MS));
    let ended = text.replace(
        &format!("{id},{ADMIN},administrator,city,2020-01-01,"),
        &format!("{id},{ADMIN},administrator,city,2020-01-01,{}", &day[..10]),
    ) + ",林小雨,管理员,city,2020-01-01,\n";
    assert_ne!(ended, text);
    assert_eq!(
        desk.faults("people.csv", ended.as_bytes()),
        ["people.csv: no_administrator (2026-11-26T00:00:00.000+08:00)"]
    );
    let preview = desk.preview(&[file("people.csv", text.as_bytes())]);
    assert_eq!(faults(&preview), [] as [&str; 0]);
}

#[test]
fn a_post_that_had_not_begun_when_its_holder_left_never_begins_and_its_substitute_has_it() {
    let desk = Desk::new();
    let [left, substitute] = ["巡查员07", "巡查员08"].map(|name| desk.office.person(name).hex());
    let whole = everybody(&desk);
    let text = format!("{whole}{left},巡查员07,inspector,beat:9,2027-01-01,\n");
    desk.import("people.csv", &text);
    let version = desk.office.app.known().no;
    let body = json!({ "from": "2026-12-01", "substitute": substitute });
    assert_eq!(leave(&desk, "巡查员07", &body).0, 200);
    let decided = desk.office.app.known().directory.clone();
    assert_eq!(
        (
            posts(&desk, "巡查员07").len(),
            posts(&desk, "巡查员08").len()
        ),
        (1, 3)
    );
    let shown = desk.import("people.csv", &text);
    assert_eq!(desk.office.app.known().directory, decided);
    let [first, last] = [line_of(&whole, "巡查员07"), text.lines().count()];
    let beat = |id: usize| format!("inspector beat:{id} {}", decided.beats[id - 1].name);
    let mut told = warnings(&shown);
    told.sort();
    let mut expected = [
        format!(
            "{first} earlier_end {left} 巡查员07, {}, 2026-12-01",
            beat(7)
        ),
        format!(
            "{last} earlier_end {left} 巡查员07, {}, 2026-12-01",
            beat(9)
        ),
        format!(
            "{first} takeover_kept {substitute} 巡查员08, {}, 2026-12-01",
            beat(7)
        ),
        format!(
            "{last} takeover_kept {substitute} 巡查员08, {}, 2027-01-01",
            beat(9)
        ),
    ];
    expected.sort();
    assert_eq!(told, expected);
    // So it is where the version before the leave comes back.
    let path = format!("/v1/imports/directories/{version}/restore");
    let shown = desk.office.post(ADMIN, &path, &json!({})).json();
    assert_eq!(shown["notes"], json!(["nothing_changes"]), "{shown}");
    // Who comes back gets a row of his own.
    let back = text.replace("2027-01-01", "2027-01-02");
    desk.import("people.csv", &back);
    assert_eq!(posts(&desk, "巡查员07").len(), 2);
}

#[test]
fn a_row_that_begins_on_another_day_is_the_post_that_was_left() {
    for day in ["2020-01-02", "2019-12-31", "2026-11-30", ""] {
        let desk = Desk::new();
        let text = everybody(&desk);
        let [left, substitute] =
            ["巡查员07", "巡查员08"].map(|name| desk.office.person(name).hex());
        let body = json!({ "from": "2026-12-01", "substitute": substitute });
        assert_eq!(leave(&desk, "巡查员07", &body).0, 200);
        let taken = posts(&desk, "巡查员08");
        let row = format!("{left},巡查员07,inspector,beat:7,2020-01-01,");
        let line = line_of(&text, "巡查员07");
        let beat = &desk.office.app.known().directory.beats[6].name.clone();
        let kept = [
            format!("{line} earlier_end {left} 巡查员07, inspector beat:7 {beat}, 2026-12-01"),
            format!(
                "{line} takeover_kept {substitute} 巡查员08, inspector beat:7 {beat}, 2026-12-01"
            ),
        ];
        let other = match day {
            // Who comes back has a row of his own beside the old one, from the end on.
            "" => format!("{text}{}\n", row.replace("2020-01-01", "2026-12-01")),
            _ => text.replace(&row, &row.replace("2020-01-01", day)),
        };
        assert!(other != text);
        let shown = desk.import("people.csv", &other);
        assert_eq!(warnings(&shown)[..2], kept, "{day}");
        assert_eq!(posts(&desk, "巡查员08"), taken, "{day}");
        let held = posts(&desk, "巡查员07");
        assert_eq!(held.len(), 2, "{day}");
        let goes_on = held.iter().filter(|post| post.ends_with(' '));
        assert_eq!(goes_on.count(), usize::from(day.is_empty()), "{held:?}");
    }
}

#[test]
fn two_rows_that_say_the_same_time_overlap_though_both_end_by_a_leave() {
    let desk = Desk::new();
    let text = everybody(&desk);
    let left = desk.office.person("巡查员07").hex();
    let body = json!({ "from": "2026-12-01" });
    assert_eq!(leave(&desk, "巡查员07", &body).0, 200);
    let twice = format!("{text}{left},巡查员07,inspector,beat:7,2020-01-02,\n");
    assert_eq!(
        desk.faults("people.csv", twice.as_bytes()),
        [format!(
            "people.csv:{}: 开始日期: overlap",
            text.lines().count() + 1
        )]
    );
}
