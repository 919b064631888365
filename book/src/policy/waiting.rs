//! Tenants whose reactions wait: they are suspended, or had their share of a page ([`Share`]). Events of theirs are noted like
//! missed ones, and reacted to beside the rest (`policy/aside.rs`), in the book's order. Until nothing of a tenant waits, what
//! comes of it later waits as well.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::{Recorded, Standing};
use sqlx::PgPool;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::pools::answered;
use crate::{BookError, tenants};

/// Commands that a policy sends for one tenant while the others of the same page wait: what it sends beyond that takes its
/// turns beside them.
pub const SHARE_COMMANDS_MAX: usize = 64;
/// As much where nobody else has anything going on: whoever comes next waits for the rest of a page, and taking turns with
/// nobody costs three statements for each event.
pub const ALONE_COMMANDS_MAX: usize = 256;
/// Events of a page then, so that it is as short for whoever comes next.
pub const ALONE_EVENTS_MAX: usize = 128;
/// Events after a page of which it is found out whose they are. Where more are to come, nobody is taken to be alone.
const UNSEEN_EVENTS_MAX: i64 = 50_000;
/// Why a reaction waits that was not tried: also behind what waits because the tenant is suspended.
const WAITS_ITS_TURN: &str =
    "its tenant had its share, or waits for something before it; it takes its turn beside the others";

/// The tenants for which reactions of one policy wait, as its leader knows.
#[derive(Debug, Default)]
pub struct Waiting {
    tenants: Mutex<BTreeSet<Uuid>>,
    /// Held while it is noted that something waits, and while it is found out that nothing does any more.
    noting: tokio::sync::Mutex<()>,
    more: Notify,
    /// A tenant, and a position up to which no later event is another one's.
    alone: Mutex<(Uuid, i64)>,
}

impl Waiting {
    /// As whoever led before has left it.
    ///
    /// # Errors
    /// The database's error.
    pub async fn read(pool: &PgPool, policy: &str) -> Result<Self, BookError> {
        let asking = sqlx::query_scalar("select distinct tenant_id from book.missed where policy = $1 and waits")
            .bind(policy)
            .fetch_all(pool);
        let tenants: Vec<Uuid> = answered(async { Ok::<_, BookError>(asking.await?) }).await?;
        let waiting = Self::default();
        waiting.tenants().extend(tenants);
        Ok(waiting)
    }

    /// A reaction for this tenant waits from now on.
    pub fn add(&self, tenant: Uuid) {
        self.tenants().insert(tenant);
        self.more.notify_one();
    }

    /// Whether these events are one tenant's as are all others after `to` and up to the book's `end`, and no reaction waits for
    /// any tenant: there is nobody to be fair to.
    ///
    /// # Errors
    /// The database's error.
    pub async fn is_alone(
        &self,
        pool: &PgPool,
        events: &[Arc<Recorded<String>>],
        to: i64,
        end: i64,
    ) -> Result<bool, BookError> {
        let mut tenants = events.iter().map(|event| event.tenant_id);
        let Some(tenant) = tenants.next() else {
            return Ok(true);
        };
        if !tenants.all(|other| other == tenant) || !self.tenants().is_empty() {
            return Ok(false);
        }
        let (alone, known_to) = *self.alone.lock().unwrap_or_else(PoisonError::into_inner);
        // Each event is looked at once, however many pages lead up to it.
        let from = if alone == tenant { to.max(known_to) } else { to };
        if from < end {
            if end - from > UNSEEN_EVENTS_MAX {
                return Ok(false);
            }
            let asking = sqlx::query_scalar(
                "select not exists (select from book.events where position > $1 and position <= $2 and tenant_id <> $3)",
            )
            .bind(from)
            .bind(end)
            .bind(tenant)
            .fetch_one(pool);
            if !answered(async { Ok::<bool, BookError>(asking.await?) }).await? {
                return Ok(false);
            }
            *self.alone.lock().unwrap_or_else(PoisonError::into_inner) = (tenant, end);
        }
        Ok(true)
    }

    /// Whether a reaction for this tenant waits.
    #[must_use]
    pub fn holds(&self, tenant: Uuid) -> bool {
        self.tenants().contains(&tenant)
    }

    /// Waits until a tenant is added, but no longer than so.
    pub async fn more(&self, limit: Duration) {
        // Both ends are as good: it is looked again.
        let _ = tokio::time::timeout(limit, self.more.notified()).await;
    }

    /// Lets these events wait, which may wait already.
    ///
    /// # Errors
    /// The database's error.
    pub async fn put(&self, pool: &PgPool, policy: &str, events: &[Arc<Recorded<String>>]) -> Result<(), BookError> {
        if events.is_empty() {
            return Ok(());
        }
        let _noting = self.noting.lock().await;
        let ids: Vec<Uuid> = events.iter().map(|event| event.event_id).collect();
        let tenants: Vec<Uuid> = events.iter().map(|event| event.tenant_id).collect();
        let positions: Vec<i64> = events.iter().map(|event| event.position).collect();
        let noting = sqlx::query(
            "insert into book.missed (policy, event_id, tenant_id, position, error, waits)
             select $1, e.event_id, e.tenant_id, e.position, $5, true
             from unnest($2::uuid[], $3::uuid[], $4::bigint[]) as e(event_id, tenant_id, position)
             on conflict (policy, event_id) do update set
                 error = excluded.error, waits = excluded.waits, missed_at = clock_timestamp()",
        )
        .bind(policy)
        .bind(ids)
        .bind(&tenants)
        .bind(positions)
        .bind(WAITS_ITS_TURN)
        .execute(pool);
        answered(async { Ok::<_, BookError>(noting.await?) }).await?;
        metrics::counter!("daybook_policy_aside_total", "policy" => policy.to_owned()).increment(events.len() as u64);
        for tenant in tenants {
            self.add(tenant);
        }
        Ok(())
    }

    /// Whether reactions for the tenant wait still; when none does, what comes of it later is reacted to at once.
    ///
    /// # Errors
    /// The database's error.
    pub async fn go_on(&self, pool: &PgPool, policy: &str, tenant: Uuid) -> Result<bool, BookError> {
        let _noting = self.noting.lock().await;
        let asking = sqlx::query_scalar(
            "select exists (select from book.missed where policy = $1 and tenant_id = $2 and waits)",
        )
        .bind(policy)
        .bind(tenant)
        .fetch_one(pool);
        let waits: bool = answered(async { Ok::<_, BookError>(asking.await?) }).await?;
        if !waits {
            self.tenants().remove(&tenant);
        }
        Ok(waits)
    }

    /// Of those that wait, and are not among these, the ones that are active. What waited for one that is deleted is
    /// forgotten.
    ///
    /// # Errors
    /// The database's error.
    pub async fn ready(&self, pool: &PgPool, policy: &str, but: &BTreeSet<Uuid>) -> Result<Vec<Uuid>, BookError> {
        let waiting = self.tenants().difference(but).copied().collect();
        let mut ready = Vec::new();
        for (tenant, standing) in tenants::standings(pool, waiting).await? {
            match standing {
                Standing::Active => ready.push(tenant),
                Standing::Suspended => {}
                Standing::Deleted => {
                    let forgetting =
                        sqlx::query("delete from book.missed where policy = $1 and tenant_id = $2 and waits")
                            .bind(policy)
                            .bind(tenant)
                            .execute(pool);
                    answered(async { Ok::<_, BookError>(forgetting.await?) }).await?;
                    self.go_on(pool, policy, tenant).await?;
                }
            }
        }
        Ok(ready)
    }

    fn tenants(&self) -> std::sync::MutexGuard<'_, BTreeSet<Uuid>> {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What each tenant has sent because of one page, so that none keeps the others of it, and of the next, waiting.
#[derive(Debug)]
pub struct Share {
    commands_max: usize,
    sent: Mutex<HashMap<Uuid, usize>>,
}

impl Share {
    /// For a page, by whether it is of one tenant and none waits.
    #[must_use]
    pub fn of_page(is_alone: bool) -> Self {
        Self {
            commands_max: if is_alone {
                ALONE_COMMANDS_MAX
            } else {
                SHARE_COMMANDS_MAX
            },
            sent: Mutex::default(),
        }
    }

    /// Whether so many commands are within the tenant's share. Once they are not, no more are.
    #[must_use]
    pub fn takes(&self, tenant: Uuid, commands: usize) -> bool {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = sent.entry(tenant).or_default();
        *sent = sent.saturating_add(commands);
        let takes = *sent <= self.commands_max;
        if !takes {
            *sent = usize::MAX;
        }
        takes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_had_its_share_of_a_page_gets_no_more_of_it_and_others_keep_theirs() {
        let (share, one, other) = (Share::of_page(false), Uuid::from_u128(1), Uuid::from_u128(2));
        assert!(share.takes(one, SHARE_COMMANDS_MAX));
        assert!(share.takes(one, 0));
        assert!(!share.takes(one, 1));
        assert!(!share.takes(one, 0), "later events of a stream come after it");
        assert!(share.takes(other, 1));
        assert!(!share.takes(other, SHARE_COMMANDS_MAX));
        let alone = Share::of_page(true);
        assert!(alone.takes(one, ALONE_COMMANDS_MAX));
        assert!(!alone.takes(one, 1));
    }
}
