//! Loads the states of many streams in one query.

use std::collections::HashMap;
use std::time::Instant;

use domain::event;
use domain::fact::{AnyState, Fold};
use domain::{DecodeError, FactRef, Metadata};
use sqlx::{PgPool, Row as _};
use uuid::Uuid;

use crate::cache::Loaded;
use crate::texts::{self, Letter};
use crate::vault::earlier;
use crate::{BookError, Vault};

/// How much of the streams is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// All there is.
    Now,
    /// The events up to this sequence.
    Sequence(i64),
}

/// Reads streams, each from the last event that carries it forward, if it has one. That one is found from the
/// end backwards, along the same index that the events are then read by.
pub const LOAD: &str = "
    select s.ord, e.sequence, e.tenant_id, e.event_id, e.event_type, e.event_version, e.payload::text as payload,
           e.metadata::text as metadata
    from unnest($1::text[], $2::text[], $3::text[]) with ordinality s(type, id, carries, ord)
    cross join lateral (
        select case when s.carries is null then 1 else coalesce((
            select c.sequence from book.events c
            where c.aggregate_type = s.type and c.aggregate_id = s.id and c.sequence <= $4 and c.event_type = s.carries
            order by c.sequence desc limit 1), 1) end as sequence offset 0) first
    cross join lateral (
        select * from book.events e
        where e.aggregate_type = s.type and e.aggregate_id = s.id
          and e.sequence >= first.sequence and e.sequence <= $4
        order by e.sequence offset 0) e
    order by s.ord, e.sequence";

/// Whether the texts of the events are opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Texts {
    /// For a decision.
    Open,
    /// For a policy, which reads events with their texts sealed, too, and repeats none.
    Sealed,
}

/// Reads every named stream; one without events comes back with sequence 0.
///
/// # Errors
/// The database's error, or an event that cannot be decoded.
pub async fn load(
    pool: &PgPool,
    vault: &Vault,
    refs: &[FactRef],
    until: Until,
    texts: Texts,
) -> Result<Vec<Loaded>, BookError> {
    let until = match until {
        Until::Now => i64::MAX,
        Until::Sequence(sequence) => sequence,
    };
    let types: Vec<&str> = refs.iter().map(|fact| fact.aggregate_type).collect();
    let ids: Vec<String> = refs.iter().map(|fact| fact.id.to_string()).collect();
    let carries: Vec<Option<&str>> = refs.iter().map(|fact| fact.carries_forward).collect();
    let rows = sqlx::query(LOAD)
        .bind(types)
        .bind(ids)
        .bind(carries)
        .bind(until)
        .fetch_all(pool)
        .await?;

    let mut read: Vec<(i64, Stored)> = Vec::with_capacity(rows.len());
    let mut metadatas: Vec<Metadata> = Vec::with_capacity(rows.len());
    for row in rows {
        metadatas.push(serde_json::from_str(row.try_get("metadata")?)?);
        let stored = Stored {
            event_id: row.try_get("event_id")?,
            sequence: row.try_get("sequence")?,
            tenant: row.try_get("tenant_id")?,
            event_type: row.try_get("event_type")?,
            version: row.try_get("event_version")?,
            payload: row.try_get("payload")?,
            actor: metadatas.last().map_or_else(Uuid::nil, |metadata| metadata.actor),
            until: None,
        };
        read.push((row.try_get("ord")?, stored));
    }
    let sealed = metadatas.iter().flat_map(|metadata| metadata.sealed.values().copied());
    vault.learn(sealed.collect::<Vec<_>>()).await?;
    for ((ord, stored), metadata) in read.iter_mut().zip(&metadatas) {
        if let Some(fact) = usize::try_from(*ord - 1).ok().and_then(|index| refs.get(index)) {
            let stream = (fact.aggregate_type, fact.id);
            let payload = std::mem::take(&mut stored.payload);
            let opening = opened(vault, stream, stored.event_id, payload, metadata, false);
            (stored.payload, stored.until) = opening.await?;
        }
    }
    if texts == Texts::Open {
        let mut letters: Vec<Letter<'_>> = read
            .iter_mut()
            .map(|(_, stored)| Letter::of(stored.tenant, stored.event_id, &mut stored.payload))
            .collect();
        let until = texts::open_for_decision(pool, vault, &mut letters, false).await?;
        let had_any: Vec<bool> = letters.iter().map(|letter| letter.had_any).collect();
        for ((_, stored), _) in read.iter_mut().zip(had_any).filter(|(_, had_any)| *had_any) {
            stored.until = earlier(stored.until, until);
        }
    }
    let mut streams: HashMap<i64, Vec<Stored>> = HashMap::new();
    for (ord, stored) in read {
        streams.entry(ord).or_default().push(stored);
    }
    (1..)
        .zip(refs)
        .map(|(ord, fact)| folded(fact.fold, &streams.remove(&ord).unwrap_or_default()))
        .collect()
}

/// As [`load`], for one stream as it stands.
///
/// # Errors
/// The database's error, or an event that cannot be decoded.
pub async fn load_one(pool: &PgPool, vault: &Vault, fact: FactRef) -> Result<Loaded, BookError> {
    let loaded = load(pool, vault, &[fact], Until::Now, Texts::Open).await?.pop();
    loaded.ok_or_else(|| BookError::Broken("a stream that was asked for was not read".to_owned()))
}

/// The sequences of these streams' last events, each by one index probe; 0 for one that has none.
///
/// # Errors
/// The database's error.
pub async fn last_sequences(pool: &PgPool, streams: &[FactRef]) -> Result<Vec<i64>, BookError> {
    let types: Vec<&str> = streams.iter().map(|fact| fact.aggregate_type).collect();
    let ids: Vec<String> = streams.iter().map(|fact| fact.id.to_string()).collect();
    let last = sqlx::query_scalar(
        "select coalesce((select e.sequence from book.events e
                          where e.aggregate_type = s.type and e.aggregate_id = s.id
                          order by e.sequence desc limit 1), 0)
         from unnest($1::text[], $2::text[]) with ordinality s(type, id, ord) order by s.ord",
    )
    .bind(types)
    .bind(ids)
    .fetch_all(pool)
    .await?;
    Ok(last)
}

/// A stored payload with its sealed fields opened, for a decision, and until when it may be remembered if any of
/// them tells of a person.
///
/// # Errors
/// The vault's error; [`DecodeError::Sealed`] when one does not open, since nothing may be decided without it, unless
/// the caller `is_blind`: then it is null, as an erased one.
pub(crate) async fn opened(
    vault: &Vault,
    stream: (&str, Uuid),
    event_id: Uuid,
    payload: String,
    metadata: &Metadata,
    is_blind: bool,
) -> Result<(String, Option<Instant>), BookError> {
    if metadata.sealed.is_empty() {
        return Ok((payload, None));
    }
    let mut fields = serde_json::from_str(&payload)?;
    let opened = vault.open(event_id, &mut fields, &metadata.sealed).await?;
    if is_blind || opened.unopened.is_empty() {
        return Ok((fields.to_string(), opened.until));
    }
    let (aggregate_type, id) = stream;
    let named = format!("{} of {aggregate_type}/{id}", opened.unopened.join(", "));
    Err(DecodeError::Sealed(named).into())
}

struct Stored {
    event_id: Uuid,
    sequence: i64,
    tenant: Uuid,
    event_type: String,
    version: String,
    payload: String,
    actor: Uuid,
    until: Option<Instant>,
}

fn folded(fold: Fold, events: &[Stored]) -> Result<Loaded, BookError> {
    let mut stored = events.iter().map(|stored| event::Stored {
        event_type: &stored.event_type,
        version: &stored.version,
        payload: &stored.payload,
        actor: stored.actor,
    });
    let state: AnyState = fold(&mut stored)?;
    Ok(Loaded {
        state,
        sequence: events.last().map_or(0, |stored| stored.sequence),
        tenant: events.first().map(|stored| stored.tenant),
        bytes: events.iter().map(|stored| stored.payload.len()).sum(),
        until: events.iter().fold(None, |until, stored| earlier(until, stored.until)),
    })
}
