//! The schemas of commands become the OpenAPI text, so they must say what every field means.

use domain::Decider;
use schemars::schema_for;
use serde_json::Value;

fn of<D: Decider>() -> (&'static str, &'static str, Value) {
    (D::TYPE, D::CREATES, schema_for!(D::Command).to_value())
}

macro_rules! command_schemas {
    ($($kind:ident = $module:ty => $plural:literal,)+) => {
        fn schemas() -> Vec<(&'static str, &'static str, Value)> {
            vec![$(of::<$module>()),+]
        }
    };
}

domain::each_aggregate!(command_schemas);

/// Every object in the schema, with the path to it.
fn objects<'a>(schema: &'a Value, path: String, found: &mut Vec<(String, &'a Value)>) {
    match schema {
        Value::Object(fields) => {
            if fields.contains_key("properties") {
                found.push((path.clone(), schema));
            }
            fields
                .iter()
                .for_each(|(key, value)| objects(value, format!("{path}/{key}"), found));
        }
        Value::Array(values) => values.iter().for_each(|value| objects(value, path.clone(), found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn every_command_and_every_field_says_what_it_means() {
    for (kind, _, schema) in schemas() {
        for command in schema["oneOf"].as_array().unwrap() {
            assert!(
                command["description"].is_string(),
                "{kind}: {command} has no description"
            );
        }
        let mut found = Vec::new();
        objects(&schema, kind.to_owned(), &mut found);
        for (path, object) in found {
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

#[test]
fn commands_take_no_unknown_fields() {
    for (kind, _, schema) in schemas() {
        let mut found = Vec::new();
        objects(&schema, kind.to_owned(), &mut found);
        for (path, object) in found {
            assert_eq!(
                object["additionalProperties"],
                Value::Bool(false),
                "{path} takes unknown fields"
            );
        }
    }
}

#[test]
fn the_command_that_creates_is_one_of_the_commands() {
    for (kind, creates, schema) in schemas() {
        let tags: Vec<&Value> = schema["oneOf"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| &c["required"][0])
            .collect();
        assert!(tags.contains(&&Value::from(creates)), "{kind} has no {creates}");
    }
}
