//! The binary stops when it is told to: what is under way is finished, within bounds, and the database is closed.

use std::path::Path;

use serde_json::json;

use crate::http;
use crate::program::{Folder, Running};

fn is_closed(database: &str) -> bool {
    Path::new(database).exists() && !Path::new(&format!("{database}-wal")).exists()
}

#[test]
fn a_server_that_is_told_to_stop_finishes_open_requests_and_closes_its_database() {
    for signal in ["TERM", "INT"] {
        let database = Folder::new(&format!("stop_{signal}")).database();
        let mut server = Running::start(&["--database", &database]);
        let origin = format!("http://{}", server.address);
        let body = json!({ "login": "nobody", "password": "eight signs" }).to_string();
        let (now, later) = body.as_bytes().split_at(10);
        let headers = [
            ("origin", origin.as_str()),
            ("expect", "100-continue"),
            ("content-type", "application/json"),
        ];
        let mut open = http::open(server.address, "POST", "/v1/session", &headers, body.len());
        open.wait_until_asked();
        open.send(now);
        server.signal(signal);
        server.wait_for("stopping");
        assert_eq!(open.finish(later).status, 401, "{signal}");
        let (status, log) = server.ended();
        assert!(status.success(), "{signal}: {log}");
        assert!(
            log.contains("the database is closed") && !log.contains("cut"),
            "{log}"
        );
        assert!(is_closed(&database), "{signal}");
    }
}

#[test]
fn a_request_that_never_ends_is_cut_after_its_time() {
    let database = Folder::new("stop_cut").database();
    let mut server = Running::start(&["--database", &database, "--stop-ms", "50"]);
    let origin = format!("http://{}", server.address);
    let headers = [
        ("origin", origin.as_str()),
        ("expect", "100-continue"),
        ("content-type", "application/json"),
    ];
    let mut open = http::open(server.address, "POST", "/v1/session", &headers, 1_000);
    open.wait_until_asked();
    server.signal("TERM");
    server.wait_for("were cut after 50 ms");
    assert_eq!(open.cut(), 0);
    let (status, _) = server.ended();
    assert!(status.success());
    assert!(is_closed(&database));
}
