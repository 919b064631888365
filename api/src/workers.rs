//! The workers of this process: the relay, the projectors, and the watch on the book's end.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use book::policy::{self, PolicyWorker, Reading};
use book::pools::answered;
use book::relay::Relay;
use book::timers::{self, TimerWorker};
use book::worker::{self, Beat};
use book::{Book, BookError, Bus, End, Leases, Pools, Tail};
use projections::generation::{Generation, State};
use projections::rebuild::{self, RebuildError};
use projections::{Context, Posted, Projector};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use http::Contexts;
use http::crew::{Crew, RELAY, Workers};

use crate::Fault;

/// What a process does; one can do all, several can share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Role {
    /// Serves HTTP. Health and metrics are served without it, too.
    Api,
    /// Publishes the book to NATS.
    Relay,
    /// Posts the read tables.
    Projector,
    /// Reacts to events with commands, and fires timers.
    Policy,
    /// Does what has effects outside: writes archives of what leaves the tables.
    Reactor,
}

/// Between attempts to prepare a context's tables, and between looks whose they are, in seconds.
const PREPARE_SECONDS: u64 = 2;
/// How long tables that another version made may stand still with events to post before this one makes
/// them its own, in seconds. While one of that version works, its projector moves them.
const ABANDONED_SECONDS: u64 = 8;

/// What the workers need.
#[derive(Debug)]
pub struct Means<'a> {
    pub contexts: &'a Contexts,
    pub pools: &'a Pools,
    pub book: &'a Book,
    pub tail: &'a Tail,
    pub posted: &'a Posted,
    pub bus: Bus,
    /// The end of the book, which somebody watches.
    pub end: End,
    /// The folder of archives.
    pub archive: PathBuf,
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
        pools,
        book,
        tail,
        posted,
        bus,
        end,
        archive,
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
    }
    if roles.contains(&Role::Projector) {
        for context in contexts.tables() {
            let projector = Projector::new(context, pools.clone(), tail.clone(), bus.clone(), posted.clone())
                .map_err(|error| Fault::Refused(error.to_string()))?;
            workers
                .statuses
                .push((format!("projector {}", context.name), projector.status()));
            let projector = projector.leased(leases.clone()).watching(end.clone());
            tasks.spawn(post(context, projector, pools.clone(), tail.clone(), stop.clone()));
        }
    }
    if roles.contains(&Role::Policy) {
        let policies = contexts.decisions().policies();
        let reading = Reading::new(tail.clone(), pools.writer.clone(), end.clone(), &policies);
        for &policy in &policies {
            let (name, beat) = (format!("policy {}", policy.name()), Beat::default());
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
        workers.statuses.push(("timers".to_owned(), beat.status()));
        let worker = TimerWorker {
            pool: pools.writer.clone(),
            book: book.clone(),
            policies,
        };
        let lock = timers::LOCK_NAME.to_owned();
        tasks.spawn(worker::run(worker, lock, leases.clone(), beat, stop.clone()));
    }
    if roles.contains(&Role::Reactor) {
        let mut crew = Crew {
            pools,
            book,
            tail,
            posted,
            end,
            archive,
            leases: &leases,
            statuses: &mut workers.statuses,
            tasks,
            stop,
        };
        for context in contexts.iter() {
            (context.workers)(&mut crew);
        }
    }
    Ok(workers)
}

/// Makes sure that the context's tables are those of this program, then posts into them.
async fn post(context: &'static Context, projector: Projector, pools: Pools, tail: Tail, stop: CancellationToken) {
    let name = format!("tables of {}", context.name);
    let prepared = CancellationToken::new();
    let keeping = worker::keep(&name, &stop, || async {
        prepare(context, &pools, &tail, &stop).await;
        prepared.cancel();
        keep_posted(context, &pools, &tail, &stop).await;
    });
    let posting = async {
        tokio::select! {
            () = prepared.cancelled() => projector.run(stop.clone()).await,
            () = stop.cancelled() => {}
        }
    };
    tokio::join!(posting, keeping);
}

/// Makes sure, again and again, that somebody posts the context's tables. Another version of Daybook may
/// make them its own while this one works (a rolling deployment, a rollback) and post them from then on.
/// Once nobody does, they are made those of this program again.
async fn keep_posted(context: &'static Context, pools: &Pools, tail: &Tail, stop: &CancellationToken) {
    let Ok(fingerprint) = context.fingerprint() else {
        return;
    };
    let mut standing: Option<(i64, Instant)> = None;
    let every = Duration::from_secs(PREPARE_SECONDS);
    while tokio::time::timeout(every, stop.cancelled()).await.is_err() {
        let position = match abandoned(context, pools, tail, &fingerprint).await {
            Ok(Some(position)) => position,
            Ok(None) => {
                standing = None;
                continue;
            }
            Err(error) => {
                debug!(context = context.name, error = %error, "cannot look whose the tables are");
                continue;
            }
        };
        match standing {
            Some((stood, since)) if stood == position => {
                if since.elapsed() > Duration::from_secs(ABANDONED_SECONDS) {
                    warn!(
                        context = context.name,
                        position, "nobody posts the tables that another version made"
                    );
                    prepare(context, pools, tail, stop).await;
                    standing = None;
                }
            }
            _ => standing = Some((position, Instant::now())),
        }
    }
}

/// Where the tables stand, if they are another version's and lack events; `None` otherwise.
async fn abandoned(context: &Context, pools: &Pools, tail: &Tail, fingerprint: &str) -> Result<Option<i64>, BookError> {
    let finding = async {
        let mut connection = pools.projector.acquire().await?;
        Ok::<_, BookError>(Generation::find(&mut connection, context, State::Live).await?)
    };
    let live = answered(finding).await?;
    let position = match live {
        Some(live) if live.fingerprint == fingerprint => return Ok(None),
        Some(live) => live.position,
        None => 0,
    };
    Ok((position < tail.end().await?).then_some(position))
}

/// Returns once the context's tables are those of this program, or it is to stop.
async fn prepare(context: &'static Context, pools: &Pools, tail: &Tail, stop: &CancellationToken) {
    let name = context.name;
    loop {
        let told = |progress: rebuild::Progress| info!(context = name, ?progress, "rebuilding");
        let prepared = tokio::select! {
            prepared = rebuild::ensure_live(pools, tail, context, &told) => prepared,
            () = stop.cancelled() => return,
        };
        match prepared {
            Ok(None) => return,
            Ok(Some(report)) => {
                info!(
                    context = name,
                    generation = report.generation,
                    seconds = report.total_seconds,
                    "the tables are those of this program now"
                );
                return;
            }
            Err(RebuildError::Busy { .. }) => info!(context = name, "another process prepares the tables"),
            Err(error) => error!(context = name, error = %error, "the tables could not be prepared; trying again"),
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(PREPARE_SECONDS)) => {}
            () = stop.cancelled() => return,
        }
    }
}
