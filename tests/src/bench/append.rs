//! `append.256` against `append.stock.64`: the same event, written by us and by postgres-es as shipped.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use book::{Book, Step};
use chrono::Utc;
use cloudwatcher::part::Part;
use cqrs_es::CqrsFramework;
use cqrs_es::persist::PersistedEventStore;
use domain::register::{Command, Register};
use domain::sourced::{Sent, Sourced};
use domain::{Circumstances, Facts, Together};
use postgres_es::PostgresEventRepository;
use sqlx::postgres::PgPoolOptions;
use uuid::Uuid;

use super::Figure;
use crate::{Database, Ledger};

const CLIENTS: usize = 256;
const STOCK_CLIENTS: usize = 64;
/// Connections of the stock pool: more did not help it, fewer hurt it.
const STOCK_CONNECTIONS: u32 = 32;
const WARM_UP: Duration = Duration::from_secs(3);
const MEASURED: Duration = Duration::from_secs(10);

/// Commands per second of postgres-es as shipped, at 64 clients.
pub async fn stock() -> f64 {
    let database = Database::create().await;
    let pool = PgPoolOptions::new()
        .max_connections(STOCK_CONNECTIONS)
        .connect_with(database.options.clone())
        .await
        .unwrap();
    // The table of postgres-es's own documentation.
    sqlx::query(
        "create table events (aggregate_type text not null, aggregate_id text not null,
             sequence bigint check (sequence >= 0) not null, event_type text not null, event_version text not null,
             payload json not null, metadata json not null, primary key (aggregate_type, aggregate_id, sequence))",
    )
    .execute(&pool)
    .await
    .unwrap();
    let store: PersistedEventStore<_, Sourced<Register<Part>>> =
        PersistedEventStore::new_event_store(PostgresEventRepository::new(pool.clone()));
    let framework = Arc::new(CqrsFramework::new(store, Vec::new(), ()));
    let rate = rate(STOCK_CLIENTS, move || {
        let framework = framework.clone();
        async move {
            let stream = Uuid::now_v7();
            let circumstances = Circumstances {
                tenant: Uuid::nil(),
                stream,
                sequence: 0,
                by: Uuid::nil(),
                at: Utc::now(),
                seed: Uuid::now_v7(),
                reason: None,
                facts: Arc::new(Facts::default()),
                together: Together::default(),
            };
            let sent = Sent {
                circumstances,
                command: Arc::new(Command::Enter(part(stream))),
            };
            framework.execute(&stream.to_string(), sent).await.unwrap();
        }
    })
    .await;
    pool.close().await;
    rate
}

/// Commands per second in process, at 256 clients: full event record, receipts and claims.
async fn ours() -> f64 {
    let ledger = Ledger::open().await;
    let book: Book = ledger.book.clone();
    let envelope = ledger.envelope();
    rate(CLIENTS, move || {
        let (book, mut envelope) = (book.clone(), envelope.clone());
        async move {
            let stream = Uuid::now_v7();
            envelope.command_id = stream;
            envelope.correlation_id = stream;
            book.execute(
                envelope,
                vec![Step::of::<Register<Part>>(stream, None, Command::Enter(part(stream)))],
            )
            .await
            .unwrap();
        }
    })
    .await
}

pub async fn run() -> Vec<Figure> {
    let stock = stock().await;
    let ours = ours().await;
    vec![
        Figure::alone("append.stock.64", stock, "commands/s"),
        Figure::against("append.256", ours, "commands/s", stock),
    ]
}

fn part(stream: Uuid) -> Part {
    Part {
        part_code: stream.simple().to_string(),
        name: "hexagon head bolt".to_owned(),
        description: Some("M8 x 40, zinc plated".to_owned()),
        category: Some("fasteners".to_owned()),
        unit_of_measure: "unit".to_owned(),
    }
}

/// Completions per second of `work` by so many clients, after a warm-up.
pub async fn rate<F, W>(clients: usize, work: F) -> f64
where
    F: Fn() -> W + Clone + Send + 'static,
    W: Future<Output = ()> + Send,
{
    let done = Arc::new(AtomicU64::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..clients {
        let (work, done) = (work.clone(), done.clone());
        tasks.spawn(async move {
            loop {
                work().await;
                done.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    tokio::time::sleep(WARM_UP).await;
    let (before, started) = (done.load(Ordering::Relaxed), Instant::now());
    tokio::time::sleep(MEASURED).await;
    let rate = (done.load(Ordering::Relaxed) - before) as f64 / started.elapsed().as_secs_f64();
    tasks.shutdown().await;
    rate
}
