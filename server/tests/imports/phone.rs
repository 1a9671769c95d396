//! What a phone gets of the components: those of its own villages, as long as it is in use.

use patrol_core::domain::id::DeviceId;
use patrol_core::domain::place::VillageCode;
use patrol_core::sync::components::{split, tag, unpack};
use patrol_server::components::{packed_for, tags_for};
use serde_json::json;

use super::Desk;
use super::components::{HEAD, OTHER, YUYUE, lamps};
use crate::http;
use crate::office::phone_key;

#[test]
fn a_phone_gets_its_own_villages_and_nothing_once_it_is_revoked() {
    let desk = Desk::new();
    let office = &desk.office;
    let far = 440_402_105_200;
    let text = format!("{HEAD}{}{}", lamps(YUYUE, 1..5), lamps(far, 1..3));
    desk.import("components.csv", &text);
    let village = |code| VillageCode::new(code).expect("twelve digits");
    let now = office.app.environment.now();
    let known = office.app.known();
    let beat = known
        .directory
        .beat_of(village(YUYUE), now)
        .expect("a beat")
        .id
        .0;
    let walker = format!("巡查员{beat:02}");
    let person = office.person(&walker);
    let tags = tags_for(&office.app, person).expect("the store answers");
    let packed = packed_for(&office.app, person, village(YUYUE)).expect("the store answers");
    let bytes = unpack(&packed.expect("his own")).expect("it was packed here");
    assert_eq!(tags, [(village(YUYUE), tag(&bytes))]);
    assert_eq!(split(&bytes, village(YUYUE)).map(|rows| rows.len()), Ok(4));
    assert_eq!(
        packed_for(&office.app, person, village(far)).expect("the store answers"),
        None
    );

    let code = office
        .post(
            "管理员01",
            "/v1/devices/codes",
            &json!({ "person": person.hex() }),
        )
        .json();
    let enrol = json!({ "code": code["code"], "public_key": phone_key() });
    let enrolled = http::post(office.address, "/v1/devices/enrol", &[], &enrol).json();
    let bearer = format!("Bearer {}", enrolled["token"].as_str().expect("a token"));
    let ask = |path: &str| {
        let headers = [("authorization", bearer.as_str())];
        let reply = http::ask(office.address, "GET", path, &headers, &[]);
        let kind = reply.header("content-type").map(str::to_owned);
        (reply.status, kind.unwrap_or_default())
    };
    let own = format!("/v1/components/{YUYUE}");
    let good = (200, "application/zstd".to_owned());
    assert_eq!([ask("/v1/components"), ask(&own)], [good.clone(), good]);
    for path in [
        format!("/v1/components/{far}"),
        format!("/v1/components/{OTHER}9"),
        "/v1/components/x".to_owned(),
    ] {
        assert_eq!(ask(&path).0, 404, "{path}");
    }
    assert_eq!(http::ask(office.address, "GET", &own, &[], &[]).status, 401);
    // A browser looks up what stands where.
    let near = office
        .get(
            &walker,
            "/v1/components/near?lon_e7=1132003000&lat_e7=222000000&limit=2",
        )
        .json();
    assert_eq!(near[0]["component"]["code"], "44040401037000003");
    assert_eq!(
        office
            .get(&walker, "/v1/components/codes/44040401037000004")
            .json()["state"],
        "完好"
    );
    assert_eq!(office.get(&walker, "/v1/components/codes/1").status, 404);
    assert_eq!(
        office
            .get(&walker, "/v1/components/near?lon_e7=1&limit=2")
            .status,
        400
    );

    let device = DeviceId::from_hex(enrolled["device"].as_str().expect("an id")).expect("an id");
    office.app.store.revoke(device, now).expect("it is revoked");
    assert_eq!([ask("/v1/components").0, ask(&own).0], [401, 401]);
}
