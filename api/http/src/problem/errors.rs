//! What the book and the database answer instead of what was asked for, as problems.

use book::{BookError, ExecuteError, Refusal};
use domain::DecodeError;
use tracing::error;

use super::*;

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let (status, title) = of_class(refusal.class);
        let r#type = format!("/problems/{}/{}", refusal.aggregate_type, refusal.rule);
        let mut problem = Self::with_type(r#type.into(), title.into(), status, refusal.detail);
        problem.body.rule = Some(refusal.rule);
        problem.body.field = refusal.field;
        problem.body.particulars = refusal.particulars.map(|particulars| *particulars);
        problem.among(refusal.others)
    }
}

impl From<ExecuteError> for Problem {
    fn from(error: ExecuteError) -> Self {
        let detail = error.to_string();
        match error {
            ExecuteError::Refused(refusal) => refusal.into(),
            ExecuteError::NotFound { .. } => Self::new(NOT_FOUND, detail),
            ExecuteError::Claimed { claim } => {
                let mut problem = Self::new(CLAIMED, detail);
                problem.body.claim = Some(claim.name());
                problem.body.context = Some(claim.context());
                problem
            }
            ExecuteError::KeyReused => Self::new(KEY_REUSED, detail).field("Idempotency-Key"),
            ExecuteError::Moved { sequence, .. } => {
                let mut problem = Self::new(MOVED, detail).field("If-Match");
                problem.body.sequence = Some(sequence);
                problem
            }
            ExecuteError::Suspended => Self::new(SUSPENDED, detail),
            ExecuteError::Contended => Self::new(OVERLOADED, detail),
            ExecuteError::Book(error) => error.into(),
        }
    }
}

impl From<BookError> for Problem {
    fn from(error: BookError) -> Self {
        match error {
            BookError::EventTooLarge { .. } => Self::new(TOO_LARGE, error.to_string()),
            BookError::Overloaded => Self::new(OVERLOADED, error.to_string()),
            BookError::Unavailable | BookError::NoRoom | BookError::LeadLost(_) | BookError::Abandoned => {
                Self::new(UNAVAILABLE, error.to_string())
            }
            BookError::Suspended => Self::new(SUSPENDED, error.to_string()),
            BookError::Database(error) => error.into(),
            BookError::NewerKeys => {
                tracing::warn!(%error, "a request cannot be answered by this process");
                let detail = "this process has missed that the master key was replaced, and has to be restarted; another one may \
                              answer";
                Self::new(UNAVAILABLE, detail)
            }
            BookError::Bus(_) => unavailable(&error),
            // The operator must be told which stream it is, and the sender cannot mend it.
            BookError::Decode(DecodeError::Sealed(_) | DecodeError::Version { .. }) => {
                error!(error = %error, "a request failed");
                Self::new(INTERNAL, error.to_string())
            }
            // The values of the fields are for the log alone.
            BookError::Decode(DecodeError::Fields { ref event_type, .. }) => {
                error!(error = %error, "a request failed");
                Self::new(
                    INTERNAL,
                    format!("event {event_type} of the stream cannot be read by this program"),
                )
            }
            BookError::Metadata(_) | BookError::Key(_) | BookError::NewerNeeded { .. } | BookError::Broken(_) => {
                Self::internal(&error)
            }
        }
    }
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        if book::is_transient(&error) {
            unavailable(&error)
        } else {
            Self::internal(&error)
        }
    }
}

fn unavailable(error: &dyn std::fmt::Display) -> Problem {
    tracing::warn!(error = %error, "a server that a request needs does not answer");
    Problem::new(
        UNAVAILABLE,
        "a server that Daybook needs does not answer; try again in a moment",
    )
}
