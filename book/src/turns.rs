//! Turns: commands on one stream wait for each other inside a process, so that a hot stream makes
//! no storm of lost races.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;
use uuid::Uuid;

type Stream = (&'static str, Uuid);

/// The queue of every stream that somebody is working on.
#[derive(Debug, Default, Clone)]
pub struct Turns {
    streams: Arc<Mutex<HashMap<Stream, Arc<tokio::sync::Mutex<()>>>>>,
}

/// The turn on a stream; the next one waiting begins when it is dropped.
#[derive(Debug)]
pub struct Turn {
    turns: Turns,
    stream: Stream,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    /// Waits for the turn on each stream, in one fixed order, so that no two callers wait for each other.
    pub async fn take(&self, mut streams: Vec<Stream>) -> Vec<Turn> {
        streams.sort_unstable();
        streams.dedup();
        let mut turns = Vec::with_capacity(streams.len());
        for stream in streams {
            let queue = self.locked().entry(stream).or_default().clone();
            let mut turn = Turn {
                turns: self.clone(),
                stream,
                guard: None,
            };
            turn.guard = Some(queue.lock_owned().await);
            turns.push(turn);
        }
        turns
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, HashMap<Stream, Arc<tokio::sync::Mutex<()>>>> {
        // A panic while the map was locked cannot leave it half changed.
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        drop(self.guard.take());
        let mut streams = self.turns.locked();
        // Whoever waits holds a reference besides the map's own.
        if streams
            .get(&self.stream)
            .is_some_and(|queue| Arc::strong_count(queue) == 1)
        {
            streams.remove(&self.stream);
        }
    }
}
