//! What surrounds the requests of devices: their files, what agents decided, and how devices are connected.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use cloudwatcher::device_connection::{self, DeviceConnection};
use cloudwatcher::request::{DeviceRequest, Event};
use cloudwatcher::{CloudProvider, ConnectionType, FileType, SyncStatus};
use domain::{AnyEvent, Recorded};
use rust_decimal::Decimal;
use uuid::Uuid;

use projections::cell::{Json, Word};
use projections::fold::{FoldError, Project, existing};
use projections::row;
use projections::table::Scope;

row! {
    /// Where a file of a request, or of its response, is kept.
    CloudFileRefRow = cloudwatcher.cloud_file_refs
    key {
        /// The file's id.
        id: Uuid,
    }
    columns {
        /// The request.
        request_id: Uuid,
        /// The response, when the file belongs to that.
        response_id: Option<Uuid>,
        /// What it belongs to: `request` or `response`.
        file_type: Word<FileType>,
        /// Where it is kept: `sharepoint`, `google-drive` or `local`.
        cloud_provider: Word<CloudProvider>,
        /// Its path there.
        cloud_path: String,
        /// Its size in bytes.
        file_size_bytes: Option<i64>,
        /// When it was uploaded.
        uploaded_at: Option<DateTime<Utc>>,
        /// Whether it is where it should be: `pending`, `synced` or `failed`.
        sync_status: Word<SyncStatus>,
        /// When it was attached.
        created_at: DateTime<Utc>,
    }
    generated {}
    find { id, request_id, response_id, cloud_provider, sync_status, created_at }
    scope { Scope::Tenant }
    masked {}
}

impl Project for CloudFileRefRow {
    const OWNED: bool = true;

    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        let Some(event) = recorded.of::<DeviceRequest>() else {
            return Vec::new();
        };
        match event {
            Event::RequestFileAttached { file_id, .. } | Event::RequestFileMarked { file_id, .. } => vec![*file_id],
            Event::RequestArchived { files, .. } => files.iter().copied().collect(),
            _ => Vec::new(),
        }
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        let Some(event) = recorded.of::<DeviceRequest>() else {
            return Ok(row);
        };
        match event {
            Event::RequestFileAttached {
                file_id: _,
                file_type,
                response_id,
                cloud_provider,
                cloud_path,
                file_size_bytes,
                uploaded_at,
            } => Ok(Some(Self {
                tenant_id: recorded.tenant_id,
                position: recorded.position,
                id,
                request_id: recorded.stream,
                response_id: *response_id,
                file_type: Word(*file_type),
                cloud_provider: Word(*cloud_provider),
                cloud_path: cloud_path.clone(),
                file_size_bytes: *file_size_bytes,
                uploaded_at: *uploaded_at,
                sync_status: Word(SyncStatus::Pending),
                created_at: recorded.at,
            })),
            Event::RequestFileMarked {
                file_id: _,
                sync_status,
                uploaded_at,
            } => Ok(Some(Self {
                sync_status: Word(*sync_status),
                uploaded_at: *uploaded_at,
                ..existing(row)?
            })),
            Event::RequestArchived { .. } => existing(row).map(|_| None),
            _ => Ok(row),
        }
    }
}

row! {
    /// What an agent decided about a request, and why.
    AgentDecisionRow = cloudwatcher.agent_decisions
    key {
        /// The decision's id.
        id: Uuid,
    }
    columns {
        /// The request.
        request_id: Uuid,
        /// The agent: `PartsSpecialist`.
        agent_name: String,
        /// What kind of decision it is: `approval`, `selection`, `routing`.
        decision_type: String,
        /// What was decided.
        decision_value: String,
        /// Why.
        reasoning: Option<Json>,
        /// How sure the agent is, from 0 to 1.
        confidence_score: Option<Decimal>,
        /// When it was recorded.
        created_at: DateTime<Utc>,
    }
    generated {}
    find { id, request_id, agent_name, decision_type, created_at }
    scope { Scope::Tenant }
    masked {}
}

impl Project for AgentDecisionRow {
    const OWNED: bool = true;
    const APPENDS: bool = true;

    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        match recorded.of::<DeviceRequest>() {
            Some(Event::AgentDecisionRecorded { decision_id, .. }) => vec![*decision_id],
            _ => Vec::new(),
        }
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        let Some(Event::AgentDecisionRecorded {
            decision_id: _,
            agent_name,
            decision_type,
            decision_value,
            reasoning,
            confidence_score,
        }) = recorded.of::<DeviceRequest>()
        else {
            return Ok(row);
        };
        Ok(Some(Self {
            tenant_id: recorded.tenant_id,
            position: recorded.position,
            id,
            request_id: recorded.stream,
            agent_name: agent_name.clone(),
            decision_type: decision_type.clone(),
            decision_value: decision_value.clone(),
            reasoning: reasoning.as_ref().map(|reasoning| Json::of(reasoning.value())),
            confidence_score: *confidence_score,
            created_at: recorded.at,
        }))
    }
}

row! {
    /// One connection of a device.
    DeviceConnectionRow = cloudwatcher.device_connections
    key {
        /// The connection's id.
        id: Uuid,
    }
    columns {
        /// The device: `truck-001`.
        device_id: String,
        /// Who uses it.
        user_id: Option<Uuid>,
        /// How it is connected: `websocket`, `polling` or `webhook`.
        connection_type: Word<ConnectionType>,
        /// The address that it connects from.
        ip_address: Option<IpAddr>,
        /// Since when.
        connected_at: DateTime<Utc>,
        /// Until when; null while it is connected.
        disconnected_at: Option<DateTime<Utc>>,
        /// How long it was connected, in seconds.
        session_duration_seconds: Option<i32>,
        /// When it was told of.
        created_at: DateTime<Utc>,
    }
    generated {}
    find { id, device_id, user_id, connected_at, created_at }
    scope { Scope::Tenant }
    masked { ip_address }
}

impl Project for DeviceConnectionRow {
    const OWNED: bool = true;

    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        recorded
            .of::<DeviceConnection>()
            .map(|_| recorded.stream)
            .into_iter()
            .collect()
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        use device_connection::Event;
        let Some(event) = recorded.of::<DeviceConnection>() else {
            return Ok(row);
        };
        Ok(Some(match event {
            Event::DeviceConnected {
                device_id,
                user_id,
                connection_type,
                ip_address,
                connected_at,
            } => Self {
                tenant_id: recorded.tenant_id,
                position: recorded.position,
                id,
                device_id: device_id.clone(),
                user_id: *user_id,
                connection_type: Word(*connection_type),
                ip_address: *ip_address,
                connected_at: *connected_at,
                disconnected_at: None,
                session_duration_seconds: None,
                created_at: recorded.at,
            },
            Event::DeviceDisconnected {
                disconnected_at,
                session_duration_seconds,
            } => Self {
                disconnected_at: Some(*disconnected_at),
                session_duration_seconds: Some(*session_duration_seconds),
                ..existing(row)?
            },
        }))
    }
}
