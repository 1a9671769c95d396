//! A store that breaks when it is told to, for simulations of power cuts and full disks.
//!
//! Any call of a round can break; a lie is told about commits only. Everything else is the inner store's.

mod reference;

use std::sync::{Mutex, PoisonError};

use patrol_core::domain::id::{DeviceId, PersonId};
use patrol_core::domain::time::Timestamp;
use patrol_core::sync::wire::Status;

use super::reference::KeptDirectory;
use super::{
    Account, Accounts, BrowserSession, Commit, Device, Figures, Folder, Identity, Measured, Result,
    Snapshot, Store, StoreError,
};

/// How a call breaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Break {
    /// Nothing has been done.
    Before,
    /// Everything has been done, and nobody was told.
    After,
    /// Nothing has been written: a document has grown since it was read. Of a look, as `Before`.
    Stale,
    /// Nothing has been written: there is no room.
    Full,
    /// Nothing has been written, and the store says that it was: a broken store, to see whether tests notice.
    Lie,
}

/// A call that can break.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Call {
    /// Who calls.
    Token,
    /// A look at a snapshot.
    Read,
    /// A whole write.
    Commit,
    /// The note of a contact.
    Contact,
    /// Notices that are forgotten.
    Notices,
}

/// What is to break, and what has broken.
#[derive(Debug, Default)]
struct Plan {
    how: Option<Break>,
    /// Calls that still succeed before.
    calls_left: usize,
    /// Only calls of this kind count.
    only: Option<Call>,
    broken: Vec<(Call, Break)>,
}

/// What somebody else does meanwhile.
pub type Meanwhile = Box<dyn FnOnce() + Send>;

/// A store one of whose next calls can be made to break.
pub struct FaultyStore<S> {
    inner: S,
    plan: Mutex<Plan>,
    meanwhile: Mutex<Option<Meanwhile>>,
}

impl<S: Store> FaultyStore<S> {
    /// A store that works until it is told otherwise.
    pub fn new(inner: S) -> Self {
        Self {
            inner,
            plan: Mutex::default(),
            meanwhile: Mutex::default(),
        }
    }

    /// The store itself.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// Makes the next call of a kind break.
    pub fn break_next(&self, call: Call, how: Break) {
        let mut plan = self.plan();
        (plan.how, plan.calls_left, plan.only) = (Some(how), 0, Some(call));
    }

    /// Makes a call break after so many others.
    pub fn break_call(&self, after: usize, how: Break) {
        let mut plan = self.plan();
        (plan.how, plan.calls_left, plan.only) = (Some(how), after, None);
    }

    /// Lets something happen when the next commit or directory is ready or a phone is about to be taken back, before that is done: it rests on
    /// what was read before.
    pub fn before_commit(&self, what: Meanwhile) {
        *self.others() = Some(what);
    }

    fn let_others(&self) {
        let meanwhile = self.others().take();
        if let Some(what) = meanwhile {
            what();
        }
    }

    fn others(&self) -> std::sync::MutexGuard<'_, Option<Meanwhile>> {
        self.meanwhile
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls off what was to break. Returns whether it still was to.
    pub fn mend(&self) -> bool {
        self.plan().how.take().is_some()
    }

    /// What has broken since the last call of this.
    pub fn take_broken(&self) -> Vec<(Call, Break)> {
        std::mem::take(&mut self.plan().broken)
    }

    fn plan(&self) -> std::sync::MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn due(&self, call: Call) -> Option<Break> {
        let mut plan = self.plan();
        if plan.how.is_none() || plan.only.is_some_and(|only| only != call) {
            return None;
        }
        if plan.calls_left > 0 {
            plan.calls_left -= 1;
            return None;
        }
        let how = plan.how.take()?;
        plan.broken.push((call, how));
        Some(how)
    }

    fn breaking<T>(&self, call: Call, work: impl FnOnce() -> Result<T>) -> Result<T> {
        match self.due(call) {
            None | Some(Break::Lie) => work(),
            Some(Break::Before | Break::Stale) => Err(StoreError::Broken("before the call".into())),
            Some(Break::Full) => Err(StoreError::Full),
            Some(Break::After) => {
                work()?;
                Err(StoreError::Broken("after the call".into()))
            }
        }
    }
}

impl<S: Store> Accounts for FaultyStore<S> {
    fn replace_account(&self, account: &Account, password_hash: &str) -> Result<bool> {
        self.inner.replace_account(account, password_hash)
    }

    fn account_of(&self, person: PersonId) -> Result<Option<Account>> {
        self.inner.account_of(person)
    }

    fn put_setup_code(&self, code: [u8; 32], until: Timestamp) -> Result<bool> {
        self.inner.put_setup_code(code, until)
    }

    fn is_setup_code(&self, code: [u8; 32], now: Timestamp) -> Result<bool> {
        self.inner.is_setup_code(code, now)
    }

    fn set_up(&self, code: [u8; 32], account: &Account, now: Timestamp) -> Result<bool> {
        self.inner.set_up(code, account, now)
    }

    fn put_folder(&self, folder: Folder) -> Result<()> {
        self.inner.put_folder(folder)
    }

    fn folder(&self) -> Result<Option<Folder>> {
        self.inner.folder()
    }
}

impl<S: Store> Measured for FaultyStore<S> {
    fn figures(&self) -> Result<Figures> {
        self.inner.figures()
    }

    fn note_backup(&self, now: Timestamp) -> Result<()> {
        self.inner.note_backup(now)
    }

    fn stands(&self) -> Result<()> {
        self.inner.stands()
    }

    fn look_through(&self) -> Result<()> {
        self.inner.look_through()
    }

    fn newest_receipt(&self) -> Result<Option<Timestamp>> {
        self.inner.newest_receipt()
    }

    fn retire_up_to(&self, asked: Timestamp, step_ms: i64) -> Result<Timestamp> {
        self.inner.retire_up_to(asked, step_ms)
    }
}

impl<S: Store> Store for FaultyStore<S> {
    fn commit(&self, commit: &Commit) -> Result<Vec<u64>> {
        self.let_others();
        match self.due(Call::Commit) {
            None => self.inner.commit(commit),
            Some(Break::Before) => Err(StoreError::Broken("before the commit".into())),
            Some(Break::Stale) => Err(StoreError::Stale),
            Some(Break::Full) => Err(StoreError::Full),
            Some(Break::Lie) => Ok(vec![0; commit.documents.len()]),
            Some(Break::After) => {
                self.inner.commit(commit)?;
                Err(StoreError::Broken("after the commit".into()))
            }
        }
    }

    fn identity(&self) -> Result<Identity> {
        self.inner.identity()
    }

    fn read(&self, look: &mut dyn FnMut(&dyn Snapshot) -> Result<()>) -> Result<()> {
        self.breaking(Call::Read, || self.inner.read(look))
    }

    fn retire(&self, ended_before: Timestamp, limit: usize) -> Result<usize> {
        self.inner.retire(ended_before, limit)
    }

    fn put_enrol_code(&self, code: [u8; 32], person: PersonId, until: Timestamp) -> Result<()> {
        self.inner.put_enrol_code(code, person, until)
    }

    fn enrol(
        &self,
        code: [u8; 32],
        public_key: [u8; 32],
        token: [u8; 32],
        now: Timestamp,
    ) -> Result<Option<Device>> {
        self.inner.enrol(code, public_key, token, now)
    }

    fn take_back(&self, device: &Device, token: [u8; 32]) -> Result<bool> {
        self.let_others();
        self.inner.take_back(device, token)
    }

    fn device_of_token(&self, token: [u8; 32]) -> Result<Option<Device>> {
        self.breaking(Call::Token, || self.inner.device_of_token(token))
    }

    fn revoke(&self, device: DeviceId, now: Timestamp) -> Result<()> {
        self.inner.revoke(device, now)
    }

    fn note_contact(&self, device: DeviceId, now: Timestamp, status: &Status) -> Result<()> {
        self.breaking(Call::Contact, || {
            self.inner.note_contact(device, now, status)
        })
    }

    fn note_emptied(&self, device: DeviceId) -> Result<()> {
        self.breaking(Call::Contact, || self.inner.note_emptied(device))
    }

    fn forget_notices(&self, device: DeviceId, up_to: u64) -> Result<()> {
        self.breaking(Call::Notices, || self.inner.forget_notices(device, up_to))
    }

    fn put_directory(&self, directory: &KeptDirectory, now: Timestamp) -> Result<()> {
        self.inner.put_directory(directory, now)
    }

    fn directory(&self) -> Result<Option<(u64, KeptDirectory)>> {
        self.inner.directory()
    }

    fn put_account(&self, account: &Account) -> Result<()> {
        self.inner.put_account(account)
    }

    fn account(&self, login: &str) -> Result<Option<Account>> {
        self.inner.account(login)
    }

    fn has_account(&self) -> Result<bool> {
        self.inner.has_account()
    }

    fn put_session(
        &self,
        token: [u8; 32],
        session: &BrowserSession,
        password_hash: &str,
    ) -> Result<bool> {
        self.inner.put_session(token, session, password_hash)
    }

    fn session(&self, token: [u8; 32]) -> Result<Option<BrowserSession>> {
        self.inner.session(token)
    }

    fn tidy(&self, now: Timestamp) -> Result<()> {
        self.inner.tidy(now)
    }

    fn end_session(&self, token: [u8; 32]) -> Result<()> {
        self.inner.end_session(token)
    }
}
