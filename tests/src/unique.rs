//! Unique keys of read tables: an event that breaks one could not be posted, so the domain guards each of them.

use std::collections::BTreeSet;

use domain::Contexts;
use projections::Context;
use sqlx::PgPool;

/// The prelude, whose streams every context posts.
const PRELUDE: &str = "identity";

/// Asserts that each unique key of the context's tables has a claim of the same name, or is named in `within` as one
/// that one stream decides alone; and that each claim of the context stands for a key.
///
/// # Panics
/// When one does not.
pub async fn guards_every_key(pool: &PgPool, declared: &Contexts, context: &'static Context, within: &[&str]) {
    let claims = |of: &str| -> BTreeSet<String> {
        let kinds = declared.aggregates().filter(|kind| kind.context() == of);
        let claims = kinds.flat_map(|kind| kind.claims);
        claims.map(|claim| claim.name().to_owned()).collect()
    };
    let within: BTreeSet<String> = within.iter().map(|&key| key.to_owned()).collect();
    let own = claims(context.name);
    let guarded: BTreeSet<String> = own.union(&within).cloned().chain(claims(PRELUDE)).collect();
    let keys = keys(pool, context.name).await;
    let unguarded: Vec<_> = keys.difference(&guarded).collect();
    assert!(
        unguarded.is_empty(),
        "no claim of {} or {PRELUDE} is called {unguarded:?}",
        context.name
    );
    let idle: Vec<_> = own.union(&within).filter(|guard| !keys.contains(*guard)).collect();
    assert!(idle.is_empty(), "{idle:?} guard no unique key of {}", context.name);
}

/// Asserts that what was sent to this database takes every claim of these contexts.
///
/// # Panics
/// When one was not taken.
pub async fn claims_are_taken(pool: &PgPool, declared: &Contexts, contexts: &[&str]) {
    let taken: BTreeSet<String> = sqlx::query_scalar("select distinct name from book.claims")
        .fetch_all(pool)
        .await
        .expect("the book answers")
        .into_iter()
        .collect();
    let kinds = declared.aggregates().filter(|kind| contexts.contains(&kind.context()));
    let untaken: Vec<_> = kinds
        .flat_map(|kind| kind.claims)
        .filter(|claim| !taken.contains(claim.stored()))
        .collect();
    assert!(untaken.is_empty(), "{untaken:?} are taken by nothing");
}

/// The unique keys besides the primary ones, as `table.column+column`; not that of a stream, whose id nobody else has.
async fn keys(pool: &PgPool, schema: &str) -> BTreeSet<String> {
    let keys: Vec<String> = sqlx::query_scalar(
        "select t.relname || '.' || string_agg(a.attname, '+' order by k.ord)
         from pg_constraint c
         join pg_class t on t.oid = c.conrelid
         cross join unnest(c.conkey) with ordinality k(attnum, ord)
         join pg_attribute a on a.attrelid = t.oid and a.attnum = k.attnum
         where c.contype = 'u' and t.relnamespace = $1::regnamespace
               and a.attname not in ('tenant_id', 'stream_id')
         group by c.oid, t.relname",
    )
    .bind(schema)
    .fetch_all(pool)
    .await
    .expect("the catalog answers");
    keys.into_iter().collect()
}
