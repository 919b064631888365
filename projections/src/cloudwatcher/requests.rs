//! What devices asked for.

use chrono::{DateTime, Utc};
use domain::cloudwatcher::request::Event;
use domain::{AnyEvent, Recorded};
use uuid::Uuid;

use crate::fold::{FoldError, Project, actor};
use crate::row;
use crate::table::Scope;

row! {
    /// A request that a device sent.
    RequestRow = cloudwatcher.requests
    key {
        /// The request's id.
        id: Uuid,
    }
    columns {
        /// The device: `truck-001`.
        device_id: String,
        /// What it asks for: `get_parts`, `update_inventory`.
        request_type: String,
        /// How far it got: `pending`, `processing`, `completed`, `failed`.
        status: String,
        /// SHA-256 of the payload in hexadecimal; equal for equal payloads.
        payload_hash: String,
        /// The user whose device it is; null when Daybook itself sent it.
        created_by: Option<Uuid>,
        /// When it was received.
        created_at: DateTime<Utc>,
        /// When its status last changed.
        updated_at: DateTime<Utc>,
    }
    generated {}
    find { id, device_id, request_type, status, payload_hash, created_by, created_at }
    scope { Scope::Tenant }
    masked {}
}

impl Project for RequestRow {
    const OWNED: bool = true;

    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        match &recorded.event {
            AnyEvent::DeviceRequest(_) => vec![recorded.stream],
            _ => Vec::new(),
        }
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        let AnyEvent::DeviceRequest(event) = &recorded.event else {
            return Ok(row);
        };
        Ok(Some(match event {
            Event::RequestReceived {
                device_id,
                request_type,
                payload: _,
                payload_hash,
            } => Self {
                tenant_id: recorded.tenant_id,
                id,
                device_id: device_id.clone(),
                request_type: request_type.clone(),
                status: "pending".to_owned(),
                payload_hash: payload_hash.clone(),
                created_by: actor(recorded),
                created_at: recorded.at,
                updated_at: recorded.at,
            },
        }))
    }
}
