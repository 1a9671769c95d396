//! A database of which a page is not as it was written, and one that is moved away under its server.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use patrol_server::store::sqlite::SqliteStore;
use patrol_server::store::{Measured as _, StoreError};
use rusqlite::Connection;

use super::{Ended, Office, Phone, Step, health, is_said, said};
use crate::proof::{Program, entries_in};

/// Bytes of a page, as SQLite makes them.
const PAGE: usize = 4_096;

/// How often a server is asked whether it has found something: each is an answer over a socket.
const ASKED_MAX: usize = 20_000;

/// A database with work in it, stopped and whole in its one file, a backup from before the last of it, and the phone that did it.
async fn at_rest(name: &str) -> Result<(Office, PathBuf, Phone, u16), String> {
    let office = Office::new(name)?;
    let server = office.start()?;
    let mut phone = Phone::enrol(&server, &office.database, 1).await?;
    phone.hand_in(300).await?;
    let backup = office.folder.file("backup.db");
    let to = backup.to_str().ok_or("a name in UTF-8")?;
    office.errand(&["backup", "--to", to])?;
    phone.hand_in(30).await?;
    let port = server.port();
    server.kill();
    // Its log goes into the file.
    drop(entries_in(&office.database)?);
    Ok((office, backup, phone, port))
}

/// Fills a page with what was never written.
fn spoil(file: &Path, number: usize) -> Result<(), String> {
    use std::os::unix::fs::FileExt as _;
    let file = fs::File::options().write(true).open(file).map_err(said)?;
    let at = (number - 1) * PAGE;
    file.write_all_at(&[0xa5; PAGE], at as u64).map_err(said)
}

/// The pages of a database that hold nothing, by their numbers: the list of them as SQLite keeps it, and not the pages that hold the list.
pub fn free_pages(database: &[u8]) -> BTreeSet<usize> {
    let number = |at: usize| {
        let bytes = database
            .get(at..at + 4)
            .and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u32::from_be_bytes) as usize
    };
    let mut free = BTreeSet::new();
    let mut list = number(32);
    while list > 0 && free.len() < database.len() / PAGE {
        let at = (list - 1) * PAGE;
        free.extend((0..number(at + 4)).map(|place| number(at + 8 + 4 * place)));
        list = number(at);
    }
    free
}

/// A page with rows of the table of changes: the last leaf of its tree.
fn page_of_changes(file: &Path) -> Result<usize, String> {
    let connection = Connection::open(file).map_err(said)?;
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'changes'";
    let root: u32 = connection
        .query_row(sql, [], |row| row.get(0))
        .map_err(said)?;
    drop(connection);
    let bytes = fs::read(file).map_err(said)?;
    let mut number = root as usize;
    // The kind of a page stands first; one that is no leaf names its last child at byte 8.
    while let [5, _, _, _, _, _, _, _, a, b, c, d, ..] = bytes[(number - 1) * PAGE..] {
        number = u32::from_be_bytes([a, b, c, d]) as usize;
    }
    Ok(number)
}

/// What is left to do by the handbook: the backup is made the database, and the phones bring the rest.
async fn restored(office: &Office, backup: &Path, port: u16, phone: &mut Phone) -> Step {
    let from = backup.to_str().ok_or("a name in UTF-8")?;
    office.errand(&["restore", "--from", from, "--replace"])?;
    let server = Program::start(&office.database, port, &[])?;
    is_said(&server, 200, "ok").await?;
    for _ in 0..4 {
        phone.sync().await?;
    }
    phone.hand_in(3).await?;
    server.kill();
    Ok(Ended {
        state: "damaged".to_owned(),
        told: office.holds(&phone.recorded)?,
    })
}

/// A page is damaged while the server is stopped; it looks through its file when it starts.
///
/// # Errors
/// What did not hold.
pub async fn damaged_at_rest() -> Step {
    let (office, backup, mut phone, port) = at_rest("walk-damaged").await?;
    spoil(&office.database, page_of_changes(&office.database)?)?;
    let server = Program::start(&office.database, port, &[])?;
    let mut asked = 0;
    while health(&server).await? != (503, "damaged".to_owned()) {
        asked += 1;
        (asked < ASKED_MAX)
            .then_some(())
            .ok_or_else(|| "the damage is not found".to_owned())?;
    }
    // What is acknowledged now would go with the file.
    phone.work(5)?;
    let answered = phone.sync().await;
    let outbox = phone.outbox()?;
    (outbox == 5)
        .then_some(())
        .ok_or_else(|| format!("{outbox} wait, {answered:?}"))?;
    server.kill();
    let found = office.errand(&["check"]);
    let is_named = found.as_ref().is_err_and(|words| words.contains("damaged"));
    is_named
        .then_some(())
        .ok_or_else(|| format!("check: {found:?}"))?;
    restored(&office, &backup, port, &mut phone).await
}

/// A page is damaged under a running server that has found nothing amiss; who reads it finds it.
///
/// # Errors
/// What did not hold.
pub async fn damaged_while_it_runs() -> Step {
    let (office, backup, mut phone, port) = at_rest("walk-damaged-running").await?;
    let server = Program::start(&office.database, port, &[])?;
    is_said(&server, 200, "ok").await?;
    spoil(&office.database, page_of_changes(&office.database)?)?;
    let reader = Phone::enrol(&server, &office.database, 2).await?;
    let answered = reader.sync().await;
    answered
        .is_err()
        .then_some(())
        .ok_or_else(|| format!("it was shown: {answered:?}"))?;
    is_said(&server, 503, "damaged").await?;
    server.kill();
    restored(&office, &backup, port, &mut phone).await
}

/// Each page of a stopped database damaged in turn: none is taken for what it was.
///
/// # Errors
/// What did not hold.
pub async fn every_page_damaged() -> Step {
    let (office, _, phone, _) = at_rest("walk-pages").await?;
    let whole = fs::read(&office.database).map_err(said)?;
    let free = free_pages(&whole);
    let file = office.folder.file("spoilt.db");
    let mut unseen = Vec::new();
    for number in 1..=whole.len() / PAGE {
        for suffix in ["-wal", "-shm"] {
            drop(fs::remove_file(
                office.folder.file(&format!("spoilt.db{suffix}")),
            ));
        }
        fs::write(&file, &whole).map_err(said)?;
        spoil(&file, number)?;
        let looked = SqliteStore::open(&file, || unreachable!("it knows who it is"))
            .and_then(|store| store.look_through());
        match looked {
            Ok(()) => unseen.push(number),
            Err(StoreError::Damaged(_) | StoreError::Broken(_)) => {}
            Err(other) => return Err(format!("page {number}: {other}")),
        }
    }
    // In a page that holds nothing, nothing is lost.
    unseen.retain(|number| !free.contains(number));
    unseen
        .is_empty()
        .then_some(())
        .ok_or_else(|| format!("damage of pages {unseen:?} is not seen, {free:?} are free"))?;
    Ok(Ended {
        state: "damaged".to_owned(),
        told: phone.recorded.len(),
    })
}

/// The file is moved away under the running server, and put back.
///
/// # Errors
/// What did not hold.
pub async fn moved_away() -> Step {
    let office = Office::new("walk-moved")?;
    let server = office.start()?;
    let mut phone = Phone::enrol(&server, &office.database, 1).await?;
    phone.hand_in(10).await?;
    let elsewhere = office.folder.file("elsewhere.db");
    fs::rename(&office.database, &elsewhere).map_err(said)?;
    phone.must_wait(5).await?;
    is_said(&server, 503, "moved").await?;
    fs::rename(&elsewhere, &office.database).map_err(said)?;
    is_said(&server, 200, "ok").await?;
    phone.hand_in(3).await?;
    server.kill();
    Ok(Ended {
        state: "moved".to_owned(),
        told: office.holds(&phone.recorded)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::served::Folder;

    #[test]
    fn pages_that_hold_nothing_are_those_that_sqlite_counts() {
        let folder = Folder::new("free-pages").expect("a folder");
        let file = folder.file("some.db");
        let connection = Connection::open(&file).expect("a new file");
        let sql = "CREATE TABLE t (a BLOB); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
                   INSERT INTO t SELECT zeroblob(3000) FROM n;";
        connection.execute_batch(sql).expect("it is made");
        let free = || free_pages(&fs::read(&file).expect("a file"));
        assert_eq!(free(), BTreeSet::new());
        connection
            .execute_batch("DELETE FROM t;")
            .expect("it is emptied");
        let count = connection.query_row("PRAGMA freelist_count", [], |row| row.get::<_, u32>(0));
        let count = count.expect("a number") as usize;
        let free = free();
        // Each page of the list names a thousand others.
        let lists = count.div_ceil(PAGE / 4 - 2 + 1);
        assert!(count > 2_000, "{count}");
        assert!(
            (count - free.len()).abs_diff(lists) <= 1,
            "{count}, {free:?}"
        );
    }
}
