//! Whether commands get through, for health checks.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::{BookError, ExecuteError};

/// How long commands may go without one being decided and written before something is wrong, in seconds.
const STALLED_SECONDS: u64 = 5;
/// How long a failure counts when no command comes after it, in seconds: whoever is not asked cannot show that it
/// works again.
const FAILED_SECONDS: u64 = 15;

/// How many commands are under way, and since when none got through. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Progress(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    under_way: usize,
    /// When a command last got through, or when the first came after all was well.
    since: Instant,
    /// When one last failed for want of the database, if none got through after it.
    failed: Option<Instant>,
}

/// A command that is under way, until this is dropped.
#[derive(Debug)]
pub(crate) struct UnderWay(Progress);

impl Default for Progress {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(State {
            under_way: 0,
            since: Instant::now(),
            failed: None,
        })))
    }
}

impl Progress {
    /// One more command is under way.
    pub fn begin(&self) -> UnderWay {
        let mut state = self.locked();
        if state.under_way == 0 && !state.has_failed() {
            state.since = Instant::now();
        }
        state.under_way += 1;
        UnderWay(self.clone())
    }

    /// Notes how a command ended: written or refused by what the book says, or not carried out by the database.
    pub fn tell<T>(&self, outcome: &Result<T, ExecuteError>) {
        let mut state = self.locked();
        match outcome {
            Err(ExecuteError::Book(BookError::Abandoned)) => {}
            Err(ExecuteError::Book(error)) if error.is_transient() => state.failed = Some(Instant::now()),
            Ok(_) | Err(_) => (state.since, state.failed) = (Instant::now(), None),
        }
    }

    /// For how long no command got through although some came, if it is too long, and how many are under way.
    pub fn stalled(&self) -> Option<(Duration, usize)> {
        let state = self.locked();
        let since = state.since.elapsed();
        let is_asked = state.under_way > 0 || state.has_failed();
        (is_asked && since > Duration::from_secs(STALLED_SECONDS)).then_some((since, state.under_way))
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, State> {
        // Nothing that panics happens while it is locked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn has_failed(&self) -> bool {
        let limit = Duration::from_secs(FAILED_SECONDS);
        self.failed.is_some_and(|failed| failed.elapsed() < limit)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.locked().under_way -= 1;
    }
}
