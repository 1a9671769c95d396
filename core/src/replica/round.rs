//! What each frame of a response but the pages does here. Each is one short transaction.
//!
//! It waits for nothing; `sync` moves the bytes, `push` prepares the request, `page` takes in pages.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Transaction;

use super::push::Pushed;
use super::remake::{self, Blow};
use super::{Replica, load, mend, relics, resend};
use crate::domain::id::{Actor, ChangeHash, DocumentId};
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::error::{Error, Result};
use crate::store::boxes::{self, BoxState};
use crate::store::changes::{self, ChangeState};
use crate::store::enrolment::{self, Anchor, Enrolment};
use crate::store::{documents, feed, frames, pieces};
use crate::sync::wire::{self, Done, Fate, Notice, Scopes, Welcome};

impl Replica {
    /// Applies a part of a response in one transaction, where nothing of another has been applied since it was asked for: two programs may
    /// sync on one file, and the answers of two rounds must not mix.
    pub(super) fn hear<T>(
        &self,
        heard: &mut u64,
        work: impl FnOnce(&Transaction<'_>) -> Result<T>,
    ) -> Result<T> {
        let value = self.store.write(|transaction| {
            enrolment::hear(transaction, *heard)?;
            work(transaction)
        })?;
        *heard += 1;
        Ok(value)
    }

    /// Applies the beginning of a response. Returns what follows for the next round.
    pub(super) fn apply_welcome(
        &self,
        heard: &mut u64,
        welcome: &Welcome,
        round_trip_ms: u64,
    ) -> Result<News> {
        let (boot, monotonic_ms) = (self.environment.boot(), self.environment.monotonic_ms());
        let suffixes = |_: DocumentId| self.random();
        let now = self.environment.now();
        let news = self.store.write(|transaction| {
            let mut again = false;
            let enrolment = enrolment::enrolled(transaction)?;
            let mut state = enrolment::round_state(transaction)?;
            let is_new_epoch = welcome.epoch != enrolment.epoch;
            let notice = welcome.notices.iter().map(|(number, _)| *number).max();
            let counts = is_new_epoch || notice > Some(state.notice_last);
            // One that brings nothing overtakes nobody: else two programs could do nothing but that to each other.
            if counts {
                enrolment::hear(transaction, *heard)?;
            } else if enrolment::heard(transaction)? != *heard {
                return Err(Error::Overtaken);
            }
            state.anchor = Some(Anchor {
                server: welcome.server_time,
                monotonic_ms,
                boot,
                error_ms: round_trip_ms / 2,
            });
            if is_new_epoch {
                begin_epoch(transaction, &enrolment, welcome.epoch, self.random())?;
                state.scopes_tag = [0; 4];
                state.relics_due = true;
                frames::try_anew(transaction)?;
                pieces::begin_epoch(transaction)?;
                again = true;
            }
            for (number, notice) in welcome
                .notices
                .iter()
                .filter(|(number, _)| *number > state.notice_last)
            {
                if let Notice::Resend(ranges) = notice {
                    again |= resend::numbered(transaction, ranges)?;
                }
                again |= apply_notice(transaction, notice, &suffixes, now)?;
                feed::put_notice(transaction, *number, notice)?;
            }
            state.notice_last = notice.unwrap_or(0).max(state.notice_last);
            enrolment::put_round_state(transaction, &state)?;
            Ok(News {
                again,
                is_new_epoch,
                counts,
            })
        })?;
        *heard += u64::from(news.counts);
        Ok(news)
    }

    /// Applies the fates of a push frame.
    pub(super) fn apply_fates(
        &self,
        heard: &mut u64,
        fates: &[Fate],
        pushed: &Pushed,
    ) -> Result<Settled> {
        let now = self.environment.now();
        let mut settled = Settled::default();
        let touched: BTreeSet<DocumentId> = pushed.iter().map(|(document, _)| *document).collect();
        let suffixes: BTreeMap<DocumentId, [u8; 8]> = touched
            .iter()
            .map(|document| (*document, self.random()))
            .collect();
        self.hear(heard, |transaction| {
            settled = Settled::default();
            for (document, suffix) in &suffixes {
                let own = pushed
                    .iter()
                    .zip(fates)
                    .filter(|((of, _), _)| of == document)
                    .map(|((_, hash), fate)| (*hash, fate));
                settled.add(apply_document_fates(
                    transaction,
                    *document,
                    own,
                    *suffix,
                    now,
                )?);
            }
            Ok(())
        })?;
        self.notify(&touched.into_iter().collect::<Vec<_>>());
        Ok(settled)
    }

    /// Notes that what is held was asked about in vain, so that it is not at once again.
    pub(super) fn note_asked(&self, heard: &mut u64, pushed: &Pushed) -> Result<()> {
        let now = self.environment.now();
        self.hear(heard, |transaction| {
            let mut hashes = pushed.iter().map(|(_, hash)| hash);
            hashes.try_for_each(|hash| boxes::asked(transaction, *hash, now))
        })
    }

    /// Applies the device's set of scopes.
    pub(super) fn apply_scopes(&self, heard: &mut u64, scopes: &Scopes) -> Result<()> {
        self.hear(heard, |transaction| {
            feed::set_scopes(transaction, &scopes.scopes)?;
            let mut state = enrolment::round_state(transaction)?;
            state.scopes_tag = scopes.tag;
            enrolment::put_round_state(transaction, &state)
        })
    }

    /// Applies the end of a response. Returns whether a digest differed, so that another round will repair it.
    pub(super) fn apply_done(
        &self,
        heard: &mut u64,
        done: &Done,
        server_time: Timestamp,
        frame_bytes: Option<usize>,
    ) -> Result<bool> {
        self.hear(heard, |transaction| {
            // A round without pages has no digests; a phone that is in no scope any more has none either.
            let mut state = enrolment::round_state(transaction)?;
            state.frame_bytes = frame_bytes.unwrap_or(state.frame_bytes);
            if done.has_more {
                // The server has ended early: nothing is whole yet.
                state.failures = 0;
                enrolment::put_round_state(transaction, &state)?;
                return Ok(false);
            }
            let (mut differing, mut is_due) = (Vec::new(), false);
            let (mut is_whole, mut stays_off) = (true, false);
            for scope in feed::scopes(transaction)? {
                let Some((_, digest)) = done
                    .digests
                    .iter()
                    .find(|(number, _)| *number == scope.number)
                else {
                    is_whole = false;
                    continue;
                };
                if *digest == scope.digest {
                    if scope.mismatches > 0 {
                        feed::set_mismatches(transaction, scope.number, 0)?;
                    }
                    continue;
                }
                feed::set_mismatches(transaction, scope.number, scope.mismatches + 1)?;
                // One listing is to mend it. What that did not mend is for a person to look at, and is tried again ever more seldom:
                // a server that has been mended must not wait for a phone to be made anew.
                stays_off |= scope.mismatches > 0;
                let met = scope.mismatches.saturating_add(1);
                is_due |= met == 1 || (met >= 8 && met.is_power_of_two());
                differing.push(scope.number);
            }
            // All that differ together: of a document in two of them, the server takes it that who was told by one has it.
            differing.retain(|_| is_due);
            for number in &differing {
                feed::relist(transaction, *number)?;
            }
            let differs = !differing.is_empty();
            // Where the sums differ, membership cannot be trusted to say what may go.
            if !differs && !stays_off && (is_whole || done.is_revoked) {
                let was_due = state.relics_due;
                state.relics_due = was_due && relics::are_due(transaction, self.environment.now())?;
                // A revoked phone hears of no scopes in a new epoch, and where its server is too old to say so it is known by that.
                let hears = state.scopes_tag != [0; 4] && !done.is_revoked;
                // While the server may lack what is here, nothing goes; nor from who hears of nothing any more.
                if !state.relics_due && hears {
                    remake::forget_what_stands(transaction)?;
                    documents::evict(transaction)?;
                    documents::drop_doubted(transaction)?;
                    // By the server's clock: what this phone's says may be a year off.
                    pieces::forget_old(transaction, server_time)?;
                    if was_due {
                        relics::forget_told(transaction)?;
                    }
                }
            }
            state.is_mending = false;
            state.synced_at = Some(server_time);
            state.failures = 0;
            state.raw_pages = false;
            state.last_error = stays_off.then(|| wire::DIGEST.to_owned());
            enrolment::put_round_state(transaction, &state)?;
            Ok(differs)
        })
    }

    /// Sets every cursor back to the beginning of a listing; data stays.
    pub(super) fn list_anew(&self, heard: &mut u64) -> Result<()> {
        self.hear(heard, |transaction| {
            for scope in feed::scopes(transaction)? {
                feed::relist(transaction, scope.number)?;
            }
            Ok(())
        })
    }

    /// Keeps the size by which the next request is cut. A phone that can keep nothing hands its work in all the same.
    pub(super) fn put_frame_bytes(&self, frame_bytes: usize) -> Result<()> {
        let put = self.store.write(|transaction| {
            let mut state = enrolment::round_state(transaction)?;
            state.frame_bytes = frame_bytes;
            enrolment::put_round_state(transaction, &state)
        });
        match put {
            Err(Error::Full | Error::Unwritable) => Ok(()),
            put => put,
        }
    }

    /// Notes that a round failed.
    pub(super) fn note_failure(&self, error: &Error) -> Result<()> {
        let code = error.to_string();
        self.store.write(|transaction| {
            let mut state = enrolment::round_state(transaction)?;
            state.failures = state.failures.saturating_add(1);
            state.last_error = Some(code);
            enrolment::put_round_state(transaction, &state)
        })
    }
}

/// What a welcome has brought.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct News {
    /// Something has gone back into the outbox.
    pub(super) again: bool,
    /// The server has jumped back.
    pub(super) is_new_epoch: bool,
    /// It has moved on what is here.
    counts: bool,
}

/// What the fates of a push frame did to the outbox.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Settled {
    /// How many changes have left it for good.
    pub(super) changes: usize,
    /// Something has come into it: made again, or gone back.
    pub(super) again: bool,
    /// Something that had left it went back.
    pub(super) gone_back: bool,
}

impl Settled {
    fn add(&mut self, other: Self) {
        self.changes += other.changes;
        self.again |= other.again;
        self.gone_back |= other.gone_back;
    }
}

/// The fates of one document's changes.
fn apply_document_fates<'f>(
    transaction: &Transaction<'_>,
    document: DocumentId,
    fates: impl Iterator<Item = (ChangeHash, &'f Fate)>,
    suffix: [u8; 8],
    now: Timestamp,
) -> Result<Settled> {
    if documents::state(transaction, document)?.is_none() {
        return Ok(Settled::default());
    }
    let (mut refused, mut forked, mut held) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
    let (mut settled, mut missing, mut told) = (0, BTreeSet::new(), BTreeSet::new());
    for (hash, fate) in fates {
        told.insert(hash);
        // It was asked after where it lies in the box.
        boxes::asked(transaction, hash, now)?;
        match fate {
            Fate::Ok | Fate::Dup => {
                remake::acknowledge(transaction, document, hash, now)?;
                boxes::release(transaction, hash)?;
                settled += 1;
            }
            Fate::Review if boxes::is_held(transaction, hash)? => {}
            Fate::Review => drop(held.insert(hash)),
            Fate::Refused(Refusal::Forked) => drop(forked.insert(hash)),
            Fate::Refused(refusal) => drop(refused.insert(hash, *refusal)),
            Fate::Missing(hashes) => missing.extend(hashes.iter().copied()),
            Fate::Later(_) => {}
        }
    }
    let boxed = refused.len() + forked.len() + held.len();
    settled += boxed;
    // What becomes of these has just been said.
    missing.retain(|hash| !told.contains(hash));
    let gone_back = !missing.is_empty() && resend::depended_on(transaction, document, &missing)?;
    let lost = mend::lose(transaction, document, &missing)?;
    let gone_back = gone_back || !lost.is_empty();
    if !lost.is_empty() {
        let suffix = remake::next_suffix(remake::next_suffix(remake::next_suffix(suffix)));
        remake::take_up(transaction, document, &Blow::Lost(lost), suffix, now)?;
    }
    if !held.is_empty() {
        remake::hold(transaction, document, &held, suffix, now)?;
    }
    if !refused.is_empty() {
        remake::take_up(transaction, document, &Blow::Refused(refused), suffix, now)?;
    }
    if !forked.is_empty() {
        // Another actor than the one of what was just made again.
        let suffix = remake::next_suffix(remake::next_suffix(suffix));
        remake::take_up(transaction, document, &Blow::Forked(forked), suffix, now)?;
    }
    if settled > 0 {
        load::refresh(transaction, document)?;
    }
    Ok(Settled {
        changes: settled,
        again: boxed > 0 || gone_back,
        gone_back,
    })
}

/// Applies what became of a held change. Returns whether something may have been made again.
fn apply_notice(
    transaction: &Transaction<'_>,
    notice: &Notice,
    suffix: &dyn Fn(DocumentId) -> [u8; 8],
    now: Timestamp,
) -> Result<bool> {
    let Notice::Outcome {
        document,
        change,
        refusal,
    } = notice
    else {
        return Ok(false);
    };
    let boxed = boxes::of_document(transaction, *document)?
        .into_iter()
        .find(|boxed| boxed.hash == *change);
    let Some(mut boxed) = boxed.filter(|boxed| boxed.state == BoxState::Held) else {
        return Ok(false);
    };
    match refusal {
        None => {
            boxed.state = BoxState::Released;
            boxes::put(transaction, &boxed)?;
            Ok(false)
        }
        Some(refusal) => {
            let blow = match refusal {
                Refusal::Forked => Blow::Forked(BTreeSet::from([*change])),
                refusal => Blow::Refused(BTreeMap::from([(*change, *refusal)])),
            };
            remake::take_up(transaction, *document, &blow, suffix(*document), now)?;
            Ok(true)
        }
    }
}

/// The server has jumped back: nothing is placed any more, own work goes back into the outbox, listing begins anew.
/// Later work begins under a new actor: the lost server may have let in work of the old one that is not here any more.
fn begin_epoch(
    transaction: &Transaction<'_>,
    enrolment: &Enrolment,
    epoch: crate::domain::id::Epoch,
    suffix: [u8; 8],
) -> Result<()> {
    for id in documents::all(transaction)? {
        let Some(state) = documents::state(transaction, id)? else {
            continue;
        };
        let mut rows = changes::of_document(transaction, state.number)?;
        for row in &mut rows {
            let is_own = mend::sound(row)?.actor.device() == enrolment.device;
            row.state = match row.state {
                ChangeState::Following => ChangeState::Following,
                _ if is_own => ChangeState::Unsent,
                _ => ChangeState::Acknowledged,
            };
        }
        changes::rewrite(transaction, state.number, &rows)?;
    }
    documents::unplace(transaction)?;
    resend::held(transaction)?;
    feed::set_scopes(transaction, &[])?;
    let actor = Actor::new(enrolment.device, suffix);
    documents::forget_actors(transaction)?;
    enrolment::put_epoch(transaction, epoch, actor)
}
