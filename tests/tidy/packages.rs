//! The packages that are built: their licences, and those that are banned, as `deny.toml` says for `cargo deny` too.
//!
//! It reads of that file what stands in its lists; advisories need the network and are not looked at.

use std::process::Command;

use serde_json::Value;

use super::Breaches;

/// The strings of a list in `deny.toml`: those between the line that begins it and the line that ends it.
fn listed(deny: &str, list: &str) -> Vec<String> {
    let lines = deny.lines().skip_while(|line| !line.starts_with(list));
    let lines = lines.skip(1).take_while(|line| !line.starts_with(']'));
    lines
        .filter_map(|line| line.split('"').nth(1).map(str::to_owned))
        .collect()
}

/// Whether a licence expression is met by what is allowed. `AND` binds more than `OR`; a slash is an old `OR`.
fn is_met(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace(" WITH ", "-WITH-");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut place = 0;
    let is_met = any(&words, &mut place, allowed);
    is_met && place == words.len()
}

fn any(words: &[&str], place: &mut usize, allowed: &[String]) -> bool {
    let mut is_met = all(words, place, allowed);
    while words.get(*place) == Some(&"OR") {
        *place += 1;
        is_met |= all(words, place, allowed);
    }
    is_met
}

fn all(words: &[&str], place: &mut usize, allowed: &[String]) -> bool {
    let mut is_met = one(words, place, allowed);
    while words.get(*place) == Some(&"AND") {
        *place += 1;
        is_met &= one(words, place, allowed);
    }
    is_met
}

fn one(words: &[&str], place: &mut usize, allowed: &[String]) -> bool {
    let word = words.get(*place).copied().unwrap_or_default();
    *place += 1;
    if word != "(" {
        let licence = word.replace("-WITH-", " WITH ");
        return allowed.contains(&licence);
    }
    let is_met = any(words, place, allowed);
    *place += 1;
    is_met
}

fn denied(packages: &[Value], deny: &str) -> Breaches {
    let (allowed, banned) = (listed(deny, "allow = ["), listed(deny, "deny = ["));
    let text = |package: &Value, name: &str| package[name].as_str().unwrap_or_default().to_owned();
    let mut breaches = Breaches::new();
    for package in packages {
        let (name, licence) = (text(package, "name"), text(package, "license"));
        if banned.contains(&name) {
            breaches.push(format!("{name} is banned"));
        }
        if !is_met(&licence, &allowed) {
            breaches.push(format!("{name} comes under {licence:?}"));
        }
    }
    breaches
}

#[test]
fn every_package_that_is_built_has_a_licence_that_we_allow_and_none_is_banned() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let deny = std::fs::read_to_string(format!("{root}/deny.toml")).expect("the list is here");
    let host = Command::new("rustc").arg("-vV").output().expect("rustc");
    let host = String::from_utf8(host.stdout).expect("text");
    let host = host.lines().find_map(|line| line.strip_prefix("host: "));
    let told = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--offline", "--format-version", "1"])
        .args(["--filter-platform", host.expect("rustc names its host")])
        .current_dir(root)
        .output()
        .expect("cargo runs");
    let told: Value = serde_json::from_slice(&told.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&told.stderr)));
    let packages = told["packages"].as_array().expect("packages");
    assert!(packages.len() > 100, "{} packages", packages.len());
    assert_eq!(denied(packages, &deny), Breaches::new());

    let made_up =
        "allow = [\n  \"MIT\",\n  \"ISC\", # why\n]\ndeny = [\n  { crate = \"bad\" },\n]\n";
    let package =
        |name: &str, license: &str| serde_json::json!({ "name": name, "license": license });
    let packages = [
        package("bad", "MIT"),
        package("a", "Apache-2.0"),
        package("b", "MIT AND (Apache-2.0 OR GPL-3.0)"),
        package("c", ""),
        package("d", "Apache-2.0/MIT"),
        package("e", "(Apache-2.0 OR ISC) AND MIT"),
        package("f", "MIT OR Apache-2.0 WITH LLVM-exception"),
        package("g", "MIT OR GPL-3.0 AND ISC"),
    ];
    let breaches = denied(&packages, made_up);
    assert_eq!(breaches.len(), 4, "{breaches:?}");
}
