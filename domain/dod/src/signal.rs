//! What one source says of one thing over time, by the key under which it tells of it: whether a telling is new, a repeat,
//! or the end. Feeds `alerts` of document 002_292caa697ae18d8c, an alert for each time that it fires.
//!
//! Senders repeat themselves, pairs of them send twice, and what was sent first may come last. The end state is the same in
//! whatever order and however often the tellings come, as far as they say when what they tell of began, or when they
//! were said: then they are taken in that order.

mod decide;

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use dod_formats::{Observation, Severity, Signal as Said};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::VariantNames;
use uuid::Uuid;

use crate::alert::Restated;
use domain::{Class, Refuse, Sealed, stored_by_variant};

/// The kind as a value.
pub const AGGREGATE: domain::Aggregate = domain::Aggregate::of::<Signal>("signals");

/// Tellings that are remembered so that a repeat of one of them is known: more than a sender has under way.
pub const REMEMBERED_MAX: usize = 64;
/// Moments at which it fired that are remembered for finding out whether it flaps.
pub const FLIPS_MAX: usize = 20;
/// Minutes after which a repeat of a telling is noted: pairs of senders repeat each other within seconds. Where alerts end of
/// which nothing more is heard it is a quarter of the time that takes, if that is less.
pub const REPEAT_MINUTES: i64 = 5;

/// Minutes after a person has closed an alert from which on a repeat of what was told before opens another one: the sender
/// needs time to notice what was mended, and pairs of senders repeat each other within seconds.
pub const CLOSED_MINUTES: i64 = 5;

/// Milliseconds between two bodies that say nothing of their order, within which either may have been sent first: senders
/// send over several connections at once.
pub const SIDE_BY_SIDE_MS: i64 = 250;

/// What is known of a thing that a source tells of.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// The alert that is not over.
    pub current: Option<Current>,
    /// How often it fired.
    pub episodes: u32,
    /// The latest tellings by their ids, the oldest first.
    told: VecDeque<String>,
    /// When it fired lately, the oldest first.
    fired_at: VecDeque<DateTime<Utc>>,
    /// The latest beginning that is known to be over.
    over: Option<DateTime<Utc>>,
    /// When the latest end came in that said no beginning: bodies are read side by side, so what came in before it may be
    /// heard of after it.
    over_by: Option<DateTime<Utc>>,
    /// What has ended though its sender has not said that it is over.
    closed: Option<Closed>,
    /// When the latest telling was said, by a sender that says that of each.
    said_at: Option<DateTime<Utc>>,
    /// The latest end, if nobody had told of its beginning.
    #[serde(default)]
    unseen: Option<Unseen>,
}

/// An end that was told of before its beginning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Unseen {
    event_id: String,
    starts_at: Option<DateTime<Utc>>,
    ends_at: Option<DateTime<Utc>>,
    received_at: DateTime<Utc>,
    said_at: Option<DateTime<Utc>>,
    /// What was over when something was last told of that fired: it has ended by another one.
    over_before: Over,
}

/// What is known to be over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Over {
    began_by: Option<DateTime<Utc>>,
    received_by: Option<DateTime<Utc>>,
    said_by: Option<DateTime<Utc>>,
}

/// An alert that ended although its sender has not said that it is over: a person has closed it, or it expired.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Closed {
    /// Since when it was so, as the sender says.
    starts_at: Option<DateTime<Utc>>,
    at: DateTime<Utc>,
    /// Whether nobody did: nothing more was heard of it, and whatever is heard says that it goes on.
    #[serde(default)]
    is_expired: bool,
}

/// An alert that is not over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Current {
    pub alert_id: Uuid,
    /// Since when it is so, as the sender says.
    pub starts_at: Option<DateTime<Utc>>,
    pub last_seen_at: DateTime<Utc>,
    pub severity: Severity,
}

impl Signal {
    /// The stream of what a source tells of under this key.
    #[must_use]
    pub fn stream(source_id: Uuid, dedup_key: &str) -> Uuid {
        Uuid::new_v5(&source_id, format!("signal/{dedup_key}").as_bytes())
    }

    /// The alert of the nth time that it fired, from 1.
    #[must_use]
    pub fn alert_id(stream: Uuid, episode: u32) -> Uuid {
        Uuid::new_v5(&stream, format!("alert/{episode}").as_bytes())
    }
}

/// What can be asked of a signal; Daybook alone asks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Takes notice of what was told.
    Observe {
        /// The source that told of it.
        source_id: Uuid,
        /// The delivery in which it told.
        delivery_id: Uuid,
        /// The receiver that is to be told, by its `receiver_im`.
        receiver_im: Option<String>,
        /// What was told.
        observation: Box<Observation>,
        /// When the delivery came in, UTC.
        received_at: DateTime<Utc>,
    },
    /// Ends the alert when nothing was heard of it for as long as its source says.
    Expire {
        /// The alert of which nothing more was heard.
        alert_id: Uuid,
        /// The source that says how long that may be.
        source_id: Uuid,
    },
    /// Lets the alert go after a person has closed it, so that another one opens if it goes on.
    Release {
        /// The alert that was closed.
        alert_id: Uuid,
        /// When it was closed, UTC.
        closed_at: DateTime<Utc>,
    },
}

// Stored for ever. Add variants; do not rename or reuse them.
#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema, strum::IntoStaticStr, strum::VariantNames,
)]
pub enum Event {
    /// It fires, and did not before.
    SignalFired {
        alert_id: Uuid,
        /// How often it has fired, this time included.
        episode: u32,
        source_id: Uuid,
        source: String,
        delivery_id: Uuid,
        receiver_im: Option<String>,
        /// Without the part of the body, which is `raw`.
        observation: Box<Observation>,
        raw: Sealed<Option<String>>,
        /// Whether it fires again and again.
        is_flapping: bool,
        received_at: DateTime<Utc>,
        /// When it is taken to be over if nothing more is heard of it.
        expires_at: Option<DateTime<Utc>>,
    },
    /// It fires still.
    SignalRepeated {
        alert_id: Uuid,
        source_id: Uuid,
        event_id: String,
        delivery_id: Uuid,
        said: Said,
        severity: Severity,
        starts_at: Option<DateTime<Utc>>,
        received_at: DateTime<Utc>,
        expires_at: Option<DateTime<Utc>>,
        /// When it was said, where its sender says that of each telling.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        said_at: Option<DateTime<Utc>>,
        /// What it says now, if that is another severity than before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        restated: Option<Box<Restated>>,
    },
    /// It is over.
    SignalCleared {
        alert_id: Uuid,
        /// Absent when nothing more was heard of it.
        event_id: Option<String>,
        /// The beginning of what is over, as the sender says.
        starts_at: Option<DateTime<Utc>>,
        cleared_at: DateTime<Utc>,
        expired: bool,
        /// When the delivery came in that tells of it; absent when nothing more was heard.
        received_at: Option<DateTime<Utc>>,
        /// When it was said, where its sender says that of each telling.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        said_at: Option<DateTime<Utc>>,
    },
    /// What nobody has told of, what was before or what a person has closed is over. If the beginning of what nobody had told
    /// of comes late, it is an alert that is over at once; of the others nothing comes.
    SignalClearedUnseen {
        event_id: String,
        starts_at: Option<DateTime<Utc>>,
        /// When it ended, as its sender says.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ends_at: Option<DateTime<Utc>>,
        /// When the delivery came in that tells of it.
        received_at: DateTime<Utc>,
        /// When it was said, where its sender says that of each telling.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        said_at: Option<DateTime<Utc>>,
    },
    /// A person has closed the alert.
    SignalReleased { alert_id: Uuid, closed_at: DateTime<Utc> },
}

stored_by_variant!(Event);

impl domain::Event for Event {
    const PERSONAL: bool = true;

    // In the name of the delivery that it came in, so that it goes with the body.
    fn sealed_apart(&self, _stream: Uuid) -> Vec<(&'static str, Uuid)> {
        match self {
            Self::SignalFired { delivery_id, .. } => vec![("raw", *delivery_id)],
            Self::SignalRepeated { .. }
            | Self::SignalCleared { .. }
            | Self::SignalClearedUnseen { .. }
            | Self::SignalReleased { .. } => Vec::new(),
        }
    }
}

/// Why a command to a signal is refused.
// The names of its variants are those of the rules, which clients know.
#[derive(Debug, Clone, PartialEq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Refusal {
    #[error("the source is not in use; enter it again first")]
    NoSource,
    #[error("what is told under this key belongs to another signal")]
    OtherKey,
}

impl Refuse for Refusal {
    fn class(&self) -> Class {
        Class::Refused
    }
    fn rule(&self) -> &'static str {
        self.into()
    }
    fn rules() -> Vec<&'static str> {
        <Self as VariantNames>::VARIANTS.to_vec()
    }
    fn field(&self) -> Option<String> {
        None
    }
}

#[cfg(test)]
mod tests;
