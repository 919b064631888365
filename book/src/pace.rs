//! Pace: appends wait a little while the read tables fall behind, so that who reads sees what is, and
//! the two share the machine instead of one outrunning the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::pools::answered;
use crate::{BookError, End};

/// The age of the first event that is not posted from which on appends are slowed, in milliseconds.
const LAG_MS_FREE: u64 = 200;
/// The age at which they are slowed the most, in milliseconds.
const LAG_MS_FULL: u64 = 800;
/// From here on nobody posts, so waiting would help nobody: appends go on at full pace.
const LAG_MS_HOPELESS: u64 = 10_000;
/// The longest wait before a batch, in milliseconds.
const WAIT_MS_MAX: u64 = 25;
/// How often it is looked how far the tables are, in milliseconds.
const LOOK_MS: u64 = 100;

/// How long the appender waits before each batch. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Pace(Arc<AtomicU64>);

impl Pace {
    /// The wait before the next batch; `None` when there is no need.
    #[must_use]
    pub fn wait(&self) -> Option<Duration> {
        let micros = self.0.load(Ordering::Relaxed);
        (micros > 0).then(|| Duration::from_micros(micros))
    }

    fn set(&self, lag_ms: u64) {
        let wait = wait(lag_ms);
        metrics::gauge!("daybook_append_wait_seconds").set(wait.as_secs_f64());
        metrics::gauge!("daybook_tables_late_seconds").set(lag_ms as f64 / 1e3);
        self.0
            .store(u64::try_from(wait.as_micros()).unwrap_or(0), Ordering::Relaxed);
    }

    /// Keeps the pace by how far the live tables are, until stopped. Looks only while the book grows or tables
    /// are behind it.
    pub async fn keep(&self, pool: &PgPool, mut end: End, stop: &CancellationToken) {
        let mut is_late = false;
        loop {
            let known = end.position();
            let lag_ms = match answered(lag_ms(pool)).await {
                Ok(lag_ms) => {
                    self.set(lag_ms);
                    is_late = told(is_late, lag_ms);
                    lag_ms
                }
                Err(error) => {
                    self.set(0);
                    warn!(%error, "cannot see how far the tables are; appends are not slowed");
                    1
                }
            };
            let look_again = async {
                if lag_ms == 0 {
                    end.beyond(known).await;
                }
                tokio::time::sleep(Duration::from_millis(LOOK_MS)).await;
            };
            tokio::select! {
                () = look_again => {}
                () = stop.cancelled() => return,
            }
        }
    }
}

/// Says in the log when the tables begin to be late, and when that is over; whether they are.
fn told(was_late: bool, lag_ms: u64) -> bool {
    let is_late = lag_ms >= LAG_MS_HOPELESS;
    if is_late && !was_late {
        warn!(
            lag_ms,
            "the tables are late: reads show what was; see daybook_tables_late_seconds"
        );
    } else if was_late && !is_late {
        info!("the tables are not late any more");
    }
    is_late
}

/// The age of the oldest event that a context still has to post; 0 when all have posted everything.
async fn lag_ms(pool: &PgPool) -> Result<u64, BookError> {
    let seconds: Option<f64> = sqlx::query_scalar(
        "select max(extract(epoch from clock_timestamp() - e.recorded_at))::float8
         from book.generations g join book.events e on e.position = g.position + 1 where g.state = 'live'",
    )
    .fetch_one(pool)
    .await?;
    Ok(seconds.map_or(0, |seconds| (seconds.max(0.0) * 1e3) as u64))
}

fn wait(lag_ms: u64) -> Duration {
    if lag_ms >= LAG_MS_HOPELESS {
        return Duration::ZERO;
    }
    let over = lag_ms.clamp(LAG_MS_FREE, LAG_MS_FULL) - LAG_MS_FREE;
    Duration::from_micros(over * WAIT_MS_MAX * 1_000 / (LAG_MS_FULL - LAG_MS_FREE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn appends_wait_the_longer_the_further_the_tables_are_behind_and_not_at_all_when_nobody_posts() {
        assert_eq!(wait(0), Duration::ZERO);
        assert_eq!(wait(LAG_MS_FREE), Duration::ZERO);
        assert!(wait(400) > Duration::ZERO && wait(400) < wait(600));
        assert_eq!(wait(LAG_MS_FULL), Duration::from_millis(WAIT_MS_MAX));
        assert_eq!(wait(LAG_MS_HOPELESS - 1), Duration::from_millis(WAIT_MS_MAX));
        assert_eq!(wait(LAG_MS_HOPELESS), Duration::ZERO);
    }
}
