//! The projector: the worker that posts one context's tables, event by event, for ever.

use std::time::{Duration, Instant};

use book::lease::{Lease, Leases};
use book::pools::answered;
use book::worker::{self, Beat, Status, Work};
use book::{Bus, End, Feed, Pools, Tail};
use domain::Recorded;
use sqlx::postgres::PgConnection;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::context::Context;
use crate::error::PostError;
use crate::generation::{self, Generation, State, posting_connection};
use crate::posted::Posted;
use crate::poster::Poster;

/// Events posted in one transaction.
pub const PAGE_EVENTS_MAX: usize = 1_000;
/// How long one page may take before its connection is given up, in seconds.
const PAGE_SECONDS: u64 = 10;
/// The same for one event that took longer alone: the limit doubles at each try up to this, in seconds.
const PAGE_SECONDS_MAX: u64 = 60;
/// How long one turn may take, in seconds: longer than the slowest page.
const TURN_SECONDS_MAX: u64 = 75;
/// How much later than the projector the server gives a page up, in seconds: for when the projector
/// cannot, because it is stopped or out of reach.
const SERVER_SECONDS: u64 = 5;
/// Between looks at the lock and at the end of the book, in milliseconds.
const BEAT_MS: u64 = 1_000;

/// The worker of one context. Of all that run, one leads.
pub struct Projector {
    context: &'static Context,
    fingerprint: String,
    pools: Pools,
    tail: Tail,
    bus: Bus,
    posted: Posted,
    page_events: usize,
    /// At most [`Self::page_events`]; fewer after a page that took too long.
    page_events_now: usize,
    leases: Leases,
    /// The book's end, where somebody watches it.
    end: Option<End>,
    /// At least [`PAGE_SECONDS`]; more after a single event that took too long.
    page_seconds_now: u64,
    beat: Beat,
}

impl Projector {
    /// # Errors
    /// When the context's fingerprint cannot be computed, which is a defect of this program.
    pub fn new(
        context: &'static Context,
        pools: Pools,
        tail: Tail,
        bus: Bus,
        posted: Posted,
    ) -> Result<Self, PostError> {
        let fingerprint = context.fingerprint().map_err(PostError::Golden)?;
        Ok(Self {
            context,
            fingerprint,
            leases: Leases::start(&pools.projector),
            end: None,
            pools,
            tail,
            bus,
            posted,
            page_events: PAGE_EVENTS_MAX,
            page_events_now: PAGE_EVENTS_MAX,
            page_seconds_now: PAGE_SECONDS,
            beat: Beat::default(),
        })
    }

    /// Posts at most so many events in one transaction; the tables come out the same.
    #[must_use]
    pub fn page_events(mut self, page_events: usize) -> Self {
        self.page_events = page_events.clamp(1, PAGE_EVENTS_MAX);
        self.page_events_now = self.page_events;
        self
    }

    /// Leads by the session of a whole process, instead of one of its own.
    #[must_use]
    pub fn leased(mut self, leases: Leases) -> Self {
        self.leases = leases;
        self
    }

    /// Relies on this watch for the book's end, instead of asking the book whenever the bus is silent.
    #[must_use]
    pub fn watching(mut self, end: End) -> Self {
        self.end = Some(end);
        self
    }

    /// What the projector says of itself from now on.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Status> {
        self.beat.status()
    }

    /// Says that it is there while it does not run yet: its tables are being made.
    pub fn stands_by(&self) {
        self.beat.beat(|_| {});
    }

    /// Leads or stands by until `stop`. The page that is being posted then is finished.
    pub async fn run(mut self, stop: CancellationToken) {
        let name = format!("daybook projector {}", self.context.name);
        let (leases, beat) = (self.leases.clone(), std::mem::take(&mut self.beat));
        worker::run(self, name, leases, beat, stop).await;
    }
}

impl Work for Projector {
    type Error = PostError;

    fn turn_limit(&self) -> Duration {
        Duration::from_secs(TURN_SECONDS_MAX)
    }

    async fn lead(&mut self, lease: &Lease, beat: &Beat, stop: &CancellationToken) -> Result<(), PostError> {
        let mut connection = posting_connection(&self.pools.projector).await?;
        let mut poster = self.open(&mut connection, beat).await?;
        let mut feed =
            Feed::new(self.tail.clone(), self.bus.clone(), poster.generation.position).watching(self.end.clone());
        let mut looked = Instant::now();
        loop {
            let next = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                next = feed.next(self.page_events_now) => next,
            };
            let posting = match next {
                Ok(recorded) if recorded.is_empty() => Ok(()),
                Ok(recorded) => self.post(&mut connection, &mut poster, recorded).await,
                Err(error) if error.is_transient() => return Err(error.into()),
                // An event in the page cannot be read at all: past it one by one.
                Err(_) => {
                    let posting = self.step(&mut connection, &mut poster).await;
                    feed.rewind(poster.generation.position);
                    posting
                }
            };
            match posting {
                Ok(()) => {}
                Err(PostError::Moved) => {
                    poster = self.open(&mut connection, beat).await?;
                    feed.rewind(poster.generation.position);
                }
                Err(error @ PostError::Beyond { .. }) => {
                    let context = self.context.name;
                    warn!(context, %error, "the bus is ahead of the book");
                    metrics::counter!("daybook_projector_beyond_total", "context" => context).increment(1);
                    feed.rewind(poster.generation.position);
                }
                Err(error) => return Err(error),
            }
            self.advanced(&poster, beat);
            if looked.elapsed() >= Duration::from_millis(BEAT_MS) {
                looked = Instant::now();
                match self.look(lease, &mut connection, &mut poster, beat).await {
                    // Swapped while there was nothing to post.
                    Err(PostError::Moved) => {
                        poster = self.open(&mut connection, beat).await?;
                        feed.rewind(poster.generation.position);
                    }
                    looked => looked?,
                }
            }
        }
    }

    fn stood_down(&mut self) {
        self.posted.stood_down(self.context);
    }
}

impl Projector {
    /// The live generation, if this program's folds made it.
    async fn open(&self, connection: &mut PgConnection, beat: &Beat) -> Result<Poster, PostError> {
        let context = self.context.name;
        generation::limit_transactions(connection, self.page_seconds_now + SERVER_SECONDS).await?;
        let live =
            answered(async { Ok::<_, PostError>(Generation::find(connection, self.context, State::Live).await?) });
        let live = live.await?.ok_or(PostError::NoGeneration { context })?;
        if live.is_broken(&self.fingerprint) {
            return Err(PostError::Missing { context });
        }
        if live.fingerprint != self.fingerprint {
            return Err(PostError::OtherVersion {
                context,
                generation: live.number,
            });
        }
        if live.is_ahead {
            return Err(self.ahead(connection, live.position).await);
        }
        let opening = async {
            let mut poster = Poster::open(&mut *connection, self.context, live).await?;
            poster.begin_term(connection).await?;
            Ok::<_, PostError>(poster)
        };
        let poster = answered(opening).await?;
        self.advanced(&poster, beat);
        Ok(poster)
    }

    async fn post(
        &mut self,
        connection: &mut PgConnection,
        poster: &mut Poster,
        recorded: Vec<Recorded<String>>,
    ) -> Result<(), PostError> {
        let (started, context, events) = (Instant::now(), self.context.name, recorded.len());
        let Some(to) = recorded.last().map(|recorded| recorded.position) else {
            return Ok(());
        };
        let seconds = self.page_seconds_now;
        let limit = Duration::from_secs(seconds);
        let Ok(posted) = tokio::time::timeout(limit, poster.post(connection, to, recorded)).await else {
            (self.page_events_now, self.page_seconds_now) = after_too_slow(events, self.page_events_now, seconds);
            return Err(PostError::TooSlow { seconds });
        };
        posted?;
        if seconds > PAGE_SECONDS {
            self.page_seconds_now = PAGE_SECONDS;
            generation::limit_transactions(connection, PAGE_SECONDS + SERVER_SECONDS).await?;
        }
        self.page_events_now = (self.page_events_now * 2).min(self.page_events);
        metrics::counter!("daybook_projector_events_total", "context" => context).increment(events as u64);
        metrics::histogram!("daybook_projector_page_seconds", "context" => context).record(started.elapsed());
        Ok(())
    }

    /// Posts the next event alone; parks its stream when the book itself cannot read it.
    async fn step(&mut self, connection: &mut PgConnection, poster: &mut Poster) -> Result<(), PostError> {
        let position = poster.generation.position + 1;
        match self.tail.after(position - 1, 1).await {
            Ok(recorded) => self.post(connection, poster, recorded).await,
            Err(error) if error.is_transient() => Err(error.into()),
            Err(error) => answered(poster.skip(connection, position, &error.to_string())).await,
        }
    }

    /// Whether the lead is still held, the generation still the live one, and how far behind the book it is.
    async fn look(
        &self,
        lease: &Lease,
        connection: &mut PgConnection,
        poster: &mut Poster,
        beat: &Beat,
    ) -> Result<(), PostError> {
        let context = self.context.name;
        lease.check()?;
        answered(poster.recount(connection)).await?;
        let position = poster.generation.position;
        let mut end = match &self.end {
            Some(end) => end.position(),
            None => self.tail.end().await?,
        };
        // What is known of the end may be a moment old, and the bus was faster.
        if end < position {
            end = self.tail.end().await?;
        }
        if end < position {
            return Err(self.ahead(connection, position).await);
        }
        let lag = end - position;
        metrics::gauge!("daybook_projector_parked", "context" => context).set(poster.parked as f64);
        beat.beat(|status| status.lag = lag);
        Ok(())
    }

    /// That the tables are ahead of the book, noted for whoever rebuilds them.
    async fn ahead(&self, connection: &mut PgConnection, position: i64) -> PostError {
        let context = self.context.name;
        let noting = async { Ok::<_, PostError>(Generation::note_ahead(connection, self.context).await?) };
        match answered(noting).await {
            Ok(_) => PostError::Ahead { context, position },
            Err(error) => error,
        }
    }

    fn advanced(&self, poster: &Poster, beat: &Beat) {
        let position = poster.generation.position;
        self.posted.advanced(self.context, position);
        metrics::gauge!("daybook_projector_position", "context" => self.context.name).set(position as f64);
        beat.beat(|status| {
            status.position = position;
            status.set_aside = poster.parked;
        });
    }
}

/// How many events the next page may have, and how many seconds it may take, after one of so many took too
/// long: the same again would take as long again, and one event cannot be made less.
fn after_too_slow(events: usize, page_events: usize, seconds: u64) -> (usize, u64) {
    match events {
        0 | 1 => (page_events, (seconds * 2).min(PAGE_SECONDS_MAX)),
        _ => (events / 2, seconds),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_is_too_slow_is_halved_and_one_event_alone_gets_more_time_up_to_a_minute() {
        assert_eq!(after_too_slow(1_000, 1_000, PAGE_SECONDS), (500, PAGE_SECONDS));
        assert_eq!(after_too_slow(3, 500, PAGE_SECONDS), (1, PAGE_SECONDS));
        assert_eq!(after_too_slow(1, 500, PAGE_SECONDS), (500, 2 * PAGE_SECONDS));
        assert_eq!(after_too_slow(1, 1, 40), (1, PAGE_SECONDS_MAX));
        assert_eq!(after_too_slow(1, 1, PAGE_SECONDS_MAX), (1, PAGE_SECONDS_MAX));
    }
}
