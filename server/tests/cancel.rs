//! Cancelling through the API: a capability of its own, which the leader on duty holds and dispatchers do not.

use patrol_server::api::CookieKind;
use serde_json::json;

use crate::office::Office;

/// 桂海村.
const VILLAGE: u64 = 440_402_105_200;

#[test]
fn the_leader_on_duty_cancels_a_case_and_nobody_else_does() {
    let office = Office::open(CookieKind::Plain);
    let case = office.report("巡查员01", VILLAGE);
    let reason = json!({ "words": "重复测试数据" });
    for name in ["受理派遣员01", "督办领导01", "管理员01", "巡查员01"] {
        let reply = office.act(name, &case, "cancel", &reason);
        assert_eq!(reply.status, 409, "{name}");
        assert_eq!(reply.json()["error"]["code"], "not_permitted", "{name}");
    }
    let page = office.get("值班长01", &format!("/v1/cases/{case}")).json();
    let offered = |page: &serde_json::Value| {
        let offers = page["offers"].as_array().expect("offers");
        offers.iter().any(|offer| offer["action"] == "cancel")
    };
    assert!(offered(&page), "{page}");
    let reply = office.act("值班长01", &case, "cancel", &reason);
    assert_eq!(reply.status, 200, "{}", reply.body);
    let page = office
        .get("受理派遣员01", &format!("/v1/cases/{case}"))
        .json();
    assert_eq!(page["stage"], "cancelled");
    assert!(!offered(&page));
    let again = office.act("值班长01", &case, "cancel", &reason);
    assert_eq!(
        (again.status, &again.json()["error"]["code"]),
        (409, &json!("wrong_stage"))
    );
}
