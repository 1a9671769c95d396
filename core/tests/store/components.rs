//! What stands in a phone's villages: fetched where it has changed, dropped where it is no longer its own, found at once.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use patrol_core::domain::component::near::metres;
use patrol_core::domain::component::{Component, ComponentCode, NamedBody, Position};
use patrol_core::domain::place::VillageCode;
use patrol_core::error::{Error, Result};
use patrol_core::replica::{Refreshed, Replica};
use patrol_core::sync::components as codec;
use patrol_core::sync::transport::{Request, Response, Transport, Unreachable, Waiting};
use proptest::prelude::*;

use super::phone::{Folder, phone};

fn village(number: u64) -> VillageCode {
    VillageCode::new(440_403_100_200 + number).expect("twelve digits")
}

fn lamp(serial: u64, of: VillageCode, position: Position) -> Component {
    Component {
        code: ComponentCode::new(44_040_301_037_000_000 + serial).expect("a code"),
        name: "路灯".to_owned(),
        authority: NamedBody::default(),
        owner: NamedBody::default(),
        keeper: NamedBody::default(),
        unit_grid: format!("{of}001"),
        state: "完好".to_owned(),
        first_on: 20_260_101,
        changed_on: None,
        source: "实测".to_owned(),
        remarks: String::new(),
        town_code: String::new(),
        town_name: String::new(),
        village: of,
        village_name: "耕管村".to_owned(),
        position,
    }
}

#[test]
fn what_stands_nowhere_any_more_is_not_near() {
    let folder = Folder::new();
    let (replica, office) = (phone(&folder.file(), 1), Office::default());
    let mut lamps: Vec<Component> = (1..=6)
        .map(|serial| lamp(serial, village(0), at(serial as i64, 0)))
        .collect();
    for (lamp, state) in lamps.iter_mut().zip(["废弃", "移除", "废弃", "破损"]) {
        lamp.state = state.to_owned();
    }
    office.has(&[(village(0), lamps.clone())]);
    refresh(&replica, &office).expect("a refresh");
    let near = replica
        .nearest_components(at(0, 0), 2)
        .expect("the file answers");
    let found: Vec<&Component> = near.iter().map(|(component, _)| component).collect();
    assert_eq!(found, [&lamps[3], &lamps[4]]);
    assert!(is_here(&replica, 1), "by its code it is found");
}

fn at(lon: i64, lat: i64) -> Position {
    Position {
        lon_e7: 1_132_500_000 + lon,
        lat_e7: 221_250_000 + lat,
    }
}

/// A server that knows components only.
#[derive(Default)]
struct Office {
    /// Packed, by path.
    pages: Mutex<BTreeMap<String, Vec<u8>>>,
    asked: Mutex<Vec<String>>,
}

struct Answer {
    status: u16,
    body: Option<Vec<u8>>,
}

impl Response for Answer {
    fn status(&self) -> u16 {
        self.status
    }

    fn content_type(&self) -> &str {
        match self.status {
            200 => codec::CONTENT_TYPE,
            _ => "application/json",
        }
    }

    fn retry_after_ms(&self) -> Option<u64> {
        None
    }

    fn piece(&mut self) -> Waiting<'_, std::result::Result<Option<Vec<u8>>, Unreachable>> {
        let piece = self.body.take();
        Box::pin(async move { Ok(piece) })
    }
}

impl Transport for Office {
    fn send(
        &self,
        request: Request,
    ) -> Waiting<'_, std::result::Result<Box<dyn Response>, Unreachable>> {
        let path = request.path.into_owned();
        let body = self.pages.lock().expect("no panic").get(&path).cloned();
        self.asked.lock().expect("no panic").push(path);
        let status = if body.is_some() { 200 } else { 404 };
        Box::pin(async move { Ok(Box::new(Answer { status, body }) as Box<dyn Response>) })
    }
}

impl Office {
    /// What there is from now on, by village.
    fn has(&self, villages: &[(VillageCode, Vec<Component>)]) {
        let mut pages = BTreeMap::new();
        let mut tags = Vec::new();
        for (village, components) in villages {
            let rows: Vec<Vec<u8>> = components.iter().map(codec::encode).collect();
            let joined = codec::join(*village, rows.iter().map(Vec::as_slice));
            tags.push((*village, codec::tag(&joined)));
            pages.insert(format!("/v1/components/{village}"), codec::pack(&joined));
        }
        pages.insert("/v1/components".to_owned(), codec::encode_tags(&tags));
        *self.pages.lock().expect("no panic") = pages;
    }

    fn put(&self, path: &str, bytes: Vec<u8>) {
        let mut pages = self.pages.lock().expect("no panic");
        pages.insert(path.to_owned(), bytes);
    }

    fn take_asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().expect("no panic"))
    }
}

fn refresh(replica: &Replica, office: &Office) -> Result<Refreshed> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    runtime.block_on(replica.refresh_components(office))
}

fn is_here(replica: &Replica, serial: u64) -> bool {
    let code = ComponentCode::new(44_040_301_037_000_000 + serial).expect("a code");
    let found = replica.component(code).expect("the file answers");
    found.is_some()
}

#[test]
fn only_what_has_changed_is_fetched_and_what_is_not_ones_own_goes() {
    let folder = Folder::new();
    let replica = phone(&folder.file(), 1);
    let office = Office::default();
    let one = (
        village(0),
        vec![lamp(1, village(0), at(0, 0)), lamp(2, village(0), at(9, 0))],
    );
    let two = (village(1), vec![lamp(3, village(1), at(20, 0))]);
    office.has(&[one.clone(), two.clone()]);
    let both = Refreshed {
        fetched: 2,
        dropped: 0,
    };
    assert_eq!(refresh(&replica, &office).expect("a refresh"), both);
    assert_eq!([1, 2, 3].map(|serial| is_here(&replica, serial)), [true; 3]);
    let near = replica
        .nearest_components(at(8, 0), 2)
        .expect("the file answers");
    let found: Vec<&Component> = near.iter().map(|(component, _)| component).collect();
    assert_eq!(found, [&one.1[1], &one.1[0]]);
    office.take_asked();
    assert_eq!(
        refresh(&replica, &office).expect("a refresh"),
        Refreshed::default()
    );
    assert_eq!(office.take_asked(), ["/v1/components"]);

    let less = (village(0), vec![lamp(2, village(0), at(7, 0))]);
    office.has(std::slice::from_ref(&less));
    let expected = Refreshed {
        fetched: 1,
        dropped: 1,
    };
    assert_eq!(refresh(&replica, &office).expect("a refresh"), expected);
    assert_eq!(
        [1, 2, 3].map(|serial| is_here(&replica, serial)),
        [false, true, false]
    );
    // One that moves to another village is not lost, in whichever order they come.
    office.has(&[
        (village(0), Vec::new()),
        (village(1), vec![lamp(2, village(1), at(7, 0))]),
    ]);
    refresh(&replica, &office).expect("a refresh");
    assert!(is_here(&replica, 2));
}

#[test]
fn what_is_damaged_newer_or_gone_leaves_what_is_here() {
    let folder = Folder::new();
    let replica = phone(&folder.file(), 1);
    let office = Office::default();
    office.has(&[(village(0), vec![lamp(1, village(0), at(0, 0))])]);
    refresh(&replica, &office).expect("a refresh");
    office.has(&[(village(0), vec![lamp(2, village(0), at(0, 0))])]);
    let path = format!("/v1/components/{}", village(0));
    office.put(&path, b"a portal's page".to_vec());
    assert!(matches!(
        refresh(&replica, &office),
        Err(Error::Disagreement("components"))
    ));
    // An array with another version.
    office.put(&path, codec::pack(&[0x83, 0x02, 0x00, 0x80]));
    assert!(matches!(
        refresh(&replica, &office),
        Err(Error::UpdateNeeded)
    ));
    office.put("/v1/components", vec![0x82, 0x02, 0x80]);
    assert!(matches!(
        refresh(&replica, &office),
        Err(Error::UpdateNeeded)
    ));
    assert_eq!(
        [1, 2].map(|serial| is_here(&replica, serial)),
        [true, false]
    );
    // A server without components has no list of them.
    *office.pages.lock().expect("no panic") = BTreeMap::new();
    let refreshed = refresh(&replica, &office).expect("a refresh");
    assert_eq!(refreshed, Refreshed::default());
    assert!(is_here(&replica, 1));
    // Listed, and gone before it was fetched.
    office.has(&[(village(0), vec![lamp(2, village(0), at(0, 0))])]);
    office.pages.lock().expect("no panic").remove(&path);
    assert_eq!(refresh(&replica, &office).expect("a refresh").dropped, 1);
    assert!(!is_here(&replica, 1));
}

/// A phone with 5,000 components, some 3 km across.
fn crowded(folder: &Folder) -> (Replica, Vec<Component>) {
    let replica = phone(&folder.file(), 1);
    let office = Office::default();
    let place = |serial: u64| {
        let mixed = serial.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let spread = |bits: u64| i64::try_from(bits % 300_000).expect("small") - 150_000;
        at(spread(mixed >> 40), spread(mixed >> 13 & 0xff_ffff))
    };
    let lamps: Vec<Component> = (1..5_001)
        .map(|serial| lamp(serial, village(0), place(serial)))
        .collect();
    office.has(&[(village(0), lamps.clone())]);
    refresh(&replica, &office).expect("a refresh");
    (replica, lamps)
}

#[expect(clippy::disallowed_methods, reason = "it says how long it takes")]
#[test]
fn the_nearest_ten_of_five_thousand_are_those_and_come_at_once() {
    let folder = Folder::new();
    let (replica, lamps) = crowded(&folder);
    let slowest = std::cell::Cell::new(Duration::ZERO);
    let config = proptest::test_runner::Config {
        failure_persistence: None,
        ..Default::default()
    };
    let rng = proptest::test_runner::TestRng::deterministic_rng(config.rng_algorithm);
    let mut runner = proptest::test_runner::TestRunner::new_with_rng(config, rng);
    let places = (-400_000i64..400_000, -400_000i64..400_000);
    let checked = runner.run(&places, |(lon, lat)| {
        let here = at(lon, lat);
        let started = Instant::now();
        let near = replica
            .nearest_components(here, 10)
            .expect("the file answers");
        slowest.set(slowest.get().max(started.elapsed()));
        let mut all: Vec<(f64, ComponentCode)> = lamps
            .iter()
            .map(|lamp| (metres(here, lamp.position), lamp.code))
            .filter(|(metres, _)| *metres <= patrol_core::domain::limits::COMPONENTS_NEAR_M)
            .collect();
        all.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
        let expected: Vec<ComponentCode> = all.iter().take(10).map(|(_, code)| *code).collect();
        let found: Vec<ComponentCode> = near.iter().map(|(lamp, _)| lamp.code).collect();
        prop_assert_eq!(found, expected);
        Ok(())
    });
    checked.expect("they are the nearest");
    let started = Instant::now();
    for _ in 0..100 {
        replica
            .nearest_components(at(0, 0), 10)
            .expect("the file answers");
    }
    println!(
        "nearest ten of 5,000: {:?} within, {:?} at worst",
        started.elapsed() / 100,
        slowest.get()
    );
}
