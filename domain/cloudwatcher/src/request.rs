//! A request that a device sent: its response, its files, and what agents decided about it. Feeds `requests`,
//! `request_metadata`, `responses`, `response_metadata`, `cloud_file_refs` and `agent_decisions` of document
//! 001_eec75370b5eea864.
//!
//! A device may send a request again and again until it hears of it, so a request has an identity of its own:
//! the key that the device gave it, or else what it says, for a while; see [`identity`].

mod check;
mod command;
mod decide;
mod event;
pub mod identity;
mod lease;
mod progress;
mod receive;
mod refusal;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{RequestStatus, ResponseStatus, SyncStatus};

pub use command::{Command, Metadata, NewRequest};
pub use event::Event;
pub use lease::Lease;
pub use refusal::Refusal;

/// The kind as a value.
pub const AGGREGATE: domain::Aggregate = domain::Aggregate::of::<DeviceRequest>("requests");

/// One order answers a request.
pub const ORDER: domain::Claim = domain::Claim::kept("cloudwatcher", "orders.request_id");

/// Characters of a device's id.
pub const DEVICE_ID_CHARS_MAX: usize = 50;
/// Characters of the name of a type of request.
pub const REQUEST_TYPE_CHARS_MAX: usize = 50;
/// Characters of the key that a device gives a request.
pub const REQUEST_KEY_CHARS_MAX: usize = 100;
/// Bytes of a payload as JSON.
pub const PAYLOAD_BYTES_MAX: usize = 128 << 10;
/// Bytes of a response's content as JSON.
pub const CONTENT_BYTES_MAX: usize = 128 << 10;
/// Characters of the error of a request that failed.
pub const ERROR_CHARS_MAX: usize = 4_000;

/// Keys of metadata that a request has, and as many its response.
pub const METADATA_KEYS_MAX: usize = 50;
/// Characters of a key of metadata.
pub const METADATA_KEY_CHARS_MAX: usize = 100;
/// Characters of a value of metadata.
pub const METADATA_VALUE_CHARS_MAX: usize = 4_000;
/// Bytes of the metadata that one command brings, as JSON: what an event holds beside a payload.
pub const METADATA_BYTES_MAX: usize = 64 << 10;

/// Files of one request and its response.
pub const FILES_MAX: usize = 100;
/// Characters of the path of a file.
pub const CLOUD_PATH_CHARS_MAX: usize = 500;

/// Decisions of agents about one request.
pub const DECISIONS_MAX: usize = 1_000;
/// Characters of an agent's name, and of the type of a decision.
pub const AGENT_NAME_CHARS_MAX: usize = 100;
pub const DECISION_TYPE_CHARS_MAX: usize = 100;
/// Characters of what was decided.
pub const DECISION_VALUE_CHARS_MAX: usize = 4_000;
/// Bytes of the reasoning behind a decision as JSON.
pub const REASONING_BYTES_MAX: usize = 32 << 10;

/// Characters of the name of an archive.
pub const ARCHIVE_CHARS_MAX: usize = 200;

/// The life of a request.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub enum DeviceRequest {
    #[default]
    Unreceived,
    Live(Received, Progress),
    /// Its rows are in an archive and gone from the tables. It is still known, so that a repeat of it is none
    /// the less a repeat.
    Archived(Received),
}

/// The marks by which a repeat of a request is recognised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Received {
    /// SHA-256, lower-case hex, of what a repeat must say.
    pub body_hash: String,
    /// Absent in a request that was received before repeats were recognised.
    pub received_at: Option<DateTime<Utc>>,
}

/// How far a request got.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    pub status: RequestStatus,
    /// Who is on it, if somebody is.
    pub lease: Option<Lease>,
    metadata: Metadata,
    response: Option<Response>,
    files: BTreeMap<Uuid, File>,
    decisions: usize,
}

/// The state of the response, as later decisions read it; its content is not part of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Response {
    status: ResponseStatus,
    /// The keys of its metadata.
    metadata: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct File {
    sync_status: SyncStatus,
    uploaded_at: Option<DateTime<Utc>>,
}

impl DeviceRequest {
    /// The marks of the request that was received; `None` before.
    #[must_use]
    pub fn received(&self) -> Option<&Received> {
        match self {
            Self::Unreceived => None,
            Self::Live(received, _) | Self::Archived(received) => Some(received),
        }
    }

    /// How far the request got; `None` when it is not there, or not there any more.
    #[must_use]
    pub fn status(&self) -> Option<RequestStatus> {
        match self {
            Self::Live(_, progress) => Some(progress.status),
            Self::Unreceived | Self::Archived(_) => None,
        }
    }

    /// Who is on the request and until when; `None` when nobody is.
    #[must_use]
    pub fn lease(&self) -> Option<Lease> {
        match self {
            Self::Live(_, progress) => progress.lease,
            Self::Unreceived | Self::Archived(_) => None,
        }
    }

    /// Whether its rows have left the tables.
    #[must_use]
    pub fn is_archived(&self) -> bool {
        matches!(self, Self::Archived(_))
    }

    /// The id of the response to a request.
    #[must_use]
    pub fn response_id(request: Uuid) -> Uuid {
        Uuid::new_v5(&request, b"response")
    }

    /// The id of a row of metadata; `of` is the request or the response.
    #[must_use]
    pub fn metadata_id(of: Uuid, key: &str) -> Uuid {
        Uuid::new_v5(&of, format!("metadata/{key}").as_bytes())
    }
}

#[cfg(test)]
mod tests;
