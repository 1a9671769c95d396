//! The same in a browser.

use serde_json::{Value, json};

use super::Desk;
use crate::http::{self, Reply};

const ADMIN: &str = "管理员01";
const DESK: &str = "受理派遣员01";

/// A form with files.
fn form(files: &[(&str, &str)]) -> Vec<u8> {
    let mut body = String::new();
    for (name, text) in files {
        body += &format!(
            "--XX\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\ncontent-type: text/csv\r\n\r\n{text}\r\n"
        );
    }
    (body + "--XX--\r\n").into_bytes()
}

fn send(desk: &Desk, who: &str, method: &str, path: &str, body: &[u8]) -> Reply {
    let (cookie, origin) = (desk.office.cookie(who), desk.office.origin());
    let headers = [
        ("cookie", cookie.as_str()),
        ("origin", origin.as_str()),
        ("content-type", "multipart/form-data; boundary=XX"),
    ];
    http::ask(desk.office.address, method, path, &headers, body)
}

fn upload(desk: &Desk, who: &str, text: &str) -> Reply {
    send(
        desk,
        who,
        "POST",
        "/v1/imports",
        &form(&[("C:\\表\\类别.csv", text)]),
    )
}

const CATEGORIES: &str = "scheme,kind,code,name\n476785,component,01037,路灯\n";

#[test]
fn an_administrator_uploads_looks_and_adopts() {
    let desk = Desk::new();
    let shown = upload(&desk, ADMIN, CATEGORIES);
    assert_eq!(shown.status, 200, "{}", shown.body);
    let shown = shown.json();
    assert_eq!(super::counts(&shown, "categories"), [0, 0, 0, 11, 1]);
    let id = shown["id"].as_str().expect("a name").to_owned();
    let path = format!("/v1/imports/{id}/adopt");
    assert_eq!(send(&desk, DESK, "POST", &path, b"").status, 403);
    let other = upload(&desk, ADMIN, &CATEGORIES.replace("路灯", "灯")).json();
    let adopted = send(&desk, ADMIN, "POST", &path, b"");
    assert_eq!(
        (adopted.status, adopted.json()),
        (200, json!({ "adopted": { "directory": 2 } }))
    );
    assert_eq!(send(&desk, ADMIN, "POST", &path, b"").status, 404);
    let late = format!(
        "/v1/imports/{}/adopt",
        other["id"].as_str().expect("a name")
    );
    let late = send(&desk, ADMIN, "POST", &late, b"");
    assert_eq!(
        (late.status, late.json()),
        (409, json!({ "error": { "code": "stale" } }))
    );
    let list = send(&desk, ADMIN, "GET", "/v1/imports", b"").json();
    assert_eq!(list["directories"].as_array().map(Vec::len), Some(2));
    let old = send(&desk, ADMIN, "GET", "/v1/imports/directories/1", b"").json();
    let rows = |tables: &Value| tables[6]["rows"].as_array().map(Vec::len);
    assert_eq!(rows(&old), Some(12));
    assert_eq!(
        send(&desk, ADMIN, "GET", "/v1/imports/directories/3", b"").status,
        404
    );
    assert_eq!(
        send(&desk, ADMIN, "GET", "/v1/imports/components/1", b"").json(),
        json!([])
    );
}

#[test]
fn what_is_wrong_is_answered_and_has_no_name() {
    let desk = Desk::new();
    let shown = upload(&desk, ADMIN, "scheme,kind,code,name\n1,thing,1,a\n").json();
    assert_eq!(shown["id"], Value::Null);
    let fault = json!({ "file": "类别.csv", "line": 2, "column": "kind", "reason": "unknown_word", "detail": null });
    assert_eq!(shown["faults"], json!([fault]));
}

#[test]
fn nobody_else_imports_and_what_is_no_form_is_refused() {
    let desk = Desk::new();
    for path in [
        "/v1/imports",
        "/v1/imports/directories/1",
        "/v1/imports/components/1",
    ] {
        assert_eq!(send(&desk, DESK, "GET", path, b"").status, 403, "{path}");
    }
    assert_eq!(upload(&desk, DESK, CATEGORIES).status, 403);
    let ask = |body: &[u8]| {
        let reply = send(&desk, ADMIN, "POST", "/v1/imports", body);
        (reply.status, reply.json()["error"]["code"].clone())
    };
    assert_eq!(ask(b""), (400, json!("malformed")));
    assert_eq!(ask(b"--XX--\r\n"), (400, json!("files")));
    assert_eq!(
        ask(&form(&[("类别.csv", CATEGORIES)])[..100]),
        (400, json!("malformed"))
    );
    let (cookie, origin) = (desk.office.cookie(ADMIN), desk.office.origin());
    let headers = [
        ("cookie", cookie.as_str()),
        ("origin", origin.as_str()),
        ("content-type", "text/csv"),
    ];
    let plain = http::ask(desk.office.address, "POST", "/v1/imports", &headers, b"a,b");
    assert_eq!(plain.status, 415);
    for path in ["/v1/imports/zz/adopt", "/v1/imports/0011223344556677/adopt"] {
        assert_eq!(send(&desk, ADMIN, "POST", path, b"").status, 404);
    }
}

#[test]
fn while_files_are_read_for_one_preview_another_is_answered_busy() {
    let desk = Desk::new();
    let (cookie, origin) = (desk.office.cookie(ADMIN), desk.office.origin());
    let headers = [
        ("cookie", cookie.as_str()),
        ("origin", origin.as_str()),
        ("content-type", "multipart/form-data; boundary=XX"),
        ("expect", "100-continue"),
    ];
    let body = form(&[("类别.csv", CATEGORIES)]);
    let mut first = http::open(
        desk.office.address,
        "POST",
        "/v1/imports",
        &headers,
        body.len(),
    );
    first.wait_until_asked();
    let second = upload(&desk, ADMIN, CATEGORIES);
    assert_eq!(
        (second.status, second.json()),
        (409, json!({ "error": { "code": "busy" } }))
    );
    assert_eq!(first.finish(&body).status, 200);
    assert_eq!(upload(&desk, ADMIN, CATEGORIES).status, 200);
}
