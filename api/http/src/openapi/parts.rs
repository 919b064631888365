//! Pieces that operations are made of: parameters, answers, references.

use serde_json::{Map, Value, json};

use crate::command::body::{BODY_BYTES_MAX, VALUES_MAX};
use crate::problem;

/// The problems that any operation may have for which one needs a token.
const ANYWHERE: [u16; 5] = [401, 403, 429, 500, 503];

/// A reference to a parameter that several operations share.
#[must_use]
pub fn parameter(name: &str) -> Value {
    reference(format!("#/components/parameters/{name}"))
}

/// A reference to a response that several operations share.
#[must_use]
pub fn response(name: &str) -> Value {
    reference(format!("#/components/responses/{name}"))
}

/// A reference to a schema.
#[must_use]
pub fn schema(name: &str) -> Value {
    reference(schema_address(name))
}

/// Where the document has the schema of this name.
pub fn schema_address(name: &str) -> String {
    format!("#/components/schemas/{name}")
}

fn reference(address: String) -> Value {
    Value::Object(Map::from_iter([("$ref".to_owned(), Value::String(address))]))
}

/// What an operation needs: a token whose user holds all of these permissions.
#[must_use]
pub fn needs<S: AsRef<str>>(permissions: impl IntoIterator<Item = S>) -> Value {
    let permissions: Value = permissions
        .into_iter()
        .map(|permission| Value::from(permission.as_ref()))
        .collect();
    json!([{ "bearer": permissions }])
}

/// The headers that every command takes.
#[must_use]
pub fn of_a_command() -> Vec<Value> {
    let names = [
        "IdempotencyKey",
        "IfMatch",
        "DryRun",
        "Reason",
        "Traceparent",
        "RequestId",
    ];
    names.map(parameter).to_vec()
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
    let own = own.into_iter().map(|(status, answer)| (status.to_owned(), answer));
    let mut answers: Map<String, Value> = own.collect();
    add_problems(&mut answers, problems);
    Value::Object(answers)
}

/// Adds the problems of these statuses, and those that any operation may have, to the answers of one.
pub fn add_problems(answers: &mut Map<String, Value>, statuses: &[u16]) {
    for status in statuses.iter().chain(&ANYWHERE) {
        let status = status.to_string();
        let problem = response(&status);
        answers.entry(status).or_insert(problem);
    }
    answers.sort_keys();
}

pub fn uuid() -> Value {
    json!({ "type": "string", "format": "uuid" })
}

/// A position, or one with the mark of its history as answers give it.
pub fn place() -> Value {
    schema("Place")
}

pub fn position() -> Value {
    json!({ "type": "integer", "format": "int64", "minimum": 0 })
}

/// The problems of the API as responses, by their status.
pub fn problems() -> Map<String, Value> {
    let mut responses = Map::new();
    let mut statuses: Vec<_> = problem::TABLE.iter().map(|kind| kind.status).collect();
    statuses.extend(problem::CLASSES.map(|class| problem::of_class(class).0));
    statuses.sort_unstable();
    statuses.dedup();
    for status in statuses {
        let kinds = problem::TABLE.iter().filter(|kind| kind.status == status);
        let mut words: Vec<String> = kinds
            .map(|kind| format!("{} (`/problems/{}`)", kind.title, kind.name))
            .collect();
        let of_rules = problem::CLASSES
            .map(problem::of_class)
            .into_iter()
            .filter(|rule| rule.0 == status);
        words.extend(of_rules.map(|(_, title)| format!("{title} (`/problems/{{context}}.{{aggregate}}/{{rule}}`)")));
        if status.as_u16() == 413 {
            words.push(format!(
                "bodies have at most as many bytes as `x-body-bytes-max` of the operation says, {BODY_BYTES_MAX} at the \
                 outmost, and {VALUES_MAX} values"
            ));
        }
        let mut response = json!({
            "description": words.join("; "),
            "content": { "application/problem+json": { "schema": schema("Problem") } },
        });
        if matches!(status.as_u16(), 429 | 503) {
            response["headers"] =
                json!({ "Retry-After": { "description": "Seconds to wait.", "schema": { "type": "integer" } } });
        }
        responses.insert(status.as_str().to_owned(), response);
    }
    responses
}
