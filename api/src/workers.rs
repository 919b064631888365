//! The workers of this process: the relay, the projectors, and the watch on the book's end.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use book::policy::{self, PolicyWorker, Reading};
use book::relay::Relay;
use book::seals::{SealKey, Sealer, sealer};
use book::timers::{self, TimerWorker};
use book::worker::{self, Beat};
use book::{Book, Bus, End, Leases, Pools, Tail};
use objects::Objects;
use projections::erasures::{self, Erasures};
use projections::{Posted, Projector};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use http::Contexts;
use http::context::States;
use http::crew::{Crew, POLICY, PROJECTOR, RELAY, SEALER, TIMERS, Workers};

use crate::Fault;
use crate::sweeps::{self, Sweeps};
use crate::tables::{Preparation, Queue};

/// What a process does; one can do all, several can share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Role {
    /// Serves HTTP. Health and metrics are served without it, too.
    Api,
    /// Publishes the book to NATS, and seals it where a key for that is set.
    Relay,
    /// Posts the read tables.
    Projector,
    /// Reacts to events with commands, and fires timers.
    Policy,
    /// Does what has effects outside: writes archives of what leaves the tables.
    Reactor,
}

/// What the workers need.
#[derive(Debug)]
pub struct Means<'a> {
    pub contexts: &'a Contexts,
    /// What the tables are told by of each context that can be posted.
    pub fingerprints: &'a BTreeMap<&'static str, String>,
    pub pools: &'a Pools,
    pub book: &'a Book,
    pub tail: &'a Tail,
    pub posted: &'a Posted,
    pub bus: Bus,
    /// The end of the book, which somebody watches.
    pub end: End,
    /// What the contexts share.
    pub states: &'a States,
    /// The folder of archives.
    pub archive: PathBuf,
    /// The key that seals are signed with; without it none are made.
    pub seal_key: Option<SealKey>,
    pub tasks: &'a mut JoinSet<()>,
    pub stop: &'a CancellationToken,
}

/// Starts the workers of these roles.
///
/// # Errors
/// When a projector cannot be made, which is a defect of this program.
pub fn start(roles: &[Role], means: Means<'_>) -> Result<Workers, Fault> {
    let Means {
        contexts,
        fingerprints,
        pools,
        book,
        tail,
        posted,
        bus,
        end,
        states,
        archive,
        seal_key,
        tasks,
        stop,
    } = means;
    // All leads of the process rest on one session.
    let leases = Leases::start(&pools.projector);
    let mut workers = Workers {
        bus: bus.clone(),
        statuses: Vec::new(),
        lost: Arc::default(),
    };
    if roles.contains(&Role::Api) || roles.contains(&Role::Policy) {
        let (bus, committed, until) = (bus.clone(), book.committed(), stop.clone());
        tasks.spawn(async move {
            let announce = || bus.clone().announce(committed.clone(), until.clone());
            worker::keep("announcements", &until, announce).await;
        });
    }
    if roles.contains(&Role::Api) {
        let (pace, pool, end, until) = (book.pace(), pools.projector.clone(), end.clone(), stop.clone());
        tasks.spawn(async move {
            worker::keep("pace", &until, || pace.keep(&pool, end.clone(), &until)).await;
        });
        let (pool, until) = (pools.writer.clone(), stop.clone());
        tasks.spawn(async move {
            worker::keep("retention", &until, || book::retention::sweep_receipts(&pool, &until)).await;
        });
    }
    if roles.contains(&Role::Relay) {
        let relay = Relay::new(tail.clone(), bus.clone(), book.committed());
        let relay = relay.leased(leases.clone()).watching(end.clone());
        workers.statuses.push((RELAY.to_owned(), relay.status()));
        tasks.spawn(relay.run(stop.clone()));
        if let Some(key) = seal_key {
            let beat = Beat::default();
            workers.statuses.push((SEALER.to_owned(), beat.status()));
            let (pool, end) = (pools.projector.clone(), end.clone());
            let sealer = Sealer { pool, key, end };
            let lock = sealer::LOCK.to_owned();
            tasks.spawn(worker::run(sealer, lock, leases.clone(), beat, stop.clone()));
        }
    }
    if roles.contains(&Role::Projector) {
        // Wanted before any begins, so that the first of the list is rebuilt first.
        let queue = Queue::new(leases.clone());
        let places: Vec<_> = contexts
            .tables()
            .enumerate()
            .map(|(place, _)| queue.want(place))
            .collect();
        for ((place, context), first) in contexts.tables().enumerate().zip(places) {
            let Some(fingerprint) = fingerprints.get(context.name) else {
                continue;
            };
            let projector = Projector::new(context, pools.clone(), tail.clone(), bus.clone(), posted.clone())
                .map_err(|error| Fault::Refused(error.to_string()))?;
            workers
                .statuses
                .push((format!("{PROJECTOR} {}", context.name), projector.status()));
            let projector = projector.leased(leases.clone()).watching(end.clone());
            let preparation = Preparation {
                context,
                fingerprint: fingerprint.clone(),
                place,
                queue: queue.clone(),
                pools: pools.clone(),
                tail: tail.clone(),
                stop: stop.clone(),
            };
            tasks.spawn(preparation.post(projector, first));
        }
        let erasures = Erasures {
            contexts: contexts.tables().collect(),
            pools: pools.clone(),
            tail: tail.clone(),
        };
        // What it says of itself is a gauge: a turn of it may take hours, and nobody waits for it.
        let (lock, beat) = (erasures::LOCK.to_owned(), Beat::default());
        tasks.spawn(worker::run(erasures, lock, leases.clone(), beat, stop.clone()));
    }
    if roles.contains(&Role::Policy) {
        for context in contexts
            .decisions()
            .iter()
            .filter(|context| !context.policies.is_empty())
        {
            let reading = Reading::new(tail.clone(), pools.writer.clone(), end.clone(), context.policies);
            for &policy in context.policies {
                let (name, beat) = (format!("{POLICY} {}", policy.name()), Beat::default());
                workers.statuses.push((name.clone(), beat.status()));
                let worker = PolicyWorker {
                    policy,
                    pool: pools.writer.clone(),
                    book: book.clone(),
                    reading: reading.clone(),
                };
                let lock = policy::lock_name(policy);
                tasks.spawn(worker::run(worker, lock, leases.clone(), beat, stop.clone()));
            }
            let beat = Beat::default();
            workers
                .statuses
                .push((format!("{TIMERS} {}", context.name), beat.status()));
            let worker = TimerWorker {
                pool: pools.writer.clone(),
                book: book.clone(),
                context,
            };
            let lock = timers::lock_name(context);
            tasks.spawn(worker::run(worker, lock, leases.clone(), beat, stop.clone()));
        }
    }
    if roles.contains(&Role::Reactor) {
        let mut crew = Crew {
            pools,
            book,
            tail,
            posted,
            end,
            states,
            archive,
            leases: &leases,
            statuses: &mut workers.statuses,
            tasks,
            stop,
        };
        for context in contexts.iter() {
            for worker in context.workers {
                (worker.start)(&mut crew);
            }
        }
        if let Some(objects) = states.get::<Objects>() {
            let sweeps = Sweeps {
                contexts: contexts.clone(),
                pool: pools.writer.clone(),
                book: book.clone(),
                tail: tail.clone(),
                objects: objects.clone(),
            };
            // It says nothing of itself: a turn of it may take hours, and nobody waits for it.
            let (lock, beat) = (sweeps::LOCK.to_owned(), Beat::default());
            tasks.spawn(worker::run(sweeps, lock, leases.clone(), beat, stop.clone()));
        }
    }
    Ok(workers)
}
