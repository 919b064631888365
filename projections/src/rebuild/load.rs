//! Loading: one pass over the book into tables that have primary keys only, then everything else.

use std::time::Instant;

use sqlx::postgres::PgConnection;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::warn;

use super::{Phase, Work, finish};
use crate::error::PostError;
use crate::generation::{self, Generation, State, loading_connection};
use crate::page::{Page, Parked};
use crate::park;
use crate::poster::{self, Poster};

/// Events folded at once. More makes fewer statements, and fewer rows that are written twice; fewer keep all hands busy, since
/// nothing is folded before the first window is read, and nothing while rows of the last one are copied. Large
/// ones are fewer: the tail bounds the bytes of a page, which take several times as much in memory.
const WINDOW_EVENTS_MAX: i64 = 5_000;

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

/// Nothing is expected to fail: windows are large, and constraints are checked at the end. The book is read from the
/// outset, also while the tables are still being made.
async fn load_fast(work: &Work<'_>, connection: &mut PgConnection) -> Result<(Poster, Loaded), PostError> {
    let started = Instant::now();
    let first = target(work, connection).await?;
    let (windows, read) = mpsc::channel(1);
    let making = make(work, connection, first, read);
    // Neither is ever given up in the middle of a statement: each goes on until the other's end reaches it.
    let (reading, made) = tokio::join!(read_windows(work, 0, first, windows), making);
    let Made {
        mut poster,
        keys,
        copying,
        written,
    } = made?;
    let loaded = match written.and(reading) {
        Ok(()) => load_all(work, connection, &mut poster).await,
        Err(failed) => Err(failed),
    };
    poster.within();
    copying
        .await
        .map_err(|error| sqlx::Error::Io(std::io::Error::other(error)))??;
    loaded?;
    let load_seconds = started.elapsed().as_secs_f64();

    let started = Instant::now();
    let position = poster.generation.position;
    work.told(Phase::Indexing, position, position);
    finish::finish(work, &poster.generation.schema, keys, position).await?;
    Ok((
        poster,
        Loaded {
            load_seconds,
            index_seconds: started.elapsed().as_secs_f64(),
        },
    ))
}

/// A generation that is being loaded.
struct Made {
    poster: Poster,
    /// The statements that bring back what was taken from its tables.
    keys: Vec<String>,
    /// Whoever copies rows beside.
    copying: JoinHandle<Result<(), PostError>>,
    /// What became of the windows.
    written: Result<(), PostError>,
}

/// Makes a generation, and writes the windows into it.
async fn make(
    work: &Work<'_>,
    connection: &mut PgConnection,
    target: i64,
    windows: mpsc::Receiver<Page>,
) -> Result<Made, PostError> {
    let new = Generation::create(connection, work.context, State::Building, work.own.clone()).await?;
    let keys = finish::without_keys(work, connection, &new.schema).await?;
    let mut poster = Poster::open(connection, work.context, new).await?;
    let copying = poster.beside(loading_connection(&work.pools.projector).await?);
    let written = write_windows(work, connection, &mut poster, target, windows).await;
    Ok(Made {
        poster,
        keys,
        copying,
        written,
    })
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
    finish::analyze(work, &poster.generation.schema, poster.generation.position).await?;
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
    let (windows, read) = mpsc::channel(1);
    let reading = read_windows(work, poster.generation.position, target, windows);
    // Neither is ever given up in the middle of a statement: each goes on until the other's end reaches it.
    let (reading, written) = tokio::join!(reading, write_windows(work, connection, poster, target, read));
    written.and(reading)
}

async fn read_windows(
    work: &Work<'_>,
    mut position: i64,
    target: i64,
    windows: mpsc::Sender<Page>,
) -> Result<(), PostError> {
    let (tail, context) = (work.tail.clone(), work.context);
    while position < target {
        let recorded = tail.after(position, WINDOW_EVENTS_MAX.min(target - position)).await?;
        let Some(last) = recorded.last() else { break };
        position = last.position;
        let page = tokio::task::spawn_blocking(move || Page::decode(context, position, recorded));
        let page = page
            .await
            .map_err(|error| sqlx::Error::Io(std::io::Error::other(error)))?;
        if windows.send(page).await.is_err() {
            break;
        }
    }
    Ok(())
}

async fn write_windows(
    work: &Work<'_>,
    connection: &mut PgConnection,
    poster: &mut Poster,
    target: i64,
    mut windows: mpsc::Receiver<Page>,
) -> Result<(), PostError> {
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
