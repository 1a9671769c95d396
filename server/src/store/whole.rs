//! The part of the contract that shows everything as it is kept, row by row, for who looks whether it agrees ([`crate::check`]).
//!
//! A row that cannot be read is told as that and does not end the look. Nothing here is asked while a server serves.

use patrol_core::domain::id::{DeviceId, DocumentId, EntryId};
use patrol_core::domain::place::{Scope, VillageCode};
use patrol_core::sync::components::Tag;
use patrol_core::sync::seal::Digest;

use super::reference::{ComponentImport, KeptDirectory};
use super::{BatchRow, BoxedChange, Device, FateRow, FeedRow, Result, StoredChange, Summary};

/// A row; or which one cannot be read, and what of it, without what it holds.
pub type Row<T> = std::result::Result<T, String>;

/// Takes rows one by one.
pub type Visit<'v, T> = &'v mut dyn FnMut(Row<T>) -> Result<()>;

/// What is counted on from one write to the next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Counters {
    /// The last write that added rows to feeds.
    pub commit: u64,
    /// The number of the last device enrolled in this epoch.
    pub device: u32,
}

/// A document's own row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DocumentRow {
    /// How many changes it has.
    pub len: u64,
    /// What it adds to the digest of each of its feeds.
    pub digest: Digest,
    /// The device that opened it.
    pub opened_by: Option<DeviceId>,
    /// Whether it has left its feeds by age.
    pub is_retired: bool,
    /// What lists show.
    pub summary: Summary,
    /// By which of its numbers it is found.
    pub found_by: Vec<String>,
}

/// A document and all that is kept of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WholeDocument {
    /// Its own row.
    pub row: Row<DocumentRow>,
    /// Its changes with their ordinals, ascending.
    pub changes: Row<Vec<(u64, StoredChange)>>,
    /// Its scopes' handles, ascending, each with the row of joining; 0: it has left the feed by age.
    pub members: Vec<(u64, u64)>,
}

/// A number under which a document is found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NumberRow {
    /// The number.
    pub number: String,
    /// The document.
    pub document: DocumentId,
    /// How the document has it; none: it has not.
    pub had: Option<Had>,
}

/// How a document has a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Had {
    /// It is the one shown.
    Shown,
    /// It is one of the others.
    Other,
}

/// A member of a scope.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Member {
    /// The document.
    pub document: DocumentId,
    /// The feed's row of joining; 0: it has left the feed by age.
    pub joined: u64,
    /// What the document's row says that it adds to digests.
    pub digest: Digest,
}

/// A scope and where its feed stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WholeScope {
    /// The handle.
    pub number: u64,
    /// Which.
    pub scope: Scope,
    /// The number of the last row of its feed.
    pub head: u64,
    /// The sum over the documents in its feed.
    pub digest: Digest,
}

/// A component as it stands in columns, of any import.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WholeComponent {
    /// Its code.
    pub code: u64,
    /// The import that brought it.
    pub since: u64,
    /// The import that replaced it.
    pub until: Option<u64>,
    /// Where it is counted.
    pub village: u64,
    /// The cell in which it is found.
    pub cell: i64,
    /// Where it stands.
    pub lon_e7: i64,
    /// Where it stands.
    pub lat_e7: i64,
    /// All of it, as it travels.
    pub bytes: Vec<u8>,
}

/// The components of a village that are in force.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VillageComponents {
    /// The village.
    pub village: VillageCode,
    /// The tag that is kept.
    pub tag: Option<Tag>,
    /// All of them, joined.
    pub joined: Vec<u8>,
}

/// The import of components that was prepared last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Preparing {
    /// How many have begun.
    pub turn: u64,
    /// It has not ended.
    pub is_open: bool,
}

/// Everything, within one snapshot.
pub trait Whole {
    /// The counters.
    fn counters(&self) -> Result<Row<Counters>>;
    /// All documents, ascending.
    fn document_ids(&self, visit: Visit<'_, DocumentId>) -> Result<()>;
    /// A document.
    fn whole_document(&self, id: DocumentId) -> Result<WholeDocument>;
    /// All numbers, ascending, then by document.
    fn all_numbers(&self, visit: Visit<'_, NumberRow>) -> Result<()>;
    /// All scopes, by handle.
    fn all_scopes(&self, visit: Visit<'_, WholeScope>) -> Result<()>;
    /// A feed from its first row to its last.
    fn whole_feed(&self, number: u64, visit: Visit<'_, FeedRow>) -> Result<()>;
    /// The members of a scope, also those that have left its feed by age.
    fn all_members(&self, number: u64, visit: Visit<'_, Member>) -> Result<()>;
    /// What the log says of one entry.
    fn fate(&self, device: DeviceId, n: u64, entry: EntryId) -> Result<Option<String>>;
    /// The whole log.
    fn all_fates(&self, visit: Visit<'_, FateRow>) -> Result<()>;
    /// All boxes, in the order in which changes came, each with its number.
    fn all_boxed(&self, visit: Visit<'_, (u64, BoxedChange)>) -> Result<()>;
    /// All push frames with their numbers; those of a device in the order in which they came.
    fn all_batches(&self, visit: Visit<'_, (u64, BatchRow)>) -> Result<()>;
    /// All notices that wait: the device and the number of each.
    fn all_notices(&self, visit: Visit<'_, (DeviceId, u64)>) -> Result<()>;
    /// All devices, by id.
    fn all_devices(&self, visit: Visit<'_, Device>) -> Result<()>;
    /// All directories that were in force, by number.
    fn all_directories(&self, visit: Visit<'_, (u64, KeptDirectory)>) -> Result<()>;
    /// All rows of components, by code, then by import. The model, which keeps them otherwise, shows none; nor imports.
    fn all_components(&self, visit: Visit<'_, WholeComponent>) -> Result<()>;
    /// The villages of components and those with a tag.
    fn all_villages(&self, visit: Visit<'_, VillageComponents>) -> Result<()>;
    /// All imports of components that count, by number.
    fn all_imports(&self, visit: Visit<'_, ComponentImport>) -> Result<()>;
    /// The import of components that was prepared last; none before the first.
    fn preparing(&self) -> Result<Option<Preparing>>;
    /// What disagrees within the backend's own tables, in words.
    fn disagreements(&self, tell: &mut dyn FnMut(String)) -> Result<()>;
}
