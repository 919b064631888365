//! The worker of a policy: reads the book from the policy's own checkpoint and sends what it asks for.
//!
//! What it would do for a tenant that is suspended waits (`policy/waiting.rs`); for one that is deleted it does nothing. What it
//! would do for a tenant beyond its share waits as well, and is done beside the rest (`policy/aside.rs`): nobody's flood holds up
//! another's.
//!
//! A command's id is derived from the event that caused it, and its receipt makes a repeat change
//! nothing: the checkpoint may lag behind what was done, but never the other way round.

mod aside;
pub mod checkpoint;
pub mod missed;
pub mod reading;
pub mod sending;
pub mod states;
pub mod timer;
pub mod waiting;

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use domain::event::misfit;
use domain::fact::AnyState;
use domain::{AnyCommand, AnyEvent, Contexts, Policy, Reaction, Recorded, Seen, Standing};
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error};
use uuid::Uuid;

use crate::lease::Lease;
use crate::pools::answered;
use crate::worker::{Beat, Work, pause, words};
use crate::{Answer, Book, BookError, tenants};

use checkpoint::Checkpoint;
pub use checkpoint::register;
pub use reading::Reading;
pub(crate) use sending::send;
pub use sending::{Caused, Time};
use states::States;
use timer::Timer;
use waiting::{ALONE_EVENTS_MAX, Share, Waiting};

/// Streams whose events are reacted to at one time; one stream's in order.
const STREAMS_AT_ONCE: usize = 32;
/// How long one event's reaction may take, in seconds: longer than a command is tried while its outcome is unknown.
const TURN_SECONDS_MAX: u64 = 60;
/// How often the checkpoint is written while nothing is reacted to, and the lead is made sure of, in seconds.
const CHECK_SECONDS: u64 = 1;

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
    /// Shared by the policies of its context in a process.
    pub reading: Reading,
}

/// Events that are to wait.
type Aside = Vec<Arc<Recorded<String>>>;

/// What a leader keeps to while it reacts.
#[derive(Debug, Clone, Copy)]
struct Lead<'a> {
    lease: &'a Lease,
    beat: &'a Beat,
    states: &'a States,
    waiting: &'a Waiting,
    stop: &'a CancellationToken,
}

impl Work for PolicyWorker {
    type Error = BookError;

    fn turn_limit(&self) -> Duration {
        Duration::from_secs(TURN_SECONDS_MAX)
    }

    async fn lead(&mut self, lease: &Lease, beat: &Beat, stop: &CancellationToken) -> Result<(), BookError> {
        let mut checkpoint = Checkpoint::begin(&self.pool, self.policy).await?;
        beat.beat(|status| status.position = checkpoint.position());
        self.reading.forget(checkpoint.position()).await;
        let states = States::default();
        let waiting = Waiting::read(&self.pool, self.policy.name()).await?;
        let lead = Lead {
            lease,
            beat,
            states: &states,
            waiting: &waiting,
            stop,
        };
        tokio::try_join!(self.follow(lead, &mut checkpoint), self.catch_up(lead))?;
        Ok(())
    }
}

impl PolicyWorker {
    /// Reacts to what comes until it is to stop.
    async fn follow(&self, lead: Lead<'_>, checkpoint: &mut Checkpoint) -> Result<(), BookError> {
        let Lead { lease, beat, stop, .. } = lead;
        let mut end = self.reading.end();
        let mut position = checkpoint.position();
        let mut checked = Instant::now();
        while !stop.is_cancelled() {
            let page = self.reading.page(position, checkpoint.kinds()).await?;
            let from = position;
            position = self.turn(page, lead, checkpoint).await?;
            beat.beat(|status| status.position = position);
            if checked.elapsed() >= Duration::from_secs(CHECK_SECONDS) {
                checked = Instant::now();
                self.check(position, lead, checkpoint).await?;
            }
            if position == from {
                tokio::select! {
                    () = end.beyond(position) => {}
                    () = pause(stop, Duration::from_secs(CHECK_SECONDS)) => {}
                }
            }
        }
        if position > checkpoint.position() {
            lease.check()?;
            checkpoint.advance(position, &[]).await?;
        }
        Ok(())
    }

    /// Reacts to a page, and says how far the policy is then. It stops before the first event of a kind that only a
    /// newer version of the policy reads, or only a program with further contexts, and fails there.
    async fn turn(&self, page: reading::Page, lead: Lead<'_>, checkpoint: &mut Checkpoint) -> Result<i64, BookError> {
        let (mut events, mut page_to) = (page.events, page.to);
        let end = self.reading.end().position();
        let is_alone = lead.waiting.is_alone(&self.pool, &events, page_to, end).await?;
        if let Some(last) = events.get(ALONE_EVENTS_MAX - 1).filter(|_| is_alone) {
            page_to = last.position;
            events.truncate(ALONE_EVENTS_MAX);
        }
        let readable = events.iter().take_while(|event| self.is_read(event)).count();
        let unread = events.split_off(readable).into_iter().next();
        let to = unread.as_ref().map_or(page_to, |unread| unread.position - 1);
        if !events.is_empty() {
            checkpoint.check(page.noted.get(self.policy.name()))?;
            let (timers, aside) = self.react(events, &Share::of_page(is_alone), lead).await?;
            lead.lease.check()?;
            lead.waiting.put(&self.pool, self.policy.name(), &aside).await?;
            checkpoint.advance(to, &timers).await?;
        }
        let Some(unread) = unread else {
            return Ok(to);
        };
        if to > checkpoint.position() {
            lead.lease.check()?;
            checkpoint.advance(to, &[]).await?;
        }
        let (policy, position) = (self.policy.name(), unread.position);
        metrics::counter!("daybook_policy_newer_needed_total", "policy" => policy).increment(1);
        lead.beat.beat(|status| {
            status.position = to;
            status.stopped_before = Some((position, Instant::now()));
        });
        Err(BookError::NewerNeeded {
            policy,
            position,
            kind: unread.aggregate_type.clone(),
        })
    }

    /// What is done once a second: the lead is made sure of, the checkpoint is written, and it is said how things are.
    async fn check(&self, position: i64, lead: Lead<'_>, checkpoint: &mut Checkpoint) -> Result<(), BookError> {
        lead.lease.check()?;
        lead.states.forget_overdue();
        if position > checkpoint.position() {
            checkpoint.advance(position, &[]).await?;
        }
        let policy = self.policy.name();
        let lag = (self.reading.end().position() - position).max(0);
        let missed = self.reading.missed(policy).await?;
        metrics::gauge!("daybook_policy_missed", "policy" => policy).set(missed as f64);
        lead.beat.beat(|status| {
            status.lag = lag;
            status.set_aside = missed;
            status.stopped_before = None;
        });
        Ok(())
    }

    fn is_read(&self, event: &Recorded<String>) -> bool {
        let kind = event.aggregate_type.as_str();
        self.policy.reads().contains(&kind) && self.book.contexts().aggregate(kind).is_some()
    }

    /// Reacts to events that follow one another, within the share of each tenant; what is to become of timers, in order,
    /// and what is to wait.
    async fn react(
        &self,
        events: Vec<Arc<Recorded<String>>>,
        share: &Share,
        lead: Lead<'_>,
    ) -> Result<(Vec<Timer>, Aside), BookError> {
        // What came first is reacted to first.
        let (waits, now): (Vec<_>, Vec<_>) = events
            .into_iter()
            .partition(|event| lead.waiting.holds(event.tenant_id));
        let streams = by_stream(now).map(|events| async move {
            let (mut timers, mut aside) = (Vec::new(), Aside::new());
            for recorded in events {
                let position = recorded.position;
                match self.react_or_miss(&recorded, lead, share).await? {
                    Some(reacted) => timers.extend(reacted.into_iter().map(|timer| (position, timer))),
                    None => aside.push(recorded),
                }
                lead.beat.beat(|_| {});
            }
            Ok::<_, BookError>((timers, aside))
        });
        let reacted: Vec<(Vec<(i64, Timer)>, Aside)> = futures::stream::iter(streams)
            .buffer_unordered(STREAMS_AT_ONCE)
            .try_collect()
            .await?;
        let (timers, mut aside): (Vec<_>, Vec<_>) = reacted.into_iter().unzip();
        aside.push(waits);
        Ok((in_order(timers.concat()), aside.concat()))
    }

    /// What is to become of timers; nothing when the event is to wait.
    async fn react_or_miss(
        &self,
        recorded: &Recorded<String>,
        lead: Lead<'_>,
        share: &Share,
    ) -> Result<Option<Vec<Timer>>, BookError> {
        if lead.stop.is_cancelled() {
            // The page is left where it is: whoever leads next reacts to it again, which changes nothing.
            return Err(BookError::Abandoned);
        }
        let reacting = carry_out(&self.book, self.policy, recorded, None, Some(lead), Some(share));
        let error = match unpanicked(reacting).await {
            Ok(reacted) if reacted.is_beyond_share => return Ok(None),
            Ok(reacted) => return Ok(Some(reacted.timers)),
            Err(error) if error.is_transient() => return Err(error),
            Err(error) => error,
        };
        let tenant = recorded.tenant_id;
        // Its fields do not open any more, and nothing is ever done for it.
        if tenants::standing(&self.pool, tenant).await? == Standing::Deleted {
            return Ok(Some(Vec::new()));
        }
        lead.lease.check()?;
        self.miss(recorded, &error).await?;
        if matches!(error, BookError::Suspended) {
            lead.waiting.add(tenant);
        }
        Ok(Some(Vec::new()))
    }

    async fn miss(&self, recorded: &Recorded<String>, error: &BookError) -> Result<(), BookError> {
        let (policy, position) = (self.policy.name(), recorded.position);
        let waits = matches!(error, BookError::Suspended);
        if waits {
            debug!(policy, position, "the reaction to an event waits for its tenant");
        } else {
            error!(policy, position, %error, "could not react to an event; it is kept for another try");
        }
        let noting = sqlx::query(
            "insert into book.missed (policy, event_id, tenant_id, position, error, waits) values ($1, $2, $3, $4, $5, $6)
             on conflict (policy, event_id) do update set
                 error = excluded.error, waits = excluded.waits, missed_at = clock_timestamp()",
        )
        .bind(policy)
        .bind(recorded.event_id)
        .bind(recorded.tenant_id)
        .bind(position)
        .bind(error.to_string())
        .bind(waits)
        .execute(&self.pool);
        answered(async { Ok::<_, BookError>(noting.await?) }).await?;
        self.reading.has_missed().await;
        Ok(())
    }
}

/// Events stream by stream, those of each in the book's order.
fn by_stream(events: Vec<Arc<Recorded<String>>>) -> impl Iterator<Item = Vec<Arc<Recorded<String>>>> {
    let mut streams: BTreeMap<(String, Uuid), Vec<_>> = BTreeMap::new();
    for recorded in events {
        let stream = (recorded.aggregate_type.clone(), recorded.stream);
        streams.entry(stream).or_default().push(recorded);
    }
    streams.into_values()
}

/// What becomes of timers by several events, each with its position: what one sets and a later one drops must come in the
/// book's order.
fn in_order(mut timers: Vec<(i64, Timer)>) -> Vec<Timer> {
    timers.sort_by_key(|(position, _)| *position);
    timers.into_iter().map(|(_, timer)| timer).collect()
}

/// What ends in a panic, which is a defect, has failed for good: trying again would only panic again.
pub(crate) async fn unpanicked<T>(doing: impl Future<Output = Result<T, BookError>>) -> Result<T, BookError> {
    let done = AssertUnwindSafe(doing).catch_unwind().await;
    done.unwrap_or_else(|panic| {
        Err(BookError::Broken(format!(
            "it panicked, which is a defect of this program: {}",
            words(&*panic)
        )))
    })
}

/// What came of a reaction.
#[derive(Debug, Default)]
pub struct Reacted {
    /// Nothing was done, and it is for later.
    is_beyond_share: bool,
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
    unpanicked(carry_out(book, policy, recorded, then, None, None)).await
}

async fn carry_out(
    book: &Book,
    policy: &dyn Policy,
    recorded: &Recorded<String>,
    then: Option<DateTime<Utc>>,
    lead: Option<Lead<'_>>,
    share: Option<&Share>,
) -> Result<Reacted, BookError> {
    let Some(event) = book.contexts().decode(recorded)? else {
        return Err(BookError::NewerNeeded {
            policy: policy.name(),
            position: recorded.position,
            kind: recorded.aggregate_type.clone(),
        });
    };
    recorded.is_open()?;
    let payload_bytes = recorded.event.len();
    let recorded = recorded.with(event);
    let state = match lead {
        Some(lead) => lead.states.after(book, policy, &recorded, payload_bytes).await?,
        None => state(book, policy, &recorded).await?,
    };
    let seen = Seen::new(&recorded, state);
    let caused = Caused {
        tenant: recorded.tenant_id,
        event_id: recorded.event_id,
        position: recorded.position,
        correlation_id: recorded.metadata.correlation_id,
    };
    let lease = lead.map(|lead| lead.lease);
    let mut reacted = Reacted::default();
    let reactions = policy.react(&seen);
    let sends = |reaction: &&Reaction| matches!(reaction, Reaction::Send { .. });
    let sent = reactions.iter().filter(sends).count();
    if share.is_some_and(|share| !share.takes(caused.tenant, sent)) {
        reacted.is_beyond_share = true;
        return Ok(reacted);
    }
    for (nth, reaction) in (0_u32..).zip(reactions) {
        match reaction {
            Reaction::Send { sendings, refused } => {
                let command_id = Uuid::new_v5(&recorded.event_id, format!("{}/{nth}", policy.name()).as_bytes());
                let time = Time {
                    at: then.unwrap_or_else(Utc::now),
                    occurred_at: then,
                };
                let mut answer = send(book, policy.name(), &caused, command_id, sendings, time, lease).await?;
                // Under the same id: of the two only one can ever be accepted, also when the event is read again
                // and what was refused before would be possible now.
                if answer.is_none() && !refused.is_empty() {
                    answer = send(book, policy.name(), &caused, command_id, refused, time, lease).await?;
                }
                reacted.answers.extend(answer);
                // Of the two lanes the one that says so moves the checkpoint: one that hangs is not to be hidden by the other.
                if let Some(lead) = lead.filter(|_| share.is_some()) {
                    lead.beat.beat(|_| {});
                }
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
    match book.contexts().aggregate(&recorded.aggregate_type) {
        Some(aggregate) if policy.wants_state(recorded) => {
            let fact = aggregate.fact(recorded.stream);
            book.state_at(recorded.tenant_id, fact, recorded.sequence).await
        }
        Some(_) | None => Ok(None),
    }
}

/// A command as a timer keeps it.
///
/// # Errors
/// When this program knows no such command.
pub(crate) fn kept(contexts: &Contexts, aggregate_type: &str, command: &str) -> Result<AnyCommand, BookError> {
    let unknown = |why: String| BookError::Broken(format!("a timer's command for {aggregate_type} is unknown: {why}"));
    let aggregate = contexts.aggregate(aggregate_type);
    let aggregate = aggregate.ok_or_else(|| unknown("this program has no such aggregate".to_owned()))?;
    let command = serde_json::from_str(command)?;
    let read = aggregate.read(command);
    read.map_err(|error| unknown(format!("{}: {}", error.path(), misfit(error.inner()))))
}
