//! What devices are answered.

use chrono::{DateTime, Utc};
use cloudwatcher::ResponseStatus;
use cloudwatcher::request::{DeviceRequest, Event};
use domain::{AnyEvent, Recorded};
use serde_json::{Value, json};
use uuid::Uuid;

use projections::cell::{Json, Word};
use projections::fold::{FoldError, Project, existing};
use projections::row;
use projections::table::Scope;

row! {
    /// The response to a request, from when somebody begins to work on it. An archived request's is gone.
    ResponseRow = cloudwatcher.responses
    key {
        /// The response's id.
        id: Uuid,
    }
    columns {
        /// The request that it answers.
        request_id: Uuid,
        /// How far it got: `processing`, `ready`, `delivered`, `failed`.
        status: Word<ResponseStatus>,
        /// The response itself; `{}` while it is being made, `{"error": "..."}` when it failed.
        content: Json,
        /// Whether an AI agent made it.
        ai_processed: bool,
        /// When the device had it.
        delivered_at: Option<DateTime<Utc>>,
        /// When it was begun.
        created_at: DateTime<Utc>,
        /// When it last changed.
        updated_at: DateTime<Utc>,
    }
    generated {}
    find { id, request_id, status, ai_processed, created_at }
    scope { Scope::Tenant }
    masked {}
}

impl Project for ResponseRow {
    const OWNED: bool = true;

    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        let Some(event) = recorded.of::<DeviceRequest>() else {
            return Vec::new();
        };
        match event {
            Event::RequestBegun { response_id, .. }
            | Event::RequestCompleted { response_id, .. }
            | Event::RequestFailed { response_id, .. }
            | Event::ResponseDelivered { response_id, .. }
            | Event::RequestArchived { response_id, .. } => vec![*response_id],
            _ => Vec::new(),
        }
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        let Some(event) = recorded.of::<DeviceRequest>() else {
            return Ok(row);
        };
        let written = |row: Option<Self>, status, content: &Value, ai_processed| {
            let came = row.map_or((recorded.position, recorded.at), |row| (row.position, row.created_at));
            let (position, created_at) = came;
            Ok(Some(Self {
                tenant_id: recorded.tenant_id,
                position,
                id,
                request_id: recorded.stream,
                status: Word(status),
                content: Json::of(content),
                ai_processed,
                delivered_at: None,
                created_at,
                updated_at: recorded.at,
            }))
        };
        match event {
            Event::RequestBegun { .. } => written(row, ResponseStatus::Processing, &json!({}), false),
            Event::RequestCompleted {
                content, ai_processed, ..
            } => written(row, ResponseStatus::Ready, content.value(), *ai_processed),
            Event::RequestFailed {
                content, ai_processed, ..
            } => written(row, ResponseStatus::Failed, content.value(), *ai_processed),
            Event::ResponseDelivered { delivered_at, .. } => Ok(Some(Self {
                status: Word(ResponseStatus::Delivered),
                delivered_at: Some(*delivered_at),
                updated_at: recorded.at,
                ..existing(row)?
            })),
            Event::RequestArchived { .. } => existing(row).map(|_| None),
            _ => Ok(row),
        }
    }
}

row! {
    /// An attribute of a response.
    ResponseMetadataRow = cloudwatcher.response_metadata
    key {
        /// The attribute's id.
        id: Uuid,
    }
    columns {
        /// The response.
        response_id: Uuid,
        /// What the attribute is called.
        key: String,
        /// What it says.
        value: String,
        /// When it was set.
        created_at: DateTime<Utc>,
    }
    generated {}
    find { id, response_id, key, created_at }
    scope { Scope::Tenant }
    masked {}
    lines {
        /// Its place among the attributes that came with it, from 1; they come by name.
        place,
    }
}

impl Project for ResponseMetadataRow {
    const OWNED: bool = true;

    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        let Some(event) = recorded.of::<DeviceRequest>() else {
            return Vec::new();
        };
        match event {
            Event::RequestCompleted {
                response_id, metadata, ..
            }
            | Event::RequestFailed {
                response_id, metadata, ..
            } => {
                let id = |key: &String| DeviceRequest::metadata_id(*response_id, key);
                metadata.keys().map(id).collect()
            }
            Event::RequestArchived {
                response_id,
                response_metadata,
                ..
            } => {
                let id = |key: &String| DeviceRequest::metadata_id(*response_id, key);
                response_metadata.iter().map(id).collect()
            }
            _ => Vec::new(),
        }
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        let Some(event) = recorded.of::<DeviceRequest>() else {
            return Ok(row);
        };
        match event {
            Event::RequestCompleted {
                response_id, metadata, ..
            }
            | Event::RequestFailed {
                response_id, metadata, ..
            } => {
                let named =
                    |((key, _), _): &((&String, &String), i32)| DeviceRequest::metadata_id(*response_id, key) == id;
                Ok(metadata.iter().zip(1..).find(named).map(|((key, value), place)| Self {
                    tenant_id: recorded.tenant_id,
                    position: recorded.position,
                    place,
                    id,
                    response_id: *response_id,
                    key: key.clone(),
                    value: value.clone(),
                    created_at: recorded.at,
                }))
            }
            Event::RequestArchived { .. } => existing(row).map(|_| None),
            _ => Ok(row),
        }
    }
}
