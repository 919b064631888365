//! The document in lines, for a reader of what a change does to the API.

use serde_json::Value;

use super::sections;
use crate::context::Contexts;

/// One line for each operation: its method, its path, its id, and the permissions that it needs; by context, then
/// by path.
#[must_use]
pub fn lines(contexts: &Contexts) -> String {
    let mut sections = sections(contexts);
    sections.sort_by_key(|(name, _)| *name);
    let mut lines = String::new();
    for (_, section) in &sections {
        let mut of_section: Vec<_> = operations(section).collect();
        of_section.sort_unstable();
        lines.extend(
            of_section
                .into_iter()
                .map(|(path, method, rest)| format!("{method} {path} {rest}\n")),
        );
    }
    lines
}

/// The path, the method and the rest of each operation's line.
fn operations(section: &Value) -> impl Iterator<Item = (&str, String, String)> {
    let paths = section["paths"].as_object().into_iter().flatten();
    paths.flat_map(|(path, methods)| {
        let methods = methods.as_object().into_iter().flatten();
        methods.map(|(method, operation)| {
            let id = operation["operationId"].as_str().unwrap_or_default();
            (
                path.as_str(),
                method.to_uppercase(),
                format!("{id} {}", permissions(operation)),
            )
        })
    })
}

fn permissions(operation: &Value) -> String {
    let needed = operation["security"].as_array().and_then(|ways| ways.first());
    let Some(needed) = needed else {
        return "(open)".to_owned();
    };
    let names: Vec<&str> = needed["bearer"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if names.is_empty() {
        // What it takes depends on what is asked, and its description says so.
        return "(described)".to_owned();
    }
    names.join(" ")
}
