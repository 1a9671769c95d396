//! The same faults on a phone's own file.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use patrol_core::error::Error;
use patrol_core::replica::Replica;

use super::mounts::{Image, Small};
use super::{Ended, Office, Phone, Step, all_are_in, deed, said};
use crate::clock::{Clock, Machine};
use crate::proof::Program;
use crate::simulation::audit::entries_on_phone;

fn open(file: &Path) -> Result<(Replica, bool), Error> {
    let machine = Arc::new(Machine::new(&Clock::default(), 1));
    let (replica, rescued) = Replica::open(file, machine)?;
    Ok((replica, rescued.is_some()))
}

/// A server, and a phone on a file with work that it has handed in and work that it has not.
async fn scene(name: &str) -> Result<(Office, Program, Phone), String> {
    let office = Office::new(name)?;
    let server = office.start()?;
    let phone = phone_on(&office.folder.file("phone.db"), &office, &server).await?;
    Ok((office, server, phone))
}

/// That phone, on any disk.
async fn phone_on(file: &Path, office: &Office, server: &Program) -> Result<Phone, String> {
    let (replica, _) = open(file).map_err(said)?;
    let mut phone = Phone::enrol_on(replica, server, &office.database).await?;
    phone.hand_in(40).await?;
    phone.work(3)?;
    Ok(phone)
}

/// Sets a pragma on the connection of a phone that writes.
fn set(phone: &Phone, pragma: &str) -> Result<(), String> {
    let store = phone.replica.store();
    let set = store.write(|transaction| Ok(transaction.execute_batch(pragma)?));
    set.map_err(said)
}

/// Nothing can be recorded, and it is said so; what is there is shown, and nothing of it has changed.
fn records_nothing(phone: &mut Phone, is_expected: fn(&str) -> bool) -> Result<String, String> {
    let before = (phone.cases()?, phone.outbox()?);
    let state = loop {
        match phone.work(1) {
            Ok(()) if phone.recorded.len() < 10_000 => {}
            Ok(()) => return Err("it is never full".to_owned()),
            Err(state) => break state,
        }
    };
    (is_expected(&state))
        .then_some(())
        .ok_or_else(|| state.clone())?;
    let shown = (phone.cases()?, phone.outbox()?);
    (shown.0 >= before.0 && shown.1 >= before.1)
        .then_some(())
        .ok_or_else(|| format!("{before:?} were there, {shown:?} are"))?;
    Ok(state)
}

/// All goes on, and everything is at the server in the end.
async fn goes_on(office: &Office, server: Program, mut phone: Phone, state: String) -> Step {
    phone.hand_in(3).await?;
    server.kill();
    Ok(Ended {
        state,
        told: office.holds(&phone.recorded)?,
    })
}

/// A phone that is full.
///
/// # Errors
/// What did not hold.
pub async fn full_phone() -> Step {
    let (office, server, mut phone) = scene("walk-full-phone").await?;
    set(&phone, "PRAGMA max_page_count = 1;")?;
    let state = records_nothing(&mut phone, |state| state == "no room left")?;
    set(&phone, "PRAGMA max_page_count = 1000000;")?;
    goes_on(&office, server, phone, state).await
}

/// A phone on a disk that something else fills to the last byte: nothing is recorded, an answer of the server cannot be taken in, and what was
/// recorded is there when the file is opened again. The disk must be mounted, for which one must be root.
///
/// # Errors
/// What did not hold.
pub async fn phone_on_full_disk() -> Step {
    let office = Office::new("walk-phone-on-full-disk")?;
    let at = office.folder.file("disk");
    let disk = Small::mount(&at)?;
    let server = office.start()?;
    let file = at.join("phone.db");
    let mut phone = phone_on(&file, &office, &server).await?;
    disk.fill()?;
    let state = records_nothing(&mut phone, |state| state == "no room left")?;
    // What is small may still find its place in the log.
    let synced = phone.sync().await.map(drop);
    (synced.is_ok() || synced == Err(state.clone()))
        .then_some(())
        .ok_or_else(|| format!("a round on the full disk: {synced:?}"))?;
    phone = opened_again(phone, &file, |closed| {
        let refused = open(closed).map(|(_, is_rescued)| is_rescued);
        let is_named = matches!(refused, Ok(false) | Err(Error::Full | Error::Unwritable));
        is_named
            .then_some(())
            .ok_or_else(|| format!("opened on the full disk: {refused:?}"))?;
        disk.make_room()
    })?;
    goes_on(&office, server, phone, state).await
}

/// A phone on a disk that the system makes read-only under it, as it does where the disk fails: it is open, and it is opened. The disk must be
/// mounted, too.
///
/// # Errors
/// What did not hold.
pub async fn phone_on_failing_disk() -> Step {
    let office = Office::new("walk-phone-on-failing-disk")?;
    let mut disk = Image::mount(office.folder.path())?;
    let server = office.start()?;
    let file = disk.file("phone.db");
    let mut phone = phone_on(&file, &office, &server).await?;
    disk.abort()?;
    let state = records_nothing(&mut phone, |state| state == "may not be written")?;
    let synced = phone.sync().await.map(drop);
    (synced == Err(state.clone()))
        .then_some(())
        .ok_or_else(|| format!("a round on the failing disk: {synced:?}"))?;
    phone = opened_again(phone, &file, |closed| {
        // Who only opens it writes nothing.
        let (replica, is_rescued) = open(closed).map_err(said)?;
        let shown = replica.list("case", 0, 1_000).map_err(said)?.len();
        let refused = deed(&replica, 0, &mut None, None);
        let is_named = !is_rescued && shown > 0 && matches!(refused, Err(Error::Unwritable));
        is_named
            .then_some(())
            .ok_or_else(|| format!("opened on the failing disk: {shown} cases, {refused:?}"))?;
        drop(replica);
        disk.again()
    })?;
    goes_on(&office, server, phone, state).await
}

/// The same phone after its file was closed, something was done, and it was opened: what it had recorded is there.
fn opened_again(
    phone: Phone,
    file: &Path,
    meanwhile: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<Phone, String> {
    let Phone {
        replica,
        http,
        last,
        recorded,
    } = phone;
    drop(replica);
    meanwhile(file)?;
    let (replica, is_rescued) = open(file).map_err(said)?;
    (!is_rescued)
        .then_some(())
        .ok_or_else(|| "a sound file was moved aside".to_owned())?;
    all_are_in(&recorded, &entries_on_phone(replica.store()))?;
    Ok(Phone {
        replica,
        http,
        last,
        recorded,
    })
}

/// A phone's file that may only be read: while it is open, and when it is opened.
///
/// # Errors
/// What did not hold.
pub async fn read_only_phone() -> Step {
    let (office, server, mut phone) = scene("walk-read-only-phone").await?;
    set(&phone, "PRAGMA query_only = 1;")?;
    let state = records_nothing(&mut phone, |state| state == "may not be written")?;
    let file = office.folder.file("phone.db");
    let phone = opened_again(phone, &file, |file| {
        let mode = |is_readonly| {
            let mut permissions = fs::metadata(file)?.permissions();
            permissions.set_readonly(is_readonly);
            fs::set_permissions(file, permissions)
        };
        mode(true).map_err(said)?;
        let refused = open(file).map(drop);
        let is_named = matches!(refused, Err(Error::Unwritable));
        is_named
            .then_some(())
            .ok_or_else(|| format!("{refused:?}"))?;
        mode(false).map_err(said)
    })?;
    goes_on(&office, server, phone, state).await
}

/// Pages of a phone's file are damaged while it is open and holds work that it has not handed in; opened again it begins anew, keeps the
/// old one, and hands in what can be read of that. All of the work is there where pages of the search are damaged, and what the server
/// has where all are.
///
/// # Errors
/// What did not hold.
pub async fn damaged_phone() -> Step {
    let spoil_search: fn(&Path) -> Result<(), String> = |file| {
        let connection = rusqlite::Connection::open(file).map_err(said)?;
        let sql =
            "SELECT rootpage FROM sqlite_schema WHERE name IN ('search_data', 'documents_changed')";
        let mut pages = connection.prepare(sql).map_err(said)?;
        let pages = pages.query_map([], |row| row.get(0)).map_err(said)?;
        let pages: rusqlite::Result<Vec<u32>> = pages.collect();
        spoil(
            file,
            pages
                .map_err(said)?
                .into_iter()
                .map(|page| u64::from(page) - 1),
        )
    };
    let spoil_all: fn(&Path) -> Result<(), String> = |file| {
        let len = fs::metadata(file).map_err(said)?.len();
        spoil(file, 1..len / PAGE)
    };
    damaged(spoil_search, Work::Unsent).await?;
    damaged(spoil_all, Work::HandedIn).await
}

const PAGE: u64 = 4_096;

fn spoil(file: &Path, pages: impl IntoIterator<Item = u64>) -> Result<(), String> {
    use std::os::unix::fs::FileExt as _;
    let bytes = fs::File::options().write(true).open(file).map_err(said)?;
    let mut written = pages
        .into_iter()
        .map(|page| bytes.write_all_at(&[0xa5; PAGE as usize], page * PAGE));
    written.try_for_each(|written| written.map_err(said))
}

/// What of a phone's work must be at the server in the end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Work {
    Unsent,
    HandedIn,
}

async fn damaged(spoil: fn(&Path) -> Result<(), String>, work: Work) -> Step {
    let (office, server, phone) = scene("walk-damaged-phone").await?;
    if work == Work::HandedIn {
        phone.sync().await?;
        phone.is_through()?;
    }
    let recorded = phone.recorded.clone();
    let file = office.folder.file("phone.db");
    // What lies in the log is not read from the file.
    drop(phone.replica);
    let (replica, _) = open(&file).map_err(said)?;
    spoil(&file)?;
    let spoilt = fs::read(&file).map_err(said)?;
    if work == Work::HandedIn {
        let shown = replica.list("case", 0, 1_000).map(drop);
        let is_named = matches!(shown, Err(Error::Damaged));
        is_named.then_some(()).ok_or_else(|| format!("{shown:?}"))?;
    }
    drop(replica);
    let (replica, aside) = {
        let machine = Arc::new(Machine::new(&Clock::default(), 2));
        Replica::open(&file, machine).map_err(said)?
    };
    let aside = aside.ok_or("it was not moved aside")?;
    let found = replica.salvage(&aside);
    let is_kept = fs::read(aside).map_err(said)? == spoilt;
    is_kept
        .then_some(())
        .ok_or_else(|| "it is not kept as it was".to_owned())?;
    let mut phone = Phone::enrol_on(replica, &server, &office.database).await?;
    match (work, found) {
        (Work::Unsent, Ok(found)) if found.is_whole => {
            phone.replica.carry(&found.bundle).map_err(said)?;
        }
        (Work::HandedIn, Err(Error::Damaged)) => {}
        (_, found) => return Err(format!("{found:?}")),
    }
    phone.sync().await?;
    if work == Work::HandedIn {
        all_are_in(&recorded, &entries_on_phone(phone.replica.store()))?;
    }
    phone.recorded = recorded;
    goes_on(&office, server, phone, Error::Damaged.to_string()).await
}
