//! The part of the contract about what is imported as a whole: versions of the directory, components, and the browsers that serve as
//! villages' terminals.
//!
//! Whether what is kept is sound is asked before it comes here.

use std::collections::BTreeSet;

use patrol_core::domain::component::near::Spot;
use patrol_core::domain::component::{Component, Position};
use patrol_core::domain::id::PersonId;
use patrol_core::domain::place::VillageCode;
use patrol_core::domain::time::Timestamp;
use patrol_core::sync::components::{self, Tag};

use super::{Commit, Result};

/// A component as it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ComponentRow {
    /// Its code.
    pub code: u64,
    /// Where it is counted.
    pub village: VillageCode,
    /// Where it stands.
    pub position: Position,
    /// All of it, as it travels.
    pub bytes: Vec<u8>,
}

impl From<&Component> for ComponentRow {
    fn from(component: &Component) -> Self {
        Self {
            code: component.code.number(),
            village: component.village,
            position: component.position,
            bytes: components::encode(component),
        }
    }
}

/// Components that come one by one, each code once. An error among them ends the operation, which then has changed nothing.
pub type ComponentRows<'r> = &'r mut dyn Iterator<Item = Result<ComponentRow>>;

/// What becomes of components that no row names, in a village that the rows name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rest {
    /// They are removed: the rows are all that stands there.
    Removed,
    /// They stay.
    Kept,
}

/// How a component differs from what it was.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Differs {
    /// It is there no more.
    Removed,
    /// Something of it is otherwise.
    Changed,
    /// It was not there.
    Added,
}

/// Is told of components that differ, by their codes.
pub type Differing<'d> = &'d mut dyn FnMut(Differs, u64);

/// How components are replaced.
#[derive(Clone, Copy, Debug)]
pub struct Replacing<'c> {
    /// After the import of this number (0: after none).
    pub base: u64,
    /// Under the directory of this number (0: under none).
    pub directory: u64,
    /// What becomes of the others.
    pub rest: Rest,
    /// When.
    pub now: Timestamp,
    /// What is committed with it, in the same transaction, also where nothing is replaced.
    pub with: &'c Commit,
}

/// What an import of components does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Weighed {
    /// Codes that were not there.
    pub added: u64,
    /// Components of which anything differs.
    pub changed: u64,
    /// Components of a village that is named, which are not named themselves.
    pub removed: u64,
    /// Components that are as they were.
    pub unchanged: u64,
}

impl Weighed {
    /// Whether everything is as it was.
    pub fn is_nothing(&self) -> bool {
        self.added + self.changed + self.removed == 0
    }
}

/// An import of components that was adopted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ComponentImport {
    /// Its number: 1, 2, 3 …
    pub no: u64,
    /// When.
    pub kept_at: Timestamp,
    /// What it did.
    pub weighed: Weighed,
}

/// What made a version of the directory of the one before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MadeBy {
    /// Somebody left.
    Leave,
    /// Anything else: an import, a folder, the first administrator.
    Other,
}

/// A directory as it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeptDirectory {
    /// As phones fetch it.
    pub bytes: Vec<u8>,
    /// From what it follows which people are in it; none in those that were kept before this was.
    pub basis: Option<KeptBasis>,
}

/// From what it follows which people are in a directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeptBasis {
    /// What files say of people, as a directory of people alone.
    pub said: Vec<u8>,
    /// All leaves, as JSON.
    pub leaves: String,
}

/// A version of the directory that is or was in force.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Version {
    /// Its number: 1, 2, 3 …
    pub no: u64,
    /// When it was kept.
    pub kept_at: Timestamp,
    /// None in those that were kept before this was noted.
    pub made_by: Option<MadeBy>,
}

/// A browser that serves as the terminal of a village hall.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Terminal {
    /// Which village's.
    pub village: VillageCode,
    /// Since when.
    pub registered_at: Timestamp,
    /// Who registered it.
    pub registered_by: PersonId,
}

/// What is imported as a whole.
pub trait Reference {
    /// All directories that were in force, by number.
    fn directories(&self) -> Result<Vec<Version>>;
    /// The directory of a number.
    fn directory_of(&self, no: u64) -> Result<Option<KeptDirectory>>;
    /// Keeps a directory after the one of that number (0: after none) and, where one is said, the import of components of that number; `Stale`
    /// where there is another by now. Returns its number.
    fn replace_directory(
        &self,
        base: (u64, Option<u64>),
        directory: &KeptDirectory,
        kept: (Timestamp, MadeBy),
    ) -> Result<u64>;

    /// What [`Reference::replace_components`] would do; each component that would differ is told.
    fn weigh_components(
        &self,
        rows: ComponentRows<'_>,
        rest: Rest,
        told: Differing<'_>,
    ) -> Result<Weighed>;
    /// Puts rows in force, and what becomes of the rest of the villages that they name; `Stale` where there was another import by now, or another
    /// directory is in force. While rows come, other writes go on and what was in force is; then all is in force at once. What is replaced is kept. An import that does
    /// nothing is not counted.
    fn replace_components(
        &self,
        rows: ComponentRows<'_>,
        replacing: &Replacing<'_>,
    ) -> Result<Weighed>;
    /// The highest code from one to another that a component has or had.
    fn last_component(&self, from: u64, to: u64) -> Result<Option<u64>>;
    /// Imports of components, ascending.
    fn component_imports(&self) -> Result<Vec<ComponentImport>>;
    /// What an import changed or removed, as it had been: by their codes, those after a code, at most `limit`.
    fn replaced_components(
        &self,
        import: u64,
        after: u64,
        limit: usize,
    ) -> Result<Vec<(u64, Vec<u8>)>>;
    /// The bytes of a component.
    fn component(&self, code: u64) -> Result<Option<Vec<u8>>>;
    /// The components in stretches of cells, each from one number to another.
    fn component_spots(&self, stretches: &[(i64, i64)]) -> Result<Vec<Spot>>;
    /// Of these villages those that have components, ascending, with their tags.
    fn component_tags(&self, of: &BTreeSet<VillageCode>) -> Result<Vec<(VillageCode, Tag)>>;
    /// A village's components, joined.
    fn components_of(&self, village: VillageCode) -> Result<Vec<u8>>;

    /// Registers a browser for a village, in place of one that was there.
    fn put_terminal(&self, terminal: &Terminal) -> Result<()>;
    /// Ends a registration. False: there was none.
    fn end_terminal(&self, village: VillageCode) -> Result<bool>;
    /// All registered browsers, by village.
    fn terminals(&self) -> Result<Vec<Terminal>>;
}
