//! The doors of the stand-in, and what every door does with a request.

use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::DefaultBodyLimit;
use axum::http::{Response, StatusCode, header};
use axum::routing::{get, patch, post};
use futures::stream;
use serde_json::json;

use super::state::Arrival;
use super::{Behaviour, Shared, lark, slack};

/// Bytes of a request that are read.
const REQUEST_BYTES_MAX: usize = 8 << 20;

pub fn routes(state: Shared) -> Router {
    Router::new()
        .route("/services/{team}/{bot}/{channel}", post(slack::webhook))
        .route("/api/chat.postMessage", post(slack::post))
        .route("/api/chat.update", post(slack::update))
        .route("/open-apis/bot/v2/hook/{name}", post(lark::bot))
        .route("/open-apis/auth/v3/tenant_access_token/internal", post(lark::token))
        .route("/open-apis/im/v1/messages", post(lark::send))
        .route("/open-apis/im/v1/messages/{id}/reply", post(lark::reply))
        .route("/open-apis/im/v1/messages/{id}", patch(lark::update))
        .route("/received", get(received))
        .route("/faults", get(faults))
        .layer(DefaultBodyLimit::max(REQUEST_BYTES_MAX))
        .with_state(state)
}

/// For a demonstration: everything that came in.
async fn received(axum::extract::State(state): axum::extract::State<Shared>) -> axum::Json<serde_json::Value> {
    axum::Json(json!(state.lock().received()))
}

/// For a demonstration: everything that was wrong.
async fn faults(axum::extract::State(state): axum::extract::State<Shared>) -> axum::Json<serde_json::Value> {
    axum::Json(json!(state.lock().faults()))
}

/// What a place answers, before it is known how the day is.
pub struct Answers {
    /// On a good day, for the id that the message got.
    pub good: fn(id: &str, channel: &str) -> Answer,
    /// To say an error in the words of the place.
    pub error: fn(status: u16, word: &str) -> Answer,
    /// The header that says how long to wait.
    pub wait: &'static str,
}

pub struct Answer {
    pub status: u16,
    pub content_type: &'static str,
    pub body: String,
}

impl Answer {
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self {
            status,
            content_type: "application/json; charset=utf-8",
            body: body.to_string(),
        }
    }

    pub fn text(status: u16, body: &str) -> Self {
        Self {
            status,
            content_type: "text/html",
            body: body.to_owned(),
        }
    }

    pub fn response(self) -> Response<Body> {
        respond(
            self.status,
            &[(header::CONTENT_TYPE.as_str(), self.content_type.to_owned())],
            Body::from(self.body),
        )
    }
}

/// Behaves as the script of the door says. A request that the place refuses by itself is answered with `refusal` whatever the
/// script says, as long as the script is not about the way there.
pub async fn behave(state: Shared, arrival: Arrival, refusal: Option<Answer>, answers: Answers) -> Response<Body> {
    let behaviour = state.lock().next(arrival.door);
    let arrives = refusal.is_none()
        && match &behaviour {
            Behaviour::Ok | Behaviour::Slow { .. } => true,
            Behaviour::Hang { arrives } | Behaviour::Half { arrives } => *arrives,
            Behaviour::TooMany { .. } | Behaviour::Error { .. } | Behaviour::Status { .. } => false,
        };
    let channel = arrival.channel.clone();
    let id = state.lock().take(arrival, arrives, behaviour.clone());
    let good = || refusal.unwrap_or_else(|| (answers.good)(id.as_deref().unwrap_or_default(), &channel));
    match behaviour {
        Behaviour::Ok => good().response(),
        Behaviour::Slow { ms } => {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            good().response()
        }
        Behaviour::TooMany { seconds } => respond(429, &[(answers.wait, seconds.to_string())], Body::empty()),
        Behaviour::Error { status, word } => (answers.error)(status, &word).response(),
        Behaviour::Status { code } => Answer::text(code, "<html><body>upstream error</body></html>").response(),
        Behaviour::Hang { .. } => pending().await,
        Behaviour::Half { .. } => half(good()),
    }
}

/// Promises all of the answer, gives half of it, and breaks the connection.
fn half(answer: Answer) -> Response<Body> {
    let length = answer.body.len().max(2);
    let half = Bytes::copy_from_slice(&answer.body.as_bytes()[..answer.body.len() / 2]);
    let broken = stream::iter([Ok(half), Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))]);
    let headers = [
        (header::CONTENT_TYPE.as_str(), answer.content_type.to_owned()),
        (header::CONTENT_LENGTH.as_str(), length.to_string()),
    ];
    respond(answer.status, &headers, Body::from_stream(broken))
}

fn respond(status: u16, headers: &[(&str, String)], body: Body) -> Response<Body> {
    let mut response =
        Response::builder().status(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
    for (name, value) in headers {
        response = response.header(*name, value);
    }
    response
        .body(body)
        .unwrap_or_else(|_: axum::http::Error| Response::new(Body::empty()))
}

/// A body as JSON; what is none is a text, which every judge finds wrong.
pub fn read(body: &Bytes) -> serde_json::Value {
    serde_json::from_slice(body).unwrap_or_else(|_| json!(String::from_utf8_lossy(body)))
}

pub type Reply = Result<Response<Body>, Infallible>;

/// The token of a request.
pub fn bearer(headers: &axum::http::HeaderMap) -> Option<String> {
    headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .strip_prefix("Bearer ")
        .map(str::to_owned)
}
