//! A database that is reached by a link: all that is promised of it holds, for what counts is the file that the link means.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::http;
use crate::program::{Folder, Running, Said, errand};

const PEOPLE: [&str; 3] = [
    "--synthetic-people",
    "--directory",
    concat!(env!("CARGO_MANIFEST_DIR"), "/data/zhuhai"),
];

/// A link, and the file that it leads to, in folders of their own. The file is not there yet.
fn link(folder: &Folder) -> (String, String) {
    for name in ["var", "data"] {
        fs::create_dir(folder.file(name)).expect("a folder");
    }
    let (link, file) = (folder.file("var/server.db"), folder.file("data/server.db"));
    symlink(&file, &link).expect("a link");
    (link.display().to_string(), file.display().to_string())
}

fn serve(database: &str) -> Said {
    errand(
        &["serve", "--listen", "127.0.0.1:0", "--database", database],
        "",
    )
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("it is read");
    let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("a file").file_name();
    let mut names: Vec<String> = entries
        .map(|entry| name(entry).to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn nothing_is_made_behind_a_link_that_leads_nowhere() {
    let folder = Folder::new("dangling_link");
    let (link, file) = link(&folder);
    let bundle = folder.file("bundle").display().to_string();
    fs::write(&bundle, "no bundle").expect("a file");
    // Over a second link too.
    let second = folder.file("second.db").display().to_string();
    symlink(&link, &second).expect("a link");
    for name in [&link, &second] {
        let told = format!("{name} is a link to {file}, which is not there");
        let said = serve(name);
        assert!(!said.ok && said.log.contains(&told), "{}", said.log);
        let words: [&[&str]; 6] = [
            &["rescue", &bundle],
            &["upgrade"],
            &["check"],
            &["person", "list"],
            &["backup", "--to", "x"],
            &["restore", "--from", &bundle],
        ];
        for words in words {
            let said = errand(&[words, &["--database", name]].concat(), "");
            let is_told = said.log.contains(&told);
            assert!(!said.ok && is_told, "{words:?}: {}", said.log);
        }
    }
    assert_eq!(names(&folder.file("data")), [] as [&str; 0]);
    assert_eq!(names(&folder.file("var")), ["server.db"]);
    let ring = folder.file("ring.db");
    symlink(&ring, &ring).expect("a link");
    let said = serve(&ring.display().to_string());
    assert!(
        !said.ok && said.log.contains("is a link to"),
        "{}",
        said.log
    );
}

#[test]
fn no_database_is_begun_in_the_place_of_a_link_that_is_gone() {
    let folder = Folder::new("link_that_is_gone");
    let (link, file) = link(&folder);
    drop(Running::start(&["--database", &file]));
    // By its own name nothing is noted beside a link.
    assert_eq!(names(&folder.file("var")), ["server.db"]);
    drop(Running::start(&["--database", &link]));
    fs::remove_file(&link).expect("the link goes");
    let said = serve(&link);
    let told = format!("{link} is missing or empty, and a server has used it");
    assert!(!said.ok && said.log.contains(&told), "{}", said.log);
    assert!(!Path::new(&link).exists());
    symlink(&file, &link).expect("a link");
    drop(Running::start(&["--database", &link]));
}

#[test]
fn whatever_links_lead_to_a_database_one_server_runs_on_it() {
    let folder = Folder::new("linked_folder");
    let (link, file) = link(&folder);
    let linked = folder.file("linked");
    symlink(folder.file("data"), &linked).expect("a link");
    let linked = linked.join("server.db").display().to_string();
    // Made under a name with a link in it.
    let server = Running::start(&["--database", &linked]);
    for other in [&file, &link, &linked] {
        let said = serve(other);
        let is_told = said.log.contains("a server or an errand runs on");
        assert!(!said.ok && is_told, "{other}: {}", said.log);
    }
    drop(server);
    let mode = fs::metadata(&file).expect("it is there").permissions();
    let mode = std::os::unix::fs::PermissionsExt::mode(&mode);
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_log_whose_database_is_gone_behind_a_link_is_left_alone() {
    let folder = Folder::new("log_behind_a_link");
    let (link, file) = link(&folder);
    // Killed: its log is left.
    drop(Running::start(&["--database", &file]));
    let log = format!("{file}-wal");
    let bytes = fs::read(&log).expect("a log");
    assert!(!bytes.is_empty());
    for is_empty in [false, true] {
        fs::remove_file(&file).expect("it is lost");
        if is_empty {
            fs::write(&file, "").expect("an empty file");
        }
        let said = serve(&link);
        assert!(!said.ok, "{}", said.log);
        assert!(fs::read(&log).expect("the log") == bytes, "{}", said.log);
        fs::write(&file, "").expect("an empty file");
    }
}

#[test]
fn a_backup_is_taken_and_restored_through_a_link() {
    let folder = Folder::new("restored_through_a_link");
    let (link, file) = link(&folder);
    let server = Running::start(&[&["--database", &file], &PEOPLE[..]].concat());
    // All of it lies in the log still.
    let len = fs::metadata(format!("{file}-wal")).expect("a log").len();
    assert!(len > 0, "{len}");
    let to = folder.file("backup.db").display().to_string();
    let at = ["--database", &link];
    let backup = |to: &str| errand(&[&["backup", "--to", to][..], &at].concat(), "");
    let taken = backup(&to);
    assert!(taken.ok, "{}", taken.log);
    let people = errand(&[&["person", "list"][..], &at].concat(), "").lines;
    assert!(people.len() > 200, "{}", people.len());
    // Nor does a copy take the place of a link.
    let nowhere = folder.file("nowhere.db");
    symlink("no/such/place", &nowhere).expect("a link");
    let behind = folder.file("behind.db");
    symlink("no/such/place", folder.file("behind.db-wal")).expect("a link");
    for to in [nowhere, behind] {
        let refused = backup(&to.display().to_string());
        let is_told = refused.log.contains("is there already");
        assert!(!refused.ok && is_told, "{}", refused.log);
    }

    let replace = [&["restore", "--replace", "--from", &to][..], &at].concat();
    let refused = errand(&replace, "");
    let is_told = refused.log.contains("stop it first");
    assert!(!refused.ok && is_told, "{}", refused.log);
    drop(server);
    let before = fs::read(&file).expect("the database");
    let restored = errand(&replace, "");
    assert!(restored.ok, "{}", restored.log);
    assert!(
        fs::symlink_metadata(&link)
            .expect("it is there")
            .is_symlink()
    );
    assert_eq!(names(&folder.file("var")), ["server.db"]);
    assert!(fs::read(&file).expect("the database") != before);
    let aside = restored.lines[0]["moved_aside"].as_str().expect("a file");
    assert!(aside.starts_with(&format!("{file}.replaced-")), "{aside}");
    let kept = errand(&["person", "list", "--database", aside], "").lines;
    assert_eq!(kept, people);
    drop(Running::start(&["--database", &link]));
    // Nothing is restored from itself, under whatever name.
    let from_itself = ["restore", "--replace", "--from", &link, "--database", &file];
    let refused = errand(&from_itself, "");
    assert!(refused.log.contains("from itself"), "{}", refused.log);
}

#[test]
fn a_link_that_is_led_elsewhere_under_a_server_is_noticed() {
    let folder = Folder::new("link_led_elsewhere");
    let (link, file) = link(&folder);
    fs::write(&file, "").expect("an empty file");
    let server = Running::start(&["--database", &link]);
    let health = || http::ask(server.address, "GET", "/healthz", &[], &[]);
    assert_eq!(health().status, 200);
    let other = folder.file("other.db");
    fs::copy(&file, &other).expect("a copy");
    fs::remove_file(&link).expect("the link goes");
    symlink(&other, &link).expect("a link");
    let told = health();
    assert_eq!((told.status, told.body.contains("moved")), (503, true));
    fs::remove_file(&link).expect("the link goes");
    symlink(&file, &link).expect("a link");
    assert_eq!(health().status, 200);
}
