//! Beating: what a rebuild says of itself in `book.rebuilds` while it works, for processes that wait for its tables.

use std::future::Future;
use std::time::Duration;

use book::Pools;
use book::pools::answered;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::{RebuildError, Work};
use crate::context::Context;
use crate::error::PostError;

/// Between two beats, in seconds.
const BEAT_SECONDS: u64 = 5;
/// For how long it beats within one step, in seconds: one that takes longer hangs, and may do so for ever in the hands
/// of somebody who does not give it up.
pub const STEP_SECONDS_MAX: u64 = 9_600;

/// Beats while this is done, and notes how it ended. The beats are no part of it: a beat that cannot be written
/// stops nothing.
pub(super) async fn beating<T>(
    work: &Work<'_>,
    doing: impl Future<Output = Result<T, RebuildError>>,
) -> Result<T, RebuildError> {
    let done = CancellationToken::new();
    let doing = async {
        let outcome = doing.await;
        done.cancel();
        outcome
    };
    // No beat is given up on its way: it would come after the end.
    let (outcome, ()) = tokio::join!(doing, beat(work, &done));
    // What is refused was looked at to the end, and would be refused again.
    let has_failed = matches!(outcome, Err(RebuildError::Post(_)));
    ended(work.pools, work.context, has_failed).await;
    outcome
}

/// Notes that a rebuild was given up by whoever has dropped it.
pub async fn given_up(pools: &Pools, context: &Context) {
    ended(pools, context, true).await;
}

async fn beat(work: &Work<'_>, done: &CancellationToken) {
    let mut last = work.last.subscribe();
    while !done.is_cancelled() {
        let (phase, at) = *last.borrow_and_update();
        if at.elapsed() < Duration::from_secs(STEP_SECONDS_MAX) {
            let beating = sqlx::query(
                "insert into book.rebuilds (context, phase, beats) values ($1, $2, 1)
                 on conflict (context) do update set phase = excluded.phase, beats = rebuilds.beats + 1",
            )
            .bind(work.context.name)
            .bind(phase.word());
            noted(work.context, async { beating.execute(&work.pools.projector).await }).await;
        }
        // The next phase is told at once.
        tokio::select! {
            _ = tokio::time::timeout(Duration::from_secs(BEAT_SECONDS), last.changed()) => {}
            () = done.cancelled() => {}
        }
    }
}

async fn ended(pools: &Pools, context: &Context, has_failed: bool) {
    let ending = sqlx::query("update book.rebuilds set phase = null, failures = failures + $2 where context = $1")
        .bind(context.name)
        .bind(i64::from(has_failed));
    noted(context, async { ending.execute(&pools.projector).await }).await;
}

async fn noted<T>(context: &Context, noting: impl Future<Output = Result<T, sqlx::Error>>) {
    if let Err(error) = answered(async { Ok::<_, PostError>(noting.await?) }).await {
        debug!(context = context.name, %error, "how far the rebuild is could not be noted");
    }
}
