//! `/health/live`, `/health/ready` and `/metrics`: the truth about this process, for machines.

mod contexts;
mod elsewhere;
mod metrics;
mod seals;
mod standing;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde::Serialize;

use crate::app::App;
use crate::crew::{POLICY, PROJECTOR, RELAY, TIMERS};
use crate::problem::Problem;

pub use metrics::{keep_up, metrics, record_metrics};
pub use standing::{ATTEMPTS_AWAITED_MAX, Standing};

use contexts::Posting;
use seals::Seals;

/// How long a worker may be silent, in seconds: longer than its slowest page.
const SILENCE_SECONDS_MAX: u64 = 65;
/// How old the first event may be that a context has not posted, in seconds.
const LAG_SECONDS_MAX: f64 = 10.0;
/// How long what is to be done outside may be due, or fail again and again, in seconds.
const PERFORMED_SECONDS_MAX: f64 = 60.0;
/// How far the bus may be behind the book while the relay has trouble with it, in events.
const RELAY_EVENTS_MAX: i64 = 1_000;
/// For how long what a worker was stopped by counts, in seconds: while nobody else leads, it meets that again sooner.
const STOPPED_SECONDS_MAX: u64 = 20;
/// How often a worker fails in a row before that is told.
const FAILURES_TOLD: u32 = 3;
/// How long Postgres may take to answer the questions of a health check, in seconds.
const ANSWER_SECONDS_MAX: u64 = 3;

/// What `/health/ready` says: whether this process does what it is for. One that serves is ready when it can
/// append and answer reads, one that only works is ready when its workers do.
///
/// A context's tables can keep it from that only while it starts: until they were once this program's and showed what
/// was in the book by then, or nobody works on them any more. Somebody does while the tables are posted, and while any
/// context is rebuilt: a rebuild beats within a long step, too, until it ends or is given up, and is awaited
/// five times. Tables that are ahead of the book keep every process from it until they are rebuilt: their rows are wrong.
/// What else one context lacks after that, late, parked, rebuilt or another version's, is told
/// under `degraded`, and what a context's workers lack beside a service or beside those of others, too.
#[derive(Debug, Serialize, JsonSchema)]
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
    /// Whether it is sealed, and how far.
    #[serde(skip_serializing_if = "Option::is_none")]
    seals: Option<Seals>,
    contexts: BTreeMap<&'static str, Posting>,
    workers: BTreeMap<String, Worker>,
}

/// A worker of this process.
#[derive(Debug, Serialize, JsonSchema)]
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
    /// How many attempts outside have failed in a row, and for how many seconds.
    #[serde(skip)]
    failing: Option<(u32, f64)>,
}

/// What `/health/live` says.
#[derive(Debug, Serialize, JsonSchema)]
struct Live {
    live: bool,
}

/// The schemas of the answers, by the names that the OpenAPI document has for them.
pub fn schemas() -> [(&'static str, Schema); 2] {
    let settings = || {
        SchemaSettings::draft2020_12().with(|settings| {
            settings.meta_schema = None;
            settings.inline_subschemas = true;
        })
    };
    [
        ("Live", settings().into_generator().into_root_schema_for::<Live>()),
        ("Ready", settings().into_generator().into_root_schema_for::<Ready>()),
    ]
}

/// The process runs.
pub async fn live() -> Response {
    Json(Live { live: true }).into_response()
}

/// The process does what it is for.
pub async fn ready(State(app): State<App>) -> Response {
    match told(&app).await {
        Ok((status, ready)) => {
            let headers = [
                (header::CONTENT_TYPE, "application/json"),
                (header::CACHE_CONTROL, "no-store"),
            ];
            (status, headers, ready).into_response()
        }
        Err(error) => Problem::internal(&error).into_response(),
    }
}

/// What is said of this process, as all who ask at one time are told, and as metrics have it.
async fn told(app: &App) -> Result<(StatusCode, Bytes), serde_json::Error> {
    let telling = async {
        let ready = look(app).await;
        ::metrics::gauge!("daybook_ready").set(if ready.ready { 1.0 } else { 0.0 });
        ::metrics::gauge!("daybook_degraded").set(ready.degraded.len() as f64);
        let status = match ready.ready {
            true => StatusCode::OK,
            false => StatusCode::SERVICE_UNAVAILABLE,
        };
        serde_json::to_vec(&ready).map(|ready| (status, Bytes::from(ready)))
    };
    app.ready.ask(telling).await
}

async fn look(app: &App) -> Ready {
    let mut ready = Ready {
        ready: false,
        problems: Vec::new(),
        degraded: Vec::new(),
        postgres: true,
        nats: app.workers.bus.is_connected(),
        book: None,
        seals: None,
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
        match in_time(contexts::postings(app)).await {
            Ok((end, contexts)) => (ready.book, ready.contexts) = (Some(end), contexts),
            Err(why) => ready
                .degraded
                .push(format!("how far the tables are cannot be read: Postgres {why}")),
        }
        seals::tell(app, &mut ready).await;
        match in_time(elsewhere::late_policies(app)).await {
            Ok(late) => ready.degraded.extend(late),
            Err(why) => ready
                .degraded
                .push(format!("how far the policies are cannot be read: Postgres {why}")),
        }
        match in_time(elsewhere::late_reactors(app)).await {
            Ok(late) => ready.degraded.extend(late),
            Err(why) => ready
                .degraded
                .push(format!("how far the reactors are cannot be read: Postgres {why}")),
        }
        match in_time(elsewhere::nobody_relays(app)).await {
            Ok(told) => ready.degraded.extend(told),
            Err(why) => ready
                .degraded
                .push(format!("whether anybody relays cannot be read: Postgres {why}")),
        }
    }
    if let Some((since, commands)) = app.book.stalled() {
        let seconds = since.as_secs();
        let under_way = match commands {
            0 => String::new(),
            some => format!(", and {some} are under way"),
        };
        let words = format!("no command has got through for {seconds} s{under_way}");
        ready.problems.push(words);
    }
    if app.book.is_behind() {
        let words = "the master key was replaced while this process could not follow: restart it with the new DAYBOOK_MASTER_KEY";
        ready.problems.push(words.to_owned());
    }
    if ready.book.is_some() {
        contexts::tell(app, &mut ready);
    }
    tell_workers(app, &mut ready);
    if !ready.nats {
        let why = match app.workers.bus.lets_in_anybody() {
            true => "lets in everybody and is not used: give it users, or set DAYBOOK_NATS_OPEN=1",
            false => "is not connected",
        };
        let words = format!("NATS {why}; projectors read the book instead");
        ready.degraded.push(words);
    }
    ready
        .degraded
        .extend(app.mechanisms.iter().filter_map(|trouble| trouble()));
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

/// What is to be said of the workers of this process.
fn tell_workers(app: &App, ready: &mut Ready) {
    for worker in ready.workers.values_mut() {
        // What a worker says of itself may be old: it may be failing, or waiting.
        let is_at_work = worker.leading || worker.failures > 0;
        let behind = ready.book.map_or(0, |end| end - worker.position);
        // One that leads and is nowhere yet says by itself what it knows to lack.
        if is_at_work && worker.position > 0 {
            worker.behind = worker.behind.max(behind);
        }
    }
    let mut projectors = ready.workers.iter().filter(|(name, _)| name.starts_with(PROJECTOR));
    let are_projectors_silent = projectors.all(|(_, worker)| is_silent(worker));
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
            let place = match name.split(' ').next() {
                Some(PROJECTOR) => "parked",
                Some(POLICY | TIMERS) => "policies",
                Some(_) | None => "reactors",
            };
            let words = format!("the {name} has set aside {}: see /v1/admin/{place}", worker.set_aside);
            ready.degraded.push(words);
        }
        if let Some((count, seconds)) = worker.failing
            && count >= FAILURES_TOLD
            && seconds > PERFORMED_SECONDS_MAX
        {
            ready.degraded.push(format!(
                "the {name} has got nothing done for {seconds:.0} s: its last {count} attempts have failed; see its log"
            ));
        }
        if let Some(position) = worker.stopped_before {
            ready.degraded.push(format!(
                "the {name} stops before position {position}, which only a newer version can work on: run that"
            ));
        }
        if is_silent(worker) {
            let words = format!("the {name} has been silent for {:.0} s", worker.seconds_since_beat);
            // Another process may lead, and commands and reads go on; without NATS the relay has nothing to say; and
            // one context's projector takes no other's out of service.
            let is_one_of_many = name.starts_with(PROJECTOR) && !are_projectors_silent;
            if app.serves_api || is_one_of_many || (name == RELAY && !ready.nats) {
                ready.degraded.push(words)
            } else {
                ready.problems.push(words)
            }
        }
    }
}

fn is_silent(worker: &Worker) -> bool {
    worker.seconds_since_beat > SILENCE_SECONDS_MAX as f64
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
            failing: status
                .failing
                .filter(|_| status.leading)
                .map(|(count, since)| (count, since.elapsed().as_secs_f64())),
        };
        (name.clone(), worker)
    });
    told.collect()
}
