//! What can go wrong when a page is posted.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use book::BookError;
use sqlx::postgres::PgDatabaseError;

use crate::fold::Unfolded;

#[derive(Debug, thiserror::Error)]
pub enum PostError {
    #[error(transparent)]
    Fold(#[from] Unfolded),
    /// A row could not be written, or a constraint refused it.
    #[error("table {table}: {}", told(.source))]
    Sql { table: &'static str, source: sqlx::Error },
    /// Anything else in the database: the checkpoint, a deferred constraint, the connection.
    #[error("{}", told(.0))]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Book(#[from] BookError),
    /// Another projector posted the page, or the generations were swapped. Nothing was written.
    #[error("the checkpoint has moved; someone else posts this context")]
    Moved,
    /// Whoever told of these events did not have them from the book. Nothing was written.
    #[error("the book ends at position {end}, and events up to {to} were to be posted; they are read from the book")]
    Beyond { to: i64, end: i64 },
    /// The rows show what the book does not say.
    #[error("the tables of {context} are at position {position}, ahead of the book; they are rebuilt")]
    Ahead { context: &'static str, position: i64 },
    /// A backup left them out, or somebody dropped them.
    #[error(
        "the tables of {context} are not all in the database; a process with the role projector rebuilds them, and so \
         does `daybook rebuild {context}`"
    )]
    Missing { context: &'static str },
    #[error("context {context} has no live generation; start Daybook with the role projector, or rebuild it")]
    NoGeneration { context: &'static str },
    #[error("generation {generation} of {context} was made by another version of Daybook, which should post it")]
    OtherVersion { context: &'static str, generation: i64 },
    #[error("event {position} cannot be read: {error}")]
    Unreadable { position: i64, error: String },
    #[error("the golden history cannot be folded: {0}")]
    Golden(String),
    #[error("posting took longer than {seconds} s")]
    TooSlow { seconds: u64 },
    /// A defect of a fold, or of whatever else looks at an event.
    #[error("panicked: {0}")]
    Panicked(String),
}

/// What a panic said.
pub(crate) fn panicked(panic: &(dyn Any + Send)) -> PostError {
    let said = panic.downcast_ref::<&str>().map(|&said| said.to_owned());
    let said = said.or_else(|| panic.downcast_ref::<String>().cloned());
    PostError::Panicked(said.unwrap_or_else(|| "nothing was said".to_owned()))
}

/// What a pure function gives; its panic is an error like any other.
pub(crate) fn caught<T>(pure: impl FnOnce() -> T) -> Result<T, PostError> {
    catch_unwind(AssertUnwindSafe(pure)).map_err(|panic| panicked(&*panic))
}

impl PostError {
    /// Whether trying the same page again may help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            // A table that is gone is no fault of the event's: nothing can be posted until it is there again.
            Self::Sql { source, .. } | Self::Database(source) => book::is_transient(source) || lacks_table(source),
            Self::Book(error) => error.is_transient(),
            Self::Moved
            | Self::Beyond { .. }
            | Self::Ahead { .. }
            | Self::Missing { .. }
            | Self::TooSlow { .. }
            | Self::NoGeneration { .. }
            | Self::OtherVersion { .. } => true,
            Self::Fold(_) | Self::Unreadable { .. } | Self::Golden(_) | Self::Panicked(_) => false,
        }
    }
}

impl PostError {
    /// Whether somebody else held a lock for longer than this session waits.
    #[must_use]
    pub fn is_lock_timeout(&self) -> bool {
        match self {
            Self::Sql {
                source: sqlx::Error::Database(error),
                ..
            }
            | Self::Database(sqlx::Error::Database(error)) => {
                error.code().is_some_and(|code| code == LOCK_NOT_AVAILABLE)
            }
            _ => false,
        }
    }
}

/// A database error; for a missing parent with the detail that names it. The details of other errors
/// quote whole rows, and what is personal in them must not be kept with a parked stream or in a log.
fn told(error: &sqlx::Error) -> String {
    let sqlx::Error::Database(database) = error else {
        return error.to_string();
    };
    let Some(postgres) = database.try_downcast_ref::<PgDatabaseError>() else {
        return error.to_string();
    };
    match postgres.detail().filter(|_| postgres.code() == FOREIGN_KEY_VIOLATION) {
        Some(detail) => format!("it needs a row that is not there: {} ({detail})", postgres.message()),
        None => postgres.message().to_owned(),
    }
}

/// Whether a table or its schema was not there.
fn lacks_table(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| [UNDEFINED_TABLE, UNDEFINED_SCHEMA].contains(&&*code))
}

const FOREIGN_KEY_VIOLATION: &str = "23503";
const UNDEFINED_TABLE: &str = "42P01";
const UNDEFINED_SCHEMA: &str = "3F000";
const LOCK_NOT_AVAILABLE: &str = "55P03";
