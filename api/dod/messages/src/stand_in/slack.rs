//! Slack's doors.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::door::{Answer, Answers, Reply, bearer, behave, read};
use super::judge::{self, Fault};
use super::state::Arrival;
use super::{Door, Shared};

pub async fn webhook(
    State(state): State<Shared>,
    Path((_, _, channel)): Path<(String, String, String)>,
    body: Bytes,
) -> Reply {
    let body = read(&body);
    let faults = judge::judge_call(Door::SlackWebhook, &body.to_string());
    let refusal = faults
        .iter()
        .any(is_refused)
        .then(|| Answer::text(400, "invalid_payload"));
    let arrival = arrival(Door::SlackWebhook, channel, None, body, faults);
    let answers = Answers {
        good: |_, _| Answer::text(200, "ok"),
        error: Answer::text,
        wait: "retry-after",
    };
    Ok(behave(state, arrival, refusal, answers).await)
}

pub async fn post(State(state): State<Shared>, headers: HeaderMap, body: Bytes) -> Reply {
    let body = read(&body);
    let about = body["thread_ts"].as_str().map(str::to_owned);
    Ok(api(state, Door::SlackPost, &headers, body, about).await)
}

pub async fn update(State(state): State<Shared>, headers: HeaderMap, body: Bytes) -> Reply {
    let body = read(&body);
    let about = Some(body["ts"].as_str().unwrap_or_default().to_owned());
    Ok(api(state, Door::SlackUpdate, &headers, body, about).await)
}

async fn api(
    state: Shared,
    door: Door,
    headers: &HeaderMap,
    body: Value,
    about: Option<String>,
) -> axum::http::Response<axum::body::Body> {
    let channel = body["channel"].as_str().unwrap_or_default().to_owned();
    let mut faults = judge::judge_call(door, &body.to_string());
    let mut refusal = None;
    if channel.is_empty() {
        refusal = Some("channel_not_found");
    }
    if let Some(id) = about
        .as_ref()
        .filter(|id| state.lock().channel_of(id).as_deref() != Some(&channel))
    {
        faults.push(Fault::NoSuchMessage { door, id: id.clone() });
        refusal = Some(if door == Door::SlackUpdate {
            "message_not_found"
        } else {
            "thread_not_found"
        });
    }
    if faults.iter().any(is_refused) {
        refusal = Some("invalid_blocks");
    }
    if !bearer(headers).is_some_and(|token| token.starts_with("xoxb-")) {
        faults.push(Fault::Unauthorised { door });
        refusal = Some("invalid_auth");
    }
    let refusal = refusal.map(|word| error(200, word));
    let answers = Answers {
        good: |id, channel| Answer::json(200, &json!({ "ok": true, "channel": channel, "ts": id })),
        error,
        wait: "retry-after",
    };
    behave(state, arrival(door, channel, about, body, faults), refusal, answers).await
}

fn arrival(door: Door, channel: String, about: Option<String>, body: Value, faults: Vec<Fault>) -> Arrival {
    Arrival {
        door,
        channel,
        about,
        uuid: None,
        content: body.clone(),
        body,
        faults,
    }
}

fn error(status: u16, word: &str) -> Answer {
    Answer::json(status, &json!({ "ok": false, "error": word }))
}

/// Whether Slack itself would refuse it.
fn is_refused(fault: &Fault) -> bool {
    matches!(fault, Fault::Invalid { .. })
}
