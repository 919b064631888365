//! What can go wrong when a page is posted.

use book::BookError;

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
    #[error("context {context} has no live generation; start Daybook with the role projector, or rebuild it")]
    NoGeneration { context: &'static str },
    #[error("generation {generation} of {context} was made by another version of Daybook, which should post it")]
    OtherVersion { context: &'static str, generation: i64 },
    #[error("the connection that held the lead of {context} is gone")]
    LeadLost { context: &'static str },
    #[error("event {position} cannot be read: {error}")]
    Unreadable { position: i64, error: String },
    #[error("the golden history cannot be folded: {0}")]
    Golden(String),
    #[error("posting took longer than {seconds} s")]
    TooSlow { seconds: u64 },
}

impl PostError {
    /// Whether trying the same page again may help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Sql { source, .. } | Self::Database(source) => book::is_transient(source),
            Self::Book(error) => error.is_transient(),
            Self::Moved | Self::TooSlow { .. } | Self::NoGeneration { .. } | Self::OtherVersion { .. } => true,
            Self::LeadLost { .. } => true,
            Self::Fold(_) | Self::Unreadable { .. } | Self::Golden(_) => false,
        }
    }
}

/// A database error with the detail that names the row: "Key (part_id)=(..) is not present in table parts".
fn told(error: &sqlx::Error) -> String {
    let sqlx::Error::Database(database) = error else { return error.to_string() };
    let Some(postgres) = database.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() else {
        return error.to_string();
    };
    let waits = if postgres.code() == "23503" { "it needs a row that is not there: " } else { "" };
    match postgres.detail() {
        Some(detail) => format!("{waits}{} ({detail})", postgres.message()),
        None => format!("{waits}{}", postgres.message()),
    }
}
