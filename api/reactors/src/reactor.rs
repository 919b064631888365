//! What a context brings: what is to be done because of an event, how it is done, and how often it is tried.

use std::future::Future;
use std::time::Duration;

use book::BookError;
use chrono::{DateTime, Utc};
use domain::{AnyEvent, Recorded};
use uuid::Uuid;

use crate::Doing;

/// Tasks of one event.
pub const TASKS_MAX: usize = 1_000;
/// Bytes of a task's key and of its target.
pub const KEY_BYTES_MAX: usize = 400;

/// What a reactor is known by, also where it does not lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Stored for ever; it begins with its context's name.
    pub name: &'static str,
    /// The kinds of streams whose events have effects.
    pub reads: &'static [&'static str],
}

/// Effects outside that follow from events.
pub trait Reactor: Send + Sync + 'static {
    /// What it is known by.
    fn known(&self) -> Known;

    /// [`Known::name`].
    fn name(&self) -> &'static str {
        self.known().name
    }

    /// [`Known::reads`].
    fn reads(&self) -> &'static [&'static str] {
        self.known().reads
    }

    /// What is to be done because of this event; nothing for most. Pure: the same event has the same tasks, however often
    /// it is read.
    fn tasks(&self, recorded: &Recorded<AnyEvent>) -> Vec<Task>;

    /// Does it. It may be dropped at any await, and is after [`Bounds::limit`].
    ///
    /// An error that passes (the database is away) is no attempt, and any other makes a dead letter at once, as a panic does.
    /// What the outside may mend by itself is [`Done::Again`].
    fn perform(&self, doing: &Doing<'_>) -> impl Future<Output = Result<Done, BookError>> + Send;

    /// Told before a task becomes a dead letter, at least once, so that this has an outcome, too.
    fn gave_up(&self, _doing: &Doing<'_>, _because: &str) -> impl Future<Output = Result<(), BookError>> + Send {
        async { Ok(()) }
    }

    /// When failed attempts are followed by others.
    fn schedule(&self) -> Schedule {
        Schedule::default()
    }

    /// How long after the beginning of one effect on this target the next one may begin; `None` without a rate.
    fn rate(&self, _target: &str) -> Option<Duration> {
        None
    }

    /// How much is done at one time, and for how long.
    fn bounds(&self) -> Bounds {
        Bounds::default()
    }
}

/// One thing that is to be done because of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Its name among the tasks of the event. The task's id is derived from it, so it never changes.
    pub key: String,
    /// What is done in order and one at a time: of one issue for one receiver, say. Lanes are their tenant's.
    pub lane: Uuid,
    /// What a rate holds for: a channel, a host. Targets are their tenant's, and should be few.
    pub target: String,
    /// Not before then, and so holds its lane until then; at once without.
    pub due_at: Option<DateTime<Utc>>,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// It is done, and its outcome commanded.
    Done,
    /// It failed, and may do better later.
    Again {
        /// How long to wait, where the other side has said so (`Retry-After`); as the schedule says without. Longer than the
        /// schedule's `age_max` makes a dead letter.
        after: Option<Duration>,
        /// Kept with the task, and shown to operators: no secrets, nobody's data.
        because: String,
        /// Whether it counts as an attempt. What does not is limited by the schedule's `age_max` alone.
        counts: bool,
        /// Whether nothing else begins on its target before.
        holds_target: bool,
    },
    /// It can never be done as it is.
    Dead { because: String },
}

impl Done {
    /// It failed, and is tried again as the schedule says.
    #[must_use]
    pub fn again(because: impl Into<String>) -> Self {
        Self::Again {
            after: None,
            because: because.into(),
            counts: true,
            holds_target: false,
        }
    }

    /// It is not its time yet, or others are to have a turn. That is no failed attempt.
    #[must_use]
    pub fn later(after: Duration, because: impl Into<String>) -> Self {
        Self::Again {
            after: Some(after),
            because: because.into(),
            counts: false,
            holds_target: false,
        }
    }

    /// The other side has said when its target may be used again. That is no failed attempt.
    #[must_use]
    pub fn throttled(after: Duration, because: impl Into<String>) -> Self {
        Self::Again {
            after: Some(after),
            because: because.into(),
            counts: false,
            holds_target: true,
        }
    }

    /// It can never be done as it is.
    #[must_use]
    pub fn dead(because: impl Into<String>) -> Self {
        Self::Dead {
            because: because.into(),
        }
    }
}

/// When failed attempts are followed by others: each waits twice as long as the one before, and always as long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// After the first attempt.
    pub first: Duration,
    /// At most.
    pub longest: Duration,
    /// Attempts that fail before it is a dead letter; at least one.
    pub attempts_max: u32,
    /// How long after the beginning of the first attempt another one may begin.
    pub age_max: Duration,
}

impl Default for Schedule {
    /// Ten attempts over about an hour and a half.
    fn default() -> Self {
        Self {
            first: Duration::from_secs(10),
            longest: Duration::from_secs(1_800),
            attempts_max: 10,
            age_max: Duration::from_secs(24 * 3_600),
        }
    }
}

impl Schedule {
    /// How long to wait after so many attempts have failed.
    #[must_use]
    pub fn delay(&self, failed: u32) -> Duration {
        let doubled = 2_u32.checked_pow(failed.saturating_sub(1));
        let delay = doubled.and_then(|doubled| self.first.checked_mul(doubled));
        delay.unwrap_or(self.longest).min(self.longest)
    }
}

/// How much a reactor does at one time, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Tasks that are performed at one time, of all tenants.
    pub at_once: usize,
    /// Of them those of one tenant; never more than half of what the others leave free.
    pub per_tenant: usize,
    /// How long one attempt may take.
    pub limit: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            at_once: 64,
            per_tenant: 16,
            limit: Duration::from_secs(30),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wait_is_twice_as_long_as_the_one_before_and_none_is_longer_than_the_longest() {
        let schedule = Schedule {
            first: Duration::from_secs(10),
            longest: Duration::from_secs(60),
            ..Schedule::default()
        };
        let delays: Vec<u64> = [1, 2, 3, 4, 5, 40, u32::MAX]
            .map(|n| schedule.delay(n).as_secs())
            .into();
        assert_eq!(delays, [10, 20, 40, 60, 60, 60, 60]);
    }
}
