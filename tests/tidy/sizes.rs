//! Sizes: of files, of the list of packages, of the bindings beside the core.

use super::source::{Source, rust, tree};
use super::{Breaches, of};

const FILE_LINES_MAX: usize = 500;
const PACKAGES_MAX: usize = 600;

/// Files that are known to be too long, with their number of lines. This list may only become shorter: a file that is short
/// enough has to be taken off, one that has grown is a breach.
const TOO_LONG: &[(&str, usize)] = &[];

fn too_long(files: &[Source], known: &[(&str, usize)]) -> Breaches {
    let mut breaches = Breaches::new();
    for file in files {
        let lines = file.text.lines().count();
        let allowed = known
            .iter()
            .find(|(path, _)| *path == file.path)
            .map(|(_, lines)| *lines);
        if lines > allowed.unwrap_or(FILE_LINES_MAX) {
            breaches.push(format!("{} has {lines} lines", file.path));
        }
        if allowed.is_some() && lines <= FILE_LINES_MAX {
            breaches.push(format!(
                "{} is short enough: take it off the list",
                file.path
            ));
        }
    }
    let is_gone = |path: &str| !files.iter().any(|file| file.path == path);
    let gone = known.iter().filter(|(path, _)| is_gone(path));
    breaches.extend(gone.map(|(path, _)| format!("{path} is gone: take it off the list")));
    breaches
}

#[test]
fn no_file_is_longer_than_can_be_read_at_once() {
    assert_eq!(too_long(&rust(), TOO_LONG), Breaches::new());
    let long = "x\n".repeat(501);
    let files = [
        ("a.rs", long.as_str()),
        ("b.rs", "x\n"),
        ("c.rs", long.as_str()),
    ];
    let breaches = of(&files, |files| {
        too_long(files, &[("b.rs", 600), ("c.rs", 501), ("d.rs", 600)])
    });
    assert_eq!(breaches.len(), 3, "{breaches:?}");
}

fn too_many_packages(lock: &str, most: usize) -> Breaches {
    let packages = lock.lines().filter(|line| *line == "[[package]]").count();
    if (1..=most).contains(&packages) {
        Breaches::new()
    } else {
        vec![format!("{packages} packages")]
    }
}

#[test]
fn the_list_of_packages_stays_within_its_budget() {
    let files = tree();
    let lock = files
        .iter()
        .find(|file| file.path == "Cargo.lock")
        .expect("a lock file");
    assert_eq!(too_many_packages(&lock.text, PACKAGES_MAX), Breaches::new());
    assert_eq!(
        too_many_packages(&"[[package]]\n".repeat(3), 2),
        ["3 packages"]
    );
    assert_eq!(too_many_packages("", 2), ["0 packages"]);
}

fn code_lines(files: &[Source], folder: &str) -> usize {
    let own = files
        .iter()
        .filter(|file| file.path.starts_with(folder) && !file.is_test());
    own.map(|file| {
        file.shipped()
            .lines()
            .filter(|line| !line.trim().is_empty())
            .count()
    })
    .sum()
}

fn fat_bindings(files: &[Source]) -> Breaches {
    let (bindings, core) = (
        code_lines(files, "bindings/src/"),
        code_lines(files, "core/src/"),
    );
    if bindings * 10 > core {
        vec![format!(
            "{bindings} lines of bindings beside {core} of core"
        )]
    } else {
        Breaches::new()
    }
}

#[test]
fn the_bindings_are_thin() {
    assert_eq!(fat_bindings(&rust()), Breaches::new());
    let files = [
        ("bindings/src/lib.rs", "a\nb\n".to_owned()),
        ("core/src/lib.rs", "a\n".repeat(19)),
    ];
    let files = files.map(|(path, text)| Source::new(path, &text));
    assert_eq!(
        fat_bindings(&files),
        ["2 lines of bindings beside 19 of core"]
    );
}

fn crate_of(path: &str) -> Option<&str> {
    let (name, _) = path.split_once('/')?;
    ["core", "server", "bindings", "tests"]
        .contains(&name)
        .then_some(name)
}

/// Rust files outside the crates: a script or a crate that the map does not show.
fn unmapped(files: &[Source]) -> Breaches {
    files
        .iter()
        .filter(|file| crate_of(&file.path).is_none())
        .map(|file| file.path.clone())
        .collect()
}

#[test]
fn every_rust_file_lies_in_one_of_the_four_crates() {
    assert_eq!(unmapped(&rust()), Breaches::new());
    assert_eq!(
        of(
            &[("extra/src/lib.rs", ""), ("core/src/lib.rs", "")],
            unmapped
        ),
        ["extra/src/lib.rs"]
    );
}
