//! The operations that context `cloudwatcher` has beside its commands and tables.

use serde_json::{Value, json};

use super::Paths;
use super::parts::{answer, answers, in_query, parameter, uuid};
use crate::cloudwatcher::decide::DECISIONS_MAX;
use crate::cloudwatcher::inbox::{PAGE_ASKS, PAGE_ASKS_MAX};

pub fn add(paths: &mut Paths) {
    inbox(paths);
    decide(paths);
}

fn inbox(paths: &mut Paths) {
    let asks = json!({
        "type": "object",
        "required": ["asks", "next"],
        "properties": {
            "asks": {
                "type": "array",
                "description": "Each with the order's revision, total, note and items; delegation_id when it is decided in another's place; split_with lists orders that, put together with this one, would need more levels.",
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
            "summary": "What waits for your decision, and for that of people who delegated to you; due first comes first.",
            "description": "Permission `cloudwatcher.approval.approve`. To decide, one holds `orders.approve` as well.",
            "parameters": [
                in_query("limit", "Asks of a page.", limit),
                in_query("after", "What `next` said on the page before.", json!({ "type": "string" })),
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
            "description": "Permissions `cloudwatcher.approval.approve` and `cloudwatcher.approval.reject`, as each decision needs.",
            "parameters": [
                parameter("IdempotencyKey"),
                parameter("Reason"),
                parameter("Traceparent"),
                parameter("RequestId"),
            ],
            "requestBody": { "required": true, "content": { "application/json": { "schema": body } } },
            "responses": answers(vec![("200", answer("What became of each, in the order asked.", outcomes()))], &[400, 413, 415]),
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
            "problem": { "$ref": "#/components/schemas/Problem" },
        },
    });
    json!({ "type": "object", "required": ["outcomes"], "properties": { "outcomes": { "type": "array", "items": outcome } } })
}
