//! Clients that keep still: each is given up after its time, and holds up nobody else.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use patrol_core::domain::limits;
use patrol_core::sync::wire::CONTENT_TYPE;
use patrol_server::metrics;
use serde_json::json;

use crate::bad_input::ground::{Ground, hello};
use crate::http;
use crate::program::{Folder, Running, errand};

fn patient_for(name: &str, stall_ms: &str) -> Running {
    let database = Folder::new(name).database();
    Running::start(&["--database", &database, "--stall-ms", stall_ms])
}

/// Sends bytes and waits for the server to end the connection: what it sent.
fn sent_and_left(server: SocketAddr, bytes: &[u8]) -> String {
    let mut socket = TcpStream::connect(server).expect("the server listens");
    let patience = Some(Duration::from_secs(60));
    socket
        .set_read_timeout(patience)
        .expect("a timeout can be set");
    socket.write_all(bytes).expect("the server takes bytes");
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).expect("the server ends it");
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn a_client_that_keeps_still_is_given_up() {
    let server = patient_for("still", "50");
    assert_eq!(sent_and_left(server.address, b""), "");
    let half_a_head = b"POST /v1/session HTTP/1.1\r\nhost: a\r\n";
    assert!(!sent_and_left(server.address, half_a_head).contains("200"));
    // An answered one that asks for nothing more goes too.
    let healthy = b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n";
    assert!(sent_and_left(server.address, healthy).starts_with("HTTP/1.1 200"));
    let origin = format!("http://{}", server.address);
    let headers = [
        ("origin", origin.as_str()),
        ("content-type", "application/json"),
    ];
    let open = http::open(server.address, "POST", "/v1/session", &headers, 100);
    let reply = open.finish(b"{");
    assert_eq!(reply.status, 408, "{}", reply.body);
    assert_eq!(reply.json(), json!({ "error": { "code": "stalled" } }));
}

#[test]
fn clients_that_keep_still_hold_up_nobody_while_there_are_places() {
    let server = patient_for("held", "60000");
    let still: Vec<TcpStream> = (0..100)
        .map(|_| {
            let mut socket = TcpStream::connect(server.address).expect("the server listens");
            let head = b"POST /v1/sync HTTP/1.1\r\n";
            socket.write_all(head).expect("the server takes bytes");
            socket
        })
        .collect();
    let reply = http::ask(server.address, "GET", "/healthz", &[], b"");
    assert_eq!(reply.status, 200);
    drop(still);
}

#[test]
fn a_file_that_never_comes_holds_no_place_for_ever() {
    let folder = Folder::new("files_held");
    let database = folder.database();
    let args = ["--database", &database, "--plain-cookies"];
    let server = Running::start(&[&args[..], &["--stall-ms", "500"]].concat());
    let words = ["person", "administrator", "--name", "李强"];
    let more = ["--login", "first", "--database", &database];
    assert!(errand(&[words, more].concat(), "eight signs").ok);
    server.signal("HUP");
    let mut server = server;
    server.wait_for("looked again");
    let origin = format!("http://{}", server.address);
    let sign_in = json!({ "login": "first", "password": "eight signs" });
    let from = [("origin", origin.as_str())];
    let cookie = http::post(server.address, "/v1/session", &from, &sign_in).cookie();
    for (path, kind, begun) in [
        ("/v1/imports", "multipart/form-data; boundary=x", "--x\r\n"),
        (
            "/v1/imports",
            "multipart/form-data; boundary=x",
            "--x\r\ncontent-disposition: form-data; name=\"people.csv\"\r\n\r\nperson",
        ),
        ("/v1/bundles", "application/vnd.xuncun.bundle", "x"),
    ] {
        let headers = [from[0], ("cookie", cookie.as_str()), ("content-type", kind)];
        let open = http::open(server.address, "POST", path, &headers, 1_000);
        let reply = open.finish(begun.as_bytes());
        assert_eq!(reply.status, 408, "{path} {}", reply.body);
    }
}

#[test]
fn a_client_that_takes_no_answers_is_given_up() {
    let server = patient_for("deaf", "50");
    let mut socket = TcpStream::connect(server.address).expect("the server listens");
    let patience = Some(Duration::from_secs(60));
    socket
        .set_write_timeout(patience)
        .expect("a timeout can be set");
    let asks = b"GET /nothing HTTP/1.1\r\nhost: a\r\n\r\n".repeat(1_000);
    // Whatever the buffers on the way hold, the server's answers fill them in the end.
    let ended = (0..10_000).find_map(|_| socket.write_all(&asks).err());
    let kind = ended.expect("the server ends it").kind();
    let is_reset = matches!(kind, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe);
    assert!(is_reset, "{kind}");
}

#[test]
fn a_device_that_opens_too_many_requests_is_told_to_wait_and_the_server_serves_on() {
    let ground = Ground::new();
    let bearer = format!("Bearer {}", ground.token);
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", CONTENT_TYPE),
        ("expect", "100-continue"),
    ];
    let address = ground.office.address;
    let open = || {
        let mut open = http::open(address, "POST", "/v1/sync", &headers, 100);
        // It has its place by then.
        open.wait_until_asked();
        open
    };
    let places: Vec<_> = (0..limits::DEVICE_REQUESTS_AT_ONCE)
        .map(|_| open())
        .collect();
    let reply = http::ask(address, "POST", "/v1/sync", &headers, b"");
    assert_eq!(reply.status, 503, "{}", reply.body);
    assert_eq!(reply.json(), json!({ "error": { "code": "busy" } }));
    assert_eq!(reply.header("retry-after"), Some("30"));
    assert_eq!(http::ask(address, "GET", "/healthz", &[], b"").status, 200);
    let text = metrics::scrape(&ground.office.app).expect("text");
    let counted = "xuncun_errors_total{code=\"busy\"} 1";
    assert!(text.lines().any(|line| line == counted), "{text}");
    // Each that ends makes room for another.
    for place in places {
        assert_eq!(place.finish(&[0; 100]).status, 400);
    }
    assert_eq!(hello(&ground), 200);
}
