//! When two requests are one: the same device and key, or, without a key, the same device, type and payload
//! within the tenant's window.
//!
//! Both make the id of the request's stream, so that a repeat meets what it repeats without a search. The
//! window slides from the first receipt on, although an id cannot: time is cut into spans as long as the
//! window, each with an id of its own, and what was received less than a window ago lies in the span of now,
//! or in the one before. A decision reads the span before as a fact, and the one after as well, for the
//! clocks of several processes disagree about where a span ends.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{DeviceRequest, Metadata};
use domain::canonical;

impl DeviceRequest {
    /// The stream of the request to which a device gave this key.
    #[must_use]
    pub fn keyed(tenant: Uuid, device_id: &str, request_key: &str) -> Uuid {
        named(tenant, &json!(["key", device_id, request_key]))
    }

    /// SHA-256 of what a repeat must say to be one. With a key it must say all that the first said. Without
    /// one its metadata, which tells of the sending rather than of what is asked, may differ.
    #[must_use]
    pub fn body_hash(
        device_id: &str,
        request_type: &str,
        payload_hash: &str,
        request_key: Option<&str>,
        metadata: &Metadata,
    ) -> String {
        let metadata = request_key.map(|_| metadata);
        canonical::hash(&json!([device_id, request_type, payload_hash, metadata]))
    }
}

/// All that requests without a key have in common when they are one, but for the time.
#[derive(Debug, Clone, Copy)]
pub struct Window<'a> {
    pub tenant: Uuid,
    pub device_id: &'a str,
    pub request_type: &'a str,
    /// SHA-256, lower-case hex, of the canonical payload.
    pub payload_hash: &'a str,
    /// How long the window is.
    pub minutes: i32,
}

impl Window<'_> {
    /// The stream of what is received at this time for the first time.
    #[must_use]
    pub fn stream(&self, at: DateTime<Utc>) -> Uuid {
        self.span(self.number(at))
    }

    /// The streams of the spans before and after that time's: a request at that time may repeat theirs.
    #[must_use]
    pub fn neighbours(&self, at: DateTime<Utc>) -> [Uuid; 2] {
        let number = self.number(at);
        [self.span(number - 1), self.span(number + 1)]
    }

    /// Whether a request at this time repeats what was received in a neighbouring span.
    #[must_use]
    pub fn repeats(&self, neighbour: &DeviceRequest, at: DateTime<Utc>) -> bool {
        let received_at = neighbour.received().and_then(|received| received.received_at);
        received_at.is_some_and(|received_at| (at - received_at).abs() < TimeDelta::minutes(self.minutes.into()))
    }

    fn number(&self, at: DateTime<Utc>) -> i64 {
        at.timestamp().div_euclid(i64::from(self.minutes) * 60)
    }

    fn span(&self, number: i64) -> Uuid {
        let said = json!([
            "payload",
            self.device_id,
            self.request_type,
            self.payload_hash,
            self.minutes,
            number
        ]);
        named(self.tenant, &said)
    }
}

fn named(tenant: Uuid, said: &Value) -> Uuid {
    Uuid::new_v5(&tenant, format!("cloudwatcher.request/{said}").as_bytes())
}
