//! What can go wrong with the book itself, as opposed to a command being refused.

use domain::DecodeError;

#[derive(Debug, thiserror::Error)]
pub enum BookError {
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error("metadata of an event cannot be read: {}", domain::event::misfit(.0))]
    Metadata(#[from] serde_json::Error),
    #[error("the bus failed: {0}")]
    Bus(String),
    #[error("a key failed: {0}")]
    Key(&'static str),
    /// Keys were wrapped anew under another master key, and this process was not there to follow.
    #[error(
        "keys were wrapped under another master key than this process has; restart it with the new DAYBOOK_MASTER_KEY"
    )]
    NewerKeys,
    /// The appender's queue is full; nothing was written.
    #[error("too many commands are waiting; try again in a moment")]
    Overloaded,
    /// The database did not answer in time. Whether the command was appended is unknown; its receipt tells.
    #[error("the database does not answer; send the command again with the same Idempotency-Key")]
    Unavailable,
    /// An event is larger than [`crate::append::EVENT_BYTES_MAX`].
    #[error("the event would be {bytes} bytes; at most {max} are allowed, so send less at once", max = crate::append::EVENT_BYTES_MAX)]
    EventTooLarge { bytes: usize },
    /// The database's disk is full, or its memory. Nothing was written.
    #[error("the database has no room left; nothing was written, so send the command again once it has")]
    NoRoom,
    /// Another process may lead by now.
    #[error("the lead of {0:?} is lost; try again in a moment")]
    LeadLost(String),
    /// A policy met an event that only a newer program can react to, or one with further contexts.
    #[error(
        "policy {policy} stops before position {position}: a newer program reads {kind} for it, and this one does not; \
         run the newer one"
    )]
    NewerNeeded {
        policy: &'static str,
        position: i64,
        kind: String,
    },
    /// What Daybook does by itself waits while its tenant is suspended.
    #[error("the tenant is suspended; this waits until it is active again")]
    Suspended,
    /// The sender left before the command was appended; nothing was written.
    #[error("the sender of the command has left; nothing was written, so send it again")]
    Abandoned,
    #[error("the book is broken: {0}")]
    Broken(String),
}

impl BookError {
    /// Whether trying the same again may help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Database(error) => is_transient(error),
            Self::Bus(_)
            | Self::NewerKeys
            | Self::Overloaded
            | Self::Unavailable
            | Self::NoRoom
            | Self::LeadLost(_)
            | Self::Abandoned => true,
            Self::Decode(_)
            | Self::Metadata(_)
            | Self::Key(_)
            | Self::EventTooLarge { .. }
            | Self::NewerNeeded { .. }
            | Self::Suspended
            | Self::Broken(_) => false,
        }
    }
}

const LOCK_NOT_AVAILABLE: &str = "55P03";
/// The server ended a session that stood still in a transaction, or whose transaction took too long.
const IDLE_IN_TRANSACTION: &str = "25P03";
const TRANSACTION_TOO_LONG: &str = "25P04";

/// Whether a database error is about the server or the connection, not about what was asked.
#[must_use]
pub fn is_transient(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => true,
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            // Connection, transaction rollback, resources, lock not available, operator intervention.
            code.get(..2)
                .is_some_and(|class| ["08", "40", "53", "57"].contains(&class))
                || [LOCK_NOT_AVAILABLE, IDLE_IN_TRANSACTION, TRANSACTION_TOO_LONG].contains(&&*code)
        }),
        _ => false,
    }
}
