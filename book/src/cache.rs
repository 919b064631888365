//! States of recently used streams, bounded. It may be stale: the append checks every sequence.

use domain::fact::AnyState;
use uuid::Uuid;

/// Streams kept in memory.
const CACHED_STREAMS_MAX: u64 = 20_000;

/// The state of a stream at one sequence.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub state: AnyState,
    /// 0 for a stream without events.
    pub sequence: i64,
    /// `None` for a stream without events.
    pub tenant: Option<Uuid>,
}

#[derive(Debug, Clone)]
pub struct Cache(moka::sync::Cache<(&'static str, Uuid), Loaded>);

impl Default for Cache {
    fn default() -> Self {
        Self(moka::sync::Cache::new(CACHED_STREAMS_MAX))
    }
}

impl Cache {
    #[must_use]
    pub fn get(&self, aggregate_type: &'static str, stream: Uuid) -> Option<Loaded> {
        self.0.get(&(aggregate_type, stream))
    }

    /// Keeps the state, unless a later one is kept already.
    pub fn put(&self, aggregate_type: &'static str, stream: Uuid, loaded: Loaded) {
        self.0
            .entry((aggregate_type, stream))
            .and_upsert_with(|kept| match kept {
                Some(kept) if kept.value().sequence > loaded.sequence => kept.into_value(),
                _ => loaded,
            });
    }

    pub fn forget(&self, aggregate_type: &'static str, stream: Uuid) {
        self.0.invalidate(&(aggregate_type, stream));
    }
}
