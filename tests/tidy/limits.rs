//! That limits stand in one file, and that every stored or sent shape says its version.

use super::source::{Source, declared, rust, tree};
use super::{Breaches, of};

const LIMITS: &str = "core/src/domain/limits.rs";

/// A unit of measure is no limit.
const UNITS: &[&str] = &["DAY_MS", "HOUR_MS", "MINUTE_MS", "SECOND_MS", "EAST_8_MS"];

fn is_limit(name: &str) -> bool {
    let ends = [
        "_MAX", "_MIN", "_BYTES", "_MS", "_FIRST", "_AIM", "_DAYS", "_TRIES", "_LIMIT",
    ];
    let is_shouted = name.bytes().all(|byte| !byte.is_ascii_lowercase());
    is_shouted
        && (name.starts_with("MAX_") || ends.iter().any(|end| name.ends_with(end)))
        && !UNITS.contains(&name)
}

fn stray_limits(files: &[Source]) -> Breaches {
    let mut breaches = Breaches::new();
    for file in files.iter().filter(|file| {
        let is_shipped = ["core/src/", "server/src/", "bindings/src/"]
            .iter()
            .any(|folder| file.path.starts_with(folder));
        is_shipped && file.path != LIMITS
    }) {
        for (keyword, name, place) in declared(file.shipped()) {
            if keyword == "const" && is_limit(name) {
                breaches.push(file.breach(place, name));
            }
        }
    }
    breaches
}

#[test]
fn limits_stand_in_one_file() {
    assert_eq!(stray_limits(&rust()), Breaches::new());
    let bad = "const PAGE_BYTES: usize = 5;\nconst PAGE: usize = 5;\nconst fn BYTES_MAX() {}";
    assert_eq!(
        of(&[("server/src/a.rs", bad), (LIMITS, bad)], stray_limits),
        ["server/src/a.rs:1: PAGE_BYTES"]
    );
}

/// Limits that nobody imports.
fn idle_limits(files: &[Source]) -> Breaches {
    let Some(limits) = files.iter().find(|file| file.path == LIMITS) else {
        return vec!["there is no file of limits".to_owned()];
    };
    let is_used = |name: &str| {
        files
            .iter()
            .filter(|file| file.path != LIMITS)
            .any(|file| !file.places(name).is_empty())
    };
    declared(&limits.code)
        .into_iter()
        .filter(|(keyword, name, _)| *keyword == "const" && !is_used(name))
        .map(|(_, name, place)| limits.breach(place, name))
        .collect()
}

#[test]
fn every_limit_binds_somebody() {
    assert_eq!(idle_limits(&rust()), Breaches::new());
    let files = [
        (LIMITS, "pub const A_MAX: u8 = 1;\npub const B_MAX: u8 = 1;"),
        ("a.rs", "limits::B_MAX"),
    ];
    assert_eq!(
        of(&files, idle_limits),
        ["core/src/domain/limits.rs:1: A_MAX"]
    );
}

/// Every shape that is stored or sent: the constant that names its version, and what it is a version of.
const VERSIONS: &[(&str, &str)] = &[
    ("PROTOCOL", "the wire"),
    ("ENTRY_VERSION", "an entry's envelope"),
    ("FOLD_VERSION", "the meaning of entries"),
    ("DIRECTORY_VERSION", "the directory"),
    ("COMPONENTS_VERSION", "a village's components"),
    ("SCHEMA_VERSION", "the phone's file"),
    ("VERSION", "the server's database"),
];

/// Version constants that are missing, or whose history does not reach up to their value.
fn unversioned(files: &[Source]) -> Breaches {
    let mut breaches = Breaches::new();
    for (name, shape) in VERSIONS {
        let found = files
            .iter()
            .filter(|file| !file.is_test())
            .find_map(|file| {
                let at = declared(file.shipped())
                    .into_iter()
                    .find(|(keyword, found, _)| *keyword == "const" && found == name)?
                    .2;
                Some((file, at))
            });
        let Some((file, at)) = found else {
            breaches.push(format!("{shape} has no version: {name}"));
            continue;
        };
        let value = file.text[at..]
            .split(['=', ';'])
            .nth(1)
            .unwrap_or("")
            .trim();
        let before = &file.text[..at];
        let comment: Vec<&str> = before
            .lines()
            .rev()
            .skip(1)
            .take_while(|line| line.trim_start().starts_with("//"))
            .collect();
        if !comment
            .iter()
            .any(|line| line.contains(&format!("* {value}: ")))
        {
            breaches.push(file.breach(at, &format!("{name} does not say what version {value} is")));
        }
    }
    breaches
}

#[test]
fn every_stored_or_sent_shape_has_a_version_with_its_history() {
    assert_eq!(unversioned(&rust()), Breaches::new());
    let good: Vec<(String, String)> = VERSIONS
        .iter()
        .map(|(name, _)| {
            (
                format!("core/src/{name}.rs"),
                format!("/// * 2: new.\npub const {name}: u64 = 2;"),
            )
        })
        .collect();
    let mut files: Vec<Source> = good
        .iter()
        .map(|(path, text)| Source::new(path, text))
        .collect();
    assert_eq!(unversioned(&files), Breaches::new());
    files[0] = Source::new(
        "core/src/a.rs",
        "/// * 1: first.\npub const PROTOCOL: u64 = 2;",
    );
    files.remove(1);
    assert_eq!(unversioned(&files).len(), 2);
}

/// Numbers in the contracts' pages that say something else than the file of limits. The pages name limits in words; this
/// checks the few that they spell out.
#[test]
fn the_pages_say_the_limits_that_are_in_force() {
    let files = tree();
    let limits = files
        .iter()
        .find(|file| file.path == LIMITS)
        .expect("the file of limits");
    let value = |name: &str| -> usize {
        let line = limits
            .text
            .lines()
            .find(|line| line.contains(&format!("const {name}:")))
            .expect("such a limit");
        let product = line.split(['=', ';']).nth(1).expect("a value");
        product
            .split('*')
            .map(|factor| {
                factor
                    .trim()
                    .replace('_', "")
                    .parse::<usize>()
                    .expect("a number")
            })
            .product()
    };
    let format = files
        .iter()
        .find(|file| file.path == "core/src/doc/format.md")
        .expect("the format");
    let protocol = files
        .iter()
        .find(|file| file.path == "core/src/sync/protocol.md")
        .expect("the protocol");
    let thousands = |number: usize| {
        let text = number.to_string();
        if text.len() > 3 {
            format!("{},{}", &text[..text.len() - 3], &text[text.len() - 3..])
        } else {
            text
        }
    };
    let kilobytes = |name: &str| format!("{} KB", value(name) / 1024);
    for sentence in [
        format!("{} a change", kilobytes("CHANGE_BYTES_MAX")),
        format!("{} operations", value("CHANGE_OPS_MAX")),
        format!("{} dependencies", value("CHANGE_DEPS_MAX")),
        format!("{} actors", value("DEVICE_ACTORS_MAX")),
        format!("{} changes", thousands(value("DEVICE_CHANGES_MAX"))),
        kilobytes("DEVICE_BYTES_MAX"),
        format!("at most {} bytes", thousands(value("ENTRY_BYTES_MAX"))),
        format!("at most {} deep", value("CBOR_DEPTH_MAX")),
        format!("at most {} ", value("ON_MAX")),
    ] {
        assert!(
            format.text.contains(&sentence),
            "format.md does not say: {sentence}"
        );
    }
    for sentence in [
        format!("begin at {}", kilobytes("PUSH_FRAME_BYTES_FIRST")),
        format!("double to {}", kilobytes("PUSH_FRAME_BYTES_MAX")),
        format!("{} days ago leaves its feeds", value("CLOSED_FEED_DAYS")),
        format!("at most {} MB", value("REVOKED_BYTES_MAX") / 1024 / 1024),
    ] {
        assert!(
            protocol.text.contains(&sentence),
            "protocol.md does not say: {sentence}"
        );
    }
}
