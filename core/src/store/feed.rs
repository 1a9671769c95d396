//! Cursors, memberships, notices and the directory: what comes from the server besides changes.

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::bytes;
use super::changes::DocumentNumber;
use crate::cbor::{Reader, Writer};
use crate::domain::place::Scope;
use crate::error::Result;
use crate::sync::seal::Digest;
use crate::sync::wire::{Cursor, Cursors, Notice, ScopeNumber};

/// A scope of this phone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ScopeState {
    /// The server's handle.
    pub number: ScopeNumber,
    /// The scope.
    pub scope: Scope,
    /// How far this phone has caught up.
    pub cursor: Cursor,
    /// The sum over the members here.
    pub digest: Digest,
    /// Counts listings.
    pub generation: i64,
    /// Digests that differed in a row.
    pub mismatches: u32,
}

/// A cursor that has seen nothing: rows begin at 1, and every member joined below this bound.
pub const FRESH: Cursor = Cursor::Boot {
    as_of: 0,
    before: u64::MAX >> 1,
};

/// The scopes of this phone.
pub fn scopes(connection: &Connection) -> Result<Vec<ScopeState>> {
    let sql = "SELECT scope, kind, id, position, before, digest, generation, mismatches FROM cursors ORDER BY scope";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| {
        let (position, before): (i64, Option<i64>) = (row.get(3)?, row.get(4)?);
        let cursor = match before {
            Some(before) => Cursor::Boot {
                as_of: position.cast_unsigned(),
                before: before.cast_unsigned(),
            },
            None => Cursor::Tail(position.cast_unsigned()),
        };
        let parts: (i64, i64) = (row.get(1)?, row.get(2)?);
        let number = row.get::<_, i64>(0)?.cast_unsigned();
        let digest = Digest(u128::from_be_bytes(bytes(row, 5)?));
        let scope = Scope::from_parts(parts.0.cast_unsigned(), parts.1.cast_unsigned());
        Ok(scope.map(|scope| (number, scope, cursor, digest, row.get(6), row.get(7))))
    })?;
    let mut scopes = Vec::new();
    for (number, scope, cursor, digest, generation, mismatches) in rows
        .collect::<rusqlite::Result<Vec<_>>>()?
        .into_iter()
        .flatten()
    {
        scopes.push(ScopeState {
            number,
            scope,
            cursor,
            digest,
            generation: generation?,
            mismatches: mismatches?,
        });
    }
    Ok(scopes)
}

/// Replaces the set of scopes. New ones start fresh; cursors and memberships of dropped ones go.
pub fn set_scopes(transaction: &Transaction<'_>, wanted: &[(ScopeNumber, Scope)]) -> Result<()> {
    let known = scopes(transaction)?;
    for gone in known
        .iter()
        .filter(|known| !wanted.contains(&(known.number, known.scope)))
    {
        transaction.execute(
            "DELETE FROM cursors WHERE scope = ?1",
            [gone.number.cast_signed()],
        )?;
    }
    for (number, scope) in wanted {
        if !known
            .iter()
            .any(|known| (known.number, known.scope) == (*number, *scope))
        {
            let (kind, id) = scope.parts();
            transaction.execute(
                "INSERT INTO cursors (scope, kind, id, position, before, digest, generation) VALUES (?1, ?2, ?3, 0, NULL, ?4, 1)",
                params![number.cast_signed(), kind.cast_signed(), id.cast_signed(), [0u8; 16]],
            )?;
            set_cursor(transaction, *number, FRESH)?;
        }
    }
    Ok(())
}

/// Moves a cursor.
pub fn set_cursor(
    transaction: &Transaction<'_>,
    number: ScopeNumber,
    cursor: Cursor,
) -> Result<()> {
    let (position, before) = match cursor {
        Cursor::Tail(seq) => (seq, None),
        Cursor::Boot { as_of, before } => (as_of, Some(before.cast_signed())),
    };
    transaction
        .prepare_cached("UPDATE cursors SET position = ?2, before = ?3 WHERE scope = ?1")?
        .execute(params![
            number.cast_signed(),
            position.cast_signed(),
            before
        ])?;
    Ok(())
}

/// The cursors, for a hello.
pub fn cursors(connection: &Connection) -> Result<Cursors> {
    Ok(scopes(connection)?
        .into_iter()
        .map(|scope| (scope.number, scope.cursor))
        .collect())
}

/// Begins a new listing of a scope: what it does not name is dropped at its end.
pub fn relist(transaction: &Transaction<'_>, number: ScopeNumber) -> Result<()> {
    transaction.execute(
        "UPDATE cursors SET generation = generation + 1 WHERE scope = ?1",
        [number.cast_signed()],
    )?;
    set_cursor(transaction, number, FRESH)
}

/// Counts digests of a scope that differed in a row.
pub fn set_mismatches(
    transaction: &Transaction<'_>,
    number: ScopeNumber,
    mismatches: u32,
) -> Result<()> {
    transaction.execute(
        "UPDATE cursors SET mismatches = ?2 WHERE scope = ?1",
        params![number.cast_signed(), mismatches],
    )?;
    Ok(())
}

/// Ends a listing: members that it did not name go, and the scope's sum is taken anew over those that stay.
pub fn end_listing(transaction: &Transaction<'_>, number: ScopeNumber) -> Result<()> {
    let stale: Vec<(DocumentNumber, [u8; 16])> = transaction
        .prepare_cached(
            "SELECT members.document, documents.digest FROM members JOIN documents ON documents.no = members.document
             WHERE members.scope = ?1 AND members.generation < (SELECT generation FROM cursors WHERE scope = ?1)",
        )?
        .query_map([number.cast_signed()], |row| Ok((row.get(0)?, bytes(row, 1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (document, digest) in stale {
        leave(
            transaction,
            number,
            document,
            Digest(u128::from_be_bytes(digest)),
        )?;
    }
    let mut sum = Digest::default();
    let mut statement = transaction.prepare_cached(
        "SELECT documents.digest FROM members JOIN documents ON documents.no = members.document WHERE members.scope = ?1",
    )?;
    let mut rows = statement.query([number.cast_signed()])?;
    while let Some(row) = rows.next()? {
        sum = sum.with(Digest(u128::from_be_bytes(bytes(row, 0)?)));
    }
    put_digest(transaction, number, sum)
}

/// A document is in a scope. Its digest is added when it was not.
pub fn join(
    transaction: &Transaction<'_>,
    number: ScopeNumber,
    document: DocumentNumber,
    digest: Digest,
) -> Result<()> {
    let generation: Option<i64> = transaction
        .prepare_cached("SELECT generation FROM cursors WHERE scope = ?1")?
        .query_row([number.cast_signed()], |row| row.get(0))
        .optional()?;
    let Some(generation) = generation else {
        return Ok(());
    };
    let updated = transaction
        .prepare_cached("UPDATE members SET generation = ?3 WHERE scope = ?1 AND document = ?2")?
        .execute(params![number.cast_signed(), document, generation])?;
    if updated == 0 {
        transaction
            .prepare_cached(
                "INSERT INTO members (scope, document, generation) VALUES (?1, ?2, ?3)",
            )?
            .execute(params![number.cast_signed(), document, generation])?;
        add_digest(transaction, number, Digest::default(), digest)?;
    }
    Ok(())
}

/// A document is no longer in a scope.
pub fn leave(
    transaction: &Transaction<'_>,
    number: ScopeNumber,
    document: DocumentNumber,
    digest: Digest,
) -> Result<()> {
    let removed = transaction
        .prepare_cached("DELETE FROM members WHERE scope = ?1 AND document = ?2")?
        .execute(params![number.cast_signed(), document])?;
    if removed > 0 {
        add_digest(transaction, number, digest, Digest::default())?;
    }
    Ok(())
}

/// A document's digest changed: so do the sums of its scopes.
pub fn redigest(
    transaction: &Transaction<'_>,
    document: DocumentNumber,
    old: Digest,
    new: Digest,
) -> Result<()> {
    if old == new {
        return Ok(());
    }
    let scopes: Vec<i64> = transaction
        .prepare_cached("SELECT scope FROM members WHERE document = ?1")?
        .query_map([document], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for scope in scopes {
        add_digest(transaction, scope.cast_unsigned(), old, new)?;
    }
    Ok(())
}

fn add_digest(
    transaction: &Transaction<'_>,
    number: ScopeNumber,
    without: Digest,
    with: Digest,
) -> Result<()> {
    let sum: Option<[u8; 16]> = transaction
        .prepare_cached("SELECT digest FROM cursors WHERE scope = ?1")?
        .query_row([number.cast_signed()], |row| bytes(row, 0))
        .optional()?;
    let Some(sum) = sum else { return Ok(()) };
    let sum = Digest(u128::from_be_bytes(sum)).without(without).with(with);
    put_digest(transaction, number, sum)
}

fn put_digest(transaction: &Transaction<'_>, number: ScopeNumber, sum: Digest) -> Result<()> {
    transaction
        .prepare_cached("UPDATE cursors SET digest = ?2 WHERE scope = ?1")?
        .execute(params![number.cast_signed(), sum.0.to_be_bytes()])?;
    Ok(())
}

/// Keeps a notice.
pub fn put_notice(transaction: &Transaction<'_>, number: u64, notice: &Notice) -> Result<()> {
    let mut w = Writer::default();
    notice.write(&mut w);
    transaction.execute(
        "INSERT OR IGNORE INTO notices (number, item) VALUES (?1, ?2)",
        params![number.cast_signed(), w.finish()],
    )?;
    Ok(())
}

/// Notices that a person has not seen, oldest first.
pub fn notices(connection: &Connection) -> Result<Vec<(u64, Notice)>> {
    let mut statement = connection
        .prepare_cached("SELECT number, item FROM notices WHERE seen = 0 ORDER BY number")?;
    let rows: Vec<(i64, Vec<u8>)> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let read = |(number, item): (i64, Vec<u8>)| {
        (
            number.cast_unsigned(),
            Notice::read(&mut Reader::new(&item)).unwrap_or(Notice::Unknown),
        )
    };
    Ok(rows.into_iter().map(read).collect())
}

/// A person has seen a notice.
pub fn mark_notice_seen(transaction: &Transaction<'_>, number: u64) -> Result<()> {
    transaction.execute(
        "UPDATE notices SET seen = 1 WHERE number = ?1",
        [number.cast_signed()],
    )?;
    Ok(())
}

/// The directory's tag and bytes.
pub fn directory(connection: &Connection) -> Result<Option<([u8; 8], Vec<u8>)>> {
    let mut statement =
        connection.prepare_cached("SELECT tag, bytes FROM directory WHERE id = 1")?;
    Ok(statement
        .query_row([], |row| Ok((bytes(row, 0)?, row.get(1)?)))
        .optional()?)
}

/// The directory's tag alone.
pub fn directory_tag(connection: &Connection) -> Result<Option<[u8; 8]>> {
    let mut statement = connection.prepare_cached("SELECT tag FROM directory WHERE id = 1")?;
    Ok(statement.query_row([], |row| bytes(row, 0)).optional()?)
}

/// Keeps the directory.
pub fn put_directory(transaction: &Transaction<'_>, tag: [u8; 8], directory: &[u8]) -> Result<()> {
    transaction.execute(
        "INSERT OR REPLACE INTO directory (id, tag, bytes) VALUES (1, ?1, ?2)",
        params![tag, directory],
    )?;
    Ok(())
}
