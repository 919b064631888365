//! The operations of commands.

use domain::Aggregate;
use schemars::Schema;
use serde_json::{Value, json};

use super::Paths;
use super::parts::{answer, answers, in_path, parameter, uuid};
use crate::context::Contexts;

pub fn add(contexts: &Contexts, paths: &mut Paths) {
    for aggregate in contexts.decisions().aggregates() {
        let (context, plural) = (aggregate.context(), aggregate.plural);
        for (command, body) in contexts.commands(aggregate) {
            let path = format!("/v1/{context}/{plural}/{{id}}/{command}");
            paths.add(&path, "post", operation(aggregate, command, body, true));
            if command == aggregate.creates && !aggregate.borrows_id {
                paths.add(
                    &format!("/v1/{context}/{plural}"),
                    "post",
                    operation(aggregate, command, body, false),
                );
            }
        }
    }
}

/// The commands of a kind of stream: name and JSON schema of the body, in the order of declaration.
pub fn bodies(aggregate: &Aggregate) -> Vec<(String, Value)> {
    // Subschemas in place: OpenAPI has no other place for definitions of one schema.
    let settings = schemars::generate::SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    variants(aggregate.schema(&mut settings.into_generator()))
}

/// The variants of an externally tagged enum, from its schema.
fn variants(schema: Schema) -> Vec<(String, Value)> {
    let mut variants = Vec::new();
    for variant in schema.get("oneOf").and_then(Value::as_array).into_iter().flatten() {
        let doc = variant.get("description").cloned();
        for (name, body) in variant
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            let mut body = body.clone();
            if let (Some(body), Some(doc)) = (body.as_object_mut(), doc.clone()) {
                body.insert("description".to_owned(), doc);
            }
            variants.push((name.clone(), body));
        }
    }
    variants
}

fn operation(aggregate: &Aggregate, command: &str, body: &Value, addressed: bool) -> Value {
    let summary = body.get("description").and_then(Value::as_str).unwrap_or_default();
    let required = body
        .get("required")
        .and_then(Value::as_array)
        .is_some_and(|required| !required.is_empty());
    let mut parameters = vec![
        parameter("IdempotencyKey"),
        parameter("IfMatch"),
        parameter("Reason"),
        parameter("Traceparent"),
        parameter("RequestId"),
    ];
    let id = if addressed {
        parameters.insert(
            0,
            in_path("id", "The stream; a client may choose the id of a new one.", uuid()),
        );
        "with-id"
    } else {
        "without-id"
    };
    let mut accepted = answer("Done.", json!({ "$ref": "#/components/schemas/Accepted" }));
    accepted["headers"] = json!({
        "ETag": { "description": "The stream's sequence, for If-Match.", "schema": { "type": "string" } },
        "Daybook-Position": { "description": "The position, for Daybook-After.", "schema": { "type": "integer" } },
    });
    if !addressed {
        accepted["headers"]["Location"] =
            json!({ "description": "The new one's address.", "schema": { "type": "string" } });
    }
    json!({
        "operationId": format!("{}.{command}.{id}", aggregate.aggregate_type),
        "tags": [aggregate.context()],
        "summary": if addressed { summary.to_owned() } else { format!("{summary} The server chooses the id.") },
        "description": format!("Permission `{}.{command}`.", aggregate.aggregate_type),
        "parameters": parameters,
        "requestBody": { "required": required, "content": { "application/json": { "schema": body } } },
        "responses": answers(vec![("200", accepted)], &[400, 404, 409, 412, 413, 415, 422]),
    })
}
