//! What the golden history of a context folds to: the part of a context's fingerprint that tells its folds.

use chrono::{DateTime, Utc};
use domain::{AnyEvent, Metadata, Recorded};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::context::Context;

/// The rows of every table as canonical JSON.
///
/// # Errors
/// When the history cannot be read or folded, which is a defect of this program.
pub fn folded(context: &Context) -> Result<String, String> {
    let events = history(context)?;
    let folded = context.folded(&events).map_err(|error| error.to_string())?;
    let tables = folded.into_iter().map(|(table, rows)| {
        let rows = rows.into_iter().map(Value::Object).collect();
        (table.to_owned(), Value::Array(rows))
    });
    Ok(domain::canonical::text(&Value::Object(tables.collect())))
}

/// The events of a context's golden history that it posts, in order.
///
/// # Errors
/// When the history cannot be read, which is a defect of this program.
pub fn history(context: &Context) -> Result<Vec<Recorded<AnyEvent>>, String> {
    let mut events = Vec::new();
    for recorded in stored(context)? {
        if let Some(event) = context.decode(&recorded).map_err(|error| error.to_string())? {
            events.push(recorded.map(|_| event));
        }
    }
    Ok(events)
}

/// Every event of a context's golden history as the book would hold it, with the sealed fields in plain.
///
/// # Errors
/// When the history cannot be read, which is a defect of this program.
pub fn stored(context: &Context) -> Result<Vec<Recorded<String>>, String> {
    read(context.history)
}

/// The events of a golden history, as [`stored`] has them.
///
/// # Errors
/// When it cannot be read.
pub fn read(history: &str) -> Result<Vec<Recorded<String>>, String> {
    let stored: Vec<Stored> = serde_json::from_str(history).map_err(|error| error.to_string())?;
    Ok(stored.into_iter().map(Stored::recorded).collect())
}

/// An event as the golden history has it.
#[derive(Deserialize)]
struct Stored {
    position: i64,
    tenant_id: Uuid,
    aggregate_type: String,
    stream: Uuid,
    sequence: i64,
    event_type: String,
    event_version: String,
    payload: Box<RawValue>,
    metadata: Metadata,
    recorded_at: DateTime<Utc>,
}

impl Stored {
    fn recorded(self) -> Recorded<String> {
        Recorded {
            position: self.position,
            event_id: domain::event::event_id(&self.aggregate_type, self.stream, self.sequence),
            tenant_id: self.tenant_id,
            aggregate_type: self.aggregate_type,
            stream: self.stream,
            sequence: self.sequence,
            event_type: self.event_type,
            event_version: self.event_version,
            metadata: self.metadata,
            at: self.recorded_at,
            recorded_at: self.recorded_at,
            event: self.payload.get().to_owned(),
        }
    }
}
