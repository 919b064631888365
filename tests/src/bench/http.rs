//! `http.command.*`, `freshness.*` and `memory.peak`: the whole process, over HTTP, projections keeping up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::{Figure, append, percentile};
use crate::process::Process;
use crate::{Client, Database, service, setting};

const WARM_UP: Duration = Duration::from_secs(3);
const SUSTAINED: Duration = Duration::from_secs(30);
const SINGLE: Duration = Duration::from_secs(8);
const CLIENTS: usize = 64;
const PACED_COMMANDS_PER_SECOND: u64 = 1_000;
const PACED: Duration = Duration::from_secs(10);
/// One in so many paced commands is followed to its row.
const FOLLOWED: u64 = 20;

struct Stage {
    client: Client,
    draft: Value,
    // Ended before the database goes.
    process: Process,
    _database: Database,
}

impl Stage {
    async fn open() -> Self {
        let database = Database::create().await;
        let process = Process::start(
            &database.url(),
            &setting("NATS_URL"),
            &database.name,
            "api,relay,projector",
        )
        .await;
        let client = service::administrator(&database, &process.url, Uuid::new_v4()).await;
        let (department, supplier, part) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
        let department_path = format!("/v1/identity/departments/{department}/enter");
        client.post(&department_path, &json!({"name": "Workshop"})).await.ok();
        client
            .post(
                &format!("/v1/cloudwatcher/suppliers/{supplier}/enter"),
                &json!({"name": "Acme"}),
            )
            .await
            .ok();
        let body = json!({"part_code": "BENCH", "name": "bolt"});
        let position = client
            .post(&format!("/v1/cloudwatcher/parts/{part}/enter"), &body)
            .await
            .position();
        client.get_after("/v1/cloudwatcher/parts?limit=1", position).await.ok();
        let item = json!({"part_id": part, "supplier_id": supplier, "quantity": 10, "unit_price": "2.50"});
        let draft = json!({"department_id": department, "currency": "EUR", "items": [item]});
        Self {
            client,
            draft,
            process,
            _database: database,
        }
    }

    /// Drafts an order; its id and position.
    async fn command(client: &Client, draft: &Value) -> (Uuid, i64) {
        let order = Uuid::now_v7();
        let reply = client
            .post(&format!("/v1/cloudwatcher/orders/{order}/draft"), draft)
            .await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        (order, reply.position())
    }
}

pub async fn run() -> Vec<Figure> {
    let stage = Stage::open().await;
    let mut figures = vec![Figure::alone("http.command.p50", single(&stage).await, "ms")];
    let (p50, p99) = freshness(&stage).await;
    figures.push(Figure::alone("freshness.p50", p50, "ms"));
    figures.push(Figure::alone("freshness.p99", p99, "ms"));
    let (rate, lag_seconds) = sustained(&stage).await;
    let memory = stage.process.peak_memory_bytes() as f64 / 1e6;
    drop(stage);
    figures.push(Figure::against(
        "http.command.64",
        rate,
        "commands/s",
        append::stock().await,
    ));
    figures.push(Figure::alone("http.command.64.lag", lag_seconds, "s"));
    figures.push(Figure::alone("memory.peak", memory, "MB"));
    figures
}

/// The median time of one command, in milliseconds, from one client.
async fn single(stage: &Stage) -> f64 {
    let mut times = Vec::new();
    let started = Instant::now();
    while started.elapsed() < SINGLE {
        let sent = Instant::now();
        Stage::command(&stage.client, &stage.draft).await;
        times.push(sent.elapsed());
    }
    percentile(&mut times, 0.5)
}

/// From the answer of a command to its row read, at a steady pace: median and 99th percentile, in milliseconds.
async fn freshness(stage: &Stage) -> (f64, f64) {
    let times = Arc::new(Mutex::new(Vec::new()));
    let mut commands = tokio::task::JoinSet::new();
    let mut tick = tokio::time::interval(Duration::from_millis(10));
    for n in 0..PACED_COMMANDS_PER_SECOND * PACED.as_secs() {
        if n % (PACED_COMMANDS_PER_SECOND / 100) == 0 {
            tick.tick().await;
        }
        let (client, draft, times) = (stage.client.clone(), stage.draft.clone(), times.clone());
        commands.spawn(async move {
            let (order, position) = Stage::command(&client, &draft).await;
            if n % FOLLOWED == 0 {
                let answered = Instant::now();
                client
                    .get_after(&format!("/v1/cloudwatcher/orders/{order}"), position)
                    .await
                    .ok();
                times.lock().await.push(answered.elapsed());
            }
        });
    }
    while let Some(command) = commands.join_next().await {
        command.expect("a paced command");
    }
    let mut times = times.lock().await;
    (percentile(&mut times, 0.5), percentile(&mut times, 0.99))
}

/// Commands per second of 64 clients, and how long after the end the tables were behind.
async fn sustained(stage: &Stage) -> (f64, f64) {
    let (done, last) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..CLIENTS {
        let (client, draft, done, last) = (stage.client.clone(), stage.draft.clone(), done.clone(), last.clone());
        clients.spawn(async move {
            loop {
                let (_, position) = Stage::command(&client, &draft).await;
                done.fetch_add(1, Ordering::Relaxed);
                last.fetch_max(position as u64, Ordering::Relaxed);
            }
        });
    }
    tokio::time::sleep(WARM_UP).await;
    let (before, started) = (done.load(Ordering::Relaxed), Instant::now());
    tokio::time::sleep(SUSTAINED).await;
    let rate = (done.load(Ordering::Relaxed) - before) as f64 / started.elapsed().as_secs_f64();
    clients.shutdown().await;
    let (ended, position) = (Instant::now(), last.load(Ordering::Relaxed) as i64);
    // The wait is bounded by the service, so ask until the tables are there.
    while stage
        .client
        .get_after("/v1/cloudwatcher/orders?limit=1", position)
        .await
        .status
        != 200
    {}
    (rate, ended.elapsed().as_secs_f64())
}
