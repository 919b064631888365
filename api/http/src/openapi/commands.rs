//! The operations of commands.

use serde_json::{Value, json};

use super::Paths;
use super::parts::{answer, answers, in_path, parameter, uuid};
use crate::command::registry::{AGGREGATES, Aggregate};

pub fn add(paths: &mut Paths) {
    for aggregate in AGGREGATES {
        let (context, plural) = (aggregate.context(), aggregate.plural);
        for (command, body) in aggregate.commands() {
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
