//! Requests that are wrong before anything is asked of the rules: unknown URLs and methods, nobody signed in, bodies that are none.

use patrol_core::domain::limits;
use patrol_core::sync::frame::{FrameWriter, Volume};
use patrol_core::sync::wire::{Hello, kind as frame_kind};
use serde_json::{Value, json};

use super::ground::{ADMIN, Ask, DESK, Ground, STRANGER, WALKER};
use super::routes::{self, By, Route, Takes};

/// The routes that take JSON: a good request, and its body.
fn with_json(ground: &Ground) -> Vec<(Ask<'static>, Value)> {
    let routes = routes::all(ground).into_iter();
    routes
        .filter_map(|route| match &route.takes {
            Takes::Json(body) => Some((route.ask(), body.clone())),
            Takes::Nothing | Takes::Bytes(_) => None,
        })
        .collect()
}

#[test]
fn bodies_that_are_no_json_of_the_route_are_refused() {
    let ground = Ground::new();
    let mut wrong = Vec::new();
    for (good, body) in with_json(&ground) {
        let with = |body: &[u8]| Ask {
            body: body.to_vec(),
            ..good.clone()
        };
        let typed = |kind: Option<&str>| Ask {
            headers: kind
                .map(|kind| ("content-type", kind.to_owned()))
                .into_iter()
                .collect(),
            ..good.clone()
        };
        let mut unknown = body.clone();
        unknown["surprise"] = json!(1);
        let mut large = body.clone();
        large["words"] = json!("字".repeat(limits::JSON_BYTES_MAX / 3));
        let mut other = body.clone();
        for value in other.as_object_mut().expect("an object").values_mut() {
            *value = json!(7);
        }
        for (what, ask, status, code) in [
            ("no type", typed(None), 415, "content_type"),
            (
                "a form",
                typed(Some("application/x-www-form-urlencoded")),
                415,
                "content_type",
            ),
            ("nothing", with(b""), 400, "malformed"),
            ("broken", with(b"{\"a\":"), 400, "malformed"),
            ("not UTF-8", with(b"{\"a\":\"\xff\"}"), 400, "malformed"),
            ("an array", with(b"[]"), 400, "malformed"),
            ("no fields", with(b"{}"), 400, "malformed"),
            (
                "deep",
                with("[".repeat(10_000).as_bytes()),
                400,
                "malformed",
            ),
            (
                "an unknown field",
                with(unknown.to_string().as_bytes()),
                400,
                "malformed",
            ),
            (
                "other types",
                with(other.to_string().as_bytes()),
                400,
                "malformed",
            ),
            (
                "too large",
                with(large.to_string().as_bytes()),
                413,
                "too_large",
            ),
        ] {
            wrong.extend(ground.try_it(what, &ask, status, code));
        }
    }
    assert_eq!(wrong, [] as [String; 0]);
}

#[test]
fn unknown_urls_and_methods_are_named() {
    let ground = Ground::new();
    let mut wrong = Vec::new();
    for path in [
        "/",
        "/v1",
        "/v2/cases",
        "/v1/cases/",
        "/v1/cases/x/y",
        "/v1/%ff",
        "/v1/cases/%ff",
    ] {
        let ask = Ask::get(ADMIN, path);
        wrong.extend(ground.try_it("unknown", &ask, 404, "not_found"));
    }
    let routes = routes::all(&ground);
    let has = |method: &str, path: &str| {
        let mut routes = routes.iter();
        routes.any(|route| route.path == path && route.method == method)
    };
    // A name in one URL may be a word in another.
    let is_word = |path: &str| path == "/v1/components/near" || path == "/v1/villages/lacking";
    for route in &routes {
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH"] {
            if has(method, &route.path) || is_word(&route.path) {
                continue;
            }
            let ask = Ask {
                method,
                ..Ask::get(ADMIN, route.path.clone())
            };
            wrong.extend(ground.try_it("method", &ask, 405, "method_not_allowed"));
        }
    }
    assert_eq!(wrong, [] as [String; 0]);
}

#[test]
fn nobody_gets_anything_without_signing_in_and_nothing_changes_from_elsewhere() {
    let ground = Ground::new();
    let mut wrong = Vec::new();
    let routes = routes::all(&ground);
    let asks = routes.iter().filter(|route| route.is_of_people());
    let asks: Vec<Ask<'_>> = asks.map(Route::ask).collect();
    assert!(asks.len() > 20, "{}", asks.len());
    let foreign = format!("ftp://{}", ground.office.address);
    for ask in asks.iter().filter(|ask| ask.method != "GET") {
        for origin in ["http://evil.example", "null", "", &foreign] {
            let mut ask = ask.clone();
            ask.headers.push(("origin", origin.to_owned()));
            wrong.extend(ground.try_it("elsewhere", &ask, 403, "foreign_origin"));
        }
    }
    for ask in asks {
        for cookie in [
            "",
            "xuncun_session=",
            "xuncun_session=guessed",
            "other=1; ;=;",
        ] {
            let mut ask = Ask {
                who: None,
                ..ask.clone()
            };
            ask.headers.push(("cookie", cookie.to_owned()));
            wrong.extend(ground.try_it("nobody", &ask, 401, "signed_out"));
        }
    }
    assert_eq!(wrong, [] as [String; 0]);
}

#[test]
fn phones_without_a_good_token_get_nothing_and_what_is_not_of_the_protocol_neither() {
    let ground = Ground::new();
    let mut wrong = Vec::new();
    let bearer = |token: &str| vec![("authorization", format!("Bearer {token}"))];
    let sync = |headers| Ask {
        who: None,
        method: "POST",
        headers,
        body: b"XCN1".to_vec(),
        ..Ask::get("", "/v1/sync")
    };
    let routes = routes::all(&ground);
    let of_phones = || routes.iter().filter(|route| route.by == By::Phone);
    let basic = vec![("authorization", format!("Basic {}", ground.token))];
    for headers in [Vec::new(), bearer(""), bearer("guessed"), basic] {
        for route in of_phones() {
            let mut ask = route.ask();
            ask.headers.extend(headers.clone());
            wrong.extend(ground.try_it(route.id, &ask, 401, "signed_out"));
        }
    }
    // A browser's session is no phone.
    for route in of_phones() {
        let ask = Ask {
            who: Some(WALKER),
            ..route.ask()
        };
        wrong.extend(ground.try_it(route.id, &ask, 401, "signed_out"));
    }
    let kind = |kind: &str| {
        let mut headers = bearer(&ground.token);
        headers.push(("content-type", kind.to_owned()));
        headers
    };
    let good = patrol_core::sync::wire::CONTENT_TYPE;
    wrong.extend(ground.try_it("no type", &sync(bearer(&ground.token)), 415, "content_type"));
    wrong.extend(ground.try_it("type", &sync(kind("application/json")), 415, "content_type"));
    let zeros = vec![0; 100_000];
    for (body, code) in [
        (&b""[..], "cut"),
        (b"XCN1", "cut"),
        (b"XCN2aaaa", "malformed"),
        (b"<html></html>", "malformed"),
        (&zeros, "malformed"),
        (b"XCN1 and no stream", "malformed"),
    ] {
        let ask = Ask {
            body: body.to_vec(),
            ..sync(kind(good))
        };
        wrong.extend(ground.try_it("body", &ask, 400, code));
    }
    let mut stream = FrameWriter::new(Volume::Much);
    let hello = Hello::first(ground.office.app.identity.epoch);
    stream.write(frame_kind::HELLO, &hello.encode());
    for _ in 0..limits::REQUEST_FRAMES_MAX {
        stream.write(200, b"to be passed over");
    }
    let ask = Ask {
        body: [stream.take(), stream.finish()].concat(),
        ..sync(kind(good))
    };
    // Its hello counts: the phone has been heard of.
    let reply = ground.send(&ask);
    assert_eq!(
        (reply.status, &reply.json()["error"]["code"]),
        (413, &json!("too_large"))
    );
    assert_eq!(wrong, [] as [String; 0]);
}

/// Of no document, of no device.
const ABSENT: &str = "01a2072777497f09a4c356cb7fc90284";

/// A name as it stands in a URL.
fn escaped(name: &str) -> String {
    let escape = |byte: u8| match byte {
        b'a'..=b'z' | b'0'..=b'9' => char::from(byte).to_string(),
        _ => format!("%{byte:02x}"),
    };
    name.bytes().map(escape).collect()
}

#[test]
fn a_case_that_is_not_there_and_one_that_is_not_for_the_person_are_told_alike() {
    let ground = Ground::new();
    let mut wrong = Vec::new();
    let note = ground.office.deed("note", &json!([]));
    let names = [
        ABSENT,
        &ground.case,
        "00",
        &"0".repeat(33),
        &"é".repeat(16),
        &"+1".repeat(16),
    ];
    for name in names.map(escaped) {
        let page = Ask::get(STRANGER, format!("/v1/cases/{name}"));
        wrong.extend(ground.try_it("page", &page, 404, "not_found"));
        for action in [
            "note",
            "report",
            "accept",
            "cancel",
            "mark_duplicate",
            "count",
        ] {
            let mut deed = note.clone();
            deed["action"] = json!(action);
            let act = Ask::post(STRANGER, format!("/v1/cases/{name}/actions"), &deed);
            wrong.extend(ground.try_it(action, &act, 404, "not_found"));
        }
    }
    assert_eq!(wrong, [] as [String; 0]);
    let listed = ground.office.get(STRANGER, "/v1/cases").json();
    assert_eq!(listed, json!({ "cases": [], "next": null }));
}

#[test]
fn names_of_nothing_are_not_found() {
    let ground = Ground::new();
    let mut wrong = Vec::new();
    let settle = json!({ "decision": "refuse", "words": "看过" });
    let hash = "00".repeat(32);
    for path in [
        format!("/v1/reviews/{ABSENT}/{hash}"),
        format!("/v1/reviews/{}/{hash}", ground.case),
        format!("/v1/reviews/{ABSENT}/{}", ground.held),
        format!("/v1/reviews/{}/00", ground.case),
        format!("/v1/reviews/x/{hash}"),
    ] {
        wrong.extend(ground.try_it("review", &Ask::post(DESK, path, &settle), 404, "not_found"));
    }
    for device in ["0000000000000000", "00", "x", "+1+1+1+1+1+1+1+1"] {
        let ask = Ask::post(ADMIN, format!("/v1/devices/{device}/revoke"), &json!({}));
        wrong.extend(ground.try_it("device", &ask, 404, "not_found"));
    }
    for (person, status, code) in [
        ("0000000000000000", 404, "not_found"),
        ("00", 400, "person"),
        ("", 400, "person"),
        ("+1+1+1+1+1+1+1+1", 400, "person"),
    ] {
        let ask = Ask::post(ADMIN, "/v1/devices/codes", &json!({ "person": person }));
        wrong.extend(ground.try_it("person", &ask, status, code));
    }
    for (query, code) in [
        ("after=x", "after"),
        ("after=1-2", "after"),
        ("after=", "after"),
        ("limit=-1", "query"),
        ("limit=many", "query"),
        ("surprise=1", "query"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("kind=Case", "kind"),
        ("kind=photo", "kind"),
        ("stage=open", "stage"),
        ("stage=closed,open", "stage"),
        ("conflicts=1", "query"),
        ("conflicts=", "query"),
    ] {
        let ask = Ask::get(DESK, format!("/v1/cases?{query}"));
        wrong.extend(ground.try_it("query", &ask, 400, code));
    }
    for (query, code) in [
        ("after=x", "query"),
        ("after=-1", "query"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("surprise=1", "query"),
    ] {
        let ask = Ask::get(DESK, format!("/v1/reviews?{query}"));
        wrong.extend(ground.try_it("query", &ask, 400, code));
    }
    assert_eq!(wrong, [] as [String; 0]);
}

#[test]
fn what_only_some_may_do_is_forbidden_to_the_others() {
    let ground = Ground::new();
    let mut wrong = Vec::new();
    for route in routes::all(&ground) {
        let By::Some(may, may_not) = route.by else {
            continue;
        };
        let others = if may == ADMIN {
            &[DESK, "督办领导01"][..]
        } else {
            &[]
        };
        for who in others.iter().chain([&may_not]) {
            let ask = Ask {
                who: Some(who),
                ..route.ask()
            };
            wrong.extend(ground.try_it(route.id, &ask, 403, "not_permitted"));
        }
    }
    let settle = json!({ "decision": "release", "words": "看过" });
    let path = format!("/v1/reviews/{}/{}", ground.case, ground.held);
    for who in [WALKER, ADMIN, "值班长01"] {
        wrong.extend(ground.try_it(who, &Ask::get(who, "/v1/reviews"), 403, "not_permitted"));
        wrong.extend(ground.try_it(who, &Ask::post(who, &path, &settle), 403, "not_permitted"));
    }
    assert_eq!(wrong, [] as [String; 0]);
}

#[test]
fn bytes_of_another_type_or_of_none_are_refused() {
    let ground = Ground::new();
    let mut wrong = Vec::new();
    for route in routes::all(&ground) {
        let Takes::Bytes(_) = route.takes else {
            continue;
        };
        let bearer = ("authorization", format!("Bearer {}", ground.token));
        for other in [None, Some("application/json"), Some("text/csv")] {
            let kind = other.map(|kind| ("content-type", kind.to_owned()));
            let ask = Ask {
                headers: kind.into_iter().chain([bearer.clone()]).collect(),
                ..route.ask()
            };
            wrong.extend(ground.try_it(route.id, &ask, 415, "content_type"));
        }
        let code = match route.id {
            "hand_in_bundle" => "bundle",
            _ => "malformed",
        };
        let mut ask = route.ask();
        ask.headers.push(bearer);
        ask.body = vec![0xa5; 1_000];
        wrong.extend(ground.try_it(route.id, &ask, 400, code));
    }
    assert_eq!(wrong, [] as [String; 0]);
}

#[test]
fn names_that_are_none_and_questions_that_are_not_asked_are_named() {
    let ground = Ground::new();
    let mut wrong = Vec::new();
    let terminal = |name: &str| format!("/v1/villages/{name}/terminal");
    let garbage = ["x", "-1", "%ff", "99999999999999999999999"];
    for name in garbage {
        let post = |path: String| Ask::post(ADMIN, path, &json!({}));
        let end = Ask {
            method: "DELETE",
            ..Ask::get(ADMIN, terminal(name))
        };
        let asks = [
            Ask::get(ADMIN, format!("/v1/components/codes/{name}")),
            Ask::get(ADMIN, format!("/v1/imports/directories/{name}")),
            Ask::get(ADMIN, format!("/v1/imports/components/{name}")),
            post(format!("/v1/imports/{name}/adopt")),
            post(terminal(name)),
            end,
        ];
        for ask in asks {
            wrong.extend(ground.try_it("name", &ask, 404, "not_found"));
        }
    }
    let place = "lon_e7=1135000000&lat_e7=222000000";
    for (query, code) in [
        ("", "query"),
        ("lon_e7=1", "query"),
        ("lon_e7=x&lat_e7=1", "query"),
        (&format!("{place}&surprise=1"), "query"),
        (&format!("{place}&limit=0"), "limit"),
        (&format!("{place}&limit=201"), "limit"),
    ] {
        let ask = Ask::get(WALKER, format!("/v1/components/near?{query}"));
        wrong.extend(ground.try_it("near", &ask, 400, code));
    }
    for (query, code) in [
        ("after=x", "query"),
        ("surprise=1", "query"),
        ("limit=0", "limit"),
    ] {
        let ask = Ask::get(ADMIN, format!("/v1/imports/components/1?{query}"));
        wrong.extend(ground.try_it("replaced", &ask, 400, code));
    }
    let person = |name: &str| format!("/v1/people/{name}");
    let (leave, password) = (
        json!({ "from": "2026-12-01" }),
        json!({ "login": "b", "password": "eight signs" }),
    );
    for name in ["x", "00", "0000000000000000", "+1+1+1+1+1+1+1+1"] {
        let asks = [
            Ask::post(ADMIN, format!("{}/leave", person(name)), &leave),
            Ask::post(ADMIN, format!("{}/password", person(name)), &password),
        ];
        for ask in asks {
            wrong.extend(ground.try_it("person", &ask, 404, "not_found"));
        }
    }
    let walker = person(&ground.office.person(WALKER).hex());
    for (field, value, code) in [
        ("from", "", "from"),
        ("from", "tomorrow", "from"),
        ("from", "2026-13-01", "from"),
        ("substitute", "x", "substitute"),
        ("substitute", "0000000000000000", "substitute"),
    ] {
        let mut body = leave.clone();
        body[field] = json!(value);
        let ask = Ask::post(ADMIN, format!("{walker}/leave"), &body);
        wrong.extend(ground.try_it(value, &ask, 400, code));
    }
    let long = "字".repeat(limits::LOGIN_CHARS_MAX + 1);
    for (field, value, code) in [
        ("login", "", "login"),
        ("login", "two words", "login"),
        ("login", &long, "login"),
        ("password", "short", "password"),
        (
            "password",
            &"p".repeat(limits::PASSWORD_BYTES_MAX + 1),
            "password",
        ),
    ] {
        let mut body = password.clone();
        body[field] = json!(value);
        let ask = Ask::post(ADMIN, format!("{walker}/password"), &body);
        wrong.extend(ground.try_it(field, &ask, 400, code));
    }
    assert_eq!(wrong, [] as [String; 0]);
}
