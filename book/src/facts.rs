//! Loads the states of many streams in one query.

use std::collections::HashMap;

use domain::event;
use domain::fact::{AnyState, Fold};
use domain::{FactRef, Metadata};
use sqlx::{PgPool, Row as _};
use uuid::Uuid;

use crate::cache::Loaded;
use crate::{BookError, Vault};

/// How much of the streams is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// All there is.
    Now,
    /// The events up to this sequence.
    Sequence(i64),
}

/// Reads every named stream; one without events comes back with sequence 0.
///
/// # Errors
/// The database's error, or an event that cannot be decoded.
pub async fn load(pool: &PgPool, vault: &Vault, refs: &[FactRef], until: Until) -> Result<Vec<Loaded>, BookError> {
    let until = match until {
        Until::Now => i64::MAX,
        Until::Sequence(sequence) => sequence,
    };
    let types: Vec<&str> = refs.iter().map(|fact| fact.aggregate_type).collect();
    let ids: Vec<String> = refs.iter().map(|fact| fact.id.to_string()).collect();
    let rows = sqlx::query(
        "select s.ord, e.tenant_id, e.event_id, e.event_type, e.event_version, e.payload::text as payload,
                e.metadata::text as metadata
         from unnest($1::text[], $2::text[]) with ordinality s(type, id, ord)
         join book.events e on e.aggregate_type = s.type and e.aggregate_id = s.id and e.sequence <= $3
         order by s.ord, e.sequence",
    )
    .bind(types)
    .bind(ids)
    .bind(until)
    .fetch_all(pool)
    .await?;

    let mut streams: HashMap<i64, Vec<Stored>> = HashMap::new();
    for row in rows {
        let mut stored = Stored {
            tenant: row.try_get("tenant_id")?,
            event_type: row.try_get("event_type")?,
            version: row.try_get("event_version")?,
            payload: row.try_get("payload")?,
            actor: Uuid::nil(),
        };
        let metadata: Metadata = serde_json::from_str(row.try_get("metadata")?)?;
        stored.actor = metadata.actor;
        stored.payload = opened(vault, row.try_get("event_id")?, stored.payload, &metadata).await?;
        streams.entry(row.try_get("ord")?).or_default().push(stored);
    }
    (1..)
        .zip(refs)
        .map(|(ord, fact)| folded(fact.fold, &streams.remove(&ord).unwrap_or_default()))
        .collect()
}

/// A stored payload with its sealed fields opened.
///
/// # Errors
/// The vault's error.
pub async fn opened(vault: &Vault, event_id: Uuid, payload: String, metadata: &Metadata) -> Result<String, BookError> {
    if metadata.sealed.is_empty() {
        return Ok(payload);
    }
    let mut fields = serde_json::from_str(&payload)?;
    vault.open(event_id, &mut fields, &metadata.sealed).await?;
    Ok(fields.to_string())
}

struct Stored {
    tenant: Uuid,
    event_type: String,
    version: String,
    payload: String,
    actor: Uuid,
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
        sequence: events.len() as i64,
        tenant: events.first().map(|stored| stored.tenant),
        bytes: events.iter().map(|stored| stored.payload.len()).sum(),
    })
}
