//! Whether appends get through, for health checks.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long commands may wait without one being written before something is wrong, in seconds.
const STALLED_SECONDS: u64 = 5;

/// How many commands wait to be written, and since when none was. Clones share it.
#[derive(Debug, Clone)]
pub struct Progress(Arc<Mutex<Waiting>>);

#[derive(Debug)]
struct Waiting {
    commands: usize,
    /// When a command was last written, or when the first began to wait since nobody did.
    since: Instant,
}

/// A command that waits, until this is dropped.
#[derive(Debug)]
pub struct Waits(Progress);

impl Default for Progress {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Waiting {
            commands: 0,
            since: Instant::now(),
        })))
    }
}

impl Progress {
    /// One more command waits.
    pub fn waits(&self) -> Waits {
        let mut waiting = self.locked();
        if waiting.commands == 0 {
            waiting.since = Instant::now();
        }
        waiting.commands += 1;
        Waits(self.clone())
    }

    /// Some were written just now.
    pub fn made(&self) {
        self.locked().since = Instant::now();
    }

    /// For how long none was written although some wait, if it is too long, and how many do.
    pub fn stalled(&self) -> Option<(Duration, usize)> {
        let waiting = self.locked();
        let since = waiting.since.elapsed();
        (waiting.commands > 0 && since > Duration::from_secs(STALLED_SECONDS)).then_some((since, waiting.commands))
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Waiting> {
        // Nothing that panics happens while it is locked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.locked().commands -= 1;
    }
}
