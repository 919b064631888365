//! One command's append as data, and the one call that writes a batch of them.

use std::fmt;

use chrono::{DateTime, Utc};
use domain::{Claim, Erase, Standing};
use sqlx::{PgConnection, PgPool, Row as _};
use uuid::Uuid;

use crate::BookError;
use crate::claims::Change;

/// Payload and metadata of one event, in bytes. Larger content belongs in the object store.
pub const EVENT_BYTES_MAX: usize = 256 * 1024;

/// All that one accepted decision wants to write.
#[derive(Debug, Clone)]
pub struct Append {
    pub command_id: Uuid,
    pub tenant: Uuid,
    pub body_hash: [u8; 32],
    /// The receipt's answer, as JSON text.
    pub answer: String,
    /// Streams written and facts read, with the sequence that the decision saw.
    pub seen: Vec<Seen>,
    pub events: Vec<NewEvent>,
    pub claims: Vec<Change>,
    /// Keys to make with the events, see [`NewKey`].
    pub keys: Vec<NewKey>,
    /// Keys to destroy.
    pub erased: Vec<Erase>,
    /// How the tenant stands from now on, if that changes.
    pub standing: Option<Standing>,
}

/// The key of a text that is in one of the events.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// What the key is for, derived from the event and the field.
    pub subject: Uuid,
    /// The key, wrapped by the book's wrapping key.
    pub wrapped: Vec<u8>,
    /// Who wrote the text: the key goes when they are erased.
    pub author: Uuid,
    pub field: String,
}

#[derive(Debug, Clone)]
pub struct Seen {
    pub aggregate_type: &'static str,
    pub stream: Uuid,
    pub sequence: i64,
    /// Whether the command writes the stream, or only read it as a fact.
    pub writes: bool,
}

#[derive(Clone)]
pub struct NewEvent {
    pub aggregate_type: &'static str,
    pub stream: Uuid,
    pub sequence: i64,
    pub event_id: Uuid,
    pub event_type: String,
    pub event_version: String,
    pub payload: String,
    pub metadata: String,
}

/// Its name and place: the payload of a rehearsed event is not sealed, and metadata has free text.
impl fmt::Debug for NewEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (stream, sequence) = (self.stream, self.sequence);
        write!(
            f,
            "{} of {} {stream} at {sequence}",
            self.event_type, self.aggregate_type
        )
    }
}

/// What became of one command of a batch.
#[derive(Debug, Clone)]
pub enum Outcome {
    Appended(Receipt),
    /// The command id was seen before; nothing was written.
    Repeated(Receipt),
    /// It was written by an earlier attempt of this very append, whose outcome nobody had heard.
    Resent(Receipt),
    /// A stream or fact is not where the decision saw it: decide again.
    Moved {
        stream: String,
    },
    /// The tenant does not work at this time: it is suspended or deleted.
    Suspended,
    /// A claimed value is taken.
    Claimed {
        claim: Claim,
    },
}

/// The proof that a command was accepted.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// Only with a repeated command: the hash of the body that was accepted.
    pub body_hash: Vec<u8>,
    /// The last position of the command's events; the book's end then, when it made none.
    pub position: i64,
    pub recorded_at: DateTime<Utc>,
    /// Only with a repeated command.
    pub answer: String,
}

/// Writes a batch in one round trip. Commands of a batch must not touch each other, see `book.append`.
///
/// # Errors
/// The database's error; whether the batch was written is then unknown until it is sent again.
pub async fn append(connection: &mut PgConnection, batch: &[Append]) -> Result<Vec<Outcome>, BookError> {
    let mut args = Arguments::default();
    for (command, append) in (1..).zip(batch) {
        args.command(command, append);
    }
    let rows = args.call(connection).await?;
    let (began, refused) = rows
        .split_first()
        .ok_or_else(|| BookError::Broken("book.append answered nothing".to_owned()))?;
    let (mut position, recorded_at): (i64, DateTime<Utc>) = (began.try_get(3)?, began.try_get(4)?);
    let mut refused = refused.iter().peekable();
    let mut outcomes = Vec::with_capacity(batch.len());
    for (command, append) in (1..).zip(batch) {
        let next = refused.peek().map(|row| row.try_get::<i32, _>(0)).transpose()?;
        if next == Some(command)
            && let Some(row) = refused.next()
        {
            outcomes.push(outcome(row, append)?);
            continue;
        }
        position += append.events.len() as i64;
        outcomes.push(Outcome::Appended(Receipt {
            body_hash: Vec::new(),
            position,
            recorded_at,
            answer: String::new(),
        }));
    }
    match refused.next() {
        None => Ok(outcomes),
        Some(_) => Err(BookError::Broken(
            "book.append refused a command that was not sent".to_owned(),
        )),
    }
}

/// The receipt of a command, if it was accepted.
///
/// # Errors
/// The database's error.
pub async fn receipt(pool: &PgPool, command_id: Uuid) -> Result<Option<Receipt>, BookError> {
    let row = sqlx::query(
        "select body_hash, position, recorded_at, answer::text as answer from book.receipts where command_id = $1",
    )
    .bind(command_id)
    .fetch_optional(pool)
    .await?;
    row.map(|row| {
        Ok(Receipt {
            body_hash: row.try_get("body_hash")?,
            position: row.try_get("position")?,
            recorded_at: row.try_get("recorded_at")?,
            answer: row.try_get("answer")?,
        })
    })
    .transpose()
}

/// What became of a command that was not appended.
fn outcome(row: &sqlx::postgres::PgRow, append: &Append) -> Result<Outcome, BookError> {
    match row.try_get::<&str, _>(1)? {
        "repeated" => Ok(Outcome::Repeated(Receipt {
            body_hash: row.try_get(2)?,
            position: row.try_get(3)?,
            recorded_at: row.try_get(4)?,
            answer: row.try_get(5)?,
        })),
        "moved" => Ok(Outcome::Moved {
            stream: row.try_get(6)?,
        }),
        "suspended" => Ok(Outcome::Suspended),
        "claimed" => {
            let stored: &str = row.try_get(6)?;
            let mut claims = append.claims.iter().map(|change| change.claim);
            let claim = claims.find(|claim| claim.stored() == stored);
            let unasked = || BookError::Broken(format!("book.append refused a claim {stored} that was not sent"));
            claim.map(|claim| Outcome::Claimed { claim }).ok_or_else(unasked)
        }
        other => Err(BookError::Broken(format!("book.append answered {other}"))),
    }
}

/// The parallel arrays of `book.append`, in its order.
#[derive(Default)]
struct Arguments<'a> {
    command_ids: Vec<Uuid>,
    tenants: Vec<Uuid>,
    body_hashes: Vec<&'a [u8]>,
    answers: Vec<&'a str>,
    /// Events of this command and of all before it.
    event_ends: Vec<i32>,
    stream_command: Vec<i32>,
    stream_types: Vec<&'a str>,
    stream_ids: Vec<Uuid>,
    stream_expected: Vec<i64>,
    event_command: Vec<i32>,
    event_ids: Vec<Uuid>,
    event_stream_types: Vec<&'a str>,
    event_stream_ids: Vec<Uuid>,
    event_sequences: Vec<i64>,
    event_types: Vec<&'a str>,
    event_versions: Vec<&'a str>,
    payloads: Vec<&'a str>,
    metadatas: Vec<&'a str>,
    claim_command: Vec<i32>,
    claim_takes: Vec<bool>,
    claim_names: Vec<&'a str>,
    claim_digests: Vec<&'a [u8]>,
    claim_types: Vec<&'a str>,
    claim_ids: Vec<Uuid>,
    erased_command: Vec<i32>,
    erased_kinds: Vec<&'static str>,
    erased_subjects: Vec<Uuid>,
    key_command: Vec<i32>,
    key_subjects: Vec<Uuid>,
    key_wrapped: Vec<&'a [u8]>,
    key_authors: Vec<Uuid>,
    key_fields: Vec<&'a str>,
    standing_command: Vec<i32>,
    standings: Vec<&'static str>,
}

impl<'a> Arguments<'a> {
    fn command(&mut self, command: i32, append: &'a Append) {
        self.command_ids.push(append.command_id);
        self.tenants.push(append.tenant);
        self.body_hashes.push(&append.body_hash);
        self.answers.push(&append.answer);
        for seen in &append.seen {
            self.stream_command.push(command);
            self.stream_types.push(seen.aggregate_type);
            self.stream_ids.push(seen.stream);
            self.stream_expected.push(seen.sequence);
        }
        for event in &append.events {
            self.event_command.push(command);
            self.event_ids.push(event.event_id);
            self.event_stream_types.push(event.aggregate_type);
            self.event_stream_ids.push(event.stream);
            self.event_sequences.push(event.sequence);
            self.event_types.push(&event.event_type);
            self.event_versions.push(&event.event_version);
            self.payloads.push(&event.payload);
            self.metadatas.push(&event.metadata);
        }
        for change in &append.claims {
            self.claim_command.push(command);
            self.claim_takes.push(change.takes);
            self.claim_names.push(change.claim.stored());
            self.claim_digests.push(&change.digest);
            self.claim_types.push(change.aggregate_type);
            self.claim_ids.push(change.stream);
        }
        self.event_ends.push(self.event_command.len() as i32);
        for erase in &append.erased {
            let (kind, subject) = match *erase {
                Erase::Person(person) => ("person", person),
                Erase::Key(subject) => ("key", subject),
            };
            self.erased_command.push(command);
            self.erased_kinds.push(kind);
            self.erased_subjects.push(subject);
        }
        for key in &append.keys {
            self.key_command.push(command);
            self.key_subjects.push(key.subject);
            self.key_wrapped.push(&key.wrapped);
            self.key_authors.push(key.author);
            self.key_fields.push(&key.field);
        }
        if let Some(standing) = append.standing {
            self.standing_command.push(command);
            self.standings.push(standing.stored());
        }
    }

    async fn call(self, connection: &mut PgConnection) -> Result<Vec<sqlx::postgres::PgRow>, BookError> {
        Ok(sqlx::query(
            "select command, outcome, body_hash, last_position, recorded_at, answer, detail
             from book.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
                              $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33,
                              $34)",
        )
        .bind(self.command_ids)
        .bind(self.tenants)
        .bind(self.body_hashes)
        .bind(self.answers)
        .bind(self.event_ends)
        .bind(self.stream_command)
        .bind(self.stream_types)
        .bind(self.stream_ids)
        .bind(self.stream_expected)
        .bind(self.event_command)
        .bind(self.event_ids)
        .bind(self.event_stream_types)
        .bind(self.event_stream_ids)
        .bind(self.event_sequences)
        .bind(self.event_types)
        .bind(self.event_versions)
        .bind(self.payloads)
        .bind(self.metadatas)
        .bind(self.claim_command)
        .bind(self.claim_takes)
        .bind(self.claim_names)
        .bind(self.claim_digests)
        .bind(self.claim_types)
        .bind(self.claim_ids)
        .bind(self.erased_command)
        .bind(self.erased_kinds)
        .bind(self.erased_subjects)
        .bind(self.key_command)
        .bind(self.key_subjects)
        .bind(self.key_wrapped)
        .bind(self.key_authors)
        .bind(self.key_fields)
        .bind(self.standing_command)
        .bind(self.standings)
        .fetch_all(connection)
        .await?)
    }
}
