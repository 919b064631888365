//! What a process does beside answering requests: workers of which one leads among all processes, and tasks.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use book::worker::{self, Beat, Status, Work};
use book::{Book, Bus, End, Leases, Pools, Tail};
use projections::Posted;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::context::States;

/// The relay's name among the workers.
pub const RELAY: &str = "relay";
/// The name of the worker that seals the book.
pub const SEALER: &str = "sealer";
/// The first word of a projector's name; its context's follows.
pub const PROJECTOR: &str = "projector";

/// The first word of the name of a policy's worker; the policy's follows.
pub const POLICY: &str = "policy";
/// The name of the worker that fires timers.
pub const TIMERS: &str = "timers";

/// The name of the worker that sees to the rest of an erasure.
pub const ERASURES: &str = "erasures";

/// The first word of the name of the worker that removes what nobody needs any more.
pub const SWEEPS: &str = "sweeps";

/// A worker with effects outside that a context brings. Of all processes' one leads.
#[derive(Debug)]
pub struct Worker {
    /// Its name among the workers of a process.
    pub name: &'static str,
    /// The name of the lock that the one who leads has.
    pub lock: &'static str,
    /// Starts it, by [`Crew::lead`].
    pub start: fn(&mut Crew<'_>),
}

/// How the workers of this process do, for health checks.
#[derive(Debug)]
pub struct Workers {
    pub bus: Bus,
    /// What each says of itself, by its name.
    pub statuses: Vec<(String, watch::Receiver<Status>)>,
    /// Tasks of the process that are gone although it serves.
    pub lost: Arc<AtomicUsize>,
}

/// The workers with effects outside that the contexts bring, as they are started.
#[derive(Debug)]
pub struct Crew<'a> {
    pub pools: &'a Pools,
    pub book: &'a Book,
    pub tail: &'a Tail,
    pub posted: &'a Posted,
    pub end: End,
    /// What the contexts and the program share, each by its type: the way out, the object store, sealed settings.
    pub states: &'a States,
    /// The folder of archives.
    pub archive: PathBuf,
    pub leases: &'a Leases,
    pub statuses: &'a mut Vec<(String, watch::Receiver<Status>)>,
    pub tasks: &'a mut JoinSet<()>,
    pub stop: &'a CancellationToken,
}

impl Crew<'_> {
    /// Has a worker lead or stand by.
    pub fn lead<W: Work + 'static>(&mut self, worker: &Worker, work: W) {
        let beat = Beat::default();
        self.statuses.push((worker.name.to_owned(), beat.status()));
        let (lock, leases, stop) = (worker.lock.to_owned(), self.leases.clone(), self.stop.clone());
        self.tasks.spawn(worker::run(work, lock, leases, beat, stop));
    }
}

/// What goes on for as long as the process serves.
#[derive(Debug)]
pub struct Tasks<'a> {
    pub tasks: &'a mut JoinSet<()>,
    /// Cancelled once no request is under way any more.
    pub stop: &'a CancellationToken,
}

impl Tasks<'_> {
    /// Does this until the process ends; begun again when it fails or panics.
    pub fn keep<F, Fut>(&mut self, name: &'static str, make: F)
    where
        F: Fn(CancellationToken) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let stop = self.stop.clone();
        self.tasks
            .spawn(async move { worker::keep(name, &stop, || make(stop.clone())).await });
    }
}
