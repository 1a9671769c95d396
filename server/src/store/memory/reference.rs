//! What the model keeps of what is imported as a whole.

use std::collections::{BTreeMap, BTreeSet};

use patrol_core::domain::component::near::{self, Spot};
use patrol_core::domain::place::VillageCode;
use patrol_core::domain::time::Timestamp;
use patrol_core::sync::components::{self, Tag};

use super::{MemoryStore, State};
use crate::store::reference::{
    ComponentImport, ComponentRow, ComponentRows, Differing, Differs, KeptDirectory, MadeBy,
    Reference, Replacing, Rest, Terminal, Version, Weighed,
};
use crate::store::{Result, StoreError};

/// Components, imports of them, and what these replaced, with the import's number.
#[derive(Clone, Default)]
pub(super) struct Components {
    rows: BTreeMap<u64, ComponentRow>,
    imports: Vec<ComponentImport>,
    replaced: Vec<(u64, ComponentRow)>,
}

impl Components {
    /// What then would be there, what is replaced for that, and how much it is.
    fn with(
        &self,
        rows: ComponentRows<'_>,
        rest: Rest,
        told: Differing<'_>,
    ) -> Result<(Self, Weighed)> {
        let (mut then, mut weighed) = (self.clone(), Weighed::default());
        let import = self.imports.len() as u64 + 1;
        let (mut seen, mut named) = (BTreeSet::new(), BTreeSet::new());
        for row in rows {
            let row = row?;
            seen.insert(row.code);
            named.insert(row.village);
            match then.rows.insert(row.code, row.clone()) {
                Some(before) if before.bytes == row.bytes => weighed.unchanged += 1,
                Some(before) => {
                    weighed.changed += 1;
                    told(Differs::Changed, row.code);
                    then.replaced.push((import, before));
                }
                None => {
                    weighed.added += 1;
                    told(Differs::Added, row.code);
                }
            }
        }
        let is_gone = |row: &ComponentRow| {
            rest == Rest::Removed && named.contains(&row.village) && !seen.contains(&row.code)
        };
        let gone: Vec<ComponentRow> = then
            .rows
            .values()
            .filter(|row| is_gone(row))
            .cloned()
            .collect();
        for row in gone {
            weighed.removed += 1;
            told(Differs::Removed, row.code);
            then.rows.remove(&row.code);
            then.replaced.push((import, row));
        }
        Ok((then, weighed))
    }

    fn of(&self, village: VillageCode) -> Vec<u8> {
        let rows = self.rows.values().filter(|row| row.village == village);
        let rows: Vec<&[u8]> = rows.map(|row| row.bytes.as_slice()).collect();
        components::join(village, rows.into_iter())
    }
}

impl State {
    pub(super) fn put_directory(
        &mut self,
        directory: &KeptDirectory,
        (kept_at, made_by): (Timestamp, MadeBy),
    ) {
        let version = Version {
            no: self.directories.len() as u64 + 1,
            kept_at,
            made_by: Some(made_by),
        };
        self.directories.push((version, directory.clone()));
    }
}

impl Reference for MemoryStore {
    fn directories(&self) -> Result<Vec<Version>> {
        let state = self.present();
        let versions = state.directories.iter().map(|(version, _)| *version);
        Ok(versions.collect())
    }

    fn directory_of(&self, no: u64) -> Result<Option<KeptDirectory>> {
        let state = self.present();
        let mut kept = state.directories.iter();
        let kept = kept.find(|(version, _)| version.no == no);
        Ok(kept.map(|(_, kept)| kept.clone()))
    }

    fn replace_directory(
        &self,
        (base, components): (u64, Option<u64>),
        directory: &KeptDirectory,
        kept: (Timestamp, MadeBy),
    ) -> Result<u64> {
        self.write(|state| {
            let imports = state.components.imports.len() as u64;
            let is_other = components.is_some_and(|components| components != imports);
            if state.directories.len() as u64 != base || is_other {
                return Err(StoreError::Stale);
            }
            state.put_directory(directory, kept);
            Ok(base + 1)
        })
    }

    fn weigh_components(
        &self,
        rows: ComponentRows<'_>,
        rest: Rest,
        told: Differing<'_>,
    ) -> Result<Weighed> {
        Ok(self.present().components.with(rows, rest, told)?.1)
    }

    fn replace_components(
        &self,
        rows: ComponentRows<'_>,
        replacing: &Replacing<'_>,
    ) -> Result<Weighed> {
        let base = |components: &Components| components.imports.len() as u64;
        let before = &self.present().components;
        if base(before) != replacing.base {
            return Err(StoreError::Stale);
        }
        // While rows come, others write.
        let (mut then, weighed) = before.with(rows, replacing.rest, &mut |_, _| {})?;
        if weighed.added + weighed.changed + weighed.removed > 0 {
            then.imports.push(ComponentImport {
                no: replacing.base + 1,
                kept_at: replacing.now,
                weighed,
            });
        }
        self.write(|state| {
            let directory = state.directories.len() as u64;
            if base(&state.components) != replacing.base || directory != replacing.directory {
                return Err(StoreError::Stale);
            }
            state.commit(replacing.with)?;
            state.components = then;
            Ok(weighed)
        })
    }

    fn last_component(&self, from: u64, to: u64) -> Result<Option<u64>> {
        let components = &self.present().components;
        let were = components.replaced.iter().map(|(_, row)| row.code);
        let codes = components.rows.keys().copied().chain(were);
        Ok(codes.filter(|code| (from..=to).contains(code)).max())
    }

    fn component_imports(&self) -> Result<Vec<ComponentImport>> {
        Ok(self.present().components.imports.clone())
    }

    fn replaced_components(
        &self,
        import: u64,
        after: u64,
        limit: usize,
    ) -> Result<Vec<(u64, Vec<u8>)>> {
        let replaced = &self.present().components.replaced;
        let wanted = replaced
            .iter()
            .filter(|(of, row)| *of == import && row.code > after);
        let by_code: BTreeMap<u64, Vec<u8>> = wanted
            .map(|(_, row)| (row.code, row.bytes.clone()))
            .collect();
        Ok(by_code.into_iter().take(limit).collect())
    }

    fn component(&self, code: u64) -> Result<Option<Vec<u8>>> {
        let state = self.present();
        Ok(state
            .components
            .rows
            .get(&code)
            .map(|row| row.bytes.clone()))
    }

    fn component_spots(&self, stretches: &[(i64, i64)]) -> Result<Vec<Spot>> {
        let state = self.present();
        let is_in = |row: &&ComponentRow| {
            let cell = near::cell(row.position);
            stretches
                .iter()
                .any(|(from, to)| (*from..=*to).contains(&cell))
        };
        let found = state.components.rows.values().filter(is_in);
        Ok(found
            .map(|row| Spot {
                code: row.code,
                position: row.position,
            })
            .collect())
    }

    fn component_tags(&self, of: &BTreeSet<VillageCode>) -> Result<Vec<(VillageCode, Tag)>> {
        let components = &self.present().components;
        let villages = components.rows.values().map(|row| row.village);
        let villages: BTreeSet<VillageCode> = villages.collect();
        Ok(villages
            .intersection(of)
            .copied()
            .map(|village| (village, components::tag(&components.of(village))))
            .collect())
    }

    fn components_of(&self, village: VillageCode) -> Result<Vec<u8>> {
        Ok(self.present().components.of(village))
    }

    fn put_terminal(&self, terminal: &Terminal) -> Result<()> {
        self.write(|state| {
            state.terminals.insert(terminal.village, *terminal);
            Ok(())
        })
    }

    fn end_terminal(&self, village: VillageCode) -> Result<bool> {
        self.write(|state| Ok(state.terminals.remove(&village).is_some()))
    }

    fn terminals(&self) -> Result<Vec<Terminal>> {
        Ok(self.present().terminals.values().copied().collect())
    }
}
