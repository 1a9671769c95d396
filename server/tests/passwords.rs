//! New passwords: one's own, and another's by an administrator.

use patrol_core::domain::limits;
use patrol_server::api::CookieKind;
use patrol_server::auth;
use serde_json::{Value, json};

use crate::http::{self, Reply};
use crate::office::Office;

const ADMIN: &str = "管理员01";
const DESK: &str = "受理派遣员01";

fn reset(office: &Office, by: &str, whose: &str, body: &Value) -> Reply {
    let person = office.person(whose).hex();
    office.post(by, &format!("/v1/people/{person}/password"), body)
}

fn code(reply: &Reply) -> (u16, Value) {
    (reply.status, reply.json()["error"]["code"].clone())
}

fn shown(office: &Office, cookie: &str) -> u16 {
    http::ask(
        office.address,
        "GET",
        "/v1/session",
        &[("cookie", cookie)],
        &[],
    )
    .status
}

#[test]
fn an_administrator_gives_a_person_an_account_and_later_a_new_password() {
    let office = Office::open(CookieKind::Plain);
    let unnamed = json!({ "password": "eight signs" });
    assert_eq!(
        code(&reset(&office, ADMIN, DESK, &unnamed)),
        (400, json!("login"))
    );
    let first = json!({ "login": "desk", "password": "eight signs" });
    assert_eq!(reset(&office, ADMIN, DESK, &first).status, 200);
    let cookie = office.sign_in("desk", "eight signs").cookie();
    for _ in 0..limits::TRIES_FREE_MAX {
        assert_eq!(office.sign_in("desk", "wrong signs").status, 401);
    }
    assert_eq!(office.sign_in("desk", "eight signs").status, 429);

    let second = json!({ "password": "other signs" });
    let replaced = reset(&office, ADMIN, DESK, &second).json();
    assert_eq!(replaced, json!({ "replaced_login": null }));
    assert_eq!(shown(&office, &cookie), 401, "he is signed out");
    // What was tried before was tried on another password.
    assert_eq!(office.sign_in("desk", "eight signs").status, 401);
    assert_eq!(office.sign_in("desk", "other signs").status, 200);
    // The same where an errand on the machine has replaced it.
    for _ in 0..limits::TRIES_FREE_MAX {
        assert_eq!(office.sign_in("desk", "wrong signs").status, 401);
    }
    assert_eq!(office.sign_in("desk", "other signs").status, 429);
    let person = office.person(DESK);
    auth::put_account(&office.app, person, "desk", "third signs").expect("it is kept");
    assert_eq!(office.sign_in("desk", "third signs").status, 200);
    let taken = reset(&office, ADMIN, "评价员01", &first);
    assert_eq!(code(&taken), (409, json!("login_taken")));
    let short = json!({ "login": "desk", "password": "seven.." });
    assert_eq!(
        code(&reset(&office, ADMIN, DESK, &short)),
        (400, json!("password"))
    );
    let renamed = json!({ "login": "table", "password": "fifth signs" });
    let replaced = reset(&office, ADMIN, DESK, &renamed).json();
    assert_eq!(replaced, json!({ "replaced_login": "desk" }));
    let blank = json!({ "login": "de sk", "password": "eight signs" });
    assert_eq!(
        code(&reset(&office, ADMIN, DESK, &blank)),
        (400, json!("login"))
    );
    let path = format!("/v1/people/{}/password", "00".repeat(8));
    let nobody = office.post(ADMIN, &path, &first);
    assert_eq!(code(&nobody), (404, json!("not_found")));
}

#[test]
fn nobody_else_gives_passwords_and_no_right_comes_with_one() {
    let office = Office::open(CookieKind::Plain);
    office.account(ADMIN, "admin", "eight signs");
    let body = json!({ "login": "mine", "password": "other signs" });
    for (by, whose) in [(DESK, ADMIN), (DESK, DESK), ("督办领导01", "巡查员01")] {
        let reply = reset(&office, by, whose, &body);
        assert_eq!(code(&reply), (403, json!("not_permitted")), "{by} {whose}");
    }
    assert_eq!(office.sign_in("admin", "eight signs").status, 200);
    assert_eq!(reset(&office, ADMIN, DESK, &body).status, 200);
    let reply = reset(
        &office,
        DESK,
        "评价员01",
        &json!({ "login": "x", "password": "eight signs" }),
    );
    assert_eq!(code(&reply), (403, json!("not_permitted")));
    // Who holds no post has an account then, and does not come in.
    let now = office.app.environment.now();
    office.change(DESK, |posts| posts[0].until = Some(now));
    assert_eq!(reset(&office, ADMIN, DESK, &body).status, 200);
    assert_eq!(office.sign_in("mine", "other signs").status, 401);
}

#[test]
fn a_person_changes_his_own_password_and_stays_signed_in_here_alone() {
    let office = Office::open(CookieKind::Plain);
    office.account(DESK, "desk", "eight signs");
    let (here, there) = (
        office.sign_in("desk", "eight signs").cookie(),
        office.sign_in("desk", "eight signs").cookie(),
    );
    let origin = office.origin();
    let change = |old: &str, new: &str| {
        let headers = [("cookie", here.as_str()), ("origin", origin.as_str())];
        let body = json!({ "old": old, "new": new });
        http::post(office.address, "/v1/session/password", &headers, &body)
    };
    assert_eq!(
        code(&change("eight signs", "short")),
        (400, json!("password"))
    );
    let wrong = change("wrong signs", "other signs");
    assert_eq!(code(&wrong), (403, json!("wrong_password")));
    let changed = change("eight signs", "other signs");
    assert_eq!(changed.status, 200, "{}", changed.body);
    let after = [&here, &there, &changed.cookie()].map(|cookie| shown(&office, cookie));
    assert_eq!(after, [401, 401, 200]);
    assert_eq!(office.sign_in("desk", "other signs").status, 200);
    assert_eq!(office.sign_in("desk", "eight signs").status, 401);
}

#[test]
fn guessing_the_old_password_waits_as_signing_in_does_and_neither_holds_up_the_other() {
    let office = Office::open(CookieKind::Plain);
    office.account(DESK, "desk", "eight signs");
    let change = |old: &str| {
        let body = json!({ "old": old, "new": "other signs" });
        office.post(DESK, "/v1/session/password", &body).status
    };
    for _ in 0..limits::TRIES_FREE_MAX {
        assert_eq!(change("wrong signs"), 403);
    }
    assert_eq!(change("eight signs"), 429);
    assert_eq!(office.sign_in("desk", "eight signs").status, 200);
    for _ in 0..limits::TRIES_FREE_MAX {
        assert_eq!(office.sign_in("desk", "wrong signs").status, 401);
    }
    assert_eq!(office.sign_in("desk", "eight signs").status, 429);
    office.machine.advance_ms(limits::TRIES_WAIT_MS);
    assert_eq!(office.sign_in("desk", "wrong signs").status, 401);
    assert_eq!(office.sign_in("desk", "eight signs").status, 429);
    assert_eq!(change("eight signs"), 200);
}
