//! What one sender says of one alert at one time, in the words that all of them share.

use std::collections::BTreeMap;
use std::ops::Not;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Characters of an alert's title, as its column holds them.
pub const TITLE_CHARS_MAX: usize = 500;
/// Characters of an alert's type.
pub const ALERT_TYPE_CHARS_MAX: usize = 255;
/// Bytes of an alert's description; what is longer is cut, and says so. The raw body has the rest.
pub const DESCRIPTION_BYTES_MAX: usize = 16 << 10;
/// Characters of the key by which two observations are of one alert; a longer one is kept as its digest.
pub const DEDUP_KEY_CHARS_MAX: usize = 255;
/// Labels of an alert, and bytes of all of them; those beyond, in the order of their names, are in the raw body alone.
pub const LABELS_MAX: usize = 128;
pub const LABELS_BYTES_MAX: usize = 16 << 10;
/// Links of an alert.
pub const LINKS_MAX: usize = 16;
/// Bytes of the part of a body that is about one alert; of a larger one only the delivery's body tells.
pub const RAW_BYTES_MAX: usize = 64 << 10;

/// One alert as a body tells of it.
// Stored for ever, within events. Add optional fields; do not rename or reuse them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Observation {
    /// What makes this telling the same as another: a repeat of it changes nothing. Unique within its source.
    pub event_id: String,
    /// What makes it one alert with another telling, within its source. At most 255 characters.
    pub dedup_key: String,
    /// Whether it is so, or over.
    pub signal: Signal,
    /// How bad it is.
    pub severity: Severity,
    /// The sender's own word for the severity.
    pub original_severity: Option<String>,
    /// Whether the sender said none that is known, so that it is what its source has for such.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub is_severity_presumed: bool,
    /// What kind of alert it is: the name of a rule or an alarm. At most 255 characters, never empty.
    pub alert_type: String,
    /// What it says, in one line. At most 500 characters, never empty.
    pub title: String,
    /// What else it says. At most 16 KiB.
    pub description: Option<String>,
    /// Its labels, by their names. At most 128, and 16 KiB.
    pub labels: BTreeMap<String, String>,
    /// Since when it is so, as the sender says.
    pub starts_at: Option<DateTime<Utc>>,
    /// When it ended, or is taken to have ended when nothing more is heard.
    pub ends_at: Option<DateTime<Utc>>,
    /// When this was said, where the sender says that of each telling: they are taken in this order, however they come in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said_at: Option<DateTime<Utc>>,
    /// Places to look at. At most 16.
    pub links: Vec<Link>,
    /// Whether it only shows that the sender lives: such an alert never notifies anybody.
    pub is_heartbeat: bool,
    /// The part of the body that is about this alert, as JSON text whose numbers are as they were sent. Absent when it is
    /// larger than it may be.
    pub raw: Option<String>,
}

/// A place to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// What the place is called.
    pub title: String,
    /// An absolute URL of http or https. At most 2,000 characters.
    pub url: String,
}

/// What a sender says of an alert.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::IntoStaticStr,
    strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Signal {
    Firing,
    Resolved,
    Acknowledged,
    /// Somebody looked at it where it comes from, and does not any more.
    Unacknowledged,
    /// The sender itself keeps it quiet.
    Suppressed,
    /// The sender cannot tell, for it has no data. Counts as firing.
    NoData,
}

impl Signal {
    /// Whether it says that it is so, and nobody has it in hand.
    #[must_use]
    pub fn fires(self) -> bool {
        match self {
            Self::Firing | Self::NoData | Self::Unacknowledged => true,
            Self::Resolved | Self::Acknowledged | Self::Suppressed => false,
        }
    }
}

/// How bad it is, in the document's four words, from the least.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::IntoStaticStr,
    strum::Display,
    strum::EnumString,
    strum::VariantNames,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Severity {
    Low,
    Medium,
    High,
    Critical,
}
