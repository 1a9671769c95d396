//! The default backend: one SQLite file in WAL mode, one connection that writes, a few that read.
//!
//! What is done to its file as a whole (copies, upgrades, looks) is `backup`'s. No thread of its own outlives a call.

mod accounts;
pub mod backup;
mod boxes;
mod checkpoint;
mod columns;
mod commit;
mod components;
mod devices;
mod documents;
mod feeds;
mod figures;
pub mod links;
mod logs;
mod look;
mod reference;
mod rules;
mod schema;
mod setup;
mod shape;
mod trouble;
mod whole;
mod writer;

use std::path::Path;
use std::sync::{Condvar, Mutex, PoisonError};

use patrol_core::domain::id::{DeviceId, PersonId};
use patrol_core::domain::time::Timestamp;
use patrol_core::sync::wire::Status;
use rusqlite::{Connection, Savepoint, TransactionBehavior};

pub use self::shape::shape;

pub(crate) use self::schema::make_file;

use self::checkpoint::Checkpoints;
use self::trouble::Trouble;
use self::writer::Writer;
use super::reference::{KeptDirectory, MadeBy};
use super::{
    Account, Accounts, BrowserSession, Commit, Device, Figures, Folder, Identity, Measured, Result,
    Snapshot, Store,
};

/// Connections that read at the same time.
const READERS: usize = 8;

/// A store in an SQLite file.
pub struct SqliteStore {
    identity: Identity,
    writer: Writer,
    /// Held by who puts components in force.
    importing: Mutex<()>,
    /// None where a single connection does everything: in memory, and where nothing is written.
    readers: Option<Readers>,
    /// Likewise none there.
    checkpoints: Option<Checkpoints>,
    trouble: Option<Trouble>,
}

/// Connections that read, those at rest.
struct Readers {
    resting: Mutex<Vec<Connection>>,
    returned: Condvar,
}

/// A connection that reads, taken until it is dropped.
struct Reader<'r> {
    readers: &'r Readers,
    connection: Option<Connection>,
}

impl SqliteStore {
    /// Opens the file, or makes it with the identity that is drawn then.
    ///
    /// A file that is not ours, is damaged or was made by a newer program is refused and left as it is.
    pub fn open(path: impl AsRef<Path>, make_identity: impl FnOnce() -> Identity) -> Result<Self> {
        let (name, path) = (path.as_ref(), &*links::resolved(path.as_ref())?);
        let (mut writer, identity) = schema::open_writer(path, make_identity)?;
        let checkpoints = Checkpoints::of(&mut writer, schema::open_reader(path)?)?;
        let resting = (0..READERS)
            .map(|_| schema::open_reader(path))
            .collect::<Result<_>>()?;
        let readers = Readers {
            resting: Mutex::new(resting),
            returned: Condvar::new(),
        };
        Ok(Self {
            identity,
            writer: Writer::shared(writer),
            importing: Mutex::default(),
            readers: Some(readers),
            checkpoints: Some(checkpoints),
            // By the name, which may come to mean another file.
            trouble: Some(Trouble::none(name)),
        })
    }

    /// Opens a file that is there to be read, and changes nothing of it; what is written is refused.
    pub fn open_to_read(path: impl AsRef<Path>) -> Result<Self> {
        let path = links::resolved(path.as_ref())?;
        let (connection, identity) = backup::open_to_read(&path)?;
        Ok(Self {
            identity,
            writer: Writer::alone(connection),
            importing: Mutex::default(),
            readers: None,
            checkpoints: None,
            trouble: None,
        })
    }

    /// A store that is gone when it is dropped, for tests.
    pub fn in_memory(identity: Identity) -> Result<Self> {
        let (writer, identity) = schema::open_in_memory(identity)?;
        Ok(Self {
            identity,
            writer: Writer::alone(writer),
            importing: Mutex::default(),
            readers: None,
            checkpoints: None,
            trouble: None,
        })
    }

    /// Reads in one snapshot.
    fn ask<T>(&self, ask: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let asked = match &self.readers {
            Some(readers) => in_snapshot(readers.take().connection.as_mut(), ask),
            None => self
                .writer
                .look(|connection| in_snapshot(Some(connection), ask)),
        };
        match &self.trouble {
            Some(trouble) => trouble.note(asked),
            None => asked,
        }
    }

    /// Writes everything or nothing.
    fn write<T>(&self, write: impl FnOnce(&Savepoint<'_>) -> Result<T>) -> Result<T> {
        let value = match &self.trouble {
            Some(trouble) => {
                trouble.may_write()?;
                trouble.is_in_place()?;
                let value = trouble.note_write(self.writer.write(write))?;
                // It may have been moved meanwhile; what is acknowledged must be found again.
                trouble.is_in_place()?;
                value
            }
            None => self.writer.write(write)?,
        };
        if let Some(checkpoints) = &self.checkpoints {
            checkpoints.make();
        }
        Ok(value)
    }
}

fn in_snapshot<T>(
    connection: Option<&mut Connection>,
    ask: impl FnOnce(&Connection) -> Result<T>,
) -> Result<T> {
    let connection =
        connection.ok_or_else(|| super::StoreError::Broken("no connection".to_owned()))?;
    let tx = connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
    let value = ask(&tx)?;
    tx.commit()?;
    Ok(value)
}

impl Readers {
    fn take(&self) -> Reader<'_> {
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(connection) = resting.pop() {
                return Reader {
                    readers: self,
                    connection: Some(connection),
                };
            }
            resting = self
                .returned
                .wait(resting)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        let mut resting = self
            .readers
            .resting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        resting.extend(self.connection.take());
        self.readers.returned.notify_one();
    }
}

impl Accounts for SqliteStore {
    fn account_of(&self, person: PersonId) -> Result<Option<Account>> {
        self.ask(|connection| accounts::account_of(connection, person))
    }

    fn replace_account(&self, account: &Account, password_hash: &str) -> Result<bool> {
        self.write(|tx| accounts::replace_account(tx, account, password_hash))
    }

    fn put_setup_code(&self, code: [u8; 32], until: Timestamp) -> Result<bool> {
        self.write(|tx| setup::put_code(tx, code, until))
    }

    fn is_setup_code(&self, code: [u8; 32], now: Timestamp) -> Result<bool> {
        self.ask(|connection| setup::is_code(connection, code, now))
    }

    fn set_up(&self, code: [u8; 32], account: &Account, now: Timestamp) -> Result<bool> {
        self.write(|tx| {
            let is_first = setup::is_code(tx, code, now)?;
            if is_first {
                accounts::put_account(tx, account)?;
            }
            Ok(is_first)
        })
    }

    fn put_folder(&self, folder: Folder) -> Result<()> {
        self.write(|tx| setup::put_folder(tx, folder))
    }

    fn folder(&self) -> Result<Option<Folder>> {
        self.ask(setup::folder)
    }
}

impl Measured for SqliteStore {
    fn figures(&self) -> Result<Figures> {
        self.ask(figures::figures)
    }

    fn note_backup(&self, now: Timestamp) -> Result<()> {
        self.write(|tx| figures::note_backup(tx, now))
    }

    fn stands(&self) -> Result<()> {
        self.ask(|connection| setup::folder(connection).map(drop))?;
        let Some(trouble) = &self.trouble else {
            return Ok(());
        };
        trouble.may_write()?;
        trouble.is_in_place()?;
        if trouble.is_failing() {
            self.write(|tx| schema::write_again(tx))?;
        }
        Ok(())
    }

    fn look_through(&self) -> Result<()> {
        self.ask(figures::look_through)
    }

    fn newest_receipt(&self) -> Result<Option<Timestamp>> {
        self.ask(figures::newest_receipt)
    }

    fn retire_up_to(&self, asked: Timestamp, step_ms: i64) -> Result<Timestamp> {
        self.write(|tx| figures::retire_up_to(tx, asked, step_ms))
    }
}

impl Store for SqliteStore {
    fn identity(&self) -> Result<Identity> {
        Ok(self.identity.clone())
    }

    fn read(&self, look: &mut dyn FnMut(&dyn Snapshot) -> Result<()>) -> Result<()> {
        self.ask(|connection| {
            look(&look::Look {
                connection,
                identity: &self.identity,
            })
        })
    }

    fn commit(&self, commit: &Commit) -> Result<Vec<u64>> {
        self.write(|tx| commit::commit(tx, commit))
    }

    fn retire(&self, ended_before: Timestamp, limit: usize) -> Result<usize> {
        self.write(|tx| commit::retire(tx, ended_before, limit))
    }

    fn put_enrol_code(&self, code: [u8; 32], person: PersonId, until: Timestamp) -> Result<()> {
        self.write(|tx| devices::put_enrol_code(tx, code, person, until))
    }

    fn enrol(
        &self,
        code: [u8; 32],
        public_key: [u8; 32],
        token: [u8; 32],
        now: Timestamp,
    ) -> Result<Option<Device>> {
        self.write(|tx| devices::enrol(tx, self.identity.epoch, code, public_key, token, now))
    }

    fn take_back(&self, device: &Device, token: [u8; 32]) -> Result<bool> {
        self.write(|tx| devices::take_back(tx, device, token))
    }

    fn device_of_token(&self, token: [u8; 32]) -> Result<Option<Device>> {
        self.ask(|connection| devices::device_of_token(connection, token))
    }

    fn revoke(&self, device: DeviceId, now: Timestamp) -> Result<()> {
        self.write(|tx| devices::revoke(tx, device, now))
    }

    fn note_contact(&self, device: DeviceId, now: Timestamp, status: &Status) -> Result<()> {
        self.write(|tx| devices::note_contact(tx, device, now, status))
    }

    fn note_emptied(&self, device: DeviceId) -> Result<()> {
        self.write(|tx| devices::note_emptied(tx, device))
    }

    fn forget_notices(&self, device: DeviceId, up_to: u64) -> Result<()> {
        self.write(|tx| logs::forget_notices(tx, device, up_to))
    }

    fn put_directory(&self, directory: &KeptDirectory, now: Timestamp) -> Result<()> {
        self.write(|tx| accounts::put_directory(tx, directory, (now, MadeBy::Other)))
    }

    fn directory(&self) -> Result<Option<(u64, KeptDirectory)>> {
        self.ask(accounts::directory)
    }

    fn put_account(&self, account: &Account) -> Result<()> {
        self.write(|tx| accounts::put_account(tx, account))
    }

    fn account(&self, login: &str) -> Result<Option<Account>> {
        self.ask(|connection| accounts::account(connection, login))
    }

    fn has_account(&self) -> Result<bool> {
        self.ask(accounts::has_account)
    }

    fn put_session(
        &self,
        token: [u8; 32],
        session: &BrowserSession,
        password_hash: &str,
    ) -> Result<bool> {
        self.write(|tx| accounts::put_session(tx, token, session, password_hash))
    }

    fn session(&self, token: [u8; 32]) -> Result<Option<BrowserSession>> {
        self.ask(|connection| accounts::session(connection, token))
    }

    fn end_session(&self, token: [u8; 32]) -> Result<()> {
        self.write(|tx| accounts::end_session(tx, token))
    }

    fn tidy(&self, now: Timestamp) -> Result<()> {
        self.write(|tx| {
            accounts::forget_sessions(tx, now)?;
            devices::forget_codes(tx, now)?;
            setup::forget_code(tx, now)
        })
    }
}

#[cfg(test)]
mod tests;
