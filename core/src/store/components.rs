//! Tables `component_villages` and `components`: what stands in this phone's villages.
//!
//! Which villages these are is for the caller to say.

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::bytes;
use crate::domain::component::near::{self, Spot};
use crate::domain::component::{Component, Position};
use crate::domain::place::VillageCode;
use crate::error::{Error, Result};
use crate::sync::components::{self, Tag};

/// The villages whose components are here, ascending, with their tags.
pub fn tags(connection: &Connection) -> Result<Vec<(VillageCode, Tag)>> {
    let sql = "SELECT village, tag FROM component_villages ORDER BY village";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| {
        Ok((row.get::<_, i64>(0)?.cast_unsigned(), bytes(row, 1)?))
    })?;
    let mut tags = Vec::new();
    for row in rows {
        let (village, tag) = row?;
        let village = VillageCode::new(village)
            .ok_or_else(|| Error::Storage("a village has no village's code".into()))?;
        tags.push((village, tag));
    }
    Ok(tags)
}

/// Keeps a village's components in place of those that are here.
pub fn put_village(
    transaction: &Transaction<'_>,
    village: VillageCode,
    tag: Tag,
    rows: &[(Component, &[u8])],
) -> Result<()> {
    drop_village(transaction, village)?;
    let number = village.number().cast_signed();
    transaction.execute(
        "INSERT INTO component_villages (village, tag) VALUES (?1, ?2)",
        params![number, tag],
    )?;
    // One may have been another village's when that was fetched.
    let mut insert = transaction.prepare_cached(
        "INSERT OR REPLACE INTO components (code, village, cell, lon_e7, lat_e7, row) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for (row, bytes) in rows {
        insert.execute(params![
            row.code.number().cast_signed(),
            number,
            near::cell(row.position),
            row.position.lon_e7,
            row.position.lat_e7,
            bytes
        ])?;
    }
    Ok(())
}

/// Forgets a village's components.
pub fn drop_village(transaction: &Transaction<'_>, village: VillageCode) -> Result<()> {
    transaction.execute(
        "DELETE FROM component_villages WHERE village = ?1",
        [village.number().cast_signed()],
    )?;
    Ok(())
}

/// The component of a code.
pub fn component(connection: &Connection, code: u64) -> Result<Option<Component>> {
    let mut statement = connection.prepare_cached("SELECT row FROM components WHERE code = ?1")?;
    let found = statement.query_row([code.cast_signed()], |row| row.get::<_, Vec<u8>>(0));
    let read = |bytes: Vec<u8>| {
        components::decode(&bytes)
            .map_err(|fault| Error::Storage(format!("a component cannot be read: {fault:?}")))
    };
    found.optional()?.map(read).transpose()
}

/// The components in stretches of cells, each from one number to another.
pub fn spots(connection: &Connection, stretches: &[(i64, i64)]) -> Result<Vec<Spot>> {
    let sql = "SELECT code, lon_e7, lat_e7 FROM components WHERE cell BETWEEN ?1 AND ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let mut spots = Vec::new();
    for (from, to) in stretches {
        let rows = statement.query_map([from, to], |row| {
            Ok(Spot {
                code: row.get::<_, i64>(0)?.cast_unsigned(),
                position: Position {
                    lon_e7: row.get(1)?,
                    lat_e7: row.get(2)?,
                },
            })
        })?;
        for spot in rows {
            spots.push(spot?);
        }
    }
    Ok(spots)
}
