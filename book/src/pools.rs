//! One pool of connections per database role, so that a query cannot do what its kind must not.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{Connection as _, PgPool};

use crate::BookError;
use crate::logins::{Logins, PROJECTOR, READER, WRITER};

/// How long a caller waits for a free connection, in seconds.
pub const ACQUIRE_SECONDS_MAX: u64 = 5;
/// How long a read of the book may take before its connection is taken to have gone silent, in seconds.
const ANSWER_SECONDS_MAX: u64 = 8;
const WRITER_CONNECTIONS_MAX: u32 = 8;
const PROJECTOR_CONNECTIONS_MAX: u32 = 10;
pub const READER_CONNECTIONS_MAX: u32 = 12;
const OWNER_CONNECTIONS_MAX: u32 = 2;
/// Connections of one process outside of its pools: those of the appender, the one that holds its leads, and the one that
/// seals are made over.
const OTHER_CONNECTIONS_MAX: u32 = 4;
/// What a rebuild takes: the one that holds its lock, the one that loads, and one beside it or two that make indexes.
const REBUILD_CONNECTIONS_MAX: u32 = 4;
/// A connection that was idle for so long is asked whether it is there before it is used, in milliseconds: for less than a
/// server takes to begin anew, so that nobody meets a connection to the one before.
const TRUSTED_MS: u64 = 100;
/// How long it may take to say so, in seconds.
const PING_SECONDS_MAX: u64 = 1;
/// How long a transaction of the writer may stand still, in milliseconds: a process that is stopped in the middle of one
/// holds its locks, and whoever takes over waits for them.
const WRITER_IDLE_MS_MAX: u32 = 10_000;
/// A query of a person may run this long, in milliseconds.
const READER_STATEMENT_MS_MAX: u32 = 10_000;
/// How much of that it may wait for somebody who holds a lock on a table, in milliseconds. Rebuilds hold none for so long.
const READER_LOCK_MS_MAX: u32 = 5_000;

/// What sessions are called unless the address of the database says `application_name`.
const APPLICATION: &str = "daybook";

/// What every session is set to. A server that hears nothing of a client ends its session, and with it
/// the locks of a leader that is gone, within half a minute. Appends rely on reading what was committed
/// a moment ago, so no setting of a server, role or database may say otherwise.
const SESSION: [(&str, &str); 6] = [
    // Also while it waits for a lock: who has given a question up must not leave a session behind each time.
    ("client_connection_check_interval", "5000"),
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "20000"),
    ("default_transaction_isolation", "read\\ committed"),
];

/// Connections of one process to Postgres at most, all roles together: each of its contexts with tables has one to post
/// them, and one context at a time is rebuilt. What is rebuilt by hand meanwhile comes on top.
#[must_use]
pub const fn connections_max(contexts: u32) -> u32 {
    WRITER_CONNECTIONS_MAX
        + PROJECTOR_CONNECTIONS_MAX
        + READER_CONNECTIONS_MAX
        + OWNER_CONNECTIONS_MAX
        + OTHER_CONNECTIONS_MAX
        + REBUILD_CONNECTIONS_MAX
        + contexts
}

/// Connections as the database's owner (migrations, self-check) and as each of its three roles.
#[derive(Debug, Clone)]
pub struct Pools {
    /// Asks nothing in a process that serves: see [`Logins::owner`].
    pub owner: PgPool,
    /// Appends to the book, through `book.append` alone.
    pub writer: PgPool,
    /// Owns the read tables.
    pub projector: PgPool,
    /// Owns nothing and sees the rows of one tenant at a time.
    pub reader: PgPool,
}

impl Pools {
    /// Prepares the pools without connecting: a server that is down is met at the first query. One login does for all.
    #[must_use]
    pub fn new(options: &PgConnectOptions) -> Self {
        Self::of(&Logins::one(options))
    }

    /// As [`Pools::new`], each pool with its login.
    #[must_use]
    pub fn of(logins: &Logins) -> Self {
        let role = |options: &PgConnectOptions, role: &str| session(options).options([("role", role)]);
        let reader = role(&logins.reader, READER).options([
            ("statement_timeout", READER_STATEMENT_MS_MAX.to_string().as_str()),
            ("lock_timeout", READER_LOCK_MS_MAX.to_string().as_str()),
            ("default_transaction_read_only", "on"),
        ]);
        Self {
            owner: pool(OWNER_CONNECTIONS_MAX).connect_lazy_with(session(&logins.owner)),
            // Whatever it asks has an index. Where one stream is most of the book, the planner would read all of it. What is
            // forbidden to the planner it counts as dear, and dear questions are compiled first, which takes longer than these.
            writer: pool(WRITER_CONNECTIONS_MAX).connect_lazy_with(role(&logins.writer, WRITER).options([
                ("enable_seqscan", "off"),
                ("jit", "off"),
                (
                    "idle_in_transaction_session_timeout",
                    WRITER_IDLE_MS_MAX.to_string().as_str(),
                ),
            ])),
            projector: pool(PROJECTOR_CONNECTIONS_MAX).connect_lazy_with(role(&logins.projector, PROJECTOR)),
            reader: pool(READER_CONNECTIONS_MAX).connect_lazy_with(reader),
        }
    }

    /// As [`Pools::new`], and fails when the server does not answer.
    ///
    /// # Errors
    /// The first connection's error.
    pub async fn connect(options: &PgConnectOptions) -> Result<Self, BookError> {
        Self::connect_of(&Logins::one(options)).await
    }

    /// As [`Pools::of`], and fails when the server does not answer.
    ///
    /// # Errors
    /// The first connection's error.
    pub async fn connect_of(logins: &Logins) -> Result<Self, BookError> {
        let pools = Self::of(logins);
        sqlx::query("select 1").execute(&pools.owner).await?;
        Ok(pools)
    }

    pub async fn close(&self) {
        for pool in [&self.reader, &self.writer, &self.projector, &self.owner] {
            pool.close().await;
        }
    }
}

/// What every session is set to.
fn session(options: &PgConnectOptions) -> PgConnectOptions {
    // An address may name the process, so that its sessions can be told from those of others.
    let name = options.get_application_name().unwrap_or(APPLICATION).to_owned();
    options.clone().application_name(&name).options(SESSION)
}

fn pool(connections: u32) -> PgPoolOptions {
    let doubt = Arc::new(Doubt::default());
    let taken = doubt.clone();
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(ACQUIRE_SECONDS_MAX))
        // The pool's own question has no limit: a few connections that have gone silent would take a caller all
        // the time there is, one after the other.
        .test_before_acquire(false)
        .before_acquire(move |connection, idle| {
            let doubt = taken.clone();
            Box::pin(async move {
                if doubt.holds(Instant::now(), idle.idle_for) {
                    return Ok(false);
                }
                if idle.idle_for < Duration::from_millis(TRUSTED_MS) {
                    return Ok(true);
                }
                doubt
                    .unless(still_answers(connection, Duration::from_secs(PING_SECONDS_MAX)))
                    .await
            })
        })
        .after_release(move |connection, _| {
            let doubt = doubt.clone();
            Box::pin(async move {
                doubt
                    .unless(still_answers(connection, Duration::from_secs(ACQUIRE_SECONDS_MAX)))
                    .await
            })
        })
}

/// What one connection that does not answer says of the others of its pool: what lay idle at that moment may be as dead. They
/// are closed unasked, since asking takes a second for each, of whoever happens to need it.
#[derive(Debug, Default)]
struct Doubt(Mutex<Option<Instant>>);

impl Doubt {
    /// Whether a connection that has been idle for so long was so when another did not answer.
    fn holds(&self, now: Instant, idle: Duration) -> bool {
        let since = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        since.is_some_and(|since| now.checked_sub(idle).is_none_or(|began| began <= since))
    }

    /// What asking a connection comes to; if to nothing, the others are doubted from now on.
    async fn unless(&self, asking: impl Future<Output = Result<bool, sqlx::Error>>) -> Result<bool, sqlx::Error> {
        let answer = asking.await;
        if answer.is_err() {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
        answer
    }
}

/// Whether a connection answers in time. Asked before the pool does so without a limit: one that was given up in
/// the middle of a call and has gone silent would count as open for ever.
async fn still_answers(connection: &mut PgConnection, limit: Duration) -> Result<bool, sqlx::Error> {
    let answer = tokio::time::timeout(limit, connection.ping()).await;
    answer.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map(|()| true)
}

/// What the database answers, if it does so within `ANSWER_SECONDS_MAX`.
///
/// # Errors
/// [`BookError::Unavailable`] when it does not; whatever the question ends in.
pub async fn answered<T, E: From<BookError>>(asking: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    answered_within(Duration::from_secs(ANSWER_SECONDS_MAX), asking).await
}

/// As [`answered`], for a question that may take longer.
///
/// # Errors
/// As [`answered`].
pub async fn answered_within<T, E: From<BookError>>(
    limit: Duration,
    asking: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    tokio::time::timeout(limit, asking)
        .await
        .unwrap_or_else(|_| Err(BookError::Unavailable.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_idle_when_another_did_not_answer_is_doubted_and_what_was_made_later_is_not() {
        let doubt = Doubt::default();
        assert!(!doubt.holds(Instant::now(), Duration::from_secs(60)));
        assert!(doubt.unless(async { Ok(true) }).await.unwrap());
        assert!(!doubt.holds(Instant::now(), Duration::from_secs(60)));
        let before = Instant::now();
        assert!(doubt.unless(async { Err(sqlx::Error::PoolTimedOut) }).await.is_err());
        let later = Instant::now() + Duration::from_secs(2);
        assert!(doubt.holds(later, later - before));
        assert!(!doubt.holds(later, Duration::from_secs(1)));
    }
}
