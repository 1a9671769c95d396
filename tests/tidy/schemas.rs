//! The two databases: tables are strict, columns are never silently empty, inserts name their columns.

use super::source::{Source, tree};
use super::{Breaches, of};

fn loose_tables(files: &[Source]) -> Breaches {
    let mut breaches = Breaches::new();
    for file in files.iter().filter(|file| file.path.ends_with(".sql")) {
        for (place, _) in file.text.match_indices("CREATE TABLE ") {
            let rest = &file.text[place..];
            let end = rest.find("\n)").map_or(rest.len(), |at| at + 1);
            let end = rest[end..].find('\n').map_or(rest.len(), |len| end + len);
            let statement = &rest[..end];
            let name = rest["CREATE TABLE ".len()..]
                .split([' ', '('])
                .next()
                .unwrap_or("");
            let last = statement.lines().last().unwrap_or("");
            if !last.contains("STRICT") {
                breaches.push(file.breach(place, &format!("{name} is not strict")));
            }
            breaches.extend(nullable(statement).iter().map(|column| {
                file.breach(
                    place,
                    &format!("{name}.{column} may be null and does not say why"),
                )
            }));
        }
    }
    breaches
}

/// Columns that may be null and have no comment on their line or right above.
fn nullable(statement: &str) -> Vec<&str> {
    let mut columns = Vec::new();
    let mut is_explained_above = false;
    for line in statement.lines().skip(1) {
        let (code, comment) = line
            .split_once("--")
            .map_or((line, None), |(code, comment)| (code, Some(comment)));
        let name = code.split_whitespace().next().unwrap_or("");
        if name.is_empty() {
            is_explained_above = comment.is_some();
            continue;
        }
        let is_column = name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte.is_ascii_digit());
        let is_filled = code.contains("NOT NULL") || code.contains("PRIMARY KEY");
        if is_column && !is_filled && comment.is_none() && !is_explained_above {
            columns.push(name);
        }
    }
    columns
}

#[test]
fn tables_are_strict_and_what_may_be_absent_says_why() {
    let files = tree();
    assert_eq!(loose_tables(&files), Breaches::new());
    assert!(
        files
            .iter()
            .filter(|file| file.path.ends_with(".sql"))
            .count()
            >= 2
    );
    let bad = "CREATE TABLE a (\n  b INTEGER,\n  c INTEGER NOT NULL,\n  d TEXT, -- when told\n  -- why\n  e TEXT,\n  f TEXT\n);\n";
    assert_eq!(
        of(&[("a.sql", bad)], loose_tables),
        [
            "a.sql:1: a is not strict",
            "a.sql:1: a.b may be null and does not say why"
        ]
    );
}

fn nameless_inserts(files: &[Source]) -> Breaches {
    let mut breaches = Breaches::new();
    for file in files
        .iter()
        .filter(|file| file.is_rust() || file.path.ends_with(".sql"))
    {
        for verb in [
            concat!("INSERT", " INTO "),
            concat!("INSERT", " OR REPLACE INTO "),
            concat!("INSERT", " OR IGNORE INTO "),
        ] {
            for (place, _) in file.text.match_indices(verb) {
                let rest = file.text[place + verb.len()..].trim_start();
                let after = rest
                    .trim_start_matches(|letter: char| {
                        letter.is_alphanumeric() || "_.{}".contains(letter)
                    })
                    .trim_start();
                if !after.starts_with('(') {
                    breaches.push(file.breach(place, "an insert that does not name its columns"));
                }
            }
        }
        breaches.extend(
            file.text
                .match_indices(concat!("SELECT", " *"))
                .map(|(place, _)| file.breach(place, "columns are not named")),
        );
    }
    breaches
}

#[test]
fn statements_name_their_columns() {
    // Tests of the law and of whole tables may say "all of it".
    let files: Vec<Source> = tree()
        .into_iter()
        .filter(|file| !file.path.starts_with("tests/tidy/") && !file.is_test())
        .collect();
    assert_eq!(nameless_inserts(&files), Breaches::new());
    let bad = format!(
        "{} a VALUES (1); {} a (b) VALUES (1); {} FROM a",
        concat!("INSERT", " INTO"),
        concat!("INSERT", " INTO"),
        concat!("SELECT", " *")
    );
    assert_eq!(of(&[("a.sql", &bad)], nameless_inserts).len(), 2);
}
