//! The bus: a JetStream stream whose sequence is the book's position. A cache, never the truth.

use std::fmt::Display;
use std::future::Future;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::context::ContextBuilder;
use async_nats::jetstream::response::Response;
use async_nats::{Client, ConnectOptions, ServerAddr, connection::State};
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
pub(crate) mod message;
pub(crate) mod mirror;
pub(crate) mod stand;

/// How much the stream may hold unless configured otherwise, in bytes.
pub const STREAM_BYTES_MAX: i64 = 1 << 30;
/// The least that it may be configured to hold, in bytes: of much less a few large events would push out all others.
pub const STREAM_BYTES_MIN: i64 = 16 << 20;
/// How long a request to the bus may take, in seconds.
pub(crate) const REQUEST_SECONDS_MAX: u64 = 2;
/// How often a silent server is asked whether it lives, in seconds. One that does not answer three times in
/// a row is connected to anew, so a half-open connection is noticed within three times as long.
const PING_SECONDS: u64 = 3;
/// How long connecting may take, in seconds.
const CONNECT_SECONDS_MAX: u64 = 3;
/// Published messages whose acknowledgement is awaited at one time.
pub const UNACKNOWLEDGED_MESSAGES_MAX: usize = 1_024;

#[derive(Clone)]
pub struct BusConfig {
    /// May hold a password.
    pub url: String,
    /// The JetStream stream's name.
    pub stream: String,
    /// The first token of every subject.
    pub prefix: String,
    pub stream_bytes_max: i64,
    /// Whether a server that lets in everybody is used, and an address that names no user is one.
    pub open: bool,
}

impl BusConfig {
    #[must_use]
    pub fn new(url: &str, stream: &str, prefix: &str) -> Self {
        Self {
            url: url.to_owned(),
            stream: stream.to_owned(),
            prefix: prefix.to_owned(),
            stream_bytes_max: STREAM_BYTES_MAX,
            open: false,
        }
    }
}

impl std::fmt::Debug for BusConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BusConfig")
            .field("stream", &self.stream)
            .field("prefix", &self.prefix)
            .field("stream_bytes_max", &self.stream_bytes_max)
            .field("open", &self.open)
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
    /// When the address is none, or names no user and the settings do not allow that.
    pub async fn connect(config: BusConfig) -> Result<Self, BookError> {
        let (address, options) = reaching(&config.url)?;
        if address.username().is_none() && !config.open {
            return Err(BookError::Bus(
                "NATS_URL names no user, and whoever reaches an open NATS can write on the bus: name one \
                 (nats://user:password@host:4222), or set DAYBOOK_NATS_OPEN=1 to do without"
                    .to_owned(),
            ));
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

    /// Whether there is a server to use.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected && !self.lets_in_anybody()
    }

    /// Whether the server asks nobody who they are, and the settings do not allow that: then it is not used.
    #[must_use]
    pub fn lets_in_anybody(&self) -> bool {
        !self.config.open
            && self.client.connection_state() == State::Connected
            && !self.client.server_info().auth_required
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
        if self.lets_in_anybody() {
            return Err(BookError::Bus(
                "it lets in everybody, so it is not used: give it users, or set DAYBOOK_NATS_OPEN=1".to_owned(),
            ));
        }
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

/// The server that an address names, and how to be let in: with the user and password in it, or with the token.
///
/// # Errors
/// When the address is none.
pub fn reaching(url: &str) -> Result<(ServerAddr, ConnectOptions), BookError> {
    let address: ServerAddr = url
        .parse()
        .map_err(|_| BookError::Bus("NATS_URL is no address of a NATS server".to_owned()))?;
    let plain = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let options = ConnectOptions::new();
    // The client does not take them from the address by itself.
    let options = match (address.username(), address.password()) {
        (Some(user), Some(password)) => options.user_and_password(plain(user), plain(password)),
        (Some(token), None) => options.token(plain(token)),
        (None, _) => options,
    };
    Ok((address, options))
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

/// Draws anew by what this book is told from what it was before, once it is known to go on from an earlier point; what it
/// is from then on. The pool is one of `daybook_projector`.
///
/// # Errors
/// The database's error.
pub(crate) async fn begin_history(pool: &PgPool) -> Result<String, BookError> {
    let drawing = sqlx::query("select book.begin_history()").execute(pool);
    answered(async { Ok::<_, BookError>(drawing.await?) }).await?;
    incarnation(pool).await
}
