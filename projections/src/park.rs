//! Parked streams: what a context could not post, and the way back.

use book::Tail;
use chrono::{DateTime, Utc};
use domain::{AnyEvent, Recorded};
use sqlx::Connection as _;
use sqlx::postgres::{PgConnection, PgPool};
use tracing::info;
use uuid::Uuid;

use crate::audit::Turn;
use crate::context::Context;
use crate::error::PostError;
use crate::generation::{self, Generation, State, execute, posting_connection};
use crate::page::{Page, Parked, Parking, Stream};
use crate::poster::Poster;

/// How long the server lets one page of a parked stream take, in seconds: it holds the checkpoint.
const PAGE_SECONDS_MAX: u64 = 60;

/// A stream that is not posted, and why.
#[derive(Debug, Clone)]
pub struct ParkedStream {
    pub aggregate_type: String,
    pub aggregate_id: Uuid,
    pub tenant_id: Uuid,
    /// The first event that is not posted.
    pub position: i64,
    pub error: String,
    pub parked_at: DateTime<Utc>,
}

book::from_row!(ParkedStream {
    aggregate_type,
    aggregate_id,
    tenant_id,
    position,
    error,
    parked_at
});

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
    let own = context.fingerprint().map_err(PostError::Golden)?;
    if live.is_broken(&own) {
        return Err(PostError::Missing { context: context.name });
    }
    if live.fingerprint != own {
        return Err(PostError::OtherVersion {
            context: context.name,
            generation: live.number,
        });
    }
    if live.is_ahead {
        return Err(PostError::Ahead {
            context: context.name,
            position: live.position,
        });
    }
    generation::limit_transactions(&mut connection, PAGE_SECONDS_MAX).await?;
    let poster = Poster::open(&mut connection, context, live).await?;
    unpark_all(&mut connection, tail, &poster, stream, &Parked::new()).await
}

/// As [`unpark`] for any generation, leaving alone the streams in `except`.
pub(crate) async fn unpark_all(
    connection: &mut PgConnection,
    tail: &Tail,
    poster: &Poster,
    first: Option<&Stream>,
    except: &Parked,
) -> Result<Unparked, PostError> {
    let mut outcome = Unparked::default();
    let mut waiting = waiting(connection, poster).await?;
    waiting.retain(|stream| !except.contains(stream));
    if let Some(first) = first {
        if !waiting.contains(first) {
            return Ok(outcome);
        }
        if let Replayed {
            failed: Some(error), ..
        } = replay(connection, tail, poster, first).await?
        {
            outcome.parked.push((first.clone(), error));
            return Ok(outcome);
        }
        outcome.posted.push(first.clone());
        waiting.retain(|stream| stream != first);
    }
    loop {
        let mut has_progressed = false;
        outcome.parked.clear();
        for stream in std::mem::take(&mut waiting) {
            let replayed = replay(connection, tail, poster, &stream).await?;
            has_progressed |= replayed.has_progressed;
            match replayed.failed {
                None => outcome.posted.push(stream),
                Some(error) => {
                    outcome.parked.push((stream.clone(), error));
                    waiting.push(stream);
                }
            }
        }
        if !has_progressed {
            return Ok(outcome);
        }
    }
}

/// What came of a parked stream.
struct Replayed {
    /// Whether any of its events was posted, for which others may have waited.
    has_progressed: bool,
    /// Why it still cannot be posted to its end.
    failed: Option<String>,
}

/// Posts a parked stream up to the checkpoint, page by page: each in a transaction that also says from which
/// event on the stream is still parked. Whoever dies in between has lost nothing and doubles nothing.
async fn replay(
    connection: &mut PgConnection,
    tail: &Tail,
    poster: &Poster,
    stream: &Stream,
) -> Result<Replayed, PostError> {
    let context = poster.context.name;
    let mut has_progressed = false;
    // Fewer once a page has failed, so that all that comes before the failing event is posted.
    let mut events_max = usize::MAX;
    loop {
        let Some(from) = parked_from(connection, poster, stream).await? else {
            return Ok(Replayed {
                has_progressed,
                failed: None,
            });
        };
        let (events, posted) = match following(tail, poster.context, stream, from).await {
            Ok(mut page) => {
                page.truncate(events_max);
                (page.events.len(), post(connection, poster, stream, from, page).await)
            }
            Err(failed) => (0, Err(failed)),
        };
        match posted {
            Ok(is_whole) => {
                has_progressed = true;
                if is_whole {
                    info!(context, aggregate_type = stream.0, id = %stream.1, "un-parked a stream");
                    return Ok(Replayed {
                        has_progressed,
                        failed: None,
                    });
                }
            }
            Err(failed) if failed.is_transient() => return Err(failed),
            Err(_) if events > 1 => events_max = events / 2,
            Err(failed) => {
                let failed = failed.to_string();
                note(connection, poster, stream, &failed).await?;
                return Ok(Replayed {
                    has_progressed,
                    failed: Some(failed),
                });
            }
        }
    }
}

/// Events of one stream that are to be posted together.
struct Following {
    events: Vec<Recorded<AnyEvent>>,
    /// The event after them, as far as it is known already, and why it cannot be posted.
    unreadable: Option<PostError>,
    /// The sequence before them.
    before: i64,
    /// The last sequence among them.
    last: i64,
}

impl Following {
    fn truncate(&mut self, events_max: usize) {
        if self.events.len() > events_max {
            self.events.truncate(events_max);
            self.unreadable = None;
            self.last = self.events.last().map_or(self.before, |recorded| recorded.sequence);
        }
    }
}

/// The events of a stream from a position on, as many as may be posted together.
async fn following(tail: &Tail, context: &'static Context, stream: &Stream, from: i64) -> Result<Following, PostError> {
    let first = tail.at(&[from]).await?.pop();
    let before = first.map_or(0, |first| first.sequence - 1);
    let recorded = tail.stream(&stream.0, stream.1, before, i64::MAX).await?;
    if recorded.first().is_none_or(|first| first.position != from) {
        // Its name in the book is no uuid: it was parked under another, and nothing of it can be posted.
        return Err(PostError::Unreadable {
            position: from,
            error: "the book knows no such stream".to_owned(),
        });
    }
    let last = recorded.last().map_or(before, |recorded| recorded.sequence);
    let mut page = Page::decode(context, i64::MAX, recorded);
    page.parks.sort_by_key(|parking| parking.position);
    let unreadable = page.parks.drain(..).next();
    if let Some(unreadable) = &unreadable {
        page.events.retain(|recorded| recorded.position < unreadable.position);
    }
    let portion = page.portions(context).into_iter().next();
    let events = portion.map_or_else(Vec::new, |portion| portion.events);
    Ok(Following {
        before,
        last: match (events.last(), &unreadable) {
            (Some(recorded), _) => recorded.sequence,
            (None, Some(_)) => before,
            (None, None) => last,
        },
        unreadable: unreadable.map(|Parking { position, error, .. }| PostError::Unreadable { position, error }),
        events,
    })
}

/// Posts events of a parked stream, as far as the checkpoint has come, and with them from where on it is still
/// parked: nowhere any more, if `true` is answered.
async fn post(
    connection: &mut PgConnection,
    poster: &Poster,
    stream: &Stream,
    from: i64,
    page: Following,
) -> Result<bool, PostError> {
    let mut transaction = connection.begin().await?;
    let posted = post_within(&mut transaction, poster, stream, from, page).await;
    match posted {
        Ok(_) => transaction.commit().await?,
        Err(_) => transaction.rollback().await?,
    }
    posted
}

async fn post_within(
    transaction: &mut PgConnection,
    poster: &Poster,
    stream: &Stream,
    from: i64,
    mut page: Following,
) -> Result<bool, PostError> {
    let (context, generation) = (poster.context, &poster.generation);
    // Held until the commit, so that the projector posts what comes later only after it.
    let now = Generation::lock(transaction, context, generation.state).await?;
    let now = now
        .filter(|now| now.number == generation.number)
        .ok_or(PostError::Moved)?;
    if let Some(beyond) = page.events.iter().position(|recorded| recorded.position > now.position) {
        page.truncate(beyond);
    }
    if let (true, Some(unreadable)) = (page.events.is_empty(), page.unreadable) {
        return Err(unreadable);
    }
    let next: Option<i64> = sqlx::query_scalar(
        "select position from book.events
         where aggregate_type = $1 and aggregate_id = $2 and sequence = $3 and position <= $4",
    )
    .bind(&stream.0)
    .bind(stream.1.to_string())
    .bind(page.last + 1)
    .bind(now.position)
    .fetch_optional(&mut *transaction)
    .await?;
    let moving = match next {
        Some(_) => {
            "update book.parked set position = $6 where context = $1 and generation = $2 and aggregate_type = $3
             and aggregate_id = $4 and position = $5"
        }
        None => {
            "delete from book.parked where context = $1 and generation = $2 and aggregate_type = $3
             and aggregate_id = $4 and position = $5 and $6::bigint is null"
        }
    };
    let moved = sqlx::query(moving)
        .bind(context.name)
        .bind(generation.number)
        .bind(&stream.0)
        .bind(stream.1)
        .bind(from)
        .bind(next)
        .execute(&mut *transaction)
        .await?;
    if moved.rows_affected() != 1 {
        // Somebody else un-parks it at the same time, and was faster.
        return Ok(false);
    }
    poster.write(transaction, &page.events, Turn::Late).await?;
    execute(transaction, "set constraints all immediate").await?;
    Ok(next.is_none())
}

/// The first event of a stream that is not posted; `None` when it is not parked.
async fn parked_from(
    connection: &mut PgConnection,
    poster: &Poster,
    stream: &Stream,
) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar(
        "select position from book.parked
         where context = $1 and generation = $2 and aggregate_type = $3 and aggregate_id = $4",
    )
    .bind(poster.context.name)
    .bind(poster.generation.number)
    .bind(&stream.0)
    .bind(stream.1)
    .fetch_optional(connection)
    .await
}

/// Notes why a stream still cannot be posted.
async fn note(connection: &mut PgConnection, poster: &Poster, stream: &Stream, error: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update book.parked set error = $5
         where context = $1 and generation = $2 and aggregate_type = $3 and aggregate_id = $4",
    )
    .bind(poster.context.name)
    .bind(poster.generation.number)
    .bind(&stream.0)
    .bind(stream.1)
    .bind(error)
    .execute(connection)
    .await
    .map(|_| ())
}

async fn waiting(connection: &mut PgConnection, poster: &Poster) -> Result<Vec<Stream>, sqlx::Error> {
    sqlx::query_as(
        "select aggregate_type, aggregate_id from book.parked where context = $1 and generation = $2 order by position",
    )
    .bind(poster.context.name)
    .bind(poster.generation.number)
    .fetch_all(connection)
    .await
}
