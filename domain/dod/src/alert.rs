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

use crate::archive::{ARCHIVE_CHARS_MAX, SHA256_CHARS};
use crate::retention::Retention;
use domain::{Erase, Sealed, stored_by_variant};

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
    Opened(Box<Opened>),
    /// Its rows are in an archive and gone from the tables. It is still known, so that nothing more happens to it.
    Archived,
}

/// An alert as later decisions read it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Opened {
    pub status: AlertStatus,
    pub signal_id: Uuid,
    pub source_id: Uuid,
    pub group_id: Uuid,
    pub window_minutes: u32,
    /// The silence by which it is ignored.
    pub silence_id: Option<Uuid>,
    /// When that ends, as far as the alert knows.
    pub silence_ends_at: Option<DateTime<Utc>>,
    pub is_heartbeat: bool,
    /// Whether it is ignored because a person said so: the end of a silence changes nothing of that, nor does the signal's.
    pub is_ignored_by_person: bool,
    /// Whether its signal is over, though a person had ended the alert before: nothing of it can go on.
    pub is_over: bool,
    /// Whether the part of the body that is about it can still be read.
    pub has_raw: bool,
    pub assigned_to: Option<Uuid>,
    /// Whether somebody looks at it where it comes from, and nobody has said so here.
    #[serde(default)]
    pub is_acknowledged_by_sender: bool,
    /// The issue that it belongs to, once it does.
    pub issue_id: Option<Uuid>,
    pub brief: Brief,
}

/// What an issue is told of an alert that joins it.
// Stored for ever, within events. Add optional fields; do not rename or reuse them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Brief {
    /// The name of its source when it began.
    pub source: String,
    /// What kind of alert it is. At most 255 characters.
    pub alert_type: String,
    /// How bad it is.
    pub severity: Severity,
    /// What it says, in one line. At most 500 characters.
    pub title: String,
    /// What else it says. At most 16 KiB.
    pub description: Option<String>,
    /// Its labels, by their names. At most 128.
    pub labels: BTreeMap<String, String>,
    /// The receiver that is to be told, by its `receiver_im`; nobody when absent.
    pub receiver_im: Option<String>,
    /// Whether it fires again and again.
    pub is_flapping: bool,
    /// When the delivery came in that tells of it, UTC.
    pub received_at: DateTime<Utc>,
    /// Until when what its body says of it is kept, UTC; said by the alert when it opens.
    #[serde(default)]
    pub body_until: Option<DateTime<Utc>>,
}

/// What a sender says of an alert later than in the beginning, once that is another severity.
// Stored for ever, within events. Add optional fields; do not rename or reuse them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Restated {
    /// How bad it is.
    pub severity: Severity,
    /// The sender's own word for that.
    pub original_severity: Option<String>,
    /// What it says, in one line. At most 500 characters.
    pub title: String,
    /// What else it says. At most 16 KiB.
    pub description: Option<String>,
}

impl Brief {
    /// Says what was said later.
    pub(crate) fn restate(&mut self, restated: &Restated) {
        self.severity = restated.severity;
        self.title.clone_from(&restated.title);
        self.description.clone_from(&restated.description);
    }

    /// Until when what its body says of it is kept, and what quotes that.
    #[must_use]
    pub fn body_until(&self) -> DateTime<Utc> {
        self.body_until
            .unwrap_or_else(|| Retention::body_until(None, self.received_at))
    }
}

impl Alert {
    /// The alert once it is opened, for as long as it is in the tables.
    #[must_use]
    pub fn opened(&self) -> Option<&Opened> {
        match self {
            Self::Unopened | Self::Archived => None,
            Self::Opened(opened) => Some(opened),
        }
    }

    /// Whether its row is in an archive alone.
    #[must_use]
    pub fn is_archived(&self) -> bool {
        matches!(self, Self::Archived)
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
        /// The signal that fires.
        signal_id: Uuid,
        /// The source that told of it.
        source_id: Uuid,
        /// The delivery in which it told.
        delivery_id: Uuid,
        /// What it says.
        brief: Box<Brief>,
        /// The sender's own word for the severity.
        original_severity: Option<String>,
        /// Since when it is so, as the sender says, UTC.
        starts_at: Option<DateTime<Utc>>,
        /// Places to look at. At most 16.
        links: Vec<Link>,
        /// The part of the body that is about it, JSON text. At most 64 KiB.
        raw: Option<String>,
        /// Whether it only shows that the sender lives.
        is_heartbeat: bool,
    },
    /// Ends the alert because its signal is over. One that a person has called none or ignored stays so, and is not opened
    /// again.
    Clear {
        /// When it was over, UTC.
        cleared_at: DateTime<Utc>,
        /// Whether nothing more was heard of it; otherwise its sender said so.
        expired: bool,
    },
    /// Notes that the sender says another severity than before, and what it says with it; a silence that does not hold for
    /// that any more is over.
    Restate {
        /// The source that said so.
        source_id: Uuid,
        /// What it says.
        restated: Box<Restated>,
    },
    /// Ends the silence that the alert is ignored by, unless one holds: that one with another end, or another one.
    EndSilence {},
    /// Drops the part of the body that is about the alert; what was read from it stays.
    DropRaw {},
    /// Notes which issue the alert belongs to.
    NoteIssue {
        /// The issue.
        issue_id: Uuid,
    },
    /// Ends the alert because a person has ended its issue.
    EndWithIssue {
        /// Whether the issue was none; otherwise it is mended.
        false_positive: bool,
    },
    /// Says that somebody looks at the alert; nothing happens when it was said before.
    Acknowledge {},
    /// Says that nobody looks at the alert any more: it is open again, and given to nobody. An escalation of its issue begins
    /// anew, unless somebody sees to that. Nothing happens when it is open.
    Unacknowledge {},
    /// Follows what the sender says of being looked at. What a person has said here stays.
    FollowSender {
        /// Whether somebody looks at it where it comes from.
        acknowledged: bool,
    },
    /// Gives the alert to somebody, who looks at it from now on.
    Assign {
        /// An active person of the tenant.
        user_id: Uuid,
    },
    /// Ends the alert. When its source tells of the same again, a new one opens: at once when it says something that it has
    /// not said before, after five minutes when it repeats to the letter that it fires.
    Resolve {},
    /// Says that the alert was none. What its source tells of the same goes on being it until it is over.
    MarkFalsePositive {},
    /// Says that nobody is to be bothered with the alert, whatever becomes of a silence that it is ignored by. What its
    /// source tells of the same goes on being it until it is over.
    Ignore {},
    /// Opens an alert again that was called none or ignored, for as long as its signal is not over.
    Reopen {},
    /// Takes the row of an alert that is over out of the tables: it is in an archive. One that belongs to an issue leaves
    /// with that, or after it; what its body says of it must be dropped before.
    Archive {
        /// The archive that has the alert. At most 200 characters.
        #[schemars(length(min = 1, max = ARCHIVE_CHARS_MAX))]
        archive: String,
        /// SHA-256 of the archive's content before it was compressed, in lower-case hex.
        #[schemars(length(equal = SHA256_CHARS))]
        sha256: String,
    },
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
    AlertJoinedIssue {
        issue_id: Uuid,
    },
    AlertRestated {
        /// How bad it was before.
        from: Severity,
        restated: Box<Restated>,
    },
    AlertSilenceEnded {},
    /// It is quiet by another silence, or until another time.
    AlertKeptQuiet {
        silence_id: Uuid,
        silence_ends_at: DateTime<Utc>,
    },
    AlertAcknowledged {
        /// Whether that was said where it comes from.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        by_sender: bool,
    },
    /// Nobody looks at it any more.
    AlertUnacknowledged {},
    AlertAssigned {
        user_id: Uuid,
    },
    AlertResolved {
        how: ResolvedHow,
        resolved_at: DateTime<Utc>,
    },
    AlertMarkedFalsePositive {},
    AlertIgnored {},
    AlertReopened {},
    /// Its signal is over; what a person has said of it stays.
    AlertSignalOver {
        over_at: DateTime<Utc>,
    },
    AlertRawDropped {},
    /// Its row leaves the tables.
    AlertArchived {
        archive: String,
        /// SHA-256, lower-case hex, of the archive's content before it was compressed.
        sha256: String,
        archived_at: DateTime<Utc>,
        signal_id: Uuid,
        /// Whether nobody has said that its signal is over: then that lets it go, so that another alert opens if it goes on.
        goes_on: bool,
    },
}

stored_by_variant!(Event);

impl domain::Event for Event {
    const PERSONAL: bool = true;

    // In the name of the alert and not of the delivery, so that an event of the alert says when it goes: rows follow events.
    fn sealed_apart(&self, stream: Uuid) -> Vec<(&'static str, Uuid)> {
        match self {
            Self::AlertOpened { .. } => vec![("raw", stream)],
            _ => Vec::new(),
        }
    }
}

/// What the key of the part of a body is destroyed by.
fn erased(stream: Uuid, event: &Event) -> Vec<Erase> {
    match event {
        Event::AlertRawDropped {} => vec![Erase::Person(stream)],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
