//! The worker that archives now and then.

use std::time::{Duration, Instant};

use book::lease::Lease;
use book::worker::{Beat, Work, pause};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::archiver::{ArchiveError, Archiver};

/// Between two runs, in seconds.
const RUN_SECONDS: u64 = 3_600;
/// Between one that failed and the next, in seconds: health tells of it after the third.
const RETRY_SECONDS: u64 = 300;
/// How often a worker that waits looks whether it still leads, in seconds.
const CHECK_SECONDS: u64 = 2;

/// Archives at once and then every hour. Of all that run, one leads.
#[derive(Debug)]
pub struct ArchiveWorker {
    pub archiver: Archiver,
}

impl Work for ArchiveWorker {
    type Error = ArchiveError;

    async fn lead(&mut self, lease: &Lease, beat: &Beat, stop: &CancellationToken) -> Result<(), ArchiveError> {
        let mut failing = None;
        while !stop.is_cancelled() {
            let run = self.archiver.run(stop);
            tokio::pin!(run);
            // A long run is alive none the less.
            let outcome = loop {
                tokio::select! {
                    outcome = &mut run => break outcome,
                    () = tokio::time::sleep(Duration::from_secs(CHECK_SECONDS)) => beat.beat(|_| {}),
                }
            };
            let seconds = match outcome {
                Ok(report) => {
                    failing = None;
                    for &kind in self.archiver.kinds() {
                        let (left, things) = (report.of(kind), kind.things);
                        info!(
                            archived = left.archived,
                            kept = left.kept,
                            things,
                            "looked for what is old"
                        );
                    }
                    RUN_SECONDS
                }
                Err(ArchiveError::Busy) => {
                    info!("another process archives");
                    RUN_SECONDS
                }
                Err(error) => {
                    failing = failed_again(failing, Instant::now());
                    warn!(error = %error, "what is old could not be archived; trying again in five minutes");
                    RETRY_SECONDS
                }
            };
            beat.beat(|status| status.failing = failing);
            for _ in 0..seconds / CHECK_SECONDS {
                if stop.is_cancelled() {
                    return Ok(());
                }
                beat.beat(|_| {});
                lease.check()?;
                pause(stop, Duration::from_secs(CHECK_SECONDS)).await;
            }
        }
        Ok(())
    }
}

/// How often it has failed in a row, and since when.
fn failed_again(before: Option<(u32, Instant)>, now: Instant) -> Option<(u32, Instant)> {
    let (count, since) = before.unwrap_or((0, now));
    Some((count.saturating_add(1), since))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_that_fail_are_counted_from_the_first_on() {
        let (first, later) = (Instant::now(), Instant::now() + Duration::from_secs(RETRY_SECONDS));
        let once = failed_again(None, first);
        assert_eq!(once, Some((1, first)));
        assert_eq!(failed_again(once, later), Some((2, first)));
    }
}
