//! What is stored, and what it may hold.

use super::*;
use domain::event::{Stored, decode};

#[test]
fn a_request_is_hashed_with_sorted_keys_and_without_spaces() {
    let hash = "43258cff783fe7036d8a43033f830adfc60ec037382473548ac742b888292777";
    let payload: Value = serde_json::from_str(r#"{ "b": 2, "a": 1 }"#).unwrap();
    let received = given::<DeviceRequest>([])
        .when(Command::Receive(sent(payload)))
        .events();
    assert!(matches!(&received[..], [Event::RequestReceived { payload_hash, .. }] if payload_hash == hash));
}

#[test]
fn a_payload_is_any_json_that_a_column_can_hold() {
    for payload in [
        Value::Null,
        json!(1.5),
        json!("text"),
        json!([]),
        json!({"a": {"b": [true]}}),
    ] {
        let received = given::<DeviceRequest>([]).when(Command::Receive(sent(payload)));
        assert_eq!(received.events().len(), 1);
    }
    let refused = |payload, refusal| {
        given::<DeviceRequest>([])
            .when(Command::Receive(sent(payload)))
            .refused(unfit("payload", refusal));
    };
    refused(json!({"a": ["\0"]}), Unfit::Nul);
    refused(
        json!("x".repeat(PAYLOAD_BYTES_MAX)),
        Unfit::TooLarge {
            bytes: PAYLOAD_BYTES_MAX + 2,
            max: PAYLOAD_BYTES_MAX,
        },
    );
}

#[test]
fn the_device_the_type_and_the_key_fit_their_columns() {
    let refused = |change: fn(&mut NewRequest), refusal| {
        let mut sent = sent(Value::Null);
        change(&mut sent);
        given::<DeviceRequest>([]).when(Command::Receive(sent)).refused(refusal);
    };
    refused(
        |sent| sent.device_id = long(51),
        unfit("device_id", Unfit::TooLong { chars: 51, max: 50 }),
    );
    refused(
        |sent| sent.request_type = " ".to_owned(),
        unfit("request_type", Unfit::Empty),
    );
    refused(
        |sent| sent.request_key = Some(String::new()),
        unfit("request_key", Unfit::Empty),
    );
    refused(
        |sent| sent.request_key = Some(long(101)),
        unfit("request_key", Unfit::TooLong { chars: 101, max: 100 }),
    );
}

#[test]
fn a_float_in_a_payload_reads_back_as_it_was_hashed() {
    let payload: Value = serde_json::from_str("[0.1, 31.245270191439438, 1.0e-7, 123456789.12345679]").unwrap();
    let stored = serde_json::to_string(&payload).unwrap();
    let read: Value = serde_json::from_str(&stored).unwrap();
    assert_eq!(canonical::hash(&read), canonical::hash(&payload));
}

#[test]
fn numbers_in_payloads_keep_their_digits_and_column_and_hash_hold_them() {
    let body = r#"{"receive":{"device_id":"truck-001","request_type":"measure","payload":[0.1000000000000000055,1e400,12345678901234567890.123]}}"#;
    let command = DeviceRequest::read(&domain::exact::from_str(body).unwrap()).unwrap();
    let events = given::<DeviceRequest>([]).when(command).events();
    let stored = domain::event::encode(&events[0]).unwrap();
    assert!(
        stored.contains("[0.1000000000000000055,1e400,12345678901234567890.123]"),
        "{stored}"
    );
    let read: Event = decode(&Stored {
        event_type: "RequestReceived",
        version: "2",
        payload: &stored,
        actor: Uuid::nil(),
    })
    .unwrap();
    assert_eq!(events, [read]);
    let refused = |payload: &str| {
        let payload = domain::exact::from_str(payload).unwrap();
        given::<DeviceRequest>([])
            .when(Command::Receive(sent(payload)))
            .outcome()
            .unwrap_err()
    };
    assert!(refused("1e1001").to_string().contains("write it as a string"));
    let many = format!("[{}0]", "1e1000,".repeat(132));
    assert!(matches!(
        refused(&many),
        Refusal::Unfit {
            unfit: Unfit::TooLarge { .. },
            ..
        }
    ));
}

#[test]
fn a_request_of_the_first_version_had_no_key_and_no_attributes() {
    let payload = json!({
        "device_id": "truck-001", "request_type": "get_parts", "payload": 1, "payload_hash": canonical::hash(&json!(1)),
    });
    let event: Event = decode(&Stored {
        event_type: "RequestReceived",
        version: "1",
        payload: &payload.to_string(),
        actor: Uuid::nil(),
    })
    .unwrap();
    assert!(matches!(
        &event,
        Event::RequestReceived { request_key: None, metadata, received_at: None, .. } if metadata.is_empty()
    ));
    given::<DeviceRequest>([event])
        .when(Command::Receive(sent(json!(1))))
        .refused(Refusal::AlreadyReceived);
}
