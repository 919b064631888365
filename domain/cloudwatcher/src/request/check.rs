//! Whether what a command says fits its columns.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde_json::json;

use super::{
    AGENT_NAME_CHARS_MAX, ARCHIVE_CHARS_MAX, CLOUD_PATH_CHARS_MAX, CONTENT_BYTES_MAX, Command, DECISION_TYPE_CHARS_MAX,
    DECISION_VALUE_CHARS_MAX, DEVICE_ID_CHARS_MAX, ERROR_CHARS_MAX, METADATA_BYTES_MAX, METADATA_KEY_CHARS_MAX,
    METADATA_KEYS_MAX, METADATA_VALUE_CHARS_MAX, Metadata, NewRequest, PAYLOAD_BYTES_MAX, REASONING_BYTES_MAX,
    REQUEST_KEY_CHARS_MAX, REQUEST_TYPE_CHARS_MAX, Refusal,
};
use domain::exact::Free;
use domain::money;
use domain::text::{self, Unfit};

/// Digits of a SHA-256 in hexadecimal.
const SHA256_CHARS: usize = 64;

pub(super) fn check(command: &Command) -> Result<(), Refusal> {
    let unfit = |field| move |unfit| Refusal::Unfit { field, unfit };
    match command {
        Command::Receive(NewRequest {
            device_id,
            request_type,
            payload,
            request_key,
            metadata,
        }) => {
            text::required(device_id, DEVICE_ID_CHARS_MAX).map_err(unfit("device_id"))?;
            text::required(request_type, REQUEST_TYPE_CHARS_MAX).map_err(unfit("request_type"))?;
            text::free(payload, PAYLOAD_BYTES_MAX).map_err(unfit("payload"))?;
            if let Some(request_key) = request_key {
                text::required(request_key, REQUEST_KEY_CHARS_MAX).map_err(unfit("request_key"))?;
            }
            check_metadata(metadata)
        }
        Command::Begin {}
        | Command::Release {}
        | Command::TakeOver {}
        | Command::Lapse {}
        | Command::Deliver {}
        | Command::MarkFile { .. } => Ok(()),
        Command::Annotate { metadata } => check_metadata(metadata),
        Command::Respond { content, metadata, .. } => {
            text::free(content, CONTENT_BYTES_MAX).map_err(unfit("content"))?;
            check_metadata(metadata)
        }
        Command::Fail { error, metadata, .. } => {
            text::required(error, ERROR_CHARS_MAX).map_err(unfit("error"))?;
            check_metadata(metadata)
        }
        Command::AttachFile {
            cloud_path,
            file_size_bytes,
            uploaded_at,
            ..
        } => {
            text::required(cloud_path, CLOUD_PATH_CHARS_MAX).map_err(unfit("cloud_path"))?;
            if file_size_bytes.is_some_and(|bytes| bytes < 0) {
                return Err(unfit("file_size_bytes")(Unfit::Negative));
            }
            check_moment(*uploaded_at).map_err(unfit("uploaded_at"))
        }
        Command::RecordDecision {
            agent_name,
            decision_type,
            decision_value,
            reasoning,
            confidence_score,
        } => {
            text::required(agent_name, AGENT_NAME_CHARS_MAX).map_err(unfit("agent_name"))?;
            text::required(decision_type, DECISION_TYPE_CHARS_MAX).map_err(unfit("decision_type"))?;
            text::required(decision_value, DECISION_VALUE_CHARS_MAX).map_err(unfit("decision_value"))?;
            check_reasoning(reasoning.as_ref()).map_err(unfit("reasoning"))?;
            check_confidence(*confidence_score).map_err(unfit("confidence_score"))
        }
        Command::Archive { archive, sha256 } => {
            text::required(archive, ARCHIVE_CHARS_MAX).map_err(unfit("archive"))?;
            check_sha256(sha256).map_err(unfit("sha256"))
        }
    }
}

fn check_metadata(metadata: &Metadata) -> Result<(), Refusal> {
    if metadata.len() > METADATA_KEYS_MAX {
        return Err(Refusal::TooMuchMetadata);
    }
    let fits = || {
        for (key, value) in metadata {
            text::required(key, METADATA_KEY_CHARS_MAX)?;
            text::optional(Some(value), METADATA_VALUE_CHARS_MAX)?;
        }
        text::json(&json!(metadata), METADATA_BYTES_MAX)
    };
    fits().map_err(|unfit| Refusal::Unfit {
        field: "metadata",
        unfit,
    })
}

fn check_moment(moment: Option<DateTime<Utc>>) -> Result<(), Unfit> {
    moment.map_or(Ok(()), text::moment)
}

fn check_reasoning(reasoning: Option<&Free>) -> Result<(), Unfit> {
    reasoning.map_or(Ok(()), |reasoning| text::free(reasoning, REASONING_BYTES_MAX))
}

fn check_confidence(score: Option<Decimal>) -> Result<(), Unfit> {
    let fits = |score: Decimal| {
        (Decimal::ZERO..=Decimal::ONE).contains(&score) && score.normalize().scale() <= money::CENTS_DECIMALS
    };
    if score.is_none_or(fits) {
        Ok(())
    } else {
        Err(Unfit::Form("must be from 0 to 1, with at most two decimals"))
    }
}

fn check_sha256(digits: &str) -> Result<(), Unfit> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if digits.len() == SHA256_CHARS && digits.bytes().all(is_digit) {
        Ok(())
    } else {
        Err(Unfit::Form("must be a SHA-256 in lower-case hexadecimal"))
    }
}
