//! A store that breaks when it is told to, for simulations of power cuts and full disks.
//!
//! Only commits break; everything else is the inner store's.

use std::sync::{Mutex, PoisonError};

use patrol_core::domain::id::{DeviceId, DocumentId, PersonId};
use patrol_core::domain::time::Timestamp;
use patrol_core::sync::wire::Status;

use super::{
    Account, BrowserSession, Commit, Device, Identity, Result, Snapshot, Store, StoreError,
};

/// How a commit breaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CommitFault {
    /// Nothing has been written.
    BeforeCommit,
    /// Everything has been written, and nobody was told.
    AfterCommit,
    /// Nothing has been written: a document has grown since it was read.
    Stale,
    /// Nothing has been written, and the store says that it was: a broken store, to see whether tests notice.
    Lie,
}

/// A store whose next commit can be made to break.
pub struct FaultyStore<S> {
    inner: S,
    next: Mutex<Option<CommitFault>>,
}

impl<S: Store> FaultyStore<S> {
    /// A store that works until it is told otherwise.
    pub fn new(inner: S) -> Self {
        Self {
            inner,
            next: Mutex::new(None),
        }
    }

    /// The store itself.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// Makes the next commit break.
    pub fn fail_next_commit(&self, fault: CommitFault) {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
    }
}

impl<S: Store> Store for FaultyStore<S> {
    fn commit(&self, commit: &Commit) -> Result<Vec<u64>> {
        let fault = self
            .next
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        match fault {
            None => self.inner.commit(commit),
            Some(CommitFault::BeforeCommit) => Err(StoreError::Broken("before the commit".into())),
            Some(CommitFault::Stale) => Err(StoreError::Stale),
            Some(CommitFault::Lie) => Ok(vec![0; commit.documents.len()]),
            Some(CommitFault::AfterCommit) => {
                self.inner.commit(commit)?;
                Err(StoreError::Broken("after the commit".into()))
            }
        }
    }

    fn identity(&self) -> Result<Identity> {
        self.inner.identity()
    }

    fn read(&self, look: &mut dyn FnMut(&dyn Snapshot) -> Result<()>) -> Result<()> {
        self.inner.read(look)
    }

    fn retire(&self, documents: &[DocumentId]) -> Result<()> {
        self.inner.retire(documents)
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

    fn device_of_token(&self, token: [u8; 32]) -> Result<Option<Device>> {
        self.inner.device_of_token(token)
    }

    fn revoke(&self, device: DeviceId, now: Timestamp) -> Result<()> {
        self.inner.revoke(device, now)
    }

    fn note_contact(
        &self,
        device: DeviceId,
        now: Timestamp,
        status: &Status,
        outbox_empty: bool,
    ) -> Result<()> {
        self.inner.note_contact(device, now, status, outbox_empty)
    }

    fn forget_notices(&self, device: DeviceId, up_to: u64) -> Result<()> {
        self.inner.forget_notices(device, up_to)
    }

    fn put_directory(&self, bytes: &[u8], now: Timestamp) -> Result<()> {
        self.inner.put_directory(bytes, now)
    }

    fn directory(&self) -> Result<Option<Vec<u8>>> {
        self.inner.directory()
    }

    fn put_account(&self, account: &Account) -> Result<()> {
        self.inner.put_account(account)
    }

    fn account(&self, login: &str) -> Result<Option<Account>> {
        self.inner.account(login)
    }

    fn put_session(&self, token: [u8; 32], session: &BrowserSession) -> Result<()> {
        self.inner.put_session(token, session)
    }

    fn session(&self, token: [u8; 32]) -> Result<Option<BrowserSession>> {
        self.inner.session(token)
    }

    fn end_session(&self, token: [u8; 32]) -> Result<()> {
        self.inner.end_session(token)
    }
}
