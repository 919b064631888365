//! Receipts are kept for 30 days, and longer while Daybook itself may send their commands again; the book itself is
//! kept for ever.
//!
//! A policy sends a command again under the same id when its checkpoint, a reaction that it missed or a timer is
//! older than the command, and so does a reactor when its checkpoint or a reaction is, a dead letter too. However late
//! that is, the receipt must be there, or the command would take effect twice.

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::SYSTEM;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::BookError;
use crate::pools::answered;

pub const RECEIPT_DAYS: i32 = 30;
/// Receipts looked at in one statement, so that none runs or holds locks for long.
const SWEEP_RECEIPTS_MAX: i64 = 10_000;
const SWEEP_HOURS: u64 = 1;

/// What was swept, and what had to stay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Swept {
    /// Receipts that were deleted.
    pub deleted: u64,
    /// Receipts past their time that stay, because Daybook may send their commands again.
    pub kept: u64,
    /// When the oldest of these was written, UTC.
    pub kept_since: Option<DateTime<Utc>>,
}

/// Deletes receipts past their time, every hour until stopped.
pub async fn sweep_receipts(pool: &PgPool, stop: &CancellationToken) {
    loop {
        match sweep(pool).await {
            Ok(swept) => tell(&swept),
            Err(error) => warn!(error = %error, "old receipts could not be deleted; trying again in {SWEEP_HOURS} h"),
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(SWEEP_HOURS * 3_600)) => {}
            () = stop.cancelled() => return,
        }
    }
}

fn tell(swept: &Swept) {
    let age = swept.kept_since.map_or(0, |since| (Utc::now() - since).num_seconds());
    metrics::gauge!("daybook_receipts_kept").set(swept.kept as f64);
    metrics::gauge!("daybook_receipts_kept_age_seconds").set(age as f64);
    if swept.deleted > 0 {
        info!(
            receipts = swept.deleted,
            "deleted receipts older than {RECEIPT_DAYS} days"
        );
    }
    if let Some(since) = swept.kept_since {
        info!(receipts = swept.kept, %since, "kept older receipts, whose commands a policy or a timer may send again");
    }
}

/// Deletes all receipts past their time, but those whose commands Daybook may send again.
///
/// # Errors
/// The database's error.
pub async fn sweep(pool: &PgPool) -> Result<Swept, BookError> {
    let mut swept = Swept::default();
    // Once for all: what policies go back to never moves backwards.
    let settled = settled(pool).await?;
    let before = due(pool).await?;
    let mut from = DateTime::UNIX_EPOCH;
    while let Some(to) = portion(pool, from, before).await? {
        let portion = sweep_portion(pool, from, to, settled).await?;
        swept.deleted += portion.deleted;
        swept.kept += portion.kept;
        swept.kept_since = swept.kept_since.or(portion.kept_since);
        from = to;
    }
    Ok(swept)
}

/// The position up to which Daybook has done all that follows from the book: every checkpoint is there, nothing
/// up to it was missed, no timer was set up to it, and no effect outside is still to come of it. Whatever is sent from now on has its cause after it, and
/// whatever was sent has its effect after its cause, or none and a receipt that names the cause or what came after it.
async fn settled(pool: &PgPool) -> Result<i64, BookError> {
    let asking = sqlx::query_scalar(
        "select coalesce(least((select min(position) from book.policies),
                               (select min(position) - 1 from book.missed),
                               (select min(position) - 1 from book.timers),
                               (select min(position) from book.reactors),
                               (select min(position) - 1 from book.reactions)), book.last_position())",
    );
    answered(async { Ok::<_, BookError>(asking.fetch_one(pool).await?) }).await
}

/// The time before which receipts are past their time, by the database's clock.
async fn due(pool: &PgPool) -> Result<DateTime<Utc>, BookError> {
    let asking = sqlx::query_scalar("select clock_timestamp() - make_interval(days => $1)").bind(RECEIPT_DAYS);
    answered(async { Ok::<_, BookError>(asking.fetch_one(pool).await?) }).await
}

/// The end of the next portion of receipts: all that were written from `from` on and before it, at most
/// [`SWEEP_RECEIPTS_MAX`] unless so many were written at the same moment. `None` when there are none.
async fn portion(
    pool: &PgPool,
    from: DateTime<Utc>,
    before: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, BookError> {
    let asking = sqlx::query_scalar(
        "select max(recorded_at) + interval '1 microsecond' from (
             select recorded_at from book.receipts where recorded_at >= $1 and recorded_at < $2
             order by recorded_at limit $3) portion",
    )
    .bind(from)
    .bind(before)
    .bind(SWEEP_RECEIPTS_MAX);
    answered(async { Ok::<_, BookError>(asking.fetch_one(pool).await?) }).await
}

async fn sweep_portion(
    pool: &PgPool,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    settled: i64,
) -> Result<Swept, BookError> {
    // A receipt's position is that of its command's last event. The receipt of a command without events names the end
    // that the book had then, an event of some other command: it may be Daybook's own, and its repeat is to do nothing, too.
    let asking = sqlx::query_as(
        "with due as materialized (
             select r.command_id, r.recorded_at,
                    r.position > $3 and not exists (
                        select from book.events e
                        where e.position = r.position and e.metadata->>'actor' <> $4::text
                          and e.metadata->>'command_id' = r.command_id::text) as needed
             from book.receipts r where r.recorded_at >= $1 and r.recorded_at < $2),
         gone as (
             delete from book.receipts r using due where r.command_id = due.command_id and not due.needed
             returning r.command_id)
         select (select count(*) from gone), count(*) filter (where needed), min(recorded_at) filter (where needed)
         from due",
    )
    .bind(from)
    .bind(to)
    .bind(settled)
    .bind(SYSTEM.to_string());
    let (deleted, kept, kept_since): (i64, i64, Option<DateTime<Utc>>) =
        answered(async { Ok::<_, BookError>(asking.fetch_one(pool).await?) }).await?;
    Ok(Swept {
        deleted: deleted.unsigned_abs(),
        kept: kept.unsigned_abs(),
        kept_since,
    })
}
