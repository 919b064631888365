//! Commands that Daybook sends by itself because of an event, under ids that are derived from it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::{SYSTEM, Sending};
use sha2::{Digest as _, Sha256};
use tracing::debug;
use uuid::Uuid;

use crate::lease::Lease;
use crate::{Answer, Book, BookError, Envelope, ExecuteError, Repeat, Step};

/// How often a command is sent again that lost to others, and how long after, in milliseconds and longer each time.
const CONTENDED_MAX: u32 = 10;
const CONTENDED_MS: u64 = 20;

/// The event that a command of Daybook's own follows from.
#[derive(Debug, Clone, Copy)]
pub struct Caused {
    pub tenant: Uuid,
    pub event_id: Uuid,
    pub position: i64,
    pub correlation_id: Uuid,
}

/// When such a command is asked.
#[derive(Debug, Clone, Copy)]
pub struct Time {
    pub at: DateTime<Utc>,
    /// When it happened, for history that is brought in.
    pub occurred_at: Option<DateTime<Utc>>,
}

/// Sends a policy's command, as long as the lease holds where there is one. That it is refused, or was answered before
/// in another form, is an answer.
pub(crate) async fn send(
    book: &Book,
    policy: &'static str,
    caused: &Caused,
    command_id: Uuid,
    sendings: Vec<Sending>,
    time: Time,
    lease: Option<&Lease>,
) -> Result<Option<Answer>, BookError> {
    let holds = || lease.map_or(Ok(()), Lease::check);
    let answer = commanded(book, caused, command_id, sendings, time, &holds).await?;
    let (outcome, answer) = match answer {
        Ok(answer) => ("accepted", Some(answer)),
        Err(rule) => {
            debug!(policy, %command_id, rule, "a policy's command was refused");
            ("refused", None)
        }
    };
    metrics::counter!("daybook_policy_commands_total", "policy" => policy, "outcome" => outcome).increment(1);
    Ok(answer)
}

/// Sends these as one command of Daybook's own: its answer, or the name of the rule by which it is refused. Sent again
/// under the same id it changes nothing. `holds` is asked before each attempt.
///
/// # Errors
/// The book's error, [`BookError::Suspended`] when the tenant is not active, or what `holds` says.
pub async fn commanded(
    book: &Book,
    caused: &Caused,
    command_id: Uuid,
    sendings: Vec<Sending>,
    time: Time,
    holds: &(dyn Fn() -> Result<(), BookError> + Send + Sync),
) -> Result<Result<Answer, String>, BookError> {
    let mut hash = Sha256::new();
    for sending in &sendings {
        hash.update(sending.stream.as_bytes());
        hash.update(sending.command.to_value()?.to_string());
    }
    let envelope = Envelope {
        tenant: caused.tenant,
        actor: SYSTEM,
        command_id,
        repeat: Repeat::Seldom,
        body_hash: hash.finalize().into(),
        correlation_id: caused.correlation_id,
        causation_id: Some(caused.event_id),
        reason: None,
        ip: None,
        traceparent: None,
        at: time.at,
        occurred_at: time.occurred_at,
    };
    let mut tried = 1;
    loop {
        holds()?;
        let steps = sendings.iter().cloned().map(step).collect();
        match book.execute(envelope.clone(), steps).await {
            Ok(answer) => return Ok(Ok(answer)),
            Err(ExecuteError::Book(error)) => return Err(error),
            // Others were faster for as long as a command is tried. It must not give the whole worker up.
            Err(ExecuteError::Contended) if tried < CONTENDED_MAX => {
                tokio::time::sleep(Duration::from_millis(CONTENDED_MS) * tried).await;
                tried += 1;
            }
            Err(ExecuteError::Contended) => return Err(BookError::Overloaded),
            // No refusal of what is asked: it may be asked again.
            Err(ExecuteError::Suspended) => return Err(BookError::Suspended),
            // What it says beyond the rule may name people.
            Err(ExecuteError::Refused(refusal)) => return Ok(Err(refusal.rule.to_owned())),
            Err(refused) => return Ok(Err(refused.to_string())),
        }
    }
}

fn step(Sending { stream, command }: Sending) -> Step {
    Step::new(stream, None, command)
}
