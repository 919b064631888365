use super::*;
use crate::given::{given, long, state};
use serde_json::json;

fn receive(payload: Value) -> Command {
    Command::Receive {
        device_id: "truck-001".to_owned(),
        request_type: "get_parts".to_owned(),
        payload,
    }
}

fn received(payload: Value, payload_hash: &str) -> Event {
    Event::RequestReceived {
        device_id: "truck-001".to_owned(),
        request_type: "get_parts".to_owned(),
        payload,
        payload_hash: payload_hash.to_owned(),
    }
}

#[test]
fn a_request_is_hashed_with_sorted_keys_and_without_spaces() {
    let hash = "43258cff783fe7036d8a43033f830adfc60ec037382473548ac742b888292777";
    let payload: Value = serde_json::from_str(r#"{ "b": 2, "a": 1 }"#).unwrap();
    given::<DeviceRequest>([])
        .when(receive(payload.clone()))
        .then([received(payload, hash)]);
    assert_eq!(canonical::text(&json!({"a": 1, "b": 2})), r#"{"a":1,"b":2}"#);
}

#[test]
fn a_request_is_received_once() {
    given::<DeviceRequest>([received(json!(1), "")])
        .when(receive(json!(1)))
        .refused(Refusal::AlreadyReceived);
    assert!(state::<DeviceRequest>([received(json!(1), "")]).is_received());
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
        assert_eq!(given::<DeviceRequest>([]).when(receive(payload)).events().len(), 1);
    }
    let refusal = |unfit| Refusal::Unfit {
        field: "payload",
        unfit,
    };
    given::<DeviceRequest>([])
        .when(receive(json!({"a": ["\0"]})))
        .refused(refusal(Unfit::Nul));
    let large = json!("x".repeat(PAYLOAD_BYTES_MAX));
    let too_large = Unfit::TooLarge {
        bytes: PAYLOAD_BYTES_MAX + 2,
        max: PAYLOAD_BYTES_MAX,
    };
    given::<DeviceRequest>([])
        .when(receive(large))
        .refused(refusal(too_large));
}

#[test]
fn the_device_and_the_type_fit_their_columns() {
    let receive = |device_id: &str, request_type: &str| Command::Receive {
        device_id: device_id.to_owned(),
        request_type: request_type.to_owned(),
        payload: Value::Null,
    };
    let too_long = Unfit::TooLong { chars: 51, max: 50 };
    given::<DeviceRequest>([])
        .when(receive(&long(51), "a"))
        .refused(Refusal::Unfit {
            field: "device_id",
            unfit: too_long,
        });
    given::<DeviceRequest>([])
        .when(receive("a", " "))
        .refused(Refusal::Unfit {
            field: "request_type",
            unfit: Unfit::Empty,
        });
}

#[test]
fn a_float_in_a_payload_reads_back_as_it_was_hashed() {
    let payload: Value = serde_json::from_str("[0.1, 31.245270191439438, 1.0e-7, 123456789.12345679]").unwrap();
    let stored = serde_json::to_string(&payload).unwrap();
    let read: Value = serde_json::from_str(&stored).unwrap();
    assert_eq!(canonical::hash(&read), canonical::hash(&payload));
}
