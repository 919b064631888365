//! The worker of a policy: reads the book from the policy's own checkpoint and sends what it asks for.
//!
//! A command's id is derived from the event that caused it, and its receipt makes a repeat change
//! nothing: the checkpoint may lag behind what was done, but never the other way round.

pub mod missed;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use domain::fact::AnyState;
use domain::{AnyCommand, AnyEvent, FactRef, Policy, Reaction, Recorded, SYSTEM, Seen, Sending};
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use sha2::{Digest as _, Sha256};
use sqlx::{PgConnection, PgPool};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info};
use uuid::Uuid;

use crate::lease::Lease;
use crate::worker::{Beat, Work, pause};
use crate::{Answer, Book, BookError, Bus, Envelope, ExecuteError, Step, Tail};

/// Events that a policy looks at before it writes down how far it is.
const PAGE_EVENTS: i64 = 1_000;
/// Streams whose events are reacted to at one time; one stream's in order.
const STREAMS_AT_ONCE: usize = 32;
/// How often the book is looked at without having been told of a commit, in milliseconds.
const POLL_MS: u64 = 200;
/// How long to wait after a page, so that the next one is worth the look, in milliseconds.
const GATHER_MS: u64 = 5;
/// How often a command is sent again that lost to others, and how long after, in milliseconds and longer each time.
const CONTENDED_MAX: u32 = 10;
const CONTENDED_MS: u64 = 20;
/// How often the checkpoint is written while nothing is reacted to, and the lead is made sure of, in seconds.
const CHECK_SECONDS: u64 = 1;

/// Registers the policies that are new to this book: they begin at its end, and never act on what
/// came before. Called by whoever migrates.
///
/// # Errors
/// The database's error.
pub async fn register(pool: &PgPool, policies: &[&dyn Policy]) -> Result<(), BookError> {
    for policy in policies {
        let new = sqlx::query(
            "insert into book.policies (name, floor, position)
             select $1, last, last from book.last_position() as last on conflict (name) do nothing",
        )
        .bind(policy.name())
        .execute(pool)
        .await?
        .rows_affected();
        if new > 0 {
            info!(policy = policy.name(), "a new policy begins at the end of the book");
        }
    }
    Ok(())
}

/// The name of the lock under which a policy's workers elect their leader.
#[must_use]
pub fn lock_name(policy: &dyn Policy) -> String {
    format!("daybook policy {}", policy.name())
}

/// The worker of one policy. Of all that run, one leads.
#[derive(Debug)]
pub struct PolicyWorker {
    pub policy: &'static dyn Policy,
    pub pool: PgPool,
    pub book: Book,
    pub tail: Tail,
    pub bus: Bus,
    /// Told after every commit of this process.
    pub committed: Arc<Notify>,
}

impl Work for PolicyWorker {
    type Error = BookError;

    async fn lead(&mut self, lease: &Lease, beat: &Beat, stop: &CancellationToken) -> Result<(), BookError> {
        let mut written = self.checkpoint().await?;
        let mut position = written;
        let mut wakes = self.bus.wakes().await.ok();
        let mut checked = Instant::now();
        while !stop.is_cancelled() {
            let committed = self.committed.notified();
            tokio::pin!(committed);
            // From here on no commit goes unnoticed, also while the page is being read.
            committed.as_mut().enable();
            let page = self.tail.of_types(position, self.policy.reads(), PAGE_EVENTS).await?;
            if !page.events.is_empty() {
                let timers = self.react(page.events).await?;
                self.advance(written, page.to, &timers).await?;
                written = page.to;
            }
            let idle = position == page.to;
            position = page.to;
            beat.beat(|status| status.position = position);
            if checked.elapsed() > Duration::from_secs(CHECK_SECONDS) {
                checked = Instant::now();
                lease.check()?;
                if position > written {
                    self.advance(written, position, &[]).await?;
                    written = position;
                }
                let (lag, missed) = (self.tail.end().await? - position, self.missed_count().await?);
                metrics::gauge!("daybook_policy_lag", "policy" => self.policy.name()).set(lag as f64);
                metrics::gauge!("daybook_policy_missed", "policy" => self.policy.name()).set(missed as f64);
                beat.beat(|status| {
                    status.lag = lag;
                    status.set_aside = missed;
                });
            }
            if idle {
                let woken = async {
                    match &mut wakes {
                        Some(wakes) => wakes.next().await.is_some(),
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    () = committed => {}
                    still = woken => if !still { wakes = None },
                    () = pause(stop, Duration::from_millis(POLL_MS)) => {}
                }
            }
            pause(stop, Duration::from_millis(GATHER_MS)).await;
            drain(wakes.as_mut());
        }
        if position > written {
            self.advance(written, position, &[]).await?;
        }
        Ok(())
    }
}

impl PolicyWorker {
    async fn checkpoint(&self) -> Result<i64, BookError> {
        // Migrating has done it, unless the policy is newer than the last migration.
        register(&self.pool, &[self.policy]).await?;
        let position = sqlx::query_scalar("select position from book.policies where name = $1")
            .bind(self.policy.name())
            .fetch_one(&self.pool)
            .await?;
        Ok(position)
    }

    async fn missed_count(&self) -> Result<usize, BookError> {
        let missed: i64 = sqlx::query_scalar("select count(*) from book.missed where policy = $1")
            .bind(self.policy.name())
            .fetch_one(&self.pool)
            .await?;
        Ok(usize::try_from(missed).unwrap_or_default())
    }

    /// Reacts to events that follow one another; what is to become of timers, in order.
    async fn react(&self, events: Vec<Recorded<String>>) -> Result<Vec<(i64, Timer)>, BookError> {
        let mut streams: BTreeMap<(String, Uuid), Vec<Recorded<String>>> = BTreeMap::new();
        for recorded in events {
            let stream = (recorded.aggregate_type.clone(), recorded.stream);
            streams.entry(stream).or_default().push(recorded);
        }
        let streams = streams.into_values().map(|events| async move {
            let mut timers = Vec::new();
            for recorded in events {
                let position = recorded.position;
                let reacted = self.react_or_miss(&recorded).await?;
                timers.extend(reacted.into_iter().map(|timer| (position, timer)));
            }
            Ok::<_, BookError>(timers)
        });
        let mut timers: Vec<(i64, Timer)> = futures::stream::iter(streams)
            .buffer_unordered(STREAMS_AT_ONCE)
            .try_collect::<Vec<_>>()
            .await?
            .concat();
        // What one event sets and a later one drops must come in the book's order.
        timers.sort_by_key(|(position, _)| *position);
        Ok(timers)
    }

    async fn react_or_miss(&self, recorded: &Recorded<String>) -> Result<Vec<Timer>, BookError> {
        match react(&self.book, self.policy, recorded, None).await {
            Ok(reacted) => Ok(reacted.timers),
            Err(error) if error.is_transient() => Err(error),
            Err(error) => {
                self.miss(recorded, &error).await?;
                Ok(Vec::new())
            }
        }
    }

    async fn miss(&self, recorded: &Recorded<String>, error: &BookError) -> Result<(), BookError> {
        let (policy, position) = (self.policy.name(), recorded.position);
        error!(policy, position, %error, "could not react to an event; it is kept for another try");
        sqlx::query(
            "insert into book.missed (policy, event_id, tenant_id, position, error) values ($1, $2, $3, $4, $5)
             on conflict (policy, event_id) do update set error = excluded.error, missed_at = clock_timestamp()",
        )
        .bind(policy)
        .bind(recorded.event_id)
        .bind(recorded.tenant_id)
        .bind(position)
        .bind(error.to_string())
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Writes down how far the policy is, with its timers; a worker that lost the lead writes nothing.
    async fn advance(&self, from: i64, to: i64, timers: &[(i64, Timer)]) -> Result<(), BookError> {
        let mut transaction = self.pool.begin().await?;
        let moved = sqlx::query("update book.policies set position = $1 where name = $2 and position = $3")
            .bind(to)
            .bind(self.policy.name())
            .bind(from)
            .execute(&mut *transaction)
            .await?;
        if moved.rows_affected() != 1 {
            return Err(BookError::Broken(format!(
                "policy {} is not at {from} any more: another process leads",
                self.policy.name()
            )));
        }
        for (_, timer) in timers {
            timer.write(&mut transaction, self.policy.name()).await?;
        }
        transaction.commit().await?;
        Ok(())
    }
}

/// Forgets the wakes that came meanwhile: one look at the book answers them all.
fn drain(wakes: Option<&mut async_nats::Subscriber>) {
    if let Some(wakes) = wakes {
        while let Some(Some(_)) = wakes.next().now_or_never() {}
    }
}

/// What an event does to a timer.
#[derive(Debug, Clone)]
pub enum Timer {
    Set {
        timer: Uuid,
        due_at: DateTime<Utc>,
        caused: Caused,
        stream: Uuid,
        aggregate_type: &'static str,
        command: String,
    },
    Drop {
        timer: Uuid,
    },
}

impl Timer {
    /// Writes the change; the same one again makes no difference.
    ///
    /// # Errors
    /// The database's error.
    pub async fn write(&self, connection: &mut PgConnection, policy: &str) -> Result<(), BookError> {
        match self {
            Self::Set {
                timer,
                due_at,
                caused,
                stream,
                aggregate_type,
                command,
            } => {
                sqlx::query(
                    "insert into book.timers (timer_id, policy, tenant_id, due_at, event_id, position,
                                              correlation_id, aggregate_type, aggregate_id, command)
                     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::json)
                     on conflict (timer_id) do update set
                         due_at = excluded.due_at, event_id = excluded.event_id, position = excluded.position,
                         correlation_id = excluded.correlation_id, aggregate_type = excluded.aggregate_type,
                         aggregate_id = excluded.aggregate_id, command = excluded.command",
                )
                .bind(timer)
                .bind(policy)
                .bind(caused.tenant)
                .bind(due_at)
                .bind(caused.event_id)
                .bind(caused.position)
                .bind(caused.correlation_id)
                .bind(aggregate_type)
                .bind(stream)
                .bind(command)
                .execute(connection)
                .await?;
            }
            Self::Drop { timer } => {
                sqlx::query("delete from book.timers where timer_id = $1")
                    .bind(timer)
                    .execute(connection)
                    .await?;
            }
        }
        Ok(())
    }
}

/// What came of a reaction.
#[derive(Debug, Default)]
pub struct Reacted {
    pub timers: Vec<Timer>,
    /// The answers to the commands that were accepted, now or before.
    pub answers: Vec<Answer>,
}

/// Sends what a policy asks for because of one event. Sent again, for the same event, it changes nothing.
/// `then` is when it happened, for history that is brought in; its timers are for the caller to write.
///
/// # Errors
/// [`BookError`]; a refusal is none, for the world can have moved on.
pub async fn react(
    book: &Book,
    policy: &dyn Policy,
    recorded: &Recorded<String>,
    then: Option<DateTime<Utc>>,
) -> Result<Reacted, BookError> {
    let Some(event) = AnyEvent::decode(&recorded.aggregate_type, &recorded.stored())? else {
        return Ok(Reacted::default());
    };
    recorded.is_open()?;
    let recorded = recorded.clone().map(|_| event);
    let seen = Seen::new(&recorded, state(book, policy, &recorded).await?);
    let caused = Caused {
        tenant: recorded.tenant_id,
        event_id: recorded.event_id,
        position: recorded.position,
        correlation_id: recorded.metadata.correlation_id,
    };
    let mut reacted = Reacted::default();
    for (nth, reaction) in (0_u32..).zip(policy.react(&seen)) {
        match reaction {
            Reaction::Send { sendings, refused } => {
                let command_id = Uuid::new_v5(&recorded.event_id, format!("{}/{nth}", policy.name()).as_bytes());
                let time = Time {
                    at: then.unwrap_or_else(Utc::now),
                    occurred_at: then,
                };
                let mut answer = send(book, policy.name(), &caused, command_id, sendings, time).await?;
                // Under the same id: of the two only one can ever be accepted, also when the event is read again
                // and what was refused before would be possible now.
                if answer.is_none() && !refused.is_empty() {
                    answer = send(book, policy.name(), &caused, command_id, refused, time).await?;
                }
                reacted.answers.extend(answer);
            }
            Reaction::Wait { timer, due_at, sending } => reacted.timers.push(Timer::Set {
                timer,
                due_at,
                caused,
                stream: sending.stream,
                aggregate_type: sending.command.aggregate_type(),
                command: sending.command.to_value()?.to_string(),
            }),
            Reaction::Forget { timer } => reacted.timers.push(Timer::Drop { timer }),
        }
    }
    Ok(reacted)
}

/// The state of the event's stream right after it, where the policy wants it.
async fn state(book: &Book, policy: &dyn Policy, recorded: &Recorded<AnyEvent>) -> Result<Option<AnyState>, BookError> {
    match FactRef::named(&recorded.aggregate_type, recorded.stream) {
        Some(fact) if policy.wants_state(recorded) => book.state_at(recorded.tenant_id, fact, recorded.sequence).await,
        Some(_) | None => Ok(None),
    }
}

/// The event that a policy's command follows from.
#[derive(Debug, Clone, Copy)]
pub struct Caused {
    pub tenant: Uuid,
    pub event_id: Uuid,
    pub position: i64,
    pub correlation_id: Uuid,
}

/// When a policy's command is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Time {
    pub at: DateTime<Utc>,
    pub occurred_at: Option<DateTime<Utc>>,
}

/// Sends a policy's command. That it is refused, or was answered before in another form, is an answer.
pub(crate) async fn send(
    book: &Book,
    policy: &'static str,
    caused: &Caused,
    command_id: Uuid,
    sendings: Vec<Sending>,
    time: Time,
) -> Result<Option<Answer>, BookError> {
    let mut hash = Sha256::new();
    for sending in &sendings {
        hash.update(sending.stream.as_bytes());
        hash.update(sending.command.to_value()?.to_string());
    }
    let envelope = Envelope {
        tenant: caused.tenant,
        actor: SYSTEM,
        command_id,
        repeatable: true,
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
    let (outcome, answer) = loop {
        let steps = sendings.iter().cloned().map(step).collect();
        match book.execute(envelope.clone(), steps).await {
            Ok(answer) => break ("accepted", Some(answer)),
            Err(ExecuteError::Book(error)) => return Err(error),
            // Others were faster for as long as a command is tried. It must not give the whole policy up.
            Err(ExecuteError::Contended) if tried < CONTENDED_MAX => {
                tokio::time::sleep(Duration::from_millis(CONTENDED_MS) * tried).await;
                tried += 1;
            }
            Err(ExecuteError::Contended) => return Err(BookError::Overloaded),
            Err(refused) => {
                debug!(policy, %command_id, %refused, "a policy's command was refused");
                break ("refused", None);
            }
        }
    };
    metrics::counter!("daybook_policy_commands_total", "policy" => policy, "outcome" => outcome).increment(1);
    Ok(answer)
}

fn step(Sending { stream, command }: Sending) -> Step {
    Step::any(stream, command)
}

/// A command as a timer keeps it.
///
/// # Errors
/// When this program knows no such command.
pub(crate) fn kept(aggregate_type: &str, command: &str) -> Result<AnyCommand, BookError> {
    AnyCommand::parse(aggregate_type, &serde_json::from_str(command)?)?.ok_or_else(|| {
        BookError::Broken(format!(
            "a timer is for {aggregate_type}, which this program does not know"
        ))
    })
}
