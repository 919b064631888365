//! What the golden history folds to: the part of a context's fingerprint that tells its folds.

use chrono::{DateTime, Utc};
use domain::{AnyEvent, GOLDEN_HISTORY, Metadata, Recorded};
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

/// The events of the golden history that a context posts, in order.
///
/// # Errors
/// When the history cannot be read, which is a defect of this program.
pub fn history(context: &Context) -> Result<Vec<Recorded<AnyEvent>>, String> {
    let stored: Vec<Stored> = serde_json::from_str(GOLDEN_HISTORY).map_err(|error| error.to_string())?;
    let mut events = Vec::new();
    for stored in stored {
        let recorded = stored.recorded();
        if let Some(event) = context.decode(&recorded).map_err(|error| error.to_string())? {
            events.push(recorded.map(|_| event));
        }
    }
    Ok(events)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Projection;

    #[test]
    fn a_context_reads_every_kind_of_stream_that_a_table_of_it_posts() {
        let stored: Vec<Stored> = serde_json::from_str(GOLDEN_HISTORY).unwrap();
        for stored in stored {
            let recorded = stored.recorded();
            let aggregate_type = recorded.aggregate_type.clone();
            let event = AnyEvent::decode(&aggregate_type, &recorded.stored()).unwrap().unwrap();
            let event = [recorded.map(|_| event)];
            for context in crate::CONTEXTS {
                // A row, or the lack of one that should be there: either way the table wants the event.
                let wants =
                    |projection: &&&dyn Projection| projection.folded(&event).map_or(true, |rows| !rows.is_empty());
                if let Some(projection) = context.tables.iter().find(wants) {
                    let table = projection.table().name;
                    assert!(
                        context.reads.contains(&&*aggregate_type),
                        "{table} posts {aggregate_type}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_golden_history_leaves_a_row_in_every_table() {
        for context in crate::CONTEXTS {
            let events = history(context).unwrap();
            for (table, rows) in context.folded(&events).unwrap() {
                assert!(!rows.is_empty(), "{table}");
            }
        }
    }
}
