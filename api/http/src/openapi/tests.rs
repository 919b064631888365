use std::collections::HashSet;
use std::path::Path;

use axum::routing::MethodRouter;

use super::*;
use crate::router::routes;

#[test]
fn the_document_is_the_golden_one() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
    let text = serde_json::to_string_pretty(&document()).unwrap() + "\n";
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, &text).unwrap();
    }
    let kept = std::fs::read_to_string(&golden).unwrap_or_default();
    assert!(
        kept == text,
        "the OpenAPI document changed; look at it, then run this test with UPDATE_GOLDEN=1"
    );
}

/// The methods that a route answers.
fn methods(route: &MethodRouter<App>) -> Vec<&'static str> {
    // It tells them in no other way than this.
    let told = format!("{route:?}");
    let answers = |method: &&str| !told.contains(&format!(" {method}: None"));
    let methods: Vec<_> = ["get", "put", "post", "patch", "delete", "options", "trace"]
        .into_iter()
        .filter(answers)
        .collect();
    assert!((1..=2).contains(&methods.len()), "{told}");
    methods
}

/// The route that takes a path of the document: of those that fit, the one with the most words of its own.
fn taken_by(path: &str, routes: &[(&'static str, MethodRouter<App>)]) -> Option<usize> {
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
        .filter_map(|(index, (route, _))| Some((own(route)?, index)));
    fitting.max().map(|(_, index)| index)
}

#[test]
fn the_document_lists_every_method_of_every_route_and_no_other() {
    let (document, routes) = (document(), routes());
    let mut documented = HashSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        let elsewhere = ["/health/live", "/health/ready", "/metrics", "/docs"];
        let Some(index) = taken_by(path, &routes) else {
            assert!(elsewhere.contains(&path.as_str()), "{path} leads nowhere");
            continue;
        };
        for method in operations.as_object().unwrap().keys() {
            let (route, methods) = (routes[index].0, methods(&routes[index].1));
            assert!(
                methods.contains(&method.as_str()),
                "{method} {path}: {route} answers {methods:?}"
            );
            documented.insert((route, method.clone()));
        }
    }
    for (route, router) in &routes {
        for method in methods(router) {
            assert!(
                documented.contains(&(*route, method.to_owned())),
                "{method} {route} is in no document"
            );
        }
    }
}

#[test]
fn a_path_is_taken_by_the_route_that_spells_most_of_it() {
    let routes = routes();
    let route = |path: &str| taken_by(path, &routes).map(|index| routes[index].0);
    assert_eq!(route("/v1/admin/parked"), Some("/v1/admin/parked"));
    assert_eq!(route("/v1/events/{position}"), Some("/v1/events/{position}"));
    assert_eq!(route("/v1/cloudwatcher/orders"), Some("/v1/{context}/{name}"));
    assert_eq!(route("/v1/a/b/c/d/e/f"), None);
}

#[test]
fn every_operation_has_an_id_of_its_own() {
    let document = document();
    let operations = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|path| path.as_object().unwrap().values());
    let mut ids: Vec<&str> = operations
        .map(|operation| operation["operationId"].as_str().unwrap())
        .collect();
    ids.sort_unstable();
    let before = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), before);
}

#[test]
fn every_reference_leads_somewhere() {
    let document = document();
    let mut waiting = vec![&document];
    while let Some(value) = waiting.pop() {
        match value {
            Value::Array(values) => waiting.extend(values),
            Value::Object(fields) => {
                if let Some(Value::String(reference)) = fields.get("$ref") {
                    assert!(
                        document.pointer(reference.trim_start_matches('#')).is_some(),
                        "{reference}"
                    );
                }
                waiting.extend(fields.values());
            }
            _ => {}
        }
    }
}
