//! Tables that are those of this program: each context's are made so, and posted from then on.
//!
//! Contexts whose tables are right post at once. The others are rebuilt one after another, in the order of the list and
//! over all processes, so that a deployment never has more to carry than one rebuild. One that fails, hangs or is busy
//! elsewhere gives its turn to the next and comes back later: no context waits for a broken one.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use book::lease::Lease;
use book::pools::{answered, answered_within};
use book::worker::{self, pause};
use book::{BookError, Leases, Pools, Tail};
use http::health;
use projections::generation::{Generation, State};
use projections::rebuild::{self, Phase, Progress, RebuildError};
use projections::{Context, Projector, bi};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

/// Between looks whose a context's tables are, and before they are tried again after something went wrong, in seconds.
const PREPARE_SECONDS: u64 = 2;
/// The longest pause before they are tried again; it doubles each time, in seconds.
const PREPARE_SECONDS_MAX: u64 = 60;
/// How long tables that another version made may stand still with events to post before this one makes
/// them its own, in seconds. While one of that version works, its projector moves them.
const ABANDONED_SECONDS: u64 = 8;
/// How long a rebuild may load events without getting on before it is given up and the next context has its turn, in
/// seconds.
const LOADING_SECONDS_MAX: u64 = 120;
/// The same while it makes indexes, compares or waits to swap, in seconds: one step may take long.
const STEP_SECONDS_MAX: u64 = 600;
/// How often these limits double for a context whose rebuild was given up: the same again would take as long again.
const DOUBLINGS_MAX: u32 = 4;
// A process that starts waits for tables as often as they are tried with more time than before, and as long each time.
const _: () = assert!(DOUBLINGS_MAX < health::ATTEMPTS_AWAITED_MAX);
const _: () = assert!(STEP_SECONDS_MAX << DOUBLINGS_MAX <= rebuild::STEP_SECONDS_MAX);
/// How long it may take to open tables to tools for reports, in seconds: somebody may use one of them.
const OPENING_SECONDS_MAX: u64 = 60;
/// The lead of whoever rebuilds because of a deployment.
const TURN: &str = "daybook rebuilds";

/// Where the contexts of a process wait to be rebuilt. Clones share it.
#[derive(Debug, Clone)]
pub struct Queue(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    leases: Leases,
    /// The places in the list of the contexts that want a turn or have it.
    places: watch::Sender<BTreeSet<usize>>,
}

/// A context that wants a turn or has it, until this is dropped.
#[derive(Debug)]
pub struct Place {
    queue: Queue,
    place: usize,
}

impl Queue {
    /// The queue of one process. Its leases make the turns those of all processes.
    #[must_use]
    pub fn new(leases: Leases) -> Self {
        let places = watch::Sender::new(BTreeSet::new());
        Self(Arc::new(Inner { leases, places }))
    }

    /// Wants a turn for the context at this place of the list.
    #[must_use]
    pub fn want(&self, place: usize) -> Place {
        self.0.places.send_modify(|places| {
            places.insert(place);
        });
        let queue = self.clone();
        Place { queue, place }
    }
}

impl Place {
    /// Waits for the turn: no context of an earlier place wants one, and no other process has it.
    async fn turn(&self) -> Lease {
        let mut places = self.queue.0.places.subscribe();
        // The sender lives as long as this place.
        let _ = places.wait_for(|places| places.first() == Some(&self.place)).await;
        self.queue.0.leases.take(TURN).await
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.queue.0.places.send_modify(|places| {
            places.remove(&self.place);
        });
    }
}

/// What makes the tables of one context those of this program, and sees to it that they stay so.
#[derive(Debug)]
pub struct Preparation {
    pub context: &'static Context,
    /// What this program's tables are told by.
    pub fingerprint: String,
    /// The context's place in the list.
    pub place: usize,
    pub queue: Queue,
    pub pools: Pools,
    pub tail: Tail,
    pub stop: CancellationToken,
}

/// How an attempt to prepare tables ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attempt {
    Prepared,
    /// Somebody rebuilds them without a turn: a person asked for it.
    Busy,
    Failed,
    Hung,
    Stopped,
}

impl Preparation {
    /// Makes sure that the context's tables are those of this program, and has them posted. `first` was wanted before any
    /// context began, so that all have their turns in the order of the list.
    pub async fn post(self, projector: Projector, first: Place) {
        let name = format!("tables of {}", self.context.name);
        let (prepared, first) = (CancellationToken::new(), Mutex::new(Some(first)));
        let keeping = worker::keep(&name, &self.stop, || async {
            let first = first.lock().unwrap_or_else(PoisonError::into_inner).take();
            self.prepare(first.unwrap_or_else(|| self.queue.want(self.place))).await;
            prepared.cancel();
            self.open_to_reports().await;
            self.keep_posted().await;
        });
        let posting = async {
            let waiting = async {
                while tokio::time::timeout(Duration::from_secs(1), prepared.cancelled())
                    .await
                    .is_err()
                {
                    projector.stands_by();
                }
            };
            tokio::select! {
                () = waiting => {}
                () = self.stop.cancelled() => return,
            }
            projector.run(self.stop.clone()).await;
        };
        tokio::join!(posting, keeping);
    }

    /// Sees to it that tools for reports find the tables as this program declares them: what it masks, and the one before
    /// it did not, they do not see any more.
    async fn open_to_reports(&self) {
        let opening = async {
            let mut connection = self.pools.projector.acquire().await?;
            Ok(bi::ensure(&mut connection, self.context).await?)
        };
        let limit = Duration::from_secs(OPENING_SECONDS_MAX);
        if let Err(error) = answered_within::<_, BookError>(limit, opening).await {
            let context = self.context.name;
            warn!(context, error = %error, "the tables are not as open to tools for reports as they are to be; run `daybook bi`");
        }
    }

    /// Makes sure, again and again, that somebody posts the context's tables. Another version of Daybook may
    /// make them its own while this one works (a rolling deployment, a rollback) and post them from then on.
    /// Once nobody does, they are made those of this program again; and so they are when tables are missing or ahead of the
    /// book.
    async fn keep_posted(&self) {
        let context = self.context.name;
        let mut standing: Option<(i64, Instant)> = None;
        let every = Duration::from_secs(PREPARE_SECONDS);
        while tokio::time::timeout(every, self.stop.cancelled()).await.is_err() {
            if let Some(fault) = self.fault().await {
                error!(context, "the tables {fault}; they are rebuilt");
                self.prepare(self.queue.want(self.place)).await;
                standing = None;
                continue;
            }
            let position = match self.abandoned().await {
                Ok(Some(position)) => position,
                Ok(None) => {
                    standing = None;
                    continue;
                }
                Err(error) => {
                    debug!(context, error = %error, "cannot look whose the tables are");
                    continue;
                }
            };
            match standing {
                Some((stood, since)) if stood == position => {
                    if since.elapsed() > Duration::from_secs(ABANDONED_SECONDS) {
                        warn!(context, position, "nobody posts the tables that another version made");
                        self.prepare(self.queue.want(self.place)).await;
                        standing = None;
                    }
                }
                _ => standing = Some((position, Instant::now())),
            }
        }
    }

    /// Where the tables stand, if they are another version's and lack events or are not there; `None` otherwise.
    async fn abandoned(&self) -> Result<Option<i64>, BookError> {
        let position = match self.live().await? {
            Some(live) if live.fingerprint == self.fingerprint => return Ok(None),
            Some(live) if live.is_gone => return Ok(Some(live.position)),
            Some(live) => live.position,
            None => 0,
        };
        Ok((position < self.tail.end().await?).then_some(position))
    }

    /// What is wrong with the tables, if they are this program's.
    async fn fault(&self) -> Option<&'static str> {
        let live = self.live().await.ok().flatten();
        let live = live.filter(|live| live.fingerprint == self.fingerprint)?;
        match live.is_broken(&self.fingerprint) {
            true => Some("are not all in the database any more"),
            false if live.is_ahead => Some("are ahead of the book, so their rows are wrong"),
            false => None,
        }
    }

    async fn live(&self) -> Result<Option<Generation>, BookError> {
        answered(async {
            let mut connection = self.pools.projector.acquire().await?;
            Ok(Generation::find(&mut connection, self.context, State::Live).await?)
        })
        .await
    }

    /// Returns once the context's tables are those of this program, or it is to stop.
    async fn prepare(&self, first: Place) {
        let (mut place, mut hung, mut seconds) = (first, 0, PREPARE_SECONDS);
        loop {
            match self.attempt(&place, hung).await {
                Attempt::Prepared | Attempt::Stopped => return,
                Attempt::Busy => seconds = PREPARE_SECONDS,
                Attempt::Failed => {}
                Attempt::Hung => hung = (hung + 1).min(DOUBLINGS_MAX),
            }
            // The next context has its turn meanwhile.
            drop(place);
            pause(&self.stop, Duration::from_secs(seconds)).await;
            seconds = (seconds * 2).min(PREPARE_SECONDS_MAX);
            place = self.queue.want(self.place);
        }
    }

    async fn attempt(&self, place: &Place, hung: u32) -> Attempt {
        // Tables that are right wait for no turn; they may become so while others have theirs.
        if self.is_prepared().await {
            return Attempt::Prepared;
        }
        let prepared = async {
            loop {
                tokio::time::sleep(Duration::from_secs(PREPARE_SECONDS)).await;
                if self.is_prepared().await {
                    return;
                }
            }
        };
        let turn = tokio::select! {
            turn = place.turn() => turn,
            () = prepared => return Attempt::Prepared,
            () = self.stop.cancelled() => return Attempt::Stopped,
        };
        let attempt = tokio::select! {
            attempt = self.rebuild(hung) => attempt,
            () = self.stop.cancelled() => Attempt::Stopped,
        };
        turn.give_back().await;
        attempt
    }

    async fn is_prepared(&self) -> bool {
        match self.live().await {
            Ok(live) => live.is_some_and(|live| live.is_sound(&self.fingerprint)),
            Err(error) => {
                debug!(context = self.context.name, error = %error, "cannot look whose the tables are");
                false
            }
        }
    }

    async fn rebuild(&self, hung: u32) -> Attempt {
        let (context, steps) = (self.context.name, Steps::default());
        let told = |progress: Progress| {
            info!(context, ?progress, "rebuilding");
            steps.told(progress.phase);
        };
        let rebuilt = tokio::select! {
            rebuilt = rebuild::ensure_live(&self.pools, &self.tail, self.context, &told) => rebuilt,
            limit = steps.silent(|phase| limit(phase, hung)) => {
                error!(context, ?limit, "the rebuild does not get on; trying again after the other contexts");
                rebuild::given_up(&self.pools, self.context).await;
                return Attempt::Hung;
            }
        };
        match rebuilt {
            Ok(report) => {
                if let Some(report) = report {
                    let (generation, seconds) = (report.generation, report.total_seconds);
                    info!(context, generation, seconds, "the tables are those of this program now");
                }
                Attempt::Prepared
            }
            Err(RebuildError::Busy { .. }) => {
                info!(context, "somebody else prepares the tables");
                Attempt::Busy
            }
            Err(error) => {
                error!(context, error = %error, "the tables could not be prepared; trying again after the other contexts");
                Attempt::Failed
            }
        }
    }
}

/// How long a rebuild may go without getting on, after so many were given up.
fn limit(phase: Option<Phase>, hung: u32) -> Duration {
    let seconds = match phase {
        Some(Phase::Loading) | None => LOADING_SECONDS_MAX,
        Some(Phase::Indexing | Phase::Comparing | Phase::Swapping) => STEP_SECONDS_MAX,
    };
    Duration::from_secs(seconds << hung)
}

/// What a rebuild last told, and when.
#[derive(Debug)]
struct Steps(Mutex<(Instant, Option<Phase>)>);

impl Default for Steps {
    fn default() -> Self {
        Self(Mutex::new((Instant::now(), None)))
    }
}

impl Steps {
    fn told(&self, phase: Phase) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (Instant::now(), Some(phase));
    }

    /// Waits until nothing was told for as long as `limit` allows, and returns that.
    async fn silent(&self, limit: impl Fn(Option<Phase>) -> Duration) -> Duration {
        loop {
            let (last, phase) = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let limit = limit(phase);
            tokio::time::sleep_until((last + limit).into()).await;
            if self.0.lock().unwrap_or_else(PoisonError::into_inner).0 == last {
                return limit;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_rebuild_that_tells_nothing_for_too_long_is_given_up_and_one_that_gets_on_is_not() {
        let steps = Steps::default();
        let limit = |phase| match phase {
            None => Duration::from_millis(20),
            Some(Phase::Loading | Phase::Swapping) => Duration::from_secs(3_600),
            Some(Phase::Indexing | Phase::Comparing) => Duration::from_millis(40),
        };
        assert_eq!(steps.silent(limit).await, Duration::from_millis(20));
        steps.told(Phase::Loading);
        assert!(futures::FutureExt::now_or_never(steps.silent(limit)).is_none());
        steps.told(Phase::Indexing);
        assert_eq!(steps.silent(limit).await, Duration::from_millis(40));
    }

    #[test]
    fn a_rebuild_that_was_given_up_has_twice_as_long_the_next_time() {
        assert_eq!(limit(None, 0), Duration::from_secs(LOADING_SECONDS_MAX));
        assert_eq!(limit(Some(Phase::Indexing), 0), Duration::from_secs(STEP_SECONDS_MAX));
        assert_eq!(
            limit(Some(Phase::Loading), 2),
            Duration::from_secs(4 * LOADING_SECONDS_MAX)
        );
    }
}
