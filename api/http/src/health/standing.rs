//! What health checks have seen of the contexts over time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Since when contexts stand still, as far as health checks have seen, and for which the process has waited. The
/// times of the book cannot tell: when the clock was set back, they run ahead of it.
#[derive(Debug, Default)]
pub struct Standing(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    /// Where contexts stand although events wait, and since when.
    contexts: BTreeMap<&'static str, (i64, Instant)>,
    /// The latest live generation of each context, and how far one was ever seen that is built beside it.
    rebuilt: BTreeMap<&'static str, (i64, i64)>,
    /// When any of these was last seen to get further.
    rebuilt_at: Option<Instant>,
    /// The contexts whose tables were once those of this program, and showed what was in the book when it started, or
    /// that are not waited for any more. From then on it serves them, whatever becomes of them.
    begun: BTreeSet<&'static str>,
}

impl Standing {
    /// For how many seconds the context has stood at this position with events waiting.
    pub(super) fn seconds(&self, context: &'static str, position: i64, lag_events: i64, now: Instant) -> f64 {
        let mut seen = self.locked();
        if lag_events <= 0 {
            seen.contexts.remove(context);
            return 0.0;
        }
        let since = seen.contexts.entry(context).or_insert((position, now));
        if since.0 != position {
            *since = (position, now);
        }
        now.duration_since(since.1).as_secs_f64()
    }

    /// Notes a context's live generation and the position of the one that is built beside it. One that fails again and
    /// again at the same event gets no further, however often it begins.
    pub(super) fn rebuilt(&self, context: &'static str, progress: (i64, i64), now: Instant) {
        let mut seen = self.locked();
        let furthest = seen.rebuilt.entry(context).or_insert(progress);
        let is_further = *furthest < progress;
        *furthest = progress.max(*furthest);
        if is_further || seen.rebuilt_at.is_none() {
            seen.rebuilt_at = Some(now);
        }
    }

    /// For how many seconds no context's rebuild got further.
    pub(super) fn rebuilds_stand_seconds(&self, now: Instant) -> f64 {
        let since = self.locked().rebuilt_at;
        since.map_or(0.0, |since| now.duration_since(since).as_secs_f64())
    }

    pub(super) fn begins(&self, context: &'static str) {
        self.locked().begun.insert(context);
    }

    pub(super) fn has_begun(&self, context: &str) -> bool {
        self.locked().begun.contains(context)
    }

    fn locked(&self) -> MutexGuard<'_, Seen> {
        // Nothing that panics happens while it is locked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_context_that_does_not_move_while_events_wait_is_seen_to_stand() {
        let (standing, start) = (Standing::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(standing.seconds("a", 5, 3, at(0)), 0.0);
        assert_eq!(standing.seconds("a", 5, 9, at(20)), 20.0);
        assert_eq!(standing.seconds("b", 5, 9, at(20)), 0.0);
        // It moved, though it is as far behind as before.
        assert_eq!(standing.seconds("a", 6, 9, at(30)), 0.0);
        assert_eq!(standing.seconds("a", 6, 0, at(40)), 0.0);
        assert_eq!(standing.seconds("a", 6, 1, at(50)), 0.0);
    }

    #[test]
    fn rebuilds_stand_while_none_gets_further_than_one_ever_was() {
        let (standing, start) = (Standing::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        standing.rebuilt("a", (1, 0), at(0));
        standing.rebuilt("b", (4, 0), at(0));
        standing.rebuilt("a", (1, 500), at(10));
        assert_eq!(standing.rebuilds_stand_seconds(at(15)), 5.0);
        // It fails, and begins anew.
        standing.rebuilt("a", (1, 0), at(20));
        standing.rebuilt("a", (1, 400), at(30));
        assert_eq!(standing.rebuilds_stand_seconds(at(40)), 30.0);
        // The next one has its turn; then it is swapped in.
        standing.rebuilt("b", (4, 1), at(50));
        assert_eq!(standing.rebuilds_stand_seconds(at(55)), 5.0);
        standing.rebuilt("b", (5, 0), at(60));
        assert_eq!(standing.rebuilds_stand_seconds(at(60)), 0.0);
    }
}
