//! Pace: commands wait a little while the read tables of their context fall behind, so that who reads sees what is,
//! and the two share the machine instead of one outrunning the other.
//!
//! Each context keeps a pace of its own: tables that are late slow what is written into their context, and nothing
//! else. A context without tables, whose streams all others post, is slowed by nobody's: it writes little, and one
//! late context would slow the people of all. A command that writes into several contexts waits for the latest.
//!
//! What one tenant sends must not make others wait. While tables are late a tenant's first commands of each second pass
//! as if they were not, unless they are very late, and what it sends beyond that waits. Where others write too it waits
//! sooner and longer, so that their rows are not behind its own: then the tables are hardly late, whatever it sends. A
//! tenant that is alone with its lateness may have it.
//!
//! A command waits before anything is read for it, not on its way into the book. So the batches of others do not wait
//! for it, it holds no turn meanwhile, and nothing that it rests on can move because it waited. Whoever reads states
//! before a command is carried out, to find out who may send it, waits first, see [`crate::Book::keep_pace`].

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::Contexts;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use sqlx::PgPool;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;

use crate::pools::answered;
use crate::{BookError, End};

/// How commands are slowed by the age of the first event that is not posted, in milliseconds.
#[derive(Debug)]
struct Slope {
    /// From here on they are slowed.
    free: u64,
    /// Here they are slowed the most.
    full: u64,
    /// The longest wait of a command.
    wait_max: u64,
}

/// Of a tenant that nobody else writes beside.
const ALONE: Slope = Slope {
    free: 200,
    full: 800,
    wait_max: 100,
};
/// Of a tenant that others write beside: hardly above how late tables are that keep up.
const BESIDE_OTHERS: Slope = Slope {
    free: 10,
    full: 110,
    wait_max: 250,
};
/// Of what Daybook sends by itself, and of what senders deliver who do not wait to go on: they would not be slowed, only
/// answered late.
const OF_DAYBOOK: Slope = Slope {
    free: 200,
    full: 800,
    wait_max: 25,
};
/// From here on nobody posts, so waiting would help nobody: commands go on at full pace. In milliseconds.
const LAG_MS_HOPELESS: u64 = 10_000;
/// Commands of one tenant that pass each second while tables are late, and as many at once.
const PASSING_PER_SECOND: NonZeroU32 = NonZeroU32::new(50).unwrap();
/// For how long a tenant counts as writing beside others after another one's command, in milliseconds.
const BESIDE_MS: u64 = 10_000;
/// How often tenants are forgotten that have not sent of late, in looks.
const FORGET_LOOKS: u32 = 1_000;
/// How often it is looked how far the tables are, in milliseconds.
const LOOK_MS: u64 = 25;
/// Commands of one context that wait for their pace; more are refused as overload.
const WAITING_MAX: usize = 8_192;

/// How long commands wait. Clones share it.
#[derive(Debug, Clone)]
pub struct Pace(Arc<Inner>);

struct Inner {
    contexts: BTreeMap<&'static str, Gates>,
    passing: DefaultKeyedRateLimiter<Uuid>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.contexts.fmt(f)
    }
}

/// Where the commands of one context wait.
#[derive(Debug, Default)]
struct Gates {
    alone: Gate,
    beside_others: Gate,
    of_daybook: Gate,
    senders: Mutex<Senders>,
}

/// Whether several tenants write.
#[derive(Debug, Default)]
struct Senders {
    last: Option<Uuid>,
    several_until: Option<Instant>,
}

/// All that came since it last opened leave together, so that they share a batch.
#[derive(Debug, Default)]
struct Gate {
    /// How long it stays shut, in microseconds.
    wait: AtomicU64,
    opens: Mutex<Option<Instant>>,
    waiting: AtomicUsize,
}

/// In whose name a command is sent.
#[derive(Debug, Clone, Copy)]
pub struct Sender {
    pub tenant: Uuid,
    /// Whether no person sends it.
    pub is_daybook: bool,
}

/// That a command has waited as long as it has to.
#[derive(Debug, Clone, Copy)]
pub struct Paced(());

/// A command that has to wait.
#[derive(Debug)]
pub(crate) struct Slowed<'a> {
    context: &'static str,
    gate: &'a Gate,
}

/// A command that waits at a gate, until this is dropped.
struct Waiting<'a>(&'a Gate);

impl Pace {
    /// The pace of each of these contexts: nobody waits until their tables are seen to be late.
    #[must_use]
    pub fn of(contexts: &Contexts) -> Self {
        let gates = contexts.iter().map(|context| (context.name, Gates::default()));
        Self(Arc::new(Inner {
            contexts: gates.collect(),
            passing: RateLimiter::keyed(Quota::per_second(PASSING_PER_SECOND)),
        }))
    }

    /// Where a command of this tenant waits that writes into these contexts; `None` where it passes, as it nearly always
    /// does. It counts among the tenant's of this second.
    pub(crate) fn slows(&self, of: Sender, contexts: impl Iterator<Item = &'static str>) -> Option<Slowed<'_>> {
        let now = Instant::now();
        let gates = contexts.filter_map(|context| self.0.contexts.get_key_value(context));
        let gates = gates.map(|(&context, gates)| (context, gates, gates.of(of, now)));
        let (context, gates, gate) = gates.max_by_key(|(_, _, gate)| gate.wait())?;
        if gate.wait().is_zero() {
            return None;
        }
        let passes = || self.0.passing.check_key(&of.tenant).is_ok() && gates.alone.wait() < ALONE.longest();
        (of.is_daybook || !passes()).then_some(Slowed { context, gate })
    }

    /// For a command that need not wait.
    pub(crate) fn unneeded(&self) -> Paced {
        Paced(())
    }

    /// Waits as long as a command of this sender has to that writes into these contexts.
    ///
    /// # Errors
    /// [`BookError::Overloaded`] when too many wait already.
    pub async fn wait(&self, of: Sender, contexts: impl Iterator<Item = &'static str>) -> Result<Paced, BookError> {
        match self.slows(of, contexts) {
            Some(slowed) => slowed.wait().await,
            None => Ok(Paced(())),
        }
    }

    /// Sets the pace of one context by how late its tables are.
    fn set(&self, context: &'static str, lag_ms: u64) {
        let Some(gates) = self.0.contexts.get(context) else {
            return;
        };
        gates.beside_others.set(BESIDE_OTHERS.wait(lag_ms));
        gates.of_daybook.set(OF_DAYBOOK.wait(lag_ms));
        let wait = ALONE.wait(lag_ms);
        metrics::gauge!("daybook_append_wait_seconds", "context" => context).set(wait.as_secs_f64());
        metrics::gauge!("daybook_tables_late_seconds", "context" => context).set(lag_ms as f64 / 1e3);
        gates.alone.set(wait);
    }

    /// Keeps the pace by how far the live tables are, until stopped. Looks only while the book grows or tables
    /// are behind it.
    pub async fn keep(&self, pool: &PgPool, mut end: End, stop: &CancellationToken) {
        let mut late = BTreeSet::new();
        for look in 0_u32.. {
            if look.is_multiple_of(FORGET_LOOKS) {
                self.0.passing.retain_recent();
            }
            let known = end.position();
            let is_behind = match answered(lags_ms(pool)).await {
                Ok(lags) => {
                    // The tables of contexts that another version has are none of ours.
                    for &context in self.0.contexts.keys() {
                        if let Some(&lag_ms) = lags.get(context) {
                            self.set(context, lag_ms);
                            tell(&mut late, context, lag_ms);
                        }
                    }
                    self.0
                        .contexts
                        .keys()
                        .any(|context| lags.get(*context).is_some_and(|&lag_ms| lag_ms > 0))
                }
                Err(error) => {
                    for &context in self.0.contexts.keys() {
                        self.set(context, 0);
                    }
                    warn!(%error, "cannot see how far the tables are; commands are not slowed");
                    true
                }
            };
            let look_again = async {
                if !is_behind {
                    end.beyond(known).await;
                }
                tokio::time::sleep(Duration::from_millis(LOOK_MS)).await;
            };
            tokio::select! {
                () = look_again => {}
                () = stop.cancelled() => return,
            }
        }
    }
}

impl Slope {
    fn wait(&self, lag_ms: u64) -> Duration {
        if lag_ms >= LAG_MS_HOPELESS {
            return Duration::ZERO;
        }
        let over = lag_ms.clamp(self.free, self.full) - self.free;
        Duration::from_micros(over * self.wait_max * 1_000 / (self.full - self.free))
    }

    fn longest(&self) -> Duration {
        Duration::from_millis(self.wait_max)
    }
}

impl Gates {
    /// Where this one waits, who has sent a command now.
    fn of(&self, of: Sender, now: Instant) -> &Gate {
        let mut senders = self.senders.lock().unwrap_or_else(PoisonError::into_inner);
        if senders.last.replace(of.tenant).is_some_and(|last| last != of.tenant) {
            senders.several_until = Some(now + Duration::from_millis(BESIDE_MS));
        }
        match senders.several_until.is_some_and(|until| until > now) {
            _ if of.is_daybook => &self.of_daybook,
            true => &self.beside_others,
            false => &self.alone,
        }
    }
}

impl Slowed<'_> {
    /// # Errors
    /// [`BookError::Overloaded`] when too many wait already.
    pub(crate) async fn wait(self) -> Result<Paced, BookError> {
        let _waiting = self.gate.enter()?;
        metrics::counter!("daybook_commands_slowed_total", "context" => self.context).increment(1);
        tokio::time::sleep_until(self.gate.opens(Instant::now(), self.gate.wait())).await;
        Ok(Paced(()))
    }
}

impl Gate {
    fn set(&self, wait: Duration) {
        let micros = u64::try_from(wait.as_micros()).unwrap_or(0);
        self.wait.store(micros, Ordering::Relaxed);
    }

    fn wait(&self) -> Duration {
        Duration::from_micros(self.wait.load(Ordering::Relaxed))
    }

    fn enter(&self) -> Result<Waiting<'_>, BookError> {
        let waiting = Waiting(self);
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= WAITING_MAX {
            return Err(BookError::Overloaded);
        }
        Ok(waiting)
    }

    /// When it opens for whoever comes now: the first that comes after it opened says so for all that follow.
    fn opens(&self, now: Instant, wait: Duration) -> Instant {
        let mut opens = self.opens.lock().unwrap_or_else(PoisonError::into_inner);
        match *opens {
            Some(at) if at > now => at,
            Some(_) | None => *opens.insert(now + wait),
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Says in the log when the tables of a context begin to be late, and when that is over.
fn tell(late: &mut BTreeSet<&'static str>, context: &'static str, lag_ms: u64) {
    let is_late = lag_ms >= LAG_MS_HOPELESS;
    if is_late && late.insert(context) {
        warn!(
            context,
            lag_ms, "the tables are late: reads show what was; see daybook_tables_late_seconds"
        );
    } else if !is_late && late.remove(context) {
        info!(context, "the tables are not late any more");
    }
}

/// Per context with live tables the age of the first event that it still has to post; 0 when it has posted everything.
async fn lags_ms(pool: &PgPool) -> Result<BTreeMap<String, u64>, BookError> {
    let lags: Vec<(String, Option<f64>)> = sqlx::query_as(
        "select g.context, extract(epoch from clock_timestamp() - e.recorded_at)::float8
         from book.generations g left join book.events e on e.position = g.position + 1 where g.state = 'live'",
    )
    .fetch_all(pool)
    .await?;
    let lag_ms = |seconds: Option<f64>| seconds.map_or(0, |seconds| (seconds.max(0.0) * 1e3) as u64);
    Ok(lags
        .into_iter()
        .map(|(context, seconds)| (context, lag_ms(seconds)))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    static EARLY: domain::Context = context("early");
    static LATE: domain::Context = context("late");

    const fn context(name: &'static str) -> domain::Context {
        domain::Context {
            name,
            aggregates: &[],
            policies: &[],
            history: "[]\n",
        }
    }

    fn pace() -> Pace {
        Pace::of(&Contexts::new(&[&EARLY, &LATE]).unwrap())
    }

    fn person(tenant: u128) -> Sender {
        Sender {
            tenant: Uuid::from_u128(tenant),
            is_daybook: false,
        }
    }

    impl Pace {
        /// Whether a command of this tenant that writes into these contexts goes on at once.
        fn is_free(&self, tenant: u128, contexts: &[&'static str]) -> bool {
            self.slows(person(tenant), contexts.iter().copied()).is_none()
        }
    }

    #[test]
    fn commands_wait_the_longer_the_further_the_tables_are_behind_and_not_at_all_when_nobody_posts() {
        for slope in [ALONE, BESIDE_OTHERS, OF_DAYBOOK] {
            let wait = |lag_ms| slope.wait(lag_ms);
            assert_eq!(wait(0), Duration::ZERO);
            assert_eq!(wait(slope.free), Duration::ZERO);
            let [third, half] = [3, 2].map(|part| slope.free + (slope.full - slope.free) / part);
            assert!(wait(third) > Duration::ZERO && wait(third) < wait(half));
            assert_eq!(wait(slope.full), slope.longest());
            assert_eq!(wait(LAG_MS_HOPELESS - 1), slope.longest());
            assert_eq!(wait(LAG_MS_HOPELESS), Duration::ZERO);
        }
    }

    #[test]
    fn late_tables_slow_the_commands_of_their_context_and_nobody_elses() {
        let pace = pace();
        assert!(pace.is_free(1, &["late"]));
        pace.set("late", ALONE.full);
        assert!(!pace.is_free(1, &["late"]));
        assert!(!pace.is_free(1, &["early", "late"]));
        assert!(pace.is_free(1, &["early"]) && pace.is_free(1, &["prelude"]));
        pace.set("late", LAG_MS_HOPELESS);
        assert!(pace.is_free(1, &["early", "late"]));
    }

    #[test]
    fn a_tenant_passes_so_often_a_second_and_waits_with_what_it_sends_beyond_that() {
        let pace = pace();
        pace.set("late", (ALONE.free + ALONE.full) / 2);
        let sends = |tenant| (0..10_000).filter(|_| pace.is_free(tenant, &["late"])).count();
        // The bucket got a few at most while this ran.
        let passed = sends(1);
        assert!((50..1_000).contains(&passed), "{passed}");
        assert!(pace.is_free(2, &["late"]), "another tenant");
    }

    #[test]
    fn what_daybook_sends_waits_as_if_it_were_alone_and_takes_nothing_of_what_people_may_send() {
        let pace = pace();
        let daybook = Sender {
            is_daybook: true,
            ..person(1)
        };
        assert!(pace.is_free(2, &["late"]));
        let waits = || {
            pace.slows(daybook, ["late"].into_iter())
                .map(|slowed| slowed.gate.wait())
        };
        pace.set("late", BESIDE_OTHERS.full);
        assert_eq!(waits(), None);
        pace.set("late", ALONE.full - 1);
        for _ in 0..1_000 {
            assert!(waits().is_some_and(|wait| wait < OF_DAYBOOK.longest()));
        }
        assert!(pace.is_free(1, &["late"]));
    }

    #[test]
    fn who_writes_beside_others_waits_sooner_and_longer_and_who_is_alone_does_not() {
        let pace = pace();
        pace.set("late", (BESIDE_OTHERS.free + BESIDE_OTHERS.full) / 2);
        let sends = |tenant| (0..10_000).filter(|_| pace.is_free(tenant, &["late"])).count();
        assert_eq!(sends(1), 10_000);
        assert!(pace.is_free(2, &["late"]));
        assert!(sends(1) < 1_000);
        let gates = &pace.0.contexts["late"];
        let (now, later) = (Instant::now(), Duration::from_millis(BESIDE_MS + 1));
        assert!(std::ptr::eq(gates.of(person(2), now), &gates.beside_others));
        assert!(std::ptr::eq(gates.of(person(2), now + later), &gates.alone));
    }

    #[tokio::test]
    async fn whoever_comes_while_a_gate_is_shut_leaves_with_the_first() {
        let (gate, start, wait) = (Gate::default(), Instant::now(), Duration::from_millis(20));
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!(gate.opens(at(0), wait), at(20));
        assert_eq!(gate.opens(at(19), wait), at(20));
        assert_eq!(gate.opens(at(20), wait), at(40));
        assert_eq!(gate.opens(at(90), wait), at(110));
    }

    #[test]
    fn a_gate_takes_a_bounded_number_and_forgets_who_has_left() {
        let gate = Gate::default();
        let mut waiting: Vec<_> = (0..WAITING_MAX).map(|_| gate.enter().unwrap()).collect();
        assert!(matches!(gate.enter(), Err(BookError::Overloaded)));
        waiting.pop();
        assert!(gate.enter().is_ok());
    }
}
