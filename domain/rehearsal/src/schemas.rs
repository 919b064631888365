//! The schemas of commands become the OpenAPI text, so they must say what every field means. Each of these is
//! a rule, of which [`crate::rules!`] makes a test, and panics when the rule is broken.

use std::collections::BTreeSet;

use domain::{Aggregate, Context, Decider};
use schemars::{SchemaGenerator, schema_for};
use serde_json::{Map, Value};

/// # Panics
/// When a command or a field of one has no description.
pub fn every_command_and_every_field_says_what_it_means(context: &Context) {
    for kind in context.aggregates {
        let schema = schema(kind);
        for command in schema["oneOf"].as_array().unwrap() {
            assert!(
                command["description"].is_string(),
                "{kind:?}: {command} has no description"
            );
        }
        for (path, object) in objects(kind, &schema) {
            for (field, of_field) in object["properties"].as_object().unwrap() {
                let is_tag = object["required"] == serde_json::json!([field])
                    && field.contains(char::is_alphabetic)
                    && object["description"].is_string()
                    && path.ends_with("/oneOf");
                assert!(
                    is_tag || of_field["description"].is_string(),
                    "{path}: {field} has no description"
                );
            }
        }
    }
}

/// # Panics
/// When a command takes fields that it does not name.
pub fn commands_take_no_unknown_fields(context: &Context) {
    for kind in context.aggregates {
        for (path, object) in objects(kind, &schema(kind)) {
            assert_eq!(
                object["additionalProperties"],
                Value::Bool(false),
                "{path} takes unknown fields"
            );
        }
    }
}

/// # Panics
/// When the command that makes a new stream of a kind is none of the kind's commands.
pub fn the_command_that_creates_is_one_of_the_commands(context: &Context) {
    for kind in context.aggregates {
        let creates = kind.creates;
        assert!(
            names(kind).iter().any(|name| name == creates),
            "{kind:?} has no {creates}"
        );
    }
}

/// The names of a kind's commands in kebab case, in the order of declaration.
///
/// # Panics
/// When the schema of its commands has no variants.
#[must_use]
pub fn names(kind: &Aggregate) -> Vec<String> {
    named(&schema(kind))
}

/// As [`names`], for a kind with its own type.
///
/// # Panics
/// When the schema of its commands has no variants.
#[must_use]
pub fn names_of<D: Decider>() -> Vec<String> {
    named(&schema_for!(D::Command).to_value())
}

/// The names of a command's fields; none when the kind has no such command.
///
/// # Panics
/// When the schema of the kind's commands has no variants.
#[must_use]
pub fn fields(kind: &Aggregate, command: &str) -> BTreeSet<String> {
    let schema = schema(kind);
    let mut commands = schema["oneOf"].as_array().unwrap().iter();
    let Some(of) = commands.find(|of| of["required"][0] == command) else {
        return BTreeSet::new();
    };
    let body = &of["properties"][command];
    let referred = body["$ref"]
        .as_str()
        .and_then(|place| schema.pointer(place.strip_prefix('#')?));
    let properties = referred.unwrap_or(body)["properties"].as_object();
    properties.into_iter().flat_map(Map::keys).cloned().collect()
}

fn named(schema: &Value) -> Vec<String> {
    let commands = schema["oneOf"].as_array().unwrap().iter();
    let names = commands.map(|command| command["required"][0].as_str().unwrap().to_owned());
    names.collect()
}

fn schema(kind: &Aggregate) -> Value {
    kind.schema(&mut SchemaGenerator::default()).to_value()
}

/// Every object in the schema, with the path to it.
fn objects<'a>(kind: &Aggregate, schema: &'a Value) -> Vec<(String, &'a Value)> {
    let mut found = Vec::new();
    find_objects(schema, kind.aggregate_type.to_owned(), &mut found);
    found
}

fn find_objects<'a>(schema: &'a Value, path: String, found: &mut Vec<(String, &'a Value)>) {
    match schema {
        Value::Object(fields) => {
            if fields.contains_key("properties") {
                found.push((path.clone(), schema));
            }
            for (key, value) in fields {
                find_objects(value, format!("{path}/{key}"), found);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| find_objects(value, path.clone(), found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
