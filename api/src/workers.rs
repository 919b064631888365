//! The workers of this process: the relay, the projectors, and the watch on the book's end.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use book::policy::{self, PolicyWorker};
use book::relay::Relay;
use book::timers::{self, TimerWorker};
use book::worker::{self, Beat, Status};
use book::{Book, BookError, Bus, Pools, Tail};
use projections::generation::{Generation, State};
use projections::rebuild::{self, RebuildError};
use projections::{Context, Posted, Projector};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::Fault;
use crate::archive::{ArchiveWorker, Archiver};

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

/// The relay's name among the workers, and that of the worker that archives.
pub const RELAY: &str = "relay";
pub const ARCHIVE: &str = "archive";

/// How often the end of the book is looked at without having been told of a commit, in milliseconds.
const END_POLL_MS: u64 = 200;
/// How long a look at the end holds off the next one, in milliseconds.
const END_PAUSE_MS: u64 = 3;
/// Between attempts to prepare a context's tables, and between looks whose they are, in seconds.
const PREPARE_SECONDS: u64 = 2;
/// How long tables that another version made may stand still with events to post before this one makes
/// them its own, in seconds. While one of that version works, its projector moves them.
const ABANDONED_SECONDS: u64 = 8;

/// How the workers of this process do, for health checks.
#[derive(Debug)]
pub struct Workers {
    pub bus: Bus,
    /// What each says of itself, by its name.
    pub statuses: Vec<(String, watch::Receiver<Status>)>,
}

/// What the workers need.
#[derive(Debug)]
pub struct Means<'a> {
    pub pools: &'a Pools,
    pub book: &'a Book,
    pub tail: &'a Tail,
    pub posted: &'a Posted,
    pub bus: Bus,
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
        pools,
        book,
        tail,
        posted,
        bus,
        archive,
        tasks,
        stop,
    } = means;
    let mut workers = Workers {
        bus: bus.clone(),
        statuses: Vec::new(),
    };
    if roles.contains(&Role::Api) || roles.contains(&Role::Policy) {
        tasks.spawn(bus.clone().announce(book.committed(), stop.clone()));
    }
    if roles.contains(&Role::Api) {
        tasks.spawn(book.pace().keep(pools.projector.clone(), stop.clone()));
        tasks.spawn(book::retention::sweep_receipts(pools.writer.clone(), stop.clone()));
    }
    if roles.contains(&Role::Relay) {
        let relay = Relay::new(tail.clone(), bus.clone(), book.committed());
        workers.statuses.push((RELAY.to_owned(), relay.status()));
        tasks.spawn(relay.run(stop.clone()));
    }
    if roles.contains(&Role::Projector) {
        for &context in projections::CONTEXTS {
            let projector = Projector::new(context, pools.clone(), tail.clone(), bus.clone(), posted.clone())
                .map_err(|error| Fault::Refused(error.to_string()))?;
            workers
                .statuses
                .push((format!("projector {}", context.name), projector.status()));
            tasks.spawn(post(context, projector, pools.clone(), tail.clone(), stop.clone()));
        }
    }
    if roles.contains(&Role::Policy) {
        for &policy in domain::POLICIES {
            let (name, beat) = (format!("policy {}", policy.name()), Beat::default());
            workers.statuses.push((name.clone(), beat.status()));
            let worker = PolicyWorker {
                policy,
                pool: pools.writer.clone(),
                book: book.clone(),
                tail: tail.clone(),
                bus: bus.clone(),
                committed: book.committed(),
            };
            let (lock, pool) = (policy::lock_name(policy), pools.writer.clone());
            tasks.spawn(worker::run(worker, lock, pool, beat, stop.clone()));
        }
        let beat = Beat::default();
        workers.statuses.push(("timers".to_owned(), beat.status()));
        let worker = TimerWorker {
            pool: pools.writer.clone(),
            book: book.clone(),
            policies: domain::POLICIES,
        };
        let (lock, pool) = (timers::LOCK_NAME.to_owned(), pools.writer.clone());
        tasks.spawn(worker::run(worker, lock, pool, beat, stop.clone()));
    }
    if roles.contains(&Role::Reactor) {
        let beat = Beat::default();
        workers.statuses.push((ARCHIVE.to_owned(), beat.status()));
        let archiver = Archiver::new(pools.projector.clone(), book.clone(), archive);
        let (lock, pool) = (crate::archive::LOCK_NAME.to_owned(), pools.writer.clone());
        tasks.spawn(worker::run(ArchiveWorker { archiver }, lock, pool, beat, stop.clone()));
    }
    Ok(workers)
}

/// Makes sure that the context's tables are those of this program, then posts into them.
async fn post(context: &'static Context, projector: Projector, pools: Pools, tail: Tail, stop: CancellationToken) {
    prepare(context, &pools, &tail, &stop).await;
    tokio::join!(projector.run(stop.clone()), keep_posted(context, &pools, &tail, &stop));
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
    let mut connection = pools.projector.acquire().await?;
    let live = Generation::find(&mut connection, context, State::Live).await?;
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

/// Keeps `end` at the last position of the book: told of commits here, and polling for those elsewhere.
pub async fn watch_end(tail: Tail, committed: Arc<Notify>, end: watch::Sender<i64>, stop: CancellationToken) {
    loop {
        let told = committed.notified();
        tokio::pin!(told);
        told.as_mut().enable();
        match tail.end().await {
            Ok(last) => {
                end.send_if_modified(|end| std::mem::replace(end, last) != last);
            }
            Err(error) => warn!(error = %error, "the end of the book cannot be read"),
        }
        // Commits matter only to those who follow the log; the service itself holds one receiver.
        let followed = end.receiver_count() > 1;
        tokio::select! {
            () = told, if followed => tokio::time::sleep(Duration::from_millis(END_PAUSE_MS)).await,
            () = tokio::time::sleep(Duration::from_millis(END_POLL_MS)) => {}
            () = stop.cancelled() => return,
        }
    }
}
