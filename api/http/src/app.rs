//! The state that all request handlers share.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::body::Bytes;
use book::{Book, Pools, Tail};
use projections::Posted;
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio_util::sync::CancellationToken;

use crate::auth::keys::Verifier;
use crate::auth::principal::Principals;
use crate::context::{Contexts, States};
use crate::crew::Workers;
use crate::health::Standing;
use crate::problem::{self, Problem};
use crate::rates::Rates;
use crate::rebuilds::Rebuilds;

/// Reads of the log at one time, so that auditors leave connections to the projectors.
pub const LOG_READS_MAX: usize = 4;
/// How long one of them waits for its turn, in seconds.
const LOG_WAIT_SECONDS_MAX: u64 = 5;
/// Open event streams of one process.
pub const EVENT_STREAMS_MAX: usize = 1_000;

/// The running service, as its handlers see it. Clones share everything.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// The parts of [`App`].
pub struct Parts {
    pub contexts: Contexts,
    pub book: Book,
    pub pools: Pools,
    /// Whoever reads more than an event with it clones it, see [`Tail`].
    pub tail: Tail,
    pub posted: Posted,
    pub verifier: Verifier,
    pub principals: Principals,
    pub rates: Rates,
    pub rebuilds: Rebuilds,
    pub standing: Standing,
    pub workers: Workers,
    /// Whether this process serves commands and reads, or works only.
    pub serves_api: bool,
    /// The fingerprint of this program's tables, per context; none of one whose golden history it cannot fold.
    pub fingerprints: BTreeMap<&'static str, String>,
    /// The last position of the book when this process started.
    pub began: i64,
    /// The last position of the book, as it grows.
    pub end: watch::Receiver<i64>,
    pub requests: Semaphore,
    pub log_reads: Semaphore,
    pub event_streams: Arc<Semaphore>,
    /// The values that handlers of contexts share.
    pub states: States,
    /// The OpenAPI document, once somebody has asked for it.
    pub openapi: OnceLock<Bytes>,
    /// Cancelled when the service is to end.
    pub stop: CancellationToken,
}

impl App {
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl App {
    /// A value that the handlers of a context share.
    ///
    /// # Errors
    /// 500 when no context has added it, which is a defect of this program.
    pub fn of<T: std::any::Any + Send + Sync>(&self) -> Result<&T, Problem> {
        let missing = || Problem::internal(&format_args!("no context added {}", std::any::type_name::<T>()));
        self.states.get().ok_or_else(missing)
    }

    /// Waits for one's turn to read the log or to fold a row's past.
    ///
    /// # Errors
    /// 503 when too many others do.
    pub async fn log_read(&self) -> Result<SemaphorePermit<'_>, Problem> {
        let turn = tokio::time::timeout(Duration::from_secs(LOG_WAIT_SECONDS_MAX), self.log_reads.acquire());
        let busy = || {
            Problem::new(
                problem::OVERLOADED,
                "too many others read the log; try again in a moment",
            )
        };
        turn.await.map_err(|_| busy())?.map_err(|_| busy())
    }
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
