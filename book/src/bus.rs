//! The bus: a JetStream stream whose sequence is the book's position. A cache, never the truth.

use std::fmt::Display;
use std::future::Future;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::context::ContextBuilder;
use async_nats::jetstream::response::Response;
use async_nats::{Client, HeaderMap, connection::State};
use chrono::{DateTime, SecondsFormat};
use domain::Recorded;
use futures::FutureExt as _;
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;
use sqlx::PgPool;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::BookError;
use crate::pools::answered;

pub(crate) mod integrators;
pub(crate) mod mirror;
pub(crate) mod stand;

/// How much the stream may hold unless configured otherwise, in bytes.
pub const STREAM_BYTES_MAX: i64 = 1 << 30;
/// How long a request to the bus may take, in seconds.
pub(crate) const REQUEST_SECONDS_MAX: u64 = 2;
/// How often a silent server is asked whether it lives, in seconds. One that does not answer three times in
/// a row is connected to anew, so a half-open connection is noticed within three times as long.
const PING_SECONDS: u64 = 3;
/// How long connecting may take, in seconds.
const CONNECT_SECONDS_MAX: u64 = 3;
/// Published messages whose acknowledgement is awaited at one time.
pub const UNACKNOWLEDGED_MESSAGES_MAX: usize = 1_024;
/// The position that a message says it is at.
const POSITION: &str = "daybook-position";

#[derive(Clone)]
pub struct BusConfig {
    /// May hold a password.
    pub url: String,
    /// The JetStream stream's name.
    pub stream: String,
    /// The first token of every subject.
    pub prefix: String,
    pub stream_bytes_max: i64,
}

impl BusConfig {
    #[must_use]
    pub fn new(url: &str, stream: &str, prefix: &str) -> Self {
        Self {
            url: url.to_owned(),
            stream: stream.to_owned(),
            prefix: prefix.to_owned(),
            stream_bytes_max: STREAM_BYTES_MAX,
        }
    }
}

impl std::fmt::Debug for BusConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BusConfig")
            .field("stream", &self.stream)
            .field("prefix", &self.prefix)
            .field("stream_bytes_max", &self.stream_bytes_max)
            .finish_non_exhaustive()
    }
}

/// A connection to the bus. Clones share it.
#[derive(Debug, Clone)]
pub struct Bus {
    client: Client,
    pub(crate) jetstream: Context,
    pub(crate) config: BusConfig,
}

impl Bus {
    /// Connects in the background, so that Daybook starts and works while the bus is down.
    ///
    /// # Errors
    /// When the address is none.
    pub async fn connect(config: BusConfig) -> Result<Self, BookError> {
        let address: async_nats::ServerAddr = config
            .url
            .parse()
            .map_err(|_| BookError::Bus("NATS_URL is no address of a NATS server".to_owned()))?;
        let mut options = async_nats::ConnectOptions::new();
        // The client does not take them from the address by itself.
        if let (Some(user), password) = (address.username(), address.password()) {
            let plain = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
            options = match password {
                Some(password) => options.user_and_password(plain(user), plain(password)),
                None => options.token(plain(user)),
            };
        }
        let client = options
            .name("daybook")
            .retry_on_initial_connect()
            .max_reconnects(None)
            .ping_interval(Duration::from_secs(PING_SECONDS))
            .connection_timeout(Duration::from_secs(CONNECT_SECONDS_MAX))
            .reconnect_delay_callback(|attempt| Duration::from_millis((50 * attempt as u64).min(1_000)))
            .connect(address)
            .await
            .map_err(|error| BookError::Bus(error.to_string()))?;
        let jetstream = ContextBuilder::new()
            .timeout(Duration::from_secs(REQUEST_SECONDS_MAX))
            // What was published and not waited for gives its place back after this.
            .ack_timeout(Duration::from_secs(REQUEST_SECONDS_MAX))
            .max_ack_inflight(UNACKNOWLEDGED_MESSAGES_MAX)
            .backpressure_on_inflight(true)
            .build(client.clone());
        Ok(Self {
            client,
            jetstream,
            config,
        })
    }

    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// How often it has connected. What was subscribed under another count may have missed anything.
    pub(crate) fn connects(&self) -> u64 {
        self.client.statistics().connects.load(Ordering::Relaxed)
    }

    /// The subject on which commits are made known to relays in other processes.
    fn wake_subject(&self) -> String {
        format!("wake.{}", self.config.stream)
    }

    /// Tells relays elsewhere of every commit of this process, until stopped.
    pub async fn announce(self, committed: std::sync::Arc<Notify>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = committed.notified() => {}
                () = stop.cancelled() => return,
            }
            if self.is_connected() {
                // Only a hint: the relay polls as well. So it does not wait for room in a connection that
                // takes nothing.
                let publishing = self.client.publish(self.wake_subject(), Default::default());
                let _ = publishing.now_or_never();
            }
        }
    }

    pub(crate) async fn wakes(&self) -> Result<async_nats::Subscriber, BookError> {
        within(self.client.subscribe(self.wake_subject())).await
    }

    /// What the server answers to a request of its JetStream API; its own error, if it says one.
    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        subject: String,
        body: &serde_json::Value,
    ) -> Result<Result<T, async_nats::jetstream::Error>, BookError> {
        Ok(match within(self.jetstream.request(subject, body)).await? {
            Response::Ok(answer) => Ok(answer),
            Response::Err { error } => Err(error),
        })
    }

    pub(crate) fn subject(&self, event: &Recorded<String>) -> String {
        let name = format!("{}.{}", event.aggregate_type, event.event_type);
        // What Daybook writes needs none of this; a name that NATS refuses would hold up all that come after it.
        let name = name.replace(|letter: char| letter.is_whitespace() || "*>".contains(letter), "_");
        format!("{}.{}.{name}", self.config.prefix, event.tenant_id)
    }
}

/// What the bus answers, if it does so within [`REQUEST_SECONDS_MAX`]: a client whose server takes nothing
/// also waits for room to put the request.
pub(crate) async fn within<T, E: Display>(asking: impl Future<Output = Result<T, E>>) -> Result<T, BookError> {
    match tokio::time::timeout(Duration::from_secs(REQUEST_SECONDS_MAX), asking).await {
        Ok(answer) => answer.map_err(bus_error),
        Err(_) => Err(BookError::Bus("it does not answer in time".to_owned())),
    }
}

pub(crate) fn bus_error(error: impl Display) -> BookError {
    BookError::Bus(error.to_string())
}

/// Which book this is: a restore, a fail-over or another database makes another one.
///
/// # Errors
/// The database's error.
pub async fn incarnation(pool: &PgPool) -> Result<String, BookError> {
    let asking = sqlx::query_scalar(
        // The timeline of what is being written: the control file tells it only after the first checkpoint
        // that follows a fail-over.
        "select concat_ws('/', s.system_identifier, left(pg_walfile_name(pg_current_wal_lsn()), 8), d.oid, i.id)
         from pg_control_system() s, pg_database d, book.incarnation i
         where d.datname = current_database()",
    )
    .fetch_one(pool);
    answered(async { Ok(asking.await?) }).await
}

/// CloudEvents headers, and what else a projector needs so that it need not ask the book.
pub(crate) fn headers(event: &Recorded<String>) -> Result<HeaderMap, BookError> {
    let mut headers = HeaderMap::new();
    headers.insert("ce-specversion", "1.0");
    headers.insert("ce-id", event.event_id.to_string());
    headers.insert("ce-source", format!("/daybook/{}", event.aggregate_type));
    headers.insert("ce-type", event.event_type.as_str());
    headers.insert("ce-subject", event.stream.to_string());
    headers.insert(POSITION, event.position.to_string());
    headers.insert(
        "ce-time",
        event.recorded_at.to_rfc3339_opts(SecondsFormat::Micros, true),
    );
    headers.insert("ce-datacontenttype", "application/json");
    headers.insert("ce-sequence", event.sequence.to_string());
    headers.insert("ce-tenant", event.tenant_id.to_string());
    headers.insert("ce-version", event.event_version.as_str());
    // What could not be read is not made up: without this header a projector asks the book, and parks the stream.
    if event.metadata.unopened.is_empty() {
        headers.insert("daybook-metadata", serde_json::to_string(&event.metadata)?);
    }
    Ok(headers)
}

/// The event that a message carries; `None` when it is not one of ours.
pub(crate) fn received(message: &async_nats::Message, position: i64) -> Option<Recorded<String>> {
    let headers = message.headers.as_ref()?;
    let header = |name: &str| headers.get(name).map(async_nats::HeaderValue::as_str);
    // A message that came in beside the relay has moved all that follow: their place says nothing then.
    if header(POSITION)?.parse() != Ok(position) {
        return None;
    }
    let metadata: domain::Metadata = serde_json::from_str(header("daybook-metadata")?).ok()?;
    let recorded_at = DateTime::parse_from_rfc3339(header("ce-time")?).ok()?.to_utc();
    Some(Recorded {
        position,
        event_id: header("ce-id")?.parse().ok()?,
        tenant_id: header("ce-tenant")?.parse().ok()?,
        aggregate_type: header("ce-source")?.strip_prefix("/daybook/")?.to_owned(),
        stream: header("ce-subject")?.parse().ok()?,
        sequence: header("ce-sequence")?.parse().ok()?,
        event_type: header("ce-type")?.to_owned(),
        event_version: header("ce-version")?.to_owned(),
        at: metadata.occurred_at.unwrap_or(recorded_at),
        recorded_at,
        metadata,
        event: String::from_utf8(message.payload.to_vec()).ok()?,
    })
}
