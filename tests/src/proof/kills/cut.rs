//! A phone's way to the server on which somebody watches its requests: whether a kill has cut one, and whether the server had already done
//! what it asked.
//!
//! It passes everything on as it is.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use patrol_core::domain::limits;
use patrol_core::sync::frame::FrameReader;
use patrol_core::sync::http::Http;
use patrol_core::sync::transport::{Request, Response, Transport, Unreachable, Waiting};
use patrol_core::sync::wire::{Fate, Fates, kind};

/// Who watches a phone's requests.
pub(super) trait Observer: Send + Sync {
    /// One is about to be sent. What it returns is said where that request fails.
    fn sent(&self) -> u32;
    /// One had no answer, or not a whole one.
    fn failed(&self, sent: u32);
    /// So many changes of one were known to the server.
    fn known(&self, count: usize);
    /// The whole answer to one has come.
    fn answered(&self);
}

/// What all phones of a run have seen.
#[derive(Debug, Default)]
pub(super) struct Cuts {
    /// Kills so far; the next one is counted just before it is done.
    kills: AtomicU32,
    /// Of which kills a request was sent before and had no whole answer after.
    cut: Mutex<BTreeSet<u32>>,
    /// Changes that were pushed again though the server had committed them: only the answer had been cut.
    unanswered: AtomicUsize,
}

impl Cuts {
    /// A kill is about to be done.
    pub(super) fn kill(&self) {
        self.kills.fetch_add(1, Ordering::SeqCst);
    }

    /// How many kills cut a request, and how many changes had been committed without an answer.
    pub(super) fn seen(&self) -> (usize, usize) {
        let cut = self.cut.lock().unwrap_or_else(PoisonError::into_inner);
        (cut.len(), self.unanswered.load(Ordering::Relaxed))
    }
}

impl Observer for Cuts {
    fn sent(&self) -> u32 {
        self.kills.load(Ordering::SeqCst)
    }

    /// One that was sent after the last kill found nobody there.
    fn failed(&self, sent: u32) {
        if self.kills.load(Ordering::SeqCst) > sent {
            let mut cut = self.cut.lock().unwrap_or_else(PoisonError::into_inner);
            cut.insert(sent);
        }
    }

    fn known(&self, count: usize) {
        self.unanswered.fetch_add(count, Ordering::Relaxed);
    }

    fn answered(&self) {}
}

/// The transport of one phone.
pub(super) struct Line {
    http: Http,
    observer: Arc<dyn Observer>,
}

impl Line {
    /// None: there is no client to be had.
    pub(super) fn new(observer: Arc<dyn Observer>) -> Option<Self> {
        let http = Http::new().ok()?;
        Some(Self { http, observer })
    }
}

impl Transport for Line {
    fn send(&self, request: Request) -> Waiting<'_, Result<Box<dyn Response>, Unreachable>> {
        Box::pin(async move {
            let sent = self.observer.sent();
            match self.http.send(request).await {
                Ok(inner) => {
                    let answer: Box<dyn Response> = Box::new(Answer {
                        inner,
                        reader: FrameReader::new(limits::RESPONSE_BYTES_MAX),
                        observer: Arc::clone(&self.observer),
                        sent,
                    });
                    Ok(answer)
                }
                Err(unreachable) => {
                    self.observer.failed(sent);
                    Err(unreachable)
                }
            }
        })
    }
}

struct Answer {
    inner: Box<dyn Response>,
    reader: FrameReader,
    observer: Arc<dyn Observer>,
    sent: u32,
}

impl Answer {
    /// Counts fates of what had been there.
    fn count(&mut self, bytes: &[u8]) {
        // What is no round's answer is found out by the phone.
        _ = self.reader.push(bytes);
        while let Ok(Some(frame)) = self.reader.next_frame() {
            if frame.kind != kind::FATES {
                continue;
            }
            let fates = Fates::decode(&frame.payload, limits::PUSH_FRAME_CHANGES_MAX);
            if let Ok(Ok(fates)) = fates.map(|fates| fates.outcome) {
                let again = fates.iter().filter(|fate| **fate == Fate::Dup).count();
                self.observer.known(again);
            }
        }
    }
}

impl Response for Answer {
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
            let piece = self.inner.piece().await;
            match &piece {
                Ok(Some(bytes)) => self.count(bytes),
                Ok(None) => self.observer.answered(),
                Err(Unreachable) => self.observer.failed(self.sent),
            }
            piece
        })
    }
}
