//! The description of the API: that it says what there is, and all of it.

use std::collections::BTreeSet;
use std::path::Path;

use patrol_core::domain::refusal::Refusal;
use patrol_server::api::CookieKind;
use patrol_server::metrics;
use serde_json::Value;

use crate::http;
use crate::office::Office;

fn described(office: &Office) -> Value {
    let reply = http::ask(office.address, "GET", "/v1/openapi.json", &[], &[]);
    assert_eq!(reply.status, 200);
    reply.json()
}

/// Path, method and description of every operation.
fn operations(api: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = api["paths"].as_object().expect("paths");
    paths
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().expect("methods").iter();
            methods.map(|(method, operation)| (path.as_str(), method.as_str(), operation))
        })
        .collect()
}

#[test]
fn what_is_described_is_served_and_what_is_served_is_described() {
    let office = Office::open(CookieKind::Plain);
    let api = described(&office);
    let operations = operations(&api);
    assert!(operations.len() > 20, "{}", operations.len());
    let mut ids = BTreeSet::new();
    for (path, method, operation) in &operations {
        let filled = path.replace(['{', '}'], "");
        let reply = http::ask(office.address, &method.to_uppercase(), &filled, &[], &[]);
        assert_ne!(reply.status, 405, "{method} {path}");
        assert!(
            ids.insert(operation["operationId"].to_string()),
            "{operation}"
        );
        let is_described = operation["summary"].is_string() || operation["description"].is_string();
        assert!(is_described, "{method} {path} says nothing");
    }
    // The server counts by route: each was one, and it was the one described.
    let text = metrics::scrape(&office.app).expect("text");
    let counted: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| {
            line.strip_prefix("xuncun_requests_total{")?
                .split("route=\"")
                .nth(1)
        })
        .filter_map(|rest| rest.split('"').next())
        .collect();
    let paths = operations.iter().map(|(path, _, _)| *path).collect();
    assert_eq!(counted, paths);
    // A route that is added in the other way would not be in the description.
    assert!(
        !source()
            .iter()
            .any(|(path, text)| path.ends_with("api.rs") && text.contains(".route("))
    );
}

#[test]
fn what_a_path_names_is_described_as_its_part_and_nothing_else_is() {
    let office = Office::open(CookieKind::Plain);
    let api = described(&office);
    for (path, method, operation) in operations(&api) {
        let parts = path.split('{').skip(1);
        let named: BTreeSet<&str> = parts.filter_map(|part| part.split('}').next()).collect();
        let of = |place: &str| -> BTreeSet<&str> {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let of = parameters.filter(|parameter| parameter["in"] == place);
            of.filter_map(|parameter| parameter["name"].as_str())
                .collect()
        };
        let known = of("path").len() + of("query").len();
        let all = operation["parameters"].as_array().map_or(0, Vec::len);
        assert_eq!((of("path"), known), (named, all), "{method} {path}");
    }
}

#[test]
fn only_what_a_route_can_answer_is_described_of_it() {
    let office = Office::open(CookieKind::Plain);
    let api = described(&office);
    let failures = |method: &str, path: &str| {
        let responses = &api["paths"][path][method]["responses"];
        let statuses = responses.as_object().expect("responses").keys();
        let failures: Vec<&str> = statuses
            .map(String::as_str)
            .filter(|status| *status != "200")
            .collect();
        failures.join(" ")
    };
    let phone = "400 403 408 413 415 503";
    for (method, path, expected) in [
        ("post", "/v1/devices/enrol", phone),
        ("post", "/v1/devices/return", phone),
        ("get", "/v1/directory", "401 408 503"),
        ("get", "/v1/components/{village}", "401 404 408 503"),
        ("post", "/v1/session", "400 401 403 408 413 415 429 503"),
        ("post", "/v1/setup", "400 403 408 409 413 415 429 503"),
    ] {
        assert_eq!(failures(method, path), expected, "{path}");
    }
}

/// Every file of the server's code.
fn source() -> Vec<(String, String)> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = std::fs::read_to_string(&path).expect("text");
                files.push((path.display().to_string(), text));
            }
        }
    }
    files
}

/// The words that stand behind a name and a bracket in the code.
fn words<'t>(files: &'t [(String, String)], name: &str) -> BTreeSet<&'t str> {
    let behind = format!("{name}(\"");
    let texts = files
        .iter()
        .flat_map(|(_, text)| text.split(&*behind).skip(1));
    texts.filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn every_code_that_the_program_gives_is_described_and_no_other() {
    let office = Office::open(CookieKind::Plain);
    let api = described(&office);
    let codes = |status: &str| -> BTreeSet<String> {
        let of = |(_, _, operation): &(&str, &str, &Value)| {
            let text = operation["responses"][status]["description"].as_str();
            text.unwrap_or_default()
                .split(", ")
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let all = operations(&api)
            .iter()
            .flat_map(of)
            .collect::<BTreeSet<_>>();
        all.into_iter().filter(|code| !code.is_empty()).collect()
    };
    let files = source();
    let owned = |words: BTreeSet<&str>| {
        words
            .into_iter()
            .map(str::to_owned)
            .collect::<BTreeSet<_>>()
    };
    let bad = owned(&words(&files, "BadRequest") | &words(&files, "bad"));
    assert_eq!(codes("400"), bad);
    assert_eq!(codes("403"), owned(words(&files, "Forbidden")));
    let rules = Refusal::ALL.iter().map(|refusal| refusal.code());
    let refused = words(&files, "Self::Refused")
        .into_iter()
        .chain(words(&files, "ApiError::Refused"));
    assert_eq!(codes("409"), owned(rules.chain(refused).collect()));
}

#[test]
fn nothing_that_is_referred_to_is_missing() {
    let office = Office::open(CookieKind::Plain);
    let api = described(&office);
    let text = api.to_string();
    let named = text.split("#/components/schemas/").skip(1);
    let named: BTreeSet<&str> = named.filter_map(|rest| rest.split('"').next()).collect();
    assert!(named.len() > 15, "{named:?}");
    let schemas = api["components"]["schemas"].as_object().expect("schemas");
    let missing: Vec<_> = named
        .iter()
        .filter(|name| !schemas.contains_key(**name))
        .collect();
    assert_eq!(missing, [] as [&&str; 0]);
    let sync = &api["paths"]["/v1/sync"]["post"];
    assert!(
        sync["requestBody"]["content"]["application/vnd.xuncun.sync"].is_object(),
        "{sync}"
    );
}

/// A program that is made of the description must not send a list of numbers where bytes are meant.
#[test]
fn bytes_are_described_as_bytes() {
    let office = Office::open(CookieKind::Plain);
    let api = described(&office);
    let binary = serde_json::json!({ "type": "string", "format": "binary" });
    let is_binary = |schema: &Value| {
        ["type", "format"]
            .iter()
            .all(|key| schema[*key] == binary[*key])
    };
    let mut seen = 0;
    for (path, method, operation) in operations(&api) {
        let answers = operation["responses"].as_object().into_iter().flatten();
        let bodies = answers.map(|(_, answer)| &answer["content"]);
        for content in bodies.chain([&operation["requestBody"]["content"]]) {
            for (kind, body) in content.as_object().into_iter().flatten() {
                let schema = &body["schema"];
                if kind == "multipart/form-data" {
                    assert!(
                        is_binary(&schema["properties"]["files"]["items"]),
                        "{schema}"
                    );
                    seen += 1;
                } else if kind != "application/json" && !kind.starts_with("text/") {
                    assert!(is_binary(schema), "{method} {path}: {schema}");
                    seen += 1;
                }
            }
        }
    }
    assert!(seen >= 7, "{seen}");
}

#[test]
fn each_answer_says_something() {
    let office = Office::open(CookieKind::Plain);
    let api = described(&office);
    for (path, method, operation) in operations(&api) {
        let answers = operation["responses"].as_object().expect("answers");
        for (status, answer) in answers {
            let says = answer["description"].as_str().unwrap_or_default();
            assert!(!says.is_empty(), "{method} {path} {status}");
        }
    }
    let answers = &api["paths"]["/healthz"]["get"]["responses"];
    let codes = answers["503"]["description"].as_str().unwrap_or_default();
    assert!(codes.contains("unwritable"), "{codes}");
}
