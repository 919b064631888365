//! An event as it is shown.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use domain::exact::{self, Free};
use domain::{Contexts, Recorded};
use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

/// Which parts of an event somebody may see.
#[derive(Debug, Clone)]
pub struct Sight {
    pub personal: bool,
    /// Fields of kinds of streams that they may not see, see [`domain::Decider::MASKED`].
    pub hidden: BTreeSet<(&'static str, &'static str)>,
    /// They say which fields of their events are addresses, see [`domain::Decider::ADDRESSES`].
    pub contexts: Contexts,
}

/// The fields that somebody may not see who has these permissions.
#[must_use]
pub fn hidden(contexts: &Contexts, permits: impl Fn(&str) -> bool) -> BTreeSet<(&'static str, &'static str)> {
    let masked = contexts.aggregates().flat_map(|kind| {
        let of_kind = kind.masked.iter().filter(|(_, permission)| !permits(permission));
        of_kind.map(|(field, _)| (kind.aggregate_type, *field))
    });
    masked.collect()
}

/// An event with who, when and why.
#[derive(Serialize)]
pub struct Shown {
    pub position: i64,
    pub event_id: Uuid,
    pub aggregate_type: String,
    pub stream: Uuid,
    pub sequence: i64,
    pub event_type: String,
    pub event_version: String,
    /// When the book wrote it.
    pub at: DateTime<Utc>,
    /// When it happened, where that was before: history that was brought in.
    pub occurred_at: Option<DateTime<Utc>>,
    /// The user who asked for it.
    pub by: Uuid,
    pub correlation_id: Uuid,
    pub causation_id: Option<Uuid>,
    pub command_id: Uuid,
    pub reason: Option<String>,
    /// Where the command came from; null without `personal.read`.
    pub ip: Option<String>,
    pub traceparent: Option<String>,
    /// Payload fields that tell who a person is: null without `personal.read`, and once erased. An address in
    /// the payload is null without that permission too.
    pub sealed: Vec<String>,
    /// Those of them that could not be opened and are null for that reason: the key, or what was sealed, is not
    /// what it was.
    pub unopened: Vec<String>,
    pub payload: Free,
}

/// The event, as far as it may be seen.
#[must_use]
pub fn shown(recorded: Recorded<String>, sight: &Sight) -> Shown {
    let recorded = without_hidden(masked(recorded, sight), sight);
    let metadata = recorded.metadata;
    Shown {
        position: recorded.position,
        event_id: recorded.event_id,
        aggregate_type: recorded.aggregate_type,
        stream: recorded.stream,
        sequence: recorded.sequence,
        event_type: recorded.event_type,
        event_version: recorded.event_version,
        at: recorded.recorded_at,
        occurred_at: metadata.occurred_at,
        by: metadata.actor,
        correlation_id: metadata.correlation_id,
        causation_id: metadata.causation_id,
        command_id: metadata.command_id,
        reason: metadata.reason,
        ip: metadata.ip.filter(|_| sight.personal),
        traceparent: metadata.traceparent,
        sealed: metadata.sealed.into_keys().collect(),
        unopened: metadata.unopened,
        payload: serde_json::from_str(&recorded.event).unwrap_or_default(),
    }
}

/// The event with its sealed fields and its addresses null, unless they may be seen.
#[must_use]
pub fn masked(recorded: Recorded<String>, sight: &Sight) -> Recorded<String> {
    let kind = sight.contexts.aggregate(&recorded.aggregate_type);
    // Of a context that this program is without, nobody here knows which fields are addresses: any may be.
    let addresses = kind.map(|kind| kind.addresses);
    if sight.personal || (recorded.metadata.sealed.is_empty() && addresses.is_some_and(<[_]>::is_empty)) {
        return recorded;
    }
    let sealed = recorded.metadata.sealed.clone();
    recorded.map(|payload| {
        let mut fields: Map<String, Value> = serde_json::from_str(&payload).unwrap_or_default();
        for (name, value) in &mut fields {
            if sealed.contains_key(name) || addresses.is_none_or(|addresses| addresses.contains(&name.as_str())) {
                *value = Value::Null;
            }
        }
        Value::Object(fields).to_string()
    })
}

/// The event with its fields null that a permission of their own is needed for.
#[must_use]
pub fn without_hidden(recorded: Recorded<String>, sight: &Sight) -> Recorded<String> {
    let hides = |field: &str| sight.hidden.contains(&(recorded.aggregate_type.as_str(), field));
    let kind = sight.contexts.aggregate(&recorded.aggregate_type);
    if !kind.is_some_and(|kind| kind.masked.iter().any(|(field, _)| hides(field))) {
        return recorded;
    }
    let kind = recorded.aggregate_type.clone();
    recorded.map(|payload| {
        // Numbers of any length stay as they are.
        let mut payload = exact::from_str(&payload).unwrap_or_default();
        hide(&mut payload, &kind, sight);
        exact::text(&payload)
    })
}

/// Takes away what is hidden of a kind of streams, wherever it stands.
pub fn hide(value: &mut Value, kind: &str, sight: &Sight) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match sight.hidden.contains(&(kind, name.as_str())) {
                    true => *value = Value::Null,
                    false => hide(value, kind, sight),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| hide(value, kind, sight)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests;
