//! What devices asked for.

use chrono::{DateTime, Utc};
use cloudwatcher::RequestStatus;
use cloudwatcher::request::{DeviceRequest, Event};
use domain::{AnyEvent, Recorded, SYSTEM};
use uuid::Uuid;

use projections::cell::{Json, Word};
use projections::fold::{FoldError, Project, actor, existing};
use projections::row;
use projections::table::Scope;

row! {
    /// A request that a device sent. An archived request's row is gone.
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
        /// The device's own name for the request; null when it gave none.
        request_key: Option<String>,
        /// How far it got: `pending`, `processing`, `completed`, `failed`.
        status: Word<RequestStatus>,
        /// SHA-256 of the payload in hexadecimal; equal for equal payloads.
        payload_hash: String,
        /// What the device says; whoever answers it reads it here. Numbers keep each of their digits.
        payload: Json,
        /// Who is on it: nobody else may begin or answer it. Null when nobody is.
        taken_by: Option<Uuid>,
        /// Until when, if they do not begin it again.
        taken_until: Option<DateTime<Utc>>,
        /// The user whose device it is; null when Daybook itself sent it.
        created_by: Option<Uuid>,
        /// When it was received.
        created_at: DateTime<Utc>,
        /// When its status last changed, or who is on it.
        updated_at: DateTime<Utc>,
    }
    generated {}
    find { id, device_id, request_type, request_key, status, payload_hash, taken_by, created_by, created_at }
    scope { Scope::Tenant }
    masked { payload, payload_hash }
}

impl Project for RequestRow {
    const OWNED: bool = true;

    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        let Some(event) = recorded.of::<DeviceRequest>() else {
            return Vec::new();
        };
        match event {
            Event::RequestAnnotated { .. }
            | Event::ResponseDelivered { .. }
            | Event::RequestFileAttached { .. }
            | Event::RequestFileMarked { .. }
            | Event::AgentDecisionRecorded { .. } => Vec::new(),
            _ => vec![recorded.stream],
        }
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        let Some(event) = recorded.of::<DeviceRequest>() else {
            return Ok(row);
        };
        let is_now = |row, status, taken: Option<(Uuid, DateTime<Utc>)>| {
            Ok(Some(Self {
                status: Word(status),
                taken_by: taken.map(|(by, _)| by).filter(|&by| by != SYSTEM),
                taken_until: taken.map(|(_, until)| until),
                updated_at: recorded.at,
                ..existing(row)?
            }))
        };
        match event {
            Event::RequestReceived {
                device_id,
                request_type,
                payload,
                payload_hash,
                request_key,
                metadata: _,
                received_at: _,
            } => Ok(Some(Self {
                tenant_id: recorded.tenant_id,
                position: recorded.position,
                id,
                device_id: device_id.clone(),
                request_type: request_type.clone(),
                request_key: request_key.clone(),
                status: Word(RequestStatus::Pending),
                payload_hash: payload_hash.clone(),
                payload: Json::of(payload.value()),
                taken_by: None,
                taken_until: None,
                created_by: actor(recorded),
                created_at: recorded.at,
                updated_at: recorded.at,
            })),
            Event::RequestBegun { by, until, .. } => is_now(row, RequestStatus::Processing, by.zip(*until)),
            Event::RequestProlonged { by, until } | Event::RequestTakenOver { by, until, .. } => {
                is_now(row, RequestStatus::Processing, Some((*by, *until)))
            }
            Event::RequestReleased { .. } | Event::RequestLapsed { .. } => is_now(row, RequestStatus::Pending, None),
            Event::RequestCompleted { .. } => is_now(row, RequestStatus::Completed, None),
            Event::RequestFailed { .. } => is_now(row, RequestStatus::Failed, None),
            Event::RequestArchived { .. } => existing(row).map(|_| None),
            Event::RequestAnnotated { .. }
            | Event::ResponseDelivered { .. }
            | Event::RequestFileAttached { .. }
            | Event::RequestFileMarked { .. }
            | Event::AgentDecisionRecorded { .. } => Ok(row),
        }
    }
}

row! {
    /// An attribute of a request.
    RequestMetadataRow = cloudwatcher.request_metadata
    key {
        /// The attribute's id.
        id: Uuid,
    }
    columns {
        /// The request.
        request_id: Uuid,
        /// What the attribute is called: `app_version`.
        key: String,
        /// What it says.
        value: String,
        /// When it was first set.
        created_at: DateTime<Utc>,
    }
    generated {}
    find { id, request_id, key, created_at }
    scope { Scope::Tenant }
    masked {}
    lines {
        /// Its place among the attributes that came with it, from 1; they come by name.
        place,
    }
}

impl Project for RequestMetadataRow {
    const OWNED: bool = true;

    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        let Some(event) = recorded.of::<DeviceRequest>() else {
            return Vec::new();
        };
        let id = |key: &String| DeviceRequest::metadata_id(recorded.stream, key);
        match event {
            Event::RequestReceived { metadata, .. } | Event::RequestAnnotated { metadata } => {
                metadata.keys().map(id).collect()
            }
            Event::RequestArchived { metadata, .. } => metadata.iter().map(id).collect(),
            _ => Vec::new(),
        }
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        let Some(event) = recorded.of::<DeviceRequest>() else {
            return Ok(row);
        };
        match event {
            Event::RequestReceived { metadata, .. } | Event::RequestAnnotated { metadata } => {
                let named =
                    |((key, _), _): &((&String, &String), i32)| DeviceRequest::metadata_id(recorded.stream, key) == id;
                Ok(metadata.iter().zip(1..).find(named).map(|((key, value), place)| {
                    let first = (recorded.position, place, recorded.at);
                    let came = row.map_or(first, |row| (row.position, row.place, row.created_at));
                    let (position, place, created_at) = came;
                    Self {
                        tenant_id: recorded.tenant_id,
                        position,
                        place,
                        id,
                        request_id: recorded.stream,
                        key: key.clone(),
                        value: value.clone(),
                        created_at,
                    }
                }))
            }
            Event::RequestArchived { .. } => existing(row).map(|_| None),
            _ => Ok(row),
        }
    }
}
