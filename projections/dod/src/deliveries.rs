//! What senders of alerts have delivered.

use chrono::{DateTime, Utc};
use dod::delivery::{Delivery, Event};
use domain::{AnyEvent, Recorded};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use projections::cell::Word;
use projections::fold::{FoldError, Project, existing};
use projections::row;
use projections::table::Scope;

use crate::count;

/// How far the latest parsing of a body got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStatus {
    /// It is in the book, and not parsed yet.
    Received,
    Recognised,
    /// Nothing can be made of it.
    Unreadable,
}

impl From<DeliveryStatus> for &'static str {
    fn from(status: DeliveryStatus) -> Self {
        match status {
            DeliveryStatus::Received => "received",
            DeliveryStatus::Recognised => "recognised",
            DeliveryStatus::Unreadable => "unreadable",
        }
    }
}

row! {
    /// A body that a sender has delivered. The body itself is in no table.
    DeliveryRow = dod.deliveries
    key {
        /// The delivery's id.
        id: Uuid,
    }
    columns {
        /// The source at whose address it came in.
        source_id: Uuid,
        /// The token that the sender has shown; it may be retired since.
        token_id: Uuid,
        /// When it came in.
        received_at: DateTime<Utc>,
        /// The media type that the sender named.
        content_type: Option<String>,
        /// The receiver that the sender named.
        receiver_im: Option<String>,
        /// Length of the body in bytes.
        bytes: i64,
        /// SHA-256 of the body in hexadecimal; equal for equal bodies.
        sha256: String,
        /// Whose words it is in: `unmapped` when nobody knows them. Null before it is parsed, and when nothing can be made of it.
        format: Option<String>,
        /// How far its latest parsing got: `received`, `recognised`, `unreadable`.
        status: Word<DeliveryStatus>,
        /// How many alerts it tells of; null while that is not known.
        alerts: Option<i32>,
        /// What was left out or cut, and why: sentences.
        notes: Value,
        /// Why nothing can be made of it.
        reason: Option<String>,
        /// The topic of SNS whose subscription it asked to confirm, by its ARN; null when it was none, or nobody has answered yet.
        topic_arn: Option<String>,
        /// When that was confirmed; null when it was not.
        confirmed_at: Option<DateTime<Utc>>,
        /// Why it was not confirmed.
        unconfirmed_because: Option<String>,
        /// How often it was asked to be parsed anew.
        rounds: i32,
        /// Whether the body lies in the object store.
        is_stored: bool,
        /// Whether the body is gone, after its time.
        is_dropped: bool,
        /// When the row last changed.
        updated_at: DateTime<Utc>,
    }
    generated {}
    find { id, source_id, format, status, received_at }
    scope { Scope::Tenant }
    masked {}
}

impl Project for DeliveryRow {
    const OWNED: bool = true;

    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        match recorded.of::<Delivery>() {
            Some(Event::AlertsRecognised { .. } | Event::HeartbeatsHeard { .. }) | None => Vec::new(),
            Some(_) => vec![recorded.stream],
        }
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        let Some(event) = recorded.of::<Delivery>() else {
            return Ok(row);
        };
        let updated_at = recorded.at;
        Ok(Some(match event {
            Event::DeliveryReceived {
                source_id,
                token_id,
                enclosed,
                body: _,
                object,
                sha256,
                bytes,
                body_until: _,
                kept_bytes: _,
                is_counted: _,
                is_brief: _,
            } => Self {
                tenant_id: recorded.tenant_id,
                position: recorded.position,
                id,
                source_id: *source_id,
                token_id: *token_id,
                received_at: enclosed.received_at,
                content_type: enclosed.content_type.clone(),
                receiver_im: enclosed.receiver_im.clone(),
                bytes: i64::try_from(*bytes).unwrap_or(i64::MAX),
                sha256: sha256.clone(),
                format: None,
                status: Word(DeliveryStatus::Received),
                alerts: None,
                notes: json!([]),
                reason: None,
                topic_arn: None,
                confirmed_at: None,
                unconfirmed_because: None,
                rounds: 0,
                is_stored: object.is_some(),
                is_dropped: false,
                updated_at,
            },
            Event::DeliveryRecognised {
                round: _,
                format,
                alerts,
                notes,
                recognised_at: _,
                body_until: _,
            } => Self {
                format: Some(format.clone()),
                status: Word(DeliveryStatus::Recognised),
                alerts: Some(count(*alerts)),
                notes: json!(notes),
                reason: None,
                updated_at,
                ..existing(row)?
            },
            Event::DeliveryUnreadable {
                round: _,
                reason,
                recognised_at: _,
            } => Self {
                format: None,
                status: Word(DeliveryStatus::Unreadable),
                alerts: None,
                notes: json!([]),
                reason: Some(reason.clone()),
                updated_at,
                ..existing(row)?
            },
            Event::DeliveryParsedAgain { round } => Self {
                status: Word(DeliveryStatus::Received),
                rounds: count(*round),
                updated_at,
                ..existing(row)?
            },
            Event::DeliveryBodyDropped { .. } => Self {
                is_dropped: true,
                updated_at,
                ..existing(row)?
            },
            Event::SubscriptionConfirmed {
                topic_arn,
                confirmed_at,
            } => Self {
                topic_arn: Some(topic_arn.clone()),
                confirmed_at: Some(*confirmed_at),
                unconfirmed_because: None,
                updated_at,
                ..existing(row)?
            },
            Event::SubscriptionRefused { topic_arn, because } => Self {
                topic_arn: Some(topic_arn.clone()),
                unconfirmed_because: Some(because.clone()),
                updated_at,
                ..existing(row)?
            },
            Event::AlertsRecognised { .. } | Event::HeartbeatsHeard { .. } => return Ok(row),
        }))
    }
}
