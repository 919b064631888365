//! Whether what a command says fits its columns.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde_json::json;

use super::{
    ARCHIVE_CHARS_MAX, CLOUD_PATH_CHARS_MAX, CONTENT_BYTES_MAX, DEVICE_ID_CHARS_MAX, METADATA_BYTES_MAX,
    METADATA_KEY_CHARS_MAX, METADATA_KEYS_MAX, METADATA_VALUE_CHARS_MAX, Metadata, NewRequest, PAYLOAD_BYTES_MAX,
    REASONING_BYTES_MAX, REQUEST_KEY_CHARS_MAX, REQUEST_TYPE_CHARS_MAX, Refusal,
};
use domain::exact::Free;
use domain::money;
use domain::text::{self, Unfit};

/// Digits of a SHA-256 in hexadecimal.
const SHA256_CHARS: usize = 64;

pub(super) fn received(sent: &NewRequest) -> Result<(), Refusal> {
    let NewRequest {
        device_id,
        request_type,
        payload,
        request_key,
        metadata,
    } = sent;
    required("device_id", device_id, DEVICE_ID_CHARS_MAX)?;
    required("request_type", request_type, REQUEST_TYPE_CHARS_MAX)?;
    text::free(payload, PAYLOAD_BYTES_MAX).map_err(unfit("payload"))?;
    if let Some(request_key) = request_key {
        required("request_key", request_key, REQUEST_KEY_CHARS_MAX)?;
    }
    self::metadata(metadata)
}

/// A text that must be there.
pub(super) fn required(field: &'static str, given: &str, chars_max: usize) -> Result<(), Refusal> {
    text::required(given, chars_max).map_err(unfit(field))
}

pub(super) fn content(content: &Free) -> Result<(), Refusal> {
    text::free(content, CONTENT_BYTES_MAX).map_err(unfit("content"))
}

pub(super) fn metadata(metadata: &Metadata) -> Result<(), Refusal> {
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
    fits().map_err(unfit("metadata"))
}

pub(super) fn file(path: &str, bytes: Option<i64>, uploaded_at: Option<DateTime<Utc>>) -> Result<(), Refusal> {
    required("cloud_path", path, CLOUD_PATH_CHARS_MAX)?;
    if bytes.is_some_and(|bytes| bytes < 0) {
        return Err(unfit("file_size_bytes")(Unfit::Negative));
    }
    uploaded_at.map_or(Ok(()), text::moment).map_err(unfit("uploaded_at"))
}

pub(super) fn reasoning(reasoning: Option<&Free>) -> Result<(), Refusal> {
    let fits = reasoning.map_or(Ok(()), |reasoning| text::free(reasoning, REASONING_BYTES_MAX));
    fits.map_err(unfit("reasoning"))
}

pub(super) fn confidence(score: Option<Decimal>) -> Result<(), Refusal> {
    let fits = |score: Decimal| {
        (Decimal::ZERO..=Decimal::ONE).contains(&score) && score.normalize().scale() <= money::CENTS_DECIMALS
    };
    match score.is_none_or(fits) {
        true => Ok(()),
        false => {
            let form = Unfit::Form("must be from 0 to 1, with at most two decimals");
            Err(unfit("confidence_score")(form))
        }
    }
}

pub(super) fn archive(archive: &str, sha256: &str) -> Result<(), Refusal> {
    required("archive", archive, ARCHIVE_CHARS_MAX)?;
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    match sha256.len() == SHA256_CHARS && sha256.bytes().all(is_digit) {
        true => Ok(()),
        false => Err(unfit("sha256")(Unfit::Form(
            "must be a SHA-256 in lower-case hexadecimal",
        ))),
    }
}

fn unfit(field: &'static str) -> impl Fn(Unfit) -> Refusal {
    move |unfit| Refusal::Unfit { field, unfit }
}
