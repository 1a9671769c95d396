//! Nothing of what is imported as a whole breaks by order: all of it is the inner store's.

use std::collections::BTreeSet;

use patrol_core::domain::component::near::Spot;
use patrol_core::domain::place::VillageCode;
use patrol_core::domain::time::Timestamp;
use patrol_core::sync::components::Tag;

use super::FaultyStore;
use crate::store::reference::{
    ComponentImport, ComponentRows, Differing, KeptDirectory, MadeBy, Reference, Replacing, Rest,
    Terminal, Version, Weighed,
};
use crate::store::{Result, Store};

impl<S: Store> Reference for FaultyStore<S> {
    fn directories(&self) -> Result<Vec<Version>> {
        self.inner.directories()
    }

    fn directory_of(&self, no: u64) -> Result<Option<KeptDirectory>> {
        self.inner.directory_of(no)
    }

    fn replace_directory(
        &self,
        base: (u64, Option<u64>),
        directory: &KeptDirectory,
        kept: (Timestamp, MadeBy),
    ) -> Result<u64> {
        self.let_others();
        self.inner.replace_directory(base, directory, kept)
    }

    fn weigh_components(
        &self,
        rows: ComponentRows<'_>,
        rest: Rest,
        told: Differing<'_>,
    ) -> Result<Weighed> {
        self.inner.weigh_components(rows, rest, told)
    }

    fn replace_components(
        &self,
        rows: ComponentRows<'_>,
        replacing: &Replacing<'_>,
    ) -> Result<Weighed> {
        self.inner.replace_components(rows, replacing)
    }

    fn last_component(&self, from: u64, to: u64) -> Result<Option<u64>> {
        self.inner.last_component(from, to)
    }

    fn component_imports(&self) -> Result<Vec<ComponentImport>> {
        self.inner.component_imports()
    }

    fn replaced_components(
        &self,
        import: u64,
        after: u64,
        limit: usize,
    ) -> Result<Vec<(u64, Vec<u8>)>> {
        self.inner.replaced_components(import, after, limit)
    }

    fn component(&self, code: u64) -> Result<Option<Vec<u8>>> {
        self.inner.component(code)
    }

    fn component_spots(&self, stretches: &[(i64, i64)]) -> Result<Vec<Spot>> {
        self.inner.component_spots(stretches)
    }

    fn component_tags(&self, of: &BTreeSet<VillageCode>) -> Result<Vec<(VillageCode, Tag)>> {
        self.inner.component_tags(of)
    }

    fn components_of(&self, village: VillageCode) -> Result<Vec<u8>> {
        self.inner.components_of(village)
    }

    fn put_terminal(&self, terminal: &Terminal) -> Result<()> {
        self.inner.put_terminal(terminal)
    }

    fn end_terminal(&self, village: VillageCode) -> Result<bool> {
        self.inner.end_terminal(village)
    }

    fn terminals(&self) -> Result<Vec<Terminal>> {
        self.inner.terminals()
    }
}
