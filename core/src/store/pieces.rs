//! Pieces of other phones' rescue bundles. They are sealed, so nothing here reads one.
//!
//! What the server has taken stays for a while: it may go back to a backup from before, and nobody else may have that work any more.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use sha2::{Digest as _, Sha256};

use super::bytes;
use crate::domain::id::DeviceId;
use crate::domain::limits;
use crate::domain::time::{DAY_MS, Timestamp};
use crate::error::Result;
use crate::sync::rescue::Bundle;

/// A bundle that this phone carries, or has carried.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CarriedBundle {
    /// Names it here.
    pub id: i64,
    /// Whose work it is.
    pub device: DeviceId,
    /// When it was made, by that device's clock.
    pub made_at: Timestamp,
    /// When it came here.
    pub taken_at: Timestamp,
    /// How many of its pieces were whole.
    pub pieces: u64,
    /// How many were not.
    pub damaged: u64,
    /// Pieces that the server has not taken yet.
    pub waiting: u64,
    /// Those that it says it will never take, and why the first. They are kept until a person gives the bundle up.
    pub refused: Option<(u64, String)>,
}

/// Keeps a bundle, known by the hash of its file. Returns its id, and whether it is new here.
pub fn put(
    transaction: &Transaction<'_>,
    hash: [u8; 32],
    bundle: &Bundle,
    now: Timestamp,
) -> Result<(i64, bool)> {
    let known = "SELECT id FROM bundles WHERE hash = ?1";
    let known = transaction.query_row(known, [hash], |row| row.get(0));
    if let Some(id) = known.optional()? {
        // What the server took long ago was let go of; whoever brings it again has a reason.
        let here = hashes(transaction, id)?;
        let is_gone = |piece: &&Vec<u8>| !here.contains(&hash_of(piece));
        let gone = bundle.pieces.iter().filter(is_gone);
        put_pieces(transaction, id, gone)?;
        return Ok((id, false));
    }
    transaction.execute(
        "INSERT INTO bundles (hash, device, made_at, taken_at, pieces, damaged) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            hash,
            bundle.device.0,
            bundle.made_at.0,
            now.0,
            bundle.pieces.len() as i64,
            bundle.damaged.cast_signed(),
        ],
    )?;
    let id = transaction.last_insert_rowid();
    put_pieces(transaction, id, bundle.pieces.iter())?;
    Ok((id, true))
}

fn put_pieces<'b>(
    transaction: &Transaction<'_>,
    id: i64,
    pieces: impl Iterator<Item = &'b Vec<u8>>,
) -> Result<()> {
    for piece in pieces {
        transaction
            .prepare_cached("INSERT INTO pieces (bundle, body) VALUES (?1, ?2)")?
            .execute(params![id, piece])?;
    }
    Ok(())
}

/// The pieces of a bundle that are here, by their hashes.
fn hashes(connection: &Connection, id: i64) -> Result<BTreeSet<[u8; 32]>> {
    let mut statement = connection.prepare_cached("SELECT body FROM pieces WHERE bundle = ?1")?;
    let rows = statement.query_map([id], |row| {
        let body: Vec<u8> = row.get(0)?;
        Ok(hash_of(&body))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn hash_of(piece: &[u8]) -> [u8; 32] {
    Sha256::digest(piece).into()
}

/// The pieces that one request carries: those that were never handed in, up to so many and so many bytes; when there are none, the one
/// that was handed in least often, alone, so that none holds up another. One that is said to be due in more than a day was noted by a
/// clock that was wrong.
pub fn due(connection: &Connection, bytes: usize, now: Timestamp) -> Result<Vec<(i64, Vec<u8>)>> {
    let sql = "SELECT id, tries, length(body) FROM pieces
               WHERE code IS NULL AND handed_in_at IS NULL AND (due_at <= ?1 OR due_at > ?1 + ?2) ORDER BY tries, id LIMIT ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let limit = limits::REQUEST_PIECES_MAX as i64;
    let rows = statement.query_map(params![now.0, DAY_MS, limit], |row| {
        Ok((
            row.get::<_, i64>(0)?,
            row.get::<_, i64>(1)?,
            row.get::<_, i64>(2)?,
        ))
    })?;
    let (mut chosen, mut total) = (Vec::new(), 0);
    for row in rows {
        let (id, tries, len) = row?;
        let is_room = tries == 0 && total < bytes;
        if !chosen.is_empty() && !is_room {
            break;
        }
        total += usize::try_from(len).unwrap_or(usize::MAX);
        let body = "SELECT body FROM pieces WHERE id = ?1";
        let body = connection
            .prepare_cached(body)?
            .query_row([id], |row| row.get(0))?;
        chosen.push((id, body));
    }
    Ok(chosen)
}

/// Whether there is any piece to hand in.
pub fn is_any_due(connection: &Connection, now: Timestamp) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM pieces
               WHERE code IS NULL AND handed_in_at IS NULL AND (due_at <= ?1 OR due_at > ?1 + ?2))";
    let mut statement = connection.prepare_cached(sql)?;
    Ok(statement.query_row(params![now.0, DAY_MS], |row| row.get(0))?)
}

/// Lets go of what the server took long ago, by its clock.
pub fn forget_old(transaction: &Transaction<'_>, now: Timestamp) -> Result<()> {
    let sql = "DELETE FROM pieces WHERE handed_in_at < ?1";
    let long_ago = now.0 - limits::PIECE_KEPT_MS;
    transaction.prepare_cached(sql)?.execute([long_ago])?;
    Ok(())
}

/// The server has taken a piece, at that time of its clock.
pub fn handed_in(transaction: &Transaction<'_>, id: i64, now: Timestamp) -> Result<()> {
    let sql = "UPDATE pieces SET handed_in_at = ?2 WHERE id = ?1";
    transaction.prepare_cached(sql)?.execute([id, now.0])?;
    Ok(())
}

/// A piece is about to be handed in: whatever comes of it, not again at once, and then alone.
pub fn sent(transaction: &Transaction<'_>, id: i64, now: Timestamp) -> Result<()> {
    let sql = "UPDATE pieces SET due_at = ?2 + ?3, tries = max(tries, 1) WHERE id = ?1";
    let values = params![id, now.0, limits::RETRY_FIRST_MS];
    transaction.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

/// The server has seen a piece and cannot take it yet: it is due again later, and later still each time. One that has become due anew since
/// it was [`sent`], as in a new epoch, stays so.
pub fn put_off(transaction: &Transaction<'_>, id: i64, now: Timestamp) -> Result<()> {
    let sql = "UPDATE pieces SET due_at = ?2 + min(?3 << min(tries - 1, 20), ?4), tries = tries + 1 WHERE id = ?1 AND tries > 0";
    let values = params![id, now.0, limits::RETRY_FIRST_MS, DAY_MS];
    transaction.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

/// The server says that it will never take a piece.
pub fn refuse(transaction: &Transaction<'_>, id: i64, code: &str) -> Result<()> {
    let sql = "UPDATE pieces SET code = ?2 WHERE id = ?1";
    transaction.execute(sql, params![id, code])?;
    Ok(())
}

/// All pieces that were not taken are due again, also those that were refused: a person wants it.
pub fn try_anew(transaction: &Transaction<'_>) -> Result<()> {
    let sql = "UPDATE pieces SET tries = 0, due_at = 0, code = NULL WHERE tries > 0 AND handed_in_at IS NULL";
    transaction.execute(sql, [])?;
    Ok(())
}

/// All pieces are due again, also those that were taken: the server has gone back, or is another.
pub fn begin_epoch(transaction: &Transaction<'_>) -> Result<()> {
    let sql =
        "UPDATE pieces SET tries = 0, due_at = 0, code = NULL, handed_in_at = NULL WHERE tries > 0";
    transaction.execute(sql, [])?;
    Ok(())
}

/// A person gives a bundle up: what of it was not taken goes. Returns whether there was such a bundle.
pub fn discard(transaction: &Transaction<'_>, bundle: i64) -> Result<bool> {
    transaction.execute("DELETE FROM pieces WHERE bundle = ?1", [bundle])?;
    let gone = transaction.execute("DELETE FROM bundles WHERE id = ?1", [bundle])?;
    Ok(gone > 0)
}

/// All bundles, the last taken first.
pub fn bundles(connection: &Connection) -> Result<Vec<CarriedBundle>> {
    let sql = "SELECT bundles.id, device, made_at, taken_at, bundles.pieces, damaged,
                      count(pieces.id), count(pieces.code), min(pieces.code)
               FROM bundles LEFT JOIN pieces ON pieces.bundle = bundles.id AND pieces.handed_in_at IS NULL
               GROUP BY bundles.id ORDER BY bundles.id DESC";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| {
        let count = |column| row.get::<_, i64>(column).map(i64::cast_unsigned);
        let code: Option<String> = row.get(8)?;
        let refused = count(7)?;
        Ok(CarriedBundle {
            id: row.get(0)?,
            device: DeviceId(bytes(row, 1)?),
            made_at: Timestamp(row.get(2)?),
            taken_at: Timestamp(row.get(3)?),
            pieces: count(4)?,
            damaged: count(5)?,
            waiting: count(6)? - refused,
            refused: code.map(|code| (refused, code)),
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::ServerId;
    use crate::store::Store;

    fn bundle() -> Bundle {
        Bundle {
            server: ServerId([1; 16]),
            device: DeviceId([2; 8]),
            made_at: Timestamp(0),
            pieces: vec![vec![3]],
            damaged: 0,
        }
    }

    #[test]
    fn a_bundle_that_is_brought_again_after_its_pieces_were_let_go_of_is_handed_in_again() {
        let store = Store::in_memory().expect("a store");
        let mut bundle = bundle();
        bundle.pieces.push(vec![4]);
        let take = |now| store.write(|transaction| put(transaction, [4; 32], &bundle, now));
        let waiting = || -> Vec<u64> {
            let bundles = store.read(bundles).expect("a look");
            bundles.iter().map(|bundle| bundle.waiting).collect()
        };
        let (id, is_new) = take(Timestamp(7)).expect("kept");
        assert!(is_new);
        assert_eq!(waiting(), [2]);
        let hand_in = |transaction: &Transaction<'_>| {
            let (piece, _) = due(transaction, 1, Timestamp(7))?.remove(0);
            handed_in(transaction, piece, Timestamp(7))
        };
        store.write(hand_in).expect("noted");
        // What the server has and this phone still keeps is not handed in again; the other piece waits.
        assert_eq!(take(Timestamp(8)).ok(), Some((id, false)));
        assert_eq!(waiting(), [1]);
        let later = Timestamp(8 + limits::PIECE_KEPT_MS);
        let forget = |transaction: &Transaction<'_>| forget_old(transaction, later);
        store.write(forget).expect("gone");
        assert_eq!(waiting(), [1]);
        assert_eq!(take(later).ok(), Some((id, false)));
        assert_eq!(waiting(), [2]);
    }

    #[test]
    fn a_piece_that_is_put_off_waits_a_minute_then_twice_as_long_each_time_and_a_day_at_most() {
        let store = Store::in_memory().expect("a store");
        let bundle = bundle();
        let mut now = Timestamp(7);
        let put = |transaction: &Transaction<'_>| put(transaction, [4; 32], &bundle, now);
        store.write(put).expect("kept");
        let is_due = |now| store.read(|connection| is_any_due(connection, Timestamp(now)));
        for tries in 0..30 {
            let put_off = |transaction: &Transaction<'_>| {
                let (id, _) = due(transaction, 1, now)?.remove(0);
                sent(transaction, id, now)?;
                put_off(transaction, id, now)
            };
            store.write(put_off).expect("put off");
            let wait = DAY_MS.min(limits::RETRY_FIRST_MS << tries);
            assert_eq!(is_due(now.0 + wait - 1).ok(), Some(false), "{tries}");
            now.0 += wait;
            assert_eq!(is_due(now.0).ok(), Some(true), "{tries}");
        }
        let anew = |transaction: &Transaction<'_>| {
            let (id, _) = due(transaction, 1, now)?.remove(0);
            sent(transaction, id, now)?;
            try_anew(transaction)?;
            put_off(transaction, id, now)
        };
        store.write(anew).expect("put off");
        assert_eq!(is_due(now.0).ok(), Some(true));
    }
}
