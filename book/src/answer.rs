//! What is sent along with a command, and what it is answered.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use domain::Claim;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::BookError;
use crate::append::Receipt;
use crate::step::Refusal;

/// Who sends a command, and what makes a repeat of it recognisable.
#[derive(Clone)]
pub struct Envelope {
    pub tenant: Uuid,
    pub actor: Uuid,
    /// v5 of tenant, actor and Idempotency-Key; a fresh one when the caller gave no key.
    pub command_id: Uuid,
    /// Whether an earlier answer may exist.
    pub repeat: Repeat,
    pub body_hash: [u8; 32],
    pub correlation_id: Uuid,
    pub causation_id: Option<Uuid>,
    pub reason: Option<String>,
    pub ip: Option<String>,
    pub traceparent: Option<String>,
    /// The time of asking.
    pub at: DateTime<Utc>,
    /// Set when what is asked happened in the past and is brought in now; `at` is then that time, too.
    pub occurred_at: Option<DateTime<Utc>>,
}

/// Whether a command may have been carried out before under its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Nobody knew the id before.
    Never,
    /// Daybook derived it, and sends a command again where it cannot know that it was carried out: nearly never. That it was
    /// shows when it is written, or when it is refused.
    Seldom,
    /// The caller chose it: it is looked for before all else.
    Asked,
}

impl Envelope {
    /// Of a command that is sent once, under an id that nobody knows before, and that nothing has caused.
    #[must_use]
    pub fn once(tenant: Uuid, actor: Uuid, at: DateTime<Utc>) -> Self {
        let command_id = Uuid::now_v7();
        Self {
            tenant,
            actor,
            command_id,
            repeat: Repeat::Never,
            body_hash: [0; 32],
            correlation_id: command_id,
            causation_id: None,
            reason: None,
            ip: None,
            traceparent: None,
            at,
            occurred_at: None,
        }
    }
}

/// Without the reason, which is free text, and the address.
impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope")
            .field("tenant", &self.tenant)
            .field("actor", &self.actor)
            .field("command_id", &self.command_id)
            .field("correlation_id", &self.correlation_id)
            .field("causation_id", &self.causation_id)
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

/// What an accepted command is answered; but for `is_repeat` the same for every repeat of it.
#[derive(Debug, Clone, Serialize)]
pub struct Answer {
    /// Under which its events name it.
    pub command_id: Uuid,
    /// Whether the command had been carried out before, and nothing happened now.
    pub is_repeat: bool,
    /// Reads that name this position see what the command did.
    pub position: i64,
    pub recorded_at: DateTime<Utc>,
    pub streams: Vec<StreamAnswer>,
}

/// Equal are answers that say the same of what happened; whether that was now or before is no part of it.
impl PartialEq for Answer {
    fn eq(&self, other: &Self) -> bool {
        let told = |answer: &Self| (answer.command_id, answer.position, answer.recorded_at);
        told(self) == told(other) && self.streams == other.streams
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StreamAnswer {
    pub aggregate_type: String,
    pub stream: Uuid,
    /// The stream's sequence after the command.
    pub sequence: i64,
    /// Names of the events, in order.
    pub events: Vec<String>,
    /// Of a stream that holds many things: the one that the command was about, by the field that names it (`rule_id`). Where
    /// the command left its id to Daybook, it is told here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ids: BTreeMap<String, Uuid>,
}

/// Why a command was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    #[error("{}", .0.detail)]
    Refused(Refusal),
    /// The stream belongs to another tenant, which must look as if it did not exist.
    #[error("there is no {aggregate_type} {stream}")]
    NotFound { aggregate_type: &'static str, stream: Uuid },
    #[error(
        "{claim} is taken: another entry, which may be out of use, has this value or one that counts as the same; choose another value"
    )]
    Claimed { claim: Claim },
    #[error("this Idempotency-Key was used for another command, body or If-Match; use a new key")]
    KeyReused,
    #[error(
        "the stream is at sequence {sequence}, not at {expected}; look at it again, then send If-Match: \"{sequence}\""
    )]
    Moved { expected: i64, sequence: i64 },
    /// The tenant is suspended or deleted; nothing was written.
    #[error(
        "the tenant is suspended or deleted, and nothing can be changed; of a suspended one, all that is there can be read, and it \
         may go on later"
    )]
    Suspended,
    /// Others changed the same streams again and again; nothing was written.
    #[error("too many others change the same data; try again")]
    Contended,
    #[error(transparent)]
    Book(#[from] BookError),
}

/// The answer of the first time, for a command that is sent again with the same body.
pub(crate) fn same_body(envelope: &Envelope, receipt: &Receipt) -> Result<Answer, ExecuteError> {
    if receipt.body_hash != envelope.body_hash {
        return Err(ExecuteError::KeyReused);
    }
    let streams = serde_json::from_str(&receipt.answer).map_err(BookError::Metadata)?;
    Ok(Answer {
        command_id: envelope.command_id,
        is_repeat: true,
        position: receipt.position,
        recorded_at: receipt.recorded_at,
        streams,
    })
}
