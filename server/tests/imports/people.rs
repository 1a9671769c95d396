//! What a preview says of people, so that whoever reads it sees what he could overlook.

use serde_json::json;

use super::{Desk, counts, file};

const HEAD: &str = "人员编号,姓名,角色,所在,开始日期,结束日期\n";

/// Everybody in force, who stay as they are.
fn everybody(desk: &Desk) -> String {
    let mut text = HEAD.to_owned();
    for person in &desk.office.app.known().directory.people {
        for post in &person.posts {
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
        ["人员.csv: NoRows"]
    );
    let head = super::components::HEAD.as_bytes();
    assert_eq!(desk.faults("部件.csv", head), ["部件.csv: NoRows"]);
}
