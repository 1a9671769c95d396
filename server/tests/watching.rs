//! What is noted of requests, and what a scrape shows.

use patrol_core::domain::limits;
use patrol_server::api::CookieKind;
use patrol_server::metrics;
use serde_json::json;

use crate::bad_input::ground::{ADMIN, Ground, hello};
use crate::http;
use crate::office::Office;
use crate::program::{Folder, Running, errand};

/// The value of a line of a scrape.
fn value(text: &str, name: &str) -> Option<f64> {
    let mut lines = text.lines().filter_map(|line| line.rsplit_once(' '));
    let (_, value) = lines.find(|(known, _)| *known == name)?;
    value.parse().ok()
}

#[test]
fn every_answer_has_an_id_and_a_good_one_is_kept() {
    let office = Office::open(CookieKind::Plain);
    let id = |path: &str, brought: Option<&str>| {
        let headers: Vec<_> = brought.map(|id| ("x-request-id", id)).into_iter().collect();
        let reply = http::ask(office.address, "GET", path, &headers, &[]);
        reply.header("x-request-id").expect("an id").to_owned()
    };
    let longest = "a".repeat(limits::REQUEST_ID_BYTES_MAX);
    for good in ["a", "Line_1-2", &longest] {
        assert_eq!(id("/healthz", Some(good)), good);
    }
    let drawn = [
        None,
        Some(""),
        Some("a b"),
        Some("a=1"),
        Some(&*format!("{longest}a")),
    ];
    let mut ids = drawn.map(|brought| id("/v1/session", brought)).to_vec();
    ids.push(id("/no/such/page", None));
    assert!(ids.iter().all(|id| id.len() == 16), "{ids:?}");
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 6);
}

#[test]
fn the_log_names_routes_and_no_cases() {
    let database = Folder::new("lines_of_the_log").database();
    let server = Running::start(&["--database", &database]);
    let case = "01a2072777497f09a4c356cb7fc90284";
    let path = format!("/v1/cases/{case}?limit=7");
    let reply = http::ask(
        server.address,
        "GET",
        &path,
        &[("x-request-id", "mine")],
        &[],
    );
    assert_eq!(reply.status, 401);
    http::ask(
        server.address,
        "GET",
        &format!("/elsewhere/{case}"),
        &[],
        &[],
    );
    server.signal("TERM");
    let (_, log) = server.ended();
    let lines: Vec<&str> = log
        .lines()
        .filter(|line| line.contains(" access: "))
        .collect();
    let [named, unknown] = lines.as_slice() else {
        panic!("two lines: {log}");
    };
    let parts = [
        "GET",
        "/v1/cases/{document}",
        "status=401",
        "ms=",
        "bytes=",
        "mine",
    ];
    assert!(parts.iter().all(|part| named.contains(part)), "{named}");
    assert!(
        unknown.contains("unknown") && unknown.contains("status=404"),
        "{unknown}"
    );
    assert!(!log.contains(case) && !log.contains("limit=7"), "{log}");
}

#[test]
fn a_scrape_shows_what_happened() {
    let ground = Ground::new();
    let office = &ground.office;
    assert_eq!(hello(&ground), 200);
    let revoke = format!("/v1/devices/{}/revoke", ground.device);
    assert_eq!(office.post(ADMIN, &revoke, &json!({})).status, 200);
    let text = metrics::scrape(&office.app).expect("text");
    for (name, expected) in [
        (
            "xuncun_requests_total{method=\"POST\",route=\"/v1/sync\",status=\"200\"}",
            1.0,
        ),
        (
            "xuncun_requests_total{method=\"POST\",route=\"/v1/devices/{device}/revoke\",status=\"200\"}",
            1.0,
        ),
        ("xuncun_request_seconds_count{route=\"/v1/sync\"}", 1.0),
        ("xuncun_sync_frames_total{way=\"up\",kind=\"hello\"}", 1.0),
        (
            "xuncun_sync_frames_total{way=\"down\",kind=\"welcome\"}",
            1.0,
        ),
        ("xuncun_sync_frames_total{way=\"down\",kind=\"done\"}", 1.0),
        ("xuncun_boxes_held", 1.0),
        ("xuncun_devices", 0.0),
        ("xuncun_devices_revoked", 1.0),
        ("xuncun_works", 0.0),
    ] {
        assert_eq!(value(&text, name), Some(expected), "{name}\n{text}");
    }
    for way in ["up", "down"] {
        let name = format!("xuncun_sync_bytes_total{{way=\"{way}\"}}");
        assert!(value(&text, &name) > Some(0.0), "{name}\n{text}");
    }
    let epoch = office.app.identity.epoch.hex();
    assert!(text.contains(&epoch) && text.ends_with("# EOF\n"), "{text}");
}

#[test]
fn whatever_is_asked_for_makes_no_new_label() {
    let office = Office::open(CookieKind::Plain);
    let scrape = || metrics::scrape(&office.app).expect("text").lines().count();
    let ask = |number: u32| {
        let path = format!("/elsewhere/{number}");
        http::ask(office.address, "GET", &path, &[], &[]);
        http::ask(office.address, &format!("M{number}"), &path, &[], &[]);
        let case = format!("/v1/cases/{number:032x}");
        http::ask(office.address, "GET", &case, &[], &[]);
    };
    ask(0);
    let before = scrape();
    (1..100).for_each(ask);
    assert_eq!(scrape(), before);
}

#[test]
fn metrics_have_a_port_of_their_own_and_tell_of_files_and_backups() {
    let database = Folder::new("metrics").database();
    let server = Running::start(&["--database", &database, "--metrics", "127.0.0.1:0"]);
    let (_, rest) = server.started.split_once("metrics on ").expect("a port");
    let word = rest.split_whitespace().next().expect("an address");
    let port = word.parse().expect("an address");
    let backup = format!("{database}.backup");
    let show = || {
        let reply = http::ask(port, "GET", "/metrics", &[], &[]);
        assert_eq!(reply.status, 200);
        reply.body
    };
    let at = |text: &str| value(text, "xuncun_last_backup_timestamp_seconds");
    let before = show();
    assert!(
        value(&before, "xuncun_database_bytes") > Some(0.0),
        "{before}"
    );
    assert!(value(&before, "xuncun_log_bytes").is_some(), "{before}");
    assert_eq!(
        (at(&before), value(&before, "xuncun_connections")),
        (Some(0.0), Some(1.0))
    );
    assert!(errand(&["backup", "--database", &database, "--to", &backup], "").ok);
    assert!(at(&show()) > Some(1.7e9));
    assert_eq!(http::ask(port, "GET", "/v1/devices", &[], &[]).status, 404);
    assert_eq!(
        http::ask(server.address, "GET", "/metrics", &[], &[]).status,
        404
    );
}
