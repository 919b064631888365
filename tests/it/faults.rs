//! What dies under load: the process, Postgres, NATS, and the data of NATS. No acknowledged event is
//! lost, none is doubled, and the tables equal a fold of the book.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use reqwest::Method;
use serde_json::json;
use tests::process::{Process, Servers};
use tests::{Client, Database, Ledger, service, until};
use uuid::Uuid;

const WAIT: Duration = Duration::from_secs(60);
const CLIENTS: u32 = 8;
/// When a client gives an attempt up.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two attempts of a client that fail.
const PAUSE: Duration = Duration::from_millis(20);

/// Commands that clients sent, by key, with the position of each answer that arrived.
pub type Sent = Arc<Mutex<HashMap<u32, Option<i64>>>>;

pub fn supplier(key: u32) -> (Uuid, serde_json::Value) {
    (
        Uuid::from_u128(0xfa_0000_0000 + u128::from(key)),
        json!({"name": format!("Acme {key}")}),
    )
}

async fn send(client: &Client, key: u32) -> Option<i64> {
    let (stream, body) = supplier(key);
    let request = client
        .request(Method::POST, &format!("/v1/cloudwatcher/suppliers/{stream}/enter"))
        .header("Idempotency-Key", format!("fault-{key}"))
        .json(&body);
    let response = request.send().await.ok()?;
    if response.status() != 200 {
        return None;
    }
    response.json::<serde_json::Value>().await.ok()?["position"].as_i64()
}

/// Clients that send commands, each with its own key, until told to end; failures are just noted.
pub fn load(client: &Client, sent: &Sent, done: &Arc<AtomicBool>, first_key: u32) -> Vec<tokio::task::JoinHandle<()>> {
    (0..CLIENTS)
        .map(|n| {
            let (client, sent, done) = (client.clone(), sent.clone(), done.clone());
            tokio::spawn(async move {
                let mut pause = tokio::time::interval(PAUSE);
                for round in 0.. {
                    if done.load(Ordering::Relaxed) {
                        return;
                    }
                    let key = first_key + n * 100_000 + round;
                    let position = send(&client, key).await;
                    sent.lock().unwrap().insert(key, position);
                    if position.is_none() {
                        pause.tick().await;
                    }
                }
            })
        })
        .collect()
}

fn answered(sent: &Sent) -> usize {
    sent.lock().unwrap().values().flatten().count()
}

/// Waits until so many more commands were answered.
pub async fn progress(sent: &Sent, more: usize) {
    let goal = answered(sent) + more;
    let look = async || (answered(sent) >= goal).then_some(());
    until("more answered commands", WAIT, look).await;
}

/// Sends every command again under its key, then compares answers, book and tables.
pub async fn settle(client: &Client, ledger: &Ledger, sent: &Sent) {
    let keys: Vec<(u32, Option<i64>)> = sent
        .lock()
        .unwrap()
        .iter()
        .map(|(key, position)| (*key, *position))
        .collect();
    let repeats = keys.iter().map(|(key, position)| async move {
        let again = send(client, *key)
            .await
            .expect("a command that is sent again is answered");
        assert!(
            position.is_none_or(|position| position == again),
            "command {key} is answered as before"
        );
    });
    futures::stream::iter(repeats)
        .for_each_concurrent(CLIENTS as usize, |repeat| repeat)
        .await;
    let (events, streams, last): (i64, i64, i64) = sqlx::query_as(
        "select count(*), count(distinct aggregate_id), max(position) from book.events where aggregate_type = 'cloudwatcher.supplier'",
    )
    .fetch_one(&ledger.pools.owner)
    .await
    .unwrap();
    assert_eq!(
        (events, streams),
        (keys.len() as i64, keys.len() as i64),
        "each command happened once"
    );
    let all: i64 = sqlx::query_scalar("select count(*) from book.events")
        .fetch_one(&ledger.pools.owner)
        .await
        .unwrap();
    assert_eq!(all, ledger.tail.end().await.unwrap(), "positions have no gaps");
    let reply = client.get_after("/v1/cloudwatcher/suppliers?limit=1", last).await;
    assert_eq!(reply.status, 200, "the tables follow: {}", reply.text);
    let report = projections::rebuild::rebuild(
        &ledger.pools,
        &ledger.tail,
        &cloudwatcher_tables::CONTEXT,
        false,
        &|_| {},
    )
    .await
    .expect("a rebuild equals the live tables");
    assert!(report.compared && report.differences.is_empty(), "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_loses_nothing_that_it_acknowledged_and_another_takes_over() {
    let database = Database::create().await;
    let (url, nats, stream) = (database.url(), tests::setting("NATS_URL"), database.name.clone());
    let all = "api,relay,projector";
    let first = Process::start(&url, &nats, &stream, all).await;
    let admin = service::administrator(&database, &first.url, Uuid::new_v4()).await;
    let ledger = Ledger::over(database, &nats).await;
    let sent = Sent::default();
    let mut process = first;
    for round in 0..4 {
        let done = Arc::new(AtomicBool::new(false));
        let clients = load(&admin.at(&process.url), &sent, &done, round * 10_000_000);
        progress(&sent, 150).await;
        let standby = Process::start(&url, &nats, &stream, all).await;
        // In the middle of appends, replies and pages.
        process.kill();
        done.store(true, Ordering::Relaxed);
        futures::future::join_all(clients).await;
        process = standby;
        settle(&admin.at(&process.url), &ledger, &sent).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nats_killed_and_wiped_and_postgres_killed_under_load_lose_and_double_nothing() {
    let Some(servers) = Servers::start() else {
        tests::skipped("private servers cannot be started on this machine");
        return;
    };
    let database = Database::create_on(&servers.database_url).await;
    let process = Process::start(
        &database.url(),
        &servers.nats_url,
        &database.name,
        "api,relay,projector",
    )
    .await;
    let admin = service::administrator(&database, &process.url, Uuid::new_v4()).await;
    let (sent, done) = (Sent::default(), Arc::new(AtomicBool::new(false)));
    let clients = load(&admin, &sent, &done, 0);
    progress(&sent, 200).await;
    servers.kill("nats");
    progress(&sent, 200).await;
    servers.wipe_nats();
    servers.restart();
    progress(&sent, 200).await;
    servers.kill("postgres");
    servers.restart();
    progress(&sent, 200).await;
    done.store(true, Ordering::Relaxed);
    futures::future::join_all(clients).await;
    let ledger = Ledger::over(database, &servers.nats_url).await;
    settle(&admin, &ledger, &sent).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_after_a_crash_of_postgres_shows_no_less_than_one_before_it() {
    const CRASHES: usize = 3;
    let Some(servers) = Servers::start() else {
        tests::skipped("private servers cannot be started on this machine");
        return;
    };
    let servers = Arc::new(servers);
    let database = Database::create_on(&servers.database_url).await;
    // Tables are written without waiting for the disk: now a crash takes back all that no append has flushed.
    let server = sqlx::PgPool::connect(&servers.database_url).await.unwrap();
    for statement in ["alter system set wal_writer_delay = '10s'", "select pg_reload_conf()"] {
        sqlx::query(statement).execute(&server).await.unwrap();
    }
    server.close().await;
    let process = Process::start(&database.url(), &servers.nats_url, &database.name, "api,projector").await;
    let admin = service::administrator(&database, &process.url, Uuid::new_v4()).await;
    for n in 0..CRASHES {
        let (supplier, body) = (Uuid::now_v7(), json!({"name": format!("Acme {n}")}));
        let enter = format!("/v1/cloudwatcher/suppliers/{supplier}/enter");
        let position = admin.post(&enter, &body).await.position();
        let row = format!("/v1/cloudwatcher/suppliers?id=eq.{supplier}");
        let before = admin.get_after(&row, position).await.ok();
        assert_eq!(before["rows"].as_array().unwrap().len(), 1, "{before}");
        servers.kill("postgres");
        let restarting = tokio::task::spawn_blocking({
            let servers = servers.clone();
            move || servers.restart()
        });
        let look = async || {
            let read = admin.request(Method::GET, &row).header("Daybook-After", position);
            let reply = read.timeout(PATIENCE).send().await.ok()?;
            if reply.status() != 200 {
                return None;
            }
            reply.json::<serde_json::Value>().await.ok()
        };
        let (after, took) = until("a read after the crash", WAIT, look).await;
        assert_eq!(after["rows"], before["rows"], "after the crash");
        println!("a read with what was shown before the crash after {took:?}");
        restarting.await.unwrap();
    }
}
