//! The OpenAPI 3.1 document. It is put together from a section for each context,
//! written from its commands and tables, and one for the operations that belong to no context.

pub mod commands;
mod fixed;
mod lines;
mod named;
pub mod parts;
mod tables;
mod written;

use std::collections::BTreeSet;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use serde_json::map::Entry;
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::context::{Context, Contexts};
use crate::extract::NoParameters;
use crate::problem::Problem;
pub use lines::lines;
pub use written::written;

/// The document's own address.
pub const ADDRESS: &str = "/v1/openapi.json";
/// The name of the section for the operations that belong to no context.
pub const OF_NO_CONTEXT: &str = "daybook";

/// `GET /v1/openapi.json`. All answers share its bytes: nobody needs a token for it, and whoever does not read what they
/// asked for must not hold a copy of it each time.
///
/// # Errors
/// As [`App::made_once`].
pub async fn serve(State(app): State<App>, _: NoParameters) -> Result<Response, Problem> {
    let text = app.made_once(|parts| &parts.openapi, document).await?;
    Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
}

/// The whole document: all sections, one merged into the other.
#[must_use]
pub fn document(contexts: &Contexts) -> Value {
    let mut whole = Value::Object(Map::new());
    let mut tags = 0;
    for (name, section) in sections(contexts) {
        if name == OF_NO_CONTEXT {
            tags = section["tags"].as_array().map_or(0, Vec::len);
        }
        merge(&mut whole, section);
    }
    // The contexts come first on the page.
    if let Some(all) = whole["tags"].as_array_mut() {
        all.rotate_left(tags);
    }
    whole
}

/// The sections as documents, each with its name: one for each context, whole with what it refers to of what all
/// share, and one for what belongs to none.
#[must_use]
pub fn documents(contexts: &Contexts) -> Vec<(&'static str, Value)> {
    let shared = fixed::section();
    let made = |(name, section)| match name {
        OF_NO_CONTEXT => (name, section),
        name => (name, whole(name, section, &shared)),
    };
    sections(contexts).into_iter().map(made).collect()
}

/// The section of a context with the shared components that it refers to, and they in turn.
fn whole(name: &str, section: Value, shared: &Value) -> Value {
    let mut waiting = references(&section);
    let mut referred = BTreeSet::new();
    while let Some(pointer) = waiting.pop() {
        if let Some(component) = shared.pointer(&pointer)
            && referred.insert(pointer)
        {
            waiting.extend(references(component));
        }
    }
    let mut document = json!({
        "openapi": shared["openapi"],
        "info": shared["info"],
        "servers": shared["servers"],
        "security": shared["security"],
    });
    document["info"]["title"] = format!("Daybook: {name}").into();
    merge(&mut document, section);
    document["components"]["securitySchemes"] = shared["components"]["securitySchemes"].clone();
    for (kind, components) in shared["components"].as_object().into_iter().flatten() {
        for (name, component) in components.as_object().into_iter().flatten() {
            if referred.contains(&format!("/components/{kind}/{name}")) {
                document["components"][kind][name] = component.clone();
            }
        }
    }
    document
}

/// Where a document's references lead, as JSON pointers.
#[must_use]
pub fn references(document: &Value) -> Vec<String> {
    let (mut waiting, mut found) = (vec![document], Vec::new());
    while let Some(value) = waiting.pop() {
        match value {
            Value::Array(values) => waiting.extend(values),
            Value::Object(fields) => {
                if let Some(Value::String(reference)) = fields.get("$ref") {
                    found.push(reference.trim_start_matches('#').to_owned());
                }
                waiting.extend(fields.values());
            }
            _ => {}
        }
    }
    found
}

/// The sections of the document, each with its name: that of no context, which has what all share, then those of the
/// contexts. References lead into the whole document.
#[must_use]
pub fn sections(contexts: &Contexts) -> Vec<(&'static str, Value)> {
    let of_contexts = contexts
        .iter()
        .map(|context| (context.name(), section(contexts, context)));
    let mut sections: Vec<_> = std::iter::once((OF_NO_CONTEXT, fixed::section()))
        .chain(of_contexts)
        .collect();
    for (_, section) in &mut sections {
        operations_mut(section).for_each(say_of_places);
    }
    sections
}

/// Parameters with which a read names a place in the book, as the document has or refers to them.
const PLACES: [&str; 12] = [
    "Daybook-After",
    "Last-Event-ID",
    "after",
    "before",
    "at",
    "#/components/parameters/After",
    "#/components/parameters/EventsAfter",
    "#/components/parameters/EventsBefore",
    "#/components/parameters/PageAfter",
    "#/components/parameters/AfterQuery",
    "#/components/parameters/RowAt",
    "#/components/parameters/ChangesAfter",
];

/// Adds the problems that a read may have which names a place: it may belong to a former history of the book, or lie
/// beyond its end.
fn say_of_places(operation: &mut Value) {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let mut names = parameters.filter_map(|parameter| parameter["name"].as_str().or(parameter["$ref"].as_str()));
    if names.any(|name| PLACES.contains(&name))
        && let Some(responses) = operation["responses"].as_object_mut()
    {
        parts::add_problems(responses, &[409, 422]);
    }
}

fn section(contexts: &Contexts, context: &'static Context) -> Value {
    let mut paths = Paths::default();
    commands::add(context, &mut paths);
    tables::add(contexts, context, &mut paths);
    named::add(context, &mut paths);
    (context.paths)(&mut paths);
    json!({
        "tags": [{ "name": context.name() }],
        "paths": paths.paths,
        "components": { "schemas": paths.schemas },
    })
}

/// Adds what another section has.
pub fn merge(whole: &mut Value, section: Value) {
    match (whole, section) {
        (Value::Object(whole), Value::Object(section)) => {
            for (name, value) in section {
                match whole.entry(name) {
                    Entry::Occupied(mut there) => merge(there.get_mut(), value),
                    Entry::Vacant(place) => {
                        place.insert(value);
                    }
                }
            }
        }
        (Value::Array(whole), Value::Array(section)) => whole.extend(section),
        (whole, section) => *whole = section,
    }
}

/// The operations of a section.
fn operations_mut(section: &mut Value) -> impl Iterator<Item = &mut Value> {
    let paths = section.get_mut("paths").and_then(Value::as_object_mut);
    let paths = paths.into_iter().flat_map(Map::values_mut);
    paths.filter_map(Value::as_object_mut).flat_map(Map::values_mut)
}

/// The paths of a context as they are gathered, and the schemas that they refer to.
#[derive(Debug, Default)]
pub struct Paths {
    paths: Map<String, Value>,
    schemas: Map<String, Value>,
}

impl Paths {
    /// Adds an operation. Several sources may give methods to one path.
    pub fn add(&mut self, path: &str, method: &str, operation: Value) {
        let path = self
            .paths
            .entry(path.to_owned())
            .or_insert_with(|| Value::Object(Map::new()));
        if let Some(methods) = path.as_object_mut() {
            methods.insert(method.to_owned(), operation);
        }
    }

    /// Adds a schema under a name that begins with the context's, and refers to it.
    pub fn schema(&mut self, name: &str, schema: Value) -> Value {
        self.schemas.insert(name.to_owned(), schema);
        parts::schema(name)
    }
}

#[cfg(test)]
mod tests;
