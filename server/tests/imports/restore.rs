//! An import that was a mistake is undone: a version that was in force comes back, and everything that this changes is told.

use patrol_core::domain::directory::Post;
use patrol_core::domain::time::DAY_MS;
use patrol_server::store::reference::KeptDirectory;
use serde_json::{Value, json};

use super::decided::{post, with_rows};
use super::leaves::{leave, posts};
use super::people::everybody;
use super::{Desk, counts, faults};
use crate::http::{self, Reply};

const ADMIN: &str = "管理员01";

/// The head and the row of the only administrator.
fn only_him(text: &str) -> String {
    let rows = text.lines().enumerate();
    let kept = rows.filter(|(at, line)| *at == 0 || line.contains(ADMIN));
    kept.map(|(_, line)| format!("{line}\n")).collect()
}

fn ask(desk: &Desk, who: &str, method: &str, path: &str) -> Reply {
    let (cookie, origin) = (desk.office.cookie(who), desk.office.origin());
    let headers = [("cookie", cookie.as_str()), ("origin", origin.as_str())];
    http::ask(desk.office.address, method, path, &headers, &[])
}

fn reasons(shown: &Value) -> Vec<String> {
    let warnings = shown["warnings"].as_array().expect("warnings").iter();
    let words = warnings.map(|warning| warning["reason"].as_str().unwrap_or_default().to_owned());
    words.collect()
}

fn adopt(desk: &Desk, shown: &Value) -> Reply {
    let id = shown["id"].as_str().expect("a name");
    ask(desk, ADMIN, "POST", &format!("/v1/imports/{id}/adopt"))
}

#[test]
fn a_version_comes_back_with_the_ends_lifted_that_an_import_has_set() {
    let desk = Desk::new();
    desk.office.cookie(ADMIN);
    let whole = everybody(&desk);
    let before = desk.office.app.known().directory.clone();
    let mistaken = desk.import("people.csv", &only_him(&whole));
    assert_eq!(counts(&mistaken, "people")[2], 221);
    // Who leaves after the mistake leaves all the same.
    let path = format!("/v1/people/{}/leave", desk.office.person("评价员01").hex());
    let left = desk
        .office
        .post(ADMIN, &path, &json!({ "from": "2026-11-23" }));
    assert_eq!(left.status, 200, "{}", left.body);
    // The right file does not help: no file undoes an end. That is said.
    let preview = desk.preview(&[super::file("people.csv", whole.as_bytes())]);
    let shown = preview.json(None);
    assert_eq!(shown["notes"], json!(["nothing_changes"]));
    let adopted = desk.adopt(&preview).expect("it answers").expect("a number");
    assert_eq!(
        adopted.json(),
        json!({ "adopted": { "directory": 3, "nothing_changed": true } })
    );

    let path = "/v1/imports/directories/1/restore";
    assert_eq!(ask(&desk, "受理派遣员01", "POST", path).status, 403);
    let unknown = "/v1/imports/directories/9/restore";
    assert_eq!(ask(&desk, ADMIN, "POST", unknown).status, 404);
    let shown = ask(&desk, ADMIN, "POST", path).json();
    assert_eq!(shown["faults"], json!([]), "{shown}");
    assert_eq!(counts(&shown, "people"), [0, 220, 0, 0, 2]);
    let mut told = reasons(&shown);
    told.sort();
    told.dedup();
    assert_eq!(told, ["earlier_end", "end_lifted"]);
    let lifted = shown["warnings"].as_array().expect("warnings").iter();
    let lifted = lifted.filter(|warning| warning["reason"] == "end_lifted");
    assert_eq!(lifted.count(), 220);
    let adopted = adopt(&desk, &shown);
    assert_eq!(adopted.json(), json!({ "adopted": { "directory": 4 } }));
    let after = desk.office.app.known().directory.clone();
    let who_differs = |(was, is): (&patrol_core::domain::directory::Person, _)| {
        (was != is).then(|| was.name.clone())
    };
    let people = before.people.iter().zip(&after.people);
    assert_eq!(
        people.filter_map(who_differs).collect::<Vec<_>>(),
        ["评价员01"]
    );
}

#[test]
fn what_a_leave_has_decided_since_stays_with_who_takes_over() {
    let desk = Desk::new();
    let body = json!({ "from": "2026-12-01", "substitute": desk.office.person("巡查员08").hex() });
    let path = format!("/v1/people/{}/leave", desk.office.person("巡查员07").hex());
    let left = desk.office.post(ADMIN, &path, &body);
    assert_eq!(left.status, 200, "{}", left.body);
    let decided = desk.office.app.known().directory.clone();
    desk.import("people.csv", &only_him(&everybody(&desk)));
    let shown = ask(&desk, ADMIN, "POST", "/v1/imports/directories/1/restore").json();
    assert_eq!(shown["faults"], json!([]), "{shown}");
    assert_eq!(adopt(&desk, &shown).status, 200);
    assert_eq!(desk.office.app.known().directory, decided);
    // Once the ends have passed, those that a leave has not set are held again.
    desk.import("people.csv", &only_him(&everybody(&desk)));
    desk.office.machine.advance_ms(DAY_MS);
    let shown = ask(&desk, ADMIN, "POST", "/v1/imports/directories/1/restore").json();
    assert_eq!(shown["faults"], json!([]), "{shown}");
    let told = reasons(&shown);
    let count = |reason: &str| told.iter().filter(|word| *word == reason).count();
    let counted = ["held_again", "earlier_end", "takeover_kept", "end_lifted"].map(count);
    assert_eq!(counted, [221, 1, 1, 0]);
}

#[test]
fn what_an_import_has_ended_in_the_past_is_held_again_from_today_on() {
    let desk = Desk::new();
    desk.office.cookie(ADMIN);
    let before = desk.office.app.known().directory.clone();
    let rows = everybody(&desk);
    let ended = rows.lines().map(|line| match line.ends_with(',') {
        true if !line.contains(ADMIN) => format!("{line}2025-12-31\n"),
        _ => format!("{line}\n"),
    });
    desk.import("people.csv", &ended.collect::<String>());
    let restore = || ask(&desk, ADMIN, "POST", "/v1/imports/directories/1/restore").json();
    let shown = restore();
    assert_eq!(shown["faults"], json!([]), "{shown}");
    let told = reasons(&shown);
    assert_eq!(told.len(), 221);
    assert!(told.iter().all(|word| word == "held_again"), "{shown}");
    assert_eq!(adopt(&desk, &shown).status, 200);
    let known = desk.office.app.known();
    let now = desk.office.app.environment.now();
    for (was, is) in before.people.iter().zip(&known.directory.people) {
        for post in &was.posts {
            let mut posts = is.posts.iter();
            let is_like = |other: &&Post| (other.role, other.at) == (post.role, post.at);
            assert!(
                posts.any(|other| is_like(&other) && other.is_in_force_at(now)),
                "{}",
                is.name
            );
        }
        // What has passed stays a gap.
        let gap = now.plus_ms(-30 * DAY_MS);
        let is_held = is.posts.iter().any(|post| post.is_in_force_at(gap));
        assert_eq!(is_held, is.name == ADMIN, "{}", is.name);
    }
    assert_eq!(restore()["notes"], json!(["nothing_changes"]));
}

#[test]
fn beats_and_units_come_back_too() {
    let desk = Desk::new();
    desk.office.cookie(ADMIN);
    let before = desk.office.app.known().directory.clone();
    let (head, rows) = include_str!("../../data/zhuhai/beats.csv")
        .split_once('\n')
        .expect("a head");
    let all: String = rows
        .lines()
        .map(|line| {
            format!(
                "{},合成一个,{}\n",
                900,
                line.splitn(3, ',').nth(2).unwrap_or_default()
            )
        })
        .filter(|line| line.contains(",4404021"))
        .collect();
    let others: String = rows
        .lines()
        .filter(|line| !line.contains(",4404021"))
        .map(|line| format!("{line}\n"))
        .collect();
    let merged = format!(
        "{head}\n{others}{}",
        all.replace("2020-01-01", "2026-11-24")
    );
    let preview = desk.preview(&[super::file("beats.csv", merged.as_bytes())]);
    assert_eq!(faults(&preview), [] as [&str; 0]);
    desk.adopt(&preview).expect("it is adopted");
    let units = include_str!("../../data/zhuhai/units.csv");
    desk.import("units.csv", &units.replace("水务局", "水利局"));
    let shown = ask(&desk, ADMIN, "POST", "/v1/imports/directories/1/restore").json();
    assert_eq!(shown["faults"], json!([]), "{shown}");
    assert_eq!(adopt(&desk, &shown).status, 200);
    let after = desk.office.app.known().directory.clone();
    assert_eq!(after.units, before.units);
    let now = desk.office.app.environment.now().plus_ms(2 * DAY_MS);
    for village in &before.villages {
        let beat = |directory: &patrol_core::domain::directory::Directory| {
            directory.beat_of(village.code, now).map(|beat| beat.id)
        };
        assert_eq!(beat(&after), beat(&before), "{}", village.name);
    }
    // Once the others hold, the beats come back from then on.
    desk.import("beats.csv", &merged);
    desk.office.machine.advance_ms(2 * DAY_MS);
    let shown = ask(&desk, ADMIN, "POST", "/v1/imports/directories/1/restore").json();
    assert_eq!(shown["faults"], json!([]), "{shown}");
    assert_eq!(adopt(&desk, &shown).status, 200);
    let after = desk.office.app.known().directory.clone();
    let later = now.plus_ms(DAY_MS);
    for village in &before.villages {
        let beat = after.beat_of(village.code, later).map(|beat| beat.id);
        let was = before.beat_of(village.code, later).map(|beat| beat.id);
        assert_eq!(beat, was, "{}", village.name);
    }
}

/// The file with an end in one person's row.
pub(super) fn with_end(text: &str, name: &str, last_day: &str) -> String {
    let rows = text.lines().map(|line| match line.contains(name) {
        true => format!("{line}{last_day}\n"),
        false => format!("{line}\n"),
    });
    rows.collect()
}

#[test]
fn an_import_that_looks_like_a_leave_is_undone_and_a_leave_that_looks_like_an_import_stays() {
    let desk = Desk::new();
    desk.office.cookie(ADMIN);
    let whole = everybody(&desk);
    let before = desk.office.app.known().directory.clone();
    // One person's post ends a month ahead, and another one has it from then on.
    let mistaken =
        with_end(&whole, "评价员01", "2026-12-31") + ",评价员02,评价员,city,2027-01-01,\n";
    desk.import("people.csv", &mistaken);
    let shown = ask(&desk, ADMIN, "POST", "/v1/imports/directories/1/restore").json();
    assert_eq!(shown["faults"], json!([]), "{shown}");
    assert_eq!(reasons(&shown), ["end_lifted"]);
    assert_eq!(adopt(&desk, &shown).status, 200);
    let people = desk.office.app.known().directory.people.clone();
    let posts_of = |name: &str| {
        let mut people = people.iter();
        let person = people
            .find(|person| person.name == name)
            .expect("he is there");
        person.posts.clone()
    };
    let evaluator = before.person(desk.office.person("评价员01"));
    assert_eq!(posts_of("评价员01"), evaluator.expect("he is there").posts);
    // Who leaves from the next day on without a substitute has left.
    let no = desk.office.app.known().no;
    let path = format!("/v1/people/{}/leave", desk.office.person("评价员01").hex());
    let body = json!({ "from": "2026-11-24" });
    assert_eq!(desk.office.post(ADMIN, &path, &body).status, 200);
    let path = format!("/v1/imports/directories/{no}/restore");
    let shown = ask(&desk, ADMIN, "POST", &path).json();
    assert_eq!(reasons(&shown), ["earlier_end"]);
    assert_eq!(shown["notes"], json!(["nothing_changes"]));
}

/// The rows of people but those of some.
fn without(text: &str, names: &[&str]) -> String {
    let rows = text.lines();
    let kept = rows.filter(|line| !names.iter().any(|name| line.contains(name)));
    kept.map(|line| format!("{line}\n")).collect()
}

#[test]
fn who_has_left_comes_back_by_no_restore_and_who_takes_over_does() {
    let (left, other) = ("巡查员07", "巡查员08");
    for gone in [&[left][..], &[left, other]] {
        let desk = Desk::new();
        desk.office.cookie(ADMIN);
        let whole = everybody(&desk);
        let path = format!("/v1/people/{}/leave", desk.office.person(left).hex());
        let body = json!({ "from": "2026-11-23", "substitute": desk.office.person(other).hex() });
        assert_eq!(desk.office.post(ADMIN, &path, &body).status, 200);
        // The file lacks them by mistake, and somebody finds out after a week.
        let ended = reasons(&desk.import("people.csv", &without(&whole, gone)));
        assert!(!ended.contains(&"takeover_kept".to_owned()), "{ended:?}");
        desk.office.machine.advance_ms(7 * DAY_MS);
        let now = desk.office.app.environment.now();
        let held = |name: &str| {
            let known = desk.office.app.known();
            let person = known.directory.person(desk.office.person(name)).cloned();
            let posts = person.expect("he is there").posts.into_iter();
            posts.filter(|post| post.is_in_force_at(now)).count()
        };
        assert_eq!([held(left), held(other)], [0, 2 - gone.len()]);
        for again in [false, true] {
            let shown = ask(&desk, ADMIN, "POST", "/v1/imports/directories/1/restore").json();
            assert_eq!(shown["faults"], json!([]), "{shown}");
            let told = reasons(&shown);
            let count = |reason: &str| told.iter().filter(|word| *word == reason).count();
            let counted = ["held_again", "takeover_kept", "end_lifted"].map(count);
            // He holds his own again, if it had ended; what he had taken over, he has besides, by a row of who has left: both are to be in a file.
            let held_again = if again { 0 } else { gone.len() };
            assert_eq!((counted[0], counted[2]), (held_again, 0), "{shown}");
            // What is over is not told.
            assert_eq!(counted[1], 1, "{shown}");
            if again {
                assert_eq!(shown["notes"], json!(["nothing_changes"]), "{shown}");
            } else {
                assert_eq!(adopt(&desk, &shown).status, 200);
            }
            assert_eq!([held(left), held(other)], [0, 2]);
        }
    }
}

#[test]
fn of_a_version_from_before_leaves_were_kept_people_are_as_files_say() {
    let desk = Desk::new();
    desk.office.cookie(ADMIN);
    let mut older = desk.office.app.known().directory.clone();
    let left = desk.office.person("巡查员07");
    let mut people = older.people.iter_mut();
    let person = people.find(|person| person.id == left);
    let end = desk.office.app.environment.now().plus_ms(DAY_MS);
    person.expect("he is there").posts[0].until = Some(end);
    let kept = KeptDirectory {
        bytes: patrol_core::sync::directory::encode(&older),
        basis: None,
    };
    let store = &desk.office.app.store;
    store.put_directory(&kept, end).expect("it is kept");
    // Another one leaves, and the older version is taken up.
    let other = desk.office.person("巡查员09").hex();
    let path = format!("/v1/people/{other}/leave");
    let body = json!({ "from": "2026-12-01" });
    assert_eq!(desk.office.post(ADMIN, &path, &body).status, 200);
    let shown = desk.import("people.csv", &everybody(&desk));
    assert_eq!(reasons(&shown), ["earlier_end", "earlier_end"]);
    let shown = ask(&desk, ADMIN, "POST", "/v1/imports/directories/1/restore").json();
    // What ended by then had no leave that is known.
    assert_eq!(reasons(&shown), ["earlier_end", "end_lifted"]);
}

#[test]
fn who_has_left_does_not_come_back_by_a_row_that_a_file_had_taken_away_before() {
    let desk = Desk::new();
    desk.office.cookie(ADMIN);
    let (left, other) = ("巡查员07", "巡查员08");
    let planned = ["beat:20", "2026-12-08", ""];
    let plan = with_rows(&desk, &[["beat:7", "2020-01-01", ""], planned]);
    let whole = everybody(&desk);
    desk.import("people.csv", &plan);
    desk.import("people.csv", &whole);
    let substitute = desk.office.person(other).hex();
    let body = json!({ "from": "2026-11-28", "substitute": substitute });
    assert_eq!(leave(&desk, left, &body).0, 200);
    let path = "/v1/imports/directories/2/restore";
    let shown = ask(&desk, ADMIN, "POST", path).json();
    assert_eq!(shown["faults"], json!([]), "{shown}");
    assert_eq!(adopt(&desk, &shown).status, 200);
    assert_eq!(
        posts(&desk, left),
        [post("beat:7", "2020-01-01", "2026-11-28")]
    );
    let begins = post("beat:20", "2026-12-08", "");
    assert!(posts(&desk, other).contains(&begins));
    let shown = ask(&desk, ADMIN, "POST", path).json();
    assert_eq!(shown["notes"], json!(["nothing_changes"]), "{shown}");
    // One by which he has come back since stays.
    let desk = Desk::new();
    desk.office.cookie(ADMIN);
    desk.import("people.csv", &plan);
    desk.import("people.csv", &whole);
    assert_eq!(leave(&desk, left, &body).0, 200);
    desk.import("people.csv", &plan);
    let shown = ask(&desk, ADMIN, "POST", path).json();
    assert_eq!(shown["notes"], json!(["nothing_changes"]), "{shown}");
    assert!(posts(&desk, left).contains(&begins));
}

#[test]
fn a_post_whose_begin_a_file_has_changed_is_held_once_when_it_comes_back() {
    let desk = Desk::new();
    desk.office.cookie(ADMIN);
    let row = ["beat:7", "2020-01-02", ""];
    desk.import("people.csv", &with_rows(&desk, &[row]));
    desk.office.machine.advance_ms(DAY_MS);
    let path = "/v1/imports/directories/1/restore";
    for again in [false, true] {
        let shown = ask(&desk, ADMIN, "POST", path).json();
        assert_eq!(shown["faults"], json!([]), "{shown}");
        assert_eq!(shown["notes"] == json!(["nothing_changes"]), again);
        assert_eq!(adopt(&desk, &shown).status, 200);
        let mut held = posts(&desk, "巡查员07");
        held.sort();
        let due = [
            post("beat:7", "2020-01-01", "2026-11-24"),
            post("beat:7", "2020-01-02", "2026-11-25"),
            post("beat:7", "2026-11-25", ""),
        ];
        assert_eq!(held, due);
    }
    desk.office.machine.advance_ms(DAY_MS);
    let shown = ask(&desk, ADMIN, "POST", path).json();
    assert_eq!(shown["notes"], json!(["nothing_changes"]), "{shown}");
}

#[test]
fn an_end_that_has_not_come_about_is_not_set_back_into_the_past() {
    let desk = Desk::new();
    desk.office.cookie(ADMIN);
    let whole = everybody(&desk);
    desk.import("people.csv", &with_end(&whole, "评价员01", "2026-11-29"));
    let restore = |no: u64| {
        let path = format!("/v1/imports/directories/{no}/restore");
        let shown = ask(&desk, ADMIN, "POST", &path).json();
        assert_eq!(shown["faults"], json!([]), "{shown}");
        assert_eq!(adopt(&desk, &shown).status, 200);
    };
    restore(1);
    desk.office.machine.advance_ms(12 * DAY_MS);
    for _ in 0..2 {
        restore(2);
        let held = posts(&desk, "评价员01");
        assert_eq!(held, [post("city", "2020-01-01", "2026-12-06")]);
    }
}
