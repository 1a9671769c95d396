//! What who reviews a held change is shown of it: all that he has to judge.

use patrol_core::doc::compose::{Content, compose};
use patrol_core::doc::ledger::Ledger;
use patrol_core::doc::register::FieldValue;
use patrol_core::domain::action::Action;
use patrol_core::domain::capability::Capability;
use patrol_core::domain::case::{Category, CategoryKind};
use patrol_core::domain::entry::{Body, Entry};
use patrol_core::domain::id::{Actor, DeviceId, DocumentId, UnitId};
use patrol_core::domain::place::{Datum, Place, Point, VillageCode};
use patrol_core::domain::time::{At, Timestamp};
use patrol_server::store::{BoxedAs, BoxedChange, Commit};
use serde_json::json;

use crate::bad_input::ground::{DESK, Ground, VILLAGE, WALKER};

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
