//! What may happen once happens once, however often it is asked for.

use patrol_core::domain::limits;
use serde_json::json;

use super::ground::{ADMIN, Ask, DESK, Ground, VILLAGE, WALKER, dump};
use crate::http;
use crate::office::{matter, phone_key};

#[test]
fn the_same_request_does_the_same_once_and_is_answered_alike() {
    let ground = Ground::new();
    let mut report = ground.office.deed("report", &json!([]));
    report["fields"] = matter(VILLAGE);
    let ask = Ask::post(WALKER, "/v1/cases", &report);
    let first = ground.send(&ask);
    assert_eq!(first.status, 200, "{}", first.body);
    let after = dump(&ground.office.app);
    for _ in 0..3 {
        let again = ground.send(&ask);
        assert_eq!((again.status, again.json()), (200, first.json()));
    }
    assert_eq!(dump(&ground.office.app), after);

    let path = format!("/v1/cases/{}", ground.case);
    let page = ground.office.get(DESK, &path).json();
    let mut accept = ground.office.deed("accept", &page["on"]);
    accept["seen"] = page["seen"].clone();
    let ask = Ask::post(DESK, format!("{path}/actions"), &accept);
    let first = ground.send(&ask);
    assert_eq!(first.status, 200, "{}", first.body);
    let after = dump(&ground.office.app);
    assert_eq!(ground.send(&ask).json(), first.json());
    // A page that is old by now, with a key of its own.
    accept["key"] = json!("ffff");
    let late = Ask::post("受理派遣员02", format!("{path}/actions"), &accept);
    assert_eq!(
        ground.try_it("late", &late, 409, "stale"),
        [] as [String; 0]
    );
    assert_eq!(dump(&ground.office.app), after);
}

#[test]
fn a_key_is_for_one_deed() {
    let ground = Ground::new();
    let path = format!("/v1/cases/{}/actions", ground.case);
    let mut note = ground.office.deed("note", &json!([]));
    note["body"] = json!({ "words": "第一" });
    assert_eq!(ground.send(&Ask::post(DESK, &path, &note)).status, 200);
    let page = ground
        .office
        .get(DESK, &format!("/v1/cases/{}", ground.case));
    let mut accept = ground.office.deed("accept", &page.json()["on"]);
    accept["key"] = note["key"].clone();
    note["body"] = json!({ "words": "第二" });
    for other in [accept, note] {
        let ask = Ask::post(DESK, &path, &other);
        assert_eq!(
            ground.try_it("another deed", &ask, 409, "repeated"),
            [] as [String; 0]
        );
    }
}

#[test]
fn the_office_names_only_units_and_villages_of_the_directory() {
    let ground = Ground::new();
    let mut report = ground.office.deed("report", &json!([]));
    report["fields"] = matter(999_999_999_999);
    let ask = Ask::post(DESK, "/v1/cases", &report);
    assert_eq!(
        ground.try_it("no such village", &ask, 409, "unknown_village"),
        [] as [String; 0]
    );
    for action in ["accept", "register"] {
        let reply = ground.office.act(DESK, &ground.case, action, &json!({}));
        assert_eq!(reply.status, 200, "{}", reply.body);
    }
    let nobody = json!({ "assign": [{ "unit": 555_555, "part": "main" }] });
    let reply = ground.office.act(DESK, &ground.case, "dispatch", &nobody);
    assert_eq!(reply.json(), json!({ "error": { "code": "unknown_unit" } }));
}

#[test]
fn a_key_is_its_persons_own() {
    let ground = Ground::new();
    let path = format!("/v1/cases/{}/actions", ground.case);
    let mut note = ground.office.deed("note", &json!([]));
    note["body"] = json!({ "words": "第一" });
    let one = ground.send(&Ask::post(WALKER, &path, &note));
    let other = ground.send(&Ask::post(DESK, &path, &note));
    assert_eq!(
        (one.status, other.status),
        (200, 200),
        "{} {}",
        one.body,
        other.body
    );
    assert_ne!(one.json()["entry"], other.json()["entry"]);
}

#[test]
fn a_review_is_settled_once_with_a_decision_and_words() {
    let ground = Ground::new();
    let path = format!("/v1/reviews/{}/{}", ground.case, ground.held);
    let mut wrong = Vec::new();
    let long = "字".repeat(limits::ENTRY_WORDS_MAX + 1);
    for (decision, words, code) in [
        ("maybe", "看过", "decision"),
        ("", "看过", "decision"),
        ("Release", "看过", "decision"),
        ("release", "", "words"),
        ("release", " \n", "words"),
        ("refuse", &long, "words"),
    ] {
        let settle = json!({ "decision": decision, "words": words });
        wrong.extend(ground.try_it(decision, &Ask::post(DESK, &path, &settle), 400, code));
    }
    for seen in [
        json!([""]),
        json!(["00"]),
        json!([ground.held, "z".repeat(64)]),
    ] {
        let settle = json!({ "decision": "release", "words": "看过", "seen": seen });
        wrong.extend(ground.try_it("seen", &Ask::post(DESK, &path, &settle), 400, "seen"));
    }
    assert_eq!(wrong, [] as [String; 0]);
    for (first, second) in [
        ("release", "refuse"),
        ("refuse", "release"),
        ("release", "release"),
    ] {
        let ground = Ground::new();
        let path = format!("/v1/reviews/{}/{}", ground.case, ground.held);
        let settle = |decision: &str| {
            let settle = json!({ "decision": decision, "words": "看过" });
            Ask::post(DESK, &path, &settle)
        };
        let settled = ground.send(&settle(first));
        assert_eq!(settled.status, 200, "{}", settled.body);
        let twice = ground.try_it("twice", &settle(second), 404, "not_found");
        assert_eq!(twice, [] as [String; 0]);
    }
}

#[test]
fn a_code_enrols_one_phone_within_its_day() {
    let ground = Ground::new();
    let person = json!({ "person": ground.office.person(WALKER).hex() });
    let draw = || {
        let reply = ground.office.post(ADMIN, "/v1/devices/codes", &person);
        reply.json()["code"].as_str().expect("a code").to_owned()
    };
    let enrol = |code: &str, key: &str| Ask {
        who: None,
        ..Ask::post(
            "",
            "/v1/devices/enrol",
            &json!({ "code": code, "public_key": key }),
        )
    };
    let key = phone_key();
    let (used, late) = (draw(), draw());
    let mut wrong = Vec::new();
    for short in [
        "",
        "07",
        &"07".repeat(33),
        &"zz".repeat(32),
        &"+7".repeat(32),
        // Points of small order: whoever has one "signs" anything.
        &"00".repeat(32),
        &format!("01{}", "00".repeat(31)),
    ] {
        wrong.extend(ground.try_it("key", &enrol(&used, short), 400, "public_key"));
    }
    // As a person types it.
    let typed = format!(" {} ", used.to_lowercase());
    assert_eq!(ground.send(&enrol(&typed, &key)).status, 200);
    wrong.extend(ground.try_it("used", &enrol(&used, &key), 403, "bad_code"));
    for code in ["", "AAAAA-AAAAA", "é", &"A".repeat(10_000)] {
        wrong.extend(ground.try_it("unknown", &enrol(code, &key), 403, "bad_code"));
    }
    ground.office.machine.advance_ms(limits::ENROL_CODE_MS + 1);
    wrong.extend(ground.try_it("late", &enrol(&late, &key), 403, "bad_code"));
    assert_eq!(wrong, [] as [String; 0]);
}

#[test]
fn a_revoked_phone_gets_no_directory_and_revoking_again_changes_nothing() {
    let ground = Ground::new();
    let bearer = format!("Bearer {}", ground.token);
    let ask = || {
        let headers = [("authorization", bearer.as_str())];
        http::ask(ground.office.address, "GET", "/v1/directory", &headers, &[])
    };
    assert_eq!(ask().status, 200);
    let path = format!("/v1/devices/{}/revoke", ground.device);
    let revoke = Ask::post(ADMIN, path, &json!({}));
    assert_eq!(ground.send(&revoke).status, 200);
    let after = dump(&ground.office.app);
    let refused = ask();
    assert_eq!(
        (refused.status, &refused.json()["error"]["code"]),
        (401, &json!("signed_out"))
    );
    ground.office.machine.advance_ms(1_000);
    assert_eq!(ground.send(&revoke).status, 200);
    assert_eq!(dump(&ground.office.app), after);
}

#[test]
fn nobody_is_taken_back_who_proves_nothing_or_is_known() {
    let ground = Ground::new();
    let claim = json!({ "device": "01".repeat(8), "person": "02".repeat(8), "public_key": phone_key(),
                        "certificate": "03".repeat(16), "token": "a" });
    let ask = |claim: &serde_json::Value| Ask {
        who: None,
        ..Ask::post("", "/v1/devices/return", claim)
    };
    let mut wrong = Vec::new();
    for field in ["device", "person", "public_key", "certificate"] {
        for value in ["", "00", &"zz".repeat(16), &"00".repeat(40)] {
            let mut claim = claim.clone();
            claim[field] = json!(value);
            wrong.extend(ground.try_it("form", &ask(&claim), 400, field));
        }
    }
    wrong.extend(ground.try_it("unproved", &ask(&claim), 403, "not_ours"));
    assert_eq!(wrong, [] as [String; 0]);
}
