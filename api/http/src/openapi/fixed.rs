//! The operations that are neither commands nor tables.

use serde_json::{Value, json};

use super::Paths;
use super::parts::{answer, answers, in_path, in_query, parameter, position, uuid};
use crate::audit::causes::TREE_EVENTS_MAX;
use crate::audit::log::{PAGE_BYTES_MAX, PAGE_EVENTS, PAGE_EVENTS_MAX, SCANNED_EVENTS_MAX};

pub fn add(paths: &mut Paths) {
    log(paths);
    streams(paths);
    admin(paths);
    policies(paths);
    operations(paths);
}

fn log(paths: &mut Paths) {
    let mut parameters = filters();
    parameters.extend(paging());
    paths.add(
        "/v1/events",
        "get",
        json!({
            "operationId": "events.list",
            "tags": ["audit"],
            "summary": "The log.",
            "description": format!(
                "Permission `audit.read`; without `departments.all`, events of streams that belong to other departments are left out. \
                 The newest first, unless `after` or `order` say otherwise. One request looks at up to {SCANNED_EVENTS_MAX} events and shows up to {PAGE_BYTES_MAX} bytes of payloads: a page \
                 may be short, or empty, and still have a `next`, which is the `after` (backwards: the `before`) of the next request."
            ),
            "parameters": parameters,
            "responses": answers(vec![("200", answer("A page of events.", page()))], &[400]),
        }),
    );
    paths.add(
        "/v1/events/{position}",
        "get",
        json!({
            "operationId": "events.get",
            "tags": ["audit"],
            "summary": "One event.",
            "description": "Permission `audit.read`.",
            "parameters": [in_path("position", "Its place in the book.", position())],
            "responses": answers(vec![("200", answer("The event.", event()))], &[400, 404]),
        }),
    );
    follow(paths);
    tree(paths);
}

fn follow(paths: &mut Paths) {
    let mut parameters = filters();
    parameters.push(in_query(
        "after",
        "Begin after this position; from now on when absent.",
        position(),
    ));
    parameters.push(json!({ "name": "Last-Event-ID", "in": "header", "description": "Go on after this event.", "schema": position() }));
    paths.add(
        "/v1/events/stream",
        "get",
        json!({
            "operationId": "events.follow",
            "tags": ["audit"],
            "summary": "The log as it grows, as server-sent events.",
            "description": "Permission `audit.read`. The id of an event is its position, its data an Event. Ends when the token expires.",
            "parameters": parameters,
            "responses": answers(vec![("200", json!({ "description": "Events.", "content": { "text/event-stream": { "schema": { "type": "string" } } } }))], &[400]),
        }),
    );
}

fn tree(paths: &mut Paths) {
    let tree = json!({
        "type": "object",
        "properties": {
            "tree": { "type": "object", "description": "command_id, causation_id, events, and causes: the commands that these events caused." },
            "complete": { "type": "boolean", "description": "Whether all of the log after the command was looked at." },
        },
    });
    paths.add(
        "/v1/commands/{command_id}/tree",
        "get",
        json!({
            "operationId": "commands.tree",
            "tags": ["audit"],
            "summary": "What a command led to.",
            "description": format!(
                "Permission `audit.read`. Commands of the last 30 days; at most {TREE_EVENTS_MAX} events, found among the {SCANNED_EVENTS_MAX} that follow."
            ),
            "parameters": [in_path("command_id", "As its events name it.", uuid())],
            "responses": answers(vec![("200", answer("The tree.", tree))], &[400, 404]),
        }),
    );
}

fn streams(paths: &mut Paths) {
    let named = || {
        vec![
            in_path(
                "context",
                "The context, as its URLs name it.",
                json!({ "type": "string" }),
            ),
            in_path("aggregate", "The aggregate's own word.", json!({ "type": "string" })),
            in_path("id", "The stream.", uuid()),
        ]
    };
    let mut parameters = named();
    parameters.extend(paging());
    paths.add(
        "/v1/streams/{context}/{aggregate}/{id}",
        "get",
        json!({
            "operationId": "streams.events",
            "tags": ["audit"],
            "summary": "The events of one stream, in order.",
            "description": "Permission `audit.read`.",
            "parameters": parameters,
            "responses": answers(vec![("200", answer("A page of events.", page()))], &[400, 404]),
        }),
    );
    let mut parameters = named();
    parameters.push(in_query(
        "at",
        "The state at this position or time, what happened then included.",
        json!({ "type": "string" }),
    ));
    parameters.push(in_query("before", "The state just before this position.", position()));
    let state = json!({
        "type": "object",
        "properties": {
            "aggregate_type": { "type": "string" },
            "stream": uuid(),
            "sequence": { "type": "integer", "description": "Of the last event that the state includes; 0 before the first." },
            "position": position(),
            "at": { "type": ["string", "null"], "format": "date-time" },
            "unopened": { "type": "array", "items": { "type": "string" }, "description": "Sealed fields that could not be opened; the state has them as if they were erased." },
            "state": { "description": "What decisions about the stream read." },
        },
    });
    paths.add(
        "/v1/streams/{context}/{aggregate}/{id}/state",
        "get",
        json!({
            "operationId": "streams.state",
            "tags": ["audit"],
            "summary": "The state that the events of a stream lead to.",
            "description": "Permission `audit.read`.",
            "parameters": parameters,
            "responses": answers(vec![("200", answer("The state.", state))], &[400, 404]),
        }),
    );
}

fn admin(paths: &mut Paths) {
    let context = || {
        json!([in_path(
            "context",
            "A context that has tables.",
            json!({ "type": "string" })
        )])
    };
    let rebuild = json!({ "type": "object", "description": "state (running, done, failed), phase, position, target, seconds, report." });
    paths.add(
        "/v1/admin/rebuild/{context}",
        "post",
        json!({
            "operationId": "admin.rebuild",
            "tags": ["admin"],
            "summary": "Builds a context's tables anew beside the live ones, compares them and swaps.",
            "description": "Permission `admin.rebuild`. It concerns the whole installation. GET tells how far it is.",
            "parameters": context(),
            "responses": answers(vec![("202", answer("It began.", rebuild.clone()))], &[404, 409]),
        }),
    );
    paths.add(
        "/v1/admin/rebuild/{context}",
        "get",
        json!({
            "operationId": "admin.rebuild.progress",
            "tags": ["admin"],
            "summary": "How far the latest rebuild is that this process began.",
            "description": "Permission `admin.rebuild`.",
            "parameters": context(),
            "responses": answers(vec![("200", answer("The rebuild.", rebuild))], &[404]),
        }),
    );
    paths.add(
        "/v1/admin/parked",
        "get",
        json!({
            "operationId": "admin.parked",
            "tags": ["admin"],
            "summary": "The tenant's streams that could not be posted, and why.",
            "description": "Permission `admin.rebuild`.",
            "responses": answers(vec![("200", answer("Parked streams.", json!({ "type": "object" })))], &[]),
        }),
    );
    let body = json!({
        "type": "object",
        "required": ["context"],
        "additionalProperties": false,
        "properties": {
            "context": { "type": "string" },
            "aggregate_type": { "type": "string", "description": "Only streams of this type: `context.aggregate`." },
            "stream": { "type": "string", "format": "uuid", "description": "Only this stream." },
        },
    });
    paths.add(
        "/v1/admin/unpark",
        "post",
        json!({
            "operationId": "admin.unpark",
            "tags": ["admin"],
            "summary": "Posts the tenant's parked streams again.",
            "description": "Permission `admin.rebuild`.",
            "requestBody": { "required": true, "content": { "application/json": { "schema": body } } },
            "responses": answers(vec![("200", answer("Which were posted, and which still cannot be.", json!({ "type": "object" })))], &[400, 404, 413, 415]),
        }),
    );
}

fn policies(paths: &mut Paths) {
    let progress = json!({ "type": "object", "description": "policies: each with policy, floor, position, term, the kinds of streams that it reads and, of the tenant, timers, next_due_at, missed." });
    paths.add(
        "/v1/admin/policies",
        "get",
        json!({
            "operationId": "admin.policies",
            "tags": ["admin"],
            "summary": "How far each policy is, and of the tenant: its timers, and what it could not do.",
            "description": "Permission `admin.rebuild`. `daybook policies` shows all tenants.",
            "responses": answers(vec![("200", answer("The policies.", progress))], &[]),
        }),
    );
    paths.add(
        "/v1/admin/policies/{policy}/retry",
        "post",
        json!({
            "operationId": "admin.policies.retry",
            "tags": ["admin"],
            "summary": "Has a policy react again to what it could not react to of the tenant.",
            "description": "Permission `admin.rebuild`.",
            "parameters": [in_path("policy", "`order-approvals`", json!({ "type": "string" }))],
            "responses": answers(vec![("200", answer("How many were made good.", json!({ "type": "object" })))], &[404]),
        }),
    );
}

fn operations(paths: &mut Paths) {
    let open = |id: &str, summary: &str, media: &str, ready: bool| {
        let mut answers = json!({ "200": { "description": "Yes.", "content": { media: {} } } });
        if ready {
            answers["503"] = json!({ "description": "No; the body says why.", "content": { media: {} } });
        }
        json!({ "operationId": id, "tags": ["operations"], "summary": summary, "security": [], "responses": answers })
    };
    paths.add(
        "/health/live",
        "get",
        open("health.live", "Whether the process runs.", "application/json", false),
    );
    let summary =
        "Whether the process does what it is for: checkpoints against the end of the book, workers, Postgres, NATS.";
    paths.add(
        "/health/ready",
        "get",
        open("health.ready", summary, "application/json", true),
    );
    paths.add(
        "/metrics",
        "get",
        open("metrics", "Metrics, for Prometheus.", "text/plain", true),
    );
    paths.add(
        super::ADDRESS,
        "get",
        open("openapi", "This document.", "application/json", false),
    );
    paths.add(
        "/docs",
        "get",
        open("docs", "This document as a page.", "text/html", false),
    );
}

fn filters() -> Vec<Value> {
    let word = || json!({ "type": "string", "minLength": 1, "maxLength": 200 });
    vec![
        in_query("context", "The first word of an aggregate type.", word()),
        in_query("aggregate", "`order`", word()),
        in_query("type", "`OrderDrafted`", word()),
        in_query("stream", "The id of a stream.", uuid()),
        in_query("actor", "The user who asked.", uuid()),
        in_query("correlation", "The command that began a chain of causes.", uuid()),
    ]
}

fn paging() -> Vec<Value> {
    let time = || json!({ "type": "string", "format": "date-time" });
    vec![
        in_query("after", "Only later positions.", position()),
        in_query("before", "Only earlier positions.", position()),
        in_query("from", "Only at this time or later.", time()),
        in_query("to", "Only at this time or earlier.", time()),
        in_query(
            "order",
            "By position.",
            json!({ "type": "string", "enum": ["asc", "desc"] }),
        ),
        in_query(
            "limit",
            "Events of a page.",
            json!({ "type": "integer", "minimum": 1, "maximum": PAGE_EVENTS_MAX, "default": PAGE_EVENTS }),
        ),
        parameter("RequestId"),
    ]
}

fn page() -> Value {
    json!({
        "type": "object",
        "required": ["events", "next"],
        "properties": { "events": { "type": "array", "items": event() }, "next": { "type": ["integer", "null"], "format": "int64" } },
    })
}

fn event() -> Value {
    json!({ "$ref": "#/components/schemas/Event" })
}
