//! How reactors do, and their dead letters: what operators look at and send again.

use book::BookError;
use book::pools::answered;
use chrono::{DateTime, Utc};
use sqlx::postgres::PgRow;
use sqlx::{PgPool, Row as _};
use uuid::Uuid;

use crate::rows;

/// Dead letters that are sent again by one transaction.
const SENT_AGAIN_MAX: i64 = 1_000;

/// How a reactor does. What waits and what is dead is of one tenant, or of all.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Progress {
    pub reactor: String,
    /// It never acts on what came before.
    pub floor: i64,
    pub position: i64,
    /// Events of the book after that.
    pub lag: i64,
    /// The kinds of streams that it reads, or any newer version of it that was here.
    pub kinds: Vec<String>,
    /// Raised by every leader when it begins.
    pub term: i64,
    /// Effects that are still to come.
    pub waiting: i64,
    /// Dead letters.
    pub dead: i64,
    /// When the first of those that wait and head their lanes is due.
    pub next_due_at: Option<DateTime<Utc>>,
    /// The position of the earliest event of which something waits or is dead.
    pub oldest_position: Option<i64>,
}

/// An effect that could not be had.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Letter {
    /// Its id, the same as at every attempt.
    pub id: Uuid,
    pub tenant: Uuid,
    /// The event that it follows from.
    pub position: i64,
    /// Its place among what follows from the event.
    pub place: i32,
    /// Null where it could not be told what follows from the event.
    pub key: Option<String>,
    pub target: String,
    /// Attempts that failed since it was last sent again.
    pub attempts: i32,
    /// How often it was sent again.
    pub round: i32,
    pub error: String,
    pub died_at: DateTime<Utc>,
}

/// How every reactor does.
///
/// # Errors
/// The database's error.
pub async fn progress(pool: &PgPool, tenant: Option<Uuid>) -> Result<Vec<Progress>, BookError> {
    let reading = sqlx::query(
        "select r.name, r.floor, r.position, greatest(b.last - r.position, 0) as lag, r.kinds, r.term, c.*
         from book.last_position() as b(last), book.reactors r cross join lateral (
             select count(*) filter (where not n.dead) as waiting, count(*) filter (where n.dead) as dead,
                    min(n.due_at) filter (where n.heads) as next_due_at, min(n.position) as oldest_position
             from book.reactions n where n.reactor = r.name and ($1::uuid is null or n.tenant_id = $1)) c
         order by r.name",
    )
    .bind(tenant)
    .fetch_all(pool);
    let rows = answered(async { Ok::<_, BookError>(reading.await?) }).await?;
    let read = |row: &PgRow| {
        Ok(Progress {
            reactor: row.try_get("name")?,
            floor: row.try_get("floor")?,
            position: row.try_get("position")?,
            lag: row.try_get("lag")?,
            kinds: row.try_get("kinds")?,
            term: row.try_get("term")?,
            waiting: row.try_get("waiting")?,
            dead: row.try_get("dead")?,
            next_due_at: row.try_get("next_due_at")?,
            oldest_position: row.try_get("oldest_position")?,
        })
    };
    rows.iter().map(read).collect()
}

/// The dead letters of a reactor, in the book's order: of one tenant, or of all, at most so many of those after a
/// position and place.
///
/// # Errors
/// The database's error.
pub async fn letters(
    pool: &PgPool,
    reactor: &str,
    tenant: Option<Uuid>,
    after: (i64, i32),
    limit: i64,
) -> Result<Vec<Letter>, BookError> {
    let reading = sqlx::query(
        "select * from book.reactions
         where reactor = $1 and dead and ($2::uuid is null or tenant_id = $2) and (position, place) > ($3, $4)
         order by position, place limit $5",
    )
    .bind(reactor)
    .bind(tenant)
    .bind(after.0)
    .bind(after.1)
    .bind(limit)
    .fetch_all(pool);
    let rows = answered(async { Ok::<_, BookError>(reading.await?) }).await?;
    let read = |row: &PgRow| {
        Ok(Letter {
            id: row.try_get("reaction_id")?,
            tenant: row.try_get("tenant_id")?,
            position: row.try_get("position")?,
            place: row.try_get("place")?,
            key: row.try_get("key")?,
            target: row.try_get("target")?,
            attempts: row.try_get("attempts")?,
            round: row.try_get("round")?,
            error: row.try_get("error")?,
            died_at: row.try_get("died_at")?,
        })
    };
    rows.iter().map(read).collect()
}

/// Sends dead letters again, those of these ids or all, of one tenant or of all: each begins its schedule anew, and comes
/// before whatever in its lane has not begun. How many there were; `None` when the book knows no such reactor. What dies
/// again meanwhile is not sent a second time.
///
/// # Errors
/// The database's error; what was sent again by then stays so.
pub async fn retry(
    pool: &PgPool,
    reactor: &str,
    tenant: Option<Uuid>,
    ids: Option<&[Uuid]>,
) -> Result<Option<u64>, BookError> {
    let now = sqlx::query_scalar("select clock_timestamp()").fetch_one(pool);
    let before: DateTime<Utc> = answered(async { Ok::<_, BookError>(now.await?) }).await?;
    let mut all = 0;
    loop {
        let sending = answered(send_again(pool, reactor, tenant, ids, before)).await?;
        match sending {
            None => return Ok(None),
            Some(0) => return Ok(Some(all)),
            Some(some) => all += some,
        }
    }
}

async fn send_again(
    pool: &PgPool,
    reactor: &str,
    tenant: Option<Uuid>,
    ids: Option<&[Uuid]>,
    before: DateTime<Utc>,
) -> Result<Option<u64>, BookError> {
    let mut transaction = pool.begin().await?;
    let locking = sqlx::query("select from book.reactors where name = $1 for update").bind(reactor);
    if locking.fetch_optional(&mut *transaction).await?.is_none() {
        return Ok(None);
    }
    let sent: Vec<(Uuid, Uuid)> = sqlx::query_as(
        "update book.reactions r
         set dead = false, died_at = null, due_at = clock_timestamp(), round = round + 1, attempts = 0, cuts = 0,
             began_at = null
         from (
             select reaction_id from book.reactions
             where reactor = $1 and dead and died_at <= $4 and ($2::uuid is null or tenant_id = $2)
               and ($3::uuid[] is null or reaction_id = any($3))
             order by position, place limit $5) d
         where r.reaction_id = d.reaction_id returning r.tenant_id, r.lane",
    )
    .bind(reactor)
    .bind(tenant)
    .bind(ids)
    .bind(before)
    .bind(SENT_AGAIN_MAX)
    .fetch_all(&mut *transaction)
    .await?;
    let (tenants, lanes): (Vec<Uuid>, Vec<Uuid>) = sent.iter().copied().unzip();
    rows::head(&mut transaction, reactor, &tenants, &lanes).await?;
    transaction.commit().await?;
    Ok(Some(sent.len() as u64))
}
