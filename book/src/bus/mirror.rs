//! The stream as the relay makes it and finds it, and what tells a whole mirror from one that lost data.

use std::collections::HashMap;
use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType, Stream};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Bus, bus_error, within};
use crate::BookError;

/// How long events stay on the bus, in days; the book keeps them for ever.
pub(crate) const MESSAGE_AGE_DAYS_MAX: u64 = 7;
/// How much earlier than its age says a message may be gone: clocks differ. In hours.
const AGE_MARGIN_HOURS: i64 = 1;
/// The most that one message takes on the stream, in bytes: the server's `max_payload` and what it adds. A
/// full stream is less than this below its limit.
const MESSAGE_BYTES_MAX: u64 = (1 << 20) + 4_096;

/// The note of which book the stream mirrors. It is written last: without it, a stream is no mirror.
const INCARNATION: &str = "daybook-incarnation";
/// The note of which book the stream is being filled from.
const FILLING: &str = "daybook-filling";
/// The note of the position after which the stream began.
const BEGAN: &str = "daybook-began";

/// What the server says of the stream at one look.
#[derive(Debug, Clone)]
pub(crate) struct Mirror {
    /// Whether it is a mirror already; it is being filled otherwise.
    pub whole: bool,
    /// The position after which it began.
    pub began: i64,
    /// The first position that it holds; the one after its last, when it holds none.
    pub first: i64,
    pub last: i64,
    /// Whether it takes what is published for this book.
    pub takes_ours: bool,
    /// Whether the server was told its first sequence when it was made.
    pub first_told: bool,
    /// When the server made it.
    pub made_at: DateTime<Utc>,
    now: DateTime<Utc>,
    pub messages: u64,
    bytes: u64,
    pub bytes_max: i64,
    age_max: Duration,
}

impl Mirror {
    /// Why this cannot be what was published to it, whatever age and size have taken.
    pub fn fault(&self) -> Option<&'static str> {
        if !self.takes_ours {
            return Some("its subjects are not those of the book");
        }
        if self.last < self.began || self.first <= self.began {
            return Some("it does not begin where it was made to");
        }
        let held = u64::try_from(self.last - self.first + 1);
        (held != Ok(self.messages)).then_some("it has holes")
    }

    /// Whether messages that were published to it are gone from its beginning.
    pub fn lacks_beginning(&self) -> bool {
        self.first > self.began + 1
    }

    /// Whether its oldest messages have to make room for the next ones.
    pub fn is_full(&self) -> bool {
        u64::try_from(self.bytes_max).is_ok_and(|max| self.bytes + MESSAGE_BYTES_MAX > max)
    }

    /// Whether the message of an event that was recorded then has come of age on it.
    pub fn has_aged(&self, recorded_at: Option<DateTime<Utc>>) -> bool {
        // Nothing on a stream is older than the stream, whatever it tells of.
        let published_at = recorded_at.map_or(self.made_at, |at| at.max(self.made_at));
        let age = self.now - published_at + TimeDelta::hours(AGE_MARGIN_HOURS);
        !self.age_max.is_zero() && age.to_std().is_ok_and(|age| age >= self.age_max)
    }
}

/// The part of the server's answer that matters here.
#[derive(Deserialize)]
struct Info {
    config: InfoConfig,
    created: DateTime<Utc>,
    state: State,
    ts: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
struct InfoConfig {
    #[serde(default)]
    subjects: Vec<String>,
    #[serde(default)]
    max_bytes: i64,
    /// In nanoseconds.
    #[serde(default)]
    max_age: u64,
    #[serde(default)]
    first_seq: u64,
    #[serde(default)]
    metadata: HashMap<String, String>,
}

#[derive(Deserialize)]
struct State {
    messages: u64,
    bytes: u64,
    first_seq: u64,
    last_seq: u64,
}

/// All that the stream is set to, as the server says it.
#[derive(Deserialize)]
struct Configured {
    config: Map<String, Value>,
}

/// Why a stream could not be made, with what NATS most likely had no room for.
fn unmade(error: &BookError, bytes: i64) -> BookError {
    let why = match error {
        BookError::Bus(why) => why.clone(),
        error => error.to_string(),
    };
    BookError::Bus(format!(
        "a stream of {bytes} bytes (DAYBOOK_NATS_STREAM_BYTES), for which NATS has to have room, could not be made: {why}"
    ))
}

impl Info {
    fn notes(&self, name: &str, incarnation: &str) -> bool {
        self.config.metadata.get(name).is_some_and(|noted| noted == incarnation)
    }

    fn mirror(&self, incarnation: &str, subjects: &[String]) -> Option<Mirror> {
        let whole = self.notes(INCARNATION, incarnation);
        if !whole && !self.notes(FILLING, incarnation) {
            return None;
        }
        let position = |sequence: u64| i64::try_from(sequence).unwrap_or(i64::MAX - 1);
        let last = position(self.state.last_seq);
        let began = self.config.metadata.get(BEGAN).and_then(|began| began.parse().ok());
        Some(Mirror {
            whole,
            began: began.unwrap_or_else(|| position(self.config.first_seq.saturating_sub(1))),
            first: if self.state.messages == 0 {
                last + 1
            } else {
                position(self.state.first_seq)
            },
            last,
            made_at: self.created,
            now: self.ts.unwrap_or_else(Utc::now),
            messages: self.state.messages,
            bytes: self.state.bytes,
            bytes_max: self.config.max_bytes,
            age_max: Duration::from_nanos(self.config.max_age),
            takes_ours: self.config.subjects == subjects,
            first_told: self.config.first_seq > 0,
        })
    }
}

impl Bus {
    /// The stream that mirrors this incarnation of the book, or is being filled from it.
    pub(crate) async fn look(&self, incarnation: &str) -> Result<Option<Mirror>, BookError> {
        let subject = format!("STREAM.INFO.{}", self.config.stream);
        match self.ask::<Info>(subject, &json!({})).await? {
            Ok(info) => Ok(info.mirror(incarnation, &self.subjects())),
            Err(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND => Ok(None),
            Err(error) => Err(bus_error(error)),
        }
    }

    /// The stream to read from, if it mirrors this incarnation of the book.
    pub(crate) async fn mirroring(&self, incarnation: &str) -> Result<Option<Stream<()>>, BookError> {
        if !self.look(incarnation).await?.is_some_and(|mirror| mirror.whole) {
            return Ok(None);
        }
        let stream = within(self.jetstream.get_stream_no_info(&self.config.stream)).await?;
        Ok(Some(stream))
    }

    /// Makes the stream anew, to be filled from the event after `position` on; what is there goes.
    pub(crate) async fn begin(&self, incarnation: &str, position: i64) -> Result<(), BookError> {
        let name = &self.config.stream;
        let deleting = self.ask::<Value>(format!("STREAM.DELETE.{name}"), &json!({})).await?;
        match deleting {
            Ok(_) => {}
            Err(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND => {}
            Err(error) => return Err(bus_error(error)),
        }
        let making = self.jetstream.create_stream(self.stream(incarnation, position, false));
        within(making)
            .await
            .map_err(|error| unmade(&error, self.config.stream_bytes_max))?;
        if position > 0 {
            // Not by a first sequence: NATS 2.10 would empty the stream at its next restart.
            let purge = json!({"seq": position + 1});
            let purged = self.ask::<Value>(format!("STREAM.PURGE.{name}"), &purge);
            purged.await?.map_err(bus_error)?;
        }
        match self.look(incarnation).await? {
            Some(mirror) if mirror.last == position && mirror.messages == 0 => Ok(()),
            mirror => Err(BookError::Bus(format!(
                "a stream that begins after {position} became {mirror:?}"
            ))),
        }
    }

    /// Makes a filled stream the mirror. From here on nobody can purge it.
    pub(crate) async fn finish(&self, incarnation: &str, began: i64) -> Result<(), BookError> {
        within(self.jetstream.update_stream(self.stream(incarnation, began, true))).await?;
        Ok(())
    }

    /// Whether it may hold as much as is configured.
    pub(crate) fn fits(&self, found: &Mirror) -> bool {
        found.bytes_max == self.config.stream_bytes_max
    }

    /// Has the stream hold as much as is configured, and begin after `began`; whatever else is set of it stays.
    pub(crate) async fn resize(&self, began: i64) -> Result<(), BookError> {
        let name = &self.config.stream;
        let info = self
            .ask::<Configured>(format!("STREAM.INFO.{name}"), &json!({}))
            .await?;
        let mut config = info.map_err(bus_error)?.config;
        let mut metadata = match config.remove("metadata") {
            Some(Value::Object(metadata)) => metadata,
            _ => Map::new(),
        };
        metadata.insert(BEGAN.to_owned(), began.to_string().into());
        config.insert("metadata".to_owned(), metadata.into());
        config.insert("max_bytes".to_owned(), self.config.stream_bytes_max.into());
        let updated = self
            .ask::<Value>(format!("STREAM.UPDATE.{name}"), &config.into())
            .await?;
        updated.map_err(bus_error)?;
        Ok(())
    }

    fn subjects(&self) -> Vec<String> {
        vec![format!("{}.>", self.config.prefix)]
    }

    fn stream(&self, incarnation: &str, began: i64, whole: bool) -> Config {
        let note = if whole { INCARNATION } else { FILLING };
        Config {
            name: self.config.stream.clone(),
            subjects: self.subjects(),
            description: Some("The book's mirror: sequence = position. Postgres is the truth.".to_owned()),
            retention: RetentionPolicy::Limits,
            discard: DiscardPolicy::Old,
            storage: StorageType::File,
            max_age: Duration::from_secs(MESSAGE_AGE_DAYS_MAX * 24 * 3_600),
            max_bytes: self.config.stream_bytes_max,
            deny_delete: true,
            deny_purge: whole,
            allow_direct: true,
            metadata: HashMap::from([
                (note.to_owned(), incarnation.to_owned()),
                (BEGAN.to_owned(), began.to_string()),
            ]),
            ..Config::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECONDS_A_DAY: i64 = 24 * 3_600;

    fn day(day: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(day * SECONDS_A_DAY, 0).unwrap()
    }

    /// A stream of week 1 that is looked at in week 5 and holds these positions.
    fn mirror(began: i64, held: std::ops::Range<i64>) -> Mirror {
        Mirror {
            whole: true,
            began,
            first: held.start,
            last: held.end - 1,
            made_at: day(0),
            now: day(30),
            messages: held.count() as u64,
            bytes: 1_000,
            bytes_max: 1 << 30,
            age_max: Duration::from_secs(7 * 24 * 3_600),
            takes_ours: true,
            first_told: false,
        }
    }

    #[test]
    fn a_stream_that_holds_all_that_was_published_to_it_is_whole() {
        // The last has nothing published to it yet.
        for whole in [mirror(0, 1..51), mirror(100, 101..151), mirror(100, 101..101)] {
            assert_eq!(whole.fault(), None);
            assert!(!whole.lacks_beginning());
        }
    }

    #[test]
    fn messages_come_of_age_on_a_stream_and_not_before_it_was_made() {
        let stream = mirror(100, 121..151);
        assert_eq!(stream.fault(), None);
        assert!(stream.lacks_beginning() && mirror(100, 151..151).lacks_beginning());
        assert!(stream.has_aged(Some(day(22))));
        assert!(!stream.has_aged(Some(day(24))));
        let young = Mirror {
            made_at: day(29),
            ..stream
        };
        assert!(!young.has_aged(Some(day(1))));
    }

    #[test]
    fn a_stream_is_full_when_the_next_message_may_push_one_out() {
        let filled = |bytes| Mirror {
            bytes,
            ..mirror(100, 121..151)
        };
        assert!(filled((1 << 30) - 300_000).is_full());
        assert!(!filled(1 << 29).is_full());
        let boundless = Mirror {
            bytes_max: -1,
            ..filled(1 << 40)
        };
        assert!(!boundless.is_full());
    }

    #[test]
    fn a_stream_that_cannot_be_made_names_the_setting_and_its_bytes() {
        let error = unmade(&BookError::Bus("insufficient storage".to_owned()), 1 << 30).to_string();
        assert!(
            error.contains("DAYBOOK_NATS_STREAM_BYTES") && error.contains("1073741824"),
            "{error}"
        );
        assert!(error.ends_with("insufficient storage"), "{error}");
    }

    #[test]
    fn holes_and_a_wrong_beginning_are_faults() {
        let holes = Mirror {
            messages: 49,
            ..mirror(0, 1..51)
        };
        assert!(holes.fault().is_some());
        assert!(mirror(100, 1..1).fault().is_some());
        assert!(mirror(100, 50..151).fault().is_some());
    }
}
