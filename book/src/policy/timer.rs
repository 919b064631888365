//! What reactions do to timers, and the one statement that writes it together with what it belongs to.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

use super::Caused;
use crate::BookError;
use crate::pools::answered;

/// What an event does to a timer.
#[derive(Clone)]
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

/// Without the command that it sends.
impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set { timer, due_at, .. } => write!(f, "set {timer} to {due_at}"),
            Self::Drop { timer } => write!(f, "drop {timer}"),
        }
    }
}

impl Timer {
    fn id(&self) -> Uuid {
        match self {
            Self::Set { timer, .. } | Self::Drop { timer } => *timer,
        }
    }
}

/// A statement that changes timers if, and only if, `head` leaves a row in `moved`: all of it or nothing. Parameters
/// from $12 on are those of `head`.
macro_rules! with_timers {
    ($head:literal) => {
        concat!(
            "with ",
            $head,
            ",
             dropped as (delete from book.timers t using moved where t.timer_id = any($2)),
             put as (
                 insert into book.timers (timer_id, policy, tenant_id, due_at, event_id, position, correlation_id,
                                          aggregate_type, aggregate_id, command)
                 select s.timer_id, $1, s.tenant_id, s.due_at, s.event_id, s.position, s.correlation_id,
                        s.aggregate_type, s.aggregate_id, s.command::json
                 from moved, unnest($3::uuid[], $4::uuid[], $5::timestamptz[], $6::uuid[], $7::bigint[], $8::uuid[],
                                    $9::text[], $10::uuid[], $11::text[])
                      as s(timer_id, tenant_id, due_at, event_id, position, correlation_id,
                           aggregate_type, aggregate_id, command)
                 on conflict (timer_id) do update set
                     due_at = excluded.due_at, event_id = excluded.event_id, position = excluded.position,
                     correlation_id = excluded.correlation_id, aggregate_type = excluded.aggregate_type,
                     aggregate_id = excluded.aggregate_id, command = excluded.command)
             select count(*) from moved"
        )
    };
}

/// Changes of timers as the statement takes them: the last one of each timer, by columns.
#[derive(Debug, Default)]
struct Changes<'a> {
    dropped: Vec<Uuid>,
    timers: Vec<Uuid>,
    tenants: Vec<Uuid>,
    due_at: Vec<DateTime<Utc>>,
    event_ids: Vec<Uuid>,
    positions: Vec<i64>,
    correlation_ids: Vec<Uuid>,
    aggregate_types: Vec<&'static str>,
    streams: Vec<Uuid>,
    commands: Vec<&'a str>,
}

impl<'a> Changes<'a> {
    /// `timers` in the book's order: what one event sets and a later one drops is dropped.
    fn last_of(timers: &'a [Timer]) -> Self {
        let last: BTreeMap<Uuid, &Timer> = timers.iter().map(|timer| (timer.id(), timer)).collect();
        let mut changes = Self::default();
        for timer in last.into_values() {
            match timer {
                Timer::Set {
                    timer,
                    due_at,
                    caused,
                    stream,
                    aggregate_type,
                    command,
                } => {
                    changes.timers.push(*timer);
                    changes.tenants.push(caused.tenant);
                    changes.due_at.push(*due_at);
                    changes.event_ids.push(caused.event_id);
                    changes.positions.push(caused.position);
                    changes.correlation_ids.push(caused.correlation_id);
                    changes.aggregate_types.push(aggregate_type);
                    changes.streams.push(*stream);
                    changes.commands.push(command);
                }
                Timer::Drop { timer } => changes.dropped.push(*timer),
            }
        }
        changes
    }
}

macro_rules! written {
    ($pool:expr, $policy:expr, $timers:expr, $head:literal, $($parameter:expr),+) => {{
        let changes = Changes::last_of($timers);
        let writing = sqlx::query_scalar(with_timers!($head))
            .bind($policy)
            .bind(changes.dropped)
            .bind(changes.timers)
            .bind(changes.tenants)
            .bind(changes.due_at)
            .bind(changes.event_ids)
            .bind(changes.positions)
            .bind(changes.correlation_ids)
            .bind(changes.aggregate_types)
            .bind(changes.streams)
            .bind(changes.commands)
            $(.bind($parameter))+
            .fetch_one($pool);
        let found: i64 = answered(async { Ok::<_, BookError>(writing.await?) }).await?;
        Ok(found == 1)
    }};
}

/// Where a policy's checkpoint must stand, and under whom, to be moved.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stands<'a> {
    pub position: i64,
    pub term: i64,
    pub kinds: &'a [String],
}

/// Moves a checkpoint together with what was reacted up to there does to timers; `false` when it stood otherwise, and
/// nothing was written.
pub(super) async fn advance(
    pool: &PgPool,
    policy: &str,
    stands: Stands<'_>,
    to: i64,
    timers: &[Timer],
) -> Result<bool, BookError> {
    written!(
        pool,
        policy,
        timers,
        "moved as (
             update book.policies set position = $12
             where name = $1 and position = $13 and term = $14 and kinds = $15 returning name)",
        to,
        stands.position,
        stands.term,
        stands.kinds
    )
}

/// Forgets that a policy missed these events, together with what its reactions to them do to timers; `false` when all of
/// them were made good meanwhile.
pub(super) async fn make_good(
    pool: &PgPool,
    policy: &str,
    event_ids: &[Uuid],
    timers: &[Timer],
) -> Result<bool, BookError> {
    written!(
        pool,
        policy,
        timers,
        "gone as (delete from book.missed where policy = $1 and event_id = any($12) returning policy),
         moved as (select policy from gone limit 1)",
        event_ids
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(timer: u128, command: &str) -> Timer {
        Timer::Set {
            timer: Uuid::from_u128(timer),
            due_at: DateTime::UNIX_EPOCH,
            caused: Caused {
                tenant: Uuid::nil(),
                event_id: Uuid::nil(),
                position: 1,
                correlation_id: Uuid::nil(),
            },
            stream: Uuid::nil(),
            aggregate_type: "a.b",
            command: command.to_owned(),
        }
    }

    #[test]
    fn of_one_timer_the_last_change_of_a_page_counts() {
        let drop = |timer| Timer::Drop {
            timer: Uuid::from_u128(timer),
        };
        let page = [
            set(1, "first"),
            set(2, "kept"),
            drop(3),
            drop(1),
            set(3, "again"),
            set(2, "anew"),
        ];
        let changes = Changes::last_of(&page);
        assert_eq!(changes.dropped, [Uuid::from_u128(1)]);
        assert_eq!(changes.timers, [Uuid::from_u128(2), Uuid::from_u128(3)]);
        assert_eq!(changes.commands, ["anew", "again"]);
    }
}
