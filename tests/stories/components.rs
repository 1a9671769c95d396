//! Components from an administrator's file to a phone over a real port, until the beat is another.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt as _;
use patrol_core::domain::action::Action;
use patrol_core::domain::component::{Component, ComponentCode, Position};
use patrol_core::domain::directory::Village;
use patrol_core::domain::entry::Body;
use patrol_core::domain::limits;
use patrol_core::domain::place::VillageCode;
use patrol_core::error::Error;
use patrol_core::replica::{Cancel, Deed, Refreshed, Replica};
use patrol_core::store::Store;
use patrol_core::sync::components::CONTENT_TYPE;
use patrol_core::sync::http::Http;
use patrol_core::sync::transport::{Request, Response, Transport, Unreachable, Waiting};
use patrol_server::app::{App, Environment as _};
use patrol_server::components::by_code;
use patrol_server::host::SystemEnvironment;
use patrol_server::import::{Content, Upload, adopt, preview};
use patrol_server::store::Commit;
use patrol_server::store::reference::{ComponentRow, Replacing, Rest};
use patrol_tests::clock::{Clock, Machine};
use patrol_tests::link::Link;
use patrol_tests::served::Served;
use patrol_tests::world::{Phone, World, city, matter};
use tokio::sync::oneshot;

const INSPECTOR: &str = "巡查员01";

/// Lamps of these villages, as a file has them.
pub(crate) fn lamps(villages: &[VillageCode]) -> String {
    let mut text = String::from(
        "code,name,authority_code,authority_name,unit_grid,state,first_on,lon_wgs84,lat_wgs84\n",
    );
    for (village, number) in villages.iter().zip(1..) {
        text += &format!(
            "{}01037{number:06},路灯,91350100M000100Y43,城市管理局,{village}001,完好,20260101,113.25000{number:02},22.125\n",
            village.district()
        );
    }
    text
}

/// The code of such a lamp.
pub(crate) fn lamp(village: VillageCode, number: u64) -> ComponentCode {
    let code = village.district() * 100_000_000_000 + 1_037_000_000 + number;
    ComponentCode::new(code).unwrap()
}

pub(crate) fn import(app: &App, text: &str) {
    let upload = Upload {
        name: "components.csv".to_owned(),
        content: Content::Bytes(text.as_bytes().into()),
    };
    let preview = preview(app, &[upload]).unwrap();
    assert_eq!(preview.faults.shown, []);
    adopt(app, &preview).unwrap();
}

/// A line that dies after so many requests.
struct Dying<'l>(&'l Link, AtomicUsize);

impl Transport for Dying<'_> {
    fn send(&self, request: Request) -> Waiting<'_, Result<Box<dyn Response>, Unreachable>> {
        let left = self.1.load(Ordering::Relaxed);
        self.1.store(left.saturating_sub(1), Ordering::Relaxed);
        if left > 0 {
            self.0.send(request)
        } else {
            Box::pin(std::future::ready(Err(Unreachable)))
        }
    }
}

/// A line on which one village's answer is this.
struct Mixed<'l>(&'l Link, VillageCode, Odd);

#[derive(Clone, Copy)]
struct Odd {
    status: u16,
    body: &'static [u8],
}

impl Response for Odd {
    fn status(&self) -> u16 {
        self.status
    }

    fn content_type(&self) -> &str {
        CONTENT_TYPE
    }

    fn retry_after_ms(&self) -> Option<u64> {
        None
    }

    fn piece(&mut self) -> Waiting<'_, Result<Option<Vec<u8>>, Unreachable>> {
        let body = std::mem::take(&mut self.body);
        let piece = (!body.is_empty()).then(|| body.to_vec());
        Box::pin(std::future::ready(Ok(piece)))
    }
}

impl Transport for Mixed<'_> {
    fn send(&self, request: Request) -> Waiting<'_, Result<Box<dyn Response>, Unreachable>> {
        if request.path.ends_with(&self.1.to_string()) {
            let odd: Box<dyn Response> = Box::new(self.2);
            return Box::pin(std::future::ready(Ok(odd)));
        }
        self.0.send(request)
    }
}

#[test]
fn a_village_that_cannot_be_had_keeps_neither_the_others_nor_what_is_carried_away() {
    let rubbish = Odd {
        status: 200,
        body: b"rubbish",
    };
    let failure = Odd {
        status: 503,
        body: b"",
    };
    for (odd, seed) in [(rubbish, 34), (failure, 36)] {
        let mut world = World::new(seed);
        let own = world.villages(INSPECTOR);
        let other = world.phone("巡查员02");
        other.report(other.replica.villages().unwrap()[0], "井盖松动");
        let bundle = other.replica.rescue_bundle().unwrap();
        import(&world.app, &lamps(&own));
        let phone = world.phone(INSPECTOR);
        phone.replica.carry(&bundle).unwrap();
        let (line, cancel) = (Mixed(&phone.link, own[0], odd), Cancel::default());
        let waiting = phone.replica.sync(&line, &cancel, &|_| ());
        let failed = waiting.now_or_never().expect("nothing in memory waits");
        assert!(failed.is_err());
        let is_here = |number: usize| {
            let lamp = lamp(own[number], number as u64 + 1);
            phone.replica.component(lamp).unwrap().is_some()
        };
        assert_eq!((is_here(0), is_here(1)), (false, true));
        assert_eq!(phone.replica.carried().unwrap()[0].waiting, 0);
        let refreshing = phone.replica.refresh_components(&line);
        let failed = refreshing.now_or_never().expect("nothing in memory waits");
        assert!(failed.is_err());
        phone.sync().unwrap();
        assert!(is_here(0));
    }
}

#[test]
fn a_village_whose_last_component_has_gone_is_empty_on_a_phone() {
    let mut world = World::new(35);
    let own = world.villages(INSPECTOR);
    import(&world.app, &lamps(&own[..1]));
    let phone = world.phone(INSPECTOR);
    phone.sync().unwrap();
    let code = lamp(own[0], 1);
    let village = |phone: &Phone| {
        let here = phone.replica.component(code).unwrap();
        here.map(|component| component.village)
    };
    assert_eq!(village(phone), Some(own[0]));
    // It is in the other village now, and nothing is left in the first.
    let moved = lamps(&own[..1]).replace(&format!("{}001", own[0]), &format!("{}001", own[1]));
    import(&world.app, &moved);
    let phone = &world.phones[INSPECTOR];
    phone.sync().unwrap();
    assert_eq!(village(phone), Some(own[1]));
    let here = Position {
        lon_e7: 1_132_500_000,
        lat_e7: 221_250_000,
    };
    let near = phone.replica.nearest_components(here, 10).unwrap();
    assert_eq!(near.len(), 1);
    // And then in a village of somebody else.
    let is_other = |village: &&Village| {
        village.code.district() == own[0].district() && !own.contains(&village.code)
    };
    let other = city().villages.iter().find(is_other).unwrap().code;
    let gone = lamps(&own[..1]).replace(&format!("{}001", own[0]), &format!("{other}001"));
    import(&world.app, &gone);
    let phone = &world.phones[INSPECTOR];
    phone.sync().unwrap();
    assert_eq!(village(phone), None);
    assert_eq!(phone.replica.nearest_components(here, 10).unwrap().len(), 0);
}

#[test]
fn a_sync_fetches_components_that_have_changed_and_an_idle_one_stays_a_request_of_the_same_bytes() {
    let mut world = World::new(32);
    let own = world.villages(INSPECTOR);
    let phone = world.phone(INSPECTOR);
    let cost = |phone: &Phone| {
        let before = phone.link.requests.load(Ordering::Relaxed);
        let done = phone.sync().unwrap();
        let requests = phone.link.requests.load(Ordering::Relaxed) - before;
        (requests, done.bytes_up, done.bytes_down)
    };
    cost(phone);
    let idle = cost(phone);
    assert_eq!(idle.0, 1);
    import(&world.app, &lamps(&own));
    let phone = &world.phones[INSPECTOR];
    assert_eq!(cost(phone).0, 2 + own.len());
    let is_here = |number| {
        phone
            .replica
            .component(lamp(own[0], number))
            .unwrap()
            .is_some()
    };
    assert!(is_here(1));
    assert_eq!(cost(phone), idle);

    // The line dies before the second village has come: the next call goes on.
    import(&world.app, &lamps(&own).replace("完好", "破损"));
    let dying = Dying(&phone.link, AtomicUsize::new(3));
    let cancel = Cancel::default();
    let waiting = phone.replica.sync(&dying, &cancel, &|_| ());
    let failed = waiting.now_or_never().expect("nothing in memory waits");
    assert!(matches!(failed, Err(Error::Offline { .. })), "{failed:?}");
    assert_eq!(cost(phone).0, 3);
    assert_eq!(cost(phone), idle);

    // A directory without a component in it is fetched alone.
    import(
        &world.app,
        &lamps(&own[..1]).replace("01037000001", "01037000009"),
    );
    let mut directory = city().clone();
    directory.beats[0].name += "（新）";
    world.app.put_directory(&directory).unwrap();
    assert_eq!(cost(phone).0, 4);
    assert!(is_here(9) && !is_here(1));
    assert_eq!(cost(phone), idle);
}

#[tokio::test]
async fn a_phone_pushes_while_an_import_goes_into_force() {
    let served = Served::start(city(), Arc::new(SystemEnvironment))
        .await
        .unwrap();
    let world = World::new(33);
    let village = world.villages(INSPECTOR)[0];
    import(&served.app, &lamps(&[village]));
    let first = by_code(&served.app, lamp(village, 1).number()).unwrap();
    let first = first.unwrap();
    let machine = Arc::new(Machine::new(&Clock::default(), 33));
    let phone = Replica::on(Store::in_memory().unwrap(), machine);
    let http = Http::new().unwrap();
    let code = served.enrol_code(world.person(INSPECTOR));
    phone.enrol(&http, &served.url, &code).await.unwrap();

    let (half_way, is_half_way) = oneshot::channel();
    let (go_on, may_go_on) = oneshot::channel();
    let app = Arc::clone(&served.app);
    let many = limits::COMPONENTS_A_WRITE as u64 + 1;
    let importing = tokio::task::spawn_blocking(move || {
        let mut stop = Some((half_way, may_go_on));
        let mut rows = (1..=many).rev().map(|serial| {
            if serial == 1 {
                let (half_way, may_go_on) = stop.take().expect("once");
                half_way.send(()).expect("somebody waits");
                may_go_on.blocking_recv().expect("somebody says so");
            }
            let code = lamp(village, serial);
            let name = "灯".to_owned();
            Ok(ComponentRow::from(&Component {
                code,
                name,
                ..first.clone()
            }))
        });
        let replacing = Replacing {
            base: 1,
            directory: app.known().no,
            rest: Rest::Removed,
            now: app.environment.now(),
            with: &Commit::default(),
        };
        app.store.replace_components(&mut rows, &replacing)
    });
    is_half_way.await.unwrap();
    let deed = Deed {
        fields: matter(village, "桥边垃圾"),
        ..Deed::new(Action::Report, Body::default())
    };
    phone.begin(&deed).unwrap();
    let sync = async || {
        phone
            .sync(&http, &Cancel::default(), &|_| ())
            .await
            .unwrap()
    };
    assert_eq!(sync().await.pushed, 1);
    let name = || phone.component(lamp(village, 1)).unwrap().unwrap().name;
    assert_eq!(name(), "路灯");
    go_on.send(()).unwrap();
    let weighed = importing.await.unwrap().unwrap();
    assert_eq!((weighed.added, weighed.changed), (many - 1, 1));
    sync().await;
    assert_eq!(name(), "灯");
    assert!(phone.component(lamp(village, many)).unwrap().is_some());
}

#[tokio::test]
async fn a_phone_holds_the_components_of_its_own_villages_and_no_others() {
    let served = Served::start(city(), Arc::new(SystemEnvironment))
        .await
        .unwrap();
    let world = World::new(31);
    let own = world.villages(INSPECTOR);
    let other = world.villages("巡查员40")[0];
    import(&served.app, &lamps(&[own[0], own[1], other]));
    let machine = Arc::new(Machine::new(&Clock::default(), 31));
    let phone = Replica::on(Store::in_memory().unwrap(), machine);
    let http = Http::new().unwrap();
    let code = served.enrol_code(world.person(INSPECTOR));
    phone.enrol(&http, &served.url, &code).await.unwrap();

    let refreshed = phone.refresh_components(&http).await.unwrap();
    assert_eq!((refreshed.fetched, refreshed.dropped), (2, 0));
    let is_here = |code| phone.component(code).unwrap().is_some();
    let all = [lamp(own[0], 1), lamp(own[1], 2), lamp(other, 3)];
    assert_eq!(all.map(is_here), [true, true, false]);
    let here = Position {
        lon_e7: 1_132_500_000,
        lat_e7: 221_250_000,
    };
    let near = phone.nearest_components(here, 10).unwrap();
    let villages: Vec<VillageCode> = near.iter().map(|(lamp, _)| lamp.village).collect();
    assert_eq!(villages, own);
    let refreshed = phone.refresh_components(&http).await.unwrap();
    assert_eq!(refreshed, Refreshed::default());

    // A village goes to another beat, and with it what stands there.
    let mut directory = city().clone();
    let now = SystemEnvironment.now();
    let rows = directory
        .beats
        .iter_mut()
        .flat_map(|beat| &mut beat.villages);
    for row in rows.filter(|row| row.village == own[1]) {
        row.until = Some(now);
    }
    served.app.put_directory(&directory).unwrap();
    phone
        .sync(&http, &Cancel::default(), &|_| ())
        .await
        .unwrap();
    assert_eq!(all.map(is_here), [true, false, false]);
}
