//! Rebuilding: a context's tables are posted again beside the live ones, compared, and swapped in.
//! Appends never wait for it and reads never fail.

mod beat;
mod compare;
mod finish;
mod load;
mod swap;

use std::time::Instant;

use book::lead::Leadership;
use book::{Pools, Tail};
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use tokio::sync::watch;
use tracing::{info, warn};

pub use beat::{STEP_SECONDS_MAX, given_up};
pub use compare::{Difference, RowDifference};

use crate::context::Context;
use crate::error::PostError;
use crate::forget;
use crate::generation::{self, Generation, State, loading_connection, posting_connection};
use crate::page::Parked;
use crate::park;
use crate::poster::{self, Poster};

/// A first generation of a book with more events than this is loaded, not posted.
const POSTED_EVENTS_MAX: i64 = 50_000;

/// How far a rebuild is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    pub phase: Phase,
    /// The last position that is in the new tables.
    pub position: i64,
    /// Where the phase will end.
    pub target: i64,
    /// Since the rebuild began.
    pub seconds: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Events are folded into tables that have no indexes yet.
    Loading,
    /// Constraints and indexes are made.
    Indexing,
    /// The new tables are compared with the live ones at the same position.
    Comparing,
    /// The last events are posted and the schemas renamed.
    Swapping,
}

impl Phase {
    /// The phase in one word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Loading => "loading",
            Self::Indexing => "indexing",
            Self::Comparing => "comparing",
            Self::Swapping => "swapping",
        }
    }
}

/// Told now and then how far it is.
pub type OnProgress<'a> = &'a (dyn Fn(Progress) + Send + Sync);

/// What a rebuild did.
#[derive(Debug, Clone)]
pub struct Report {
    pub context: &'static str,
    /// The generation that is live now.
    pub generation: i64,
    /// Where the old and the new tables were compared.
    pub position: i64,
    /// Events that were read and posted until then.
    pub events: i64,
    /// Rows per table of the new generation, `changes` included.
    pub rows: Vec<(String, i64)>,
    /// Tables in which the new generation differs from the old one; none when all are equal.
    pub differences: Vec<Difference>,
    /// `false` when there was nothing to compare with: no tables yet, some that were missing, or such as were ahead of the book.
    pub compared: bool,
    /// Whether the code that folds was the same for both.
    pub same_code: bool,
    /// Streams that the new generation does not post.
    pub parked: usize,
    /// Streams that the live generation did not post when the rebuild began.
    pub live_parked: usize,
    pub load_seconds: f64,
    pub index_seconds: f64,
    pub compare_seconds: f64,
    /// How long the checkpoint was locked.
    pub swap_seconds: f64,
    pub total_seconds: f64,
}

#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    #[error("{context} is being rebuilt already")]
    Busy { context: &'static str },
    #[error(
        "{context} was rebuilt by the same code and differs in {} tables; it was not swapped{}; `daybook rebuild {context} \
         --force` swaps all the same",
        report.differences.len(), way(context, report.live_parked)
    )]
    Differs { context: &'static str, report: Box<Report> },
    #[error("{context} has no earlier generation to go back to")]
    NothingRetired { context: &'static str },
    #[error(transparent)]
    Post(#[from] PostError),
}

impl From<sqlx::Error> for RebuildError {
    fn from(error: sqlx::Error) -> Self {
        Self::Post(error.into())
    }
}

/// What is to be done first where streams are parked in the live tables.
fn way(context: &str, live_parked: usize) -> String {
    match live_parked {
        0 => String::new(),
        streams => format!(
            "; streams are parked in the live tables ({streams}), which may be the difference: `daybook unpark {context}` \
             posts them, then rebuild again"
        ),
    }
}

/// Rebuilds a context and swaps. When the same code gives other rows, it refuses to, unless forced.
///
/// # Errors
/// [`RebuildError`]; the live generation stays as it is.
pub async fn rebuild(
    pools: &Pools,
    tail: &Tail,
    context: &'static Context,
    force: bool,
    on_progress: OnProgress<'_>,
) -> Result<Report, RebuildError> {
    let work = Work::new(pools, tail, context, on_progress)?;
    let lock = Leadership::try_take(&pools.projector, &lock_name(context))
        .await
        .map_err(PostError::from)?;
    let lock = lock.ok_or(RebuildError::Busy { context: context.name })?;
    let report = rebuild_locked(&work, force).await;
    lock.release().await;
    report
}

/// Called at start, and when tables are found missing or ahead of the book: makes the first generation, and rebuilds when the
/// live one was made by other code, misses tables or shows what the book does not say.
///
/// # Errors
/// [`RebuildError`]; the live generation, if there is one, stays as it is.
pub async fn ensure_live(
    pools: &Pools,
    tail: &Tail,
    context: &'static Context,
    on_progress: OnProgress<'_>,
) -> Result<Option<Report>, RebuildError> {
    let work = Work::new(pools, tail, context, on_progress)?;
    let lock = Leadership::try_take(&pools.projector, &lock_name(context))
        .await
        .map_err(PostError::from)?;
    let lock = lock.ok_or(RebuildError::Busy { context: context.name })?;
    let outcome = ensure_live_locked(&work).await;
    lock.release().await;
    outcome
}

/// Swaps the generation that was live before back in, once it has caught up.
///
/// # Errors
/// [`RebuildError`], also when the earlier generation was made by other code.
pub async fn rollback(pools: &Pools, tail: &Tail, context: &'static Context) -> Result<Generation, RebuildError> {
    let work = Work::new(pools, tail, context, &|_| {})?;
    let lock = Leadership::try_take(&pools.projector, &lock_name(context))
        .await
        .map_err(PostError::from)?;
    let lock = lock.ok_or(RebuildError::Busy { context: context.name })?;
    let outcome = rollback_locked(&work).await;
    lock.release().await;
    outcome
}

/// Drops every generation that is not live: those that were, and one whose rebuild died. How many; `None` when the
/// context is being rebuilt.
///
/// # Errors
/// The database's error.
pub async fn drop_aside(pools: &Pools, context: &'static Context) -> Result<Option<usize>, PostError> {
    let Some(lock) = Leadership::try_take(&pools.projector, &lock_name(context)).await? else {
        return Ok(None);
    };
    let dropped = dropped_aside(pools, context).await;
    lock.release().await;
    dropped.map(Some)
}

async fn dropped_aside(pools: &Pools, context: &'static Context) -> Result<usize, PostError> {
    let mut connection = posting_connection(&pools.projector).await?;
    generation::execute(&mut connection, "set lock_timeout = '10s'").await?;
    let mut dropped = 0;
    for state in [State::Retired, State::Building] {
        while let Some(aside) = Generation::find(&mut connection, context, state).await? {
            aside.drop(&mut connection, context).await?;
            dropped += 1;
        }
    }
    Ok(dropped)
}

/// One rebuild at a time per context.
fn lock_name(context: &Context) -> String {
    format!("daybook rebuild {}", context.name)
}

struct Work<'a> {
    pools: &'a Pools,
    tail: &'a Tail,
    context: &'static Context,
    /// What this program's tables are told by.
    own: String,
    on_progress: OnProgress<'a>,
    started: Instant,
    /// The phase that was last told, and when.
    last: watch::Sender<(Phase, Instant)>,
}

impl<'a> Work<'a> {
    fn new(
        pools: &'a Pools,
        tail: &'a Tail,
        context: &'static Context,
        on_progress: OnProgress<'a>,
    ) -> Result<Self, PostError> {
        Ok(Self {
            pools,
            tail,
            context,
            own: context.fingerprint().map_err(PostError::Golden)?,
            on_progress,
            started: Instant::now(),
            last: watch::Sender::new((Phase::Loading, Instant::now())),
        })
    }

    fn told(&self, phase: Phase, position: i64, target: i64) {
        self.last.send_if_modified(|last| {
            let (before, _) = std::mem::replace(last, (phase, Instant::now()));
            before != phase
        });
        let seconds = self.started.elapsed().as_secs_f64();
        (self.on_progress)(Progress {
            phase,
            position,
            target,
            seconds,
        });
    }

    /// Whether a new generation is compared with this live one and has to get as far.
    fn is_caught_up_with(&self, live: &Generation) -> bool {
        !live.is_ahead && !live.is_broken(&self.own)
    }

    /// The live generation as it is noted, whether its tables are there or not; `None` while the first one is being made.
    async fn live(&self, connection: &mut PgConnection) -> Result<Option<Generation>, PostError> {
        Ok(Generation::find(connection, self.context, State::Live).await?)
    }
}

async fn ensure_live_locked(work: &Work<'_>) -> Result<Option<Report>, RebuildError> {
    let mut connection = posting_connection(&work.pools.projector).await?;
    let Some(live) = work.live(&mut connection).await? else {
        let events = work.tail.end().await.map_err(PostError::from)?;
        if events > POSTED_EVENTS_MAX {
            info!(context = work.context.name, events, "loading the first generation");
            // Nobody reads or posts it before it is loaded: an empty one that is live would be taken for a whole one.
            return rebuild_locked(work, true).await.map(Some);
        }
        // At once: a live generation without its keys and indexes would be taken for a whole one.
        let mut transaction = connection.begin().await?;
        let first = Generation::create(&mut transaction, work.context, State::Live, work.own.clone()).await?;
        generation::finish(&mut transaction, work.context, &first.schema).await?;
        transaction.commit().await?;
        info!(context = work.context.name, "made the first generation");
        return Ok(None);
    };
    if live.is_broken(&work.own) {
        let context = work.context.name;
        warn!(context, "tables are missing in the database; rebuilding");
        return rebuild_locked(work, true).await.map(Some);
    }
    if live.is_ahead {
        let (context, position) = (work.context.name, live.position);
        warn!(context, position, "the tables are ahead of the book; rebuilding");
        Generation::note_ahead(&mut connection, work.context).await?;
        return rebuild_locked(work, true).await.map(Some);
    }
    if live.fingerprint == work.own {
        return Ok(None);
    }
    let retired = Generation::find(&mut connection, work.context, State::Retired).await?;
    if retired.is_some_and(|retired| retired.is_sound(&work.own)) {
        info!(
            context = work.context.name,
            "this code made the generation that was live before; going back to it"
        );
        rollback_locked(work).await?;
        return Ok(None);
    }
    info!(
        context = work.context.name,
        "the code that folds has changed; rebuilding"
    );
    rebuild_locked(work, true).await.map(Some)
}

async fn rollback_locked(work: &Work<'_>) -> Result<Generation, RebuildError> {
    beat::beating(work, Box::pin(went_back(work))).await
}

async fn went_back(work: &Work<'_>) -> Result<Generation, RebuildError> {
    let context = work.context.name;
    let mut connection = posting_connection(&work.pools.projector).await?;
    let retired = Generation::find(&mut connection, work.context, State::Retired).await?;
    let retired = retired.filter(|retired| !retired.is_broken(&work.own));
    let retired = retired.ok_or(RebuildError::NothingRetired { context })?;
    if retired.fingerprint != work.own {
        return Err(PostError::OtherVersion {
            context,
            generation: retired.number,
        }
        .into());
    }
    if retired.is_ahead {
        let position = retired.position;
        return Err(PostError::Ahead { context, position }.into());
    }
    let mut poster = Poster::open(&mut connection, work.context, retired).await?;
    // What was parked when it was live may have been un-parked in its successor.
    park::unpark_all(&mut connection, work.tail, &poster, None, &Parked::new()).await?;
    // Before it is shown, and what the last events have brought back.
    forget::deleted(&mut connection, work.context, &poster.generation.schema).await?;
    swap::swap(work, &mut connection, &mut poster).await?;
    forget::deleted(&mut connection, work.context, context).await?;
    info!(
        context,
        generation = poster.generation.number,
        "went back to an earlier generation"
    );
    Ok(poster.generation)
}

async fn rebuild_locked(work: &Work<'_>, force: bool) -> Result<Report, RebuildError> {
    beat::beating(work, Box::pin(rebuilt(work, force))).await
}

/// Where nothing is live yet there is nothing to compare with: the new generation becomes the first.
async fn rebuilt(work: &Work<'_>, force: bool) -> Result<Report, RebuildError> {
    let context = work.context.name;
    let mut connection = loading_connection(&work.pools.projector).await?;
    // A rebuild that died left it.
    while let Some(abandoned) = Generation::find(&mut connection, work.context, State::Building).await? {
        abandoned.drop(&mut connection, work.context).await?;
    }
    let live = work.live(&mut connection).await?;
    let same_code = live.as_ref().is_none_or(|live| live.fingerprint == work.own);
    let live_parked = match &live {
        Some(live) => poster::parked(&mut connection, work.context, live.number).await?.len(),
        None => 0,
    };

    let (mut poster, loaded) = load::load(work, &mut connection).await?;
    let comparing = Instant::now();
    let compared = compare::compare(work, &mut connection, &mut poster).await?;
    let position = poster.generation.position;
    let mut report = Report {
        context,
        generation: poster.generation.number,
        position,
        events: position,
        rows: compared.rows,
        differences: compared.differences,
        compared: live.is_some_and(|live| work.is_caught_up_with(&live)),
        same_code,
        parked: poster.parked,
        live_parked,
        load_seconds: loaded.load_seconds,
        index_seconds: loaded.index_seconds,
        compare_seconds: comparing.elapsed().as_secs_f64(),
        swap_seconds: 0.0,
        total_seconds: work.started.elapsed().as_secs_f64(),
    };
    if !report.differences.is_empty() && same_code && !force {
        let tables = report.differences.len();
        warn!(
            context,
            tables, "the rebuilt tables differ from the live ones; they were not swapped"
        );
        // Nobody looks at them any more, and they take as much room as the live ones.
        if let Err(error) = poster.generation.drop(&mut connection, work.context).await {
            warn!(context, %error, "the refused tables could not be dropped; the next rebuild does so");
        }
        return Err(RebuildError::Differs {
            context,
            report: Box::new(report),
        });
    }
    report.swap_seconds = swap::swap(work, &mut connection, &mut poster).await?;
    report.total_seconds = work.started.elapsed().as_secs_f64();
    info!(
        context,
        generation = report.generation,
        position,
        seconds = report.total_seconds,
        "rebuilt and swapped"
    );
    Ok(report)
}
