//! Signatures that read at the call: no bare truths among parameters; tests whose names are sentences.

use super::source::{Source, declared, rust, within};
use super::{Breaches, of};

fn bare_truths(files: &[Source]) -> Breaches {
    let mut breaches = Breaches::new();
    for file in files {
        for (keyword, name, place) in declared(&file.code) {
            if keyword != "fn" {
                continue;
            }
            let after = &file.code[place + name.len()..];
            let Some(open) = after.find('(') else {
                continue;
            };
            let parameters: Vec<&str> = within(after, open)
                .split(',')
                .map(str::trim)
                .filter(|parameter| !parameter.is_empty() && !parameter.ends_with("self"))
                .collect();
            let is_bare = |parameter: &&str| {
                parameter
                    .split_once(':')
                    .is_some_and(|(_, kind)| kind.trim() == "bool")
            };
            // Alone it is a condition that reads at the call: `bounded(n > 0)`.
            if parameters.len() > 1 && parameters.iter().any(is_bare) {
                breaches.push(format!("{} {name}", file.path));
            }
        }
    }
    breaches.sort();
    breaches.dedup();
    breaches
}

#[test]
fn no_function_takes_a_bare_truth() {
    assert_eq!(bare_truths(&rust()), Breaches::new());
    let bad = "fn a(x: u8, is_late: bool) {} fn b(f: impl Fn(u8) -> bool) -> bool {} fn e(&self, is_so: bool) {} struct C { d: bool }";
    assert_eq!(of(&[("a.rs", bad)], bare_truths), ["a.rs a"]);
}

/// Tests by file: their names and places.
pub(super) fn tests(file: &Source) -> Vec<(&str, usize)> {
    let functions: Vec<(&str, usize)> = declared(&file.code)
        .into_iter()
        .filter(|(keyword, _, _)| *keyword == "fn")
        .map(|(_, name, place)| (name, place))
        .collect();
    let marks = ["#[test]", "#[tokio::test"]
        .iter()
        .flat_map(|mark| file.code.match_indices(mark));
    marks
        .filter_map(|(mark, _)| functions.iter().find(|(_, place)| *place > mark).copied())
        .collect()
}

fn mumbled_tests(files: &[Source]) -> Breaches {
    let mut breaches = Breaches::new();
    for file in files {
        for (name, place) in tests(file) {
            if name.split('_').count() < 3 || name.starts_with("test_") || name.ends_with("_works")
            {
                breaches.push(file.breach(place, name));
            }
        }
    }
    breaches
}

#[test]
fn the_name_of_a_test_is_a_sentence() {
    assert_eq!(mumbled_tests(&rust()), Breaches::new());
    let bad = "#[test]\nfn works() {}\n#[tokio::test]\nasync fn test_that_it_is() {}\n#[test]\nfn nothing_is_lost() {}";
    assert_eq!(
        of(&[("a.rs", bad)], mumbled_tests),
        ["a.rs:2: works", "a.rs:4: test_that_it_is"]
    );
}

/// Tests that draw at random and do not say how to draw the same again.
fn unrepeatable_tests(files: &[Source]) -> Breaches {
    const ENTROPY: &[&str] = &[
        "from_os_rng(",
        "from_entropy(",
        "rand::rng(",
        "thread_rng(",
        "rand::random",
    ];
    let mut breaches = Breaches::new();
    for file in files.iter().filter(|file| file.is_test()) {
        for word in ENTROPY {
            breaches.extend(file.breaches(word));
        }
    }
    breaches
}

#[test]
fn what_a_test_draws_follows_from_a_seed() {
    assert_eq!(unrepeatable_tests(&rust()), Breaches::new());
    assert_eq!(
        of(
            &[("tests/a.rs", "fn a() { ChaCha8Rng::from_os_rng() }")],
            unrepeatable_tests
        )
        .len(),
        1
    );
}
