//! Whose the files of a database are, and who may read them.
#![cfg(unix)]

use std::fs::{Permissions, metadata, set_permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;

use crate::program::{Folder, Running, errand};

fn mode(file: &str) -> u32 {
    let file = metadata(file).expect("it is there");
    file.permissions().mode() & 0o777
}

fn owner(file: &str) -> (u32, u32) {
    let file = metadata(file).expect("it is there");
    (file.uid(), file.gid())
}

#[test]
fn nobody_else_reads_a_new_database_and_where_others_can_it_is_said() {
    let database = Folder::new("file_modes").database();
    let server = Running::start(&["--database", &database]);
    for suffix in ["", "-wal", "-shm"] {
        assert_eq!(mode(&format!("{database}{suffix}")), 0o600, "{suffix}");
    }
    assert!(
        !server.started.contains("others can read"),
        "{}",
        server.started
    );
    drop(server);
    set_permissions(&database, Permissions::from_mode(0o640)).expect("it is ours");
    let server = Running::start(&["--database", &database]);
    assert!(
        server.started.contains("others can read") && server.started.contains("640"),
        "{}",
        server.started
    );
}

#[test]
fn a_restored_database_is_whose_the_replaced_one_was() {
    let folder = Folder::new("file_owners");
    let database = folder.database();
    drop(Running::start(&["--database", &database]));
    let backup = format!("{database}.backup");
    assert!(errand(&["backup", "--database", &database, "--to", &backup], "").ok);
    // Only root can give it away; everybody else restores his own.
    let is_given = chown(&database, Some(65_534), Some(65_534)).is_ok();
    let before = owner(&database);
    assert_eq!(is_given, before == (65_534, 65_534));
    let words = ["restore", "--replace", "--from", &backup, "--database"];
    let restored = errand(&[&words[..], &[&database]].concat(), "");
    assert!(restored.ok, "{}", restored.log);
    assert_eq!((owner(&database), mode(&database)), (before, 0o600));
    // Where there was none, it is whose the folder is.
    let (within, new) = (folder.file("data"), folder.file("data/server.db"));
    std::fs::create_dir(&within).expect("a folder");
    let given: &Path = &within;
    assert_eq!(chown(given, Some(65_534), Some(65_534)).is_ok(), is_given);
    let (within, new) = (within.display().to_string(), new.display().to_string());
    let words = ["restore", "--from", &backup, "--database", &new];
    let restored = errand(&words, "");
    assert!(restored.ok, "{}", restored.log);
    assert_eq!(owner(&new), owner(&within));
}
