//! What health checks have seen of the contexts over time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// After how many rebuilds of a context that failed or were given up, since the process looks, another attempt is no
/// reason to wait for its tables any more.
pub const ATTEMPTS_AWAITED_MAX: u32 = 5;
/// For how long a rebuild that beats no more still counts as one that is under way, in seconds: it beats every few.
const BEAT_SECONDS_MAX: u64 = 30;

/// Since when contexts stand still, as far as health checks have seen, and for which the process has waited. The
/// times of the book cannot tell: when the clock was set back, they run ahead of it.
#[derive(Debug, Default)]
pub struct Standing(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    /// Where contexts stand although events wait, and since when.
    contexts: BTreeMap<&'static str, (i64, Instant)>,
    rebuilds: BTreeMap<&'static str, Rebuild>,
    /// When any of these was last seen to get on.
    rebuilt_at: Option<Instant>,
    /// The contexts whose tables were once those of this program, and showed what was in the book when it started, or
    /// that are not waited for any more. From then on it serves them, whatever becomes of them.
    begun: BTreeSet<&'static str>,
    /// Since when no relay was seen to lead.
    unrelayed: Option<Instant>,
}

/// What was seen of the rebuilds of one context.
#[derive(Debug)]
struct Rebuild {
    /// The latest live generation, and how far one was ever seen that is built beside it.
    furthest: (i64, i64),
    beats: i64,
    beat_at: Instant,
    /// How many had failed or were given up when the process first looked.
    failures: i64,
}

/// What a rebuild has said of itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Told {
    /// The live generation, and the position of the one that is built beside it; 0 without one.
    pub reached: (i64, i64),
    /// Grows while somebody works on it, also where that moves no position.
    pub beats: i64,
    /// Attempts so far that failed or were given up.
    pub failures: i64,
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

    /// Notes what a context's rebuild says. It gets on while it beats, whatever its step takes; after as many attempts
    /// as are awaited, only while it gets further than any before: one that fails again and again at the same event
    /// does not, however often it begins.
    pub(super) fn rebuilt(&self, context: &'static str, told: Told, now: Instant) {
        let mut seen = self.locked();
        let first = || Rebuild {
            furthest: told.reached,
            beats: told.beats,
            beat_at: now,
            failures: told.failures,
        };
        let rebuild = seen.rebuilds.entry(context).or_insert_with(first);
        let has_beaten = rebuild.beats != told.beats;
        if has_beaten {
            (rebuild.beats, rebuild.beat_at) = (told.beats, now);
        }
        let is_further = rebuild.furthest < told.reached;
        rebuild.furthest = told.reached.max(rebuild.furthest);
        let is_awaited = told.failures - rebuild.failures < i64::from(ATTEMPTS_AWAITED_MAX);
        if is_further || (has_beaten && is_awaited) || seen.rebuilt_at.is_none() {
            seen.rebuilt_at = Some(now);
        }
    }

    /// Whether somebody was seen to work on a rebuild of the context a moment ago.
    pub(super) fn is_rebuilding(&self, context: &str, now: Instant) -> bool {
        let beat_at = self.locked().rebuilds.get(context).map(|rebuild| rebuild.beat_at);
        beat_at.is_some_and(|at| now.duration_since(at) <= Duration::from_secs(BEAT_SECONDS_MAX))
    }

    /// For how many seconds no context's rebuild got on.
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

    /// For how many seconds no relay was seen to lead: between two leaders there is a moment without one.
    pub(super) fn unrelayed_seconds(&self, is_led: bool, now: Instant) -> f64 {
        let mut seen = self.locked();
        if is_led {
            seen.unrelayed = None;
            return 0.0;
        }
        now.duration_since(*seen.unrelayed.get_or_insert(now)).as_secs_f64()
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
    fn nobody_relays_from_when_no_leader_was_seen_until_one_is() {
        let (standing, start) = (Standing::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(standing.unrelayed_seconds(true, at(0)), 0.0);
        assert_eq!(standing.unrelayed_seconds(false, at(10)), 0.0);
        assert_eq!(standing.unrelayed_seconds(false, at(25)), 15.0);
        assert_eq!(standing.unrelayed_seconds(true, at(30)), 0.0);
        assert_eq!(standing.unrelayed_seconds(false, at(40)), 0.0);
    }

    fn told(reached: (i64, i64), beats: i64, failures: i64) -> Told {
        Told {
            reached,
            beats,
            failures,
        }
    }

    #[test]
    fn rebuilds_stand_while_none_beats_or_gets_further_than_one_ever_was() {
        let (standing, start) = (Standing::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        standing.rebuilt("a", told((1, 0), 0, 0), at(0));
        standing.rebuilt("b", told((4, 0), 0, 0), at(0));
        standing.rebuilt("a", told((1, 500), 0, 0), at(10));
        assert_eq!(standing.rebuilds_stand_seconds(at(15)), 5.0);
        // It dies, and nobody begins anew.
        standing.rebuilt("a", told((1, 0), 0, 0), at(20));
        assert_eq!(standing.rebuilds_stand_seconds(at(40)), 30.0);
        // The next one has its turn; then it is swapped in.
        standing.rebuilt("b", told((4, 1), 0, 0), at(50));
        assert_eq!(standing.rebuilds_stand_seconds(at(55)), 5.0);
        standing.rebuilt("b", told((5, 0), 0, 0), at(60));
        assert_eq!(standing.rebuilds_stand_seconds(at(60)), 0.0);
    }

    #[test]
    fn a_rebuild_gets_on_while_it_beats_however_long_a_step_takes_and_whatever_it_does_again() {
        let (standing, start) = (Standing::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        // Loaded to its end, and then indexes for an hour, begun anew once because the process died.
        for minute in 0..60 {
            let position = if minute < 30 { 900 } else { 10 };
            standing.rebuilt("a", told((1, position), minute, 0), at(60 * minute as u64));
        }
        assert_eq!(standing.rebuilds_stand_seconds(at(60 * 59 + 5)), 5.0);
        assert!(standing.is_rebuilding("a", at(60 * 59 + 5)));
        assert!(!standing.is_rebuilding("a", at(60 * 60)));
        assert!(!standing.is_rebuilding("b", at(0)));
    }

    #[test]
    fn a_rebuild_that_has_failed_too_often_gets_on_only_where_it_gets_further() {
        let (standing, start) = (Standing::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        // What failed before the process looked is no concern of it.
        let before = 100;
        let most = before + i64::from(ATTEMPTS_AWAITED_MAX);
        standing.rebuilt("a", told((1, 500), 1, before), at(0));
        standing.rebuilt("a", told((1, 400), 2, most - 1), at(10));
        assert_eq!(standing.rebuilds_stand_seconds(at(10)), 0.0);
        standing.rebuilt("a", told((1, 400), 3, most), at(20));
        assert_eq!(standing.rebuilds_stand_seconds(at(20)), 10.0);
        standing.rebuilt("a", told((1, 501), 4, most), at(30));
        assert_eq!(standing.rebuilds_stand_seconds(at(30)), 0.0);
    }
}
