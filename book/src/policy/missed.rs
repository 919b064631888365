//! What a policy could not do, and how far each is: what operators look at.

use chrono::{DateTime, Utc};
use domain::Policy;
use sqlx::{PgPool, Row as _};
use uuid::Uuid;

use super::{react, timer};
use crate::pools::answered;
use crate::{Book, BookError, Tail};

/// A reaction that could not be carried out.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Missed {
    pub policy: String,
    pub position: i64,
    pub error: String,
    pub missed_at: DateTime<Utc>,
}

/// How a policy does, from the book's own tables.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Progress {
    pub policy: String,
    /// It never reacts to what came before.
    pub floor: i64,
    pub position: i64,
    /// The kinds of streams that it reads, or any newer version of it that was here: only who reads them all moves it
    /// past their events. Empty while only programs lead that do not look at it.
    pub kinds: Vec<String>,
    /// Raised by every leader when it begins.
    pub term: i64,
    /// Timers that wait, and the first of them.
    pub timers: i64,
    pub next_due_at: Option<DateTime<Utc>>,
    /// Reactions that wait: their tenant is suspended, or takes its turns beside the others because it has more going on
    /// than its share.
    pub waiting: i64,
    pub missed: Vec<Missed>,
}

/// How every policy does, with the first hundred reactions that each has missed. Timers, and reactions that wait or were
/// missed, are those of one tenant, or of all.
///
/// # Errors
/// The database's error.
pub async fn progress(pool: &PgPool, tenant: Option<Uuid>) -> Result<Vec<Progress>, BookError> {
    let reading = sqlx::query(
        "select p.name, p.floor, p.position, coalesce(p.kinds, '{}') as kinds, p.term,
                count(t.timer_id) as timers, min(t.due_at) as next_due_at,
                (select count(*) from book.missed m
                 where m.policy = p.name and m.waits and ($1::uuid is null or m.tenant_id = $1)) as waiting
         from book.policies p
         left join book.timers t on t.policy = p.name and ($1::uuid is null or t.tenant_id = $1)
         group by p.name order by p.name",
    )
    .bind(tenant)
    .fetch_all(pool);
    let rows = answered(async { Ok::<_, BookError>(reading.await?) }).await?;
    let mut policies = Vec::with_capacity(rows.len());
    for row in rows {
        let policy: String = row.try_get("name")?;
        policies.push(Progress {
            floor: row.try_get("floor")?,
            position: row.try_get("position")?,
            kinds: row.try_get("kinds")?,
            term: row.try_get("term")?,
            timers: row.try_get("timers")?,
            next_due_at: row.try_get("next_due_at")?,
            waiting: row.try_get("waiting")?,
            missed: missed(pool, &policy, tenant, 100).await?,
            policy,
        });
    }
    Ok(policies)
}

async fn missed(pool: &PgPool, policy: &str, tenant: Option<Uuid>, limit: i64) -> Result<Vec<Missed>, BookError> {
    let reading = sqlx::query(
        "select policy, position, error, missed_at from book.missed
         where policy = $1 and not waits and ($2::uuid is null or tenant_id = $2) order by position limit $3",
    )
    .bind(policy)
    .bind(tenant)
    .bind(limit)
    .fetch_all(pool);
    let rows = answered(async { Ok::<_, BookError>(reading.await?) }).await?;
    let read = |row: &sqlx::postgres::PgRow| {
        Ok(Missed {
            policy: row.try_get("policy")?,
            position: row.try_get("position")?,
            error: row.try_get("error")?,
            missed_at: row.try_get("missed_at")?,
        })
    };
    rows.iter().map(read).collect()
}

/// Reacts once more to what a policy has missed of one tenant, or of all, in the book's order; returns how many it
/// made good.
///
/// # Errors
/// The first that still fails; all others are made good.
pub async fn retry(
    pool: &PgPool,
    book: &Book,
    tail: &Tail,
    policy: &'static dyn Policy,
    tenant: Option<Uuid>,
) -> Result<usize, BookError> {
    let (mut made_good, mut failed) = (0, None);
    for missed in missed(pool, policy.name(), tenant, i64::MAX).await? {
        let again = Again {
            pool,
            book,
            tail,
            policy,
        };
        match again.at(missed.position).await {
            Ok(done) => made_good += usize::from(done),
            // It stays, and keeps none of the others back.
            Err(error) => _ = failed.get_or_insert(error),
        }
    }
    failed.map_or(Ok(made_good), Err)
}

/// Reactions that are tried again.
#[derive(Debug, Clone, Copy)]
struct Again<'a> {
    pool: &'a PgPool,
    book: &'a Book,
    tail: &'a Tail,
    policy: &'static dyn Policy,
}

impl Again<'_> {
    /// Reacts to the event at this position; whether it was this that made it good, and not somebody else at the same
    /// time.
    async fn at(self, position: i64) -> Result<bool, BookError> {
        let Self {
            pool,
            book,
            tail,
            policy,
        } = self;
        let Some(recorded) = tail.at(&[position]).await?.pop() else {
            return Ok(false);
        };
        let kind = &recorded.aggregate_type;
        if !policy.reads().contains(&kind.as_str()) {
            return Err(BookError::NewerNeeded {
                policy: policy.name(),
                position,
                kind: kind.clone(),
            });
        }
        let timers = react(book, policy, &recorded, None).await?.timers;
        timer::make_good(pool, policy.name(), &[recorded.event_id], &timers).await
    }
}
