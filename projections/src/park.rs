//! Parked streams: what a context could not post, and the way back.

use book::Tail;
use chrono::{DateTime, Utc};
use domain::Recorded;
use sqlx::postgres::{PgConnection, PgPool};
use sqlx::{Connection as _, FromRow};
use tracing::info;
use uuid::Uuid;

use crate::audit::Turn;
use crate::context::Context;
use crate::error::PostError;
use crate::generation::{Generation, State, execute, posting_connection};
use crate::ledger::Ledger;
use crate::page::{Page, Parked, Stream};

/// A stream that is not posted, and why.
#[derive(Debug, Clone, FromRow)]
pub struct ParkedStream {
    pub aggregate_type: String,
    pub aggregate_id: Uuid,
    pub tenant_id: Uuid,
    /// The first event that is not posted.
    pub position: i64,
    pub error: String,
    pub parked_at: DateTime<Utc>,
}

/// What came of un-parking.
#[derive(Debug, Clone, Default)]
pub struct Unparked {
    pub posted: Vec<Stream>,
    /// Streams that still cannot be posted, and why.
    pub parked: Vec<(Stream, String)>,
}

/// The streams that the live generation does not post, earliest first.
///
/// # Errors
/// The database's error.
pub async fn parked(pool: &PgPool, context: &Context) -> Result<Vec<ParkedStream>, sqlx::Error> {
    sqlx::query_as(
        "select p.aggregate_type, p.aggregate_id, p.tenant_id, p.position, p.error, p.parked_at
         from book.parked p join book.generations g using (context, generation)
         where context = $1 and g.state = 'live' order by p.position",
    )
    .bind(context.name)
    .fetch_all(pool)
    .await
}

/// Posts the events of a parked stream (or of all) that were left out, then of the others that may
/// have waited for it, until nothing more can be posted.
///
/// # Errors
/// What may pass when tried again. A stream that cannot be posted is no error; it stays parked.
pub async fn unpark(
    pool: &PgPool,
    tail: &Tail,
    context: &'static Context,
    stream: Option<&Stream>,
) -> Result<Unparked, PostError> {
    let mut connection = posting_connection(pool).await?;
    let live = Generation::find(&mut connection, context, State::Live).await?;
    let live = live.ok_or(PostError::NoGeneration { context: context.name })?;
    if live.fingerprint != context.fingerprint().map_err(PostError::Golden)? {
        return Err(PostError::OtherVersion {
            context: context.name,
            generation: live.number,
        });
    }
    let ledger = Ledger::open(&mut connection, context, live).await?;
    unpark_all(&mut connection, tail, &ledger, stream, &Parked::new()).await
}

/// As [`unpark`] for any generation, leaving alone the streams in `except`.
pub(crate) async fn unpark_all(
    connection: &mut PgConnection,
    tail: &Tail,
    ledger: &Ledger,
    first: Option<&Stream>,
    except: &Parked,
) -> Result<Unparked, PostError> {
    let mut outcome = Unparked::default();
    let mut waiting = waiting(connection, ledger).await?;
    waiting.retain(|stream| !except.contains(stream));
    if let Some(first) = first {
        if !waiting.contains(first) {
            return Ok(outcome);
        }
        if let Some(error) = replay(connection, tail, ledger, first).await? {
            outcome.parked.push((first.clone(), error));
            return Ok(outcome);
        }
        outcome.posted.push(first.clone());
        waiting.retain(|stream| stream != first);
    }
    loop {
        let posted_before = outcome.posted.len();
        outcome.parked.clear();
        for stream in std::mem::take(&mut waiting) {
            match replay(connection, tail, ledger, &stream).await? {
                None => outcome.posted.push(stream),
                Some(error) => {
                    outcome.parked.push((stream.clone(), error));
                    waiting.push(stream);
                }
            }
        }
        if outcome.posted.len() == posted_before {
            return Ok(outcome);
        }
    }
}

/// Posts a parked stream up to the checkpoint; why not, when it still cannot be posted.
async fn replay(
    connection: &mut PgConnection,
    tail: &Tail,
    ledger: &Ledger,
    stream: &Stream,
) -> Result<Option<String>, PostError> {
    match attempt(connection, tail, ledger, stream).await {
        Ok(()) => {
            info!(context = ledger.context.name, aggregate_type = stream.0, id = %stream.1, "un-parked a stream");
            Ok(None)
        }
        Err(failed) if failed.is_transient() => Err(failed),
        Err(failed) => {
            let error = failed.to_string();
            sqlx::query(
                "update book.parked set error = $5
                 where context = $1 and generation = $2 and aggregate_type = $3 and aggregate_id = $4",
            )
            .bind(ledger.context.name)
            .bind(ledger.generation.number)
            .bind(&stream.0)
            .bind(stream.1)
            .bind(&error)
            .execute(connection)
            .await?;
            Ok(Some(error))
        }
    }
}

async fn attempt(
    connection: &mut PgConnection,
    tail: &Tail,
    ledger: &Ledger,
    stream: &Stream,
) -> Result<(), PostError> {
    let (context, generation) = (ledger.context, &ledger.generation);
    let mut transaction = connection.begin().await?;
    // Held until the commit, so that the projector posts what comes later only after it.
    let now = Generation::lock(&mut transaction, context, generation.state).await?;
    let now = now
        .filter(|now| now.number == generation.number)
        .ok_or(PostError::Moved)?;
    let from: Option<i64> = sqlx::query_scalar(
        "delete from book.parked where context = $1 and generation = $2 and aggregate_type = $3 and aggregate_id = $4
         returning position",
    )
    .bind(context.name)
    .bind(generation.number)
    .bind(&stream.0)
    .bind(stream.1)
    .fetch_optional(&mut *transaction)
    .await?;
    let Some(from) = from else { return Ok(()) };
    let mut recorded: Vec<Recorded<String>> = tail.stream(&stream.0, stream.1, from).await?;
    recorded.retain(|recorded| recorded.position <= now.position);
    let page = Page::decode(context, now.position, recorded);
    if let Some(unreadable) = page.parks.first() {
        return Err(PostError::Unreadable {
            position: unreadable.position,
            error: unreadable.error.clone(),
        });
    }
    ledger.write(&mut transaction, &page.events, Turn::Late).await?;
    execute(&mut transaction, "set constraints all immediate").await?;
    transaction.commit().await?;
    Ok(())
}

async fn waiting(connection: &mut PgConnection, ledger: &Ledger) -> Result<Vec<Stream>, sqlx::Error> {
    sqlx::query_as(
        "select aggregate_type, aggregate_id from book.parked where context = $1 and generation = $2 order by position",
    )
    .bind(ledger.context.name)
    .bind(ledger.generation.number)
    .fetch_all(connection)
    .await
}
