//! The operations of commands, and the schemas of their bodies.

use std::collections::BTreeSet;

use domain::Aggregate;
use domain::entry::Key;
use domain::setting::SECRET_BYTES_MAX;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::Paths;
use super::parts::{self, answers, in_path, needs, response};
use crate::command::past::Rehearsal;
use crate::command::permission;
use crate::context::{Context, Edge};

/// Where the schema of a kind's commands has the schemas that it refers to.
const DEFINITIONS: &str = "#/$defs/";

pub fn add(context: &Context, paths: &mut Paths) {
    for aggregate in context.decisions.aggregates {
        let schema = schema(aggregate);
        let definitions = schema["$defs"].as_object().cloned().unwrap_or_default();
        // Nobody who reads the document can send the others.
        let sent: Vec<_> = variants(&schema)
            .filter(|(command, _)| !aggregate.only_daybook.contains(&command.as_str()))
            .map(|(command, body)| {
                // What nobody is shown, whoever changes an entry leaves out, and it stays.
                let stays = |edge: &Edge| edge.takes(aggregate, command) && edge.complete.is_some();
                let body = match command != aggregate.creates && context.edges.iter().any(stays) {
                    true => without_secrets(&body, &definitions),
                    false => body,
                };
                (command, body)
            })
            .collect();
        for name in referred(sent.iter().map(|(_, body)| body), &definitions) {
            let definition = definitions.get(&name).cloned().unwrap_or_default();
            paths.schema(&named(aggregate, &name), with_references(aggregate, definition));
        }
        let (plural, name) = (aggregate.plural, context.name());
        for (command, body) in sent {
            let body = Body::of(aggregate, command, body, &definitions, paths);
            let base = format!("/v1/{name}/{plural}");
            let path = format!("{base}/{{id}}/{command}");
            let rehearsal = context
                .rehearsals
                .iter()
                .find(|of| of.aggregate_type == aggregate.aggregate_type && of.commands.contains(&command.as_str()));
            paths.add(&path, "post", operation(aggregate, command, &body, rehearsal, true));
            if command == aggregate.creates && !aggregate.borrows_id {
                paths.add(&base, "post", operation(aggregate, command, &body, rehearsal, false));
            }
        }
    }
}

/// The names of a kind's commands, in the order of their declaration.
pub fn names(aggregate: &Aggregate) -> Vec<String> {
    variants(&schema(aggregate)).map(|(name, _)| name.clone()).collect()
}

/// The names of a kind's commands, each with what it does.
pub fn described(aggregate: &Aggregate) -> Vec<(String, String)> {
    let schema = schema(aggregate);
    let definitions = schema["$defs"].as_object().cloned().unwrap_or_default();
    let described = variants(&schema).map(|(name, body)| (name.clone(), doc(&body, &definitions)));
    described.collect()
}

/// The names of a command's fields; none when there is no such command.
pub fn fields(aggregate: &Aggregate, command: &str) -> Vec<String> {
    let schema = schema(aggregate);
    let body = variants(&schema).find(|(name, _)| *name == command);
    // Commands that share nothing have no definitions.
    let definitions = schema["$defs"].as_object().cloned().unwrap_or_default();
    let fields = body.and_then(|(_, body)| {
        let definition = definition(&body, &definitions);
        Some(definition["properties"].as_object()?.keys().cloned().collect())
    });
    fields.unwrap_or_default()
}

/// The schema that the fields of a command are held against once they have come in; none when there is no such command.
pub fn form(aggregate: &Aggregate, command: &str) -> Option<Value> {
    let mut schema = schema(aggregate);
    let (_, mut body) = variants(&schema).find(|(name, _)| *name == command)?;
    if let (Some(body), Some(definitions)) = (body.as_object_mut(), schema.get_mut("$defs")) {
        body.insert("$defs".to_owned(), definitions.take());
    }
    // Secrets have been sealed by then, and are longer than they were.
    let mut waiting = vec![&mut body];
    while let Some(value) = waiting.pop() {
        match value {
            Value::Array(values) => waiting.extend(values),
            Value::Object(fields) => {
                if fields.get("x-sealed") == Some(&Value::Bool(true)) {
                    fields.remove("maxLength");
                }
                waiting.extend(fields.values_mut());
            }
            _ => {}
        }
    }
    Some(body)
}

/// The schema of a kind's commands.
fn schema(aggregate: &Aggregate) -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.meta_schema = None);
    aggregate.schema(&mut settings.into_generator()).to_value()
}

/// The variants of an externally tagged enum: name and schema, which has the variant's description.
fn variants(schema: &Value) -> impl Iterator<Item = (&String, Value)> {
    let variants = schema["oneOf"].as_array().into_iter().flatten();
    variants.flat_map(|variant| {
        let named = variant["properties"].as_object().into_iter().flatten();
        named.map(|(name, body)| {
            let mut body = body.clone();
            if let (Some(body), Some(doc)) = (body.as_object_mut(), variant.get("description")) {
                body.insert("description".to_owned(), doc.clone());
            }
            (name, body)
        })
    })
}

/// The name under which the document has a schema of a kind's commands.
fn named(aggregate: &Aggregate, name: &str) -> String {
    format!("{}.{name}", aggregate.aggregate_type)
}

/// The schema as somebody has to send it: a secret that lies sealed is sent in clear, and a field that Daybook fills in is
/// not sent.
fn as_sent(fields: &mut Map<String, Value>) {
    if fields.get("x-sealed") == Some(&Value::Bool(true)) {
        fields.insert("maxLength".to_owned(), SECRET_BYTES_MAX.into());
        fields.insert("writeOnly".to_owned(), true.into());
    }
    if let Some(Value::Object(properties)) = fields.get_mut("properties") {
        properties.retain(|_, property| property["readOnly"] != true);
    }
}

/// The schema of a body from which secrets may be left out: what refers to one that has some has it within itself.
fn without_secrets(schema: &Value, definitions: &Map<String, Value>) -> Value {
    match schema {
        Value::Object(fields) if fields.contains_key("$ref") => {
            let relaxed = without_secrets(definition(schema, definitions), definitions);
            if relaxed == *definition(schema, definitions) {
                return schema.clone();
            }
            let mut whole = relaxed;
            let own = fields.iter().filter(|(name, _)| *name != "$ref");
            for (name, value) in own {
                whole[name] = value.clone();
            }
            whole
        }
        Value::Object(fields) => {
            let relaxed = |value| without_secrets(value, definitions);
            let mut whole: Map<String, Value> = fields
                .iter()
                .map(|(name, value)| (name.clone(), relaxed(value)))
                .collect();
            if whole.get("x-sealed") == Some(&Value::Bool(true)) {
                let doc = whole.get("description").and_then(Value::as_str).unwrap_or_default();
                let doc = format!("{doc} Left out, it stays as it is.");
                whole.insert("description".to_owned(), doc.into());
            }
            let properties = fields.get("properties");
            if let Some(Value::Array(required)) = whole.get_mut("required") {
                let is_sealed = |name: &Value| {
                    let property = name.as_str().and_then(|name| properties?.get(name));
                    property.is_some_and(|property| property["x-sealed"] == true)
                };
                required.retain(|name| !is_sealed(name));
            }
            Value::Object(whole)
        }
        Value::Array(values) => values.iter().map(|value| without_secrets(value, definitions)).collect(),
        other => other.clone(),
    }
}

/// The schema with its references to others of its kind's commands leading to where the document has them.
fn with_references(aggregate: &Aggregate, mut schema: Value) -> Value {
    let mut waiting = vec![&mut schema];
    while let Some(value) = waiting.pop() {
        match value {
            Value::Array(values) => waiting.extend(values),
            Value::Object(fields) => {
                if let Some(Value::String(reference)) = fields.get_mut("$ref")
                    && let Some(name) = reference.strip_prefix(DEFINITIONS)
                {
                    *reference = parts::schema_address(&named(aggregate, name));
                }
                as_sent(fields);
                waiting.extend(fields.values_mut());
            }
            _ => {}
        }
    }
    schema
}

/// The schema itself, or the one that it refers to.
fn definition<'a>(schema: &'a Value, definitions: &'a Map<String, Value>) -> &'a Value {
    let referred = schema["$ref"].as_str().and_then(|reference| {
        let name = reference.strip_prefix(DEFINITIONS)?;
        definitions.get(name)
    });
    referred.unwrap_or(schema)
}

/// What a command does, in the words of its declaration or of its fields'.
fn doc(schema: &Value, definitions: &Map<String, Value>) -> String {
    let definition = definition(schema, definitions);
    let mut described = [schema, definition].into_iter();
    let doc = described.find_map(|schema| schema["description"].as_str());
    doc.unwrap_or_default().to_owned()
}

/// The names of the definitions that these schemas refer to, and they in turn.
fn referred<'a>(schemas: impl Iterator<Item = &'a Value>, definitions: &Map<String, Value>) -> BTreeSet<String> {
    let mut waiting: Vec<String> = schemas.flat_map(super::references).collect();
    let mut found = BTreeSet::new();
    while let Some(pointer) = waiting.pop() {
        let name = format!("#{pointer}");
        if let Some(name) = name.strip_prefix(DEFINITIONS)
            && let Some(definition) = definitions.get(name)
            && found.insert(name.to_owned())
        {
            waiting.extend(super::references(definition));
        }
    }
    found
}

/// The body of a command.
struct Body {
    /// The reference to its schema.
    schema: Value,
    doc: String,
    is_required: bool,
}

impl Body {
    fn of(
        aggregate: &Aggregate,
        command: &str,
        schema: Value,
        definitions: &Map<String, Value>,
        paths: &mut Paths,
    ) -> Self {
        let doc = doc(&schema, definitions);
        let definition = definition(&schema, definitions);
        let is_required = definition["required"]
            .as_array()
            .is_some_and(|required| !required.is_empty());
        Self {
            doc,
            is_required,
            schema: paths.schema(&named(aggregate, command), with_references(aggregate, schema)),
        }
    }
}

/// The parameter of the path that names the stream.
fn in_address(aggregate: &Aggregate) -> Value {
    let key = aggregate.plain.map(|plain| (plain.key, plain));
    match key {
        None | Some((Key::Id(_), _)) => parts::parameter("Id"),
        Some((Key::Number(_), _)) => in_path(
            "id",
            "The number, or the uuid of the stream.",
            json!({ "type": "string" }),
        ),
        Some((Key::Fields(fields), _)) => {
            let joined = if fields.len() > 1 { ", joined by %2F" } else { "" };
            let doc = format!("{}{joined}; or the uuid of the stream.", fields.join("/"));
            in_path("id", &doc, json!({ "type": "string" }))
        }
    }
}

fn operation(
    aggregate: &Aggregate,
    command: &str,
    body: &Body,
    rehearsal: Option<&Rehearsal>,
    addressed: bool,
) -> Value {
    let doc = &body.doc;
    let (id, summary, accepted) = if addressed {
        ("with-id", doc.clone(), "Accepted")
    } else {
        ("without-id", format!("{doc} The server chooses the id."), "Made")
    };
    let mut parameters = Vec::new();
    if addressed {
        parameters.push(in_address(aggregate));
    }
    parameters.extend(parts::of_a_command());
    let permission = permission(aggregate, command);
    let mut description = format!("Permission `{permission}`.");
    if let Some(rehearsal) = rehearsal {
        parameters.push(parts::parameter("Span"));
        description.push_str(&format!(
            " Tried on the past it needs `{}` besides.",
            rehearsal.permission
        ));
    }
    json!({
        "operationId": format!("{}.{command}.{id}", aggregate.aggregate_type),
        "tags": [aggregate.context()],
        "summary": summary,
        "description": description,
        "security": needs([&permission]),
        "parameters": parameters,
        "x-body-bytes-max": (aggregate.body_bytes_max)(command),
        "requestBody": { "required": body.is_required, "content": { "application/json": { "schema": body.schema } } },
        "responses": answers(vec![("200", response(accepted))], &[400, 404, 409, 412, 413, 415, 422]),
    })
}
