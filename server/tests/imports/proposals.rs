//! Proposals in a browser and by command: how they are asked for, adopted, and named where nobody answers.

use std::sync::Arc;

use patrol_core::doc::register::FieldValue;
use patrol_core::domain::action::Action;
use patrol_core::domain::entry::{Body, PhotoRef, Proposal, Proposed};
use patrol_core::domain::id::{DocumentId, PersonId};
use patrol_core::domain::limits;
use patrol_core::domain::place::{Place, VillageCode};
use patrol_core::domain::time::Timestamp;
use patrol_server::app::{App, Environment, draw_identity};
use patrol_server::directory::{SYNTHETIC_SINCE, synthetic_people, zhuhai};
use patrol_server::host::SystemEnvironment;
use patrol_server::import::{self, Adopted};
use patrol_server::office;
use patrol_server::store::sqlite::SqliteStore;
use serde_json::json;

use super::components::{HEAD, YUYUE, lamps};
use super::{Desk, file};
use crate::program::{Folder, Said, errand};

const ADMIN: &str = "管理员01";
const LAMP: u64 = 44_040_401_037_000_001;

/// Somebody proposes in a browser that the first lamp is broken.
fn propose(app: &App, person: PersonId, id: DocumentId) {
    let village = VillageCode::new(YUYUE).expect("twelve digits");
    let proposal = Proposal {
        proposed: Proposed::Broken,
        component: Some(LAMP),
    };
    let category = patrol_core::domain::case::Category {
        scheme: 476_785,
        kind: patrol_core::domain::case::CategoryKind::Component,
        code: 1_037,
        condition: None,
    };
    let deed = office::Deed {
        action: Action::Propose,
        body: Body {
            proposal: Some(proposal),
            photos: vec![PhotoRef {
                sha256: [0xab; 32],
                bytes: 5,
                media: 1,
                kind: 1,
            }],
            ..Body::default()
        },
        fields: vec![
            FieldValue::Place(Place::village(village)),
            FieldValue::Category(category),
        ],
        on: Vec::new(),
        seen: Vec::new(),
        key: id.0.to_vec(),
        acted_at: app.environment.now(),
    };
    office::begin(app, person, id, &deed).expect("proposing is allowed anywhere");
}

#[test]
fn an_administrator_looks_at_proposals_and_adopts_them() {
    let desk = Desk::new();
    desk.import("components.csv", &format!("{HEAD}{}", lamps(YUYUE, 1..3)));
    let office = &desk.office;
    let survey = DocumentId([9; 16]);
    propose(&office.app, office.person("巡查员01"), survey);
    let path = "/v1/imports/proposals";
    assert_eq!(
        office
            .post("受理派遣员01", path, &json!({ "surveys": [] }))
            .status,
        403
    );
    let wrong = office.post(ADMIN, path, &json!({ "surveys": ["x"] }));
    assert_eq!(
        (wrong.status, wrong.json()["error"]["code"].clone()),
        (400, json!("surveys"))
    );
    let unknown = office
        .post(
            ADMIN,
            path,
            &json!({ "surveys": [DocumentId([8; 16]).hex()] }),
        )
        .json();
    assert_eq!(
        (&unknown["id"], &unknown["faults"][0]["reason"]),
        (&json!(null), &json!("not_waiting"))
    );
    let named = format!("survey {}", DocumentId([8; 16]).hex());
    assert_eq!(unknown["faults"][0]["detail"], json!(named));
    let many = vec![survey.hex(); limits::PROPOSALS_AT_ONCE + 1];
    let many = office.post(ADMIN, path, &json!({ "surveys": many })).json();
    assert_eq!(many["faults"][0]["reason"], "too_large");

    let asked = json!({ "surveys": [survey.hex(), survey.hex()], "fields": { "remarks": "巡查发现", "authority_name": "别的局" } });
    let shown = office.post(ADMIN, path, &asked).json();
    assert_eq!(shown["tables"][0]["changed"], 1, "{shown}");
    // What stands there stays, and what is filled in is shown.
    let row = &shown["tables"][0]["rows"][0];
    assert_eq!(row["said"], json!({ "remarks": "巡查发现" }), "{row}");
    assert_eq!(row["photos"], json!(1), "{row}");
    let adopt = format!(
        "/v1/imports/{}/adopt",
        shown["id"].as_str().expect("a name")
    );
    let adopted = office.post(ADMIN, &adopt, &json!({})).json();
    assert_eq!(adopted["adopted"]["proposals"], 1, "{adopted}");
    assert_eq!(office.post(ADMIN, &adopt, &json!({})).status, 404);
    let lamp = office
        .get(ADMIN, &format!("/v1/components/codes/{LAMP}"))
        .json();
    assert_eq!(
        (&lamp["state"], &lamp["remarks"], &lamp["authority"]["name"]),
        (&json!("破损"), &json!("巡查发现"), &json!("城市管理局"))
    );
    let page = office
        .get(ADMIN, &format!("/v1/cases/{}", survey.hex()))
        .json();
    assert_eq!(page["stage"], "closed", "{page}");
}

/// The machine's clock, put back by so much.
struct Earlier(i64);

impl Environment for Earlier {
    fn now(&self) -> Timestamp {
        SystemEnvironment.now().plus_ms(-self.0)
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        SystemEnvironment.fill_random(bytes);
    }
}

/// A database with a proposal that has waited too long.
fn proposed(folder: &Folder) -> (String, DocumentId) {
    let database = folder.database();
    let survey = DocumentId([9; 16]);
    {
        let earlier = Earlier(limits::PROPOSAL_WAIT_MS + 60_000);
        let store = SqliteStore::open(&database, || draw_identity(&earlier)).expect("a new file");
        let app = App::open(Arc::new(store), Arc::new(earlier)).expect("it opens");
        let mut directory = zhuhai();
        directory.people = synthetic_people(&directory, SYNTHETIC_SINCE);
        app.put_directory(&directory)
            .expect("the directory is kept");
        let lamps = format!("{HEAD}{}", lamps(YUYUE, 1..3));
        let upload = file("components.csv", lamps.as_bytes());
        let preview = import::preview(&app, &[upload]).expect("the store answers");
        let adopted = import::adopt(&app, &preview).expect("it is adopted");
        assert!(matches!(adopted, Some(Adopted::Components(_))));
        let people = directory
            .people
            .iter()
            .filter(|person| !person.posts.is_empty());
        let person = people.clone().find(|person| person.name == "巡查员01");
        propose(&app, person.expect("an inspector").id, survey);
    }
    (database, survey)
}

#[test]
fn a_check_names_a_proposal_that_waits_too_long_and_a_command_adopts_it() {
    let folder = Folder::new("proposals_by_command");
    let (database, survey) = proposed(&folder);
    let run =
        |words: &[&str]| -> Said { errand(&[words, &["--database", &database]].concat(), "") };
    let named = || {
        let checked = run(&["check"]);
        assert!(checked.ok, "{}", checked.log);
        let waiting = checked
            .lines
            .into_iter()
            .filter(|line| line["proposal"].is_string());
        waiting
            .map(|line| (line["proposal"].clone(), line["village"].clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(named(), [(json!(survey.hex()), json!(YUYUE))]);
    let proposals = [
        "import",
        "proposals",
        "--name",
        ADMIN,
        "--set",
        "remarks=巡查发现",
    ];
    let shown = run(&proposals);
    assert!(shown.ok, "{}", shown.log);
    assert_eq!(
        shown.lines[0]["tables"][0]["rows"][0]["surveys"],
        json!([survey.hex()])
    );
    assert_eq!(named().len(), 1);
    let id = survey.hex();
    // One that is none keeps the other from being declined.
    let decline = |ids: &[&str]| {
        let words = [
            "import",
            "proposals",
            "--name",
            ADMIN,
            "--decline",
            "现场查无此事",
        ];
        run(&[&words[..], ids].concat())
    };
    let refused = decline(&[&id, &DocumentId([8; 16]).hex()]);
    assert!(
        !refused.ok && refused.log.contains("survey: not_waiting"),
        "{}",
        refused.log
    );
    assert!(!decline(&[]).ok);
    assert_eq!(named().len(), 1);
    let adopted = run(&[&proposals[..], &["--adopt", &id]].concat());
    assert_eq!(
        adopted.lines[1]["adopted"]["proposals"], 1,
        "{}",
        adopted.log
    );
    assert_eq!(named(), []);
    let again = run(&[&proposals[..], &["--adopt", &id]].concat());
    assert!(
        !again.ok && again.log.contains("survey: not_waiting"),
        "{}",
        again.log
    );
    for wrong in [&["--set", "remarks"][..], &["xy"]] {
        assert!(!run(&[&proposals[..], wrong].concat()).ok, "{wrong:?}");
    }
}

#[test]
fn a_command_declines_proposals_for_a_reason() {
    let folder = Folder::new("proposals_declined");
    let (database, survey) = proposed(&folder);
    let id = survey.hex();
    let words = |word| {
        [
            "import",
            "proposals",
            "--database",
            &database,
            "--name",
            ADMIN,
            "--decline",
            word,
            &id,
        ]
    };
    let wordless = errand(&words(""), "");
    assert!(
        !wordless.ok && wordless.log.contains("a value is required"),
        "{}",
        wordless.log
    );
    let declined = errand(&words("现场查无此事"), "");
    assert_eq!(
        declined.lines,
        [json!({ "declined": 1 })],
        "{}",
        declined.log
    );
    let again = errand(&words("现场查无此事"), "");
    assert!(
        !again.ok && again.log.contains("not_waiting"),
        "{}",
        again.log
    );
    let checked = errand(&["check", "--database", &database], "");
    assert!(
        checked.ok
            && !checked
                .lines
                .iter()
                .any(|line| line["proposal"].is_string())
    );
}
