//! What a preview says of people, so that whoever reads it sees what he could overlook.

use patrol_core::domain::directory::{Person, Post};
use serde_json::json;

use super::{Desk, counts, file};

pub(super) const HEAD: &str = "人员编号,姓名,角色,所在,开始日期,结束日期\n";

/// Everybody in force, who stay as they are.
pub(super) fn everybody(desk: &Desk) -> String {
    those(desk, |_, _| true)
}

/// A file of the posts in force that are asked for, each from the beginning on and without an end.
pub(super) fn those(desk: &Desk, is_asked: impl Fn(&Person, &Post) -> bool) -> String {
    let mut text = HEAD.to_owned();
    for person in &desk.office.app.known().directory.people {
        for post in person.posts.iter().filter(|post| is_asked(person, post)) {
            let at = patrol_server::directory::post_at_text(post.at);
            let (id, name, role) = (person.id.hex(), &person.name, post.role.word());
            text += &format!("{id},{name},{role},{at},2020-01-01,\n");
        }
    }
    text
}

#[test]
fn a_preview_says_the_last_day_of_a_post() {
    let desk = Desk::new();
    let whole = everybody(&desk);
    let (before, after) = whole.split_once("巡查员07,").expect("he is there");
    let ended = format!(
        "{before}巡查员07,{}",
        after.replacen(",\n", ",2026-12-31\n", 1)
    );
    let preview = desk.preview(&[file("people.csv", ended.as_bytes())]);
    let shown = preview.json(None);
    assert_eq!(counts(&shown, "people"), [0, 0, 1, 0, 221]);
    let row = &shown["tables"][5]["rows"][0];
    assert_eq!(
        (&row["what"], &row["is"]),
        (
            &json!("ended"),
            &json!({ "text": "巡查员07", "until": "2027-01-01T00:00:00.000+08:00", "last_day": "2026-12-31" })
        )
    );
}

#[test]
fn who_is_taken_by_name_for_somebody_who_is_there_is_told() {
    let desk = Desk::new();
    let whole = everybody(&desk);
    let known = desk.office.app.known();
    let mut people = known.directory.people.iter();
    let walker = people.find(|person| person.name == "巡查员07");
    let id = walker.expect("he is there").id.hex();
    // Without an id, by the post that he holds anyway: nothing to tell.
    let same = whole.replace(&format!("{id},巡查员07"), ",巡查员07");
    let preview = desk.preview(&[file("people.csv", same.as_bytes())]);
    assert_eq!(preview.json(None)["warnings_total"], 0);
    let namesake =
        format!("{same},巡查员07,评价员,city,2026-12-01,\n,林小雨,评价员,city,2026-12-01,\n");
    let preview = desk.preview(&[file("people.csv", namesake.as_bytes())]);
    let shown = preview.json(None);
    let warning = json!({ "file": "people.csv", "line": 224, "column": "姓名", "reason": "taken_for", "detail": id });
    assert_eq!(shown["warnings"], json!([warning]));
    assert_eq!(counts(&shown, "people"), [2, 0, 0, 0, 222]);
}

#[test]
fn a_form_without_rows_ends_nobody() {
    let desk = Desk::new();
    assert_eq!(
        desk.faults("人员.csv", HEAD.as_bytes()),
        ["人员.csv: no_rows"]
    );
    let head = super::components::HEAD.as_bytes();
    assert_eq!(desk.faults("部件.csv", head), ["部件.csv: no_rows"]);
}

#[test]
fn namesakes_without_ids_at_two_places_are_told_in_a_first_import_too() {
    let desk = Desk::new();
    let text = everybody(&desk)
        + ",张伟,村干部,村:440403100201,2026-12-01,\n,张伟,村干部,村:440403100202,2026-12-01,\n\
           ,张伟,管理员,city,2026-12-01,\n,张伟,评价员,city,2026-12-01,\n";
    let first = text.lines().count() - 3;
    let shown = desk
        .preview(&[file("people.csv", text.as_bytes())])
        .json(None);
    let warnings = shown["warnings"].as_array().expect("warnings");
    let told: Vec<_> = warnings
        .iter()
        .map(|warning| (&warning["line"], &warning["reason"]))
        .collect();
    let (line, reason) = (|at: usize| json!(first + at), json!("taken_for"));
    assert_eq!(told, [(&line(1), &reason), (&line(2), &reason)]);
}

#[test]
fn a_name_with_a_new_id_and_without_one_is_ambiguous_in_either_order() {
    let desk = Desk::new();
    let with = "00000000000000f7,张伟,评价员,city,2026-12-01,\n";
    let without = ",张伟,督办领导,city,2026-12-01,\n";
    let whole = everybody(&desk);
    let last = whole.lines().count();
    for (rows, line) in [
        (format!("{with}{without}"), last + 2),
        (format!("{without}{with}"), last + 1),
    ] {
        let faults = desk.faults("people.csv", format!("{whole}{rows}").as_bytes());
        assert_eq!(
            faults,
            [format!("people.csv:{line}: 人员编号: ambiguous_name")]
        );
    }
}

#[test]
fn what_is_wrong_with_a_post_stands_on_its_own_row_in_the_files_own_column() {
    let desk = Desk::new();
    let whole = everybody(&desk);
    let last = whole.lines().count();
    let rows = ",张伟,评价员,city,2026-12-01,\n,张伟,巡查员,网格:999,2026-12-01,\n,张伟,单位操作员,单位:99,2026-12-01,\n\
        ,张伟,督办领导,网格:1,2026-12-01,\n,张伟,受理派遣员,city,2026-12-01,2026-11-30\n";
    let faults = desk.faults("people.csv", format!("{whole}{rows}").as_bytes());
    let fault = |at: usize, what: &str| format!("people.csv:{}: {what}", last + at);
    assert_eq!(
        faults,
        [
            fault(2, "所在: unknown_place"),
            fault(3, "所在: unknown_place"),
            fault(4, "所在: misplaced_post"),
            fault(5, "结束日期: ends_before_it_begins"),
        ]
    );
}

#[test]
fn another_order_of_a_persons_rows_changes_nothing() {
    let desk = Desk::new();
    let id = desk.office.person("巡查员07").hex();
    let row = |beat: usize, from: &str| format!("{id},巡查员07,inspector,beat:{beat},{from},\n");
    let rows = [row(9, "2027-01-01"), row(8, "2028-01-01")];
    let whole = everybody(&desk);
    desk.import("people.csv", &format!("{whole}{}{}", rows[0], rows[1]));
    let (head, others) = whole.split_once('\n').expect("a head");
    let turned = format!("{head}\n{}{}{others}", rows[1], rows[0]);
    let preview = desk.preview(&[file("people.csv", turned.as_bytes())]);
    assert_eq!(preview.json(None)["notes"], json!(["nothing_changes"]));
}
