//! States of recently used streams, bounded in bytes and in time. It may be stale: the append checks every sequence.
//!
//! What was opened of a person is forgotten within seconds, for nothing tells this process that another one has erased
//! them.

use std::time::{Duration, Instant};

use domain::FactRef;
use domain::fact::AnyState;
use uuid::Uuid;

use crate::BookError;

/// What the states kept in memory may weigh together, in bytes.
const CACHED_BYTES_MAX: u64 = 64 << 20;
/// What a state weighs besides the events that it was folded from, in bytes.
const STATE_BYTES_MIN: usize = 512;
/// What one state weighs at most, in bytes: of a long history it keeps only what later decisions read.
const STATE_BYTES_MAX: usize = 1 << 20;
/// How long a state that tells of no person is kept after it was last loaded or changed here, in seconds.
const CACHED_SECONDS_MAX: u64 = 600;
/// How many streams are remembered to have no events, and for how long, in seconds.
const UNBORN_MAX: u64 = 100_000;
const UNBORN_SECONDS_MAX: u64 = 60;

/// The state of a stream at one sequence.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub state: AnyState,
    /// 0 for a stream without events.
    pub sequence: i64,
    /// `None` for a stream without events.
    pub tenant: Option<Uuid>,
    /// Bytes of the payloads that the state was folded from.
    pub bytes: usize,
    /// When the state must be forgotten because opened fields of a person went into it, at the latest
    /// [`crate::vault::PERSONAL_SECONDS_MAX`] after their key was read. `None` when there are no such fields.
    pub until: Option<Instant>,
}

impl Loaded {
    /// A stream without events.
    ///
    /// # Errors
    /// None in truth: no event is read.
    pub fn unborn(fact: FactRef) -> Result<Self, BookError> {
        Ok(Self {
            state: (fact.fold)(&mut std::iter::empty())?,
            sequence: 0,
            tenant: None,
            bytes: 0,
            until: None,
        })
    }
}

/// How long states are kept. A later state of the same stream may still tell what an earlier one was opened for, so
/// that it inherits its time, and nothing here prolongs it.
struct Lifetime;

impl Lifetime {
    fn from(now: Instant, loaded: &Loaded) -> Duration {
        let longest = Duration::from_secs(CACHED_SECONDS_MAX);
        loaded
            .until
            .map_or(longest, |until| until.saturating_duration_since(now).min(longest))
    }
}

impl moka::Expiry<(&'static str, Uuid), Loaded> for Lifetime {
    fn expire_after_create(&self, _: &(&'static str, Uuid), loaded: &Loaded, now: Instant) -> Option<Duration> {
        Some(Self::from(now, loaded))
    }

    fn expire_after_update(
        &self,
        _: &(&'static str, Uuid),
        loaded: &Loaded,
        now: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(Self::from(now, loaded))
    }
}

#[derive(Debug, Clone)]
pub struct Cache {
    states: moka::sync::Cache<(&'static str, Uuid), Loaded>,
    /// What had no events when it was read last, see [`Cache::seems_unborn`].
    unborn: moka::sync::Cache<(&'static str, Uuid), ()>,
}

impl Default for Cache {
    fn default() -> Self {
        let weigh = |_: &_, loaded: &Loaded| STATE_BYTES_MIN as u32 + loaded.bytes.min(STATE_BYTES_MAX) as u32;
        Self {
            states: moka::sync::Cache::builder()
                .weigher(weigh)
                .max_capacity(CACHED_BYTES_MAX)
                .expire_after(Lifetime)
                .build(),
            unborn: moka::sync::Cache::builder()
                .max_capacity(UNBORN_MAX)
                .time_to_live(Duration::from_secs(UNBORN_SECONDS_MAX))
                .build(),
        }
    }
}

impl Cache {
    #[must_use]
    pub fn get(&self, aggregate_type: &'static str, stream: Uuid) -> Option<Loaded> {
        self.states.get(&(aggregate_type, stream))
    }

    /// Whether the stream had no events when it was read last. It may have some a moment later, and nothing tells: it is a
    /// guess for what is appended, which is checked then, and for nothing else.
    pub fn seems_unborn(&self, aggregate_type: &'static str, stream: Uuid) -> bool {
        self.unborn.get(&(aggregate_type, stream)).is_some()
    }

    /// Keeps the state, unless a later one is kept already. That a stream has no events is remembered by itself.
    pub fn put(&self, aggregate_type: &'static str, stream: Uuid, loaded: Loaded) {
        let key = (aggregate_type, stream);
        if loaded.sequence == 0 {
            self.unborn.insert(key, ());
            return;
        }
        self.unborn.invalidate(&key);
        self.states.entry(key).and_upsert_with(|kept| match kept {
            Some(kept) if kept.value().sequence > loaded.sequence => kept.into_value(),
            _ => loaded,
        });
    }

    pub fn forget(&self, aggregate_type: &'static str, stream: Uuid) {
        self.states.invalidate(&(aggregate_type, stream));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn loaded(sequence: i64, bytes: usize) -> Loaded {
        Loaded {
            state: Arc::new(()),
            sequence,
            tenant: Some(Uuid::nil()),
            bytes,
            until: None,
        }
    }

    #[test]
    fn what_tells_of_a_person_is_kept_until_its_time_and_no_longer_however_often_it_is_used() {
        use moka::Expiry as _;
        let (key, start) = (("a.b", Uuid::nil()), Instant::now());
        let seconds = Duration::from_secs;
        let person = Loaded {
            until: Some(start + seconds(5)),
            ..loaded(1, 0)
        };
        assert_eq!(Lifetime.expire_after_create(&key, &person, start), Some(seconds(5)));
        let later = start + seconds(3);
        assert_eq!(
            Lifetime.expire_after_update(&key, &person, later, Some(seconds(2))),
            Some(seconds(2))
        );
        let late = start + seconds(60);
        assert_eq!(Lifetime.expire_after_create(&key, &person, late), Some(Duration::ZERO));
        let others = Some(seconds(CACHED_SECONDS_MAX));
        assert_eq!(Lifetime.expire_after_create(&key, &loaded(1, 0), start), others);
    }

    #[test]
    fn a_state_whose_time_is_over_is_not_handed_out() {
        let cache = Cache::default();
        let person = Loaded {
            until: Some(Instant::now()),
            ..loaded(1, 0)
        };
        cache.put("a.b", Uuid::nil(), person);
        assert!(cache.get("a.b", Uuid::nil()).is_none());
    }

    #[test]
    fn states_are_bounded_by_what_they_weigh_together() {
        let cache = Cache::default();
        for n in 0..1_000 {
            cache.put("a.b", Uuid::from_u128(n), loaded(1, 300 << 10));
        }
        cache.states.run_pending_tasks();
        assert!(cache.states.weighted_size() <= CACHED_BYTES_MAX);
        assert!(cache.states.entry_count() < 250);
    }

    #[test]
    fn that_a_stream_has_no_events_is_a_guess_until_it_is_known_to_have_some() {
        let cache = Cache::default();
        assert!(!cache.seems_unborn("a.b", Uuid::nil()));
        cache.put("a.b", Uuid::nil(), loaded(0, 0));
        assert!(cache.get("a.b", Uuid::nil()).is_none());
        assert!(cache.seems_unborn("a.b", Uuid::nil()));
        cache.put("a.b", Uuid::nil(), loaded(1, 0));
        assert!(!cache.seems_unborn("a.b", Uuid::nil()));
    }

    #[test]
    fn a_long_history_may_still_be_kept() {
        let cache = Cache::default();
        cache.put("a.b", Uuid::nil(), loaded(1_000_000, 1 << 30));
        cache.states.run_pending_tasks();
        assert!(cache.get("a.b", Uuid::nil()).is_some());
    }
}
