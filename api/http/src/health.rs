//! `/health/live`, `/health/ready` and `/metrics`: the truth about this process, for machines.

mod metrics;
mod seals;
mod standing;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Utc};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde::Serialize;
use sqlx::Row as _;

use crate::app::App;
use crate::crew::{PROJECTOR, RELAY};

pub use metrics::{keep_up, metrics, record_metrics};
pub use standing::{ATTEMPTS_AWAITED_MAX, Standing};

use seals::Seals;
use standing::Told;

/// How long a worker may be silent, in seconds: longer than its slowest page.
const SILENCE_SECONDS_MAX: u64 = 65;
/// How old the first event may be that a context has not posted, in seconds.
const LAG_SECONDS_MAX: f64 = 10.0;
/// For how long a process that starts waits for tables of its own while no rebuild of any context gets on, in seconds.
/// A rebuild that is under way gets on for as long as those who rebuild grant each of its steps.
const AWAITED_SECONDS_MAX: f64 = 300.0;
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

/// How far a context is posted, whoever posts it.
#[derive(Debug, Serialize, JsonSchema)]
struct Posting {
    /// Whose the live tables are.
    tables: Whose,
    /// 0 without tables.
    position: i64,
    lag_events: i64,
    /// The age of the first event that is not posted; or how long it was seen waiting, if that is longer.
    lag_seconds: f64,
    /// Where the tables are that are being built beside the live ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    rebuilt_to: Option<i64>,
    /// What is being done to tables that are built beside the live ones, or taken back: `loading`, `indexing`,
    /// `comparing` or `swapping`.
    #[serde(skip_serializing_if = "Option::is_none")]
    rebuild: Option<String>,
    /// Whether this process has waited for them once, and serves whatever becomes of them.
    begun: bool,
    /// Whether they are ahead of the book: their rows are wrong, not served, and being rebuilt.
    ahead: bool,
    /// For how long it was seen not to move although events wait.
    #[serde(skip)]
    stands_seconds: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Whose {
    /// Made by the code that this program has.
    Own,
    /// Made by other code: the rows may be others.
    AnotherVersions,
    /// There are none yet.
    None,
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
        match in_time(postings(app)).await {
            Ok((end, contexts)) => (ready.book, ready.contexts) = (Some(end), contexts),
            Err(why) => ready
                .degraded
                .push(format!("how far the tables are cannot be read: Postgres {why}")),
        }
        seals::tell(app, &mut ready).await;
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
        let why = match app.workers.bus.lets_in_anybody() {
            true => "lets in everybody and is not used: give it users, or set DAYBOOK_NATS_OPEN=1",
            false => "is not connected",
        };
        let words = format!("NATS {why}; projectors read the book instead");
        ready.degraded.push(words);
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
    let rebuilds_stand_seconds = app.standing.rebuilds_stand_seconds(Instant::now());
    for (&name, posting) in &mut ready.contexts {
        if posting.ahead {
            let words = "are ahead of the book, so their rows are wrong: they are not served, and are rebuilt";
            ready.problems.push(format!("the tables of {name} {words}"));
        }
        if !app.fingerprints.contains_key(name) {
            app.standing.begins(name);
            posting.begun = true;
            ready.degraded.push(format!(
                "this version neither posts nor rebuilds the tables of {name}, whose golden history it cannot fold; see \
                 its log"
            ));
            continue;
        }
        if !posting.begun {
            match missing(name, posting, app.began, rebuilds_stand_seconds) {
                Some(words) if app.serves_api => {
                    ready.problems.push(words);
                    continue;
                }
                Some(words) => {
                    ready.degraded.push(words);
                    continue;
                }
                None => {
                    app.standing.begins(name);
                    posting.begun = true;
                }
            }
        }
        match posting.tables {
            Whose::None => ready.degraded.push(format!("{name} has no tables")),
            Whose::AnotherVersions => ready
                .degraded
                .push(format!("the tables of {name} are another version's")),
            Whose::Own => {}
        }
        if posting.lag_seconds > LAG_SECONDS_MAX {
            let seconds = posting.lag_seconds;
            ready.degraded.push(format!("{name} is {seconds:.0} s behind the book"));
        }
    }
}

/// What the tables of a context lack to be read by this program, which has just started; `None` also once waiting for
/// it makes no sense, because nobody posts or rebuilds them.
fn missing(name: &str, posting: &Posting, began: i64, rebuilds_stand_seconds: f64) -> Option<String> {
    let words = match posting.tables {
        Whose::None => format!("{name} has no tables yet"),
        Whose::AnotherVersions => {
            format!("the tables of {name} are another version's; those of this one are not there yet")
        }
        Whose::Own => {
            let is_late = posting.lag_seconds > LAG_SECONDS_MAX && posting.stands_seconds > LAG_SECONDS_MAX;
            let stands = is_late && posting.rebuild.is_none();
            let behind = began - posting.position;
            return (behind > 0 && !stands).then(|| {
                format!("{name} has yet to post {behind} events that were in the book when this process started")
            });
        }
    };
    // Contexts are rebuilt one after another: while one gets on, the others have their turn to come.
    (rebuilds_stand_seconds <= AWAITED_SECONDS_MAX).then_some(words)
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
            let place = if name.starts_with(PROJECTOR) {
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

async fn postings(app: &App) -> Result<(i64, BTreeMap<&'static str, Posting>), sqlx::Error> {
    let names: Vec<&str> = app.contexts.tables().map(|context| context.name).collect();
    let rows = sqlx::query(
        "select c.name, g.generation, g.position, g.fingerprint, b.position as rebuilt_to, r.phase,
                g.ahead_since is not null as ahead, coalesce(r.beats, 0) as beats, coalesce(r.failures, 0) as failures,
                (select e.recorded_at from book.events e where e.position = g.position + 1) as waiting_since
         from unnest($1::text[]) with ordinality c(name, place)
         left join book.generations g on g.context = c.name and g.state = 'live'
         left join lateral (select max(b.position) as position from book.generations b
                            where b.context = c.name and b.state = 'building') b on true
         left join book.rebuilds r on r.context = c.name
         order by c.place",
    )
    .bind(names)
    .fetch_all(&app.pools.projector)
    .await?;
    // By itself, for a program without tables has an end of the book, too; last, so that no context is beyond it.
    let end: i64 = sqlx::query_scalar("select book.last_position()")
        .fetch_one(&app.pools.projector)
        .await?;
    let (mut contexts, now) = (BTreeMap::new(), Instant::now());
    for (row, context) in rows.iter().zip(app.contexts.tables()) {
        let generation: Option<i64> = row.try_get("generation")?;
        let position = row.try_get::<Option<i64>, _>("position")?.unwrap_or(0);
        let fingerprint: Option<&str> = row.try_get("fingerprint")?;
        let rebuilt_to: Option<i64> = row.try_get("rebuilt_to")?;
        let waiting_since: Option<DateTime<Utc>> = row.try_get("waiting_since")?;
        let waits = waiting_since.map(|since| (Utc::now() - since).as_seconds_f64().max(0.0));
        let stands = app.standing.seconds(context.name, position, end - position, now);
        let told = Told {
            reached: (generation.unwrap_or(0), rebuilt_to.unwrap_or(0)),
            beats: row.try_get("beats")?,
            failures: row.try_get("failures")?,
        };
        app.standing.rebuilt(context.name, told, now);
        let phase: Option<String> = row.try_get("phase")?;
        let posting = Posting {
            tables: match fingerprint {
                None => Whose::None,
                Some(live) if app.fingerprints.get(context.name).is_some_and(|own| own == live) => Whose::Own,
                Some(_) => Whose::AnotherVersions,
            },
            position,
            lag_events: (end - position).max(0),
            lag_seconds: waits.unwrap_or(0.0).max(stands),
            rebuilt_to,
            rebuild: phase.filter(|_| app.standing.is_rebuilding(context.name, now)),
            begun: app.standing.has_begun(context.name),
            ahead: row.try_get::<bool, _>("ahead")? || position > end,
            stands_seconds: stands,
        };
        contexts.insert(context.name, posting);
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

#[cfg(test)]
mod tests {
    use super::*;

    const STANDS: f64 = AWAITED_SECONDS_MAX + 1.0;

    fn posting(tables: Whose, position: i64, stands_seconds: f64) -> Posting {
        Posting {
            tables,
            position,
            lag_events: 10 - position,
            lag_seconds: stands_seconds,
            rebuilt_to: None,
            rebuild: None,
            begun: false,
            ahead: false,
            stands_seconds,
        }
    }

    #[test]
    fn a_process_that_starts_waits_for_tables_only_while_they_get_on() {
        let is_awaited = |tables, position, stands, rebuilds| {
            missing("sample", &posting(tables, position, stands), 10, rebuilds).is_some()
        };
        for tables in [Whose::None, Whose::AnotherVersions] {
            assert!(is_awaited(tables, 0, 0.0, 0.0) && is_awaited(tables, 10, 0.0, AWAITED_SECONDS_MAX));
            assert!(!is_awaited(tables, 0, 0.0, STANDS));
        }
        assert!(is_awaited(Whose::Own, 9, 0.0, STANDS));
        assert!(!is_awaited(Whose::Own, 9, LAG_SECONDS_MAX + 1.0, 0.0));
        assert!(!is_awaited(Whose::Own, 10, 0.0, 0.0));
    }

    #[test]
    fn tables_that_stand_still_are_awaited_while_they_are_rebuilt() {
        let mut posting = posting(Whose::Own, 0, LAG_SECONDS_MAX + 1.0);
        assert_eq!(missing("sample", &posting, 10, 0.0), None);
        posting.rebuild = Some("indexing".to_owned());
        assert!(missing("sample", &posting, 10, 0.0).is_some());
    }
}
