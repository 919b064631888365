use std::path::Path;

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

#[test]
fn every_route_is_in_the_document() {
    let document = document();
    let paths: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
    let fits = |route: &str, path: &str| {
        let (route, path): (Vec<&str>, Vec<&str>) = (route.split('/').collect(), path.split('/').collect());
        route.len() == path.len()
            && route
                .iter()
                .zip(&path)
                .all(|(word, other)| word == other || word.starts_with('{'))
    };
    for (route, _) in routes() {
        assert!(paths.iter().any(|path| fits(route, path)), "{route}");
    }
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
