//! A request that a device sent. Feeds `requests` of document 001_eec75370b5eea864.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::text::{self, Unfit};
use crate::{Class, Decider, Refuse, Request, canonical, stored_by_variant};

/// Characters of a device's id.
pub const DEVICE_ID_CHARS_MAX: usize = 50;
/// Characters of the name of a type of request.
pub const REQUEST_TYPE_CHARS_MAX: usize = 50;
/// Bytes of a payload as JSON.
pub const PAYLOAD_BYTES_MAX: usize = 128 << 10;

/// The life of a request. What it asked for is read by no later decision.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub enum DeviceRequest {
    #[default]
    Unreceived,
    Received,
}

impl DeviceRequest {
    /// Whether the request has arrived, so that an order can refer to it.
    #[must_use]
    pub fn is_received(&self) -> bool {
        matches!(self, Self::Received)
    }
}

/// What can be asked of a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Takes in what a device sent.
    Receive {
        /// The device: `truck-001`. At most 50 characters.
        #[schemars(length(min = 1, max = DEVICE_ID_CHARS_MAX))]
        device_id: String,
        /// What it asks for: `get_parts`. At most 50 characters.
        #[schemars(length(min = 1, max = REQUEST_TYPE_CHARS_MAX))]
        request_type: String,
        /// The request itself, any JSON without U+0000. At most 128 KiB.
        payload: Value,
    },
}

// Stored for ever. Add variants; do not rename or reuse them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, strum::IntoStaticStr, strum::VariantNames)]
pub enum Event {
    RequestReceived {
        device_id: String,
        request_type: String,
        payload: Value,
        /// SHA-256, lower-case hex, of the payload with sorted keys and without spaces.
        payload_hash: String,
    },
}

stored_by_variant!(Event);

impl crate::Event for Event {}

/// Why a command to a request is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    #[error("this request was received already; send a new one under its own id")]
    AlreadyReceived,
    #[error("{field} {unfit}")]
    Unfit { field: &'static str, unfit: Unfit },
}

impl Refuse for Refusal {
    fn class(&self) -> Class {
        match self {
            Self::AlreadyReceived | Self::Unfit { .. } => Class::Refused,
        }
    }
    fn rule(&self) -> &'static str {
        match self {
            Self::AlreadyReceived => "already-received",
            Self::Unfit { .. } => "unfit",
        }
    }
    fn field(&self) -> Option<String> {
        match self {
            Self::AlreadyReceived => None,
            Self::Unfit { field, .. } => Some((*field).to_owned()),
        }
    }
}

impl Decider for DeviceRequest {
    const TYPE: &'static str = "cloudwatcher.request";
    const CREATES: &'static str = "receive";
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, request: &Request<'_, Command>) -> Result<Vec<Event>, Refusal> {
        match (self, request.command) {
            (
                DeviceRequest::Unreceived,
                Command::Receive {
                    device_id,
                    request_type,
                    payload,
                },
            ) => {
                let unfit = |field| move |unfit| Refusal::Unfit { field, unfit };
                text::required(device_id, DEVICE_ID_CHARS_MAX).map_err(unfit("device_id"))?;
                text::required(request_type, REQUEST_TYPE_CHARS_MAX).map_err(unfit("request_type"))?;
                text::json(payload, PAYLOAD_BYTES_MAX).map_err(unfit("payload"))?;
                Ok(vec![Event::RequestReceived {
                    device_id: device_id.clone(),
                    request_type: request_type.clone(),
                    payload: payload.clone(),
                    payload_hash: canonical::hash(payload),
                }])
            }
            (DeviceRequest::Received, Command::Receive { .. }) => Err(Refusal::AlreadyReceived),
        }
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::RequestReceived { .. } => *self = DeviceRequest::Received,
        }
    }
}

#[cfg(test)]
mod tests;
