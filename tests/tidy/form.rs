//! The form of files: what each begins with, what none contains.

use super::source::{Source, rust, tree};
use super::{Breaches, of};

fn silent(files: &[Source]) -> Breaches {
    let is_silent = |file: &&Source| {
        let rest = file.text.strip_prefix("//! ").unwrap_or("");
        rest.lines()
            .next()
            .is_none_or(|line| line.trim().len() < 12)
    };
    files
        .iter()
        .filter(is_silent)
        .map(|file| format!("{} does not begin by saying what it is for", file.path))
        .collect()
}

#[test]
fn every_file_begins_by_saying_what_it_is_for() {
    assert_eq!(silent(&rust()), Breaches::new());
    let files = [
        ("a.rs", "//! What comes after what.\n"),
        ("b.rs", "use x;\n//! Too late.\n"),
        ("c.rs", "//! Stuff.\n"),
    ];
    assert_eq!(of(&files, silent).len(), 2);
}

fn folder_modules(files: &[Source]) -> Breaches {
    files
        .iter()
        .filter(|file| file.path.ends_with("/mod.rs"))
        .map(|file| file.path.clone())
        .collect()
}

#[test]
fn a_module_with_children_lies_beside_their_folder() {
    assert_eq!(folder_modules(&rust()), Breaches::new());
    assert_eq!(
        of(
            &[("core/src/x/mod.rs", ""), ("core/src/x.rs", "")],
            folder_modules
        ),
        ["core/src/x/mod.rs"]
    );
}

/// What no file contains, in code: the words are written apart here, for this file is code too.
const NOWHERE: &[&str] = &[
    "#[ignore",
    "#[allow(",
    "#![allow(",
    "thread::sleep(",
    "time::sleep(",
    "sleep_until(",
    "todo!(",
    "dbg!(",
];
/// Waiting for a time is the office of whoever stands at a socket, and of commands that play a day.
const MAY_SLEEP: &[&str] = &[
    "tests/src/bin/",
    "tests/src/proxy",
    "tests/src/demo",
    "tests/src/proof/scale",
    "server/src/main.rs",
];

fn forbidden(files: &[Source]) -> Breaches {
    let mut breaches = Breaches::new();
    for file in files {
        for word in NOWHERE {
            if word.contains("sleep") && MAY_SLEEP.iter().any(|path| file.path.starts_with(path)) {
                continue;
            }
            breaches.extend(file.breaches(word));
        }
    }
    breaches
}

#[test]
fn nothing_sleeps_is_ignored_or_allows_itself_an_exception() {
    assert_eq!(forbidden(&rust()), Breaches::new());
    let code = "#[ignore]\n#[allow(dead_code)]\nfn a() { std::thread::sleep(x); \"#[ignore]\"; }";
    assert_eq!(
        of(&[("tests/stories/a.rs", code)], forbidden),
        [
            "tests/stories/a.rs:1: #[ignore",
            "tests/stories/a.rs:2: #[allow(",
            "tests/stories/a.rs:3: thread::sleep("
        ]
    );
}

/// Tests that depend on where and with what they are run.
fn worldly_tests(files: &[Source]) -> Breaches {
    let mut breaches = Breaches::new();
    // Commands are started by people, who name a port.
    for file in files.iter().filter(|file| {
        (file.is_test() || file.path.starts_with("tests/"))
            && !file.path.starts_with("tests/src/bin/")
    }) {
        for word in ["set_var(", "remove_var(", "0.0.0.0", "#[should_panic]"] {
            let places: Vec<usize> = if word.starts_with('0') {
                file.text
                    .match_indices(word)
                    .map(|(place, _)| place)
                    .collect()
            } else {
                file.places(word)
            };
            breaches.extend(places.iter().map(|place| file.breach(*place, word)));
        }
        // A port that is written down is shared with whoever else wrote it down; port 0 is free.
        for (place, _) in file.text.match_indices("127.0.0.1:") {
            let port = file.text[place + "127.0.0.1:".len()..].bytes().next();
            if port.is_some_and(|digit| digit.is_ascii_digit() && digit != b'0') {
                breaches.push(file.breach(place, "a fixed port"));
            }
        }
    }
    breaches
}

#[test]
fn no_test_sets_the_environment_or_takes_a_fixed_port() {
    let files: Vec<Source> = rust()
        .into_iter()
        .filter(|file| file.path != "tests/tidy/form.rs")
        .collect();
    assert_eq!(worldly_tests(&files), Breaches::new());
    let bad = "fn a() { std::env::set_var(x, y); bind(\"127.0.0.1:8080\"); bind(\"127.0.0.1:0\") }";
    assert_eq!(of(&[("tests/a.rs", bad)], worldly_tests).len(), 2);
}

/// Text that tells of one machine or one network: folders of a home, indexes of packages.
fn local_marks(files: &[Source]) -> Breaches {
    // Written apart, so that this file does not name what it forbids.
    let marks = [
        concat!("/ho", "me/"),
        concat!("/ro", "ot/"),
        concat!("/Use", "rs/"),
        concat!("/wo", "rk/"),
        concat!("/tmp/", "target"),
        concat!("sparse", "+http"),
        concat!("replace", "-with"),
        concat!("[source", ".crates"),
        concat!("index", "-url"),
        concat!("arti", "factory"),
        concat!("GOPROXY", "="),
        concat!("npm config set ", "registry"),
    ];
    const PUBLIC_INDEX: &str = "registry+https://github.com/rust-lang/crates.io-index";
    let mut breaches = Breaches::new();
    for file in files {
        for mark in marks {
            breaches.extend(
                file.text
                    .match_indices(mark)
                    .map(|(place, _)| file.breach(place, mark)),
            );
        }
        if file.path.ends_with("Cargo.lock") {
            for (place, _) in file.text.match_indices("source = \"") {
                let source = &file.text[place + "source = \"".len()..];
                if source.split('"').next() != Some(PUBLIC_INDEX) {
                    breaches.push(file.breach(place, "a package from elsewhere"));
                }
            }
        }
    }
    breaches
}

#[test]
fn no_file_tells_of_one_machine_or_of_an_index_of_packages() {
    assert_eq!(local_marks(&tree()), Breaches::new());
    let lock = "source = \"registry+https://example.org/index\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\n";
    let path = format!("cd {}", concat!("/ho", "me/x"));
    let files = [
        Source::new("Cargo.lock", lock),
        Source::new("Makefile", &path),
    ];
    assert_eq!(local_marks(&files).len(), 2);
}
