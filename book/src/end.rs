//! The end of the book as one process knows it: one question answers all who wait for more.

use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{Bus, Tail};

/// How often the end of the book is looked at without having been told of a commit, in milliseconds.
const POLL_MS: u64 = 200;
/// How long a look holds off the next one, in milliseconds.
const PAUSE_MS: u64 = 4;

/// The last position of the book, as it grows. Clones share what is known.
#[derive(Debug, Clone)]
pub struct End(watch::Receiver<i64>);

/// Who keeps [`End`] true.
#[derive(Debug)]
pub struct Watch {
    pub tail: Tail,
    pub bus: Bus,
    /// Told after every commit of this process.
    pub committed: Arc<Notify>,
    end: watch::Sender<i64>,
}

impl Watch {
    /// A watch that knows nothing yet, and what it will tell.
    #[must_use]
    pub fn new(tail: Tail, bus: Bus, committed: Arc<Notify>) -> (Self, End) {
        let (end, known) = watch::channel(0);
        let watch = Self {
            tail,
            bus,
            committed,
            end,
        };
        (watch, End(known))
    }

    /// Looks until `stop`: when a commit is told of, here or over the bus, and now and then in any case.
    pub async fn run(&self, stop: &CancellationToken) {
        let mut wakes = self.bus.wakes().await.ok();
        while !stop.is_cancelled() {
            let committed = self.committed.notified();
            tokio::pin!(committed);
            // From here on no commit goes unnoticed, also while it is being looked.
            committed.as_mut().enable();
            while let Some(Some(_)) = wakes.as_mut().and_then(|wakes| wakes.next().now_or_never()) {}
            match self.tail.end().await {
                Ok(last) => {
                    self.end.send_if_modified(|end| std::mem::replace(end, last) != last);
                }
                Err(error) => warn!(%error, "the end of the book cannot be read"),
            }
            let woken = async {
                match &mut wakes {
                    Some(wakes) => wakes.next().await.is_some(),
                    None => std::future::pending().await,
                }
            };
            let is_told = tokio::select! {
                () = committed => true,
                still = woken => {
                    if !still {
                        wakes = None;
                    }
                    still
                }
                () = tokio::time::sleep(Duration::from_millis(POLL_MS)) => false,
                () = stop.cancelled() => return,
            };
            if is_told {
                tokio::time::sleep(Duration::from_millis(PAUSE_MS)).await;
            }
        }
    }
}

impl End {
    /// The last position that is known; 0 before anybody has looked.
    #[must_use]
    pub fn position(&self) -> i64 {
        *self.0.borrow()
    }

    /// Waits until the book is known to go on after `position`.
    pub async fn beyond(&mut self, position: i64) {
        if self.0.wait_for(|end| *end > position).await.is_err() {
            // Nobody looks any more: the process ends.
            std::future::pending::<()>().await;
        }
    }

    /// For who waits on every change.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<i64> {
        self.0.clone()
    }
}
