//! Sends the commands of timers that have fallen due.
//!
//! A timer's command id is derived from the timer and the event that set it, and the timer is deleted
//! only once its command is answered: a worker may die at any moment, and each fires once.
//!
//! Those of a tenant that is suspended wait until it is active again; those of one that is deleted are dropped.
//!
//! Each context has a worker of its own for the timers of its policies: those that are overdue, fail or wait for late
//! tables keep no other context's waiting.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use domain::{Context, Sending, Standing};
use futures::StreamExt as _;
use sqlx::postgres::PgRow;
use sqlx::{PgPool, Row as _};
use tokio_util::sync::CancellationToken;
use tracing::error;
use uuid::Uuid;

use crate::lease::Lease;
use crate::policy::{self, Caused, Time, unpanicked};
use crate::pools::answered;
use crate::worker::{Beat, Work, pause};
use crate::{Book, BookError, tenants};

/// The lock of former programs, in which one worker fired the timers of all contexts. In a rolling deployment such a
/// one may lead beside the workers of contexts, and fire what they fire: that does no harm, since both send a timer's
/// command under the same id, and the receipt of the first answers the second.
pub const FORMER_LOCK_NAME: &str = "daybook timers";
/// Timers read at once, of each tenant as many as of any other that has so many.
const DUE_TIMERS_MAX: i64 = 1_000;
/// Timers of a policy among which tenants take turns, the longest overdue.
const TURNS_TIMERS_MAX: i64 = 50_000;
/// How long one timer may take, in seconds: longer than a command is tried while its outcome is unknown.
const TURN_SECONDS_MAX: u64 = 60;
/// Timers fired at one time.
const AT_ONCE: usize = 64;
/// How often it is looked whether a tenant whose timers wait is active again, in seconds.
const GO_ON_SECONDS: u64 = 10;
/// How far ahead it is looked for what will fall due, and so how often at least, in seconds.
const AHEAD_SECONDS: u64 = 1;

/// The name of the lock under which the workers of a context's timers elect their leader.
#[must_use]
pub fn lock_name(context: &Context) -> String {
    format!("daybook timers {}", context.name)
}

/// The worker that fires the timers of one context. Of all that run, one leads.
#[derive(Debug)]
pub struct TimerWorker {
    pub pool: PgPool,
    pub book: Book,
    /// Timers of policies that it does not have are left to other workers, or to a program that knows them.
    pub context: &'static Context,
}

struct Due {
    timer: Uuid,
    policy: &'static str,
    caused: Caused,
    due_at: DateTime<Utc>,
    /// The database's time when it found the timer due.
    now: DateTime<Utc>,
    aggregate_type: String,
    stream: Uuid,
    command: String,
}

impl Work for TimerWorker {
    type Error = BookError;

    fn turn_limit(&self) -> Duration {
        Duration::from_secs(TURN_SECONDS_MAX)
    }

    async fn lead(&mut self, lease: &Lease, beat: &Beat, stop: &CancellationToken) -> Result<(), BookError> {
        let worker = &*self;
        let mut looked: Option<Instant> = None;
        while !stop.is_cancelled() {
            lease.check()?;
            if looked.is_none_or(|looked| looked.elapsed() >= Duration::from_secs(GO_ON_SECONDS)) {
                looked = Some(Instant::now());
                worker.go_on().await?;
            }
            let Soon { due, more, next } = worker.soon().await?;
            metrics::gauge!("daybook_timers_due", "context" => worker.context.name).set(due.len() as f64);
            let fired = futures::stream::iter(due.into_iter().map(|due| async move {
                let fired = worker.fire(due, lease).await;
                beat.beat(|_| {});
                fired
            }));
            let outcomes: Vec<Result<(), BookError>> = fired.buffer_unordered(AT_ONCE).collect().await;
            beat.beat(|_| {});
            // One that fails for a while must not keep the others from their turn.
            outcomes.into_iter().collect::<Result<(), BookError>>()?;
            if !more {
                pause(stop, next).await;
            }
        }
        Ok(())
    }
}

/// What has fallen due, and when to look again.
struct Soon {
    due: Vec<Due>,
    /// Whether there may be more that is due.
    more: bool,
    /// How long it is until the next one, if that is within [`AHEAD_SECONDS`]; as long as that otherwise.
    next: Duration,
}

impl TimerWorker {
    /// What has fallen due by the database's clock, tenants in turns and of each the longest overdue first, and what will next.
    async fn soon(&self) -> Result<Soon, BookError> {
        let known: Vec<&str> = self.context.policies.iter().map(|policy| policy.name()).collect();
        // Policy by policy, along the index: what others have overdue is not read.
        let looking = sqlx::query(
            "select t.timer_id, t.policy, t.tenant_id, t.due_at, t.event_id, t.position, t.correlation_id,
                    t.aggregate_type, t.aggregate_id, t.command::text as command, now() as now
             from (
                 select t.timer_id, t.due_at, row_number() over (partition by t.tenant_id order by t.due_at) as turn
                 from unnest($1::text[]) known(policy)
                 cross join lateral (
                     select t.timer_id, t.tenant_id, t.due_at from book.timers t
                     where t.policy = known.policy and not t.waits and t.due_at <= now() + make_interval(secs => $3)
                     order by t.due_at limit $4) t
                 order by turn, t.due_at limit $2) first
             join book.timers t on t.timer_id = first.timer_id
             order by first.turn, first.due_at",
        )
        .bind(known)
        .bind(DUE_TIMERS_MAX)
        .bind(AHEAD_SECONDS as f64)
        .bind(TURNS_TIMERS_MAX)
        .fetch_all(&self.pool);
        let rows = answered(async { Ok::<_, BookError>(looking.await?) }).await?;
        let mut soon = Soon {
            more: rows.len() as i64 == DUE_TIMERS_MAX,
            due: Vec::with_capacity(rows.len()),
            next: Duration::from_secs(AHEAD_SECONDS),
        };
        for row in &rows {
            let Some(due) = self.read(row)? else { continue };
            let wait = (due.due_at - due.now).to_std().unwrap_or_default();
            if wait.is_zero() {
                soon.due.push(due);
            } else {
                soon.next = soon.next.min(wait);
            }
        }
        Ok(soon)
    }

    fn read(&self, row: &PgRow) -> Result<Option<Due>, BookError> {
        let name: &str = row.try_get("policy")?;
        let Some(policy) = self.context.policies.iter().find(|policy| policy.name() == name) else {
            return Ok(None);
        };
        Ok(Some(Due {
            timer: row.try_get("timer_id")?,
            policy: policy.name(),
            caused: Caused {
                tenant: row.try_get("tenant_id")?,
                event_id: row.try_get("event_id")?,
                position: row.try_get("position")?,
                correlation_id: row.try_get("correlation_id")?,
            },
            due_at: row.try_get("due_at")?,
            now: row.try_get("now")?,
            aggregate_type: row.try_get("aggregate_type")?,
            stream: row.try_get("aggregate_id")?,
            command: row.try_get("command")?,
        }))
    }

    async fn fire(&self, due: Due, lease: &Lease) -> Result<(), BookError> {
        let fired = unpanicked(self.send(&due, lease)).await;
        lease.check()?;
        match fired {
            Ok(()) => self.done(&due, None).await,
            Err(error) if error.is_transient() => Err(error),
            Err(BookError::Suspended) => self.wait(&due).await,
            Err(error) => {
                // Its fields do not open any more, and nothing is ever done for it.
                if tenants::standing(&self.pool, due.caused.tenant).await? == Standing::Deleted {
                    return self.done(&due, None).await;
                }
                error!(policy = due.policy, timer = %due.timer, %error, "a timer could not be fired; its event is kept for another try");
                self.done(&due, Some(error.to_string())).await
            }
        }
    }

    async fn send(&self, due: &Due, lease: &Lease) -> Result<(), BookError> {
        let command = policy::kept(self.book.contexts(), &due.aggregate_type, &due.command)?;
        let sending = Sending::to(due.stream, command);
        let command_id = Uuid::new_v5(&due.timer, due.caused.event_id.as_bytes());
        // Whose clock is late must not decide that it is too early.
        let at = due.now.max(due.due_at).max(Utc::now());
        let time = Time { at, occurred_at: None };
        let sent = policy::send(
            &self.book,
            due.policy,
            &due.caused,
            command_id,
            vec![sending],
            time,
            Some(lease),
        );
        sent.await.map(|_| ())
    }

    /// Has the timer wait, unless another event has set it anew meanwhile.
    async fn wait(&self, due: &Due) -> Result<(), BookError> {
        let waiting = sqlx::query("update book.timers set waits = true where timer_id = $1 and event_id = $2")
            .bind(due.timer)
            .bind(due.caused.event_id)
            .execute(&self.pool);
        answered(async { Ok::<_, BookError>(waiting.await?) }).await?;
        Ok(())
    }

    /// Has the timers go on that waited for tenants which are active again, of whatever context, and drops those of
    /// tenants that are deleted. Each tenant is found by one step along an index, however many timers wait.
    async fn go_on(&self) -> Result<(), BookError> {
        let going = sqlx::query(
            "with recursive waiting as (
                 (select tenant_id from book.timers where waits order by tenant_id limit 1)
                 union all
                 select (select t.tenant_id from book.timers t where t.waits and t.tenant_id > waiting.tenant_id
                         order by t.tenant_id limit 1)
                 from waiting where waiting.tenant_id is not null),
             stands as (
                 select w.tenant_id, coalesce(s.standing, 'active') as standing
                 from waiting w left join book.tenants s on s.tenant_id = w.tenant_id
                 where w.tenant_id is not null),
             gone as (
                 delete from book.timers t using stands
                 where t.waits and t.tenant_id = stands.tenant_id and stands.standing = 'deleted')
             update book.timers t set waits = false from stands
             where t.waits and t.tenant_id = stands.tenant_id and stands.standing = 'active'",
        )
        .execute(&self.pool);
        answered(async { Ok::<_, BookError>(going.await?) }).await?;
        Ok(())
    }

    /// Deletes the timer, unless another event has set it anew meanwhile; what failed is noted.
    async fn done(&self, due: &Due, failed: Option<String>) -> Result<(), BookError> {
        let done = sqlx::query(
            "with noted as (
                 insert into book.missed (policy, event_id, tenant_id, position, error)
                 select $1, $2, $3, $4, $5 where $5 is not null
                 on conflict (policy, event_id) do update set error = excluded.error)
             delete from book.timers where timer_id = $6 and event_id = $2",
        )
        .bind(due.policy)
        .bind(due.caused.event_id)
        .bind(due.caused.tenant)
        .bind(due.caused.position)
        .bind(failed)
        .bind(due.timer)
        .execute(&self.pool);
        answered(async { Ok::<_, BookError>(done.await?) }).await?;
        Ok(())
    }
}
