//! The attacks: what each of many attackers does again and again.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::stage::{Hostile, MANY};
use super::wire::{self, head, hold, read_on, read_slowly, sent, status};

const SUPPLIERS: &str = "/v1/cloudwatcher/suppliers";
const JSON: &str = "Content-Type: application/json\r\n";
/// What is sent of a head that does not end, in bytes.
const HALF_HEAD_BYTES: usize = 20_000;
/// Size of a body of nothing but braces, in bytes.
const BRACES_BYTES: usize = 1 << 20;
/// What a slow reader takes a second, in bytes.
const SLOW_BYTES: usize = 1024;
/// Files that this program opens beside the attackers' connections.
const OTHER_FILES_MAX: usize = 500;

type Acting = Pin<Box<dyn Future<Output = io::Result<wire::Told>> + Send>>;

pub struct Attack {
    pub name: &'static str,
    pub attackers: usize,
    /// Before an attacker begins again, in milliseconds: with less, the attack is one on the processor of the machine
    /// that both run on.
    pause_ms: u64,
    act: fn(Arc<Hostile>, usize) -> Acting,
    /// What some of the attackers must have been told.
    pub must_be_told: Option<u16>,
}

pub const ATTACKS: &[Attack] = &[
    Attack {
        name: "bodies",
        attackers: 4_200,
        pause_ms: 1_000,
        act: |hostile, _| Box::pin(body(hostile)),
        must_be_told: Some(403),
    },
    Attack {
        name: "after",
        attackers: 500,
        pause_ms: 1_000,
        act: |hostile, _| Box::pin(after(hostile)),
        must_be_told: Some(422),
    },
    Attack {
        name: "streams",
        attackers: 1_100,
        pause_ms: 1_000,
        act: |hostile, _| Box::pin(stream(hostile)),
        must_be_told: Some(429),
    },
    Attack {
        name: "waits",
        attackers: MANY * 1_000,
        pause_ms: 1_000,
        act: |hostile, n| Box::pin(wait(hostile, n)),
        must_be_told: Some(429),
    },
    Attack {
        name: "searches",
        attackers: 400,
        pause_ms: 250,
        act: |hostile, n| Box::pin(search(hostile, n)),
        must_be_told: Some(200),
    },
    Attack {
        name: "heads",
        attackers: 10_100,
        pause_ms: 5_000,
        act: |hostile, _| Box::pin(half_head(hostile)),
        must_be_told: None,
    },
    Attack {
        name: "braces",
        attackers: 24,
        pause_ms: 100,
        act: |hostile, n| Box::pin(braces(hostile, n)),
        must_be_told: Some(413),
    },
    Attack {
        name: "unread",
        attackers: 100,
        pause_ms: 1_000,
        act: |hostile, n| Box::pin(unread(hostile, n)),
        must_be_told: None,
    },
    Attack {
        name: "slow",
        attackers: 60,
        pause_ms: 1_000,
        act: |hostile, _| Box::pin(slow(hostile)),
        must_be_told: None,
    },
    Attack {
        name: "documents",
        attackers: 500,
        pause_ms: 1_000,
        act: |hostile, _| Box::pin(document(hostile)),
        must_be_told: None,
    },
    Attack {
        name: "flood",
        attackers: 64,
        pause_ms: 100,
        act: |hostile, _| Box::pin(flood(hostile)),
        must_be_told: None,
    },
];

/// How often attackers were told what.
#[derive(Debug, Default)]
pub struct Told(Mutex<BTreeMap<wire::Told, u64>>);

impl Told {
    fn count(&self, told: wire::Told) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(told).or_default() += 1;
    }

    pub fn counts(&self) -> BTreeMap<wire::Told, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Attack {
    /// Has all attackers at work, until the set is dropped.
    pub fn begin(&'static self, hostile: &Arc<Hostile>, told: &Arc<Told>) -> JoinSet<()> {
        let mut attackers = JoinSet::new();
        for n in 0..self.attackers.min(connections_max()) {
            let (hostile, told) = (hostile.clone(), told.clone());
            attackers.spawn(async move {
                loop {
                    told.count((self.act)(hostile.clone(), n).await.unwrap_or(wire::Told::Closed));
                    tokio::time::sleep(Duration::from_millis(self.pause_ms)).await;
                }
            });
        }
        attackers
    }
}

/// How many connections this program may have, by what Linux lets it open.
fn connections_max() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let files = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let files = files.and_then(|files| files.split_whitespace().next()?.parse::<usize>().ok());
    files.map_or(usize::MAX, |files| files.saturating_sub(OTHER_FILES_MAX))
}

/// A body of which one byte comes, by a user who may do nothing.
async fn body(hostile: Arc<Hostile>) -> io::Result<wire::Told> {
    let headers = format!("{JSON}Content-Length: 1000\r\n");
    let begun = head(&hostile.nobody, "POST", SUPPLIERS, &headers) + "{";
    Ok(status(&mut sent(&hostile.url, begun.as_bytes()).await?).await)
}

/// A read of what will not be in the book for ages, by a user with one permission.
async fn after(hostile: Arc<Hostile>) -> io::Result<wire::Told> {
    let headers = "Daybook-After: 9000000000000000000\r\n";
    let read = head(&hostile.reader, "GET", SUPPLIERS, headers);
    Ok(status(&mut sent(&hostile.url, read.as_bytes()).await?).await)
}

/// An event stream that has nothing to tell.
async fn stream(hostile: Arc<Hostile>) -> io::Result<wire::Told> {
    let follow = head(&hostile.auditors[0], "GET", "/v1/events/stream", "");
    let mut stream = sent(&hostile.url, follow.as_bytes()).await?;
    let told = status(&mut stream).await;
    if told == wire::Told::Status(200) {
        read_on(&mut stream).await;
    }
    Ok(told)
}

/// A wait for a response that never comes, by one of five users.
async fn wait(hostile: Arc<Hostile>, n: usize) -> io::Result<wire::Told> {
    let path = format!("/v1/cloudwatcher/requests/{}/response?wait=60s", hostile.open_request);
    let wait = head(&hostile.devices[n % MANY], "GET", &path, "");
    Ok(status(&mut sent(&hostile.url, wait.as_bytes()).await?).await)
}

/// A search of the log that finds nothing, and has to look through all of it.
async fn search(hostile: Arc<Hostile>, n: usize) -> io::Result<wire::Told> {
    let path = "/v1/events?actor=00000000-0000-4000-8000-00000000dead&limit=200";
    let search = head(&hostile.auditors[n % MANY], "GET", path, "");
    Ok(status(&mut sent(&hostile.url, search.as_bytes()).await?).await)
}

/// Half a head, but as much of it as may be, by nobody in particular.
async fn half_head(hostile: Arc<Hostile>) -> io::Result<wire::Told> {
    let filled = "x".repeat(HALF_HEAD_BYTES);
    let half = format!("GET {SUPPLIERS} HTTP/1.1\r\nX-Filled: {filled}\r\nHost: day");
    Ok(status(&mut sent(&hostile.url, half.as_bytes()).await?).await)
}

/// A body that is small, and large once it is read.
async fn braces(hostile: Arc<Hostile>, n: usize) -> io::Result<wire::Told> {
    let begins = format!(
        "{{\"device_id\":\"truck-1\",\"request_key\":\"braces {n} {}\",\"request_type\":\"get_parts\",\"payload\":[",
        Uuid::new_v4()
    );
    let many = "{},".repeat((BRACES_BYTES - begins.len() - 4) / 3);
    let body = format!("{begins}{many}{{}}]}}");
    let headers = format!("{JSON}Content-Length: {}\r\n", body.len());
    let request = head(&hostile.sender, "POST", "/v1/cloudwatcher/requests", &headers) + &body;
    Ok(status(&mut sent(&hostile.url, request.as_bytes()).await?).await)
}

/// An event stream with much to tell, of which nothing is read.
async fn unread(hostile: Arc<Hostile>, n: usize) -> io::Result<wire::Told> {
    let follow = head(
        &hostile.auditors[n % MANY],
        "GET",
        "/v1/events/stream",
        "Last-Event-ID: 0\r\n",
    );
    hold(&sent(&hostile.url, follow.as_bytes()).await?).await;
    Ok(wire::Told::Closed)
}

/// A page of large rows that is read at a kilobyte a second.
async fn slow(hostile: Arc<Hostile>) -> io::Result<wire::Told> {
    let read = head(&hostile.collector, "GET", "/v1/cloudwatcher/responses?limit=200", "");
    let mut stream = sent(&hostile.url, read.as_bytes()).await?;
    let told = status(&mut stream).await;
    if told == wire::Told::Status(200) {
        read_slowly(&mut stream, SLOW_BYTES).await;
    }
    Ok(told)
}

/// The largest answers that nobody needs a token for, one after another, of which nothing is read.
async fn document(hostile: Arc<Hostile>) -> io::Result<wire::Told> {
    let read = "GET /v1/openapi.json HTTP/1.1\r\nHost: daybook\r\n\r\n";
    hold(&sent(&hostile.url, read.repeat(8).as_bytes()).await?).await;
    Ok(wire::Told::Closed)
}

/// Commands, one after the other, for as long as they are accepted.
async fn flood(hostile: Arc<Hostile>) -> io::Result<wire::Told> {
    loop {
        let name = json!({"name": Uuid::new_v4().to_string()});
        let request = hostile.sender.request(reqwest::Method::POST, SUPPLIERS).json(&name);
        let response = request.send().await.map_err(io::Error::other)?;
        let status = response.status().as_u16();
        // Read to its end, so that the connection can be used again.
        let _ = response.bytes().await;
        if status != 200 {
            return Ok(wire::Told::Status(status));
        }
    }
}
