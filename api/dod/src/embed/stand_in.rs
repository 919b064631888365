//! A server that answers as an OpenAI-compatible embedding server does, and as one does on a bad day, over real sockets: for
//! tests and demonstrations.
//!
//! Its model knows a few meanings, each by the words in which people speak of it. A text's vector points along the axes of
//! the meanings that it has, so that texts without a word in common can be near.

use std::collections::VecDeque;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Response, header};
use axum::routing::post;
use dod_skills::vectors::DIMENSIONS;
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// How one question is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Behaviour {
    /// As on a good day.
    Ok,
    /// 429 with `Retry-After`.
    TooMany { seconds: u64 },
    /// 200 with an error of this code.
    ErrorIn200 { code: String },
    /// An error of this code, with this status.
    Error { status: u16, code: String },
    /// A status with a page of HTML.
    Status { code: u16 },
    /// No answer, until whoever asked goes away.
    Hang,
    /// Half of an answer, then the connection closes.
    Half,
    /// As on a good day, but only after so many milliseconds.
    Slow { ms: u64 },
    /// Vectors of so many numbers.
    Numbers { count: usize },
    /// Vectors with this text in the place of a number: `NaN`, `1e999`.
    Number { text: String },
    /// Vectors that are zero in every place.
    Zero,
    /// Vectors of all texts but the last.
    Fewer,
    /// A good answer with so many bytes of something else in it.
    Large { bytes: usize },
}

/// One question that came in.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    pub texts: Vec<String>,
    /// What is wrong with the question: nothing.
    pub faults: Vec<String>,
}

struct Inner {
    meanings: Vec<Vec<String>>,
    key: Option<String>,
    script: VecDeque<Behaviour>,
    always: Behaviour,
    /// Texts with this in them are refused, whatever the script says.
    refused: Option<String>,
    asked: Vec<Asked>,
}

#[derive(Clone)]
struct Shared(Arc<Mutex<Inner>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running stand-in. It stops when dropped.
pub struct StandIn {
    address: SocketAddr,
    state: Shared,
    task: JoinHandle<()>,
}

impl StandIn {
    /// Starts at a free port of this machine, with a model that knows these meanings.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start(meanings: &[&[&str]]) -> io::Result<Self> {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let address = listener.local_addr()?;
        let words = |meaning: &&[&str]| meaning.iter().map(|word| word.to_lowercase()).collect();
        let state = Shared(Arc::new(Mutex::new(Inner {
            meanings: meanings.iter().map(words).collect(),
            key: None,
            script: VecDeque::new(),
            always: Behaviour::Ok,
            refused: None,
            asked: Vec::new(),
        })));
        let routes = Router::new()
            .route("/v1/embeddings", post(answer))
            .with_state(state.clone());
        let task = tokio::spawn(async move {
            // Serving ends with the task; a failure to accept shows in whoever calls.
            let _ = axum::serve(listener, routes).await;
        });
        Ok(Self { address, state, task })
    }

    /// What is configured as `embeddings-api-base`.
    #[must_use]
    pub fn base(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// From now on questions need this key.
    pub fn want_key(&self, key: &str) {
        self.state.lock().key = Some(key.to_owned());
    }

    /// Texts with this in them are refused.
    pub fn refuse(&self, part: &str) {
        self.state.lock().refused = Some(part.to_owned());
    }

    /// How the next questions are answered, one after the other; those after them as [`StandIn::always`] says.
    pub fn script(&self, behaviours: impl IntoIterator<Item = Behaviour>) {
        self.state.lock().script.extend(behaviours);
    }

    /// How questions are answered when no script is left.
    pub fn always(&self, behaviour: Behaviour) {
        self.state.lock().always = behaviour;
    }

    /// Everything that was asked, in the order of its coming.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.state.lock().asked.clone()
    }

    /// Everything that was wrong with what was asked.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        self.asked().into_iter().flat_map(|asked| asked.faults).collect()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(State(state): State<Shared>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let question: Value = serde_json::from_slice(&body).unwrap_or_default();
    let texts: Vec<String> = question["input"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|text| text.as_str().unwrap_or_default().to_owned())
        .collect();
    let (behaviour, vectors, is_known, is_refused) = {
        let mut inner = state.lock();
        let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let wanted = inner.key.as_ref().map(|key| format!("Bearer {key}"));
        let is_known = wanted.is_none() || wanted.as_deref() == bearer;
        let is_in = |part: &String| texts.iter().any(|text| text.contains(part));
        let is_refused = inner.refused.as_ref().is_some_and(is_in);
        let vectors: Vec<Vec<f64>> = texts.iter().map(|text| vector(&inner.meanings, text)).collect();
        let faults = faults(&question, &texts);
        inner.asked.push(Asked { texts, faults });
        let behaviour = inner.script.pop_front().unwrap_or_else(|| inner.always.clone());
        (behaviour, vectors, is_known, is_refused)
    };
    if !is_known {
        return error(401, "invalid_api_key");
    }
    if is_refused {
        return error(400, "context_length_exceeded");
    }
    let good = |vectors: &[Vec<f64>]| {
        let made = |(index, embedding): (usize, &Vec<f64>)| json!({ "object": "embedding", "index": index, "embedding": embedding });
        let data: Vec<Value> = vectors.iter().enumerate().map(made).collect();
        json!({ "object": "list", "data": data, "model": question["model"], "usage": { "prompt_tokens": 1, "total_tokens": 1 } })
            .to_string()
    };
    match behaviour {
        Behaviour::Ok => respond(200, &[], Body::from(good(&vectors))),
        Behaviour::Slow { ms } => {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            respond(200, &[], Body::from(good(&vectors)))
        }
        Behaviour::TooMany { seconds } => respond(429, &[("retry-after", seconds.to_string())], Body::empty()),
        Behaviour::ErrorIn200 { code } => error(200, &code),
        Behaviour::Error { status, code } => error(status, &code),
        Behaviour::Status { code } => respond(code, &[], Body::from("<html><body>upstream error</body></html>")),
        Behaviour::Hang => pending().await,
        Behaviour::Half => half(&good(&vectors)),
        Behaviour::Numbers { count } => {
            let other = vec![vec![1.0; count]; vectors.len()];
            respond(200, &[], Body::from(good(&other)))
        }
        Behaviour::Number { text } => respond(
            200,
            &[],
            Body::from(good(&vectors).replacen("[0.0", &format!("[{text}"), 1)),
        ),
        Behaviour::Zero => {
            let other = vec![vec![0.0; DIMENSIONS]; vectors.len()];
            respond(200, &[], Body::from(good(&other)))
        }
        Behaviour::Fewer => respond(200, &[], Body::from(good(&vectors[..vectors.len().saturating_sub(1)]))),
        Behaviour::Large { bytes } => {
            let mut large = good(&vectors);
            large.insert_str(1, &format!("\"padding\": \"{}\", ", "x".repeat(bytes)));
            respond(200, &[], Body::from(large))
        }
    }
}

/// What is wrong with a question.
fn faults(question: &Value, texts: &[String]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut wrong = |is_wrong: bool, told: &str| faults.extend(is_wrong.then(|| told.to_owned()));
    wrong(!question["model"].is_string(), "no model is named");
    wrong(question["dimensions"] != DIMENSIONS, "other dimensions are asked for");
    wrong(question["encoding_format"] != "float", "another encoding is asked for");
    wrong(texts.is_empty(), "no text is asked for");
    wrong(texts.iter().any(String::is_empty), "an empty text is asked for");
    faults
}

/// The vector of a text: along an axis for each meaning that it has, and a little along one that all have.
fn vector(meanings: &[Vec<String>], text: &str) -> Vec<f64> {
    let text = text.to_lowercase();
    let mut numbers = vec![0.0; DIMENSIONS];
    for (axis, meaning) in meanings.iter().enumerate() {
        if meaning.iter().any(|word| text.contains(word.as_str())) {
            numbers[axis + 1] = 1.0;
        }
    }
    numbers[DIMENSIONS - 1] = 0.1;
    numbers
}

fn error(status: u16, code: &str) -> Response<Body> {
    let body = json!({ "error": { "message": "What went wrong, with sk-secret in it.", "type": code, "code": code } });
    respond(status, &[], Body::from(body.to_string()))
}

/// Promises all of the answer, gives half of it, and breaks the connection.
/// Between half of an answer and its breaking off.
const HALF: Duration = Duration::from_millis(50);

fn half(answer: &str) -> Response<Body> {
    let half = Bytes::copy_from_slice(&answer.as_bytes()[..answer.len() / 2]);
    // What is sent is on its way before the connection closes.
    let breaks = async {
        tokio::time::sleep(HALF).await;
        Err(io::Error::from(io::ErrorKind::ConnectionReset))
    };
    let broken = stream::once(async { Ok(half) }).chain(stream::once(breaks));
    let length = answer.len().to_string();
    respond(200, &[("content-length", length)], Body::from_stream(broken))
}

fn respond(status: u16, headers: &[(&str, String)], body: Body) -> Response<Body> {
    let mut response = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "application/json");
    for (name, value) in headers {
        response = response.header(*name, value);
    }
    response
        .body(body)
        .unwrap_or_else(|_: axum::http::Error| Response::new(Body::empty()))
}
