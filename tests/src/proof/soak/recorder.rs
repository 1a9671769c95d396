//! A phone's way to the server that writes down what went over it: which push frames, which pages, and whether each request moved something.
//!
//! It passes everything on as it is.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use patrol_core::cbor::Reader;
use patrol_core::domain::limits;
use patrol_core::replica::Replica;
use patrol_core::store::{changes, feed};
use patrol_core::sync::frame::FrameReader;
use patrol_core::sync::http::Http;
use patrol_core::sync::transport::{Request, Response, Transport, Unreachable, Waiting};
use patrol_core::sync::wire::{Cursors, Fate, Fates, PushHead, kind};

/// Bytes of an answer in which a whole frame must have come: a page of twice the size that the server aims at.
const FRAME_BYTES_LONG: usize = 2 * limits::PAGE_FRAME_BYTES;

/// What is known of one phone's requests.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// Requests of rounds, and those whose answer came to its end.
    pub(super) requests: usize,
    pub(super) whole: usize,
    /// Requests that brought a whole frame that says something: fates, or a page.
    pub(super) fruitful: usize,
    /// The longest row of requests that brought none.
    pub(super) barren_row: usize,
    /// Bytes of bodies.
    pub(super) bytes_up: usize,
    pub(super) bytes_down: usize,
    /// Changes in pages that arrived whole.
    pub(super) told: usize,
    /// What was pushed again after the server had it: the answer had not arrived.
    pub(super) dups: usize,
    /// What must never be.
    pub(super) faults: Vec<String>,
    barren: usize,
    /// The highest `n` whose fate has arrived.
    settled: u64,
    now: Option<Exchange>,
}

/// A request under way.
#[derive(Clone, Debug)]
struct Exchange {
    before: Standing,
    /// The ranges of its push frames.
    pushed: Vec<(u64, u64)>,
    fates: usize,
    pages: usize,
    is_done: bool,
    bytes_down: usize,
}

/// How far a phone has come.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Standing {
    cursors: Cursors,
    /// Where the outbox begins: what is recorded from now on comes behind it.
    first: Option<i64>,
}

/// The phone's transport.
pub(super) struct Recorder {
    http: Http,
    replica: Arc<Replica>,
    seen: Arc<Mutex<Seen>>,
}

impl Recorder {
    pub(super) fn new(replica: Arc<Replica>) -> Result<Self, Unreachable> {
        Ok(Self {
            http: Http::new()?,
            replica,
            seen: Arc::default(),
        })
    }

    /// Leaves open connections behind, as who goes to another network does.
    pub(super) fn move_on(&mut self) -> Result<(), Unreachable> {
        self.http = Http::new()?;
        Ok(())
    }

    /// What was seen, the last request counted.
    pub(super) fn seen(&self) -> Seen {
        let standing = self.standing();
        let mut seen = lock(&self.seen);
        seen.end(&standing);
        seen.clone()
    }

    fn standing(&self) -> Standing {
        let read = self.replica.store().read(|connection| {
            Ok(Standing {
                cursors: feed::cursors(connection)?,
                first: changes::outbox(connection, 0, 1)?
                    .first()
                    .map(|change| change.place),
            })
        });
        read.expect("a look")
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Seen {
    /// The request under way has ended, and the phone stands so now.
    fn end(&mut self, after: &Standing) {
        let Some(exchange) = self.now.take() else {
            return;
        };
        self.whole += usize::from(exchange.is_done);
        if exchange.fates + exchange.pages + usize::from(exchange.is_done) > 0 {
            self.fruitful += 1;
            self.barren = 0;
        } else {
            self.barren += 1;
            self.barren_row = self.barren_row.max(self.barren);
        }
        let has_moved = exchange.before != *after;
        if exchange.fates + exchange.pages > 0 && !has_moved {
            self.faults
                .push(format!("whole frames moved nothing: {exchange:?}"));
        }
        // Longer than one frame: whatever was cut, at least one was whole.
        if exchange.bytes_down > FRAME_BYTES_LONG && exchange.pages + exchange.fates == 0 {
            self.faults
                .push(format!("no frame in so many bytes: {exchange:?}"));
        }
    }

    fn begin(&mut self, before: Standing, body: &[u8]) {
        let mut reader = FrameReader::new(limits::REQUEST_BYTES_MAX);
        reader.push(body).expect("a phone's request");
        let mut pushed = Vec::new();
        while let Some(frame) = reader.next_frame().expect("a phone's request") {
            if frame.kind == kind::PUSH {
                let (head, ..) = PushHead::decode(&frame.payload).expect("a push frame");
                pushed.push(head.n);
                if head.n.0 <= self.settled {
                    let (n, settled) = (head.n, self.settled);
                    let fault = format!("{n:?} pushed after the fates up to {settled} had come");
                    self.faults.push(fault);
                }
            }
        }
        self.requests += 1;
        self.bytes_up += body.len();
        self.now = Some(Exchange {
            before,
            pushed,
            fates: 0,
            pages: 0,
            is_done: false,
            bytes_down: 0,
        });
    }

    fn take_in(&mut self, kind: u8, payload: &[u8]) {
        let Some(exchange) = &mut self.now else {
            return;
        };
        match kind {
            kind::FATES => {
                let fates = Fates::decode(payload, limits::PUSH_FRAME_CHANGES_MAX).expect("fates");
                let range = usize::try_from(fates.frame).ok();
                let range = range.and_then(|place| exchange.pushed.get(place));
                let (Ok(fates), Some(range)) = (&fates.outcome, range) else {
                    self.faults.push(format!("a frame was not read: {fates:?}"));
                    return;
                };
                exchange.fates += 1;
                self.dups += fates.iter().filter(|fate| **fate == Fate::Dup).count();
                if fates
                    .iter()
                    .all(|fate| matches!(fate, Fate::Ok | Fate::Dup))
                {
                    self.settled = self.settled.max(range.1);
                } else {
                    self.faults.push(format!("an honest change got {fates:?}"));
                }
            }
            kind::PAGE => {
                exchange.pages += 1;
                self.told += items_of(payload).expect("a page");
            }
            kind::DONE => exchange.is_done = true,
            _ => {}
        }
    }
}

/// How many changes a page holds.
fn items_of(page: &[u8]) -> patrol_core::cbor::Result<usize> {
    let mut reader = Reader::new(page);
    reader.array()?;
    reader.uint()?;
    reader.array()
}

impl Transport for Recorder {
    fn send(&self, request: Request) -> Waiting<'_, Result<Box<dyn Response>, Unreachable>> {
        let is_round = request.path == "/v1/sync";
        if is_round {
            let standing = self.standing();
            let mut seen = lock(&self.seen);
            seen.end(&standing);
            seen.begin(standing, &request.body);
        }
        Box::pin(async move {
            let inner = self.http.send(request).await?;
            if !is_round {
                return Ok(inner);
            }
            let reader = FrameReader::new(limits::RESPONSE_BYTES_MAX);
            let seen = Arc::clone(&self.seen);
            let recorded: Box<dyn Response> = Box::new(Recorded {
                inner,
                reader,
                seen,
            });
            Ok(recorded)
        })
    }
}

struct Recorded {
    inner: Box<dyn Response>,
    reader: FrameReader,
    seen: Arc<Mutex<Seen>>,
}

impl Response for Recorded {
    fn status(&self) -> u16 {
        self.inner.status()
    }

    fn content_type(&self) -> &str {
        self.inner.content_type()
    }

    fn retry_after_ms(&self) -> Option<u64> {
        self.inner.retry_after_ms()
    }

    fn piece(&mut self) -> Waiting<'_, Result<Option<Vec<u8>>, Unreachable>> {
        Box::pin(async {
            let piece = self.inner.piece().await?;
            let mut seen = lock(&self.seen);
            if let Some(bytes) = &piece {
                seen.bytes_down += bytes.len();
                if let Some(exchange) = &mut seen.now {
                    exchange.bytes_down += bytes.len();
                }
                // What is no round's answer is found out by the phone.
                _ = self.reader.push(bytes);
                while let Ok(Some(frame)) = self.reader.next_frame() {
                    seen.take_in(frame.kind, &frame.payload);
                }
            }
            Ok(piece)
        })
    }
}
