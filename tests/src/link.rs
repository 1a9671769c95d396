//! A network in memory between a replica and a server's rounds: seeded, and as bad as a test wants.
//!
//! It speaks the same bytes as HTTP carries, through the same `Round`; only sockets and headers are missing. What it
//! counts is what bodies hold.

mod brought;
mod reply;
mod tamper;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use patrol_core::domain::id::{ChangeHash, DeviceId, DocumentId, PersonId};
use patrol_core::domain::limits;
use patrol_core::domain::place::VillageCode;
use patrol_core::sync::components as codec;
use patrol_core::sync::frame::{FrameReader, FrameWriter, Volume};
use patrol_core::sync::rescue::Card;
use patrol_core::sync::transport::{Method, Request, Response, Transport, Unreachable, Waiting};
use patrol_core::sync::wire::{CONTENT_TYPE, kind};
use patrol_server::app::App;
use patrol_server::auth;
use patrol_server::components;
use patrol_server::devices;
use patrol_server::round::{Round, RoundFault};
use patrol_server::store::Device;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::simulation::Mutation;
pub use reply::Reply;

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
    /// The request is held up until after a later one has been worked on; nobody waits for its response any more.
    Delayed,
    /// The request is worked on and answered, and arrives once more after a later one.
    Repeated,
}

/// Names of mishaps in a report, in their order.
const NAMES: [&str; 9] = [
    "link fair",
    "link unreachable",
    "link request cut",
    "link response lost",
    "link response cut",
    "link duplicated",
    "link portal",
    "link delayed behind a later request",
    "link repeated behind a later request",
];

/// How bad a network is.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// Of a hundred exchanges, how many suffer a mishap.
    pub mishaps_percent: u32,
}

/// Nothing ever happens.
pub const FAIR: Weather = Weather { mishaps_percent: 0 };

/// What happens while an exchange is under way.
pub type Meanwhile = Box<dyn FnOnce() + Send>;

/// Frames of a response: type and payload.
type Frames = Vec<(u8, Vec<u8>)>;

/// When something happens during an exchange.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Moment {
    /// The request has left and not arrived.
    Leaving,
    /// The server has made the first page of its answer.
    Paged,
    /// The server has answered, and nothing of it has come.
    Answered,
    /// Half of the answer has come.
    Halfway,
}

/// One phone's way to a server.
pub struct Link {
    app: Mutex<Arc<App>>,
    weather: Mutex<Weather>,
    rng: Mutex<ChaCha8Rng>,
    next: Mutex<VecDeque<Mishap>>,
    /// Requests that are still on their way.
    late: Mutex<Vec<Request>>,
    mutation: Mutex<Mutation>,
    fates: Mutex<BTreeMap<&'static str, usize>>,
    /// Changes that came to a server in relics and pieces.
    brought: Mutex<BTreeSet<ChangeHash>>,
    page_bytes: AtomicUsize,
    /// After how many frames more a response is cut.
    cut_after: Mutex<Option<usize>>,
    /// Pages to come that arrive with another checksum.
    spoilt_pages: AtomicUsize,
    /// What happens during the next exchange, and when.
    meanwhile: Mutex<Option<(Moment, Meanwhile)>>,
    /// Payloads of the frames that came down, where somebody listens.
    heard: Mutex<Option<Vec<Vec<u8>>>>,
    /// Mishaps so far, by kind.
    pub mishaps: [AtomicUsize; NAMES.len()],
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
            next: Mutex::default(),
            late: Mutex::default(),
            mutation: Mutex::new(Mutation::None),
            fates: Mutex::new(BTreeMap::new()),
            brought: Mutex::default(),
            page_bytes: AtomicUsize::new(limits::PAGE_FRAME_BYTES),
            cut_after: Mutex::new(None),
            spoilt_pages: AtomicUsize::new(0),
            meanwhile: Mutex::new(None),
            heard: Mutex::new(None),
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

    /// The server to which it leads.
    pub fn app(&self) -> Arc<App> {
        Arc::clone(&locked(&self.app))
    }

    /// The next exchange that nothing was said of suffers this.
    pub fn expect(&self, mishap: Mishap) {
        locked(&self.next).push_back(mishap);
    }

    /// Breaks the protocol on this link from now on, to see whether somebody notices.
    pub fn mutate(&self, mutation: Mutation) {
        *locked(&self.mutation) = mutation;
    }

    /// The server fills pages of this size from now on.
    pub fn set_page_bytes(&self, bytes: usize) {
        self.page_bytes.store(bytes, Ordering::Relaxed);
    }

    /// The responses of rounds are cut once so many frames more have come down.
    pub fn cut_after(&self, frames: usize) {
        *locked(&self.cut_after) = Some(frames);
    }

    /// So many of the pages to come arrive with another checksum.
    pub fn spoil_pages(&self, pages: usize) {
        self.spoilt_pages.store(pages, Ordering::Relaxed);
    }

    /// Something happens during the next exchange. None: nothing does. Returns what had been left to happen.
    pub fn meanwhile(&self, what: Option<(Moment, Meanwhile)>) -> Option<(Moment, Meanwhile)> {
        std::mem::replace(&mut *locked(&self.meanwhile), what)
    }

    /// What is to happen now, if that is its moment.
    fn due(&self, now: Moment) -> Option<Meanwhile> {
        let due = locked(&self.meanwhile).take_if(|(moment, _)| *moment == now);
        due.map(|(_, what)| what)
    }

    fn happen(&self, now: Moment) {
        let due = self.due(now);
        due.into_iter().for_each(|what| what());
    }

    /// Keeps the payloads of all frames that come down from now on. Returns what was kept so far.
    pub fn listen(&self) -> Vec<Vec<u8>> {
        locked(&self.heard).replace(Vec::new()).unwrap_or_default()
    }

    /// Mishaps so far, by name.
    pub fn mishap_counts(&self) -> Vec<(&'static str, usize)> {
        let counts = self.mishaps.iter();
        NAMES
            .into_iter()
            .zip(counts.map(|count| count.load(Ordering::Relaxed)))
            .collect()
    }

    /// Fates told so far, by name, since the last call.
    pub fn take_fates(&self) -> BTreeMap<&'static str, usize> {
        std::mem::take(&mut locked(&self.fates))
    }

    /// Changes that came to a server in relics and pieces since the last call.
    pub fn take_brought(&self) -> BTreeSet<ChangeHash> {
        std::mem::take(&mut locked(&self.brought))
    }

    fn draw(&self) -> Mishap {
        if let Some(mishap) = locked(&self.next).pop_front() {
            return mishap;
        }
        let percent = locked(&self.weather).mishaps_percent;
        let mut rng = locked(&self.rng);
        if rng.random_range(0..100) >= percent {
            return Mishap::None;
        }
        match rng.random_range(0..16) {
            0..2 => Mishap::Unreachable,
            2..5 => Mishap::RequestCut,
            5..7 => Mishap::ResponseLost,
            7..10 => Mishap::ResponseCut,
            10 => Mishap::Duplicated,
            11 => Mishap::Portal,
            12..14 => Mishap::Delayed,
            _ => Mishap::Repeated,
        }
    }

    /// A place within so many bytes.
    fn cut(&self, len: usize) -> usize {
        if len == 0 {
            0
        } else {
            locked(&self.rng).random_range(0..len)
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
        let late = std::mem::take(&mut *locked(&self.late));
        self.happen(Moment::Leaving);
        let mut reply = self.suffer(mishap, request);
        self.happen(Moment::Answered);
        if let Ok(reply) = &mut reply {
            reply.halfway = self.due(Moment::Halfway);
        }
        drop(self.meanwhile(None));
        // What was held up arrives now, behind this one.
        for old in &late {
            drop(self.serve(old, &old.body));
        }
        if let Ok(reply) = &reply {
            self.bytes_down
                .fetch_add(reply.body.len() as u64, Ordering::Relaxed);
        }
        reply
    }

    fn suffer(&self, mishap: Mishap, request: &Request) -> Result<Reply, Unreachable> {
        match mishap {
            Mishap::Unreachable => return Err(Unreachable),
            Mishap::Portal => return Ok(Reply::portal()),
            Mishap::Delayed => {
                locked(&self.late).push(request.clone());
                return Err(Unreachable);
            }
            Mishap::Repeated => locked(&self.late).push(request.clone()),
            Mishap::RequestCut => {
                let part = request.body.get(..self.cut(request.body.len()));
                drop(self.serve(request, part.unwrap_or_default()));
                return Err(Unreachable);
            }
            Mishap::Duplicated => drop(self.serve(request, &request.body)),
            Mishap::None | Mishap::ResponseLost | Mishap::ResponseCut => {}
        }
        let mut reply = self.serve(request, &request.body);
        match mishap {
            Mishap::ResponseLost => return Err(Unreachable),
            Mishap::ResponseCut => {
                reply.body.truncate(self.cut(reply.body.len()));
                reply.is_cut = true;
            }
            _ => {}
        }
        Ok(reply)
    }

    /// What the server answers to a request of which this much of the body has arrived.
    fn serve(&self, request: &Request, body: &[u8]) -> Reply {
        let app = Arc::clone(&locked(&self.app));
        match (request.method, request.path.as_ref()) {
            (Method::Post, "/v1/sync") => {
                let page_bytes = self.page_bytes.load(Ordering::Relaxed);
                let paged = || self.happen(Moment::Paged);
                let served = serve_round(&app, request, body, page_bytes, paged);
                self.note_brought(&app, body, served.as_deref().map_err(|status| *status));
                match served {
                    Ok(frames) => self.handed_down(self.pass_on(frames)),
                    Err(status) => Reply::status(status),
                }
            }
            (Method::Post, "/v1/devices/return") => match taken_back(&app, body) {
                Some(true) => Reply::ok("application/json", b"null".to_vec()),
                _ => Reply::status(403),
            },
            (Method::Get, "/v1/directory") => match device_of(&app, request) {
                Ok(device) if device.revoked_at.is_none() => {
                    Reply::ok("application/cbor", app.known().bytes.clone())
                }
                Ok(_) => Reply::status(401),
                Err(status) => Reply::status(status),
            },
            (Method::Get, path) => match path.strip_prefix("/v1/components") {
                Some(village) => components_for(&app, request, village),
                None => Reply::status(404),
            },
            _ => Reply::status(404),
        }
    }
}

/// What a phone is told of components: of a village of its own, or which villages have any.
fn components_for(app: &App, request: &Request, village: &str) -> Reply {
    let device = match device_of(app, request) {
        Ok(device) if device.revoked_at.is_none() => device,
        Ok(_) => return Reply::status(401),
        Err(status) => return Reply::status(status),
    };
    let village = village.strip_prefix('/').and_then(VillageCode::parse);
    let found = match village {
        Some(village) => components::packed_for(app, device.person, village),
        None => {
            components::tags_for(app, device.person).map(|tags| Some(codec::encode_tags(&tags)))
        }
    };
    match found {
        Ok(Some(bytes)) => Reply::ok(codec::CONTENT_TYPE, bytes),
        Ok(None) => Reply::status(404),
        Err(_) => Reply::status(503),
    }
}

impl Link {
    /// Where a response of so many frames is cut, if it is.
    fn cut_within(&self, frames: usize) -> Option<usize> {
        let mut left = locked(&self.cut_after);
        let cut = left.take_if(|cut| *cut < frames);
        *left = left.map(|left| left - frames);
        cut
    }

    /// The response that these frames make, heard and cut where that was asked for.
    fn handed_down(&self, mut frames: Frames) -> Reply {
        let cut = self.cut_within(frames.len());
        frames.truncate(cut.unwrap_or(frames.len()));
        if let Some(heard) = locked(&self.heard).as_mut() {
            heard.extend(frames.iter().map(|(_, payload)| payload.clone()));
        }
        let mut reply = Reply::ok(CONTENT_TYPE, written(&frames));
        reply.is_cut = cut.is_some();
        reply
    }
}

/// Whether a phone that says so is taken back; none where it does not say it as it should.
fn taken_back(app: &App, body: &[u8]) -> Option<bool> {
    let said: serde_json::Value = serde_json::from_slice(body).ok()?;
    let word = |name: &str| said.get(name)?.as_str();
    let card = Card {
        device: DeviceId::from_hex(word("device")?)?,
        person: PersonId::from_hex(word("person")?)?,
        public_key: ChangeHash::from_hex(word("public_key")?)?.0,
        certificate: DocumentId::from_hex(word("certificate")?)?.0,
        token_hash: auth::hash_of(word("token")?),
    };
    devices::take_back(app, &card).ok()
}

/// Whose request it is, or the status that says why nobody knows.
fn device_of(app: &App, request: &Request) -> Result<Device, u16> {
    let token = request.token.as_deref().ok_or(401u16)?;
    let found = app.store.device_of_token(auth::hash_of(token));
    found.map_err(|_| 503u16)?.ok_or(401)
}

fn serve_round(
    app: &Arc<App>,
    request: &Request,
    body: &[u8],
    page_bytes: usize,
    paged: impl Fn(),
) -> Result<Frames, u16> {
    let device = device_of(app, request)?;
    let mut round = Round::new(Arc::clone(app), device).with_pages_of(page_bytes);
    let mut reader = FrameReader::new(limits::REQUEST_BYTES_MAX);
    reader.push(body).map_err(|_| 400u16)?;
    let mut count = 0;
    while let Some(frame) = reader.next_frame().map_err(|_| 400u16)? {
        count += 1;
        if count > limits::REQUEST_FRAMES_MAX {
            return Err(413);
        }
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
        if frame.0 == kind::PAGE {
            paged();
        }
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

impl Transport for Link {
    fn send(&self, request: Request) -> Waiting<'_, Result<Box<dyn Response>, Unreachable>> {
        let reply = self
            .exchange(&request)
            .map(|reply| -> Box<dyn Response> { Box::new(reply) });
        Box::pin(std::future::ready(reply))
    }
}
