//! A proposal for the register of components, from a phone without a network to the administrator's answer and back.

use patrol_core::doc::register::FieldValue;
use patrol_core::domain::action::Action;
use patrol_core::domain::case::{Category, CategoryKind};
use patrol_core::domain::entry::{Body, PhotoRef, Proposal, Proposed};
use patrol_core::domain::id::DocumentId;
use patrol_core::domain::place::Place;
use patrol_core::domain::refusal::Refusal;
use patrol_core::error::{Error, Result};
use patrol_core::replica::Deed;
use patrol_server::office::{self, Rejection};
use patrol_tests::world::{Phone, World};

const INSPECTOR: &str = "巡查员01";
const ADMINISTRATOR: &str = "管理员01";
const LAMP: u64 = 44_040_201_037_000_017;

const PHOTO: PhotoRef = PhotoRef {
    sha256: [7; 32],
    bytes: 40_000,
    media: 1,
    kind: 1,
};

fn propose(phone: &Phone, proposed: Proposed, component: Option<u64>) -> Result<DocumentId> {
    let village = phone.replica.villages()?[0];
    let category = Category {
        scheme: 476_785,
        kind: CategoryKind::Component,
        code: 1_037,
        condition: None,
    };
    let body = Body {
        proposal: Some(Proposal {
            proposed,
            component,
        }),
        photos: vec![PHOTO],
        ..Body::default()
    };
    let deed = Deed {
        fields: vec![
            FieldValue::Place(Place::village(village)),
            FieldValue::Category(category),
        ],
        ..Deed::new(Action::Propose, body)
    };
    Ok(phone.replica.begin(&deed)?.0)
}

#[test]
fn a_proposal_is_made_offline_and_its_author_hears_what_became_of_it() {
    let mut world = World::new(330);
    let phone = world.phone(INSPECTOR);
    let gone = propose(phone, Proposed::Gone, Some(LAMP)).unwrap();
    let new = propose(phone, Proposed::New, None).unwrap();
    phone.sync().unwrap();
    assert_eq!(
        (world.stage(gone).as_str(), world.stage(new).as_str()),
        ("reported", "reported")
    );
    // Whoever says by hand that it is adopted changes nothing in the register: only the import's preview may (`adopted`).
    let administrator = world.person(ADMINISTRATOR);
    let view = office::view(&world.app, administrator, gone).unwrap();
    assert_eq!(view.reading.lines[0].entry.body.photos, [PHOTO]);
    let offered: Vec<Action> = view.offers.iter().map(|offer| offer.action).collect();
    assert_eq!(offered, [Action::Decline]);
    for name in ["受理派遣员01", ADMINISTRATOR] {
        let accepted = world.office(name, gone, Action::Accept, Body::default());
        assert!(
            matches!(accepted, Err(Rejection::Refused(Refusal::NotPermitted))),
            "{accepted:?}"
        );
    }
    for survey in [gone, new] {
        let why = Body {
            words: Some("已在册".to_owned()),
            ..Body::default()
        };
        world
            .office(ADMINISTRATOR, survey, Action::Decline, why)
            .unwrap();
    }
    let phone = &world.phones[INSPECTOR];
    phone.sync().unwrap();
    assert_eq!(
        (phone.stage(gone).as_str(), phone.stage(new).as_str()),
        ("declined", "declined")
    );
    let rows = phone.replica.list("survey", 0, 9).unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(phone.replica.list("case", 0, 9).unwrap(), []);
    // What is answered is answered.
    let taken_back = phone.act(gone, Action::Withdraw, Body::default());
    assert!(
        matches!(taken_back, Err(Error::Refused(Refusal::WrongStage))),
        "{taken_back:?}"
    );
}

#[test]
fn a_proposal_that_names_no_component_is_recorded_nowhere() {
    let mut world = World::new(331);
    let phone = world.phone(INSPECTOR);
    for (proposed, component) in [
        (Proposed::Moved, None),
        (Proposed::Gone, Some(17)),
        (Proposed::New, Some(10_u64.pow(17))),
    ] {
        let refused = propose(phone, proposed, component);
        assert!(
            matches!(refused, Err(Error::Refused(Refusal::EntryForm))),
            "{refused:?}"
        );
    }
    let report = Deed {
        fields: patrol_tests::world::matter(phone.replica.villages().unwrap()[0], "不是提案"),
        ..Deed::new(Action::Propose, Body::default())
    };
    let refused = phone.replica.begin(&report);
    assert!(
        matches!(refused, Err(Error::Refused(Refusal::EntryForm))),
        "{refused:?}"
    );
    assert_eq!(phone.replica.status().unwrap().outbox, 0);
}
