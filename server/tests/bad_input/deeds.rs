//! Deeds that are wrong in one place each.

use patrol_core::domain::limits;
use serde_json::{Value, json};

use super::ground::{Ask, DESK, Ground, VILLAGE, WALKER};
use crate::office::matter;

/// What is wrong, what is put into a deed that is good (nothing takes a field away), and the status and code it then gets.
type Spoilt = (&'static str, Value, u16, &'static str);

/// Puts values into others of the same names; null takes one away.
fn put(into: &mut Value, patch: &Value) {
    let Some(fields) = patch.as_object() else {
        *into = patch.clone();
        return;
    };
    for (name, value) in fields {
        if value.is_null() {
            into.as_object_mut().expect("an object").remove(name);
        } else {
            put(&mut into[name], value);
        }
    }
}

/// What is wrong with any deed alike.
fn of_every_deed() -> Vec<Spoilt> {
    let half_hash = "0".repeat(63);
    let many = "字".repeat(limits::ENTRY_WORDS_MAX + 1);
    let third = json!([{ "unit": 101, "part": "third" }]);
    let surprise = json!([{ "unit": 101, "part": "main", "x": 1 }]);
    let photo = json!([{ "sha256": "00", "bytes": 1, "media": 1, "kind": 1 }]);
    vec![
        (
            "no such action",
            json!({ "action": "demolish" }),
            400,
            "action",
        ),
        (
            "an action's number",
            json!({ "action": 2 }),
            400,
            "malformed",
        ),
        ("no action", json!({ "action": null }), 400, "malformed"),
        ("no key", json!({ "key": null }), 400, "malformed"),
        ("an empty key", json!({ "key": "" }), 400, "key"),
        ("half a byte of key", json!({ "key": "abc" }), 400, "key"),
        ("a key of no digits", json!({ "key": "zz" }), 400, "key"),
        ("a key with a sign", json!({ "key": "+1" }), 400, "key"),
        ("a long key", json!({ "key": "00".repeat(33) }), 400, "key"),
        (
            "no time",
            json!({ "acted_at": "yesterday" }),
            400,
            "acted_at",
        ),
        (
            "a day",
            json!({ "acted_at": "2026-11-23" }),
            400,
            "acted_at",
        ),
        (
            "before all time",
            json!({ "acted_at": "1969-12-31T00:00:00Z" }),
            409,
            "entry_form",
        ),
        ("on half an id", json!({ "on": ["00"] }), 400, "on"),
        (
            "on no digits",
            json!({ "on": ["+1".repeat(16)] }),
            400,
            "on",
        ),
        (
            "seen half a hash",
            json!({ "seen": [half_hash] }),
            400,
            "seen",
        ),
        (
            "a wrong verdict",
            json!({ "body": { "verdict": "perhaps" } }),
            400,
            "verdict",
        ),
        (
            "a wrong register",
            json!({ "body": { "field": "colour" } }),
            400,
            "field",
        ),
        (
            "a wrong checker",
            json!({ "body": { "check_by": "anybody" } }),
            400,
            "check_by",
        ),
        (
            "half a target",
            json!({ "body": { "target": "00" } }),
            400,
            "target",
        ),
        (
            "half a result",
            json!({ "body": { "judged": "00" } }),
            400,
            "judged",
        ),
        (
            "half a choice",
            json!({ "body": { "chosen": "00" } }),
            400,
            "chosen",
        ),
        (
            "half a withdrawal",
            json!({ "body": { "withdraws": "00" } }),
            400,
            "withdraws",
        ),
        (
            "a negative mode",
            json!({ "body": { "mode": -1 } }),
            400,
            "malformed",
        ),
        (
            "a surprise",
            json!({ "body": { "surprise": 1 } }),
            400,
            "malformed",
        ),
        (
            "a wrong part",
            json!({ "body": { "assign": third } }),
            400,
            "assign",
        ),
        (
            "a surprising part",
            json!({ "body": { "assign": surprise } }),
            400,
            "malformed",
        ),
        (
            "half an assignment",
            json!({ "body": { "assignment": { "dispatch": "00", "unit": 1 } } }),
            400,
            "assignment",
        ),
        (
            "half a photo",
            json!({ "body": { "photos": photo } }),
            400,
            "photos",
        ),
        (
            "empty words",
            json!({ "body": { "words": "" } }),
            409,
            "entry_form",
        ),
        (
            "too many words",
            json!({ "body": { "words": many } }),
            409,
            "entry_form",
        ),
        (
            "too large a code",
            json!({ "body": { "reason": u64::MAX } }),
            409,
            "entry_form",
        ),
    ]
}

fn of_a_report() -> Vec<Spoilt> {
    let many = "字".repeat(limits::CASE_WORDS_MAX + 1);
    let place = |place: Value| json!({ "fields": { "place": place } });
    let point = |lon: i64, datum: &str| {
        place(json!({ "point": { "lon_e7": lon, "lat_e7": 1, "datum": datum } }))
    };
    let category = |category: Value| json!({ "fields": { "category": category } });
    vec![
        (
            "a village of few digits",
            place(json!({ "village": 7 })),
            400,
            "village",
        ),
        (
            "a surprising place",
            place(json!({ "x": 1 })),
            400,
            "malformed",
        ),
        ("a wrong datum", point(1, "mars"), 400, "datum"),
        (
            "beyond the earth",
            point(1_800_000_001, "wgs84"),
            409,
            "wrong_fields",
        ),
        (
            "a wrong kind",
            category(json!({ "kind": "person" })),
            400,
            "category",
        ),
        (
            "no kind",
            category(json!({ "kind": null })),
            400,
            "malformed",
        ),
        (
            "too large a code",
            category(json!({ "code": u64::MAX })),
            409,
            "wrong_fields",
        ),
        ("no place", place(Value::Null), 409, "wrong_fields"),
        ("no category", category(Value::Null), 409, "wrong_fields"),
        (
            "no words",
            json!({ "fields": { "words": null } }),
            409,
            "wrong_fields",
        ),
        (
            "empty words",
            json!({ "fields": { "words": "" } }),
            409,
            "wrong_fields",
        ),
        (
            "too many words",
            json!({ "fields": { "words": many } }),
            409,
            "wrong_fields",
        ),
        (
            "what opens nothing",
            json!({ "action": "note" }),
            409,
            "not_first",
        ),
        (
            "a detail without room",
            json!({ "body": { "verdict": "passed" } }),
            409,
            "entry_form",
        ),
    ]
}

fn on_a_case() -> Vec<Spoilt> {
    let (id, hash) = ("0".repeat(32), "0".repeat(64));
    let with_words = |action: &str| json!({ "action": action, "body": { "words": "不行" } });
    vec![
        (
            "on an unknown entry",
            json!({ "action": "note", "on": [id] }),
            409,
            "unknown_on",
        ),
        (
            "seen an unknown change",
            json!({ "action": "note", "seen": [hash] }),
            409,
            "unknown_on",
        ),
        ("on nothing", json!({ "on": [] }), 409, "stale"),
        (
            "registers without room",
            json!({ "fields": matter(VILLAGE) }),
            409,
            "wrong_fields",
        ),
        (
            "what opens a case",
            with_words("report"),
            409,
            "wrong_stage",
        ),
        (
            "what opens a tally",
            with_words("count"),
            409,
            "unknown_action",
        ),
        ("a wrong stage", with_words("close"), 409, "wrong_stage"),
        (
            "without the right",
            with_words("cancel"),
            409,
            "not_permitted",
        ),
        (
            "a duplicate of nothing",
            with_words("mark_duplicate"),
            409,
            "bad_target",
        ),
    ]
}

#[test]
fn a_report_that_is_wrong_opens_nothing() {
    let ground = Ground::new();
    let mut wrong = Vec::new();
    for (what, patch, status, code) in of_every_deed().into_iter().chain(of_a_report()) {
        let mut deed = ground.office.deed("report", &json!([]));
        deed["fields"] = matter(VILLAGE);
        put(&mut deed, &patch);
        let ask = Ask::post(WALKER, "/v1/cases", &deed);
        wrong.extend(ground.try_it(what, &ask, status, code));
    }
    assert_eq!(wrong, [] as [String; 0]);
}

#[test]
fn a_deed_that_is_wrong_does_nothing_to_the_case() {
    let ground = Ground::new();
    let path = format!("/v1/cases/{}", ground.case);
    let page = ground.office.get(DESK, &path).json();
    let mut wrong = Vec::new();
    for (what, patch, status, code) in of_every_deed().into_iter().chain(on_a_case()) {
        let mut deed = ground.office.deed("accept", &page["on"]);
        deed["seen"] = page["seen"].clone();
        put(&mut deed, &patch);
        let ask = Ask::post(DESK, format!("{path}/actions"), &deed);
        wrong.extend(ground.try_it(what, &ask, status, code));
    }
    assert_eq!(wrong, [] as [String; 0]);
    // What was spoilt is good by itself.
    let accepted = ground.office.act(DESK, &ground.case, "accept", &json!({}));
    assert_eq!(accepted.status, 200, "{}", accepted.body);
}

#[test]
fn only_the_office_does_what_is_the_offices() {
    let ground = Ground::new();
    let path = format!("/v1/cases/{}", ground.case);
    let page = ground.office.get(WALKER, &path).json();
    let mut wrong = Vec::new();
    for action in [
        "accept",
        "register",
        "decline",
        "dispatch",
        "close",
        "cancel",
        "reopen",
        "mark_duplicate",
    ] {
        let mut deed = ground.office.deed(action, &page["on"]);
        deed["seen"] = page["seen"].clone();
        // Whether there is such a target, a person without the right does not learn.
        for target in [&ground.case, "01a2072777497f09a4c356cb7fc90284"] {
            deed["body"] = json!({ "words": "不行", "target": target });
            let ask = Ask::post(WALKER, format!("{path}/actions"), &deed);
            wrong.extend(ground.try_it(action, &ask, 409, "not_permitted"));
        }
    }
    assert_eq!(wrong, [] as [String; 0]);
}
