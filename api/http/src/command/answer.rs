//! The answers to commands that were accepted, and to dry runs.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use book::{Answer, Rehearsed, StreamAnswer};
use domain::exact::Free;
use serde::Serialize;
use uuid::Uuid;

use super::headers::DAYBOOK_DRY_RUN;
use crate::audit::view::{Sight, masked, without_hidden};
use crate::extract::POSITION;
use crate::problem::Problem;

/// The header that says of an answer that it is the one of the first time.
pub(super) const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// The answer to one command.
#[derive(Debug, Serialize)]
struct Accepted<'a> {
    stream: Uuid,
    sequence: i64,
    position: i64,
    command_id: Uuid,
    events: &'a [String],
    /// Of a stream that holds many things, the one that the command was about.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    ids: &'a BTreeMap<String, Uuid>,
    /// What decisions let pass and whoever sent the command should know, in sentences.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    warnings: &'a [String],
}

/// The answer to several commands that are carried out as one.
#[derive(Debug, Serialize)]
pub struct AllAccepted<'a> {
    position: i64,
    command_id: Uuid,
    streams: &'a [StreamAnswer],
    /// As one command has them.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    warnings: &'a [String],
}

/// The answer to a dry run. Nothing was written: it has no position, and ids in the events would be others.
#[derive(Debug, Serialize)]
struct Would {
    dry_run: bool,
    streams: Vec<StreamAnswer>,
    /// The events with their fields, for those who may read the log; null for others.
    events: Option<Vec<Event>>,
    /// The position of the answer that the command repeats: it would get it again, and nothing would happen.
    repeats: Option<i64>,
    /// What of the past would have gone another way, where that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    rehearsal: Option<serde_json::Value>,
    /// As carrying it out would have them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

/// An event that would happen.
#[derive(Debug, Serialize)]
struct Event {
    aggregate_type: String,
    stream: Uuid,
    sequence: i64,
    event_type: String,
    event_version: String,
    payload: Free,
}

/// `warnings` is what decisions let pass and whoever sent the command should know.
pub fn accepted(answer: &Answer, warnings: &[String]) -> Response {
    let Some(stream) = answer.streams.first() else {
        return Problem::internal(&"a receipt names no stream").into_response();
    };
    let body = Accepted {
        stream: stream.stream,
        sequence: stream.sequence,
        position: answer.position,
        command_id: answer.command_id,
        events: &stream.events,
        ids: &stream.ids,
        warnings,
    };
    let mut response = (StatusCode::OK, Json(body)).into_response();
    let etag = HeaderValue::try_from(format!("\"{}\"", stream.sequence)).ok();
    response.headers_mut().extend(etag.map(|etag| (header::ETAG, etag)));
    placed(answer, &mut response);
    response
}

/// `warnings` is what decisions let pass and whoever sent the commands should know.
pub fn all_accepted(answer: &Answer, warnings: &[String]) -> Response {
    let body = AllAccepted {
        position: answer.position,
        command_id: answer.command_id,
        streams: &answer.streams,
        warnings,
    };
    let mut response = Json(body).into_response();
    placed(answer, &mut response);
    response
}

/// Says where in the book it is, and whether it was there before: in the headers, for a repeat gets the body of the first.
fn placed(answer: &Answer, response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(POSITION, HeaderValue::from(answer.position));
    if answer.is_repeat {
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
}

/// `sight` is what the asker may see of the log, if they may read it; `past` what of the past would have gone another way;
/// `warnings` are those that carrying it out would have.
pub fn would(
    rehearsed: Rehearsed,
    sight: Option<&Sight>,
    past: Option<serde_json::Value>,
    warnings: Vec<String>,
) -> Response {
    let event = |sight, recorded| {
        let recorded = without_hidden(masked(recorded, sight), sight);
        Event {
            payload: serde_json::from_str(&recorded.event).unwrap_or_default(),
            aggregate_type: recorded.aggregate_type,
            stream: recorded.stream,
            sequence: recorded.sequence,
            event_type: recorded.event_type,
            event_version: recorded.event_version,
        }
    };
    let body = Would {
        dry_run: true,
        streams: rehearsed.streams,
        events: sight.map(|sight| {
            rehearsed
                .events
                .into_iter()
                .map(|recorded| event(sight, recorded))
                .collect()
        }),
        repeats: None,
        rehearsal: past,
        warnings,
    };
    dry(&body)
}

/// The answer to a dry run of a command that was carried out before, and would be answered as then.
pub fn would_repeat(first: Answer, sight: Option<&Sight>) -> Response {
    dry(&Would {
        dry_run: true,
        streams: first.streams,
        events: sight.map(|_| Vec::new()),
        repeats: Some(first.position),
        rehearsal: None,
        warnings: Vec::new(),
    })
}

fn dry(body: &Would) -> Response {
    let mut response = (StatusCode::OK, Json(body)).into_response();
    response
        .headers_mut()
        .insert(DAYBOOK_DRY_RUN, HeaderValue::from_static("true"));
    response
}
