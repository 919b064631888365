//! The commands to a request.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    AGENT_NAME_CHARS_MAX, ARCHIVE_CHARS_MAX, CLOUD_PATH_CHARS_MAX, DECISION_TYPE_CHARS_MAX, DECISION_VALUE_CHARS_MAX,
    DEVICE_ID_CHARS_MAX, ERROR_CHARS_MAX, REQUEST_KEY_CHARS_MAX, REQUEST_TYPE_CHARS_MAX,
};
use crate::{CloudProvider, FileType, SyncStatus};
use domain::exact::Free;
use domain::money;

/// Free attributes: key to value.
pub type Metadata = BTreeMap<String, String>;

/// What can be asked of a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Takes in what a device sent. Sent again, it is answered what it was answered the first time: with a
    /// `request_key` for ever; without one for as long as the tenant's window lasts (24 hours unless the
    /// device policy says otherwise), by device, type and payload.
    Receive(NewRequest),
    /// Takes the request for oneself: for 30 minutes, unless the device policy says otherwise, nobody else may begin or
    /// answer it. Sent again, it takes it for as long from then on.
    Begin {},
    /// Gives the request back; nothing happens when nobody is on it.
    Release {},
    /// Takes the request as `begin` does, also from somebody who is on it.
    TakeOver {},
    /// Gives the request back for somebody whose lease has run out. Only Daybook itself sends this.
    Lapse {},
    /// Sets attributes of the request; those that it has under other keys stay.
    Annotate {
        /// At most 50 with those that the request has, with keys of at most 100 and values of at most 4,000
        /// characters, and 64 KiB as JSON.
        metadata: Metadata,
    },
    /// Answers a request that is pending or processing, and on which nobody else is, and completes it.
    Respond {
        /// The response, any JSON without U+0000; numbers keep each of their digits. At most 128 KiB.
        content: Free,
        /// Whether an AI agent made it.
        #[serde(default)]
        ai_processed: bool,
        /// Attributes of the response: at most 50, with keys of at most 100 and values of at most 4,000
        /// characters, and 64 KiB as JSON.
        #[serde(default)]
        metadata: Metadata,
    },
    /// Says that a request that is pending or processing, and on which nobody else is, cannot be answered.
    Fail {
        /// The error; the response's content is `{"error": "..."}`. At most 4,000 characters.
        #[schemars(length(min = 1, max = ERROR_CHARS_MAX))]
        error: String,
        /// Whether an AI agent found out.
        #[serde(default)]
        ai_processed: bool,
        /// Attributes of the response: at most 50, with keys of at most 100 and values of at most 4,000
        /// characters, and 64 KiB as JSON.
        #[serde(default)]
        metadata: Metadata,
    },
    /// Says that the device has the response; nothing happens when it was said before.
    Deliver {},
    /// Says where a file of the request, or of its response, is kept. At most 100 files.
    AttachFile {
        /// Whether it belongs to the request or to the response, which must have been begun.
        file_type: FileType,
        /// The place where it is kept.
        cloud_provider: CloudProvider,
        /// Its path there. At most 500 characters.
        #[schemars(length(min = 1, max = CLOUD_PATH_CHARS_MAX))]
        cloud_path: String,
        /// Its size in bytes.
        #[serde(default)]
        #[schemars(range(min = 0))]
        file_size_bytes: Option<i64>,
        /// When it was uploaded, in the years 2000 to 9999; it is not there yet when absent.
        #[serde(default)]
        uploaded_at: Option<DateTime<Utc>>,
    },
    /// Says whether a file is where it should be; nothing happens when it was said before.
    MarkFile {
        /// The file, as `RequestFileAttached` names it.
        file_id: Uuid,
        /// `synced` also says that it is uploaded, if nobody said so before.
        sync_status: SyncStatus,
    },
    /// Keeps what an agent decided about the request, which is then never archived. At most 1,000 decisions.
    RecordDecision {
        /// The agent: `PartsSpecialist`. At most 100 characters.
        #[schemars(length(min = 1, max = AGENT_NAME_CHARS_MAX))]
        agent_name: String,
        /// The kind of decision: `approval`, `selection`, `routing`. At most 100 characters.
        #[schemars(length(min = 1, max = DECISION_TYPE_CHARS_MAX))]
        decision_type: String,
        /// The decision. At most 4,000 characters.
        #[schemars(length(min = 1, max = DECISION_VALUE_CHARS_MAX))]
        decision_value: String,
        /// Why, as any JSON without U+0000. At most 32 KiB.
        #[serde(default)]
        reasoning: Option<Free>,
        /// The agent's confidence: from 0 to 1 with at most two decimals; a string keeps it exact.
        #[serde(default, deserialize_with = "money::optional_amount")]
        #[schemars(schema_with = "confidence_schema")]
        confidence_score: Option<Decimal>,
    },
    /// Takes a request that is completed or failed out of the tables. Only Daybook itself sends this, when
    /// the request is in an archive and neither an order nor a decision refers to it.
    Archive {
        /// The archive that has the request. At most 200 characters.
        #[schemars(length(min = 1, max = ARCHIVE_CHARS_MAX))]
        archive: String,
        /// SHA-256 of the archive's content before it was compressed, in lower-case hex.
        #[schemars(length(equal = 64))]
        sha256: String,
    },
}

impl Command {
    /// What a device sent, where the command brings it.
    #[must_use]
    pub fn received(&self) -> Option<&NewRequest> {
        match self {
            Self::Receive(sent) => Some(sent),
            _ => None,
        }
    }
}

/// A request as a device sent it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRequest {
    /// The device: `truck-001`. At most 50 characters.
    #[schemars(length(min = 1, max = DEVICE_ID_CHARS_MAX))]
    pub device_id: String,
    /// The kind of request: `get_parts`. At most 50 characters.
    #[schemars(length(min = 1, max = REQUEST_TYPE_CHARS_MAX))]
    pub request_type: String,
    /// The request itself, any JSON without U+0000; numbers keep each of their digits. At most 128 KiB.
    pub payload: Free,
    /// The device's own name for the request, unique on the device: it makes the request's id, and what
    /// is sent again under it must say the same. At most 100 characters.
    #[serde(default)]
    #[schemars(length(min = 1, max = REQUEST_KEY_CHARS_MAX))]
    pub request_key: Option<String>,
    /// Attributes of the request, such as `app_version`: at most 50, with keys of at most 100 and values
    /// of at most 4,000 characters, and 64 KiB as JSON.
    #[serde(default)]
    pub metadata: Metadata,
}

fn confidence_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": ["string", "number", "null"],
        "pattern": r"^(0(\.\d{1,2})?|1(\.0{1,2})?)$",
        "minimum": 0,
        "maximum": 1,
    })
}
