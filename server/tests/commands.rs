//! The binary's errands against a database on which the binary is serving: what a command changes, the next request sees.

use serde_json::{Value, json};

use crate::http;
use crate::office::phone_key;
use crate::program::{Folder, Running, Said, errand, errand_with};

const ZHUHAI: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/zhuhai");

/// A server for a trial, and its database.
struct Trial {
    server: Running,
    database: String,
}

impl Trial {
    fn start(name: &str) -> Self {
        let database = Folder::new(name).database();
        let server = Running::start(&[
            "serve",
            "--database",
            &database,
            "--directory",
            ZHUHAI,
            "--synthetic-people",
            "--plain-cookies",
        ]);
        Self { server, database }
    }

    fn errand(&self, words: &[&str], input: &str) -> Said {
        errand(&[words, &["--database", &self.database]].concat(), input)
    }

    /// The line of a person.
    fn person(&self, name: &str) -> Value {
        let people = self.errand(&["person", "list"], "").lines;
        let found = people.into_iter().find(|person| person["name"] == name);
        found.expect("a made-up person")
    }
}

#[test]
fn the_first_administrator_is_made_by_command_while_the_server_runs() {
    let trial = Trial::start("first_administrator");
    let (server, log) = (trial.server.address, &trial.server.started);
    assert!(log.contains("person administrator"), "{log}");
    assert!(log.contains("made-up"), "{log}");
    let admin = trial.person("管理员01");
    assert_eq!(admin["posts"][0]["role"], "administrator");
    assert_eq!(admin["posts"][0]["at"], "city");
    assert_eq!(trial.person("巡查员01")["posts"][0]["at"], "beat:1");

    let who = ["--name", "管理员01", "--login", "admin"];
    let words = [&["person", "password"], &who[..]].concat();
    let account = trial.errand(&words, "eight signs\nand more\n");
    assert_eq!(
        account.lines,
        [json!({ "person": admin["person"], "login": "admin", "replaced_login": null })]
    );
    let again = trial.errand(&words, "eight signs\n");
    assert!(
        again.lines[0]["replaced_login"].is_null(),
        "{:?}",
        again.lines
    );
    assert_eq!(trial.person("管理员01")["login"], "admin");
    assert!(trial.person("巡查员01")["login"].is_null());
    let origin = format!("http://{server}");
    let origin = ("origin", origin.as_str());
    let sign_in = json!({ "login": "admin", "password": "eight signs" });
    let signed_in = http::post(server, "/v1/session", &[origin], &sign_in);
    assert_eq!(
        (signed_in.status, &signed_in.json()["name"]),
        (200, &admin["name"])
    );
    let cookie = signed_in.cookie();
    let shown = http::ask(server, "GET", "/v1/devices", &[("cookie", &cookie)], &[]);
    assert_eq!((shown.status, shown.json()), (200, json!([])));
}

#[test]
fn a_phone_is_enrolled_by_code_and_revoked_by_command_while_the_server_runs() {
    let trial = Trial::start("phone_by_command");
    let server = trial.server.address;
    let walker = trial.person("巡查员01");
    let person = walker["person"].as_str().expect("an id");
    let words = [
        "device",
        "code",
        "--person",
        person,
        "--url",
        "https://city.example/",
    ];
    let code = trial.errand(&words, "");
    assert!(!code.log.contains("--url"), "{}", code.log);
    let text = code.lines[0]["code"].as_str().expect("a code");
    assert_eq!(
        code.lines[0]["qr"],
        format!("xuncun:1?server=https://city.example&code={text}")
    );
    assert!(code.lines[0]["until"].is_string());
    let enrol = json!({ "code": text, "public_key": phone_key() });
    let enrolled = http::post(server, "/v1/devices/enrol", &[], &enrol);
    assert_eq!(
        (enrolled.status, &enrolled.json()["person"]),
        (200, &walker["person"])
    );

    let devices = trial.errand(&["device", "list"], "").lines;
    assert_eq!(devices.len(), 1);
    assert_eq!(devices[0]["device"], enrolled.json()["device"]);
    assert!(devices[0]["revoked_at"].is_null());
    let token = enrolled.json()["token"].as_str().map(str::to_owned);
    let bearer = format!("Bearer {}", token.expect("a token"));
    let directory = || {
        let headers = [("authorization", bearer.as_str())];
        http::ask(server, "GET", "/v1/directory", &headers, &[]).status
    };
    assert_eq!(directory(), 200);
    let device = devices[0]["device"].as_str().expect("an id");
    assert!(
        trial
            .errand(&["device", "revoke", "--device", device], "")
            .ok
    );
    assert_eq!(directory(), 401);
    assert!(trial.errand(&["device", "list"], "").lines[0]["revoked_at"].is_string());
}

#[test]
fn an_errand_that_cannot_be_done_says_what_is_wrong_and_changes_nothing() {
    let trial = Trial::start("wrong_errands");
    let set = |name| ["person", "password", "--name", name, "--login", "a"];
    let long = "九".repeat(100);
    let nobody = "0000000000000000";
    let admin = set("管理员01");
    for (words, input, fault) in [
        (&set("无此人")[..], "eight signs", "nobody"),
        (&admin, "seven..", "password"),
        (&admin, "", "password"),
        (&admin, &long, "password"),
        (
            &["person", "password", "--name", "管理员01", "--login", "a b"],
            "",
            "--login",
        ),
        (
            &["person", "password", "--login", "a"],
            "eight signs",
            "--person",
        ),
        (&["device", "code", "--person", "00"], "", "16 hexadecimal"),
        (&["device", "code", "--person", nobody], "", "nobody"),
        (&["device", "revoke", "--device", nobody], "", "no device"),
    ] {
        let said = trial.errand(words, input);
        assert!(!said.ok && said.lines.is_empty(), "{words:?}");
        assert!(said.log.contains(fault), "{words:?}: {}", said.log);
    }
    assert!(trial.errand(&admin, "eight signs").ok);
    let taken = trial.errand(&set("评价员01"), "eight signs");
    assert!(
        !taken.ok && taken.log.contains("another person's"),
        "{}",
        taken.log
    );
}

#[test]
fn beside_a_server_nothing_starts_that_would_draw_the_same_numbers() {
    let trial = Trial::start("sole");
    let bundle = format!("{}.xcr", trial.database);
    std::fs::write(&bundle, "no bundle").expect("a file");
    let link = format!("{}.link", trial.database);
    std::os::unix::fs::symlink(&trial.database, &link).expect("a link");
    let others: [&[&str]; 3] = [
        &["serve", "--listen", "127.0.0.1:0"],
        &["rescue", &bundle],
        &["upgrade"],
    ];
    for words in others {
        for database in [&trial.database, &link] {
            let said = errand(&[words, &["--database", database]].concat(), "");
            let is_told = said.log.contains("a server or an errand runs on");
            assert!(!said.ok && is_told, "{words:?}: {}", said.log);
        }
    }
    let Trial { server, database } = trial;
    // However it ends.
    drop(server);
    let said = errand(&["rescue", &bundle, "--database", &database], "");
    let is_told = said.log.contains("not a rescue bundle");
    assert!(!said.ok && is_told, "{}", said.log);
}

#[test]
fn once_somebody_can_sign_in_nothing_is_said_of_it_and_the_people_in_force_stay() {
    let trial = Trial::start("second_start");
    let set = ["person", "password", "--name", "管理员01", "--login", "a"];
    assert!(trial.errand(&set, "eight signs").ok);
    let Trial { server, database } = trial;
    drop(server);
    let server = Running::start(&["--database", &database, "--directory", ZHUHAI]);
    assert!(!server.started.contains("setup code"), "{}", server.started);
    let people = errand(&["person", "list", "--database", &database], "");
    assert!(people.lines.len() > 200, "{}", people.lines.len());
}

#[test]
fn people_of_the_folder_are_put_in_force_and_none_are_made_up_beside_them() {
    let folder = Folder::new("people_of_the_folder");
    let database = folder.database();
    for table in std::fs::read_dir(ZHUHAI).expect("the folder is read") {
        let table = table.expect("a file");
        std::fs::copy(
            table.path(),
            folder.file(&table.file_name().to_string_lossy()),
        )
        .expect("a copy");
    }
    let people = "person,name,role,at,from\n00000000000000a1,李强,administrator,city,2020-01-01\n";
    std::fs::write(folder.file("people.csv"), people).expect("a file is written");
    let own = folder.file("").display().to_string();
    let args = ["--database", &database, "--directory", &own];
    let refused = errand(&[&["serve", "--synthetic-people"], &args[..]].concat(), "");
    assert!(
        !refused.ok && refused.log.contains("people of its own"),
        "{}",
        refused.log
    );
    drop(Running::start(&args));
    let listed = errand(&["person", "list", "--database", &database], "").lines;
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (&listed[0]["person"], &listed[0]["name"]),
        (&json!("00000000000000a1"), &json!("李强"))
    );
}

#[test]
fn settings_that_cannot_be_are_all_named_before_anything_is_touched() {
    let database = Folder::new("wrong_settings").database();
    let absent = errand(&["person", "list", "--database", &database], "");
    assert!(
        !absent.ok && absent.log.contains("start the server once"),
        "{}",
        absent.log
    );
    let nowhere = [
        "serve",
        "--database",
        &database,
        "--directory",
        "/nowhere/at/all",
    ];
    let said = errand(&nowhere, "");
    assert!(
        !said.ok && said.log.contains("/nowhere/at/all"),
        "{}",
        said.log
    );
    let said = errand(&["serve", "--database", "/", "--synthetic-people"], "");
    for fault in ["is a folder", "needs --directory"] {
        assert!(said.log.contains(fault), "{}", said.log);
    }
    assert!(!std::path::Path::new(&database).exists());
}

#[test]
fn a_blank_setting_is_none() {
    let database = Folder::new("blank_settings").database();
    let names = [
        "METRICS",
        "LISTEN",
        "TLS_CERTIFICATE",
        "TLS_KEY",
        "STOP_MS",
        "PLAIN_COOKIES",
    ];
    let names = names.map(|name| format!("XUNCUN_{name}"));
    let blank: Vec<_> = names.iter().map(|name| (name.as_str(), "")).collect();
    // It comes as far as it can with a database that is a folder.
    let said = errand_with(&blank, &["serve", "--database", "/"]);
    assert!(
        !said.ok && said.log.contains("--database / is a folder"),
        "{}",
        said.log
    );
    let said = errand_with(
        &[("XUNCUN_DATABASE", " ")],
        &["check", "--database", &database],
    );
    assert!(
        !said.ok && said.log.contains("is not there"),
        "{}",
        said.log
    );
    let misspelt = [
        ("XUNCUN_LISTN", "127.0.0.1:0"),
        ("XUNCUN_METRICS", "nowhere"),
    ];
    let said = errand_with(&misspelt[..1], &["check", "--database", &database]);
    assert!(
        said.log.contains("XUNCUN_LISTN is no setting"),
        "{}",
        said.log
    );
    let said = errand_with(&misspelt[1..], &["check", "--database", &database]);
    assert!(!said.log.contains("is no setting"), "{}", said.log);
    let said = errand_with(&[("XUNCUN_METRICS", "nowhere")], &["serve"]);
    assert!(!said.ok && said.log.contains("invalid"), "{}", said.log);
}

#[test]
fn a_backup_is_taken_beside_the_server_and_restored_when_it_is_gone() {
    let trial = Trial::start("backup");
    let backup = format!("{}.backup", trial.database);
    let taken = trial.errand(&["backup", "--to", &backup], "");
    assert!(taken.ok, "{}", taken.log);
    assert!(taken.lines[0]["bytes"].as_u64() > Some(0));
    assert!(
        !trial.errand(&["backup", "--to", &backup], "").ok,
        "it writes over nothing"
    );
    let looked = trial.errand(&["check"], "");
    assert_eq!(
        looked.lines[0],
        json!({ "documents": 0, "changes": 0, "scopes": 0 })
    );
    // Nobody has a phone yet: that is told of every village, and is no fault.
    assert_eq!((looked.ok, looked.lines.len()), (true, 1 + 122));
    assert_eq!(looked.lines[1]["lacks"], json!(["terminal"]));

    // While the server runs nothing is moved under it; nor is anything without being told.
    let replace = ["restore", "--replace", "--from", &backup];
    let refused = trial.errand(&replace, "");
    assert!(
        !refused.ok && refused.log.contains("stop it first"),
        "{}",
        refused.log
    );
    assert!(trial.errand(&["check"], "").ok);
    let unfinished = format!("{}.unfinished", trial.database);
    assert!(!std::path::Path::new(&unfinished).exists());

    let Trial { server, database } = trial;
    drop(server);
    let on_it = ["--database", &database];
    let refused = errand(&[&["restore", "--from", &backup][..], &on_it].concat(), "");
    assert!(
        !refused.ok && refused.log.contains("--replace"),
        "{}",
        refused.log
    );
    // What is no database of ours is refused too, and nothing of either is left.
    let other = format!("{database}.other");
    std::fs::write(&other, "no database").expect("a file is written");
    let refused = errand(&[&["restore", "--from", &other][..], &on_it].concat(), "");
    assert!(!refused.ok, "{}", refused.log);
    assert!(!std::path::Path::new(&unfinished).exists());
    // What lies under that name is nothing to restore from: it would be written over.
    std::fs::copy(&backup, &unfinished).expect("a copy");
    let refused = errand(
        &[&["restore", "--replace", "--from", &unfinished][..], &on_it].concat(),
        "",
    );
    assert!(
        !refused.ok && refused.log.contains("move it first"),
        "{}",
        refused.log
    );
    // Nor does anybody take it away while another errand makes it; what a killed one has left goes.
    let held = std::fs::File::open(&unfinished).expect("it is there");
    held.lock().expect("nobody else holds it");
    let refused = errand(&[&replace[..], &on_it].concat(), "");
    assert!(
        !refused.ok && refused.log.contains("another errand"),
        "{}",
        refused.log
    );
    assert!(std::path::Path::new(&unfinished).exists());
    drop(held);
    let people = errand(&["person", "list", "--database", &database], "").lines;
    let restored = errand(&[&replace[..], &["--database", &database]].concat(), "");
    assert!(restored.ok, "{}", restored.log);
    assert!(
        restored.log.contains("revoke lost phones again"),
        "{}",
        restored.log
    );
    let epoch = restored.lines[0]["epoch"].as_str().expect("an epoch");
    assert_eq!(epoch.len(), 8);
    for file in [&database, &backup] {
        let mode = std::fs::metadata(file).expect("it is there").permissions();
        assert_eq!(
            std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777,
            0o600,
            "{file}"
        );
    }
    let aside = restored.lines[0]["moved_aside"].as_str().expect("a file");
    assert!(
        errand(&["check", "--database", aside], "").ok,
        "it is whole"
    );
    assert_eq!(
        errand(&["person", "list", "--database", &database], "").lines,
        people
    );

    // A damaged backup is seen before anything is moved.
    let damaged = format!("{backup}.damaged");
    let mut bytes = std::fs::read(&backup).expect("the backup");
    bytes.truncate(bytes.len() / 2);
    std::fs::write(&damaged, bytes).expect("it is written");
    let words = [
        "restore",
        "--replace",
        "--from",
        &damaged,
        "--database",
        &database,
    ];
    let refused = errand(&words, "");
    assert!(
        !refused.ok && refused.log.contains("damaged"),
        "{}",
        refused.log
    );
    assert!(errand(&["check", "--database", &database], "").ok);
}

#[test]
fn a_code_for_a_person_without_a_post_is_drawn_with_a_warning() {
    let trial = Trial::start("code_without_post");
    let words = ["device", "code", "--name", "巡查员01"];
    let code = trial.errand(&words, "");
    assert_eq!(code.lines[0]["has_post"], true, "{}", code.log);
    // Nor does the phone find the server at the address that it is given where none is said.
    assert!(code.log.contains("calls itself"), "{}", code.log);
    let leave = [
        "person",
        "leave",
        "--name",
        "巡查员01",
        "--from",
        "2026-01-01",
    ];
    let left = trial.errand(&leave, "");
    assert!(
        left.ok && left.log.contains("that day is past"),
        "{}",
        left.log
    );
    let code = trial.errand(&words, "");
    assert_eq!(code.lines[0]["has_post"], false, "{}", code.log);
    assert!(code.log.contains("holds no post"), "{}", code.log);
}

#[test]
fn a_database_whose_server_was_killed_is_restored_with_its_log() {
    let trial = Trial::start("with_its_log");
    let name = ["--name", "管理员01", "--login", "admin"];
    let set = [&["person", "password"][..], &name].concat();
    assert!(trial.errand(&set, "eight signs").ok);
    let Trial { server, database } = trial;
    // Killed: what was written last lies in the log alone.
    drop(server);
    let moved = format!("{database}.moved");
    for suffix in ["", "-wal", "-shm"] {
        let from = format!("{database}{suffix}");
        if std::path::Path::new(&from).exists() {
            std::fs::copy(&from, format!("{moved}{suffix}")).expect("it is copied");
        }
    }
    let other = format!("{database}.other");
    // A log that was left behind is not the new database's.
    std::fs::write(format!("{other}-wal"), b"left behind").expect("it is written");
    let words = ["restore", "--from", &moved, "--database", &other];
    let restored = errand(&words, "");
    assert!(restored.ok, "{}", restored.log);
    assert!(restored.lines[0]["moved_aside"].is_string());
    // The directory and the account came along; and nothing is restored from itself.
    let set = [&set[..], &["--database", &other]].concat();
    assert!(errand(&set, "eight signs").ok);
    let words = [
        "restore",
        "--replace",
        "--from",
        &other,
        "--database",
        &other,
    ];
    assert!(!errand(&words, "").ok);
}
