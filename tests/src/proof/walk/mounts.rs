//! Disks that are truly full, or become read-only under whoever has files open on them. They must be mounted, for which one must be root.
//!
//! What is done on them is decided elsewhere.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::said;

/// What a program says that found only faults which it has mended.
const MENDED: i32 = 1;

pub(super) fn run(program: &str, words: &[&str]) -> Result<(), String> {
    let ended = Command::new(program).args(words).status().map_err(said)?;
    ended
        .success()
        .then_some(())
        .ok_or_else(|| format!("{program} {words:?}: {ended}"))
}

/// Whether this program may mount disks.
pub(super) fn is_root() -> Result<bool, String> {
    let id = Command::new("id").arg("-u").output().map_err(said)?;
    Ok(id.stdout.trim_ascii() == b"0")
}

fn text(path: &Path) -> Result<&str, String> {
    path.to_str().ok_or_else(|| "a name in UTF-8".to_owned())
}

/// Something mounted, which is taken away when this is dropped: after those who have files open on it.
struct Mounted {
    at: PathBuf,
    is_there: bool,
}

impl Mounted {
    /// By the words of `mount`, without the place.
    fn new(words: &[&str], at: &Path) -> Result<Self, String> {
        fs::create_dir_all(at).map_err(said)?;
        let at = at.to_owned();
        let mut mounted = Self {
            at,
            is_there: false,
        };
        mounted.mount(words)?;
        Ok(mounted)
    }

    fn mount(&mut self, words: &[&str]) -> Result<(), String> {
        run("mount", &[words, &[text(&self.at)?]].concat())?;
        self.is_there = true;
        Ok(())
    }

    fn take_away(&mut self) -> Result<(), String> {
        run("umount", &[text(&self.at)?])?;
        self.is_there = false;
        Ok(())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if self.is_there {
            drop(self.take_away());
        }
    }
}

/// A small disk of its own that something else can fill.
pub(super) struct Small(Mounted);

impl Small {
    pub(super) fn mount(at: &Path) -> Result<Self, String> {
        let words = ["-t", "tmpfs", "-o", "size=32m", "tmpfs"];
        Ok(Self(Mounted::new(&words, at)?))
    }

    fn hoard(&self) -> PathBuf {
        self.0.at.join("hoard")
    }

    /// Fills it to its last byte.
    pub(super) fn fill(&self) -> Result<(), String> {
        // It ends where the disk does.
        let filled = fs::write(self.hoard(), vec![0x5a; 64 * 1024 * 1024]);
        let is_full = filled.is_err_and(|error| error.kind() == std::io::ErrorKind::StorageFull);
        is_full
            .then_some(())
            .ok_or_else(|| "the disk is larger than what fills it".to_owned())
    }

    /// Makes room again.
    pub(super) fn make_room(&self) -> Result<(), String> {
        fs::remove_file(self.hoard()).map_err(said)
    }
}

/// A disk in a file, with a journal as phones and servers have it.
pub(super) struct Image {
    file: PathBuf,
    mounted: Mounted,
}

impl Image {
    /// Makes it in a folder and mounts it there.
    pub(super) fn mount(folder: &Path) -> Result<Self, String> {
        let file = folder.join("disk.img");
        let room = fs::File::create(&file).and_then(|file| file.set_len(128 * 1024 * 1024));
        room.map_err(said)?;
        run("mkfs.ext4", &["-q", "-F", text(&file)?])?;
        let mounted = Mounted::new(&["-o", "loop", text(&file)?], &folder.join("disk"))?;
        Ok(Self { file, mounted })
    }

    /// A file on it.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.mounted.at.join(name)
    }

    /// What the system itself does where the disk's own structure no longer holds: whoever writes is told from now on that it may only be read.
    pub(super) fn abort(&self) -> Result<(), String> {
        let at = text(&self.mounted.at)?;
        run("mount", &["-o", "remount,abort", at])?;
        let written = fs::write(self.file("written"), [1]).map_err(|error| error.kind());
        (written == Err(std::io::ErrorKind::ReadOnlyFilesystem))
            .then_some(())
            .ok_or_else(|| format!("the disk still takes something: {written:?}"))
    }

    /// Takes it away, looks through it as a system does when it starts, and mounts it. Nobody may have a file open on it.
    pub(super) fn again(&mut self) -> Result<(), String> {
        self.mounted.take_away()?;
        let looked = Command::new("fsck.ext4").arg("-p").arg(&self.file).output();
        let looked = looked.map_err(said)?;
        let is_sound = looked.status.code().is_some_and(|code| code <= MENDED);
        is_sound
            .then_some(())
            .ok_or_else(|| format!("fsck.ext4: {looked:?}"))?;
        self.mounted.mount(&["-o", "loop", text(&self.file)?])
    }
}
