//! `/v1/identity/keys`: keys by which services sign in. What is issued is shown once; who holds it and when it was used
//! last can be looked up, and it is revoked by a command like any other.

use std::net::SocketAddr;

use axum::Json;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use book::{Envelope, ExecuteError, Step};
use chrono::{DateTime, Utc};
use http::app::App;
use http::auth::{By, service_keys};
use http::command::body;
use http::command::headers::{self, CommandHeaders, Unheeded};
use http::context::Route;
use http::extract::{self, Body, Parameters};
use http::openapi::{Paths, parts};
use http::problem::Problem;
use identity::key::{self, Command, Key};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::operator;

/// Needed to have a key issued.
pub const ISSUE: &str = "identity.key.issue";
/// Needed to see which keys there are.
pub const READ: &str = "identity.key.read";

/// The permissions that no command asks for.
pub const PERMISSIONS: &[(&str, &str)] = &[
    (ISSUE, "Has keys issued by which services sign in."),
    (
        READ,
        "Sees which keys there are, whom they speak for and when they were used.",
    ),
];

/// What other commands heed and the issue of a key does not: whoever sends it is told so.
const UNHEEDED: [Unheeded; 3] = [
    (
        "Idempotency-Key",
        headers::IDEMPOTENCY_KEY,
        "a key is shown once and kept by nobody, so a repeat cannot be answered with it (revoke a key whose answer did not \
         arrive)",
    ),
    (
        "If-Match",
        header::IF_MATCH,
        "a key begins a stream of its own, of which nobody has seen anything",
    ),
    (
        "Daybook-Reason",
        headers::DAYBOOK_REASON,
        "the log tells who had a key issued, and what it is for by its name",
    ),
];

/// Keys on a page, unless asked otherwise and at most.
const KEYS: i64 = 200;
const ADDRESS: &str = "/v1/identity/keys";

pub fn routes() -> Vec<Route> {
    vec![Route::new(ADDRESS, get(list).post(issue))]
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    name: String,
    user_id: Uuid,
    #[serde(default)]
    device_id: Option<String>,
    expires_at: DateTime<Utc>,
}

/// Issues a key and shows it, this once.
///
/// # Errors
/// [`Problem`].
async fn issue(
    State(app): State<App>,
    by: By,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    by.require(ISSUE)?;
    headers::no_dry_run(&headers)?;
    headers::none_of(&headers, &UNHEEDED)?;
    let mut body = body.read(&app, &by, domain::decider::BODY_BYTES_MAX).await?;
    let asked: Asked = body::typed(body::fields(&headers, &mut body)?)?;
    let drawn = service_keys::draw();
    let command = Command::Issue {
        name: asked.name,
        user_id: asked.user_id,
        digest: drawn.digest,
        device_id: asked.device_id,
        expires_at: asked.expires_at,
        issued_by: by.user,
    };
    let envelope = Envelope {
        ip: Some(peer.ip().to_canonical().to_string()),
        traceparent: CommandHeaders::read(&headers)?.traceparent,
        ..operator::envelope(by.tenant, Uuid::now_v7(), None)
    };
    let step = Step::of::<Key>(drawn.id, None, command);
    let answer = app
        .book
        .execute(envelope, vec![step])
        .await
        .map_err(|error| match error {
            claimed @ ExecuteError::Claimed { .. } => Problem::from(claimed).field("name"),
            error => error.into(),
        })?;
    let told = json!({
        "id": drawn.id,
        "key": drawn.key,
        "expires_at": asked.expires_at,
        "position": answer.position,
    });
    Ok(Json(told).into_response())
}

/// The keys of the tenant that are not revoked, in the order in which they were issued.
///
/// # Errors
/// [`Problem`].
async fn list(State(app): State<App>, by: By, mut parameters: Parameters) -> Result<Response, Problem> {
    by.require(READ)?;
    let limit = parameters.limit(KEYS, KEYS)?;
    let after = parameters.take("after")?;
    let after = after
        .map(|text| extract::uuid("after", &text))
        .transpose()?
        .unwrap_or_default();
    parameters.finish(["limit", "after"])?;
    // One more tells whether there are more.
    let mut ids = app.book.holders(by.tenant, key::NAME, None, after, limit + 1).await?;
    let has_more = i64::try_from(ids.len()).is_ok_and(|found| found > limit);
    ids.truncate(usize::try_from(limit).unwrap_or_default());
    let next = ids.last().copied().filter(|_| has_more);
    let states = app.book.fresh::<Key>(by.tenant, &ids).await?;
    let mut keys: Vec<Value> = Vec::new();
    for (id, state) in ids.into_iter().zip(states) {
        if let Some(Key::Issued(issued)) = state.as_deref() {
            keys.push(json!({
                "id": id,
                "name": issued.name,
                "user_id": issued.user_id,
                "device_id": issued.device_id,
                "expires_at": issued.expires_at,
                "used_at": issued.used_at,
                "issued_by": issued.issued_by,
            }));
        }
    }
    Ok(Json(json!({ "keys": keys, "next": next })).into_response())
}

/// Adds both operations to the document.
pub fn paths(paths: &mut Paths) {
    let text =
        |doc: &str, max: usize| json!({ "type": "string", "minLength": 1, "maxLength": max, "description": doc });
    let nullable = |doc: &str| json!({ "type": ["string", "null"], "description": doc });
    let time = |doc: &str| json!({ "type": "string", "format": "date-time", "description": doc });
    let asked = paths.schema(
        "identity.key.asked",
        json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["name", "user_id", "expires_at"],
            "properties": {
                "name": text("What it is for; unique among the tenant's keys, without regard to case.", key::NAME_CHARS_MAX),
                "user_id": { "type": "string", "format": "uuid", "description": "The user of the provider `service` for whom it speaks." },
                "device_id": text("The device that it is bound to: with it, nothing is done in the name of another.", key::DEVICE_ID_CHARS_MAX),
                "expires_at": time("When it ends to be good, at most two years from now."),
            },
        }),
    );
    let shown = paths.schema(
        "identity.key.shown",
        json!({
            "type": "object",
            "required": ["id", "key", "expires_at", "position"],
            "properties": {
                "id": { "type": "string", "format": "uuid" },
                "key": { "type": "string", "description": "Sent like a token: `Authorization: Bearer <key>`. It is not shown again." },
                "expires_at": time("When it ends to be good."),
                "position": { "type": "integer", "format": "int64" },
            },
        }),
    );
    let listed = paths.schema(
        "identity.key.listed",
        json!({
            "type": "object",
            "required": ["keys", "next"],
            "properties": { "next": nullable("Where the next page begins, for `after`; null on the last."), "keys": { "type": "array", "items": {
                "type": "object",
                "required": ["id", "name", "user_id", "device_id", "expires_at", "used_at", "issued_by"],
                "properties": {
                    "id": { "type": "string", "format": "uuid" },
                    "name": { "type": "string" },
                    "user_id": { "type": "string", "format": "uuid" },
                    "device_id": nullable("The only device that it is for."),
                    "expires_at": time("When it ends to be good."),
                    "used_at": nullable("When it was used last; noted at most once an hour."),
                    "issued_by": { "type": "string", "format": "uuid" },
                },
            } } },
        }),
    );
    let operation = |id: &str, summary: &str, permission: &str| {
        json!({
            "operationId": id,
            "tags": ["identity"],
            "summary": summary,
            "description": format!("Permission `{permission}`."),
            "security": parts::needs([permission]),
        })
    };
    let mut issuing = operation(
        "identity.keys.issue",
        "Issues a key by which a service signs in, and shows it this once.",
        ISSUE,
    );
    issuing["requestBody"] = json!({ "required": true, "content": { "application/json": { "schema": asked } } });
    issuing["responses"] = parts::answers(
        vec![("200", parts::answer("The key.", shown))],
        &[400, 409, 413, 415, 422],
    );
    paths.add(ADDRESS, "post", issuing);
    let mut listing = operation("identity.keys.list", "The keys by which services sign in.", READ);
    listing["responses"] = parts::answers(vec![("200", parts::answer("The keys.", listed))], &[400]);
    paths.add(ADDRESS, "get", listing);
}
