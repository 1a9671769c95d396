//! A person in a browser, as a client of the JSON API: signs in, reads pages, acts, and asks again with the same key when no answer came.
//!
//! It decides nothing. Every entry that the API returns is logged outside all stores.

use patrol_core::domain::id::{DocumentId, EntryId, PersonId};
use patrol_server::calendar::rfc3339;
use rand::{Rng as _, RngCore as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use reqwest::Method;
use serde_json::{Value, json};

use super::city::City;
use super::log::{By, Logged};
use super::page::{Choice, Page, opening};

/// Times that a request is sent again at once when no answer came.
const TRIES: usize = 3;

/// What came back.
#[derive(Clone, PartialEq, Debug)]
pub enum Answer {
    /// It was done, or shown.
    Done(Value),
    /// The server said no: status and code.
    Refused(u16, String),
    /// No answer, or somebody else's. Whether it was done is unknown.
    None,
}

/// Something sent that has had no answer yet.
#[derive(Clone, Debug)]
struct Sent {
    path: String,
    request: Value,
    key: Vec<u8>,
}

/// A row of a list.
#[derive(Clone, Debug)]
pub struct Row {
    /// Which case.
    pub document: DocumentId,
    /// Where it stands.
    pub stage: String,
    /// The village shown.
    pub village: u64,
}

/// A person in a browser.
#[derive(Debug)]
pub struct Desk {
    /// Who.
    pub person: PersonId,
    http: reqwest::Client,
    url: String,
    login: String,
    password: String,
    cookie: Option<String>,
    rng: ChaCha8Rng,
    unanswered: Vec<Sent>,
}

impl Desk {
    /// A browser that has not signed in yet, whose keys follow from a seed.
    pub fn new(
        http: &reqwest::Client,
        url: &str,
        (person, login, password): (PersonId, &str, &str),
        seed: u64,
    ) -> Self {
        Self {
            person,
            http: http.clone(),
            url: url.to_owned(),
            login: login.to_owned(),
            password: password.to_owned(),
            cookie: None,
            rng: ChaCha8Rng::seed_from_u64(seed),
            unanswered: Vec::new(),
        }
    }

    /// One request, with the cookie and, but for reading, with the origin. Signs in where that is due.
    pub async fn call(&mut self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        for _ in 0..2 {
            if self.cookie.is_none() {
                match self.sign_in().await {
                    Answer::Done(_) => {}
                    answer => return answer,
                }
            }
            let answer = self.send(method.clone(), path, body).await;
            if !matches!(answer, Answer::Refused(401, _)) {
                return answer;
            }
            self.cookie = None;
        }
        Answer::None
    }

    async fn sign_in(&mut self) -> Answer {
        let body = json!({ "login": self.login, "password": self.password });
        self.send(Method::POST, "/v1/session", Some(&body)).await
    }

    async fn send(&mut self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let mut request = self
            .http
            .request(method.clone(), format!("{}{path}", self.url));
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        if method != Method::GET {
            request = request.header("origin", &self.url);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let Ok(response) = request.send().await else {
            return Answer::None;
        };
        let status = response.status().as_u16();
        let header = response.headers().get("set-cookie");
        let cookie = header
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .map(str::to_owned);
        let Ok(value) = response.json::<Value>().await else {
            return Answer::None;
        };
        match status {
            200 => {
                self.cookie = cookie.or(self.cookie.take());
                Answer::Done(value)
            }
            503 => Answer::None,
            _ => {
                let code = value.pointer("/error/code").and_then(Value::as_str);
                Answer::Refused(status, code.unwrap_or_default().to_owned())
            }
        }
    }

    /// A list; empty when it could not be had.
    pub async fn list(&mut self, query: &str) -> Vec<Row> {
        let path = format!("/v1/cases?{query}");
        let Answer::Done(value) = self.call(Method::GET, &path, None).await else {
            return Vec::new();
        };
        let rows = value.get("cases").and_then(Value::as_array);
        let row = |row: &Value| {
            Some(Row {
                document: DocumentId::from_hex(row.get("document")?.as_str()?)?,
                stage: row.get("stage")?.as_str()?.to_owned(),
                village: row
                    .get("village")
                    .and_then(Value::as_u64)
                    .unwrap_or_default(),
            })
        };
        rows.into_iter().flatten().filter_map(row).collect()
    }

    /// A case as it stands.
    pub async fn open(&mut self, document: DocumentId) -> Option<Page> {
        let path = format!("/v1/cases/{}", document.hex());
        match self.call(Method::GET, &path, None).await {
            Answer::Done(value) => Page::of_json(&value),
            _ => None,
        }
    }

    /// A deed on a page, decided now: it may be sent much later.
    pub fn decide(&mut self, city: &City, page: &Page, choice: &Choice) -> Pending {
        let key = self.key();
        let request = page.request(choice, &hex(&key), &rfc3339(city.clock.now()));
        let path = format!("/v1/cases/{}/actions", page.document.hex());
        Pending(Sent { path, request, key })
    }

    /// Acts on a page at once.
    pub async fn act(&mut self, city: &City, page: &Page, choice: &Choice) -> Option<EntryId> {
        let pending = self.decide(city, page, choice);
        self.hand_in(city, pending).await
    }

    /// Opens a case.
    pub async fn begin(&mut self, city: &City, choice: &Choice) -> Option<EntryId> {
        let key = self.key();
        let request = opening(choice, &hex(&key), &rfc3339(city.clock.now()));
        let path = "/v1/cases".to_owned();
        self.hand_in(city, Pending(Sent { path, request, key }))
            .await
    }

    /// Sends what was decided. Without an answer it is kept, to be sent again with the same key.
    pub async fn hand_in(&mut self, city: &City, pending: Pending) -> Option<EntryId> {
        let Pending(sent) = pending;
        for _ in 0..TRIES {
            let answer = self
                .call(Method::POST, &sent.path, Some(&sent.request))
                .await;
            match answer {
                Answer::Done(value) => return self.note(city, &sent, &value),
                Answer::Refused(status, code) => {
                    city.counters.note_desk_refusal(status, &code);
                    return None;
                }
                Answer::None => {}
            }
        }
        self.unanswered.push(sent);
        None
    }

    fn note(&self, city: &City, sent: &Sent, value: &Value) -> Option<EntryId> {
        let id = |name: &str| value.get(name).and_then(Value::as_str);
        let document = id("document").and_then(DocumentId::from_hex)?;
        let entry = id("entry").and_then(EntryId::from_hex)?;
        city.log.add(Logged {
            entry,
            document,
            person: self.person,
            by: By::Desk,
            key: sent.key.clone(),
        });
        Some(entry)
    }

    /// Sends again what has had no answer. True: nothing is left.
    pub async fn ask_again(&mut self, city: &City) -> bool {
        for sent in std::mem::take(&mut self.unanswered) {
            self.hand_in(city, Pending(sent)).await;
        }
        self.unanswered.is_empty()
    }

    fn key(&mut self) -> Vec<u8> {
        let mut key = vec![0; 8];
        self.rng.fill_bytes(&mut key);
        key
    }

    /// Dice of this person.
    pub fn rng(&mut self) -> &mut ChaCha8Rng {
        &mut self.rng
    }

    /// Whether something of a hundred happens.
    pub fn happens(&mut self, percent: u32) -> bool {
        self.rng.random_range(0..100) < percent
    }
}

/// A deed that is decided and not sent.
#[derive(Debug)]
pub struct Pending(Sent);

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
