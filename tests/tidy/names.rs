//! One concept, one word: names that say nothing, and synonyms of the words in use.

use super::source::{Source, declared, rust, tree};
use super::{Breaches, of};

/// Names that say nothing of what is inside.
const EMPTY: &[&str] = &[
    "util",
    "utils",
    "helper",
    "helpers",
    "common",
    "misc",
    "manager",
    "service",
    "handler",
    "processor",
];

/// Other words for what has a word of its own, each with that word. Only those are listed that no other thing here is called.
const SYNONYMS: &[(&str, &str)] = &[
    ("ticket", "case"),
    ("incident", "case"),
    ("gridman", "inspector"),
    ("supervisor", "dispatcher or leader"),
    ("workorder", "case"),
    ("sla", "deadline"),
    ("usn", "seq"),
    ("delegate", "observer"),
    ("listener", "observer"),
    ("dirty", "outbox"),
    ("archived", "closed"),
    ("login_session", "sign-in"),
];

/// Two words that together name what has one word.
const PAIRS: &[(&str, &str)] = &[
    ("case_status", "stage"),
    ("case_state", "stage"),
    ("stage_status", "stage"),
    ("event_log", "entries"),
    ("sync_token", "cursor"),
    ("sync_queue", "outbox"),
];

/// The words of an identifier, in small letters.
fn parts(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut was_small = false;
    for letter in name.chars() {
        if letter == '_' || (letter.is_uppercase() && was_small) {
            parts.push(String::new());
        }
        was_small = letter.is_lowercase();
        if letter != '_'
            && let Some(part) = parts.last_mut()
        {
            part.extend(letter.to_lowercase());
        }
    }
    parts
}

fn empty_names(files: &[Source]) -> Breaches {
    let mut breaches = Breaches::new();
    for file in files {
        // What a unit of systemd's is called in the end is not ours to say.
        let path = file.path.strip_suffix(".service").unwrap_or(&file.path);
        let segments = path.split(['/', '.', '-']);
        for part in segments
            .flat_map(parts)
            .filter(|part| EMPTY.contains(&part.as_str()))
        {
            breaches.push(format!("{}: {part}", file.path));
        }
        for (keyword, name, place) in declared(&file.code) {
            let says_nothing = parts(name)
                .iter()
                .any(|part| EMPTY.contains(&part.as_str()));
            if matches!(keyword, "mod" | "struct" | "enum" | "trait" | "type") && says_nothing {
                breaches.push(file.breach(place, name));
            }
        }
    }
    breaches
}

#[test]
fn no_module_or_type_has_a_name_that_says_nothing() {
    assert_eq!(empty_names(&tree()), Breaches::new());
    let files = [
        ("core/src/sync_utils.rs", ""),
        ("server/deploy/xuncun.service", ""),
        ("server/src/service.rs", ""),
        (
            "core/src/a.rs",
            "struct CaseManager; fn handler() {} struct Servicing; mod common;",
        ),
    ];
    assert_eq!(
        of(&files, empty_names),
        [
            "core/src/sync_utils.rs: utils",
            "server/src/service.rs: service",
            "core/src/a.rs:1: CaseManager",
            "core/src/a.rs:1: common"
        ]
    );
}

fn synonyms(files: &[Source]) -> Breaches {
    let mut breaches = Breaches::new();
    for file in files {
        for (_, name, place) in declared(&file.code) {
            let parts = parts(name);
            let joined = parts.join("_");
            for (other, word) in SYNONYMS {
                if parts.iter().any(|part| part == other) {
                    breaches.push(
                        file.breach(place, &format!("{name}: {other} is called {word} here")),
                    );
                }
            }
            for (pair, word) in PAIRS.iter().filter(|(pair, _)| joined.contains(pair)) {
                breaches.push(file.breach(place, &format!("{name}: {pair} is called {word} here")));
            }
        }
    }
    breaches
}

#[test]
fn one_concept_has_one_word() {
    assert_eq!(synonyms(&rust()), Breaches::new());
    let bad = "struct TicketRow; fn case_status() {} fn slab() {} struct Case;";
    assert_eq!(
        of(&[("core/src/a.rs", bad)], synonyms),
        [
            "core/src/a.rs:1: TicketRow: ticket is called case here",
            "core/src/a.rs:1: case_status: case_status is called stage here"
        ]
    );
}

/// Tables and columns are words of the same list.
fn synonyms_in_sql(files: &[Source]) -> Breaches {
    let mut breaches = Breaches::new();
    for file in files.iter().filter(|file| file.path.ends_with(".sql")) {
        for (number, line) in file.text.lines().enumerate() {
            let code = line.split("--").next().unwrap_or("");
            let words = code.split(|letter: char| !(letter.is_alphanumeric() || letter == '_'));
            for name in words.filter(|word| word.bytes().any(|byte| byte.is_ascii_lowercase())) {
                let is_banned = parts(name).iter().any(|part| {
                    EMPTY.contains(&part.as_str())
                        || SYNONYMS.iter().any(|(other, _)| other == part)
                });
                if is_banned {
                    breaches.push(format!("{}:{}: {name}", file.path, number + 1));
                }
            }
        }
    }
    breaches
}

#[test]
fn tables_and_columns_use_the_same_words() {
    assert_eq!(synonyms_in_sql(&tree()), Breaches::new());
    let bad = "CREATE TABLE tickets (id INTEGER, ticket INTEGER -- the ticket\n) STRICT;";
    assert_eq!(of(&[("a.sql", bad)], synonyms_in_sql), ["a.sql:1: ticket"]);
}

/// Verbs that say nothing, and endings that say that no name was found.
fn empty_verbs(files: &[Source]) -> Breaches {
    let mut breaches = Breaches::new();
    for file in files {
        for (keyword, name, place) in declared(&file.code) {
            let is_empty = name.starts_with("get_")
                || name.starts_with("do_")
                || name.ends_with("_impl")
                || name.ends_with("_inner");
            if keyword == "fn" && is_empty {
                breaches.push(file.breach(place, name));
            }
        }
    }
    breaches
}

#[test]
fn functions_are_called_by_what_they_do() {
    assert_eq!(empty_verbs(&rust()), Breaches::new());
    let bad = "fn get_case() {} fn done() {} fn sync_inner() {} fn forget() {}";
    assert_eq!(
        of(&[("a.rs", bad)], empty_verbs),
        ["a.rs:1: get_case", "a.rs:1: sync_inner"]
    );
}
