//! A server that answers as Slack and Lark do, and as they do on a bad day, over real sockets: for tests and demonstrations.
//!
//! It keeps what it receives and judges it by the limits of Slack and Lark, independently of how this crate renders.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use uuid::Uuid;

mod door;
mod judge;
mod lark;
mod slack;
mod state;

pub use judge::{Fault, RATE_TOLERANCE_MS, judge_call, mentions_in};

/// Where a message comes in.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumString,
    strum::VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Door {
    SlackWebhook,
    SlackPost,
    SlackUpdate,
    LarkBot,
    LarkToken,
    LarkSend,
    LarkReply,
    LarkUpdate,
}

/// How one request is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Behaviour {
    /// As on a good day.
    Ok,
    /// 429 with `Retry-After` (Slack) or `x-ogw-ratelimit-reset` (Lark).
    TooMany { seconds: u64 },
    /// An error in the words of the place: a word of Slack, or digits that are a code of Lark, with this status.
    Error { status: u16, word: String },
    /// A status with a page of HTML.
    Status { code: u16 },
    /// No answer, until whoever asked goes away. The message may have arrived all the same.
    Hang { arrives: bool },
    /// Half of an answer, then the connection closes. The message may have arrived all the same.
    Half { arrives: bool },
    /// As on a good day, but only after so many milliseconds.
    Slow { ms: u64 },
}

impl Behaviour {
    /// An error of Slack with status 200, as its API answers it.
    pub fn slack_error(word: &str) -> Self {
        Self::Error {
            status: 200,
            word: word.to_owned(),
        }
    }

    /// A code of Lark with this status.
    pub fn lark_code(status: u16, code: i64) -> Self {
        Self::Error {
            status,
            word: code.to_string(),
        }
    }
}

/// One request that came in.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Received {
    /// Milliseconds since the server started.
    pub at_ms: u64,
    pub door: Door,
    /// The channel, the chat, or the last part of a webhook's path. Empty for a token.
    pub channel: String,
    /// The id that the message got: `ts` or `message_id`. Absent when it did not arrive.
    pub id: Option<String>,
    /// The message that it answers (a thread) or changes (an update).
    pub about: Option<String>,
    pub uuid: Option<String>,
    /// Which issue it tells of, and which telling and state that is, as its last line says.
    pub issue_id: Option<Uuid>,
    pub revision: Option<u32>,
    pub state: Option<String>,
    /// Whether people see it. A message whose `uuid` is known already is answered, but not shown again.
    pub arrived: bool,
    pub answered: Behaviour,
    pub body: serde_json::Value,
}

/// A running stand-in. It stops when dropped.
pub struct StandIn {
    address: SocketAddr,
    state: Shared,
    task: JoinHandle<()>,
}

#[derive(Clone)]
struct Shared(Arc<Mutex<state::State>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, state::State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StandIn {
    /// Starts at a free port of this machine.
    pub async fn start() -> io::Result<Self> {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    pub async fn start_at(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let state = Shared(Arc::new(Mutex::new(state::State::new())));
        let routes = door::routes(state.clone());
        let task = tokio::spawn(async move {
            // Serving ends with the task; a failure to accept shows in whoever calls.
            let _ = axum::serve(listener, routes).await;
        });
        Ok(Self { address, state, task })
    }

    /// What both APIs begin with: `http://127.0.0.1:<port>`.
    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The `api_base` of Slack's calls. A token is any text that begins with `xoxb-`.
    pub fn slack_api(&self) -> String {
        format!("{}/api", self.base())
    }

    /// The URL of the incoming webhook that writes to `channel`.
    pub fn slack_webhook(&self, channel: &str) -> String {
        format!("{}/services/T0000/B0000/{channel}", self.base())
    }

    /// The `api_base` of Lark's calls. Any app gets a token.
    pub fn lark_api(&self) -> String {
        self.base()
    }

    /// The URL of a custom bot; with a secret, messages without its signature are refused.
    pub fn lark_bot(&self, name: &str, secret: Option<&str>) -> String {
        self.state.lock().bot(name, secret);
        format!("{}/open-apis/bot/v2/hook/{name}", self.base())
    }

    /// How the next requests at `door` are answered, one after the other; those after them as [`StandIn::always`] says.
    pub fn script(&self, door: Door, behaviours: impl IntoIterator<Item = Behaviour>) {
        self.state.lock().script(door, behaviours);
    }

    /// How requests at `door` are answered when no script is left.
    pub fn always(&self, door: Door, behaviour: Behaviour) {
        self.state.lock().always(door, behaviour);
    }

    /// Every token of Lark given so far is no longer valid.
    pub fn expire_lark_tokens(&self) {
        self.state.lock().expire_tokens();
    }

    /// Everything that came in, in the order of its coming.
    pub fn received(&self) -> Vec<Received> {
        self.state.lock().received()
    }

    /// What people see: the messages that arrived, without updates.
    pub fn shown(&self) -> Vec<Received> {
        let is_message = |door| !matches!(door, Door::SlackUpdate | Door::LarkUpdate | Door::LarkToken);
        self.received()
            .into_iter()
            .filter(|received| received.arrived && is_message(received.door))
            .collect()
    }

    /// What a message says now: its body as it was sent or last changed.
    pub fn now_says(&self, id: &str) -> Option<serde_json::Value> {
        self.state.lock().now_says(id)
    }

    /// Everything that was wrong with what came in, judged as a whole: payloads, mentions, signatures, rates, duplicates.
    pub fn faults(&self) -> Vec<Fault> {
        self.state.lock().faults()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.task.abort();
    }
}
