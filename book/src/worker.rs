//! Workers: of all that run under one name, one leads and the others stand by.

use std::fmt::Display;
use std::future::Future;
use std::time::{Duration, Instant};

use sqlx::PgPool;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::lead::{Leadership, STANDBY_MS};

/// Between attempts while something keeps failing, in milliseconds.
const BACKOFF_MS_MIN: u64 = 250;
const BACKOFF_MS_MAX: u64 = 5_000;

/// What a worker says of itself, for health checks.
#[derive(Debug, Clone, Copy)]
pub struct Status {
    /// Whether it holds the lead; a standby does not.
    pub leading: bool,
    /// How far in the book it is, when it last looked; 0 before it ever led.
    pub position: i64,
    /// How many events of the book came after, when it last looked.
    pub lag: i64,
    /// What it has set aside because it could not be done: parked streams, missed reactions.
    pub set_aside: usize,
    /// When it last got through its loop.
    pub last_beat: Instant,
}

/// Where a worker says how it does.
#[derive(Debug)]
pub struct Beat(watch::Sender<Status>);

impl Default for Beat {
    fn default() -> Self {
        Self(watch::Sender::new(Status {
            leading: false,
            position: 0,
            lag: 0,
            set_aside: 0,
            last_beat: Instant::now(),
        }))
    }
}

impl Beat {
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Status> {
        self.0.subscribe()
    }

    /// Says that it is alive, and what has changed.
    pub fn beat(&self, change: impl FnOnce(&mut Status)) {
        self.0.send_modify(|status| {
            status.last_beat = Instant::now();
            change(status);
        });
    }
}

/// What a leader does.
pub trait Work: Send {
    type Error: Display + Send;

    /// Works until `stop`, or until the lead is lost, which it has to look for now and then. Returns
    /// early only with an error, which may pass when tried again.
    fn lead(
        &mut self,
        leadership: &mut Leadership,
        beat: &Beat,
        stop: &CancellationToken,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Told when it does not lead any more.
    fn stood_down(&mut self) {}
}

/// Leads or stands by until `stop`.
pub async fn run<W: Work>(mut work: W, name: String, pool: PgPool, beat: Beat, stop: CancellationToken) {
    let mut backoff = Duration::from_millis(BACKOFF_MS_MIN);
    while !stop.is_cancelled() {
        let leadership = match Leadership::try_take(&pool, &name).await {
            Ok(Some(leadership)) => leadership,
            Ok(None) => {
                beat.beat(|status| status.leading = false);
                pause(&stop, Duration::from_millis(STANDBY_MS)).await;
                continue;
            }
            Err(error) => {
                warn!(worker = name, %error, "the lead cannot be asked for");
                pause(&stop, backoff).await;
                backoff = longer(backoff);
                continue;
            }
        };
        info!(worker = name, "leads");
        beat.beat(|status| status.leading = true);
        let (mut leadership, began) = (leadership, Instant::now());
        let outcome = work.lead(&mut leadership, &beat, &stop).await;
        work.stood_down();
        beat.beat(|status| status.leading = false);
        leadership.release().await;
        if let Err(error) = outcome {
            if began.elapsed() > Duration::from_millis(BACKOFF_MS_MAX) {
                backoff = Duration::from_millis(BACKOFF_MS_MIN);
            }
            warn!(worker = name, %error, wait = ?backoff, "failed and will try again");
            metrics::counter!("daybook_worker_failures_total", "worker" => name.clone()).increment(1);
            pause(&stop, backoff).await;
            backoff = longer(backoff);
        }
    }
}

fn longer(backoff: Duration) -> Duration {
    (backoff * 2).min(Duration::from_millis(BACKOFF_MS_MAX))
}

/// Waits, unless it is time to stop.
pub async fn pause(stop: &CancellationToken, time: Duration) {
    let _ = tokio::time::timeout(time, stop.cancelled()).await;
}
