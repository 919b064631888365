//! The operations by which a device gets the response to its request.

use serde_json::{Value, json};

use crate::response::WAIT_SECONDS_MAX;
use http::openapi::Paths;
use http::openapi::parts::{answer, answers, in_path, in_query, needs, parameter, position, uuid};

pub fn add(paths: &mut Paths) {
    response(paths);
    response_stream(paths);
}

fn answered() -> Value {
    json!({
        "type": "object",
        "required": ["request_id", "response_id", "status", "ai_processed", "content"],
        "properties": {
            "request_id": uuid(),
            "response_id": uuid(),
            "status": { "type": "string", "enum": ["completed", "failed"], "description": "The way in which the request ended." },
            "ai_processed": { "type": "boolean" },
            "content": { "description": "The response itself; of a request that failed `{\"error\": \"...\"}`." },
        },
    })
}

fn response(paths: &mut Paths) {
    let open = json!({
        "type": "object",
        "required": ["status"],
        "properties": { "status": { "type": "string", "enum": ["pending", "processing"] } },
    });
    let wait = json!({ "type": "string", "pattern": "^[0-9]{1,2}s?$", "default": "0s" });
    paths.add(
        "/v1/cloudwatcher/requests/{id}/response",
        "get",
        json!({
            "operationId": "cloudwatcher.requests.response",
            "tags": ["cloudwatcher"],
            "summary": "The response to a request, which a device can wait for.",
            "description": "Permission `cloudwatcher.responses.read`. Once it is there it is the same, byte for byte, however often it is asked for; whether it was delivered stands in the table. A request that is archived answers 404.",
            "security": needs(["cloudwatcher.responses.read"]),
            "parameters": [
                in_path("id", "The request.", uuid()),
                in_query("wait", &format!("The seconds to wait for the response: `0s` to `{WAIT_SECONDS_MAX}s`."), wait),
                in_query("Daybook-After", "As the header of this name.", position()),
                parameter("After"),
                parameter("RequestId"),
            ],
            "responses": answers(
                vec![
                    ("200", answer("The response.", answered())),
                    ("202", answer("There is none yet; ask again after `Retry-After` seconds, or wait.", open)),
                ],
                &[400, 404],
            ),
        }),
    );
}

fn response_stream(paths: &mut Paths) {
    let events = json!({
        "description": "One event `response`, whose data is what the operation without `/stream` answers, and the end. Comments keep the connection open until then.",
        "content": { "text/event-stream": { "schema": { "type": "string" } } },
    });
    paths.add(
        "/v1/cloudwatcher/requests/{id}/response/stream",
        "get",
        json!({
            "operationId": "cloudwatcher.requests.response.stream",
            "tags": ["cloudwatcher"],
            "summary": "The response to a request as a server-sent event, whenever it comes.",
            "description": "Permission `cloudwatcher.responses.read`. A client that comes back with `Last-Event-ID` gets the response all the same.",
            "security": needs(["cloudwatcher.responses.read"]),
            "parameters": [in_path("id", "The request.", uuid()), parameter("RequestId")],
            "responses": answers(vec![("200", events)], &[400, 404]),
        }),
    );
}
