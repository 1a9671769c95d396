//! Components from an administrator's file to a phone over a real port, until the beat is another.

use std::sync::Arc;

use patrol_core::domain::component::{ComponentCode, Position};
use patrol_core::domain::place::VillageCode;
use patrol_core::replica::{Cancel, Refreshed, Replica};
use patrol_core::store::Store;
use patrol_core::sync::http::Http;
use patrol_server::app::{App, Environment as _};
use patrol_server::host::SystemEnvironment;
use patrol_server::import::{Content, Upload, adopt, preview};
use patrol_tests::clock::{Clock, Machine};
use patrol_tests::served::Served;
use patrol_tests::world::{World, city};

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
    let refreshed = phone.refresh_components(&http).await.unwrap();
    assert_eq!((refreshed.fetched, refreshed.dropped), (0, 1));
    assert_eq!(all.map(is_here), [true, false, false]);
}
