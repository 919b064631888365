//! `GET /v1/events/types`: every event that there is, with the schema of its fields.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use domain::Aggregate;
use domain::event::Stored;
use schemars::generate::SchemaSettings;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::app::App;
use crate::context::Contexts;
use crate::extract::NoParameters;
use crate::problem::Problem;

/// The catalogue. It tells no more than the program's own description does, and like that it is told to everybody.
///
/// # Errors
/// As [`App::made_once`].
pub async fn list(State(app): State<App>, _: NoParameters) -> Result<Response, Problem> {
    let text = app.made_once(|parts| &parts.event_types, catalogue).await?;
    Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
}

/// Every event of every context, in the order of their declaration.
#[must_use]
pub fn catalogue(contexts: &Contexts) -> Value {
    let personal = personal(contexts);
    let types = contexts.decisions().aggregates().flat_map(|aggregate| {
        let schema = schema(aggregate);
        let variants = variants(&schema);
        let personal = &personal;
        let told = |&name: &&'static str| {
            let (sealed, texts) = personal
                .get(&(aggregate.aggregate_type, name))
                .cloned()
                .unwrap_or_default();
            json!({
                "type": name,
                "source": format!("/daybook/{}", aggregate.aggregate_type),
                "aggregate": aggregate.aggregate_type,
                "version": aggregate.version(name),
                "sealed": sealed,
                "texts": texts,
                "schema": whole(variants.get(name), &schema),
            })
        };
        aggregate.events.iter().map(told).collect::<Vec<_>>()
    });
    json!({ "types": types.collect::<Vec<_>>() })
}

/// The fields of an event that may be sealed, and those with texts.
type Personal = (BTreeSet<&'static str>, BTreeSet<&'static str>);

/// An event of a golden history, as far as it matters here.
#[derive(Deserialize)]
struct Told {
    aggregate_type: String,
    stream: Uuid,
    event_type: String,
    event_version: String,
    payload: Box<RawValue>,
}

/// By kind of stream and event: golden histories have each of them, a test sees to that.
fn personal(contexts: &Contexts) -> BTreeMap<(&'static str, &'static str), Personal> {
    let mut found: BTreeMap<_, Personal> = BTreeMap::new();
    for context in contexts.decisions().iter() {
        let history: Vec<Told> = serde_json::from_str(context.history).unwrap_or_default();
        for told in history {
            let Some(aggregate) = contexts.aggregate(&told.aggregate_type) else {
                continue;
            };
            let stored = Stored {
                event_type: &told.event_type,
                version: &told.event_version,
                payload: told.payload.get(),
                actor: Uuid::nil(),
            };
            let name = aggregate.events.iter().copied().find(|name| *name == told.event_type);
            if let (Ok(event), Some(name)) = (aggregate.decode(&stored), name) {
                let (sealed, texts) = found.entry((aggregate.aggregate_type, name)).or_default();
                let of_persons = event
                    .sealed(told.stream)
                    .into_iter()
                    .chain(event.sealed_apart(told.stream));
                sealed.extend(of_persons.map(|(field, _)| field));
                texts.extend(event.texts());
            }
        }
    }
    found
}

fn schema(aggregate: &Aggregate) -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.meta_schema = None);
    aggregate.event_schema(&mut settings.into_generator()).to_value()
}

/// The schemas of the fields of each event, by its name.
fn variants(schema: &Value) -> BTreeMap<&str, Value> {
    let variants = schema["oneOf"].as_array().into_iter().flatten();
    let named = variants.flat_map(|variant| {
        let named = variant["properties"].as_object().into_iter().flatten();
        named.map(|(name, fields)| {
            let mut fields = fields.clone();
            if let (Some(fields), Some(doc)) = (fields.as_object_mut(), variant.get("description")) {
                fields.insert("description".to_owned(), doc.clone());
            }
            (name.as_str(), fields)
        })
    });
    named.collect()
}

/// A schema with the definitions that it refers to.
fn whole(fields: Option<&Value>, schema: &Value) -> Value {
    let Some(mut fields) = fields.cloned() else {
        return Value::Null;
    };
    let all = schema["$defs"].as_object().cloned().unwrap_or_default();
    // One that is a reference and nothing else is what that leads to.
    let referred = fields["$ref"]
        .as_str()
        .and_then(|reference| reference.strip_prefix("#/$defs/"));
    if let Some(definition) = referred.and_then(|name| all.get(name)) {
        fields = definition.clone();
    }
    let (mut used, mut waiting) = (BTreeMap::new(), references(&fields));
    while let Some(name) = waiting.pop() {
        if let Some(definition) = all.get(&name).filter(|_| !used.contains_key(&name)) {
            waiting.extend(references(definition));
            used.insert(name, definition.clone());
        }
    }
    if let (Some(fields), false) = (fields.as_object_mut(), used.is_empty()) {
        fields.insert("$defs".to_owned(), Value::Object(Map::from_iter(used)));
    }
    fields
}

/// The names of the definitions that a schema refers to.
fn references(schema: &Value) -> Vec<String> {
    match schema {
        Value::Object(fields) => {
            let own = fields.get("$ref").and_then(Value::as_str);
            let own = own.and_then(|reference| reference.strip_prefix("#/$defs/"));
            let others = fields.values().flat_map(references);
            own.map(str::to_owned).into_iter().chain(others).collect()
        }
        Value::Array(values) => values.iter().flat_map(references).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}
