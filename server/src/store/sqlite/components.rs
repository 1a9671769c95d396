//! Tables `components`, `component_imports`, `component_villages`, `component_preparing`: how an import of any size goes into force while other
//! writes go on.
//!
//! Rows are compared outside of any write and written in batches, each a transaction, as rows that do not count yet. One short
//! transaction then counts the import, and with it all of them. What an import that ended half way has left does not count, and goes
//! when the next one begins.

use std::collections::{BTreeSet, HashSet};
use std::sync::PoisonError;

use patrol_core::domain::component::near;
use patrol_core::domain::limits;
use patrol_core::domain::place::VillageCode;
use patrol_core::sync::components::{self, Tag};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::columns::{bound, uint};
use super::reference::{last_directory, village};
use super::{SqliteStore, commit};
use crate::store::reference::{
    ComponentRow, ComponentRows, Differing, Differs, Replacing, Rest, Weighed,
};
use crate::store::{Result, StoreError};

/// The number of the last import that counts.
pub(super) fn last_import(connection: &Connection) -> Result<u64> {
    let sql = "SELECT coalesce(max(no), 0) FROM component_imports";
    Ok(connection.query_row(sql, [], |row| uint(row, 0))?)
}

/// The village and the bytes of a component as of an import.
pub(super) fn in_force(
    connection: &Connection,
    code: u64,
    import: u64,
) -> Result<Option<(VillageCode, Vec<u8>)>> {
    let mut select = connection.prepare_cached(
        "SELECT village, row FROM components WHERE code = ?1 AND since <= ?2 AND (until IS NULL OR until > ?2)",
    )?;
    let found = select.query_row([bound(code), bound(import)], |row| {
        Ok((village(row, 0)?, row.get(1)?))
    });
    Ok(found.optional()?)
}

/// A village's components as of an import, joined.
pub(super) fn joined(
    connection: &Connection,
    village: VillageCode,
    import: u64,
) -> Result<Vec<u8>> {
    let mut select = connection.prepare_cached(
        "SELECT row FROM components WHERE village = ?1 AND since <= ?2 AND (until IS NULL OR until > ?2) ORDER BY code",
    )?;
    let bounds = [bound(village.number()), bound(import)];
    let rows = select.query_map(bounds, |row| row.get(0))?;
    let rows: Vec<Vec<u8>> = rows.collect::<rusqlite::Result<_>>()?;
    Ok(components::join(village, rows.iter().map(Vec::as_slice)))
}

/// What rows would do.
pub(super) fn weigh(
    store: &SqliteStore,
    rows: ComponentRows<'_>,
    rest: Rest,
    told: Differing<'_>,
) -> Result<Weighed> {
    let walked = walk(store, rows, rest, &mut |changes| {
        for change in changes {
            let differs = match (change.ends, &change.begins) {
                (_, None) => Differs::Removed,
                (true, Some(_)) => Differs::Changed,
                (false, Some(_)) => Differs::Added,
            };
            told(differs, change.code);
        }
        Ok(())
    })?;
    Ok(walked.weighed)
}

/// Puts rows in force.
pub(super) fn replace(
    store: &SqliteStore,
    rows: ComponentRows<'_>,
    replacing: &Replacing<'_>,
) -> Result<Weighed> {
    let _turn = store
        .importing
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let preparing = Preparing::begin(store, replacing.base)?;
    let done = preparing.prepare(rows, replacing);
    if done.is_err() {
        // If this fails too, the next import does it.
        drop(preparing.clear());
    }
    done
}

/// What one row does.
struct Change {
    code: u64,
    /// Whether a component of this code is in force.
    ends: bool,
    /// What is in its place; none: it is removed.
    begins: Option<ComponentRow>,
}

/// What all rows do.
#[derive(Default)]
struct Walked {
    weighed: Weighed,
    /// What is remembered of each row is its code.
    seen: HashSet<u64>,
    named: BTreeSet<VillageCode>,
    differing: BTreeSet<VillageCode>,
}

/// Compares rows with what is in force, some at a time, and hands on what they change. Between these, no connection is held.
fn walk(
    store: &SqliteStore,
    rows: ComponentRows<'_>,
    rest: Rest,
    take: &mut dyn FnMut(Vec<Change>) -> Result<()>,
) -> Result<Walked> {
    let mut walked = Walked::default();
    loop {
        let some = (&mut *rows).take(limits::COMPONENTS_A_WRITE);
        let some = some.collect::<Result<Vec<ComponentRow>>>()?;
        if some.is_empty() {
            break;
        }
        take(store.ask(|connection| walked.compare(connection, some))?)?;
    }
    if rest == Rest::Removed {
        for village in std::mem::take(&mut walked.named) {
            let mut gone = store.ask(|connection| codes(connection, village))?;
            gone.retain(|code| !walked.seen.contains(code));
            for some in gone.chunks(limits::COMPONENTS_A_WRITE) {
                walked.weighed.removed += some.len() as u64;
                walked.differing.insert(village);
                let change = |code: &u64| Change {
                    code: *code,
                    ends: true,
                    begins: None,
                };
                take(some.iter().map(change).collect())?;
            }
        }
    }
    Ok(walked)
}

impl Walked {
    fn compare(&mut self, connection: &Connection, rows: Vec<ComponentRow>) -> Result<Vec<Change>> {
        let last = last_import(connection)?;
        let mut changes = Vec::new();
        for row in rows {
            self.seen.insert(row.code);
            self.named.insert(row.village);
            let there = in_force(connection, row.code, last)?;
            match &there {
                Some((_, bytes)) if *bytes == row.bytes => {
                    self.weighed.unchanged += 1;
                    continue;
                }
                Some((before, _)) => {
                    self.weighed.changed += 1;
                    self.differing.insert(*before);
                }
                None => self.weighed.added += 1,
            }
            self.differing.insert(row.village);
            changes.push(Change {
                code: row.code,
                ends: there.is_some(),
                begins: Some(row),
            });
        }
        Ok(changes)
    }
}

fn codes(connection: &Connection, village: VillageCode) -> Result<Vec<u64>> {
    let mut select = connection.prepare_cached(
        "SELECT code FROM components WHERE village = ?1 AND since <= ?2 AND (until IS NULL OR until > ?2)",
    )?;
    let bounds = [bound(village.number()), bound(last_import(connection)?)];
    let rows = select.query_map(bounds, |row| uint(row, 0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// An import that is being prepared.
struct Preparing<'s> {
    store: &'s SqliteStore,
    turn: i64,
    /// The import after which it comes.
    base: u64,
}

impl<'s> Preparing<'s> {
    fn begin(store: &'s SqliteStore, base: u64) -> Result<Self> {
        let (turn, is_left) = store.write(|tx| {
            if last_import(tx)? != base {
                return Err(StoreError::Stale);
            }
            let sql = "SELECT is_open FROM component_preparing";
            let was_open = tx
                .query_row(sql, [], |row| row.get::<_, bool>(0))
                .optional()?;
            let turn = tx.query_row(
                "INSERT INTO component_preparing (one, turn, is_open) VALUES (1, 1, 1)
                 ON CONFLICT (one) DO UPDATE SET turn = turn + 1, is_open = 1 RETURNING turn",
                [],
                |row| row.get(0),
            )?;
            Ok((turn, was_open == Some(true)))
        })?;
        let preparing = Self { store, turn, base };
        if is_left {
            preparing.undo()?;
        }
        Ok(preparing)
    }

    /// Writes, unless another import has begun since, in another program.
    fn write<T>(&self, write: impl FnOnce(&rusqlite::Savepoint<'_>) -> Result<T>) -> Result<T> {
        self.store.write(|tx| {
            let sql = "SELECT turn FROM component_preparing";
            if tx.query_row(sql, [], |row| row.get::<_, i64>(0))? != self.turn {
                return Err(StoreError::Stale);
            }
            with_room(tx, || write(tx))
        })
    }

    fn prepare(&self, rows: ComponentRows<'_>, replacing: &Replacing<'_>) -> Result<Weighed> {
        let walked = walk(self.store, rows, replacing.rest, &mut |changes| {
            if changes.is_empty() {
                return Ok(());
            }
            self.write(|tx| changes.iter().try_for_each(|change| self.put(tx, change)))
        })?;
        let mut tags = Vec::new();
        for village in &walked.differing {
            let tag = self.store.ask(|connection| {
                let joined = joined(connection, *village, self.base + 1)?;
                let is_empty = joined == components::join(*village, std::iter::empty());
                Ok((!is_empty).then(|| components::tag(&joined)))
            });
            tags.push((*village, tag?));
        }
        self.put_in_force(walked.weighed, &tags, replacing)?;
        Ok(walked.weighed)
    }

    fn put(&self, connection: &Connection, change: &Change) -> Result<()> {
        let no = bound(self.base + 1);
        if change.ends {
            connection
                .prepare_cached("UPDATE components SET until = ?2 WHERE code = ?1 AND until IS NULL AND since < ?2")?
                .execute([bound(change.code), no])?;
        }
        if let Some(row) = &change.begins {
            connection
                .prepare_cached(
                    "INSERT INTO components (code, since, village, cell, lon_e7, lat_e7, row) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                )?
                .execute(params![
                    bound(row.code),
                    no,
                    bound(row.village.number()),
                    near::cell(row.position),
                    row.position.lon_e7,
                    row.position.lat_e7,
                    row.bytes
                ])?;
        }
        Ok(())
    }

    /// Counts the import, and with it all its rows; where it does nothing, only what goes with it is done.
    fn put_in_force(
        &self,
        weighed: Weighed,
        tags: &[(VillageCode, Option<Tag>)],
        replacing: &Replacing<'_>,
    ) -> Result<()> {
        let Weighed {
            added,
            changed,
            removed,
            unchanged,
        } = weighed;
        self.write(|tx| {
            if last_import(tx)? != self.base || last_directory(tx)? != replacing.directory {
                return Err(StoreError::Stale);
            }
            if added + changed + removed > 0 {
                tx.execute(
                    "INSERT INTO component_imports (no, kept_at, added, changed, removed, unchanged) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    params![
                        bound(self.base + 1),
                        replacing.now.0,
                        bound(added),
                        bound(changed),
                        bound(removed),
                        bound(unchanged)
                    ],
                )?;
            }
            for (village, tag) in tags {
                put_tag(tx, *village, *tag)?;
            }
            tx.execute("UPDATE component_preparing SET is_open = 0", [])?;
            commit::commit(tx, replacing.with)?;
            Ok(())
        })
    }

    /// Takes back what was prepared, and ends.
    fn clear(&self) -> Result<()> {
        self.undo()?;
        self.write(|tx| {
            tx.execute("UPDATE component_preparing SET is_open = 0", [])?;
            Ok(())
        })
    }

    /// Takes back what was prepared by any import that never counted, some at a time.
    fn undo(&self) -> Result<()> {
        let most = bound(limits::COMPONENTS_A_WRITE);
        let base = bound(self.base);
        let end_less = "UPDATE components SET until = NULL WHERE (code, since) IN
             (SELECT code, since FROM components WHERE until > ?1 ORDER BY until, code LIMIT ?2)";
        while self.write(|tx| Ok(tx.prepare_cached(end_less)?.execute([base, most])?))? > 0 {}
        // No index finds them: all rows are looked through once, from one code to the next.
        let mut after = 0;
        loop {
            let some: Vec<i64> = self.store.ask(|connection| {
                let mut select = connection.prepare_cached(
                    "SELECT code FROM components WHERE code > ?3 AND since > ?1 ORDER BY code LIMIT ?2",
                )?;
                let codes = select.query_map([base, most, after], |row| row.get(0))?;
                Ok(codes.collect::<rusqlite::Result<_>>()?)
            })?;
            let Some(last) = some.last() else {
                return Ok(());
            };
            after = *last;
            self.write(|tx| {
                let sql = "DELETE FROM components WHERE code = ?1 AND since > ?2";
                let mut delete = tx.prepare_cached(sql)?;
                for code in &some {
                    delete.execute([*code, base])?;
                }
                Ok(())
            })?;
        }
    }
}

fn put_tag(connection: &Connection, village: VillageCode, tag: Option<Tag>) -> Result<()> {
    let number = bound(village.number());
    let Some(tag) = tag else {
        let sql = "DELETE FROM component_villages WHERE village = ?1";
        connection.prepare_cached(sql)?.execute([number])?;
        return Ok(());
    };
    connection
        .prepare_cached(
            "INSERT INTO component_villages (village, tag) VALUES (?1, ?2)
             ON CONFLICT (village) DO UPDATE SET tag = excluded.tag",
        )?
        .execute(params![number, tag])?;
    Ok(())
}

/// Works with a cache in which a batch has room: its rows lie all over the index of cells.
fn with_room<T>(connection: &Connection, work: impl FnOnce() -> Result<T>) -> Result<T> {
    const CACHE_KIB: i64 = 96 * 1_024;
    let usual: i64 = connection.pragma_query_value(None, "cache_size", |row| row.get(0))?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    let done = work();
    connection.pragma_update(None, "cache_size", usual)?;
    done
}
