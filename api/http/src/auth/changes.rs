//! The streams that this process has changed of late: a reading from before such a change is out of date.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use uuid::Uuid;

/// Changed streams that are told apart.
const CHANGES_MAX: usize = 10_000;

/// A place in the order of this process's changes: what was read from the book after it knows of all before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

/// The changes of late, by the streams that they were made to.
#[derive(Debug)]
pub struct Changes(RwLock<Noted>);

#[derive(Debug)]
struct Noted {
    now: u64,
    /// Whatever was read before may be out of date: what was changed then is not told apart any more.
    told_apart_from: u64,
    /// When each stream was changed last.
    at: HashMap<Uuid, u64>,
}

impl Default for Changes {
    fn default() -> Self {
        Self(RwLock::new(Noted {
            now: 0,
            told_apart_from: 0,
            at: HashMap::new(),
        }))
    }
}

impl Changes {
    /// To be asked before the book is read.
    #[must_use]
    pub fn now(&self) -> Moment {
        Moment(self.0.read().unwrap_or_else(PoisonError::into_inner).now)
    }

    /// Notes that a stream was changed, once the change is in the book.
    pub fn note(&self, stream: Uuid) {
        let mut noted = self.0.write().unwrap_or_else(PoisonError::into_inner);
        noted.now += 1;
        let now = noted.now;
        if noted.at.len() >= CHANGES_MAX {
            noted.at.clear();
            noted.told_apart_from = now;
        }
        noted.at.insert(stream, now);
    }

    /// Whether none of these streams was changed since, as far as this process knows.
    #[must_use]
    pub fn none_since(&self, then: Moment, mut streams: impl Iterator<Item = Uuid>) -> bool {
        let noted = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let changed = |stream| noted.at.get(&stream).is_some_and(|&at| at > then.0);
        then.0 >= noted.now || (then.0 >= noted.told_apart_from && !streams.any(changed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn stream(n: u128) -> Uuid {
        Uuid::from_u128(n)
    }

    fn holds(changes: &Changes, then: Moment, streams: &[Uuid]) -> bool {
        changes.none_since(then, streams.iter().copied())
    }

    #[test]
    fn a_change_outdates_what_was_read_of_its_stream_before_it_and_nothing_else() {
        let changes = Changes::default();
        let before = changes.now();
        changes.note(stream(1));
        assert!(!holds(&changes, before, &[stream(2), stream(1)]));
        assert!(holds(&changes, before, &[stream(2)]));
        assert!(holds(&changes, changes.now(), &[stream(1)]));
    }

    #[test]
    fn more_changes_than_are_told_apart_outdate_all_that_was_read_before() {
        let changes = Changes::default();
        let before = changes.now();
        for n in 0..=CHANGES_MAX as u128 {
            changes.note(stream(n));
        }
        assert!(!holds(&changes, before, &[stream(u128::MAX)]));
        assert!(holds(&changes, changes.now(), &[stream(0)]));
        assert!(changes.0.read().unwrap().at.len() <= CHANGES_MAX);
    }
}
