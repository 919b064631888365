//! Where the relay stands on the bus, and how it comes to stand there: by what is on the stream if that is
//! whole, by a stream made anew if it is not.

use std::time::Duration;

use async_nats::jetstream::consumer::{DeliverPolicy, pull};
use async_nats::jetstream::stream::RawMessageErrorKind;
use chrono::{DateTime, Utc};
use futures::StreamExt as _;
use sha2::{Digest as _, Sha256};
use tracing::{info, warn};

use super::integrators::Integrators;
use super::message::Signing;
use super::mirror::Mirror;
use super::{UNACKNOWLEDGED_MESSAGES_MAX, bus_error, within};
use crate::pools::answered;
use crate::worker::Beat;
use crate::{BookError, Bus, Tail, bus};

/// How many of the latest events a stream made anew begins with; older ones are read from the book.
const REFILL_EVENTS_MAX: i64 = 100_000;
/// As above, when an integrator's consumer has acknowledged less.
const REFILL_EVENTS_FOR_CONSUMERS_MAX: i64 = 1_000_000;

/// The latest messages that are looked at before the relay goes on. A message that somebody else published has taken the
/// place of one that the relay was about to publish, and of what was on its way then no more came after it.
const LOOKED_AT_MESSAGES: i64 = UNACKNOWLEDGED_MESSAGES_MAX as i64;
/// How long they may take to come, in seconds.
const LOOKED_AT_SECONDS_MAX: u64 = 10;

const AHEAD: &str = "it is ahead of the book";

/// Where the relay stands.
#[derive(Debug)]
pub(crate) struct Stand {
    /// The last position that the stream acknowledged.
    pub position: i64,
    /// What messages are told by.
    pub signing: Signing,
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
            signing: tail.signing(&incarnation).await?,
            incarnation,
            integrators,
            began: 0,
            fill_to: None,
            explained: None,
        };
        let Some(found) = found else {
            stand.begin(bus, end, end, "there is none of this book").await?;
            return Ok(stand);
        };
        // Up to where what it holds is the book's.
        let mut genuine = end;
        let mut fault = match stand.fault(tail, &found).await? {
            None if found.last > end => Some(AHEAD),
            fault => fault,
        };
        let (own, others) = match fault {
            None | Some(AHEAD) => stand.latest(bus, &found).await?,
            Some(_) => (Vec::new(), Vec::new()),
        };
        if !others.is_empty() {
            // Those of a former version have no code, and are the book's all the same.
            let forged = first_unlike_the_book(tail, &others).await?;
            genuine = forged.map_or(genuine, |position| genuine.min(position - 1));
            metrics::counter!("daybook_bus_forgeries_total").increment(1);
            fault = Some("it holds a message that is none of Daybook's");
        }
        if let Some(position) = first_unlike_the_book(tail, &own).await? {
            // By its code it was this book's: since then the book was restored from a backup of before.
            genuine = genuine.min(position - 1);
            stand.incarnation = bus::begin_history(tail.pool()).await?;
            stand.signing = tail.signing(&stand.incarnation).await?;
            warn!(
                position,
                "the book has other events than it had: it was restored, and a new history begins"
            );
            fault = Some("it holds events that the book has no more");
        }
        match fault {
            None if found.first_told => {
                stand.integrators.observe(bus, found.last).await?;
                // NATS 2.10 empties such a stream when the server starts again. Former versions made them.
                stand
                    .begin(bus, end, genuine, "it was made with a first sequence")
                    .await?;
            }
            None => {
                (stand.position, stand.began) = (found.last, found.began);
                stand.fill_to = (!found.whole).then_some(end);
                // One that is being filled becomes what is configured once it is whole.
                if found.whole && !bus.fits(&found) {
                    stand.began = resized(bus, &found).await;
                }
            }
            Some(fault) => {
                if found.whole {
                    stand.integrators.rescue(bus).await?;
                }
                stand.begin(bus, end, genuine, fault).await?;
            }
        }
        Ok(stand)
    }

    async fn begin(&mut self, bus: &Bus, end: i64, genuine: i64, why: &str) -> Result<(), BookError> {
        // Whoever has acknowledged what Daybook never said has not had the events of those places.
        self.integrators.bound(genuine).await?;
        let position = refill_after(end, self.integrators.least());
        bus.begin(&self.incarnation, position).await?;
        info!(why, position, "the stream was made anew, to begin after its position");
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
        // The key may be another one by now.
        self.signing = tail.signing(&incarnation).await?;
        let fault = match bus.look(&incarnation).await? {
            Some(found) if incarnation == self.incarnation && found.whole => {
                if found.last == self.position {
                    match self.fault(tail, &found).await? {
                        None if !self.is_last_own(bus, &found).await? => Some("its last message is none of Daybook's"),
                        fault => fault,
                    }
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

/// A message of the latest, with a code of Daybook's or without.
struct Message {
    position: i64,
    /// The event that it says it is.
    event_id: String,
    payload: Vec<u8>,
}

impl Stand {
    /// The latest messages: those with a code of Daybook's, and those without.
    async fn latest(&self, bus: &Bus, found: &Mirror) -> Result<(Vec<Message>, Vec<Message>), BookError> {
        if found.messages == 0 {
            return Ok((Vec::new(), Vec::new()));
        }
        let first = found.first.max(found.last - LOOKED_AT_MESSAGES + 1);
        let limit = Duration::from_secs(LOOKED_AT_SECONDS_MAX);
        let looking = tokio::time::timeout(limit, self.between(bus, first, found.last));
        let late = || BookError::Bus("its latest messages do not come in time".to_owned());
        looking.await.unwrap_or_else(|_| Err(late()))
    }

    async fn between(&self, bus: &Bus, first: i64, last: i64) -> Result<(Vec<Message>, Vec<Message>), BookError> {
        let (mut own, mut others) = (Vec::new(), Vec::new());
        let stream = within(bus.jetstream.get_stream_no_info(&bus.config.stream)).await?;
        let consumer = stream.create_consumer(pull::OrderedConfig {
            deliver_policy: DeliverPolicy::ByStartSequence {
                start_sequence: u64::try_from(first).unwrap_or(1),
            },
            ..Default::default()
        });
        let mut messages = within(consumer).await?.messages().await.map_err(bus_error)?;
        while let Some(message) = messages.next().await {
            let message = message.map_err(bus_error)?;
            let sequence = message.info().map_err(bus_error)?.stream_sequence;
            let headers = message.headers.as_ref();
            let is_own =
                headers.is_some_and(|headers| self.signing.is_own(&message.subject, headers, &message.payload));
            let position = i64::try_from(sequence).unwrap_or(i64::MAX);
            let event_id = headers.and_then(|headers| headers.get("ce-id"));
            let some = if is_own { &mut own } else { &mut others };
            some.push(Message {
                position,
                event_id: event_id.map_or_else(String::new, ToString::to_string),
                payload: Sha256::digest(&message.payload).to_vec(),
            });
            if position >= last {
                return Ok((own, others));
            }
        }
        Err(BookError::Bus("its latest messages do not come".to_owned()))
    }

    /// Whether the last message is Daybook's own; one that has come of age just now counts as such.
    async fn is_last_own(&self, bus: &Bus, found: &Mirror) -> Result<bool, BookError> {
        if found.messages == 0 {
            return Ok(true);
        }
        let stream = within(bus.jetstream.get_stream_no_info(&bus.config.stream)).await?;
        let asking = stream.get_raw_message(u64::try_from(found.last).unwrap_or(0));
        let limit = Duration::from_secs(super::REQUEST_SECONDS_MAX);
        match tokio::time::timeout(limit, asking).await {
            Ok(Ok(last)) => Ok(self.signing.is_own(&last.subject, &last.headers, &last.payload)),
            Ok(Err(error)) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(true),
            Ok(Err(error)) => Err(bus_error(error)),
            Err(_) => Err(BookError::Bus("it does not answer in time".to_owned())),
        }
    }
}

/// Has a whole stream hold as much as is configured; the position after which it begins by then.
async fn resized(bus: &Bus, found: &Mirror) -> i64 {
    let (from, to) = (found.bytes_max, bus.config.stream_bytes_max);
    // What its size has taken was explained a moment ago, and could not be of a larger one.
    let began = match found.lacks_beginning() {
        true => found.first - 1,
        false => found.began,
    };
    match bus.resize(began).await {
        Ok(()) => {
            info!(
                from,
                to, "the stream may hold as many bytes as DAYBOOK_NATS_STREAM_BYTES says now"
            );
            began
        }
        Err(error) => {
            warn!(
                from, to, %error,
                "the stream may hold other bytes than DAYBOOK_NATS_STREAM_BYTES says, and NATS does not change it; \
                 the relay goes on with what it holds"
            );
            found.began
        }
    }
}

/// The first of these messages that is not what the book has at its position; `None` when all are.
async fn first_unlike_the_book(tail: &Tail, messages: &[Message]) -> Result<Option<i64>, BookError> {
    if messages.is_empty() {
        return Ok(None);
    }
    let positions: Vec<i64> = messages.iter().map(|message| message.position).collect();
    let ids: Vec<&str> = messages.iter().map(|message| message.event_id.as_str()).collect();
    let payloads: Vec<&[u8]> = messages.iter().map(|message| message.payload.as_slice()).collect();
    let asking = sqlx::query_scalar(
        "select min(m.position) from unnest($1::bigint[], $2::text[], $3::bytea[]) m(position, id, payload)
         where not exists (
             select from book.events e where e.position = m.position and e.event_id::text = m.id
                 and sha256(convert_to(e.payload::text, 'UTF8')) = m.payload)",
    )
    .bind(positions)
    .bind(ids)
    .bind(payloads)
    .fetch_one(tail.pool());
    answered(async { Ok(asking.await?) }).await
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
