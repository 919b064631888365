//! The operations that are neither commands nor tables, and what all operations share. They are text, because
//! the macro that writes JSON as Rust is slow to compile; limits stand in it by the names of their constants.

use domain::SYSTEM;
use serde_json::Value;

use super::parts;
use crate::admin::reactors::{PAGE_LETTERS, PAGE_LETTERS_MAX};
use crate::audit::causes::TREE_EVENTS_MAX;
use crate::audit::log::{PAGE_BYTES_MAX, PAGE_EVENTS, PAGE_EVENTS_MAX, PAGE_SECONDS_MAX, SCANNED_EVENTS_MAX};
use crate::auth::token::{LEEWAY_SECONDS, TOKEN_BYTES_MAX};
use crate::command::form::PROBLEMS_MAX;
use crate::command::headers::{KEY_CHARS_MAX, REASON_CHARS_MAX};
use crate::command::past::{SPAN_BYTES_MAX, SPAN_EVENTS_MAX, SPAN_POSITIONS_MAX, SPAN_SECONDS_MAX};
use crate::health;
use crate::query::POSTED_SECONDS_MAX;
use crate::router::REQUEST_ID_CHARS_MAX;

const PATHS: &str = include_str!("fixed/paths.json");
const COMPONENTS: &str = include_str!("fixed/components.json");
const PROBLEMS: &str = include_str!("fixed/problems.json");

/// The section of the document that belongs to no context.
pub fn section() -> Value {
    let mut section = written(PATHS);
    section["components"] = written(COMPONENTS);
    super::merge(&mut section, written(PROBLEMS));
    for operation in super::operations_mut(&mut section) {
        let is_open = operation["security"].as_array().is_some_and(Vec::is_empty);
        if let Some(responses) = operation["responses"].as_object_mut().filter(|_| !is_open) {
            parts::add_problems(responses, &[]);
        }
    }
    if let Some(parameters) = section["components"]["parameters"].as_object_mut() {
        parameters.extend(super::tables::shared());
    }
    if let Some(responses) = section["components"]["responses"].as_object_mut() {
        responses.extend(parts::problems());
        responses.extend(super::tables::shared_responses());
    }
    section["components"]["headers"] = super::tables::shared_headers();
    for (name, schema) in super::tables::shared_schemas() {
        section["components"]["schemas"][name] = schema;
    }
    for (name, schema) in health::schemas() {
        section["components"]["schemas"][name] = schema.to_value();
    }
    section
}

/// The JSON of a text, its limits filled in.
fn written(text: &str) -> Value {
    let mut text = text.replace("{VERSION}", env!("CARGO_PKG_VERSION"));
    for (name, limit) in limits() {
        // Alone in its quotes it is a number.
        text = text.replace(&format!("\"{{{name}}}\""), &limit);
        text = text.replace(&format!("{{{name}}}"), &limit);
    }
    // A test reads both texts.
    serde_json::from_str(&text).unwrap_or_default()
}

fn limits() -> [(&'static str, String); 20] {
    [
        ("SPAN_BYTES_MAX", SPAN_BYTES_MAX.to_string()),
        ("SPAN_EVENTS_MAX", SPAN_EVENTS_MAX.to_string()),
        ("SPAN_POSITIONS_MAX", SPAN_POSITIONS_MAX.to_string()),
        ("SPAN_SECONDS_MAX", SPAN_SECONDS_MAX.to_string()),
        ("KEY_CHARS_MAX", KEY_CHARS_MAX.to_string()),
        ("LEEWAY_SECONDS", LEEWAY_SECONDS.to_string()),
        ("PAGE_BYTES_MAX", PAGE_BYTES_MAX.to_string()),
        ("PAGE_EVENTS", PAGE_EVENTS.to_string()),
        ("PAGE_SECONDS_MAX", PAGE_SECONDS_MAX.to_string()),
        ("PAGE_EVENTS_MAX", PAGE_EVENTS_MAX.to_string()),
        ("PAGE_LETTERS", PAGE_LETTERS.to_string()),
        ("PAGE_LETTERS_MAX", PAGE_LETTERS_MAX.to_string()),
        ("PROBLEMS_MAX", PROBLEMS_MAX.to_string()),
        ("POSTED_SECONDS_MAX", POSTED_SECONDS_MAX.to_string()),
        ("REASON_CHARS_MAX", REASON_CHARS_MAX.to_string()),
        ("REQUEST_ID_CHARS_MAX", REQUEST_ID_CHARS_MAX.to_string()),
        ("SCANNED_EVENTS_MAX", SCANNED_EVENTS_MAX.to_string()),
        ("SYSTEM", SYSTEM.to_string()),
        ("TOKEN_BYTES_MAX", TOKEN_BYTES_MAX.to_string()),
        ("TREE_EVENTS_MAX", TREE_EVENTS_MAX.to_string()),
    ]
}
