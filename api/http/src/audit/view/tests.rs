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
