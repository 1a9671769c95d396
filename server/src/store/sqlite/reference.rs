//! Tables `directories`, `components` and those beside it, `terminals`.
//!
//! The positions of components stand twice: in their bytes, and in the columns by which the nearest are found.

use std::collections::{BTreeSet, HashSet};

use patrol_core::domain::component::Position;
use patrol_core::domain::component::near::{self, Spot};
use patrol_core::domain::id::PersonId;
use patrol_core::domain::place::VillageCode;
use patrol_core::domain::time::Timestamp;
use patrol_core::sync::components::{self, Tag};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::SqliteStore;
use super::columns::{bound, strange, uint};
use crate::store::reference::{
    ComponentImport, ComponentRow, ComponentRows, Reference, Replacing, Rest, Terminal, Weighed,
};
use crate::store::{Result, StoreError};

impl Reference for SqliteStore {
    fn directories(&self) -> Result<Vec<(u64, Timestamp)>> {
        self.ask(|connection| {
            let mut select =
                connection.prepare_cached("SELECT no, kept_at FROM directories ORDER BY no")?;
            let rows = select.query_map([], |row| Ok((uint(row, 0)?, Timestamp(row.get(1)?))))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    fn directory_of(&self, no: u64) -> Result<Option<Vec<u8>>> {
        self.ask(|connection| {
            let mut select =
                connection.prepare_cached("SELECT bytes FROM directories WHERE no = ?1")?;
            Ok(select.query_row([bound(no)], |row| row.get(0)).optional()?)
        })
    }

    fn replace_directory(&self, base: u64, bytes: &[u8], now: Timestamp) -> Result<u64> {
        self.write(|tx| {
            let last = tx.query_row("SELECT coalesce(max(no), 0) FROM directories", [], |row| {
                uint(row, 0)
            })?;
            if last != base {
                return Err(StoreError::Stale);
            }
            super::accounts::put_directory(tx, bytes, now)?;
            Ok(tx.last_insert_rowid().cast_unsigned())
        })
    }

    fn weigh_components(&self, rows: ComponentRows<'_>, rest: Rest) -> Result<Weighed> {
        self.ask(|connection| Ok(walk(connection, rows, rest, None)?.0))
    }

    fn replace_components(
        &self,
        rows: ComponentRows<'_>,
        replacing: &Replacing<'_>,
    ) -> Result<Weighed> {
        let Replacing {
            base,
            rest,
            now,
            with,
        } = *replacing;
        self.write(|tx| {
            if last_import(tx)? != base {
                return Err(StoreError::Stale);
            }
            tx.execute(
                "INSERT INTO component_imports (no, kept_at, added, changed, removed, unchanged) VALUES (?1, ?2, 0, 0, 0, 0)",
                params![bound(base + 1), now.0],
            )?;
            let walked = with_room(tx, || walk(tx, rows, rest, Some(base + 1)));
            let (weighed, villages) = walked?;
            for village in &villages {
                put_tag(tx, *village)?;
            }
            let Weighed {
                added,
                changed,
                removed,
                unchanged,
            } = weighed;
            if added + changed + removed == 0 {
                tx.execute("DELETE FROM component_imports WHERE no = ?1", [bound(base + 1)])?;
            } else {
                tx.execute(
                    "UPDATE component_imports SET added = ?2, changed = ?3, removed = ?4, unchanged = ?5 WHERE no = ?1",
                    [base + 1, added, changed, removed, unchanged].map(bound),
                )?;
            }
            super::commit::commit(tx, with)?;
            Ok(weighed)
        })
    }

    fn last_component(&self, from: u64, to: u64) -> Result<Option<u64>> {
        self.ask(|connection| {
            let mut select = connection.prepare_cached(
                "SELECT max(code) FROM (
                   SELECT max(code) AS code FROM components WHERE code BETWEEN ?1 AND ?2
                   UNION ALL SELECT max(code) FROM component_history WHERE code BETWEEN ?1 AND ?2)",
            )?;
            let code: Option<i64> = select.query_row([bound(from), bound(to)], |row| row.get(0))?;
            Ok(code.map(i64::cast_unsigned))
        })
    }

    fn component_imports(&self) -> Result<Vec<ComponentImport>> {
        self.ask(|connection| {
            let mut select = connection.prepare_cached(
                "SELECT no, kept_at, added, changed, removed, unchanged FROM component_imports ORDER BY no",
            )?;
            let rows = select.query_map([], |row| {
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
            })?;
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
                "SELECT no, row FROM component_history WHERE import = ?1 AND no > ?2 ORDER BY no LIMIT ?3",
            )?;
            let bounds = [bound(import), bound(after), bound(limit)];
            let rows = select.query_map(bounds, |row| Ok((uint(row, 0)?, row.get(1)?)))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    fn component(&self, code: u64) -> Result<Option<Vec<u8>>> {
        self.ask(|connection| {
            let mut select =
                connection.prepare_cached("SELECT row FROM components WHERE code = ?1")?;
            Ok(select
                .query_row([bound(code)], |row| row.get(0))
                .optional()?)
        })
    }

    fn component_spots(&self, stretches: &[(i64, i64)]) -> Result<Vec<Spot>> {
        self.ask(|connection| {
            let mut select = connection.prepare_cached(
                "SELECT code, lon_e7, lat_e7 FROM components WHERE cell BETWEEN ?1 AND ?2",
            )?;
            let mut spots = Vec::new();
            for (from, to) in stretches {
                for spot in select.query_map([from, to], spot)? {
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
        self.ask(|connection| joined(connection, village))
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

fn village(row: &Row<'_>, column: usize) -> rusqlite::Result<VillageCode> {
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

fn last_import(connection: &Connection) -> Result<u64> {
    let sql = "SELECT coalesce(max(no), 0) FROM component_imports";
    Ok(connection.query_row(sql, [], |row| uint(row, 0))?)
}

/// Compares the rows with what is there, and, where an import is named, makes what is there like them. Returns also which villages
/// differ.
fn walk(
    connection: &Connection,
    rows: ComponentRows<'_>,
    rest: Rest,
    import: Option<u64>,
) -> Result<(Weighed, BTreeSet<VillageCode>)> {
    let mut weighed = Weighed::default();
    // What is remembered of each row is its code.
    let mut seen = HashSet::new();
    let (mut named, mut differing) = (BTreeSet::new(), BTreeSet::new());
    for row in rows {
        let row = row?;
        seen.insert(row.code);
        named.insert(row.village);
        match kept(connection, row.code)? {
            Some((_, bytes)) if bytes == row.bytes => {
                weighed.unchanged += 1;
                continue;
            }
            Some((before, bytes)) => {
                weighed.changed += 1;
                differing.insert(before);
                remember(connection, import, row.code, &bytes)?;
            }
            None => weighed.added += 1,
        }
        differing.insert(row.village);
        if import.is_some() {
            put(connection, &row)?;
        }
    }
    if rest == Rest::Kept {
        named.clear();
    }
    for village in named {
        for code in codes(connection, village)? {
            if seen.contains(&code) {
                continue;
            }
            weighed.removed += 1;
            differing.insert(village);
            if let Some((_, bytes)) = kept(connection, code)? {
                remember(connection, import, code, &bytes)?;
            }
            if import.is_some() {
                connection
                    .prepare_cached("DELETE FROM components WHERE code = ?1")?
                    .execute([bound(code)])?;
            }
        }
    }
    Ok((weighed, differing))
}

/// Works with a cache in which the index of a million cells has room: with the usual one, each of its pages is written again and again.
fn with_room<T>(connection: &Connection, work: impl FnOnce() -> Result<T>) -> Result<T> {
    const CACHE_KIB: i64 = 96 * 1_024;
    let usual: i64 = connection.pragma_query_value(None, "cache_size", |row| row.get(0))?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    let done = work();
    connection.pragma_update(None, "cache_size", usual)?;
    done
}

fn kept(connection: &Connection, code: u64) -> Result<Option<(VillageCode, Vec<u8>)>> {
    let mut select =
        connection.prepare_cached("SELECT village, row FROM components WHERE code = ?1")?;
    let found = select.query_row([bound(code)], |row| Ok((village(row, 0)?, row.get(1)?)));
    Ok(found.optional()?)
}

fn codes(connection: &Connection, village: VillageCode) -> Result<Vec<u64>> {
    let mut select = connection.prepare_cached("SELECT code FROM components WHERE village = ?1")?;
    let rows = select.query_map([bound(village.number())], |row| uint(row, 0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Keeps what an import is about to change or remove.
fn remember(connection: &Connection, import: Option<u64>, code: u64, bytes: &[u8]) -> Result<()> {
    let Some(import) = import else {
        return Ok(());
    };
    connection
        .prepare_cached("INSERT INTO component_history (import, code, row) VALUES (?1, ?2, ?3)")?
        .execute(params![bound(import), bound(code), bytes])?;
    Ok(())
}

fn put(connection: &Connection, row: &ComponentRow) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO components (code, village, cell, lon_e7, lat_e7, row) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (code) DO UPDATE SET
               village = excluded.village, cell = excluded.cell, lon_e7 = excluded.lon_e7, lat_e7 = excluded.lat_e7, row = excluded.row",
        )?
        .execute(params![
            bound(row.code),
            bound(row.village.number()),
            near::cell(row.position),
            row.position.lon_e7,
            row.position.lat_e7,
            row.bytes
        ])?;
    Ok(())
}

fn joined(connection: &Connection, village: VillageCode) -> Result<Vec<u8>> {
    let mut select =
        connection.prepare_cached("SELECT row FROM components WHERE village = ?1 ORDER BY code")?;
    let rows = select.query_map([bound(village.number())], |row| row.get(0))?;
    let rows: Vec<Vec<u8>> = rows.collect::<rusqlite::Result<_>>()?;
    Ok(components::join(village, rows.iter().map(Vec::as_slice)))
}

fn put_tag(connection: &Connection, village: VillageCode) -> Result<()> {
    let number = bound(village.number());
    connection.execute(
        "DELETE FROM component_villages WHERE village = ?1",
        [number],
    )?;
    if !codes(connection, village)?.is_empty() {
        connection.execute(
            "INSERT INTO component_villages (village, tag) VALUES (?1, ?2)",
            params![number, components::tag(&joined(connection, village)?)],
        )?;
    }
    Ok(())
}
