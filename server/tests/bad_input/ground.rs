//! What bad requests are tried on, and what of the state could have changed.

use patrol_core::doc::compose::{Content, compose};
use patrol_core::domain::action::Action;
use patrol_core::domain::capability::Capability;
use patrol_core::domain::entry::{Body, Entry};
use patrol_core::domain::id::{Actor, DeviceId, DocumentId, UnitId};
use patrol_core::domain::time::{At, Timestamp};
use patrol_core::sync::frame::{FrameWriter, Volume};
use patrol_core::sync::wire::{CONTENT_TYPE, Hello, kind};
use patrol_server::api::CookieKind;
use patrol_server::app::App;
use patrol_server::grow::Growing;
use patrol_server::store::{BoxedAs, BoxedChange, Commit};
use serde_json::{Value, json};

use crate::http::{self, Reply};
use crate::office::{Office, phone_key};

/// 桂海村, which is in the first beat.
pub(crate) const VILLAGE: u64 = 440_402_105_200;
/// Walks the first beat.
pub(crate) const WALKER: &str = "巡查员01";
/// Works in another village.
pub(crate) const STRANGER: &str = "村干部100";
pub(crate) const DESK: &str = "受理派遣员01";
pub(crate) const ADMIN: &str = "管理员01";

/// An office with a case, a change held for review, and a phone.
pub(crate) struct Ground {
    pub(crate) office: Office,
    pub(crate) case: String,
    /// The change that is held.
    pub(crate) held: String,
    pub(crate) device: String,
    pub(crate) token: String,
}

/// A request, as it is sent.
#[derive(Clone)]
pub(crate) struct Ask<'a> {
    pub(crate) who: Option<&'a str>,
    pub(crate) method: &'a str,
    pub(crate) path: String,
    pub(crate) headers: Vec<(&'a str, String)>,
    pub(crate) body: Vec<u8>,
}

impl<'a> Ask<'a> {
    pub(crate) fn get(who: &'a str, path: impl Into<String>) -> Self {
        Self {
            who: Some(who),
            method: "GET",
            path: path.into(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    pub(crate) fn post(who: &'a str, path: impl Into<String>, body: &Value) -> Self {
        Self {
            method: "POST",
            headers: vec![("content-type", "application/json".to_owned())],
            body: body.to_string().into_bytes(),
            ..Self::get(who, path)
        }
    }
}

impl Ground {
    pub(crate) fn new() -> Self {
        let office = Office::open(CookieKind::Plain);
        let case = office.report(WALKER, VILLAGE);
        let person = json!({ "person": office.person(WALKER).hex() });
        let code = office.post(ADMIN, "/v1/devices/codes", &person).json();
        let enrol = json!({ "code": code["code"], "public_key": phone_key() });
        let enrolled = http::post(office.address, "/v1/devices/enrol", &[], &enrol).json();
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let device = text(&enrolled["device"]);
        let held = hold(&office, &case, &device);
        Self {
            case,
            held,
            token: text(&enrolled["token"]),
            device,
            office,
        }
    }

    /// Sends a request from a page of this server.
    pub(crate) fn send(&self, ask: &Ask<'_>) -> Reply {
        let mut headers = ask.headers.clone();
        headers.extend(ask.who.map(|who| ("cookie", self.office.cookie(who))));
        if !headers.iter().any(|(name, _)| *name == "origin") {
            headers.push(("origin", self.office.origin()));
        }
        let headers: Vec<(&str, &str)> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        http::ask(
            self.office.address,
            ask.method,
            &ask.path,
            &headers,
            &ask.body,
        )
    }

    /// What is wrong with the answer to a bad request; nothing: it has this status and code, and nothing has changed.
    pub(crate) fn try_it(&self, what: &str, ask: &Ask<'_>, status: u16, code: &str) -> Vec<String> {
        let before = dump(&self.office.app);
        let reply = self.send(ask);
        let mut wrong = Vec::new();
        if reply.status != status || reply.json() != json!({ "error": { "code": code } }) {
            wrong.push(format!(
                "{what}: {} {} gives {} {}, not {status} {code}",
                ask.method, ask.path, reply.status, reply.body
            ));
        }
        if reply.header("content-type") != Some("application/json") && ask.method != "HEAD" {
            wrong.push(format!("{what}: {} {} is no JSON", ask.method, ask.path));
        }
        if dump(&self.office.app) != before {
            wrong.push(format!(
                "{what}: {} {} changed something",
                ask.method, ask.path
            ));
        }
        wrong
    }
}

/// Puts a note of the walker's phone on the case, and holds it for review.
fn hold(office: &Office, case: &str, device: &str) -> String {
    let id = DocumentId::from_hex(case).expect("an id");
    let device = DeviceId::from_hex(device).expect("an id");
    let person = office.person(WALKER);
    let entry = Entry {
        kind: Action::Note.code(),
        person,
        device,
        capability: Capability::Inspect.code(),
        unit: UnitId(VILLAGE),
        n: 1,
        on: Vec::new(),
        at: At::wall(Timestamp(1)),
        key: None,
        body: Body {
            words: Some("已到现场".to_owned()),
            ..Body::default()
        },
    };
    let mut held = String::new();
    let mut commit = Commit::default();
    let read = office.app.store.read(&mut |snapshot| {
        let ledger = Growing::load(snapshot, id)?.ledger;
        let content = Content::person(&entry, Vec::new());
        let actor = Actor::new(device, [1; 8]);
        let change = compose(&ledger, actor, &ledger.head_hashes(), &content)
            .expect("it builds on what is there");
        held = change.hash.hex();
        commit.boxed = vec![BoxedChange {
            device,
            document: id,
            hash: change.hash,
            body: change.bytes,
            person: Some(person),
            state: BoxedAs::Held,
            boxed_at: Timestamp(1),
            settled: None,
        }];
        Ok(())
    });
    read.expect("the store answers");
    office.app.store.commit(&commit).expect("it is held");
    held
}

/// A round of the ground's phone that only says hello: its status.
pub(crate) fn hello(ground: &Ground) -> u16 {
    let mut stream = FrameWriter::new(Volume::Little);
    let hello = Hello::first(ground.office.app.identity.epoch);
    stream.write(kind::HELLO, &hello.encode());
    let body = [stream.take(), stream.finish()].concat();
    let bearer = format!("Bearer {}", ground.token);
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", CONTENT_TYPE),
    ];
    let reply = http::ask(ground.office.address, "POST", "/v1/sync", &headers, &body);
    reply.status
}

/// Everything of the state that a request could change, but sessions.
pub(crate) fn dump(app: &App) -> String {
    let mut text = String::new();
    let mut add = |part: &dyn std::fmt::Debug| text += &format!("{part:?}\n");
    let read = app.store.read(&mut |snapshot| {
        for id in snapshot.all_documents()? {
            add(&snapshot.document(id)?);
            add(&snapshot.summary(id)?);
            add(&snapshot.memberships(id)?);
        }
        for number in 1..100 {
            add(&snapshot.feed(number, 0, 10_000)?);
        }
        add(&snapshot.held(0, 1_000)?);
        let devices = snapshot.devices()?;
        add(&devices);
        let ids = devices.iter().map(|device| device.id);
        for device in ids.chain([app.identity.device]) {
            add(&snapshot.fates(device, 0, 10_000)?);
            add(&snapshot.batches(device)?);
            add(&snapshot.notices(device, 0)?);
        }
        add(&app.known().tag);
        Ok(())
    });
    read.expect("the store answers");
    text
}
