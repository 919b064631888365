//! `query.*`: the query patterns of document 001 at its sizes, over HTTP, beside the reading of one row.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::volume::{self, DEVICES, Kind, LOCATIONS, ORDERS, PARTS};
use super::{Figure, percentile};
use crate::process::Process;
use crate::{Client, Database, service, setting};

const CLIENTS: u32 = 8;
const WARM_UP: Duration = Duration::from_secs(2);
const MEASURED: Duration = Duration::from_secs(8);

/// A figure, the half of its answers, and what is asked for the n-th time.
pub(super) type Pattern = (&'static str, &'static str, fn(u32) -> String);

const PATTERNS: [Pattern; 4] = [
    ("query.pending-requests", "query.pending-requests.p50", |n| {
        let device = volume::device(n % DEVICES);
        format!("/v1/cloudwatcher/requests/pending?device_id={device}")
    }),
    ("query.reorder", "query.reorder.p50", |n| {
        let location = volume::id(Kind::Location, n % LOCATIONS);
        format!("/v1/cloudwatcher/inventory/reorder?location_id={location}")
    }),
    ("query.best-supplier", "query.best-supplier.p50", |n| {
        let part = volume::id(Kind::Part, n % PARTS);
        format!("/v1/cloudwatcher/part-suppliers/best?part_id={part}")
    }),
    ("query.approval-chain", "query.approval-chain.p50", |n| {
        let order = volume::id(Kind::Order, n % ORDERS);
        format!("/v1/cloudwatcher/orders/{order}/approvals")
    }),
];

pub async fn run() -> Vec<Figure> {
    let database = Database::create().await;
    let tenant = Uuid::new_v4();
    volume::load(&database.options, tenant).await;
    let process = Process::start(&database.url(), &setting("NATS_URL"), &database.name, "api").await;
    let client = service::administrator(&database, &process.url, tenant).await;
    let row = |n: u32| format!("/v1/cloudwatcher/requests/{}", volume::id(Kind::Request, n % 100_000));
    let (row_p50, row_p99) = asked(&client, row).await;
    let mut figures = Vec::new();
    for (name, median, path) in PATTERNS {
        let (p50, p99) = asked(&client, path).await;
        figures.push(Figure::against(name, p99, "ms", row_p99));
        figures.push(Figure::against(median, p50, "ms", row_p50));
    }
    drop(process);
    figures
}

/// Asks from several clients at once, each time for something else: median and 99th percentile, in milliseconds.
pub(super) async fn asked(client: &Client, path: fn(u32) -> String) -> (f64, f64) {
    let counter = Arc::new(AtomicU32::new(0));
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..CLIENTS {
        let (client, counter) = (client.clone(), counter.clone());
        clients.spawn(async move {
            let (began, mut times) = (Instant::now(), Vec::new());
            while began.elapsed() < WARM_UP + MEASURED {
                // Far apart, so that no client finds warm what another has just read.
                let n = counter.fetch_add(1, Ordering::Relaxed).wrapping_mul(7_919);
                let sent = Instant::now();
                let reply = client.get(&path(n)).await;
                let taken = sent.elapsed();
                assert!(
                    reply.status == 200 && !reply.text.starts_with("{\"rows\":[]"),
                    "{}",
                    path(n)
                );
                if began.elapsed() > WARM_UP {
                    times.push(taken);
                }
            }
            times
        });
    }
    let mut times = Vec::new();
    while let Some(of_client) = clients.join_next().await {
        times.extend(of_client.expect("a client"));
    }
    (percentile(&mut times, 0.5), percentile(&mut times, 0.99))
}
