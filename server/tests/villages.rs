//! The three things that a village must have: each is taken away, and is missed.

use patrol_core::domain::id::DeviceId;
use patrol_core::domain::place::VillageCode;
use patrol_server::api::CookieKind;
use patrol_server::villages::{Must, lacking};
use serde_json::json;

use crate::http;
use crate::office::{Office, phone_key};

const YUYUE: u64 = 440_404_100_201;
const ADMIN: &str = "管理员01";

/// What the village lacks.
fn lacks(office: &Office) -> Vec<Must> {
    let all = lacking(&office.app).expect("the store answers");
    let found = all.into_iter().find(|lacking| lacking.village == YUYUE);
    found.map(|lacking| lacking.lacks).unwrap_or_default()
}

fn village() -> VillageCode {
    VillageCode::new(YUYUE).expect("twelve digits")
}

/// The made-up cadre and inspector of the village.
fn people(office: &Office) -> (String, String) {
    let known = office.app.known();
    let mut villages = known.directory.villages.iter();
    let place = villages
        .position(|other| other.code == village())
        .expect("listed");
    let beat = known
        .directory
        .beat_of(village(), office.app.environment.now());
    let beat = beat.expect("a beat").id.0;
    (
        format!("村干部{:03}", place + 1),
        format!("巡查员{beat:02}"),
    )
}

/// Enrols a phone of a person.
fn enrol(office: &Office, name: &str) -> DeviceId {
    let person = json!({ "person": office.person(name).hex() });
    let code = office.post(ADMIN, "/v1/devices/codes", &person).json();
    let enrol = json!({ "code": code["code"], "public_key": phone_key() });
    let enrolled = http::post(office.address, "/v1/devices/enrol", &[], &enrol).json();
    let device = enrolled["device"].as_str().and_then(DeviceId::from_hex);
    device.expect("an id")
}

fn terminal(office: &Office, method: &str, who: &str, code: u64) -> u16 {
    let (cookie, origin) = (office.cookie(who), office.origin());
    let headers = [("cookie", cookie.as_str()), ("origin", origin.as_str())];
    let path = format!("/v1/villages/{code}/terminal");
    http::ask(office.address, method, &path, &headers, &[]).status
}

#[test]
fn a_terminal_is_a_cadres_phone_in_use_or_a_registered_browser() {
    let office = Office::open(CookieKind::Plain);
    let (cadre, walker) = people(&office);
    assert_eq!(lacks(&office), [Must::Terminal]);
    enrol(&office, &walker);
    assert_eq!(
        lacks(&office),
        [Must::Terminal],
        "an inspector's phone is none"
    );
    let phone = enrol(&office, &cadre);
    assert_eq!(lacks(&office), []);
    let now = office.app.environment.now();
    office.app.store.revoke(phone, now).expect("it is revoked");
    assert_eq!(lacks(&office), [Must::Terminal]);

    for who in [walker.as_str(), "村干部001"] {
        assert_eq!(terminal(&office, "POST", who, YUYUE), 403, "{who}");
    }
    assert_eq!(terminal(&office, "POST", &cadre, YUYUE), 200);
    assert_eq!(lacks(&office), []);
    assert_eq!(terminal(&office, "DELETE", ADMIN, YUYUE), 200);
    assert_eq!(lacks(&office), [Must::Terminal]);
    for (method, code) in [("DELETE", YUYUE), ("POST", 999_999_999_999), ("POST", 1)] {
        assert_eq!(terminal(&office, method, ADMIN, code), 404, "{code}");
    }
}

#[test]
fn a_cadre_and_an_inspector_are_missed_when_their_posts_end() {
    let office = Office::open(CookieKind::Plain);
    let (cadre, walker) = people(&office);
    enrol(&office, &cadre);
    assert_eq!(lacks(&office), []);
    let now = office.app.environment.now();
    office.change(&walker, |posts| {
        posts.iter_mut().for_each(|post| post.until = Some(now));
    });
    assert_eq!(lacks(&office), [Must::Inspector]);
    // With the cadre goes the terminal that his phone was.
    office.change(&cadre, |posts| {
        posts.iter_mut().for_each(|post| post.until = Some(now));
    });
    assert_eq!(
        lacks(&office),
        [Must::Terminal, Must::Cadre, Must::Inspector]
    );
    let shown = office.get(ADMIN, "/v1/villages/lacking").json();
    let listed = shown
        .as_array()
        .expect("a list")
        .iter()
        .find(|row| row["village"] == YUYUE);
    assert_eq!(
        listed.expect("listed")["lacks"],
        json!(["terminal", "cadre", "inspector"])
    );
    assert_eq!(
        office.get("受理派遣员01", "/v1/villages/lacking").status,
        403
    );
}

#[test]
fn an_inspector_of_a_beat_that_the_village_has_left_is_none_of_its() {
    let office = Office::open(CookieKind::Plain);
    let (_, walker) = people(&office);
    let mut directory = office.app.known().directory.clone();
    let now = office.app.environment.now();
    for row in directory
        .beats
        .iter_mut()
        .flat_map(|beat| &mut beat.villages)
    {
        if row.village == village() {
            row.until = Some(now);
        }
    }
    office.app.put_directory(&directory).expect("it is kept");
    assert_eq!(
        lacks(&office),
        [Must::Terminal, Must::Inspector],
        "{walker}"
    );
}
