//! Every route of the description, with a request that would be good: what is wrong in one place each is made of these.
//!
//! A route that is added to the API and not here fails the test at the end.

use patrol_core::sync::{rescue, wire};
use serde_json::{Value, json};

use super::ground::{ADMIN, Ask, DESK, Ground, VILLAGE, WALKER};
use crate::http;
use crate::office::phone_key;

/// Who calls a route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum By {
    /// Whoever likes to.
    Anybody,
    /// A phone.
    Phone,
    /// Somebody who is signed in; this one may.
    Person(&'static str),
    /// The same, and this other one may not.
    Some(&'static str, &'static str),
}

/// What a route takes.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Takes {
    Nothing,
    Json(Value),
    /// Bytes of a type.
    Bytes(&'static str),
}

/// A route, and a good request of it.
pub(super) struct Route {
    /// Its name in the description.
    pub(super) id: &'static str,
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) by: By,
    pub(super) takes: Takes,
}

impl Route {
    /// The good request, of who may.
    pub(super) fn ask(&self) -> Ask<'static> {
        let who = match self.by {
            By::Anybody | By::Phone => None,
            By::Person(who) | By::Some(who, _) => Some(who),
        };
        let (kind, body) = match &self.takes {
            Takes::Nothing => (None, Vec::new()),
            Takes::Json(body) => (Some("application/json"), body.to_string().into_bytes()),
            Takes::Bytes(kind) => (Some(*kind), Vec::new()),
        };
        Ask {
            who,
            method: self.method,
            path: self.path.clone(),
            headers: kind
                .map(|kind| ("content-type", kind.to_owned()))
                .into_iter()
                .collect(),
            body,
        }
    }

    pub(super) fn is_of_people(&self) -> bool {
        matches!(self.by, By::Person(_) | By::Some(..))
    }
}

const FORM: &str = "multipart/form-data; boundary=x";

/// All of them.
pub(super) fn all(ground: &Ground) -> Vec<Route> {
    let mut routes = of_phones();
    routes.extend(of_anybody());
    routes.extend(of_people(ground));
    routes.extend(of_administrators(ground));
    routes
}

fn route(id: &'static str, (method, path): (&'static str, String), by: By, takes: Takes) -> Route {
    Route {
        id,
        method,
        path,
        by,
        takes,
    }
}

fn get(path: impl Into<String>) -> (&'static str, String) {
    ("GET", path.into())
}

fn post(path: impl Into<String>) -> (&'static str, String) {
    ("POST", path.into())
}

fn of_phones() -> Vec<Route> {
    let phone = |id, at, takes| route(id, at, By::Phone, takes);
    let components = format!("/v1/components/{VILLAGE}");
    vec![
        phone("sync", post("/v1/sync"), Takes::Bytes(wire::CONTENT_TYPE)),
        phone("directory", get("/v1/directory"), Takes::Nothing),
        phone("list_component_tags", get("/v1/components"), Takes::Nothing),
        phone(
            "show_components_of_village",
            get(components),
            Takes::Nothing,
        ),
    ]
}

fn of_anybody() -> Vec<Route> {
    let anybody = |id, at, takes| route(id, at, By::Anybody, takes);
    let sign_in = json!({ "login": "a", "password": "b" });
    let set_up =
        json!({ "code": "ABCDE-FGHJK", "name": "a", "login": "b", "password": "eight signs" });
    let enrol = json!({ "code": "ABCDE-FGHJK", "public_key": phone_key() });
    let take_back = json!({ "device": "00".repeat(8), "person": "00".repeat(8), "public_key": phone_key(),
                            "certificate": "00".repeat(16), "token": "a" });
    vec![
        anybody("describe", get("/v1/openapi.json"), Takes::Nothing),
        anybody("health", get("/healthz"), Takes::Nothing),
        anybody("sign_in", post("/v1/session"), Takes::Json(sign_in)),
        anybody("set_up", post("/v1/setup"), Takes::Json(set_up)),
        anybody(
            "enrol_device",
            post("/v1/devices/enrol"),
            Takes::Json(enrol),
        ),
        anybody(
            "take_device_back",
            post("/v1/devices/return"),
            Takes::Json(take_back),
        ),
    ]
}

fn of_people(ground: &Ground) -> Vec<Route> {
    let note = ground.office.deed("note", &json!([]));
    let case = format!("/v1/cases/{}", ground.case);
    let review = format!("/v1/reviews/{}/{}", ground.case, ground.held);
    let settle = json!({ "decision": "release", "words": "看过" });
    let password = json!({ "old": "eight signs", "new": "other signs" });
    let near = "/v1/components/near?lon_e7=1135000000&lat_e7=222000000";
    let component = "/v1/components/codes/4404021010100001";
    let anyone = |id, at, takes| route(id, at, By::Person(WALKER), takes);
    let desk = |id, at, takes| route(id, at, By::Some(DESK, WALKER), takes);
    vec![
        anyone("show_session", get("/v1/session"), Takes::Nothing),
        anyone(
            "sign_out",
            ("DELETE", "/v1/session".to_owned()),
            Takes::Nothing,
        ),
        anyone(
            "change_password",
            post("/v1/session/password"),
            Takes::Json(password),
        ),
        anyone("list_cases", get("/v1/cases"), Takes::Nothing),
        anyone("show_case", get(&case), Takes::Nothing),
        anyone("begin_case", post("/v1/cases"), Takes::Json(note.clone())),
        anyone("act", post(format!("{case}/actions")), Takes::Json(note)),
        anyone("list_nearest_components", get(near), Takes::Nothing),
        anyone("show_component", get(component), Takes::Nothing),
        anyone(
            "hand_in_bundle",
            post("/v1/bundles"),
            Takes::Bytes(rescue::CONTENT_TYPE),
        ),
        desk("list_reviews", get("/v1/reviews"), Takes::Nothing),
        desk("settle_review", post(review), Takes::Json(settle)),
    ]
}

fn of_administrators(ground: &Ground) -> Vec<Route> {
    let office = &ground.office;
    let walker = office.person(WALKER).hex();
    let person = format!("/v1/people/{walker}");
    let code = json!({ "person": walker });
    let password = json!({ "login": "walker", "password": "eight signs" });
    let leave = json!({ "from": "2026-12-01", "substitute": office.person(DESK).hex() });
    let terminal = format!("/v1/villages/{VILLAGE}/terminal");
    let revoke = format!("/v1/devices/{}/revoke", ground.device);
    let adopt = format!("/v1/imports/{}/adopt", "00".repeat(8));
    let admin = |id, at, takes| route(id, at, By::Some(ADMIN, WALKER), takes);
    vec![
        admin("list_devices", get("/v1/devices"), Takes::Nothing),
        admin(
            "issue_device_code",
            post("/v1/devices/codes"),
            Takes::Json(code),
        ),
        admin("revoke_device", post(revoke), Takes::Nothing),
        admin(
            "put_password",
            post(format!("{person}/password")),
            Takes::Json(password),
        ),
        admin("leave", post(format!("{person}/leave")), Takes::Json(leave)),
        admin(
            "list_lacking_villages",
            get("/v1/villages/lacking"),
            Takes::Nothing,
        ),
        admin("register_terminal", post(&terminal), Takes::Nothing),
        admin("end_terminal", ("DELETE", terminal.clone()), Takes::Nothing),
        admin("list_imports", get("/v1/imports"), Takes::Nothing),
        admin("preview_import", post("/v1/imports"), Takes::Bytes(FORM)),
        admin(
            "preview_proposals",
            post("/v1/imports/proposals"),
            Takes::Json(json!({ "surveys": [] })),
        ),
        admin("adopt_import", post(adopt), Takes::Nothing),
        admin(
            "show_directory",
            get("/v1/imports/directories/1"),
            Takes::Nothing,
        ),
        admin(
            "preview_restore",
            post("/v1/imports/directories/1/restore"),
            Takes::Nothing,
        ),
        admin(
            "list_replaced_components",
            get("/v1/imports/components/1"),
            Takes::Nothing,
        ),
    ]
}

/// What the description says of a route: its name, its method, who calls, and of which type its body is.
type Described = (String, String, Option<&'static str>, Option<String>);

fn described(api: &Value) -> Vec<Described> {
    let mut found = Vec::new();
    for (_, methods) in api["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let security = &operation["security"][0];
            let by = ["session", "device"]
                .into_iter()
                .find(|name| !security[*name].is_null());
            let content = operation["requestBody"]["content"].as_object();
            let kind = content.and_then(|content| content.keys().next().cloned());
            let id = operation["operationId"].as_str().expect("a name");
            found.push((id.to_owned(), method.to_uppercase(), by, kind));
        }
    }
    found.sort();
    found
}

#[test]
fn every_route_of_the_description_is_walked_as_it_is_described() {
    let ground = Ground::new();
    let api = http::ask(ground.office.address, "GET", "/v1/openapi.json", &[], &[]).json();
    let walked = all(&ground).into_iter().map(|route| {
        let by = match route.by {
            By::Anybody => None,
            By::Phone => Some("device"),
            By::Person(_) | By::Some(..) => Some("session"),
        };
        let kind = match route.takes {
            Takes::Nothing => None,
            Takes::Json(_) => Some("application/json"),
            Takes::Bytes(kind) => kind.split(';').next(),
        };
        let kind = kind.map(str::to_owned);
        (route.id.to_owned(), route.method.to_owned(), by, kind)
    });
    let mut walked: Vec<Described> = walked.collect();
    walked.sort();
    assert_eq!(walked, described(&api));
}
