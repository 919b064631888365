//! One alert: one time that something fired, from then until somebody or something ends it. Feeds `alerts` of document
//! 002_292caa697ae18d8c.

mod decide;
mod refusal;

use chrono::{DateTime, Utc};
use dod_formats::{Link, Severity};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

pub use refusal::Refusal;

use domain::{Sealed, stored_by_variant};

/// The kind as a value.
pub const AGGREGATE: domain::Aggregate = domain::Aggregate::of::<Alert>("alerts");

/// Where an alert stands, in the document's words.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr, strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum AlertStatus {
    Open,
    /// Somebody has acknowledged it, or it is assigned to somebody.
    Investigating,
    Resolved,
    FalsePositive,
    /// Nobody is to be bothered with it: a silence holds, it is a heartbeat, or somebody said so.
    Ignored,
}

/// The life of an alert.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub enum Alert {
    #[default]
    Unopened,
    Opened(Opened),
}

/// An alert as later decisions read it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Opened {
    pub status: AlertStatus,
    pub signal_id: Uuid,
    pub group_id: Uuid,
    pub window_minutes: u32,
    /// The silence by which it is ignored.
    pub silence_id: Option<Uuid>,
    pub is_heartbeat: bool,
    pub assigned_to: Option<Uuid>,
    /// The issue that it belongs to, once it does.
    pub issue_id: Option<Uuid>,
    pub brief: Brief,
}

/// What an issue is told of an alert that joins it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Brief {
    pub source: String,
    pub alert_type: String,
    pub severity: Severity,
    pub title: String,
    pub description: Option<String>,
    pub labels: BTreeMap<String, String>,
    pub receiver_im: Option<String>,
    pub is_flapping: bool,
    pub received_at: DateTime<Utc>,
}

impl Alert {
    /// The alert once it is opened.
    #[must_use]
    pub fn opened(&self) -> Option<&Opened> {
        match self {
            Self::Unopened => None,
            Self::Opened(opened) => Some(opened),
        }
    }
}

impl Opened {
    /// Whether nobody and nothing has ended it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.status, AlertStatus::Open | AlertStatus::Investigating)
    }
}

/// How an alert was resolved.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr, strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum ResolvedHow {
    /// A person said so.
    Person,
    /// Its sender said so.
    Sender,
    /// Nothing more was heard of it.
    Timeout,
    /// The issue that it belongs to was.
    Issue,
}

/// What can be asked of an alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Opens the alert of a signal that fires.
    Open {
        signal_id: Uuid,
        source_id: Uuid,
        delivery_id: Uuid,
        brief: Box<Brief>,
        original_severity: Option<String>,
        starts_at: Option<DateTime<Utc>>,
        links: Vec<Link>,
        raw: Option<String>,
        is_heartbeat: bool,
    },
    /// Ends the alert because its signal is over.
    Clear { cleared_at: DateTime<Utc>, expired: bool },
    /// Ends the silence that the alert is ignored by.
    EndSilence {},
    /// Notes which issue the alert belongs to.
    NoteIssue { issue_id: Uuid },
    /// Ends the alert because a person has ended its issue.
    EndWithIssue { false_positive: bool },
    /// Says that somebody looks at the alert; nothing happens when it was said before.
    Acknowledge {},
    /// Gives the alert to somebody, who looks at it from now on.
    Assign {
        /// An active person of the tenant.
        user_id: Uuid,
    },
    /// Ends the alert. When its source tells of the same again, a new one opens.
    Resolve {},
    /// Says that the alert was none. What its source tells of the same goes on being it until it is over.
    MarkFalsePositive {},
    /// Says that nobody is to be bothered with the alert. What its source tells of the same goes on being it until it is
    /// over.
    Ignore {},
    /// Opens an alert again that was ended by a person.
    Reopen {},
}

// Stored for ever. Add variants; do not rename or reuse them.
#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema, strum::IntoStaticStr, strum::VariantNames,
)]
pub enum Event {
    AlertOpened {
        status: AlertStatus,
        signal_id: Uuid,
        source_id: Uuid,
        delivery_id: Uuid,
        brief: Box<Brief>,
        original_severity: Option<String>,
        starts_at: Option<DateTime<Utc>>,
        links: Vec<Link>,
        /// JSON text, as it was sent.
        raw: Sealed<Option<String>>,
        is_heartbeat: bool,
        /// The rule by which it is grouped; absent when none holds.
        rule_id: Option<Uuid>,
        /// What those have in common that it is grouped with.
        group_key: String,
        group_id: Uuid,
        window_minutes: u32,
        silence_id: Option<Uuid>,
        silence_ends_at: Option<DateTime<Utc>>,
    },
    AlertJoinedIssue { issue_id: Uuid },
    AlertSilenceEnded {},
    AlertAcknowledged {},
    AlertAssigned { user_id: Uuid },
    AlertResolved { how: ResolvedHow, resolved_at: DateTime<Utc> },
    AlertMarkedFalsePositive {},
    AlertIgnored {},
    AlertReopened {},
}

stored_by_variant!(Event);

impl domain::Event for Event {
    const PERSONAL: bool = true;

    fn sealed_apart(&self, _stream: Uuid) -> Vec<(&'static str, Uuid)> {
        match self {
            Self::AlertOpened { delivery_id, .. } => vec![("raw", *delivery_id)],
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
