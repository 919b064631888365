//! The events of a request, as they are stored.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::Metadata;
use crate::{CloudProvider, FileType, SyncStatus};
use domain::event::Stored;
use domain::exact::Free;
use domain::{DecodeError, stored_by_variant};

// Stored for ever. Add variants; do not rename or reuse them.
#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema, strum::IntoStaticStr, strum::VariantNames,
)]
pub enum Event {
    RequestReceived {
        device_id: String,
        request_type: String,
        payload: Free,
        /// SHA-256, lower-case hex, of the payload with sorted keys and without spaces.
        payload_hash: String,
        #[serde(default)]
        request_key: Option<String>,
        metadata: Metadata,
        /// By the clock that named the window; absent before there were windows.
        #[serde(default)]
        received_at: Option<DateTime<Utc>>,
    },
    /// Somebody is on it from now on.
    RequestBegun {
        response_id: Uuid,
        /// Who; absent before there were leases.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Uuid>,
        /// When their lease runs out; absent before there were leases.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<DateTime<Utc>>,
    },
    /// Whoever is on it goes on for longer.
    RequestProlonged { by: Uuid, until: DateTime<Utc> },
    /// Somebody is on it in the place of another, whose lease ran still.
    RequestTakenOver { by: Uuid, from: Uuid, until: DateTime<Utc> },
    /// Nobody is on it any more.
    RequestReleased {
        /// Who was; absent when it was begun before there were leases.
        #[serde(default)]
        from: Option<Uuid>,
    },
    /// Nobody is on it any more: the lease has run out.
    RequestLapsed { from: Uuid },
    RequestAnnotated {
        /// The keys that were set, new and changed alike.
        metadata: Metadata,
    },
    /// The response is ready.
    RequestCompleted {
        response_id: Uuid,
        content: Free,
        ai_processed: bool,
        /// The response's.
        metadata: Metadata,
    },
    /// The response says what went wrong.
    RequestFailed {
        response_id: Uuid,
        content: Free,
        ai_processed: bool,
        /// The response's.
        metadata: Metadata,
    },
    ResponseDelivered {
        response_id: Uuid,
        delivered_at: DateTime<Utc>,
    },
    RequestFileAttached {
        file_id: Uuid,
        file_type: FileType,
        /// Of a file that belongs to the response.
        #[serde(default)]
        response_id: Option<Uuid>,
        cloud_provider: CloudProvider,
        cloud_path: String,
        #[serde(default)]
        file_size_bytes: Option<i64>,
        #[serde(default)]
        uploaded_at: Option<DateTime<Utc>>,
    },
    RequestFileMarked {
        file_id: Uuid,
        sync_status: SyncStatus,
        /// As it is from now on.
        #[serde(default)]
        uploaded_at: Option<DateTime<Utc>>,
    },
    AgentDecisionRecorded {
        decision_id: Uuid,
        agent_name: String,
        decision_type: String,
        decision_value: String,
        #[serde(default)]
        reasoning: Option<Free>,
        #[serde(default)]
        confidence_score: Option<Decimal>,
    },
    /// All its rows leave the tables; these are their names.
    RequestArchived {
        archive: String,
        /// SHA-256, lower-case hex, of the archive's content before it was compressed.
        sha256: String,
        response_id: Uuid,
        /// Keys of the request's metadata.
        metadata: BTreeSet<String>,
        /// Keys of the response's metadata.
        response_metadata: BTreeSet<String>,
        files: BTreeSet<Uuid>,
    },
}

stored_by_variant!(Event {
    RequestReceived => "2",
});

impl domain::Event for Event {
    fn upcast(stored: &Stored<'_>) -> Result<(String, String), DecodeError> {
        let payload = match (stored.event_type, stored.version) {
            // Until version 2 a request had no key and no attributes.
            ("RequestReceived", "1") => stored.with_fields([("metadata", json!({}))])?,
            _ => return Err(stored.unknown()),
        };
        Ok((stored.event_type.to_owned(), payload))
    }
}
