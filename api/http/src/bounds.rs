//! How much may be under way in one process, and of whom. Each is a line of README's table of limits.

use std::sync::Arc;
use std::time::Duration;

use crate::fair::{Queues, Waiting};
use crate::shares::Shares;

/// Requests under way; event streams and devices that wait are counted by themselves.
pub const PLACES_MAX: u64 = 4_096;
/// Open event streams.
pub const EVENT_STREAMS_MAX: u64 = 1_000;
/// Bytes that bodies of requests take while they are read and carried out, see [`crate::command::body::weight`].
pub const BODY_BYTES_UNDER_WAY_MAX: u64 = 128 << 20;
/// Bytes of answers that were not read yet.
pub const ANSWER_BYTES_UNDER_WAY_MAX: u64 = 128 << 20;
/// Reads of the log at one time, so that auditors leave connections to the projectors.
pub const LOG_TURNS: usize = 4;
/// Questions to the tables at one time: as many as there are connections for them.
pub const TABLE_TURNS: usize = book::pools::READER_CONNECTIONS_MAX as usize;
/// Bytes of what comes in from outside that one tenant may keep as it came, unless `DAYBOOK_STORED_BYTES` says otherwise: in
/// the book and in the object store.
pub const STORED_BYTES_MAX: u64 = 16 << 30;
/// How long a request waits for such a turn, in seconds.
const TURN_SECONDS_MAX: u64 = 5;
/// Reads of the log that wait: a search may be long.
const LOG_WAITING: Waiting = Waiting {
    of_user: 64,
    of_tenant: 256,
    patience: Duration::from_secs(TURN_SECONDS_MAX),
};
/// Questions to the tables that wait: as many as may be under way, for each is short.
const TABLES_WAITING: Waiting = Waiting {
    of_user: PLACES_MAX as usize / 3,
    of_tenant: PLACES_MAX as usize / 2,
    patience: Duration::from_secs(TURN_SECONDS_MAX),
};

/// What tenants may keep of what comes in from outside. Contexts that take it in find this by its type.
#[derive(Debug, Clone, Copy)]
pub struct StoredBytes {
    /// Bytes that one tenant may keep.
    pub of_tenant_max: u64,
}

/// The pools that requests draw on.
#[derive(Debug)]
pub struct Bounds {
    pub places: Arc<Shares>,
    pub event_streams: Arc<Shares>,
    pub bodies: Arc<Shares>,
    pub answers: Arc<Shares>,
    pub log: Arc<Queues>,
    pub tables: Arc<Queues>,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            places: Shares::new("requests", "requests that may be under way", PLACES_MAX),
            event_streams: Shares::new("event_streams", "event streams that may be open", EVENT_STREAMS_MAX),
            bodies: Shares::new(
                "body_bytes",
                "bytes that bodies under way may take",
                BODY_BYTES_UNDER_WAY_MAX,
            ),
            answers: Shares::new(
                "answer_bytes",
                "bytes of answers that may wait to be read",
                ANSWER_BYTES_UNDER_WAY_MAX,
            ),
            log: Queues::new("log", "to read the log", LOG_TURNS, LOG_WAITING),
            tables: Queues::new("tables", "to ask the tables", TABLE_TURNS, TABLES_WAITING),
        }
    }
}

impl Bounds {
    /// Says in metrics how much of each pool is held, and how many wait for turns.
    pub fn measure(&self) {
        for pool in [&self.places, &self.event_streams, &self.bodies, &self.answers] {
            metrics::gauge!("daybook_shares_held", "name" => pool.name()).set(pool.held() as f64);
        }
        for queue in [&self.log, &self.tables] {
            metrics::gauge!("daybook_turns_waiting", "name" => queue.name()).set(queue.waiting() as f64);
        }
    }
}
