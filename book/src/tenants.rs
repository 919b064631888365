//! How tenants stand, and what they hold: for whoever lists them, or looks before a tenant acts. What commands are held
//! to is asked by the append itself.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::{Claim, Decider, FactRef, Standing};
use sqlx::{PgPool, Row as _};
use uuid::Uuid;

use crate::pools::answered;
use crate::trust::Trust;
use crate::{Book, BookError};

/// Keys of a deleted tenant that are destroyed by one statement.
const KEYS_AT_ONCE: i32 = 5_000;

/// Rows of deleted tenants that are deleted by one statement.
const WAITING_AT_ONCE: i64 = 1_000;

/// A tenant of whom the book has been told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    pub tenant: Uuid,
    pub standing: Standing,
    pub since: DateTime<Utc>,
}

/// An event of a holder, see [`Book::holders`].
#[derive(Debug, Clone, Copy)]
pub struct Happened<'a> {
    pub event_type: &'a str,
    /// A field of its payload, and the values of which it has one.
    pub field: &'a str,
    pub values: &'a [String],
}

impl Book {
    /// How a tenant stands now; one of whom nothing was said is active.
    ///
    /// # Errors
    /// The database's error.
    pub async fn standing(&self, tenant: Uuid) -> Result<Standing, BookError> {
        standing(&self.0.pool, tenant).await
    }

    /// Every tenant of whom it was said how it stands, by their ids.
    ///
    /// # Errors
    /// The database's error.
    pub async fn tenants(&self) -> Result<Vec<Known>, BookError> {
        let asking = sqlx::query("select tenant_id, standing, since from book.tenants order by tenant_id")
            .fetch_all(&self.0.pool);
        let rows = answered(async { Ok::<_, BookError>(asking.await?) }).await?;
        let known = rows.iter().map(|row| {
            Ok(Known {
                tenant: row.try_get("tenant_id")?,
                standing: read(row.try_get("standing")?)?,
                since: row.try_get("since")?,
            })
        });
        known.collect()
    }

    /// Destroys all keys of a tenant that is deleted, and says how many those were. Done twice it does no harm; one that
    /// is not deleted loses none.
    ///
    /// # Errors
    /// The database's error; what is destroyed by then stays so.
    pub async fn destroy_keys(&self, tenant: Uuid) -> Result<i64, BookError> {
        destroy_keys(&self.0.pool, tenant).await
    }

    /// Tenants that hold something of which nothing was said: those of the time before tenants were told of. Each is
    /// found by one step along an index, however much it holds.
    ///
    /// # Errors
    /// The database's error.
    pub async fn tenants_untold(&self) -> Result<Vec<Uuid>, BookError> {
        let asking = sqlx::query_scalar(
            "with recursive claimed as (
                 (select tenant_id from book.claims order by tenant_id limit 1)
                 union all
                 select (select c.tenant_id from book.claims c where c.tenant_id > claimed.tenant_id
                         order by c.tenant_id limit 1)
                 from claimed where claimed.tenant_id is not null),
             keyed as (
                 (select tenant_id from book.keys where wrapped is not null order by tenant_id limit 1)
                 union all
                 select (select k.tenant_id from book.keys k where k.wrapped is not null and k.tenant_id > keyed.tenant_id
                         order by k.tenant_id limit 1)
                 from keyed where keyed.tenant_id is not null)
             select found.tenant_id from (select tenant_id from claimed union select tenant_id from keyed) found
             where found.tenant_id is not null
               and not exists (select from book.tenants t where t.tenant_id = found.tenant_id)
             order by 1",
        )
        .fetch_all(&self.0.pool);
        answered(async { Ok::<_, BookError>(asking.await?) }).await
    }

    /// The streams of a tenant that hold a value of this claim, by their ids: at most so many of those after an id, and of
    /// them those alone to which such a thing has happened, if one is named. Who holds nothing any more is not among them.
    ///
    /// # Errors
    /// The database's error.
    pub async fn holders(
        &self,
        tenant: Uuid,
        claim: Claim,
        happened: Option<Happened<'_>>,
        after: Uuid,
        limit: i64,
    ) -> Result<Vec<Uuid>, BookError> {
        let asking = sqlx::query_scalar(
            "select distinct c.aggregate_id::uuid from book.claims c
             where c.tenant_id = $1 and c.name = $2 and c.aggregate_id > $7
               and ($3::text is null or exists (
                   select from book.events e
                   where e.aggregate_type = c.aggregate_type and e.aggregate_id = c.aggregate_id
                     and e.event_type = $3 and e.payload ->> $4 = any($5)))
             order by 1 limit $6",
        )
        .bind(tenant)
        .bind(claim.stored())
        .bind(happened.map(|happened| happened.event_type))
        .bind(happened.map(|happened| happened.field))
        .bind(happened.map(|happened| happened.values))
        .bind(limit)
        .bind(after.to_string())
        .fetch_all(&self.0.pool);
        answered(async { Ok::<_, BookError>(asking.await?) }).await
    }

    /// The streams of all tenants that hold fewer values of this claim than so many, each with its tenant.
    ///
    /// # Errors
    /// The database's error.
    pub async fn holders_of_fewer(&self, claim: Claim, than: i64) -> Result<Vec<(Uuid, Uuid)>, BookError> {
        let asking = sqlx::query_as(
            "select tenant_id, aggregate_id::uuid from book.claims where name = $1
             group by tenant_id, aggregate_type, aggregate_id having count(*) < $2 order by 1, 2",
        )
        .bind(claim.stored())
        .bind(than)
        .fetch_all(&self.0.pool);
        answered(async { Ok::<_, BookError>(asking.await?) }).await
    }

    /// The stream of a tenant that holds this value of a claim, if one does.
    ///
    /// # Errors
    /// The database's error, or the key of claims cannot be read.
    pub async fn holder(&self, tenant: Uuid, claim: Claim, value: &str) -> Result<Option<Uuid>, BookError> {
        let value = value.to_owned();
        Ok(self.each_holder(tenant, claim, &[value]).await?.pop().flatten())
    }

    /// As [`Book::holder`], of several values, in their order.
    ///
    /// # Errors
    /// As [`Book::holder`].
    pub async fn each_holder(
        &self,
        tenant: Uuid,
        claim: Claim,
        values: &[String],
    ) -> Result<Vec<Option<Uuid>>, BookError> {
        let key = self.0.vault.claim_key().await?;
        let digests: Vec<_> = values.iter().map(|value| key.digest(tenant, claim, value)).collect();
        self.0.holders.of(tenant, claim, digests).await
    }

    /// The state of a stream, read from the book now, and the tenant that it belongs to, for whoever has yet to find out
    /// for whom somebody speaks.
    ///
    /// # Errors
    /// The database's error, or an event that cannot be decoded.
    pub async fn of_whom<D: Decider>(&self, stream: Uuid) -> Result<Option<(Uuid, Arc<D>)>, BookError> {
        let loaded = self
            .0
            .facts(&[FactRef::of::<D>(stream)], Trust::Book, None)
            .await?
            .pop();
        Ok(loaded.and_then(|loaded| Some((loaded.tenant?, loaded.state.downcast().ok()?))))
    }

    /// Whether a command has taken effect under this id, as far as receipts are kept.
    ///
    /// # Errors
    /// The database's error.
    pub async fn has_receipt(&self, command_id: Uuid) -> Result<bool, BookError> {
        let receipt = answered(crate::append::receipt(&self.0.pool, command_id)).await?;
        Ok(receipt.is_some())
    }
}

/// Destroys the keys of deleted tenants that still have any, because whoever deleted them died before that was done; how many.
/// The pool is one of `daybook_projector`.
///
/// # Errors
/// The database's error.
pub async fn destroy_left(pool: &PgPool) -> Result<i64, BookError> {
    let asking = sqlx::query_scalar(
        "select t.tenant_id from book.tenants t
         where t.standing = 'deleted'
           and exists (select from book.keys k where k.tenant_id = t.tenant_id and k.wrapped is not null)",
    )
    .fetch_all(pool);
    let mut destroyed = 0;
    for tenant in answered(async { Ok::<_, BookError>(asking.await?) }).await? {
        destroyed += destroy_keys(pool, tenant).await?;
    }
    Ok(destroyed)
}

/// As [`Book::destroy_keys`], over a pool of `daybook_writer` or `daybook_projector`. A few keys at a time, so that
/// nobody waits for it.
///
/// # Errors
/// The database's error.
pub async fn destroy_keys(pool: &PgPool, tenant: Uuid) -> Result<i64, BookError> {
    let mut destroyed = 0;
    loop {
        let destroying = sqlx::query_scalar("select book.destroy_keys($1, $2)")
            .bind(tenant)
            .bind(KEYS_AT_ONCE)
            .fetch_one(pool);
        let some: i64 = answered(async { Ok::<_, BookError>(destroying.await?) }).await?;
        if some == 0 {
            return Ok(destroyed);
        }
        destroyed += some;
    }
}

/// Deletes what waits for deleted tenants, or was missed of them: their timers, and reactions of policies. Nothing is ever done
/// for them, and what is there would keep receipts. Done twice it does no harm. The pool is one of `daybook_writer`.
///
/// # Errors
/// The database's error; what is deleted by then stays so.
pub async fn forget_waiting(pool: &PgPool) -> Result<u64, BookError> {
    const TIMERS: &str = "delete from book.timers where timer_id in (
        select w.timer_id from book.tenants t join book.timers w using (tenant_id) where t.standing = 'deleted' limit $1)";
    const MISSED: &str = "delete from book.missed where (policy, event_id) in (
        select w.policy, w.event_id from book.tenants t join book.missed w using (tenant_id)
        where t.standing = 'deleted' limit $1)";
    let mut forgotten = 0;
    for statement in [TIMERS, MISSED] {
        loop {
            let deleting = sqlx::query(statement).bind(WAITING_AT_ONCE).execute(pool);
            let some = answered(async { Ok::<_, BookError>(deleting.await?.rows_affected()) }).await?;
            forgotten += some;
            if some < WAITING_AT_ONCE.unsigned_abs() {
                break;
            }
        }
    }
    Ok(forgotten)
}

/// How a tenant stands now.
///
/// # Errors
/// The database's error.
pub(crate) async fn standing(pool: &PgPool, tenant: Uuid) -> Result<Standing, BookError> {
    Ok(told(pool, tenant).await?.unwrap_or(Standing::Active))
}

/// What was said of how a tenant stands; nothing of one that nobody has made.
///
/// # Errors
/// The database's error.
pub async fn told(pool: &PgPool, tenant: Uuid) -> Result<Option<Standing>, BookError> {
    let asking = sqlx::query_scalar("select standing from book.tenants where tenant_id = $1")
        .bind(tenant)
        .fetch_optional(pool);
    let found: Option<String> = answered(async { Ok::<_, BookError>(asking.await?) }).await?;
    found.as_deref().map(read).transpose()
}

/// How these tenants stand now.
///
/// # Errors
/// The database's error.
pub(crate) async fn standings(pool: &PgPool, tenants: Vec<Uuid>) -> Result<Vec<(Uuid, Standing)>, BookError> {
    if tenants.is_empty() {
        return Ok(Vec::new());
    }
    let asking = sqlx::query_as("select tenant_id, standing from book.tenants where tenant_id = any($1)")
        .bind(&tenants)
        .fetch_all(pool);
    let told: Vec<(Uuid, String)> = answered(async { Ok::<_, BookError>(asking.await?) }).await?;
    let told: HashMap<Uuid, String> = told.into_iter().collect();
    let standing = |tenant| told.get(&tenant).map_or(Ok(Standing::Active), |word| read(word));
    tenants
        .into_iter()
        .map(|tenant| Ok((tenant, standing(tenant)?)))
        .collect()
}

pub(crate) fn read(word: &str) -> Result<Standing, BookError> {
    let standing = Standing::of_stored(word);
    standing.ok_or_else(|| BookError::Broken(format!("a tenant stands as {word:?}, which this program does not know")))
}
