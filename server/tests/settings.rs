//! Settings of the environment, and what the program says of its flags.

use serde_json::json;

use crate::bad_input::ground::ADMIN;
use crate::http;
use crate::program::{Folder, Running, Said, errand, errand_with};

const PEOPLE: [&str; 3] = [
    "--synthetic-people",
    "--directory",
    concat!(env!("CARGO_MANIFEST_DIR"), "/data/zhuhai"),
];

#[test]
fn a_setting_of_serving_that_cannot_be_read_stops_no_errand() {
    let database = Folder::new("settings_of_serving").database();
    drop(Running::start(&["--database", &database]));
    for name in ["LISTEN", "METRICS", "STOP_MS", "PLAIN_COOKIES", "URL"] {
        let name = format!("XUNCUN_{name}");
        let junk = [(name.as_str(), "junk")];
        let said = errand_with(&junk, &["device", "list", "--database", &database]);
        assert!(said.ok, "{name}: {}", said.log);
        for words in [&["serve"][..], &[]] {
            let said = errand_with(&junk, &[words, &["--database", &database]].concat());
            assert!(
                !said.ok && said.log.contains("junk"),
                "{name}: {}",
                said.log
            );
        }
    }
    // Its own counts.
    let junk = [("XUNCUN_URL", "junk")];
    let words = ["device", "code", "--name", ADMIN, "--database", &database];
    let said = errand_with(&junk, &words);
    assert!(!said.ok && said.log.contains("junk"), "{}", said.log);
}

#[test]
fn a_switch_is_set_by_what_people_write() {
    let start = |value: &str| -> Said {
        let settings = [("XUNCUN_PLAIN_COOKIES", value)];
        // It comes as far as it can with settings that exclude each other.
        let tls = [
            "--tls-certificate",
            "x",
            "--tls-key",
            "x",
            "--database",
            "/",
        ];
        errand_with(&settings, &tls)
    };
    for (value, is_set) in [
        ("1", true),
        ("true", true),
        ("yes", true),
        ("on", true),
        ("0", false),
        ("false", false),
        ("no", false),
        ("", false),
    ] {
        let said = start(value);
        let told = said
            .log
            .contains("--plain-cookies is for servers without TLS");
        assert!(said.log.contains("is a folder"), "{value}: {}", said.log);
        assert_eq!(told, is_set, "{value}: {}", said.log);
    }
    assert!(start("perhaps").log.contains("perhaps"));
}

#[test]
fn the_address_of_the_settings_is_in_the_codes_that_browsers_ask_for() {
    let database = Folder::new("address_of_the_settings").database();
    let url = ["--url", "https://city.example/", "--plain-cookies"];
    let at = ["--database", &database];
    let server = Running::start(&[&at[..], &PEOPLE, &url].concat());
    let words = ["person", "password", "--name", ADMIN, "--login", "admin"];
    let set = errand(&[&words[..], &at].concat(), "eight signs");
    let person = &set.lines[0]["person"];
    let origin = format!("http://{}", server.address);
    let sign_in = json!({ "login": "admin", "password": "eight signs" });
    let origin = ("origin", origin.as_str());
    let cookie = http::post(server.address, "/v1/session", &[origin], &sign_in).cookie();
    let headers = [origin, ("cookie", cookie.as_str())];
    let body = json!({ "person": person });
    let code = http::post(server.address, "/v1/devices/codes", &headers, &body).json();
    let text = code["code"].as_str().expect("a code");
    let qr = format!("xuncun:1?server=https://city.example&code={text}");
    assert_eq!(code["qr"], qr);
}

#[test]
fn help_says_of_each_errand_whether_a_server_may_run() {
    for words in [
        &["restore"][..],
        &["upgrade"],
        &["rescue"],
        &["import", "proposals"],
    ] {
        let help = said(&[words, &["--help"]].concat());
        let is_told = help.contains("No server may run") || help.contains("if no server runs");
        assert!(is_told && !help.contains("may be running"), "{help}");
    }
    let restore = said(&["restore", "--help"]);
    assert!(restore.contains("new epoch"), "{restore}");
    for words in [["backup", "--help"], ["check", "--help"]] {
        let help = said(&words);
        assert!(help.contains("while a server runs"), "{help}");
    }
}

/// What is printed, on one line.
fn said(words: &[&str]) -> String {
    let said = crate::program::text(words);
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_folder_is_no_database_and_is_said_to_be_none() {
    let folder = Folder::new("folder_for_a_database");
    let folder = folder.file("").display().to_string();
    let said = errand(&["check", "--database", &folder], "");
    assert!(!said.ok && said.log.contains("is a folder"), "{}", said.log);
}
