//! An event as it is shown.

use chrono::{DateTime, Utc};
use domain::cloudwatcher::device_connection::DeviceConnection;
use domain::{Decider as _, Recorded};
use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

/// Payload fields that are not sealed and, like the address of a command, are not for everybody.
const ADDRESSES: [(&str, &str); 1] = [(DeviceConnection::TYPE, "ip_address")];

/// Which parts of an event somebody may see.
#[derive(Debug, Clone, Copy)]
pub struct Sight {
    pub personal: bool,
}

/// An event with who, when and why.
#[derive(Debug, Serialize)]
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
    pub payload: Value,
}

/// The event, as far as it may be seen.
#[must_use]
pub fn shown(recorded: Recorded<String>, sight: Sight) -> Shown {
    let recorded = masked(recorded, sight);
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
pub fn masked(recorded: Recorded<String>, sight: Sight) -> Recorded<String> {
    let of_type = |(aggregate_type, _): &&(&str, &str)| *aggregate_type == recorded.aggregate_type;
    let addresses: Vec<&str> = ADDRESSES.iter().filter(of_type).map(|(_, field)| *field).collect();
    if sight.personal || (recorded.metadata.sealed.is_empty() && addresses.is_empty()) {
        return recorded;
    }
    let sealed = recorded.metadata.sealed.clone();
    recorded.map(|payload| {
        let mut fields: Map<String, Value> = serde_json::from_str(&payload).unwrap_or_default();
        for (name, value) in &mut fields {
            if sealed.contains_key(name) || addresses.contains(&name.as_str()) {
                *value = Value::Null;
            }
        }
        Value::Object(fields).to_string()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Metadata;
    use domain::cloudwatcher::device_connection;
    use serde_json::json;

    fn recorded() -> Recorded<String> {
        let person = Uuid::from_u128(1);
        let sealed = [("email".to_owned(), person)].into();
        Recorded {
            position: 1,
            event_id: Uuid::nil(),
            tenant_id: Uuid::nil(),
            aggregate_type: "identity.user".to_owned(),
            stream: person,
            sequence: 1,
            event_type: "UserRegistered".to_owned(),
            event_version: "1".to_owned(),
            metadata: Metadata {
                sealed,
                ip: Some("10.0.0.1".to_owned()),
                ..Metadata::default()
            },
            at: Utc::now(),
            recorded_at: Utc::now(),
            event: r#"{"email":"ada@example.com","oauth_provider":null}"#.to_owned(),
        }
    }

    #[test]
    fn whoever_may_not_read_personal_data_sees_that_it_is_sealed() {
        let seen = shown(recorded(), Sight { personal: false });
        assert_eq!(seen.payload["email"], Value::Null);
        assert_eq!((seen.sealed, seen.ip), (vec!["email".to_owned()], None));
    }

    #[test]
    fn the_address_of_a_device_is_for_those_who_may_read_personal_data() {
        let event = json!({
            "device_id": "truck-001", "connection_type": "websocket", "ip_address": "192.0.2.7",
            "connected_at": "2026-11-01T08:00:00Z",
        });
        let connected = Recorded {
            aggregate_type: DeviceConnection::TYPE.to_owned(),
            event_type: "DeviceConnected".to_owned(),
            event: event.to_string(),
            metadata: Metadata::default(),
            ..recorded()
        };
        let seen = |personal| shown(connected.clone(), Sight { personal }).payload;
        assert_eq!(seen(true), event);
        assert_eq!(seen(false)["ip_address"], Value::Null);
        assert_eq!(seen(false)["device_id"], event["device_id"]);
        // What is hidden still makes an event, so that a state can be told from it.
        let hidden = masked(connected.clone(), Sight { personal: false });
        let read = serde_json::from_value::<device_connection::Event>(json!({
            "DeviceConnected": serde_json::from_str::<Value>(&hidden.event).unwrap()
        }));
        assert!(read.is_ok(), "{read:?}");
    }

    #[test]
    fn whoever_may_read_personal_data_sees_it() {
        assert_eq!(
            shown(recorded(), Sight { personal: true }).payload["email"],
            "ada@example.com"
        );
    }
}
