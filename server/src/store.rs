//! What the server keeps: the contract of its database, small and synchronous, each operation whole.
//!
//! Two backends, SQLite ([`sqlite`]) and a model in memory ([`memory`]), are examined by one suite ([`conformance`]). A
//! backend decides nothing about rights, workflow or HTTP; it numbers feeds, sums digests and keeps what it is given.
//!
//! Contract:
//! * an operation that returns `Ok` is durable; one that returns `Err` changed nothing;
//! * [`Store::read`] shows one snapshot, in which heads, digests, rows and documents belong together;
//! * [`Store::commit`] is one transaction: all of it or nothing; a document that has grown in the meantime gives
//!   [`StoreError::Stale`];
//! * feed numbers of a scope are 1, 2, 3 … in the order of commits, drawn last in the transaction; within a commit they
//!   follow the order of its documents, then of ordinals;
//! * for each document of a commit: a scope that it keeps gets one `Change` row for each added change; a scope that it
//!   leaves one `Leave` row; a scope that it enters (every scope, if the document is new or had been retired) one
//!   `Join` row; the digest of a scope is always the sum over the documents in its feed;
//! * what names an unknown device (contact, revocation, pushed bytes, what it was told) is passed over;
//! * counters (`n`, bytes, notices) stay below 2⁶³; admission bounds them far lower.

mod accounts;
pub mod conformance;
mod error;
pub mod faulty;
mod figures;
mod identity;
pub mod memory;
pub mod reference;
mod serial;
pub mod sqlite;
pub mod whole;

use std::collections::BTreeSet;

use patrol_core::domain::id::{ChangeHash, DeviceId, DocumentId, EntryId, PersonId};
use patrol_core::domain::place::Scope;
use patrol_core::domain::time::Timestamp;
use patrol_core::sync::seal::Digest;
use patrol_core::sync::wire::{Notice, Status};

pub use accounts::{Accounts, Folder};
pub use error::StoreError;
pub use figures::{Figures, Measured};
pub use identity::{Identity, NewEpoch};
use reference::KeptDirectory;
pub use reference::Reference;
pub(crate) use serial::serial;

/// Result of an operation.
pub type Result<T> = std::result::Result<T, StoreError>;

/// An enrolment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Device {
    /// Its id.
    pub id: DeviceId,
    /// Whose it is.
    pub person: PersonId,
    /// Its Ed25519 public key.
    pub public_key: [u8; 32],
    /// Since when.
    pub enrolled_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// A revoked device: bytes it has pushed since.
    pub revoked_bytes: u64,
    /// A revoked device: it has declared its outbox empty and may push no more.
    pub revoked_empty: bool,
    /// The last contact.
    pub seen_at: Option<Timestamp>,
    /// What it last told about itself: what is amiss as of the last contact noted, what it is as last told.
    pub status: Status,
    /// The highest `n` logged.
    pub n_max: u64,
    /// Up to here it has been told which `n` are missing.
    pub n_told: u64,
}

impl Device {
    /// A device of which nothing is known but its enrolment.
    pub fn new(
        id: DeviceId,
        person: PersonId,
        public_key: [u8; 32],
        enrolled_at: Timestamp,
    ) -> Self {
        Self {
            id,
            person,
            public_key,
            enrolled_at,
            revoked_at: None,
            revoked_bytes: 0,
            revoked_empty: false,
            seen_at: None,
            status: Status::default(),
            n_max: 0,
            n_told: 0,
        }
    }
}

/// An admitted change as it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredChange {
    /// Its hash.
    pub hash: ChangeHash,
    /// The uncompressed chunk.
    pub body: Vec<u8>,
    /// When it was received.
    pub received_at: Timestamp,
    /// The write in which it came, as the rows of that write say; a commit's own value is passed over.
    pub commit: u64,
}

/// A document as it is kept: its changes by ordinal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredDocument {
    /// Its id.
    pub id: DocumentId,
    /// Ordinal 0, 1, 2 …
    pub changes: Vec<StoredChange>,
}

/// What lists show of a document, derived from it at every commit.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Summary {
    /// `case`, `tally` …
    pub kind: String,
    /// The number shown.
    pub number: Option<String>,
    /// All numbers, for searching.
    pub numbers: Vec<String>,
    /// The stage shown; empty for kinds without stages.
    pub stage: String,
    /// Put back to work by a failed check.
    pub rework: bool,
    /// The village shown.
    pub village: Option<u64>,
    /// The category shown: scheme, kind, code.
    pub category: Option<(u64, u64, u64)>,
    /// The matter in words.
    pub words: String,
    /// Units at work, ascending.
    pub units: Vec<u64>,
    /// Who reported it.
    pub reporter: Option<PersonId>,
    /// Unsettled conflicts, of entries and registers.
    pub conflicts: u32,
    /// Entries that do not fit.
    pub anomalies: u32,
    /// When the first change was received.
    pub opened_at: Timestamp,
    /// When the last change was received.
    pub changed_at: Timestamp,
    /// When the last change was received after which the case was ended; for leaving feeds by age.
    pub ended_at: Option<Timestamp>,
}

/// One document's part of a commit. A commit names a document once at most, and a document begins with a change;
/// anything else is `Broken`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DocumentCommit {
    /// Which.
    pub id: DocumentId,
    /// How many changes it had when it was read; another number now gives `Stale`.
    pub expected_len: usize,
    /// Changes to add, in order.
    pub changes: Vec<StoredChange>,
    /// Its scopes from now on; they may change without any added change. A scope named twice counts once.
    pub scopes: Vec<Scope>,
    /// What it adds to digests from now on.
    pub digest: Digest,
    /// What lists show from now on.
    pub summary: Summary,
    /// The device that opened the document. Kept from the commit that makes the document; ignored in later ones.
    pub opened_by: Option<DeviceId>,
}

/// What became of one pushed change that carries an entry: the log by which losses are found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FateRow {
    /// By which device.
    pub device: DeviceId,
    /// The device's counter.
    pub n: u64,
    /// The entry.
    pub entry: EntryId,
    /// `ok`, `review` or a refusal's code.
    pub fate: String,
}

/// Why a change lies in a box.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BoxedAs {
    /// Held for review.
    Held,
    /// Refused for a reason (its number).
    Refused(u64),
}

/// A change that was not admitted, kept with its bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BoxedChange {
    /// By which device.
    pub device: DeviceId,
    /// Of which document.
    pub document: DocumentId,
    /// The change.
    pub hash: ChangeHash,
    /// Its bytes.
    pub body: Vec<u8>,
    /// Its entry's author, where it could be read.
    pub person: Option<PersonId>,
    /// Why it is here.
    pub state: BoxedAs,
    /// Since when.
    pub boxed_at: Timestamp,
    /// Who settled a review, when, and with which words; the state is then the outcome, or the row has been released.
    pub settled: Option<Settled>,
}

/// How a review ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settled {
    /// Who.
    pub person: PersonId,
    /// When.
    pub at: Timestamp,
    /// Why, in his words.
    pub words: String,
    /// Whether the change was released (admitted).
    pub released: bool,
}

/// The row that proves who pushed a frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BatchRow {
    /// Who signed.
    pub device: DeviceId,
    /// Lowest and highest `n`.
    pub n: (u64, u64),
    /// The leaves, 32 bytes each.
    pub leaves: Vec<u8>,
    /// Over all of it.
    pub signature: [u8; 64],
    /// When it was received.
    pub received_at: Timestamp,
}

/// One whole write: everything that follows from one push frame or one action of the office.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Commit {
    /// Documents that grow.
    pub documents: Vec<DocumentCommit>,
    /// The proof of a push frame.
    pub batch: Option<BatchRow>,
    /// The log by which losses are found. A row whose (device, n, entry) is there stays as it is, but its fate is replaced.
    pub fates: Vec<FateRow>,
    /// Changes that go into a box, or whose row there changes: the row of that device and hash is replaced and keeps
    /// its place in the order.
    pub boxed: Vec<BoxedChange>,
    /// Held changes that this commit settles or rests on: where one of them is held no more, nothing is done and the answer is `Stale`. A row
    /// that was settled is never replaced, unless as `quarantined`: nobody has looked at that one.
    pub held: Vec<(DeviceId, ChangeHash)>,
    /// The held changes of a document, as [`Snapshot::held_keys`] showed them: where there are others by now, nothing is done and the answer is
    /// `Stale`.
    pub seen_held: Option<(DocumentId, Vec<(DeviceId, ChangeHash)>)>,
    /// Devices that have something to hand in again, though they had said that there was nothing.
    pub reopened: Vec<DeviceId>,
    /// Notices to devices, numbered for each device from 1, never again.
    pub notices: Vec<(DeviceId, Notice)>,
    /// Bytes that a revoked device has pushed.
    pub revoked_bytes: Option<(DeviceId, u64)>,
    /// Changes of a device that have a fate for good by this: what it said that it had to push is less by so many.
    pub handed_in: Option<(DeviceId, u64)>,
    /// Up to which `n` a device is told, by one of the notices, what is missing.
    pub told: Option<(DeviceId, u64)>,
}

/// A row of a feed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FeedRow {
    /// Its number within the scope, from 1.
    pub seq: u64,
    /// Its place in the order of commits over all scopes; rows of one commit share it. Only writes that add rows count.
    pub commit: u64,
    /// The document.
    pub document: DocumentId,
    /// What happened.
    pub event: FeedEvent,
}

/// What a feed's row says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FeedEvent {
    /// A change was added: its ordinal.
    Change(u64),
    /// The document joined the scope with all changes up to this ordinal.
    Join(u64),
    /// The document left the scope.
    Leave,
}

/// A scope's row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ScopeRow {
    /// The handle.
    pub number: u64,
    /// The number of the last row of its feed.
    pub head: u64,
    /// The sum over the documents in its feed.
    pub digest: Digest,
}

/// Which documents a list shows.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CaseQuery {
    /// Only this kind; `case` if empty.
    pub kind: String,
    /// Only these stages; all if empty.
    pub stages: Vec<String>,
    /// Only documents in one of these scopes, also where they have left its feed by age; all if none.
    pub scopes: Option<Vec<Scope>>,
    /// Only documents of which this is one of the numbers, exactly.
    pub number: Option<String>,
    /// Only those with an unsettled conflict.
    pub conflicts_only: bool,
    /// Continue after this document of the last page: its time of change and id.
    pub after: Option<(Timestamp, DocumentId)>,
    /// So many rows.
    pub limit: usize,
}

/// How much of a device lies in boxes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BoxedSince {
    /// Changes.
    pub rows: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// One snapshot of everything.
pub trait Snapshot: whole::Whole {
    /// A scope's row; none before a document has joined it.
    fn scope(&self, scope: Scope) -> Result<Option<ScopeRow>>;
    /// Rows of a scope's feed after `seq`, ascending, at most `limit`.
    fn feed(&self, number: u64, seq: u64, limit: usize) -> Result<Vec<FeedRow>>;
    /// Members of a scope that joined before row `before`, newest first, at most `limit`: row of joining, document.
    fn members_before(
        &self,
        number: u64,
        before: u64,
        limit: usize,
    ) -> Result<Vec<(u64, DocumentId)>>;
    /// The feeds in which a document is: scope's handle, row of joining.
    fn memberships(&self, document: DocumentId) -> Result<Vec<(u64, u64)>>;
    /// A document's scopes, also those whose feed it has left by age.
    fn scopes_of(&self, document: DocumentId) -> Result<BTreeSet<Scope>>;
    /// The last write of which a scope's feed holds no row beyond `seq`; none without a row there.
    fn commit_through(&self, number: u64, seq: u64) -> Result<Option<u64>>;
    /// The rows that a scope's feed holds, up to `seq`, of a write that goes on beyond it; none where that is told whole.
    fn told_in_part(&self, number: u64, seq: u64) -> Result<Vec<FeedRow>>;
    /// A document with all its changes.
    fn document(&self, id: DocumentId) -> Result<Option<StoredDocument>>;
    /// What lists show of a document.
    fn summary(&self, id: DocumentId) -> Result<Option<Summary>>;
    /// Documents for a list, the last changed first; of those changed at the same time the greater id first.
    fn cases(&self, query: &CaseQuery) -> Result<Vec<(DocumentId, Summary)>>;
    /// A device's row in a box.
    fn boxed(&self, device: DeviceId, hash: ChangeHash) -> Result<Option<BoxedChange>>;
    /// Changes of a document that are held and not settled, in the order in which they came.
    fn held_of(&self, document: DocumentId) -> Result<Vec<BoxedChange>>;
    /// Of which device each of those is, and its hash: what they are made of is not read.
    fn held_keys(&self, document: DocumentId) -> Result<Vec<(DeviceId, ChangeHash)>>;
    /// How much of a device has come into boxes since a time.
    fn boxed_since(&self, device: DeviceId, since: Timestamp) -> Result<BoxedSince>;
    /// How many bytes of proofs of a device's push frames have been kept since a time.
    fn proofs_since(&self, device: DeviceId, since: Timestamp) -> Result<u64>;
    /// Changes that are held and not settled, numbered in the order in which they came: those after a number, at most `limit`.
    fn held(&self, after: u64, limit: usize) -> Result<Vec<(u64, BoxedChange)>>;
    /// Notices for a device after a number.
    fn notices(&self, device: DeviceId, after: u64) -> Result<Vec<(u64, Notice)>>;
    /// The log of a device: rows with `n` from `first` on, ascending by `n` and entry, at most `limit`.
    fn fates(&self, device: DeviceId, first: u64, limit: usize) -> Result<Vec<FateRow>>;
    /// Push frames of a device, in the order in which they came.
    fn batches(&self, device: DeviceId) -> Result<Vec<BatchRow>>;
    /// A device.
    fn device(&self, id: DeviceId) -> Result<Option<Device>>;
    /// All devices, by id.
    fn devices(&self) -> Result<Vec<Device>>;
    /// How many documents a device has opened at a time or later.
    fn opened_since(&self, device: DeviceId, since: Timestamp) -> Result<u64>;
    /// The highest serial among all numbers with this epoch's block, and the highest `n` of the server's own device.
    fn high_marks(&self) -> Result<HighMarks>;
    /// All documents, by id, for checking and auditing.
    fn all_documents(&self) -> Result<Vec<DocumentId>>;
}

/// Where counters that live in memory go on after a start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct HighMarks {
    /// The highest serial of a case number of this epoch.
    pub number: u64,
    /// The highest `n` of the server's device of this epoch.
    pub n: u64,
}

/// What signs a person in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    /// The person.
    pub person: PersonId,
    /// The name under which he signs in.
    pub login: String,
    /// Argon2id, in PHC form.
    pub password_hash: String,
}

/// A browser that is signed in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BrowserSession {
    /// Who.
    pub person: PersonId,
    /// Until when.
    pub until: Timestamp,
}

/// The server's database.
pub trait Store: Accounts + Measured + Reference + Send + Sync {
    /// Who the server is.
    fn identity(&self) -> Result<Identity>;
    /// Shows one snapshot. `look` must not call the store again.
    fn read(&self, look: &mut dyn FnMut(&dyn Snapshot) -> Result<()>) -> Result<()>;
    /// Writes everything or nothing. Returns the ordinal of each document's first added change.
    fn commit(&self, commit: &Commit) -> Result<Vec<u64>>;
    /// Takes documents that ended before a time out of the feeds of their scopes, the longest ended first and at most `limit`; each joins
    /// again with its next commit, and its scopes stay. Returns how many, those that are in no feed not counted.
    fn retire(&self, ended_before: Timestamp, limit: usize) -> Result<usize>;
    /// Keeps a one-time code for enrolling a person's device (its hash, SHA-256), replacing the same one.
    fn put_enrol_code(&self, code: [u8; 32], person: PersonId, until: Timestamp) -> Result<()>;
    /// Uses a code: once, and not after its time. Allots the device id. None: no such code. A token in use is `Broken`.
    fn enrol(
        &self,
        code: [u8; 32],
        public_key: [u8; 32],
        token: [u8; 32],
        now: Timestamp,
    ) -> Result<Option<Device>>;
    /// Keeps a device that a lost database had enrolled, under the id that it has; its notices are numbered on from the time of that, beyond
    /// what it can have heard. False: that id is known. A token in use is `Broken`.
    fn take_back(&self, device: &Device, token: [u8; 32]) -> Result<bool>;
    /// The device of a token (its hash, SHA-256), revoked or not.
    fn device_of_token(&self, token: [u8; 32]) -> Result<Option<Device>>;
    /// Stops a device's feed; the first time stands.
    fn revoke(&self, device: DeviceId, now: Timestamp) -> Result<()>;
    /// Notes a contact: when, and what it told. Version, clock offset, photo bytes and what is kept back stay where it is silent; of the rest, silence
    /// says that nothing is amiss.
    fn note_contact(&self, device: DeviceId, now: Timestamp, status: &Status) -> Result<()>;
    /// Notes that a revoked device has declared its outbox empty, which stays. Of another device it is ignored.
    fn note_emptied(&self, device: DeviceId) -> Result<()>;
    /// Forgets notices that the device has named.
    fn forget_notices(&self, device: DeviceId, up_to: u64) -> Result<()>;
    /// Keeps the directory; earlier ones are kept too.
    fn put_directory(&self, directory: &KeptDirectory, now: Timestamp) -> Result<()>;
    /// The directory kept last, and its number: 1, 2, 3 …
    fn directory(&self) -> Result<Option<(u64, KeptDirectory)>>;
    /// Keeps an account, replacing one of the same person, whose sessions end; the setup code goes. A login that is another person's is `Broken`.
    fn put_account(&self, account: &Account) -> Result<()>;
    /// The account of a login.
    fn account(&self, login: &str) -> Result<Option<Account>>;
    /// Whether anybody has an account.
    fn has_account(&self) -> Result<bool>;
    /// Keeps a browser's session under its token's hash, if the person's account still has this password's hash. False: it has not.
    fn put_session(
        &self,
        token: [u8; 32],
        session: &BrowserSession,
        password_hash: &str,
    ) -> Result<bool>;
    /// The session of a token's hash, ended by time or not.
    fn session(&self, token: [u8; 32]) -> Result<Option<BrowserSession>>;
    /// Ends a session.
    fn end_session(&self, token: [u8; 32]) -> Result<()>;
    /// Forgets sessions and one-time codes whose time is over.
    fn tidy(&self, now: Timestamp) -> Result<()>;
}

#[cfg(test)]
mod tests;
