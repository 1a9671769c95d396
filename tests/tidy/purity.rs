//! That `core` without features is pure, and that what waits or names Automerge stays where it belongs.

use super::source::{Source, places, rust, within, words};
use super::{Breaches, of};

/// What the pure part may not name: it reads no clock, draws nothing, touches nothing and waits for nothing.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::net",
    "std::thread",
    "std::env",
    "std::process",
    "SystemTime",
    "Instant",
    "rusqlite",
    "reqwest",
    "rustls",
    "tokio",
    "futures_util",
    "getrandom",
    "rand",
    "async",
    "await",
    "new_v4",
    "now_v7",
    "thread_rng",
];

/// What the pure part may depend on. A new one is a decision.
const PURE_DEPENDENCIES: &[&str] = &[
    "automerge",
    "base64",
    "crc32fast",
    "ed25519-dalek",
    "hmac",
    "hpke",
    "minicbor",
    "sha2",
    "uuid",
    "zstd",
];

/// Where something may wait.
const SOCKETS: &[&str] = &[
    "core/src/replica/components.rs",
    "core/src/replica/enrol.rs",
    "core/src/replica/reference.rs",
    "core/src/replica/sync.rs",
    "core/src/sync/http.rs",
    "core/src/sync/transport.rs",
    "server/src/",
    "bindings/src/",
    "tests/",
];

/// The modules that exist only with the feature `device`, as path prefixes.
fn device_modules(files: &[Source]) -> Vec<String> {
    let gate = "#[cfg(feature = \"device\")]";
    let mut modules = Vec::new();
    for file in files
        .iter()
        .filter(|file| file.path.starts_with("core/src/"))
    {
        let folder = match file.path.strip_suffix(".rs") {
            Some("core/src/lib") => "core/src",
            Some(folder) => folder,
            None => continue,
        };
        for (place, _) in file.text.match_indices(gate) {
            let next = file.text[place + gate.len()..].trim_start();
            let name = next
                .strip_prefix("pub mod ")
                .or_else(|| next.strip_prefix("mod "))
                .and_then(|rest| rest.split(';').next());
            modules.extend(name.map(|name| format!("{folder}/{name}")));
        }
    }
    modules
}

fn impure(files: &[Source]) -> Breaches {
    let device = device_modules(files);
    let is_of = |path: &str, module: &String| {
        path.strip_prefix(module.as_str())
            .is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
    };
    let mut breaches = Breaches::new();
    for file in files.iter().filter(|file| {
        file.path.starts_with("core/src/") && !device.iter().any(|module| is_of(&file.path, module))
    }) {
        for word in IMPURE {
            breaches.extend(file.breaches(word));
        }
        // Grouped imports name a module of the standard library without its path.
        for place in file.places("std::{") {
            let group = within(&file.code, place + "std::".len());
            let named = words(group)
                .into_iter()
                .find(|(_, word)| IMPURE.contains(&format!("std::{word}").as_str()));
            breaches.extend(named.map(|(_, word)| file.breach(place, word)));
        }
    }
    breaches
}

#[test]
fn core_without_features_names_nothing_of_the_outside_world() {
    assert_eq!(impure(&rust()), Breaches::new());
    let gated = "#[cfg(feature = \"device\")]\npub mod store;\npub mod domain;";
    let clock = "fn now() -> u64 { Instant::now() }";
    let breaches = of(
        &[
            ("core/src/lib.rs", gated),
            ("core/src/store.rs", clock),
            ("core/src/store/deep.rs", clock),
            ("core/src/storeroom.rs", clock),
            ("core/src/domain/x.rs", "use std::{fmt, fs};\n// std::net\n"),
        ],
        impure,
    );
    assert_eq!(
        breaches,
        [
            "core/src/storeroom.rs:1: Instant",
            "core/src/domain/x.rs:1: fs"
        ]
    );
}

/// Dependencies of a manifest: name, whether it is optional.
fn dependencies(manifest: &str) -> Vec<(&str, bool)> {
    let start = manifest
        .find("\n[dependencies]")
        .map_or(manifest.len(), |at| at + 1);
    let table = manifest.get(start..).unwrap_or("").lines().skip(1);
    let rows = table.take_while(|line| !line.starts_with('['));
    rows.filter_map(|line| {
        let name = line.split(['.', ' ', '=']).next()?;
        (!name.is_empty() && !name.starts_with('#'))
            .then_some((name, line.contains("optional = true")))
    })
    .collect()
}

fn strange_dependencies(manifest: &str) -> Vec<&str> {
    dependencies(manifest)
        .into_iter()
        .filter(|(name, is_optional)| !is_optional && !PURE_DEPENDENCIES.contains(name))
        .map(|(name, _)| name)
        .collect()
}

fn manifest(name: &str) -> String {
    std::fs::read_to_string(super::source::root().join(name)).expect("a manifest")
}

#[test]
fn what_core_needs_without_features_is_a_short_list() {
    let core = manifest("core/Cargo.toml");
    assert_eq!(strange_dependencies(&core), Vec::<&str>::new());
    assert!(
        dependencies(&core)
            .iter()
            .any(|(name, is_optional)| (*name, *is_optional) == ("rusqlite", true))
    );
    let bad = "[package]\n\n[dependencies]\nsha2.workspace = true\nrusqlite = { workspace = true }\nreqwest = { optional = true }\n[dev-dependencies]\nproptest = \"1\"\n";
    assert_eq!(strange_dependencies(bad), ["rusqlite"]);
}

/// Dependencies that no file of the crate names.
fn unused_dependencies(manifest: &str, folder: &str, files: &[Source]) -> Breaches {
    let is_named = |name: &str| {
        let word = name.replace('-', "_");
        files
            .iter()
            .filter(|file| file.path.starts_with(folder))
            .any(|file| !file.places(&word).is_empty())
    };
    dependencies(manifest)
        .into_iter()
        .filter(|(name, _)| !is_named(name))
        .map(|(name, _)| format!("{folder}: {name} is not used"))
        .collect()
}

#[test]
fn every_dependency_of_what_ships_is_used() {
    let files = rust();
    let mut unused = Breaches::new();
    for folder in ["core/", "server/", "bindings/"] {
        let manifest = manifest(&format!("{folder}Cargo.toml"));
        unused.extend(unused_dependencies(&manifest, folder, &files));
    }
    assert_eq!(unused, Breaches::new());
    let bad = "\n[dependencies]\nx25519-dalek = \"2\"\nzstd = \"1\"\n";
    let files = [Source::new("core/src/a.rs", "use zstd::x; // x25519_dalek")];
    assert_eq!(
        unused_dependencies(bad, "core/", &files),
        ["core/: x25519-dalek is not used"]
    );
}

/// Automerge outside `doc`, and its calls that hide what went wrong or bypass the checks.
fn stray_automerge(files: &[Source]) -> Breaches {
    const MAY_NAME: &[&str] = &["core/src/doc/", "core/tests/", "tests/"];
    const NEVER: &[&str] = &[
        "load_incremental",
        "apply_changes",
        "set_author",
        "isolate",
        "merge_and_get_heads",
        "sync_state",
    ];
    let mut breaches = Breaches::new();
    for file in files {
        if !MAY_NAME.iter().any(|folder| file.path.starts_with(folder)) {
            let named = ["automerge::", "use automerge"]
                .iter()
                .flat_map(|word| file.places(word));
            breaches.extend(named.map(|place| file.breach(place, "automerge")));
        }
        if file.path.starts_with("core/src/") || file.path.starts_with("server/src/") {
            for word in NEVER {
                breaches.extend(file.breaches(word));
            }
        }
    }
    breaches
}

#[test]
fn automerge_is_named_under_core_doc_alone() {
    assert_eq!(stray_automerge(&rust()), Breaches::new());
    let breaches = of(
        &[
            (
                "server/src/a.rs",
                "fn a() { automerge::Automerge::new(); agrees_with_automerge(x) }",
            ),
            (
                "core/src/doc/b.rs",
                "fn b() { automerge::x(); d.load_incremental(bytes) }",
            ),
        ],
        stray_automerge,
    );
    assert_eq!(
        breaches,
        [
            "server/src/a.rs:1: automerge",
            "core/src/doc/b.rs:1: load_incremental"
        ]
    );
}

/// Where Automerge's own form of a document is made: it is not canonical, so it proves nothing and is kept nowhere.
fn snapshots(files: &[Source]) -> Breaches {
    const MAKERS: &[&str] = &[
        ".save(",
        ".save_nocompress(",
        ".save_and_verify(",
        ".save_incremental(",
        ".save_with_options(",
        ".save_after(",
    ];
    let mut breaches = Breaches::new();
    for file in files
        .iter()
        .filter(|file| file.path != "core/src/doc/document.rs")
    {
        let found = MAKERS
            .iter()
            .flat_map(|maker| places(file.shipped(), maker));
        breaches.extend(found.map(|place| file.breach(place, "a snapshot")));
    }
    breaches
}

#[test]
fn no_bytes_of_a_snapshot_are_kept_or_compared() {
    assert_eq!(snapshots(&rust()), Breaches::new());
    let code = "fn a() { store.put(d.save()); }";
    assert_eq!(
        of(
            &[
                ("core/src/doc/document.rs", code),
                ("server/src/a.rs", code)
            ],
            snapshots
        ),
        ["server/src/a.rs:1: a snapshot"]
    );
}

/// Documents of Automerge that keep the random actor with which they are made.
fn random_actors(files: &[Source]) -> Breaches {
    const MAKERS: &[&str] = &[
        "Automerge::new(",
        "Automerge::load(",
        "Automerge::load_with_options(",
        "Automerge::default(",
        "AutoCommit::new(",
        "AutoCommit::load(",
        ".fork(",
        ".fork_at(",
    ];
    let mut breaches = Breaches::new();
    for file in files {
        let code = file.shipped();
        let mut makers: Vec<usize> = MAKERS
            .iter()
            .flat_map(|maker| places(code, maker))
            .collect();
        makers.sort_unstable();
        for (number, place) in makers.iter().enumerate() {
            let function_end = code[*place..]
                .find("\nfn ")
                .or_else(|| code[*place..].find("\npub fn "));
            let end = function_end.map_or(code.len(), |len| place + len);
            let end = makers.get(number + 1).copied().unwrap_or(end).min(end);
            if !code[*place..end].contains(".set_actor(")
                && !code[*place..end].contains(".with_actor(")
            {
                breaches.push(file.breach(*place, "no set_actor follows"));
            }
        }
    }
    breaches
}

#[test]
fn every_document_of_automerge_gets_its_actor_at_once() {
    assert_eq!(random_actors(&rust()), Breaches::new());
    let good = "fn a() {\n let mut d = Automerge::load(b);\n d.set_actor(x);\n}\n";
    let bad = "fn a() {\n let d = Automerge::new();\n let mut e = d.fork();\n e.set_actor(x);\n}\nfn b() { Automerge::load(x) }\n\nfn c() { d.set_actor(x) }\n";
    assert_eq!(
        of(&[("core/src/doc/a.rs", good)], random_actors),
        Breaches::new()
    );
    assert_eq!(
        of(&[("core/src/doc/a.rs", bad)], random_actors),
        [
            "core/src/doc/a.rs:2: no set_actor follows",
            "core/src/doc/a.rs:6: no set_actor follows"
        ]
    );
}

fn waiting_elsewhere(files: &[Source]) -> Breaches {
    let mut breaches = Breaches::new();
    for file in files
        .iter()
        .filter(|file| !SOCKETS.iter().any(|socket| file.path.starts_with(socket)))
    {
        let code = file.shipped();
        let found = ["async", "await"]
            .iter()
            .flat_map(|word| places(code, word));
        breaches.extend(found.map(|place| file.breach(place, "waits")));
    }
    // The server's rules wait for nothing either: only its sockets do.
    let pure = [
        "server/src/intake",
        "server/src/grow",
        "server/src/office",
        "server/src/review",
        "server/src/page",
        "server/src/round",
        "server/src/store",
    ];
    for file in files
        .iter()
        .filter(|file| pure.iter().any(|part| file.path.starts_with(part)))
    {
        breaches.extend(
            file.places("await")
                .iter()
                .map(|place| file.breach(*place, "waits")),
        );
    }
    breaches
}

#[test]
fn only_what_stands_at_a_socket_waits() {
    assert_eq!(waiting_elsewhere(&rust()), Breaches::new());
    let code = "async fn a() {}";
    assert_eq!(
        of(
            &[
                ("core/src/store/a.rs", code),
                ("core/src/sync/http.rs", code),
                ("server/src/intake.rs", "x.await")
            ],
            waiting_elsewhere
        ),
        [
            "core/src/store/a.rs:1: waits",
            "server/src/intake.rs:1: waits"
        ]
    );
}
