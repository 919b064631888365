//! One body that a sender of alerts has delivered: what came, and what was recognised in it. Feeds `deliveries`, which
//! document 002_292caa697ae18d8c does not know: its alerts begin with it.
//!
//! What is answered 202 is in the book before anything is understood of it, so that no fault of a parser loses a body; it is
//! parsed again whenever somebody asks for it.

mod decide;
mod recognise;
mod refusal;

use std::ops::Not;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, Utc};
use dod_formats::Observation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use refusal::Refusal;

use domain::object::ObjectRef;
use domain::{Erase, Sealed, stored_by_variant};

/// The kind as a value.
pub const AGGREGATE: domain::Aggregate = domain::Aggregate::of::<Delivery>("deliveries");

/// Bytes of a body that an event holds, as they are written within it; a larger one lies in the object store.
pub const BODY_WRITTEN_BYTES_MAX: usize = 160 << 10;
/// Bytes of a body.
pub const BODY_BYTES_MAX: usize = 1 << 20;
/// Bytes of the observations that one event holds as JSON: sealed, they take a third more.
pub const ALERTS_BYTES_MAX: usize = 120 << 10;
/// Minutes that a body is kept once it is recognised which came while its tenant's bodies took all the room that they may:
/// long enough to have it parsed again, and for its alerts to be told to all.
pub const BRIEF_BODY_MINUTES: i64 = 60;
/// What is told of a body beside its alerts: so many sentences of at most so many characters.
pub const NOTES_MAX: usize = 20;
pub const NOTE_CHARS_MAX: usize = 500;
/// Headers and parameters that are kept, and bytes of all of them.
pub const HEADERS_MAX: usize = 40;
pub const HEADERS_BYTES_MAX: usize = 8 << 10;

/// The life of a delivery.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub enum Delivery {
    #[default]
    Unreceived,
    Received(Box<Received>),
}

/// A delivery as later decisions read it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Received {
    pub source_id: Uuid,
    pub envelope: Enclosed,
    pub content: Content,
    /// The object in the store that it was put into, also after it was dropped.
    pub object: Option<ObjectRef>,
    /// The bytes of the body as they count among those that its tenant keeps; none of one that is not counted.
    pub counted_bytes: Option<u64>,
    /// Whether it is kept only until it is understood.
    pub is_brief: bool,
    /// How often it was asked to be parsed anew.
    pub round: u32,
    /// Whether the latest asking was answered.
    pub is_parsed: bool,
    /// What came of the subscription that it asked to confirm, once somebody has said.
    pub subscription: Option<Subscription>,
}

/// What came of a subscription of SNS.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Subscription {
    pub topic_arn: String,
    /// Why it was not confirmed; absent when it was.
    pub refused: Option<String>,
}

/// What came along with a body.
// Stored for ever, within events. Add optional fields; do not rename or reuse them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Enclosed {
    /// The media type that the sender named.
    pub content_type: Option<String>,
    /// The headers that say something of alerts, their names in lower case. Together with the parameters at most 40, and 8 KiB.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// The parameters behind the question mark.
    #[serde(default)]
    pub query: Vec<(String, String)>,
    /// The receiver that the sender named, see `im_receivers`. At most 100 characters.
    pub receiver_im: Option<String>,
    /// When it came in, UTC.
    pub received_at: DateTime<Utc>,
}

impl Enclosed {
    /// The bytes of its headers and parameters.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let pairs = self.headers.iter().chain(&self.query);
        pairs.map(|(name, value)| name.len() + value.len()).sum()
    }
}

/// Where the bytes of a delivery are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Content {
    /// In the event.
    Here(Body),
    /// In the object store.
    Stored(ObjectRef),
    /// Nowhere any more.
    Dropped,
}

/// A body as it is written in an event: as text where that is what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// A body that is UTF-8 without U+0000, as it came.
    Text(String),
    /// Any other body, in base64 with padding.
    Base64(String),
}

impl Body {
    /// The bytes in the shorter of the two forms.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) if !text.contains('\0') => Self::Text(text.to_owned()),
            Ok(_) | Err(_) => Self::Base64(BASE64.encode(bytes)),
        }
    }

    /// The bytes as they came; none when they are not what this program has written.
    #[must_use]
    pub fn bytes(&self) -> Option<Vec<u8>> {
        match self {
            Self::Text(text) => Some(text.clone().into_bytes()),
            Self::Base64(text) => BASE64.decode(text).ok(),
        }
    }

    /// How many bytes it takes within an event.
    #[must_use]
    pub fn written_bytes(&self) -> usize {
        serde_json::to_vec(self).map_or(usize::MAX, |json| json.len())
    }
}

impl Delivery {
    /// What was received; none before.
    #[must_use]
    pub fn received(&self) -> Option<&Received> {
        match self {
            Self::Unreceived => None,
            Self::Received(received) => Some(received),
        }
    }
}

/// What can be asked of a delivery.
#[expect(
    clippy::large_enum_variant,
    reason = "commands travel as `AnyCommand`, which is a pointer"
)]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Takes in what a sender has delivered at the address of a source.
    Receive {
        /// The source at whose address it was delivered; in use.
        source_id: Uuid,
        /// The token that the sender has shown.
        token_id: Uuid,
        /// What came along with the body.
        enclosed: Enclosed,
        /// The body, unless it lies in the object store. Written within JSON at most 160 KiB.
        body: Option<Body>,
        /// Where the body lies in the object store; absent when it is here.
        object: Option<ObjectRef>,
        /// SHA-256 of the body, lower-case hex.
        sha256: String,
        /// The bytes of the body; at most 1 MiB.
        bytes: u64,
        /// Whether the bodies of the tenant take up all the room that they may: then it lies in the object store until it
        /// is understood, and its alerts show no part of it.
        #[serde(default)]
        is_brief: bool,
    },
    /// Recognises what was delivered, by the rules of its source as they are now.
    Recognise {
        /// The body, when it lies in the object store.
        #[serde(default)]
        body: Option<Body>,
    },
    /// Has the body parsed again, by the rules of today: after the rules of its source were mended, or Daybook was. What
    /// it says again changes nothing.
    ParseAgain {},
    /// Drops the body; what was recognised stays.
    DropBody {},
    /// Notes what came of a subscription of SNS that was to be confirmed; nothing happens when that is known.
    NoteSubscription {
        /// The topic's ARN. At most 512 characters.
        topic_arn: String,
        /// Why it was not confirmed; absent when it was. At most 500 characters.
        #[serde(default)]
        refused: Option<String>,
    },
}

// Stored for ever. Add variants; do not rename or reuse them.
#[expect(
    clippy::large_enum_variant,
    reason = "events travel as `AnyEvent`, which is a pointer"
)]
#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema, strum::IntoStaticStr, strum::VariantNames,
)]
pub enum Event {
    DeliveryReceived {
        source_id: Uuid,
        token_id: Uuid,
        enclosed: Enclosed,
        body: Sealed<Option<Body>>,
        object: Option<ObjectRef>,
        sha256: String,
        bytes: u64,
        /// When the body is dropped, by what its tenant has set when it came in.
        body_until: DateTime<Utc>,
        /// The bytes of the body and of what came along with it, where they are counted together.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kept_bytes: Option<u64>,
        /// Whether its bytes count among those that its tenant keeps. Those of before any were counted do not: the event
        /// that drops such a body may not say how many there were.
        #[serde(default, skip_serializing_if = "Not::not")]
        is_counted: bool,
        /// Whether the body is kept only until it is understood, because its tenant's bodies took all the room.
        #[serde(default, skip_serializing_if = "Not::not")]
        is_brief: bool,
    },
    /// Some of the alerts that a body tells of, the `first` of them counted from 0.
    AlertsRecognised {
        round: u32,
        source_id: Uuid,
        receiver_im: Option<String>,
        first: u32,
        alerts: Sealed<Vec<Observation>>,
        received_at: DateTime<Utc>,
    },
    /// It is what was expected of its source.
    HeartbeatsHeard {
        round: u32,
        /// The expectations, by their ids.
        expectations: Vec<Uuid>,
        received_at: DateTime<Utc>,
    },
    /// All of a body is recognised.
    DeliveryRecognised {
        round: u32,
        format: String,
        /// How many alerts it tells of.
        alerts: u32,
        /// What was left out or cut, and why.
        notes: Vec<String>,
        recognised_at: DateTime<Utc>,
        /// When the body is dropped, where that is sooner than was said when it came in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        body_until: Option<DateTime<Utc>>,
    },
    /// Nothing can be made of the body.
    DeliveryUnreadable {
        round: u32,
        reason: String,
        recognised_at: DateTime<Utc>,
    },
    DeliveryParsedAgain {
        round: u32,
    },
    DeliveryBodyDropped {
        /// How many bytes its tenant keeps less; absent where they were not counted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bytes: Option<u64>,
    },
    /// A topic of SNS sends its messages from now on.
    SubscriptionConfirmed {
        topic_arn: String,
        confirmed_at: DateTime<Utc>,
    },
    SubscriptionRefused {
        topic_arn: String,
        because: String,
    },
}

stored_by_variant!(Event);

impl domain::Event for Event {
    const PERSONAL: bool = true;

    // In the name of the delivery itself: its body and all that was taken from it go together.
    fn sealed_apart(&self, stream: Uuid) -> Vec<(&'static str, Uuid)> {
        match self {
            Self::DeliveryReceived { .. } => vec![("body", stream)],
            Self::AlertsRecognised { .. } => vec![("alerts", stream)],
            _ => Vec::new(),
        }
    }
}

/// What the keys of a delivery's body are destroyed by.
fn erased(stream: Uuid, event: &Event) -> Vec<Erase> {
    match event {
        Event::DeliveryBodyDropped { .. } => vec![Erase::Person(stream)],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
