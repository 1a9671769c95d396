//! A phone's way to the server that knows whether a kill has cut a request, and whether the server had already done what it asked.
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

    /// A request that was sent after so many kills has failed. One that was sent after the last kill found nobody there.
    fn failed(&self, sent: u32) {
        if self.kills.load(Ordering::SeqCst) > sent {
            let mut cut = self.cut.lock().unwrap_or_else(PoisonError::into_inner);
            cut.insert(sent);
        }
    }
}

/// The transport of one phone.
pub(super) struct Line {
    pub(super) http: Http,
    pub(super) cuts: Arc<Cuts>,
}

impl Transport for Line {
    fn send(&self, request: Request) -> Waiting<'_, Result<Box<dyn Response>, Unreachable>> {
        Box::pin(async move {
            let sent = self.cuts.kills.load(Ordering::SeqCst);
            match self.http.send(request).await {
                Ok(inner) => {
                    let answer: Box<dyn Response> = Box::new(Answer {
                        inner,
                        reader: FrameReader::new(limits::RESPONSE_BYTES_MAX),
                        cuts: Arc::clone(&self.cuts),
                        sent,
                    });
                    Ok(answer)
                }
                Err(unreachable) => {
                    self.cuts.failed(sent);
                    Err(unreachable)
                }
            }
        })
    }
}

struct Answer {
    inner: Box<dyn Response>,
    reader: FrameReader,
    cuts: Arc<Cuts>,
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
                self.cuts.unanswered.fetch_add(again, Ordering::Relaxed);
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
                Ok(None) => {}
                Err(Unreachable) => self.cuts.failed(self.sent),
            }
            piece
        })
    }
}
