//! The relay: publishes the book to the bus, in order, each event under its own position.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::jetstream::message::PublishMessage;
use domain::Recorded;
use futures::{FutureExt as _, StreamExt as _};
use sqlx::PgPool;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::bus::message::{self, Signing};
use crate::bus::stand::Stand;
use crate::bus::{UNACKNOWLEDGED_MESSAGES_MAX, bus_error};
use crate::lease::{self, Lease, Leases};
use crate::worker::{self, Beat, Status, Work, pause};
use crate::{BookError, Bus, End, Tail};

/// Events read from the book and published at once.
const PAGE_EVENTS: i64 = UNACKNOWLEDGED_MESSAGES_MAX as i64;
/// How often the book is looked at without having been told of a commit, in milliseconds.
const POLL_MS: u64 = 100;
/// How long the relay waits before it looks anew what is wrong, in milliseconds.
const RETRY_MS: u64 = 300;
/// As above, once it has failed a few times in a row, in milliseconds.
const RETRY_MS_MAX: u64 = 2_000;
/// How long it must have gone well to begin to count anew, in seconds.
const GOOD_SECONDS: u64 = 5;
/// How often the leader makes sure that the bus still stands where it should, in seconds.
const CHECK_SECONDS: u64 = 1;
/// How long the bus may take for a page, in seconds.
const PUBLISH_SECONDS_MAX: u64 = 10;

/// Publishes the book. Of all relays that run, one leads.
#[derive(Debug)]
pub struct Relay {
    tail: Tail,
    bus: Bus,
    committed: Arc<Notify>,
    /// The book's end, where somebody watches it; the relay polls by itself else.
    end: Option<End>,
    leases: Leases,
    beat: Beat,
}

impl Relay {
    #[must_use]
    pub fn new(tail: Tail, bus: Bus, committed: Arc<Notify>) -> Self {
        Self {
            leases: Leases::start(tail.pool()),
            tail,
            bus,
            committed,
            end: None,
            beat: Beat::default(),
        }
    }

    /// Leads by the session of a whole process, instead of one of its own.
    #[must_use]
    pub fn leased(mut self, leases: Leases) -> Self {
        self.leases = leases;
        self
    }

    /// Relies on this watch for commits of other processes, instead of polling.
    #[must_use]
    pub fn watching(mut self, end: End) -> Self {
        self.end = Some(end);
        self
    }

    /// What the relay says of itself; its position is the last that the bus acknowledged.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Status> {
        self.beat.status()
    }

    /// Leads or stands by until stopped.
    pub async fn run(mut self, stop: CancellationToken) {
        let name = lock_name(&self.bus);
        let (leases, beat) = (self.leases.clone(), std::mem::take(&mut self.beat));
        worker::run(self, name, leases, beat, stop).await;
    }
}

/// Under which name one leads of all relays that fill the bus's stream.
fn lock_name(bus: &Bus) -> String {
    format!("daybook relay {}", bus.config.stream)
}

/// Whether a relay of any process leads.
///
/// # Errors
/// The database's error.
pub async fn is_led(pool: &PgPool, bus: &Bus) -> Result<bool, sqlx::Error> {
    lease::is_held(pool, &lock_name(bus)).await
}

impl Work for Relay {
    type Error = BookError;

    async fn lead(&mut self, lease: &Lease, beat: &Beat, stop: &CancellationToken) -> Result<(), BookError> {
        let mut failures = 0;
        while !stop.is_cancelled() {
            lease.check()?;
            let began = Instant::now();
            if let Err(error) = self.mirror(lease, beat, stop).await {
                // The bus may be down or wiped, or another relay was faster: look again where it stands.
                warn!(error = %error, "the relay starts over");
                let end = self.tail.end().await.ok();
                failures = if began.elapsed() > Duration::from_secs(GOOD_SECONDS) {
                    1
                } else {
                    failures + 1
                };
                beat.beat(|status| {
                    // Of what has not got through yet, as far as anybody knows, the stream lacks everything.
                    if let Some(end) = end {
                        status.lag = (end - status.position).max(0);
                    }
                    status.failures = failures;
                });
                metrics::counter!("daybook_relay_failures_total").increment(1);
                let longer = u64::from(failures).saturating_mul(RETRY_MS);
                pause(stop, Duration::from_millis(longer.min(RETRY_MS_MAX))).await;
            }
        }
        Ok(())
    }
}

impl Relay {
    /// Publishes page after page; returns when leadership is lost or on the way out.
    async fn mirror(&self, lease: &Lease, beat: &Beat, stop: &CancellationToken) -> Result<(), BookError> {
        let mut stand = Stand::take(&self.tail, &self.bus).await?;
        beat.beat(|status| status.position = stand.position);
        let mut wakes = self.bus.wakes().await?;
        let mut checked = Instant::now();
        while !stop.is_cancelled() {
            stand.finish(&self.bus, beat).await?;
            let committed = self.committed.notified();
            tokio::pin!(committed);
            // From here on no commit goes unnoticed, also while the page is being read.
            committed.as_mut().enable();
            // One look at the book answers all the wakes that came before it.
            while let Some(Some(_)) = wakes.next().now_or_never() {}
            let page = match &self.end {
                Some(end) if end.position() <= stand.position => Vec::new(),
                _ => self.tail.sealed_after(stand.position, PAGE_EVENTS).await?,
            };
            // It may have stood still while the book was read.
            lease.check()?;
            if page.is_empty() {
                let is_watched = self.end.is_some();
                tokio::select! {
                    // The watch is told of them, too, and of many at once where they come close upon each other.
                    () = committed, if !is_watched => {}
                    _ = wakes.next(), if !is_watched => {}
                    () = self.grows(stand.position) => {}
                    () = stop.cancelled() => return Ok(()),
                }
            } else {
                stand.position = self.publish_in_time(page, stand.position, &stand.signing).await?;
                metrics::gauge!("daybook_relay_position").set(stand.position as f64);
            }
            beat.beat(|status| {
                status.position = stand.position;
                status.lag = stand.lag();
                if checked.elapsed() > Duration::from_secs(CHECK_SECONDS) {
                    status.failures = 0;
                }
            });
            if checked.elapsed() > Duration::from_secs(CHECK_SECONDS) {
                stand.check(&self.tail, &self.bus).await?;
                checked = Instant::now();
            }
        }
        Ok(())
    }

    /// Waits until the book goes on after `position`, or for as long as the bus may go unlooked at.
    async fn grows(&self, position: i64) {
        match &self.end {
            Some(end) => {
                let mut end = end.clone();
                let _ = tokio::time::timeout(Duration::from_secs(CHECK_SECONDS), end.beyond(position)).await;
            }
            None => tokio::time::sleep(Duration::from_millis(POLL_MS)).await,
        }
    }

    /// As [`Relay::publish`], within [`PUBLISH_SECONDS_MAX`]. What was stored by then stays, and the next
    /// attempt begins after it.
    async fn publish_in_time(
        &self,
        page: Vec<Recorded<String>>,
        position: i64,
        signing: &Signing,
    ) -> Result<i64, BookError> {
        let limit = Duration::from_secs(PUBLISH_SECONDS_MAX);
        let publishing = tokio::time::timeout(limit, self.publish(page, position, signing)).await;
        publishing.unwrap_or_else(|_| Err(BookError::Bus("it takes no page in time".to_owned())))
    }

    /// Publishes a page under one pipeline; the server refuses whatever would leave a gap or repeat.
    async fn publish(
        &self,
        page: Vec<Recorded<String>>,
        mut position: i64,
        signing: &Signing,
    ) -> Result<i64, BookError> {
        let mut acknowledgements = Vec::with_capacity(page.len());
        for event in page {
            let subject = self.bus.subject(&event);
            let message = PublishMessage::build()
                .headers(message::headers(&event, &subject, signing)?)
                .expected_stream(&self.bus.config.stream)
                .expected_last_sequence(u64::try_from(event.position - 1).unwrap_or(0));
            let message = message.payload(event.event.into_bytes().into());
            acknowledgements.push(
                self.bus
                    .jetstream
                    .send_publish(subject, message)
                    .await
                    .map_err(bus_error)?,
            );
        }
        for acknowledgement in acknowledgements {
            let acknowledged = acknowledgement.await.map_err(bus_error)?;
            position += 1;
            if i64::try_from(acknowledged.sequence) != Ok(position) {
                return Err(BookError::Bus(format!(
                    "position {position} became sequence {}",
                    acknowledged.sequence
                )));
            }
        }
        Ok(position)
    }
}
