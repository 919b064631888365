//! Pace: commands wait a little while the read tables of their context fall behind, so that who reads sees what is,
//! and the two share the machine instead of one outrunning the other.
//!
//! Each context keeps a pace of its own: tables that are late slow what is written into their context, and nothing
//! else. A context without tables, whose streams all others post, is slowed by nobody's: it writes little, and one
//! late context would slow the people of all. A command that writes into several contexts waits for the latest.
//!
//! A command waits before anything is read for it, not on its way into the book. So the batches of others do not wait
//! for it, it holds no turn meanwhile, and nothing that it rests on can move because it waited. Whoever reads states
//! before a command is carried out, to find out who may send it, waits first, see [`crate::Book::keep_pace`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::Contexts;
use sqlx::PgPool;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::pools::answered;
use crate::{BookError, End};

/// The age of the first event that is not posted from which on commands are slowed, in milliseconds.
const LAG_MS_FREE: u64 = 200;
/// The age at which they are slowed the most, in milliseconds.
const LAG_MS_FULL: u64 = 800;
/// From here on nobody posts, so waiting would help nobody: commands go on at full pace.
const LAG_MS_HOPELESS: u64 = 10_000;
/// The longest wait of a command, in milliseconds.
const WAIT_MS_MAX: u64 = 25;
/// How often it is looked how far the tables are, in milliseconds.
const LOOK_MS: u64 = 100;
/// Commands of one context that wait for their pace; more are refused as overload.
const WAITING_MAX: usize = 8_192;

/// How long commands wait. Clones share it.
#[derive(Debug, Clone)]
pub struct Pace(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// How many contexts are slowed: none, nearly always.
    slowed: AtomicUsize,
    contexts: BTreeMap<&'static str, Gate>,
}

/// Where the commands of one context wait. All that came since it last opened leave together, so that they share
/// a batch.
#[derive(Debug, Default)]
struct Gate {
    /// How long it stays shut, in microseconds.
    wait: AtomicU64,
    opens: Mutex<Option<Instant>>,
    waiting: AtomicUsize,
}

/// That a command has waited as long as it has to.
#[derive(Debug, Clone, Copy)]
pub struct Paced(());

/// A command that waits at a gate, until this is dropped.
struct Waiting<'a>(&'a Gate);

impl Pace {
    /// The pace of each of these contexts: nobody waits until their tables are seen to be late.
    #[must_use]
    pub fn of(contexts: &Contexts) -> Self {
        let gates = contexts.iter().map(|context| (context.name, Gate::default()));
        Self(Arc::new(Inner {
            slowed: AtomicUsize::new(0),
            contexts: gates.collect(),
        }))
    }

    /// Whether some context is slowed.
    pub(crate) fn is_slowed(&self) -> bool {
        self.0.slowed.load(Ordering::Relaxed) > 0
    }

    /// For a command that is not going to write.
    pub(crate) fn unneeded(&self) -> Paced {
        Paced(())
    }

    /// Waits as long as a command has to that writes into these contexts.
    ///
    /// # Errors
    /// [`BookError::Overloaded`] when too many wait already.
    pub async fn wait(&self, contexts: impl Iterator<Item = &'static str>) -> Result<Paced, BookError> {
        if !self.is_slowed() {
            return Ok(Paced(()));
        }
        let gates = contexts.filter_map(|context| self.0.contexts.get_key_value(context));
        let slowest = gates.max_by_key(|(_, gate)| gate.wait.load(Ordering::Relaxed));
        if let Some((&context, gate)) = slowest
            && gate.pass().await?
        {
            metrics::counter!("daybook_commands_slowed_total", "context" => context).increment(1);
        }
        Ok(Paced(()))
    }

    /// Sets the pace of one context by how late its tables are.
    fn set(&self, context: &'static str, lag_ms: u64) {
        let Some(gate) = self.0.contexts.get(context) else {
            return;
        };
        let wait = wait(lag_ms);
        metrics::gauge!("daybook_append_wait_seconds", "context" => context).set(wait.as_secs_f64());
        metrics::gauge!("daybook_tables_late_seconds", "context" => context).set(lag_ms as f64 / 1e3);
        let micros = u64::try_from(wait.as_micros()).unwrap_or(0);
        let before = gate.wait.swap(micros, Ordering::Relaxed);
        match (before > 0, micros > 0) {
            (false, true) => self.0.slowed.fetch_add(1, Ordering::Relaxed),
            (true, false) => self.0.slowed.fetch_sub(1, Ordering::Relaxed),
            (false, false) | (true, true) => 0,
        };
    }

    /// Keeps the pace by how far the live tables are, until stopped. Looks only while the book grows or tables
    /// are behind it.
    pub async fn keep(&self, pool: &PgPool, mut end: End, stop: &CancellationToken) {
        let mut late = BTreeSet::new();
        loop {
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

impl Gate {
    /// Whether it was shut.
    async fn pass(&self) -> Result<bool, BookError> {
        let wait = Duration::from_micros(self.wait.load(Ordering::Relaxed));
        if wait.is_zero() {
            return Ok(false);
        }
        let _waiting = self.enter()?;
        tokio::time::sleep_until(self.opens(Instant::now(), wait)).await;
        Ok(true)
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

fn wait(lag_ms: u64) -> Duration {
    if lag_ms >= LAG_MS_HOPELESS {
        return Duration::ZERO;
    }
    let over = lag_ms.clamp(LAG_MS_FREE, LAG_MS_FULL) - LAG_MS_FREE;
    Duration::from_micros(over * WAIT_MS_MAX * 1_000 / (LAG_MS_FULL - LAG_MS_FREE))
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

    /// Whether a command that writes into these contexts goes on at once.
    async fn is_free(pace: &Pace, contexts: &[&'static str]) -> bool {
        let waiting = pace.wait(contexts.iter().copied());
        futures::FutureExt::now_or_never(waiting).is_some()
    }

    #[test]
    fn commands_wait_the_longer_the_further_the_tables_are_behind_and_not_at_all_when_nobody_posts() {
        assert_eq!(wait(0), Duration::ZERO);
        assert_eq!(wait(LAG_MS_FREE), Duration::ZERO);
        assert!(wait(400) > Duration::ZERO && wait(400) < wait(600));
        assert_eq!(wait(LAG_MS_FULL), Duration::from_millis(WAIT_MS_MAX));
        assert_eq!(wait(LAG_MS_HOPELESS - 1), Duration::from_millis(WAIT_MS_MAX));
        assert_eq!(wait(LAG_MS_HOPELESS), Duration::ZERO);
    }

    #[tokio::test]
    async fn late_tables_slow_the_commands_of_their_context_and_nobody_elses() {
        let pace = pace();
        assert!(is_free(&pace, &["late"]).await);
        pace.set("late", LAG_MS_FULL);
        assert!(!is_free(&pace, &["late"]).await);
        assert!(!is_free(&pace, &["early", "late"]).await);
        assert!(is_free(&pace, &["early"]).await && is_free(&pace, &["prelude"]).await);
        pace.set("early", 0);
        pace.set("late", LAG_MS_HOPELESS);
        assert!(is_free(&pace, &["early", "late"]).await);
        assert_eq!(pace.0.slowed.load(Ordering::Relaxed), 0);
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
