//! Somebody of another tenant, who sends commands and reads at a steady pace, whatever becomes of those before.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use reqwest::Method;
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::stage::Victim;
use crate::Client;

/// Between two requests, in milliseconds.
const PACE_MS: u64 = 50;
/// One in so many requests opens an event stream, and one waits for a response.
const RARE: u64 = 20;
/// How long requests under way may take to end once the watch is over, in seconds.
const END_SECONDS_MAX: u64 = 35;

/// What the victim has seen.
#[derive(Debug, Default)]
pub struct Seen {
    /// How long commands and reads took that were answered as they must be.
    pub times: Vec<Duration>,
    /// How often what was asked for was answered by 429 or 503, or not at all.
    pub refused: BTreeMap<String, u64>,
}

/// A victim at work. It has a thread of its own, so that it does not wait for the attackers within this program.
#[derive(Debug)]
pub struct Watch {
    stop: CancellationToken,
    thread: JoinHandle<Seen>,
}

impl Watch {
    pub fn begin(victim: &Victim) -> Self {
        let (victim, stop) = (victim.clone(), CancellationToken::new());
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(works(victim, stopped))
        });
        Self { stop, thread }
    }

    pub fn end(self) -> Seen {
        self.stop.cancel();
        self.thread.join().expect("the victim's thread")
    }
}

/// What all requests of a victim share.
struct Work {
    client: Client,
    victim: Victim,
    /// The position of the last command that was acknowledged.
    last: AtomicI64,
    seen: Mutex<Seen>,
}

async fn works(victim: Victim, stop: CancellationToken) -> Seen {
    let work = Arc::new(Work {
        client: Client::new(&victim.url, victim.tenant, victim.user),
        victim,
        last: AtomicI64::new(0),
        seen: Mutex::default(),
    });
    let mut pace = tokio::time::interval(Duration::from_millis(PACE_MS));
    let mut requests = JoinSet::new();
    for n in 0.. {
        tokio::select! {
            _ = pace.tick() => {}
            () = stop.cancelled() => break,
        }
        let work = work.clone();
        requests.spawn(async move { work.one(n).await });
        while requests.try_join_next().is_some() {}
    }
    let ending = async { while requests.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(Duration::from_secs(END_SECONDS_MAX), ending).await;
    let unanswered = requests.len() as u64;
    requests.shutdown().await;
    let mut seen = std::mem::take(&mut *work.seen.lock().unwrap_or_else(PoisonError::into_inner));
    if unanswered > 0 {
        seen.refused.insert("unanswered".to_owned(), unanswered);
    }
    seen
}

impl Work {
    /// The n-th request.
    async fn one(&self, n: u64) {
        let rows = "/v1/cloudwatcher/suppliers";
        let supplier = self.victim.supplier;
        match n % 10 {
            9 if (n / 10).is_multiple_of(RARE) => self.follow().await,
            9 if n / 10 % RARE == RARE / 2 => self.wait().await,
            0 | 5 => self.command().await,
            2 => self.get("history", &format!("{rows}/{supplier}/history"), false).await,
            3 | 7 => self.get("own write", &format!("{rows}?limit=1"), true).await,
            4 => self.get("log", "/v1/events?limit=20", false).await,
            8 => self.get("row", &format!("{rows}/{supplier}"), false).await,
            _ => self.get("rows", &format!("{rows}?limit=20"), false).await,
        }
    }

    async fn command(&self) {
        let path = format!("/v1/cloudwatcher/suppliers/{}/enter", Uuid::now_v7());
        let body = json!({"name": Uuid::new_v4().to_string()});
        let request = self.client.request(Method::POST, &path).json(&body);
        if let Some(answer) = self.timed("command", request).await {
            let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap_or_default();
            self.last
                .fetch_max(answer["position"].as_i64().unwrap_or(0), Ordering::Relaxed);
        }
    }

    async fn get(&self, what: &str, path: &str, after_own: bool) {
        let mut request = self.client.request(Method::GET, path);
        let last = self.last.load(Ordering::Relaxed);
        if after_own && last > 0 {
            request = request.header("Daybook-After", last);
        }
        self.timed(what, request).await;
    }

    /// Sends a request whose time counts; its answer, if it is the one that it must be.
    async fn timed(&self, what: &str, request: reqwest::RequestBuilder) -> Option<Vec<u8>> {
        let begun = Instant::now();
        let answer = async {
            let response = request.send().await?;
            let status = response.status();
            Ok::<_, reqwest::Error>((status, response.bytes().await?.to_vec()))
        };
        match answer.await {
            Ok((status, answer)) if status == 200 => {
                let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
                seen.times.push(begun.elapsed());
                Some(answer)
            }
            Ok((status, _)) => {
                self.refused(what, status.as_str());
                None
            }
            Err(error) => {
                self.refused(what, if error.is_timeout() { "timeout" } else { "closed" });
                None
            }
        }
    }

    fn refused(&self, what: &str, how: &str) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        *seen.refused.entry(format!("{what}: {how}")).or_default() += 1;
    }

    /// Opens an event stream, and leaves once it tells something.
    async fn follow(&self) {
        let request = self.client.request(Method::GET, "/v1/events/stream");
        match request.send().await {
            Ok(response) if response.status() == 200 => {
                let mut events = response.bytes_stream();
                if events.next().await.is_none_or(|first| first.is_err()) {
                    self.refused("stream", "closed");
                }
            }
            Ok(response) => self.refused("stream", response.status().as_str()),
            Err(_) => self.refused("stream", "closed"),
        }
    }

    /// Waits for a response that does not come, as a device does: it is told that there is none.
    async fn wait(&self) {
        let path = format!(
            "/v1/cloudwatcher/requests/{}/response?wait=1s",
            self.victim.open_request
        );
        match self.client.request(Method::GET, &path).send().await {
            Ok(response) if response.status() == 202 => {}
            Ok(response) => self.refused("wait", response.status().as_str()),
            Err(_) => self.refused("wait", "closed"),
        }
    }
}
