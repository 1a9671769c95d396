//! The loop that moves bytes: beside `enrol`, `reference` and `components` the only code of a replica that waits. No lock and no transaction is held while it does.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::{Either, select};
use tokio::sync::{Notify, SemaphorePermit};

use super::Replica;
use super::push::{Prepared, PushPlan};
use super::relics::Heals;
use crate::domain::limits;
use crate::domain::time::Timestamp;
use crate::error::{Error, Result};
use crate::store::feed;
use crate::sync::session::{self, Incoming, Session, SessionFault};
use crate::sync::transport::{Method, Request, Response, Transport, Unreachable};
use crate::sync::wire::{self, Form, Unread};

/// Lets another thread stop a round.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<Signal>);

/// Given once, and heard by whoever waits or asks later.
#[derive(Debug, Default)]
struct Signal {
    is_given: AtomicBool,
    waiting: Notify,
}

impl Cancel {
    /// Stops the round at once, also where it waits for a server that says nothing.
    pub fn cancel(&self) {
        self.0.is_given.store(true, Ordering::Release);
        self.0.waiting.notify_waiters();
    }

    /// Ends when it is cancelled.
    pub async fn cancelled(&self) {
        let mut waiting = pin!(self.0.waiting.notified());
        // Listens before it looks, so that a signal between the two is heard.
        waiting.as_mut().enable();
        if self.check().is_ok() {
            waiting.await;
        }
    }

    fn check(&self) -> Result<()> {
        if self.0.is_given.load(Ordering::Acquire) {
            Err(Error::Cancelled)
        } else {
            Ok(())
        }
    }
}

/// What a call of `sync` has done so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Summary {
    /// Requests made.
    pub rounds: u32,
    /// Changes that the server has taken, for good or into review.
    pub pushed: usize,
    /// Documents that have changed here.
    pub pulled: usize,
    /// Bytes of bodies sent.
    pub bytes_up: usize,
    /// Bytes of bodies received.
    pub bytes_down: usize,
    /// A server with much to do asks not to be called again sooner; once everything had been pushed, the call has ended for that.
    pub retry_after_ms: Option<u64>,
}

/// Is told how a call of `sync` goes on.
pub type Progress<'a> = &'a (dyn Fn(Summary) + Send + Sync);

/// How one round ended.
pub(super) struct RoundEnd {
    /// Another round is due: more to push, more to pull, or something to repair.
    pub(super) again: bool,
    /// The server's directory, where that or components are other than here.
    directory_tag: Option<[u8; 8]>,
    /// There is more to push, or it must be pushed otherwise.
    must_push: bool,
    /// A page could not be applied: what follows it in this response must not be either.
    is_broken: bool,
    /// The phone is revoked: nothing but fates will come.
    is_revoked: bool,
    /// How this round pushed.
    sent: Form,
    /// How the next one will.
    plan: PushPlan,
    /// How many parts of answers have been applied here when the next of this one comes.
    heard: u64,
}

/// How a call goes on.
#[derive(Default)]
struct Course {
    summary: Summary,
    /// Frames of the request under way whose fate has not come.
    unheard: usize,
    /// The size by which the next request is cut once there are none.
    frame_bytes: Option<usize>,
}

impl Replica {
    /// Catches up: pushes the outbox, pulls what is new, until both ends agree. Safe to stop anywhere and to call again.
    pub async fn sync(
        &self,
        transport: &dyn Transport,
        cancel: &Cancel,
        progress: Progress<'_>,
    ) -> Result<Summary> {
        let mut course = Course::default();
        let result = {
            let rounds = pin!(self.rounds(transport, cancel, progress, &mut course));
            match select(rounds, pin!(cancel.cancelled())).await {
                Either::Left((result, _)) => result,
                Either::Right(((), _)) => Err(Error::Cancelled),
            }
        };
        if matches!(result, Err(Error::Overtaken)) {
            // There was an answer, so all had gone up.
            course.unheard = 0;
        }
        self.keep_size(&mut course);
        match result {
            Ok(()) => Ok(course.summary),
            // Nobody's fault: the next round need not be later.
            Err(error @ (Error::Cancelled | Error::Overtaken)) => Err(error),
            Err(error) => {
                // What a phone that is full cannot note must not stand before what has happened.
                drop(self.note_failure(&error));
                Err(error)
            }
        }
    }

    /// Keeps the size that is due after a request which did not come to its end. What cannot be kept only makes the next one smaller.
    fn keep_size(&self, course: &mut Course) {
        let size = course.frame_bytes.take().filter(|_| course.unheard == 0);
        course.unheard = 0;
        drop(size.map(|size| self.put_frame_bytes(size)));
    }

    /// Waits until no other call of `enrol` or `sync` is under way.
    pub(super) async fn turn(&self) -> Result<SemaphorePermit<'_>> {
        self.turn.acquire().await.map_err(|_| Error::Cancelled)
    }

    async fn rounds(
        &self,
        transport: &dyn Transport,
        cancel: &Cancel,
        progress: Progress<'_>,
        course: &mut Course,
    ) -> Result<()> {
        let _turn = self.turn().await?;
        if self.store.read(feed::directory_tag)?.is_none() {
            self.fetch_directory(transport).await?;
        }
        let heals = self.heals()?;
        let mut plan = PushPlan {
            form: Form::Stripped,
            after: 0,
            listens: heals == Heals::First,
            relics_after: if heals == Heals::Later { i64::MAX } else { 0 },
            passes_over: false,
            carries: false,
        };
        let (mut asked_back, mut mended, mut missed) = (false, false, None);
        for _ in 0..limits::ROUNDS_MAX {
            cancel.check()?;
            let round = self.round(transport, cancel, progress, course, plan).await;
            let end = match round {
                // A server that was restored may not know this phone.
                Err(Error::SignedOut) if !asked_back && self.ask_back(transport).await? => {
                    asked_back = true;
                    self.keep_size(course);
                    continue;
                }
                Err(Error::Spoilt) if !mended => {
                    mended = true;
                    plan.passes_over = self.mend_or_pass_over()?;
                    self.keep_size(course);
                    continue;
                }
                // One's own is done: what becomes of others' must not spoil that.
                Err(Error::Offline { .. } | Error::SignedOut) if plan.carries => break,
                // A revoked phone that has no more to say itself still hands in what it carries.
                Err(Error::SignedOut) if self.has_due_pieces()? => {
                    missed = Some(Error::SignedOut);
                    (plan.after, plan.relics_after, plan.carries) = (i64::MAX, i64::MAX, true);
                    self.keep_size(course);
                    continue;
                }
                round => round?,
            };
            // It hands in what it has all the same; its person is to know that he must enrol anew.
            if end.is_revoked {
                missed = Some(Error::SignedOut);
            }
            // Of a server with much to do only what is here is still wanted: that it takes what is left to push.
            let is_busy = course.summary.retry_after_ms.is_some();
            if let Some(tag) = end.directory_tag
                && !is_busy
            {
                self.catch_up_on_reference(transport, tag, &end, &mut missed)
                    .await?;
            }
            if is_busy && !end.must_push {
                break;
            }
            plan = end.plan;
            plan.carries = !end.again && self.has_due_pieces()?;
            if !end.again && !plan.carries {
                break;
            }
        }
        missed.map_or(Ok(()), Err)
    }

    async fn round(
        &self,
        transport: &dyn Transport,
        cancel: &Cancel,
        progress: Progress<'_>,
        course: &mut Course,
        plan: PushPlan,
    ) -> Result<RoundEnd> {
        let mut next = plan;
        let prepared = self.prepare(&mut next)?;
        self.note_handed_in(&prepared.pieces)?;
        let started_ms = self.environment.monotonic_ms();
        let body = session::request_of(&prepared.hello, prepared.kind(), &prepared.frames);
        if let Some(smaller) = prepared.smaller() {
            // However this ends, also by being killed: what did not get through is not tried in the same way again.
            self.put_frame_bytes(smaller)?;
            course.unheard = prepared.frames.len();
            course.frame_bytes = Some(prepared.larger());
        }
        course.summary.rounds += 1;
        course.summary.bytes_up += body.len();
        let request = Request {
            method: Method::Post,
            server_url: prepared.enrolment.server_url.clone(),
            path: "/v1/sync".into(),
            token: Some(prepared.enrolment.token.clone()),
            content_type: wire::CONTENT_TYPE,
            body,
        };
        let mut response = transport.send(request).await.map_err(offline)?;
        if let Err(error) = accept(response.as_ref()) {
            // What took too long or was too large may be so for its size; any other answer says nothing of that.
            if !matches!(response.status(), 408 | 413) {
                course.unheard = 0;
                course.frame_bytes = course.frame_bytes.map(|_| prepared.frame_bytes);
            }
            return Err(error);
        }
        let mut session = Session::new(prepared.awaited());
        let mut end = RoundEnd {
            again: prepared.has_more,
            must_push: prepared.has_more && !prepared.mends,
            directory_tag: None,
            is_broken: false,
            is_revoked: false,
            sent: plan.form,
            plan: next,
            heard: prepared.heard,
        };
        let mut server_time = Timestamp(0);
        while let Some(piece) = response.piece().await.map_err(offline)? {
            cancel.check()?;
            course.summary.bytes_down += piece.len();
            for incoming in session.receive(&piece).map_err(misread)? {
                if let Incoming::Welcome(welcome) = &incoming {
                    server_time = welcome.server_time;
                }
                let round_trip_ms = self.environment.monotonic_ms().saturating_sub(started_ms);
                self.take_in(
                    incoming,
                    &prepared,
                    (server_time, round_trip_ms),
                    &mut end,
                    course,
                )?;
            }
            progress(course.summary);
        }
        if !session.is_done() {
            return Err(cut_off());
        }
        // A page that could not be applied has kept its end from being so.
        if end.is_broken {
            self.keep_size(course);
        }
        course.frame_bytes = None;
        Ok(end)
    }

    /// Applies one frame of a response.
    fn take_in(
        &self,
        incoming: Incoming,
        prepared: &Prepared,
        (server_time, round_trip_ms): (Timestamp, u64),
        end: &mut RoundEnd,
        course: &mut Course,
    ) -> Result<()> {
        match incoming {
            Incoming::Welcome(mut welcome) => {
                if prepared.mends {
                    // They come again.
                    welcome.notices.clear();
                }
                let news = self.apply_welcome(&mut end.heard, &welcome, round_trip_ms)?;
                if news.again {
                    (end.again, end.plan.after) = (true, 0);
                }
                if news.is_new_epoch {
                    (end.plan.listens, end.plan.relics_after) = (true, 0);
                }
                if welcome.lowest > wire::PROTOCOL
                    && prepared.frames.is_empty()
                    && !prepared.has_more
                {
                    return Err(Error::UpdateNeeded);
                }
                Ok(())
            }
            Incoming::Fates(fates) => {
                self.take_in_fates(&fates, prepared, server_time, end, course)
            }
            Incoming::Scopes(scopes) => {
                // Pages of this response know the set already; scopes that are new begin in them.
                self.apply_scopes(&mut end.heard, &scopes)
            }
            Incoming::Page(_) | Incoming::Done(_) if end.is_broken => Ok(()),
            Incoming::Page(payload) => {
                match self.apply_page(&mut end.heard, &payload, &prepared.pushed) {
                    Ok(documents) => {
                        course.summary.pulled += documents;
                        Ok(())
                    }
                    // Once: the next pages come raw. Asked for raw already, it is for a person to look at.
                    Err(Error::Disagreement(_)) if !prepared.hello.raw_pages => {
                        (end.is_broken, end.again) = (true, true);
                        Ok(())
                    }
                    // Raw ones too: a person should look; the next call lists every scope anew.
                    Err(Error::Disagreement(check)) => {
                        self.list_anew(&mut end.heard)?;
                        Err(Error::Disagreement(check))
                    }
                    Err(error) => Err(error),
                }
            }
            Incoming::Done(done) => {
                end.directory_tag = done.directory_tag;
                end.is_revoked = done.is_revoked;
                course.summary.retry_after_ms = done.retry_after_ms;
                end.again |=
                    self.apply_done(&mut end.heard, &done, server_time, prepared.grown())?
                        || done.has_more;
                Ok(())
            }
        }
    }

    fn take_in_fates(
        &self,
        fates: &wire::Fates,
        prepared: &Prepared,
        server_time: Timestamp,
        end: &mut RoundEnd,
        course: &mut Course,
    ) -> Result<()> {
        course.unheard = course.unheard.saturating_sub(1);
        let place = usize::try_from(fates.frame).unwrap_or(usize::MAX);
        if let Some(piece) = prepared.pieces.get(place) {
            let outcome = &fates.outcome;
            return self.apply_piece(&mut end.heard, *piece, outcome, server_time);
        }
        let pushed = prepared.pushed.get(place);
        let pushed = pushed.ok_or(Error::Disagreement("fates"))?;
        if let Some(relic) = prepared.relics.get(place) {
            return self.apply_relic(&mut end.heard, *relic, pushed, &fates.outcome);
        }
        match &fates.outcome {
            Ok(fates) => {
                let settled = self.apply_fates(&mut end.heard, fates, pushed)?;
                course.summary.pushed += settled.changes;
                // What was made again goes with the next round; what went back stands where the outbox begins.
                end.again |= settled.again;
                if settled.gone_back {
                    end.plan.after = 0;
                }
                Ok(())
            }
            // Several frames of one request may be so: where the first is held, the others build on what is not there.
            Err(Unread::Rebuild) if end.sent == Form::Stripped => {
                (end.plan.form, end.plan.after) = (Form::Raw, 0);
                (end.again, end.must_push) = (true, true);
                Ok(())
            }
            Err(Unread::Epoch) => Ok(()),
            Err(Unread::Newer) => Err(Error::UpdateNeeded),
            Err(Unread::Rebuild | Unread::Signature) => Err(Error::Disagreement("signature")),
            Err(Unread::Carried | Unread::Malformed) => Err(Error::Disagreement("frame")),
            // Revoked, and nothing more is taken: nor is anything more told of what is held.
            Err(Unread::TooMuch) if prepared.asks => self.note_asked(&mut end.heard, pushed),
            // Likewise: what is in the outbox stays there for a rescue bundle.
            Err(Unread::TooMuch) => Err(Error::SignedOut),
        }
    }
}

pub(super) fn offline(_: Unreachable) -> Error {
    cut_off()
}

fn cut_off() -> Error {
    Error::Offline {
        retry_after_ms: None,
    }
}

fn misread(fault: SessionFault) -> Error {
    match fault {
        SessionFault::Foreign | SessionFault::Damaged => cut_off(),
        SessionFault::Confused => Error::Disagreement("frames"),
        SessionFault::Newer => Error::UpdateNeeded,
    }
}

/// Whether a response is one of this protocol: a captive portal's is not.
fn accept(response: &dyn Response) -> Result<()> {
    match response.status() {
        200 if response.content_type() == wire::CONTENT_TYPE => Ok(()),
        401 => Err(Error::SignedOut),
        400 => Err(Error::Disagreement("request")),
        _ => Err(Error::Offline {
            retry_after_ms: response.retry_after_ms(),
        }),
    }
}

pub(super) async fn whole(response: &mut dyn Response, bytes_max: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(piece) = response.piece().await.map_err(offline)? {
        bytes.extend(piece);
        if bytes.len() > bytes_max {
            return Err(Error::Disagreement("too_large"));
        }
    }
    Ok(bytes)
}
