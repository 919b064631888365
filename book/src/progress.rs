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
    /// When an append was last answered, or when the first came after all was well.
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
    /// One more command is on its way into the book.
    pub fn begin(&self) -> UnderWay {
        let mut state = self.locked();
        state.comes();
        state.under_way += 1;
        UnderWay(self.clone())
    }

    /// The book has answered an append, whatever it said.
    pub fn made(&self) {
        let mut state = self.locked();
        (state.since, state.failed) = (Instant::now(), None);
    }

    /// Notes how a command ended, if it is the database that did not carry it out. A refusal says nothing: it may rest
    /// on reading alone.
    pub fn told<T>(&self, outcome: Result<T, ExecuteError>) -> Result<T, ExecuteError> {
        let is_failure = match &outcome {
            Err(ExecuteError::Book(BookError::Abandoned | BookError::Overloaded)) => false,
            // Also one that has become read-only.
            Err(ExecuteError::Book(BookError::Database(_))) => true,
            Err(ExecuteError::Book(error)) => error.is_transient(),
            Ok(_) | Err(_) => false,
        };
        if is_failure {
            let mut state = self.locked();
            state.comes();
            state.failed = Some(Instant::now());
        }
        outcome
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
    /// A command comes: when all was well until now, the time begins to count.
    fn comes(&mut self) {
        if self.under_way == 0 && !self.has_failed() {
            self.since = Instant::now();
        }
    }

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
