//! The requests that the tests begin with.

mod archive;
mod lease;
mod life;
mod offer;
mod receive;
mod rows;
mod stored;

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::*;
use domain::text::Unfit;
use domain::{Decider as _, canonical};
use rehearsal::given::{given, long, state};

const LEASE: TimeDelta = TimeDelta::minutes(30);
/// 2026-01-05T12:00:00Z.
const NOON: DateTime<Utc> = DateTime::from_timestamp_nanos(1_767_614_400_000_000_000);

fn metadata<const N: usize>(pairs: [(&str, &str); N]) -> Metadata {
    pairs
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

fn sent(payload: Value) -> NewRequest {
    NewRequest {
        device_id: "truck-001".to_owned(),
        request_type: "get_parts".to_owned(),
        payload: payload.into(),
        request_key: None,
        metadata: Metadata::new(),
    }
}

fn received_with(sent: NewRequest, at: DateTime<Utc>) -> Event {
    Event::RequestReceived {
        payload_hash: canonical::hash(sent.payload.value()),
        device_id: sent.device_id,
        request_type: sent.request_type,
        payload: sent.payload,
        request_key: sent.request_key,
        metadata: sent.metadata,
        received_at: Some(at),
    }
}

fn received() -> Event {
    received_with(sent(json!({"part": 1})), NOON)
}

fn begun() -> Event {
    begun_by(rehearsal::given::BY, DateTime::UNIX_EPOCH)
}

/// Begun at that time, for as long as a lease is unless a policy says otherwise.
fn begun_by(by: Uuid, at: DateTime<Utc>) -> Event {
    Event::RequestBegun {
        response_id: response_id(),
        by: Some(by),
        until: Some(at + LEASE),
    }
}

fn completed() -> Event {
    Event::RequestCompleted {
        response_id: response_id(),
        content: json!({"parts": []}).into(),
        ai_processed: true,
        metadata: metadata([("model", "small")]),
    }
}

fn failed() -> Event {
    Event::RequestFailed {
        response_id: response_id(),
        content: json!({"error": "no such part"}).into(),
        ai_processed: false,
        metadata: Metadata::new(),
    }
}

fn delivered() -> Event {
    Event::ResponseDelivered {
        response_id: response_id(),
        delivered_at: NOON,
    }
}

fn response_id() -> Uuid {
    DeviceRequest::response_id(rehearsal::given::STREAM)
}

fn respond() -> Command {
    Command::Respond {
        content: json!({"parts": []}).into(),
        ai_processed: true,
        metadata: metadata([("model", "small")]),
    }
}

fn fail() -> Command {
    Command::Fail {
        error: "no such part".to_owned(),
        ai_processed: false,
        metadata: Metadata::new(),
    }
}

fn unfit(field: &'static str, unfit: Unfit) -> Refusal {
    Refusal::Unfit { field, unfit }
}
