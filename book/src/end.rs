//! The end of the book as one process knows it: one question answers all who wait for more.

use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{Book, Bus, Tail};

/// How often the end of the book is looked at without having been told of a commit, in milliseconds: while the bus tells of
/// commits, and while it does not.
const POLL_TOLD_MS: u64 = 1_000;
const POLL_MS: u64 = 200;
/// How long a look holds off the next one, however many commits other processes tell of, in milliseconds.
const PAUSE_MS: u64 = 8;

/// The last position of the book, as it grows. Clones share what is known.
#[derive(Debug, Clone)]
pub struct End(watch::Receiver<i64>);

/// Who keeps [`End`] true.
#[derive(Debug)]
pub struct Watch {
    tail: Tail,
    bus: Bus,
    /// The last position that this process wrote: the book has no gaps, so it is there up to that.
    written: watch::Receiver<i64>,
    end: watch::Sender<i64>,
}

impl Watch {
    /// A watch that knows nothing yet, and what it will tell.
    #[must_use]
    pub fn new(tail: Tail, bus: Bus, book: &Book) -> (Self, End) {
        let (end, known) = watch::channel(0);
        let watch = Self {
            tail,
            bus,
            written: book.written(),
            end,
        };
        (watch, End(known))
    }

    /// Watches until `stop`: what this process writes is known at once, what others write when they tell of it over
    /// the bus, and the book is asked now and then in any case.
    pub async fn run(&self, stop: &CancellationToken) {
        let mut wakes = self.bus.wakes().await.ok();
        let mut written = self.written.clone();
        let (mut looked, mut next) = (Instant::now(), Instant::now());
        let mut told = Instant::now();
        loop {
            let woken = async {
                match &mut wakes {
                    Some(wakes) => wakes.next().await.is_some(),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                Ok(()) = written_after(&mut written, told + Duration::from_millis(PAUSE_MS)) => {
                    told = Instant::now();
                    let last = *written.borrow_and_update();
                    self.end.send_if_modified(|end| *end < last && { *end = last; true });
                }
                still = woken => {
                    if !still {
                        wakes = None;
                    }
                    next = next.min(looked + Duration::from_millis(PAUSE_MS));
                }
                () = tokio::time::sleep_until(next) => {
                    looked = Instant::now();
                    next = looked + self.poll(wakes.is_some());
                    // One look answers all the wakes that came before it.
                    while let Some(Some(_)) = wakes.as_mut().and_then(|wakes| wakes.next().now_or_never()) {}
                    self.look().await;
                }
                () = stop.cancelled() => return,
            }
        }
    }

    /// How long until the next look if nobody tells of a commit.
    fn poll(&self, is_told: bool) -> Duration {
        match is_told && self.bus.is_connected() {
            true => Duration::from_millis(POLL_TOLD_MS),
            false => Duration::from_millis(POLL_MS),
        }
    }

    async fn look(&self) {
        match self.tail.end().await {
            Ok(last) => {
                self.end.send_if_modified(|end| std::mem::replace(end, last) != last);
            }
            Err(error) => warn!(%error, "the end of the book cannot be read"),
        }
    }
}

/// Waits until this process has written more, and until `pause` is over: what it writes meanwhile is told of together.
async fn written_after(written: &mut watch::Receiver<i64>, pause: Instant) -> Result<(), watch::error::RecvError> {
    tokio::time::sleep_until(pause).await;
    written.changed().await
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
