//! The worker that archives now and then.

use std::time::Duration;

use book::lease::Lease;
use book::worker::{Beat, Work, pause};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::archiver::{ArchiveError, Archiver};

/// Between two runs, in seconds.
const RUN_SECONDS: u64 = 3_600;
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
            match outcome {
                Ok(report) => {
                    for &kind in self.archiver.kinds() {
                        let (left, things) = (report.of(kind), kind.things);
                        info!(
                            archived = left.archived,
                            kept = left.kept,
                            things,
                            "looked for what is old"
                        );
                    }
                }
                Err(ArchiveError::Busy) => info!("another process archives"),
                Err(error) => warn!(error = %error, "what is old could not be archived; trying again in an hour"),
            }
            for _ in 0..RUN_SECONDS / CHECK_SECONDS {
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
