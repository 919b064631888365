//! Where the relay stands on the bus, and how it comes to stand there: by what is on the stream if that is
//! whole, by a stream made anew if it is not.

use chrono::{DateTime, Utc};
use tracing::{info, warn};

use super::integrators::Integrators;
use super::mirror::Mirror;
use crate::pools::answered;
use crate::worker::Beat;
use crate::{BookError, Bus, Tail, bus};

/// How many of the latest events a stream made anew begins with; older ones are read from the book.
const REFILL_EVENTS_MAX: i64 = 100_000;
/// As above, when an integrator's consumer has acknowledged less.
const REFILL_EVENTS_FOR_CONSUMERS_MAX: i64 = 1_000_000;

/// Where the relay stands.
#[derive(Debug)]
pub(crate) struct Stand {
    /// The last position that the stream acknowledged.
    pub position: i64,
    incarnation: String,
    integrators: Integrators,
    /// The position after which the stream began.
    began: i64,
    /// How far a stream that was made anew is filled before it is a mirror.
    fill_to: Option<i64>,
    /// Which stream, by when it was made, may begin with which position: its lack of earlier ones was explained.
    explained: Option<(DateTime<Utc>, i64)>,
}

impl Stand {
    /// Looks where the stream stands; begins one anew where there is none that is whole.
    pub async fn take(tail: &Tail, bus: &Bus) -> Result<Self, BookError> {
        let incarnation = bus::incarnation(tail.pool()).await?;
        let integrators = Integrators::load(tail.pool(), &bus.config.stream).await?;
        // First the bus: asked after the book, it may know what was committed and published in between,
        // and would look as if it were ahead of the book.
        let found = bus.look(&incarnation).await?;
        let end = tail.end().await?;
        let mut stand = Self {
            position: 0,
            incarnation,
            integrators,
            began: 0,
            fill_to: None,
            explained: None,
        };
        let Some(found) = found else {
            stand.begin(bus, end, "there is none of this book").await?;
            return Ok(stand);
        };
        let fault = match stand.fault(tail, &found).await? {
            None if found.last > end => Some("it is ahead of the book"),
            fault => fault,
        };
        match fault {
            None if found.first_told => {
                stand.integrators.observe(bus, found.last).await?;
                // NATS 2.10 empties such a stream when the server starts again. Former versions made them.
                stand.begin(bus, end, "it was made with a first sequence").await?;
            }
            None => {
                (stand.position, stand.began) = (found.last, found.began);
                stand.fill_to = (!found.whole).then_some(end);
            }
            Some(fault) => {
                if found.whole {
                    stand.integrators.rescue(bus).await?;
                }
                stand.begin(bus, end, fault).await?;
            }
        }
        Ok(stand)
    }

    async fn begin(&mut self, bus: &Bus, end: i64, why: &str) -> Result<(), BookError> {
        let position = refill_after(end, self.integrators.least());
        info!(
            why,
            position, "the stream is made anew, to begin after position {position}"
        );
        bus.begin(&self.incarnation, position).await?;
        metrics::counter!("daybook_bus_streams_made_total").increment(1);
        (self.position, self.began, self.fill_to) = (position, position, Some(end));
        Ok(())
    }

    /// How many events it has still to be filled with before it is a mirror.
    pub fn lag(&self) -> i64 {
        self.fill_to.map_or(0, |end| (end - self.position).max(0))
    }

    /// Makes the stream a mirror, with its integrators' consumers, once it is filled.
    pub async fn finish(&mut self, bus: &Bus, beat: &Beat) -> Result<(), BookError> {
        if self.fill_to.is_some_and(|end| self.position >= end) {
            // Before the note that makes it a mirror: of a mirror, a consumer that is missing was deleted.
            self.integrators.make(bus, self.began, beat).await?;
            bus.finish(&self.incarnation, self.began).await?;
            self.fill_to = None;
            info!(position = self.position, "the stream is whole");
        }
        Ok(())
    }

    /// Makes sure that the stream still stands here and is whole, and notes what integrators acknowledged.
    /// A bus that lost its data while nobody published is noticed here.
    pub async fn check(&mut self, tail: &Tail, bus: &Bus) -> Result<(), BookError> {
        if self.fill_to.is_some() {
            return Ok(());
        }
        let incarnation = bus::incarnation(tail.pool()).await?;
        let fault = match bus.look(&incarnation).await? {
            Some(found) if incarnation == self.incarnation && found.whole => {
                if found.last == self.position {
                    self.fault(tail, &found).await?
                } else {
                    Some("it does not stand where it was left")
                }
            }
            _ => Some("it is none of this book"),
        };
        if let Some(fault) = fault {
            warn!(fault, position = self.position, "the stream is not what it was");
            return Err(BookError::Bus(format!("the stream is no mirror: {fault}")));
        }
        self.integrators.observe(bus, self.position).await
    }

    /// Why the stream is no whole mirror, if so.
    async fn fault(&mut self, tail: &Tail, found: &Mirror) -> Result<Option<&'static str>, BookError> {
        if let Some(fault) = found.fault() {
            return Ok(Some(fault));
        }
        if found.whole && found.last < self.integrators.greatest() {
            return Ok(Some("it holds less than was acknowledged"));
        }
        let place = Some((found.made_at, found.first));
        if !found.lacks_beginning() || self.explained == place {
            return Ok(None);
        }
        if !found.is_full() && !found.has_aged(recorded_at(tail, found.first - 1).await?) {
            return Ok(Some("it lost messages that neither age nor size explains"));
        }
        self.explained = place;
        Ok(None)
    }
}

/// When the event at a position was recorded.
async fn recorded_at(tail: &Tail, position: i64) -> Result<Option<DateTime<Utc>>, BookError> {
    let asking = sqlx::query_scalar("select recorded_at from book.events where position = $1")
        .bind(position)
        .fetch_optional(tail.pool());
    answered(async { Ok(asking.await?) }).await
}

/// The position after which a stream made anew begins, in a book that ends at `end`, when a consumer has
/// acknowledged no more than `least`.
fn refill_after(end: i64, least: Option<i64>) -> i64 {
    let usual = end - REFILL_EVENTS_MAX;
    let wanted = least.map_or(usual, |least| least.min(usual));
    wanted.max(end - REFILL_EVENTS_FOR_CONSUMERS_MAX).max(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_made_anew_reaches_back_to_what_its_slowest_consumer_acknowledged_within_a_bound() {
        assert_eq!(refill_after(50, None), 0);
        assert_eq!(refill_after(3_000_000, None), 2_900_000);
        assert_eq!(refill_after(3_000_000, Some(2_950_000)), 2_900_000);
        assert_eq!(refill_after(3_000_000, Some(2_500_000)), 2_500_000);
        assert_eq!(refill_after(3_000_000, Some(7)), 2_000_000);
    }
}
