//! Rows of `book.reactions` as they are written. Whoever calls these has locked the reactor's row.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::planned::Planned;

/// Characters that are kept of what an attempt said.
const ERROR_CHARS_MAX: usize = 1_000;

/// Writes down what is to be done.
pub async fn insert(transaction: &mut PgConnection, reactor: &str, planned: &[Planned]) -> Result<(), sqlx::Error> {
    if planned.is_empty() {
        return Ok(());
    }
    let of = |one: fn(&Planned) -> Uuid| planned.iter().map(one).collect::<Vec<Uuid>>();
    let (tenants, lanes) = (of(|row| row.tenant), of(|row| row.lane));
    let errors = planned.iter().map(|row| row.dead.as_deref().map(kept));
    // Read again after an answer that got lost, they are there.
    sqlx::query(
        "insert into book.reactions (reactor, reaction_id, tenant_id, event_id, position, place, key, lane, target, due_at,
                                     dead, error, died_at)
         select $1, p.id, p.tenant_id, p.event_id, p.position, p.place, p.key, p.lane, p.target,
                coalesce(p.due_at, clock_timestamp()), p.error is not null, p.error,
                case when p.error is not null then clock_timestamp() end
         from unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::bigint[], $6::int[], $7::text[], $8::uuid[], $9::text[],
                     $10::timestamptz[], $11::text[])
              as p(id, tenant_id, event_id, position, place, key, lane, target, due_at, error)
         on conflict (reaction_id) do nothing",
    )
    .bind(reactor)
    .bind(of(|row| row.id))
    .bind(&tenants)
    .bind(of(|row| row.event_id))
    .bind(planned.iter().map(|row| row.position).collect::<Vec<i64>>())
    .bind(planned.iter().map(|row| row.place).collect::<Vec<i32>>())
    .bind(planned.iter().map(|row| row.key.as_deref()).collect::<Vec<Option<&str>>>())
    .bind(&lanes)
    .bind(planned.iter().map(|row| row.target.as_str()).collect::<Vec<&str>>())
    .bind(planned.iter().map(|row| row.due_at).collect::<Vec<Option<DateTime<Utc>>>>())
    .bind(errors.collect::<Vec<Option<String>>>())
    .execute(&mut *transaction)
    .await?;
    head(transaction, reactor, &tenants, &lanes).await
}

/// Gives each of these lanes that has none its head: the first that is no dead letter.
pub async fn head(
    transaction: &mut PgConnection,
    reactor: &str,
    tenants: &[Uuid],
    lanes: &[Uuid],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update book.reactions r set heads = true
         from (select distinct tenant_id, lane from unnest($2::uuid[], $3::uuid[]) l(tenant_id, lane)) l
         cross join lateral (
             select n.reaction_id from book.reactions n
             where n.reactor = $1 and n.tenant_id = l.tenant_id and n.lane = l.lane and not n.dead
             order by n.position, n.place limit 1) first
         where r.reaction_id = first.reaction_id
           and not exists (
               select from book.reactions h
               where h.reactor = $1 and h.tenant_id = l.tenant_id and h.lane = l.lane and h.heads)",
    )
    .bind(reactor)
    .bind(tenants)
    .bind(lanes)
    .execute(transaction)
    .await?;
    Ok(())
}

/// As much of a text as is kept with a row.
pub fn kept(error: &str) -> String {
    error
        .chars()
        .filter(|char| *char != '\0')
        .take(ERROR_CHARS_MAX)
        .collect()
}
