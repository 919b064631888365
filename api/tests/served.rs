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

#[path = "served/schemas.rs"]
mod schemas;

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

/// Each path and each component of a document, by its address in it.
fn parts(document: &Value) -> BTreeMap<String, Value> {
    let named = |at: &str| {
        let parts = document.pointer(at).and_then(Value::as_object).into_iter().flatten();
        let parts = parts.map(|(name, part)| (format!("{at} {name}"), part.clone()));
        parts.collect::<Vec<_>>()
    };
    let kinds = document["components"].as_object().unwrap().keys();
    let components = kinds.flat_map(|kind| named(&format!("/components/{kind}")));
    named("/paths").into_iter().chain(components).collect()
}

#[test]
fn every_kept_document_is_what_is_served_and_together_they_are_all_of_it() {
    let contexts = contexts();
    let (mut whole, mut names) = (BTreeMap::new(), BTreeSet::new());
    for (name, document) in openapi::documents(&contexts) {
        let text = http::openapi::written(&document);
        let kept: Value = serde_json::from_str(&kept(&format!("openapi/{name}.json"), &text)).unwrap();
        for (address, part) in parts(&kept) {
            let before = whole.insert(address.clone(), part.clone());
            assert!(
                before.is_none_or(|before| before == part),
                "{address} of {name} is another"
            );
        }
        names.insert(format!("{name}.json"));
    }
    assert_eq!(whole, parts(&document(&contexts)));
    let files = std::fs::read_dir(docs().join("openapi")).unwrap();
    let files: BTreeSet<_> = files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(files, names, "a document that is no more leaves no file");
}

#[test]
fn every_kept_document_is_one_by_itself_with_what_it_refers_to_and_no_more() {
    for (name, document) in openapi::documents(&contexts()) {
        assert_eq!(document["openapi"], "3.1.0", "{name}");
        for field in ["title", "version"] {
            assert!(document["info"][field].is_string(), "{name} has no {field}");
        }
        let referred: BTreeSet<String> = openapi::references(&document).into_iter().collect();
        for pointer in &referred {
            assert!(document.pointer(pointer).is_some(), "{name}: {pointer} leads nowhere");
        }
        let used = document.to_string();
        for scheme in document["components"]["securitySchemes"].as_object().unwrap().keys() {
            assert!(
                used.contains(&format!("[{{\"{scheme}\":")),
                "{name}: nothing needs {scheme}"
            );
        }
        // What everybody shares stands in the one that is nobody's, also what it has no use for itself.
        for kind in ["schemas", "parameters", "responses"] {
            if name == openapi::OF_NO_CONTEXT {
                continue;
            }
            for component in document["components"][kind].as_object().unwrap().keys() {
                let pointer = format!("/components/{kind}/{component}");
                assert!(referred.contains(&pointer), "{name}: nobody refers to {pointer}");
            }
        }
    }
}

#[test]
fn a_request_that_takes_several_commands_is_served_and_documented_as_it_is_declared() {
    let contexts = contexts();
    let (document, routes) = (document(&contexts), routes(&contexts));
    for context in contexts.iter() {
        for request in context.joint {
            let address = request.address();
            assert!(
                routes.iter().any(|route| route.path == address),
                "{address} leads nowhere"
            );
            let needed = &document["paths"][&address]["post"]["security"][0]["bearer"];
            assert_eq!(*needed, Value::from_iter(request.permissions()), "{address}");
            let named = std::iter::once((request.aggregate, request.command));
            for (aggregate, command) in named.chain(request.beside.iter().copied()) {
                let known = contexts.commands(aggregate);
                assert!(
                    known.iter().any(|name| name == command),
                    "{aggregate:?} has no {command}"
                );
            }
        }
    }
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
    let referred: HashSet<String> = openapi::references(&document).into_iter().collect();
    for pointer in &referred {
        assert!(document.pointer(pointer).is_some(), "{pointer}");
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

/// Bytes of the longest body of a schema, written without escapes; none where the document sets no bound.
fn longest(schema: &Value, schemas: &Value) -> Option<u64> {
    if let Some(reference) = schema["$ref"].as_str() {
        return longest(&schemas[reference.rsplit('/').next()?], schemas);
    }
    if let Some(variants) = schema["oneOf"].as_array().or(schema["anyOf"].as_array()) {
        return variants
            .iter()
            .map(|variant| longest(variant, schemas))
            .try_fold(0, |most, next| Some(most.max(next?)));
    }
    if schema.get("enum").is_some() || schema.get("const").is_some() {
        return Some(100);
    }
    let kinds = match &schema["type"] {
        Value::String(kind) => vec![kind.as_str()],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    let of_kind = |kind: &str| match kind {
        "string" if schema.get("maxLength").is_some() => Some(schema["maxLength"].as_u64()? * 4 + 2),
        "string" => schema.get("format").or(schema.get("pattern")).map(|_| 60),
        "array" => Some(schema["maxItems"].as_u64()? * (longest(&schema["items"], schemas)? + 1)),
        "object" => {
            let fields = schema["properties"].as_object()?.iter();
            fields
                .map(|(name, field)| Some(name.len() as u64 + 4 + longest(field, schemas)?))
                .sum()
        }
        "null" | "boolean" | "integer" | "number" => Some(24),
        _ => None,
    };
    kinds
        .into_iter()
        .map(of_kind)
        .try_fold(0, |most, next| Some(most.max(next?)))
}

#[test]
fn the_longest_body_of_every_command_is_let_in() {
    let document = document(&contexts());
    let schemas = &document["components"]["schemas"];
    let mut bounded = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        let operation = &operations["post"];
        let Some(limit) = operation["x-body-bytes-max"].as_u64() else {
            continue;
        };
        let body = &operation["requestBody"]["content"]["application/json"]["schema"];
        if let Some(longest) = longest(body, schemas) {
            bounded += 1;
            assert!(
                longest <= limit,
                "a body of {path} may have {longest} bytes, and {limit} are let in"
            );
        }
    }
    assert!(bounded > 30, "{bounded}");
}

#[test]
fn the_kept_catalogue_of_events_is_the_one_that_is_served_and_tells_the_fields_of_each() {
    let catalogue = http::audit::types::catalogue(&contexts());
    let text = serde_json::to_string_pretty(&catalogue).unwrap() + "\n";
    kept("events.json", &text);
    let types = catalogue["types"].as_array().unwrap();
    let told: BTreeSet<(&str, &str)> = types
        .iter()
        .map(|event| (event["aggregate"].as_str().unwrap(), event["type"].as_str().unwrap()))
        .collect();
    let contexts = contexts();
    let all = contexts.decisions().aggregates();
    let all = all.flat_map(|kind| kind.events.iter().map(|name| (kind.aggregate_type, *name)));
    assert_eq!(told, all.collect());
    for event in types {
        assert!(event["schema"].is_object(), "{event}");
        let fields = event["schema"]["properties"].as_object();
        for field in ["sealed", "texts"]
            .iter()
            .flat_map(|kind| event[*kind].as_array().unwrap())
        {
            let field = field.as_str().unwrap();
            assert!(
                fields.is_some_and(|fields| fields.contains_key(field)),
                "{event} has no {field}"
            );
        }
    }
}
