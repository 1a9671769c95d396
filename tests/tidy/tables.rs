//! That the tables of proofs are whole and true: each invariant, trap and hostile input has its row, each row its tests, and the
//! tests exist.

use std::collections::BTreeSet;

use super::source::{Source, declared, tree};
use super::{Breaches, of, signatures};

const PROTOCOL: &str = "core/src/sync/protocol.md";
const TRAPS: &str = "core/src/sync/traps.md";
/// Where each function is called by the examinations of the backends.
const EXAMINATION: &str = "server/src/store/conformance";

/// The words for what is wrong with files that are imported, and the handbooks that explain each.
const FAULTS: &str = "server/src/sheet/fault.rs";
/// Those for rows that do not fit together.
const UNSOUND: &str = "server/src/sheet/fault/unsound.rs";
const HANDBOOKS: [&str; 2] = ["docs/handbook.zh.md", "docs/handbook.en.md"];

/// Names of all tests.
fn all_tests(files: &[Source]) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        names.extend(signatures::tests(file).into_iter().map(|(name, _)| name));
        if file.path.starts_with(EXAMINATION) {
            let functions = declared(&file.code).into_iter();
            names.extend(
                functions
                    .filter(|(keyword, _, _)| *keyword == "fn")
                    .map(|(_, name, _)| name),
            );
        }
    }
    names
}

/// What stands between backticks and looks like the name of a test.
fn named(text: &str) -> Vec<&str> {
    let is_name = |word: &&str| {
        word.matches('_').count() >= 2
            && word
                .bytes()
                .all(|byte| byte == b'_' || byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    text.split('`').skip(1).step_by(2).filter(is_name).collect()
}

/// Rows of the tables of a page that begin with a letter and a number: the label, and the rest.
fn rows<'t>(text: &'t str, letter: char) -> Vec<(usize, &'t str)> {
    let row = |line: &'t str| {
        let (label, rest) = line.strip_prefix("| ")?.split_once(" | ")?;
        let number = label.strip_prefix(letter)?.parse().ok()?;
        Some((number, rest))
    };
    text.lines().filter_map(row).collect()
}

/// Whether the rows are numbered from 1 to the last, each once, and each says something in its last column.
fn unproved(text: &str, letter: char, last: usize) -> Breaches {
    let rows = rows(text, letter);
    let numbers: Vec<usize> = rows.iter().map(|(number, _)| *number).collect();
    let mut breaches = Breaches::new();
    if numbers != (1..=last).collect::<Vec<_>>() {
        breaches.push(format!(
            "{letter}1 to {letter}{last} are not all there, once and in order"
        ));
    }
    for (number, rest) in rows {
        let proof = rest
            .trim_end_matches(" |")
            .rsplit(" | ")
            .next()
            .unwrap_or("");
        let is_explained = proof.contains("cannot happen: ") || proof.starts_with("as T");
        if named(proof).is_empty() && !is_explained {
            breaches.push(format!("{letter}{number} names no test"));
        }
    }
    breaches
}

fn missing_proofs(files: &[Source]) -> Breaches {
    let text = |path: &str| {
        let file = files.iter().find(|file| file.path == path);
        file.map_or("", |file| file.text.as_str())
    };
    let mut breaches = unproved(text(PROTOCOL), 'I', 10);
    breaches.extend(unproved(text(TRAPS), 'T', 39));
    if rows(text(TRAPS), 'H').len() != 11 {
        breaches.push("H1 to H11 are not all there".to_owned());
    }
    let tests = all_tests(files);
    for path in [PROTOCOL, TRAPS] {
        let unknown = named(text(path))
            .into_iter()
            .filter(|name| !tests.contains(name));
        breaches.extend(unknown.map(|name| format!("{path} names {name}, which is no test")));
    }
    breaches
}

#[test]
fn every_invariant_trap_and_hostile_input_names_a_test_that_exists() {
    let files = tree();
    assert_eq!(missing_proofs(&files), Breaches::new());
    // Without one of the tests, or one of the rows, it is a breach.
    let mut without: Vec<Source> = files.clone();
    without.retain(|file| file.path != "tests/invariants/leak.rs");
    let breaches = missing_proofs(&without);
    assert!(
        breaches
            .iter()
            .any(|breach| breach.contains("nothing_of_a_document_out_of_scope_comes_down")),
        "{breaches:?}"
    );
    let page = "| I1 | a | `some_test_name` |\n| I3 | b | |\n";
    let breaches = of(
        &[(PROTOCOL, page), ("a.rs", "fn some_test_name() {}")],
        missing_proofs,
    );
    for breach in [
        "I1 to I10 are not all there, once and in order",
        "I3 names no test",
        "core/src/sync/protocol.md names some_test_name, which is no test",
    ] {
        assert!(
            breaches.iter().any(|found| found == breach),
            "{breach}: {breaches:?}"
        );
    }
}

/// Words of faults that a handbook does not explain.
fn unexplained(files: &[Source]) -> Breaches {
    let text = |path: &str| {
        let file = files.iter().find(|file| file.path == path);
        file.map_or("", |file| file.text.as_str())
    };
    let lines = text(FAULTS).lines().chain(text(UNSOUND).lines());
    let words = lines.filter_map(|line| {
        let (variant, word) = line.trim().split_once(" => \"")?;
        let is_variant = variant.starts_with("Self::") || variant.starts_with("F::");
        is_variant.then_some(word.strip_suffix("\",")?)
    });
    let words: BTreeSet<&str> = words.collect();
    let mut breaches = Breaches::new();
    if words.is_empty() {
        breaches.push(format!("{FAULTS} has no words"));
    }
    for word in words {
        for path in HANDBOOKS {
            if !text(path).contains(&format!("\n| `{word}` | ")) {
                breaches.push(format!("{path} does not explain {word}"));
            }
        }
    }
    breaches
}

#[test]
fn every_word_for_a_fault_of_an_import_is_explained_in_both_handbooks() {
    assert_eq!(unexplained(&tree()), Breaches::new());
    let code = "Self::NotText => \"not_text\",\nSelf::NoRows => \"no_rows\",\n";
    let pages = [
        "\n| `no_rows` | a |",
        "\n| `not_text` | b |\n| `no_rows` | c |",
    ];
    let files = [
        (FAULTS, code),
        (HANDBOOKS[0], pages[0]),
        (HANDBOOKS[1], pages[1]),
    ];
    assert_eq!(
        of(&files, unexplained),
        ["docs/handbook.zh.md does not explain not_text"]
    );
    let unsound = [
        &files[..],
        &[(UNSOUND, "F::NoBeat { .. } => \"no_beat\",\n")],
    ]
    .concat();
    assert_eq!(of(&unsound, unexplained).len(), 3);
    assert_eq!(
        of(&[(FAULTS, "")], unexplained),
        ["server/src/sheet/fault.rs has no words"]
    );
}
