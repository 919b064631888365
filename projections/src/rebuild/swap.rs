//! Swapping: the last events, two renames, one commit.

use std::time::Instant;

use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use tracing::warn;

use super::{Phase, Work, load};
use crate::bi;
use crate::error::PostError;
use crate::generation::{self, Generation, POSTING_IDLE_SECONDS_MAX, State, execute, schema_aside};
use crate::page::Page;
use crate::poster::Poster;

/// Events that are posted while the checkpoint is locked; with more to post, it waits for another turn.
const LAST_EVENTS_MAX: i64 = 200;

/// How long a swap waits for a lock, in milliseconds: meanwhile it holds the checkpoint's, and nothing is
/// posted.
const LOCK_MS_MAX: u64 = 3_000;
/// How often it then tries again. A reader of a page or of a long query lets go in the meantime.
const LOCK_ATTEMPTS_MAX: usize = 100;

/// Makes the poster's generation the live one; the one before, if there is one, is retired, and the one before that
/// dropped. Returns for how many seconds the checkpoint was locked.
pub(super) async fn swap(
    work: &Work<'_>,
    connection: &mut PgConnection,
    poster: &mut Poster,
) -> Result<f64, PostError> {
    let mut attempts = 0;
    let seconds = loop {
        let live = work.live(connection).await?.filter(|live| work.is_caught_up_with(live));
        let end = work.tail.end().await?.max(live.map_or(0, |live| live.position));
        load::post_until(work, connection, poster, end, Phase::Swapping).await?;
        match try_swap(work, connection, poster).await {
            Ok(Some(seconds)) => break seconds,
            Ok(None) => {}
            Err(error) if error.is_lock_timeout() && attempts < LOCK_ATTEMPTS_MAX => {
                attempts += 1;
                warn!(
                    context = work.context.name,
                    attempts, "a lock kept the swap waiting; trying again"
                );
            }
            Err(error) => return Err(error),
        }
    };
    // A reader in the middle of a long query may still hold it; then the next swap drops it.
    if let Err(error) = drop_older(connection, work, poster.generation.number).await {
        warn!(context = work.context.name, %error, "an old generation could not be dropped yet");
    }
    Ok(seconds)
}

/// `None` when the live generation got too far ahead in the meantime.
async fn try_swap(
    work: &Work<'_>,
    connection: &mut PgConnection,
    poster: &mut Poster,
) -> Result<Option<f64>, PostError> {
    let mut transaction = connection.begin().await?;
    execute(
        &mut transaction,
        &format!(
            "set local synchronous_commit = on; set local lock_timeout = {LOCK_MS_MAX};
             set local idle_in_transaction_session_timeout = '{POSTING_IDLE_SECONDS_MAX}s'"
        ),
    )
    .await?;
    let locked = Instant::now();
    let live = Generation::lock(&mut transaction, work.context, State::Live).await?;
    // The first one stands where it was loaded to, as does one that takes the place of one that is no guide.
    let caught_up_with = live.as_ref().filter(|live| work.is_caught_up_with(live));
    let end = caught_up_with.map_or(poster.generation.position, |live| live.position);
    let missing = end - poster.generation.position;
    if missing > LAST_EVENTS_MAX {
        return Ok(None);
    }
    let mut last = None;
    if missing > 0 {
        let recorded = match work.tail.after(poster.generation.position, missing).await {
            Err(error) if error.is_transient() => return Err(error.into()),
            // An event that cannot be read is passed outside of the swap, too.
            recorded => recorded.unwrap_or_default(),
        };
        // A page of large events is cut short; the rest is posted outside of the swap.
        if recorded.last().map(|recorded| recorded.position) != Some(end) {
            return Ok(None);
        }
        let page = Page::decode(work.context, end, recorded);
        match poster.write_page(&mut transaction, &page).await {
            Ok(parked) => last = Some((page, parked)),
            // Posted outside of the swap, where what does not fit is parked.
            Err(failed) if !failed.is_transient() => return Ok(None),
            Err(failed) => return Err(failed),
        }
    }
    if let Some(live) = live
        && !forgotten(&mut transaction, work, &live).await?
    {
        let aside = schema_aside(work.context, live.number);
        rename(&mut transaction, &live.schema, &aside).await?;
        execute(&mut transaction, &bi::usage(&aside, false)).await?;
        retire(&mut transaction, work, live.number, &aside).await?;
    }
    rename(&mut transaction, &poster.generation.schema, work.context.name).await?;
    execute(&mut transaction, &bi::usage(work.context.name, true)).await?;
    enliven(&mut transaction, work, poster.generation.number).await?;
    transaction.commit().await?;

    let seconds = locked.elapsed().as_secs_f64();
    if let Some((page, parked)) = last {
        poster.written(&page, parked);
    }
    poster.generation.state = State::Live;
    poster.generation.schema = work.context.name.to_owned();
    Ok(Some(seconds))
}

/// Forgets a generation whose schema is not there: nobody can go back to it. Whether it was one.
async fn forgotten(connection: &mut PgConnection, work: &Work<'_>, live: &Generation) -> Result<bool, sqlx::Error> {
    let is_there: bool = sqlx::query_scalar("select exists (select from pg_namespace where nspname = $1)")
        .bind(&live.schema)
        .fetch_one(&mut *connection)
        .await?;
    if !is_there {
        generation::remove(connection, work.context, live.number, &live.schema).await?;
    }
    Ok(!is_there)
}

async fn rename(connection: &mut PgConnection, from: &str, to: &str) -> Result<(), sqlx::Error> {
    execute(connection, &format!("alter schema \"{from}\" rename to \"{to}\"")).await
}

async fn retire(connection: &mut PgConnection, work: &Work<'_>, number: i64, schema: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update book.generations set state = 'retired', schema_name = $3 where context = $1 and generation = $2",
    )
    .bind(work.context.name)
    .bind(number)
    .bind(schema)
    .execute(connection)
    .await
    .map(|_| ())
}

async fn enliven(connection: &mut PgConnection, work: &Work<'_>, number: i64) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update book.generations set state = 'live', schema_name = $1, swapped_at = clock_timestamp()
         where context = $1 and generation = $2",
    )
    .bind(work.context.name)
    .bind(number)
    .execute(connection)
    .await
    .map(|_| ())
}

/// Drops every retired generation but the one that was live until now.
async fn drop_older(connection: &mut PgConnection, work: &Work<'_>, live: i64) -> Result<(), sqlx::Error> {
    execute(connection, "set lock_timeout = '10s'").await?;
    let kept: Option<i64> = sqlx::query_scalar(
        "select generation from book.generations where context = $1 and state = 'retired' and generation <> $2
         order by coalesce(swapped_at, created_at) desc, generation desc limit 1",
    )
    .bind(work.context.name)
    .bind(live)
    .fetch_optional(&mut *connection)
    .await?;
    let older: Vec<(i64, String)> = sqlx::query_as(
        "select generation, schema_name from book.generations
         where context = $1 and state = 'retired' and generation is distinct from $2",
    )
    .bind(work.context.name)
    .bind(kept)
    .fetch_all(&mut *connection)
    .await?;
    for (number, schema) in older {
        generation::remove(connection, work.context, number, &schema).await?;
    }
    Ok(())
}
