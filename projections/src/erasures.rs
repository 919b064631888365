//! What is left to do once a key is destroyed, or a tenant is deleted and has keys left: those go first. The rows of a person
//! are nulled by their projector alone, in the live tables. Tables that nobody posts any more are dropped here, and what live rows said before is vacuumed away.
//!
//! Texts need none of that: tables have them sealed, so that they are gone with their keys, wherever they are.

use std::time::{Duration, Instant};

use book::lease::Lease;
use book::pools::answered;
use book::vault::PERSONAL_SECONDS_MAX;
use book::worker::{Beat, Work, pause};
use book::{BookError, Pools, Tail, tenants};
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::postgres::PgConnection;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::context::Context;
use crate::error::PostError;
use crate::generation::{Generation, State, execute, loading_connection};
use crate::rebuild::{self, RebuildError};
use crate::{history, sql};

/// The lead of whoever sweeps.
pub const LOCK: &str = "daybook erasures";
/// Between looks for keys that were destroyed, in seconds.
const LOOK_SECONDS: u64 = 5;
/// How long it is waited within a sweep for transactions that began before it, in seconds, and how often it is looked,
/// in milliseconds.
const LOOKERS_SECONDS_MAX: u64 = 4;
const LOOKERS_MS: u64 = 100;
/// How long one turn may take, in seconds: tables are vacuumed, and rebuilt when a tenant was deleted.
const TURN_SECONDS_MAX: u64 = 4 * 3_600;

/// Sweeps what was erased, in all contexts.
#[derive(Debug)]
pub struct Erasures {
    pub contexts: Vec<&'static Context>,
    pub pools: Pools,
    pub tail: Tail,
}

/// Keys that were destroyed and not swept yet.
#[derive(Debug)]
struct Due {
    keys: i64,
    /// When the last of them was destroyed, UTC.
    until: Option<DateTime<Utc>>,
    /// Whether any of them is more than a text's: rows show what it sealed.
    has_people: bool,
    /// When the last of those of tenants that were deleted was, UTC: no event says so of each of their people.
    tenants_until: Option<DateTime<Utc>>,
}

/// How a sweep ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Swept {
    /// There was nothing to do.
    Nothing,
    All,
    /// Tables are not posted so far, or a context is being rebuilt: it is tried again.
    NotYet,
}

impl Work for Erasures {
    type Error = PostError;

    async fn lead(&mut self, lease: &Lease, beat: &Beat, stop: &CancellationToken) -> Result<(), PostError> {
        while !stop.is_cancelled() {
            lease.check()?;
            self.sweep().await?;
            beat.beat(|_| {});
            pause(stop, Duration::from_secs(LOOK_SECONDS)).await;
        }
        Ok(())
    }

    fn turn_limit(&self) -> Duration {
        Duration::from_secs(TURN_SECONDS_MAX)
    }
}

impl Erasures {
    /// Sweeps what was erased up to now. Done twice it does no harm.
    ///
    /// # Errors
    /// The database's error; then it is to be tried again.
    pub async fn sweep(&self) -> Result<Swept, PostError> {
        let left = tenants::destroy_left(&self.pools.projector).await?;
        if left > 0 {
            info!(keys = left, "destroyed the keys that deleted tenants had left");
        }
        let due = self.due().await?;
        metrics::gauge!("daybook_erasures_unswept").set(due.keys as f64);
        let Some(until) = due.until else {
            return Ok(Swept::Nothing);
        };
        // A rebuild opens what it reads with keys that it may remember.
        let remembered = TimeDelta::seconds(PERSONAL_SECONDS_MAX.cast_signed() + 1);
        if due.tenants_until.is_some_and(|until| Utc::now() - until < remembered) {
            return Ok(Swept::NotYet);
        }
        if due.has_people && !self.reaches_rows(until, due.tenants_until).await? {
            return Ok(Swept::NotYet);
        }
        let mut connection = loading_connection(&self.pools.projector).await?;
        if !nobody_looks_back(&mut connection).await? {
            return Ok(Swept::NotYet);
        }
        execute(&mut connection, "vacuum (index_cleanup on) book.keys").await?;
        sqlx::query(
            "update book.keys set swept_at = clock_timestamp()
             where destroyed_at is not null and swept_at is null and destroyed_at <= $1",
        )
        .bind(until)
        .execute(&mut connection)
        .await?;
        info!(keys = due.keys, "swept what was erased");
        Ok(Swept::All)
    }

    async fn due(&self) -> Result<Due, BookError> {
        let asking = sqlx::query_as(
            "select count(*) as keys, max(k.destroyed_at) as until,
                    coalesce(bool_or(k.is_shown), false) as has_people,
                    max(k.destroyed_at) filter (where k.is_shown and exists (
                        select from book.tenants t where t.tenant_id = k.tenant_id and t.standing = 'deleted'))
                        as tenants_until
             from (
                 -- A text has an author, who has a key of their own; contacts have an owner, who has none.
                 select k.*, k.author is null or not exists (select from book.keys a where a.subject = k.author)
                     as is_shown
                 from book.keys k where k.destroyed_at is not null and k.swept_at is null
             ) k",
        );
        let asked = answered(async { Ok::<_, BookError>(asking.fetch_one(&self.pools.projector).await?) });
        let (keys, until, has_people, tenants_until) = asked.await?;
        Ok(Due {
            keys,
            until,
            has_people,
            tenants_until,
        })
    }

    /// Sees to it that no row of any generation says what was erased up to this time; `false` when it is too early.
    async fn reaches_rows(
        &self,
        until: DateTime<Utc>,
        tenants_until: Option<DateTime<Utc>>,
    ) -> Result<bool, PostError> {
        let erased = history::position_at(&self.tail, until).await?;
        let mut connection = loading_connection(&self.pools.projector).await?;
        let mut is_done = true;
        for &context in &self.contexts {
            // Each by itself: one whose tables are late, or cannot be posted, keeps what was erased in nobody else's.
            let live = Generation::find(&mut connection, context, State::Live).await?;
            if live.is_none_or(|live| live.position < erased) {
                is_done = false;
                continue;
            }
            let rebuilds = match tenants_until {
                Some(until) => !is_younger(&mut connection, context, until).await?,
                None => false,
            };
            if rebuilds {
                match rebuild::rebuild(&self.pools, &self.tail, context, true, &|_| {}).await {
                    Ok(_) => {}
                    Err(RebuildError::Busy { .. }) => {
                        is_done = false;
                        continue;
                    }
                    Err(RebuildError::Post(error)) => return Err(error),
                    Err(error @ (RebuildError::Differs { .. } | RebuildError::NothingRetired { .. })) => {
                        return Err(BookError::Broken(error.to_string()).into());
                    }
                }
            }
            // Under the lock of rebuilds: one that is at work may have begun before the erasure, and is waited for.
            match rebuild::drop_aside(&self.pools, context).await {
                Err(error) => {
                    // A session that looks at them holds them, and keeps nothing else from being done.
                    warn!(context = context.name, %error, "tables from before an erasure cannot be dropped yet");
                    is_done = false;
                }
                Ok(None) => is_done = false,
                Ok(Some(0)) => {}
                Ok(Some(generations)) => {
                    info!(
                        context = context.name,
                        generations, "dropped tables from before an erasure"
                    );
                }
            }
            is_done &= nobody_looks_back(&mut connection).await?;
            vacuum(&mut connection, context).await?;
        }
        self.tell_of_foreign(&mut connection).await?;
        Ok(is_done)
    }

    /// Says which tables are out of reach: those of contexts that this program is without, which nobody posts.
    async fn tell_of_foreign(&self, connection: &mut PgConnection) -> Result<(), PostError> {
        let known: Vec<&str> = self.contexts.iter().map(|context| context.name).collect();
        let foreign: Vec<String> =
            sqlx::query_scalar("select distinct context from book.generations where context <> all ($1)")
                .bind(known)
                .fetch_all(connection)
                .await?;
        for context in foreign {
            warn!(
                context,
                "this program is without the context, whose tables may still show who was erased; drop its schema, or \
                 serve it again"
            );
        }
        Ok(())
    }
}

/// Waits a while for whoever may still see what was before: a vacuum removes nothing of that; `false` when somebody does for
/// longer.
async fn nobody_looks_back(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let since = Instant::now();
    let began: i64 = sqlx::query_scalar("select pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
        .fetch_one(&mut *connection)
        .await?;
    loop {
        let oldest: i64 = sqlx::query_scalar("select book.looked_back_to()")
            .fetch_one(&mut *connection)
            .await?;
        if oldest >= began {
            return Ok(true);
        }
        if since.elapsed() > Duration::from_secs(LOOKERS_SECONDS_MAX) {
            warn!(
                "a session has looked at the database since before an erasure, so that what was erased cannot be vacuumed \
                 away; end it (pg_stat_activity.backend_xmin tells which)"
            );
            return Ok(false);
        }
        tokio::time::sleep(Duration::from_millis(LOOKERS_MS)).await;
    }
}

/// Whether the live tables were begun so long after this time that they were made without what was erased by then.
async fn is_younger(
    connection: &mut PgConnection,
    context: &Context,
    time: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let younger: Option<bool> = sqlx::query_scalar(
        "select created_at > $2 + make_interval(secs => $3)
         from book.generations where context = $1 and state = 'live'",
    )
    .bind(context.name)
    .bind(time)
    .bind(PERSONAL_SECONDS_MAX as f64)
    .fetch_optional(connection)
    .await?;
    Ok(younger.unwrap_or_default())
}

/// Vacuums the tables that show who people are.
async fn vacuum(connection: &mut PgConnection, context: &Context) -> Result<(), PostError> {
    for table in context.all_tables().filter(|table| !table.personal.is_empty()) {
        let name = sql::name(context.name, table.name);
        execute(connection, &format!("vacuum (index_cleanup on) {name}")).await?;
    }
    Ok(())
}
