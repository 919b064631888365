//! One stream as postgres-es reads it.
//!
//! postgres-es takes the name of a kind of stream from a type, and here kinds are values. So each kind is read through
//! a repository of its own, over the events of that kind alone, all of them under one name that a type can have.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use cqrs_es::event_sink::EventSink;
use cqrs_es::persist::{PersistedEventRepository as _, PersistenceError, SerializedEvent};
use cqrs_es::{Aggregate, DomainEvent};
use domain::event::{self, Stored};
use domain::{FactRef, Metadata};
use postgres_es::PostgresEventRepository;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgPool;
use uuid::Uuid;

use crate::cache::Loaded;
use crate::texts::{self, Letter};
use crate::vault::earlier;
use crate::{BookError, Vault, facts};

/// Reads streams one at a time.
pub(crate) struct Streams {
    pool: PgPool,
    of_kind: Mutex<HashMap<&'static str, Arc<PostgresEventRepository>>>,
}

impl Streams {
    pub fn new(pool: PgPool) -> Self {
        Self {
            pool,
            of_kind: Mutex::default(),
        }
    }

    /// The stream as the book has it. `is_blind` takes sealed fields that do not open for erased ones.
    pub async fn load(&self, vault: &Vault, fact: FactRef, is_blind: bool) -> Result<Loaded, BookError> {
        if fact.carries_forward.is_some() {
            // postgres-es can begin in the middle of a stream, but does not know where.
            return facts::load_one(&self.pool, vault, fact).await;
        }
        let id = fact.id.to_string();
        let read = self.repository(fact.aggregate_type).get_events::<Stream>(&id).await;
        let read: Vec<SerializedEvent> = read.map_err(unread)?;
        let (mut tenant, mut bytes, mut until) = (None, 0, None);
        let sequence = read.len() as i64;
        let mut opened = Vec::with_capacity(read.len());
        let metadatas: Vec<Metadata> = read
            .iter()
            .map(|event| Metadata::deserialize(&event.metadata))
            .collect::<Result<_, _>>()?;
        let sealed = metadatas.iter().flat_map(|metadata| metadata.sealed.values().copied());
        vault.learn(sealed.collect::<Vec<_>>()).await?;
        for (event, metadata) in read.into_iter().zip(metadatas) {
            tenant.get_or_insert(metadata.tenant_id);
            let stream = (fact.aggregate_type, fact.id);
            let event_id = event::event_id(fact.aggregate_type, fact.id, event.sequence as i64);
            let payload = as_stored(event.payload);
            let opening = facts::opened(vault, stream, event_id, payload, &metadata, is_blind);
            let (payload, opened_until) = opening.await?;
            until = earlier(until, opened_until);
            bytes += payload.len();
            opened.push(Opened {
                tenant: metadata.tenant_id,
                event_id,
                event_type: event.event_type,
                version: event.event_version,
                payload,
                actor: metadata.actor,
            });
        }
        let mut letters: Vec<Letter<'_>> = opened
            .iter_mut()
            .map(|opened| Letter::of(opened.tenant, opened.event_id, &mut opened.payload))
            .collect();
        let had_any = texts::open_for_decision(&self.pool, vault, &mut letters, is_blind).await?;
        until = earlier(until, had_any);
        let mut stored = opened.iter().map(|opened| Stored {
            event_type: &opened.event_type,
            version: &opened.version,
            payload: &opened.payload,
            actor: opened.actor,
        });
        Ok(Loaded {
            state: (fact.fold)(&mut stored)?,
            sequence,
            tenant,
            bytes,
            until,
        })
    }

    fn repository(&self, aggregate_type: &'static str) -> Arc<PostgresEventRepository> {
        let mut of_kind = self.of_kind.lock().unwrap_or_else(PoisonError::into_inner);
        let repository = of_kind.entry(aggregate_type).or_insert_with(|| {
            // It is only ever read through; there are no snapshots and never will be, see Sourced.
            let repository = PostgresEventRepository::new(self.pool.clone());
            Arc::new(repository.with_tables(&events_of(aggregate_type), "book.snapshots"))
        });
        repository.clone()
    }
}

/// An event with its sealed fields opened.
struct Opened {
    tenant: Uuid,
    event_id: Uuid,
    event_type: String,
    version: String,
    payload: String,
    actor: Uuid,
}

/// The payload's text, which comes as a string of JSON: postgres-es reads values, and those would lose digits of numbers.
fn as_stored(payload: Value) -> String {
    match payload {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// The events of one kind of stream, in the place of a table.
fn events_of(aggregate_type: &str) -> String {
    let name = aggregate_type.replace('\'', "''");
    format!(
        "(select '{}' as aggregate_type, aggregate_id, sequence, event_type, event_version,
                 to_json(payload::text) as payload, metadata
          from book.events where aggregate_type = '{name}') events",
        Stream::TYPE
    )
}

/// Any stream, as far as reading it goes.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Stream {}

/// Events are folded elsewhere, with their own types.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Unread {}

impl DomainEvent for Unread {
    fn event_type(&self) -> String {
        match *self {}
    }
    fn event_version(&self) -> String {
        match *self {}
    }
}

impl Aggregate for Stream {
    const TYPE: &'static str = "stream";
    type Command = ();
    type Event = Unread;
    type Error = Infallible;
    type Services = ();

    async fn handle(&mut self, (): (), (): &(), _sink: &EventSink<Self>) -> Result<(), Infallible> {
        Ok(())
    }

    fn apply(&mut self, event: Unread) {
        match event {}
    }
}

fn unread(error: PersistenceError) -> BookError {
    let unboxed = |error: Box<dyn std::error::Error + Send + Sync>| match error.downcast::<sqlx::Error>() {
        Ok(error) => BookError::Database(*error),
        Err(error) => BookError::Broken(error.to_string()),
    };
    match error {
        PersistenceError::ConnectionError(error)
        | PersistenceError::DeserializationError(error)
        | PersistenceError::UnknownError(error) => unboxed(error),
        PersistenceError::OptimisticLockError => BookError::Broken("reading a stream cannot conflict".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_named_within_quotes_that_it_cannot_leave() {
        assert!(events_of("a.b'; drop table x; --").contains("= 'a.b''; drop table x; --')"));
    }
}
