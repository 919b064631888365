//! What operations share: parameters, answers, schemas.

use serde_json::{Map, Value, json};

use crate::auth::token::{LEEWAY_SECONDS, TOKEN_BYTES_MAX};
use crate::command::body::BODY_BYTES_MAX;
use crate::command::headers::{KEY_CHARS_MAX, REASON_CHARS_MAX};
use crate::problem;

pub const DESCRIPTION: &str = "Commands append events to one book; tables are posted from it. \
    Every error is a problem (RFC 9457) whose `type` is stable. Ids are uuids in lower case; amounts are strings; \
    times are RFC 3339 in UTC. A command's answer names its position; a read that sends it as `Daybook-After` sees it.";

/// A reference to a parameter below.
pub fn parameter(name: &str) -> Value {
    json!({ "$ref": format!("#/components/parameters/{name}") })
}

/// A required parameter of the path.
pub fn in_path(name: &str, description: &str, schema: Value) -> Value {
    json!({ "name": name, "in": "path", "required": true, "description": description, "schema": schema })
}

/// A parameter after the question mark.
pub fn in_query(name: &str, description: &str, schema: Value) -> Value {
    json!({ "name": name, "in": "query", "description": description, "schema": schema })
}

/// An answer with a JSON body.
pub fn answer(description: &str, schema: Value) -> Value {
    json!({ "description": description, "content": { "application/json": { "schema": schema } } })
}

/// The answers of an operation: its own and the problems of these statuses, besides those that any may have.
pub fn answers(own: Vec<(&str, Value)>, problems: &[u16]) -> Value {
    let always = [401, 403, 429, 500, 503];
    let mut answers: Map<String, Value> = own
        .into_iter()
        .map(|(status, answer)| (status.to_owned(), answer))
        .collect();
    let mut statuses: Vec<u16> = problems.iter().copied().chain(always).collect();
    statuses.sort_unstable();
    statuses.dedup();
    for status in statuses {
        answers.insert(
            status.to_string(),
            json!({ "$ref": format!("#/components/responses/{status}") }),
        );
    }
    Value::Object(answers)
}

pub fn uuid() -> Value {
    json!({ "type": "string", "format": "uuid" })
}

pub fn position() -> Value {
    json!({ "type": "integer", "format": "int64", "minimum": 0 })
}

/// `components`, with the schemas of the rows.
pub fn components(rows: Map<String, Value>) -> Value {
    let mut schemas = Map::new();
    schemas.insert("Problem".to_owned(), problem_schema());
    schemas.insert("Accepted".to_owned(), accepted());
    schemas.insert("Event".to_owned(), event());
    schemas.insert("RowChange".to_owned(), row_change());
    schemas.extend(rows);
    let bearer = json!({
        "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
        "description": format!(
            "A JSON Web Token of at most {TOKEN_BYTES_MAX} bytes with iss, aud, exp, nbf, sub (the user's uuid) and tenant (a uuid). \
             Clocks may differ by {LEEWAY_SECONDS} s. What its user may do is in their roles, not in the token."
        ),
    });
    json!({
        "securitySchemes": { "bearer": bearer },
        "parameters": parameters(),
        "responses": responses(),
        "schemas": schemas,
    })
}

fn parameters() -> Value {
    let header = |name: &str, description: &str, schema: Value| json!({ "name": name, "in": "header", "description": description, "schema": schema });
    json!({
        "IdempotencyKey": header(
            "Idempotency-Key",
            "A command sent again by the same user with the same key is answered as the first time, for 30 days. A command whose \
             sender hangs up before it is on its way into the book is given up. A refusal is final for whoever sends under a \
             key one after the other; while an earlier sending of the key is still under way in another process, send \
             once more: that sending may be accepted yet.",
            json!({ "type": "string", "minLength": 1, "maxLength": KEY_CHARS_MAX, "pattern": "^[!-~]+$" }),
        ),
        "IfMatch": header(
            "If-Match",
            "The sequence that the stream must be at: an ETag, or the bare number. 0 is a stream without events.",
            json!({ "type": "string", "pattern": "^(\"[0-9]+\"|[0-9]+)$" }),
        ),
        "Reason": header(
            "Daybook-Reason",
            "Why, for the log. UTF-8, percent-encoded where a client's headers are ASCII.",
            json!({ "type": "string", "maxLength": REASON_CHARS_MAX }),
        ),
        "Traceparent": header("traceparent", "W3C trace context; kept with the events.", json!({ "type": "string" })),
        "RequestId": header(
            "X-Request-Id",
            "Found again in the answer, in problems and in the log. Daybook makes one when it is absent.",
            json!({ "type": "string", "minLength": 1, "maxLength": 128 }),
        ),
        "After": header("Daybook-After", "Waits until this position is posted, at most 5 s; also as a query parameter. Rows of a stream that is parked stay as they were: see `/v1/admin/parked`.", position()),
    })
}

fn responses() -> Value {
    let mut responses = Map::new();
    let mut statuses: Vec<_> = problem::TABLE.iter().map(|kind| kind.status).collect();
    statuses.push(axum::http::StatusCode::UNPROCESSABLE_ENTITY);
    statuses.sort_unstable();
    statuses.dedup();
    for status in statuses {
        let kinds = problem::TABLE.iter().filter(|kind| kind.status == status);
        let mut words: Vec<String> = kinds
            .map(|kind| format!("{} (`/problems/{}`)", kind.title, kind.name))
            .collect();
        match status.as_u16() {
            422 => words.push("A rule forbids it (`/problems/{context}.{aggregate}/{rule}`)".to_owned()),
            413 => words.push(format!("bodies have at most {BODY_BYTES_MAX} bytes")),
            _ => {}
        }
        let mut response = json!({
            "description": words.join("; "),
            "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
        });
        if matches!(status.as_u16(), 429 | 503) {
            response["headers"] =
                json!({ "Retry-After": { "description": "Seconds to wait.", "schema": { "type": "integer" } } });
        }
        responses.insert(status.as_str().to_owned(), response);
    }
    Value::Object(responses)
}

fn problem_schema() -> Value {
    json!({
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": { "type": "string", "description": "What kind of problem it is; stable." },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "detail": { "type": "string", "description": "What is wrong and what would be right." },
            "rule": { "type": "string", "description": "The domain rule that refuses." },
            "field": { "type": "string", "description": "The field, parameter or header at fault." },
            "permission": { "type": "string", "description": "The permission that is missing." },
            "claim": { "type": "string", "description": "The kind of unique value that is taken, as its context calls it." },
            "context": { "type": "string", "description": "The context of the claim." },
            "allowed": { "type": "array", "items": { "type": "string" }, "description": "What there is instead." },
            "sequence": { "type": "integer", "description": "Where the stream is." },
            "instance": { "type": "string", "description": "The path of the request." },
            "request_id": { "type": "string", "description": "The request, as the log knows it." },
        },
    })
}

fn accepted() -> Value {
    json!({
        "type": "object",
        "required": ["stream", "sequence", "position", "events"],
        "properties": {
            "stream": uuid(),
            "sequence": { "type": "integer", "format": "int64", "description": "Of the stream after the command; also its ETag." },
            "position": { "type": "integer", "format": "int64", "description": "Reads after this position see what the command did." },
            "events": { "type": "array", "items": { "type": "string" }, "description": "Names of the events; none when it was so already." },
        },
    })
}

fn event() -> Value {
    let optional = |schema: &str| json!({ "type": [schema, "null"] });
    json!({
        "type": "object",
        "properties": {
            "position": position(),
            "event_id": uuid(),
            "aggregate_type": { "type": "string" },
            "stream": uuid(),
            "sequence": { "type": "integer", "format": "int64" },
            "event_type": { "type": "string" },
            "event_version": { "type": "string" },
            "at": { "type": "string", "format": "date-time" },
            "by": { "type": "string", "format": "uuid", "description": "The user who asked for it." },
            "correlation_id": uuid(),
            "causation_id": optional("string"),
            "command_id": uuid(),
            "reason": optional("string"),
            "ip": { "type": ["string", "null"], "description": "Where the command came from; null without `personal.read`." },
            "traceparent": optional("string"),
            "sealed": {
                "type": "array", "items": { "type": "string" },
                "description": "Payload fields that tell who a person is: null without `personal.read`, and once erased.",
            },
            "unopened": {
                "type": "array", "items": { "type": "string" },
                "description": "Those of them that could not be opened and are null for that reason.",
            },
            "payload": { "type": "object" },
        },
    })
}

fn row_change() -> Value {
    json!({
        "type": "object",
        "properties": {
            "position": position(),
            "event_id": uuid(),
            "at": { "type": "string", "format": "date-time" },
            "by": uuid(),
            "aggregate_type": { "type": "string" },
            "stream": uuid(),
            "event_type": { "type": "string" },
            "reason": { "type": ["string", "null"] },
            "exists": { "type": "boolean", "description": "Whether the row is there after the event." },
            "columns": {
                "type": "object",
                "description": "The columns that the event changed.",
                "additionalProperties": { "type": "object", "properties": { "old": {}, "new": {} } },
            },
        },
    })
}
