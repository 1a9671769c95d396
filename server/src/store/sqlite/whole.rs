//! Everything as it is kept, row by row. A value of the wrong length or shape ends its row, not the look; what SQLite itself cannot read ends it.

use patrol_core::cbor::Reader;
use patrol_core::domain::id::{ChangeHash, DeviceId, DocumentId, EntryId};
use patrol_core::domain::place::Scope;
use patrol_core::domain::time::Timestamp;
use patrol_core::sync::wire::Notice;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Error, OptionalExtension as _, Params, params};

use super::columns::{bound, flag, strange, uint, uint_option};
use super::documents::{SUMMARY, summary_from_row};
use super::feeds::{self, DocumentNo};
use super::look::Look;
use super::reference::village;
use super::reference::{ALL_IMPORTS, component_import};
use super::{accounts, boxes, components, devices, rules, shape};
use crate::store::reference::{ComponentImport, KeptDirectory};
use crate::store::whole::{
    Counters, DocumentRow, Had, Member, NumberRow, Preparing, Row, VillageComponents, Visit, Whole,
    WholeComponent, WholeDocument, WholeScope,
};
use crate::store::{
    BatchRow, BoxedChange, Device, FateRow, FeedEvent, FeedRow, Result, StoredChange,
};

/// Reads a row, or tells which it is (by its first column) and what of it cannot be read.
fn told<T>(row: &rusqlite::Row<'_>, read: rusqlite::Result<T>) -> Result<Row<T>> {
    let column = match read {
        Ok(value) => return Ok(Ok(value)),
        Err(
            Error::InvalidColumnType(column, ..)
            | Error::FromSqlConversionFailure(column, ..)
            | Error::IntegralValueOutOfRange(column, _)
            | Error::Utf8Error(column, _),
        ) => column,
        Err(error) => return Err(error.into()),
    };
    let column = row.as_ref().column_name(column).unwrap_or("a column");
    let key = match row.get_ref(0)? {
        ValueRef::Integer(key) => key.to_string(),
        ValueRef::Blob(key) => key.iter().map(|byte| format!("{byte:02x}")).collect(),
        // What people have written is not told.
        _ => "of a text".to_owned(),
    };
    Ok(Err(format!("row {key}: `{column}` cannot be read")))
}

pub(super) fn each<T>(
    connection: &Connection,
    sql: &str,
    values: impl Params,
    read: impl Fn(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    visit: Visit<'_, T>,
) -> Result<()> {
    let mut select = connection.prepare_cached(sql)?;
    let mut rows = select.query(values)?;
    while let Some(row) = rows.next()? {
        visit(told(row, read(row))?)?;
    }
    Ok(())
}

/// The rows of a document, which are not many.
fn all<T>(
    connection: &Connection,
    sql: &str,
    no: DocumentNo,
    read: impl Fn(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> Result<Row<Vec<T>>> {
    let mut all = Ok(Vec::new());
    each(connection, sql, [no], read, &mut |row| {
        match (&mut all, row) {
            (Ok(rows), Ok(row)) => rows.push(row),
            (Ok(_), Err(unread)) => all = Err(unread),
            (Err(_), _) => {}
        }
        Ok(())
    })?;
    Ok(all)
}

fn document_row(connection: &Connection, id: DocumentId) -> Result<(DocumentNo, Row<DocumentRow>)> {
    let mut select = connection.prepare_cached(&format!(
        "SELECT d.id, {SUMMARY}, d.len, d.digest, d.opened_by, d.retired, d.no FROM documents d WHERE d.id = ?1"
    ))?;
    let mut rows = select.query([id.0])?;
    let Some(row) = rows.next()? else {
        return Ok((0, Err("there is no such row".to_owned())));
    };
    let no = row.get(20)?;
    let read = || {
        flag(row, 5)?;
        Ok(DocumentRow {
            len: uint(row, 16)?,
            digest: feeds::digest(row, 17)?,
            opened_by: row.get::<_, Option<_>>(18)?.map(DeviceId),
            is_retired: flag(row, 19)?,
            summary: summary_from_row(row)?,
            found_by: Vec::new(),
        })
    };
    let mut row = told(row, read())?;
    if let Ok(row) = &mut row {
        let mut select = connection.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM numbers WHERE number = ?1 AND document = ?2)",
        )?;
        for number in &row.summary.numbers {
            if select.query_row(params![number, no], |row| row.get(0))? {
                row.found_by.push(number.clone());
            }
        }
    }
    Ok((no, row))
}

fn changes(connection: &Connection, no: DocumentNo) -> Result<Row<Vec<(u64, StoredChange)>>> {
    all(
        connection,
        "SELECT ordinal, hash, body, received_at, commit_no FROM changes WHERE document = ?1 ORDER BY ordinal",
        no,
        |row| {
            let change = StoredChange {
                hash: ChangeHash(row.get(1)?),
                body: row.get(2)?,
                received_at: Timestamp(row.get(3)?),
                commit: uint(row, 4)?,
            };
            Ok((uint(row, 0)?, change))
        },
    )
}

impl Whole for Look<'_> {
    fn counters(&self) -> Result<Row<Counters>> {
        let sql = "SELECT one, commit_no, device_no FROM counters";
        let read = |row: &rusqlite::Row<'_>| {
            Ok(Counters {
                commit: uint(row, 1)?,
                device: row.get(2)?,
            })
        };
        let mut counters = Err("there is no row".to_owned());
        each(self.connection, sql, [], read, &mut |row| {
            counters = row;
            Ok(())
        })?;
        Ok(counters)
    }

    fn document_ids(&self, visit: Visit<'_, DocumentId>) -> Result<()> {
        let sql = "SELECT no, id FROM documents ORDER BY id";
        let read = |row: &rusqlite::Row<'_>| row.get(1).map(DocumentId);
        each(self.connection, sql, [], read, visit)
    }

    fn whole_document(&self, id: DocumentId) -> Result<WholeDocument> {
        let (no, row) = document_row(self.connection, id)?;
        let members = feeds::members_of(self.connection, no)?.into_iter();
        let members =
            members.map(|(scope, joined)| (scope.cast_unsigned(), joined.cast_unsigned()));
        Ok(WholeDocument {
            row,
            changes: changes(self.connection, no)?,
            members: members.collect(),
        })
    }

    fn all_numbers(&self, visit: Visit<'_, NumberRow>) -> Result<()> {
        let sql = "SELECT n.number, d.id, d.number IS n.number, CASE WHEN json_valid(d.numbers)
             THEN EXISTS (SELECT 1 FROM json_each(d.numbers) j WHERE j.value = n.number) ELSE 0 END
             FROM numbers n JOIN documents d ON d.no = n.document ORDER BY n.number, n.document";
        each(self.connection, sql, [], number_row, visit)
    }

    fn all_scopes(&self, visit: Visit<'_, WholeScope>) -> Result<()> {
        let sql = "SELECT number, kind, id, head, digest FROM scopes ORDER BY number";
        each(self.connection, sql, [], scope_row, visit)
    }

    fn whole_feed(&self, number: u64, visit: Visit<'_, FeedRow>) -> Result<()> {
        let sql = "SELECT f.seq, f.commit_no, d.id, f.event, f.ordinal FROM feed f
             JOIN documents d ON d.no = f.document WHERE f.scope = ?1 ORDER BY f.seq";
        let read = |row: &rusqlite::Row<'_>| match feeds::feed_row(row)? {
            of if of.event == FeedEvent::Leave && uint(row, 4)? != 0 => {
                Err(strange(4, "a leave has no ordinal"))
            }
            of => Ok(of),
        };
        each(self.connection, sql, [bound(number)], read, visit)
    }

    fn all_members(&self, number: u64, visit: Visit<'_, Member>) -> Result<()> {
        let sql =
            "SELECT d.id, m.joined, d.digest FROM members m JOIN documents d ON d.no = m.document
             WHERE m.scope = ?1";
        let read = |row: &rusqlite::Row<'_>| {
            Ok(Member {
                document: DocumentId(row.get(0)?),
                joined: uint(row, 1)?,
                digest: feeds::digest(row, 2)?,
            })
        };
        each(self.connection, sql, [bound(number)], read, visit)
    }

    fn fate(&self, device: DeviceId, n: u64, entry: EntryId) -> Result<Option<String>> {
        let mut select = self
            .connection
            .prepare_cached("SELECT fate FROM fates WHERE device = ?1 AND n = ?2 AND entry = ?3")?;
        let key = params![device.0, n.cast_signed(), entry.0];
        Ok(select.query_row(key, |row| row.get(0)).optional()?)
    }

    fn all_fates(&self, visit: Visit<'_, FateRow>) -> Result<()> {
        let sql = "SELECT device, n, entry, fate FROM fates ORDER BY device, n, entry";
        let read = |row: &rusqlite::Row<'_>| {
            Ok(FateRow {
                device: DeviceId(row.get(0)?),
                n: uint(row, 1)?,
                entry: EntryId(row.get(2)?),
                fate: row.get(3)?,
            })
        };
        each(self.connection, sql, [], read, visit)
    }

    fn all_boxed(&self, visit: Visit<'_, (u64, BoxedChange)>) -> Result<()> {
        boxes::all(self.connection, visit)
    }

    fn all_batches(&self, visit: Visit<'_, (u64, BatchRow)>) -> Result<()> {
        let sql = "SELECT no, device, first_n, last_n, leaves, signature, received_at FROM batches ORDER BY no";
        let read = |row: &rusqlite::Row<'_>| {
            let batch = BatchRow {
                device: DeviceId(row.get(1)?),
                n: (uint(row, 2)?, uint(row, 3)?),
                leaves: row.get(4)?,
                signature: row.get(5)?,
                received_at: Timestamp(row.get(6)?),
            };
            Ok((uint(row, 0)?, batch))
        };
        each(self.connection, sql, [], read, visit)
    }

    fn all_notices(&self, visit: Visit<'_, (DeviceId, u64)>) -> Result<()> {
        let sql = "SELECT device, number, notice FROM notices ORDER BY device, number";
        let read = |row: &rusqlite::Row<'_>| {
            Notice::read(&mut Reader::new(row.get_ref(2)?.as_blob()?))
                .map_err(|_| strange(2, "not a notice"))?;
            Ok((DeviceId(row.get(0)?), uint(row, 1)?))
        };
        each(self.connection, sql, [], read, visit)
    }

    fn all_devices(&self, visit: Visit<'_, Device>) -> Result<()> {
        devices::all(self.connection, visit)
    }

    fn all_directories(&self, visit: Visit<'_, (u64, KeptDirectory)>) -> Result<()> {
        let sql = "SELECT no, bytes, said, leaves FROM directories ORDER BY no";
        each(self.connection, sql, [], accounts::kept_directory, visit)
    }

    fn all_components(&self, visit: Visit<'_, WholeComponent>) -> Result<()> {
        let sql = "SELECT code, since, until, village, cell, lon_e7, lat_e7, row FROM components ORDER BY code, since";
        each(self.connection, sql, [], component_row, visit)
    }

    fn all_villages(&self, visit: Visit<'_, VillageComponents>) -> Result<()> {
        let last = components::last_import(self.connection)?;
        let sql = "SELECT v.village, t.tag FROM (SELECT village FROM component_villages UNION SELECT village FROM components) v
             LEFT JOIN component_villages t ON t.village = v.village ORDER BY v.village";
        let read = |row: &rusqlite::Row<'_>| Ok((village(row, 0)?, row.get(1)?));
        each(self.connection, sql, [], read, &mut |row| {
            let (village, tag) = match row {
                Ok(row) => row,
                Err(unread) => return visit(Err(unread)),
            };
            let joined = components::joined(self.connection, village, last)?;
            visit(Ok(VillageComponents {
                village,
                tag,
                joined,
            }))
        })
    }

    fn all_imports(&self, visit: Visit<'_, ComponentImport>) -> Result<()> {
        each(self.connection, ALL_IMPORTS, [], component_import, visit)
    }

    fn preparing(&self) -> Result<Option<Preparing>> {
        let sql = "SELECT turn, is_open FROM component_preparing";
        let preparing = self.connection.query_row(sql, [], |row| {
            Ok(Preparing {
                turn: uint(row, 0)?,
                is_open: row.get(1)?,
            })
        });
        Ok(preparing.optional()?)
    }

    fn disagreements(&self, tell: &mut dyn FnMut(String)) -> Result<()> {
        shape::disagreements(self.connection, tell)?;
        rules::disagreements(self.connection, tell)
    }
}

fn number_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<NumberRow> {
    let had = match (row.get(2)?, row.get(3)?) {
        (true, true) => Some(Had::Shown),
        (false, true) => Some(Had::Other),
        (_, false) => None,
    };
    Ok(NumberRow {
        number: row.get(0)?,
        document: DocumentId(row.get(1)?),
        had,
    })
}

fn scope_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<WholeScope> {
    Ok(WholeScope {
        number: uint(row, 0)?,
        scope: Scope::from_parts(uint(row, 1)?, uint(row, 2)?)
            .ok_or_else(|| strange(1, "no scope"))?,
        head: uint(row, 3)?,
        digest: feeds::digest(row, 4)?,
    })
}

fn component_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<WholeComponent> {
    Ok(WholeComponent {
        code: uint(row, 0)?,
        since: uint(row, 1)?,
        until: uint_option(row, 2)?,
        village: uint(row, 3)?,
        cell: row.get(4)?,
        lon_e7: row.get(5)?,
        lat_e7: row.get(6)?,
        bytes: row.get(7)?,
    })
}
