//! Checks over every context of the program: what they serve, and what is said of it.
#![expect(
    clippy::unwrap_used,
    reason = "these are tests; the lint knows only functions marked as such"
)]

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use http::Contexts;
use http::context::Route;
use http::openapi::{self, document, sections};
use http::router::routes;
use serde_json::Value;

fn contexts() -> Contexts {
    daybook::contexts::all().unwrap()
}

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

/// The text that is kept under this name in `docs`, which must be the one that the program makes.
fn kept(name: &str, made: &str) -> String {
    let path = docs().join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, made).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == made,
        "docs/{name} is not what the program serves any more; look at the difference, then run this test with \
         UPDATE_GOLDEN=1"
    );
    kept
}

#[test]
fn every_section_of_the_document_is_the_golden_one_and_together_they_are_what_is_served() {
    let contexts = contexts();
    let (mut whole, mut names) = (Value::Object(serde_json::Map::new()), BTreeSet::new());
    for (name, section) in sections(&contexts) {
        let text = serde_json::to_string_pretty(&section).unwrap() + "\n";
        let kept: Value = serde_json::from_str(&kept(&format!("openapi/{name}.json"), &text)).unwrap();
        openapi::merge(&mut whole, kept);
        names.insert(format!("{name}.json"));
    }
    let mut served = document(&contexts);
    for document in [&mut whole, &mut served] {
        let tags = document["tags"].as_array_mut().unwrap();
        tags.sort_by_key(ToString::to_string);
    }
    assert_eq!(whole, served);
    let files = std::fs::read_dir(docs().join("openapi")).unwrap();
    let files: BTreeSet<_> = files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(files, names, "a section that is no more leaves no file");
}

#[test]
fn the_list_of_operations_is_the_golden_one() {
    kept("api.txt", &openapi::lines(&contexts()));
}

#[test]
fn the_list_of_types_of_problems_is_the_golden_one() {
    kept("problems.txt", &http::problem::known::lines(&contexts()));
}

#[test]
fn no_section_has_what_another_has() {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for (name, section) in sections(&contexts()) {
        let paths = section["paths"].as_object().unwrap();
        let schemas = section["components"]["schemas"].as_object().unwrap();
        for key in paths.keys().chain(schemas.keys()) {
            assert_eq!(seen.insert(key.clone(), name), None, "{key} of {name}");
            let is_named = name == openapi::OF_NO_CONTEXT
                || key.starts_with(&format!("/v1/{name}/"))
                || key.starts_with(&format!("{name}."));
            assert!(is_named, "{key} is of {name}");
        }
    }
}

/// The methods that a route answers.
fn methods(route: &Route) -> Vec<&'static str> {
    // It tells them in no other way than this.
    let told = format!("{:?}", route.methods);
    let answers = |method: &&str| !told.contains(&format!(" {method}: None"));
    let methods: Vec<_> = ["get", "put", "post", "patch", "delete", "options", "trace"]
        .into_iter()
        .filter(answers)
        .collect();
    assert!((1..=2).contains(&methods.len()), "{told}");
    methods
}

/// The route that takes a path of the document: of those that fit, the one with the most words of its own.
fn taken_by(path: &str, routes: &[Route]) -> Option<usize> {
    let words: Vec<&str> = path.split('/').collect();
    let own = |route: &str| {
        let route: Vec<&str> = route.split('/').collect();
        let fits = |(route, word): (&&str, &&str)| route == word || route.starts_with('{');
        let fits = route.len() == words.len() && route.iter().zip(&words).all(fits);
        fits.then(|| route.iter().map(|word| !word.starts_with('{')).collect::<Vec<_>>())
    };
    let fitting = routes
        .iter()
        .enumerate()
        .filter_map(|(index, route)| Some((own(route.path)?, index)));
    fitting.max().map(|(_, index)| index)
}

#[test]
fn the_document_lists_every_method_of_every_route_and_no_other() {
    let contexts = contexts();
    let (document, routes) = (document(&contexts), routes(&contexts));
    let mut documented = HashSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        let elsewhere = ["/health/live", "/health/ready", "/metrics", "/docs"];
        let Some(index) = taken_by(path, &routes) else {
            assert!(elsewhere.contains(&path.as_str()), "{path} leads nowhere");
            continue;
        };
        for method in operations.as_object().unwrap().keys() {
            let (route, methods) = (routes[index].path, methods(&routes[index]));
            assert!(
                methods.contains(&method.as_str()),
                "{method} {path}: {route} answers {methods:?}"
            );
            documented.insert((route, method.clone()));
        }
    }
    for route in &routes {
        for method in methods(route) {
            assert!(
                documented.contains(&(route.path, method.to_owned())),
                "{method} {} is in no document",
                route.path
            );
        }
    }
}

#[test]
fn a_path_is_taken_by_the_route_that_spells_most_of_it() {
    let routes = routes(&contexts());
    let route = |path: &str| taken_by(path, &routes).map(|index| routes[index].path);
    assert_eq!(route("/v1/admin/parked"), Some("/v1/admin/parked"));
    assert_eq!(route("/v1/events/{position}"), Some("/v1/events/{position}"));
    assert_eq!(route("/v1/cloudwatcher/orders"), Some("/v1/{context}/{name}"));
    assert_eq!(route("/v1/a/b/c/d/e/f"), None);
}

#[test]
fn every_operation_has_an_id_of_its_own_and_says_what_it_needs() {
    let document = document(&contexts());
    let operations = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|path| path.as_object().unwrap().values());
    let tags = document["tags"].as_array().unwrap();
    let mut ids = Vec::new();
    for operation in operations {
        ids.push(operation["operationId"].as_str().unwrap());
        assert!(operation["security"].is_array(), "{operation}");
        assert!(
            tags.iter().any(|tag| tag["name"] == operation["tags"][0]),
            "{operation}"
        );
    }
    ids.sort_unstable();
    let before = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), before);
}

#[test]
fn every_reference_leads_somewhere_and_nothing_is_named_that_nobody_refers_to() {
    let document = document(&contexts());
    let (mut waiting, mut referred) = (vec![&document], HashSet::new());
    while let Some(value) = waiting.pop() {
        match value {
            Value::Array(values) => waiting.extend(values),
            Value::Object(fields) => {
                if let Some(Value::String(reference)) = fields.get("$ref") {
                    let pointer = reference.trim_start_matches('#');
                    assert!(document.pointer(pointer).is_some(), "{reference}");
                    referred.insert(pointer.to_owned());
                }
                waiting.extend(fields.values());
            }
            _ => {}
        }
    }
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "._-".contains(char);
    for kind in ["schemas", "parameters", "responses"] {
        for name in document["components"][kind].as_object().unwrap().keys() {
            assert!(
                name.chars().all(is_plain),
                "OpenAPI allows no component to be called {name}"
            );
            // Every problem of the API is told there, also those that no operation names.
            let is_told = kind == "responses" && name.parse::<u16>().is_ok();
            let pointer = format!("/components/{kind}/{name}");
            assert!(is_told || referred.contains(&pointer), "nobody refers to {pointer}");
        }
    }
}

#[test]
fn every_aggregate_lists_its_commands_and_the_one_that_creates() {
    let contexts = contexts();
    for aggregate in contexts.decisions().aggregates() {
        let commands = contexts.commands(aggregate);
        assert!(
            commands.iter().any(|command| command == aggregate.creates),
            "{aggregate:?}: {commands:?}"
        );
    }
}

#[test]
fn a_command_that_moved_is_gone_and_what_to_send_instead_is_served() {
    let contexts = contexts();
    for aggregate in contexts.decisions().aggregates() {
        for (command, instead) in aggregate.moved {
            assert!(
                contexts.commands(aggregate).iter().all(|name| name != command),
                "{command}"
            );
            let words: Vec<&str> = instead.split('/').collect();
            let ["POST ", "v1", context, plural, id, new] = words[..] else {
                panic!("{instead}");
            };
            let served = contexts.by_url(context, plural).unwrap();
            assert!(id.starts_with('{') && contexts.commands(served).iter().any(|name| name == new));
        }
    }
}

#[test]
fn a_kind_is_scoped_exactly_when_its_table_is() {
    let contexts = contexts();
    for aggregate in contexts.decisions().aggregates() {
        let Some(table) = contexts.table(aggregate.context(), &aggregate.plural.replace('-', "_")) else {
            continue;
        };
        let scoped = !matches!(table.scope, projections::Scope::Tenant);
        assert_eq!(aggregate.scoped, scoped, "{aggregate:?}");
    }
}
