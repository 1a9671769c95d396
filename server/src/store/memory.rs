//! The model: what the server keeps, in plain maps, so that one can see that it is right.
//!
//! It keeps nothing on disk. The simulated server keeps its data here, and a backup of it is [`MemoryStore::fork`].

mod commit;
mod figures;
mod look;
mod reference;
mod whole;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use patrol_core::domain::id::{ChangeHash, DeviceId, DocumentId, EntryId, PersonId};
use patrol_core::domain::limits;
use patrol_core::domain::place::{Scope, VillageCode};
use patrol_core::domain::time::Timestamp;
use patrol_core::sync::seal::Digest;
use patrol_core::sync::wire::{Notice, Status};

use self::reference::Components;
use super::reference::{KeptDirectory, MadeBy, Terminal, Version};
use super::{
    Account, Accounts, BatchRow, BoxedChange, BrowserSession, Commit, Device, FeedRow, Folder,
    Identity, NewEpoch, Result, ScopeRow, Snapshot, Store, StoreError, StoredChange, Summary,
};

/// A store in memory.
pub struct MemoryStore(Mutex<Arc<State>>);

/// Everything. A write changes it in place, or a copy of it while a snapshot is being looked at.
#[derive(Clone)]
struct State {
    identity: Identity,
    /// The last commit that added rows to feeds.
    commits: u64,
    /// The number of the last device enrolled.
    device_number: u32,
    documents: BTreeMap<DocumentId, Document>,
    scopes: BTreeMap<Scope, ScopeRow>,
    feeds: BTreeMap<u64, Feed>,
    /// With the order in which they came.
    boxed: BTreeMap<(DeviceId, ChangeHash), (u64, BoxedChange)>,
    fates: BTreeMap<(DeviceId, u64, EntryId), String>,
    batches: BTreeMap<DeviceId, Vec<BatchRow>>,
    notices: BTreeMap<DeviceId, Notices>,
    devices: BTreeMap<DeviceId, Device>,
    tokens: BTreeMap<[u8; 32], DeviceId>,
    codes: BTreeMap<[u8; 32], (PersonId, Timestamp)>,
    directories: Vec<(Version, KeptDirectory)>,
    components: Components,
    terminals: BTreeMap<VillageCode, Terminal>,
    accounts: BTreeMap<PersonId, Account>,
    setup_code: Option<([u8; 32], Timestamp)>,
    folder: Option<Folder>,
    backup_at: Option<Timestamp>,
    /// When the last frames came, of all devices.
    receipts: VecDeque<Timestamp>,
    retired_up_to: Option<Timestamp>,
    sessions: BTreeMap<[u8; 32], BrowserSession>,
}

/// A document and where it stands.
#[derive(Clone, Default)]
struct Document {
    changes: Vec<StoredChange>,
    scopes: BTreeSet<Scope>,
    /// The scopes in whose feed it is, with the row of joining: all its scopes, or none when it was retired.
    joined: BTreeMap<Scope, u64>,
    digest: Digest,
    summary: Summary,
    opened_by: Option<DeviceId>,
}

/// A scope's feed: all rows, and the members by row of joining.
#[derive(Clone, Default)]
struct Feed {
    rows: Vec<FeedRow>,
    members: BTreeMap<u64, DocumentId>,
}

/// A device's notices.
#[derive(Clone, Default)]
struct Notices {
    last: u64,
    waiting: BTreeMap<u64, Notice>,
}

impl MemoryStore {
    /// An empty store of this server.
    pub fn new(identity: Identity) -> Self {
        let [.., a, b, c, d] = identity.device.0;
        Self(Mutex::new(Arc::new(State {
            identity,
            commits: 0,
            device_number: u32::from_be_bytes([a, b, c, d]),
            documents: BTreeMap::new(),
            scopes: BTreeMap::new(),
            feeds: BTreeMap::new(),
            boxed: BTreeMap::new(),
            fates: BTreeMap::new(),
            batches: BTreeMap::new(),
            notices: BTreeMap::new(),
            devices: BTreeMap::new(),
            tokens: BTreeMap::new(),
            codes: BTreeMap::new(),
            directories: Vec::new(),
            components: Components::default(),
            terminals: BTreeMap::new(),
            accounts: BTreeMap::new(),
            setup_code: None,
            folder: None,
            backup_at: None,
            receipts: VecDeque::new(),
            retired_up_to: None,
            sessions: BTreeMap::new(),
        })))
    }

    /// A copy that goes its own way from here on.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self(Mutex::new(self.present()))
    }

    /// Begins a new epoch, as after a restore.
    pub fn begin_epoch(&self, new: &NewEpoch) {
        let mut locked = self.lock();
        let state = Arc::make_mut(&mut locked);
        state.identity = state.identity.renewed(new);
        state.device_number = 0;
        state.codes.clear();
        state.setup_code = None;
        state.sessions.clear();
        for (id, device) in &mut state.devices {
            device.revoked_empty = false;
            let notices = state.notices.entry(*id).or_default();
            let since = new.since.0.cast_unsigned();
            notices.last = if since > notices.last {
                since
            } else {
                notices.last.saturating_add(limits::NOTICE_LEAP)
            };
        }
    }

    fn lock(&self) -> MutexGuard<'_, Arc<State>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state as it is now; later writes do not change it.
    fn present(&self) -> Arc<State> {
        self.lock().clone()
    }

    /// Writes; `write` must not have changed anything when it fails.
    fn write<T>(&self, write: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        write(Arc::make_mut(&mut self.lock()))
    }
}

impl State {
    /// A device with the highest `n` of its log.
    fn device(&self, id: DeviceId) -> Option<Device> {
        self.devices.get(&id).map(|device| Device {
            n_max: self.n_max(id),
            ..device.clone()
        })
    }

    fn n_max(&self, device: DeviceId) -> u64 {
        let log = (device, 0, EntryId([0; 16]))..=(device, u64::MAX, EntryId([0xff; 16]));
        self.fates
            .range(log)
            .next_back()
            .map_or(0, |((_, n, _), _)| *n)
    }

    fn enrol(
        &mut self,
        code: [u8; 32],
        public_key: [u8; 32],
        token: [u8; 32],
        now: Timestamp,
    ) -> Result<Option<Device>> {
        let Some((person, _)) = self
            .codes
            .get(&code)
            .filter(|(_, until)| now <= *until)
            .copied()
        else {
            return Ok(None);
        };
        if self.tokens.contains_key(&token) {
            return Err(StoreError::Broken("the token is in use".to_owned()));
        }
        let number = self.device_number.checked_add(1);
        self.device_number =
            number.ok_or_else(|| StoreError::Broken("no device number is left".to_owned()))?;
        let id = DeviceId::new(self.identity.epoch, self.device_number);
        let device = Device::new(id, person, public_key, now);
        self.codes.remove(&code);
        self.tokens.insert(token, id);
        self.devices.insert(id, device);
        Ok(self.device(id))
    }

    fn note_contact(&mut self, id: DeviceId, now: Timestamp, told: &Status) {
        let Some(device) = self.devices.get_mut(&id) else {
            return;
        };
        device.seen_at = Some(now);
        let (known, told) = (&mut device.status, told.clone());
        known.free_bytes = told.free_bytes;
        known.version = told.version.or(known.version.take());
        known.clock_offset_ms = told.clock_offset_ms.or(known.clock_offset_ms);
        known.outbox = told.outbox;
        known.outbox_age_ms = told.outbox_age_ms;
        known.kept_back = told.kept_back.or(known.kept_back.take());
        known.photo_bytes_due = told.photo_bytes_due.or(known.photo_bytes_due);
        known.last_error = told.last_error;
    }

    fn is_setup_code(&self, code: [u8; 32], now: Timestamp) -> bool {
        let setup_code = self.setup_code.as_ref();
        setup_code.is_some_and(|(known, until)| *known == code && now <= *until)
    }

    fn has_password(&self, person: PersonId, hash: &str) -> bool {
        let account = self.accounts.get(&person);
        account.is_some_and(|account| account.password_hash == hash)
    }

    fn put_account(&mut self, account: &Account) -> Result<()> {
        let mut others = self
            .accounts
            .values()
            .filter(|other| other.person != account.person);
        if others.any(|other| other.login == account.login) {
            return Err(StoreError::Broken(
                "the login is another person's".to_owned(),
            ));
        }
        self.setup_code = None;
        self.accounts.insert(account.person, account.clone());
        self.sessions
            .retain(|_, session| session.person != account.person);
        Ok(())
    }
}

impl Accounts for MemoryStore {
    fn account_of(&self, person: PersonId) -> Result<Option<Account>> {
        Ok(self.present().accounts.get(&person).cloned())
    }

    fn replace_account(&self, account: &Account, password_hash: &str) -> Result<bool> {
        self.write(|state| {
            let is_right = state.has_password(account.person, password_hash);
            if is_right {
                state.put_account(account)?;
            }
            Ok(is_right)
        })
    }

    fn put_setup_code(&self, code: [u8; 32], until: Timestamp) -> Result<bool> {
        self.write(|state| {
            let is_first = state.accounts.is_empty();
            if is_first {
                state.setup_code = Some((code, until));
            }
            Ok(is_first)
        })
    }

    fn is_setup_code(&self, code: [u8; 32], now: Timestamp) -> Result<bool> {
        Ok(self.present().is_setup_code(code, now))
    }

    fn set_up(&self, code: [u8; 32], account: &Account, now: Timestamp) -> Result<bool> {
        self.write(|state| {
            let is_first = state.is_setup_code(code, now);
            if is_first {
                state.put_account(account)?;
            }
            Ok(is_first)
        })
    }

    fn put_folder(&self, folder: Folder) -> Result<()> {
        self.write(|state| {
            state.folder = Some(folder);
            Ok(())
        })
    }

    fn folder(&self) -> Result<Option<Folder>> {
        Ok(self.present().folder)
    }
}

impl Store for MemoryStore {
    fn identity(&self) -> Result<Identity> {
        Ok(self.present().identity.clone())
    }

    fn read(&self, look: &mut dyn FnMut(&dyn Snapshot) -> Result<()>) -> Result<()> {
        look(&*self.present())
    }

    fn commit(&self, commit: &Commit) -> Result<Vec<u64>> {
        self.write(|state| state.commit(commit))
    }

    fn retire(&self, ended_before: Timestamp, limit: usize) -> Result<usize> {
        self.write(|state| Ok(state.retire(ended_before, limit)))
    }

    fn put_enrol_code(&self, code: [u8; 32], person: PersonId, until: Timestamp) -> Result<()> {
        self.write(|state| {
            state.codes.insert(code, (person, until));
            Ok(())
        })
    }

    fn enrol(
        &self,
        code: [u8; 32],
        public_key: [u8; 32],
        token: [u8; 32],
        now: Timestamp,
    ) -> Result<Option<Device>> {
        self.write(|state| state.enrol(code, public_key, token, now))
    }

    fn take_back(&self, device: &Device, token: [u8; 32]) -> Result<bool> {
        self.write(|state| {
            if state.devices.contains_key(&device.id) {
                return Ok(false);
            }
            if state.tokens.contains_key(&token) {
                return Err(StoreError::Broken("the token is in use".to_owned()));
            }
            state.tokens.insert(token, device.id);
            state.devices.insert(device.id, device.clone());
            let notices = state.notices.entry(device.id).or_default();
            notices.last = device.enrolled_at.0.cast_unsigned();
            Ok(true)
        })
    }

    fn device_of_token(&self, token: [u8; 32]) -> Result<Option<Device>> {
        let state = self.present();
        Ok(state.tokens.get(&token).and_then(|id| state.device(*id)))
    }

    fn revoke(&self, device: DeviceId, now: Timestamp) -> Result<()> {
        self.write(|state| {
            if let Some(device) = state.devices.get_mut(&device) {
                device.revoked_at.get_or_insert(now);
            }
            Ok(())
        })
    }

    fn note_contact(&self, device: DeviceId, now: Timestamp, status: &Status) -> Result<()> {
        self.write(|state| {
            state.note_contact(device, now, status);
            Ok(())
        })
    }

    fn note_emptied(&self, device: DeviceId) -> Result<()> {
        self.write(|state| {
            let found = state.devices.get_mut(&device);
            if let Some(device) = found.filter(|device| device.revoked_at.is_some()) {
                device.revoked_empty = true;
            }
            Ok(())
        })
    }

    fn forget_notices(&self, device: DeviceId, up_to: u64) -> Result<()> {
        self.write(|state| {
            if let Some(notices) = state.notices.get_mut(&device) {
                notices.waiting.retain(|number, _| *number > up_to);
            }
            Ok(())
        })
    }

    fn put_directory(&self, directory: &KeptDirectory, now: Timestamp) -> Result<()> {
        self.write(|state| {
            state.put_directory(directory, (now, MadeBy::Other));
            Ok(())
        })
    }

    fn directory(&self) -> Result<Option<(u64, KeptDirectory)>> {
        let state = self.present();
        let last = state.directories.last();
        Ok(last.map(|(version, kept)| (version.no, kept.clone())))
    }

    fn put_account(&self, account: &Account) -> Result<()> {
        self.write(|state| state.put_account(account))
    }

    fn account(&self, login: &str) -> Result<Option<Account>> {
        Ok(self
            .present()
            .accounts
            .values()
            .find(|account| account.login == login)
            .cloned())
    }

    fn has_account(&self) -> Result<bool> {
        Ok(!self.present().accounts.is_empty())
    }

    fn put_session(
        &self,
        token: [u8; 32],
        session: &BrowserSession,
        password_hash: &str,
    ) -> Result<bool> {
        self.write(|state| {
            let is_right = state.has_password(session.person, password_hash);
            if is_right {
                state.sessions.insert(token, session.clone());
            }
            Ok(is_right)
        })
    }

    fn session(&self, token: [u8; 32]) -> Result<Option<BrowserSession>> {
        Ok(self.present().sessions.get(&token).cloned())
    }

    fn tidy(&self, now: Timestamp) -> Result<()> {
        self.write(|state| {
            state.sessions.retain(|_, session| now < session.until);
            state.codes.retain(|_, (_, until)| now <= *until);
            state.setup_code = state.setup_code.filter(|(_, until)| now <= *until);
            Ok(())
        })
    }

    fn end_session(&self, token: [u8; 32]) -> Result<()> {
        self.write(|state| {
            state.sessions.remove(&token);
            Ok(())
        })
    }
}
