//! Why Daybook could not start, or a command of its command line failed.

use book::BookError;

/// A failure that an operator reads. What a client is told is a [`crate::problem::Problem`].
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// A setting is missing or wrong; the message names the variable.
    #[error("{0}")]
    Setting(String),
    #[error("{doing}: {error}")]
    Io { doing: String, error: std::io::Error },
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    #[error("the migrations failed: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    #[error(transparent)]
    Book(#[from] BookError),
    #[error("a command was not accepted: {0}")]
    Command(#[from] book::ExecuteError),
    /// What was asked for cannot be done; the message says why.
    #[error("{0}")]
    Refused(String),
}

impl Fault {
    pub fn setting(message: impl Into<String>) -> Self {
        Self::Setting(message.into())
    }

    pub fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        move |error| Self::Io { doing, error }
    }
}
