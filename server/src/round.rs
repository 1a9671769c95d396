//! One round on the server's side, without a socket: frames of a request in, frames of the response out.
//!
//! Each push frame is committed before the next is looked at; each page is one short read. Between two calls nothing is held.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use patrol_core::domain::id::ChangeHash;
use patrol_core::domain::limits;
use patrol_core::sync::components;
use patrol_core::sync::frame::Frame;
use patrol_core::sync::wire::{
    self, Cursor, Done, Fate, Fates, Form, Hello, Later, Notice, PROTOCOL, PROTOCOL_LOWEST,
    PushHead, Relic, Scopes, Unread, Welcome, kind,
};

use crate::app::App;
use crate::bundle;
use crate::components::tags_for;
use crate::contact;
use crate::holes;
use crate::intake;
use crate::metrics::Way;
use crate::page::{self, FRESH, Standing, Terms};
use crate::relic;
use crate::store::{Device, Result, Snapshot, StoreError};

/// Why a request is not one of this protocol.
#[derive(Debug)]
pub enum RoundFault {
    /// Frames in an order, or of a form, that this protocol does not know.
    Malformed,
    /// Not now: nothing of the frame at hand was stored.
    Store(StoreError),
}

impl From<StoreError> for RoundFault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// What is left of a response.
#[derive(Debug)]
enum Phase {
    /// Welcome, fates and scopes are to be made.
    Head,
    /// Pages follow.
    Pages,
    /// Nothing more.
    Over,
}

/// A round of one device.
#[derive(Debug)]
pub struct Round {
    app: Arc<App>,
    device: Device,
    hello: Option<Hello>,
    /// As they stood before the first push, once there is one: what becomes meanwhile of a change that it pushes must not reach the phone before that
    /// change's fate.
    notices: Option<Vec<(u64, Notice)>>,
    fates: Vec<Fates>,
    echoes: BTreeMap<ChangeHash, (u64, u64)>,
    ready: VecDeque<(u8, Vec<u8>)>,
    standings: Vec<Standing>,
    phase: Phase,
    page_bytes: usize,
    /// Something of it could not be written.
    must_wait: bool,
}

impl Round {
    /// Begins a round of a device that has been authenticated.
    pub fn new(app: Arc<App>, device: Device) -> Self {
        Self {
            app,
            device,
            hello: None,
            notices: None,
            fates: Vec::new(),
            echoes: BTreeMap::new(),
            ready: VecDeque::new(),
            standings: Vec::new(),
            phase: Phase::Head,
            page_bytes: limits::PAGE_FRAME_BYTES,
            must_wait: false,
        }
    }

    /// The same round with pages of another size, for tests.
    #[must_use]
    pub fn with_pages_of(mut self, bytes: usize) -> Self {
        self.page_bytes = bytes;
        self
    }

    /// Takes in a frame of the request. What it commits stays, whatever becomes of the rest.
    pub fn receive(&mut self, frame: &Frame) -> std::result::Result<(), RoundFault> {
        self.app.metrics.count_frame(Way::Up, frame.kind);
        match (frame.kind, &self.hello) {
            (kind::HELLO, None) => {
                let hello = Hello::decode(&frame.payload).map_err(|_| RoundFault::Malformed)?;
                let noted = contact::note(&self.app, &self.device, &hello);
                self.written(noted)?;
                self.hello = Some(hello);
                Ok(())
            }
            (kind::HELLO, Some(_)) | (_, None) => Err(RoundFault::Malformed),
            (kind::PUSH, Some(hello)) => {
                if self.notices.is_none() {
                    self.notices = Some(notices(&self.app, &self.device, hello.notice)?);
                }
                if hello.epoch == self.app.identity.epoch {
                    self.push(&frame.payload)
                } else {
                    self.answer(Err(Unread::Epoch));
                    Ok(())
                }
            }
            (kind::RELIC, Some(hello)) if hello.epoch == self.app.identity.epoch => {
                match relic::take_in(&self.app, self.device.id, &frame.payload) {
                    Ok(outcome) => self.answer_pushed(outcome),
                    Err(error) => {
                        let relic = Relic::decode(&frame.payload);
                        self.put_off(error, relic.ok().map(|relic| relic.bodies.len()))?;
                    }
                }
                Ok(())
            }
            (kind::BUNDLE, Some(hello)) if hello.epoch == self.app.identity.epoch => {
                match bundle::take_in_carried(&self.app, self.device.id, &frame.payload) {
                    Ok(fate) => self.answer(fate.map(|fate| vec![fate])),
                    Err(error) => self.put_off(error, Some(1))?,
                }
                Ok(())
            }
            (kind::RELIC | kind::BUNDLE, Some(_)) => {
                self.answer(Err(Unread::Epoch));
                Ok(())
            }
            (kind::SKIPPABLE.., Some(_)) => Ok(()),
            (_, Some(_)) => {
                self.answer(Err(Unread::Newer));
                Ok(())
            }
        }
    }

    fn push(&mut self, payload: &[u8]) -> std::result::Result<(), RoundFault> {
        match intake::take_in(&self.app, self.device.id, payload) {
            Ok(outcome) => self.answer_pushed(outcome),
            Err(error) => {
                let head = PushHead::decode(payload);
                self.put_off(error, head.ok().map(|(_, count, _)| count))?;
            }
        }
        Ok(())
    }

    /// Answers a frame of so many changes, or one that cannot be read, that the disk did not take.
    fn put_off(&mut self, error: StoreError, changes: Option<usize>) -> Result<()> {
        self.written(Err(error))?;
        let fates = changes.map(|changes| vec![Fate::Later(Later::Storage); changes]);
        self.answer(fates.ok_or(Unread::Malformed));
        Ok(())
    }

    /// A disk that takes nothing keeps nobody from what can still be read; what was to be written comes again.
    fn written(&mut self, written: Result<()>) -> Result<()> {
        match written {
            Err(error) if error.of_the_disk().is_some() => {
                tracing::error!(%error, "what a phone brings must wait: {error}");
                self.must_wait = true;
                Ok(())
            }
            written => written,
        }
    }

    /// What became of a frame of changes; those that are here come back as echoes.
    fn answer_pushed(&mut self, outcome: intake::Outcome) {
        let number = self.fates.len() as u64;
        for (place, (_, hash)) in outcome.pushed.iter().enumerate().take(1 << 16) {
            self.echoes.insert(*hash, (number, place as u64));
        }
        self.answer(outcome.fates);
    }

    /// What became of the next frame after the hello.
    fn answer(&mut self, outcome: std::result::Result<Vec<Fate>, Unread>) {
        let frame = self.fates.len() as u64;
        let fates = Fates { frame, outcome };
        self.app.metrics.count_fates(&fates);
        self.fates.push(fates);
    }

    /// The next frame of the response; none at its end.
    pub fn next_frame(&mut self) -> std::result::Result<Option<(u8, Vec<u8>)>, RoundFault> {
        loop {
            if let Some(frame) = self.ready.pop_front() {
                self.app.metrics.count_frame(Way::Down, frame.0);
                return Ok(Some(frame));
            }
            match self.phase {
                Phase::Head => self.head()?,
                Phase::Pages => self.page()?,
                Phase::Over => return Ok(None),
            }
        }
    }

    fn head(&mut self) -> std::result::Result<(), RoundFault> {
        let Some(hello) = self.hello.clone() else {
            return Err(RoundFault::Malformed);
        };
        self.look_again()?;
        let (app, device) = (Arc::clone(&self.app), self.device.clone());
        let is_current = hello.epoch == app.identity.epoch;
        let gets_pages =
            is_current && device.revoked_at.is_none() && hello.protocol >= PROTOCOL_LOWEST;
        if gets_pages && hello.outbox_empty && self.fates.is_empty() {
            let looked = holes::look(&app, &device, &hello);
            self.written(looked)?;
        }
        let notices = match self.notices.take() {
            Some(notices) => notices,
            None => notices(&app, &device, hello.notice)?,
        };
        let mut scopes = Vec::new();
        if gets_pages {
            app.store.read(&mut |snapshot| {
                scopes = scopes_of(&app, &device, snapshot)?;
                Ok(())
            })?;
        }
        let welcome = Welcome {
            server_time: app.environment.now(),
            lowest: PROTOCOL_LOWEST,
            protocol: hello.protocol.min(PROTOCOL),
            epoch: app.identity.epoch,
            notices,
        };
        self.ready.push_back((kind::WELCOME, welcome.encode()));
        self.ready.extend(
            std::mem::take(&mut self.fates)
                .iter()
                .map(|fates| (kind::FATES, fates.encode())),
        );
        if !gets_pages {
            self.end_without_pages(false);
            return Ok(());
        }
        let tag = page::scopes_tag(&scopes);
        if tag != hello.scopes_tag {
            self.ready.push_back((
                kind::SCOPES,
                Scopes {
                    tag,
                    scopes: scopes.clone(),
                }
                .encode(),
            ));
        }
        let cursor = |number| {
            hello
                .cursors
                .iter()
                .find(|(known, _)| *known == number)
                .map_or(FRESH, |(_, cursor)| *cursor)
        };
        self.standings = scopes
            .into_iter()
            .map(|(number, scope)| Standing {
                number,
                scope,
                cursor: cursor(number),
            })
            .collect();
        self.phase = Phase::Pages;
        Ok(())
    }

    /// Ends the response, and says if that is for good, or if there is more in another one.
    fn end_without_pages(&mut self, has_more: bool) {
        let is_revoked = self.device.revoked_at.is_some();
        let has_more = has_more && !is_revoked;
        let done = Done {
            retry_after_ms: self.retry_after_ms().filter(|_| has_more),
            has_more,
            is_revoked,
            ..Done::default()
        };
        self.ready.push_back((kind::DONE, done.encode()));
        self.phase = Phase::Over;
    }

    fn retry_after_ms(&self) -> Option<u64> {
        let must_wait = self.must_wait.then_some(limits::BUSY_RETRY_MS);
        self.app.retry_after_ms().or(must_wait)
    }

    /// What the server knows of the device now: it may have been revoked since the request began.
    fn look_again(&mut self) -> Result<()> {
        let mut found = None;
        self.app.store.read(&mut |snapshot| {
            found = snapshot.device(self.device.id)?;
            Ok(())
        })?;
        if let Some(device) = found {
            self.device = device;
        }
        Ok(())
    }

    fn page(&mut self) -> std::result::Result<(), RoundFault> {
        let Some(hello) = &self.hello else {
            return Err(RoundFault::Malformed);
        };
        let form = if hello.raw_pages {
            Form::Raw
        } else {
            Form::Stripped
        };
        let terms = Terms {
            identity: &self.app.identity,
            form,
            echoes: &self.echoes,
            page_bytes: self.page_bytes,
        };
        let standings = std::mem::take(&mut self.standings);
        let (mut built, mut has_lost) = (None, false);
        self.app.store.read(&mut |snapshot| {
            // Revoked meanwhile, it gets nothing more; nor who has lost a scope: he is to call again, with what he has now.
            let device = snapshot.device(self.device.id)?;
            let scopes = scopes_of(&self.app, &self.device, snapshot)?;
            let is_his = |standing: &Standing| scopes.contains(&(standing.number, standing.scope));
            has_lost = !standings.iter().all(is_his);
            if device.is_some_and(|device| device.revoked_at.is_none()) && !has_lost {
                let standings = checked(snapshot, &standings)?;
                built = Some(page::build(snapshot, &standings, terms)?);
            }
            Ok(())
        })?;
        let Some(page) = built else {
            self.look_again()?;
            self.end_without_pages(has_lost);
            return Ok(());
        };
        self.standings = page.standings;
        self.ready
            .extend(page.payload.map(|payload| (kind::PAGE, payload)));
        if let Some(digests) = page.digests {
            let known = self.app.known().tag;
            let has = if hello.with_components {
                components::tag_with(known, &tags_for(&self.app, self.device.person)?)
            } else {
                known
            };
            let directory_tag = Some(known).filter(|_| has != hello.directory_tag);
            let done = Done {
                digests,
                directory_tag,
                retry_after_ms: self.retry_after_ms(),
                has_more: false,
                is_revoked: false,
            };
            self.ready.push_back((kind::DONE, done.encode()));
            self.phase = Phase::Over;
        }
        Ok(())
    }
}

/// What a device is to be told that it has not named yet; a revoked one only what became of its work. What it has named is forgotten,
/// once: an idle round writes nothing.
fn notices(app: &App, device: &Device, named: u64) -> Result<Vec<(u64, Notice)>> {
    let mut notices = Vec::new();
    app.store.read(&mut |snapshot| {
        notices = snapshot.notices(device.id, 0)?;
        Ok(())
    })?;
    if notices.iter().any(|(number, _)| *number <= named) {
        match app.store.forget_notices(device.id, named) {
            // It names them again.
            Err(error) if error.of_the_disk().is_some() => {}
            forgotten => forgotten?,
        }
    }
    notices.retain(|(number, notice)| {
        let is_of_its_work = matches!(notice, Notice::Outcome { .. });
        *number > named && (device.revoked_at.is_none() || is_of_its_work)
    });
    Ok(notices)
}

/// The scopes of a device's person that exist, with their handles.
fn scopes_of(
    app: &App,
    device: &Device,
    snapshot: &dyn Snapshot,
) -> Result<Vec<(wire::ScopeNumber, patrol_core::domain::place::Scope)>> {
    let scopes = app
        .known()
        .directory
        .scopes_of(device.person, app.environment.now());
    let mut found = Vec::new();
    for scope in scopes {
        found.extend(snapshot.scope(scope)?.map(|row| (row.number, scope)));
    }
    found.sort_unstable();
    Ok(found)
}

/// The standings that this snapshot can serve. A fresh one begins its listing at the head. A cursor beyond the end of its
/// feed says that the database may have gone back without a new epoch: the scope is listed anew, and a person should look.
fn checked(snapshot: &dyn Snapshot, standings: &[Standing]) -> Result<Vec<Standing>> {
    let mut checked = Vec::with_capacity(standings.len());
    for standing in standings {
        let head = snapshot.scope(standing.scope)?.map_or(0, |row| row.head);
        let position = match standing.cursor {
            Cursor::Tail(seq) => seq,
            Cursor::Boot { as_of, .. } => as_of,
        };
        let is_beyond = position > head;
        if is_beyond {
            let scope = standing.number;
            tracing::error!(
                scope,
                position,
                head,
                "the cursor of scope {scope} is beyond its feed: was the database restored without a new epoch?"
            );
        }
        let from_the_head = Cursor::Boot {
            as_of: head,
            before: head + 1,
        };
        let cursor = if is_beyond || standing.cursor == FRESH {
            from_the_head
        } else {
            standing.cursor
        };
        checked.push(Standing {
            cursor,
            ..*standing
        });
    }
    Ok(checked)
}
