//! What is due, of whom, and that it begins.

use std::collections::HashSet;
use std::time::Duration;

use book::BookError;
use book::pools::answered;
use sqlx::postgres::PgRow;
use sqlx::{PgPool, Row as _};
use uuid::Uuid;

use crate::checkpoint::Checkpoint;
use crate::performer::ReactorError;
use crate::reactor::Reactor;
use crate::running::Running;

/// How far ahead it is looked for what will be due, and so how often at least, in seconds.
pub const AHEAD_SECONDS: u64 = 5;

/// A task whose attempt begins.
#[derive(Debug, Clone)]
pub struct Begun {
    pub id: Uuid,
    pub tenant: Uuid,
    pub position: i64,
    pub key: Option<String>,
    pub lane: Uuid,
    pub target: String,
    pub round: u32,
    /// Those that have failed before.
    pub attempts: u32,
    /// Those before of which nothing was heard.
    pub cuts: u32,
    /// Since the beginning of the first.
    pub age: Duration,
}

/// What is due now, the tenants taking turns, and how long it is until more will be.
#[derive(Debug)]
pub struct Soon {
    pub due: Vec<Begun>,
    pub next: Duration,
    /// How long each target is not free from now on.
    rates: Vec<(Uuid, String, f64)>,
}

struct Found {
    begun: Begun,
    /// Until it is due and its target is free.
    wait: Duration,
}

/// Looks for what there is room for.
pub async fn due<R: Reactor>(pool: &PgPool, reactor: &R, running: &Running) -> Result<Soon, BookError> {
    // Target by target, along the index: one with a long queue hides no other. Of each tenant one, then of each a second.
    let looking = sqlx::query(
        "with recursive pairs as (
             (select tenant_id, target from book.reactions where reactor = $1 and heads
              order by tenant_id, target limit 1)
             union all
             select n.tenant_id, n.target from pairs p cross join lateral (
                 select r.tenant_id, r.target from book.reactions r
                 where r.reactor = $1 and r.heads and (r.tenant_id, r.target) > (p.tenant_id, p.target)
                 order by r.tenant_id, r.target limit 1) n),
         found as (
             select r.*, greatest(r.due_at, g.free_at) as ready_at
             from pairs p
             left join book.tenants s on s.tenant_id = p.tenant_id
             left join book.reaction_targets g
                 on g.reactor = $1 and g.tenant_id = p.tenant_id and g.target = p.target
             cross join lateral (
                 select * from book.reactions r
                 where r.reactor = $1 and r.tenant_id = p.tenant_id and r.target = p.target and r.heads
                   and r.due_at <= now() + make_interval(secs => $7) and r.reaction_id <> all($2)
                 order by r.due_at limit $5) r
             where coalesce(s.standing, 'active') = 'active' and p.tenant_id <> all($3)
               and (g.free_at is null or g.free_at <= now() + make_interval(secs => $7)))
         select f.*, greatest(extract(epoch from f.ready_at - now()), 0)::float8 as wait,
                greatest(extract(epoch from now() - f.began_at), 0)::float8 as age,
                row_number() over (partition by f.tenant_id order by f.ready_at, f.position, f.place) as turn
         from found f
         order by f.ready_at > now(), turn, f.tenant_id > $4 desc, f.tenant_id limit $6",
    )
    .bind(reactor.name())
    .bind(running.ids())
    .bind(running.full())
    .bind(running.last_tenant())
    .bind(reactor.bounds().per_tenant as i64)
    .bind(running.room() as i64)
    .bind(AHEAD_SECONDS as f64)
    .fetch_all(pool);
    let rows = answered(async { Ok::<_, BookError>(looking.await?) }).await?;
    let found = rows.iter().map(read).collect::<Result<Vec<Found>, sqlx::Error>>()?;
    Ok(chosen(found, running, |target| reactor.rate(target)))
}

/// What of it begins: no tenant beyond its share, and of a target with a rate one at a time.
fn chosen(found: Vec<Found>, running: &Running, rate: impl Fn(&str) -> Option<Duration>) -> Soon {
    let mut soon = Soon {
        due: Vec::new(),
        next: Duration::from_secs(AHEAD_SECONDS),
        rates: Vec::new(),
    };
    let mut shares = running.shares();
    let mut held = HashSet::new();
    for Found { begun, wait } in found {
        if !wait.is_zero() {
            soon.next = soon.next.min(wait);
            continue;
        }
        let on = (begun.tenant, begun.target.clone());
        if held.contains(&on) || !shares.take(begun.tenant) {
            continue;
        }
        if let Some(every) = rate(&begun.target) {
            soon.next = soon.next.min(every);
            soon.rates
                .push((begun.tenant, begun.target.clone(), every.as_secs_f64()));
            held.insert(on);
        }
        soon.due.push(begun);
    }
    soon
}

impl Soon {
    /// Writes down that these begin, and how long their targets are not free: before anything is done. Those that are no
    /// more to be done are left out of what comes back.
    pub async fn begin(self, pool: &PgPool, checkpoint: &Checkpoint) -> Result<Vec<Begun>, ReactorError> {
        let Self { mut due, rates, .. } = self;
        if due.is_empty() {
            return Ok(due);
        }
        let ids: Vec<Uuid> = due.iter().map(|begun| begun.id).collect();
        let begun: HashSet<Uuid> = answered(async {
            let mut transaction = pool.begin().await?;
            checkpoint.lock(&mut transaction).await?;
            let begun: Vec<Uuid> = sqlx::query_scalar(
                "update book.reactions set cuts = cuts + 1, began_at = coalesce(began_at, clock_timestamp())
                 where reaction_id = any($1) and heads returning reaction_id",
            )
            .bind(&ids)
            .fetch_all(&mut *transaction)
            .await?;
            hold(&mut transaction, checkpoint.reactor, &rates).await?;
            transaction.commit().await?;
            Ok::<_, ReactorError>(begun)
        })
        .await?
        .into_iter()
        .collect();
        due.retain(|due| begun.contains(&due.id));
        Ok(due)
    }
}

/// Has nothing begin on these targets for so many seconds. Each is named once.
pub async fn hold(
    transaction: &mut sqlx::PgConnection,
    reactor: &str,
    targets: &[(Uuid, String, f64)],
) -> Result<(), sqlx::Error> {
    if targets.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into book.reaction_targets as g (reactor, tenant_id, target, free_at)
         select $1, t.tenant_id, t.target, clock_timestamp() + make_interval(secs => max(t.seconds))
         from unnest($2::uuid[], $3::text[], $4::float8[]) t(tenant_id, target, seconds)
         group by t.tenant_id, t.target
         on conflict (reactor, tenant_id, target) do update set free_at = greatest(g.free_at, excluded.free_at)",
    )
    .bind(reactor)
    .bind(targets.iter().map(|(tenant, ..)| *tenant).collect::<Vec<Uuid>>())
    .bind(
        targets
            .iter()
            .map(|(_, target, _)| target.as_str())
            .collect::<Vec<&str>>(),
    )
    .bind(targets.iter().map(|(.., seconds)| *seconds).collect::<Vec<f64>>())
    .execute(transaction)
    .await?;
    Ok(())
}

fn read(row: &PgRow) -> Result<Found, sqlx::Error> {
    let count = |column| row.try_get::<i32, _>(column).map(i32::unsigned_abs);
    let seconds = |column| row.try_get::<Option<f64>, _>(column).map(Option::unwrap_or_default);
    let span = |seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default();
    Ok(Found {
        wait: span(seconds("wait")?),
        begun: Begun {
            id: row.try_get("reaction_id")?,
            tenant: row.try_get("tenant_id")?,
            position: row.try_get("position")?,
            key: row.try_get("key")?,
            lane: row.try_get("lane")?,
            target: row.try_get("target")?,
            round: count("round")?,
            attempts: count("attempts")?,
            cuts: count("cuts")?,
            age: span(seconds("age")?),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Bounds;

    fn found(tenant: u128, target: &str, wait_ms: u64) -> Found {
        Found {
            wait: Duration::from_millis(wait_ms),
            begun: Begun {
                id: Uuid::new_v4(),
                tenant: Uuid::from_u128(tenant),
                position: 1,
                key: Some(String::new()),
                lane: Uuid::new_v4(),
                target: target.to_owned(),
                round: 0,
                attempts: 0,
                cuts: 0,
                age: Duration::ZERO,
            },
        }
    }

    fn tenants(soon: &Soon) -> Vec<u128> {
        soon.due.iter().map(|begun| begun.tenant.as_u128()).collect()
    }

    #[test]
    fn a_target_with_a_rate_has_one_begin_and_the_next_when_it_is_free() {
        let running = Running::new(Bounds::default());
        let every = Duration::from_millis(300);
        let due = vec![
            found(1, "slow", 0),
            found(1, "slow", 0),
            found(2, "slow", 0),
            found(1, "fast", 0),
        ];
        let soon = chosen(due, &running, |target| (target == "slow").then_some(every));
        assert_eq!(tenants(&soon), [1, 2, 1], "targets are their tenant's");
        assert_eq!((soon.next, soon.rates.len()), (every, 2));
    }

    #[test]
    fn what_is_due_soon_is_waited_for_and_no_tenant_gets_more_than_half_of_what_is_free() {
        let running = Running::new(Bounds {
            at_once: 8,
            per_tenant: 100,
            limit: Duration::from_secs(1),
        });
        let mut due: Vec<Found> = (0..8).map(|_| found(1, "a", 0)).collect();
        due.push(found(2, "a", 0));
        due.push(found(3, "a", 20));
        let soon = chosen(due, &running, |_| None);
        assert_eq!(tenants(&soon), [1, 1, 1, 1, 2]);
        assert_eq!(soon.next, Duration::from_millis(20));
    }
}
