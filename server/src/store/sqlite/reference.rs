//! Tables `directories` and `terminals`, and how components are asked for. How they come there is `components`'s.
//!
//! The positions of components stand twice: in their bytes, and in the columns by which the nearest are found.

use std::collections::BTreeSet;

use patrol_core::domain::component::Position;
use patrol_core::domain::component::near::Spot;
use patrol_core::domain::id::PersonId;
use patrol_core::domain::place::VillageCode;
use patrol_core::domain::time::Timestamp;
use patrol_core::sync::components::Tag;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::columns::{bound, strange, uint};
use super::{SqliteStore, components};
use crate::store::reference::{
    ComponentImport, ComponentRows, Differing, KeptDirectory, MadeBy, Reference, Replacing, Rest,
    Terminal, Version, Weighed,
};
use crate::store::{Result, StoreError};

/// The number of the directory in force.
pub(super) fn last_directory(connection: &Connection) -> Result<u64> {
    let sql = "SELECT coalesce(max(no), 0) FROM directories";
    Ok(connection.query_row(sql, [], |row| uint(row, 0))?)
}

impl Reference for SqliteStore {
    fn directories(&self) -> Result<Vec<Version>> {
        let version = |row: &Row<'_>| {
            let by_leave: Option<bool> = row.get(2)?;
            let made_by = by_leave.map(|by_leave| match by_leave {
                true => MadeBy::Leave,
                false => MadeBy::Other,
            });
            Ok(Version {
                no: uint(row, 0)?,
                kept_at: Timestamp(row.get(1)?),
                made_by,
            })
        };
        self.ask(|connection| {
            let sql = "SELECT no, kept_at, by_leave FROM directories ORDER BY no";
            let mut select = connection.prepare_cached(sql)?;
            let rows = select.query_map([], version)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    fn directory_of(&self, no: u64) -> Result<Option<KeptDirectory>> {
        self.ask(|connection| {
            let sql = "SELECT no, bytes, said, leaves FROM directories WHERE no = ?1";
            let mut select = connection.prepare_cached(sql)?;
            let kept = select.query_row([bound(no)], super::accounts::kept_directory);
            Ok(kept.optional()?.map(|(_, kept)| kept))
        })
    }

    fn replace_directory(
        &self,
        (base, imports): (u64, Option<u64>),
        directory: &KeptDirectory,
        kept: (Timestamp, MadeBy),
    ) -> Result<u64> {
        self.write(|tx| {
            let is_other = match imports {
                Some(last) => components::last_import(tx)? != last,
                None => false,
            };
            if is_other || last_directory(tx)? != base {
                return Err(StoreError::Stale);
            }
            super::accounts::put_directory(tx, directory, kept)?;
            Ok(tx.last_insert_rowid().cast_unsigned())
        })
    }

    fn weigh_components(
        &self,
        rows: ComponentRows<'_>,
        rest: Rest,
        told: Differing<'_>,
    ) -> Result<Weighed> {
        components::weigh(self, rows, rest, told)
    }

    fn replace_components(
        &self,
        rows: ComponentRows<'_>,
        replacing: &Replacing<'_>,
    ) -> Result<Weighed> {
        components::replace(self, rows, replacing)
    }

    fn last_component(&self, from: u64, to: u64) -> Result<Option<u64>> {
        self.ask(|connection| {
            let sql = "SELECT max(code) FROM components WHERE code BETWEEN ?1 AND ?2";
            let mut select = connection.prepare_cached(sql)?;
            let code: Option<i64> = select.query_row([bound(from), bound(to)], |row| row.get(0))?;
            Ok(code.map(i64::cast_unsigned))
        })
    }

    fn component_imports(&self) -> Result<Vec<ComponentImport>> {
        self.ask(|connection| {
            let mut select = connection.prepare_cached(ALL_IMPORTS)?;
            let rows = select.query_map([], component_import)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    fn replaced_components(
        &self,
        import: u64,
        after: u64,
        limit: usize,
    ) -> Result<Vec<(u64, Vec<u8>)>> {
        self.ask(|connection| {
            let mut select = connection.prepare_cached(
                "SELECT code, row FROM components WHERE until = ?1 AND code > ?2 AND until <= ?4 ORDER BY code LIMIT ?3",
            )?;
            let last = components::last_import(connection)?;
            let bounds = [bound(import), bound(after), bound(limit), bound(last)];
            let rows = select.query_map(bounds, |row| Ok((uint(row, 0)?, row.get(1)?)))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    fn component(&self, code: u64) -> Result<Option<Vec<u8>>> {
        self.ask(|connection| {
            let last = components::last_import(connection)?;
            Ok(components::in_force(connection, code, last)?.map(|(_, bytes)| bytes))
        })
    }

    fn component_spots(&self, stretches: &[(i64, i64)]) -> Result<Vec<Spot>> {
        self.ask(|connection| {
            let mut select = connection.prepare_cached(
                "SELECT code, lon_e7, lat_e7 FROM components
                 WHERE cell BETWEEN ?1 AND ?2 AND since <= ?3 AND (until IS NULL OR until > ?3)",
            )?;
            let last = bound(components::last_import(connection)?);
            let mut spots = Vec::new();
            for (from, to) in stretches {
                for spot in select.query_map([*from, *to, last], spot)? {
                    spots.push(spot?);
                }
            }
            Ok(spots)
        })
    }

    fn component_tags(&self, of: &BTreeSet<VillageCode>) -> Result<Vec<(VillageCode, Tag)>> {
        self.ask(|connection| {
            let mut select = connection
                .prepare_cached("SELECT tag FROM component_villages WHERE village = ?1")?;
            let mut tags = Vec::new();
            for village in of {
                let tag = select.query_row([bound(village.number())], |row| row.get(0));
                tags.extend(tag.optional()?.map(|tag| (*village, tag)));
            }
            Ok(tags)
        })
    }

    fn components_of(&self, village: VillageCode) -> Result<Vec<u8>> {
        self.ask(|connection| {
            let last = components::last_import(connection)?;
            components::joined(connection, village, last)
        })
    }

    fn put_terminal(&self, terminal: &Terminal) -> Result<()> {
        self.write(|tx| {
            tx.prepare_cached(
                "INSERT INTO terminals (village, registered_at, registered_by) VALUES (?1, ?2, ?3)
                 ON CONFLICT (village) DO UPDATE SET registered_at = excluded.registered_at, registered_by = excluded.registered_by",
            )?
            .execute(params![
                bound(terminal.village.number()),
                terminal.registered_at.0,
                terminal.registered_by.0
            ])?;
            Ok(())
        })
    }

    fn end_terminal(&self, village: VillageCode) -> Result<bool> {
        self.write(|tx| {
            let ended = tx
                .prepare_cached("DELETE FROM terminals WHERE village = ?1")?
                .execute([bound(village.number())])?;
            Ok(ended > 0)
        })
    }

    fn terminals(&self) -> Result<Vec<Terminal>> {
        self.ask(|connection| {
            let mut select = connection.prepare_cached(
                "SELECT village, registered_at, registered_by FROM terminals ORDER BY village",
            )?;
            let rows = select.query_map([], |row| {
                Ok(Terminal {
                    village: village(row, 0)?,
                    registered_at: Timestamp(row.get(1)?),
                    registered_by: PersonId(row.get(2)?),
                })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }
}

pub(super) fn village(row: &Row<'_>, column: usize) -> rusqlite::Result<VillageCode> {
    VillageCode::new(uint(row, column)?).ok_or_else(|| strange(column, "no village's code"))
}

fn spot(row: &Row<'_>) -> rusqlite::Result<Spot> {
    Ok(Spot {
        code: uint(row, 0)?,
        position: Position {
            lon_e7: row.get(1)?,
            lat_e7: row.get(2)?,
        },
    })
}

/// What reads the imports of components, see [`component_import`].
pub(super) const ALL_IMPORTS: &str =
    "SELECT no, kept_at, added, changed, removed, unchanged FROM component_imports ORDER BY no";

pub(super) fn component_import(row: &Row<'_>) -> rusqlite::Result<ComponentImport> {
    Ok(ComponentImport {
        no: uint(row, 0)?,
        kept_at: Timestamp(row.get(1)?),
        weighed: Weighed {
            added: uint(row, 2)?,
            changed: uint(row, 3)?,
            removed: uint(row, 4)?,
            unchanged: uint(row, 5)?,
        },
    })
}
