//! Errands on the database as a whole: a backup of it, a database out of a backup, an upgrade.
//!
//! A backup may be taken while a server runs; the others may not. Nothing is ever deleted or written over but `.unfinished`,
//! what an errand of ours that was killed has left.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::Args;
use patrol_core::domain::id::Epoch;
use patrol_core::domain::time::Timestamp;
use serde_json::{Value, json};

use super::sole::Sole;
use super::{Database, Faults, one};
use crate::app::Environment;
use crate::calendar;
use crate::check;
use crate::host::SystemEnvironment;
use crate::store::sqlite::links::{beside, folder, resolved};
use crate::store::sqlite::{backup as copies, make_file};
use crate::store::{NewEpoch, StoreError};

/// What may lie beside a database and belongs to it.
const LOGS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// What is copied, and whereto.
#[derive(Args, Clone, PartialEq, Eq, Debug)]
pub struct BackupErrand {
    /// Where.
    #[command(flatten)]
    database: Database,
    /// The new file.
    #[arg(long)]
    to: PathBuf,
}

/// What is made out of which backup.
#[derive(Args, Clone, PartialEq, Eq, Debug)]
pub struct RestoreErrand {
    /// The database that is to be made.
    #[command(flatten)]
    database: Database,
    /// The backup. It stays as it is.
    #[arg(long)]
    from: PathBuf,
    /// Moves a database that is there aside.
    #[arg(long)]
    replace: bool,
    /// Takes the backup though `check` finds fault with it.
    #[arg(long)]
    unchecked: bool,
}

/// What is brought up to date.
#[derive(Args, Clone, PartialEq, Eq, Debug)]
pub struct UpgradeErrand {
    /// Where.
    #[command(flatten)]
    database: Database,
}

pub(super) fn backup(errand: &BackupErrand) -> Result<Vec<Value>, Faults> {
    let (from, to) = (&*errand.database.served()?, &errand.to);
    // A link too, wherever it leads: the copy would take its place, or what it leads to its log's.
    let is_there = |path: &Path| path.symlink_metadata().is_ok();
    if is_there(to) || LOGS.iter().any(|suffix| is_there(&beside(to, suffix))) {
        return Err(one(format!("{} or its log is there already", to.display())));
    }
    let named = |error: &dyn std::fmt::Display| one(format!("{}: {error}", to.display()));
    let now = SystemEnvironment.now();
    let unfinished = copied(from, to)?;
    copies::mark_backup(&unfinished.path).map_err(|error| named(&error))?;
    // A database that is made out of it knows it. One of an older version cannot say it.
    drop(copies::note_taken(&unfinished.path, now));
    unfinished.settle(to).map_err(|error| named(&error))?;
    if let Err(error) = copies::note_taken(from, now) {
        tracing::warn!(%error, "the backup is good; that it was taken could not be noted: {error}");
    }
    let bytes = std::fs::metadata(to).map_err(|error| named(&error))?.len();
    Ok(vec![
        json!({ "backup": to.display().to_string(), "bytes": bytes }),
    ])
}

pub(super) fn restore(errand: &RestoreErrand) -> Result<Vec<Value>, Faults> {
    let from = &*resolved(&errand.from).map_err(one)?;
    let to = &*errand.database.file()?;
    let named =
        |path: &Path, error: &dyn std::fmt::Display| one(format!("{}: {error}", path.display()));
    if errand.replace && !to.exists() && !LOGS.iter().any(|log| beside(to, log).exists()) {
        let path = to.display();
        return Err(one(format!(
            "{path} is not there, so there is nothing to replace: say --database, or leave --replace out"
        )));
    }
    may_be_read(from)?;
    let sole = Sole::on(to)?;
    let environment = SystemEnvironment;
    let now = environment.now();
    let new = new_epoch(&environment, now);
    if from == to {
        return Err(one("a database is not restored from itself: copy it first"));
    }
    let unfinished = copied(from, to)?;
    let path = &unfinished.path;
    copies::upgrade(path).map_err(|error| named(path, &error))?;
    if !errand.unchecked {
        is_sound(path).map_err(|faults| of_backup(from, faults))?;
    }
    copies::begin_epoch(path, &new).map_err(|error| named(path, &error))?;
    File::open(path)
        .and_then(|file| hand_over(&file, to))
        .map_err(|error| named(path, &error))?;
    let aside = move_aside(errand, to, now)?;
    unfinished.settle(to).map_err(|error| named(to, &error))?;
    // Should it be gone before its first start, that makes no new one.
    sole.note_used();
    tracing::warn!(
        "what was decided since the backup is not in it: revoke lost phones again, look at people, passwords and the directory"
    );
    Ok(vec![json!({
        "database": to.display().to_string(),
        "epoch": new.epoch.hex(),
        "number_block": new.number_block,
        "moved_aside": aside.map(|aside| aside.display().to_string()),
    })])
}

/// What `check` says of a database that is to be served.
fn is_sound(path: &Path) -> Result<(), Faults> {
    let app = super::open_to_read(path).map_err(one)?;
    let findings = check::check(app.store.as_ref()).map_err(one)?.findings;
    match findings.is_empty() {
        true => Ok(()),
        false => Err(findings),
    }
}

fn of_backup(from: &Path, mut faults: Faults) -> Faults {
    faults.push(format!(
        "{} is not restored: take an older backup, or this one as it is by --unchecked",
        from.display()
    ));
    faults
}

pub(super) fn upgrade(errand: &UpgradeErrand) -> Result<Vec<Value>, Faults> {
    let sole = errand.database.alone()?;
    let path = sole.database();
    let upgraded = bring_up_to_date(path)?;
    Ok(vec![json!({
        "database": path.display().to_string(),
        "from_version": upgraded.as_ref().map(|upgraded| upgraded.from),
        "backup": upgraded.map(|upgraded| upgraded.backup.display().to_string()),
    })])
}

/// Refuses to serve a backup, or to change anything in it.
pub(super) fn refuse_backup(path: &Path) -> Result<(), Faults> {
    let is_backup = path.is_file() && std::fs::metadata(path).is_ok_and(|file| file.len() > 0);
    match is_backup && copies::is_backup(path).unwrap_or(false) {
        true => Err(one(format!(
            "{} is a backup, and stays as it was taken: served as it is, it would give case numbers out twice, and no phone would bring \
             back what came after it; make a database out of it by `restore --from`",
            path.display()
        ))),
        false => Ok(()),
    }
}

/// What an upgrade left behind.
pub(super) struct Upgraded {
    /// The version before.
    pub(super) from: u32,
    /// The database as it was.
    pub(super) backup: PathBuf,
}

/// Upgrades a database that an older program made; nothing where there is nothing to do.
pub(super) fn bring_up_to_date(path: &Path) -> Result<Option<Upgraded>, Faults> {
    let named = |error: &dyn std::fmt::Display| one(format!("{}: {error}", path.display()));
    let Some(from) = copies::older(path).map_err(|error| named(&error))? else {
        return Ok(None);
    };
    if copies::is_in_use(path) {
        return Err(named(&"a server runs on it: stop it first"));
    }
    let now = SystemEnvironment.now();
    let backup = beside(path, &format!(".version-{from}-{}", now.0));
    let unfinished = copied(path, &backup)?;
    File::open(&unfinished.path)
        .and_then(|file| hand_over(&file, path))
        .map_err(|error| named(&error))?;
    unfinished.settle(&backup).map_err(|error| named(&error))?;
    if let Err(error) = copies::upgrade(path) {
        // As it was before; each further try would leave one more copy, until the disk is full.
        if copies::older(path).is_ok_and(|found| found == Some(from)) {
            drop(std::fs::remove_file(&backup));
        }
        return Err(named(&error));
    }
    Ok(Some(Upgraded { from, backup }))
}

fn new_epoch(environment: &dyn Environment, now: Timestamp) -> NewEpoch {
    let (mut epoch, mut suffix) = ([0; 4], [0; 8]);
    environment.fill_random(&mut epoch);
    environment.fill_random(&mut suffix);
    NewEpoch {
        epoch: Epoch(epoch),
        suffix,
        number_block: calendar::second(now),
        since: now,
    }
}

/// Moves what is there aside, where that is asked for and nobody uses it.
fn move_aside(
    errand: &RestoreErrand,
    to: &Path,
    now: Timestamp,
) -> Result<Option<PathBuf>, Faults> {
    let aside = beside(to, &format!(".replaced-{}", now.0));
    if !to.exists() {
        // A log without its database would be taken for the new one's.
        let had_log = move_logs(to, &aside)?;
        return Ok(had_log.then_some(aside));
    }
    let path = to.display();
    if !errand.replace {
        return Err(one(format!("{path} is there: --replace moves it aside")));
    }
    if copies::is_in_use(to) {
        return Err(one(format!("a server runs on {path}: stop it first")));
    }
    // The file itself stays under its name until the new one takes it: no server finds nothing there and begins anew.
    // Where files cannot have two names, it is moved.
    std::fs::hard_link(to, &aside)
        .or_else(|_| std::fs::rename(to, &aside))
        .map_err(one)?;
    move_logs(to, &aside)?;
    Ok(Some(aside))
}

/// Moves aside what lies beside a database and belongs to it. Returns whether anything did.
fn move_logs(to: &Path, aside: &Path) -> Result<bool, Faults> {
    let mut had_any = false;
    for suffix in LOGS {
        let part = beside(to, suffix);
        if part.exists() {
            std::fs::rename(&part, beside(aside, suffix)).map_err(one)?;
            had_any = true;
        }
    }
    Ok(had_any)
}

/// A copy that has not got its name yet. Dropped before it has, nothing of it stays. Nobody else makes one of the same name meanwhile.
struct Unfinished {
    path: PathBuf,
    _lock: File,
}

impl Unfinished {
    /// Makes it durable under its name. Of what was written last nothing may lie in its log, which has another name.
    fn settle(self, name: &Path) -> std::io::Result<()> {
        copies::fold_log(&self.path).map_err(std::io::Error::other)?;
        File::open(&self.path)?.sync_all()?;
        std::fs::rename(&self.path, name)?;
        File::open(folder(name))?.sync_all()
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

fn remove(unfinished: &Path) {
    for suffix in [""].into_iter().chain(LOGS) {
        drop(std::fs::remove_file(beside(unfinished, suffix)));
    }
}

/// A copy of a database beside the name that it will have, looked through, readable by its owner alone.
fn copied(from: &Path, name: &Path) -> Result<Unfinished, Faults> {
    may_be_read(from)?;
    let path = beside(name, ".unfinished");
    let named = |error: &dyn std::fmt::Display| one(format!("{}: {error}", path.display()));
    if let (Ok(from), Ok(left)) = (from.canonicalize(), path.canonicalize())
        && from == left
    {
        return Err(named(&"this name is for unfinished copies: move it first"));
    }
    // One that nobody holds has been left by an errand that was killed.
    let taken = || named(&"another errand makes it");
    if let Ok(left) = File::open(&path) {
        left.try_lock().map_err(|_| taken())?;
    }
    remove(&path);
    make_file(&path).map_err(|error| named(&error))?;
    let lock = File::open(&path).map_err(|error| named(&error))?;
    lock.try_lock().map_err(|_| taken())?;
    let unfinished = Unfinished { path, _lock: lock };
    let path = &unfinished.path;
    copies::copy(from, path).map_err(|error| match error {
        // What the disk of the copy does not take says nothing of what is copied.
        StoreError::Full | StoreError::Unwritable(_) => one(format!(
            "{}, a copy of {}: {error}",
            path.display(),
            from.display()
        )),
        error => one(format!("{}: {error}", from.display())),
    })?;
    copies::look_at(path).map_err(|error| one(format!("{}: {error}", path.display())))?;
    Ok(unfinished)
}

/// Says what keeps a file from being read, which SQLite has no words for.
fn may_be_read(path: &Path) -> Result<(), Faults> {
    let why = match File::open(path).and_then(|file| file.metadata()) {
        Ok(file) if file.is_file() => return Ok(()),
        Ok(_) => "it is no file".to_owned(),
        Err(error) if error.kind() == ErrorKind::NotFound => "it is not there".to_owned(),
        Err(error) => format!("it cannot be read: {error}"),
    };
    Err(one(format!("{}: {why}", path.display())))
}

/// Gives a file that root has made to whoever has the one that it replaces or stands beside, or the folder: else no server of theirs could
/// open it.
#[cfg(unix)]
pub(super) fn hand_over(made: &File, name: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, fchown};
    if made.metadata()?.uid() != 0 {
        return Ok(());
    }
    let owner = std::fs::metadata(name).or_else(|_| std::fs::metadata(folder(name)))?;
    fchown(made, Some(owner.uid()), Some(owner.gid()))
}

#[cfg(not(unix))]
pub(super) fn hand_over(_: &File, _: &Path) -> std::io::Result<()> {
    Ok(())
}
