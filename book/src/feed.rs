//! A projector's feed: the bus while it is whole, the book whenever it is not.

use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::{DeliverPolicy, pull};
use domain::Recorded;
use futures::StreamExt as _;
use tokio::task::JoinHandle;
use tracing::debug;

use crate::bus::message::{self, Signing};
use crate::bus::{self, bus_error};
use crate::pools::answered;
use crate::tail::PAGE_BYTES_MAX;
use crate::{BookError, Bus, End, Tail};

/// How long a silent bus is believed before the book is asked, in milliseconds.
const SILENCE_MS: u64 = 100;
/// How long to wait before subscribing again after that failed, in milliseconds.
const RESUBSCRIBE_MS: u64 = 500;
/// How long subscribing may take, in seconds.
const SUBSCRIBE_SECONDS_MAX: u64 = 2;
/// Messages asked for at once.
const PULL_MESSAGES: i64 = 2_000;

/// Yields the events after a position, each once, in order, without a gap.
pub struct Feed {
    tail: Tail,
    bus: Bus,
    /// The last position that was yielded.
    position: i64,
    subscription: Option<Subscription>,
    /// Whether the book had nothing more when it was read last: from there the bus is faster, if it lives.
    caught_up: bool,
    /// No attempt to subscribe before this.
    subscribe_after: Instant,
    /// The book's end, where somebody watches it; the book is read by itself else.
    end: Option<End>,
    /// The attempt that is under way, and how often the bus had connected when it began.
    attempt: Option<(JoinHandle<Attempted>, u64)>,
    /// Whether the bus left an attempt without an answer: it is not waited for then, and the book is read.
    bus_is_mute: bool,
}

/// An ordered consumer and what its messages are told by; `None` when the stream mirrors another book.
type Attempted = Result<Option<(pull::Ordered, Signing)>, BookError>;

struct Subscription {
    messages: pull::Ordered,
    signing: Signing,
    /// How often the bus had connected. After another time it may take long until messages come again.
    connects: u64,
    /// Received, but its turn has not come.
    ahead: Option<Recorded<String>>,
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "feed after {}", self.position)
    }
}

impl Feed {
    #[must_use]
    pub fn new(tail: Tail, bus: Bus, position: i64) -> Self {
        Self {
            tail,
            bus,
            position,
            subscription: None,
            caught_up: false,
            subscribe_after: Instant::now(),
            end: None,
            attempt: None,
            bus_is_mute: false,
        }
    }

    /// Relies on this watch to know whether there is more in the book, instead of reading it whenever the bus is
    /// silent.
    #[must_use]
    pub fn watching(mut self, end: Option<End>) -> Self {
        self.end = end;
        self
    }

    /// Goes on after `position`, reading the book first: what the bus said was not believed.
    pub fn rewind(&mut self, position: i64) {
        self.position = position;
        self.unsubscribe();
    }

    /// The next events, at most `limit`; none after a moment in which nothing happened.
    ///
    /// Cancel-safe: events are either yielded or come again.
    ///
    /// # Errors
    /// The book's error. Whatever is wrong with the bus is made good from the book.
    pub async fn next(&mut self, limit: usize) -> Result<Vec<Recorded<String>>, BookError> {
        let connects = self.bus.connects();
        if self.subscription.as_ref().is_some_and(|held| held.connects != connects) {
            self.unsubscribe();
        }
        // With no events in hand: whoever stops waiting here loses nothing.
        if self.caught_up && self.subscription.is_none() {
            self.subscribe(self.position).await;
        }
        let page = match self.read_bus(limit).await {
            Some(page) if !page.is_empty() => answered(self.tail.opened(page)).await?,
            Some(_) if self.is_at_end() => Vec::new(),
            Some(_) => self.read_book(limit).await?,
            None => {
                if self.is_at_end() {
                    self.grows().await;
                }
                let page = self.read_book(limit).await?;
                if page.is_empty() {
                    self.grows().await;
                    return self.read_book(limit).await;
                }
                page
            }
        };
        if let Some(last) = page.last() {
            self.position = last.position;
        }
        Ok(page)
    }

    /// Whether the book is known to have nothing more. It is not while something is wrong with the bus: then
    /// the book is asked.
    fn is_at_end(&self) -> bool {
        self.caught_up && self.end.as_ref().is_some_and(|end| end.position() <= self.position)
    }

    /// Waits for a moment, or until the book is known to go on.
    async fn grows(&mut self) {
        let silence = Duration::from_millis(SILENCE_MS);
        let position = self.position;
        match &mut self.end {
            Some(end) => {
                let _ = tokio::time::timeout(silence, end.beyond(position)).await;
            }
            None => tokio::time::sleep(silence).await,
        }
    }

    async fn read_book(&mut self, limit: usize) -> Result<Vec<Recorded<String>>, BookError> {
        let page = answered(self.tail.after(self.position, limit as i64)).await?;
        self.caught_up = page.len() < limit;
        if let Some(last) = page.last() {
            self.position = last.position;
        } else if self.subscription.is_none() {
            self.subscribe(self.position).await;
        }
        Ok(page)
    }

    /// What the bus has, contiguous with what was yielded; `None` without a subscription.
    async fn read_bus(&mut self, limit: usize) -> Option<Vec<Recorded<String>>> {
        let position = self.position;
        let subscription = self.subscription.as_mut()?;
        let silence = Duration::from_millis(SILENCE_MS);
        let mut page: Vec<Recorded<String>> = Vec::new();
        let mut bytes = 0;
        while page.len() < limit && bytes < PAGE_BYTES_MAX {
            let expected = position + 1 + page.len() as i64;
            let next = match subscription.ahead.take() {
                Some(event) => Ok(Some(event)),
                None if page.is_empty() => {
                    match tokio::time::timeout(silence, receive(&mut subscription.messages, &subscription.signing))
                        .await
                    {
                        Ok(next) => next.map(Some),
                        Err(_) => Ok(None),
                    }
                }
                None => ready(&mut subscription.messages, &subscription.signing).transpose(),
            };
            match next {
                Ok(Some(event)) if event.position == expected => {
                    bytes += event.event.len();
                    page.push(event);
                }
                Ok(Some(event)) if event.position < expected => {}
                // A hole: the book fills it, then this one's turn comes.
                Ok(Some(event)) => {
                    subscription.ahead = Some(event);
                    break;
                }
                Ok(None) => break,
                Err(error) => {
                    debug!(error = %error, "the bus failed a feed, which goes on from the book");
                    self.unsubscribe();
                    break;
                }
            }
        }
        Some(page)
    }

    /// Begins to subscribe, or goes on; waits for it unless the bus is mute.
    async fn subscribe(&mut self, position: i64) {
        if self.attempt.is_none() && Instant::now() >= self.subscribe_after && self.bus.is_connected() {
            let (tail, bus, connects) = (self.tail.clone(), self.bus.clone(), self.bus.connects());
            // A task of its own, so that the book can be read while the bus does not answer.
            self.attempt = Some((tokio::spawn(subscribed(tail, bus, position)), connects));
        }
        let Some((attempt, connects)) = self.attempt.as_mut() else {
            return;
        };
        if self.bus_is_mute && !attempt.is_finished() {
            return;
        }
        let (attempted, connects) = (attempt.await, *connects);
        self.attempt = None;
        self.subscribe_after = Instant::now() + Duration::from_millis(RESUBSCRIBE_MS);
        self.bus_is_mute = !matches!(attempted, Ok(Ok(_)));
        match attempted {
            Ok(Ok(messages)) => {
                self.subscription = messages.map(|(messages, signing)| Subscription {
                    messages,
                    signing,
                    connects,
                    ahead: None,
                });
            }
            Ok(Err(error)) => debug!(error = %error, "a feed cannot subscribe"),
            Err(error) => debug!(error = %error, "an attempt to subscribe ended"),
        }
    }

    fn unsubscribe(&mut self) {
        self.subscription = None;
        self.caught_up = false;
        self.subscribe_after = Instant::now() + Duration::from_millis(RESUBSCRIBE_MS);
    }
}

/// An ordered consumer from `position` on.
async fn subscribed(tail: Tail, bus: Bus, position: i64) -> Attempted {
    let limit = Duration::from_secs(SUBSCRIBE_SECONDS_MAX);
    let subscribing = async {
        let incarnation = bus::incarnation(tail.pool()).await?;
        let Some(stream) = bus.mirroring(&incarnation).await? else {
            return Ok(None);
        };
        let signing = tail.signing(&incarnation).await?;
        let consumer = stream
            .create_consumer(pull::OrderedConfig {
                deliver_policy: DeliverPolicy::ByStartSequence {
                    start_sequence: u64::try_from(position + 1).unwrap_or(1),
                },
                max_batch: PULL_MESSAGES,
                ..Default::default()
            })
            .await
            .map_err(bus_error)?;
        let messages = consumer.messages().await.map_err(bus_error)?;
        Ok(Some((messages, signing)))
    };
    tokio::time::timeout(limit, subscribing)
        .await
        .unwrap_or_else(|_| Err(BookError::Bus("a feed cannot subscribe in time".to_owned())))
}

async fn receive(messages: &mut pull::Ordered, signing: &Signing) -> Result<Recorded<String>, BookError> {
    event(messages.next().await, signing)
}

/// What has arrived already, without waiting.
fn ready(messages: &mut pull::Ordered, signing: &Signing) -> Option<Result<Recorded<String>, BookError>> {
    use futures::FutureExt as _;
    messages.next().now_or_never().map(|next| event(next, signing))
}

fn event(
    next: Option<Result<async_nats::jetstream::Message, pull::OrderedError>>,
    signing: &Signing,
) -> Result<Recorded<String>, BookError> {
    let message = next
        .ok_or_else(|| BookError::Bus("the subscription ended".to_owned()))?
        .map_err(bus_error)?;
    let sequence = message.info().map_err(bus_error)?.stream_sequence;
    let position = i64::try_from(sequence).unwrap_or(i64::MAX);
    message::received(&message, position, signing).ok_or_else(|| {
        metrics::counter!("daybook_bus_messages_refused_total").increment(1);
        BookError::Bus(format!("message {sequence} is none of ours"))
    })
}
