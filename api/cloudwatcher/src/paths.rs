//! The operations that context `cloudwatcher` has beside its commands and tables.

mod response;

use serde_json::{Value, json};

use crate::decide::{BODY_BYTES_MAX, DECISIONS_MAX};
use crate::inbox::{PAGE_ASKS, PAGE_ASKS_MAX};
use crate::stock;
use http::command::joint::JointRequest;
use http::openapi::Paths;
use http::openapi::parts::{
    self, answer, answers, in_path, in_query, needs, parameter, position, response, schema, uuid,
};

pub fn add(paths: &mut Paths) {
    inbox(paths);
    decide(paths);
    transfer(paths);
    accept_reorder(paths);
    response::add(paths);
}

fn inbox(paths: &mut Paths) {
    let asks = json!({
        "type": "object",
        "required": ["asks", "next"],
        "properties": {
            "asks": {
                "type": "array",
                "description": "Each with the order's revision, note and items; order_total is the sum of that revision, which is decided on, and total_now that of the items as they are by now; delegation_id when it is decided in another's place; split_with lists orders that, put together with this one, would need more levels.",
                "items": { "type": "object" },
            },
            "next": { "type": ["string", "null"], "description": "For `after`; null on the last page." },
        },
    });
    let limit = json!({ "type": "integer", "minimum": 1, "maximum": PAGE_ASKS_MAX, "default": PAGE_ASKS });
    paths.add(
        "/v1/cloudwatcher/approvals/inbox",
        "get",
        json!({
            "operationId": "cloudwatcher.approvals.inbox",
            "tags": ["cloudwatcher"],
            "summary": "Approvals that wait for your decision, or for that of people who delegated to you; the first to fall due comes first.",
            "description": "Permission `cloudwatcher.approval.approve`. To decide, one holds `orders.approve` as well.",
            "security": needs(["cloudwatcher.approval.approve"]),
            "parameters": [
                in_query("limit", "Asks of a page.", limit),
                in_query("after", "The `next` of the page before.", json!({ "type": "string" })),
                in_query("Daybook-After", "As the header of this name.", position()),
                parameter("After"),
                parameter("RequestId"),
            ],
            "responses": answers(vec![("200", answer("A page.", asks))], &[400]),
        }),
    );
}

fn decide(paths: &mut Paths) {
    let decision = json!({
        "type": "object",
        "required": ["order_id", "revision", "decision"],
        "additionalProperties": false,
        "properties": {
            "order_id": uuid(),
            "revision": { "type": "integer", "format": "int32", "minimum": 1, "description": "The revision that you looked at." },
            "decision": { "type": "string", "enum": ["approve", "reject"] },
            "notes": { "type": ["string", "null"], "description": "Needed to reject." },
        },
    });
    let body = json!({
        "type": "object",
        "required": ["decisions"],
        "additionalProperties": false,
        "properties": { "decisions": { "type": "array", "minItems": 1, "maxItems": DECISIONS_MAX, "items": decision } },
    });
    paths.add(
        "/v1/cloudwatcher/approvals/decide",
        "post",
        json!({
            "operationId": "cloudwatcher.approvals.decide",
            "tags": ["cloudwatcher"],
            "summary": "Decides many approvals, each on its own: one that is refused does not keep the others back.",
            "description": "Permissions `cloudwatcher.approval.approve` and `cloudwatcher.approval.reject`, as each decision needs. Decisions about many take no `Daybook-Dry-Run`.",
            "security": needs([""; 0]),
            "parameters": [
                parameter("IdempotencyKey"),
                parameter("Reason"),
                parameter("Traceparent"),
                parameter("RequestId"),
            ],
            "x-body-bytes-max": BODY_BYTES_MAX,
            "requestBody": { "required": true, "content": { "application/json": { "schema": body } } },
            "responses": answers(vec![("200", answer("The outcome of each, in the order asked.", outcomes()))], &[400, 413, 415]),
        }),
    );
}

fn outcomes() -> Value {
    let outcome = json!({
        "type": "object",
        "required": ["order_id", "decision", "status"],
        "properties": {
            "order_id": uuid(),
            "decision": { "type": "string" },
            "status": { "type": "integer", "description": "As the decision alone would have been answered." },
            "position": { "type": "integer", "format": "int64" },
            "events": { "type": "array", "items": { "type": "string" } },
            "problem": schema("Problem"),
        },
    });
    json!({ "type": "object", "required": ["outcomes"], "properties": { "outcomes": { "type": "array", "items": outcome } } })
}

fn transfer(paths: &mut Paths) {
    let source = json!({
        "type": ["object", "null"],
        "description": "The purpose.",
        "required": ["kind", "id"],
        "additionalProperties": false,
        "properties": { "kind": { "type": "string", "enum": ["order", "request", "other"] }, "id": uuid() },
    });
    let body = json!({
        "type": "object",
        "required": ["to_location_id", "quantity"],
        "additionalProperties": false,
        "properties": {
            "to_location_id": uuid(),
            "quantity": { "type": "integer", "format": "int32", "minimum": 1, "description": "The number of units." },
            "reservation_id": { "type": ["string", "null"], "format": "uuid", "description": "The reservation that they were kept by; of what is available when absent." },
            "source": source,
        },
    });
    together(
        paths,
        &stock::TRANSFER,
        "AllAccepted",
        "Moves goods to another location: out here and in there, both or neither. The record there is opened if there is none.",
        "Both locations must be within your departments; between others, draft an order of type `internal_transfer`.",
        body,
    );
}

fn accept_reorder(paths: &mut Paths) {
    let body = json!({
        "type": "object",
        "required": ["suggestion_id"],
        "additionalProperties": false,
        "properties": {
            "suggestion_id": uuid(),
            "order_id": { "type": ["string", "null"], "format": "uuid", "description": "The id of the order; a new one when absent." },
            "part_supplier_id": { "type": ["string", "null"], "format": "uuid", "description": "The price offer to take up; the best one for the quantity when absent: preferred before others, then the cheapest." },
            "quantity": { "type": ["integer", "null"], "format": "int32", "minimum": 1, "description": "The number of units; as many as are suggested when absent, no fewer than the price offer sells and in whole packs. Of a number that the supplier does not sell you are warned, or it is refused, as the stock policy says." },
            "currency": { "type": ["string", "null"], "description": "The currency to pay in, which is that of the price offer; when absent the first of the approval policy or, where nobody sells in that, the one of the best price offer." },
            "note": { "type": ["string", "null"], "description": "A note for approvers." },
        },
    });
    together(
        paths,
        &stock::ACCEPT_REORDER,
        "AllMade",
        "Follows the open suggestion to reorder: drafts a purchase order with the best price offer, to be received here.",
        "What is ordered counts as on order from now on.",
        body,
    );
}

/// A request that several commands follow from, which stand or fall together.
fn together(paths: &mut Paths, request: &JointRequest, accepted: &str, summary: &str, more: &str, body: Value) {
    let mut parameters = vec![in_path("id", "The record of the stock key.", uuid())];
    parameters.extend(parts::of_a_command());
    let permissions: Vec<String> = request.permissions().collect();
    let named = permissions.iter().map(|permission| format!("`{permission}`"));
    let named = named.collect::<Vec<_>>().join(" and ");
    let id = format!("{}.{}", request.aggregate.aggregate_type, request.word);
    let body = paths.schema(&id, body);
    paths.add(
        &request.address(),
        "post",
        json!({
            "operationId": id,
            "tags": ["cloudwatcher"],
            "summary": summary,
            "description": format!("Permissions {named}. {more}"),
            "security": needs(permissions),
            "parameters": parameters,
            "x-body-bytes-max": domain::decider::BODY_BYTES_MAX,
            "requestBody": { "required": true, "content": { "application/json": { "schema": body } } },
            "responses": answers(vec![("200", response(accepted))], &[400, 404, 409, 412, 413, 415, 422]),
        }),
    );
}
