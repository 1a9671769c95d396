//! Proposals that an administrator adopts through the import's preview: from a phone to the phones of its beat.

use std::sync::Barrier;
use std::sync::atomic::Ordering;

use patrol_core::doc::register::FieldValue;
use patrol_core::domain::action::Action;
use patrol_core::domain::case::{Category, CategoryKind};
use patrol_core::domain::component::{Component, ComponentCode};
use patrol_core::domain::entry::{Body, Proposal, Proposed};
use patrol_core::domain::id::DocumentId;
use patrol_core::domain::place::{Datum, Place, Point, VillageCode};
use patrol_core::replica::Deed;
use patrol_server::components::by_code;
use patrol_server::import::proposals::{Asked, preview, waiting};
use patrol_server::import::{Adopted, Preview, adopt};
use patrol_server::store::StoreError;
use patrol_server::store::reference::Weighed;
use patrol_tests::world::{Phone, World};
use serde_json::json;

use super::components::{import, lamp, lamps};

const INSPECTOR: &str = "巡查员01";
const STRANGER: &str = "巡查员40";
const ADMINISTRATOR: &str = "管理员01";

/// A world in which the villages of two beats have a lamp each.
struct Street {
    world: World,
    own: Vec<VillageCode>,
    other: VillageCode,
}

impl Street {
    fn new(seed: u64) -> Self {
        let mut world = World::new(seed);
        let own = world.villages(INSPECTOR);
        let other = world.villages(STRANGER)[0];
        import(&world.app, &lamps(&[own[0], own[1], other]));
        for name in [INSPECTOR, STRANGER] {
            world.phone(name).sync().unwrap();
        }
        Self { world, own, other }
    }

    /// What an inspector proposes on the spot, and pushes.
    fn propose(
        &mut self,
        proposed: Proposed,
        component: Option<ComponentCode>,
        place: Place,
    ) -> DocumentId {
        let category = Category {
            scheme: 476_785,
            kind: CategoryKind::Component,
            code: 1_037,
            condition: None,
        };
        let component = component.map(ComponentCode::number);
        let body = Body {
            proposal: Some(Proposal {
                proposed,
                component,
            }),
            ..Body::default()
        };
        let fields = vec![FieldValue::Place(place), FieldValue::Category(category)];
        let deed = Deed {
            fields,
            ..Deed::new(Action::Propose, body)
        };
        let phone = self.world.phone(INSPECTOR);
        let survey = phone.replica.begin(&deed).unwrap().0;
        phone.sync().unwrap();
        self.world.clock.advance_ms(1_000);
        survey
    }

    fn preview(&self, surveys: &[DocumentId], fields: &[(&str, &str)]) -> Preview {
        let fields = fields
            .iter()
            .map(|(column, value)| ((*column).to_owned(), (*value).to_owned()));
        let asked = Asked {
            surveys: surveys.to_vec(),
            fields: fields.collect(),
        };
        preview(&self.world.app, self.world.person(ADMINISTRATOR), &asked).unwrap()
    }

    fn adopt(&self, preview: &Preview) -> Result<Option<Adopted>, StoreError> {
        adopt(&self.world.app, preview)
    }

    /// What is wrong with these proposals, which then cannot be adopted; each fault of one names it, which is left out here.
    fn faults(&self, surveys: &[DocumentId], fields: &[(&str, &str)]) -> Vec<String> {
        let preview = self.preview(surveys, fields);
        assert_eq!(self.adopt(&preview).unwrap(), None);
        let faults = preview.faults.shown.iter().map(|fault| {
            let told = fault.to_string();
            let Some(line) = fault.line else {
                return told;
            };
            let named = format!(" (survey {})", surveys[line - 1].hex());
            told.strip_suffix(&named).expect("it is named").to_owned()
        });
        faults.collect()
    }

    fn component(&self, code: ComponentCode) -> Option<Component> {
        by_code(&self.world.app, code.number()).unwrap()
    }

    fn imports(&self) -> usize {
        self.world.app.store.component_imports().unwrap().len()
    }
}

/// How many requests a phone makes in one call of sync.
fn requests_of_a_sync(phone: &Phone) -> usize {
    let requests = || phone.link.requests.load(Ordering::Relaxed);
    let before = requests();
    phone.sync().unwrap();
    requests() - before
}

fn at(village: VillageCode, lon_e7: i64) -> Place {
    let point = Point {
        lon_e7,
        lat_e7: 221_250_000,
        datum: Datum::Wgs84,
        accuracy_m: Some(5),
    };
    Place {
        point: Some(point),
        ..Place::village(village)
    }
}

#[test]
fn an_adopted_proposal_changes_the_component_on_the_phones_of_its_beat_and_is_closed() {
    let mut street = Street::new(340);
    let (village, own) = (street.own[0], lamp(street.own[0], 1));
    let broken = street.propose(Proposed::Broken, Some(own), Place::village(village));
    let preview = street.preview(&[broken], &[]);
    let shown = preview.json(None);
    assert_eq!(
        (&shown["faults_total"], &shown["tables"][0]["changed"]),
        (&json!(0), &json!(1))
    );
    let row = &shown["tables"][0]["rows"][0];
    let surveys = json!([broken.hex()]);
    assert_eq!(
        (&row["row"], &row["surveys"]),
        (&json!(own.to_string()), &surveys)
    );
    assert_eq!(
        row["is"]["text"],
        format!("路灯 破损 113.2500001 22.1250000 {village}001")
    );
    // Nothing has changed by looking.
    assert_eq!(street.component(own).unwrap().state, "完好");
    let expected = Weighed {
        changed: 1,
        ..Weighed::default()
    };
    assert_eq!(
        street.adopt(&preview).unwrap(),
        Some(Adopted::Proposals(expected, 1))
    );

    let [inspector, stranger] = [INSPECTOR, STRANGER].map(|name| &street.world.phones[name]);
    // The inspector's phone asks for the list and the village, the stranger's for nothing.
    assert_eq!([inspector, stranger].map(requests_of_a_sync), [3, 1]);
    let there = inspector.replica.component(own).unwrap().unwrap();
    assert_eq!(
        (there.state.as_str(), there.changed_on),
        ("破损", Some(20_261_123))
    );
    assert_eq!(Some(there), street.component(own));
    assert_eq!(inspector.stage(broken), "closed");

    // Once: neither the same preview nor another does it again.
    assert!(matches!(street.adopt(&preview), Err(StoreError::Stale)));
    assert_eq!(
        street.faults(&[broken], &[]),
        ["proposals:1: survey: not_waiting"]
    );
    assert_eq!(street.imports(), 2);
}

#[test]
fn what_waits_is_adopted_together_and_a_new_component_gets_the_next_code() {
    let mut street = Street::new(341);
    let [first, second] = [street.own[0], street.own[1]];
    let gone = street.propose(
        Proposed::Gone,
        Some(lamp(second, 2)),
        Place::village(second),
    );
    let moved = street.propose(
        Proposed::Moved,
        Some(lamp(first, 1)),
        at(second, 1_132_600_000),
    );
    let new =
        [0, 1].map(|step| street.propose(Proposed::New, None, at(first, 1_132_500_100 + step)));
    assert_eq!(waiting(&street.world.app).unwrap().len(), 4);
    let preview = street.preview(&[], &[("source", "实测")]);
    assert_eq!(preview.faults.shown, []);
    assert_eq!(
        preview.json(None)["notes"],
        json!(["taken_from_neighbours"])
    );
    let adopted = street.adopt(&preview).unwrap();
    let expected = Weighed {
        added: 2,
        changed: 2,
        ..Weighed::default()
    };
    assert_eq!(adopted, Some(Adopted::Proposals(expected, 4)));

    assert_eq!(street.component(lamp(second, 2)).unwrap().state, "丢失");
    let lamp_moved = street.component(lamp(first, 1)).unwrap();
    assert_eq!(
        (lamp_moved.village, lamp_moved.position.lon_e7),
        (second, 1_132_600_000)
    );
    assert_eq!(lamp_moved.unit_grid, format!("{second}001"));
    // The last serial of the division is that of the stranger's lamp, where it is of the same one.
    let last = if street.other.district() == first.district() {
        3
    } else {
        2
    };
    for (number, lon_e7) in [(last + 1, 1_132_500_100), (last + 2, 1_132_500_101)] {
        let lamp = street.component(lamp(first, number)).unwrap();
        assert_eq!(
            (lamp.position.lon_e7, lamp.state.as_str()),
            (lon_e7, "完好")
        );
        assert_eq!(
            (lamp.authority.name.as_str(), lamp.source.as_str()),
            ("城市管理局", "实测")
        );
        assert_eq!((lamp.first_on, lamp.changed_on), (20_261_123, None));
    }
    for survey in [gone, moved, new[0], new[1]] {
        assert_eq!(street.world.stage(survey), "closed");
    }
    assert_eq!(waiting(&street.world.app).unwrap(), []);
    assert_eq!(street.adopt(&street.preview(&[], &[])).unwrap(), None);
}

#[test]
fn what_a_proposal_lacks_is_a_fault_until_the_administrator_says_it() {
    let mut street = Street::new(342);
    let village = street.own[0];
    // The first thing of its kind, in a village that has nothing.
    let text = lamps(&[street.own[1]]);
    street.world.clock.advance_ms(1);
    import(&street.world.app, &text);
    let empty = street.own[0];
    let moved_away = street.propose(
        Proposed::Moved,
        Some(lamp(village, 1)),
        at(street.own[1], 1_132_500_000),
    );
    street.adopt(&street.preview(&[moved_away], &[])).unwrap();
    let new = street.propose(Proposed::New, None, at(empty, 1_132_500_000));
    let faults = street.faults(&[new], &[]);
    let expected = [
        "unit_grid: not_a_code",
        "authority_code: empty",
        "authority_name: empty",
    ];
    assert_eq!(
        faults,
        expected.map(|fault| format!("proposals:1: {fault}"))
    );
    let grid = format!("{empty}001");
    let said = [
        ("unit_grid", grid.as_str()),
        ("authority_code", "91350100M000100Y43"),
        ("authority_name", "城管局"),
    ];
    let colour = [said.as_slice(), &[("colour", "red")]].concat();
    assert_eq!(
        street.faults(&[new], &colour),
        ["proposals: colour: unknown_column"]
    );
    let taken = lamp(street.own[1], 1).to_string();
    let taken = [said.as_slice(), &[("code", taken.as_str())]].concat();
    assert_eq!(
        street.faults(&[new], &taken),
        ["proposals:1: code: duplicate"]
    );
    let adopted = street.adopt(&street.preview(&[new], &said)).unwrap();
    assert!(
        matches!(adopted, Some(Adopted::Proposals(_, 1))),
        "{adopted:?}"
    );
    // Without a position it stands nowhere.
    let nowhere = street.propose(Proposed::New, None, Place::village(empty));
    let faults = street.faults(&[nowhere], &[]);
    let expected = [
        "lon_cgcs2000: not_a_coordinate",
        "lat_cgcs2000: not_a_coordinate",
    ];
    assert_eq!(
        faults,
        expected.map(|fault| format!("proposals:1: {fault}"))
    );
}

#[test]
fn what_is_answered_gone_or_contradicted_is_named_and_changes_nothing() {
    let mut street = Street::new(343);
    let village = street.own[0];
    let (own, place) = (lamp(village, 1), Place::village(village));
    let declined = street.propose(Proposed::Broken, Some(own), place.clone());
    let why = Body {
        words: Some("已修好".to_owned()),
        ..Body::default()
    };
    street
        .world
        .office(ADMINISTRATOR, declined, Action::Decline, why)
        .unwrap();
    let broken = street.propose(Proposed::Broken, Some(own), place.clone());
    let gone = street.propose(Proposed::Gone, Some(own), place.clone());
    let unknown = street.propose(Proposed::Gone, Some(lamp(village, 99)), place);
    let case = street.world.phone(INSPECTOR).report(village, "桥边垃圾").0;
    street.world.phone(INSPECTOR).sync().unwrap();
    let asked = [declined, broken, gone, unknown, case, DocumentId([7; 16])];
    assert_eq!(
        street.faults(&asked, &[]),
        [
            "proposals:1: survey: not_waiting",
            "proposals:5: survey: not_waiting",
            "proposals:6: survey: not_waiting",
            "proposals:3: state: contradiction",
            "proposals:4: code: unknown_component",
        ]
    );
    let someone = Asked {
        surveys: vec![broken],
        ..Asked::default()
    };
    let preview = preview(&street.world.app, street.world.person(INSPECTOR), &someone).unwrap();
    let fault = preview.faults.shown[0].to_string();
    let named = format!(
        "proposals:1: survey: not_permitted (survey {})",
        broken.hex()
    );
    assert_eq!(fault, named);
    assert_eq!(
        (
            street.imports(),
            street.component(own).unwrap().state.as_str()
        ),
        (1, "完好")
    );
    let phone = street.world.phone(INSPECTOR);
    phone.sync().unwrap();
    assert_eq!(
        (phone.stage(declined).as_str(), phone.stage(broken).as_str()),
        ("declined", "reported")
    );
}

/// Two administrators adopt what each has previewed, in the same instant. How many proposals each has accepted; none where his preview is stale.
fn at_once(street: &Street, previews: [&Preview; 2]) -> Vec<Option<usize>> {
    let (app, start) = (&*street.world.app, &Barrier::new(2));
    let adopted = |preview| {
        start.wait();
        match adopt(app, preview) {
            Ok(Some(Adopted::Proposals(_, accepted))) => Some(accepted),
            Err(StoreError::Stale) => None,
            other => panic!("{other:?}"),
        }
    };
    let mut told = std::thread::scope(|scope| {
        let both = previews.map(|preview| scope.spawn(move || adopted(preview)));
        both.map(|adopted| adopted.join().unwrap()).to_vec()
    });
    told.sort_unstable();
    told
}

#[test]
fn of_two_adoptions_in_the_same_instant_that_do_not_know_of_each_other_one_is_stale() {
    let mut street = Street::new(345);
    let [first, second] = [street.own[0], street.own[1]];
    let one = street.propose(
        Proposed::Broken,
        Some(lamp(first, 1)),
        Place::village(first),
    );
    let other = street.propose(
        Proposed::Broken,
        Some(lamp(second, 2)),
        Place::village(second),
    );
    let again = street.propose(
        Proposed::Broken,
        Some(lamp(first, 1)),
        Place::village(first),
    );
    let previews = [one, other].map(|survey| street.preview(&[survey], &[]));
    assert_eq!(at_once(&street, previews.each_ref()), [None, Some(1)]);
    let stages = [one, other].map(|survey| street.world.stage(survey));
    let closed = stages.iter().filter(|stage| *stage == "closed");
    assert_eq!((closed.count(), street.imports()), (1, 2), "{stages:?}");
    for survey in [one, other] {
        street.adopt(&street.preview(&[survey], &[])).unwrap();
    }
    // By now the lamp is so: nothing in the register differs, and still one alone accepts.
    let same = [(); 2].map(|()| street.preview(&[again], &[]));
    assert_eq!(at_once(&street, same.each_ref()), [None, Some(1)]);
    assert_eq!(
        (street.world.stage(again).as_str(), street.imports()),
        ("closed", 3)
    );
}

#[test]
fn a_preview_is_stale_once_something_else_is_in_force_or_the_proposal_is_withdrawn() {
    let mut street = Street::new(344);
    let village = street.own[0];
    let own = lamp(village, 1);
    let broken = street.propose(Proposed::Broken, Some(own), Place::village(village));
    let early = street.preview(&[broken], &[]);
    import(&street.world.app, &lamps(&[village]).replace("路灯", "灯"));
    assert!(matches!(street.adopt(&early), Err(StoreError::Stale)));
    assert_eq!(street.world.stage(broken), "reported");

    let late = street.preview(&[broken], &[]);
    let phone = street.world.phone(INSPECTOR);
    phone
        .act(broken, Action::Withdraw, Body::default())
        .unwrap();
    phone.sync().unwrap();
    assert!(matches!(street.adopt(&late), Err(StoreError::Stale)));
    let there = street.component(own).unwrap();
    assert_eq!((there.name.as_str(), there.state.as_str()), ("灯", "完好"));
    assert_eq!(
        (street.imports(), street.world.stage(broken).as_str()),
        (2, "withdrawn")
    );
}
