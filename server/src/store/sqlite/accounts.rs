//! Tables `accounts` and `sessions`, and the last row of `directories`.
//!
//! Whether a session has ended by time is for the caller to say.

use patrol_core::domain::id::PersonId;
use patrol_core::domain::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, Savepoint, params};

use super::columns::uint;
use crate::store::reference::{KeptBasis, KeptDirectory, MadeBy};
use crate::store::{Account, BrowserSession, Result};

pub(super) fn put_directory(
    tx: &Savepoint<'_>,
    directory: &KeptDirectory,
    (now, made_by): (Timestamp, MadeBy),
) -> Result<()> {
    let KeptDirectory { bytes, basis } = directory;
    let (said, leaves) = basis.as_ref().map(|it| (&it.said, &it.leaves)).unzip();
    let mut insert = tx.prepare_cached(
        "INSERT INTO directories (bytes, kept_at, by_leave, said, leaves) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    let by_leave = made_by == MadeBy::Leave;
    insert.execute(params![bytes, now.0, by_leave, said, leaves])?;
    Ok(())
}

/// A row of number, bytes, what is said of people, and leaves.
pub(super) fn kept_directory(row: &Row<'_>) -> rusqlite::Result<(u64, KeptDirectory)> {
    let said: Option<Vec<u8>> = row.get(2)?;
    let leaves: Option<String> = row.get(3)?;
    let basis = said.zip(leaves);
    let kept = KeptDirectory {
        bytes: row.get(1)?,
        basis: basis.map(|(said, leaves)| KeptBasis { said, leaves }),
    };
    Ok((uint(row, 0)?, kept))
}

pub(super) fn directory(connection: &Connection) -> Result<Option<(u64, KeptDirectory)>> {
    let sql = "SELECT no, bytes, said, leaves FROM directories ORDER BY no DESC LIMIT 1";
    let mut select = connection.prepare_cached(sql)?;
    Ok(select.query_row([], kept_directory).optional()?)
}

pub(super) fn put_account(tx: &Savepoint<'_>, account: &Account) -> Result<()> {
    let mut upsert = tx.prepare_cached(
        "INSERT INTO accounts (person, login, password_hash) VALUES (?1, ?2, ?3)
         ON CONFLICT (person) DO UPDATE SET login = excluded.login, password_hash = excluded.password_hash",
    )?;
    upsert.execute(params![
        account.person.0,
        account.login,
        account.password_hash
    ])?;
    tx.prepare_cached("DELETE FROM sessions WHERE person = ?1")?
        .execute([account.person.0])?;
    tx.prepare_cached("DELETE FROM setup_code")?.execute([])?;
    Ok(())
}

pub(super) fn replace_account(
    tx: &Savepoint<'_>,
    account: &Account,
    password_hash: &str,
) -> Result<bool> {
    let known = account_of(tx, account.person)?;
    let is_right = known.is_some_and(|known| known.password_hash == password_hash);
    if is_right {
        put_account(tx, account)?;
    }
    Ok(is_right)
}

pub(super) fn account_of(connection: &Connection, person: PersonId) -> Result<Option<Account>> {
    let mut select = connection
        .prepare_cached("SELECT person, login, password_hash FROM accounts WHERE person = ?1")?;
    Ok(select.query_row([person.0], read_account).optional()?)
}

pub(super) fn account(connection: &Connection, login: &str) -> Result<Option<Account>> {
    let mut select = connection
        .prepare_cached("SELECT person, login, password_hash FROM accounts WHERE login = ?1")?;
    Ok(select.query_row([login], read_account).optional()?)
}

fn read_account(row: &Row<'_>) -> rusqlite::Result<Account> {
    Ok(Account {
        person: PersonId(row.get(0)?),
        login: row.get(1)?,
        password_hash: row.get(2)?,
    })
}

pub(super) fn has_account(connection: &Connection) -> Result<bool> {
    let mut select = connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM accounts)")?;
    Ok(select.query_row([], |row| row.get(0))?)
}

pub(super) fn put_session(
    tx: &Savepoint<'_>,
    token: [u8; 32],
    session: &BrowserSession,
    password_hash: &str,
) -> Result<bool> {
    let mut upsert = tx.prepare_cached(
        "INSERT INTO sessions (token, person, until)
         SELECT ?1, person, ?3 FROM accounts WHERE person = ?2 AND password_hash = ?4
         ON CONFLICT (token) DO UPDATE SET person = excluded.person, until = excluded.until",
    )?;
    let row = params![token, session.person.0, session.until.0, password_hash];
    Ok(upsert.execute(row)? > 0)
}

pub(super) fn session(connection: &Connection, token: [u8; 32]) -> Result<Option<BrowserSession>> {
    let mut select =
        connection.prepare_cached("SELECT person, until FROM sessions WHERE token = ?1")?;
    let session = select.query_row([token], |row| {
        Ok(BrowserSession {
            person: PersonId(row.get(0)?),
            until: Timestamp(row.get(1)?),
        })
    });
    Ok(session.optional()?)
}

pub(super) fn forget_sessions(tx: &Savepoint<'_>, now: Timestamp) -> Result<()> {
    tx.prepare_cached("DELETE FROM sessions WHERE until <= ?1")?
        .execute([now.0])?;
    Ok(())
}

pub(super) fn end_session(tx: &Savepoint<'_>, token: [u8; 32]) -> Result<()> {
    tx.prepare_cached("DELETE FROM sessions WHERE token = ?1")?
        .execute([token])?;
    Ok(())
}
