//! The hostile corpus against the running server: each change gets its refusal in a 200, and the server goes on serving
//! the very document that was attacked.

#[expect(dead_code, reason = "shared with the tests of core")]
#[path = "../../core/tests/hostile/corpus.rs"]
pub(super) mod corpus;

use std::sync::Arc;

use patrol_core::cbor::Writer;
use patrol_core::doc::compose::{Content, compose};
use patrol_core::doc::document;
use patrol_core::doc::ledger::Ledger;
use patrol_core::doc::parse::{Parsed, chunk_hash};
use patrol_core::domain::action::Action;
use patrol_core::domain::capability::Capability;
use patrol_core::domain::entry::{Body, Entry};
use patrol_core::domain::id::DocumentId;
use patrol_core::domain::time::{At, Timestamp};
use patrol_core::replica::{Cancel, Deed, Replica};
use patrol_core::store::enrolment::{self, Enrolment};
use patrol_core::store::{Store, changes, documents, feed};
use patrol_core::sync::http::Http;
use patrol_core::sync::seal::{Batch, leaf};
use patrol_core::sync::session::{self, Incoming, Session};
use patrol_core::sync::wire::{self, Fate, Form, Hello, PushHead, Unread};
use patrol_server::host::SystemEnvironment;
use patrol_server::office;
use patrol_tests::clock::{Clock, Machine};
use patrol_tests::pushing::range_of;
use patrol_tests::served::Served;
use patrol_tests::world::{World, city, matter};

struct Attack {
    served: Served,
    http: Http,
    inspector: Replica,
    case: DocumentId,
}

impl Attack {
    /// A case that the cadre reported, the office accepted and the inspector noted, all over HTTP.
    async fn prepare() -> Self {
        let served = Served::start(city(), Arc::new(SystemEnvironment))
            .await
            .unwrap();
        let http = Http::new().unwrap();
        let world = World::new(11);
        let village = world.villages("巡查员01")[0];
        let cadre = enrolled(&served, &http, &world, &world.cadre_of(village), 1).await;
        let inspector = enrolled(&served, &http, &world, "巡查员01", 2).await;
        let deed = Deed {
            fields: matter(village, "井盖异响"),
            ..Deed::new(Action::Report, Body::default())
        };
        let (case, _) = cadre.begin(&deed).unwrap();
        sync(&cadre, &http).await;
        let desk = world.person("受理派遣员01");
        let view = office::view(&served.app, desk, case).unwrap();
        let deed = office::Deed {
            action: Action::Accept,
            body: Body::default(),
            fields: Vec::new(),
            on: view.reading.case.workflow.heads.clone(),
            seen: view.heads,
            key: vec![1],
            acted_at: Timestamp(0),
        };
        office::act(&served.app, desk, case, &deed).unwrap();
        // Both note at once, so that the next change builds on two.
        for phone in [&inspector, &cadre] {
            sync(phone, &http).await;
            let note = Body {
                words: Some("已到现场".into()),
                ..Body::default()
            };
            phone.act(case, &Deed::new(Action::Note, note)).unwrap();
        }
        for phone in [&cadre, &inspector, &inspector] {
            sync(phone, &http).await;
        }
        Self {
            served,
            http,
            inspector,
            case,
        }
    }

    fn enrolment(&self) -> Enrolment {
        self.inspector.store().read(enrolment::enrolled).unwrap()
    }

    fn ledger(&self) -> Ledger {
        let load = |connection: &rusqlite::Connection| {
            let state = documents::state(connection, self.case)?.unwrap();
            changes::of_document(connection, state.number)
        };
        let rows = self.inspector.store().read(load).unwrap();
        document::load(self.case, rows.iter().map(|row| row.body.as_slice())).unwrap()
    }

    /// What the inspector's phone could push next: a correction of all three registers.
    fn valid(&self, n: u64) -> Parsed {
        let (enrolment, ledger) = (self.enrolment(), self.ledger());
        let village = document::scopes(&ledger)
            .0
            .iter()
            .find_map(|scope| scope.unit())
            .unwrap();
        let entry = Entry {
            kind: Action::Amend.code(),
            person: enrolment.person,
            device: enrolment.device,
            capability: Capability::Inspect.code(),
            unit: village,
            n,
            on: document::read(&ledger, |_| None).case.workflow.heads,
            at: At::wall(Timestamp(1_000)),
            key: None,
            body: Body::default(),
        };
        let village = patrol_core::domain::place::VillageCode::new(village.0).unwrap();
        let content = Content::person(&entry, matter(village, "改正"));
        compose(&ledger, enrolment.actor, &ledger.head_hashes(), &content).unwrap()
    }

    /// Pushes bytes raw, signed by the inspector's key, and returns their fate.
    async fn push(&self, bytes: &[u8]) -> Result<Fate, Unread> {
        let enrolment = self.enrolment();
        let leaves = vec![leaf(self.case, chunk_hash(bytes))];
        let n = range_of(&[(self.case, bytes.to_vec())]);
        let batch = Batch {
            server: enrolment.server,
            device: enrolment.device,
            n,
            leaves,
        };
        let head = PushHead {
            signer: enrolment.device,
            n,
            signature: batch.sign(&enrolment.seed),
            form: Form::Raw,
        };
        let mut items = Writer::default();
        wire::write_raw(&mut items, self.case, bytes);
        let hello = Hello {
            cursors: self.inspector.store().read(feed::cursors).unwrap(),
            ..Hello::first(enrolment.epoch)
        };
        let body = session::request(&hello, &[head.encode(1, &items.finish())]);
        let response = self.post(body).await;
        assert_eq!(response.status(), 200);
        let mut session = Session::new(vec![1]);
        let incoming = session.receive(&response.bytes().await.unwrap()).unwrap();
        let fates = incoming.into_iter().find_map(|frame| {
            if let Incoming::Fates(fates) = frame {
                Some(fates)
            } else {
                None
            }
        });
        fates.unwrap().outcome.map(|fates| fates[0].clone())
    }

    async fn post(&self, body: Vec<u8>) -> reqwest::Response {
        let client = reqwest::Client::new();
        let url = format!("{}/v1/sync", self.served.url);
        client
            .post(url)
            .bearer_auth(self.enrolment().token)
            .header("content-type", wire::CONTENT_TYPE)
            .body(body)
            .send()
            .await
            .unwrap()
    }
}

async fn enrolled(served: &Served, http: &Http, world: &World, name: &str, seed: u64) -> Replica {
    let replica = Replica::on(
        Store::in_memory().unwrap(),
        Arc::new(Machine::new(&Clock::default(), seed)),
    );
    let code = served.enrol_code(world.person(name));
    replica.enrol(http, &served.url, &code).await.unwrap();
    replica
}

async fn sync(replica: &Replica, http: &Http) {
    replica
        .sync(http, &Cancel::default(), &|_| ())
        .await
        .unwrap();
}

#[tokio::test]
async fn hostile_changes_are_refused_by_name_and_the_server_goes_on() {
    let attack = Attack::prepare().await;
    let (ledger, valid) = (attack.ledger(), attack.valid(50));
    let hostile = corpus::corpus(&ledger, &valid);
    assert!(hostile.len() > 40, "{}", hostile.len());
    for (name, bytes, refusal) in hostile {
        assert_eq!(
            attack.push(&bytes).await,
            Ok(Fate::Refused(refusal)),
            "{name}"
        );
        // Told again, it gets the same answer.
        assert_eq!(
            attack.push(&bytes).await,
            Ok(Fate::Refused(refusal)),
            "{name}, again"
        );
    }
    assert_eq!(attack.push(&valid.bytes).await, Ok(Fate::Ok));
    assert_eq!(attack.push(&valid.bytes).await, Ok(Fate::Dup));
    sync(&attack.inspector, &attack.http).await;
    assert_eq!(
        attack
            .inspector
            .case(attack.case)
            .unwrap()
            .reading
            .case
            .words[0]
            .value,
        "改正"
    );
}

#[tokio::test]
async fn what_is_not_of_this_protocol_gets_a_status_and_harms_nothing() {
    let attack = Attack::prepare().await;
    for (body, status) in [
        (Vec::new(), 400),
        (b"XCN1".to_vec(), 400),
        (b"<html>".to_vec(), 400),
        (vec![0xff; 100_000], 400),
    ] {
        assert_eq!(attack.post(body).await.status(), status);
    }
    let client = reqwest::Client::new();
    let url = format!("{}/v1/sync", attack.served.url);
    assert_eq!(
        client
            .post(&url)
            .bearer_auth("guessed")
            .body("x")
            .send()
            .await
            .unwrap()
            .status(),
        401
    );
    assert_eq!(
        client.post(&url).body("x").send().await.unwrap().status(),
        401
    );
    sync(&attack.inspector, &attack.http).await;
}
