//! The states of the streams that a policy is at work on, each folded forward by its next event.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use domain::fact::AnyState;
use domain::{AnyEvent, FactRef, Policy, Recorded};
use uuid::Uuid;

use crate::cache::Loaded;
use crate::{Book, BookError};

/// What the states that one policy keeps may weigh together, in bytes.
const KEPT_BYTES_MAX: usize = 8 << 20;
/// What a state weighs besides the events that it was folded from, in bytes.
const STATE_BYTES_MIN: usize = 512;
/// What one state weighs at most, in bytes: of a long history it keeps only what later decisions read.
const STATE_BYTES_MAX: usize = 1 << 20;

type Key = (&'static str, Uuid);

/// The states of streams as a policy has followed them. A policy sees every event of the kinds that it reads, so the
/// state after one event is the state before the next.
#[derive(Debug, Default)]
pub struct States {
    kept: Mutex<Generations>,
    /// Whether the policy has ever wanted a state. One that never does is spared all of them.
    are_wanted: AtomicBool,
}

/// The state of a stream at one sequence.
#[derive(Debug)]
struct Kept {
    state: AnyState,
    sequence: i64,
    /// Bytes of the payloads that it was folded from.
    bytes: usize,
    /// Until when it may be kept, where anything that it was folded from tells who a person is.
    until: Option<Instant>,
}

impl Kept {
    fn weight(&self) -> usize {
        STATE_BYTES_MIN + self.bytes.min(STATE_BYTES_MAX)
    }

    fn may_be_kept(&self) -> bool {
        self.until.is_none_or(|until| until > Instant::now())
    }
}

impl From<Loaded> for Kept {
    fn from(loaded: Loaded) -> Self {
        Self {
            state: loaded.state,
            sequence: loaded.sequence,
            bytes: loaded.bytes,
            until: loaded.until,
        }
    }
}

/// What was used lately, and what was used before that. When the young weigh half of what is allowed, they become the
/// old ones, and those that nobody came back to are let go.
#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Key, Kept>,
    old: HashMap<Key, Kept>,
    young_bytes: usize,
}

impl Generations {
    fn take(&mut self, key: Key) -> Option<Kept> {
        if let Some(kept) = self.young.remove(&key) {
            self.young_bytes -= kept.weight();
            return Some(kept);
        }
        self.old.remove(&key)
    }

    fn forget_overdue(&mut self) {
        self.young.retain(|_, kept| kept.may_be_kept());
        self.old.retain(|_, kept| kept.may_be_kept());
        self.young_bytes = self.young.values().map(Kept::weight).sum();
    }

    fn put(&mut self, key: Key, kept: Kept) {
        // Nobody puts what is there without having taken it.
        self.take(key);
        self.young_bytes += kept.weight();
        self.young.insert(key, kept);
        if self.young_bytes > KEPT_BYTES_MAX / 2 {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
    }
}

impl States {
    /// Forgets what tells of a person and has been kept for as long as it may, whether or not anybody comes back to it.
    pub fn forget_overdue(&self) {
        self.lock().forget_overdue();
    }

    /// The state of the event's stream right after it, where the policy wants it. It is read from the book when the
    /// one before the event is not known.
    ///
    /// # Errors
    /// The database's error, or an event that cannot be decoded.
    pub async fn after(
        &self,
        book: &Book,
        policy: &dyn Policy,
        recorded: &Recorded<AnyEvent>,
        payload_bytes: usize,
    ) -> Result<Option<AnyState>, BookError> {
        let Some(aggregate) = book.contexts().aggregate(&recorded.aggregate_type) else {
            return Ok(None);
        };
        let fact = aggregate.fact(recorded.stream);
        let is_wanted = policy.wants_state(recorded);
        self.are_wanted.fetch_or(is_wanted, Ordering::Relaxed);
        let before = self.before(fact, recorded);
        // What was opened of a person stays in memory for some seconds from when its key was read, which is known of what is
        // loaded alone.
        let is_personal = !recorded.metadata.sealed.is_empty();
        let kept = match before.filter(|_| !is_personal) {
            Some(before) => {
                let is_carried = fact.carries_forward == Some(recorded.event_type.as_str());
                let state = recorded.event.evolved(before.state);
                state.map(|state| Kept {
                    state,
                    sequence: recorded.sequence,
                    bytes: payload_bytes + if is_carried { 0 } else { before.bytes },
                    until: before.until,
                })
            }
            None if is_wanted => {
                let loaded = book.loaded_at(recorded.tenant_id, fact, recorded.sequence).await?;
                loaded.map(Kept::from)
            }
            None => None,
        };
        let state = kept.as_ref().map(|kept| kept.state.clone());
        if let Some(kept) = kept.filter(Kept::may_be_kept) {
            self.lock().put((fact.aggregate_type, fact.id), kept);
        }
        Ok(state.filter(|_| is_wanted))
    }

    /// The state that the event met, if it is known.
    fn before(&self, fact: FactRef, recorded: &Recorded<AnyEvent>) -> Option<Kept> {
        let kept = self.lock().take((fact.aggregate_type, fact.id));
        let kept = kept.filter(|kept| kept.sequence + 1 == recorded.sequence && kept.may_be_kept());
        let is_first = recorded.sequence == 1 && self.are_wanted.load(Ordering::Relaxed);
        kept.or_else(|| {
            is_first.then(|| Kept {
                state: recorded.event.unborn(),
                sequence: 0,
                bytes: 0,
                until: None,
            })
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Generations> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::Duration;

    fn kept(bytes: usize) -> Kept {
        Kept {
            state: Arc::new(()),
            sequence: 1,
            bytes,
            until: None,
        }
    }

    #[test]
    fn what_tells_of_a_person_is_kept_until_its_time_and_no_longer() {
        let until = |seconds: i64| {
            let now = Instant::now();
            let moment = Duration::from_secs(seconds.unsigned_abs());
            Kept {
                until: if seconds > 0 {
                    now.checked_add(moment)
                } else {
                    now.checked_sub(moment)
                },
                ..kept(1)
            }
        };
        let mut states = Generations::default();
        for (n, kept) in [kept(1), until(60), until(-1)].into_iter().enumerate() {
            states.put(("a.b", Uuid::from_u128(n as u128)), kept);
        }
        states.forget_overdue();
        let is_there = |n| states.young.contains_key(&("a.b", Uuid::from_u128(n)));
        assert_eq!([0, 1, 2].map(is_there), [true, true, false]);
        assert_eq!(
            states.young_bytes,
            states.young.values().map(Kept::weight).sum::<usize>()
        );
    }

    #[test]
    fn states_are_bounded_by_what_they_weigh_together_and_those_in_use_stay() {
        let mut states = Generations::default();
        let key = |n: u128| ("a.b", Uuid::from_u128(n));
        for n in 1..=1_000 {
            states.put(key(n), kept(100 << 10));
            // One stream goes on all the time.
            let used = states.take(key(0)).unwrap_or_else(|| kept(10));
            states.put(key(0), used);
            let weight: usize = states.young.values().chain(states.old.values()).map(Kept::weight).sum();
            assert!(weight <= KEPT_BYTES_MAX + STATE_BYTES_MAX, "{weight}");
        }
        assert!(states.take(key(0)).is_some());
        assert!(states.take(key(1_000)).is_some());
        assert!(states.take(key(1)).is_none());
        assert_eq!(
            states.young_bytes,
            states.young.values().map(Kept::weight).sum::<usize>()
        );
    }
}
