//! Tables `accounts` and `sessions`, and the last row of `directories`.
//!
//! Whether a session has ended by time is for the caller to say.

use patrol_core::domain::id::PersonId;
use patrol_core::domain::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, Savepoint, params};

use super::columns::uint;
use crate::store::reference::MadeBy;
use crate::store::{Account, BrowserSession, Result};

pub(super) fn put_directory(
    tx: &Savepoint<'_>,
    bytes: &[u8],
    (now, made_by): (Timestamp, MadeBy),
) -> Result<()> {
    tx.prepare_cached("INSERT INTO directories (bytes, kept_at, by_leave) VALUES (?1, ?2, ?3)")?
        .execute(params![bytes, now.0, made_by == MadeBy::Leave])?;
    Ok(())
}

pub(super) fn directory(connection: &Connection) -> Result<Option<(u64, Vec<u8>)>> {
    let mut select =
        connection.prepare_cached("SELECT no, bytes FROM directories ORDER BY no DESC LIMIT 1")?;
    Ok(select
        .query_row([], |row| Ok((uint(row, 0)?, row.get(1)?)))
        .optional()?)
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
