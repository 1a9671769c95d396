//! Signing in and out: what the cookie is marked with, where a request may come from, how long a session lasts and for whom.

use patrol_core::domain::directory::Post;
use patrol_core::domain::limits;
use patrol_server::api::CookieKind;
use serde_json::json;

use crate::http::{self, Reply};
use crate::office::Office;

const ADMIN: &str = "管理员01";

/// An office where somebody has an account, and what signing in answers.
fn signed_in(cookies: CookieKind) -> (Office, Reply) {
    let office = Office::open(cookies);
    office.account(ADMIN, "admin", "eight signs");
    let reply = office.sign_in("admin", "eight signs");
    assert_eq!(reply.status, 200, "{}", reply.body);
    (office, reply)
}

fn shown(office: &Office, cookie: &str) -> u16 {
    let cookie = [("cookie", cookie)];
    http::ask(office.address, "GET", "/v1/session", &cookie, &[]).status
}

fn is_signed_out(reply: &Reply) -> bool {
    reply.status == 401 && reply.json() == json!({ "error": { "code": "signed_out" } })
}

#[test]
fn the_cookie_is_for_this_server_alone_and_no_script_reads_it() {
    for (kind, is_secure) in [(CookieKind::Secure, true), (CookieKind::Plain, false)] {
        let (office, reply) = signed_in(kind);
        let cookie = reply.header("set-cookie").expect("a cookie").to_owned();
        for mark in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"] {
            assert!(cookie.contains(&format!("; {mark}")), "{cookie}");
        }
        assert_eq!(cookie.contains("; Secure"), is_secure, "{cookie}");
        assert_eq!(cookie.starts_with("__Host-"), is_secure, "{cookie}");
        assert!(!cookie.contains("Domain"), "{cookie}");
        assert_eq!(reply.json()["name"], ADMIN);
        assert_eq!(shown(&office, &reply.cookie()), 200);
        // One without the prefix may have been set by another page.
        let bare = reply.cookie().replace("__Host-", "");
        assert_eq!(shown(&office, &bare) == 401, is_secure);
    }
}

#[test]
fn nobody_on_the_way_keeps_an_answer() {
    let (office, reply) = signed_in(CookieKind::Plain);
    let cookie = reply.cookie();
    let get = |path| {
        let cookie = [("cookie", cookie.as_str())];
        http::ask(office.address, "GET", path, &cookie, &[])
    };
    let paths = [
        "/v1/session",
        "/v1/cases",
        "/v1/devices",
        "/v1/no_such",
        "/healthz",
    ];
    for reply in paths.map(get).iter().chain([&reply]) {
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{reply:?}");
    }
}

#[test]
fn what_changes_something_must_come_from_a_page_of_this_server() {
    let (office, reply) = signed_in(CookieKind::Plain);
    let cookie = reply.cookie();
    let (own, other) = (office.origin(), "http://evil.example".to_owned());
    let code = json!({ "person": office.person("巡查员01").hex() });
    let sign_in = json!({ "login": "admin", "password": "eight signs" });
    for (origin, status) in [(Some(&own), 200), (Some(&other), 403), (None, 403)] {
        let mut headers = vec![("cookie", cookie.as_str())];
        headers.extend(origin.map(|origin| ("origin", origin.as_str())));
        for (path, body) in [("/v1/devices/codes", &code), ("/v1/session", &sign_in)] {
            let reply = http::post(office.address, path, &headers, body);
            assert_eq!(reply.status, status, "{path} from {origin:?}");
            if status == 403 {
                assert_eq!(reply.json()["error"]["code"], "foreign_origin");
            }
        }
    }
    let null = [("cookie", cookie.as_str()), ("origin", "null")];
    let reply = http::ask(office.address, "DELETE", "/v1/session", &null, &[]);
    assert_eq!(reply.status, 403);
    assert_eq!(shown(&office, &cookie), 200);
}

#[test]
fn a_session_ends_by_time_by_signing_out_and_with_a_new_password() {
    let (office, reply) = signed_in(CookieKind::Plain);
    let cookie = reply.cookie();
    office.machine.advance_ms(limits::SIGN_IN_MS - 1);
    assert_eq!(shown(&office, &cookie), 200);
    office.machine.advance_ms(1);
    assert_eq!(shown(&office, &cookie), 401);

    let cookie = office.sign_in("admin", "eight signs").cookie();
    let other = office.sign_in("admin", "eight signs").cookie();
    let origin = office.origin();
    let headers = [("cookie", cookie.as_str()), ("origin", origin.as_str())];
    let out = http::ask(office.address, "DELETE", "/v1/session", &headers, &[]);
    let cleared = out.header("set-cookie").unwrap_or_default();
    assert!(
        out.status == 200 && cleared.contains("Max-Age=0"),
        "{out:?}"
    );
    assert_eq!(
        [&cookie, &other].map(|cookie| shown(&office, cookie)),
        [401, 200]
    );
    let again = http::ask(office.address, "DELETE", "/v1/session", &headers, &[]);
    assert!(is_signed_out(&again));

    office.account(ADMIN, "admin", "other signs");
    assert_eq!(shown(&office, &other), 401);
    assert!(is_signed_out(&office.sign_in("admin", "eight signs")));
    assert_eq!(office.sign_in("admin", "other signs").status, 200);
}

#[test]
fn whoever_has_left_can_neither_sign_in_nor_stay_signed_in() {
    let (office, reply) = signed_in(CookieKind::Plain);
    let cookie = reply.cookie();
    let now = patrol_server::app::Environment::now(office.machine.as_ref());
    office.change(ADMIN, |posts| posts[0].until = Some(now));
    assert_eq!(shown(&office, &cookie), 401);
    assert!(is_signed_out(&office.sign_in("admin", "eight signs")));
    // His account is kept: with a new post he is back.
    office.change(ADMIN, |posts| {
        posts.push(Post {
            until: None,
            ..posts[0]
        });
    });
    assert_eq!(office.sign_in("admin", "eight signs").status, 200);
    assert_eq!(shown(&office, &cookie), 200);
    // So it is of one whom the directory does not know at all.
    let mut directory = office.app.known().directory.clone();
    directory.people.retain(|person| person.name != ADMIN);
    office.app.put_directory(&directory).expect("it is kept");
    assert_eq!(shown(&office, &cookie), 401);
    assert!(is_signed_out(&office.sign_in("admin", "eight signs")));
}

#[test]
fn a_wrong_password_an_unknown_login_and_one_too_long_are_told_alike() {
    let (office, _) = signed_in(CookieKind::Plain);
    let long = "a".repeat(limits::PASSWORD_BYTES_MAX + 1);
    for (login, password) in [
        ("admin", "wrong signs"),
        ("nobody", "eight signs"),
        ("admin", ""),
        ("", ""),
        ("admin", &long),
        (&long, "eight signs"),
    ] {
        assert!(is_signed_out(&office.sign_in(login, password)), "{login}");
    }
}

#[test]
fn a_flood_of_sign_ins_is_told_to_come_again_and_holds_up_nobody_who_is_signed_in() {
    let (office, reply) = signed_in(CookieKind::Plain);
    let (office, cookie) = (&office, reply.cookie());
    std::thread::scope(|scope| {
        let (answered, answers) = std::sync::mpsc::channel();
        for number in 0..4 * limits::SIGN_INS_WAITING {
            let answered = answered.clone();
            scope.spawn(move || {
                let login = format!("nobody{number}");
                let sent = answered.send(office.sign_in(&login, "wrong signs").status);
                sent.expect("somebody counts");
            });
        }
        drop(answered);
        // From the first that is sent away on, as many are hashed or wait as may.
        let mut hashed = 0;
        loop {
            match answers.recv().expect("some are sent away") {
                503 => break,
                status => assert_eq!(status, 401),
            }
            hashed += 1;
        }
        assert_eq!(shown(office, &cookie), 200);
        let before = answers.try_iter().filter(|status| *status == 401).count();
        let rest: Vec<u16> = answers.iter().collect();
        assert!(rest.iter().all(|status| [401, 503].contains(status)));
        let later = rest.iter().filter(|status| **status == 401).count();
        assert!(
            later > 0,
            "he was answered after {hashed} and {before} of the flood, all of it"
        );
    });
    assert_eq!(office.sign_in("admin", "eight signs").status, 200);
}

#[test]
fn a_login_that_fails_too_often_waits_whoever_it_is_and_nobody_else_does() {
    let (office, reply) = signed_in(CookieKind::Plain);
    let cookie = reply.cookie();
    for login in ["admin", "nobody"] {
        for _ in 0..limits::TRIES_FREE_MAX {
            assert!(is_signed_out(&office.sign_in(login, "wrong signs")));
        }
        // The right password waits too: otherwise waiting would say which one is wrong.
        let waits = office.sign_in(login, "eight signs");
        assert_eq!(
            (waits.status, waits.header("retry-after")),
            (429, Some("30"))
        );
        let code = json!({ "error": { "code": "too_many_tries" } });
        assert_eq!(waits.json(), code, "{login}");
    }
    assert_eq!(shown(&office, &cookie), 200);
    office.account("评价员01", "other", "eight signs");
    assert_eq!(office.sign_in("other", "eight signs").status, 200);

    office.machine.advance_ms(limits::TRIES_WAIT_MS - 1);
    let waits = office.sign_in("admin", "eight signs");
    assert_eq!(
        (waits.status, waits.header("retry-after")),
        (429, Some("1"))
    );
    office.machine.advance_ms(1);
    assert!(is_signed_out(&office.sign_in("admin", "wrong signs")));
    assert_eq!(
        office.sign_in("admin", "eight signs").header("retry-after"),
        Some("60")
    );
    office.machine.advance_ms(2 * limits::TRIES_WAIT_MS);
    assert_eq!(office.sign_in("admin", "eight signs").status, 200);
    assert!(is_signed_out(&office.sign_in("admin", "wrong signs")));
}
