//! `/health/live`, `/health/ready` and `/metrics`: the truth about this process, for machines.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Utc};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use serde::Serialize;
use sqlx::Row as _;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::crew::RELAY;
use crate::problem::{self, Problem};

/// How long a worker may be silent, in seconds: longer than its slowest page.
const SILENCE_SECONDS_MAX: u64 = 65;
/// How old the first event may be that a context has not posted, in seconds.
const LAG_SECONDS_MAX: f64 = 10.0;
/// How often what was measured is folded into the histograms, in seconds.
const UPKEEP_SECONDS: u64 = 5;
/// How far the bus may be behind the book while the relay has trouble with it, in events.
const RELAY_EVENTS_MAX: i64 = 1_000;
/// For how long what a worker was stopped by counts, in seconds: while nobody else leads, it meets that again sooner.
const STOPPED_SECONDS_MAX: u64 = 20;
/// How often a worker fails in a row before that is told.
const FAILURES_TOLD: u32 = 3;
/// How long Postgres may take to answer the questions of a health check, in seconds.
const ANSWER_SECONDS_MAX: u64 = 3;

/// What `/health/ready` says: whether this process does what it is for. One that serves is ready when it can
/// append and answer reads, one that only works is ready when its workers do. Late tables, and workers that fail
/// beside a service, are told under `degraded`.
#[derive(Debug, Serialize)]
struct Ready {
    ready: bool,
    /// What keeps it from being ready, in words.
    problems: Vec<String>,
    /// What does not work and is done without: NATS is a cache of the book.
    degraded: Vec<String>,
    postgres: bool,
    nats: bool,
    /// The last position of the book.
    book: Option<i64>,
    contexts: BTreeMap<String, Posting>,
    workers: BTreeMap<String, Worker>,
}

/// How far a context is posted, whoever posts it.
#[derive(Debug, Serialize)]
struct Posting {
    position: i64,
    /// What made the tables.
    #[serde(skip)]
    fingerprint: String,
    lag_events: i64,
    /// The age of the first event that is not posted; or how long it was seen waiting, if that is longer.
    lag_seconds: f64,
    /// For how long it was seen not to move although events wait.
    #[serde(skip)]
    stands_seconds: f64,
}

/// A worker of this process.
#[derive(Debug, Serialize)]
struct Worker {
    leading: bool,
    position: i64,
    /// Events of the book that came after its position, when it last looked.
    behind: i64,
    /// How often it has failed in a row.
    failures: u32,
    /// What it could not do and keeps for another try: parked streams, missed reactions.
    set_aside: usize,
    /// The position of an event that only a newer program can work on, and that it does not go past.
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped_before: Option<i64>,
    seconds_since_beat: f64,
}

/// Since when contexts stand still although events wait for them, as far as health checks have seen. The
/// times of the book cannot tell: when the clock was set back, they run ahead of it.
#[derive(Debug, Default)]
pub struct Standing {
    contexts: Mutex<BTreeMap<String, (i64, Instant)>>,
    /// Whether the tables were once those of this program, and showed what was in the book when it started. From then on
    /// it serves, whatever becomes of them.
    began: AtomicBool,
}

impl Standing {
    /// For how many seconds the context has stood at this position with events waiting.
    fn seconds(&self, context: &str, position: i64, lag_events: i64, now: Instant) -> f64 {
        let mut standing = self.contexts.lock().unwrap_or_else(PoisonError::into_inner);
        if lag_events <= 0 {
            standing.remove(context);
            return 0.0;
        }
        let since = standing.entry(context.to_owned()).or_insert((position, now));
        if since.0 != position {
            *since = (position, now);
        }
        now.duration_since(since.1).as_secs_f64()
    }
}

/// The process runs.
pub async fn live() -> Response {
    Json(serde_json::json!({ "live": true })).into_response()
}

/// The process does what it is for.
pub async fn ready(State(app): State<App>) -> Response {
    let ready = look(&app).await;
    let status = if ready.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let mut response = (status, Json(ready)).into_response();
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    response
}

async fn look(app: &App) -> Ready {
    let mut ready = Ready {
        ready: false,
        problems: Vec::new(),
        degraded: Vec::new(),
        postgres: true,
        nats: app.workers.bus.is_connected(),
        book: None,
        contexts: BTreeMap::new(),
        workers: workers(app),
    };
    let probe = async { sqlx::query("select 1").execute(&app.pools.projector).await };
    if let Err(why) = in_time(probe).await {
        ready.postgres = false;
        ready.problems.push(format!("Postgres {why}"));
    }
    // Somebody may hold a lock on what tells how far things are: that alone is no reason not to serve.
    if ready.postgres {
        match in_time(postings(app)).await {
            Ok((end, contexts)) => (ready.book, ready.contexts) = (Some(end), contexts),
            Err(why) => ready
                .degraded
                .push(format!("how far the tables are cannot be read: Postgres {why}")),
        }
        match in_time(late_policies(app)).await {
            Ok(late) => ready.degraded.extend(late),
            Err(why) => ready
                .degraded
                .push(format!("how far the policies are cannot be read: Postgres {why}")),
        }
    }
    if let Some((since, commands)) = app.book.stalled() {
        let seconds = since.as_secs();
        ready.problems.push(format!(
            "no command has got through for {seconds} s, and {commands} are under way"
        ));
    }
    if ready.book.is_some() {
        tell_contexts(app, &mut ready);
    }
    tell_workers(app, &mut ready);
    if !ready.nats {
        ready
            .degraded
            .push("NATS is not connected; projectors read the book instead".to_owned());
    }
    let lost = app.workers.lost.load(Ordering::Relaxed);
    if lost > 0 {
        ready
            .degraded
            .push(format!("{lost} tasks of this process are gone: restart it"));
    }
    if app.stop.is_cancelled() {
        ready.problems.push("the process is stopping".to_owned());
    }
    ready.ready = ready.problems.is_empty();
    ready
}

/// What is to be said of the tables: of what a process that starts waits for, and of what is late.
fn tell_contexts(app: &App, ready: &mut Ready) {
    let mut has_begun = true;
    for context in app.contexts.tables() {
        let missing = not_begun(app, context, ready.contexts.get(context.name));
        if let Some(missing) = missing.filter(|_| !app.standing.began.load(Ordering::Relaxed)) {
            has_begun &= missing.is_hopeless;
            let is_awaited = app.serves_api && !missing.is_hopeless;
            let told = if is_awaited {
                &mut ready.problems
            } else {
                &mut ready.degraded
            };
            told.push(missing.words);
            continue;
        }
        match ready.contexts.get(context.name) {
            None => ready.degraded.push(format!("{} has no tables", context.name)),
            Some(posting) if posting.lag_seconds > LAG_SECONDS_MAX => {
                ready.degraded.push(format!(
                    "{} is {:.0} s behind the book",
                    context.name, posting.lag_seconds
                ));
            }
            Some(_) => {}
        }
    }
    if has_begun {
        app.standing.began.store(true, Ordering::Relaxed);
    }
}

/// What is to be said of the workers of this process.
fn tell_workers(app: &App, ready: &mut Ready) {
    for worker in ready.workers.values_mut() {
        // What a worker says of itself may be old: it may be failing, or waiting.
        let is_at_work = worker.leading || worker.failures > 0;
        let behind = ready.book.map_or(0, |end| end - worker.position);
        if is_at_work && worker.position > 0 {
            worker.behind = worker.behind.max(behind);
        }
    }
    for (name, worker) in &ready.workers {
        if worker.failures >= FAILURES_TOLD && (name != RELAY || ready.nats) {
            ready.degraded.push(format!(
                "the {name} has failed {} times in a row; see its log",
                worker.failures
            ));
        }
        if worker.behind > RELAY_EVENTS_MAX && name == RELAY {
            let words = format!(
                "the bus is {} events behind the book; see the relay's log",
                worker.behind
            );
            ready.degraded.push(words);
        }
        if worker.set_aside > 0 {
            let place = if name.starts_with("projector") {
                "parked"
            } else {
                "policies"
            };
            let words = format!("the {name} has set aside {}: see /v1/admin/{place}", worker.set_aside);
            ready.degraded.push(words);
        }
        if let Some(position) = worker.stopped_before {
            ready.degraded.push(format!(
                "the {name} stops before position {position}, which only a newer version can work on: run that"
            ));
        }
        if worker.seconds_since_beat > SILENCE_SECONDS_MAX as f64 {
            let words = format!("the {name} has been silent for {:.0} s", worker.seconds_since_beat);
            // Another process may lead, and commands and reads go on; without NATS the relay has nothing to say.
            if app.serves_api || (name == RELAY && !ready.nats) {
                ready.degraded.push(words)
            } else {
                ready.problems.push(words)
            }
        }
    }
}

/// What the database answers in time; what it did instead, in words.
async fn in_time<T>(asking: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, String> {
    let limit = Duration::from_secs(ANSWER_SECONDS_MAX);
    match tokio::time::timeout(limit, asking).await {
        Ok(answer) => answer.map_err(|error| {
            tracing::warn!(error = %error, "the health check has a question that was not answered");
            "does not answer".to_owned()
        }),
        Err(_) => Err(format!("has not answered within {ANSWER_SECONDS_MAX} s")),
    }
}

/// The policies that have not reacted to what happened a while ago, whoever is to run them.
async fn late_policies(app: &App) -> Result<Vec<String>, sqlx::Error> {
    let late: Vec<(String, f64)> = sqlx::query_as(
        "select p.name, extract(epoch from clock_timestamp() - e.recorded_at)::float8
         from book.policies p join book.events e on e.position = p.position + 1 order by p.name",
    )
    .fetch_all(&app.pools.writer)
    .await?;
    let policies = app.contexts.decisions().policies();
    let is_late = |(name, seconds): &(String, f64)| {
        *seconds > LAG_SECONDS_MAX && policies.iter().any(|policy| policy.name() == name)
    };
    let told = |(name, seconds)| {
        format!("the policy {name} has not looked at what happened {seconds:.0} s ago: nobody runs it, or it is stuck")
    };
    Ok(late.into_iter().filter(is_late).map(told).collect())
}

/// What a process lacks to begin to serve.
struct Missing {
    words: String,
    /// Whether waiting for it makes no sense: nobody posts.
    is_hopeless: bool,
}

/// What the tables of a context lack to be read by this program, which has just started.
fn not_begun(app: &App, context: &projections::Context, posting: Option<&Posting>) -> Option<Missing> {
    let name = context.name;
    let Some(posting) = posting else {
        return Some(Missing {
            words: format!("{name} has no tables yet"),
            is_hopeless: false,
        });
    };
    if app
        .fingerprints
        .get(name)
        .is_some_and(|ours| *ours != posting.fingerprint)
    {
        return Some(Missing {
            words: format!("the tables of {name} are another version's; those of this one are not there yet"),
            is_hopeless: false,
        });
    }
    (posting.position < app.began).then(|| Missing {
        words: format!(
            "{name} has yet to post {} events that were in the book when this process started",
            app.began - posting.position
        ),
        is_hopeless: posting.lag_seconds > LAG_SECONDS_MAX && posting.stands_seconds > LAG_SECONDS_MAX,
    })
}

async fn postings(app: &App) -> Result<(i64, BTreeMap<String, Posting>), sqlx::Error> {
    let rows = sqlx::query(
        "select g.context, g.position, g.fingerprint, book.last_position() as last,
                (select e.recorded_at from book.events e where e.position = g.position + 1) as waiting_since
         from (values (1)) as one(n) left join book.generations g on g.state = 'live'",
    )
    .fetch_all(&app.pools.projector)
    .await?;
    let (mut end, mut contexts) = (0, BTreeMap::new());
    for row in rows {
        end = row.try_get("last")?;
        let Some(context) = row.try_get::<Option<String>, _>("context")? else {
            continue;
        };
        let position: i64 = row.try_get("position")?;
        let waiting_since: Option<DateTime<Utc>> = row.try_get("waiting_since")?;
        let waits = waiting_since.map(|since| (Utc::now() - since).as_seconds_f64().max(0.0));
        let stands = app.standing.seconds(&context, position, end - position, Instant::now());
        contexts.insert(
            context,
            Posting {
                position,
                fingerprint: row.try_get("fingerprint")?,
                lag_events: end - position,
                lag_seconds: waits.unwrap_or(0.0).max(stands),
                stands_seconds: stands,
            },
        );
    }
    Ok((end, contexts))
}

fn workers(app: &App) -> BTreeMap<String, Worker> {
    let told = app.workers.statuses.iter().map(|(name, status)| {
        let status = *status.borrow();
        let worker = Worker {
            leading: status.leading,
            position: status.position,
            set_aside: status.set_aside,
            stopped_before: status
                .stopped_before
                .filter(|(_, met)| met.elapsed() < Duration::from_secs(STOPPED_SECONDS_MAX))
                .map(|(position, _)| position),
            behind: status.lag,
            failures: status.failures,
            seconds_since_beat: status.last_beat.elapsed().as_secs_f64(),
        };
        (name.clone(), worker)
    });
    told.collect()
}

static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Buckets of everything that is measured in seconds.
const SECONDS: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];
/// Buckets of the commands in one append.
const COMMANDS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// Makes the process's metrics collectable. All services of one process share them.
pub fn record_metrics() {
    RECORDER.get_or_init(|| {
        PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
            .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_commands".to_owned()), &COMMANDS))
            .and_then(PrometheusBuilder::install_recorder)
            .map_err(|error| tracing::warn!(error = %error, "there will be no metrics"))
            .ok()
    });
}

/// Folds what was measured into the histograms now and then, until `stop`: without it, measurements
/// would pile up for as long as nobody collects them.
pub async fn keep_up(stop: CancellationToken) {
    let Some(recorder) = RECORDER.get().and_then(Option::as_ref) else {
        return;
    };
    let every = Duration::from_secs(UPKEEP_SECONDS);
    while tokio::time::timeout(every, stop.cancelled()).await.is_err() {
        recorder.run_upkeep();
    }
}

/// The metrics in Prometheus' text form.
///
/// # Errors
/// 503 when there are none.
pub async fn metrics(State(app): State<App>) -> Result<Response, Problem> {
    let recorder = RECORDER.get().and_then(Option::as_ref);
    let recorder = recorder.ok_or_else(|| Problem::new(problem::UNAVAILABLE, "this process has no metrics"))?;
    metrics::gauge!("daybook_book_position").set(*app.end.borrow() as f64);
    let end = *app.end.borrow();
    for (name, status) in &app.workers.statuses {
        let status = *status.borrow();
        let (kind, of) = name.split_once(' ').unwrap_or((name, ""));
        let is_at_work = status.position > 0 && (status.leading || status.failures > 0);
        let behind = if is_at_work { (end - status.position).max(0) } else { 0 };
        match kind {
            "projector" => metrics::gauge!("daybook_projector_lag", "context" => of.to_owned()).set(behind as f64),
            "policy" => metrics::gauge!("daybook_policy_lag", "policy" => of.to_owned()).set(behind as f64),
            RELAY => metrics::gauge!("daybook_relay_lag").set(behind as f64),
            _ => {}
        }
        metrics::gauge!("daybook_worker_failing", "worker" => name.clone()).set(f64::from(status.failures));
    }
    for context in app.contexts.iter() {
        (context.measure)(&app);
    }
    metrics::gauge!("daybook_nats_connected").set(if app.workers.bus.is_connected() { 1.0 } else { 0.0 });
    for (pool, name) in [
        (&app.pools.writer, "writer"),
        (&app.pools.projector, "projector"),
        (&app.pools.reader, "reader"),
    ] {
        metrics::gauge!("daybook_pool_connections", "pool" => name).set(f64::from(pool.size()));
        metrics::gauge!("daybook_pool_idle", "pool" => name).set(pool.num_idle() as f64);
    }
    recorder.run_upkeep();
    Ok((
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        recorder.render(),
    )
        .into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_that_does_not_move_while_events_wait_is_seen_to_stand() {
        let (standing, start) = (Standing::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(standing.seconds("a", 5, 3, at(0)), 0.0);
        assert_eq!(standing.seconds("a", 5, 9, at(20)), 20.0);
        assert_eq!(standing.seconds("b", 5, 9, at(20)), 0.0);
        // It moved, though it is as far behind as before.
        assert_eq!(standing.seconds("a", 6, 9, at(30)), 0.0);
        assert_eq!(standing.seconds("a", 6, 0, at(40)), 0.0);
        assert_eq!(standing.seconds("a", 6, 1, at(50)), 0.0);
    }
}
