//! Who leaves: his posts end on a day, somebody takes over or the office has the work, and no file undoes it.

use patrol_core::domain::capability::Role;
use patrol_core::domain::directory::{Post, PostAt};
use patrol_core::domain::time::DAY_MS;
use patrol_server::calendar::rfc3339;
use serde_json::{Value, json};

use crate::bad_input::ground::{ADMIN, DESK, Ground, STRANGER, WALKER, hello};
use crate::http::{self, Reply};
use crate::office::Office;
use crate::program::{Folder, Running, errand};

const ZHUHAI: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/zhuhai");

fn leave(office: &Office, by: &str, who: &str, body: &Value) -> Reply {
    let person = office.person(who).hex();
    office.post(by, &format!("/v1/people/{person}/leave"), body)
}

fn code(reply: &Reply) -> (u16, Value) {
    (reply.status, reply.json()["error"]["code"].clone())
}

fn tomorrow(office: &Office) -> String {
    rfc3339(office.app.environment.now().plus_ms(DAY_MS))
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

/// The first phone as the list shows it.
fn phone(office: &Office) -> Value {
    office.get(ADMIN, "/v1/devices").json()[0].clone()
}

#[test]
fn who_leaves_works_until_his_day_and_then_his_beat_is_named_as_nobodys() {
    let ground = Ground::new();
    let office = &ground.office;
    office.account(WALKER, "walker", "eight signs");
    let cookie = office.sign_in("walker", "eight signs").cookie();
    let day = tomorrow(office);
    let left = leave(office, ADMIN, WALKER, &json!({ "from": day }));
    assert_eq!(left.status, 200, "{}", left.body);
    let left = left.json();
    assert_eq!(
        (&left["from"], &left["ended"][0]["role"]),
        (&json!(day), &json!("inspector"))
    );
    assert_eq!(left["vacant"], left["ended"]);
    assert_eq!(left["vacant"][0]["at"], "beat:1");
    assert_ne!(left["vacant"][0]["name"], "");
    assert_eq!(
        (shown(office, &cookie), phone(office)["has_post"].clone()),
        (200, json!(true))
    );

    office.machine.advance_ms(DAY_MS);
    let cookie = office.cookie(WALKER);
    assert_eq!(shown(office, &cookie), 401);
    assert_eq!(office.sign_in("walker", "eight signs").status, 401);
    // His phone is marked, not revoked: it still hands in what he did.
    let phone = phone(office);
    assert_eq!(
        (&phone["has_post"], &phone["revoked_at"]),
        (&json!(false), &Value::Null)
    );
    assert_eq!(hello(&ground), 200);
    // The row of his post stays, with its end.
    let known = office.app.known();
    let person = known
        .directory
        .person(office.person(WALKER))
        .expect("he is there");
    let ends: Vec<_> = person
        .posts
        .iter()
        .map(|post| post.until.map(rfc3339))
        .collect();
    assert_eq!(ends, [Some(day)]);
    assert_eq!(known.directory.check(office.app.environment.now()), []);
    let again = leave(office, ADMIN, WALKER, &json!({ "from": "2030-01-01" }));
    assert_eq!(code(&again), (409, json!("no_post")));
}

#[test]
fn a_substitute_has_the_posts_from_that_day_on() {
    let ground = Ground::new();
    let office = &ground.office;
    let substitute = office.person(STRANGER);
    let day = tomorrow(office);
    let body = json!({ "from": day, "substitute": substitute.hex() });
    let left = leave(office, ADMIN, WALKER, &body).json();
    assert_eq!(
        (&left["vacant"], &left["ended"][0]["at"]),
        (&json!([]), &json!("beat:1"))
    );
    let case = format!("/v1/cases/{}", ground.case);
    assert_eq!(office.get(STRANGER, &case).status, 404);
    office.machine.advance_ms(DAY_MS);
    assert_eq!(office.get(STRANGER, &case).status, 200);
    // Who comes into posts that he has anyway gets no second row.
    let body = json!({ "from": day, "substitute": office.person("受理派遣员02").hex() });
    let left = leave(office, ADMIN, DESK, &body);
    assert_eq!((left.status, &left.json()["vacant"]), (200, &json!([])));
    let known = office.app.known();
    let posts = |name| {
        known
            .directory
            .person(office.person(name))
            .map(|person| person.posts.len())
    };
    assert_eq!([posts("受理派遣员02"), posts(STRANGER)], [Some(1), Some(2)]);
}

#[test]
fn only_an_administrator_says_who_leaves_and_the_last_one_stays() {
    let ground = Ground::new();
    let office = &ground.office;
    let before = office.app.known().tag;
    let now = json!({ "from": "2026-01-01" });
    assert_eq!(
        code(&leave(office, DESK, WALKER, &now)),
        (403, json!("not_permitted"))
    );
    assert_eq!(
        code(&leave(office, ADMIN, ADMIN, &now)),
        (409, json!("last_administrator"))
    );
    for (field, value) in [
        ("from", "soon"),
        ("substitute", "00"),
        ("substitute", "0000000000000000"),
    ] {
        let mut body = now.clone();
        body[field] = json!(value);
        assert_eq!(
            code(&leave(office, ADMIN, WALKER, &body)),
            (400, json!(field))
        );
    }
    let own = json!({ "from": "2026-01-01", "substitute": office.person(WALKER).hex() });
    assert_eq!(
        code(&leave(office, ADMIN, WALKER, &own)),
        (400, json!("substitute"))
    );
    let nobody = office.post(ADMIN, "/v1/people/0000000000000000/leave", &now);
    assert_eq!(nobody.status, 404);
    assert_eq!(office.app.known().tag, before);
    let body = json!({ "from": "2026-01-01", "substitute": office.person(DESK).hex() });
    assert_eq!(leave(office, ADMIN, ADMIN, &body).status, 200);
    assert_eq!(office.get(DESK, "/v1/devices").status, 200);
}

#[test]
fn somebody_is_administrator_at_every_later_time_too() {
    let ground = Ground::new();
    let office = &ground.office;
    let now = office.app.environment.now();
    let day = |days: i64| json!({ "from": rfc3339(now.plus_ms(days * DAY_MS)) });
    let administrator = Post {
        role: Role::Administrator,
        at: PostAt::City,
        from: now,
        until: None,
    };
    office.change(DESK, |posts| posts.push(administrator));
    for (name, login) in [(DESK, "second"), (STRANGER, "third")] {
        office.account(name, login, "eight signs");
    }
    assert_eq!(leave(office, ADMIN, ADMIN, &day(10)).status, 200);
    // Nobody would be from the tenth day on, whenever the other one leaves.
    for days in [1, 10, 20] {
        let left = leave(office, DESK, DESK, &day(days));
        assert_eq!(code(&left), (409, json!("last_administrator")), "{days}");
    }
    // One who comes when the other goes leaves no gap.
    let next = Post {
        from: now.plus_ms(20 * DAY_MS),
        ..administrator
    };
    office.change(STRANGER, |posts| posts.push(next));
    let left = leave(office, DESK, DESK, &day(19));
    assert_eq!(code(&left), (409, json!("last_administrator")));
    assert_eq!(leave(office, DESK, DESK, &day(20)).status, 200);
}

#[test]
fn what_is_held_for_a_time_only_is_vacant_after_it() {
    let ground = Ground::new();
    let office = &ground.office;
    let post = ground
        .office
        .app
        .known()
        .directory
        .person(office.person(WALKER))
        .expect("he is there")
        .posts[0];
    let now = office.app.environment.now();
    let until = Some(now.plus_ms(2 * DAY_MS));
    office.change(STRANGER, |posts| posts.push(Post { until, ..post }));
    let left = leave(office, ADMIN, WALKER, &json!({ "from": tomorrow(office) })).json();
    assert_eq!(left["vacant"], left["ended"]);
    assert_eq!(left["vacant"][0]["at"], "beat:1");
}

#[test]
fn an_end_is_put_no_later_and_who_has_left_takes_nothing_over() {
    let ground = Ground::new();
    let office = &ground.office;
    let day = tomorrow(office);
    assert_eq!(
        leave(office, ADMIN, WALKER, &json!({ "from": day })).status,
        200
    );
    let later = leave(office, ADMIN, WALKER, &json!({ "from": "2030-01-01" }));
    assert_eq!(code(&later), (409, json!("leaves_already")));
    assert_eq!(
        leave(office, ADMIN, STRANGER, &json!({ "from": day })).status,
        200
    );
    let substitute = office.person(STRANGER).hex();
    let body = json!({ "from": day, "substitute": substitute });
    assert_eq!(
        code(&leave(office, ADMIN, DESK, &body)),
        (400, json!("substitute"))
    );
    // Until his day he holds one.
    let body = json!({ "from": "2026-01-01", "substitute": substitute });
    assert_eq!(leave(office, ADMIN, DESK, &body).status, 200);
}

#[test]
fn who_leaves_himself_takes_over_until_then_in_whichever_order_it_is_entered() {
    let posts = |is_first: bool| {
        let ground = Ground::new();
        let office = &ground.office;
        let now = office.app.environment.now();
        let day = |days: i64| rfc3339(now.plus_ms(days * DAY_MS));
        let substitute = office.person(STRANGER).hex();
        let taken_over = json!({ "from": day(1), "substitute": substitute });
        let ends = json!({ "from": day(10) });
        let mut leaves = [(WALKER, taken_over), (STRANGER, ends)];
        if is_first {
            leaves.reverse();
        }
        let left = leaves.map(|(who, body)| {
            let left = leave(office, ADMIN, who, &body);
            assert_eq!(left.status, 200, "{}", left.body);
            left.json()
        });
        // Whoever comes second, his answer names the beat, which is nobody's after the tenth day.
        let vacant = left[1]["vacant"].as_array().expect("posts");
        assert!(vacant.iter().any(|post| post["at"] == "beat:1"), "{left:?}");
        let known = office.app.known();
        let person = known.directory.person(office.person(STRANGER));
        person.expect("he is there").posts.clone()
    };
    let (second, first) = (posts(false), posts(true));
    assert_eq!(second, first);
    assert_eq!(second.len(), 2);
    assert!(second.iter().all(|post| post.until.is_some()), "{second:?}");
}

#[test]
fn a_substitute_is_added_for_the_same_day_and_a_leave_may_be_said_twice() {
    let ground = Ground::new();
    let office = &ground.office;
    let now = office.app.environment.now();
    // A post that had an end anyway, and one that would have begun later.
    let (end, later) = (now.plus_ms(90 * DAY_MS), now.plus_ms(30 * DAY_MS));
    office.change(WALKER, |posts| {
        let next = Post {
            from: end,
            ..posts[0]
        };
        posts[0].until = Some(end);
        posts.push(Post {
            from: later,
            at: PostAt::City,
            role: Role::Evaluator,
            ..next
        });
    });
    let day = tomorrow(office);
    let alone = json!({ "from": day });
    let left = leave(office, ADMIN, WALKER, &alone).json();
    // There are other evaluators.
    assert_eq!(left["vacant"], json!([left["ended"][0]]));
    let again = leave(office, ADMIN, WALKER, &alone);
    assert_eq!(code(&again), (409, json!("leaves_already")));
    let body = json!({ "from": day, "substitute": office.person(STRANGER).hex() });
    let told = leave(office, ADMIN, WALKER, &body);
    assert_eq!((told.status, &told.json()["vacant"]), (200, &json!([])));
    assert_eq!(told.json()["ended"], left["ended"]);
    let no = office.app.known().no;
    // The answer was lost.
    let again = leave(office, ADMIN, WALKER, &body);
    assert_eq!((again.status, again.body), (told.status, told.body));
    assert_eq!(office.app.known().no, no);
    let known = office.app.known();
    let substitute = known.directory.person(office.person(STRANGER));
    let taken: Vec<_> = substitute.expect("he is there").posts[1..].to_vec();
    let has = |from, until| {
        let mut taken = taken.iter();
        taken.any(|post| (post.from, post.until) == (from, until))
    };
    assert!(has(now.plus_ms(DAY_MS), Some(end)), "{taken:?}");
    assert!(has(later, None), "{taken:?}");
    assert_eq!(taken.len(), 2);
    // Whoever looks at what was in force sees which of it a leave made.
    let list = office.get(ADMIN, "/v1/imports").json();
    let versions = list["directories"].as_array().expect("versions");
    let made: Vec<_> = versions
        .iter()
        .map(|version| &version["is_leave"])
        .collect();
    assert!(
        made.ends_with(&[&json!(false), &json!(true), &json!(true)]),
        "{list}"
    );
}

/// A folder of its own with the city's tables.
fn copy_zhuhai(folder: &Folder) {
    for table in std::fs::read_dir(ZHUHAI).expect("the folder is read") {
        let table = table.expect("a file");
        let to = folder.file(&table.file_name().to_string_lossy());
        std::fs::copy(table.path(), to).expect("a copy");
    }
}

#[test]
fn no_file_of_people_undoes_a_leave_in_silence() {
    let folder = Folder::new("leave_and_files");
    let database = folder.database();
    copy_zhuhai(&folder);
    let own = folder.file("").display().to_string();
    let mut people =
        "person,name,role,at,from\n00000000000000a1,李强,administrator,city,2020-01-01\n\
                      00000000000000a2,王芳,inspector,beat:1,2020-01-01\n"
            .to_owned();
    let mut start = |row: &str| {
        people += row;
        std::fs::write(folder.file("people.csv"), &people).expect("a file is written");
        Running::start(&["--database", &database, "--directory", &own])
            .started
            .clone()
    };
    drop(start(""));
    let words = [
        "person",
        "leave",
        "--database",
        &database,
        "--name",
        "王芳",
        "--from",
        "2026-01-01",
    ];
    let left = errand(
        &[&words[..], &["--substitute", "00000000000000a1"]].concat(),
        "",
    );
    assert!(
        left.ok && left.lines[0]["ended"][0]["at"] == "beat:1",
        "{}",
        left.log
    );
    let gone = errand(&words, "");
    assert!(!gone.ok && gone.log.contains("no post"), "{}", gone.log);
    let posts = || {
        let people = errand(&["person", "list", "--database", &database], "").lines;
        let of = |place: usize| people[place]["posts"].as_array().map_or(0, Vec::len);
        let ended = people[1]["posts"][0]["until"].is_string();
        (of(0), of(1), ended)
    };
    assert_eq!(posts(), (2, 1, true));
    // The same file again: what was changed since stays.
    drop(start(""));
    assert_eq!(posts(), (2, 1, true));
    // The same file by the other door: the end stays, and it is said.
    let file = folder.file("people.csv").display().to_string();
    let adopted = errand(&["import", "--database", &database, "--adopt", &file], "");
    assert!(adopted.ok, "{}", adopted.log);
    let shown = &adopted.lines[0];
    assert_eq!(shown["warnings_total"], 2, "{shown}");
    let told = |at: usize| {
        let warning = &shown["warnings"][at];
        (warning["reason"].clone(), warning["line"].clone())
    };
    assert_eq!(
        [told(0), told(1)],
        ["earlier_end", "takeover_kept"].map(|word| (json!(word), json!(3)))
    );
    assert_eq!(posts(), (2, 1, true));
    // Another file: ends stay, and what it lacks is said.
    let log = start("00000000000000a3,赵敏,dispatcher,city,2026-01-01\n");
    assert!(
        log.contains("1 posts have ended earlier") && log.contains("1 posts follow on such an end"),
        "{log}"
    );
    assert!(!log.contains("posts were in"), "{log}");
    assert_eq!(posts(), (2, 1, true));
    assert!(!log.contains("no administrator"), "{log}");
    let nobody = "person,name,role,at,from\n00000000000000a3,赵敏,dispatcher,city,2026-01-01\n";
    std::fs::write(folder.file("people.csv"), nobody).expect("a file is written");
    let server = Running::start(&["--database", &database, "--directory", &own]);
    assert!(
        server.started.contains("no administrator"),
        "{}",
        server.started
    );
}

#[test]
fn who_ends_by_a_file_is_followed_by_a_file() {
    let folder = Folder::new("end_by_a_file");
    let database = folder.database();
    copy_zhuhai(&folder);
    let people = "person,name,role,at,from,until\n00000000000000a1,李强,administrator,city,2020-01-01,\n\
                  00000000000000a2,王芳,inspector,beat:1,2020-01-01,2100-01-01\n";
    std::fs::write(folder.file("people.csv"), people).expect("a file is written");
    let own = folder.file("").display().to_string();
    drop(Running::start(&[
        "--database",
        &database,
        "--directory",
        &own,
    ]));
    let said = errand(
        &[
            "person",
            "leave",
            "--database",
            &database,
            "--name",
            "王芳",
            "--from",
            "2100-01-01",
            "--substitute",
            "00000000000000a1",
        ],
        "",
    );
    assert!(
        !said.ok && said.log.contains("end that day by a file"),
        "{}",
        said.log
    );
}
