//! A file system for SQLite that is the machine's own, and tells a `Disk` of every write, sync and deletion in watched folders.
//!
//! It alters nothing: reads, locks and the log's shared memory go straight through. The only unsafe code of the project stands here,
//! for SQLite takes a file system as a table of C functions.
#![expect(unsafe_code, reason = "SQLite's interface to a file system is C")]

use std::collections::BTreeMap;
use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use rusqlite::ffi;

use super::disk::Disk;

/// A disk that several connections write to.
pub(super) type Watched = Arc<Mutex<Disk>>;

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An open file of a watched folder.
#[derive(Clone)]
struct Handle {
    path: PathBuf,
    disk: Watched,
    /// The machine's own functions for it.
    own: &'static ffi::sqlite3_io_methods,
    /// Whether its next sync is of its folder too: SQLite syncs that for a journal or a log which it has made.
    is_new: bool,
}

/// The machine's file system, and the one that is put before it.
struct Systems {
    own: *mut ffi::sqlite3_vfs,
    is_registered: bool,
}

// SAFETY: SQLite's own file system is a table in static memory which it never changes, and may be called by any thread.
unsafe impl Send for Systems {}
// SAFETY: as above.
unsafe impl Sync for Systems {}

static FOLDERS: Mutex<BTreeMap<PathBuf, Watched>> = Mutex::new(BTreeMap::new());
/// By the address of SQLite's own record of the file, which stays until it is closed.
static HANDLES: Mutex<BTreeMap<usize, Handle>> = Mutex::new(BTreeMap::new());
static SYSTEMS: LazyLock<Systems> = LazyLock::new(|| {
    // SAFETY: null asks for the default, which lives as long as the program; the copy is leaked and does so too.
    unsafe {
        let own = ffi::sqlite3_vfs_find(std::ptr::null());
        let ahead = Box::leak(Box::new(*own));
        ahead.pNext = std::ptr::null_mut();
        ahead.zName = c"watched".as_ptr();
        ahead.xOpen = Some(open);
        ahead.xDelete = Some(delete);
        let is_registered = ffi::sqlite3_vfs_register(ahead, 1) == ffi::SQLITE_OK;
        Systems { own, is_registered }
    }
});

/// A folder of which a disk is told, until this is dropped.
pub(super) struct Watch(PathBuf);

impl Watch {
    /// Watches a folder, for connections that are opened from now on.
    pub(super) fn over(folder: &Path, disk: &Watched) -> Result<Self, String> {
        if !SYSTEMS.is_registered {
            return Err("SQLite takes no other file system".to_owned());
        }
        let folder = folder.canonicalize().map_err(|error| error.to_string())?;
        lock(&FOLDERS).insert(folder.clone(), Arc::clone(disk));
        Ok(Self(folder))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        lock(&FOLDERS).remove(&self.0);
    }
}

/// The path behind a C string of SQLite's.
///
/// # Safety
/// It is null or ends with NUL.
unsafe fn path_of(name: *const c_char) -> Option<PathBuf> {
    // SAFETY: what the caller promises.
    let name = (!name.is_null()).then(|| unsafe { CStr::from_ptr(name) });
    name.map(|name| PathBuf::from(OsStr::from_bytes(name.to_bytes())))
}

fn disk_of(path: &Path) -> Option<Watched> {
    lock(&FOLDERS).get(path.parent()?).cloned()
}

fn handle(file: *mut ffi::sqlite3_file) -> Handle {
    let found = lock(&HANDLES).get(&(file as usize)).cloned();
    found.expect("only files of watched folders have these functions")
}

/// The machine's functions with those that write replaced; one copy for each table that the machine has.
fn watched(own: &'static ffi::sqlite3_io_methods) -> &'static ffi::sqlite3_io_methods {
    static TABLES: Mutex<BTreeMap<usize, &'static ffi::sqlite3_io_methods>> =
        Mutex::new(BTreeMap::new());
    let address = std::ptr::from_ref(own) as usize;
    lock(&TABLES).entry(address).or_insert_with(|| {
        let mut ahead = *own;
        ahead.xClose = Some(close);
        ahead.xWrite = Some(write);
        ahead.xTruncate = Some(truncate);
        ahead.xSync = Some(sync);
        Box::leak(Box::new(ahead))
    })
}

unsafe extern "C" fn open(
    _: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    let own = SYSTEMS.own;
    // SAFETY: SQLite calls with what its interface says, which goes on unaltered; when it is opened the file has its functions,
    // a table in static memory.
    unsafe {
        let Some((disk, path)) = path_of(name).and_then(|path| Some((disk_of(&path)?, path)))
        else {
            return (*own)
                .xOpen
                .map_or(ffi::SQLITE_ERROR, |open| open(own, name, file, flags, out));
        };
        let was_there = path.exists();
        let rc = (*own)
            .xOpen
            .map_or(ffi::SQLITE_ERROR, |open| open(own, name, file, flags, out));
        if rc != ffi::SQLITE_OK {
            return rc;
        }
        let is_journal = flags & (ffi::SQLITE_OPEN_WAL | ffi::SQLITE_OPEN_MAIN_JOURNAL) != 0;
        lock(&disk).open(&path, std::fs::read(&path).unwrap_or_default());
        let own = &*(*file).pMethods;
        (*file).pMethods = watched(own);
        let is_new = is_journal && !was_there;
        lock(&HANDLES).insert(
            file as usize,
            Handle {
                path,
                disk,
                own,
                is_new,
            },
        );
        rc
    }
}

unsafe extern "C" fn delete(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    sync_folder: c_int,
) -> c_int {
    let own = SYSTEMS.own;
    // SAFETY: as in `open`.
    unsafe {
        let path = path_of(name);
        let rc = (*own)
            .xDelete
            .map_or(ffi::SQLITE_ERROR, |delete| delete(own, name, sync_folder));
        let watched = path.and_then(|path| Some((disk_of(&path)?, path)));
        if let (ffi::SQLITE_OK, Some((disk, path))) = (rc, watched) {
            lock(&disk).delete(&path);
            if sync_folder != 0 {
                lock(&disk).sync_folder(&path);
            }
        }
        rc
    }
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    let removed = lock(&HANDLES).remove(&(file as usize));
    let handle = removed.expect("it was opened");
    // SAFETY: the file's own function, with what SQLite called.
    unsafe {
        handle
            .own
            .xClose
            .map_or(ffi::SQLITE_ERROR, |close| close(file))
    }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    bytes: *const c_void,
    len: c_int,
    place: ffi::sqlite3_int64,
) -> c_int {
    let handle = handle(file);
    // Held over both: no sync of another connection comes between a write and its record.
    let mut disk = lock(&handle.disk);
    // SAFETY: the file's own function, with what SQLite called; so many bytes are there to be read.
    unsafe {
        let write = handle.own.xWrite;
        let rc = write.map_or(ffi::SQLITE_ERROR, |write| write(file, bytes, len, place));
        if rc == ffi::SQLITE_OK {
            let bytes = std::slice::from_raw_parts(bytes.cast::<u8>(), len as usize);
            disk.write(&handle.path, place as usize, bytes);
        }
        rc
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, len: ffi::sqlite3_int64) -> c_int {
    let handle = handle(file);
    let mut disk = lock(&handle.disk);
    // SAFETY: the file's own function, with what SQLite called.
    let rc = unsafe {
        let truncate = handle.own.xTruncate;
        truncate.map_or(ffi::SQLITE_ERROR, |truncate| truncate(file, len))
    };
    if rc == ffi::SQLITE_OK {
        disk.truncate(&handle.path, len as usize);
    }
    rc
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    let handle = handle(file);
    let mut disk = lock(&handle.disk);
    // SAFETY: the file's own function, with what SQLite called.
    let rc = unsafe {
        handle
            .own
            .xSync
            .map_or(ffi::SQLITE_ERROR, |sync| sync(file, flags))
    };
    if rc == ffi::SQLITE_OK {
        disk.sync(&handle.path);
        if handle.is_new {
            disk.sync_folder(&handle.path);
            if let Some(handle) = lock(&HANDLES).get_mut(&(file as usize)) {
                handle.is_new = false;
            }
        }
    }
    rc
}
