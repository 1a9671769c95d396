//! One exchange of an earlier release, as it was recorded: what a phone of then asks is answered as it was, and a phone of today asks as
//! then.
//!
//! The directory that a server of then hands out is recorded as its database has it: the program itself is not run here.

use std::sync::{Arc, Mutex};

use futures_util::FutureExt as _;
use patrol_core::domain::limits;
use patrol_core::domain::time::Timestamp;
use patrol_core::replica::{Cancel, Refreshed};
use patrol_core::store::{enrolment, feed};
use patrol_core::sync::directory;
use patrol_core::sync::frame::{Frame, FrameReader, FrameWriter, Volume};
use patrol_core::sync::transport::{Method, Request, Response, Transport, Unreachable, Waiting};
use patrol_core::sync::wire::{CONTENT_TYPE, Done, Fate, Fates, Hello, Welcome, kind};
use patrol_server::app::App;
use patrol_tests::fixture::{self, NEW_WORDS, REQUEST, RESPONSE, SERVER};
use patrol_tests::link::{Link, Reply};
use patrol_tests::served::Folder;
use patrol_tests::world::city;
use rusqlite::Connection;

use super::{RELEASED, app_on, errand, unpack, upgraded_phone};

pub(super) fn frames(body: &[u8]) -> Vec<Frame> {
    let mut reader = FrameReader::new(limits::RESPONSE_BYTES_MAX);
    reader.push(body).unwrap();
    std::iter::from_fn(|| reader.next_frame().unwrap()).collect()
}

pub(super) fn written(frames: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut writer = FrameWriter::new(Volume::Little);
    frames
        .iter()
        .for_each(|(kind, payload)| writer.write(*kind, payload));
    let mut body = writer.take();
    body.extend(writer.finish());
    body
}

pub(super) fn post(app: &Arc<App>, token: &str, body: Vec<u8>) -> Vec<u8> {
    let link = Link::new(Arc::clone(app), 1);
    let request = Request {
        method: Method::Post,
        server_url: "http://server".to_owned(),
        path: "/v1/sync".into(),
        token: Some(token.to_owned()),
        content_type: CONTENT_TYPE,
        body,
    };
    let mut response = link.send(request).now_or_never().unwrap().unwrap();
    assert_eq!(response.status(), 200);
    let mut body = Vec::new();
    while let Some(piece) = response.piece().now_or_never().unwrap().unwrap() {
        body.extend(piece);
    }
    body
}

pub(super) fn fates_of(body: &[u8]) -> Vec<Fates> {
    let fates = frames(body)
        .into_iter()
        .filter(|frame| frame.kind == kind::FATES);
    fates
        .map(|frame| Fates::decode(&frame.payload, 99).unwrap())
        .collect()
}

/// The answer, frame by frame, without the server's time.
fn told(body: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let frames = frames(body).into_iter();
    let told = frames.map(|frame| match frame.kind {
        kind::WELCOME => {
            let welcome = Welcome {
                server_time: Timestamp(0),
                ..Welcome::decode(&frame.payload).unwrap()
            };
            (frame.kind, welcome.encode())
        }
        _ => (frame.kind, frame.payload),
    });
    told.collect()
}

#[test]
fn an_older_phones_request_is_answered_by_the_server_of_today_as_it_was_then() {
    for version in RELEASED {
        let folder = Folder::new("old-phone-new-server").unwrap();
        let server = unpack(&folder, version, SERVER);
        errand(&["upgrade"], &server).unwrap();
        let app = app_on(&server);
        let token = upgraded_phone(&folder, version)
            .replica
            .store()
            .read(enrolment::enrolled)
            .unwrap()
            .token;
        let answer = post(&app, &token, fixture::read(version, REQUEST));
        let then = fixture::read(version, RESPONSE);
        assert_eq!(fates_of(&answer)[0].outcome, Ok(vec![Fate::Ok; 2]));
        assert_eq!(told(&answer), told(&then));
    }
}

/// A server whose answers to rounds are given, and that knows nothing of components. It keeps what it is asked.
struct Given {
    answers: Mutex<Vec<Vec<u8>>>,
    asked: Mutex<Vec<Request>>,
}

impl Given {
    fn new(answer: Vec<u8>) -> Self {
        Self {
            answers: Mutex::new(vec![answer]),
            asked: Mutex::default(),
        }
    }
}

impl Transport for Given {
    fn send(&self, request: Request) -> Waiting<'_, Result<Box<dyn Response>, Unreachable>> {
        let answer = match request.method {
            Method::Post => self.answers.lock().unwrap().pop(),
            _ => None,
        };
        let reply: Box<dyn Response> = match answer {
            Some(body) => Box::new(Reply::ok(CONTENT_TYPE, body)),
            None => Box::new(Reply::status(404)),
        };
        self.asked.lock().unwrap().push(request);
        Box::pin(std::future::ready(Ok(reply)))
    }
}

/// The request, frame by frame, without the flag that the first release did not have. A server of then passes over flags that it does not
/// know.
fn asked(body: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let frames = frames(body).into_iter();
    let asked = frames.map(|frame| match frame.kind {
        kind::HELLO => {
            let hello = Hello {
                with_components: false,
                ..Hello::decode(&frame.payload).unwrap()
            };
            (frame.kind, hello.encode())
        }
        _ => (frame.kind, frame.payload),
    });
    asked.collect()
}

#[test]
fn the_phone_of_today_asks_an_older_server_as_then_and_understands_its_answer() {
    for version in RELEASED {
        let folder = Folder::new("new-phone-old-server").unwrap();
        let phone = upgraded_phone(&folder, version);
        let server = Given::new(fixture::read(version, RESPONSE));
        let cancel = Cancel::default();
        let synced = phone.replica.sync(&server, &cancel, &|_| ());
        let summary = synced.now_or_never().unwrap().unwrap();
        assert_eq!((summary.rounds, summary.pushed, summary.pulled), (1, 2, 2));
        assert_eq!(phone.replica.status().unwrap().outbox, 0);
        let rows = phone.replica.search("case", NEW_WORDS, 0, 9).unwrap();
        assert!(
            rows[0].number.is_some(),
            "the number has come with the answer"
        );
        let requests = server.asked.into_inner().unwrap();
        let then = fixture::read(version, REQUEST);
        assert_eq!(asked(&requests[0].body), asked(&then));
    }
}

/// An answer that names a directory's tag, as a server gives it that does not know what the phone says of components.
fn with_tag(body: &[u8], tag: [u8; 8]) -> Vec<u8> {
    let frames = frames(body).into_iter();
    let named = frames.map(|frame| match frame.kind {
        kind::DONE => {
            let done = Done {
                directory_tag: Some(tag),
                ..Done::decode(&frame.payload).unwrap()
            };
            (frame.kind, done.encode())
        }
        _ => (frame.kind, frame.payload),
    });
    written(&named.collect::<Vec<_>>())
}

#[test]
fn with_a_server_without_components_a_call_ends_well() {
    for version in RELEASED {
        let folder = Folder::new("no-components").unwrap();
        let phone = upgraded_phone(&folder, version);
        let tag = phone.replica.store().read(feed::directory_tag).unwrap();
        let answer = with_tag(&fixture::read(version, RESPONSE), tag.unwrap());
        let server = Given::new(answer);
        let cancel = Cancel::default();
        let synced = phone.replica.sync(&server, &cancel, &|_| ());
        let summary = synced.now_or_never().unwrap().unwrap();
        assert_eq!((summary.pushed, summary.pulled), (2, 2));
        let requests = server.asked.lock().unwrap();
        let paths: Vec<&str> = requests
            .iter()
            .map(|request| request.path.as_ref())
            .collect();
        assert_eq!(paths, ["/v1/sync", "/v1/components"]);
        drop(requests);
        let refreshed = phone.replica.refresh_components(&server);
        let refreshed = refreshed.now_or_never().unwrap().unwrap();
        assert_eq!(refreshed, Refreshed::default());
    }
}

#[test]
fn the_directory_that_an_older_server_hands_out_is_understood() {
    for version in RELEASED {
        let folder = Folder::new("old-directory").unwrap();
        let file = unpack(&folder, version, SERVER);
        let connection = Connection::open(&file).unwrap();
        // What that release handed out are the bytes that it kept.
        let last = "SELECT bytes FROM directories ORDER BY no DESC LIMIT 1";
        let bytes: Vec<u8> = connection.query_row(last, [], |row| row.get(0)).unwrap();
        assert_eq!(directory::decode(&bytes).unwrap(), *city());
    }
}
