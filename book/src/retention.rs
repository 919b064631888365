//! Receipts are kept for 30 days; the book itself for ever.

use std::time::Duration;

use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::BookError;

pub const RECEIPT_DAYS: i32 = 30;
/// Receipts deleted in one statement, so that none holds locks for long.
const SWEEP_RECEIPTS_MAX: i64 = 10_000;
const SWEEP_HOURS: u64 = 1;

/// Deletes receipts past their time, every hour until stopped.
pub async fn sweep_receipts(pool: &PgPool, stop: &CancellationToken) {
    loop {
        match sweep(pool).await {
            Ok(0) => {}
            Ok(receipts) => info!(receipts, "deleted receipts older than {RECEIPT_DAYS} days"),
            Err(error) => warn!(error = %error, "old receipts could not be deleted; trying again in {SWEEP_HOURS} h"),
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(SWEEP_HOURS * 3_600)) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Deletes all receipts past their time; says how many.
///
/// # Errors
/// The database's error.
pub async fn sweep(pool: &PgPool) -> Result<u64, BookError> {
    let mut deleted = 0;
    loop {
        let receipts = sqlx::query(
            "delete from book.receipts where command_id in (
                 select command_id from book.receipts
                 where recorded_at < clock_timestamp() - make_interval(days => $1) limit $2)",
        )
        .bind(RECEIPT_DAYS)
        .bind(SWEEP_RECEIPTS_MAX)
        .execute(pool)
        .await?
        .rows_affected();
        deleted += receipts;
        if receipts < SWEEP_RECEIPTS_MAX as u64 {
            return Ok(deleted);
        }
    }
}
