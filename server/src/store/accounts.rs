//! What the contract keeps of accounts beside those that sign in: how the first one comes to be, and whence the people are.
//!
//! Signing in itself stands in [`Store`](super::Store).

use patrol_core::domain::id::PersonId;
use patrol_core::domain::time::Timestamp;

use super::{Account, Result};

/// Accounts and people, the part of a [`Store`](super::Store) that few need.
pub trait Accounts {
    /// The account of a person.
    fn account_of(&self, person: PersonId) -> Result<Option<Account>>;
    /// Keeps an account as [`Store::put_account`](super::Store::put_account) does, if the person's still has this password's hash. False: it has
    /// not.
    fn replace_account(&self, account: &Account, password_hash: &str) -> Result<bool>;
    /// Keeps the code (its hash, SHA-256) with which the first account is made, in place of an earlier one. False: somebody has an account.
    fn put_setup_code(&self, code: [u8; 32], until: Timestamp) -> Result<bool>;
    /// Whether that is the setup code, and its time is not over.
    fn is_setup_code(&self, code: [u8; 32], now: Timestamp) -> Result<bool>;
    /// Uses the setup code and keeps the first account. False: it is not the setup code, or its time is over.
    fn set_up(&self, code: [u8; 32], account: &Account, now: Timestamp) -> Result<bool>;
    /// Notes what was put in force from a folder.
    fn put_folder(&self, folder: Folder) -> Result<()>;
    /// What was last put in force from a folder.
    fn folder(&self) -> Result<Option<Folder>>;
}

/// What a folder of files held when it was put in force, by hashes: what stands in it unchanged is not put again, so that what was changed
/// by other ways since then stays.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Folder {
    /// Everything but people.
    pub places: [u8; 32],
    /// The people; none where the folder had none.
    pub people: Option<[u8; 32]>,
}
