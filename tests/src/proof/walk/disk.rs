//! A disk that takes nothing more, under the server's program, and a database that may only be read.

use std::fs;
use std::path::Path;

use super::mounts::{Image, Small, is_root, run};
use super::{Ended, Office, Phone, Step, is_said, said};
use crate::proof::Program;

/// A server's program to which work was handed in, the phone that did, and one that only looks.
struct Scene {
    server: Program,
    phone: Phone,
    reader: Phone,
}

impl Scene {
    async fn new(server: Program, database: &Path) -> Result<Self, String> {
        let mut phone = Phone::enrol(&server, database, 1).await?;
        phone.hand_in(30).await?;
        let reader = Phone::enrol(&server, database, 2).await?;
        Ok(Self {
            server,
            phone,
            reader,
        })
    }

    /// While the disk takes nothing: work waits, the word is said, what is there is shown.
    async fn waits(&mut self, word: &str) -> Result<(), String> {
        self.phone.must_wait(5).await?;
        is_said(&self.server, 503, word).await?;
        self.reader.sync().await?;
        let shown = self.reader.cases()?;
        (shown == 10)
            .then_some(())
            .ok_or_else(|| format!("a look shows {shown} cases, not 10"))
    }

    /// Once it takes something again, all goes on without a restart.
    async fn goes_on(&mut self) -> Result<(), String> {
        is_said(&self.server, 200, "ok").await?;
        self.phone.hand_in(0).await?;
        self.reader.hand_in(3).await
    }

    /// Kills the server; the phones go on.
    fn stopped(self) -> (Phone, Phone) {
        self.server.kill();
        (self.phone, self.reader)
    }

    /// That everything is in the database in the end.
    fn ends(self, office: &Office, state: &str) -> Step {
        let (phone, reader) = self.stopped();
        let mut told = phone.recorded;
        told.extend(reader.recorded);
        Ok(Ended {
            state: state.to_owned(),
            told: office.holds(&told)?,
        })
    }
}

/// A quota, as a limit of what files may grow to, reached while the server runs, and then lifted.
///
/// # Errors
/// What did not hold.
pub async fn takes_no_more() -> Step {
    let office = Office::new("walk-quota")?;
    let mut scene = Scene::new(office.start()?, &office.database).await?;
    let len = |suffix| fs::metadata(office.folder.file(suffix)).map_or(0, |file| file.len());
    let most = len("server.db").max(len("server.db-wal"));
    may_grow_to(&scene.server, &most.to_string())?;
    scene.waits("unwritable").await?;
    may_grow_to(&scene.server, "unlimited")?;
    scene.goes_on().await?;
    scene.ends(&office, "unwritable")
}

/// Bounds the files that a program writes, in bytes.
fn may_grow_to(server: &Program, most: &str) -> Result<(), String> {
    let id = server.id().to_string();
    let limit = format!("--fsize={most}:unlimited");
    run("prlimit", &["--pid", &id, &limit])
}

/// A small disk that something else fills to the last byte while the server runs. It must be mounted, for which one must be root.
///
/// # Errors
/// What did not hold.
pub async fn full() -> Step {
    let mut office = Office::new("walk-full")?;
    let at = office.folder.file("disk");
    let disk = Small::mount(&at)?;
    office.database = at.join("server.db");
    let server = office.start()?;
    let mut scene = Scene::new(server, &office.database).await?;
    disk.fill()?;
    scene.waits("full").await?;
    disk.make_room()?;
    scene.goes_on().await?;
    scene.ends(&office, "full")
}

/// A disk that the system makes read-only under the running server, as it does where the disk fails. It must be mounted, too. Once the disk
/// has been looked through the server is started again on it.
///
/// # Errors
/// What did not hold.
pub async fn failing() -> Step {
    let mut office = Office::new("walk-failing")?;
    let mut disk = Image::mount(office.folder.path())?;
    office.database = disk.file("server.db");
    let mut scene = Scene::new(office.start()?, &office.database).await?;
    disk.abort()?;
    scene.waits("unwritable").await?;
    let port = scene.server.port();
    let (phone, reader) = scene.stopped();
    let refused = Program::start(&office.database, port, &[]);
    let words = refused.as_ref().err();
    let is_named = words.is_some_and(|words| words.contains("cannot be written"));
    is_named
        .then_some(())
        .ok_or_else(|| format!("{refused:?}"))?;
    disk.again()?;
    office.errand(&["check"])?;
    let server = Program::start(&office.database, port, &[])?;
    let mut scene = Scene {
        server,
        phone,
        reader,
    };
    scene.goes_on().await?;
    scene.ends(&office, "unwritable")
}

/// A database that may only be read, when the server starts on it. Who may do everything starts it as nobody.
///
/// # Errors
/// What did not hold.
pub async fn read_only() -> Step {
    let office = Office::new("walk-read-only")?;
    let scene = Scene::new(office.start()?, &office.database).await?;
    let told = scene.phone.recorded.clone();
    drop(scene.ends(&office, "")?);
    // With its folder, or alone.
    for folder in [0o555, 0o777] {
        is_refused(&office, folder)?;
    }
    let server = office.start()?;
    is_said(&server, 200, "ok").await?;
    server.kill();
    Ok(Ended {
        state: "unwritable".to_owned(),
        told: office.holds(&told)?,
    })
}

/// That no server starts on a database which may only be read, in a folder of that mode, and that it stays as it is.
fn is_refused(office: &Office, folder: u32) -> Result<(), String> {
    let files = [
        (office.folder.file(""), folder),
        (office.database.clone(), 0o444),
    ];
    // It is root's, and would be what cannot be written.
    drop(fs::remove_file(office.folder.file("server.db.lock")));
    for (file, mode) in &files {
        set_mode(file, *mode)?;
    }
    let before = fs::read(&office.database).map_err(said)?;
    let refused = start_as_nobody(office);
    let is_kept = fs::read(&office.database).map_err(said)? == before;
    for (file, _) in files {
        set_mode(&file, 0o755)?;
    }
    is_kept
        .then_some(())
        .ok_or_else(|| "the file was changed".to_owned())?;
    let words = refused.as_ref().err();
    let is_named = words.is_some_and(|words| {
        words.contains("cannot be written") && words.contains("left as it is")
    });
    is_named.then_some(()).ok_or_else(|| format!("{refused:?}"))
}

fn start_as_nobody(office: &Office) -> Result<Program, String> {
    let own = Program::path();
    if !is_root()? {
        return Program::start(&office.database, 0, &[]);
    }
    // Its own folder may be closed to others.
    let copy = std::env::temp_dir().join(format!("xuncun-walk-{}", std::process::id()));
    fs::copy(own, &copy).map_err(said)?;
    set_mode(&copy, 0o755)?;
    let path = copy.to_str().ok_or("a name in UTF-8")?;
    let words = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        path,
    ];
    let started = Program::start_by(&words, &office.database, 0, &[]);
    drop(fs::remove_file(&copy));
    started
}

fn set_mode(file: &Path, mode: u32) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).map_err(said)
}
