//! The first administrator: by the code that the server logs, and by command.

use patrol_core::domain::capability::Role;
use patrol_core::domain::directory::{Directory, PostAt};
use patrol_core::domain::limits;
use patrol_core::domain::time::DAY_MS;
use patrol_server::api::CookieKind;
use patrol_server::people::{self, Leaving};
use patrol_server::setup;
use serde_json::json;

use crate::http::{self, Reply};
use crate::office::Office;
use crate::program::{Folder, Running, errand};

const ADMIN: &str = "管理员01";

fn code(office: &Office) -> String {
    let drawn = setup::draw_code(&office.app).expect("the store answers");
    drawn.expect("nobody has an account").0
}

fn set_up(office: &Office, code: &str, name: Option<&str>) -> Reply {
    let body = json!({ "code": code, "name": name, "login": "first", "password": "eight signs" });
    http::post(office.address, "/v1/setup", &[], &body)
}

fn refused(reply: &Reply) -> (u16, String) {
    let code = reply.json()["error"]["code"].as_str().map(str::to_owned);
    (reply.status, code.unwrap_or_default())
}

fn is_bad_code(reply: &Reply) -> bool {
    refused(reply) == (403, "bad_code".to_owned())
}

#[test]
fn with_the_code_the_first_administrator_comes_into_an_empty_directory_and_signs_in() {
    let office = Office::open(CookieKind::Plain);
    let empty = Directory::default();
    office.app.put_directory(&empty).expect("it is kept");
    let code = code(&office);
    let unnamed = set_up(&office, &code, None);
    assert_eq!(refused(&unnamed), (400, "name".to_owned()));
    let blank = set_up(&office, &code, Some("  "));
    assert_eq!(refused(&blank), (400, "name".to_owned()));
    let made = set_up(&office, &code.to_lowercase(), Some("李强"));
    assert_eq!((made.status, &made.json()["name"]), (200, &json!("李强")));
    let known = office.app.known();
    let [person] = known.directory.people.as_slice() else {
        panic!("one person: {:?}", known.directory.people);
    };
    assert_eq!(made.json()["person"], json!(person.id.hex()));
    let post = person.posts[0];
    assert_eq!((post.role, post.at), (Role::Administrator, PostAt::City));
    assert_eq!(known.directory.check(post.from), []);
    assert_eq!(office.sign_in("first", "eight signs").status, 200);
    assert_eq!(office.get("李强", "/v1/devices").status, 200);
    // Once, and for nobody else.
    assert!(is_bad_code(&set_up(&office, &code, Some("李强"))));
    assert!(setup::draw_code(&office.app).expect("an answer").is_none());
}

#[test]
fn where_there_are_administrators_one_of_them_is_meant() {
    let office = Office::open(CookieKind::Plain);
    let code = code(&office);
    for name in ["巡查员01", "无此人"] {
        let reply = set_up(&office, &code, Some(name));
        assert_eq!(refused(&reply), (409, "not_administrator".to_owned()));
    }
    let before = office.app.known().bytes.clone();
    let made = set_up(&office, &code, None);
    assert_eq!((made.status, &made.json()["name"]), (200, &json!(ADMIN)));
    assert_eq!(office.app.known().bytes, before);
}

#[test]
fn who_is_known_by_name_gets_the_post_where_nobody_has_it() {
    let office = Office::open(CookieKind::Plain);
    let now = office.app.environment.now();
    office.change(ADMIN, |posts| posts[0].until = Some(now));
    let people = office.app.known().directory.people.len();
    // However it is typed.
    let code = code(&office).replace('-', " ").to_lowercase();
    let made = set_up(&office, &format!(" {code} "), Some("督办领导01"));
    assert_eq!(made.status, 200, "{}", made.body);
    assert_eq!(office.app.known().directory.people.len(), people);
    assert_eq!(office.get("督办领导01", "/v1/devices").status, 200);
}

#[test]
fn who_leaves_on_a_day_ahead_is_not_made_the_first_administrator() {
    let office = Office::open(CookieKind::Plain);
    let now = office.app.environment.now();
    office.change(ADMIN, |posts| posts[0].until = Some(now));
    let leaving = Leaving {
        person: office.person("督办领导01"),
        from: now.plus_ms(DAY_MS),
        substitute: Some(office.person("巡查员01")),
    };
    people::leave(&office.app, leaving).expect("he leaves");
    let code = code(&office);
    let before = office.app.known().no;
    let reply = set_up(&office, &code, Some("督办领导01"));
    assert_eq!(refused(&reply), (409, "leaves_already".to_owned()));
    assert_eq!(office.app.known().no, before);
    // Once he has left, it is a return.
    office.machine.advance_ms(DAY_MS);
    let code = self::code(&office);
    let made = set_up(&office, &code, Some("督办领导01"));
    assert_eq!(made.status, 200, "{}", made.body);
    assert_eq!(office.get("督办领导01", "/v1/devices").status, 200);
}

#[test]
fn a_code_is_good_for_a_day_and_while_nobody_has_an_account() {
    let office = Office::open(CookieKind::Plain);
    let (first, second) = (code(&office), code(&office));
    assert!(
        is_bad_code(&set_up(&office, &first, None)),
        "the later took its place"
    );
    office.machine.advance_ms(limits::SETUP_CODE_MS + 1);
    assert!(is_bad_code(&set_up(&office, &second, None)));
    let third = code(&office);
    office.account("评价员01", "other", "eight signs");
    assert!(is_bad_code(&set_up(&office, &third, None)));
    assert_eq!(office.sign_in("first", "eight signs").status, 401);
}

#[test]
fn wrong_codes_wait_as_wrong_passwords_do_and_other_faults_do_not_count() {
    let office = Office::open(CookieKind::Plain);
    let code = code(&office);
    for _ in 0..2 * limits::TRIES_FREE_MAX {
        assert_eq!(set_up(&office, &code, Some("无此人")).status, 409);
    }
    let short = json!({ "code": code, "login": "first", "password": "short" });
    let reply = http::post(office.address, "/v1/setup", &[], &short);
    assert_eq!(refused(&reply), (400, "password".to_owned()));
    for _ in 0..limits::TRIES_FREE_MAX {
        assert!(is_bad_code(&set_up(&office, "AAAAA-AAAAA", None)));
    }
    assert_eq!(set_up(&office, &code, None).status, 429);
    office.machine.advance_ms(limits::TRIES_WAIT_MS);
    assert_eq!(set_up(&office, &code, None).status, 200);
}

#[test]
fn a_server_without_anything_logs_a_code_that_works_and_a_new_one_at_each_start() {
    let database = Folder::new("setup_code").database();
    let logged = || {
        let server = Running::start(&["--database", &database, "--plain-cookies"]);
        let (_, rest) = server.started.split_once("setup code ").expect("a code");
        let code = rest.split(',').next().expect("a code").to_owned();
        (server, code)
    };
    let (server, first) = logged();
    drop(server);
    let (server, second) = logged();
    let set_up = |code: &str| {
        let body =
            json!({ "code": code, "name": "李强", "login": "first", "password": "eight signs" });
        http::post(server.address, "/v1/setup", &[], &body).status
    };
    assert_eq!(
        [set_up(&first), set_up(&second), set_up(&second)],
        [403, 200, 403]
    );
    let people = errand(&["person", "list", "--database", &database], "").lines;
    assert_eq!(people[0]["posts"][0]["role"], "administrator");
    drop(server);
    let server = Running::start(&["--database", &database]);
    assert!(!server.started.contains("setup code"), "{}", server.started);
}

#[test]
fn a_start_that_fails_takes_no_code_away_from_the_server_that_runs() {
    let database = Folder::new("setup_code_stays").database();
    let server = Running::start(&["--database", &database, "--plain-cookies"]);
    let (_, rest) = server.started.split_once("setup code ").expect("a code");
    let code = rest.split(',').next().expect("a code");
    let taken = server.address.to_string();
    let second = errand(&["--database", &database, "--listen", &taken], "");
    assert!(
        !second.ok && !second.log.contains("setup code"),
        "{}",
        second.log
    );
    let body = json!({ "code": code, "name": "李强", "login": "first", "password": "eight signs" });
    assert_eq!(
        http::post(server.address, "/v1/setup", &[], &body).status,
        200
    );
}

#[test]
fn logins_are_no_codes() {
    let office = Office::open(CookieKind::Plain);
    let code = code(&office);
    for _ in 0..2 * limits::TRIES_FREE_MAX {
        office.sign_in("setup code", "wrong signs");
    }
    assert_eq!(set_up(&office, &code, None).status, 200);
}

#[test]
fn the_first_administrator_is_made_by_command_in_an_empty_directory() {
    let database = Folder::new("setup_command").database();
    let mut server = Running::start(&["--database", &database, "--plain-cookies"]);
    let words = ["person", "administrator", "--database", &database];
    let words = [&words[..], &["--login", "first", "--name"]].concat();
    let made = errand(&[&words[..], &["李强"]].concat(), "eight signs");
    assert!(made.ok, "{}", made.log);
    let try_it = |login: &str| {
        let words = [
            "person",
            "administrator",
            "--name",
            "王芳",
            "--login",
            login,
        ];
        errand(
            &[&words[..], &["--database", &database]].concat(),
            "eight signs",
        )
    };
    for (login, fault) in [
        ("first", "another person's"),
        ("second", "none of that name"),
    ] {
        let other = try_it(login);
        assert!(!other.ok && other.log.contains(fault), "{}", other.log);
    }
    server.signal("HUP");
    server.wait_for("looked again");
    let origin = format!("http://{}", server.address);
    let sign_in = json!({ "login": "first", "password": "eight signs" });
    let headers = [("origin", origin.as_str())];
    let reply = http::post(server.address, "/v1/session", &headers, &sign_in);
    assert_eq!((reply.status, &reply.json()["name"]), (200, &json!("李强")));
}
