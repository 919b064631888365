//! `dod.intake.*`: bodies of four senders at a steady pace and in a burst, while everything that follows from them runs:
//! matching, correlation, investigations and messages to a stand-in.
//!
//! Senders, the stand-in, the program, Postgres and NATS share the machine. An answer's time is from the moment at which the
//! body was due, so that a late sender does not hide a slow answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use dod_messages::stand_in::StandIn;
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::sender::{self, SENDERS};
use crate::bench::{Figure, Size, percentile};
use crate::process::Process;
use crate::{Client, Database, service, setting, until};

const STEADY_PER_SECOND: u64 = 500;
const BURST_PER_SECOND: u64 = 2_000;
const BURST_SECONDS: u64 = 5;
/// For how long the commands are sent that the answers are compared with.
const BASELINE_SECONDS: u64 = 10;
/// Bodies are due in steps of so many milliseconds.
const STEP_MS: u64 = 10;
const BINDINGS: usize = 100;
/// How long all that was taken may need until it is recognised.
const SETTLED_MAX: Duration = Duration::from_secs(1_200);

struct Stage {
    client: Client,
    /// Where each sender sends.
    urls: Vec<String>,
    began_at: DateTime<Utc>,
    pool: PgPool,
    // Ended before the database goes.
    process: Process,
    _stand_in: StandIn,
    _database: Database,
}

pub async fn run(size: Size) -> Vec<Figure> {
    let stage = Arc::new(Stage::open().await);
    let mut plain = stage
        .paced(STEADY_PER_SECOND, BASELINE_SECONDS, 0, Stage::plain)
        .await
        .times;
    let plain_p99 = percentile(&mut plain, 0.99);
    let steady_bodies = STEADY_PER_SECOND * size.seconds;
    let mut steady = stage.paced(STEADY_PER_SECOND, size.seconds, 0, Stage::deliver).await;
    let (settled, lost) = stage.settle(&steady.taken).await;
    let (correlated_p50, correlated) = stage.correlated().await;
    let mut burst = stage
        .paced(BURST_PER_SECOND, BURST_SECONDS, steady_bodies, Stage::deliver)
        .await;
    let (settled_burst, lost_burst) = stage.settle(&burst.taken).await;
    let memory = stage.process.peak_memory_bytes() as f64 / 1e6;
    let concluded = stage.concluded().await;
    vec![
        Figure::against("dod.intake", percentile(&mut steady.times, 0.99), "ms", plain_p99),
        Figure::alone("dod.intake.p50", percentile(&mut steady.times, 0.5), "ms"),
        Figure::alone("dod.intake.refused", steady.refused as f64, "bodies"),
        Figure::alone("dod.intake.lost", lost as f64, "bodies"),
        Figure::alone("dod.intake.settled", settled.as_secs_f64(), "s"),
        Figure::alone("dod.intake.correlated", correlated, "ms"),
        Figure::alone("dod.intake.correlated.p50", correlated_p50, "ms"),
        Figure::alone("dod.intake.burst", percentile(&mut burst.times, 0.99), "ms"),
        Figure::alone("dod.intake.burst.refused", burst.refused as f64, "bodies"),
        Figure::alone("dod.intake.burst.lost", lost_burst as f64, "bodies"),
        Figure::alone("dod.intake.burst.settled", settled_burst.as_secs_f64(), "s"),
        Figure::alone("dod.intake.issues", concluded as f64, "concluded"),
        Figure::alone("dod.intake.memory", memory, "MB"),
    ]
}

/// What came of bodies that were sent.
#[derive(Default)]
struct Sent {
    times: Vec<Duration>,
    /// The deliveries that were answered 202.
    taken: Vec<Uuid>,
    /// How many were told to come again later.
    refused: usize,
}

/// What came of one request: the delivery, or nothing.
type Answered = std::pin::Pin<Box<dyn Future<Output = Option<Uuid>> + Send>>;

impl Stage {
    async fn open() -> Self {
        let stand_in = StandIn::start().await.expect("a stand-in");
        let port = stand_in
            .base()
            .rsplit_once(':')
            .map_or_else(String::new, |(_, port)| port.to_owned());
        let database = Database::create().await;
        let environment = [
            ("DAYBOOK_EGRESS_PRIVATE_NETWORKS", "127.0.0.0/8"),
            ("DAYBOOK_EGRESS_PLAIN_HTTP", "127.0.0.0/8"),
            ("DAYBOOK_EGRESS_PORTS", port.as_str()),
            // Sixty seconds of bodies are more than a test may leave on the bus.
            ("DAYBOOK_NATS_STREAM_BYTES", "268435456"),
        ];
        let roles = "api,relay,projector,policy,reactor";
        let process = Process::start_with(
            &database.url(),
            &setting("NATS_URL"),
            &database.name,
            roles,
            &environment,
        )
        .await;
        let client = service::administrator(&database, &process.url, Uuid::new_v4()).await;
        let urls = prepare(&client, &stand_in).await;
        Self {
            client,
            urls,
            began_at: Utc::now(),
            pool: PgPool::connect_with(database.options.clone())
                .await
                .expect("the database answers"),
            process,
            _stand_in: stand_in,
            _database: database,
        }
    }

    /// Sends at this pace for so long, from the body of this number on.
    async fn paced(
        self: &Arc<Self>,
        per_second: u64,
        seconds: u64,
        first: u64,
        send: fn(Arc<Self>, u64) -> Answered,
    ) -> Sent {
        let began = tokio::time::Instant::now();
        let mut requests = JoinSet::new();
        for n in 0..per_second * seconds {
            let due = began + Duration::from_millis(n * 1_000 / per_second / STEP_MS * STEP_MS);
            tokio::time::sleep_until(due).await;
            let answer = send(self.clone(), first + n);
            requests.spawn(async move { (answer.await, due.elapsed()) });
        }
        let mut sent = Sent::default();
        while let Some(request) = requests.join_next().await {
            let (taken, time) = request.expect("a request ends");
            sent.times.push(time);
            match taken {
                Some(delivery) => sent.taken.push(delivery),
                None => sent.refused += 1,
            }
        }
        sent
    }

    /// A command of one event, which the answers to senders are compared with.
    fn plain(self: Arc<Self>, n: u64) -> Answered {
        Box::pin(async move {
            let supplier = json!({ "name": format!("Acme {n}") });
            let reply = self.client.post("/v1/cloudwatcher/suppliers", &supplier).await;
            (reply.status == StatusCode::OK).then(Uuid::nil)
        })
    }

    fn deliver(self: Arc<Self>, n: u64) -> Answered {
        let (sender, body) = sender::body(self.began_at, n);
        Box::pin(async move {
            let url = &self.urls[sender];
            let request = self
                .client
                .sending(url)
                .header("Content-Type", "application/json")
                .body(body);
            let answer = request.send().await.ok()?;
            if answer.status() != StatusCode::ACCEPTED {
                return None;
            }
            let told: Value = answer.json().await.ok()?;
            told["delivery_id"].as_str()?.parse().ok()
        })
    }

    /// How long it takes until all that was taken is recognised and shown so, and how many of them never came there.
    async fn settle(&self, taken: &[Uuid]) -> (Duration, usize) {
        let began = Instant::now();
        let parsed = async || {
            let waiting = "select count(*) from dod.deliveries where status = 'received'";
            let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&self.pool).await.unwrap();
            let behind =
                "select position < book.last_position() from book.generations where context = 'dod' and state = 'live'";
            let behind: bool = sqlx::query_scalar(behind).fetch_one(&self.pool).await.unwrap();
            (waiting == 0 && !behind).then_some(())
        };
        until("all that was taken is recognised", SETTLED_MAX, parsed).await;
        let recognised = "select count(*) from dod.deliveries where id = any($1) and status = 'recognised'";
        let recognised: i64 = sqlx::query_scalar(recognised)
            .bind(taken)
            .fetch_one(&self.pool)
            .await
            .unwrap();
        (
            began.elapsed(),
            taken.len() - usize::try_from(recognised).unwrap_or_default(),
        )
    }

    /// How long it took from the body to the issue of each alert that it opened, in milliseconds: the median, and the 99th
    /// percentile. All that follows from a body has its correlation id.
    async fn correlated(&self) -> (f64, f64) {
        let asking = "with bodies as (
                          select metadata->>'correlation_id' as id, recorded_at from book.events
                          where event_type = 'DeliveryReceived'),
                      took as (
                          select extract(epoch from b.recorded_at - a.recorded_at) * 1000 as ms
                          from bodies a join book.events b on b.metadata->>'correlation_id' = a.id
                          where b.event_type = 'IssueAlertBound')
                      select percentile_cont(0.5) within group (order by ms)::float8,
                             percentile_cont(0.99) within group (order by ms)::float8 from took";
        let took: (Option<f64>, Option<f64>) = sqlx::query_as(asking).fetch_one(&self.pool).await.unwrap();
        (took.0.unwrap_or(f64::NAN), took.1.unwrap_or(f64::NAN))
    }

    /// How many issues were looked into to the end.
    async fn concluded(&self) -> i64 {
        let concluded = "select count(*) from dod.issues where concluded_at is not null";
        sqlx::query_scalar(concluded).fetch_one(&self.pool).await.unwrap()
    }
}

/// Skills, bindings, a receiver and four sources; the address of each source.
async fn prepare(client: &Client, stand_in: &StandIn) -> Vec<String> {
    let skill = json!({
        "name": "Bench", "problem_description": "Something of the bench.",
        "sop": "1. check label instance exists\n2. check severity at least high\nconclude real issue: it is one\n",
    });
    let skill = client.post("/v1/dod/skills", &skill).await.ok()["stream"].clone();
    for n in 0..BINDINGS {
        let pattern = format!("Bench{n}");
        let binding =
            json!({ "alert_pattern": pattern, "pattern_kind": "keyword", "field": "alert_type", "skill_id": skill });
        client.post("/v1/dod/bindings", &binding).await.ok();
    }
    let mut urls = Vec::new();
    for n in 0..SENDERS {
        let receiver_im = format!("bench-{n}");
        let webhook = stand_in.slack_webhook(&receiver_im);
        let receiver =
            json!({ "name": receiver_im, "receiver_im": receiver_im, "im_type": "slack", "webhook_url": webhook });
        client.post("/v1/dod/receivers", &receiver).await.ok();
        let source = json!({ "name": format!("Bench {n}"), "receiver_im": receiver_im });
        let source = client.post("/v1/dod/sources", &source).await.ok();
        let tokens = format!("/v1/dod/sources/{}/tokens", source["stream"].as_str().unwrap());
        let token = client.post(&tokens, &json!({})).await.ok();
        urls.push(format!("{}{}", client.url, token["path"].as_str().unwrap()));
    }
    urls
}
