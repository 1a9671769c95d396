//! A server in this process, on a port of its own, with a clock that tests set and people who are signed in.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use patrol_core::domain::directory::Post;
use patrol_core::domain::id::PersonId;
use patrol_core::domain::limits;
use patrol_core::domain::time::Timestamp;
use patrol_server::api::{CookieKind, Settings};
use patrol_server::app::{App, Environment, draw_identity};
use patrol_server::auth;
use patrol_server::calendar::rfc3339;
use patrol_server::directory::{SYNTHETIC_SINCE, synthetic_people, zhuhai};
use patrol_server::listen;
use patrol_server::store::memory::MemoryStore;
use patrol_server::store::{Account, BrowserSession};
use serde_json::{Value, json};

use crate::http::{self, Reply};

/// 2026-11-23 08:00 in Zhuhai.
const START: i64 = 1_795_392_000_000;

/// A clock that stands still until it is set, and bytes that only look random.
#[derive(Debug)]
pub(crate) struct Machine {
    now: AtomicI64,
    drawn: AtomicU64,
}

impl Machine {
    /// Lets time pass.
    pub(crate) fn advance_ms(&self, ms: i64) {
        self.now.fetch_add(ms, Ordering::Relaxed);
    }
}

impl Environment for Machine {
    fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::Relaxed))
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        for byte in bytes {
            let drawn = self.drawn.fetch_add(1, Ordering::Relaxed);
            let mixed = drawn.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            *byte = mixed.to_be_bytes()[0];
        }
    }
}

/// A server with Zhuhai's directory and made-up people.
pub(crate) struct Office {
    pub(crate) app: Arc<App>,
    pub(crate) machine: Arc<Machine>,
    pub(crate) address: SocketAddr,
    cookies: CookieKind,
    keys: AtomicU64,
    // Dropped last: it serves.
    _runtime: tokio::runtime::Runtime,
}

/// A phone's public key, as it enrols with it.
pub(crate) fn phone_key() -> String {
    let key = patrol_core::sync::seal::public_key(&[7; 32]);
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Office {
    /// Opens an office.
    pub(crate) fn open(cookies: CookieKind) -> Self {
        let machine = Arc::new(Machine {
            now: AtomicI64::new(START),
            drawn: AtomicU64::new(0),
        });
        let store = MemoryStore::new(draw_identity(machine.as_ref()));
        let app = App::open(Arc::new(store), machine.clone()).expect("a new model opens");
        let mut directory = zhuhai();
        directory.people = synthetic_people(&directory, SYNTHETIC_SINCE);
        app.put_directory(&directory)
            .expect("the directory is kept");
        let app = Arc::new(app);
        let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .expect("a port is free");
        let address = listener.local_addr().expect("an address");
        runtime.spawn(listen::serve(
            listener,
            Arc::clone(&app),
            Settings::new(cookies),
            std::future::pending(),
        ));
        Self {
            app,
            machine,
            address,
            cookies,
            keys: AtomicU64::new(0),
            _runtime: runtime,
        }
    }

    /// A person of the directory.
    pub(crate) fn person(&self, name: &str) -> PersonId {
        let known = self.app.known();
        let mut people = known.directory.people.iter();
        let found = people.find(|person| person.name == name);
        found.expect("a person of the directory").id
    }

    /// Gives a person an account.
    pub(crate) fn account(&self, name: &str, login: &str, password: &str) {
        auth::put_account(&self.app, self.person(name), login, password)
            .expect("an account is kept");
    }

    /// Signs in from a page of this office.
    pub(crate) fn sign_in(&self, login: &str, password: &str) -> Reply {
        let origin = self.origin();
        let body = json!({ "login": login, "password": password });
        http::post(self.address, "/v1/session", &[("origin", &origin)], &body)
    }

    /// Changes a person's posts.
    pub(crate) fn change(&self, name: &str, change: impl FnOnce(&mut Vec<Post>)) {
        let mut directory = self.app.known().directory.clone();
        let mut people = directory.people.iter_mut();
        let found = people.find(|person| person.name == name);
        change(&mut found.expect("a person of the directory").posts);
        self.app
            .put_directory(&directory)
            .expect("the directory is kept");
    }

    /// The address that pages of this office have.
    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The cookie of a person who has just signed in, without the work of a password.
    pub(crate) fn cookie(&self, name: &str) -> String {
        let token = auth::draw_secret(&self.app);
        let until = self.app.environment.now().plus_ms(limits::SIGN_IN_MS);
        let person = self.person(name);
        let session = BrowserSession { person, until };
        let store = &self.app.store;
        let known = store.account_of(person).expect("the store answers");
        let account = known.unwrap_or_else(|| {
            let account = Account {
                person,
                login: person.hex(),
                password_hash: "no password".to_owned(),
            };
            store.put_account(&account).expect("an account is kept");
            account
        });
        let put = store.put_session(auth::hash_of(&token), &session, &account.password_hash);
        assert!(put.expect("a session is kept"));
        format!("{}={token}", self.cookies.name())
    }

    /// What a person's browser gets.
    pub(crate) fn get(&self, name: &str, path: &str) -> Reply {
        let cookie = self.cookie(name);
        http::ask(self.address, "GET", path, &[("cookie", &cookie)], &[])
    }

    /// What a person's browser sends.
    pub(crate) fn post(&self, name: &str, path: &str, body: &Value) -> Reply {
        let (cookie, origin) = (self.cookie(name), self.origin());
        let headers = [("cookie", cookie.as_str()), ("origin", origin.as_str())];
        http::post(self.address, path, &headers, body)
    }

    /// A request to act, with a key of its own.
    pub(crate) fn deed(&self, action: &str, on: &Value) -> Value {
        let key = self.keys.fetch_add(1, Ordering::Relaxed);
        let acted_at = rfc3339(self.app.environment.now());
        json!({ "action": action, "on": on, "key": format!("{key:016x}"), "acted_at": acted_at })
    }

    /// A report of a matter in a village, and the document that it opens.
    pub(crate) fn report(&self, name: &str, village: u64) -> String {
        let mut deed = self.deed("report", &json!([]));
        deed["fields"] = matter(village);
        let reply = self.post(name, "/v1/cases", &deed);
        assert_eq!(reply.status, 200, "{}", reply.body);
        let document = reply.json()["document"].as_str().map(str::to_owned);
        document.expect("a document")
    }

    /// Does something on what a page shows just now.
    pub(crate) fn act(&self, name: &str, document: &str, action: &str, body: &Value) -> Reply {
        let page = self.get(name, &format!("/v1/cases/{document}")).json();
        let mut deed = self.deed(action, &page["on"]);
        deed["seen"] = page["seen"].clone();
        deed["body"] = body.clone();
        self.post(name, &format!("/v1/cases/{document}/actions"), &deed)
    }
}

/// The registers of a report.
pub(crate) fn matter(village: u64) -> Value {
    json!({
        "place": { "village": village },
        "category": { "scheme": 476_785, "kind": "matter", "code": 6_010 },
        "words": "桥边垃圾",
    })
}
