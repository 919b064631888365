//! The bus: a JetStream stream whose sequence is the book's position. A cache, never the truth.

use std::collections::HashMap;
use std::time::Duration;

use async_nats::jetstream::context::ContextBuilder;
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};
use async_nats::jetstream::{self, Context};
use async_nats::{Client, HeaderMap, connection::State};
use chrono::{DateTime, SecondsFormat};
use domain::Recorded;
use sqlx::PgPool;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::BookError;

/// How long events stay on the bus, in days; the book keeps them for ever.
const MESSAGE_AGE_DAYS_MAX: u64 = 7;
/// How much the stream may hold unless configured otherwise, in bytes.
pub const STREAM_BYTES_MAX: i64 = 1 << 30;
/// How long a request to the bus may take, in seconds.
const REQUEST_SECONDS_MAX: u64 = 2;
/// Published messages whose acknowledgement is awaited at one time.
pub const UNACKNOWLEDGED_MESSAGES_MAX: usize = 1_024;
/// The position that a message says it is at.
const POSITION: &str = "daybook-position";
/// The stream's note of which book filled it.
const INCARNATION: &str = "daybook-incarnation";

#[derive(Debug, Clone)]
pub struct BusConfig {
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
        let client = async_nats::ConnectOptions::new()
            .name("daybook")
            .retry_on_initial_connect()
            .max_reconnects(None)
            .reconnect_delay_callback(|attempt| Duration::from_millis((50 * attempt as u64).min(1_000)))
            .connect(&config.url)
            .await
            .map_err(|error| BookError::Bus(error.to_string()))?;
        let jetstream = ContextBuilder::new()
            .timeout(Duration::from_secs(REQUEST_SECONDS_MAX))
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
                // Only a hint: the relay polls as well.
                let _ = self.client.publish(self.wake_subject(), Default::default()).await;
            }
        }
    }

    pub(crate) async fn wakes(&self) -> Result<async_nats::Subscriber, BookError> {
        self.client.subscribe(self.wake_subject()).await.map_err(bus_error)
    }

    /// The stream's last sequence, if it mirrors this incarnation of the book.
    pub(crate) async fn mirrored(&self, incarnation: &str) -> Result<Option<u64>, BookError> {
        let stream = match self.jetstream.get_stream(&self.config.stream).await {
            Ok(stream) => stream,
            Err(error) if is_not_found(&error) => return Ok(None),
            Err(error) => return Err(bus_error(error)),
        };
        let info = stream.cached_info();
        let ours = info
            .config
            .metadata
            .get(INCARNATION)
            .is_some_and(|noted| noted == incarnation);
        Ok(ours.then_some(info.state.last_sequence))
    }

    /// Makes the stream anew, to begin after `position`; one that mirrors another book is removed.
    pub(crate) async fn recreate(&self, incarnation: &str, position: i64) -> Result<(), BookError> {
        // It may not exist; creating it below tells whether anything is wrong.
        let _ = self.jetstream.delete_stream(&self.config.stream).await;
        self.jetstream
            .create_stream(Config {
                name: self.config.stream.clone(),
                subjects: vec![format!("{}.>", self.config.prefix)],
                description: Some("The book's mirror: sequence = position. Postgres is the truth.".to_owned()),
                retention: RetentionPolicy::Limits,
                discard: DiscardPolicy::Old,
                storage: StorageType::File,
                max_age: Duration::from_secs(MESSAGE_AGE_DAYS_MAX * 24 * 3_600),
                max_bytes: self.config.stream_bytes_max,
                deny_delete: true,
                deny_purge: true,
                allow_direct: true,
                first_sequence: u64::try_from(position + 1).ok(),
                metadata: HashMap::from([(INCARNATION.to_owned(), incarnation.to_owned())]),
                ..Config::default()
            })
            .await
            .map_err(bus_error)?;
        Ok(())
    }

    pub(crate) fn subject(&self, event: &Recorded<String>) -> String {
        format!(
            "{}.{}.{}.{}",
            self.config.prefix, event.tenant_id, event.aggregate_type, event.event_type
        )
    }
}

fn is_not_found(error: &jetstream::context::GetStreamError) -> bool {
    use jetstream::context::GetStreamErrorKind;
    matches!(error.kind(), GetStreamErrorKind::JetStream(error) if error.error_code() == jetstream::ErrorCode::STREAM_NOT_FOUND)
}

pub(crate) fn bus_error(error: impl std::fmt::Display) -> BookError {
    BookError::Bus(error.to_string())
}

/// Which book this is: a restore, a fail-over or another database makes another one.
///
/// # Errors
/// The database's error.
pub async fn incarnation(pool: &PgPool) -> Result<String, BookError> {
    Ok(sqlx::query_scalar(
        // The timeline of what is being written: the control file tells it only after the first checkpoint
        // that follows a fail-over.
        "select concat_ws('/', s.system_identifier, left(pg_walfile_name(pg_current_wal_lsn()), 8), d.oid, i.id)
         from pg_control_system() s, pg_database d, book.incarnation i
         where d.datname = current_database()",
    )
    .fetch_one(pool)
    .await?)
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
    headers.insert("daybook-metadata", serde_json::to_string(&event.metadata)?);
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
