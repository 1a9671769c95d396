//! What who reviews a held change is shown of it: all that he has to judge.

use patrol_core::doc::compose::{Content, compose};
use patrol_core::doc::entry;
use patrol_core::doc::ledger::Ledger;
use patrol_core::doc::parse::parse;
use patrol_core::doc::register::FieldValue;
use patrol_core::domain::action::Action;
use patrol_core::domain::capability::Capability;
use patrol_core::domain::case::{Category, CategoryKind};
use patrol_core::domain::entry::{Body, Entry};
use patrol_core::domain::id::{Actor, DeviceId, DocumentId, UnitId};
use patrol_core::domain::place::{Datum, Place, Point, VillageCode};
use patrol_core::domain::time::{At, Timestamp};
use patrol_server::grow::Growing;
use patrol_server::store::{BoxedAs, BoxedChange, Commit};
use serde_json::json;

use crate::bad_input::ground::{Ask, DESK, Ground, VILLAGE, WALKER};

#[test]
fn a_held_report_is_shown_with_its_place_category_and_words() {
    let ground = Ground::new();
    let office = &ground.office;
    let (device, document) = (DeviceId::from_hex(&ground.device), DocumentId([3; 16]));
    let (device, person) = (device.expect("an id"), office.person(WALKER));
    let entry = Entry {
        kind: Action::Report.code(),
        person,
        device,
        capability: Capability::Inspect.code(),
        unit: UnitId(VILLAGE),
        n: 2,
        on: Vec::new(),
        at: At::wall(Timestamp(1)),
        key: None,
        body: Body::default(),
    };
    let place = Place {
        village: VillageCode::new(VILLAGE).expect("a village"),
        point: Some(Point {
            lon_e7: 1_133_000_000,
            lat_e7: 221_000_000,
            datum: Datum::Cgcs2000,
            accuracy_m: Some(8),
        }),
        words: Some("桥头".to_owned()),
    };
    let category = Category {
        scheme: 2_013,
        kind: CategoryKind::Matter,
        code: 101,
        condition: None,
    };
    let fields = vec![
        FieldValue::Place(place),
        FieldValue::Category(category),
        FieldValue::Words("垃圾成堆".to_owned()),
    ];
    let content = Content::person(&entry, fields);
    let change = compose(
        &Ledger::new(document),
        Actor::new(device, [2; 8]),
        &[],
        &content,
    );
    let change = change.expect("it is the first");
    let commit = Commit {
        boxed: vec![BoxedChange {
            device,
            document,
            hash: change.hash,
            body: change.bytes,
            person: Some(person),
            state: BoxedAs::Held,
            boxed_at: Timestamp(2),
            settled: None,
        }],
        ..Commit::default()
    };
    office.app.store.commit(&commit).expect("it is held");
    let shown = office.get(DESK, "/v1/reviews").json();
    let reviews = shown["reviews"].as_array().expect("a list");
    let found = reviews
        .iter()
        .find(|held| held["document"] == document.hex());
    let expected = json!({
        "place": {
            "village": VILLAGE,
            "point": { "lon_e7": 1_133_000_000, "lat_e7": 221_000_000, "datum": "cgcs2000", "accuracy_m": 8 },
            "words": "桥头",
        },
        "category": { "scheme": 2_013, "kind": "matter", "code": 101, "condition": null },
        "words": "垃圾成堆",
    });
    assert_eq!(found.expect("it is listed")["fields"], expected);
}

#[test]
fn with_what_is_released_goes_what_was_looked_at_too() {
    for (seen, stays) in [(false, 1), (true, 0)] {
        let ground = Ground::new();
        let app = &ground.office.app;
        let id = DocumentId::from_hex(&ground.case).expect("an id");
        let mut commit = Commit::default();
        let read = app.store.read(&mut |snapshot| {
            let mut ledger = Growing::load(snapshot, id)?.ledger;
            let held = snapshot.held_of(id)?.swap_remove(0);
            let first = parse(&held.body).expect("a change");
            let (actor, put) = (first.actor, &first.puts[0]);
            let mut entry = entry::decode(&put.value).expect("an entry");
            entry.n += 1;
            ledger.push(first).expect("it builds on what is there");
            let content = Content::person(&entry, Vec::new());
            let next = compose(&ledger, actor, &ledger.head_hashes(), &content);
            let next = next.expect("it follows");
            commit.boxed = vec![BoxedChange {
                hash: next.hash,
                body: next.bytes,
                ..held
            }];
            Ok(())
        });
        read.expect("the store answers");
        let next = commit.boxed[0].hash.hex();
        app.store.commit(&commit).expect("it is held");
        let device = DeviceId::from_hex(&ground.device).expect("an id");
        app.store.revoke(device, Timestamp(3)).expect("it is lost");

        let path = format!("/v1/reviews/{}/{}", ground.case, ground.held);
        let seen = if seen { vec![&next] } else { Vec::new() };
        let settle = json!({ "decision": "release", "words": "看过", "seen": seen });
        let reply = ground.send(&Ask::post(DESK, &path, &settle));
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert_eq!(reply.json(), json!({ "refused": null }));
        let left = ground.office.get(DESK, "/v1/reviews").json();
        let left = left["reviews"].as_array().expect("a list");
        assert_eq!(left.len(), stays, "{left:?}");
        assert!(left.iter().all(|held| held["change"] == json!(next)));
    }
}
