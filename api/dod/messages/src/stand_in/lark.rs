//! Lark's doors.

use std::collections::HashMap;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Response};
use chrono::Utc;
use serde_json::{Value, json};

use super::door::{Answer, Answers, Reply, bearer, behave, read};
use super::judge::{self, Fault};
use super::state::Arrival;
use super::{Door, Shared};

/// How far a signature's time may be from now, in seconds.
const SIGN_SECONDS_MAX: i64 = 3_600;

pub async fn bot(State(state): State<Shared>, Path(name): Path<String>, bytes: Bytes) -> Reply {
    let door = Door::LarkBot;
    let body = read(&bytes);
    let content = body["card"].clone();
    let mut faults = judge::judge_call(door, &String::from_utf8_lossy(&bytes));
    let mut refusal = (!faults.is_empty()).then(|| code(200, 9_499, "Bad Request"));
    match state.lock().secret(&name) {
        None => {
            refusal = Some(code(
                200,
                19_001,
                "param invalid: incoming webhook access token invalid",
            ))
        }
        Some(Some(secret)) if !is_signed(&body, &secret) => {
            faults.push(Fault::Unauthorised { door });
            refusal = Some(code(
                200,
                19_021,
                "sign match fail or timestamp is not within one hour from current time",
            ));
        }
        Some(_) => {}
    }
    let arrival = Arrival {
        door,
        channel: name,
        about: None,
        uuid: None,
        body,
        content,
        faults,
    };
    Ok(behave(state, arrival, refusal, ANSWERS_OF_BOTS).await)
}

pub async fn token(State(state): State<Shared>, bytes: Bytes) -> Reply {
    let body = read(&bytes);
    let is_complete = ["app_id", "app_secret"]
        .iter()
        .all(|key| body[*key].as_str().is_some_and(|text| !text.is_empty()));
    let refusal = (!is_complete).then(|| code(200, 10_003, "invalid param"));
    // The secret itself is not kept.
    let kept = json!({ "app_id": body["app_id"] });
    let arrival = Arrival {
        door: Door::LarkToken,
        channel: String::new(),
        about: None,
        uuid: None,
        content: Value::Null,
        body: kept,
        faults: vec![],
    };
    let token = state.lock().new_token();
    let response = behave(state, arrival, refusal.or_else(|| Some(token_answer(&token))), ANSWERS).await;
    Ok(response)
}

pub async fn send(
    State(state): State<Shared>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Reply {
    let body = read(&bytes);
    let chat = body["receive_id"].as_str().unwrap_or_default().to_owned();
    let type_is_known = query
        .get("receive_id_type")
        .is_some_and(|id_type| ID_TYPES.contains(&id_type.as_str()));
    let refusal = (chat.is_empty() || !type_is_known).then(|| code(400, 230_001, "invalid receive_id"));
    Ok(app(state, Door::LarkSend, chat, None, &headers, body, refusal).await)
}

pub async fn reply(State(state): State<Shared>, Path(id): Path<String>, headers: HeaderMap, bytes: Bytes) -> Reply {
    Ok(about(state, Door::LarkReply, id, &headers, read(&bytes)).await)
}

pub async fn update(State(state): State<Shared>, Path(id): Path<String>, headers: HeaderMap, bytes: Bytes) -> Reply {
    Ok(about(state, Door::LarkUpdate, id, &headers, read(&bytes)).await)
}

const ID_TYPES: [&str; 5] = ["chat_id", "open_id", "union_id", "user_id", "email"];

async fn about(state: Shared, door: Door, id: String, headers: &HeaderMap, body: Value) -> Response<Body> {
    let chat = state.lock().channel_of(&id);
    let refusal = chat.is_none().then(|| code(400, 230_011, "The message was withdrawn."));
    app(state, door, chat.unwrap_or_default(), Some(id), headers, body, refusal).await
}

async fn app(
    state: Shared,
    door: Door,
    chat: String,
    about: Option<String>,
    headers: &HeaderMap,
    body: Value,
    refusal: Option<Answer>,
) -> Response<Body> {
    let content: Value = serde_json::from_str(body["content"].as_str().unwrap_or_default()).unwrap_or_default();
    let mut faults = judge::judge_call(door, &body.to_string());
    let uuid = body["uuid"].as_str().map(str::to_owned);
    let mut refusal = refusal;
    if let (Some(_), Some(id)) = (&refusal, &about) {
        faults.push(Fault::NoSuchMessage { door, id: id.clone() });
    } else if !faults.is_empty() {
        refusal = Some(code(400, 230_099, "Failed to create card content"));
    }
    if !bearer(headers).is_some_and(|token| state.lock().knows_token(&token)) {
        // A token that has expired is no fault: whoever sends cannot know before.
        refusal = Some(code(
            400,
            99_991_663,
            "Invalid access token for authorization. Please make a test attempt.",
        ));
    }
    let arrival = Arrival {
        door,
        channel: chat,
        about,
        uuid,
        body,
        content,
        faults,
    };
    behave(state, arrival, refusal, ANSWERS).await
}

const ANSWERS: Answers = Answers {
    good: |id, chat| {
        Answer::json(
            200,
            &json!({ "code": 0, "msg": "success", "data": { "message_id": id, "chat_id": chat } }),
        )
    },
    error,
    wait: "x-ogw-ratelimit-reset",
};

const ANSWERS_OF_BOTS: Answers = Answers {
    good: |_, _| {
        let body = json!({ "StatusCode": 0, "StatusMessage": "success", "code": 0, "data": {}, "msg": "success" });
        Answer::json(200, &body)
    },
    error,
    wait: "x-ogw-ratelimit-reset",
};

fn error(status: u16, word: &str) -> Answer {
    code(status, word.parse().unwrap_or(-1), "scripted")
}

fn code(status: u16, code: i64, message: &str) -> Answer {
    Answer::json(status, &json!({ "code": code, "msg": message, "data": {} }))
}

fn token_answer(token: &str) -> Answer {
    Answer::json(
        200,
        &json!({ "code": 0, "msg": "ok", "tenant_access_token": token, "expire": 7_200 }),
    )
}

fn is_signed(body: &Value, secret: &str) -> bool {
    let timestamp = body["timestamp"]
        .as_str()
        .and_then(|timestamp| timestamp.parse::<i64>().ok());
    timestamp.is_some_and(|timestamp| {
        (Utc::now().timestamp() - timestamp).abs() <= SIGN_SECONDS_MAX
            && body["sign"].as_str() == Some(crate::lark::sign(timestamp, secret).as_str())
    })
}
