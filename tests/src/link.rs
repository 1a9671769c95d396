//! A network in memory between a replica and a server's rounds: seeded, and as bad as a test wants.
//!
//! It speaks the same bytes as HTTP carries, through the same `Round`; only sockets and headers are missing. What it
//! counts is what bodies hold.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use patrol_core::cbor::{Reader, Writer};
use patrol_core::domain::limits;
use patrol_core::domain::refusal::Refusal;
use patrol_core::sync::frame::{FrameReader, FrameWriter, Volume};
use patrol_core::sync::seal::PageList;
use patrol_core::sync::transport::{Method, Request, Response, Transport, Unreachable, Waiting};
use patrol_core::sync::wire::{CONTENT_TYPE, Fate, Fates, kind};
use patrol_server::app::App;
use patrol_server::auth;
use patrol_server::round::{Round, RoundFault};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::simulation::Mutation;

/// What happens to one exchange.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Mishap {
    /// Nothing.
    None,
    /// The request never arrives.
    Unreachable,
    /// The request is cut after a part; what its whole frames did stays done.
    RequestCut,
    /// The request arrives and is worked on whole; nothing of the response comes back.
    ResponseLost,
    /// The response is cut after a part.
    ResponseCut,
    /// The request arrives twice; the second response comes back.
    Duplicated,
    /// Somebody else answers: a captive portal's page.
    Portal,
}

/// How bad a network is.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// Of a hundred exchanges, how many suffer a mishap.
    pub mishaps_percent: u32,
}

/// Nothing ever happens.
pub const FAIR: Weather = Weather { mishaps_percent: 0 };

/// One phone's way to a server.
pub struct Link {
    app: Mutex<Arc<App>>,
    weather: Mutex<Weather>,
    rng: Mutex<ChaCha8Rng>,
    next: Mutex<Option<Mishap>>,
    mutation: Mutex<Mutation>,
    fates: Mutex<BTreeMap<&'static str, usize>>,
    /// Mishaps so far, by kind.
    pub mishaps: [AtomicUsize; 7],
    /// Requests that arrived.
    pub requests: AtomicUsize,
    /// Bytes of request bodies.
    pub bytes_up: AtomicU64,
    /// Bytes of response bodies.
    pub bytes_down: AtomicU64,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").finish_non_exhaustive()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Link {
    /// A way to a server, whose mishaps follow from a seed.
    pub fn new(app: Arc<App>, seed: u64) -> Self {
        Self {
            app: Mutex::new(app),
            weather: Mutex::new(FAIR),
            rng: Mutex::new(ChaCha8Rng::seed_from_u64(seed)),
            next: Mutex::new(None),
            mutation: Mutex::new(Mutation::None),
            fates: Mutex::new(BTreeMap::new()),
            mishaps: Default::default(),
            requests: AtomicUsize::new(0),
            bytes_up: AtomicU64::new(0),
            bytes_down: AtomicU64::new(0),
        }
    }

    /// Changes how bad the network is.
    pub fn set_weather(&self, weather: Weather) {
        *locked(&self.weather) = weather;
    }

    /// Leads to another server from now on, such as one restored from a backup.
    pub fn lead_to(&self, app: Arc<App>) {
        *locked(&self.app) = app;
    }

    /// The next exchange suffers this.
    pub fn expect(&self, mishap: Mishap) {
        *locked(&self.next) = Some(mishap);
    }

    /// Breaks the protocol on this link from now on, to see whether somebody notices.
    pub fn mutate(&self, mutation: Mutation) {
        *locked(&self.mutation) = mutation;
    }

    /// Mishaps so far, by name.
    pub fn mishap_counts(&self) -> Vec<(&'static str, usize)> {
        let names = [
            "link fair",
            "link unreachable",
            "link request cut",
            "link response lost",
            "link response cut",
            "link duplicated",
            "link portal",
        ];
        names
            .into_iter()
            .zip(
                self.mishaps
                    .iter()
                    .map(|count| count.load(Ordering::Relaxed)),
            )
            .collect()
    }

    /// Fates told so far, by name, since the last call.
    pub fn take_fates(&self) -> BTreeMap<&'static str, usize> {
        std::mem::take(&mut locked(&self.fates))
    }

    fn draw(&self) -> Mishap {
        if let Some(mishap) = locked(&self.next).take() {
            return mishap;
        }
        let percent = locked(&self.weather).mishaps_percent;
        let mut rng = locked(&self.rng);
        if rng.random_range(0..100) >= percent {
            return Mishap::None;
        }
        match rng.random_range(0..12) {
            0..2 => Mishap::Unreachable,
            2..5 => Mishap::RequestCut,
            5..7 => Mishap::ResponseLost,
            7..10 => Mishap::ResponseCut,
            10 => Mishap::Duplicated,
            _ => Mishap::Portal,
        }
    }

    fn exchange(&self, request: &Request) -> Result<Reply, Unreachable> {
        let mishap = self.draw();
        if let Some(count) = self.mishaps.get(mishap as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.bytes_up
            .fetch_add(request.body.len() as u64, Ordering::Relaxed);
        let cut = |len: usize| {
            if len == 0 {
                0
            } else {
                locked(&self.rng).random_range(0..len)
            }
        };
        match mishap {
            Mishap::Unreachable => return Err(Unreachable),
            Mishap::Portal => return Ok(Reply::portal()),
            Mishap::RequestCut => {
                let part = request
                    .body
                    .get(..cut(request.body.len()))
                    .unwrap_or_default()
                    .to_vec();
                drop(self.serve(request, &part));
                return Err(Unreachable);
            }
            Mishap::Duplicated => drop(self.serve(request, &request.body)),
            Mishap::None | Mishap::ResponseLost | Mishap::ResponseCut => {}
        }
        let mut reply = self.serve(request, &request.body);
        match mishap {
            Mishap::ResponseLost => return Err(Unreachable),
            Mishap::ResponseCut => {
                reply.body.truncate(cut(reply.body.len()));
                reply.is_cut = true;
            }
            _ => {}
        }
        self.bytes_down
            .fetch_add(reply.body.len() as u64, Ordering::Relaxed);
        Ok(reply)
    }

    /// What the server answers to a request of which this much of the body has arrived.
    fn serve(&self, request: &Request, body: &[u8]) -> Reply {
        let app = Arc::clone(&locked(&self.app));
        match (request.method, request.path) {
            (Method::Post, "/v1/sync") => {
                let round = serve_round(&app, request, body).map(|frames| self.pass_on(frames));
                round.map_or_else(Reply::status, |frames| {
                    Reply::ok(CONTENT_TYPE, written(&frames))
                })
            }
            (Method::Get, "/v1/directory") => match device_of(&app, request) {
                Some(device) if device.revoked_at.is_none() => {
                    Reply::ok("application/cbor", app.known().bytes.clone())
                }
                _ => Reply::status(401),
            },
            _ => Reply::status(404),
        }
    }
}

fn device_of(app: &App, request: &Request) -> Option<patrol_server::store::Device> {
    let token = request.token.as_deref()?;
    app.store
        .device_of_token(auth::hash_of(token))
        .ok()
        .flatten()
}

type Frames = Vec<(u8, Vec<u8>)>;

fn serve_round(app: &Arc<App>, request: &Request, body: &[u8]) -> Result<Frames, u16> {
    let device = device_of(app, request).ok_or(401u16)?;
    let mut round = Round::new(Arc::clone(app), device);
    let mut reader = FrameReader::new(limits::REQUEST_BYTES_MAX);
    reader.push(body).map_err(|_| 400u16)?;
    while let Some(frame) = reader.next_frame().map_err(|_| 400u16)? {
        round.receive(&frame).map_err(|fault| {
            if matches!(fault, RoundFault::Malformed) {
                400u16
            } else {
                503
            }
        })?;
    }
    if !reader.is_finished() {
        return Err(400);
    }
    let mut frames = Vec::new();
    while let Some(frame) = round.next_frame().map_err(|_| 503u16)? {
        frames.push(frame);
    }
    Ok(frames)
}

fn written(frames: &Frames) -> Vec<u8> {
    let bytes: usize = frames.iter().map(|(_, payload)| payload.len()).sum();
    let mut writer = FrameWriter::new(if bytes < 4_096 {
        Volume::Little
    } else {
        Volume::Much
    });
    for (kind, payload) in frames {
        writer.write(*kind, payload);
    }
    let mut whole = writer.take();
    whole.extend(writer.finish());
    whole
}

impl Link {
    /// Counts what passes, and breaks it where the link is told to.
    fn pass_on(&self, frames: Frames) -> Frames {
        let mutation = *locked(&self.mutation);
        frames
            .into_iter()
            .map(|(kind, payload)| (kind, self.pass_on_frame(kind, payload, mutation)))
            .collect()
    }

    fn pass_on_frame(&self, kind: u8, payload: Vec<u8>, mutation: Mutation) -> Vec<u8> {
        match (kind, mutation) {
            (kind::FATES, _) => {
                let Ok(mut fates) = Fates::decode(&payload, limits::PUSH_FRAME_CHANGES_MAX) else {
                    return payload;
                };
                for fate in fates.outcome.iter_mut().flatten() {
                    *locked(&self.fates).entry(fate_name(fate)).or_default() += 1;
                    if mutation == Mutation::DropFate && locked(&self.rng).random_bool(0.3) {
                        *fate = Fate::Ok;
                    }
                }
                fates.encode()
            }
            (kind::PAGE, Mutation::SkipPage) if locked(&self.rng).random_bool(0.1) => {
                emptied(&payload).unwrap_or(payload)
            }
            _ => payload,
        }
    }
}

fn fate_name(fate: &Fate) -> &'static str {
    match fate {
        Fate::Ok => "fate ok",
        Fate::Dup => "fate dup",
        Fate::Missing(_) => "fate missing",
        Fate::Later(_) => "fate later",
        Fate::Review => "fate review",
        Fate::Refused(Refusal::Forked) => "fate forked",
        Fate::Refused(_) => "fate refused",
    }
}

/// A page with the same cursors and nothing in it.
fn emptied(payload: &[u8]) -> Option<Vec<u8>> {
    let mut r = Reader::new(payload);
    r.array().ok()?;
    r.uint().ok()?;
    for _ in 0..3 {
        r.item().ok()?;
    }
    let cursors = r.item().ok()?;
    let mut w = Writer::default();
    w.array(7).uint(0).array(0).array(0).array(0).raw(cursors);
    w.bytes(&PageList::default().check()).bytes(&[0; 16]);
    Some(w.finish())
}

impl Transport for Link {
    fn send(&self, request: Request) -> Waiting<'_, Result<Box<dyn Response>, Unreachable>> {
        let reply = self
            .exchange(&request)
            .map(|reply| -> Box<dyn Response> { Box::new(reply) });
        Box::pin(std::future::ready(reply))
    }
}

struct Reply {
    status: u16,
    content_type: &'static str,
    body: Vec<u8>,
    sent: usize,
    is_cut: bool,
}

impl Reply {
    fn ok(content_type: &'static str, body: Vec<u8>) -> Self {
        Self {
            status: 200,
            content_type,
            body,
            sent: 0,
            is_cut: false,
        }
    }

    fn status(status: u16) -> Self {
        Self {
            status,
            ..Self::ok("application/json", Vec::new())
        }
    }

    fn portal() -> Self {
        Self::ok("text/html", b"<html>welcome to our network</html>".to_vec())
    }
}

impl Response for Reply {
    fn status(&self) -> u16 {
        self.status
    }

    fn content_type(&self) -> &str {
        self.content_type
    }

    fn retry_after_ms(&self) -> Option<u64> {
        None
    }

    fn piece(&mut self) -> Waiting<'_, Result<Option<Vec<u8>>, Unreachable>> {
        let rest = self.body.get(self.sent..).unwrap_or_default();
        let piece = rest
            .get(..rest.len().min(1_400))
            .unwrap_or_default()
            .to_vec();
        self.sent += piece.len();
        let result = match (piece.is_empty(), self.is_cut) {
            (false, _) => Ok(Some(piece)),
            (true, true) => Err(Unreachable),
            (true, false) => Ok(None),
        };
        Box::pin(std::future::ready(result))
    }
}
