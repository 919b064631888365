//! The OpenAPI 3.1 document, written from the commands, the tables and the list of fixed routes, and
//! its rendered page at `/docs`.

pub mod commands;
mod fixed;
mod named;
pub mod parts;
mod tables;

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value, json};
use utoipa_swagger_ui::SwaggerUi;

use crate::app::App;
use crate::context::Contexts;

/// The document's own address.
pub const ADDRESS: &str = "/v1/openapi.json";

/// `GET /v1/openapi.json`.
pub async fn serve(State(app): State<App>) -> Response {
    let text = app.openapi.get_or_init(|| document(&app.contexts).to_string());
    ([(header::CONTENT_TYPE, "application/json")], text.clone()).into_response()
}

/// The rendered page, from assets within the program.
pub fn docs() -> Router<App> {
    SwaggerUi::new("/docs")
        .config(utoipa_swagger_ui::Config::from(ADDRESS))
        .into()
}

/// The whole document.
#[must_use]
pub fn document(contexts: &Contexts) -> Value {
    let mut paths = Paths::default();
    commands::add(contexts, &mut paths);
    tables::add(contexts, &mut paths);
    named::add(contexts, &mut paths);
    for context in contexts.iter() {
        (context.paths)(&mut paths);
    }
    fixed::add(&mut paths);
    let mut tags: Vec<Value> = paths.tags.iter().map(|tag| json!({ "name": tag })).collect();
    tags.dedup();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Daybook",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            "description": parts::DESCRIPTION,
        },
        "servers": [{ "url": "/" }],
        "security": [{ "bearer": [] }],
        "tags": tags,
        "paths": paths.paths,
        "components": parts::components(tables::schemas(contexts)),
    })
}

/// The paths as they are gathered: several sources may give methods to one path.
#[derive(Debug, Default)]
pub struct Paths {
    paths: Map<String, Value>,
    tags: Vec<String>,
}

impl Paths {
    /// Adds an operation; its `tags` become the document's.
    pub fn add(&mut self, path: &str, method: &str, operation: Value) {
        for tag in operation["tags"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            if !self.tags.iter().any(|known| known == tag) {
                self.tags.push(tag.to_owned());
            }
        }
        let path = self
            .paths
            .entry(path.to_owned())
            .or_insert_with(|| Value::Object(Map::new()));
        if let Some(methods) = path.as_object_mut() {
            methods.insert(method.to_owned(), operation);
        }
    }
}

#[cfg(test)]
mod tests;
