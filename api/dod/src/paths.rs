//! The operations that context `dod` has beside its commands and tables.

use dod::delivery::BODY_BYTES_MAX;
use http::openapi::Paths;
use http::openapi::parts::{answer, answers, in_path, in_query, needs, parameter, position, uuid};
use serde_json::{Value, json};

use crate::{counts, enqueue, tokens, webhooks};

pub fn add(paths: &mut Paths) {
    receive(paths);
    enqueue(paths);
    issue_token(paths);
    intake(paths);
}

fn receive(paths: &mut Paths) {
    receive_at(
        paths,
        webhooks::ADDRESS,
        "dod.webhooks.receive",
        "Takes what a sender of alerts sends; answered 202 once it is in the book.",
    );
    receive_at(
        paths,
        webhooks::ADDRESS_OF_PROMETHEUS,
        "dod.webhooks.receive-as-alertmanager",
        "The same for what takes Daybook for an Alertmanager, as Prometheus does: the address without its end is its `path_prefix`.",
    );
}

fn receive_at(paths: &mut Paths, address: &str, operation_id: &str, summary: &str) {
    let accepted = json!({
        "type": "object",
        "required": ["status", "delivery_id", "position"],
        "properties": { "status": { "const": "accepted" }, "delivery_id": uuid(), "position": position() },
    });
    let any = json!({ "description": "What the sender sends: JSON, a form, CloudEvents. Its format is recognised afterwards." });
    paths.add(
        address,
        "post",
        json!({
            "operationId": operation_id,
            "tags": ["dod"],
            "summary": summary,
            "description": "The token in the path is issued for a source, and shows who sends. What the source signs with is checked as well. Parameters that are not named here are taken for fields of the alert where the body is empty. Overload is told as the source's sender understands it, and so is a tenant whose bodies take all the room that they may: of a sender that tries nothing again the alerts are taken, and the body is kept until it is understood.",
            "security": [],
            "parameters": [
                in_path("token", "A token of the source.", json!({ "type": "string", "minLength": 32, "maxLength": 32 })),
                in_query("receiver_im", "The receiver that is told, by its `receiver_im`.", json!({ "type": "string", "maxLength": 100 })),
                parameter("Traceparent"),
                parameter("RequestId"),
            ],
            "x-body-bytes-max": BODY_BYTES_MAX,
            "requestBody": { "required": false, "content": {
                "application/json": { "schema": any },
                "application/x-www-form-urlencoded": { "schema": any },
                "application/cloudevents+json": { "schema": any },
                "application/cloudevents-batch+json": { "schema": any },
                "text/plain": { "schema": any },
            } },
            "responses": answers(vec![("202", answer("It is in the book.", accepted))], &[400, 413, 415]),
        }),
    );
}

fn enqueue(paths: &mut Paths) {
    let accepted = json!({
        "type": "object",
        "required": ["status", "message", "dedup_key"],
        "properties": { "status": { "const": "success" }, "message": { "type": "string" }, "dedup_key": { "type": "string" } },
    });
    let refused = json!({
        "type": "object",
        "required": ["status", "message", "errors"],
        "properties": {
            "status": { "const": "invalid event" },
            "message": { "type": "string" },
            "errors": { "type": "array", "items": { "type": "string" } },
        },
    });
    let event = json!({ "type": "object", "description": "An event as PagerDuty's Events API v2 has it, with a token of a source as `routing_key`." });
    paths.add(
        enqueue::ADDRESS,
        "post",
        json!({
            "operationId": "dod.enqueue",
            "tags": ["dod"],
            "summary": "Takes an event of PagerDuty's Events API v2.",
            "description": "For whatever speaks that API: give it this address in the place of PagerDuty's.",
            "security": [],
            "parameters": [parameter("RequestId")],
            "x-body-bytes-max": enqueue::EVENT_BYTES_MAX,
            "requestBody": { "required": true, "content": { "application/json": { "schema": event } } },
            "responses": answers(
                vec![
                    ("202", answer("It is in the book.", accepted)),
                    ("400", answer("It is no event, in the words of that API.", refused)),
                ],
                &[413],
            ),
        }),
    );
}

fn issue_token(paths: &mut Paths) {
    let shown = json!({
        "type": "object",
        "required": ["token_id", "token", "path", "position"],
        "properties": {
            "token_id": uuid(),
            "token": { "type": "string", "description": "It is not shown again." },
            "path": { "type": "string", "description": "Where senders send." },
            "position": position(),
        },
    });
    paths.add(
        tokens::ADDRESS,
        "post",
        json!({
            "operationId": "dod.sources.tokens.issue",
            "tags": ["dod"],
            "summary": "Issues a token of a source, and shows it this once.",
            "description": "Permission `dod.source.issue-token`. A source has at most two that are good, so that one takes the other's place.",
            "security": needs([tokens::ISSUE]),
            "parameters": [in_path("id", "The source.", uuid()), parameter("RequestId")],
            "responses": answers(vec![("200", answer("The token.", shown))], &[400, 404, 422]),
        }),
    );
}

fn intake(paths: &mut Paths) {
    let count = || json!({ "type": "integer", "minimum": 0 });
    let source: Value = json!({
        "type": "object",
        "required": ["source_id", "name", "received", "recognised", "unmapped", "unreadable", "waiting", "alerts", "last_received_at", "refused"],
        "properties": {
            "source_id": uuid(),
            "name": { "type": "string" },
            "received": count(), "recognised": count(),
            "unmapped": { "type": "integer", "minimum": 0, "description": "JSON that nobody knows: give the source a mapping, and have it parsed again." },
            "unreadable": count(), "waiting": count(), "alerts": count(),
            "last_received_at": { "type": ["string", "null"], "format": "date-time" },
            "refused": { "type": "object", "description": "What this process has refused at the door since it began, by its reason: how often, and when last." },
        },
    });
    let stored: Value = json!({
        "type": "object",
        "required": ["bodies", "bytes", "limit", "share", "warning"],
        "description": "What is kept of bodies that came in, in the book and in the object store, and how much may be.",
        "properties": {
            "bodies": count(),
            "bytes": count(),
            "limit": { "type": "integer", "minimum": 1, "description": "Bytes that the bodies of a tenant may take." },
            "share": { "type": "number", "minimum": 0, "description": "The part of the limit that is taken, to four places; more than 1 while bodies are taken of senders that do not try again." },
            "warning": { "type": ["string", "null"], "description": "What to do, from four fifths of the limit on." },
        },
    });
    let shown = json!({
        "type": "object",
        "required": ["hours", "sources", "stored"],
        "properties": { "hours": { "type": "integer" }, "sources": { "type": "array", "items": source }, "stored": stored },
    });
    paths.add(
        counts::ADDRESS,
        "get",
        json!({
            "operationId": "dod.intake",
            "tags": ["dod"],
            "summary": "What came in within a day and what became of it, source by source, and how much of all is kept.",
            "description": "Permission `dod.deliveries.read`.",
            "security": needs([counts::READ]),
            "parameters": [
                in_query("Daybook-After", "As the header of this name.", position()),
                parameter("After"),
                parameter("RequestId"),
            ],
            "responses": answers(vec![("200", answer("The sources.", shown))], &[400]),
        }),
    );
}
