//! Commands that whoever operates Daybook gives on the command line. Daybook itself is told to have sent them: nobody of
//! the tenant has.

use book::{Answer, Book, Envelope, ExecuteError, Step};
use chrono::Utc;
use domain::SYSTEM;
use http::Fault;
use uuid::Uuid;

/// Carries out steps as one.
///
/// # Errors
/// Why they were not accepted, in words for whoever typed them.
pub async fn carry_out(book: &Book, tenant: Uuid, reason: Option<&str>, steps: Vec<Step>) -> Result<Answer, Fault> {
    book.execute(envelope(tenant, Uuid::now_v7(), reason), steps)
        .await
        .map_err(told)
}

/// The envelope of such a command.
#[must_use]
pub fn envelope(tenant: Uuid, command_id: Uuid, reason: Option<&str>) -> Envelope {
    Envelope {
        command_id,
        correlation_id: command_id,
        reason: reason.map(str::to_owned),
        ..Envelope::once(tenant, SYSTEM, Utc::now())
    }
}

fn told(error: ExecuteError) -> Fault {
    match error {
        ExecuteError::Suspended => {
            Fault::Refused("the tenant is suspended; `daybook tenant resume` it first".to_owned())
        }
        ExecuteError::Book(error) => error.into(),
        refused => Fault::Refused(refused.to_string()),
    }
}
