//! Loading: one pass over the book into tables that have primary keys only, then everything else.

use std::time::Instant;

use sqlx::postgres::PgConnection;
use tokio::sync::mpsc;
use tracing::warn;

use super::{Phase, Work};
use crate::error::PostError;
use crate::generation::{self, Generation, State, execute, loading_connection};
use crate::page::{Page, Parked};
use crate::park;
use crate::poster::{self, Poster};
use crate::sql;

/// Events folded at once. More makes fewer statements, and fewer rows that are written twice. Large
/// ones are fewer: the tail bounds the bytes of a page, which take several times as much in memory.
const WINDOW_EVENTS_MAX: i64 = 10_000;
/// Connections that make indexes at one time.
const INDEXING_CONNECTIONS: usize = 2;

pub(super) struct Loaded {
    pub load_seconds: f64,
    pub index_seconds: f64,
}

/// A new generation, posted up to the live one's checkpoint; to the end of the book, when it is the first or the live one is
/// ahead of that or misses tables.
pub(super) async fn load(work: &Work<'_>, connection: &mut PgConnection) -> Result<(Poster, Loaded), PostError> {
    // What was parked for want of a table is not to stay so.
    let live = work.live(connection).await?.filter(|live| !live.is_broken(&work.own));
    let live_parked = match &live {
        Some(live) => poster::parked(connection, work.context, live.number).await?,
        None => Parked::new(),
    };
    if live_parked.is_empty() {
        match load_fast(work, connection).await {
            Err(failed) if !failed.is_transient() => {
                warn!(context = work.context.name, error = %failed, "an event does not fit; loading with all constraints");
                // Another one: nobody knows what the failure left of the former.
                *connection = loading_connection(&work.pools.projector).await?;
                if let Some(failed) = Generation::find(connection, work.context, State::Building).await? {
                    failed.drop(connection, work.context).await?;
                }
            }
            loaded => return loaded,
        }
    }
    let is_same_code = live.is_some_and(|live| live.fingerprint == work.own);
    let kept = if is_same_code { live_parked } else { Parked::new() };
    load_with_care(work, connection, &kept).await
}

/// Nothing is expected to fail: windows are large, and constraints are checked at the end.
async fn load_fast(work: &Work<'_>, connection: &mut PgConnection) -> Result<(Poster, Loaded), PostError> {
    let started = Instant::now();
    let new = Generation::create(connection, work.context, State::Building, work.own.clone()).await?;
    let appended = without_keys(work, connection, &new.schema).await?;
    let mut poster = Poster::open(connection, work.context, new).await?;
    let copying = poster.beside(loading_connection(&work.pools.projector).await?);
    let loaded = load_all(work, connection, &mut poster).await;
    poster.within();
    copying
        .await
        .map_err(|error| sqlx::Error::Io(std::io::Error::other(error)))??;
    loaded?;
    let load_seconds = started.elapsed().as_secs_f64();

    let started = Instant::now();
    let position = poster.generation.position;
    work.told(Phase::Indexing, position, position);
    let schema = &poster.generation.schema;
    index(work, schema, appended, position).await?;
    analyze(work, schema, position).await?;
    Ok((
        poster,
        Loaded {
            load_seconds,
            index_seconds: started.elapsed().as_secs_f64(),
        },
    ))
}

async fn load_all(work: &Work<'_>, connection: &mut PgConnection, poster: &mut Poster) -> Result<(), PostError> {
    loop {
        let target = target(work, connection).await?;
        if poster.generation.position >= target {
            return Ok(());
        }
        load_windows(work, connection, poster, target).await?;
    }
}

/// As the projector posts, page by page under all constraints, so that what the live generation could
/// not post is parked here too. Streams that were parked only for a while are posted at the end.
async fn load_with_care(
    work: &Work<'_>,
    connection: &mut PgConnection,
    kept: &Parked,
) -> Result<(Poster, Loaded), PostError> {
    let started = Instant::now();
    let new = Generation::create(connection, work.context, State::Building, work.own.clone()).await?;
    generation::finish(connection, work.context, &new.schema).await?;
    let mut poster = Poster::open(connection, work.context, new).await?;
    loop {
        let target = target(work, connection).await?;
        if poster.generation.position >= target {
            break;
        }
        post_until(work, connection, &mut poster, target, Phase::Loading).await?;
    }
    park::unpark_all(connection, work.tail, &poster, None, kept).await?;
    analyze(work, &poster.generation.schema, poster.generation.position).await?;
    let generation = poster.generation.clone();
    let poster = Poster::open(connection, work.context, generation).await?;
    Ok((
        poster,
        Loaded {
            load_seconds: started.elapsed().as_secs_f64(),
            index_seconds: 0.0,
        },
    ))
}

async fn target(work: &Work<'_>, connection: &mut PgConnection) -> Result<i64, PostError> {
    match work.live(connection).await? {
        Some(live) if work.is_caught_up_with(&live) => Ok(live.position),
        Some(_) | None => Ok(work.tail.end().await?),
    }
}

/// While one window is written, the next one is read and decoded.
async fn load_windows(
    work: &Work<'_>,
    connection: &mut PgConnection,
    poster: &mut Poster,
    target: i64,
) -> Result<(), PostError> {
    let (sender, mut windows) = mpsc::channel(1);
    let (tail, context, from) = (work.tail.clone(), work.context, poster.generation.position);
    let reading = async move {
        let mut position = from;
        while position < target {
            let recorded = tail.after(position, WINDOW_EVENTS_MAX.min(target - position)).await?;
            let Some(last) = recorded.last() else { break };
            position = last.position;
            let page = tokio::task::spawn_blocking(move || Page::decode(context, position, recorded));
            let page = page
                .await
                .map_err(|error| sqlx::Error::Io(std::io::Error::other(error)))?;
            if sender.send(page).await.is_err() {
                break;
            }
        }
        drop(sender);
        Ok::<(), PostError>(())
    };
    // Neither is ever given up in the middle of a statement: each goes on until the other's end reaches it.
    let writing = async move {
        while let Some(page) = windows.recv().await {
            if let Some(unreadable) = page.parks.first() {
                let (position, error) = (unreadable.position, unreadable.error.clone());
                return Err(PostError::Unreadable { position, error });
            }
            for portion in page.portions(work.context) {
                poster.post_page(connection, &portion).await?;
                work.told(Phase::Loading, portion.to, target);
            }
        }
        Ok(())
    };
    let (read, written) = tokio::join!(reading, writing);
    written.and(read)
}

/// Posts pages as the projector does until `target`.
pub(super) async fn post_until(
    work: &Work<'_>,
    connection: &mut PgConnection,
    poster: &mut Poster,
    target: i64,
    phase: Phase,
) -> Result<(), PostError> {
    while poster.generation.position < target {
        let position = poster.generation.position;
        let limit = (target - position).min(crate::projector::PAGE_EVENTS_MAX as i64);
        match work.tail.after(position, limit).await {
            Ok(recorded) => {
                let Some(to) = recorded.last().map(|recorded| recorded.position) else {
                    return Ok(());
                };
                poster.post(connection, to, recorded).await?;
            }
            Err(error) if error.is_transient() => return Err(error.into()),
            Err(_) => step(work, connection, poster).await?,
        }
        work.told(phase, poster.generation.position, target);
    }
    Ok(())
}

/// As the projector passes an event that cannot be read at all: one by one.
async fn step(work: &Work<'_>, connection: &mut PgConnection, poster: &mut Poster) -> Result<(), PostError> {
    let position = poster.generation.position + 1;
    match work.tail.after(position - 1, 1).await {
        Ok(recorded) => poster.post(connection, position, recorded).await,
        Err(error) if error.is_transient() => Err(error.into()),
        Err(error) => poster.skip(connection, position, &error.to_string()).await,
    }
}

/// Takes the primary keys of tables to which rows are only appended, which nothing looks up while they
/// are loaded. Returns the statements that bring them back.
async fn without_keys(work: &Work<'_>, connection: &mut PgConnection, schema: &str) -> Result<Vec<String>, PostError> {
    let mut statements = Vec::new();
    let appended = work.context.tables.iter().filter(|projection| projection.appends());
    let appended = appended.map(|projection| projection.table());
    for table in appended.chain(work.context.audit.map(|audit| audit.table())) {
        let name = sql::name(schema, table.name);
        let (key, definition): (String, String) = sqlx::query_as(
            "select conname::text, pg_get_constraintdef(oid) from pg_constraint
             where conrelid = to_regclass($1) and contype = 'p'",
        )
        .bind(&name)
        .fetch_one(&mut *connection)
        .await?;
        execute(connection, &format!("alter table {name} drop constraint \"{key}\"")).await?;
        statements.push(format!("alter table {name} add constraint \"{key}\" {definition}"));
    }
    Ok(statements)
}

/// Keys, unique constraints and indexes on several connections at once; then foreign keys.
async fn index(work: &Work<'_>, schema: &str, keys: Vec<String>, position: i64) -> Result<(), PostError> {
    let statements = generation::finishing(work.context);
    let (foreign_keys, others): (Vec<_>, Vec<_>) = statements
        .into_iter()
        .partition(|statement| statement.contains("foreign key"));
    let mut connections = execute_all(work, schema, keys.into_iter().chain(others), position).await?;
    // One after the other, because each locks two tables.
    if let Some(connection) = connections.first_mut() {
        for statement in foreign_keys {
            execute(connection, &statement).await?;
            work.told(Phase::Indexing, position, position);
        }
    }
    Ok(())
}

/// Executes statements on several connections at once, in no order.
async fn execute_all(
    work: &Work<'_>,
    schema: &str,
    statements: impl Iterator<Item = String>,
    position: i64,
) -> Result<Vec<PgConnection>, PostError> {
    let queue = std::sync::Mutex::new(statements);
    let next = || queue.lock().ok().and_then(|mut queue| queue.next());
    let worker = || async {
        let mut connection = indexing_connection(work, schema).await?;
        while let Some(statement) = next() {
            execute(&mut connection, &statement).await?;
            work.told(Phase::Indexing, position, position);
        }
        Ok(connection)
    };
    futures::future::try_join_all((0..INDEXING_CONNECTIONS).map(|_| worker())).await
}

async fn indexing_connection(work: &Work<'_>, schema: &str) -> Result<PgConnection, PostError> {
    let mut connection = loading_connection(&work.pools.projector).await?;
    let settings =
        format!("set search_path = \"{schema}\", public; set maintenance_work_mem = '256MB'; set enable_seqscan = on");
    execute(&mut connection, &settings).await?;
    Ok(connection)
}

async fn analyze(work: &Work<'_>, schema: &str, position: i64) -> Result<(), PostError> {
    // The audit table first: it takes longest.
    let audit = work.context.audit.map(|audit| audit.table().name);
    let tables = work.context.tables.iter().map(|projection| projection.table().name);
    let statements = audit
        .into_iter()
        .chain(tables)
        .chain([sql::CHANGES])
        .map(|table| format!("analyze {}", sql::name(schema, table)));
    execute_all(work, schema, statements, position).await.map(|_| ())
}
